"""Images per second of loading alone and of training, the share of the measured matrix rate, and hours for the study's set.

    python -m benchmarks.training [--network timm_name] [--size 160] [--batch 32] [--workers 0]

Faces are random pixels in parts of a prepared folder, as `train prepare` writes them; a step is forward, backward and Adam.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.inference import matrix_rate
from faceage_bio.core.settings.settings_training import Augmentation, Fit
from faceage_bio.faces.training.faces import FaceStore, keep_part
from faceage_bio.faces.training.loading import Faces, training_loader
from faceage_bio.faces.training.networks import make_network
from faceage_bio.faces.vision.face_input import FaceInput

STUDY, EPOCHS = 56_304, 10


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", default="inception_resnet_v1")
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--faces", type=int, default=128)
    parser.add_argument("--workers", type=int, default=0)
    told = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = told.network if told.network == "inception_resnet_v1" else {"timm": told.network}
    fit = Fit(network=network, batch_size=told.batch, workers=told.workers)
    how = FaceInput(size=told.size)
    with tempfile.TemporaryDirectory() as folder:
        faces = _faces(Path(folder), told.faces, how)
        loading = _rate(training_loader(faces, fit, 1), lambda pixels, ages: None, told.faces)
        model = make_network(fit, how, 50, 10).train().to(device)
        optimiser = torch.optim.Adam(model.parameters(), 1e-3)

        def step(pixels: torch.Tensor, ages: torch.Tensor) -> None:
            optimiser.zero_grad()
            torch.nn.functional.l1_loss(model(pixels.to(device)), ages.to(device)).backward()
            optimiser.step()

        with FlopCounterMode(display=False) as counter:
            step(torch.randn(2, 3, told.size, told.size), torch.zeros(2))
        work = counter.get_total_flops() / 2
        training = _rate(training_loader(faces, fit, 1), step, told.faces)
    rate = matrix_rate(device, torch.float32)
    name = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(
        f"{name}, {told.network}, {told.size} pixels, batches of {told.batch}, {told.workers} workers, {work / 1e9:.1f} GFLOP a face and step"
    )
    print(
        f"loading with augmentation {loading:.1f} faces/s; training {training:.1f} faces/s, {training * work / rate:.0%} of the measured matrix rate of {rate / 1e12:.2f} TFLOP/s"
    )
    print(
        f"extrapolated: {STUDY * EPOCHS / training / 3600:.1f} h for {STUDY:,} faces x {EPOCHS} epochs; loading alone {STUDY * EPOCHS / loading / 3600:.2f} h"
    )


def _faces(folder: Path, n: int, how: FaceInput) -> Faces:
    random = np.random.default_rng(1)
    (folder / "faces").mkdir()
    crops = list(random.integers(0, 256, (n, how.size, how.size, 3), np.uint8))
    keep_part(folder / "faces" / "part-00000.npy", [{"row": k} for k in range(n)], crops, how, "key")
    table = pd.DataFrame({"part": 0, "row": range(n), "age": random.uniform(20, 90, n)})
    return Faces(FaceStore(folder), table, how, Augmentation(), 1)


def _rate(loader, use, n: int) -> float:
    """Faces per second of an epoch, after a first batch that is not counted."""
    batches = iter(loader)
    use(*next(batches))
    done, begin = 0, time.perf_counter()
    for pixels, ages in batches:
        use(pixels, ages)
        done += len(ages)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return done / (time.perf_counter() - begin)


if __name__ == "__main__":
    main()
