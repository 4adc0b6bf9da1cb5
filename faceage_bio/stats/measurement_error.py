"""Slopes on an exposure that is measured with error: regression calibration and SIMEX.

Error that does not depend on the truth flattens a slope. Both corrections need the size of the error from elsewhere, such as
repeated measurements, and both assume that it is the same for all participants and tells nothing about the outcome.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from faceage_bio.core.errors import FitError
from faceage_bio.stats.linear import Estimate, least_squares

STEPS = (0.5, 1.0, 1.5, 2.0)  # error variances added, in multiples of its own; R's simex takes the same
DRAWS = 200
LEAST_RELIABLE = 0.2  # below it a correction is mostly noise


@dataclass(frozen=True)
class Corrected:
    """The slope as it is, and corrected; ``reliability`` of the exposure given the covariates."""

    naive: Estimate
    calibrated: Estimate
    simex: Estimate
    reliability: float


def correct_slope(
    y: pd.Series, exposure: pd.Series, covariates: pd.DataFrame, error_sd: float, error_df: float = np.inf,
    random: np.random.Generator | None = None,
) -> Corrected:  # fmt: skip
    """Slope of ``y`` on an exposure with error of a known size, covariates adjusted for.

    Parameters
    ----------
    y, exposure : Series of float, shape (n,), one index
    covariates : DataFrame of float, shape (n, p), measured without error; may have no column
    error_sd : float
        Standard deviation of the error of the exposure, in its unit.
    error_df : float
        Degrees of freedom with which it is known; infinite if it is given.
    random : Generator
        For SIMEX; by default always the same draws.

    Raises
    ------
    FitError
        No least-squares fit, or an error that leaves less than a fifth of the exposure's variance.
    """
    design = pd.concat([exposure.rename("exposure"), covariates], axis=1)
    row = least_squares(y, design).loc["exposure"]
    others = np.column_stack([np.ones(len(y)), covariates.to_numpy(dtype=np.float64)])
    rest = _residual(others, exposure.to_numpy(dtype=np.float64))
    df = len(y) - others.shape[1]
    variance = float(rest @ rest) / df
    reliability = 1 - error_sd**2 / variance
    if reliability < LEAST_RELIABLE:
        raise FitError("unreliable", reliability=f"{reliability:.2f}", needed=LEAST_RELIABLE)
    # the variances of two variance estimates, as of normal values
    noise = (error_sd**2 / variance) ** 2 * (2 / error_df + 2 / df)
    slope = row["estimate"] / reliability
    error = np.sqrt((row["standard_error"] / reliability) ** 2 + slope**2 * noise / reliability**2)
    random = random or np.random.default_rng(0)
    half = random.standard_normal((len(STEPS), DRAWS // 2, len(y)))
    draws = np.concatenate(
        [half, -half], axis=1
    )  # each with its opposite, so that chance hardly moves the slope
    naive = Estimate.of(row)
    width = len(y) - design.shape[1] - 1
    return Corrected(
        naive, _with_interval(slope, error, width),
        _with_interval(*simex_slope(y.to_numpy(dtype=np.float64), exposure.to_numpy(dtype=np.float64), others, error_sd, draws), width),
        reliability,
    )  # fmt: skip


def simex_slope(
    y: np.ndarray, exposure: np.ndarray, others: np.ndarray, error_sd: float, draws: np.ndarray
) -> tuple[float, float]:
    """Simulation extrapolation: more error is added in steps, and its effect is followed back to none.

    Quadratic extrapolation and the variance of Stefanski and Cook 1995 (doi:10.1080/01621459.1995.10476629), which R's simex
    calls jackknife; Cook and Stefanski 1994, doi:10.1080/01621459.1994.10476871.

    Parameters
    ----------
    y, exposure : float arrays, shape (n,)
    others : float array, shape (n, p), intercept included
    error_sd : float
    draws : float array, shape (4, n_draws, n), standard normal, one block for each of the steps 0.5, 1, 1.5 and 2

    Returns
    -------
    slope, its standard error

    Raises
    ------
    FitError
        The extrapolated variance is not positive.
    """
    slopes, variances = [], []
    clean_y = _residual(others, y)
    df = len(y) - others.shape[1] - 1
    for step, block in zip((0.0, *STEPS), (np.zeros((1, len(y))), *draws), strict=True):
        noisy = _residual(others, exposure[:, None] + np.sqrt(step) * error_sd * block.T)
        sums = (noisy**2).sum(axis=0)
        found = clean_y @ noisy / sums
        residual = ((clean_y[:, None] - noisy * found) ** 2).sum(axis=0) / df
        slopes.append(found.mean())
        variances.append((residual / sums).mean() - (found.var(ddof=1) if step else 0.0))
    curve = np.vander((0.0, *STEPS), 3)
    at_none = np.vander([-1.0], 3)[0]
    slope, variance = (
        float(at_none @ np.linalg.lstsq(curve, np.array(values), rcond=None)[0])
        for values in (slopes, variances)
    )
    if variance <= 0:
        raise FitError("simex_variance")
    return slope, float(np.sqrt(variance))


def _residual(others: np.ndarray, values: np.ndarray) -> np.ndarray:
    basis = np.linalg.qr(others)[0]
    return values - basis @ (basis.T @ values)


def _with_interval(estimate: float, error: float, df: int) -> Estimate:
    half = stats.t.ppf(0.975, df) * error
    return Estimate(
        float(estimate),
        float(estimate - half),
        float(estimate + half),
        float(2 * stats.t.sf(abs(estimate) / error, df)),
        float(error),
        float(estimate / error),
    )
