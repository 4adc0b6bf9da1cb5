"""How strong an unmeasured confounder would have to be to explain an association away."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class EValue:
    """Risk ratio that the confounder must have with both, for the estimate and for the interval's end nearer to none.

    ``risk_ratio`` is what the difference amounts to.
    """

    estimate: float
    interval: float
    risk_ratio: float


def e_value_of_difference(difference: float, standard_error: float, sigma: float) -> EValue:
    """E-value of a difference of means (VanderWeele and Ding 2017, doi:10.7326/M16-2607).

    The difference in standard deviations d is taken for a risk ratio exp(0.91 d), with the interval exp(0.91 d ± 1.78 SE);
    sigma counts as known, as in the R package EValue.

    Parameters
    ----------
    difference, standard_error : float, in the units of the outcome
    sigma : float
        Residual standard deviation of the outcome.
    """
    d, error = difference / sigma, standard_error / sigma
    low, high = np.exp(0.91 * d - 1.78 * error), np.exp(0.91 * d + 1.78 * error)
    nearer = 1.0 if low <= 1 <= high else (low if d > 0 else high)
    return EValue(_e_value(np.exp(0.91 * d)), _e_value(nearer), float(np.exp(0.91 * d)))


def _e_value(risk_ratio: float) -> float:
    ratio = max(risk_ratio, 1 / risk_ratio)
    return float(ratio + np.sqrt(ratio * (ratio - 1)))
