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
from faceage_bio.core.tables import MARKER
from faceage_bio.release.dates import days_in
from faceage_bio.release.known import NOT_PEOPLE, Known, identifying_kind, known_of_columns

# columns that name a person or a place to find one, and the line of a table where the participant stands
CONTACT = re.compile(
    r"(^|_)(name|surname|family_?name|first_?name|last_?name|forename|initials|e?mail|phone|telephone|mobile|fax|address|street|postcode|postal_code"
    r"|zip|zip_?code|insurance|ssn|passport|vorname|nachname|telefon|adresse|plz|nom|prenom|apellidos?|cognome|line)(_|$)"
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
    inside = [folder for folder in results if place.is_relative_to(Path(folder).resolve())]
    if inside or any((parent / MARKER).is_file() for parent in place.parents):
        raise PrivacyError(
            f"{path}: the key lies inside a folder of results, so that whoever gets the results gets the names. Expected it outside of them. "
            f"Put it elsewhere, such as {default_key_path()}."
        )
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(secrets.token_hex(32) + "\n")
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
    telling = {name for name in known.identifiers if len(name) >= 4 or not name.isdigit()}
    found = {}
    for name, column in table.items():
        lower, kind = name.lower(), identifying_kind(name)
        cells = set(column.dropna().astype(str).str.removesuffix(".0")) - {""}
        words = cells if column.dtype == object or isinstance(column.dtype, pd.CategoricalDtype) else ()
        if kind == "identifier":
            continue
        if kind or lower.endswith("_hash"):
            found[name] = {"date": "dates", "file": "file names"}.get(kind, "hashes of photos")
        elif CONTACT.search(lower) and not lower.startswith(NOT_PEOPLE):
            found[name] = "names, addresses or lines"
        elif (cells and cells <= telling) or any(_names(known, cell) for cell in words):
            found[name] = "identifiers"
        elif pd.api.types.is_datetime64_any_dtype(column) or any(any(days_in(cell)) for cell in words):
            found[name] = "dates"
    return found


def _names(known: Known, cell: str) -> bool:
    return known.is_whole(cell) or any(known.in_text(cell))


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
        words = table[name].astype(object)
        known = {word: pseudonym(str(word), key, name) for word in words.dropna().unique() if str(word) != ""}
        if len(set(known.values())) < len(known):
            raise PrivacyError(
                f"column '{name}': two identifiers got the same pseudonym. Expected one of each. Use another key."
            )
        table[name] = words.map(lambda word, known=known: known.get(word, word))
    keys = [name for name in (COHORT, *names) if name in table]
    return table.sort_values(keys, ignore_index=True)  # the order of the rows tells nothing either
