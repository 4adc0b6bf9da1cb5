"""Names in the config against the tables: columns, codings, genes and groups that nothing has, each with the nearest that there is."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceage_bio.columns import LATER, SUBJECT_COLUMNS
from faceage_bio.config import DEFAULT_COLUMNS
from faceage_bio.errors import TableError
from faceage_bio.problems import Problems
from faceage_bio.rna.gene_ids import human_genes
from faceage_bio.rna.gene_sets import choose_sets
from faceage_bio.tables import read_text_table

if TYPE_CHECKING:
    from faceage_bio.cohort.intake import CohortTables

TABLES = ("clinical", "manifest", "samples", "face_ages", "ancestry", "variant_samples")
DATES = ("birth_date", "photo_date", "entry_date", "followup_date", "sample_date")
NEAR = 0.6


def check_names(
    cohorts: Mapping[str, Mapping],
    tables: Mapping[str, "CohortTables"],
    settings: Mapping[str, Any],
    problems: Problems,
) -> list[str]:
    """A problem for each name that no table has; what is not used, and how many genes are found, in sentences.

    Parameters
    ----------
    cohorts : the config's ``cohorts``
    tables : the checked tables of each cohort
    settings : of `config.analysis_settings`
    """
    said, named = [], settings["names"]
    for cohort in cohorts.values():
        headers = {file: _header(file) for table in TABLES if (file := cohort.get(table))}
        said += _unused(
            cohort.get("columns") or {}, headers, {one for names in named.values() for one in names}
        )
    _check_settings(named, tables, problems)
    _check_groups(settings["acceleration.fit_in"], tables, problems)
    said += _check_genes(settings, tables, problems)
    return said


def _header(file: str) -> list[str]:
    try:
        return list(read_text_table(file).columns)
    except TableError:  # told by those who read it
        return []


def check_declared(cohort: str, settings: Mapping[str, Any], problems: Problems) -> None:
    """A problem for each name under a cohort's ``columns`` and ``codings`` that none of its tables has."""
    headers = {file: _header(file) for table in TABLES if (file := settings.get(table))}
    columns, codings = settings.get("columns") or {}, settings.get("codings") or {}
    if not all(headers.values()):  # a table that cannot be read is told by who reads it
        return
    every = [name for header in headers.values() for name in header]
    for ours, theirs in columns.items():
        if theirs not in every:
            problems.other(
                f"cohorts.{cohort}.columns says that '{ours}' is called {theirs!r}, but {_among(headers)} have no such column. "
                f"Expected one of them.{_nearest(theirs, every)} Correct the name."
            )
    known = {*every, *columns, *SUBJECT_COLUMNS}
    for column in codings:
        if column not in known:
            problems.other(
                f"cohorts.{cohort}.codings declares codes of {column!r}, but {_among(headers)} have no such column. "
                f"Expected one of them.{_nearest(column, known)} Correct the name."
            )


def _check_settings(
    named: Mapping[str, Sequence[str]], tables: Mapping[str, "CohortTables"], problems: Problems
) -> None:
    """Names that are no column of any cohort, none that we make and none that the defaults name."""
    columns = {
        str(name) for one in tables.values() for table in (one.subjects, one.samples) for name in table
    }
    known = columns | {*SUBJECT_COLUMNS, *(name for names in DEFAULT_COLUMNS.values() for name in names)}
    for setting, names in named.items():
        for name in names:
            if name not in known and not name.startswith(LATER):
                problems.other(
                    f"{setting} names {name!r}, which no table of any cohort has. Expected a column of the clinical data or the "
                    f"samples.{_nearest(name, known)} Correct the name, or add the column."
                )


def _check_groups(fit_in: str, tables: Mapping[str, "CohortTables"], problems: Problems) -> None:
    if fit_in != "reference":
        return
    if not any(one.subjects["group"].eq("reference").any() for one in tables.values()):
        problems.other(
            "acceleration.fit_in is 'reference', but no cohort has controls (group = reference). Expected some to fit the line in. "
            "Give them a group, or write acceleration: {fit_in: cohort}."
        )


def _check_genes(
    settings: Mapping[str, Any], tables: Mapping[str, "CohortTables"], problems: Problems
) -> list[str]:
    """Genes of the panel that are no human genes or that no counts have; sets that cannot be read."""
    symbols = set(human_genes().symbol)
    measured = [set(one.counts.counts.index) for one in tables.values() if one.counts is not None]
    panel = list(settings["expression.panel"])
    for gene in panel:
        if measured and gene not in symbols and not any(gene in genes for genes in measured):
            problems.other(
                f"expression.panel names {gene!r}, which is neither a symbol of a human gene nor in any counts. Expected a symbol such as CDK6."
                f"{_nearest(gene, symbols)} Correct it."
            )
    try:
        sets = choose_sets(settings["expression.gene_sets"], settings["expression.gmt"])
    except TableError as error:
        problems.other(str(error))
        return []
    said = []
    for name, one in tables.items():
        if one.counts is None:
            continue
        genes = set(one.counts.counts.index)
        found = [sum(gene in genes for gene in panel), len(panel)]
        shares = ", ".join(
            f"{title} {sum(gene in genes for gene in gene_set.directions)} of {len(gene_set.directions)}"
            for title, gene_set in sets.items()
        )
        said.append(
            f"{name}: {found[0]} of {found[1]} prespecified genes are in the counts; of gene sets: {shares}"
        )
    return said


def _unused(columns: Mapping[str, str], headers: Mapping[str, list[str]], named: set[str]) -> list[str]:
    """Columns of the tables that nothing reads, with the name that one may be meant as."""
    ours = {
        *SUBJECT_COLUMNS,
        *DATES,
        "photo_id",
        "path",
        "sample_id",
        "batch",
        "tissue",
        "specimen_id",
        "face_age",
    }
    read = {*ours, *columns.values(), *named}
    said = []
    for file, header in headers.items():
        unused = [name for name in header if name not in read]
        if unused:
            meant = [
                f"{name} (if it is {near}, declare columns: {{{near}: {name}}})"
                if (near := _meant(name, ours - set(header)))
                else name
                for name in unused
            ]
            said.append(f"{Path(file).name}: not used: {', '.join(meant)}")
    return said


def _meant(name: str, ours: Iterable[str]) -> str:
    """Which of our columns a name may stand for: one that is a word of it, or the nearest."""
    words = re.split(r"[^a-z0-9]+", name.lower())
    near = [one for one in sorted(ours) if one in words] or difflib.get_close_matches(
        name.lower(), list(ours), n=1, cutoff=NEAR
    )
    return near[0] if near else ""


def _among(files: Iterable[str]) -> str:
    return ", ".join(Path(file).name for file in files) or "the tables"


def _nearest(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=NEAR)
    near = near or [one for one in names if one.lower() == name.lower()][:1]
    return f" Did you mean {near[0]!r}?" if near else ""
