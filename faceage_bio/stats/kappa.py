"""How far two judges give the same answers, beyond what chance alone would give."""

import numpy as np

from faceage_bio.core.errors import FitError
from faceage_bio.stats.linear import Estimate


def cohens_kappa(counts: np.ndarray) -> Estimate:
    """Cohen's kappa with the large-sample interval of Fleiss, Cohen and Everitt (1969, doi:10.1037/h0028106).

    Equal to ``psych::cohen.kappa`` of R.

    Parameters
    ----------
    counts : int array, shape (k, k)
        Row: the first judge's answer; column: the second's.

    Raises
    ------
    FitError
        Nothing was judged, or a judge gave one answer throughout, so that kappa is 0 or unknown whatever the other's answers.
    """
    from statsmodels.stats.inter_rater import cohens_kappa as kappa

    counts = np.asarray(counts, dtype=np.float64)
    total = counts.sum()
    if total == 0:
        raise FitError("nothing_in_common")
    if max(counts.sum(axis=0).max(), counts.sum(axis=1).max()) == total:
        raise FitError("one_answer")
    found = kappa(counts)
    return Estimate(
        float(found.kappa), float(found.kappa_low), float(found.kappa_upp), np.nan, float(found.std_kappa)
    )
