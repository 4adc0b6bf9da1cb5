"""Packed files of users, unpacked up to a limit: a file that grows beyond what real data do is refused, not unpacked."""

import gzip
import io
import zipfile
from pathlib import Path
from typing import BinaryIO

from faceage_bio.core.errors import TableError

LARGEST_RATIO = 250  # a table of zeros alone packs by about 100, deflate by 1,032 at most
HARMLESS = 256 * 2**20  # bytes; what unpacks to less is no danger whatever its ratio


def open_packed(path: Path) -> BinaryIO:
    """A binary file for reading, unpacked if its name ends in .gz or .bgz.

    Reading raises `TableError` where it unpacks to more than ``HARMLESS`` bytes and ``LARGEST_RATIO`` times its size.
    """
    if path.suffix not in {".gz", ".bgz"}:
        return path.open("rb")
    return io.BufferedReader(_Bounded(gzip.open(path), path), 1 << 20)


def check_zip(path: Path) -> None:
    """Refuse a zip (an xlsx, an npz) whose members unpack to too much, by its table of contents.

    Raises
    ------
    TableError
        As above; other faults are told by who unpacks it.
    """
    try:
        with zipfile.ZipFile(path) as packed:
            unpacked = sum(member.file_size for member in packed.infolist())
    except (OSError, zipfile.BadZipFile):
        return
    check_ratio(unpacked, path.stat().st_size, path)


def check_ratio(unpacked: int, packed: int, path: Path) -> None:
    """Refuse a file of so many bytes that unpacks to so many.

    Raises
    ------
    TableError
        More than ``HARMLESS`` bytes, and more than ``LARGEST_RATIO`` times the packed ones.
    """
    if unpacked > max(HARMLESS, LARGEST_RATIO * packed):
        raise TableError(
            f"{path}: {packed:,} bytes unpack to {unpacked:,} or more. Expected at most {LARGEST_RATIO} times as many, as of any table of "
            "measurements. Make the file again, or give it unpacked."
        )


def check_hdf5(path: Path) -> None:
    """Refuse an HDF5 file (an h5ad) whose arrays are far larger than the file, by their declared shapes.

    Raises
    ------
    TableError
        As above; other faults are told by who reads it.
    """
    import h5py

    sizes = []
    try:
        with h5py.File(path) as file:
            file.visititems(
                lambda _, item: sizes.append(item.nbytes) if isinstance(item, h5py.Dataset) else None
            )
    except (OSError, RuntimeError, ValueError):
        return
    check_ratio(sum(sizes), path.stat().st_size, path)


class _Bounded(io.RawIOBase):
    """What a packed file holds, counted while it is read."""

    def __init__(self, packed: gzip.GzipFile, path: Path) -> None:
        self._packed, self._path, self._size, self._done = packed, path, path.stat().st_size, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        n = self._packed.readinto(buffer)
        self._done += n
        check_ratio(self._done, self._size, self._path)
        return n

    def close(self) -> None:
        self._packed.close()
        super().close()
