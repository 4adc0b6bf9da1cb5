"""The bundle that may leave: released tables, and the pages, figures and tables for authors made from them. All of it, or nothing."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import faceage_bio
from faceage_bio.errors import PrivacyError
from faceage_bio.records import check_unchanged
from faceage_bio.release.building import building_folder, take_place
from faceage_bio.release.findings import Finding, listed
from faceage_bio.release.gate import check_folder
from faceage_bio.release.known import NOT_OF_PEOPLE, Known
from faceage_bio.release.rule import release
from faceage_bio.report import pages
from faceage_bio.report.figure_files import write_figures
from faceage_bio.report.sections import runs
from faceage_bio.report.table_files import rendered
from faceage_bio.report.tables import ReportTables, collect
from faceage_bio.results.tables import count_columns, is_declared, key_of, never_released
from faceage_bio.tables import read_table, sha256_of, write_bytes, write_table, zipped

PAGES = {
    "index.html": pages.index_page, "association.html": pages.association_page, "survival.html": pages.survival_page,
    "photos.html": pages.photo_page,
}  # fmt: skip
MANIFEST, ABOUT = "manifest.json", "README.txt"
DRAWN = re.compile(
    r"(clip|gradient_)\d+"
)  # names in figures, numbered by the renderer through all that it ever drew
SHARED = """Results of faceage_bio, version {version}.

index.html is the summary. Pages open in a browser without a network. They are rendered from the folders in tables/, which hold every result table
that may leave. The files in tables/ itself are the tables of a paper, made from the same: Word, LaTeX (booktabs) and TSV.
{rule}
manifest.json lists per table what was rounded and redacted, and the files with their SHA-256.

Research use only; not for decisions about a person.
"""
RULE = """Counts of participants, samples, photos and events are rounded to the midpoints of {k} (midpoint rounding); totals may not add up.
Statistics from a count of 1 to {k}, or with fewer than 10 residual degrees of freedom, are redacted. Curves are computed from rounded counts."""
UNROUNDED = "Counts are exact: release.rounding is 1, for public data."


@dataclass(frozen=True)
class Published:
    """What was written, and what was done to each table."""

    target: Path
    files: list[str]
    log: pd.DataFrame


def publish(
    results: Path, target: Path, known: Known, config: Mapping, cards: Sequence[dict], k: int
) -> Published:
    """Write the bundle; all of it, or nothing, however the command ends.

    Parameters
    ----------
    results : the folder of a finished run
    target : a folder, or a file ending in .zip; one that an earlier run published is replaced
    known : whose identifiers, file names and dates are looked for
    config : the study's whole config, as the pages are rendered with
    cards : of the models
    k : rounding of counts; 1 for public data

    Raises
    ------
    PrivacyError
        No finished run there; a table that is not declared; a target that was not published; anything that the gate finds.
    """
    results, target = Path(results), Path(target)
    if not any((results / "reports" / name).is_file() for name in PAGES):
        raise PrivacyError(
            f"{results}/reports: no page there. Expected the results of a finished run. Run the workflow to its end first, or name the folder of its results."
        )
    _check_target(target)
    with building_folder(target) as building:
        bundle = building / "bundle"
        told = {**released_config(config), "release": {"rounding": k}}
        log = _write_bundle(results, bundle, told, cards, k)
        findings = [*check_folder(bundle, known, k), *_not_of_tables(bundle, told, cards)]
        if findings:
            raise PrivacyError(
                f"nothing was published, because {len(findings)} things may not leave. Expected none. Take out what is listed.\n{listed(findings)}"
            )
        files = sorted(path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file())
        take_place(_zipped(bundle, building) if target.suffix == ".zip" else bundle, target, building)
    return Published(target, files, log)


def released_config(config: Mapping) -> dict:
    """The config without paths: a file is "given" or none, a model its name."""
    cohorts = {
        name: {key: "given" if isinstance(value, str) else value for key, value in dict(cohort).items()}
        for name, cohort in config["cohorts"].items()
    }
    readers = dict(config.get("readers") or {})
    readers |= {key: "given" for key in ("readings", "cases") if readers.get(key)}
    models = [Path(model).name for model in config["models"]]
    shown = {**config, "cohorts": cohorts, "models": models, "results_dir": "results", "readers": readers}
    if shown.get("review"):
        shown["review"] = {
            **shown["review"],
            "decisions": "given" if shown["review"].get("decisions") else None,
        }
    return shown


def render(folder: Path, config: Mapping, cards: Sequence[dict]) -> dict[str, str]:
    """Every page, from the released tables of a bundle alone."""
    tables = released_tables(folder)
    return {
        name: _renumbered(make(tables, config, list(cards), internal=False)) for name, make in PAGES.items()
    }


def released_tables(folder: Path) -> ReportTables:
    """The result tables of a bundle: tables/{cohort}/...; the files in tables/ itself are made from them."""
    return collect(sorted((folder / "tables").glob("*/**/*.tsv")), released=True)


def paper_tables(folder: Path, config: Mapping) -> dict[str, bytes]:
    """The tables for authors by their place in the bundle, from its released tables alone."""
    made = rendered(released_tables(folder), config, internal=False)
    return {f"tables/{name}": content for name, content in made.items()}


def _renumbered(page: str) -> str:
    """The page with its clips and gradients numbered from 1, so that the same tables give the same bytes."""
    numbers: dict[str, str] = {}
    return DRAWN.sub(lambda found: numbers.setdefault(found[0], f"{found[1]}{len(numbers) + 1}"), page)


def result_tables(results: Path, sections: str) -> dict[str, pd.DataFrame]:
    """Every result table of a run by its place; under ``core`` none that an earlier run with ``full`` left behind.

    Raises
    ------
    PrivacyError
        A table that is not in `results.tables`.
    TableError
        A table that is not what its step wrote.
    """
    found, unknown = {}, []
    for path in sorted(results.glob("*/**/*.tsv")):
        inside = path.relative_to(results)
        if inside.parts[0] in NOT_OF_PEOPLE | {"demo", "local", "benchmarks"} or any(
            part.startswith(".") for part in inside.parts
        ):
            continue
        place = inside.with_suffix("").as_posix()
        if is_declared(place):
            if runs(key_of(place), sections):
                found[place] = path
        elif not never_released(place):
            unknown.append(inside.as_posix())
    if unknown:
        raise PrivacyError(
            f"nothing was published, because {len(unknown)} table(s) are not declared: {', '.join(unknown[:10])}. "
            "Expected those of the list only. Declare them in faceage_bio/results/tables.py, as result tables or as tables that never leave."
        )
    check_unchanged(found.values())
    return {place: read_table(path) for place, path in found.items()}


def _write_bundle(results: Path, bundle: Path, config: dict, cards: Sequence[dict], k: int) -> pd.DataFrame:
    """Tables, pages, figures and the manifest into a new folder, unchecked."""
    bundle.mkdir(parents=True)
    released = release(result_tables(results, config["report"]["sections"]), k)
    for place, table in released.tables.items():
        whole = {
            name: table[name].astype("Int64")
            for name in count_columns(key_of(place))
            if name in table and _is_whole(table[name])
        }
        write_table(table.assign(**whole), bundle / "tables" / f"{place}.tsv")
    for name, page in render(bundle, config, cards).items():
        (bundle / name).write_text(page, encoding="utf-8")
    for name, content in paper_tables(bundle, config).items():
        write_bytes(content, bundle / name)
    write_figures([bundle / name for name in PAGES], bundle / "figures", pdf=False)
    rule = RULE.format(k=k) if k > 1 else UNROUNDED
    (bundle / ABOUT).write_text(SHARED.format(version=faceage_bio.__version__, rule=rule), encoding="utf-8")
    files = sorted(path for path in bundle.rglob("*") if path.is_file())
    manifest = {
        "faceage_bio": faceage_bio.__version__,
        "rounding": k,
        "tables": released.log.to_dict("records"),
        "files": {path.relative_to(bundle).as_posix(): sha256_of(path) for path in files},
    }
    (bundle / MANIFEST).write_text(
        json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    for path in bundle.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    bundle.chmod(0o755)
    return released.log


def _is_whole(column: pd.Series) -> bool:
    numbers = pd.to_numeric(column, errors="coerce").dropna()
    return bool((numbers == numbers.round()).all())


def _not_of_tables(bundle: Path, config: dict, cards: Sequence[dict]) -> list[Finding]:
    """Pages and tables for authors whose bytes are not those that the bundle's tables give: nothing can hide there that is not in a table."""
    pages_again = {name: page.encode() for name, page in render(bundle, config, cards).items()}
    papers_again = paper_tables(bundle, config)
    found = {
        f"tables/{path.name}" for path in (bundle / "tables").glob("*") if path.is_file()
    } | papers_again.keys()
    again = {name: pages_again.get(name, papers_again.get(name)) for name in (*pages_again, *sorted(found))}
    return [
        Finding(name, "", "other page", "not what the bundle's tables render to")
        for name, content in again.items()
        if content is None or not (bundle / name).is_file() or (bundle / name).read_bytes() != content
    ]


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
    files = sorted(file for file in bundle.rglob("*") if file.is_file())
    path.write_bytes(zipped({file.relative_to(bundle).as_posix(): file.read_bytes() for file in files}))
    path.chmod(0o644)
    return path
