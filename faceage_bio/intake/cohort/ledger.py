"""The ledger from the first photo to the last model: nothing disappears, nothing is counted twice."""

import pandas as pd

from faceage_bio.core.columns import (
    COHORT,
    LEDGER_COLUMNS,
    LEDGER_STAGES,
    LEDGER_STATUSES,
    PHOTO,
    SAMPLE,
    SUBJECT,
)
from faceage_bio.core.errors import CohortError

KEYS = [COHORT, SUBJECT, PHOTO, SAMPLE, "stage"]
CELL = [COHORT, "unit", "stage", "status", "reason"]
MISSING = "missing_"  # begins the reasons of those who lack a covariate of the full model alone
CARRIED = {"photo": ["face_age"], "subject": ["acceleration", "survival"], "sample": ["expression"]}


def unit_of(ledger: pd.DataFrame) -> pd.Series:
    """Whether a row is about a photo, a sample or a subject."""
    unit = pd.Series("subject", index=ledger.index)
    unit[ledger[PHOTO] != ""] = "photo"
    unit[ledger[SAMPLE] != ""] = "sample"
    return unit


def gather(ledgers: list[pd.DataFrame]) -> pd.DataFrame:
    """All stages' rows in one table.

    Raises
    ------
    CohortError
        A status that does not exist, an exclusion without a reason, a unit twice at a stage, or a unit that
        came in and is missing at a later stage that ran. Each is a fault of ours, and the results are not to
        be used.
    """
    ledger = pd.concat(ledgers, ignore_index=True).reindex(columns=list(LEDGER_COLUMNS)).fillna("")
    faults = []
    odd = ledger[~ledger["status"].isin(LEDGER_STATUSES) | ~ledger["stage"].isin(LEDGER_STAGES)]
    if len(odd):
        faults.append(f"{len(odd)} row(s) with an unknown stage or status")
    silent = ledger[(ledger["status"] != "included") & (ledger["reason"] == "")]
    if len(silent):
        faults.append(f"{len(silent)} exclusion(s) or flag(s) without a reason")
    doubled = ledger[ledger.duplicated(KEYS)]
    if len(doubled):
        faults.append(f"{len(doubled)} photo(s), subject(s) or sample(s) twice at one stage")
    units = unit_of(ledger)
    for unit, stages in CARRIED.items():
        key = {"photo": PHOTO, "subject": SUBJECT, "sample": SAMPLE}[unit]
        mine = ledger[units == unit]
        came = mine[(mine["stage"] == "intake") & (mine["reason"] != "not_in_manifest")]
        for stage in stages:
            there = mine[mine["stage"] == stage]
            if len(there) and (lost := set(came[key]) - set(there[key])):
                faults.append(f"{len(lost)} {unit}(s) of the intake are missing at the stage {stage}")
    if faults:
        raise CohortError(
            f"the ledger does not add up: {'; '.join(faults)}. Expected each of the intake once at each stage. Do not use these results; report this as a bug."
        )
    return ledger


def flow(ledger: pd.DataFrame) -> pd.DataFrame:
    """Counts only: cohort, unit, stage, status, reason, n; in the order of the stages.

    A unit that one stage excluded is not counted at later ones. Totals are rows of their own (`with_totals`).
    """
    units = unit_of(ledger)
    name = ledger[SUBJECT].mask(units == "photo", ledger[PHOTO]).mask(units == "sample", ledger[SAMPLE])
    rows = ledger.assign(unit=units, name=name, gone=ledger["status"] == "excluded").sort_values(
        "stage", key=_by_stage, kind="stable"
    )
    gone_before = rows.groupby([COHORT, "unit", "name"])["gone"].cumsum() - rows["gone"] > 0
    return with_totals(rows.assign(n=~gone_before).groupby(CELL, as_index=False)["n"].sum())


def with_totals(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells of a flow and the totals that its boxes show, so that each is a count that is rounded once
    where rounded tables leave.

    ``received``: all of the intake; ``remaining``: not excluded at a stage; ``followed``: with follow-up, if
    perhaps without a covariate of the full model. Where all are excluded, they are 0; other cells of none go.
    """
    kept = cells["status"] != "excluded"
    counted = {
        "received": (cells["stage"] == "intake", 1),
        "remaining": (cells["stage"] != "", kept),
        "followed": (cells["stage"] == "survival", kept | cells["reason"].str.startswith(MISSING)),
    }
    totals = [
        cells.assign(status=name, reason="", n=cells["n"] * those)[of_stage]
        for name, (of_stage, those) in counted.items()
    ]
    table = pd.concat(
        [cells[cells["n"] != 0], *(one.groupby(CELL, as_index=False)["n"].sum() for one in totals)]
    )
    return table[[*CELL, "n"]].sort_values(CELL, key=_by_stage, ignore_index=True)


def _by_stage(column: pd.Series) -> pd.Series:
    return column.map(LEDGER_STAGES.index) if column.name == "stage" else column
