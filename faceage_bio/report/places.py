"""Which sections each page has, in their order: where their content is, what they are called, why one may be empty, and which run."""

from collections.abc import Sequence
from dataclasses import dataclass

from faceage_bio.core.config import Config

INDEX, ASSOCIATION, SURVIVAL, PHOTOS = "index.html", "association.html", "survival.html", "photos.html"
PAGES = {INDEX: "Summary", ASSOCIATION: "Associations", SURVIVAL: "Survival", PHOTOS: "Photo quality"}
NOT_RUN = "not-run"
VERIFICATION = f"{INDEX}#verification"


@dataclass(frozen=True)
class Section:
    """A section of a page.

    ``key``: where the page's content has what it shows, such as ``groups``, ``associations.matched``, or ``cohorts.ph`` (of any
    cohort); ``why``: the reason where that is empty; ``more``: whether it is supplementary, folded away at first; ``table``: the
    result table of an analysis that `report.sections` may leave out.
    """

    name: str
    title: str
    key: str
    why: str
    more: bool = False
    table: str = ""

    @property
    def block(self) -> str:
        """Of the page's template."""
        return self.name.replace("-", "_")

    def has_content(self, content: dict) -> bool:
        first, _, rest = self.key.partition(".")
        value = content[first]
        if not rest:
            return bool(value)
        return any(one[rest] for one in value) if isinstance(value, list) else bool(value[rest])


SECTIONS: dict[str, tuple[Section, ...]] = {
    ASSOCIATION: (
        Section("participant-flow", "Participant flow", "people.flow_figure", "no table of counts"),
        Section("table-one", "Table 1: participants by age acceleration", "people.table_one", "no participant has an age acceleration"),
        Section("ages", "Face age and chronological age", "cohorts.summary", "no participant has both ages"),
        Section("groups", "Cancer and controls", "groups", "no cohort has a column group with cases and controls"),
        Section("phenotypes", "{exposures}", "cohorts.phenotypes", "no clinical data"),
        Section("genes", "Gene expression", "cohorts.panels", "no RNA counts"),
        Section("gene-sets", "Senescence gene sets", "cohorts.gene_sets", "no RNA counts"),
        Section("pooled-associations", "Meta-analysis over cohorts", "pooled.any", "fewer than two cohorts, or reference cohorts only"),
        Section("definitions", "Definitions of age acceleration and validity range", "cohorts.definitions", "no participant has both ages", more=True),
        Section("repeats", "Repeated photos: reliability", "cohorts.reliability", "no participant has two usable photos", more=True, table="acceleration/reliability"),
        Section("agreement", "Agreement with a second age model", "cohorts.agreement", "one age model only", more=True),
        Section("matched", "Cancer and matched controls", "associations.matched", "no cases and controls to match", more=True, table="phenotype/matched"),
        Section("comparisons", "Group comparisons, dose–response, subgroups", "associations.compared", "no clinical data", more=True),
        Section("adjustment", "Adjustment sets", "associations.roles", "no clinical data", more=True, table="phenotype/roles"),
        Section("specifications", "Sensitivity to analysis choices", "associations.specified", "no clinical data", more=True, table="phenotype/specifications"),
        Section("fairness", "Fairness: error by subgroup", "fairness.blocks", "no subgroups to compare", more=True),
        Section("rna-samples", "RNA sample quality", "cohorts.rna_quality", "no RNA counts", more=True),
        Section("gene-sensitivity", "Gene expression: sensitivity analyses", "cohorts.gene_sensitivity", "no RNA counts", more=True, table="expression/sensitivity"),
        Section("gene-cards", "Prespecified genes, one by one", "cohorts.gene_cards", "no RNA counts", more=True, table="expression/sensitivity"),
        Section("single-cell", "Single-cell expression", "cohorts.single_cell", "no single-cell data", more=True),
        Section("variants", "DNA variants of the prespecified genes", "cohorts.variants", "no genotypes", more=True, table="variants/genes"),
    ),
    SURVIVAL: (
        Section("curves", "Overall survival by prespecified groups", "cohorts.curves", "no follow-up"),
        Section("cox", "Cox models, sequentially adjusted", "cohorts.ran", "no follow-up"),
        Section("meta-analysis", "Meta-analysis over cohorts", "pooled.any", "fewer than two cohorts, or reference cohorts only"),
        Section("hazards", "Proportional hazards assumption", "cohorts.ph", "no Cox model to test"),
        Section("added-value", "Added prognostic value", "cohorts.added", "no follow-up, or too few events"),
        Section("competing-risks", "Competing risks: death from {cause}", "cohorts.has_competing", "no causes of death"),
        Section("scores", "Clinical scores with chronological age and with face age", "cohorts.scores", "the items of no score are recorded"),
        Section("readers", "Reader study", "readers.ran", "no readings given"),
        Section("hazard-curve", "Non-linearity of the hazard", "cohorts.curvature", "no follow-up", more=True, table="survival/hazard_curve"),
        Section("subgroups", "Subgroup analyses", "cohorts.subgroups", "no follow-up", more=True, table="survival/subgroups"),
        Section("sites", "Heterogeneity between sites", "cohorts.sites", "one site only, or no follow-up", more=True),
        Section("sensitivity", "Sensitivity analyses", "cohorts.choices", "no follow-up", more=True, table="survival/sensitivity"),
        Section("definition-hazards", "Survival by definition of age acceleration", "cohorts.hazards", "no follow-up", more=True, table="acceleration/definition_hazards"),
        Section("ageing-rate", "Face ageing rate", "cohorts.ageing_rate", "no participant has two dated photos", more=True, table="acceleration/ageing_rate"),
        Section("gene-survival", "Gene expression and survival", "cohorts.gene_survival", "no RNA counts, or no follow-up", more=True),
    ),
    PHOTOS: (
        Section("reasons", "Exclusions and flags", "photos.any", "no photos: face ages were given"),
        Section("measures", "Image quality", "photos.measures", "no face was detected, or face ages were given"),
        Section("uncertainty", "Uncertainty of a single face age", "photos.uncertainty", "not requested (faceage.jitters: 0)"),
        Section("review", "Manual review", "photos.review", "no decisions given (review.decisions)"),
        Section("stress", "Robustness to image degradation", "stress", "not requested (fairness.stress_photos: 0), or no photos", table="fairness/stress"),
        Section("model", "Face-age model and settings", "has_model", "no age model: face ages were given"),
    ),
}  # fmt: skip


def reason(section: Section, content: dict) -> str:
    """Why a section is empty: what its cohorts say, or else what the section says."""
    first, _, rest = section.key.partition(".")
    cohorts = content[first] if isinstance(content[first], list) else []
    said = dict.fromkeys(one["why"][rest] for one in cohorts if rest in one.get("why", {}))
    return "; ".join(said) or section.why


PAGE_OF = {section.name: page for page, sections in SECTIONS.items() for section in sections}


def place(section: str, cohort: str = "") -> str:
    """Link to a section of whichever page has it, or to a cohort's part of it: ``survival.html#cox-north``."""
    return f"{PAGE_OF[section]}#{section}{f'-{cohort}' if cohort else ''}"


def not_run(link: str) -> str:
    """The list of what was not run on the page of this link; the summary has none."""
    page = link.partition("#")[0]
    return link if page == INDEX else f"{page}#{NOT_RUN}"


def shown(sections: Sequence[Section], content: dict) -> tuple[list[Section], list[Section]]:
    """Those with something to show, and the others."""
    full = [section for section in sections if section.has_content(content)]
    return full, [section for section in sections if section not in full]


# what only `report.sections: full` runs: heading on the pages, tables of the steps that nothing else needs
FULL_ONLY: dict[str, tuple[str, ...]] = {
    "Repeated photos: reliability": ("acceleration/reliability", "acceleration/attenuation"),
    "Face ageing rate": ("acceleration/ageing_rate",),
    "Survival by definition of age acceleration": ("acceleration/definition_hazards",),
    "Dose–response": ("phenotype/dose_response", "phenotype/dose_curves"),
    "Subgroup analyses of age acceleration": ("phenotype/interactions", "phenotype/subgroups"),
    "Cancer and matched controls": ("phenotype/matched", "phenotype/balance"),
    "Adjustment sets": ("phenotype/adjustments", "phenotype/roles"),
    "Sensitivity to analysis choices": ("phenotype/specifications", "phenotype/specification_summary"),
    "Robustness to image degradation": ("fairness/stress",),
    "Gene expression: sensitivity analyses": ("expression/sensitivity", "expression/partial_residuals"),
    "Cell-type composition": ("expression/composition",),
    "DNA variants of the prespecified genes": ("variants/genes", "variants/common", "variants/quality"),
    "Non-linearity of the hazard": tuple(
        "survival/hazard_curve" + end for end in ("_tests", "", "_histogram")
    ),
    "Subgroup analyses": ("survival/subgroups",),
    "Sensitivity analyses": ("survival/sensitivity", "survival/imputed"),
}
_TABLES = {table for tables in FULL_ONLY.values() for table in tables}


def runs(table: str, sections: str) -> bool:
    """Whether a result table (``survival/cox``) is made under this setting."""
    return sections == "full" or table not in _TABLES


def not_in_core(page: str, config: Config) -> list[str]:
    """Headings of what this config's `report.sections` leaves out of a page."""
    if config.report.sections == "full":
        return []
    return [heading for heading, tables in FULL_ONLY.items() if _page_of(tables) == page]


def _page_of(tables: tuple[str, ...]) -> str:
    """The page with a section for one of these tables; that of associations where they stand in a section of others."""
    found = (page for page, sections in SECTIONS.items() for one in sections if one.table in tables)
    return next(found, ASSOCIATION)
