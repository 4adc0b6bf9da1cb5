"""How many participants, events, samples or cohorts an estimate needs: below a minimum it is not given, or flagged as sparse."""

import numpy as np
import pandas as pd

from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason

# events (deaths)
FEWEST_EVENTS = 5
"""Below it the estimate follows single events: in simulations bias and poor coverage are common at 2 to 4 events per term, and no
longer at 5 to 9 (Vittinghoff and McCulloch 2007, doi:10.1093/aje/kwk052)."""
EVENTS_PER_TERM = 10  # flagged below it (Peduzzi et al. 1995, doi:10.1016/0895-4356(95)00048-8)
EVENTS_PER_TERM_OF_CURVE = 5  # of a spline of the hazard: no curve is drawn below it
EVENTS_OF_SUBGROUP = 10  # flagged below it
EVENTS_OF_PREDICTION = 10  # deaths by a time, and participants still followed at it
EVENTS_OF_PILOT = 10
EVENTS_OF_BIN = 5  # the mean of fewer Schoenfeld residuals is mostly noise
# participants
AT_RISK_EARLY = 5  # at a death while others have not come yet: one such death moves the whole curve
PER_RISK_GROUP = 20  # of a calibration by groups of predicted risk
IN_GROUP = 2  # a fit would follow a group of one exactly
PAIRS = 4  # of matched participants
PAIRS_OF_METHODS = 4  # measurements by two methods, for limits of agreement
VALUES_OF_CURVE = 3  # distinct ones, for a quadratic
RESAMPLED = 5  # persons, below which a bootstrap of them says nothing
IN_BIN = 5  # the t interval of a mean of fewer is too wide to show a shape
FOR_LINE, AGES_FOR_LINE = 10, 3  # of face age on age: participants, and distinct ages
FOR_CURVE = 30  # of face age on age
FOR_CENTILES = 20  # values of a curve of mean and standard deviation
OF_A_SEX = 10  # whose age acceleration has a standard deviation of its own
REPEATED = 5  # with repeated photos, for an intraclass correlation
CLUSTERS = 20  # robust errors are too small below it
# RNA samples
SAMPLES_FOR_VOOM = 50  # voom has too few to estimate its weights below it, and DESeq2's test leads
SAMPLES_FOR_COMPONENTS = 4
SAMPLES_OF_PILOT = 4
SAMPLES_OF_BATCH = 5  # that have a median of their own
# cohorts that are pooled
COHORTS_RANDOM = 3  # for a between-cohort variance
COHORTS_OF_GENES = 5  # for Hartung and Knapp's test of genes too
COHORTS_FOR_DIAGNOSTICS = 10  # for influence, meta-regression and Egger's test
COHORTS_BEYOND_TERMS = 3  # more of them than coefficients of a meta-regression
# of a model whose estimates leave: fewer are redacted (SDC Handbook, 2019: class of regression coefficients)
RESIDUAL_DF = 10


def check_events(event: pd.Series) -> None:
    """Refuse a hazard ratio from too few events.

    Parameters
    ----------
    event : Series of float
        1 = died, of the rows that a model, or one of its groups, is fitted to.

    Raises
    ------
    FitError
        Fewer than `FEWEST_EVENTS`.
    """
    if (n_events := int(event.sum())) < FEWEST_EVENTS:
        raise FitError("few_events", n_events=n_events, needed=FEWEST_EVENTS)


def why_not_by(time: float, years: np.ndarray, event: np.ndarray) -> Reason | None:
    """Why a prediction of death by a time cannot be judged, if it cannot: fewer than `EVENTS_OF_PREDICTION` deaths by then, or participants followed still.

    Parameters
    ----------
    time : years
    years, event : float arrays, shape (n,)
        Follow-up, and 1 = died.
    """
    deaths = event * (years <= time)
    if deaths.sum() < EVENTS_OF_PREDICTION:
        return reason("few_events_by_then", needed=EVENTS_OF_PREDICTION)
    if np.sum((years >= time) & (deaths == 0)) < EVENTS_OF_PREDICTION:
        return reason("few_followed_then", needed=EVENTS_OF_PREDICTION)
    return None
