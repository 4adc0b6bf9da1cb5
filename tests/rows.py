"""Tables in tests: cases of a test, the values that R computed, result tables with reasons in words."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.core.results.reasons import Reason, encode, in_words
from faceage_bio.core.tables import write_table
from faceage_bio.report.tables_by_place import ReportTables, collect


def golden(folder: str) -> Callable[..., np.ndarray]:
    """R's values of a folder of tests/golden, by quantity; words of a quantity may come one by one."""
    path = Path(__file__).parent / "golden" / folder / "golden.tsv"
    values = pd.read_csv(path, sep="\t").groupby("quantity")["value"].apply(np.array)
    return lambda *words: values[" ".join(map(str, words))]


def cases(text: str) -> list[tuple[str, ...]]:
    """Cases of a test, one a line, their parts apart by " | "."""
    found = [tuple(line.strip().split(" | ")) for line in text.strip().splitlines()]
    assert {len(case) for case in found} == {len(found[0])} != {1}, (
        "cases of several parts, as many in each line"
    )
    return found


def collected(folder: Path, tables: dict[str, pd.DataFrame]) -> ReportTables:
    """Tables written below a folder by their place, such as "one/survival/cox", and read as pages read them."""
    for place, table in tables.items():
        write_table(table, folder / f"{place}.tsv")
    return collect([folder / f"{place}.tsv" for place in tables])


def worded(table: pd.DataFrame) -> pd.DataFrame:
    """A result table with its reasons in words as ``note``, as pages have them."""
    return table.assign(note=table["reason"].map(_said))


def told(found: pd.DataFrame | pd.Series) -> pd.Series | str:
    """The reasons of a table's rows, or of one row, in words."""
    return found["reason"].map(_said) if isinstance(found, pd.DataFrame) else _said(found["reason"])


def numbers(found) -> list[float]:
    """Estimate, limits of its interval and p-value."""
    return [found.estimate, found.ci_lower, found.ci_upper, found.p_value]


def _said(value: object) -> str:
    if isinstance(value, Reason | list):  # of rows that are no table yet
        return in_words(encode(value if isinstance(value, list) else [value]))
    return in_words(value)
