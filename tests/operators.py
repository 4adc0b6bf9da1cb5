"""Counts what a GPU would have to start and wait for: operators, copies and waits of a call, on the CPU."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from faceage_bio.faces.vision.detect import Detector

# the processor needs the answer
WAITS = ("nonzero", "_local_scalar_dense", "equal", "masked_select", "unique")
TO_HOST = ("cpu", "item", "tolist", "__bool__", "__int__", "__float__", "__array__")
TO_DEVICE = ("to", "cuda", "copy_")


class Counts(TorchDispatchMode):
    """Operators that compute something, those on the processor included, and how often the processor would wait for a device."""

    def __init__(self):
        super().__init__()
        self.operators, self.waits = 0, 0

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        name, answer = operator.__name__, operator(*args, **(kwargs or {}))
        self.operators += _computes(name, answer, args)
        self.waits += name.startswith(WAITS)
        return answer


def _computes(name: str, answer: object, args: Sequence[object]) -> bool:
    """Whether an operator does more than to look at memory in another way, or to set some aside."""
    if not isinstance(answer, torch.Tensor) or name.partition(".")[0].endswith("_"):
        return True
    memory = {one.untyped_storage().data_ptr() for one in args if isinstance(one, torch.Tensor)}
    return not name.startswith(("empty", "new_empty")) and answer.untyped_storage().data_ptr() not in memory


class Copies(TorchFunctionMode):
    """Calls that copy from the device to the host and wait, or from the host to the device, were they not the same here."""

    def __init__(self):
        super().__init__()
        self.to_host, self.to_device = 0, 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name = getattr(function, "__name__", "")
        self.to_host += name in TO_HOST
        devices = [one for one in (*args[1:], *(kwargs or {}).values()) if isinstance(one, torch.device)]
        self.to_device += name in TO_DEVICE and (bool(devices) or "non_blocking" in (kwargs or {}))
        return function(*args, **(kwargs or {}))


def count_operators(images: list[np.ndarray]) -> dict[str, float]:
    """Of one call, per photo, after a call that warms up."""
    detector = Detector(gpu=True)
    detector.detect(images[:1])
    with Copies() as copies, Counts() as counts:
        detector.detect(images)
    of_all = {
        "operators": counts.operators, "copies to the host": copies.to_host, "other waits": counts.waits,
        "copies to the device": copies.to_device,
    }  # fmt: skip
    return {name: number / len(images) for name, number in of_all.items()}
