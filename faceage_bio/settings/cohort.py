"""Files of a cohort, and the simulated participants of the demo."""

from typing import Literal

from pydantic import Field, model_validator

from faceage_bio.settings.closed import Closed


class Cohort(Closed):
    """Files of one cohort; all but `photos` + `manifest` (or `face_ages`) may be left out."""

    photos: str | None = None
    """Folder with the photos."""
    manifest: str | None = None
    """Table with one row per photo: photo_id, subject_id, path (inside the folder), photo_date."""
    face_ages: str | None = None
    """Instead of photos: a table subject_id, face_age (and photo_id, photo_date) computed elsewhere."""
    clinical: str | None = None
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
    units: dict[Literal["followup", "entry"], Literal["years", "months", "days"]] = Field(
        default_factory=dict
    )
    """Unit of the clinical table's times, where it is not years: {followup: days} for followup_years, entry for entry_years."""
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
            raise ValueError(f"{lonely[0]} belongs to variants, but no variants are given")
        return self


class Demo(Closed):
    """Simulated participants to try the workflow with. Leave this section out of a real study."""

    seed: int = Field(default=2025, ge=0)
    """Other seeds simulate other participants."""
