"""Work in batches: of photos of similar size, and smaller ones where the GPU has not memory enough."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch

Answer = TypeVar("Answer")


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
