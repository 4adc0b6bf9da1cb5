"""Which gene a variant lies in: by its name, by its place and alleles, or by the intervals of genes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from faceage_bio.core import parse
from faceage_bio.core.errors import Problems, TableError
from faceage_bio.core.tables import read_text_table

GENE_SEPARATOR = ";"  # a variant may lie in several
WHOLE = "Expected a whole number. Write it as it is, counted as the file's kind counts (VCF from 1; starts of BED intervals from 0)."


def chromosome(name: str) -> str:
    """``chr7`` and ``7`` are the same."""
    return name.strip().removeprefix("chr").removeprefix("Chr").upper().replace("MT", "M")


@dataclass
class GeneMap:
    """Genes by names of variants, by chrom, pos, ref, alt, and by intervals (chrom -> start from 1, end, gene)."""

    source: str
    by_name: dict[str, list[str]] = field(default_factory=dict)
    by_place: dict[tuple[str, int, str, str], list[str]] = field(default_factory=dict)
    intervals: dict[str, list[tuple[int, int, str]]] = field(default_factory=dict)

    def genes_of(self, chrom: str, pos: int, ref: str, alt: str, names: Sequence[str]) -> list[str]:
        """All genes of a variant, in the order of the file; none if it is in none."""
        found = [gene for name in names for gene in self.by_name.get(name, ())]
        found += self.by_place.get((chrom, pos, ref.upper(), alt.upper()), [])
        last = pos + max(len(ref), 1) - 1
        found += [
            gene for start, end, gene in self.intervals.get(chrom, ()) if pos <= end and last >= start
        ]  # fmt: skip
        return list(dict.fromkeys(found))


def read_gene_map(path: Path | str, problems: Problems) -> GeneMap | None:
    """A table with ``gene`` and either variant_id, or chrom, pos, ref, alt, or chrom, start, end (as in BED: start from 0, end exclusive).

    A file ending in .bed has no header: chrom, start, end, gene.

    Returns
    -------
    GeneMap, or None if the file cannot be read; what is wrong in it goes to the problems
    """
    path = Path(path)
    table = _read(path, problems)
    if table is None:
        return None
    kinds = (("variant_id",), ("chrom", "pos", "ref", "alt"), ("chrom", "start", "end"))
    kind = next((one for one in kinds if {*one, "gene"} <= set(table)), None)
    if kind is None:
        problems.other(
            f"{path}: needs the column gene and either variant_id, or chrom, pos, ref, alt, or chrom, start, end (as in BED); found "
            f"{', '.join(table.columns)}. Name the columns so, or give a BED file."
        )
        return None
    found = GeneMap(path.name)
    for line, row in zip(table.index, table.to_dict("records"), strict=True):
        genes = [gene.strip() for gene in row["gene"].split(GENE_SEPARATOR) if gene.strip()]
        if not genes or row["gene"].lower() in parse.MISSING:
            problems.cell(
                str(path),
                line,
                "gene",
                row["gene"],
                "Expected the gene's symbol. Name the gene, or leave the row out.",
            )
            continue
        numbers = {name: row[name] for name in kind if name in ("pos", "start", "end")}
        odd = {name: cell for name, cell in numbers.items() if not cell.isdigit()}
        for name, cell in odd.items():
            problems.cell(str(path), line, name, cell, WHOLE)
        if odd:
            continue
        _add(found, kind, row, genes, line, str(path), problems)
    return found


def _add(found: GeneMap, kind: tuple[str, ...], row: dict, genes: list[str], line: int, source: str, problems: Problems) -> None:  # fmt: skip
    if kind == ("variant_id",):
        found.by_name.setdefault(row["variant_id"], []).extend(genes)
    elif "pos" in kind:
        key = (chromosome(row["chrom"]), int(row["pos"]), row["ref"].upper(), row["alt"].upper())
        found.by_place.setdefault(key, []).extend(genes)
    elif int(row["start"]) >= int(row["end"]):
        problems.cell(
            source,
            line,
            "end",
            row["end"],
            "Expected an end above the start, as in BED (start from 0, end exclusive): an interval ends after it starts. Correct one of them.",
        )
    else:
        place = found.intervals.setdefault(chromosome(row["chrom"]), [])
        place.extend((int(row["start"]) + 1, int(row["end"]), gene) for gene in genes)


def _read(path: Path, problems: Problems) -> pd.DataFrame | None:
    try:
        if path.suffix != ".bed":
            return read_text_table(path)
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except TableError as error:
        problems.other(str(error))
        return None
    except (OSError, UnicodeDecodeError) as error:
        problems.other(
            f"{path}: cannot be read as text ({error}). Expected a TSV, CSV or BED file. Save it as UTF-8 text."
        )
        return None
    cells = {
        number: line.split("\t")[:4]
        for number, line in enumerate(lines, start=1)
        if line.strip() and not line.startswith(("#", "track", "browser"))
    }
    short = [number for number, row in cells.items() if len(row) < 4]
    for number in short:
        problems.cell(str(path), number, "gene", None, "A BED line needs chrom, start, end and the gene's symbol, tab-separated. Add what is missing, or leave the line out.")  # fmt: skip
    rows = {number: row for number, row in cells.items() if number not in short}
    return pd.DataFrame(rows.values(), index=list(rows), columns=["chrom", "start", "end", "gene"], dtype=str)
