"""Labelled photos of public sets and of tables (path, age, person), and their faces in the order of an epoch, augmented: a function
of the seed, the epoch and the place in it, whatever the number of workers.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from faceage_bio.core import parse
from faceage_bio.core.errors import TableError, examples, no_file
from faceage_bio.core.machine import make_socket_folder
from faceage_bio.core.parse import DAYS_PER_YEAR
from faceage_bio.core.settings.settings_training import Augmentation, Fit, Source
from faceage_bio.core.tables import read_text_table
from faceage_bio.faces.training.curation import BAD_LABEL, NO_FACE_SAID, SEVERAL_SAID
from faceage_bio.faces.training.faces import FaceStore
from faceage_bio.faces.vision.face_input import FaceInput, prepare

COLUMNS = ("source", "path", "age", "identity", "sex", "race", "excluded")
# some names of the set lack a field, which may be any of them, and some the dot or a letter of their ending
UTKFACE = re.compile(r"(?P<age>\d{1,3})_(?P<sex>[01])_(?P<race>[0-4])_\d{14,20}\D*")
PICTURES = {".jpg", ".jpeg", ".png"}
UTK_SEX = {"0": "male", "1": "female"}
UTK_RACE = {"0": "White", "1": "Black", "2": "Asian", "3": "Indian", "4": "Other"}
MATLAB_DAYS = 366  # MATLAB's day 1 is 1 January of the year 0, Python's that of the year 1


def read_source(source: Source) -> pd.DataFrame:
    """One row per photo of a source.

    Returns
    -------
    DataFrame
        source, path (of the file), age (years, NaN where the label is none), identity (of one source), sex,
        race, and ``excluded``: why the source's own fields exclude it, "" otherwise.

    Raises
    ------
    TableError
        The file or the folder is not of its kind, or holds no photo.
    """
    readers: dict[str, Callable[[Source], pd.DataFrame]] = {
        "utkface": _utkface,
        "imdb_wiki": _imdb_wiki,
        "table": _table,
    }
    table = readers[source.kind](source)
    if table.empty:
        raise TableError(
            f"{source.path}: holds no photo. Expected at least one. Look at kind and path of the source {source.name}."
        )
    if source.identity == "photo":
        table["identity"] = table["path"]
    table = table.assign(source=source.name).reindex(columns=COLUMNS)
    texts = ["identity", "sex", "race", "excluded"]
    table[texts] = table[texts].astype(object).where(table[texts].notna(), "").astype(str)
    table.loc[table["age"].isna() & (table["excluded"] == ""), "excluded"] = BAD_LABEL
    return table


def _utkface(source: Source) -> pd.DataFrame:
    folder = Path(source.path)
    if not folder.is_dir():
        raise TableError(f"{folder}: no such folder. Expected the pictures of UTKFace. Check the path.")
    rows = []
    for path in sorted(item for item in folder.rglob("*") if item.suffix.lower() in PICTURES):
        found = UTKFACE.fullmatch(path.name)
        row = {"path": str(path), "age": float(found["age"]) if found else np.nan, "identity": str(path)}
        rows.append(row | ({"sex": UTK_SEX[found["sex"]], "race": UTK_RACE[found["race"]]} if found else {}))
    return pd.DataFrame(rows, columns=["path", "age", "identity", "sex", "race"])


def matlab_age(born: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Years from birth, a MATLAB day number, to 1 July of the year in which a photo was taken; NaN for what is no date."""
    born, taken = np.asarray(born, dtype=np.float64), np.asarray(taken, dtype=np.float64)
    known = np.isfinite(born) & (born > MATLAB_DAYS) & np.isfinite(taken) & (taken >= 1800) & (taken <= 2100)
    years = np.where(known, taken, 2000).astype(int)
    days = np.array([np.datetime64(f"{year}-07-01") for year in years]).astype("datetime64[D]").astype(float)
    origin = float(np.datetime64("0001-01-01", "D").astype(float))
    birth = born - MATLAB_DAYS - 1 + origin
    return np.where(known, (days - birth) / DAYS_PER_YEAR, np.nan)


def _imdb_wiki(source: Source) -> pd.DataFrame:
    from scipy.io import loadmat

    path = Path(source.path)
    if why := no_file(path):
        raise TableError(f"{path}: {why}. Expected imdb.mat or wiki.mat. Check the path.")
    try:
        content = loadmat(path, squeeze_me=True, struct_as_record=True, chars_as_strings=True)
    except (ValueError, NotImplementedError, TypeError, OSError) as error:
        raise TableError(
            f"{path}: not a MATLAB file of version 5 ({error}). Expected imdb.mat or wiki.mat of IMDB-WIKI. Give the file as it was published."
        ) from None
    held = [name for name in content if not name.startswith("__")]
    meta = content.get("imdb", content.get("wiki"))
    needed = ("dob", "photo_taken", "full_path", "face_score", "second_face_score", "name")
    lacking = [name for name in needed if meta is None or name not in (meta.dtype.names or ())]
    if lacking:
        raise TableError(
            f"{path}: holds {', '.join(held) or 'nothing'}, without the field(s) {', '.join(lacking)}. Expected a struct imdb or wiki with {', '.join(needed)}. "
            "Give the file that came with the pictures."
        )
    field = {name: np.atleast_1d(meta[name].item() if meta.size == 1 else meta[name]) for name in needed}
    if meta.size != 1 or len({values.shape for values in field.values()}) != 1:
        raise TableError(
            f"{path}: its fields differ in length, or there are several structs. Expected one struct with one value per photo in each field. Give the file as it was published."
        )
    try:
        for name in ("dob", "photo_taken", "face_score", "second_face_score"):
            field[name] = field[name].astype(np.float64)
    except (ValueError, TypeError):
        raise TableError(
            f"{path}: its field {name} holds {examples(list(field[name]), 2)}. Expected numbers. Give the file as it was published."
        ) from None
    folder = Path(source.folder) if source.folder else path.parent
    names = [str(name) if np.size(name) else "" for name in field["name"]]
    paths = [str(folder / str(np.ravel(one)[0] if np.size(one) else "")) for one in field["full_path"]]
    table = pd.DataFrame({"path": paths, "age": matlab_age(field["dob"], field["photo_taken"])})
    table["identity"] = [name or path for name, path in zip(names, paths, strict=True)]
    if "gender" in meta.dtype.names:
        table["sex"] = pd.Series(np.atleast_1d(meta["gender"].item()).astype(float)).map(
            {0.0: "female", 1.0: "male"}
        )
    told = [~np.isfinite(field["face_score"]), ~np.isnan(field["second_face_score"])]
    table["excluded"] = np.select(told, [NO_FACE_SAID, SEVERAL_SAID], "")
    return table


def _table(source: Source) -> pd.DataFrame:
    path = Path(source.path)
    typed = read_text_table(path)
    needed = ["path", "age"] + (["identity"] if source.identity == "known" else [])
    lacking = [name for name in needed if name not in typed]
    if lacking:
        raise TableError(
            f"{path}: line {typed.attrs['header']} lacks the column(s) {', '.join(lacking)}; found {', '.join(typed)}. Expected {', '.join(needed)}, and sex and race if known. "
            "Add them; where identities are not known, say identity: photo."
        )
    cells = typed["age"].astype(str).str.strip()
    age = parse.to_numbers(cells.where(~parse.is_missing(cells), None))
    wrong = [f"line {line}: {cells[line]!r}" for line in cells.index[age.isna() & ~parse.is_missing(cells)]]
    if wrong:
        raise TableError(
            f"{path}: column 'age' has cells that are no numbers ({examples(wrong)}). Expected years such as 57.4. Correct them, or leave them empty."
        )
    folder = Path(source.folder) if source.folder else path.parent
    table = typed.reindex(columns=["path", "identity", "sex", "race"]).assign(age=age)
    nameless = [f"line {line}" for line in table.index[parse.is_missing(table["path"].fillna(""))]]
    if nameless:
        raise TableError(
            f"{path}: column 'path' is empty ({examples(nameless)}). Expected the photo's file. Write it."
        )
    unknown = table["identity"].fillna("").astype(str).str.strip() == ""
    table["path"] = [str(folder / one) for one in table["path"]]
    table["identity"] = table["identity"].where(~unknown, table["path"])
    return table.reset_index(drop=True)


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
