"""What a config may say of a table of others: its columns, codes, units and dates, and what is not certain.

Names are matched with the usual ones, values looked at, and REDCap's data dictionary gives the meaning of
codes. Nothing is taken from values that could mean the opposite, such as 1 and 2 for sex.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import yaml

from faceage_bio.core import parse
from faceage_bio.core.columns import AGE, EVENT, FACE_AGE, FOLLOWUP, PHOTO, SAMPLE, SUBJECT
from faceage_bio.core.errors import Problems, TableError
from faceage_bio.core.settings.settings_cohort import SheetForm, as_list
from faceage_bio.core.tables import read_text_table
from faceage_bio.intake import schemas
from faceage_bio.intake.observation import fitting_units

# usual names of our columns, in lower case with _ between words, the likeliest first
USUAL = {
    SUBJECT: "subject patient_id patient patientnr patient_nr patient_no participant_id participant record_id case_submitter_id "
             "submitter_id case_id bcr_patient_barcode subjectid study_id patientennummer fallnummer fall_nr pid id",
    AGE: "age age_years age_at_photo patient_age age_at_index age_at_diagnosis age_at_initial_pathologic_diagnosis diagnosis_age alter",
    "birth_date": "date_of_birth dob birthdate birthday birth geburtsdatum geb_datum",
    "sex": "gender geschlecht",
    "smoking": "smoking_status smoker tobacco tobacco_smoking_status tobacco_smoking_history tobacco_smoking_history_indicator smoking_history "
               "rauchen raucherstatus raucher nikotin",
    "pack_years": "packyears pack_years_smoked number_pack_years_smoked tobacco_smoking_pack_years_smoked",
    "bmi": "body_mass_index bmi_baseline bmi_at_baseline baseline_bmi bmi_kg_m2",
    "ecog": "ecog_ps ecog_performance_status performance_status ps eastern_cooperative_oncology_group who_ps",
    "site": "tumour_site tumor_site primary_site primary_tumour_site primary_tumor_site cancer_type tissue_or_organ_of_origin tumorlokalisation lokalisation",
    "race": "race_list ethnicity",
    "group": "case_control",
    "intent": "treatment_intent",
    FOLLOWUP: "followup follow_up followup_time follow_up_time followup_days followup_months follow_up_years follow_up_days follow_up_months "
              "os_time os_years os_months os_days overall_survival overall_survival_months overall_survival_days overall_survival_years "
              "survival_time survival_years survival_months survival_days ueberlebenszeit nachbeobachtung days_to_death days_to_last_follow_up days_to_last_followup os time",
    "followup_date": "last_contact last_contact_date date_of_last_contact last_followup_date last_follow_up_date date_of_last_follow_up last_seen letzter_kontakt",
    EVENT: "death died dead deceased vital_status os_status os_event verstorben tot status",
    "cause": "cause_of_death todesursache",
    "entry_date": "date_of_entry",
    PHOTO: "photo image_id photo_no",
    "path": "file filename file_name photo_file image_file image photo_path",
    "photo_date": "date_of_photo photo_taken image_date fotodatum",
    SAMPLE: "sample sample_barcode sample_submitter_id library_id",
    "batch": "plate run",
    "sample_date": "date_of_sample sampling_date",
    "tissue": "sample_type tissue_type",
    FACE_AGE: "faceage predicted_age face_age_years",
}  # fmt: skip
# the first with a value counts
OF_SEVERAL = ("days_to_death", "days_to_last_follow_up", "days_to_last_followup")
DOUBTFUL = {  # of a column: parts of its usual names, and what they may mean
    AGE: (("diagnosis", "index"), "it may be the age at diagnosis; expected is the age at the photo"),
    "race": (("ethnicity",), "it may not be race"),
    EVENT: (("status", "event"), "look whether 1 means died, or alive or censored"),
    "group": (("case_control",), "look which word is the control"),
}
FORMATS = (
    "DD.MM.YYYY",
    "DD/MM/YYYY",
    "MM/DD/YYYY",
    "DD-MM-YYYY",
    "YYYY/MM/DD",
    "DDMONYYYY",
    "DD-MON-YYYY",
    "YYYYMMDD",
    "YYYY:MM:DD",
)


@dataclass
class Proposal:
    """Keys for the config, and in sentences what is unsure, lacking and not used."""

    table: str  # of `schemas.SCHEMAS`
    form: dict = field(default_factory=dict)
    unsure: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_yaml(self, path: Path | None) -> str:
        """As it may stand under a cohort, with the rest in comments."""
        form = {name: value for name, value in self.form.items() if value}
        content = ({self.table: str(path)} if path else {}) | ({"tables": {self.table: form}} if form else {})
        style = {"sort_keys": False, "allow_unicode": True, "width": 110, "default_flow_style": None}
        text = yaml.safe_dump(content, **style) if content else ""
        head = "# Read this, correct it, and put it under your cohort in config.yaml."
        unsure = [f"# - {one}" for one in self.unsure or ["nothing"]]
        notes = [f"# {one}" for one in self.notes]
        return "\n".join([head, text.rstrip(), "# Unsure:", *unsure, *notes, ""])


@dataclass(frozen=True)
class CodedField:
    """A field of REDCap's data dictionary: label, and the meaning of each code (none of free text)."""

    label: str
    kind: str
    codes: Mapping[str, str]


def read_dictionary(path: Path) -> dict[str, CodedField]:
    """Fields by name, in their order.

    Raises
    ------
    TableError
        It cannot be read, or is no data dictionary of REDCap.
    """
    table = read_text_table(path)
    names = {plain(name): name for name in table}
    name, kind, label, choices = (
        next((names[one] for one in names if one.startswith(start)), None)
        for start in ("variable", "field_type", "field_label", "choices")
    )
    if name is None or kind is None or choices is None:
        raise TableError(
            f"{path}: no data dictionary of REDCap; found {', '.join(table)}. Expected Variable / Field Name, Field Type, Field Label and Choices. "
            "Export it under Project Setup, Data Dictionary, as CSV."
        )
    fields = {}
    for row in table.to_dict("records"):
        pairs = [choice.partition(",") for choice in row[choices].split("|") if "," in choice]
        codes = {code.strip(): meaning.strip() for code, _, meaning in pairs}
        if row[kind] in ("yesno", "truefalse"):
            codes = {"1": "yes", "0": "no"}
        coded = row[kind] in ("radio", "dropdown", "checkbox", "yesno", "truefalse")
        fields[row[name]] = CodedField(row[label] if label else "", row[kind], codes if coded else {})
    return fields


def propose(path: Path | None, dictionary: Path | None = None, sheet: str | None = None) -> Proposal:
    """What to declare of a table, of a REDCap dictionary, or of a table exported with it.

    Raises
    ------
    TableError
        A file cannot be read.
    """
    fields = read_dictionary(dictionary) if dictionary else {}
    cells = read_text_table(path, sheet) if path else pd.DataFrame(columns=list(fields), dtype=str)
    columns, unsure = _columns_of(cells, fields)
    proposal = Proposal(_table_of(columns), unsure=unsure)
    known = schemas.SCHEMAS[proposal.table].columns
    columns = {ours: theirs for ours, theirs in columns.items() if ours in known}
    renamed = {ours: theirs for ours, theirs in columns.items() if theirs != ours}
    proposal.form = {"sheet": sheet, "columns": renamed}
    _add_codings(proposal, columns, cells, fields)
    if path:
        decimal = _add_decimal(proposal, columns, cells)
        _add_units(proposal, columns, cells, decimal)
        _add_dates(proposal, columns, cells)
        _add_missing(proposal, columns, cells, decimal)
        _add_what_is_left(proposal, path)
    taken = {name for theirs in columns.values() for name in as_list(theirs)}
    found = {"Not found": [name for name in known if name not in columns]}
    found["Not used"] = [name for name in cells if name not in taken]
    proposal.notes += [f"{words}: {', '.join(names)}." for words, names in found.items() if names]
    return proposal


def plain(name: str) -> str:
    """Lower case, with _ between words and between a small and a capital letter."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()).strip("_")


def _columns_of(
    cells: pd.DataFrame, fields: Mapping[str, CodedField]
) -> tuple[dict[str, str | list[str]], list[str]]:
    """Our column -> theirs, by name, else by REDCap's label; and what is doubtful of it."""
    by_name = {name: {plain(name), plain(name).replace("_", "")} for name in cells}
    labels = {name: {plain(one.label)} for name, one in fields.items() if name in by_name}
    found: dict[str, str | list[str]] = {}
    unsure = []
    for ours, usual in USUAL.items():
        for wanted in (ours, *usual.split()):
            forms = {wanted, wanted.replace("_", "")}
            named = [name for known in (by_name, labels) for name, theirs in known.items() if forms & theirs]
            if named and ours not in found:
                found[ours] = named[0]
                parts, doubt = DOUBTFUL.get(ours, ((), ""))
                if wanted != ours and any(part in wanted for part in parts):
                    unsure.append(f"{ours} is taken from {named[0]!r}: {doubt}.")
    several = [name for one in OF_SEVERAL for name, forms in by_name.items() if one in forms]
    if len(several) > 1:
        found[FOLLOWUP] = several
    if SUBJECT not in found and fields:
        found[SUBJECT] = next(iter(fields))  # REDCap's first field is the record
    return found, unsure


def _table_of(columns: Iterable[str]) -> str:
    """Which table has such columns."""
    for table, name in (("samples", SAMPLE), ("manifest", "path"), ("face_ages", FACE_AGE)):
        if name in columns:
            return table
    return "clinical"


def _cells(theirs: str | list[str], cells: pd.DataFrame) -> pd.Series:
    """Cells that are not empty or a usual word for nothing."""
    all_of_them = pd.concat([cells[name] for name in as_list(theirs)])
    return all_of_them[~parse.is_missing(all_of_them)]


def _add_codings(
    proposal: Proposal,
    columns: Mapping[str, str | list[str]],
    cells: pd.DataFrame,
    fields: Mapping[str, CodedField],
) -> None:
    """Meanings of codes by the dictionary, in our words where the column has some."""
    codings = {}
    ours_of = {name: ours for ours, theirs in columns.items() for name in as_list(theirs)}
    for name, one in fields.items():
        boxes = [column for column in cells if column.startswith(f"{name}___")]
        if one.kind == "checkbox" and (boxes or name in cells):
            proposal.unsure.append(
                f"{name!r} is a checkbox ({', '.join(one.codes.values())}), a column for each box: make one column of it, if it is one of ours."
            )
        elif one.codes and name in cells and ours_of.get(name, name) != EVENT:
            known = parse.WORDS.get(ours_of.get(name, ""))
            meant = {code: _meant(meaning, known) for code, meaning in one.codes.items()}
            codings[ours_of.get(name, name)] = {code: word or "NA" for code, word in meant.items()}
            proposal.unsure += [
                f"{name!r}: {code} means {one.codes[code]!r}, which is none of our words; it is missing as proposed."
                for code, word in meant.items()
                if not word and one.codes[code].lower() not in parse.MISSING
            ]
    for ours, theirs in columns.items():
        known = parse.WORDS.get(ours)
        if known and ours not in codings and len(cells):
            values = _cells(theirs, cells).unique()
            if strange := [value for value in values if not _meant(value, known)]:
                if ours == EVENT and any(map(str.isdigit, strange)):  # 1 may be alive where 2 is dead
                    strange = sorted(values)
                levels = parse.EXPECTED[ours] if ours == EVENT else ", ".join(dict.fromkeys(known.values()))
                told = ", ".join(f'"{value}": ...' for value in strange[:8])
                proposal.unsure.append(
                    f"{ours}: {', '.join(strange[:8])} may mean {levels}; only you know. Declare codings: {{{ours}: {{{told}}}}}."
                )
        elif not known and isinstance(theirs, str):
            _add_spelling(codings, ours, theirs, cells, proposal)
    proposal.form["codings"] = codings


def _meant(meaning: str, known: Mapping[str, str] | None) -> str:
    """Our word for a meaning; the meaning itself in a column without words of ours."""
    if known is None:
        return meaning
    return str(known.get(" ".join(meaning.lower().split()), ""))


def _add_spelling(codings: dict, ours: str, theirs: str, cells: pd.DataFrame, proposal: Proposal) -> None:
    if schemas.SCHEMAS[proposal.table].columns[ours].metadata["kind"] != schemas.LEVELS:
        return
    values = _cells(theirs, cells)
    for _, spelt in values.groupby(values.str.casefold().str.split().str.join(" ")):
        most, *others = spelt.value_counts().index
        if others:
            codings.setdefault(ours, {}).update(dict.fromkeys(others, most))
            proposal.unsure.append(f"{ours}: {', '.join(map(repr, others))} are taken for {most!r}.")


def _numeric(proposal: Proposal, columns: Mapping[str, str | list[str]]) -> dict[str, str | list[str]]:
    schema = schemas.SCHEMAS[proposal.table]
    kinds = {name: column.metadata["kind"] for name, column in schema.columns.items()}
    return {ours: theirs for ours, theirs in columns.items() if kinds[ours] == schemas.NUMBER}


def _add_decimal(proposal: Proposal, columns: Mapping[str, str | list[str]], cells: pd.DataFrame) -> str:
    """The mark of decimals, which semicolons between columns tell by themselves."""
    numeric = _numeric(proposal, columns)
    values = pd.concat([_cells(theirs, cells) for theirs in numeric.values()] or [pd.Series(dtype=object)])
    if not values.map(lambda value: parse.COMMA.fullmatch(value) is not None).astype(bool).any():
        return "."
    if cells.attrs.get("delimiter") != ";":
        proposal.form["decimal"] = ","
    return ","


def _add_units(
    proposal: Proposal, columns: Mapping[str, str | list[str]], cells: pd.DataFrame, decimal: str
) -> None:
    units = {}
    age = parse.to_numbers(_cells(columns[AGE], cells), decimal) if AGE in columns else pd.Series(dtype=float)
    if age.median() > 1000:
        units["age"], age = "days", age / parse.DAYS_PER_YEAR
        proposal.unsure.append(f"ages such as {age.median() * parse.DAYS_PER_YEAR:g} are taken for days.")
    if FOLLOWUP in columns:
        names = " ".join(plain(name) for name in as_list(columns[FOLLOWUP]))
        said = next((unit for unit in ("days", "months", "years") if unit[:-1] in names), None)
        observed = parse.to_numbers(_cells(columns[FOLLOWUP], cells), decimal)
        if said is None:
            fitting = fitting_units(age, observed)
            said = fitting[0] if observed.max() > 60 and fitting else "years"
            proposal.unsure.append(
                f"unit of {FOLLOWUP} (median {observed.median():g}, maximum {observed.max():g}): the name does not tell; {said} are taken."
            )
        units |= {"followup": said} if said != "years" else {}
    proposal.form["units"] = units


def _add_dates(proposal: Proposal, columns: Mapping[str, str | list[str]], cells: pd.DataFrame) -> None:
    schema = schemas.SCHEMAS[proposal.table]
    dates = (schemas.DATE, schemas.MOMENT)
    dated = [theirs for ours, theirs in columns.items() if schema.columns[ours].metadata["kind"] in dates]
    values = [value for theirs in dated for value in _cells(theirs, cells).unique()]
    if not values or not any(parse.date_problem(value) for value in values):
        return
    fitting = {one: sum(not parse.date_problem(value, one) for value in values) for one in FORMATS}
    most = max(fitting.values())  # others are to be corrected
    fits = [one for one, n in fitting.items() if n == most > len(values) / 2]
    if not fits:
        proposal.unsure.append(
            f"dates such as {values[0]!r}: written in no one way that is known. Declare date_format, or write YYYY-MM-DD."
        )
        return
    proposal.form["date_format"] = fits[0]
    if len(fits) > 1:
        proposal.unsure.append(f"dates such as {values[0]!r} may be {' or '.join(fits)}; {fits[0]} is taken.")


def _add_missing(
    proposal: Proposal, columns: Mapping[str, str | list[str]], cells: pd.DataFrame, decimal: str
) -> None:
    """Words or codes among numbers that may stand for nothing; what holds a digit may be a number with a unit."""
    missing: list[str] = []
    for ours, theirs in _numeric(proposal, columns).items():
        known = _cells(theirs, cells)
        numbers = parse.to_numbers(known, decimal)
        words = [word for word in known[numbers.isna()].unique() if not re.search(r"\d", word)]
        coded = numbers[numbers.isin(schemas.CODES) & ~numbers.between(0, 200)]
        codes = sorted({f"{value:g}" for value in coded})
        missing += [*words, *codes]
        if ours == "ecog" and (nines := sorted({f"{value:g}" for value in numbers if value in (9, 99)})):
            proposal.form["codings"][ours] = dict.fromkeys(nines, "NA")
            codes += nines
        if words or codes:
            proposal.unsure.append(
                f"{ours}: {', '.join(map(repr, [*words, *codes][:8]))} are taken for not known."
            )
    proposal.form["missing"] = list(dict.fromkeys(missing))


def _add_what_is_left(proposal: Proposal, path: Path) -> None:
    """What `check` would still refuse."""
    problems = Problems()
    form = SheetForm(**{name: value for name, value in proposal.form.items() if value})
    schemas.read_user_table(path, schemas.SCHEMAS[proposal.table], problems, form)
    proposal.notes += [f"To correct: {line}" for line in problems.lines()]
