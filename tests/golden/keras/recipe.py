"""A FaceAge-shaped Keras weight file with random weights, written without TensorFlow.

The layout (`layout.tsv`) and the model's configuration (`model_config_426.json.gz`, `_447`) are Keras's own, written by
`make_golden.py`. Every tensor is drawn from a generator of its own, keyed by the seed and the tensor's name, so that Keras
and this module fill the same numbers in any order. numpy's RandomState is used because its stream is frozen.
"""

import gzip
import json
import zlib
from pathlib import Path

import h5py
import numpy as np

HERE = Path(__file__).parent
SEED = 1
N_INPUTS = 16
# The last layer's spread and offset, set once so that the ages of seed 1 lie where people's do (60 +- 8 years).
AGE_SPREAD = 1.0
AGE_OFFSET = 0.0


def _generator(seed: int, name: str) -> np.random.RandomState:
    return np.random.RandomState([seed, zlib.crc32(name.encode())])


def random_tensor(seed: int, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The float32 values of one tensor; ``name`` is layer/variable, such as ``Conv2d_1a_3x3/kernel``."""
    draw = _generator(seed, name).standard_normal(shape)
    layer, variable = name.split("/")
    if variable == "moving_variance":
        values = np.exp(0.2 * draw)
    elif variable == "kernel" and layer == "dense_2":
        values = AGE_SPREAD * draw / np.sqrt(shape[0])
    elif variable == "bias" and layer == "dense_2":
        values = AGE_OFFSET + 0.0 * draw
    elif variable == "kernel":  # keeps the spread of what passes through ReLU
        values = draw * np.sqrt(2 / np.prod(shape[:-1]))
    else:  # bias, beta, moving_mean
        values = 0.1 * draw
    return values.astype(np.float32)


def random_crops(seed: int = SEED, n: int = N_INPUTS) -> np.ndarray:
    """Crops (n, 160, 160, 3) uint8: coarse coloured fields with fine noise, so that the ages differ."""
    random = np.random.RandomState([seed, 160])
    crops = []
    for index in range(n):
        side = (2, 4, 8, 16)[index % 4]
        coarse = np.kron(random.standard_normal((side, side, 3)), np.ones((160 // side, 160 // side, 1)))
        fine = random.standard_normal((160, 160, 3))
        crops.append(np.clip(np.rint(128 + 45 * coarse + 15 * fine), 0, 255))
    return np.stack(crops).astype(np.uint8)


def standardised(crops: np.ndarray) -> np.ndarray:
    """What the study feeds its network: minus the mean, by the population SD, over pixels and channels of a crop."""
    crops = crops.astype(np.float64)
    mean = crops.mean(axis=(1, 2, 3), keepdims=True)
    spread = crops.std(axis=(1, 2, 3), keepdims=True)
    return ((crops - mean) / spread).astype(np.float32)


def layout() -> dict[str, tuple[int, ...]]:
    """Shapes by path inside ``model_weights``, such as ``inception_resnet_v1/Conv2d_1a_3x3/kernel:0``."""
    rows = (HERE / "layout.tsv").read_text().splitlines()[1:]
    return {
        path: tuple(int(side) for side in shape.split("x"))
        for path, shape in (row.split("\t") for row in rows)
    }


def model_config(layers: int = 426) -> dict:
    """Keras's configuration of the model; 426 layers with two-input ScaleSum Lambdas, or 447 with Lambda and Add."""
    return json.loads(gzip.decompress((HERE / f"model_config_{layers}.json.gz").read_bytes()))


def random_tensors(seed: int = SEED) -> dict[str, np.ndarray]:
    """All 497 tensors by their path inside ``model_weights``."""
    return {path: random_tensor(seed, _name(path), shape) for path, shape in layout().items()}


def _name(path: str) -> str:
    layer, variable = path.split("/")[-2:]
    return f"{layer}/{variable.removesuffix(':0')}"


def write_faceage_h5(
    path: Path,
    tensors: dict[str, np.ndarray],
    *,
    config: dict | None,
    root: str = "model_weights",
    layer_names=None,
) -> Path:
    """Write ``tensors`` as Keras does; ``config=None`` and ``root=""`` give a weights-only file."""
    if layer_names is None:
        layer_names = ["inception_resnet_v1", "dense_1", "dense_1_BatchNorm", "dense_2"]
    with h5py.File(path, "w") as file:
        weights = file.require_group(root) if root else file
        for name, values in tensors.items():
            weights.create_dataset(name, data=values)
        weights.attrs["layer_names"] = [name.encode() for name in layer_names]
        weights.attrs["backend"] = b"tensorflow"
        weights.attrs["keras_version"] = b"2.1.6"
        if config is not None:
            file.attrs["model_config"] = json.dumps(config).encode()
    return path


def write_random_faceage_h5(path: Path, seed: int = SEED) -> Path:
    """A file as the FaceAge authors publish theirs (about 92 MB), with random weights; ages of seed 1 are near 60."""
    return write_faceage_h5(Path(path), random_tensors(seed), config=model_config())
