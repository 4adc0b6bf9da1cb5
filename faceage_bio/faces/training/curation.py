"""Which photos a model is trained on: declared rules in their order, each counted; and keyed hashes of those that it has seen."""

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
from faceage_bio.core.settings.settings_training import Curation
from faceage_bio.core.tables import read_text_table
from faceage_bio.faces.faceage.duplicates import near_pairs
from faceage_bio.faces.faceage.store import content_of

SAME_AGE = 1.0  # years by which labels of one photo may differ
OK = ""
# the rules by their words, in their order
BAD_LABEL, NO_FACE_SAID, SEVERAL_SAID = (
    "no readable label",
    "no face, says the source",
    "several faces, says the source",
)
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
    excluded = photos["excluded"].copy()
    out = (photos["age"] < rules.min_age) | (photos["age"] > rules.max_age)
    excluded[(excluded == OK) & out] = _ages(rules)
    if rules.rejected:
        excluded[(excluded == OK) & photos["path"].isin(_rejected(rules.rejected, photos))] = (
            "rejected by a person"
        )
    excluded[(excluded == OK) & photos.duplicated("path")] = TWICE
    return excluded


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
    excluded = photos["excluded"].copy()

    def exclude(where: pd.Series, why: str | pd.Series) -> None:
        hit = (excluded == OK) & where
        excluded[hit] = why[hit] if isinstance(why, pd.Series) else why

    unreadable = photos["perceptual_hash"].fillna("") == ""
    exclude(unreadable, UNREADABLE)
    if rules.formats:
        exclude(~photos["format"].isin(rules.formats), _formats(rules))
    exclude(photos["reason"].isin(["no_face", "low_probability"]), NO_FACE)
    if rules.one_face:
        exclude(photos["n_faces"].fillna(0) > 1, SEVERAL)
    exclude(
        photos["reason"].fillna("") != "",
        "quality rule: " + photos["reason"].fillna("").str.replace("_", " "),
    )
    group = duplicate_groups(photos.loc[excluded == OK, "perceptual_hash"]).reindex(photos.index)
    if rules.duplicates:
        kept = photos[excluded == OK]
        spread = kept["age"].groupby(group[kept.index]).transform(np.ptp)
        again = group[kept.index].duplicated()
        exclude((spread > SAME_AGE).reindex(photos.index, fill_value=False), DIFFERENT_AGES)
        exclude(again.reindex(photos.index, fill_value=False), AGAIN)
    return excluded, group


def duplicate_groups(hashes: pd.Series) -> pd.Series:
    """Photos connected by nearly equal perceptual hashes share a number."""
    codes, levels = pd.factorize(hashes)
    pairs = near_pairs(np.asarray(levels, dtype=object))
    n = len(levels)
    edges = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n)) if n else None
    labels = connected_components(edges, directed=False)[1] if n else np.empty(0, int)
    return pd.Series(labels[codes] if n else [], index=hashes.index, dtype=float)


def joined(group: pd.Series, pairs: np.ndarray) -> pd.Series:
    """Groups of near-duplicates, those of each pair of places taken together."""
    codes, _ = pd.factorize(group)
    n = codes.max(initial=-1) + 1
    edges = coo_matrix((np.ones(len(pairs)), (codes[pairs[:, 0]], codes[pairs[:, 1]])), shape=(n, n))
    return pd.Series(connected_components(edges, directed=False)[1][codes].astype(float), index=group.index)


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
    known = [
        NO_FACE_SAID,
        SEVERAL_SAID,
        BAD_LABEL,
        _ages(rules),
        REJECTED,
        TWICE,
        UNREADABLE,
        _formats(rules),
        NO_FACE,
        SEVERAL,
    ]
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


# Keyed hashes of photos: a card says which photos a model has seen, to those alone who hold them; such photos do not validate it.


LETTERS = 24  # of a hash that a card keeps: 96 bits


def keyed_hashes(contents: Iterable[str], key: str | None = None) -> dict:
    """The key of a card and the sorted hashes of photos, each given by the SHA-256 of its bytes ("" is none).

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
