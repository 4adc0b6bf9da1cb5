"""The parts of a Word file as the gate searches them: what is read, and what only lays it out."""

import html
import re

PARTS = (".xml", ".rels")
PART_NAMES = re.compile(r'\bPartName="[^"]*"')  # of the file's own parts, which look like paths
SIZES = re.compile(
    r'[\w:]+="[-+]?[0-9A-Fa-f.]+%?"'
)  # sizes, colours and numbers of revisions, which look like identifiers
ENDS = re.compile(r"</w:(?:p|tc)>|<w:(?:br|cr|tab)\b[^>]*>")
TAGS = re.compile(r"<[^>]*>")


def without_layout(xml: str) -> str:
    """The markup without the names of parts and without sizes."""
    return SIZES.sub("", PART_NAMES.sub("", xml))


def lines_of(xml: str) -> list[str]:
    """The text of each paragraph; a word that the markup splits is whole."""
    text = html.unescape(TAGS.sub("", ENDS.sub("\n", xml)))
    return [line.strip() for line in text.split("\n") if line.strip()]
