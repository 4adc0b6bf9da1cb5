"""From sources to a folder that a fit starts from: curated photos, their faces, the split, the flow."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from faceage_bio.core.settings.settings_training import Training
from faceage_bio.core.tables import write_json, write_table
from faceage_bio.faces.training.curation import curate_faces, curate_labels, flow, joined
from faceage_bio.faces.training.embeddings import embed, similar_pairs
from faceage_bio.faces.training.faces import FaceStore, cut_faces
from faceage_bio.faces.training.labelled_photos import read_source
from faceage_bio.faces.training.splits import TEST, TRAIN, VALIDATION, leak, split_photos
from faceage_bio.faces.vision.face_input import input_of

PHOTOS, SPLIT, FLOW, DESCRIPTION = "photos.parquet", "split.parquet", "flow.tsv", "prepared.json"


def prepare(
    settings: Training,
    output: Path,
    *,
    device: str = "cpu",
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda n, total: None,
) -> pd.DataFrame:
    """Write photos.parquet, split.parquet, flow.tsv and faces/ into a folder; returns the flow.

    A folder in which an earlier call was interrupted, or to which photos were added, is completed: faces that were cut are kept.

    Raises
    ------
    TableError, WeightsError
        See `labelled_photos.read_source`, `curation.curate_labels`, `splits.split_photos`, `vision.face_input.input_of`.
    """
    how = input_of({"name": settings.name, "input": settings.input} if settings.input else {})
    photos = pd.concat([_scoped(source) for source in settings.sources], ignore_index=True)
    photos["excluded"] = curate_labels(photos, settings.curation)
    known = photos[photos["excluded"] == ""]
    total = len(known)
    faces = cut_faces(
        list(known["path"]),
        how,
        output,
        device=device,
        workers=workers,
        progress=lambda n: progress(n, total),
    )
    faces.index = known.index
    photos = photos.join(faces.drop(columns="path"))
    photos["n_faces"] = photos["n_faces"].fillna(0).astype(int)
    used = known.index
    photos.loc[used, "excluded"], photos.loc[used, "duplicate_group"] = curate_faces(
        photos.loc[used], settings.curation
    )
    kept = photos[photos["excluded"] == ""]
    if settings.curation.embedding and len(kept):
        embeddings = embed(FaceStore(output), kept, settings.curation.embedding, device)
        pairs = similar_pairs(embeddings, settings.curation.embedding_similarity)
        photos.loc[kept.index, "duplicate_group"] = joined(kept["duplicate_group"], pairs)
        kept = photos[photos["excluded"] == ""]
    told = flow(photos, settings.curation)
    split = split_photos(kept, settings.split, settings.seed)
    write_table(photos, output / PHOTOS)
    write_table(split, output / SPLIT)
    write_table(told, output / FLOW)
    write_json(
        {"settings": settings.model_dump(mode="json"), "input": how.declared(), "n_photos": len(kept), "n_persons": int(split["person"].nunique()),
         "sides": {side: int((split["side"] == side).sum()) for side in (TRAIN, VALIDATION, TEST)}, "leak": leak(split)},
        output / DESCRIPTION,
    )  # fmt: skip
    return told


def _scoped(source) -> pd.DataFrame:
    """Persons of IMDB and of Wikipedia are known by the same names; other sources name their own."""
    table = read_source(source)
    scope = "imdb_wiki" if source.kind == "imdb_wiki" else source.name
    return table.assign(identity=scope + ":" + table["identity"].str.casefold())
