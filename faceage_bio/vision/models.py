"""One interface for every age model: crops in, years out, with a card that says what the model is."""

from pathlib import Path
from typing import Protocol

import numpy as np

from faceage_bio.errors import WeightsError
from faceage_bio.vision.card import read_card


class FaceAgeModel(Protocol):
    """What inference needs of a model."""

    card: dict

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """Years, float64 of shape (n,), for uint8 crops of shape (n, 160, 160, 3)."""
        ...


def load_model(folder: Path | str, device: str = "cpu") -> FaceAgeModel:
    """Load the model that a folder holds.

    Raises
    ------
    WeightsError
        See `read_card`; or the card names a kind of model that this version does not know.
    """
    card = read_card(folder)
    if card.get("kind") == "faceage":
        from faceage_bio.vision.network import load_faceage

        return load_faceage(Path(folder), device)
    if card.get("kind") == "demo":
        from faceage_bio.vision.random_convolution import load_demo

        return load_demo(Path(folder), device)
    raise WeightsError(f"{folder}: the card's kind is {card.get('kind')!r}, expected 'faceage' or 'demo'.")
