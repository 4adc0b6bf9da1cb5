"""Cox and linear models over sites that keep their rows and give sums.

A Cox model stratified by site, from sums that sites give and rows that they keep.

With a baseline hazard for each site the partial likelihood is a product over sites, so a site need give only
its score and information at the coefficients asked for: p + p (p + 1) / 2 numbers and no event time. The
log-likelihood stays at the site: at coefficients of 0 its exponential is a product of the sizes of the risk
sets, from which small studies can be recovered.

A linear model with an intercept for each site, from sums that sites give: differences between groups,
adjusted for covariates.

With their own intercepts sites need give sums of products around their means alone; one answer gives the
model of all rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.core.errors import FitError, PrivacyError
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_fit import wald_table
from faceage_bio.stats.cox_likelihood import efron_pass, information, risk_sets, score
from faceage_bio.stats.linear import with_t
from faceage_bio.stats.minimum_sizes import RESIDUAL_DF

# below max(50, 20 p) an answer's equations can be solved for the rows
FEWEST_EVENTS, EVENTS_PER_TERM = (50, 20)
FEWEST_IN_LEVEL = 10  # participants at each level
FEWEST_FOR_OWN = 5  # the same for a site's own fit
FEWEST_WEIGHED = 10  # participants (Kish's effective number) on whom the weights of risk sets rest


@dataclass(frozen=True)
class SiteSums:
    """What a site gives at one value of the coefficients."""

    score: np.ndarray  # (p,)
    information: np.ndarray  # (p, p)
    n: int
    n_events: int


@dataclass(frozen=True)
class SiteEstimate:
    """What a site gives in the first round, and a small site at all: its own fit."""

    beta: np.ndarray  # (p,)
    covariance: np.ndarray  # (p, p)
    n: int
    n_events: int


def site_estimate(
    years: pd.Series, event: pd.Series, design: pd.DataFrame, entry: pd.Series | None = None
) -> SiteEstimate:
    """Fit the model on a site's rows alone."""
    fit = fit_cox(years, event, design, entry)
    beta = fit.terms["log_hazard_ratio"].to_numpy()
    return SiteEstimate(beta, fit.covariance.to_numpy(), fit.n, fit.n_events)


def check_answerable(event: pd.Series, design: pd.DataFrame) -> None:
    """Refuse sums of a site whose rows could be recovered from them.

    Raises
    ------
    PrivacyError
        Fewer events than max(50, 20 per term), or fewer than 10 participants at a level, that of reference included.
    """
    check_enough(int(event.sum()), "events", design)


def check_enough(found: int, of_what: str, design: pd.DataFrame, y: pd.Series | None = None) -> None:
    """Refuse sums over so many events or participants, or over levels of a few, also of a linear model's outcome; see `check_answerable`."""
    needed = max(FEWEST_EVENTS, EVENTS_PER_TERM * design.shape[1])
    few = []
    if found < needed:
        few.append(f"{found} {of_what}, where {needed} are needed for {design.shape[1]} terms")
    few += _rare_levels(design, FEWEST_IN_LEVEL, y)
    if few:
        raise PrivacyError(
            f"this site gives no sums: {'; '.join(few)}. Expected enough that no row can be recovered from the answer. "
            "Take part with the site's own estimate (two-stage)."
        )


def _rare_levels(design: pd.DataFrame, needed: int, y: pd.Series | None) -> list[str]:
    """Variables with a level, that of reference included, of fewer participants than needed; and numbers in which fewer differ from all others'.

    A variable that has levels is a column of two values, or all columns named ``variable: level``. The products of terms with an outcome that
    one participant has are that participant's values.
    """
    variables: dict[str, list[str]] = {}
    few = [] if y is None else _rare_levels(y.to_frame("the outcome"), needed, None)
    for name, values in design.items():
        if values.nunique() <= 2:
            variables.setdefault(str(name).partition(": ")[0], []).append(str(name))
        elif (others := int(len(values) - values.value_counts().max())) < needed:
            few.append(f"{name} is the same in all but {others} participants, where {needed} are needed")
    least = {variable: int(design.groupby(names).size().min()) for variable, names in variables.items()}
    return few + [
        f"{variable} has a level with {n} participants, where {needed} are needed"
        for variable, n in least.items()
        if n < needed
    ]


def check_own_estimate(
    found: int, of_what: str, design: pd.DataFrame, k: int, y: pd.Series | None = None
) -> None:
    """Refuse a site's own fit of a few, or of a level of a few, whose outcomes it would tell.

    Parameters
    ----------
    found : events of a Cox model, participants of a linear one
    k : of the release rule: counts from 1 to k stay
    y : outcome of a linear model

    Raises
    ------
    PrivacyError
    """
    few = [f"{found} {of_what}, where more than {k} are needed"] if found <= k else []
    few += _rare_levels(design, FEWEST_FOR_OWN, y)
    if few:
        raise PrivacyError(
            f"this site gives no estimate: {'; '.join(few)}. Expected enough that it tells of no single participant. "
            "Agree on terms without rare levels, or leave the site out."
        )


def site_step(
    beta: Sequence[float],
    years: pd.Series,
    event: pd.Series,
    design: pd.DataFrame,
    entry: pd.Series | None = None,
    *,
    minimum: bool = True,
) -> SiteSums:
    """Score and information of a site's rows.

    Parameters
    ----------
    beta : sequence of float, shape (p,)
        Coefficients of ``design``'s columns, on the log scale.
    years, event, design, entry
        See `fit_cox`.
    minimum : bool
        Refuse small sites, see `check_answerable`; False is for tests of the attack alone.

    Raises
    ------
    PrivacyError
        A site too small; coefficients of another number, at which sums are not finite, or at which the weights in risk sets rest on fewer
        than 10 participants: far from the estimate they rest on the extreme one, whose values the sums would give.
    """
    if minimum:
        check_answerable(event, design)
    beta = np.asarray(beta, dtype=float)
    if beta.shape != (design.shape[1],) or not np.isfinite(beta).all():
        raise PrivacyError(
            f"a request with {beta.size} coefficients for {design.shape[1]} terms ({', '.join(design)}). Expected a finite number for each. Ask the coordinator for a new request."
        )
    sets = risk_sets(years, event, entry)
    x = np.ascontiguousarray(design.to_numpy(dtype=float).T)
    centred = x - x.mean(axis=1, keepdims=True)  # sums over risk sets do not change, and keep their digits
    x = centred[:, sets.order]
    at = efron_pass(sets, x, beta @ x)
    sums = SiteSums(score(sets, x, at), information(sets, x, at), len(design), int(event.sum()))
    if not (np.isfinite(sums.score).all() and np.isfinite(sums.information).all()):
        raise PrivacyError(
            f"a request with coefficients {', '.join(f'{one:g}' for one in beta)}, at which the sums are not finite. Expected coefficients near the sites' own. "
            "Ask the coordinator for a new request."
        )
    if minimum:
        _check_weights(beta @ centred)
    return sums


def _check_weights(log_hazard: np.ndarray) -> None:
    weights = np.exp(log_hazard - log_hazard.max())
    effective = weights.sum() ** 2 / (weights @ weights)
    if effective < FEWEST_WEIGHED:
        raise PrivacyError(
            f"a request with coefficients at which the weights rest on {effective:.1f} participants, of whom the sums would tell. "
            f"Expected coefficients near the sites' own, and weights on {FEWEST_WEIGHED} or more. Ask the coordinator for a new request, "
            "or take part with the site's own estimate (two-stage)."
        )


def pool_estimates(estimates: Sequence[SiteEstimate]) -> tuple[np.ndarray, np.ndarray]:
    """Two-stage: coefficients and covariance of the common effect, weighted by the inverse covariances."""
    return _weighted([one.beta for one in estimates], [one.covariance for one in estimates])


def _weighted(
    betas: Sequence[np.ndarray], covariances: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    weights = [np.linalg.inv(covariance) for covariance in covariances]
    covariance = np.linalg.inv(sum(weights))
    return covariance @ sum(weight @ beta for weight, beta in zip(weights, betas, strict=True)), covariance


def coordinator_step(
    beta: np.ndarray, sums: Sequence[SiteSums], estimates: Sequence[SiteEstimate] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """One Newton step: the next coefficients, and the covariance at these.

    Sites that take part with their own estimate add its quadratic approximation.

    Raises
    ------
    FitError
        The information has no inverse.
    """
    slope = sum(one.score for one in sums)
    curvature = sum(one.information for one in sums)
    for one in estimates:
        weight = np.linalg.inv(one.covariance)
        slope = slope + weight @ (one.beta - beta)
        curvature = curvature + weight
    try:
        covariance = np.linalg.inv(curvature)
    except np.linalg.LinAlgError:
        raise FitError("singular_information") from None
    return beta + covariance @ slope, covariance


def pooled_terms(names: Sequence[str], beta: np.ndarray, covariance: np.ndarray) -> pd.DataFrame:
    """The Wald table of the pooled model, as that of `fit_cox`."""
    return wald_table(beta, pd.DataFrame(covariance, index=names, columns=names))


@dataclass(frozen=True)
class LinearSums:
    """Sums of products around a site's means."""

    xx: np.ndarray  # (p, p)
    xy: np.ndarray  # (p,)
    yy: float
    n: int


def linear_sums(y: pd.Series, design: pd.DataFrame) -> LinearSums:
    """What a site gives.

    Parameters
    ----------
    y : shape (n,)
    design : shape (n, p), without an intercept

    Raises
    ------
    PrivacyError
        Fewer than max(50, 20 p) participants, or fewer than 10 at a level, also of ``y``; see `check_answerable`.
    """
    check_enough(len(y), "participants", design, y)
    return _sums(y, design)


def _sums(y: pd.Series, design: pd.DataFrame) -> LinearSums:
    x, values = (part.to_numpy(dtype=float) for part in (design, y))
    x, values = x - x.mean(axis=0), values - values.mean()
    return LinearSums(x.T @ x, x.T @ values, float(values @ values), len(values))


def linear_estimate(y: pd.Series, design: pd.DataFrame) -> SiteEstimate:
    """A site's own fit, with which a small site takes part.

    Raises
    ------
    FitError
        Fewer than 10 residual degrees of freedom, or terms that are combinations of others.
    """
    if len(y) - design.shape[1] - 1 < RESIDUAL_DF:
        raise FitError("too_few_rows", n=len(y), parameters=design.shape[1] + 1)
    beta, covariance, _ = pooled_linear([_sums(y, design)])
    return SiteEstimate(beta, covariance, len(y), 0)


def pooled_linear(
    sums: Sequence[LinearSums], estimates: Sequence[SiteEstimate] = ()
) -> tuple[np.ndarray, np.ndarray, float]:
    """Coefficients, covariance and residual degrees of freedom of the model of all rows.

    Parameters
    ----------
    sums : of the sites that gave them; from these alone exactly R's ``lm(y ~ x + factor(site))``
    estimates : of sites that gave their own, weighted by their inverse covariance; degrees of freedom are
        infinite then

    Raises
    ------
    FitError
        Terms that are combinations of others at all sites, or an outcome that follows from them.
    """
    xx, xy, yy, n = (sum(getattr(one, name) for one in sums) for name in ("xx", "xy", "yy", "n"))
    df = n - len(sums) - (len(xy) if len(sums) else 0)
    parts = [(one.beta, one.covariance) for one in estimates]
    try:
        if sums:
            beta = np.linalg.solve(xx, xy)
            if yy - beta @ xy <= 1e-12 * yy:
                raise FitError("outcome_follows")
            parts.append((beta, (yy - beta @ xy) / df * np.linalg.inv(xx)))
        if len(parts) == 1:
            return *parts[0], float(df) if sums else np.inf
        return *_weighted(*zip(*parts, strict=True)), np.inf
    except np.linalg.LinAlgError:
        raise FitError("singular_information") from None


def linear_table(names: Sequence[str], beta: np.ndarray, covariance: np.ndarray, df: float) -> pd.DataFrame:
    """Differences with 95% CI and p-value of the t test."""
    error = np.sqrt(np.diag(covariance))
    return with_t(beta, error, df, names).assign(statistic=beta / error)
