"""The same photo under two names: equal pixels, or pixels that are nearly so after scaling or compression."""

import numpy as np
import pandas as pd

from faceage_bio.columns import COHORT, FACE_AGE, SUBJECT

HASH_BITS = 256
# bits; a portrait scaled or compressed again moves by 2, two drawn people may be 8 apart, 160 real people are 58 and more
NEAR = 6
BAND_BITS = 16  # 16 bands: hashes that differ in at most 15 bits are equal in one band at least


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
    owners = list(zip(readable[COHORT], readable[SUBJECT], strict=True))
    exact = readable["pixel_hash"].to_numpy()
    graver: dict[int, tuple[bool, bool]] = {}
    for one, other in _near_pairs(readable["perceptual_hash"]):
        kind = (owners[one] != owners[other], exact[one] == exact[other])
        for place in (one, other):
            graver[place] = max(graver.get(place, kind), kind)
    found = pd.Series("", index=photos.index, dtype=str)
    for place, (another, equal) in graver.items():
        whose = "of_another_subject" if another else "twice"
        found.loc[readable.index[place]] = f"{'' if equal else 'nearly_'}same_photo_{whose}"
    return found


def _near_pairs(hashes: pd.Series) -> set[tuple[int, int]]:
    if not len(hashes):
        return set()
    raw = np.stack([np.frombuffer(bytes.fromhex(one), np.uint8) for one in hashes])
    bands = raw.reshape(len(raw), HASH_BITS // BAND_BITS, BAND_BITS // 8)
    keys = bands[:, :, 0].astype(np.int64) * 256 + bands[:, :, 1]
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
