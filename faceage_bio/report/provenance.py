"""Where each figure and table comes from: result table, command, options, inputs, each with its SHA-256.

What ran stands in the result tables, and settings, software and inputs in the records of the steps; the sources that the methods name
are listed. The provenance is read from the records that the commands left next to what they made (records.py), not from the config; a record is
believed only if it holds the hash of the file.
"""

import platform
from collections.abc import Iterable, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from markupsafe import Markup
from pydantic import TypeAdapter, ValidationError

from faceage_bio.core.columns import COHORT, POOLED
from faceage_bio.core.config import Config, fields_of
from faceage_bio.core.records import FOLDER, file_of, read_record, version
from faceage_bio.core.results.reasons import NOT_ESTIMATED
from faceage_bio.core.tables import digest_of, sha256_of, to_records
from faceage_bio.report import words
from faceage_bio.report.places import runs
from faceage_bio.report.tables_by_place import ANALYSES, ReportTables, where
from faceage_bio.report.words import covariates, leading_method, reason, spoken

if TYPE_CHECKING:
    from pybtex.database import Entry

PAGES = "render-report"  # the step that writes the provenance
# tests of each table that are adjusted together
FAMILIES = {
    "phenotype/phenotypes": "smoking, BMI and further exposures, adjusted rows of a cohort",
    "phenotype/pairs": "pairs of groups, within a factor",
    "phenotype/interactions": "interactions of a cohort",
    "fairness/fairness": "fairness, age-adjusted tests of a table",
    "expression/genes": "all genes, for each age",
    "expression/panel": "prespecified genes, within each test",
    "expression/set_associations": "gene sets, within each score and exposure",
    "survival/gene_panel": "prespecified genes and survival",
    "survival/genes": "all genes and survival",
    "survival/sites": "levels within a model",
    "survival/subgroups": "interactions with the hazard ratio, within a model",
    "variants/genes": "genes with variants, within each test and outcome",
}
NOT_SHOWN = {"cohorts", "results_dir", "models", "demo"}  # they name files
INSTALLED = ("torch", "facenet-pytorch", "statsmodels", "pandas", "numpy", "scipy", "snakemake")
BIBTEX = Path(__file__).parent / "references.bib"


@dataclass(frozen=True)
class File:
    """A file of the study: ``north/survival/cox``, or an input file, which has no record."""

    name: str
    sha256: str
    record: dict | None = None


@dataclass
class Provenance:
    """All files known, and which of them the page showed so far."""

    files: dict[str, File] = field(default_factory=dict)  # by name
    shown: dict[str, None] = field(default_factory=dict)  # names, in the order of the page

    def of(self, cohort: str, *tables: str) -> Markup:
        """The attribute that ties a figure or table to its result tables: ``of("north", "survival/cox")``.

        Tables of all cohorts together lie under "pooled"; without a cohort, the tables of all are meant.
        """
        return Markup('data-from="{}"').format(" ".join(self.names(cohort, *tables)))

    def names(self, cohort: str, *tables: str) -> list[str]:
        """The result tables that ``of`` names; they are shown from now on."""
        names = [name for table in tables for name in self._found(cohort, table)]
        self.shown |= dict.fromkeys(names)
        return names

    def _found(self, cohort: str, table: str) -> list[str]:
        if not self.files:
            return [f"{cohort if cohort.isidentifier() else POOLED}/{table}"]
        for wanted in (f"{cohort}/{table}", f"{POOLED}/{table}"):
            if wanted in self.files:
                return [wanted]
        return [name for name in self.files if name.endswith(f"/{table}")]

    def by_hash(self) -> dict[str, File]:
        return {one.sha256: one for one in self.files.values()}

    def records(self) -> list[dict]:
        """Of what the page is made of: the tables and all that they were made of in turn."""
        return list({id(one.record): one.record for one in self._lineage(self.files) if one.record}.values())

    def rows(self, tables: ReportTables) -> list[dict]:
        """One row per file that the page rests on: its name, hash, command, model words, and what it was made of."""
        known = self.by_hash()
        return [
            {
                "name": one.name,
                "anchor": anchor(one.name),
                "sha256": one.sha256,
                "command": one.record["command"] if one.record else "",
                "options": _options(one.record),
                "models": _models(tables, one.name),
                "inputs": _inputs(one.record, known),
            }
            for one in self._lineage(self.shown)
        ]

    def sources(self) -> list[tuple[str, str]]:
        """Input files of the study: (role, SHA-256), such as ("clinical of north", "1a2b..."); each once."""
        known = self.by_hash()
        found = {
            (each["role"].replace("_", " "), each["sha256"])
            for record in self.records()
            for each in record["inputs"]
            if each["sha256"] not in known or _is_simulated(known[each["sha256"]])
        }
        return sorted(found)

    def _lineage(self, names: Iterable[str]) -> list[File]:
        known, found, waiting = self.by_hash(), {}, [name for name in names if name in self.files]
        while waiting:
            one = self.files[waiting.pop(0)]
            if one.name not in found:
                found[one.name] = one
                told = one.record["inputs"] if one.record else []
                waiting += [known[each["sha256"]].name for each in told if each["sha256"] in known]
        return list(found.values())


def _is_simulated(file: File) -> bool:
    """Whether the demo made it: it stands for an input file of a study."""
    return file.record is not None and file.record["command"] == "make-demo-cohorts"


def anchor(name: str) -> str:
    """An id for the page."""
    return "provenance-" + "".join(letter if letter.isalnum() else "-" for letter in name)


def read_provenance(paths: Sequence[Path]) -> Provenance:
    """The provenance of result tables ``{results}/{cohort}/{analysis}/{table}.tsv``: their records, and those of what they were made of."""
    roots = {path: path.parents[2 if path.parent.name in ANALYSES else 1] for path in paths}
    records = {
        file_of(path): (name_of(file_of(path), root), record)
        for root in dict.fromkeys(roots.values())
        for pattern in (f"*/{FOLDER}/*.json", f"*/*/{FOLDER}/*.json", f"*/*/*/{FOLDER}/*.json")
        for path in sorted(root.glob(pattern))
        if (record := read_record(path)) and record["command"] != PAGES  # of an earlier run
    }
    files = {}
    for path, root in roots.items():
        name, digest = name_of(path, root), sha256_of(path)
        _, told = records.get(path, ("", None))
        files[name] = File(name, digest, told if told and told["sha256"] == digest else None)
    for name, record in records.values():
        files.setdefault(name, File(name, record["sha256"], record))
    return Provenance(files)


def name_of(path: Path, root: Path) -> str:
    """``north/survival/cox``: where a file lies among the results, without its ending."""
    return path.relative_to(root).with_suffix("").as_posix()


def _options(record: dict | None) -> list[tuple[str, str]]:
    """Options as they would be typed, without those left empty."""
    options = []
    for name, value in _given(record or {}).items():
        if value is not None and value != [] and value is not False:
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            options.append((name.replace("_", "-"), text))
    return options


def _given(record: dict) -> dict:
    return record.get("options", {}) | record.get("settings", {})


def _models(tables: ReportTables, name: str) -> str:
    """What the table's column ``model`` says, up to six."""
    cohort, _, rest = name.partition("/")
    analysis, _, table = rest.partition("/")
    rows = tables.by_name.get((analysis, table))
    if rows is None or "model" not in rows:
        return ""
    if cohort != POOLED and "cohort" in rows:
        rows = rows[rows["cohort"] == cohort]
    models = [word for word in dict.fromkeys(rows["model"].astype(str)) if word]
    return "; ".join(models[:6]) + (f" and {len(models) - 6} more" if len(models) > 6 else "")


def _inputs(record: dict | None, known: dict[str, File]) -> list[dict]:
    """What a file was made of; many of one kind (shards, cohorts) are named by the first and their number."""
    kinds: dict[tuple[str, str], list[dict]] = {}
    for told in record["inputs"] if record else []:
        made = known.get(told["sha256"])
        by = made.record["command"] if made and made.record else ""
        named = {"name": made.name, "anchor": anchor(made.name)} if made else {"name": "", "anchor": ""}
        one = {"role": told["role"].replace("_", " "), "sha256": told["sha256"], "more": 0}
        kinds.setdefault((told["role"], by), []).append(one | named)
    shown = [one for many in kinds.values() for one in many[:6]]
    return shown + [many[6] | {"more": len(many) - 6} for many in kinds.values() if len(many) > 6]


def settings_that_ran(config: Config, records: Iterable[dict]) -> tuple[Config, list[str]]:
    """The config with the settings that the steps were given, of files the names alone; and in words where they differ from the config's.

    Where a step left no record, the config is all there is; the page then says so.

    Parameters
    ----------
    records : iterable of dict
        Of the steps whose tables the page shows.
    """
    of_config = _settings_of(config)
    ran, differ = deepcopy(of_config), {}
    for record in records:
        for place, value in words.without_folders(record.get("settings", {})).items():
            *way, last = place.split(".")
            given = _within(of_config, way)
            if last in given and given[last] != value:  # 10 and 10.0 are one
                differ[place] = (
                    f"{place}: the config says {given[last]}, {record['command']} ran with {value}"
                )
                with suppress(ValidationError):  # a value of another version is told in words alone
                    _, section, name = fields_of(place)[0]
                    TypeAdapter(section.model_fields[name].annotation).validate_python(value)
                    _within(ran, way)[last] = value
    sections = {}
    for name, content in ran.items():
        with suppress(ValidationError):
            sections[name] = type(getattr(config, name)).model_validate(content)
    return config.model_copy(update=sections), list(differ.values())


def settings_of_run(config: Config, results: Path) -> Config:
    """The config with the settings that the tables of its cohorts in a folder of results were made with, by their records."""
    tables = [
        path
        for name in (*config.cohorts, POOLED)
        for path in sorted((results / name).glob("*/*.tsv"))
        if path.parent.name in ANALYSES and runs(f"{path.parent.name}/{path.stem}", config.report.sections)
    ]
    return settings_that_ran(config, read_provenance(tables).records())[0]


def _settings_of(config: Config) -> dict[str, dict]:
    """The sections as JSON holds them, without those that name files."""
    return words.without_folders(config.model_dump(mode="json", exclude=NOT_SHOWN))


def _within(settings: dict, way: Sequence[str]) -> dict:
    """The section at the end of a way, an empty one where there is none."""
    for key in way:
        settings = settings.get(key)
        if not isinstance(settings, dict):
            return {}
    return settings


@dataclass(frozen=True)
class Ran:
    """Questions that the templates of the methods ask of the result tables: a stage without a row has no paragraph."""

    tables: ReportTables

    def rows(self, table: str, **wanted: object) -> pd.DataFrame:
        """Rows of ``folder/table`` with an estimate, where each named column holds the value, or one of several."""
        found = self.tables.get(*table.split("/"))
        if len(found) and "estimate" in found and found["estimate"].notna().any():
            found = found[found["estimate"].notna()]
        elif "status" in found:
            found = found[found["status"] != NOT_ESTIMATED]
        return where(found, **wanted) if wanted.keys() <= set(found) else found.iloc[:0]

    def has(self, table: str, **wanted: object) -> bool:
        """Whether that was estimated for any participant."""
        return len(self.rows(table, **wanted)) > 0

    def holds(self, table: str, column: str) -> bool:
        """Whether a column has any value."""
        found = self.tables.get(*table.split("/"))
        return column in found and bool(found[column].replace("", pd.NA).notna().any())

    def said(self, table: str, column: str, **wanted: object) -> str:
        """The different words of a column, joined."""
        found = self.rows(table, **wanted)
        words = dict.fromkeys(found[column].dropna().astype(str)) if column in found else {}
        return "; ".join(spoken(word) for word in words if word)

    def reasons(self, unit: str, status: str) -> str:
        """For what reasons photos, participants or samples were excluded or flagged, by the ledger; no numbers."""
        flow = self.tables.get("ledger", "flow")
        if not len(flow):
            return ""
        codes = flow.loc[(flow["unit"] == unit) & (flow["status"] == status), "reason"].dropna().astype(str)
        return ", ".join(dict.fromkeys(reason(code) for code in codes if code))

    def acceleration(self) -> str:
        """The definition that all analyses used, by the tables: its words and in whom it was fitted."""
        chosen = self.tables.get("acceleration", "definitions")
        if len(chosen) and "chosen" in chosen:
            mine = chosen[chosen["chosen"].astype(str).isin({"True", "1", "1.0"})]
            words = dict.fromkeys(
                f"{row.model} of face age on age, fitted in {'controls' if row.fitted_in == 'reference' else 'each cohort'}"
                for row in mine.itertuples()
            )
            if words:
                return "the " + "; ".join(words)
        summary = self.said("acceleration/summary", "model")
        if summary or self.has("acceleration/summary"):
            return "the residual of face age on age" + (f": {summary}" if summary else "")
        return ""

    def leading_methods(self) -> str:
        """The methods that give the estimates of the genes."""
        rows = to_records(self.rows("expression/panel"))
        return " and ".join(dict.fromkeys(filter(None, map(leading_method, rows)))) or "models of counts"

    def families(self) -> list[tuple[str, str]]:
        """(family, how many tests) of each kind of adjustment for many tests."""
        families = []
        for table, family in FAMILIES.items():
            found = self.tables.get(*table.split("/"))
            if len(found) and "q_value" in found and found["q_value"].notna().any():
                known = found[found["q_value"].notna()]
                declared = pd.to_numeric(known.get("n_tests", pd.Series(dtype=float))).dropna()
                sizes = declared if len(declared) else known.groupby(COHORT)["q_value"].size()
                low, high = int(sizes.min()), int(sizes.max())
                families.append((family, f"{low:,}" if low == high else f"{low:,} to {high:,}"))
        return families

    def follow_up(self) -> list[dict]:
        """Of each cohort: median follow-up by reverse Kaplan-Meier."""
        rows = self.rows("survival/summary", measure="median follow-up", group="all")
        return to_records(rows.drop_duplicates(COHORT)) if len(rows) else []

    def held(self, table: str, **wanted: object) -> str:
        """What was adjusted for, in words."""
        column = "covariates" if self.holds(table, "covariates") else "adjustment"
        return covariates(self.said(table, column, **wanted))


def about(tables: ReportTables, provenance: Provenance, config: Config, cards: Sequence[dict]) -> dict:
    """What the templates need to tell methods, limits and software; ``settings`` is the config with those that the steps ran with."""
    records = provenance.records()
    settings, differ = settings_that_ran(config, records)
    ran = Ran(tables)
    return {
        "ran": ran,
        "settings": settings,
        "settings_given": _settings_of(config),
        "differ": differ,
        "records": records,
        "n_unrecorded": sum(one.record is None for one in provenance.files.values()),
        "limits": limits(ran, cards, settings),
        "seeds": _seeds(records),
        "software": _software(records),
        "sources": provenance.sources(),
        "config_hash": digest_of(config.model_dump(mode="json")),
        "provenance": provenance,
        "tables": tables,
    }


def _seeds(records: Sequence[dict]) -> list[tuple[str, object]]:
    given = ((one["command"], name, value) for one in records for name, value in _given(one).items())
    return sorted(
        {(command, value) for command, name, value in given if name.split(".")[-1] == "seed"}, key=str
    )


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
    commands = {record["command"] for record in records}
    return [
        {"name": name, "version": number, "steps": "every step" if commands <= set(steps) else ", ".join(sorted(steps))}
        for (name, number), steps in sorted(used.items(), key=lambda one: (one[0][0] not in {"python", "faceage-bio"}, one[0]))
    ]  # fmt: skip


@cache
def known() -> dict[str, "Entry"]:
    """Every source that a page can cite, by its key."""
    from pybtex.database import parse_file

    return dict(parse_file(str(BIBTEX), bib_format="bibtex").entries)


@dataclass
class Citations:
    """The sources that a page named so far."""

    named: dict[str, None] = field(default_factory=dict)

    def cite(self, *keys: str) -> Markup:
        """``(Efron 1977; Cox 1972)``, each with a link to its place in the list."""
        self.named |= dict.fromkeys(keys)
        links = [Markup('<a href="#ref-{}">{}</a>').format(key, label(known()[key])) for key in keys]
        return Markup("({})").format(Markup("; ").join(links))

    def listed(self) -> list[dict[str, str]]:
        """In the order of their labels."""
        rows = [
            {
                "key": key,
                "label": label(entry),
                "title": _plain(entry.fields["title"]),
                "where": entry.fields.get("journal", entry.fields.get("publisher", "")),
                "doi": entry.fields.get("doi", ""),
                "url": entry.fields.get("url", ""),
                "bibtex": entry.to_string("bibtex").strip(),
            }
            for key, entry in known().items()
            if key in self.named
        ]
        return sorted(rows, key=lambda row: row["label"])


def label(entry: "Entry") -> str:
    """First author and year: ``Lin and Wei 1989``, ``Wu et al. 2011``."""
    names = [_plain(" ".join(person.prelast_names + person.last_names)) for person in entry.persons["author"]]
    several = len(names) > 2 or names[-1] == "others"
    authors = f"{names[0]} et al." if several else " and ".join(names)
    return f"{authors} {entry.fields['year']}" if "year" in entry.fields else authors


def _plain(text: str) -> str:
    from pybtex.richtext import Text

    return str(Text.from_latex(text))


def limits(ran: Ran, cards: Sequence[dict], settings: Config) -> list[tuple[str, str]]:
    """Pairs of title and sentence, in the order of reading; those of a stage only if it ran."""
    faceage = any(card.get("kind") == "faceage" for card in cards)
    simulated = any(card.get("synthetic") for card in cards)
    low = settings.acceleration.valid_ages[0]
    has_acceleration = ran.has("acceleration/summary") or ran.has("acceleration/definitions")
    repeats = ran.has("acceleration/reliability")
    every = [
        (simulated, "Simulated participants", "participants are simulated and the model is not FaceAge; no number describes real persons."),
        (True, "Association, not cause", "residual confounding by unmeasured factors is possible; no estimate is a causal effect."),
        (True, "Groups, not individuals", "estimates are means over participants; the error of a single face age is several years."),
        (has_acceleration, "What face age measures", "light, camera, make-up, weight, treatment and surgery change a photo as well as ageing does; age acceleration includes the error of the model."),
        (has_acceleration and not repeats, "One photo per participant", "reliability of a single photo is not known here; slopes are attenuated by measurement error."),
        (repeats, "Reliability", "estimated in participants with two photos, who may differ from the others; only estimates named so are corrected for it."),
        (faceage, "Training of the model", "FaceAge was trained mainly on photographs of public figures, with partly wrong ages and unknown health; validity across ancestries and skin types was not established."),
        (faceage, "Ages", f"the authors tested the model at 60 years and older; below {low:.0f} years it is outside its validity range."),
        (not faceage and not simulated and bool(cards), "Another model", "this age model is not FaceAge; published results on FaceAge do not apply to it."),
        (True, "Selection", "participants without a usable photo, clinical data or sample are not in the estimates; the participant flow gives their number."),
        (ran.has("phenotype/groups"), "Cancer and controls", "where each cohort holds only one of them, cohort, camera and disease are confounded."),
        (ran.has("phenotype/adjustments") or ran.has("phenotype/phenotypes"), "Adjustment", "covariates follow declared roles; smoking, weight and performance status are partly mediators."),
        (ran.has("expression/genes") or ran.has("expression/panel"), "Gene expression", "not a replication of the gene analysis of the FaceAge study, which was probably of DNA variants; cell composition varies with age and disease."),
        (ran.has("expression/composition"), "Cell types", "shares of cells are relative; cell types were taken as given."),
        (ran.has("variants/genes"), "DNA variants", "rare variants give wide intervals; ancestry is adjusted for only as far as the given components capture it."),
        (ran.has("survival/cox"), "Survival", "hazard ratios are averages over follow-up under proportional hazards; deaths before the photo are not observed."),
        (ran.has("survival/cox") and _is_sparse(ran), "Sparse data", "at least one model has fewer than 10 events per variable; its estimates are unstable."),
        (ran.has("survival/added_value"), "Prediction", "added value was measured in the participants to whom the models were fitted, optimism-corrected where stated; external validation is needed."),
        (ran.has("survival/competing_risks"), "Causes of death", "as recorded; deaths of unknown cause are excluded."),
        (ran.has("scores/scored"), "Scores", "cut-offs were validated for chronological age, not for face age."),
        (ran.has("readers/readers"), "Readers", "few readers; order and information shown were not randomised here."),
        (ran.has("fairness/fairness"), "Fairness", "error against chronological age is not error against biological age."),
        (True, "Multiple testing", "q-values hold within the named families; other p-values are not adjusted."),
    ]  # fmt: skip
    return [(title, words) for applies, title, words in every if applies]


def _is_sparse(ran: Ran) -> bool:
    cox = ran.rows("survival/cox")
    return bool((cox.loc[cox["status"] != NOT_ESTIMATED, "events_per_term"] < 10).any())
