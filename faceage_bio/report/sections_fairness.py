"""Fairness: error of face age by group, and robustness to image degradation."""

import numpy as np
import pandas as pd

from faceage_bio.core.columns import POOLED
from faceage_bio.core.config import Config
from faceage_bio.core.results.reasons import SPARSE, decode, in_words
from faceage_bio.core.tables import to_records
from faceage_bio.report import words
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.figures import forest, reference_line, to_svg
from faceage_bio.report.plot import GREY, INK, VERMILLION, of_groups
from faceage_bio.report.tables_by_place import ReportTables
from faceage_bio.report.words import count, first_upper, in_brackets, number, signed

RAW_ERROR, SAME_AGE = "mean error", "mean error at the same age"
RAW_DIFFERENCE, DIFFERENCE_AT_AGE = "unadjusted difference", "difference at the same age"
PALE = 0.3  # what is not to be interpreted
MARKS = {True: " (sparse)", False: ""}
# of a row (measure, adjustment), or of a share its outcome: its place on the page
ERRORS = {
    ("mean error", "unadjusted"): "mean",
    ("mean error", "age"): "at_age",
    ("mean absolute error", "unadjusted"): "absolute",
    ("root mean squared error", "unadjusted"): "squared",
    ("standard deviation", "unadjusted"): "spread",
    ("correlation", "unadjusted"): "correlation",
    ("slope", "unadjusted"): "slope",
}
SHARES = {
    "photo without a face": "without_face",
    "photo of low quality": "low_quality",
    "photo without an age": "failed",
}
CHANGES = {("mean change", "unadjusted"): "mean", ("standard deviation", "unadjusted"): "spread"}
LOST = {"face lost": "lost", "excluded by the quality rules": "excluded"}
SHARE = "share"
# measures of differences in years
DIFFERENCES = [f"difference in {error}" for error in ("mean error", "mean absolute error")]
RAW = ("raw_estimate", "raw_ci_lower", "raw_ci_upper", "raw_p_value")
OF_LINE = ("factor", "crossed", "group", "condition", "step", "condition_unit")
TEXTS = ("population", "factor", "crossed", "group", "within", "condition", "condition_unit")
NUMBERS = (*RAW, "n_exposed", "n_reference", "n_events_exposed", "n_events_reference", "step")
NOT_ADJUSTED = {"groups_of_age", "age_in_correlation"}  # by design: no adjusted estimate is expected


def draw_change_by_step(rows: pd.DataFrame) -> Picture:
    """Mean change of face age against the step, one panel per condition, one colour per group.

    Parameters
    ----------
    rows : DataFrame
        condition, label (of the step), series (group; the first is all photos), estimate, ci_lower, ci_upper, pale (not
        to be interpreted); in the order in which they are to stand.
    """
    import altair as alt

    series = list(dict.fromkeys(rows["series"]))
    scale = alt.Scale(domain=series, range=[INK, *of_groups(len(series) - 1)])
    reach = alt.Scale(domain=[min(0, rows["ci_lower"].min()), max(0, rows["ci_upper"].max())], nice=True)
    reach_of_series = 5 * (len(series) - 1)  # pixels on either side of the step
    beside = alt.Scale(type="point", domain=series, range=[-reach_of_series, reach_of_series])
    panels = []
    for place, (condition, part) in enumerate(rows.groupby("condition", sort=False)):
        steps = list(dict.fromkeys(part["label"]))
        title = "Change, years" if place % 4 == 0 else None
        points, axis = alt.Scale(type="point", padding=0.5), alt.Axis(labelAngle=0, grid=False)
        base = alt.Chart(part).encode(
            x=alt.X("label:N", sort=steps, title=None, scale=points, axis=axis),
            xOffset=alt.XOffset("series:N", sort=series, scale=beside),
            color=alt.Color("series:N", title=None, sort=series, scale=scale),
            opacity=alt.Opacity(
                "pale:N", scale=alt.Scale(domain=[False, True], range=[1, PALE]), legend=None
            ),
        )
        lower = alt.Y("ci_lower:Q", title=title, scale=reach)
        panel = alt.layer(
            reference_line(0),
            base.mark_rule(strokeWidth=2).encode(y=lower, y2="ci_upper:Q"),
            base.mark_point(filled=True, size=40).encode(y="estimate:Q"),
        )
        panels.append(panel.properties(width=190, height=190, title=condition))
    chart = alt.concat(*panels, columns=4, spacing=14)
    return to_svg(chart, "Mean change of face age against the step of each condition, by group")


def section(tables: ReportTables, config: Config) -> dict:
    """What the template needs: blocks (one per cohort and population; the first is open) and the stress test."""
    cohorts = list(config.cohorts)
    names = [POOLED, *cohorts] if len(cohorts) > 1 else cohorts
    known = complete(tables.get("fairness", "fairness"))
    several = known[known["cohort"] != POOLED].groupby("population")["cohort"].nunique() > 1
    blocks = [
        _block(name, population, rows)
        for name in names
        for population, rows in known[known["cohort"] == name].groupby("population", sort=False)
        if name != POOLED or several.get(population, True)  # of one cohort it would say the same again
    ]
    stress = complete(tables.get("fairness", "stress"))
    by_cohort = dict(iter(stress.groupby("cohort")))
    tests = [_stress(name, by_cohort[name]) for name in names if name in by_cohort]
    sparse = bool(known["sparse"].any())
    return {"blocks": blocks, "stress": tests, "settings": config.fairness, "sparse": sparse}


def complete(table: pd.DataFrame) -> pd.DataFrame:
    """The table with all columns of the analysis; those that a table has not are empty."""
    given = ("cohort", "question", "term", "measure", "outcome", "adjustment", "reason", "raw_reason", "note")
    table = table.reindex(columns=list(dict.fromkeys([*table.columns, *given, *TEXTS, *NUMBERS])))
    for name in (*TEXTS, "note"):
        table[name] = table[name].astype(object).where(table[name].notna(), "").astype(str)
    for name in ("term", "factor", "within"):
        table[name] = table[name].astype(str).map(words.spoken)
    reasons = table["reason"].map(decode)
    return table.assign(
        raw_note=table["raw_reason"].map(in_words),
        sparse=[any(one.status == SPARSE for one in given) for given in reasons],
        by_design=[any(one.code in NOT_ADJUSTED for one in given) for given in reasons],
    )


def _block(cohort: str, population: str, rows: pd.DataFrame) -> dict:
    groups, differences = rows[rows["question"] == "groups"], rows[rows["question"] == "differences"]
    lines = [_line(line, ERRORS, SHARES) for _, line in groups.groupby(["factor", "group"], sort=False)]
    main = (differences["within"] == "") & (differences["factor"] != "age band")
    return {
        "cohort": "all cohorts" if cohort == POOLED else cohort,
        "population": population,
        "groups": [line for line in lines if not line["crossed"]],
        "crossed": [line for line in lines if line["crossed"]],
        "has_photos": bool(((groups["measure"] == SHARE) & groups["n"].ne(0)).any()),
        "differences": _compared(differences[main]),
        "differences_within": _compared(differences[~main & ~differences["sparse"]]),
        "n_sparse": int((~main & differences["sparse"]).sum()),
        "sentences": _sentences(groups, differences),
        "figure": _error_figure(groups),
        "difference_figure": _difference_figure(differences[main]),
    }


def _compared(rows: pd.DataFrame) -> list[dict]:
    """Differences with their measure in words."""
    compared = to_records(rows)
    for row in compared:
        outcome = f" ({row['outcome']})" if row["measure"] == "difference of shares" else ""
        row["shown"] = row["measured"] + outcome
    return compared


def _line(rows: pd.DataFrame, errors: dict[tuple[str, str], str], shares: dict[str, str]) -> dict:
    """One line of the page's table: a group with all its measures."""
    found = {
        shares[row["outcome"]] if row["measure"] == SHARE else errors[row["measure"], row["adjustment"]]: row
        for row in to_records(rows)
    }
    participants, photos = rows[rows["measure"] != SHARE], rows[rows["measure"] == SHARE]
    return {
        **rows.iloc[0][[*OF_LINE]],
        "measures": {key: found.get(key) for key in (*errors.values(), *shares.values())},
        "n": participants["n"].iloc[0] if len(participants) else np.nan,
        "n_photos": photos["n"].iloc[0] if len(photos) else np.nan,
        "sparse": bool(participants["sparse"].any()),
    }


def _error_figure(groups: pd.DataFrame) -> Picture:
    """Mean error of each group, and that at the same age, one line per group."""
    shown = groups[(groups["measure"] == "mean error") & (groups["crossed"] == "")]
    kinds = shown["adjustment"].map({"unadjusted": RAW_ERROR, "age": SAME_AGE})
    shown = shown.assign(label=shown["term"] + shown["sparse"].map(MARKS), kind=kinds)
    colours = [(RAW_ERROR, GREY), (SAME_AGE, VERMILLION)]
    return forest(shown, "label", colours, 0, "Mean error (face age − chronological age), years", digits=1)


def _difference_figure(rows: pd.DataFrame) -> Picture:
    """Differences of mean and of mean absolute error, both in years: raw, and at the same age."""
    shown = rows[rows["measure"].isin(DIFFERENCES) & rows["estimate"].notna()]
    raw = shown.assign(**{name.removeprefix("raw_"): shown[name] for name in RAW[:3]}, kind=RAW_DIFFERENCE)
    both = pd.concat([raw, shown.assign(kind=DIFFERENCE_AT_AGE)])
    errors = both["measure"].str.removeprefix("difference in ")
    names = both["term"] + ", " + errors + both["sparse"].map(MARKS)
    colours = [(RAW_DIFFERENCE, GREY), (DIFFERENCE_AT_AGE, VERMILLION)]
    return forest(
        both.assign(label=names),
        "label",
        colours,
        0,
        "Difference in mean or mean absolute error, years",
        digits=1,
    )


def _sentences(groups: pd.DataFrame, differences: pd.DataFrame) -> list[str]:
    said = []
    known = groups[(groups["measure"] != SHARE) & groups["estimate"].notna()]
    everyone = known[known["factor"] == "all"].set_index("measure")
    if {"mean error", "slope"} <= set(everyone.index):
        mean, slope = everyone.loc["mean error"], everyone.loc["slope"]
        said.append(
            f"The age gap was {signed(mean['estimate'])} years on average{in_brackets(mean, 1)} in {count(mean['n'])} participants, "
            f"with a slope of {signed(slope['estimate'])} years per 10 years of age{in_brackets(slope, 1)}."
        )
    firm = differences[differences["estimate"].notna() & ~differences["sparse"]]
    known = firm[firm["within"] == ""]
    for row in to_records(known[known["measure"] == "difference in mean error"]):
        said.append(
            f"{first_upper(row['factor'])}, {row['group']}: at the same age {signed(row['estimate'])} years{in_brackets(row, 1)}; "
            f"unadjusted {signed(row['raw_estimate'])} years{in_brackets(row, 1, 'raw_')}."
        )
    return said


def _stress(cohort: str, rows: pd.DataFrame) -> dict:
    labels = [_step(row.condition, row.step, row.condition_unit) for row in rows.itertuples()]
    rows = rows.assign(label=labels)
    groups, differences = rows[rows["question"] == "stress"], rows[rows["question"] == "stress differences"]
    unchanged = groups["condition"] == "as it is"
    steps, as_it_is = groups[~unchanged], groups[unchanged]
    everybody = steps[steps["factor"] == "all"]
    lines = [
        _line(line, CHANGES, LOST) | {"label": label}
        for (_, label), line in everybody.groupby(["condition", "label"], sort=False)
    ]
    return {
        "cohort": "all cohorts" if cohort == POOLED else cohort,
        "lines": lines,
        "differences": _compared(differences),
        "n": as_it_is["n"].iloc[0] if len(as_it_is) else 0,
        "n_unusable": as_it_is["n_events"].iloc[0] if len(as_it_is) else 0,
        "sentence": _stress_sentence(everybody),
        "figure": _stress_figure(steps),
    }


def _step(condition: str, step: float, unit: str) -> str:
    if condition == "grey":
        return "no colour"
    size = signed(step, 0) if condition in ("light", "rotation") else number(step, 0)
    return f"{size}{' ' * (unit not in ('', '%'))}{unit}"


def _stress_sentence(everybody: pd.DataFrame) -> str:
    mean = everybody[(everybody["measure"] == "mean change") & everybody["estimate"].notna()]
    if mean.empty:
        return ""
    most = mean.loc[mean["estimate"].abs().idxmax()]
    return (
        f"Largest mean change in face age: {most['condition']} ({most['label']}): {signed(most['estimate'])} years{in_brackets(most, 1)} in "
        f"{count(most['n'])} photos."
    )


def _stress_figure(steps: pd.DataFrame) -> str:
    """All participants, and the groups of the first column that parts participants."""
    mean = steps[(steps["measure"] == "mean change") & steps["ci_lower"].notna()]
    parted = [name for name in dict.fromkeys(mean["factor"]) if name not in ("all", "age band")]
    shown = mean[mean["factor"].isin(["all", *parted[:1]])]
    if shown.empty:
        return ""
    unit = shown["condition_unit"]
    drawn = shown.assign(
        series=shown["group"].where(shown["factor"] != "all", "all photos"),
        label=[_step(row.condition, row.step, "") for row in shown.itertuples()],
        pale=shown["sparse"],
        condition=shown["condition"] + unit.where(unit == "", ", " + unit),
    )
    return draw_change_by_step(
        drawn[["condition", "label", "series", "estimate", "ci_lower", "ci_upper", "pale"]]
    )
