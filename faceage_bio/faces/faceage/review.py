"""Manual review of photos: exclusions with reasons, and agreement of the reviewers."""

from itertools import combinations

import numpy as np
import pandas as pd

from faceage_bio.core.columns import COHORT, FACE_AGE, PHOTO, POOLED, PRECISION_ERROR
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import reason as code
from faceage_bio.core.results.row import result_rows
from faceage_bio.faces.faceage.review_codes import REASONS, REVIEWED
from faceage_bio.stats.group_differences import wilson
from faceage_bio.stats.measurement_error import cohens_kappa

UNSURE, DISAGREEMENT = f"{REVIEWED}unsure", f"{REVIEWED}disagreement"
RULES = {
    "exclude": "a photo that one reviewer excludes is excluded",
    "flag": "a photo on which they differ is used and flagged",
    "majority": "a photo that more than half exclude is excluded; others on which they differ are used and flagged",
}


def settle(review: pd.DataFrame, disagreement: str) -> pd.DataFrame:
    """One verdict for each photo.

    Parameters
    ----------
    review : DataFrame with cohort, photo_id, reviewer, decision, reason
    disagreement : a key of ``RULES``

    Returns
    -------
    DataFrame with cohort, photo_id, status ("ok", "flagged", "excluded") and reason ("" or one that begins with "review_")
    """
    rows = [
        dict(zip((COHORT, PHOTO), key, strict=True)) | _verdict(votes, disagreement)
        for key, votes in review.groupby([COHORT, PHOTO], sort=False)
    ]
    return pd.DataFrame(rows, columns=[COHORT, PHOTO, "status", "reason"])


def _verdict(votes: pd.DataFrame, disagreement: str) -> dict[str, str]:
    against = votes[votes["decision"] == "exclude"]
    n, out = len(votes), len(against)
    if out == n or (out and (disagreement == "exclude" or (disagreement == "majority" and 2 * out > n))):
        named = against["reason"].value_counts()
        reason = min(named[named == named.max()].index, key=list(REASONS).index)
        return {"status": "excluded", "reason": REVIEWED + reason}
    if out:
        return {"status": "flagged", "reason": DISAGREEMENT}
    if (votes["decision"] == "unsure").any():
        return {"status": "flagged", "reason": UNSURE}
    return {"status": "ok", "reason": ""}


def mark_reviewed(photos: pd.DataFrame, verdicts: pd.DataFrame) -> pd.DataFrame:
    """The table of face ages with the verdicts in status, reason and flags; an excluded photo loses its ages.

    A photo that a rule excluded already stays so, with that reason: a reviewer cannot give it an age.
    """
    marked = photos.copy()
    found = photos[[COHORT, PHOTO]].merge(verdicts, on=[COHORT, PHOTO], how="left")
    verdict = found["status"].fillna("ok").to_numpy()
    reason = found["reason"].fillna("").to_numpy()
    told = (verdict != "ok") & (photos["status"] != "excluded").to_numpy()
    marked.loc[told, "flags"] = [
        ";".join(filter(None, both)) for both in zip(marked["flags"][told], reason[told], strict=True)
    ]
    lost = told & (verdict == "excluded")
    reasoned = lost | (told & (photos["status"] == "ok").to_numpy())
    marked.loc[reasoned, "reason"] = reason[reasoned]
    marked.loc[told, "status"] = verdict[told]
    ages = [name for name in photos if name.startswith(FACE_AGE) or name == PRECISION_ERROR]
    marked.loc[lost, ages] = np.nan
    return marked


def summarise_review(review: pd.DataFrame, disagreement: str) -> pd.DataFrame:
    """Result rows, question "review": photos reviewed, and for each two reviewers how far they agree on excluding.

    Reviewers are numbered, not named.
    """
    verdicts = settle(review, disagreement)
    seen = review.groupby([COHORT, PHOTO])["reviewer"].nunique()
    base = {COHORT: POOLED, "question": "review", "model": RULES[disagreement]}
    rows = [
        base | {"term": "photos reviewed", "measure": "photos", "estimate": len(verdicts), "n": len(verdicts)}
    ]
    several = int((seen > 1).sum())
    rows.append(base | {"term": "photos reviewed by several", "measure": "photos", "estimate": several, "n": len(verdicts)})  # fmt: skip
    names = sorted(review["reviewer"].unique())
    answers = review.assign(out=review["decision"] == "exclude").pivot_table(
        index=[COHORT, PHOTO], columns="reviewer", values="out", aggfunc="first"
    )
    for one, other in combinations(range(len(names)), 2):
        both = answers[[names[one], names[other]]].dropna().astype(bool)
        term = f"reviewers {one + 1} and {other + 1}"
        rows += [base | {"term": term, "n": len(both)} | row for row in _agreement(both)]
    return result_rows(rows, "faceage/review")


def _agreement(both: pd.DataFrame) -> list[dict]:
    first, second = both.iloc[:, 0], both.iloc[:, 1]
    kappa, equal = (
        {"measure": measure, "outcome": "excluded or not"}
        for measure in ("Cohen's kappa", "observed agreement")
    )
    if not len(both):
        why = code("no_photo_in_common")
        return [kappa | {"reason": why}, equal | {"reason": why}]
    counts = np.array([[((first == a) & (second == b)).sum() for b in (True, False)] for a in (True, False)])
    try:
        kappa |= vars(cohens_kappa(counts))
    except FitError as error:
        kappa |= {"reason": error.reason}
    differ = int((first != second).sum())
    return [kappa, equal | vars(wilson(len(both) - differ, len(both)))]
