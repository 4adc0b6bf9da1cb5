"""Face detection as the FaceAge study did it: the MTCNN networks of facenet-pytorch, the steps of mtcnn 0.1.1.

The three networks and their weights are the same in both packages; the steps around them are not, and
facenet-pytorch's own move the first box by 5 pixels in the median. Zhang et al. 2016,
doi:10.1109/LSP.2016.2603342.

Photos of similar size go through each network together. Between the networks, boxes come back to the
processor once for all photos of a batch, where overlapping ones are dropped photo by photo.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress as suppress_error
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torchvision.ops import nms

from faceage_bio.faces.vision.pixels import Pixels, to_network

PNET_SIZE, RNET_SIZE, ONET_SIZE = 12, 24, 48  # pixels, the networks' fields of view
PNET_STRIDE = 2
Answer = TypeVar("Answer")
MIN_FACE = 20  # pixels, the study's setting
SCALE_FACTOR = 0.709  # from one level of the pyramid to the next
THRESHOLDS = (0.6, 0.7, 0.7)  # face probability kept after P-, R- and O-net
LIKELY = float(np.log(0.6 / 0.4)) - 0.001  # log odds of the first of them, with room for rounding
OVERLAP_IN_SCALE, OVERLAP = 0.5, 0.7


class Cascade:
    """P-, R- and O-net on a device.

    Parameters
    ----------
    device : torch.device
    gpu : bool
        Compute as a GPU wants it. On a CPU, PyTorch chooses slow ways for single photos and few channels:
        others give the same answers in two thirds of the time.
    """

    def __init__(self, device: torch.device, gpu: bool) -> None:
        from facenet_pytorch.models.mtcnn import ONet, PNet, RNet

        self.gpu = gpu
        self.pnet, self.rnet, self.onet = (
            network().eval().to(device, memory_format=torch.channels_last) for network in (PNet, RNet, ONet)
        )
        faces, shifts = self.pnet.conv4_1, self.pnet.conv4_2
        heads = nn.Conv2d(32, 6, 1)
        heads.weight.data = torch.cat([faces.weight, shifts.weight]).detach()
        heads.bias.data = torch.cat([faces.bias, shifts.bias]).detach()
        self.heads = heads.to(device, memory_format=torch.channels_last)

    def propose(self, levels: torch.Tensor, outside: torch.Tensor | None = None) -> torch.Tensor:
        """P-net at every second pixel: two log odds (no face, face) and four shifts, shape (n, rows, columns, 6).

        Parameters
        ----------
        levels : float32 tensor, shape (n, 3, height, width)
        outside : bool tensor, shape (n, 1, height - 2, width - 2)
            Where the first layer's field of view leaves a photo that is smaller than others of its batch.
            Pooling looks ahead by one pixel there, and would otherwise see what is beside the photo.
        """
        net = self.pnet
        x = net.prelu1(self._convolve(net.conv1, levels))
        if outside is not None:
            x = x.masked_fill_(outside, -torch.inf)
        x = net.prelu2(self._convolve(net.conv2, self._pool(x, 2)))
        x = net.prelu3(self._convolve(net.conv3, x))
        return self._convolve(self.heads, x).permute(0, 2, 3, 1)

    def refine(self, patches: torch.Tensor) -> torch.Tensor:
        """R-net: probability of a face and four shifts, shape (n, 5), for patches of shape (n, 3, 24, 24)."""
        net = self.rnet
        x = self._pool(net.prelu1(self._convolve(net.conv1, patches)), 3)
        x = self._pool(net.prelu2(self._convolve(net.conv2, x)), 3)
        x = net.prelu3(self._convolve(net.conv3, x))
        x = net.prelu4(net.dense4(x.permute(0, 3, 2, 1).flatten(1)))
        return torch.cat([probability(net.dense5_1(x)), net.dense5_2(x)], dim=1)

    def output(self, patches: torch.Tensor) -> torch.Tensor:
        """O-net: probability, four shifts, five x and five y of landmarks, shape (n, 15), for patches of shape (n, 3, 48, 48)."""
        net = self.onet
        x = self._pool(net.prelu1(self._convolve(net.conv1, patches)), 3)
        x = self._pool(net.prelu2(self._convolve(net.conv2, x)), 3)
        x = self._pool(net.prelu3(self._convolve(net.conv3, x)), 2)
        x = net.prelu4(self._convolve(net.conv4, x))
        x = net.prelu5(net.dense5(x.permute(0, 3, 2, 1).flatten(1)))
        return torch.cat([probability(net.dense6_1(x)), net.dense6_2(x), net.dense6_3(x)], dim=1)

    def _convolve(self, layer: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
        if self.gpu or not torch.backends.mkldnn.is_available():
            return layer(x)
        # PyTorch itself takes a slower library for single small pictures and for 1 x 1 pixel
        return torch.mkldnn_convolution(x, layer.weight, layer.bias, (0, 0), (1, 1), (1, 1), 1)

    def _pool(self, x: torch.Tensor, size: int) -> torch.Tensor:
        """Maxima of windows two pixels apart, the last one cut off where it leaves the picture."""
        if self.gpu:
            return functional.max_pool2d(x, size, 2, ceil_mode=True)
        for dim in (2, 3):  # PyTorch's own notes where each maximum lay, and is four times slower on a CPU
            n = -(-(x.shape[dim] - size) // 2) + 1
            every = x.unfold(dim, 1, 2).squeeze(-1)
            best = every.narrow(dim, 0, n)
            for ahead in range(1, size):
                rest = x.narrow(dim, ahead, x.shape[dim] - ahead).unfold(dim, 1, 2).squeeze(-1)
                rest = rest.narrow(dim, 0, min(n, rest.shape[dim]))
                short = n - rest.shape[dim]
                whole = torch.maximum(best.narrow(dim, 0, n - short), rest)
                best = torch.cat([whole, best.narrow(dim, n - short, short)], dim) if short else whole
            x = best
        return x


def map_size(side):
    """P-net's answers along a side of so many pixels (a number or an array of them); its pooling rounds up."""
    return (side - 1) // 2 - 4


def probability(log_odds: torch.Tensor) -> torch.Tensor:
    """Of a face, shape (n, 1), from the log odds of none and one, shape (n, 2)."""
    return log_odds.softmax(dim=1)[:, 1:]


def suppress(boxes: np.ndarray, threshold: float, of_smaller: bool = False) -> np.ndarray:
    """Non-maximum suppression with inclusive pixels: indices of the boxes kept, highest score first.

    Parameters
    ----------
    boxes : float array, shape (n, 5)
        x1, y1, x2, y2, score.
    threshold : float
        Boxes that overlap a better one by more than this are dropped.
    of_smaller : bool
        The overlap is a share of the smaller box instead of the union.
    """
    order = np.argsort(boxes[:, 4])[::-1]  # ties as NumPy has them, which the published detector sorts with
    corners = boxes[order, :4] + (0, 0, 1, 1)  # the pixel at the end belongs to the box
    if of_smaller:
        return order[_outside_better(corners, threshold)]
    ranks = np.arange(len(order), 0, -1, dtype=np.float64)
    return order[nms(torch.from_numpy(corners), torch.from_numpy(ranks), threshold).numpy()]


def _outside_better(corners: np.ndarray, threshold: float) -> list[int]:
    """Places of boxes that no better one, which stand before them, overlaps by more than a share of the smaller."""
    starts, ends = corners[:, :2], corners[:, 2:]
    area = (ends - starts).prod(axis=1)
    kept: list[int] = []
    for place in range(len(corners)):
        sides = np.minimum(ends[place], ends[kept]) - np.maximum(starts[place], starts[kept])
        common = np.maximum(0, sides).prod(axis=1)
        if (common <= threshold * np.minimum(area[place], area[kept])).all():
            kept.append(place)
    return kept


def square(corners: np.ndarray) -> np.ndarray:
    """Grow boxes (n, 4) to squares about their centres."""
    sides = corners[:, 2:] - corners[:, :2]
    longest = sides.max(axis=1, keepdims=True)
    start = corners[:, :2] + sides * 0.5 - longest * 0.5
    return np.concatenate([start, start + longest], axis=1)


def shift(corners: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Move the corners of boxes (n, 4) by shifts given as shares of their sides."""
    sides = np.tile(corners[:, 2:] - corners[:, :2] + 1, 2)
    return corners + shifts * sides


def in_batches(function: Callable[[np.ndarray], Answer], rows: np.ndarray, batch_size: int) -> list[Answer]:
    """The function's answers for consecutive parts of ``rows``; a part is halved as long as the GPU runs out of memory.

    Raises
    ------
    torch.cuda.OutOfMemoryError
        Not even a single row fits.
    """
    answers: list[Answer] = []
    start = 0
    while start < len(rows):
        batch_size = min(batch_size, len(rows) - start)
        try:
            answers.append(function(rows[start : start + batch_size]))
        except torch.cuda.OutOfMemoryError:
            if batch_size == 1:
                raise
            batch_size //= 2
            torch.cuda.empty_cache()
            continue
        start += batch_size
    return answers


def similar_sizes(sizes: Sequence[tuple[int, int]], most_pixels: int, padding: float) -> list[list[int]]:
    """Batches of photos that waste little when all are padded to the largest height and width among them.

    Parameters
    ----------
    sizes : (height, width) of each photo
    most_pixels : int
        Of a batch, padding included; a larger photo is a batch of its own.
    padding : float
        Pixels that are none of a photo, at most, as a share of the photos' own.

    Returns
    -------
    list of lists
        Places in ``sizes``, each once.
    """
    batches: list[list[int]] = []
    own = height = width = 0
    for place in sorted(range(len(sizes)), key=sizes.__getitem__):
        rows, columns = sizes[place]
        height, width, own = max(height, rows), max(width, columns), own + rows * columns
        padded = (len(batches[-1]) + 1) * height * width if batches else 0
        if batches and padded <= min(most_pixels, (1 + padding) * own):
            batches[-1].append(place)
        else:
            batches.append([place])
            height, width, own = rows, columns, rows * columns
    return batches


@dataclass(frozen=True)
class Limits:
    """How much is computed at once.

    ``photo_pixels``: of all photos of a batch, padding included; ``padding``: at most, as a share of the
    photos' own pixels; ``level_pixels``: of levels that go through P-net; ``patches``: that go through R- and
    O-net.
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
        Levels of the pyramid that are left out at its large end: 0 looks for faces from 20 pixels on, as the
        study did, and each further level from 1.41 times as many, at half the work. See `first_level_for`.
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

        Photos of similar size are computed together, and while one batch is computed the next is on its way
        to the device. A batch too large for the GPU's memory is halved; a single photo that is too large is
        done on the CPU.

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

        Large levels go through in bands that share the 10 pixels which the network looks ahead; the answers
        are the same, and memory stays bounded.
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
        Photo, number of the level, x1, y1, x2, y2, probability, four shifts. Photo by photo, level by level,
        column by column, since the published detector works on the transposed map and ties follow its order.
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

    One level is kept below the one whose smallest face is ``face_pixels``, since the best box of a face may
    come from it.
    """
    return max(0, int(np.floor(np.log(MIN_FACE / face_pixels) / np.log(SCALE_FACTOR))) - 1)
