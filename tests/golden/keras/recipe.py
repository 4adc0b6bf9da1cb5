"""FaceAge's layers with weights from a seed: the same numbers for Keras and for h5py, so the golden needs no weight file.

The layout (426 backbone layers, names, shapes) is that of the published file as far as it is known without having it.
"""

import json
import zlib
from functools import cache
from pathlib import Path

import h5py
import numpy as np

SEED = 2025
N_INPUTS = 12
OUTPUT_BIAS, OUTPUT_GAIN = 60.0, 0.9  # ages of about 60 +- 8 years


def layers() -> dict[str, tuple[tuple[int, ...], bool]]:
    """Convolution and dense layers of the backbone: name -> (kernel shape, has a bias; otherwise batch normalisation)."""
    found: dict[str, tuple[tuple[int, ...], bool]] = {}

    def conv(name: str, height: int, width: int, cin: int, cout: int, bias: bool = False) -> None:
        found[name] = ((height, width, cin, cout), bias)

    conv("Conv2d_1a_3x3", 3, 3, 3, 32)
    conv("Conv2d_2a_3x3", 3, 3, 32, 32)
    conv("Conv2d_2b_3x3", 3, 3, 32, 64)
    conv("Conv2d_3b_1x1", 1, 1, 64, 80)
    conv("Conv2d_4a_3x3", 3, 3, 80, 192)
    conv("Conv2d_4b_3x3", 3, 3, 192, 256)
    for i in range(1, 6):
        p = f"Block35_{i}"
        conv(f"{p}_Branch_0_Conv2d_1x1", 1, 1, 256, 32)
        conv(f"{p}_Branch_1_Conv2d_0a_1x1", 1, 1, 256, 32)
        conv(f"{p}_Branch_1_Conv2d_0b_3x3", 3, 3, 32, 32)
        conv(f"{p}_Branch_2_Conv2d_0a_1x1", 1, 1, 256, 32)
        conv(f"{p}_Branch_2_Conv2d_0b_3x3", 3, 3, 32, 32)
        conv(f"{p}_Branch_2_Conv2d_0c_3x3", 3, 3, 32, 32)
        conv(f"{p}_Conv2d_1x1", 1, 1, 96, 256, bias=True)
    conv("Mixed_6a_Branch_0_Conv2d_1a_3x3", 3, 3, 256, 384)
    conv("Mixed_6a_Branch_1_Conv2d_0a_1x1", 1, 1, 256, 192)
    conv("Mixed_6a_Branch_1_Conv2d_0b_3x3", 3, 3, 192, 192)
    conv("Mixed_6a_Branch_1_Conv2d_1a_3x3", 3, 3, 192, 256)
    for i in range(1, 11):
        p = f"Block17_{i}"
        conv(f"{p}_Branch_0_Conv2d_1x1", 1, 1, 896, 128)
        conv(f"{p}_Branch_1_Conv2d_0a_1x1", 1, 1, 896, 128)
        conv(f"{p}_Branch_1_Conv2d_0b_1x7", 1, 7, 128, 128)
        conv(f"{p}_Branch_1_Conv2d_0c_7x1", 7, 1, 128, 128)
        conv(f"{p}_Conv2d_1x1", 1, 1, 256, 896, bias=True)
    for branch, cout in ((0, 384), (1, 256)):
        conv(f"Mixed_7a_Branch_{branch}_Conv2d_0a_1x1", 1, 1, 896, 256)
        conv(f"Mixed_7a_Branch_{branch}_Conv2d_1a_3x3", 3, 3, 256, cout)
    conv("Mixed_7a_Branch_2_Conv2d_0a_1x1", 1, 1, 896, 256)
    conv("Mixed_7a_Branch_2_Conv2d_0b_3x3", 3, 3, 256, 256)
    conv("Mixed_7a_Branch_2_Conv2d_1a_3x3", 3, 3, 256, 256)
    for i in range(1, 7):
        p = f"Block8_{i}"
        conv(f"{p}_Branch_0_Conv2d_1x1", 1, 1, 1792, 192)
        conv(f"{p}_Branch_1_Conv2d_0a_1x1", 1, 1, 1792, 192)
        conv(f"{p}_Branch_1_Conv2d_0b_1x3", 1, 3, 192, 192)
        conv(f"{p}_Branch_1_Conv2d_0c_3x1", 3, 1, 192, 192)
        conv(f"{p}_Conv2d_1x1", 1, 1, 384, 1792, bias=True)
    found["Bottleneck"] = ((1792, 128), False)
    return found


@cache
def tensors(seed: int = SEED) -> dict[tuple[str, str], np.ndarray]:
    """(layer, variable) -> float32 numbers; random weights, biases and batch normalisation statistics."""
    result: dict[tuple[str, str], np.ndarray] = {}

    def random(layer: str, variable: str) -> np.random.Generator:
        return np.random.default_rng([seed, zlib.crc32(f"{layer}/{variable}".encode())])

    def fill(layer: str, variable: str, values: np.ndarray) -> None:
        result[layer, variable] = values.astype(np.float32)
        result[layer, variable].flags.writeable = False  # all who ask have the same

    def norm(layer: str, size: int) -> None:
        fill(layer, "beta", random(layer, "beta").normal(0, 0.1, size))
        fill(layer, "moving_mean", random(layer, "moving_mean").normal(0, 0.1, size))
        fill(layer, "moving_variance", random(layer, "moving_variance").uniform(0.5, 1.5, size))

    for name, (shape, has_bias) in layers().items():
        fan_in = int(np.prod(shape[:-1]))
        fill(name, "kernel", random(name, "kernel").normal(0, np.sqrt(1.6 / fan_in), shape))
        if has_bias:
            fill(name, "bias", random(name, "bias").normal(0, 0.05, shape[-1]))
        else:
            norm(f"{name}_BatchNorm", shape[-1])
    fill("dense_1", "kernel", random("dense_1", "kernel").normal(0, np.sqrt(2 / 128), (128, 128)))
    fill("dense_1", "bias", random("dense_1", "bias").normal(0, 0.1, 128))
    norm("dense_1_BatchNorm", 128)
    fill("dense_2", "kernel", random("dense_2", "kernel").normal(0, OUTPUT_GAIN, (128, 1)))
    fill("dense_2", "bias", np.array([OUTPUT_BIAS]))
    return result


def inputs(seed: int = SEED, n: int = N_INPUTS) -> np.ndarray:
    """Standardised random crops of differing smoothness, float32 of shape (n, 160, 160, 3)."""
    crops = []
    for number in range(n):
        random = np.random.default_rng([seed, 9, number])
        cell = [1, 2, 4, 5, 8, 10, 16, 20, 32, 40][number % 10]
        coarse = random.normal(random.normal(0, 1, 3), 1, (160 // cell, 160 // cell, 3))
        crop = np.repeat(np.repeat(coarse, cell, axis=0), cell, axis=1) + random.normal(0, 0.1, (160, 160, 3))
        crops.append((crop - crop.mean()) / crop.std())
    return np.stack(crops).astype(np.float32)


def scale_of(block: str) -> float:
    """Residual scale of Block35_1 ... Block8_6."""
    return (
        1.0
        if block == "Block8_6"
        else {"Block35": 0.17, "Block17": 0.10, "Block8": 0.20}[block.split("_")[0]]
    )


def write_h5(
    path: Path,
    seed: int = SEED,
    head: tuple[str, str, str] = ("dense_1", "dense_1_BatchNorm", "dense_2"),
    **changes,
) -> Path:
    """A file in the published layout, written by h5py; ``changes`` name -> array or None replace or drop tensors.

    ``changes`` keys are "layer/variable" given through a dict argument ``replace``; ``root`` names the outer group
    ("" for a weights-only file); ``suffix`` is the end of each variable's name; ``model_config`` False leaves it out.
    """
    replace = changes.get("replace", {})
    root, suffix = changes.get("root", "model_weights"), changes.get("suffix", ":0")
    names = dict(zip(("dense_1", "dense_1_BatchNorm", "dense_2"), head, strict=True))
    with h5py.File(path, "w") as file:
        if changes.get("model_config", True):
            file.attrs["model_config"] = json.dumps(changes.get("description") or describe())
        top = file.require_group(root) if root else file
        for (layer, variable), values in tensors(seed).items():
            values = replace.get(f"{layer}/{variable}", values)
            if values is None:
                continue
            name = names.get(layer, layer)
            place = f"{name}/{name}" if layer in names else f"inception_resnet_v1/{layer}"
            top[f"{place}/{variable}{suffix}"] = values
    return path


def describe() -> dict:
    """The part of model_config that the importer checks."""
    blocks = [
        *(f"Block35_{i}" for i in range(1, 6)),
        *(f"Block17_{i}" for i in range(1, 11)),
        *(f"Block8_{i}" for i in range(1, 7)),
    ]
    lambdas = [
        {
            "class_name": "Lambda",
            "config": {
                "name": f"{block}_ScaleSum",
                "arguments": {"scale": scale_of(block)},
                "function": ["4wIAAAA=", None, None],
            },
        }
        for block in blocks
    ]
    norms = [
        {
            "class_name": "BatchNormalization",
            "config": {"name": f"{name}_BatchNorm", "epsilon": 0.001, "scale": False},
        }
        for name, (_, has_bias) in layers().items()
        if not has_bias
    ]
    return {
        "class_name": "Sequential",
        "config": {"layers": [{"class_name": "Model", "config": {"layers": lambdas + norms}}]},
    }
