"""Genotypes in one form, from a VCF or a table: copies of one allele of each variant, and the genes it lies in."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.core import parse
from faceage_bio.core.errors import Problems, TableError, examples, no_file
from faceage_bio.core.tables import read_text_table
from faceage_bio.core.user_files import open_text
from faceage_bio.intake.rna.gene_ids import human_genes

GENE_SEPARATOR = ";"  # a variant may lie in several
WHOLE = "Expected a whole number. Write it as it is, counted as the file's kind counts (VCF from 1; starts of BED intervals from 0)."
FIXED = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"]
GENOTYPE = re.compile(r"(\.|\d+)[/|](\.|\d+)")
ADVICE = (
    "Expected two alleles such as 0/1 or 0|1, of which each is 0, the number of an alternative allele, or a point if it is not "
    "known. Sites with one or more than two alleles per person (sex chromosomes of men, mitochondria, copy number) are not taken. "
    "Leave them out."
)
VARIANT, GENE = "variant_id", "gene"
PLACE = ("chrom", "pos", "ref", "alt")
COPIES = {"0": 0.0, "1": 1.0, "2": 2.0}
IN_NO_GENE = "in no gene that is asked for"
ALLELES_ADVICE = (
    "Expected 0, 1 or 2. Write the copies of the counted allele, and leave the cell empty if the genotype is not known. Imputed dosages and "
    "genotypes such as 0/1 are not taken here (a VCF holds the latter)."
)


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
        intervals = self.intervals.get(chrom, ())
        found += [gene for start, end, gene in intervals if pos <= end and last >= start]
        return list(dict.fromkeys(found))


def read_gene_map(path: Path | str, problems: Problems) -> GeneMap | None:
    """A table with ``gene`` and either variant_id, or chrom, pos, ref, alt, or chrom, start, end (as in BED:
    start from 0, end exclusive).

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
            advice = "Expected the gene's symbol. Name the gene, or leave the row out."
            problems.cell(str(path), line, "gene", row["gene"], advice)
            continue
        _check_symbols(genes, line, str(path), problems)
        numbers = [name for name in kind if name in ("pos", "start", "end")]
        odd = [name for name in numbers if not row[name].isdigit()]
        for name in odd:
            problems.cell(str(path), line, name, row[name], WHOLE)
        if not odd:
            _add(found, kind, row, genes, line, str(path), problems)
    return found


@lru_cache(maxsize=1)
def _symbols() -> dict[str, str]:
    """Symbols of human genes by their capital letters."""
    return {symbol.upper(): symbol for symbol in human_genes().symbol}


def _check_symbols(genes: Sequence[str], line: int, file: str, problems: Problems) -> None:
    """Add symbols in other capitals, by which no gene of the panel would be found."""
    for gene in genes:
        symbol = _symbols().get(gene.upper(), gene)
        if symbol != gene and gene not in _symbols().values():
            advice = f"Expected the symbol as it is written, {symbol}. Correct the capitals."
            problems.cell(file, line, GENE, gene, advice)


def _add(
    found: GeneMap,
    kind: tuple[str, ...],
    row: dict,
    genes: list[str],
    line: int,
    source: str,
    problems: Problems,
) -> None:
    if kind == ("variant_id",):
        found.by_name.setdefault(row["variant_id"], []).extend(genes)
    elif "pos" in kind:
        key = (chromosome(row["chrom"]), int(row["pos"]), row["ref"].upper(), row["alt"].upper())
        found.by_place.setdefault(key, []).extend(genes)
    elif int(row["start"]) >= int(row["end"]):
        advice = "Expected an end above the start, as in BED (start from 0, end exclusive): an interval ends after it starts. Correct one of them."
        problems.cell(source, line, "end", row["end"], advice)
    else:
        place = found.intervals.setdefault(chromosome(row["chrom"]), [])
        place.extend((int(row["start"]) + 1, int(row["end"]), gene) for gene in genes)


def _read(path: Path, problems: Problems) -> pd.DataFrame | None:
    try:
        if ".bed" not in path.suffixes:
            return read_text_table(path)
        with open_text(path) as stream:
            lines = stream.read().splitlines()
    except TableError as error:
        problems.other(str(error))
        return None
    cells = {
        number: [*line.split("\t"), None, None, None, None][:4]
        for number, line in enumerate(lines, start=1)
        if line.strip() and not line.startswith(("#", "track", "browser"))
    }
    table = pd.DataFrame.from_dict(
        cells, orient="index", columns=["chrom", "start", "end", "gene"], dtype=str
    )
    advice = "A BED line needs chrom, start, end and the gene's symbol, tab-separated. Add what is missing, or leave the line out."
    problems.where(str(path), table["gene"], table["gene"].isna(), advice)
    return table.dropna()


@dataclass(frozen=True)
class Site:
    """One line: ``filters`` is empty if the site passed; ``calls`` are the samples' cells, GT at ``place`` between colons."""

    line: int
    chrom: str
    pos: int
    names: tuple[str, ...]
    ref: str
    alts: tuple[str, ...]
    filters: str
    calls: list[str]
    place: int

    def copies(
        self, allele: int, samples: list[str], file: str, problems: Problems
    ) -> tuple[np.ndarray, int]:
        """Copies of the alternative allele of this number for each sample, and how many genotypes were half known.

        Other alternative alleles count as the reference does (as ``bcftools norm --multiallelics -`` splits
        sites). A genotype of which one allele is known and the other not is missing.
        """
        values, half_calls, known = np.full(len(samples), np.nan), 0, {}
        for number, call in enumerate(self.calls):
            genotype = call.split(":", self.place + 1)[self.place] if call.count(":") >= self.place else "."
            if genotype not in known:
                known[genotype] = _copies(genotype, allele, len(self.alts))
            found = known[genotype]
            if found is None:
                problems.cell(file, self.line, samples[number], genotype, ADVICE)
            else:
                values[number] = found
                half_calls += bool(np.isnan(found) and genotype.strip("./|"))
        return values, half_calls


def _copies(genotype: str, allele: int, n_alts: int) -> float | None:
    """NaN where missing, None where it is no genotype."""
    if genotype in {".", ""}:
        return np.nan
    found = GENOTYPE.fullmatch(genotype)
    if not found or any(part != "." and int(part) > n_alts for part in found.groups()):
        return None
    if "." in found.groups():
        return np.nan
    return float(sum(int(part) == allele for part in found.groups()))


def is_vcf(path: Path) -> bool:
    """By its name."""
    return path.name.removesuffix(".gz").removesuffix(".bgz").endswith(".vcf")


def read_sites(path: Path, problems: Problems) -> tuple[list[str] | None, Iterator[Site]]:
    """Names of the samples, and the file's lines one after the other; what is wrong goes to the problems."""
    lines = _lines(path)
    header = None
    for _, line in lines:
        if line.startswith("#CHROM"):
            header = line.rstrip("\r\n").split("\t")
            break
        if not line.startswith("##"):
            break
    if header is None or header[:9] != FIXED or len(header) < 10:
        problems.other(
            f"{path}: not a VCF with genotypes. Expected, after lines that start with ##, a header of {' '.join(FIXED)} and the samples' names, "
            "tab-separated. Give the file as the variant caller wrote it."
        )
        return None, iter(())
    doubled = sorted({name for name in header[9:] if header[9:].count(name) > 1})
    if doubled:
        problems.other(
            f"{path}: the header names the sample(s) {', '.join(doubled)} more than once. Expected each once. Keep one of each."
        )
        return None, iter(())
    return header[9:], _sites(path, lines, len(header), problems)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with open_text(path) as stream:
        yield from enumerate(stream, start=1)


def _sites(path: Path, lines: Iterator[tuple[int, str]], width: int, problems: Problems) -> Iterator[Site]:
    for number, line in lines:
        if not line.strip():
            continue
        cells = line.rstrip("\r\n").split("\t")
        if len(cells) != width:
            advice = f"Expected {width} cells, as the header has, and found {len(cells)}. Give the file as the variant caller wrote it."
            problems.cell(str(path), number, "#CHROM", None, advice)
            continue
        chrom, pos, name, ref, alt, _, marks, _, kinds = cells[:9]
        if not pos.isdigit():
            advice = "Expected a whole number, counted from 1. Write the place so."
            problems.cell(str(path), number, "POS", pos, advice)
        elif "GT" not in kinds.split(":"):
            advice = (
                "Expected GT among the kinds: the samples need genotypes. Call them, or leave the line out."
            )
            problems.cell(str(path), number, "FORMAT", kinds, advice)
        else:
            names, alts = tuple(part for part in name.split(";") if part != "."), tuple(alt.split(","))
            filters, place = "" if marks in {"PASS", "."} else marks, kinds.split(":").index("GT")
            yield Site(number, chromosome(chrom), int(pos), names, ref, alts, filters, cells[9:], place)


@dataclass(frozen=True)
class Genotypes:
    """``variants``: one row per variant with variant_id, gene (several joined by ;), chrom, pos, ref, alt, half_calls.

    ``copies``: same rows, one column per sample: 0, 1, 2 or NaN. ``left_out`` counts what of the file is not
    in it, by reason.
    """

    variants: pd.DataFrame
    copies: pd.DataFrame
    left_out: Mapping[str, int] = field(default_factory=dict)


def read_genotypes(path: Path | str, genes: Path | str | None, problems: Problems) -> Genotypes | None:
    """Read a VCF (.vcf, .vcf.gz) or a table (variant_id, gene, one column per sample); what is wrong goes to the problems.

    Parameters
    ----------
    path : file
        Table: TSV or CSV; further columns chrom, pos, ref, alt are understood.
    genes : file, optional
        Which gene a variant lies in (see `genes.read_gene_map`); a VCF needs it, a table may say it itself.

    Returns
    -------
    Genotypes, or None if the file cannot be read
        Of a VCF only what lies in a gene of the map.
    """
    path = Path(path)
    gene_map = read_gene_map(genes, problems) if genes else None
    if genes and gene_map is None:
        return None
    if why := no_file(path):
        problems.other(
            f"{path}: {why}. Expected a VCF or a table of genotypes. Check the path; one in a config starts at the folder of the config."
        )
        return None
    if is_vcf(path):
        if gene_map is None:
            problems.other(
                f"{path}: a VCF does not say which gene a variant lies in. Expected a table that does. Give variant_genes: a table variant_id (or chrom, pos, "
                "ref, alt) and gene, or intervals chrom, start, end, gene as in BED."
            )
            return None
        try:
            return _of_vcf(path, gene_map, problems)
        except TableError as error:
            problems.other(str(error))
            return None
    return _of_table(path, gene_map, problems)


def _of_vcf(path: Path, gene_map: GeneMap, problems: Problems) -> Genotypes | None:
    left_out: Counter[str] = Counter()
    header, sites = read_sites(path, problems)
    if header is None:
        return None
    rows, columns, seen = [], [], {}
    for site in sites:
        for number, alt in enumerate(site.alts, start=1):
            key = ":".join((site.chrom, str(site.pos), site.ref, alt))
            names = (*site.names, key)
            genes = gene_map.genes_of(site.chrom, site.pos, site.ref, alt, names)
            if not genes:
                if gene_map.genes_of(site.chrom, site.pos, alt, site.ref, ()) and not gene_map.intervals:
                    advice = f"{gene_map.source} has both alleles the other way round, so it is not clear which is counted. Expected the same REF and ALT. Correct one of both."
                    problems.cell(str(path), site.line, "REF", f"{site.ref}, ALT {alt}", advice)
                left_out[IN_NO_GENE] += 1
                continue
            if why := _why_not(site, alt):
                left_out[why] += 1
                continue
            name = site.names[0] if site.names and len(site.alts) == 1 else key
            if name in seen or key in seen:
                advice = f"The variant stands in line {seen.get(name) or seen[key]} already. Expected it once. Keep one."
                problems.cell(str(path), site.line, "ID", name, advice)
                continue
            seen[name] = seen[key] = site.line
            copies, half_calls = site.copies(number, header, str(path), problems)
            place = dict(zip(PLACE, (site.chrom, site.pos, site.ref, alt), strict=True))
            found = {"half_calls": half_calls, "split": len(site.alts) > 1}
            rows.append({VARIANT: name, GENE: GENE_SEPARATOR.join(genes), **place, **found})
            columns.append(copies)
    if not rows:
        if IN_NO_GENE in left_out:
            problems.other(
                f"{path}: no usable variant lies in a gene of {gene_map.source} ({_told(left_out)}). Expected both of the same genome build "
                "with the same names of chromosomes. Give them so."
            )
        elif left_out or not any(file == str(path) for file, _, _ in problems.marked):
            problems.other(
                f"{path}: no variant of a gene of {gene_map.source} is usable ({_told(left_out)}). Expected some that the caller passed, with "
                "alleles of letters. Give the file with them."
            )
        return None
    variants = pd.DataFrame(rows)
    copies = pd.DataFrame(np.array(columns), index=variants.index, columns=header)
    return Genotypes(variants, copies, dict(left_out))


def _told(counts: Mapping[str, int]) -> str:
    return "; ".join(f"{n} {why}" for why, n in counts.items()) or "the file has no variant"


def _why_not(site: Site, alt: str) -> str:
    if site.filters:
        return "marked by the caller's FILTER"
    if alt in {"*", "."} or not alt.isalpha():
        return "without an allele of letters (deletions over the site, symbols, breakends)"
    return ""


def _of_table(path: Path, gene_map: GeneMap | None, problems: Problems) -> Genotypes | None:
    try:
        table = read_text_table(path)
    except TableError as error:
        problems.other(str(error))
        return None
    needed = [VARIANT] if gene_map is not None else [VARIANT, GENE]
    if missing := [name for name in needed if name not in table]:
        problems.other(
            f"{path}: line 1 lacks the column(s) {', '.join(missing)}; found {', '.join(table.columns[:8])}. Expected "
            "one row per variant: variant_id, gene, then one column per sample. Name the columns so; a VCF ends in .vcf or .vcf.gz."
        )
        return None
    source = str(path)
    variants = table[[name for name in (VARIANT, GENE, *PLACE) if name in table]].copy()
    if gene_map is not None:
        variants[GENE] = [_mapped(row, gene_map) for row in variants.to_dict("records")]
    names = variants[VARIANT]
    problems.where(source, names, parse.is_missing(names), "Expected a name. Give each variant one.")
    advice = "Expected the symbol of the gene that it lies in. Name the gene, or leave the variant out."
    problems.where(source, variants[GENE], parse.is_missing(variants[GENE]), advice)
    for line, genes in variants[GENE].items():
        _check_symbols([gene.strip() for gene in genes.split(GENE_SEPARATOR)], line, source, problems)
    advice = "The variant stands more than once. Expected one row of each. Keep one."
    problems.where(source, names, names.duplicated() & (names != ""), advice)
    cells = table.drop(columns=[name for name in (VARIANT, GENE, *PLACE) if name in table])
    if cells.empty:
        problems.other(
            f"{path}: no column of a sample next to {', '.join(table.columns)}, or no row. Expected one row per variant and one column per sample. Add them."
        )
        return None
    copies = cells.apply(lambda column: column.map(COPIES)).astype("float64")
    odd = copies.isna() & ~cells.apply(parse.is_missing)
    for sample in odd.columns[odd.any()]:
        problems.where(source, cells[sample], odd[sample], ALLELES_ADVICE)
    variants = variants.assign(half_calls=0, split=False).reset_index(drop=True)
    return Genotypes(variants, copies.reset_index(drop=True))


def _mapped(row: dict, gene_map: GeneMap) -> str:
    chrom, pos, ref, alt = (row.get(name, "") for name in PLACE)
    place = (chromosome(chrom), int(pos) if pos.isdigit() else -1, ref, alt)
    return GENE_SEPARATOR.join(gene_map.genes_of(*place, (row[VARIANT],))) or row.get(GENE, "")


def of_participants(
    genotypes: Genotypes, people: set[str], samples: Mapping[str, str], source: str, problems: Problems
) -> Genotypes:
    """The same with participants as columns: a sample has its person's name, or ``samples`` says whose it is."""
    given = genotypes.copies.columns.astype(str)
    names = pd.Series([name if name in people else samples.get(name, "") for name in given])
    known = names.isin(people)
    if strangers := [repr(sample) for sample in given[~known]]:
        problems.other(
            f"{source}: {len(strangers)} sample(s) are neither a subject_id of the cohort nor a sample_id of one: "
            f"{examples(strangers)}. Expected samples of these participants. Give a table sample_id, subject_id, or leave them out."
        )
    if doubled := sorted(set(names[known & names.duplicated()])):
        problems.other(
            f"{source}: {len(doubled)} subject(s) have more than one sample: {examples(doubled)}. Expected one of each. Leave the others out."
        )
    kept = known & ~names.duplicated()
    copies = genotypes.copies.loc[:, kept.to_numpy()].set_axis(names[kept].tolist(), axis=1)
    return Genotypes(genotypes.variants, copies, genotypes.left_out)
