"""The demo's age model: two fixed random convolutions and a ridge regression. Not FaceAge, and useless on real persons."""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from faceage_bio.faces.vision.card import read_card
from faceage_bio.faces.vision.crop import standardise

SIZE = 80  # pixels, half the crop
CHANNELS = (32, 64)
GRID = 8  # cells per side over which the features are averaged


def random_filters(seed: int) -> dict[str, torch.Tensor]:
    """The two layers of filters, drawn once and never trained."""
    random = torch.Generator().manual_seed(seed)
    shapes = {"filters_1": (CHANNELS[0], 3, 5, 5), "filters_2": (CHANNELS[1], CHANNELS[0], 3, 3)}
    return {
        name: torch.randn(shape, generator=random) / float(np.sqrt(np.prod(shape[1:])))
        for name, shape in shapes.items()
    }


@torch.inference_mode()
def features(crops: np.ndarray, filters: dict[str, torch.Tensor]) -> np.ndarray:
    """Averages of rectified filter answers, float64 of shape (n, 4096), for uint8 crops (n, 160, 160, 3)."""
    device = filters["filters_1"].device
    pixels = torch.from_numpy(standardise(crops)).permute(0, 3, 1, 2).contiguous().to(device)
    answers = functional.conv2d(
        functional.avg_pool2d(pixels, 160 // SIZE), filters["filters_1"], padding=2
    ).abs()
    answers = functional.conv2d(functional.max_pool2d(answers, 2), filters["filters_2"], padding=1).abs()
    return functional.adaptive_avg_pool2d(answers, GRID).flatten(1).double().cpu().numpy()


class RandomConvolution:
    """Filters, and the coefficients fitted on them."""

    def __init__(self, tensors: dict[str, torch.Tensor], card: dict, device: str = "cpu") -> None:
        self.card = card
        self.filters = {name: tensors[name].to(device) for name in ("filters_1", "filters_2")}
        self.coefficients = tensors["coefficients"].double().numpy()
        self.intercept = float(tensors["intercept"])

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """Years, float64 of shape (n,), for uint8 crops of shape (n, 160, 160, 3)."""
        return features(crops, self.filters) @ self.coefficients + self.intercept


def load_demo(folder: Path, device: str = "cpu") -> RandomConvolution:
    """Load a model written by ``faceage-bio fit-demo-model``."""
    from safetensors.torch import load_file

    card = read_card(folder)
    return RandomConvolution(load_file(folder / card["weights"]), card, device)
