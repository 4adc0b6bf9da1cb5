"""Keyed hashes of photos: a card says which photos a model has seen, to those alone who hold them; such photos do not validate it."""

import hmac
import secrets
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from faceage_bio.core.errors import WeightsError
from faceage_bio.faces.faceage.store import content_of

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
