"""The bundle that may leave: pages, suppressed tables and figures, checked as a whole before any of it is there."""

import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import faceage_bio
from faceage_bio.errors import PrivacyError
from faceage_bio.privacy.alike import tell_alike
from faceage_bio.privacy.findings import listed
from faceage_bio.privacy.gate import check_folder
from faceage_bio.privacy.known import NOT_OF_PEOPLE, Known
from faceage_bio.privacy.suppress import suppress_each
from faceage_bio.privacy.suppressed import MARK, NEAR, Suppressed
from faceage_bio.privacy.tables import NEVER, TABLES, key_of
from faceage_bio.tables import read_table, sha256_of, write_table, write_text

PAGES = ("association.html", "survival.html", "photos.html")
MANIFEST, ABOUT, MARKER = "manifest.json", "README.txt", "LOCAL_ONLY.txt"
LOCAL = """This folder holds data on single people: identifiers, dates, ages, follow-up, counts per sample, and logs that may name them.

It stays on this machine. What may be handed to others is what `faceage-bio publish` writes, and nothing else.
"""
SHARED = """Results of faceage_bio, version {version}.

Pages open in a browser without a network. tables/ holds every result table that may leave; {mark} stands for a number that is
not told, because it is a number of people from 1 to {most}, or would give one away; {near}114 for one that is less than {min_cell}
away from 114, which another table tells of the same people. Curves are told at times between which at least {min_cell} people
died. manifest.json lists the files with their SHA-256.

Research use only; not for decisions about a person.
"""


@dataclass(frozen=True)
class Published:
    """What was written."""

    target: Path
    files: list[str]


def publish(results: Path, target: Path, known: Known, min_cell: int) -> Published:
    """Write the bundle; all of it, or nothing.

    Parameters
    ----------
    results : the folder of a finished run
    target : a folder, or a file ending in .zip; one that an earlier run published is replaced
    known : whose identifiers, file names and dates are looked for
    min_cell : the smallest number of people that is told

    Raises
    ------
    PrivacyError
        A smallest number of 1, which keeps nothing back; no finished run there; a table that is not declared; a target that was not published; anything that the gate finds.
    """
    if min_cell < 2:
        raise PrivacyError(
            f"the smallest number of people that is told is {min_cell}, so nothing would be kept back; expected 2 or more. Set "
            "report.min_cell (5 is usual) and run again, so that the pages keep it too."
        )
    results, target = Path(results), Path(target)
    if not (results / "reports").is_dir():
        raise PrivacyError(
            f"{results}: no folder reports/ there. Expected the results of a finished run. Run the workflow first, or name the folder of its results."
        )
    _check_target(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=".publish-", dir=target.parent))  # mode 0700
    try:
        bundle = building / "bundle"
        write_bundle(results, bundle, min_cell)
        findings = check_folder(bundle, known, min_cell)
        if findings:
            noun = "thing" if len(findings) == 1 else "things"
            raise PrivacyError(
                f"nothing was published, because {len(findings)} {noun} may not leave. Expected none. Take out what is listed.\n{listed(findings)}"
            )
        files = sorted(path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file())
        _take_place(_zipped(bundle, building) if target.suffix == ".zip" else bundle, target, building)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return Published(target, files)


def write_bundle(results: Path, bundle: Path, min_cell: int) -> None:
    """Pages, tables, figures and the manifest into a new folder, unchecked."""
    bundle.mkdir(parents=True)
    pages = [results / "reports" / name for name in PAGES if (results / "reports" / name).is_file()]
    if not pages:
        raise PrivacyError(
            f"{results}/reports: no page there. Expected at least one. Run the workflow to its end first."
        )
    for page in pages:
        shutil.copyfile(page, bundle / page.name)
    for name, table in shareable_tables(results, min_cell):
        write_table(table.as_text(), bundle / "tables" / name)
    for figure in sorted((results / "reports").rglob("*.svg")):
        inside = figure.relative_to(results / "reports").as_posix().removeprefix("figures/")
        place = bundle / "figures" / inside
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(figure, place)
    about = SHARED.format(
        version=faceage_bio.__version__, mark=MARK, near=NEAR, most=min_cell - 1, min_cell=min_cell
    )
    (bundle / ABOUT).write_text(about, encoding="utf-8")
    files = sorted(path for path in bundle.rglob("*") if path.is_file())
    manifest = {
        "faceage_bio": faceage_bio.__version__,
        "smallest_number_told": min_cell,
        "tables": {
            name: TABLES[key_of(name)].words
            for name in (path.relative_to(bundle).as_posix() for path in files)
            if name.endswith(".tsv")
        },
        "files": {path.relative_to(bundle).as_posix(): sha256_of(path) for path in files},
    }
    (bundle / MANIFEST).write_text(
        json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    for path in bundle.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    bundle.chmod(0o755)


def shareable_tables(results: Path, min_cell: int) -> Iterator[tuple[str, Suppressed]]:
    """Every table of a run that may leave, by its place, made fit to leave.

    Raises
    ------
    PrivacyError
        A table that is not in the closed list `tables.TABLES`.
    """
    unknown, places = [], {}
    for path in sorted(results.glob("*/**/*.tsv")):
        inside = path.relative_to(results)
        if inside.parts[0] in NOT_OF_PEOPLE | {"demo", "local"} or any(
            part.startswith(".") for part in inside.parts
        ):
            continue
        key = key_of(inside.as_posix())
        if key not in TABLES:
            unknown.append(inside.as_posix())
        elif TABLES[key] is not NEVER:
            places.setdefault(inside.parts[0], {})[key] = inside.as_posix()
    if unknown:
        raise PrivacyError(
            f"nothing was published, because {len(unknown)} table(s) are not declared: {', '.join(unknown[:10])}. "
            "Expected those of the list only. Declare them in faceage_bio/privacy/tables.py: as they are, which numbers add up, or never."
        )
    found = {
        cohort: suppress_each({key: read_table(results / name) for key, name in mine.items()}, min_cell)
        for cohort, mine in places.items()
    }
    if min_cell > 1:  # people of a cohort stand in the tables of all cohorts together too
        tell_alike([pair for mine in found.values() for pair in mine.items()], min_cell)
    for cohort, mine in places.items():
        for key, name in mine.items():
            yield f"{cohort}/{name.partition('/')[2]}", found[cohort][key]


def mark_local(results: Path) -> None:
    """Say in the folder of a run that it stays where it is."""
    marker = Path(results) / MARKER
    if not marker.exists():
        write_text(LOCAL, marker)


def _check_target(target: Path) -> None:
    if target.suffix == ".zip" and target.is_file():
        return
    about = target / ABOUT
    ours = (target / MANIFEST).is_file() or (
        about.is_file() and about.read_text(encoding="utf-8").startswith(SHARED[:22])
    )
    if target.exists() and not (target.is_dir() and (ours or not any(target.iterdir()))):
        raise PrivacyError(
            f"{target}: there is something else, which publishing would replace. Expected nothing there, or an earlier bundle. Name a new folder or a file ending in .zip."
        )


def _zipped(bundle: Path, building: Path) -> Path:
    path = building / "bundle.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for file in sorted(bundle.rglob("*")):
            if file.is_file():
                entry = zipfile.ZipInfo(file.relative_to(bundle).as_posix(), date_time=(1980, 1, 1, 0, 0, 0))
                entry.external_attr, entry.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
                packed.writestr(entry, file.read_bytes())
    path.chmod(0o644)
    return path


def _take_place(made: Path, target: Path, building: Path) -> None:
    """Put what was made in its place; an earlier bundle goes only when the new one is there."""
    if target.is_dir():
        os.replace(target, building / "earlier")
    try:
        os.replace(made, target)
    except OSError:
        if (building / "earlier").exists():
            os.replace(building / "earlier", target)
        raise
