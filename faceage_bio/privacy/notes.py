"""Small numbers of people in words, such as the note of a row."""

import re

# a whole number of them, unless it is a bound that a method sets
SAID = re.compile(
    r"(?<![\d.,])(?<!than )(?<!least )\d+(?= (?:of \d+ )?(?:people|person|donors?|samples?|rows?|deaths?|events?)\b)"
)


def without_small_numbers(text: object, min_cell: int) -> object:
    """The text, where a small number of people, samples or deaths is "fewer than 5"; what is no text stays as it is."""
    if not isinstance(text, str):
        return text
    return SAID.sub(lambda found: f"fewer than {min_cell}" if _small(found, min_cell) else found[0], text)


def says_small_number(text: str, min_cell: int) -> bool:
    """Whether a text tells a small number of people, samples or deaths."""
    return any(_small(found, min_cell) for found in SAID.finditer(text))


def _small(found: re.Match, min_cell: int) -> bool:
    return 0 < int(found[0]) < min_cell
