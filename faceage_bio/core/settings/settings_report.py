"""What the pages say besides the results, and how much of it."""

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
