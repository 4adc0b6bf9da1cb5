"""Estimates of several cohorts as one."""

from typing import Literal

from pydantic import Field

from faceage_bio.core.settings.closed import Closed


class Pooling(Closed):
    """Meta-analysis: headline estimates over all cohorts that share measure, unit, adjustment, definition and age model."""

    reference_cohorts: list[str] = []
    """Cohorts of controls, or for calibration, which no pooled estimate includes."""
    method: Literal["REML", "DL", "PM", "ML", "EB", "SJ", "EE"] = "REML"
    """Between-cohort variance from 3 cohorts: REML, DL (DerSimonian and Laird), PM (Paule and Mandel), ML, EB, SJ; EE: a common
    effect. Two cohorts, genes and gene sets have a common effect."""
    test: Literal["adhoc", "knha", "z"] = "adhoc"
    """95% CI and p: adhoc (Hartung and Knapp, never narrower than z), knha (classic Hartung and Knapp) or z."""
    prediction_df: Literal["k-1", "k-2"] = "k-1"
    """Degrees of freedom of the 95% prediction interval for a further cohort, k being the number of cohorts."""
    overlapping: list[list[str]] = []
    """Cohorts that share participants or controls and are pooled nevertheless: [[north, south]]. Pooled rows say so."""
    moderators: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Numbers of the cohorts that might explain their differences: {year: {north: 2012, south: 2019}}. Meta-regression from 10
    cohorts; `year` orders the cumulative meta-analysis."""
