"""Names of genes: Ensembl identifiers and symbols to one form, and names of another species told by name."""

import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import pandas as pd

from faceage_bio.errors import TableError, examples
from faceage_bio.rna.formats import open_text

ENSEMBL = re.compile(r"^(ENS[A-Z]*G\d{11})(?:\.\d+)?(?:_PAR_Y)?$")
OTHER_SPECIES = {"ENSMUSG": "mouse", "ENSRNOG": "rat", "ENSDARG": "zebrafish", "ENSGALG": "chicken", "ENSSSCG": "pig", "ENSMMUG": "macaque"}  # fmt: skip
DATES = re.compile(r"^(\d{1,2}-(Mar|Sep|Dec|Oct|Feb|Apr)|(Mar|Sep|Dec|Oct|Feb|Apr)-\d{1,2})$", re.IGNORECASE)
LEAST_SHARE = 0.5  # of the names that must look like mouse symbols before a table is called so


def known_genes() -> pd.DataFrame:
    """The declared table of the genes that the product itself names: symbol, ensembl_id, aliases (older symbols)."""
    with resources.files("faceage_bio.rna").joinpath("known_genes.tsv").open(encoding="utf-8") as stream:
        return pd.read_csv(stream, sep="\t", dtype=str, keep_default_na=False)


def without_version(names: Sequence[str]) -> pd.Index:
    """``ENSG00000105810.12`` and ``ENSG00000105810.12_PAR_Y`` become ``ENSG00000105810``; symbols stay."""
    return pd.Index([match[1] if (match := ENSEMBL.match(name)) else name for name in map(str, names)])


def to_symbols(names: Sequence[str], mapping: dict[str, str] | None = None) -> pd.Index:
    """Symbols of genes, by ``mapping`` first and by the declared table for those it does not have; others stay."""
    known = known_genes()
    declared = dict(zip(known.ensembl_id, known.symbol, strict=True))
    for aliases, symbol in zip(known.aliases, known.symbol, strict=True):
        declared |= dict.fromkeys(aliases.split(), symbol)
    present = set(map(str, names)) | set((mapping or {}).values())
    # an older symbol is only another name if the table does not have the current one too
    declared = {
        old: new for old, new in declared.items() if ENSEMBL.match(old) or new not in present or new == old
    }
    chosen = declared | {old: new for old, new in (mapping or {}).items() if new}
    return pd.Index([chosen.get(name, name) for name in without_version(names)])


def read_mapping(path: Path | str) -> dict[str, str]:
    """Identifier to symbol, from a GTF (``.gtf``, ``.gtf.gz``) or a table with the columns gene_id and symbol (or gene_name).

    Raises
    ------
    TableError
        No such file, none of these columns, or an identifier with two symbols.
    """
    path = Path(path)
    if not path.is_file():
        raise TableError(
            f"{path}: no such file. Expected the names of genes. Give a GTF, or a table with the columns gene_id and symbol, under `gene_ids:`."
        )
    if ".gtf" in path.suffixes:
        return _mapping_of_gtf(path)
    table = pd.read_csv(path, sep=None, engine="python", dtype=str, keep_default_na=False, comment="#")
    names = {name.lower(): name for name in table}
    symbol = next((names[name] for name in ("symbol", "gene_name", "gene_symbol") if name in names), None)
    identifier = next(
        (names[name] for name in ("gene_id", "ensembl_id", "ensembl_gene_id", "geneid") if name in names),
        None,
    )
    if symbol is None or identifier is None:
        raise TableError(
            f"{path}: line 1 lacks gene_id or symbol; found {', '.join(map(str, table.columns))}. Expected both. Name the columns so, or give a GTF."
        )
    pairs = pd.DataFrame(
        {"id": without_version(table[identifier]), "symbol": table[symbol]}
    ).drop_duplicates()
    pairs = pairs[pairs.symbol != ""]
    doubled = pairs.id[pairs.id.duplicated()].unique().tolist()
    if doubled:
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
    like_mouse = [
        name for name in letters if name[0].isupper() and name[1:] == name[1:].lower() != name[1:].upper()
    ]
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
    """Names that a spreadsheet made of symbols: ``1-Mar`` was MARCH1."""
    return [name for name in map(str, names) if DATES.match(name)]
