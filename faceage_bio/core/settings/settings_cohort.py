"""Files of a cohort, how their tables are written, and the simulated participants of the demo."""

import re
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from faceage_bio.core.settings.closed import Closed, FilePath

UserTable = Literal["manifest", "face_ages", "clinical", "samples", "variant_samples", "ancestry"]
TABLES = get_args(UserTable)
WORKBOOKS = (".xlsx", ".xlsm")


def _day_pattern(value: str | None) -> str | None:
    parts = re.findall("YYYY|MM|MON|DD", value or "YYYYMMDD")
    if sorted(part.replace("MON", "MM") for part in parts) != ["DD", "MM", "YYYY"]:
        raise ValueError(
            f"{value!r} needs YYYY, MM (or MON: Jan, Feb ...) and DD once each, such as DD.MM.YYYY"
        )
    return value


class TableForm(Closed):
    """How a table is written, where it differs from ours."""

    columns: dict[str, str | list[str]] = Field(default_factory=dict)
    """Your name of a column, where it differs from ours: {bmi: BMI_at_baseline}. Of several, the first with a value counts:
    {followup_years: [days_to_death, days_to_last_follow_up]}."""
    codings: dict[str, dict[str, str]] = Field(default_factory=dict)
    """What the codes of a column mean: {sex: {"1": male, "2": female}}; NA for those that mean nothing: {ecog: {"9": NA}}."""
    missing: list[str | int | float] = Field(default_factory=list)
    """What stands in any column where a value is not known, besides empty cells and the usual words: [-99, 999, refused]."""
    units: dict[Literal["followup", "entry", "age"], Literal["years", "months", "days"]] = Field(
        default_factory=dict
    )
    """Unit of followup_years, entry_years and chronological_age, where it is not years: {followup: days}."""
    date_format: Annotated[str | None, AfterValidator(_day_pattern)] = None
    """How dates are written, where they are not YYYY-MM-DD: DD.MM.YYYY, MM/DD/YYYY, DDMONYYYY (03JAN2020)."""
    decimal: Literal[".", ","] | None = None
    """Decimal mark. null: a point; in a table with semicolons between its columns a comma too, if there is any."""


class SheetForm(TableForm):
    """The same of one table; `sheet` is that of a workbook (.xlsx)."""

    sheet: str | None = None
    """Sheet of the workbook; needed if several sheets hold something."""


class Files(Closed):
    """Paths of a cohort."""

    photos: FilePath | None = None
    """Folder with the photos."""
    manifest: FilePath | None = None
    """Table with one row per photo: photo_id, subject_id, path (inside the folder), photo_date."""
    face_ages: FilePath | None = None
    """Instead of photos: a table subject_id, face_age (and photo_id, photo_date) computed elsewhere."""
    clinical: FilePath | None = None
    """Table with one row per subject: chronological_age or birth_date, sex, smoking, bmi, follow-up ..."""
    counts: FilePath | None = None
    """Bulk RNA: raw counts in a table (genes x samples or the other way round), of featureCounts, in an h5ad, or a folder of
    STAR, HTSeq, RSEM or salmon files."""
    counts_kind: Literal["counts", "estimated"] | None = None
    """estimated: counts with decimals of salmon, RSEM or tximport, which are rounded. Otherwise they must be whole."""
    counts_strand: Literal["unstranded", "forward", "reverse"] | None = None
    """Which count of STAR's three is meant."""
    gene_ids: FilePath | None = None
    """Symbols of Ensembl identifiers: the GTF of the alignment, or a table gene_id, symbol. Genes of the panel need none."""
    samples: FilePath | None = None
    """Table with one row per RNA sample: sample_id, subject_id; optional batch, sample_date, tissue, specimen_id (libraries of
    one specimen are added). Without it sample = subject."""
    single_cell: FilePath | None = None
    """Single-cell RNA: an h5ad file with raw counts and, in obs, `subject_id` and `cell_type`."""
    variants: FilePath | None = None
    """DNA variants: a VCF (.vcf, .vcf.gz), or a table with one row per variant: variant_id, gene, then one column per sample with
    0, 1 or 2 copies of one allele."""
    variant_genes: FilePath | None = None
    """Which gene each variant lies in; a VCF needs it. A table with gene and variant_id, or chrom, pos, ref, alt, or chrom, start,
    end as in BED."""
    variant_samples: FilePath | None = None
    """Table sample_id, subject_id, where the variants' samples are not named by subject_id."""
    ancestry: FilePath | None = None
    """Ancestry components that enter the models of variants: a table subject_id, PC1, PC2 ..."""


class Cohort(TableForm, Files):
    """Files of one cohort; all but `photos` + `manifest` (or `face_ages`) may be left out. What is said of columns holds for all tables."""

    tables: dict[UserTable, SheetForm] = Field(default_factory=dict)
    """The same for one table alone: {clinical: {sheet: Baseline, columns: {subject_id: PatientNr}}}."""

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
        for name, form in self.tables.items():
            file = getattr(self, name)
            if not file:
                raise ValueError(f"tables.{name} says how {name} is written, but no {name} is given")
            if form.sheet and Path(file).suffix.lower() not in WORKBOOKS:
                raise ValueError(f"tables.{name}.sheet: {file} is no workbook (.xlsx), and has no sheets")
        return self


def as_list(names: str | list[str]) -> list[str]:
    """Of a column or several."""
    return [names] if isinstance(names, str) else names


def form_of(cohort: Cohort, table: UserTable) -> SheetForm:
    """How a table of a cohort, one of `TABLES`, is written: what is said of it alone goes before what is said of all."""
    own = cohort.tables.get(table, SheetForm())
    return SheetForm(
        columns=cohort.columns | own.columns,
        codings=cohort.codings | own.codings,
        units=cohort.units | own.units,
        missing=[*cohort.missing, *own.missing],
        date_format=own.date_format or cohort.date_format,
        decimal=own.decimal or cohort.decimal,
        sheet=own.sheet,
    )


class Demo(Closed):
    """Simulated participants to try the workflow with. Leave this section out of a real study."""

    seed: int = Field(default=2025, ge=0)
    """Other seeds simulate other participants."""
