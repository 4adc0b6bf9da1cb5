"""faceage-bio plan: how many participants a study or a trial needs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


class Scale(StrEnum):
    observed = "observed"
    true = "true"


HazardRatio = Annotated[float, typer.Option(help="The smallest hazard ratio for death that matters.")]
Power = Annotated[float, typer.Option(help="Chance to show it.")]
Alpha = Annotated[float, typer.Option(help="Type I error.")]
Sided = Annotated[int, typer.Option(help="1 or 2.", min=1, max=2)]
Median = Annotated[
    float | None, typer.Option(help="Median survival (years), where the hazard is constant.", min=0)
]
Curve = Annotated[
    Path | None,
    typer.Option(
        help="Survival instead of its median: a table with time (years) and survival, such as a Kaplan-Meier curve."
    ),
]
Accrual = Annotated[float, typer.Option(help="Years of recruitment, at a constant rate.", min=0)]
FollowUp = Annotated[float, typer.Option(help="Years from the last recruitment to the end.", min=0)]
DropOut = Annotated[float, typer.Option(help="Share lost to follow-up each year.", min=0, max=0.99)]


def _survival(median: float | None, curve: Path | None):
    from faceage_bio.errors import RunError
    from faceage_bio.problems import Problems
    from faceage_bio.schemas import SURVIVAL_CURVE, read_user_table
    from faceage_bio.stats.sample_size import PiecewiseSurvival

    if (median is None) == (curve is None):
        raise RunError(
            "--median-survival and --survival-table: expected one of them. Give the median, or the table of a curve."
        )
    if curve is None:
        return PiecewiseSurvival.with_median(median)
    problems = Problems()
    read = read_user_table(curve, SURVIVAL_CURVE, problems)
    problems.stop_if_any()
    points = read.values[read.values["time"] > 0]
    moves = points["survival"].diff().fillna(points["survival"].iloc[:1] - 1) != 0
    return PiecewiseSurvival.through(points["time"][moves], points["survival"][moves])


@app.command()
def study(
    hazard_ratio: HazardRatio,
    sd: Annotated[float, typer.Option(help="SD of the exposure (years).")],
    output: Annotated[Path, typer.Option(help="The plan (.tsv).")],
    per: Annotated[float, typer.Option(help="Years that the hazard ratio is for.")] = 10,
    power: Power = 0.8,
    alpha: Alpha = 0.05,
    sided: Sided = 2,
    r_squared: Annotated[
        float,
        typer.Option(help="Of the exposure on the covariates; 0 if the SD is that of age acceleration."),
    ] = 0,
    event_share: Annotated[
        float | None, typer.Option(help="Share of participants who die within the study, if it is known.")
    ] = None,
    median_survival: Median = None,
    survival_table: Curve = None,
    accrual: Accrual = 0,
    follow_up: FollowUp = 5,
    drop_out: DropOut = 0,
    reliability: Annotated[float, typer.Option(help="Of age acceleration from one photo (ICC).")] = 1,
    photos: Annotated[float, typer.Option(help="Photos per participant whose mean is used.")] = 1,
    published_reliability: Annotated[
        float | None,
        typer.Option(help="Reliability in the study that the hazard ratio comes from; default: the same."),
    ] = None,
    hr_scale: Annotated[
        Scale,
        typer.Option(
            help="observed: the hazard ratio of measured face age; true: free of measurement error."
        ),
    ] = Scale.observed,
    sd_scale: Annotated[Scale, typer.Option(help="The same of --sd.")] = Scale.observed,
    modifier_share: Annotated[
        float | None,
        typer.Option(
            help="Plan an interaction: --hazard-ratio is the ratio of two subgroups', this the share of one."
        ),
    ] = None,
    simulate: Annotated[int, typer.Option(help="Check the power by so many simulated studies.", min=0)] = 0,
) -> None:
    """Events and participants for a hazard ratio of face age, with power and detectable hazard ratio by number of events.

    Example: faceage-bio plan study --hazard-ratio 1.15 --per 10 --sd 8 --power 0.8 --output plan.tsv
    """
    from faceage_bio.planning.cohort_study import CohortPlan, Photos
    from faceage_bio.planning.simulation import simulated_power
    from faceage_bio.stats.sample_size import drop_out_hazard
    from faceage_bio.tables import write_table

    survival, lost = None, drop_out_hazard(drop_out, 1)
    if median_survival is not None or survival_table is not None:
        survival = _survival(median_survival, survival_table)
        event_share = event_share or survival.event_share(accrual, follow_up, lost)
    error = Photos(reliability, photos, published_reliability, hr_scale.value, sd_scale.value)
    plan = CohortPlan(hazard_ratio, per, sd, event_share, power, alpha, sided, r_squared, error)
    if modifier_share is not None:
        plan = plan.with_interaction(modifier_share)
    table = plan.table()
    write_table(table, output)
    needed = table.set_index("quantity")["value"]
    participants = f", {needed['participants']:,.0f} participants" if "participants" in needed else ""
    print(
        f"HR {hazard_ratio:g} per {per:g} years, power {power:g}: {needed['events']:,.0f} events{participants} (Hsieh and Lavori 2000). {output}"
    )
    if simulate and survival is not None:
        found, error = simulated_power(
            plan.log_hazard_ratio_per_sd, survival, int(needed["participants"]), accrual=accrual, follow_up=follow_up, drop_out=lost,
            alpha=alpha, sides=sided, repeats=simulate,
        )  # fmt: skip
        print(f"Power in {simulate:,} simulated studies: {found:.3f} (Monte Carlo SE {error:.3f})")
    if not participants:
        print("Give --event-share, --median-survival or --survival-table for the number of participants.")


@app.command("groups")
def groups(
    difference: Annotated[
        float, typer.Option(help="Smallest difference of mean age acceleration that matters (years).")
    ],
    sd: Annotated[float, typer.Option(help="SD of age acceleration within a group (years).")],
    power: Power = 0.8,
    alpha: Alpha = 0.05,
    allocation: Annotated[
        float, typer.Option(help="Participants of the second group per participant of the first.")
    ] = 1,
) -> None:
    """Participants for a difference of age acceleration between two groups, such as smokers and never smokers.

    Example: faceage-bio plan groups --difference 2 --sd 8
    """
    from faceage_bio.planning.cohort_study import group_difference

    first, second = group_difference(difference, sd, power=power, alpha=alpha, allocation=allocation)
    print(
        f"{difference:g} years, SD {sd:g}, power {power:g}: {first} and {second} participants (two-sided t-test)"
    )


@app.command()
def genes(
    fold_change: Annotated[
        float,
        typer.Option(
            help="Smallest fold change that matters: between two groups, or per unit of --sd.", min=0
        ),
    ],
    depth: Annotated[float, typer.Option(help="Mean count of the gene.", min=0.1)] = 20,
    cv: Annotated[
        float, typer.Option(help="Biological coefficient of variation, the root of the dispersion.", min=0)
    ] = 0.4,
    sd: Annotated[
        float | None,
        typer.Option(
            help="SD of a continuous exposure, such as 0.8 decades; default: two groups.", min=0.001
        ),
    ] = None,
    power: Power = 0.8,
    alpha: Annotated[
        float, typer.Option(help="Type I error for one gene; for many genes, divide it by their number.")
    ] = 0.05,
) -> None:
    """RNA samples for the fold change of a gene (Hart et al. 2013).

    Example: faceage-bio plan genes --fold-change 1.5 --depth 20 --cv 0.4
    """
    from math import ceil

    from faceage_bio.planning.cohort_study import check_hazard_ratio, check_shares
    from faceage_bio.stats.prediction_size import samples_for_exposure, samples_per_group

    check_hazard_ratio(fold_change, "--fold-change")
    check_shares(power=power, alpha=alpha)
    if sd is None:
        n = samples_per_group(fold_change, depth, cv, power=power, alpha=alpha)
        print(f"Fold change {fold_change:g}, power {power:g}: {ceil(n)} samples in each of two groups")
    else:
        n = samples_for_exposure(fold_change, sd, depth, cv, power=power, alpha=alpha)
        print(f"Fold change {fold_change:g} per unit, SD {sd:g}, power {power:g}: {ceil(n)} samples")


@app.command()
def model(
    r_squared: Annotated[float, typer.Option(help="Cox-Snell R squared expected of the model.")],
    parameters: Annotated[int, typer.Option(help="Parameters of the model.", min=1)],
    event_rate: Annotated[float, typer.Option(help="Deaths per participant and year.", min=1e-6)],
    mean_follow_up: Annotated[float, typer.Option(help="Years.", min=0.01)],
    horizon: Annotated[float, typer.Option(help="Years at which risk is predicted.", min=0.01)],
) -> None:
    """Participants for a prediction model of survival (Riley et al. 2020).

    Example: faceage-bio plan model --r-squared 0.051 --parameters 30 --event-rate 0.065 --mean-follow-up 2.07 --horizon 2
    """
    from faceage_bio.errors import RunError
    from faceage_bio.stats.prediction_size import prediction_model_size

    try:
        found = prediction_model_size(
            r_squared, parameters, event_rate=event_rate, mean_follow_up=mean_follow_up, horizon=horizon
        )
    except ValueError as error:
        raise RunError(
            f"--r-squared: {error}. Expected the Cox-Snell R squared that the model may reach. Give another."
        ) from None
    print(
        f"{found['participants']:,} participants with {found['events']:,} deaths, {found['events'] / parameters:.1f} for each of {parameters} parameters "
        f"(shrinkage {found['shrinkage']:,}, optimism {found['optimism']:,}, overall risk {found['overall risk']:,})"
    )


@app.command()
def trial(
    hazard_ratio: HazardRatio,
    output: Annotated[Path, typer.Option(help="The plan (.tsv).")],
    median_survival: Median = None,
    survival_table: Curve = None,
    accrual: Accrual = 2,
    follow_up: FollowUp = 1,
    drop_out: DropOut = 0,
    allocation: Annotated[
        float, typer.Option(help="Participants under treatment per participant under control.")
    ] = 1,
    power: Power = 0.8,
    alpha: Alpha = 0.05,
    sided: Sided = 2,
    r_squared: Annotated[
        float | None,
        typer.Option(
            help="Of a prognostic score and the martingale residuals, for the gain from adjustment.",
            min=0,
            max=0.99,
        ),
    ] = None,
    selected_share: Annotated[
        float | None, typer.Option(help="Share of patients above a threshold of age acceleration.")
    ] = None,
    selected_hazard_ratio: Annotated[
        float | None, typer.Option(help="Hazard ratio for death of those, compared with all patients.")
    ] = None,
) -> None:
    """Events and patients for a two-arm trial with a log-rank test; what adjustment for, or selection by, face age would save.

    Example: faceage-bio plan trial --hazard-ratio 0.7 --median-survival 1.5 --accrual 2 --follow-up 1 --output trial.tsv
    """
    import pandas as pd

    from faceage_bio.errors import RunError
    from faceage_bio.planning.trial import WORTH, TrialPlan
    from faceage_bio.stats.sample_size import LogRankTrial, drop_out_hazard
    from faceage_bio.tables import write_table

    lost = drop_out_hazard(drop_out, 1)
    survival = _survival(median_survival, survival_table)
    plan = TrialPlan(
        LogRankTrial(survival, hazard_ratio, accrual, follow_up, allocation, (lost, lost), alpha, sided),
        power,
    )
    table = plan.table(r_squared)
    if (selected_share is None) != (selected_hazard_ratio is None):
        raise RunError(
            "--selected-share and --selected-hazard-ratio: expected both or none. Give the share above the threshold and its hazard ratio."
        )
    if selected_share is not None:
        found = plan.enriched(selected_share, selected_hazard_ratio)
        rows = [
            (f"{name} after selection", round(value), "participants")
            for name, value in found.items()
            if name != "events"
        ]
        table = pd.concat([table, pd.DataFrame(rows, columns=table.columns)], ignore_index=True)
    write_table(table, output)
    for row in table.itertuples():
        print(f"{row.quantity}: {row.value:,.3g}" if row.unit == "" else f"{row.quantity}: {row.value:,.0f}")
    if r_squared is not None and r_squared < WORTH:
        print(
            f"Adjustment saves {r_squared:.1%} of the events: face age is not worth its photos in this trial. A score with age, ECOG and stage may be."
        )
    print(f"The same in R: {plan.rpact_call()}")


@app.command()
def randomise(
    arm: Annotated[list[str], typer.Option(help="Name of an arm, or NAME:SHARE; repeat.")],
    per_stratum: Annotated[int, typer.Option(help="Rows of each stratum.", min=1)],
    seed_file: Annotated[
        Path, typer.Option(help="Seed of the list, made if it is not there; keep it from those who recruit.")
    ],
    output: Annotated[Path, typer.Option(help="Allocation list for REDCap (.csv), readable by you alone.")],
    stratum: Annotated[list[str], typer.Option(help="FACTOR=LEVEL,LEVEL; repeat.")] = [],
    block: Annotated[list[int], typer.Option(help="Size of blocks; repeat for random sizes.")] = [4, 6],
    participants: Annotated[
        int | None, typer.Option(help="Participants expected in all, for the warning and the balance.", min=2)
    ] = None,
    balance: Annotated[
        Path | None,
        typer.Option(
            help="Simulated balance of blocks, minimisation and chance (.tsv); levels equally frequent."
        ),
    ] = None,
) -> None:
    """Allocation list of a trial: stratified permuted blocks of random sizes, as REDCap takes it.

    Example: faceage-bio plan randomise --arm treatment --arm control --stratum sex=female,male --per-stratum 60 --seed-file seed.txt --output list.csv
    """
    from math import prod

    from faceage_bio.errors import RunError
    from faceage_bio.planning.randomisation import allocation_list, read_or_make_seed, simulate_balance
    from faceage_bio.tables import OWNER_ONLY, write_table, write_text

    strata = {
        name: [level for level in levels.split(",") if level]
        for name, _, levels in (one.partition("=") for one in stratum)
    }
    arms = {}
    for one in arm:
        name, _, share = one.partition(":")
        if share and not share.isdigit():
            raise RunError(
                f"--arm {one}: expected a name, or a name and its share as a whole number. Write for example treatment:2."
            )
        arms[name] = int(share or 1)
    n_strata = prod(len(levels) for levels in strata.values())
    if participants is not None and n_strata > participants:
        raise RunError(
            f"{n_strata} strata and {participants} participants: more strata than participants. Expected several participants in each. Stratify by fewer factors."
        )
    table = allocation_list(
        arms, strata, n_per_stratum=per_stratum, blocks=block, seed=read_or_make_seed(seed_file)
    )
    write_text(table.to_csv(index=False, lineterminator="\n"), output, mode=OWNER_ONLY)
    print(
        f"{len(table)} allocations in {n_strata} strata. {output} and {seed_file} are for whoever runs the randomisation alone."
    )
    if participants is not None and participants / n_strata < max(block):
        print(
            f"{participants} participants in {n_strata} strata are {participants / n_strata:.1f} per stratum, fewer than a block of {max(block)}: "
            "blocks stay unfinished and balance is lost. Stratify by fewer factors."
        )
    if balance is not None:
        if participants is None:
            raise RunError("--balance needs --participants. Give the number expected in all.")
        even = {name: [1 / len(levels)] * len(levels) for name, levels in strata.items()} or {"all": [1.0]}
        found = simulate_balance(even, participants, block=min(block))
        write_table(found, balance)
        for row in found.itertuples():
            print(
                f"{row.method}: arms differ by {row.overall_mean:.1f} on average, by {row.level_mean:.1f} in the least balanced level"
            )
