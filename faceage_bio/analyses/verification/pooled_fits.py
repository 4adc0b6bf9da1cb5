"""Pooled estimates again: a common effect by statsmodels, REML by the zero of its score (Viechtbauer 2005, doi:10.3102/10769986030003261)."""

import numpy as np

from faceage_bio.analyses.verification.headline_input import Pool

SOFTWARE = {"EE": "statsmodels", "REML": "scipy"}  # by method; others are pooled again by reproduce.R alone


def pooled_by_statsmodels(pool: Pool) -> dict[str, float]:
    """Estimate on the pooling scale with its standard error and p-value: inverse variance, z."""
    from scipy.stats import norm
    from statsmodels.stats.meta_analysis import combine_effects

    found = combine_effects(pool.y, pool.se**2, method_re="chi2", use_t=False)
    estimate, error = found.mean_effect_fe, found.sd_eff_w_fe
    return {
        "pooled estimate": estimate, "standard error": error, "p-value": 2 * norm.sf(abs(estimate / error)),
    }  # fmt: skip


def pooled_by_scipy(pool: Pool) -> dict[str, float]:
    """The same with REML's between-cohort variance, by z or (ad hoc) Hartung-Knapp."""
    from scipy.optimize import brentq
    from scipy.stats import norm, t

    y, v = pool.y, pool.se**2

    def mean(tau2: float) -> tuple[np.ndarray, float]:
        w = 1 / (v + tau2)
        return w, float(w @ y / w.sum())

    def score(tau2: float) -> float:
        w, centre = mean(tau2)
        return float(w**2 @ (y - centre) ** 2 - w.sum() + (w @ w) / w.sum())

    tau2 = 0.0
    if score(0.0) > 0:
        upper = float(np.ptp(y) ** 2 + v.max())
        while score(upper) > 0:
            upper *= 2
        tau2 = brentq(score, 0.0, upper, xtol=1e-16)
    w, estimate = mean(tau2)
    error, df = float(w.sum() ** -0.5), len(y) - 1
    if pool.test != "z":
        factor = float(w @ (y - estimate) ** 2 / df)
        error *= (factor if pool.test == "knha" else max(1.0, factor)) ** 0.5
    size = abs(estimate / error)
    p = norm.sf(size) if pool.test == "z" else t.sf(size, df)
    return {"pooled estimate": estimate, "standard error": error, "p-value": 2 * float(p)}
