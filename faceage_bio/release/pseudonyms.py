"""Names for participants that only the holder of a key can make again: HMAC-SHA256 of the identifier.

For tables with a row per person that go to a collaborator under a contract; they are pseudonymous, not anonymous, and are never
part of what `publish` writes.
"""

import hmac
import os
import re
import secrets
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pandas as pd

from faceage_bio.columns import COHORT
from faceage_bio.errors import PrivacyError
from faceage_bio.release.known import FILES, holds_dates, holds_identifiers

KEY_BYTES = 32
LENGTH = 12  # letters of a pseudonym: 60 bits, so that two of a million people share one with a chance of 4 in 10 million
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # 32 letters that are not mistaken for each other
DEFAULT_NAME = "pseudonyms.key"


def default_key_path() -> Path:
    """``faceage-bio/pseudonyms.key`` in the user's folder of settings (``XDG_CONFIG_HOME``, else ``~/.config``)."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "faceage-bio" / DEFAULT_NAME


def load_key(path: Path, results: Sequence[Path] = (), *, create: bool = True) -> bytes:
    """The secret key of a file that only its owner can read; made by chance where there is none.

    Parameters
    ----------
    results : folders in which a key must not lie, since they may be handed on

    Raises
    ------
    PrivacyError
        The key lies in such a folder, others can read it, or it is no key.
    """
    path = Path(path).expanduser()
    place = path.resolve()
    for folder in results:
        if place.is_relative_to(Path(folder).resolve()):
            raise PrivacyError(
                f"{path}: the key lies inside {folder}, so that whoever gets the results gets the names. Expected it elsewhere. "
                f"Put it elsewhere, such as {default_key_path()}."
            )
    if any((parent / "LOCAL_ONLY.txt").is_file() for parent in place.parents):
        raise PrivacyError(
            f"{path}: the key lies inside a folder of results. Expected it outside of them. Put it elsewhere, such as {default_key_path()}."
        )
    if not path.exists():
        if not create:
            raise PrivacyError(
                f"{path}: no such key. Expected the one that made the pseudonyms, which cannot be made again without it. Restore it, or check the path."
            )
        _create(path)
    mode = path.stat().st_mode & 0o077
    if mode:
        raise PrivacyError(
            f"{path}: others than its owner can read the key. Expected mode 0600. Run: chmod 600 {path}"
        )
    text = path.read_text(encoding="ascii", errors="replace").strip()
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise PrivacyError(
            f"{path}: expected a key of 64 hexadecimal letters. Restore it, or name a new file to make a new key."
        )
    return bytes.fromhex(text)


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as stream:
        stream.write(secrets.token_bytes(KEY_BYTES).hex() + "\n")


def pseudonym(identifier: str, key: bytes, kind: str = "subject_id") -> str:
    """The pseudonym of an identifier: the same for the same key and kind, and another for another key or kind."""
    digest = hmac.new(key, f"{kind}\0{identifier}".encode(), sha256).digest()
    number = int.from_bytes(digest[:8], "big")
    return "".join(ALPHABET[(number >> (5 * place)) & 31] for place in range(LENGTH))


def pseudonymise(table: pd.DataFrame, key: bytes) -> pd.DataFrame:
    """A table with a row per person, photo or sample whose identifiers are pseudonyms; dates and file names are left out.

    Parameters
    ----------
    table : identifiers are the columns that are named so (``subject_id``, ``sample_id``, ``case_id`` ...)

    Raises
    ------
    PrivacyError
        No column holds identifiers, or two participants got the same pseudonym.
    """
    names = [name for name in table if holds_identifiers(name) and name.lower() not in FILES]
    if not names:
        raise PrivacyError(
            f"no column holds identifiers; there are {', '.join(map(repr, table.columns[:12]))}. Expected subject_id, photo_id, sample_id or the like. Name the columns so."
        )
    left_out = [
        name for name in table if holds_dates(name) or name.lower() in FILES or name.lower().endswith("_hash")
    ]
    table = table.drop(columns=left_out).copy()
    for name in names:
        words = table[name].astype(object)
        known = {word: pseudonym(str(word), key, name) for word in words.dropna().unique() if str(word) != ""}
        if len(set(known.values())) < len(known):
            raise PrivacyError(
                f"column '{name}': two identifiers got the same pseudonym. Expected one of each. Use another key."
            )
        table[name] = words.map(lambda word, known=known: known.get(word, word))
    keys = [name for name in (COHORT, *names) if name in table]
    return table.sort_values(keys, ignore_index=True)  # the order of the rows tells nothing either
