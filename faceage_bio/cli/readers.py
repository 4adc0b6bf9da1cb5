"""Command for the reader study."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def compare_readers(
    readings: Annotated[Path, typer.Option(help="Table with one row per reader, case and condition.")],
    cases: Annotated[
        list[Path],
        typer.Option(help="Table of the cases, or a cohort's analysis table; repeat to join several."),
    ],
    output: Annotated[Path, typer.Option(help="Result table; names no case and no reader.")],
    condition: Annotated[
        list[str], typer.Option(help="A word of the column condition; repeat in the order shown.")
    ] = ["photo", "chart", "face_age"],
    reader_type: Annotated[list[str], typer.Option(help="A word of the column reader_type; repeat.")] = [
        "staff",
        "resident",
        "lay",
    ],
    group: Annotated[list[str], typer.Option(help="Types looked at together: name=type,type; repeat.")] = [],
    rating_of: Annotated[
        str | None, typer.Option(help="What a rating of 1 is certain of: death or survival.")
    ] = None,
    horizon_years: Annotated[
        float, typer.Option(help="Readers say who is alive so long after the photo.")
    ] = 0.5,
    model_column: Annotated[
        str, typer.Option(help="Column of the cases: the model's own order, higher = more likely to die.")
    ] = "face_age",
) -> None:
    """Who tells better who dies: areas under the curve per reader, and conditions compared over readers and cases.

    Example: faceage-bio compare-readers --readings readings.csv --cases cases.csv --output readers.tsv

    readings.csv:

    reader_id,reader_type,case_id,condition,predicted_alive,predicted_age_decade

    anna,staff,A001,photo,yes,6

    anna,staff,A001,chart,no,

    cases.csv:

    case_id,followup_years,event,chronological_age,face_age

    A001,0.31,died,63,71.5

    predicted_alive: yes = alive at the horizon, no = dead by then. A column rating (0 to 1) may stand beside it or instead; then
    --rating-of death or --rating-of survival says what 1 means.
    """
    from faceage_bio.errors import RunError
    from faceage_bio.readers import stage
    from faceage_bio.tables import write_table

    if rating_of not in (None, "death", "survival"):
        raise RunError(
            f"--rating-of is {rating_of!r}; expected death or survival. Say which of them a rating of 1 means."
        )
    groups = {}
    for text in group:
        name, _, kinds = text.partition("=")
        unknown = [kind for kind in kinds.split(",") if kind not in reader_type]
        if not kinds or unknown:
            raise RunError(
                f"--group {text}: expected name=type,type with types of {', '.join(reader_type)}. Write for example all={','.join(reader_type)}."
            )
        groups[name] = kinds.split(",")
    read, known = stage.read_study(readings, cases, condition, reader_type, rating_of, model_column)
    table = stage.compare_readers(read, known, condition, groups, horizon_years, model_column)
    write_table(table, output)
    print(f"{len(read)} readings of {len(known)} cases by {read['reader'].nunique()} readers")
