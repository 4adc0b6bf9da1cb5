"""DESeq2's method for bulk RNA counts, all genes at once: dispersions, means, tests, outlying counts, coefficients compared.

Love, Huber and Anders 2014 (doi:10.1186/s13059-014-0550-8). An implementation of its own, held to DESeq2
1.38.3 in the tests (tests/golden/deseq2); in place of its R it computes all genes of a block in the same
array operations.

Coefficients of separate models of the same samples held against each other.

Two models of one outcome are correlated, so the standard error of the difference of their coefficients comes
from both fits' influence of each sample (Weesie 1999, Stata Technical Bulletin 52: seemingly unrelated
estimation), with HC3's correction.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import f, t

from faceage_bio.core.errors import FitError
from faceage_bio.stats.blocks import in_blocks, split
from faceage_bio.stats.dispersion import (
    Profile,
    Trend,
    fit_trend,
    gene_wise,
    prior_variance,
    projected,
    starting_values,
    trimmed_mean,
    with_prior,
)
from faceage_bio.stats.negative_binomial import (
    LEAST_MEAN,
    LOG2_E,
    RIDGE,
    NegativeBinomialFit,
    Pairs,
    fit_means,
    means,
    weights_of,
)

LEAST_ROBUST = 0.04  # a smaller dispersion would make every count beside an outlier look like one
SPARE_SAMPLES = 4  # with fewer beyond the parameters DESeq2 finds its prior by a random simulation
REPLICATES = 7  # an outlying count is replaced where so many samples share its design row
OUTLIER_SDS = 2.0  # a gene so far above the trend keeps its own dispersion


def cutoff(n_samples: int, p: int) -> float:
    """Cook's distances above this are outliers: the 99% quantile of F(p, n - p)."""
    return float(f.ppf(0.99, p, n_samples - p))


def cells_of(design: np.ndarray) -> np.ndarray:
    """Number of the sample's cell (samples of equal design rows), shape (n_samples,)."""
    return np.unique(design, axis=0, return_inverse=True)[1].ravel()


def in_cells_of(design: np.ndarray, least: int) -> np.ndarray:
    """Whether at least ``least`` samples share the sample's design row, shape (n_samples,)."""
    cells = cells_of(design)
    return np.bincount(cells)[cells] >= least


def robust_dispersions(normalised: np.ndarray, design: np.ndarray) -> np.ndarray:
    """Moment estimates from trimmed variances, within cells where a cell has 3 samples, shape (n_genes,).

    Parameters
    ----------
    normalised : counts divided by size factors, shape (n_genes, n_samples)
    """
    enough = in_cells_of(design, 3)
    if enough.any():
        variance = _cell_variance(normalised[:, enough], cells_of(design)[enough])
    else:
        centre = trimmed_mean(normalised, 1 / 8)
        variance = 1.51 * trimmed_mean((normalised - centre[:, None]) ** 2, 1 / 8)
    mean = normalised.mean(axis=1)
    return np.maximum((variance - mean) / mean**2, LEAST_ROBUST)


def _cell_variance(normalised: np.ndarray, cells: np.ndarray) -> np.ndarray:
    variances = []
    for cell in np.unique(cells):
        mine = normalised[:, cells == cell]
        size = int(mine.shape[1] > 3) + int(mine.shape[1] > 23)
        share, scale = (1 / 3, 1 / 4, 1 / 8)[size], (2.04, 1.86, 1.51)[size]
        centre = trimmed_mean(mine, share)
        variances.append(scale * trimmed_mean((mine - centre[:, None]) ** 2, share))
    return np.max(variances, axis=0)


def cooks_distances(
    y: np.ndarray, beta: np.ndarray, design: np.ndarray, size_factors: np.ndarray, dispersions: np.ndarray
) -> np.ndarray:
    """How far each count moves its gene's fit, shape (n_genes, n_samples).

    Parameters
    ----------
    y : counts, shape (n_genes, n_samples)
    beta, dispersions : of the fit
    """
    mu, _, leverage = _at_fit(beta, design, size_factors, dispersions)
    robust = robust_dispersions(y / size_factors, design)[:, None]
    return (y - mu) ** 2 / (mu + robust * mu**2) / design.shape[1] * leverage / (1 - leverage) ** 2


def _at_fit(
    beta: np.ndarray, design: np.ndarray, size_factors: np.ndarray, dispersions: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fitted means, the inverse information (n_genes, p, p) and the leverages, means and leverages (n_genes, n_samples)."""
    pairs, mu = Pairs.of(design), means(beta, design, size_factors)
    weights = weights_of(mu, dispersions)
    inverse = np.linalg.inv(pairs.information(weights) + RIDGE * np.eye(design.shape[1]))
    return mu, inverse, pairs.leverages(weights, inverse)


def replace_outlying(
    y: np.ndarray, outlying: np.ndarray, replaceable: np.ndarray, size_factors: np.ndarray
) -> np.ndarray:
    """Counts with outlying ones of ``replaceable`` samples set to the gene's trimmed mean in that sample's depth."""
    centre = trimmed_mean(y / size_factors, 0.2)
    return np.where(outlying & replaceable, np.floor(centre[:, None] * size_factors), y)


@dataclass(frozen=True)
class DeseqFit:
    """Every gene's fit. Arrays have shape (n_genes,), and are NaN for a gene without counts.

    ``base_mean``: mean of normalised counts. ``gene_dispersion``, ``trend``, ``dispersion``: by itself,
    expected at its mean, and used. ``max_cooks``: largest Cook's distance among samples whose design row
    occurs three times (NaN: there are none, as with a continuous exposure). ``replaced``: whether counts were
    replaced. ``fit``: of the genes in ``tested``.
    """

    base_mean: np.ndarray
    gene_dispersion: np.ndarray
    trend: np.ndarray
    dispersion: np.ndarray
    max_cooks: np.ndarray
    replaced: np.ndarray
    tested: np.ndarray
    fit: NegativeBinomialFit
    counts: np.ndarray
    design: np.ndarray
    size_factors: np.ndarray
    trend_kind: str
    prior_variance: float

    @property
    def outlying(self) -> np.ndarray:
        """Genes whose result rests on an outlying count, so that DESeq2 gives no p-value."""
        limit = cutoff(*self.design.shape)
        return np.nan_to_num(self.max_cooks, nan=-1) > limit

    @property
    def emptied(self) -> np.ndarray:
        """Genes that had nothing but outlying counts: no change, p 1."""
        return self.replaced & (self.base_mean == 0)

    @property
    def software(self) -> str:
        """Whose implementation; "" for this one."""
        return ""

    def refit(self, design: np.ndarray, genes: np.ndarray, workers: int = 1) -> NegativeBinomialFit:
        """Means of some genes (positions) in another design, with these dispersions."""
        return fit_means(self.counts[:, genes], design, self.size_factors, self.dispersion[genes], workers)

    def wald(self, contrast: np.ndarray) -> np.ndarray:
        """Log2 fold change, standard error, z, p of a weighted sum of coefficients, shape (4, n_genes)."""
        columns = np.full((4, len(self.base_mean)), np.nan)
        columns[:, self.tested] = self.fit.wald(np.asarray(contrast, dtype=np.float64))
        columns[3, self.outlying] = np.nan
        columns[:, self.emptied] = np.array([0.0, 0.0, 0.0, 1.0])[:, None]
        return columns

    def likelihood_ratio(self, reduced: np.ndarray, workers: int = 1) -> np.ndarray:
        """Statistic and p of the test against a nested design (n_samples, fewer columns), shape (2, n_genes)."""
        columns = np.full((2, len(self.base_mean)), np.nan)
        left = self.base_mean[self.tested] > 0
        genes = self.tested[left]
        smaller = self.refit(reduced, genes, workers)
        columns[:, genes] = self.fit.take(left).likelihood_ratio(smaller)
        columns[1, self.outlying] = np.nan
        columns[:, self.emptied] = np.array([0.0, 1.0])[:, None]
        return columns


def fit_deseq(counts: np.ndarray, design: np.ndarray, size_factors: np.ndarray, workers: int = 1) -> DeseqFit:
    """DESeq2's chain: gene-wise dispersions, trend, prior, final dispersions, means, outlying counts.

    Parameters
    ----------
    counts : int array, shape (n_samples, n_genes)
    design : float array, shape (n_samples, p), of full rank, with its intercept
    size_factors : float array, shape (n_samples,)
    workers : processor cores

    Raises
    ------
    FitError
        Fewer than `SPARE_SAMPLES` samples beyond the parameters, or counts without dispersion.
    """
    n, p = design.shape
    if n < p + SPARE_SAMPLES:
        raise FitError("too_few_samples_for_model", n=n, parameters=p, needed=p + SPARE_SAMPLES)
    base_mean = normalised_means(counts, size_factors)
    genes = np.flatnonzero(base_mean > 0)
    if not len(genes):
        raise FitError("no_counts")
    chain = _Chain(counts, np.ascontiguousarray(design, dtype=np.float64), size_factors, workers)
    own, beta = chain.gene_wise(genes)
    trend = fit_trend(base_mean[genes], own)
    expected = trend.at(base_mean[genes])
    prior, seen = prior_variance(own, expected, n - p)
    final = chain.final(genes, beta, own, expected, prior, seen)
    all_there = len(genes) == counts.shape[1]
    fit = fit_means(counts if all_there else counts[:, genes], chain.design, size_factors, final, workers)
    whole = np.full((4, len(base_mean)), np.nan)  # the last, Cook's distances, is filled below
    whole[:3, genes] = own, expected, final
    result = DeseqFit(
        base_mean=base_mean,
        gene_dispersion=whole[0],
        trend=whole[1],
        dispersion=whole[2],
        max_cooks=whole[3],
        replaced=np.zeros(len(base_mean), bool),
        tested=genes,
        fit=fit,
        counts=counts,
        design=chain.design,
        size_factors=size_factors,
        trend_kind=trend.kind,
        prior_variance=prior,
    )
    return chain.without_outliers(result, trend, seen)


def normalised_means(counts: np.ndarray, size_factors: np.ndarray) -> np.ndarray:
    """Mean of normalised counts, shape (n_genes,)."""
    inverse = 1 / size_factors
    parts = split(np.arange(counts.shape[1]), len(counts))  # a product copies integers as floats
    return np.concatenate([inverse @ counts[:, part] for part in parts]) / len(counts)


@dataclass(frozen=True)
class _Chain:
    """The steps for chosen genes (positions) of one table of counts."""

    counts: np.ndarray
    design: np.ndarray
    size_factors: np.ndarray
    workers: int

    def _blocks(
        self, compute: Callable[[np.ndarray], tuple[np.ndarray, ...]], genes: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        return in_blocks(compute, np.arange(len(genes)), len(self.design), self.workers)

    def _rows(self, genes: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(self.counts[:, genes].T, dtype=np.float64)

    def gene_wise(self, genes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Dispersions by themselves, and the coefficients whose means they belong to."""
        pairs = Pairs.of(self.design)

        def compute(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            y = self._rows(genes[part])
            start = starting_values(y / self.size_factors, self.design, self.size_factors)
            beta = fit_means(y.T, self.design, self.size_factors, start).beta
            return gene_wise(Profile(y, self._means(y, beta), pairs), start), beta

        own, beta = self._blocks(compute, genes)
        return own, beta

    def _means(self, y: np.ndarray, beta: np.ndarray) -> np.ndarray:
        # a design of groups alone has its means as plain averages, and DESeq2 takes those
        if len(np.unique(self.design, axis=0)) == self.design.shape[1]:
            mu = projected(y / self.size_factors, self.design) * self.size_factors
        else:
            mu = means(beta, self.design, self.size_factors)
        return np.maximum(mu, LEAST_MEAN)

    def final(
        self,
        genes: np.ndarray,
        beta: np.ndarray,
        own: np.ndarray,
        expected: np.ndarray,
        prior: float,
        seen: float,
    ) -> np.ndarray:
        """Dispersions drawn to the trend, or the gene's own if it lies far above."""
        pairs = Pairs.of(self.design)

        def compute(part: np.ndarray) -> tuple[np.ndarray]:
            y = self._rows(genes[part])
            profile = Profile(y, self._means(y, beta[part]), pairs, np.log(expected[part]), prior)
            return (with_prior(profile, np.where(own > 0.1 * expected, own, expected)[part]),)

        (drawn,) = self._blocks(compute, genes)
        return np.where(np.log(own) > np.log(expected) + OUTLIER_SDS * np.sqrt(seen), own, drawn)

    def without_outliers(self, result: DeseqFit, trend: Trend, seen: float) -> DeseqFit:
        """Cook's distances; where a cell has replicates enough, outlying counts are replaced and their genes fitted again."""
        judged = in_cells_of(self.design, 3)
        if not judged.any():
            return result
        genes, limit = result.tested, cutoff(*self.design.shape)
        replaceable = in_cells_of(self.design, REPLICATES)

        def compute(part: np.ndarray) -> tuple[np.ndarray, ...]:
            y, dispersions = self._rows(genes[part]), result.dispersion[genes[part]]
            cooks = cooks_distances(y, result.fit.beta[part], self.design, self.size_factors, dispersions)
            kept = np.where(judged & ~replaceable, cooks, 0.0)
            worst = (kept if replaceable.any() else cooks[:, judged]).max(axis=1)
            return worst, np.any(cooks > limit, axis=1)

        worst, outlying = self._blocks(compute, genes)
        result.max_cooks[genes] = worst
        again = np.flatnonzero(outlying) if replaceable.any() else np.array([], int)
        return self._refit(result, trend, seen, again, replaceable, limit) if len(again) else result

    def _refit(
        self,
        result: DeseqFit,
        trend: Trend,
        seen: float,
        again: np.ndarray,
        replaceable: np.ndarray,
        limit: float,
    ) -> DeseqFit:
        genes = result.tested[again]
        y = self._rows(genes)
        cooks = cooks_distances(
            y, result.fit.beta[again], self.design, self.size_factors, result.dispersion[genes]
        )
        new = replace_outlying(y, cooks > limit, replaceable, self.size_factors)
        counts = self.counts.copy()
        counts[:, genes] = new.T
        base_mean = result.base_mean.copy()
        base_mean[genes] = normalised_means(new.T, self.size_factors)
        result.replaced[genes] = True
        left = base_mean[genes] > 0
        genes, again = genes[left], again[left]
        chain = replace(self, counts=counts)
        own, beta = chain.gene_wise(genes)
        expected = trend.at(base_mean[genes])
        final = chain.final(genes, beta, own, expected, result.prior_variance, seen)
        fit = fit_means(counts[:, genes], self.design, self.size_factors, final, self.workers)
        whole = result.fit
        for name in ("beta", "covariance", "log_likelihood", "converged"):
            getattr(whole, name)[again] = getattr(fit, name)
        result.gene_dispersion[genes], result.trend[genes], result.dispersion[genes] = own, expected, final
        return replace(result, base_mean=base_mean, counts=counts)


@dataclass(frozen=True)
class Coefficient:
    """One coefficient of every gene on the log2 scale: ``estimate`` (n_genes,), ``influence`` of samples (n_genes, n_samples)."""

    estimate: np.ndarray
    influence: np.ndarray


def coefficient(
    counts: np.ndarray, design: np.ndarray, size_factors: np.ndarray, dispersions: np.ndarray, column: int
) -> Coefficient:
    """A negative binomial coefficient and what each sample does to it, dispersions given.

    Parameters
    ----------
    counts : int array, shape (n_samples, n_genes); few genes, no gene without counts
    column : of the design
    """
    beta = fit_means(counts, design, size_factors, dispersions).beta
    mu, inverse, leverage = _at_fit(beta, design, size_factors, dispersions)
    score = (counts.T - mu) / (1 + dispersions[:, None] * mu) / (1 - leverage)
    return Coefficient(LOG2_E * beta[:, column], LOG2_E * score * (inverse[:, column] @ design.T))


def weighted_coefficient(y: np.ndarray, weights: np.ndarray, design: np.ndarray, column: int) -> Coefficient:
    """A weighted least-squares coefficient of log2 levels and what each sample does to it.

    Parameters
    ----------
    y, weights : float arrays, shape (n_samples, n_genes)
    column : of the design
    """
    values, weight, pairs = y.T, weights.T, Pairs.of(design)
    inverse = np.linalg.inv(pairs.information(weight))
    beta = np.einsum("gij,gj->gi", inverse, (weight * values) @ design)
    score = weight * (values - beta @ design.T) / (1 - pairs.leverages(weight, inverse))
    return Coefficient(beta[:, column], score * (inverse[:, column] @ design.T))


def difference(one: Coefficient, other: Coefficient, df: float = np.inf) -> np.ndarray:
    """One minus other: estimate, standard error, statistic, two-sided p (t with ``df``; normal by default), shape (4, n_genes)."""
    estimate = one.estimate - other.estimate
    error = np.sqrt(((one.influence - other.influence) ** 2).sum(axis=1))
    statistic = np.divide(estimate, error, out=np.full_like(estimate, np.nan), where=error > 0)
    return np.stack([estimate, error, statistic, 2 * t.sf(np.abs(statistic), df)])
