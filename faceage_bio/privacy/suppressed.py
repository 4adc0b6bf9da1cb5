"""A table and which of its cells are not told, and the two forms in which it leaves."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from faceage_bio.privacy.counts import counted_measures, is_count

MARK = "[c]"  # confidential; what official statistics write for it
NEAR = "~"  # before a number that differs by few from the true one (`alike`)
NOT_EXACT = 0.25  # what such a number has behind the comma on a page, where numbers of people are whole (`formats.count`)
PLACES = {  # numbers that say where a row stands, not what was found there
    "age_lower", "lower", "upper", "at_years", "threshold", "years", "value", "bin", "step", "component", "df", "df_terms", "df_residual",
    "n_tests", "n_readers", "n_variants", "n_genes", "n_specifications", "genes", "in_counts", "tested", "reference", "group",
}  # fmt: skip
AS_IT_IS = {
    "log_likelihood",
    "events_per_term",
}  # tell nothing of it, or were made to go with the deaths that are told
DIGITS = 3
ESTIMATES = (
    "estimate", "ci_lower", "ci_upper", "standard_error", "p_value", "corrected", "optimism", "raw_estimate", "raw_ci_lower", "raw_ci_upper",
    "raw_p_value",
)  # fmt: skip


@dataclass
class Suppressed:
    """A table and which of its cells are not told, by column; ``table`` still holds them, so it does not leave the process.

    ``about``: by column, the number that is told instead of one that differs from it by few; NaN where the cell is told as it is.
    ``digits``: how many count of a number that is written; quotients with all of theirs tell what was divided by what. None: all.
    """

    table: pd.DataFrame
    hidden: dict[str, np.ndarray]
    about: dict[str, np.ndarray] = field(default_factory=dict)
    digits: int | None = None

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

    def tell_about(self, rows: np.ndarray, column: str, told: np.ndarray | float) -> None:
        """Tell another number instead, marked as such, in some rows; what is hidden stays hidden."""
        if column in self.hidden:
            before = self.about.get(column, np.full(len(self.table), np.nan))
            self.about[column] = np.where(np.asarray(rows) & ~self.hidden[column], told, before)

    def is_about(self, column: str) -> np.ndarray:
        """In which rows another number is told instead."""
        return (
            ~np.isnan(self.about[column]) if column in self.about else np.zeros(len(self.table), dtype=bool)
        )

    def exact(self, column: str) -> np.ndarray:
        """Numbers that are told as they are; NaN elsewhere."""
        if column not in self.hidden:
            return np.full(len(self.table), np.nan)
        return np.where(
            self.hidden[column] | self.is_about(column), np.nan, self.numbers(column).to_numpy(float)
        )

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
        """The table to be written: what is not told is ``[c]``, what is told by another number has ``~`` before it."""
        out = self._coarse()
        for column in [name for name, mask in self.hidden.items() if mask.any() or self.is_about(name).any()]:
            known = out[column].dropna()
            whole = (
                pd.api.types.is_numeric_dtype(out[column])
                and is_count(column)
                and bool((known % 1 == 0).all())
            )
            text = pd.Series([_text(value, whole) for value in out[column]], index=out.index, dtype=object)
            if self.is_about(column).any():
                about = pd.Series([f"{NEAR}{told:.0f}" for told in self.about[column]], index=out.index)
                text = text.mask(self.is_about(column), about)
            out[column] = text.mask(self.hidden[column] & out[column].notna(), MARK)
        return out

    def _coarse(self) -> pd.DataFrame:
        """The table with no more digits than may be told."""
        out = self.table.copy()
        for column in self.values() if self.digits else ():
            if not is_count(column):
                out[column] = _with_digits(out[column].to_numpy(float), self.digits)
        return out

    def with_about(self) -> pd.DataFrame:
        """The table with numbers that are told instead of others: these have a quarter behind the comma (printed as "≈ 114")."""
        out = self.table.copy()
        for column, told in self.about.items():
            if pd.api.types.is_numeric_dtype(out[column]):
                out[column] = out[column].astype(float).mask(self.is_about(column), told + NOT_EXACT)
        return out

    def as_numbers(self, min_cell: int) -> pd.DataFrame:
        """The same for a page: small numbers are 1 (printed as "< 5"), whatever else is not told is missing."""
        out = self.with_about()
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


def _with_digits(numbers: np.ndarray, digits: int) -> np.ndarray:
    """Numbers with no more digits that count."""
    size = np.where(np.isfinite(numbers) & (numbers != 0), np.abs(numbers), 1.0)
    places = digits - 1 - np.floor(np.log10(size))
    return np.round(numbers * 10.0**places) / 10.0**places
