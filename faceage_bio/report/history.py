"""What changed since the last run: the headline of each run as a small record of aggregates, and two of them compared."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

import faceage_bio
from faceage_bio.core.errors import TableError
from faceage_bio.core.tables import read_json, write_json
from faceage_bio.report import flow
from faceage_bio.report.formats import count, interval, number
from faceage_bio.report.tables_by_place import ReportTables

MOST_RECORDS = 50  # older ones are left where they are, and not read
SAME = ("data", "configuration", "version")  # a run with all three alike is the last one, made again
CHANGED = "changed"


def config_fingerprint(config: Mapping[str, Any]) -> str:
    """First 12 digits of the SHA-256 of the whole config."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:12]


def record(tables: ReportTables, config: dict) -> dict:
    """The headline of a run: estimates and counts as the pages print them, settings, fingerprints. No person's data, no path."""
    return {
        "date": date.today().isoformat(),
        "version": faceage_bio.__version__,
        "data": tables.fingerprint,
        "configuration": config_fingerprint(config),
        "estimates": dict(estimates(tables, config)),
        "counts": dict(counts(tables, config)),
        "settings": dict(flat_settings(config)),
    }


def estimates(tables: ReportTables, config: dict) -> Iterator[tuple[str, str]]:
    """The rows of the first screen by name, and as text."""
    gene = config["expression"]["panel"][0]
    for name in config["cohorts"]:
        cox = tables.get("survival", "cox", name)
        if len(cox):
            rows = cox[
                (cox["term"] == "face_age") & (cox["exposure"] == "face_age") & (cox["adjustment"] == "age")
            ]
            yield from _told(f"{name}: hazard ratio for death of face age, adjusted for age", rows, 2)
        panel = tables.get("expression", "panel", name)
        if len(panel):
            rows = panel[
                (panel["term"] == gene)
                & (panel["model"] == "together")
                & (panel["exposure"] == "age_acceleration")
            ]
            yield from _told(f"{name}: {gene}, log2 fold change per unit of age acceleration", rows, 2)
        phenotypes = tables.get("phenotype", "phenotypes", name)
        if len(phenotypes):
            for term, rows in phenotypes[phenotypes["adjustment"] != "unadjusted"].groupby(
                "term", sort=False
            ):
                yield from _told(f"{name}: {term}, difference in face age, years", rows, 1)
    groups = tables.get("phenotype", "groups")
    if len(groups):
        yield from _told(
            "cancer v controls, difference in face age, years",
            groups[groups["adjustment"] != "unadjusted"],
            1,
        )


def _told(what: str, rows: pd.DataFrame, digits: int) -> Iterator[tuple[str, str]]:
    for row in rows.head(1).itertuples():
        if pd.isna(row.estimate):
            yield what, row.note or "not estimated"
        else:
            yield what, f"{number(row.estimate, digits)} ({interval(row.ci_lower, row.ci_upper, digits)})"


def counts(tables: ReportTables, config: dict) -> Iterator[tuple[str, str]]:
    """The boxes of each cohort's flow as the page prints them."""
    for name in config["cohorts"]:
        for chain in flow.cohort_flow(tables, name).values():
            for box in chain:
                yield f"{name}: {box.title}", count(box.n)


def flat_settings(config: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every setting by its path in the config; of files and folders only a fingerprint."""
    if isinstance(config, dict) and config:
        for key, value in config.items():
            yield from flat_settings(value, f"{prefix}.{key}" if prefix else str(key))
        return
    text = json.dumps(config, ensure_ascii=False)
    if prefix.startswith(("cohorts.", "models", "results_dir")) or "/" in text or "\\\\" in text:
        text = f"file {hashlib.sha256(text.encode()).hexdigest()[:8]}" if config else "none"
    yield prefix, text


def compare(old: dict | None, new: dict) -> dict:
    """What differs between two records.

    Returns
    -------
    dict
        ``first`` (there is no earlier run), ``since`` (its date), ``data`` and ``version`` (whether they differ), and lists of
        (what, before, now) of ``estimates``, ``counts`` and ``settings``.
    """
    if old is None:
        return {
            "first": True,
            "since": "",
            "data": False,
            "version": False,
            "estimates": [],
            "counts": [],
            "settings": [],
        }
    return {
        "first": False,
        "since": old.get("date", ""),
        "data": old.get("data") != new["data"],
        "version": old.get("version") != new["version"],
        "estimates": moved(old, new, "estimates"),
        "counts": moved(old, new, "counts"),
        "settings": [_file(row) for row in moved(old, new, "settings")],
    }


def moved(old: dict, new: dict, part: str) -> list[tuple[str, str, str]]:
    """(what, before, now) of what differs in a part of two records."""
    before, now = old.get(part, {}), new[part]
    names = list(dict.fromkeys([*now, *before]))
    return [
        (name, before.get(name, "none"), now.get(name, "none"))
        for name in names
        if before.get(name) != now.get(name)
    ]


def _file(row: tuple[str, str, str]) -> tuple[str, str, str]:
    what, before, now = row
    return (what, "another file", CHANGED) if before.startswith("file ") and now.startswith("file ") else row


def keep(new: dict, folder: Path) -> dict:
    """Add a run to the history and tell what it changed.

    A run whose data, configuration and version are those of the last record is that run made again: nothing is added, and it is
    held against the run before, so that pages rendered twice say the same.

    Parameters
    ----------
    folder : where the records lie, one file each (run-0001.json, ...), written atomically

    Returns
    -------
    dict
        ``run`` (the record) and ``changes`` (of `compare`).
    """
    records = list(_records(folder))
    if records and all(records[-1][1].get(key) == new[key] for key in SAME):
        new = records.pop()[1]
    else:
        last = max((place for place, _ in _numbered(folder)), default=0)
        write_json(new, folder / f"run-{last + 1:04d}.json")
    return {"run": new, "changes": compare(records[-1][1] if records else None, new)}


def _numbered(folder: Path) -> list[tuple[int, Path]]:
    paths = [path for path in folder.glob("run-*.json") if path.stem.removeprefix("run-").isdigit()]
    return sorted((int(path.stem.removeprefix("run-")), path) for path in paths)


def _records(folder: Path) -> Iterator[tuple[int, dict]]:
    for place, path in _numbered(folder)[-MOST_RECORDS:]:
        try:
            found = read_json(path)
        except TableError:  # half written by another program, or edited by hand: it is no earlier run
            continue
        if isinstance(found, dict) and {*SAME, "estimates", "counts", "settings"} <= set(found):
            yield place, found
