"""Work in batches that become smaller where the GPU has not memory enough."""

from collections.abc import Callable
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
