"""The same photo under two names: equal pixels, or pixels that are nearly so after scaling or compression."""

import numpy as np
import pandas as pd

from faceage_bio.columns import COHORT, FACE_AGE, SUBJECT

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
    for one, other in _near_pairs(hashes):
        near[hashes[one]].append(hashes[other])
        near[hashes[other]].append(hashes[one])
    return near


def _near_pairs(hashes: np.ndarray) -> set[tuple[int, int]]:
    if not len(hashes):
        return set()
    raw = np.stack([np.frombuffer(bytes.fromhex(one), np.uint8) for one in hashes])
    keys = raw.view(
        np.uint32
    )  # 8 bands of 32 bits: hashes that differ in at most 7 bits have one band in common
    pairs: set[tuple[int, int]] = set()
    for band in range(keys.shape[1]):
        order = np.argsort(keys[:, band], kind="stable")
        for group in np.split(order, np.flatnonzero(np.diff(keys[order, band])) + 1):
            pairs |= _near_within(raw, np.sort(group))
    return pairs


def _near_within(raw: np.ndarray, group: np.ndarray) -> set[tuple[int, int]]:
    pairs = set()
    for place, one in enumerate(group[:-1]):
        others = group[place + 1 :]
        distance = np.bitwise_count(raw[others] ^ raw[one]).sum(axis=1)
        pairs |= {(int(one), int(other)) for other in others[distance <= NEAR]}
    return pairs


def mark_same_photos(photos: pd.DataFrame, action: str) -> pd.DataFrame:
    """The table of face ages with what ``find_same_photos`` found in status, reason and flags.

    With "exclude" such photos lose their age; with "flag" they keep it. A photo that is excluded already keeps its reason.
    """
    same = find_same_photos(photos)
    marked = photos.copy()
    again = same != ""
    marked.loc[again, "flags"] = [
        ";".join(filter(None, both)) for both in zip(marked["flags"][again], same[again], strict=True)
    ]
    hit = again & (photos["status"] != "excluded")
    if action == "exclude":
        marked.loc[hit, "status"] = "excluded"
        marked.loc[hit, "reason"] = same[hit]
        marked.loc[hit, [name for name in photos if name.startswith(FACE_AGE)]] = np.nan
    else:
        unflagged = hit & (photos["status"] == "ok")
        marked.loc[unflagged, "reason"] = same[unflagged]
        marked.loc[hit, "status"] = "flagged"
    return marked
