"""Estimates of several cohorts as one: inverse variance with a between-cohort variance, many estimates at once.

Estimates and their standard errors are on the analysis scale (logarithms of ratios, Fisher's z of
correlations); a cohort without an estimate is NaN. Everything equals R's metafor (``rma``, ``predict``,
``confint``, ``leave1out``, ``cumul``, ``influence``, ``regtest``, ``permutest``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations as all_orders
from typing import Literal

import numpy as np
from scipy import stats

from faceage_bio.core.errors import FitError
from faceage_bio.stats.minimum_sizes import COHORTS_BEYOND_TERMS

Method = Literal["EE", "DL", "PM", "REML", "ML", "EB", "SJ"]
Test = Literal["z", "knha", "adhoc"]
Df = Literal["k-1", "k-2"]  # of a prediction interval
METHODS: dict[str, str] = {
    "EE": "common effect, inverse variance", "DL": "random effects, DerSimonian-Laird", "PM": "random effects, Paule-Mandel",
    "REML": "random effects, REML", "ML": "random effects, maximum likelihood", "EB": "random effects, empirical Bayes",
    "SJ": "random effects, Sidik-Jonkman",
}  # fmt: skip
TESTS: dict[str, str] = {"z": "z", "knha": "Hartung-Knapp", "adhoc": "ad hoc Hartung-Knapp"}
ITERATIONS = 200
TOLERANCE = 1e-12  # of the between-cohort variance, relative to it and the largest sampling variance
TINY = np.finfo(float).tiny


@dataclass(frozen=True, eq=False)
class Pooled:
    """Pooled estimates, arrays of shape (m,) on the analysis scale; NaN where no cohort has an estimate.

    ``k``: cohorts; ``df``: of t, infinite for z; ``tau2``: between-cohort variance; ``i2``: percent; ``q``
    with ``q_p_value``: test of homogeneity.
    """

    estimate: np.ndarray
    standard_error: np.ndarray
    ci_lower: np.ndarray
    ci_upper: np.ndarray
    statistic: np.ndarray
    df: np.ndarray
    p_value: np.ndarray
    k: np.ndarray
    tau2: np.ndarray
    i2: np.ndarray
    q: np.ndarray
    q_p_value: np.ndarray

    def prediction_interval(self, degrees: Df) -> tuple[np.ndarray, np.ndarray]:
        """Ends of the 95% prediction interval for a further cohort, NaN where it is not defined.

        Higgins et al. 2009 (doi:10.1111/j.1467-985X.2008.00552.x), with k - 2 degrees of freedom; k - 1 is
        metafor's default with Hartung and Knapp's test (with z it takes the normal distribution).
        """
        half = _t(0.975, self.k - (1.0 if degrees == "k-1" else 2.0))
        half = half * np.sqrt(self.tau2 + self.standard_error**2)
        return self.estimate - half, self.estimate + half


@dataclass(frozen=True, eq=False)
class Regressed:
    """Meta-regressions, arrays of shape (m, p) by coefficient and (m,) by fit.

    ``omnibus``: test statistic of the moderators, chi-square for z and F otherwise.
    """

    estimate: np.ndarray
    standard_error: np.ndarray
    ci_lower: np.ndarray
    ci_upper: np.ndarray
    statistic: np.ndarray
    p_value: np.ndarray
    df: np.ndarray
    k: np.ndarray
    tau2: np.ndarray
    q: np.ndarray
    q_p_value: np.ndarray
    omnibus: np.ndarray


@dataclass(frozen=True, eq=False)
class Heterogeneity:
    """Between-cohort variance and I2 (percent), each with its 95% CI by the Q-profile; arrays of shape (m,)."""

    tau2: np.ndarray
    tau2_lower: np.ndarray
    tau2_upper: np.ndarray
    i2: np.ndarray
    i2_lower: np.ndarray
    i2_upper: np.ndarray


@dataclass(frozen=True, eq=False)
class Influence:
    """What one pooled estimate owes to each of its k cohorts, arrays of shape (k,): as metafor's ``influence``.

    ``rstudent``: deleted residual; ``hat``: its share of the weight; ``marked``: influential by metafor's
    limits.
    """

    rstudent: np.ndarray
    dffits: np.ndarray
    dfbetas: np.ndarray
    cook: np.ndarray
    covariance_ratio: np.ndarray
    hat: np.ndarray
    marked: np.ndarray


class _Weighted:
    """Weighted least squares of m estimates, each on its own cohorts: what tau2, tests and intervals are made of.

    With weights w: residuals Py / w, y'Py, y'PPy, tr P and tr PP of P = W - W X (X'WX)^-1 X'W.
    """

    def __init__(self, y: np.ndarray, v: np.ndarray, x: np.ndarray, tau2: np.ndarray) -> None:
        # a cohort without an estimate has an infinite variance, so that its weight is 0
        self.w = 1 / (v + tau2[:, None])
        self.x = x
        self.inverse = _inverse(self._crossed(self.w))
        score = np.einsum("mkp,mk->mp", x, self.w * y)
        self.beta = np.einsum("mpq,mq->mp", self.inverse, score)
        self.residual = y - np.einsum("mkp,mp->mk", x, self.beta)
        self.y_p_y = (self.w * self.residual**2).sum(axis=1)
        self.y_pp_y = (self.w**2 * self.residual**2).sum(axis=1)

    def _crossed(self, w: np.ndarray) -> np.ndarray:
        if self.x.shape[2] == 1:
            return (w * self.x[:, :, 0] ** 2).sum(axis=1)[:, None, None]
        return np.einsum("mkp,mk,mkq->mpq", self.x, w, self.x, optimize=True)

    def y_ppp_y(self) -> np.ndarray:
        """y'PPPy: the weighted sum of squares of what least squares leave of Py."""
        z = self.w * self.residual
        beta = np.einsum("mpq,mkq,mk->mp", self.inverse, self.x, self.w * z, optimize=True)
        return (self.w * (z - np.einsum("mkp,mp->mk", self.x, beta)) ** 2).sum(axis=1)

    def traces(self) -> tuple[np.ndarray, np.ndarray]:
        """tr P and tr PP."""
        second = self.inverse @ self._crossed(self.w**2)
        third = self.inverse @ self._crossed(self.w**3)
        tr_p = self.w.sum(axis=1) - _trace(second)
        tr_pp = (self.w**2).sum(axis=1) - 2 * _trace(third) + _trace(second @ second)
        return tr_p, tr_pp


def pool(y: np.ndarray, se: np.ndarray, method: Method, test: Test) -> Pooled:
    """Pooled estimates of m quantities over k cohorts.

    Weights 1 / (SE^2 + tau2). Between-cohort variance: DerSimonian and Laird 1986
    (doi:10.1016/0197-2456(86)90046-2), Paule and Mandel 1982 (doi:10.6028/jres.087.022), restricted maximum
    likelihood (Viechtbauer 2005, doi:10.3102/10769986030003261), cut at 0. Tests: Hartung and Knapp 2001
    (doi:10.1002/sim.1009), ad hoc with a factor of at least 1 (Knapp and Hartung 2003, doi:10.1002/sim.1482).
    As metafor's ``rma``.

    Parameters
    ----------
    y, se : float arrays, shape (m, k) or (k,)
        Estimates and their standard errors on the analysis scale; NaN where a cohort has none.
    method : "EE" (common effect) or the estimator of the between-cohort variance
    test : "z", "knha" (Hartung-Knapp) or "adhoc"; the last two have t with k - 1 degrees of freedom

    Raises
    ------
    FitError
        A standard error that is not positive, or an estimate without one; the iterations for tau2 did not converge.
    """
    y, v = _checked(y, se)
    fit = _fit(y, v, _ones(y), method, test)
    k, typical = fit.k, _typical(v, fit.k)
    i2 = 100 * _ratio(fit.tau2, typical + fit.tau2)
    if method == "EE":
        i2 = 100 * np.maximum(0, 1 - 1 / np.maximum(_ratio(fit.q, k - 1.0), TINY))
    return Pooled(
        fit.estimate[:, 0], fit.standard_error[:, 0], fit.ci_lower[:, 0], fit.ci_upper[:, 0], fit.statistic[:, 0], fit.df,
        fit.p_value[:, 0], k, fit.tau2, np.where(k < 2, np.nan, i2), fit.q, fit.q_p_value,
    )  # fmt: skip


def heterogeneity(y: np.ndarray, se: np.ndarray, tau2: np.ndarray) -> Heterogeneity:
    """Between-cohort variance and I2 with 95% CIs by the Q-profile, as metafor's ``confint``.

    Viechtbauer 2007, doi:10.1002/sim.2514.

    Parameters
    ----------
    y, se : as `pool`
    tau2 : its between-cohort variances, shape (m,)
    """
    y, v = _checked(y, se)
    k = _count(v)
    df = k - 1.0
    typical = _typical(v, k)
    with np.errstate(invalid="ignore"):
        lower, upper = (
            np.where(df > 0, _solve_q(y, v, _ones(y), stats.chi2.ppf(share, np.maximum(df, 1))), np.nan)
            for share in (0.975, 0.025)
        )
    ends = [np.asarray(tau2, dtype=float), lower, upper]
    i2 = [100 * _ratio(one, typical + one) for one in ends]
    return Heterogeneity(*ends, *i2)


def leave_one_out(y: np.ndarray, se: np.ndarray, method: Method, test: Test) -> Pooled:
    """One estimate pooled without each of its k cohorts in turn: arrays of shape (k,)."""
    left = _subsets(y, se, ~np.eye(np.shape(y)[-1], dtype=bool))
    return pool(*left, method, test)


def cumulative(y: np.ndarray, se: np.ndarray, order: Sequence[int], method: Method, test: Test) -> Pooled:
    """One estimate pooled over the first, the first two, ... cohorts in ``order``: arrays of shape (k,)."""
    place = np.empty(len(order), dtype=int)
    place[np.asarray(order)] = np.arange(len(order))
    first = _subsets(y, se, place[None, :] <= np.arange(len(order))[:, None])
    return pool(*first, method, test)


def against(pooled: Pooled, null: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Statistics and p-values of the hypotheses that estimates are ``null``, shape (m,); NaN where it is NaN."""
    statistic = (pooled.estimate - null) / pooled.standard_error
    return statistic, 2 * _t_sf(np.abs(statistic), pooled.df)


def influence(y: np.ndarray, se: np.ndarray, method: Method, test: Test) -> Influence:
    """What each cohort moves, of one estimate: Viechtbauer and Cheung 2010, doi:10.1002/jrsm.11.

    Parameters
    ----------
    y, se : float arrays, shape (k,), nothing missing
    """
    whole, left = pool(y, se, method, test), leave_one_out(y, se, method, test)
    y, v = (one[0] for one in _checked(y, se))
    own = v + left.tau2
    hat = 1 / (v + whole.tau2) / (1 / (v + whole.tau2)).sum()
    moved = whole.estimate - left.estimate
    without = 1 / (v[None, :] + left.tau2[:, None])
    # of Hartung and Knapp
    factor = left.standard_error**2 * (without * ~np.eye(len(y), dtype=bool)).sum(axis=1)
    rstudent = (y - left.estimate) / np.sqrt(factor * own + left.standard_error**2)
    dffits = moved / np.sqrt(factor * hat * own)
    dfbetas = moved / np.sqrt(factor / without.sum(axis=1))
    cook = (moved / whole.standard_error) ** 2
    k = len(y)
    marked = (np.abs(dffits) > 3 / np.sqrt(k - 1)) | (stats.chi2.cdf(cook, 1) > 0.5)
    marked |= (hat > 3 / k) | (np.abs(dfbetas) > 1)
    ratio = left.standard_error**2 / whole.standard_error**2
    return Influence(rstudent, dffits, dfbetas, cook, ratio, hat, marked)


def meta_regression(
    y: np.ndarray, se: np.ndarray, moderators: np.ndarray, method: Method, test: Test
) -> Regressed:
    """Estimates of cohorts on their moderators by weighted least squares, as metafor's ``rma(mods = )``.

    Parameters
    ----------
    y, se : as `pool`
    moderators : float array, shape (k, p) or (m, k, p), without intercept

    Raises
    ------
    FitError
        Fewer than 3 cohorts more than coefficients; a moderator that does not vary or follows from the others.
    """
    y, v = _checked(y, se)
    x = np.asarray(moderators, dtype=float)
    x = np.broadcast_to(x, (len(y), *x.shape[-2:])) if x.ndim == 2 else x
    x = np.concatenate([np.ones((*x.shape[:2], 1)), x], axis=2)
    p, k = x.shape[2], int(_count(v).min())
    if k - p < COHORTS_BEYOND_TERMS:
        raise FitError("few_cohorts_for_moderators", cohorts=k, terms=p)
    present = np.isfinite(v)
    if (np.linalg.matrix_rank(x * present[:, :, None]) < p).any():
        raise FitError("moderators_collinear")
    return _fit(y, v, x, method, test)


def permutation_p(
    y: np.ndarray,
    se: np.ndarray,
    moderators: np.ndarray,
    method: Method,
    test: Test,
    *,
    permutations: int | Literal["all"],
) -> tuple[np.ndarray, float]:
    """Two-sided p-values of a meta-regression by permuting its moderators among the cohorts: of each coefficient, and of all.

    As metafor's ``permutest`` (Higgins and Thompson 2004, doi:10.1002/sim.1752); the order that was observed
    is one of them.

    Parameters
    ----------
    y, se : float arrays, shape (k,)
    moderators : float array, shape (k, p)
    permutations : how many random ones; "all": each of the k! orders
    """
    moderators = np.asarray(moderators, dtype=float)
    k = len(moderators)
    orders = _orders(k, permutations)
    ys, ses = (np.broadcast_to(np.asarray(one, dtype=float), orders.shape) for one in (y, se))
    fit = meta_regression(ys, ses, moderators[orders], method, test)
    size = np.abs(fit.statistic)
    slack = 1e-9  # equal orders give equal statistics up to rounding
    return (size >= size[0] - slack).mean(axis=0)[1:], float((fit.omnibus >= fit.omnibus[0] - slack).mean())


def egger(y: np.ndarray, se: np.ndarray, method: Method, test: Test) -> Regressed:
    """Asymmetry of the funnel plot: regression on the standard error, whose coefficient is the second.

    Egger et al. 1997 (doi:10.1136/bmj.315.7109.629) with ``method="EE", test="knha"``, metafor's
    ``regtest(model = "lm")``; with a between-cohort variance its ``model = "rma"``.
    """
    return meta_regression(y, se, np.asarray(se, dtype=float)[:, None], method, test)


def _fit(y: np.ndarray, v: np.ndarray, x: np.ndarray, method: Method, test: Test) -> Regressed:
    k, p = _count(v), x.shape[2]
    df = k - float(p)
    x = x * np.isfinite(v)[:, :, None]
    common = _Weighted(y, v, x, np.zeros(len(y)))
    tau2 = _tau2(y, v, x, common, method)
    fit = common if method == "EE" else _Weighted(y, v, x, tau2)
    alone = k <= p  # as it is in its cohort
    factor = np.where(alone, 1.0, _factor(test, _ratio(fit.y_p_y, df)))
    covariance = fit.inverse * factor[:, None, None]
    with np.errstate(invalid="ignore"):
        error = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    statistic = _ratio(fit.beta, error)
    reference = np.where(alone | (test == "z"), np.inf, df)
    half = _t(0.975, reference)[:, None] * error
    p_value = 2 * _t_sf(np.abs(statistic), reference[:, None])
    q_p = np.where(df > 0, stats.chi2.sf(common.y_p_y, np.maximum(df, 1)), np.nan)
    return Regressed(
        fit.beta, error, fit.beta - half, fit.beta + half, statistic, p_value, reference, k, tau2, common.y_p_y, q_p,
        _omnibus(fit.beta, covariance, reference),
    )  # fmt: skip


def _factor(test: Test, mean_square: np.ndarray) -> np.ndarray:
    """By what the squared standard error is multiplied."""
    if test == "z":
        return np.ones_like(mean_square)
    return mean_square if test == "knha" else np.maximum(1, mean_square)


def _omnibus(beta: np.ndarray, covariance: np.ndarray, df: np.ndarray) -> np.ndarray:
    n = beta.shape[1] - 1
    if n == 0:
        return np.full(len(beta), np.nan)
    own = beta[:, 1:, None]
    chi_square = (own.transpose(0, 2, 1) @ np.linalg.solve(covariance[:, 1:, 1:], own))[:, 0, 0]
    return chi_square if np.isinf(df).all() else chi_square / n


def _tau2(y: np.ndarray, v: np.ndarray, x: np.ndarray, common: _Weighted, method: Method) -> np.ndarray:
    """Between-cohort variance, 0 for a common effect or a single cohort."""
    df = _count(v) - float(x.shape[2])
    if method == "EE":
        return np.zeros(len(y))
    if method == "DL":
        made = _ratio(common.y_p_y - df, common.traces()[0])
    elif method in ("PM", "EB"):  # two iterations to one solution
        made = _solve_q(y, v, x, df)
    elif method == "SJ":
        first = _variance(y, v)
        made = first * _ratio(_Weighted(y, v, x, first).y_p_y, df)
    else:
        made = _likelihood(y, v, x, df, restricted=method == "REML")
    return np.where(df > 0, np.maximum(made, 0), 0.0)


def _solve_q(y: np.ndarray, v: np.ndarray, x: np.ndarray, target: np.ndarray) -> np.ndarray:
    """tau2 at which the weighted sum of squares is ``target``, 0 where it is smaller already.

    The sum is of terms a / (b + tau2), so its inverse rises and is concave: Newton's steps on it from 0 never
    pass the solution.
    """
    tau2, scale = np.zeros(len(y)), _scale(v)
    active = np.flatnonzero(target > 0)
    for _ in range(ITERATIONS):
        if not len(active):
            return tau2
        fit, aim = _Weighted(y[active], v[active], x[active], tau2[active]), target[active]
        step = np.maximum(0, fit.y_p_y * (fit.y_p_y / aim - 1)) / np.maximum(fit.y_pp_y, TINY)
        tau2[active] += step
        active = active[step > TOLERANCE * (scale[active] + tau2[active])]
    raise FitError("no_convergence", model="between-cohort variance")


def _likelihood(
    y: np.ndarray, v: np.ndarray, x: np.ndarray, df: np.ndarray, *, restricted: bool
) -> np.ndarray:
    """tau2 of largest (restricted) likelihood: Newton's steps from the estimate of Hedges and Olkin, as metafor starts.

    Where the likelihood is not concave a step of Fisher's scoring; a step that leaves what the signs of the
    scores enclose is halved.
    """
    tau2 = np.maximum(0, _hedges(y, v, x, df))
    scale, low, high = _scale(v), np.zeros(len(y)), np.full(len(y), np.inf)
    active = np.flatnonzero(df > 0)
    for _ in range(ITERATIONS):
        if not len(active):
            return tau2
        now = tau2[active]
        fit = _Weighted(y[active], v[active], x[active], now)
        trace, information = fit.traces() if restricted else (fit.w.sum(axis=1), (fit.w**2).sum(axis=1))
        score, curvature = fit.y_pp_y - trace, 2 * fit.y_ppp_y() - information
        low[active] = np.where(score > 0, now, low[active])
        high[active] = np.where(score > 0, high[active], now)
        new = now + score / np.where(curvature > 0, curvature, information)
        new = np.where(new > high[active], (now + high[active]) / 2, new)
        new = np.where(new < low[active], (now + low[active]) / 2, new)
        new = np.where(score > 0, new, np.minimum(new, now))
        tau2[active] = np.where((now == 0) & (score <= 0), 0, new)
        active = active[np.abs(tau2[active] - now) > TOLERANCE * (scale[active] + now)]
    raise FitError("no_convergence", model="between-cohort variance")


def _hedges(y: np.ndarray, v: np.ndarray, x: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Unweighted estimate of tau2: what the residual variance has beyond the mean sampling variance."""
    present = np.isfinite(v)
    inverse = _inverse(np.einsum("mkp,mkq->mpq", x, x))
    beta = np.einsum("mpq,mkq,mk->mp", inverse, x, y, optimize=True)
    residual = np.where(present, y - np.einsum("mkp,mp->mk", x, beta), 0)
    known = np.where(present, v, 0)
    hat = np.einsum("mkp,mpq,mkq->mk", x, inverse, x, optimize=True)
    return _ratio((residual**2).sum(axis=1) - ((1 - hat) * known).sum(axis=1), df)


def _checked(y: np.ndarray, se: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Estimates with 0 and variances with infinity where a cohort has none, shape (m, k)."""
    y, se = np.atleast_2d(np.asarray(y, dtype=float)), np.atleast_2d(np.asarray(se, dtype=float))
    present = np.isfinite(y)
    if (present != np.isfinite(se)).any() or (se[present] <= 0).any():
        raise FitError("no_error")
    return np.where(present, y, 0.0), np.where(present, se, np.inf) ** 2


def _subsets(y: np.ndarray, se: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One estimate over several choices of its cohorts, ``kept`` of shape (choices, k)."""
    y, se = np.ravel(y).astype(float), np.ravel(se).astype(float)
    return np.where(kept, y, np.nan), np.where(kept, se, np.nan)


def _ones(y: np.ndarray) -> np.ndarray:
    return np.ones((*y.shape, 1))


def _count(v: np.ndarray) -> np.ndarray:
    return np.isfinite(v).sum(axis=1)


def _scale(v: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(v), v, 0).max(axis=1)


def _variance(y: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Variance of the estimates, with k as divisor."""
    present, k = np.isfinite(v), np.maximum(_count(v), 1)
    mean = y.sum(axis=1) / k
    return (np.where(present, y - mean[:, None], 0) ** 2).sum(axis=1) / k


def _typical(v: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Typical sampling variance of Higgins and Thompson 2002 (doi:10.1002/sim.1186)."""
    w = 1 / v
    total = w.sum(axis=1)
    return _ratio(k - 1.0, total - _ratio((w**2).sum(axis=1), total))


def _inverse(a: np.ndarray) -> np.ndarray:
    """Inverses of (m, p, p); NaN where singular, as of an estimate that no cohort has."""
    if a.shape[1] == 1:
        return _ratio(1.0, a)
    return np.linalg.inv(a)


def _trace(a: np.ndarray) -> np.ndarray:
    return np.trace(a, axis1=1, axis2=2)


def _ratio(above: np.ndarray | float, below: np.ndarray | float) -> np.ndarray:
    """Quotient, NaN by zero."""
    above, below = np.broadcast_arrays(np.asarray(above, dtype=float), np.asarray(below, dtype=float))
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below != 0)


def _t(share: float, df: np.ndarray) -> np.ndarray:
    """Quantile of t, the normal one where df is infinite, NaN without degrees of freedom."""
    known = np.where(np.asarray(df, dtype=float) > 0, df, 1)
    found = np.where(np.isinf(known), stats.norm.ppf(share), stats.t.ppf(share, known))
    return np.where(df > 0, found, np.nan)


def _t_sf(size: np.ndarray, df: np.ndarray) -> np.ndarray:
    df = np.broadcast_to(df, size.shape)
    known = np.where(df > 0, df, 1)
    return np.where(df > 0, np.where(np.isinf(known), stats.norm.sf(size), stats.t.sf(size, known)), np.nan)


def _orders(k: int, permutations: int | Literal["all"]) -> np.ndarray:
    """Orders of k cohorts, the observed one first."""
    if permutations == "all":
        return np.array(list(all_orders(range(k))))
    generator = np.random.default_rng(1)
    return np.array([np.arange(k), *(generator.permutation(k) for _ in range(permutations))])
