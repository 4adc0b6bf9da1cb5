"""Names in the config against the tables, each with the nearest that there is, and whether the tables hold
what analyses ask of them.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from faceage_bio.core.columns import AGE, COHORT, EVENT, FOLLOWUP, LATER, SUBJECT, SUBJECT_COLUMNS
from faceage_bio.core.config import Config, named_columns
from faceage_bio.core.errors import CohortError, Problems, TableError
from faceage_bio.core.parse import dates_of
from faceage_bio.core.settings.settings_cohort import TABLES, Cohort, SheetForm, TableForm, as_list, form_of
from faceage_bio.core.tables import read_text_table
from faceage_bio.intake.cohort.proposal import USUAL, plain
from faceage_bio.intake.cohort.samples import TISSUE, check_one_tissue, is_of_tissue, with_participants
from faceage_bio.intake.observation import is_followed
from faceage_bio.intake.rna.gene_ids import human_genes
from faceage_bio.intake.rna.gene_sets import choose_sets
from faceage_bio.intake.schemas import (
    CLINICAL,
    SAMPLES,
    SCHEMAS,
    check_measured,
    check_needed,
    check_spelling,
)

if TYPE_CHECKING:
    from faceage_bio.intake.cohort.intake import CohortTables

WITHOUT = {  # settings whose columns an analysis goes without
    "phenotype.exposures": "associations with",
    "phenotype.factors": "comparisons by",
    "survival.covariates": "survival models adjusted for",
}
DEFAULT_COLUMNS = named_columns(Config())
NEAR = 0.6  # of a name that is wrong for sure
ALIKE = 0.75  # of one that may be right
LEAST = 0.05  # share of the samples or participants that an analysis must keep
READ_LATER = ("photos", "counts", "single_cell", "gene_ids", "variants", "variant_genes")  # keys of files
COLUMNS = [COHORT, "setting", "column", "n", "n_known", "n_complete"]


def cannot_answer(tables: Mapping[str, "CohortTables"], named: Mapping[str, Sequence[str]]) -> list[str]:
    """A sentence for each question of a cohort that has no answer for want of a column; for want of participants: `too_small`.

    Parameters
    ----------
    tables : the checked tables of each cohort
    named : the columns that each setting names, as of `config.named_columns`
    """
    said = [
        f"{name}: cannot be answered: {question}, because {why}"
        for name, one in tables.items()
        for question, why in _of_cohort(one, named)
    ]
    return said + _of_disease(tables)


def _of_cohort(tables: "CohortTables", named: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    people, n = tables.subjects, len(tables.subjects)
    followed = people[FOLLOWUP].notna().any()
    found = []
    for setting, question in WITHOUT.items():
        lacking = [name for name in named[setting] if name in people and not people[name].notna().any()]
        if lacking and (followed or not setting.startswith("survival")):
            found.append((f"{question} {', '.join(lacking)}", f"they are known for 0 of {n} participants"))
    if tables.samples.empty:
        found.append(("gene expression", "there is no RNA"))
    return found


def _of_disease(tables: Mapping[str, "CohortTables"]) -> list[str]:
    groups = {str(group) for one in tables.values() for group in one.subjects["group"].dropna().unique()}
    lacking = sorted({"cancer", "reference"} - groups)
    if not lacking:
        return []
    return [
        f"cannot be answered: cancer against controls, because no participant has group = {' or '.join(lacking)}"
    ]


def check_names(
    cohorts: Mapping[str, Cohort],
    tables: Mapping[str, "CohortTables"],
    settings: Mapping[str, Any],
    problems: Problems,
) -> list[str]:
    """A problem for each name that no table has; what is not used, how many genes are found and what cannot
    be answered, in sentences.

    Parameters
    ----------
    cohorts : the config's ``cohorts``
    tables : the checked tables of each cohort
    settings : of `config.analysis_settings`
    """
    named = settings["names"]
    wanted = {one for names in named.values() for one in names} | {settings["survival.time_zero"]}
    given = [(cohort, table) for cohort in cohorts.values() for table in TABLES if getattr(cohort, table)]
    said = []
    for cohort, table in given:
        said += _unused(getattr(cohort, table), table, form_of(cohort, table), wanted)
    columns = {
        str(name) for one in tables.values() for table in (one.subjects, one.samples) for name in table
    }
    _check_settings(named, columns, problems)
    _check_own_columns(named, cohorts, tables, problems)
    _check_groups(settings["acceleration.fit_in"], tables, problems)
    _check_time_zero(cohorts, settings["survival.time_zero"], tables, problems)
    said += _check_genes(settings, tables, problems)
    return said + cannot_answer(tables, named)


def _header(file: str, form: SheetForm) -> list[str]:
    try:
        return list(read_text_table(file, form.sheet).columns)
    except TableError:  # told by those who read it
        return []


def check_columns(cohort: str, settings: Cohort, problems: Problems) -> dict[str, list[str]]:
    """The column names of a cohort's tables, which are read before any cell or count.

    A problem for each table that cannot be read or lacks a needed column, for each name under ``columns``
    and ``codings`` that the tables that it is declared for do not have, and for each other file that is not there.
    """
    for key in READ_LATER:
        file = getattr(settings, key)
        if file and not Path(file).exists():
            problems.other(
                f"{file}: no such file or folder. Expected what cohorts.{cohort}.{key} names. Check the path in the config (it starts at the folder of the config)."
            )
    files = {table: file for table in TABLES if (file := getattr(settings, table))}
    headers, needed = {}, Problems()
    for table, file in files.items():
        form = form_of(settings, table)
        try:
            typed = read_text_table(file, form.sheet, form.decimal)
        except TableError as error:
            problems.other(str(error))
            continue
        headers[table] = list(typed)
        check_needed(typed, SCHEMAS[table], file, needed, form)
    if len(headers) < len(files):
        return headers
    misspelt = Problems()
    _check_form(f"cohorts.{cohort}", settings, headers, settings, misspelt)
    for table, form in settings.tables.items():
        _check_form(f"cohorts.{cohort}.tables.{table}", form, {table: headers[table]}, settings, misspelt)
    # a needed column lacks because its declared name is misspelt: one cause, one message
    problems.others += misspelt.others or needed.others
    return headers


def check_settings(
    cohorts: Mapping[str, Cohort],
    headers: Mapping[str, Mapping[str, Sequence[str]]],
    named: Mapping[str, Sequence[str]],
    problems: Problems,
) -> None:
    """A problem for each column that a setting names and no table has, by the tables' column names alone.

    Nothing is said where a file of single cells may have it, whose obs is read later.
    """
    if any(cohort.single_cell for cohort in cohorts.values()):
        return
    declared = {
        name for cohort in cohorts.values() for table in TABLES for name in form_of(cohort, table).columns
    }
    theirs = {name for tables in headers.values() for header in tables.values() for name in header}
    _check_settings(named, theirs | declared, problems)


def _check_form(
    place: str,
    form: TableForm,
    headers: Mapping[str, list[str]],
    settings: Cohort,
    problems: Problems,
) -> None:
    """A problem for each name under ``columns`` and ``codings`` at a place of the config that none of its tables has."""
    every = list(dict.fromkeys(name for header in headers.values() for name in header))
    unknown = f"but {_among(getattr(settings, table) for table in headers)} have no such column. Expected one of them."
    for ours, theirs in form.columns.items():
        for name in as_list(theirs):
            if name not in every:
                problems.other(
                    f"{place}.columns says that '{ours}' is called {name!r}, {unknown}{_nearest(name, every)} Correct the name."
                )
    known = [*every, *form.columns, *settings.columns]
    for column in form.codings:
        if column not in known:
            problems.other(
                f"{place}.codings declares codes of {column!r}, {unknown}{_nearest(column, known)} Correct the name."
            )


def _check_settings(named: Mapping[str, Sequence[str]], columns: set[str], problems: Problems) -> None:
    """Names that are no column of any cohort, none that we make and none that the defaults name."""
    known = columns | {*SUBJECT_COLUMNS, *(name for names in DEFAULT_COLUMNS.values() for name in names)}
    for setting, names in named.items():
        for name in names:
            if name not in known and not name.startswith(LATER):
                problems.other(
                    f"{setting} names {name!r}, which no table of any cohort has. Expected a column of the clinical data or the "
                    f"samples.{_nearest(name, known)} Correct the name, or add the column."
                )


def _check_groups(fit_in: str, tables: Mapping[str, "CohortTables"], problems: Problems) -> None:
    if fit_in != "reference":
        return
    if not any(one.subjects["group"].eq("reference").any() for one in tables.values()):
        problems.other(
            "acceleration.fit_in is 'reference', but no cohort has controls (group = reference). Expected some to fit the line in. "
            "Give them a group, or write acceleration: {fit_in: cohort}."
        )


def _check_time_zero(
    cohorts: Mapping[str, Cohort], column: str, tables: Mapping[str, "CohortTables"], problems: Problems
) -> None:
    """The dates that follow-up runs from, in each cohort that has one."""
    if column == "photo":
        return
    for name, one in tables.items():
        if len(followed := one.subjects[is_followed(one.subjects)]):
            try:
                dates_of(followed, column, f"survival.time_zero: {column}")
            except CohortError as error:
                problems.other(f"{cohorts[name].clinical}: {error}")


def _check_genes(
    settings: Mapping[str, Any], tables: Mapping[str, "CohortTables"], problems: Problems
) -> list[str]:
    """Genes of the panel that are no human genes or that no counts have; sets that cannot be read."""
    symbols = set(human_genes().symbol)
    measured = {name: set(one.genes) for name, one in tables.items() if one.genes is not None}
    panel = list(settings["expression.panel"])
    for gene in panel:
        if measured and gene not in symbols and not any(gene in genes for genes in measured.values()):
            problems.other(
                f"expression.panel names {gene!r}, which is neither a symbol of a human gene nor in any counts. Expected a symbol such as CDK6."
                f"{_nearest(gene, symbols)} Correct it."
            )
    try:
        sets = choose_sets(settings["expression.gene_sets"], settings["expression.gmt"])
    except TableError as error:
        problems.other(str(error))
        return []
    said = []
    for name, genes in measured.items():
        found = [sum(gene in genes for gene in panel), len(panel)]
        shares = ", ".join(
            f"{title} {sum(gene in genes for gene in gene_set.directions)} of {len(gene_set.directions)}"
            for title, gene_set in sets.items()
        )
        said.append(
            f"{name}: {found[0]} of {found[1]} prespecified genes are in the counts; of gene sets: {shares}"
        )
    return said


def _check_own_columns(
    named: Mapping[str, Sequence[str]],
    cohorts: Mapping[str, Cohort],
    tables: Mapping[str, "CohortTables"],
    problems: Problems,
) -> None:
    """Of the columns that no schema knows, those that an analysis takes groups or numbers from."""
    wanted = {one for names in named.values() for one in names}
    for cohort, one in tables.items():
        files = cohorts[cohort]
        for file, table, known in (
            (files.clinical, one.subjects, CLINICAL),
            (files.samples or files.single_cell, one.samples, SAMPLES),
        ):
            for name in table.columns.intersection(list(wanted - set(known.columns))):
                check_spelling(table[name], str(file), problems)
                check_measured(table[name], str(file), problems)


def _unused(file: str, table: str, form: SheetForm, named: set[str]) -> list[str]:
    """Columns of a table that nothing reads, with the name that one may be meant as."""
    header, ours = _header(file, form), set(SCHEMAS[table].columns)
    theirs = {name: ours for ours, names in form.columns.items() for name in as_list(names)}
    unused = [name for name in header if name not in {*ours, *theirs, *named}]
    replaced = [
        name
        for name in header
        if name not in theirs and any(one in header for one in as_list(form.columns.get(name, [])))
    ]
    if table == "ancestry" or not unused + replaced:
        return []
    meant = [
        f"{name} (if it is {near}, declare columns: {{{near}: {name}}})"
        if (near := _meant(name, ours - set(header) - set(form.columns)))
        else name
        for name in unused
    ]
    meant += [
        f"{name} ({', '.join(as_list(form.columns[name]))} is declared in its place)" for name in replaced
    ]
    return [f"{Path(file).name}: not used: {', '.join(meant)}"]


def _meant(name: str, ours: Iterable[str]) -> str:
    """Which of our columns a name may stand for: one that it is a usual name of, one that is a word of it, or the nearest."""
    words = plain(name).split("_")
    near = (
        [one for one in sorted(ours) if plain(name) in USUAL.get(one, "").split()]
        or [one for one in sorted(ours) if one in words]
        or difflib.get_close_matches(plain(name), list(ours), n=1, cutoff=ALIKE)
    )
    return near[0] if near else ""


def _among(files: Iterable[str]) -> str:
    return ", ".join(Path(file).name for file in files) or "the tables"


def _nearest(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(names), n=1, cutoff=NEAR)
    near = near or [one for one in names if one.lower() == name.lower()][:1]
    return f" Did you mean {near[0]!r}?" if near else ""


@dataclass(frozen=True)
class Needed:
    """Columns that a setting names, and of whose rows none may be without them all."""

    setting: str
    names: Sequence[str]
    rows: pd.DataFrame
    unit: str  # of the rows
    analysis: str


def check_tables(
    cohorts: Mapping[str, Cohort],
    tables: Mapping[str, "CohortTables"],
    settings: Mapping[str, object],
) -> dict[str, pd.DataFrame]:
    """`check_analyses` of all cohorts.

    Raises
    ------
    CohortError
        Every problem of every cohort.
    """
    problems = Problems()
    found = {
        name: check_analyses(name, cohorts[name], one, settings, problems) for name, one in tables.items()
    }
    problems.stop_if_any()
    return found


def check_analyses(
    cohort: str,
    files: Cohort,
    tables: "CohortTables",
    settings: Mapping[str, object],
    problems: Problems,
) -> pd.DataFrame:
    """What each analysis has of the columns that its setting names; a problem where (nearly) none of its rows has them all.

    Analyses of phenotypes and survival leave out a column without any value by themselves and say so; models
    of genes and variants, and the definition ``adjusted`` of age acceleration, would be left without a row.

    Parameters
    ----------
    files : the cohort's section of the config
    tables : the checked ones of the cohort
    settings : of `config.analysis_settings`

    Returns
    -------
    DataFrame with `COLUMNS`, one row per setting and column
    """
    clinical = files.clinical or files.manifest or files.face_ages
    found = [pd.DataFrame(columns=COLUMNS)]
    for needed in _needs(files, tables, settings, problems):
        known = _known(needed)
        if known.empty:
            continue
        n_complete = int(known.all(axis=1).sum())
        counts = {"n": len(known), "n_known": known.sum(), "n_complete": n_complete}
        of_columns = pd.DataFrame(counts).rename_axis("column").reset_index()
        found.append(of_columns.assign(**{COHORT: cohort, "setting": needed.setting}))
        if lacking := _lacking(known):
            section, key = needed.setting.split(".")
            kept = [name for name in needed.names if not set(name.split(":")) & set(lacking)]
            named = ", ".join(f"'{name}' (known of {known[name].sum()})" for name in lacking)
            problems.other(
                f"{clinical}: cohort '{cohort}': {needed.setting} names {named}, so that {n_complete} of {len(known)} "
                f"{needed.unit} would be left in {needed.analysis}. Expected values for most of them. Write {section}: "
                f"{{{key}: [{', '.join(kept)}]}} in the config, or add the column to the clinical table; if it has another name there, "
                f"declare it, such as columns: {{{lacking[0]}: YOUR_NAME}}."
            )
    return pd.concat(found[1:] or found, ignore_index=True)[COLUMNS]


def _needs(
    files: Cohort,
    tables: "CohortTables",
    settings: Mapping[str, object],
    problems: Problems,
) -> list[Needed]:
    subjects, samples, genotyped = tables.subjects, tables.samples, tables.variant_participants
    found = []
    if settings["acceleration.definition"] == "adjusted":
        adjusted = settings["acceleration.adjust_for"]
        analysis = "age acceleration by the definition 'adjusted'"
        found.append(Needed("acceleration.adjust_for", adjusted, subjects, "participants", analysis))
    if genotyped is not None:
        setting, mine = "variants.covariates", subjects[subjects[SUBJECT].isin(genotyped[SUBJECT])]
        found.append(Needed(setting, settings[setting], mine, "participants", "models of variants"))
    if len(samples):
        source = files.samples or files.counts or files.single_cell
        mine = _of_tissue(samples, bool(files.clinical), settings, str(source), problems)
        joined = with_participants(mine[mine[SUBJECT].isin(subjects[SUBJECT])], subjects)
        setting = "expression.covariates"
        found.append(Needed(setting, settings[setting], joined, "samples", "models of genes"))
        followed = subjects.drop(columns="batch", errors="ignore").merge(mine[[SUBJECT, "batch"]], on=SUBJECT)
        followed = followed[followed[[FOLLOWUP, EVENT]].notna().all(axis=1)]
        for key in ("gene_covariates", "strata"):
            setting = f"survival.{key}"
            found.append(Needed(setting, settings[setting], followed, "samples", "Cox models of genes"))
    return found


def _of_tissue(
    samples: pd.DataFrame, clinical: bool, settings: Mapping[str, object], source: str, problems: Problems
) -> pd.DataFrame:
    """The samples of the tissue that is analysed; all if none is named."""
    tissue, repeated = settings["expression.tissue"], str(settings["expression.repeated_samples"])
    if tissue is None:
        named = {part for name in settings["expression.covariates"] for part in name.split(":")}
        # Cox models of genes take one sample per participant, the first
        in_both = "first" if repeated == "block" and TISSUE in named and clinical else repeated
        check_one_tissue(samples, in_both, named, source, problems)
        return samples
    try:
        return samples[is_of_tissue(samples, str(tissue))]
    except CohortError as error:
        problems.other(f"{source}: {error}")
        return samples.head(0)


def _known(needed: Needed) -> pd.DataFrame:
    """Which rows have a value of which column; a column that no table has is known of none."""
    parts = dict.fromkeys(part for name in needed.names for part in name.split(":"))
    names = [name for name in parts if name in needed.rows or not name.startswith(LATER)]
    names = [name for name in names if name != AGE]
    if not names:
        return pd.DataFrame()
    return needed.rows.reindex(columns=names).notna()


def _lacking(known: pd.DataFrame) -> list[str]:
    """Columns without which enough rows have all the others: those that the fewest have."""
    lacking: list[str] = []
    for name in known.sum().sort_values(kind="stable").index:
        complete = known.drop(columns=lacking).all(axis=1).sum()
        if complete > 0 and complete >= LEAST * len(known):
            break
        lacking.append(str(name))
    return lacking
