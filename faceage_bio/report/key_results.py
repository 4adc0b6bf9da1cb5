"""The key results: for each question one row per cohort, read from the result tables, with its place on another page."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd
from markupsafe import Markup

from faceage_bio.report import words
from faceage_bio.report.associations import paired
from faceage_bio.report.formats import count, increase, number, p_scientific, p_value, with_ci
from faceage_bio.report.places import place
from faceage_bio.report.tables import ReportTables

PRIMARY, SECONDARY = "primary", "secondary"
ALL = "All cohorts"
SPARSE = 10  # events per variable below which an estimate is marked
WIDTH, HEIGHT, MARGIN = 170, 20, 6  # of a row's forest


@dataclass(frozen=True)
class KeyRow:
    """An estimate: ``label`` (the cohort, or what is compared), the result row, the unadjusted value and p or q as printed."""

    cohort: str
    label: str
    row: Mapping
    unadjusted: str
    p: str
    link: str
    source: str
    sparse: bool = False
    doubted: bool = False  # face age does not follow chronological age in this cohort
    comparison: bool = False  # stands for comparison, not for the question itself

    @property
    def estimated(self) -> bool:
        return not pd.isna(self.row["estimate"])


@dataclass(frozen=True)
class Question:
    """A question with its rows; ``null``: the value of no association; ``digits``: of its estimates."""

    title: str
    measure: str
    role: str
    null: float
    digits: int
    rows: Sequence[KeyRow]

    def text(self, row: KeyRow) -> str:
        """``1.88 (1.46–2.43)``, or why there is none."""
        return value(row.row, self.digits)

    def forest(self, row: KeyRow) -> Markup:
        """The estimate with its interval on the scale that all rows of the question share."""
        return _forest(row.row, self.null, self._ends(), row.comparison) if row.estimated else Markup("")

    def _ends(self) -> tuple[float, float]:
        known = [row.row for row in self.rows if row.estimated]
        ends = [
            float(one[end])
            for one in known
            for end in ("estimate", "ci_lower", "ci_upper")
            if not pd.isna(one[end])
        ]
        return min([self.null, *ends]), max([self.null, *ends])


def value(row: Mapping, digits: int) -> str:
    """Estimate and 95% CI; or why there is none."""
    if pd.isna(row["estimate"]):
        return str(row["note"]) or "not estimated"
    return with_ci(row["estimate"], row["ci_lower"], row["ci_upper"], digits)


def _raw(row: Mapping | None, digits: int) -> str:
    return "–" if row is None or pd.isna(row["estimate"]) else value(row, digits)


def key_results(tables: ReportTables, config: dict, doubted: Sequence[str] = ()) -> list[Question]:
    """Every question that a result table answers, the primary one first.

    Parameters
    ----------
    doubted : cohorts whose rows are marked, because their face ages do not follow chronological age
    """
    found = [
        question
        for ask in (_survival, _gene, _groups, _exposures, _added)
        for question in ask(tables, config)
        if question.rows
    ]
    return [
        replace(one, rows=[replace(row, doubted=row.cohort in doubted) for row in one.rows]) for one in found
    ]


def _survival(tables: ReportTables, config: dict) -> Iterator[Question]:
    rows, per = [], "10 years"
    for name in config["cohorts"]:
        cox = tables.get("survival", "cox", name)
        mine = cox[cox["term"] == "face_age"] if len(cox) else cox
        adjusted = _first(mine, model="face age + age")
        if adjusted is None:
            continue
        raw, per = _first(mine, model="univariable"), adjusted["per"] or per
        rows.append(KeyRow(
            name, name, adjusted, _raw(raw, 2), p_value(adjusted["p_value"]), place("cox", name), "survival/cox",
            sparse=adjusted.get("events_per_term", SPARSE) < SPARSE,
        ))  # fmt: skip
    yield Question("Overall survival", f"HR for death per {increase(per)} in face age, adjusted for age", PRIMARY, 1, 2, rows)  # fmt: skip


def _gene(tables: ReportTables, config: dict) -> Iterator[Question]:
    """The first gene of the panel in bulk RNA, or else in each cell type; chronological age in the same model for comparison."""
    gene, rows, per, held = config["expression"]["panel"][0], [], "10 years", ""
    for name in config["cohorts"]:
        panel = tables.get("expression", "panel", name)
        panel = panel[panel["term"] == gene] if len(panel) else panel
        analyses = list(dict.fromkeys(panel["analysis"])) if len(panel) else []
        for analysis in ["expression"] if "expression" in analyses else analyses:
            mine = panel[panel["analysis"] == analysis]
            own = _first(mine, model="together", exposure="age_acceleration")
            if own is None:
                continue
            label = name if analysis == "expression" else f"{name}, {analysis.removeprefix('expression in ')}"
            per, held = own["per"] or per, _held(own) or held
            raw = _first(mine, model="raw gap", exposure="age_gap")
            link, source = place("genes", name), "expression/panel"
            rows.append(KeyRow(name, label, own, _raw(raw, 2), _q(own, p_scientific), link, source))
            age = _first(mine, model="together", exposure="chronological_age")
            apart = _first(mine, model="together", exposure="difference")
            if analysis == "expression" and age is not None:
                told = f"difference p {p_value(apart['p_value'])}" if apart else "–"
                rows.append(KeyRow(name, "chronological age, same model", age, told, p_value(age["p_value"]), link, source, comparison=True))  # fmt: skip
    yield Question(f"{gene} expression", f"log2 fold change per {increase(per)} in age acceleration, adjusted for {held}", SECONDARY, 0, 2, rows)  # fmt: skip


def _groups(tables: ReportTables, config: dict) -> Iterator[Question]:
    pairs = paired(tables.get("phenotype", "groups"))
    rows = [
        KeyRow(ALL, ALL, pair["adjusted"], _raw(pair["raw"], 1), p_value(pair["adjusted"]["p_value"]), place("groups"), "phenotype/groups")
        for pair in pairs
    ]  # fmt: skip
    if pairs:
        first = pairs[0]["adjusted"]
        _, _, levels = first["term"].partition(": ")
        title = levels.replace("reference", "controls").replace(" vs ", " v ").capitalize() or "Groups"
        yield Question(
            title, f"difference in face age, years, adjusted for {_held(first)}", SECONDARY, 0, 1, rows
        )


def _exposures(tables: ReportTables, config: dict) -> Iterator[Question]:
    """The first exposure and BMI; of an exposure with several levels the last contrast, such as current v never."""
    known = config["phenotype"]["exposures"]
    wanted = list(dict.fromkeys([*known[:1], *(name for name in known if name == "bmi")]))
    by_cohort = {
        name: _last_contrasts(tables.get("phenotype", "phenotypes", name)) for name in config["cohorts"]
    }
    for exposure in wanted:
        rows, measure = [], ""
        for name, pairs in by_cohort.items():
            if exposure in pairs:
                raw, own = pairs[exposure]["raw"], pairs[exposure]["adjusted"]
                _, _, levels = own["term"].partition(": ")
                what = levels.replace(" vs ", " v ") or f"per {own['per'].replace('kg/m2', 'kg/m²')}"
                measure = f"difference in face age, years, {what}, adjusted for {_held(own)}"
                rows.append(KeyRow(name, name, own, _raw(raw, 1), _q(own), place("phenotypes", name), "phenotype/phenotypes"))  # fmt: skip
        yield Question(_sentence(words.term(exposure)), measure, SECONDARY, 0, 1, rows)


def _last_contrasts(table: pd.DataFrame) -> dict[str, dict]:
    return {pair["adjusted"]["term"].partition(": ")[0]: pair for pair in paired(table)}


def _added(tables: ReportTables, config: dict) -> Iterator[Question]:
    rows, beyond = [], ""
    for name in config["cohorts"]:
        table = tables.get("survival", "added_value", name)
        if not len(table):
            continue
        table = table[table["question"] == table["question"].iloc[0]]
        c = table[table["measure"] == "Harrell's C"]
        models, change = c[c["kind"] == "model"], _first(c, kind="difference")
        test = _first(table, kind="test")
        if change is None:
            continue
        both = models["estimate"].notna().all() and len(models) == 2
        pair = " → ".join(number(one, 3) for one in models["estimate"]) if both else "–"
        beyond = _listed(change["adjustment"]) or beyond
        p = f"LRT {p_value(test['p_value'])}" if test else p_value(change["p_value"])
        rows.append(KeyRow(name, name, change, pair, p, place("added-value", name), "survival/added_value"))
    yield Question("Added value for survival", f"change in Harrell's C when face age is added to {beyond or 'age and sex'}; last column: C without → with", SECONDARY, 0, 3, rows)  # fmt: skip


def _first(table: pd.DataFrame, **wanted: str) -> dict | None:
    if not len(table):
        return None
    for column, wished in wanted.items():
        table = table[table[column] == wished]
    return table.iloc[0].to_dict() if len(table) else None


def _q(row: Mapping, say: Callable[[float], str] = p_value) -> str:
    """The q-value where the family has one, else p."""
    return say(row["p_value"]) if pd.isna(row["q_value"]) else f"q {say(row['q_value'])}"


def _held(row: Mapping) -> str:
    return _listed(str(row["adjustment"]))


def _listed(names: str) -> str:
    said = [words.term(name) for name in names.split(", ") if name]
    return " and ".join(filter(None, [", ".join(said[:-1]), *said[-1:]]))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _forest(row: Mapping, null: float, ends: tuple[float, float], pale: bool) -> Markup:
    scale: Callable[[float], float] = math.log if null == 1 else float
    low, high = scale(max(ends[0], 1e-3) if null == 1 else ends[0]), scale(ends[1])
    span = (high - low) or 1.0

    def x(at: float) -> float:
        return MARGIN + (WIDTH - 2 * MARGIN) * min(max((scale(at) - low) / span, 0), 1)

    middle, centre = HEIGHT / 2, x(row["estimate"])
    parts = [f'<path d="M{x(null):.1f},0V{HEIGHT}" stroke="currentColor" stroke-opacity=".45"/>']
    if not pd.isna(row["ci_lower"]) and not pd.isna(row["ci_upper"]):
        parts.append(
            f'<path d="M{x(max(row["ci_lower"], 1e-3) if null == 1 else row["ci_lower"]):.1f},{middle}H{x(row["ci_upper"]):.1f}" stroke-width="1.6" stroke="currentColor"/>'
        )
    parts.append(
        f'<rect x="{centre - 3.5:.1f}" y="{middle - 3.5}" width="7" height="7" fill="currentColor"/>'
    )
    label = f"{number(row['estimate'], 2)}, reference line at {null:g}"
    return Markup(
        '<svg class="mini{}" viewBox="0 0 {} {}" role="img" aria-label="{}" fill="none">{}</svg>'
    ).format(" pale" if pale else "", WIDTH, HEIGHT, label, Markup("".join(parts)))


def counts_of(row: KeyRow) -> tuple[str, str]:
    """n and events, an en dash where there are no events to count."""
    return count(row.row["n"]), count(row.row.get("n_events"))
