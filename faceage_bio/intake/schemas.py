"""Each table that a user gives as one pandera schema, by which the workflow, `check` and the commands on plain tables read it.

Read are text tables and workbooks; parquet is written by our own steps, and is not checked again.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa

from faceage_bio.core import parse
from faceage_bio.core.columns import (
    AGE,
    AGE_ACCELERATION,
    AGE_GAP,
    CAUSE,
    COHORT,
    ENTRY,
    EVENT,
    FACE_AGE,
    FOLLOWUP,
    PHOTO,
    SAMPLE,
    SPECIMEN,
    SUBJECT,
)
from faceage_bio.core.errors import DOUBLED, NAMELESS, Problems, TableError, examples
from faceage_bio.core.parse import MOST_LEVELS
from faceage_bio.core.settings.settings_cohort import SheetForm
from faceage_bio.core.settings.settings_survival import Survival
from faceage_bio.core.tables import read_text_table
from faceage_bio.intake.observation import in_years

OLDEST_FACE = 130.0  # years
UNKNOWN = "Correct it, or leave the cell empty if it is not known."
# whole numbers that stand for "not known" where they lie far from all others
CODES = {
    *(-float(digit * n) for digit in "789" for n in range(1, 5)),
    99.0, 999.0, 7777.0, 8888.0, 9998.0, 9999.0, 77777.0, 88888.0, 99999.0,
}  # fmt: skip
FAR = 2.0  # times the largest of the other values
FAR_OF_99 = 5.0  # in a column without a range, since 99 months or 99 mg/l may be measured
DECLARE_CODE = ", or declare the code in the config, such as missing: [999]"
# a number that somebody wrote with a unit, a mark of thousands or of a limit of detection; a range or a date is none
MEASURED = re.compile(r"[<>≤≥~]?\s*[+-]?\d+(?:[.,' ]\d{3})*(?:[.,]\d+)?(?P<unit>%|\s+[^\d\s].*)?")
LEAST_MEASURED = 10  # different values; fewer may be codes of groups
DOUBTFUL = {"none", "not done", "not applicable"}  # words for nothing that may be meant as groups
NONE_OF = {"smoking": "never"}  # what they may mean; "no" otherwise
TRUTH = {"True": True, "False": False}

# kinds; a moment is a date with the time of day where it is known
NUMBER, DATE, MOMENT = "number", "date", "moment"
WORDS, LEVELS, TEXT, TRUTHS = "words", "levels", "text", "truths"
_FACE_AGE_RANGE = pa.Check.in_range(
    0, OLDEST_FACE, include_min=False, error=f"Expected years above 0, up to {OLDEST_FACE:g}. {UNKNOWN}"
)
_EACH = pa.Check(
    lambda values: values.notna(), ignore_na=False, error="Expected a number. Write it, or leave the row out."
)


def column(kind: str, *checks: pa.Check, needed: bool = False) -> pa.Column:
    """A column of a kind; without ``needed`` a table may lack it."""
    return pa.Column(None, list(checks), nullable=True, required=needed, metadata={"kind": kind})


def between(low: float, high: float, unit: str) -> pa.Column:
    """A column of numbers within limits, both included."""
    error = f"Expected {low:g} to {high:g} {unit}. {UNKNOWN}"
    return column(NUMBER, pa.Check.in_range(low, high, error=error))


def _id(*, unique: bool = True, needed: bool = True) -> pa.Column:
    named = pa.Check(lambda ids: ids != "", error=NAMELESS)
    once = pa.Check(lambda ids: ~ids.duplicated(keep=False) | (ids == ""), error=DOUBLED)
    return column(TEXT, named, *([once] if unique else []), needed=needed)


_AGE_RANGE = f"Expected years above 0, up to 120. {UNKNOWN[:-1]}; months or days are declared as units: {{age: days}} (a command: --unit age=days)."
_AGE = column(NUMBER, pa.Check.in_range(0, 120, include_min=False, error=_AGE_RANGE))
_OF_PARTICIPANTS = {
    AGE: _AGE, "birth_date": column(DATE), "sex": column(WORDS), "smoking": column(WORDS),
    "pack_years": between(0, 300, "pack-years"), "bmi": between(8, 100, "kg/m2"),
    "ecog": column(NUMBER, pa.Check.isin([0, 1, 2, 3, 4], error=f"Expected 0, 1, 2, 3 or 4. {UNKNOWN}")),
    "site": column(LEVELS), "race": column(LEVELS), "group": column(WORDS), "intent": column(LEVELS),
    FOLLOWUP: column(NUMBER), "followup_date": column(DATE), EVENT: column(WORDS), CAUSE: column(WORDS),
    ENTRY: between(-120, 120, "years after the photo"), "entry_date": column(DATE),
}  # fmt: skip
CLINICAL = pa.DataFrameSchema({SUBJECT: _id(), **_OF_PARTICIPANTS})
MANIFEST = pa.DataFrameSchema(
    {PHOTO: _id(), SUBJECT: _id(unique=False), "path": column(TEXT, needed=True), "photo_date": column(MOMENT), AGE: _AGE}
)  # fmt: skip
FACE_AGES = pa.DataFrameSchema(
    {
        SUBJECT: _id(unique=False), FACE_AGE: column(NUMBER, _FACE_AGE_RANGE, needed=True), PHOTO: _id(needed=False), "photo_date": column(MOMENT),
        "model": column(LEVELS),
    }
)  # fmt: skip
SAMPLES = pa.DataFrameSchema({
    SAMPLE: _id(), SUBJECT: _id(unique=False), "batch": column(LEVELS), "sample_date": column(DATE), "tissue": column(LEVELS),
    SPECIMEN: column(LEVELS),
})  # fmt: skip
VARIANT_SAMPLES = pa.DataFrameSchema({SAMPLE: _id(), SUBJECT: _id(unique=False)})
ANCESTRY = pa.DataFrameSchema({SUBJECT: _id()})
# what commands take: participants or photos, with what our own steps add
PARTICIPANTS = pa.DataFrameSchema({
    SUBJECT: column(TEXT), COHORT: column(TEXT), PHOTO: column(TEXT), SAMPLE: column(TEXT), **_OF_PARTICIPANTS,
    FACE_AGE: column(NUMBER, _FACE_AGE_RANGE), AGE_GAP: column(NUMBER), AGE_ACCELERATION: column(NUMBER), "photo_date": column(DATE),
    **{name: column(TRUTHS) for name in ("valid_age", "low_resolution", "ended_before_photo", "no_nearest_photo")},
})  # fmt: skip
READINGS = pa.DataFrameSchema({
    "reader_id": _id(unique=False), "case_id": _id(unique=False), "condition": column(TEXT, needed=True), "reader_type": column(TEXT),
    "predicted_alive": column(TEXT), "predicted_age_decade": column(TEXT), "predicted_age": between(0, 120, "years"),
    "rating": column(NUMBER, pa.Check.in_range(
        0, 1, error="Expected 0 to 1. Write such numbers: divide percentages by 100, and a scale by its largest value.",
    )),
})  # fmt: skip
SURVIVAL_CURVE = pa.DataFrameSchema({  # of a study whose numbers are planned with
    "time": column(NUMBER, _EACH, pa.Check.in_range(0, 120, error="Expected years from 0 to 120. Correct it, or leave the row out."), needed=True),
    "survival": column(NUMBER, _EACH, pa.Check.in_range(0, 1, error="Expected a share from 0 to 1. Divide percentages by 100."), needed=True),
})  # fmt: skip
REVIEW = pa.DataFrameSchema({  # decisions by photo_id, written by hand
    PHOTO: column(TEXT, needed=True), "decision": column(TEXT, needed=True),
    **{name: column(TEXT) for name in (COHORT, "reason", "reviewer")},
})  # fmt: skip
REVIEW_SHEET = pa.DataFrameSchema(  # as a sheet saves them
    {name: column(TEXT, needed=True) for name in ("sheet", "photo", "decision", "reason", "reviewer")}
)
SCHEMAS = {
    "manifest": MANIFEST, "face_ages": FACE_AGES, "clinical": CLINICAL, "samples": SAMPLES, "variant_samples": VARIANT_SAMPLES, "ancestry": ANCESTRY,
}  # fmt: skip


@dataclass(frozen=True)
class UserTable:
    """A table as read: values, and the cells as typed under the same names; the index is the line in the file.

    ``said``: what was left out, in sentences.
    """

    values: pd.DataFrame
    cells: pd.DataFrame
    said: tuple[str, ...] = ()


def read_user_table(
    path: Path | str,
    schema: pa.DataFrameSchema,
    problems: Problems,
    form: SheetForm | None = None,
    year_days: float = Survival().year_days,
) -> UserTable | None:
    """A user's table under our names and in our types, None if it cannot be read.

    Columns that the schema does not have are numbers if all their cells are, words otherwise.

    Parameters
    ----------
    path : .tsv, .csv, .xlsx
    schema : one of this module
    problems : all that is wrong is added: cells that are not of their column, a needed column that lacks, the
        file itself
    form : how the table is written
    year_days : days in a year of follow-up
    """
    form, file = form or SheetForm(), str(path)
    try:
        typed = read_text_table(path, form.sheet, form.decimal)
    except TableError as error:
        problems.other(str(error))
        return None
    kinds = {name: column.metadata["kind"] for name, column in schema.columns.items()}
    cells = _under_our_names(typed, form, [name for name, kind in kinds.items() if kind == TEXT])
    if not check_needed(typed, schema, file, problems, form):
        return None
    if cells.empty:
        problems.other(
            f"{file}: no rows below the header. Expected one at least. Save the table again, with its rows."
        )
        return None
    given = _under_our_names(typed, form, list(cells))
    cells, said = _without_repeats(cells, list(kinds)) if schema is CLINICAL else (cells, ())
    kinds = dict.fromkeys(cells) | kinds
    decimal = form.decimal or _decimal_of(cells, kinds, typed.attrs["delimiter"])
    values = {name: _values(cells[name], kinds[name], form, decimal, file, problems) for name in cells}
    table = in_years(pd.DataFrame(values, index=cells.index), form.units, year_days)
    _validate(table, cells, schema, file, problems)
    for name in table:
        if kinds[name] in (LEVELS, None) or name in NONE_OF:
            _caution_words(table[name], given.loc[table.index, name], form, file, problems)
        if kinds[name] == LEVELS:
            check_spelling(table[name], file, problems)
        elif kinds[name] in (NUMBER, None) and name != "pack_years":  # of which 99 may be measured
            ranged = name in schema.columns and bool(schema.columns[name].checks)
            _check_codes(values[name], cells[name], ranged, file, problems)
    return UserTable(table, cells, said)


def _without_repeats(cells: pd.DataFrame, known: Sequence[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """One row of each participant whose rows say the same, as GDC's have one row per treatment; no column in which they differ."""
    known = [name for name in known if name in cells]
    again = cells.duplicated(known)
    if len(known) < 2 or not again.any():
        return cells, ()
    differing = [
        name for name in cells if name not in known and cells.groupby(known)[name].nunique().max() > 1
    ]
    also = f"; not used, because they differ between them: {', '.join(differing)}" if differing else ""
    said = f"{again.sum()} of {len(cells)} rows repeat a participant with the same values; one of each is kept{also}"
    return cells[~again].drop(columns=differing), (said,)


def complete(table: pd.DataFrame, schema: pa.DataFrameSchema) -> pd.DataFrame:
    """The table with the columns of its schema that it lacks, without values."""
    types = {NUMBER: "float64", DATE: "datetime64[ns]", MOMENT: "datetime64[ns]"}
    kinds = {name: column.metadata["kind"] for name, column in schema.columns.items() if name not in table}
    empty = pd.Series(None, index=table.index, dtype=object)
    return table.assign(**{name: empty.astype(types.get(kind, object)) for name, kind in kinds.items()})


def check_needed(
    typed: pd.DataFrame, schema: pa.DataFrameSchema, file: str, problems: Problems, form: SheetForm
) -> bool:
    """Add the columns that a table needs and lacks under our names; whether it has them all."""
    named = _sources(typed, form)
    needed = [name for name, column in schema.columns.items() if column.required]
    lacking = [name for name in needed if name not in named]
    if lacking and typed.shape[1] == 1:
        problems.other(
            f"{file}: line {typed.attrs['header']} is one name, {typed.columns[0]!r}: no tab, comma or semicolon parts it. Expected "
            f"{', '.join(needed)}, parted by one of them. Save the table so."
        )
    elif lacking:
        problems.other(
            f"{file}: line {typed.attrs['header']} lacks the column(s) {', '.join(lacking)}; found {', '.join(typed)}. Expected {', '.join(needed)}. "
            "Name them so.",
            declare=", or declare yours in the config, such as columns: {subject_id: PatientNr}",
        )
    return not lacking


def _sources(typed: pd.DataFrame, form: SheetForm) -> dict[str, list[str]]:
    """Our names, and the table's columns that each is read from."""
    theirs = {ours: [names] if isinstance(names, str) else names for ours, names in form.columns.items()}
    theirs = {
        ours: there for ours, names in theirs.items() if (there := [name for name in names if name in typed])
    }
    taken = {name for names in theirs.values() for name in names}
    return {name: [name] for name in typed if name not in taken and name not in theirs} | theirs


def _under_our_names(typed: pd.DataFrame, form: SheetForm, as_typed: Sequence[str]) -> pd.DataFrame:
    """Cells by our names, codes by their meanings, and "" where nothing is known; identifiers as they are typed."""
    cells = {}
    for ours, names in _sources(typed, form).items():
        found = pd.Series("", index=typed.index, dtype=object)
        for name in names:
            one = parse.decoded(typed[name], form.codings.get(name, {}))
            one = parse.decoded(one, form.codings.get(ours, {})) if name != ours else one
            if ours not in as_typed:
                one = one.mask(parse.is_missing(one, form.missing), "")
            found = found.mask(found == "", one)
        cells[ours] = found
    return pd.DataFrame(cells, index=typed.index)


def _decimal_of(cells: pd.DataFrame, kinds: Mapping[str, str], delimiter: str) -> str:
    """A comma where semicolons part the columns and a number is written with one."""
    if delimiter != ";":
        return "."
    for name in cells:
        known = cells[name][cells[name] != ""]
        commas = known.map(lambda cell: parse.COMMA.fullmatch(cell) is not None).astype(bool)
        further = kinds[name] is None and parse.to_numbers(known, ",").notna().all()
        if commas.any() and (kinds[name] == NUMBER or further):
            return ","
    return "."


def _values(
    cells: pd.Series, kind: str | None, form: SheetForm, decimal: str, file: str, problems: Problems
) -> pd.Series:
    name = str(cells.name)
    match kind:
        case "number":
            return parse.numbers(cells, name, file, problems, decimal)
        case "date" | "moment":
            return parse.dates(cells, name, file, problems, form.date_format or parse.ISO, kind == MOMENT)
        case "words":
            return parse.words(cells, name, file, problems)
        case "text":
            return cells
    known = cells[cells != ""]
    if kind == TRUTHS and known.isin(TRUTH).all():
        values = cells.map(TRUTH)
        return values if len(known) == len(cells) else values.astype(object).where(cells != "", None)
    if kind is None and len(known):
        values = parse.to_numbers(cells, decimal)
        if values[known.index].notna().all() and np.isfinite(values[known.index]).all():
            typed_whole = (values % 1 == 0).all() and known.str.fullmatch(r"[+-]?\d{1,15}").all()
            return values.astype("int64") if typed_whole and len(known) == len(cells) else values
    return cells.astype(object).where(cells != "", None)


def _validate(
    table: pd.DataFrame, cells: pd.DataFrame, schema: pa.DataFrameSchema, file: str, problems: Problems
) -> None:
    try:
        schema.validate(table, lazy=True)
    except pa.errors.SchemaErrors as errors:
        for failure in errors.failure_cases.sort_values("index", kind="stable").itertuples():
            line, column = int(failure.index), str(failure.column)
            declare = DECLARE_CODE if table.at[line, column] in CODES else ""
            problems.cell(
                file, line, column, cells.at[line, column] or None, str(failure.check), declare=declare
            )


def _caution_words(
    values: pd.Series, typed: pd.Series, form: SheetForm, file: str, problems: Problems
) -> None:
    """Caution where a column of groups has words for nothing that may be a group of their own."""
    if pd.api.types.is_numeric_dtype(values) or not 1 <= values.nunique() <= MOST_LEVELS:
        return
    doubtful = DOUBTFUL - {str(word).lower() for word in form.missing}
    for word, n in typed[values.isna() & typed.str.lower().isin(doubtful)].value_counts().items():
        meant = NONE_OF.get(str(values.name), "no")
        problems.caution(
            str(values.name),
            f"{file}: column '{values.name}': {n} of {len(values)} cells hold '{word}', which is taken as not known. If it is a group of its own, "
            f"write another word, such as '{meant}'.",
            declare=f', or declare codings: {{{values.name}: {{"{word}": "{meant}"}}}}; if it is not known, declare missing: ["{word}"]',
        )


def check_spelling(values: pd.Series, file: str, problems: Problems) -> None:
    """Add groups whose names differ in capitals and blanks alone: two groups of a model that are probably one."""
    known = values[values.map(lambda value: isinstance(value, str)).astype(bool)].astype(object)
    if known.empty:
        return
    folded = known.str.casefold().str.split().str.join(" ")
    if folded.nunique() > MOST_LEVELS:
        return
    for _, spelt in known.groupby(folded):
        if spelt.nunique() > 1:
            counts = spelt.value_counts()
            first = {
                name: f", such as line {line}" if values.index.name == "line" else ""
                for name, line in zip(spelt[::-1], spelt.index[::-1], strict=True)
            }
            told = [f"{name!r} ({n} row(s){first[name]})" for name, n in counts.items()]
            problems.other(
                f"{file}: column '{values.name}': {examples(told)} differ in capitals or blanks alone, and would be groups of their own. Expected one "
                "spelling of each. Correct it.",
                declare=f", or declare it in the config: codings: {{{values.name}: {{{counts.index[-1]}: {counts.index[0]}}}}}",
            )


def check_measured(values: pd.Series, file: str, problems: Problems) -> None:
    """Add a column of measured values in which some are no plain numbers, so that each value would be a group."""
    known = values[values.map(lambda value: isinstance(value, str)).astype(bool)].astype(object)
    found = known.map(MEASURED.fullmatch).dropna()
    n_different = known[found.index].nunique()
    # numbers share few units; 8001 Wil and 8002 Bern are names
    units = found.map(lambda one: one["unit"]).nunique()
    if n_different < LEAST_MEASURED or len(found) <= 0.5 * len(known) or units > 0.5 * n_different:
        return
    others = known[~(parse.to_numbers(known).notna() | parse.to_numbers(known, ",").notna())]
    if others.empty:
        commas = known[parse.to_numbers(known).isna()].map(repr).unique().tolist()
        problems.other(
            f"{file}: column '{values.name}': all {len(known)} values are numbers, some with a comma: {examples(commas)}. Expected numbers that are written "
            "alike. Write a decimal point, not a comma.",
            declare=', or declare decimal: "," in the config',
        )
        return
    told = [f"{name!r} ({n} row(s))" for name, n in others.value_counts().items()]
    problems.other(
        f"{file}: column '{values.name}': {len(known) - len(others)} of {len(known)} values are numbers, others are not: {examples(told)}. Expected "
        "numbers alone, since each value would be a group of its own otherwise. Write plain numbers, and leave cells empty that are not known.",
        declare=", or declare what stands in them, such as missing: [refused]",
    )


def component_names(ancestry: pd.DataFrame) -> list[str]:
    """The columns of an ancestry table that are components: all but the keys."""
    return [name for name in ancestry if name not in (COHORT, SUBJECT, SAMPLE)]


def check_components(ancestry: pd.DataFrame, file: str, problems: Problems) -> None:
    """Add columns of ancestry components that are no numbers, or that there is none."""
    names = component_names(ancestry)
    for name in names:
        if not pd.api.types.is_numeric_dtype(ancestry[name]):
            words = ancestry.index[ancestry[name].notna() & parse.to_numbers(ancestry[name]).isna()]
            for line in words[:1]:
                problems.cell(file, line, name, ancestry.at[line, name], "Expected numbers: ancestry components are (PC1, PC2 ...). Leave other columns out.")  # fmt: skip
    if not names:
        problems.other(
            f"{file}: no component next to {', '.join(ancestry.columns)}. Expected a column of numbers for each ancestry component. Name them PC1, PC2 ..."
        )


def _check_codes(values: pd.Series, cells: pd.Series, ranged: bool, file: str, problems: Problems) -> None:
    """Add codes such as 999 for what is not known, also where they lie within the range of a column (a BMI of 99);
    a caution where 99 may be measured.
    """
    if not pd.api.types.is_numeric_dtype(values):
        return
    numbers = values.astype("float64")
    coded = numbers.isin(CODES)
    others = numbers[~coded & numbers.notna()]
    if not coded.any() or others.empty:
        return
    largest = others.abs().max()
    # one that is negative where no other value is, or more than `FAR` times all others
    far = ((numbers < 0) & (others.min() >= 0)) | (numbers > FAR * largest)
    if not ranged and largest * FAR_OF_99 >= 99 and (measured := far & (numbers == 99)).any():
        shown = [f"line {line}" for line in cells.index[measured]]
        problems.caution(
            str(cells.name),
            f"{file}: column '{cells.name}': {measured.sum()} row(s) hold 99 ({examples(shown)}), a usual code for an unknown value, and all others are at most "
            f"{largest:g}. It is taken as measured. If it is a code, leave the cell empty.",
            declare=f', or declare codings: {{{cells.name}: {{"99": NA}}}}',
        )
        far &= ~measured
    advice = (
        "It lies far from all other values and is a usual code for an unknown one. Expected a measured value. Leave the cell empty, "
        "correct it."
    )
    told = cells.index.map(lambda line: (file, cells.name, line) in problems.marked)
    problems.where(file, cells, coded & far & ~told, advice, declare=DECLARE_CODE)
