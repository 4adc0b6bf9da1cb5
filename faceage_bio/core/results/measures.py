"""What an estimate can be: its scale, its unit, and what the release rule must know of it."""

from dataclasses import dataclass

# how much of a row is a closed function of counts (docs/privacy.md)
MODEL = "model"  # an estimate of a model: released
MOMENT = "moment"  # a mean, a standard deviation, a correlation: released, but its interval, error and p give n away
COUNT = "count"  # the estimate is a count: rounded
# a share, a kappa, an odds ratio of a table: redacted, or computed again from rounded counts
OF_COUNTS = "of counts"
EXTREME = "extreme"  # a smallest, a largest: redacted
TEST = "test"  # a statistic with its p


@dataclass(frozen=True)
class Measure:
    """A kind of estimate.

    ``scale``: where its standard error is: "identity", "log", "logit" or "fisher z"; ``unit``: of the
    estimate, "" for a pure number; ``tail``: of a quantile the smaller share beyond it; ``pooled_on``: where
    cohorts are pooled, if elsewhere; ``null``: its value without an association, of which a p-value is; None
    where there is none, as of a mean.
    """

    kind: str = MODEL
    scale: str = "identity"
    unit: str = ""
    tail: float | None = None
    pooled_on: str = ""
    null: float | None = None

    @property
    def pooling_scale(self) -> str:
        """Scale of meta-analysis."""
        return self.pooled_on or self.scale


MEASURES: dict[str, Measure] = {
    "participants": Measure(COUNT),
    "share": Measure(OF_COUNTS, "logit"),
    "missing": Measure(OF_COUNTS, "logit"),
    "correlation": Measure(MOMENT, "fisher z", null=0.0),
    # survival
    "hazard ratio": Measure(scale="log", null=1.0),
    "ratio of hazard ratios": Measure(scale="log", null=1.0),
    "cause-specific hazard ratio": Measure(scale="log", null=1.0),
    "subdistribution hazard ratio": Measure(scale="log", null=1.0),
    "interaction chi-square": Measure(TEST),
    "proportional hazards chi-square": Measure(TEST),
    "non-linearity chi-square": Measure(TEST),
    "association chi-square": Measure(TEST),
    "likelihood-ratio chi-square": Measure(TEST),
    "log-rank chi-square": Measure(TEST),
    "log-rank trend chi-square": Measure(TEST),
    "Fleming-Harrington chi-square": Measure(TEST),
    "Gray chi-square": Measure(TEST),
    "median follow-up": Measure(unit="years", tail=0.5),
    "median survival": Measure(unit="years", tail=0.5),
    "survival": Measure(OF_COUNTS),
    "cumulative incidence": Measure(OF_COUNTS),
    "restricted mean survival time": Measure(unit="years"),
    "difference of restricted mean survival time": Measure(unit="years", null=0.0),
    "ratio of restricted mean survival time": Measure(scale="log", null=1.0),
    # what predictions are worth
    "Harrell's C": Measure(pooled_on="logit", null=0.5),
    "Uno's C": Measure(pooled_on="logit", null=0.5),
    "AUC": Measure(pooled_on="logit", null=0.5),
    "Brier score": Measure(),
    "scaled Brier score": Measure(null=0.0),
    "integrated Brier score": Measure(),
    "difference of Harrell's C": Measure(null=0.0),
    "difference of Uno's C": Measure(null=0.0),
    "difference of AUC": Measure(null=0.0),
    "difference of Brier score": Measure(null=0.0),
    "difference of scaled Brier score": Measure(null=0.0),
    "difference of integrated Brier score": Measure(null=0.0),
    "calibration slope": Measure(null=1.0),
    "observed/expected ratio": Measure(OF_COUNTS, "log", null=1.0),
    "observed risk": Measure(OF_COUNTS),
    "smoothed observed risk": Measure(MOMENT),
    "integrated calibration index": Measure(MOMENT),
    "median calibration error": Measure(MOMENT, tail=0.5),
    "90th percentile of the calibration error": Measure(MOMENT, tail=0.1),
    "net benefit": Measure(OF_COUNTS),
    # scores
    "difference in participants": Measure(COUNT),
    "items": Measure(),
    "cut-point": Measure(unit="years"),
    # acceleration and phenotypes
    "mean difference": Measure(unit="years", null=0.0),
    "difference of mean differences": Measure(unit="years", null=0.0),
    "mean": Measure(MOMENT, unit="years"),
    "standard deviation": Measure(MOMENT, unit="years"),
    "slope": Measure(unit="years", null=0.0),
    "intercept": Measure(unit="years"),
    "ICC(1,1)": Measure(MOMENT, pooled_on="fisher z"),
    "ICC(A,1)": Measure(MOMENT, pooled_on="fisher z"),
    "standard error of measurement": Measure(MOMENT, unit="years"),
    "smallest detectable change": Measure(EXTREME, unit="years"),
    "mean change": Measure(MOMENT, unit="years", null=0.0),
    "partial omega squared": Measure(MOMENT),
    "linear trend": Measure(unit="years", null=0.0),
    "departure from linear trend": Measure(TEST),
    "interaction F": Measure(TEST),
    "curvature": Measure(TEST),
    "quadratic coefficient": Measure(MOMENT, unit="years", null=0.0),
    "turning point": Measure(),
    "standardised difference": Measure(MOMENT, null=0.0),
    "standardised difference of shares": Measure(OF_COUNTS, null=0.0),
    # fairness
    "mean error": Measure(MOMENT, unit="years", null=0.0),
    "mean absolute error": Measure(MOMENT, unit="years", pooled_on="log"),
    "root mean squared error": Measure(OF_COUNTS, unit="years"),
    "difference in mean error": Measure(MOMENT, unit="years", null=0.0),
    "difference in mean absolute error": Measure(MOMENT, unit="years", null=0.0),
    "ratio of standard deviations": Measure(MOMENT, scale="log", null=1.0),
    "difference of correlations": Measure(MOMENT, null=0.0),
    "difference of shares": Measure(OF_COUNTS, null=0.0),
    "difference in mean change": Measure(MOMENT, unit="years", null=0.0),
    # photos, models and reviewers
    "photos": Measure(COUNT),
    "duplicate photos": Measure(COUNT),
    "95th percentile": Measure(MOMENT, unit="years", tail=0.05),
    "mean absolute difference": Measure(MOMENT, unit="years"),
    "largest absolute difference": Measure(EXTREME, unit="years"),
    "bias": Measure(MOMENT, unit="years", null=0.0),
    "lower limit of agreement": Measure(MOMENT, unit="years"),
    "upper limit of agreement": Measure(MOMENT, unit="years"),
    "Cohen's kappa": Measure(OF_COUNTS),
    "observed agreement": Measure(OF_COUNTS),
    # readers
    "cases": Measure(COUNT),
    "sum of positive ranks": Measure(TEST),
    "F of equal conditions": Measure(TEST),
    "accuracy": Measure(OF_COUNTS),
    "sensitivity": Measure(OF_COUNTS),
    "specificity": Measure(OF_COUNTS),
    # genes: expression
    "log2 fold change": Measure(unit="log2", null=0.0),
    "mediated log2 fold change": Measure(unit="log2", null=0.0),
    "lowest log2 fold change": Measure(EXTREME, unit="log2"),
    "highest log2 fold change": Measure(EXTREME, unit="log2"),
    "largest change in standard errors": Measure(EXTREME),
    "largest Cook's distance": Measure(EXTREME),
    "largest leverage": Measure(EXTREME),
    "partial residual": Measure(unit="log2"),
    "standardised mean difference": Measure(unit="SD", null=0.0),
    "share of genes": Measure(OF_COUNTS),
    "type I error": Measure(),
    "inflation factor": Measure(),
    "normalised enrichment": Measure(),
    "odds ratio": Measure(OF_COUNTS, scale="log", null=1.0),
    "risk ratio": Measure(OF_COUNTS, scale="log", null=1.0),
    # genes: samples and cells
    "median": Measure(MOMENT, tail=0.5),
    "samples": Measure(COUNT),
    "R squared": Measure(MOMENT),
    "eta squared": Measure(MOMENT),
    "Cramer's V": Measure(OF_COUNTS),
    "cells": Measure(),
    "profiles": Measure(COUNT),
    "log2 fold change of the share": Measure(MOMENT, unit="log2", null=0.0),
    # meta-analysis
    "meta-regression coefficient": Measure(null=0.0),
    "Egger's test": Measure(TEST),
    "cohort interaction chi-square": Measure(TEST),
    # genes: variants
    "SKAT statistic": Measure(TEST),
    "variants": Measure(),
    "genotypes": Measure(),
}
