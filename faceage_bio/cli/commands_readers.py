"""Command for the reader study."""

from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.core.config import Config
from faceage_bio.core.steps import Tables, step


@step(
    uses=[
        f"readers.{name}"
        for name in ("conditions", "types", "groups", "rating_of", "horizon_years", "model_column", "tables")
    ],
    writes={"readers.tsv": "areas, contrasts, decisions, ages; names no case and no reader"},
)
def compare_readers(
    readings: Annotated[Path, typer.Option(help="Table with one row per reader, case and condition.")],
    cases: Annotated[
        list[Path],
        typer.Option(help="Table of the cases, or a cohort's analysis table; repeat to join several."),
    ],
    settings: Config,
) -> Tables:
    """Discrimination of readers: areas under the curve per reader, and conditions compared over readers and cases.

    Example: faceage-bio compare-readers --readings readings.csv --cases cases.csv --output readers

    readings.csv:

    reader_id,reader_type,case_id,condition,predicted_alive,predicted_age_decade

    anna,staff,A001,photo,yes,6

    anna,staff,A001,chart,no,

    cases.csv:

    case_id,followup_years,event,chronological_age,face_age

    A001,0.31,died,63,71.5

    predicted_alive: yes = alive at the horizon, no = dead by then. A column rating (0 to 1) may be given in addition or instead; then
    readers.rating_of says what 1 means.
    """
    from faceage_bio.analyses.readers import readers_stage

    chosen = settings.readers
    read, known = readers_stage.read_study(
        readings, cases, chosen.conditions, chosen.types, chosen.rating_of, chosen.model_column, chosen.tables
    )
    table = readers_stage.compare_readers(
        read, known, chosen.conditions, chosen.groups, chosen.horizon_years, chosen.model_column
    )
    print(f"{len(read)} readings of {len(known)} cases by {read['reader'].nunique()} readers")
    return {"readers": table}
