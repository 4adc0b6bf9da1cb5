"""The configuration: these models are its one source, for defaults, JSON schema and the commented YAML."""

import difflib
import json
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from faceage_bio.columns import CAUSE_LEVELS
from faceage_bio.errors import ConfigError

CohortName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,39}$")]
RESERVED_COHORTS = {"pooled", "reports", "logs", "share", "demo", "model", "all"}


class Closed(BaseModel):
    """A section of the config that knows all its keys."""

    model_config = ConfigDict(extra="forbid", strict=True, use_attribute_docstrings=True)


class Cohort(Closed):
    """Files of one cohort; all but `photos` + `manifest` (or `face_ages`) may be left out."""

    photos: str | None = None
    """Folder with the photos."""
    manifest: str | None = None
    """Table with one row per photo: photo_id, subject_id, path (inside the folder), photo_date."""
    face_ages: str | None = None
    """Instead of photos: a table subject_id, face_age (and photo_id, photo_date) computed elsewhere."""
    clinic: str | None = None
    """Table with one row per subject: chronological_age or birth_date, sex, smoking, bmi, follow-up ..."""
    counts: str | None = None
    """Bulk RNA: raw counts in a table (genes x samples or the other way round), of featureCounts, in an h5ad, or a folder of
    STAR, HTSeq, RSEM or salmon files."""
    counts_kind: Literal["counts", "estimated"] | None = None
    """estimated: counts with decimals of salmon, RSEM or tximport, which are rounded. Otherwise they must be whole."""
    counts_strand: Literal["unstranded", "forward", "reverse"] | None = None
    """Which count of STAR's three is meant."""
    gene_ids: str | None = None
    """Symbols of Ensembl identifiers: the GTF of the alignment, or a table gene_id, symbol. Genes of the panel need none."""
    samples: str | None = None
    """Table with one row per RNA sample: sample_id, subject_id; optional batch, sample_date, tissue, specimen_id (libraries of
    one specimen are added). Without it sample = subject."""
    single_cell: str | None = None
    """Single-cell RNA: an h5ad file with raw counts and, in obs, `subject_id` and `cell_type`."""
    variants: str | None = None
    """DNA variants: a VCF (.vcf, .vcf.gz), or a table with one row per variant: variant_id, gene, then one column per sample with
    0, 1 or 2 copies of one allele."""
    variant_genes: str | None = None
    """Which gene each variant lies in; a VCF needs it. A table with gene and variant_id, or chrom, pos, ref, alt, or chrom, start,
    end as in BED."""
    variant_samples: str | None = None
    """Table sample_id, subject_id, where the variants' samples are not named by subject_id."""
    ancestry: str | None = None
    """Ancestry components that enter the models of variants: a table subject_id, PC1, PC2 ..."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Your name of a column, where it differs from ours: {bmi: BMI_at_baseline}."""
    codings: dict[str, dict[str, str]] = Field(default_factory=dict)
    """What the codes of a column mean: {sex: {"1": male, "2": female}}."""

    @model_validator(mode="after")
    def _photos_or_face_ages(self) -> "Cohort":
        if (self.photos is None) != (self.manifest is None):
            missing = "manifest" if self.manifest is None else "photos"
            raise ValueError(f"photos and manifest go together, but '{missing}' is missing")
        if (self.photos is None) == (self.face_ages is None):
            raise ValueError("give either photos with a manifest, or face_ages, and not both")
        if self.counts and self.single_cell:
            raise ValueError("give counts (bulk) or single_cell, not both; make two cohorts of them")
        if self.samples and not self.counts:
            raise ValueError("samples describe the columns of counts, but no counts are given")
        lonely = [name for name in ("variant_genes", "variant_samples", "ancestry") if getattr(self, name)]
        if lonely and not self.variants:
            raise ValueError(f"{lonely[0]} goes with variants, but no variants are given")
        return self


class Demo(Closed):
    """Drawn people to try the workflow with. Leave this section out of a real study."""

    seed: int = Field(default=2025, ge=0)
    """Other seeds draw other people."""


class Rule(Closed):
    """What happens to photos or samples that a rule catches, and from where on it catches them."""

    action: Literal["exclude", "flag", "ignore"]
    threshold: float


def _rule(action: Literal["exclude", "flag", "ignore"], threshold: float) -> Any:
    return Field(default=Rule(action=action, threshold=threshold))


class Quality(Closed):
    """Which photos are excluded, flagged or used without a word (ignore), after the study's own criteria."""

    small_photo: Rule = _rule("exclude", 160)
    """The photo's shorter side is below this many pixels."""
    small_face: Rule = _rule("exclude", 60)
    """The shorter side of the face box is below this many pixels."""
    several_faces: Rule = _rule("flag", 1)
    """More faces than this. The study kept no such photo; its program took the most certain face."""
    face_leaves_frame: Rule = _rule("exclude", 0.05)
    """More than this share of the face box lies outside the photo."""
    little_of_frame: Rule = _rule("ignore", 0.8)
    """The face fills less than this share of the photo. The study asked it of pictures that were already cut to the face."""
    turned_head: Rule = _rule("flag", 35)
    """Turned left or right by more than this many degrees (estimated from eyes and nose)."""
    tilted_head: Rule = _rule("flag", 30)
    """Tilted towards a shoulder by more than this many degrees."""
    dark: Rule = _rule("flag", 45)
    """The face's mean grey is below this (0 black, 255 white)."""
    bright: Rule = _rule("flag", 215)
    """The face's mean grey is above this."""
    low_contrast: Rule = _rule("flag", 15)
    """The face's grey levels have a standard deviation below this."""
    blurred: Rule = _rule("flag", 25)
    """Sharpness of the 160-pixel face (variance of the Laplacian) below this; sharp portraits have 60 to 700."""
    greyscale: Rule = _rule("ignore", 0)
    """The photo has no colour."""


class FaceAge(Closed):
    """From photo to face age."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto takes a CUDA GPU where there is one. cuda also asks a cluster for one GPU per shard."""
    shard_size: int = Field(default=2000, ge=1)
    """Photos per job; a cluster works on several shards at once."""
    batch_size: int = Field(default=32, ge=1, le=4096)
    """Faces per pass through the age network, at most; halved by itself where a GPU has not memory enough."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """float32 is the study's. bfloat16 is faster and off by up to a year; the log tells by how much on your photos."""
    detection: Literal["exact", "fast"] = "exact"
    """exact: as the study. fast: skips faces below quality.small_face; for large photos, about twice as fast."""
    face_choice: Literal["highest_confidence", "largest", "only"] = "highest_confidence"
    """Of several faces: the most certain (the study's), the largest, or none (only: the photo is excluded)."""
    min_probability: float = Field(default=0.9, ge=0, le=1)
    """A detection below this probability is no face."""
    box_mode: Literal["clip", "abs_shift"] = "clip"
    """clip: detector 0.1.1, as in the released ages; abs_shift: 0.1.0 and older, as in the clinical runs."""
    resize: Literal["bicubic", "nearest"] = "bicubic"
    """bicubic: Pillow >= 7, as in the released ages; nearest: Pillow < 7, probably the clinical runs."""
    jitters: int = Field(default=0, ge=0, le=64)
    """Uncertainty of each age from this many shifted, scaled and mirrored crops; each costs one more pass. 0: none."""
    same_photo: Literal["exclude", "flag"] = "flag"
    """What happens to photos that occur again under another photo_id, exactly or nearly."""
    quality: Quality = Field(default_factory=Quality)


class Acceleration(Closed):
    """From face age to how much older a face looks than its owner is."""

    repeat_photos: Literal["first", "last", "mean", "nearest"] = "first"
    """Which photo of a subject counts, by date; mean averages face age and age over all, nearest is to the date below."""
    nearest_to: str | None = None
    """For nearest: a column of the clinic table with dates YYYY-MM-DD, such as diagnosis_date."""
    definition: Literal["linear", "linear_cross_fitted", "spline", "loess", "adjusted"] = "linear"
    """What age acceleration is in all analyses; the report shows every definition side by side. linear: residual of face
    age on age, and so of the same hazard ratio as face age beside age. All others are cross-fitted."""
    fit_in: Literal["cohort", "reference"] = "cohort"
    """Fit face age on age within each cohort, or in the reference people of all cohorts and apply it."""
    folds: int = Field(default=10, ge=2, le=100)
    """Cross-fitting: nobody is judged by a line fitted on himself, but by one of the other folds."""
    adjust_for: list[str] = ["sex", "smoking", "bmi"]
    """Columns in the definition `adjusted`, beside age."""
    valid_ages: list[float] = Field(default=[60.0, 120.0], min_length=2, max_length=2)
    """Ages in which the model was tested (FaceAge: 60 and older); results are also shown without the others."""
    low_resolution: float = Field(default=112.0, ge=0)
    """Faces whose shorter side has fewer pixels are of low resolution (the network sees 160: below 112 more than half of them
    are made up by enlarging); results are also shown without them."""
    repeats_within_days: int | None = Field(default=730, ge=0)
    """Two photos of a person tell the reliability of one if they are at most this far apart. null: any two."""
    outcomes: list[str] = ["bmi", "pack_years", "ecog"]
    """Columns of numbers whose slopes on age acceleration are corrected for the error of a single photo."""
    ageing_rate_days: list[int] = Field(default=[10, 1460], min_length=2, max_length=2)
    """Least and most days between two photos that give a face ageing rate."""

    @model_validator(mode="after")
    def _sensible_together(self) -> "Acceleration":
        if (self.repeat_photos == "nearest") != (self.nearest_to is not None):
            raise ValueError("repeat_photos: nearest and nearest_to (a column with dates) go together")
        for name in ("valid_ages", "ageing_rate_days"):
            low, high = getattr(self, name)
            if not 0 <= low < high:
                default = type(self).model_fields[name].default
                raise ValueError(f"{name}: give the lower end and then the higher, such as {default}")
        return self


Role = Literal["confounder", "precision", "mediator", "collider", "part"]


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
        "smoking": one("confounder", "It ages faces and goes with weight and disease; pack-years are the same exposure.", pack_years="part"),
        "bmi": one("mediator", "Smoking and disease change weight, and weight changes faces; it comes before performance status.", ecog="confounder"),
        "ecog": one("mediator", "Performance status follows from smoking, weight and disease."),
        "site": one("confounder", "Tumours go with weight and performance; smoking causes some; reference people have none.",
                    smoking="mediator", pack_years="mediator", group="part"),
    }  # fmt: skip


class Matching(Closed):
    """Cancer against reference people in pairs."""

    exact: list[str] = ["sex"]
    """Columns on which the two of a pair are the same."""
    caliper_years: float = Field(default=2.0, gt=0)
    """Largest difference of age within a pair."""
    balance_of: list[str] = ["smoking", "bmi", "ecog"]
    """Further columns whose balance before and after is told."""


class Imputation(Closed):
    """Missing values of exposures and covariates, filled in several times (chained equations)."""

    m: int = Field(default=20, ge=2, le=1000)
    """Completed tables."""
    iterations: int = Field(default=10, ge=1, le=1000)
    """Rounds before a table is taken."""
    seed: int = Field(default=1, ge=0)
    """The same seed gives the same tables."""


class Phenotype(Closed):
    """What goes with age acceleration: smoking, BMI, disease."""

    exposures: list[str] = Field(default=["smoking", "pack_years", "bmi", "ecog"], min_length=1)
    """Columns of the clinic table, each tested on its own within each cohort; disease (group) is compared over all."""
    adjust_for: list[str] = ["sex"]
    """The minimal set: held constant in the adjusted column, beside chronological age, which always is."""
    factors: list[str] = ["smoking", "bmi_class", "ecog", "site", "sex", "race"]
    """Columns whose groups are compared in pairs; bmi_class is made of bmi (18.5, 25, 30)."""
    amounts: list[str] = ["pack_years", "bmi"]
    """Columns of numbers for dose-response curves."""
    modifiers: list[str] = ["sex", "chronological_age", "site"]
    """Columns by which an exposure's years might differ: interaction tests and subgroups."""
    split_age: float = Field(default=65.0, gt=0)
    """Age that divides the two age groups of the subgroup figure."""
    full_set: list[str] = ["sex", "smoking", "bmi", "ecog", "site"]
    """The full set; without its mediators and colliders it is a third one."""
    covariates: dict[str, Covariate] = Field(default_factory=_covariates)
    """Role of each covariate. confounder and precision: held constant; mediator: on the way from the exposure to the face;
    collider: follows from both; part: belongs to the exposure and is never held constant."""
    matching: Matching = Field(default_factory=Matching)
    imputation: Imputation = Field(default_factory=Imputation)


class Fairness(Closed):
    """Whether face ages are as good for one group of people as for another."""

    by: list[str] = ["sex", "race"]
    """Columns of the clinic table whose groups are compared, such as sex, race or type of skin; bands of age always are."""
    age_cut_points: list[float] = Field(default=[50.0, 60.0, 70.0, 80.0], min_length=1)
    """Ages at which a new band starts."""
    min_n: int = Field(default=30, ge=2)
    """Numbers of groups of fewer people carry the note "do not interpret"."""
    stress_photos: int = Field(default=50, ge=0)
    """Photos per cohort that are aged again in worse light, blurred, compressed ... (19 times each). 0: none."""


class SampleQuality(Closed):
    """RNA samples that differ: excluded from the models, flagged in the ledger, or used without a word (ignore). Those without
    any count are always excluded."""

    outlier: Rule = _rule("flag", 5)
    """Further than this many robust standard deviations from the median, in log library size or on one of the components."""
    sex_mismatch: Rule = _rule("flag", 2)
    """XIST against genes of the Y chromosome tells another sex than recorded, by at least this many log2 units."""
    components: int = Field(default=5, ge=1, le=20)
    """Principal components that are looked at."""
    variable_genes: int = Field(default=500, ge=2)
    """They are made of so many genes, those that vary most."""


class Expression(Closed):
    """Genes against age acceleration (DESeq2's method; limma-voom as second opinion)."""

    covariates: list[str] = ["chronological_age", "sex", "smoking", "bmi"]
    """Columns beside age acceleration in the design; `batch` of the samples table may be named too. Chronological age, the
    twin, always is in it. Interactions as sex:smoking, beside both of their columns."""
    panel: list[str] = [
        "CDK6", "CDKN2A", "CDKN1A", "CDKN2B", "CDK4", "TP53", "RB1", "LMNB1", "SERPINE1", "GDF15", "IL6",
        "CXCL8", "MMP3", "HMGB1", "GLB1", "TNFRSF10B",
    ]  # fmt: skip
    """Genes declared beforehand, with a false discovery rate of their own; the first is the headline."""
    per_years: float = Field(default=10.0, gt=0)
    """Fold changes are given per this many years of age acceleration, and of chronological age."""
    min_count: int = Field(default=10, ge=0)
    """A gene is tested if it has at least this count ..."""
    min_samples: int = Field(default=10, ge=1)
    """... in at least this many samples."""
    tissue: str | None = None
    """Of several tissues in the samples table (column tissue), the one that is analysed, such as tumour."""
    repeated_samples: Literal["first", "last", "sum", "block"] = "first"
    """Several samples of a person: the first or last by date, their sum, or all (block: a person's samples are taken together
    in the errors)."""
    min_genes_per_cell: int = Field(default=200, ge=0)
    """Single cell: cells with fewer genes detected are dropped (empty droplets, broken cells; 200 is Seurat's and scanpy's
    tutorial default, neutrophils may need less)."""
    max_mitochondrial: float = Field(default=0.2, ge=0, le=1)
    """Single cell: cells of which a greater share of the counts is of mitochondrial genes (MT-...) are dropped, as dying ones
    (0.2 suits most tissues; heart, kidney and liver have more, nuclei hardly any: 0.05). 1 drops none."""
    min_cells: int = Field(default=10, ge=1)
    """Single cell: a donor's cell type with fewer cells is dropped. Its cells still count in the composition."""
    min_profile_counts: int = Field(default=10_000, ge=0)
    """Single cell: a donor's cell type whose cells sum to fewer counts is dropped."""
    min_donors: int = Field(default=10, ge=2)
    """Single cell: the share of a cell type is compared if at least this many donors have cells of it."""
    quality: SampleQuality = Field(default_factory=SampleQuality)
    workers: int = Field(default=2, ge=1)
    """Processor cores for the models of genes, at most."""
    gene_sets: list[str] = [
        "SenMayo", "CELLAGE", "FRIDMAN_SENESCENCE", "GO_CELLULAR_SENESCENCE", "REACTOME_CELLULAR_SENESCENCE",
    ]  # fmt: skip
    """Sets of senescence genes that ship (`faceage-bio list-gene-sets` tells their sources)."""
    gmt: list[str] = []
    """GMT files with sets of your own; NAME_UP and NAME_DOWN are taken for one set with directions."""
    min_coverage: float = Field(default=0.5, ge=0, le=1)
    """A set is scored if at least this share of its genes has enough counts."""
    hidden_components: int = Field(default=2, ge=0, le=20)
    """Sensitivity: with up to so many hidden components (singular vectors of the residuals) in the model."""
    composition: list[str] = []
    """Sensitivity: columns of the samples table with shares of cell types. Leave one type out, since shares add up to 1."""
    purity: str | None = None
    """Sensitivity: column of the samples table with the tumour's share of the sample."""
    mediator: str | None = "smoking"
    """Sensitivity: column by way of which looking older may go with a gene, if it is a mediator. null: none."""
    bootstraps: int = Field(default=1000, ge=100, le=100_000)
    """Resamples for the interval of the mediated part."""
    seed: int = Field(default=1, ge=0)
    """Of the permutations of gene set enrichment, and of the resamples."""


class Variants(Closed):
    """DNA variants of the genes of expression.panel against age acceleration, chronological age as negative control."""

    maf: float = Field(default=0.01, gt=0, le=0.5)
    """Variants up to this minor allele frequency (among the people analysed) are rare, and tested together per gene."""
    call_rate: float = Field(default=0.95, ge=0, le=1)
    """Least share of known genotypes, per person and per variant."""
    weights: Literal["carriers", "alleles", "weighted"] = "carriers"
    """What of a gene's rare variants the burden test counts: whether a person carries any, how many alleles, or alleles weighted by
    rarity. SKAT always weighs by Beta(1, 25)."""
    min_carriers: int = Field(default=5, ge=1)
    """With fewer carriers nothing is estimated."""
    covariates: list[str] = ["sex"]
    """Columns beside chronological age and the ancestry components."""
    common: bool = True
    """Whether common variants of these genes are tested one by one."""


def _days(value: str | None) -> str | None:
    if value is not None:
        try:
            date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{value!r} is no day; write YYYY-MM-DD in quotes") from None
    return value


class AddedValue(Closed):
    """Models with and without face age on the same people: C, AUC, Brier score, calibration, net benefit."""

    times_years: list[Annotated[float, Field(gt=0)]] = Field(default=[0.5, 1.0, 2.0], min_length=1)
    """Risks are predicted for these times; those at which fewer than 10 people died or were followed are not told."""
    bootstraps: int = Field(default=200, ge=0, le=10_000)
    """Samples that tell how much each measure flatters its model (optimism). 0: none."""
    seed: int = Field(default=1, ge=0)
    """The same seed gives the same samples."""
    risk_groups: int = Field(default=5, ge=2, le=20)
    """Groups of equal size by predicted risk, in which it is held against what happened."""


class Survival(Closed):
    """Whether looking older predicts death (Cox, Kaplan-Meier)."""

    time_zero: str = "photo"
    """photo, or a column of the clinic table with dates (diagnosis_date) from which time runs; people are then at risk from
    the photo on only, so that nobody is credited with time that he had to survive to be photographed."""
    landmark_years: float | None = Field(default=None, gt=0)
    """Only people still under observation so long after time zero, and time from there. null: everybody."""
    end_date: Annotated[str | None, AfterValidator(_days)] = None
    """Day (YYYY-MM-DD) on which observation ends for everybody. null: as the clinic table says."""
    steps: list[str] = ["sex", "site"]
    """Columns that enter the ladder of Cox models one after the other, after age."""
    covariates: list[str] = ["sex", "smoking", "ecog"]
    """Columns of the full model, which holds those of the steps too."""
    groups: dict[str, list[float]] = Field(default_factory=dict)
    """Numbers that enter as groups, with their cut-points: {ecog: [2]} makes "below 2" (the reference) and "2 and over"."""
    strata: list[str] = []
    """Columns whose levels have a baseline hazard of their own; they then are no covariates."""
    cluster: str | None = None
    """Column of units within which people are alike, such as a hospital: all standard errors are robust against it."""
    panel_by: str = "site"
    """Column within whose levels the hazard ratio of face age is shown, with the test that they differ."""
    alpha: float = Field(default=0.05, gt=0, lt=1)
    """Test of proportional hazards: a smaller p-value brings the remedy (strata, time interaction, stretches, mean time)."""
    split_years: list[float] = Field(default=[1.0], min_length=1)
    """Years that divide the follow-up into stretches, where hazards are not proportional."""
    early_death_years: float = Field(default=0.5, gt=0)
    """Results are also shown without the time before this."""
    gap_classes: list[float] = Field(default=[-5.0, 10.0], min_length=2, max_length=2)
    """Age gaps at or below, and at or above, which faces count as younger and older in a row of their own."""
    imputation: Imputation = Field(default_factory=Imputation)
    """Missing covariates of the full model, filled in beside complete cases."""
    added_value: AddedValue = Field(default_factory=AddedValue)
    """Whether face age tells anything that age, sex and the other covariates do not."""
    firth: bool = False
    """true: Firth's penalised estimates beside the others, for few deaths and groups in which nobody died."""
    per_years: float = Field(default=10.0, gt=0)
    """Hazard ratios are given per this many years."""
    curves: dict[str, Annotated[list[float], Field(min_length=1)] | Literal["tertiles", "levels"]] = {
        "face_age": [65.0, 75.0, 85.0],
        "age_acceleration": "tertiles",
    }
    """Groups whose curves are compared, declared beforehand: a column with cut-points (a value at a cut-point belongs to the
    lower group; those of face_age are the study's), tertiles, or levels (its words or few numbers). Nothing looks for the
    cut-point with the smallest p-value, since that finds differences where there are none."""
    times_years: list[Annotated[float, Field(gt=0)]] = Field(default=[0.5, 1.0, 2.0, 5.0], min_length=1)
    """Survival is told at these times, as far as people were followed."""
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
    cause_of_interest: Literal[CAUSE_LEVELS] = "cancer"
    """Word of the clinic table's column `cause`; deaths of other causes compete with it."""
    horizon_years: float | None = Field(default=None, gt=0)
    """Follow-up beyond this is censored there. null: use all."""
    gene_covariates: list[str] = ["chronological_age", "sex"]
    """Columns beside each gene in its Cox model; `batch` of the samples table may be named too. `expression.panel` are the
    genes declared beforehand."""
    year_days: Literal[365, 365.25] = 365.25
    """Days in a year where follow-up is computed from dates."""

    @model_validator(mode="after")
    def _in_order(self) -> "Survival":
        if self.gap_classes[0] >= self.gap_classes[1]:
            raise ValueError("gap_classes: give the lower gap and then the higher, such as [-5.0, 10.0]")
        return self


class Readers(Closed):
    """Whether people who see the face age tell better who dies: readers x cases x conditions."""

    readings: str | None = None
    """Table with one row per reader, case and condition: reader_id, reader_type, case_id, condition, and predicted_alive (yes, no)
    or rating (0 to 1); optional predicted_age or predicted_age_decade. null: no reader study."""
    cases: str | None = None
    """Table of the cases: case_id, followup_years, event, chronological_age, face_age. null: the people of all cohorts."""
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
    """Column of the cases that orders them by the risk of the model alone; higher means more likely to die."""

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

    definitions: list[str] = Field(default=["teachh_publication"], min_length=1)
    """teachh_publication (chemotherapy >= 2), teachh_faceage_repository (> 2), or a YAML file of your own; see
    `faceage-bio show-score teachh_publication`. Columns of the clinic table with other names are declared under columns."""
    reference_group: str | None = None
    """Group that the others' hazard ratios are given against. null: the one that the score's file declares."""
    horizons_months: list[Annotated[float, Field(gt=0)]] = Field(default=[3.0, 6.0, 12.0], min_length=1)
    """Months after the photo at which areas under ROC curves are taken."""
    bootstraps: int = Field(default=1000, ge=100, le=100_000)
    """Resamples of people for the intervals of C, areas and their differences."""
    seed: int = Field(default=1, ge=0)
    """The same seed gives the same resamples."""


class Report(Closed):
    """What the pages say besides the results."""

    title: str = "FaceAge study"
    """Heads both reports."""
    governance: str = ""
    """Ethics approval and consent, printed as given."""
    min_cell: int = Field(default=5, ge=1)
    """Groups of fewer people are not printed."""


class Config(Closed):
    """A study: cohorts and how they are analysed. Paths start at the folder you run in."""

    results_dir: str = "results"
    """Where everything is written."""
    cohorts: dict[CohortName, Cohort] = Field(min_length=1)
    """Subjects analysed together, by name; a subject may be in one cohort only."""
    demo: Demo | None = None
    """Only in the demo: the cohorts' files are drawn, not found."""
    models: list[str] = Field(default=["demo"], min_length=1)
    """Folders written by `faceage-bio weights import`. The first gives the face ages; others are compared with it.
    demo: a model fitted on drawn faces, not FaceAge."""
    faceage: FaceAge = Field(default_factory=FaceAge)
    acceleration: Acceleration = Field(default_factory=Acceleration)
    phenotype: Phenotype = Field(default_factory=Phenotype)
    fairness: Fairness = Field(default_factory=Fairness)
    expression: Expression = Field(default_factory=Expression)
    variants: Variants = Field(default_factory=Variants)
    survival: Survival = Field(default_factory=Survival)
    readers: Readers = Field(default_factory=Readers)
    scores: Scores = Field(default_factory=Scores)
    report: Report = Field(default_factory=Report)

    @model_validator(mode="after")
    def _sensible_together(self) -> "Config":
        reserved = sorted(RESERVED_COHORTS & set(self.cohorts))
        if reserved:
            raise ValueError(f"the cohort name {reserved[0]!r} is taken by a folder of ours; choose another")
        if "demo" in self.models and self.demo is None and any(c.photos for c in self.cohorts.values()):
            raise ValueError(
                "models: the demo model is fitted on drawn faces and means nothing on real photos; give the folder "
                "written by `faceage-bio weights import`"
            )
        doubled = sorted({name for name in self.models if self.models.count(name) > 1})
        if doubled:
            raise ValueError(
                f"models: {doubled[0]!r} stands more than once; a model cannot be compared with itself"
            )
        clinics = any(cohort.clinic for cohort in self.cohorts.values())
        if self.readers.readings and not self.readers.cases and not clinics:
            raise ValueError(
                "readers.readings: nobody's survival is known; give readers.cases, or a cohort a clinic table"
            )
        if self.faceage.detection == "fast" and self.faceage.quality.small_face.action != "exclude":
            raise ValueError(
                "faceage.detection: fast skips faces below quality.small_face, which therefore must have `action: exclude`"
            )
        return self


def load_config(path: Path | str) -> Config:
    """Read a YAML config.

    Raises
    ------
    ConfigError
        No such file, not YAML, or any problem found by `check_config`.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}). Write one with `faceage-bio init`."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path}: expected keys and values such as `cohorts:`, found {type(content).__name__}."
        )
    return check_config(content, source=str(path))


def check_config(content: dict[str, Any], source: str = "config") -> Config:
    """Check a config read by anybody, such as Snakemake; all problems are told at once.

    Raises
    ------
    ConfigError
        Each line names a key, what was found, and for a misspelt key the nearest valid one.
    """
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        problems = [f"  - {explain(item, Config)}" for item in error.errors()]
        noun = "problem" if len(problems) == 1 else "problems"
        raise ConfigError(f"{source}: {len(problems)} {noun}:\n" + "\n".join(problems)) from None


def explain(item: dict[str, Any], root: type[Closed]) -> str:
    """One pydantic error of a file whose keys are those of ``root``, in the words of somebody who writes YAML."""
    where = ".".join(str(part) for part in item["loc"] if part != "[key]") or "the whole file"
    found = item["input"]
    if item["type"] == "extra_forbidden":
        keys = _valid_keys(item["loc"][:-1], root)
        near = difflib.get_close_matches(str(item["loc"][-1]), keys, n=1, cutoff=0.5)
        advice = f"did you mean '{near[0]}'?" if near else f"valid keys are: {', '.join(keys)}."
        return f"{where}: unknown key; {advice}"
    if item["type"] == "missing":
        return f"{where}: this key is needed."
    if item["type"] == "string_pattern_mismatch":
        return f"{where}: a cohort name needs letters, digits and _, starting with a letter, at most 40."
    if item["type"] == "value_error":
        return f"{where}: {item['ctx']['error']}."
    message = item["msg"].removeprefix("Input should be ")
    return f"{where}: found {json.dumps(found, default=str)} ({type(found).__name__}), expected {message}."


def _valid_keys(location: tuple[int | str, ...], root: type[Closed]) -> list[str]:
    """The keys of the section at ``location``."""
    model: type[BaseModel] = root
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            inner = _section(model.model_fields[part].annotation)
            model = inner or model
    return list(model.model_fields)


def _section(annotation: Any) -> type[Closed] | None:
    """The section class inside an annotation such as ``Demo | None`` or ``dict[str, Cohort]``."""
    if isinstance(annotation, type) and issubclass(annotation, Closed):
        return annotation
    return next((found for part in get_args(annotation) if (found := _section(part))), None)


def json_schema() -> dict[str, Any]:
    """The closed JSON schema (draft 2020-12) that the Snakefile validates against."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}


def commented_yaml(config: Config) -> str:
    """The config as YAML with each key's meaning above it."""
    return "\n".join(_yaml_lines(config, indent=0)) + "\n"


def _yaml_lines(section: Closed, indent: int) -> list[str]:
    pad = "  " * indent
    lines: list[str] = []
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        inner = _section(field.annotation)
        optional_file = isinstance(section, Cohort) and not value
        if optional_file or (value is None and name == "demo"):
            continue
        if not indent:
            lines.append("")
        comment = field.description or (inner.__doc__ if inner else "")
        lines += [
            f"{pad}# {line}" for line in (comment or "").splitlines() if not isinstance(section, Cohort)
        ]
        if isinstance(value, Rule):
            lines.append(f"{pad}{name}: {{action: {value.action}, threshold: {value.threshold:g}}}")
        elif isinstance(value, Closed):
            lines += [f"{pad}{name}:", *_yaml_lines(value, indent + 1)]
        elif inner is Covariate:
            lines.append(f"{pad}{name}:")
            for key, item in value.items():
                dumped = yaml.safe_dump(
                    item.model_dump(exclude_defaults=True),
                    default_flow_style=True,
                    width=10_000,
                    sort_keys=False,
                )
                lines.append(f"{pad}  {key}: {dumped.strip()}")
        elif inner and isinstance(value, dict):
            lines.append(f"{pad}{name}:")
            for key, item in value.items():
                lines += [f"{pad}  {key}:", *_yaml_lines(item, indent + 2)]
        else:
            dumped = yaml.safe_dump(
                value, default_flow_style=True, width=10_000, allow_unicode=True, sort_keys=False
            )
            lines.append(f"{pad}{name}: {dumped.removesuffix(chr(10)).removesuffix(chr(10) + '...')}")
    return lines


def demo_config() -> Config:
    """The study in ``config/config.yaml``: three drawn cohorts."""

    def files(name: str, **more: str) -> Cohort:
        folder = f"results/demo/{name}"
        return Cohort(
            photos=f"{folder}/photos",
            manifest=f"{folder}/manifest.tsv",
            clinic=f"{folder}/clinic.tsv",
            **more,
        )

    def with_rna(name: str, **more: str) -> Cohort:
        folder = f"results/demo/{name}"
        return files(name, counts=f"{folder}/counts.tsv", samples=f"{folder}/samples.tsv", **more)

    dna = {
        "variants": "variants.vcf.gz", "variant_genes": "variant_genes.bed", "variant_samples": "variant_samples.tsv",
        "ancestry": "ancestry.tsv",
    }  # fmt: skip
    north = with_rna("north", **{key: f"results/demo/north/{file}" for key, file in dna.items()})

    return Config(
        cohorts={"north": north, "south": with_rna("south"), "healthy": files("healthy")},
        demo=Demo(),
        phenotype=Phenotype(factors=["smoking", "bmi_class", "ecog", "site", "sex", "skin_type"]),
        fairness=Fairness(by=["sex", "skin_type"], stress_photos=12),
        readers=Readers(readings="results/demo/readings.tsv", rating_of="death", horizon_years=1.0),
        scores=Scores(definitions=["teachh_publication", "teachh_faceage_repository"]),
        report=Report(
            title="Demo study of drawn people", governance="No real person: faces, clinic and RNA are drawn."
        ),
    )


if __name__ == "__main__":  # python -m faceage_bio.config: write what is generated from these models
    root = Path(__file__).parent.parent
    schema = root / "workflow" / "schemas" / "config.schema.json"
    schema.write_text(json.dumps(json_schema(), indent=2) + "\n", encoding="utf-8")
    (root / "config" / "config.yaml").write_text(commented_yaml(demo_config()), encoding="utf-8")
