"""Single cells that pass quality, summed to one count profile per participant and cell type (pseudobulk), and
the share of each cell type.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from faceage_bio.analyses.expression.formula import plain
from faceage_bio.analyses.expression.sets import rows_of_ages, with_gap
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, AGE_GAP, COHORT, SAMPLE, SUBJECT
from faceage_bio.core.errors import CohortError, FitError
from faceage_bio.core.results.row import result_rows
from faceage_bio.core.settings.settings_genes import Expression
from faceage_bio.intake.rna.cells import CELL_TYPE, CellFile, blocks
from faceage_bio.stats.multiplicity import q_values
from faceage_bio.stats.sample_size import smallest_detectable

ABOUT = [SUBJECT, CELL_TYPE, "n_cells", "n_counts", "reason"]  # columns of a profile before its genes
MITOCHONDRIAL = "MT-"
NO_DONOR, NO_TYPE = "cell_without_donor", "cell_without_type"
# the first that holds is a cell's
REASONS = (NO_DONOR, NO_TYPE, "doublet", "few_genes", "many_mitochondrial")
NO_CELLS, TOO_FEW_CELLS, TOO_FEW_COUNTS = "no_cells_left", "too_few_cells", "too_few_counts"
UNKNOWN_TYPE = "cell type not reported"
HALF_A_CELL = 0.5  # added to every number of cells, because no logarithm is of zero
QUESTION = "cell composition"
MEASURE = "log2 fold change of the share"  # against the mean of all cell types
MODEL = "centred log-ratio, least squares, HC3"


@dataclass(frozen=True)
class Pseudobulk:
    """``profiles``: `ABOUT` and a column per gene, one row per participant and cell type that the file has,
    dropped ones too (``reason`` says why; "" is kept). ``dropped``: subject_id, cell_type, reason, n of the
    dropped cells. ``said``: sentences.
    """

    profiles: pd.DataFrame
    dropped: pd.DataFrame
    said: list[str]


def aggregate_cells(cells: CellFile, settings: Expression) -> Pseudobulk:
    """Sum raw counts over the good cells of each participant and cell type.

    Cells of fewer genes or a greater mitochondrial share, and profiles of fewer cells or counts, are dropped.

    The file is read twice in blocks: once to measure its cells, once to sum them.

    Raises
    ------
    CountsError
        A value that is no raw count.
    """
    measured = measure_cells(cells)
    reason, said = judge_cells(measured, cells.obs, settings)
    keys = cells.obs[[SUBJECT, CELL_TYPE]]
    named = (keys[SUBJECT] != "") & (keys[CELL_TYPE] != "")
    profile = keys[named].drop_duplicates().sort_values([CELL_TYPE, SUBJECT], ignore_index=True)
    place = pd.MultiIndex.from_frame(profile).get_indexer(pd.MultiIndex.from_frame(keys))
    kept = np.flatnonzero((reason == "").to_numpy())
    sums, genes = sum_cells(cells, place, kept, len(profile))
    profile["n_cells"] = np.bincount(place[kept], minlength=len(profile))
    profile["n_counts"] = sums.sum(axis=1)
    profile["reason"] = np.select(
        [
            profile.n_cells == 0,
            profile.n_cells < settings.min_cells,
            profile.n_counts < settings.min_profile_counts,
        ],
        [NO_CELLS, TOO_FEW_CELLS, TOO_FEW_COUNTS],
        "",
    )
    dropped = keys.assign(reason=reason)[reason != ""].value_counts(sort=False).rename("n").reset_index()
    table = pd.concat([profile, pd.DataFrame(sums, columns=genes)], axis=1)
    return Pseudobulk(table, dropped, said)


def measure_cells(cells: CellFile) -> pd.DataFrame:
    """Counts, genes detected and mitochondrial share of each cell, as scanpy's ``calculate_qc_metrics`` gives
    them.

    Returns
    -------
    DataFrame
        total, genes, mitochondrial (NaN for cells without counts, or if no gene is called MT-...), in the
        file's order.
    """
    n_cells, _ = cells.shape
    total, genes, mitochondrial = (np.zeros(n_cells) for _ in range(3))
    is_mitochondrial = cells.genes.str.startswith(MITOCHONDRIAL)
    for rows, columns, block in blocks(cells):
        block.eliminate_zeros()
        total[rows] += np.asarray(block.sum(axis=1, dtype=np.float64)).ravel()
        genes[rows] += block.getnnz(axis=1)
        mitochondrial[rows] += block @ is_mitochondrial[columns].astype(np.float64)
    share = np.full(n_cells, np.nan)
    if is_mitochondrial.any():
        np.divide(mitochondrial, total, out=share, where=total > 0)
    return pd.DataFrame({"total": total, "genes": genes.astype(int), "mitochondrial": share})


def judge_cells(
    measured: pd.DataFrame, obs: pd.DataFrame, settings: Expression
) -> tuple[pd.Series, list[str]]:
    """Why each cell is dropped ("" if it is not), and what there is to say of the rules."""
    few, many = (
        measured.genes < settings.min_genes_per_cell,
        measured.mitochondrial > settings.max_mitochondrial,
    )
    holds = [obs[SUBJECT] == "", obs[CELL_TYPE] == "", obs["doublet"], few, many]
    reason = pd.Series(np.select([one.to_numpy() for one in holds], REASONS, ""), index=obs.index)
    said = []
    if measured.mitochondrial.isna().all():
        said.append(
            "no gene is called MT-..., so the mitochondrial share of the cells is not known and drops none"
        )
    return reason, said


def sum_cells(
    cells: CellFile, place: np.ndarray, kept: np.ndarray, n_profiles: int
) -> tuple[np.ndarray, pd.Index]:
    """Counts of the kept cells summed by profile and by symbol.

    Returns
    -------
    array of int, shape (n_profiles, n_symbols), Index of symbols
    """
    n_cells, n_columns = cells.shape
    member = sparse.csr_matrix((np.ones(len(kept)), (place[kept], kept)), shape=(n_profiles, n_cells))
    symbol, symbols = pd.factorize(cells.genes)
    one = sparse.csr_matrix(
        (np.ones(n_columns), (np.arange(n_columns), symbol)), shape=(n_columns, len(symbols))
    )
    sums = np.zeros((n_profiles, len(symbols)), dtype=np.int64)
    for rows, columns, block in blocks(cells):
        piece = member[:, rows] @ block.astype(np.float64) @ one[columns]
        for row in np.flatnonzero(np.diff(piece.indptr)):  # never dense as a whole
            own = slice(piece.indptr[row], piece.indptr[row + 1])
            sums[row, piece.indices[own]] += piece.data[own].astype(np.int64)
    return sums, pd.Index(symbols)


def samples_of(
    profiles: pd.DataFrame, cell_type: str, cohort: str, donors: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Counts (genes x samples) and samples table of the kept profiles of one cell type.

    Parameters
    ----------
    donors : DataFrame with subject_id, batch, sample_date and whatever else is known of donors
    """
    mine = profiles[(profiles[CELL_TYPE] == cell_type) & (profiles["reason"] == "")]
    counts = mine.drop(columns=ABOUT).set_axis(mine[SUBJECT].to_numpy(), axis=0).T
    names = mine[SUBJECT].to_numpy()
    samples = donors.drop_duplicates(SUBJECT).set_index(SUBJECT).reindex(names).reset_index()
    return counts, samples.assign(**{COHORT: cohort, SAMPLE: names})[donors.columns]


def donors_left_out(profiles: pd.DataFrame) -> pd.Series:
    """Why donors have no profile at all, indexed by subject_id: the reason of the profile that came farthest."""
    order = {NO_CELLS: 0, TOO_FEW_CELLS: 1, TOO_FEW_COUNTS: 2, "": 3}
    best = profiles.sort_values("reason", key=lambda reason: reason.map(order), kind="stable")
    best = best.drop_duplicates(SUBJECT, keep="last").set_index(SUBJECT)["reason"]
    return best[best != ""]


def cells_ledger(result: Pseudobulk, cohort: str) -> pd.DataFrame:
    """What became of the cells, one row per participant and cell type (private); what has no name has ""."""
    keys = [SUBJECT, CELL_TYPE]
    by_reason = result.dropped.pivot_table(index=keys, columns="reason", values="n", aggfunc="sum")
    by_reason = by_reason.reindex(columns=list(REASONS))
    table = result.profiles[ABOUT].rename(columns={"reason": "profile_reason"})
    table = table.merge(by_reason.reset_index(), on=keys, how="outer")
    numbers = ["n_cells", "n_counts", *REASONS]
    table[numbers] = table[numbers].fillna(0).astype(int)
    table["reason"] = table.pop("profile_reason").fillna(NO_CELLS)
    table["cells"] = table[["n_cells", *REASONS]].sum(axis=1)
    table["status"] = np.where(table["reason"] == "", "included", "excluded")
    order = [COHORT, *keys, "stage", "status", "reason", "cells", *numbers]
    return table.assign(cohort=cohort, stage="expression")[order]


def quality_table(ledger: pd.DataFrame, cohort: str) -> pd.DataFrame:
    """What became of cells and profiles of each cell type, without any person: result rows to be shared.

    ``measure`` is "cells" or "profiles" (one of each donor), ``fate`` what became of them: "all", "kept", or
    why they were dropped; ``n`` counts the donors that the number comes from.
    """
    rows = []
    named = ledger[CELL_TYPE].where(ledger[CELL_TYPE] != "", UNKNOWN_TYPE)
    for cell_type, mine in ledger.groupby(named, sort=True):
        for fate, column in [("all", "cells"), ("kept", "n_cells"), *((why, why) for why in REASONS)]:
            carriers = mine[(mine[column] > 0) & (mine[SUBJECT] != "")]
            rows.append((cell_type, "cells", fate, mine[column].sum(), carriers[SUBJECT].nunique()))
        donors = mine[(mine[SUBJECT] != "") & (mine[CELL_TYPE] != "")]
        of_reason = donors["reason"].value_counts()
        fates = {"all": len(donors), "kept": of_reason.get("", 0)}
        fates |= {why: of_reason.get(why, 0) for why in (NO_CELLS, TOO_FEW_CELLS, TOO_FEW_COUNTS)}
        rows += [(cell_type, "profiles", fate, n, n) for fate, n in fates.items()]
    table = pd.DataFrame(rows, columns=["term", "measure", "fate", "estimate", "n"])
    table = table.assign(cohort=cohort, question="single cells")
    return result_rows(table, "expression/cell_quality")


# Which share each cell type has of a donor's cells, against face age beside age.


def cell_numbers(profiles: pd.DataFrame) -> pd.DataFrame:
    """Good cells, donors x cell types; those of dropped profiles too, since they are the donor's."""
    return profiles.pivot_table(
        index=SUBJECT, columns=CELL_TYPE, values="n_cells", aggfunc="sum", fill_value=0
    )


def centred_log_ratio(numbers: pd.DataFrame) -> pd.DataFrame:
    """Log2 of each number of cells (plus half a cell) minus the donor's mean of these over the cell types.

    Aitchison 1982, doi:10.1111/j.2517-6161.1982.tb01195.x. Shares add up to one, so one cell type cannot rise
    without others falling; logarithms of ratios are free of that. Zero cells become half a cell, and so that
    no jump arises between zero and one, half a cell is added everywhere (as to counts in voom).
    """
    levels = np.log2(numbers + HALF_A_CELL)
    return levels.sub(levels.mean(axis=1), axis=0)


def composition_table(
    profiles: pd.DataFrame,
    people: pd.DataFrame,
    cohort: str,
    settings: Expression,
) -> pd.DataFrame:
    """Change of each cell type's share per ``per_years`` of three exposures: age gap, age acceleration and age.

    Parameters
    ----------
    profiles : DataFrame with subject_id, cell_type, n_cells
    people : DataFrame, the cohort's analysis table
    settings : Expression
        covariates: columns alongside both ages; interactions are passed over. min_cells: donors with fewer
        cells in all are left out. min_donors: cell types that fewer donors have are left out, of the mean
        over cell types too. per_years.

    Returns
    -------
    DataFrame, result rows with ``exposure``, ``mean_share`` (of the donors' cells), ``n_with_cells``
    (donors), ``detectable``
        (smallest change found with 80% power); q over the cell types. A cell type that is left out keeps its
        rows with the reason; the unadjusted age gap stands only beside the adjusted row.

    Raises
    ------
    CohortError
        A covariate that the analysis table does not have.
    """
    others, per_years = plain(settings.covariates), settings.per_years
    if unknown := [name for name in others if name not in people]:
        raise CohortError(
            f"expression.covariates names {', '.join(map(repr, unknown))}, which the analysis table does not have; it has "
            f"{', '.join(map(str, people.columns))}. Expected some of these. Correct the name, or add the column to the clinical table."
        )
    numbers = cell_numbers(profiles)
    people = with_gap(people)
    gap = [AGE_GAP] if AGE_GAP in people else []
    known = people.dropna(subset=[AGE_ACCELERATION, AGE, *gap, *others]).set_index(SUBJECT)
    known = known[known.index.isin(numbers.index[numbers.sum(axis=1) >= settings.min_cells])]
    numbers = numbers.reindex(known.index)
    seen = (numbers > 0).sum()
    shares = numbers.div(numbers.sum(axis=1), axis=0).mean()
    compared = [name for name in numbers if seen[name] >= settings.min_donors]
    ratios = centred_log_ratio(numbers[compared])
    rows = []
    for name in numbers:

        def level(name=name) -> pd.Series:
            if name not in compared:
                needed = settings.min_donors
                raise FitError("too_few_donors", n_donors=int(seen[name]), n=len(known), needed=needed)
            if len(compared) < 2:
                raise FitError("one_cell_type")
            return ratios[name]

        base = {"term": name, "mean_share": shares[name], "n_with_cells": int(seen[name]), "n": len(known)}
        for row in rows_of_ages(base, known, level, others, per_years):
            found = "standard_error" in row
            rows.append(row | ({"detectable": smallest_detectable(row["standard_error"])} if found else {}))
    label = {COHORT: cohort, "question": QUESTION, "outcome": "share of cells", "measure": MEASURE}
    label |= {"family": "cell types", "per": f"{per_years:g} years", "model": MODEL}
    table = pd.DataFrame(rows, columns=None if rows else ["exposure"]).assign(**label)
    return result_rows(table.assign(q_value=q_values(table, "exposure")), "expression/composition")
