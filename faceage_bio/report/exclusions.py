"""Which photos were not used and which RNA samples were flagged or excluded, from the ledger: lists for the study's own team."""

from collections.abc import Sequence

import pandas as pd

from faceage_bio.core.columns import COHORT, PHOTO, SAMPLE, SUBJECT
from faceage_bio.report import words

PREFIX = "INTERNAL_"  # of every file of exact numbers or of single participants
PHOTOS, SAMPLES = f"{PREFIX}photos_not_used.tsv", f"{PREFIX}samples_flagged.tsv"
LINKS = {"photos": f"tables/{PHOTOS}", "samples": f"tables/{SAMPLES}"}  # from the pages
COLUMNS = (COHORT, "{id}", SUBJECT, "stage", "status", "reason", "detail")


def photos_not_used(ledgers: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Each photo without a usable face age, with the reason."""
    return _listed(ledgers, PHOTO, ("excluded",))


def samples_flagged(ledgers: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Each RNA sample that was excluded, or used but flagged, with the reason."""
    return _listed(ledgers, SAMPLE, ("excluded", "flagged"))


def _listed(ledgers: Sequence[pd.DataFrame], identifier: str, statuses: Sequence[str]) -> pd.DataFrame:
    ledger = pd.concat(ledgers, ignore_index=True)
    rows = ledger[(ledger[identifier] != "") & ledger["status"].isin(statuses)]
    rows = rows.assign(
        reason=rows["reason"].map(words.reason),
        detail=[
            "; ".join(words.REASONS.get(part, part) for part in detail.split(";"))
            for detail in rows["detail"]
        ],
    )
    return rows[[name.format(id=identifier) for name in COLUMNS]].drop_duplicates()
