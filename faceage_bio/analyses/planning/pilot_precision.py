"""How wide confidence intervals would be in a larger study: samples with replacement from pilot rows."""

from collections.abc import Sequence
from math import ceil

import numpy as np
import pandas as pd

from faceage_bio.analyses.planning.pilot import design_matrix
from faceage_bio.core.columns import EVENT, FACE_AGE, FOLLOWUP
from faceage_bio.core.errors import FitError, RunError
from faceage_bio.stats.concordance import concordance
from faceage_bio.stats.cox import fit_cox

Z = 1.959963984540054
MULTIPLES = (1, 2, 4)  # of the pilot's size, at which the interval's width is simulated
C_INDEX, DIFFERENCE, HAZARD_RATIO = "c-index", "difference", "hazard-ratio"


def interval_widths(
    rows: pd.DataFrame,
    measure: str,
    columns: Sequence[str],
    *,
    per: float = 10.0,
    repeats: int = 200,
    seed: int = 1,
) -> pd.DataFrame:
    """Width of the 95% CI of a measure by number of participants.

    Parameters
    ----------
    rows : of `pilot.usable_rows`
    measure : "c-index"
        Harrell's C of the Cox model of face age and ``columns``, as fitted to the pilot; "difference": of C with and without face age;
        "hazard-ratio": of face age per ``per`` years in that model, fitted anew to each sample, as upper end over lower end.
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
    scores = [design.to_numpy() @ fit_cox(years, event, design).terms["log_hazard_ratio"].to_numpy()]
    if measure == DIFFERENCE:
        scores.append(others.to_numpy() @ fit_cox(years, event, others).terms["log_hazard_ratio"].to_numpy())
    scores = np.column_stack(scores)

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
            try:
                drawn.append(once(n))
            except FitError:  # a sample in which, say, no participant of a group died
                continue
        if len(drawn) < repeats / 2:
            continue
        spread = 2 * Z * np.std(drawn, ddof=1)
        wide = np.exp(spread) if measure == HAZARD_RATIO else spread
        middle = np.exp(np.mean(drawn)) if measure == HAZARD_RATIO else np.mean(drawn)
        found.append({"n": n, "estimate": middle, "width": wide})
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
    """Participants at which the interval is as narrow as wished: the simulated spread falls with the root of n.

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
