"""Concordance and areas under ROC curves of several resamples of the same participants at once.

A resample is a row of counts: how often each person was drawn. Comparing every two participants once serves all resamples, so that
a thousand of them cost a matrix product. `concordance` and `censored_auc` give one sample's values with their errors in n log n
steps, for hundreds of thousands of participants; here the values alone of many samples of hundreds of participants are wanted.
"""

import numpy as np

BLOCK = 2048  # people compared at a time with all others
DIGITS = 8  # times closer than this are ties, as R's timefix takes them


def draw_counts(n: int, resamples: int, seed: int) -> np.ndarray:
    """How often each of ``n`` participants is drawn in each bootstrap resample; float array, shape (resamples, n)."""
    random = np.random.default_rng(seed)
    return random.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64)


def concordances(
    years: np.ndarray,
    event: np.ndarray,
    risk: np.ndarray,
    counts: np.ndarray,
    entry: np.ndarray | None = None,
) -> np.ndarray:
    """Harrell's concordance of a risk with survival in each resample, as R's ``concordance``.

    Of pairs in which one is known to have died first, the share in which that one had the higher risk; equal risks count one
    half, equal times of death not at all.

    Parameters
    ----------
    years, event, risk : float arrays, shape (n,)
    counts : float array, shape (resamples, n)
        Ones give the participants themselves.
    entry : float array, shape (n,), optional
        Start of observation; a pair is compared if the other was under observation before the first one's death.

    Returns
    -------
    float array, shape (resamples,); NaN where no pair can be compared
    """
    years, event, risk = _arrays(years, event, risk)
    entry = (
        np.full(len(years), -np.inf)
        if entry is None
        else np.round(np.asarray(entry, dtype=np.float64), DIGITS)
    )
    died = np.flatnonzero(event == 1)
    won, compared = np.zeros(len(counts)), np.zeros(len(counts))
    for start in range(0, len(died), BLOCK):
        first = died[start : start + BLOCK]
        time = years[first, None]
        later = ((years > time) | ((years == time) & (event == 0))) & (entry < time)
        wins = (risk[first, None] > risk) + 0.5 * (risk[first, None] == risk)
        drawn = counts[:, first]
        won += (drawn * (counts @ (later * wins).T)).sum(axis=1)
        compared += (drawn * (counts @ later.T.astype(np.float64))).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return won / compared


def areas(
    years: np.ndarray, event: np.ndarray, risk: np.ndarray, horizon: float, counts: np.ndarray
) -> np.ndarray:
    """Area under the ROC curve for death by a horizon in each resample, weighted for censoring; see `censored_areas`.

    Cases are weighted by one over the Kaplan-Meier curve of censoring just before their death, which is estimated anew in each
    resample. Who is censored at the horizon itself is alive at it.

    Returns
    -------
    float array, shape (resamples,); NaN where a resample has no death by the horizon or no participant alive at it
    """
    years, event, risk = _arrays(years, event, risk)
    case = (event == 1) & (years <= horizon)
    control = ~case & (years >= horizon)
    weight = counts[:, case] / _uncensored(years, event, years[case], horizon, counts)
    alive = counts[:, control]
    won = np.zeros(len(counts))
    for start in range(0, int(case.sum()), BLOCK):
        part = slice(start, start + BLOCK)
        mine = risk[case][part, None]
        wins = (mine > risk[control]) + 0.5 * (mine == risk[control])
        won += ((weight[:, part] @ wins) * alive).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return won / (weight.sum(axis=1) * alive.sum(axis=1))


def _uncensored(
    years: np.ndarray, event: np.ndarray, at: np.ndarray, horizon: float, counts: np.ndarray
) -> np.ndarray:
    """The curve of censoring just before each time of ``at``, shape (resamples, len(at)); deaths come before losses."""
    times = np.unique(years[(event == 0) & (years < horizon)])
    lost = counts @ ((years[:, None] == times) & (event[:, None] == 0)).astype(np.float64)
    at_risk = counts @ (
        (years[:, None] > times) | ((years[:, None] == times) & (event[:, None] == 0))
    ).astype(np.float64)
    free = np.cumprod(1 - lost / np.maximum(at_risk, 1.0), axis=1)
    free = np.column_stack([np.ones(len(counts)), free])
    curve = free[:, np.searchsorted(times, at, side="left")]
    return np.maximum(curve, np.finfo(float).tiny)  # nobody drawn is beyond it, so its weight counts nobody


def _arrays(
    years: np.ndarray, event: np.ndarray, risk: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    years = np.round(np.asarray(years, dtype=np.float64), DIGITS)
    return years, np.asarray(event, dtype=np.float64), np.asarray(risk, dtype=np.float64)


def percentile_interval(values: np.ndarray) -> tuple[float, float]:
    """The 2.5 and 97.5% points of a bootstrap distribution; NaN values are left out."""
    known = values[np.isfinite(values)]
    return (
        (float(np.quantile(known, 0.025)), float(np.quantile(known, 0.975)))
        if len(known)
        else (np.nan, np.nan)
    )
