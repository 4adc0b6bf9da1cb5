"""What a run will compute again after an edit, told by `faceage-bio check`: photos, hours, GPU-hours, and models of genes."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from faceage_bio.core.columns import OUTCOMES

if TYPE_CHECKING:
    import pandas as pd

    from faceage_bio.core.config import Config
    from faceage_bio.intake.cohort.intake import CohortTables

ON_PROCESSOR = "CPU"  # device of photos that no GPU computed, as `predict.device_name` says


def photos_to_compute(
    config: "Config", tables: "Mapping[str, CohortTables]"
) -> dict[str, tuple[int, int, int]]:
    """Photos of each cohort: all, those that were touched or moved and are known by their bytes, and those that will be computed."""
    from faceage_bio.faces.faceage.settings import settings_of
    from faceage_bio.faces.faceage.store import PhotoStore, engine_of
    from faceage_bio.faces.vision.card import read_card

    results = Path(config.results_dir)
    models = [results / "model" / "demo" if name == "demo" else Path(name) for name in config.models]
    cards = [read_card(folder) for folder in models]
    folder = Path(config.faceage.store) if config.faceage.store else results / "faceage_store"
    store = PhotoStore(folder, engine_of(cards, settings_of(config.faceage)))
    found = {}
    for name, cohort in config.cohorts.items():
        if cohort.photos:
            places = [(Path(cohort.photos) / path).resolve() for path in tables[name].photos["path"]]
            known, touched = store.count(places)
            found[name] = (len(places), touched, len(places) - known)
    return found


def measured_rate(results: Path) -> tuple[float, str] | None:
    """Photos per second of the jobs of earlier runs, and their device; None if there were none."""
    import json

    runs = []
    for path in results.glob("*/faceage/shards/*.json"):
        try:
            runs.append(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            continue
    seconds = sum(run.get("seconds", 0) for run in runs)
    if not seconds:
        return None
    return sum(run["photos"] for run in runs) / seconds, str(runs[-1]["device"])


def time_of(n: int, rate: tuple[float, str] | None, hours_here: float) -> str:
    """The time of so many photos in words: at the rate of earlier runs, or ``hours_here``, an estimate without a GPU."""
    if n == 0:
        return "0 hours, 0 GPU-hours"
    if rate is None:
        about = "less than 0.1 hours" if hours_here < 0.1 else f"about {hours_here:.2g} hours"
        return f"{about} on the processor, 0 GPU-hours (an estimate; no run before)"
    hours = n / rate[0] / 3600
    gpu = 0.0 if rate[1] == ON_PROCESSOR else hours
    return f"about {hours:.2g} hours, {gpu:.2g} GPU-hours (at {rate[0]:.1f} photos a second on {rate[1]}, as before)"


def why_genes_again(name: str, config: "Config", cohort: "CohortTables", new_photos: int) -> list[str] | None:
    """What has changed of that which models of genes depend on; an empty list if nothing has, None if they were never fitted."""
    from faceage_bio.cli.main import STEPS
    from faceage_bio.core.records import hash_of, read_record, record_of
    from faceage_bio.core.tables import read_table

    results = Path(config.results_dir) / name
    fitted, checked = (read_record(record_of(results / file)) for file in ("expression/genes.tsv", "cohort/counts.parquet"))  # fmt: skip
    if fitted is None or checked is None:
        return None
    why = ["face ages"] if new_photos else []
    used = STEPS["fit-expression"].settings(config)
    why += [key for key, value in used.items() if fitted["settings"].get(key, value) != value]
    for table, words, without in (("subjects", "clinical data", OUTCOMES), ("samples", "samples", ())):
        before = read_table(results / "cohort" / f"{table}.parquet")
        if not _same(getattr(cohort, table), before, without):
            why.append(words)
    files = config.cohorts[name]
    now = {
        key: hash_of(key, Path(path))
        for key in ("counts", "single_cell", "gene_ids")
        if (path := getattr(files, key))
    }
    then = {one["role"].split()[0]: one["sha256"] for one in checked["inputs"]}
    return why + [key for key, value in now.items() if then.get(key) != value]


def _same(one: "pd.DataFrame", other: "pd.DataFrame", without: tuple[str, ...]) -> bool:
    """Whether two tables hold the same, be it missing in different ways."""
    both = [
        table.drop(columns=list(without), errors="ignore").astype(object).reset_index(drop=True)
        for table in (one, other)
    ]
    a, b = (table.where(table.notna(), None) for table in both)
    return list(a) == list(b) and a.equals(b)
