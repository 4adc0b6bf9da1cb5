"""Which models a cohort is too small for, by what its tables hold, before hours are spent on pages without results."""

from collections.abc import Collection

import pandas as pd

from faceage_bio.analyses.age_residual import MIN_AGES, MIN_SUBJECTS
from faceage_bio.core.columns import AGE, EVENT, FOLLOWUP, SUBJECT
from faceage_bio.stats.deseq import SPARE_SAMPLES
from faceage_bio.stats.fewest_events import FEWEST_EVENTS


def too_small(subjects: pd.DataFrame, samples: pd.DataFrame, photographed: Collection[str]) -> list[str]:
    """A sentence for each question that a cohort cannot answer, and why; one alone where it can answer none.

    Parameters
    ----------
    subjects, samples : the cohort's checked tables
    photographed : participants with a photo or a face age
    """
    aged = subjects[subjects[SUBJECT].isin(photographed) & subjects[AGE].notna()]
    if len(aged) < MIN_SUBJECTS or aged[AGE].nunique() < MIN_AGES:
        return [
            f"too small for any model: {len(set(photographed))} participants have a photo or a face age, and {len(aged)} of them a known age "
            f"({aged[AGE].nunique()} different ones); age acceleration needs {MIN_SUBJECTS} (and {MIN_AGES} different ages)"
        ]
    said = []
    followed = aged[aged[[FOLLOWUP, EVENT]].notna().all(axis=1)]
    if (deaths := int(followed[EVENT].sum())) < FEWEST_EVENTS:
        said.append(
            f"too small for any hazard ratio: follow-up is known of {len(followed)} participants with an age, of whom {deaths} died; needed are {FEWEST_EVENTS} deaths"
        )
    needed = 3 + SPARE_SAMPLES  # intercept, age and age acceleration
    if len(samples) and (n := int(samples[SUBJECT].isin(aged[SUBJECT]).sum())) < needed:
        said.append(
            f"too small for any model of genes: {n} RNA samples are of participants with an age; needed are {needed}"
        )
    return said
