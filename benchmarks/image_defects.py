"""How many unsuitable portraits the quality rules find, and how many good ones they flag.

    python -m benchmarks.image_defects FOLDER [--half table]

Each portrait of a folder is made bad in every way below and goes the whole way from file to rules; nothing is written. The
portraits are halved by turns in the order of their names: thresholds were chosen on the half "thresholds", for which
the measures are printed; the table in docs/photos.md is the other half's.
"""

import argparse
import io
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageDraw

from benchmarks.photos import ENDINGS
from faceage_bio.core.settings.settings_photos import FaceAge
from faceage_bio.faces.faceage.photo import Tools, examine
from faceage_bio.faces.faceage.stress import expose
from faceage_bio.faces.vision.detect import Detector, Face

NEW = (
    "small_face_area", "low_confidence", "high_sharpness", "uniform_area", "pixelated", "swapped_channels", "dark_eyes", "upside_down", "corrupt_data", "colour_mode",
)  # fmt: skip
FINE = 4  # times as many pixels for what is drawn
MEASURES = (
    "probability",
    "sharpness",
    "uniform_area",
    "blockiness",
    "red_minus_blue",
    "eye_brightness",
    "upside_down",
)


# ---------------------------------------------------------------- files


def jpeg(image: np.ndarray, quality: int = 90, mode: str = "RGB") -> bytes:
    """A JPEG as phones and programs write it."""
    return saved(Image.fromarray(image).convert(mode), "JPEG", quality=quality)


def saved(image: Image.Image, kind: str, **options) -> bytes:
    """The bytes of a file."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def overwrite(content: bytes, random: bool, seed: int) -> bytes:
    """40 bytes of a JPEG's scan replaced, by noise or by zeros."""
    noise = np.random.default_rng(seed)
    begin = content.rindex(b"\xff\xda") + 20
    place = int(noise.integers(begin, len(content) - 60))
    new = noise.integers(0, 256, 40, np.uint8).tobytes() if random else bytes(40)
    return content[:place] + new + content[place + 40 :]


# ---------------------------------------------------------------- changed pixels


def at(face: Face, across: float, down: float) -> tuple[float, float]:
    """A place from the middle between the eyes, in distances of the eyes."""
    (left, y1), (right, y2) = face.landmarks[:2]
    distance = right - left
    return (left + right) / 2 + across * distance, (y1 + y2) / 2 + down * distance


def draw(
    image: np.ndarray, face: Face, pen: Callable[[ImageDraw.ImageDraw, Face], None], opacity: float = 1.0
) -> np.ndarray:
    """What a pen draws over a copy of the photo, with smooth edges."""
    fine = Image.new("RGBA", (FINE * image.shape[1], FINE * image.shape[0]))
    larger = replace(
        face, width=FINE * face.width, landmarks=tuple((FINE * x, FINE * y) for x, y in face.landmarks)
    )
    pen(ImageDraw.Draw(fine), larger)
    layer = fine.resize((image.shape[1], image.shape[0]), Image.Resampling.BOX)
    layer.putalpha(layer.getchannel("A").point(lambda alpha: round(alpha * opacity)))
    return np.asarray(Image.alpha_composite(Image.fromarray(image).convert("RGBA"), layer).convert("RGB"))


def bar(image: np.ndarray, face: Face, colour: str = "black", height: float = 0.45) -> np.ndarray:
    """A bar over both eyes."""
    return draw(
        image,
        face,
        lambda pen, face: pen.rectangle(
            [at(face, -1.1, -height / 2), at(face, 1.1, height / 2)], fill=colour
        ),
    )


def pixelate(image: np.ndarray, face: Face, blocks: int, whole: bool = True) -> np.ndarray:
    """The photo or the face alone in squares, so many of them across the face."""
    side = max(2, round(min(face.width, face.height) / blocks))
    height, width = image.shape[:2]
    small = cv2.resize(image, (max(1, width // side), max(1, height // side)), interpolation=cv2.INTER_AREA)
    squares = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    if whole:
        return squares
    part = (slice(face.y, face.y + face.height), slice(face.x, face.x + face.width))
    changed = image.copy()
    changed[part] = squares[part]
    return changed


def lose_lower_half(image: np.ndarray, face: Face) -> np.ndarray:
    """Grey from the tip of the nose down, as in a photo that was cut off in transfer."""
    changed = image.copy()
    changed[face.landmarks[2][1] :] = 128
    return changed


def cover_mouth(image: np.ndarray, face: Face) -> np.ndarray:
    """A grey rectangle over the mouth."""
    return draw(
        image,
        face,
        lambda pen, face: pen.rectangle([at(face, -0.7, 0.8), at(face, 0.7, 1.5)], fill=(128, 128, 128)),
    )


def pencil(image: np.ndarray, face: Face) -> np.ndarray:
    """A pencil filter: colour dodge over a blurred negative."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    light = cv2.GaussianBlur(255 - grey, (0, 0), 0.03 * face.width)
    return np.repeat(cv2.divide(grey, 255 - light, scale=256)[:, :, None], 3, axis=2)


def fax(image: np.ndarray) -> Image.Image:
    """Black and white dots."""
    return Image.fromarray(image).convert("1")


def far_away(image: np.ndarray, face: Face) -> np.ndarray:
    """The portrait on a wall six times as wide and high, with some noise."""
    height, width = image.shape[:2]
    wall = np.random.default_rng(1).normal(150, 4, (height * 6, width * 6, 3))
    wall = np.clip(wall, 0, 255).astype(np.uint8)
    wall[height : 2 * height, width : 2 * width] = image
    return wall


def put_on_mask(image: np.ndarray, face: Face) -> np.ndarray:
    """A light blue surgical mask with three folds and its bands."""

    def pen(one: ImageDraw.ImageDraw, face: Face) -> None:
        edge = [
            at(face, *place)
            for place in ((-0.95, 0.75), (0, 0.4), (0.95, 0.75), (0.8, 1.55), (0, 1.95), (-0.8, 1.55))
        ]
        one.polygon(edge, fill=(164, 196, 214))
        for down in (0.85, 1.1, 1.35):
            one.line(
                [at(face, -0.88, down), at(face, 0, down + 0.1), at(face, 0.88, down)],
                fill=(132, 164, 186),
                width=FINE,
            )
        for side in (-1, 1):
            one.line(
                [at(face, 0.92 * side, 0.8), at(face, 1.35 * side, 0.3)], fill=(230, 235, 238), width=2 * FINE
            )

    return draw(image, face, pen)


def lenses(face: Face) -> list[list[tuple[float, float]]]:
    """Corners of the ellipses that a pair of glasses has."""
    return [[at(face, side * 0.5 - 0.4, -0.28), at(face, side * 0.5 + 0.4, 0.34)] for side in (-1, 1)]


def put_on_sunglasses(image: np.ndarray, face: Face) -> np.ndarray:
    """Nearly black lenses with a frame."""

    def pen(one: ImageDraw.ImageDraw, face: Face) -> None:
        for lens in lenses(face):
            one.ellipse(lens, fill=(18, 16, 20))
        one.line([at(face, -0.15, -0.05), at(face, 0.15, -0.05)], fill=(18, 16, 20), width=3 * FINE)

    return draw(image, face, pen, 0.92)


def put_on_glasses(image: np.ndarray, face: Face) -> np.ndarray:
    """Thick black frames, and glare on one lens."""

    def pen(one: ImageDraw.ImageDraw, face: Face) -> None:
        width = round(face.width / 35)
        for lens in lenses(face):
            one.ellipse(lens, outline=(20, 20, 24), width=width)
        for ends in (
            ((-0.12, -0.05), (0.12, -0.05)),
            ((-0.9, -0.05), (-1.4, -0.1)),
            ((0.9, -0.05), (1.4, -0.1)),
        ):
            one.line([at(face, *end) for end in ends], fill=(20, 20, 24), width=width)
        one.ellipse([at(face, 0.3, -0.2), at(face, 0.5, 0.0)], fill=(250, 250, 250))

    return draw(image, face, pen)


def put_on_headscarf(image: np.ndarray, face: Face) -> np.ndarray:
    """A plain black scarf over hair, forehead, ears and chin, with nothing of its folds to see."""
    height, width = image.shape[:2]
    mask = Image.new("L", (width, height))
    pen = ImageDraw.Draw(mask)
    pen.ellipse([at(face, -1.75, -1.9), at(face, 1.75, 2.6)], fill=255)
    pen.ellipse([at(face, -1.05, -0.75), at(face, 1.05, 1.75)], fill=0)
    changed = image.copy()
    changed[np.asarray(mask) > 0] = (26, 24, 28)
    return changed


def put_on_cannula(image: np.ndarray, face: Face) -> np.ndarray:
    """A clear tube from both ears to the nostrils."""

    def pen(one: ImageDraw.ImageDraw, face: Face) -> None:
        ways = [
            [at(face, 1.2 * side, 0.35), at(face, 0.6 * side, 0.72), at(face, 0.12 * side, 0.66)]
            for side in (-1, 1)
        ]
        for way in ways:
            one.line(way, fill=(214, 228, 224), width=round(face.width / 30), joint="curve")

    return draw(image, face, pen, 0.7)


# ---------------------------------------------------------------- what is tried


@dataclass(frozen=True)
class Change:
    """A way to change a portrait: its name, the rule that should flag it ("" for none), and the file it becomes."""

    name: str
    rule: str
    file: Callable[[np.ndarray, Face, int], bytes]


def pixels(change: Callable[..., np.ndarray], *options: object) -> Callable[[np.ndarray, Face, int], bytes]:
    """A change of pixels, as a JPEG."""
    return lambda image, face, seed: jpeg(change(image, face, *options))


CHANGES = (
    Change("as it is", "", lambda image, face, seed: jpeg(image, 95)),
    Change("glasses", "", pixels(put_on_glasses)),
    Change("headscarf", "", pixels(put_on_headscarf)),
    Change("nasal cannula", "", pixels(put_on_cannula)),
    Change("grey", "", lambda image, face, seed: jpeg(image, mode="L")),
    Change("two stops darker", "", lambda image, face, seed: jpeg(expose(image, -2, face))),
    Change("one stop lighter", "", lambda image, face, seed: jpeg(expose(image, 1, face))),
    Change("JPEG of quality 30", "", lambda image, face, seed: jpeg(image, 30)),
    Change("three times enlarged", "", lambda image, face, seed: jpeg(cv2.resize(image, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC))),
    Change("black bar over the eyes", "uniform_area", pixels(bar)),
    Change("white bar over the eyes", "uniform_area", pixels(bar, "white")),
    Change("narrow black bar", "uniform_area", pixels(bar, "black", 0.28)),
    Change("grey block over the mouth", "uniform_area", pixels(cover_mouth)),
    Change("lower half grey", "uniform_area", pixels(lose_lower_half)),
    Change("pixelated, 8 blocks a face", "pixelated", pixels(pixelate, 8)),
    Change("pixelated, 12 blocks a face", "pixelated", pixels(pixelate, 12)),
    Change("pixelated, 20 blocks a face", "pixelated", pixels(pixelate, 20)),
    Change("face alone pixelated, 12 blocks", "pixelated", pixels(pixelate, 12, False)),
    Change("fax, as a JPEG", "high_sharpness", lambda image, face, seed: jpeg(np.asarray(fax(image).convert("RGB")))),
    Change("fax, 1-bit TIFF", "colour_mode", lambda image, face, seed: saved(fax(image), "TIFF", compression="group4")),
    Change("pencil filter", "high_sharpness", pixels(pencil)),
    Change("palette of 32 colours (GIF)", "colour_mode", lambda image, face, seed: saved(Image.fromarray(image).quantize(32), "GIF")),
    Change("CMYK JPEG", "colour_mode", lambda image, face, seed: jpeg(image, mode="CMYK")),
    Change("red and blue swapped", "swapped_channels", lambda image, face, seed: jpeg(image[:, :, ::-1])),
    Change("upside down", "upside_down", lambda image, face, seed: jpeg(image[::-1, ::-1])),
    Change("40 bytes overwritten by noise", "corrupt_data", lambda image, face, seed: overwrite(jpeg(image), True, seed)),
    Change("40 bytes overwritten by zeros", "corrupt_data", lambda image, face, seed: overwrite(jpeg(image), False, seed)),
    Change("face in 1% of the frame", "small_face_area", pixels(far_away)),
    Change("surgical mask", "uniform_area", pixels(put_on_mask)),
    Change("sunglasses", "dark_eyes", pixels(put_on_sunglasses)),
)  # fmt: skip


def examine_all(path: Path) -> list[dict]:
    """The rows of one portrait changed in every way; runs in a worker process."""
    torch.set_num_threads(1)
    tools = Tools(Detector(), (), FaceAge())
    image = np.asarray(Image.open(path).convert("RGB"))
    coloured = bool(np.ptp(image, axis=2).mean() > 3)
    faces = tools.detector.detect([image])[0]
    rows = []
    with TemporaryDirectory() as folder:
        for change in CHANGES if faces else ():
            if change.rule == "swapped_channels" and not coloured:
                continue
            file = Path(folder) / "photo"
            file.write_bytes(change.file(image, faces[0], sum(path.name.encode())))
            rows.append({"change": change.name} | examine([file], tools)[0].row)
    return rows


def defects_found(rows: pd.DataFrame) -> pd.DataFrame:
    """For each defect: portraits, without a face or excluded, flagged by its rule, by another one alone, passed."""
    lines = []
    for change in (one for one in CHANGES if one.rule):
        mine = rows[rows["change"] == change.name]
        flags = mine["flags"].str.split(";").where(mine["status"] == "flagged", "")
        own = flags.map(lambda names, rule=change.rule: rule in names)
        lines.append({
            "defect": change.name, "portraits": len(mine), "no face, or excluded": int((mine["status"] == "excluded").sum()), "flagged by": f"`{change.rule}`: {own.sum()}",
            "by another rule alone": int(((mine["status"] == "flagged") & ~own).sum()), "passed": int((mine["status"] == "ok").sum()),
        })  # fmt: skip
    return pd.DataFrame(lines)


def false_flags(rows: pd.DataFrame) -> pd.DataFrame:
    """For each harmless change: portraits, excluded, flagged by the bound on probability alone, flagged by another new rule."""
    lines = []
    for change in (one for one in CHANGES if not one.rule):
        mine = rows[rows["change"] == change.name]
        kept = mine[mine["status"] != "excluded"]
        caught = kept["flags"].str.split(";").map(lambda names: set(names) & set(NEW))
        lines.append({
            "portrait": change.name, "portraits": len(mine), "excluded": len(mine) - len(kept),
            "`low_confidence` alone": int((caught == {"low_confidence"}).sum()), "another new rule": int(caught.map(lambda names: bool(names - {"low_confidence"})).sum()),
        })  # fmt: skip
    return pd.DataFrame(lines)


def markdown(table: pd.DataFrame) -> str:
    """A table as the docs hold it."""
    rows = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


def main() -> None:
    """Print both tables of one half; for the half of the thresholds, the measures as well."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path, help="Portraits, one face in each.")
    parser.add_argument("--half", choices=["thresholds", "table"], default="table")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    paths = sorted(path for path in given.folder.iterdir() if path.suffix.lower() in ENDINGS)
    chosen = paths[given.half == "table" :: 2]
    with ProcessPoolExecutor(given.workers) as pool:
        rows = pd.DataFrame([row for found in pool.map(examine_all, chosen) for row in found])
    print(markdown(defects_found(rows)), markdown(false_flags(rows)), sep="\n\n")
    if given.half == "thresholds":
        order = [change.name for change in CHANGES]
        for name in MEASURES:
            spread = rows.groupby("change")[name].describe(percentiles=[0.05, 0.5, 0.95]).reindex(order)
            print(f"\n{name}\n{spread.drop(columns=['mean', 'std']).round(3).to_string()}")


if __name__ == "__main__":
    main()
