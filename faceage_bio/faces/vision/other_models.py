"""Age models besides FaceAge: a TorchScript or ONNX file with a card that says how faces are cut and fed to
it; and the demo's own.
"""

import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from faceage_bio.core.errors import WeightsError
from faceage_bio.core.tables import READABLE, atomic_path
from faceage_bio.faces.vision.face_input import STANDARDISATIONS, FaceInput, input_of, prepare, standardise
from faceage_bio.faces.vision.models import check_new, read_card, write_card

# of the demo's model
SIZE = 80  # pixels, half the crop
CHANNELS = (32, 64)
GRID = 8  # cells per side over which the features are averaged
KINDS = {".pt": "torchscript", ".ts": "torchscript", ".onnx": "onnx"}
YOUNGEST, OLDEST = -20.0, 150.0  # years; beyond them the output cannot be an age, even of noise


class OtherModel:
    """A loaded model of another kind behind the interface of all age models."""

    def __init__(self, run: Callable[[np.ndarray], np.ndarray], card: dict) -> None:
        self.card = card
        self.input = input_of(card)
        self._run = run

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """Years, float64 of shape (n,), for uint8 crops of shape (n, size, size, 3), cut as the card declares.

        Raises
        ------
        WeightsError
            The model fails, or gives something else than one number per crop.
        """
        inputs = prepare(crops, self.input.standardisation)
        wanted = f"expected one age in years for each of {len(crops)} faces of shape {inputs.shape[1:]}. Look at its input size."
        try:
            years = np.asarray(self._run(inputs), dtype=np.float64)
        except (torch.cuda.OutOfMemoryError, MemoryError):
            raise
        except Exception as error:  # a model of somebody else's may fail in any way
            reason = str(error).strip().splitlines()[-1:] or [type(error).__name__]
            raise WeightsError(f"the model {self.card['name']} failed ({reason[0]}); {wanted}") from None
        if years.shape not in ((len(crops),), (len(crops), 1)):
            raise WeightsError(f"the model {self.card['name']} gave values of shape {years.shape}; {wanted}")
        return years.reshape(len(crops))


def add_model(
    file: Path | str,
    output: Path | str,
    *,
    name: str,
    face_input: FaceInput,
    source: str,
    trust: bool = False,
) -> dict:
    """Copy a TorchScript or ONNX regressor into a model folder, with a card, after a trial run; returns the card.

    ``trust``: whether a TorchScript file, which is a program, may run.

    Raises
    ------
    WeightsError
        Another ending, a TorchScript file without trust, a folder that already holds a model, or a file that
        gives no ages.
    """
    file, output = Path(file), Path(output)
    kind = KINDS.get(file.suffix.lower())
    if kind is None or not file.is_file():
        raise WeightsError(
            f"{file}: expected an existing file ending in {', '.join(KINDS)}: a TorchScript or ONNX model that takes "
            "faces of shape (n, 3, size, size) and gives ages in years. Export it so, and check the path."
        )
    if kind == "torchscript" and not trust:
        raise WeightsError(
            f"{file}: a TorchScript file is a program, which runs with your rights when it is opened and in every run. Expected --trust, which says that you "
            "know who made it. Add --trust, or take the model as ONNX, which holds arithmetic alone."
        )
    check_new(output)
    weights = f"model{file.suffix.lower()}"
    card = {
        "name": name,
        "kind": kind,
        "synthetic": False,
        "weights": weights,
        "source": source or file.name,
        "input": face_input.declared(),
        "standardisation": STANDARDISATIONS[face_input.standardisation],
        "notice": "",
    }
    with atomic_path(output / weights, mode=READABLE) as temporary:
        shutil.copyfile(file, temporary)
        # the copy: files beside the original do not come along
        try_model(OtherModel(_runner(temporary, kind, "cpu"), card))
    return write_card(card, output)


def try_model(model: OtherModel) -> None:
    """Ages of one, and of three faces made of noise.

    Raises
    ------
    WeightsError
        Something else than ages.
    """
    size = model.input.size
    noise = np.random.default_rng(1).integers(0, 256, (3, size, size, 3), np.uint8)
    years = np.concatenate([model.predict(noise[:1]), model.predict(noise)])
    if not ((years >= YOUNGEST) & (years <= OLDEST)).all():
        raise WeightsError(
            f"the model {model.card['name']} gave {np.min(years):g} to {np.max(years):g} years for trial faces. Expected "
            f"{YOUNGEST:g} to {OLDEST:g}. Look at its standardisation, and whether it gives years."
        )


def load_other(folder: Path, device: str) -> OtherModel:
    """Load a model written by `add_model`."""
    card = read_card(folder)
    return OtherModel(_runner(folder / card["weights"], card["kind"], device), card)


def _runner(path: Path, kind: str, device: str) -> Callable[[np.ndarray], np.ndarray]:
    """Function from prepared crops to whatever the model gives."""
    return _torchscript(path, device) if kind == "torchscript" else _onnx(path, device)


def _torchscript(path: Path, device: str) -> Callable[[np.ndarray], np.ndarray]:
    try:
        with warnings.catch_warnings():
            # newer formats are recommended; existing files stay
            warnings.simplefilter("ignore", FutureWarning)
            module = torch.jit.load(path, map_location=device).eval()
    except (RuntimeError, ValueError) as error:
        raise WeightsError(
            f"{path}: not a TorchScript file ({str(error).splitlines()[0]}). Expected what torch.jit.save wrote. Export it again."
        ) from None

    def run(inputs: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(inputs).to(device)).float().cpu().numpy()

    return run


def _onnx(path: Path, device: str) -> Callable[[np.ndarray], np.ndarray]:
    try:
        import onnxruntime
    except ImportError:
        raise WeightsError(
            f"{path}: an ONNX model, which needs onnxruntime. Install it: pip install 'faceage-bio[onnx]'."
        ) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    preferred = ["CUDAExecutionProvider"] if device == "cuda" else []
    providers = [
        one for one in (*preferred, "CPUExecutionProvider") if one in onnxruntime.get_available_providers()
    ]
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # its exceptions share no base class of their own
        raise WeightsError(
            f"{path}: not an ONNX model that can run here ({str(error).splitlines()[0]}). Expected one that onnxruntime reads. Export it again."
        ) from None
    name = session.get_inputs()[0].name
    return lambda inputs: session.run(None, {name: inputs})[0]


def random_filters(seed: int) -> dict[str, torch.Tensor]:
    """The two layers of filters, drawn once and never trained."""
    random = torch.Generator().manual_seed(seed)
    shapes = {"filters_1": (CHANNELS[0], 3, 5, 5), "filters_2": (CHANNELS[1], CHANNELS[0], 3, 3)}
    return {
        name: torch.randn(shape, generator=random) / float(np.sqrt(np.prod(shape[1:])))
        for name, shape in shapes.items()
    }


@torch.inference_mode()
def features(crops: np.ndarray, filters: dict[str, torch.Tensor]) -> np.ndarray:
    """Averages of rectified filter answers, float64 of shape (n, 4096), for uint8 crops (n, 160, 160, 3)."""
    device = filters["filters_1"].device
    pixels = torch.from_numpy(standardise(crops)).permute(0, 3, 1, 2).contiguous().to(device)
    answers = functional.conv2d(
        functional.avg_pool2d(pixels, 160 // SIZE), filters["filters_1"], padding=2
    ).abs()
    answers = functional.conv2d(functional.max_pool2d(answers, 2), filters["filters_2"], padding=1).abs()
    return functional.adaptive_avg_pool2d(answers, GRID).flatten(1).double().cpu().numpy()


class RandomConvolution:
    """The demo's age model: two fixed random convolutions and a ridge regression. Not FaceAge, and useless on real persons."""

    def __init__(self, tensors: dict[str, torch.Tensor], card: dict, device: str) -> None:
        self.card = card
        self.filters = {name: tensors[name].to(device) for name in ("filters_1", "filters_2")}
        self.coefficients = tensors["coefficients"].double().numpy()
        self.intercept = float(tensors["intercept"])

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """Years, float64 of shape (n,), for uint8 crops of shape (n, 160, 160, 3)."""
        return features(crops, self.filters) @ self.coefficients + self.intercept


def load_demo(folder: Path, device: str) -> RandomConvolution:
    """Load a model written by ``faceage-bio fit-demo-model``."""
    from safetensors.torch import load_file

    card = read_card(folder)
    return RandomConvolution(load_file(folder / card["weights"]), card, device)
