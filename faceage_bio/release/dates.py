"""Days that stand in a text, in the ways in which participants and programs write them, and what each may mean.

- numbers with a year of four digits (1950-04-03, 3.4.1950, 3. 4. 1950), and of two (03/04/50, 3.4.50, 50-04-03);
- words of English, German, French, Spanish, Portuguese, Italian and Dutch (3 April 1950, April the 3rd, 1950, 3. Apr. 50,
  1er mars 1950, 3 de abril de 1950, 03-APR-50, 03APR1950);
- eight digits in a row (19500403, 03041950);
- ISO weeks (1950-W14-1).

03/04/50 is five days: the 3rd of April or the 4th of March of 1950 or 2050 ..., so that each day is compared with those of the participants,
and a text is never said to hold a date because it looks like one.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from functools import cache
from importlib import metadata
from platform import python_version

from faceage_bio.release.content import as_read

MONTHS = (
    "january januar jan janner jaenner janvier janv enero ene janeiro gennaio gen januari",
    "february februar feb febr feber fevrier fevr fev febrero fevereiro febbraio februari",
    "march marz maerz mar mrz mars marzo marco maart mrt",
    "april apr avril avr abril abr aprile",
    "may mai mayo maio maggio mag mei",
    "june jun juni juin junio junho giugno giu",
    "july jul juli juillet juil julio julho luglio lug",
    "august aug aout agosto ago augustus",
    "september sep sept septembre septiembre setiembre set setembro settembre",
    "october oct oktober okt octobre octubre outubro ottobre ott",
    "november nov novembre noviembre novembro",
    "december dec dezember dez decembre diciembre dezembro dic dicembre",
)  # without accents
MONTH_OF = {name: str(number) for number, names in enumerate(MONTHS, 1) for name in names.split()}
# DOIs and hashes, also their first 12 letters as the pages show them, in which digits stand that mean no day
LABELS = re.compile(r"\b10\.\d{4,9}/[^\s\"'<>]+|\b(?=\d*[a-f])[0-9a-f]{12,}\b")
PUBMED = r"(?:pmid|pubmed)\W*(?:id)?\W*$"  # numbers of 2009 begin with 19
VERSION = r"\b(?:v|version|release|build)[\s:=\"']{0,4}$"

_LINE = r"[-/.\u2010]"  # the last is a hyphen that typesetters use
_MONTH = r"(?P<m>[^\W\d_]{3,10})"
_GAP = r"[\s,./\u2010-]"
_PAIR = r"(?P<one>\d{1,2})"
PACKED = r"(?<![\w.+-])(?P<one>\d\d)(?P<two>\d\d)(?P<y>\d{4})(?!\w|\.\d)"
FORMS = (  # the parts of a date in words and numbers, and what it does not stand behind
    (  # cameras write 1950:04:03 10:15:00
        rf"(?<![\d.])(?P<y>\d{{4}})(?::|{_LINE}\s?)(?P<m>\d{{1,2}})(?::|{_LINE}\s?)(?P<d>\d{{1,2}})(?!\d)",
        PUBMED,
    ),
    (rf"(?<![\d.]){_PAIR}{_LINE}\s?(?P<two>\d{{1,2}}){_LINE}\s?(?P<y>\d{{4}})(?!\d)", PUBMED),
    (r"(?<![\d.])(?P<y>\d{4})(?P<m>\d\d)(?P<d>\d\d)(?!\d)", PUBMED),
    (PACKED, PUBMED),
    (  # no part of a longer number, range, path, version or word: 2:50-04-03, 1.3.4.50, v3.4.50, 3.4.50rc1, ==3.4.50
        rf"(?<![\w.+@-])(?<!\d:)(?<![=<>~!]=){_PAIR}(?P<line>{_LINE})(?<!/\d/)(?<!/\d\d/)(?P<two>\d{{1,2}})(?P=line)(?P<y>\d\d)"
        r"(?![\w+]|[-.:]\w|(?P=line)\w)",
        VERSION,
    ),
    (
        rf"(?<!\w)(?<!\d\.)(?P<d>\d{{1,2}})(?:st|nd|rd|th|er|°|[oa]\b)?{_GAP}{{0,3}}(?:of\s|de\s|di\s|d['’]\s?)?{_MONTH}{_GAP}{{0,3}}(?:del?\s)?"
        r"(?P<y>\d{4}(?!\w)|['’]?\d\d(?!\w|[.:]\d))",
        "(?!)",
    ),
    (  # a number after it is a year where four digits or an apostrophe say so: "set 3, 50 genes"
        rf"(?<!\w){_MONTH}{_GAP}{{0,3}}(?:the\s)?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?{_GAP}{{1,3}}(?:del?\s)?(?P<y>\d{{4}}|['’]\d\d)(?!\w)",
        "(?!)",
    ),
    (r"(?<!\w)(?P<y>\d{4})-?W(?P<week>\d\d)-?(?P<d>[1-7])(?!\w)", "(?!)"),
    (rf"(?<!\w)(?P<y>\d{{4}}){_GAP}{{0,3}}{_MONTH}{_GAP}{{0,3}}(?P<d>\d{{1,2}})(?!\w)", "(?!)"),
)


def days_in(text: str) -> Iterator[tuple[int, str, set[date], bool]]:
    """Where something stands (in the text `as_read`) that can be a date, it, all days that it can mean, and whether it is a number that is as easily something else."""
    text = LABELS.sub(lambda found: " " * len(found[0]), as_read(text))
    for form, before in FORMS:
        for found in re.finditer(form, text, re.IGNORECASE):
            stands_behind = text[max(0, found.start() - 20) : found.start()]
            if found[0] not in _versions() and not re.search(before, stands_behind, re.IGNORECASE):
                yield found.start(), found[0], set(_days(**found.groupdict())), form == PACKED


def _days(
    y: str, m: str = "", d: str = "", one: str = "", two: str = "", line: str = "", week: str = ""
) -> Iterator[date]:
    """The days that parts can mean: where two numbers are not known apart, either is the month; three pairs may begin with the year."""
    orders = [(y, two, one), (y, one, two)] if one else [(y, week or m, d)]
    orders += [(one, two, y)] if line and len(two) == 2 else []
    for year, month, day in orders:
        month, year = month.casefold(), year.strip("'’")
        for whole in [year] if len(year) == 4 else [one + year for one in ("19", "20") if len(year) == 2]:
            with suppress(ValueError):  # 31 April, week 60
                parts = int(whole), int(MONTH_OF.get(month, month)), int(day)
                yield date.fromisocalendar(*parts) if week else date(*parts)


def days_of_cell(text: str) -> set[date]:
    """The days that a cell of a table can mean; 04/03/1950 is two."""
    found = [days for start, _, days, _ in days_in(text.strip()) if start == 0]
    return {day for days in found for day in days if day.year <= date.today().year}


def masked_day(text: str) -> str:
    """The year of a date at most."""
    years = re.search(r"\d{4}", text)
    return f"{years[0]}-…" if years and len(text) > 8 else "…"


@cache
def _versions() -> frozenset[str]:
    """Of the programs that are installed, which the pages tell."""
    return frozenset({python_version(), *(one.version for one in metadata.distributions())})
