"""Counts in one file: a plain table, or an h5ad with samples in obs; nothing is checked here."""

import csv
import re
import unicodedata
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.core.errors import CountsError, examples
from faceage_bio.core.tables import said_delimiter
from faceage_bio.core.user_files import check_hdf5, open_packed, open_text, why_no_text

NOT_UTF8 = re.compile("[\udc80-\udcff]")  # bytes as Python keeps them
DECIMAL_COMMA = re.compile(r"-?\d+,\d+$")
MOST_CELLS = 2**31  # values of a table of bulk RNA, 35,000 samples of 60,000 genes
SHOWN = 5  # lines of a gene that stands in several
END_OF_FILE = "\x1a"  # of files from MS-DOS
FEATURE_COUNTS_COLUMNS = ["Chr", "Start", "End", "Strand", "Length"]
# what aligners append to the name of a sample
ENDINGS = re.compile(
    r"(\.gz|\.bam|\.sam|\.txt|\.tsv|\.tab|\.counts?|\.htseq|Aligned(\.\w+)*?\.out|[._]sorted\w*|[._]dedup\w*)$"
)


@dataclass(frozen=True)
class Raw:
    """Counts as they stand (genes x samples), what the file was recognised as, and whether its format has decimals.

    ``files``: of a folder, the file of each sample; ``column``: which of the file's columns it is, by name or place.
    """

    table: pd.DataFrame
    said: list[str] = field(default_factory=list)
    decimals: bool = False
    files: dict[str, Path] = field(default_factory=dict)
    column: str | int = ""

    def place(self, path: Path, gene: str, sample: str = "") -> str:
        """Where a cell, or a gene's rows, stand: ``line 12, column 's1'``; "" if the file has no lines."""
        file = self.files.get(sample) or next(iter(self.files.values()), path)
        if file.suffix == ".h5ad":
            return ""
        for name, column in ((gene, self.column or sample), (sample, gene)):
            if lines := _lines_of(file, name):
                more = f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else ""
                told = f"line{'s' * (len(lines) > 1)} {', '.join(map(str, lines[:SHOWN]))}{more}"
                return f"{file.name + ', ' if self.files else ''}{told}{f', column {column!r}' if sample else ''}"
        return ""


def _lines_of(file: Path, name: str) -> list[int]:
    """The lines whose first cell is the name."""
    with open_text(file) as stream:
        return [
            number
            for number, line in enumerate(stream, 1)
            if name and as_named(re.split("[\t,;]", line, maxsplit=1)[0].strip('" \r\n')) == name
        ]


def first_line(path: Path) -> str:
    """The first line of a text file, packed or not."""
    with open_text(path) as stream:
        try:
            return stream.readline()
        except UnicodeDecodeError:
            raise CountsError(
                f"{path}: not a text table ({why_no_text(path)}). Expected raw counts. Give a TSV or CSV, an h5ad, or a folder of the counting program's files."
            ) from None


def sample_of(name: str) -> str:
    """``/data/s1Aligned.sortedByCoord.out.bam`` -> ``s1``."""
    name = str(name).replace("\\", "/").rsplit("/", 1)[-1]
    while (shorter := ENDINGS.sub("", name)) != name and shorter:
        name = shorter
    return name.rstrip("._-")


def is_feature_counts(header: str) -> bool:
    """Whether a table is featureCounts' own, by its first line."""
    return header.startswith("# Program:featureCounts") or header.startswith("Geneid\tChr\tStart")


def read_count_table(path: Path) -> pd.DataFrame:
    """A plain table with names in the first column, read as they are typed; the separator is told from the header.

    Raises
    ------
    CountsError
        A quote that is not closed in its line, rows without a name, no table at all; each with its lines.
    """
    lines_before, header, separator = _head(path)
    _check_lines(path)
    names, *_ = [*csv.reader([header], delimiter=separator), []]
    first = [*csv.reader(_lines(path, lines_before + 1, 50), delimiter=separator)]
    # by the first row the number of columns is told
    blanks = next((k for k, row in enumerate(first) if row), 0)
    names, surplus = _names_of(path, lines_before + 2, names, first)
    commas = separator == ";" and any(DECIMAL_COMMA.match(cell) for row in first for cell in row[1:])
    try:
        with open_packed(path) as stream:
            table = pd.read_csv(
                stream, sep=separator, skiprows=lines_before + 1 + blanks, header=None, dtype={0: str}, encoding="utf-8-sig", keep_default_na=False,
                na_values=[""], low_memory=False, decimal="," if commas else ".", skip_blank_lines=False,
                float_precision="round_trip",
            )  # fmt: skip
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    except (ValueError, UnicodeDecodeError) as error:
        raise CountsError(
            f"{path}: cannot be read as a table ({_uneven(str(error))}). Expected genes in rows and samples in columns; save it as TSV or CSV."
        ) from None
    table.index += lines_before + 2 + blanks
    if surplus and table.iloc[:, -1].isna().all():
        table = table.iloc[:, :-1]
    blank = table[0].eq(END_OF_FILE) | table[0].isna() & table.isna().all(axis=1)
    table = table[~blank] if blank.any() else table
    if len(names) != table.shape[1]:
        raise CountsError(
            f"{path}: line {lines_before + 1} has {len(names)} names and the lines below {table.shape[1]} cells. Expected as many of both. Look for a stray separator."
        )
    nameless = [f"line {line}" for line in table.index[table[0].isna()]]
    if nameless:
        raise CountsError(
            f"{path}: {len(nameless)} row(s) have no name of a gene: {examples(nameless)}. Expected one in the first column of each. Name them, or take the rows out."
        )
    genes = table.pop(0)  # in place: tables of counts are large
    top, *samples = map(as_named, names)
    table.columns, table.index = samples, pd.Index([*map(as_named, genes)], name=top or None)
    return table


def _uneven(error: str) -> str:
    """What pandas says of a line with more cells than those above it, without its own words."""
    if found := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", error):
        return "line {1}: {2} cells, and {0} in the lines above".format(*found.groups())
    return error.strip()


def as_named(cell: str) -> str:
    """A name as in all other tables: without blanks around it, an accent written one way."""
    return unicodedata.normalize("NFC", cell).strip()


def _names_of(path: Path, line: int, names: list[str], rows: list[list[str]]) -> tuple[list[str], bool]:
    """Names of all columns of rows that start at a line, and whether the rows end in a separator."""
    while len(names) > 1 and not names[-1]:
        names = names[:-1]
    cells = {line + k: len(row) for k, row in enumerate(rows) if row}
    usual = pd.Series(cells, dtype=int).mode().max()
    if odd := [f"line {number}: {n} cells" for number, n in cells.items() if n > max(usual, len(names))]:
        raise CountsError(
            f"{path}: {examples(odd)}, and the others {usual}. Expected as many cells in each line. Look for a stray separator."
        )
    if not cells or usual != len(names) + 1:
        return names, False
    surplus = not any(row[-1] for row in rows if len(row) == usual)
    return (names, True) if surplus else (["", *names], False)  # R writes no name over the row names


def _head(path: Path) -> tuple[int, str, str]:
    """Lines before the header, the header, and the separator, which a first line ``sep=;`` may say.

    A GCT (version 1.2, as of GTEx) has two lines before it, and the symbols in its column Description.
    """
    header = first_line(path).rstrip("\r\n")
    if header.strip() == "#1.2":
        named = "".join(_lines(path, 2, 1)).split("\t")
        return 2, "\t".join([*named[:1], "gene_name", *named[2:]]), "\t"
    _, said = said_delimiter(header)
    if said:
        return 1, (_lines(path, 1, 1) or [""])[0], said
    return 0, header, max("\t,;", key=header.count) if "\t" not in header else "\t"


def _lines(path: Path, start: int, n: int) -> list[str]:
    with open_text(path) as stream:
        return [line.rstrip("\r\n") for line in islice(stream, start, start + n)]


def _check_lines(path: Path) -> None:
    """No cell of counts goes over several lines: a quote that does has swallowed rows. No text holds bytes that are not UTF-8."""
    with open_text(path, "surrogateescape") as stream:
        open_lines, undecoded = [], []
        for number, line in enumerate(stream, 1):
            if line.count('"') % 2:
                open_lines.append(f"line {number}")
            if not line.isascii() and NOT_UTF8.search(line):
                undecoded.append(f"line {number}")
    if undecoded:
        raise CountsError(
            f"{path}: {len(undecoded)} line(s) are not UTF-8 text: {examples(undecoded)}. Expected raw counts. Save the table as UTF-8 text."
        )
    if open_lines:
        raise CountsError(
            f'{path}: {len(open_lines)} line(s) hold a quote (") that is not closed: {examples(open_lines)}. Expected quotes in pairs. Take the stray quote out.'
        )


def read_h5ad(path: Path) -> pd.DataFrame:
    """Samples of obs as columns; raw counts of ``layers["counts"]``, else of ``X`` or ``raw.X``, whichever has more genes.

    Where genes are named by identifiers and var holds symbols, these stand in a column gene_name.
    """
    import anndata

    from faceage_bio.intake.rna import gene_ids
    from faceage_bio.intake.rna.cells import symbols_in_var, whole_counts

    check_hdf5(path)
    try:
        data = anndata.read_h5ad(path)
    except (OSError, KeyError, ValueError) as error:
        raise CountsError(
            f"{path}: cannot be read as h5ad ({error}). Expected what anndata writes; write it again with adata.write_h5ad."
        ) from None
    places = {"layers/counts": (data.layers["counts"], data.var)} if "counts" in data.layers else {}
    if not places:
        parts = {"X": data, "raw/X": data.raw}
        held = {name: part for name, part in parts.items() if part is not None and part.X is not None}
        places = {name: (part.X, part.var) for name, part in held.items()}
    if not places:
        raise CountsError(
            f"{path}: holds no values. Expected raw counts. Put raw counts into X or layers['counts']."
        )
    if data.n_obs * data.n_vars > MOST_CELLS:
        raise CountsError(
            f"{path}: {data.n_obs:,} x {data.n_vars:,} values. Expected samples of bulk RNA in obs. Give single cells under `single_cell:`."
        )
    raw = [name for name, (values, _) in places.items() if whole_counts(values, path, name)]
    values, var = places[max(raw, key=lambda name: len(places[name][1])) if raw else next(iter(places))]
    values = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
    table = pd.DataFrame(values.T, index=var.index.astype(str), columns=data.obs_names.astype(str))
    if symbols := symbols_in_var(var):
        named = [symbols.get(name, "") for name in gene_ids.without_version(table.index)]
        table.insert(0, "gene_name", named)
    return table
