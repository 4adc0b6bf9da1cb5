"""The FaceAge network: Inception-ResNet v1 with a bottleneck of 128 and a head that gives years."""

from copy import copy, deepcopy
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from faceage_bio.core.errors import WeightsError
from faceage_bio.faces.vision.face_input import input_of, standardise
from faceage_bio.faces.vision.models import BATCH_NORM_EPS, read_card

EMBEDDING = 1792  # channels of the last block, averaged over the picture
BOTTLENECK = 128


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


def fold_batch_norm(network: FaceAgeNetwork) -> FaceAgeNetwork:
    """A copy in which each convolution has taken over the batch normalisation behind it: same years, a tenth faster."""
    from facenet_pytorch.models.inception_resnet_v1 import BasicConv2d

    folded = deepcopy(network).eval()
    for part in folded.modules():
        if isinstance(part, BasicConv2d):
            part.conv = fuse_conv_bn_eval(part.conv, part.bn)
            part.bn = nn.Identity()
            part.relu = nn.ReLU(inplace=True)
    return folded


class FaceAgePredictor:
    """A FaceAge network with weights, on a device.

    Parameters
    ----------
    network : FaceAgeNetwork
    card : dict
    device : str
        "cpu" or "cuda". On a GPU the shortened arithmetic of TF32 is switched off.
    precision : "float32" or "bfloat16"
        bfloat16 is faster and moves ages by up to about a year.
    """

    def __init__(self, network: FaceAgeNetwork, card: dict, device: str, precision: str) -> None:
        self.card = card
        self.size = input_of(card).size
        self.device = torch.device(device)
        self.precision = precision
        self.network = fold_batch_norm(network).to(self.device, memory_format=torch.channels_last)

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """Years, float64 of shape (n,), for uint8 crops of shape (n, size, size, 3); the study's size is 160.

        A GPU also standardises them, so that a quarter of the bytes is copied there.
        """
        if self.device.type == "cpu":
            return self.predict_standardised(standardise(crops))
        pixels = torch.from_numpy(crops).pin_memory().to(self.device, non_blocking=True)
        return self._years(standardise_tensor(pixels))

    def predict_standardised(self, inputs: np.ndarray) -> np.ndarray:
        """Years, float64 of shape (n,), for standardised float32 crops of shape (n, size, size, 3)."""
        if inputs.ndim != 4 or inputs.shape[1:] != (self.size, self.size, 3):
            raise ValueError(
                f"expected crops of shape (n, {self.size}, {self.size}, 3), found {inputs.shape}"
            )
        tensor = torch.from_numpy(np.ascontiguousarray(inputs, dtype=np.float32))
        if self.device.type == "cuda":
            tensor = tensor.pin_memory()  # so that the copy to the GPU needs no second one
        return self._years(tensor.to(self.device, non_blocking=True))

    @torch.inference_mode()
    def _years(self, inputs: torch.Tensor) -> np.ndarray:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            return self.network(inputs.permute(0, 3, 1, 2)).double().cpu().numpy()

    def in_float32(self) -> "FaceAgePredictor":
        """The same network in full precision, to tell how far the short one is off."""
        full = copy(self)
        full.precision = "float32"
        return full


def load_faceage(folder: Path, device: str = "cpu", precision: str = "float32") -> FaceAgePredictor:
    """Load imported weights strictly.

    Raises
    ------
    WeightsError
        See `models.read_card`; or a tensor is missing, unknown or of another shape.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    card = read_card(folder)
    with torch.device("meta"):  # weights are not drawn only to be replaced
        network = FaceAgeNetwork()
    try:
        network.load_state_dict(load_file(folder / card["weights"]), strict=True, assign=True)
    except (RuntimeError, ValueError, SafetensorError) as error:
        raise WeightsError(
            f"{folder / card['weights']}: not the weights of the FaceAge network: {error}. Expected what `faceage-bio weights import` wrote. Import them again."
        ) from None
    return FaceAgePredictor(network, card, device, precision)


def standardise_tensor(crops: torch.Tensor) -> torch.Tensor:
    """What `standardise` gives, on the tensor's device; NaN for a crop of which all pixels are equal."""
    pixels = crops.double()
    spread, mean = torch.std_mean(pixels, dim=(-3, -2, -1), correction=0, keepdim=True)
    return ((pixels - mean) / spread).float()
