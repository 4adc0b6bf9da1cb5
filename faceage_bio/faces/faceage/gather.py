"""Shards as one table per cohort, after looking for photos that occur twice."""

import pandas as pd

from faceage_bio.core.columns import COHORT, PHOTO
from faceage_bio.core.errors import RunError
from faceage_bio.faces.faceage.duplicates import mark_same_photos


def gather_shards(shards: list[pd.DataFrame], same_photo: str) -> dict[str, pd.DataFrame]:
    """The tables of face ages by cohort.

    Parameters
    ----------
    shards : list of DataFrame
        Written by ``predict-face-age``, those of a cohort in their order.
    same_photo : "exclude" or "flag"
        What becomes of photos that occur again under another name, in any cohort.

    Raises
    ------
    RunError
        A photo stands in two shards, so the shards are not of one run.
    """
    whole = mark_same_photos(pd.concat(shards, ignore_index=True), same_photo)
    doubled = whole.duplicated([COHORT, PHOTO])
    if doubled.any():
        raise RunError(
            f"{doubled.sum()} photo(s) stand in more than one shard. Expected each photo in one. The shards are not of one run; delete the folder "
            "faceage/shards of the cohort and run again."
        )
    return {str(name): table.reset_index(drop=True) for name, table in whole.groupby(COHORT, sort=False)}
