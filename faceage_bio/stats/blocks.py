"""Work on many genes in blocks that fit the processor's cache, on several cores."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

ELEMENTS = 150_000  # genes x samples of a block: its arrays stay in the cache, and memory stays small


def split(genes: np.ndarray, n_samples: int) -> list[np.ndarray]:
    """``genes`` in parts that make a block each."""
    n_blocks = max(1, -(-len(genes) * n_samples // ELEMENTS))
    return np.array_split(genes, min(n_blocks, max(1, len(genes))))


def in_blocks(
    compute: Callable[[np.ndarray], tuple[np.ndarray, ...]],
    genes: np.ndarray,
    n_samples: int,
    workers: int = 1,
) -> tuple[np.ndarray, ...]:
    """``compute`` for blocks of ``genes``, its arrays (genes first) joined in order.

    Threads are enough, because numpy lets go of the interpreter while it computes.

    Parameters
    ----------
    compute : takes positions of genes, gives arrays whose first axis is those genes
    genes : int array, positions; not empty
    n_samples : what one gene costs
    workers : processor cores
    """
    parts = split(genes, n_samples)
    if workers == 1 or len(parts) == 1:
        results = [compute(part) for part in parts]
    else:
        with ThreadPoolExecutor(workers) as pool:
            results = list(pool.map(compute, parts))
    return tuple(np.concatenate(arrays) for arrays in zip(*results, strict=True))
