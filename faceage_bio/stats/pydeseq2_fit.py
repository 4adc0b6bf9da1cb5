"""Negative binomial models by pydeseq2 (Muzellec et al. 2023, doi:10.1093/bioinformatics/btad547), size factors given."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from faceage_bio.errors import FitError
from faceage_bio.stats.dispersion import largest

if TYPE_CHECKING:
    from pydeseq2.dds import DeseqDataSet


def fit_pydeseq2(counts: np.ndarray, design: np.ndarray, size_factors: np.ndarray) -> "DeseqDataSet":
    """pydeseq2's chain after the size factors: dispersions, trend, prior, final dispersions, means, outlying counts.

    Parameters
    ----------
    counts : int array, shape (n_samples, n_genes)
    design : float array, shape (n_samples, p), of full rank, with its intercept
    size_factors : float array, shape (n_samples,)

    Raises
    ------
    FitError
        pydeseq2 refuses the data.
    """
    from pydeseq2.dds import DeseqDataSet

    with _quiet():
        matrix = pd.DataFrame(design, columns=[f"x{k}" for k in range(design.shape[1])])
        matrix.index = matrix.index.map(str)
        table = pd.DataFrame(counts, index=matrix.index)
        table.columns = table.columns.map(str)
        try:
            data = DeseqDataSet(
                counts=table,
                metadata=matrix,
                design=matrix,
                max_disp=largest(len(design)),
                quiet=True,
                n_cpus=1,
            )
            data.obs["size_factors"] = size_factors
            data.layers["normed_counts"] = data.X / size_factors[:, None]
            data.var["_normed_means"] = data.layers["normed_counts"].mean(axis=0)
            data.fit_genewise_dispersions()
            data.fit_dispersion_trend()
            data.fit_dispersion_prior()
            data.fit_MAP_dispersions()
            data.fit_LFC()
            data.calculate_cooks()
            data.refit()
        except (ValueError, np.linalg.LinAlgError) as error:
            raise FitError("software_refuses", software="pydeseq2", said=str(error)[:200]) from None
    return data


def wald_by_pydeseq2(data: "DeseqDataSet", contrast: np.ndarray) -> np.ndarray:
    """Log2 fold change, standard error, z, p of a weighted sum of coefficients, shape (4, n_genes), without independent filtering."""
    from pydeseq2.ds import DeseqStats

    with _quiet():
        stats = DeseqStats(
            data,
            contrast=np.asarray(contrast, dtype=np.float64),
            independent_filter=False,
            quiet=True,
            n_cpus=1,
        )
        stats.summary()
    found = stats.results_df
    return found[["log2FoldChange", "lfcSE", "stat", "pvalue"]].to_numpy(dtype=np.float64).T


@contextmanager
def _quiet() -> Iterator[None]:
    """Without its printed table and its remarks, which tests take for errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
