"""The key results: for each question one row per cohort, read from the result tables, with its place on another page."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd
from markupsafe import Markup

from faceage_bio.columns import POOLED
from faceage_bio.report import table_rows as select
from faceage_bio.report import words
from faceage_bio.report.formats import count, number, p_scientific, p_value, with_ci
from faceage_bio.report.places import PAGE_OF, SURVIVAL, place
from faceage_bio.report.tables import ReportTables

PRIMARY, SECONDARY = "primary", "secondary"
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
        return _forest(row, self.null, self._ends()) if row.estimated else Markup("")

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
        for ask in (_survival, _gene, _comparisons, _added)
        for question in ask(tables, config)
        if question.rows
    ]
    return [
        replace(one, rows=[replace(row, doubted=row.cohort in doubted) for row in one.rows]) for one in found
    ]


def _survival(tables: ReportTables, config: dict) -> Iterator[Question]:
    keys = select.key_survival(tables, config)
    rows = [_row(key, 2, "cox", "survival/cox", sparse=select.is_sparse(key.adjusted)) for key in keys]
    yield Question(
        "Overall survival", f"HR for death {_per(keys)} in face age, adjusted for age", PRIMARY, 1, 2, rows
    )


def _gene(tables: ReportTables, config: dict) -> Iterator[Question]:
    """The first prespecified gene; in bulk RNA also chronological age in the same model, for comparison."""
    gene, rows = config["expression"]["panel"][0], []
    keys = select.key_gene(tables, config)
    for key in keys:
        name = key.adjusted["cohort"]
        rows.append(_row(key, 2, "genes", "expression/panel", say=p_scientific))
        panel = tables.get("expression", "panel", name)
        both = panel[
            (panel["term"] == gene) & (panel["question"] == "expression") & (panel["model"] == select.JOINT)
        ]
        by = {row["exposure"]: row for row in both.to_dict("records")}
        if key.adjusted["question"] == "expression" and "chronological_age" in by:
            age, apart = by["chronological_age"], by.get("difference")
            told = f"difference p {p_value(apart['p_value'])}" if apart else "–"
            rows.append(KeyRow(name, "chronological age, same model", age, told, p_value(age["p_value"]), place("genes", name), "expression/panel", comparison=True))  # fmt: skip
    by: dict[str, dict[str, None]] = {}  # cohorts by method
    for key in keys:
        if method := "" if key.pooled else words.leading_method(key.adjusted):
            by.setdefault(method, {})[select.whom(key.adjusted["cohort"])] = None
    told = ", ".join(
        name if len(by) == 1 else f"{name} in {' and '.join(cohorts)}" for name, cohorts in by.items()
    )
    measure = f"log2 fold change {_per(keys)} in age acceleration, adjusted for {_adjusted(keys)}{told and f'; {told}'}"
    yield Question(f"{gene} expression", measure, SECONDARY, 0, 2, rows)


def _comparisons(tables: ReportTables, config: dict) -> Iterator[Question]:
    """Cancer and controls, the first exposure, BMI: headed by what is compared."""
    for what, keys in select.key_comparisons(tables, config).items():
        title, _, levels = what.partition(": ")
        title, _, per = title.partition(", ")
        told = ", ".join(filter(None, (levels.replace(" vs ", " v "), per)))
        together = keys[0].adjusted["cohort"] == POOLED and not keys[0].pooled
        section, source = (
            ("groups", "phenotype/groups") if together else ("phenotypes", "phenotype/phenotypes")
        )
        yield Question(
            title.replace(" vs ", " v "), f"difference in face age, years, {f'{told}, ' if told else ''}adjusted for {_adjusted(keys)}",
            SECONDARY, 0, 1, [_row(key, 1, section, source) for key in keys],
        )  # fmt: skip


def _added(tables: ReportTables, config: dict) -> Iterator[Question]:
    base, keys = select.key_added_value(tables, config)
    rows = []
    for key in keys:
        row, without = key.adjusted, key.unadjusted
        told = _row(key, 3, "added-value", "survival/added_value")
        if key.pooled:  # differences are pooled, not the two values of C
            rows.append(replace(told, unadjusted=number(without["estimate"], 3) if without else "–"))
            continue
        c = f"{number(without['estimate'], 3)} → {number(without['estimate'] + row['estimate'], 3)}"
        rows.append(replace(told, unadjusted=c, p=f"LRT {p_value(row['p_value'])}"))
    yield Question("Added value for survival", f"change in Harrell's C when face age is added to {_listed(base)}; last column: C without → with", SECONDARY, 0, 3, rows)  # fmt: skip


def _row(
    key: select.Key, digits: int, section: str, source: str, *, sparse: bool = False, say: Callable[[float], str] = p_value
) -> KeyRow:  # fmt: skip
    cohort = key.adjusted["cohort"]
    whole = cohort == POOLED
    if key.pooled:
        section, source = (
            "meta-analysis" if PAGE_OF[section] == SURVIVAL else "pooled-associations",
            "meta_analysis/estimates",
        )
    return KeyRow(
        select.whom(cohort) if whole else cohort, key.whom, key.adjusted, _raw(key.unadjusted, digits), _q(key.adjusted, say),
        place(section, "" if whole else cohort), source, sparse=sparse, pooled=key.pooled,
    )  # fmt: skip


def _per(keys: Sequence[select.Key]) -> str:
    return select.per_increase(keys[0].adjusted["per"]) if keys else ""


def _adjusted(keys: Sequence[select.Key]) -> str:
    return _listed(select.adjusted_for(keys[0].adjusted)) if keys else ""


def _q(row: Mapping, say: Callable[[float], str] = p_value) -> str:
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
    left, right = (
        x(max(row[end], 1e-3) if null == 1 else row[end]) if known else centre
        for end in ("ci_lower", "ci_upper")
    )
    if key.pooled and known:
        parts.append(
            f'<path d="M{left:.1f},{middle}L{centre:.1f},{middle - 6}L{right:.1f},{middle}L{centre:.1f},{middle + 6}z" fill="currentColor"/>'
        )
    else:
        parts.append(
            f'<path d="M{left:.1f},{middle}H{right:.1f}" stroke-width="1.6" stroke="currentColor"/>'
            if known
            else ""
        )
        parts.append(
            f'<rect x="{centre - 3.5:.1f}" y="{middle - 3.5}" width="7" height="7" fill="currentColor"/>'
        )
    label = f"{number(row['estimate'], 2)}, reference line at {null:g}"
    return Markup(
        '<svg class="mini{}" viewBox="0 0 {} {}" role="img" aria-label="{}" fill="none">{}</svg>'
    ).format(" pale" if key.comparison else "", WIDTH, HEIGHT, label, Markup("".join(parts)))


def counts_of(row: KeyRow) -> tuple[str, str]:
    """n and events, an en dash where there are no events to count."""
    return count(row.row["n"]), count(row.row.get("n_events"))
