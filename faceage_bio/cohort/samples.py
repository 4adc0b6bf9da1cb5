"""RNA samples: whose they are, and whether the counts are raw counts."""

from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio import parse
from faceage_bio.cohort import schemas
from faceage_bio.cohort.photos import read
from faceage_bio.columns import COHORT, SAMPLE, SAMPLE_COLUMNS, SUBJECT
from faceage_bio.errors import examples
from faceage_bio.problems import Problems


def read_samples(cohort: str, settings: dict, known: set[str], problems: Problems) -> pd.DataFrame:
    """The checked samples of a cohort, ``columns.SAMPLE_COLUMNS``; none if it has no RNA."""
    empty = pd.DataFrame(columns=list(SAMPLE_COLUMNS))
    if settings.get("single_cell"):
        return _donors(cohort, settings["single_cell"], known, problems)
    if not settings.get("counts"):
        return empty
    names = check_counts(settings["counts"], problems)
    if names is None:
        return empty
    if not settings.get("samples"):
        table = pd.DataFrame({SAMPLE: names, SUBJECT: names}, index=range(1, len(names) + 1))
        file = settings["counts"]
    else:
        file = settings["samples"]
        table = read(file, settings.get("columns") or {}, (SAMPLE, SUBJECT), problems)
        if table is None:
            return empty
        if "sample_date" in table:
            table["sample_date"] = parse.dates(table["sample_date"], "sample_date", file, problems)
        schemas.check(table, schemas.SAMPLES, file, problems)
        _check_same_names(table, names, file, settings["counts"], problems)
    strangers = table[~table[SUBJECT].isin(known)]
    if len(strangers):
        found = [f"line {line}: {subject!r}" for line, subject in strangers[SUBJECT].items()]
        problems.other(
            f"{file}: {len(strangers)} sample(s) of subjects that the cohort does not have: {examples(found)}."
        )
    table[COHORT] = cohort
    return table.reindex(columns=list(SAMPLE_COLUMNS))


def _check_same_names(
    table: pd.DataFrame, names: list[str], file: str, counts: str, problems: Problems
) -> None:
    without_counts = sorted(set(table[SAMPLE]) - set(names))
    without_row = sorted(set(names) - set(table[SAMPLE]))
    if without_counts:
        problems.other(
            f"{file}: {len(without_counts)} sample(s) have no column in {counts}: {examples(without_counts)}."
        )
    if without_row:
        problems.other(
            f"{counts}: {len(without_row)} column(s) have no row in {file}: {examples(without_row)}."
        )


def check_counts(path: str, problems: Problems) -> list[str] | None:
    """Names of the samples in a table of raw counts, or None if it is something else."""
    if not Path(path).is_file():
        problems.other(f"{path}: no such file. Give the table of raw counts under `counts:`.")
        return None
    with open(path, encoding="utf-8-sig") as stream:
        header = stream.readline()
    separator = max("\t,;", key=header.count)
    try:
        table = pd.read_csv(
            path, sep=separator, index_col=0, encoding="utf-8-sig", keep_default_na=False, na_values=[""]
        )
    except (ValueError, UnicodeDecodeError) as error:
        problems.other(f"{path}: cannot be read as a table ({error}).")
        return None
    names = header.rstrip("\n\r").replace('"', "").split(separator)[1:]
    doubled_samples = sorted({name for name in names if names.count(name) > 1})
    doubled = table.index[table.index.duplicated()].unique().astype(str).tolist()
    words = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    if table.shape[0] == 0 or table.shape[1] == 0:
        problems.other(
            f"{path}: no counts found. Expected genes in rows, samples in columns, gene names in the first column."
        )
        return None
    if doubled_samples:
        problems.other(
            f"{path}: {len(doubled_samples)} sample(s) have more than one column: {examples(doubled_samples)}."
        )
    if doubled:
        problems.other(
            f"{path}: {len(doubled)} gene(s) stand in more than one row: {examples(doubled)}. Sum them, or keep one."
        )
    if words:
        problems.other(
            f"{path}: {len(words)} column(s) hold words, not counts: {examples(words)}. Leave annotation columns out."
        )
        return names
    _check_raw(table, path, problems)
    return names


def _check_raw(table: pd.DataFrame, path: str, problems: Problems) -> None:
    """Normalised or log values are refused, with the evidence."""
    values = table.to_numpy(dtype=np.float64)
    missing, negative = ~np.isfinite(values), values < 0
    broken = np.isfinite(values) & (values != np.round(values))
    for mask, what in ((missing, "missing"), (negative, "negative"), (broken, "not whole numbers")):
        if mask.any():
            gene, sample = np.argwhere(mask)[0]
            problems.other(
                f"{path}: {mask.mean():.1%} of the values are {what}, such as {values[gene, sample]:.6g} for gene "
                f"{table.index[gene]!r} in sample {table.columns[sample]!r}; the largest value is {np.nanmax(values):.6g}. "
                "DESeq2 needs raw counts: not TPM, FPKM, CPM or logarithms."
            )
    shape_hint = table.shape[1] > 5 * table.shape[0] and table.shape[1] > 1000
    if shape_hint:
        problems.other(
            f"{path}: {table.shape[0]} rows and {table.shape[1]} columns look like samples in rows. Put genes in rows."
        )


def _donors(cohort: str, path: str, known: set[str], problems: Problems) -> pd.DataFrame:
    """One sample per donor of a single-cell file."""
    import anndata

    empty = pd.DataFrame(columns=list(SAMPLE_COLUMNS))
    try:
        cells = anndata.read_h5ad(path, backed="r")
    except (OSError, KeyError, ValueError) as error:
        problems.other(f"{path}: cannot be read as h5ad ({error}).")
        return empty
    try:
        lacking = [name for name in (SUBJECT, "cell_type") if name not in cells.obs]
        if lacking:
            problems.other(
                f"{path}: obs lacks {', '.join(lacking)}; found {', '.join(map(str, cells.obs.columns))}."
            )
            return empty
        donors = sorted(cells.obs[SUBJECT].astype(str).unique())
        layer = cells.layers.get("counts", cells.X)
        block = layer[: min(500, cells.n_obs)]
        values = (
            block.data if hasattr(block, "data") and not isinstance(block, np.ndarray) else np.asarray(block)
        )
        values = np.asarray(values, dtype=np.float64)
    finally:
        cells.file.close()
    if values.size and ((values != np.round(values)).any() or (values < 0).any()):
        odd = values[(values != np.round(values)) | (values < 0)][0]
        problems.other(
            f"{path}: X holds values such as {odd:.6g}. Put raw counts into X or layers['counts']."
        )
    strangers = [donor for donor in donors if donor not in known]
    if strangers:
        problems.other(
            f"{path}: {len(strangers)} donor(s) that the cohort does not have: {examples(strangers)}."
        )
    return pd.DataFrame({COHORT: cohort, SAMPLE: donors, SUBJECT: donors}).reindex(
        columns=list(SAMPLE_COLUMNS)
    )
