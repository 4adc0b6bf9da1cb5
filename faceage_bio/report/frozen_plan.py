"""The frozen analysis plan: all settings of the analyses with date and SHA-256, and what was changed since."""

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import faceage_bio
from faceage_bio.core.errors import RunError, TableError
from faceage_bio.core.records import read_record
from faceage_bio.core.tables import read_json, write_json
from faceage_bio.report.history import flat_settings, moved

OUTCOMES = ("phenotype", "expression", "variants", "survival", "scores", "readers", "meta_analysis")
NO_ANALYSIS = (
    "results_dir", "results.", "report.", "release.", "demo", "study.frozen", "faceage.device", "faceage.store", "faceage.shard_size",
    "faceage.batch_size", "expression.workers",
)  # fmt: skip  # settings that change no estimate
SHA = "sha256"


def freeze(config: Mapping) -> dict:
    """Record the plan of a config (as JSON holds it), where `study.frozen` says.

    Returns
    -------
    dict
        date, version, sha256 (of the rest), outcomes_read (cohort/analysis of the result tables that were there already), settings.

    Raises
    ------
    RunError
        Another plan is frozen there.
    """
    path = Path(config["study"]["frozen"])
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
        "outcomes_read": outcomes_read(Path(config["results_dir"])),
        "settings": _settings(config),
    }
    made |= {SHA: _digest(made)}
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
    if not isinstance(found, dict) or found.get(SHA) != _digest({k: v for k, v in found.items() if k != SHA}):
        raise TableError(
            f"{path}: not the plan that `faceage-bio freeze` wrote, since its SHA-256 differs. Expected the file unchanged. Restore it from a copy."
        )
    return found


def since_freeze(config: Mapping) -> dict:
    """What the summary says of the plan.

    Returns
    -------
    dict
        ``sentence``, ``date``, and ``changes``: (setting, frozen, now).
    """
    path = Path(config["study"]["frozen"])
    if not path.exists():
        told = "Analysis plan: not frozen (command freeze), so nothing shows that it was there before the results."
        return {"sentence": told, "date": "", "changes": []}
    frozen = read_frozen(path)
    changes = moved(frozen, {"settings": _settings(config)}, "settings")
    read = frozen["outcomes_read"]
    analyses = ", ".join(dict.fromkeys(one.rpartition("/")[2] for one in read))
    when = f"after outcomes had been analysed ({analyses})" if read else "before outcomes were analysed"
    what = f"{len(changes)} setting(s) changed since" if changes else "nothing changed since"
    told = f"Analysis plan: frozen on {frozen['date']} {when}, SHA-256 {frozen[SHA]}; {what}."
    return {"sentence": told, "date": frozen["date"], "changes": changes}


def _settings(config: Mapping) -> dict[str, str]:
    """Every setting that can change an estimate; of files whether they are given, of models the name."""
    named = dict(config) | {"models": [Path(model).name for model in config["models"]]}
    told = dict(flat_settings({"model": "; ".join(named.pop("models"))} | named))
    return {
        name: "given" if value.startswith("file ") else value
        for name, value in told.items()
        if not name.startswith(NO_ANALYSIS)
    }


def _digest(content: dict) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
