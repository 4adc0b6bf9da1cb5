"""A small reader of VCF files: places, alleles, FILTER and the GT of each sample; annotations are not looked at."""

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from faceage_bio.core.errors import Problems
from faceage_bio.intake.dna.gene_places import chromosome

FIXED = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"]
GENOTYPE = re.compile(r"(\.|\d+)[/|](\.|\d+)")
ADVICE = (
    "Expected two alleles such as 0/1 or 0|1, of which each is 0, the number of an alternative allele, or a point if it is not "
    "known. Sites with one or more than two alleles per person (sex chromosomes of men, mitochondria, copy number) are not taken. "
    "Leave them out."
)


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

        Other alternative alleles count as the reference does (as ``bcftools norm --multiallelics -`` splits sites). A genotype
        of which one allele is known and the other not is missing.
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
    lines = _lines(path, problems)
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
        problems.other(f"{path}: the header names the sample(s) {', '.join(doubled)} more than once. Expected each once. Keep one of each.")  # fmt: skip
        return None, iter(())
    return header[9:], _sites(path, lines, len(header), problems)


def _lines(path: Path, problems: Problems) -> Iterator[tuple[int, str]]:
    opened = gzip.open if path.suffix in {".gz", ".bgz"} else open
    try:
        with opened(path, "rt", encoding="utf-8-sig") as stream:
            yield from enumerate(stream, start=1)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        problems.other(f"{path}: cannot be read to its end ({error}). Expected a whole VCF, plain or packed by gzip or bgzip. Copy it again, or pack it so.")  # fmt: skip


def _sites(path: Path, lines: Iterator[tuple[int, str]], width: int, problems: Problems) -> Iterator[Site]:
    for number, line in lines:
        if not line.strip():
            continue
        cells = line.rstrip("\r\n").split("\t")
        if len(cells) != width:
            problems.cell(str(path), number, "#CHROM", None, f"Expected {width} cells, as the header has, and found {len(cells)}. Give the file as the variant caller wrote it.")  # fmt: skip
            continue
        chrom, pos, name, ref, alt, _, marks, _, kinds = cells[:9]
        if not pos.isdigit():
            problems.cell(
                str(path), number, "POS", pos, "Expected a whole number, counted from 1. Write the place so."
            )
        elif "GT" not in kinds.split(":"):
            problems.cell(
                str(path),
                number,
                "FORMAT",
                kinds,
                "Expected GT among the kinds: the samples need genotypes. Call them, or leave the line out.",
            )
        else:
            yield Site(
                number, chromosome(chrom), int(pos), tuple(part for part in name.split(";") if part != "."), ref,
                tuple(alt.split(",")), "" if marks in {"PASS", "."} else marks, cells[9:], kinds.split(":").index("GT"),
            )  # fmt: skip
