"""Events that a trial saves by adjusting for a prognostic score, estimated on pilot rows."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from faceage_bio.analyses.planning.pilot import design_matrix
from faceage_bio.analyses.planning.plan_table import Said
from faceage_bio.core.columns import EVENT, FOLLOWUP
from faceage_bio.stats.cox_fit import nelson_aalen

FOLDS = 10


def prognostic_gain(
    rows: pd.DataFrame, scores: Mapping[str, Sequence[str]], *, repeats: int = 500, seed: int = 1
) -> pd.DataFrame:
    """Squared correlation of out-of-fold scores with the martingale residuals: the share of events that adjustment saves.

    The variance of the covariate-adjusted log-rank score is smaller by this share (Ye, Shao and Yi 2024,
    doi:10.1093/biomet/asad045; R's RobinCar). A score is the least-squares regression of the residuals of the null model on its
    columns; each participant's comes from the other nine folds, so that a score that tells nothing saves nothing.

    Parameters
    ----------
    rows : of `pilot.usable_rows`
    scores : columns of each score by its name; the increment is that over the first
    repeats : bootstrap samples of participants for the percentile intervals; copies of one stay in one fold

    Returns
    -------
    DataFrame
        score, saving, ci_lower, ci_upper, increment, increment_lower, increment_upper: shares from 0 to 1.
    """
    random = np.random.default_rng(seed)
    years, event = rows[FOLLOWUP].to_numpy(dtype=float), rows[EVENT].to_numpy(dtype=float)
    matrices = [design_matrix(rows, columns) for columns in scores.values()]
    fold = random.permutation(np.arange(len(rows)) % FOLDS)

    def savings(chosen: np.ndarray) -> np.ndarray:
        residual = event[chosen] - nelson_aalen(years[chosen], event[chosen])
        return np.array([_saving(matrix[chosen], residual, fold[chosen]) for matrix in matrices])

    found = savings(np.arange(len(rows)))
    drawn = np.array([savings(random.integers(0, len(rows), len(rows))) for _ in range(repeats)])
    ends = np.nanpercentile(drawn, [2.5, 97.5], axis=0)
    more_ends = np.nanpercentile(drawn - drawn[:, :1], [2.5, 97.5], axis=0)
    return pd.DataFrame({
        "score": list(scores), "saving": found, "ci_lower": ends[0], "ci_upper": ends[1],
        "increment": found - found[0], "increment_lower": more_ends[0], "increment_upper": more_ends[1],
    })  # fmt: skip


def gain_rows(found: pd.DataFrame, known: Sequence[str], n: int) -> list[Said]:
    """The savings as results of a plan: with the base alone, with face age, and the increment, each with its 95% CI."""
    base = ", ".join(name.replace("_", " ") for name in known) or "nothing"
    both = found.iloc[1]
    said = [(f"saving by {base}", found.iloc[0], ""), (f"saving by {base} and face age", both, "")]
    rows = [
        (f"{name}{end}", float(row[column]), f"of the events; {n} pilot rows")
        for name, row, _ in said
        for end, column in (("", "saving"), (", 95% CI from", "ci_lower"), (", 95% CI to", "ci_upper"))
    ]
    return rows + [
        (f"increment by face age{end}", float(both[column]), "of the events")
        for end, column in (
            ("", "increment"),
            (", 95% CI from", "increment_lower"),
            (", 95% CI to", "increment_upper"),
        )
    ]


def _saving(matrix: np.ndarray, residual: np.ndarray, fold: np.ndarray) -> float:
    score = np.zeros(len(residual))
    for one in np.unique(fold):
        own = fold == one
        design = np.column_stack([np.ones((~own).sum()), matrix[~own]])
        weights = np.linalg.lstsq(design, residual[~own], rcond=None)[0]
        score[own] = weights[0] + matrix[own] @ weights[1:]
    # the mean of the other folds alone correlates negatively with what is left out: that is no prediction
    if matrix.shape[1] == 0 or score.std() == 0:
        return 0.0
    return float(max(np.corrcoef(score, residual)[0, 1], 0) ** 2)
