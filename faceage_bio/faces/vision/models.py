"""One interface for every age model: crops in, years out, with a card that says what the model is."""

from pathlib import Path
from typing import Protocol

import numpy as np

from faceage_bio.core.errors import WeightsError
from faceage_bio.faces.vision.card import read_card


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
        See `read_card`; the card names a kind of model that this version does not know, or bfloat16 is asked of a model
        other than FaceAge.
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
        from faceage_bio.faces.vision.random_convolution import load_demo

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
