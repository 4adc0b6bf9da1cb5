"""Tables as a journal prints them: Table 1, Cox models, group comparisons, prespecified genes, key results (table_files.py writes them)."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from faceage_bio.core.config import Config
from faceage_bio.core.settings.settings_study import ADDED, GENES, SURVIVAL
from faceage_bio.core.tables import to_records
from faceage_bio.report import table_rows as select
from faceage_bio.report import words
from faceage_bio.report.sections_participants import why_no_difference
from faceage_bio.report.table_rows import Group, Key
from faceage_bio.report.tables_by_place import ReportTables
from faceage_bio.report.words import (
    confidence_interval,
    count,
    count_and_share,
    first_upper,
    number,
    p_scientific,
    p_value,
)
from faceage_bio.stats.minimum_sizes import CLUSTERS, EVENTS_PER_TERM

UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f\ufffe\uffff]+")
NONE = "–"
MARK = "*"  # of sparse data
CI = "CI: confidence interval."
NOT_ESTIMATED = f"{NONE}: not estimated, or does not apply."
SPARSE = f"{MARK} Sparse data: fewer than {EVENTS_PER_TERM} events per variable or {CLUSTERS} clusters; interpret with caution."
ROUNDED = (
    "Counts are rounded to the midpoints of {k} (midpoint rounding), so that totals may not add up; statistics from a count of 1 to {k} "
    f"are redacted ({NONE})."
)
APART = "†"  # of methods that disagree
GENE_MODEL = "{methods}, with age acceleration and chronological age together, and the covariates named."
GENE_METHODS = {
    "DESeq2": "negative binomial models of RNA counts (DESeq2)",
    "limma-voom": "weighted linear models of log counts (limma-voom)",
}
DISAGREE = (
    f"{APART} DESeq2 and limma-voom disagree: one has q < 0.05 and the other has not, or they differ in sign."
)
Q = "q: p-value adjusted for multiple testing (Benjamini–Hochberg)"


class Gene(str):
    """A gene symbol, which is printed in italics."""


Cell = str | tuple[str, ...]  # a tuple where a part of the cell is a `Gene`
Kind = Literal["", "group", "variable", "level"]


@dataclass(frozen=True)
class Row:
    """A line of a table: of numbers, the head of a group of lines (its first cell alone), a variable, or a level of one (indented)."""

    cells: tuple[Cell, ...]
    kind: Kind = ""


@dataclass(frozen=True)
class JournalTable:
    """A table for authors. ``name``: of its files; ``spanners``: (label, first column, number of columns) above the heads."""

    name: str
    title: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    spanners: tuple[tuple[str, int, int], ...] = ()


def plain(cell: Cell) -> str:
    """The text of a cell."""
    return cell if isinstance(cell, str) else "".join(cell)


def journal_tables(tables: ReportTables, config: Config, rounding: int = 1) -> list[JournalTable]:
    """Every table for which the study has rows.

    Parameters
    ----------
    tables : exact ones, or released ones
    config : the study's whole config
    rounding : of the counts in ``tables``, which the notes state; 1 where they are exact
    """
    cohorts = list(config.cohorts)
    made: list[JournalTable | None] = [
        _table_one_by_cohort(tables, cohorts),
        *(_table_one(tables, name) for name in cohorts),
        _cox(tables, config),
        _comparisons(tables, config),
        *(_gene_panel(tables, name) for name in select.names_of(config)),
        _meta_analysis(tables, config),
        _key_results(tables, config),
    ]
    rule = (ROUNDED.format(k=rounding),) if rounding > 1 else ()
    return [_printable(replace(one, notes=(*one.notes, *rule))) for one in made if one is not None]


def _printable(table: JournalTable) -> JournalTable:
    """The table without control characters and line breaks, which a name may hold and a Word file may not."""

    def told(cell: Cell) -> Cell:
        if isinstance(cell, tuple):
            return tuple(map(told, cell))
        return type(cell)(UNPRINTABLE.sub(" ", cell))

    rows = tuple(replace(row, cells=told(row.cells)) for row in table.rows)
    return replace(table, title=told(table.title), rows=rows, notes=told(table.notes))


def _table_one_by_cohort(tables: ReportTables, cohorts: Sequence[str]) -> JournalTable | None:
    """All participants of each cohort as a column; None where there is one cohort, whose own table has that column."""
    columns = [
        Group(name, groups[0].n, groups[0].rows)
        for name in cohorts
        if (groups := select.groups_of(tables.get("phenotype", "table_one", name))) and groups[0].n > 0
    ]
    if len(columns) < 2:
        return None
    title = "Characteristics of participants, by cohort"
    return _characteristics("table_1", title, columns, None)


def _table_one(tables: ReportTables, cohort: str) -> JournalTable | None:
    table = tables.get("phenotype", "table_one", cohort)
    groups = [Group(select.level(one.name), one.n, one.rows) for one in select.groups_of(table)]
    if not groups:
        return None
    title = f"Characteristics of participants by facial age acceleration, {cohort}"
    differences = select.standardised_differences(table) if len(groups) > 1 else None
    undefined = why_no_difference(table)
    return _characteristics(f"table_1_{cohort}", title, groups, differences, undefined)


def _characteristics(
    name: str,
    title: str,
    groups: Sequence[Group],
    differences: Mapping[str, float] | None,
    undefined: str = "",
) -> JournalTable | None:
    rows, not_recorded = [], []
    for variable in dict.fromkeys(one for group in groups for one in group.rows["variable"]):
        parts = [group.rows[group.rows["variable"] == variable] for group in groups]
        if all((part["measure"] == "missing").all() for part in parts):
            not_recorded.append(words.term(variable).replace("_", " "))
            continue
        shares = any((part["measure"] == "share").any() for part in parts)
        label = words.characteristic(variable) + (", n (%)" if shares else "")
        own = () if differences is None else (number(differences.get(variable)),)
        rows.append(Row((label, *[""] * len(groups), *own), "variable"))
        for text, cells in (*(_levels if shares else _numbers)(parts), *_unknown(parts)):
            rows.append(Row((text, *cells, *[""] * len(own)), "level"))
    notes = [
        "SD: standard deviation; IQR: interquartile range. Percentages are of participants with a known value."
    ]
    if differences is not None:
        notes.append("SMD: standardised mean difference, the largest of all pairs of groups.")
        if undefined:
            notes.append(f"–: {undefined}.")
    if not undefined and any(NONE in row.cells for row in rows):
        notes.append(NOT_ESTIMATED)
    if not_recorded:
        notes.append(f"Not recorded: {', '.join(not_recorded)}.")
    heads = [f"{group.name}\nn = {count(group.n)}" for group in groups]
    last = () if differences is None else ("SMD",)
    return _made(name, title, ("Characteristic", *heads, *last), rows, notes)


def _numbers(parts: Sequence[pd.DataFrame]) -> Iterator[tuple[str, list[str]]]:
    """Mean and standard deviation, median and quartiles."""
    for label, measure, lower, upper in (
        ("Mean (SD)", "mean", "standard_deviation", ""),
        ("Median (IQR)", "median", "lower_quartile", "upper_quartile"),
    ):
        cells = []
        for part in parts:
            row = next(iter(to_records(part[part["measure"] == measure])), None)
            if row is None or pd.isna(row["estimate"]):
                cells.append(NONE)
                continue
            spread = confidence_interval(row[lower], row[upper], 1) if upper else number(row[lower], 1)
            cells.append(f"{number(row['estimate'], 1)} ({spread or NONE})")
        if set(cells) != {NONE}:
            yield label, cells


def _levels(parts: Sequence[pd.DataFrame]) -> Iterator[tuple[str, list[str]]]:
    """Numbers of participants, and their percentage among those with a value."""
    shares = [part[part["measure"] == "share"].drop_duplicates("level").set_index("level") for part in parts]
    for name in dict.fromkeys(level for part in shares for level in part.index):
        cells = [
            count_and_share(part.loc[name]) if name in part.index else "0 (0%)" if len(part) else NONE
            for part in shares
        ]
        yield select.level(name), cells


def _unknown(parts: Sequence[pd.DataFrame]) -> Iterator[tuple[str, list[str]]]:
    """Numbers of participants without a value, where there are any."""
    missing = [part.loc[part["measure"] == "missing", "n"] for part in parts]
    numbers = [float(rows.iloc[0]) if len(rows) else float("nan") for rows in missing]
    if any(n > 0 for n in numbers):
        yield "Unknown", [count(n) for n in numbers]


def _cox(tables: ReportTables, config: Config) -> JournalTable | None:
    rows, left_out = [], []
    heads = ("Adjusted for", "HR (95% CI)", "p", "n", "Events")
    for name in select.names_of(config):
        for model in select.cox_models(tables, name):
            what = f"{select.whom(name)}: {select.exposure(model.exposure).lower()}"
            if all(map(_lacks, model.rows)):
                left_out.append(_not_estimated(what, model.rows))
                continue
            rows.append(_head(f"{what}, {select.per_increase(model.per)}", heads))
            for row in model.rows:
                held = first_upper(select.adjusted_for(row)) or "Unadjusted"
                counts = count(row["n"]), count(row["n_events"])
                rows.append(Row((held, _marked(row), p_value(row["p_value"]), *counts)))
    notes = [
        f"HR: hazard ratio for death; {CI} Cox proportional hazards models of participants with complete data (Efron's method for ties, Wald intervals). "
        "Chronological age: models without face age.",
        *_marks(rows),
        *left_out,
    ]
    return _made(
        "cox_models", "Hazard ratios for death in sequentially adjusted Cox models", heads, rows, notes
    )


def _comparisons(tables: ReportTables, config: Config) -> JournalTable | None:
    rows, left_out = [], []
    heads = ("Comparison", "n", "Difference (95% CI)", "p", "Difference (95% CI)", "p", "q", "Adjusted for")
    for name in select.names_of(config):
        pairs = [(pair["raw"], pair["adjusted"]) for pair in select.comparisons(tables, name)]
        kept = [pair for pair in pairs if not all(map(_lacks, pair))]
        if lost := [row for raw, row in pairs if _lacks(raw) and _lacks(row)]:
            terms = ", ".join(dict.fromkeys(select.exposure(row["term"]) for row in lost))
            left_out.append(_not_estimated(f"{select.whom(name)}: {terms}", lost))
        rows += [_head(select.whom(name), heads)] if kept else []
        for raw, row in kept:
            rows.append(Row((
                select.comparison(row), count(row["n"]), _estimate(raw, 1), p_value(raw["p_value"]), _estimate(row, 1),
                p_value(row["p_value"]), p_value(row["q_value"]), first_upper(select.adjusted_for(row)),
            )))  # fmt: skip
    notes = [
        f"Years. Unadjusted: differences in age gap (face age minus chronological age), by Welch's t-test or linear regression. Adjusted: differences in face age, "
        f"by linear regression. Linear regression with HC3 standard errors. {CI} {Q}.",
        *_marks(rows),
        *left_out,
    ]
    title = "Differences in face age between groups, and by exposure"
    return _made("group_comparisons", title, heads, rows, notes, (("Unadjusted", 2, 2), ("Adjusted", 4, 3)))


def _gene_panel(tables: ReportTables, cohort: str) -> JournalTable | None:
    heads = ("Gene", "Log2 fold change (95% CI)", "p", "q", "Log2 fold change (95% CI)", "p", "n")
    rows, left_out, methods, per = [], [], [], ""
    for genes in select.gene_panel(tables, cohort):
        cells = select.cells_of(genes.analysis) or "bulk RNA"
        if all(map(_lacks, genes.acceleration.values())):
            left_out.append(_not_estimated(cells, [*genes.acceleration.values()]))
            continue
        per = per or select.per_increase(genes.per)
        methods += filter(None, map(words.leading_method, genes.acceleration.values()))
        held = f", adjusted for {genes.adjustment}" if genes.adjustment else ""
        rows.append(_head(f"{first_upper(cells)}{held}", heads))
        for gene, row in genes.acceleration.items():
            age = genes.age.get(gene, {"estimate": None, "ci_lower": None, "ci_upper": None, "p_value": None})
            rows.append(Row((
                (Gene(gene),), _marked(row), p_scientific(row["p_value"]), p_scientific(row["q_value"]),
                _estimate(age, 2), p_scientific(age["p_value"]), count(row["n"]),
            )))  # fmt: skip
    named = "; ".join(GENE_METHODS[one] for one in dict.fromkeys(methods)) or "models of RNA counts"
    model = GENE_MODEL.format(methods=first_upper(named))
    notes = [f"{CI} {model} {Q} over the genes of the panel.", *_marks(rows), *left_out]
    title = f"Prespecified genes and facial age acceleration, {select.whom(cohort)}"
    spanners = ((f"Age acceleration, {per}", 1, 3), (f"Chronological age, {per}", 4, 2))
    return _made(f"gene_panel_{cohort}", title, heads, rows, notes, spanners)


def _meta_analysis(tables: ReportTables, config: Config) -> JournalTable | None:
    """The forests of the pages as a table: each pooled estimate below those of its cohorts."""
    heads = (
        "Cohort",
        "n",
        "Events",
        "Weight, %",
        "Estimate (95% CI)",
        "p",
        "I², %",
        "95% prediction interval",
    )
    rows: list[Row] = []
    methods: dict[str, None] = {}
    for block in select.headline_pools(tables, config):
        p, of = p_scientific if block.genes else p_value, f": {block.of[:1].lower()}{block.of[1:]}"
        for heading, pool in block.pools:
            methods[pool.row["method"]] = None
            named: Cell = (Gene(heading), of) if block.genes else heading + of
            rows.append(_head(named, heads))
            for row in (*pool.cohorts, pool.row):
                whole = row is pool.row
                rows.append(Row((
                    select.of_cohorts(row) if whole else row["cohort"], count(row["n"]), count(row["n_events"]),
                    "100.0" if whole else number(row["weight"], 1), _marked(row, block.digits), p(row["p_value"]),
                    number(row["i2"], 1) if whole else "",
                    (confidence_interval(row["pi_lower"], row["pi_upper"], block.digits) or NONE) if whole else "",
                )))  # fmt: skip
    notes = [f"{CI} Pooled estimates: {'; '.join(methods)}. Weights by the inverse variance.", *_marks(rows)]
    return _made("meta_analysis", "Estimates by cohort and pooled over cohorts", heads, rows, notes)


def _key_results(tables: ReportTables, config: Config) -> JournalTable | None:
    heads = ("Cohort", "Adjusted for", "Estimate (95% CI)", "p", "q", "n", "Events", "Unadjusted (95% CI)")
    gene = config.expression.panel[0]
    rows: list[Row] = []

    def add(head: Cell, keys: Sequence[Key], digits: int, p: Callable[[float], str] = p_value) -> None:
        if all(_lacks(key.adjusted) for key in keys):
            return
        rows.append(_head(head, heads))
        for key in keys:
            row, raw = key.adjusted, key.unadjusted
            rows.append(Row((
                key.whom, first_upper(select.adjusted_for(row)) or NONE, _marked(row, digits), p(row["p_value"]), p(row["q_value"]), count(row["n"]),
                count(row["n_events"]), _marked(raw, digits) if raw else NONE,
            )))  # fmt: skip

    for one in select.key_questions(tables, config):
        keys, plan = one.keys, one.plan
        if not keys:
            continue
        per = select.per_increase(keys[0].adjusted["per"])
        if plan.question == SURVIVAL:
            exposure = words.term(plan.exposure)
            add(f"Overall survival ({plan.role}): hazard ratio for death {per} in {exposure}", keys, 2)
        elif plan.question == GENES:
            what = f" expression ({plan.role}): log2 fold change {per} in age acceleration"
            add((Gene(gene), what), keys, 2, p_scientific)
        elif plan.question == ADDED:
            what = f"change in Harrell's C-index when face age is added to {one.what}"
            add(f"Added value ({plan.role}): {what}", keys, 3)
        else:
            add(f"{one.what} ({plan.role}): difference in face age, years", keys, 1)
    notes = [
        f"{CI} {Q}, within the family of the analysis. Unadjusted: {gene} and comparisons, of the age gap; added value, the C-index without face age; "
        "its p-values are of the likelihood-ratio test in a cohort and of the difference where pooled.",
        *_marks(rows),
    ]
    return _made("key_results", "Key results", heads, rows, notes)


def _made(name, title, heads, rows, notes, spanners=()) -> JournalTable | None:
    """The table, or None where it has no row."""
    return JournalTable(name, title, heads, tuple(rows), tuple(notes), spanners) if rows else None


def _head(cell: Cell, heads: Sequence[str]) -> Row:
    return Row((cell, *[""] * (len(heads) - 1)), "group")


def _lacks(row: Mapping) -> bool:
    return bool(pd.isna(row["estimate"]))


def _not_estimated(what: str, rows: Sequence[Mapping]) -> str:
    why = "; ".join(select.reasons(rows))
    return f"Not estimated in {what}{f' ({why})' if why else ''}."


def _estimate(row: Mapping, digits: int) -> str:
    """Estimate and interval, as far as they are there."""
    told = [row[name] for name in ("estimate", "ci_lower", "ci_upper")]
    return NONE if pd.isna(told[0]) else words.with_ci(*told, digits)


def _marked(row: Mapping, digits: int = 2) -> str:
    """`_estimate` with the marks of sparse data and of methods that disagree."""
    told = _estimate(row, digits)
    if told == NONE:
        return told
    return told + MARK * select.is_sparse(row) + APART * words.disagree(row["reason"])


def _marks(rows: Sequence[Row]) -> list[str]:
    """What the marks in a table mean, where they occur."""
    cells = [plain(cell) for row in rows for cell in row.cells]
    return [
        *([SPARSE] if any(cell.rstrip(APART).endswith(MARK) for cell in cells) else []),
        *([DISAGREE] if any(cell.endswith(APART) for cell in cells) else []),
        *([NOT_ESTIMATED] if NONE in cells else []),
    ]
