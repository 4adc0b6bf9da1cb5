"""What changed since the last run (the headline of each as a small record of aggregates), and since the analysis plan was frozen."""

import hashlib
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

import faceage_bio
from faceage_bio.core.config import Config
from faceage_bio.core.errors import RunError, TableError
from faceage_bio.core.records import read_record
from faceage_bio.core.tables import digest_of, read_json, write_json
from faceage_bio.report import flow
from faceage_bio.report.tables_by_place import ReportTables
from faceage_bio.report.words import count, with_ci

MOST_RECORDS = 50  # older ones are left where they are, and not read
SAME = ("data", "configuration", "version")  # a run with all three alike is the last one, made again
CHANGED = "changed"
OUTCOMES = ("phenotype", "expression", "variants", "survival", "scores", "readers", "meta_analysis")
# settings that change no estimate
NO_ANALYSIS = (
    "results_dir", "results.", "report.", "release.", "demo", "study.frozen", "faceage.device", "faceage.store", "faceage.shard_size",
    "faceage.batch_size", "expression.workers",
)  # fmt: skip
SHA = "sha256"  # key of a frozen plan


def record(tables: ReportTables, config: Config) -> dict:
    """The headline of a run: estimates and counts as the pages print them, settings, fingerprints. No person's data, no path."""
    return {
        "date": date.today().isoformat(),
        "version": faceage_bio.__version__,
        "data": tables.fingerprint,
        "configuration": digest_of(config.model_dump(mode="json"))[:12],
        "estimates": dict(estimates(tables, config)),
        "counts": dict(counts(tables, config)),
        "settings": dict(flat_settings(config.model_dump(mode="json"))),
    }


def estimates(tables: ReportTables, config: Config) -> Iterator[tuple[str, str]]:
    """The rows of the first screen by name, and as text."""
    gene = config.expression.panel[0]
    for name in config.cohorts:
        cox, panel = tables.get("survival", "cox", name), tables.get("expression", "panel", name)
        own = cox[(cox["term"] == "face_age") & (cox["exposure"] == "face_age")]
        rows = own[own["adjustment"] == "age"]
        yield from _told(f"{name}: hazard ratio for death of face age, adjusted for age", rows, 2)
        rows = panel[(panel["model"] == "together") & (panel["exposure"] == "age_acceleration")]
        rows = rows[rows["term"] == gene]
        yield from _told(f"{name}: {gene}, log2 fold change per unit of age acceleration", rows, 2)
        phenotypes = tables.get("phenotype", "phenotypes", name)
        adjusted = phenotypes[phenotypes["adjustment"] != "unadjusted"]
        for term, rows in adjusted.groupby("term", sort=False):
            yield from _told(f"{name}: {term}, difference in face age, years", rows, 1)
    groups = tables.get("phenotype", "groups")
    rows = groups[groups["adjustment"] != "unadjusted"]
    yield from _told("cancer vs controls, difference in face age, years", rows, 1)


def _told(what: str, rows: pd.DataFrame, digits: int) -> Iterator[tuple[str, str]]:
    for row in rows.head(1).itertuples():
        if pd.isna(row.estimate):
            yield what, row.note or "not estimated"
        else:
            yield what, with_ci(row.estimate, row.ci_lower, row.ci_upper, digits)


def counts(tables: ReportTables, config: Config) -> Iterator[tuple[str, str]]:
    """The boxes of each cohort's flow as the page prints them."""
    for name in config.cohorts:
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
    last = new | {"date": ""} if old is None else old
    return {
        "first": old is None,
        "since": last.get("date", ""),
        "data": last.get("data") != new["data"],
        "version": last.get("version") != new["version"],
        "estimates": moved(last, new, "estimates"),
        "counts": moved(last, new, "counts"),
        "settings": [_file(row) for row in moved(last, new, "settings")],
    }


def moved(old: dict, new: dict, part: str) -> list[tuple[str, str, str]]:
    """(what, before, now) of what differs in a part of two records."""
    before, now = old.get(part, {}), new[part]
    differ = [name for name in dict.fromkeys([*now, *before]) if before.get(name) != now.get(name)]
    return [(name, before.get(name, "none"), now.get(name, "none")) for name in differ]


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


def freeze(config: Config) -> dict:
    """Record the plan of a config, where `study.frozen` says.

    Returns
    -------
    dict
        date, version, sha256 (of the rest), outcomes_read (cohort/analysis of the result tables that were there already), settings.

    Raises
    ------
    RunError
        Another plan is frozen there.
    """
    path = Path(config.study.frozen)
    if path.exists():
        frozen = read_frozen(path)
        if changes := moved(frozen, {"settings": _settings(config)}, "settings"):
            raise RunError(
                f"{path}: a plan was frozen on {frozen['date']}, and {len(changes)} setting(s) differ from it, first {changes[0][0]}: "
                f"{changes[0][1]} then, {changes[0][2]} now. Expected the same plan, since one that follows its results plans nothing. "
                "Leave the file: the summary page lists what was changed. A new study has a config of its own."
            )
        return frozen
    made = {
        "date": date.today().isoformat(),
        "version": faceage_bio.__version__,
        "outcomes_read": outcomes_read(Path(config.results_dir)),
        "settings": _settings(config),
    }
    made |= {SHA: digest_of(made)}
    write_json(made, path)
    return made


def outcomes_read(results: Path) -> list[str]:
    """``cohort/analysis`` of the results folder in which a step has written a table; "reports" for pages of an earlier run."""
    records = [path for path in sorted(results.glob("*/*/records/*.json")) if path.parts[-3] in OUTCOMES]
    found = dict.fromkeys("/".join(path.parts[-4:-2]) for path in records if read_record(path))
    return [*found, *(["reports"] if any(results.glob("reports/history/run-*.json")) else [])]


def read_frozen(path: Path) -> dict:
    """A frozen plan.

    Raises
    ------
    TableError
        It is no longer what `freeze` wrote.
    """
    found = read_json(path)
    content = {key: value for key, value in found.items() if key != SHA} if isinstance(found, dict) else {}
    if not content or found.get(SHA) != digest_of(content):
        raise TableError(
            f"{path}: not the plan that `faceage-bio freeze` wrote, since its SHA-256 differs. Expected the file unchanged. Restore it from a copy."
        )
    return found


def since_freeze(config: Config) -> dict:
    """What the summary says of the plan.

    Returns
    -------
    dict
        ``sentence``, ``date``, and ``changes``: (setting, frozen, now).
    """
    path = Path(config.study.frozen)
    if not path.exists():
        told = "Analysis plan: not frozen (command freeze), so that it is not shown to precede the results."
        return {"sentence": told, "date": "", "changes": []}
    frozen = read_frozen(path)
    changes = moved(frozen, {"settings": _settings(config)}, "settings")
    read = frozen["outcomes_read"]
    analyses = ", ".join(dict.fromkeys(one.rpartition("/")[2] for one in read))
    when = f"after outcomes had been analysed ({analyses})" if read else "before outcomes were analysed"
    what = f"{len(changes) or 'no'} setting{'s' * (len(changes) > 1)} changed since"
    told = f"Analysis plan: frozen on {frozen['date']} {when}, SHA-256 {frozen[SHA]}; {what}."
    return {"sentence": told, "date": frozen["date"], "changes": changes}


def _settings(config: Config) -> dict[str, str]:
    """Every setting that can change an estimate; of files whether they are given, of models the name."""
    model = "; ".join(Path(model).name for model in config.models)
    told = dict(flat_settings({"model": model} | config.model_dump(mode="json", exclude={"models"})))
    return {
        name: "given" if value.startswith("file ") else value
        for name, value in told.items()
        if not name.startswith(NO_ANALYSIS)
    }
