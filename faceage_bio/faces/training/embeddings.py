"""Photos of one face under different names, by a face-recognition network that the user brings."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch

from faceage_bio.core.errors import WeightsError, examples
from faceage_bio.faces.training.faces import FaceStore
from faceage_bio.faces.vision.crop import CROP_SIZE
from faceage_bio.faces.vision.transformer import read_state

BATCH = 64
BLOCK = 4096  # faces whose similarities to all others are computed at once


@torch.inference_mode()
def embed(store: FaceStore, faces: pd.DataFrame, weights: Path | str, device: str = "cpu") -> np.ndarray:
    """Embeddings of unit length, float32 of shape (n, 512), by facenet-pytorch's Inception-ResNet v1.

    Parameters
    ----------
    faces : DataFrame with part and row
    weights : its state dict, trained on VGGFace2 or CASIA; the layer that tells the persons of its training apart is not used

    Raises
    ------
    WeightsError
        Weights of another network.
    """
    from facenet_pytorch import InceptionResnetV1

    network = InceptionResnetV1(pretrained=None, classify=False).eval()
    own = network.state_dict()
    state = {name: tensor for name, tensor in read_state(weights).items() if not name.startswith("logits.")}
    wrong = sorted(
        {
            name
            for name in {*own, *state}
            if name not in own or name not in state or own[name].shape != state[name].shape
        }
    )
    if wrong:
        raise WeightsError(
            f"curation.embedding {weights}: {len(wrong)} tensors lack or do not fit ({examples(wrong, 3)}). Expected facenet-pytorch's weights of VGGFace2 or CASIA. Give that file, or leave "
            "embedding empty."
        )
    network.load_state_dict(state)
    network.to(device)
    found = []
    places = list(zip(faces["part"].astype(int), faces["row"].astype(int), strict=True))
    for start in range(0, len(places), BATCH):
        crops = [
            cv2.resize(store.face(*place), (CROP_SIZE, CROP_SIZE)) for place in places[start : start + BATCH]
        ]
        pixels = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float().sub(127.5).div(128.0)
        found.append(network(pixels.to(device)).cpu().numpy())
    return np.concatenate(found) if found else np.empty((0, 512), np.float32)


def similar_pairs(embeddings: np.ndarray, least: float) -> np.ndarray:
    """Places of each two whose cosine is at least ``least``, shape (n_pairs, 2), the smaller first."""
    found = [np.empty((0, 2), int)]
    for start in range(0, len(embeddings), BLOCK):
        one, other = np.nonzero(embeddings[start : start + BLOCK] @ embeddings.T >= least)
        pairs = np.column_stack([one + start, other])
        found.append(pairs[pairs[:, 0] < pairs[:, 1]])
    return np.concatenate(found)
