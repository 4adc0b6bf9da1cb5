"""What became of each photo on its way to an age."""

import pandas as pd

from faceage_bio.core.columns import COHORT, PHOTO, SUBJECT
from faceage_bio.core.tables import ledger_rows


def ledger_of(face_ages: pd.DataFrame) -> pd.DataFrame:
    """What became of each photo at this stage."""
    rows = face_ages[[COHORT, SUBJECT, PHOTO, "status", "reason"]].copy()
    rows["detail"] = face_ages["flags"].where(face_ages["flags"] != face_ages["reason"], "")
    rows["stage"] = "face_age"
    rows["status"] = rows["status"].map({"ok": "included", "flagged": "flagged", "excluded": "excluded"})
    return ledger_rows(rows)
