"""The pages: tables in, one self-contained HTML file out. Each number is on one page; the summary links to its place."""

import re
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import faceage_bio
from faceage_bio.report import figures, sections_fairness, sections_photos, sections_readers, words
from faceage_bio.report.checklists import checklists
from faceage_bio.report.figure_files import Figures, Page, Picture
from faceage_bio.report.gene_cards import gene_cards, sensitivity_section
from faceage_bio.report.places import (
    ASSOCIATION,
    INDEX,
    NOT_RUN,
    PAGES,
    PHOTOS,
    SECTIONS,
    SURVIVAL,
    not_in_core,
    reason,
    runs,
    shown,
)
from faceage_bio.report.provenance import Citations, Provenance, about
from faceage_bio.report.sections_acceleration import definition_section
from faceage_bio.report.sections_all_genes import PageGenes
from faceage_bio.report.sections_associations import association_sections, group_section, phenotype_section
from faceage_bio.report.sections_cox import survival_cohort
from faceage_bio.report.sections_genes import (
    gene_section,
    gene_set_section,
    quality_section,
    rule_words,
    why_these,
)
from faceage_bio.report.sections_meta_analysis import meta_analysis_section
from faceage_bio.report.sections_participants import face_age_figure, participants_section
from faceage_bio.report.sections_single_cell import single_cell_section
from faceage_bio.report.sections_variants import PUBLISHED, variant_section
from faceage_bio.report.summary import summary
from faceage_bio.report.table_files import LINKS
from faceage_bio.report.tables_by_place import ReportTables

TEMPLATES = Path(__file__).parent / "templates"
SCRIPTS = ("page.js", "genes.js", "downloads.js")
LINK = re.compile(r'<a href="#([^"]+)"')
METHODS = {
    ASSOCIATION: (
        "age_acceleration", "table_one", "acceleration", "agreement", "phenotypes", "associations", "fairness", "expression_quality", "genes",
        "expression_sensitivity", "gene_sets", "single_cell", "variants", "meta_analysis",
    ),
    SURVIVAL: (
        "age_acceleration", "ageing_rate", "curves", "sequential_models", "added_value", "gene_survival", "readers", "scores", "meta_analysis",
    ),
    PHOTOS: ("stress",),
}  # fmt: skip


def index_page(
    tables: ReportTables, config: dict, cards: list[dict], provenance: Provenance | None = None, run: dict | None = None, internal: bool = True,
) -> Page:  # fmt: skip
    """The summary: participant flow, key results, figures, checks, methods in brief, limitations.

    ``run`` (of `history.keep`): what changed since the last run. ``internal``: whether the page is marked as not for release.
    """
    content = summary(tables, config, cards, run)
    lists = checklists(tables, bool(config["report"]["governance"]))
    return _render(INDEX, config, cards, tables, provenance, internal, **content, checklists=lists)


def association_page(
    tables: ReportTables,
    config: dict,
    cards: list[dict],
    provenance: Provenance | None = None,
    internal: bool = True,
) -> Page:
    """What is associated with age acceleration: exposures, disease, genes. ``internal`` as for `index_page`."""
    found = association_sections(tables, config)
    content = {
        "cohorts": [_association_cohort(tables, name, config) for name in config["cohorts"]],
        "bands_figure": _bands(tables, list(config["cohorts"])),
        "people": [participants_section(tables, name, config) for name in config["cohorts"]],
        "associations": found | {
            "compared": any(scope["any"] for scope in found["scopes"]),
            "specified": any(scope["summary"] for scope in found["scopes"]),
        },
        "fairness": sections_fairness.section(tables, config),
        "rna_rules": rule_words(config["expression"]["quality"]),
        "variants_published": PUBLISHED,
        "why_these": why_these(config),
        "pooled": meta_analysis_section(tables, config, survival=False),
        **group_section(tables, config),
    }  # fmt: skip
    return _sections(ASSOCIATION, config, cards, tables, provenance, internal, content)


def survival_page(
    tables: ReportTables,
    config: dict,
    cards: list[dict],
    provenance: Provenance | None = None,
    internal: bool = True,
) -> Page:
    """Whether face age is associated with overall survival. ``internal`` as for `index_page`."""
    content = {
        "cohorts": [_survival_cohort(tables, name, config) for name in config["cohorts"]],
        "readers": sections_readers.section(tables, config),
        "pooled": meta_analysis_section(tables, config, survival=True),
    }
    return _sections(SURVIVAL, config, cards, tables, provenance, internal, content)


def photo_page(
    tables: ReportTables,
    config: dict,
    cards: list[dict],
    provenance: Provenance | None = None,
    internal: bool = True,
) -> Page:
    """Which photos were usable, why others were not, and how they measure; no photo and no name."""
    found = sections_photos.section(tables, config)
    robust = sections_fairness.section(tables, config)
    content = {
        "photos": found | {"any": any(one["ran"] for one in found["cohorts"])},
        "uncertainty": found["uncertainty"],
        "stress": robust["stress"],
        "fairness": robust,
        "statuses": sections_photos.STATUSES,
        "has_model": bool(cards),
        "made": sections_photos.made(config["faceage"]),
    }
    return _sections(PHOTOS, config, cards, tables, provenance, internal, content)


@cache
def templates() -> Environment:
    """All templates, each compiled once; what differs from page to page is in the context of each."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": words.number, "per_words": words.per_words, "signed": words.signed, "p": words.p_value, "p_gene": words.p_scientific, "reason": words.reason, "term": words.term, "people": words.count, "years": words.years, "first_upper": words.first_upper,
    }  # fmt: skip
    environment.globals |= {
        "interval": words.interval,
        "quality_rules": words.quality_rules,
        "lists": LINKS,
    }
    return environment


def _sections(
    page: str, config: dict, cards: list[dict], tables: ReportTables, provenance: Provenance | None, internal: bool, content: dict
) -> Page:  # fmt: skip
    """A page of sections: those with content, the others as one line each."""
    full, empty = shown(SECTIONS[page], content)
    named = {"exposures": _exposures(config), "cause": config["survival"]["cause_of_interest"]}
    titles = {section.name: section.title.format(**named) for section in SECTIONS[page]}
    return _render(
        page, config, cards, tables, provenance, internal, **content, titles=titles, main_sections=[one for one in full if not one.more],
        more_sections=[one for one in full if one.more], empty_sections=[(titles[one.name], reason(one, content)) for one in empty if runs(one.table, config["report"]["sections"])], methods=list(METHODS[page]),
    )  # fmt: skip


def _exposures(config: dict) -> str:
    """The declared exposures as a title: "Smoking, pack-years, BMI, ECOG"."""
    said = ", ".join(words.term(name).replace("_", " ") for name in config["phenotype"]["exposures"])
    return words.first_upper(said)


def _render(
    page: str,
    config: dict,
    cards: list[dict],
    tables: ReportTables,
    provenance: Provenance | None,
    internal: bool,
    **content,
) -> Page:
    provenance, citations = provenance or Provenance(), Citations()
    drawn = Figures(provenance.names)
    told = about(tables, provenance, config, cards)
    names = list(config["cohorts"])
    text = templates().get_template(f"{page}.j2").render(
        page=page, page_name=page.partition(".")[0], page_titles=PAGES, not_run_id=NOT_RUN, switch=names if page in (ASSOCIATION, SURVIVAL) and len(names) > 1 else [],
        title=config["report"]["title"], governance=config["report"]["governance"], today=date.today().isoformat(), fingerprint=told["config_hash"][:12],
        version=faceage_bio.__version__, cards=cards, synthetic=any(card.get("synthetic") for card in cards), internal=internal,
        rounding=config.get("release", {}).get("rounding", 6), not_in_core=not_in_core(page, config),
        given=[name for name, cohort in config["cohorts"].items() if cohort.get("face_ages")],
        photographed=any(not cohort.get("face_ages") for cohort in config["cohorts"].values()),
        style=Markup((TEMPLATES / "style.css").read_text()), script=Markup("\n".join((TEMPLATES / name).read_text() for name in SCRIPTS)),
        gene_ids=PageGenes.of(tables).packed if page in (ASSOCIATION, SURVIVAL) else "",
        of=provenance.of, figure=drawn, cite=citations.cite, citations=citations, **told, **content,
    )  # fmt: skip
    made = Page(only_known_links(text))
    made.figures = drawn.included
    return made


def only_known_links(page: str) -> str:
    """The page with links to places that it has not, because that stage did not run, sent to the list of what did not run."""
    known = set(re.findall(r'\sid="([^"]+)"', page))
    return LINK.sub(lambda link: link[0] if link[1] in known else f'<a href="#{NOT_RUN}"', page)


def _rows(table: pd.DataFrame) -> list[dict]:
    return table.to_dict("records")


def _bands(tables: ReportTables, cohorts: list[str]) -> Picture:
    """Face age by decade of age, all cohorts in one figure."""
    bands = tables.get("acceleration", "age_bands")
    return (
        figures.age_bands(bands, cohorts) if len(bands) and bands.face_age_mean.notna().any() else Picture()
    )


def _association_cohort(tables: ReportTables, name: str, config: dict) -> dict:
    return {
        "name": name,
        "face_age_figure": face_age_figure(tables, [name], list(config["cohorts"])),
        "points": bool(len(tables.get("acceleration", "acceleration"))),
        "summary": _rows(tables.get("acceleration", "summary", name)),
        **_agreement(tables, name),
        **definition_section(tables, name, config),
        **phenotype_section(tables, name, config),
        "rna_quality": quality_section(tables, name, config),
        "gene_sensitivity": sensitivity_section(tables, name, config),
        "gene_cards": gene_cards(tables, name, config),
        "gene_sets": gene_set_section(tables, name, config),
        "single_cell": single_cell_section(tables, name, config),
        "variants": variant_section(tables, name, config),
        **gene_section(tables, name, config),
    }


def _survival_cohort(tables: ReportTables, name: str, config: dict) -> dict:
    found = definition_section(tables, name, config) | survival_cohort(tables, name, config)
    no_curves, no_risks = found["curves_why"], found["competing_why"]
    why = {"curves": no_curves, "has_competing": no_risks}
    return found | {
        "curves": [] if no_curves else found["curves"],
        "has_competing": not no_risks,
        "why": {key: said for key, said in why.items() if said},
    }


def _agreement(tables: ReportTables, name: str) -> dict:
    """The second opinion on a cohort: rows and sentences for each further model, and a figure of all."""
    rows = tables.get("faceage", "agreement", name)
    bands = tables.get("faceage", "agreement_bands", name)
    drawn = bands.dropna(subset=["mean_age", "mean_difference"]) if len(bands) else bands
    terms = list(dict.fromkeys(rows["term"])) if len(rows) else []
    figure = (
        figures.agreement(drawn, rows) if len(drawn) and len(rows) and rows.estimate.notna().any() else ""
    )
    return {
        "agreement": _rows(rows),
        "agreement_sentences": [words.agreement_sentence(rows[rows.term == term]) for term in terms],
        "agreement_figure": figure,
        "model_comparison": _rows(tables.get("faceage", "model_comparison", name)),
    }


RENDERERS: dict[str, Callable[..., Page]] = {
    INDEX: index_page,
    ASSOCIATION: association_page,
    SURVIVAL: survival_page,
    PHOTOS: photo_page,
}
