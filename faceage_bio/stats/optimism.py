"""How much better a model looks on the participants it was fitted to than on others: Harrell's bootstrap."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.core.errors import FitError

MOST_FAILED = 0.1  # share of samples that may fail


@dataclass(frozen=True)
class Optimism:
    """``mean``: shape (k,), to be taken from the apparent values; ``failed`` of ``repeats`` samples had no model."""

    mean: np.ndarray
    failed: int
    repeats: int


def draws(n: int, repeats: int, seed: int, cluster: np.ndarray | None = None) -> Iterator[np.ndarray]:
    """Bootstrap samples of n rows, or of whole clusters, as row numbers."""
    generator = np.random.default_rng(seed)
    if cluster is None:
        for _ in range(repeats):
            yield generator.integers(0, n, n)
        return
    codes, levels = pd.factorize(pd.Series(np.asarray(cluster)))
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    for _ in range(repeats):
        yield np.concatenate([members[one] for one in generator.integers(0, len(levels), len(levels))])


def optimism(
    samples: Iterator[np.ndarray],
    measure: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    done: Callable[[int], None] = lambda n: None,
) -> Optimism:
    """Mean over bootstrap samples of a model's measures on its own sample less those on the original rows.

    Harrell, Lee and Mark 1996, doi:10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4.

    Parameters
    ----------
    samples : row numbers of each sample, as `draws` gives them
    measure : function
        Fits to these rows and gives the measures, shape (k,), on them and on the original rows; NaN what cannot be said.
    done : function
        Told of each sample.

    Raises
    ------
    FitError
        More than a tenth of the samples could not be fitted.
    """
    found, failed = [], 0
    for rows in samples:
        try:
            own, original = measure(rows)
            found.append(own - original)
        except FitError:
            failed += 1
        done(1)
    if not found or failed > MOST_FAILED * (failed + len(found)):
        raise FitError("few_bootstrap_models", failed=failed, repeats=failed + len(found))
    differences = np.array(found)
    known = np.isfinite(differences)
    enough = known.mean(axis=0) >= 1 - MOST_FAILED
    sums = np.where(known, differences, 0.0).sum(axis=0)
    return Optimism(
        np.where(enough, sums / np.maximum(known.sum(axis=0), 1), np.nan), failed, failed + len(found)
    )
