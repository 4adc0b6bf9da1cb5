"""faceage-bio store: check and tidy up the results of single photos that were computed before."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)
Folder = Annotated[
    Path, typer.Argument(help="The config's faceage.store, or faceage_store in the results folder.")
]


@app.command()
def verify(folder: Folder) -> None:
    """Read every part and every photo again; one line for each engine (model, settings, versions).

    Example: faceage-bio store verify my-study/results/faceage_store
    """
    from faceage_bio.core.errors import RunError
    from faceage_bio.faces.faceage.store import open_stores, verify_store

    bad = 0
    for store in open_stores(folder):
        found = verify_store(store)
        bad += found["damaged_parts"] + found["changed"]
        print(
            f"{found['engine']}: {found['photos']} photos, {found['damaged_parts']} part(s) that cannot be read, {found['gone']} photo(s) no longer "
            f"where they were, {found['changed']} photo(s) changed with an unchanged time"
        )
    if bad:
        raise RunError(
            f"{folder}: {bad} fault(s). Expected parts and photos as they were written. Run `faceage-bio store prune`, which removes damaged "
            "parts, and copy photos whose bytes were changed anew: they are computed again."
        )


@app.command()
def prune(
    folder: Folder,
    unused_days: Annotated[
        float | None,
        typer.Option(help="Also remove engines to which no photo was added for so many days.", min=0),
    ] = None,
    gone: Annotated[
        bool, typer.Option("--gone", help="Also forget photos that are no longer on the disk.")
    ] = False,
) -> None:
    """Remove damaged parts and doubled rows.

    Example: faceage-bio store prune my-study/results/faceage_store --gone --unused-days 365
    """
    from faceage_bio.faces.faceage.store import open_stores, prune_store

    for store in open_stores(folder):
        done = prune_store(store, unused_days=unused_days, gone=gone)
        print(f"{done['engine']}: {done['kept']} photo(s) kept, {done['removed']} row(s) removed")
