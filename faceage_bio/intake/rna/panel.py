"""Why a gene is declared beforehand, and where that is from: shipped for the default panel (panel.tsv), given for others."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import pandas as pd

NO_REASON = "declared without a reason"


@cache
def shipped_reasons() -> pd.DataFrame:
    """symbol, expected (up, down or either with senescence), why, source (DOI)."""
    return pd.read_csv(Path(__file__).with_name("panel.tsv"), sep="\t", dtype=str)


def panel_reasons(panel: Sequence[str], given: Mapping[str, Mapping[str, str]] | None = None) -> pd.DataFrame:
    """One row per gene of the panel, in its order; what is given goes before what is shipped.

    Parameters
    ----------
    panel : symbols
    given : by symbol, with why, source and perhaps expected
    """
    shipped = shipped_reasons().set_index("symbol")
    nothing = {"expected": "", "why": NO_REASON, "source": ""}
    rows = []
    for symbol in panel:
        known = shipped.loc[symbol].to_dict() if symbol in shipped.index else nothing
        rows.append({"symbol": symbol, **known, **(given or {}).get(symbol, {})})
    return pd.DataFrame(rows, columns=["symbol", "expected", "why", "source"])
