"""What became of each photo, kept by what it depends on, so that no photo is computed twice.

A row depends on the bytes of the photo and on the engine: models, settings, precision, and the libraries that
decode. Each engine has a folder of its own with parts, parquet files that jobs add by an atomic rename: no
database and no locks, which shared disks of clusters do not keep. A part also says where a photo lay, with
its size and time of change; a file that has not changed is not read again.
"""

import hashlib
import json
import os
import shutil
import stat
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from faceage_bio.core.columns import COHORT, PHOTO, SUBJECT
from faceage_bio.core.errors import RunError
from faceage_bio.core.records import leaves
from faceage_bio.core.settings.settings_photos import FaceAge
from faceage_bio.core.tables import atomic_path, sha256_of, write_json
from faceage_bio.faces.vision.face_input import FaceInput, input_of

ENGINE = 3  # raised with each change of decoding, detection, cropping or judging that changes a result
# settings that a photo's result depends on, with `quality`
OF_RESULTS = {"detection", "min_probability", "face_choice", "box_mode", "resize", "precision", "jitters"}
DECODERS = ("pillow", "pi-heif", "simplejpeg", "opencv-python-headless")
CONTENT = "content_hash"  # SHA-256 of the photo's bytes
STATE = ("place", "size", "mtime_ns")  # where the photo lay, its bytes, and its time of change
SECONDS = "seconds"  # of a worker, for this photo
OWN = (CONTENT, *STATE)
DESCRIPTION = "engine.json"
PART = ".part"


def engine_of(cards: Sequence[dict], settings: FaceAge) -> dict:
    """All that a photo's result depends on, but for the photo."""
    chosen = settings.model_dump(include=OF_RESULTS)
    chosen["rules"] = [{"name": name, **rule.model_dump()} for name, rule in settings.quality]
    return {
        "engine": ENGINE,
        "models": [_model_of(card) for card in cards],
        "settings": chosen,
        "decoders": {name: _version(name) for name in DECODERS},
    }


def _model_of(card: dict) -> str | dict:
    """The weights, and their input where it is not the study's."""
    own = input_of(card)
    return card["sha256"] if own == FaceInput() else {"sha256": card["sha256"], "input": own.declared()}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def state_of(place: Path | None) -> tuple[str, int, int] | None:
    """Place, size in bytes and time of change of a file in nanoseconds; None for what is no file that can be read."""
    try:
        state = place.stat() if place else None
    except (OSError, ValueError):
        return None
    if state is None or not stat.S_ISREG(state.st_mode):
        return None
    return os.fspath(place), state.st_size, state.st_mtime_ns


@dataclass
class PhotoStore:
    """The parts of one engine.

    Parameters
    ----------
    folder : path
        Of all engines; private to its owner.
    engine : dict
        See `engine_of`.
    found : int
        Photos that `find` knew.
    """

    folder: Path
    engine: dict
    found: int = 0
    _added: list[Path] = field(default_factory=list)
    _told: set[str] = field(default_factory=set)

    @property
    def place(self) -> Path:
        """The folder of this engine."""
        content = json.dumps(self.engine, sort_keys=True)
        return self.folder / hashlib.sha256(content.encode()).hexdigest()[:16]

    def find(self, places: Sequence[Path | None]) -> pd.DataFrame:
        """Rows of the photos that were computed before, indexed by their position among ``places``.

        Files that lie elsewhere or were touched are known by their bytes; only files of a size that occurs in
        the store are read for that.
        """
        index = self.index()
        if index.empty:
            self._tell_of_others()
            return index
        states = [(n, *state) for n, place in enumerate(places) if (state := state_of(place))]
        wanted = pd.DataFrame(states, columns=["position", *STATE])
        seen = wanted.merge(index.drop_duplicates(list(STATE), keep="last"), on=list(STATE), how="left")
        sizes = set(index["size"])
        touched = seen[CONTENT].isna() & seen["size"].isin(sizes)
        seen.loc[touched, CONTENT] = [content_of(place) for place in seen.loc[touched, "place"]]
        rows = self._read(None, filters=[(CONTENT, "in", list(set(seen[CONTENT].dropna())))])
        if rows.empty:
            return rows
        found = seen.merge(rows.drop(columns=list(STATE)).drop_duplicates(CONTENT, keep="last"), on=CONTENT)
        again = found[found["position"].isin(seen.loc[touched, "position"])]
        self.keep(again.drop(columns="position"))
        self.found = len(found)
        return found.set_index("position")

    def count(self, places: Sequence[Path | None]) -> tuple[int, int]:
        """How many of these photos are known, and how many of them by their bytes alone, which are read for
        it; nothing is written.
        """
        index = self.index()
        if index.empty:
            self._tell_of_others()
        states = pd.DataFrame([state_of(place) or (None, -1, -1) for place in places], columns=list(STATE))
        if index.empty or states.empty:
            return 0, 0
        known = states.merge(index[list(STATE)].drop_duplicates(), on=list(STATE), how="left", indicator=True)
        seen = known["_merge"].eq("both")
        touched = known.loc[~seen & known["size"].isin(set(index["size"])), "place"]
        contents = set(index[CONTENT])
        again = sum(content_of(place) in contents for place in touched)
        return int(seen.sum()) + again, again

    def keep(self, rows: pd.DataFrame) -> None:
        """Add the rows of photos whose bytes are known. A store that cannot be written costs no result: it is said once."""
        rows = rows[rows[CONTENT].notna()].drop(columns=[COHORT, PHOTO, SUBJECT], errors="ignore")
        if rows.empty:
            return
        rows = rows.astype({"size": "int64", "mtime_ns": "int64"})
        path = self.place / f"{uuid.uuid4().hex}{PART}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.place.mkdir(exist_ok=True, mode=0o700)
            if not (self.place / DESCRIPTION).exists():
                write_json(self.engine, self.place / DESCRIPTION)
            with atomic_path(path) as temporary:
                rows.to_parquet(temporary, index=False, write_page_checksum=True)
        except OSError as error:
            self._tell(
                f"{self.folder}: photo results cannot be kept ({error.strerror or error}), so a later run computes them again. "
                "Expected a folder with space that may be written; see faceage.store."
            )
        else:
            self._added.append(path)

    def join_added(self) -> None:
        """Make one part of those that this job added."""
        if len(self._added) > 1:
            self.replace(list(self._added), self._read(None, parts=self._added))

    def replace(self, parts: Sequence[Path], rows: pd.DataFrame) -> None:
        """Put one part in place of these; they go once it is written."""
        added = len(self._added)
        self.keep(rows)
        if len(self._added) > added or rows.empty:
            for path in parts:
                path.unlink(missing_ok=True)

    def parts(self) -> list[Path]:
        """The files of this engine."""
        return sorted(self.place.glob(f"*{PART}"))

    def index(self) -> pd.DataFrame:
        """Content hash and state of each photo."""
        return self._read(list(OWN))

    def rows(self) -> pd.DataFrame:
        """All that is known of each photo."""
        return self._read(None)

    def damaged(self) -> list[Path]:
        """Parts that cannot be read or whose checksums differ."""
        self.rows()
        return [path for path in self.parts() if str(path) in self._told]

    def _read(
        self, columns: list[str] | None, filters: list | None = None, parts: list[Path] | None = None
    ) -> pd.DataFrame:
        """Of all parts, or these; what cannot be read is said once, and its photos are computed again."""
        tables = []
        for path in self.parts() if parts is None else parts:
            try:
                tables.append(
                    pq.read_table(path, columns=columns, filters=filters, page_checksum_verification=True)
                )
            except FileNotFoundError:  # joined by another job since it was listed
                return self._read(columns, filters) if parts is None else pd.DataFrame()
            except (OSError, pa.ArrowException) as error:
                self._tell(
                    f"{path}: a part of the photo store cannot be read ({str(error).splitlines()[0]}), so its photos are computed again. "
                    "Expected what an earlier run wrote; `faceage-bio store prune` removes it.",
                    str(path),
                )
        frames = [table.to_pandas() for table in tables if table.num_rows]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns or list(OWN))

    def _tell_of_others(self) -> None:
        """Say in what the engine nearest to this one differs, where the store holds results of others alone."""
        differences = []
        for path in self.folder.glob(f"*/{DESCRIPTION}"):
            try:
                other = dict(leaves(json.loads(path.read_text(encoding="utf-8"))))
            except (OSError, ValueError):
                continue
            own = dict(leaves(json.loads(json.dumps(self.engine))))
            both = {name: (other.get(name), own.get(name)) for name in sorted(own.keys() | other.keys())}
            differences.append(
                [
                    f"{name}: {there} there, {here} here"
                    for name, (there, here) in both.items()
                    if there != here
                ]
            )
        nearest = min(differences, key=len, default=[])
        if nearest:
            self._tell(
                f"{self.folder}: holds photo results of other models, settings or versions alone ({'; '.join(nearest[:3])}"
                f"{', ...' if nearest[3:] else ''}). They are left as they are, and photos are computed. Expected results of the same ones where none is "
                "to be computed again."
            )

    def _tell(self, message: str, key: str | None = None) -> None:
        if (key or message) not in self._told:
            self._told.add(key or message)
            print(message, file=sys.stderr, flush=True)


def content_of(place: Path | str) -> str | None:
    """SHA-256 of a file's bytes; None if it cannot be read."""
    try:
        return sha256_of(place)
    except OSError:
        return None


def open_stores(folder: Path) -> list[PhotoStore]:
    """The store of each engine that has computed photos.

    Raises
    ------
    RunError
        Not a store.
    """
    try:
        found = sorted(folder.glob(f"*/{DESCRIPTION}"))
        stores = [PhotoStore(folder, json.loads(path.read_text(encoding="utf-8"))) for path in found]
    except (OSError, ValueError) as error:
        raise RunError(
            f"{folder}: cannot be read ({error}). Expected a photo store that you may read. Check its permissions."
        ) from None
    if not stores:
        raise RunError(
            f"{folder}: no photo store. Expected the folder that faceage.store names, or faceage_store in the results folder. Check the path."
        )
    return stores


def verify_store(store: PhotoStore) -> dict[str, object]:
    """Read every part and every photo again.

    Returns
    -------
    dict
        ``engine`` (name of its folder), ``photos`` (different contents), ``damaged_parts``, ``gone`` (files
        that are no longer where they were), ``changed`` (files with other bytes and the old time of change).
    """
    damaged = store.damaged()
    index = store.index().drop_duplicates("place", keep="last")
    states = [state_of(Path(place)) for place in index["place"]]
    before = index[list(STATE)].itertuples(index=False, name=None)
    unchanged = index[[state == row for state, row in zip(states, before, strict=True)]]
    changed = [content_of(row.place) != row.content_hash for row in unchanged.itertuples()]
    return {
        "engine": store.place.name, "photos": index[CONTENT].nunique(), "damaged_parts": len(damaged),
        "gone": states.count(None), "changed": sum(changed),
    }  # fmt: skip


def prune_store(
    store: PhotoStore, *, unused_days: float | None = None, gone: bool = False
) -> dict[str, object]:
    """Remove what is of no use: damaged parts and doubled rows.

    Parameters
    ----------
    store : PhotoStore
    unused_days : float, optional
        Remove the whole engine if no photo was added to it for so many days.
    gone : bool
        Remove the rows of photos that are no longer on the disk, such as those of a participant who withdrew consent.

    Returns
    -------
    dict
        ``engine``, and ``kept`` and ``removed``, in rows.
    """
    parts = store.parts()
    newest = max((path.stat().st_mtime for path in parts), default=0.0)
    damaged = store.damaged()
    rows = store.rows()
    kept = rows.drop_duplicates(["place", CONTENT], keep="last").drop_duplicates("place", keep="last")
    if gone:
        kept = kept[[state_of(Path(place)) is not None for place in kept["place"]]]
    if unused_days is not None and time.time() - newest > unused_days * 86400:
        shutil.rmtree(store.place)
        return {"engine": store.place.name, "kept": 0, "removed": len(rows)}
    if len(kept) < len(rows) or damaged or len(parts) > 1:
        store.replace(parts, kept)
    return {"engine": store.place.name, "kept": len(kept), "removed": len(rows) - len(kept)}
