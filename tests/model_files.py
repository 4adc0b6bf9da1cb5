"""Files of small models: golden values of Keras, an ONNX graph, a checkpoint of a transformer."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

GOLDEN = json.loads((Path(__file__).parent / "golden" / "keras" / "golden.json").read_text())
CARDS = ({"name": "brightness", "sha256": "0" * 64},)
SIZES = {"patch": 16, "depth": 2, "width": 32, "heads": 2}
DECLARED = {
    "name": "tiny ViT", "architecture": SIZES, "notice": "research only", "years": {"scale": 2.0, "offset": 50.0},
    "input": {"alignment": "five_points", "size": 112, "standardisation": "imagenet"},
}  # fmt: skip


class Brightness:
    """A model whose answer is known: the mean of the crop, or what ``change`` makes of it."""

    card = CARDS[0]

    def __init__(self, change=None):
        self.change, self.batches = change, []

    def predict(self, crops):
        self.batches.append(len(crops))
        ages = crops.mean(axis=(1, 2, 3)).astype(np.float64)
        return self.change(ages) if self.change else ages


def onnx_file(path, size=160):
    """The same ages as an ONNX graph, written node by node."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    constants = {"axes": np.array([1, 2, 3]), "slope": np.float32([60]), "begin": np.float32([20])}
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["crops", "axes"], ["mean"], keepdims=0),
            helper.make_node("Mul", ["mean", "slope"], ["more"]),
            helper.make_node("Add", ["more", "begin"], ["years"]),
        ],
        "ages",
        [helper.make_tensor_value_info("crops", TensorProto.FLOAT, ["n", 3, size, size])],
        [helper.make_tensor_value_info("years", TensorProto.FLOAT, ["n"])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, str(path))
    return path


@pytest.fixture(scope="module")
def network():
    return tiny_transformer()


def tiny_transformer():
    from timm.models.vision_transformer import VisionTransformer

    torch.manual_seed(4)
    sizes = {"img_size": 112, "patch_size": 16, "depth": 2, "embed_dim": 32, "num_heads": 2, "num_classes": 1}
    return VisionTransformer(**sizes).eval()


def checkpoint(path, network, prefix="", **more):
    """As a training run leaves it: weights beside the optimiser's state."""
    optimiser = torch.optim.AdamW(network.parameters())
    state = {prefix + name: value for name, value in network.state_dict().items()}
    torch.save(
        {"model_state_dict": state, "optimizer_state_dict": optimiser.state_dict(), "epoch": 3} | more, path
    )
    return path


def declare(folder, **changes):
    path = folder / "declared.yaml"
    path.write_text(json.dumps({k: v for k, v in (DECLARED | changes).items() if v is not None}))
    return path
