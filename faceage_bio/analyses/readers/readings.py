"""The two tables of a reader study, who judged which case under which condition and what became of the cases; and the
study in memory.

Which way an answer points is never guessed: yes and no stand under ``predicted_alive``, a number under ``rating`` means what
``rating_of`` declares, and 0 and 1 under ``predicted_alive`` are refused, since both meanings occur.
"""

import difflib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.core import parse
from faceage_bio.core.columns import AGE, COHORT, ENTRY, EVENT, FACE_AGE, FOLLOWUP, SUBJECT
from faceage_bio.core.errors import NAMELESS, FitError, Problems
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.settings.settings_cohort import SheetForm
from faceage_bio.core.tables import read_table
from faceage_bio.intake.observation import check_follow_up, check_years, is_followed
from faceage_bio.intake.schemas import PARTICIPANTS, READINGS, check_spelling, complete, read_user_table
from faceage_bio.stats.multi_reader import Inference
from faceage_bio.stats.prediction_accuracy import Areas, censored_areas, delong, status_at

READER, TYPE, CASE, CONDITION = "reader_id", "reader_type", "case_id", "condition"
ALIVE, RATING, YEARS, DECADE = "predicted_alive", "rating", "predicted_age", "predicted_age_decade"
ANSWERS = {"yes": 0.0, "alive": 0.0, "no": 1.0, "dead": 1.0, "died": 1.0}  # 1 = dead within the horizon
SPELT_DECADES = {
    text: float(decade)
    for decade in range(13)
    for text in (f"{decade}", f"{10 * decade}s", f"{10 * decade}-{10 * decade + 9}")
}
HALF = 0.5  # a death rated at least this likely is a predicted one
NUMBERS = (AGE, FACE_AGE, FOLLOWUP, ENTRY)


def read_readings(
    path: Path | str,
    conditions: Sequence[str],
    types: Sequence[str],
    rating_of: str | None,
    cases: Sequence[str],
    problems: Problems,
    form: SheetForm | None = None,
) -> pd.DataFrame:
    """The readings, checked against the conditions, the types of readers and the cases.

    Parameters
    ----------
    path : path
        TSV or CSV with reader_id, case_id, condition, and predicted_alive or rating or both; optional
        reader_type, predicted_age (years), predicted_age_decade (6 or 60-69).
    conditions, types : sequences of str
        All words that the columns may hold.
    rating_of : "death", "survival" or None
        What a rating of 1 is certain of.
    cases : sequence of str
        Identifiers of the cases.
    problems : Problems
        Every wrong cell and row is added.
    form : SheetForm, optional
        How the table is written.

    Returns
    -------
    DataFrame
        reader ("staff 1": the identifier is not kept), reader_type, case_id, condition, rating (of death, 0
        to 1), dead (1.0 predicted to die, 0.0 to live), years, decade; NaN where nothing was answered.
    """
    file, given = str(path), read_user_table(path, READINGS, problems, form)
    if given is None:
        return pd.DataFrame(columns=[CASE])
    if ALIVE not in given.cells and RATING not in given.cells:
        problems.other(
            f"{file}: needs the column {ALIVE} or {RATING}; found {', '.join(given.cells)}. Name one so, as in the example of "
            "`faceage-bio compare-readers --help`."
        )
        return pd.DataFrame(columns=[CASE])
    table = complete(given.values, READINGS)
    for name in (ALIVE, DECADE):
        table[name] = given.cells.get(name, "")
    if TYPE not in given.cells:
        table[TYPE] = types[0] if len(types) == 1 else "reader"
        types = [*types, "reader"]
    _words(table, CONDITION, conditions, "readers.conditions", file, problems)
    _words(table, TYPE, types, "readers.types", file, problems)
    check_spelling(table[READER], file, problems)
    _one_type_each(table, file, problems)
    _no_doubles(table, file, problems)
    known = set(cases)
    advice = (
        "Expected a case of the cases table, which has none of that name. Correct it, add the case to the cases table, or take the "
        "reading out."
    )
    for line in table.index[~table[CASE].isin(known) & (table[CASE] != "")]:
        problems.cell(file, line, CASE, table.at[line, CASE], advice)
    answer, rating = _answers(table, file, problems), _ratings(table, rating_of, file, problems)
    years = table[YEARS]
    decade = _decades(table, file, problems)
    decade = decade.where(decade.notna(), np.floor(years / 10))
    silent = answer.isna() & rating.isna() & decade.isna()
    written = given.cells.get(RATING, table[ALIVE])
    advice = "Expected an answer, but this reading holds none. Take the row out."
    for line in table.index[silent & parse.is_missing(table[ALIVE]) & parse.is_missing(written)]:
        problems.cell(file, line, ALIVE, None, advice)
    rates = rating.notna().groupby([table[READER], table[CONDITION]]).transform("any")
    predicted = (rating >= HALF).astype(float).where(rating.notna())
    readings = table[[READER, TYPE, CASE, CONDITION]].assign(
        rating=rating.where(rates, answer),  # a yes would be surer than any rating of the same reader
        dead=answer.where(answer.notna(), predicted),
        years=years,
        decade=decade,
    )
    readings = readings.assign(reader=_pseudonyms(readings)).drop(columns=READER)
    order = {kind: place for place, kind in enumerate(types)}
    number = readings["reader"].str.rsplit(" ", n=1).str[-1].astype(int)
    keys = readings.assign(kind=readings[TYPE].map(order), number=number)
    return readings.loc[keys.sort_values(["kind", "number"], kind="stable").index].reset_index(drop=True)


def _words(
    table: pd.DataFrame, column: str, known: Sequence[str], key: str, file: str, problems: Problems
) -> None:
    for line in table.index[~table[column].isin(known)]:
        value = table.at[line, column]
        near = difflib.get_close_matches(value, known, n=1, cutoff=0.6)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        advice = f"Expected {', '.join(known)} (declared as {key}). Write one of them, or declare this word.{meant}"
        problems.cell(file, line, column, value, advice)


def _one_type_each(table: pd.DataFrame, file: str, problems: Problems) -> None:
    first = table.groupby(READER)[TYPE].transform("first")
    for line in table.index[(table[TYPE] != first) & (table[READER] != "")]:
        advice = f"The reader is {first[line]!r} in an earlier row. Expected one type of each reader. Correct one of the rows."
        problems.cell(file, line, TYPE, table.at[line, TYPE], advice)


def _no_doubles(table: pd.DataFrame, file: str, problems: Problems) -> None:
    keys = [READER, CASE, CONDITION]
    advice = "This reader has judged it already. Expected one reading of each case under a condition. Keep one of them."
    for line in table.index[table.duplicated(keys) & (table[READER] != "") & (table[CASE] != "")]:
        found = f"{table.at[line, CASE]} under {table.at[line, CONDITION]}"
        problems.cell(file, line, CASE, found, advice)


def _answers(table: pd.DataFrame, file: str, problems: Problems) -> pd.Series:
    """1.0 predicted dead, 0.0 predicted alive, NaN not answered."""
    cells = table[ALIVE].str.lower()
    values = cells.map(ANSWERS)
    for line in cells.index[values.isna() & ~parse.is_missing(cells)]:
        number = parse.to_numbers(cells.loc[[line]]).notna().all()
        advice = (
            "Expected yes or no, because a number can mean alive or dead. Write yes (alive at the horizon) or no (dead by then); put a probability "
            "into a column 'rating' and declare rating_of: death or survival."
            if number
            else "Expected yes or no. Write yes (alive at the horizon) or no (dead by then)."
        )
        problems.cell(file, line, ALIVE, table.at[line, ALIVE], advice)
    return values.astype("float64")


def _ratings(table: pd.DataFrame, rating_of: str | None, file: str, problems: Problems) -> pd.Series:
    """Probability of death, whichever way it was written."""
    values = table[RATING]
    if values.notna().any() and rating_of is None:
        problems.other(
            f"{file}: column '{RATING}' holds numbers, but it is not declared whether 1 means certain death or certain survival. "
            "Expected one of both. Declare it: rating_of: death, or rating_of: survival."
        )
    return 1 - values if rating_of == "survival" else values


def _decades(table: pd.DataFrame, file: str, problems: Problems) -> pd.Series:
    """The decade's number: 6 for 6, 60s and 60-69."""
    cells = table[DECADE].str.lower().str.replace(" ", "").str.replace("–", "-")
    values = cells.map(SPELT_DECADES)
    advice = "Expected a decade of life. Write it as 6, 60s or 60-69."
    for line in cells.index[values.isna() & ~parse.is_missing(cells)]:
        problems.cell(file, line, DECADE, table.at[line, DECADE], advice)
    return values.astype("float64")


def _pseudonyms(readings: pd.DataFrame) -> pd.Series:
    """ "staff 1" ...: the order is that of a digest with all readings, which a list of names does not give; the
    order of rows does not change it.
    """
    readers = readings.drop_duplicates(READER)[[READER, TYPE]]
    cells = readings.sort_values([READER, CASE, CONDITION]).to_csv(index=False, float_format="%.6f").encode()
    digest = readers[READER].map(lambda name: hmac.digest(cells, name.encode(), "sha256"))
    readers = readers.assign(digest=digest).sort_values("digest")
    numbers = readers.groupby(TYPE).cumcount() + 1
    names = readers[TYPE] + " " + numbers.astype(str)
    return readings[READER].map(dict(zip(readers[READER], names, strict=True)))


def read_cases(
    paths: Sequence[Path | str], model_column: str, problems: Problems, form: SheetForm | None
) -> pd.DataFrame:
    """What is known of the cases: of plain tables, or of the cohorts' analysis tables.

    Parameters
    ----------
    paths : sequence of paths
        Plain: case_id (or subject_id), followup_years, event (1 died, 0 alive when last seen),
        chronological_age, face_age, and the column that orders the cases by the model's risk; what is not
        known may lack.
    model_column : str
    form : SheetForm, optional
        How a plain table is written.

    Returns
    -------
    DataFrame
        cohort, subject_id, followup_years, event, entry_years, chronological_age, face_age, model; one row
        per case.
    """
    wanted = dict.fromkeys([COHORT, SUBJECT, *NUMBERS, EVENT, model_column])
    parts, found = [], {FACE_AGE}  # which may lack: readers are compared with each other then
    for path in paths:
        if Path(path).suffix == ".parquet":
            table = read_table(path)
        else:
            table = _plain_cases(path, model_column, problems, form or SheetForm())
        found |= set(table)
        parts.append(table.reindex(columns=list(wanted)))
    cases = pd.concat([part.astype(object) for part in parts if len(part)] or parts, ignore_index=True)
    numbers = pd.to_numeric(cases[model_column], errors="coerce")
    if (cases[model_column].notna() & numbers.isna()).any() or model_column not in found:
        problems.other(
            f"{', '.join(map(str, paths))}: readers.model_column names '{model_column}', which is no column of numbers. "
            "Expected the column by which the model orders the cases. Correct the name."
        )
        cases[model_column] = numbers
    for name in {*NUMBERS, EVENT, model_column}:
        cases[name] = cases[name].astype("float64")
    doubled = cases[SUBJECT].duplicated(keep="first")
    if doubled.any():
        twice = ", ".join(map(repr, cases.loc[doubled, SUBJECT].head()))
        problems.other(
            f"{', '.join(map(str, paths))}: {int(doubled.sum())} case(s) stand more than once ({twice}). Expected one row of each. Keep one row of each."
        )
    return cases.assign(model=cases[model_column])


def _plain_cases(path: Path | str, model_column: str, problems: Problems, form: SheetForm) -> pd.DataFrame:
    file, named = str(path), {CASE: CASE} | form.columns
    columns = {SUBJECT if ours == CASE else ours: theirs for ours, theirs in named.items()}
    given = read_user_table(path, PARTICIPANTS, problems, form.model_copy(update={"columns": columns}))
    if given is None:
        return pd.DataFrame(columns=[SUBJECT])
    table = given.values
    if SUBJECT not in table:
        problems.other(
            f"{file}: needs the column case_id; found {', '.join(table.columns)}. Name the column so."
        )
        return pd.DataFrame(columns=[SUBJECT])
    for line in table.index[table[SUBJECT] == ""]:
        problems.cell(file, line, CASE, None, NAMELESS)
    if model_column in table and model_column not in PARTICIPANTS.columns:
        table[model_column] = parse.numbers(given.cells[model_column], model_column, file, problems)
    check_years(table, file, problems)
    check_follow_up(table, file, problems, given.cells)
    return table if COHORT in table else table.assign(**{COHORT: "cases"})


# the three ways in which censored follow-up is dealt with
KNOWN, WEIGHTED, DEAD_ONLY = "status known", "weighted for censoring", "dead only (legacy)"
CENSORINGS = (KNOWN, WEIGHTED, DEAD_ONLY)
RANDOM = {"both": "readers and cases", "cases": "cases", "readers": "readers"}  # who is a sample of others
DELONG = "Mann-Whitney area, DeLong"
OBUCHOWSKI = "Obuchowski-Rockette, Hillis' degrees of freedom"
VALUES = ("rating", "dead", "years", "decade")
# counts of cases that are shown if there is none
ALWAYS = ("read", "died by the horizon", "alive at the horizon")


@dataclass(frozen=True)
class Outcome:
    """Follow-up of the cases, indexed by case; ``status`` 1.0 died by the horizon, 0.0 alive at it, NaN not
    known.
    """

    years: pd.Series
    event: pd.Series
    horizon: float

    @cached_property
    def status(self) -> pd.Series:
        """Status at the horizon."""
        return pd.Series(status_at(self.years, self.event, self.horizon), index=self.years.index)

    def usable(self, how: str) -> pd.Series:
        """Which cases count: those whose status is known; all that were followed; those who died at any time."""
        if how == KNOWN:
            return self.status.notna()
        return self.event == 1 if how == DEAD_ONLY else self.years.notna()

    def areas(self, ratings: pd.DataFrame, how: str) -> Areas:
        """Areas of complete ratings (one row per case, one column per rater), of the cases that count.

        Raises
        ------
        FitError
            No case that counts, or fewer than two who died by the horizon, or who did not.
        """
        ratings = ratings[self.usable(how).reindex(ratings.index).to_numpy()]
        mine = ratings.index
        if ratings.empty:
            nobody_died = how == DEAD_ONLY and not (self.event == 1).any()
            raise FitError("no_events" if nobody_died else "no_case_judged")
        if how == WEIGHTED:
            return censored_areas(ratings.to_numpy(), self.years[mine], self.event[mine], self.horizon)
        return delong(ratings.to_numpy(), (self.status[mine] == 1).to_numpy())


def followed(cases: pd.DataFrame, horizon: float) -> Outcome:
    """Follow-up of those who were seen from the photo on.

    Who came under observation later could only be seen alive until then, and is left out with those never
    followed.
    """
    seen = is_followed(cases) & ~(cases[ENTRY] > 0)
    return Outcome(cases[FOLLOWUP].where(seen), cases[EVENT].where(seen), horizon)


def count_cases(cases: pd.DataFrame, outcome: Outcome) -> list[dict]:
    """How many cases were read, and what is known of them; rows of question "cases"."""
    status, seen = outcome.status, outcome.years.notna()
    late = cases[ENTRY] > 0
    counted = {
        "read": pd.Series(True, index=cases.index),
        "died by the horizon": status == 1,
        "alive at the horizon": status == 0,
        "lost before the horizon": seen & status.isna(),
        "entered after the photo": late,
        "no follow-up": ~seen & ~late,
    }
    numbers = {term: int(held.sum()) for term, held in counted.items()}
    return [
        {"question": "cases", "term": term, "measure": "cases", "estimate": float(n), "n": n}
        for term, n in numbers.items()
        if n or term in ALWAYS
    ]


@dataclass(frozen=True)
class Study:
    """Readings of known cases.

    ``said``: for each of ``VALUES`` a table with a row per case and columns (condition, reader), NaN where
    nothing was said; ``readers`` in the order of the report; ``groups`` names sets of readers; ``model``
    holds the model's rating by case.
    """

    said: dict[str, pd.DataFrame]
    readers: list[str]
    conditions: list[str]
    groups: dict[str, list[str]]
    outcome: Outcome
    model: pd.Series
    model_name: str

    def of_reader(self, reader: str, condition: str, value: str) -> pd.DataFrame:
        """What a reader said under a condition: one column, one row per case of which something was said."""
        table = self.said[value]
        return table[[(condition, reader)]].dropna() if (condition, reader) in table else pd.DataFrame()

    def crossed(
        self, value: str, readers: list[str], conditions: list[str]
    ) -> tuple[pd.DataFrame, list[Reason]]:
        """What all these readers said of the same cases under all these conditions.

        Readers who judged fewer than half of the cases under a condition are excluded, and then the cases
        that not all the others judged; both is reported.

        Returns
        -------
        DataFrame
            One row per case, columns (condition, reader), condition by condition, nothing missing.
        list of Reason
            What was excluded.
        """
        wide = self.said[value].reindex(columns=list(product(conditions, readers))).dropna(how="all")
        counts = wide.notna().to_numpy().sum(axis=0).reshape(len(conditions), len(readers))
        enough = (counts >= len(wide) / 2).all(axis=0) & (len(wide) > 0)
        kept = [reader for reader, is_kept in zip(readers, enough, strict=True) if is_kept]
        table = wide[list(product(conditions, kept))].dropna()
        remarks = []
        if without := [reader for reader in readers if reader not in kept]:
            remarks.append(reason("without_readers", readers=without))
        if kept and len(table) < len(wide):
            remarks.append(reason("judged_by_all", n=len(table), n_judged=len(wide)))
        return table, remarks


def gather(
    readings: pd.DataFrame,
    conditions: list[str],
    groups: dict[str, list[str]],
    outcome: Outcome,
    model: pd.Series,
    model_name: str,
) -> Study:
    """The study that a table of readings holds."""
    said = {}
    for value in VALUES:
        table = readings.pivot(index="case_id", columns=["condition", "reader"], values=value)
        table.columns = table.columns.to_flat_index()
        said[value] = table.dropna(axis=1, how="all").astype("float64")
    readers = list(readings["reader"].unique())
    return Study(said, readers, conditions, groups, outcome, model, model_name)


def reader_row(reader: str) -> dict:
    """What all rows of one reader say."""
    return {"term": reader, "rater": "reader", "n_readers": 1}


def group_row(name: str) -> dict:
    """What all rows of several readers say."""
    return {"term": name, "rater": "group"}


def not_estimated(error: FitError, remarks: Sequence[Reason] = ()) -> dict:
    """The reasons of a row without a number."""
    return {"reason": [error.reason, *remarks]}


def inference(found: Inference) -> dict:
    """The columns of an estimate with degrees of freedom."""
    return vars(found.estimate) | {"df": found.df}


def cut(row: dict, low: float = 0.0, high: float = 1.0) -> dict:
    """The row with its interval cut at the ends of what is possible."""
    return row | {"ci_lower": max(row["ci_lower"], low), "ci_upper": min(row["ci_upper"], high)}


def counts(areas: Areas) -> dict:
    """Cases that counted, and how many of them died."""
    return {"n": areas.n_positive + areas.n_negative + areas.n_unknown, "n_events": areas.n_positive}
