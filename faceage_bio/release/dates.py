"""Days that stand in a text, in the ways in which participants and programs write them, and what each may mean.

- numbers with a year of four digits (1950-04-03, 3.4.1950, 3. 4. 1950), and of two (03/04/50, 3.4.50, 50-04-03);
- words of English, German, French, Spanish, Italian and Dutch (3 April 1950, April 3rd, 1950, 3. Apr. 50, 1er mars 1950,
  3 de abril de 1950, 03-APR-50, 03APR1950);
- eight digits in a row (19500403, 03041950).

03/04/50 is five days: the 3rd of April or the 4th of March of 1950 or 2050 ..., so that each day is compared with those of the participants,
and a text is never said to hold a date because it looks like one.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import metadata
from platform import python_version

LINE = r"[-/.\u2010\u2011]"  # two of them are hyphens that typesetters use
DAY = re.compile(
    rf"(?<![\d.])(?:(\d{{4}}){LINE}\s?(\d{{1,2}}){LINE}\s?(\d{{1,2}})|(\d{{1,2}}){LINE}\s?(\d{{1,2}}){LINE}\s?(\d{{4}})|(\d{{4}})(\d\d)(\d\d))(?!\d)"
)
# no part of a longer number, range, path, version or word: 2:50-04-03, 1.3.4.50, v3.4.50, 3.4.50rc1, ==3.4.50
SHORT_DAY = re.compile(
    rf"(?<![\w.+@-])(?<!\d:)(?<![=<>~!]=)(\d{{1,2}})({LINE})(?<!/\d/)(?<!/\d\d/)(\d{{1,2}})\2(\d\d)(?![\w+]|[-.:]\w|\2\w)"
)
PACKED_DAY = re.compile(r"(?<![\w.+-])(\d\d)(\d\d)(\d{4})(?!\w|\.\d)")
PUBMED = re.compile(r"(?:pmid|pubmed)\W*(?:id)?\W*$", re.IGNORECASE)  # numbers of 2009 begin with 19
# DOIs and hashes, also their first 12 letters as the pages show them, in which digits stand that mean no day
LABELS = re.compile(r"\b10\.\d{4,9}/[^\s\"'<>]+|\b(?=\d*[a-f])[0-9a-f]{12,}\b")
VERSION = re.compile(r"\b(?:v|version|release|build)[\s:=\"']{0,4}$", re.IGNORECASE)

MONTHS = (
    "january januar jan janner jaenner janvier janv enero ene gennaio gen januari",
    "february februar feb febr feber fevrier fevr fev febrero febbraio februari",
    "march marz maerz mar mrz mars marzo maart mrt",
    "april apr avril avr abril abr aprile",
    "may mai mayo maggio mag mei",
    "june jun juni juin junio giugno giu",
    "july jul juli juillet juil julio luglio lug",
    "august aug aout agosto ago augustus",
    "september sep sept septembre septiembre setiembre set settembre",
    "october oct oktober okt octobre octubre ottobre ott",
    "november nov novembre noviembre",
    "december dec dezember dez decembre diciembre dic dicembre",
)  # without accents
MONTH_OF = {name: number for number, names in enumerate(MONTHS, 1) for name in names.split()}
_MONTH = r"(?P<month>(?:[^\W\d_][\u0300-\u036f]*){3,10})"
_GAP = r"[\s,./\u2010\u2011-]"
SPOKEN_DAYS = (
    re.compile(
        rf"(?<!\w)(?<!\d\.)(?P<day>\d{{1,2}})(?:st|nd|rd|th|er|[ºª°])?{_GAP}{{0,3}}(?:of\s|de\s|di\s|d['’]\s?)?{_MONTH}{_GAP}{{0,3}}(?:del?\s)?"
        r"(?P<year>\d{4}(?!\w)|['’]?\d\d(?!\w|[.:]\d))",
        re.IGNORECASE,
    ),
    re.compile(  # a number after it is a year where four digits or an apostrophe say so: "set 3, 50 genes"
        rf"(?<!\w){_MONTH}{_GAP}{{0,3}}(?P<day>\d{{1,2}})(?:st|nd|rd|th)?{_GAP}{{1,3}}(?:del?\s)?(?P<year>\d{{4}}|['’]\d\d)(?!\w)",
        re.IGNORECASE,
    ),
    re.compile(rf"(?<!\w)(?P<year>\d{{4}}){_GAP}{{0,3}}{_MONTH}{_GAP}{{0,3}}(?P<day>\d{{1,2}})(?!\w)"),
)
CENTURIES = (1900, 2000)


@dataclass(frozen=True)
class Written:
    """Something in a text that can be a date."""

    start: int
    words: str
    days: frozenset[date]
    plain: bool = False  # a number that is as easily something else: only a birth is looked for in it


def days_in(text: str) -> Iterator[Written]:
    """Everything in a text that can be a date, with all days that it can mean."""
    text = LABELS.sub(lambda found: " " * len(found[0]), text)
    for found in DAY.finditer(text):
        if not _follows(PUBMED, text, found.start()) and found[0] not in _versions():
            yield _written(found, _of_numbers(*found.groups()))
    for found in SHORT_DAY.finditer(text):
        if not _follows(VERSION, text, found.start()) and found[0] not in _versions():
            yield _written(found, _of_short_year(found[1], found[3], found[4]))
    for pattern in SPOKEN_DAYS:
        for found in pattern.finditer(text):
            if month := MONTH_OF.get(_without_accents(found["month"])):
                yield _written(
                    found, [(year, month, int(found["day"])) for year in _years(found["year"].strip("'’"))]
                )
    for found in PACKED_DAY.finditer(text):
        if not _follows(PUBMED, text, found.start()):
            one, other, year = map(int, found.groups())
            yield _written(found, [(year, other, one), (year, one, other)], plain=True)


def days_of_cell(text: str) -> set[date]:
    """The days that a cell of a table can mean; 04/03/1950 is two."""
    text = text.strip()
    return {
        day
        for found in days_in(text)
        if found.start == 0
        for day in found.days
        if day.year <= date.today().year
    }


def masked_day(text: str) -> str:
    """The year of a date at most."""
    years = re.search(r"\d{4}", text)
    return f"{years[0]}-…" if years and len(text) > 8 else "…"


def _written(found: re.Match, readings: list[tuple[int, int, int]], *, plain: bool = False) -> Written:
    days = set()
    for year, month, day in readings:
        try:
            days.add(date(year, month, day))
        except ValueError:  # 31 April
            continue
    return Written(found.start(), found[0], frozenset(days), plain)


def _of_numbers(*groups: str | None) -> list[tuple[int, int, int]]:
    y1, m1, d1, a, b, y2, y3, m3, d3 = (int(group) if group else 0 for group in groups)
    return [(y1, m1, d1), (y2, b, a), (y2, a, b), (y3, m3, d3)]


def _of_short_year(one: str, two: str, three: str) -> list[tuple[int, int, int]]:
    """Day, month, year; month, day, year; and, of three pairs of digits, year, month, day."""
    readings = [
        (year, int(month), int(day)) for year in _years(three) for month, day in ((two, one), (one, two))
    ]
    if len(one) == len(two) == 2:
        readings += [(year, int(two), int(three)) for year in _years(one)]
    return readings


def _years(text: str) -> list[int]:
    return [int(text)] if len(text) == 4 else [century + int(text) for century in CENTURIES]


def _without_accents(word: str) -> str:
    return "".join(
        one for one in unicodedata.normalize("NFKD", word) if not unicodedata.combining(one)
    ).casefold()


def _follows(pattern: re.Pattern, text: str, place: int) -> bool:
    return bool(pattern.search(text[max(0, place - 20) : place]))


@cache
def _versions() -> frozenset[str]:
    """Of the programs that are installed, which the pages tell."""
    return frozenset({python_version(), *(one.version for one in metadata.distributions())})
