"""The same photos under worse conditions (light, blur, compression, scale ...): how far their ages move.
Nothing of a photo leaves memory.

Each function of a condition takes a uint8 RGB photo of shape (height, width, 3) and returns another; strength
0 (100% for compression and scale) leaves it nearly or wholly as it was.
"""

from collections.abc import Callable, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from faceage_bio.core.columns import AGE, COHORT, FACE_AGE, PHOTO, SUBJECT
from faceage_bio.core.errors import RunError, TableError
from faceage_bio.faces.faceage import predict
from faceage_bio.faces.faceage.photo import Tools, add_ages, examine_images
from faceage_bio.faces.vision.decode import Decoded, DecodeError, decode_photo, inside

SEED = 2025  # of the sample
SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".heic", ".heif"}
NAMES = (PHOTO, SUBJECT, "path", "folder", "photo_date")  # end here
NOISE_SEED = 160  # fixed: the same photo gets the same noise in every run
FACE_PIXELS = 160  # side of the face as the age network sees it


@dataclass(frozen=True)
class Box:
    """Where the face is: left, top, width and height in pixels."""

    x: float
    y: float
    width: float
    height: float


def expose(image: np.ndarray, stops: float, face: Box) -> np.ndarray:
    """Light multiplied by 2 ** stops, in linear sRGB light as in a camera; what is too bright is cut off."""
    encoded = np.arange(256) / 255
    light = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    light = np.minimum(light * 2.0**stops, 1)
    encoded = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(encoded * 255).astype(np.uint8)[image]


def blur(image: np.ndarray, sigma: float, face: Box) -> np.ndarray:
    """Gaussian blur; ``sigma`` in pixels of the face when it is 160 pixels wide, so that photos of any size compare."""
    in_photo = sigma * min(face.width, face.height) / FACE_PIXELS
    return cv2.GaussianBlur(image, (0, 0), in_photo) if in_photo > 0 else image


def compress(image: np.ndarray, quality: float, face: Box) -> np.ndarray:
    """JPEG of this quality (1 to 95) and back."""
    stream = BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=int(quality))
    return np.asarray(Image.open(stream).convert("RGB"))


def shrink(image: np.ndarray, percent: float, face: Box) -> np.ndarray:
    """Fewer pixels: sides of this many per cent."""
    size = [max(1, round(side * percent / 100)) for side in (image.shape[1], image.shape[0])]
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def remove_colour(image: np.ndarray, share: float, face: Box) -> np.ndarray:
    """Luma in place of colour, for a share (1: wholly grey) of it."""
    grey = np.asarray(Image.fromarray(image).convert("L"))[:, :, None]
    return np.round(image + (grey.astype(np.float32) - image) * share).astype(np.uint8)


def add_noise(image: np.ndarray, deviation: float, face: Box) -> np.ndarray:
    """Gaussian noise of this standard deviation in grey levels, on every channel by itself."""
    noise = np.random.default_rng(NOISE_SEED).standard_normal(image.shape, dtype=np.float32)
    return np.clip(np.round(image + noise * deviation), 0, 255).astype(np.uint8)


def rotate(image: np.ndarray, degrees: float, face: Box) -> np.ndarray:
    """Turned about the middle of the face, anticlockwise; pixels of the edge fill the corners."""
    middle = (face.x + face.width / 2, face.y + face.height / 2)
    turn = cv2.getRotationMatrix2D(middle, degrees, 1.0)
    size = (image.shape[1], image.shape[0])
    return cv2.warpAffine(image, turn, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


@dataclass(frozen=True)
class Condition:
    """What is changed, in which unit, in which steps (mild first on either side), and by which function."""

    name: str
    unit: str
    steps: tuple[float, ...]
    change: Callable[[np.ndarray, float, Box], np.ndarray]


CONDITIONS = (
    Condition("light", "stops", (-3, -2, -1, 1), expose),
    Condition("blur", "pixels (SD)", (1, 2, 4), blur),
    Condition("JPEG quality", "", (50, 25, 10), compress),
    Condition("scale", "%", (75, 50, 25), shrink),
    Condition("grey", "", (1,), remove_colour),
    Condition("noise", "grey levels (SD)", (5, 10, 20), add_noise),
    Condition("rotation", "degrees", (-15, 15), rotate),
)
N_STEPS = sum(len(condition.steps) for condition in CONDITIONS)


def sample_photos(photos: pd.DataFrame, n: int, face_ages: pd.DataFrame | None = None) -> pd.DataFrame:
    """``n`` photos of one cohort by chance with a fixed seed, one of each subject, whatever the order of the rows.

    Parameters
    ----------
    photos : DataFrame
        At least ``path``; photo_id, subject_id and photo_date where known.
    face_ages : DataFrame, optional
        The run's face ages: only photos that have one are drawn.

    Raises
    ------
    TableError
        No column ``path``.
    """
    if "path" not in photos:
        raise TableError(
            f"the photo table has no column 'path'; found {', '.join(map(str, photos.columns))}. Expected what check-cohort writes. Give that table."
        )
    known = photos.sort_values("path", kind="stable")
    if face_ages is not None:
        aged = face_ages.loc[face_ages[FACE_AGE].notna(), PHOTO]
        known = known[known[PHOTO].isin(aged)]
    if "photo_date" in known:
        known = known.sort_values("photo_date", kind="stable", na_position="last")
    if SUBJECT in known:
        known = known.drop_duplicates(SUBJECT)
    chosen = np.random.default_rng(SEED).permutation(len(known))[:n]
    return known.iloc[np.sort(chosen)].reset_index(drop=True)


def gather_samples(
    folders: Sequence[Path],
    photos: Sequence[pd.DataFrame],
    face_ages: Sequence[pd.DataFrame],
    people: Sequence[pd.DataFrame],
    n: int,
    columns: Sequence[str],
) -> pd.DataFrame:
    """A sample of each cohort with folder, path, cohort and, where participants are given, their ``columns`` and ages.

    Parameters
    ----------
    photos, face_ages, people : one table for each folder, or none at all
        Without photo tables all pictures of a folder; the cohort is named after the folder.

    Raises
    ------
    TableError
        A table lacks a column that joins it to the others, or there is no photo.
    """
    samples = []
    for place, folder in enumerate(folders):
        table = photos[place] if photos else photos_in(folder)
        sample = sample_photos(table, n, face_ages[place] if face_ages else None)
        if COHORT not in sample:
            sample[COHORT] = folder.resolve().name
        wanted = [COHORT, "path", *(name for name in (*columns, AGE) if name in sample)]
        if people:
            known = people[place]
            lacking = [name for name, one in (("photo", sample), ("people", known)) if SUBJECT not in one]
            if lacking:
                raise TableError(
                    f"the {lacking[0]} table needs the column subject_id, which joins photos and participants. Add it, or leave --participants out."
                )
            theirs = [name for name in (*columns, AGE) if name in known]
            wanted = [COHORT, "path", SUBJECT]
            sample = sample[wanted].merge(
                known[[SUBJECT, *theirs]].drop_duplicates(SUBJECT), on=SUBJECT, how="left"
            )
            wanted += theirs
        samples.append(sample[wanted].assign(folder=str(folder)))
    together = pd.concat([sample.astype(object) for sample in samples], ignore_index=True).infer_objects()
    if together.empty:
        raise TableError(
            f"no photo to age again in {', '.join(map(str, folders))}. Expected at least one that gave a face age. Give other photos, or leave the test out."
        )
    return together


def photos_in(folder: Path) -> pd.DataFrame:
    """The pictures of a folder as a photo table, known by their endings.

    Raises
    ------
    TableError
        No such folder.
    """
    if not folder.is_dir():
        raise TableError(
            f"{folder}: no such folder. Expected that of the photos. Give the folder that holds them."
        )
    paths = sorted(
        str(item.relative_to(folder)) for item in folder.rglob("*") if item.suffix.lower() in SUFFIXES
    )
    return pd.DataFrame({"path": paths, PHOTO: paths})


def stress_photos(
    photos: pd.DataFrame,
    make_tools: Callable[[], Tools],
    *,
    workers: int = 1,
    one_owner: bool = False,
    progress: Callable[[int], None] = lambda n: None,
) -> pd.DataFrame:
    """The age of each photo under each step of each condition, beside that of the photo as it is.

    The whole way is gone again for each step: find the face, judge, cut, age, with the settings of ``make_tools``.

    Parameters
    ----------
    photos : DataFrame
        ``folder`` and ``path`` (which may not leave it), and columns that are to be kept, such as sex.
    make_tools, workers, one_owner
        See `predict.predict_face_ages`.

    Returns
    -------
    DataFrame, one row per photo and step
        The kept columns (names and paths are not), ``photo`` (a number); condition, unit, step; before (face
        age as it is), change (years; NaN without an age after it), lost (why there is no age after it: a
        reason, or ""). A photo that has no age as it is has one row, without a condition.

    Raises
    ------
    RunError
        A worker process was killed.
    """
    kept = [name for name in photos if name not in NAMES]
    paths = list(zip(photos["folder"].map(Path), photos["path"], strict=True))
    found: list[list[dict]] = []
    with predict.pool(min(workers, max(1, len(paths))), make_tools, one_owner=one_owner) as processes:
        for running in [processes.submit(_stress_one, *path) for path in paths]:
            try:
                found.append(running.result())
            except BrokenProcessPool:
                raise RunError(
                    "a worker process was killed, probably because memory ran out. Expected enough memory for each. Use fewer --workers or more memory."
                ) from None
            progress(1)
    known = [photos.iloc[number][kept].to_dict() for number in range(len(photos))]
    rows = [
        one | {"photo": number} | row
        for number, (one, steps) in enumerate(zip(known, found, strict=True))
        for row in steps
    ]
    return pd.DataFrame(
        rows, columns=[*kept, "photo", "condition", "unit", "step", "before", "change", "lost"]
    )


def _stress_one(folder: Path, path: str) -> list[dict]:
    """Runs in a worker process."""
    return stress_one(inside(folder, path), predict.tools_of_this_process())


def stress_one(path: Path | None, tools: Tools) -> list[dict]:
    """The rows of one photo; only the first model is asked, once for each step."""
    tools = replace(tools, models=tools.models[:1], settings=tools.settings.model_copy(update={"jitters": 0}))
    if path is None:
        return [{"lost": "outside_folder"}]
    try:
        photo = decode_photo(path)
    except DecodeError as error:
        return [{"lost": error.reason}]
    asis = examine_images([photo], tools)[0]
    if not asis.crops:
        return [{"lost": asis.row["reason"]}]
    face = Box(*(float(asis.row[f"box_{part}"]) for part in ("x", "y", "width", "height")))
    steps = [(condition, step) for condition in CONDITIONS for step in condition.steps]
    images = (condition.change(photo.image, step, face) for condition, step in steps)
    changed = examine_images((_decoded(image) for image in images), tools)
    add_ages([asis, *changed], tools)
    if FACE_AGE not in asis.row:
        return [{"lost": asis.row["reason"]}]
    before = asis.row[FACE_AGE]
    return [
        {
            "condition": condition.name, "unit": condition.unit, "step": float(step),
            "before": before, "change": after.row.get(FACE_AGE, np.nan) - before,
            "lost": "" if FACE_AGE in after.row else after.row["reason"],
        }
        for (condition, step), after in zip(steps, changed, strict=True)
    ]  # fmt: skip


def _decoded(image: np.ndarray) -> Decoded:
    return Decoded(image, width=image.shape[1], height=image.shape[0], orientation=1)
