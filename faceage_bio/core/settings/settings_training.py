"""How an age model is trained: the photos, what is excluded, the split, the network and its fit. A file of its own, train.yaml."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from faceage_bio.core.errors import ConfigError
from faceage_bio.core.settings.closed import Closed, FilePath


class Source(Closed):
    """Where labelled photos come from."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")
    """Stands in the flow and in the card."""
    kind: Literal["utkface", "imdb_wiki", "table"]
    """utkface: a folder of files named age_sex_race_date; imdb_wiki: a .mat file; table: path, age, identity; sex and race if known."""
    path: FilePath
    """The .mat file, the table, or the folder."""
    folder: FilePath | None = None
    """That the paths of a .mat file or a table start from; by default its own."""
    identity: Literal["known", "photo"] = "known"
    """photo: identities are not known, so each photo counts as a person of its own; UTKFace has none."""


class Curation(Closed):
    """Rules by which photos are excluded, in their order; each is counted."""

    min_age: float = 18.0
    max_age: float = 105.0
    formats: list[str] = ["JPEG"]
    """The study took JPEG alone; [] takes all formats."""
    one_face: bool = True
    """Photos with more than one face are excluded."""
    duplicates: bool = True
    """Of nearly identical photos (perceptual hash) with one age the first is kept, of those with different ages none."""
    embedding: FilePath | None = None
    """Weights of facenet-pytorch's network for face recognition: photos of one face under different identities then stand on one side
    of the split. Empty: identities and perceptual hashes alone tell."""
    embedding_similarity: float = Field(default=0.9, gt=0, le=1)
    """Cosine from which two faces are taken for one."""
    rejected: FilePath | None = None
    """Table with the column path: photos rejected by persons who looked at them."""


class Split(Closed):
    """Which photos choose the weights (validation) and which only judge them (test)."""

    kind: Literal["identity", "study"] = "identity"
    """identity: a person, and near-duplicates, stand on one side. study: the published way, copies first and then a tail
    of the shuffled photos, which stands on both sides; to show the size of the leak."""
    validation: float = Field(default=0.1, gt=0, lt=1)
    test: float = Field(default=0.1, ge=0, lt=1)


class Augmentation(Closed):
    """Random changes of each face, in the study's ranges; of the seed, the epoch and the photo alone."""

    rotation: float = Field(default=20.0, ge=0, le=180)
    """Degrees to either side."""
    shift: float = Field(default=0.1, ge=0, lt=1)
    """Share of the width and of the height."""
    shear: float = Field(default=0.2, ge=0, lt=90)
    """Degrees; the study's 0.2 is one fifth of a degree in Keras."""
    zoom: float = Field(default=0.2, ge=0, lt=1)
    flip: bool = True


class Fit(Closed):
    """Network, loss and optimisation; defaults as the study's script."""

    network: Literal["inception_resnet_v1"] | dict[str, Any] = "inception_resnet_v1"
    """Or an architecture of timm: {timm: vit_base_patch16_224}, or {patch: 16, depth: 12, width: 768, heads: 12}."""
    start_from: FilePath | None = None
    """Model folder, or checkpoint of the same network; its last layer may lack. Empty: from scratch."""
    freeze: list[str] = []
    """Beginnings of the names of layers that stay as they are, such as backbone.conv2d, backbone.repeat_1."""
    balance: Literal["age", "none"] = "age"
    """age: each year of age is drawn equally often (bands of balance_years)."""
    balance_years: int = Field(default=1, ge=1)
    loss: Literal["mae", "huber"] = "mae"
    huber_delta: float = Field(default=5.0, gt=0)
    """Years beyond which Huber's loss is linear."""
    learning_rate: float = Field(default=0.001, gt=0)
    batch_size: int = Field(default=256, ge=2)
    accumulate: int = Field(default=1, ge=1)
    """Batches per step of the optimiser."""
    max_epochs: int = Field(default=1000, ge=1)
    plateau_factor: float = Field(default=0.2, gt=0, lt=1)
    plateau_patience: int = Field(default=5, ge=0)
    stop_patience: int = Field(default=200, ge=1)
    """Epochs without a lower validation error after which training stops."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = Field(default=1, ge=1)
    """GPUs, or processes on the CPU."""
    workers: int = Field(default=0, ge=0)
    """Processes that load faces, for each device."""
    augmentation: Augmentation = Field(default_factory=Augmentation)


class Training(Closed):
    """The whole of train.yaml."""

    name: str = Field(min_length=1)
    """What reports call the model."""
    seed: int = Field(default=1, ge=0)
    sources: list[Source] = Field(min_length=1)
    input: dict[str, Any] = Field(default_factory=dict)
    """Alignment, size and standardisation of the faces, as in a model's card."""
    curation: Curation = Field(default_factory=Curation)
    split: Split = Field(default_factory=Split)
    fit: Fit = Field(default_factory=Fit)
    notice: str = ""
    """Stands in the card: licence of the photos, what the model is not for."""

    @model_validator(mode="after")
    def _sensible_together(self) -> "Training":
        names = [source.name for source in self.sources]
        if len(set(names)) < len(names):
            raise ValueError(f"sources: {names} name one twice; give each a name of its own")
        if not self.curation.min_age < self.curation.max_age:
            raise ValueError("curation: min_age must lie below max_age")
        if self.split.validation + self.split.test >= 1:
            raise ValueError(
                "split: validation and test leave no photos for training; give less, such as 0.1 each"
            )
        return self


def read_training(path: Path | str) -> Training:
    """train.yaml; its paths start at its folder.

    Raises
    ------
    ConfigError
        No such file, not YAML, unknown keys or values that do not fit.
    """
    from faceage_bio.core.config import read_yaml

    context = {"folder": str(Path(path).parent), "start": str(Path.cwd())}
    try:
        return Training.model_validate(read_yaml(path), context=context)
    except ValidationError as error:
        told = "\n".join(
            f"{path}: {'.'.join(map(str, one['loc'])) or 'the file'}: found {one['input'] if not isinstance(one['input'], dict) else 'keys ' + ', '.join(one['input'])!r}; {one['msg']}. "
            "Expected what docs/training.md lists. Correct it."
            for one in error.errors()
        )
        raise ConfigError(told) from None
