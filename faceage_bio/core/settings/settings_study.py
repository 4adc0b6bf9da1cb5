"""The study as a whole: its analysis plan (the primary question and the secondary ones, declared before outcomes are read),
estimates of several cohorts as one, what the pages say besides the results, who may read what, and how a release is rounded.
"""

import difflib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field, model_validator

from faceage_bio.core.settings.closed import Closed, FilePath

if TYPE_CHECKING:
    from faceage_bio.core.config import Config


SURVIVAL, ADDED, GENES, FACES = "overall survival", "added prognostic value", "gene expression", "face age"
DISEASE, BMI = "group", "bmi"  # exposures of cancer against controls, and of weight
PRIMARY, SECONDARY, EXPLORATORY = "primary", "secondary", "exploratory"


class Answers(NamedTuple):
    """What a question may be asked of; no exposures: those of `phenotype.exposures`, and group."""

    exposures: tuple[str, ...]
    adjustments: tuple[str, ...]


QUESTIONS = {
    SURVIVAL: Answers(("face_age", "age_acceleration"), ("unadjusted", "age", "full")),
    ADDED: Answers(("face_age",), ("minimal", "full")),
    GENES: Answers(("age_acceleration",), ("full",)),
    FACES: Answers((), ("unadjusted", "minimal")),
}


def nearest(name: str, known: Mapping | tuple | list) -> str:
    """What to say of a word that is not among those known."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"expected one of {', '.join(known)}" + (f"; did you mean {near[0]!r}?" if near else "")


class PlannedQuestion(Closed):
    """A question with its exposure and adjustment, which one row per cohort answers."""

    question: str
    """overall survival, added prognostic value, gene expression (the prespecified panel, of which the first gene is the headline), or
    face age (differences between groups)."""
    exposure: str
    """face_age or age_acceleration for survival, face_age for added value, age_acceleration for genes; for face age one of
    phenotype.exposures, or group (cancer against controls)."""
    adjustment: str
    """unadjusted, age, minimal or full, as far as the question has them: survival unadjusted, age or full; added value minimal
    or full; genes full; face age unadjusted or minimal."""

    @model_validator(mode="after")
    def _answerable(self) -> "PlannedQuestion":
        if self.question not in QUESTIONS:
            raise ValueError(f"question {self.question!r}: {nearest(self.question, QUESTIONS)}")
        for key, known in QUESTIONS[self.question]._asdict().items():
            given = getattr(self, key.removesuffix("s"))
            if known and given not in known:
                raise ValueError(
                    f"{key.removesuffix('s')} {given!r} of {self.question}: {nearest(given, known)}"
                )
        return self


class Study(Closed):
    """The analysis plan. `faceage-bio freeze` records it before outcomes are read; every other result is exploratory."""

    primary: PlannedQuestion = Field(
        default_factory=lambda: PlannedQuestion(question=SURVIVAL, exposure="face_age", adjustment="age")
    )
    """The one question that the study is for."""
    secondary: list[PlannedQuestion] | None = None
    """Further questions, in their order: [{question: gene expression, exposure: age_acceleration, adjustment: full}]. null: gene expression,
    face age by the first of phenotype.exposures, by BMI and in cancer against controls, and the added prognostic value of face age."""
    frozen: FilePath = Field(default="analysis_plan.json", validate_default=True)
    """Written by `faceage-bio freeze`: the plan and all settings of the analyses, with date and SHA-256."""

    @model_validator(mode="after")
    def _asked_once(self) -> "Study":
        asked = [self.primary, *(self.secondary or [])]
        for one in asked:
            if asked.count(one) > 1:
                raise ValueError(
                    f"{one.question} by {one.exposure}, {one.adjustment}, is planned twice; name each question once"
                )
        return self


class Planned(NamedTuple):
    """A question of the plan and its role."""

    role: str
    question: str
    exposure: str
    adjustment: str


def usual(exposures: list[str]) -> list[tuple[str, str, str]]:
    """The secondary questions of a study that names none."""
    wanted = [DISEASE, *exposures[:1], *({BMI} & set(exposures) - set(exposures[:1]))]
    return [
        (GENES, "age_acceleration", "full"), *((FACES, one, "minimal") for one in wanted), (ADDED, "face_age", "minimal"),
    ]  # fmt: skip


def planned(config: "Config") -> list[Planned]:
    """The plan of a config: the primary question first; usual questions that it does not name are exploratory."""
    study, others = config.study, usual(config.phenotype.exposures)

    def asked() -> Iterator[Planned]:
        yield Planned(PRIMARY, **study.primary.model_dump())
        if study.secondary is None:
            yield from (Planned(SECONDARY, *one) for one in others)
        else:
            yield from (Planned(SECONDARY, **one.model_dump()) for one in study.secondary)
        yield from (Planned(EXPLORATORY, *one) for one in [(SURVIVAL, "face_age", "age"), *others])

    first: dict[tuple, Planned] = {}
    for one in asked():
        first.setdefault(one[1:], one)
    return list(first.values())


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
