"""Commands for curves: Kaplan-Meier by groups declared beforehand, and competing risks."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.cli.survival import People, PerYears, Units, name_of, read_followed

app = typer.Typer()


class Scale(StrEnum):
    """Scale of intervals."""

    log_log = "log-log"
    log = "log"
    plain = "plain"


By = Annotated[
    list[str],
    typer.Option(
        help="Groups: a column with its cut-points (face_age=65,75,85), tertiles (age_acceleration=tertiles) or its own words "
        "(smoking=levels); repeat."
    ),
]
Times = Annotated[
    list[float], typer.Option("--time-years", help="A time at which the curves are read; repeat.")
]
Interval = Annotated[Scale, typer.Option(help="Scale of the intervals; log is R's default.")]
STUDY_GROUPS = ["face_age=65,75,85", "age_acceleration=tertiles"]
TIMES = [0.5, 1.0, 2.0, 5.0]


@app.command()
def estimate_curves(
    acceleration: People,
    kaplan_meier: Annotated[Path, typer.Option(help="Curves with intervals and numbers at risk.")],
    at_risk: Annotated[Path, typer.Option(help="Who is at risk at whole years.")],
    summary: Annotated[Path, typer.Option(help="Follow-up, medians, survival, restricted means, tests.")],
    by: By = STUDY_GROUPS,
    time_years: Times = TIMES,
    rmst_years: Annotated[float, typer.Option(help="Horizon of the restricted mean survival.", min=0)] = 3.0,
    interval: Interval = Scale.log_log,
    log_rank_stratum: Annotated[
        list[str], typer.Option(help="A column within whose levels groups are compared; repeat.")
    ] = [],
    fleming_harrington: Annotated[
        tuple[float, float] | None, typer.Option(help="Weights p q of a further test, such as 0 1.")
    ] = None,
    unit: Units = [],
) -> None:
    """Kaplan-Meier curves by groups declared beforehand, and what is read off them. No cut-point is searched for.

    Example: faceage-bio estimate-curves --acceleration participants.tsv --by face_age=65,75,85 --by smoking=levels
    --kaplan-meier km.tsv --at-risk at_risk.tsv --summary summary.tsv
    """
    from faceage_bio.survival.curve_summary import Reading, summarise
    from faceage_bio.survival.curves import curves_by_group, risk_by_group
    from faceage_bio.survival.groupings import parse_rules, part
    from faceage_bio.tables import write_table

    rules = parse_rules(by)
    table, usable = read_followed(acceleration, units=unit)
    name = name_of(table, acceleration)
    groupings = [part(usable, column, rule) for column, rule in rules.items()]
    reading = Reading(time_years, rmst_years, interval.value, log_rank_stratum, fleming_harrington)
    write_table(curves_by_group(usable, groupings, interval.value, name), kaplan_meier)
    write_table(risk_by_group(usable, groupings, name), at_risk)
    rows = summarise(usable, groupings, reading, name)
    write_table(rows, summary)
    print(f"{name}: {len(usable)} of {len(table)} participants, {len(rows)} rows by {', '.join(rules)}")


@app.command()
def fit_competing_risks(
    acceleration: People,
    competing_risks: Annotated[
        Path, typer.Option(help="Incidence at fixed times, Gray's tests, hazard ratios.")
    ],
    cumulative_incidence: Annotated[Path, typer.Option(help="Curves of cumulative incidence.")],
    at_risk: Annotated[Path, typer.Option(help="Who is at risk at whole years.")],
    cause_of_interest: Annotated[
        str, typer.Option(help="A word of the column `cause`: cancer, cardiovascular or other.")
    ] = "cancer",
    by: By = STUDY_GROUPS,
    time_years: Times = TIMES,
    interval: Interval = Scale.log_log,
    per_years: PerYears = 10.0,
    unit: Units = [],
) -> None:
    """Death of one cause while others compete: incidence by group, Gray's test, cause-specific and Fine-Gray hazard ratios.

    The table needs a column `cause` (of the dead); without it the result says that this was not run.

    Example: faceage-bio fit-competing-risks --acceleration participants.tsv --cause-of-interest cancer --by face_age=65,75,85
    --competing-risks competing.tsv --cumulative-incidence incidence.tsv --at-risk at_risk.tsv
    """
    from faceage_bio.columns import CAUSE_LEVELS
    from faceage_bio.errors import ConfigError
    from faceage_bio.survival.competing_risks import (
        check_causes,
        competing_rows,
        incidence_at_risk,
        incidence_curves,
        why_not,
        with_codes,
    )
    from faceage_bio.survival.groupings import parse_rules, part
    from faceage_bio.tables import write_table

    if cause_of_interest not in CAUSE_LEVELS:
        raise ConfigError(
            f"--cause-of-interest {cause_of_interest!r}: expected {', '.join(CAUSE_LEVELS)}. Name one of them."
        )
    rules = parse_rules(by)
    table, usable = read_followed(acceleration, units=unit)
    check_causes(table, str(acceleration), 1 if acceleration.suffix == ".parquet" else 2)
    name = name_of(table, acceleration)
    groupings = [part(usable, column, rule) for column, rule in rules.items()]
    why = why_not(usable, cause_of_interest)
    people = usable.head(0).assign(cause_code=[]) if why else with_codes(usable, cause_of_interest)[0]
    curves = incidence_curves(people, groupings, cause_of_interest, interval.value, name)
    write_table(curves, cumulative_incidence)
    write_table(incidence_at_risk(people, groupings, name), at_risk)
    rows = competing_rows(usable, groupings, cause_of_interest, time_years, interval.value, per_years, name)
    write_table(rows, competing_risks)
    print(
        f"{name}: not run, because {why}" if why else f"{name}: {len(people)} participants, {len(rows)} rows"
    )
