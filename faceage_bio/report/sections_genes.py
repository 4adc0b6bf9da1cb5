"""Gene expression: age acceleration compared with chronological age, RNA samples, sets of senescence genes, genes and survival."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from faceage_bio.core.columns import AGE, AGE_ACCELERATION, AGE_GAP, OTHER_SEX
from faceage_bio.core.config import Config
from faceage_bio.core.results.reasons import SPARSE, decode, singular
from faceage_bio.core.results.row import by_cell
from faceage_bio.core.settings.settings_genes import SampleQuality
from faceage_bio.core.tables import to_records
from faceage_bio.intake.rna.gene_sets import panel_reasons
from faceage_bio.report import figures, words
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.plot import BROWN, GREY, VERMILLION, VIOLET
from faceage_bio.report.sections_all_genes import FOUND, Column, PageGenes, all_genes, identifier_of
from faceage_bio.report.table_rows import together
from faceage_bio.report.tables_by_place import ReportTables, rows_by
from faceage_bio.report.words import (
    count,
    counted,
    covariates,
    in_brackets,
    increase,
    interval,
    number,
    p_equals,
    p_scientific,
    percent,
    percents,
    signed,
    sparse,
)

TOGETHER = "together"
# names and colours of exposures in figures, as models of both ages have them, and as scores and shares of cells do
OF_BOTH_AGES = {
    AGE_ACCELERATION: ("age acceleration", VERMILLION),
    AGE: ("chronological age", VIOLET),
    "difference": ("difference of both", BROWN),
}
WITH_GAP = {
    AGE_GAP: ("age gap, unadjusted", GREY),
    AGE_ACCELERATION: ("age acceleration", VERMILLION),
    AGE: ("chronological age", VIOLET),
}
MODELS = {
    TOGETHER: "age acceleration and age",
    "face age and age": "face age and age",
    "alone": "each alone",
    "unadjusted age gap": "age gap alone, not adjusted for age",
}
MAIN_METHOD = "mean z"  # of the scores of gene sets
INSEPARABLE = "inseparable_from_batch"  # code of a reason
SURVIVAL_COLUMNS = (
    Column("Hazard ratio per doubling (95% CI)", ("estimate", "ci_lower", "ci_upper"), "estimate"),
    Column("p", ("p_value",), "p"),
    Column("q", ("q_value",), "p"),
    Column("Bonferroni", ("p_bonferroni",), "p"),
    Column("Mean log2 level", ("mean_level",), "number", digits=1),
)


def forest_by_exposure(
    table: pd.DataFrame, kinds: dict[str, tuple[str, str]], title: str, **style: Any
) -> Picture:
    """Estimates by term, of each exposure in its colour."""
    shown = table[table["exposure"].isin(kinds)]
    shown = shown.assign(
        kind=shown["exposure"].map({exposure: name for exposure, (name, _) in kinds.items()})
    )
    return figures.forest(shown, "term", [*kinds.values()], 0, title, **style)


def gene_section(tables: ReportTables, name: str, config: Config) -> dict:
    """What the template shows of one cohort; every number is read from its tables."""
    panel, genes, errors = tables.several("expression", name, "panel", "genes", "type_one_error")
    headline, page = config.expression.panel[0], PageGenes.of(tables)
    panels = dict(iter(panel.groupby("question", sort=False)))
    own = genes[genes.exposure == AGE_ACCELERATION]
    parts = []
    for analysis in panels:
        if part := _all(own[own.question == analysis], name, analysis, config, page):
            parts.append({"analysis": analysis, **part})
    said = panels or {"expression": panel}
    return {
        "gene_sentences": [(one, words.gene_sentence(rows, headline)) for one, rows in said.items()],
        "panels": [_panel(one, rows) for one, rows in panels.items()],
        "type_one_error": type_one_error(errors),
        "all_genes": parts,
        "n_tested": parts[0]["n_tested"] if parts else 0,
        "gene_model": [_model(own[own.question == parts[0]["analysis"]])] if parts else [],
    }


def type_one_error(rows: pd.DataFrame) -> list[dict]:
    """Of each analysis: type I error and inflation of each method on permuted exposures, and the sentence on the method that leads."""
    parts = []
    for analysis, own in rows.groupby("question", sort=False):
        methods = [
            {"method": method, "error": mine.get("type I error"), "inflation": mine.get("inflation factor")}
            for method, group in own.groupby("term", sort=False)
            if (mine := rows_by(group, "measure"))
        ]
        first = own.iloc[0]
        sentence = _leading(first["headline"], first["rule"], methods)
        of_all = {key: first.get(key) for key in ("permutations", "genes", "note")}
        parts.append({"analysis": analysis, "methods": methods, "sentence": sentence} | of_all)
    return parts


def _leading(headline: str, rule: str, methods: list[dict]) -> str:
    wald = methods[0]["error"]
    if wald is None or pd.isna(wald["estimate"]):
        return ""
    share = percent(wald["estimate"], 1)
    return (
        f"On permuted exposures, DESeq2's Wald test had p < 0.05 in {share} of the tests (95% CI {percents(wald['ci_lower'], wald['ci_upper'], 1)}); "
        f"estimates and p-values are from {headline} ({rule})."
    )


def why_these(config: Config) -> list[dict]:
    """Each declared gene with the reason and its source."""
    settings = config.expression
    given = {
        symbol: {key: value for key, value in reason if value}
        for symbol, reason in settings.panel_reasons.items()
    }
    return to_records(panel_reasons(settings.panel, given))


def _model(genes: pd.DataFrame) -> dict:
    """What the methods say of the model of all genes: its first row, what it is adjusted for, and the trend of the dispersions."""
    reasons = {str(one): one.code for cell in genes["reason"].unique() for one in decode(cell)}
    trend = [said for said, code in reasons.items() if code == "dispersion_trend"]
    row = genes.iloc[0].to_dict()
    return row | {"held": words.covariates(row["covariates"]), "trend": next(iter(trend), "")}


def _all(genes: pd.DataFrame, cohort: str, analysis: str, config: Config, page: PageGenes) -> dict:
    """Every gene of one analysis, with how many were found."""
    per = genes["per"].iloc[0] if len(genes) else ""
    second, other = words.second_method(genes.iloc[0]) if len(genes) else ("voom", "limma-voom")
    columns = [
        Column(f"Log2 per {per} (95% CI)", ("estimate", "ci_lower", "ci_upper"), "estimate"),
        Column("p", ("p_value",), "p"),
        Column("q", ("q_value",), "p"),
        Column("q, filtered", ("q_filtered",), "p"),
        Column(f"{other}: q", (f"{second}_q_value",), "p"),
        Column("Mean count", ("base_mean",), "number", digits=0),
    ]
    n_tested = int(genes.p_value.notna().sum())
    axis = f"Log2 fold change per {increase(per)} in age acceleration"
    what = f"{cohort}, {analysis}: genes against age acceleration (q over the {n_tested:,} genes tested)"
    identifier = identifier_of("genes", cohort, analysis, config)
    apart = by_cell(genes["reason"], words.disagree).astype(bool)
    genes = genes.assign(disagree=apart)
    part = all_genes(genes, config.expression.panel, columns, axis, what, identifier, page)
    counted = {
        "n_disagree": int(apart.sum()),
        "other": other,
        "n_tested": n_tested,
        "n_found": int((genes.q_value < FOUND).sum()),
        "n_found_filtered": int((genes.q_filtered < FOUND).sum()),
    }
    return part | counted if part else {}


def _panel(analysis: str, panel: pd.DataFrame) -> dict:
    """One line per gene with both ages and their difference, and all models below."""
    of_both = panel[panel.model == TOGETHER]
    own, ages, differences = (
        rows_by(of_both[of_both.exposure == exposure], "term") for exposure in OF_BOTH_AGES
    )
    rows = [
        row | _second(row) | {"age": ages.get(term), "difference": differences.get(term)}
        for term, row in own.items()
    ]
    tests = panel.assign(
        spoken_model=panel.model.replace(MODELS),
        spoken=[_spoken(row.model, row.exposure) for row in panel.itertuples()],
        held=panel.covariates.map(words.covariates),
    )
    tests = tests.sort_values("term", key=lambda terms: terms.map([*own].index), kind="stable")
    names = {row["second"]["name"] for row in rows} or {"limma-voom"}
    n_tests = int(max((row["n_tests"] for row in rows if pd.notna(row["n_tests"])), default=0))
    return {
        "analysis": analysis,
        "other": " or ".join(sorted(names)),
        "any_disagree": any(row["disagree"] for row in rows),
        "rows": together(rows, "term"),
        "figure": forest_by_exposure(
            of_both, OF_BOTH_AGES, "Log2 fold change per {increase}", p=p_scientific, italic=True
        ),
        "family": f"families of {counted(n_tests, 'test')} each; " if n_tests else "",
        "n_tests": n_tests,
        "tests": [row | _second(row) for row in to_records(tests)] if tests["estimate"].notna().any() else [],
    }


def _second(row: dict) -> dict:
    """The method that does not lead, and whether both disagree."""
    prefix, name = words.second_method(row)
    keys = ("estimate", "ci_lower", "ci_upper", "p_value", "q_value")
    second = {"name": name, "note": ""} | {key: row[f"{prefix}_{key}"] for key in keys}
    return {"second": second, "disagree": words.disagree(row["reason"])}


def _spoken(model: str, exposure: str) -> str:
    if exposure == "difference":
        return "age acceleration − age" if model == TOGETHER else "face age − age"
    return words.term(exposure)


def by_analysis(*tables: pd.DataFrame) -> Iterator[tuple[str, list[pd.DataFrame]]]:
    """Each analysis (bulk, or each cell type) that the first table has, with its rows of all tables."""
    for analysis in dict.fromkeys(tables[0]["question"]):
        yield analysis, [table[table["question"] == analysis] for table in tables]


def quality_section(tables: ReportTables, name: str, config: Config) -> list[dict]:
    """RNA samples: what was found, which covariate loads on which component, batch."""
    found = tables.several("expression", name, "quality", "components", "confounding")
    return [{"analysis": analysis} | _quality_part(*own) for analysis, own in by_analysis(*found)]


def _quality_part(summary: pd.DataFrame, components: pd.DataFrame, confounding: pd.DataFrame) -> dict:
    batches = confounding[confounding.level != ""]
    return {
        "sentence": quality_sentence(summary),
        "counted": to_records(summary[summary.measure == "samples"]),
        "measured": to_records(summary[summary.measure == "median"]),
        **_heat_map(components),
        "batches": to_records(batches),
        "against": to_records(confounding.drop(batches.index)),
        "inseparable": [
            str(one) for cell in confounding.reason for one in decode(cell) if one.code == INSEPARABLE
        ],
    }


def _heat_map(table: pd.DataFrame) -> dict:
    """Covariates x components with R squared, its shade (0 to 1) and whether q is small; or why there is none."""
    known = table[table.estimate.notna()].drop_duplicates("component")
    shares = dict(zip(known["component"], known["share_of_variance"], strict=True))
    rows = []
    for term, mine in table.groupby("term", sort=False):
        by = rows_by(mine, "component")
        cells = [by[name] | {"bold": by[name]["q_value"] < FOUND} for name in shares if name in by]
        rows.append({"term": term, "cells": cells, "n": mine["n"].iloc[0], "why": mine["note"].iloc[0]})
    return {"components": [*shares.items()], "heat_map": rows}


def quality_sentence(summary: pd.DataFrame) -> str:
    """How many samples were checked, and what became of those that differ."""
    by = summary[summary.measure == "samples"].set_index("term")
    said = singular(f"{count(by.n['excluded'])} samples were checked")
    parts = [f"{count(by.estimate[term])} {term}" for term in ("excluded", "flagged") if by.estimate[term]]
    said += f": {', '.join(parts)}" if parts else "; none was excluded or flagged"
    why = " and ".join(map(str, decode(by.reason[OTHER_SEX])))
    return f"{said}. {'Sex was not inferred from RNA, because ' + why + '. ' if why else ''}".strip()


def rule_words(quality: SampleQuality) -> str:
    """What becomes of which samples, by the config's section ``expression.quality``."""
    did = {"exclude": "excluded", "flag": "flagged", "ignore": "used as they are"}
    return ", ".join(
        f"{words.reason(reason)}: {did[getattr(quality, key).action]}"
        for key, reason in (("outlier", "rna_outlier"), ("sex_mismatch", "sex_mismatch"))
    )


def gene_set_section(tables: ReportTables, name: str, config: Config) -> list[dict]:
    """Sets of senescence genes: how much of each was measured, scores per participant, enrichment."""
    parts = []
    of_sets = tables.several("expression", name, "set_coverage", "set_associations", "gsea", "ora")
    for analysis, (coverage, found, gsea, ora) in by_analysis(*of_sets):
        main = found[found.method == MAIN_METHOD]
        parts.append(
            {
                "analysis": analysis,
                "sentences": [set_sentence(rows) for _, rows in main.groupby("term", sort=False)],
                "coverage": to_records(coverage),
                "figure": forest_by_exposure(main, WITH_GAP, "Standard deviations of the score per {per}"),
                "rows": together(
                    side_by_side(found, ["term", "method"]), "term", "method", of=("own", "gap", "age")
                ),
                "gsea": with_age(gsea),
                "ora": with_age(ora),
                "headline": config.expression.panel[0],
            }
        )
    return parts


def side_by_side(found: pd.DataFrame, names: list[str]) -> list[dict]:
    """One line per set and method, or cell type, the three exposures side by side: the unadjusted gap is never read alone."""
    rows = []
    for values, part in found.groupby(names, sort=False):
        by = rows_by(part, "exposure")
        if AGE_ACCELERATION in by:
            shown = {"gap": by.get(AGE_GAP), "own": by[AGE_ACCELERATION], "age": by.get(AGE)}
            rows.append(dict(zip(names, values, strict=True)) | shown)
    return rows


def with_age(table: pd.DataFrame, column: str = "exposure") -> list[dict]:
    """Rows of age acceleration, each with that of chronological age."""
    ages = rows_by(table[table[column] == AGE], "term")
    own = to_records(table[table[column] == AGE_ACCELERATION])
    return [row | {"age": ages.get(row["term"])} for row in own]


def set_sentence(rows: pd.DataFrame) -> str:
    """What a set's score says of age acceleration, or why nothing."""
    by = rows.set_index("exposure")
    row = by.loc[AGE_ACCELERATION]
    if pd.isna(row.estimate):
        return f"{row.term}: {row.note}."
    text = f"{row.term}: {signed(row.estimate, 2)} standard deviations{in_brackets(row)} per {row.per} of age acceleration"
    if AGE in by.index and pd.notna(by.loc[AGE, "estimate"]):
        age = by.loc[AGE]
        text += f"; {signed(age.estimate, 2)}{in_brackets(age)} of chronological age"
    return f"{text}."


def gene_survival_section(tables: ReportTables, name: str, config: Config) -> dict:
    """Genes and survival, per analysis: sentence, prespecified genes with their figure, all genes with theirs."""
    declared, page, parts = config.expression.panel, PageGenes.of(tables), []
    for analysis, (panel, genes) in by_analysis(*tables.several("survival", name, "gene_panel", "genes")):
        identifier = identifier_of("gene-survival", name, analysis, config)
        found = _all_survival(genes, declared, f"{name}, {analysis}", identifier, page)
        parts.append({"analysis": analysis, **_survival_panel(panel, declared[0]), **found})
    return {"gene_survival": parts}


def _survival_panel(panel: pd.DataFrame, headline: str) -> dict:
    title = "Hazard ratio for death per doubling of expression (log scale)"
    shown, colours = panel.assign(kind="panel"), [("panel", VERMILLION)]
    forest = figures.forest(shown, "term", colours, 1, title, logarithmic=True, p=p_scientific, italic=True)
    return {
        "sentence": survival_sentence(panel, headline),
        "panel": together(to_records(panel), "term"),
        "n_panel": len(panel),
        "forest": forest,
        "adjustment": held(panel.iloc[0]),
    }


def _all_survival(genes: pd.DataFrame, panel: list[str], what: str, identifier: str, page: PageGenes) -> dict:
    tested = genes[genes.p_value.notna()]
    what = f"{what}: gene expression and survival (q over the {len(tested):,} genes tested)"
    axis = "Log2 hazard ratio for death per doubling of expression"
    return {
        "n_tested": len(tested),
        "n_failed": len(genes) - len(tested),
        "n_found": int((tested.q_value < FOUND).sum()),
        "all_genes": all_genes(
            tested, panel, SURVIVAL_COLUMNS, axis, what, identifier, page, logarithmic=True
        ),
    }


def survival_sentence(panel: pd.DataFrame, gene: str) -> str:
    """The headline gene, whatever its p."""
    rows = panel[panel.term == gene]
    if not len(rows):
        return f"{gene}: not in the panel."
    row = rows.iloc[0]
    if pd.isna(row.estimate):
        return f"{gene}: {row.note}."
    told = (
        f"HR for death per doubling of {gene} expression, adjusted for {held(row)}: {number(row.estimate)} (95% CI "
        f"{interval(row.ci_lower, row.ci_upper)}, p {p_equals(row.p_value)}; n = {count(row.n)}, {counted(row.n_events, 'event')})."
    )
    return f"{told} Interpret with caution: {sparse(row.reason)}." if row.status == SPARSE else told


def held(row: pd.Series) -> str:
    """What a model is adjusted for, and what makes its strata."""
    strata = f", strata of {row.strata}" if isinstance(row.strata, str) and row.strata else ""
    return f"{covariates(row.covariates)}{strata}"
