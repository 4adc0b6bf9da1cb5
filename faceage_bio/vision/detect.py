"""Face detection as the FaceAge study did it: the MTCNN networks of facenet-pytorch, the steps of mtcnn 0.1.1.

The three networks and their weights are the same in both packages; the steps around them are not, and facenet-pytorch's
own move the first box by 5 pixels in the median. Zhang et al. 2016, doi:10.1109/LSP.2016.2603342.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch

PNET_SIZE, RNET_SIZE, ONET_SIZE = 12, 24, 48  # pixels, the networks' fields of view
PNET_STRIDE = 2
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
    x_unclipped: int
    y_unclipped: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(x, y, width, height) as detector 0.1.1 gives it: cut at the left and upper border."""
        return self.x, self.y, self.width, self.height

    @property
    def unclipped_box(self) -> tuple[int, int, int, int]:
        """(x, y, width, height) as detector 0.1.0 and older gave it: x and y may be negative."""
        right, bottom = self.x + self.width, self.y + self.height
        return self.x_unclipped, self.y_unclipped, right - self.x_unclipped, bottom - self.y_unclipped


class Detector:
    """The three networks on one device, made once and used for all photos.

    Parameters
    ----------
    device : str
        "cpu" or "cuda".
    min_face_size : int
        Pixels; smaller faces are not looked for. The study used 20.
    """

    def __init__(self, device: str = "cpu", min_face_size: int = 20) -> None:
        from facenet_pytorch.models.mtcnn import ONet, PNet, RNet

        self.device = torch.device(device)
        self.min_face_size = min_face_size
        # P-net sees whole photos, where channels-last convolutions are faster
        self.pnet = PNet().eval().to(self.device, memory_format=torch.channels_last)
        self.rnet = RNet().eval().to(self.device)
        self.onet = ONet().eval().to(self.device)

    @torch.inference_mode()
    def detect(self, image: np.ndarray) -> list[Face]:
        """All faces of a photo, highest probability first.

        Parameters
        ----------
        image : uint8 array, shape (height, width, 3), RGB
        """
        boxes = self._propose(image)
        if len(boxes):
            boxes = self._refine(image, boxes)
        return self._output(image, boxes) if len(boxes) else []

    def _propose(self, image: np.ndarray) -> np.ndarray:
        """P-net over the pyramid: squares (x1, y1, x2, y2) with whole numbers, shape (n, 4)."""
        found = []
        for scale in pyramid(*image.shape[:2], self.min_face_size):
            height, width = (int(np.ceil(side * scale)) for side in image.shape[:2])
            level = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)  # stays 8-bit, rounded
            shifts, probabilities = self.pnet(self._tensor(level[None], channels_last=True))
            found.append(_candidates(probabilities[0, 1].cpu().numpy(), shifts[0].cpu().numpy(), scale))
        candidates = np.concatenate(found) if found else np.empty((0, 9))
        if not len(candidates):
            return np.empty((0, 4))
        candidates = candidates[suppress(candidates[:, :5], OVERLAP)]
        corners, shifts = candidates[:, :4], candidates[:, 5:]
        sides = np.tile(corners[:, 2:] - corners[:, :2], 2)  # without the pixel that counts elsewhere
        return np.fix(square(corners + shifts * sides))

    def _refine(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """R-net on the squares: better squares, shape (m, 4)."""
        shifts, probabilities = self.rnet(self._tensor(patches(image, boxes, RNET_SIZE)))
        scores, shifts = probabilities[:, 1].cpu().numpy(), shifts.cpu().numpy()
        kept = np.flatnonzero(scores > THRESHOLDS[1])
        boxes = np.column_stack([boxes[kept], scores[kept]])
        order = suppress(boxes, OVERLAP)
        # the fourth stage of truncation: whole pixels again before the last network
        return np.fix(square(shift(boxes[order, :4], shifts[kept][order])))

    def _output(self, image: np.ndarray, boxes: np.ndarray) -> list[Face]:
        """O-net on the squares: the faces."""
        shifts, points, probabilities = self.onet(self._tensor(patches(image, boxes, ONET_SIZE)))
        scores = probabilities[:, 1].cpu().numpy()
        kept = np.flatnonzero(scores > THRESHOLDS[2])
        squares, scores = boxes[kept], scores[kept]
        points = points.cpu().numpy()[kept].reshape(-1, 2, 5)
        sides = (squares[:, 2:] - squares[:, :2] + 1)[:, :, None]
        landmarks = sides * points + squares[:, :2, None] - 1
        corners = shift(squares, shifts.cpu().numpy()[kept])
        faces = []
        for index in suppress(np.column_stack([corners, scores]), OVERLAP, of_smaller=True):
            x1, y1, x2, y2 = corners[index]
            x, y = max(0, int(x1)), max(0, int(y1))
            faces.append(
                Face(
                    x=x, y=y, width=int(x2 - x), height=int(y2 - y), probability=float(scores[index]),
                    landmarks=tuple((int(px), int(py)) for px, py in landmarks[index].T),
                    x_unclipped=int(x1), y_unclipped=int(y1),
                )
            )  # fmt: skip
        return faces

    def _tensor(self, pixels: np.ndarray, channels_last: bool = False) -> torch.Tensor:
        """(n, height, width, 3) from 0 to 255 -> (n, 3, height, width) from -1 to 1."""
        scaled = torch.from_numpy(((pixels - 127.5) * 0.0078125).astype(np.float32)).to(self.device)
        planes = scaled.permute(0, 3, 1, 2)
        return planes if channels_last else planes.contiguous()


def pyramid(height: int, width: int, min_face_size: int = 20) -> list[float]:
    """Scales at which P-net looks, from the one where the smallest face fills its field of view."""
    scales = []
    scale = PNET_SIZE / min_face_size
    side = min(height, width) * scale
    while side >= PNET_SIZE:
        scales.append(PNET_SIZE / min_face_size * SCALE_FACTOR ** len(scales))
        side *= SCALE_FACTOR
    return scales


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
    x1, y1, x2, y2, score = boxes.T
    area = (x2 - x1 + 1) * (y2 - y1 + 1)
    left = np.argsort(score)
    kept = []
    while len(left):
        best, left = left[-1], left[:-1]
        kept.append(best)
        width = np.maximum(0, np.minimum(x2[best], x2[left]) - np.maximum(x1[best], x1[left]) + 1)
        height = np.maximum(0, np.minimum(y2[best], y2[left]) - np.maximum(y1[best], y1[left]) + 1)
        common = width * height
        whole = np.minimum(area[best], area[left]) if of_smaller else area[best] + area[left] - common
        left = left[common / whole <= threshold]
    return np.array(kept, dtype=np.intp)


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


def patches(image: np.ndarray, boxes: np.ndarray, size: int) -> np.ndarray:
    """Cut whole-numbered boxes out of a photo, zeros where they leave it, scaled to ``size``.

    Returns
    -------
    float64 array, shape (n, size, size, 3)
        0 to 255, not rounded.
    """
    height, width = image.shape[:2]
    result = np.empty((len(boxes), size, size, 3))
    for index, (x1, y1, x2, y2) in enumerate(boxes.astype(int)):
        patch = np.zeros((y2 - y1 + 1, x2 - x1 + 1, 3))
        # box coordinates count from 1
        top, left = max(y1, 1), max(x1, 1)
        inside = image[top - 1 : min(y2, height), left - 1 : min(x2, width)]
        if inside.size:
            patch[top - y1 : top - y1 + inside.shape[0], left - x1 : left - x1 + inside.shape[1]] = inside
        result[index] = cv2.resize(patch, (size, size), interpolation=cv2.INTER_AREA)
    return result
