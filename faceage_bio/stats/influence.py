"""Measures of several scores on the same rows, with how much each row moves them: errors, intervals, paired differences."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.stats.delong import normal_estimate
from faceage_bio.stats.linear import Estimate


@dataclass(frozen=True, eq=False)
class Measured:
    """One measure of k scores.

    ``value``: shape (k,); ``influence``: shape (n, k), scaled so that the sum of squares of a column is the variance of its
    value (the infinitesimal jackknife); ``low`` and ``high``: ends of what the measure can be; ``null``: its value by chance.
    """

    value: np.ndarray
    influence: np.ndarray
    low: float = 0.0
    high: float = 1.0
    null: float = np.nan

    @property
    def covariance(self) -> np.ndarray:
        """Covariance of the values, shape (k, k)."""
        return self.influence.T @ self.influence

    def error(self, score: int) -> float:
        """Standard error of one value."""
        return float(np.sqrt(self.influence[:, score] @ self.influence[:, score]))

    def of(self, score: int) -> Estimate:
        """One value with its normal interval, cut where the measure ends, and the test against chance (NaN if it has none)."""
        return normal_estimate(
            self.value[score], self.error(score), null=self.null, low=self.low, high=self.high
        )

    def difference(self, first: int, second: int) -> Estimate:
        """First minus second, paired, with the test against no difference; NaN beside it where the two never differ."""
        return normal_estimate(
            self.value[first] - self.value[second], self.error_of_difference(first, second)
        )

    def error_of_difference(self, first: int, second: int) -> float:
        """Standard error of first minus second, paired."""
        moved = self.influence[:, first] - self.influence[:, second]
        return float(np.sqrt(moved @ moved))

    def clustered(self, labels: np.ndarray) -> "Measured":
        """The same, with rows of one label taken together: they need not be independent."""
        codes, levels = pd.factorize(pd.Series(np.asarray(labels)))
        sums = np.zeros((len(levels), self.influence.shape[1]))
        np.add.at(sums, codes, self.influence)
        return Measured(self.value, sums, self.low, self.high, self.null)


def scaled(influence: np.ndarray) -> np.ndarray:
    """Influence functions (mean over rows = the measure's error) -> the scale of `Measured`, with n - 1 as for a variance."""
    n = len(influence)
    return (influence - influence.mean(axis=0)) / np.sqrt(n * (n - 1))
