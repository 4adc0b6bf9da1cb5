"""Age acceleration and its associations."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from faceage_bio.core.settings.closed import Closed

Role = Literal["confounder", "precision", "mediator", "collider", "part"]


class Acceleration(Closed):
    """From face age to how much older a face looks than its owner is."""

    repeat_photos: Literal["first", "last", "mean", "median", "nearest"] = "first"
    """Which photo of a subject counts, by date; mean averages face age and age over all, median is that of the first session's
    photos, nearest is to the date below."""
    session_days: int = Field(default=0, ge=0)
    """For median: a session is the first dated photo and all that follow within so many days; 0: those of the same day."""
    session_minutes: int | None = Field(default=None, ge=0)
    """For median, in place of session_days: all that follow within so many minutes; photo_date then holds a time of day, such as 2021-03-04 10:15."""
    nearest_to: str | None = None
    """For nearest: a column of the clinical table with dates YYYY-MM-DD, such as diagnosis_date."""
    definition: Literal["linear", "linear_cross_fitted", "spline", "loess", "adjusted"] = "linear"
    """What age acceleration is in all analyses; the report shows every definition side by side. linear: residual of face
    age on age, and so of the same hazard ratio as face age adjusted for age. All others are cross-fitted."""
    fit_in: Literal["cohort", "reference"] = "cohort"
    """Fit face age on age within each cohort, or in the controls of all cohorts and apply it."""
    folds: int = Field(default=10, ge=2, le=100)
    """Cross-fitting: no participant is judged by a line fitted with him, but by one of the other folds."""
    adjust_for: list[str] = ["sex", "smoking", "bmi"]
    """Columns in the definition `adjusted`, in addition to age."""
    valid_ages: list[float] = Field(default=[60.0, 120.0], min_length=2, max_length=2)
    """Ages in which the model was tested (FaceAge: 60 and older); results are also shown without the others."""
    low_resolution: float = Field(default=112.0, ge=0)
    """Faces whose shorter side has fewer pixels are of low resolution (the network sees 160: below 112 more than half of them
    are made up by enlarging); results are also shown without them."""
    repeats_within_days: int | None = Field(default=730, ge=0)
    """Two photos of a participant give the reliability of one if they are at most this far apart. null: any two."""
    outcomes: list[str] = ["bmi", "pack_years", "ecog"]
    """Columns of numbers whose slopes on age acceleration are corrected for the error of a single photo."""
    ageing_rate_days: list[int] = Field(default=[10, 1460], min_length=2, max_length=2)
    """Least and most days between two photos that give a face ageing rate."""
    ageing_rate_strata: list[int] = [365, 730]
    """Days at which a stratum of the interval ends; the rate's hazard ratio is also given in each (as published: 10-365, 366-730 and
    731-1460 days). []: none."""

    @model_validator(mode="after")
    def _sensible_together(self) -> "Acceleration":
        if (self.repeat_photos == "nearest") != (self.nearest_to is not None):
            raise ValueError("repeat_photos: nearest and nearest_to (a column with dates) go together")
        if self.session_days and self.session_minutes is not None:
            raise ValueError("session_days and session_minutes both say how long a session is; give one")
        for name in ("valid_ages", "ageing_rate_days"):
            low, high = getattr(self, name)
            if not 0 <= low < high:
                default = type(self).model_fields[name].default
                raise ValueError(f"{name}: give the lower end and then the higher, such as {default}")
        if self.ageing_rate_strata != sorted(set(self.ageing_rate_strata)):
            raise ValueError(
                f"ageing_rate_strata: {self.ageing_rate_strata} must rise; write such as [365, 730], or []"
            )
        return self


class Covariate(Closed):
    """What a column is to the exposures and to face age, and why."""

    role: Role
    reason: str
    exceptions: dict[str, Role] = Field(default_factory=dict)
    """Exposures to which it has another role."""


def _covariates() -> dict[str, Covariate]:
    def one(role: Role, reason: str, **exceptions: Role) -> Covariate:
        return Covariate(role=role, reason=reason, exceptions=exceptions)

    return {
        "sex": one("confounder", "Smoking, weight and disease differ by sex, and a network may judge women and men differently."),
        "smoking": one("confounder", "It ages faces and is associated with weight and disease; pack-years are the same exposure.", pack_years="part"),
        "bmi": one("mediator", "Smoking and disease change weight, and weight changes faces; it comes before performance status.", ecog="confounder"),
        "ecog": one("mediator", "Performance status follows from smoking, weight and disease."),
        "site": one("confounder", "Tumours are associated with weight and performance; smoking causes some; controls have none.",
                    smoking="mediator", pack_years="mediator", group="part"),
    }  # fmt: skip


class Matching(Closed):
    """Cancer against controls in pairs."""

    exact: list[str] = ["sex"]
    """Columns on which the two of a pair are the same."""
    caliper_years: float = Field(default=2.0, gt=0)
    """Largest difference of age within a pair."""
    balance_covariates: list[str] = ["smoking", "bmi", "ecog"]
    """Further columns whose balance is reported before and after."""


class Imputation(Closed):
    """Missing values of exposures and covariates, filled in several times (chained equations)."""

    m: int = Field(default=20, ge=2, le=1000)
    """Completed tables."""
    iterations: int = Field(default=10, ge=1, le=1000)
    """Rounds before a table is taken."""
    seed: int = Field(default=1, ge=0)
    """The same seed gives the same tables."""


def _different(cuts: list[float]) -> list[float]:
    if len(set(cuts)) < len(cuts):
        raise ValueError(f"{cuts} names a cut-point twice; write different ones, such as [-5.0, 5.0]")
    return cuts


class TableOne(Closed):
    """Table 1: the participants by age acceleration."""

    groups: (
        Literal["tertiles"]
        | Annotated[
            list[float],
            Field(min_length=1),
            AfterValidator(_different),
        ]
    ) = "tertiles"
    """tertiles of age acceleration within each cohort, or cut-points in years such as [-5.0, 5.0]."""
    columns: list[str] = Field(
        default=[
            "chronological_age",
            "face_age",
            "sex",
            "group",
            "smoking",
            "pack_years",
            "bmi",
            "ecog",
            "site",
            "race",
        ],
        min_length=1,
    )
    """Columns of the clinical table in the order of the page; those named under factors are shown as groups."""


class Phenotype(Closed):
    """Associations with age acceleration: smoking, BMI, disease."""

    exposures: list[str] = Field(default=["smoking", "pack_years", "bmi", "ecog"], min_length=1)
    """Columns of the clinical table, each tested on its own within each cohort; disease (group) is compared over all."""
    adjust_for: list[str] = ["sex"]
    """The minimal set: adjusted for in the adjusted column, in addition to chronological age, which always is."""
    factors: list[str] = ["smoking", "bmi_class", "ecog", "site", "sex", "race"]
    """Columns whose groups are compared in pairs; bmi_class is made of bmi (18.5, 25, 30)."""
    dose_response: list[str] = ["pack_years", "bmi"]
    """Columns of numbers for dose-response curves."""
    modifiers: list[str] = ["sex", "chronological_age", "site"]
    """Columns by which an exposure's years might differ: interaction tests and subgroups."""
    split_age: float = Field(default=65.0, gt=0)
    """Age that divides the two age groups of the subgroup figure."""
    full_adjustment: list[str] = ["sex", "smoking", "bmi", "ecog", "site"]
    """The full set; without its mediators and colliders it is a third one."""
    covariates: dict[str, Covariate] = Field(default_factory=_covariates)
    """Role of each covariate. confounder and precision: adjusted for; mediator: on the way from the exposure to the face;
    collider: follows from both; part: belongs to the exposure and is never adjusted for."""
    table_one: TableOne = Field(default_factory=TableOne)
    matching: Matching = Field(default_factory=Matching)
    imputation: Imputation = Field(default_factory=Imputation)


class Fairness(Closed):
    """Whether face ages are as good for one group of participants as for another."""

    by: list[str] = ["sex", "race"]
    """Columns of the clinical table whose groups are compared, such as sex, race or type of skin; bands of age always are."""
    age_cut_points: list[float] = Field(default=[50.0, 60.0, 70.0, 80.0], min_length=1)
    """Ages at which a new band starts."""
    min_n: int = Field(default=30, ge=2)
    """Numbers of groups of fewer participants have the status "sparse": interpret with caution."""
    stress_photos: int = Field(default=50, ge=0)
    """Photos per cohort that are aged again in worse light, blurred, compressed ... (19 times each). 0: none."""
