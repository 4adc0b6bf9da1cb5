"""What a colour means in the figures of all pages: a cohort, or a kind of estimate or group; none is both.

Each has a contrast of at least 3:1 on white and on the dark page; those that stand together can be distinguished with any colour vision.
"""

from collections.abc import Sequence

INK = "#010203"  # replaced by the page's own text colour
GREY = "#80868f"  # unadjusted, for comparison, lowest group
VERMILLION = "#D55E00"  # face age, age acceleration, adjusted for age, highest group
VIOLET = "#7566C8"  # chronological age, groups between
BROWN = "#A0503C"  # a difference, a further method
COHORTS = ("#0072B2", "#009E73", "#CC79A7", "#78A014", "#3C50F0", "#287828")  # the first three: Okabe and Ito
BETWEEN = (VIOLET, BROWN, "#50648C", "#783CF0")


def of_cohorts(names: Sequence[str]) -> dict[str, str]:
    """The colour of each cohort, by its place in the config."""
    return {name: COHORTS[place % len(COHORTS)] for place, name in enumerate(names)}


def of_groups(n: int) -> list[str]:
    """Colours of ``n`` groups of a figure, the lowest (or reference) first."""
    if n < 2:
        return [VERMILLION][:n]
    return [GREY, *(BETWEEN[place % len(BETWEEN)] for place in range(n - 2)), VERMILLION]
