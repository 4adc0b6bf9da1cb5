"""The result row: the columns that every result table has, in their order."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from faceage_bio.core.columns import (
    AGE,
    AGE_ACCELERATION,
    AGE_GAP,
    COHORT,
    DEFINITION,
    EVENT,
    FACE_AGE,
    MODEL_ID,
    PER_SD,
)
from faceage_bio.core.results.measures import MEASURES
from faceage_bio.core.results.reasons import NOT_ESTIMATED, Reason, encode, status_of
from faceage_bio.core.results.result_tables import NUMBERS as NUMBER_KEYS
from faceage_bio.core.results.result_tables import TABLES, key_of
from faceage_bio.core.settings.settings_study import (
    ADDED,
    DISEASE,
    EXPLORATORY,
    FACES,
    GENES,
    PRIMARY,
    SECONDARY,
    SURVIVAL,
    Planned,
    planned,
)

if TYPE_CHECKING:
    from faceage_bio.core.config import Config

FIRST = (
    "cohort", "question", "role", "outcome", "exposure", "definition", "model_id", "term", "level", "reference", "subgroup", "horizon",
    "measure", "unit", "per", "estimate", "ci_lower", "ci_upper", "standard_error", "statistic", "df", "p_value", "q_value", "family",
    "n", "n_events",
)  # fmt: skip
LAST = ("adjustment", "covariates", "model", "status", "reason")
# a row that was not estimated has none
ESTIMATES = ("estimate", "ci_lower", "ci_upper", "standard_error", "statistic", "p_value", "q_value")
NUMBERS = (*ESTIMATES, "horizon", "df", "n", "n_events")
WORDS = tuple(name for name in (*FIRST, *LAST) if name not in NUMBERS)
# of a step alone exploratory, until the plan marks the answers to its questions (`with_roles`)
ROLES = (PRIMARY, SECONDARY, EXPLORATORY)
ADJUSTMENTS = {  # closed words; ``covariates`` names the columns
    "unadjusted": "no covariate",
    "age": "chronological age",
    "minimal": "chronological age and sex, or what the study declares as minimal",
    "without mediators": "the full set less mediators",
    "without age": "declared covariates, with neither chronological age nor age acceleration",
    "stepwise": "a step of the sequentially adjusted models between age and full",
    "full": "all declared covariates",
    "matched": "matched pairs",
    "reciprocal": "chronological age as exposure, adjusted for age acceleration or face age",
}
KEPT = (
    "cohort", "question", "term", "measure", "estimate", "ci_lower", "ci_upper", "p_value", "n", "status", "tau2", "i2", "pi_lower", "pi_upper",
)  # fmt: skip  # with values or not
OF_FACES = {  # words of rows that are about face ages, in the columns that say what a row is about
    FACE_AGE, AGE_GAP, AGE_ACCELERATION, "face age", "age gap", "age acceleration", "error of face age", "difference",
}  # fmt: skip
ACCELERATION = {AGE_ACCELERATION, "age acceleration", "difference"}
ABOUT = ("outcome", "exposure", "term", "grouping", "modifier", "variable")
UNADJUSTED, JOINT = "unadjusted", "together"
ANSWERING = ("cox", "added_value", "panel", "phenotypes", "groups")  # tables that answer a question
HARRELL = "difference of Harrell's C"


def columns_of(table: str) -> list[str]:
    """The columns of a result table in their order."""
    declared = TABLES[table]
    return [*FIRST, *declared.further, *LAST] if declared.rows else list(declared.further)


def number_columns(table: str) -> list[str]:
    """The columns of a result table that hold numbers and are no counts."""
    declared = TABLES[table]
    numbers = NUMBERS if declared.rows else ()
    return [*numbers, *NUMBER_KEYS.intersection(declared.keys), *declared.statistics]


def result_rows(rows: Sequence[dict] | pd.DataFrame, table: str) -> pd.DataFrame:
    """Rows of a result table, with all its columns whether or not they hold anything.

    Parameters
    ----------
    rows : ``reason`` may be a `Reason`, several, or a cell as `encode` makes it
    table : its place within a cohort, ``survival/cox``

    Returns
    -------
    DataFrame
        ``status`` is made of the reasons; a row that was not estimated holds no number.

    Raises
    ------
    ValueError
        A column or a measure that is not declared, a missing number without a reason: a bug of the step.
    """
    made = pd.DataFrame(rows)
    columns = columns_of(table)
    if unknown := [name for name in made if name not in columns]:
        raise ValueError(f"{table}: columns {unknown} are not declared in results/tables.py")
    made = made.reindex(columns=columns)
    if not TABLES[table].rows:
        return made
    if unknown := sorted(set(made["measure"].dropna()) - MEASURES.keys()):
        raise ValueError(f"{table}: measures {unknown} are not declared in results/measures.py")
    if unknown := sorted(set(made["adjustment"].dropna()) - ADJUSTMENTS.keys() - {""}):
        raise ValueError(f"{table}: adjustments {unknown} are not declared in results/row.py")
    made["role"] = made["role"].astype(object).fillna(EXPLORATORY)
    made["reason"] = [_cell(value) for value in made["reason"]]
    made["status"] = by_cell(made["reason"], status_of)
    lost = made["status"].eq(NOT_ESTIMATED)
    made.loc[lost, list(ESTIMATES)] = float("nan")
    units = made["measure"].map({name: measure.unit for name, measure in MEASURES.items()})
    made["unit"] = made["unit"].where(made["unit"].notna(), units)
    for name in NUMBERS:  # a column of nothing has a type too, so that tables can be put below each other
        if made[name].dtype == object:
            made[name] = pd.to_numeric(made[name]).astype(float)
    return made


def identified(table: pd.DataFrame, participants: pd.DataFrame) -> pd.DataFrame:
    """Result rows with the model whose face ages they use, and with the definition of age acceleration that they use.

    Parameters
    ----------
    table : a result table; other tables stay as they are
    participants : cohort, model_id, definition of those of whom the rows are; a column may be absent
    """
    if not is_result(table) or table.empty or participants.empty:
        return table
    made = table.copy()
    named = table[[name for name in ABOUT if name in table]]
    held = table["covariates"].fillna("").astype(str).str.split(", ").map(set)
    for name, words in ((DEFINITION, ACCELERATION), (MODEL_ID, OF_FACES)):
        given, defined = (made[column].fillna("").ne("") for column in (name, DEFINITION))
        uses = named.isin(words).any(axis=1) | ~held.map(words.isdisjoint) | defined
        if name in participants:
            of_cohort = participants.groupby(COHORT)[name].agg(each_once) if COHORT in participants else {}
            known = made[COHORT].map(of_cohort).fillna(each_once(participants[name]))
            made[name] = made[name].where(given | ~uses, known)
    return made


def each_once(words: pd.Series) -> str:
    """The different words of a column, in their order."""
    return ", ".join(sorted(set(words.dropna().astype(str)) - {""}))


def tested(measure: str, test: tuple[float, int, float]) -> dict:
    """A chi-square, its degrees of freedom and its p-value as fields of a row."""
    chi_square, df, p_value = test
    return {"measure": measure, "estimate": chi_square, "df": df, "p_value": p_value}


def counted(participants: pd.DataFrame) -> dict[str, int]:
    """How many participants there are, and how many of them died, as fields of a row."""
    return {"n": len(participants), "n_events": int(participants[EVENT].sum())}


def adjusted_for(held: Sequence[str], exposure: str = "") -> dict[str, str]:
    """``adjustment`` and ``covariates`` of a row, by the columns that its model holds besides the exposure."""
    if not held:
        word = "unadjusted"
    elif exposure == AGE and {AGE_ACCELERATION, FACE_AGE} & set(held):
        word = "reciprocal"
    elif AGE not in held:
        word = "without age"
    else:
        word = {frozenset([AGE]): "age", frozenset([AGE, "sex"]): "minimal"}.get(frozenset(held), "full")
    return {"adjustment": word, "covariates": ", ".join("age" if name == AGE else name for name in held)}


def by_cell(cells: pd.Series, say: Callable[[object], str]) -> pd.Series:
    """What a function says of each cell, asked once for each different one: a table of all genes has 20,000 rows."""
    return cells.map({cell: say(cell) for cell in cells.unique()})


def is_result(table: pd.DataFrame) -> bool:
    """Whether a table holds result rows."""
    return {"question", "measure", "status"} <= set(table.columns)


def without_empty(table: pd.DataFrame) -> pd.DataFrame:
    """The table as a file that a reader opens: without columns that hold nothing."""
    empty = table.isna() | (table == "")
    return table[[name for name in table if name in KEPT or not empty[name].all()]]


def restore(table: pd.DataFrame, place: str) -> pd.DataFrame:
    """A table as its step made it: with the columns that its file left out."""
    key = key_of(place)
    columns = columns_of(key) if key in TABLES else [*FIRST, *LAST]
    further = [name for name in table if name not in columns]
    return table.reindex(columns=[*columns, *further])


def _cell(value: object) -> str:
    if isinstance(value, Reason):
        return value.encoded
    if isinstance(value, list | tuple):
        return encode(value)
    return value if isinstance(value, str) else ""


def answers(table: pd.DataFrame, name: str, plan: Planned) -> pd.Series:
    """Whether each row of a result table, such as ``cox``, answers a question of the plan."""
    asked = (plan.question, name)
    own = table["exposure"].eq(plan.exposure)
    if asked == (SURVIVAL, "cox"):
        # per so many years, as they are pooled; penalised models come after the plain ones
        own &= table["term"].eq(plan.exposure) & table["adjustment"].eq(plan.adjustment)
        own &= table["per"].ne(PER_SD)
        return own & own.groupby(table[COHORT]).cumsum().eq(1)
    if asked == (ADDED, "added_value"):
        first = table["comparison"].groupby(table[COHORT]).transform("first")
        full = table["adjustment"].eq("full") & table["comparison"].ne(first)
        own &= full if plan.adjustment == "full" else ~table["adjustment"].isin([UNADJUSTED, "full"]) & ~full
        return own & table["measure"].eq(HARRELL)
    if asked == (GENES, "panel"):
        return own & table["model"].eq(JOINT)
    if plan.question == FACES and name == ("groups" if plan.exposure == DISEASE else "phenotypes"):
        return own & (table["adjustment"].eq(UNADJUSTED) == (plan.adjustment == UNADJUSTED))
    return own & False


def with_roles(table: pd.DataFrame, name: str, config: "Config") -> pd.DataFrame:
    """A result table with the roles of the plan of a config."""
    if name not in ANSWERING:
        return table
    made = table.copy()
    for one in reversed(planned(config)):
        made.loc[answers(table, name, one), "role"] = one.role
    return made
