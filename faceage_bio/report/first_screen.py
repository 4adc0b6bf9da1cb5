"""The first screen of both pages: an answer per question, who was analysed, how the checks stand, what changed (first_screen.html.j2).

Each answer names the estimate with age held constant, its interval, people and deaths, and the raw value beside it. One cohort's
answer is a sentence, the others' are lines below it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from faceage_bio.report import flow, words
from faceage_bio.report.associations import paired
from faceage_bio.report.checks import LIMITS, NOT_RUN, all_checks
from faceage_bio.report.formats import count, interval, number, p_value, signed
from faceage_bio.report.tables import ReportTables

MOST_LINES = 5
TILES = (
    ("Photos in", "photo", "intake"), ("Photos usable", "photo", "face_age"), ("People, clinic", "subject", "intake"),
    ("RNA samples", "sample", "expression"), ("People, survival", "subject", "survival"),
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """A question, its answer in a sentence, the same of further cohorts as (whom, text), and the id of the place that tells more."""

    question: str
    sentence: str
    link: str
    lines: tuple[tuple[str, str], ...] = field(default=())
    more: int = 0


def first_screen(tables: ReportTables, config: dict, page: str, run: dict | None) -> dict:
    """What first_screen.html.j2 shows.

    Parameters
    ----------
    page : "association" or "survival"
        Which question comes first.
    run : of `history.keep`; None where a page is rendered on its own
    """
    asked: Sequence[Callable[[ReportTables, dict], Answer]] = (
        (disease, exposures, genes, survival) if page == "association" else (survival, added, genes, disease)
    )
    checks = all_checks(tables, config)
    return {
        "answers": [question(tables, config) for question in asked],
        "tiles": tiles(tables, config),
        "checks": checks,
        "checks_not_run": sum(check.state == NOT_RUN for check in checks),
        "limits": LIMITS,
        "data": run["run"]["data"] if run else tables.fingerprint,
        "changes": run["changes"] if run else None,
        "changed": change_sentence(run["changes"]) if run else "",
    }


def change_sentence(changes: dict) -> str:
    """What changed since the last run, in one line."""
    if changes["first"]:
        return "First run: there is nothing to compare with."
    parts = [
        f"{len(changes[part])} {one if len(changes[part]) == 1 else many}"
        for part, one, many in (
            ("estimates", "estimate moved", "estimates moved"), ("counts", "count differs", "counts differ"),
            ("settings", "setting differs", "settings differ"),
        )
        if changes[part]
    ]  # fmt: skip
    if changes["version"]:
        parts.append("another version of faceage_bio")
    if not parts:
        parts = ["other numbers differ, none of this screen" if changes["data"] else "nothing"]
    return f"Since the last run ({changes['since']}): {', '.join(parts)}."


def tiles(tables: ReportTables, config: dict) -> list[dict]:
    """From photos to survival: the boxes of the flow, all cohorts together and each on its own."""
    flows = {name: flow.cohort_flow(tables, name) for name in config["cohorts"]}
    made = []
    for title, unit, stage in TILES:
        boxes = {name: flow.box_of(boxes, unit, stage) for name, boxes in flows.items()}
        ran = {name: box for name, box in boxes.items() if box}
        total = ""
        if ran:
            total = count(sum(box.n for box in ran.values()))
        made.append({
            "title": title, "total": total,
            "cohorts": [(name, count(box.n) if box else "not run") for name, box in boxes.items()] if len(boxes) > 1 else [],
        })  # fmt: skip
    return made


def _answer(question: str, link: str, told: Sequence[tuple[str, str, str]], nothing: str) -> Answer:
    """From (whom, sentence, line) of each cohort: the first as a sentence, the others as lines."""
    if not told:
        return Answer(question, nothing, link)
    rest = [(whom, line) for whom, _, line in told[1:]]
    whom, sentence, _ = told[0]
    return Answer(
        question,
        f"{whom}: {sentence}" if whom else sentence,
        link,
        tuple(rest[:MOST_LINES]),
        max(0, len(rest) - MOST_LINES),
    )


def disease(tables: ReportTables, config: dict) -> Answer:
    """Cancer against reference people, over all cohorts."""
    question, link = "Do people with cancer look older?", "groups"
    rows = tables.get("phenotype", "groups")
    told = [pair for pair in paired(rows) if pd.notna(pair["adjusted"]["estimate"])]
    if not told:
        why = (
            next((note for note in rows["note"] if note), "no group column is known")
            if len(rows)
            else "no group column is known"
        )
        return Answer(question, f"Not run, because {_why(why)}.", link)
    raw, row = told[0]["raw"], told[0]["adjusted"]
    older = "older" if row["estimate"] >= 0 else "younger"
    sentence = (
        f"They looked {number(abs(row['estimate']), 1)} years {older} than reference people of the same age "
        f"(95 % interval {interval(row['ci_lower'], row['ci_upper'], 1)}; p {_p(row['p_value'])}; {count(row['n'])} people). "
        f"Raw age gap: {_value(raw, 1, signed)}."
    )  # fmt: skip
    return Answer(question, sentence, link)


def exposures(tables: ReportTables, config: dict) -> Answer:
    """Smoking, BMI ...: each exposure of the first cohort, and the first exposure of the others."""
    question = "What of smoking and weight?"
    told = []
    known = config["phenotype"]["exposures"]
    wanted = list(dict.fromkeys([known[0], *(name for name in known if name == "bmi")]))
    for name in config["cohorts"]:
        pairs = paired(tables.get("phenotype", "phenotypes", name))
        last = {
            pair["adjusted"]["term"].partition(": ")[0]: pair for pair in pairs
        }  # of several groups the last
        first = not told
        for exposure in wanted if first else wanted[:1]:
            if exposure in last:
                told.append(_exposure(name, last[exposure]))
        if first and told:
            told = sorted(told, key=lambda one: not one[1])  # one that was estimated gives the sentence
    told = [(whom, sentence or line, line) for whom, sentence, line in told]
    return _answer(question, "phenotypes", told, "Not run, because no cohort has a clinic table.")


def _exposure(name: str, pair: dict) -> tuple[str, str, str]:
    raw, row = pair["raw"], pair["adjusted"]
    what = words.label(row["term"], row["per"])
    if pd.isna(row["estimate"]):
        return name, "", f"{what}: {row['note']}"
    older = "older" if row["estimate"] >= 0 else "younger"
    sentence = (
        f"{what} went with a face {number(abs(row['estimate']), 1)} years {older} at the same age "
        f"(95 % interval {interval(row['ci_lower'], row['ci_upper'], 1)}; p {_p(row['p_value'])}; {count(row['n'])} people). "
        f"Raw age gap: {_value(raw, 1, signed)}."
    )  # fmt: skip
    return (
        name,
        sentence,
        f"{what} {_value(row, 1, signed)}; raw {_value(raw, 1, signed)}; {count(row['n'])} people",
    )


def genes(tables: ReportTables, config: dict) -> Answer:
    """The first gene of the panel in each cohort, whatever its p."""
    gene = config["expression"]["panel"][0]
    told = []
    for name in config["cohorts"]:
        panel = tables.get("expression", "panel", name)
        panel = panel[panel["term"] == gene] if len(panel) else panel
        for analysis in dict.fromkeys(panel["analysis"]) if len(panel) else []:
            whom = name if analysis == "expression" else f"{name}, {analysis}"
            told.append(_gene(whom, gene, panel[panel["analysis"] == analysis]))
    told = sorted(told, key=lambda one: not one[1])
    known = [(whom, sentence or line, line) for whom, sentence, line in told]
    return _answer(f"And {gene}?", "genes", known, f"{gene}: not run, because no cohort has RNA counts.")


def _gene(whom: str, gene: str, rows: pd.DataFrame) -> tuple[str, str, str]:
    def row(model: str, exposure: str) -> pd.Series | None:
        found = rows[(rows["model"] == model) & (rows["exposure"] == exposure) & rows["estimate"].notna()]
        return found.iloc[0] if len(found) else None

    own, age, gap = (
        row("together", "age_acceleration"),
        row("together", "chronological_age"),
        row("raw gap", "age_gap"),
    )
    if own is None:
        return whom, "", f"{gene}: {next((note for note in rows['note'] if note), 'not estimated')}"
    n = count(own["n"])
    sentence = (
        f"its log2 level changed by {_value(own, 2, signed)} per {own['per']} of age acceleration, age held constant "
        f"(p {_p(own['p_value'])}, q in the panel {_p(own['q_value'])}; {n} people)"
    )
    line = f"{_value(own, 2, signed)}, q {_p(own['q_value'])}"
    if age is not None:
        sentence += f"; per {age['per']} of age itself by {_value(age, 2, signed)}"
        line += f"; age itself {_value(age, 2, signed)}"
    if gap is not None:
        sentence += f"; raw age gap, age not held constant, {_value(gap, 2, signed)}"
        line += f"; raw {_value(gap, 2, signed)}"
    return whom, sentence + ".", f"{line}; {n} people"


def survival(tables: ReportTables, config: dict) -> Answer:
    """The hazard ratio of face age in each cohort; the one with most deaths comes first."""
    told = []
    for name in config["cohorts"]:
        cox = tables.get("survival", "cox", name)
        if not len(cox):
            continue
        rows = cox[cox["term"] == "face_age"]
        adjusted, raw = rows[rows["model"] == "face age + age"], rows[rows["model"] == "univariable"]
        if len(adjusted):
            told.append(
                (
                    adjusted.iloc[0],
                    _hazard(name, adjusted.iloc[0], raw.iloc[0] if len(raw) else None),
                )
            )
    told.sort(key=lambda one: -one[0]["n_events"] if pd.notna(one[0]["estimate"]) else 1)
    return _answer(
        "Does looking older predict death?",
        "survival",
        [one for _, one in told],
        "Not run, because no cohort has a clinic table.",
    )


def _hazard(name: str, row: pd.Series, raw: pd.Series | None) -> tuple[str, str, str]:
    people = f"{count(row['n'])} people, {count(row['n_events'])} deaths"
    if pd.isna(row["estimate"]):
        return name, f"{row['note']}.", row["note"]
    percent = (row["estimate"] - 1) * 100
    more = "higher" if percent >= 0 else "lower"
    sentence = (
        f"looking {row['per']} older at the same age went with a {abs(percent):.0f} % {more} hazard of death "
        f"(hazard ratio {_value(row, 2)}; p {_p(row['p_value'])}; {people})."
    )
    if "deaths per term" in row["note"]:
        sentence += f" Not to be relied on: {row['note']}."
    line = _value(row, 2)
    if raw is not None and pd.notna(raw["estimate"]):
        sentence += f" Age not held constant: {_value(raw, 2)}."
        line += f"; age not held constant {_value(raw, 2)}"
    doubt = "; too few deaths to be relied on" if "deaths per term" in row["note"] else ""
    return name, sentence, f"{line}; {people}{doubt}"


def added(tables: ReportTables, config: dict) -> Answer:
    """What face age adds to age and sex, by Harrell's C."""
    told = []
    for name in config["cohorts"]:
        rows = tables.get("survival", "added_value", name)
        if not len(rows):
            continue
        rows = rows[rows["question"] == rows["question"].iloc[0]]
        c = rows[rows["measure"] == "Harrell's C"]
        pair, difference = c[c["kind"] == "model"], c[c["kind"] == "difference"]
        test = rows[rows["kind"] == "test"]
        if len(pair) == 2 and len(difference) and difference["estimate"].notna().all():
            told.append((difference.iloc[0], _added(name, pair, difference.iloc[0], test)))
    told.sort(key=lambda one: -one[0]["n_events"])
    question = "Does it add to age and sex?"
    return _answer(
        question,
        "survival",
        [one for _, one in told],
        "Not estimated: no cohort has enough deaths, or a clinic table.",
    )


def _added(name: str, pair: pd.DataFrame, difference: pd.Series, test: pd.DataFrame) -> tuple[str, str, str]:
    without, with_it = pair["estimate"]
    people = f"{count(difference['n'])} people, {count(difference['n_events'])} deaths"
    p = (
        f"p {_p(test['p_value'].iloc[0])}"
        if len(test) and pd.notna(test["p_value"].iloc[0])
        else "p not known"
    )
    change = f"C {number(without, 3)} to {number(with_it, 3)}, difference {_value(difference, 3, signed)}"
    sentence = (
        f"with face age beside age and sex, the order of deaths was told with {change} "
        f"(likelihood ratio {p}; {people}). 0.5 is chance, 1 never wrong."
    )
    return name, sentence, f"{change}; likelihood ratio {p}; {people}"


def _value(row: pd.Series | dict, digits: int, say: Callable[..., str] = number) -> str:
    """Estimate and interval; or why there is none."""
    if pd.isna(row["estimate"]):
        return str(row["note"]) or "not estimated"
    return f"{say(row['estimate'], digits)} ({interval(row['ci_lower'], row['ci_upper'], digits)})"


def _p(value: float) -> str:
    text = p_value(value)
    return text if text.startswith("<") else f"= {text}"


def _why(note: str) -> str:
    return note.removeprefix("not estimated, because ").removeprefix("not run, because ")
