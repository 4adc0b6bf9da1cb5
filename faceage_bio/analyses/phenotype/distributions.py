"""How face age and age acceleration are spread: by group as quantiles, and against age as counts in squares."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from faceage_bio.analyses.phenotype.people import as_words, ascending, order_of
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, COHORT, FACE_AGE
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.row import result_rows

QUANTILES = {"q10": 0.10, "q25": 0.25, "q50": 0.50, "q75": 0.75, "q90": 0.90}
WIDTH = 5.0  # of a square, years


def distributions(people: pd.DataFrame, factors: Sequence[str], cohort: str) -> pd.DataFrame:
    """Quantiles of age acceleration in each group of each factor, and among all.

    Parameters
    ----------
    people : rows of `gather` of one cohort
    factors : columns of groups

    Returns
    -------
    DataFrame
        Result rows with ``factor``, ``group``, ``standard_deviation``, ``q10`` ... ``q90`` (years); measure: mean.
    """
    known = people[people[AGE_ACCELERATION].notna()]
    everybody = _spread(known[AGE_ACCELERATION])
    rows: list[dict] = [{"term": "all", "factor": "all", "group": "all"} | everybody]
    for factor in dict.fromkeys(factors):
        if factor not in known or not known[factor].notna().any():
            rows.append({"term": factor, "factor": factor, "group": "", "reason": reason("no_value")})
            continue
        words = as_words(known[factor].dropna())
        order = order_of(words, factor)
        for group in ascending(order, factor) or order:
            row: dict = {"term": f"{factor}: {group}", "factor": factor, "group": group}
            rows.append(row | _spread(known.loc[words.index[words == group], AGE_ACCELERATION]))
    shared = {
        COHORT: cohort, "question": "distribution", "outcome": "age acceleration", "measure": "mean",
    }  # fmt: skip
    return result_rows([shared | row for row in rows], "phenotype/distributions")


def _spread(values: pd.Series) -> dict:
    n = len(values)
    if not n:
        return {"n": 0, "reason": reason("no_value")}
    row = {
        "n": n,
        "estimate": float(values.mean()),
        "standard_deviation": float(values.std(ddof=1)) if n > 1 else np.nan,
    }
    return row | {name: float(values.quantile(share)) for name, share in QUANTILES.items()}


def age_histogram(people: pd.DataFrame, cohort: str) -> pd.DataFrame:
    """Participants in squares of age and face age, of one width in every cohort, so that cohorts can be compared.

    Returns
    -------
    DataFrame
        cohort, age_lower, face_age_lower, width (years), n; squares that hold no participant have no row.
    """
    known = people[people[AGE].notna() & people[FACE_AGE].notna()]
    columns = [COHORT, "age_lower", "face_age_lower", "width", "n"]
    cut = pd.DataFrame({
        "age_lower": np.floor(known[AGE] / WIDTH) * WIDTH, "face_age_lower": np.floor(known[FACE_AGE] / WIDTH) * WIDTH,
    })  # fmt: skip
    counted = cut.value_counts().rename("n").reset_index().assign(**{COHORT: cohort, "width": WIDTH})
    return counted[columns].sort_values(columns[1:3], ignore_index=True)
