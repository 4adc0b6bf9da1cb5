"""Arithmetic of face boxes with inclusive pixels, as the study's detector does it."""

import numpy as np
import torch
from torchvision.ops import nms


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
