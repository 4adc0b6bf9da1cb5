"""Columns of a table -> a design matrix with named terms, complete rows only, and the reason why a row is left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.core.errors import CohortError

MAX_LEVELS = 12  # of a column whose groups are compared with each other
RANK_TOLERANCE = 1e-8  # singular value of columns scaled to length 1


@dataclass(frozen=True)
class Design:
    """The matrix of complete rows, and what was left out.

    ``matrix`` (n_complete, n_terms) floats, columns such as ``bmi`` and ``sex: male``; ``missing`` says for
    each row of the table that was left out which column it lacks; ``constant`` names columns that do not vary
    and so are not in it.
    """

    matrix: pd.DataFrame
    missing: pd.Series
    constant: list[str]


def require_columns(table: pd.DataFrame, columns: Sequence[str]) -> None:
    """Refuse names that are no columns of the table.

    Raises
    ------
    CohortError
        Names all of them.
    """
    unknown = [name for name in columns if name not in table]
    if unknown:
        raise CohortError(
            f"the analysis table has no column {', '.join(map(repr, unknown))}; it has {', '.join(map(str, table.columns))}. "
            "Expected each of them. Correct the covariates in the config, or add the column to the clinical table."
        )


def build_design(
    table: pd.DataFrame, columns: Sequence[str], levels: Mapping[str, Sequence[str]] | None = None
) -> Design:
    """Numbers as they are, words as 0/1 columns against a reference level.

    Parameters
    ----------
    table : DataFrame, shape (n, any)
    columns : names of columns of ``table``
    levels : column -> its words in order, the first is the reference
        Without it a column's most frequent word is the reference.

    Raises
    ------
    CohortError
        The table lacks a column.
    """
    require_columns(table, columns)
    lacks = np.full(len(table), "", dtype=object)
    for name in reversed(columns):  # the first column that a row lacks is the one named
        lacks[table[name].isna().to_numpy()] = name
    missing = pd.Series(lacks, index=table.index)
    complete = lacks == ""
    names: list[str] = []
    parts: list[np.ndarray] = []
    constant: list[str] = []
    for name in columns:
        values = table[name].to_numpy()[complete]
        if pd.api.types.is_numeric_dtype(table[name]):
            values = values.astype(np.float64)
            made = {name: values} if len(values) and (values != values[0]).any() else {}
        else:
            made = _indicators(values.astype(str), name, (levels or {}).get(name))
        if not made:
            constant.append(name)
        names += made
        parts += made.values()
    matrix = pd.DataFrame(
        np.column_stack(parts) if parts else None, index=table.index[complete], columns=names or None
    )
    return Design(matrix, missing[~complete], constant)


def _indicators(words: np.ndarray, name: str, declared: Sequence[str] | None) -> dict[str, np.ndarray]:
    """A column of 0 and 1 for each word but the reference; none where all words are the same."""
    found, sizes = np.unique(words, return_counts=True)
    if declared is None:
        order = [word for _, word in sorted(zip(-sizes, found.tolist(), strict=True))]
    else:
        order = [word for word in declared if word in found] + sorted(set(found.tolist()) - set(declared))
    return {f"{name}: {word}": (words == word).astype(np.float64) for word in order[1:]}


def independent(matrix: pd.DataFrame) -> bool:
    """Whether no column is a combination of an intercept and the others."""
    wide = np.column_stack([np.ones(len(matrix)), matrix])
    scaled = wide / np.maximum(np.linalg.norm(wide, axis=0), 1e-300)
    return np.linalg.matrix_rank(scaled, tol=RANK_TOLERANCE) == wide.shape[1]


def independent_columns(matrix: pd.DataFrame) -> list[str]:
    """Names of columns that are not a combination of an intercept and the columns before them."""
    kept: list[str] = []
    basis = np.ones((len(matrix), 1))
    for name in matrix:
        wider = np.column_stack([basis, matrix[name]])
        scaled = wider / np.maximum(np.linalg.norm(wider, axis=0), 1e-300)
        if np.linalg.matrix_rank(scaled, tol=RANK_TOLERANCE) == wider.shape[1]:
            kept.append(name)
            basis = wider
    return kept
