"""Rotterdam's rows at five hospitals, as golden.R splits them; the last has 58 participants."""

import numpy as np
import pandas as pd

from tests.golden.cox.data import HERE as COX

SIZES = (427, 231, 185, 93, 58)


def hospitals() -> list[pd.DataFrame]:
    rows = pd.read_csv(COX / "rotterdam.tsv", sep="\t", comment="#")
    rows[["nodes", "er"]] = np.log1p(rows[["nodes", "er"]])
    rank = np.argsort(np.argsort((np.arange(1, len(rows) + 1) * 7919) % 10007, kind="stable"), kind="stable")
    return [one for _, one in rows.groupby(np.repeat(np.arange(5), SIZES)[rank])]
