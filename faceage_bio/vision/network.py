"""The FaceAge network: Inception-ResNet v1 with a bottleneck of 128 and a head that gives years."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from faceage_bio.errors import WeightsError
from faceage_bio.vision.card import WEIGHTS_FILE, read_card
from faceage_bio.vision.crop import CROP_SIZE, standardise

EMBEDDING = 1792  # channels of the last block, averaged over the picture
BOTTLENECK = 128
BATCH_NORM_EPS = 0.001  # Keras', everywhere in this network


class FaceAgeNetwork(nn.Module):
    """Standardised crops to years.

    facenet-pytorch's Inception-ResNet v1 with two departures of the study: a bottleneck of 128 units, and no
    L2-normalisation between it and the head (dense, ReLU, batch normalisation, dense).
    """

    def __init__(self) -> None:
        from facenet_pytorch import InceptionResnetV1

        super().__init__()
        self.backbone = InceptionResnetV1(pretrained=None, classify=True, num_classes=1)
        del self.backbone.logits
        self.backbone.last_linear = nn.Linear(EMBEDDING, BOTTLENECK, bias=False)
        self.backbone.last_bn = nn.BatchNorm1d(BOTTLENECK, eps=BATCH_NORM_EPS)
        self.head = nn.Sequential(
            nn.Linear(BOTTLENECK, 128), nn.ReLU(), nn.BatchNorm1d(128, eps=BATCH_NORM_EPS), nn.Linear(128, 1)
        )
        self.eval()

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        """Years of shape (n,) for float32 crops of shape (n, 3, 160, 160)."""
        net = self.backbone
        x = net.conv2d_2b(net.conv2d_2a(net.conv2d_1a(crops)))
        x = net.conv2d_4b(net.conv2d_4a(net.conv2d_3b(net.maxpool_3a(x))))
        x = net.repeat_2(net.mixed_6a(net.repeat_1(x)))
        x = net.block8(net.repeat_3(net.mixed_7a(x)))
        x = net.last_bn(net.last_linear(net.avgpool_1a(x).flatten(1)))
        return self.head(x)[:, 0]


class FaceAgePredictor:
    """A FaceAge network with weights, on a device."""

    def __init__(self, network: FaceAgeNetwork, card: dict, device: str = "cpu") -> None:
        self.card = card
        self.device = torch.device(device)
        self.network = network.eval().to(self.device, memory_format=torch.channels_last)

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """Years, float64 of shape (n,), for uint8 crops of shape (n, 160, 160, 3)."""
        return self.predict_standardised(standardise(crops))

    @torch.inference_mode()
    def predict_standardised(self, inputs: np.ndarray) -> np.ndarray:
        """Years, float64 of shape (n,), for standardised float32 crops of shape (n, 160, 160, 3)."""
        if inputs.ndim != 4 or inputs.shape[1:] != (CROP_SIZE, CROP_SIZE, 3):
            raise ValueError(
                f"expected crops of shape (n, {CROP_SIZE}, {CROP_SIZE}, 3), found {inputs.shape}"
            )
        tensor = torch.from_numpy(np.ascontiguousarray(inputs, dtype=np.float32)).permute(0, 3, 1, 2)
        return self.network(tensor.to(self.device)).double().cpu().numpy()


def load_faceage(folder: Path, device: str = "cpu") -> FaceAgePredictor:
    """Load imported weights strictly.

    Raises
    ------
    WeightsError
        See `card.read_card`; or a tensor is missing, unknown or of another shape.
    """
    from safetensors.torch import load_file

    card = read_card(folder)
    network = FaceAgeNetwork()
    try:
        network.load_state_dict(load_file(folder / WEIGHTS_FILE), strict=True)
    except (RuntimeError, ValueError) as error:
        raise WeightsError(
            f"{folder / WEIGHTS_FILE}: not the weights of the FaceAge network: {error}"
        ) from None
    return FaceAgePredictor(network, card, device)
