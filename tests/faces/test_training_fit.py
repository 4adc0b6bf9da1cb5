"""Fits: repeated by a run that was killed, the same on one and two processes, stopped with the last good weights."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from facenet_pytorch import InceptionResnetV1
from safetensors.torch import load_file

from faceage_bio.core.errors import RunError, TableError, WeightsError
from faceage_bio.core.settings.settings_training import Augmentation, Fit, Training
from faceage_bio.core.tables import read_json, read_table, write_json, write_table
from faceage_bio.demo.simulated_cohorts import make_labelled_photos
from faceage_bio.faces.training import evaluation
from faceage_bio.faces.training.curation import check_unseen, keyed_hashes
from faceage_bio.faces.training.evaluation import accuracies, accuracy_table, note_evaluation, person_weights
from faceage_bio.faces.training.faces import FaceStore, keep_part
from faceage_bio.faces.training.labelled_photos import (
    EpochOrder,
    Faces,
    age_weights,
    augment,
    training_loader,
)
from faceage_bio.faces.vision.face_input import FaceInput
from faceage_bio.faces.vision.models import load_model
from faceage_bio.faces.vision.transformer import build

pytest.importorskip("pytorch_lightning")
pytest.importorskip("timm")
from faceage_bio.faces.training import fitting
from faceage_bio.faces.training.fitting import ERROR, fit_model
from faceage_bio.faces.training.networks import make_network, write_model
from tests.commands import invoked, output_of

TINY = {"patch": 8, "depth": 1, "width": 16, "heads": 2}
HOW = FaceInput(size=32)


def settings(**fit) -> Training:
    chosen = {
        "network": TINY, "batch_size": 8, "max_epochs": 3, "learning_rate": 0.003, "plateau_patience": 0, "accelerator": "cpu",
    }  # fmt: skip
    return Training(name="tiny", sources=[{"name": "s", "kind": "table", "path": "l.tsv"}], fit=chosen | fit)


def prepare_faces(folder, n, training, how):
    """Faces that are brighter on the left the older they are."""
    random = np.random.default_rng(2)
    ages = random.uniform(20, 90, n)
    crops = []
    for age in ages:
        face = random.integers(60, 120, (how.size, how.size, 3))
        face[:, : how.size // 2] += round(age)
        crops.append(face.astype(np.uint8))
    (folder / "faces").mkdir()
    rows = keep_part(folder / "faces" / "part-00000.npy", [{"row": k} for k in range(n)], crops, how, "key")
    photos = rows[["row"]].assign(part=0, age=ages, content_hash=[f"{k:064x}" for k in range(n)])
    side = np.where(np.arange(n) < training, "training", "validation")
    write_table(photos, folder / "photos.parquet")
    write_table(pd.DataFrame({"place": range(n), "side": side, "person": range(n)}), folder / "split.parquet")
    write_table(pd.DataFrame({"step": ["all"], "n_excluded": [0], "n_left": [n]}), folder / "flow.tsv")
    sides = {"training": training, "validation": n - training}
    description = {"n_photos": n, "n_persons": n, "sides": sides, "input": how.declared()}
    write_json(description | {"leak": {"place": 0, "person": 0}}, folder / "prepared.json")
    return folder


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepare_faces(tmp_path_factory.mktemp("prepared"), 48, 32, HOW)


@pytest.fixture(scope="module")
def whole(prepared, tmp_path_factory):
    """A run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    fit_model(settings(), prepared, folder)
    return folder


def losses(folder):
    return read_table(folder / "history.tsv").drop(columns="seconds")


def at(monkeypatch, epoch, error):
    """Let the second batch of an epoch fail."""
    step = fitting.Regression.training_step

    def fails(self, batch, number):
        if self.current_epoch == epoch and number == 1:
            raise error
        return step(self, batch, number)

    monkeypatch.setattr(fitting.Regression, "training_step", fails)


# ------------------------------------------------------------------ runs


def test_a_run_that_was_killed_goes_on_with_the_losses_that_it_would_have_had(
    prepared, whole, tmp_path, monkeypatch
):
    with monkeypatch.context() as patch:
        at(patch, 2, RuntimeError("killed"))
        with pytest.raises(RuntimeError, match="killed"):
            fit_model(settings(), prepared, tmp_path)
    assert len(losses(tmp_path)) == 2
    fit_model(settings(workers=0), prepared, tmp_path)
    pd.testing.assert_frame_equal(losses(tmp_path), losses(whole), rtol=0, atol=1e-6)
    assert losses(whole).learning_rate.nunique() > 1  # the schedule was part of it
    faces = np.random.default_rng(3).integers(0, 255, (2, 32, 32, 3), np.uint8)
    ages = [load_model(folder / "model").predict(faces) for folder in (tmp_path, whole)]
    np.testing.assert_allclose(*ages, atol=1e-5)


def test_the_model_is_that_of_the_least_validation_error(prepared, whole):
    history, card = losses(whole), read_json(whole / "model" / "card.json")
    assert card["training"]["best_epoch"] == history.epoch[history[ERROR].idxmin()]
    photos = read_table(prepared / "photos.parquet").iloc[32:]
    store = FaceStore(prepared)
    years = load_model(whole / "model").predict(np.stack([store.face(0, row) for row in photos["row"]]))
    assert np.abs(years - photos.age).mean() == pytest.approx(history[ERROR].min(), abs=1e-3)
    assert (card["kind"], card["input"]["size"]) == ("transformer", 32)
    assert len(card["used"]["photos"]["hashes"]) == 48
    assert sorted(item.name for item in (whole / "logs" / "attempt_1").iterdir())[-1] == "metrics.csv"
    assert any("tfevents" in item.name for item in (whole / "logs" / "attempt_1").iterdir())


@pytest.mark.slow
def test_two_processes_compute_what_one_does(prepared, tmp_path):
    alone, both = tmp_path / "alone", tmp_path / "both"
    fit_model(settings(max_epochs=2), prepared, alone)
    fit_model(settings(max_epochs=2, devices=2), prepared, both)
    pd.testing.assert_frame_equal(losses(both), losses(alone), rtol=0, atol=1e-4)


WAYS = [
    {"precision": "bf16-mixed"},
    {"accumulate": 2},
    {"loss": "huber", "huber_delta": 3.0},
    {"balance": "none"},
]


@pytest.mark.parametrize("fit", WAYS, ids=str)
def test_each_way_of_fitting_ends_with_a_model(prepared, tmp_path, fit):
    fit_model(settings(max_epochs=1, **fit), prepared, tmp_path)
    assert np.isfinite(losses(tmp_path)).all(axis=None)
    assert (tmp_path / "model" / "model.safetensors").exists()


def test_training_stops_where_the_error_stays(prepared, tmp_path):
    fit_model(settings(max_epochs=9, stop_patience=2, learning_rate=1e-12), prepared, tmp_path)
    assert 3 <= len(losses(tmp_path)) < 9


def test_hubers_loss_is_linear_beyond_its_delta():
    fit = settings(loss="huber", huber_delta=2.0).fit
    module = fitting.Regression(make_network(fit, HOW, 50, 10), fit)
    found = module.loss(torch.tensor([1.0, 10.0]), torch.zeros(2))
    assert float(found) == pytest.approx((0.5 * 1 + 2 * (10 - 1)) / 2)


def test_a_run_goes_on_with_its_own_settings_alone(prepared, whole, tmp_path):
    with pytest.raises(RunError, match="this run has ended and its model is there"):
        fit_model(settings(), prepared, whole)
    (tmp_path / "settings.json").write_text((whole / "settings.json").read_text())
    with pytest.raises(RunError, match=r"holds a run of other settings or photos.*max_epochs.* may differ"):
        fit_model(settings(learning_rate=0.1), prepared, tmp_path)
    again = tmp_path / "again"
    shutil.copytree(prepared, again)
    photos = read_table(again / "photos.parquet")
    write_table(photos.assign(age=photos["age"].to_numpy()[::-1]), again / "photos.parquet")
    with pytest.raises(RunError, match="holds a run of other settings or photos"):
        fit_model(settings(), again, tmp_path)
    (again / "faces" / "part-00000.npy").unlink()
    message = r"part-00000.npy: missing, or other than its checksum says. Expected the part as it was"
    with pytest.raises(RunError, match=message):
        fit_model(settings(), again, tmp_path / "new")
    with pytest.raises(RunError, match=r"no prepared.json. Expected a folder that"):
        fit_model(settings(), tmp_path, tmp_path)


def test_a_loss_that_is_no_number_stops_and_the_last_good_weights_are_kept(prepared, tmp_path, monkeypatch):
    at(monkeypatch, 1, fitting.NotFinite())
    message = r"the loss was no number any more in epoch 2; the weights of epoch 1 are kept in .*model"
    with pytest.raises(RunError, match=message):
        fit_model(settings(), prepared, tmp_path / "run")
    expected = "the loss was no number any more"
    assert read_json(tmp_path / "run" / "model" / "card.json")["training"]["stopped"] == expected
    assert load_model(tmp_path / "run" / "model").predict(
        np.random.default_rng(1).integers(0, 255, (1, 32, 32, 3), np.uint8)
    ).shape == (1,)
    at(monkeypatch, 0, fitting.NotFinite())
    with pytest.raises(RunError, match="before the first epoch ended, so there are no weights to keep"):
        fit_model(settings(), prepared, tmp_path / "other")


def test_an_infinite_loss_is_found(prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(fitting.Regression, "loss", lambda self, years, ages: years.sum() * torch.inf)
    with pytest.raises(RunError, match="no number any more before the first epoch"):
        fit_model(settings(), prepared, tmp_path)


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory"), MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:118] . DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        RuntimeError("DataLoader worker (pid 17) is killed by signal: Killed. "),
    ],
    ids=["cuda", "numpy", "cpu", "loader"],
)  # fmt: skip
def test_too_little_memory_is_told(prepared, tmp_path, monkeypatch, error):
    at(monkeypatch, 0, error)
    with pytest.raises(RunError, match=r"memory ran out with batches of 8 faces.*Set fit.batch_size to half"):
        fit_model(settings(), prepared, tmp_path)


# ------------------------------------------------------------------ networks


def test_frozen_layers_stay_as_they_are(prepared, whole, tmp_path):
    chosen = settings(start_from=str(whole / "model"), freeze=["blocks", "patch_embed"], max_epochs=1)
    fit_model(chosen, prepared, tmp_path)
    before, after = (load_model(folder / "model") for folder in (whole, tmp_path))
    one, other = (load_file(folder / "model" / "model.safetensors") for folder in (whole, tmp_path))
    frozen = [name for name in one if name.startswith(("blocks", "patch_embed"))]
    assert all(torch.equal(one[name], other[name]) for name in frozen)
    assert not torch.equal(one["head.weight"], other["head.weight"])
    assert before.card["years"] == after.card["years"]


def test_running_means_of_frozen_layers_stay(tmp_path):
    fit = Fit(network={"timm": "test_resnet"}, freeze=["layer1", "bn1"], accelerator="cpu")
    network = make_network(fit, FaceInput(size=64), 50, 10)
    module = fitting.Regression(network, fit).train()
    module.on_train_epoch_start()
    buffers = dict(network.network.named_buffers())
    before = {name: value.clone() for name, value in buffers.items() if name.endswith("running_mean")}
    network(torch.randn(4, 3, 64, 64))
    moved = {name for name, value in before.items() if not torch.equal(buffers[name], value)}
    assert moved
    assert not any(name.startswith(("layer1", "bn1")) for name in moved)


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        ({"network": {"patch": 8}}, r"fit.network: .*give either timm .*Correct it"),
        ({"freeze": ["blocks", "stem"]}, r"fit.freeze: stem begin\(s\) no name of a layer. Expected such as"),
        (
            {"network": "inception_resnet_v1"},
            "input has 32 pixels .*Expected at least 80 pixels and per_photo",
        ),
    ],
)
def test_a_network_that_cannot_be_is_told(fit, message):
    with pytest.raises(WeightsError, match=message):
        make_network(settings(**fit).fit, HOW, 50, 10)


def test_a_start_of_another_architecture_is_refused(tmp_path):
    torch.save(build(TINY | {"depth": 2}, 32).state_dict(), tmp_path / "deep.pth")
    message = r"of another architecture. It lacks 0 of .* and has 12 that do not fit \(blocks.1"
    with pytest.raises(WeightsError, match=message):
        make_network(settings(start_from=str(tmp_path / "deep.pth")).fit, HOW, 50, 10)
    state = build(TINY, 32).state_dict() | {"head.weight": torch.zeros(7, 16), "head.bias": torch.zeros(7)}
    torch.save(state, tmp_path / "classes.pth")
    network = make_network(settings(start_from=str(tmp_path / "classes.pth")).fit, HOW, 50, 10).network
    assert torch.equal(network.cls_token, state["cls_token"])
    assert network.head.weight.shape == (1, 16)


@pytest.fixture
def recognition(tmp_path):
    """The weights of a network for face recognition, saved as vggface.pt."""
    torch.manual_seed(3)
    state = InceptionResnetV1(pretrained=None, classify=False).state_dict()
    torch.save(state, tmp_path / "vggface.pt")
    return state


def test_inception_resnet_starts_from_a_face_recognition_file_and_becomes_a_model_folder(
    tmp_path, recognition
):
    fit, how = Fit(start_from=str(tmp_path / "vggface.pt")), FaceInput(size=96)
    network = make_network(fit, how, 57.5, 10)
    weight = network.network.backbone.repeat_2[0].branch0.conv.weight
    assert torch.equal(weight, recognition["repeat_2.0.branch0.conv.weight"])
    write_model(network, fit, how, tmp_path / "model", {"name": "own", "synthetic": True})
    crops = np.random.default_rng(1).integers(0, 255, (2, 96, 96, 3), np.uint8)
    model = load_model(tmp_path / "model")
    pixels = (crops - crops.mean((1, 2, 3), keepdims=True)) / crops.std((1, 2, 3), keepdims=True)
    with torch.no_grad():
        expected = network(torch.tensor(pixels.transpose(0, 3, 1, 2), dtype=torch.float32))
    np.testing.assert_allclose(model.predict(crops), expected, atol=1e-3)
    assert (model.card["kind"], model.card["name"]) == ("faceage", "own")


@pytest.mark.slow
def test_inception_resnet_is_fitted_with_frozen_stages_and_a_killed_run_repeats_its_losses(
    tmp_path, monkeypatch, recognition
):
    faces = tmp_path / "faces"
    faces.mkdir()
    prepare_faces(faces, 12, 8, FaceInput(size=80))
    frozen = ["conv2d", "repeat_1", "mixed_6a", "repeat_2"]
    chosen = settings(
        network="inception_resnet_v1", start_from=str(tmp_path / "vggface.pt"), freeze=[f"backbone.{stage}" for stage in frozen],
        batch_size=4, max_epochs=2, balance="none",
    )  # fmt: skip
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    fit_model(chosen, faces, whole)
    with monkeypatch.context() as patch:
        at(patch, 1, RuntimeError("killed"))
        with pytest.raises(RuntimeError, match="killed"):
            fit_model(chosen, faces, killed)
    fit_model(chosen, faces, killed)
    assert len(losses(killed)) == 2
    pd.testing.assert_frame_equal(losses(killed), losses(whole), rtol=0, atol=1e-6)
    states = [load_file(folder / "model" / "model.safetensors") for folder in (whole, killed)]
    assert all(torch.allclose(states[0][name], states[1][name], atol=1e-6) for name in states[0])
    fitted = {name: states[0].get(f"backbone.{name}", start) for name, start in recognition.items()}
    moved = {
        name.split(".")[0]
        for name, start in recognition.items()
        if fitted[name].shape == start.shape and not torch.equal(fitted[name], start)
    }
    # running means of frozen stages stay too; last_linear and last_bn have other shapes in FaceAge
    assert moved == {"mixed_7a", "repeat_3", "block8"}
    assert load_model(whole / "model").card["training"]["fit"]["freeze"] == chosen.fit.freeze


# ------------------------------------------------------------------ order and augmentation


def test_each_band_of_age_is_drawn_equally_often():
    ages = np.array([20] * 10 + [21] * 10 + [60] * 2 + [90])
    weights = age_weights(ages, 10)
    assert [weights[ages // 10 == band].sum() for band in (2, 6, 9)] == pytest.approx([1 / 3] * 3)


def test_the_batch_of_two_processes_is_that_of_one():
    one = list(EpochOrder(40, age_weights(np.arange(40) % 3, 1), 5))
    pair = [list(EpochOrder(40, age_weights(np.arange(40) % 3, 1), 5, rank, 2)) for rank in (0, 1)]
    assert [pair[k % 2][k // 2] for k in range(40)] == one
    again = EpochOrder(40, None, 5)
    assert sorted(row for _, _, row in again) == list(range(40))
    first = list(again)
    again.set_epoch(1)
    assert list(again) != first


def test_loading_does_not_depend_on_the_number_of_workers(prepared):
    table = read_table(prepared / "photos.parquet")
    faces = Faces(FaceStore(prepared), table, HOW, Augmentation(), 1)
    batches = [list(training_loader(faces, settings(workers=workers).fit, 1)) for workers in (0, 2)]
    for (one, ages), (other, theirs) in zip(*batches, strict=True):
        assert torch.equal(one, other)
        assert torch.equal(ages, theirs)


def test_augmentation_stays_in_its_ranges_and_changes_from_epoch_to_epoch():
    face = np.zeros((64, 64, 3), np.uint8)
    face[30:34, 30:34] = 200
    found = [augment(face, Augmentation(), 1, epoch, 7) for epoch in range(30)]
    assert len({one.tobytes() for one in found}) > 25
    centres = np.array([np.argwhere(one[:, :, 0] > 50).mean(axis=0) for one in found])
    assert np.abs(centres - 31.5).max() <= 6.4 + 1.5
    assert np.abs(centres - 31.5).max() > 3
    still = Augmentation(rotation=0, shift=0, shear=0, zoom=0, flip=False)
    np.testing.assert_array_equal(augment(face, still, 1, 0, 0), face)


# ------------------------------------------------------------------ evaluation


def judged(persons=60, each=1, seed=4):
    random = np.random.default_rng(seed)
    age = random.uniform(30, 80, persons)
    table = pd.DataFrame({
        "age": age, "person": np.arange(persons), "sex": random.choice(["female", "male"], persons), "race": "",
        "face_age": age * 0.8 + 14 + random.normal(0, 5, persons), "face_age_2": age + 4 + random.normal(0, 9, persons),
    })  # fmt: skip
    return pd.concat([table] * each, ignore_index=True)


def test_measures_are_those_of_their_formulas():
    table = judged()
    measured = accuracies(table.face_age.to_numpy(), table.age.to_numpy(), np.ones((1, 60)))
    error = table.face_age - table.age
    expected = {
        "mean absolute error": error.abs().mean(),
        "mean error": error.mean(),
        "root mean squared error": np.sqrt((error**2).mean()),
        "correlation": np.corrcoef(table.face_age, table.age)[0, 1],
        "slope": np.polyfit(table.age, error, 1)[0],
    }
    assert {name: measured[name][0] for name in expected} == pytest.approx(expected)


def test_further_photos_of_the_same_persons_do_not_narrow_an_interval():
    names, columns = ["a", "b"], ["face_age", "face_age_2"]
    once, often = (accuracy_table(judged(each=each), names, columns, 1) for each in (1, 5))
    assert often.n[0] == 5 * once.n[0]
    for one, other in zip(once.itertuples(), often.itertuples(), strict=True):
        expected = (one.ci_lower, one.ci_upper, one.persons)
        assert (other.ci_lower, other.ci_upper, other.persons) == pytest.approx(expected, nan_ok=True)


def test_differences_are_paired_and_groups_are_shown():
    table = accuracy_table(judged(300), ["a", "b"], ["face_age", "face_age_2"], 1)
    whole = table[(table.measure == "difference in mean absolute error") & (table.subgroup == "all")].iloc[0]
    assert (whole.term, whole.reference) == ("b", "a")
    assert 0 < whole.ci_lower < whole.estimate < whole.ci_upper
    assert set(table.subgroup) == {"all", "30-39", "40-49", "50-59", "60-69", "70-79", "female", "male"}
    few = judged(300).assign(sex=["female"] * 4 + ["male"] * 296)
    alone = accuracy_table(few, ["a"], ["face_age"], 1)
    assert alone[alone.subgroup == "female"].status.tolist() == ["not_estimated"]
    assert (alone[alone.subgroup == "male"].status == "ok").all()
    weights = person_weights(np.array([4, 4, 9]), 50, 1)
    assert (weights[:, 0] == weights[:, 1]).all()


def test_a_model_does_not_validate_on_photos_that_it_has_seen(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(name.encode() * 50)
    from faceage_bio.faces.faceage.store import content_of

    photos = keyed_hashes([content_of(tmp_path / "a")])
    card = {"name": "own", "used": {"photos": photos, "cohorts": ["training and validation photos"]}}
    check_unseen(card, [tmp_path / "b", tmp_path / "none"], "north")
    check_unseen({"name": "FaceAge"}, [tmp_path / "a"], "north")
    message = r"cohort 'north': 1 of 2 photos trained or chose the model own .*Take this cohort out"
    with pytest.raises(WeightsError, match=message):
        check_unseen(card, [tmp_path / "a", tmp_path / "b"], "north")
    other = keyed_hashes([content_of(tmp_path / "a")])
    assert not set(other["hashes"]) & set(card["used"]["photos"]["hashes"])  # each card has a key of its own

    write_json(card, tmp_path / "run" / "model" / "card.json")
    rows = accuracy_table(judged(), ["own"], ["face_age"], 1)
    followed = pd.DataFrame({"path": [str(tmp_path / "c")]})
    noted = note_evaluation(tmp_path / "run", rows, followed, "hospital")
    assert noted["used"]["cohorts"] == ["training and validation photos", "hospital"]
    assert {"mean absolute error", "slope"} <= {row["measure"] for row in noted["metrics"]}
    with pytest.raises(WeightsError, match=r"1 of 1 photos .*training and validation photos, hospital"):
        check_unseen(noted, [tmp_path / "c"], "south")


# ------------------------------------------------------------------ all of it


@pytest.mark.slow
def test_the_commands_from_labelled_photos_to_a_page(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    make_labelled_photos(tmp_path, persons=16, followed=10, seed=1)
    with (tmp_path / "labels.tsv").open("a") as labels:
        labels.write("photos/none.jpg\t50\tnobody\tmale\n")
    text = (tmp_path / "train.yaml").read_text()
    for old, new in {
        "max_epochs: 24": "max_epochs: 1",
        "size: 96": "size: 64",
        "test: 0.15": "test: 0.35",
    }.items():
        text = text.replace(old, new)
    (tmp_path / "train.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    told = output_of("train prepare --config train.yaml --output prepared --workers 1")
    assert "16 persons; faces by side: training 14, validation 6, test 12" in told
    assert "epoch 1 of 1" in output_of("train fit --config train.yaml --prepared prepared --output run")
    written = tmp_path / "run" / "model"
    shutil.copytree(written, tmp_path / "incumbent")
    card = read_json(tmp_path / "incumbent" / "card.json")
    write_json(card | {"name": "incumbent"}, tmp_path / "incumbent" / "card.json")
    output_of(
        "train evaluate --run run --prepared prepared --incumbent incumbent --followed followed.tsv"
        " --cohort hospital --workers 1"
    )
    accuracy = read_table(tmp_path / "run" / "accuracy.tsv")
    apart = accuracy[accuracy.measure == "difference in mean absolute error"]
    assert apart.estimate.dropna().eq(0).all()  # the same weights
    expected = {"accuracy of age models", "prognosis of age models"}
    assert set(read_table(tmp_path / "run" / "prognosis.tsv").question) == expected
    page = (tmp_path / "run" / "report.html").read_text()
    assert page.count("<svg") == 3
    assert "1 file cannot be read" in page
    assert "16 persons from portraits" in page
    assert not re.search(r"\bnan\b", page)
    card = read_json(written / "card.json")
    assert card["used"]["cohorts"][-1] == "hospital"
    done = invoked(f"train evaluate --run r --prepared p --followed {tmp_path / 'followed.tsv'}")
    assert "--followed needs --incumbent. Expected the model folder to compare with" in str(done.exception)
    gone = pd.DataFrame({"path": [str(tmp_path / "nowhere.jpg")]})
    with pytest.raises(TableError, match=r"1 of 1 photos are not there .*Expected files. Correct the paths"):
        evaluation.prognosis(gone, tmp_path / "run", tmp_path / "incumbent", "hospital")
    broken = read_table(tmp_path / "prepared" / "photos.parquet").assign(path=str(tmp_path / "labels.tsv"))
    write_table(broken, tmp_path / "prepared" / "photos.parquet")
    message = r"photos has an age by .*Expected most of them. Look at the models' inputs"
    with pytest.raises(TableError, match=message):
        evaluation.evaluate(tmp_path / "run", tmp_path / "prepared", None, seed=1)
    assert card["metrics"]
