"""Counts for limma: those of DESeq2's golden values, and samples of which three each are of one person.

``python -m tests.golden.voom.data`` writes them for R.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from tests.golden.deseq2.data import Data, cells, small


def repeated() -> Data:
    """Three samples of each of 20 people, who differ in every gene; acceleration is the person's, age the sample's."""
    counts, people = small()
    random = np.random.default_rng(4)
    person = np.arange(len(people)) // 3
    people = people.iloc[person * 3].assign(age=people["age"].to_numpy()).set_axis(people.index, axis=0)
    log_mean = np.log(counts.to_numpy()[:300] + 20) + random.normal(0, 0.5, (300, 20))[:, person]
    drawn = random.negative_binomial(10, 10 / (10 + np.exp(log_mean)))
    return pd.DataFrame(drawn, counts.index[:300], people.index), people


def persons(people: pd.DataFrame) -> np.ndarray:
    return np.arange(len(people)) // 3


MAKERS = {"small": small, "cells": cells, "repeated": repeated}

if __name__ == "__main__":
    folder = Path(__file__).parent
    for name, make in MAKERS.items():
        counts, people = make()
        counts.to_csv(folder / f"{name}_counts.csv")
        people.to_csv(folder / f"{name}_people.csv")
