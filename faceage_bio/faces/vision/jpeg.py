"""Damage inside a JPEG that decoders repair in silence: the pixels after it are shifted, of another colour, or made up."""

import re

import simplejpeg

DAMAGE = (
    "Corrupt JPEG data",
    "Premature end",
    "Inconsistent progression",
)  # begin the warnings that tell of it
MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")  # neither a stuffed byte nor a restart
SCAN, TABLES, END = 0xDA, 0xC4, 0xD9
SEQUENTIAL = (0xC0, 0xC1)
ZERO_RUN = 8  # bytes; sound photos have up to 4, a lost block of a disk or a transfer has dozens


def is_damaged(content: bytes, mode: str) -> bool:
    """Whether libjpeg warns of damage, or the compressed pixels hold a run of zero bytes.

    Data may also be damaged without either: in about a quarter of portraits of which 40 bytes were overwritten by noise
    (`benchmarks.image_defects`).

    Parameters
    ----------
    content : bytes of a JPEG file
    mode : str
        Pillow's mode of it: "L", "RGB", "CMYK".
    """
    return _warns(content, mode) or _has_zero_run(content)


def _warns(content: bytes, mode: str) -> bool:
    """All data are read, but an eighth of the pixels is computed."""
    colours = "CMYK" if mode == "CMYK" else "GRAY"
    try:
        simplejpeg.decode_jpeg(
            content, colours, fastdct=True, fastupsample=True, min_height=1, min_width=1, min_factor=8
        )
    except ValueError as warning:  # other ones are of kinds of JPEG that are not known there
        return str(warning).startswith(DAMAGE)
    return False


def _has_zero_run(content: bytes) -> bool:
    """Whether a scan of a sequential JPEG has `ZERO_RUN` zero bytes where its code has no meaning for them.

    Bits of zero are the first, shortest code of each table. Where that ends the block in all tables, as in very flat
    pictures with tables of their own, a run of zeros is a plain area and says nothing.
    """
    place, plain = 2, []
    while marker := MARKER.search(content, place):
        kind, start = marker[1][0], marker.end()
        if kind == END:
            break
        length = int.from_bytes(content[start : start + 2], "big")
        place = start + max(2, length)
        if 0xC0 <= kind <= 0xCF and kind not in (TABLES, 0xC8, 0xCC, *SEQUENTIAL):
            return False  # zeros are common in the later scans of a progressive JPEG
        if kind == TABLES:
            plain += _plain_tables(content[start + 2 : place])
        if kind == SCAN and not all(plain):
            following = MARKER.search(content, place)
            end = following.start() if following else len(content)
            if content.find(bytes(ZERO_RUN), place, end) >= 0:
                return True
    return False


def _plain_tables(segment: bytes) -> list[bool]:
    """For each table of AC codes in a segment, whether its first code ends the block."""
    found = []
    while len(segment) > 17:
        if segment[0] >> 4:
            found.append(segment[17] == 0)
        segment = segment[17 + sum(segment[1:17]) :]
    return found
