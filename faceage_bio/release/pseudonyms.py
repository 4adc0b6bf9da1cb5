"""HMAC-SHA256 under a key that stays at the site: names for participants, and fingerprints of the study's data.

Pseudonyms are for tables with a row per participant that go to a collaborator under a contract; they are pseudonymous, not anonymous, and
are never part of what `publish` writes. Fingerprints tell its holder alone whether two bundles are of the same data: the
plain hash of a small table is found by trying the few tables that there can be.
"""

import base64
import hmac
import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from faceage_bio.core.columns import COHORT
from faceage_bio.core.errors import PrivacyError
from faceage_bio.core.records import read_record
from faceage_bio.core.tables import MARKER, write_secret
from faceage_bio.release.dates import days_in
from faceage_bio.release.known import NOT_PEOPLE, Known, identifying_kind, known_of_columns

# columns that name a person, a place to find one, the line of a table where one stands, or the bytes of a photo
CONTACT = re.compile(
    r"(^|_)(\w*name|initials|e?mail|\w*phone|telefon|mobile|fax|address|adresse|street|post_?code|plz|zip(_?code)?|ssn|line|hash)(_|$)"
)
LENGTH = 12  # letters (a to z, 2 to 7) of a pseudonym: 60 bits, so that two of a million people share one with a chance of 4 in 10 million


def default_key_path(name: str = "pseudonyms.key") -> Path:
    """``faceage-bio/pseudonyms.key`` in the user's folder of settings (``XDG_CONFIG_HOME``, else ``~/.config``)."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "faceage-bio" / name


def load_key(path: Path, results: Sequence[Path] = ()) -> bytes:
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
    inside = any(place.is_relative_to(Path(folder).resolve()) for folder in results)
    if inside or any((parent / MARKER).is_file() for parent in place.parents):
        raise PrivacyError(
            f"{path}: the key lies inside a folder of results, so that whoever gets the results gets the names. Expected it outside of them. "
            f"Put it elsewhere, such as {default_key_path()}."
        )
    if not path.exists():
        write_secret(secrets.token_hex(32), path)
    key = path.read_text(encoding="ascii", errors="replace").strip()
    if path.stat().st_mode & 0o077:
        why = f"others than its owner can read the key. Expected mode 0600. Run: chmod 600 {path}"
    elif not re.fullmatch(r"[0-9a-f]{64}", key):
        why = "expected a key of 64 hexadecimal letters. Restore it, or name a new file to make a new key."
    else:
        return bytes.fromhex(key)
    raise PrivacyError(f"{path}: {why}")


def fingerprints(results: Path, key: bytes) -> dict[str, str]:
    """The HMAC of each file that the study's intake read, by its role (``clinic of north``), from the hashes in its records.

    The same file gives the same fingerprint under the same key.
    """
    records = map(read_record, sorted(Path(results).glob("*/cohort/records/subjects.parquet.json")))
    inputs = {one["role"]: one["sha256"] for record in records if record for one in record["inputs"]}
    return {role: _hmac("data", digest, key).hex() for role, digest in sorted(inputs.items())}


def _hmac(kind: str, text: str, key: bytes) -> bytes:
    return hmac.digest(key, f"{kind}\0{text}".encode(), "sha256")


def pseudonym(identifier: str, key: bytes, kind: str = "subject_id") -> str:
    """The pseudonym of an identifier: the same for the same key and kind, and another for another key or kind."""
    return base64.b32encode(_hmac(kind, identifier, key)).decode().lower()[:LENGTH]


def left_out(table: pd.DataFrame) -> dict[str, str]:
    """Columns that a table with pseudonyms has not, by name with what they hold: as their name says, or their cells.

    Cells that are words are read: a column in which an identifier of the table or a day stands is none that may stay.
    """
    known = known_of_columns({name: table[name] for name in table if identifying_kind(name) == "identifier"})
    held = {name: _held(name.lower(), column, known) for name, column in table.items()}
    return {name: what for name, what in held.items() if what}


def _held(name: str, column: pd.Series, known: Known) -> str:
    """What a column tells of participants beside its pseudonyms, or ""."""
    cells = set(column.dropna().astype(str).str.removesuffix(".0")) - {""}
    words = () if pd.api.types.is_numeric_dtype(column) else cells
    telling = {one for one in known.identifiers if len(one) >= 4 or not one.isdigit()}
    if kind := identifying_kind(name):
        return {"date": "dates", "file": "file names"}.get(kind, "")
    if CONTACT.search(name) and not name.startswith(NOT_PEOPLE):
        return "names, addresses, lines or hashes"
    if (cells and cells <= telling) or any(known.is_whole(one) or any(known.in_text(one)) for one in words):
        return "identifiers"
    return "dates" if any(any(days_in(one)) for one in words) else ""


def pseudonymise(table: pd.DataFrame, key: bytes) -> pd.DataFrame:
    """A table with a row per participant, photo or sample whose identifiers are pseudonyms; what `left_out` names is left out.

    Parameters
    ----------
    table : identifiers are the columns that are named so (``subject_id``, ``sample_id``, ``case_id`` ...)

    Raises
    ------
    PrivacyError
        No column holds identifiers, or two participants got the same pseudonym.
    """
    names = [name for name in table if identifying_kind(name) == "identifier"]
    if not names:
        raise PrivacyError(
            f"no column holds identifiers; there are {', '.join(map(repr, table.columns[:12]))}. Expected subject_id, photo_id, sample_id or the like. Name the columns so."
        )
    table = table.drop(columns=[*left_out(table)])
    for name in names:
        words = table[name].dropna().unique()
        known = {word: pseudonym(str(word), key, name) for word in words if str(word) != ""}
        if len(set(known.values())) < len(known):
            raise PrivacyError(
                f"column '{name}': two identifiers got the same pseudonym. Expected one of each. Use another key."
            )
        table[name] = table[name].astype(object).map(lambda word, known=known: known.get(word, word))
    # the order of the rows tells nothing either
    return table.sort_values([name for name in (COHORT, *names) if name in table], ignore_index=True)
