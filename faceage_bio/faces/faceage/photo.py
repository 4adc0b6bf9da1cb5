"""Photos, some at a time: decode, find the face, measure, cut, judge; then the ages of many cuts together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from faceage_bio.core.columns import FACE_AGE, FACE_AGE_SD, PRECISION_ERROR, holds_age, other_age
from faceage_bio.core.settings.settings_photos import FaceAge
from faceage_bio.faces.faceage.photo_rules import first_level, judge
from faceage_bio.faces.faceage.store import CONTENT
from faceage_bio.faces.vision.decode import Decoded, DecodeError, decode_photo
from faceage_bio.faces.vision.detect import Detector, Face, in_batches
from faceage_bio.faces.vision.face_input import (
    FaceInput,
    crop_face,
    cut_face,
    input_of,
    jittered_boxes,
    moved,
)
from faceage_bio.faces.vision.models import FaceAgeModel, load_model
from faceage_bio.faces.vision.photo_measures import (
    measure_crop,
    measure_defects,
    measure_face,
    perceptual_hash,
    pixel_hash,
    upright_and_turned,
)

PIXELS_AT_ONCE = 8_000_000  # of photos in memory; a larger photo is there alone
PLAUSIBLE = (-20.0, 150.0)  # years; newborns may come out below 0


class FaceDetector(Protocol):
    """What inference needs of a detector; see `vision.detect.Detector`."""

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Face]]: ...

    def log_odds(self, crops: np.ndarray) -> np.ndarray: ...


@dataclass(frozen=True)
class Tools:
    """The networks, made once on a device, and what they are to do. The first model gives the face ages."""

    detector: FaceDetector
    models: tuple[FaceAgeModel, ...]
    settings: FaceAge

    @property
    def inputs(self) -> list[FaceInput]:
        """What each model is fed."""
        return [input_of(model.card) for model in self.models]


def load_tools(folders: Sequence[Path | str], device: str, settings: FaceAge) -> Tools:
    """The detector and the models of these folders on a device.

    Raises
    ------
    WeightsError
        See `vision.models.load_model`.
    """
    first, *others = folders
    models = (load_model(first, device, settings.precision), *(load_model(one, device) for one in others))
    return Tools(Detector(device, first_level(settings)), models, settings)


@dataclass
class Examined:
    """What is known of a photo, and the crops to age (none if it is excluded, or without a model).

    ``crops``: of the first model, the face's own, then jittered ones. ``others``: of each further model, None
    if it cannot be cut.
    """

    row: dict
    crops: list[np.ndarray]
    others: list[np.ndarray | None] = field(default_factory=list)


def examine(paths: Iterable[Path | None], tools: Tools) -> list[Examined]:
    """Everything about photos except their age; a path is None for one outside the photo folder."""
    return examine_images(map(_read, paths), tools)


def _read(path: Path | None) -> Examined | Decoded:
    if path is None:
        return excluded({}, "outside_folder")
    try:
        return decode_photo(path)
    except DecodeError as error:
        return excluded({CONTENT: error.content_hash}, error.reason)


def examine_images(photos: Iterable[Decoded | Examined], tools: Tools) -> list[Examined]:
    """Everything about decoded photos except their age, some of them at a time; those already examined stay as they are."""
    found: list[Examined] = []
    some: list[Decoded | Examined] = []
    pixels = 0
    for photo in photos:
        some.append(photo)
        pixels += photo.width * photo.height if isinstance(photo, Decoded) else 0
        if pixels >= PIXELS_AT_ONCE:
            found += _examine_together(some, tools)
            some, pixels = [], 0
    return found + _examine_together(some, tools)


def _examine_together(photos: Sequence[Decoded | Examined], tools: Tools) -> list[Examined]:
    decoded = [photo for photo in photos if isinstance(photo, Decoded)]
    faces = tools.detector.detect([photo.image for photo in decoded])
    inputs = tools.inputs
    cuts = [cut_photo(*both, inputs, tools.settings) for both in zip(decoded, faces, strict=True)]
    judged = iter(judge_cuts(cuts, tools))
    return [next(judged) if isinstance(photo, Decoded) else photo for photo in photos]


@dataclass
class Cut:
    """A photo whose face is measured and cut, and is yet to be judged; ``upright_and_turned`` is empty where it is excluded."""

    photo: Examined
    upright_and_turned: list[np.ndarray] = field(default_factory=list)


def cut_photo(photo: Decoded, faces: Sequence[Face], inputs: Sequence[FaceInput], settings: FaceAge) -> Cut:
    """Choose, measure and cut the face of one photo, as each model wants it; uses no network."""
    of_file = ("width", "height", "orientation", "colour_mode", "corrupt_data", CONTENT)
    known = {name: getattr(photo, name) for name in of_file}
    known |= {"pixel_hash": pixel_hash(photo.image), "perceptual_hash": perceptual_hash(photo.image)}
    likely = [face for face in faces if face.probability >= settings.min_probability]
    known["n_faces"] = len(likely)
    if not faces:
        return Cut(excluded(known, "no_face"))
    face = choose_face(likely or faces, settings.face_choice)
    known |= measure_face(face, photo.width, photo.height)
    if not likely:
        return Cut(excluded(known, "low_probability"))
    box = face.box if settings.box_mode == "clip" else face.unclipped_box
    try:
        crop = crop_face(photo.image, box, settings.box_mode, settings.resize)
    except ValueError:
        return Cut(excluded(known, "face_outside_frame"))
    known |= measure_crop(crop)
    if crop.min() == crop.max():
        return Cut(excluded(known, "flat_crop"))
    if settings.face_choice == "only" and len(likely) > 1:
        return Cut(excluded(known, "multiple_faces"))
    known |= measure_defects(photo.image, face, crop)
    cut = {how: _cut(photo.image, box, box, face, how, settings) for how in inputs}
    own: list[np.ndarray] = []
    if inputs and cut[inputs[0]] is not None:
        boxes = jittered_boxes(box, settings.jitters)
        jittered = [_cut(photo.image, one, box, face, inputs[0], settings) for one in boxes]
        mirrored = [
            one if place % 2 else one[:, ::-1] for place, one in enumerate(jittered) if one is not None
        ]
        own = [cut[inputs[0]], *mirrored]
    return Cut(Examined(known, own, [cut[how] for how in inputs[1:]]), upright_and_turned(crop))


def judge_cuts(cuts: Sequence[Cut], tools: Tools) -> list[Examined]:
    """What becomes of photos by the rules; those that are excluded lose their crops. Asks the detector once for all."""
    faces = [cut for cut in cuts if cut.upright_and_turned]
    if faces:
        views = np.stack([view for cut in faces for view in cut.upright_and_turned])
        turned = np.diff(tools.detector.log_odds(views).reshape(-1, 2))[:, 0]
        for cut, difference in zip(faces, turned, strict=True):
            photo = cut.photo
            photo.row["upside_down"] = float(difference)
            photo.row |= judge(photo.row, tools.settings.quality)
            if photo.row["status"] == "excluded" or not tools.models:
                cut.photo = Examined(photo.row, [])
            elif not photo.crops:
                cut.photo = excluded(photo.row, "flat_crop")
    return [cut.photo for cut in cuts]


def _cut(image: np.ndarray, box, own_box, face: Face, how: FaceInput, settings: FaceAge) -> np.ndarray | None:
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


def add_ages(photos: Sequence[Examined], tools: Tools, compare_precision: bool = False) -> None:
    """Put the ages into the rows of all photos that have crops; a photo without a plausible age is excluded.

    A further model that gives no plausible age leaves its column empty and a flag. With ``compare_precision``
    the row also says by how much the short precision is off.
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
            known = {name: value for name, value in photo.row.items() if not holds_age(name)}
            photo.row = excluded(known, "implausible_age").row


def _plausible(age: float) -> bool:
    return bool(PLAUSIBLE[0] <= age <= PLAUSIBLE[1])


def _predict(model: FaceAgeModel, crops: np.ndarray, batch_size: int) -> np.ndarray:
    return np.concatenate(in_batches(model.predict, crops, batch_size))
