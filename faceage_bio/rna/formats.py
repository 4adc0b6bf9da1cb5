"""How counting programs write: featureCounts, STAR, HTSeq, RSEM, salmon, h5ad and plain tables; nothing is checked here."""

import csv
import gzip
import re
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd

from faceage_bio.errors import CountsError, examples
from faceage_bio.tables import said_delimiter

STAR_STRANDS = {"unstranded": 1, "forward": 2, "reverse": 3}
STAR = "ReadsPerGene.out.tab"
GDC = "augmented_star_gene_counts.tsv"  # of the Genomic Data Commons, since 2022
GDC_STRANDS = {"unstranded": "unstranded", "forward": "stranded_first", "reverse": "stranded_second"}
STRANDED_BELOW = 0.3  # of one strand's reads that the other has, below which a library is stranded
DECIMAL_COMMA = re.compile(r"-?\d+,\d+$")
END_OF_FILE = "\x1a"  # of files from MS-DOS
FEATURE_COUNTS_COLUMNS = ["Chr", "Start", "End", "Strand", "Length"]
# what aligners append to the name of a sample
ENDINGS = re.compile(
    r"(\.gz|\.bam|\.sam|\.txt|\.tsv|\.tab|\.counts?|\.htseq|Aligned(\.\w+)*?\.out|[._]sorted\w*|[._]dedup\w*)$"
)


def first_line(path: Path) -> str:
    """The first line of a text file, packed or not."""
    with open_text(path) as stream:
        try:
            return stream.readline()
        except (UnicodeDecodeError, OSError, EOFError) as error:
            raise CountsError([
                f"{path}: not a text table ({error}). Expected raw counts. Give a TSV or CSV, an h5ad, or a folder of the counting program's files."
            ]) from None  # fmt: skip


def open_text(path: Path) -> TextIO:
    """A text file for reading, packed or not."""
    opened = gzip.open if path.suffix == ".gz" else open
    return opened(path, "rt", encoding="utf-8-sig")


def sample_of(name: str) -> str:
    """``/data/s1Aligned.sortedByCoord.out.bam`` -> ``s1``."""
    name = str(name).replace("\\", "/").rsplit("/", 1)[-1]
    while (shorter := ENDINGS.sub("", name)) != name and shorter:
        name = shorter
    return name.rstrip("._-")


def is_feature_counts(header: str) -> bool:
    """Whether a table is featureCounts' own, by its first line."""
    return header.startswith("# Program:featureCounts") or header.startswith("Geneid\tChr\tStart")


def read_feature_counts(path: Path) -> pd.DataFrame:
    """Its counts, with the samples' names in place of the paths of their BAM files."""
    table = pd.read_csv(path, sep="\t", comment="#", index_col=0, keep_default_na=False, na_values=[""])
    table = table.drop(columns=[name for name in FEATURE_COUNTS_COLUMNS if name in table])
    return table.rename(columns=sample_of)


def read_table(path: Path) -> pd.DataFrame:
    """A plain table with names in the first column, read as they are typed; the separator is told from the header.

    Raises
    ------
    CountsError
        A quote that is not closed in its line, rows without a name, no table at all; each with its lines.
    """
    lines_before, header, separator = _head(path)
    _check_quotes(path)
    names, *_ = [*csv.reader([header], delimiter=separator), []]
    first = [row for row in csv.reader(_lines(path, lines_before + 1, 50), delimiter=separator) if row]
    n_cells = max(map(len, first), default=len(names))
    if n_cells == len(names) + 1:  # R writes no name over the row names
        names = ["", *names]
    commas = separator == ";" and any(DECIMAL_COMMA.match(cell) for row in first for cell in row[1:])
    try:
        table = pd.read_csv(
            path, sep=separator, skiprows=lines_before + 1, header=None, dtype={0: str}, encoding="utf-8-sig", keep_default_na=False,
            na_values=[""], low_memory=False, decimal="," if commas else ".", skip_blank_lines=False,
        )  # fmt: skip
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    except (ValueError, UnicodeDecodeError) as error:
        raise CountsError(
            [
                f"{path}: cannot be read as a table ({str(error).strip()}). Expected genes in rows and samples in columns; save it as TSV or CSV."
            ]
        ) from None
    table.index += lines_before + 2
    table = table[~(table.isna().all(axis=1) | table[0].eq(END_OF_FILE))]
    if len(names) != table.shape[1]:
        raise CountsError([
            f"{path}: line {lines_before + 1} has {len(names)} names and the lines below {table.shape[1]} cells. Expected as many of both. Look for a stray separator."
        ])  # fmt: skip
    nameless = [f"line {line}" for line in table.index[table[0].isna()]]
    if nameless:
        raise CountsError([
            f"{path}: {len(nameless)} row(s) have no name of a gene: {examples(nameless)}. Expected one in the first column of each. Name them, or take the rows out."
        ])  # fmt: skip
    return table.set_axis(names, axis=1).set_index(names[0]).rename_axis(names[0] or None)


def _head(path: Path) -> tuple[int, str, str]:
    """Lines before the header, the header, and the separator, which a first line ``sep=;`` may say."""
    header = first_line(path).rstrip("\r\n")
    _, said = said_delimiter(header)
    if said:
        return 1, (_lines(path, 1, 1) or [""])[0], said
    return 0, header, max("\t,;", key=header.count) if "\t" not in header else "\t"


def _lines(path: Path, start: int, n: int) -> list[str]:
    with open_text(path) as stream:
        return [line.rstrip("\r\n") for line in islice(stream, start, start + n)]


def _check_quotes(path: Path) -> None:
    """No cell of counts goes over several lines: a quote that does has swallowed rows."""
    with open_text(path) as stream:
        open_lines = [f"line {number}" for number, line in enumerate(stream, 1) if line.count('"') % 2]
    if open_lines:
        raise CountsError([
            f'{path}: {len(open_lines)} line(s) hold a quote (") that is not closed: {examples(open_lines)}. Expected quotes in pairs. Take the stray quote out.'
        ])  # fmt: skip


def read_h5ad(path: Path) -> pd.DataFrame:
    """Samples of obs as columns; raw counts of ``layers["counts"]``, else of ``X``."""
    import anndata

    try:
        data = anndata.read_h5ad(path)
    except (OSError, KeyError, ValueError) as error:
        raise CountsError(
            [
                f"{path}: cannot be read as h5ad ({error}). Expected what anndata writes; write it again with adata.write_h5ad."
            ]
        ) from None
    values = data.layers.get("counts", data.X)
    if values is None:
        raise CountsError(
            [f"{path}: holds no values. Expected raw counts. Put raw counts into X or layers['counts']."]
        )
    values = values.toarray() if hasattr(values, "toarray") else np.asarray(values)
    return pd.DataFrame(values.T, index=data.var_names.astype(str), columns=data.obs_names.astype(str))


def read_folder(path: Path, strand: str | None) -> tuple[pd.DataFrame, list[str], bool]:
    """All samples of a folder, one file each; what it was recognised as; whether the counts have decimals."""
    files = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    gdc = [file for file in files if file.name.removesuffix(".gz").endswith(GDC)]
    if gdc:
        return _gdc(path, gdc, files, strand)
    star = [file for file in files if file.name.removesuffix(".gz").endswith(STAR)]
    if star:
        return _star(path, star, strand)
    for ending, column, program in (
        ("quant.genes.sf", "NumReads", "salmon"), (".genes.results", "expected_count", "RSEM"),
    ):  # fmt: skip
        found = [file for file in files if file.name.endswith(ending)]
        if found:
            tables = {_name(file, ending): _column(file, column) for file in found}
            return _joined(path, tables), [f"{len(found)} files of {program}, estimated counts"], True
    if any(file.name == "quant.sf" for file in files):
        raise CountsError([
            f"{path}: holds salmon's counts of transcripts (quant.sf), not of genes. Expected those of genes. Run salmon with --geneMap, which writes "
            "quant.genes.sf beside them, or give tximport's table of counts with `counts_kind: estimated`."
        ])  # fmt: skip
    feature = [file for file in files if _is_feature_counts(file)]
    if feature:
        parts = [read_feature_counts(file) for file in feature]
        tables = {name: part[name] for part in parts for name in part}
        return _joined(path, tables), [f"{len(feature)} files of featureCounts"], False
    pairs = {file: table for file in files if (table := _two_columns(file)) is not None}
    if pairs:
        tables = {_name(file): table for file, table in pairs.items()}
        return (
            _joined(path, tables),
            [f"{len(pairs)} files of two columns, gene and count, as of HTSeq"],
            False,
        )
    raise CountsError([
        f"{path}: no counts found in this folder; it holds {examples([file.name for file in files]) or 'no file'}. Expected STAR's "
        f"*{STAR}, GDC's *{GDC}, featureCounts' tables, HTSeq's two columns, RSEM's *.genes.results or salmon's quant.genes.sf. Put one kind of them there."
    ])  # fmt: skip


def _star(path: Path, files: list[Path], strand: str | None) -> tuple[pd.DataFrame, list[str], bool]:
    tables = {_name(file, STAR): pd.read_csv(file, sep="\t", header=None, index_col=0) for file in files}
    wrong = [name for name, table in tables.items() if table.shape[1] != 3]
    if wrong:
        raise CountsError([
            f"{path}: {len(wrong)} file(s) of STAR do not have 4 columns: {examples(wrong)}. Expected a gene and three counts. Take them as STAR wrote them."
        ])  # fmt: skip
    genes = [table[~table.index.str.startswith("N_")] for table in tables.values()]
    forward, reverse = (sum(float(table[place].sum()) for table in genes) for place in (2, 3))
    if strand is None:
        low, high = sorted((forward, reverse))
        if low < STRANDED_BELOW * high:
            which = "reverse" if reverse > forward else "forward"
            raise CountsError([
                f"{path}: STAR's files hold three counts per gene, and the library is stranded: {forward:.6g} reads forward, "
                f"{reverse:.6g} reverse. Expected one of them. Say `counts_strand: {which}`, or which of unstranded, forward, reverse counts."
            ])  # fmt: skip
        strand = "unstranded"
    column = STAR_STRANDS[strand]
    said = [
        f"{len(files)} files of STAR, {strand} counts ({forward:.6g} reads forward, {reverse:.6g} reverse)"
    ]
    return _joined(path, {name: table[column] for name, table in tables.items()}), said, False


def _gdc(
    path: Path, gdc: list[Path], files: list[Path], strand: str | None
) -> tuple[pd.DataFrame, list[str], bool]:
    """Files of the Genomic Data Commons, named by the sample sheet if one lies beside them."""
    sheets = [
        pd.read_csv(file, sep="\t", dtype=str) for file in files if file.name.startswith("gdc_sample_sheet")
    ]
    named = {
        name: sample
        for sheet in sheets
        for name, sample in zip(sheet["File Name"], sheet["Sample ID"], strict=True)
    }
    column = GDC_STRANDS[strand or "unstranded"]
    tables = {}
    for file in gdc:
        table = pd.read_csv(file, sep="\t", comment="#", index_col=0)
        tables[named.get(file.name, file.name.removesuffix(".gz").removesuffix(GDC).rstrip("."))] = table[
            column
        ]
    by = (
        "named by the sample sheet"
        if named
        else "named by file, because no gdc_sample_sheet*.tsv lies beside them"
    )
    return (
        _joined(path, tables),
        [f"{len(gdc)} files of the Genomic Data Commons, column {column}, {by}"],
        False,
    )


def _is_feature_counts(file: Path) -> bool:
    try:
        return is_feature_counts(first_line(file))
    except CountsError:
        return False


def _two_columns(file: Path) -> pd.Series | None:
    """Gene and count, with or without a header; None if the file is anything else."""
    try:
        lines = pd.read_csv(file, sep="\t", header=None, dtype=str, keep_default_na=False)
    except (ValueError, OSError, UnicodeDecodeError):
        return None
    if lines.shape[1] != 2 or len(lines) < 2:
        return None
    counts = pd.to_numeric(lines[1], errors="coerce")
    start = int(pd.isna(counts.iloc[0]))  # a header
    counts = counts[start:].set_axis(lines[0][start:])
    return (
        None
        if counts.isna().any() or pd.to_numeric(pd.Series(counts.index), errors="coerce").notna().all()
        else counts
    )


def _name(file: Path, ending: str = "") -> str:
    """A sample's name: what stands before the program's ending, or the folder if nothing does."""
    own = sample_of(file.name.removesuffix(".gz").removesuffix(ending)) if ending else sample_of(file.name)
    return own or file.parent.name


def _column(file: Path, column: str) -> pd.Series:
    table = pd.read_csv(file, sep="\t", index_col=0)
    if column not in table:
        raise CountsError(
            [
                f"{file}: lacks the column {column}; found {', '.join(map(str, table.columns))}. Expected it beside the genes. Take it as the program wrote it."
            ]
        )
    return table[column]


def _joined(path: Path, tables: dict[str, pd.Series]) -> pd.DataFrame:
    """One column per sample; files with other genes were counted with another annotation."""
    first, *others = tables.items()
    differing = [name for name, column in others if set(column.index) != set(first[1].index)]
    if differing:
        raise CountsError([
            f"{path}: {len(differing)} file(s) do not have the genes of {first[0]!r}: {examples(differing)}. Expected the same in all. Give files counted with "
            "one annotation."
        ])  # fmt: skip
    return pd.DataFrame(tables)
