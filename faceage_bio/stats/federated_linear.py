"""A linear model with an intercept for each site, from sums that sites give: differences between groups, adjusted for covariates.

With their own intercepts sites need give sums of products around their means alone; one answer gives the model of all rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from faceage_bio.core.errors import FitError
from faceage_bio.stats.federated_cox import SiteEstimate, check_enough

RESIDUAL_DF = 10  # fewer are no estimate that may leave, as in a release


@dataclass(frozen=True)
class LinearSums:
    """Sums of products around a site's means."""

    xx: np.ndarray  # (p, p)
    xy: np.ndarray  # (p,)
    yy: float
    n: int


def linear_sums(y: pd.Series, design: pd.DataFrame) -> LinearSums:
    """What a site gives.

    Parameters
    ----------
    y : shape (n,)
    design : shape (n, p), without an intercept

    Raises
    ------
    PrivacyError
        Fewer than max(50, 20 p) participants, or fewer than 10 at a level; see `check_answerable`.
    """
    check_enough(len(y), "participants", design)
    return _sums(y, design)


def _sums(y: pd.Series, design: pd.DataFrame) -> LinearSums:
    x, values = (part.to_numpy(dtype=float) for part in (design, y))
    x, values = x - x.mean(axis=0), values - values.mean()
    return LinearSums(x.T @ x, x.T @ values, float(values @ values), len(values))


def linear_estimate(y: pd.Series, design: pd.DataFrame) -> SiteEstimate:
    """A site's own fit, with which a small site takes part.

    Raises
    ------
    FitError
        Fewer than 10 residual degrees of freedom, or terms that are combinations of others.
    """
    if len(y) - design.shape[1] - 1 < RESIDUAL_DF:
        raise FitError("too_few_rows", n=len(y), parameters=design.shape[1] + 1)
    beta, covariance, _ = pooled_linear([_sums(y, design)])
    return SiteEstimate(beta, covariance, len(y), 0)


def pooled_linear(
    sums: Sequence[LinearSums], estimates: Sequence[SiteEstimate] = ()
) -> tuple[np.ndarray, np.ndarray, float]:
    """Coefficients, covariance and residual degrees of freedom of the model of all rows.

    Parameters
    ----------
    sums : of the sites that gave them; from these alone exactly R's ``lm(y ~ x + factor(site))``
    estimates : of sites that gave their own, weighted by their inverse covariance; degrees of freedom are infinite then

    Raises
    ------
    FitError
        Terms that are combinations of others at all sites.
    """
    xx, xy, yy, n = (sum(getattr(one, name) for one in sums) for name in ("xx", "xy", "yy", "n"))
    df = n - len(sums) - (len(xy) if len(sums) else 0)
    parts = [(one.beta, one.covariance) for one in estimates]
    try:
        if sums:
            beta = np.linalg.solve(xx, xy)
            parts.append((beta, (yy - beta @ xy) / df * np.linalg.inv(xx)))
        if len(parts) == 1:
            return *parts[0], float(df) if sums else np.inf
        weights = [np.linalg.inv(covariance) for _, covariance in parts]
        covariance = np.linalg.inv(sum(weights))
    except np.linalg.LinAlgError:
        raise FitError("singular_information") from None
    beta = covariance @ sum(weight @ one for weight, (one, _) in zip(weights, parts, strict=True))
    return beta, covariance, np.inf


def linear_table(names: Sequence[str], beta: np.ndarray, covariance: np.ndarray, df: float) -> pd.DataFrame:
    """Differences with 95% CI and p-value of the t test."""
    error = np.sqrt(np.diag(covariance))
    half = stats.t.ppf(0.975, df) * error
    return pd.DataFrame(
        {
            "estimate": beta, "ci_lower": beta - half, "ci_upper": beta + half, "standard_error": error, "statistic": beta / error,
            "p_value": 2 * stats.t.sf(np.abs(beta / error), df),
        },
        index=pd.Index(names),
    )  # fmt: skip
