"""Negative binomial models by pydeseq2 (Muzellec et al. 2023, doi:10.1093/bioinformatics/btad547), size factors given."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from faceage_bio.core.errors import FitError
from faceage_bio.stats.deseq import DeseqFit
from faceage_bio.stats.dispersion import largest
from faceage_bio.stats.negative_binomial import LEAST_MEAN, TOLERANCE, NegativeBinomialFit, Pairs

if TYPE_CHECKING:
    from pydeseq2.dds import DeseqDataSet


RIDGE = 1e-6  # on natural-log coefficients, in its Wald tests


def fit_pydeseq2(
    counts: np.ndarray, design: np.ndarray, size_factors: np.ndarray, workers: int = 1
) -> "DeseqDataSet":
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
    """Log2 fold change, standard error, z, p of a weighted sum of coefficients, shape (4, n_genes), without
    independent filtering.
    """
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


class Pydeseq2Fit(DeseqFit):
    """A fit whose dispersions and means are pydeseq2's; it has no likelihood, so its likelihood-ratio tests are NaN."""

    @property
    def software(self) -> str:
        return f"pydeseq2 {version('pydeseq2')}"

    def refit(self, design: np.ndarray, genes: np.ndarray, workers: int = 1) -> NegativeBinomialFit:
        from pydeseq2.default_inference import DefaultInference

        counts, dispersion = self.counts[:, genes], self.dispersion[genes]
        with _quiet():
            beta, _, _, converged = DefaultInference(n_cpus=workers).irls(
                counts=counts, size_factors=self.size_factors, design_matrix=design, disp=dispersion, min_mu=LEAST_MEAN, beta_tol=TOLERANCE
            )  # fmt: skip
        return _fit_of(beta, design, self.size_factors, dispersion, converged)


def deseq_by_pydeseq2(
    counts: np.ndarray, design: np.ndarray, size_factors: np.ndarray, workers: int = 1
) -> Pydeseq2Fit:
    """As `deseq.fit_deseq`, by pydeseq2; its Wald tests are those of `wald_by_pydeseq2`.

    Raises
    ------
    FitError
        pydeseq2 refuses the data.
    """
    data = fit_pydeseq2(counts, design, size_factors, workers)
    var, beta = data.var, data.varm["LFC"].to_numpy(dtype=np.float64)
    genes = np.flatnonzero(var["non_zero"])
    dispersion = var["dispersions"].to_numpy(dtype=np.float64)
    replaced = var["replaced"].to_numpy(dtype=bool)
    used = counts.copy()
    if replaced.any():
        used[:, var["refitted"].to_numpy(dtype=bool)] = data.counts_to_refit.X
    converged = var["_LFC_converged"].fillna(False).to_numpy(dtype=bool)
    fit = _fit_of(beta[genes], design, size_factors, dispersion[genes], converged[genes])
    return Pydeseq2Fit(
        var["_normed_means"].to_numpy(dtype=np.float64), var["genewise_dispersions"].to_numpy(dtype=np.float64),
        var["fitted_dispersions"].to_numpy(dtype=np.float64), dispersion, np.where(data.cooks_outlier(), np.inf, np.nan), replaced,
        genes, fit, used, design, size_factors, data.uns["disp_function_type"], float(data.uns["prior_disp_var"]),
    )  # fmt: skip


def _fit_of(
    beta: np.ndarray,
    design: np.ndarray,
    size_factors: np.ndarray,
    dispersion: np.ndarray,
    converged: np.ndarray,
) -> NegativeBinomialFit:
    """Coefficients with the covariance of pydeseq2's Wald test."""
    with np.errstate(over="ignore"):
        mu = size_factors * np.exp(beta @ design.T)
    information = Pairs.of(design).information(mu / (1 + mu * dispersion[:, None]))
    inverse = np.linalg.inv(information + RIDGE * np.eye(design.shape[1]))
    return NegativeBinomialFit(
        beta, inverse @ information @ inverse, np.full(len(beta), np.nan), np.asarray(converged, bool)
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without its printed table and its remarks, which tests take for errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
