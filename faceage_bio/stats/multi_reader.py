"""Several readers judge the same cases under several conditions: the analysis of Obuchowski and Rockette.

Obuchowski and Rockette 1995 (doi:10.1080/03610919508813243) with the degrees of freedom and the constraints
of Hillis (2007, doi:10.1002/sim.2532; 2014, doi:10.1002/sim.5926): negative covariance differences count as
zero. It takes any accuracies of readers with their covariance over cases, be it DeLong's, the jackknife's or
that of censored areas.

Whom the answer is about: ``both`` readers and cases are samples of others (the default); ``cases`` are, and
these readers are the only ones meant (fixed readers); ``readers`` are, and these cases are the only ones
meant (fixed cases).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from faceage_bio.core.errors import FitError
from faceage_bio.stats.linear import Estimate

Random = Literal["both", "cases", "readers"]


@dataclass(frozen=True)
class Components:
    """Mean squares and covariances of a reader study.

    ``error``: mean variance of an accuracy; ``cov1``: same reader, other condition; ``cov2``: same condition,
    other reader; ``cov3``: neither. ``reader`` and ``interaction``: variances between readers and of readers
    by conditions.
    """

    ms_condition: float
    ms_reader: float
    ms_interaction: float
    error: float
    cov1: float
    cov2: float
    cov3: float
    reader: float
    interaction: float


@dataclass(frozen=True)
class Inference:
    """An estimate with its degrees of freedom (infinite: a normal reference)."""

    estimate: Estimate
    df: float

    @property
    def standard_error(self) -> float:
        """Of the estimate."""
        return self.estimate.standard_error


@dataclass(frozen=True)
class Test:
    """Whether all conditions are equally accurate: F, or chi-square over its degrees of freedom where readers are fixed."""

    statistic: float
    df_conditions: int
    df_error: float
    p_value: float


@dataclass(frozen=True)
class ReaderStudy:
    """Accuracies, shape (t conditions, r readers), and their covariance, shape (t * r, t * r), condition by condition."""

    accuracy: np.ndarray
    covariance: np.ndarray

    def __post_init__(self) -> None:
        t, r = self.accuracy.shape
        if self.covariance.shape != (t * r, t * r):
            raise FitError("unfit_covariance", conditions=t, readers=r, shape=list(self.covariance.shape))

    def _blocks(self) -> np.ndarray:
        """The covariance as [condition, reader, condition, reader]."""
        t, r = self.accuracy.shape
        return self.covariance.reshape(t, r, t, r)

    def components(self) -> Components:
        """Mean squares and covariances.

        Raises
        ------
        FitError
            Fewer than two readers or two conditions.
        """
        t, r = self.accuracy.shape
        if t < 2 or r < 2:
            raise FitError("two_conditions_two_readers")
        mean, by_condition, by_reader = (self.accuracy.mean(axis=axis) for axis in (None, 1, 0))
        rest = self.accuracy - by_condition[:, None] - by_reader + mean
        ms_condition = r * ((by_condition - mean) ** 2).sum() / (t - 1)
        ms_reader = t * ((by_reader - mean) ** 2).sum() / (r - 1)
        ms_interaction = (rest**2).sum() / ((t - 1) * (r - 1))
        c = self._blocks()
        same_both = np.einsum("irir->", c)
        same_reader = np.einsum("irjr->", c) - same_both
        same_condition = np.einsum("iris->", c) - same_both
        neither = c.sum() - same_both - same_reader - same_condition
        error, cov1 = same_both / (t * r), same_reader / (r * t * (t - 1))
        cov2, cov3 = same_condition / (t * r * (r - 1)), neither / (t * (t - 1) * r * (r - 1))
        return Components(
            ms_condition, ms_reader, ms_interaction, error, cov1, cov2, cov3,
            reader=(ms_reader - ms_interaction) / t - cov1 + cov3,
            interaction=ms_interaction - error + cov1 + max(cov2 - cov3, 0.0),
        )  # fmt: skip

    def test(self, random: Random = "both") -> Test:
        """The test of equal conditions.

        Raises
        ------
        FitError
            Fewer than two readers or conditions, or nothing varies.
        """
        t = len(self.accuracy)
        found = self.components()
        error, df = self._error(found, random)
        statistic = found.ms_condition / error
        if random == "cases":
            return Test(statistic, t - 1, np.inf, float(stats.chi2.sf((t - 1) * statistic, t - 1)))
        return Test(statistic, t - 1, df, float(stats.f.sf(statistic, t - 1, df)))

    def difference(self, first: int, second: int, random: Random = "both") -> Inference:
        """Mean accuracy of the first condition minus the second, all conditions giving the error.

        Raises
        ------
        FitError
            Fewer than two readers or conditions, or nothing varies.
        """
        error, df = self._error(self.components(), random)
        means = self.accuracy.mean(axis=1)
        return _t(means[first] - means[second], np.sqrt(2 * error / self.accuracy.shape[1]), df)

    def _error(self, found: Components, random: Random) -> tuple[float, float]:
        """Denominator of the test of conditions, and its degrees of freedom."""
        t, r = self.accuracy.shape
        between = max(found.cov2 - found.cov3, 0.0)
        error, df = _variance(
            found.ms_interaction, (t - 1) * (r - 1), found.error - found.cov1, r, between, random
        )
        if not error > 1e-15:
            raise FitError("constant_differences")
        return error, df


def _variance(
    mean_square: float, df: float, error: float, r: int, between: float, random: Random
) -> tuple[float, float]:
    """Variance of what is tested, times r readers, and its degrees of freedom.

    Parameters
    ----------
    mean_square, df : between readers
    error, between : over cases, of one reader's accuracy and between those of two readers
    """
    if random == "readers":
        return float(mean_square), float(df)
    if random == "cases":
        return float(error + (r - 1) * between), np.inf
    total = float(mean_square + r * between)
    return total, np.inf if mean_square == 0 else float(df * (total / mean_square) ** 2)


def mean_accuracy(
    accuracy: np.ndarray, covariance: np.ndarray, random: Random = "both", null: float = 0.0
) -> Inference:
    """Mean of several readers of the same cases.

    Parameters
    ----------
    accuracy : float array, shape (r,)
    covariance : float array, shape (r, r), over cases
    null : float
        What the p-value tests the mean against.

    Raises
    ------
    FitError
        Fewer than two readers, or nothing varies.
    """
    r = len(accuracy)
    if r < 2:
        raise FitError("two_readers")
    between = max((covariance.sum() - np.trace(covariance)) / (r * (r - 1)), 0.0)
    total, df = _variance(accuracy.var(ddof=1), r - 1, np.trace(covariance) / r, r, between, random)
    if not total > 1e-15:
        raise FitError("constant_readers_and_cases")
    return _t(accuracy.mean(), np.sqrt(total / r), df, null)


def against_standard(
    accuracy: np.ndarray, standard: float, covariance: np.ndarray, random: Random = "both"
) -> Inference:
    """Mean of the readers minus one standard, such as a model, that judged the same cases.

    The analysis of a single condition (Hillis et al. 2005, doi:10.1002/sim.2024) of each reader's difference
    to the standard: readers are sampled, the standard is the same whoever reads.

    Parameters
    ----------
    accuracy : float array, shape (r,)
    standard : float
    covariance : float array, shape (r + 1, r + 1), over cases, the standard last

    Raises
    ------
    FitError
        Fewer than two readers, or nothing varies.
    """
    r = len(accuracy)
    weights = np.hstack([np.eye(r), -np.ones((r, 1))])
    return mean_accuracy(accuracy - standard, weights @ covariance @ weights.T, random)


def mean_covariance(values: np.ndarray) -> np.ndarray:
    """Covariance of the readers' means over the same cases; shape (n_cases, r) -> (r, r)."""
    return np.atleast_2d(np.cov(values, rowvar=False)) / len(values)


def _t(value: float, error: float, df: float, null: float = 0.0) -> Inference:
    return Inference(Estimate.by_t(value, error, df, null), float(df))
