"""Tissues of RNA samples: one model is of one tissue, and never by chance of several."""

from collections.abc import Collection

import pandas as pd

from faceage_bio.core.columns import SAMPLE, SUBJECT
from faceage_bio.core.errors import CohortError, Problems, examples

TISSUE = "tissue"


def is_of_tissue(samples: pd.DataFrame, tissue: str) -> pd.Series:
    """Which samples are of this tissue.

    Raises
    ------
    CohortError
        No column ``tissue``, or no sample of it.
    """
    if TISSUE not in samples:
        raise CohortError(
            f"expression.tissue is {tissue!r}, but the samples table has no column '{TISSUE}'. Expected one that tells each sample's tissue. Add it, or leave the setting out."
        )
    mine = samples[TISSUE].astype(str) == tissue
    if not mine.any():
        there = sorted(samples[TISSUE].dropna().astype(str).unique())
        raise CohortError(
            f"expression.tissue is {tissue!r}, but the samples are of: {', '.join(there)}. Expected one of these. Name it, or leave the setting out."
        )
    return mine


def check_one_tissue(
    samples: pd.DataFrame, repeated: str, covariates: Collection[str], source: str, problems: Problems
) -> None:
    """Add a problem if participants have samples of several tissues, and no date says which of them counts.

    Parameters
    ----------
    samples : DataFrame, one row per sample of all tissues
        subject_id, sample_id, sample_date and, if known, tissue.
    repeated : what becomes of several samples of a participant, as in ``expression.repeated_samples``
    covariates : columns of the model; with tissue among them all samples may enter it together ("block")
    source : what the samples are called in the message
    """
    if TISSUE not in samples or (repeated == "block" and TISSUE in covariates):
        return
    known = samples[samples[TISSUE].notna()]
    known = known.assign(**{TISSUE: known[TISSUE].astype(str)})
    several = known[known.groupby(SUBJECT)[TISSUE].transform("nunique") > 1]
    found = [
        f"{subject}: {', '.join(f'{sample} ({tissue})' for sample, tissue in zip(mine[SAMPLE], mine[TISSUE], strict=True))}"
        for subject, mine in several.groupby(SUBJECT, sort=False)
        if not _decided(mine, repeated)
    ]
    if not found:
        return
    sizes = known[TISSUE].value_counts()
    counted = ", ".join(f"{tissue} ({n})" for tissue, n in sizes.items())
    problems.other(
        f"{source}: {len(found)} of {samples[SUBJECT].nunique()} participants have RNA samples of several tissues, and no sample_date "
        f"says which of them counts ({examples(found, 3)}). The {len(samples)} samples are of: {counted}. Expected one tissue in the "
        f"models of genes. Set it in the config, such as expression: {{tissue: {sizes.index[0]}}}."
    )


def _decided(mine: pd.DataFrame, repeated: str) -> bool:
    """Whether the dates of a participant's samples say which tissue counts."""
    if repeated not in ("first", "last") or mine["sample_date"].isna().any():
        return False
    day = mine["sample_date"].min() if repeated == "first" else mine["sample_date"].max()
    return mine.loc[mine["sample_date"] == day, TISSUE].nunique() == 1
