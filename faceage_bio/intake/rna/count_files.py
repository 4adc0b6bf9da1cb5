"""RNA counts from whatever file the sequencing facility sent, in one form: genes x samples, symbols where they are known."""

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

import faceage_bio
from faceage_bio.core.errors import CountsError, examples
from faceage_bio.core.parse import to_numbers
from faceage_bio.core.tables import read_table, sha256_of, write_table
from faceage_bio.intake.rna import count_formats, gene_ids, sample_files
from faceage_bio.intake.rna.count_formats import Raw
from faceage_bio.intake.rna.raw import problems_of_values

SUMMARY_ROWS = (
    "__no_feature", "__ambiguous", "__too_low_aQual", "__not_aligned", "__alignment_not_unique",
    "N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous",
)  # fmt: skip
ANNOTATION = {
    "gene_name", "gene_symbol", "symbol", "gene_id", "geneid", "ensembl_id", "gene_biotype", "gene_type", "biotype", "description",
    "chr", "chromosome", "start", "end", "strand", "length", "transcript_id(s)",
}  # fmt: skip
SYMBOL_COLUMNS = ("gene_name", "gene_symbol", "symbol")
EXAMPLES = 5
GENE, GENE_ID = "gene", "gene_id"  # columns of the checked table before its samples
WORTH_KEEPING = 16 * 2**20  # bytes; less is read in a second
ATTRIBUTES = b"PANDAS_ATTRS"  # where pandas keeps `DataFrame.attrs` in parquet


@dataclass(frozen=True)
class CountTable:
    """Raw counts (genes x samples, whole numbers of 32 bits if they fit) and what was recognised, summed or left out, in sentences.

    ``identifiers``: of genes that got a symbol, the identifiers that the file has them by, joined by a blank
    where they are several.
    """

    counts: pd.DataFrame
    said: list[str] = field(default_factory=list)
    identifiers: pd.Series = field(default_factory=lambda: pd.Series(dtype=object))

    def to_table(self) -> pd.DataFrame:
        """One row per gene: gene, gene_id (if any gene has one), samples."""
        table = self.counts.reset_index()
        if len(self.identifiers):
            table.insert(1, GENE_ID, table[GENE].map(self.identifiers))
        return table

    @classmethod
    def from_table(cls, table: pd.DataFrame, said: Sequence[str] = ()) -> "CountTable":
        """What `to_table` gave."""
        counts = table.set_index(GENE)
        identifiers = counts.pop(GENE_ID).dropna() if GENE_ID in counts else pd.Series(dtype=object)
        return cls(counts, list(said), identifiers)


def read_counts(
    path: Path | str,
    *,
    kind: str = "counts",
    strand: str | None = None,
    mapping: Path | str | None = None,
    samples: Sequence[str] = (),
) -> CountTable:
    """Read raw counts and check that they are raw and human.

    Parameters
    ----------
    path : path
        A table (TSV or CSV, genes x samples or samples x genes, ``.gz`` too), a featureCounts table, an h5ad
        with samples in obs, or a folder of STAR ``ReadsPerGene.out.tab``, HTSeq, RSEM ``genes.results`` or
        salmon ``quant.genes.sf`` files.
    kind : "counts" or "estimated"
        Estimated counts (salmon, RSEM, tximport) have decimals and are rounded; raw counts have none.
    strand : "unstranded", "forward", "reverse"
        Which column of STAR's files counts; needed for them alone.
    mapping : path, optional
        GTF or table from identifier to symbol (`gene_ids.read_mapping`).
    samples : names of samples, optional
        If given, the axis that holds them is the samples'.

    Returns
    -------
    CountTable
        Rows of one gene (versions, PAR_Y, several identifiers of a symbol) are summed.

    Raises
    ------
    CountsError
        Every problem found: file, gene, sample, value and what to do.
    """
    path = Path(path)
    if not path.exists():
        raise CountsError(
            f"{path}: no such file. Expected raw counts. Check the path; `counts:` of a config starts at the folder of the config."
        )
    symbols = gene_ids.read_mapping(mapping) if mapping else {}
    raw = _read(path, strand)
    estimated = kind == "estimated" or raw.decimals
    table, found = _as_numbers(raw, path, symbols, samples)
    said = raw.said + found
    summaries = [name for name in SUMMARY_ROWS if name in table.index]
    if summaries:
        said.append(_summaries(table, summaries))
        table = table.drop(index=summaries)

    place = partial(raw.place, path)
    problems = _problems_of_names(table, path, place)
    problems += problems_of_values(table, path, estimated=estimated, place=place)
    if problems:
        raise CountsError(*problems)
    whole = table if table.dtypes.iloc[0] == np.int32 else _compact(table.round().astype("int64"))
    return CountTable(*_by_symbol(whole, symbols, said))


def _read(path: Path, strand: str | None) -> Raw:
    """The table as it stands in the file, and what it was recognised as."""
    if path.is_dir():
        return sample_files.read_folder(path, strand)
    if path.suffix == ".h5ad":
        return Raw(count_formats.read_h5ad(path), ["h5ad, samples in obs"])
    header = count_formats.first_line(path)
    if count_formats.is_feature_counts(header):
        return sample_files.read_feature_counts(path)
    table = count_formats.read_count_table(path)
    first = [str(name or "").lower() for name in (table.index.name, *table.columns[:1])]
    if first == ["gene_id", "gene_name"]:
        return Raw(table, ["table of nf-core/rnaseq, estimated counts"], decimals=True)
    return Raw(table)


def _as_numbers(
    raw: Raw, path: Path, symbols: dict[str, str], samples: Sequence[str]
) -> tuple[pd.DataFrame, list[str]]:
    """Genes in rows, only numbers; annotation columns left out, symbols among them taken into ``symbols``."""
    said, table = [], raw.table
    if table.shape[0] == 0 or table.shape[1] == 0:
        raise CountsError(
            f"{path}: no counts found. Expected genes in rows, samples in columns, gene names in the first column. Give such a table."
        )
    table.index, table.columns = table.index.astype(str), table.columns.astype(str)
    if _samples_in_rows(table, samples):
        table, said = table.T, ["samples in rows, genes in columns: turned"]
    annotation = [name for name in table if name.lower() in ANNOTATION]
    for name in annotation:
        if name.lower() in SYMBOL_COLUMNS:
            named = table[name].set_axis(gene_ids.without_version(table.index))
            found = named[gene_ids.name_genes(named)].astype(str).to_dict()
            symbols |= {key: value for key, value in found.items() if key not in symbols}
    if annotation:
        said.append(f"annotation column(s) excluded: {', '.join(annotation)}")
        table = table.drop(columns=annotation)
    kinds = zip(table, table.dtypes, strict=True)
    if words := [name for name, kind in kinds if not pd.api.types.is_numeric_dtype(kind)]:
        raise CountsError(
            f"{path}: {len(words)} column(s) hold words, not counts: {examples([_word_in(table[name], path, raw) for name in words])}. Expected numbers next to the genes. Correct the cells, and leave annotation columns out."
        )
    return _compact(table), said


def _word_in(column: pd.Series, path: Path, raw: Raw) -> str:
    """The first cell of a column that is no number: ``'n/a' of gene 'CDK6' in 's1' (line 2, column 's1')``."""
    read = column.map(lambda cell: cell.strip() if isinstance(cell, str) else cell)
    wrong = column[to_numbers(read).isna()]
    if wrong.empty:
        return repr(column.name)
    gene, value = str(wrong.index[0]), wrong.iloc[0]
    return f"{value!r} of gene {gene!r} in {column.name!r} ({raw.place(path, gene, str(column.name))})"


def _compact(table: pd.DataFrame) -> pd.DataFrame:
    """The same numbers of 32 bits, in one block, if they are whole and fit."""
    kinds = set(table.dtypes)
    if kinds == {np.dtype(np.int32)} or any(kind.kind != "i" for kind in kinds) or not table.size:
        return table
    limits = np.iinfo(np.int32)
    if any(column.min() < limits.min or column.max() > limits.max for _, column in table.items()):
        return table
    values = np.empty(table.shape[::-1], dtype=np.int32)
    for place in range(table.shape[1]):
        values[place] = table.iloc[:, place]
    return pd.DataFrame(values.T, index=table.index, columns=table.columns)


def _samples_in_rows(table: pd.DataFrame, samples: Sequence[str]) -> bool:
    wanted = set(map(str, samples))
    if wanted:
        in_rows, in_columns = (sum(name in wanted for name in axis) for axis in (table.index, table.columns))
        return in_rows > in_columns
    in_rows, in_columns = (
        len(axis) * gene_ids.share_known(gene_ids.to_symbols(axis)) for axis in (table.index, table.columns)
    )
    return in_columns > in_rows


def _summaries(table: pd.DataFrame, names: Sequence[str]) -> str:
    """What the program could not give to a gene, as a share of all reads of the file."""
    share = table.loc[names].to_numpy().sum() / max(table.to_numpy().sum(), 1)
    return f"{len(names)} summary row(s) excluded ({', '.join(names)}; {share:.0%} of all)"


def _problems_of_names(table: pd.DataFrame, path: Path, place: Callable[..., str]) -> list[str]:
    problems = []
    if doubled := table.columns[table.columns.duplicated()].unique().tolist():
        problems.append(
            f"{path}: {len(doubled)} sample(s) have more than one column: {examples(doubled)}. Expected one of each. Give each sample a name of its own."
        )
    if twice := table.index[table.index.duplicated()].unique().tolist():
        problems.append(
            f"{path}: {len(twice)} gene(s) stand in more than one row: {_with_lines(twice, place)}. Expected one of each. Sum them, or keep one."
        )
    if species := gene_ids.problem_of_species(table.index):
        problems.append(f"{path}: {species}")
    if dates := gene_ids.turned_into_dates(table.index):
        problems.append(
            f"{path}: {len(dates)} gene name(s) were turned into dates by a spreadsheet: {_with_lines(dates, place)}. Expected names of genes. Take the table as it "
            "came from the counting program."
        )
    return problems


def _with_lines(genes: Sequence[str], place: Callable[..., str]) -> str:
    """Some genes, each with its lines in the file: ``1-Mar (line 3)``."""
    shown = [f"{gene} ({told})" if (told := place(gene)) else gene for gene in genes[:EXAMPLES]]
    return examples([*shown, *genes[EXAMPLES:]], EXAMPLES)


def _by_symbol(
    counts: pd.DataFrame, symbols: dict[str, str], said: list[str]
) -> tuple[pd.DataFrame, list[str], pd.Series]:
    plain = gene_ids.without_version(counts.index)
    named = gene_ids.to_symbols(counts.index, symbols)
    if (n_versions := int(np.sum(plain != counts.index))) > 0:
        said.append(f"version or PAR_Y suffix of {n_versions} identifier(s) removed")
    # an older symbol is no identifier
    is_identifier = [name in symbols or bool(gene_ids.IDENTIFIER.match(name)) for name in plain]
    given = (named != plain) & np.array(is_identifier, dtype=bool)
    by_symbol = pd.Series(plain[given], index=named[given], dtype=object).groupby(level=0, sort=False)
    identifiers = by_symbol.agg(lambda ids: " ".join(dict.fromkeys(ids)))
    if (n_renamed := int(np.sum(named != plain))) > 0:
        said.append(f"{n_renamed} identifier(s) turned into symbols")
    if n_doubled := int(named.duplicated().sum()):
        said.append(f"{n_doubled} row(s) added to another of the same gene")
    counts = _added(counts, named)
    said.append(gene_ids.said_known(counts.index))
    return counts.rename_axis(GENE), said, identifiers.rename_axis(GENE)


def _added(counts: pd.DataFrame, named: pd.Index) -> pd.DataFrame:
    """Rows of one name added to the first of them."""
    further = named.duplicated()
    if not further.any():
        return pd.DataFrame(counts.to_numpy(), index=named, columns=counts.columns)
    places, names = pd.factorize(named)
    values = counts.to_numpy()
    sums = values[~further].astype(np.int64)
    np.add.at(sums, places[further], values[further])
    return _compact(pd.DataFrame(sums, index=names, columns=counts.columns))


def read_counts_once(
    path: Path | str,
    kept: Path | None,
    *,
    kind: str = "counts",
    strand: str | None = None,
    mapping: Path | str | None = None,
    samples: Sequence[str] = (),
) -> CountTable:
    """What `read_counts` gives, from a table kept of the same content, options and version if there is one.

    Parameters
    ----------
    kept : .parquet for the owner of the results, written where the counts are large and replaced where they
        changed; None: keep
        nothing
    """
    options = {"kind": kind, "strand": strand, "mapping": mapping, "samples": samples}
    files = _files_of(Path(path))
    if kept is None or sum(file.stat().st_size for file in files) < WORTH_KEEPING:
        return read_counts(path, **options)
    key = _key(Path(path), files, options)
    if _key_of(kept) == key:
        table = read_table(kept)
        return CountTable.from_table(table, table.attrs["said"])
    found = read_counts(path, **options)
    table = found.to_table()
    table.attrs = {"key": key, "said": found.said}
    with suppress(OSError):  # a full disk is told by who must write
        write_table(table, kept)
    return found


def _files_of(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    return [path] * path.is_file()


def _key(path: Path, files: Sequence[Path], options: dict) -> str:
    """Changes with the bytes and names of the files, the options and our version."""
    names = [str(file.relative_to(path)) if path.is_dir() else file.name for file in files]
    content = [*zip(names, map(sha256_of, files), strict=True)]
    mapping = options["mapping"]
    digest = sha256_of(mapping) if mapping and Path(mapping).is_file() else ""
    given = options | {"mapping": digest, "samples": list(options["samples"])}
    told = [faceage_bio.__version__, content, given]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode("utf-8", "surrogateescape")).hexdigest()


def _key_of(kept: Path) -> str:
    """Of what is kept; "" if nothing is, or it is damaged."""
    try:
        known = pyarrow.parquet.read_schema(kept).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return ""
    return json.loads(known.get(ATTRIBUTES, b"{}")).get("key", "")
