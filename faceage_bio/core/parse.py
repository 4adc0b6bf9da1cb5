"""Cells as typed -> values: numbers, dates (read here and nowhere else) and the words of categorical columns."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import pandas as pd

from faceage_bio.core.columns import CAUSE_LEVELS, GROUP_LEVELS, SEX_LEVELS, SMOKING_LEVELS
from faceage_bio.core.errors import CohortError, Problems, examples

ISO = "YYYY-MM-DD"
DAYS_PER_YEAR = 365.25  # of age
MOST_LEVELS = 20  # of a column of words that is taken for groups
# a time of day behind a date
CLOCK = r"([ T](?P<hour>\d{1,2}):(?P<minute>\d\d)(:(?P<second>\d\d)(\.\d+)?)?)?"
UNKNOWN_DAYS = {(1900, 1, 1), (1899, 12, 30), (1899, 12, 31), (9999, 12, 31), (9999, 12, 30)}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?|[+-]?inf(inity)?", re.IGNORECASE)
COMMA = re.compile(r"[+-]?\d+,\d+")
MISSING = {
    "", "na", "n/a", "n.a.", "nan", "<na>", "null", "none", ".", "-", "--", "'--", "?", "#n/a", "#na", "unknown", "[unknown]", "missing",
    "not available", "[not available]", "not applicable", "[not applicable]", "not evaluated", "[not evaluated]", "not reported",
    "not allowed to collect", "not known", "not done", "[discrepancy]", "unk", "unk.", "n.k.", "n.d.", "k.a.", "k. a.", "keine angabe",
    "unbekannt", "nicht bekannt", "inconnu", "non connu",
}  # fmt: skip
WORDS = {
    "sex": {
        **dict.fromkeys(("female", "f", "woman", "w", "weiblich", "frau"), "female"),
        **dict.fromkeys(("male", "m", "man", "männlich", "mann"), "male"),
    },
    "smoking": {
        **dict.fromkeys(("never", "no", "never smoker", "never smoked", "non-smoker", "nonsmoker", "non smoker", "lifelong non-smoker",
                         "lifelong never smoker", "nie", "nieraucher", "nie geraucht"), "never"),
        **dict.fromkeys(("former", "ex", "quit", "former smoker", "ex-smoker", "ex smoker", "exsmoker", "past", "past smoker", "previous",
                         "previous smoker", "stopped", "reformed smoker", "current reformed smoker",
                         "current reformed smoker for > 15 years", "current reformed smoker for < or = 15 years",
                         "current reformed smoker for <= 15 years", "current reformed smoker for > 15 yrs", "current reformed smoker for < or = 15 yrs",
                         "current reformed smoker, duration not specified", "ehemalig", "früher", "ex-raucher", "exraucher"), "former"),
        **dict.fromkeys(("current", "yes", "current smoker", "smoker", "smokes", "active", "active smoker", "aktuell", "aktiv", "raucher"), "current"),
    },
    "group": {
        **dict.fromkeys(("cancer", "patient", "case"), "cancer"), **dict.fromkeys(("reference", "control", "healthy"), "reference"),
    },
    "event": {
        **dict.fromkeys(("1", "1.0", "died", "dead", "death", "deceased", "1:deceased", "yes", "true", "tot", "verstorben", "gestorben", "ja"), 1.0),
        **dict.fromkeys(("0", "0.0", "alive", "living", "0:living", "censored", "no", "false", "lebt", "lebend", "nein"), 0.0),
    },
    "cause": {
        "cancer": "cancer", "tumour": "cancer", "tumor": "cancer", "cardiovascular": "cardiovascular", "cardiac": "cardiovascular",
        "other": "other",
    },
}  # fmt: skip
EXPECTED = {
    "sex": " or ".join(SEX_LEVELS), "smoking": ", ".join(SMOKING_LEVELS), "group": " or ".join(GROUP_LEVELS),
    "cause": f"{', '.join(CAUSE_LEVELS)} or nothing", "event": "1 (died) or 0 (alive when last seen)",
}  # fmt: skip
# of others less
CODED = {
    "sex": ', or declare what your codes mean in the config: codings: {sex: {"1": male, "2": female}}',
    "cause": ", or declare what your codes mean in the config: codings: {cause: {C34: cancer}}",
}
UNREADABLE = f"Expected a date. Write it as {ISO}; day and month cannot be distinguished otherwise."
FORMATTED = {UNREADABLE: ". Or declare date_format in the config, such as DD/MM/YYYY"}


def is_missing(cells: pd.Series, further: Sequence[str | float] = ()) -> pd.Series:
    """Empty cells, the usual words for nothing, and ``further`` ones: words, or numbers however they are written."""
    gone = cells.str.lower().isin(MISSING | {str(one).lower() for one in further})
    numbers = {float(one) for one in further if NUMBER.fullmatch(str(one))}
    return gone | to_numbers(cells).isin(numbers) if numbers else gone


def strangers(names: pd.Series, known: Collection[str], among: str) -> pd.Series:
    """Names that are not known, quoted, each with the known one that differs in blanks, signs, capitals or zeros in front alone.

    Parameters
    ----------
    names : Series of str
    known : names that there are
    among : the table that they stand in

    Returns
    -------
    Series of str
        With the index that ``names`` has.
    """
    unknown = names[~names.isin(known)]
    there = {_bare(name): name for name in known} if len(unknown) else {}
    others = {name: there[_bare(name)] for name in unknown if _bare(name) in there}
    told = [
        repr(name) + (f", which {among} spells {others[name]!r}" if name in others else "")
        for name in unknown
    ]
    return pd.Series(told, index=unknown.index, dtype=object)


def _bare(name: str) -> str:
    """``P-007`` and ``p7`` are one; a program may have written the number 7 as 7.0."""
    text = re.sub(r"\.0+$", "", unicodedata.normalize("NFKC", name).casefold())
    return re.sub(r"[\W_]", "", re.sub(r"(?<!\d)0+(?=\d)", "", text))


def decoded(cells: pd.Series, coding: Mapping[str, str]) -> pd.Series:
    """Codes by their meanings; a program may have written the code 1 as 1.0."""
    if not coding:
        return cells
    return cells.map(lambda cell: coding.get(cell, coding.get(re.sub(r"\.0+$", "", cell), cell)))


def words(cells: pd.Series, column: str, file: str, problems: Problems) -> pd.Series:
    """Values of a categorical column whose words are known; bare codes are refused."""
    values = cells.str.lower().str.split().str.join(" ").map(WORDS[column])
    advice = f"Expected {EXPECTED[column]}. Write one of them."
    declare = CODED.get(column, ", or declare your codes under codings")
    problems.where(file, cells.rename(column), values.isna() & ~is_missing(cells), advice, declare=declare)
    if column == "event":
        return values.astype("float64")
    return values.astype(object).where(values.notna(), None)


def to_numbers(cells: pd.Series, decimal: str = ".") -> pd.Series:
    """Cells as numbers, NaN where they are none.

    pandas' own conversion breaks down (a segmentation fault) on exponents such as that of
    12e45678901234567890, which a hash or an identifier may look like; those are no numbers here.
    """
    if cells.dtype != object and not isinstance(cells.dtype, pd.StringDtype):
        return pd.to_numeric(cells, errors="coerce")

    def number(cell: Any) -> float:
        if not isinstance(cell, str):
            return float("nan") if cell is None or pd.isna(cell) else float(cell)
        if decimal == ",":
            cell = "" if "." in cell else cell.replace(",", ".")
        return float(cell) if NUMBER.fullmatch(cell) else float("nan")

    return cells.map(number).astype("float64")


def numbers(cells: pd.Series, column: str, file: str, problems: Problems, decimal: str = ".") -> pd.Series:
    """Numbers; NaN where missing."""
    missing = is_missing(cells)
    values = to_numbers(cells.where(~missing, None), decimal)
    for line in cells.index[(values.isna() & ~missing) | values.abs().eq(float("inf"))]:
        advice = "Expected a number. Write a plain number such as 57.4, without a unit."
        declare = (
            ", or declare in the config what stands for values that are not known, such as missing: [refused]"
        )
        if decimal == "," and "." in cells[line]:
            advice = "Expected a number with a decimal comma, as this table has. Write it so, without dots."
            declare = ", or declare `decimal` in the config"
        elif decimal == "." and COMMA.fullmatch(cells[line]):
            advice = "Expected a number. Write a decimal point, not a comma."
            declare = ', or declare decimal: "," in the config'
        problems.cell(file, line, column, cells[line], advice, declare=declare)
    return values.where(values.abs().ne(float("inf")))


@lru_cache
def _pattern(date_format: str) -> re.Pattern:
    """Of a format such as DD.MM.YYYY."""
    months = {"MM": r"(?P<month>\d{1,2})", "MON": "(?P<month>[a-z]{3})"}
    parts = {"YYYY": r"(?P<year>\d{4})", **months, "DD": r"(?P<day>\d{1,2})"}
    split = re.split("(YYYY|MM|MON|DD)", date_format)
    return re.compile("".join(parts.get(part, re.escape(part)) for part in split) + CLOCK, re.IGNORECASE)


def _fields(cell: str, date_format: str) -> tuple[int, int, int, int, int, int] | None:
    """Year, month, day, hour, minute and second as written; 0 for a month that is none, and for a time of day that is not given."""
    iso = re.fullmatch(r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})" + CLOCK, cell)
    found = iso or _pattern(date_format).fullmatch(cell)
    if not found:
        return None
    month = found["month"].lower()
    if month.isalpha():
        month = MONTHS.index(month) + 1 if month in MONTHS else 0
    hour, minute, second = (int(found[part] or 0) for part in ("hour", "minute", "second"))
    return int(found["year"]), int(month), int(found["day"]), hour, minute, second


def date_problem(cell: str, date_format: str = ISO) -> str:
    """What is wrong with a date as typed, and what to do; "" if nothing is."""
    fields = _fields(cell, date_format)
    if fields is None:
        if re.fullmatch(r"\d{5}(\.0+)?", cell):
            return f"Expected a date; a spreadsheet's serial number of a day looks so. Show the column as dates there and save it again, written {date_format}."
        if re.fullmatch(r"\d{4}(-\d{2})?", cell):
            return f"Expected a date with its day. Write it as {date_format}; if the day is not known, give years (chronological_age, followup_years) instead."
        if date_format != ISO:
            return f"Expected a date written {date_format}, as date_format declares. Write it so."
        return UNREADABLE
    try:
        day = date(*fields[:3])
    except ValueError:
        return "Expected a day of the calendar, which has none of this date. Correct it, or leave the cell empty if it is not known."
    try:
        datetime(*fields)
    except ValueError:
        return "Expected a time of day from 00:00 to 23:59 behind the date. Correct it, or leave it out."
    if fields[:3] in UNKNOWN_DAYS:
        return "Expected a date; programs write this one where none is known. Leave the cell empty, or correct it."
    if day > date.today():
        return f"Expected a day that has been (today is {date.today()}). Correct the date."
    return ""


def dates(
    cells: pd.Series, column: str, file: str, problems: Problems, date_format: str = ISO, clock: bool = False
) -> pd.Series:
    """Days up to today, written YYYY-MM-DD or as declared; NaT where missing. ``clock``: with the time of day behind them."""
    days = {}
    for cell in cells[~is_missing(cells)].unique():
        advice = date_problem(cell, date_format)
        if advice:
            declare = FORMATTED.get(advice, "")
            problems.where(file, cells.rename(column), cells == cell, advice, declare=declare)
        elif parts := _fields(cell, date_format):
            days[cell] = pd.Timestamp(*parts[: 6 if clock else 3])
    return pd.to_datetime(cells.map(days))


def as_text(moments: pd.Series) -> pd.Series:
    """Days as YYYY-MM-DD, with the time of day where one is known (midnight is none); None where missing."""
    moments = pd.to_datetime(moments)
    day = moments.dt.strftime("%Y-%m-%d")
    text = day.where(moments.eq(moments.dt.normalize()), moments.dt.strftime("%Y-%m-%d %H:%M:%S"))
    return text.astype(object).where(moments.notna(), None)


def dates_of(table: pd.DataFrame, column: str, setting: str, clock: bool = False) -> pd.Series:
    """Dates of a column of a table of ours or of a plain one, by the same rules as `dates`.

    Raises
    ------
    CohortError
        The column is not there, or cells are no dates; ``setting`` says what needs them.
    """
    if column not in table:
        raise CohortError(
            f"{setting} needs the column '{column}' (dates YYYY-MM-DD), and the table has none; it has "
            f"{', '.join(map(str, table.columns))}. Expected it there. Add it, to the manifest (photo_date) or to the clinical table."
        )
    cells = table[column]
    if pd.api.types.is_datetime64_any_dtype(cells) or cells.isna().all():
        moments = pd.to_datetime(cells)
        return moments if clock else moments.dt.normalize()
    cells = cells.astype(object).where(cells.notna(), "").astype(str).str.strip()
    wrong: dict[str, list[str]] = defaultdict(list)
    for cell in sorted(cells[~is_missing(cells)].unique()):
        if advice := date_problem(cell):
            wrong[advice].append(cell)
    if wrong:
        told = " ".join(f"It holds {examples(found)}. {advice}" for advice, found in wrong.items())
        raise CohortError(
            f"column '{column}' ({setting}) has cells that are no dates. Expected days YYYY-MM-DD up to today. Correct them, or leave "
            f"them empty. {told}"
        )
    return dates(cells, column, "", Problems(), clock=clock)
