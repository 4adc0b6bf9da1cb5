"""Inference: every photo an age or a reason, nothing lost, photos computed before used again."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
from PIL import Image

from faceage_bio.core.columns import FACE_AGE_COLUMNS
from faceage_bio.core.errors import CohortError, RunError, WeightsError
from faceage_bio.core.settings.settings_photos import FaceAge
from faceage_bio.demo.portraits import draw, imagine
from faceage_bio.faces.faceage.photo import Tools, load_tools
from faceage_bio.faces.faceage.photo_quality import ledger_of, precision_sentence
from faceage_bio.faces.faceage.predict import choose_device, count_workers, predict_face_ages
from faceage_bio.faces.faceage.shards import photos_of, shard_names
from faceage_bio.faces.faceage.store import PhotoStore, engine_of
from faceage_bio.intake.cohort.photos import read_face_ages
from tests.conftest import add_mean_model
from tests.model_files import CARDS, Brightness


class Kills(Brightness):
    """Ends its process as the kernel does when memory runs out."""

    def predict(self, crops):
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two good photos, and one of each kind of trouble."""
    folder = tmp_path_factory.mktemp("photos")
    one, two = (draw(imagine(age, True, 700 + age)) for age in (40, 70))
    Image.fromarray(one).save(folder / "good one.jpg")
    Image.fromarray(two).save(folder / "gut.zwei.ü.png")
    Image.fromarray(np.full((300, 300, 3), 128, np.uint8)).save(folder / "blank.jpg")
    Image.fromarray(np.concatenate([one, two], axis=1)).save(folder / "both.jpg")
    Image.fromarray(one).resize((64, 80)).save(folder / "small.png")
    Image.fromarray(one[:, 140:]).save(folder / "half.jpg")
    (folder / "text.jpg").write_text("no photo")
    outside = tmp_path_factory.mktemp("elsewhere") / "secret.jpg"
    Image.fromarray(one).save(outside)
    (folder / "link.jpg").symlink_to(outside)
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    os.mkfifo(folder / "pipe.jpg")
    return folder


REASONS = {
    "good one.jpg": "", "text.jpg": "not_an_image", "blank.jpg": "no_face", "gut.zwei.ü.png": "", "both.jpg": "multiple_faces",
    "small.png": "small_photo", "half.jpg": "face_outside_frame", "../outside.jpg": "outside_folder", "link.jpg": "outside_folder",
    "loop.jpg": "cannot_be_read", "pipe.jpg": "not_a_file", "gone.jpg": "missing_file",
}  # fmt: skip
PATHS = list(REASONS)


def photos(paths=PATHS):
    return pd.DataFrame({
        "cohort": "c", "photo_id": [f"p{n}" for n in range(len(paths))], "subject_id": [f"s{n}" for n in range(len(paths))],
        "path": paths, "photo_date": None, "chronological_age": np.nan,
    })  # fmt: skip


def settings(quality=None, **changes):
    return FaceAge(**changes, quality=quality or {})


def reasons_of(table):
    return dict(zip(PATHS, table.reason, strict=True))


def set_part_size(monkeypatch, n):
    monkeypatch.setattr("faceage_bio.faces.faceage.predict.PART_SIZE", n)


def predict(folder, detector, paths=PATHS, model=None, chosen=None, models=None, **options):
    chosen = chosen or settings()
    models = models or (model or Brightness(),)
    if "store" in options:
        options["store"] = PhotoStore(options["store"], engine_of(CARDS, chosen))
    make_tools = partial(Tools, detector, models, chosen)
    return predict_face_ages(photos(paths), folder, make_tools, CARDS * len(models), chosen, **options)


def test_every_photo_gets_an_age_or_a_reason(folder, detector):
    table = predict(folder, detector)
    assert reasons_of(table) == REASONS
    assert table.face_age.notna().equals(table.status != "excluded")
    assert list(table.photo_id) == [f"p{n}" for n in range(len(PATHS))]
    assert set(ledger_of(table).status) == {"included", "excluded"}
    chosen = settings({"multiple_faces": {"action": "flag", "threshold": 1}})
    assert list(ledger_of(predict(folder, detector, chosen=chosen)).status).count("flagged") == 1


def test_every_row_says_what_was_seen(folder, detector):
    table = predict(folder, detector, chosen=settings(jitters=4)).set_index("photo_id")
    assert set(FACE_AGE_COLUMNS) <= {*table.columns, "photo_id"}
    good = table.loc["p0"]
    measured = [name for name in FACE_AGE_COLUMNS if name not in ("photo_id", "reason", "flags")]
    assert good[measured].notna().all()
    assert (good[["width", "height", "orientation", "n_faces"]] == [320, 400, 1, 1]).all()
    assert good.inside_frame
    assert not good.greyscale
    assert 0.1 < good.face_share < 0.9
    assert good.face_short_side == min(good.box_width, good.box_height)
    assert abs(good.roll) < 10
    assert abs(good.yaw) < 25
    assert good.model == "brightness"
    assert (
        good[["detection", "face_choice", "box_mode", "resize", "precision"]]
        == ["exact", "highest_confidence", "clip", "bicubic", "float32"]
    ).all()
    assert table.loc["p4"].n_faces == 2
    assert not table.loc["p6"].inside_frame
    assert table.loc["p2", "sharpness":"face_age_sd"].isna().all()  # no face


def test_an_age_belongs_to_its_photo_whatever_the_batch(folder, detector):
    one = predict(folder, detector, chosen=settings(batch_size=1))
    many = predict(folder, detector, chosen=settings(batch_size=32))
    pd.testing.assert_frame_equal(one, many)
    mirrored = predict(folder, detector, PATHS[::-1])
    np.testing.assert_allclose(mirrored.face_age.to_numpy()[::-1], one.face_age, equal_nan=True)


@pytest.mark.slow
def test_worker_processes_change_nothing(folder, detector, monkeypatch):
    set_part_size(monkeypatch, 2)
    done = []
    table = predict(folder, detector, workers=2, progress=done.append)
    pd.testing.assert_frame_equal(table, predict(folder, detector))
    assert sum(done) == len(PATHS)


def test_workers_start_after_computations_in_this_process(folder, detector, monkeypatch):
    """A fork of a process whose threads have computed may hang; ours must not."""
    set_part_size(monkeypatch, 2)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.randn(500, 500) @ torch.randn(500, 500)
    torch.set_num_threads(before)
    assert len(predict(folder, detector, workers=2)) == len(PATHS)


# the second is longer than a socket's name may be
@pytest.mark.slow
@pytest.mark.parametrize("temporary", ["tmp", "t" * 90], ids=["short", "long"])
def test_workers_end_with_the_process_that_started_them(tmp_path, temporary):
    Image.fromarray(draw(imagine(50, True, 900))).save(tmp_path / "0.jpg")
    photos(["0.jpg"] * 2000).to_parquet(tmp_path / "photos.parquet")
    add_mean_model(tmp_path / "model")
    (tmp_path / temporary).mkdir()
    with (tmp_path / "log").open("w") as log:
        main = subprocess.Popen([
            sys.executable, "-m", "faceage_bio", "predict-face-age", "--photos", tmp_path / "photos.parquet", "--photo-folder",
            tmp_path, "--model", tmp_path / "model", "--workers", "2", "--set", "faceage.device=cpu", "--output", tmp_path / "face_age.parquet",
        ], stdout=log, stderr=log, env=os.environ | {"TMPDIR": str(tmp_path / temporary)})  # fmt: skip
    try:
        while not list(tmp_path.glob("faceage_store/*/*.part")) and main.poll() is None:
            time.sleep(0.05)
        assert main.poll() is None, (tmp_path / "log").read_text()
        workers = psutil.Process(main.pid).children(recursive=True)
        assert len(workers) >= 2
        names = [socket.laddr for worker in workers for socket in worker.net_connections("unix")]
        folders = {Path(name).parent for name in names if "pymp-" in name}
    finally:
        main.kill()
        main.wait()
    assert not psutil.wait_procs(workers, timeout=30)[1]
    assert folders
    assert not any(folder.exists() for folder in folders)  # nor do their sockets stay


class KillsOnce(Brightness):
    """Ends its process at faces as bright as the second photo's."""

    def predict(self, crops):
        ages = super().predict(crops)
        if (np.abs(ages - self.deadly) < 1e-6).any():
            os.kill(os.getpid(), signal.SIGKILL)
        return ages


@pytest.mark.slow
def test_a_photo_that_ends_its_worker_is_named_and_the_others_go_on(folder, detector, monkeypatch, tmp_path):
    set_part_size(monkeypatch, 3)
    whole = predict(folder, detector)
    model = KillsOnce()
    model.deadly = whole.face_age[PATHS.index("gut.zwei.ü.png")]
    store = tmp_path / "store"
    table = predict(folder, detector, model=model, workers=2, store=store)
    assert reasons_of(table) == REASONS | {"gut.zwei.ü.png": "worker_died"}
    survived = table.reason != "worker_died"
    np.testing.assert_allclose(table.face_age[survived], whole.face_age[survived], equal_nan=True)
    model = Brightness()
    again = predict(folder, detector, model=model, store=store)
    pd.testing.assert_frame_equal(again, whole)
    assert sum(model.batches) == 1  # the dead worker's photo alone


@pytest.mark.slow
def test_workers_that_die_at_every_photo_are_an_error(folder, detector, monkeypatch, tmp_path):
    set_part_size(monkeypatch, 5)
    paths = ["blank.jpg"] * 5 + ["good one.jpg"] * 5
    with pytest.raises(RunError, match="killed again and again, probably because memory ran out"):
        predict(folder, detector, paths, model=Kills(), workers=2, store=tmp_path / "store")
    assert len(predict(folder, detector, paths, store=tmp_path / "store")) == 10


def test_workers_that_cannot_start_say_why(folder):
    tools = partial(load_tools, [folder / "none"], "cpu", settings())
    with pytest.raises(WeightsError, match="found no card"):
        predict_face_ages(photos(["blank.jpg"] * 40), folder, tools, CARDS, settings(), workers=2)


@pytest.mark.parametrize("n", [3, 80])
def test_a_fault_that_hits_most_photos_stops_the_step(folder, detector, tmp_path, monkeypatch, n):
    import faceage_bio.faces.faceage.predict as module

    examine, seen = module.examine, set()

    def fails(paths, tools):
        seen.update(paths)
        if all(int(path.stem[1:]) % 10 == 0 for path in paths):
            return examine([folder / "good one.jpg"] * len(paths), tools)
        raise RuntimeError("CUDA error: device-side assert triggered\nmore")

    monkeypatch.setattr(module, "examine", fails)
    told = r"photos could not be computed, most of them because: RuntimeError: CUDA error: device-side assert triggered. Expected single ones at most"
    with pytest.raises(RunError, match=told):
        predict(folder, detector, [f"p{k}.jpg" for k in range(n)], store=tmp_path / "store")
    assert len(seen) == min(n, 32)  # not hours later


def test_a_photo_whose_computation_fails_does_not_stop_the_others(folder, detector, monkeypatch):
    real = detector.detect

    def fails(images):
        if any(image.shape[1] == 640 for image in images):  # both.jpg
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return real(images)

    monkeypatch.setattr(detector, "detect", fails)
    assert reasons_of(predict(folder, detector)) == REASONS | {"both.jpg": "not_computed"}


@pytest.mark.parametrize("age", [np.nan, np.inf, -40.0, 900.0])
def test_no_implausible_age_gets_through(folder, detector, age):
    absurd = Brightness(lambda ages: np.append(age, ages[1:]))
    table = predict(folder, detector, model=absurd, chosen=settings(jitters=2))
    assert table.reason[0] == "implausible_age"
    assert table.status[0] == "excluded"
    assert table.loc[0, ["face_age", "face_age_sd"]].isna().all()
    assert table.face_age[3] > 0


def test_a_further_model_that_stumbles_leaves_a_gap(folder, detector):
    stumbles = Brightness(lambda ages: np.append(np.nan, ages[1:]))
    table = predict(folder, detector, models=(Brightness(), stumbles))
    assert np.isnan(table.face_age_2[0])
    assert table["flags"][0] == "no_second_age"
    assert table.face_age[0] > 0
    assert table.face_age_2[3] == table.face_age[3]


def test_a_jittered_crop_outside_the_photo_does_not_cost_the_photo(folder, detector, monkeypatch):
    boxes = [(10_000, 10_000, 5, 5), (120, 120, 100, 100)]
    monkeypatch.setattr("faceage_bio.faces.faceage.photo.jittered_boxes", lambda box, n: boxes)
    table = predict(folder, detector, PATHS[:1], chosen=settings(jitters=2))
    assert table.face_age_sd[0] > 0


def test_each_quality_rule_can_exclude_flag_or_be_ignored(folder, detector):
    for action, status in (("exclude", "excluded"), ("flag", "flagged"), ("ignore", "ok")):
        chosen = settings({"blurred": {"action": action, "threshold": 1e9}})
        row = predict(folder, detector, PATHS[:1], chosen=chosen).iloc[0]
        assert row.status == status
        assert row.reason == ("" if action == "ignore" else "blurred")
        assert np.isnan(row.face_age) == (action == "exclude")


def test_a_detection_below_the_probability_is_no_face(folder, detector):
    table = predict(folder, detector, PATHS[:1], chosen=settings(min_probability=1.0))
    assert list(table.reason) == ["low_probability"]
    assert table.n_faces[0] == 0


def test_which_of_several_faces_counts(folder, detector):
    tables = {
        rule: predict(folder, detector, ["both.jpg"], chosen=settings(face_choice=rule)).iloc[0]
        for rule in ("highest_confidence", "largest", "only")
    }
    assert tables["only"].status == "excluded"
    assert tables["only"].reason == "multiple_faces"
    faces = detector.detect([np.asarray(Image.open(folder / "both.jpg"))])[0]
    assert len(faces) == 2
    assert tables["highest_confidence"].probability == max(face.probability for face in faces)
    areas = [face.width * face.height for face in faces]
    assert tables["largest"].box_width * tables["largest"].box_height == max(areas)


def test_jitters_give_a_spread_and_leave_the_age(folder, detector):
    plain, jittered = predict(folder, detector), predict(folder, detector, chosen=settings(jitters=6))
    # quality measures included: they are of the face's own crop
    pd.testing.assert_frame_equal(jittered.assign(face_age_sd=np.nan), plain)
    assert plain.face_age_sd.isna().all()
    aged = jittered.face_age.notna()
    assert (jittered.face_age_sd[aged] > 0).all()
    assert jittered.face_age_sd[~aged].isna().all()
    pd.testing.assert_frame_equal(jittered, predict(folder, detector, chosen=settings(jitters=6)))
    constant = Brightness(lambda ages: np.full(len(ages), 50.0))
    steady = predict(folder, detector, PATHS[:1], model=constant, chosen=settings(jitters=6))
    assert steady.face_age_sd[0] == 0


def test_a_further_model_has_a_column_of_its_own(folder, detector):
    table = predict(folder, detector, models=(Brightness(), Brightness(lambda ages: ages / 2)))
    np.testing.assert_allclose(table.face_age_2, table.face_age / 2, equal_nan=True)


def test_an_interrupted_run_does_only_what_is_left(folder, detector, tmp_path, monkeypatch):
    set_part_size(monkeypatch, 3)
    whole = predict(folder, detector)

    class Stops(Brightness):
        def predict(self, crops):
            if self.batches:
                raise KeyboardInterrupt
            return super().predict(crops)

    store = tmp_path / "store"
    with pytest.raises(KeyboardInterrupt):
        predict(folder, detector, model=Stops(), store=store)
    assert {item.stat().st_mode & 0o777 for item in store.glob("*/*")} == {0o600}
    model = Brightness()
    resumed = predict(folder, detector, model=model, store=store)
    pd.testing.assert_frame_equal(resumed, whole)
    assert sum(model.batches) == 1  # the first part's photo was not aged again
    assert len(list(store.glob("*/*.part"))) == 2  # a run makes one part of its own


def test_what_an_edit_of_the_study_computes(detector, tmp_path):
    """Photos, model and settings decide; not the clinical table, the name of the cohort, the shards or the time of a file."""
    for number in range(4):
        Image.fromarray(draw(imagine(40 + number, True, 800 + number))).save(tmp_path / f"{number}.png")

    def computed(table, shards=1):
        model = Brightness()
        tools = partial(Tools, detector, (model,), settings())
        for name in shard_names(len(table), -(-len(table) // shards)):
            store = PhotoStore(tmp_path / "store", engine_of(CARDS, settings()))
            shard = photos_of(table, name)
            result = predict_face_ages(shard, tmp_path, tools, CARDS, settings(), store=store)
            assert result.face_age.notna().all()
            assert set(result.cohort) == set(table.cohort)
        return sum(model.batches)

    three, four = photos(["0.png", "1.png", "2.png"]), photos(["3.png", "0.png", "1.png", "2.png"])
    assert computed(three) == 3
    assert computed(three) == 0  # an edited BMI writes the table of photos again
    assert computed(four) == 1  # in front, so that every other row moves
    assert computed(four.assign(cohort="renamed")) == 0
    assert computed(four, shards=2) == 0
    for path in tmp_path.glob("*.png"):
        os.utime(path, (1, 1))
    assert computed(four) == 0


@pytest.mark.parametrize(
    "change", [{"min_probability": 1.0}, {"quality": {"blurred": {"action": "exclude", "threshold": 1e9}}}]
)
def test_results_of_other_settings_are_not_used(folder, detector, tmp_path, change):
    predict(folder, detector, store=tmp_path)
    table = predict(folder, detector, chosen=settings(**change), store=tmp_path)
    assert table.face_age.isna().all()


@pytest.mark.slow
def test_killed_from_outside_it_goes_on_where_it_was(tmp_path, folder):
    """The command itself, killed with -9 in the middle, and called again."""
    many = tmp_path / "photos"
    many.mkdir()
    Image.fromarray(draw(imagine(50, True, 900))).save(many / "0.jpg")
    for number in range(1, 24):  # bytes after the end of a JPEG make another file of the same picture
        (many / f"{number}.jpg").write_bytes((many / "0.jpg").read_bytes() + bytes([number]))
    photos([f"{number}.jpg" for number in range(24)]).to_parquet(tmp_path / "photos.parquet")
    add_mean_model(tmp_path / "model")
    output = tmp_path / "face_age.parquet"
    code = "import faceage_bio.faces.faceage.predict as p; p.PART_SIZE = 2; from faceage_bio.cli.main import main; main()"
    command = [
        sys.executable, "-c", code, "predict-face-age", "--photos", tmp_path / "photos.parquet",
        "--photo-folder", many, "--model", tmp_path / "model", "--workers", "2", "--set", "faceage.device=cpu", "--output", output,
    ]  # fmt: skip
    silent = subprocess.DEVNULL
    first = subprocess.Popen(command, stdout=silent, stderr=silent, start_new_session=True)
    store = output.with_name("faceage_store")
    deadline = time.monotonic() + 120
    while not list(store.glob("*/*.part")) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    kept = {path: path.stat().st_mtime_ns for path in store.glob("*/*.part")}
    assert kept
    assert not output.exists()
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".tmp"]
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert len(pd.read_parquet(output)) == 24
    assert f"{2 * len(kept)} of 24 photos were computed before" in again.stdout


def test_memory_does_not_grow_with_the_number_of_photos(folder, detector, monkeypatch):
    """No more parts are under way than twice the workers, however many photos wait."""
    set_part_size(monkeypatch, 1)
    started, finished, most = [], [], []

    class Watched(Brightness):
        def predict(self, crops):
            started.append(1)
            most.append(len(started) - len(finished))
            return super().predict(crops)

    predict(folder, detector, ["good one.jpg"] * 12, model=Watched(), progress=finished.append)
    assert len(started) == 12
    assert max(most) <= 3


def test_no_photos_give_an_empty_table(folder, detector):
    table = predict(folder, detector, [])
    assert len(table) == 0
    assert "face_age" in table


@pytest.fixture
def random_model(tmp_path):
    """The folder of a network of FaceAge's architecture with random weights."""
    from faceage_bio.faces.vision.weights import import_weights
    from tests.golden.keras import recipe

    import_weights(recipe.write_h5(tmp_path / "faceage.h5"), tmp_path / "model")
    return tmp_path / "model"


def predict_with(model, folder, device, chosen):
    return predict_face_ages(photos(), folder, partial(load_tools, [model], device, chosen), CARDS, chosen)


def test_bfloat16_says_how_far_it_is_off(folder, random_model):
    exact, short = (
        predict_with(random_model, folder, "cpu", chosen)
        for chosen in (settings(), settings(precision="bfloat16"))
    )
    aged = exact.face_age.notna()
    off = short.face_age[aged] - exact.face_age[aged]
    np.testing.assert_allclose(short.precision_error[aged], off, atol=1e-4)
    assert (short.precision_error[aged] != 0).any()
    assert "precision_error" not in exact
    assert f"{short.precision_error.abs().max():.2f} years" in precision_sentence(short)


@pytest.mark.parametrize(
    ("asked", "device", "n", "found"),
    [
        (8, "cpu", 10, 1),
        (8, "cpu", 70, 3),
        (4, "cpu", 10_000, 4),
        (16, "cuda", 10_000, 24),  # some wait for the GPU while others decode
        (1, "cuda", 10_000, 1),
        (None, "cpu", 10_000, len(os.sched_getaffinity(0))),
    ],
)
def test_workers_are_no_more_than_of_use(asked, device, n, found):
    assert count_workers(asked, device, n) == found


def test_cuda_is_not_pretended(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == "cpu"
    with pytest.raises(RunError, match="finds no CUDA device"):
        choose_device("cuda")


def test_given_face_ages(tmp_path):
    path = tmp_path / "ages.csv"
    path.write_text("subject_id,face_age\n007,61.5\nb,\n")
    table = read_face_ages(path, "c")
    assert list(table.subject_id) == ["007", "b"]
    assert list(table.reason) == ["given", "no_value"]
    assert table.face_age[0] == 61.5


def test_wrong_given_face_ages_are_told_together(tmp_path):
    path = tmp_path / "ages.csv"
    path.write_text("subject_id,face_age\na,61y\na,62\n,63\nb,200\n")
    with pytest.raises(CohortError) as error:
        read_face_ages(path, "c")
    for part in (
        "4 problems",
        "column 'face_age': 1 row(s), line 2: '61y'. Expected a number",
        "line 5: '200'. Expected years above 0, up to 130. Correct it",
        "line 4. This row needs an identifier",
        "column 'subject_id': 2 row(s), line 2: 'a'; line 3: 'a'. It stands more than once",
    ):
        assert part in str(error.value)


@pytest.mark.gpu
def test_gpu_equals_cpu(folder, random_model):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    cpu, cuda = (predict_with(random_model, folder, device, settings()) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(cpu.face_age, cuda.face_age, atol=0.01, equal_nan=True)
    boxes = ["box_x", "box_y", "box_width", "box_height"]
    pd.testing.assert_frame_equal(cpu[boxes], cuda[boxes])
