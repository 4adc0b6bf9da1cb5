"""Photos per second from file to face age, where the time goes, and how far it is to what the hardware can do.

    python -m benchmarks.inference                                  # drawn people, 640 and 2,000 pixels wide
    python -m benchmarks.inference --folder portraits --device cuda
    python -m benchmarks.inference --one-owner --width 640          # what a GPU would run, on the CPU
    python -m benchmarks.inference --memory                         # peak memory with few and with many photos
    python -m benchmarks.inference --memory 32 96 --width 3200      # of 12 megapixels

The network has FaceAge's shape and random weights. Machines differ and are shared: compare figures of one run only.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.photos import make_photos, random_faceage, table_of
from faceage_bio.core.config import FaceAge
from faceage_bio.faces.faceage.photo import load_tools
from faceage_bio.faces.faceage.predict import choose_device, count_workers, predict_face_ages
from faceage_bio.faces.vision.decode import decode_photo
from faceage_bio.faces.vision.detect import Detector
from faceage_bio.faces.vision.face_input import crop_face
from faceage_bio.faces.vision.models import load_model, read_card, use_whole_float32
from faceage_bio.faces.vision.photo_measures import measure_crop, measure_defects, perceptual_hash, pixel_hash
from tests.operators import count_operators

WIDTHS = (640, 2000)
SECONDS = 3.0  # a measurement lasts at least this long
PHOTOS_COUNTED = 64
FEW_PHOTOS, MANY_PHOTOS = (
    64,
    {"cpu": 160, "cuda": 1000},
)  # per core; fewer of the latter where they take longer than
LONGEST = 20.0  # seconds, so that all of it takes less than 8 minutes
SMALL = 320  # pixels wide, of which many can be computed while memory is watched
CROPS = {"cpu": 32, "cuda": 512}  # a batch of the age network when it is measured alone


def main() -> None:
    asked = arguments()
    use_whole_float32()
    device = choose_device(asked.device)
    cores = asked.workers or len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        model = random_faceage(work / "model")
        if asked.memory:
            paths = make_photos((asked.width or [SMALL])[0], work / "photos", asked.folder)
            compare_memory(paths, model, device, asked.memory)
            return
        describe_machine(device, cores)
        age_network(model, device)
        own = asked.one_owner or device == "cuda"
        for width in asked.width or WIDTHS:
            paths = make_photos(width, work / str(width), asked.folder)
            print(f"\n== {width} pixels wide, {len(paths)} photos ==")
            operators(paths)
            stages(paths, model, device)
            ceiling = decode_ceiling(paths, cores)
            for detection in ("exact", "fast"):
                whole(paths, model, device, cores, FaceAge(detection=detection), ceiling, own)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, help="photos of your own; default: drawn people")
    parser.add_argument("--width", type=int, nargs="+", help="pixels; default: 640 2000, of memory 320")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--workers", type=int, default=0, help="processes; default: all cores")
    parser.add_argument(
        "--one-owner", action="store_true", help="one process holds the networks, as on a GPU"
    )
    parser.add_argument(
        "--memory", type=int, nargs="*", metavar="N", help="peak memory with each of these numbers of photos"
    )
    asked = parser.parse_args()
    if asked.memory == []:
        asked.memory = [1000, 4000]
    return asked


def per_second(what: Callable[[], int], clock: Callable[[], float] = time.perf_counter) -> float:
    """How much ``what`` does in a second; it says how much it did in one call. Two calls warm up."""
    what(), what()
    done, begin = 0, clock()
    while clock() - begin < SECONDS:
        done += what()
    return done / (clock() - begin)


@contextmanager
def threads(n: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    yield
    torch.set_num_threads(before)


def describe_machine(device: str, cores: int) -> None:
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    print(f"{name}, {cores} cores, torch {torch.__version__}, Python {sys.version.split()[0]}")


@torch.inference_mode()
def matrix_rate(device: str, dtype: torch.dtype, clock: Callable[[], float] = time.perf_counter) -> float:
    """Floating-point operations per second at most: of a large matrix product, or of large convolutions.

    The best counts, since PyTorch computes products and convolutions with different libraries, and some of them are slow on
    some processors.
    """
    n = 8192 if device == "cuda" else 2048
    a, b = torch.randn(2, n, n, device=device, dtype=dtype)
    x = torch.randn(CROPS[device], 896, 17, 17, device=device, dtype=dtype)
    x = x.to(memory_format=torch.channels_last)
    works = [(2 * n**3, lambda: torch.mm(a, b))]
    for side in (1, 3):
        conv = torch.nn.Conv2d(896, 896, side, padding=side // 2, device=device, dtype=dtype)
        conv = conv.to(memory_format=torch.channels_last)
        works.append((2 * len(x) * 17**2 * (896 * side) ** 2, lambda conv=conv: conv(x)))

    def run(work: int, compute: Callable) -> int:
        compute()
        if device == "cuda":
            torch.cuda.synchronize()
        return work

    return max(per_second(partial(run, *work), clock) for work in works)


def operations(model: Path) -> float:
    """Floating-point operations of the age network for one crop."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        load_model(model).predict(np.random.default_rng(1).integers(0, 256, (1, 160, 160, 3), np.uint8))
    return counter.get_total_flops()


def age_network(model: Path, device: str) -> None:
    """The age network alone, from standardised crops to ages, against the measured matrix rate."""
    n = CROPS[device]
    crops = np.random.default_rng(1).normal(size=(n, 160, 160, 3)).astype(np.float32)
    work = operations(model)
    print(f"\n== age network alone, batches of {n}, {work / 1e9:.2f} GFLOP a crop ==")
    for precision in ("float32", "bfloat16"):
        network = load_model(model, device, precision)
        speed = per_second(lambda network=network: len(network.predict_standardised(crops)))
        rate = matrix_rate(device, getattr(torch, precision))
        print(
            f"{precision:9} {speed:9.1f} crops/s   {speed * work / 1e12:7.2f} of {rate / 1e12:.2f} TFLOP/s: "
            f"{speed * work / rate:.0%} of the measured matrix rate"
        )


def stages(paths: list[Path], model: Path, device: str) -> None:
    """Each step alone in one process with one thread."""
    with threads(1):
        detector, network = Detector(device), load_model(model, device)
        decoded = [decode_photo(path).image for path in paths]
        faces = [found[:1] for found in detector.detect(decoded)]
        crops = [crop_face(i, found[0].box) for i, found in zip(decoded, faces, strict=True) if found]
        batch = np.stack([crops[k % len(crops)] for k in range(CROPS[device])])
        steps = {
            "decode": lambda: len([decode_photo(path) for path in paths]),
            "hashes": lambda: len([(pixel_hash(image), perceptual_hash(image)) for image in decoded]),
            "detect": lambda: len(detector.detect(decoded)),
            "crop, measure": lambda: len([
                measure_crop(crop) | measure_defects(image, found[0], crop)
                for image, found in zip(decoded, faces, strict=True) if found for crop in [crop_face(image, found[0].box)]
            ]),
            "age": lambda: len(network.predict(batch)),
        }  # fmt: skip
        speeds = {name: per_second(step) for name, step in steps.items()}
    total = sum(1 / speed for speed in speeds.values())
    print(f"faces found: {sum(map(bool, faces))} of {len(paths)}")
    for name, speed in speeds.items():
        print(f"{name:14} {speed:8.1f} per s and core   {1000 / speed:7.1f} ms   {1 / speed / total:4.0%}")
    print(f"{'sum':14} {1 / total:8.1f} per s and core   {1000 * total:7.1f} ms")


def operators(paths: list[Path]) -> None:
    """What a GPU would have to start and wait for in detection, counted on the CPU for a batch of 64."""
    images = [np.array(decode_photo(paths[k % len(paths)]).image) for k in range(PHOTOS_COUNTED)]
    counted = ", ".join(f"{name} {number:.2f}" for name, number in count_operators(images).items())
    print(f"per photo, {len(images)} photos together: {counted}")


def _decode(path: Path) -> int:
    return decode_photo(path).width


def decode_ceiling(paths: list[Path], cores: int) -> float:
    """Photos per second of decoding alone on all cores: nothing that decodes on the CPU is faster."""
    many = [paths[k % len(paths)] for k in range(max(len(paths), 64 * cores))]
    with ProcessPoolExecutor(cores) as pool:
        speed = per_second(lambda: len(list(pool.map(_decode, many, chunksize=16))))
    print(f"decode alone   {speed:8.1f} photos/s on {cores} cores")
    return speed


def whole(
    paths: list[Path], model: Path, device: str, cores: int, settings: FaceAge, ceiling: float, one_owner: bool,
) -> None:  # fmt: skip
    """The engine, from files to the table; starting its processes and loading the networks included, and without them."""
    make = partial(load_tools, [model], device, settings)
    cards = [read_card(model)]
    most, runs = MANY_PHOTOS[device] * cores, []
    n = FEW_PHOTOS * cores
    while len(runs) < 2 or (runs[-1][0] < most and runs[-1][1] < LONGEST):
        photos = table_of(paths, n)
        workers = count_workers(cores, device, len(photos))
        begin = time.perf_counter()
        table = predict_face_ages(
            photos, paths[0].parent, make, cards, settings, workers=workers, one_owner=one_owner
        )
        runs.append((n, time.perf_counter() - begin))
        n = min(4 * n, most)
    (few, short), (many, long) = runs[-2:]
    steady = (many - few) / (long - short)
    print(
        f"{settings.detection + ', whole':14} {many / long:8.1f} photos/s with {workers} workers "
        f"({many} photos in {long:.1f} s, {table.face_age.notna().sum()} aged); "
        f"{steady:.1f} without the start, {steady / ceiling:.0%} of decoding alone"
    )


def compare_memory(paths: list[Path], model: Path, device: str, numbers: list[int]) -> None:
    """Peak memory of the command and its workers, all together, with few and with many photos."""
    photos = paths[0].parent
    for n in numbers:
        table_of(paths, n).to_parquet(photos / "photos.parquet")
        command = [
            sys.executable, "-m", "faceage_bio", "predict-face-age", "--photos", photos / "photos.parquet",
            "--photo-folder", photos, "--model", model, "--set", f"faceage.device={device}", "--output", photos / f"{n}.parquet",
        ]  # fmt: skip
        peak, seconds = peak_memory(command)
        print(f"{n:7,} photos: peak {peak / 1e6:7.0f} MB, {n / seconds:.1f} photos/s", flush=True)


def peak_memory(command: list) -> tuple[float, float]:
    """Largest sum of the proportional memory (PSS: shared pages counted once) of a process and its children; seconds."""
    import psutil

    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    root, peak = psutil.Process(process.pid), 0.0
    while process.poll() is None:
        now = 0
        for one in [root, *root.children(recursive=True)]:
            try:
                now += one.memory_full_info().pss
            except psutil.Error:
                continue
        peak = max(peak, now)
        time.sleep(0.5)
    if process.returncode:
        raise SystemExit(f"predict-face-age ended with {process.returncode}")
    return peak, time.perf_counter() - begin


if __name__ == "__main__":
    main()
