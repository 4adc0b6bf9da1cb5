"""Commands that look into the Cox models: proportional hazards, curvature, sites, subgroups, other choices."""

from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.cli.survival import (
    Cluster,
    Covariates,
    Groups,
    People,
    PerYears,
    Steps,
    Strata,
    Units,
    name_of,
    read_choices,
    read_followed,
)  # fmt: skip

app = typer.Typer()
Output = Annotated[Path, typer.Option(help="Result table (.tsv).")]


def _read(path: Path, choices, units):
    """Participants with follow-up, their covariates grouped, and the cohort's name."""
    from faceage_bio.survival.models import grouped

    table, usable = read_followed(path, choices.full, units)
    return grouped(usable, choices.groups), name_of(table, path)


@app.command("test-proportional-hazards")
def check_proportional_hazards(
    acceleration: People,
    output: Output,
    curve: Annotated[Path, typer.Option(help="Hazard ratios over time, smooth and binned.")],
    remedies: Annotated[Path, typer.Option(help="What is fitted where hazards are not proportional.")],
    step: Steps = [],
    covariate: Covariates = [],
    group: Groups = [],
    stratum: Strata = [],
    cluster: Cluster = None,
    per_years: PerYears = 10.0,
    alpha: Annotated[float, typer.Option(help="A smaller p-value brings the remedy.")] = 0.05,
    split_years: Annotated[list[float], typer.Option(help="Years that divide the follow-up; repeat.")] = [
        1.0
    ],
    rmst_years: Annotated[
        float, typer.Option(help="Horizon of the years lived by tertiles of acceleration.")
    ] = 3.0,
    unit: Units = [],
) -> None:
    """Proportional hazards, as R's cox.zph: each term and GLOBAL, the hazard ratio over time, and remedies.

    Example: faceage-bio test-proportional-hazards --acceleration participants.tsv --step sex --output ph.tsv --curve curve.tsv
    --remedies remedies.tsv
    """
    from faceage_bio.survival.proportional import proportional_hazards
    from faceage_bio.tables import write_table

    choices = read_choices(per_years, step, covariate, group, stratum, cluster)
    people, name = _read(acceleration, choices, unit)
    found = proportional_hazards(
        people, choices, name, alpha=alpha, split_years=split_years, rmst_years=rmst_years
    )
    for table, path in ((found.tests, output), (found.curve, curve), (found.remedies, remedies)):
        write_table(table, path)


@app.command()
def fit_hazard_curve(
    acceleration: People,
    output: Output,
    curve: Annotated[Path, typer.Option(help="Hazard ratio by years of age acceleration.")],
    histogram: Annotated[Path, typer.Option(help="Participants by years of age acceleration.")],
    step: Steps = [],
    covariate: Covariates = [],
    group: Groups = [],
    stratum: Strata = [],
    cluster: Cluster = None,
    per_years: PerYears = 10.0,
    unit: Units = [],
) -> None:
    """Hazard by age acceleration as a natural spline, and the test that it is a straight line.

    Example: faceage-bio fit-hazard-curve --acceleration participants.tsv --step sex --output tests.tsv --curve curve.tsv
    --histogram histogram.tsv
    """
    from faceage_bio.survival.hazard_curve import hazard_curve
    from faceage_bio.tables import write_table

    choices = read_choices(per_years, step, covariate, group, stratum, cluster)
    people, name = _read(acceleration, choices, unit)
    found = hazard_curve(people, choices, name)
    for table, path in ((found.rows, output), (found.curve, curve), (found.histogram, histogram)):
        write_table(table, path)


@app.command()
def compare_sites(
    acceleration: People,
    output: Output,
    by: Annotated[str, typer.Option(help="The column whose levels are compared.")] = "site",
    step: Steps = [],
    group: Groups = [],
    stratum: Strata = [],
    cluster: Cluster = None,
    per_years: PerYears = 10.0,
    unit: Units = [],
) -> None:
    """Hazard ratio of face age within each site (or other group), and the test that they differ.

    Example: faceage-bio compare-sites --acceleration participants.tsv --by site --step sex --output sites.tsv
    """
    from faceage_bio.survival.sites import compare_sites as compare
    from faceage_bio.tables import write_table

    choices = read_choices(per_years, step, [], group, stratum, cluster)
    people, name = _read(acceleration, choices, unit)
    write_table(compare(people, by, choices, name), output)


@app.command()
def fit_subgroup_hazards(
    acceleration: People,
    output: Output,
    modifier: Annotated[
        list[str], typer.Option(help="A column by which the hazard ratio might differ; repeat.")
    ] = [],
    step: Steps = [],
    covariate: Covariates = [],
    group: Groups = [],
    stratum: Strata = [],
    cluster: Cluster = None,
    per_years: PerYears = 10.0,
    split_age: Annotated[float, typer.Option(help="Age that divides two groups, fixed beforehand.")] = 65.0,
    unit: Units = [],
) -> None:
    """Hazard ratio of age acceleration in subgroups, from one model for each modifier, and the test that they differ.

    Example: faceage-bio fit-subgroup-hazards --acceleration participants.tsv --modifier sex --modifier chronological_age
    --step sex --output subgroups.tsv
    """
    from faceage_bio.survival.subgroups import subgroup_hazards
    from faceage_bio.tables import write_table

    choices = read_choices(per_years, step, covariate, group, stratum, cluster)
    people, name = _read(acceleration, choices, unit)
    write_table(subgroup_hazards(people, modifier, choices, name, split_age=split_age), output)


@app.command()
def fit_survival_sensitivity(
    acceleration: People,
    output: Output,
    imputed: Annotated[Path, typer.Option(help="The full model, complete cases beside multiple imputation.")],
    step: Steps = [],
    covariate: Covariates = [],
    group: Groups = [],
    stratum: Strata = [],
    cluster: Cluster = None,
    per_years: PerYears = 10.0,
    early_death_years: Annotated[float, typer.Option(help="Time before this does not count.")] = 0.5,
    gap_classes: Annotated[tuple[float, float], typer.Option(help="Age gaps of younger and older faces.")] = (
        -5.0,
        10.0,
    ),
    imputations: Annotated[int, typer.Option(help="Completed tables.", min=2)] = 20,
    iterations: Annotated[int, typer.Option(help="Rounds before a table is taken.", min=1)] = 10,
    seed: Annotated[int, typer.Option(help="Of the imputation.", min=0)] = 1,
    unit: Units = [],
) -> None:
    """The headline among fewer participants, by gap classes, and with missing covariates filled in.

    Example: faceage-bio fit-survival-sensitivity --acceleration participants.tsv --step sex --covariate ecog
    --output sensitivity.tsv --imputed imputed.tsv
    """
    from faceage_bio.survival.imputed import impute_full_model
    from faceage_bio.survival.sensitivity import sensitivity
    from faceage_bio.tables import write_table

    choices = read_choices(per_years, step, covariate, group, stratum, cluster)
    people, name = _read(acceleration, choices, unit)
    rows = sensitivity(people, choices, name, early_death_years=early_death_years, gap_classes=gap_classes)
    write_table(rows, output)
    filled = impute_full_model(people, choices, name, m=imputations, iterations=iterations, seed=seed)
    write_table(filled, imputed)
