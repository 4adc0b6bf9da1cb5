"""Which rows of a cohort's result tables are its headline estimates. The workflow asks for the names, so
pandas is not loaded here.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from faceage_bio.core.columns import AGE, AGE_ACCELERATION, FACE_AGE

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas

AGES = (FACE_AGE, AGE_ACCELERATION, AGE)


@dataclass(frozen=True)
class Source:
    """``wanted``: its headline rows; ``keys``: columns that tell rows apart besides `IDENTITY`; ``genes``:
    many tests, pooled by z.
    """

    wanted: "Callable[[pandas.DataFrame], pandas.Series]"
    keys: tuple[str, ...] = ()
    genes: bool = False


def _all(table: "pandas.DataFrame") -> "pandas.Series":
    return table["measure"].notna()


def _of_ages(cox: "pandas.DataFrame") -> "pandas.Series":
    """Both ages and age acceleration per so many years: a standard deviation is another amount in each
    cohort.
    """
    per_sd = cox["per"].fillna("").str.startswith("1 SD")
    return (
        (cox["term"] == cox["exposure"])
        & cox["exposure"].isin(AGES)
        & ~cox["step"].fillna("").str.endswith("Firth")
        & ~per_sd
    )


SOURCES: dict[str, Source] = {
    "survival/cox": Source(_of_ages, ("step",)),
    "survival/age_comparison": Source(lambda t: t["measure"] == "ratio of hazard ratios", ("step", "model")),
    "survival/added_value": Source(lambda t: t["kind"].isin(["model", "difference"]), ("comparison",)),
    "survival/subgroups": Source(lambda t: t["question"].eq("subgroups") & t["modifier"].fillna("").ne("") & t["subgroup"].fillna("").eq(""), ("step", "modifier")),
    "survival/summary": Source(lambda t: t["measure"] == "difference of restricted mean survival time", ("grouping",)),
    "survival/gene_panel": Source(_all, genes=True),
    # by outcome, of age gap or face age; what they are adjusted for may differ, as in a cohort of one sex
    "phenotype/phenotypes": Source(_all),
    "phenotype/interactions": Source(_all, ("modifier",)),
    "expression/panel": Source(
        lambda t: (t["model"] == "together") & t["exposure"].isin([AGE_ACCELERATION, AGE, "difference"]), ("model",), genes=True
    ),
    "expression/set_associations": Source(_all, ("method", "adjustment"), genes=True),
    "acceleration/reliability": Source(lambda t: t["measure"].isin(["ICC(1,1)", "ICC(A,1)"])),
    "acceleration/ageing_rate": Source(lambda t: t["measure"].isin(["hazard ratio", "mean"]), ("adjustment",)),
    "fairness/fairness": Source(
        lambda t: (t["factor"] == "all") & t["measure"].isin(["mean error", "mean absolute error", "correlation"]), ("population", "adjustment")
    ),
}  # fmt: skip
