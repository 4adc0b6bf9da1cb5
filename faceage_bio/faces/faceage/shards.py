"""Shards: how many jobs a cohort's photos are worth, and which photos each job takes.

The workflow reads this module each time it starts, so it imports nothing heavy.
"""

from __future__ import annotations

import hashlib
import zipfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from faceage_bio.core.columns import PHOTO
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
    mine = photos[PHOTO].map(lambda name: _hash_of(name) % int(n) == int(number) - 1)
    return photos[mine.astype(bool)]


def _hash_of(name: object) -> int:
    return int.from_bytes(hashlib.blake2b(str(name).encode(), digest_size=8).digest(), "big")
