"""Result tables in tests."""

import pandas as pd

from faceage_bio.results.reasons import in_words


def worded(table: pd.DataFrame) -> pd.DataFrame:
    """A result table with its reasons in words, as pages have them."""
    return table.assign(note=table["reason"].map(in_words))
