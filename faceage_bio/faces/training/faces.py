"""Labelled photos -> faces cut once, by the inference engine, in parts with checksums; a run that was interrupted goes on."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, UnidentifiedImageError

from faceage_bio.core.errors import RunError
from faceage_bio.core.settings.settings_photos import FaceAge, Quality, Rule
from faceage_bio.core.tables import atomic_path, read_table, sha256_of, write_table
from faceage_bio.faces.faceage.photo import Tools
from faceage_bio.faces.faceage.predict import examined, pool, tools_of_this_process
from faceage_bio.faces.faceage.store import CONTENT, ENGINE, state_of
from faceage_bio.faces.vision.detect import Detector
from faceage_bio.faces.vision.face_input import FaceInput

PART = 256  # photos; what an interrupted run loses at most per process
FACES = "faces"  # the folder of the parts


class _Cutter:
    """Stands where a model stands, so that the engine cuts its input."""

    def __init__(self, how: FaceInput) -> None:
        self.card = {"name": "none", "input": how.declared()}


def cutting_tools(how: FaceInput, device: str) -> Tools:
    """The engine without a model: how many faces there are is for the curation to judge."""
    quality = Quality(multiple_faces=Rule(action="flag", threshold=1))
    return Tools(Detector(device), (_Cutter(how),), FaceAge(quality=quality))


def cut_faces(
    paths: Sequence[str],
    how: FaceInput,
    folder: Path,
    *,
    device: str,
    workers: int,
    progress: Callable[[int], None],
) -> pd.DataFrame:
    """Cut the face of each photo into ``folder/faces``; parts that are there and whole are not made again.

    Returns
    -------
    DataFrame, one row per path
        path, format, content_hash, reason ("" for a face), n_faces, perceptual_hash, pixel_hash; part and row
        of the face.
    """
    parts = [list(paths[start : start + PART]) for start in range(0, len(paths), PART)]
    places = [part_of(folder, number) for number in range(len(parts))]
    keys = [_key_of(part, how) for part in parts]
    tables: dict[int, pd.DataFrame] = {}
    progress(0)
    for number, (part, place) in enumerate(zip(parts, places, strict=True)):
        known = _known(place, keys[number])
        if known is not None:
            tables[number] = known
            progress(len(part))
    left = [number for number in range(len(parts)) if number not in tables]
    if left:
        with pool(workers, partial(cutting_tools, how, device), one_owner=device == "cuda") as running:

            def begin(number: int) -> Future:
                return running.submit(_cut_part, parts[number], places[number], how, keys[number])

            jobs = {number: begin(number) for number in left} if workers > 1 else {}
            for number in left:
                tables[number] = (jobs.pop(number) if jobs else begin(number)).result()
                progress(len(parts[number]))
    whole = [tables[number].assign(part=number) for number in range(len(parts))]
    return pd.concat(whole, ignore_index=True).drop(columns=["key", "sha256"])


def part_of(folder: Path, number: int) -> Path:
    """The file of a part."""
    return folder / FACES / f"part-{number:05d}.npy"


def _key_of(paths: Sequence[str], how: FaceInput) -> str:
    states = [state_of(Path(path)) for path in paths]
    return hashlib.sha256(json.dumps([ENGINE, how.declared(), list(paths), states]).encode()).hexdigest()


def _known(place: Path, key: str) -> pd.DataFrame | None:
    rows = place.with_suffix(".parquet")
    if not (place.is_file() and rows.is_file()):
        return None
    table = read_table(rows)
    whole = len(table) and table["key"].iloc[0] == key and table["sha256"].iloc[0] == sha256_of(place)
    return table if whole else None


def _cut_part(paths: Sequence[str], place: Path, how: FaceInput, key: str) -> pd.DataFrame:
    """Runs in a worker process, which writes the faces."""
    tools, rows, crops = tools_of_this_process(), [], []
    for path, photo in zip(paths, examined([Path(path) for path in paths], tools), strict=True):
        row = {"path": path, "format": _format_of(path), "n_faces": photo.row.get("n_faces", 0)}
        row |= {
            name: photo.row.get(name) or "" for name in ("reason", "perceptual_hash", "pixel_hash", CONTENT)
        }
        if photo.crops:
            row |= {"reason": "", "row": len(crops)}
            crops.append(photo.crops[0])
        rows.append({"row": -1} | row)
    return keep_part(place, rows, crops, how, key)


def _format_of(path: str) -> str:
    try:
        with Image.open(path) as image:
            return "JPEG" if image.format == "MPO" else str(image.format)
    except (OSError, UnidentifiedImageError, ValueError, Image.DecompressionBombError):
        return ""


def keep_part(
    place: Path, rows: list[dict], crops: list[np.ndarray], how: FaceInput, key: str
) -> pd.DataFrame:
    """Write the faces of a part, and its rows with the checksum; returns the rows."""
    faces = np.stack(crops) if crops else np.empty((0, how.size, how.size, 3), np.uint8)
    with atomic_path(place) as temporary, open(temporary, "wb") as file:
        np.save(file, faces)
    table = pd.DataFrame(rows).assign(key=key, sha256=sha256_of(place))
    write_table(table, place.with_suffix(".parquet"))
    return table


@dataclass
class FaceStore:
    """The faces of a prepared folder, read from disk where they are asked for."""

    folder: Path

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        """Map the parts into memory."""
        places = (self.folder / FACES).glob("part-*.npy")
        self._parts = {int(place.stem.partition("-")[2]): np.load(place, mmap_mode="r") for place in places}

    def __getstate__(self) -> dict:
        return {"folder": self.folder}

    def __setstate__(self, state: dict) -> None:
        self.folder = state["folder"]
        self.open()

    def face(self, part: int, row: int) -> np.ndarray:
        """uint8 of shape (size, size, 3)."""
        return np.array(self._parts[part][row])


def check_faces(folder: Path, parts: Iterable[int]) -> None:
    """Compare parts with their checksums.

    Raises
    ------
    RunError
        A part is missing, cut off or changed.
    """
    for number in sorted(set(parts)):
        place = part_of(folder, number)
        rows = place.with_suffix(".parquet")
        told = read_table(rows, columns=["sha256"])["sha256"] if rows.is_file() else ()
        if not (place.is_file() and len(told) and sha256_of(place) == told.iloc[0]):
            raise RunError(
                f"{place}: missing, or other than its checksum says. Expected the part as it was written. Call `faceage-bio train prepare` again: it makes damaged parts anew."
            )
