"""Who is in the study: identifiers, file names and dates that must not be found in what is shared, and the words that may stand there.

How an identifier is looked for depends on how easily it is something else:

- letters and digits, at least 4 characters (``N091``), two words with a separator (``ward-b``), or at least 6 digits:
  anywhere in a text, as a whole word (``N0912`` is not ``N091``, and the digits of 0.123456 are no identifier);
- letters and digits, 2 or 3 characters (``S1``): where it is all that a cell or a piece of text says;
- numbers of 4 or 5 digits (``48213``) and single words of at least 4 letters (``anna``): after a word such as patient, case or ID;
- those and shorter numbers (``1``, ``0042``): where it is all that a cell says in a column whose name tells that it holds
  identifiers. Such a column is not shared in any case.

Dates are looked for in every way of writing that `dates` reads: a day of a person that it can mean is found, births first.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

import pandas as pd

import faceage_bio
from faceage_bio.core.errors import TableError
from faceage_bio.core.results.result_tables import is_declared
from faceage_bio.core.tables import read_text_table
from faceage_bio.core.user_files import as_typed
from faceage_bio.release.dates import days_in, days_of_cell, masked_day

IDENTIFIERS = r"(^|_)(id|ids|identifier|mrn|nhs|donor|subject|patient|photo|sample|specimen|case|reader|reviewer|barcode|library|(?:hospital|record|chart|accession)_(?:number|no))(_id|_name|_number)?$"
NOT_PEOPLE = ("gene", "variant", "ensembl", "transcript", "protein", "set", "term", "model", "definition")
FILES = {"path", "file", "filename", "file_name", "photo_path"}
DATES = re.compile(r"(^|_)(date|dates|birth|dob|birthday|datetime)($|_)")
PHOTO_ENDINGS = (
    ".jpg", ".jpeg", ".png", ".heic", ".heif", ".tif", ".tiff", ".bmp", ".webp", ".gif", ".dcm", ".dng", ".cr2", ".nef",
)  # fmt: skip
# folders of results without tables about single participants
NOT_OF_PEOPLE = {"model", "logs", "reports", "share"}
MOST_NUMBERS = 8  # in a cell of words
MATRIX = 200  # columns: a table of more is one of genes, in whose numbers no level stands
WORD = re.compile(r"[^\W_]+")
CALLED = re.compile(
    r"\b(?:patient|subject|person|participant|case|donor|sample|photo|reader|mrn|id|no|number)s?\b[\s:#.=]*(?:no\.?|number|id)?[\s:#.=]*"
    r"(?P<name>[^\W_][\w-]*)",
    re.IGNORECASE,
)


@dataclass
class Known:
    """Identifiers, names of photo files and dates of a study's participants; and the words of its levels, columns and genes."""

    identifiers: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    births: set[date] = field(default_factory=set)
    dates: set[date] = field(default_factory=set)
    vocabulary: set[str] = field(default_factory=set)

    def __or__(self, other: "Known") -> "Known":
        return Known(*(getattr(self, one.name) | getattr(other, one.name) for one in fields(self)))

    @property
    def words(self) -> str:
        """How many are looked for, and how many of them not in texts."""
        plain = sum(not _distinct(name) for name in self.identifiers)
        n = len(self.identifiers)
        said = f"{n} identifiers, {len(self.files)} file names, {len(self.dates)} dates"
        found = f"{n - plain} of {n} identifiers could be looked for in texts (others are too short or plain)"
        return f"{said}; {found}; whole cells of tables were compared" if plain else said

    def in_text(self, text: str) -> Iterator[tuple[int, str, str]]:
        """Where, which kind, and which: identifiers and file names that stand in a text as whole words, and dates."""
        lower = text.casefold()
        for found in WORD.finditer(lower):
            for name, kind in self._by_first_word.get(found[0], ()):
                end = found.start() + len(name)
                if lower[found.start() : end] == name and not _goes_on(lower, found.start(), end, name):
                    yield found.start(), kind, text[found.start() : end]
        for found in CALLED.finditer(text):
            name = found["name"]
            if name in self.identifiers and len(name) >= 4 and not _distinct(name):
                yield found.start("name"), "identifier", name
        others = self.dates - {date.today()}
        for start, words, days, plain in days_in(text) if self.dates | self.births else ():
            if days & self.births:
                yield start, "date", f"{masked_day(words)} is the date of birth of a person"
            elif days & others and not plain:
                yield start, "date", f"{masked_day(words)} is a date of a person"

    def is_whole(self, text: str, *, of_identifiers: bool = False) -> bool:
        """Whether a cell or a piece of text is nothing but an identifier that is too short to be looked for in texts."""
        word = text.strip()
        told = of_identifiers or (_mixed(word) and len(word) > 1)
        return told and word in self.identifiers and not _distinct(word)

    def allows(self, cell: str) -> bool:
        """Whether each word of a cell is of the vocabulary, or a number of up to 4 digits, behind a word of it up to 2 (PC10); and they are no
        identifier in pieces (N 09 12), and no pixels."""
        found = WORD.findall(cell.casefold())
        # readers' labels, "staff 1", may be their identifiers with another hyphen
        in_pieces = self._in_pieces.get("".join(found), found) != found
        if in_pieces or max(MOST_NUMBERS, len(found) / 2) < sum(map(str.isdigit, found)):
            return False
        words = words_of(re.sub(r"(?<=\d)\.\d+", "", unquote(cell))) - self.vocabulary
        plain = {re.sub(r"(?<=[^\W\d])\d{1,2}$", "", word) for word in words} - self.vocabulary
        return not self.vocabulary or all(word.isdigit() and len(word) <= 4 for word in plain)

    @cached_property
    def _in_pieces(self) -> Mapping[str, list[str]]:
        words = (WORD.findall(name.casefold()) for name in self.identifiers if _distinct(name))
        return {"".join(one): one for one in words}

    @cached_property
    def _by_first_word(self) -> Mapping[str, set[tuple[str, str]]]:
        index = defaultdict(set)
        stems = {Path(name).stem for name in self.files}
        names = {(name, "identifier") for name in self.identifiers | stems if _distinct(name)}
        for name, kind in names | {(name, "file name") for name in self.files}:
            if first := WORD.search(name.casefold()):  # "#12-A" is found as "12-A"
                index[first[0]].add((name.casefold()[first.start() :], kind))
        return index


def words_of(text: str) -> set[str]:
    """The words of a text, in small letters."""
    return set(WORD.findall(text.casefold()))


def vocabulary(*told: object) -> Known:
    """The words of this package, and of config and model cards: with those of the study's tables all that a released table may say."""
    folder = Path(faceage_bio.__file__).parent
    sources = [path for path in folder.rglob("*") if path.suffix in {".py", ".yaml", ".tsv"}]
    own = " ".join(path.read_text(encoding="utf-8") for path in sources)
    return Known(vocabulary=words_of(own + json.dumps(told, ensure_ascii=False, default=str)))


def known_of_results(results: Path) -> Known:
    """From every table about single participants that a run wrote, and from the demo's own tables.

    Raises
    ------
    TableError
        A table about single participants that cannot be read: then it is not known whether its participants are in the outputs.
    """
    files = [path for path in sorted(Path(results).rglob("*")) if path.is_file() and path.suffix != ".txt"]
    kept = (path for path in files if path.relative_to(results).parts[0] not in NOT_OF_PEOPLE)
    return known_of_inputs(path for path in kept if not is_declared(str(path)))


def known_of_inputs(paths: Iterable[Path | str]) -> Known:
    """From tables (manifest, clinic, samples, readings ...), photos, and the photos in folders."""
    known = Known()
    for path in map(Path, paths):
        photos = path.rglob("*") if path.is_dir() else [path]
        known.files |= {one.name for one in photos if one.suffix.lower() in PHOTO_ENDINGS}
        if path.is_file() and path.suffix.lower() in {".parquet", ".tsv", ".csv", ".txt"}:
            known |= known_of_columns(_columns_of(path))
    return known


def _columns_of(path: Path) -> Mapping[str, pd.Series]:
    """Columns of a table that tell of participants or hold words or levels; of a table that tells of none its words alone."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        try:
            schema = pq.read_schema(path)
        except (OSError, ValueError) as error:
            raise TableError(
                f"{path}: cannot be read ({error}), so its participants cannot be looked for. Expected a table of a finished run. "
                "Run the workflow again, which writes it anew."
            ) from None
        told = [one.name for one in schema if identifying_kind(one.name) or str(one.type).endswith("string")]
        names = schema.names if len(schema) <= MATRIX else told
        columns = dict(pd.read_parquet(path, columns=names))
        return dict.fromkeys(schema.names, pd.Series(dtype=object)) | columns
    with open(path, encoding="utf-8-sig", errors="replace") as stream:
        header = stream.readline()
    tells = any(identifying_kind(name.strip().strip('"')) for name in re.split("[\t,;]", header))
    return dict(read_text_table(path)) if tells else {}


def known_of_columns(columns: Mapping[str, pd.Series]) -> Known:
    """From columns by name: those that tell of single participants, and the words and whole numbers of the others."""
    known = Known(vocabulary=words_of(" ".join(columns)))
    for name, column in columns.items():
        told = identifying_kind(name)
        cells = {str(value).strip() for value in column.dropna().unique()} - {""}
        cells |= set(map(as_typed, cells))  # tables that we wrote and that are read as plain text
        if told == "identifier":
            known.identifiers |= cells
        elif told == "file":
            names = {re.split(r"[/\\]", cell)[-1] for cell in cells}
            known.files |= {one for one in names if Path(one).suffix.lower() in PHOTO_ENDINGS}
        elif told == "date":
            days = {day for cell in cells for day in days_of_cell(cell)}
            known.dates |= days
            known.births |= days if re.search("birth|dob", name.lower()) else set()
        elif len(columns) <= MATRIX or column.dtype == object:
            known.vocabulary |= words_of(" ".join(cells))
    return known


def identifying_kind(name: str) -> str:
    """What a column's name tells that its cells are: "identifier", "file", "date" or "" for nothing of a single participant."""
    lower = name.strip().lower()
    if lower in FILES:
        return "file"
    if lower.startswith(NOT_PEOPLE):
        return ""
    return "identifier" if re.search(IDENTIFIERS, lower) else "date" if DATES.search(lower) else ""


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
    before, after = text[max(start - 2, 0) : start], text[end : end + 2]
    decimal = re.search(r"\d[.,]$", before) or re.match(r"[.,]\d", after)
    return after[:1].isalnum() or (name.isdigit() and decimal is not None)
