"""Survival, clinical scores and readers."""

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from faceage_bio.core.columns import Cause
from faceage_bio.core.settings.closed import Closed, FilePath, located
from faceage_bio.core.settings.settings_acceleration import Imputation
from faceage_bio.core.settings.settings_cohort import SheetForm


def _days(value: str | None) -> str | None:
    try:
        is_day = value is None or date.fromisoformat(value).isoformat() == value
    except ValueError:
        is_day = False
    if not is_day:
        raise ValueError(f"{value!r} is no day; write YYYY-MM-DD in quotes")
    return value


def _score(name: str, info: ValidationInfo) -> str:
    return located(name, info) if name.endswith((".yaml", ".yml")) else name


class AddedValue(Closed):
    """Models with and without face age on the same participants: C, AUC, Brier score, calibration, net benefit."""

    times_years: list[Annotated[float, Field(gt=0)]] = Field(default=[0.5, 1.0, 2.0], min_length=1)
    """Risks are predicted for these times; those at which fewer than 10 participants died or were followed are not reported."""
    bootstraps: int = Field(default=200, ge=0, le=10_000)
    """Bootstrap samples for the optimism of each measure. 0: none."""
    seed: int = Field(default=1, ge=0)
    """The same seed gives the same samples."""
    risk_groups: int = Field(default=5, ge=2, le=20)
    """Groups of equal size by predicted risk, in which it is compared with observed risk."""


class Survival(Closed):
    """Overall survival by face age (Cox, Kaplan-Meier)."""

    time_zero: str = "photo"
    """photo, or a column of the clinical table with dates (diagnosis_date) from which time runs; participants are then at risk from
    the photo on only, so that no participant is credited with time that he had to survive to be photographed."""
    landmark_years: float | None = Field(default=None, gt=0)
    """Only participants still under observation so long after time zero, and time from there. null: all participants."""
    end_date: Annotated[str | None, AfterValidator(_days)] = None
    """Day (YYYY-MM-DD) on which observation ends for all participants. null: as the clinical table says."""
    sequential_adjustment: list[str] = ["sex", "site"]
    """Columns that enter the sequentially adjusted Cox models one after the other, after age."""
    covariates: list[str] = ["sex", "smoking", "ecog"]
    """Columns of the full model, with those of sequential_adjustment."""
    groups: dict[str, list[float]] = Field(default_factory=dict)
    """Numbers that enter as groups, with their cut-points: {ecog: [2]} makes "below 2" (the reference) and "2 and over"."""
    strata: list[str] = []
    """Columns whose levels have a baseline hazard of their own in the Cox models of face age and of genes; they then are no covariates."""
    cluster: str | None = None
    """Column of units within which participants are alike, such as a hospital: standard errors of the Cox models of face age and of its
    added value are robust against it. Curves and their tests, competing risks, definitions, ageing rate, genes and scores take
    participants as independent."""
    heterogeneity_by: str = "site"
    """Column within whose levels the hazard ratio of face age is shown, with the test that they differ."""
    modifiers: list[str] = ["sex", "chronological_age", "site"]
    """Columns by which the hazard ratio of age acceleration might differ: interaction tests and subgroups. Words are
    subgroups; numbers enter as they are, or as `groups` says."""
    split_age: float = Field(default=65.0, gt=0)
    """Age that divides the two age groups of the subgroups; age is also tested as a number, without a cut."""
    alpha: float = Field(default=0.05, gt=0, lt=1)
    """Test of proportional hazards: a smaller p-value brings time-varying models (strata, time interaction, periods, mean survival time)."""
    split_years: list[float] = Field(default=[1.0], min_length=1)
    """Years that divide the follow-up into periods, where hazards are not proportional."""
    early_death_years: float = Field(default=0.5, gt=0)
    """Results are also shown without the time before this."""
    gap_classes: list[float] = Field(default=[-5.0, 10.0], min_length=2, max_length=2)
    """Age gaps at or below, and at or above, which faces count as younger and older in a row of their own."""
    imputation: Imputation = Field(default_factory=Imputation)
    """Missing covariates of the full model, imputed, alongside complete cases."""
    added_value: AddedValue = Field(default_factory=AddedValue)
    """What face age adds to age, sex and the other covariates."""
    permutations: int = Field(default=9999, ge=100, le=1_000_000)
    """Permuted face ages on which the test of the hazard ratio adjusted for age is tried: its type I error, and a permutation p-value."""
    seed: int = Field(default=1, ge=0)
    """The same seed gives the same permutations."""
    firth: bool = False
    """true: Firth's penalised estimates in addition, for few deaths and groups in which no participant died."""
    per_years: float = Field(default=10.0, gt=0)
    """Hazard ratios are given per this many years."""
    curves: dict[str, Annotated[list[float], Field(min_length=1)] | Literal["tertiles", "levels"]] = {
        "face_age": [65.0, 75.0, 85.0],
        "age_acceleration": "tertiles",
    }
    """Prespecified groups whose curves are compared: a column with cut-points (a value at a cut-point belongs to the
    lower group; those of face_age are the study's), tertiles, or levels (its words or few numbers). Nothing looks for the
    cut-point with the smallest p-value, since that finds differences where there are none."""
    times_years: list[Annotated[float, Field(gt=0)]] = Field(default=[0.5, 1.0, 2.0, 5.0], min_length=1)
    """Survival is reported at these times, as far as participants were followed."""
    rmst_years: float = Field(default=3.0, gt=0)
    """Horizon of the restricted mean survival: years lived on average within so many."""
    interval: Literal["log-log", "log", "plain"] = "log-log"
    """Scale of the intervals of curves and medians; log is R's default."""
    log_rank_strata: list[str] = []
    """Columns within whose levels the groups are compared by the log-rank tests."""
    fleming_harrington: list[Annotated[float, Field(ge=0)]] | None = Field(
        default=None, min_length=2, max_length=2
    )
    """Weights [p, q] of a further test: [1, 0] looks at early, [0, 1] at late differences. null: none."""
    cause_of_interest: Cause = "cancer"
    """Word of the clinical table's column `cause`; deaths of other causes compete with it."""
    horizon_years: float | None = Field(default=None, gt=0)
    """Follow-up beyond this is censored there. null: use all."""
    gene_covariates: list[str] = ["chronological_age", "sex"]
    """Covariates of each gene's Cox model; `batch` of the samples table may be named too. `expression.panel` are the
    prespecified genes."""
    year_days: Literal[365, 365.25] = 365.25  # type: ignore[valid-type]
    """Days in a year where follow-up is computed from dates."""

    @model_validator(mode="after")
    def _in_order(self) -> "Survival":
        if self.gap_classes[0] >= self.gap_classes[1]:
            raise ValueError("gap_classes: give the lower gap and then the higher, such as [-5.0, 10.0]")
        return self


class Readers(Closed):
    """Whether readers predict death better with the face age: readers x cases x conditions."""

    readings: FilePath | None = None
    """Table with one row per reader, case and condition: reader_id, reader_type, case_id, condition, and predicted_alive (yes, no)
    or rating (0 to 1); optional predicted_age or predicted_age_decade. null: no reader study."""
    cases: FilePath | None = None
    """Table of the cases: case_id, followup_years, event, chronological_age, face_age. null: the participants of all cohorts."""
    tables: dict[Literal["readings", "cases"], SheetForm] = Field(default_factory=dict)
    """How they are written, where it differs from ours, as under `cohorts.NAME.tables`: {readings: {columns: {reader_id: Reader}}}."""
    conditions: list[str] = Field(default=["photo", "chart", "face_age"], min_length=1)
    """What was shown, each time with what came before; neighbours are compared."""
    types: list[str] = Field(default=["staff", "resident", "lay"], min_length=1)
    """Words of reader_type, in the order of the report."""
    groups: dict[str, list[str]] = {"physicians": ["staff", "resident"]}
    """Types that are also looked at together; all readers and each type always are."""
    rating_of: Literal["death", "survival"] | None = None
    """What a rating of 1 is certain of. Without this, ratings are refused."""
    horizon_years: float = Field(default=0.5, gt=0)
    """Readers say who is alive this long after the photo."""
    model_column: str = "face_age"
    """Column of the cases that orders them by the risk of the model alone; higher means a higher risk of death."""

    @model_validator(mode="after")
    def _known_types(self) -> "Readers":
        for name, kinds in self.groups.items():
            unknown = sorted(set(kinds) - set(self.types))
            if unknown:
                raise ValueError(
                    f"groups.{name} names {unknown[0]!r}, which is not among types: {', '.join(self.types)}"
                )
        for key in ("conditions", "types"):
            words = getattr(self, key)
            if len(set(words)) < len(words):
                raise ValueError(f"{key} names a word twice")
        return self


class Scores(Closed):
    """Clinical scores such as TEACHH, with chronological age and with face age in its place."""

    definitions: list[Annotated[str, AfterValidator(_score)]] = Field(
        default=["teachh_publication"], min_length=1
    )
    """teachh_publication (chemotherapy >= 2), teachh_faceage_repository (> 2), or a YAML file of your own; see
    `faceage-bio show-score teachh_publication`. Columns of the clinical table with other names are declared under columns."""
    reference_group: str | None = None
    """Group that the others' hazard ratios are given against. null: the one that the score's file declares."""
    horizons_months: list[Annotated[float, Field(gt=0)]] = Field(default=[3.0, 6.0, 12.0], min_length=1)
    """Months after the photo at which areas under ROC curves are taken."""
    bootstraps: int = Field(default=1000, ge=100, le=100_000)
    """Resamples of participants for the intervals of C, areas and their differences."""
    seed: int = Field(default=1, ge=0)
    """The same seed gives the same resamples."""
