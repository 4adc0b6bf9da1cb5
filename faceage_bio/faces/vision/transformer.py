"""Vision transformers and other networks of timm as age models: the architecture is declared, the state dict loaded strictly."""

import pickle
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import yaml
from pydantic import Field, ValidationError, model_validator
from torch import nn

from faceage_bio.core.errors import WeightsError, examples, no_file
from faceage_bio.core.settings.closed import Closed
from faceage_bio.core.tables import sha256_of
from faceage_bio.faces.vision.face_input import STANDARDISATIONS, input_of
from faceage_bio.faces.vision.models import check_new, read_card, write_model_folder
from faceage_bio.faces.vision.other_models import OtherModel, try_model

KIND = "transformer"
STATE_KEYS = ("model_state_dict", "state_dict", "model")  # of the weights beside the optimiser's state
POOLINGS = {None: {}, "token": {"global_pool": "token"}, "average": {"global_pool": "avg"}}
# what torch.load raises for what is no checkpoint
UNREADABLE = (
    RuntimeError,
    ValueError,
    KeyError,
    EOFError,
    OSError,
    zipfile.BadZipFile,
    pickle.UnpicklingError,
)
NORMS = {"layer_norm": nn.LayerNorm, "batch_norm": nn.BatchNorm1d}  # of a head, as wide as the layer before
ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
BETWEEN = {**ACTIVATIONS, "dropout": nn.Dropout, **NORMS}  # the linear layers of a head


class Architecture(Closed):
    """A network of timm with one output: by its name there, or a plain vision transformer by its sizes."""

    timm: str | None = None
    patch: int | None = Field(default=None, ge=2)
    depth: int | None = Field(default=None, ge=1)
    width: int | None = Field(default=None, ge=8)
    heads: int | None = Field(default=None, ge=1)
    pooling: Literal["token", "average"] | None = None
    """What the head is given: the class token, or the average of all others. By default as timm has it; of a
    plain transformer the token.
    """
    head: list[int | str] | None = None
    """Layers of a head of several layers in place of a single linear one, in their order: widths of linear
    layers, the last 1, and what stands between them: [512, gelu, dropout, 1].
    """

    @model_validator(mode="after")
    def _a_head_of_one_output(self) -> "Architecture":
        layers = [1] if self.head is None else self.head
        widths = [layer for layer in layers if isinstance(layer, int)]
        strangers = [layer for layer in layers if isinstance(layer, str) and layer not in BETWEEN]
        if strangers or widths[-1:] != [1] or min(widths) < 1:
            raise ValueError(
                f"head: {self.head} needs widths of linear layers, the last of them 1, and {', '.join(BETWEEN)} between, such as [512, gelu, dropout, 1]"
            )
        return self

    @model_validator(mode="after")
    def _one_of_both(self) -> "Architecture":
        sizes = (self.patch, self.depth, self.width, self.heads)
        if (self.timm is None) == (None in sizes) or (self.timm and any(sizes)):
            raise ValueError("give either timm (a name), or all of patch, depth, width and heads")
        return self


class Years(Closed):
    """The age is output * scale + offset."""

    scale: float = 1.0
    offset: float = 0.0


class Declaration(Closed):
    """What a user declares of a checkpoint: the beginnings of its card."""

    name: str = Field(min_length=1)
    architecture: Architecture
    input: dict[str, Any] = Field(default_factory=dict)
    prefix: str = ""
    """With which the names of the tensors begin, such as ``module.``."""
    head_prefix: str = ""
    """With which those of the head begin, where they do not as in timm, such as ``regressor.``."""
    years: Years = Field(default_factory=Years)
    source: str = ""
    notice: str = ""


def read_declaration(path: Path | str) -> Declaration:
    """A declared card, YAML or JSON.

    Raises
    ------
    WeightsError
        No such file, no keys and values, unknown keys or values that do not fit.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise WeightsError(
            f"{path}: cannot be read as YAML ({error}). Expected the declaration of an age model. Write it as in the example of docs/weights.md."
        ) from None
    try:
        return Declaration.model_validate(content)
    except ValidationError as error:
        places = [(".".join(map(str, one["loc"])) or "the file", one["msg"]) for one in error.errors()]
        told = "; ".join(f"{place}: {message}" for place, message in places)
        raise WeightsError(
            f"{path}: {told}. Expected name, architecture (timm, or patch, depth, width and heads), input, prefix, head_prefix, years, source and notice. Correct it; docs/weights.md has an example."
        ) from None


def build(architecture: Mapping[str, Any], size: int) -> nn.Module:
    """The network with one output, random weights, for float32 inputs of shape (n, 3, size, size).

    Raises
    ------
    WeightsError
        timm is not installed, does not know the name, or the sizes do not fit each other.
    """
    try:
        import timm
        from timm.models.vision_transformer import VisionTransformer
    except ImportError:
        raise WeightsError(
            "this age model needs timm, which is not installed. Install it: pip install 'faceage-bio[train]'."
        ) from None
    name = architecture.get("timm")
    if name and not timm.is_model(name):
        near = timm.list_models(f"*{name.split('_')[0]}*")
        raise WeightsError(
            f"architecture.timm: timm {timm.__version__} knows no {name!r}. Expected a name such as {examples(near or ['vit_base_patch16_224'], 3)}. Correct it, or install "
            "the version that has it."
        )
    try:
        pooling = POOLINGS[architecture.get("pooling")]
        if not name:
            network = VisionTransformer(
                img_size=size, patch_size=architecture["patch"], depth=architecture["depth"], embed_dim=architecture["width"],
                num_heads=architecture["heads"], num_classes=1, **pooling,
            )  # fmt: skip
        else:
            try:
                network = timm.create_model(name, pretrained=False, num_classes=1, img_size=size, **pooling)
            except TypeError:  # networks that take any size have no such parameter
                network = timm.create_model(name, pretrained=False, num_classes=1, **pooling)
    except (AssertionError, ValueError, RuntimeError, TypeError) as error:
        raise WeightsError(
            f"architecture: timm makes no such network ({error}). Expected sizes that fit: width a multiple of heads, input size of patch. Correct the declaration."
        ) from None
    if layers := architecture.get("head"):
        last = network.get_classifier()
        if not isinstance(last, nn.Linear):
            raise WeightsError(
                f"architecture.head: {name} ends in {type(last).__name__}. Expected a network that ends in one linear layer, which the head replaces. Take another, or leave head out."
            )
        network.set_submodule(head_of(network), _head(last.in_features, layers))
    return network


def head_of(network: nn.Module) -> str:
    """The name of the part that gives the output."""
    last = network.get_classifier()
    return next(name for name, module in network.named_modules() if module is last)


def _head(width: int, layers: Sequence[int | str]) -> nn.Sequential:
    """Layers in their order; dropout counts among them, since names of tensors hold their places."""
    made: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, int):
            made.append(nn.Linear(width, layer))
            width = layer
        else:
            made.append(BETWEEN[layer](width) if layer in NORMS else BETWEEN[layer]())
    return nn.Sequential(*made)


def read_state(path: Path | str, begins: Mapping[str, str] | None = None) -> dict[str, torch.Tensor]:
    """The weights of a checkpoint by name; what else is in it, such as the optimiser's state, is not used. No code is run.

    Parameters
    ----------
    begins : beginnings of the names of tensors, and what stands for each in the network; others are not used.
        By default all as they are

    Raises
    ------
    WeightsError
        No such file, no checkpoint, one that holds more than tensors and plain values, or none of the tensors
        has one of the beginnings.
    """
    path = Path(path)
    if why := no_file(path):
        raise WeightsError(f"{path}: {why}. Expected a checkpoint (.pth, .safetensors). Check the path.")
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            content = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (*UNREADABLE, SafetensorError) as error:
        raise WeightsError(
            f"{path}: not a checkpoint of tensors alone ({next(iter(str(error).splitlines()), type(error).__name__)}). Expected what torch.save wrote of a state dict; other "
            "objects in it would be code and are not loaded. Save the state dict alone."
        ) from None
    if isinstance(content, dict):
        content = next((content[key] for key in STATE_KEYS if isinstance(content.get(key), dict)), content)
    named = content.items() if isinstance(content, dict) else ()
    tensors = {str(name): value for name, value in named if isinstance(value, torch.Tensor)}
    found: dict[str, torch.Tensor] = {}
    begins = begins or {"": ""}
    for begin in sorted(begins, key=len, reverse=True):  # "head." before ""
        own = [name for name in tensors if name.startswith(begin)]
        if not own:
            raise WeightsError(
                f"{path}: found {len(tensors)} tensors ({examples(list(tensors), 3) or 'none'}), none whose name begins with {begin!r}. Expected a state dict, by itself or under "
                f"{', '.join(STATE_KEYS)}. Look at the file, and correct prefix or head_prefix."
            )
        found |= {begins[begin] + name.removeprefix(begin): tensors.pop(name) for name in own}
    return {name: value.float() if value.is_floating_point() else value for name, value in found.items()}


def load_strictly(network: nn.Module, state: Mapping[str, torch.Tensor], source: Path | str) -> None:
    """Put the weights into the network; each tensor must be used and each parameter filled.

    Raises
    ------
    WeightsError
        The file is of another architecture.
    """
    own = network.state_dict()
    lacking = [name for name in own if name not in state]
    strangers = [name for name in state if name not in own]
    shapes = [
        f"{name} {tuple(state[name].shape)} instead of {tuple(own[name].shape)}"
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    if lacking or strangers or shapes:
        parts = (("lacks", lacking), ("has besides", strangers), ("has in another shape", shapes))
        told = "; it ".join(f"{word} {len(found)}: {examples(found, 3)}" for word, found in parts if found)
        raise WeightsError(
            f"{source}: not of the declared architecture. Of {len(own)} tensors it {told}. Expected exactly those of the network. Correct architecture, input.size, "
            "pooling, head or prefix."
        )
    network.load_state_dict(dict(state), strict=True)


def import_transformer(source: Path | str, declared: Path | str, output: Path | str) -> dict:
    """Write a checkpoint of a declared architecture as a model folder, after a trial run; returns the card.

    Raises
    ------
    WeightsError
        See `read_declaration`, `build`, `read_state`, `load_strictly`; or the network gives no ages, or the
        folder holds a model.
    """
    source = Path(source)
    told = read_declaration(declared)
    card = told.model_dump(exclude={"prefix", "head_prefix"}, exclude_none=True)
    card |= {"kind": KIND, "synthetic": False, "source": told.source or source.name}
    how = input_of(card)
    network = build(card["architecture"], how.size)
    begins = {told.prefix: ""}
    if told.head_prefix:
        begins[told.head_prefix] = f"{head_of(network)}."
    load_strictly(network, read_state(source, begins), source)
    return write_transformer(network, output, card | {"source_sha256": sha256_of(source)})


def write_transformer(network: nn.Module, output: Path | str, card: dict, *, trial: bool = True) -> dict:
    """``model.safetensors`` and ``card.json`` of a network with its card; ``trial``: after ages of faces made
    of noise were plausible.

    Raises
    ------
    WeightsError
        The network gives no ages, or the folder holds a model.
    """
    output = Path(output)
    check_new(output)
    how = input_of(card)
    card |= {
        "input": how.declared(),
        "standardisation": STANDARDISATIONS[how.standardisation],
        "parameters": sum(tensor.numel() for tensor in network.parameters()),
    }
    if trial:
        try_model(_predictor(network, card, "cpu"))
    return write_model_folder(network.state_dict(), card, output)


def load_transformer(folder: Path, device: str) -> OtherModel:
    """Load a model written by `import_transformer`.

    Raises
    ------
    WeightsError
        See `models.read_card`, `build`, `load_strictly`.
    """
    card = read_card(folder)
    network = build(card["architecture"], input_of(card).size)
    load_strictly(network, read_state(folder / card["weights"]), folder / card["weights"])
    return _predictor(network, card, device)


def _predictor(network: nn.Module, card: dict, device: str) -> OtherModel:
    network = network.eval().to(device)
    scale, offset = card["years"]["scale"], card["years"]["offset"]

    def run(inputs: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network(torch.from_numpy(inputs).to(device)).double().cpu().numpy() * scale + offset

    return OtherModel(run, card)
