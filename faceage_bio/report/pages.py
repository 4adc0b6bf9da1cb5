"""The two pages: tables in, one self-contained HTML file out."""

import re
from datetime import date
from functools import cache
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import faceage_bio
from faceage_bio.report import fairness, figures, formats, photos, readers, words
from faceage_bio.report.about import about
from faceage_bio.report.acceleration import definition_section
from faceage_bio.report.all_genes import PageGenes
from faceage_bio.report.associations import association_sections
from faceage_bio.report.checklists import filled, mark_places
from faceage_bio.report.cohort_forest import cohort_forest
from faceage_bio.report.exclusions import LINKS
from faceage_bio.report.expression_quality import quality_section, rule_words
from faceage_bio.report.expression_sensitivity import sensitivity_section
from faceage_bio.report.first_screen import first_screen
from faceage_bio.report.gene_cards import gene_cards
from faceage_bio.report.gene_sets import gene_set_section
from faceage_bio.report.genes import gene_section, why_these
from faceage_bio.report.people import face_age_figure, people_section
from faceage_bio.report.phenotypes import group_section, phenotype_section
from faceage_bio.report.references import Citations
from faceage_bio.report.sections import not_in_core
from faceage_bio.report.single_cell import single_cell_section
from faceage_bio.report.survival import survival_cohort
from faceage_bio.report.tables import ReportTables
from faceage_bio.report.trail import Trail
from faceage_bio.report.variants import PUBLISHED, variant_section

TEMPLATES = Path(__file__).parent / "templates"
STYLES = ("style.css", "first_screen.css")
SCRIPTS = ("page.js", "genes.js", "downloads.js")
CHECKLISTS_HERE = Markup("<!-- checklists -->")  # they link to places, which are known once the page is made
LINK = re.compile(r'<a href="#([^"]+)"')


def association_page(
    tables: ReportTables, config: dict, cards: list[dict], trail: Trail | None = None, run: dict | None = None, internal: bool = True,
) -> str:  # fmt: skip
    """What goes with looking older: smoking, BMI, disease and genes; survival as an appendix.

    ``run`` (of `history.keep`): what changed since the last run. ``internal``: whether the page is marked as not for release.
    """
    bands = tables.get("acceleration", "age_bands")
    cohorts = [_association_cohort(tables, name, config) for name in config["cohorts"]]
    figure = figures.age_bands(bands) if len(bands) and bands.face_age_mean.notna().any() else ""
    return _render(
        "association.html.j2", config, cards, tables, trail, internal, cohorts=cohorts, first=first_screen(tables, config, "association", run), **_shared(tables, config), **_survival(tables, config), bands_figure=Markup(figure),
    )  # fmt: skip


def survival_page(
    tables: ReportTables, config: dict, cards: list[dict], trail: Trail | None = None, run: dict | None = None, internal: bool = True,
) -> str:  # fmt: skip
    """Whether looking older predicts death. ``run`` and ``internal`` as for `association_page`."""
    told = _survival(tables, config)
    cohorts = [
        definition_section(tables, one["name"], config)
        | phenotype_section(tables, one["name"], config)
        | _genes_of(tables, one["name"], config)
        | one
        for one in told["survival"]
    ]
    shared = _shared(tables, config)
    known = (
        shared["associations"]["ran"]
        or shared["fairness"]["blocks"]
        or any(one["definitions"] for one in cohorts)
    )
    has_genes = any(one["panels"] or one["variants"] for one in cohorts)
    return _render(
        "survival.html.j2", config, cards, tables, trail, internal, cohorts=cohorts, first=first_screen(tables, config, "survival", run), readers=told["readers"], **shared, has_appendix=bool(known), has_genes=has_genes,
    )  # fmt: skip


def photo_page(
    tables: ReportTables, config: dict, cards: list[dict], trail: Trail | None = None, internal: bool = True
) -> str:
    """Which photos could be used, why others were not, and how they measure; no photo and no name."""
    return _render(
        "photos.html.j2", config, cards, tables, trail, internal, photos=photos.section(tables, config), statuses=photos.STATUSES, made=photos.made(config["faceage"]),
    )  # fmt: skip


def _survival(tables: ReportTables, config: dict) -> dict:
    """What the survival page tells: on the association page as an appendix (survival_appendix.html.j2)."""
    return {
        "survival": [survival_cohort(tables, name, config) for name in config["cohorts"]],
        "readers": readers.section(tables, config),
    }


def _shared(tables: ReportTables, config: dict) -> dict:
    """What the association page tells: on the survival page as an appendix (appendix.html.j2)."""
    return {
        "people": [people_section(tables, name, config) for name in config["cohorts"]],
        "forests": cohort_forest(tables, config),
        **group_section(tables, config),
        "associations": association_sections(tables, config),
        "fairness": fairness.section(tables, config),
        "rna_rules": rule_words(config["expression"]["quality"]),
        "variants_published": PUBLISHED,
        "why_these": why_these(config),
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
        "number": formats.number, "signed": formats.signed, "p": formats.p_value, "reason": words.reason, "term": words.term, "people": formats.count,
    }  # fmt: skip
    environment.globals |= {
        "interval": formats.interval,
        "quality_rules": words.quality_rules,
        "lists": LINKS,
    }
    return environment


def _render(
    template: str,
    config: dict,
    cards: list[dict],
    tables: ReportTables,
    trail: Trail | None,
    internal: bool,
    **content,
) -> str:
    trail, citations = trail or Trail(), Citations()
    environment = templates()
    told = about(tables, trail, config, cards)
    page = environment.get_template(template).render(
        page_name=template.partition(".")[0], title=config["report"]["title"], governance=config["report"]["governance"], today=date.today().isoformat(), fingerprint=told["config_hash"][:12],
        version=faceage_bio.__version__, cards=cards, synthetic=any(card.get("synthetic") for card in cards), internal=internal,
        rounding=config.get("release", {}).get("rounding", 6), not_in_core=not_in_core(config),
        given=[name for name, cohort in config["cohorts"].items() if cohort.get("face_ages")],
        style=Markup("".join((TEMPLATES / name).read_text() for name in STYLES)),
        script=Markup("\n".join((TEMPLATES / name).read_text() for name in SCRIPTS)),
        gene_ids=PageGenes.of(tables).packed, of=trail.of, cite=citations.cite, citations=citations, checklists_here=CHECKLISTS_HERE, **told, **content,
    )  # fmt: skip
    page, places = mark_places(page)
    lists = environment.get_template("checklists.html.j2").render(checklists=filled(places))
    return only_known_links(page.replace(CHECKLISTS_HERE, lists))


def only_known_links(page: str) -> str:
    """The page with links to places that it has not, because that stage did not run, sent to the list of who was analysed."""
    known = set(re.findall(r'\sid="([^"]+)"', page))
    return LINK.sub(lambda link: link[0] if link[1] in known else '<a href="#who"', page)


def _rows(table: pd.DataFrame) -> list[dict]:
    return table.to_dict("records")


def _association_cohort(tables: ReportTables, name: str, config: dict) -> dict:
    return {
        "name": name,
        "face_age_figure": face_age_figure(tables, [name]),
        "photos": [row for row in _rows(tables.get("faceage", "summary", name)) if row["term"] != "photos"],
        "summary": _rows(tables.get("acceleration", "summary", name)),
        "bands": _rows(tables.get("acceleration", "age_bands", name)),
        **_agreement(tables, name),
        **definition_section(tables, name, config),
        **phenotype_section(tables, name, config),
        **_genes_of(tables, name, config),
    }


def _genes_of(tables: ReportTables, name: str, config: dict) -> dict:
    """What is told of a cohort's RNA and DNA: on the survival page as an appendix (genes_appendix.html.j2)."""
    return {
        "rna_quality": quality_section(tables, name, config),
        "gene_sensitivity": sensitivity_section(tables, name, config),
        "gene_cards": gene_cards(tables, name, config),
        "gene_sets": gene_set_section(tables, name, config),
        "single_cell": single_cell_section(tables, name, config),
        "variants": variant_section(tables, name, config),
        **gene_section(tables, name, config),
    }


def _agreement(tables: ReportTables, name: str) -> dict:
    """The second opinion on a cohort: rows and sentences for each further model, and a figure of all."""
    rows = tables.get("faceage", "agreement", name)
    bands = tables.get("faceage", "agreement_bands", name)
    shown = bands.dropna(subset=["mean_age", "mean_difference"]) if len(bands) else bands
    terms = list(dict.fromkeys(rows["term"])) if len(rows) else []
    figure = (
        figures.agreement(shown, rows) if len(shown) and len(rows) and rows.estimate.notna().any() else ""
    )
    return {
        "agreement": _rows(rows),
        "agreement_sentences": [words.agreement_sentence(rows[rows.term == term]) for term in terms],
        "agreement_figure": Markup(figure),
    }
