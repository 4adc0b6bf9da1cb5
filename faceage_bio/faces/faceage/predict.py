"""From a table of photos to a table of face ages: worker processes, bounded memory, photos computed before
used again; and how long it takes.
"""

import math
import multiprocessing
import multiprocessing.util
import os
import shutil
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch

from faceage_bio.core.columns import (
    COHORT,
    FACE_AGE,
    FACE_AGE_COLUMNS,
    FACE_AGE_SD,
    LANDMARK_COLUMNS,
    PHOTO,
    PRECISION_ERROR,
    SUBJECT,
    other_age,
)
from faceage_bio.core.errors import FaceAgeBioError, RunError
from faceage_bio.core.machine import make_socket_folder, start_worker_server, usable_cores
from faceage_bio.core.settings.settings_photos import FaceAge
from faceage_bio.faces.faceage.owner import Owner, connect
from faceage_bio.faces.faceage.photo import Examined, Tools, add_ages, examine, excluded
from faceage_bio.faces.faceage.photo_rules import first_level
from faceage_bio.faces.faceage.store import CONTENT, OWN, SECONDS, PhotoStore, state_of
from faceage_bio.faces.vision.decode import MEANINGS, inside
from faceage_bio.faces.vision.detect import Detector, in_batches
from faceage_bio.faces.vision.face_input import CROP_SIZE
from faceage_bio.faces.vision.models import use_whole_float32
from faceage_bio.faces.vision.network import FaceAgeNetwork, FaceAgePredictor

KEYS = (COHORT, PHOTO, SUBJECT)
FAILURE = "failure"  # of a row until it is finished: what the system said
MOST_FAILED = 0.5  # share of photos beyond which the fault is not theirs
PART_SIZE = 32  # photos that one worker takes at a time; an interrupted run loses no more per worker
DEATHS = 3  # photos one after the other that end their worker; beyond it the photos are not to blame
WAITING = 1.5  # processes per core where a GPU computes: some of them wait for it
PATIENCE = 600  # seconds that timed processes wait for the last one to load its networks
# reasons that may not hold tomorrow
PASSING = ("cannot_be_read", "out_of_memory", "not_computed", "worker_died")
WHOLE = (
    "width", "height", "orientation", "n_faces", "box_x", "box_y", "box_width", "box_height", "face_short_side",
    *LANDMARK_COLUMNS,
)  # fmt: skip
NUMBERS = (
    "probability", "face_share", "outside_share", "roll", "yaw", "sharpness", "brightness", "contrast",
    "uniform_area", "blockiness", "red_minus_blue", "eye_brightness", "upside_down", FACE_AGE, FACE_AGE_SD,
)  # fmt: skip
OF_EACH_ROW = {"detection", "face_choice", "box_mode", "resize", "precision"}  # settings
TRUTHS = ("corrupt_data", "inside_frame", "greyscale")
_tools: Tools | FaceAgeBioError  # of this worker process, or why there are none
Start = Callable[..., AbstractContextManager[Executor]]  # `pool` with its tools


def predict_face_ages(
    photos: pd.DataFrame,
    folder: Path,
    make_tools: Callable[[], Tools],
    cards: Sequence[dict],
    settings: FaceAge,
    *,
    workers: int = 1,
    one_owner: bool = False,
    store: PhotoStore | None = None,
    seconds: list[float] | None = None,
    progress: Callable[[int], None] = lambda n: None,
) -> pd.DataFrame:
    """One row per photo with its face age, or the reason why it has none.

    Parameters
    ----------
    photos : DataFrame
        Columns of ``columns.PHOTO_COLUMNS``.
    folder : path
        The photos' folder; no path may leave it, be it by a link.
    make_tools : callable
        Makes the networks; called once in each worker process (in this one if there is one worker only). It
        must be picklable for several workers.
    cards : list of dict
        The models' cards, in the order of the models.
    settings : FaceAge
    workers : int
        Processes that work side by side, each with one thread.
    one_owner : bool
        The networks are made in this process alone, and workers ask it for faces and ages: for a GPU.
        Otherwise each worker has its own.
    store : PhotoStore, optional
        Photos that this engine computed before are taken from it, and those computed here are added, also by
        a run that is interrupted.
    seconds : list, optional
        Receives the time that each photo took a worker, in this run or an earlier one.
    progress : callable
        Told the number of photos done since the last call.

    Returns
    -------
    DataFrame in the order of ``photos``
        ``columns.FACE_AGE_COLUMNS``, ``face_age_2`` ... for further models, ``precision_error`` for bfloat16.
        Status "ok", "flagged" or "excluded" with the reason; excluded photos have no face age.

    Raises
    ------
    RunError
        Worker processes are killed again and again, which mostly means that memory ran out. A single photo
        that ends its worker is excluded with the reason "worker_died". Or the system fails on more than half
        of the photos.
    """
    photos = photos.reset_index(drop=True)
    known = pd.DataFrame() if store is None else store.find([inside(folder, path) for path in photos["path"]])
    progress(len(known))
    work = _Work(folder, cards, settings, store)
    rows = [photos[list(KEYS)].join(known, how="inner")] if len(known) else []
    start = partial(pool, make_tools=make_tools, one_owner=one_owner)
    for part, table in _in_order(work, _split(photos.drop(known.index), settings), workers, start):
        rows.append(table.set_axis(part.index))
        progress(len(part))
        work.stop_if_most_fail()
    if store is not None:
        store.join_added()
    work.stop_if_most_fail(least=1)
    whole = pd.concat(rows).sort_index() if rows else pd.DataFrame({SECONDS: []})
    if seconds is not None:
        seconds += list(whole[SECONDS])
    return _table(whole.reset_index(drop=True), cards, settings)


def _split(photos: pd.DataFrame, settings: FaceAge) -> list[pd.DataFrame]:
    """Parts that fill at least one batch of faces."""
    size = PART_SIZE * -(-settings.batch_size // 32)
    return [photos.iloc[start : start + size] for start in range(0, len(photos), size)]


def count_workers(cores: int | None, device: str, photos: int) -> int:
    """Processes that are of use: one per core, half as many again with a GPU, and fewer for few photos.

    Parameters
    ----------
    cores : int or None
        None takes all cores that this process may use.
    """
    cores = cores or usable_cores()
    most = math.ceil(cores * WAITING) if device == "cuda" and cores > 1 else cores
    return max(1, min(most, -(-photos // PART_SIZE)))


class _InThisProcess(Executor):
    """A pool of one that works at once, without a second process."""

    def submit(self, function, /, *args, **kwargs) -> Future:
        done: Future = Future()
        done.set_result(function(*args, **kwargs))
        return done


@contextmanager
def pool(
    workers: int, make_tools: Callable[[], Tools], processes: int | None = None, one_owner: bool = False
) -> Iterator[Executor]:
    """Worker processes, each with its tools (see `tools_of_this_process`); ``processes`` as many as workers, unless given.

    A single worker works in this process. With ``one_owner`` this process holds the networks, and workers ask it.
    """
    if workers == 1:
        _start(make_tools, threads=torch.get_num_threads())
        yield _InThisProcess()
        return
    workers = processes or workers
    context = start_worker_server()
    with ExitStack() as stack:
        if one_owner:
            owner = stack.enter_context(Owner(make_tools(), workers))
            make_tools = partial(connect, *owner.address)
        yield stack.enter_context(
            ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(make_tools,))
        )


def tools_of_this_process() -> Tools:
    """What ``make_tools`` made in this worker.

    Raises
    ------
    FaceAgeBioError
        What it raised.
    """
    if isinstance(_tools, FaceAgeBioError):
        raise _tools
    return _tools


def _start_worker(make_tools: Callable[[], Tools]) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        _start(make_tools, threads=1)
    except FaceAgeBioError as error:  # an initialiser that raises would only say that the pool is broken
        global _tools
        _tools = error


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever, and the parent's sockets would stay."""
    multiprocessing.parent_process().join()
    shutil.rmtree(multiprocessing.util.get_temp_dir(), ignore_errors=True)
    os._exit(1)


def _start(make_tools: Callable[[], Tools], threads: int) -> None:
    global _tools
    torch.set_num_threads(threads)
    cv2.setNumThreads(1)
    _tools = make_tools()


@dataclass(frozen=True)
class _Work:
    """What all parts have in common."""

    folder: Path
    cards: Sequence[dict]
    settings: FaceAge
    store: PhotoStore | None
    failures: Counter[str] = field(default_factory=Counter)
    """What the system said of photos on which it failed, and "" for all others."""

    def finish(self, part: pd.DataFrame, rows: list[dict]) -> pd.DataFrame:
        """The part's table; what does not hang on the state of the system today is kept in the store."""
        table = _table(pd.DataFrame(rows), self.cards, self.settings)
        self.failures.update(_failure_of(row) for row in rows)
        own = pd.DataFrame(rows, columns=[*OWN, SECONDS])
        table = table.join(own.astype({CONTENT: "object", "size": "Int64", "mtime_ns": "Int64"}))
        if self.store is not None:
            self.store.keep(table[~table["reason"].isin(PASSING)])
        return table

    def stop_if_most_fail(self, least: int = PART_SIZE) -> None:
        """A fault that hits more than half of the photos (of at least so many) is none of the photos.

        Raises
        ------
        RunError
        """
        n, failed = self.failures.total(), self.failures.total() - self.failures[""]
        if n >= least and failed > MOST_FAILED * n:
            told = max((text for text in self.failures if text), key=self.failures.get)
            raise RunError(
                f"{failed} of {n} photos could not be computed, most of them because: {told}. Expected single ones at most. Look at that fault (memory, disk, "
                "GPU driver); then give the same command again: photos that were computed are kept."
            )


def _failure_of(row: dict) -> str:
    if row["reason"] not in PASSING:
        return ""
    return row.get(FAILURE) or MEANINGS.get(row["reason"], "its worker process was killed")


def _in_order(
    work: _Work, parts: list[pd.DataFrame], workers: int, start: Start
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Each part with its table, in order; however many there are, only a few are under way at a time.

    After a worker was killed, the photos under way are tried one by one, and then the others go on.
    """
    # enough to keep all busy; in this process each part is kept at once
    ahead = 2 * workers if workers > 1 else 1
    waiting = deque(enumerate(parts))
    while waiting:
        under_way: deque[tuple[pd.DataFrame, Future]] = deque()
        try:
            with start(workers) as running:
                while waiting or under_way:
                    while waiting and len(under_way) < ahead:
                        number, part = waiting[0]
                        compare = number == 0 and work.settings.precision != "float32"
                        under_way.append((part, running.submit(_predict_part, part, work.folder, compare)))
                        waiting.popleft()
                    part, job = under_way[0]
                    table = work.finish(part, job.result())
                    under_way.popleft()
                    yield part, table
        except BrokenProcessPool:
            for part, job in under_way:
                yield part, _rescued(part, job, work, start)


def _rescued(part: pd.DataFrame, job: Future, work: _Work, start: Start) -> pd.DataFrame:
    """A part that was under way when a worker was killed: as it is if it was finished, or photo by photo."""
    if job.done() and job.exception() is None:
        return work.finish(part, job.result())
    rows, deaths = [], 0
    left = deque(part.iloc[[place]] for place in range(len(part)))
    while left:
        try:
            with start(2, processes=1) as running:
                while left:
                    rows += running.submit(_predict_part, left[0], work.folder, False).result()
                    left.popleft()
                    deaths = 0
        except BrokenProcessPool:
            deaths += 1
            if deaths > DEATHS:
                raise RunError(
                    "worker processes are killed again and again, probably because memory ran out. Expected enough memory for each. Finished photos are kept: "
                    "call again, with fewer --workers (threads in Snakemake) or more memory."
                ) from None
            keys = left.popleft()[list(KEYS)].to_dict("records")
            rows += [key | excluded({}, "worker_died").row for key in keys]
    return work.finish(part, rows)


def _predict_part(part: pd.DataFrame, folder: Path, compare_precision: bool) -> list[dict]:
    """The rows of some photos; runs in a worker process."""
    tools = tools_of_this_process()
    begin = time.monotonic()
    places = [inside(folder, path) for path in part["path"]]
    before = [state_of(place) for place in places]
    photos = examined(places, tools)
    own = [_state(*of_one) for of_one in zip(places, before, photos, strict=True)]
    add_ages(photos, tools, compare_precision)
    spent = {SECONDS: (time.monotonic() - begin) / max(1, len(part))}
    keys = part[list(KEYS)].to_dict("records")
    return [key | photo.row | spent | seen for key, seen, photo in zip(keys, own, photos, strict=True)]


def _state(place: Path | None, before: tuple[str, int, int] | None, photo: Examined) -> dict:
    """What the store knows a photo by, the hash of the bytes that were decoded; nothing of one that changed meanwhile."""
    content = photo.row.get(CONTENT)
    if before is None or content is None or state_of(place) != before:
        return dict.fromkeys(OWN)
    return dict(zip(OWN, (content, *before), strict=True))


def examined(paths: Sequence[Path | None], tools: Tools) -> list[Examined]:
    """What `examine` says; if it fails, halves are tried, so that one photo's failure does not stop the others."""
    try:
        return examine(paths, tools)
    except (RuntimeError, MemoryError, cv2.error) as error:
        if len(paths) > 1:
            half = len(paths) // 2
            return examined(paths[:half], tools) + examined(paths[half:], tools)
        print(f"a photo could not be computed: {type(error).__name__}", file=sys.stderr)
        text = next(iter(str(error).strip().splitlines()), "")
        return [excluded({FAILURE: f"{type(error).__name__}: {text}"}, "not_computed")]


def _table(rows: pd.DataFrame, cards: Sequence[dict], settings: FaceAge) -> pd.DataFrame:
    others = [other_age(number) for number in range(2, len(cards) + 1)]
    errors = [PRECISION_ERROR] if settings.precision != "float32" else []
    table = rows.reindex(columns=[*FACE_AGE_COLUMNS, *others, *errors])
    table = table.assign(
        model=cards[0]["name"], model_id=cards[0]["sha256"], **settings.model_dump(include=OF_EACH_ROW)
    )
    types = dict.fromkeys(table.columns, "str") | dict.fromkeys(WHOLE, "Int32")
    types |= dict.fromkeys((*NUMBERS, *others, *errors), "float64") | dict.fromkeys(TRUTHS, "boolean")
    missing_text = {name: "" for name, kind in types.items() if kind == "str"}
    return table.fillna(missing_text).astype(types)


def device_name(device: str) -> str:
    """What a device is called: the kind of GPU, or "CPU"."""
    return torch.cuda.get_device_name() if device == "cuda" else "CPU"


def choose_device(device: str) -> str:
    """ "cuda" or "cpu" for "auto", "cpu" or "cuda".

    Raises
    ------
    RunError
        "cuda" was asked for and there is none.
    """
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise RunError(
            "faceage.device is cuda, but PyTorch finds no CUDA device here. Expected one. Set it to auto or cpu, or check the driver "
            "with nvidia-smi and that the job was given a GPU."
        )
    return "cuda" if device != "cpu" and available else "cpu"


def random_tools(device: str, settings: FaceAge) -> Tools:
    """The detector and the FaceAge network on a device, its weights drawn: they do not change the time that it takes."""
    use_whole_float32()
    model = FaceAgePredictor(FaceAgeNetwork(), {"name": "random weights"}, device, settings.precision)
    return Tools(Detector(device, first_level(settings)), (model,), settings)


def photos_per_second(paths: Sequence[Path], device: str, settings: FaceAge, workers: int) -> float:
    """Photos per second of all worker processes together, each timed on these photos while the others work too.

    A photo costs its decoding, hashes, detection and measures, and one pass of the age network for it and for
    each of its jittered crops, whether or not a face is in it. Starting the processes and their first photo
    are not counted.

    Raises
    ------
    RunError
        A process was ended from outside.
    """
    try:
        make_tools = partial(random_tools, device, settings)
        with _barrier(workers) as barrier, pool(workers, make_tools, one_owner=device == "cuda") as executor:
            seconds = list(executor.map(_time, [list(paths)] * workers, [barrier] * workers))
    except BrokenProcessPool:
        raise RunError(
            f"--time-photos: one of {workers} processes was ended while it aged photos, mostly because memory ran out. Expected enough "
            "memory for each. Free some, or run with fewer cores."
        ) from None
    return sum(len(paths) / spent for spent in seconds)


@contextmanager
def _barrier(workers: int) -> Iterator[object]:
    """Where processes wait for each other, so that each takes one task and all work at the same time; None for one alone."""
    if workers == 1:
        yield None
        return
    make_socket_folder()
    with multiprocessing.get_context("spawn").Manager() as manager:
        yield manager.Barrier(workers, timeout=PATIENCE)


def _time(paths: list[Path], barrier) -> float:
    tools = tools_of_this_process()
    _age(paths[:1], tools)  # what is done once, such as loading a GPU's kernels
    if barrier is not None:
        barrier.wait()
    begin = time.perf_counter()
    _age(paths, tools)
    return time.perf_counter() - begin


def _age(paths: list[Path], tools: Tools) -> None:
    examine(paths, tools)
    shape = (len(paths) * (1 + tools.settings.jitters), CROP_SIZE, CROP_SIZE, 3)
    crops = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    in_batches(tools.models[0].predict, crops, tools.settings.batch_size)
