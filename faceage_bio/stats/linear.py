"""Least squares with standard errors that do not assume equal variances, adjusted means, and Welch's comparison."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import special, stats

from faceage_bio.core.errors import FitError
from faceage_bio.stats.blocks import split
from faceage_bio.stats.design import RANK_TOLERANCE, independent, independent_columns

NORMAL_975 = float(stats.norm.ppf(0.975))
NOTHING = 1e-20  # of a variance: a smaller one is rounding of zero
CANCELLED = 1e-12  # of the parts that a variance is the sum of: a smaller one is rounding of zero


@dataclass(frozen=True)
class Estimate:
    """One number with its 95% confidence interval and two-sided p-value.

    ``standard_error`` on the scale of the interval (log for ratios, Fisher's z for correlations);
    ``statistic`` of the test. Both NaN where the method has none.
    """

    estimate: float
    ci_lower: float
    ci_upper: float
    p_value: float
    standard_error: float = np.nan
    statistic: float = np.nan

    @classmethod
    def of(cls, row: pd.Series) -> "Estimate":
        """The estimate of a row of `LinearFit.terms` or `LinearFit.combine`.

        Raises
        ------
        FitError
            Without a standard error: the groups that it compares do not vary.
        """
        columns = ["estimate", "ci_lower", "ci_upper", "p_value", "standard_error"]
        value, lower, upper, p_value, error = row[columns].astype(float).tolist()
        if not error > 0:
            raise FitError("values_constant")
        return cls(value, lower, upper, p_value, error, value / error)

    @classmethod
    def by_t(cls, value: float, error: float, df: float = np.inf, null: float = 0.0) -> "Estimate":
        """With the t interval and test against ``null``; without an end to ``df`` those of the normal distribution."""
        reference = stats.norm if np.isinf(df) else stats.t(df)
        half = reference.ppf(0.975) * error
        p_value = 2 * reference.sf(abs(value - null) / error)
        return cls(*map(float, (value, value - half, value + half, p_value, error, (value - null) / error)))


@dataclass(frozen=True)
class LinearFit:
    """A least-squares fit whose combinations of coefficients can be asked for.

    ``terms``: one row per coefficient (``intercept`` first) with estimate, standard_error, ci_lower,
    ci_upper, p_value. ``covariance``: HC3, same order. ``df``: n - p; ``rss``: residual sum of squares;
    ``sigma``: residual standard deviation.
    """

    terms: pd.DataFrame
    covariance: pd.DataFrame
    df: int
    rss: float
    n: int

    @property
    def sigma(self) -> float:
        """Residual standard deviation."""
        return float(np.sqrt(self.rss / self.df))

    def combine(self, weights: pd.DataFrame) -> pd.DataFrame:
        """Weighted sums of the coefficients, as emmeans makes them: t intervals with the fit's degrees of freedom.

        Parameters
        ----------
        weights : DataFrame, one row per sum, columns are coefficients (those not named weigh nothing)

        Returns
        -------
        DataFrame, one row per sum
            Columns estimate, standard_error, ci_lower, ci_upper, p_value (of the test against zero).
        """
        full = weights.reindex(columns=self.terms.index, fill_value=0.0).to_numpy(dtype=np.float64)
        estimate = full @ self.terms["estimate"].to_numpy()
        covariance = self.covariance.to_numpy()
        variance = np.einsum("ij,jk,ik->i", full, covariance, full)
        size = np.einsum("ij,jk,ik->i", np.abs(full), np.abs(covariance), np.abs(full))
        error = np.sqrt(np.where(variance > CANCELLED * size, variance, 0.0))
        return with_t(estimate, error, self.df, weights.index)

    def wald(self, names: Sequence[str]) -> "WaldTest":
        """Whether these coefficients are all zero, as R's ``linearHypothesis(fit, names, vcov. = vcovHC(fit, "HC3"))``.

        Raises
        ------
        FitError
            No name, or their covariance is singular.
        """
        beta = self.terms.loc[list(names), "estimate"].to_numpy()
        covariance = self.covariance.loc[list(names), list(names)].to_numpy()
        if len(beta) == 0 or np.linalg.matrix_rank(covariance) < len(beta):
            raise FitError("singular_terms")
        statistic = float(beta @ np.linalg.solve(covariance, beta)) / len(beta)
        return WaldTest(statistic, len(beta), self.df, float(stats.f.sf(statistic, len(beta), self.df)))


@dataclass(frozen=True)
class WaldTest:
    """F statistic with its degrees of freedom and p-value."""

    f_statistic: float
    df_terms: int
    df_residual: int
    p_value: float


def least_squares(y: pd.Series, design: pd.DataFrame) -> pd.DataFrame:
    """The coefficients of `fit_linear`: estimate, standard_error, ci_lower, ci_upper, p_value for each term."""
    return fit_linear(y, design).terms


def fit_linear(y: pd.Series, design: pd.DataFrame) -> LinearFit:
    """Ordinary least squares with an intercept; HC3 standard errors, t reference with n - p degrees of freedom.

    Equals R's ``coeftest(lm(...), vcovHC(..., type = "HC3"))``. MacKinnon and White 1985,
    doi:10.1016/0304-4076(85)90158-7.

    Parameters
    ----------
    y : Series of float, shape (n,)
    design : DataFrame of float, shape (n, p), same index, without intercept

    Raises
    ------
    FitError
        Fewer rows than terms + 2, a term that others determine, a row that alone determines a term, or
        nothing left over.
    """
    names = ["intercept", *design.columns]
    x = np.column_stack([np.ones(len(design)), design.to_numpy(dtype=np.float64)])
    n, p = x.shape
    if n < p + 2:
        raise FitError("too_few_rows", n=n, parameters=p)
    length = np.maximum(np.linalg.norm(x, axis=0), 1e-300)
    q, r = np.linalg.qr(x / length)
    if np.linalg.svd(r, compute_uv=False)[-1] <= RANK_TOLERANCE:
        determined = sorted(set(design.columns) - set(independent_columns(design)))
        raise FitError("collinear", columns=determined)
    leverage = leverages(q, "one_row_decides")
    outcome = y.to_numpy(dtype=np.float64)
    inverse = np.linalg.solve(r, q.T) / length[:, np.newaxis]
    estimate, residuals = inverse @ outcome, outcome - q @ (q.T @ outcome)
    rss = float(residuals @ residuals)
    if rss <= NOTHING * max(float(outcome @ outcome), 1e-300):
        raise FitError("outcome_follows")
    covariance = np.square(residuals / (1 - leverage)) * inverse @ inverse.T
    # of terms that rest on groups without spread
    flat = np.diag(covariance) <= NOTHING * rss / (n - p) * (inverse**2).sum(axis=1)
    covariance[flat], covariance[:, flat] = 0.0, 0.0
    terms = with_t(estimate, np.sqrt(np.diag(covariance)), n - p, names)
    return LinearFit(terms, pd.DataFrame(covariance, index=names, columns=names), n - p, rss, n)


def leverages(q: np.ndarray, code: str = "single_sample_term") -> np.ndarray:
    """Leverage of each row, shape (n,), of a design whose orthonormal basis is ``q``.

    Raises
    ------
    FitError
        A row of leverage 1, which is fitted exactly, with this ``code``: errors divide by one minus the leverage.
    """
    leverage = (q**2).sum(axis=1)
    if leverage.max() > 1 - 1e-10:
        raise FitError(code)
    return leverage


def with_t(estimate: np.ndarray, error: np.ndarray, df: float, names: Sequence[str]) -> pd.DataFrame:
    """Estimates with t intervals and p-values of the tests against zero; NaN where there is no error."""
    half = special.stdtrit(df, 0.975) * error
    ratio = np.divide(np.abs(estimate), error, out=np.full_like(error, np.nan), where=error > 0)
    ends = {"ci_lower": estimate - half, "ci_upper": estimate + half}
    found = {"estimate": estimate, "standard_error": error, **ends, "p_value": 2 * special.stdtr(df, -ratio)}
    return pd.DataFrame(found, index=names)


def welch(a: np.ndarray, b: np.ndarray) -> Estimate:
    """Difference of means a - b without assuming equal variances, as R's ``t.test(a, b)``.

    Raises
    ------
    FitError
        A group of fewer than 2, or no spread at all.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if min(len(a), len(b)) < 2:
        raise FitError("small_group", needed=2)
    if constant(a) and constant(b):
        raise FitError("values_constant")
    one, other = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    df = (one + other) ** 2 / (one**2 / (len(a) - 1) + other**2 / (len(b) - 1))
    return Estimate.by_t(a.mean() - b.mean(), np.sqrt(one + other), df)


def constant(values: np.ndarray) -> bool:
    """Whether values differ by rounding alone."""
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())


def mean_interval(values: np.ndarray) -> Estimate:
    """Mean with its t interval and the p-value of the test against zero.

    Raises
    ------
    FitError
        Fewer than 2 values, or they do not vary.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) < 2:
        raise FitError("too_few_values", needed=2)
    if constant(values):
        raise FitError("values_constant")
    return Estimate.by_t(values.mean(), values.std(ddof=1) / np.sqrt(len(values)), len(values) - 1)


def spread(values: pd.Series) -> float:
    """Standard deviation (n - 1).

    Raises
    ------
    FitError
        Fewer than 2 values.
    """
    if len(values) < 2:
        raise FitError("too_few_values", needed=2)
    return float(values.std())


def correlation(a: np.ndarray, b: np.ndarray) -> Estimate:
    """Pearson's r with Fisher's interval, as R's ``cor.test``.

    Raises
    ------
    FitError
        Fewer than 4 pairs, or one side does not vary.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if len(a) < 4 or constant(a) or constant(b):
        raise FitError("too_few_pairs", needed=4)
    test = stats.pearsonr(a, b)
    low, high = test.confidence_interval()
    return Estimate(*map(float, (test.statistic, low, high, test.pvalue, 1 / np.sqrt(len(a) - 3))))


def hc3(y: np.ndarray, design: np.ndarray, contrasts: np.ndarray) -> np.ndarray:
    """Weighted sums of coefficients of every outcome: estimate, HC3 standard error, t, two-sided p.

    Equals R's ``coeftest(lm(...), vcovHC(..., type = "HC3"))`` for each column. MacKinnon and White 1985,
    doi:10.1016/0304-4076(85)90158-7.

    Parameters
    ----------
    y : float array, shape (n_samples, n_outcomes)
    design : float array, shape (n_samples, p), of full rank, with its intercept
    contrasts : float array, shape (k, p)

    Returns
    -------
    float array, shape (4, k, n_outcomes)

    Raises
    ------
    FitError
        A sample alone determines a coefficient, so that its residual is zero whatever its value.
    """
    n, p = design.shape
    q, r = np.linalg.qr(design)
    leverage, scores = leverages(q), q.T @ y
    influence = np.linalg.solve(r.T, contrasts.T).T @ q.T  # of each sample on each sum, shape (k, n)
    estimate = np.linalg.solve(r.T, contrasts.T).T @ scores
    weights = (influence / (1 - leverage)) ** 2
    squares = []
    for part in split(np.arange(y.shape[1]), n):  # residuals of some outcomes at a time
        residuals = (y[:, part] - q @ scores[:, part]) ** 2
        residuals[:, residuals.sum(axis=0) <= NOTHING * (y[:, part] ** 2).sum(axis=0)] = 0.0
        found = weights @ residuals
        least = NOTHING * np.outer(weights.sum(axis=1), residuals.mean(axis=0))
        squares.append(np.where(found > least, found, 0.0))
    error = np.sqrt(np.concatenate(squares, axis=1))
    t = np.divide(estimate, error, out=np.full_like(estimate, np.nan), where=error > 0)
    return np.stack([estimate, error, t, 2 * stats.t.sf(np.abs(t), n - p)])


@dataclass(frozen=True)
class Margins:
    """``means``: one row per level; ``pairs``: one row per pair (first, second), the estimate is second minus first."""

    means: pd.DataFrame
    pairs: pd.DataFrame


def marginal_means(fit: LinearFit, design: pd.DataFrame, indicators: dict[str, str | None]) -> Margins:
    """Means and differences of a factor's levels over a balanced grid of everything else, as R's emmeans.

    Numeric covariates stand at their mean; every level of a further factor weighs the same, however many
    participants it has (``weights = "equal"``). By default emmeans takes a number of two values for a factor: equal
    with ``cov.keep = NULL``. Searle, Speed and Milliken 1980, doi:10.1080/00031305.1980.10483031.

    Parameters
    ----------
    fit : fit of ``design``
    design : DataFrame, shape (n, p)
        The columns of one factor are called ``factor: level``, as `build_design` makes them.
    indicators : level -> its column in ``design``, None for the reference level

    Returns
    -------
    Margins
        Columns as `LinearFit.combine`; pairs have the columns first and second besides.
    """
    own = {name for name in indicators.values() if name}
    grid = {"intercept": 1.0}
    for name in design.columns:
        if name in own:
            continue
        factor, colon, _ = name.partition(": ")
        siblings = [other for other in design.columns if colon and other.startswith(f"{factor}: ")]
        grid[name] = 1 / (len(siblings) + 1) if siblings else float(design[name].mean())
    rows = pd.DataFrame(
        [grid | {other: float(other == mine) for other in own} for mine in indicators.values()],
        index=pd.Index(list(indicators), name="level"),
    )
    pairs = list(combinations(indicators, 2))
    differences = pd.DataFrame(
        [rows.loc[second] - rows.loc[first] for first, second in pairs], columns=rows.columns
    ).reset_index(drop=True)
    named = pd.DataFrame(pairs, columns=["first", "second"])
    return Margins(fit.combine(rows), named.join(fit.combine(differences)))


def explained(y: np.ndarray, terms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """R squared of each outcome on the terms (and an intercept), and the p-value that they explain nothing.

    Equals R's ``summary(lm(y ~ terms))`` and ``anova(lm(y ~ terms), lm(y ~ 1))``; with the indicators of
    groups R squared is eta squared of an analysis of variance.

    Parameters
    ----------
    y : float array, shape (n,) or (n, k)
    terms : float array, shape (n, p), without intercept

    Returns
    -------
    two float arrays, shape (k,); NaN where an outcome does not vary

    Raises
    ------
    FitError
        No term, a term that follows from the others, or nothing left to judge by (n below p + 2).
    """
    y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
    terms = np.asarray(terms, dtype=np.float64).reshape(len(y), -1)
    n, p = terms.shape
    if not p:
        raise FitError("no_variation")
    if n < p + 2:
        raise FitError("too_few_samples_for_terms", n=n, terms=p)
    if not independent(terms):
        raise FitError("terms_follow")
    centred, q = y - y.mean(axis=0), np.linalg.qr(terms - terms.mean(axis=0))[0]
    total = (centred**2).sum(axis=0)
    within = ((centred - q @ (q.T @ centred)) ** 2).sum(axis=0)
    varies = total > NOTHING * np.maximum((y**2).sum(axis=0), 1e-300)
    share = np.where(varies, 1 - within / np.where(varies, total, 1), np.nan)
    with np.errstate(divide="ignore"):
        f = (share / p) / ((1 - share) / (n - p - 1))
    return share, np.where(varies, stats.f.sf(f, p, n - p - 1), np.nan)


def association_of_words(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """Cramer's V of two lists of words, and the p-value of the chi-squared test without correction, as R's ``chisq.test``.

    Raises
    ------
    FitError
        One of them has a single word.
    """
    table = stats.contingency.crosstab(np.asarray(one, dtype=str), np.asarray(other, dtype=str)).count
    if min(table.shape) < 2:
        raise FitError("no_variation")
    test = stats.chi2_contingency(table, correction=False)
    return float(np.sqrt(test.statistic / len(one) / (min(table.shape) - 1))), float(test.pvalue)
