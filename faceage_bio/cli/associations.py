"""Commands for comparisons: groups, curves, subgroups, pairs, adjustment sets, specifications."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()
Tables = Annotated[
    list[Path],
    typer.Option(
        "--acceleration",
        help="A cohort's table (.parquet, .tsv, .csv) with face_age, chronological_age (years) and what is compared; repeat.",
    ),
]
Exposures = Annotated[
    list[str],
    typer.Option("--exposure", help="A column to test within each cohort, or group over all; repeat."),
]
AdjustFor = Annotated[list[str], typer.Option(help="A column adjusted for besides age; repeat.")]
FullAdjustment = Annotated[list[str], typer.Option(help="A column of the full adjustment set; repeat.")]
Roles = Annotated[
    list[str],
    typer.Option(
        "--covariate",
        help="Role of a column, and other roles towards some exposures: bmi=mediator,ecog:confounder. Roles: confounder, "
        "precision, mediator, collider, part; repeat.",
    ),
]


def read_people(paths: Sequence[Path]):
    """The tables below each other; a plain table is called by its file's name."""
    from faceage_bio.phenotype.people import gather
    from faceage_bio.plain import read_plain

    return gather([read_plain(path) for path in paths], [path.stem for path in paths])


def read_plan(roles: Sequence[str], reasons: Sequence[str], minimal: Sequence[str], full: Sequence[str]):
    """The declared adjustment sets."""
    from faceage_bio.phenotype.adjustment import Plan, parse_covariates

    return Plan(parse_covariates(roles, reasons), minimal, full)


@app.command()
def compare_levels(
    tables: Tables,
    factor: Annotated[list[str], typer.Option(help="A column of groups; bmi_class is made of bmi; repeat.")],
    means: Annotated[Path, typer.Option(help="Means of the groups.")],
    pairs: Annotated[Path, typer.Option(help="All pairs of groups.")],
    tests: Annotated[Path, typer.Option(help="Whether the groups differ, and trends.")],
    adjust_for: AdjustFor = [],
) -> None:
    """Groups against each other: means, all pairs (Holm, BH), effect sizes, trends; raw beside age-adjusted.

    Example: faceage-bio compare-levels --acceleration participants.tsv --factor smoking --factor ecog --adjust-for sex
    --means means.tsv --pairs pairs.tsv --tests tests.tsv
    """
    from faceage_bio.phenotype.levels import compare_levels as compare
    from faceage_bio.tables import write_table

    found = compare(read_people(tables), factor, adjust_for)
    for table, path in ((found.means, means), (found.pairs, pairs), (found.tests, tests)):
        write_table(table, path)


@app.command()
def fit_dose_response(
    tables: Tables,
    amount: Annotated[list[str], typer.Option(help="A column of numbers; repeat.")],
    output: Annotated[Path, typer.Option(help="Slopes, tests of curvature, lowest points.")],
    curves: Annotated[Path, typer.Option(help="Curves with their bands.")],
    adjust_for: AdjustFor = [],
) -> None:
    """Years of face age by amount, such as BMI or pack-years: line, natural spline, U shape; raw beside age-adjusted.

    Example: faceage-bio fit-dose-response --acceleration participants.tsv --amount bmi --adjust-for sex --output dose.tsv
    --curves curves.tsv
    """
    from faceage_bio.phenotype.dose import fit_dose_response as fit
    from faceage_bio.tables import write_table

    found = fit(read_people(tables), amount, adjust_for)
    write_table(found.rows, output)
    write_table(found.curves, curves)


@app.command()
def compare_subgroups(
    tables: Tables,
    exposure: Exposures,
    modifier: Annotated[
        list[str], typer.Option(help="A column by which the exposure's years might differ; repeat.")
    ],
    interactions: Annotated[Path, typer.Option(help="Interaction tests.")],
    forest: Annotated[Path, typer.Option(help="Estimates in subgroups.")],
    adjust_for: AdjustFor = [],
    split_age: Annotated[float, typer.Option(help="Age that divides two groups, fixed beforehand.")] = 65.0,
) -> None:
    """Interaction tests and estimates in subgroups; raw beside age-adjusted.

    Example: faceage-bio compare-subgroups --acceleration participants.tsv --exposure smoking --modifier sex
    --modifier chronological_age --interactions interactions.tsv --forest subgroups.tsv
    """
    from faceage_bio.phenotype.subgroups import compare_subgroups as compare
    from faceage_bio.tables import write_table

    found = compare(read_people(tables), exposure, modifier, adjust_for, split_age)
    write_table(found.interactions, interactions)
    write_table(found.forest, forest)


@app.command()
def match_groups(
    tables: Tables,
    output: Annotated[Path, typer.Option(help="Raw and matched difference.")],
    balance: Annotated[Path, typer.Option(help="Standardised differences before and after.")],
    group: Annotated[str, typer.Option(help="A column of two groups.")] = "group",
    exact: Annotated[list[str], typer.Option(help="A column on which pairs are the same; repeat.")] = ["sex"],
    caliper_years: Annotated[float, typer.Option(help="Largest difference of age in a pair.", min=0.0)] = 2.0,
    balance_covariate: Annotated[
        list[str], typer.Option(help="A further column whose balance is reported; repeat.")
    ] = [],
) -> None:
    """Cancer against controls in pairs of nearly the same age; all participants' raw difference beside it.

    Example: faceage-bio match-groups --acceleration cases.tsv --acceleration reference.tsv --exact sex --output matched.tsv
    --balance balance.tsv
    """
    from faceage_bio.phenotype.matched import match_groups as match
    from faceage_bio.tables import write_table

    found = match(read_people(tables), group, exact, caliper_years, balance_covariate)
    write_table(found.rows, output)
    write_table(found.balance, balance)


@app.command()
def compare_adjustments(
    tables: Tables,
    exposure: Exposures,
    output: Annotated[Path, typer.Option(help="Estimates under each set.")],
    roles: Annotated[Path, typer.Option(help="Which covariate is in which set, and why.")],
    adjust_for: AdjustFor = [],
    full_adjustment: FullAdjustment = [],
    covariate: Roles = [],
    reason: Annotated[list[str], typer.Option(help="Why a column has its role: sex=why; repeat.")] = [],
    imputations: Annotated[int, typer.Option(help="Completed tables.", min=2)] = 20,
    iterations: Annotated[int, typer.Option(help="Rounds before a table is taken.", min=1)] = 10,
    seed: Annotated[int, typer.Option(help="Of the imputation.", min=0)] = 1,
) -> None:
    """Each exposure under each adjustment set, complete cases beside multiple imputation, with E-values.

    Example: faceage-bio compare-adjustments --acceleration participants.tsv --exposure smoking --adjust-for sex --full-adjustment sex
    --full-adjustment bmi --covariate bmi=mediator --output adjustments.tsv --roles roles.tsv
    """
    from faceage_bio.phenotype.adjustment import compare_adjustments as compare
    from faceage_bio.tables import write_table

    plan = read_plan(covariate, reason, adjust_for, full_adjustment)
    found = compare(read_people(tables), exposure, plan, m=imputations, iterations=iterations, seed=seed)
    write_table(found.rows, output)
    write_table(found.roles, roles)


@app.command()
def vary_specifications(
    tables: Tables,
    exposure: Exposures,
    output: Annotated[Path, typer.Option(help="One estimate per specification.")],
    summary: Annotated[Path, typer.Option(help="How many agree.")],
    adjust_for: AdjustFor = [],
    full_adjustment: FullAdjustment = [],
    adjusted_for: Annotated[
        list[str],
        typer.Option(
            help="A column that acceleration_adjusted is adjusted for (untold, it is left out); repeat."
        ),
    ] = [],
    covariate: Roles = [],
) -> None:
    """Each exposure's headline under all definitions of age acceleration, adjustment sets and exclusions.

    Example: faceage-bio vary-specifications --acceleration participants.tsv --exposure smoking --adjust-for sex --full-adjustment sex
    --full-adjustment bmi --output specifications.tsv --summary specification_summary.tsv
    """
    from faceage_bio.phenotype.specifications import vary_specifications as vary
    from faceage_bio.tables import write_table

    found = vary(
        read_people(tables), exposure, read_plan(covariate, [], adjust_for, full_adjustment), adjusted_for
    )
    write_table(found.rows, output)
    write_table(found.summary, summary)
