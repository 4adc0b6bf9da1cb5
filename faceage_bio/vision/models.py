"""One interface for every age model: crops in, years out, with a card that says what the model is."""

from pathlib import Path
from typing import Protocol

import numpy as np

from faceage_bio.errors import WeightsError
from faceage_bio.tables import read_json, sha256_of

WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "card.json"


class FaceAgeModel(Protocol):
    """What inference needs of a model."""

    card: dict

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """Years, float64 of shape (n,), for uint8 crops of shape (n, 160, 160, 3)."""
        ...


def read_card(folder: Path | str) -> dict:
    """The card of a model folder, after its weights were found to be those the card describes.

    Raises
    ------
    WeightsError
        No such folder, no card, or other weights than the card's checksum says.
    """
    folder = Path(folder)
    missing = [name for name in (CARD_FILE, WEIGHTS_FILE) if not (folder / name).is_file()]
    if missing:
        raise WeightsError(
            f"{folder}: found no {' and no '.join(missing)}. Make the folder with "
            "`faceage-bio weights import faceage_model.h5 --output FOLDER`."
        )
    card = read_json(folder / CARD_FILE)
    found = sha256_of(folder / WEIGHTS_FILE)
    if found != card.get("sha256"):
        raise WeightsError(
            f"{folder / WEIGHTS_FILE}: its SHA-256 is {found}, but the card says {card.get('sha256')}. "
            "The file was changed or damaged; import the weights again."
        )
    return card


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
