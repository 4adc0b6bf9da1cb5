"""What may not be in a shared file whatever the study: pictures, metadata of photos, vectors, paths, names of users and machines."""

import base64
import getpass
import gzip
import html
import json
import re
import socket
import unicodedata
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from urllib.parse import unquote, unquote_to_bytes

PICTURE = re.compile(
    rb"(?s)\x89PNG\r\n|\xff\xd8\xff|GIF8[79]a|BM.{4}\0{4}|II\*\0|MM\0\*|\x00\x00\x01\x00|8BPS|%PDF|P[1-6]\s+\d+\s+\d+\s|RIFF.{4}WEBP"
    rb"|.{4}ftyp(?:hei[cx]|mif1|avif|msf1|hevc)"
)
METADATA = re.compile(rb"Exif\0\0|http://ns\.adobe\.com/xap/|<x:xmpmeta|<\?xpacket|Photoshop 3\.0\0")
VECTOR = 64  # numbers in a row; a face's embedding has 128 or more
NUMBER = r"-?\d+\.\d+(?:[eE][-+]?\d+)?"
VECTORS = re.compile(rf"(?:{NUMBER}\s*[,;\t ]\s*){{{VECTOR - 1},}}{NUMBER}")
DATA_URI = r"(?i)data:(?P<type>[\w.+-]+/[\w.+-]+)?(?P<more>(?:;[\w=.+-]+)*),(?P<body>[^\"'\s)<>]*)"
BASE64 = re.compile(r"(?<![\w+/=])[A-Za-z0-9+/]{40,}={0,2}(?![\w+/=])")
SCRIPT = re.compile(r"<script\b(?![^>]*json)[^>]*>.*?</script\s*>", re.IGNORECASE | re.DOTALL)
SHAPES = re.compile(r'(?<=\s)(?:d|points)="[MmLlHhVvCcSsQqTtAaZz\d\s.,+eE-]*"')
# names of the parts of a Word file, which look like paths; sizes, colours and numbers of revisions, which look like identifiers
LAYOUT = re.compile(r'\bPartName="[^"]*"|\b\w+:\w+="[-+]?[0-9A-Fa-f.]+%?"')
PHOTO = r"\.(?i:jpe?g|png|heic|heif|tiff?|bmp|webp|gif|dcm|dng|cr2|nef)"  # the ending of its file's name
# tags on both sides of which parts of a word may stand
INLINE = r"</?(?:b|i|u|em|strong|span|su[bp]|small|mark|wbr|a|font|bd[io]|code|abbr|tspan|w:(?!(?:p|tc|br|cr|tab)\b)\w+)\b[^>]*>"
TEXTS = {
    "image": r"<\s*(?:svg:)?(?:img|image|picture|feimage|object|embed|video|iframe)\b[^>]*>|data:image/(?!svg)[\w.+-]+[;,]",
    "path": r"(?<![\w.:/<>~-])(?:~|/(?:home|users|root|mnt|data|scratch|work|tmp|var|srv|media|opt|gpfs|lustre|nfs|projects?|groups?|net|"
    r"share|export|private|volumes|ngs|hpc|storage|beegfs|cluster|etc|usr|run))/[\w.@+-]+"
    r"|(?<=[\"'\s=(>])/[A-Za-z][\w.-]*(?:/[\w.-]+){2,}"
    r"|(?<![\w/])[A-Za-z]:\\{1,2}[\w.$-]+|(?<![\\\w])\\\\[\w.$-]+\\[\w.$-]+|\bfile:/{2,3}[\w.~%-]+",
    "file name": rf"(?<![\w/])[\w-]+{PHOTO}\b(?!\s*\()",
}
# Cyrillic and Greek letters that look Latin, of confusables.txt of Unicode
ALIKE = dict(zip("АВЕІКМНОРСТУХасеіорухΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEIKMHOPCTYXaceiopyxABEZHIKMNOPTYXo", strict=True))
# and signs that take no place: accents, soft hyphens and the like
UNLIKE = re.compile(f"[{''.join(ALIKE)}\u0300-\u036f\u00ad\u200b-\u200f\u2060\ufeff]")
COMMON_NAMES = {
    "root", "user", "admin", "localhost", "runner", "docker", "ubuntu", "debian", "data", "test", "demo", "localdomain",
}  # fmt: skip


def in_bytes(content: bytes) -> Iterator[tuple[str, str]]:
    """Kind and what: pictures by how a file begins, whatever its name says, and the metadata of photos."""
    if PICTURE.match(content):
        yield "image", "a picture"
    if METADATA.search(content):
        yield "metadata", "EXIF or XMP of a photo"


def in_text(text: str) -> Iterator[tuple[int, str, str]]:
    """Where, kind and what: elements of pictures, vectors, paths, names of users and machines in HTML, SVG, JSON, TSV or plain text."""
    shown = blanked(SCRIPT, text)
    for kind, pattern in TEXTS.items():
        for found in re.finditer(pattern, text if kind == "path" else shown, re.IGNORECASE):
            yield found.start(), kind, f"{found[0][:6]}…"
    for found in VECTORS.finditer(text):
        if not _is_table(text):
            yield found.start(), "embedding", f"more than {VECTOR - 1} numbers in a row"
    for name in _own_names():
        if named := re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE):
            yield named.start(), "user or host", f"{name[:2]}…"


def embedded(text: str) -> Iterator[tuple[int, bytes]]:
    """What data URIs and long base64 strings hold, unpacked, with where they begin."""
    for found in re.finditer(DATA_URI, text):
        body = unquote_to_bytes(found["body"])
        if found["type"] or found["more"]:
            yield found.start(), _unpacked(_decoded(body) if "base64" in found["more"].lower() else body)
    for found in BASE64.finditer(text):
        content = _decoded(found[0].encode())
        if PICTURE.match(content) or content[:2] == b"\x1f\x8b" or content.isascii():
            yield found.start(), _unpacked(content)


def as_read(text: str) -> str:
    """The letters and digits that an eye reads: without accents and signs of no width, and Latin where others look the same."""
    return UNLIKE.sub(lambda found: ALIKE.get(found[0], ""), unicodedata.normalize("NFKD", text))


def readings_of(text: str) -> Iterator[str]:
    """The text `as_read`, and what a browser or a program makes of it: entities, words that tags split, escapes, LaTeX, per cent codes."""
    plain = html.unescape(text)
    made = (
        text, plain, re.sub(INLINE, "", plain), re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text),
        re.sub(r"\\([_&%#$])", r"\1", text), unquote(text),
    )  # fmt: skip
    yield from dict.fromkeys(map(as_read, made))


def pieces_of(markup: str) -> list[str]:
    """What stands between the tags of a page or of a Word file, and in their attributes that are read."""
    shown = blanked(SCRIPT, markup)
    pieces = re.split(r"<[^>]*>", re.sub(INLINE, "", shown))
    pieces += re.findall(r"\s(?:title|alt|aria-label|content|value|id|name|href)=\"([^\"]*)\"", shown)
    return [html.unescape(piece).strip() for piece in pieces]


def blanked(pattern: re.Pattern, text: str) -> str:
    """The text without the drawing program of a page, which names elements that it may make, or without the outlines of figures, in which
    H120 is a line and no person; lines stay where they are."""
    return pattern.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def _is_table(text: str) -> bool:
    """Whether a text is JSON of which every list of many numbers is a column of a table, beside one of as many names."""
    with suppress(ValueError):
        return not _holds_vector([json.loads(text)])
    return False


def _holds_vector(value: object) -> bool:
    parts = list(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())
    lists = [part for part in parts if isinstance(part, list)]
    named = {len(one) for one in lists if all(isinstance(word, str) for word in one)}
    alone = [one for one in lists if len(one) not in named]
    found = any(sum(isinstance(number, float) for number in one) >= VECTOR for one in alone)
    return found or any(map(_holds_vector, parts))


def _decoded(body: bytes) -> bytes:
    with suppress(ValueError):
        return base64.b64decode(body + b"=" * (-len(body) % 4))
    return b""


def _unpacked(content: bytes) -> bytes:
    with suppress(OSError, EOFError, zlib.error):
        return gzip.decompress(content)
    return content


@cache
def _own_names() -> tuple[str, ...]:
    """The names of this user and machine, where they tell anything."""
    names = {socket.gethostname(), socket.gethostname().split(".")[0]}
    with suppress(KeyError, OSError):
        names.add(getpass.getuser())
    telling = {name for name in names if name.lower() not in COMMON_NAMES}
    return tuple(sorted(name for name in telling if len(name) >= (8 if name.isalpha() else 4)))
