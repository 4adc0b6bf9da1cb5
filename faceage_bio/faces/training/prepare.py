"""From sources to a folder that a fit starts from: curated photos, their faces, the split, the flow."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch

from faceage_bio.core.errors import WeightsError, examples
from faceage_bio.core.settings.settings_training import Training
from faceage_bio.core.tables import write_json, write_table
from faceage_bio.faces.training.curation import (
    TEST,
    TRAIN,
    VALIDATION,
    curate_faces,
    curate_labels,
    flow,
    joined,
    leak,
    split_photos,
)
from faceage_bio.faces.training.faces import FaceStore, cut_faces
from faceage_bio.faces.training.labelled_photos import read_source
from faceage_bio.faces.vision.face_input import CROP_SIZE, input_of
from faceage_bio.faces.vision.transformer import read_state

PHOTOS, SPLIT, FLOW, DESCRIPTION = "photos.parquet", "split.parquet", "flow.tsv", "prepared.json"
BATCH = 64
BLOCK = 4096  # faces whose similarities to all others are computed at once


@torch.inference_mode()
def embed(store: FaceStore, faces: pd.DataFrame, weights: Path | str, device: str = "cpu") -> np.ndarray:
    """Embeddings of unit length, float32 of shape (n, 512), by facenet-pytorch's Inception-ResNet v1 with
    weights that the user brings.

    Parameters
    ----------
    faces : DataFrame with part and row
    weights : its state dict, trained on VGGFace2 or CASIA; the layer that tells the persons of its training
        apart is not used

    Raises
    ------
    WeightsError
        Weights of another network.
    """
    from facenet_pytorch import InceptionResnetV1

    network = InceptionResnetV1(pretrained=None, classify=False).eval()
    state = {name: tensor for name, tensor in read_state(weights).items() if not name.startswith("logits.")}
    wanted, given = (
        {name: tensor.shape for name, tensor in tensors.items()} for tensors in (network.state_dict(), state)
    )
    if wrong := sorted(name for name in {*wanted, *given} if wanted.get(name) != given.get(name)):
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


def prepare(
    settings: Training,
    output: Path,
    *,
    device: str = "cpu",
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda n, total: None,
) -> pd.DataFrame:
    """Write photos.parquet, split.parquet, flow.tsv and faces/ into a folder; returns the flow.

    A folder in which an earlier call was interrupted, or to which photos were added, is completed: faces that
    were cut are kept.

    Raises
    ------
    TableError, WeightsError
        See `labelled_photos.read_source`, `curation.curate_labels`, `curation.split_photos`,
        `vision.face_input.input_of`.
    """
    how = input_of({"name": settings.name, "input": settings.input} if settings.input else {})
    photos = pd.concat([_scoped(source) for source in settings.sources], ignore_index=True)
    photos["excluded"] = curate_labels(photos, settings.curation)
    known = photos[photos["excluded"] == ""]
    paths = list(known["path"])
    faces = cut_faces(
        paths, how, output, device=device, workers=workers, progress=lambda n: progress(n, len(paths))
    )
    photos = photos.join(faces.set_axis(known.index).drop(columns="path"))
    photos["n_faces"] = photos["n_faces"].fillna(0).astype(int)
    excluded, group = curate_faces(photos.loc[known.index], settings.curation)
    photos = photos.assign(duplicate_group=group)
    photos.loc[known.index, "excluded"] = excluded
    kept = photos[photos["excluded"] == ""]
    if settings.curation.embedding and len(kept):
        embeddings = embed(FaceStore(output), kept, settings.curation.embedding, device)
        pairs = similar_pairs(embeddings, settings.curation.embedding_similarity)
        photos.loc[kept.index, "duplicate_group"] = joined(kept["duplicate_group"], pairs)
        kept = photos[photos["excluded"] == ""]
    steps = flow(photos, settings.curation)
    split = split_photos(kept, settings.split, settings.seed)
    for table, name in ((photos, PHOTOS), (split, SPLIT), (steps, FLOW)):
        write_table(table, output / name)
    description = {
        "settings": settings.model_dump(mode="json"),
        "input": how.declared(),
        "n_photos": len(kept),
        "n_persons": int(split["person"].nunique()),
        "sides": {side: int((split["side"] == side).sum()) for side in (TRAIN, VALIDATION, TEST)},
        "leak": leak(split),
    }
    write_json(description, output / DESCRIPTION)
    return steps


def _scoped(source) -> pd.DataFrame:
    """Persons of IMDB and of Wikipedia are known by the same names; other sources name their own."""
    table = read_source(source)
    scope = "imdb_wiki" if source.kind == "imdb_wiki" else source.name
    return table.assign(identity=scope + ":" + table["identity"].str.casefold())
