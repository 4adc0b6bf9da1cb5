"""faceage-bio randomise: the allocation list of a trial."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command()
def randomise(
    arm: Annotated[list[str], typer.Option(help="Name of an arm, or NAME:SHARE; repeat.")],
    per_stratum: Annotated[int, typer.Option(help="Rows of each stratum.", min=1)],
    seed_file: Annotated[
        Path,
        typer.Option(
            help="Seed of the list, made if it is not there; readable by you alone, kept from those who recruit."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            help="Allocation list for REDCap (.csv), readable by you alone. A list that is there can be lengthened, never changed."
        ),
    ],
    stratum: Annotated[
        list[str],
        typer.Option(
            help="FACTOR=LEVEL,LEVEL, or with the share of participants expected at each, FACTOR=LEVEL:SHARE,LEVEL:SHARE; repeat."
        ),
    ] = [],
    block: Annotated[list[int], typer.Option(help="Size of blocks; repeat for random sizes.")] = [4, 6],
    participants: Annotated[
        int | None, typer.Option(help="Participants expected in all, for the warning and the balance.", min=2)
    ] = None,
    balance: Annotated[
        Path | None,
        typer.Option(
            help="Simulated deviation from the planned ratio of the arms, by blocks, minimisation and chance (.tsv)."
        ),
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
    from faceage_bio.core.errors import RunError
    from faceage_bio.core.tables import OWNER_ONLY, write_table, write_text

    arms, strata = read_arms(arm), read_strata(stratum)
    n_strata = prod(len(levels) for levels in strata.values())
    if balance is not None and participants is None:
        raise RunError("--balance needs --participants. Give the number expected in all.")
    if participants is not None and n_strata > participants:
        raise RunError(
            f"{n_strata} strata and {participants} participants: more strata than participants. Expected several participants in each. Stratify by fewer factors."
        )
    table = allocation_list(
        arms,
        {factor: list(levels) for factor, levels in strata.items()},
        n_per_stratum=per_stratum,
        blocks=block,
        seed=read_or_make_seed(seed_file),
    )
    before = check_lengthens(table, output)
    write_text(table.to_csv(index=False, lineterminator="\n"), output, mode=OWNER_ONLY)
    print(
        f"{len(table)} allocations in {n_strata} strata. {output} and {seed_file} are for whoever runs the randomisation alone."
    )
    if before:
        print(f"{before} of them stood there before and are the same; {len(table) - before} are new.")
    smallest = prod(min(levels.values()) for levels in strata.values())
    expected = per_stratum if participants is None else participants * smallest
    if expected < max(block):
        of = (
            f"{per_stratum} allocations per stratum are"
            if participants is None
            else f"{participants} participants in {n_strata} strata are {expected:.1f} in the smallest stratum,"
        )
        print(
            f"{of} fewer than a block of {max(block)}: blocks stay unfinished and balance is lost. Stratify by fewer factors."
        )
    if balance is not None:
        found = simulate_balance(
            {factor: list(levels.values()) for factor, levels in strata.items()},
            participants,
            shares=list(arms.values()),
            blocks=block,
        )
        write_table(found, balance)
        ratio = ":".join(map(str, arms.values()))
        for row in found.itertuples():
            print(
                f"{row.method}: an arm deviates from the ratio {ratio} by {row.overall_mean:.1f} participants on average, "
                f"by {row.level_mean:.1f} in the least balanced level"
            )
