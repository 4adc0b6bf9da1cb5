"""The key results of a run as lines of text, for the end of `faceage-bio run`: the first rows of the summary page."""

from pathlib import Path

from faceage_bio.core.columns import POOLED
from faceage_bio.core.config import Config
from faceage_bio.report.formats import count, equals
from faceage_bio.report.key_results import KeyRow, key_results
from faceage_bio.report.tables_by_place import collect

PAGES = ("index", "association", "survival", "photos")
TABLES = ("survival/cox", "expression/panel")  # overall survival and the first prespecified gene


def key_result_lines(results: Path, config: Config) -> list[str]:
    """A heading for each question, and a line per cohort below it; none where no table is there."""
    places = [results / name / f"{table}.tsv" for name in config.cohorts for table in TABLES]
    places.append(results / POOLED / "meta_analysis" / "estimates.tsv")
    tables = collect([path for path in places if path.is_file()])
    questions = key_results(tables, config.model_dump(mode="json"))
    shown = [(one, [row for row in one.rows if not row.comparison]) for one in questions]
    width = max((len(row.label) for _, rows in shown for row in rows), default=0)
    lines = []
    for question, rows in shown:
        lines.append(f"{question.title}: {question.measure}; estimate (95% CI)")
        lines += [f"  {row.label:{width}}  {question.text(row)}{_p(row)}{_counts(row)}" for row in rows]
    return lines


def pages(results: Path) -> list[Path]:
    """The pages that are there, in the order of reading."""
    found = [results / "reports" / f"{name}.html" for name in PAGES]
    return [path.resolve() for path in found if path.is_file()]


def _p(row: KeyRow) -> str:
    if not row.estimated:
        return ""
    name, value = ("q", row.p.removeprefix("q ")) if row.p.startswith("q ") else ("p", row.p)
    return f", {name} {equals(value)}"


def _counts(row: KeyRow) -> str:
    events = row.row.get("n_events")
    told = f", {count(events)} events" if events is not None and events == events else ""
    return f", n = {count(row.row['n'])}{told}"
