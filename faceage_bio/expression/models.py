"""One table of counts, and the tests of any design on it: DESeq2's method, with limma-voom and HC3 as second opinions."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import norm, t

from faceage_bio.columns import SUBJECT
from faceage_bio.errors import FitError
from faceage_bio.expression.formula import reduced
from faceage_bio.results.reasons import reason
from faceage_bio.stats.consensus_correlation import consensus_correlation
from faceage_bio.stats.deseq import DeseqFit, fit_deseq
from faceage_bio.stats.linear_genes import hc3
from faceage_bio.stats.moderated import ModeratedFit, fit_moderated
from faceage_bio.stats.negative_binomial import fit_means
from faceage_bio.stats.size_factors import median_of_ratios, positive_counts, trimmed_mean_of_m
from faceage_bio.stats.stacked import coefficient, difference
from faceage_bio.stats.voom import voom

NORMAL_975 = float(norm.ppf(0.975))
NOT_CONVERGED, OUTLYING = "gene_not_converged", "outlying_count"  # codes of reasons


@dataclass(frozen=True)
class CountModels:
    """Counts of the genes to be tested, and what all models of them share.

    ``counts`` (n_samples, n_genes); ``deseq``: fit of the ``joint`` design, whose dispersions serve every other one, or None
    where participants have several samples; then ``persons`` numbers the samples' people and ``correlation`` is that within them.
    """

    genes: pd.Index
    counts: np.ndarray
    joint: pd.DataFrame
    deseq: DeseqFit | None
    log_cpm: np.ndarray
    weights: np.ndarray
    persons: np.ndarray | None
    correlation: float
    sparse: bool
    workers: int
    moderated: dict[tuple[str, ...], ModeratedFit] = field(
        default_factory=dict
    )  # limma's fits made so far, by design

    @property
    def method(self) -> str:
        """What the estimates and p-values are made with."""
        if self.deseq is None:
            n, correlation = len(self.joint), self.correlation
            return f"limma-voom, {n} samples, those of one person correlated by {correlation:.2f}"
        return "DESeq2's method, Wald test" + (", size factors of positive counts" if self.sparse else "")

    @property
    def n_people(self) -> int:
        """Participants, not samples."""
        return len(self.joint) if self.persons is None else int(self.persons.max()) + 1

    @property
    def reason(self) -> str:
        """What was done otherwise than usual."""
        if self.deseq is None or self.deseq.trend_kind == "parametric":
            return ""
        return reason("dispersion_trend", kind=self.deseq.trend_kind).encoded

    def test(self, matrix: pd.DataFrame, contrast: np.ndarray, genes: pd.Index | None = None) -> pd.DataFrame:
        """One weighted sum of coefficients of a design.

        Parameters
        ----------
        matrix : design of the same samples; anything but `joint` takes its dispersions and weights from that
        contrast : float array, shape (p,)
        genes : those wanted, all of them if None

        Returns
        -------
        DataFrame, one row per gene
            estimate, standard_error, statistic, ci_lower, ci_upper, p_value, p_lrt, voom_estimate, voom_ci_lower, voom_ci_upper,
            voom_p_value, hc3_p_value, reason; what does not apply is NaN.
        """
        genes = self.genes if genes is None else genes
        places = self.genes.get_indexer(genes)
        second = self._second(matrix, contrast, places)
        first = self._first(matrix, contrast, places) if self.deseq else self._blocked(second)
        return pd.concat([first, second.drop(columns=["voom_error", "voom_statistic"])], axis=1).set_axis(
            genes, axis=0
        )

    def _first(self, matrix: pd.DataFrame, contrast: np.ndarray, places: np.ndarray) -> pd.DataFrame:
        fit = self.deseq
        if matrix is self.joint and len(places) == len(self.genes):
            estimate, error, _, p = fit.wald(contrast)[:, places]
            _, p_lrt = fit.likelihood_ratio(reduced(matrix, contrast), self.workers)[:, places]
            converged = np.ones(len(self.genes), bool)
            converged[fit.tested] = fit.fit.converged
            converged = converged[places]
        else:
            given = (fit.size_factors, fit.dispersion[places], self.workers)
            mine = fit_means(fit.counts[:, places], matrix.to_numpy(), *given)
            estimate, error, _, p = mine.wald(contrast)
            _, p_lrt = mine.likelihood_ratio(
                fit_means(fit.counts[:, places], reduced(matrix, contrast), *given)
            )
            p, p_lrt = (np.where(fit.outlying[places], np.nan, values) for values in (p, p_lrt))
            converged = mine.converged
        table = _interval(estimate, error, NORMAL_975).assign(p_value=p, p_lrt=p_lrt, reason=self.reason)
        table.loc[np.isnan(p), "reason"] = OUTLYING
        table.loc[~converged] = np.nan
        table.loc[~converged, "reason"] = NOT_CONVERGED
        return table

    def _second(self, matrix: pd.DataFrame, contrast: np.ndarray, places: np.ndarray) -> pd.DataFrame:
        values, terms = matrix.to_numpy(), tuple(matrix)
        if terms not in self.moderated:
            self.moderated[terms] = fit_moderated(
                self.log_cpm, values, self.weights, self.persons, self.correlation, self.workers
            )
        fit = self.moderated[terms]
        estimate, error, _, p = fit.test(contrast)[:, places]
        table = _interval(estimate, error, float(t.ppf(0.975, fit.df))).drop(columns="standard_error")
        table = table.add_prefix("voom_").assign(voom_p_value=p, voom_error=error)
        table["hc3_p_value"] = np.nan
        if self.persons is None:
            table["hc3_p_value"] = hc3(self.log_cpm[:, places], values, contrast[None])[3, 0]
        return table

    def _blocked(self, second: pd.DataFrame) -> pd.DataFrame:
        """DESeq2 knows no correlated samples, so limma-voom speaks first."""
        names = {"voom_estimate": "estimate", "voom_error": "standard_error", "voom_statistic": "statistic", "voom_ci_lower": "ci_lower",
                 "voom_ci_upper": "ci_upper", "voom_p_value": "p_value"}  # fmt: skip
        return second.rename(columns=names)[list(names.values())].assign(p_lrt=np.nan, reason="")

    def between_models(
        self, one: pd.DataFrame, other: pd.DataFrame, column: int, genes: pd.Index
    ) -> pd.DataFrame:
        """The same column's coefficient in one design minus that in another (robust, both fits stacked).

        Raises
        ------
        FitError
            Participants with several samples.
        """
        if self.deseq is None:
            raise FitError("several_samples_not_compared")
        places = self.genes.get_indexer(genes)
        fit = self.deseq
        given = (fit.size_factors, fit.dispersion[places], column)
        sides = [coefficient(fit.counts[:, places], matrix.to_numpy(), *given) for matrix in (one, other)]
        estimate, error, _, p = difference(*sides)
        table = _interval(estimate, error, NORMAL_975).assign(p_value=p, reason=self.reason)
        table.loc[fit.outlying[places], "p_value"] = np.nan
        table.loc[fit.outlying[places], "reason"] = OUTLYING
        return table.set_axis(genes, axis=0)


def _interval(estimate: np.ndarray, error: np.ndarray, quantile: float) -> pd.DataFrame:
    table = pd.DataFrame({"estimate": estimate, "standard_error": error})
    half = quantile * table["standard_error"]
    return table.assign(
        statistic=table["estimate"] / table["standard_error"], ci_lower=table["estimate"] - half, ci_upper=table["estimate"] + half,
    )  # fmt: skip


def fit_models(counts: pd.DataFrame, people: pd.DataFrame, joint: pd.DataFrame, workers: int) -> CountModels:
    """Size factors, dispersions and weights of the joint design.

    Parameters
    ----------
    counts : DataFrame of int, samples x genes to be tested
    people : DataFrame, same index; a ``subject_id`` that occurs twice makes its samples one person's
    joint : design matrix, same index, with the intercept first

    Raises
    ------
    FitError
        No dispersion, or samples without counts.
    """
    values, design = np.ascontiguousarray(counts.to_numpy()), joint.to_numpy()
    persons, correlation, deseq, sparse = None, 0.0, None, False
    repeated = people[SUBJECT].duplicated().any()
    if not repeated:
        size_factors, sparse = size_factors_of(values)
        deseq = fit_deseq(values, design, size_factors, workers)
    log_cpm, weights = voom(values, design, values.sum(axis=1) * trimmed_mean_of_m(values))
    if repeated:
        persons = pd.factorize(people[SUBJECT])[0]
        correlation = consensus_correlation(log_cpm, design, weights, persons, workers)
    return CountModels(
        counts.columns, values, joint, deseq, log_cpm, weights, persons, correlation, sparse, workers
    )


def tested_genes(counts: pd.DataFrame, min_count: int, min_samples: int) -> np.ndarray:
    """Which genes of counts (samples x genes) have this count in so many samples, or in all if there are fewer."""
    return ((counts >= min_count).sum(axis=0) >= min(min_samples, len(counts))).to_numpy()


def size_factors_of(counts: np.ndarray) -> tuple[np.ndarray, bool]:
    """DESeq2's size factors, and whether they are of positive counts, because every gene has a sample without counts."""
    sparse = not (counts > 0).all(axis=0).any()
    return (positive_counts(counts) if sparse else median_of_ratios(counts)), sparse


def contrast_of(matrix: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """One column, or the first minus the second."""
    contrast = np.zeros(matrix.shape[1])
    for name, sign in zip(names, (1.0, -1.0), strict=False):
        contrast[matrix.columns.get_loc(name)] = sign
    return contrast
