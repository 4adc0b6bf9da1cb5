"""Competing risks: cumulative incidence, Gray's test, and Fine and Gray's model.

Causes are whole numbers: 0 = censored, 1, 2 ... = died of that cause. One minus Kaplan-Meier, which censors
the other deaths, would count participants as still able to die of the cause who are dead; these curves do
not.

Fine and Gray's model (1999) of the cumulative incidence of a cause of death, as cmprsk's ``crr``.

Those who died of something else stay at risk with a weight that falls as others are censored. Breslow's ties;
the standard errors allow for the estimated weights. R's ``survival::finegray`` with ``coxph`` differs from
``crr`` in about the fourth digit (Efron's ties, errors that take the weights for known); the authors' own
estimator is the one here.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason
from faceage_bio.stats.cox import NO_END
from faceage_bio.stats.cox_fit import few_per_term, hazard_ratios
from faceage_bio.stats.design import independent_columns
from faceage_bio.stats.kaplan_meier import (
    Interval,
    Test,
    checked_times,
    chi_square,
    confidence_limits,
    number_at,
    number_at_risk,
    step_curve,
)

ROUNDING = 1e-13  # what is left of a difference of equal sums
MAX_STEPS = 50
PRECISION = 1e-10  # of the score, in units of its standard error


def cumulative_incidence(
    years: np.ndarray,
    cause: np.ndarray,
    of: int,
    entry: np.ndarray | None = None,
    *,
    interval: Interval = "log-log",
) -> pd.DataFrame:
    """Share that has died of a cause by each time, from time 0 (Aalen and Johansen), as R's multi-state ``survfit``.

    Parameters
    ----------
    years : array of float, shape (n,)
        End of observation.
    cause : array of whole numbers, shape (n,)
        0 = censored, otherwise the cause of death.
    of : int
        The cause that is counted.
    entry : array of float, shape (n,), optional
        Start of observation; NaN = from time 0.
    interval : "log-log", "log" or "plain"

    Returns
    -------
    DataFrame
        years, at_risk, events (deaths of the cause), other_events, censored, incidence, standard_error
        (infinitesimal jackknife), ci_lower, ci_upper (NaN where the type has none, such as at 0 and 1), interval.

    Raises
    ------
    FitError
        As `kaplan_meier.kaplan_meier`.
    """
    cause = np.asarray(cause, dtype=np.float64)
    years, cause, entry = checked_times(years, cause, entry)
    times, place = np.unique(years, return_inverse=True)
    mine, any_cause = (
        np.bincount(place, weights=which, minlength=len(times)) for which in (cause == of, cause > 0)
    )
    at_risk = number_at_risk(times, years, entry)
    survival = np.cumprod(1 - any_cause / at_risk)
    before = np.concatenate([[1.0], survival[:-1]])
    incidence = np.cumsum(before * mine / at_risk)
    error = _jackknife(times, place, entry, cause, of, incidence, before, mine, any_cause, at_risk)
    lower, upper = confidence_limits(incidence, error, interval)
    known = (
        error > 0
    )  # there is no interval before the first death of the cause, nor where all have died of it
    censored = np.bincount(place, minlength=len(times)) - any_cause
    return step_curve(
        interval,
        years=(0.0, times),
        at_risk=(float(np.sum(entry <= 0)), at_risk),
        events=(0, mine),
        other_events=(0, any_cause - mine),
        censored=(0, censored),
        incidence=(0.0, incidence),
        standard_error=(0.0, error),
        ci_lower=(np.nan, np.where(known, lower, np.nan)),
        ci_upper=(np.nan, np.where(known, upper, np.nan)),
    )


def _jackknife(
    times: np.ndarray, place: np.ndarray, entry: np.ndarray, cause: np.ndarray, of: object, incidence: np.ndarray,
    before: np.ndarray, mine: np.ndarray, any_cause: np.ndarray, at_risk: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Standard errors: the root of the sum of squares of each one's influence on the incidence F(t).

    Somebody's influence is U(t) = A(t) - F(t) B(t). A and B fall while he is at risk, by what those at risk
    share of each death, and leap when he dies; so both are differences of curves that all have in common, and
    the squares of all participants can be summed by cumulative sums, without a table of participants by
    times.
    """
    n_times = len(times)
    one, rest = before / at_risk, at_risk - any_cause
    with np.errstate(divide="ignore"):
        every = np.where(rest > 0, 1 / np.where(rest > 0, rest, 1), 0.0)  # 1 / (n (1 - d / n))
    fall_a = np.cumsum(one * mine / at_risk + incidence * every * any_cause / at_risk)
    fall_b = np.cumsum(every * any_cause / at_risk)
    # what had fallen before somebody came
    came = np.searchsorted(times, entry, side="right")
    start_a, start_b = (np.concatenate([[0.0], fall])[came] for fall in (fall_a, fall_b))
    died = cause > 0
    last_a = start_a - fall_a[place] + np.where(cause == of, one[place], 0.0)
    last_a = last_a + np.where(died, (incidence * every)[place], 0.0)
    last_b = start_b - fall_b[place] + np.where(died, every[place], 0.0)

    def left(values: np.ndarray) -> np.ndarray:  # summed over those who have left until each time
        return np.cumsum(np.bincount(place, weights=values, minlength=n_times))

    def there(values: np.ndarray) -> np.ndarray:  # summed over those who have come and have not left
        return np.cumsum(np.bincount(came, weights=values, minlength=n_times + 1))[:n_times] - left(values)

    everybody = np.ones(len(entry))
    n, sum_a, sum_b = there(everybody), there(start_a), there(start_b)
    square_a = left(last_a**2) + there(start_a**2) - 2 * fall_a * sum_a + n * fall_a**2
    square_b = left(last_b**2) + there(start_b**2) - 2 * fall_b * sum_b + n * fall_b**2
    both = left(last_a * last_b) + there(start_a * start_b) - fall_a * sum_b - fall_b * sum_a
    both = both + n * fall_a * fall_b
    squares = square_a - 2 * incidence * both + incidence**2 * square_b
    return np.sqrt(np.where(squares > ROUNDING * square_a, squares, 0.0))


def gray_test(
    years: np.ndarray,
    cause: np.ndarray,
    of: int,
    group: np.ndarray,
    strata: np.ndarray | None = None,
    rho: float = 0.0,
) -> Test:
    """Whether the cumulative incidence of a cause differs between k groups (Gray 1988), as cmprsk's ``cuminc``.

    A group that is never at risk at a death of the cause does not count; R gives no test then.

    Parameters
    ----------
    years, cause, of : as in `cumulative_incidence`; the test knows no delayed entry
    group : array, shape (n,)
    strata : array, shape (n,), optional
        Groups are compared within each stratum only.
    rho : float
        Deaths count (1 - F)^rho with F the common incidence just before.

    Returns
    -------
    Test
        NaN with one group, if no participant died of the cause, or if the deaths compare no groups.
    """
    years, cause, _ = checked_times(years, np.asarray(cause, dtype=np.float64), None)
    names, code = np.unique(np.asarray(group), return_inverse=True)
    k = len(names)
    parts = np.zeros(len(years), dtype=int) if strata is None else pd.factorize(np.asarray(strata))[0]
    score, covariance, known = np.zeros(k), np.zeros((k, k)), np.zeros(k, dtype=bool)
    for part in np.unique(parts):
        mine = parts == part
        found = _gray_scores(years[mine], cause[mine], of, code[mine], k, rho)
        score, covariance, known = score + found[0], covariance + found[1], known | found[2]
    df = max(int(known.sum()) - 1, 0)
    excess, inner = score[known][:-1], covariance[np.ix_(known, known)][:-1, :-1]
    if not df or not np.isfinite(inner).all() or np.linalg.matrix_rank(inner) < df:
        return Test(np.nan, df, np.nan)
    return chi_square(float(excess @ np.linalg.solve(inner, excess)), df)


def _gray_scores(
    years: np.ndarray, cause: np.ndarray, of: object, code: np.ndarray, k: int, rho: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One stratum's scores (k,), their covariance (k, k), and which groups are at risk at a death of the cause (k,).

    Deaths of the cause are compared with those expected if all groups had one subdistribution hazard, among
    those at risk of it: the living, and those dead of other causes as far as they would not have been
    censored yet.
    """
    times = np.unique(years[cause > 0])
    members = [code == one for one in range(k)]
    always = np.full(len(years), -np.inf)
    at_risk = np.array([number_at_risk(times, years[m], always[m]) for m in members], dtype=np.float64)

    mine, other = (
        number_at(times, [years[m & which] for m in members])
        for which in (cause == of, (cause > 0) & (cause != of))
    )
    there = at_risk > 0
    safe = np.where(there, at_risk, 1.0)
    after = np.cumprod(1 - (mine + other) / safe, axis=1)
    before = np.column_stack([np.ones(k), after[:, :-1]])
    incidence = np.cumsum(before * mine / safe, axis=1)
    incidence_before = np.column_stack([np.zeros(k), incidence[:, :-1]])
    # at risk as if nobody had died: each living stands for those whom his group has lost
    weight = np.where(there, at_risk / np.where(there, before, 1.0), 0.0)
    total, deaths_of = weight.sum(axis=0), mine.sum(axis=0)
    exposed = weight * (1 - incidence_before)
    pooled = np.cumsum(deaths_of / total)
    pooled_before = np.concatenate([[0.0], pooled[:-1]])
    early = (1 - pooled_before) ** rho
    score = ((mine - exposed * deaths_of / exposed.sum(axis=0)) * early).sum(axis=1)
    # how the score moves with a death in group j: at once (now), and later through the common curve (still)
    now = early * weight[:, None, :] * (np.eye(k)[:, :, None] - weight / total)
    with np.errstate(divide="ignore"):
        # of a group alone nothing moves, also where the common curve has reached 1
        step = np.divide(now * deaths_of, total * (1 - pooled_before), out=np.zeros_like(now), where=now != 0)
    later = np.cumsum(step, axis=2)
    still = later[:, :, -1:] - later
    alive = after > 0
    share = np.where(alive, (1 - pooled) / np.where(alive, after, 1.0), 0.0)
    of_cause = np.where(alive, 1 - share, 1.0)
    chance = np.where(there & (deaths_of > 0), before * deaths_of / (total * safe), 0.0)
    drawn = total * before - 1
    chance *= 1 - np.where(deaths_of > 1, (deaths_of - 1) / np.where(drawn > 0, drawn, 1.0), 0.0)
    chance_other = np.where(alive & (other > 0), before**2 * other / safe**2, 0.0)
    chance_other *= 1 - np.where(other > 1, (other - 1) / np.maximum(safe - 1, 1.0), 0.0)
    moved, moved_other = now + of_cause * still, share * still
    covariance = np.einsum("ijt,kjt,jt->ik", moved, moved, chance)
    covariance += np.einsum("ijt,kjt,jt->ik", moved_other, moved_other, chance_other)
    return score, covariance, at_risk @ deaths_of > 0


@dataclass(frozen=True)
class FineGrayFit:
    """A fitted model.

    ``terms``: one row per term with log_hazard_ratio, standard_error, hazard_ratio (of the subdistribution),
    ci_lower, ci_upper, p_value. ``reasons`` flag few events per variable.
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
        Impossible times, fewer than 2 deaths of the cause or fewer than terms, a term that does not vary or
        that others determine, no convergence, or a term that separates.
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
    if data.nobody_outlives():
        raise FitError("no_pairs")
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
    error = np.sqrt(np.sum(influence**2, axis=1)) / spread
    terms, few = hazard_ratios(beta / spread, error, design.columns), few_per_term(n_events, design.shape[1])
    return FineGrayFit(terms, len(time), n_events, float(likelihood), float(null), few)


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

    def nobody_outlives(self) -> bool:
        """Whether all who were at risk died of the cause at once, so that nothing tells their hazards apart."""
        at_risk = self._at_risk(np.ones(len(self.design)))
        return bool((at_risk[self.deaths > 0] == self.deaths[self.deaths > 0]).all())

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
