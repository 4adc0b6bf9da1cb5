"""The key results of a run in a few lines of text, read from its result tables."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from faceage_bio.config import Config
from faceage_bio.report.formats import count, number
from faceage_bio.results.reasons import in_words
from faceage_bio.tables import read_table

PAGES = ("index", "association", "survival", "photos")


def key_results(results: Path, config: Config) -> list[str]:
    """A line per cohort for the hazard ratio of face age, and one for the first prespecified gene.

    Parameters
    ----------
    results : Path
        Folder of the results; tables that are not there have no line.
    """
    folders = [results / name for name in config.cohorts]
    gene = config.expression.panel[0]
    return [line for folder in folders for line in (*_hazard(folder), *_expression(folder, gene))]


def pages(results: Path) -> list[Path]:
    """The pages that are there, in the order of reading."""
    found = [results / "reports" / f"{name}.html" for name in PAGES]
    return [path.resolve() for path in found if path.is_file()]


def _hazard(folder: Path) -> Iterator[str]:
    for row in _rows(folder / "survival" / "cox.tsv", term="face_age", exposure="face_age", adjustment="age"):
        words = f"Hazard ratio for death per {_per(row)} increase in face age, adjusted for chronological age"
        p = "p < 0.001" if row.p_value < 0.001 else f"p = {number(row.p_value, 3)}"
        yield f"{folder.name}: {words}: {_estimate(row, p)}{_n(row)}"


def _expression(folder: Path, gene: str) -> Iterator[str]:
    for row in _rows(folder / "expression" / "panel.tsv", term=gene, exposure="age_acceleration", model="together"):  # fmt: skip
        words = f"{gene} {row.question}, log2 fold change per {_per(row)} increase in age acceleration"
        q = f"q = {row.q_value:.1e}" if row.q_value < 0.001 else f"q = {number(row.q_value, 3)}"
        yield f"{folder.name}: {words}: {_estimate(row, q)}{_n(row)}"


def _rows(path: Path, **wanted: str) -> Iterator:
    if path.is_file():
        table = read_table(path)
        for column, value in wanted.items():
            table = table[table[column] == value]
        yield from table.itertuples()


def _per(row) -> str:
    """ "10 years" as an adjective."""
    return str(row.per).replace(" years", "-year").replace(" year", "-year").replace("-years", "-year")


def _estimate(row, p: str) -> str:
    if pd.isna(row.estimate):
        return in_words(row.reason)
    joined = " to " if min(row.ci_lower, row.ci_upper) < 0 else "–"
    ends = joined.join(map(number, (row.ci_lower, row.ci_upper)))
    return f"{number(row.estimate)} (95% CI {ends}), {p}"


def _n(row) -> str:
    events = f", {count(row.n_events)} events" if pd.notna(getattr(row, "n_events", None)) else ""
    return f", n = {count(row.n)}{events}"
