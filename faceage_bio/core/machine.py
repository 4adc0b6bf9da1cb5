"""Whether a study will run on this computer: what it has, what the study needs, and how long it may take.

`look` asks the computer; everything else takes numbers.
"""

import importlib.util
import multiprocessing
import multiprocessing.context
import multiprocessing.forkserver
import multiprocessing.util
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

GIB = 2**30
BASE_GB, WORKER_GB = 2.0, 1.2  # memory of inference: as its rule asks for
STATISTICS_GB = 1.0  # of a step of few data
# of the largest step of genes, a Cox model for each: for each gene, and for each sample of it
BYTES_PER_GENE, BYTES_PER_COUNT = 37_000, 205
MOST_WORKERS = 8  # threads of the rule
# benchmarks/results.md, 2 cores with other jobs on them: 21.81 and 5.53 photos per second at 640 and 2,000 pixels wide (0.5 and 5
# million pixels), so seconds of one core are about a fixed part and one for each million pixels
SECONDS_PER_PHOTO = {"exact": (0.06, 0.06), "fast": (0.055, 0.025)}
CONDITIONS = 20  # times that a photo of the stress test is aged: as it is, and in worse light, blurred ...
# benchmarks/results.md: seconds of one core of all steps after the photos, for each cohort and for each gene of each sample
SECONDS_PER_COHORT, SECONDS_PER_COUNT = {False: 120.0, True: 400.0}, {False: 6e-6, True: 3e-5}
PIXELS = 2.0  # millions, where no photo could be looked at
BYTES_PER_PHOTO, BYTES_OF_PAGES, COPIES_OF_TABLES = 4096, 200 * 2**20, 4

# what a process that works on photos loads first, in a process of its own
WORKER_MODULES = [
    "faceage_bio.faces.faceage.photo",
    "faceage_bio.faces.vision.network",
    "facenet_pytorch.models.mtcnn",
]

# bytes; Linux takes 107 for the whole name
LONGEST_SOCKET_FOLDER = 107 - len("/pymp-12345678/listener-12345678")

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
class Size:
    """What a study's time, memory and disk depend on.

    ``stressed``: photos of the stress test; ``counts``: of each cohort with RNA, genes and samples; ``full``:
    all sections.
    """

    photos: int = 0
    stressed: int = 0
    counts: Sequence[tuple[int, int]] = ()
    cohorts: int = 1
    table_bytes: int = 0
    full: bool = False

    @property
    def n_aged(self) -> int:
        """Photos as often as they are aged."""
        return self.photos + CONDITIONS * self.stressed

    @property
    def n_counts(self) -> int:
        return sum(genes * samples for genes, samples in self.counts)


@dataclass(frozen=True)
class Answer:
    """One line of the table: what was asked, "ok", "look" or "missing", what was found, and what to do."""

    what: str
    state: str
    found: str
    advice: str = ""


def usable_cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def look(folder: Path, gpu: bool = True) -> Computer:
    """What this computer has; the disk is that of ``folder`` or the nearest folder above it. ``gpu``: look
    for one, which loads PyTorch.
    """
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    name, gpu_memory = _gpu_found() if gpu else ("", 0)
    return Computer(
        cores=usable_cores(),
        memory_gb=_free_memory() / GIB,
        disk_free_gb=shutil.disk_usage(folder).free / GIB,
        gpu=name,
        gpu_memory_gb=gpu_memory / GIB,
        slurm=shutil.which("sbatch") is not None,
        slurm_plugin=importlib.util.find_spec("snakemake_executor_plugin_slurm") is not None,
    )


def _gpu_found() -> tuple[str, int]:
    """The name of the GPU that PyTorch can use, and its bytes of memory; "" and 0 if there is none."""
    import torch

    if not torch.cuda.is_available():
        return "", 0
    return torch.cuda.get_device_name(), torch.cuda.get_device_properties(0).total_memory


def _free_memory() -> int:
    """Bytes that programs may still take, what the system could give back included."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:  # no Linux
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def make_socket_folder() -> None:
    """Where worker processes of this one meet: in the folder for temporary files, or in /tmp if its path is
    too long for a socket.
    """
    usual = tempfile.gettempdir()
    if sys.platform != "win32" and len(os.fsencode(usual)) > LONGEST_SOCKET_FOLDER:
        tempfile.tempdir = "/tmp"
    try:
        multiprocessing.util.get_temp_dir()
    finally:
        tempfile.tempdir = usual


def start_worker_server() -> multiprocessing.context.BaseContext:
    """Start the small server that worker processes are forked from; returns at once, while it loads PyTorch.

    A process that has computed cannot be forked itself: its threads may hang then.
    """
    make_socket_folder()  # before the workers, so that they know it
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(WORKER_MODULES)
    multiprocessing.forkserver.ensure_running()
    return context


def disk_needed_gb(photos: int, table_bytes: int) -> float:
    """Space for the results: rows per photo, a few copies of the counts, and the pages."""
    return (photos * BYTES_PER_PHOTO + COPIES_OF_TABLES * table_bytes + BYTES_OF_PAGES) / GIB


def memory_needed_gb(size: Size, workers: int) -> float:
    """Memory for as many worker processes, and for the statistics after them."""
    of_photos = BASE_GB + WORKER_GB * workers if size.photos else 0.0
    of_genes = [genes * (BYTES_PER_GENE + BYTES_PER_COUNT * samples) for genes, samples in size.counts]
    return max(of_photos, STATISTICS_GB + max(of_genes, default=0) / GIB)


def hours_of_statistics(size: Size, cores: int) -> float:
    """Hours of all steps after the photos: a part for each cohort, and one for each gene of each sample."""
    seconds = size.cohorts * SECONDS_PER_COHORT[size.full] + size.n_counts * SECONDS_PER_COUNT[size.full]
    return seconds / max(1, min(cores, MOST_WORKERS)) / 3600


def hours_of_photos(size: Size, megapixels: float, detection: str, cores: int, jitters: int = 0) -> float:
    """Hours to age photos without a GPU, those of the stress test under each condition: an estimate from rates measured elsewhere.

    Parameters
    ----------
    megapixels : of a usual photo
    detection : "exact" or "fast"
    """
    fixed, per_megapixel = SECONDS_PER_PHOTO[detection]
    seconds = fixed + per_megapixel * megapixels + 0.015 * jitters  # 15 ms: one more pass of the age network
    return size.n_aged * seconds / max(1, min(cores, MOST_WORKERS)) / 3600


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
    size: Size,
    *,
    device: str,
    detection: str,
    jitters: int,
    megapixels: float,
    photos_per_second: float | None = None,
) -> list[Answer]:
    """Whether the study will run on a computer like this, line by line; ``photos_per_second`` if they were timed on it."""
    if photos_per_second:
        time = _measured_time(computer, device, size, megapixels, photos_per_second)
    else:
        time = _time(computer, device, size, detection, jitters, megapixels)
    gpu = _gpu(computer, device, size.photos)
    return [gpu, _memory(computer, size), _disk(computer, size), _slurm(computer), time]


def _gpu(computer: Computer, device: str, photos: int) -> Answer:
    if computer.gpu and device != "cpu":
        return Answer("GPU", OK, f"{computer.gpu}, {computer.gpu_memory_gb:.0f} GB")
    if device == "cuda" and photos:
        advice = "faceage.device is cuda: set it to auto or cpu, or start this where a GPU is (nvidia-smi shows it)."
        return Answer("GPU", MISSING, "none that PyTorch can use", advice)
    if device == "cpu" or not photos:
        return Answer("GPU", OK, f"{computer.gpu or 'none'}, and none is asked for")
    return Answer("GPU", LOOK, "none", "The photos are computed on the processor, which takes longer.")


def _memory(computer: Computer, size: Size) -> Answer:
    workers = max(1, min(computer.cores, MOST_WORKERS)) if size.photos else 0
    wanted, least = memory_needed_gb(size, workers), memory_needed_gb(size, 1 if size.photos else 0)
    found = f"{computer.memory_gb:.1f} GB free, {wanted:.1f} GB wanted"
    if size.photos and wanted > least:
        found += f" for {workers} processes"
    if computer.memory_gb >= wanted:
        return Answer("Memory", OK, found)
    if computer.memory_gb >= least:
        return Answer("Memory", LOOK, found, "Run with fewer cores (--cores 1), or close other programs.")
    advice = f"At least {least:.1f} GB are needed. Use a larger computer or the SLURM profile."
    return Answer("Memory", MISSING, found, advice)


def _disk(computer: Computer, size: Size) -> Answer:
    needed = disk_needed_gb(size.photos, size.table_bytes)
    found = f"{computer.disk_free_gb:.1f} GB free, about {needed:.1f} GB needed"
    if computer.disk_free_gb < needed:
        return Answer("Disk", MISSING, found, "Make room, or set results_dir to a larger disk.")
    return Answer("Disk", OK if computer.disk_free_gb > 2 * needed else LOOK, found)


def _slurm(computer: Computer) -> Answer:
    if not computer.slurm:
        return Answer("SLURM", OK, "no sbatch here; not needed on one computer")
    if not computer.slurm_plugin:
        advice = "To use the cluster: pip install 'faceage-bio[slurm]'."
        return Answer("SLURM", LOOK, "sbatch is here, its plugin for Snakemake is not", advice)
    return Answer("SLURM", OK, "sbatch and its plugin are here; copy workflow/profiles/slurm to use it")


def _time(
    computer: Computer, device: str, size: Size, detection: str, jitters: int, megapixels: float
) -> Answer:
    pixels = megapixels if megapixels == megapixels else PIXELS
    hours = hours_of_photos(size, pixels, detection, computer.cores, jitters)
    hours += hours_of_statistics(size, computer.cores)
    note = "An estimate from rates measured on another computer; other programs make it longer."
    where = f"{computer.cores} core(s)"
    if computer.gpu and device != "cpu" and size.photos:
        where += " without the GPU"
        note = "No rate of a GPU was measured."
    advice = f"{note} To measure it here: faceage-bio check --time-photos 32." if size.photos else note
    state = OK if hours < 24 else LOOK
    return Answer("Expected time", state, f"{_said(hours)} on {where}: {_of(size, pixels)}", advice)


def _measured_time(
    computer: Computer, device: str, size: Size, megapixels: float, photos_per_second: float
) -> Answer:
    hours = size.n_aged / photos_per_second / 3600
    hours += hours_of_statistics(size, computer.cores)
    where = computer.gpu if computer.gpu and device != "cpu" else "the processor"
    found = f"{_said(hours)}: {_of(size, megapixels)}, {photos_per_second:.1f} photos a second on {where}"
    note = "Measured here, with a network of random weights; the steps after the photos are estimated. Other programs make it longer."
    return Answer("Expected time", OK if hours < 24 else LOOK, found, note)


def _said(hours: float) -> str:
    return f"about {hours:.1f} hours" if hours >= 1 else f"about {max(2, round(hours * 60))} minutes"


def _of(size: Size, megapixels: float) -> str:
    """``2,000 photos of about 5.0 million pixels (50 of them 20 times), 30 million counts``."""
    photos = "no photos"
    if size.photos:
        photos = f"{size.photos:,} photos of about {megapixels:.1f} million pixels"
    stressed = f" ({size.stressed:,} of them {CONDITIONS} times for the stress test)" if size.stressed else ""
    counts = f", {size.n_counts:,} counts of genes" if size.counts else ""
    return f"{photos}{stressed}{counts}"
