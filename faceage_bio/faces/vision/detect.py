"""Face detection as the FaceAge study did it: the MTCNN networks of facenet-pytorch, the steps of mtcnn 0.1.1.

The three networks and their weights are the same in both packages; the steps around them are not, and facenet-pytorch's
own move the first box by 5 pixels in the median. Zhang et al. 2016, doi:10.1109/LSP.2016.2603342.

Photos of similar size go through each network together. Between the networks, boxes come back to the processor once for all
photos of a batch, where overlapping ones are dropped photo by photo.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress as suppress_error
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import torch

from faceage_bio.faces.vision.batches import in_batches, similar_sizes
from faceage_bio.faces.vision.boxes import shift, square, suppress
from faceage_bio.faces.vision.cascade import (
    ONET_SIZE,
    PNET_SIZE,
    PNET_STRIDE,
    RNET_SIZE,
    Cascade,
    map_size,
    probability,
)
from faceage_bio.faces.vision.pixels import Pixels, to_network

MIN_FACE = 20  # pixels, the study's setting
SCALE_FACTOR = 0.709  # from one level of the pyramid to the next
THRESHOLDS = (0.6, 0.7, 0.7)  # face probability kept after P-, R- and O-net
LIKELY = float(np.log(0.6 / 0.4)) - 0.001  # log odds of the first of them, with room for rounding
OVERLAP_IN_SCALE, OVERLAP = 0.5, 0.7


@dataclass(frozen=True)
class Limits:
    """How much is computed at once.

    ``photo_pixels``: of all photos of a batch, padding included; ``padding``: at most, as a share of the photos' own pixels;
    ``level_pixels``: of levels that go through P-net; ``patches``: that go through R- and O-net.
    """

    photo_pixels: int
    padding: float
    level_pixels: int
    patches: int


# what a CPU computes at once stays in its cache, and it pays for padding; a GPU has memory and waits for each call
CPU = Limits(photo_pixels=2_000_000, padding=0.0, level_pixels=60_000, patches=128)
GPU = Limits(photo_pixels=40_000_000, padding=0.25, level_pixels=40_000_000, patches=16_384)


@dataclass(frozen=True)
class Face:
    """One detected face: integer box in pixels, probability, five landmarks (x, y).

    ``x`` and ``y`` are not below 0; the box may end outside the photo on the right and below.
    """

    x: int
    y: int
    width: int
    height: int
    probability: float
    landmarks: tuple[tuple[int, int], ...]
    unclipped_box: tuple[int, int, int, int]
    """(x, y, width, height) as detector 0.1.0 and older gave it: x and y may be negative, and sides are rounded otherwise."""

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(x, y, width, height) as detector 0.1.1 gives it: cut at the left and upper border."""
        return self.x, self.y, self.width, self.height


class Detector:
    """The three networks on one device, made once and used for all photos.

    Parameters
    ----------
    device : str
        "cpu" or "cuda".
    first_level : int
        Levels of the pyramid that are left out at its large end: 0 looks for faces from 20 pixels on, as the study did,
        and each further level from 1.41 times as many, at half the work. See `first_level_for`.
    gpu : bool, optional
        Compute as a GPU wants it; by default on "cuda". The answers are the same.
    limits : Limits, optional
    """

    def __init__(
        self, device: str = "cpu", first_level: int = 0, gpu: bool | None = None, limits: Limits | None = None
    ) -> None:
        self.device = torch.device(device)
        self.first_level = first_level
        self.gpu = self.device.type != "cpu" if gpu is None else gpu
        self.limits = limits or (GPU if self.gpu else CPU)
        self.cascade = Cascade(self.device, self.gpu)
        self.copies = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        """All faces of each photo, highest probability first.

        Photos of similar size are computed together, and while one batch is computed the next is on its way to the device. A
        batch too large for the GPU's memory is halved; a single photo that is too large is done on the CPU.

        Parameters
        ----------
        images : uint8 arrays, shape (height, width, 3), RGB
        """
        sizes = [image.shape[:2] for image in images]
        batches = similar_sizes(sizes, self.limits.photo_pixels, self.limits.padding)
        found: list[list[Face]] = [[] for _ in images]
        for batch, pixels in self._loaded(images, batches):
            for place, faces in zip(batch, self._find(pixels), strict=True):
                found[place] = faces
        return found

    @torch.inference_mode()
    def log_odds(self, crops: np.ndarray) -> np.ndarray:
        """Log odds by O-net that each crop is a face: float64 of shape (n,) for uint8 crops as `onet_input` makes them."""
        inputs = to_network(torch.from_numpy(crops).permute(0, 3, 1, 2).to(self.device))
        found = self.cascade.output(inputs)[:, 0].double().clamp(1e-9, 1 - 1e-9)
        return torch.logit(found).cpu().numpy()

    def _loaded(
        self, images: Sequence[np.ndarray], batches: Sequence[list[int]]
    ) -> Iterator[tuple[list[int], Pixels]]:
        """Each batch with its photos, of which copies to the device start one batch ahead."""
        ahead = None
        for batch in batches:
            pixels = Pixels([images[place] for place in batch], self.device, self.gpu, self.copies)
            with suppress_error(torch.cuda.OutOfMemoryError):  # it is tried again when its turn has come
                pixels.start_upload()
            if ahead:
                yield ahead
            ahead = batch, pixels
        if ahead:
            yield ahead

    def _find(self, pixels: Pixels) -> list[list[Face]]:
        try:
            return self._faces(pixels)
        except torch.cuda.OutOfMemoryError:
            if self.device.type == "cpu":
                raise
        torch.cuda.empty_cache()
        images = pixels.images
        pixels.free()
        if len(images) == 1:
            return self._on_cpu.detect(images)
        halves = images[: len(images) // 2], images[len(images) // 2 :]
        return [
            faces for half in halves for faces in self._find(Pixels(half, self.device, self.gpu, self.copies))
        ]

    @cached_property
    def _on_cpu(self) -> "Detector":
        return Detector("cpu", self.first_level)

    @torch.inference_mode()
    def _faces(self, pixels: Pixels) -> list[list[Face]]:
        boxes = self._propose(pixels)
        if len(boxes):
            boxes = self._refine(pixels, boxes)
        found: list[list[Face]] = [[] for _ in pixels.images]
        if len(boxes):
            for photo, faces in self._output(pixels, boxes):
                found[photo] = faces
        return found

    def _propose(self, pixels: Pixels) -> np.ndarray:
        """P-net over the pyramid: squares with whole numbers, shape (n, 5): photo, x1, y1, x2, y2."""
        scales = [
            pyramid(height, width)[self.first_level :]
            for height, width in zip(pixels.heights, pixels.widths, strict=True)
        ]
        levels, maps = [], []
        for number, scale in enumerate(max(scales, key=len)):
            members = np.array([photo for photo, own in enumerate(scales) if number < len(own)])
            heights, widths = pixels.sizes(scale, members)
            answers = self._slide(pixels.level(scale, members), heights, widths)
            levels.append(_Level(scale, members, heights, widths, *answers.shape[1:3]))
            maps.append(answers.flatten(0, 2))
        if not maps:
            return np.empty((0, 5))
        candidates = _candidates(torch.cat(maps) if len(maps) > 1 else maps[0], levels)
        squares = [np.empty((0, 5))]
        for own in _split(candidates, 0):
            best = np.concatenate(
                [level[suppress(level[:, 2:7], OVERLAP_IN_SCALE)] for level in _split(own, 1)]
            )
            best = best[suppress(best[:, 2:7], OVERLAP)]
            corners, shifts = best[:, 2:6], best[:, 7:]
            sides = np.tile(corners[:, 2:] - corners[:, :2], 2)  # without the pixel that counts elsewhere
            squares.append(np.column_stack([best[:, 0], np.fix(square(corners + shifts * sides))]))
        return np.concatenate(squares)

    def _slide(self, level: torch.Tensor, heights: np.ndarray, widths: np.ndarray) -> torch.Tensor:
        """P-net's answers, shape (n, rows, columns, 6), for levels of these heights and widths.

        Large levels go through in bands that share the 10 pixels which the network looks ahead; the answers are the same,
        and memory stays bounded.
        """
        n, _, height, width = level.shape
        outside = None
        if (heights != height).any() or (widths != width).any():
            sizes = torch.from_numpy(np.stack([heights, widths]) - 2).to(level.device)[:, :, None, None]
            rows, columns = (torch.arange(side - 2, device=level.device) for side in (height, width))
            outside = ((rows[:, None] >= sizes[0]) | (columns >= sizes[1]))[:, None]
        photos = max(1, self.limits.level_pixels // (height * width))
        band = max(8, self.limits.level_pixels // width) if photos == 1 else height
        n_rows = map_size(height)
        if photos >= n and band >= n_rows:
            return self.cascade.propose(level, outside)
        answers = level.new_empty(n, n_rows, map_size(width), 6)
        for first in range(0, n, photos):
            some = slice(first, first + photos)
            for start in range(0, n_rows, band):
                last = start + band >= n_rows
                end = height if last else PNET_STRIDE * (start + band) + PNET_SIZE - PNET_STRIDE
                own = slice(PNET_STRIDE * start, end)
                beyond = None if outside is None else outside[some, :, own.start : end - 2]
                answers[some, start : start + band] = self.cascade.propose(level[some, :, own], beyond)
        return answers

    def _refine(self, pixels: Pixels, boxes: np.ndarray) -> np.ndarray:
        """R-net on the squares: better squares, shape (m, 5)."""
        answers = self._judge(self.cascade.refine, pixels, boxes, RNET_SIZE)
        kept = answers[:, 0] > THRESHOLDS[1]
        rows = np.column_stack([boxes, answers])[kept]
        best = [own[suppress(own[:, 1:6], OVERLAP)] for own in _split(rows, 0)]
        rows = np.concatenate(best) if best else rows
        # whole pixels again before the last network
        return np.column_stack([rows[:, 0], np.fix(square(shift(rows[:, 1:5], rows[:, 6:])))])

    def _output(self, pixels: Pixels, boxes: np.ndarray) -> Iterator[tuple[int, list[Face]]]:
        """O-net on the squares: photos with their faces."""
        answers = self._judge(self.cascade.output, pixels, boxes, ONET_SIZE)
        kept = answers[:, 0] > THRESHOLDS[2]
        for rows in _split(np.column_stack([boxes, answers])[kept], 0):
            squares, scores, shifts = rows[:, 1:5], rows[:, 5], rows[:, 6:10]
            sides = (squares[:, 2:] - squares[:, :2] + 1)[:, :, None]
            landmarks = sides * rows[:, 10:].reshape(-1, 2, 5) + squares[:, :2, None] - 1
            corners = shift(squares, shifts)
            best = suppress(np.column_stack([corners, scores]), OVERLAP, of_smaller=True)
            yield int(rows[0, 0]), [_face(corners[one], scores[one], landmarks[one]) for one in best]

    def _judge(
        self,
        network: Callable[[torch.Tensor], torch.Tensor],
        pixels: Pixels,
        boxes: np.ndarray,
        size: int,
    ) -> np.ndarray:
        """A network's answers for all boxes of all photos, in batches that the memory holds."""
        answers = in_batches(lambda part: network(pixels.patches(part, size)), boxes, self.limits.patches)
        return torch.cat(answers).cpu().numpy()


@dataclass(frozen=True)
class _Level:
    """A level of the pyramid: which photos have it, in which sizes, and P-net's rows and columns there, padding included."""

    scale: float
    photos: np.ndarray
    heights: np.ndarray
    widths: np.ndarray
    rows: int
    columns: int


def _candidates(maps: torch.Tensor, levels: Sequence[_Level]) -> np.ndarray:
    """Where P-net takes a pixel for a face, of all photos and levels.

    Parameters
    ----------
    maps : tensor, shape (n, 6)
        The answers level after level, in each photo after photo and row after row.

    Returns
    -------
    float64 array, shape (m, 11)
        Photo, number of the level, x1, y1, x2, y2, probability, four shifts. Photo by photo, level by level, column by column,
        since the published detector works on the transposed map and ties follow its order.
    """
    index = (maps[:, 1] - maps[:, 0] >= LIKELY).nonzero()[:, 0]
    some = maps[index]
    answers = torch.cat([index[:, None].double(), probability(some[:, :2]), some[:, 2:]], dim=1).cpu().numpy()
    where = answers[:, 0].astype(np.int64)
    begin = np.cumsum([0, *(len(one.photos) * one.rows * one.columns for one in levels)])
    number = np.searchsorted(begin, where, side="right") - 1
    rows, columns = (np.array([getattr(one, side) for one in levels])[number] for side in ("rows", "columns"))
    member, cell = np.divmod(where - begin[number], rows * columns)
    y, x = np.divmod(cell, columns)
    member += np.cumsum([0, *(len(one.photos) for one in levels)])[number]
    photo, height, width = (
        np.concatenate([getattr(one, of_each) for one in levels])[member]
        for of_each in ("photos", "heights", "widths")
    )
    inside = (y < map_size(height)) & (x < map_size(width))
    kept = np.flatnonzero(inside & (answers[:, 1] >= np.float32(THRESHOLDS[0])))
    kept = kept[np.lexsort((y[kept], x[kept], number[kept], photo[kept]))]
    photo, number, x, y, where, width = (one[kept] for one in (photo, number, x, y, where, width))
    answers = answers[kept]
    if len(kept):
        # published quirk: with a single candidate in a level the shifts are read from the map mirrored along x
        pairs = np.stack([photo, number])
        first = np.concatenate([[True], (pairs[:, 1:] != pairs[:, :-1]).any(axis=0)])
        alone = np.flatnonzero(first & np.concatenate([first[1:], [True]]))
        if len(alone):
            mirrored = where[alone] + map_size(width[alone]) - 1 - 2 * x[alone]
            there = torch.from_numpy(mirrored).to(maps.device)
            answers[alone, 2:] = maps[there, 2:].cpu().numpy()
    corner = PNET_STRIDE * np.column_stack([x, y])
    scale = np.array([one.scale for one in levels])[number][:, None]
    ends = np.fix((corner + 1) / scale), np.fix((corner + PNET_SIZE) / scale)
    return np.column_stack([photo, number, *ends, answers[:, 1:]])


def _split(rows: np.ndarray, column: int) -> list[np.ndarray]:
    """Rows in parts that have the same value in a column, by which they are in order."""
    if not len(rows):
        return []
    return np.split(rows, np.flatnonzero(np.diff(rows[:, column])) + 1)


def _face(corners: np.ndarray, score: float, landmarks: np.ndarray) -> Face:
    x1, y1, x2, y2 = corners
    x, y = max(0, int(x1)), max(0, int(y1))
    return Face(
        x=x, y=y, width=int(x2 - x), height=int(y2 - y), probability=float(score),
        landmarks=tuple((int(px), int(py)) for px, py in landmarks.T),
        unclipped_box=(int(x1), int(y1), int(x2 - x1), int(y2 - y1)),
    )  # fmt: skip


def onet_input(crop: np.ndarray) -> np.ndarray:
    """A uint8 crop of shape (side, side, 3) scaled to O-net's field of view."""
    return cv2.resize(crop, (ONET_SIZE, ONET_SIZE), interpolation=cv2.INTER_AREA)


def pyramid(height: int, width: int) -> list[float]:
    """Scales at which P-net looks, from the one where the smallest face fills its field of view."""
    scales = []
    side = min(height, width) * PNET_SIZE / MIN_FACE
    while side >= PNET_SIZE:
        scales.append(PNET_SIZE / MIN_FACE * SCALE_FACTOR ** len(scales))
        side *= SCALE_FACTOR
    return scales


def first_level_for(face_pixels: float) -> int:
    """The level of the pyramid from which on faces of at least this many pixels are found as from level 0.

    One level is kept below the one whose smallest face is ``face_pixels``, since the best box of a face may come from it.
    """
    return max(0, int(np.floor(np.log(MIN_FACE / face_pixels) / np.log(SCALE_FACTOR))) - 1)
