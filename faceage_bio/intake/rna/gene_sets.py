"""Sets of genes with the direction each takes in senescence, shipped or in GMT, and why genes are declared beforehand."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import pandas as pd

from faceage_bio.core.errors import TableError, examples, no_file
from faceage_bio.core.user_files import open_text

DIRECTIONS = {"up": 1, "down": -1, "": 0}
NO_REASON = "declared without a reason"


@dataclass(frozen=True)
class GeneSet:
    """Genes and their directions: 1 rises with senescence, -1 falls, 0 not said."""

    name: str
    directions: Mapping[str, int]
    source: str = "given by the user"

    @property
    def signed(self) -> bool:
        """Whether any gene falls: then the directions count."""
        return -1 in self.directions.values()


def shipped_sets() -> dict[str, GeneSet]:
    """The sets that ship with the package, by name; see `sources`."""
    table = _shipped("senescence.tsv")
    origin = sources().set_index("gene_set")
    return {
        name: GeneSet(
            name,
            {row.symbol: DIRECTIONS[row.direction] for row in rows.itertuples()},
            f"{origin.publication[name]}; {origin.licence[name]}; version {origin.version[name]}",
        )
        for name, rows in table.groupby("gene_set", sort=False)
    }


def sources() -> pd.DataFrame:
    """Where each shipped set comes from: gene_set, title, publication, doi, licence, version, listed (date), sha256."""
    return _shipped("sources.tsv")


def _shipped(name: str) -> pd.DataFrame:
    with resources.files("faceage_bio.intake.rna").joinpath("sets", name).open(encoding="utf-8") as stream:
        return pd.read_csv(stream, sep="\t", dtype=str, keep_default_na=False)


def digest(gene_set: GeneSet) -> str:
    """SHA-256 of a set's sorted lines ``symbol<TAB>direction``, which names its content whatever the file."""
    lines = [f"{gene}\t{direction}\n" for gene, direction in sorted(gene_set.directions.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_gmt(path: Path | str) -> dict[str, GeneSet]:
    """Sets of a GMT file: name, description, then symbols, tab-separated; ``NAME_UP`` with ``NAME_DOWN`` is one signed set.

    Raises
    ------
    TableError
        No such file, a line of fewer than three cells, a name that stands twice; all lines are told.
    """
    path = Path(path)
    if why := no_file(path):
        raise TableError(
            f"{path}: {why}. Expected gene sets. Give a GMT file: name, description and symbols, tab-separated."
        )
    found: dict[str, list[str]] = {}
    wrong = []
    with open_text(path) as stream:
        lines = stream.read().splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        name, *rest = [cell.strip() for cell in line.split("\t")]
        genes = [gene for gene in rest[1:] if gene]
        if not name or not genes:
            wrong.append(f"line {number}: {len(rest) + 1} cell(s)")
        elif name in found:
            wrong.append(f"line {number}: {name!r} stands a second time")
        else:
            found[name] = genes
    if wrong or not found:
        raise TableError(
            f"{path}: expected one set a line, with a name of its own, a description and at least one symbol, tab-separated; found "
            f"{examples(wrong) if wrong else 'no set'}. Write each set so."
        )
    return _signed(found, path.name)


def _signed(found: dict[str, list[str]], file: str) -> dict[str, GeneSet]:
    sets = {}
    for name, genes in found.items():
        stem, _, end = name.rpartition("_")
        down = found.get(f"{stem}_DOWN") or found.get(f"{stem}_DN")
        if stem and end in {"DOWN", "DN"} and f"{stem}_UP" in found:
            continue
        if stem and end == "UP" and down:
            both = set(genes) & set(down)
            if both:
                raise TableError(
                    f"{file}: {len(both)} gene(s) both rise and fall in {stem!r}: {examples(sorted(both))}. Expected each in one direction. Keep one of each."
                )
            sets[stem] = GeneSet(
                stem, dict.fromkeys(genes, 1) | dict.fromkeys(down, -1), f"given by the user, {file}"
            )
        else:
            sets[name] = GeneSet(name, dict.fromkeys(genes, 0), f"given by the user, {file}")
    return sets


def choose_sets(names: Collection[str], gmt: Collection[Path | str] = ()) -> dict[str, GeneSet]:
    """The shipped sets of these names and all sets of the GMT files.

    Raises
    ------
    TableError
        A name that does not ship, or a user's set that has the name of another.
    """
    shipped = shipped_sets()
    unknown = [name for name in names if name not in shipped]
    if unknown:
        raise TableError(
            f"no such gene set: {examples(unknown)}. Expected one of {', '.join(shipped)}. Correct the name; give others as GMT."
        )
    chosen = {name: shipped[name] for name in names}
    for path in gmt:
        own = read_gmt(path)
        twice = sorted(set(own) & set(chosen))
        if twice:
            raise TableError(
                f"{path}: the name(s) {', '.join(twice)} are taken by another set. Expected a name of its own for each. Give them other names."
            )
        chosen |= own
    return chosen


@cache
def shipped_reasons() -> pd.DataFrame:
    """symbol, expected (up, down or either with senescence), why, source (DOI)."""
    return pd.read_csv(Path(__file__).with_name("panel.tsv"), sep="\t", dtype=str)


def panel_reasons(panel: Sequence[str], given: Mapping[str, Mapping[str, str]] | None = None) -> pd.DataFrame:
    """One row per gene of the panel, in its order; what is given goes before what is shipped.

    Parameters
    ----------
    panel : symbols
    given : by symbol, with why, source and perhaps expected
    """
    shipped = shipped_reasons().set_index("symbol")
    nothing = {"expected": "", "why": NO_REASON, "source": ""}
    rows = []
    for symbol in panel:
        known = shipped.loc[symbol].to_dict() if symbol in shipped.index else nothing
        rows.append({"symbol": symbol, **known, **(given or {}).get(symbol, {})})
    return pd.DataFrame(rows, columns=["symbol", "expected", "why", "source"])
