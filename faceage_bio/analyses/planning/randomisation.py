"""Stratified permuted blocks: the allocation list of a trial, and the balance that it and minimisation give."""

import hashlib
import io
import json
import secrets
from collections.abc import Mapping, Sequence
from itertools import chain, product
from math import isfinite, lcm
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.core.errors import RunError, examples
from faceage_bio.core.tables import write_secret
from faceage_bio.core.user_files import harmless

# columns of REDCap's allocation tables
NUMBER, GROUP = "redcap_randomization_number", "redcap_randomization_group"
# of the arm that lessens the imbalance (Pocock and Simon 1975, doi:10.2307/2529712)
MINIMISATION_PROBABILITY = 0.8
OTHERS = 0o077  # permissions of the group and of everyone


def read_arms(given: Sequence[str]) -> dict[str, int]:
    """Arms and their shares from NAME or NAME:SHARE.

    Raises
    ------
    RunError
        A share that is no whole number, an empty name, or an arm that is given twice.
    """
    arms: dict[str, int] = {}
    for one in given:
        name, _, share = (part.strip() for part in one.partition(":"))
        if not name or name in arms or (share and not share.isdigit()):
            raise RunError(
                f"--arm {one}: expected a name, or a name and its share as a whole number, each arm once. Write for example treatment:2."
            )
        arms[name] = int(share or 1)
    return arms


def read_strata(given: Sequence[str]) -> dict[str, dict[str, float]]:
    """Factors, their levels, and the share of participants expected at each, from FACTOR=LEVEL,LEVEL or
    FACTOR=LEVEL:SHARE,LEVEL:SHARE.

    Returns
    -------
    dict of str to dict of str to float
        Shares sum to 1 within a factor; levels without shares are equally frequent.

    Raises
    ------
    RunError
        Empty or repeated names, or shares that are no numbers above 0 or are given for some levels alone.
    """
    strata: dict[str, dict[str, float]] = {}
    for one in given:
        factor, _, rest = (part.strip() for part in one.partition("="))
        cells = [tuple(part.strip() for part in cell.partition(":")) for cell in rest.split(",")]
        names, shares = [cell[0] for cell in cells], [_share(cell[2]) for cell in cells if cell[1]]
        if not factor or not all(names) or len(set(names)) < len(names):
            raise RunError(
                f"--stratum {one}: expected a factor and its levels, none of them empty or twice. Write for example --stratum sex=female,male."
            )
        if factor in strata or factor in (NUMBER, GROUP):
            raise RunError(
                f"--stratum {one}: {factor} is {'given twice' if factor in strata else 'a column of the list'}. Expected each factor once. "
                "Write all levels of a factor in one --stratum."
            )
        if len(shares) not in (0, len(cells)) or not all(isfinite(share) and share > 0 for share in shares):
            raise RunError(
                f"--stratum {one}: expected a share above 0 for all levels or for none. Write for example --stratum sex=female:0.6,male:0.4."
            )
        shares = shares or [1.0] * len(cells)
        strata[factor] = {name: share / sum(shares) for name, share in zip(names, shares, strict=True)}
    return strata


def _share(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def read_or_make_seed(path: Path) -> int:
    """The seed in a file; a file that is not there gets one, readable by its owner alone.

    Raises
    ------
    RunError
        The file holds something else, or others may read it.
    """
    if not path.exists():
        write_secret(str(secrets.randbits(128)), path)
    if path.stat().st_mode & OTHERS:
        raise RunError(
            f"{path}: others may read it (mode {path.stat().st_mode & 0o777:o}), and who knows the seed can foretell the list. Expected mode 600. "
            f"Name a file that does not exist, and one is made; or run chmod 600 {path} if no recruiter has seen it."
        )
    text = path.read_text(encoding="utf-8", errors="replace").strip()
    if not text.isdecimal():
        raise RunError(
            f"{path}: expected one whole number, the seed of the list. Name a file that does not exist, and one is made."
        )
    return int(text)


def allocation_list(
    arms: Mapping[str, int],
    strata: Mapping[str, Sequence[str]],
    *,
    n_per_stratum: int,
    blocks: Sequence[int],
    seed: int,
) -> pd.DataFrame:
    """Permuted blocks of random sizes within each stratum.

    A stratum has a random generator of its own, made of the seed and its levels: a longer list begins with
    the shorter one.

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
        redcap_randomization_number (stratum and place in it), redcap_randomization_group, one column per
        factor.

    Raises
    ------
    RunError
        A single arm, block sizes that the shares do not divide, strata without a level, or a name that a spreadsheet would run.
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
    formulas = [name for name in (*arms, *strata, *chain(*strata.values())) if harmless(name) != name]
    if formulas:
        raise RunError(
            f"--arm, --stratum: {examples(formulas)} would be run as a formula by a spreadsheet that opens the list. Expected names that do not begin with =, +, - or @; "
            "numbers such as -1 may. Name them otherwise."
        )
    names, parts = list(arms), []
    for number, levels in enumerate(product(*strata.values()), start=1):
        stratum = dict(zip(strata, levels, strict=True))
        sizes, orders = (np.random.default_rng(_seed_of(seed, stratum, use)) for use in ("sizes", "orders"))
        drawn = _blocks(list(arms.values()), blocks, n_per_stratum, sizes, orders)
        part = pd.DataFrame({GROUP: [names[arm] for arm in drawn]}).assign(**stratum)
        part.insert(0, NUMBER, [f"R{number}-{place:04d}" for place in range(1, len(part) + 1)])
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _seed_of(seed: int, stratum: Mapping[str, str], use: str) -> int:
    text = json.dumps([seed, sorted(stratum.items()), use])
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")


def check_lengthens(table: pd.DataFrame, path: Path) -> int:
    """Allocations of a list that is there already, 0 without one.

    Raises
    ------
    RunError
        The new list does not begin, in each stratum, with the list that is there.
    """
    if not path.exists():
        return 0
    try:
        before = pd.read_csv(io.StringIO(path.read_text(encoding="utf-8")), dtype=str, keep_default_na=False)
    except (ValueError, pd.errors.ParserError):
        before = pd.DataFrame()
    same = list(before) == list(table) and len(before.merge(table, how="inner")) == len(before) > 0
    if not same:
        raise RunError(
            f"{path} is there, and the new list does not begin with its {len(before)} allocations. Expected the same in each stratum and further ones, "
            "since patients may have been randomised by it. Give the arms, strata, blocks and seed file that it was made with and at least its --per-stratum; for another list name another --output."
        )
    return len(before)


def _blocks(
    shares: Sequence[int],
    blocks: Sequence[int],
    n: int,
    sizes: np.random.Generator,
    orders: np.random.Generator,
) -> np.ndarray:
    """Arms (0, 1, ...) of n participants or more, up to the end of a block; more participants begin with the
    same.
    """
    drawn = sizes.choice(blocks, -(-n // min(blocks)))
    drawn = drawn[: int(np.searchsorted(drawn.cumsum(), n)) + 1]
    arms = np.resize(np.repeat(np.arange(len(shares)), shares), drawn.sum())
    return arms[np.lexsort((orders.random(len(arms)), np.repeat(np.arange(len(drawn)), drawn)))]


def simulate_balance(
    strata: Mapping[str, Sequence[float]],
    n: int,
    *,
    shares: Sequence[int] = (1, 1),
    blocks: Sequence[int] = (4,),
    repeats: int = 1000,
) -> pd.DataFrame:
    """Deviation from the planned ratio of the arms by permuted blocks within strata, by minimisation, and by
    chance alone.

    A simulation only: minimisation needs a central service, since who can compute the next arm can choose it.

    Parameters
    ----------
    strata : dict of str to list of float
        Factors and the share of participants at each level.
    n : int
        Participants.
    shares : list of int
        Of the arms, such as ``[2, 1]``.
    blocks : list of int
        Sizes of the permuted blocks, each drawn with equal chance.
    repeats : int
        Simulated trials.

    Returns
    -------
    DataFrame
        method, and the mean and the 95th percentile of the deviation, in participants, of the arm that is
        furthest from its planned share: overall (``overall_mean``, ``overall_p95``) and in the least balanced
        level of any factor (``level_mean``, ``level_p95``).
    """
    random = np.random.default_rng(1)
    levels = {name: np.asarray(values, dtype=float) for name, values in strata.items()}
    bad = [name for name, values in levels.items() if (values <= 0).any() or not np.isclose(values.sum(), 1)]
    if bad or n < 2:
        raise RunError(
            f"strata {', '.join(bad) or 'of ' + str(n) + ' participants'}: expected shares above 0 that sum to 1, and 2 or more participants. Correct them."
        )
    drawn = [random.choice(len(values), (repeats, n), p=values) for values in levels.values()]
    planned = np.asarray(shares) / sum(shares)
    found = {
        "simple randomisation": random.choice(len(shares), (repeats, n), p=planned),
        "permuted blocks": _stratified_blocks(drawn, (repeats, n), shares, blocks, random),
        "minimisation": _minimise(drawn, (repeats, n), shares, random),
    }
    rows = []
    for method, arms in found.items():
        overall, worst = np.zeros(repeats), np.zeros(repeats)
        for arm, share in enumerate(planned):
            beyond = (arms == arm) - share
            overall = np.maximum(overall, np.abs(beyond.sum(axis=1)))
            for place, values in zip(drawn, levels.values(), strict=True):
                for level in range(len(values)):
                    worst = np.maximum(worst, np.abs(np.where(place == level, beyond, 0).sum(axis=1)))
        row: dict = {"method": method}
        for name, deviation in (("overall", overall), ("level", worst if drawn else overall)):
            row |= {f"{name}_mean": deviation.mean(), f"{name}_p95": np.percentile(deviation, 95)}
        rows.append(row)
    return pd.DataFrame(rows)


def _stratified_blocks(
    drawn: list,
    shape: tuple[int, int],
    shares: Sequence[int],
    blocks: Sequence[int],
    random: np.random.Generator,
) -> np.ndarray:
    """Arms of shape (repeats, n): the participants of a stratum take the places of its blocks in turn."""
    stratum = np.zeros(shape, dtype=int)
    for place in drawn:
        stratum = stratum * (place.max() + 1) + place
    arms = np.empty(shape, dtype=int)
    for own, taken in zip(stratum, arms, strict=True):
        for one in np.unique(own):
            members = np.flatnonzero(own == one)
            taken[members] = _blocks(shares, blocks, len(members), random, random)[: len(members)]
    return arms


def _minimise(
    drawn: list, shape: tuple[int, int], shares: Sequence[int], random: np.random.Generator
) -> np.ndarray:
    """Arms by Pocock and Simon's rule with the range and equal weights; all trials are advanced by one
    participant at a time.

    Arms are counted in units of their shares (Han et al. 2009, doi:10.1002/sim.3710); ties are broken in the
    planned ratio.
    """
    repeats, n = shape
    places = drawn or [np.zeros(shape, dtype=int)]
    unit = lcm(*shares) // np.asarray(shares)
    counts = [np.zeros((repeats, place.max() + 1, len(shares)), dtype=int) for place in places]
    arms, trials = np.empty(shape, dtype=int), np.arange(repeats)
    for person in range(n):
        spread = sum(
            np.ptp(count[trials, place[:, person], None, :] + np.diag(unit), axis=2)
            for count, place in zip(counts, places, strict=True)
        )
        lessens = spread == spread.min(axis=1, keepdims=True)
        follows = (random.random(repeats) < MINIMISATION_PROBABILITY) | lessens.all(axis=1)
        open_to = np.where(follows[:, None], lessens, ~lessens)
        # the largest of Gumbel variables is drawn in the ratio of the shares
        chosen = np.where(open_to, np.log(shares) + random.gumbel(size=spread.shape), -np.inf).argmax(axis=1)
        arms[:, person] = chosen
        for count, place in zip(counts, places, strict=True):
            count[trials, place[:, person], chosen] += unit[chosen]
    return arms
