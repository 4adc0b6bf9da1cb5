"""The key results: for each question one row per cohort, read from the result tables, with its place on another page."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd
from markupsafe import Markup

from faceage_bio.core.columns import POOLED
from faceage_bio.core.config import Config
from faceage_bio.core.settings.settings_study import ADDED, EXPLORATORY, GENES, SURVIVAL
from faceage_bio.report import flow, words
from faceage_bio.report import table_rows as select
from faceage_bio.report.places import PAGE_OF, place
from faceage_bio.report.places import SURVIVAL as SURVIVAL_PAGE
from faceage_bio.report.tables_by_place import ReportTables, rows_by
from faceage_bio.report.words import count, counted, number, p_scientific, p_value, with_ci

ADDED_TITLE = "Added value for survival"
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
    pooled: bool = False  # over cohorts
    n_of: float = math.nan  # participants that came in

    @property
    def estimated(self) -> bool:
        return not pd.isna(self.row["estimate"])


@dataclass(frozen=True)
class Question:
    """A question with its rows; ``role``: in the analysis plan; ``family``: of tests; ``null``: the value of no association; ``digits``: of its estimates."""

    title: str
    measure: str
    role: str
    family: str
    null: float
    digits: int
    rows: Sequence[KeyRow]
    gene: str = ""  # whose symbol stands in the title

    def text(self, row: KeyRow) -> str:
        """``1.88 (1.46–2.43)``, or why there is none."""
        return value(row.row, self.digits)

    def last(self, row: KeyRow) -> str:
        """What the last column holds, where a telephone shows no head of columns."""
        return "" if row.comparison else "C-index" if self.title == ADDED_TITLE else "unadj."

    def forest(self, row: KeyRow) -> Markup:
        """The estimate with its interval on the scale that all rows of the question share."""
        return _forest(row, self.null, self._ends()) if row.estimated else Markup("")

    def _ends(self) -> tuple[float, float]:
        values = (row.row for row in self.rows if row.estimated)
        known = (value[end] for value in values for end in ("estimate", "ci_lower", "ci_upper"))
        ends = [self.null, *(float(end) for end in known if not pd.isna(end))]
        return min(ends), max(ends)


def value(row: Mapping, digits: int) -> str:
    """Estimate and 95% CI; or why there is none."""
    if pd.isna(row["estimate"]):
        return str(row["note"]) or "not estimated"
    return with_ci(row["estimate"], row["ci_lower"], row["ci_upper"], digits)


def _raw(row: Mapping | None, digits: int) -> str:
    return "–" if row is None or pd.isna(row["estimate"]) else value(row, digits)


def key_results(tables: ReportTables, config: Config, doubted: Sequence[str] = ()) -> list[Question]:
    """The questions of the analysis plan that a result table answers, and the usual ones that it does not name; the primary one first.

    Parameters
    ----------
    doubted : cohorts whose rows are marked, because their face ages do not follow chronological age
    """
    ask = {SURVIVAL: _survival, GENES: _gene, ADDED: _added}
    participants = {name: _participants(tables, name) for name in config.cohorts}
    rounded = tables.rounded(config)
    found = []
    for one in select.key_questions(tables, config):
        if one.keys:
            question, rows = ask.get(one.plan.question, _comparison)(one, tables), []
            pooled = set(participants) - set(config.pooling.reference_cohorts)
            own = pooled & {row.cohort for row in question.rows}
            for row in question.rows:
                n_of = _all_of([participants[name] for name in _of(row, own, participants)], rounded)
                rows.append(replace(row, doubted=row.cohort in doubted, n_of=n_of))
            found.append(replace(question, rows=rows))
    return found


def not_answered(tables: ReportTables, config: Config) -> list[str]:
    """The planned questions without a result, in words."""
    return [
        f"{one.plan.question}{f', {one.what}' if one.what else ''} ({one.plan.role})"
        for one in select.key_questions(tables, config)
        if one.plan.role != EXPLORATORY and not one.keys
    ]


def _participants(tables: ReportTables, cohort: str) -> float:
    """Participants of a cohort, as they came in."""
    box = flow.box_of(flow.cohort_flow(tables, cohort), "subject", "intake")
    return box.n if box and box.n else math.nan


def _all_of(participants: Sequence[float], rounded: bool) -> float:
    """Of several cohorts the sum, which rounded counts do not have."""
    return math.nan if rounded and len(participants) > 1 else sum(participants)


def _of(row: KeyRow, own: Collection[str], known: Collection[str]) -> Collection[str]:
    """The cohorts whose participants a row is of: one, those of its question if it is pooled, or all."""
    return [row.cohort] if row.cohort in known else own if row.pooled else known


def _family(keys: Sequence[select.Key], table: pd.DataFrame) -> str:
    """The family of tests whose q-values are shown, and its size."""
    row = _typical([key for key in keys if not key.pooled] or keys)
    if not (name := row["family"]):
        return "one test"
    own = table[table["family"].eq(name) & table["cohort"].eq(row["cohort"])] if "family" in table else table
    n = row["n_tests"] if row.get("n_tests") and not pd.isna(row["n_tests"]) else own["p_value"].notna().sum()
    return f"{name}, {counted(n, 'test')}" if n else name


def _survival(asked: select.KeyQuestion, tables: ReportTables) -> Question:
    keys, plan = asked.keys, asked.plan
    rows = [_row(key, 2, "cox", "survival/cox") for key in keys]
    held = f"adjusted for {_adjusted(keys)}" if _adjusted(keys) else "unadjusted"
    measure = f"HR for death {_per(keys)} in {words.term(plan.exposure)}, {held}"
    family = _family(keys, tables.get("survival", "cox"))
    return Question("Overall survival", measure, plan.role, family, 1, 2, rows)


def _gene(asked: select.KeyQuestion, tables: ReportTables) -> Question:
    """The first prespecified gene; in bulk RNA also chronological age in the same model, for comparison."""
    gene, keys, rows = asked.what, asked.keys, []
    for key in keys:
        name = key.adjusted["cohort"]
        rows.append(_row(key, 2, "genes", "expression/panel", say=p_scientific))
        panel = tables.get("expression", "panel", name)
        joint = panel[(panel["model"] == select.JOINT) & (panel["term"] == gene)]
        both = joint[joint["question"] == "expression"]
        by = rows_by(both, "exposure")
        if key.adjusted["question"] == "expression" and "chronological_age" in by:
            age, apart = by["chronological_age"], by.get("difference")
            p = p_value(age["p_value"])
            tested = apart is not None and pd.notna(apart["p_value"])
            told = f"difference p {p_value(apart['p_value'])}" if tested else "–"
            where, label = (place("genes", name), "expression/panel"), "chronological age, same model"
            rows.append(KeyRow(name, label, age, told, p, *where, comparison=True))
    by: dict[str, dict[str, None]] = {}  # cohorts by method
    for key in keys:
        if method := "" if key.pooled else words.leading_method(key.adjusted):
            by.setdefault(method, {})[select.whom(key.adjusted["cohort"])] = None
    told = ", ".join(
        name if len(by) == 1 else f"{name} in {' and '.join(cohorts)}" for name, cohorts in by.items()
    )
    measure = f"log2 fold change {_per(keys)} in age acceleration, adjusted for {_adjusted(keys)}{told and f'; {told}'}"
    family = _family(keys, tables.get("expression", "panel"))
    return Question(f"{gene} expression", measure, asked.plan.role, family, 0, 2, rows, gene)


def _comparison(asked: select.KeyQuestion, tables: ReportTables) -> Question:
    """Cancer and controls, or an exposure: headed by what is compared."""
    keys = asked.keys
    title, _, levels = asked.what.partition(": ")
    title, _, per = title.partition(", ")
    told = ", ".join(filter(None, (levels, per)))
    together = keys[0].adjusted["cohort"] == POOLED and not keys[0].pooled
    section, source = ("groups", "phenotype/groups") if together else ("phenotypes", "phenotype/phenotypes")
    held = f"adjusted for {_adjusted(keys)}" if _adjusted(keys) else "unadjusted (of the age gap)"
    measure = ", ".join(filter(None, ("difference in face age, years", told, held)))
    family = _family(keys, tables.get(*source.split("/")))
    rows = [_row(key, 1, section, source) for key in keys]
    return Question(title, measure, asked.plan.role, family, 0, 1, rows)


def _added(asked: select.KeyQuestion, tables: ReportTables) -> Question:
    rows = []
    for key in asked.keys:
        row, without = key.adjusted, key.unadjusted
        told = _row(key, 3, "added-value", "survival/added_value")
        if key.pooled or without is None:  # differences are pooled, not the two values of C
            rows.append(told)
            continue
        c = f"{number(without['estimate'], 3)} → {number(without['estimate'] + row['estimate'], 3)}"
        rows.append(replace(told, unadjusted=c, p=f"LRT {p_value(row['p_value'])}"))
    measure = f"change in Harrell's C-index when face age is added to {_listed(asked.what)}; last column: C-index without → with"
    family = _family(asked.keys, tables.get("survival", "added_value"))
    return Question(ADDED_TITLE, measure, asked.plan.role, family, 0, 3, rows)


def _row(
    key: select.Key,
    digits: int,
    section: str,
    source: str,
    *,
    say: Callable[[float], str] = p_value,
) -> KeyRow:
    cohort = key.adjusted["cohort"]
    if key.pooled:
        section = "meta-analysis" if PAGE_OF[section] == SURVIVAL_PAGE else "pooled-associations"
        source = "meta_analysis/estimates"
    link = place(section, "" if cohort == POOLED else cohort)
    printed = _raw(key.unadjusted, digits), _q(key.adjusted, say)
    whose = select.whom(cohort), key.whom
    return KeyRow(
        *whose, key.adjusted, *printed, link, source, sparse=select.is_sparse(key.adjusted), pooled=key.pooled
    )


def _typical(keys: Sequence[select.Key]) -> Mapping:
    """The first row with an estimate, which heads its question; the first one where there is none."""
    return next((key.adjusted for key in keys if key.estimated), keys[0].adjusted)


def _per(keys: Sequence[select.Key]) -> str:
    return select.per_increase(_typical(keys)["per"]) if keys else ""


def _adjusted(keys: Sequence[select.Key]) -> str:
    """The covariates of the cohorts' models; where they differ, of each cohort."""
    by: dict[str, list[str]] = {}
    for key in keys:
        if key.estimated and not key.pooled:
            held = _listed(select.adjusted_for(key.adjusted)) or "nothing"
            by.setdefault(held, []).append(select.whom(key.adjusted["cohort"]))
    if len(by) > 1:
        return "; ".join(f"{held} in {' and '.join(dict.fromkeys(cohorts))}" for held, cohorts in by.items())
    return _listed(select.adjusted_for(_typical(keys))) if keys else ""


def _q(row: Mapping, say: Callable[[float], str]) -> str:
    """The q-value where the family has one, else p."""
    return say(row["p_value"]) if pd.isna(row["q_value"]) else f"q {say(row['q_value'])}"


def _listed(names: str) -> str:
    """ "age, sex, BMI" as "age, sex and BMI"."""
    return " and ".join(filter(None, names.rsplit(", ", 1)))


def _forest(key: KeyRow, null: float, ends: tuple[float, float]) -> Markup:
    row = key.row
    scale: Callable[[float], float] = math.log if null == 1 else float
    low, high = scale(max(ends[0], 1e-3) if null == 1 else ends[0]), scale(ends[1])
    span = (high - low) or 1.0

    def x(at: float) -> float:
        return MARGIN + (WIDTH - 2 * MARGIN) * min(max((scale(at) - low) / span, 0), 1)

    middle, centre = HEIGHT / 2, x(row["estimate"])
    parts = [f'<path d="M{x(null):.1f},0V{HEIGHT}" stroke="currentColor" stroke-opacity=".45"/>']
    known = not pd.isna(row["ci_lower"]) and not pd.isna(row["ci_upper"])
    if known:
        left, right = (x(max(row[end], 1e-3) if null == 1 else row[end]) for end in ("ci_lower", "ci_upper"))
    if key.pooled and known:
        corners = f"L{centre:.1f},{middle - 6}L{right:.1f},{middle}L{centre:.1f},{middle + 6}"
        parts.append(f'<path d="M{left:.1f},{middle}{corners}z" fill="currentColor"/>')
    elif known:
        line = f"M{left:.1f},{middle}H{right:.1f}"
        parts.append(f'<path d="{line}" stroke-width="1.6" stroke="currentColor"/>')
    if not (key.pooled and known):
        box = f'x="{centre - 3.5:.1f}" y="{middle - 3.5}"'
        parts.append(f'<rect {box} width="7" height="7" fill="currentColor"/>')
    label = f"{number(row['estimate'], 2)}, reference line at {null:g}"
    return Markup(
        '<svg class="mini{}" viewBox="0 0 {} {}" role="img" aria-label="{}" fill="none">{}</svg>'
    ).format(" pale" if key.comparison else "", WIDTH, HEIGHT, label, Markup("".join(parts)))


def counts_of(row: KeyRow) -> tuple[str, str]:
    """n used of n that came in, and events, an en dash where there are no events to count."""
    of = "" if pd.isna(row.n_of) or pd.isna(row.row["n"]) else f" of {count(row.n_of)}"
    return f"{count(row.row['n'])}{of}", count(row.row.get("n_events"))
