"""Import of vision transformers: declared architecture, weights alone, strict."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from faceage_bio.core.errors import WeightsError
from faceage_bio.faces.vision.models import load_model
from faceage_bio.faces.vision.transformer import Architecture, build, import_transformer

timm = pytest.importorskip("timm")

from tests.commands import output_of  # noqa: E402
from tests.model_files import DECLARED, SIZES, checkpoint, declare, network, tiny_transformer  # noqa: F401, E402

CROPS = np.random.default_rng(3).integers(0, 256, (3, 112, 112, 3), np.uint8)


def test_ages_are_those_of_the_network_in_the_file(tmp_path, network):  # noqa: F811
    source = checkpoint(tmp_path / "vit.pth", network, "module.")
    card = import_transformer(source, declare(tmp_path, prefix="module."), tmp_path / "model")
    model = load_model(tmp_path / "model")
    pixels = (CROPS / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    with torch.inference_mode():
        expected = network(torch.tensor(pixels.transpose(0, 3, 1, 2), dtype=torch.float32))[:, 0] * 2 + 50
    np.testing.assert_allclose(model.predict(CROPS), expected, atol=1e-4)
    assert set(load_file(tmp_path / "model" / "model.safetensors")) == set(network.state_dict())
    assert card["input"]["template"][0] == [38.2946, 51.6963]  # the assumption is written out
    assert (card["notice"], card["kind"]) == ("research only", "transformer")
    assert card["parameters"] == sum(p.numel() for p in network.parameters())


def test_a_name_of_timm_declares_an_architecture_too(tmp_path):
    torch.manual_seed(1)
    named = timm.create_model("test_vit", num_classes=1, img_size=112)
    torch.save(named.state_dict(), tmp_path / "vit.pth")
    declared = declare(tmp_path, architecture={"timm": "test_vit"})
    import_transformer(tmp_path / "vit.pth", declared, tmp_path / "model")
    assert load_model(tmp_path / "model").predict(CROPS).shape == (3,)


def test_average_pooling_has_another_last_norm_as_in_masked_autoencoders():
    token, average = (set(build({**SIZES, "pooling": way}, 112).state_dict()) for way in ("token", "average"))
    assert "norm.weight" in token - average
    assert "fc_norm.weight" in average - token


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": SIZES | {"depth": 3}}, r"Of 44 tensors it lacks 12: blocks.2.norm1.weight.*Correct architecture"),
        ({"architecture": SIZES | {"depth": 1}}, r"has besides 12: blocks.1"),
        ({"architecture": SIZES | {"width": 64}}, r"has in another shape 31: cls_token \(1, 1, 32\) instead of \(1, 1, 64\)"),
        ({"input": {"size": 224}}, r"pos_embed \(1, 50, 32\) instead of \(1, 197, 32\)"),
        ({"prefix": "encoder."}, r"found 32 tensors .*none whose name begins with 'encoder.'"),
        ({"architecture": {"patch": 16}}, "give either timm .a name., or all of patch, depth, width and heads"),
        ({"architecture": {"timm": "vit_enormous"}}, r"timm .* knows no 'vit_enormous'. Expected a name such as"),
        ({"architecture": SIZES | {"heads": 5}}, r"timm makes no such network"),
        ({"name": None}, "name: Field required"),
        ({"years": {"scale": 1e6}}, r"gave .* years for trial faces. Expected -20 to 150"),
        ({"input": {"size": 8}}, r"input.size is 8"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_and_nothing_is_written(tmp_path, network, changes, message):  # noqa: F811
    source = checkpoint(tmp_path / "vit.pth", network)
    with pytest.raises(WeightsError, match=message):
        import_transformer(source, declare(tmp_path, **changes), tmp_path / "model")
    assert not list(tmp_path.glob("model/*"))


class Regressor(nn.Module):
    """A backbone and a head of several layers, as people write them around timm."""

    def __init__(self, backbone, width):
        super().__init__()
        self.backbone = backbone
        self.regressor = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 24), nn.GELU(), nn.Dropout(0.3), nn.Linear(24, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1)
        )  # fmt: skip

    def forward(self, faces):
        return self.regressor(self.backbone(faces))


HEAD = ["layer_norm", 24, "gelu", "dropout", 8, "batch_norm", "relu", 1]


@pytest.mark.parametrize(
    ("name", "more", "pooling"),
    [("test_vit", {"img_size": 112}, None), ("test_vit", {"img_size": 112, "global_pool": "avg"}, "average"), ("test_resnet", {}, None), ("test_convnext", {}, None)],
)  # fmt: skip
def test_a_head_of_several_layers_is_declared(tmp_path, name, more, pooling):
    torch.manual_seed(2)
    backbone = timm.create_model(name, num_classes=0, **more)
    regressor = Regressor(backbone, backbone.num_features).eval()
    regressor.regressor[5].running_mean.uniform_(-1, 1)
    source = checkpoint(tmp_path / "regressor.pth", regressor)
    told = {"timm": name, "head": HEAD} | ({"pooling": pooling} if pooling else {})
    parts = {"prefix": "backbone.", "head_prefix": "regressor."}
    import_transformer(source, declare(tmp_path, architecture=told, **parts), tmp_path / "model")
    pixels = (CROPS / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    with torch.inference_mode():
        expected = regressor(torch.tensor(pixels.transpose(0, 3, 1, 2), dtype=torch.float32))[:, 0] * 2 + 50
    np.testing.assert_allclose(load_model(tmp_path / "model").predict(CROPS), expected, atol=1e-4)


def test_a_head_is_loaded_strictly(tmp_path):
    backbone = timm.create_model("test_vit", num_classes=0, img_size=112)
    source = checkpoint(tmp_path / "regressor.pth", Regressor(backbone, 64))

    def refused(message, head=HEAD, **parts):
        parts = {"prefix": "backbone.", "head_prefix": "regressor."} | parts
        declared = declare(tmp_path, architecture={"timm": "test_vit", "head": head}, **parts)
        with pytest.raises(WeightsError, match=message):
            import_transformer(source, declared, tmp_path / "model")
        assert not list(tmp_path.glob("model/*"))

    without = [layer for layer in HEAD if layer != "dropout"]
    refused(r"it lacks 7: head.3.weight.*; it has besides 7: head.5.weight.*pooling, head or prefix", without)
    wider = [*HEAD[:1], 25, *HEAD[2:]]
    refused(r"it has in another shape 3: head.1.weight \(24, 64\) instead of \(25, 64\)", wider)
    refused(r"it lacks 2: head.weight; head.bias; it has besides 13", None)
    refused(r"none whose name begins with 'mlp.'.*correct prefix or head_prefix", head_prefix="mlp.")
    refused(r"it lacks 13: head.0.weight; head.0.bias", head_prefix="")
    needed = "needs widths of linear layers, the last of them 1"
    refused(rf"head: \[8, 'swish', 1\] {needed}, and relu, gelu", [8, "swish", 1])
    refused(f"head: .* {needed}", [8, "relu"])
    refused("head: .* needs widths", [])


class Malice:
    """An object whose unpickling would run a program."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('it ran')",))


def test_code_in_a_checkpoint_does_not_run(tmp_path, network):  # noqa: F811
    source = checkpoint(tmp_path / "vit.pth", network, config=Malice())
    with pytest.raises(WeightsError, match="not a checkpoint of tensors alone"):
        import_transformer(source, declare(tmp_path), tmp_path / "model")
    (tmp_path / "cut.pth").write_bytes(checkpoint(tmp_path / "whole.pth", network).read_bytes()[:9000])
    with pytest.raises(WeightsError, match="not a checkpoint of tensors alone"):
        import_transformer(tmp_path / "cut.pth", declare(tmp_path), tmp_path / "model")
    with pytest.raises(WeightsError, match=r"no such file. Expected a checkpoint .*. Check the path"):
        import_transformer(tmp_path / "none.pth", declare(tmp_path), tmp_path / "model")


def test_the_command_and_a_model_that_was_exchanged(tmp_path, network):  # noqa: F811
    source = checkpoint(tmp_path / "vit.pth", network)
    said = output_of(f"weights import {source} --card {declare(tmp_path)} --output {tmp_path}/model")
    assert "tiny ViT, 51,745 parameters, all used" in " ".join(said.split())
    card = json.loads((tmp_path / "model" / "card.json").read_text())
    (tmp_path / "model" / "card.json").write_text(json.dumps(card | {"architecture": SIZES | {"depth": 1}}))
    with pytest.raises(WeightsError, match="has besides 12"):
        load_model(tmp_path / "model")


def test_architecture_keeps_only_what_was_declared():
    assert Architecture(timm="test_vit").model_dump(exclude_none=True) == {"timm": "test_vit"}


def test_a_head_of_several_layers_takes_the_place_of_one():
    message = r"ends in tuple\. Expected a network that ends in one linear layer"
    with pytest.raises(WeightsError, match=message):
        build({"timm": "deit_tiny_distilled_patch16_224", "head": HEAD}, 224)
