"""The photo store: a photo is computed once for the same bytes and engine, whatever else of a study changes."""

import hashlib
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from faceage_bio.cli.commands_faceage import prune, verify
from faceage_bio.core.errors import RunError
from faceage_bio.core.settings.settings_photos import FaceAge
from faceage_bio.faces.faceage.store import (
    PART,
    PhotoStore,
    content_of,
    engine_of,
    open_stores,
    prune_store,
    verify_store,
)
from tests.conftest import ROOT

CARDS = [{"name": "mean", "sha256": "0" * 64}]
ENGINE = engine_of(CARDS, FaceAge())


@pytest.fixture
def photos(tmp_path):
    """Three files; that they are no images does not matter to a store."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for n in range(3):
        (folder / f"{n}.jpg").write_bytes(bytes([n]) * 100)
    return sorted(folder.iterdir())


def rows_of(places):
    states = [place.stat() for place in places]
    return pd.DataFrame({
        "cohort": "c", "photo_id": [place.name for place in places], "subject_id": "s",
        "face_age": [float(place.read_bytes()[0]) for place in places], "status": "ok", "seconds": 0.5,
        "content_hash": [hashlib.sha256(place.read_bytes()).hexdigest() for place in places],
        "place": [str(place) for place in places], "size": [state.st_size for state in states],
        "mtime_ns": [state.st_mtime_ns for state in states],
    })  # fmt: skip


def filled(tmp_path, places):
    PhotoStore(tmp_path / "store", ENGINE).keep(rows_of(places))
    return PhotoStore(tmp_path / "store", ENGINE)


def test_an_empty_store_knows_nothing(tmp_path, photos):
    assert PhotoStore(tmp_path / "store", ENGINE).find(photos).empty


def test_photos_are_known_by_their_position(tmp_path, photos):
    found = filled(tmp_path, photos[1:]).find([photos[2], None, photos[0], photos[1]])
    assert found["face_age"].to_dict() == {0: 2.0, 3: 1.0}
    assert not {"cohort", "photo_id", "subject_id"} & set(found)


def test_touched_moved_and_copied_photos_are_known_by_their_bytes(tmp_path, photos):
    store = filled(tmp_path, photos)
    os.utime(photos[0], (1, 1))
    photos[1].rename(photos[1].with_name("renamed.jpg"))
    copy = photos[2].with_name("copy.jpg")
    copy.write_bytes(photos[2].read_bytes())
    places = [photos[0], photos[1].with_name("renamed.jpg"), photos[2], copy]
    assert list(store.find(places)["face_age"]) == [0.0, 1.0, 2.0, 2.0]


def test_a_touched_photo_is_read_once(tmp_path, photos, monkeypatch):
    store = filled(tmp_path, photos)
    os.utime(photos[0], (1, 1))
    read = []
    monkeypatch.setattr(
        "faceage_bio.faces.faceage.store.content_of", lambda place: read.append(place) or content_of(place)
    )
    for _ in range(2):
        assert len(PhotoStore(store.folder, ENGINE).find(photos)) == 3
    assert read == [str(photos[0])]


def test_another_photo_of_the_same_size_is_not_known(tmp_path, photos):
    store = filled(tmp_path, photos)
    photos[0].write_bytes(b"\xff" * 100)
    assert list(store.find(photos).index) == [1, 2]


@pytest.mark.parametrize(
    "change", [{"jitters": 2}, {"resize": "nearest"}, {"precision": "bfloat16"}, {"min_probability": 0.5}]
)
def test_other_settings_are_another_engine(change):
    assert engine_of(CARDS, FaceAge(**change)) != ENGINE


def test_other_weights_are_another_engine_and_the_batch_size_is_none():
    settings = FaceAge()
    assert engine_of([{"name": "mean", "sha256": "1" * 64}], settings) != ENGINE
    assert engine_of(CARDS, settings.model_copy(update={"batch_size": 7})) == ENGINE


@pytest.mark.parametrize("harm", ["truncate", "flip"])
def test_a_corrupt_part_is_said_once_and_its_photos_are_unknown(tmp_path, photos, capsys, harm):
    store = filled(tmp_path, photos[:2])
    store.keep(rows_of(photos[2:]))
    part = max(store.parts(), key=lambda path: path.stat().st_size)
    content = bytearray(part.read_bytes())
    if harm == "truncate":
        content = content[: len(content) // 2]
    else:
        content[60] ^= 0xFF
    part.write_bytes(bytes(content))
    found = PhotoStore(store.folder, ENGINE).find(photos)
    assert len(found) < 3
    said = capsys.readouterr().err
    assert said.count("cannot be read") == 1
    assert "computed again" in said
    assert verify_store(PhotoStore(store.folder, ENGINE))["damaged_parts"] == 1
    prune_store(PhotoStore(store.folder, ENGINE))
    assert verify_store(PhotoStore(store.folder, ENGINE))["damaged_parts"] == 0


def test_a_store_that_cannot_be_written_costs_no_result(tmp_path, photos, capsys, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    store = PhotoStore(tmp_path / "store", ENGINE)
    store.keep(rows_of(photos))
    store.keep(rows_of(photos))
    said = capsys.readouterr().err
    assert said.count("photo results cannot be kept (No space left on device)") == 1
    assert not list((tmp_path / "store").glob("*/*.part"))


def test_a_run_joins_its_own_parts(tmp_path, photos):
    store = filled(tmp_path, photos[:1])
    store.keep(rows_of(photos[1:2]))
    store.keep(rows_of(photos[2:]))
    store.join_added()
    assert len(store.parts()) == 2
    assert len(store.find(photos)) == 3
    assert {path.stat().st_mode & 0o777 for path in store.place.iterdir()} == {0o600}


def test_verify_finds_files_that_are_gone_or_changed_in_secret(tmp_path, photos):
    store = filled(tmp_path, photos)
    photos[0].unlink()
    state = photos[1].stat()
    photos[1].write_bytes(b"\xff" * 100)
    os.utime(photos[1], ns=(state.st_atime_ns, state.st_mtime_ns))
    found = verify_store(store)
    assert (found["photos"], found["damaged_parts"], found["gone"], found["changed"]) == (3, 0, 1, 1)


def test_prune_joins_parts_and_forgets_on_request(tmp_path, photos):
    store = filled(tmp_path, photos)
    store.keep(rows_of(photos[:1]))
    assert prune_store(store)["removed"] == 1
    assert len(store.parts()) == 1
    photos[0].unlink()
    assert prune_store(store)["removed"] == 0
    assert prune_store(store, gone=True)["removed"] == 1
    assert len(store.find(photos[1:])) == 2
    for part in store.parts():
        os.utime(part, (1, 1))
    assert prune_store(store, unused_days=30) == {"engine": store.place.name, "kept": 0, "removed": 2}
    assert not store.place.exists()


def test_a_folder_that_is_no_store(tmp_path):
    with pytest.raises(RunError, match=r"no photo store\. Expected the folder that faceage.store names"):
        open_stores(tmp_path)


def test_all_engines_are_opened(tmp_path, photos):
    store = filled(tmp_path, photos)
    other = engine_of(CARDS, FaceAge(jitters=3))
    PhotoStore(tmp_path / "store", other).keep(rows_of(photos))
    expected = {store.place, PhotoStore(store.folder, other).place}
    assert {one.place for one in open_stores(store.folder)} == expected


def test_ages_of_a_hundred_thousand_photos_are_found_in_bounded_memory(tmp_path, monkeypatch):
    """The index of 100,000 photos is read; rows are read for the photos asked for alone."""
    n = 100_000
    digits = np.arange(n)
    table = pd.DataFrame({
        "content_hash": [f"{k:064d}" for k in digits], "place": [f"/photos/{k}.jpg" for k in digits],
        "size": 100, "mtime_ns": digits, "face_age": digits * 1.0, "status": "ok",
    })  # fmt: skip
    store = PhotoStore(tmp_path / "store", ENGINE)
    store.keep(table)
    monkeypatch.setattr(
        "faceage_bio.faces.faceage.store.state_of",
        lambda place: (str(place), 100, int(place.stem)) if place else None,
    )
    found = store.find([Path(f"/photos/{k}.jpg") for k in (5, 99_999)])
    assert list(found["face_age"]) == [5.0, 99_999.0]


def test_commands_check_and_tidy_up(tmp_path, photos, capsys):
    store = filled(tmp_path, photos)
    store.keep(rows_of(photos[:1]))
    verify(store.folder)
    assert "3 photos, 0 part(s) that cannot be read" in capsys.readouterr().out
    prune(store.folder)
    assert "3 photo(s) kept, 1 row(s) removed" in capsys.readouterr().out
    store.parts()[0].write_bytes(b"no parquet")
    with pytest.raises(RunError, match=r"1 fault\(s\)\. Expected parts and photos as they were written"):
        verify(store.folder)


def test_a_store_where_nothing_can_be_written_is_said_once_and_costs_no_result(tmp_path, photos, capsys):
    (tmp_path / "store").write_text("a file where the folder should be")
    store = PhotoStore(tmp_path / "store", ENGINE)
    assert store.find(photos).empty
    store.keep(rows_of(photos))
    store.keep(rows_of(photos))
    store.join_added()
    said = capsys.readouterr().err
    assert said.count("photo results cannot be kept") == 1
    assert "Expected a folder with space that may be written; see faceage.store" in said
    assert (tmp_path / "store").read_text() == "a file where the folder should be"


def test_a_store_of_another_version_is_said_and_left_alone_and_its_photos_are_computed(
    tmp_path, photos, capsys
):
    filled(tmp_path, photos)
    PhotoStore(tmp_path / "store", ENGINE | {"models": ["1" * 64], "engine": 1}).keep(rows_of(photos))
    decoders = ENGINE["decoders"] | {"pillow": "99.0"}
    newer = PhotoStore(tmp_path / "store", ENGINE | {"decoders": decoders})
    assert newer.find(photos).empty
    assert newer.count(photos) == (0, 0)
    said = capsys.readouterr().err
    assert said.count("holds photo results of other models, settings or versions alone") == 1
    # of two engines the one that differs least
    words = f"(decoders.pillow: {ENGINE['decoders']['pillow']} there, 99.0 here). They are left as they are"
    assert words in said
    newer.keep(rows_of(photos[:1]))
    assert len(PhotoStore(tmp_path / "store", ENGINE).find(photos)) == 3
    assert len(PhotoStore(tmp_path / "store", newer.engine).find(photos)) == 1
    assert capsys.readouterr().err == ""


# a real full disk, and a real read-only one, in a mount namespace of their own, which nothing else sees
DISKS = {
    "full": ("mount -t tmpfs -o size=32k none store", r"No space left on device", 0),
    "read-only": ("mount --bind store store && mount -o remount,ro,bind store", r"Read-only file system", 3),
}
ON_THAT_DISK = f"""
import sys, pandas as pd
from pathlib import Path
from faceage_bio.faces.faceage.store import PhotoStore
ENGINE = {ENGINE!r}
rows = pd.read_parquet("rows.parquet")
store = PhotoStore(Path("store"), ENGINE)
print("known", len(store.find(sorted(Path("photos").resolve().iterdir()))))
store.keep(rows)
store.keep(rows)
store.join_added()
print("files", len([path for path in Path("store").rglob("*") if path.is_file() and path.name != "engine.json"]))
"""


@pytest.mark.parametrize("disk", DISKS)
def test_on_a_disk_that_takes_nothing_the_store_says_so_once_and_gives_what_it_holds(tmp_path, photos, disk):
    mount, said, known = DISKS[disk]
    namespace = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    if subprocess.run([*namespace, "mount", "-t", "tmpfs", "none", tmp_path], capture_output=True).returncode:
        pytest.skip("this system does not let a process mount a disk of its own")
    filled(tmp_path, photos)
    random = np.random.default_rng(1)
    many = pd.DataFrame({"content_hash": [random.bytes(32).hex() for _ in range(3000)]})
    many.assign(place="x", size=1, mtime_ns=1).to_parquet(tmp_path / "rows.parquet")
    done = subprocess.run(
        [*namespace, "sh", "-c", f'{mount} && exec "$0" -c "$1"', sys.executable, ON_THAT_DISK],
        cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"known {known}" in done.stdout
    assert f"files {1 if known else 0}" in done.stdout
    assert done.stderr.count("store: photo results cannot be kept") == 1
    assert re.search(rf"{said}.*a later run computes them again. Expected a folder with space that may be written", done.stderr)  # fmt: skip


def test_a_part_of_another_form_is_said_and_its_photos_are_computed(tmp_path, photos, capsys):
    store = filled(tmp_path, photos[:2])
    pd.DataFrame({"photo": ["x"], "age": [1.0]}).to_parquet(store.place / f"old{PART}")
    assert list(PhotoStore(store.folder, ENGINE).find(photos).index) == [0, 1]
    assert "a part of the photo store cannot be read" in capsys.readouterr().err


def test_runs_at_the_same_time_lose_no_photo_of_each_other(tmp_path, photos):
    """One run adds and joins its parts again and again, and a third tidies up, while another looks photos up."""
    filled(tmp_path, photos[:1])
    lost, stop = [], threading.Event()

    def look_up():
        while not stop.is_set():
            lost.append(0 not in PhotoStore(tmp_path / "store", ENGINE).find(photos).index)

    reader = threading.Thread(target=look_up)
    reader.start()
    for _ in range(15):
        run = PhotoStore(tmp_path / "store", ENGINE)
        for place in photos[1:]:
            run.keep(rows_of([place]))
        run.join_added()
        prune_store(PhotoStore(tmp_path / "store", ENGINE))
    stop.set()
    reader.join()
    assert len(lost) > 3
    assert not any(lost)
    assert len(PhotoStore(tmp_path / "store", ENGINE).find(photos)) == 3


def test_check_counts_what_is_known_and_writes_nothing(tmp_path, photos):
    store = filled(tmp_path, photos[:2])
    os.utime(photos[0], (1, 1))
    before = store.parts()
    assert PhotoStore(store.folder, ENGINE).count([*photos, None]) == (2, 1)
    assert store.parts() == before
