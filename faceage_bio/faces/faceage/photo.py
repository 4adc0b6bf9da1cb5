"""One photo: decode, find the face, measure, judge, cut; then the ages of many cuts together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from faceage_bio.core.columns import FACE_AGE, FACE_AGE_SD, PRECISION_ERROR, other_age
from faceage_bio.faces.faceage.rules import judge
from faceage_bio.faces.faceage.settings import Settings
from faceage_bio.faces.vision.batches import in_batches
from faceage_bio.faces.vision.crop import crop_face, jittered_boxes
from faceage_bio.faces.vision.decode import Decoded, DecodeError, decode_photo
from faceage_bio.faces.vision.defects import measure_defects
from faceage_bio.faces.vision.detect import Detector, Face
from faceage_bio.faces.vision.face_input import FaceInput, cut_face, input_of, moved
from faceage_bio.faces.vision.models import FaceAgeModel, load_model
from faceage_bio.faces.vision.photo_measures import measure_crop, measure_face, perceptual_hash, pixel_hash

PLAUSIBLE = (-20.0, 150.0)  # years; newborns may come out below 0


@dataclass(frozen=True)
class Tools:
    """The networks, made once on a device, and what they are to do. The first model gives the face ages."""

    detector: Detector
    models: tuple[FaceAgeModel, ...]
    settings: Settings

    @property
    def inputs(self) -> list[FaceInput]:
        """What each model is fed."""
        return [input_of(model.card) for model in self.models]


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
    """What is known of a photo, and the crops to age (none if it is excluded, or without a model).

    ``crops``: of the first model, the face's own, then jittered ones. ``others``: of each further model, None if it cannot be cut.
    """

    row: dict
    crops: list[np.ndarray]
    others: list[np.ndarray | None] = field(default_factory=list)


def examine(path: Path | None, tools: Tools) -> Examined:
    """Everything about one photo except its age; ``path`` is None for one outside the photo folder."""
    if path is None:
        return excluded({}, "outside_folder")
    try:
        photo = decode_photo(path)
    except DecodeError as error:
        return excluded({}, error.reason)
    return examine_image(photo, tools)


def examine_image(photo: Decoded, tools: Tools) -> Examined:
    """Everything about a decoded photo except its age."""
    settings = tools.settings
    known = {
        "width": photo.width, "height": photo.height, "orientation": photo.orientation,
        "colour_mode": photo.colour_mode, "corrupt_data": photo.corrupt_data,
        "pixel_hash": pixel_hash(photo.image), "perceptual_hash": perceptual_hash(photo.image),
    }  # fmt: skip
    faces = tools.detector.detect([photo.image])[0]
    likely = [face for face in faces if face.probability >= settings.min_probability]
    known["n_faces"] = len(likely)
    if not faces:
        return excluded(known, "no_face")
    face = choose_face(likely or faces, settings.face_choice)
    known |= measure_face(face, photo.width, photo.height)
    if not likely:
        return excluded(known, "low_probability")
    box = face.box if settings.box_mode == "clip" else face.unclipped_box
    try:
        crop = crop_face(photo.image, box, settings.box_mode, settings.resize)
    except ValueError:
        return excluded(known, "face_outside_frame")
    known |= measure_crop(crop)
    if crop.min() == crop.max():
        return excluded(known, "flat_crop")
    if settings.face_choice == "only" and len(likely) > 1:
        return excluded(known, "multiple_faces")
    known |= measure_defects(photo.image, face, crop, tools.detector)
    known |= judge(known, settings.rules)
    if known["status"] == "excluded" or not tools.models:
        return Examined(known, [])
    first, *others = tools.inputs
    cut = {how: _cut(photo.image, box, box, face, how, settings) for how in {first, *others}}
    if cut[first] is None:
        return excluded(known, "flat_crop")
    jittered = [
        crop if place % 2 else crop[:, ::-1]
        for place, one in enumerate(jittered_boxes(box, settings.jitters))
        if (crop := _cut(photo.image, one, box, face, first, settings)) is not None
    ]
    return Examined(known, [cut[first], *jittered], [cut[how] for how in others])


def _cut(
    image: np.ndarray, box, own_box, face: Face, how: FaceInput, settings: Settings
) -> np.ndarray | None:
    """What a model sees of the face at a box, its own or a jittered one; None where it misses the photo or is blank."""
    landmarks = moved(np.array(face.landmarks, dtype=np.float64), own_box, box)
    try:
        crop = cut_face(image, box, landmarks, how, settings.box_mode, settings.resize)
    except ValueError:
        return None
    return crop if crop.min() < crop.max() else None


def excluded(known: dict, reason: str) -> Examined:
    """A photo that gets no age, with what is known of it."""
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
    except (OSError, RuntimeError, ValueError):  # a link that leads to itself, a name that cannot be
        return folder / path
    return place if place.is_relative_to(folder.resolve()) else None


def add_ages(photos: Sequence[Examined], tools: Tools, compare_precision: bool = False) -> None:
    """Put the ages into the rows of all photos that have crops; a photo without a plausible age is excluded.

    A further model that gives no plausible age leaves its column empty and a flag. With ``compare_precision`` the row also
    says by how much the short precision is off.
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
        seen = [photo for photo in aged if photo.others[number - 2] is not None]
        cut = [photo.others[number - 2] for photo in seen]
        found = _predict(model, np.stack(cut), batch_size) if cut else np.empty(0)
        for photo, age in zip(seen, found, strict=True):
            if _plausible(age):
                photo.row[other_age(number)] = float(age)
        for photo in aged:
            if other_age(number) not in photo.row:
                photo.row["flags"] = ";".join(filter(None, [photo.row["flags"], "no_second_age"]))
    jittered = [crop for photo in aged for crop in photo.crops[1:]]
    if jittered:
        ends = np.cumsum([len(photo.crops) - 1 for photo in aged])[:-1]
        spreads = np.split(_predict(first, np.stack(jittered), batch_size), ends)
        for photo, values in zip(aged, spreads, strict=True):
            if len(values):
                with np.errstate(invalid="ignore"):  # ages that are not finite are dealt with below
                    photo.row[FACE_AGE_SD] = float(np.std([*values, photo.row[FACE_AGE]], ddof=1))
    if compare_precision:
        exact = _predict(first.in_float32(), own, batch_size)
        for photo, age, full in zip(aged, ages, exact, strict=True):
            photo.row[PRECISION_ERROR] = float(age - full)
    for photo in aged:
        if not _plausible(photo.row[FACE_AGE]):
            photo.row = excluded(_without_ages(photo.row), "implausible_age").row


def _plausible(age: float) -> bool:
    return bool(PLAUSIBLE[0] <= age <= PLAUSIBLE[1])


def _without_ages(row: dict) -> dict:
    return {
        name: value
        for name, value in row.items()
        if not name.startswith(FACE_AGE) and name != PRECISION_ERROR
    }


def _predict(model: FaceAgeModel, crops: np.ndarray, batch_size: int) -> np.ndarray:
    return np.concatenate(in_batches(model.predict, crops, batch_size))
