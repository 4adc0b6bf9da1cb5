"""Steps of meta-analysis over cohorts."""

from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.cli.commands_survival import MODELS, read_followed
from faceage_bio.core.config import Config
from faceage_bio.core.steps import Tables, step


@step(uses=["pooling", "acceleration.fit_in"])
def pool_cohorts(
    table: Annotated[
        list[Path],
        typer.Option(
            help="A plain table with one row per cohort; or a result table {cohort}/{folder}/{table}.tsv, repeat for each."
        ),
    ],
    settings: Config,
    output: Annotated[
        Path, typer.Option(help="Result table: each pooled estimate, followed by those of its cohorts.")
    ],
    measure: Annotated[
        str | None, typer.Option(help="Of a plain table: what its estimates are, such as 'hazard ratio'.")
    ] = None,
    sensitivity: Annotated[
        Path | None,
        typer.Option(
            help="Result table: leave-one-out, cumulative, other models; from 10 cohorts influence, moderators, Egger's test."
        ),
    ] = None,
    moderator: Annotated[list[str], typer.Option(help="Of a plain table: a column of numbers; repeat.")] = [],
) -> None:
    """Estimates of several cohorts as one: meta-analysis with 95% CI, heterogeneity and prediction interval.

    Example: faceage-bio pool-cohorts --table cohorts.tsv --measure 'hazard ratio' --output pooled.tsv

    cohorts.tsv:

    cohort,estimate,ci_lower,ci_upper,p_value,n,n_events

    north,1.151,1.056,1.254,0.0013,4906,2371

    south,1.148,1.032,1.277,0.011,573,328

    Without ci_lower and ci_upper, estimate and standard_error are on the analysis scale: logarithms of ratios, logits of C and AUC,
    Fisher's z of correlations. Columns unit, per, adjustment, covariates, definition and model_id must be the same in all cohorts.
    """
    from faceage_bio.analyses.pooling import pooling_stage
    from faceage_bio.core.tables import write_table

    found = pooling_stage.pool_tables(
        table, measure, settings.pooling, settings.acceleration.fit_in, moderator
    )
    write_table(found.estimates, output)
    if sensitivity:
        write_table(found.sensitivity, sensitivity)
    for line in pooling_stage.sentences(found.estimates, measure):
        print(line)


@step(
    uses=["pooling.reference_cohorts"], writes={"genes.tsv": "one row per gene that two cohorts or more have"}
)
def pool_genes(
    table: Annotated[list[Path], typer.Option(help="A cohort's expression/genes.tsv; repeat.")],
    settings: Config,
) -> Tables:
    """All genes pooled over cohorts: common effect with z, heterogeneity, random effects as sensitivity analysis, q over the pooled p.

    Example: faceage-bio pool-genes --table results/north/expression/genes.tsv --table results/south/expression/genes.tsv --output pooled
    """
    from faceage_bio.analyses.pooling.pooled_genes import COLUMNS
    from faceage_bio.analyses.pooling.pooled_genes import pool_genes as pool
    from faceage_bio.core.tables import read_table

    made = pool((read_table(path, COLUMNS) for path in table), settings.pooling.reference_cohorts)
    print(f"{made['estimate'].notna().sum()} rows pooled over cohorts")
    return {"genes": made}


@step(
    uses=MODELS, writes={"one_stage.tsv": "hazard ratios over all cohorts, and the tests that cohorts differ"}
)
def fit_one_stage(
    participants: Annotated[
        list[Path],
        typer.Option(
            help="A cohort's survival/follow_up.parquet, or a table with the column cohort; repeat."
        ),
    ],
    settings: Config,
) -> Tables:
    """One Cox model of all cohorts, with a baseline hazard and covariates of their own, and the test that their hazard ratios differ.

    Example: faceage-bio fit-one-stage --participants results/north/survival/follow_up.parquet
    --participants results/south/survival/follow_up.parquet --set survival.sequential_adjustment=sex --output pooled
    """
    from faceage_bio.analyses.survival.cox_models import Choices, grouped
    from faceage_bio.analyses.survival.one_stage import fit_one_stage as fit

    survival = settings.survival
    choices = Choices(
        survival.per_years, survival.sequential_adjustment, survival.covariates, survival.groups, survival.strata, survival.cluster
    )  # fmt: skip
    people = [grouped(read_followed(path, choices.full)[1], choices.groups) for path in participants]
    return {"one_stage": fit(people, choices)}
