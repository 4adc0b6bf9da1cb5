"""The photo manifest against the photo folder: which photo is whose, and whether it is there."""

from pathlib import Path

import pandas as pd

from faceage_bio import parse, schemas
from faceage_bio.columns import AGE, COHORT, PHOTO, PHOTO_COLUMNS, SUBJECT
from faceage_bio.errors import TableError, examples
from faceage_bio.problems import Problems
from faceage_bio.tables import read_text_table


def read(
    path: str, columns: dict[str, str], needed: tuple[str, ...], problems: Problems
) -> pd.DataFrame | None:
    """A user's table with our column names, or None if it cannot be read; what is wrong goes to the problems."""
    try:
        table = read_text_table(path)
    except TableError as error:
        problems.other(str(error))
        return None
    for ours, theirs in columns.items():
        if theirs in table and ours != theirs:
            table[ours] = table[theirs]  # one column of theirs may serve two of ours
    missing = [name for name in needed if name not in table]
    if missing:
        problems.other(
            f"{path}: line 1 lacks the column(s) {', '.join(missing)}; found {', '.join(table.columns)}. Expected "
            f"{', '.join(needed)}. "
            "Name them so, or declare yours in the config, such as columns: {subject_id: PatientNr}."
        )
        return None
    return table


def read_manifest(cohort: str, settings: dict, problems: Problems) -> tuple[pd.DataFrame, list[str]]:
    """The checked photos of a cohort, and the files in its folder that the manifest does not name.

    Returns
    -------
    DataFrame with ``columns.PHOTO_COLUMNS``, indexed by the line in the manifest; list of str
    """
    empty = pd.DataFrame(columns=list(PHOTO_COLUMNS))
    if not settings.get("manifest"):
        return empty, []
    file, folder = settings["manifest"], Path(settings["photos"])
    table = read(file, settings.get("columns") or {}, (PHOTO, SUBJECT, "path"), problems)
    files = _files_of(folder, file, problems)
    if table is None:
        return empty, []
    if table.empty:
        problems.other(f"{file}: no rows below the header. Expected one row per photo. Write them there.")
    table["photo_date"] = (
        parse.dates(table["photo_date"], "photo_date", file, problems) if "photo_date" in table else pd.NaT
    )
    table[AGE] = parse.numbers(table[AGE], AGE, file, problems) if AGE in table else float("nan")
    table[COHORT] = cohort
    schemas.check(table, schemas.PHOTOS, file, problems)
    for line in table.index[table[SUBJECT] == ""]:
        problems.cell(
            file,
            line,
            SUBJECT,
            "",
            "Expected the subject of every photo. Write whose it is, or leave the row out.",
        )
    if files:
        _check_paths(table, folder, file, problems)
    unlisted = sorted(set(files) - set(table["path"].map(lambda path: str(Path(path)))))
    return table[[*PHOTO_COLUMNS]], unlisted


def _files_of(folder: Path, manifest: str, problems: Problems) -> list[str]:
    """Paths of all files in the photo folder, from that folder on; hidden ones are not photos."""
    if not folder.is_dir():
        problems.other(
            f"{folder}: no such folder. Expected one with the photos of the manifest. Give the folder that holds the photos under `photos:`."
        )
        return []
    files = [item for item in folder.rglob("*") if item.is_file() and not item.name.startswith(".")]
    if not files:
        problems.other(
            f"{folder}: the photo folder is empty. Expected the photos of the manifest. Put the photos of {manifest} there, or correct `photos:`."
        )
    return sorted(str(item.relative_to(folder)) for item in files)


def _check_paths(table: pd.DataFrame, folder: Path, file: str, problems: Problems) -> None:
    root = folder.resolve()
    for line, path in table["path"].items():
        place = folder / path
        if path == "":
            problems.cell(
                file,
                line,
                "path",
                path,
                "Expected a file name. Write the photo's name inside of the photo folder.",
            )
        elif Path(path).is_absolute() or ".." in Path(path).parts or not place.resolve().is_relative_to(root):
            problems.cell(
                file,
                line,
                "path",
                path,
                "Expected a file inside of the photo folder, but the path leaves it. Copy the photo into it.",
            )
        elif not place.exists():
            problems.cell(
                file,
                line,
                "path",
                path,
                f"Expected a file in {folder}, where none has that name. Correct the name or leave the row out.",
            )
    doubled = table["path"].duplicated(keep=False) & (table["path"] != "")
    for line, path in table.loc[doubled, "path"].items():
        problems.cell(
            file, line, "path", path, "Expected one row of each photo, but it stands in several. Keep one."
        )


def check_subjects_known(
    photos: pd.DataFrame, known: set[str], file: str, clinical: str, problems: Problems
) -> None:
    """Every photo's subject must be in the clinical table."""
    strangers = photos[~photos[SUBJECT].isin(known) & (photos[SUBJECT] != "")]
    if len(strangers):
        found = [f"line {line}: {subject!r}" for line, subject in strangers[SUBJECT].items()]
        problems.other(
            f"{file}: {len(strangers)} photo(s) of subjects that {clinical} does not have: {examples(found)}. "
            "Expected subjects of that table. Add them there, or look for another spelling."
        )
