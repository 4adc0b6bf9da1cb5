"""A second age model: any TorchScript or ONNX regressor with a card."""

import sys
import warnings

import numpy as np
import pytest
import torch

from faceage_bio.core.errors import WeightsError
from faceage_bio.core.tables import read_json, write_json
from faceage_bio.faces.vision.face_input import STANDARDISATIONS, TEMPLATE, FaceInput, input_of, prepare
from faceage_bio.faces.vision.models import load_model
from faceage_bio.faces.vision.other_models import add_model
from tests.commands import output_of
from tests.model_files import onnx_file

ZERO_TO_ONE = FaceInput(standardisation="zero_to_one")
CROPS = np.random.default_rng(5).integers(0, 256, (5, 160, 160, 3), np.uint8)


class Ages(torch.nn.Module):
    """20 years, and 60 more for a white picture; ``shape`` is that of the output."""

    def __init__(self, column: bool = False, per_year: float = 60.0):
        super().__init__()
        self.column, self.per_year = column, per_year

    def forward(self, crops):
        years = 20 + self.per_year * crops.mean(dim=(1, 2, 3))
        return years[:, None] if self.column else years


def torchscript(path, module, size=160):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.trace(module, torch.zeros(2, 3, size, size)).save(str(path))
    return path


@pytest.mark.parametrize("kind", ["torchscript", "column", "onnx"])
@pytest.mark.parametrize("size", [160, 112, 224])
def test_a_model_gives_the_ages_that_its_file_computes(tmp_path, kind, size):
    if kind == "onnx":
        pytest.importorskip("onnxruntime")
        path = onnx_file(tmp_path / "ages.onnx", size)
    else:
        path = torchscript(tmp_path / "ages.pt", Ages(kind == "column"), size)
    card = add_model(
        path,
        tmp_path / "model",
        name="Other",
        face_input=FaceInput(size=size, standardisation="zero_to_one"),
        source="here",
        trust=True,
    )
    model = load_model(tmp_path / "model")
    assert model.card == read_json(tmp_path / "model" / "card.json") == card
    crops = (
        CROPS[:, :112, :112]
        if size == 112
        else np.repeat(CROPS, 2, axis=1)[:, :224].repeat(2, axis=2)[:, :, :224]
        if size == 224
        else CROPS
    )
    ages = model.predict(crops)
    assert ages.shape == (5,)
    np.testing.assert_allclose(ages, 20 + 60 * crops.mean(axis=(1, 2, 3)) / 255, atol=1e-3)


@pytest.mark.parametrize("standardisation", STANDARDISATIONS)
def test_each_standardisation_does_what_the_card_says(standardisation):
    values = prepare(CROPS, standardisation).transpose(0, 2, 3, 1)
    whole = CROPS.astype(float)
    expected = {
        "per_photo": (whole - whole.mean((1, 2, 3), keepdims=True)) / whole.std((1, 2, 3), keepdims=True),
        "imagenet": (whole / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
        "zero_to_one": whole / 255,
        "minus_one_to_one": whole / 127.5 - 1,
    }[standardisation]
    np.testing.assert_allclose(values, expected, atol=1e-5)


def test_what_gives_no_ages_is_refused_and_nothing_is_written(tmp_path):
    add = {"name": "x", "face_input": ZERO_TO_ONE, "source": "", "trust": True}
    cases = {
        "years for trial faces": torchscript(tmp_path / "a.pt", Ages(per_year=1e4)),
        "not a TorchScript file": tmp_path / "b.pt",
        "not an ONNX model that can run here": tmp_path / "c.onnx",
        "expected an existing file ending in": tmp_path / "d.h5",
    }
    (tmp_path / "b.pt").write_bytes(b"nothing")
    (tmp_path / "c.onnx").write_bytes(b"nothing")
    for message, path in cases.items():
        with pytest.raises(WeightsError, match=message):
            add_model(path, tmp_path / "model", **add)
    assert not list(tmp_path.glob("model/*"))


def test_a_program_runs_only_with_trust(tmp_path):
    path = torchscript(tmp_path / "a.pt", Ages())
    message = r"a TorchScript file is a program, which runs with your rights .*Expected --trust"
    with pytest.raises(WeightsError, match=message):
        add_model(path, tmp_path / "model", name="x", face_input=ZERO_TO_ONE, source="")
    assert not (tmp_path / "model").exists()


def test_a_model_that_wants_another_size_is_told_so(tmp_path):
    path = onnx_file(tmp_path / "ages.onnx", 112)
    message = r"expected one age in years for each of 1 faces of shape \(3, 160, 160\)"
    with pytest.raises(WeightsError, match=message):
        add_model(path, tmp_path / "model", name="x", face_input=ZERO_TO_ONE, source="")
    assert not list(tmp_path.glob("model/*"))


def test_a_model_that_was_exchanged_is_refused(tmp_path):
    path = torchscript(tmp_path / "a.pt", Ages())
    add = {"name": "x", "face_input": ZERO_TO_ONE, "source": "", "trust": True}
    add_model(path, tmp_path / "model", **add)
    with pytest.raises(WeightsError, match="already holds a model"):
        add_model(path, tmp_path / "model", **add)
    with pytest.raises(WeightsError, match="bfloat16 is for the FaceAge network"):
        load_model(tmp_path / "model", precision="bfloat16")
    card = read_json(tmp_path / "model" / "card.json")
    write_json(card | {"weights": "../a.pt"}, tmp_path / "model" / "card.json")
    message = r"found no a.pt, which card.json names. Expected it next to the card. Import"
    with pytest.raises(WeightsError, match=message):
        load_model(tmp_path / "model")
    write_json(card | {"kind": "oracle"}, tmp_path / "model" / "card.json")
    message = r"the card's kind is 'oracle', expected 'faceage', 'demo', 'transformer', 'torchscript' or 'onnx'. Import"
    with pytest.raises(WeightsError, match=message):
        load_model(tmp_path / "model")
    write_json(card | {"kind": "faceage"}, tmp_path / "model" / "card.json")
    message = r"model.pt: not the weights of the FaceAge network: .*Expected what .faceage-bio weights import. wrote"
    with pytest.raises(WeightsError, match=message):
        load_model(tmp_path / "model")
    write_json(card, tmp_path / "model" / "card.json")
    (tmp_path / "model" / "model.pt").write_bytes(b"other")
    with pytest.raises(WeightsError, match="SHA-256"):
        load_model(tmp_path / "model")


def test_without_onnxruntime_it_says_what_to_install(tmp_path, monkeypatch):
    path = onnx_file(tmp_path / "ages.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(WeightsError, match=r"pip install 'faceage-bio\[onnx\]'"):
        add_model(path, tmp_path / "model", name="x", face_input=FaceInput(), source="")


@pytest.mark.parametrize("kind", ["torchscript", "onnx"])
def test_the_command_declares_how_faces_are_aligned(tmp_path, kind):
    if kind == "onnx":
        pytest.importorskip("onnxruntime")
        path = onnx_file(tmp_path / "a.onnx", 112)
    else:
        path = torchscript(tmp_path / "a.pt", Ages(), 112)
    said = output_of(
        f"weights add {path} --output {tmp_path / 'second'} --name Second --alignment five_points "
        "--size 112 --standardisation zero_to_one --trust"
    )
    assert f"Second, {kind}" in said
    card = load_model(tmp_path / "second").card
    assert card["name"] == "Second"
    assert input_of(card) == FaceInput("five_points", 112, "zero_to_one", TEMPLATE)
