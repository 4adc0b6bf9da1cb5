"""About the page itself: with what settings the steps ran, with which software, seeds and inputs, and what all that cannot say."""

import hashlib
import json
import platform
from collections.abc import Sequence
from importlib import metadata

from faceage_bio.core.records import version
from faceage_bio.report import formats
from faceage_bio.report.provenance import Provenance
from faceage_bio.report.ran import Ran, settings_that_ran
from faceage_bio.report.summary import limits
from faceage_bio.report.tables_by_place import ReportTables

NOT_SHOWN = {"cohorts", "results_dir", "models", "demo"}  # they name files
INSTALLED = ("torch", "facenet-pytorch", "statsmodels", "pandas", "numpy", "scipy", "snakemake")


def about(tables: ReportTables, provenance: Provenance, config: dict, cards: Sequence[dict]) -> dict:
    """What the templates of methods, limits and software need; ``settings`` are those that the steps ran with."""
    given = {key: formats.without_folders(value) for key, value in config.items() if key not in NOT_SHOWN}
    records = provenance.records()
    settings, differ = settings_that_ran(given, records)
    ran = Ran(tables)
    return {
        "ran": ran,
        "settings": settings,
        "settings_given": given,
        "differ": differ,
        "records": records,
        "n_unrecorded": sum(one.record is None for one in provenance.files.values()),
        "limits": limits(ran, cards, settings),
        "seeds": _seeds(records),
        "software": _software(records),
        "sources": provenance.sources(),
        "config_hash": hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest(),
        "provenance": provenance,
        "tables": tables,
    }


def _seeds(records: Sequence[dict]) -> list[tuple[str, object]]:
    known = {
        (one["command"], value)
        for one in records
        for name, value in (one["options"] | one.get("settings", {})).items()
        if name.split(".")[-1] == "seed"
    }
    return sorted(known, key=str)


def _software(records: Sequence[dict]) -> list[dict]:
    """Name, version and the steps that used it; several versions stand in rows of their own."""
    if not records:
        here = {"python": platform.python_version(), "faceage-bio": version()}
        here |= {name: metadata.version(name) for name in INSTALLED}
        return [{"name": name, "version": number, "steps": ""} for name, number in here.items()]
    used: dict[tuple[str, str], dict[str, None]] = {}
    for record in records:
        for pair in record["software"].items():
            used.setdefault(pair, {})[record["command"]] = None
    used[("snakemake", metadata.version("snakemake"))] = {"the workflow, as installed here": None}
    everything = {record["command"] for record in records}
    return [
        {"name": name, "version": number, "steps": "every step" if everything <= set(steps) else ", ".join(sorted(steps))}
        for (name, number), steps in sorted(used.items(), key=lambda one: (one[0][0] not in {"python", "faceage-bio"}, one[0]))
    ]  # fmt: skip
