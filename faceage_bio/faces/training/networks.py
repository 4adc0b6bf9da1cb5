"""The network that is trained, from scratch or from a file, which of its layers stay as they are, and its model folder."""

from pathlib import Path

import torch
from pydantic import ValidationError
from torch import nn

from faceage_bio.core.errors import WeightsError, examples
from faceage_bio.core.settings.settings_training import Fit
from faceage_bio.faces.vision.face_input import STANDARDISATIONS, FaceInput
from faceage_bio.faces.vision.models import ARCHITECTURE, read_card, write_model_folder
from faceage_bio.faces.vision.network import FaceAgeNetwork
from faceage_bio.faces.vision.transformer import KIND, Architecture, build, read_state, write_transformer

INCEPTION = "inception_resnet_v1"
CHANNELS_LAST = torch.channels_last  # convolutions of a CPU are about a sixth quicker in this order
SMALLEST_INCEPTION = 80  # pixels, below which its last layers have no width


class AgeNetwork(nn.Module):
    """Years of a face: the network's output * scale + offset, so that its output starts near 0 with a spread near 1."""

    def __init__(self, network: nn.Module, scale: float, offset: float) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("scale", torch.tensor(float(scale)))
        self.register_buffer("offset", torch.tensor(float(offset)))

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        """float32 of shape (n,) for standardised faces of shape (n, 3, size, size)."""
        faces = faces.contiguous(memory_format=CHANNELS_LAST)
        return self.network(faces).reshape(len(faces)) * self.scale + self.offset


def make_network(fit: Fit, how: FaceInput, mean_age: float, sd_age: float) -> AgeNetwork:
    """The network to train.

    Raises
    ------
    WeightsError
        The architecture cannot be, the start file is of another one, a frozen name is none of its layers, or
        the input does not fit.
    """
    if fit.network == INCEPTION:
        if how.size < SMALLEST_INCEPTION or how.standardisation != "per_photo":
            raise WeightsError(
                f"fit.network {INCEPTION}: input has {how.size} pixels and standardisation {how.standardisation}. Expected at least {SMALLEST_INCEPTION} pixels and per_photo. Correct input."
            )
        network: nn.Module = FaceAgeNetwork()
        scale, offset = 1.0, 0.0
        nn.init.constant_(network.head[-1].bias, mean_age)
    else:
        try:
            declared = Architecture.model_validate(fit.network)
        except ValidationError as error:
            told = "; ".join(one["msg"] for one in error.errors())
            raise WeightsError(
                f"fit.network: {told}. Expected {INCEPTION}, or timm, or patch, depth, width and heads. Correct it."
            ) from None
        network = build(declared.model_dump(exclude_none=True), how.size)
        scale, offset = sd_age, mean_age
    whole = AgeNetwork(network, scale, offset)
    if fit.start_from:
        _start_from(whole, Path(fit.start_from))
    names = [name for name, _ in network.named_parameters()]
    strangers = [one for one in fit.freeze if not any(name.startswith(one) for name in names)]
    if strangers:
        layers = list(dict.fromkeys(".".join(name.split(".")[:2]) for name in names))
        raise WeightsError(
            f"fit.freeze: {examples(strangers)} begin(s) no name of a layer. Expected such as {examples(layers, 8)}. Correct it."
        )
    for name, parameter in network.named_parameters():
        parameter.requires_grad = not name.startswith(tuple(fit.freeze))
    return whole.to(memory_format=CHANNELS_LAST)


def frozen_norms(whole: AgeNetwork, fit: Fit) -> list[nn.Module]:
    """Modules in frozen layers, whose running means and deviations stay too."""
    frozen = tuple(fit.freeze)
    return [one for name, one in whole.network.named_modules() if name and name.startswith(frozen)]


def _start_from(whole: AgeNetwork, source: Path) -> None:
    """Weights of the same network; its last layer keeps its start where the file's has another shape or lacks."""
    if source.is_dir():
        card = read_card(source)
        state = read_state(source / card["weights"])
        if "years" in card:
            whole.scale.fill_(card["years"]["scale"])
            whole.offset.fill_(card["years"]["offset"])
    else:
        state = read_state(source)
    network = whole.network
    own = network.state_dict()
    if isinstance(network, FaceAgeNetwork) and not any(name.startswith("backbone.") for name in state):
        state = {f"backbone.{name}": tensor for name, tensor in state.items()}  # as facenet-pytorch keeps it
    last = ("head", "fc", "classifier", "backbone.last_", "backbone.logits")
    fits = {name: tensor for name, tensor in state.items() if name in own and own[name].shape == tensor.shape}
    lacking = [name for name in own if name not in fits and not name.startswith(last)]
    strangers = [name for name in state if name not in fits and not name.startswith(last)]
    if lacking or strangers:
        raise WeightsError(
            f"fit.start_from {source}: of another architecture. It lacks {len(lacking)} of {len(own)} tensors ({examples(lacking, 3) or 'none'}) and has {len(strangers)} that "
            f"do not fit ({examples(strangers, 3) or 'none'}). Expected weights of the same network; only its last layers may differ. Correct network or start_from."
        )
    network.load_state_dict(own | fits)


def write_model(whole: AgeNetwork, fit: Fit, how: FaceInput, output: Path, card: dict) -> dict:
    """A model folder, usable in ``models:`` at once; returns the card."""
    whole = whole.cpu().eval()
    if fit.network != INCEPTION:
        declared = Architecture.model_validate(fit.network).model_dump(exclude_none=True)
        own = {
            "kind": KIND,
            "architecture": declared,
            "input": how.declared(),
            "years": {"scale": float(whole.scale), "offset": float(whole.offset)},
        }
        return write_transformer(whole.network, output, {"name": card["name"]} | own | card, trial=False)
    own = {
        "kind": "faceage",
        "architecture": ARCHITECTURE,
        "parameters": sum(tensor.numel() for tensor in whole.network.parameters()),
        "input": how.declared(),
        "standardisation": STANDARDISATIONS[how.standardisation],
    }
    return write_model_folder(whole.network.state_dict(), {"name": card["name"]} | own | card, output)
