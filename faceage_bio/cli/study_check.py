"""What `faceage-bio check` tells: column names at once, then cells, photos and counts, what an edit makes a run compute again, whether it will run here."""

import math
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from faceage_bio.cli import terminal
from faceage_bio.core import machine
from faceage_bio.core.columns import AGE, FACE_AGE, OUTCOMES, SUBJECT
from faceage_bio.core.config import analysis_settings, load_config, named_columns
from faceage_bio.core.errors import (
    CohortError,
    FaceAgeBioError,
    Problems,
    RunError,
    TableError,
    WeightsError,
    examples,
    visible,
)

if TYPE_CHECKING:
    import pandas as pd

    from faceage_bio.core.config import Config
    from faceage_bio.core.settings.settings_cohort import Cohort
    from faceage_bio.intake.cohort.intake import CohortTables

CAUTION = "caution: "  # before what a run will not tell of, though it runs
MOST_UNREADABLE = 0.5  # share of photos beyond which their form is at fault and not single files
Say = Callable[[str], None]
ON_PROCESSOR = "CPU"  # device of photos that no GPU computed, as `predict.device_name` says


def check_study(configfile: Path, time_photos: int = 0) -> None:
    """Tell what is wrong with a study, whether it will run here, and how long it may take.

    Raises
    ------
    FaceAgeBioError
        Everything that is wrong or missing, each once.
    """
    from faceage_bio.report.history import since_freeze

    config = load_config(configfile)
    console = terminal.console()

    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        console.print(visible(line), soft_wrap=True)

    if config.demo is not None:
        from faceage_bio.demo.plans import PLANS

        say(
            "The cohorts of this config are the demo's: they will be simulated, so there is nothing to check."
        )
        _tell_computer(config, machine.Size(photos=sum(plan.n for plan in PLANS)), [], time_photos)
        return
    problems: list[FaceAgeBioError] = []
    tables = _checked_tables(config, problems, say)
    unreadable: dict[str, int] = {}
    if tables is not None:
        with _collected(problems):
            unreadable = _check_photos(config, tables, say)
    with _collected(problems):  # whether the analysis plan is frozen, and what was changed since
        say(since_freeze(config)["sentence"])
    weights = _weights(config, tables, problems)
    size = _size(config, tables)
    if tables is not None:
        with _collected([]):  # what is wrong with weights is a problem already
            _tell_changes(config, tables, unreadable, say)
    tables = None  # the counts' memory
    ready = _tell_computer(config, size, weights, time_photos)
    if problems:
        raise CohortError("\n".join(str(problem) for problem in problems))
    if not ready:
        raise RunError(
            "the study fits together, but will not run here. Expected no line that says missing in the table above. Add what it names, and check again."
        )
    cautions = sum(line.startswith(CAUTION) for line in said)
    above = f"; {cautions} caution{'s' if cautions > 1 else ''} above" if cautions else ""
    other = "else " if cautions or any(unreadable.values()) else ""
    say(f"Everything {other}fits{above}. Start with: faceage-bio run --configfile {configfile}")


@contextmanager
def _collected(problems: list[FaceAgeBioError]) -> Iterator[None]:
    """What is wrong with one part of the study does not stop the next."""
    try:
        yield
    except (CohortError, TableError, WeightsError) as error:
        problems.append(error)


def _checked_tables(
    config: "Config", problems: list[FaceAgeBioError], say: Say
) -> "dict[str, CohortTables] | None":
    """All tables with what they are used for; None if they cannot be read."""
    from faceage_bio.intake.cohort.intake import KEPT, read_cohorts
    from faceage_bio.intake.schemas import CLINICAL, SAMPLES

    settings = analysis_settings(config)
    tables, kept, found = None, Path(config.results_dir) / KEPT, Problems()
    named = settings["names"]
    with _collected(problems):
        tables = read_cohorts(
            config.cohorts, config.survival.year_days, named=named, kept=kept, problems=found
        )
    if tables is None:
        return None
    used = {*CLINICAL.columns, *SAMPLES.columns, *(one for names in named.values() for one in names)}
    for line in [line for column, lines in found.cautions.items() if column in used for line in lines]:
        say(f"{CAUTION}{line}")
    with _collected(problems):
        _check_uses(config.cohorts, tables, settings, say)
    for check in (_check_variation, _check_sessions, _check_readings, _check_review):
        with _collected(problems):
            check(config, tables, say)
    return tables


def _check_uses(
    cohorts: "dict[str, Cohort]", tables: "dict[str, CohortTables]", settings: dict, say: Say
) -> None:
    """What the study holds, whether the settings fit, and which models it is too small for."""
    from rich.table import Table

    from faceage_bio.analyses.acceleration.acceleration_stage import too_small
    from faceage_bio.intake.cohort.config_checks import check_names, check_tables
    from faceage_bio.intake.cohort.intake import overview, photographed
    from faceage_bio.intake.rna.raw import caution_of_sizes

    rows = overview(tables)
    shown = Table(*rows[0], title="What will be analysed")
    for row in rows:
        shown.add_row(*map(str, row.values()))
    terminal.console().print(shown)
    for name, cohort in tables.items():
        people = cohort.subjects[SUBJECT]
        if len(without := people[~people.isin(photographed(cohort))].map(repr).tolist()):
            told = f"{len(without)} of {len(people)} participants have no photo or face age"
            say(f"{name}: {told}: {examples(without)}")
        folded = people.str.casefold()
        if alike := sorted(people[folded.duplicated(keep=False)].map(repr), key=str.casefold):
            say(f"{CAUTION}{name}: participants whose names differ in capitals alone: {examples(alike)}")
        for line in too_small(cohort.subjects, photographed(cohort)):
            say(f"{CAUTION}{name}: {line}")
        if cohort.counts is not None and (caution := caution_of_sizes(cohort.counts.counts)):
            say(f"{cohorts[name].counts}: {caution}")
    named = Problems()
    for line in check_names(cohorts, tables, settings, named):
        say(line)
    named.stop_if_any()
    check_tables(cohorts, tables, settings)


def _check_variation(config: "Config", tables: "dict[str, CohortTables]", say: Say) -> None:
    """What models will not tell of participants with a photo or face age and a known age, since it does not vary among them."""
    from faceage_bio.analyses.acceleration.photo_that_counts import one_per_subject
    from faceage_bio.analyses.expression.formula import why_no_model
    from faceage_bio.analyses.survival.follow_up import (
        IN_YEARS,
        complete,
        constant,
        constant_acceleration,
        few_clusters,
        hints,
    )
    from faceage_bio.intake.cohort.intake import photographed
    from faceage_bio.intake.observation import is_followed
    from faceage_bio.report.checks import Correlation
    from faceage_bio.stats.minimum_sizes import FOR_LINE

    named = named_columns(config)
    columns = {
        part: {one for setting, names in named.items() if setting.startswith(part) for one in names}
        for part in ("", "survival", "expression")
    }
    for name, cohort in tables.items():
        files, people, said = config.cohorts[name], cohort.subjects, []
        if files.face_ages and cohort.face_ages is not None:
            both = one_per_subject(cohort.face_ages, cohort.photos, people, config.acceleration)
            said = constant_acceleration(complete(both, name), files.face_ages)
            known = both[[FACE_AGE, AGE]].dropna()
            varies = (known.nunique() > 1).all()
            r = float(known[FACE_AGE].corr(known[AGE])) if varies else math.nan
            if (found := Correlation.of(name, r, len(known), float(known[AGE].std()))) and found.off:
                said.append(
                    f"{files.face_ages}: column '{FACE_AGE}': correlation with chronological age {found} of the published model (n = {len(known)}). "
                    "Check that each face age belongs to its own participant, and the model."
                )
        aged = people[people[SUBJECT].isin(photographed(cohort)) & people[AGE].notna()]
        if len(aged) < FOR_LINE:  # that they are too few for any model is told already
            continue
        known = [one for one in aged if aged[one].notna().any() and one not in IN_YEARS]
        flat = constant(aged, [one for one in known if one in columns[""]], str(files.clinical))
        varying = [one for one in known if one not in flat]
        said += flat.values()
        if len(followed := aged[is_followed(aged)]):
            of_survival = [one for one in varying if one in columns["survival"]]
            said += hints(people, followed, of_survival, str(files.clinical))
            said += few_clusters(followed, config.survival.cluster, str(files.clinical))
        sampled = aged[aged[SUBJECT].isin(cohort.samples[SUBJECT])]
        of_genes = [one for one in varying if one in columns["expression"]]
        said += constant(sampled, of_genes, str(files.clinical), "participants with RNA").values()
        first = cohort.samples.drop_duplicates(SUBJECT)
        with_rna = first.merge(aged.drop(columns=first.columns.drop(SUBJECT), errors="ignore"), on=SUBJECT)
        if len(first) and (why := why_no_model(with_rna, config.expression.covariates)):
            say(f"{CAUTION}{name}: no model of genes can be fitted, because {why}")
        for line in said:
            say(f"{CAUTION}{line}")


def _check_sessions(config: "Config", tables: "dict[str, CohortTables]", say: Say) -> None:
    """Sessions of minutes need times of day."""
    from faceage_bio.analyses.acceleration.photo_that_counts import check_sessions

    chosen = config.acceleration
    if chosen.repeat_photos == "median" and chosen.session_minutes is not None:
        for cohort in tables.values():
            check_sessions(cohort.photos)


def _check_photos(config: "Config", tables: "dict[str, CohortTables]", say: Say) -> dict[str, int]:
    """Open the header of each photo: what cannot be read is named now and not after hours; how many they are, by cohort."""
    photographed = {name: cohort for name, cohort in config.cohorts.items() if cohort.photos}
    if photographed:
        from faceage_bio.faces.vision.decode import MEANINGS, DecodeError, check_header

    lost = {}
    for name, cohort in photographed.items():
        paths = list(tables[name].photos["path"])
        unreadable: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            try:
                check_header(Path(cohort.photos) / path)
            except DecodeError as error:
                unreadable[error.reason].append(path)
        for reason, found in unreadable.items():
            lost_here = f"{len(found)} of {len(paths)} photos cannot be read"
            say(f"{cohort.photos}: {lost_here}, {MEANINGS[reason]}: {examples(found)}")
        n = lost[name] = sum(map(len, unreadable.values()))
        if n > MOST_UNREADABLE * len(paths):
            raise CohortError(
                f"{cohort.photos}: {n} of {len(paths)} photos of cohort '{name}' cannot be read, as listed above. Expected most of them in a format such as "
                "JPEG, PNG, TIFF or HEIC. Export them so, or correct the paths."
            )
    return lost


def _check_readings(config: "Config", tables: "dict[str, CohortTables]", say: Say) -> None:
    if not config.readers.readings:
        return
    from faceage_bio.analyses.readers.readers_stage import check_study as check_readings

    people = [subject for cohort in tables.values() for subject in cohort.subjects[SUBJECT]]
    say(f"Reader study: {check_readings(config.readers, people)} readings")


def _check_review(config: "Config", tables: "dict[str, CohortTables]", say: Say) -> None:
    if not config.review.decisions:
        return
    import pandas as pd

    from faceage_bio.faces.faceage.review import read_review

    known = pd.concat([cohort.photos for cohort in tables.values()])
    say(f"Review of photos: {len(read_review(config.review.decisions, known))} decisions")


def _weights(
    config: "Config", tables: "dict[str, CohortTables] | None", problems: list[FaceAgeBioError]
) -> list[machine.Answer]:
    """A line for each model that the photos need."""
    from faceage_bio.faces.training.curation import check_unseen
    from faceage_bio.faces.vision.models import read_card

    if not any(cohort.photos for cohort in config.cohorts.values()):
        return []
    answers = []
    cards: list[dict] = []
    for folder in config.models:
        answer = machine.Answer("Weights", machine.MISSING, folder, "See the problem below.")
        with _collected(problems):
            cards.append(read_card(folder))
            answer = machine.Answer("Weights", machine.OK, f"{cards[-1]['name']}, SHA-256 as in its card")
        answers.append(answer)
    # a cohort whose photos trained or chose a model does not validate it
    for name, cohort in config.cohorts.items() if tables else ():
        if cohort.photos:
            photos = [Path(cohort.photos) / path for path in tables[name].photos["path"]]
            for card in cards:
                with _collected(problems):
                    check_unseen(card, photos, name)
    return answers


def _size(config: "Config", tables: "dict[str, CohortTables] | None") -> machine.Size:
    """What time, memory and disk depend on."""
    from faceage_bio.faces.faceage.shards import count_photos

    cohorts = list(config.cohorts.values())
    photos = [count_photos(one.manifest) for one in cohorts if one.manifest]
    full = config.report.sections == "full"
    files = [file for one in cohorts for file in (one.counts, one.single_cell, one.variants) if file]
    counted = [one.counts.counts.shape for one in (tables or {}).values() if one.counts is not None]
    return machine.Size(
        photos=sum(photos),
        stressed=sum(min(n, config.fairness.stress_photos) for n in photos) if full else 0,
        counts=counted,
        cohorts=len(cohorts),
        table_bytes=sum(_bytes_of(Path(file)) for file in files),
        full=full,
    )


def _tell_changes(
    config: "Config", tables: "dict[str, CohortTables]", unreadable: dict[str, int], say: Say
) -> None:
    """What a run would compute that is not there yet."""
    with_photos = any(cohort.photos for cohort in config.cohorts.values())
    photos = photos_to_compute(config, tables) if with_photos else {}
    rate = measured_rate(Path(config.results_dir))
    here = (machine.PIXELS, config.faceage.detection, machine.usable_cores())
    for name, (n, touched, all_new) in photos.items():
        new = max(all_new - unreadable.get(name, 0), 0)
        hours = machine.hours_of_photos(machine.Size(photos=new), *here)
        read = f" ({touched:,} were touched or moved, and are the same)" if touched else ""
        say(f"{name}: {new:,} of {n:,} photos will be computed{read}: {time_of(new, rate, hours)}")
    for name, cohort in config.cohorts.items():
        if cohort.counts or cohort.single_cell:
            why = why_genes_again(name, config, tables[name], photos.get(name, (0, 0, 0))[2])
            again = "fitted for the first time" if why is None else "not fitted again"
            if why:
                again = f"fitted again (changed: {', '.join(why)})"
            say(f"{name}: genes are {again}")


def _tell_computer(
    config: "Config", size: machine.Size, weights: list[machine.Answer], time_photos: int
) -> bool:
    """Print whether the study will run on this computer; False if something that it needs is missing."""
    from rich.table import Table

    folders = [Path(one.photos) for one in config.cohorts.values() if one.photos]
    paths = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()]
    megapixels = machine.usual_megapixels(paths)
    rate = None
    if time_photos and size.photos:
        megapixels = megapixels if megapixels == megapixels else machine.PIXELS
        rate = _time_photos(config, paths, time_photos, size.photos, megapixels)
    computer = machine.look(Path(config.results_dir).resolve(), gpu=size.photos > 0)
    asked = {name: getattr(config.faceage, name) for name in ("device", "detection", "jitters")}
    told = machine.answers(computer, size, **asked, megapixels=megapixels, photos_per_second=rate)
    answers = [machine.Answer("Python", machine.OK, sys.version.split()[0]), *weights, *told]
    table = Table("What", "", "Found", "What to do", title="Will it run here?")
    for answer in answers:
        table.add_row(answer.what, answer.state, answer.found, answer.advice)
    terminal.console().print(table)
    return not any(answer.state == machine.MISSING for answer in answers)


def _time_photos(config: "Config", paths: list[Path], n: int, photos: int, megapixels: float) -> float | None:
    """Photos per second of as many processes as a run would have; None where the GPU that is asked for is not there."""
    import torch

    from faceage_bio.demo.simulated_cohorts import draw_noise
    from faceage_bio.faces.faceage.predict import choose_device, count_workers, photos_per_second

    if config.faceage.device == "cuda" and not torch.cuda.is_available():
        return None
    device = choose_device(config.faceage.device)
    shard = min(photos, config.faceage.shard_size)
    workers = min(machine.MOST_WORKERS, count_workers(None, device, shard))
    with tempfile.TemporaryDirectory() as folder:
        own = list(machine.sizes_of(paths, n))
        timed = own or draw_noise(Path(folder), n, megapixels)
        what = "of the study's photos" if own else "pictures of noise"
        print(f"Timing {len(timed)} {what} in each of {workers} process(es) on {device} ...", flush=True)
        return photos_per_second(timed, device, config.faceage, workers)


def _bytes_of(path: Path) -> int:
    """Of a file, or of all files in a folder; 0 if there is none."""
    if path.is_dir():
        return sum(one.stat().st_size for one in path.rglob("*") if one.is_file())
    return path.stat().st_size if path.is_file() else 0


def photos_to_compute(
    config: "Config", tables: "Mapping[str, CohortTables]"
) -> dict[str, tuple[int, int, int]]:
    """Photos of each cohort: all, those that were touched or moved and are known by their bytes, and those that will be computed."""
    from faceage_bio.faces.faceage.store import PhotoStore, engine_of
    from faceage_bio.faces.vision.models import read_card

    results = Path(config.results_dir)
    cards = [read_card(folder) for folder in config.model_folders(results)]
    folder = Path(config.faceage.store) if config.faceage.store else results / "faceage_store"
    store = PhotoStore(folder, engine_of(cards, config.faceage))
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
    files = ("expression/genes.tsv", "cohort/counts.parquet")
    fitted, checked = (read_record(record_of(results / file)) for file in files)
    if fitted is None or checked is None:
        return None
    why = ["face ages"] if new_photos else []
    used = STEPS["fit-expression"].settings(config)
    why += [key for key, value in used.items() if fitted["settings"].get(key, value) != value]
    for table, words, without in (("subjects", "clinical data", OUTCOMES), ("samples", "samples", ())):
        before = read_table(results / "cohort" / f"{table}.parquet")
        if not _same(getattr(cohort, table), before, without):
            why.append(words)
    given = {key: getattr(config.cohorts[name], key) for key in ("counts", "single_cell", "gene_ids")}
    now = {key: hash_of(key, Path(path)) for key, path in given.items() if path}
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
