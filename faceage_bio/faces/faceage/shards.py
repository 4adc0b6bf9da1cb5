"""Shards: how many jobs a cohort's photos are worth, which photos each job takes, and their results as one table.

The workflow reads this module each time it starts, so it imports nothing heavy.
"""

from __future__ import annotations

import hashlib
import zipfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from faceage_bio.core.columns import COHORT, PHOTO
from faceage_bio.core.errors import RunError

if TYPE_CHECKING:
    import pandas as pd


def count_photos(manifest: Path | str) -> int:
    """Rows of a manifest below its header, of a workbook's longest sheet; 0 if it is not there (a later check tells so)."""
    try:
        if str(manifest).lower().endswith((".xlsx", ".xlsm")):
            import openpyxl

            with closing(openpyxl.load_workbook(manifest, read_only=True)) as book:
                return max(1, *(sheet.max_row for sheet in book.worksheets)) - 1
        with Path(manifest).open("rb") as file:
            return max(0, sum(1 for line in file if line.strip()) - 1)
    except (OSError, zipfile.BadZipFile, KeyError, ValueError):
        return 0


def shard_names(n_photos: int, shard_size: int) -> list[str]:
    """ "1-of-3", "2-of-3", "3-of-3": as many shards as the photos need, at least one."""
    n = max(1, -(-n_photos // shard_size))
    return [f"{number}-of-{n}" for number in range(1, n + 1)]


def photos_of(photos: pd.DataFrame, shard: str) -> pd.DataFrame:
    """The photos of one shard, by a hash of ``photo_id``: where a photo belongs depends on no other photo and on no order.

    Shards are of nearly the same size: n photos in k shards give n / k with a standard deviation of its square root.

    Parameters
    ----------
    photos : DataFrame with photo_id
    shard : the number of the shard and how many there are, as in "2-of-5"

    Raises
    ------
    RunError
        Not the name of a shard.
    """
    number, _, n = shard.partition("-of-")
    if not (number.isdigit() and n.isdigit() and 1 <= int(number) <= int(n)):
        raise RunError(
            f"--shard {shard}: expected a name such as 2-of-5. Give the number of the shard and how many there are."
        )
    places = photos[PHOTO].map(lambda name: _hash_of(name) % int(n) + 1)
    return photos[places == int(number)]


def _hash_of(name: object) -> int:
    return int.from_bytes(hashlib.blake2b(str(name).encode(), digest_size=8).digest(), "big")


def gather_shards(
    shards: list[pd.DataFrame], manifest: pd.DataFrame, same_photo: str
) -> dict[str, pd.DataFrame]:
    """The tables of face ages by cohort, in the order of the manifest, with photos that occur twice marked.

    Parameters
    ----------
    shards : list of DataFrame
        Written by ``predict-face-age``: all of one or several cohorts.
    manifest : DataFrame with cohort and photo_id
        The photos of these cohorts; those of others are not looked for.
    same_photo : "exclude" or "flag"
        What becomes of photos that occur again under another name, in any of these cohorts.

    Raises
    ------
    RunError
        The shards do not hold each photo once, so they are not of one run.
    """
    import pandas as pd

    from faceage_bio.faces.faceage.duplicates import mark_same_photos

    keys = [COHORT, PHOTO]
    found = pd.concat(shards, ignore_index=True)
    listed = manifest.loc[manifest[COHORT].isin(found[COHORT]), keys]
    doubled = int(found.duplicated(keys).sum())
    both = listed.merge(found[keys].drop_duplicates(), on=keys, how="outer", indicator=True)["_merge"]
    missing, unknown = int((both == "left_only").sum()), int((both == "right_only").sum())
    if doubled or missing or unknown:
        raise RunError(
            f"{doubled} photo(s) are in more than one shard, {missing} in none, and {unknown} are not in the manifest. Expected each photo of the "
            "manifest in one shard. The shards are not of one run; delete the folder faceage/shards of the cohort and run again."
        )
    whole = mark_same_photos(listed.merge(found, on=keys), same_photo)[list(found)]
    return {str(name): table.reset_index(drop=True) for name, table in whole.groupby(COHORT, sort=False)}
