"""The role of result rows: primary and secondary are those that answer a question of the analysis plan, all others are exploratory."""

from collections.abc import Mapping

import pandas as pd

from faceage_bio.core.columns import COHORT, PER_SD
from faceage_bio.core.settings.settings_study import ADDED, DISEASE, FACES, GENES, SURVIVAL, Planned, planned

UNADJUSTED, JOINT = "unadjusted", "together"
ANSWERING = ("cox", "added_value", "panel", "phenotypes", "groups")  # tables that answer a question
HARRELL = "difference of Harrell's C"


def answers(table: pd.DataFrame, name: str, plan: Planned) -> pd.Series:
    """Whether each row of a result table, such as ``cox``, answers a question of the plan."""
    asked = (plan.question, name)
    own = table["exposure"].eq(plan.exposure)
    if asked == (SURVIVAL, "cox"):
        # per so many years, as they are pooled; penalised models come after the plain ones
        own &= table["term"].eq(plan.exposure) & table["adjustment"].eq(plan.adjustment) & table["per"].ne(PER_SD)
        return own & own.groupby(table[COHORT]).cumsum().eq(1)
    if asked == (ADDED, "added_value"):
        full = table["adjustment"].eq("full") & table["comparison"].ne(table["comparison"].groupby(table[COHORT]).transform("first"))
        own &= full if plan.adjustment == "full" else ~table["adjustment"].isin([UNADJUSTED, "full"]) & ~full
        return own & table["measure"].eq(HARRELL)
    if asked == (GENES, "panel"):
        return own & table["model"].eq(JOINT)
    if plan.question == FACES and name == ("groups" if plan.exposure == DISEASE else "phenotypes"):
        return own & (table["adjustment"].eq(UNADJUSTED) == (plan.adjustment == UNADJUSTED))
    return own & False


def with_roles(table: pd.DataFrame, name: str, config: Mapping) -> pd.DataFrame:
    """A result table with the roles of the plan of a config."""
    if name not in ANSWERING:
        return table
    made = table.copy()
    for one in reversed(planned(config)):
        made.loc[answers(table, name, one), "role"] = one.role
    return made
