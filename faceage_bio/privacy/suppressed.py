"""A table and which of its cells are not told, and the two forms in which it leaves."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.privacy.counts import counted_measures, is_count

MARK = "[c]"  # confidential; what official statistics write for it
PLACES = {  # numbers that say where a row stands, not what was found there
    "age_lower", "lower", "upper", "at_years", "threshold", "years", "value", "bin", "step", "component", "df", "df_terms", "df_residual",
    "n_tests", "n_readers", "n_variants", "n_genes", "n_specifications", "genes", "in_counts", "tested", "reference", "group",
}  # fmt: skip
ESTIMATES = ("estimate", "ci_lower", "ci_upper", "standard_error", "p_value", "corrected", "optimism")


@dataclass
class Suppressed:
    """A table and which of its cells are not told, by column; ``table`` still holds them, so it does not leave the process."""

    table: pd.DataFrame
    hidden: dict[str, np.ndarray]

    @classmethod
    def of(cls, table: pd.DataFrame) -> "Suppressed":
        """Nothing hidden yet."""
        table = table.reset_index(drop=True)
        return cls(table, {name: np.zeros(len(table), dtype=bool) for name in table})

    def hide(self, rows: pd.Series | np.ndarray, columns: Iterable[str]) -> None:
        """Leave out cells of some rows."""
        rows = np.asarray(rows, dtype=bool)
        for column in columns:
            if column in self.hidden:
                self.hidden[column] = self.hidden[column] | rows

    def numbers(self, column: str) -> pd.Series:
        """A column as numbers; NaN if there is no such column."""
        if column not in self.table:
            return pd.Series(np.nan, index=self.table.index)
        return pd.to_numeric(self.table[column], errors="coerce")

    def values(self) -> list[str]:
        """Columns of numbers that say something about people, as opposed to where a row stands."""
        return [
            name for name in self.table
            if name not in PLACES and pd.api.types.is_numeric_dtype(self.table[name]) and self.table[name].dtype != bool
        ]  # fmt: skip

    def as_text(self) -> pd.DataFrame:
        """The table to be written: what is not told is ``[c]``."""
        out = self.table.copy()
        for column in [name for name, mask in self.hidden.items() if mask.any()]:
            known = out[column].dropna()
            whole = (
                pd.api.types.is_numeric_dtype(out[column])
                and is_count(column)
                and bool((known % 1 == 0).all())
            )
            text = pd.Series([_text(value, whole) for value in out[column]], index=out.index, dtype=object)
            out[column] = text.mask(self.hidden[column] & out[column].notna(), MARK)
        return out

    def as_numbers(self, min_cell: int) -> pd.DataFrame:
        """The table for a page: small numbers are 1 (printed as "< 5"), whatever else is not told is missing."""
        out = self.table.copy()
        for column in [name for name, mask in self.hidden.items() if mask.any()]:
            if not pd.api.types.is_numeric_dtype(out[column]):
                continue
            counted = self._counted(column)
            small = counted & out[column].between(1, min_cell - 1)
            mask = self.hidden[column]
            out[column] = out[column].astype(float).mask(mask & ~small).mask(mask & small, 1.0)
        return out

    def _counted(self, column: str) -> pd.Series:
        if is_count(column):
            return pd.Series(True, index=self.table.index)
        if column == "estimate" and "measure" in self.table:
            return counted_measures(self.table["measure"])
        return pd.Series(False, index=self.table.index)


def groups_of_rows(table: pd.DataFrame, keys: tuple[str, ...]) -> Iterator[tuple[object, np.ndarray]]:
    """Places of rows that are alike in those of the columns that the table has."""
    names = [name for name in keys if name in table]
    if not names:
        return iter([((), np.arange(len(table)))])
    words = table[names].astype(object).where(table[names].notna(), "")
    return iter(words.groupby(names, sort=False).indices.items())


def _text(value: object, whole: bool) -> object:
    if isinstance(value, float) and whole and not np.isnan(value):
        return str(int(value))
    return value
