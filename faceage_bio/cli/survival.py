"""Commands for survival: who is followed for how long, Cox models, curves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()
People = Annotated[
    Path,
    typer.Option(
        "--acceleration",
        help="A table (.parquet, .tsv, .csv) with face_age, chronological_age and followup_years (years), event (1 = died), "
        "and covariates.",
    ),
]
Covariates = Annotated[
    list[str], typer.Option("--covariate", help="A further column of the full model; repeat.")
]
Steps = Annotated[
    list[str],
    typer.Option("--step", help="A column that enters the sequentially adjusted models after age; repeat."),
]
Groups = Annotated[
    list[str],
    typer.Option(
        "--group",
        help="Numbers entered as groups by cut-points: ecog=2 makes below 2, and 2 and over; repeat.",
    ),
]
Strata = Annotated[
    list[str], typer.Option("--stratum", help="A column with baseline hazards of its own; repeat.")
]
Cluster = Annotated[str | None, typer.Option(help="A column of units; errors are robust against them.")]
Firth = Annotated[bool, typer.Option("--firth", help="Add Firth's penalised estimates.")]
Units = Annotated[
    list[str],
    typer.Option(
        "--unit",
        help="Unit of followup (followup_years) or entry (entry_years), if not years: followup=days; repeat.",
    ),
]
PerYears = Annotated[float, typer.Option(help="Years that hazard ratios are given for.")]


def read_followed(path: Path, covariates: Sequence[str] = (), units: Sequence[str] = ()):
    """The checked table, and of it those with usable follow-up; what models will not be able to tell goes to the log."""
    from faceage_bio.age_reached import parse_units
    from faceage_bio.survival.check import hints, read_people
    from faceage_bio.survival.follow_up import prepare

    table = read_people(path, parse_units(units))
    usable, _ = prepare(table)
    for hint in hints(table, usable, covariates, str(path)):
        print(f"note: {hint}")
    return table, usable


def name_of(table, path: Path) -> str:
    """The cohort's name."""
    return str(table["cohort"].iloc[0]) if len(table) else path.stem


def read_choices(
    per_years: float = 10.0,
    steps: Sequence[str] = (),
    covariates: Sequence[str] = (),
    groups: Sequence[str] = (),
    strata: Sequence[str] = (),
    cluster: str | None = None,
    firth: bool = False,
):
    """Options as `Choices`."""
    from faceage_bio.survival.models import Choices, parse_groups

    return Choices(per_years, steps, covariates, parse_groups(groups), strata, cluster, firth)


@app.command()
def prepare_follow_up(
    acceleration: People,
    output: Annotated[Path, typer.Option(help="The table on the chosen time (.parquet or .tsv).")],
    ledger: Annotated[Path, typer.Option(help="Ledger: who is in the full model, and why not.")],
    covariate: Covariates = [],
    time_zero: Annotated[
        str,
        typer.Option(help="photo, or a column of dates from which time runs; entry is then at the photo."),
    ] = "photo",
    landmark_years: Annotated[
        float | None, typer.Option(help="Only those observed then, time from there.")
    ] = None,
    horizon_years: Annotated[float | None, typer.Option(help="Censor all participants then.")] = None,
    end_date: Annotated[
        str | None, typer.Option(help="Censor all participants on this day (YYYY-MM-DD).")
    ] = None,
    year_days: Annotated[float, typer.Option(help="Days in a year.")] = 365.25,
    unit: Units = [],
) -> None:
    """Time zero, delayed entry, landmark, end of observation: the participants and times that all survival steps use.

    Example: faceage-bio prepare-follow-up --acceleration participants.tsv --time-zero diagnosis_date --horizon-years 5
    --output follow_up.tsv --ledger ledger.tsv
    """
    from faceage_bio.age_reached import parse_units
    from faceage_bio.survival.check import read_people
    from faceage_bio.survival.follow_up import REASON, Time, mark, survival_ledger
    from faceage_bio.tables import write_table

    table = read_people(acceleration, parse_units(unit))
    marked = mark(table, Time(time_zero, landmark_years, horizon_years, end_date, year_days))
    write_table(marked, output)
    write_table(survival_ledger(marked, covariate), ledger)
    followed = marked[marked[REASON] == ""]
    deaths = int(followed["event"].sum())
    print(
        f"{name_of(table, acceleration)}: {len(followed)} of {len(table)} subjects with follow-up, {deaths} deaths"
    )


@app.command()
def fit_survival(
    acceleration: People,
    cox: Annotated[Path, typer.Option(help="Cox models.")],
    comparison: Annotated[Path, typer.Option(help="Face age against chronological age.")],
    step: Steps = [],
    covariate: Covariates = [],
    group: Groups = [],
    stratum: Strata = [],
    cluster: Cluster = None,
    firth: Firth = False,
    per_years: PerYears = 10.0,
    unit: Units = [],
) -> None:
    """Cox models from each age alone to all covariates.

    Example: faceage-bio fit-survival --acceleration participants.tsv --step sex --covariate ecog --cox cox.tsv
    --comparison comparison.tsv
    """
    from faceage_bio.survival.age_comparison import compare_ages
    from faceage_bio.survival.ladder import cox_ladder
    from faceage_bio.survival.models import grouped
    from faceage_bio.tables import write_table

    choices = read_choices(per_years, step, covariate, group, stratum, cluster, firth)
    table, usable = read_followed(acceleration, choices.full, unit)
    name = name_of(table, acceleration)
    people = grouped(usable, choices.groups)
    write_table(cox_ladder(people, choices, name), cox)
    write_table(compare_ages(people, choices, name), comparison)
