"""The fit: epochs, checkpoints at their ends, the plateau schedule and the early stop; a run that was killed goes on."""

import hashlib
import json
import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import pandas as pd
import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from pytorch_lightning.strategies import DDPStrategy
from torch.multiprocessing import ProcessRaisedException
from torch.nn import functional

from faceage_bio.core.errors import RunError
from faceage_bio.core.settings.settings_training import Fit, Training
from faceage_bio.core.tables import read_json, read_table, write_json, write_table
from faceage_bio.faces.training.curation import TRAIN, VALIDATION, keyed_hashes
from faceage_bio.faces.training.faces import FaceStore, check_faces
from faceage_bio.faces.training.labelled_photos import Faces, read_side, training_loader, validation_loader
from faceage_bio.faces.training.networks import AgeNetwork, frozen_norms, make_network, write_model
from faceage_bio.faces.training.prepare import DESCRIPTION, FLOW, PHOTOS, SPLIT
from faceage_bio.faces.vision.face_input import FaceInput, input_of
from faceage_bio.faces.vision.models import CARD_FILE

ERROR = "validation_error"  # mean absolute, years
HISTORY, SETTINGS, MODEL, CHECKPOINTS = "history.tsv", "settings.json", "model", "checkpoints"
# between two calls for one run
MAY_CHANGE = {"max_epochs", "devices", "workers", "accelerator", "stop_patience"}
NO_NUMBER = "the loss was no number any more"
# of CUDA, of PyTorch's allocator, and where the system ended a process that loads
NO_MEMORY = ("out of memory", "can't allocate memory", "DataLoader worker")
LIMITATIONS = (
    "Trained on the photos that the card counts; other ages, skin types, cameras and diseases are not covered by its errors. A lower error does not make a better "
    "prognosis: the study's fine-tuned model lost it. Research only: not for decisions about individual patients."
)


class NotFinite(Exception):
    """The loss is no number any more."""


class Regression(lightning.LightningModule):
    """Mean absolute error or Huber's loss in years."""

    def __init__(self, whole: AgeNetwork, fit: Fit) -> None:
        super().__init__()
        self.whole, self.settings = whole, fit
        self.plateau_before: dict = {}

    def loss(self, years: torch.Tensor, ages: torch.Tensor) -> torch.Tensor:
        """Mean over the batch."""
        if self.settings.loss == "huber":
            return functional.huber_loss(years, ages, delta=self.settings.huber_delta)
        return functional.l1_loss(years, ages)

    def on_train_epoch_start(self) -> None:
        """Frozen layers keep their running means."""
        for part in frozen_norms(self.whole, self.settings):
            part.eval()

    def training_step(self, batch, number: int) -> torch.Tensor:
        """Loss of a batch."""
        faces, ages = batch
        loss = self.loss(self.whole(faces), ages)
        if not torch.isfinite(loss):
            raise NotFinite
        self.log("training_loss", loss, on_step=False, on_epoch=True, batch_size=len(ages), sync_dist=True)
        return loss

    def validation_step(self, batch, number: int) -> None:
        """Error of a batch."""
        faces, ages = batch
        self.log(ERROR, (self.whole(faces) - ages).abs().mean(), batch_size=len(ages), sync_dist=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam; its rate is lowered where the error stays. Lightning's own schedule steps after the
        checkpoint and is one epoch behind in a run that goes on.
        """
        fit = self.settings
        trained = [one for one in self.whole.parameters() if one.requires_grad]
        optimiser = torch.optim.Adam(trained, fit.learning_rate)
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimiser, factor=fit.plateau_factor, patience=fit.plateau_patience, threshold=1e-4, threshold_mode="abs", cooldown=2, min_lr=1e-15
        )  # fmt: skip
        if self.plateau_before:
            self.plateau.load_state_dict(self.plateau_before)
        return optimiser

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        """The schedule goes into the checkpoint."""
        checkpoint["plateau"] = self.plateau.state_dict()

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        """And comes from it, before the optimiser is made."""
        self.plateau_before = checkpoint["plateau"]


class Data(lightning.LightningDataModule):
    """Loaders of this process among all."""

    def __init__(self, prepared: Path, settings: Training, how: FaceInput) -> None:
        super().__init__()
        self.prepared, self.settings, self.how = prepared, settings, how

    def setup(self, stage: str) -> None:
        """Open the faces in this process."""
        photos, split = read_table(self.prepared / PHOTOS), read_table(self.prepared / SPLIT)
        store, fit, seed = FaceStore(self.prepared), self.settings.fit, self.settings.seed
        self.faces = Faces(store, read_side(photos, split, TRAIN), self.how, fit.augmentation, seed)
        held = read_side(photos, split, VALIDATION)
        self.held = Faces(store, held, self.how, None, seed)

    def train_dataloader(self):
        """Training faces, augmented."""
        rank, processes = self.trainer.global_rank, self.trainer.world_size
        return training_loader(self.faces, self.settings.fit, self.settings.seed, rank, processes)

    def val_dataloader(self):
        """Validation faces."""
        return validation_loader(
            self.held, self.settings.fit, self.trainer.global_rank, self.trainer.world_size
        )


class History(Callback):
    """A row per finished epoch, kept in the checkpoint, so that a run that was killed goes on with it."""

    def __init__(self, path: Path) -> None:
        self.path, self.rows = path, []

    def state_dict(self) -> dict:
        """For the checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state: dict) -> None:
        """From the checkpoint."""
        self.rows = list(state["rows"])

    def on_train_epoch_start(self, trainer, module) -> None:
        """The clock."""
        self.begin = time.perf_counter()

    def on_validation_end(self, trainer, module) -> None:
        """Lower the learning rate where the error stays."""
        self.rate = trainer.optimizers[0].param_groups[0]["lr"]
        module.plateau.step(trainer.callback_metrics[ERROR])

    def on_train_epoch_end(self, trainer, module) -> None:
        """After validation, which Lightning runs before it."""
        known = trainer.callback_metrics
        row = {"epoch": trainer.current_epoch + 1}
        row |= {name: float(known[name]) for name in ("training_loss", ERROR) if name in known}
        row |= {"learning_rate": self.rate, "seconds": time.perf_counter() - self.begin}
        self.rows = [*self.rows, row]
        if trainer.is_global_zero:
            write_table(pd.DataFrame(self.rows), self.path)


def fit_model(settings: Training, prepared: Path, output: Path) -> dict:
    """Fit a model on prepared faces, or go on with a run of the same settings; returns the card of ``output/model``.

    Raises
    ------
    RunError
        Other settings than those of the run in ``output``, damaged faces, a loss that is no number (the best
        weights so far are exported), or too little memory.
    WeightsError
        See `networks.make_network`.
    """
    if not (prepared / DESCRIPTION).is_file():
        raise RunError(
            f"{prepared}: no {DESCRIPTION}. Expected a folder that `faceage-bio train prepare` finished. Give that folder, or call that command first."
        )
    description = read_json(prepared / DESCRIPTION)
    how = _input_of(settings, description)
    photos, split = read_table(prepared / PHOTOS), read_table(prepared / SPLIT)
    check_faces(prepared, photos.loc[split["place"], "part"].astype(int))
    ages = read_side(photos, split, TRAIN)["age"]
    if (output / MODEL / CARD_FILE).exists():
        raise RunError(
            f"{output / MODEL}: this run has ended and its model is there. Expected a new folder for another run. Choose another --output."
        )
    _remember(settings, description, _digest(photos, split), output)
    lightning.seed_everything(settings.seed, verbose=False)
    module = Regression(make_network(settings.fit, how, float(ages.mean()), float(ages.std())), settings.fit)
    last = output / CHECKPOINTS / "last.ckpt"
    stopped = ""
    with _quiet():
        trainer = _trainer(settings.fit, output)
        try:
            data, start = Data(prepared, settings, how), str(last) if last.is_file() else None
            trainer.fit(module, data, ckpt_path=start, weights_only=False)
        except NotFinite:
            stopped = NO_NUMBER
        except (MemoryError, RuntimeError, ProcessRaisedException) as error:  # the last of several processes
            if NotFinite.__name__ in str(error):
                stopped = NO_NUMBER
            elif isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY):
                raise RunError(
                    f"memory ran out with batches of {settings.fit.batch_size} faces. Expected enough for one batch on each device. Set fit.batch_size to half and fit.accumulate to twice as much; then "
                    "give the command again, with a new --output."
                ) from None
            else:
                raise
    used = photos.loc[split.loc[split["side"].isin([TRAIN, VALIDATION]), "place"].unique()]
    return _export(settings, prepared, module, keyed_hashes(used["content_hash"]), output, stopped)


def _input_of(settings: Training, description: dict) -> FaceInput:
    return input_of({"name": settings.name, "input": description["input"]})


def _export(
    settings: Training, prepared: Path, module: Regression, hashes: dict, output: Path, stopped: str
) -> dict:
    """The weights of the least validation error as a model folder."""
    best = output / CHECKPOINTS / "best.ckpt"
    if not best.is_file():
        raise RunError(
            f"{output}: {stopped or 'training stopped'} before the first epoch ended, so there are no weights to keep. Expected a lower fit.learning_rate. Set it, and choose a new --output."
        )
    module.load_state_dict(torch.load(best, map_location="cpu", weights_only=False)["state_dict"])
    history = read_table(output / HISTORY)
    chosen = history.loc[history[ERROR].idxmin()]
    description = read_json(prepared / DESCRIPTION)
    card = {
        "name": settings.name, "synthetic": False, "source": ", ".join(source.name for source in settings.sources), "notice": settings.notice,
        "limitations": LIMITATIONS,
        "training": {
            "photos": description["n_photos"], "persons": description["n_persons"], "sides": description["sides"], "leak": description["leak"],
            "split": settings.split.model_dump(), "rules": settings.curation.model_dump(), "fit": settings.fit.model_dump(mode="json"), "seed": settings.seed,
            "flow": read_table(prepared / FLOW).to_dict("records"),
            "epochs": len(history), "best_epoch": int(chosen["epoch"]), "validation_error_years": round(float(chosen[ERROR]), 3), "stopped": stopped,
        },
        "used": {"photos": hashes, "cohorts": ["training and validation photos"]},
    }  # fmt: skip
    made = write_model(module.whole, settings.fit, _input_of(settings, description), output / MODEL, card)
    if stopped:
        raise RunError(
            f"{output}: {stopped} in epoch {len(history) + 1}; the weights of epoch {int(chosen['epoch'])} are kept in {output / MODEL}. Expected finite losses. Lower fit.learning_rate, "
            "or look for labels that cannot be."
        )
    return made


def _digest(photos: pd.DataFrame, split: pd.DataFrame) -> str:
    """Of which photos stand where, with which ages."""
    table = photos.loc[split["place"], ["content_hash", "age"]].assign(side=split["side"].to_numpy())
    return hashlib.sha256(table.to_csv(index=False).encode()).hexdigest()


def _remember(settings: Training, description: dict, photos: str, output: Path) -> None:
    """Note what this run is, or refuse to go on with another."""
    own = {
        "training": settings.model_dump(mode="json"),
        "prepared": {key: description[key] for key in ("input", "sides")} | {"photos": photos},
    }
    own = json.loads(json.dumps(own))
    path = output / SETTINGS
    if path.is_file():
        earlier = read_json(path)
        for run, key in product((own, earlier), MAY_CHANGE):
            run["training"]["fit"].pop(key, None)
        if own != earlier:
            raise RunError(
                f"{output}: holds a run of other settings or photos. Expected the same, to go on with it ({', '.join(sorted(MAY_CHANGE))} may differ). Choose another --output for another run."
            )
        return
    write_json(own, path)


def _trainer(fit: Fit, output: Path) -> lightning.Trainer:
    checkpoints = output / CHECKPOINTS
    on_cpu = fit.accelerator == "cpu" or (fit.accelerator == "auto" and not torch.cuda.is_available())
    if fit.accelerator == "cuda" and not torch.cuda.is_available():
        raise RunError(
            "fit.accelerator is cuda, but PyTorch finds no CUDA device here. Expected one. Set it to auto or cpu."
        )
    strategy: DDPStrategy | str = "auto"
    if fit.devices > 1:
        strategy = DDPStrategy(start_method="spawn", process_group_backend="gloo" if on_cpu else "nccl")
    attempt = f"attempt_{len(list((output / 'logs').glob('attempt_*'))) + 1}"
    loggers = [logger(output, name="logs", version=attempt) for logger in (CSVLogger, TensorBoardLogger)]
    return lightning.Trainer(
        accelerator="cpu" if on_cpu else "gpu", devices=fit.devices, strategy=strategy, precision=fit.precision, max_epochs=fit.max_epochs,
        accumulate_grad_batches=fit.accumulate, use_distributed_sampler=False, enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
        logger=loggers, log_every_n_steps=10**9, deterministic=on_cpu,
        callbacks=[
            History(output / HISTORY),
            EarlyStopping(ERROR, patience=fit.stop_patience, min_delta=1e-8, check_finite=False),
            ModelCheckpoint(checkpoints, "best", ERROR, save_top_k=1, enable_version_counter=False),
            ModelCheckpoint(checkpoints, "last", enable_version_counter=False, save_on_train_epoch_end=True),
        ],
    )  # fmt: skip


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning's advice is not for the user of one command."""
    names = ("pytorch_lightning", "lightning.pytorch", "lightning_fabric")
    loggers = [logging.getLogger(name) for name in names]
    levels = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore")
            yield
    finally:
        for one, level in zip(loggers, levels, strict=True):
            one.setLevel(level)
