"""From a clinical table to points, totals and groups; numbers are compared as numbers, and what is missing is
never a zero. And the same score with chronological age, and with face age in its place: at the same cut, at a
matched cut, and without cuts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from faceage_bio.analyses.scores.definition import Item, Score
from faceage_bio.core import parse
from faceage_bio.core.columns import AGE, COHORT, FACE_AGE, SUBJECT
from faceage_bio.core.errors import CohortError, FitError, Problems
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import result_rows

COMPARISONS = {">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal}
NO_SCORE, PARTICIPANTS = "no score", "participants"
BY_AGE, FIXED, MATCHED = "age", "face age, fixed cut", "face age, matched cut"
CONTINUOUS_AGE, CONTINUOUS_FACE = "age, continuous", "face age, continuous"


@dataclass(frozen=True)
class Answers:
    """The checked values of a score's items, and what a participant lacks.

    ``values``: one column per item (by label), floats or words, missing where not known; ``lacks``: for each
    person the reasons why there is no score, "" where there is one.
    """

    values: pd.DataFrame
    lacks: pd.Series

    def of(self, chosen: pd.Series) -> "Answers":
        """Of the chosen participants, those who lack nothing."""
        complete = (self.lacks == "") & chosen
        return Answers(self.values[complete], self.lacks[complete])


def absent_columns(table: pd.DataFrame, score: Score) -> list[str]:
    """Columns that the score needs and the table does not have, or has for no participant."""

    def is_empty(name: str) -> bool:
        return name not in table or parse.is_missing(_cells(table[name])).all()

    return list(filter(is_empty, score.columns))


def renamed(table: pd.DataFrame, columns: Sequence[str], source: str) -> pd.DataFrame:
    """The table with our names beside the user's: ``chronological_age=age``.

    Raises
    ------
    CohortError
        Not of this form, or the table has no such column.
    """
    table = table.copy()
    for pair in columns:
        ours, _, theirs = pair.partition("=")
        if theirs not in table:
            raise CohortError(
                f"{source}: --column {pair!r}: expected ours=yours with a column that the table has: "
                f"{', '.join(map(str, table.columns))}. Correct the name."
            )
        table[ours] = table[theirs]
    return table


def read_answers(table: pd.DataFrame, score: Score, source: str, lines: Sequence[int]) -> Answers:
    """Values of all items, each against its range or its list of words.

    Parameters
    ----------
    table : DataFrame with the score's columns, as typed (text) or with types
    source, lines : file, and the line (or row) of each row in it, for the errors

    Raises
    ------
    CohortError
        A column is not there, or cells are not what their item needs: all of them, with line, value and
        expectation.
    """
    if lacking := [name for name in score.columns if name not in table]:
        raise CohortError(
            f"{source}: line 1 lacks the column(s) {', '.join(map(repr, lacking))} of {score.title}; it has "
            f"{', '.join(map(str, table.columns))}. Expected all of them. Name them so, or say which of yours they are (columns in the config, --column)."
        )
    problems = Problems()
    values, reasons = {}, []
    for item in score.items:
        cells = _cells(table[item.column]).set_axis(list(lines))
        read = _words if item.is_words else _numbers
        values[item.label], unclear = read(cells, item, source, problems)
        known = values[item.label].notna().to_numpy()
        why = np.where(unclear, f"{item.column} does not tell", f"{item.column} not known")
        reasons.append(np.where(known, "", why))
    problems.stop_if_any()
    lacks = ["; ".join(dict.fromkeys(filter(None, row))) for row in zip(*reasons, strict=True)]
    frame = pd.DataFrame({label: column.to_numpy() for label, column in values.items()}, index=table.index)
    return Answers(frame, pd.Series(lacks, index=table.index, dtype=object))


def item_points(
    answers: Answers, score: Score, replaced: Mapping[str, pd.Series] | None = None
) -> pd.DataFrame:
    """Points per participant and item; missing where the value is.

    Parameters
    ----------
    replaced : label of an item -> whether each person fulfils it, instead of its own rule
    """
    points = {}
    for item in score.items:
        values = answers.values[item.label]
        fulfilled = (replaced or {}).get(item.label)
        fulfilled = fulfils(values, item) if fulfilled is None else fulfilled
        points[item.label] = fulfilled.astype("float64").mul(item.points).where(values.notna())
    return pd.DataFrame(points, index=answers.values.index)


def fulfils(values: pd.Series, item: Item, threshold: float | None = None) -> pd.Series:
    """Whether each value fulfils the item's rule, at another threshold if one is given; False where missing."""
    if item.values is not None:
        wanted = [str(value).casefold() for value in item.values] if item.is_words else item.values
        inside = values.isin(wanted)
        return (inside if item.rule == "in" else ~inside) & values.notna()
    cut = item.threshold if threshold is None else threshold
    return pd.Series(COMPARISONS[item.rule](values.to_numpy(dtype=np.float64), cut), index=values.index)


def totals_and_groups(points: pd.DataFrame, score: Score) -> tuple[pd.Series, pd.Series]:
    """Total points and group; missing where any item is."""
    totals = points.sum(axis=1, skipna=False)
    groups = totals.map(lambda total: score.group_of(total), na_action="ignore").astype(object)
    return totals, groups.where(totals.notna(), None)


def score_people(
    table: pd.DataFrame, score: Score, name: str, source: str, lines: Sequence[int]
) -> pd.DataFrame:
    """One row per participant: points of each item, total, group, or the reason why there is no score.

    Returns
    -------
    DataFrame
        cohort and subject_id where the table has them, line (in the file), definition (``name``), "points:
        ..." per item, total, group, reason.
    """
    answers = read_answers(table, score, source, lines)
    points = item_points(answers, score)
    totals, groups = totals_and_groups(points, score)
    keys = table[[name for name in (COHORT, SUBJECT) if name in table]].assign(line=list(lines))
    keys = keys.assign(definition=name).join(points.add_prefix("points: "))
    return keys.assign(total=totals, group=groups, reason=answers.lacks)


def summarise_scores(scored: pd.DataFrame, score: Score, name: str, cohort: str) -> pd.DataFrame:
    """The definition, how many have each point, each group and no score for which reason, as result rows."""
    base = _head(score, name, cohort)
    rows = [base | _about(score)]
    base["measure"] = PARTICIPANTS
    for item in score.items:
        points = scored[f"points: {item.label}"]
        counted = {"n": int(points.notna().sum()), "estimate": int(points.fillna(0).ne(0).sum())}
        about = {"question": "items", "term": item.label, "column": item.column, "points": item.points}
        rows.append(base | about | counted | {"rule": item.shown_rule})
    n_scored = int(scored["group"].notna().sum())
    for group in score.groups:
        counted = {"n": n_scored, "estimate": int((scored["group"] == group.name).sum())}
        rule = f"{group.points[0]:g} to {group.points[1]:g} points"
        rows.append(base | {"question": "groups", "term": group.name, "rule": rule} | counted)
    without = scored.loc[scored["group"].isna(), "reason"]
    for lacks, count in without.value_counts().sort_index().items():
        counted = {"n": len(scored), "estimate": int(count)}
        rows.append(base | {"question": NO_SCORE, "term": lacks} | counted)
    return result_rows(rows, "scores/scored")


def not_scored(score: Score, name: str, cohort: str, missing: Sequence[str]) -> pd.DataFrame:
    """What stands in place of a score whose columns are not there."""
    base = _head(score, name, cohort)
    groups = {"question": "groups", "term": "all", "measure": PARTICIPANTS, "reason": lacking(missing)}
    return result_rows([base | _about(score), base | groups], "scores/scored")


def lacking(missing: Sequence[str]) -> Reason:
    """Which columns a cohort does not have."""
    return reason("lacks_columns", columns=" and no ".join(missing))


def _head(score: Score, name: str, cohort: str) -> dict:
    return {COHORT: cohort, "score": name, "model": score.title}


def _about(score: Score) -> dict:
    cited = f"{score.citation}, doi:{score.doi}" if score.doi else score.citation
    about = {"question": "definition", "term": score.name, "measure": "items", "estimate": len(score.items)}
    return about | {"citation": cited, "published": score.published}


def _cells(column: pd.Series) -> pd.Series:
    """Cells as text, as they would be typed; numbers keep all their digits."""

    def typed(value: object) -> str:
        text = "" if pd.isna(value) else str(value).strip()
        return text.removesuffix(".0") if isinstance(value, float) else text

    return column.map(typed).astype(object)


def _numbers(cells: pd.Series, item: Item, source: str, problems: Problems) -> tuple[pd.Series, np.ndarray]:
    meant = {word.casefold(): f"{number:g}" for word, number in item.words.items()}
    translated = cells.map(lambda cell: meant.get(cell.casefold(), cell))
    strange = parse.to_numbers(translated).isna() & ~parse.is_missing(translated) & bool(item.words)
    advice = f'Expected {", ".join(item.words)} for "{item.label}". Write one of them, or leave the cell empty if it is not known.'
    problems.where(source, cells.rename(item.column), strange, advice)
    values = parse.numbers(translated.mask(strange, ""), item.column, source, problems)
    low, high = item.range
    odd = (values < low) | (values > high) | (values % 1 != 0 if item.whole else False)
    kind = "a whole number" if item.whole else "a number"
    words = f", or {', '.join(item.words)}" if item.words else ""
    unit = f" ({item.unit})" if item.unit else ""
    for line in cells.index[odd & values.notna() & np.isfinite(values)]:
        problems.cell(
            source, line, item.column, cells[line],
            f'Expected {kind} from {low:g} to {high:g}{unit}{words} for "{item.label}"; leave the cell empty if it is not known.',
        )  # fmt: skip
    return values, np.zeros(len(cells), dtype=bool)


def _words(cells: pd.Series, item: Item, source: str, problems: Problems) -> tuple[pd.Series, np.ndarray]:
    folded = cells.str.casefold()
    missing, unclear = parse.is_missing(cells), folded.isin([word.casefold() for word in item.unclear])
    known = folded.isin([word.casefold() for word in item.allowed])
    for line in cells.index[~known & ~unclear & ~missing]:
        problems.cell(
            source, line, item.column, cells[line],
            f'Expected one of {", ".join(item.allowed)} for "{item.label}"; declare what other words mean under codings.',
        )  # fmt: skip
    return folded.where(known, None), (unclear & ~missing).to_numpy()


@dataclass(frozen=True)
class Version:
    """A score computed with one of the ages.

    ``name``: which; ``totals`` and ``groups`` per person; ``age_points``: points from the items on age;
    ``cuts``: the age of each of these items' rules, by label; ``reason``: what cannot be had exactly.
    """

    name: str
    totals: pd.Series
    groups: pd.Series
    age_points: pd.Series
    cuts: dict[str, float]
    reason: Reason | None = None


@dataclass(frozen=True)
class Swap:
    """All versions with cuts, on the same participants, and the points of the items that are not on age."""

    versions: list[Version]
    other_points: pd.Series
    failed: dict[str, Reason] = field(default_factory=dict)  # name of a version -> why it is not there


def swap_ages(people: pd.DataFrame, answers: Answers, score: Score) -> Swap:
    """The score with age, with face age at the same cuts, and with face age at cuts that as many participants
    are above.

    Parameters
    ----------
    people : DataFrame
        chronological_age and face_age, nothing missing in them or in the answers.
    """
    items = [item for item in score.items if item.column == AGE]
    labels = [item.label for item in items]
    faces = people[FACE_AGE].astype("float64")

    def version(name: str, replaced: dict | None, cuts: dict, remark: Reason | None = None) -> Version:
        points = item_points(answers, score, replaced)
        totals, groups = totals_and_groups(points, score)
        return Version(name, totals, groups, points[labels].sum(axis=1), cuts, remark)

    own = {item.label: item.threshold for item in items}
    versions = [version(BY_AGE, None, own)]
    versions.append(version(FIXED, {item.label: fulfils(faces, item) for item in items}, own))
    others = item_points(answers, score).drop(columns=labels).sum(axis=1)
    try:
        cuts = {item.label: matched_cut(people[AGE], faces, item) for item in items}
    except FitError as error:
        return Swap(versions, others, {MATCHED: error.reason})
    replaced = {item.label: fulfils(faces, item, cuts[item.label]) for item in items}
    tied = any(replaced[item.label].sum() != fulfils(people[AGE], item).sum() for item in items)
    remark = reason("tied_face_ages") if tied else None
    return Swap([*versions, version(MATCHED, replaced, cuts, remark)], others)


def matched_cut(ages: pd.Series, faces: pd.Series, item: Item) -> float:
    """The face age that divides participants in the same shares as the item's threshold divides their ages.

    It lies halfway between two face ages that occur. Where ties make equal shares impossible, the nearest
    shares are taken.

    Raises
    ------
    FitError
        The rule is none of >, >=, <, <=, or all participants or no participant fulfils it by age.
    """
    if item.threshold is None:
        raise FitError("no_cut", rule=item.rule)
    wanted = int(fulfils(ages, item).sum())
    if wanted in (0, len(ages)):
        whom = "no participant" if wanted == 0 else "each participant"
        raise FitError("all_or_none_fulfil", whom=whom, rule=f"{item.rule} {item.threshold:g}")
    values = np.unique(faces)
    if len(values) < 2:
        raise FitError("one_face_age")
    between = (values[:-1] + values[1:]) / 2
    reached = np.array([int(fulfils(faces, item, cut).sum()) for cut in between])
    return float(between[np.argmin(np.abs(reached - wanted))])
