"""Every table that a run writes, and how it leaves: a closed list. A table that is not in it does not leave."""

from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Rule:
    """How a table is made fit to leave, besides what holds for all (`suppress`).

    Attributes
    ----------
    lines : tuples of columns; rows alike in them add up to a number that is told, or that a reader can guess
    chains : (columns, order, number): rows alike in the columns have numbers that grow or fall along ``order``
    nested : columns; rows alike in them are about people of whom some lack a value, so that two numbers of people give away how many
    linked : columns that name the groups of people of one kind, so that what is left out once is left out in all rows
    who : columns that name the group whose people a row counts, the last one its level; none, or a level such as "all": everybody
    kind : what the groups of ``who`` are, where no column names it
    subset : name of those whom the whole table is about, where they are fewer than those who were analysed for some other reason
        than a value that is not known
    spread : whether standard deviations are told beside intervals, so that the two give the number of people away
    special : name of a further step: "flow", "curves", "movers", "cells", "decisions", "table one"
    """

    lines: tuple[tuple[str, ...], ...] = ()
    chains: tuple[tuple[tuple[str, ...], str, str], ...] = ()
    nested: tuple[str, ...] = ()
    linked: tuple[str, ...] = ()
    who: tuple[str, ...] = ()
    kind: str = ""
    subset: str = ""
    spread: bool = False
    special: str = ""

    @property
    def words(self) -> str:
        """How the table leaves, in words."""
        parts = ["small numbers, and estimates on few people, left out"]
        parts += ["others of the same sum with them"] if self.lines or self.special else []
        parts += ["steps of fewer people joined"] if self.chains or self.special == "curves" else []
        return "; ".join(parts)


NEVER = Rule(special="never")  # rows about single people
PLAIN = Rule()
SAMPLES = Rule(subset="people with RNA")
RESTRICTED = Rule(subset="people whom a sensitivity analysis keeps")
REPEATED = Rule(subset="people with several photos")
_GROUPS = ("cohort", "analysis", "measure", "model", "adjustment")
_CURVES = Rule(
    lines=(("cohort", "grouping", "measure", "cause"),), who=("grouping", "group"), special="curves"
)

TABLES: dict[str, Rule] = {
    # who was analysed
    "flow": Rule(special="flow"),
    "ledger": NEVER,
    "*/ledger": NEVER,
    "cells_ledger": NEVER,
    # ages of faces
    "faceage/summary": Rule(lines=(("cohort", "analysis"),)),
    "faceage/photo_counts": NEVER,  # exact, for the page on photo quality, which leaves out what is small
    "faceage/photo_measures": NEVER,
    "faceage/photo_speed": PLAIN,
    "faceage/agreement": PLAIN,
    "faceage/review": Rule(lines=(("cohort", "analysis"),)),
    "faceage/agreement_bands": Rule(lines=(("cohort", "term"),), who=("age_lower",)),
    "acceleration/age_bands": Rule(lines=(("cohort",),), who=("age_lower",), kind="age band"),
    "acceleration/definition_bands": Rule(lines=(("cohort", "definition"),), who=("age_lower",), kind="age band"),
    "acceleration/definitions": PLAIN,
    "acceleration/definition_hazards": PLAIN,
    "acceleration/sensitivity": RESTRICTED,
    "acceleration/summary": PLAIN,
    "acceleration/reliability": REPEATED,
    "acceleration/attenuation": PLAIN,
    "acceleration/ageing_rate": REPEATED,
    # smoking, BMI, disease
    "phenotype/phenotypes": PLAIN,
    "phenotype/table_one": Rule(special="table one"),
    "phenotype/distributions": Rule(lines=(("cohort", "factor"),), who=("factor", "group")),
    "phenotype/age_squares": Rule(who=("age_lower", "face_age_lower")),
    "phenotype/groups": PLAIN,
    "phenotype/means": Rule(lines=((*_GROUPS, "factor"),), linked=("cohort", "factor"), who=("factor", "level")),
    "phenotype/pairs": Rule(linked=("cohort", "factor")),
    "phenotype/tests": PLAIN,
    "phenotype/dose_response": PLAIN,
    "phenotype/dose_curves": PLAIN,
    "phenotype/interactions": PLAIN,
    "phenotype/subgroups": Rule(lines=((*_GROUPS, "exposure", "modifier", "term"),), linked=("cohort", "exposure", "modifier"), who=("subgroup",)),
    "phenotype/matched": PLAIN,
    "phenotype/balance": Rule(lines=(("cohort", "factor", "adjustment"),)),
    "phenotype/adjustments": PLAIN,
    "phenotype/roles": PLAIN,
    "phenotype/specifications": RESTRICTED,
    "phenotype/specification_summary": RESTRICTED,
    # fairness
    "fairness/fairness": Rule(
        lines=(("cohort", "analysis", "measure", "population", "factor", "within"),), linked=("cohort", "population", "factor", "within"), who=("within", "factor", "group"), spread=True,
    ),
    "fairness/stress": Rule(
        lines=(("cohort", "analysis", "measure", "condition", "step", "factor", "within"),), linked=("cohort", "factor", "within"), who=("condition", "step", "within", "factor", "group"), spread=True,
    ),
    # genes
    "expression/genes": SAMPLES,
    "expression/panel": SAMPLES,
    "expression/quality": SAMPLES,
    "expression/components": SAMPLES,
    "expression/confounding": Rule(lines=(("cohort", "analysis", "measure"),), subset=SAMPLES.subset),
    "expression/sensitivity": SAMPLES,
    "expression/partial_residuals": Rule(lines=(("cohort", "analysis", "term", "exposure"),), who=("analysis", "exposure", "bin")),
    "expression/set_associations": SAMPLES,
    "expression/set_coverage": SAMPLES,
    "expression/gsea": SAMPLES,
    "expression/ora": SAMPLES,
    "expression/cell_quality": Rule(special="cells", subset=SAMPLES.subset),
    "expression/composition": SAMPLES,
    "variants/genes": PLAIN,
    "variants/common": PLAIN,
    "variants/quality": Rule(lines=(("cohort", "measure"),)),
    # survival
    "survival/cox": PLAIN,
    "survival/age_comparison": PLAIN,
    "survival/proportional_hazards": PLAIN,
    "survival/proportional_hazards_curve": Rule(lines=(("cohort", "step", "term", "kind"),), who=("step", "term", "kind", "years")),
    "survival/remedies": PLAIN,
    "survival/hazard_curve_tests": PLAIN,
    "survival/hazard_curve": PLAIN,
    "survival/hazard_curve_people": Rule(lines=(("cohort",),), who=("lower",)),
    "survival/sites": Rule(lines=((*_GROUPS, "step", "by"),), who=("by", "level")),
    "survival/subgroups": Rule(lines=((*_GROUPS, "step", "modifier"),), linked=("cohort", "modifier"), who=("modifier", "subgroup")),
    "survival/sensitivity": RESTRICTED,
    "survival/imputed": PLAIN,
    "survival/added_value": PLAIN,
    "survival/calibration": Rule(
        who=("question", "model", "kind", "group"),
        lines=(("cohort", "question", "model", "kind", "at_years"),),
        chains=((("cohort", "question", "model", "kind", "group"), "at_years", "n_events"),),
    ),
    "survival/decision_curve": Rule(chains=((("cohort", "question", "model", "term", "at_years"), "threshold", "n_high"),)),
    "survival/kaplan_meier": Rule(special="curves"),
    "survival/at_risk": Rule(special="curves"),
    "survival/summary": _CURVES,
    "survival/competing_risks": _CURVES,
    "survival/cumulative_incidence": Rule(special="curves"),
    "survival/incidence_at_risk": Rule(special="curves"),
    "survival/genes": SAMPLES,
    "survival/gene_panel": SAMPLES,
    # scores, readers
    "scores/scored": Rule(lines=(("cohort", "definition", "analysis"),), nested=("cohort", "definition")),
    "scores/comparison": Rule(special="movers"),
    "readers/readers": Rule(special="decisions", subset="people whose photos were read"),  # shares of a reader's decisions are not shares of people
}  # fmt: skip


def key_of(name: str) -> str:
    """A table's key in `TABLES`: ``survival/cox`` of ``north/survival/cox.tsv``, ``flow`` of ``north/flow.tsv``."""
    path = PurePosixPath(name.rpartition(":")[2])
    stem = path.stem
    inside = f"{path.parent.name}/{stem}"
    if inside in TABLES:
        return inside
    if stem in TABLES:
        return stem
    return f"*/{stem}" if f"*/{stem}" in TABLES else inside


def declared(name: str) -> Rule | None:
    """The rule of a table by its place, or None if it is not in the list."""
    return TABLES.get(key_of(name))
