"""Result tables kept by all that they depend on: a step that is asked again for what it has made gives the same files.

Snakemake runs a step again where an input is newer. Often nothing that the step uses has changed: a table of
participants was written again with another follow-up, and models of genes do not look at follow-up. ``.kept``
in the folder of the tables holds those of each step a second time, as hard links, which take no space, and a
key: the hash of inputs, settings, options, our code and the packages that we need.
"""

import hashlib
import json
import os
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import faceage_bio
from faceage_bio.core import records, tables

FOLDER = ".kept"
DESCRIPTION = "key.json"
PHOTO_FOLDER = "photo_folder"
NO_INFLUENCE = {"workers"}  # options that change how long a step takes and nothing else


def key_of(
    step: str,
    given: Mapping[str, object],
    settings: Mapping[str, Any],
    hidden: Callable[[str], bool] = lambda column: False,
) -> str | None:
    """The hash of all that a step's tables depend on; None if that cannot be told.

    Parameters
    ----------
    step : its name
    given : its options by their Python names; paths among them are inputs
    settings : those that it uses, by dotted name
    hidden : which columns of our own tables the step does not see
    """
    with_path = {role for role, _ in records.paths_of(given)}
    options = {name: value for name, value in given.items() if name not in NO_INFLUENCE | with_path}
    of_photos = {PHOTO_FOLDER} if given.get("face_ages") else set()  # which hold hashes of the photos
    paths = [(role, path) for role, path in records.paths_of(given) if role not in of_photos]
    inputs = [(role, _content(role, path, hidden)) for role, path in paths]
    # files that settings name, such as gene sets of the user's own
    texts = [(name, value) for name, value in records.leaves(settings) if isinstance(value, str)]
    named = [
        (name, tables.sha256_of(path)) for name, path in texts if os.sep in path and Path(path).is_file()
    ]
    if any(not content for _, content in inputs):
        return None
    software = (_code(), _packages())
    content = [step, inputs, options, dict(settings), named, tables.results_mode(), *software]
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def take(folder: Path, step: str, key: str) -> dict | None:
    """Put the tables of a step that were kept under this key into their folder; None if there are none, or if
    one was changed since.

    Returns
    -------
    dict
        What `keep` was told of them.
    """
    place = folder / FOLDER / step
    try:
        known = json.loads((place / DESCRIPTION).read_text(encoding="utf-8"))
        if known["key"] != key:
            return None
        files = {place / name: digest for name, digest in known["files"].items()}
        if any(tables.sha256_of(path) != digest for path, digest in files.items()):
            return None
        for path in files:
            with tables.atomic_path(folder / path.name) as temporary:
                temporary.unlink()
                os.link(path, temporary)
                os.utime(temporary)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return known


def keep(folder: Path, step: str, names: Collection[str], key: str, **told: object) -> None:
    """Keep these files of a step under this key, in place of its earlier ones; where there are no hard links, nothing is kept."""
    place = folder / FOLDER / step
    with suppress(OSError):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in place.iterdir():
            path.unlink()
        for name in names:
            os.link(folder / name, place / name)
        files = {name: tables.sha256_of(place / name) for name in names}
        tables.write_json({"key": key, "files": files, **told}, place / DESCRIPTION)


def _content(role: str, path: Path, hidden: Callable[[str], bool]) -> str:
    """Hash of an input, without the columns that the step does not see."""
    if path.suffix == ".parquet" and path.is_file():
        import pyarrow.parquet as pq

        names = pq.read_schema(path).names
        if found := [name for name in names if hidden(name)]:
            digest = hashlib.sha256(repr(names).encode())
            for batch in pq.read_table(path).drop_columns(found).to_batches():
                digest.update(batch.serialize())
            return digest.hexdigest()
    return records.hash_of(role, path)


@cache
def _code() -> str:
    """Hash of our package, so that tables of another version, or of code that is being edited, are not taken."""
    root = Path(faceage_bio.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.suffix != ".pyc" and path.is_file():
            digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@cache
def _packages() -> dict[str, str]:
    """The versions of the packages that ours needs."""
    from importlib import metadata

    found = {}
    for name in records.required():
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return dict(sorted(found.items()))
