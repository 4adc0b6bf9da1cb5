"""Portraits drawn by code: no real person, but wrinkles, grey hair and tired lids that follow a drawn age.

Each sign of age has a jitter of its own, so that none is the label and a model must weigh many.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

WIDTH, HEIGHT = 320, 400
SIGN_JITTER = 9.0  # years, of each sign of age on its own
SIGNS = (
    "grey", "forehead", "crow", "nasolabial", "marionette", "bags", "jowl", "lids", "lips", "brows", "recession",
    "spots", "roughness", "sallow", "hollow",
)  # fmt: skip
EVERYWHERE = slice(None)
INVISIBLE = 1e-12  # of a mask: it changes no byte of a picture
_Y, _X = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)


@dataclass(frozen=True)
class Portrait:
    """Everything the pencil needs; lengths in pixels, signs of age from 0 (none) to 1."""

    male: bool
    signs: dict[str, float]
    tone: float  # of the skin, 0 light to 1 dark
    skin: np.ndarray
    hair: np.ndarray
    iris: np.ndarray
    background: np.ndarray
    centre: tuple[float, float]
    size: tuple[float, float]
    yaw: float
    light: float
    glasses: bool
    beard: float
    hair_length: float
    smile: float
    seed: int


def imagine(age: float, male: bool, seed: int) -> Portrait:
    """A person who looks ``age`` years old."""
    random = np.random.default_rng([seed, 77])
    signs = {name: float(np.clip((age + random.normal(0, SIGN_JITTER) - 20) / 72, 0, 1)) for name in SIGNS}
    tone = random.beta(2, 2.6)
    skin = np.array([236, 196, 172]) * (1 - tone) + np.array([116, 78, 58]) * tone + random.normal(0, 4, 3)
    hair_colours = np.array([[38, 30, 26], [74, 50, 34], [122, 86, 52], [168, 132, 82], [120, 58, 34]])
    hair = hair_colours[random.choice(5, p=[0.34, 0.3, 0.18, 0.12, 0.06]) if tone < 0.6 else 0]
    irises = np.array([[84, 56, 36], [70, 88, 70], [88, 112, 136], [54, 38, 28]])
    return Portrait(
        male=male,
        signs=signs,
        tone=tone,
        skin=skin,
        hair=hair + random.normal(0, 6, 3),
        iris=irises[random.integers(4)],
        background=random.uniform(110, 225) + random.normal(0, 12, 3),
        centre=(160 + random.normal(0, 6), 205 + random.normal(0, 7)),
        size=(random.normal(80 if male else 75, 3.5), random.normal(106, 4)),
        yaw=float(np.clip(random.normal(0, 0.06), -0.12, 0.12)),
        light=random.uniform(-0.6, 0.6),
        glasses=bool(random.random() < 0.12 + 0.3 * signs["lids"]),
        beard=float(random.random() < 0.3) * random.uniform(0.3, 0.8) if male else 0.0,
        hair_length=random.uniform(0, 0.35) if male else random.uniform(0.35, 1),
        smile=random.normal(0.25, 0.35),
        seed=seed,
    )


def another_day(portrait: Portrait, visit: int) -> Portrait:
    """The same person before another wall, in another light, held and smiling otherwise."""
    random = np.random.default_rng([portrait.seed, 79, visit])
    return replace(
        portrait,
        background=random.uniform(110, 225) + random.normal(0, 12, 3),
        centre=(160 + random.normal(0, 9), 205 + random.normal(0, 9)),
        yaw=float(np.clip(random.normal(0, 0.06), -0.12, 0.12)),
        light=random.uniform(-0.6, 0.6),
        smile=random.normal(0.25, 0.35),
    )


def draw(portrait: Portrait) -> np.ndarray:
    """The portrait as uint8 RGB pixels of shape (400, 320, 3)."""
    random = np.random.default_rng([portrait.seed, 78])
    picture = _background(portrait)
    picture = _neck_and_hair_behind(picture, portrait)
    picture = _face(picture, portrait, random)
    for feature in (_lines, _mouth, _nose, _eyes, _brows, _hair_in_front, _glasses):
        picture = feature(picture, portrait, random)
    grain = random.normal(0, 2.2, picture.shape).astype(np.float32)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def _blob(x: float, y: float, width: float, height: float, columns: slice = EVERYWHERE) -> np.ndarray:
    across = np.exp(-0.5 * ((_X[0, columns] - x) / width) ** 2)
    down = np.exp(-0.5 * ((_Y[:, 0] - y) / height) ** 2)
    return np.outer(down, across)


def _disc(
    x: float, y: float, width: float, height: float, soft: float = 0.04, columns: slice = EVERYWHERE
) -> np.ndarray:
    radius = np.sqrt(((_X[:, columns] - x) / width) ** 2 + ((_Y[:, columns] - y) / height) ** 2)
    return 1 / (1 + np.exp(np.clip((radius - 1) / soft, -30, 30)))


def _mix(picture: np.ndarray, colour: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture, itself changed where the mask is: most masks are of a small part of it."""
    there = mask > INVISIBLE
    rows, columns = np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))
    if not len(rows):
        return picture
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    colour = np.asarray(colour, dtype=np.float32)
    colour = colour[part] if colour.ndim == 3 else colour
    mixed = picture[part] + (colour - picture[part]) * mask[part][..., None]
    picture = picture.astype(mixed.dtype, copy=False)
    picture[part] = mixed
    return picture


def _drawn(strokes: list[tuple[list[tuple[float, float]], float, float]], blur: float) -> np.ndarray:
    """Polylines (points, width, strength) as a soft mask."""
    layer = Image.new("L", (WIDTH * 2, HEIGHT * 2))
    pencil = ImageDraw.Draw(layer)
    for points, width, strength in strokes:
        if strength > 0.01:
            scaled = [(2 * x, 2 * y) for x, y in points]
            pencil.line(
                scaled, fill=int(255 * min(strength, 1)), width=max(1, round(2 * width)), joint="curve"
            )
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.float32)
    if drawn := layer.getbbox():
        margin = 2 * math.ceil(5 * blur + 4)  # of the blur, which reaches a good three standard deviations
        left, top = (max(0, edge - margin) // 2 for edge in drawn[:2])
        right, bottom = (
            min(size, (edge + margin) // 2 + 1) for edge, size in zip(drawn[2:], (WIDTH, HEIGHT), strict=True)
        )
        layer = layer.crop((2 * left, 2 * top, 2 * right, 2 * bottom))
        layer = layer.filter(ImageFilter.GaussianBlur(2 * blur)).resize(
            (right - left, bottom - top), Image.Resampling.BILINEAR
        )
        mask[top:bottom, left:right] = np.asarray(layer, dtype=np.float32) / 255
    return mask


def _curve(
    start: tuple[float, float], bend: tuple[float, float], end: tuple[float, float]
) -> list[tuple[float, float]]:
    t = np.linspace(0, 1, 14)[:, None]
    points = (1 - t) ** 2 * np.array(start) + 2 * t * (1 - t) * np.array(bend) + t**2 * np.array(end)
    return [(float(x), float(y)) for x, y in points]


def _place(portrait: Portrait, across: float, down: float) -> tuple[float, float]:
    """A place on the face, from -1 to 1 across and down; turning the head moves its middle."""
    (x, y), (width, height) = portrait.centre, portrait.size
    turn = portrait.yaw * width * np.sqrt(max(0.0, 1 - across**2))
    return x + across * width + turn, y + down * height


def _hair_colour(portrait: Portrait, more: float = 0.0) -> np.ndarray:
    grey = np.clip(portrait.signs["grey"] * 1.35 - 0.3 + more, 0, 1)
    return portrait.hair * (1 - grey) + np.array([206, 205, 202]) * grey


def _background(portrait: Portrait) -> np.ndarray:
    slope = (_X / WIDTH - 0.5) * 26 * portrait.light - (_Y / HEIGHT - 0.5) * 24
    return (portrait.background.astype(np.float32) + slope[..., None]).astype(np.float32)


def _neck_and_hair_behind(picture: np.ndarray, portrait: Portrait) -> np.ndarray:
    (x, y), (width, height) = portrait.centre, portrait.size
    long = portrait.hair_length
    if long > 0.3:
        mask = _disc(x, y - 8 + 60 * long, width * (1.16 + 0.08 * long), height * (1.02 + 0.42 * long), 0.03)
        picture = _mix(picture, _hair_colour(portrait) * 0.72, mask)
    neck = _disc(x, y + height * 1.02, width * (0.62 if portrait.male else 0.52), height * 0.62, 0.05)
    picture = _mix(picture, portrait.skin * 0.74, neck)
    shirt = np.array([70, 84, 112]) if portrait.seed % 3 else np.array([128, 92, 88])
    return _mix(
        picture,
        shirt * (0.7 + 0.2 * (portrait.seed % 2)),
        _disc(x, y + height * 2.02, width * 1.95, height * 0.72, 0.03),
    )


def _face(picture: np.ndarray, portrait: Portrait, random: np.random.Generator) -> np.ndarray:
    """Skin: an ellipsoid with brow, cheeks, sockets and chin, lit from one side."""
    (x, y), (width, height), signs = portrait.centre, portrait.size, portrait.signs
    jowl = 1 + (0.16 * signs["jowl"] - 0.04) * np.clip((_Y - y - 0.25 * height) / (0.6 * height), 0, 1)
    across, down = (_X - x) / (width * jowl), (_Y - y) / height
    across = across * (1 + 0.2 * np.clip(down - 0.2, 0, 1) ** 2 * (1.3 - signs["jowl"]))  # the chin narrows
    radius = across**2 + down**2
    depth = 62 * np.sqrt(np.clip(1 - radius, 0, 1))
    for side in (-1, 1):
        depth -= (7 + 3 * signs["hollow"]) * _blob(*_place(portrait, 0.42 * side, -0.16), 15, 11)
        depth += (6 - 3 * signs["hollow"]) * _blob(*_place(portrait, 0.5 * side, 0.2), 17, 17)
        depth -= 6 * signs["hollow"] * _blob(*_place(portrait, 0.58 * side, 0.45), 13, 17)
        depth += 5 * signs["jowl"] * _blob(*_place(portrait, 0.55 * side, 0.75), 12, 10)
        depth += 2.5 * signs["bags"] * _blob(*_place(portrait, 0.42 * side, -0.02), 11, 5)
    depth += 15 * _blob(*_place(portrait, 0, 0.1), 9, 25) + 6 * _blob(*_place(portrait, 0, 0.24), 13, 8)
    depth += 5 * _blob(*_place(portrait, 0, 0.82), 15, 10)
    coarse = random.normal(0, 1, (HEIGHT // 8, WIDTH // 8))
    patchy = np.asarray(
        Image.fromarray(coarse.astype(np.float32)).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    )
    fine = random.normal(0, 1, (HEIGHT // 2, WIDTH // 2)).astype(np.float32)
    rough = np.asarray(Image.fromarray(fine).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR))
    slope_y, slope_x = np.gradient(depth + 0.3 * signs["roughness"] * rough)
    steep = np.sqrt(1 + slope_x**2 + slope_y**2)
    shine = (1 - portrait.light * slope_x * 0.8 - 0.45 * slope_y) / steep
    shade = np.clip(0.5 + 0.52 * shine, 0.32, 1.12)
    skin = portrait.skin * (1 - 0.1 * signs["sallow"]) + np.array([8, 4, -10]) * signs["sallow"]
    colour = skin.astype(np.float32) * shade[..., None]
    colour += (patchy * (1.5 + 4 * signs["spots"]))[..., None] * np.array([0.6, 1, 1], dtype=np.float32)
    for side in (-1, 1):  # young cheeks are red
        colour += ((1 - signs["sallow"]) * 13 * _blob(*_place(portrait, 0.52 * side, 0.22), 17, 14))[
            ..., None
        ] * np.array([1, -0.1, 0])
    for _ in range(int(14 * max(0, signs["spots"] - 0.35))):
        spot = _blob(
            *_place(portrait, random.uniform(-0.75, 0.75), random.uniform(-0.75, 0.6)),
            *random.uniform(1.2, 2.8, 2),
        )
        colour -= spot[..., None] * random.uniform(18, 42) * np.array([0.7, 1, 1.1])
    if portrait.beard:
        chin = np.clip(
            _disc(*_place(portrait, 0, 0.72), width * 0.78, height * 0.42, 0.12)
            - _disc(*_place(portrait, 0, 0.5), width * 0.34, height * 0.06, 0.2),
            0,
            1,
        )
        colour = _mix(
            colour,
            _hair_colour(portrait, 0.15) * (0.85 + 0.1 * rough[..., None]),
            portrait.beard * chin * 0.75,
        )
    mask = 1 / (1 + np.exp(np.clip((np.sqrt(radius) - 1) / 0.018, -30, 30)))
    for side in (-1, 1):
        ear = _disc(x + side * width * 1.0, y + 4, 9, 20, 0.1)
        picture = _mix(picture, portrait.skin * 0.78, ear * (portrait.hair_length < 0.6))
    return picture + (colour - picture) * mask[..., None]


def _lines(picture: np.ndarray, portrait: Portrait, random: np.random.Generator) -> np.ndarray:
    """Wrinkles, folds and bags."""
    signs = portrait.signs

    def at(across: float, down: float) -> tuple[float, float]:
        return _place(portrait, across, down)

    strokes = []
    for number, level in enumerate((-0.66, -0.57, -0.48, -0.40)):
        strength = np.clip(signs["forehead"] * 1.5 - 0.35 - 0.12 * number, 0, 0.9)
        wave = random.normal(0, 0.012)
        strokes.append(
            (_curve(at(-0.46, level + wave), at(0, level - 0.05), at(0.46, level - wave)), 1.3, strength)
        )
    for side in (-1, 1):
        for spread in (-0.07, 0.0, 0.07):
            strokes.append(
                (
                    _curve(
                        at(0.66 * side, -0.15 + 0.4 * spread),
                        at(0.76 * side, -0.15 + spread),
                        at(0.86 * side, -0.15 + 1.6 * spread),
                    ),
                    1.1,
                    np.clip(signs["crow"] * 1.5 - 0.4, 0, 0.9),
                )
            )
        strokes.append(
            (
                _curve(at(0.2 * side, 0.22), at(0.38 * side, 0.32), at(0.42 * side, 0.52)),
                1.7,
                np.clip(signs["nasolabial"] * 1.15 - 0.1, 0, 0.9),
            )
        )
        strokes.append(
            (
                _curve(at(0.36 * side, 0.56), at(0.41 * side, 0.64), at(0.4 * side, 0.78)),
                1.5,
                np.clip(signs["marionette"] * 1.4 - 0.4, 0, 0.9),
            )
        )
        strokes.append(
            (
                _curve(at(0.22 * side, -0.02), at(0.42 * side, 0.08), at(0.62 * side, -0.03)),
                1.5,
                np.clip(signs["bags"] * 1.25 - 0.25, 0, 0.9),
            )
        )
        strokes.append(
            (
                _curve(at(0.08 * side, -0.36), at(0.07 * side, -0.3), at(0.09 * side, -0.24)),
                1.3,
                np.clip(signs["forehead"] * 1.1 - 0.4, 0, 0.7),
            )
        )
    picture = _mix(picture, portrait.skin * 0.46, 0.75 * _drawn(strokes, 0.7))
    shadows = [(points, width * 3.4, strength * 0.6) for points, width, strength in strokes]
    return _mix(picture, portrait.skin * 0.6, 0.4 * _drawn(shadows, 2.4))


def _mouth(picture: np.ndarray, portrait: Portrait, random: np.random.Generator) -> np.ndarray:
    full = 6.6 * (1 - 0.62 * portrait.signs["lips"]) * (0.85 if portrait.male else 1.1)
    (x, y), half = _place(portrait, 0, 0.5), 25 + 3 * portrait.smile
    lift = 5 * portrait.smile - 3.5 * portrait.signs["marionette"]
    colour = portrait.skin * np.array([0.78, 0.52, 0.52]) * (1.06 if not portrait.male else 1.0)
    bent = _Y + lift * ((_X - x) / half) ** 2
    within = np.clip(1 - ((_X - x) / half) ** 2, 0, 1)
    upper = np.clip((bent - (y - full * within)) / 1.6, 0, 1) * np.clip((y - bent) / 1.2 + 0.5, 0, 1)
    lower = np.clip((bent - y) / 1.2 + 0.5, 0, 1) * np.clip((y + 1.35 * full * within - bent) / 2.2, 0, 1)
    picture = _mix(picture, colour * 0.86, upper * (within > 0))
    picture = _mix(picture, colour * 1.04, lower * (within > 0))
    slit = np.exp(-0.5 * ((bent - y) / 1.3) ** 2) * np.clip(within * 6, 0, 1)
    return _mix(picture, colour * 0.34, 0.85 * slit)


def _nose(picture: np.ndarray, portrait: Portrait, random: np.random.Generator) -> np.ndarray:
    shade = portrait.skin * 0.5
    for side in (-1, 1):
        picture = _mix(picture, shade * 0.66, 0.8 * _blob(*_place(portrait, 0.105 * side, 0.275), 4.2, 2.6))
        picture = _mix(picture, shade * 1.15, 0.5 * _blob(*_place(portrait, 0.2 * side, 0.25), 2.6, 6))
    picture = _mix(picture, shade * 1.2, 0.32 * _blob(*_place(portrait, 0, 0.305), 13, 3))
    return _mix(picture, portrait.skin * 1.12, 0.4 * _blob(*_place(portrait, 0.0, 0.2), 4, 7))


def _eyes(picture: np.ndarray, portrait: Portrait, random: np.random.Generator) -> np.ndarray:
    open_ = 6.4 * (1 - 0.42 * portrait.signs["lids"])
    for side in (-1, 1):
        x, y = _place(portrait, 0.42 * side, -0.14)
        picture = _mix(picture, portrait.skin * 0.62, 0.5 * _blob(x, y - 2, 17, 10))
        half = 15.0
        columns = slice(int(x - half), int(x + half) + 2)  # beyond them there is nothing of the eye
        across, down = _X[:, columns], _Y[:, columns]
        arch = np.clip(1 - ((across - x) / half) ** 2, 0, 1)
        upper, lower = y - open_ * arch, y + open_ * 0.8 * arch
        within = np.clip((down - upper) / 1.1, 0, 1) * np.clip((lower - down) / 1.1, 0, 1) * (arch > 0)
        white = np.array([226, 222, 216]) - 26 * portrait.signs["sallow"] * np.array([0.6, 0.8, 1.3])
        gaze = x + 3 * portrait.yaw * 10
        iris = within * _disc(gaze, y - 0.5, 6.6, 6.6, 0.08, columns)
        pupil = within * _disc(gaze, y - 0.5, 3.0, 3.0, 0.12, columns)
        gleam = 0.9 * within * _blob(gaze + 2, y - 2.6, 1.1, 1.1, columns)
        lash = np.exp(-0.5 * ((down - upper) / 1.3) ** 2) * np.clip(arch * 5, 0, 1)
        rim = np.exp(-0.5 * ((down - lower) / 1.0) ** 2) * np.clip(arch * 5, 0, 1)
        fold = np.exp(-0.5 * ((down - upper + 4.5 - 3 * portrait.signs["lids"]) / 1.2) ** 2)
        fold *= np.clip(arch * 4, 0, 1)
        for colour, mask in (
            (white, within),
            (portrait.iris * 0.9, iris),
            (np.array([14, 12, 12]), pupil),
            (np.array([250, 250, 250]), gleam),
            (np.array([34, 26, 24]), (0.75 if portrait.male else 0.95) * lash),
            (portrait.skin * 0.5, 0.5 * rim),
            (portrait.skin * 0.5, 0.55 * fold),
        ):
            picture[:, columns] = _mix(picture[:, columns], colour, mask)
    return picture


def _brows(picture: np.ndarray, portrait: Portrait, random: np.random.Generator) -> np.ndarray:
    thick = (5.2 if portrait.male else 3.7) * (1 - 0.5 * portrait.signs["brows"])
    strokes = []
    for side in (-1, 1):
        drop = 0.04 * portrait.signs["lids"]
        points = _curve(
            _place(portrait, 0.17 * side, -0.29),
            _place(portrait, 0.45 * side, -0.4 + drop),
            _place(portrait, 0.69 * side, -0.26 + drop),
        )
        strokes.append((points, thick, 0.92))
    return _mix(picture, _hair_colour(portrait, -0.1) * 0.72, _drawn(strokes, 0.9))


def _hair_in_front(picture: np.ndarray, portrait: Portrait, random: np.random.Generator) -> np.ndarray:
    """Cap of hair above a line that recedes with age, more so in men."""
    (x, y), (width, height) = portrait.centre, portrait.size
    back = portrait.signs["recession"] * (0.34 if portrait.male else 0.12)
    cap = _disc(x, y - 0.24 * height, width * 1.13, height * 0.98, 0.025)
    bays = 0.14 * back * np.cos(np.clip((_X - x) / width, -1, 1) * 2 * np.pi) if portrait.male else 0
    line = (
        y
        - height * (0.7 + back * 0.75 + bays)
        + 0.32 * height * np.clip(np.abs((_X - x) / (width * 1.02)), 0, 1.2) ** 3.2
    )
    above = 1 / (1 + np.exp(np.clip((_Y - line) / 3.0, -30, 30)))
    sides = np.clip((np.abs(_X - x) / width - 0.93) / 0.06, 0, 1) * (
        y + height * (0.0 + 1.1 * portrait.hair_length - 0.1) > _Y
    )
    mask = cap * np.maximum(above, sides)
    if portrait.hair_length > 0.45:  # locks next to the face
        curtain = np.clip((np.abs(_X - x) / width - 0.9) / 0.08, 0, 1) * _disc(
            x, y + 30, width * 1.25, height * 1.15, 0.03
        )
        mask = np.maximum(mask, curtain * (y - 0.3 * height < _Y))
    thin = 1 - 0.35 * portrait.signs["recession"] * portrait.male
    strands = np.asarray(
        Image.fromarray(random.normal(0, 1, (10, WIDTH)).astype(np.float32)).resize(
            (WIDTH, HEIGHT), Image.Resampling.BICUBIC
        )
    )
    gloss = 1 + 0.12 * strands + 0.22 * _blob(x + 40 * portrait.light, y - height * 0.92, width * 0.7, 20)
    return (
        picture
        + (_hair_colour(portrait).astype(np.float32) * gloss[..., None] * 0.9 - picture)
        * (mask * thin)[..., None]
    )


def _glasses(picture: np.ndarray, portrait: Portrait, random: np.random.Generator) -> np.ndarray:
    if not portrait.glasses:
        return picture
    strokes = []
    for side in (-1, 1):
        x, y = _place(portrait, 0.43 * side, -0.11)
        ring = [(x + 23 * np.cos(t), y + 17 * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 30)]
        strokes += [(ring, 1.6, 0.8), ([(x + 22 * side, y - 4), (x + 42 * side, y - 8)], 1.6, 0.6)]
    left, right = _place(portrait, -0.43, -0.14), _place(portrait, 0.43, -0.14)
    strokes.append(
        (
            _curve(
                (left[0] + 22, left[1]), ((left[0] + right[0]) / 2, left[1] - 6), (right[0] - 22, right[1])
            ),
            1.8,
            0.8,
        )
    )
    return _mix(picture, np.array([48, 42, 44]), _drawn(strokes, 0.5))
