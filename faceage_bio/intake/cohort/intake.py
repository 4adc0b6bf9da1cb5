"""All tables of all cohorts, checked together before anything is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from faceage_bio.core import parse
from faceage_bio.core.columns import AGE, CAUSE, COHORT, PHOTO, SAMPLE, SUBJECT, SUBJECT_COLUMNS
from faceage_bio.core.errors import Problems, examples
from faceage_bio.core.settings.settings_cohort import Cohort, form_of
from faceage_bio.core.tables import ledger_rows, read_ledger, read_table, write_table
from faceage_bio.intake.cohort.config_checks import check_columns, check_settings
from faceage_bio.intake.cohort.photos import check_face_ages, check_subjects_known, read_manifest
from faceage_bio.intake.cohort.samples import read_samples, read_variant_participants
from faceage_bio.intake.cohort.subjects import read_clinical
from faceage_bio.intake.rna.count_files import GENE, CountTable

KEPT = ".inputs"  # folder in the results for counts that were read
TEXT = (COHORT, SUBJECT, "sex", "smoking", "site", "race", "group", "intent", CAUSE)


@dataclass(frozen=True)
class CohortTables:
    """What one cohort has: one row per photo, subject and sample, and what became of them at intake."""

    photos: pd.DataFrame
    subjects: pd.DataFrame
    samples: pd.DataFrame
    ledger: pd.DataFrame
    counts: CountTable | None = None  # bulk RNA
    variant_participants: pd.DataFrame | None = None  # DNA: whose each sample is, with ancestry components
    face_ages: pd.DataFrame | None = None  # computed elsewhere
    genes: pd.Index | None = None  # symbols in the RNA, bulk or of single cells


def read_cohorts(
    cohorts: dict[str, Cohort],
    year_days: float,
    *,
    named: Mapping[str, Sequence[str]] | None = None,
    kept: Path | None = None,
    problems: Problems | None = None,
) -> dict[str, CohortTables]:
    """Read and check every table of every cohort: first the column names of all of them, then cells and counts.

    Parameters
    ----------
    cohorts : dict of Cohort
        The config's ``cohorts``: name -> files, and how they are written.
    year_days : float
        Days in a year of follow-up.
    named : mapping, optional
        The columns that each setting names (`config.named_columns`).
    kept : path, optional
        Folder for counts that were read, to read them once (`count_files.read_counts_once`).
    problems : Problems, optional
        Gets the cautions, which stop nothing.

    Raises
    ------
    CohortError
        Everything that is wrong in column names, or else everything that is wrong in any table: file, line,
        column, value and what to write instead.
    """
    problems = problems or Problems()
    headers = {name: check_columns(name, settings, problems) for name, settings in cohorts.items()}
    check_settings(cohorts, headers, named or {}, problems)
    problems.stop_if_any()
    for name, found in headers.items():
        told = ", ".join(f"{table} {len(header)}" for table, header in found.items())
        print(f"{name}: column names read ({told})", flush=True)
    tables = {
        name: _read_cohort(name, settings, year_days, problems, kept) for name, settings in cohorts.items()
    }
    check_no_subject_twice({name: one.subjects for name, one in tables.items()}, problems)
    problems.stop_if_any()
    return tables


def read_cohort(
    name: str, settings: Cohort, year_days: float, kept: Path | None, manifest: tuple[pd.DataFrame, list[str]] | None
) -> CohortTables:  # fmt: skip
    """The tables of one cohort, each checked.

    Parameters
    ----------
    manifest : its photos and the files without a row, as `photos.read_manifest` gives them, where they were
        checked before

    Raises
    ------
    CohortError
        Everything that is wrong in column names, or else everything that is wrong in any table.
    """
    problems = Problems()
    check_columns(name, settings, problems)
    problems.stop_if_any()
    tables = _read_cohort(name, settings, year_days, problems, kept, manifest)
    problems.stop_if_any()
    return tables


def write_cohort(cohort: CohortTables, folder: Path) -> None:
    """Write a cohort's tables, readable by their owner only; what it has not is an empty table."""
    for name in ("photos", "subjects", "samples", "variant_participants", "face_ages"):
        table = getattr(cohort, name)
        none = pd.DataFrame({SUBJECT: []}, dtype=str)
        write_table(none if table is None else table, folder / f"{name}.parquet")
    counts = cohort.counts or CountTable(pd.DataFrame(index=pd.Index([], name=GENE)))
    write_table(counts.to_table(), folder / "counts.parquet")
    write_table(cohort.ledger, folder / "ledger.tsv")


def read_written(folder: Path) -> CohortTables:
    """What `write_cohort` wrote, of counts the names of the genes alone, and no face ages."""
    names = ("photos", "subjects", "samples", "variant_participants")
    photos, subjects, samples, people = (read_table(folder / f"{name}.parquet") for name in names)
    genes = read_table(folder / "counts.parquet", [GENE])
    counts = CountTable.from_table(genes) if len(genes) else None
    ledger = read_ledger(folder / "ledger.tsv")
    return CohortTables(photos, subjects, samples, ledger, counts, people if len(people) else None)


def overview(tables: dict[str, CohortTables]) -> list[dict[str, object]]:
    """What there is to analyse, one row per cohort."""
    rows = []
    for name, cohort in tables.items():
        people, with_photo = cohort.subjects, photographed(cohort)
        rows.append(
            {
                "cohort": name,
                "photos or face ages": int((cohort.ledger[PHOTO] != "").sum()),
                "participants": len(people),
                "of them with photo": int(people[SUBJECT].isin(with_photo).sum()),
                "with age": int(people[AGE].notna().sum()),
                "with RNA": cohort.samples[SUBJECT].nunique(),
                "with follow-up": int(people["followup_years"].notna().sum()),
                "deaths": int(people["event"].sum()),
            }
        )
    return rows


def photographed(cohort: CohortTables) -> set[str]:
    """Subjects with a photo or a face age."""
    ledger = cohort.ledger
    return set(ledger.loc[(ledger["status"] == "included") & (ledger[PHOTO] != ""), SUBJECT])


def _read_cohort(
    name: str, settings: Cohort, year_days: float, problems: Problems, kept: Path | None,
    manifest: tuple[pd.DataFrame, list[str]] | None = None,
) -> CohortTables:  # fmt: skip
    photos, unlisted = manifest or read_manifest(name, settings, problems)
    face_ages = None
    if settings.face_ages and not settings.manifest:
        face_ages = check_face_ages(settings.face_ages, problems, form_of(settings, "face_ages"))
        photos = _photos_of(face_ages, name)
    subjects, photos = read_clinical(name, settings, photos, year_days, problems)
    known = set(subjects[SUBJECT])
    if settings.clinical and len(subjects):
        check_subjects_known(
            photos, known, settings.manifest or settings.face_ages, settings.clinical, problems
        )
    counts_once = kept and kept / f"{name}_counts.parquet"
    samples, counts, genes = read_samples(name, settings, known, problems, subjects.columns, counts_once)
    without = "no_photo" if face_ages is None else "no_face_age"
    return CohortTables(
        photos=_typed_photos(photos),
        subjects=_typed_subjects(subjects),
        samples=_typed_samples(samples),
        ledger=_ledger(name, photos, subjects, samples, unlisted, without),
        counts=counts,
        variant_participants=read_variant_participants(name, settings, samples, known, problems),
        face_ages=face_ages,
        genes=genes,
    )


def _photos_of(face_ages: pd.DataFrame, cohort: str) -> pd.DataFrame:
    """Photos, with their dates if there are any, of face ages computed elsewhere."""
    return face_ages[[PHOTO, SUBJECT, "photo_date"]].assign(**{COHORT: cohort, "path": "", AGE: float("nan")})


def _ledger(
    name: str, photos: pd.DataFrame, subjects: pd.DataFrame, samples: pd.DataFrame, unlisted: list[str], without: str,
) -> pd.DataFrame:  # fmt: skip
    """One row per photo, subject and sample; nothing that was found in the folder is left out. ``without``:
    why subjects have no photo.
    """
    base = {COHORT: name, "stage": "intake", "status": "included"}
    photo_rows = photos[[SUBJECT, PHOTO]].assign(**base)
    stray_rows = pd.DataFrame({PHOTO: unlisted}).assign(
        **base | {"status": "excluded", "reason": "not_in_manifest"}
    )
    has_photo = subjects[SUBJECT].isin(photos[SUBJECT])
    subject_rows = subjects[[SUBJECT]].assign(**base)
    subject_rows["status"] = has_photo.map({True: "included", False: "excluded"}).to_numpy()
    subject_rows["reason"] = has_photo.map({True: "", False: without}).to_numpy()
    sample_rows = samples[[SUBJECT, SAMPLE]].assign(**base)
    parts = [rows for rows in (photo_rows, stray_rows, subject_rows, sample_rows) if len(rows)]
    return ledger_rows(pd.concat(parts, ignore_index=True) if parts else pd.DataFrame())


def check_no_subject_twice(people: Mapping[str, pd.DataFrame], problems: Problems) -> None:
    """A problem for each two cohorts that share subjects; ``people`` are the subjects of each cohort."""
    seen: dict[str, str] = {}
    twice: dict[tuple[str, str], list[str]] = {}
    for name, subjects in people.items():
        for subject in subjects[SUBJECT]:
            if subject in seen and seen[subject] != name:
                twice.setdefault((seen[subject], name), []).append(repr(subject))
            seen.setdefault(subject, name)
    for (one, other), found in twice.items():
        problems.other(
            f"{len(found)} subject(s) are in cohort '{one}' and in cohort '{other}': {examples(found)}. Expected each "
            "person in one cohort only. If these are different participants, give them different identifiers."
        )


def _typed_photos(photos: pd.DataFrame) -> pd.DataFrame:
    table = photos.assign(photo_date=parse.as_text(photos["photo_date"]))
    return table.astype({AGE: "float64"}).reset_index(drop=True)


def _typed_subjects(subjects: pd.DataFrame) -> pd.DataFrame:
    table = subjects.copy()
    for column in SUBJECT_COLUMNS:
        if column in TEXT:
            table[column] = table[column].astype(object).where(table[column].notna(), None)
        else:
            table[column] = table[column].astype("float64")
    return table.reset_index(drop=True)


def _typed_samples(samples: pd.DataFrame) -> pd.DataFrame:
    table = samples.assign(sample_date=parse.as_text(samples["sample_date"]))
    table["batch"] = table["batch"].astype(object).where(table["batch"].notna(), None)
    return table.reset_index(drop=True)
