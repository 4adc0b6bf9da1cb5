"""Estimates of several cohorts as one, what the pages say besides the results, who may read what, and how a release is rounded."""

from typing import Literal

from pydantic import Field

from faceage_bio.core.settings.closed import Closed


class Report(Closed):
    """What the pages say besides the results."""

    title: str = "FaceAge study"
    """Heads all pages."""
    cohorts: dict[str, str] = Field(default_factory=dict)
    """Who the participants of each cohort are and where photos and data come from, in a line: {mine: patients of ...}. Else the
    summary names group and sites."""
    governance: str = ""
    """Ethics approval and consent, printed as given."""
    sections: Literal["core", "full"] = "core"
    """core: age acceleration, smoking, BMI, ECOG, site, cancer against controls, prespecified genes and gene sets, Cox models with
    proportional hazards, Kaplan-Meier curves, competing risks where causes of death are given, added value, scores, readers.
    full: also sensitivity and subgroup analyses, dose-response, DNA variants, cell composition and image degradation."""


class Release(Closed):
    """What `publish` writes to be passed on. Tables and pages under results_dir are exact, whatever stands here."""

    rounding: int = Field(default=6, ge=1)
    """Counts in what `publish` writes are rounded by midpoint rounding to this number. Presets: 5, 7, 10; 1: no rounding,
    for public data."""


class Results(Closed):
    """Everything under results_dir: exact numbers and rows about participants."""

    access: Literal["owner", "group"] = "owner"
    """owner: files are readable by you alone (0600). group: by your group too (0640), in a folder that hands its group on."""


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
