"""faceage-bio plan: how many participants a study or a trial needs; faceage-bio randomise: the allocation list of a trial."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from faceage_bio.cli.terminal import Commands
from faceage_bio.core.errors import RunError

plan_app = Commands(no_args_is_help=True)
app = Commands()

Scale = Literal["observed", "true"]
Measure = Literal["c-index", "difference", "hazard-ratio"]
HazardRatio = Annotated[float, "The smallest hazard ratio for death that matters."]
Power = Annotated[float, "Chance to show it."]
Alpha = Annotated[float, "Type I error."]
Sided = Annotated[int, typer.Option(help="1 or 2.", min=1, max=2)]
Median = Annotated[
    float | None, typer.Option(help="Median survival (years), where the hazard is constant.", min=0.001)
]
Curve = Annotated[
    Path | None,
    "Survival instead of its median: a table with time (years) and survival, or survival/kaplan_meier.tsv of a finished study.",
]
Accrual = Annotated[float, typer.Option(help="Years of recruitment, at a constant rate.", min=0)]
FollowUp = Annotated[float, typer.Option(help="Years from the last recruitment to the end.", min=0)]
DropOut = Annotated[float, typer.Option(help="Share lost to follow-up each year.", min=0, max=0.99)]
Output = Annotated[Path | None, "The plan (.tsv), for `plan report`."]
Pilot = Annotated[
    Path | None,
    "Participants of a pilot with follow-up: follow_up.parquet of a finished study, or a table with face_age, chronological_age, "
    "followup_years, event.",
]


def _show(table, output: Path | None) -> None:
    from faceage_bio.analyses.planning.cohort_study import lines_of
    from faceage_bio.core.tables import write_table

    said = lines_of(table)
    if output is not None:
        write_table(table, output)
        said.append(f"{output}: the plan, for `faceage-bio plan report`")
    print(*said, sep="\n")


@plan_app.command()
def study(
    hazard_ratio: HazardRatio,
    sd: Annotated[float, "SD of the exposure (years)."],
    output: Annotated[Path, "The plan (.tsv)."],
    per: Annotated[float, "Years that the hazard ratio is for."] = 10,
    power: Power = 0.8,
    alpha: Alpha = 0.05,
    sided: Sided = 2,
    r_squared: Annotated[
        float, "Of the exposure on the covariates; 0 if the SD is that of age acceleration."
    ] = 0,
    event_share: Annotated[
        float | None, "Share of participants who die within the study, in place of survival."
    ] = None,
    median_survival: Median = None,
    survival_table: Curve = None,
    accrual: Accrual = 0,
    follow_up: FollowUp = 5,
    drop_out: DropOut = 0,
    reliability: Annotated[
        float | None, "Of age acceleration from one photo (ICC); default: no error is added."
    ] = None,
    photos: Annotated[float, "Photos per participant whose mean is used."] = 1,
    published_reliability: Annotated[
        float | None, "Reliability in the study that the hazard ratio comes from; default: the same."
    ] = None,
    hr_scale: Annotated[
        Scale, "observed: the hazard ratio of measured face age; true: free of measurement error."
    ] = "observed",
    sd_scale: Annotated[Scale, "The same of --sd."] = "observed",
    modifier_share: Annotated[
        float | None,
        "Plan an interaction: --hazard-ratio is the ratio of two subgroups', this the share of one.",
    ] = None,
    simulate: Annotated[int, typer.Option(help="Check the power by so many simulated studies.", min=0)] = 0,
) -> None:
    """Events and participants for a hazard ratio of face age, with power and detectable hazard ratio by number of events.

    Example: faceage-bio plan study --hazard-ratio 1.15 --per 10 --sd 8 --power 0.8 --output plan.tsv
    """
    from faceage_bio.analyses.planning.cohort_study import CohortPlan, Photos, read_survival, study_plan

    error = Photos(reliability, photos, published_reliability, hr_scale, sd_scale)
    exposure = (hazard_ratio, per, sd, event_share)
    plan = CohortPlan(*exposure, power, alpha, sided, r_squared, error, modifier_share)
    given = median_survival is not None or survival_table is not None
    survival = read_survival(median_survival, survival_table) if given else None
    times = {"accrual": accrual, "follow_up": follow_up, "drop_out": drop_out}
    _show(study_plan(plan, survival, **times, simulate=simulate), output)
    if survival is None and event_share is None:
        print("Give --event-share, --median-survival or --survival-table for the number of participants.")


@plan_app.command("groups")
def groups(
    difference: Annotated[float, "Smallest difference of mean age acceleration that matters (years)."],
    sd: Annotated[float, "SD of age acceleration within a group (years)."],
    power: Power = 0.8,
    alpha: Alpha = 0.05,
    allocation: Annotated[float, "Participants of the second group per participant of the first."] = 1,
    output: Output = None,
) -> None:
    """Participants for a difference of age acceleration between two groups, such as smokers and never smokers.

    Example: faceage-bio plan groups --difference 2 --sd 8
    """
    from faceage_bio.analyses.planning.cohort_study import group_difference

    _show(group_difference(difference, sd, power=power, alpha=alpha, allocation=allocation), output)


@plan_app.command()
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
        float,
        "Type I error for one gene, or divided by the number of genes; with --pilot-counts the false discovery rate.",
    ] = 0.05,
    pilot_counts: Annotated[
        Path | None,
        "Raw counts of a pilot: all genes are simulated with its means and dispersions, instead of --depth and --cv.",
    ] = None,
    changed: Annotated[
        float, typer.Option(help="With --pilot-counts: share of genes that change.", min=0.001, max=0.999)
    ] = 0.05,
    output: Output = None,
) -> None:
    """RNA samples for the fold change of a gene (Hart et al. 2013), or of all genes over the dispersions of a pilot.

    Example: faceage-bio plan genes --fold-change 1.5 --depth 20 --cv 0.4
    """
    from faceage_bio.analyses.planning.cohort_study import check_hazard_ratio, check_shares

    check_hazard_ratio(fold_change, "--fold-change")
    check_shares(power=power, alpha=alpha)
    if pilot_counts is None:
        from faceage_bio.analyses.planning.gene_samples import one_gene

        table = one_gene(fold_change, depth, cv, sd, power=power, alpha=alpha)
    else:
        from faceage_bio.analyses.planning.gene_samples import pilot_genes
        from faceage_bio.intake.rna.count_files import read_counts

        counts = read_counts(pilot_counts).counts
        table = pilot_genes(counts, fold_change, sd, power=power, fdr=alpha, changed=changed)
    _show(table, output)


@plan_app.command()
def model(
    r_squared: Annotated[float, "Cox-Snell R squared expected of the model."],
    parameters: Annotated[int, typer.Option(help="Parameters of the model.", min=1)],
    event_rate: Annotated[float, typer.Option(help="Deaths per participant and year.", min=1e-6)],
    mean_follow_up: Annotated[float, typer.Option(help="Years.", min=0.01)],
    horizon: Annotated[float, typer.Option(help="Years at which risk is predicted.", min=0.01)],
    output: Output = None,
) -> None:
    """Participants for a prediction model of survival (Riley et al. 2020).

    Example: faceage-bio plan model --r-squared 0.051 --parameters 30 --event-rate 0.065 --mean-follow-up 2.07 --horizon 2
    """
    from faceage_bio.analyses.planning.cohort_study import prediction_model

    times = {"event_rate": event_rate, "mean_follow_up": mean_follow_up, "horizon": horizon}
    _show(prediction_model(r_squared, parameters, **times), output)


@plan_app.command()
def precision(
    pilot: Annotated[Path, "Participants of a pilot with follow-up, as for plan trial."],
    width: Annotated[
        float | None, "Wished width of the 95% CI; of a hazard ratio its upper end over the lower one."
    ] = None,
    above: Annotated[
        float | None,
        "Instead: what the lower end of the 95% CI is expected to reach, such as a C-index of 0.6; about half of such studies reach it.",
    ] = None,
    measure: Annotated[
        Measure,
        "Harrell's C of a model with face age, its difference to the model without, or the hazard ratio of face age.",
    ] = "c-index",
    covariate: Annotated[list[str], "Column of the model besides face age; repeat."] = ["chronological_age"],
    per: Annotated[float, typer.Option(help="Years that the hazard ratio is for.", min=0.01)] = 10,
    repeats: Annotated[int, typer.Option(help="Samples of each size.", min=50, max=10_000)] = 200,
    seed: Annotated[int, typer.Option(help="The same seed gives the same samples.", min=0)] = 1,
    output: Output = None,
) -> None:
    """Participants for a confidence interval as narrow as wished, or above a value, by samples with replacement from pilot rows.

    Example: faceage-bio plan precision --pilot results/north/survival/follow_up.parquet --measure c-index --width 0.1
    """
    from faceage_bio.analyses.planning.pilot_precision import precision_plan, usable_rows
    from faceage_bio.analyses.survival.follow_up import read_people

    if (width is None) == (above is None):
        raise RunError("--width and --above: expected one of them. Give for example --width 0.1.")
    rows = usable_rows(read_people(pilot), ["face_age", *covariate], str(pilot))
    how = {"lower_end": above is not None, "per": per, "repeats": repeats, "seed": seed}
    target = width if above is None else above
    _show(precision_plan(rows, measure, covariate, target, **how), output)


@plan_app.command()
def trial(
    hazard_ratio: HazardRatio,
    output: Annotated[Path, "The plan (.tsv)."],
    median_survival: Median = None,
    survival_table: Curve = None,
    accrual: Accrual = 2,
    follow_up: FollowUp = 1,
    drop_out: DropOut = 0,
    allocation: Annotated[float, "Participants under treatment per participant under control."] = 1,
    power: Power = 0.8,
    alpha: Alpha = 0.05,
    sided: Sided = 2,
    r_squared: Annotated[
        float | None,
        typer.Option(
            help="Of a prognostic score and the martingale residuals, for the gain from adjustment; a pilot estimates it.",
            min=0,
            max=0.99,
        ),
    ] = None,
    pilot: Pilot = None,
    base: Annotated[
        list[str],
        "Column of the pilot that a trial knows anyway; repeat. Default: those of chronological_age, ecog, stage that it has.",
    ] = [],
    repeats: Annotated[int, typer.Option(help="Bootstrap samples of the pilot.", min=100, max=10_000)] = 500,
    threshold: Annotated[
        float | None, "Select patients with more years of age acceleration than this; needs a pilot."
    ] = None,
    selected_share: Annotated[
        float | None, "Instead of a pilot: share of patients above a threshold of age acceleration."
    ] = None,
    selected_hazard_ratio: Annotated[
        float | None, "Hazard ratio for death of those, compared with all patients."
    ] = None,
    screening_cost: Annotated[float, "Cost of screening a patient over that of a patient in the trial."] = 0,
) -> None:
    """Events and patients for a two-arm trial with a log-rank test; what adjustment for, or selection by, face age would save.

    Example: faceage-bio plan trial --hazard-ratio 0.7 --median-survival 1.5 --accrual 2 --follow-up 1 --output trial.tsv
    """
    from faceage_bio.analyses.planning import two_arm_trial
    from faceage_bio.analyses.planning.cohort_study import read_survival
    from faceage_bio.analyses.survival.follow_up import read_people
    from faceage_bio.stats.sample_size import LogRankTrial, drop_out_hazard

    lost = drop_out_hazard(drop_out, 1)
    survival = read_survival(median_survival, survival_table)
    design = (accrual, follow_up, allocation, (lost, lost), alpha, sided)
    plan = two_arm_trial.TrialPlan(LogRankTrial(survival, hazard_ratio, *design), power)
    selection = two_arm_trial.Selection(selected_share, selected_hazard_ratio, screening_cost)
    if threshold is not None and (pilot is None or selected_share is not None):
        raise RunError(
            "--threshold needs --pilot, and no --selected-share. Expected one source of the share above the threshold. Give the pilot alone."
        )
    of_pilot = None
    if pilot is not None:
        of_pilot = two_arm_trial.Pilot(read_people(pilot), str(pilot), base, repeats, threshold)
    _show(two_arm_trial.trial_plan(plan, r_squared, of_pilot, selection), output)


@plan_app.command("report")
def report(
    plans: Annotated[list[Path], typer.Argument(help="Plans (.tsv), as the other commands write them.")],
    output: Annotated[Path, "The page (.html)."],
    title: Annotated[str, "Heads the page."] = "Sample size",
) -> None:
    """One page with curves, tables to cite, methods with formulas and references, and R code with the same numbers.

    Example: faceage-bio plan report plan.tsv trial.tsv --output results/reports/plan.html
    """
    from faceage_bio.core.tables import write_text
    from faceage_bio.report.single_pages import plan_page, read_plan

    write_text(plan_page([read_plan(path) for path in plans], title), output)
    print(f"{output}: {len(plans)} plan(s)")


@app.command()
def randomise(
    arm: Annotated[list[str], "Name of an arm, or NAME:SHARE; repeat."],
    per_stratum: Annotated[int, typer.Option(help="Rows of each stratum.", min=1)],
    seed_file: Annotated[
        Path, "Seed of the list, made if it is not there; readable by you alone, kept from those who recruit."
    ],
    output: Annotated[
        Path,
        "Allocation list for REDCap (.csv), readable by you alone. A list that is there can be lengthened, never changed.",
    ],
    stratum: Annotated[
        list[str],
        "FACTOR=LEVEL,LEVEL, or with the share of participants expected at each, FACTOR=LEVEL:SHARE,LEVEL:SHARE; repeat.",
    ] = [],
    block: Annotated[list[int], "Size of blocks; repeat for random sizes."] = [4, 6],
    participants: Annotated[
        int | None, typer.Option(help="Participants expected in all, for the warning and the balance.", min=2)
    ] = None,
    balance: Annotated[
        Path | None,
        "Simulated deviation from the planned ratio of the arms, by blocks, minimisation and chance (.tsv).",
    ] = None,
) -> None:
    """Allocation list of a trial: stratified permuted blocks of random sizes, as REDCap takes it.

    Example: faceage-bio randomise --arm treatment --arm control --stratum sex=female,male --per-stratum 60 --seed-file seed.txt --output list.csv
    """
    from math import prod

    from faceage_bio.analyses.planning.randomisation import (
        allocation_list,
        check_lengthens,
        read_arms,
        read_or_make_seed,
        read_strata,
        simulate_balance,
    )
    from faceage_bio.core.tables import OWNER_ONLY, write_table, write_text

    arms, strata = read_arms(arm), read_strata(stratum)
    n_strata = prod(len(levels) for levels in strata.values())
    if balance is not None and participants is None:
        raise RunError("--balance needs --participants. Give the number expected in all.")
    if participants is not None and n_strata > participants:
        raise RunError(
            f"{n_strata} strata and {participants} participants: more strata than participants. Expected several participants in each. Stratify by fewer factors."
        )
    levels, seed = {factor: list(shares) for factor, shares in strata.items()}, read_or_make_seed(seed_file)
    table = allocation_list(arms, levels, n_per_stratum=per_stratum, blocks=block, seed=seed)
    before = check_lengthens(table, output)
    write_text(table.to_csv(index=False, lineterminator="\n"), output, mode=OWNER_ONLY)
    whose = f"{output} and {seed_file} are for whoever runs the randomisation alone"
    print(f"{len(table)} allocations in {n_strata} {'stratum' if n_strata == 1 else 'strata'}. {whose}.")
    if before:
        print(f"{before} of them stood there before and are the same; {len(table) - before} are new.")
    smallest = prod(min(levels.values()) for levels in strata.values())
    expected = per_stratum if participants is None else participants * smallest
    if expected < max(block):
        of = f"{per_stratum} allocations per stratum are"
        if participants is not None:
            of = f"{participants} participants in {n_strata} strata are {expected:.1f} in the smallest stratum,"
        lost = "blocks stay unfinished and balance is lost. Stratify by fewer factors."
        print(f"{of} fewer than a block of {max(block)}: {lost}")
    if balance is not None:
        shares = {factor: list(levels.values()) for factor, levels in strata.items()}
        found = simulate_balance(shares, participants, shares=list(arms.values()), blocks=block)
        write_table(found, balance)
        ratio = ":".join(map(str, arms.values()))
        for row in found.itertuples():
            print(
                f"{row.method}: an arm deviates from the ratio {ratio} by {row.overall_mean:.1f} participants on average, "
                f"by {row.level_mean:.1f} in the least balanced level"
            )
