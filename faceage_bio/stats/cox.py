"""Cox's proportional hazards, through lifelines where it agrees with R, with its warnings made errors."""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from faceage_bio.errors import FitError
from faceage_bio.stats.design import independent_columns

PRECISION = 1e-12  # lifelines' default stops about 1e-5 away from R
EVENTS_PER_TERM = 10  # below it a fit is flagged
NORMAL_975 = float(norm.ppf(0.975))
TIME_UNIT = 1e-8  # times closer than this are ties, as R's timefix takes them


@dataclass(frozen=True)
class CoxFit:
    """A fitted model.

    ``terms``: one row per term with log_hazard_ratio, standard_error, hazard_ratio, ci_lower, ci_upper, p_value.
    """

    terms: pd.DataFrame
    n: int
    n_events: int
    log_likelihood: float
    log_likelihood_null: float
    concordance: float
    note: str


def fit_cox(
    years: pd.Series, event: pd.Series, design: pd.DataFrame, entry: pd.Series | None = None
) -> CoxFit:
    """Fit by partial likelihood with Efron's ties; Wald intervals, as R's ``coxph``.

    Parameters
    ----------
    years : Series of float, shape (n,)
        End of observation, after 0.
    event : Series, shape (n,)
        1 = died, 0 = censored.
    design : DataFrame of float, shape (n, p)
    entry : Series of float, shape (n,), optional
        Start of observation (delayed entry), before ``years``.

    Raises
    ------
    FitError
        Times that are not positive, fewer than 2 events or fewer events than terms, a term that does not vary or that
        others determine, no convergence, or complete separation.
    """
    n_events, n_terms = int(event.sum()), design.shape[1]
    if (years <= 0).any() or years.isna().any():
        raise FitError("a time of follow-up is missing or not positive")
    if entry is not None and (entry >= years).any():
        raise FitError("observation of somebody starts at or after its end")
    if n_events < max(2, n_terms):
        raise FitError(f"{n_events} deaths are too few for {n_terms} term(s)")
    if determined := sorted(set(design.columns) - set(independent_columns(design))):
        raise FitError(f"{', '.join(determined)} does not vary or follows from the other terms")
    # columns on one scale, so that the optimiser's stopping rule means the same for all
    spread = design.std(ddof=0)
    scaled = (design - design.mean()) / spread
    fitter = _fit(years, event, scaled, entry)
    beta = fitter.params_.set_axis(design.columns) / spread
    error = fitter.standard_errors_.set_axis(design.columns) / spread
    if (error * spread > 50).any() or not np.isfinite(error).all():
        worst = (error * spread).idxmax()
        raise FitError(
            f"{worst} separates those who died from those who did not, so its hazard ratio has no end"
        )
    table = pd.DataFrame({
        "log_hazard_ratio": beta,
        "standard_error": error,
        "hazard_ratio": np.exp(beta),
        "ci_lower": np.exp(beta - NORMAL_975 * error),
        "ci_upper": np.exp(beta + NORMAL_975 * error),
        "p_value": 2 * norm.sf(np.abs(beta / error)),
    })  # fmt: skip
    thin = n_events < EVENTS_PER_TERM * n_terms
    return CoxFit(
        terms=table,
        n=len(years),
        n_events=n_events,
        log_likelihood=float(fitter.log_likelihood_),
        log_likelihood_null=float(
            fitter.log_likelihood_ - fitter.log_likelihood_ratio_test().test_statistic / 2
        ),
        concordance=float(fitter.concordance_index_) if entry is None else np.nan,
        note=f"only {n_events / n_terms:.1f} deaths per term" if thin else "",
    )


def _fit(years: pd.Series, event: pd.Series, design: pd.DataFrame, entry: pd.Series | None):
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError, ConvergenceWarning

    names = [f"x{number}" for number in range(design.shape[1])]  # lifelines reads names as formulas
    table = design.set_axis(names, axis=1).assign(
        years=np.round(years / TIME_UNIT) * TIME_UNIT, event=event.astype("float64")
    )
    if entry is not None:
        table["entry"] = np.round(entry / TIME_UNIT) * TIME_UNIT
    fitter = CoxPHFitter()
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        warnings.simplefilter("ignore", FutureWarning)  # pandas' notices to lifelines
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            fitter.fit(
                table,
                "years",
                "event",
                entry_col=None if entry is None else "entry",
                fit_options={"precision": PRECISION},
            )
        except (ConvergenceError, ConvergenceWarning, np.linalg.LinAlgError) as error:
            raise FitError(f"Cox's model did not converge ({str(error).splitlines()[0][:120]})") from None
    return fitter
