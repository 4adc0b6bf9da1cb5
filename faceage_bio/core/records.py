"""What each command did, kept next to what it made: options, hashes of inputs and outputs, software.

The record of ``north/survival/cox.tsv`` is ``north/survival/records/cox.tsv.json``. It holds no path and no
value of a table: inputs and outputs are named by their option and their SHA-256, so that a record says
whether it belongs to the file next to it.
"""

import hashlib
import json
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path

import faceage_bio
from faceage_bio.core import tables
from faceage_bio.core.errors import TableError, examples

FOLDER = "records"
# whole parts of the config, which name files
NOT_RECORDED = {"cohorts", "config", "models", "results_dir", "settings"}
_further: dict[str, Path] = {}
KEPT = {".tsv", ".parquet", ".json", ".html", ".docx", ".tex"}
FOLDERS_OF_TABLES = "counts"  # a folder of an input of this name is read; photos have hashes of their own
# packages whose module is called otherwise
OTHER_NAMES = {
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "python-docx": "docx",
    "pyyaml": "yaml",
    "vl-convert-python": "vl_convert",
}


def note_input(role: str, path: Path | str) -> None:
    """Say that the command that runs read this file, where its options do not name it."""
    _further[role] = Path(path)


@contextmanager
def recorded(
    command: str,
    parameters: Mapping[str, object],
    settings: Mapping[str, object] | None = None,
    writes: Iterable[str] = (),
) -> Iterator[dict]:
    """If the block ends well, write the record of the command next to each file that it wrote, with the
    ``software`` and further ``inputs`` that are put into the dict.

    Parameters
    ----------
    command : str
    parameters : mapping
        The command's options by their Python names; paths among them are inputs if they existed before and
        were not written.
    settings : mapping, optional
        The settings that it used, by their dotted names.
    writes : names of files, optional
        What it declares to write.
    """
    _further.clear()
    told: dict = {}
    with tables.watch_writing() as written:
        yield told
    outputs = {path: tables.sha256_of(path) for path in written if path.is_file() and path.suffix in KEPT}
    if not outputs:
        return
    inputs = [
        {"role": role, "sha256": digest}
        for role, path in (*paths_of(parameters), *_further.items())
        if path.resolve() not in {made.resolve() for made in outputs} and (digest := hash_of(role, path))
    ]
    record = {
        "command": command,
        "settings": {name: value for name, value in (settings or {}).items() if _recorded(name, value)},
        "options": {name: _plain(value) for name, value in parameters.items() if _recorded(name, value)},
        "writes": list(writes),
        "inputs": inputs + told.get("inputs", []),
        "software": told.get("software") or software(),
    }
    for path, digest in outputs.items():
        tables.write_json({"sha256": digest, **record}, record_of(path))


def record_of(path: Path) -> Path:
    """Where the record of a file lies."""
    return path.parent / FOLDER / f"{path.name}.json"


def file_of(record: Path) -> Path:
    """The file that a record tells of."""
    return record.parent.parent / record.name.removesuffix(".json")


def read_record(path: Path) -> dict | None:
    """What a record file holds, or None if it is not one."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and "sha256" in record and "command" in record else None


def check_unchanged(paths: Iterable[Path]) -> None:
    """Refuse tables that are no longer what their step wrote.

    Parameters
    ----------
    paths : files that steps wrote; one without a record, such as a table made by hand, passes

    Raises
    ------
    TableError
        A file whose SHA-256 is not that of its record; all such files are listed.
    """
    paths = list(paths)
    for path in paths:
        tables.note_reading(path)
    changed = [
        f"{path} (written by {record['command']})"
        for path in paths
        if (record := read_record(record_of(Path(path)))) and record["sha256"] != tables.sha256_of(path)
    ]
    if changed:
        raise TableError(
            f"{len(changed)} result table(s) are not what their step wrote: {examples(changed)}. Expected each with the SHA-256 of its record. "
            "Delete the table, so that the step makes it again, and keep edits in a copy."
        )


def paths_of(parameters: Mapping[str, object]) -> list[tuple[str, Path]]:
    """The paths among a command's options, each with the option's name."""
    several = (
        (name, value if isinstance(value, list | tuple) else [value]) for name, value in parameters.items()
    )
    return [(name, one) for name, values in several for one in values if isinstance(one, Path)]


def hash_of(role: str, path: Path) -> str:
    """Of a file; of a model, of its card, which holds the hash of the weights; of a folder of counts, of all
    its files; of another folder "".
    """
    card = path / "card.json"
    path = card if path.is_dir() and card.exists() else path
    if path.is_dir() and role.split()[0] == FOLDERS_OF_TABLES:
        return hash_of_folder(path)
    return tables.sha256_of(path) if path.is_file() else ""


def hash_of_folder(folder: Path) -> str:
    """SHA-256 over the names and the contents of all files of a folder, hidden ones left out."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = [path.relative_to(folder).as_posix() for path in files]
    lines = [
        f"{tables.sha256_of(path)}  {name}\n"
        for path, name in zip(files, names, strict=True)
        if not any(part.startswith(".") for part in name.split("/"))
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _recorded(name: str, value: object) -> bool:
    """Whether an option may be kept: no path, and no part of the config that names some."""
    return name not in NOT_RECORDED and not any(
        isinstance(one, Path) or (isinstance(one, str) and ("/" in one or "\\" in one))
        for _, one in leaves(value)
    )


def leaves(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """All single values inside lists and dictionaries, by their dotted names."""
    if isinstance(value, Mapping | list | tuple):
        for key, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from leaves(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def _plain(value: object) -> object:
    """As JSON can hold it."""
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, (bool, int, float)) else str(value)


def software() -> dict[str, str]:
    """Python, ourselves, and those of our packages that this process imported, with their versions."""
    imported = [name for name in required() if OTHER_NAMES.get(name, name.replace("-", "_")) in sys.modules]
    return {
        "python": platform.python_version(),
        "faceage-bio": version(),
        **{name: metadata.version(name) for name in sorted(imported)},
    }


@cache
def required() -> set[str]:
    """Packages that ours names, and not what these need in turn; none if it was not installed."""
    try:
        said = metadata.requires("faceage-bio") or []
    except metadata.PackageNotFoundError:
        return set()
    return {re.split(r"[^\w.-]", line)[0].lower() for line in said if "extra ==" not in line}


@cache
def version() -> str:
    """Our version, and the commit if this is a copy of the repository: ``0.2.0 (git 1a2b3c4, changed)``."""
    folder = Path(faceage_bio.__file__).parent.parent
    if not (folder / ".git").exists():
        return faceage_bio.__version__
    try:
        said = subprocess.run(
            ["git", "-C", str(folder), "describe", "--always", "--dirty=, changed"],
            capture_output=True, text=True, check=True, timeout=10,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return faceage_bio.__version__
    return f"{faceage_bio.__version__} (git {said})"
