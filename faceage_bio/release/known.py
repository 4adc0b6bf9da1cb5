"""Who is in the study: identifiers, file names and dates that must not be found in what is shared.

How an identifier is looked for depends on how easily it is something else:

- letters and digits, at least 4 characters (``N091``), two words with a separator (``ward-b``), or at least 6 digits:
  anywhere in a text, as a whole word (``N0912`` is not ``N091``, and the digits of 0.123456 are no identifier);
- letters and digits, 2 or 3 characters (``S1``): where it is all that a cell or a piece of text says;
- numbers of 4 or 5 digits (``48213``) and single words of at least 4 letters (``anna``): after a word such as patient, case or ID;
- those and shorter numbers (``1``, ``0042``): where it is all that a cell says in a column whose name tells that it holds
  identifiers. Such a column is not shared in any case.

Dates are looked for in every way of writing that `dates` reads: a day of a person that it can mean is found, births first.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pandas as pd

from faceage_bio.errors import TableError
from faceage_bio.formula_cells import as_typed
from faceage_bio.release.dates import days_in, days_of_cell, masked_day
from faceage_bio.tables import read_text_table

IDENTIFIERS = re.compile(
    r"(^|_)(id|ids|identifier|mrn|nhs|donor|subject|patient|photo|sample|specimen|case|reader|reviewer|barcode|library)(_id|_name|_number)?$"
)
NOT_PEOPLE = ("gene", "variant", "ensembl", "transcript", "protein", "set", "term", "model", "definition")
FILES = {"path", "file", "filename", "file_name", "photo_path"}
DATES = re.compile(r"(^|_)(date|dates|birth|dob|birthday|datetime)($|_)")
PHOTO_ENDINGS = (
    ".jpg", ".jpeg", ".png", ".heic", ".heif", ".tif", ".tiff", ".bmp", ".webp", ".gif", ".dcm", ".dng", ".cr2", ".nef",
)  # fmt: skip
NOT_OF_PEOPLE = {  # folders of results that hold no tables about single participants
    "model", "logs", "reports", "share",
}  # fmt: skip

WORD = re.compile(r"[^\W_]+")
CALLED = re.compile(
    r"\b(?:patient|subject|person|participant|case|donor|sample|photo|reader|mrn|id|no|number)s?\b[\s:#.=]*(?:no\.?|number|id)?[\s:#.=]*(?P<name>[^\W_][\w-]*)",
    re.IGNORECASE,
)


@dataclass
class Known:
    """Identifiers, names of photo files and dates of a study's participants."""

    identifiers: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    births: set[date] = field(default_factory=set)
    dates: set[date] = field(default_factory=set)
    _index: dict[str, set[str]] | None = None

    def __or__(self, other: "Known") -> "Known":
        return Known(
            self.identifiers | other.identifiers,
            self.files | other.files,
            self.births | other.births,
            self.dates | other.dates,
        )

    @property
    def words(self) -> str:
        """How many are looked for, and how many of them not in texts."""
        plain = sum(not _distinct(name) for name in self.identifiers)
        said = f"{len(self.identifiers)} identifiers, {len(self.files)} file names, {len(self.dates)} dates"
        return (
            f"{said}; {plain} identifiers are too short or too plain to be looked for in texts"
            if plain
            else said
        )

    def in_text(self, text: str) -> Iterator[tuple[int, str, str]]:
        """Where, which kind, and which: identifiers and file names that stand in a text as whole words, and dates."""
        index = self._by_first_word()
        lower = text.casefold()
        same_length = len(lower) == len(text)
        searched = lower if same_length else text.lower()
        for found in WORD.finditer(searched):
            for name in index.get(found[0], ()):
                start, end = found.start(), found.start() + len(name)
                if searched[start:end] == name and not _goes_on(searched, start, end, name):
                    kind = "file name" if name in self._file_names else "identifier"
                    yield start, kind, text[start:end] if same_length else name
        for found in CALLED.finditer(text):
            name = found["name"]
            if name in self.identifiers and len(name) >= 4 and not _distinct(name):
                yield found.start("name"), "identifier", name
        if self.births or self.dates:
            others = self.dates - {date.today()}
            for found in days_in(text):
                if found.days & self.births:
                    yield found.start, "date", f"{masked_day(found.words)} is the date of birth of a person"
                elif found.days & others and not found.plain:
                    yield found.start, "date", f"{masked_day(found.words)} is a date of a person"

    def is_whole(self, text: str, *, of_identifiers: bool = False) -> bool:
        """Whether a cell or a piece of text is nothing but an identifier that is too short to be looked for in texts."""
        word = text.strip()
        if word not in self.identifiers or _distinct(word):
            return False
        return of_identifiers or (_mixed(word) and len(word) > 1)

    def _by_first_word(self) -> dict[str, set[str]]:
        if self._index is None:
            index: dict[str, set[str]] = defaultdict(set)
            self._file_names = {name.casefold() for name in self.files}
            stems = {Path(name).stem for name in self.files}
            names = {
                name.casefold() for name in self.identifiers | stems if _distinct(name)
            } | self._file_names
            for name in names:
                if first := WORD.search(name):  # "#12-A" is found as "12-A"
                    index[first[0]].add(name[first.start() :])
            self._index = dict(index)
        return self._index


def known_of_results(results: Path) -> Known:
    """From every table about single participants that a run wrote, and from the demo's own tables.

    Raises
    ------
    TableError
        A table about single participants that cannot be read: then it is not known whether its participants are in the outputs.
    """
    known = Known()
    for path in sorted(Path(results).rglob("*")):
        inside = path.relative_to(results).parts
        if not path.is_file() or inside[0] in NOT_OF_PEOPLE or path.name.startswith("."):
            continue
        if path.suffix == ".parquet":
            known |= _of_parquet(path)
        elif path.suffix in {".tsv", ".csv"}:
            known |= known_of_table(path)
        elif path.suffix.lower() in PHOTO_ENDINGS:
            known |= Known(files={path.name})
    return known


def known_of_inputs(paths: Iterable[Path | str]) -> Known:
    """From the study's own tables (manifest, clinical data, samples, readings ...) and its folders of photos."""
    known = Known()
    for path in map(Path, paths):
        if path.is_dir():
            names = {one.name for one in path.rglob("*") if one.suffix.lower() in PHOTO_ENDINGS}
            known |= Known(files=names)
        elif path.suffix.lower() in {".tsv", ".csv", ".txt"} and path.is_file():
            known |= known_of_table(path)
    return known


def known_of_table(path: Path) -> Known:
    """From the columns of a TSV or CSV that hold identifiers, file names or dates."""
    with open(path, encoding="utf-8-sig", errors="replace") as stream:
        header = stream.readline()
    names = [name.strip().strip('"') for name in re.split("[\t,;]", header)]
    if not any(_told_by(name) for name in names):
        return Known()
    try:
        table = read_text_table(path)
    except TableError:
        if header.strip():
            raise
        return Known()
    return known_of_columns({name: table[name] for name in table.columns})


def _of_parquet(path: Path) -> Known:
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(path).names
    except (OSError, ValueError) as error:
        raise TableError(
            f"{path}: cannot be read ({error}), so its people cannot be looked for. Expected a table of a finished run. "
            "Run the workflow again, which writes it anew."
        ) from None
    wanted = [name for name in names if _told_by(name)]
    return known_of_columns(pd.read_parquet(path, columns=wanted)) if wanted else Known()


def known_of_columns(columns: Mapping[str, pd.Series]) -> Known:
    """From columns by name; those that tell nothing about single participants are passed over."""
    known = Known()
    for name in columns:
        told = _told_by(name)
        if not told:
            continue
        words = {str(value).strip() for value in columns[name].dropna().unique()} - {""}
        words |= {as_typed(word) for word in words}  # tables that we wrote and that are read as plain text
        if told == "identifier":
            known.identifiers |= words
        elif told == "file":
            known.files |= {re.split(r"[/\\]", word)[-1] for word in words}
        else:
            days = {day for word in words for day in days_of_cell(word)}
            known.dates |= days
            if "birth" in name.lower() or "dob" in name.lower():
                known.births |= days
    known.files = {name for name in known.files if Path(name).suffix.lower() in PHOTO_ENDINGS}
    return known


def _told_by(name: str) -> str:
    lower = name.strip().lower()
    if lower in FILES:
        return "file"
    if lower.startswith(NOT_PEOPLE):
        return ""
    if IDENTIFIERS.search(lower):
        return "identifier"
    return "date" if DATES.search(lower) else ""


def holds_identifiers(column: str) -> bool:
    """Whether a column's name tells that its cells are identifiers or file names."""
    return _told_by(column) in {"identifier", "file"}


def holds_dates(column: str) -> bool:
    """Whether a column's name tells that its cells are dates."""
    return _told_by(column) == "date"


def _mixed(word: str) -> bool:
    return any(map(str.isalpha, word)) and any(map(str.isdigit, word))


def _distinct(word: str) -> bool:
    """Whether an identifier is hardly anything else, so that it is looked for in texts."""
    words = WORD.findall(word)
    if word.isdigit():
        return len(word) >= 6
    return (_mixed(word) and len(word) >= 4) or (len(words) > 1 and sum(map(len, words)) >= 5)


def _goes_on(text: str, start: int, end: int, name: str) -> bool:
    """Whether what was found is part of a longer word or number."""
    after = text[end : end + 1]
    if after.isalnum():
        return True
    if not name.isdigit():
        return False
    decimal = text[max(start - 1, 0) : start] in {".", ","} and text[max(start - 2, 0) : start - 1].isdigit()
    return decimal or (after in {".", ","} and text[end + 1 : end + 2].isdigit())
