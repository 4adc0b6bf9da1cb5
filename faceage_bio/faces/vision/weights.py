"""A model folder from the published Keras file, and the measure of how far it departs from reference ages."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faceage_bio.core.errors import WeightsError
from faceage_bio.core.tables import READABLE, read_json, sha256_of, write_json
from faceage_bio.core.user_files import check_zip
from faceage_bio.faces.vision.face_input import CROP_SIZE, INPUT
from faceage_bio.faces.vision.keras_file import read_keras_file
from faceage_bio.faces.vision.models import ARCHITECTURE, BATCH_NORM_EPS, CARD_FILE, write_model_folder

BATCH = 32  # crops at once
NOTICE = (
    "The FaceAge weights are published by their authors (AIM-Harvard/FaceAge) without a licence and with a disclaimer: "
    "they are not for clinical and not for commercial use. Ask the authors before any other use."
)


def import_weights(source: Path | str, output: Path | str) -> dict:
    """Convert the Keras file to ``output/model.safetensors`` with a card; returns the card.

    Raises
    ------
    WeightsError
        See `keras_file.read_keras_file`; or the output folder already holds another model.
    """
    import torch

    source, output = Path(source), Path(output)
    state = read_keras_file(source)
    source_sha256 = sha256_of(source)
    if (output / CARD_FILE).exists():
        held = read_json(output / CARD_FILE).get("source_sha256")
        if held != source_sha256:
            raise WeightsError(
                f"{output}: already holds a model made from another file. Expected a new folder, or one made from this file. Choose another --output."
            )
    card = {
        "name": "FaceAge",
        "kind": "faceage",
        "synthetic": False,
        "source": source.name,
        "source_sha256": source_sha256,
        "architecture": ARCHITECTURE,
        "parameters": _stored_numbers(state),
        **INPUT,
        "batch_norm_eps": BATCH_NORM_EPS,
        "notice": NOTICE,
    }
    return write_model_folder({name: torch.from_numpy(array) for name, array in state.items()}, card, output)


def _stored_numbers(state: dict[str, np.ndarray]) -> int:
    """Numbers that came from the file: without counters and the ones that stand for the absent scale."""
    return sum(
        array.size
        for name, array in state.items()
        if not name.endswith("num_batches_tracked")
        and f"{name.removesuffix('weight')}running_mean" not in state
    )


@dataclass(frozen=True)
class Agreement:
    """Differences in years between a model and reference ages of the same crops."""

    n: int
    largest: float
    mean: float


def verify_weights(folder: Path | str, reference: Path | str) -> Agreement:
    """Compare predictions with reference ages.

    Parameters
    ----------
    folder : path
        Written by `import_weights`.
    reference : path to .npz
        ``inputs`` (n, 160, 160, 3) float32, standardised crops; ``ages`` (n,) years.

    Raises
    ------
    WeightsError
        The folder or the reference file is not what it should be.
    """
    from faceage_bio.faces.vision.network import load_faceage

    inputs, ages = _read_reference(Path(reference))
    model = load_faceage(Path(folder))
    starts = range(0, len(inputs), BATCH)
    parts = [model.predict_standardised(inputs[start : start + BATCH]) for start in starts]
    difference = np.abs(np.concatenate(parts) - ages)
    if not np.isfinite(difference).all():
        raise WeightsError(
            f"{folder}: the model gives ages that are not finite on the reference crops. Expected numbers of years. Import the weights again."
        )
    return Agreement(n=len(ages), largest=float(difference.max()), mean=float(difference.mean()))


def note_match(folder: Path | str, reference: Path | str, agreement: Agreement | None) -> None:
    """Note in the model's card which reference ages were matched; None takes an earlier note out.

    The card alone changes; the pages tell from it whether the origin of the weights was verified.
    """
    path = Path(folder) / CARD_FILE
    card = read_json(path)
    known = card.pop("verified", None)
    if agreement:
        found = {"n": agreement.n, "largest": agreement.largest}
        card["verified"] = found | {"reference_sha256": sha256_of(Path(reference))}
    if card.get("verified") != known:
        write_json(card, path, mode=READABLE)


def _read_reference(path: Path) -> tuple[np.ndarray, np.ndarray]:
    import zipfile

    check_zip(path)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except FileNotFoundError:
        raise WeightsError(
            f"{path}: no such file. Expected a reference, an .npz file. Check the path."
        ) from None
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise WeightsError(
            f"{path}: not a NumPy .npz file of plain arrays ({error}). Expected the arrays `inputs` and `ages`. Save it with numpy.savez."
        ) from None
    inputs, ages = found.get("inputs"), found.get("ages")
    if inputs is None or ages is None:
        raise WeightsError(
            f"{path}: expected the arrays `inputs` and `ages`, found {sorted(found) or 'none'}. Save the reference so."
        )
    wanted = (len(ages), CROP_SIZE, CROP_SIZE, 3) if ages.ndim == 1 and len(ages) else None
    if inputs.shape != wanted:
        raise WeightsError(
            f"{path}: expected inputs of shape (n, {CROP_SIZE}, {CROP_SIZE}, 3) and ages of shape (n,), "
            f"found {inputs.shape} and {ages.shape}. Save the reference so."
        )
    return inputs.astype(np.float32), ages.astype(np.float64)
