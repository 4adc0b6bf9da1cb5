"""How much of the spread of outcomes a set of terms explains, with the overall F test."""

import numpy as np
from scipy import stats

from faceage_bio.core.errors import FitError
from faceage_bio.stats.design import independent


def explained(y: np.ndarray, terms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """R squared of each outcome on the terms (and an intercept), and the p-value that they explain nothing.

    Equals R's ``summary(lm(y ~ terms))`` and ``anova(lm(y ~ terms), lm(y ~ 1))``; with the indicators of groups R squared is
    eta squared of an analysis of variance.

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
    varies = total > 1e-20 * np.maximum((y**2).sum(axis=0), 1e-300)
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
    a, b = (np.unique(np.asarray(words, dtype=str), return_inverse=True)[1] for words in (one, other))
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1)
    if min(table.shape) < 2:
        raise FitError("no_variation")
    test = stats.chi2_contingency(table, correction=False)
    return float(np.sqrt(test.statistic / len(a) / (min(table.shape) - 1))), float(test.pvalue)
