"""How many events a hazard ratio needs to be an estimate at all."""

import pandas as pd

from faceage_bio.core.errors import FitError

FEWEST_EVENTS = 5
"""Below it the estimate follows single events: in simulations bias and poor coverage are common at 2 to 4 events per term, and no
longer at 5 to 9 (Vittinghoff and McCulloch 2007, doi:10.1093/aje/kwk052)."""


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
