"""Command from face age to age acceleration."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


class RepeatPhotos(StrEnum):
    first = "first"
    last = "last"
    mean = "mean"


class FitIn(StrEnum):
    cohort = "cohort"
    reference = "reference"


@app.command()
def compute_acceleration(
    subjects: Annotated[
        list[Path], typer.Option(help="A cohort's subjects.parquet; repeat for each cohort.")
    ],
    photos: Annotated[list[Path], typer.Option(help="Its photos.parquet, in the same order.")],
    face_ages: Annotated[list[Path], typer.Option(help="Its face_age.parquet, in the same order.")],
    results: Annotated[Path, typer.Option(help="Results folder.")],
    repeat_photos: Annotated[
        RepeatPhotos, typer.Option(help="Which photo of a subject counts.")
    ] = RepeatPhotos.first,
    fit_in: Annotated[FitIn, typer.Option(help="In whom face age is fitted on age.")] = FitIn.cohort,
) -> None:
    """Age gap and age acceleration of every cohort.

    Example: faceage-bio compute-acceleration --subjects subjects.parquet --photos photos.parquet
    --face-ages face_age.parquet --results results
    """
    from faceage_bio.acceleration.stage import compute
    from faceage_bio.errors import RunError
    from faceage_bio.tables import read_table, write_table

    if not len(subjects) == len(photos) == len(face_ages):
        raise RunError(
            "--subjects, --photos and --face-ages are needed once for each cohort, in the same order."
        )
    names = [path.parts[-3] if len(path.parts) > 2 else path.stem for path in map(Path.absolute, subjects)]
    tables = [[read_table(path) for path in paths] for paths in (subjects, photos, face_ages)]
    for name, cohort in compute(*tables, names, repeat_photos.value, fit_in.value).items():
        folder = results / name / "acceleration"
        write_table(cohort.table, folder / "acceleration.parquet", private=True)
        write_table(cohort.ledger, folder / "ledger.tsv", private=True)
        write_table(cohort.summary, folder / "summary.tsv")
        write_table(cohort.age_bands, folder / "age_bands.tsv")
        print(
            f"{name}: age acceleration of {cohort.table['age_acceleration'].notna().sum()} of {len(cohort.table)} subjects"
        )
