"""Small numbers of people in words, such as the note of a row."""

import re
from collections.abc import Mapping

# a whole number of them, unless it is a bound that a method sets
SAID = re.compile(
    r"(?<![\d.,])(?<!than )(?<!least )\d+(?= (?:of \d+ )?(?:people|person|donors?|samples?|rows?|deaths?|events?)\b)"
)
FEWER = re.compile(r"fewer than (?P<n>\d+)(?= (?:people|samples?|deaths?)\b)")
QUOTIENT = re.compile(r"only (?P<n>[\d.]+) deaths per term")


def without_small_numbers(text: object, min_cell: int) -> object:
    """The text, where a small number of people, samples or deaths is "fewer than 5"; what is no text stays as it is."""
    if not isinstance(text, str):
        return text
    text = SAID.sub(lambda found: f"fewer than {min_cell}" if _small(found, min_cell) else found[0], text)
    return FEWER.sub(
        lambda found: f"fewer than {min_cell}" if _small(found, min_cell, "n") else found[0], text
    )


def with_about(text: object, about: Mapping[str, Mapping[int, int]]) -> object:
    """The text, where a number that another is told for is "about" that other one.

    Parameters
    ----------
    about : for "n" (people, samples ...) and "n_events" (deaths): number -> number told instead
    """
    if not isinstance(text, str):
        return text

    def told(found: re.Match) -> str:
        deaths = text[found.end() :].split(" of ")[0].lstrip(" 0123456789").startswith(("death", "event"))
        other = about.get("n_events" if deaths else "n", {}).get(int(found[0]))
        return found[0] if other is None else f"about {other}"

    return SAID.sub(told, text)


def without_quotient(text: object, told: str) -> object:
    """The text without a number of deaths per term, from which the deaths can be computed, unless it is ``told`` beside it."""
    if not isinstance(text, str):
        return text
    return QUOTIENT.sub(lambda found: found[0] if found["n"] == told else "few deaths per term", text)


def says_small_number(text: str, min_cell: int) -> bool:
    """Whether a text tells a small number of people, samples or deaths."""
    return any(_small(found, min_cell) for found in SAID.finditer(text))


def _small(found: re.Match, min_cell: int, group: int | str = 0) -> bool:
    return 0 < int(found[group]) < min_cell
