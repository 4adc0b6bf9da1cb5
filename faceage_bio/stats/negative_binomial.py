"""Negative binomial counts: size factors, and regression of many genes at once, dispersions given.

The means' part of DESeq2: Love, Huber and Anders 2014 (doi:10.1186/s13059-014-0550-8). Iterated least squares with the settings and
stopping rule of DESeq2 1.38, so that coefficients, standard errors and likelihoods equal its own.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln
from scipy.stats import chi2, norm, rankdata

from faceage_bio.core.errors import FitError
from faceage_bio.stats.blocks import in_blocks

RIDGE = 1e-6 / np.log(2) ** 2  # on natural-log coefficients: 1e-6 on log2
LEAST_MEAN = 0.5
RATIO_TRIM, ABUNDANCE_TRIM = 0.3, 0.05  # share cut off at each end, by log ratio and by mean log abundance
TOLERANCE = 1e-8  # relative change of the deviance
MAX_ITERATIONS = 100
LARGE = 30.0  # a coefficient beyond this has run away
LOG2_E = float(np.log2(np.e))


@dataclass(frozen=True)
class NegativeBinomialFit:
    """Fits of log(mean / size factor) on a design, one per gene.

    ``beta`` (n_genes, p) natural logs; ``covariance`` (n_genes, p, p); ``log_likelihood``, ``converged`` (n_genes,).
    """

    beta: np.ndarray
    covariance: np.ndarray
    log_likelihood: np.ndarray
    converged: np.ndarray

    def take(self, genes: np.ndarray) -> "NegativeBinomialFit":
        """The fit of some genes (a mask or positions)."""
        return NegativeBinomialFit(
            self.beta[genes], self.covariance[genes], self.log_likelihood[genes], self.converged[genes]
        )

    def wald(self, contrast: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Log2 fold change, its standard error, z and two-sided p of a weighted sum of coefficients, shape (p,)."""
        change = LOG2_E * (self.beta @ contrast)
        error = LOG2_E * np.sqrt(np.maximum(contrast @ self.covariance @ contrast, 0))
        statistic = np.divide(change, error, out=np.full_like(change, np.nan), where=error > 0)
        return change, error, statistic, 2 * norm.sf(np.abs(statistic))

    def likelihood_ratio(self, reduced: "NegativeBinomialFit") -> tuple[np.ndarray, np.ndarray]:
        """Statistic and p of the test against a nested design with the same dispersions."""
        statistic = 2 * (self.log_likelihood - reduced.log_likelihood)
        return statistic, chi2.sf(np.maximum(statistic, 0), self.beta.shape[1] - reduced.beta.shape[1])


@dataclass(frozen=True)
class Pairs:
    """Products of all pairs of design columns, so that X'WX of many genes is one matrix product."""

    products: np.ndarray  # (n_samples, p * p)
    p: int

    @classmethod
    def of(cls, design: np.ndarray) -> "Pairs":
        n, p = design.shape
        return cls(np.einsum("ia,ib->iab", design, design).reshape(n, p * p), p)

    def information(self, weights: np.ndarray) -> np.ndarray:
        """X'WX, shape (n_genes, p, p), of weights (n_genes, n_samples)."""
        return (weights @ self.products).reshape(-1, self.p, self.p)

    def leverages(self, weights: np.ndarray, inverse: np.ndarray) -> np.ndarray:
        """Diagonal of the hat matrix W^1/2 X inverse X' W^1/2, shape (n_genes, n_samples)."""
        return weights * (inverse.reshape(len(inverse), -1) @ self.products.T)


def fit_means(
    counts: np.ndarray,
    design: np.ndarray,
    size_factors: np.ndarray,
    dispersions: np.ndarray,
    workers: int = 1,
) -> NegativeBinomialFit:
    """Maximum likelihood coefficients of every gene (with DESeq2's tiny ridge), dispersions given.

    A gene whose iterations run away is fitted by a bounded quasi-Newton search instead, as in DESeq2.

    Parameters
    ----------
    counts : int array, shape (n_samples, n_genes); no gene without counts
    design : float array, shape (n_samples, p), of full rank, with its intercept
    size_factors : float array, shape (n_samples,)
    dispersions : float array, shape (n_genes,), positive

    Returns
    -------
    NegativeBinomialFit
    """
    pairs = Pairs.of(design)

    def compute(genes: np.ndarray) -> tuple[np.ndarray, ...]:
        y = np.ascontiguousarray(counts[:, genes].T, dtype=np.float64)
        if design.shape[1] == 1 and np.all(design == 1):
            return _intercept_only(y, size_factors, dispersions[genes])
        return _fit(y, design, pairs, size_factors, dispersions[genes])

    return NegativeBinomialFit(*in_blocks(compute, np.arange(counts.shape[1]), len(design), workers))


def means(beta: np.ndarray, design: np.ndarray, size_factors: np.ndarray) -> np.ndarray:
    """Fitted counts, shape (n_genes, n_samples)."""
    return size_factors * np.exp(beta @ design.T)


def weights_of(mu: np.ndarray, dispersions: np.ndarray) -> np.ndarray:
    """Weights of the iterated least squares; means below one half count as one half."""
    floored = np.maximum(mu, LEAST_MEAN)
    return floored / (1 + dispersions[:, None] * floored)


def log_likelihood(y: np.ndarray, mu: np.ndarray, dispersions: np.ndarray) -> np.ndarray:
    """Of each gene's counts (n_genes, n_samples)."""
    return _constant(y, dispersions) + _varying(y, mu, dispersions)


def _constant(y: np.ndarray, dispersions: np.ndarray) -> np.ndarray:
    size = 1 / dispersions[:, None]
    return (gammaln(y + size) - gammaln(size) - gammaln(y + 1)).sum(axis=1)


def _varying(y: np.ndarray, mu: np.ndarray, dispersions: np.ndarray) -> np.ndarray:
    product = dispersions[:, None] * mu
    more = np.log1p(product)
    with np.errstate(divide="ignore"):
        log_product = np.where(y > 0, np.log(product), 0.0)
    return (y * (log_product - more)).sum(axis=1) - more.sum(axis=1) / dispersions


def _intercept_only(
    y: np.ndarray, size_factors: np.ndarray, dispersions: np.ndarray
) -> tuple[np.ndarray, ...]:
    """DESeq2's closed form: the mean of the normalised counts."""
    mean = (y / size_factors).mean(axis=1)
    mu = mean[:, None] * size_factors
    variance = 1 / (mu / (1 + dispersions[:, None] * mu)).sum(axis=1)
    likelihood = log_likelihood(y, mu, dispersions)
    return np.log(mean)[:, None], variance[:, None, None], likelihood, np.ones(len(y), bool)


def _fit(
    y: np.ndarray, x: np.ndarray, pairs: Pairs, size_factors: np.ndarray, dispersions: np.ndarray
) -> tuple[np.ndarray, ...]:
    n_genes, p = len(y), x.shape[1]
    ridge = RIDGE * np.eye(p)
    start = np.linalg.lstsq(x, np.log(y / size_factors + 0.1).T, rcond=None)[0].T
    beta, converged = start.copy(), np.zeros(n_genes, bool)
    floor = np.log(LEAST_MEAN / size_factors)
    constant = _constant(y, dispersions)

    active = np.arange(n_genes)
    counts, alpha, extra = y, dispersions[:, None], constant
    level = np.maximum(start @ x.T, floor)
    mu = size_factors * np.exp(level)
    before = np.zeros(n_genes)
    for iteration in range(MAX_ITERATIONS):
        weights = mu / (1 + alpha * mu)
        working = weights * (level + (counts - mu) / mu)
        now = _solve(pairs.information(weights) + ridge, working @ x)
        beta[active] = now
        level = np.maximum(now @ x.T, floor)
        with np.errstate(over="ignore", invalid="ignore"):
            mu = size_factors * np.exp(level)
            deviance = -2 * (extra + _varying(counts, mu, alpha[:, 0]))
            change = np.abs(deviance - before) / (np.abs(deviance) + 0.1)
        lost = (np.abs(now) > LARGE).any(axis=1) | ~np.isfinite(change)
        done = ~lost & (change < TOLERANCE) & (iteration > 0)
        # the last round counts as not converged, even if it is quiet
        converged[active[done]] = iteration + 1 < MAX_ITERATIONS
        keep = ~(done | lost)
        if not keep.any():
            break
        active, counts, alpha, extra = active[keep], counts[keep], alpha[keep], extra[keep]
        level, mu, before = level[keep], mu[keep], deviance[keep]

    covariance = _covariance(beta, x, pairs, size_factors, dispersions, ridge)
    sound = np.isfinite(beta).all(axis=1) & (np.diagonal(covariance, axis1=1, axis2=2) > 0).all(axis=1)
    searched = np.flatnonzero(~(converged & sound))
    for gene in searched:
        usable = np.isfinite(beta[gene]).all() and np.abs(beta[gene]).max() < LARGE
        first = beta[gene] if usable else start[gene]
        beta[gene], converged[gene] = _search(y[gene], x, size_factors, dispersions[gene], first)
        one = slice(gene, gene + 1)
        covariance[one] = _covariance(beta[one], x, pairs, size_factors, dispersions[one], ridge)
    mu = means(beta, x, size_factors)
    # in the likelihood of these, but not of the others, as in DESeq2
    mu[searched] = np.maximum(mu[searched], LEAST_MEAN)
    return beta, covariance, constant + _varying(y, mu, dispersions), converged


def _solve(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.solve(matrices, vectors[..., None])[..., 0]
    except np.linalg.LinAlgError:  # one singular matrix stops the whole stack
        return np.einsum("gab,gb->ga", np.linalg.pinv(matrices), vectors)


def _covariance(
    beta: np.ndarray,
    x: np.ndarray,
    pairs: Pairs,
    size_factors: np.ndarray,
    dispersions: np.ndarray,
    ridge: np.ndarray,
) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        mu = np.minimum(means(np.nan_to_num(np.clip(beta, -LARGE, LARGE)), x, size_factors), 1e300)
    information = pairs.information(weights_of(mu, dispersions))
    inverse = np.linalg.inv(information + ridge)
    return inverse @ information @ inverse


def _search(
    y: np.ndarray, x: np.ndarray, size_factors: np.ndarray, dispersion: float, start: np.ndarray
) -> tuple[np.ndarray, bool]:
    """The penalised maximum within +-30 on the log2 scale."""
    bound = LARGE / LOG2_E

    def objective(beta: np.ndarray) -> tuple[float, np.ndarray]:
        mu = size_factors * np.exp(np.clip(x @ beta, -700, 700))
        value = _varying(y[None], mu[None], np.array([dispersion]))[0] - RIDGE * (beta @ beta) / 2
        slope = x.T @ ((y - mu) / (1 + dispersion * mu)) - RIDGE * beta
        return -value, -slope

    found = minimize(
        objective, np.clip(start, -bound, bound), jac=True, method="L-BFGS-B", bounds=[(-bound, bound)] * len(start),
        options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-8},
    )  # fmt: skip
    return found.x, bool(found.success)


def median_of_ratios(counts: np.ndarray) -> np.ndarray:
    """Size factors of Anders and Huber 2010 (doi:10.1186/gb-2010-11-10-r106), as DESeq2's ``estimateSizeFactors``.

    Parameters
    ----------
    counts : int array, shape (n_samples, n_genes)

    Returns
    -------
    float array, shape (n_samples,)
        Median over genes of the sample's count divided by the gene's geometric mean.

    Raises
    ------
    FitError
        Every gene has a sample without counts, so that no geometric mean exists (see `positive_counts`).
    """
    in_all = (counts > 0).all(axis=0)
    if not in_all.any():
        raise FitError("each_gene_has_a_zero")
    # by sample, to hold no second table of counts
    means = sum(np.log(one[in_all]) for one in counts) / len(counts)
    return np.exp([np.median(np.log(one[in_all]) - means) for one in counts])


def positive_counts(counts: np.ndarray) -> np.ndarray:
    """The same for sparse counts, as DESeq2's ``type = "poscounts"``: samples without counts enter the mean as log 1.

    Parameters
    ----------
    counts : int array, shape (n_samples, n_genes)

    Returns
    -------
    float array, shape (n_samples,)
        Of geometric mean 1.

    Raises
    ------
    FitError
        A sample without any count.
    """
    if empty := sum(not one.any() for one in counts):
        raise FitError("samples_without_counts", n_samples=empty)
    means = sum(np.log(np.maximum(one, 1)) for one in counts) / len(counts)
    logs = np.array([np.median(np.log(one[one > 0]) - means[one > 0]) for one in counts])
    return np.exp(logs - logs.mean())


def trimmed_mean_of_m(counts: np.ndarray) -> np.ndarray:
    """TMM factors of Robinson and Oshlack 2010 (doi:10.1186/gb-2010-11-3-r25), as edgeR's ``calcNormFactors``.

    Parameters
    ----------
    counts : int array, shape (n_samples, n_genes)

    Returns
    -------
    float array, shape (n_samples,)
        Factors of geometric mean 1, to be multiplied by the library sizes (the sums of ``counts``).
    """
    present = counts.any(axis=0)

    def row(sample: int) -> np.ndarray:
        return counts[sample, present].astype(np.float64)  # one by one, to hold no second table of counts

    samples = range(len(counts))
    sizes = np.array([row(k).sum() for k in samples])
    upper = np.array([np.quantile(row(k), 0.75) for k in samples]) / sizes
    if np.median(upper) < 1e-20:
        reference = int(np.argmax([np.sqrt(row(k)).sum() for k in samples]))
    else:
        reference = int(np.argmin(np.abs(upper - upper.mean())))
    base, size = row(reference), sizes[reference]
    factors = np.array([_factor(row(k), sizes[k], base, size) for k in samples])
    return factors / np.exp(np.log(factors).mean())


def _factor(one: np.ndarray, total: float, base: np.ndarray, size: float) -> float:
    both = (one > 0) & (base > 0)
    one, base = one[both], base[both]
    # in this order, because rounding decides between equal ratios of small counts
    ratio = np.log2((one / total) / (base / size))
    if not len(ratio) or np.abs(ratio).max() < 1e-6:
        return 1.0
    abundance = (np.log2(one / total) + np.log2(base / size)) / 2
    variance = (total - one) / total / one + (size - base) / size / base
    keep = _middle(ratio, RATIO_TRIM) & _middle(abundance, ABUNDANCE_TRIM)
    mean = np.sum(ratio[keep] / variance[keep]) / np.sum(1 / variance[keep]) if keep.any() else 0.0
    return float(2**mean)


def _middle(values: np.ndarray, trim: float) -> np.ndarray:
    ranks, low = rankdata(values), np.floor(len(values) * trim) + 1
    return (ranks >= low) & (ranks <= len(values) + 1 - low)
