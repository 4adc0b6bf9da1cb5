"""Whether a study will run on this computer: what it has, what the study needs, and how long it may take.

`look` asks the computer; everything else takes numbers.
"""

import importlib.util
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

GIB = 2**30
BASE_GB, WORKER_GB = 2.0, 1.2  # memory of inference: as its rule asks for
STATISTICS_GB = 4.0  # what the largest step after it asks for
MOST_WORKERS = 8  # threads of the rule
# benchmarks/results.md, 2 cores with other jobs on them: 21.81 and 5.53 photos per second at 640 and 2,000 pixels wide (0.5 and 5
# million pixels), so seconds of one core are about a fixed part and one for each million pixels
SECONDS_PER_PHOTO = {"exact": (0.06, 0.06), "fast": (0.055, 0.025)}
STATISTICS_HOURS = 0.25  # the demo's steps after the photos, two cores
PIXELS = 2.0  # millions, where no photo could be looked at
BYTES_PER_PHOTO, BYTES_OF_PAGES, COPIES_OF_TABLES = 4096, 200 * 2**20, 4

OK, LOOK, MISSING = "ok", "look", "missing"


@dataclass(frozen=True)
class Computer:
    """What was found; gigabytes are 2**30 bytes. ``gpu`` is "" where there is none."""

    cores: int
    memory_gb: float
    disk_free_gb: float
    gpu: str = ""
    gpu_memory_gb: float = 0.0
    slurm: bool = False
    slurm_plugin: bool = False


@dataclass(frozen=True)
class Answer:
    """One line of the table: what was asked, "ok", "look" or "missing", what was found, and what to do."""

    what: str
    state: str
    found: str
    advice: str = ""


def look(folder: Path) -> Computer:
    """What this computer has; the disk is that of ``folder`` or the nearest folder above it."""
    import torch

    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    cuda = torch.cuda.is_available()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Computer(
        cores=cores,
        memory_gb=_free_memory() / GIB,
        disk_free_gb=shutil.disk_usage(folder).free / GIB,
        gpu=torch.cuda.get_device_name() if cuda else "",
        gpu_memory_gb=torch.cuda.get_device_properties(0).total_memory / GIB if cuda else 0.0,
        slurm=shutil.which("sbatch") is not None,
        slurm_plugin=importlib.util.find_spec("snakemake_executor_plugin_slurm") is not None,
    )


def _free_memory() -> int:
    """Bytes that programs may still take, what the system could give back included."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:  # no Linux
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def disk_needed_gb(photos: int, table_bytes: int) -> float:
    """Space for the results: rows per photo, a few copies of the counts, and the pages."""
    return (photos * BYTES_PER_PHOTO + COPIES_OF_TABLES * table_bytes + BYTES_OF_PAGES) / GIB


def memory_needed_gb(workers: int) -> float:
    """Memory for as many worker processes, and for the statistics after them."""
    return max(BASE_GB + WORKER_GB * workers, STATISTICS_GB)


def hours_of_photos(photos: int, megapixels: float, detection: str, cores: int, jitters: int = 0) -> float:
    """Hours to age photos without a GPU: an estimate from rates measured elsewhere.

    Parameters
    ----------
    megapixels : of a usual photo
    detection : "exact" or "fast"
    """
    fixed, per_megapixel = SECONDS_PER_PHOTO[detection]
    seconds = fixed + per_megapixel * megapixels + 0.015 * jitters  # 15 ms: one more pass of the age network
    return photos * seconds / max(1, min(cores, MOST_WORKERS)) / 3600


def sizes_of(paths: Sequence[Path], most: int = 20) -> dict[Path, float]:
    """Millions of pixels of some photos, from their heads alone; files that are none are left out."""
    from PIL import Image

    sizes = {}
    for path in list(paths)[:: max(1, len(paths) // most)][:most]:
        try:
            with Image.open(path) as photo:
                sizes[path] = photo.width * photo.height / 1e6
        except (OSError, ValueError):
            continue
    return sizes


def usual_megapixels(paths: Sequence[Path]) -> float:
    """The median size of some photos, millions of pixels; NaN if none can be read."""
    import statistics

    sizes = sizes_of(paths).values()
    return statistics.median(sizes) if sizes else float("nan")


def answers(
    computer: Computer,
    *,
    photos: int,
    table_bytes: int,
    device: str,
    detection: str,
    jitters: int,
    megapixels: float,
    photos_per_second: float | None = None,
) -> list[Answer]:
    """Whether the study will run on a computer like this, line by line; ``photos_per_second`` if they were timed on it."""
    rows = [_gpu(computer, device, photos), _memory(computer, photos), _disk(computer, photos, table_bytes), _slurm(computer)]  # fmt: skip
    if photos_per_second:
        return [*rows, _measured_time(computer, device, photos, megapixels, photos_per_second)]
    return [*rows, _time(computer, device, photos, detection, jitters, megapixels)]


def _gpu(computer: Computer, device: str, photos: int) -> Answer:
    if computer.gpu and device != "cpu":
        return Answer("GPU", OK, f"{computer.gpu}, {computer.gpu_memory_gb:.0f} GB")
    if device == "cuda" and photos:
        advice = "faceage.device is cuda: set it to auto or cpu, or start this where a GPU is (nvidia-smi shows it)."
        return Answer("GPU", MISSING, "none that PyTorch can use", advice)
    if device == "cpu" or not photos:
        return Answer("GPU", OK, f"{computer.gpu or 'none'}, and none is asked for")
    return Answer("GPU", LOOK, "none", "The photos are computed on the processor, which takes longer.")


def _memory(computer: Computer, photos: int) -> Answer:
    workers = max(1, min(computer.cores, MOST_WORKERS)) if photos else 0
    wanted, least = memory_needed_gb(workers), memory_needed_gb(1 if photos else 0)
    found = f"{computer.memory_gb:.1f} GB free, {wanted:.1f} GB wanted for {workers} processes" if photos else f"{computer.memory_gb:.1f} GB free, {wanted:.1f} GB wanted"  # fmt: skip
    if computer.memory_gb >= wanted:
        return Answer("Memory", OK, found)
    if computer.memory_gb >= least:
        return Answer("Memory", LOOK, found, "Run with fewer cores (--cores 1), or close other programs.")
    return Answer("Memory", MISSING, found, f"At least {least:.1f} GB are needed. Use a larger computer or the SLURM profile.")  # fmt: skip


def _disk(computer: Computer, photos: int, table_bytes: int) -> Answer:
    needed = disk_needed_gb(photos, table_bytes)
    found = f"{computer.disk_free_gb:.1f} GB free, about {needed:.1f} GB needed"
    if computer.disk_free_gb < needed:
        return Answer("Disk", MISSING, found, "Make room, or set results_dir to a larger disk.")
    return Answer("Disk", OK if computer.disk_free_gb > 2 * needed else LOOK, found)


def _slurm(computer: Computer) -> Answer:
    if not computer.slurm:
        return Answer("SLURM", OK, "no sbatch here; not needed on one computer")
    if not computer.slurm_plugin:
        return Answer("SLURM", LOOK, "sbatch is here, its plugin for Snakemake is not", "To use the cluster: pip install 'faceage-bio[slurm]'.")  # fmt: skip
    return Answer("SLURM", OK, "sbatch and its plugin are here; copy workflow/profiles/slurm to use it")


def _time(
    computer: Computer, device: str, photos: int, detection: str, jitters: int, megapixels: float
) -> Answer:
    size = megapixels if megapixels == megapixels else PIXELS
    hours = hours_of_photos(photos, size, detection, computer.cores, jitters) + STATISTICS_HOURS
    note = "An estimate from rates measured on another computer; other programs make it longer."
    where = f"{computer.cores} core(s)"
    if computer.gpu and device != "cpu" and photos:
        where += " without the GPU"
        note = "No rate of a GPU was measured."
    advice = f"{note} To measure it here: faceage-bio check --time-photos 32." if photos else note
    state = OK if hours < 24 else LOOK
    return Answer("Expected time", state, f"{_said(hours)} on {where}: {_of(photos, size)}", advice)


def _measured_time(
    computer: Computer, device: str, photos: int, megapixels: float, photos_per_second: float
) -> Answer:
    hours = photos / photos_per_second / 3600 + STATISTICS_HOURS
    where = computer.gpu if computer.gpu and device != "cpu" else "the processor"
    found = f"{_said(hours)}: {_of(photos, megapixels)}, {photos_per_second:.1f} a second on {where}"
    note = "Measured here, with a network of random weights; the steps after the photos are estimated. Other programs make it longer."
    return Answer("Expected time", OK if hours < 24 else LOOK, found, note)


def _said(hours: float) -> str:
    return f"about {hours:.1f} hours" if hours >= 1 else f"about {max(5, round(hours * 60 / 5) * 5)} minutes"


def _of(photos: int, megapixels: float) -> str:
    return f"{photos:,} photos of about {megapixels:.1f} million pixels" if photos else "no photos"
