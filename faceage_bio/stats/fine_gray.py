"""Fine and Gray's model (1999) of the cumulative incidence of a cause of death, as cmprsk's ``crr``.

Those who died of something else stay at risk with a weight that falls as others are censored. Breslow's ties; the standard
errors allow for the estimated weights. R's ``survival::finegray`` with ``coxph`` differs from ``crr`` in about the fourth digit
(Efron's ties, errors that take the weights for known); the authors' own estimator is the one here.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason
from faceage_bio.stats.cox_fit import few_per_term
from faceage_bio.stats.design import independent_columns
from faceage_bio.stats.kaplan_meier import NORMAL_975, checked_times

MAX_STEPS = 50
PRECISION = 1e-10  # of the score, in units of its standard error
NO_END = 50.0  # a standard error of so many, per standard deviation of the term, is separation


@dataclass(frozen=True)
class FineGrayFit:
    """A fitted model.

    ``terms``: one row per term with log_hazard_ratio, standard_error, hazard_ratio (of the subdistribution), ci_lower,
    ci_upper, p_value. ``reasons`` flag few events per variable.
    """

    terms: pd.DataFrame
    n: int
    n_events: int
    log_likelihood: float
    log_likelihood_null: float
    reasons: tuple[Reason, ...]


def fit_fine_gray(years: pd.Series, cause: pd.Series, of: int, design: pd.DataFrame) -> FineGrayFit:
    """Fit by weighted partial likelihood; Wald intervals from the sandwich of Fine and Gray.

    Parameters
    ----------
    years : Series of float, shape (n,)
        End of observation; all are observed from 0 on.
    cause : Series of whole numbers, shape (n,)
        0 = censored, otherwise the cause of death.
    of : int
        The cause that is modelled.
    design : DataFrame of float, shape (n, p)

    Raises
    ------
    FitError
        Impossible times, fewer than 2 deaths of the cause or fewer than terms, a term that does not vary or that others
        determine, no convergence, or a term that separates.
    """
    time, cause, _ = checked_times(years, cause, None)
    n_events = int((cause == of).sum())
    if n_events < max(2, design.shape[1]):
        raise FitError("few_events_for_terms", n_events=n_events, terms=design.shape[1])
    if determined := sorted(set(design.columns) - set(independent_columns(design))):
        raise FitError("determined", columns=", ".join(determined))
    spread = design.std(ddof=0).to_numpy()
    scaled = (design.to_numpy(dtype=np.float64) - design.mean().to_numpy()) / spread
    order = np.argsort(time, kind="stable")
    data = _Weighted(time[order], cause[order], of, scaled[order])
    beta = np.zeros(design.shape[1])
    null = likelihood = data.derivatives(beta)[0]
    for _ in range(MAX_STEPS):
        likelihood, score, information = data.derivatives(beta)
        try:
            step = np.linalg.solve(information, score)
        except np.linalg.LinAlgError:
            raise FitError("singular_information") from None
        if score @ step < PRECISION**2:
            break
        while data.derivatives(beta + step)[0] < likelihood - 1e-9 * abs(likelihood):
            step = step / 2
        beta = beta + step
    else:
        raise FitError("not_converged_in_steps", steps=MAX_STEPS)
    with np.errstate(invalid="ignore"):  # rounding makes the variance of an undetermined term negative
        flat = np.sqrt(np.diag(np.linalg.inv(information)))
    if not np.isfinite(flat).all() or flat.max() > NO_END:
        raise FitError("separated_by_cause", columns=design.columns[flat.argmax()])
    influence = np.linalg.solve(information, data.residuals(beta).T)
    log_ratio, error = beta / spread, np.sqrt(np.sum(influence**2, axis=1)) / spread
    terms = pd.DataFrame({
        "log_hazard_ratio": log_ratio, "standard_error": error, "hazard_ratio": np.exp(log_ratio),
        "ci_lower": np.exp(log_ratio - NORMAL_975 * error), "ci_upper": np.exp(log_ratio + NORMAL_975 * error),
        "p_value": 2 * norm.sf(np.abs(log_ratio / error)),
    }, index=design.columns)  # fmt: skip
    return FineGrayFit(
        terms, len(time), n_events, float(likelihood), float(null), few_per_term(n_events, design.shape[1])
    )


class _Weighted:
    """The sums over those at risk, for participants in order of time; no table of participants by times is made."""

    def __init__(self, time: np.ndarray, cause: np.ndarray, of: int, design: np.ndarray):
        self.design = design
        self.mine, self.competing, self.censored = cause == of, (cause > 0) & (cause != of), cause == 0
        self.times, self.place = np.unique(time, return_inverse=True)
        n_times = len(self.times)
        self.n_at_risk = len(time) - np.searchsorted(time, self.times, side="left")
        self.n_censored = np.bincount(self.place, weights=self.censored, minlength=n_times)
        self.deaths = np.bincount(self.place, weights=self.mine, minlength=n_times)
        # how many are not censored yet, just before each time; deaths come before the censorings of their time
        remaining = np.cumprod(1 - self.n_censored / self.n_at_risk)
        self.uncensored = np.concatenate([[1.0], remaining[:-1]])
        self.weight = np.where(self.competing, 1 / self.uncensored[self.place], 0.0)

    def _at_risk(self, values: np.ndarray) -> np.ndarray:
        """Weighted sums, at each time, over those at risk; values (n, ...)."""
        at_times = np.zeros((len(self.times), *values.shape[1:]))
        np.add.at(at_times, self.place, values)
        living = at_times[::-1].cumsum(axis=0)[::-1]
        gone = np.zeros_like(at_times)
        np.add.at(gone, self.place, values * self.weight.reshape(-1, *[1] * (values.ndim - 1)))
        gone = np.concatenate([np.zeros_like(gone[:1]), gone.cumsum(axis=0)[:-1]])
        return living + gone * self.uncensored.reshape(-1, *[1] * (values.ndim - 1))

    def _sums(self, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """exp(x beta) of each, their sum over those at risk, and the mean of x over them."""
        risk = np.exp(self.design @ beta)
        total = self._at_risk(risk)
        return risk, total, self._at_risk(risk[:, None] * self.design) / total[:, None]

    def derivatives(self, beta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Log partial likelihood, score and information."""
        risk, total, mean = self._sums(beta)
        squares = self._at_risk(risk[:, None, None] * self.design[:, :, None] * self.design[:, None, :])
        spread = squares / total[:, None, None] - mean[:, :, None] * mean[:, None, :]
        likelihood = self.design[self.mine].sum(axis=0) @ beta - self.deaths @ np.log(total)
        score = self.design[self.mine].sum(axis=0) - self.deaths @ mean
        return float(likelihood), score, np.tensordot(self.deaths, spread, axes=1)

    def residuals(self, beta: np.ndarray) -> np.ndarray:
        """What each contributes to the score (n, p), the estimation of the weights included (eta and psi of the paper)."""
        risk, total, mean = self._sums(beta)
        hazard = self.deaths / total
        fading = hazard * self.uncensored
        so_far, so_far_mean = np.cumsum(hazard), np.cumsum(hazard[:, None] * mean, axis=0)
        faded, faded_mean = np.cumsum(fading), np.cumsum(fading[:, None] * mean, axis=0)
        x, place = self.design, self.place
        eta = np.where(self.mine[:, None], x - mean[place], 0.0)
        eta -= risk[:, None] * (x * so_far[place, None] - so_far_mean[place])
        # those dead of something else stay at risk until the end
        ahead, ahead_mean = faded[-1] - faded, faded_mean[-1] - faded_mean
        eta -= (risk * self.weight)[:, None] * (x * ahead[place, None] - ahead_mean[place])
        # what a censoring at a time changes: the weights, from then on, of those dead of something else before; the paper and
        # crr count the time itself in "from then on"
        ahead, ahead_mean = ahead + fading, ahead_mean + fading[:, None] * mean
        weighted = np.zeros((len(self.times), 1 + x.shape[1]))
        np.add.at(weighted, place, (risk * self.weight)[:, None] * np.column_stack([np.ones(len(x)), x]))
        gone = np.concatenate([np.zeros((1, weighted.shape[1])), np.cumsum(weighted, axis=0)[:-1]])
        change = gone[:, 1:] * ahead[:, None] - gone[:, :1] * ahead_mean
        per_person = change / self.n_at_risk[:, None]
        compensator = np.cumsum(per_person * (self.n_censored / self.n_at_risk)[:, None], axis=0)
        psi = np.where(self.censored[:, None], per_person[place], 0.0) - compensator[place]
        return eta + psi
