"""Names of genes: Ensembl identifiers and symbols to one form, and names of another species told by name."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import pandas as pd

from faceage_bio.core.errors import TableError, examples, no_file
from faceage_bio.core.parse import is_missing
from faceage_bio.core.tables import read_text_table
from faceage_bio.core.user_files import open_text

ENSEMBL = re.compile(r"^(ENS[A-Z]*G\d{11})(?:\.\d+)?(?:_PAR_Y)?$")
OTHER_SPECIES = {
    "ENSMUSG": "mouse", "ENSRNOG": "rat", "ENSDARG": "zebrafish", "ENSGALG": "chicken", "ENSSSCG": "pig", "ENSMMUG": "macaque",
}  # fmt: skip
MONTHS = "jan|feb|fev|mar|mär|mrz|mars|marzo|mrt|apr|avr|abr|may|mai|mag|mei|jun|jul|aug|aoû|ago|sep|sept|set|oct|okt|ott|nov|dec|dez|déc|dic"  # of English, German, French, Spanish, Italian, Dutch spreadsheets
DATES = re.compile(
    rf"^(?:\d{{1,2}}[-./ ]+[^\W\d_]{{3,}}\.?|\d{{1,2}} ?[月월] ?\d{{1,2}} ?[日일]|(?:{MONTHS})[a-z]*\.?[-/ ]+\d{{1,4}}|\d{{4}}-\d{{2}}-\d{{2}}(?:[ T][\d:]+)?|\d{{1,2}}([./])\d{{1,2}}\1\d{{2,4}})$",
    re.IGNORECASE,
)
SCIENTIFIC = re.compile(r"^\d(?:[.,]\d+)?E\+\d+$", re.IGNORECASE)  # 2310009E13 as a spreadsheet shows it
SERIAL = re.compile(r"^(?:3[6-9]|4\d|5[0-5])\d{3}(?:\.0)?$")  # days since 1900 of the years 1998 to 2053
IDENTIFIER = re.compile(r"^ENS[A-Z]*G\d{11}|^\d+(?:\.0)?$|\|\d+$")
ENTREZ = re.compile(r"^(\d+)(?:\.0)?$")
WITH_ENTREZ = re.compile(r"^([^|]*)\|(\d+)$")  # CDK6|1021, as TCGA's older tables
SYMBOLS = ("symbol", "gene_name", "gene_symbol")  # columns of a mapping
IDENTIFIERS = ("gene_id", "ensembl_id", "ensembl_gene_id", "geneid")
SHORTEST_ALIAS = 3  # NA, an older name of XK, is too short to be told apart
LEAST_SHARE = 0.5  # of the names that must look like mouse symbols before a table is called so


@cache
def human_genes() -> pd.DataFrame:
    """The shipped table of human genes: symbol, entrez_id, ensembl_ids, aliases (scripts/build_human_genes.py)."""
    with resources.as_file(resources.files("faceage_bio.intake.rna").joinpath("human_genes.tsv.gz")) as path:
        return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)


@dataclass(frozen=True)
class _Names:
    """Symbols by each other name that means one gene alone."""

    symbols: frozenset[str]
    by_ensembl: dict[str, str]
    by_entrez: dict[str, str]
    by_alias: dict[str, str]


@cache
def _names() -> _Names:
    genes = human_genes()
    symbols = frozenset(genes.symbol)
    return _Names(
        symbols,
        _of_one_gene((name, gene.symbol) for gene in genes.itertuples() for name in gene.ensembl_ids.split()),
        dict(zip(genes.entrez_id, genes.symbol, strict=True)),
        _of_one_gene(
            (name, gene.symbol)
            for gene in genes.itertuples()
            for name in gene.aliases.split()
            if name not in symbols and len(name) >= SHORTEST_ALIAS
        ),
    )


def _of_one_gene(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Names that stand for one gene; ambiguous ones mean none."""
    found: dict[str, set[str]] = {}
    for name, symbol in pairs:
        found.setdefault(name, set()).add(symbol)
    return {name: next(iter(symbols)) for name, symbols in found.items() if len(symbols) == 1}


def ensembl_of(symbols: Iterable[str]) -> dict[str, str]:
    """The Ensembl identifier of each symbol that has one alone."""
    wanted = set(symbols)
    genes = human_genes()
    rows = genes[genes.symbol.isin(wanted) & (genes.ensembl_ids != "") & ~genes.ensembl_ids.str.contains(" ")]
    return dict(zip(rows.symbol, rows.ensembl_ids, strict=True))


def without_version(names: Sequence[str]) -> pd.Index:
    """``ENSG00000105810.12`` and ``ENSG00000105810.12_PAR_Y`` become ``ENSG00000105810``; symbols stay."""
    return pd.Index([match[1] if (match := ENSEMBL.match(name)) else name for name in map(str, names)])


def are_entrez(names: Sequence[str]) -> bool:
    """Whether names are Entrez identifiers: numbers, most of which are genes'."""
    numbers = [match[1] for name in names if (match := ENTREZ.match(str(name)))]
    if set(map(int, numbers)) in ({*range(len(names))}, {*range(1, len(names) + 1)}):  # numbers of rows
        return False
    known = sum(number in _names().by_entrez for number in numbers)
    return len(numbers) > LEAST_SHARE * len(names) and known > LEAST_SHARE * len(numbers)


def to_symbols(names: Sequence[str], mapping: dict[str, str] | None = None) -> pd.Index:
    """Symbols of genes: by ``mapping`` first, then by the shipped table; others stay.

    Ensembl and Entrez identifiers, ``SYMBOL|entrez`` and older symbols are known. An older symbol is only
    another name if it means one gene alone, most of its symbols are human genes', and it does not have the
    current one too.
    """
    plain, known, mapping = without_version(names), _names(), mapping or {}
    present = set(plain) | set(mapping.values())
    entrez = are_entrez(plain)
    words = [name for name in plain if name not in mapping and not IDENTIFIER.search(name)]
    human = sum(name in known.symbols or name in known.by_alias for name in words) > LEAST_SHARE * len(words)

    def symbol_of(name: str) -> str:
        if mapping.get(name):
            return mapping[name]
        if name in known.by_ensembl:
            return known.by_ensembl[name]
        if match := WITH_ENTREZ.match(name):
            return known.by_entrez.get(match[2], match[1] or name)
        if entrez and (match := ENTREZ.match(name)):
            return known.by_entrez.get(match[1], name)
        current = known.by_alias.get(name, name) if human else name
        return name if current in present else current

    return pd.Index([symbol_of(name) for name in plain])


def name_genes(cells: pd.Series) -> pd.Series:
    """Which cells of a column of symbols hold one: not empty, NA or another word for nothing, of which UNK is a gene."""
    typed = cells.astype(str).str.strip()
    return ~is_missing(typed) | typed.isin(_names().symbols)


def share_known(symbols: Sequence[str]) -> float:
    """Share of names that are symbols of human genes."""
    return sum(name in _names().symbols for name in symbols) / max(len(symbols), 1)


def said_known(symbols: Sequence[str]) -> str:
    """`share_known` as a sentence."""
    n, share = len(symbols), share_known(symbols)
    return f"{round(share * n)} of {n} gene names ({share:.0%}) are symbols of human genes"


def read_mapping(path: Path | str) -> dict[str, str]:
    """Identifier to symbol, from a GTF (``.gtf``, ``.gtf.gz``) or a table with the columns gene_id and symbol (or gene_name).

    Raises
    ------
    TableError
        No such file, none of these columns, or an identifier with two symbols.
    """
    path = Path(path)
    if why := no_file(path):
        raise TableError(
            f"{path}: {why}. Expected the names of genes. Give a GTF, or a table with the columns gene_id and symbol, under `gene_ids:`."
        )
    if ".gtf" in path.suffixes:
        return _mapping_of_gtf(path)
    table = read_text_table(path)
    names = {name.lower(): name for name in table}
    symbol, identifier = (
        next((names[name] for name in usual if name in names), None) for usual in (SYMBOLS, IDENTIFIERS)
    )
    if symbol is None or identifier is None:
        raise TableError(
            f"{path}: line 1 lacks gene_id or symbol; found {', '.join(map(str, table.columns))}. Expected both. Name the columns so, or give a GTF."
        )
    pairs = pd.DataFrame({"id": without_version(table[identifier]), "symbol": table[symbol]})
    pairs = pairs[name_genes(pairs.symbol)].drop_duplicates()
    if doubled := pairs.id[pairs.id.duplicated()].unique().tolist():
        raise TableError(
            f"{path}: {len(doubled)} identifier(s) have more than one symbol: {examples(doubled)}. Expected one of each. Keep one of each."
        )
    return dict(zip(pairs.id, pairs.symbol, strict=True))


def _mapping_of_gtf(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    with open_text(path) as stream:
        for line in stream:
            parts = line.split("\t")
            if len(parts) < 9 or parts[2] != "gene":
                continue
            identifier = re.search(r'gene_id "([^"]+)"', parts[8])
            symbol = re.search(r'gene_name "([^"]+)"', parts[8])
            if identifier and symbol:
                found[without_version([identifier[1]])[0]] = symbol[1]
    if not found:
        raise TableError(
            f"{path}: no line of a gene with gene_id and gene_name found. Expected one for each gene. Give the GTF of the alignment."
        )
    return found


def problem_of_species(names: Sequence[str]) -> str:
    """What is wrong if the names are not of human genes, or ``""``."""
    names = [str(name) for name in names]
    for prefix, species in OTHER_SPECIES.items():
        found = [name for name in names if name.startswith(prefix)]
        if found:
            return (
                f"{len(found)} of {len(names)} identifiers are of {species}, such as {found[0]!r}. Give human counts; of a "
                "xenograft, those of the human reads."
            )
    letters = [name for name in names if name.isalnum() and name[:1].isalpha() and not ENSEMBL.match(name)]
    like_mouse = [name for name in letters if name == name.capitalize() and name[1:] != name[1:].upper()]
    if len(letters) >= 3 and len(like_mouse) > LEAST_SHARE * len(letters):
        return (
            f"{len(like_mouse)} of {len(letters)} symbols are written as those of mouse, such as {examples(like_mouse, 3)}; human "
            "symbols are in capitals (CDK6). Give human counts; if these are human, write the symbols in capitals."
        )
    small = [name for name in letters if name == name.lower() and any(map(str.isalpha, name))]
    if len(letters) >= 3 and len(small) > LEAST_SHARE * len(letters):
        return (
            f"{len(small)} of {len(letters)} symbols are in small letters, such as {examples(small, 3)}; human symbols are in "
            "capitals (CDK6). Write them so, or give human counts if these are of another species."
        )
    return ""


def turned_into_dates(names: Sequence[str]) -> list[str]:
    """Names that a spreadsheet made of symbols: ``1-Mar`` (also ``2024-03-01`` and ``44256``) was MARCH1, ``2.31E+13`` a clone."""
    names = list(map(str, names))
    serials = () if are_entrez(names) else [name for name in names if SERIAL.match(name)]
    aliases = _names().by_alias  # 15-LOX and Oct-4 are genes
    dates = [name for name in names if (DATES.match(name) and name not in aliases) or SCIENTIFIC.match(name)]
    return dates + list(serials)
