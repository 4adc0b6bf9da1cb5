"""Residuals of a Cox fit, one per row of the data, equal to R's ``residuals.coxph``."""

import numpy as np

from faceage_bio.stats.cox_fit import CoxFit


def martingale_residuals(fit: CoxFit) -> np.ndarray:
    """Deaths seen less deaths expected of each row, shape (n,), in the order of the data."""
    rows = fit.rows
    found = np.empty(len(rows.sets.order))
    found[rows.sets.order] = rows.sets.event - rows.at.risk / rows.sets.weights * rows.at.hazard
    return found
