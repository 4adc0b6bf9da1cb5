"""Stratified permuted blocks: the allocation list of a trial, and the balance that it and minimisation give."""

import secrets
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.core.errors import RunError
from faceage_bio.core.tables import OWNER_ONLY, write_text

NUMBER, GROUP = (
    "redcap_randomization_number",
    "redcap_randomization_group",
)  # columns of REDCap's allocation tables
MINIMISATION_PROBABILITY = (
    0.8  # of the arm that lessens the imbalance (Pocock and Simon 1975, doi:10.2307/2529712)
)


def read_or_make_seed(path: Path) -> int:
    """The seed in a file; a file that is not there gets one, readable by its owner alone.

    Raises
    ------
    RunError
        The file holds something else.
    """
    if not path.exists():
        write_text(f"{secrets.randbits(128)}\n", path, mode=OWNER_ONLY)
    try:
        return int(path.read_text(encoding="utf-8"))
    except ValueError:
        raise RunError(
            f"{path}: expected one whole number, the seed of the list. Name a file that does not exist, and one is made."
        ) from None


def allocation_list(
    arms: Mapping[str, int],
    strata: Mapping[str, Sequence[str]],
    *,
    n_per_stratum: int,
    blocks: Sequence[int],
    seed: int,
) -> pd.DataFrame:
    """Permuted blocks of random sizes within each stratum.

    Parameters
    ----------
    arms : dict of str to int
        Names of the arms and their shares, such as ``{"treatment": 2, "control": 1}``.
    strata : dict of str to list of str
        Factors and their levels; a stratum is a combination.
    n_per_stratum : int
        Rows of each stratum; its last block is completed.
    blocks : list of int
        Sizes of blocks, each drawn with equal chance; multiples of the sum of the shares.
    seed : int

    Returns
    -------
    DataFrame
        redcap_randomization_number, redcap_randomization_group, one column per factor.

    Raises
    ------
    RunError
        A single arm, block sizes that the shares do not divide, or strata without a level.
    """
    total = sum(arms.values())
    wrong = [size for size in blocks if size <= 0 or size % total]
    if len(arms) < 2 or min(arms.values()) < 1 or not blocks or wrong:
        raise RunError(
            f"--arm {', '.join(f'{name}:{share}' for name, share in arms.items())}; --block {', '.join(map(str, blocks))}: expected two or more arms "
            f"and block sizes that are multiples of the sum of their shares ({total}). Give for example --block {2 * total} --block {3 * total}."
        )
    if n_per_stratum < 1 or not all(strata.values()):
        raise RunError(
            f"--per-stratum {n_per_stratum}: expected 1 or more, and for each --stratum its levels. Write for example --stratum sex=female,male."
        )
    random = np.random.default_rng(seed)
    labels = np.repeat(list(arms), list(arms.values()))
    rows = []
    for levels in product(*strata.values()):
        n = 0
        while n < n_per_stratum:
            size = int(random.choice(blocks))
            for arm in random.permutation(np.tile(labels, size // total)):
                rows.append({GROUP: arm} | dict(zip(strata, levels, strict=True)))
            n += size
    table = pd.DataFrame(rows)
    table.insert(0, NUMBER, [f"R{number:05d}" for number in range(1, len(table) + 1)])
    return table


def simulate_balance(
    levels: Mapping[str, Sequence[float]],
    n: int,
    *,
    block: int = 4,
    repeats: int = 1000,
    seed: int = 1,
) -> pd.DataFrame:
    """Imbalance of two equal arms by permuted blocks within strata, by minimisation, and by chance alone.

    A simulation only: minimisation needs a central service, since who can compute the next arm can choose it.

    Parameters
    ----------
    levels : dict of str to list of float
        Factors and the share of participants at each level.
    n : int
        Participants.
    block : int
        Size of the permuted blocks.
    repeats : int
        Simulated trials.

    Returns
    -------
    DataFrame
        method, and the mean and the 95th percentile of the difference of the arms' sizes overall (``overall_mean``, ``overall_p95``)
        and in the least balanced level of any factor (``level_mean``, ``level_p95``).
    """
    random = np.random.default_rng(seed)
    shares = {name: np.asarray(values, dtype=float) for name, values in levels.items()}
    bad = [name for name, values in shares.items() if (values <= 0).any() or not np.isclose(values.sum(), 1)]
    if bad or n < 2:
        raise RunError(
            f"strata {', '.join(bad) or 'of ' + str(n) + ' participants'}: expected shares above 0 that sum to 1, and 2 or more participants. Correct them."
        )
    drawn = [random.choice(len(values), (repeats, n), p=values) for values in shares.values()]
    found = {
        "simple randomisation": random.integers(0, 2, (repeats, n)),
        "permuted blocks": _blocks(drawn, list(shares.values()), block, random),
        "minimisation": _minimise(drawn, list(shares.values()), random),
    }
    rows = []
    for method, arms in found.items():
        sign = 2 * arms - 1
        overall = np.abs(sign.sum(axis=1))
        worst = np.zeros(repeats)
        for place, values in zip(drawn, shares.values(), strict=True):
            for level in range(len(values)):
                worst = np.maximum(worst, np.abs(np.where(place == level, sign, 0).sum(axis=1)))
        rows.append(
            {
                "method": method, "overall_mean": overall.mean(), "overall_p95": np.percentile(overall, 95),
                "level_mean": worst.mean(), "level_p95": np.percentile(worst, 95),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _blocks(drawn: list, shares: list, block: int, random: np.random.Generator) -> np.ndarray:
    """Arms (0 or 1) of shape (repeats, n): the participants of a stratum take the places of its blocks in turn."""
    repeats, n = drawn[0].shape if drawn else (0, 0)
    stratum = np.zeros((repeats, n), dtype=int)
    for place, values in zip(drawn, shares, strict=True):
        stratum = stratum * len(values) + place
    arms = np.empty((repeats, n), dtype=int)
    for trial in range(repeats):
        for one in np.unique(stratum[trial]):
            members = np.flatnonzero(stratum[trial] == one)
            rounds = -(-len(members) // block)
            order = np.argsort(random.random((rounds, block)), axis=1) % 2
            arms[trial, members] = order.ravel()[: len(members)]
    return arms


def _minimise(drawn: list, shares: list, random: np.random.Generator) -> np.ndarray:
    """Arms by Pocock and Simon's rule with equal weights; all trials are advanced by one participant at a time."""
    repeats, n = drawn[0].shape
    difference = [np.zeros((repeats, len(values)), dtype=int) for values in shares]
    arms = np.empty((repeats, n), dtype=int)
    trials = np.arange(repeats)
    for person in range(n):
        imbalance = sum(
            count[trials, place[:, person]] for count, place in zip(difference, drawn, strict=True)
        )
        lessens = np.where(imbalance == 0, random.integers(0, 2, repeats), (imbalance < 0).astype(int))
        follows = (random.random(repeats) < MINIMISATION_PROBABILITY) | (imbalance == 0)
        chosen = np.where(follows, lessens, 1 - lessens)
        arms[:, person] = chosen
        for count, place in zip(difference, drawn, strict=True):
            count[trials, place[:, person]] += 2 * chosen - 1
    return arms
