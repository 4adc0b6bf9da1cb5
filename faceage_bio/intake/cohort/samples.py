"""RNA samples and genotypes at intake: whose they are, whether the counts are raw counts, of which tissue."""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from faceage_bio.core import parse
from faceage_bio.core.columns import (
    AGE,
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
from faceage_bio.core.errors import CohortError, CountsError, Problems, TableError, examples
from faceage_bio.core.settings.settings_cohort import Cohort, form_of
from faceage_bio.intake.genotype_files import of_participants, read_genotypes
from faceage_bio.intake.rna.cells import open_cells
from faceage_bio.intake.rna.count_files import CountTable, read_counts_once
from faceage_bio.intake.schemas import (
    ANCESTRY,
    SAMPLES,
    VARIANT_SAMPLES,
    check_components,
    component_names,
    read_user_table,
)

# what the clinical table and the photos say of people; a file of RNA does not
OF_PARTICIPANTS = (*SUBJECT_COLUMNS, FACE_AGE, AGE_GAP, AGE_ACCELERATION)
TISSUE = "tissue"
# a TCGA barcode, in which R writes dots, tells what the sample is (gdc.cancer.gov/resources-tcga-users/tcga-code-tables/sample-type-codes)
BARCODE = r"^TCGA[-.][A-Z0-9]{2}[-.][A-Z0-9]{4}[-.](\d{2})[A-Z]?(?:[-.]|$)"
SAMPLE_TYPES = {
    "01": "Primary Solid Tumor", "02": "Recurrent Solid Tumor", "03": "Primary Blood Derived Cancer - Peripheral Blood",
    "05": "Additional - New Primary", "06": "Metastatic", "07": "Additional Metastatic", "10": "Blood Derived Normal", "11": "Solid Tissue Normal",
    "12": "Buccal Cell Normal", "14": "Bone Marrow Normal",
}  # fmt: skip
CLINIC = "the clinical table"


def read_samples(
    cohort: str,
    settings: Cohort,
    known: set[str],
    problems: Problems,
    of_clinical: Collection[str] = (),
    kept: Path | None = None,
) -> tuple[pd.DataFrame, CountTable | None, pd.Index | None]:
    """The checked samples of a cohort, its raw counts in one form if they are bulk, and the symbols of its genes if it has RNA.

    ``of_clinical`` are columns of the clinical table: what an h5ad tells of its donors in them is not taken.
    ``kept`` is where large counts are kept, to read them once.

    Returns
    -------
    DataFrame with ``columns.SAMPLE_COLUMNS`` and the table's further columns, CountTable or None, Index or None
    """
    empty = pd.DataFrame(columns=list(SAMPLE_COLUMNS))
    if settings.single_cell:
        donors, genes = _donors(cohort, settings, known, problems, of_clinical)
        return donors, None, genes
    if not settings.counts:
        return empty, None, None
    file, table = settings.counts, None
    if settings.samples:
        file = settings.samples
        read = read_user_table(file, SAMPLES, problems, form_of(settings, "samples"))
        table = read and read.values
    # without a table a sample has its subject's name
    counts = _read_counts(settings, table, known, problems, kept)
    if counts is None or (settings.samples and table is None):
        return empty, None, None
    names = counts.counts.columns.tolist()
    if table is None:
        table = pd.DataFrame({SAMPLE: names, SUBJECT: names}, index=range(1, len(names) + 1))
    else:
        _check_same_names(table, names, file, settings.counts, problems)
        if both := [one for one in table if one in {*of_clinical, AGE} and one not in SAMPLES.columns]:
            print(
                f"{file}: {', '.join(map(repr, both))}: not read from the samples, as the participants have their own.",
                flush=True,
            )
        table = _with_types_of_barcodes(table, file)
        _check_specimens(table, file, problems)
    found = parse.strangers(table[SUBJECT], known, CLINIC)
    if len(found) and not settings.samples:
        problems.other(
            f"{file}: {len(found)} of {len(names)} samples are not named by a subject_id: {examples(found.tolist())}. Expected such names where no table says "
            "whose the samples are. Give one under `samples:` (sample_id, subject_id), or look for another spelling."
        )
    elif len(found):
        lines = [f"line {line}: {told}" for line, told in found.items()]
        problems.other(
            f"{file}: {len(found)} sample(s) of subjects that the cohort does not have: column 'subject_id', {examples(lines)}. Expected subjects of the clinical table; add them there, or look for another spelling."
        )
    table[COHORT] = cohort
    further = [name for name in table if name not in SAMPLE_COLUMNS]
    return table.reindex(columns=[*SAMPLE_COLUMNS, *further]), counts, counts.counts.index


def _with_types_of_barcodes(table: pd.DataFrame, file: str) -> pd.DataFrame:
    """Samples of The Cancer Genome Atlas with the tissue that their barcodes tell, if they differ in it and no column tells it."""
    codes = table[SAMPLE].astype(str).str.extract(BARCODE, expand=False)
    if TISSUE in table or codes.isna().any() or codes.nunique() < 2:
        return table
    types = codes.map(lambda code: SAMPLE_TYPES.get(code, f"sample type {code}"))
    counted = ", ".join(f"{name} ({n})" for name, n in types.value_counts().sort_index().items())
    print(f"{file}: tissue as the barcodes of the samples tell it: {counted}", flush=True)
    return table.assign(**{TISSUE: types})


def _read_counts(
    settings: Cohort, table: pd.DataFrame | None, known: set[str], problems: Problems, kept: Path | None
) -> CountTable | None:
    with _collecting(problems):
        found = read_counts_once(
            settings.counts,
            kept,
            kind=settings.counts_kind or "counts",
            strand=settings.counts_strand,
            mapping=settings.gene_ids,
            samples=sorted(known) if table is None else table[SAMPLE].tolist(),
        )
        for sentence in found.said:
            print(f"{settings.counts}: {sentence}", flush=True)
        return found
    return None


@contextmanager
def _collecting(problems: Problems) -> Iterator[None]:
    """What is wrong with a file of RNA is told with all other problems."""
    try:
        yield
    except CountsError as error:
        for problem in error.problems:
            problems.other(problem)
    except TableError as error:
        problems.other(str(error))


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
    unchanged = pd.Series([name for name in without_counts if name not in changed], dtype=object)
    if lacking := parse.strangers(unchanged, without_row, Path(counts).name).tolist():
        problems.other(
            f"{file}: {len(lacking)} sample(s) have no column in {counts}: {examples(lacking)}. Expected the same names in both; correct them, or leave the rows out."
        )
    if lacking := [name for name in without_row if name not in changed.values()]:
        problems.other(
            f"{counts}: {len(lacking)} column(s) have no row in {file}: {examples(lacking)}. Expected the same names in both; add the rows, or leave the columns out."
        )


def _donors(
    cohort: str, settings: Cohort, known: set[str], problems: Problems, of_clinical: Collection[str]
) -> tuple[pd.DataFrame, pd.Index | None]:
    """One sample per donor of a single-cell file, with what obs tells of donors and the clinical table does
    not, such as batch; its genes.
    """
    path, cells = settings.single_cell, None
    with _collecting(problems):
        cells = open_cells(path, settings.gene_ids)
    if cells is None:
        return pd.DataFrame(columns=list(SAMPLE_COLUMNS)), None
    for sentence in cells.said:
        print(f"{path}: {sentence}", flush=True)
    donors = sorted(set(cells.obs[SUBJECT]) - {""})
    found = parse.strangers(pd.Series(donors, dtype=object), known, CLINIC).tolist()
    if found:
        problems.other(
            f"{path}: {len(found)} donor(s) that the cohort does not have: obs column 'subject_id', {examples(found)}. Expected subjects of the clinical table; add them there, or look for another spelling."
        )
    table = pd.DataFrame({COHORT: cohort, SAMPLE: donors, SUBJECT: donors})
    taken = {*OF_PARTICIPANTS, *of_clinical, COHORT, SAMPLE}
    further = cells.donors.drop(columns=[name for name in cells.donors if name in taken])
    table = table.join(further, on=SUBJECT)
    if "sample_date" in table:
        words = table["sample_date"].astype(str).str.slice(0, 10).where(table["sample_date"].notna(), "")
        table["sample_date"] = parse.dates(words, "sample_date", path, problems)
    names = [*SAMPLE_COLUMNS, *(name for name in further if name not in SAMPLE_COLUMNS)]
    return table.reindex(columns=names), cells.genes


def with_participants(samples: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """The samples with the columns of their participants, one row each. A column that both have is the participant's, as the sheet of a
    laboratory may have another age or sex; a column of samples (batch, date) is the sample's where any has a value.
    """
    people = people.drop(columns=COHORT, errors="ignore")
    own = [
        name
        for name in samples
        if name not in people or (name in SAMPLES.columns and samples[name].notna().any())
    ]
    kept = [name for name in own if name != SUBJECT]
    return samples[list(dict.fromkeys([*own, SUBJECT]))].merge(
        people.drop(columns=kept, errors="ignore"), on=SUBJECT, how="left"
    )


def read_variant_participants(
    cohort: str, settings: Cohort, samples: pd.DataFrame, known: set[str], problems: Problems
) -> pd.DataFrame | None:
    """One row per sample of the cohort's variants: cohort, sample_id, subject_id and the ancestry components; None without any.

    A sample is named by its subject_id, by a sample_id of ``variant_samples``, or by that of the RNA ``samples``.
    """
    if not settings.variants:
        return None
    genotypes = read_genotypes(settings.variants, settings.variant_genes, problems)
    aliases = dict(zip(samples[SAMPLE], samples[SUBJECT], strict=True))
    file = settings.variant_samples
    if file:
        read = read_user_table(file, VARIANT_SAMPLES, problems, form_of(settings, "variant_samples"))
        if read is None:
            return None
        table = read.values
        advice = "Expected a subject of the clinical table, which has none of that name. Correct it, or leave the row out."
        problems.where(file, table[SUBJECT], ~table[SUBJECT].isin(known), advice)
        aliases |= dict(zip(table[SAMPLE], table[SUBJECT], strict=True))
    components = _components(settings, known, problems)
    if genotypes is None:
        return None
    named = of_participants(genotypes, known, aliases, settings.variants, problems)
    names = list(genotypes.copies.columns)
    subjects = [name if name in known else aliases.get(name) for name in names]
    people = pd.DataFrame({COHORT: cohort, SAMPLE: names, SUBJECT: subjects})
    people = people[people[SUBJECT].isin(named.copies.columns)]
    if components is None:
        return people.reset_index(drop=True)
    return people.merge(components, on=SUBJECT, how="left")


def _components(settings: Cohort, known: set[str], problems: Problems) -> pd.DataFrame | None:
    """subject_id and the numbers next to it."""
    file = settings.ancestry
    if not file:
        return None
    read = read_user_table(file, ANCESTRY, problems, form_of(settings, "ancestry"))
    if read is None:
        return None
    table = read.values
    check_components(table, file, problems)
    found = parse.strangers(table[SUBJECT], known, CLINIC)
    if len(found):
        strangers = [f"line {line}: {told}" for line, told in found.items()]
        problems.other(
            f"{file}: {len(strangers)} subject(s) that the cohort does not have: {examples(strangers)}. Expected subjects of the clinical table. Correct the name, or leave the row out."
        )
    return table[[SUBJECT, *component_names(table)]].drop_duplicates(SUBJECT)


def is_of_tissue(samples: pd.DataFrame, tissue: str) -> pd.Series:
    """Which samples are of this tissue.

    Raises
    ------
    CohortError
        No column ``tissue``, or no sample of it.
    """
    if TISSUE not in samples:
        raise CohortError(
            f"expression.tissue is {tissue!r}, but the samples table has no column '{TISSUE}'. Expected one that tells each sample's tissue. Add it, or leave the setting out."
        )
    mine = samples[TISSUE].astype(str) == tissue
    if not mine.any():
        there = sorted(samples[TISSUE].dropna().astype(str).unique())
        raise CohortError(
            f"expression.tissue is {tissue!r}, but the samples are of: {', '.join(there)}. Expected one of these. Name it, or leave the setting out."
        )
    return mine


def check_one_tissue(
    samples: pd.DataFrame, repeated: str, covariates: Collection[str], source: str, problems: Problems
) -> None:
    """Add a problem if participants have samples of several tissues, and no date says which of them counts.

    Parameters
    ----------
    samples : DataFrame, one row per sample of all tissues
        subject_id, sample_id, sample_date and, if known, tissue.
    repeated : what becomes of several samples of a participant, as in ``expression.repeated_samples``
    covariates : columns of the model; with tissue among them all samples may enter it together ("block")
    source : what the samples are called in the message
    """
    if TISSUE not in samples or (repeated == "block" and TISSUE in covariates):
        return
    known = samples[samples[TISSUE].notna()]
    known = known.assign(**{TISSUE: known[TISSUE].astype(str)})
    several = known[known.groupby(SUBJECT)[TISSUE].transform("nunique") > 1]
    found = [
        f"{subject}: {', '.join(f'{sample} ({tissue})' for sample, tissue in zip(mine[SAMPLE], mine[TISSUE], strict=True))}"
        for subject, mine in several.groupby(SUBJECT, sort=False)
        if not _decided(mine, repeated)
    ]
    if not found:
        return
    sizes = known[TISSUE].value_counts()
    counted = ", ".join(f"{tissue} ({n})" for tissue, n in sizes.items())
    problems.other(
        f"{source}: {len(found)} of {samples[SUBJECT].nunique()} participants have RNA samples of several tissues, and no sample_date "
        f"says which of them counts ({examples(found, 3)}). The {len(samples)} samples are of: {counted}. Expected one tissue in the "
        f"models of genes. Set it in the config, such as expression: {{tissue: {sizes.index[0]}}}."
    )


def _decided(mine: pd.DataFrame, repeated: str) -> bool:
    """Whether the dates of a participant's samples say which tissue counts."""
    if repeated not in ("first", "last") or mine["sample_date"].isna().any():
        return False
    day = mine["sample_date"].min() if repeated == "first" else mine["sample_date"].max()
    return mine.loc[mine["sample_date"] == day, TISSUE].nunique() == 1
