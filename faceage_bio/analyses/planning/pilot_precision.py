"""What pilot rows tell of a larger study: how wide its confidence intervals would be, from samples with
replacement, and which events a trial saves by adjusting for a prognostic score.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import ceil

import numpy as np
import pandas as pd

from faceage_bio.analyses.planning.cohort_study import Said, plan_table
from faceage_bio.core.columns import AGE_ACCELERATION, ENTRY, EVENT, FACE_AGE, FOLLOWUP
from faceage_bio.core.errors import FitError, RunError
from faceage_bio.stats.concordance import concordance
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_fit import nelson_aalen
from faceage_bio.stats.linear import NORMAL_975, constant
from faceage_bio.stats.minimum_sizes import EVENTS_OF_PILOT

AGE_ECOG_STAGE = ("chronological_age", "ecog", "stage")  # what a trial knows of its patients anyway
MULTIPLES = (1, 2, 4)  # of the pilot's size, at which the interval's width is simulated
C_INDEX, DIFFERENCE, HAZARD_RATIO = "c-index", "difference", "hazard-ratio"
FOLDS = 10


def usable_rows(pilot: pd.DataFrame, columns: Sequence[str], source: str) -> pd.DataFrame:
    """The rows in which follow-up and these columns are known.

    Raises
    ------
    RunError
        A column lacks, delayed entry, fewer than 10 events, or face ages that do not differ.
    """
    filled = [name for name in pilot if pilot[name].notna().any()]
    if missing := [name for name in columns if name not in filled]:
        raise RunError(
            f"{source}: no value in {', '.join(missing)}. Expected the columns of the score; it has {', '.join(map(str, filled))}. Name others."
        )
    if ENTRY in pilot and (pilot[ENTRY].fillna(0) > 0).any():
        raise RunError(
            f"{source}: {ENTRY} is above 0 in {int((pilot[ENTRY] > 0).sum())} rows. Expected follow-up from the photo. Use survival.time_zero: photo."
        )
    rows = pilot[[FOLLOWUP, EVENT, *dict.fromkeys(columns)]].dropna().reset_index(drop=True)
    rows = rows[rows[FOLLOWUP] > 0].reset_index(drop=True)
    if (events := int(rows[EVENT].sum())) < EVENTS_OF_PILOT:
        raise RunError(
            f"{source}: {events} events in {len(rows)} complete rows of {len(pilot)}. Expected {EVENTS_OF_PILOT} or more, since fewer say next to nothing. "
            "Use published values in place of the pilot."
        )
    same = [
        name
        for name in columns
        if name in (FACE_AGE, AGE_ACCELERATION) and constant(rows[name].to_numpy(float))
    ]
    if same:
        raise RunError(
            f"{source}: one value of {' and '.join(same)} in all {len(rows)} complete rows. Expected those of a model that saw the photos. Look at the columns."
        )
    return rows


def pilot_gain(
    pilot: pd.DataFrame, base: Sequence[str], source: str, repeats: int
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """A pilot's rows, what face age adds to a prognostic score of what a trial knows anyway (`prognostic_gain`), and the columns of that.

    Parameters
    ----------
    base : none for those of age, ECOG and stage that it has
    """
    known = list(base) or [name for name in AGE_ECOG_STAGE if name in pilot and pilot[name].notna().any()]
    rows = usable_rows(pilot, [*known, FACE_AGE, AGE_ACCELERATION], source)
    scores = {"base": known, "face age added": [*known, FACE_AGE]}
    return rows, prognostic_gain(rows, scores, repeats=repeats), known


def design_matrix(rows: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Numbers as they are and words as indicators of their levels, shape (n, p), without an intercept and
    without what does not vary.
    """
    parts = [
        pd.get_dummies(rows[name], drop_first=True) if rows[name].dtype == object else rows[[name]]
        for name in columns
    ]
    matrix = pd.concat(parts, axis=1).to_numpy(dtype=float) if parts else np.empty((len(rows), 0))
    return matrix[:, [not constant(column) for column in matrix.T]]


def precision_plan(
    rows: pd.DataFrame,
    measure: str,
    columns: Sequence[str],
    target: float,
    *,
    lower_end: bool,
    per: float,
    repeats: int,
    seed: int,
) -> pd.DataFrame:
    """A plan: participants for a 95% CI whose width, or expected lower end (``lower_end``), is ``target``.

    Other parameters as `interval_widths`.
    """
    widths = interval_widths(rows, measure, columns, per=per, repeats=repeats, seed=seed)
    width, remarks = target, []
    if lower_end:
        width = width_above(widths, target, measure)
        remarks = [
            f"The expected lower end of the 95% CI is {target:g}: in about half of such studies it is below. For more assurance give a higher --above."
        ]
    n = participants_for_width(widths, width, measure)
    name = {
        C_INDEX: "C-index",
        DIFFERENCE: "difference of the C-index",
        HAZARD_RATIO: f"hazard ratio per {per:g} years",
    }[measure]
    events = rows[EVENT].sum()
    wide = "ratio of the ends of the 95% CI" if measure == HAZARD_RATIO else "width of the 95% CI"
    assumptions = [
        ("pilot rows", len(rows), "participants"),
        ("pilot events", events, "events"),
        (f"{name} in the samples", widths["estimate"].iloc[-1], ""),
        (f"wished {wide}", width, ""),
    ]
    results = [("participants", n, "participants"), ("events", round(n * events / len(rows)), "events")]
    curve = (wide, list(zip(widths["n"], widths["width"], strict=True)), "participants")
    needed = f"{n:,} participants with about {n * events / len(rows):,.0f} events"
    ends = (
        f"whose upper end is {width:.3g} times its lower end"
        if measure == HAZARD_RATIO
        else f"of width {width:.3g}"
    )
    answer = f"{needed} give a 95% CI {ends} for the {name} (pilot: {len(rows)} with {events:.0f})."
    return plan_table("precision", answer, assumptions, results, [curve], remarks=remarks)


def interval_widths(
    rows: pd.DataFrame,
    measure: str,
    columns: Sequence[str],
    *,
    per: float = 10.0,
    repeats: int,
    seed: int = 1,
) -> pd.DataFrame:
    """Width of the 95% CI of a measure by number of participants.

    Parameters
    ----------
    rows : of `usable_rows`
    measure : "c-index"
        Harrell's C of the Cox model of face age and ``columns``, as fitted to the pilot; "difference": of C
        with and without face age; "hazard-ratio": of face age per ``per`` years in that model, fitted anew to
        each sample, as upper end over lower end.
    repeats : samples of each size

    Returns
    -------
    DataFrame
        n, estimate (mean over the samples), width.
    """
    random = np.random.default_rng(seed)
    years, event = rows[FOLLOWUP], rows[EVENT]
    others = pd.DataFrame(design_matrix(rows, columns)).add_prefix("x")
    design = pd.concat([rows[FACE_AGE] / per, others], axis=1)
    models = [design, others] if measure == DIFFERENCE else [design]
    scores = np.column_stack(
        [
            model.to_numpy() @ fit_cox(years, event, model).terms["log_hazard_ratio"].to_numpy()
            for model in models
        ]
    )

    def once(n: int) -> float:
        chosen = random.integers(0, len(rows), n)
        time, died = years.to_numpy()[chosen], event.to_numpy()[chosen]
        if measure == HAZARD_RATIO:
            drawn = design.iloc[chosen].reset_index(drop=True)
            return float(fit_cox(pd.Series(time), pd.Series(died), drawn).terms["log_hazard_ratio"].iloc[0])
        values = concordance(time, died, scores[chosen]).value
        return float(values[0] - values[1]) if measure == DIFFERENCE else float(values[0])

    found = []
    for n in (int(len(rows) * factor) for factor in MULTIPLES):
        drawn = []
        for _ in range(repeats):
            with suppress(FitError):  # a sample in which, say, no participant of a group died
                drawn.append(once(n))
        if len(drawn) < repeats / 2:
            continue
        both = np.array([np.mean(drawn), 2 * NORMAL_975 * np.std(drawn, ddof=1)])
        found.append((n, *(np.exp(both) if measure == HAZARD_RATIO else both)))
    return pd.DataFrame(found, columns=["n", "estimate", "width"])


def width_above(widths: pd.DataFrame, value: float, measure: str) -> float:
    """Width of an interval around the pilot's estimate whose lower end is at a value.

    Raises
    ------
    RunError
        The estimate is not above the value.
    """
    estimate = float(widths["estimate"].iloc[-1]) if len(widths) else np.nan
    if not estimate > value:
        raise RunError(
            f"--above {value:g}: the pilot's estimate is {estimate:.3f}. Expected less, since no number of participants lifts an interval above it. Give a lower value."
        )
    return (estimate / value) ** 2 if measure == HAZARD_RATIO else 2 * (estimate - value)


def participants_for_width(widths: pd.DataFrame, width: float, measure: str) -> int:
    """Participants at which the interval is as narrow as wished: the simulated spread falls with the root of
    n.

    Raises
    ------
    RunError
        A width that no interval has.
    """
    ratio = measure == HAZARD_RATIO
    if not (width > 1 if ratio else 0 < width < 1):
        expected = "above 1, the upper end over the lower one" if ratio else "above 0 and below 1"
        raise RunError(f"--width {width:g}: expected {expected}. Give for example {1.5 if ratio else 0.1}.")
    if not len(widths):
        raise RunError(
            "the pilot: no model could be fitted to half of its samples. Expected more events. Name fewer columns."
        )
    spread = np.log(widths["width"]) if ratio else widths["width"]
    constant = float((spread * np.sqrt(widths["n"])).mean())
    return ceil((constant / (np.log(width) if ratio else width)) ** 2)


def prognostic_gain(rows: pd.DataFrame, scores: Mapping[str, Sequence[str]], *, repeats: int) -> pd.DataFrame:
    """Squared correlation of out-of-fold scores with the martingale residuals: the share of events that
    adjustment saves.

    The variance of the covariate-adjusted log-rank score is smaller by this share (Ye, Shao and Yi 2024,
    doi:10.1093/biomet/asad045; R's RobinCar). A score is the least-squares regression of the residuals of the
    null model on its columns; each participant's comes from the other nine folds, so that a score that tells
    nothing saves nothing.

    Parameters
    ----------
    rows : of `usable_rows`
    scores : columns of each score by its name; the increment is that over the first
    repeats : bootstrap samples of participants for the percentile intervals; copies of one stay in one fold

    Returns
    -------
    DataFrame
        score, saving, ci_lower, ci_upper, increment, increment_lower, increment_upper: shares from 0 to 1.
    """
    random = np.random.default_rng(1)
    years, event = rows[FOLLOWUP].to_numpy(dtype=float), rows[EVENT].to_numpy(dtype=float)
    matrices = [design_matrix(rows, columns) for columns in scores.values()]
    fold = random.permutation(np.arange(len(rows)) % FOLDS)

    def savings(chosen: np.ndarray) -> np.ndarray:
        residual = event[chosen] - nelson_aalen(years[chosen], event[chosen])
        return np.array([_saving(matrix[chosen], residual, fold[chosen]) for matrix in matrices])

    found = savings(np.arange(len(rows)))
    drawn = np.array([savings(random.integers(0, len(rows), len(rows))) for _ in range(repeats)])
    table = pd.DataFrame({"score": list(scores), "saving": found, "increment": found - found[0]})
    table["ci_lower"], table["ci_upper"] = np.nanpercentile(drawn, [2.5, 97.5], axis=0)
    increments = np.nanpercentile(drawn - drawn[:, :1], [2.5, 97.5], axis=0)
    table["increment_lower"], table["increment_upper"] = increments
    return table


def gain_rows(found: pd.DataFrame, known: Sequence[str], n: int) -> list[Said]:
    """The savings as results of a plan: with the base alone, with face age, and the increment, each with its
    95% CI.
    """
    base = ", ".join(name.replace("_", " ") for name in known) or "nothing"
    ends = ("", ", 95% CI from", ", 95% CI to")

    def of(name: str, row: pd.Series, columns: Sequence[str], unit: str) -> list[Said]:
        return [(f"{name}{end}", float(row[column]), unit) for end, column in zip(ends, columns, strict=True)]

    saving, unit = ("saving", "ci_lower", "ci_upper"), f"of the events; {n} pilot rows"
    increment = ("increment", "increment_lower", "increment_upper")
    return [
        *of(f"saving by {base}", found.iloc[0], saving, unit),
        *of(f"saving by {base} and face age", found.iloc[1], saving, unit),
        *of("increment by face age", found.iloc[1], increment, "of the events"),
    ]


def _saving(matrix: np.ndarray, residual: np.ndarray, fold: np.ndarray) -> float:
    score = np.zeros(len(residual))
    for one in np.unique(fold):
        own = fold == one
        design = np.column_stack([np.ones((~own).sum()), matrix[~own]])
        weights = np.linalg.lstsq(design, residual[~own], rcond=None)[0]
        score[own] = weights[0] + matrix[own] @ weights[1:]
    # the mean of the other folds alone correlates negatively with what is left out: that is no prediction
    if matrix.shape[1] == 0 or score.std() == 0:
        return 0.0
    return float(max(np.corrcoef(score, residual)[0, 1], 0) ** 2)
