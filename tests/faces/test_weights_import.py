"""The published Keras file: read by name, strictly, safely, and equal to Keras. Golden: tests/golden/keras."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from faceage_bio.core.errors import WeightsError
from faceage_bio.faces.vision import weights
from faceage_bio.faces.vision.keras_file import read_keras_file
from faceage_bio.faces.vision.models import load_model, read_card
from faceage_bio.faces.vision.weights import import_weights, verify_weights
from tests.golden.keras import recipe
from tests.model_files import GOLDEN


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    return recipe.write_h5(tmp_path_factory.mktemp("keras") / "faceage_model.h5")


@pytest.fixture(scope="module")
def model(file, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    import_weights(file, folder)
    return folder


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("reference") / "reference.npz"
    np.savez(path, inputs=recipe.inputs(), ages=np.array(GOLDEN["ages"]))
    return path


def same_state(path: Path, file: Path) -> bool:
    one, other = read_keras_file(path), read_keras_file(file)
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def test_ages_equal_keras(model, reference):
    agreement = verify_weights(model, reference)
    assert agreement.n == recipe.N_INPUTS
    assert agreement.largest < 1e-3  # 3.8e-5 was seen on Keras's own file


def test_every_stored_number_is_used(model):
    assert read_card(model)["parameters"] == GOLDEN["parameters"] == 22_825_169


def test_batch_size_does_not_matter(model, reference, monkeypatch):
    monkeypatch.setattr(weights, "BATCH", 1)
    assert verify_weights(model, reference).largest < 1e-3


def test_a_single_changed_number_is_seen(file, model, reference, tmp_path):
    kernel = recipe.tensors()["dense_2", "kernel"] * 1.01
    changed = recipe.write_h5(tmp_path / "changed.h5", replace={"dense_2/kernel": kernel})
    import_weights(changed, tmp_path / "model")
    assert verify_weights(tmp_path / "model", reference).largest > 1e-3


def test_card_says_what_it_is(model, file):
    card = read_card(model)
    assert card["kind"] == "faceage"
    assert card["source_sha256"] != card["sha256"]
    assert "not for clinical" in card["notice"]
    assert str(file.parent) not in json.dumps(card)


@pytest.mark.parametrize(
    "changes",
    [
        {"suffix": ""},
        {"root": ""},
        {"root": "anything/deeper"},
        {"head": ("dense_3", "batch_normalization_7", "dense_4")},
        {"model_config": False},
    ],
    ids=["no_colon_zero", "weights_only", "deeper_groups", "renumbered_head", "no_description"],
)
def test_layers_are_found_whatever_is_around_them(changes, file, tmp_path):
    assert same_state(recipe.write_h5(tmp_path / "variant.h5", **changes), file)


def test_scope_counters_of_tensorflow_1_are_understood(file, tmp_path):
    renamed = tmp_path / "renamed.h5"
    with h5py.File(file) as source, h5py.File(renamed, "w") as target:
        group = target.require_group("model_weights/inception_resnet_v1_2")
        for name, layer in source["model_weights/inception_resnet_v1"].items():
            source.copy(layer, group, name=f"{name}_1" if name.startswith("Conv2d") else name)
        for name in ("dense_1", "dense_1_BatchNorm", "dense_2"):
            source.copy(f"model_weights/{name}", target["model_weights"])
    assert same_state(renamed, file)


@pytest.mark.parametrize(
    ("replace", "message"),
    [
        ({"Block17_3_Conv2d_1x1/bias": None}, r"1 missing: backbone\.repeat_2\.2\.conv2d\.bias"),
        ({"Conv2d_1a_3x3/kernel": np.zeros((3, 3, 4, 32), "f4")}, r"of another shape: backbone\.conv2d_1a\.conv\.weight is \(32, 4, 3, 3\)"),
        ({"dense_1/bias": np.full(128, np.nan, "f4")}, "not finite"),
        ({"dense_1/bias": np.array([b"x"] * 128)}, r"1 tensor.s. that a FaceAge file does not have: .*has type .*Expected plain layers of numbers"),
        ({"Conv2d_1a_3x3_BatchNorm/moving_variance": np.full(32, -1, "f4")}, r"not the weights of the FaceAge network. Tensors .*negative variances.*Fetch that file"),
        ({"dense_1/kernel": None, "dense_1/bias": None}, "head of the network was not found"),
        ({"dense_1/kernel": np.zeros((512, 128), "f4")}, "head of the network was not found"),
    ],
    ids=["missing", "shape", "finite", "words", "variance", "no_head", "512_units"],
)  # fmt: skip
def test_wrong_tensors_are_named(replace, message, tmp_path):
    with pytest.raises(WeightsError, match=message):
        read_keras_file(recipe.write_h5(tmp_path / "wrong.h5", replace=replace))


def test_another_residual_scale_is_refused(tmp_path):
    description = recipe.describe()
    layer = description["config"]["layers"][0]["config"]["layers"][20]
    layer["config"]["arguments"]["scale"] = 0.2  # as two public ports have it
    message = r"describes another network: .*Block8_6_ScaleSum scales by 0\.2, expected 1\.0.*Expected that of faceage_model.h5"
    with pytest.raises(WeightsError, match=message):
        read_keras_file(recipe.write_h5(tmp_path / "scale.h5", description=description))


def add_tensor(file):
    kernel = np.zeros((1, 1, 96, 256), "f4")
    file["model_weights/inception_resnet_v1/Block35_6_Conv2d_1x1/kernel:0"] = kernel


def damage_description(file):
    file.attrs["model_config"] = "{"


def add_link(file):
    del file[BIAS]
    file[BIAS] = h5py.ExternalLink("/etc/passwd", "/x")


def add_huge_tensor(file):
    del file[BIAS]
    file.create_dataset(BIAS, shape=(10**12,), dtype="f4", chunks=(1024,))


BIAS = "model_weights/dense_1/dense_1/bias:0"


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (add_tensor, r"head of the network|1 unknown"),
        (
            damage_description,
            r"its model_config is not JSON. Expected a whole file, and this one is damaged. Fetch",
        ),
        (add_link, "is a link to another place or file"),
        (add_huge_tensor, r"shape \(1000000000000,\)"),  # refused unread
    ],
)
def test_a_file_that_holds_something_else_is_refused(tmp_path, harm, message):
    path = recipe.write_h5(tmp_path / "other.h5", description=recipe.describe())
    with h5py.File(path, "a") as file:
        harm(file)
    with pytest.raises(WeightsError, match=message):
        read_keras_file(path)


@pytest.mark.parametrize("content", [b"", b"not hdf5 at all", b"PK\x03\x04 a zip", "truncated"])
def test_other_files_are_refused(content, file, tmp_path):
    path = tmp_path / "other.h5"
    path.write_bytes(file.read_bytes()[: file.stat().st_size // 2] if content == "truncated" else content)
    with pytest.raises(WeightsError, match="not a readable HDF5 file"):
        read_keras_file(path)


def test_pickled_code_is_never_run(tmp_path, monkeypatch):
    import marshal

    def refuse(*_):
        raise AssertionError("bytecode was read")

    path = recipe.write_h5(tmp_path / "lambda.h5")
    read_keras_file(path)  # imports what it needs, which is bytecode too
    monkeypatch.setattr(marshal, "loads", refuse)
    assert read_keras_file(path)


def test_nothing_is_left_behind_by_a_failed_import(tmp_path):
    path = recipe.write_h5(tmp_path / "wrong.h5", replace={"Bottleneck/kernel": None})
    with pytest.raises(WeightsError, match="1 missing: "):
        import_weights(path, tmp_path / "model")
    assert not (tmp_path / "model").exists() or not list((tmp_path / "model").iterdir())


def test_changed_weights_are_not_loaded(file, tmp_path):
    import_weights(file, tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(WeightsError, match="was changed or damaged"):
        load_model(tmp_path / "model")


def test_another_model_is_not_overwritten(model, tmp_path):
    other = recipe.write_h5(tmp_path / "other.h5", seed=1)
    with pytest.raises(WeightsError, match="already holds a model"):
        import_weights(other, model)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"inputs": np.zeros((2, 160, 160, 3))}, "expected the arrays `inputs` and `ages`"),
        ({"inputs": np.zeros((2, 3, 160, 160)), "ages": np.zeros(2)}, "expected inputs of shape"),
        ({"inputs": np.zeros((2, 160, 160, 3)), "ages": np.zeros(3)}, "expected inputs of shape"),
    ],
)
def test_a_reference_of_another_form_is_refused(arrays, message, model, tmp_path):
    np.savez(tmp_path / "reference.npz", **arrays)
    with pytest.raises(WeightsError, match=message):
        verify_weights(model, tmp_path / "reference.npz")


def test_a_reference_that_is_none_is_refused(model, tmp_path):
    (tmp_path / "text.npz").write_text("ages")
    np.savez(tmp_path / "nan.npz", inputs=np.zeros((1, 160, 160, 3)), ages=np.array([np.nan]))
    for name, message in {
        "absent": r"absent.npz: no such file. Expected a reference, an .npz file. Check the path",
        "text": r"text.npz: not a NumPy .npz file of plain arrays .*Expected the arrays .inputs. and .ages.",
        "nan": r"the model gives ages that are not finite on the reference crops. Expected numbers",
    }.items():
        with pytest.raises(WeightsError, match=message):
            verify_weights(model, tmp_path / f"{name}.npz")


def test_an_absent_file_and_one_without_layers_are_refused(tmp_path):
    message = r"absent.h5: no such file. Expected the Keras file faceage_model.h5. Fetch it"
    with pytest.raises(WeightsError, match=message):
        read_keras_file(tmp_path / "absent.h5")
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file.create_group("model_weights")
    message = r"empty.h5: an HDF5 file without weights. Expected the Keras file faceage_model.h5. Fetch"
    with pytest.raises(WeightsError, match=message):
        read_keras_file(tmp_path / "empty.h5")
