"""A folder with one file per sample, as counting programs write them: STAR, Genomic Data Commons,
featureCounts, HTSeq, RSEM, salmon.

A study has hundreds of files of 60,000 genes: each is read once, the columns that are needed alone, into one array.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from faceage_bio.core.errors import CountsError, TableError, examples
from faceage_bio.core.user_files import open_packed
from faceage_bio.intake.rna.count_formats import FEATURE_COUNTS_COLUMNS, Raw, is_feature_counts, sample_of

STAR_STRANDS = {"unstranded": 1, "forward": 2, "reverse": 3}
STAR = "ReadsPerGene.out.tab"
GDC = "augmented_star_gene_counts.tsv"  # of the Genomic Data Commons, since 2022
GDC_STRANDS = {"unstranded": "unstranded", "forward": "stranded_first", "reverse": "stranded_second"}
ESTIMATES = (("quant.genes.sf", "NumReads", "salmon"), (".genes.results", "expected_count", "RSEM"))
LEAST_READS = 100  # of a library, whose strands fewer would not tell
STRANDED_BELOW = 0.3  # of one strand's reads that the other has, below which a library is stranded
SHEET = "gdc_sample_sheet"
UTF8_MARK = b"\xef\xbb\xbf"

Read = tuple[pa.Array, list[np.ndarray]]  # genes as they are written, and columns of int64 or float64


def read_folder(path: Path, strand: str | None) -> Raw:
    """All samples of a folder.

    Raises
    ------
    CountsError
        No counts there, files of different genes, a cell that is no number: file, gene, line, column and value.
    """
    files = sorted(file for file in path.rglob("*") if file.is_file() and not file.name.startswith("."))
    if gdc := [file for file in files if _plain_name(file).endswith(GDC)]:
        return _gdc(path, gdc, files, strand)
    if star := [file for file in files if _plain_name(file).endswith(STAR)]:
        return _star(path, star, strand)
    for ending, column, program in ESTIMATES:
        if found := [file for file in files if file.name.endswith(ending)]:
            said = f"{len(found)} files of {program}, estimated counts"
            named = {file: _name(file, ending) for file in found}
            return _one_column(path, named, column, said, decimals=True)
    if any(file.name == "quant.sf" for file in files):
        raise CountsError(
            f"{path}: holds salmon's counts of transcripts (quant.sf), not of genes. Expected those of genes. Run salmon with --geneMap, which writes "
            "quant.genes.sf next to them, or give tximport's table of counts with `counts_kind: estimated`."
        )
    if any(file.name == "abundance.tsv" for file in files):
        raise CountsError(
            f"{path}: holds kallisto's counts of transcripts (abundance.tsv), not of genes. Expected those of genes. Give tximport's table of counts "
            "with `counts_kind: estimated`."
        )
    heads = _heads(files)
    if feature := [file for file in files if is_feature_counts(heads[file][0])]:
        table = _feature_counts(path, feature)
        return replace(table, said=table.said + _not_read(files, feature))
    if pairs := [file for file in files if _is_pair(heads[file])]:
        named = {file: _name(file) for file in pairs}
        said = f"{len(pairs)} files of two columns, gene and count, as of HTSeq"
        table = _one_column(path, named, 1, said)
        return replace(table, said=table.said + _not_read(files, pairs))
    raise CountsError(
        f"{path}: no counts found in this folder; it holds {examples([file.name for file in files]) or 'no file'}. Expected STAR's "
        f"*{STAR}, GDC's *{GDC}, featureCounts' tables, HTSeq's two columns, RSEM's *.genes.results or salmon's quant.genes.sf. Put one kind of them there."
    )


def _heads(files: Sequence[Path]) -> dict[Path, list[str]]:
    """The first lines of each file; [""] of one that cannot be read."""
    heads = {}
    for file in files:
        try:
            heads[file] = _head(file)
        except (OSError, TableError):
            heads[file] = [""]
    return heads


def _not_read(files: Sequence[Path], read: Sequence[Path]) -> list[str]:
    """A sentence on the files of a folder that are not of the kind that was read."""
    others = [file.name for file in files if file not in read]
    return [f"{len(others)} other file(s) not read: {examples(others)}"] if others else []


def _gdc(path: Path, gdc: list[Path], files: list[Path], strand: str | None) -> Raw:
    """Files of the Genomic Data Commons, named by the sample sheet if one lies next to them."""
    sheets = [file for file in files if file.name.startswith(SHEET)]
    named = {name: sample for sheet in sheets for name, sample in _samples_of_sheet(sheet).items()}
    names = {file: named.get(file.name, _plain_name(file).removesuffix(GDC).rstrip(".")) for file in gdc}
    by = "the sample sheet" if named else f"file, because no {SHEET}*.tsv lies next to them"
    column = GDC_STRANDS[strand or "unstranded"]
    said = f"{len(gdc)} files of the Genomic Data Commons, column {column}, named by {by}"
    return _one_column(path, names, column, said)


def _samples_of_sheet(sheet: Path) -> dict[str, str]:
    table = pd.read_csv(sheet, sep="\t", dtype=str, keep_default_na=False)
    if lacking := [name for name in ("File Name", "Sample ID") if name not in table]:
        raise CountsError(
            f"{sheet}: lacks the column(s) {', '.join(lacking)}; found {', '.join(table.columns)}. Expected both. Take the sheet as the portal gives it."
        )
    return dict(zip(table["File Name"], table["Sample ID"], strict=True))


def _star(path: Path, files: list[Path], strand: str | None) -> Raw:
    """STAR's three counts of each gene, of which one is meant."""
    wrong = [_name(file, STAR) for file in files if _head(file)[0].count("\t") != 3]
    if wrong:
        raise CountsError(
            f"{path}: {len(wrong)} file(s) of STAR do not have 4 columns: {examples(wrong)}. Expected a gene and three counts. Take them as STAR wrote them."
        )
    reads: dict[str, np.ndarray] = {}

    def rows() -> Iterator[tuple[Path, str, pa.Array, np.ndarray]]:
        for file in files:
            genes, columns = read_columns(file, [1, 2, 3])
            of_genes = np.array([not name.startswith("N_") for name in genes.to_pylist()])
            reads[_name(file, STAR)] = np.array([column[of_genes].sum(dtype=float) for column in columns[1:]])
            yield file, _name(file, STAR), genes, columns[STAR_STRANDS[strand or "unstranded"] - 1]

    table = _joined(path, rows(), len(files))
    forward, reverse = sum(reads.values())
    if strand is None:
        kinds = {name: kind for name, one in reads.items() if (kind := _strand_of(*one))}
        if len(set(kinds.values())) > 1:
            told = [f"{name} {kind}" for name, kind in kinds.items()]
            raise CountsError(
                f"{path}: STAR's files hold three counts per gene, and libraries differ in their strands: {examples(told)}. Expected one kind. Say "
                "`counts_strand: unstranded` to count all of them alike, or give those of one kind."
            )
        if (which := next(iter(kinds.values()), "unstranded")) != "unstranded":
            raise CountsError(
                f"{path}: STAR's files hold three counts per gene, and the library is stranded: {forward:.6g} reads forward, "
                f"{reverse:.6g} reverse. Expected one of them. Say `counts_strand: {which}`, or which of unstranded, forward, reverse counts."
            )
    strand = strand or "unstranded"
    said = f"{len(files)} files of STAR, {strand} counts ({forward:.6g} reads forward, {reverse:.6g} reverse)"
    return Raw(table, [said], files={_name(file, STAR): file for file in files}, column=STAR_STRANDS[strand])


def _strand_of(forward: float, reverse: float) -> str:
    """Of a library, by the reads of genes on either strand; "" where they are too few to tell."""
    low, high = sorted((forward, reverse))
    if low + high < LEAST_READS:
        return ""
    if low >= STRANDED_BELOW * high:
        return "unstranded"
    return "reverse" if reverse > forward else "forward"


def _feature_counts(path: Path, files: list[Path]) -> Raw:
    """Of featureCounts, each for one or several samples."""

    def rows() -> Iterator[tuple[Path, str, pa.Array, np.ndarray]]:
        for file in files:
            genes, columns = read_columns(file, samples := samples_of_feature_counts(file))
            for sample, values in zip(samples, columns, strict=True):
                named[sample_of(sample)] = file
                yield file, sample_of(sample), genes, values

    named: dict[str, Path] = {}
    n = sum(len(samples_of_feature_counts(file)) for file in files)
    table = _joined(path, rows(), n)
    return Raw(table, [f"{len(files)} files of featureCounts"], files=named)


def read_feature_counts(path: Path) -> Raw:
    """One table of featureCounts, with the samples' names in place of the paths of their BAM files."""
    return Raw(_feature_counts(path, [path]).table, ["featureCounts table"])


def samples_of_feature_counts(file: Path) -> list[str]:
    """The columns of a table of featureCounts that hold counts."""
    _, header = _header(_unpacked(file))
    return [name for name in header[1:] if name not in FEATURE_COUNTS_COLUMNS]


def _one_column(
    path: Path, names: dict[Path, str], column: str | int, said: str, *, decimals: bool = False
) -> Raw:
    """The same column of each file."""

    def rows() -> Iterator[tuple[Path, str, pa.Array, np.ndarray]]:
        for file, name in names.items():
            genes, (values,) = read_columns(file, [column])
            yield file, name, genes, values

    table = _joined(path, rows(), len(names))
    return Raw(table, [said], decimals, files={name: file for file, name in names.items()}, column=column)


def _joined(path: Path, rows: Iterable[tuple[Path, str, pa.Array, np.ndarray]], n: int) -> pd.DataFrame:
    """Genes x samples; files with other genes were counted with another annotation."""
    names, differing, first = [], [], None
    for place, (_, name, genes, values) in enumerate(rows):
        if first is None:
            first, index = genes, pd.Index(genes.to_pylist(), dtype=object)
            counts = np.empty((n, len(index)), dtype=np.int32)
        elif not genes.equals(first):
            order = pd.Index(genes.to_pylist(), dtype=object)
            unique = index.is_unique and order.is_unique
            if not (unique and len(order) == len(index) and order.isin(index).all()):
                differing.append(name)
                continue
            values = values[order.get_indexer(index)]
        # what is no 32-bit count (decimals, something missing, 1e19) is refused later, in sight of all of them
        if counts.dtype == np.int32 and not _fits(values):
            counts = counts.astype(np.float64)
        counts[place] = values
        names.append(name)
    if differing:
        raise CountsError(
            f"{path}: {len(differing)} file(s) do not have the genes of {names[0]!r}: {examples(differing)}. Expected the same in all. Give files counted with "
            "one annotation."
        )
    return pd.DataFrame(counts.T, index=index, columns=names)


def _fits(values: np.ndarray) -> bool:
    limits, ends = np.iinfo(np.int32), (values.min(initial=0), values.max(initial=0))
    return bool(values.dtype.kind == "i" and limits.min <= ends[0] and ends[1] <= limits.max)


def read_columns(file: Path, columns: Sequence[str | int]) -> Read:
    """The first column as text, and some others as numbers: by name where the file has a header, by place where it has none.

    Raises
    ------
    CountsError
        A column that is not there, a line of another length, a cell that is no number, with its gene, line,
        column and value.
    """
    content = _unpacked(file)
    if not content.strip():
        raise CountsError(
            f"{file}: the file is empty. Expected the counts of a sample. Copy it again, or take it out."
        )
    before, header = _header(content)
    named = isinstance(columns[0], str)
    if named and (lacking := [name for name in columns if name not in header]):
        raise CountsError(
            f"{file}: lacks the column {', '.join(lacking)}; found {', '.join(header)}. Expected it next to the genes. Take it as the program wrote it."
        )
    if not named and _number(header[-1]) is None:  # a header over a table that mostly has none
        before += 1
    names = header if named else [str(place) for place in range(len(header))]
    wanted = [names[0], *map(str, columns)]
    for numbers in (pa.int64(), pa.float64()):
        try:
            table = pyarrow.csv.read_csv(
                pa.BufferReader(content),
                pyarrow.csv.ReadOptions(use_threads=False, skip_rows=before + named, column_names=names, block_size=1 << 26),
                pyarrow.csv.ParseOptions(delimiter="\t", quote_char='"'),
                pyarrow.csv.ConvertOptions(
                    column_types={names[0]: pa.string()} | dict.fromkeys(wanted[1:], numbers),
                    include_columns=wanted, null_values=[""], strings_can_be_null=False,
                ),
            ).combine_chunks()  # fmt: skip
        except pa.ArrowInvalid as error:
            reason = str(error)
            continue
        genes, *values = (column.combine_chunks() for column in table.columns)
        return genes, [column.to_numpy(zero_copy_only=False) for column in values]
    raise CountsError(
        _fault(file, content, before + named, names, wanted[1:])
        or f"{file}: cannot be read ({reason}). Expected the counts of a sample. Take the file as the program wrote it."
    )


def _fault(file: Path, content: bytes, before: int, names: list[str], wanted: list[str]) -> str:
    """The first line of another length or cell that is no number."""
    lines = io.StringIO(content.decode("utf-8", errors="replace"), newline="")
    places = [names.index(name) for name in wanted]
    for line, cells in enumerate(csv.reader(lines, delimiter="\t"), 1):
        if line <= before or not cells:
            continue
        if len(cells) != len(names):
            return (
                f"{file}: line {line} ({cells[0]!r}) has {len(cells)} cells, the lines above it {len(names)}; the file may be cut off. Expected as many in each "
                "line. Copy or download it again."
            )
        for place in places:
            if cells[place] and _number(cells[place]) is None:
                return (
                    f"{file}: {cells[place]!r} for gene {cells[0]!r} (line {line}, column {names[place]!r}) is no number. Expected a count. Take the file as the "
                    "program wrote it."
                )
    return ""


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _unpacked(file: Path) -> bytes:
    with open_packed(file) as stream:
        return stream.read().removeprefix(UTF8_MARK)


def _header(content: bytes) -> tuple[int, list[str]]:
    """Lines of comments, and the cells of the first line below them."""
    before = 0
    start = 0
    while content.startswith(b"#", start):
        before += 1
        start = content.find(b"\n", start) + 1
        if not start:
            return before, [""]
    end = content.find(b"\n", start)
    first = content[start : end if end >= 0 else None].decode("utf-8", errors="replace").rstrip("\r")
    return before, next(csv.reader([first], delimiter="\t"), [""])


def _head(file: Path, n: int = 20) -> list[str]:
    """The first lines of a file, whatever they hold."""
    with open_packed(file) as stream:
        lines = [stream.readline(1 << 20) for _ in range(n)]
    return [line.decode("utf-8-sig", "replace").rstrip("\r\n") for line in lines if line] or [""]


def _is_pair(lines: list[str]) -> bool:
    """Gene and count, with or without a header."""
    cells = [line.split("\t") for line in lines]
    below = cells[1:]  # the first may be a header
    if any(len(row) != 2 for row in cells):
        return False
    counts = [gene for gene, count in below if _number(count) is not None]
    return 2 * len(counts) > len(below) and any(_number(gene) is None for gene in counts)


def _plain_name(file: Path) -> str:
    return file.name.removesuffix(".gz")


def _name(file: Path, ending: str = "") -> str:
    """A sample's name: what stands before the program's ending, or the folder if nothing does."""
    own = sample_of(_plain_name(file).removesuffix(ending)) if ending else sample_of(file.name)
    return own or file.parent.name
