"""The section on genes and survival: the panel declared beforehand, then all genes."""

import pandas as pd

from faceage_bio.core.results.reasons import SPARSE
from faceage_bio.report import figures
from faceage_bio.report.formats import interval, number, p_equals, p_scientific, people
from faceage_bio.report.plot import VERMILLION
from faceage_bio.report.sections_all_genes import FOUND, Column, PageGenes, all_genes, identifier_of
from faceage_bio.report.tables_by_place import ReportTables
from faceage_bio.report.words import covariates, sparse


def gene_survival_section(tables: ReportTables, name: str, config: dict) -> dict:
    """Per analysis (bulk, or each cell type): sentence, panel with its figure, all genes with theirs."""
    panel, genes = tables.get("survival", "gene_panel", name), tables.get("survival", "genes", name)
    analyses = list(dict.fromkeys(panel["question"]))
    headline, page = config["expression"]["panel"][0], PageGenes.of(tables)
    return {
        "gene_survival": [
            {
                "analysis": analysis,
                **_panel(panel[panel.question == analysis], headline),
                **_all(
                    genes[genes.question == analysis], config["expression"]["panel"], f"{name}, {analysis}",
                    identifier_of("gene-survival", name, analysis, config), page,
                ),
            }
            for analysis in analyses
        ]
    }  # fmt: skip


def _panel(panel: pd.DataFrame, headline: str) -> dict:
    shown = panel[panel.estimate.notna()].assign(kind="panel")
    colours = [("panel", VERMILLION)]
    title = "Hazard ratio for death per doubling of expression (log scale)"
    forest = (
        figures.forest(
            shown, "term", "kind", colours, 1, title, logarithmic=True, p=p_scientific, italic=True
        )
        if len(shown)
        else ""
    )
    return {
        "sentence": sentence(panel, headline),
        "panel": panel.to_dict("records"),
        "forest": forest,
        "adjustment": held(panel.iloc[0]),
    }


COLUMNS = (
    Column("Hazard ratio per doubling (95% CI)", ("estimate", "ci_lower", "ci_upper"), "estimate"),
    Column("p", ("p_value",), "p"),
    Column("q", ("q_value",), "p"),
    Column("Bonferroni", ("p_bonferroni",), "p"),
    Column("Mean log2 level", ("mean_level",), "number", digits=1),
)  # fmt: skip


def _all(genes: pd.DataFrame, panel: list[str], what: str, identifier: str, page: PageGenes) -> dict:
    tested = genes[genes.p_value.notna()]
    return {
        "n_tested": len(tested),
        "n_failed": len(genes) - len(tested),
        "n_found": int((tested.q_value < FOUND).sum()),
        "all_genes": all_genes(
            tested, panel, COLUMNS, "Log2 hazard ratio for death per doubling of expression", f"{what}: genes and death (q over the {len(tested):,} genes tested)", identifier, page, logarithmic=True,
        ),
    }  # fmt: skip


def sentence(panel: pd.DataFrame, gene: str) -> str:
    """The headline gene, whatever its p."""
    rows = panel[panel.term == gene]
    if not len(rows):
        return f"{gene}: not in the panel."
    row = rows.iloc[0]
    if pd.isna(row.estimate):
        return f"{gene}: {row.note}."
    percent, more = abs(row.estimate - 1) * 100, "higher" if row.estimate >= 1 else "lower"
    told = (
        f"Twice the level of {gene} was associated with a {percent:.0f}% {more} hazard of death (hazard ratio {number(row.estimate)}, "
        f"95% CI {interval(row.ci_lower, row.ci_upper)}, p {p_equals(row.p_value)}; adjusted for "
        f"{held(row)}; {people(row.n)} participants, {people(row.n_events)} deaths)."
    )
    return f"{told} Interpret with caution: {sparse(row.reason)}." if row.status == SPARSE else told


def held(row: pd.Series) -> str:
    """What a model is adjusted for, and what makes its strata."""
    return f"{covariates(row.covariates)}{f', strata of {row.strata}' if isinstance(row.strata, str) and row.strata else ''}"
