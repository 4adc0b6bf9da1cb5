"""One photo: decode, find the face, measure, judge, cut; then the ages of many cuts together."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faceage_bio.columns import FACE_AGE, FACE_AGE_SD, PRECISION_ERROR, other_age
from faceage_bio.faceage.rules import judge
from faceage_bio.faceage.settings import Settings
from faceage_bio.vision.batches import in_batches
from faceage_bio.vision.crop import crop_face, jittered_boxes
from faceage_bio.vision.decode import Decoded, DecodeError, decode_photo
from faceage_bio.vision.detect import Detector, Face
from faceage_bio.vision.measures import measure_crop, measure_face, perceptual_hash, pixel_hash
from faceage_bio.vision.models import FaceAgeModel, load_model


@dataclass(frozen=True)
class Tools:
    """The networks, made once on a device, and what they are to do. The first model gives the face ages."""

    detector: Detector
    models: tuple[FaceAgeModel, ...]
    settings: Settings


def load_tools(folders: Sequence[Path | str], device: str, settings: Settings) -> Tools:
    """The detector and the models of these folders on a device.

    Raises
    ------
    WeightsError
        See `vision.models.load_model`.
    """
    first, *others = folders
    models = (load_model(first, device, settings.precision), *(load_model(one, device) for one in others))
    return Tools(Detector(device, settings.first_level), models, settings)


@dataclass
class Examined:
    """What is known of a photo, and the crops to age (none if it is excluded): the face's own, then jittered ones."""

    row: dict
    crops: list[np.ndarray]


def examine(path: Path | None, tools: Tools) -> Examined:
    """Everything about one photo except its age; ``path`` is None for one outside the photo folder."""
    if path is None:
        return _excluded({}, "outside_folder")
    try:
        photo = decode_photo(path)
    except DecodeError as error:
        return _excluded({}, error.reason)
    return examine_image(photo, tools)


def examine_image(photo: Decoded, tools: Tools) -> Examined:
    """Everything about a decoded photo except its age."""
    settings = tools.settings
    known = {
        "width": photo.width, "height": photo.height, "orientation": photo.orientation,
        "pixel_hash": pixel_hash(photo.image), "perceptual_hash": perceptual_hash(photo.image),
    }  # fmt: skip
    faces = tools.detector.detect(photo.image)
    likely = [face for face in faces if face.probability >= settings.min_probability]
    known["n_faces"] = len(likely)
    if not faces:
        return _excluded(known, "no_face")
    face = choose_face(likely or faces, settings.face_choice)
    known |= measure_face(face, photo.width, photo.height)
    if not likely:
        return _excluded(known, "low_probability")
    box = face.box if settings.box_mode == "clip" else face.unclipped_box
    boxes = [box, *jittered_boxes(box, settings.jitters)]
    try:
        crops = [crop_face(photo.image, one, settings.box_mode, settings.resize) for one in boxes]
    except ValueError:
        return _excluded(known, "face_leaves_frame")
    crops[1::2] = [crop[:, ::-1] for crop in crops[1::2]]
    known |= measure_crop(crops[0])
    if any(crop.min() == crop.max() for crop in crops):
        return _excluded(known, "flat_crop")
    if settings.face_choice == "only" and len(likely) > 1:
        return _excluded(known, "several_faces")
    known |= judge(known, settings.rules)
    return Examined(known, [] if known["status"] == "excluded" else crops)


def _excluded(known: dict, reason: str) -> Examined:
    return Examined(known | {"status": "excluded", "reason": reason, "flags": reason}, [])


def choose_face(faces: Sequence[Face], choice: str) -> Face:
    """The face that counts: the largest, or else the first, which the detector is most certain of."""
    if choice == "largest":
        return max(faces, key=lambda face: face.width * face.height)
    return faces[0]


def inside(folder: Path, path: str) -> Path | None:
    """The photo's place, or None if it lies outside the folder, be it by a link."""
    try:
        place = (folder / path).resolve()
    except (OSError, RuntimeError):  # a link that leads to itself
        return folder / path
    return place if place.is_relative_to(folder.resolve()) else None


def add_ages(photos: Sequence[Examined], tools: Tools, compare_precision: bool = False) -> None:
    """Put the ages into the rows of all photos that have crops.

    With ``compare_precision`` the row also says by how much the short precision is off.
    """
    aged = [photo for photo in photos if photo.crops]
    if not aged:
        return
    first, *others = tools.models
    batch_size = tools.settings.batch_size
    own = np.stack([photo.crops[0] for photo in aged])
    ages = _predict(first, own, batch_size)
    for photo, age in zip(aged, ages, strict=True):
        photo.row[FACE_AGE] = float(age)
    for number, model in enumerate(others, start=2):
        for photo, age in zip(aged, _predict(model, own, batch_size), strict=True):
            photo.row[other_age(number)] = float(age)
    if tools.settings.jitters:
        jittered = _predict(first, np.concatenate([np.stack(photo.crops[1:]) for photo in aged]), batch_size)
        spreads = jittered.reshape(len(aged), -1)
        for photo, values in zip(aged, spreads, strict=True):
            around = np.append(values, photo.row[FACE_AGE])
            photo.row[FACE_AGE_SD] = float(np.std(around, ddof=1))
    if compare_precision:
        exact = _predict(first.in_float32(), own, batch_size)
        for photo, age, full in zip(aged, ages, exact, strict=True):
            photo.row[PRECISION_ERROR] = float(age - full)


def _predict(model: FaceAgeModel, crops: np.ndarray, batch_size: int) -> np.ndarray:
    return np.concatenate(in_batches(model.predict, crops, batch_size))
