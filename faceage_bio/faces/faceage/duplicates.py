"""The same photo under two names: equal pixels, or pixels that are nearly so after scaling or compression."""

from itertools import combinations

import numpy as np
import pandas as pd

from faceage_bio.core.columns import COHORT, SUBJECT, holds_age

# bits; a portrait scaled or compressed again moves by 2, two drawn people may be 8 apart, 160 real people are 58 and more
NEAR = 6


def find_same_photos(photos: pd.DataFrame) -> pd.Series:
    """For each photo whether it occurs again, in any cohort.

    Parameters
    ----------
    photos : DataFrame
        cohort, subject_id, pixel_hash, perceptual_hash ("" where the photo could not be read).

    Returns
    -------
    Series of str
        "same_photo_of_another_subject", "nearly_same_photo_of_another_subject", "same_photo_twice" or
        "nearly_same_photo_twice" (of the same subject), the first that holds; "" for a photo of its own.
    """
    readable = photos[photos["perceptual_hash"] != ""]
    owner = readable[COHORT].str.cat(readable[SUBJECT], sep="\0")
    exact, near = readable["pixel_hash"], readable["perceptual_hash"]
    neighbours = _neighbours(near.unique())
    owners = {one: set(names) for one, names in owner.groupby(near)}
    around = {one: set().union(*(owners[other] for other in others)) for one, others in neighbours.items()}
    count = owner.groupby([near, owner]).size().to_dict()
    checks = {  # the gravest first
        "same_photo_of_another_subject": owner.groupby(exact).transform("nunique") > 1,
        "nearly_same_photo_of_another_subject": [len(around[one]) > 1 for one in near],
        "same_photo_twice": owner.groupby([exact, owner]).transform("size") > 1,
        "nearly_same_photo_twice": [
            sum(count.get((other, name), 0) for other in neighbours[one]) > 1
            for one, name in zip(near, owner, strict=True)
        ],
    }
    found = pd.Series("", index=photos.index, dtype=str)
    found[readable.index] = np.select(
        [np.asarray(check, dtype=bool) for check in checks.values()], list(checks), ""
    )
    return found


def _neighbours(hashes: np.ndarray) -> dict[str, list[str]]:
    """Each of the different hashes with those near it, itself the first."""
    near = {one: [one] for one in hashes}
    for one, other in near_pairs(hashes):
        near[hashes[one]].append(hashes[other])
        near[hashes[other]].append(hashes[one])
    return near


def near_pairs(hashes: np.ndarray) -> np.ndarray:
    """Places of each two of different hashes that are near, shape (n_pairs, 2)."""
    if not len(hashes):
        return np.empty((0, 2), dtype=int)
    words = np.stack([np.frombuffer(bytes.fromhex(one), np.uint64) for one in hashes])
    bands = words.view(np.uint32).astype(np.uint64)
    found = []
    # 8 bands of 32 bits: hashes that differ in at most 6 bits have two bands in common
    for one, other in combinations(range(bands.shape[1]), 2):
        key = bands[:, one] << np.uint64(32) | bands[:, other]
        order = np.argsort(key, kind="stable")
        for group in np.split(order, np.flatnonzero(np.diff(key[order])) + 1):
            for place in range(len(group) - 1):
                others = group[place + 1 :]
                distance = np.bitwise_count(words[others] ^ words[group[place]]).sum(axis=1)
                near = others[distance <= NEAR]
                found.append(np.column_stack([np.full(len(near), group[place]), near]))
    return np.unique(np.concatenate(found), axis=0) if found else np.empty((0, 2), dtype=int)


def mark_same_photos(photos: pd.DataFrame, action: str) -> pd.DataFrame:
    """The table of face ages with what ``find_same_photos`` found in status, reason and flags.

    With "exclude" such photos lose their age, but the first of a subject's own copies is only flagged; with
    "flag" all keep it. A photo that was marked before is not marked twice.
    """
    same = find_same_photos(photos)
    before = [name in flags.split(";") for name, flags in zip(same, photos["flags"], strict=True)]
    same = same.mask(before, "")
    copies = photos[same.str.endswith("twice") & (photos["status"] != "excluded")]
    copy_of = copies["pixel_hash"].where(same == "same_photo_twice", "")
    first = copies.assign(copy_of=copy_of).drop_duplicates([COHORT, SUBJECT, "copy_of"]).index
    return mark_photos(photos, same, (action == "exclude") & ~photos.index.isin(first))


def mark_photos(photos: pd.DataFrame, reason: pd.Series, lost: np.ndarray | pd.Series) -> pd.DataFrame:
    """The table of face ages in which photos with a reason ("" is none) are flagged for it, or excluded and
    without ages where ``lost``.

    A photo that is excluded already keeps its reason; one that is flagged keeps it unless it is excluded now.
    """
    marked = photos.copy()
    named = reason != ""
    marked.loc[named, "flags"] = [
        ";".join(filter(None, both)) for both in zip(marked["flags"][named], reason[named], strict=True)
    ]
    used = named & (photos["status"] != "excluded")
    lost = used & lost
    reasoned = lost | (used & (photos["status"] == "ok"))
    marked.loc[reasoned, "reason"] = reason[reasoned]
    marked.loc[used, "status"] = "flagged"
    marked.loc[lost, "status"] = "excluded"
    marked.loc[lost, [name for name in photos if holds_age(name)]] = np.nan
    return marked
