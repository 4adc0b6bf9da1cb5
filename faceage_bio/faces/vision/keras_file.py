"""The published Keras file as arrays: read with h5py alone, so nothing pickled inside it is ever run.

The file's residual layers are Lambdas that hold Python 3.6 bytecode, for which Keras of any other version
fails. Names and shapes are all that is needed.
"""

import json
import re
from pathlib import Path

import h5py
import numpy as np

from faceage_bio.core.errors import WeightsError, examples, no_file
from faceage_bio.faces.vision.models import BATCH_NORM_EPS

MAX_TENSOR = 16_000_000  # numbers; the largest tensor of the network has about 2 million
BATCH_NORM_VARIABLES = {"beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
HEAD_SHAPES = ((128, 128), (128, 1))
RESIDUAL_SCALES = {"Block35": 0.17, "Block17": 0.10, "Block8": 0.20}


def read_keras_file(path: Path | str) -> dict[str, np.ndarray]:
    """Every tensor of a FaceAge-shaped Keras file under the name it has in `network.FaceAgeNetwork`.

    Layers are found by their names, whatever the groups around them are called and in whatever order they stand.

    Returns
    -------
    dict of float32 arrays
        In PyTorch's layout, batch normalisation weights (which Keras does not store) set to one.

    Raises
    ------
    WeightsError
        Not HDF5, damaged, links to other files, tensors that are not of this network, missing, doubled, of
        another shape or not finite, or a declared constant (residual scale, epsilon) that the network does
        not have.
    """
    path = Path(path)
    if why := no_file(path):
        raise WeightsError(
            f"{path}: {why}. Expected the Keras file faceage_model.h5. Fetch it with `faceage-bio weights fetch`."
        )
    try:
        with h5py.File(path, "r") as file:
            _check_declared_constants(path, file)
            tensors = _collect(path, file)
    except OSError as error:
        raise WeightsError(
            f"{path}: not a readable HDF5 file ({error}). Expected the Keras file faceage_model.h5 of about 92 MB; "
            "if its size differs, fetch it again."
        ) from None
    return _to_torch_names(path, tensors)


def _collect(path: Path, file: h5py.File) -> dict[tuple[str, str], np.ndarray]:
    """(layer, variable) -> array, from the last two parts of each dataset's path."""
    tensors: dict[tuple[str, str], np.ndarray] = {}
    odd: list[str] = []

    def walk(group: h5py.Group, depth: int) -> None:
        for name in group:
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                odd.append(f"{group.name}/{name} is a link to another place or file")
                continue
            item = group[name]
            if isinstance(item, h5py.Group):
                if name == "optimizer_weights":
                    continue
                if depth > 12:
                    odd.append(f"{item.name} is nested too deeply")
                else:
                    walk(item, depth + 1)
            elif isinstance(item, h5py.Dataset):
                read(item)

    def read(item: h5py.Dataset) -> None:
        parts = item.name.strip("/").split("/")
        if len(parts) < 2:
            odd.append(f"{item.name} stands outside any layer")
            return
        key = parts[-2], parts[-1].split(":")[0]
        if item.external or item.is_virtual:
            odd.append(f"{item.name} keeps its numbers in another file")
        elif not np.issubdtype(item.dtype, np.floating) or item.size == 0 or item.size > MAX_TENSOR:
            odd.append(f"{item.name} has type {item.dtype} and shape {item.shape}")
        elif key in tensors:
            odd.append(f"{item.name}: a second tensor for layer {key[0]}")
        else:
            tensors[key] = np.asarray(item, dtype=np.float32)
            if not np.isfinite(tensors[key]).all():
                odd.append(f"{item.name} holds numbers that are not finite")

    walk(file, 0)
    if odd:
        raise WeightsError(
            f"{path}: {len(odd)} tensor(s) that a FaceAge file does not have: {examples(odd)}. "
            "Expected plain layers of numbers, as in faceage_model.h5. Fetch that file."
        )
    if not tensors:
        raise WeightsError(
            f"{path}: an HDF5 file without weights. Expected the Keras file faceage_model.h5. Fetch it with `faceage-bio weights fetch`."
        )
    return tensors


def _to_torch_names(path: Path, tensors: dict[tuple[str, str], np.ndarray]) -> dict[str, np.ndarray]:
    """Rename, transpose and check completeness: every tensor used, every parameter filled."""
    from faceage_bio.faces.vision.network import FaceAgeNetwork

    expected = {name: tuple(value.shape) for name, value in FaceAgeNetwork().state_dict().items()}
    tensors = _name_head(path, tensors)
    state: dict[str, np.ndarray] = {}
    unknown = []
    for (layer, variable), array in tensors.items():
        name = torch_name(layer, variable)
        if name is None or name in state:
            unknown.append(f"{layer}/{variable} {array.shape}")
            continue
        if variable == "kernel":
            array = array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T
        state[name] = np.ascontiguousarray(array)
    for name, shape in expected.items():
        if name.endswith("num_batches_tracked"):
            state[name] = np.zeros((), dtype=np.int64)
        elif name.endswith(".weight") and f"{name.removesuffix('.weight')}.running_mean" in expected:
            state[name] = np.ones(shape, dtype=np.float32)
    missing = sorted(set(expected) - set(state))
    misshapen = [
        f"{name} is {state[name].shape}, expected {shape}"
        for name, shape in expected.items()
        if name in state and state[name].shape != shape
    ]
    negative = [name for name, array in state.items() if name.endswith("running_var") and (array < 0).any()]
    complaints = [
        *([f"{len(unknown)} unknown: {examples(unknown)}"] if unknown else []),
        *([f"{len(missing)} missing: {examples(missing)}"] if missing else []),
        *([f"{len(misshapen)} of another shape: {examples(misshapen)}"] if misshapen else []),
        *([f"{len(negative)} negative variances: {examples(negative)}"] if negative else []),
    ]
    if complaints:
        raise WeightsError(
            f"{path}: not the weights of the FaceAge network. Tensors {'; '.join(complaints)}. "
            "Expected faceage_model.h5 (Inception-ResNet v1 with 128 units, release v1). Fetch that file."
        )
    return state


def _name_head(path: Path, tensors: dict[tuple[str, str], np.ndarray]) -> dict[tuple[str, str], np.ndarray]:
    """Call the layers of the head dense_1, dense_1_BatchNorm and dense_2, however they are numbered."""
    # TensorFlow 1 may have added _1, _2 to the scope of a layer that was built twice
    tensors = {(_without_counter(layer), variable): array for (layer, variable), array in tensors.items()}
    backbone = {layer for layer, _ in tensors if _backbone_module(layer) is not None}
    head = sorted({layer for layer, _ in tensors} - backbone)
    kernels = {tensors[layer, "kernel"].shape: layer for layer in head if (layer, "kernel") in tensors}
    norms = [layer for layer in head if (layer, "moving_mean") in tensors]
    if set(kernels) != set(HEAD_SHAPES) or len(norms) != 1 or len(head) != 3:
        raise WeightsError(
            f"{path}: the head of the network was not found. Expected dense layers of shapes {HEAD_SHAPES} and one batch "
            f"normalisation, found {examples(head) or 'none'}. Give faceage_model.h5, and not facenet without the age head."
        )
    names = {
        kernels[HEAD_SHAPES[0]]: "dense_1",
        kernels[HEAD_SHAPES[1]]: "dense_2",
        norms[0]: "dense_1_BatchNorm",
    }
    return {(names.get(layer, layer), variable): array for (layer, variable), array in tensors.items()}


def _without_counter(layer: str) -> str:
    """Block35_1_Branch_0_Conv2d_1x1_2 -> Block35_1_Branch_0_Conv2d_1x1, where the plain name is one of ours."""
    plain = re.sub(r"_\d+$", "", layer)
    return plain if _backbone_module(layer) is None and _backbone_module(plain) is not None else layer


def torch_name(layer: str, variable: str) -> str | None:
    """Name in `FaceAgeNetwork` of a Keras variable, or None if there is none."""
    head = {"dense_1": "head.0", "dense_1_BatchNorm": "head.2", "dense_2": "head.3"}
    module = head.get(layer) or _backbone_module(layer)
    if module is None:
        return None
    if layer.endswith("_BatchNorm"):
        torch_variable = BATCH_NORM_VARIABLES.get(variable)
    else:
        torch_variable = {"kernel": "weight", "bias": "bias"}.get(variable)
    return f"{module}.{torch_variable}" if torch_variable else None


def _backbone_module(layer: str) -> str | None:
    """Block35_2_Branch_1_Conv2d_0b_3x3_BatchNorm -> backbone.repeat_1.1.branch1.1.bn"""
    is_norm = layer.endswith("_BatchNorm")
    base = layer.removesuffix("_BatchNorm")
    suffix = ".bn" if is_norm else ".conv"
    if base == "Bottleneck":
        return "backbone.last_bn" if is_norm else "backbone.last_linear"
    if match := re.fullmatch(r"Conv2d_(1a|2a|2b|3b|4a|4b)_\dx\d", base):
        return f"backbone.conv2d_{match[1]}{suffix}"
    if match := re.fullmatch(r"Mixed_(6a|7a)_Branch_([012])_Conv2d_(0a|0b|1a)_\dx\d", base):
        return _mixed_module(*match.groups(), suffix)
    if match := re.fullmatch(
        r"(Block35|Block17|Block8)_(\d+)(?:_Branch_([012]))?_Conv2d_(?:(0[abc])_)?\dx\d", base
    ):
        return _block_module(*match.groups(), suffix)
    return None


def _mixed_module(mixed: str, branch: str, step: str, suffix: str) -> str | None:
    chains = {
        ("6a", "0"): ["1a"], ("6a", "1"): ["0a", "0b", "1a"],
        ("7a", "0"): ["0a", "1a"], ("7a", "1"): ["0a", "1a"], ("7a", "2"): ["0a", "0b", "1a"],
    }  # fmt: skip
    chain = chains.get((mixed, branch), [])
    if step not in chain:
        return None
    place = "" if len(chain) == 1 else f".{chain.index(step)}"
    return f"backbone.mixed_{mixed}.branch{branch}{place}{suffix}"


def _block_module(block: str, number: str, branch: str | None, step: str | None, suffix: str) -> str | None:
    repeats = {"Block35": ("repeat_1", 5), "Block17": ("repeat_2", 10), "Block8": ("repeat_3", 5)}
    repeat, count = repeats[block]
    index = int(number) - 1
    if block == "Block8" and index == count:
        place = "backbone.block8"
    elif 0 <= index < count:
        place = f"backbone.{repeat}.{index}"
    else:
        return None
    if branch is None:  # the 1x1 convolution behind the branches has a bias and no normalisation
        return f"{place}.conv2d" if suffix == ".conv" and step is None else None
    if branch == "0":
        return f"{place}.branch0{suffix}" if step is None else None
    return f"{place}.branch{branch}.{'abc'.index(step[1])}{suffix}" if step else None


def _check_declared_constants(path: Path, file: h5py.File) -> None:
    """Residual scales and batch normalisation flags in the file's own description must be the network's."""
    text = file.attrs.get("model_config")
    if text is None:
        return  # a file of weights alone describes nothing
    try:
        description = json.loads(text.decode() if isinstance(text, bytes) else text)
    except (ValueError, UnicodeDecodeError):
        raise WeightsError(
            f"{path}: its model_config is not JSON. Expected a whole file, and this one is damaged. Fetch it again."
        ) from None
    wrong = []
    for layer in _layers(description):
        settings = layer.get("config", {})
        name = str(settings.get("name", layer.get("name", "")))
        if layer.get("class_name") == "BatchNormalization":
            found = {"epsilon": settings.get("epsilon", BATCH_NORM_EPS), "scale": settings.get("scale", True)}
            if abs(found["epsilon"] - BATCH_NORM_EPS) > 1e-9 or found["scale"]:
                wrong.append(f"{name} has {found}, expected epsilon {BATCH_NORM_EPS} and no scale")
        elif layer.get("class_name") == "Lambda" and "scale" in (settings.get("arguments") or {}):
            scale = settings["arguments"]["scale"]
            expected = _expected_scale(name)
            if expected is not None and abs(scale - expected) > 1e-9:
                wrong.append(f"{name} scales by {scale}, expected {expected}")
    if wrong:
        raise WeightsError(
            f"{path}: describes another network: {examples(wrong)}. Expected that of faceage_model.h5. Fetch that file."
        )


def _layers(node: object) -> list[dict]:
    """All layers of a model description, however nested."""
    if isinstance(node, dict):
        own = [node] if "class_name" in node and "config" in node else []
        return own + [layer for value in node.values() for layer in _layers(value)]
    if isinstance(node, list):
        return [layer for value in node for layer in _layers(value)]
    return []


def _expected_scale(name: str) -> float | None:
    match = re.match(r"(Block35|Block17|Block8)_(\d+)", name)
    if not match:
        return None  # unnamed in later versions of the public code
    return 1.0 if match.groups() == ("Block8", "6") else RESIDUAL_SCALES[match[1]]
