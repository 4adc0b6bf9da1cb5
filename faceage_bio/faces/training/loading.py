"""Faces in the order of an epoch, augmented: a function of the seed, the epoch and the place in it, whatever
the number of workers.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from faceage_bio.core.machine import make_socket_folder
from faceage_bio.core.settings.settings_training import Augmentation, Fit
from faceage_bio.faces.training.faces import FaceStore
from faceage_bio.faces.vision.face_input import FaceInput, prepare

Key = tuple[int, int, int]  # epoch, place in it, row of the table


def age_weights(ages: np.ndarray, years: int) -> np.ndarray:
    """Weights by which each band of ``years`` of age is drawn equally often; their sum is 1."""
    band = np.asarray(ages, dtype=int) // years
    _, inverse, counts = np.unique(band, return_inverse=True, return_counts=True)
    weights = 1 / counts[inverse]
    return weights / weights.sum()


class EpochOrder(Sampler[Key]):
    """As many draws as there are faces: with replacement by weights, or all in another order, by (seed, epoch).

    Of several processes each takes every n-th, so that a batch of all together is that of one process.
    """

    def __init__(
        self, n: int, weights: np.ndarray | None, seed: int, rank: int = 0, processes: int = 1
    ) -> None:
        self.n, self.weights, self.seed, self.rank, self.processes = n, weights, seed, rank, processes
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning says which epoch begins."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.n // self.processes

    def __iter__(self) -> Iterator[Key]:
        random = np.random.default_rng([self.seed, 31, self.epoch])
        drawn = self.weights is not None
        rows = random.choice(self.n, self.n, p=self.weights) if drawn else random.permutation(self.n)
        for place in range(self.rank, len(self) * self.processes, self.processes):
            yield self.epoch, place, int(rows[place])


class Faces(Dataset):
    """Standardised faces with their ages.

    Parameters
    ----------
    store : FaceStore
    table : DataFrame with part, row and age
    how : FaceInput
    augmentation : Augmentation or None
        None for faces as they are.
    """

    def __init__(
        self,
        store: FaceStore,
        table: pd.DataFrame,
        how: FaceInput,
        augmentation: Augmentation | None,
        seed: int,
    ) -> None:
        self.store, self.how, self.augmentation, self.seed = store, how, augmentation, seed
        self.parts, self.rows = table["part"].to_numpy(int), table["row"].to_numpy(int)
        self.ages = table["age"].to_numpy(np.float32)

    def __len__(self) -> int:
        return len(self.ages)

    def __getitem__(self, key: Key | int) -> tuple[torch.Tensor, torch.Tensor]:
        epoch, place, row = key if isinstance(key, tuple) else (0, key, key)
        face = self.store.face(self.parts[row], self.rows[row])
        if self.augmentation:
            face = augment(face, self.augmentation, self.seed, epoch, place)
        if face.min() == face.max():  # moved out of its frame
            face = self.store.face(self.parts[row], self.rows[row])
        pixels = prepare(face[None], self.how.standardisation)[0]
        return torch.from_numpy(pixels), torch.tensor(self.ages[row])


def augment(face: np.ndarray, ranges: Augmentation, seed: int, epoch: int, place: int) -> np.ndarray:
    """A face turned, shifted, sheared, zoomed and mirrored by chance, black where nothing is: uint8 of the same shape."""
    from torchvision.transforms.v2 import functional as v2

    random = np.random.default_rng([seed, 32, epoch, place])
    size = face.shape[0]
    angle = random.uniform(-ranges.rotation, ranges.rotation)
    shift = random.uniform(-ranges.shift, ranges.shift, 2) * size
    shear = random.uniform(-ranges.shear, ranges.shear)
    zoom = random.uniform(1 - ranges.zoom, 1 + ranges.zoom)
    pixels = torch.from_numpy(np.ascontiguousarray(face)).permute(2, 0, 1)
    linear = v2.InterpolationMode.BILINEAR
    pixels = v2.affine(pixels, angle, shift.tolist(), zoom, [shear, 0.0], interpolation=linear, fill=[0.0])
    if ranges.flip and random.random() < 0.5:
        pixels = v2.horizontal_flip(pixels)
    return pixels.permute(1, 2, 0).numpy()


def training_loader(faces: Faces, fit: Fit, seed: int, rank: int = 0, processes: int = 1) -> DataLoader:
    """Batches of an epoch; ``batch_size`` is that of all processes together."""
    weights = age_weights(faces.ages, fit.balance_years) if fit.balance == "age" else None
    order = EpochOrder(len(faces), weights, seed, rank, processes)
    size = max(1, min(fit.batch_size, len(faces)) // processes)
    make_socket_folder()
    lasting = fit.workers > 0
    return DataLoader(
        faces, size, sampler=order, num_workers=fit.workers, drop_last=True, persistent_workers=lasting
    )


def validation_loader(faces: Faces, fit: Fit, rank: int, processes: int) -> DataLoader:
    """All faces once, as they are."""
    order = range(rank, len(faces), processes)
    return DataLoader(faces, max(1, fit.batch_size // processes), sampler=order, num_workers=fit.workers)


def read_side(photos: pd.DataFrame, split: pd.DataFrame, *sides: str) -> pd.DataFrame:
    """Photos of these sides, as often as they stand there, with ``person``."""
    chosen = split[split["side"].isin(sides)]
    rows = photos.loc[chosen["place"]].reset_index(drop=True)
    return rows.assign(person=chosen["person"].to_numpy(), side=chosen["side"].to_numpy())
