"""The section on what face age adds to what is known without it."""

import pandas as pd

from faceage_bio.core.columns import AGES_COMPARED, column_words
from faceage_bio.core.config import Config
from faceage_bio.core.tables import to_records
from faceage_bio.report import words
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.figures import INNER, coloured, reference_line, to_svg
from faceage_bio.report.plot import BROWN, GREY, INK, VERMILLION
from faceage_bio.report.tables_by_place import ReportTables, rows_by
from faceage_bio.report.words import counted, interval, number, p_equals, signed, time_words

WITHOUT, WITH = GREY, VERMILLION
LOWEST_BENEFIT = -0.05
PANEL = 258  # width and height
DIGITS = 3
ORDER = ("Harrell's C", "Uno's C", "AUC", "Brier score", "scaled Brier score", "integrated Brier score")
DIFFERENCES = {f"difference of {measure}": measure for measure in ORDER}
ADDS_BELOW = 0.05  # of the likelihood ratio, below which the sentence says that face age adds


def _colour(names: list[str]):
    colours = dict(zip(names, (WITHOUT, WITH), strict=False))
    return coloured("model", colours, symbolType="square", symbolOpacity=1, columns=1, labelLimit=560)


def draw_areas(rows: pd.DataFrame) -> Picture:
    """Areas under the curve at each time, without and with face age, a panel per question."""
    import altair as alt

    rows = rows.assign(time=rows.horizon.map(time_words), far=rows.ci_upper.fillna(rows.estimate))
    order = list(dict.fromkeys(rows.sort_values("horizon")["time"]))
    low = min(0.5, rows.ci_lower.fillna(rows.estimate).min())
    scale = alt.Scale(domain=[max(0, low - 0.02), min(1, rows.far.max() + 0.02)], nice=False, zero=False)
    panels = []
    for question, mine in rows.groupby("comparison", sort=False):
        names = list(dict.fromkeys(mine["model"]))
        mine = mine.assign(which=mine.model.map({names[0]: "without", names[-1]: "with"}))
        base = alt.Chart(mine).encode(
            x=alt.X("time:N", sort=order, title=None, axis=alt.Axis(labelAngle=0, grid=False)),
            xOffset=alt.XOffset("which:N", sort=["without", "with"], scale=alt.Scale(paddingOuter=0.6)),
            color=_colour(names),
        )
        lower, middle = (alt.Y(f"{one}:Q", title="AUC", scale=scale) for one in ("ci_lower", "estimate"))
        panel = alt.layer(
            reference_line(0.5, dash=(3, 3), scale=scale, title="AUC"),
            base.mark_rule(strokeWidth=2).encode(y=lower, y2="ci_upper:Q"),
            base.mark_point(filled=True, size=60, opacity=1).encode(y=middle),
        )
        title = alt.Title(words.comparison_title(question), anchor="start", fontSize=13)
        panels.append(panel.properties(width=INNER, height=190, title=title))
    chart = alt.vconcat(*panels, spacing=14).resolve_scale(color="independent")
    return to_svg(chart, "Areas under the curve by time, without and with face age, with 95% CIs")


def draw_calibration(rows: pd.DataFrame, names: list[str], titles: list[str]) -> Picture:
    """Observed against predicted risk, a panel per time and model: smooth curve with its band, groups with their intervals."""
    import altair as alt

    columns = []
    for time, at in rows[rows.kind.isin(["curve", "group"])].groupby("horizon"):
        ends = at[["predicted", "estimate", "ci_upper"]]
        top = min(1.0, 1.02 * float(ends.max().max()))
        scale = alt.Scale(domain=[0, top], nice=False, clamp=False)
        panels = []
        for place, (name, colour) in enumerate(zip(names, (WITHOUT, WITH), strict=True)):
            mine = at[at.model == name]
            shared = {"scale": scale, "axis": alt.Axis(format="%", tickCount=4)}
            x = alt.X("predicted:Q", title="Predicted" if place else None, **shared)
            y, lower = (
                alt.Y(f"{column}:Q", title=f"Observed, {time_words(time)}", **shared)
                for column in ("estimate", "ci_lower")
            )
            curve, groups = alt.Chart(mine[mine.kind == "curve"]), alt.Chart(mine[mine.kind == "group"])
            right = alt.Chart(pd.DataFrame({"predicted": [0, top], "estimate": [0, top]}))
            panel = alt.layer(
                right.mark_line(color=INK, opacity=0.5, strokeDash=[3, 3]).encode(x=x, y=y),
                curve.mark_area(opacity=0.16, color=colour, clip=True).encode(x=x, y=lower, y2="ci_upper:Q"),
                curve.mark_line(color=colour, strokeWidth=2, clip=True).encode(x=x, y=y),
                groups.mark_rule(color=INK, opacity=0.7, clip=True).encode(x=x, y=lower, y2="ci_upper:Q"),
                groups.mark_point(filled=True, size=40, color=INK, opacity=0.9).encode(x=x, y=y),
            )
            title = alt.Title(titles[place], fontSize=12)
            panels.append(panel.properties(width=PANEL, height=PANEL, title=title))
        columns.append(alt.vconcat(*panels, spacing=10))
    return to_svg(alt.hconcat(*columns, spacing=18), "Observed against predicted risk of death, with 95% CIs")


def draw_decisions(rows: pd.DataFrame, titles: list[str]) -> Picture:
    """Net benefit by threshold, a panel per time: either model, treat all, treat none."""
    import altair as alt

    order = [*titles, "treat all", "treat none"]
    colours = alt.Scale(domain=order, range=[WITHOUT, WITH, BROWN, INK])
    dashes = alt.Scale(domain=order, range=[[1, 0], [1, 0], [6, 3], [2, 3]])
    dash = alt.StrokeDash("term:N", title=None, sort=order, legend=None, scale=dashes)
    panels = []
    for place, (time, at) in enumerate(rows.groupby("horizon")):
        scale = alt.Scale(domain=[LOWEST_BENEFIT, max(0.02, 1.05 * at.estimate.max())], nice=False)
        legend = alt.Legend(columns=2, labelLimit=320, symbolType="stroke", symbolStrokeWidth=3)
        axis, title = alt.Axis(format="%", tickCount=4), f"Threshold probability, {time_words(time)}"
        panel = (
            alt.Chart(at)
            .mark_line(strokeWidth=2, clip=True)
            .encode(
                x=alt.X("threshold:Q", title=title, axis=axis),
                y=alt.Y("estimate:Q", title=None if place else "Net benefit", scale=scale),
                color=alt.Color(
                    "term:N", title=None, sort=order, legend=None if place else legend, scale=colours
                ),
                strokeDash=dash,
            )
        )
        panels.append(panel.properties(width=PANEL, height=PANEL))
    return to_svg(alt.hconcat(*panels, spacing=18), "Net benefit by threshold probability")


def added_value_section(tables: ReportTables, name: str, config: Config) -> dict:
    """Per question: sentence, measures of both models and their difference, figures."""
    found = tables.several("survival", name, "added_value", "calibration", "decision_curve")
    rows = found[0]
    told = [
        _question(*(table[table.comparison == comparison] for table in found))
        for comparison in dict.fromkeys(rows["comparison"])
    ]
    areas = rows[(rows.measure == "AUC") & (rows.kind == "model") & rows.estimate.notna()]
    figure = draw_areas(areas.assign(model=areas.model.map(column_words))) if len(areas) else ""
    return {"added": told, "added_figure": figure}


def _question(rows: pd.DataFrame, calibration: pd.DataFrame, decisions: pd.DataFrame) -> dict:
    question = rows["comparison"].iloc[0]
    models = list(dict.fromkeys(rows.loc[rows.kind == "model", "term"]))
    names = [column_words(model) for model in models]
    titles = names if question == AGES_COMPARED else ["without face age", "with face age"]
    shown = calibration[calibration.estimate.notna()]
    shown = shown.assign(model=shown.model.map(column_words))
    curves = decisions[decisions.estimate.notna()]
    curves = curves.assign(term=curves.term.replace(dict(zip(models, titles, strict=False))))
    compared = f"{names[0]}, without and with face age" if names else ""
    large = calibration.loc[calibration.kind == "in the large", "horizon"]
    calibrated = len(names) and (shown.kind == "curve").any()
    return {
        "question": question,
        "title": words.comparison_title(question),
        "sentence": sentence(rows),
        "names": names,
        "titles": titles,
        "models": " vs ".join(names) if question == AGES_COMPARED else compared,
        "n": rows["n"].iloc[0],
        "n_events": rows["n_events"].iloc[0],
        "note": next(iter(rows.loc[rows.estimate.notna(), "note"]), ""),
        "tests": to_records(rows[(rows.kind == "test") & rows.estimate.notna()]),
        "measures": _measures(rows[rows.kind != "test"], models),
        "calibrated": _calibrated(calibration, titles),
        "large_times": [time_words(time) for time in sorted(large.unique())],
        "calibration_figure": draw_calibration(shown, names, titles) if calibrated else "",
        "decision_figure": draw_decisions(curves, titles) if len(names) and len(curves) else "",
    }


def _calibrated(rows: pd.DataFrame, titles: list[str]) -> list[dict]:
    """One line per model: its slope, and observed over predicted risk at each time."""
    lines = []
    for title, (_, mine) in zip(titles, rows.groupby("model", sort=False), strict=False):
        slope = to_records(mine[mine.kind == "slope"])[0]
        large = to_records(mine[mine.kind == "in the large"].sort_values("horizon"))
        lines.append({"title": title, "slope": slope, "large": large})
    return lines


def _measures(rows: pd.DataFrame, models: list[str]) -> list[dict]:
    """The lines of the table, measure by measure, each at its times."""
    rows = rows.assign(measure=rows.measure.replace(DIFFERENCES))
    found = dict(iter(rows.groupby(["measure", "horizon"], dropna=False)))
    keys = sorted(found, key=lambda key: (ORDER.index(key[0]), key[1]))
    return [_measure(found[key], models) for key in keys]


def _measure(rows: pd.DataFrame, models: list[str]) -> dict:
    """One line of the table: both models, and the second less the first."""
    found = rows_by(rows, "term")
    first = rows.iloc[0]
    return {
        "measure": label(first.measure, first.horizon),
        "models": [found.get(model) for model in models],
        "difference": found.get("difference"),
        "note": first.note if pd.isna(first.estimate) else "",
    }


def label(measure: str, horizon: float) -> str:
    """A measure and its time: "AUC at 6 months"."""
    return measure if pd.isna(horizon) else f"{measure} at {time_words(horizon)}"


def sentence(rows: pd.DataFrame) -> str:
    """What the question's models say, also where they say nothing."""
    question = rows["comparison"].iloc[0]
    tests = rows[(rows.kind == "test") & rows.estimate.notna()]
    if not len(tests):
        return f"{words.comparison_title(question)}: {rows['note'].iloc[0]}."
    c = rows[rows.measure.replace(DIFFERENCES) == "Harrell's C"].set_index("kind")
    first, second = c.loc["model"].iloc[0], c.loc["model"].iloc[1]
    on_whom = f"In the same {counted(first.n, 'participant')} ({counted(first.n_events, 'death')})"
    held = " and ".join(column_words(first.term).rsplit(" + ", 1)).replace(" + ", ", ")
    redacted = pd.isna(first.estimate) or pd.isna(second.estimate)
    verdict = (
        _both_added(tests) if question == AGES_COMPARED else _adds(tests, held if redacted else "this model")
    )
    verdict += _thin(first.reason)
    if redacted:
        return f"{on_whom}: Harrell's C-index {first.note or second.note}. {verdict}"
    values, told = [number(one.estimate, DIGITS) for one in (first, second)], _difference(c.loc["difference"])
    if question == AGES_COMPARED:
        return f"{on_whom}, Harrell's C-index was {values[1]} for face age alone and {values[0]} for chronological age alone ({told}). {verdict}"
    moved = round(second.estimate, DIGITS) - round(first.estimate, DIGITS)
    verb = "increased" if moved > 0 else "decreased" if moved < 0 else "did not change"
    change = f"from {values[0]} to {values[1]}" if moved else f"of {values[0]}"
    return f"{on_whom}, adding face age to {held} {verb} Harrell's C-index {change} ({told}). {verdict}"


def _difference(row: pd.Series) -> str:
    details = []
    if pd.notna(row.ci_lower):
        details.append(f"95% CI {interval(row.ci_lower, row.ci_upper, DIGITS)}")
    if pd.notna(row.corrected):
        details.append(f"{signed(row.corrected, DIGITS)} after correction for optimism")
    return "; ".join([f"difference {signed(row.estimate, DIGITS)}", *details])


def _adds(tests: pd.DataFrame, held: str) -> str:
    p = tests["p_value"].iloc[0]
    if p < ADDS_BELOW:
        return f"Face age adds prognostic information to {held} (likelihood-ratio test, p {p_equals(p)})."
    return f"No evidence that face age adds prognostic information to {held} (likelihood-ratio test, p {p_equals(p)}); this is not evidence of no added value."


def _both_added(tests: pd.DataFrame) -> str:
    parts = []
    for row in tests.itertuples():
        which, other = row.term.split(" added to ")
        adds = "adds" if row.p_value < ADDS_BELOW else "was not shown to add"
        parts.append(f"{which} {adds} prognostic information to {other} (p {p_equals(row.p_value)})")
    return f"By likelihood-ratio tests, {' and '.join(parts)}."


def _thin(reason: str) -> str:
    caution = words.sparse(reason)
    return f" Interpret with caution: {caution}." if caution else ""
