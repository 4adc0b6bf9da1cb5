"""RNA samples: whose they are, and whether the counts are raw counts."""

import re
from collections.abc import Collection
from pathlib import Path

import pandas as pd

from faceage_bio.core import parse
from faceage_bio.core.columns import (
    AGE_ACCELERATION,
    AGE_GAP,
    COHORT,
    FACE_AGE,
    SAMPLE,
    SAMPLE_COLUMNS,
    SPECIMEN,
    SUBJECT,
    SUBJECT_COLUMNS,
)
from faceage_bio.core.errors import CountsError, Problems, TableError, examples
from faceage_bio.core.settings.settings_cohort import form_of
from faceage_bio.intake.rna.cells import open_cells
from faceage_bio.intake.rna.count_files import CountTable
from faceage_bio.intake.rna.count_store import read_counts_once
from faceage_bio.intake.schemas import SAMPLES, read_user_table

# what the clinical table and the photos say of people; a file of RNA does not
OF_PEOPLE = (*SUBJECT_COLUMNS, FACE_AGE, AGE_GAP, AGE_ACCELERATION)


def read_samples(
    cohort: str,
    settings: dict,
    known: set[str],
    problems: Problems,
    of_clinical: Collection[str] = (),
    kept: Path | None = None,
) -> tuple[pd.DataFrame, CountTable | None, pd.Index | None]:
    """The checked samples of a cohort, its raw counts in one form if they are bulk, and the symbols of its genes if it has RNA.

    ``of_clinical`` are columns of the clinical table: what an h5ad tells of its donors in them is not taken. ``kept`` is where
    large counts are kept, to read them once.

    Returns
    -------
    DataFrame with ``columns.SAMPLE_COLUMNS`` and the table's further columns, CountTable or None, Index or None
    """
    empty = pd.DataFrame(columns=list(SAMPLE_COLUMNS))
    if settings.get("single_cell"):
        donors, genes = _donors(cohort, settings, known, problems, of_clinical)
        return donors, None, genes
    if not settings.get("counts"):
        return empty, None, None
    file, table = settings["counts"], None
    if settings.get("samples"):
        file = settings["samples"]
        read = read_user_table(file, SAMPLES, problems, form_of(settings, "samples"))
        table = read and read.values
    counts = _read_counts(
        settings, table, known, problems, kept
    )  # without a table a sample has its subject's name
    if counts is None or (settings.get("samples") and table is None):
        return empty, None, None
    names = counts.counts.columns.tolist()
    if table is None:
        table = pd.DataFrame({SAMPLE: names, SUBJECT: names}, index=range(1, len(names) + 1))
    else:
        _check_same_names(table, names, file, settings["counts"], problems)
        _check_specimens(table, file, problems)
    strangers = table[~table[SUBJECT].isin(known)]
    if len(strangers):
        found = [f"line {line}: {subject!r}" for line, subject in strangers[SUBJECT].items()]
        problems.other(
            f"{file}: {len(strangers)} sample(s) of subjects that the cohort does not have: column 'subject_id', {examples(found)}. Expected subjects of the clinical table; add them there, or look for another spelling."
        )
    table[COHORT] = cohort
    further = [name for name in table if name not in SAMPLE_COLUMNS]
    return table.reindex(columns=[*SAMPLE_COLUMNS, *further]), counts, counts.counts.index


def _read_counts(
    settings: dict, table: pd.DataFrame | None, known: set[str], problems: Problems, kept: Path | None
) -> CountTable | None:
    try:
        found = read_counts_once(
            settings["counts"],
            kept,
            kind=settings.get("counts_kind") or "counts",
            strand=settings.get("counts_strand"),
            mapping=settings.get("gene_ids"),
            samples=sorted(known) if table is None else table[SAMPLE].tolist(),
        )
    except CountsError as error:
        for problem in error.problems:
            problems.other(problem)
    except TableError as error:
        problems.other(str(error))
    else:
        for sentence in found.said:
            print(f"{settings['counts']}: {sentence}", flush=True)
        return found
    return None


def _check_specimens(table: pd.DataFrame, file: str, problems: Problems) -> None:
    """Libraries of one specimen are of one person and one tissue, since their counts are added."""
    if SPECIMEN not in table:
        return
    named = table[table[SPECIMEN].notna()]
    for column in (SUBJECT, "tissue"):
        if column not in named:
            continue
        several = named.groupby(SPECIMEN)[column].nunique()
        for specimen in several.index[several > 1]:
            lines = named.index[named[SPECIMEN] == specimen].tolist()
            problems.other(
                f"{file}: column '{SPECIMEN}': {specimen!r} has more than one {column} (lines {', '.join(map(str, lines))}). "
                f"Expected one, because libraries of one specimen are added. Give each specimen a name of its own."
            )


def _by_r(samples: list[str], columns: list[str]) -> dict[str, str]:
    """Columns by the sample that R has written so: ``1-A`` becomes ``X1.A`` in the head of a table."""
    made = {name: re.sub(r"^(?=[0-9._])", "X", re.sub(r"[^A-Za-z0-9._]", ".", name)) for name in samples}
    return {name: column for name, column in made.items() if column in columns}


def _check_same_names(
    table: pd.DataFrame, names: list[str], file: str, counts: str, problems: Problems
) -> None:
    without_counts = sorted(set(table[SAMPLE]) - set(names))
    without_row = sorted(set(names) - set(table[SAMPLE]))
    changed = _by_r(without_counts, without_row)
    if changed:
        told = [f"{name!r} as {column!r}" for name, column in changed.items()]
        problems.other(
            f"{file}: {len(changed)} sample(s) have another name in {counts}: R has written {examples(told)}. Expected the same names in both; read the "
            "table with check.names = FALSE, or write the names so in both."
        )
    if lacking := [name for name in without_counts if name not in changed]:
        problems.other(
            f"{file}: {len(lacking)} sample(s) have no column in {counts}: {examples(lacking)}. Expected the same names in both; correct them, or leave the rows out."
        )
    if lacking := [name for name in without_row if name not in changed.values()]:
        problems.other(
            f"{counts}: {len(lacking)} column(s) have no row in {file}: {examples(lacking)}. Expected the same names in both; add the rows, or leave the columns out."
        )


def _donors(
    cohort: str, settings: dict, known: set[str], problems: Problems, of_clinical: Collection[str]
) -> tuple[pd.DataFrame, pd.Index | None]:
    """One sample per donor of a single-cell file, with what obs tells of donors and the clinical table does not, such as batch; its genes."""
    empty = pd.DataFrame(columns=list(SAMPLE_COLUMNS))
    path = settings["single_cell"]
    try:
        cells = open_cells(path, settings.get("gene_ids"))
    except CountsError as error:
        for problem in error.problems:
            problems.other(problem)
        return empty, None
    except TableError as error:
        problems.other(str(error))
        return empty, None
    for sentence in cells.said:
        print(f"{path}: {sentence}", flush=True)
    donors = sorted(set(cells.obs[SUBJECT]) - {""})
    strangers = [donor for donor in donors if donor not in known]
    if strangers:
        problems.other(
            f"{path}: {len(strangers)} donor(s) that the cohort does not have: obs column 'subject_id', {examples(strangers)}. Expected subjects of the clinical table; add them there, or look for another spelling."
        )
    table = pd.DataFrame({COHORT: cohort, SAMPLE: donors, SUBJECT: donors})
    taken = {*OF_PEOPLE, *of_clinical, COHORT, SAMPLE}
    further = cells.donors.drop(columns=[name for name in cells.donors if name in taken])
    table = table.join(further, on=SUBJECT)
    if "sample_date" in table:
        words = table["sample_date"].astype(str).str.slice(0, 10).where(table["sample_date"].notna(), "")
        table["sample_date"] = parse.dates(words, "sample_date", path, problems)
    names = [*SAMPLE_COLUMNS, *(name for name in further if name not in SAMPLE_COLUMNS)]
    return table.reindex(columns=names), cells.genes
