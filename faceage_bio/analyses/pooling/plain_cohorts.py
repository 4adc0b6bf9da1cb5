"""A plain table with one row per cohort, as the command line takes it: checked, all problems told at once."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa
from scipy.stats import norm

from faceage_bio.analyses.pooling.headlines import (
    AS_IT_IS,
    BACK,
    COMPARABLE,
    IDENTITY,
    LIMITS,
    check_once,
    differing,
    error_of_interval,
    identity,
    null_on_scale,
    on_scale,
)
from faceage_bio.core import parse
from faceage_bio.core.columns import COHORT, POOLED
from faceage_bio.core.errors import DOUBLED, Problems, RunError, examples
from faceage_bio.core.results.measures import COUNT, EXTREME, MEASURES, TEST
from faceage_bio.core.results.reasons import OK
from faceage_bio.core.results.row import columns_of
from faceage_bio.intake.schemas import NUMBER, TEXT, column, read_user_table
from faceage_bio.stats.linear import NORMAL_975

NUMBERS = ("estimate", "ci_lower", "ci_upper", "standard_error", "n", "n_events")
INTERNAL = ("scale", "y", "se", "genes", "same")  # columns that pooling adds
SOURCE_OF = ("participants", "controls")  # columns that name where a cohort has them from
ABOUT = [name for name in (*IDENTITY, *COMPARABLE) if name != "measure"]
WORDS = (COHORT, *ABOUT, "covariates", "model", *SOURCE_OF)  # columns of words
_COUNT = pa.Check(
    lambda n: (n >= 0) & (n % 1 == 0),
    error="Expected a whole number of participants. Correct it, or leave the cell empty.",
)
ESTIMATES = pa.DataFrameSchema({
    **{name: column(TEXT) for name in (*WORDS, "p_value")},
    **{name: column(NUMBER) for name in ("estimate", "ci_lower", "ci_upper")},
    "standard_error": column(NUMBER, pa.Check.gt(0, error="Expected a positive number. Write the standard error, or leave the row out.")),
    "n": column(NUMBER, _COUNT), "n_events": column(NUMBER, _COUNT),
})  # fmt: skip
TOLERANCE = 0.05  # share of a standard error by which CI and p-value, or CI and standard error, may disagree
USUAL = (
    "hazard ratio", "odds ratio", "risk ratio", "mean difference", "correlation", "Harrell's C", "AUC", "log2 fold change",
)  # fmt: skip
OFF_MIDDLE = 0.25  # standard errors by which an estimate may lie off the middle of its CI
# of a fit that converged: as it is; on a log, logit or z scale (a ratio of 7e10)
LARGEST, LARGEST_MOVED = 1e12, 25.0
SMALLEST_ERROR = 1e-12
SMALLER = re.compile(r"<\s*(\d*\.?\d+(?:[eE][+-]?\d+)?)")


@dataclass(frozen=True)
class _Estimates:
    """The table as read: ``rows`` of numbers, their ``cells`` as typed, by line; the measure's scale, and
    where problems go.
    """

    rows: pd.DataFrame
    cells: pd.DataFrame
    scale: str
    source: str
    problems: Problems

    def tell(self, bad: pd.Series, column: str, advice: str) -> None:
        """Cells that are wrong."""
        for line in self.rows.index[bad]:
            self.problems.cell(self.source, line, column, self.cells[column][line] or None, advice)

    @property
    def has_interval(self) -> pd.Series:
        return self.rows[["ci_lower", "ci_upper"]].notna().all(axis=1)

    def on_scale(self, name: str) -> np.ndarray:
        return on_scale(self.rows[name], self.scale)

    def typed(self, name: str) -> pd.Series:
        """Where a cell holds something."""
        if name not in self.cells:
            return pd.Series(False, index=self.cells.index)
        return ~parse.is_missing(self.cells[name])

    @property
    def where(self) -> str:
        """The scale in words."""
        return "scale of the measure" if self.scale == AS_IT_IS else f"{self.scale} scale"

    def rounding(self, name: str) -> pd.Series:
        """By how much the rounding of a printed number may have moved it on the scale."""
        values = self.rows[name].to_numpy(dtype=float)
        moved = np.abs(on_scale(values + self.half_units(name), self.scale) - self.on_scale(name))
        return pd.Series(np.nan_to_num(moved), index=self.cells.index)

    def half_units(self, name: str) -> pd.Series:
        """Half a unit of the last digit of each number as typed."""
        if name not in self.cells:
            return pd.Series(0.0, index=self.cells.index)
        return self.cells[name].map(_half_unit)


def read_cohorts(
    path: Path | str,
    measure: str,
    *,
    reference_cohorts: Sequence[str] = (),
    overlapping: Sequence[Sequence[str]] = (),
    moderators: Sequence[str] = (),
) -> pd.DataFrame:
    """Estimates of cohorts from a plain table.

    Parameters
    ----------
    path : TSV or CSV
        cohort; estimate with ci_lower and ci_upper (95% CI) as the measure is, or estimate and standard_error
        on the analysis scale (logarithms of ratios, logits of C and AUC, Fisher's z of correlations).
        Optional: p_value, n, n_events; unit, per, adjustment, covariates, definition, model_id, which cohorts
        must share; term, level, subgroup ... where there are several estimates; participants and controls,
        the source that a cohort has them from; numbers as moderators.
    measure : a word of results/measures.py, such as "hazard ratio"
    reference_cohorts : rows that are left out
    overlapping : cohorts that may share participants, controls or numbers
    moderators : columns of numbers

    Returns
    -------
    DataFrame
        Rows as `estimates.pool_rows` takes them, and the moderators.

    Raises
    ------
    CohortError
        A column lacks; a standard error that is not positive; a CI without its estimate or that does not hold
        it; a CI and a p-value or a standard error that disagree; one cohort; a cohort that stands twice;
        cohorts that share participants; units or definitions that differ.
    RunError
        A measure that is not known or cannot be pooled.
    """
    scale = _scale_of(measure)
    taken = {*columns_of("meta_analysis/estimates"), *WORDS, *INTERNAL} - {"n", "n_events"}
    if reserved := [name for name in moderators if name in taken]:
        raise RunError(
            f"--moderator {', '.join(reserved)}: a column of result tables. Expected a column of numbers with a name of its own, or n or n_events. Name it otherwise."
        )
    found = _read(path, scale, reference_cohorts, list(dict.fromkeys(moderators)))
    rows, problems = found.rows.assign(measure=measure), found.problems
    found.tell(rows[COHORT] == "", COHORT, "Expected the cohort's name. Write it, or leave the row out.")
    found.tell(
        rows[COHORT] == POOLED,
        COHORT,
        "The pooled row is called so. Expected a cohort. Name it otherwise, or leave the row out.",
    )
    _check_numbers(found)
    problems.stop_if_any()
    null = null_on_scale(measure)
    rows = _with_intervals(rows, scale, null)
    if not np.isnan(null):
        _check_p_values(found, rows, null)
    _check_cohorts(rows, found.source, overlapping, problems)
    problems.stop_if_any()
    blank = [name for name in columns_of("meta_analysis/estimates") if name not in rows]
    made = dict.fromkeys(blank, np.nan) | dict.fromkeys(("source", "analysis", "reason"), "")
    made |= {"status": OK, "unit": rows.get("unit", ""), "genes": False}
    made |= {"scale": scale, "y": on_scale(rows["estimate"], scale), "se": rows["standard_error"]}
    return check_once(rows.assign(**made).reset_index(drop=True))


def _scale_of(measure: str) -> str:
    """The scale on which a measure is pooled; refuses one that is not known or cannot be pooled."""
    able = {name: one for name, one in MEASURES.items() if one.kind not in (TEST, COUNT, EXTREME)}
    if measure in able:
        return able[measure].pooling_scale
    near = difflib.get_close_matches(measure.lower(), able, n=3)
    raise RunError(
        f"--measure is {measure!r}; expected what estimates are called in result tables. Write for example {', '.join(near or USUAL)}."
    )


def _read(
    path: Path | str, scale: str, reference_cohorts: Sequence[str], moderators: Sequence[str]
) -> _Estimates:
    source, problems = str(path), Problems(plain=True)
    further = {name: column(NUMBER) for name in moderators if name not in NUMBERS}
    read = read_user_table(path, ESTIMATES.add_columns(further), problems)
    if read is None:
        problems.stop_if_any()
    # digits as typed tell how a number was rounded
    cells = read.cells.apply(lambda cells: cells if cells.name in WORDS else cells.str.replace(",", "."))
    if absent := [name for name in (COHORT, "estimate", *moderators) if name not in cells]:
        problems.other(
            f"{source}: the table has no column {', '.join(map(repr, absent))}; it has {', '.join(cells.columns)}. Expected cohort and "
            "estimate, with ci_lower and ci_upper or standard_error. Name the columns so."
        )
        problems.stop_if_any()
    cells = cells[~cells[COHORT].isin(reference_cohorts)]
    numbers = read.values.reindex(cells.index, columns=list(dict.fromkeys([*NUMBERS, *moderators])))
    rows = numbers.astype("float64").replace([np.inf, -np.inf], np.nan)  # which are told
    rows = rows.join(cells[[name for name in WORDS if name in cells]])
    return _Estimates(rows, cells, scale, source, problems)


def _check_numbers(found: _Estimates) -> None:
    """Each row by itself: a positive error, or a CI with its estimate inside."""
    rows, cells, tell = found.rows, found.cells, found.tell
    has_interval, estimated = found.has_interval, rows["estimate"].notna()
    half = rows[["ci_lower", "ci_upper"]].notna().any(axis=1) & ~has_interval
    lacks = ~estimated & cells["estimate"].str.lower().isin(parse.MISSING)
    tell(
        lacks & has_interval, "estimate", "Expected the estimate of this CI. Write it, or leave the row out."
    )
    tell(lacks & ~has_interval, "estimate", "Expected a number. Write it, or leave the row out.")
    if "ci_lower" in cells and "ci_upper" in cells:
        tell(half, "ci_lower", "Expected both ends of the CI. Write both, or leave the row out.")
        _check_intervals(found)
    wanted = ~has_interval & ~half & estimated
    if "standard_error" in cells:
        unknown = wanted & parse.is_missing(cells["standard_error"])
        advice = "Expected a CI or a standard error. Write one of them, or leave the row out."
        tell(unknown, "standard_error", advice)
    elif wanted.any():
        advice = "Expected its CI (ci_lower, ci_upper) or its standard_error. Add them, or leave the row out."
        tell(wanted, "estimate", advice)
    most = LARGEST if found.scale == AS_IT_IS else LARGEST_MOVED
    y = np.where(has_interval, found.on_scale("estimate"), rows["estimate"])
    error = np.where(has_interval, error_of_interval(rows, found.scale), rows["standard_error"])
    extreme = (np.abs(y) > most) | (error > most) | ((error > 0) & (error < SMALLEST_ERROR))
    tell(
        estimated & extreme,
        "estimate",
        f"Expected an estimate up to {most:g} and a standard error of {SMALLEST_ERROR:g} to {most:g} on the {found.where}; a model "
        "that did not converge gives others. Check the numbers, or leave the row out.",
    )


def _check_intervals(found: _Estimates) -> None:
    """CIs of a length, within the limits of the measure, with the estimate in their middle, that agree with
    the standard error.
    """
    rows, has_interval, tell = found.rows, found.has_interval, found.tell
    low, high = LIMITS.get(found.scale, (-np.inf, np.inf))
    outside = has_interval & ~rows["estimate"].between(rows["ci_lower"], rows["ci_upper"])
    outside &= rows["estimate"].notna()
    advice = "Expected an estimate within its CI. Check the three numbers; the ends may be swapped."
    tell(outside, "estimate", advice)
    beyond = has_interval & ((rows["ci_lower"] <= low) | (rows["ci_upper"] >= high))
    advice = f"Expected a CI within {low:g} and {high:g}. Write the CI of the measure, not of its logarithm or logit."
    tell(beyond, "ci_lower", advice)
    pointed = has_interval & (rows["ci_lower"] == rows["ci_upper"])
    tell(pointed, "ci_lower", "Expected a CI with a length. Write more digits.")
    natural = has_interval & ~outside & ~beyond
    ends = found.rounding("ci_lower") + found.rounding("ci_upper")
    error = pd.Series(error_of_interval(rows, found.scale), index=rows.index)
    if found.scale != "fisher z":
        middle = (found.on_scale("ci_lower") + found.on_scale("ci_upper")) / 2
        slack = found.rounding("estimate") + ends
        off = np.abs(found.on_scale("estimate") - middle) > OFF_MIDDLE * error + slack
        advice = (
            f"Expected an estimate in the middle of its CI on the {found.where}. Check the three numbers."
        )
        tell(natural & off, "estimate", advice)
    if "standard_error" in found.cells:
        slack = ends / (2 * NORMAL_975) + found.half_units("standard_error")
        apart = (rows["standard_error"] - error).abs() > TOLERANCE * error + slack
        for line in rows.index[natural & apart]:
            found.problems.cell(
                found.source, line, "standard_error", found.cells["standard_error"][line],
                f"Its CI gives a standard error of {error[line]:.3g} on the {found.where}. Expected both to agree within 5%. "
                "Correct one of them, or leave one out.",
            )  # fmt: skip


def _half_unit(cell: str) -> float:
    """Half a unit of the last digit of a number as typed."""
    mantissa, _, power = cell.lower().lstrip("+-").partition("e")
    decimals = len(mantissa.partition(".")[2])
    try:
        return 0.5 * 10.0 ** (int(power or 0) - decimals)
    except ValueError:
        return 0.0


def _with_intervals(rows: pd.DataFrame, scale: str, null: float) -> pd.DataFrame:
    """All rows with estimate and CI as the measure is, the standard error on the scale, and the test against
    ``null`` there.
    """
    of_interval = error_of_interval(rows, scale)
    natural = np.isfinite(of_interval)
    error = np.where(natural, of_interval, rows["standard_error"])
    y = rows["estimate"].where(~natural, on_scale(rows["estimate"], scale)).to_numpy(dtype=float)
    statistic = (y - null) / error
    ends = {"estimate": y, "ci_lower": y - NORMAL_975 * error, "ci_upper": y + NORMAL_975 * error}
    told = {name: np.where(natural, rows[name], on_scale(value, scale, BACK)) for name, value in ends.items()}
    return rows.assign(
        **told, standard_error=error, statistic=statistic, p_value=2 * norm.sf(np.abs(statistic))
    )


def _check_p_values(found: _Estimates, rows: pd.DataFrame, null: float) -> None:
    """A p-value that another standard error than the CI's would give, by more than 5% and more than rounding."""
    cells = found.cells
    if "p_value" not in cells:
        return
    natural = found.typed("ci_lower") & found.typed("ci_upper")
    ends = found.rounding("ci_lower") + found.rounding("ci_upper")
    slack = (ends / (2 * NORMAL_975)).where(natural, found.half_units("standard_error"))
    moved = found.rounding("estimate").where(natural, found.half_units("estimate"))
    distances = on_scale(rows["estimate"], found.scale) - null
    tell = partial(found.problems.cell, found.source)
    for (line, cell), y in zip(cells["p_value"].items(), np.abs(distances), strict=True):
        told = _p_range(cell)
        if told is None:
            if cell.lower() not in parse.MISSING:
                advice = "Expected a number from 0 to 1, or < and a number. Write the p-value."
                tell(line, "p_value", cell, advice)
            continue
        error = rows["standard_error"][line]
        least = max(y - moved[line], 0) / (error + slack[line]) / (1 + TOLERANCE)
        most = (y + moved[line]) / max(error - slack[line], 1e-12) * (1 + TOLERANCE)
        low, high = norm.isf(told[1] / 2), norm.isf(told[0] / 2)
        if low > most or high < least:
            tell(
                line, "p_value", cell,
                f"Its CI or standard error gives p = {rows['p_value'][line]:.2g}. Expected both to agree within 5% of the standard error. "
                "Look up estimate, CI and p again; a digit may be lost.",
            )  # fmt: skip


def _p_range(cell: str) -> tuple[float, float] | None:
    """What a p-value as typed may be; None if it is none."""
    if below := SMALLER.fullmatch(cell):
        return 0.0, float(below[1])
    try:
        p = float(cell)
    except ValueError:
        return None
    half = _half_unit(cell)
    return (max(p - half, 0.0), min(p + half, 1.0)) if 0 <= p <= 1 else None


def _declaration(names: Sequence[str]) -> str:
    return f"--set 'pooling.overlapping=[[{', '.join(names)}]]'"


def _check_cohorts(
    rows: pd.DataFrame, source: str, overlapping: Sequence[Sequence[str]], problems: Problems
) -> None:
    """Cohorts against each other: two or more, each once, of their own participants, of one quantity."""
    same = identity(rows)

    def declared(names: Sequence[str]) -> bool:
        return any(set(names) <= set(group) for group in overlapping)

    folded = rows.assign(same=same, **{COHORT: rows[COHORT].str.casefold()})
    for line in rows.index[folded.duplicated([COHORT, "same"])]:
        problems.cell(source, line, COHORT, rows.loc[line, COHORT], DOUBLED)
    if len(rows) and not same.duplicated().any():
        problems.other(
            f"{source}: of each estimate one cohort only ({examples(rows[COHORT].unique())}). Expected two cohorts or more. Add the others, or report the cohort as it is."
        )
    if not len(rows):
        problems.other(
            f"{source}: no cohort is left. Expected two or more besides the reference cohorts. Add them."
        )
    for _, group in rows.groupby(same):
        numbers = group.groupby(["estimate", "standard_error"])[COHORT].agg(list)
        for names in numbers[numbers.map(lambda one: len(set(one)) > 1)]:
            if not declared(names):
                problems.other(
                    f"{source}: {examples(names)} have the same estimate and CI in all digits. Expected cohorts of different participants. "
                    f"Keep one, or declare that they may overlap: {_declaration(names)}."
                )
        for origin in (name for name in SOURCE_OF if name in group):
            shared = group[group[origin] != ""].groupby(origin)[COHORT].agg(list)
            for word, names in shared[shared.map(len) > 1].items():
                if not declared(names):
                    problems.other(
                        f"{source}: {examples(names)} have {origin} of {word!r}. Expected cohorts that share none. Keep one, or declare it: "
                        f"{_declaration(names)}."
                    )
        for name, values in differing(group).items():
            told = [f"line {line}: {value!r}" for line, value in values.items()]
            problems.other(
                f"{source}: the cohorts differ in {name} ({examples(told)}). Expected one, since only estimates of the same quantity "
                "can be pooled. Write all for one unit and definition, or put them into tables of their own."
            )
