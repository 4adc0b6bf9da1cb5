"""The tidy tables that a report is made of, known by their place {cohort}/{analysis}/{table}.tsv."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd

from faceage_bio.core.columns import AGE, COHORT, FACE_AGE
from faceage_bio.core.config import Config
from faceage_bio.core.errors import TableError, examples
from faceage_bio.core.results.reasons import in_words
from faceage_bio.core.results.result_tables import NUMBERS as NUMBER_KEYS
from faceage_bio.core.results.result_tables import TABLES
from faceage_bio.core.results.row import FIRST, LAST, NUMBERS, by_cell, columns_of, is_result
from faceage_bio.core.tables import read_table, sha256_of, to_records
from faceage_bio.report.words import covariates, measure_words, ranges

ANALYSES = {
    "faceage", "acceleration", "phenotype", "fairness", "expression", "variants", "survival", "scores", "readers", "verification", "meta_analysis",
}  # fmt: skip

PARTICIPANTS = [
    COHORT,
    AGE,
    FACE_AGE,
]  # of a table with a row per participant: what internal pages draw, no identifier
WORDS = ("note", "question", "per", "model", "adjustment", "term", "measure")
GROUPS = ("term", "level", "reference", "group", "subgroup", "age_band", "rule")  # that may be of numbers
NUMBERS_SHOWN = ("estimate", "ci_lower", "ci_upper", "p_value", "q_value", "n", "n_events")


@dataclass(frozen=True)
class ReportTables:
    """Tables by (analysis, name), all cohorts below each other; ``flow`` is the analysis "ledger".

    ``released``: whether they are released tables, whose pages have no raster picture. ``fingerprint``: first 12 digits of the SHA-256 of their places and contents.
    """

    by_name: dict[tuple[str, str], pd.DataFrame]
    fingerprint: str = ""
    released: bool = False

    def rounded(self, config: Config) -> bool:
        """Whether their counts are rounded, so that no sum or difference of them is that of the participants."""
        return self.released and config.release.rounding > 1

    def get(self, analysis: str, name: str, cohort: str | None = None) -> pd.DataFrame:
        """A table, or an empty one with its columns if that stage did not run (for this cohort)."""
        table = self.by_name.get((analysis, name))
        if table is None:
            return _without_rows(f"{analysis}/{name}").copy(deep=False)
        return table if cohort is None else table[table[COHORT] == cohort]

    def several(self, analysis: str, cohort: str, *names: str) -> list[pd.DataFrame]:
        """Tables of one analysis of a cohort."""
        return [self.get(analysis, name, cohort) for name in names]


@cache
def _without_rows(place: str) -> pd.DataFrame:
    columns = [*columns_of(place), "note"] if place in TABLES else []
    return pd.DataFrame(columns=list(dict.fromkeys(columns)))


def rows_by(table: pd.DataFrame, *columns: str) -> dict:
    """Its rows by the value of a column, or by the values of several."""
    keys = table[columns[0]] if len(columns) == 1 else zip(*(table[name] for name in columns), strict=True)
    return dict(zip(keys, to_records(table), strict=True))


def first_of(table: pd.DataFrame, **wanted: object) -> dict | None:
    """The first row in which the named columns hold these values."""
    return next(iter(to_records(where(table, **wanted))), None)


def where(table: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    """The rows in which each named column holds the value, or one of several."""
    for column, value in wanted.items():
        table = table[table[column].isin(value if isinstance(value, list) else [value])]
    return table


def collect(paths: Sequence[Path], released: bool = False) -> ReportTables:
    """Read the tables; those with no row say nothing. Of a table of participants only what is drawn is kept.

    Raises
    ------
    TableError
        Tables that no page shows; all are named.
    """
    parts: dict[tuple[str, str], list[pd.DataFrame]] = {}
    unknown = []
    for path in dict.fromkeys(paths):
        analysis = path.parent.name if path.parent.name in ANALYSES else "ledger"
        table = read_table(path)
        if path.suffix == ".parquet" and set(PARTICIPANTS) <= set(table.columns):
            table = table[PARTICIPANTS].dropna().sort_values(PARTICIPANTS)
        elif path.suffix == ".parquet" or (is_result(table) and f"{analysis}/{path.stem}" not in TABLES):
            unknown.append(str(path))
        if len(table):
            parts.setdefault((analysis, path.stem), []).append(table)
    if unknown:
        raise TableError(
            f"tables: {len(unknown)} that no page shows ({examples(unknown)}). Expected result tables where the steps wrote them, as "
            "results/north/survival/cox.tsv, and acceleration.parquet. Leave the others out."
        )
    by_name = {key: _complete(_below_each_other(tables), "/".join(key)) for key, tables in parts.items()}
    return ReportTables(by_name, fingerprint(paths), released)


def fingerprint(paths: Sequence[Path]) -> str:
    """The same for the same tables, wherever the results folder lies and in whichever order they are given."""
    told = sorted(f"{'/'.join(path.parts[-3:])} {sha256_of(path)}" for path in map(Path.absolute, paths))
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:12]


def _below_each_other(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """One table; a column that is empty everywhere stays, so that a page finds it."""
    columns = dict.fromkeys(name for table in tables for name in table)
    # empty ones would blur the types of the others
    filled = [table.dropna(axis=1, how="all") for table in tables]
    return pd.concat(filled, ignore_index=True).reindex(columns=list(columns))


def _said_once(table: pd.DataFrame, columns: list[str], say: Callable[[dict], str]) -> list[str]:
    """What a function says of these columns, asked once for each different row."""
    given = (table[name].astype(object).where(table[name].notna(), None) for name in columns)
    keys = list(zip(*given, strict=True))
    words = {key: say(dict(zip(columns, key, strict=True))) for key in dict.fromkeys(keys)}
    return [words[key] for key in keys]


def _complete(table: pd.DataFrame, key: str) -> pd.DataFrame:
    """Columns that any table may lack, so that templates need not ask."""
    for column in NUMBERS_SHOWN:
        if column not in table:
            table[column] = float("nan")
    for column in table.columns.intersection(GROUPS):
        table[column] = by_cell(table[column], ranges)
    if is_result(table):  # its reasons in words, for the page
        table["note"] = by_cell(table["reason"], lambda cell: ranges(in_words(cell)))
        own = [name for name in TABLES[key].keys if name not in NUMBER_KEYS]
        keys = [name for name in own if table[name].dtype == object or table[name].isna().all()]
        words = [*(name for name in (*FIRST, *LAST) if name not in NUMBERS), *keys]
        table[words] = table[words].astype(object).fillna("")
        table["measured"] = _said_once(table, ["measure", "horizon", "unit", "df"], measure_words)
        table["held"] = by_cell(table["covariates"], covariates)
    for column in WORDS:
        if column not in table:
            table[column] = ""
        table[column] = table[column].fillna("").astype(str)
    return table
