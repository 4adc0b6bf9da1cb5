"""One table of counts, and the tests of any design on it by DESeq2's method, limma-voom and HC3; one of the
first two is the headline.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import t

from faceage_bio.analyses.expression.formula import design_of, interactions_of, plain, reduced
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, AGE_GAP, FACE_AGE, SUBJECT
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.row import adjusted_for
from faceage_bio.stats.deseq import DeseqFit, coefficient, difference, fit_deseq, weighted_coefficient
from faceage_bio.stats.limma import ModeratedFit, consensus_correlation, fit_moderated, voom
from faceage_bio.stats.linear import NORMAL_975, hc3
from faceage_bio.stats.negative_binomial import median_of_ratios, positive_counts, trimmed_mean_of_m
from faceage_bio.stats.pydeseq2_fit import deseq_by_pydeseq2

DESEQ2, VOOM = "DESeq2", "limma-voom"
BUILTIN = "builtin"
TOGETHER, FACE_AND_AGE, ALONE, RAW = "together", "face age and age", "alone", "unadjusted age gap"
DIFFERENCE = "difference"
ESTIMATED = ("estimate", "ci_lower", "ci_upper", "p_value")
NOT_CONVERGED, OUTLYING = "gene_not_converged", "outlying_count"  # codes of reasons


@dataclass(frozen=True)
class CountModels:
    """Counts of the genes to be tested, and what all models of them share.

    ``counts`` (n_samples, n_genes); ``deseq``: fit of the ``joint`` design, whose dispersions serve every
    other one, or None where participants have several samples; then ``persons`` numbers the samples' people
    and ``correlation`` is that within them. ``headline``: the method of ``estimate`` and ``p_value``;
    limma-voom where there is no ``deseq``.
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
    headline: str = DESEQ2
    # limma's fits made so far, by design
    moderated: dict[tuple[str, ...], ModeratedFit] = field(default_factory=dict)

    @property
    def leads(self) -> str:
        """The method of the estimates: the headline, if it can be fitted."""
        return self.headline if self.deseq is not None else VOOM

    @property
    def method(self) -> str:
        """What the estimates and p-values are made with."""
        if self.deseq is None:
            n, correlation = len(self.joint), self.correlation
            return f"limma-voom, {n} samples, those of one person correlated by {correlation:.2f}"
        whose = f" by {self.deseq.software}" if self.deseq.software else ""
        if self.leads == VOOM:
            alongside = f", alongside DESeq2's method{whose}" if whose else ""
            return f"limma-voom, moderated t{alongside}"
        positive = ", size factors of positive counts" if self.sparse else ""
        return f"DESeq2's method{whose}, Wald test{positive}"

    @property
    def n_people(self) -> int:
        """Participants, not samples."""
        return len(self.joint) if self.persons is None else int(self.persons.max()) + 1

    @property
    def reason(self) -> str:
        """What DESeq2's method did otherwise than usual."""
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
            estimate, standard_error, statistic, ci_lower, ci_upper, p_value, reason of the headline; p_lrt,
            hc3_p_value; estimate, ci_lower, ci_upper and p_value of both methods as ``deseq2_...`` and
            ``voom_...``; what does not apply is NaN.
        """
        genes = self.genes if genes is None else genes
        places = self.genes.get_indexer(genes)
        voom_test = self._voom(matrix, contrast, places)
        deseq2_test = self._deseq2(matrix, contrast, places) if self.deseq else None
        table = self._by_method(deseq2_test, voom_test)
        table["p_lrt"] = np.nan if deseq2_test is None else deseq2_test["p_lrt"]
        table["hc3_p_value"] = np.nan
        if self.persons is None:
            levels = self.log_cpm if genes.equals(self.genes) else self.log_cpm[:, places]
            table["hc3_p_value"] = hc3(levels, matrix.to_numpy(), contrast[None])[3, 0]
        return table.set_axis(genes, axis=0)

    def _by_method(self, deseq2_test: pd.DataFrame | None, voom_test: pd.DataFrame) -> pd.DataFrame:
        """The headline's test, and both with their names before the columns."""
        lead = voom_test if self.leads == VOOM else deseq2_test
        parts = [lead[[*ESTIMATED, "standard_error", "statistic", "reason"]]]
        for name, one in (("deseq2", deseq2_test), ("voom", voom_test)):
            if one is not None:
                parts.append(one[list(ESTIMATED)].add_prefix(f"{name}_"))
        return pd.concat(parts, axis=1)

    def _deseq2(self, matrix: pd.DataFrame, contrast: np.ndarray, places: np.ndarray) -> pd.DataFrame:
        fit = self.deseq
        if matrix is self.joint and len(places) == len(self.genes):
            estimate, error, _, p = fit.wald(contrast)[:, places]
            _, p_lrt = fit.likelihood_ratio(reduced(matrix, contrast), self.workers)[:, places]
            converged = np.ones(len(self.genes), bool)
            converged[fit.tested] = fit.fit.converged
            converged = converged[places]
        else:
            mine = fit.refit(matrix.to_numpy(), places, self.workers)
            estimate, error, _, p = mine.wald(contrast)
            _, p_lrt = mine.likelihood_ratio(fit.refit(reduced(matrix, contrast), places, self.workers))
            p, p_lrt = (np.where(fit.outlying[places], np.nan, values) for values in (p, p_lrt))
            converged = mine.converged
        table = _interval(estimate, error, NORMAL_975).assign(p_value=p, p_lrt=p_lrt, reason=self.reason)
        table.loc[np.isnan(p), "reason"] = OUTLYING
        table.loc[~converged] = np.nan
        table.loc[~converged, "reason"] = NOT_CONVERGED
        return table

    def _voom(self, matrix: pd.DataFrame, contrast: np.ndarray, places: np.ndarray) -> pd.DataFrame:
        terms = tuple(matrix)
        if terms not in self.moderated:
            self.moderated[terms] = fit_moderated(
                self.log_cpm, matrix.to_numpy(), self.weights, self.persons, self.correlation, self.workers
            )
        fit = self.moderated[terms]
        estimate, error, _, p = fit.test(contrast)[:, places]
        return _interval(estimate, error, float(t.ppf(0.975, fit.df))).assign(p_value=p, reason="")

    def between_models(
        self, one: pd.DataFrame, other: pd.DataFrame, column: int, genes: pd.Index
    ) -> pd.DataFrame:
        """The same column's coefficient in one design minus that in another (robust, both fits stacked), by
        both methods.

        Raises
        ------
        FitError
            Participants with several samples.
        """
        if self.deseq is None:
            raise FitError("several_samples_not_compared")
        places = self.genes.get_indexer(genes)
        fit, designs = self.deseq, [matrix.to_numpy() for matrix in (one, other)]
        given = (fit.size_factors, fit.dispersion[places], column)
        counts = difference(*(coefficient(fit.counts[:, places], design, *given) for design in designs))
        levels, weights, df = self.log_cpm[:, places], self.weights[:, places], len(one) - one.shape[1]
        weighted = (weighted_coefficient(levels, weights, design, column) for design in designs)
        deseq2_test, voom_test = (
            _interval(estimate, error, quantile).assign(p_value=p, reason=why)
            for (estimate, error, _, p), quantile, why in (
                (counts, NORMAL_975, self.reason),
                (difference(*weighted, df), float(t.ppf(0.975, df)), ""),
            )
        )
        deseq2_test.loc[fit.outlying[places], ["p_value", "reason"]] = np.nan, OUTLYING
        return self._by_method(deseq2_test, voom_test).set_axis(genes, axis=0)


def _interval(estimate: np.ndarray, error: np.ndarray, quantile: float) -> pd.DataFrame:
    table, half = pd.DataFrame({"estimate": estimate, "standard_error": error}), quantile * error
    with np.errstate(divide="ignore", invalid="ignore"):
        return table.assign(statistic=estimate / error, ci_lower=estimate - half, ci_upper=estimate + half)


def fit_models(
    counts: pd.DataFrame,
    people: pd.DataFrame,
    joint: pd.DataFrame,
    workers: int,
    headline: str = DESEQ2,
    engine: str = BUILTIN,
) -> CountModels:
    """Size factors, dispersions and weights of the joint design.

    Parameters
    ----------
    counts : DataFrame of int, samples x genes to be tested
    people : DataFrame, same index; a ``subject_id`` that occurs twice makes its samples one person's
    joint : design matrix, same index, with the intercept first
    headline : `DESEQ2` or `VOOM`
    engine : `BUILTIN`, or "pydeseq2" for DESeq2's method by that package (it has no likelihood-ratio test)

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
        fit = fit_deseq if engine == BUILTIN else deseq_by_pydeseq2
        deseq = fit(values, design, size_factors, workers)
    log_cpm, weights = voom(values, design, values.sum(axis=1) * trimmed_mean_of_m(values))
    if repeated:
        persons = pd.factorize(people[SUBJECT])[0]
        correlation = consensus_correlation(log_cpm, design, weights, persons, workers)
    shared = (joint, deseq, log_cpm, weights, persons, correlation, sparse, workers, headline)
    return CountModels(counts.columns, values, *shared)


def tested_genes(counts: pd.DataFrame, min_count: int, min_samples: int) -> np.ndarray:
    """Which genes of counts (samples x genes) have this count in so many samples, or in all if there are
    fewer.
    """
    return ((counts >= min_count).sum(axis=0) >= min(min_samples, len(counts))).to_numpy()


def tested_counts(counts: pd.DataFrame, tested: np.ndarray) -> pd.DataFrame:
    """The counts (samples x genes) of these genes as `fit_models` computes with them, so that no third table
    of counts is held.
    """
    values = np.compress(tested, counts.to_numpy(), axis=1)
    return pd.DataFrame(values, counts.index, counts.columns[tested], copy=False)


def size_factors_of(counts: np.ndarray) -> tuple[np.ndarray, bool]:
    """DESeq2's size factors, and whether they are of positive counts, because every gene has a sample without
    counts.
    """
    sparse = not (counts > 0).all(axis=0).any()
    return (positive_counts(counts) if sparse else median_of_ratios(counts)), sparse


def contrast_of(matrix: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """One column, or the first minus the second."""
    contrast = np.zeros(matrix.shape[1])
    for name, sign in zip(names, (1.0, -1.0), strict=False):
        contrast[matrix.columns.get_loc(name)] = sign
    return contrast


# Face age compared with chronological age in the same samples and the same unit: together, alone, and their
# difference.
#
# That one of two coefficients is significant and the other is not, is no difference between them: it is
# tested here.


@dataclass(frozen=True)
class Test:
    """What is tested in which model: one age, or (with two) the first minus the second."""

    model: str
    ages: tuple[str, ...]  # in the design; of two designs, if alone
    tested: tuple[str, ...]

    @property
    def exposure(self) -> str:
        return self.tested[0] if len(self.tested) == 1 else DIFFERENCE


TESTS = (
    # acceleration at equal age, age at equal acceleration
    *(Test(TOGETHER, (AGE_ACCELERATION, AGE), held) for held in ((AGE_ACCELERATION,), (AGE,), (AGE_ACCELERATION, AGE))),
    # the same fit said otherwise: face age at equal age, age at equal face age
    *(Test(FACE_AND_AGE, (FACE_AGE, AGE), held) for held in ((FACE_AGE,), (AGE,), (FACE_AGE, AGE))),
    # each in a model without the other
    *(Test(ALONE, (age,), (age,)) for age in (FACE_AGE, AGE, AGE_ACCELERATION)),
    Test(ALONE, (FACE_AGE, AGE), (FACE_AGE, AGE)),
    # face age minus age, not adjusted for age
    Test(RAW, (AGE_GAP,), (AGE_GAP,)),
)  # fmt: skip


def panel_tests(
    models: CountModels, people: pd.DataFrame, covariates: Sequence[str], per_years: float, genes: pd.Index
) -> Iterator[tuple[Test, pd.DataFrame]]:
    """Every test of `TESTS` for these genes; one that cannot be made has rows without estimates that say why."""
    designs: dict[tuple[str, ...], pd.DataFrame] = {(AGE_ACCELERATION, AGE): models.joint}

    def design(*ages: str) -> pd.DataFrame:
        if ages not in designs:
            designs[ages] = design_of(people, ages, covariates, per_years)
        return designs[ages]

    for test in TESTS:
        if not len(genes):
            yield test, pd.DataFrame({"reason": ""}, index=genes)
            continue
        try:
            if test.model == ALONE and len(test.tested) == 2:
                one, other = (design(age) for age in test.ages)
                # the exposure stands behind the intercept in both
                table = models.between_models(one, other, 1, genes)
            else:
                matrix = design(*test.ages)
                table = models.test(matrix, contrast_of(matrix, test.tested), genes)
        except FitError as error:
            table = pd.DataFrame({"reason": error.reason.encoded}, index=genes)
        yield test, table


def adjustment_of(test: Test, covariates: Sequence[str], matrix: Iterable[str]) -> dict[str, str]:
    """``adjustment`` and ``covariates`` of a test; covariates that do not vary are not among the columns of
    the design's ``matrix``.
    """
    ages = () if test.model == ALONE else test.ages
    held = [age for age in ages if age not in test.tested]
    found = {column.split(": ")[0] for column in matrix}
    crossed = [" x ".join(pair) for pair in interactions_of(covariates, test.ages)]
    held += [name for name in plain(covariates) if name in found]
    told = adjusted_for([*held, *crossed], test.exposure)
    # of two ages in one model each is adjusted for the other
    return told | {"adjustment": "full"} if len(test.tested) == 2 and test.model != ALONE else told
