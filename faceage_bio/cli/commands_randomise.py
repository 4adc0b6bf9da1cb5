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

    Example: faceage-bio randomise --arm treatment --arm control --stratum sex=female,male --per-stratum 60 --seed-file seed.txt --output list.csv
    """
    from math import prod

    from faceage_bio.analyses.planning.randomisation import (
        allocation_list,
        read_or_make_seed,
        simulate_balance,
    )
    from faceage_bio.core.errors import RunError
    from faceage_bio.core.tables import OWNER_ONLY, write_table, write_text

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
