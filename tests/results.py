"""What tests ask of result tables."""

import pandas as pd

from faceage_bio.results.reasons import in_words


def told(found: pd.DataFrame | pd.Series) -> pd.Series | str:
    """The reasons of a table's rows, or of one row, in words."""
    if isinstance(found, pd.DataFrame):
        return found["reason"].map(in_words)
    return in_words(found["reason"])
