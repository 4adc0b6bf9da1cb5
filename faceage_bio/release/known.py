"""Who is in the study: identifiers, file names and dates that must not be found in what is shared, and the words that may stand there.

How an identifier is looked for depends on how easily it is something else:

- letters and digits, at least 4 characters (``N091``), two words with a separator (``ward-b``), or at least 6 digits:
  anywhere in a text, as a whole word (``N0912`` is not ``N091``, and the digits of 0.123456 are no identifier), also with
  other separators or none (``N-091``); with a blank where no ordinary number follows it (``N 091``, ``n 0912``, and not ``n 114``);
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
from faceage_bio.core.user_files import as_typed, open_text
from faceage_bio.release.content import PHOTO, as_read
from faceage_bio.release.dates import days_in, days_of_cell, masked_day

IDENTIFIERS = r"(^|_)(id|ids|identifier|mrn|nhs|donor|subject|patient|photo|sample|specimen|case|reader|reviewer|barcode|library|(?:hospital|record|chart|accession)_(?:number|no))(_id|_name|_number)?$"
NOT_PEOPLE = ("gene", "variant", "ensembl", "transcript", "protein", "set", "term", "model", "definition")
FILES = {"path", "file", "filename", "file_name", "photo_path"}
DATES = re.compile(r"(^|_)(date|dates|birth|dob|birthday|datetime)($|_)")
# folders of results without tables about single participants
NOT_OF_PEOPLE = {"model", "logs", "reports", "share"}
MOST_NUMBERS = 8  # in a cell of words
MATRIX = 200  # columns: a table of more is one of genes, in whose numbers no level stands
WORD = re.compile(r"[^\W_]+")
WORD_OR_NUMBER = re.compile(r"\d+(?:[.,]\d+)+(?![^\W_])|[^\W_]+")
# within an identifier; ordinary numbers behind a blank have no zero before them and fewer digits
SEPARATOR = re.compile(r"[-_/\u2010-\u2015]| (?=0\d|\d{4})")
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
        n, plain = len(self.identifiers), sum(not _distinct(name) for name in self.identifiers)
        said = f"{n} identifiers, {len(self.files)} file names, {len(self.dates)} dates"
        found = f"{n - plain} of {n} identifiers could be looked for in texts (others are too short or plain)"
        return f"{said}; {found}; whole cells of tables were compared" if plain else said

    def in_text(self, text: str) -> Iterator[tuple[int, str, str]]:
        """Where (in the text `as_read`), which kind, and which: identifiers and file names that stand in a text as whole words, and dates."""
        text = as_read(text)
        lower = text.casefold()
        begun: list[tuple[int, str]] = []
        for word in WORD_OR_NUMBER.finditer(lower):
            longer = [(start, letters + word[0]) for start, letters in [*begun, (word.start(), "")]]
            begun = [(start, letters) for start, letters in longer if letters in self._by_letters]
            for start, letters in begun:
                for name, kind in self._by_letters[letters]:
                    if _is_written(name, lower[start : word.end()]):
                        yield start, kind, text[start : word.end()]
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
        found = WORD.findall(as_read(cell).casefold())
        # readers' labels, "staff 1", may be their identifiers with another hyphen
        others = [name for name, _ in self._by_letters.get("".join(found), ()) if WORD.findall(name) != found]
        if others or max(MOST_NUMBERS, len(found) / 2) < sum(map(str.isdigit, found)):
            return False
        words = words_of(re.sub(r"(?<=\d)\.\d+", "", unquote(cell))) - self.vocabulary
        plain = {re.sub(r"(?<=[^\W\d])\d{1,2}$", "", word) for word in words} - self.vocabulary
        return not self.vocabulary or all(word.isdigit() and len(word) <= 4 for word in plain)

    @cached_property
    def _by_letters(self) -> Mapping[str, set[tuple[str, str]]]:
        """What is looked for in texts, and its kind, by its letters and digits alone; none by what they begin with."""
        index: dict[str, set[tuple[str, str]]] = defaultdict(set)
        stems = {Path(name).stem for name in self.files}
        names = {(name, "identifier") for name in self.identifiers | stems if _distinct(name)}
        for name, kind in names | {(name, "file name") for name in self.files}:
            lower = as_read(name).casefold()
            letters = "".join(WORD_OR_NUMBER.findall(lower))
            for end in range(1, len(letters)):
                index[letters[:end]]
            index[letters].add((re.sub(r"^[\W_]+", "", lower), kind))  # "#12-A" is found as "12-A"
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
        known.files |= {one.name for one in photos if re.search(f"{PHOTO}$", one.name)}
        if path.is_file() and re.search(r"\.(parquet|xls[xm]|(tsv|csv|txt)(\.b?gz)?)$", path.name.lower()):
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
        columns = dict(pd.read_parquet(path, columns=schema.names if len(schema) <= MATRIX else told))
        return dict.fromkeys(schema.names, pd.Series(dtype=object)) | columns
    with open_text(path) as stream:
        names = re.split("[\t,;\n]", stream.read(1 << 16))  # remarks may stand above them
    tells = any(identifying_kind(name.strip().strip('"')) for name in names)
    return dict(read_text_table(path)) if tells or path.suffix[:4].lower() == ".xls" else {}


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
            known.files |= {re.split(r"[/\\]", cell)[-1] for cell in cells if re.search(f"{PHOTO}$", cell)}
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


def _is_written(name: str, shown: str) -> bool:
    """Whether words of a text are a name, with its separators, others or none; digits alone with its own: 101-120 is a range."""
    letters = SEPARATOR.sub("", shown)
    return shown == name or (letters.isalnum() and not letters.isdigit())
