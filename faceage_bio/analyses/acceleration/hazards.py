"""Whether each definition of age acceleration goes with death: without age in the model, and with it."""

import pandas as pd

from faceage_bio.analyses.acceleration.definitions import Settings, definition_of, definitions
from faceage_bio.core.columns import AGE, COHORT, EVENT, FACE_AGE, FOLLOWUP, PER_SD
from faceage_bio.core.errors import CohortError, FitError
from faceage_bio.core.results.row import result_rows
from faceage_bio.intake.observation import entry_of, is_followed
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_fit import numbers
from faceage_bio.stats.minimum_sizes import check_events

ALONE, WITH_AGE = "unadjusted", "age"
LEFT_OUT = "follow_up_reason"  # of a table on the survival stage's time: why somebody is not followed
MODEL = "Cox, Efron ties, Wald interval"


def definition_hazards(people: pd.DataFrame, per_years: float) -> pd.DataFrame:
    """Hazard ratio of face age and of each definition that the table has, alone and with chronological age in the model.

    With age in the model face age, age gap and the residual of a line that all participants share have one coefficient, since each
    is another plus a multiple of age; other definitions have one near it. Without it they differ by how much of age is in them.

    Parameters
    ----------
    people : DataFrame, one row per subject
        chronological_age, face_age, followup_years (from the photo), event, entry_years if there is delayed entry, and columns
        as `definitions.define` makes them.
    per_years : float
        Hazard ratios of years are given for this many; others per standard deviation, or per 10 centiles.

    Returns
    -------
    DataFrame, result rows, question "definition hazards"
        Two rows per definition, ``adjustment`` "unadjusted" and "age".

    Raises
    ------
    CohortError
        No follow-up, event or age.
    """
    if lacking := [name for name in (FACE_AGE, AGE, FOLLOWUP, EVENT) if name not in people]:
        raise CohortError(
            f"the table has no column {', '.join(map(repr, lacking))}; it has {', '.join(map(str, people.columns))}. Expected both ages, "
            "followup_years and event. Give the table that compute-acceleration writes."
        )
    cohort = str(people[COHORT].iloc[0]) if COHORT in people and len(people) else ""
    followed = people[is_followed(people) & people[AGE].notna()]
    if LEFT_OUT in followed:
        followed = followed[followed[LEFT_OUT].fillna("") == ""]
    years = (per_years, f"{per_years:g} years")
    units = {"years": years, "SD": (1.0, PER_SD), "centiles": (10.0, "10 centiles")}
    shown = {one.column: units[one.per] for one in definitions(Settings(), "") if one.column in people}
    label = {COHORT: cohort, "question": "definition hazards", "outcome": "death", "measure": "hazard ratio"}
    rows = []
    for column, (unit, per) in ({FACE_AGE: years} | shown).items():
        base = label | {"exposure": column, "term": column, "per": per}
        base["definition"] = "" if column == FACE_AGE else definition_of(column)
        rows += [base | row for row in _alone_and_with_age(followed, column, unit)]
    return result_rows(rows, "acceleration/definition_hazards")


def _alone_and_with_age(followed: pd.DataFrame, column: str, unit: float) -> list[dict]:
    """Both rows of a definition; there is no other way to make one of them."""
    known = followed[followed[column].notna()]
    design = pd.DataFrame({column: known[column] / unit, AGE: known[AGE] / 10})
    rows = []
    counts = {"n": len(known), "n_events": int(known[EVENT].sum())}
    for adjustment, terms in ((ALONE, [column]), (WITH_AGE, [column, AGE])):
        row = {"adjustment": adjustment, "covariates": ", ".join(terms[1:]), "model": MODEL} | counts
        try:
            if not len(known):
                raise FitError("no_value")
            check_events(known[EVENT])
            fit = fit_cox(known[FOLLOWUP], known[EVENT], design[terms], entry_of(known))
            row |= numbers(fit.terms.loc[column]) | {"reason": fit.reasons}
        except FitError as error:
            row["reason"] = error.reason
        rows.append(row)
    return rows
