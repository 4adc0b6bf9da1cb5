"""Which share each cell type has of a donor's cells, against face age beside age."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from faceage_bio.analyses.expression.formula import plain
from faceage_bio.analyses.expression.sets import ages_of, fit_ages
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, AGE_GAP, COHORT, FACE_AGE, SUBJECT
from faceage_bio.core.errors import CohortError, FitError
from faceage_bio.core.results.row import result_rows
from faceage_bio.intake.rna.cells import CELL_TYPE
from faceage_bio.stats.multiplicity import benjamini_hochberg
from faceage_bio.stats.sample_size import smallest_detectable

HALF_A_CELL = 0.5  # added to every number of cells, because no logarithm is of zero
QUESTION = "cell composition"
MEASURE = "log2 fold change of the share"  # against the mean of all cell types
MODEL = "centred log-ratio, least squares, HC3"


def cell_numbers(profiles: pd.DataFrame) -> pd.DataFrame:
    """Good cells, donors x cell types; those of dropped profiles too, since they are the donor's."""
    return profiles.pivot_table(
        index=SUBJECT, columns=CELL_TYPE, values="n_cells", aggfunc="sum", fill_value=0
    )


def centred_log_ratio(numbers: pd.DataFrame) -> pd.DataFrame:
    """Log2 of each number of cells (plus half a cell) minus the donor's mean of these over the cell types.

    Aitchison 1982, doi:10.1111/j.2517-6161.1982.tb01195.x. Shares add up to one, so one cell type cannot rise without
    others falling; logarithms of ratios are free of that. Zero cells become half a cell, and so that no jump arises between
    zero and one, half a cell is added everywhere (as to counts in voom).
    """
    levels = np.log2(numbers + HALF_A_CELL)
    return levels.sub(levels.mean(axis=1), axis=0)


def composition_table(
    profiles: pd.DataFrame,
    people: pd.DataFrame,
    cohort: str,
    covariates: Sequence[str],
    per_years: float,
    min_cells: int,
    min_donors: int,
) -> pd.DataFrame:
    """Change of each cell type's share per ``per_years`` of the raw age gap, of age acceleration and of age beside each other.

    Parameters
    ----------
    profiles : DataFrame with subject_id, cell_type, n_cells
    people : DataFrame, the cohort's analysis table
    covariates : columns beside both ages; interactions are passed over
    min_cells : donors with fewer cells in all are left out
    min_donors : cell types that fewer donors have are left out, of the mean over cell types too

    Returns
    -------
    DataFrame, result rows with ``exposure``, ``mean_share`` (of the donors' cells), ``n_with_cells`` (donors), ``detectable``
        (smallest change found with 80% power); q over the cell types. A cell type that is left out keeps its rows with the
        reason; the raw age gap stands only beside the adjusted row.

    Raises
    ------
    CohortError
        A covariate that the analysis table does not have.
    """
    others = plain(covariates)
    if unknown := [name for name in others if name not in people]:
        raise CohortError(
            f"expression.covariates names {', '.join(map(repr, unknown))}, which the analysis table does not have; it has "
            f"{', '.join(map(str, people.columns))}. Expected some of these. Correct the name, or add the column to the clinical table."
        )
    numbers = cell_numbers(profiles)
    if AGE_GAP not in people and FACE_AGE in people:
        people = people.assign(**{AGE_GAP: people[FACE_AGE] - people[AGE]})
    gap = [AGE_GAP] if AGE_GAP in people else []
    known = people.dropna(subset=[AGE_ACCELERATION, AGE, *gap, *others]).set_index(SUBJECT)
    known = known[known.index.isin(numbers.index[numbers.sum(axis=1) >= min_cells])]
    numbers = numbers.reindex(known.index)
    seen = (numbers > 0).sum()
    shares = numbers.div(numbers.sum(axis=1), axis=0).mean()
    compared = [name for name in numbers if seen[name] >= min_donors]
    ratios = centred_log_ratio(numbers[compared])
    models = ages_of(people, others)
    rows = []
    for name in numbers:
        base = {"term": name, "mean_share": shares[name], "n_with_cells": int(seen[name]), "n": len(known)}
        try:
            if name not in compared:
                raise FitError("too_few_donors", n_donors=int(seen[name]), n=len(known), needed=min_donors)
            if len(compared) < 2:
                raise FitError("one_cell_type")
            fits = [fit_ages(known, ratios[name], columns, per_years) for columns, _ in models]
        except FitError as error:
            rows += [base | held | {"reason": error.reason} for _, exposures in models for held in exposures]
            continue
        for fitted, (_, exposures) in zip(fits, models, strict=True):
            for held in exposures:
                found = fitted[held["exposure"]]
                rows.append(
                    base | found | held | {"detectable": smallest_detectable(found["standard_error"])}
                )
    table = pd.DataFrame(rows)
    table = table.reindex(columns=[*dict.fromkeys([*table, "exposure", "p_value"])])
    table["q_value"] = table.groupby("exposure")["p_value"].transform(
        lambda p: benjamini_hochberg(p.to_numpy(dtype=float))
    )
    told = {
        COHORT: cohort,
        "question": QUESTION,
        "outcome": "share of cells",
        "measure": MEASURE,
        "family": "cell types",
        "per": f"{per_years:g} years",
        "model": MODEL,
    }
    return result_rows(table.assign(**told), "expression/composition")
