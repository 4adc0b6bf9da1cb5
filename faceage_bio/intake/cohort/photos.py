"""The photo manifest against the photo folder, and face ages that were computed elsewhere."""

import os
import posixpath
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path, PureWindowsPath

import pandas as pd

from faceage_bio.core import parse
from faceage_bio.core.columns import (
    COHORT,
    FACE_AGE,
    FACE_AGE_COLUMNS,
    MODEL_ID,
    PHOTO,
    PHOTO_COLUMNS,
    SUBJECT,
)
from faceage_bio.core.errors import DOUBLED, Problems, examples
from faceage_bio.core.settings.settings_cohort import Cohort, SheetForm, form_of
from faceage_bio.core.tables import read_table
from faceage_bio.intake.schemas import FACE_AGES, MANIFEST, complete, read_user_table

GIVEN = "given"  # the model of face ages that name none
OF_WINDOWS = {"thumbs.db", "desktop.ini"}  # which it writes into folders of pictures


def read_manifest(cohort: str, settings: Cohort, problems: Problems) -> tuple[pd.DataFrame, list[str]]:
    """The checked photos of a cohort, and the files in its folder that the manifest does not name.

    Returns
    -------
    DataFrame with ``columns.PHOTO_COLUMNS``, indexed by the line in the manifest; list of str
    """
    empty = pd.DataFrame(columns=list(PHOTO_COLUMNS))
    if not settings.manifest:
        return empty, []
    file, folder = settings.manifest, Path(settings.photos)
    read = read_user_table(file, MANIFEST, problems, form_of(settings, "manifest"))
    files = _files_of(folder, file, problems)
    if read is None:
        return empty, []
    table = complete(read.values, MANIFEST).assign(**{COHORT: cohort})
    if files:
        table["path"] = _check_paths(table["path"], files, folder, file, problems)
    unlisted = sorted(set(files) - set(table["path"]))
    return table[[*PHOTO_COLUMNS]], [printable(name) for name in unlisted]


def printable(name: str) -> str:
    """A file's name as text: bytes that are not UTF-8 stand as \\xe9."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _files_of(folder: Path, manifest: str, problems: Problems) -> dict[str, bool]:
    """Paths of all files in the photo folder, from that folder on, and whether each is a link; hidden ones are not photos."""
    if not folder.is_dir():
        problems.other(
            f"{folder}: no such folder. Expected one with the photos of the manifest. Give the folder that holds the photos under `photos:`."
        )
        return {}
    files = dict(sorted(_walk(os.fspath(folder), "")))
    if not files:
        problems.other(
            f"{folder}: the photo folder is empty. Expected the photos of the manifest. Put the photos of {manifest} there, or correct `photos:`."
        )
    return files


def _walk(folder: str, inside: str) -> Iterator[tuple[str, bool]]:
    """One look at each folder, since a shared disk takes its time for each file that is asked for; linked
    folders are not entered.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path, f"{inside}{entry.name}/")
            elif not entry.name.startswith(".") and entry.name.lower() not in OF_WINDOWS and entry.is_file():
                yield f"{inside}{entry.name}", entry.is_symlink()


def _check_paths(
    paths: pd.Series, files: Mapping[str, bool], folder: Path, file: str, problems: Problems
) -> pd.Series:
    """The paths as the folder spells them: accents may be one character there or two, and ``./a.jpg`` is ``a.jpg``."""
    root = folder.resolve()
    alike = {_bare(name): name for name in sorted(files, reverse=True)}
    no_utf8 = {
        os.fsencode(name).decode("cp1252", "replace"): name for name in files if name != printable(name)
    }
    spelt = {unicodedata.normalize("NFC", name): name for name in files}
    found = paths.map(lambda path: spelt.get(posixpath.normpath(path), path) if path else path)

    def wrong(line: int, advice: str) -> None:
        problems.cell(file, line, "path", paths[line], advice)

    for line, path in found.items():
        if files.get(path) is False:  # a file that was seen inside of the folder, and no link out of it
            continue
        place = folder / path
        if path == "":
            wrong(line, "Expected a file name. Write the photo's name inside of the photo folder.")
        elif Path(path).is_absolute() or ".." in Path(path).parts or not place.resolve().is_relative_to(root):
            wrong(
                line,
                "Expected a file inside of the photo folder, but the path leaves it. Copy the photo into it.",
            )
        elif path not in files and not place.exists():
            wrong(
                line,
                f"Expected a file in {folder}, where none has that name.{_other_spelling(path, alike, no_utf8)} Correct the name or leave the row out.",
            )
    for line in found.index[found.duplicated(keep=False) & (found != "")]:
        wrong(line, "Expected one row of each photo, but it stands in several. Keep one.")
    return found


def _other_spelling(path: str, alike: Mapping[str, str], no_utf8: Mapping[str, str]) -> str:
    """The file of that name in other capitals, in another folder, with another ending, or in bytes that are not UTF-8."""
    if name := no_utf8.get(path):
        return f" It has {printable(name)!r}, a name that is not UTF-8: rename that file (convmv -f cp1252 -t utf8 does so for a folder)."
    return f" It has {alike[bare]!r}." if (bare := _bare(path)) in alike else ""


def _bare(path: str) -> str:
    """The name without folders (also those of Windows) and ending, in small letters."""
    return PureWindowsPath(path).stem.lower()


def check_subjects_known(
    photos: pd.DataFrame, known: set[str], file: str, clinical: str, problems: Problems
) -> None:
    """Every photo's subject must be in the clinical table."""
    named = photos.loc[photos[SUBJECT] != "", SUBJECT]
    found = [
        f"line {line}: {told}" for line, told in parse.strangers(named, known, Path(clinical).name).items()
    ]
    if found:
        problems.other(
            f"{file}: {len(found)} photo(s) of subjects that {clinical} does not have: {examples(found)}. "
            "Expected subjects of that table. Add them there, or look for another spelling."
        )


def check_face_ages(path: Path | str, problems: Problems, form: SheetForm | None = None) -> pd.DataFrame:
    """The checked table, indexed by line: subject_id, photo_id (that of the subject where it has none), photo_date, face_age.

    Parameters
    ----------
    path : .tsv, .csv or .xlsx with ``subject_id`` and ``face_age`` in years; ``photo_id`` if a subject has
        several; ``model``, what gave them
    problems : what is wrong is added
    form : how the table is written
    """
    read = read_user_table(path, FACE_AGES, problems, form)
    if read is None:
        return complete(pd.DataFrame(), FACE_AGES)
    table = complete(read.values, FACE_AGES)
    if PHOTO not in read.values:
        table[PHOTO] = table[SUBJECT]
        subjects = table[SUBJECT]
        problems.where(str(path), subjects, subjects.duplicated(keep=False) & (subjects != ""), DOUBLED)
    return table[list(FACE_AGES.columns)]


def read_face_ages(path: Path | str, cohort: str) -> pd.DataFrame:
    """One row per face age, status "ok" and reason "given"; a missing one is excluded.

    Parameters
    ----------
    path : what `check_face_ages` takes, or what the intake wrote of it (.parquet)
    cohort : its name

    Raises
    ------
    CohortError
        A column lacks, ages that are no numbers above 0 and up to 130, doubled photos or subjects; all lines at once.
    """
    problems = Problems()
    table = read_table(path) if Path(path).suffix == ".parquet" else check_face_ages(path, problems)
    problems.stop_if_any()
    missing = table[FACE_AGE].isna()
    model = table["model"].fillna("").replace("", GIVEN)
    table = table[[SUBJECT, PHOTO, FACE_AGE]].assign(
        **{COHORT: cohort, "model": model, MODEL_ID: model},
        status=missing.map({True: "excluded", False: "ok"}),
        reason=missing.map({True: "no_value", False: "given"}),
        flags="",
    )
    return table.reindex(columns=list(FACE_AGE_COLUMNS)).reset_index(drop=True)
