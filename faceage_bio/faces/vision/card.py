"""The card beside a model's weights: what the model is, what it expects, and the checksum that ties both together."""

from pathlib import Path

from faceage_bio.core.errors import WeightsError
from faceage_bio.core.tables import read_json, sha256_of
from faceage_bio.faces.vision.crop import CROP_SIZE

WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "card.json"
INPUT = {  # what every model of ours is fed
    "crop": {
        "size": CROP_SIZE,
        "box_mode_default": "clip",
        "resize_default": "bicubic",
        "keeps_aspect": False,
    },
    "standardisation": "per photo: minus the mean, divided by the population standard deviation, over all pixels and channels",
}


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
