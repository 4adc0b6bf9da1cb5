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
    # genes
    "log2 fold change": Measure(unit="log2"),
}
