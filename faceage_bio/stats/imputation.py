"""Missing values filled in several times by chained equations, and estimates pooled over the completed tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special, stats

from faceage_bio.core.errors import FitError

DONORS = 5  # people of whom one lends the value, as in mice
RIDGE = 1e-5  # as in mice: predictors may follow from each other
MAX_LEVELS = 20


def impute(table: pd.DataFrame, m: int, iterations: int, seed: int) -> list[pd.DataFrame]:
    """Chained equations (van Buuren 2011, doi:10.18637/jss.v045.i03): each column is drawn from a model of all others.

    Numbers by predictive mean matching (5 donors, so that only values that occur are lent), words by logistic
    or polytomous regression; the coefficients are drawn too, and perfect prediction is held off by augmented
    data (White, Daniel and Royston 2010, doi:10.1016/j.csda.2010.04.005).

    Parameters
    ----------
    table : DataFrame, shape (n, p)
        Columns of numbers or of words. What an analysis uses must all be in it, its outcome included.
    m : int
        Completed tables.
    iterations : int
        Rounds over all columns before a table is taken.
    seed : int
        The same seed gives the same tables.

    Returns
    -------
    list of m DataFrames, nothing missing

    Raises
    ------
    FitError
        A column without any value, a column of words with more than 20 levels, or fewer participants than predictors.
    """
    numeric = {name: pd.api.types.is_numeric_dtype(table[name]) for name in table}
    for name in table:
        if table[name].notna().sum() == 0:
            raise FitError("no_value_of", column=name)
        if not numeric[name] and table[name].nunique() > MAX_LEVELS:
            raise FitError("many_levels", column=name, levels=table[name].nunique(), most=MAX_LEVELS)
    columns = {name: _Column.of(table[name], numeric[name]) for name in table}
    gaps = {name: int(column.gap.sum()) for name, column in columns.items() if column.gap.any()}
    order = sorted(gaps, key=gaps.__getitem__)
    random = np.random.default_rng(seed)
    tables = []
    for _ in range(m):
        values = {name: column.values.copy() for name, column in columns.items()}
        for name in order:
            gap = columns[name].gap
            values[name][gap] = random.choice(values[name][~gap], gap.sum())
        for _ in range(iterations if order else 0):
            for name in order:
                x = _predictors({other: columns[other] for other in columns if other != name}, values)
                draw = _match_means if numeric[name] else _draw_words
                gap = columns[name].gap
                values[name][gap] = draw(values[name][~gap], x[:, _varying(x[~gap])], gap, random)
        decoded = {name: column.decode(values[name]) for name, column in columns.items()}
        tables.append(pd.DataFrame(decoded, index=table.index))
    return tables


@dataclass(frozen=True)
class _Column:
    """A column as numbers: its own, or the places of its words in ``words``."""

    values: np.ndarray
    gap: np.ndarray
    words: np.ndarray | None

    @classmethod
    def of(cls, series: pd.Series, numeric: bool) -> "_Column":
        gap = series.isna().to_numpy()
        if numeric:
            return cls(series.to_numpy(dtype=np.float64), gap, None)
        words, places = np.unique(series[~gap].astype(str), return_inverse=True)
        codes = np.zeros(len(series), dtype=np.int64)
        codes[~gap] = places
        return cls(codes, gap, words.astype(object))

    def decode(self, values: np.ndarray) -> np.ndarray:
        return values if self.words is None else self.words[values]


def _predictors(columns: Mapping[str, "_Column"], values: Mapping[str, np.ndarray]) -> np.ndarray:
    """An intercept, numbers on one scale, and words as 0/1."""
    n = len(next(iter(values.values())))
    parts = [np.ones(n)]
    for name, column in columns.items():
        if column.words is None:
            spread = values[name].std()
            if spread > 0:
                parts.append((values[name] - values[name].mean()) / spread)
        else:
            parts += [(values[name] == code).astype(np.float64) for code in range(1, len(column.words))]
    return np.column_stack(parts)


def _varying(x: np.ndarray) -> np.ndarray:
    """The intercept, and predictors that vary among those whose value is known: the others have no coefficient, and mice drops them."""
    varies = x.max(axis=0) > x.min(axis=0)
    varies[0] = True
    return varies


def _match_means(y: np.ndarray, x: np.ndarray, gap: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Predictive mean matching of type 1: observed participants by the fitted, missing ones by drawn coefficients."""
    observed, missing = x[~gap], x[gap]
    if len(y) <= x.shape[1]:
        raise FitError("too_few_rows", n=len(y), parameters=x.shape[1])
    product = observed.T @ observed
    inverse = np.linalg.inv(product + np.diag(RIDGE * np.diag(product)))
    beta = inverse @ observed.T @ y
    residual = y - observed @ beta
    sigma = np.sqrt(residual @ residual / random.chisquare(len(y) - x.shape[1]))
    root = np.linalg.cholesky((inverse + inverse.T) / 2)
    drawn = beta + sigma * root @ random.standard_normal(len(beta))
    fitted, wanted = observed @ beta, missing @ drawn
    distance = np.abs(wanted[:, None] - fitted[None, :])
    donors = min(DONORS, len(y))
    nearest = np.argpartition(distance, donors - 1, axis=1)[:, :donors]
    return y[nearest[np.arange(len(wanted)), random.integers(donors, size=len(wanted))]]


def _draw_words(known: np.ndarray, x: np.ndarray, gap: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Logistic (two words) or polytomous regression with drawn coefficients."""
    n_words = int(known.max()) + 1
    if n_words == 1:
        return np.zeros(gap.sum(), dtype=np.int64)
    rows, codes, weights = _augment(x[~gap], known, n_words)
    beta, covariance = _multinomial(rows, codes, weights, n_words)
    root = np.linalg.cholesky(covariance + 1e-12 * np.eye(len(covariance)))
    drawn = (beta.ravel() + root @ random.standard_normal(beta.size)).reshape(beta.shape)
    score = np.column_stack([np.zeros(gap.sum()), x[gap] @ drawn.T])
    chance = special.softmax(score, axis=1).cumsum(axis=1)
    return (random.random((gap.sum(), 1)) > chance).sum(axis=1).clip(max=n_words - 1)


def _augment(x: np.ndarray, codes: np.ndarray, n_words: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every word once above and once below the mean of each predictor, together as heavy as there are coefficients."""
    middle, spread = x.mean(axis=0), x.std(axis=0)
    apart = np.diag(spread)[1:]  # the intercept stays
    if not len(apart):
        return x, codes, np.ones(len(x))
    moved = middle + np.stack([-apart, apart], axis=1).reshape(-1, x.shape[1])
    added = np.repeat(moved, n_words, axis=0)
    weight = x.shape[1] / len(added)
    return (
        np.vstack([x, added]),
        np.concatenate([codes, np.tile(np.arange(n_words), len(moved))]),
        np.concatenate([np.ones(len(x)), np.full(len(added), weight)]),
    )


def _multinomial(
    x: np.ndarray, codes: np.ndarray, weights: np.ndarray, n_words: int
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted polytomous regression by Newton's method: coefficients (n_words - 1, p) against the first word, covariance."""
    p, k = x.shape[1], n_words - 1
    beta = np.zeros((k, p))
    target = (codes[:, None] == np.arange(1, n_words)).astype(np.float64)
    for _ in range(50):
        chance = special.softmax(np.column_stack([np.zeros(len(x)), x @ beta.T]), axis=1)[:, 1:]
        gradient = (weights[:, None] * (target - chance)).T @ x
        blocks = np.empty((k, p, k, p))
        for a in range(k):
            for b in range(a, k):
                part = weights * chance[:, a] * ((a == b) - chance[:, b])
                blocks[a, :, b, :] = blocks[b, :, a, :] = x.T @ (part[:, None] * x)
        information = blocks.reshape(k * p, k * p)
        information[np.diag_indices(k * p)] *= 1 + RIDGE
        information[np.diag_indices(k * p)] += 1e-10
        step = np.linalg.solve(information, gradient.ravel()).reshape(k, p)
        beta += np.clip(step, -5, 5)
        if np.abs(step).max() < 1e-8:
            break
    else:
        raise FitError("imputation_not_converged")
    covariance = np.linalg.inv(information)
    return beta, (covariance + covariance.T) / 2


@dataclass(frozen=True)
class Pooled:
    """A pooled estimate with its t interval; ``missing_information`` is the share of it that the gaps took."""

    estimate: float
    standard_error: float
    ci_lower: float
    ci_upper: float
    p_value: float
    df: float
    missing_information: float


def pool(estimates: Sequence[float], standard_errors: Sequence[float], df_complete: float) -> Pooled:
    """Rubin's rules with the degrees of freedom of Barnard and Rubin 1999 (doi:10.1093/biomet/86.4.948), as ``mice::pool``.

    Parameters
    ----------
    estimates, standard_errors : one for each completed table, at least 2
    df_complete : float
        Degrees of freedom if nothing had been missing; finite.

    Raises
    ------
    FitError
        Fewer than 2 estimates, or standard errors of zero.
    """
    q, variances = np.asarray(estimates, dtype=np.float64), np.asarray(standard_errors, dtype=np.float64) ** 2
    m = len(q)
    if m < 2:
        raise FitError("one_imputation")
    within, between = variances.mean(), q.var(ddof=1)
    total = within + (1 + 1 / m) * between
    if not within > 0:
        raise FitError("no_error")
    share = max((1 + 1 / m) * between / total, 1e-4)  # as mice: keeps the degrees of freedom finite
    old = (m - 1) / share**2
    observed = (df_complete + 1) / (df_complete + 3) * df_complete * (1 - share)
    df = old * observed / (old + observed)
    increase = (1 + 1 / m) * between / within
    error, mean = float(np.sqrt(total)), float(q.mean())
    half = float(stats.t.ppf(0.975, df)) * error
    return Pooled(
        mean, error, mean - half, mean + half, float(2 * stats.t.sf(abs(mean) / error, df)), float(df),
        float((increase + 2 / (df + 3)) / (increase + 1)),
    )  # fmt: skip
