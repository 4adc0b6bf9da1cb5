"""Shards as one table per cohort, after looking for photos that occur twice."""

import pandas as pd

from faceage_bio.core.columns import COHORT, PHOTO
from faceage_bio.core.errors import RunError
from faceage_bio.faces.faceage.duplicates import mark_same_photos


def gather_shards(
    shards: list[pd.DataFrame], manifest: pd.DataFrame, same_photo: str
) -> dict[str, pd.DataFrame]:
    """The tables of face ages by cohort, in the order of the manifest.

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
