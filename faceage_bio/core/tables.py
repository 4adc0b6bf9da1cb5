"""Reading and writing tables: delimiter by content, atomic writing, files for the owner or the group."""

import csv
import hashlib
import io
import json
import os
import tempfile
import unicodedata
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from faceage_bio.core.columns import COHORT, DEFINITION, LEDGER_COLUMNS, MODEL_ID, PHOTO, SAMPLE, SUBJECT
from faceage_bio.core.errors import CohortError, FitError, RunError, TableError, examples, no_file
from faceage_bio.core.results.row import WORDS, is_result, restore, without_empty
from faceage_bio.core.user_files import harmless_table, open_packed, table_as_typed, why_no_text, zeros

KEYS = (COHORT, SUBJECT, PHOTO, SAMPLE)
ACCESS = "FACEAGE_BIO_ACCESS"  # the workflow sets it from results.access
OWNER_ONLY = 0o600  # keys and faces, whatever the config says
READABLE = 0o644  # what is about no participant: weights
# of everything in results: exact numbers, and rows about participants
MODES = {"owner": 0o600, "group": 0o640}
COLUMNS_AT_ONCE = 5000  # of Parquet, which needs their memory several times while it reads
SAMPLED = 20  # lines by which the separator is told
_watched: list[list[Path]] = []
_hiding: list[Callable[[str], bool]] = []
_reading: list[list[Path]] = []
MARKER = "LOCAL_ONLY.txt"
LOCAL = """This folder holds data on single participants, exact tables and pages, and logs that may name participants.
It stays on this machine. What may be handed to others is what `faceage-bio publish` writes, and nothing else.
"""


def read_text_table(path: Path | str, sheet: str | None = None, decimal: str | None = None) -> pd.DataFrame:
    """A TSV, CSV or workbook as text, exactly as typed, for checks that name file, line and value.

    Parameters
    ----------
    path : path
        UTF-8 text, tab, comma or semicolon separated (told from its lines), or .xlsx.
    sheet, decimal : of a workbook, `user_files.read_sheet`

    Returns
    -------
    DataFrame of str
        Empty cells are ``""``; the index is the line number in the file; attrs: "delimiter", and "header",
        the line of the column names.

    Raises
    ------
    TableError
        No file, neither text nor workbook, no header, a column without a name or twice, or rows of unequal length.
    """
    path = Path(path)
    note_reading(path)
    if why := no_file(path):
        raise TableError(
            f"{path}: {why}. Expected a table. Check the path; one in a config starts at the folder of the config."
        )
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        from faceage_bio.core.user_files import read_sheet  # openpyxl, which few tables need

        return _frame(*read_sheet(path, sheet, decimal or "."), "", path)
    try:
        with io.TextIOWrapper(open_packed(path), encoding="utf-8-sig") as stream:
            text = stream.read()
    except UnicodeDecodeError:
        raise TableError(
            f"{path}: not UTF-8 text ({why_no_text(path)}). Expected a text table or a workbook (.xlsx). Save it as CSV UTF-8, text with tabs, or .xlsx."
        ) from None
    except OSError as error:
        raise TableError(
            f"{path}: cannot be read ({error.strerror}). Expected a text table that you may read; check its rights and the path."
        ) from None
    return parse_text_table(text, path)


def parse_text_table(text: str, path: Path | str) -> pd.DataFrame:
    """What `read_text_table` makes of a file's text; ``path`` names it in messages."""
    if "\0" in text:
        raise zeros(path, text[: text.index("\0")].count("\n") + 1)
    # one way to write an accent; control-Z ended MS-DOS files
    text = unicodedata.normalize("NFC", text).rstrip("\n\r\x1a")
    before, delimiter = said_delimiter(text)
    if not delimiter:
        delimiter = delimiter_of(text.split("\n", SAMPLED)[:SAMPLED])
    csv.field_size_limit(max(len(text), 131_072))
    reader = csv.reader(io.StringIO(text[before:], newline=""), delimiter=delimiter)
    rows, lines, starts = [], [], []
    start = 1 + (before > 0)
    for row in reader:
        last = reader.line_num + (before > 0)
        if any(cell.strip() for cell in row):
            rows.append([cell.strip() for cell in row])
            lines.append(last)
            starts.append(start)
        start = last + 1
    if rows:
        _check_quotes(text[before:], rows, starts, lines, delimiter, path)
    return _frame(rows, lines, delimiter, path)


def _frame(rows: list[list[str]], lines: list[int], delimiter: str, path: Path | str) -> pd.DataFrame:
    """Rows below the first, under its names; empty columns and surplus empty cells, as spreadsheets leave them, are dropped."""
    remarks = next((k for k, row in enumerate(rows) if not row[0].startswith("#")), 0)
    if remarks > 1:  # of cBioPortal
        rows, lines = rows[remarks:], lines[remarks:]
    if not rows:
        raise TableError(
            f"{path}: the file is empty. Expected the column names in its first line. Save the table again."
        )
    header, n = rows[0], len(rows[0])
    body = [row[:n] if not any(row[n:]) else row for row in rows[1:]]
    numbered = zip(body, lines[1:], strict=True)
    ragged = [f"line {line}: {len(row)} cells" for row, line in numbered if len(row) != n]
    named = [name for name in header if name]
    if len(named) == 1 and header[0] and any(sum(map(bool, row)) > 1 for row in body):
        raise TableError(
            f"{path}: line {lines[0]} holds {named[0]!r} alone, as a title or comment does. Expected the names of all columns in the first line. "
            "Delete what stands above them."
        )
    if ragged:
        raise TableError(
            f"{path}: the header has {n} columns, but {'; '.join(ragged[:5])}. Expected as many cells in each line. Look for a stray separator or quote, or a title above the names."
        )
    kept = [k for k in range(n) if header[k] or any(row[k] for row in body)]
    # R writes row names under no name
    nameless = [str(k + 1) for k in kept if not header[k] and k > 0]
    if nameless:
        raise TableError(
            f"{path}: line {lines[0]} has no name for column {', '.join(nameless)}, which has cells below. Expected one line with a name for each column. "
            "Name them, and write names that go over several cells into each."
        )
    doubled = sorted({name for name in named if named.count(name) > 1})
    if doubled:
        raise TableError(
            f"{path}: line {lines[0]} names the column(s) {', '.join(map(repr, doubled))} more than once. Expected each once. Keep one of each."
        )
    columns = [header[k] for k in kept]
    body = [[row[k] for k in kept] for row in body] if len(kept) < n else body
    table = pd.DataFrame(body, columns=columns, index=pd.Index(lines[1:], name="line"), dtype=str)
    table.attrs = {"delimiter": delimiter, "header": lines[0]}
    return table


def said_delimiter(text: str) -> tuple[int, str]:
    """Length of a first line ``sep=;`` and the separator that it says; 0 and "" where there is none."""
    first, _, _ = text.partition("\n")
    said = first.strip()
    return (len(first) + 1, said[-1]) if said.lower().startswith("sep=") and len(said) == 5 else (0, "")


def delimiter_of(lines: Sequence[str]) -> str:
    """Tab, semicolon or comma: the one that parts the lines into the same number of cells, most of them;
    names, or a title above them, may hold the others.
    """

    def regularity(delimiter: str) -> tuple[bool, bool, bool, int]:
        cells = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        usual = max(cells, key=lambda n: (cells.count(n), n), default=0)
        return usual > 1, cells[:1] > [1], len(set(cells)) == 1, usual

    return max("\t;,", key=regularity)


def _check_quotes(
    text: str, rows: list[list[str]], starts: list[int], lines: list[int], delimiter: str, path: Path | str
) -> None:
    """A quote that opens and is not closed swallows the lines below it: what it holds looks like rows, or goes on to the end."""
    least = max(len(rows[0]) - 2, 1)
    swallowed = [
        f"line {start}"
        for row, start, end in zip(rows, starts, lines, strict=True)
        if end > start
        and any(line.count(delimiter) >= least for cell in row for line in cell.split("\n")[1:])
    ]
    if not swallowed and lines[-1] > starts[-1] and text.count('"') % 2:
        swallowed = [f"line {starts[-1]}"]
    if swallowed:
        raise TableError(
            f'{path}: a quote (") opens in {examples(swallowed)} and is not closed there, so the lines below it would be lost. Expected quotes in pairs. '
            "Close it, or take it out."
        )


def read_table(path: Path | str, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """A table written by one of our own stages (``.parquet`` or ``.tsv``), with its types; only these columns where they are given.

    Raises
    ------
    TableError
        No such file, another ending, or a file that is damaged.
    """
    path = Path(path)
    note_reading(path)
    if not path.exists():
        raise TableError(
            f"{path}: no such file. Expected what an earlier step writes. Run the workflow or that step first."
        )
    with _told_if_damaged(path):
        table = _read_own(path, columns)
        hidden = [name for name in table if any(hides(name) for hides in _hiding)]
        return table.drop(columns=hidden) if hidden else table


@contextmanager
def _told_if_damaged(path: Path) -> Iterator[None]:
    """A table that a full disk or a broken copy has cut off is told by name; what the system refuses is told by `cli.main`."""
    try:
        yield
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None):
            raise
        raise TableError(
            f"{path}: damaged or cut off ({str(error).strip().splitlines()[0]}). Expected a whole table. Delete it and run the workflow or its step again."
        ) from None


def _read_own(path: Path, columns: Sequence[str] | None) -> pd.DataFrame:
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        names = pq.read_schema(path).names if columns is None else columns
        some = [names[first : first + COLUMNS_AT_ONCE] for first in range(0, len(names), COLUMNS_AT_ONCE)]
        parts = []
        for wanted in some if len(some) > 1 else [columns]:
            parts.append(pd.read_parquet(path, columns=wanted))
            pa.default_memory_pool().release_unused()
        return parts[0] if len(parts) == 1 else pd.concat(parts, axis=1, copy=False)
    if path.suffix in {".tsv", ".csv"}:
        separator = "\t" if path.suffix == ".tsv" else ","
        # an empty cell is missing, but the words NA, null or None in a name are not; 007 is a name and not a number
        # round_trip: exact, and the only one that survives identifiers such as 12e45678901234567890
        head = pd.read_csv(path, sep=separator, nrows=0)
        words = (*KEYS, *(WORDS if is_result(head) else ()))
        if columns is not None:
            some = _read_columns(path, separator, [name for name in head if name in columns], words)
            return table_as_typed(some).reindex(columns=list(columns))
        table = pd.read_csv(
            path, sep=separator, keep_default_na=False, na_values=[""], dtype=dict.fromkeys(words, str),
            float_precision="round_trip", low_memory=False,
        )  # fmt: skip
        table = table_as_typed(table)
        return restore(table, str(path)) if is_result(table) else table
    raise TableError(f"{path}: expected a file ending in .parquet, .tsv or .csv. Save it as one of them.")


def _read_columns(path: Path, separator: str, columns: Sequence[str], words: Sequence[str]) -> pd.DataFrame:
    """Some columns with the cells that pandas reads, in a third of its time: genes of many cohorts are read so."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    read = arrow_csv.read_csv(
        path,
        read_options=arrow_csv.ReadOptions(use_threads=False),
        parse_options=arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            include_columns=list(columns), column_types=dict.fromkeys(words, pa.string()), strings_can_be_null=True, null_values=[""]
        ),
    )  # fmt: skip
    empty = [field.name for field in read.schema if pa.types.is_null(field.type)]
    return read.to_pandas().astype(dict.fromkeys(empty, float))


def identities(given: Iterable[Path]) -> pd.DataFrame:
    """Cohort, face-age model and definition of age acceleration of the participants whose tables are among
    the inputs of a command.
    """
    import pyarrow.parquet as pq

    found = []
    for path in given:
        names = pq.read_schema(path).names if path.suffix == ".parquet" and path.is_file() else []
        if {MODEL_ID, DEFINITION} <= set(names):
            found.append(pd.read_parquet(path, columns=[COHORT, MODEL_ID, DEFINITION]).drop_duplicates())
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def cohort_of(table: pd.DataFrame, otherwise: str = "") -> str:
    """The cohort's name, as the column of a table of one cohort says."""
    return str(table[COHORT].iloc[0]) if COHORT in table and len(table) else otherwise


def results_mode() -> int:
    """Who may read what a step writes: the owner, or the group too where results.access is "group"."""
    return MODES[os.environ.get(ACCESS, "owner")]


def write_table(table: pd.DataFrame, path: Path | str, *, mode: int | None = None) -> None:
    """Write ``.parquet`` or ``.tsv`` atomically, readable by whom `results_mode` says unless ``mode`` is given.

    Text that a spreadsheet would run is written as `user_files.harmless` says; `read_table` gives it as it was.

    Raises
    ------
    RunError
        A name with another ending.
    """
    path = Path(path)
    if path.suffix not in {".parquet", ".tsv"}:
        raise RunError(
            f"{path}: expected a name ending in .tsv, or .parquet, as which the table is written. Name the file so."
        )
    with atomic_path(path, mode=mode) as temporary:
        if path.suffix == ".parquet":
            table.to_parquet(temporary, index=False)
        else:
            told = without_empty(table) if is_result(table) else table
            harmless_table(told).to_csv(temporary, sep="\t", index=False, lineterminator="\n")


def write_bytes(content: bytes, path: Path | str, *, mode: int | None = None) -> None:
    """Write a file atomically."""
    with atomic_path(Path(path), mode=mode) as temporary:
        temporary.write_bytes(content)


def write_text(text: str, path: Path | str, *, mode: int | None = None) -> None:
    """Write UTF-8 text atomically."""
    write_bytes(text.encode("utf-8"), path, mode=mode)


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A zip of files by name, without times or owners: the same files give the same bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.external_attr, entry.compress_type, entry.create_system = (
                0o644 << 16,
                zipfile.ZIP_DEFLATED,
                3,
            )
            bundle.writestr(entry, content)
    return packed.getvalue()


def write_secret(text: str, path: Path) -> None:
    """Write a new file for its owner alone; one that another process has made meanwhile stays.

    Raises
    ------
    FileExistsError
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "w") as stream:
        stream.write(f"{text}\n")


def write_json(value: object, path: Path | str, *, mode: int | None = None) -> None:
    """Write indented JSON atomically."""
    write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", path, mode=mode)


def read_json(path: Path | str) -> dict:
    """Read a JSON file.

    Raises
    ------
    TableError
        No such file, or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TableError(
            f"{path}: no such file. Expected JSON that an earlier step wrote; check the path, or run that step."
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise TableError(
            f"{path}: not valid JSON ({error}). Expected what an earlier step wrote; delete it and run that step again."
        ) from None


@contextmanager
def atomic_path(path: Path, *, mode: int | None = None) -> Iterator[Path]:
    """A temporary path next to ``path`` that takes its place only if the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # created with mode 0600
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(results_mode() if mode is None else mode)
        temporary.replace(path)
        for written in _watched:
            written.append(path)
    except OSError as error:
        if error.filename in (None, name):  # libraries name no file, and ours is a temporary one
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def watch_writing() -> Iterator[list[Path]]:
    """A list to which each file written within the block is added."""
    written: list[Path] = []
    _watched.append(written)
    try:
        yield written
    finally:
        _watched.remove(written)


@contextmanager
def hiding(hides: Callable[[str], bool]) -> Iterator[None]:
    """Within the block, `read_table` gives tables without the columns for which this is true."""
    _hiding.append(hides)
    try:
        yield
    finally:
        _hiding.remove(hides)


def in_workflow() -> bool:
    """Whether the workflow started this command."""
    return ACCESS in os.environ


@contextmanager
def naming_tables() -> Iterator[None]:
    """Put the tables that were read within the block before a message about them that names none of them."""
    read: list[Path] = []
    _reading.append(read)
    try:
        yield
    except (TableError, CohortError, FitError) as error:
        package = Path(__file__).parents[1]  # whose own tables are not at fault
        names = [str(path) for path in dict.fromkeys(read) if not Path(path).is_relative_to(package)]
        if names and not any(name in str(error) for name in names):
            error.args = (f"{examples(names)}: {error}",)
        raise
    finally:
        _reading.remove(read)


def note_reading(path: Path) -> None:
    """Say that a table was read, which messages may name."""
    for read in _reading:
        read.append(path)


def to_records(table: pd.DataFrame) -> list[dict]:
    """The rows as dicts by column, as ``to_dict("records")`` gives them: fifty times as fast for a few rows of many columns."""
    names = list(table.columns)
    return [dict(zip(names, row, strict=True)) for row in table.to_numpy(dtype=object)]


def digest_of(content: object) -> str:
    """SHA-256 of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def sha256_of(path: Path | str) -> str:
    """Hexadecimal SHA-256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def ledger_rows(rows: Sequence[dict] | pd.DataFrame) -> pd.DataFrame:
    """Rows for the ledger with all its columns in order; what does not apply is ``""``."""
    table = pd.DataFrame(rows)
    return table.reindex(columns=list(LEDGER_COLUMNS)).fillna("").astype(str)


def read_ledger(path: Path | str) -> pd.DataFrame:
    """A ledger as text, so that identifiers such as 007 stay what they are."""
    return table_as_typed(pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False))


def mark_local(results: Path) -> None:
    """Say in the folder of a run that it stays where it is."""
    write_text(LOCAL, Path(results) / MARKER)
