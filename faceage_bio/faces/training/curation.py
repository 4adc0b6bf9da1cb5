"""Which photos a model is trained on (declared rules in their order, each counted), on which side each
stands, and keyed hashes of those it has seen.
"""

import hmac
import secrets
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from faceage_bio.core.errors import TableError, WeightsError, examples
from faceage_bio.core.settings.settings_training import Curation, Split
from faceage_bio.core.tables import read_text_table
from faceage_bio.faces.faceage.duplicates import near_pairs
from faceage_bio.faces.faceage.store import content_of

SAME_AGE = 1.0  # years by which labels of one photo may differ
LETTERS = 24  # of a hash that a card keeps: 96 bits
TRAIN, VALIDATION, TEST = "training", "validation", "test"
OK = ""
# the rules by their words, in their order
BAD_LABEL = "no readable label"
NO_FACE_SAID, SEVERAL_SAID = "no face, says the source", "several faces, says the source"
REJECTED, TWICE, UNREADABLE = "rejected by a person", "file listed before", "file cannot be read"
NO_FACE, SEVERAL = "no face", "more than one face"
DIFFERENT_AGES, AGAIN = "same photo with different ages", "same photo again"


def curate_labels(photos: pd.DataFrame, rules: Curation) -> pd.Series:
    """Why each photo is excluded by its label alone, before any is opened; "" for the others.

    Raises
    ------
    TableError
        The table of rejected photos is none, or names photos that no source has.
    """
    out = (photos["age"] < rules.min_age) | (photos["age"] > rules.max_age)
    excluded = _exclude(photos["excluded"], out, _ages(rules))
    if rules.rejected:
        excluded = _exclude(excluded, photos["path"].isin(_rejected(rules.rejected, photos)), REJECTED)
    return _exclude(excluded, photos.duplicated("path"), TWICE)


def _exclude(excluded: pd.Series, caught: pd.Series, why: str | pd.Series) -> pd.Series:
    """Why each photo is excluded, after a further rule: the first that catches a photo counts."""
    return excluded.mask((excluded == OK) & caught, why)


def _rejected(path: str, photos: pd.DataFrame) -> set[str]:
    typed = read_text_table(path)
    if "path" not in typed:
        raise TableError(
            f"{path}: found the columns {', '.join(typed)}. Expected path. Name the column of the files so."
        )
    known = set(photos["path"])
    given = {
        one: next((p for p in (one, str(Path(path).parent / one)) if p in known), None)
        for one in typed["path"]
    }
    strangers = [one for one, found in given.items() if found is None]
    if strangers:
        raise TableError(
            f"{path}: {len(strangers)} path(s) are of no source ({examples(strangers)}). Expected photos of the sources. Correct them."
        )
    return set(given.values())


def curate_faces(photos: pd.DataFrame, rules: Curation) -> tuple[pd.Series, pd.Series]:
    """Why each photo is excluded by what it shows; and its group of near-duplicates, a number.

    Parameters
    ----------
    photos : DataFrame
        excluded (by the label), age, format, n_faces, reason of the engine, perceptual_hash.
    """
    reason = photos["reason"].fillna("")
    excluded = _exclude(photos["excluded"], photos["perceptual_hash"].fillna("") == "", UNREADABLE)
    if rules.formats:
        excluded = _exclude(excluded, ~photos["format"].isin(rules.formats), _formats(rules))
    excluded = _exclude(excluded, reason.isin(["no_face", "low_probability"]), NO_FACE)
    if rules.one_face:
        excluded = _exclude(excluded, photos["n_faces"].fillna(0) > 1, SEVERAL)
    excluded = _exclude(excluded, reason != "", "quality rule: " + reason.str.replace("_", " "))
    group = duplicate_groups(photos.loc[excluded == OK, "perceptual_hash"]).reindex(photos.index)
    if rules.duplicates:
        kept = photos["age"].where(excluded == OK).groupby(group)
        excluded = _exclude(excluded, kept.transform(np.ptp) > SAME_AGE, DIFFERENT_AGES)
        excluded = _exclude(excluded, group.notna() & group.duplicated(), AGAIN)
    return excluded, group


def duplicate_groups(hashes: pd.Series) -> pd.Series:
    """Photos connected by nearly equal perceptual hashes share a number."""
    codes, levels = pd.factorize(hashes)
    pairs = near_pairs(np.asarray(levels, dtype=object))
    return pd.Series(_connected(len(levels), *pairs.T)[codes], index=hashes.index, dtype=float)


def joined(group: pd.Series, pairs: np.ndarray) -> pd.Series:
    """Groups of near-duplicates, those of each pair of places taken together."""
    codes, levels = pd.factorize(group)
    return pd.Series(_connected(len(levels), *codes[pairs].T)[codes], index=group.index, dtype=float)


def _connected(n: int, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """A number for each of ``n`` points, the same for those that edges from ``one`` to ``other`` connect, be it by further ones."""
    if n == 0:
        return np.empty(0, int)
    edges = coo_matrix((np.ones(len(one)), (one, other)), shape=(n, n))
    return connected_components(edges, directed=False)[1]


def flow(photos: pd.DataFrame, rules: Curation) -> pd.DataFrame:
    """The flow of the photos: how many came from each source, how many each rule excluded, and how many are left.

    Returns
    -------
    DataFrame: step, n_excluded, n_left
    """
    names = photos["source"].value_counts(sort=False)
    rows = [{"step": f"photos of {name}", "n_excluded": 0, "n_left": n} for name, n in names.items()]
    left = len(photos)
    rows.append({"step": "all sources", "n_excluded": 0, "n_left": left})
    counts = photos["excluded"].value_counts()
    by_label = [NO_FACE_SAID, SEVERAL_SAID, BAD_LABEL, _ages(rules), REJECTED, TWICE]
    known = [*by_label, UNREADABLE, _formats(rules), NO_FACE, SEVERAL]
    quality = sorted(set(counts.index) - {OK, DIFFERENT_AGES, AGAIN, *known})
    for rule in (*known, *quality, DIFFERENT_AGES, AGAIN):
        if counts.get(rule, 0):
            left -= int(counts[rule])
            rows.append({"step": rule, "n_excluded": int(counts[rule]), "n_left": left})
    return pd.DataFrame(rows)


def _ages(rules: Curation) -> str:
    return f"age below {rules.min_age:g} or above {rules.max_age:g} years"


def _formats(rules: Curation) -> str:
    return f"not {' or '.join(rules.formats)}"


def keyed_hashes(contents: Iterable[str], key: str | None = None) -> dict:
    """The key of a card and the sorted hashes of photos, each given by the SHA-256 of its bytes ("" is none).

    A card says which photos a model has seen, to those alone who hold them; such photos do not validate it.
    Each card has a key of its own, so that two cards do not tell that they share photos.
    """
    key = key or secrets.token_hex(16)
    return {"key": key, "hashes": sorted({keyed_hash(key, content) for content in contents if content})}


def keyed_hash(key: str, content: str) -> str:
    """HMAC-SHA-256 of a photo's SHA-256, its first letters."""
    return hmac.new(bytes.fromhex(key), bytes.fromhex(content), sha256).hexdigest()[:LETTERS]


def check_unseen(card: dict, photos: Iterable[Path], cohort: str) -> None:
    """Compare the photos' keyed hashes with those that the card of a model keeps.

    Raises
    ------
    WeightsError
        Photos of the cohort trained the model, or chose it.
    """
    used = card.get("used")
    if not used:
        return
    key, hashes = used["photos"]["key"], set(used["photos"]["hashes"])
    contents = [content for photo in photos if (content := content_of(photo))]
    seen = sum(keyed_hash(key, content) in hashes for content in contents)
    if seen:
        raise WeightsError(
            f"cohort '{cohort}': {seen} of {len(contents)} photos trained or chose the model {card['name']} (used: {', '.join(used['cohorts'])}). Expected photos that the model has "
            "never seen: on others its errors and hazard ratios are too good. Take this cohort out, or take another model."
        )


def persons_of(photos: pd.DataFrame) -> pd.Series:
    """A number for each person: photos of one identity, or of one group of near-duplicates, belong together.

    Parameters
    ----------
    photos : DataFrame with identity and duplicate_group
    """
    who, _ = pd.factorize(photos["identity"])
    same, _ = pd.factorize(photos["duplicate_group"])
    n_who, n_same = who.max(initial=-1) + 1, same.max(initial=-1) + 1
    ends = np.where(same >= 0, n_who + same, who)
    return pd.Series(_connected(n_who + n_same, who, ends)[who], index=photos.index)


def split_photos(photos: pd.DataFrame, settings: Split, seed: int) -> pd.DataFrame:
    """On which side each photo stands: by person, before anything is copied, or the published way, to show its leak.

    Parameters
    ----------
    photos : DataFrame, those that no rule excluded
        age, identity, duplicate_group.

    Returns
    -------
    DataFrame: place (label of ``photos``' index), side, person; with "study" a photo stands as often as it
    was copied.

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
    by_study = settings.kind == "study"
    table = _study(photos, settings, seed) if by_study else _by_person(photos, person, settings, seed)
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
    shares = {TEST: settings.test, VALIDATION: settings.validation}
    for side, share in shares.items():  # each until it has its share
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
