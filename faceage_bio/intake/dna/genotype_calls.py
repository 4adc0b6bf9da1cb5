"""Genotypes in one form, from a VCF or a table: copies of one allele of each variant, and the genes it lies in."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.core import parse
from faceage_bio.core.errors import Problems, TableError, examples
from faceage_bio.core.tables import read_text_table
from faceage_bio.intake.dna.gene_places import GENE_SEPARATOR, GeneMap, chromosome, read_gene_map
from faceage_bio.intake.dna.vcf import Site, is_vcf, read_sites

VARIANT, GENE = "variant_id", "gene"
PLACE = ("chrom", "pos", "ref", "alt")
COPIES = {"0": 0.0, "1": 1.0, "2": 2.0}
ALLELES_ADVICE = (
    "Expected 0, 1 or 2. Write the copies of the counted allele, and leave the cell empty if the genotype is not known. Imputed dosages and "
    "genotypes such as 0/1 are not taken here (a VCF holds the latter)."
)


@dataclass(frozen=True)
class Genotypes:
    """``variants``: one row per variant with variant_id, gene (several joined by ;), chrom, pos, ref, alt, half_calls.

    ``copies``: same rows, one column per sample: 0, 1, 2 or NaN. ``left_out`` counts what of the file is not in it, by reason.
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
    if not path.is_file():
        problems.other(
            f"{path}: no such file. Expected a VCF or a table of genotypes. Check the path in the config (it starts at the folder of the config)."
        )
        return None
    if is_vcf(path):
        if gene_map is None:
            problems.other(
                f"{path}: a VCF does not say which gene a variant lies in. Expected a table that does. Give variant_genes: a table variant_id (or chrom, pos, "
                "ref, alt) and gene, or intervals chrom, start, end, gene as in BED."
            )
            return None
        return _of_vcf(path, gene_map, problems)
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
                    problems.cell(
                        str(path), site.line, "REF", f"{site.ref}, ALT {alt}",
                        f"{gene_map.source} has both alleles the other way round, so it is not clear which is counted. Expected the same REF and ALT. Correct one of both.",
                    )  # fmt: skip
                left_out["in no gene that is asked for"] += 1
                continue
            if why := _why_not(site, alt):
                left_out[why] += 1
                continue
            name = site.names[0] if site.names and len(site.alts) == 1 else key
            if name in seen or key in seen:
                problems.cell(
                    str(path), site.line, "ID", name, f"The variant stands in line {seen.get(name) or seen[key]} already. Expected it once. Keep one."
                )  # fmt: skip
                continue
            seen[name] = seen[key] = site.line
            copies, half_calls = site.copies(number, header, str(path), problems)
            rows.append({
                VARIANT: name, GENE: GENE_SEPARATOR.join(genes), "chrom": site.chrom, "pos": site.pos, "ref": site.ref, "alt": alt,
                "half_calls": half_calls, "split": len(site.alts) > 1,
            })  # fmt: skip
            columns.append(copies)
    if not rows:
        problems.other(
            f"{path}: no usable variant lies in a gene of {gene_map.source} ({_told(left_out)}). Expected both of the same genome build "
            "with the same names of chromosomes. Give them so."
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
    for column, advice in ((VARIANT, "Expected a name. Give each variant one."), (GENE, "Expected the symbol of the gene that it lies in. Name the gene, or leave the variant out.")):  # fmt: skip
        for line in variants.index[parse.is_missing(variants[column])]:
            problems.cell(source, line, column, variants.at[line, column], advice)
    for line in variants.index[variants[VARIANT].duplicated() & (variants[VARIANT] != "")]:
        problems.cell(source, line, VARIANT, variants.at[line, VARIANT], "The variant stands more than once. Expected one row of each. Keep one.")  # fmt: skip
    cells = table.drop(columns=[name for name in (VARIANT, GENE, *PLACE) if name in table])
    if cells.empty:
        problems.other(
            f"{path}: no column of a sample next to {', '.join(table.columns)}, or no row. Expected one row per variant and one column per sample. Add them."
        )
        return None
    copies = cells.apply(lambda column: column.map(COPIES)).astype("float64")
    odd = copies.isna() & ~cells.apply(parse.is_missing)
    for line, sample in zip(*(axis[place] for axis, place in zip((odd.index, odd.columns), np.nonzero(odd.to_numpy()), strict=True)), strict=True):  # fmt: skip
        problems.cell(source, line, sample, cells.at[line, sample], ALLELES_ADVICE)
    variants = variants.assign(half_calls=0, split=False).reset_index(drop=True)
    return Genotypes(variants, copies.reset_index(drop=True))


def _mapped(row: dict, gene_map: GeneMap) -> str:
    place = (chromosome(str(row.get("chrom", ""))), _whole(row.get("pos")), row.get("ref", ""), row.get("alt", ""))  # fmt: skip
    return GENE_SEPARATOR.join(gene_map.genes_of(*place, (row[VARIANT],))) or row.get(GENE, "")


def _whole(cell: object) -> int:
    return int(cell) if isinstance(cell, str) and cell.isdigit() else -1


def of_people(
    genotypes: Genotypes, people: set[str], samples: Mapping[str, str], source: str, problems: Problems
) -> Genotypes:
    """The same with participants as columns: a sample has its person's name, or ``samples`` says whose it is."""
    names = [
        name if name in people else samples.get(name, "") for name in genotypes.copies.columns.astype(str)
    ]
    strangers = [repr(sample) for sample, name in zip(genotypes.copies, names, strict=True) if name not in people]  # fmt: skip
    if strangers:
        problems.other(
            f"{source}: {len(strangers)} sample(s) are neither a subject_id of the cohort nor a sample_id of one: "
            f"{examples(strangers)}. Expected samples of these participants. Give a table sample_id, subject_id, or leave them out."
        )
    doubled = sorted({name for name in names if names.count(name) > 1 and name in people})
    if doubled:
        problems.other(
            f"{source}: {len(doubled)} subject(s) have more than one sample: {examples(doubled)}. Expected one of each. Leave the others out."
        )
    kept = [
        place
        for place, name in enumerate(names)
        if name in people and names.index(name) == place
    ]  # fmt: skip
    copies = genotypes.copies.iloc[:, kept].set_axis([names[place] for place in kept], axis=1)
    return Genotypes(genotypes.variants, copies, genotypes.left_out)
