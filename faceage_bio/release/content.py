"""What may not be in a shared file whatever the study: pictures, metadata of photos, vectors, paths, names of users and machines."""

import base64
import binascii
import contextlib
import getpass
import gzip
import html
import json
import re
import socket
import zlib
from collections.abc import Iterator
from functools import cache
from urllib.parse import unquote, unquote_to_bytes

PICTURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"GIF87a", "GIF"), (b"GIF89a", "GIF"), (b"BM", "BMP"),
    (b"II*\x00", "TIFF"), (b"MM\x00*", "TIFF"), (b"\x00\x00\x01\x00", "ICO"), (b"8BPS", "Photoshop"), (b"%PDF", "PDF"),
)  # fmt: skip
METADATA = (b"Exif\x00\x00", b"http://ns.adobe.com/xap/", b"<x:xmpmeta", b"<?xpacket", b"Photoshop 3.0\x00")
VECTOR = 64  # numbers in a row; a face's embedding has 128 or more
NUMBER = r"-?\d+\.\d+(?:[eE][-+]?\d+)?"
VECTORS = re.compile(rf"(?:{NUMBER}\s*[,;\t ]\s*){{{VECTOR - 1},}}{NUMBER}")
DATA_URI = re.compile(
    r"data:(?P<type>[\w.+-]+/[\w.+-]+)?(?P<more>(?:;[\w=.+-]+)*),(?P<body>[^\"'\s)<>]*)", re.IGNORECASE
)
BASE64 = re.compile(r"(?<![\w+/=])[A-Za-z0-9+/]{40,}={0,2}(?![\w+/=])")
PICTURE_TAGS = re.compile(
    r"<\s*(?:svg:)?(img|image|picture|feimage|object|embed|video|iframe)\b[^>]*>", re.IGNORECASE
)
PATHS = re.compile(
    r"(?<![\w.:/<>~-])(?:~|/(?:home|users|root|mnt|data|scratch|work|tmp|var|srv|media|opt|gpfs|lustre|nfs|projects?|groups?|net|"
    r"share|export|private|volumes|ngs|hpc|storage|beegfs|cluster|etc|usr|run))/[\w.@+-]+(?:/[\w.@+ -]+)*",
    re.IGNORECASE,
)
ABSOLUTE = re.compile(r"(?<=[\"'\s=(>])/[A-Za-z][\w.-]*(?:/[\w.-]+){2,}")
WINDOWS = re.compile(
    r"(?<![\w/])[A-Za-z]:\\{1,2}[\w.$-]+|(?<![\\\w])\\\\[\w.$-]+\\[\w.$-]+|\bfile:/{2,3}[\w.~%-]+"
)
PHOTO_NAME = re.compile(
    r"(?<![\w/])[\w-]+\.(?:jpe?g|heic|heif|png|tiff?|bmp|webp|dcm|dng|nef|cr2)\b(?!\s*\()", re.IGNORECASE
)
SCRIPT = re.compile(r"<script\b(?![^>]*json)[^>]*>.*?</script\s*>", re.IGNORECASE | re.DOTALL)
SHAPES = re.compile(r'(?<=\s)(?:d|points)="[MmLlHhVvCcSsQqTtAaZz\d\s.,+eE-]*"')
COMMON_NAMES = {
    "root", "user", "admin", "localhost", "runner", "docker", "ubuntu", "debian", "data", "test", "demo", "localdomain",
}  # fmt: skip
Found = tuple[int, str, str]  # where, kind of finding, what


def kind_of_bytes(content: bytes) -> str:
    """PNG, JPEG ... by how a file begins, whatever its name says; "" for what is no picture."""
    for start, name in PICTURES:
        if content.startswith(start):
            return name
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    if content[4:8] == b"ftyp" and content[8:12] in {b"heic", b"heix", b"mif1", b"avif", b"msf1", b"hevc"}:
        return "HEIF"
    return ""


def in_bytes(content: bytes) -> Iterator[Found]:
    """Pictures, and the metadata of photos, of a file or of what one embeds."""
    if kind := kind_of_bytes(content):
        yield 0, "image", f"a {kind} picture"
    for mark in METADATA:
        if (place := content.find(mark)) >= 0:
            yield place, "metadata", "EXIF or XMP of a photo"
            return


def in_text(text: str) -> Iterator[Found]:
    """Embedded pictures, vectors, paths, names of users and machines in HTML, SVG, JSON, TSV or plain text."""
    shown = without_scripts(text)
    for found in PICTURE_TAGS.finditer(shown):
        yield found.start(), "image", f"an element <{found[1]}>"
    for where, content in embedded(text):
        yield from ((where, kind, f"{what}, embedded") for _, kind, what in in_bytes(unpacked(content)))
    for where in vectors(text):
        yield where, "embedding", f"more than {VECTOR - 1} numbers in a row"
    for pattern, searched in ((PATHS, text), (WINDOWS, text), (ABSOLUTE, shown)):
        for found in pattern.finditer(searched):
            yield found.start(), "path", f"{found[0][:6]}…"
    for found in PHOTO_NAME.finditer(shown):
        yield found.start(), "file name", f"a photo's file name, …{found[0][found[0].rindex('.') :]}"
    for name in _own_names():
        for found in re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE):
            yield found.start(), "user or host", f"{name[:2]}…"
            break


def embedded(text: str) -> Iterator[tuple[int, bytes]]:
    """What data URIs and long base64 strings hold, with where they begin."""
    for found in DATA_URI.finditer(text):
        if not found["type"] and not found["more"]:
            continue
        body = found["body"]
        if "base64" in (found["more"] or "").lower():
            content = _decoded(unquote(body))
        else:
            content = unquote_to_bytes(body)
        if (found["type"] or "").lower().startswith("image/") and "svg" not in found["type"].lower():
            content = (
                content if kind_of_bytes(content) else b"\x89PNG\r\n\x1a\n"
            )  # it says that it is a picture
        if content:
            yield found.start(), content
    for found in BASE64.finditer(text):
        content = _decoded(found[0])
        if kind_of_bytes(content) not in {"", "BMP"} or content[:2] == b"\x1f\x8b":
            yield found.start(), content


def vectors(text: str) -> Iterator[int]:
    """Where many numbers stand in a row. In JSON, columns of a table whose rows have names beside them are none."""
    if text.lstrip()[:1] in {"[", "{"}:
        with contextlib.suppress(ValueError):
            if not _holds_vector(json.loads(text), beside_names=False):
                return
    yield from (found.start() for found in VECTORS.finditer(text))


def _holds_vector(value: object, *, beside_names: bool) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    elif not isinstance(value, list):
        return False
    elif len(value) >= VECTOR and sum(isinstance(one, float) for one in value) > len(value) / 2:
        return not beside_names
    named = {
        len(one)
        for one in value
        if isinstance(one, list) and one and all(isinstance(name, str) for name in one)
    }
    return any(_holds_vector(one, beside_names=isinstance(one, list) and len(one) in named) for one in value)


def unpacked(content: bytes) -> bytes:
    """What gzip has packed, or the bytes as they are."""
    if content[:2] != b"\x1f\x8b":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error):
        return content


def readings_of(text: str) -> Iterator[str]:
    """The text, and what a browser or a program makes of it: entities, escapes, per cent codes. Lines stay where they are."""
    yield text
    if "&" in text and (plain := html.unescape(text)) != text:
        yield plain
    if "\\u" in text:
        yield re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
    if "\\_" in text or "\\&" in text:  # LaTeX
        yield re.sub(r"\\([_&%#$])", r"\1", text)
    if re.search(r"%[0-9a-fA-F]{2}", text):
        yield unquote(text)


def without_scripts(text: str) -> str:
    """The text without the drawing program of a page, which names elements that it may make; lines stay where they are."""
    return SCRIPT.sub(_blank, text)


def without_shapes(text: str) -> str:
    """The text without the outlines of figures, in which H120 is a line and no person; lines stay where they are."""
    return SHAPES.sub(_blank, text)


def _blank(found: re.Match) -> str:
    return re.sub(r"[^\n]", " ", found[0])


def _decoded(body: str) -> bytes:
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4))
    except (binascii.Error, ValueError):
        return b""


@cache
def _own_names() -> tuple[str, ...]:
    """The names of this user and machine, where they tell anything."""
    names = {socket.gethostname(), socket.gethostname().split(".")[0]}
    with contextlib.suppress(KeyError, OSError):
        names.add(getpass.getuser())
    telling = {name for name in names if name.lower() not in COMMON_NAMES}
    return tuple(sorted(name for name in telling if len(name) >= (8 if name.isalpha() else 4)))
