"""Faces per second of loading alone and of training, the share of the measured matrix rate, and hours for the study's set.

    python -m benchmarks.training [--network timm_name] [--size 160] [--batch 32] [--workers 0] [--rounds 3]

Faces are random pixels in parts of a prepared folder, as `train prepare` writes them; a step is forward, backward and Adam. On a CPU
seconds are those of one thread's own time, which other programs do not take away; each round measures all three, and the median round
counts. On a GPU they are seconds of the clock.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.inference import matrix_rate
from faceage_bio.core.settings.settings_training import Augmentation, Fit
from faceage_bio.faces.training.faces import FaceStore, keep_part
from faceage_bio.faces.training.labelled_photos import Faces, training_loader
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
    parser.add_argument(
        "--faces", type=int, default=128, help="of an epoch of training; loading takes four times as many"
    )
    parser.add_argument("--workers", type=int, default=0, help="processes that load; on a GPU")
    parser.add_argument("--rounds", type=int, default=3)
    told = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        torch.set_num_threads(1)
    clock = time.perf_counter if device == "cuda" else time.process_time
    network = told.network if told.network == "inception_resnet_v1" else {"timm": told.network}
    fit = Fit(network=network, batch_size=told.batch, workers=told.workers if device == "cuda" else 0)
    how = FaceInput(size=told.size)
    model = make_network(fit, how, 50, 10).train().to(device)
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)

    def step(pixels: torch.Tensor, ages: torch.Tensor) -> None:
        optimiser.zero_grad()
        torch.nn.functional.l1_loss(model(pixels.to(device)), ages.to(device)).backward()
        optimiser.step()
        if device == "cuda":
            torch.cuda.synchronize()

    with FlopCounterMode(display=False) as counter:
        step(torch.randn(2, 3, told.size, told.size), torch.zeros(2))
    work = counter.get_total_flops() / 2
    rounds = []
    with tempfile.TemporaryDirectory() as folder:
        faces = _faces(Path(folder), told.faces, how)
        for number in range(told.rounds):
            loading = _rate(training_loader(faces, fit, number), lambda pixels, ages: None, clock, epochs=4)
            training = _rate(training_loader(faces, fit, number), step, clock)
            rounds.append((loading, training, matrix_rate(device, torch.float32, clock)))
            print(
                f"round {number + 1}: loading {loading:.1f}, training {training:.2f} faces/s, matrix {rounds[-1][2] / 1e12:.3f} TFLOP/s"
            )
    loading, training, rate = np.median(rounds, axis=0)
    ratio, share = (
        np.median([f(*one) for one in rounds]) for f in (lambda a, b, c: a / b, lambda a, b, c: b * work / c)
    )
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU, 1 thread"
    print(
        f"{name}, {told.network}, {told.size} pixels, batches of {told.batch}, {fit.workers} loading processes, {work / 1e9:.1f} GFLOP a face and step"
    )
    print(
        f"loading with augmentation {loading:.0f} faces/s; training, loading included, {training:.2f} faces/s: a ratio of {ratio:.0f}; {share:.0%} of the measured matrix rate of {rate / 1e12:.3f} TFLOP/s"
    )
    print(
        f"extrapolated: {STUDY * EPOCHS / training / 3600:.0f} h for {STUDY:,} faces x {EPOCHS} epochs; loading alone {STUDY * EPOCHS / loading / 3600:.1f} h"
    )


def _faces(folder: Path, n: int, how: FaceInput) -> Faces:
    random = np.random.default_rng(1)
    (folder / "faces").mkdir()
    crops = list(random.integers(0, 256, (n, how.size, how.size, 3), np.uint8))
    keep_part(folder / "faces" / "part-00000.npy", [{"row": k} for k in range(n)], crops, how, "key")
    table = pd.DataFrame({"part": 0, "row": range(n), "age": random.uniform(20, 90, n)})
    return Faces(FaceStore(folder), table, how, Augmentation(), 1)


def _rate(loader, use: Callable, clock: Callable[[], float], epochs: int = 1) -> float:
    """Faces per second of some epochs, after a first batch that is not counted."""
    use(*next(iter(loader)))
    done, begin = 0, clock()
    for _ in range(epochs):
        for pixels, ages in loader:
            use(pixels, ages)
            done += len(ages)
    return done / (clock() - begin)


if __name__ == "__main__":
    main()
