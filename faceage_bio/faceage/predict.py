"""From a table of photos to a table of face ages: every photo gets an age or a reason, and the run goes on."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from faceage_bio.columns import COHORT, FACE_AGE, FACE_AGE_COLUMNS, PHOTO, SUBJECT
from faceage_bio.errors import RunError
from faceage_bio.tables import write_table
from faceage_bio.vision.crop import crop_face
from faceage_bio.vision.decode import DecodeError, decode_photo
from faceage_bio.vision.detect import Detector, Face
from faceage_bio.vision.models import FaceAgeModel

PART_SIZE = 64  # photos kept at once, so that an interrupted run loses no more


@dataclass(frozen=True)
class Settings:
    """How photos become ages; part of the key under which unfinished work is kept."""

    min_probability: float = 0.9
    min_face_pixels: int = 60
    box_mode: str = "clip"
    resize: str = "bicubic"
    batch_size: int = 32


def predict_face_ages(
    photos: pd.DataFrame,
    folder: Path,
    model: FaceAgeModel,
    detector: Detector,
    settings: Settings,
    parts: Path | None = None,
    progress: Callable[[int], None] = lambda n: None,
) -> pd.DataFrame:
    """One row per photo with its face age, or the reason why it has none.

    Parameters
    ----------
    photos : DataFrame
        Columns of ``columns.PHOTO_COLUMNS``.
    folder : path
        The photos' folder; no path may leave it.
    model, detector : the networks, made once
    settings : Settings
    parts : path, optional
        Folder for finished parts of an unfinished run, private to its owner. Parts of the same photos, model and
        settings are used again.
    progress : callable
        Told the number of photos done since the last call.

    Returns
    -------
    DataFrame, columns ``columns.FACE_AGE_COLUMNS``, in the order of ``photos``
        status "ok", "flagged" (with a reason: several_faces) or "excluded" (unreadable, no_face, low_probability,
        small_face, flat_crop; no face_age).
    """
    tables = []
    for start in range(0, len(photos), PART_SIZE):
        part = photos.iloc[start : start + PART_SIZE]
        kept = None if parts is None else parts / f"{_key(part, folder, model, settings)}.parquet"
        if kept is not None and kept.exists():
            table = pd.read_parquet(kept)
            progress(len(part))
        else:
            table = pd.DataFrame(_predict_part(part, folder, model, detector, settings, progress))
            table = table.reindex(columns=list(FACE_AGE_COLUMNS)).astype(_types())
            if kept is not None:
                parts.mkdir(parents=True, exist_ok=True, mode=0o700)
                write_table(table, kept, private=True)
        tables.append(table)
    if not tables:
        return pd.DataFrame(columns=list(FACE_AGE_COLUMNS)).astype(_types())
    return pd.concat(tables, ignore_index=True)


def remove_parts(parts: Path) -> None:
    """Forget the finished parts once the whole table is written."""
    shutil.rmtree(parts, ignore_errors=True)


def _types() -> dict[str, str]:
    whole = dict.fromkeys(
        ("width", "height", "orientation", "n_faces", "box_x", "box_y", "box_width", "box_height"), "Int32"
    )
    text = dict.fromkeys((COHORT, PHOTO, SUBJECT, "status", "reason", "model"), "str")
    return whole | text | {"probability": "float64", FACE_AGE: "float64"}


def _key(part: pd.DataFrame, folder: Path, model: FaceAgeModel, settings: Settings) -> str:
    """Changes when the model, the settings or a photo file does."""
    files = []
    for row in part.itertuples():
        try:
            state = (folder / row.path).stat()
            files.append([row.photo_id, row.path, state.st_size, state.st_mtime_ns])
        except OSError:
            files.append([row.photo_id, row.path, -1, -1])
    content = json.dumps([model.card["sha256"], asdict(settings), files])
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def _predict_part(
    part: pd.DataFrame,
    folder: Path,
    model: FaceAgeModel,
    detector: Detector,
    settings: Settings,
    progress: Callable[[int], None],
) -> list[dict]:
    rows: list[dict] = []
    waiting: list[tuple[int, np.ndarray]] = []  # (place in rows, crop)

    def finish() -> None:
        if waiting:
            ages = predict_in_batches(model, np.stack([crop for _, crop in waiting]), settings.batch_size)
            for (place, _), age in zip(waiting, ages, strict=True):
                rows[place][FACE_AGE] = float(age)
            waiting.clear()

    for row in part.itertuples():
        found, crop = examine(inside(folder, row.path), detector, settings)
        keys = {COHORT: row.cohort, PHOTO: row.photo_id, SUBJECT: row.subject_id, "model": model.card["name"]}
        rows.append(keys | found)
        if crop is not None:
            waiting.append((len(rows) - 1, crop))
        if len(waiting) == settings.batch_size:
            finish()
        progress(1)
    finish()
    return rows


def inside(folder: Path, path: str) -> Path | None:
    """The photo's place, or None if it lies outside the folder."""
    place = (folder / path).resolve()
    return place if place.is_relative_to(folder.resolve()) else None


def examine(path: Path | None, detector: Detector, settings: Settings) -> tuple[dict, np.ndarray | None]:
    """Decode, detect and cut one photo: what is known of it, and the crop if there is one to age."""
    if path is None:
        return {"status": "excluded", "reason": "outside_folder"}, None
    try:
        photo = decode_photo(path)
    except DecodeError:
        return {"status": "excluded", "reason": "unreadable"}, None
    known = {"width": photo.width, "height": photo.height, "orientation": photo.orientation}
    faces = detector.detect(photo.image)
    if not faces:
        return known | {"status": "excluded", "reason": "no_face", "n_faces": 0}, None
    best = faces[0]
    likely = [face for face in faces if face.probability >= settings.min_probability]
    known |= _described(best) | {"n_faces": len(likely)}
    if not likely:
        return known | {"status": "excluded", "reason": "low_probability"}, None
    if min(best.width, best.height) < settings.min_face_pixels:
        return known | {"status": "excluded", "reason": "small_face"}, None
    box = best.box if settings.box_mode == "clip" else best.unclipped_box
    crop = crop_face(photo.image, box, settings.box_mode, settings.resize)
    if crop.min() == crop.max():
        return known | {"status": "excluded", "reason": "flat_crop"}, None
    several = len(likely) > 1
    return known | {
        "status": "flagged" if several else "ok",
        "reason": "several_faces" if several else "",
    }, crop


def _described(face: Face) -> dict:
    return {
        "box_x": face.x, "box_y": face.y, "box_width": face.width, "box_height": face.height,
        "probability": face.probability,
    }  # fmt: skip


def predict_in_batches(model: FaceAgeModel, crops: np.ndarray, batch_size: int) -> np.ndarray:
    """Years for all crops; the batch is halved for as long as the GPU has not memory enough for it."""
    ages: list[np.ndarray] = []
    start = 0
    while start < len(crops):
        try:
            ages.append(model.predict(crops[start : start + batch_size]))
        except torch.cuda.OutOfMemoryError:
            if batch_size == 1:
                raise
            batch_size = max(1, batch_size // 2)
            torch.cuda.empty_cache()
            continue
        start += batch_size
    return np.concatenate(ages) if ages else np.empty(0)


def choose_device(device: str) -> str:
    """ "cuda" or "cpu" for "auto", "cpu" or "cuda".

    Raises
    ------
    RunError
        "cuda" was asked for and there is none.
    """
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise RunError(
            "faceage.device is cuda, but PyTorch finds no CUDA device here. Set it to auto or cpu, or check the driver "
            "with nvidia-smi and that the job was given a GPU."
        )
    return "cuda" if device != "cpu" and available else "cpu"
