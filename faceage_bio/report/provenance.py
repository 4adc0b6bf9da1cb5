"""Where each figure and table comes from: result table, command, options, inputs, each with its SHA-256.

The provenance is read from the records that the commands left next to what they made (records.py), not from the config; a record is
believed only if it holds the hash of the file.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

from faceage_bio.core.columns import POOLED
from faceage_bio.core.records import FOLDER, file_of, read_record
from faceage_bio.core.tables import sha256_of
from faceage_bio.report.tables_by_place import ANALYSES, ReportTables

PAGES = "render-report"  # the step that makes what tells the provenance


@dataclass(frozen=True)
class File:
    """A file of the study: ``north/survival/cox``, or an input from outside, which has no record."""

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
        """What came from outside: (role, SHA-256), such as ("clinical of north", "1a2b..."); each once."""
        known = self.by_hash()
        found = {
            (told["role"].replace("_", " "), told["sha256"])
            for record in self.records()
            for told in record["inputs"]
            if told["sha256"] not in known or _drawn(known[told["sha256"]])
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


def _drawn(file: File) -> bool:
    """Whether it is the demo's own: that stands for what a study brings from outside."""
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
    told = []
    for name, value in (record["options"] | record.get("settings", {}) if record else {}).items():
        if value is not None and value != [] and value is not False:
            said = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            told.append((name.replace("_", "-"), said))
    return told


def _models(tables: ReportTables, name: str) -> str:
    """What the table's column ``model`` says, up to six."""
    cohort, _, rest = name.partition("/")
    analysis, _, table = rest.partition("/")
    rows = tables.by_name.get((analysis, table))
    if rows is None or "model" not in rows:
        return ""
    if cohort != POOLED and "cohort" in rows:
        rows = rows[rows["cohort"] == cohort]
    said = [word for word in dict.fromkeys(rows["model"].astype(str)) if word]
    return "; ".join(said[:6]) + (f" and {len(said) - 6} more" if len(said) > 6 else "")


def _inputs(record: dict | None, known: dict[str, File]) -> list[dict]:
    """What a file was made of; many of one kind (shards, cohorts) are named by the first and their number."""
    kinds: dict[tuple[str, str], list[dict]] = {}
    for told in record["inputs"] if record else []:
        made = known.get(told["sha256"])
        by = made.record["command"] if made and made.record else ""
        kinds.setdefault((told["role"], by), []).append(
            {
                "role": told["role"].replace("_", " "),
                "sha256": told["sha256"],
                "name": made.name if made else "",
                "anchor": anchor(made.name) if made else "",
            }
        )
    return [{**one, "more": 0} for many in kinds.values() for one in many[:6]] + [
        {**many[6], "more": len(many) - 6} for many in kinds.values() if len(many) > 6
    ]
