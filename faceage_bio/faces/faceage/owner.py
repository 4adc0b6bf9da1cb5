"""One owner of the GPU: worker processes decode and measure, and ask it for faces and ages.

Workers put pixels into memory that all processes share; on CUDA it is pinned, so that copies to the GPU wait
for nothing. The owner, which is the process that started the workers, takes the questions that have come
meanwhile together: while one batch is computed, the next one gathers.
"""

import shutil
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import AuthenticationError, current_process
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
import torch
import torch.multiprocessing  # lets tensors in shared memory go to other processes

from faceage_bio.core.machine import make_socket_folder
from faceage_bio.faces.faceage.photo import Tools
from faceage_bio.faces.vision.detect import Face, in_batches

SHARED_BYTES = 2**30  # of all workers together
LEAST_BYTES = 2**20  # of one worker
SHARED_MEMORY = Path("/dev/shm")
GPU_BATCHES = 8  # times as many faces in a pass of the age network as on a CPU

Function = Callable[[list[np.ndarray]], Sequence[Any]]
Question = tuple[Connection, list[np.ndarray]]


def bytes_per_worker(workers: int) -> int:
    """Shared memory for each worker; of all that there is they take half at most, since other programs use it too."""
    free = shutil.disk_usage(SHARED_MEMORY).free if SHARED_MEMORY.is_dir() else SHARED_BYTES
    return max(LEAST_BYTES, min(SHARED_BYTES, free // 2) // workers)


class Owner:
    """Holds the networks and answers the workers that `connect`; a context.

    Parameters
    ----------
    tools : Tools
    workers : int
        How many will connect.
    """

    def __init__(self, tools: Tools, workers: int) -> None:
        make_socket_folder()
        self.tools = tools
        self.shared = torch.empty(workers, bytes_per_worker(workers), dtype=torch.uint8).share_memory_()
        self.gpu = tools.detector.device.type == "cuda"
        # where the system refuses, copies wait, and nothing else changes
        self.pinned = self.gpu and not int(
            torch.cuda.cudart().cudaHostRegister(self.shared.data_ptr(), self.shared.numel(), 0)
        )
        self._listener = Listener(authkey=current_process().authkey, backlog=workers + 1)
        self._closing = False
        self._questions: dict[str, SimpleQueue[Question | None]] = {}
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        for name, function in _functions(tools).items():
            self._questions[name] = SimpleQueue()
            arguments = self._questions[name], function
            self._threads.append(threading.Thread(target=self._serve, args=arguments, daemon=True))

    @property
    def address(self) -> tuple[str, torch.Tensor]:
        """What a worker needs to `connect`."""
        return self._listener.address, self.shared

    def __enter__(self) -> "Owner":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        # wakes who waits for workers; without a handshake, in which nobody takes part who has seen `_closing` before
        with socket.socket(socket.AF_UNIX) as waking:
            waking.connect(str(self._listener.address))
        for questions in self._questions.values():
            questions.put(None)
        for thread in self._threads:
            thread.join()
        self._listener.close()
        if self.pinned:
            torch.cuda.cudart().cudaHostUnregister(self.shared.data_ptr())

    def _accept(self) -> None:
        free = iter(self.shared)
        about = self.tools.settings, [model.card for model in self.tools.models]
        while not self._closing:
            try:
                worker = self._listener.accept()
                own = None if self._closing else next(free, None)
                if own is None:
                    worker.close()
                    continue
                worker.send((own.storage_offset(), *about))
            except (EOFError, OSError, AuthenticationError):  # it ended while it connected
                continue
            threading.Thread(target=self._listen, args=(worker, own.numpy()), daemon=True).start()

    def _listen(self, worker: Connection, own: np.ndarray) -> None:
        """One worker's questions, until it ends, in whatever way."""
        try:
            while True:
                name, pixels = worker.recv()
                found = [
                    one
                    if isinstance(one, np.ndarray)
                    else own[one.start : one.start + int(np.prod(one.shape))].reshape(one.shape)
                    for one in pixels
                ]
                self._questions[name].put((worker, found))
        except (EOFError, OSError):
            worker.close()

    def _serve(self, questions: "SimpleQueue[Question | None]", function: Function) -> None:
        """Answers all that has come, again and again; on a GPU each kind of question has a stream of its own."""
        stream = torch.cuda.Stream() if self.gpu else None
        with torch.cuda.stream(stream):
            while (first := questions.get()) is not None:
                together, ending = [first], False
                try:
                    while not ending:
                        following = questions.get_nowait()
                        ending = following is None
                        together += [following] if following else []
                except Empty:
                    pass
                _answer(together, function)
                if ending:
                    return


def _functions(tools: Tools) -> dict[str, Function]:
    """What the owner can be asked for, by name: one answer for each array of a question."""
    size = tools.settings.batch_size * (GPU_BATCHES if tools.detector.device.type == "cuda" else 1)

    def of_many(predict: Callable[[np.ndarray], np.ndarray]) -> Function:
        def answers(arrays: list[np.ndarray]) -> list[np.ndarray]:
            found = np.concatenate(in_batches(predict, np.concatenate(arrays), size))
            return np.split(found, np.cumsum([len(one) for one in arrays])[:-1])

        return answers

    named: dict[str, Function] = {
        "detect": tools.detector.detect,
        "log_odds": of_many(tools.detector.log_odds),
    }
    for number, model in enumerate(tools.models):
        if hasattr(model, "predict"):  # what only cuts faces has none
            named[f"predict {number}"] = of_many(model.predict)
        if hasattr(model, "in_float32"):
            named[f"predict {number} in float32"] = of_many(model.in_float32().predict)
    return named


def _answer(questions: Sequence[Question], function: Function) -> None:
    """All together; if that fails, one by one, so that only the question at fault is told so."""
    try:
        found = list(function([one for _, pixels in questions for one in pixels]))
    except Exception as error:  # whatever a driver raises is the worker's to report
        if len(questions) > 1:
            for question in questions:
                _answer([question], function)
            return
        _tell(questions[0][0], RuntimeError(f"{type(error).__name__}: {error}"))
        return
    for worker, pixels in questions:
        own, found = found[: len(pixels)], found[len(pixels) :]
        _tell(worker, own)


def _tell(worker: Connection, answer: object) -> None:
    try:
        worker.send(answer)
    except OSError:  # the worker has ended; its photos are tried again
        worker.close()


@dataclass(frozen=True)
class _Place:
    """Where pixels lie in a worker's shared memory."""

    start: int
    shape: tuple[int, ...]


class _Asking:
    """A worker's end: one question at a time."""

    def __init__(self, worker: Connection, own: np.ndarray) -> None:
        self._worker, self._own = worker, own

    def ask(self, name: str, arrays: Sequence[np.ndarray]) -> list[Any]:
        """One answer for each array; as many go together as the shared memory holds, and larger ones go by themselves."""
        answers: list[Any] = []
        waiting: list[_Place] = []
        used = 0
        for array in arrays:
            if waiting and used + array.nbytes > len(self._own):
                answers += self._answers(name, waiting)
                waiting, used = [], 0
            if array.nbytes > len(self._own):
                answers += self._answers(name, [array])
                continue
            self._own[used : used + array.nbytes].reshape(array.shape)[:] = array
            waiting.append(_Place(used, array.shape))
            used += array.nbytes
        return answers + self._answers(name, waiting) if waiting else answers

    def _answers(self, name: str, pixels: Sequence[_Place | np.ndarray]) -> list[Any]:
        self._worker.send((name, pixels))
        found = self._worker.recv()
        if isinstance(found, Exception):
            raise found
        return found


@dataclass(frozen=True)
class _DistantDetector:
    """Stands where a `Detector` stands."""

    asking: _Asking

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Face]]:
        return self.asking.ask("detect", images)

    def log_odds(self, crops: np.ndarray) -> np.ndarray:
        return self.asking.ask("log_odds", [crops])[0]


@dataclass(frozen=True)
class _DistantModel:
    """Stands where a `FaceAgeModel` stands."""

    card: dict
    asking: _Asking
    name: str

    def predict(self, crops: np.ndarray) -> np.ndarray:
        return self.asking.ask(self.name, [crops])[0]

    def in_float32(self) -> "_DistantModel":
        return _DistantModel(self.card, self.asking, f"{self.name} in float32")


def connect(address: str, shared: torch.Tensor) -> Tools:
    """In a worker process: tools of which the networks are the owner's."""
    worker = Client(address, authkey=current_process().authkey)
    start, settings, cards = worker.recv()
    asking = _Asking(worker, shared.flatten()[start : start + shared.shape[1]].numpy())
    models = [_DistantModel(card, asking, f"predict {number}") for number, card in enumerate(cards)]
    return Tools(_DistantDetector(asking), tuple(models), settings)
