"""The gene section: age acceleration compared with chronological age, their difference, and the second opinion."""

import pandas as pd

from faceage_bio.core.results.reasons import decode
from faceage_bio.intake.rna.gene_sets import panel_reasons
from faceage_bio.report import figures, words
from faceage_bio.report.formats import increase, p_scientific
from faceage_bio.report.plot import BROWN, VERMILLION, VIOLET
from faceage_bio.report.sections_all_genes import FOUND, Column, PageGenes, all_genes, identifier_of
from faceage_bio.report.tables_by_place import ReportTables

TOGETHER = "together"
EXPOSURES = [
    ("age_acceleration", "age acceleration", VERMILLION),
    ("chronological_age", "chronological age", VIOLET),
    ("difference", "difference of both", BROWN),
]
MODELS = {
    TOGETHER: "age acceleration and age", "face age and age": "face age and age", "alone": "each alone",
    "raw gap": "age gap alone, not adjusted for age",
}  # fmt: skip


def gene_section(tables: ReportTables, name: str, config: dict) -> dict:
    """What the template shows of one cohort; every number is read from its tables."""
    panel, genes = (tables.get("expression", table, name) for table in ("panel", "genes"))
    headline = config["expression"]["panel"][0]
    analyses = list(dict.fromkeys(panel["question"]))
    own = genes[genes.exposure == "age_acceleration"]
    page = PageGenes.of(tables)
    parts = [
        {"analysis": one, **part} for one in analyses if (part := _all(own[own.question == one], name, one, config, page))
    ]  # fmt: skip
    return {
        "gene_sentences": [
            (one, words.gene_sentence(panel[panel.question == one], headline)) for one in analyses
        ]
        or [("expression", words.gene_sentence(panel, headline))],
        "panels": [_panel(one, panel[panel.question == one]) for one in analyses],
        "type_one_error": type_one_error(tables.get("expression", "type_one_error", name)),
        "all_genes": parts,
        "n_tested": parts[0]["n_tested"] if parts else 0,
        "gene_model": [_model(own[own.question == parts[0]["analysis"]])] if parts else [],
    }  # fmt: skip


def type_one_error(rows: pd.DataFrame) -> list[dict]:
    """Of each analysis: type I error and inflation of each method on permuted exposures, and the sentence on the method that leads."""
    parts = []
    for analysis, own in rows.groupby("question", sort=False):
        methods = [
            {"method": method, "error": mine.get("type I error"), "inflation": mine.get("inflation factor")}
            for method, group in own.groupby("term", sort=False)
            if (mine := {row["measure"]: row for row in group.to_dict("records")})
        ]
        first = own.iloc[0]
        parts.append({
            "analysis": analysis, "methods": methods, "sentence": _leading(first["headline"], first["rule"], methods),
            "permutations": first["permutations"], "genes": first.get("genes"), "note": first["note"],
        })  # fmt: skip
    return parts


def _leading(headline: str, rule: str, methods: list[dict]) -> str:
    wald = methods[0]["error"]
    if wald is None or pd.isna(wald["estimate"]):
        return ""
    share, low, high = (f"{100 * wald[key]:.1f}" for key in ("estimate", "ci_lower", "ci_upper"))
    return (
        f"On permuted exposures DESeq2's Wald test gave p < 0.05 in {share}% of the tests (95% CI {low}–{high}%); "
        f"{headline} gives the estimates and p-values ({rule})."
    )


def why_these(config: dict) -> list[dict]:
    """Each declared gene with the reason and its source."""
    settings = config["expression"]
    given = {
        symbol: {key: value for key, value in reason.items() if value}
        for symbol, reason in settings["panel_reasons"].items()
    }
    return panel_reasons(settings["panel"], given).to_dict("records")


def _model(genes: pd.DataFrame) -> dict:
    """What the methods say of the model of all genes: its first row, what it is adjusted for, and the trend of the dispersions."""
    reasons = {str(one): one.code for cell in genes["reason"].unique() for one in decode(cell)}
    trend = [said for said, code in reasons.items() if code == "dispersion_trend"]
    row = genes.iloc[0].to_dict()
    return row | {"held": words.covariates(row["covariates"]), "trend": next(iter(trend), "")}


def _all(genes: pd.DataFrame, cohort: str, analysis: str, config: dict, page: PageGenes) -> dict:
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
    ]  # fmt: skip
    n_tested = int(genes.p_value.notna().sum())
    axis = f"Log2 fold change per {increase(per)} in age acceleration"
    what = f"{cohort}, {analysis}: genes against age acceleration (q over the {n_tested:,} genes tested)"
    identifier = identifier_of("genes", cohort, analysis, config)
    apart = (
        genes["reason"].map({cell: words.disagree(cell) for cell in genes["reason"].unique()}).astype(bool)
    )
    genes = genes.assign(disagree=apart)
    part = all_genes(genes, config["expression"]["panel"], columns, axis, what, identifier, page)
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
    together = panel[panel.model == TOGETHER]
    by_exposure = {
        exposure: {row["term"]: row for row in together[together.exposure == exposure].to_dict("records")}
        for exposure, _, _ in EXPOSURES
    }
    rows = [
        row | _second(row) | {"age": by_exposure["chronological_age"].get(term), "difference": by_exposure["difference"].get(term)}
        for term, row in by_exposure["age_acceleration"].items()
    ]  # fmt: skip
    tests = panel.assign(
        spoken_model=panel.model.map(lambda model: MODELS.get(model, model)),
        spoken=[_spoken(row.model, row.exposure) for row in panel.itertuples()],
        held=panel.covariates.map(words.covariates),
    )
    names = {row["second"]["name"] for row in rows} or {"limma-voom"}
    return {
        "analysis": analysis,
        "other": " or ".join(sorted(names)),
        "any_disagree": any(row["disagree"] for row in rows),
        "rows": rows,
        "figure": _forest(together),
        "n_tests": int(max([row["n_tests"] for row in rows if row["n_tests"] == row["n_tests"]], default=0)),
        "tests": [
            row | _second(row)
            for row in tests.sort_values("term", key=lambda terms: terms.map(list(by_exposure["age_acceleration"]).index), kind="stable")
            .to_dict("records")
        ],
    }  # fmt: skip


def _second(row: dict) -> dict:
    """The method that does not lead, and whether both disagree."""
    prefix, name = words.second_method(row)
    second = {
        key: row[f"{prefix}_{key}"] for key in ("estimate", "ci_lower", "ci_upper", "p_value", "q_value")
    }
    return {"second": second | {"name": name, "note": ""}, "disagree": words.disagree(row["reason"])}


def _spoken(model: str, exposure: str) -> str:
    if exposure == "difference":
        return "age acceleration − age" if model == TOGETHER else "face age − age"
    return words.term(exposure)


def _forest(together: pd.DataFrame) -> str:
    kinds = {exposure: name for exposure, name, _ in EXPOSURES}
    shown = together[together.exposure.isin(kinds)]
    if not shown.estimate.notna().any():
        return ""
    colours = [(name, colour) for _, name, colour in EXPOSURES]
    shown = shown.assign(kind=shown.exposure.map(kinds))
    return figures.forest(
        shown,
        "term",
        "kind",
        colours,
        0,
        f"Log2 fold change per {increase(shown['per'].iloc[0])}",
        p=p_scientific,
        italic=True,
    )
