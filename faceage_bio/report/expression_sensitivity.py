"""The section on the declared genes under other models."""

import pandas as pd

from faceage_bio.report import figures
from faceage_bio.report.colours import VERMILLION
from faceage_bio.report.formats import interval, number, signed
from faceage_bio.report.tables_by_place import ReportTables
from faceage_bio.report.words import covariates

FOLD, MEDIATED = "log2 fold change", "mediated log2 fold change"
LEFT_OUT = "one sample left out"
MAIN = "main model"


def sensitivity_section(tables: ReportTables, name: str, config: dict) -> list[dict]:
    """One part per analysis; the headline gene in front, the other genes below."""
    table = tables.get("expression", "sensitivity", name)
    return [
        _part(table[table.question == one], one, config["expression"])
        for one in dict.fromkeys(table["question"])
    ]


def _part(table: pd.DataFrame, analysis: str, settings: dict) -> dict:
    gene = settings["panel"][0]
    folds = table[table.measure.isin([FOLD, MEDIATED])]
    own = folds[folds.term == gene]
    shown = own[own.estimate.notna() & (own.measure == FOLD)].assign(kind=gene)
    title = f"Log2 fold change of {gene} per {shown['per'].iloc[0]} of age acceleration" if len(shown) else ""
    variants = list(dict.fromkeys(folds["variant"]))
    others = {
        term: rows.set_index("variant").to_dict("index") for term, rows in folds.groupby("term", sort=False)
    }
    return {
        "analysis": analysis,
        "gene": gene,
        "rows": own.assign(held=own.covariates.map(covariates)).to_dict("records"),
        "figure": figures.forest(shown, "variant", "kind", [(gene, VERMILLION)], 0, title) if len(shown) else "",
        "left_out": left_out_sentence(table, gene),
        "mediation": mediation_sentence(own, settings["mediator"]),
        "variants": variants,
        "genes": [(term, [rows.get(variant) for variant in variants]) for term, rows in others.items()],
    }  # fmt: skip


def left_out(table: pd.DataFrame, gene: str) -> dict[str, float]:
    """What leaving out one sample does to a gene's estimate, by measure; empty where it was not run."""
    rows = table[(table.term == gene) & (table.variant == LEFT_OUT) & table.estimate.notna()]
    return dict(zip(rows["measure"], rows["estimate"], strict=True))


def left_out_sentence(table: pd.DataFrame, gene: str) -> str:
    """How far any single sample carries the estimate; none is named."""
    found = left_out(table, gene)
    if not found:
        return ""
    low, high = found[f"lowest {FOLD}"], found[f"highest {FOLD}"]
    change, leverage = found["largest change in standard errors"], found["largest leverage"]
    cook = found["largest Cook's distance"]
    return (
        f"Without any one sample the estimate lies between {signed(low, 2)} and {signed(high, 2)}; the largest change is "
        f"{number(change)} standard errors (largest Cook's distance {number(cook)}, largest leverage {number(leverage)})."
    )


def mediation_sentence(rows: pd.DataFrame, mediator: str | None) -> str:
    """What goes by way of the mediator, and on what that rests."""
    ways = rows[(rows.measure == MEDIATED) & rows.estimate.notna()]
    if not mediator or not len(ways):
        return ""
    part, whole = ways.iloc[0], rows.set_index("variant").loc[f"without {mediator}"]
    return (
        f"If {mediator} is a mediator, {signed(part.estimate, 2)} ({interval(part.ci_lower, part.ci_upper)}) of "
        f"{signed(whole.estimate, 2)} log2 per {part.per} of age acceleration goes by way of it. This takes for granted that age "
        f"acceleration comes before {mediator}, that nothing else causes both {mediator} and the gene or both {mediator} and age acceleration "
        f"beyond the covariates, and that effects add up. If {mediator} comes first and ages both face and gene, the difference is "
        f"confounding, and the model with {mediator} is the one to read."
    )
