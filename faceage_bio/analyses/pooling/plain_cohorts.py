"""A plain table with one row per cohort, as the command line takes it: checked, all problems told at once."""

import difflib
import re
from collections.abc import Sequence
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
    NORMAL_975,
    check_once,
    differing,
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

NUMBERS = ("estimate", "ci_lower", "ci_upper", "standard_error", "n", "n_events")
INTERNAL = ("scale", "y", "se", "genes", "same")  # columns that pooling adds
SOURCE_OF = ("participants", "controls")  # columns that name where a cohort has them from
# columns of words
WORDS = (
    COHORT,
    *(name for name in (*IDENTITY, *COMPARABLE) if name != "measure"),
    "covariates",
    "model",
    *SOURCE_OF,
)
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
    "hazard ratio",
    "odds ratio",
    "risk ratio",
    "mean difference",
    "correlation",
    "Harrell's C",
    "AUC",
    "log2 fold change",
)
OFF_MIDDLE = 0.25  # standard errors by which an estimate may lie off the middle of its CI
LARGEST, LARGEST_MOVED = (
    1e12,
    25.0,
)  # of a fit that converged: as it is; on a log, logit or z scale (a ratio of 7e10)
SMALLEST_ERROR = 1e-12
SMALLER = re.compile(r"<\s*(\d*\.?\d+(?:[eE][+-]?\d+)?)")


def read_cohorts(
    path: Path | str, measure: str, *, reference_cohorts: Sequence[str] = (), overlapping: Sequence[Sequence[str]] = (), moderators: Sequence[str] = ()
) -> pd.DataFrame:  # fmt: skip
    """Estimates of cohorts from a plain table.

    Parameters
    ----------
    path : TSV or CSV
        cohort; estimate with ci_lower and ci_upper (95% CI) as the measure is, or estimate and standard_error on the analysis scale
        (logarithms of ratios, logits of C and AUC, Fisher's z of correlations). Optional: p_value, n, n_events; unit, per, adjustment,
        covariates, definition, model_id, which cohorts must share; term, level, subgroup ... where there are several estimates;
        participants and controls, the source that a cohort has them from; numbers as moderators.
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
        A column lacks; a standard error that is not positive; a CI without its estimate or that does not hold it; a CI and a p-value or
        a standard error that disagree; one cohort; a cohort that stands twice; cohorts that share participants; units or definitions that differ.
    RunError
        A measure that is not known or cannot be pooled.
    """
    known = MEASURES.get(measure)
    if known is None or known.kind in (TEST, COUNT, EXTREME):
        able = [name for name, one in MEASURES.items() if one.kind not in (TEST, COUNT, EXTREME)]
        near = difflib.get_close_matches(measure.lower(), able, n=3)
        raise RunError(
            f"--measure is {measure!r}; expected what estimates are called in result tables. Write for example {', '.join(near or USUAL)}."
        )
    taken = {*columns_of("meta_analysis/estimates"), *WORDS, *INTERNAL} - {"n", "n_events"}
    if reserved := [name for name in moderators if name in taken]:
        raise RunError(
            f"--moderator {', '.join(reserved)}: a column of result tables. Expected a column of numbers with a name of its own, or n or n_events. Name it otherwise."
        )
    moderators = list(dict.fromkeys(moderators))
    source, problems = str(path), Problems(plain=True)
    read = read_user_table(
        path,
        ESTIMATES.add_columns({name: column(NUMBER) for name in moderators if name not in NUMBERS}),
        problems,
    )
    if read is None:
        problems.stop_if_any()
    # digits as typed tell how a number was rounded
    table = read.cells.apply(lambda cells: cells if cells.name in WORDS else cells.str.replace(",", "."))
    if absent := [name for name in (COHORT, "estimate", *moderators) if name not in table]:
        problems.other(
            f"{source}: the table has no column {', '.join(map(repr, absent))}; it has {', '.join(table.columns)}. Expected cohort and "
            "estimate, with ci_lower and ci_upper or standard_error. Name the columns so."
        )
        problems.stop_if_any()
    table = table[~table[COHORT].isin(reference_cohorts)]
    rows = (
        read.values.loc[table.index]
        .reindex(columns=list(dict.fromkeys([*NUMBERS, *moderators])))
        .astype("float64")
    )
    rows = rows.replace([np.inf, -np.inf], np.nan)  # which are told
    rows = rows.join(table[[name for name in WORDS if name in table]])
    rows["measure"] = measure
    for line in rows.index[rows[COHORT] == ""]:
        problems.cell(
            source, line, COHORT, None, "Expected the cohort's name. Write it, or leave the row out."
        )
    for line in rows.index[rows[COHORT] == POOLED]:
        problems.cell(
            source,
            line,
            COHORT,
            POOLED,
            "The pooled row is called so. Expected a cohort. Name it otherwise, or leave the row out.",
        )
    _check_numbers(rows, table, known.pooling_scale, source, problems)
    problems.stop_if_any()
    null = null_on_scale(measure)
    rows = _with_intervals(rows, known.pooling_scale, null)
    if not np.isnan(null):
        _check_p_values(rows, table, known.pooling_scale, null, source, problems)
    _check_cohorts(rows, source, overlapping, problems)
    problems.stop_if_any()
    blank = [name for name in columns_of("meta_analysis/estimates") if name not in rows]
    told = {
        "source": "",
        "analysis": "",
        "status": OK,
        "reason": "",
        "unit": rows.get("unit", ""),
    }
    scaled = {
        "scale": known.pooling_scale,
        "y": on_scale(rows["estimate"], known.pooling_scale),
        "se": rows["standard_error"],
    }
    return check_once(
        rows.assign(**dict.fromkeys(blank, np.nan))
        .assign(**told, **scaled, genes=False)
        .reset_index(drop=True)
    )


def _check_numbers(
    rows: pd.DataFrame, table: pd.DataFrame, scale: str, source: str, problems: Problems
) -> None:
    """Each row by itself: a positive error, or a CI with its estimate inside."""
    has_interval = rows[["ci_lower", "ci_upper"]].notna().all(axis=1)
    half = rows[["ci_lower", "ci_upper"]].notna().any(axis=1) & ~has_interval
    low, high = LIMITS.get(scale, (-np.inf, np.inf))

    def tell(bad: pd.Series, column: str, advice: str) -> None:
        for line in rows.index[bad]:
            problems.cell(source, line, column, table[column][line] or None, advice)

    lacks = rows["estimate"].isna() & table["estimate"].str.lower().isin(parse.MISSING)
    tell(
        lacks & has_interval, "estimate", "Expected the estimate of this CI. Write it, or leave the row out."
    )
    tell(lacks & ~has_interval, "estimate", "Expected a number. Write it, or leave the row out.")
    if "ci_lower" in table and "ci_upper" in table:
        tell(half, "ci_lower", "Expected both ends of the CI. Write both, or leave the row out.")
        outside = has_interval & (
            (rows["estimate"] < rows["ci_lower"]) | (rows["estimate"] > rows["ci_upper"])
        )
        tell(
            outside,
            "estimate",
            "Expected an estimate within its CI. Check the three numbers; the ends may be swapped.",
        )
        beyond = has_interval & ((rows["ci_lower"] <= low) | (rows["ci_upper"] >= high))
        tell(
            beyond,
            "ci_lower",
            f"Expected a CI within {low:g} and {high:g}. Write the CI of the measure, not of its logarithm or logit.",
        )
        tell(
            has_interval & (rows["ci_lower"] == rows["ci_upper"]),
            "ci_lower",
            "Expected a CI with a length. Write more digits.",
        )
        natural = has_interval & ~outside & ~beyond
        middle = (on_scale(rows["ci_lower"], scale) + on_scale(rows["ci_upper"], scale)) / 2
        error = (on_scale(rows["ci_upper"], scale) - on_scale(rows["ci_lower"], scale)) / (2 * NORMAL_975)
        slack = sum(_rounding(table, rows, name, scale) for name in ("estimate", "ci_lower", "ci_upper"))
        off = np.abs(on_scale(rows["estimate"], scale) - middle) > OFF_MIDDLE * error + slack
        if scale != "fisher z":
            tell(
                natural & off,
                "estimate",
                f"Expected an estimate in the middle of its CI on the {_scale_words(scale)}. Check the three numbers.",
            )
        if "standard_error" in table:
            slack = sum(_rounding(table, rows, name, scale) for name in ("ci_lower", "ci_upper"))
            slack = slack / (2 * NORMAL_975) + _half_units(table, "standard_error")
            error = pd.Series(error, index=rows.index)
            apart = (rows["standard_error"] - error).abs() > TOLERANCE * error + slack
            for line in rows.index[natural & apart]:
                problems.cell(
                    source, line, "standard_error", table["standard_error"][line],
                    f"Its CI gives a standard error of {error[line]:.3g} on the {_scale_words(scale)}. Expected both to agree within 5%. "
                    "Correct one of them, or leave one out.",
                )  # fmt: skip
    wanted = ~has_interval & ~half & rows["estimate"].notna()
    if "standard_error" in table:
        tell(
            wanted & parse.is_missing(table["standard_error"]),
            "standard_error",
            "Expected a CI or a standard error. Write one of them, or leave the row out.",
        )
    elif wanted.any():
        tell(
            wanted,
            "estimate",
            "Expected its CI (ci_lower, ci_upper) or its standard_error. Add them, or leave the row out.",
        )
    most = LARGEST if scale == AS_IT_IS else LARGEST_MOVED
    y = np.where(has_interval, on_scale(rows["estimate"], scale), rows["estimate"])
    width = on_scale(rows["ci_upper"], scale) - on_scale(rows["ci_lower"], scale)
    error = np.where(has_interval, width / (2 * NORMAL_975), rows["standard_error"])
    extreme = (np.abs(y) > most) | (error > most) | ((error > 0) & (error < SMALLEST_ERROR))
    tell(
        rows["estimate"].notna() & extreme,
        "estimate",
        f"Expected an estimate up to {most:g} and a standard error of {SMALLEST_ERROR:g} to {most:g} on the {_scale_words(scale)}; a model "
        "that did not converge gives others. Check the numbers, or leave the row out.",
    )


def _scale_words(scale: str) -> str:
    return "scale of the measure" if scale == AS_IT_IS else f"{scale} scale"


def _rounding(table: pd.DataFrame, rows: pd.DataFrame, name: str, scale: str) -> pd.Series:
    """By how much the rounding of a printed number may have moved it on the scale."""
    unit, values = _half_units(table, name).to_numpy(), rows[name].to_numpy(dtype=float)
    moved = np.abs(on_scale(values + unit, scale) - on_scale(values, scale))
    return pd.Series(np.nan_to_num(moved), index=table.index)


def _typed(table: pd.DataFrame, name: str) -> pd.Series:
    return ~parse.is_missing(table[name]) if name in table else pd.Series(False, index=table.index)


def _half_units(table: pd.DataFrame, name: str) -> pd.Series:
    return table[name].map(_half_unit) if name in table else pd.Series(0.0, index=table.index)


def _half_unit(cell: str) -> float:
    """Half a unit of the last digit of a number as typed."""
    mantissa, _, power = cell.lower().lstrip("+-").partition("e")
    decimals = len(mantissa.partition(".")[2])
    try:
        return 0.5 * 10.0 ** (int(power or 0) - decimals)
    except ValueError:
        return 0.0


def _with_intervals(rows: pd.DataFrame, scale: str, null: float) -> pd.DataFrame:
    """All rows with estimate and CI as the measure is, the standard error on the scale, and the test against ``null`` there."""
    lower, upper = on_scale(rows["ci_lower"], scale), on_scale(rows["ci_upper"], scale)
    natural = np.isfinite(lower) & np.isfinite(upper)
    error = np.where(natural, (upper - lower) / (2 * NORMAL_975), rows["standard_error"])
    y = rows["estimate"].where(~natural, on_scale(rows["estimate"], scale)).to_numpy(dtype=float)
    statistic = (y - null) / error
    ends = {"estimate": y, "ci_lower": y - NORMAL_975 * error, "ci_upper": y + NORMAL_975 * error}
    told = {name: np.where(natural, rows[name], on_scale(value, scale, BACK)) for name, value in ends.items()}
    return rows.assign(
        **told, standard_error=error, statistic=statistic, p_value=2 * norm.sf(np.abs(statistic))
    )


def _check_p_values(
    rows: pd.DataFrame, table: pd.DataFrame, scale: str, null: float, source: str, problems: Problems
) -> None:
    """A p-value that another standard error than the CI's would give, by more than 5 % and more than rounding."""
    if "p_value" not in table:
        return
    natural = _typed(table, "ci_lower") & _typed(table, "ci_upper")
    ends = sum(_rounding(table, rows, name, scale) for name in ("ci_lower", "ci_upper") if name in table)
    slack = (ends / (2 * NORMAL_975)) * natural + (_half_units(table, "standard_error") * ~natural)
    moved = _rounding(table, rows, "estimate", scale) * natural + _half_units(table, "estimate") * ~natural
    for line, cell in table["p_value"].items():
        told = _p_range(cell)
        if told is None:
            if cell.lower() not in parse.MISSING:
                problems.cell(
                    source,
                    line,
                    "p_value",
                    cell,
                    "Expected a number from 0 to 1, or < and a number. Write the p-value.",
                )
            continue
        error, y = (
            rows["standard_error"][line],
            float(on_scale(rows.loc[[line], "estimate"], scale)[0]) - null,
        )
        least = max(abs(y) - moved[line], 0) / (error + slack[line]) / (1 + TOLERANCE)
        most = (abs(y) + moved[line]) / max(error - slack[line], 1e-12) * (1 + TOLERANCE)
        low, high = norm.isf(told[1] / 2), norm.isf(told[0] / 2)
        if low > most or high < least:
            problems.cell(
                source, line, "p_value", cell,
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
