"""Fetch the published weights from the authors' release: the one place where the network is used."""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from faceage_bio.core.errors import WeightsError
from faceage_bio.core.tables import sha256_of, write_json

RELEASE = "https://github.com/AIM-Harvard/FaceAge/releases/download/v1/faceage_model.h5"
RELEASE_BYTES = 92_098_832  # of the file of release v1; its authors publish no hash
LARGEST = 1 << 30  # bytes of any other file of weights
BLOCK = 1 << 18  # bytes


def cache_folder() -> Path:
    """Where fetched weights are kept: ``$XDG_CACHE_HOME/faceage-bio/weights``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "faceage-bio" / "weights"


def fetch(
    url: str,
    folder: Path,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
    sha256: str = "",
) -> tuple[Path, str]:
    """Download a file, going on where an earlier try broke off, and record its SHA-256 beside it.

    The authors' release must have its known size; no other file may exceed 1 GiB.

    Parameters
    ----------
    url : str
    folder : path
        The file keeps the last part of the URL as its name.
    progress : callable
        Told the bytes done and in all (None if the server does not say).
    sha256 : str
        The hash that the file must have, where it is known.

    Returns
    -------
    path, hexadecimal SHA-256

    Raises
    ------
    WeightsError
        No connection, an answer other than the file, an incomplete download (the part is kept for the next
        try), a file of another size or hash than expected (nothing is kept), or one that is no longer what
        was recorded when it was fetched.
    """
    target = folder / url.rsplit("/", 1)[-1]
    record = target.with_name(f"{target.name}.json")
    if target.exists() and record.exists():
        found, recorded = sha256_of(target), json.loads(record.read_text())["sha256"]
        if found != recorded:
            raise WeightsError(
                f"{target}: changed since it was fetched (SHA-256 {found}, recorded {recorded}). Expected what was fetched. Delete it and fetch again."
            )
        _check_hash(target, found, sha256)
        return target, found
    folder.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    tag = target.with_name(f"{target.name}.part.etag")
    _download(url, part, tag, progress)
    digest = sha256_of(part)
    try:
        if url == RELEASE and part.stat().st_size != RELEASE_BYTES:
            raise WeightsError(
                f"{url}: {part.stat().st_size:,} bytes came. Expected the {RELEASE_BYTES:,} of the authors' release. Fetch the file with a browser, look "
                "whether the release has changed, and give its path to `faceage-bio weights import`."
            )
        _check_hash(url, digest, sha256)
    except WeightsError:
        part.unlink()
        tag.unlink(missing_ok=True)
        raise
    part.replace(target)
    tag.unlink(missing_ok=True)
    write_json({"url": url, "sha256": digest, "bytes": target.stat().st_size}, record)
    return target, digest


def _check_hash(what: str | Path, found: str, expected: str) -> None:
    if expected and found != expected.strip().lower():
        raise WeightsError(
            f"{what}: SHA-256 {found}. Expected {expected}. Do not use the file; look at its source, and fetch it again."
        )


def _check_size(url: str, size: int, part: Path, tag: Path) -> None:
    if size > LARGEST:
        part.unlink(missing_ok=True)
        tag.unlink(missing_ok=True)
        raise WeightsError(
            f"{url}: {size:,} bytes or more. Expected weights of at most {LARGEST:,}. Check the address; a larger file fetch with a browser."
        )


def _download(url: str, part: Path, tag: Path, progress: Callable[[int, int | None], None]) -> None:
    done = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "faceage-bio"}
    if done:
        headers["Range"] = f"bytes={done}-"
        if tag.exists():
            headers["If-Range"] = tag.read_text()  # the whole file comes if it is another one by now
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
            resumed = answer.status == 206
            done = done if resumed else 0
            length = answer.headers.get("Content-Length")
            total = done + int(length) if length else None
            _check_size(url, total or done, part, tag)
            if validator := answer.headers.get("ETag"):
                tag.write_text(validator)
            with open(part, "ab" if resumed else "wb") as stream:
                while block := answer.read(BLOCK):
                    stream.write(block)
                    done += len(block)
                    _check_size(url, done, part, tag)
                    progress(done, total)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is left to fetch, or the part belongs to another file
            part.unlink()
            _download(url, part, tag, progress)
            return
        raise WeightsError(
            f"{url}: the server answered {error.code} {error.reason}. Expected the file. Check the address, or fetch the file with a browser "
            "and give its path to `faceage-bio weights import`."
        ) from None
    except OSError as error:  # no connection, time-out, broken off
        reason = getattr(error, "reason", None) or error
        raise WeightsError(
            f"{url}: the download broke off ({reason}). Expected the whole file. Call again to go on after {done:,} bytes."
        ) from None
    if total is not None and done < total:
        raise WeightsError(
            f"{url}: the download broke off after {done:,} of {total:,} bytes. Expected all of them. Call again to go on."
        )
