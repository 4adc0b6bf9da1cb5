"""Whether predicted risks come true and are of use where follow-up is censored: calibration, decision curves, optimism."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from faceage_bio.core.errors import FitError
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_fit import survival_at, survival_interval_at
from faceage_bio.stats.kaplan_meier import checked_times, height_at, kaplan_meier
from faceage_bio.stats.linear import Estimate
from faceage_bio.stats.smoothing import natural_spline, place_knots

LEAST_RISK = 1e-8  # log(-log(1 - risk)) needs risks within 0 and 1
CURVE_DF = 3  # of the spline
MOST_FAILED = 0.1  # share of samples that may fail


def observed_risk(
    years: np.ndarray, event: np.ndarray, horizon: float, entry: np.ndarray | None = None
) -> Estimate:
    """Share that has died by the horizon, by Kaplan-Meier, with its log-log interval; NaN if no participant is followed so long."""
    curve = kaplan_meier(years, event, entry)
    if curve["survival"].iloc[-1] == 0 and curve["years"].iloc[-1] <= horizon:
        return Estimate(1.0, np.nan, np.nan, np.nan)  # all have died
    found = height_at(curve, np.array([horizon])).iloc[0]
    return Estimate(1 - found.survival, 1 - found.ci_upper, 1 - found.ci_lower, np.nan)


def calibration_in_the_large(
    risk: np.ndarray, years: np.ndarray, event: np.ndarray, horizon: float, entry: np.ndarray | None = None
) -> Estimate:
    """Observed over mean predicted risk: 1 is right, above 1 more died than was predicted.

    The interval is that of the observed risk; the mean prediction is taken as given. ``p_value`` is NaN.

    Raises
    ------
    FitError
        No participant is followed so long, or the predicted risk is 0.
    """
    expected = float(np.mean(risk))
    found = observed_risk(years, event, horizon, entry)
    if np.isnan(found.estimate):
        raise FitError("not_followed_so_long")
    if not expected > 0:
        raise FitError("no_predicted_events")
    return Estimate(found.estimate / expected, found.ci_lower / expected, found.ci_upper / expected, np.nan)


def calibration_groups(
    risk: np.ndarray,
    years: np.ndarray,
    event: np.ndarray,
    horizon: float,
    entry: np.ndarray | None = None,
    n_groups: int = 5,
) -> pd.DataFrame:
    """Mean predicted and observed risk of groups of equal size, by rising predicted risk.

    Returns
    -------
    DataFrame, one row per group (fewer than asked for where many participants have the same risk)
        group (from 1), predicted, observed, ci_lower, ci_upper, n, n_events (deaths by the horizon).
    """
    risk, years, event = (np.asarray(part, dtype=np.float64) for part in (risk, years, event))
    edges = np.unique(np.quantile(risk, np.arange(1, n_groups) / n_groups))
    group = np.searchsorted(edges, risk, "left")
    rows: list[dict] = []
    for number in np.unique(group):
        mine = group == number
        late = None if entry is None else np.asarray(entry)[mine]
        found = observed_risk(years[mine], event[mine], horizon, late)
        observed = {"observed": found.estimate, "ci_lower": found.ci_lower, "ci_upper": found.ci_upper}
        counts = {"n": int(mine.sum()), "n_events": int(event[mine & (years <= horizon)].sum())}
        rows.append({"group": len(rows) + 1, "predicted": risk[mine].mean(), **observed, **counts})
    return pd.DataFrame(rows)


def calibration_slope(
    linear_predictor: np.ndarray,
    years: np.ndarray,
    event: np.ndarray,
    entry: np.ndarray | None = None,
    *,
    strata: np.ndarray | None = None,
    cluster: np.ndarray | None = None,
) -> Estimate:
    """Coefficient of the linear predictor in a Cox model of its own: 1 is right, below 1 the predictions are too extreme.

    ``p_value`` is of the test against 1.

    Raises
    ------
    FitError
        Too few deaths, or the linear predictor does not vary.
    """
    design = pd.DataFrame({"linear predictor": np.asarray(linear_predictor, dtype=np.float64)})
    row = fit_cox(years, event, design, entry, strata=strata, cluster=cluster).terms.iloc[0]
    p_value = 2 * norm.sf(abs(row.log_hazard_ratio - 1) / row.standard_error)
    return Estimate(row.log_hazard_ratio, np.log(row.ci_lower), np.log(row.ci_upper), float(p_value))


@dataclass(frozen=True)
class CalibrationCurve:
    """Observed against predicted risk as a smooth curve, and how far apart they are over the participants.

    ``curve``: predicted, observed, ci_lower, ci_upper. ``mean_distance``: mean of |observed - predicted| over
    the participants (the integrated calibration index); ``median_distance`` and ``distance_90``: its
    quantiles (E50, E90).
    """

    curve: pd.DataFrame
    mean_distance: float
    median_distance: float
    distance_90: float


def calibration_curve(
    risk: np.ndarray,
    years: np.ndarray,
    event: np.ndarray,
    horizon: float,
    entry: np.ndarray | None = None,
    *,
    grid: np.ndarray,
) -> CalibrationCurve:
    """A Cox model of the complementary log-log of the predicted risk, as a natural spline, predicts what is observed.

    As Austin, Harrell and van Klaveren 2020, doi:10.1002/sim.8570. Intervals are those of the model's survival.

    Parameters
    ----------
    grid : array, shape (m,)
        Predicted risks at which the curve is given.

    Raises
    ------
    FitError
        Too few deaths or distinct risks.
    """

    def scale(values: np.ndarray) -> np.ndarray:
        return np.log(-np.log1p(-np.clip(values, LEAST_RISK, 1 - LEAST_RISK)))

    risk, grid = np.asarray(risk, dtype=np.float64), np.asarray(grid, dtype=np.float64)
    knots = place_knots(scale(risk), CURVE_DF)
    design = natural_spline(scale(risk), knots)
    fit = fit_cox(years, event, design, entry)
    times = np.array([horizon])
    survival, lower, upper = (
        part[:, 0] for part in survival_interval_at(fit, natural_spline(scale(grid), knots), times)
    )
    ends = {"ci_lower": 1 - upper, "ci_upper": 1 - lower}
    distance = np.abs(1 - survival_at(fit, design, times)[:, 0] - risk)
    middle, far = np.quantile(distance, [0.5, 0.9]).tolist()
    curve = pd.DataFrame({"predicted": grid, "observed": 1 - survival, **ends})
    return CalibrationCurve(curve, float(distance.mean()), middle, far)


def net_benefit(
    risk: np.ndarray,
    years: np.ndarray,
    event: np.ndarray,
    horizon: float,
    thresholds: Sequence[float],
    entry: np.ndarray | None = None,
) -> pd.DataFrame:
    """Net benefit of acting on those whose predicted risk reaches a threshold, and of acting on all participants.

    True positives less false positives, of all participants, where a false positive costs the threshold's
    odds; deaths by the horizon among those acted on are estimated by Kaplan-Meier
    (doi:10.1186/1472-6947-8-53). Acting on no participant brings 0.

    Returns
    -------
    DataFrame, one row per threshold
        threshold, net_benefit, everybody (of acting on all participants), n_high (participants acted on); NaN where none of those
        acted on is followed so long.
    """
    risk, thresholds = np.asarray(risk, dtype=np.float64), np.asarray(thresholds, dtype=np.float64)
    high = risk >= thresholds[:, None]
    odds = thresholds / (1 - thresholds)
    alive = _alive(np.vstack([high, np.ones((1, len(risk)), dtype=bool)]), years, event, horizon, entry)
    n_high = high.sum(axis=1)
    benefit = n_high / len(risk) * (1 - alive[:-1] - alive[:-1] * odds)
    of_those, of_all = np.where(n_high > 0, benefit, 0.0), 1 - alive[-1] - alive[-1] * odds
    columns = {"threshold": thresholds, "net_benefit": of_those, "everybody": of_all, "n_high": n_high}
    return pd.DataFrame(columns)


def _alive(
    groups: np.ndarray, years: np.ndarray, event: np.ndarray, horizon: float, entry: np.ndarray | None
) -> np.ndarray:
    """Share alive at the horizon by Kaplan-Meier in each row of ``groups`` (g, n); NaN where no participant is followed so long."""
    years, event, entry = checked_times(years, event, entry)
    order = np.lexsort((-event, years))  # of a time, deaths before those censored, who were at risk
    years, died, groups = years[order], event[order].astype(bool), groups[:, order]
    left = groups[:, ::-1].cumsum(axis=1)[:, ::-1]  # this row and those after it
    late = np.argsort(entry[order], kind="stable")
    entered = np.concatenate([np.zeros((len(groups), 1)), groups[:, late].cumsum(axis=1)], axis=1)
    to_come = np.searchsorted(entry[order][late], years, "left")
    at_risk = left - (entered[:, -1:] - entered[:, to_come])
    counts = groups & died & (years <= horizon)
    alive = np.where(counts, 1 - 1 / np.maximum(at_risk, 1), 1.0).prod(axis=1)
    followed = (groups & (years >= horizon)).any(axis=1) | (alive == 0)
    return np.where(followed, alive, np.nan)


@dataclass(frozen=True)
class Optimism:
    """``mean``: shape (k,), to be taken from the apparent values; ``failed`` of ``repeats`` samples had no model.

    ``error``: shape (k,), Monte Carlo standard error of the mean.
    """

    mean: np.ndarray
    error: np.ndarray
    failed: int
    repeats: int


def draws(n: int, repeats: int, seed: int, cluster: np.ndarray | None = None) -> Iterator[np.ndarray]:
    """Bootstrap samples of n rows, or of whole clusters, as row numbers."""
    generator = np.random.default_rng(seed)
    if cluster is None:
        for _ in range(repeats):
            yield generator.integers(0, n, n)
        return
    codes, levels = pd.factorize(pd.Series(np.asarray(cluster)))
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    for _ in range(repeats):
        yield np.concatenate([members[one] for one in generator.integers(0, len(levels), len(levels))])


def optimism(
    samples: Iterator[np.ndarray],
    measure: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    done: Callable[[int], None] = lambda n: None,
) -> Optimism:
    """Mean over bootstrap samples of a model's measures on its own sample less those on the original rows.

    Harrell, Lee and Mark 1996, doi:10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4.

    Parameters
    ----------
    samples : row numbers of each sample, as `draws` gives them
    measure : function
        Fits to these rows and gives the measures, shape (k,), on them and on the original rows; NaN what
        cannot be said.
    done : function
        Told of each sample.

    Raises
    ------
    FitError
        More than a tenth of the samples could not be fitted.
    """
    found, failed = [], 0
    for rows in samples:
        try:
            own, original = measure(rows)
            found.append(own - original)
        except FitError:
            failed += 1
        done(1)
    if not found or failed > MOST_FAILED * (failed + len(found)):
        raise FitError("few_bootstrap_models", failed=failed, repeats=failed + len(found))
    differences = np.array(found)
    known = np.isfinite(differences)
    n = np.maximum(known.sum(axis=0), 1)
    means = differences.sum(axis=0, where=known) / n
    errors = np.sqrt(np.square(differences - means).sum(axis=0, where=known) / (n * np.maximum(n - 1, 1)))
    enough = known.mean(axis=0) >= 1 - MOST_FAILED
    means, errors = (np.where(enough, value, np.nan) for value in (means, errors))
    return Optimism(means, errors, failed, failed + len(found))
