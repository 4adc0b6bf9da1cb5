"""How far a short precision moved the face ages of a run."""

import pandas as pd

from faceage_bio.core.columns import PRECISION_ERROR


def precision_sentence(ages: pd.DataFrame) -> str:
    """Measured on the photos that were aged in both precisions."""
    errors = ages[PRECISION_ERROR].dropna().abs()
    if not len(errors):
        return "bfloat16: no photo of this shard was aged in float32 too, so its error is not known here."
    return (
        f"bfloat16 instead of float32 moved the face age by up to {errors.max():.2f} years "
        f"({errors.mean():.2f} on average), measured on {len(errors)} of these photos."
    )
