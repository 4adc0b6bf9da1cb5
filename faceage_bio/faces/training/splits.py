"""Training, validation and test: by person, before anything is copied; and the published way, to show its leak."""

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from faceage_bio.core.errors import TableError
from faceage_bio.core.settings.settings_training import Split

TRAIN, VALIDATION, TEST = "training", "validation", "test"


def persons_of(photos: pd.DataFrame) -> pd.Series:
    """A number for each person: photos of one identity, or of one group of near-duplicates, belong together.

    Parameters
    ----------
    photos : DataFrame with identity and duplicate_group
    """
    who, _ = pd.factorize(photos["identity"])
    same, _ = pd.factorize(photos["duplicate_group"])
    n, n_who = len(photos), who.max(initial=-1) + 1
    linked = same >= 0
    ends = np.where(linked, n_who + same, who)
    edges = coo_matrix((np.ones(n), (who, ends)), shape=(n_who + same.max(initial=-1) + 1,) * 2)
    return pd.Series(connected_components(edges, directed=False)[1][who], index=photos.index)


def split_photos(photos: pd.DataFrame, settings: Split, seed: int) -> pd.DataFrame:
    """On which side each photo stands.

    Parameters
    ----------
    photos : DataFrame, those that no rule excluded
        age, identity, duplicate_group.

    Returns
    -------
    DataFrame: place (label of ``photos``' index), side, person; with "study" a photo stands as often as it was copied.

    Raises
    ------
    TableError
        One person or one age only, a side without a photo, or one age in training.
    """
    if len(photos) == 0 or photos["age"].nunique() < 2:
        ages = ", ".join(f"{age:g}" for age in sorted(photos["age"].unique())) or "none"
        raise TableError(
            f"the photos left after curation: {len(photos)}, of ages {ages}. Expected at least two different ages. Look at the flow and at the labels."
        )
    person = persons_of(photos)
    table = (
        _study(photos, settings, seed)
        if settings.kind == "study"
        else _by_person(photos, person, settings, seed)
    )
    table = table.assign(person=person.loc[table["place"]].to_numpy())
    wanted = [TRAIN, VALIDATION, *([TEST] if settings.test > 0 else [])]
    empty = [side for side in wanted if not (table["side"] == side).any()]
    if empty:
        raise TableError(
            f"the split leaves no photo for {' and '.join(empty)}: {len(photos)} photos of {person.nunique()} person(s). Expected at least one person on each side. "
            "Take more photos, correct the identities, or change split."
        )
    trained = photos.loc[table.loc[table["side"] == TRAIN, "place"], "age"]
    if trained.nunique() < 2:
        raise TableError(
            f"the split leaves {len(trained)} photo(s) for training, all of age {trained.iloc[0]:g}. Expected at least two different ages. Take more photos, or change split or seed."
        )
    return table.reset_index(drop=True)


def _by_person(photos: pd.DataFrame, person: pd.Series, settings: Split, seed: int) -> pd.DataFrame:
    sizes = person.value_counts(sort=False).sort_index()
    order = np.random.default_rng([seed, 17]).permutation(len(sizes))
    counts = sizes.to_numpy()[order]
    sides, start = np.full(len(counts), TRAIN, dtype=object), 0
    for side, share in (
        (TEST, settings.test),
        (VALIDATION, settings.validation),
    ):  # each until it has its share
        end = start + int((counts[start:].cumsum() < share * len(photos) - 1e-9).sum()) + (share > 0)
        sides[start:end] = side
        start = end
    side = pd.Series(sides, index=sizes.index[order])
    return pd.DataFrame({"place": photos.index, "side": person.map(side).to_numpy()})


def _study(photos: pd.DataFrame, settings: Split, seed: int) -> pd.DataFrame:
    """Copies until each year of age is as frequent as the most frequent, a shuffle, and a tail."""
    random = np.random.default_rng([seed, 18])
    years = photos["age"].astype(int)
    most = int(years.value_counts().max())
    places = []
    for _, own in photos.groupby(years):
        places += [*own.index, *random.choice(own.index, most - len(own))]
    places = random.permutation(np.array(places))
    ends = np.cumsum([settings.test, settings.validation]) * len(places)
    rank = np.arange(len(places))[::-1]
    side = np.where(rank < ends[0], TEST, np.where(rank < ends[1], VALIDATION, TRAIN))
    return pd.DataFrame({"place": places, "side": side})


def leak(split: pd.DataFrame) -> dict[str, float]:
    """Share of the validation and test faces whose photo, or whose person, also stands in training."""
    train, rest = (split[(split["side"] == TRAIN) == one] for one in (True, False))
    return {
        key: float(rest[key].isin(set(train[key])).mean()) if len(rest) else 0.0
        for key in ("place", "person")
    }
