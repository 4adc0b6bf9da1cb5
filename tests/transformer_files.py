"""What several test files use of transformer."""

import json

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer

SIZES = {"patch": 16, "depth": 2, "width": 32, "heads": 2}
DECLARED = {
    "name": "tiny ViT", "architecture": SIZES, "notice": "research only", "years": {"scale": 2.0, "offset": 50.0},
    "input": {"alignment": "five_points", "size": 112, "standardisation": "imagenet"},
}  # fmt: skip


@pytest.fixture(scope="module")
def network():
    return tiny_transformer()


def tiny_transformer():
    torch.manual_seed(4)
    return VisionTransformer(
        img_size=112, patch_size=16, depth=2, embed_dim=32, num_heads=2, num_classes=1
    ).eval()


def checkpoint(path, network, prefix="", **more):
    """As a training run leaves it: weights beside the optimiser's state."""
    optimiser = torch.optim.AdamW(network.parameters())
    state = {prefix + name: value for name, value in network.state_dict().items()}
    torch.save(
        {"model_state_dict": state, "optimizer_state_dict": optimiser.state_dict(), "epoch": 3} | more, path
    )
    return path


def declare(folder, **changes):
    path = folder / "declared.yaml"
    path.write_text(json.dumps({k: v for k, v in (DECLARED | changes).items() if v is not None}))
    return path
