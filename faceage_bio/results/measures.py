"""What an estimate can be: its scale, its unit, and what the release rule must know of it."""

from dataclasses import dataclass

# how much of a row is a closed function of counts (docs/privacy.md)
MODEL = "model"  # an estimate of a model: released
MOMENT = "moment"  # a mean, a standard deviation, a correlation: released, but its interval, error and p give n away
COUNT = "count"  # the estimate is a count: rounded
OF_COUNTS = (
    "of counts"  # a share, a kappa, an odds ratio of a table: redacted, or computed again from rounded counts
)
EXTREME = "extreme"  # a smallest, a largest: redacted
TEST = "test"  # a statistic with its p


@dataclass(frozen=True)
class Measure:
    """A kind of estimate.

    ``scale``: where its standard error and its pooling are: "identity", "log", "logit" or "fisher z"; ``unit``: of the estimate,
    "" for a pure number; ``tail``: of a quantile the smaller share beyond it.
    """

    kind: str = MODEL
    scale: str = "identity"
    unit: str = ""
    tail: float | None = None


MEASURES: dict[str, Measure] = {
    # survival
    "hazard ratio": Measure(scale="log"),
    "ratio of hazard ratios": Measure(scale="log"),
    "interaction chi-square": Measure(TEST),
    # acceleration and phenotypes
    "mean difference": Measure(unit="years"),
    "mean": Measure(MOMENT, unit="years"),
    "standard deviation": Measure(MOMENT, unit="years"),
    "correlation": Measure(MOMENT, scale="fisher z"),
    "slope": Measure(unit="years"),
    "intercept": Measure(unit="years"),
    "median": Measure(MOMENT, tail=0.5),
    "ICC(1,1)": Measure(MOMENT),
    "ICC(A,1)": Measure(MOMENT),
    "standard error of measurement": Measure(MOMENT, unit="years"),
    "smallest detectable change": Measure(EXTREME, unit="years"),
    "mean change": Measure(MOMENT, unit="years"),
    "partial omega squared": Measure(MOMENT),
    "linear trend": Measure(unit="years"),
    "departure from linear trend": Measure(TEST),
    "interaction F": Measure(TEST),
    "curvature": Measure(TEST),
    "quadratic coefficient": Measure(MOMENT, unit="years"),
    "turning point": Measure(),
    "standardised difference": Measure(),
    "participants": Measure(COUNT),
    "share": Measure(OF_COUNTS),
    "missing": Measure(OF_COUNTS),
    # fairness
    "mean error": Measure(MOMENT, unit="years"),
    "mean absolute error": Measure(MOMENT, unit="years"),
    "root mean squared error": Measure(MOMENT, unit="years"),
    "difference in mean error": Measure(MOMENT, unit="years"),
    "difference in mean absolute error": Measure(MOMENT, unit="years"),
    "ratio of standard deviations": Measure(MOMENT, scale="log"),
    "difference of correlations": Measure(MOMENT),
    "difference of shares": Measure(OF_COUNTS),
    "difference in mean change": Measure(MOMENT, unit="years"),
    # photos, models and reviewers
    "photos": Measure(COUNT),
    "duplicate photos": Measure(COUNT),
    "95th percentile": Measure(MOMENT, unit="years", tail=0.05),
    "mean absolute difference": Measure(MOMENT, unit="years"),
    "largest absolute difference": Measure(EXTREME, unit="years"),
    "bias": Measure(MOMENT, unit="years"),
    "lower limit of agreement": Measure(MOMENT, unit="years"),
    "upper limit of agreement": Measure(MOMENT, unit="years"),
    "Cohen's kappa": Measure(OF_COUNTS),
    "observed agreement": Measure(OF_COUNTS),
    # readers
    "cases": Measure(COUNT),
    "AUC": Measure(),
    "difference of AUC": Measure(),
    "sum of positive ranks": Measure(TEST),
    "F of equal conditions": Measure(TEST),
    "accuracy": Measure(OF_COUNTS),
    "sensitivity": Measure(OF_COUNTS),
    "specificity": Measure(OF_COUNTS),
    # genes
    "log2 fold change": Measure(unit="log2"),
}
