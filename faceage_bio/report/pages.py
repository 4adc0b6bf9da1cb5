"""The pages: tables in, one self-contained HTML file out. Each number is on one page; the summary links to its place."""

import re
from collections.abc import Callable
from datetime import date
from functools import cache, partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import faceage_bio
from faceage_bio.core.columns import column_words
from faceage_bio.core.config import Config
from faceage_bio.core.tables import to_records
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
        "age_acceleration", "curves", "sequential_models", "meta_analysis", "added_value", "scores", "readers", "ageing_rate", "gene_survival",
    ),
    PHOTOS: ("stress",),
}  # fmt: skip


def _summary(tables: ReportTables, config: Config, cards: list[dict], run: dict | None) -> dict:
    """Participant flow, key results, figures, checks, methods in brief, limitations."""
    lists = checklists(tables, bool(config.report.governance))
    return summary(tables, config, cards, run) | {"checklists": lists}


def _associations(tables: ReportTables, config: Config, *_: object) -> dict:
    """What is associated with age acceleration: exposures, disease, genes."""
    found, bands = association_sections(tables, config), tables.get("acceleration", "age_bands")
    drawn = len(bands) and bands.face_age_mean.notna().any()
    return {
        "cohorts": [_association_cohort(tables, name, config) for name in config.cohorts],
        "bands_figure": figures.age_bands(bands, list(config.cohorts)) if drawn else Picture(),
        "people": [participants_section(tables, name, config) for name in config.cohorts],
        "associations": found
        | {
            "compared": any(scope["any"] for scope in found["scopes"]),
            "specified": any(scope["summary"] for scope in found["scopes"]),
        },
        "fairness": sections_fairness.section(tables, config),
        "rna_rules": rule_words(config.expression.quality),
        "variants_published": PUBLISHED,
        "why_these": why_these(config),
        "pooled": meta_analysis_section(tables, config, survival=False),
        **group_section(tables, config),
    }


def _survival(tables: ReportTables, config: Config, *_: object) -> dict:
    """Whether face age is associated with overall survival."""
    return {
        "cohorts": [_survival_cohort(tables, name, config) for name in config.cohorts],
        "readers": sections_readers.section(tables, config),
        "pooled": meta_analysis_section(tables, config, survival=True),
    }


def _photos(tables: ReportTables, config: Config, cards: list[dict], _: object) -> dict:
    """Which photos were usable, why others were not, and how they measure; no photo and no name."""
    found = sections_photos.section(tables, config)
    robust = sections_fairness.section(tables, config)
    return {
        "photos": found | {"any": any(one["ran"] for one in found["cohorts"])},
        "uncertainty": found["uncertainty"],
        "stress": robust["stress"],
        "fairness": robust,
        "statuses": sections_photos.STATUSES,
        "has_model": bool(cards),
        "made": sections_photos.made(config.faceage),
    }


CONTENTS: dict[str, Callable[..., dict]] = {
    INDEX: _summary,
    ASSOCIATION: _associations,
    SURVIVAL: _survival,
    PHOTOS: _photos,
}


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
        "number": words.number, "per_words": words.per_words, "signed": words.signed, "p": words.p_value, "p_equals": words.p_equals, "p_gene": words.p_scientific, "reason": words.reason, "term": words.term, "columns": column_words, "people": words.count, "counted": words.counted, "years": words.years, "first_upper": words.first_upper,
    }  # fmt: skip
    environment.globals |= {
        "interval": words.interval,
        "quality_rules": words.quality_rules,
        "lists": LINKS,
    }
    return environment


def render(
    page: str,
    tables: ReportTables,
    config: Config,
    cards: list[dict],
    provenance: Provenance | None = None,
    *,
    run: dict | None = None,
    internal: bool = True,
) -> Page:
    """One page.

    Parameters
    ----------
    page : name of its file
    cards : of the age models
    provenance : a new one for each page, which notes what it shows
    run : of `history.keep`: what changed since the last run, for the summary
    internal : whether the page is marked as not for release
    """
    provenance, citations = provenance or Provenance(), Citations()
    drawn = Figures(provenance.names)
    told = about(tables, provenance, config, cards)
    config = told["settings"]
    content = CONTENTS[page](tables, config, cards, run)
    names = list(config.cohorts)
    given = [name for name, cohort in config.cohorts.items() if cohort.face_ages]
    of_cohorts = page in (ASSOCIATION, SURVIVAL)
    text = templates().get_template(f"{page}.j2").render(
        page=page, page_name=page.partition(".")[0], page_titles=PAGES, not_run_id=NOT_RUN, switch=names if of_cohorts and len(names) > 1 else [],
        title=config.report.title, governance=config.report.governance, today=date.today().isoformat(), fingerprint=told["config_hash"][:12],
        version=faceage_bio.__version__, cards=cards, synthetic=any(card.get("synthetic") for card in cards), internal=internal,
        rounding=config.release.rounding, not_in_core=not_in_core(page, config),
        given=given, photographed=len(given) < len(names),
        style=Markup((TEMPLATES / "style.css").read_text()), script=Markup("\n".join((TEMPLATES / name).read_text() for name in SCRIPTS)),
        gene_ids=PageGenes.of(tables).packed if of_cohorts else "",
        of=provenance.of, figure=drawn, cite=citations.cite, citations=citations, **told, **content, **_sections(page, config, content),
    )  # fmt: skip
    made = Page(only_known_links(text))
    made.figures = drawn.included
    return made


RENDERERS: dict[str, Callable[..., Page]] = {page: partial(render, page) for page in CONTENTS}
index_page, association_page, survival_page, photo_page = RENDERERS.values()


def _sections(page: str, config: Config, content: dict) -> dict:
    """The sections of a page: those with content, the others as one line each; none of the summary."""
    if page not in SECTIONS:
        return {}
    exposures = ", ".join(words.term(name).replace("_", " ") for name in config.phenotype.exposures)
    named = {"exposures": words.first_upper(exposures), "cause": config.survival.cause_of_interest}
    titles = {section.name: section.title.format(**named) for section in SECTIONS[page]}
    full, empty = shown(SECTIONS[page], content)
    asked = [one for one in empty if runs(one.table, config.report.sections)]
    return {
        "titles": titles,
        "main_sections": [one for one in full if not one.more],
        "more_sections": [one for one in full if one.more],
        "empty_sections": [(titles[one.name], reason(one, content)) for one in asked],
        "methods": list(METHODS[page]),
    }


def only_known_links(page: str) -> str:
    """The page with links to places that it has not, because that stage did not run, sent to the list of what did not run."""
    known = set(re.findall(r'\sid="([^"]+)"', page))
    return LINK.sub(lambda link: link[0] if link[1] in known else f'<a href="#{NOT_RUN}"', page)


def _association_cohort(tables: ReportTables, name: str, config: Config) -> dict:
    return {
        "name": name,
        "face_age_figure": face_age_figure(tables, [name], list(config.cohorts)),
        "points": bool(len(tables.get("acceleration", "acceleration"))),
        "summary": to_records(tables.get("acceleration", "summary", name)),
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


def _survival_cohort(tables: ReportTables, name: str, config: Config) -> dict:
    found = definition_section(tables, name, config) | survival_cohort(tables, name, config)
    why = {"curves": found["curves_why"], "has_competing": found["competing_why"]}
    return found | {
        "curves": [] if why["curves"] else found["curves"],
        "has_competing": not why["has_competing"],
        "why": {key: said for key, said in why.items() if said},
    }


def _agreement(tables: ReportTables, name: str) -> dict:
    """The second opinion on a cohort: rows and sentences for each further model, and a figure of all."""
    rows, bands, compared = tables.several(
        "faceage", name, "agreement", "agreement_bands", "model_comparison"
    )
    drawn = bands.dropna(subset=["mean_age", "mean_difference"]) if len(bands) else bands
    figure = len(drawn) and len(rows) and rows.estimate.notna().any()
    return {
        "agreement": to_records(rows),
        "agreement_sentences": [
            words.agreement_sentence(of_model) for _, of_model in rows.groupby("term", sort=False)
        ],
        "agreement_figure": figures.agreement(drawn, rows) if figure else "",
        "model_comparison": to_records(compared),
    }
