"""Face detection as the FaceAge study did it: the MTCNN networks of facenet-pytorch, the steps of mtcnn 0.1.1.

The three networks and their weights are the same in both packages; the steps around them are not, and facenet-pytorch's
own move the first box by 5 pixels in the median. Zhang et al. 2016, doi:10.1109/LSP.2016.2603342.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import torch

from faceage_bio.faces.vision.batches import in_batches
from faceage_bio.faces.vision.boxes import shift, square, suppress
from faceage_bio.faces.vision.pixels import Pixels, to_network

PNET_SIZE, RNET_SIZE, ONET_SIZE = 12, 24, 48  # pixels, the networks' fields of view
PNET_STRIDE = 2
PNET_BAND = (
    80_000  # pixels of a pyramid level that go through P-net at once: its answers then stay in the cache
)
PATCHES_AT_ONCE = 1024
MIN_FACE = 20  # pixels, the study's setting
SCALE_FACTOR = 0.709  # from one level of the pyramid to the next
THRESHOLDS = (0.6, 0.7, 0.7)  # face probability kept after P-, R- and O-net
OVERLAP_IN_SCALE, OVERLAP = 0.5, 0.7


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
    """

    def __init__(self, device: str = "cpu", first_level: int = 0) -> None:
        from facenet_pytorch.models.mtcnn import ONet, PNet, RNet

        self.device = torch.device(device)
        self.first_level = first_level
        self.pnet, self.rnet, self.onet = (
            network().eval().to(self.device, memory_format=torch.channels_last)
            for network in (PNet, RNet, ONet)
        )

    def detect(self, image: np.ndarray) -> list[Face]:
        """All faces of a photo, highest probability first. A photo too large for the GPU's memory is done on the CPU.

        Parameters
        ----------
        image : uint8 array, shape (height, width, 3), RGB
        """
        try:
            return self._detect(image)
        except torch.cuda.OutOfMemoryError:
            if self.device.type == "cpu":
                raise
        torch.cuda.empty_cache()
        return self._on_cpu.detect(image)

    @torch.inference_mode()
    def log_odds(self, crops: np.ndarray) -> np.ndarray:
        """Log odds by O-net that each crop is a face: float64 of shape (n,) for uint8 crops of shape (n, side, side, 3)."""
        small = np.stack(
            [cv2.resize(crop, (ONET_SIZE, ONET_SIZE), interpolation=cv2.INTER_AREA) for crop in crops]
        )
        inputs = to_network(torch.from_numpy(small).permute(0, 3, 1, 2).to(self.device))
        probability = self.onet(inputs)[2][:, 1].double().clamp(1e-9, 1 - 1e-9)
        return torch.logit(probability).cpu().numpy()

    @cached_property
    def _on_cpu(self) -> "Detector":
        return Detector("cpu", self.first_level)

    @torch.inference_mode()
    def _detect(self, image: np.ndarray) -> list[Face]:
        pixels = Pixels(image, self.device)
        boxes = self._propose(pixels)
        if len(boxes):
            boxes = self._refine(pixels, boxes)
        return self._output(pixels, boxes) if len(boxes) else []

    def _propose(self, pixels: Pixels) -> np.ndarray:
        """P-net over the pyramid: squares (x1, y1, x2, y2) with whole numbers, shape (n, 4)."""
        scales = pyramid(pixels.height, pixels.width)[self.first_level :]
        maps = [self._slide(pixels.level(scale)) for scale in scales]
        found = [
            _candidates(one[0].cpu().numpy(), one[1:].cpu().numpy(), scale)
            for one, scale in zip(maps, scales, strict=True)
        ]
        candidates = np.concatenate(found) if found else np.empty((0, 9))
        if not len(candidates):
            return np.empty((0, 4))
        candidates = candidates[suppress(candidates[:, :5], OVERLAP)]
        corners, shifts = candidates[:, :4], candidates[:, 5:]
        sides = np.tile(corners[:, 2:] - corners[:, :2], 2)  # without the pixel that counts elsewhere
        return np.fix(square(corners + shifts * sides))

    def _slide(self, level: torch.Tensor) -> torch.Tensor:
        """P-net at every second pixel: probability and four shifts, shape (5, rows, columns).

        Large levels go through in bands that share the 10 pixels which the network looks ahead; the answers are the same,
        and memory stays bounded.
        """
        height, width = level.shape[2:]
        rows = (height - PNET_SIZE + PNET_STRIDE) // PNET_STRIDE + (
            height % PNET_STRIDE
        )  # its pooling rounds up
        band = max(8, PNET_BAND // width)
        answers = []
        for start in range(0, rows, band):
            last = start + band >= rows
            end = height if last else PNET_STRIDE * (start + band) + PNET_SIZE - PNET_STRIDE
            shifts, probabilities = self.pnet(level[:, :, PNET_STRIDE * start : end])
            answers.append(torch.cat([probabilities[0, 1:], shifts[0]]))
        return torch.cat(answers, dim=1)

    def _refine(self, pixels: Pixels, boxes: np.ndarray) -> np.ndarray:
        """R-net on the squares: better squares, shape (m, 4)."""
        shifts, probabilities = self._judge(self.rnet, pixels, boxes, RNET_SIZE)
        scores = probabilities[:, 1]
        kept = np.flatnonzero(scores > THRESHOLDS[1])
        boxes = np.column_stack([boxes[kept], scores[kept]])
        order = suppress(boxes, OVERLAP)
        # whole pixels again before the last network
        return np.fix(square(shift(boxes[order, :4], shifts[kept][order])))

    def _output(self, pixels: Pixels, boxes: np.ndarray) -> list[Face]:
        """O-net on the squares: the faces."""
        shifts, points, probabilities = self._judge(self.onet, pixels, boxes, ONET_SIZE)
        scores = probabilities[:, 1]
        kept = np.flatnonzero(scores > THRESHOLDS[2])
        squares, scores = boxes[kept], scores[kept]
        points = points[kept].reshape(-1, 2, 5)
        sides = (squares[:, 2:] - squares[:, :2] + 1)[:, :, None]
        landmarks = sides * points + squares[:, :2, None] - 1
        corners = shift(squares, shifts[kept])
        faces = []
        for index in suppress(np.column_stack([corners, scores]), OVERLAP, of_smaller=True):
            x1, y1, x2, y2 = corners[index]
            x, y = max(0, int(x1)), max(0, int(y1))
            faces.append(
                Face(
                    x=x, y=y, width=int(x2 - x), height=int(y2 - y), probability=float(scores[index]),
                    landmarks=tuple((int(px), int(py)) for px, py in landmarks[index].T),
                    unclipped_box=(int(x1), int(y1), int(x2 - x1), int(y2 - y1)),
                )
            )  # fmt: skip
        return faces

    def _judge(
        self, network: torch.nn.Module, pixels: Pixels, boxes: np.ndarray, size: int
    ) -> list[np.ndarray]:
        """A network's answers for all boxes, in batches that the memory holds."""
        answers = in_batches(lambda part: network(pixels.patches(part, size)), boxes, PATCHES_AT_ONCE)
        return [torch.cat(parts).cpu().numpy() for parts in zip(*answers, strict=True)]


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


def _candidates(probability: np.ndarray, shifts: np.ndarray, scale: float) -> np.ndarray:
    """P-net's map as rows x1, y1, x2, y2, probability, four shifts; overlapping ones of this level suppressed."""
    # column by column, since the published detector works on the transposed map and ties follow its order
    x, y = np.nonzero(THRESHOLDS[0] <= probability.T)
    if len(x) == 1:
        # published quirk: with a single candidate the shifts are read from the map mirrored along x
        shifts = shifts[:, :, ::-1]
    corner = PNET_STRIDE * np.column_stack([x, y])
    rows = np.column_stack(
        [
            np.fix((corner + 1) / scale),
            np.fix((corner + PNET_SIZE) / scale),
            probability[y, x],
            shifts[:, y, x].T,
        ]
    )
    return rows[suppress(rows[:, :5], OVERLAP_IN_SCALE)]
