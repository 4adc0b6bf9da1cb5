"""Which share each cell type has of a donor's cells, against face age beside age."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from faceage_bio.columns import AGE, AGE_ACCELERATION, AGE_GAP, COHORT, FACE_AGE, SUBJECT
from faceage_bio.errors import CohortError, FitError
from faceage_bio.expression.formula import plain
from faceage_bio.expression.sets import RAW, fit_ages
from faceage_bio.rna.cells import CELL_TYPE
from faceage_bio.stats.multiplicity import benjamini_hochberg
from faceage_bio.stats.power import smallest_detectable
from faceage_bio.tables import result_rows

HALF_A_CELL = 0.5  # added to every number of cells, because no logarithm is of zero
ANALYSIS = "cell composition"
MEASURE = "log2 change of the share, against the mean of all cell types"
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
        (smallest change found with 80 % power); q over the cell types. A cell type that is left out keeps its rows with the
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
            f"{', '.join(map(str, people.columns))}. Expected some of these. Correct the name, or add the column to the clinic table."
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
    adjustment = ", ".join(["age", *others])
    models = [([AGE_GAP], {AGE_GAP: RAW})] if gap else []
    models.append((
        [AGE_ACCELERATION, AGE, *others],
        {AGE_ACCELERATION: adjustment, AGE: ", ".join(["age acceleration", *others])},
    ))  # fmt: skip
    rows = []
    for name in numbers:
        base = {"term": name, "mean_share": shares[name], "n_with_cells": int(seen[name]), "n": len(known)}
        try:
            if name not in compared:
                raise FitError(
                    f"{seen[name]} of {len(known)} donors have cells of it, and {min_donors} are needed"
                )
            if len(compared) < 2:
                raise FitError("shares need at least two cell types that enough donors have")
            fits = [fit_ages(known, ratios[name], columns, per_years)[0] for columns, _ in models]
        except FitError as error:
            why = f"not estimated, because {str(error).replace(' rows are', ' donors are')}"
            rows += [
                base | {"exposure": one, "adjustment": held, "note": why}
                for _, exposures in models for one, held in exposures.items()
            ]  # fmt: skip
            continue
        for terms, (_, exposures) in zip(fits, models, strict=True):
            for one, held in exposures.items():
                found = terms.loc[
                    one, ["estimate", "standard_error", "ci_lower", "ci_upper", "p_value"]
                ].to_dict()
                found["detectable"] = smallest_detectable(found["standard_error"])
                rows.append(base | found | {"exposure": one, "adjustment": held, "note": ""})
    columns = [
        "term",
        "exposure",
        "estimate",
        "standard_error",
        "ci_lower",
        "ci_upper",
        "p_value",
        "detectable",
        "n",
    ]
    table = pd.DataFrame(rows).reindex(columns=[*columns, "mean_share", "n_with_cells", "adjustment", "note"])
    table["q_value"] = table.groupby("exposure")["p_value"].transform(
        lambda p: benjamini_hochberg(p.to_numpy())
    )
    told = {
        COHORT: cohort,
        "analysis": ANALYSIS,
        "measure": MEASURE,
        "per": f"{per_years:g} years",
        "model": MODEL,
    }
    return result_rows(table.assign(**told))
