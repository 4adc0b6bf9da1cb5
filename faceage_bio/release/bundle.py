"""The bundle that may leave: released tables, and the pages, figures and tables for authors made from them. All of it, or nothing."""

import fcntl
import os
import shutil
import signal
import sys
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import pandas as pd

from faceage_bio.core.columns import POOLED
from faceage_bio.core.config import Config, check_config
from faceage_bio.core.errors import PrivacyError
from faceage_bio.core.kept import FOLDER
from faceage_bio.core.records import check_unchanged, version
from faceage_bio.core.results.result_tables import count_columns, is_declared, key_of, never_released
from faceage_bio.core.tables import (
    digest_of,
    read_table,
    sha256_of,
    write_bytes,
    write_json,
    write_table,
    zipped,
)
from faceage_bio.release.gate import Finding, check_folder, stop_if_any
from faceage_bio.release.known import Known, vocabulary
from faceage_bio.release.pseudonyms import fingerprints
from faceage_bio.release.rule import changes, release
from faceage_bio.report.figure_files import write_figures
from faceage_bio.report.pages import RENDERERS
from faceage_bio.report.places import runs
from faceage_bio.report.table_files import rendered
from faceage_bio.report.tables_by_place import collect
from faceage_bio.report.words import without_folders

MANIFEST, ABOUT = "manifest.json", "README.txt"
EARLIER = "earlier"  # bundle, set aside while the new one takes its place
README = """Results of faceage_bio, version {version}. index.html is the summary; pages open without a network. The folders in tables/ hold every result
table that may leave, its files are the tables of a paper, all made of them. Rounding is {k}: counts of participants, samples, photos and events are
rounded to the midpoints of {k}, statistics of 1 to {k} or with fewer than 10 residual degrees of freedom redacted; 1, for public data, leaves all exact.
manifest.json tells what was rounded and redacted, config, models, and the SHA-256 of each file. Research use only; not for decisions about a person.
"""


def publish(
    results: Path, target: Path, known: Known, config: Config, cards: Sequence[dict], k: int, key: bytes
) -> tuple[list[str], pd.DataFrame]:
    """Write the bundle; all of it, or nothing, however the command ends.

    Parameters
    ----------
    results : the folder of a finished run
    target : a folder, or a file ending in .zip; one that an earlier run published is replaced
    known : whose identifiers, file names and dates are looked for, and the words that may stand in tables
    config : the study's whole config, as the pages are rendered with
    cards : of the models
    k : rounding of counts; 1 for public data
    key : of the fingerprints of the study's data; it stays at the site

    Returns
    -------
    list of str, DataFrame
        The files, and what was done to each table.

    Raises
    ------
    PrivacyError
        No finished run there; a table that is not declared; a target that was not published; anything that the gate finds.
    """
    if not any((results / "reports" / name).is_file() for name in RENDERERS):
        raise PrivacyError(
            f"{results}/reports: no page there. Expected the results of a finished run. Run the workflow to its end first, or name the folder of its results."
        )
    if target.exists() and not (is_ours(target) or (target.suffix == ".zip" and target.is_file())):
        raise PrivacyError(
            f"{target}: there is something else, which publishing would replace. Expected nothing there, or an earlier bundle. Name a new folder or a file ending in .zip."
        )
    told = released_config(config, k)
    if known.vocabulary:
        known |= vocabulary(told.model_dump(), cards)
    with building_folder(target) as building:
        bundle = building / "bundle"
        log = _write_tables(results, bundle, told)
        write_pages(bundle, told, cards)
        made = {"data": fingerprints(results, key), "tables": log.to_dict("records")}
        write_json(provenance(told, cards, k) | made | {"files": _hashes(bundle)}, bundle / MANIFEST)
        findings = [*check_folder(bundle, known, k), *_not_of_tables(bundle, told, cards)]
        stop_if_any(findings, "nothing was published, because")
        files = [*_hashes(bundle)]
        for path in (bundle, *bundle.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        if target.suffix == ".zip":
            packed = zipped({name: (bundle / name).read_bytes() for name in files})
            bundle = building / target.name
            write_bytes(packed, bundle, mode=0o644)
        take_place(bundle, target, building)
    return files, log


def is_ours(target: Path) -> bool:
    """Whether a folder is an earlier bundle, or empty."""
    return (target / MANIFEST).is_file() or (target.is_dir() and not any(target.iterdir()))


def provenance(config: Config, cards: Sequence[dict], k: int) -> dict:
    """What every manifest tells: version, rounding, weights, and the hash of the released config."""
    models, settings = {card["name"]: card.get("sha256") for card in cards}, config.model_dump(mode="json")
    return {"faceage_bio": version(), "rounding": k, "models": models, "config": digest_of(settings)}


def released_config(config: Config, k: int) -> Config:
    """The config without paths: a cohort's file is "given" or none, another and a model its name."""
    content = without_folders(config.model_dump(mode="json"))
    for cohort in content["cohorts"].values():
        cohort.update({key: "given" for key, value in cohort.items() if isinstance(value, str)})
        for form in cohort["tables"].values():
            form["sheet"] = None  # of a workbook, whose name does not leave
    models = [Path(model).name for model in config.models]
    return check_config(content | {"models": models, "results_dir": "results", "release": {"rounding": k}})


def result_tables(results: Path, folders: Collection[str], sections: str) -> dict[str, pd.DataFrame]:
    """Every result table in the folders of cohorts by its place; under ``core`` none that an earlier run with ``full`` left behind.

    Raises
    ------
    PrivacyError
        A table among them that is not in `results.tables`.
    TableError
        A table that is not what its step wrote.
    """
    places = {
        path.relative_to(results).with_suffix("").as_posix(): path
        for folder in sorted(folders)
        for path in sorted((results / folder).rglob("*.tsv"))
        if FOLDER not in path.parts
    }
    unknown = [f"{place}.tsv" for place in places if not (is_declared(place) or never_released(place))]
    if unknown:
        raise PrivacyError(
            f"nothing was published, because {len(unknown)} table(s) among the results are not declared: {', '.join(unknown[:10])}. "
            "Expected there what the workflow writes. Put other files into a folder of your own; a new table of a step is declared in faceage_bio/core/results/result_tables.py."
        )
    wanted = [place for place in places if is_declared(place) and runs(key_of(place), sections)]
    check_unchanged(places[place] for place in wanted)
    return {place: read_table(places[place]) for place in wanted}


def _write_tables(results: Path, bundle: Path, config: Config) -> pd.DataFrame:
    """The released tables into a new folder; what was done to each."""
    exact = result_tables(results, [*config.cohorts, POOLED], config.report.sections)
    released = release(exact, config.release.rounding)
    write_released(released, bundle / "tables")
    return changes(exact, released)


def write_released(tables: Mapping[str, pd.DataFrame], folder: Path) -> None:
    """Released tables by place, counts as whole numbers."""
    for place, table in tables.items():
        counts = table[[name for name in count_columns(key_of(place)) if name in table]]
        write_table(table.assign(**counts.convert_dtypes()), folder / f"{place}.tsv")


def write_pages(bundle: Path, config: Config, cards: Sequence[dict]) -> None:
    """Everything else, from the released tables of a bundle alone."""
    tables = collect(sorted((bundle / "tables").glob("*/**/*.tsv")), released=True)
    pages = {name: page(tables, config, list(cards), internal=False) for name, page in RENDERERS.items()}
    files = {name: page.encode() for name, page in pages.items()}
    files |= {f"tables/{name}": made for name, made in rendered(tables, config, internal=False).items()}
    files[ABOUT] = README.format(version=version(), k=config.release.rounding).encode()
    for name, content in files.items():
        write_bytes(content, bundle / name)
    write_figures(pages, bundle / "figures", pdf=False)


def _not_of_tables(bundle: Path, config: Config, cards: Sequence[dict]) -> list[Finding]:
    """Files whose bytes are not those that the bundle's tables give: nothing can hide there that is not in a table."""
    with TemporaryDirectory() as folder:
        again = Path(folder) / "again"
        for path in (bundle / "tables").glob("*/**/*.tsv"):
            write_bytes(path.read_bytes(), again / path.relative_to(bundle))
        write_pages(again, config, cards)
        names = {name for name, _ in _hashes(bundle).items() ^ _hashes(again).items()}
    what = "not what the bundle's tables render to"
    return [Finding(name, "", "other page", what) for name in sorted(names - {MANIFEST})]


def _hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of a bundle."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in files}


@contextmanager
def building_folder(target: Path) -> Iterator[Path]:
    """A new private folder beside the target, removed at the end, also by Ctrl-C, SIGTERM or a closed terminal.

    What a killed run left there is removed first. An earlier bundle that was set aside for one that did not come is put back.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".publish-{target.name}-"
    for left in target.parent.glob(f"{prefix}*"):
        with suppress(OSError), _locked(left):  # or another run is building there
            _clear(left, target)
    building = Path(mkdtemp(prefix=prefix, dir=target.parent))  # mode 0700
    in_main = threading.current_thread() is threading.main_thread()  # others get no signals
    before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGHUP) if in_main}
    with _locked(building):
        try:
            yield building
        finally:
            _clear(building, target)
            for number, handler in before.items():
                signal.signal(number, handler)


def take_place(made: Path, target: Path, building: Path) -> None:
    """Put what was made in its place; an earlier bundle goes only when the new one is there."""
    if target.is_dir():
        os.replace(target, building / EARLIER)
    os.replace(made, target)


def _clear(building: Path, target: Path) -> None:
    if (building / EARLIER).exists() and not target.exists():
        os.replace(building / EARLIER, target)
    shutil.rmtree(building, ignore_errors=True)


def _end(number: int, _: object) -> None:
    """A signal as an exception, so that what is temporary is removed."""
    sys.exit(128 + number)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The kernel's lock, which ends with its process.

    Raises
    ------
    OSError
        Another process holds it.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)
