"""Counts that were read before: the checked table is kept by the content of its files, so that `check` and the run read them once."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

import faceage_bio
from faceage_bio.core.tables import read_table, sha256_of, write_table
from faceage_bio.intake.rna.count_files import CountTable, read_counts

WORTH_KEEPING = 16 * 2**20  # bytes; less is read in a second
ATTRIBUTES = b"PANDAS_ATTRS"  # where pandas keeps `DataFrame.attrs` in parquet


def read_counts_once(
    path: Path | str,
    kept: Path | None,
    *,
    kind: str = "counts",
    strand: str | None = None,
    mapping: Path | str | None = None,
    samples: Sequence[str] = (),
) -> CountTable:
    """What `read_counts` gives, from a table kept of the same content, options and version if there is one.

    Parameters
    ----------
    kept : .parquet for the owner of the results, written where the counts are large and replaced where they changed; None: keep
        nothing
    """
    options = {"kind": kind, "strand": strand, "mapping": mapping, "samples": samples}
    files = _files_of(Path(path))
    if kept is None or sum(file.stat().st_size for file in files) < WORTH_KEEPING:
        return read_counts(path, **options)
    key = _key(Path(path), files, options)
    if _key_of(kept) == key:
        table = read_table(kept)
        return CountTable.from_table(table, table.attrs["said"])
    found = read_counts(path, **options)
    table = found.to_table()
    table.attrs = {"key": key, "said": found.said}
    with suppress(OSError):  # a full disk is told by who must write
        write_table(table, kept)
    return found


def _files_of(path: Path) -> list[Path]:
    return (
        sorted(file for file in path.rglob("*") if file.is_file())
        if path.is_dir()
        else [path] * path.is_file()
    )


def _key(path: Path, files: Sequence[Path], options: dict) -> str:
    """Changes with the bytes and names of the files, the options and our version."""
    names = [str(file.relative_to(path)) if path.is_dir() else file.name for file in files]
    content = [*zip(names, map(sha256_of, files), strict=True)]
    mapping = (
        sha256_of(options["mapping"]) if options["mapping"] and Path(options["mapping"]).is_file() else ""
    )
    told = [
        faceage_bio.__version__,
        content,
        options | {"mapping": mapping, "samples": list(options["samples"])},
    ]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode("utf-8", "surrogateescape")).hexdigest()


def _key_of(kept: Path) -> str:
    """Of what is kept; "" if nothing is, or it is damaged."""
    try:
        known = pyarrow.parquet.read_schema(kept).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return ""
    return json.loads(known.get(ATTRIBUTES, b"{}")).get("key", "")
