"""Which photos reviewers look at, in which order, what they see of each (the face alone, cut in memory), and
what they may answer.
"""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from faceage_bio.core.columns import COHORT, PHOTO
from faceage_bio.core.errors import RunError
from faceage_bio.faces.vision.decode import DecodeError, decode_photo, inside

LEAST_OTHERS = 0.25  # of the sheet: photos without a flag, since a rule may also miss what people see
MARGIN = 0.35  # of the box's sides, so that a second person or a cut face can be seen
SIDE = 240  # pixels of the longer side of a picture on the sheet
KEY_COLUMNS = ("sheet", "photo", COHORT, PHOTO)
REVIEWED = "review_"  # begins the reasons that a review gives in the ledger
DECISIONS = {
    "use": "can be used",
    "unsure": "not sure (it is used, and flagged)",
    "exclude": "cannot be used",
}
REASONS = {  # in the order of the keys 1 to 9 and 0; of several reasons named as often, the first counts
    "not_a_face": "not a face",
    "wrong_person": "wrong person (one behind, a picture on the wall)",
    "occluded": "covered (hand, tube, mask, glasses, hair)",
    "make_up_or_mask": "make-up, paint or costume",
    "turned": "turned too far",
    "blurred": "blurred",
    "cropped": "cut off",
    "several_people": "several persons in the frame",
    "artefact": "artefact (print, screen, glare, editing)",
    "other": "other",
}


@dataclass(frozen=True)
class Shown:
    """A photo on the sheet: its number, and the face as a JPEG without any metadata (None: it can no longer be read)."""

    number: int
    jpeg: bytes | None


def choose_photos(face_ages: pd.DataFrame, n: int | None, seed: int) -> pd.DataFrame:
    """The key of a sheet: which photo has which number.

    All flagged photos with an age, and others by chance until there are ``n`` in all (None: every photo), in
    an order by chance. What a review said before is not looked at, so the same photos give the same sheet
    after it.

    Parameters
    ----------
    face_ages : DataFrame of all cohorts, ``columns.FACE_AGE_COLUMNS``

    Returns
    -------
    DataFrame with ``KEY_COLUMNS`` in the order of the numbers; ``sheet`` tells one sheet from another

    Raises
    ------
    RunError
        No photo has an age.
    """
    by_review = face_ages["reason"].str.startswith(REVIEWED)
    photos = face_ages[(face_ages["status"] != "excluded") | by_review].sort_values([COHORT, PHOTO])
    if photos.empty:
        raise RunError(
            "no photo of these tables has a face age, so there is nothing to look at. Expected at least one with a face. Run predict-face-age on photos first."
        )
    flagged = photos["flags"].map(_flagged_by_a_rule).to_numpy(dtype=bool)
    rng = np.random.default_rng(seed)
    others = rng.permutation(np.flatnonzero(~flagged))
    if n is not None:
        others = others[: max(n - int(flagged.sum()), round(LEAST_OTHERS * n))]
    chosen = photos.iloc[rng.permutation(np.concatenate([np.flatnonzero(flagged), others]))]
    key = chosen[[COHORT, PHOTO]].reset_index(drop=True)
    names = "\n".join(f"{row[0]}\t{row[1]}" for row in key.itertuples(index=False))
    name = f"s{hashlib.sha256(names.encode()).hexdigest()[:8]}"
    return key.assign(sheet=name, photo=np.arange(1, len(key) + 1))[list(KEY_COLUMNS)]


def _flagged_by_a_rule(flags: str) -> bool:
    return any(flag and not flag.startswith(REVIEWED) for flag in flags.split(";"))


def add_to_keys(keys: pd.DataFrame | None, key: pd.DataFrame) -> pd.DataFrame:
    """The keys of all sheets made so far; decisions of an earlier sheet stay readable."""
    if keys is None or keys.empty:
        return key
    return pd.concat([keys[keys["sheet"] != key["sheet"].iloc[0]], key], ignore_index=True)


def cut_face(folder: Path, path: str, box: Sequence[int]) -> bytes | None:
    """The face with some of what is around it; a thin frame shows what the network saw. Nothing is written.

    Parameters
    ----------
    box : x, y, width, height in the upright photo, pixels

    Returns
    -------
    bytes or None
        A JPEG made from pixels alone; None if the photo cannot be read.
    """
    place = inside(folder, path)
    try:
        photo = decode_photo(place) if place is not None else None
    except DecodeError:
        photo = None
    if photo is None:
        return None
    x, y, width, height = map(int, box)
    left, top = max(0, round(x - MARGIN * width)), max(0, round(y - MARGIN * height))
    right, bottom = round(x + (1 + MARGIN) * width), round(y + (1 + MARGIN) * height)
    part = photo.image[top:bottom, left:right]
    if part.size == 0:
        return None
    picture = Image.fromarray(part)
    scale = SIDE / max(picture.size)
    picture = picture.resize([max(1, round(side * scale)) for side in picture.size], Image.Resampling.LANCZOS)
    edges = ((x, left), (y, top), (x + width, left), (y + height, top))
    frame = [round((edge - start) * scale) for edge, start in edges]
    for grow, colour in ((0, "white"), (1, "black")):
        ImageDraw.Draw(picture).rectangle(
            [frame[0] - grow, frame[1] - grow, frame[2] + grow, frame[3] + grow], outline=colour
        )
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=85)
    return stream.getvalue()
