"""Arithmetic of face boxes with inclusive pixels, as the study's detector does it."""

import numpy as np


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
