"""The folder of an age model: its weights, the card that says what it is and expects (tied by a checksum),
and one interface for all.

Light steps read cards too, so PyTorch is loaded where it is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

import faceage_bio
from faceage_bio.core.errors import WeightsError
from faceage_bio.core.tables import READABLE, atomic_path, read_json, sha256_of, write_json

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "card.json"
BATCH_NORM_EPS = 0.001  # Keras', everywhere in the FaceAge network
ARCHITECTURE = (
    "Inception-ResNet v1, bottleneck 128 without L2-normalisation; dense 128, ReLU, batch norm, dense 1"
)


def read_card(folder: Path | str) -> dict:
    """The card of a model folder, after its weights were found to be those the card describes.

    Raises
    ------
    WeightsError
        No such folder, no card, or other weights than the card's checksum says.
    """
    folder = Path(folder)
    if not (folder / CARD_FILE).is_file():
        raise WeightsError(
            f"{folder}: found no {CARD_FILE}. Expected a folder of a model. Make the folder with "
            "`faceage-bio weights import faceage_model.h5 --output FOLDER`."
        )
    card = {"weights": WEIGHTS_FILE} | read_json(folder / CARD_FILE)
    weights = folder / Path(str(card["weights"])).name  # never a file elsewhere
    if not weights.is_file():
        raise WeightsError(
            f"{folder}: found no {weights.name}, which {CARD_FILE} names. Expected it next to the card. Import the weights again."
        )
    found = sha256_of(weights)
    if found != card.get("sha256"):
        raise WeightsError(
            f"{weights}: its SHA-256 is {found}, but the card says {card.get('sha256')}. "
            "Expected both alike: the file was changed or damaged. Import the weights again."
        )
    return card


def check_new(folder: Path) -> None:
    """Refuse a folder that holds a model.

    Raises
    ------
    WeightsError
    """
    if (folder / CARD_FILE).exists():
        raise WeightsError(
            f"{folder}: already holds a model. Expected a new folder. Choose another --output."
        )


def write_card(card: dict, folder: Path) -> dict:
    """Write the card of a model, with the hash of the weights that it names and the version that made it; returns it."""
    card |= {
        "sha256": sha256_of(folder / card.get("weights", WEIGHTS_FILE)),
        "created_with": f"faceage_bio {faceage_bio.__version__}",
    }
    write_json(card, folder / CARD_FILE, mode=READABLE)
    return card


def write_model_folder(state: Mapping[str, Tensor], card: dict, folder: Path) -> dict:
    """Write weights and their card; returns the card."""
    from safetensors.torch import save_file

    with atomic_path(folder / WEIGHTS_FILE, mode=READABLE) as temporary:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, temporary)
    return write_card(card, folder)


class FaceAgeModel(Protocol):
    """What inference needs of a model."""

    card: dict

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """Years, float64 of shape (n,), for uint8 crops of shape (n, size, size, 3), cut as the card's input declares."""
        ...


def load_model(folder: Path | str, device: str = "cpu", precision: str = "float32") -> FaceAgeModel:
    """Load the model that a folder holds; on a GPU with the whole mantissa of float32.

    Raises
    ------
    WeightsError
        See `read_card`; the card names a kind of model that this version does not know, or bfloat16 is asked
        of a model other than FaceAge.
    """
    card = read_card(folder)
    kind = card.get("kind")
    if precision != "float32" and kind != "faceage":
        raise WeightsError(
            f"{folder}: faceage.precision {precision} is for the FaceAge network; {card.get('name')} needs float32. Set it so."
        )
    use_whole_float32()
    if kind == "faceage":
        from faceage_bio.faces.vision.network import load_faceage

        return load_faceage(Path(folder), device, precision)
    if kind == "demo":
        from faceage_bio.faces.vision.other_models import load_demo

        return load_demo(Path(folder), device)
    if kind in ("torchscript", "onnx"):
        from faceage_bio.faces.vision.other_models import load_other

        return load_other(Path(folder), device)
    if kind == "transformer":
        from faceage_bio.faces.vision.transformer import load_transformer

        return load_transformer(Path(folder), device)
    raise WeightsError(
        f"{folder}: the card's kind is {kind!r}, expected 'faceage', 'demo', 'transformer', 'torchscript' or 'onnx'. Import the weights again."
    )


def use_whole_float32() -> None:
    """Forbid TF32, in which GPUs would otherwise shorten the mantissa of convolutions to 10 bits."""
    import torch

    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
