"""Kaplan-Meier curves by group and competing risks on the survival page, with risk tables as ggsurvfit draws them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from faceage_bio.core.config import Config
from faceage_bio.core.results.reasons import NOT_ESTIMATED, decode, encode, in_words
from faceage_bio.core.settings.settings_survival import Survival
from faceage_bio.core.tables import to_records
from faceage_bio.report import plot
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.plot import WIDTH, of_groups
from faceage_bio.report.tables_by_place import ReportTables, rows_by
from faceage_bio.report.words import UNITS, count, p_equals, term, why_not

ALL = "all"
RMST = "restricted mean survival time"
HAZARD_RATIOS = ("cause-specific hazard ratio", "subdistribution hazard ratio")
CURVE = ["group", "panel", "years", "height", "ci_lower", "ci_upper", "censored"]  # of `step_curves`
DASHES = ["", "7 3", "3 3", "9 3 2 3", "2 2", "5 2"]
LINE = 18  # units of a row of the risk table
MOST_TICKS = 12
LONGEST = 200  # units of a group's name
SEEN = 0.25  # units by which a curve falls before it is drawn lower
HEIGHTS = [0, 0.25, 0.5, 0.75, 1]


class Panel(NamedTuple):
    """One set of axes: which curves, the title of its axis of heights, and the test between groups in words."""

    name: str
    title: str
    test: str = ""


def step_curves(
    curves: pd.DataFrame,
    at_risk: pd.DataFrame,
    order: Sequence[str],
    panels: Sequence[Panel],
    time: str,
    label: str,
    *,
    medians: Mapping[str, float] | None = None,
    width: float = plot.WIDTH,
) -> Picture:
    """Steps with 95% bands and a tick at each censoring time, and below them the numbers at risk.

    Parameters
    ----------
    curves : DataFrame
        group, panel, years, height, ci_lower, ci_upper, censored (how many at that time); until the end of follow-up.
    at_risk : DataFrame
        group, years, shown (the number as text); at the ticks of the axis of time.
    order : groups as they are to stand
    panels : below each other
    time : title of the axis of time
    label : what the figure is, for screen readers
    medians : times at which a group's curve reaches one half, which are marked by lines
    width : of the figure
    """
    curves = curves[curves["group"].isin(order) & curves["height"].notna()]
    at_risk = at_risk[at_risk["group"].isin(order)]
    ticks = sorted(at_risk["years"].unique())
    ticks = ticks[:: 1 + (len(ticks) - 1) // MOST_TICKS]
    at_risk = at_risk[at_risk["years"].isin(ticks)]
    end = max(float(curves["years"].max()), *map(float, ticks))
    names = [plot.shortened(str(group), LONGEST) for group in order]
    left = max(62, 46 + max(map(plot.text_width, [*names, "No. at risk"])))
    across = plot.Scale(0, end, left, width - 24)
    dashes = (DASHES[k % len(DASHES)] for k in range(len(order)))
    styles = dict(zip(order, zip(of_groups(len(order)), dashes, strict=True), strict=True))
    parts, top = [], 14.0
    if len(order) > 1:
        keys = [
            (plot.line("M-10 0h22", *_style(styles[group])), name)
            for group, name in zip(order, names, strict=True)
        ]
        drawn, high = plot.legend(keys, left, top, width - 24)
        parts, top = [drawn], top + high
    for panel in panels:
        bottom = top + (330 if len(panels) == 1 else 220)
        up = plot.Scale(0, 1, bottom, top + 6)
        mine = curves[curves["panel"] == panel.name]
        parts.append(
            plot.y_axis(
                up, HEIGHTS, left, f"{panel.title} (%)", [f"{100 * one:g}" for one in HEIGHTS], width - 24
            )
        )
        parts.append(plot.x_axis(across, ticks, bottom, time, [f"{tick:g}" for tick in ticks]))
        parts += [_band(mine[mine["group"] == group], across, up, styles[group][0]) for group in order]
        parts.append(_median_lines(medians or {}, across, up))
        parts += [_steps(mine[mine["group"] == group], across, up, *styles[group]) for group in order]
        if panel.test:
            parts.append(plot.text(width - 28, top + 18, panel.test, "end", halo=True))
        top = bottom + 58
    parts.append(plot.text(2, top + 4, "No. at risk", bold=True))
    for group, name in zip(order, names, strict=True):
        top += LINE
        parts.append(
            f'<g transform="translate(12 {top:g})">{plot.line("M-10 0h20", *_style(styles[group]))}</g>'
        )
        parts.append(plot.text(28, top + 4, name))
        mine = at_risk[at_risk["group"] == group]
        parts += [
            plot.text(across(years), top + 4, n, "middle")
            for years, n in zip(mine["years"], mine["shown"], strict=True)
        ]
    return plot.svg(label, width, top + 14, parts, curves[CURVE])


def _style(style: tuple[str, str]) -> tuple[str, float, float, str]:
    colour, dash = style
    return colour, 2.2, 1, dash


def _corners(x: np.ndarray, y: np.ndarray) -> str:
    """A curve in steps from left to right, where it changes by what can be seen."""
    d, at = f"{x[0]:.1f} {y[0]:.1f}", y[0]
    for across, up in zip(x, y, strict=True):
        if abs(up - at) >= SEEN:
            d += f"H{across:.1f}V{up:.1f}"
            at = up
    return f"{d}H{x[-1]:.1f}"


def _steps(mine: pd.DataFrame, across: plot.Scale, up: plot.Scale, colour: str, dash: str) -> str:
    """A group's curve and its censoring ticks."""
    if not len(mine):
        return ""
    x, y = across(mine["years"].to_numpy(float)), up(mine["height"].to_numpy(float))
    censored = (mine["censored"] > 0).to_numpy()
    digits = 1 if censored.sum() <= plot.MOST_POINTS else 0
    places = zip(x[censored].round(digits), y[censored].round(digits), strict=True)
    ticks = [f"M{a:g} {b - 4.5:g}v9" for a, b in places]
    ticks = ticks if digits else list(dict.fromkeys(ticks))
    d = "".join(ticks)
    marks = f'<path class="censored" d="{d}" stroke="{colour}" stroke-width="1.4"/>' if ticks else ""
    return plot.line(f"M{_corners(x, y)}", *_style((colour, dash))) + marks


def _band(mine: pd.DataFrame, across: plot.Scale, up: plot.Scale, colour: str) -> str:
    """The 95% band, in steps as its curve."""
    known = mine[mine["ci_lower"].notna() & mine["ci_upper"].notna()]
    if len(known) < 2:
        return ""
    x = across(known["years"].to_numpy(float))
    upper, lower = (up(known[end].to_numpy(float)) for end in ("ci_upper", "ci_lower"))
    # the lower end from right to left: each height holds from its time to the next
    back = _corners(x[::-1], np.append(lower[-2::-1], lower[0]))
    return f'<path d="M{_corners(x, upper)}L{back}Z" fill="{colour}" opacity=".14"/>'


def _median_lines(medians: Mapping[str, float], across: plot.Scale, up: plot.Scale) -> str:
    """From the axis at one half to each curve, and down to its median."""
    reached = [years for years in medians.values() if pd.notna(years) and years <= across.high]
    if not reached:
        return ""
    down = "".join(f"M{across(years):.1f} {up(0.5):.1f}V{up(0):.1f}" for years in reached)
    return plot.line(
        f"M{across(0):.1f} {up(0.5):.1f}H{across(max(reached)):.1f}{down}", opacity=0.6, dash="4 4"
    )


def curves_section(tables: ReportTables, name: str, config: Config, width: float = WIDTH) -> dict:
    """Kaplan-Meier curves and what is read off them, one part for each declared grouping."""
    names = ("summary", "kaplan_meier", "at_risk")
    summary, curves, at_risk = tables.several("survival", name, *names)
    if not len(summary):
        return {"curves": [], "curves_overall": {}, "curves_why": ""}
    everybody = rows_by(summary[summary["grouping"] == ALL], "measure")
    why = next((why_not(row["reason"]) for row in everybody.values() if row["status"] == NOT_ESTIMATED), "")
    drawn = curves.rename(columns={"survival": "height"}).assign(panel="survival")
    parts = []
    for part, rows in _groupings(summary, at_risk, config):
        lines = _lines(rows)
        medians = {line["group"]: line["median"]["estimate"] for line in lines if line["median"]}
        log_rank = (row for row in part["tests"] if row["measure"] == "log-rank chi-square")
        panel = Panel("survival", "Overall survival", next((_test("Log-rank", row) for row in log_rank), ""))
        part |= {
            "lines": lines,
            "tests_remark": _remark(part["tests"][0]) if part["tests"] else "",
            "reference": _reference(lines),
        }
        what = "Kaplan-Meier curves by"
        parts.append(part | {"figure": _figure(drawn, at_risk, part, [panel], what, config, medians, width)})
    return {"curves": parts, "curves_overall": everybody, "curves_why": why if not len(curves) else ""}


def competing_section(tables: ReportTables, name: str, config: Config) -> dict:
    """Cumulative incidence by group, Gray's tests and both kinds of hazard ratio."""
    names = ("competing_risks", "cumulative_incidence", "incidence_at_risk")
    rows, curves, at_risk = tables.several("survival", name, *names)
    none = {"competing": [], "competing_models": [], "competing_why": "", "competing_note": ""}
    if not len(rows):
        return none | {"competing_why": "no table came in"}
    if not rows["estimate"].notna().any():
        return none | {"competing_why": why_not(rows["reason"].iloc[0])}
    # the same in every row, shown once
    shared = [one for one in decode(rows["reason"].iloc[0]) if one.code == "without_unknown_cause"]
    own = [[one for one in decode(cell) if one not in shared] for cell in rows["reason"]]
    rows = rows.assign(note=[in_words(encode(reasons)) for reasons in own])
    drawn = curves.rename(columns={"incidence": "height", "cause": "panel"})
    causes = list(dict.fromkeys(rows["cause"]))
    parts = []
    for part, mine in _groupings(rows, at_risk, config):
        gray = {
            row["cause"]: _test("Gray's test", row)
            for row in part["tests"]
            if row["measure"] == "Gray chi-square"
        }
        panels = [Panel(cause, f"Death from {cause}", gray.get(cause, "")) for cause in causes]
        what = "Cumulative incidence of death by cause and"
        figure = _figure(drawn, at_risk, part, panels, what, config)
        parts.append(part | {"lines": _incidence_lines(mine, causes), "figure": figure})
    return none | {
        "competing": parts,
        "competing_models": to_records(rows[rows["measure"].isin(HAZARD_RATIOS)]),
        "competing_note": in_words(encode(shared)),
    }


def _groupings(
    rows: pd.DataFrame, at_risk: pd.DataFrame, config: Config
) -> Iterator[tuple[dict, pd.DataFrame]]:
    """What both kinds of curves show of each declared grouping that has rows, and these rows."""
    for grouping in config.survival.curves:
        mine = rows[rows["grouping"] == grouping]
        if len(mine):
            tests = to_records(mine[mine["group"] == ""])
            groups = [group for group in dict.fromkeys(mine["group"]) if group != ""]
            yield (
                {
                    "grouping": grouping,
                    "title": term(grouping).replace("_", " "),
                    "detail": _detail(tests, UNITS.get(grouping, "")),
                    "groups": groups,
                    "tests": tests,
                    "at_risk": _risk_rows(at_risk, grouping, groups),
                },
                mine,
            )


def _detail(tests: list[dict], unit: str) -> str:
    """Where a grouping cuts, as its tests tell: "cut at 65, 75, 85 years"."""
    text = tests[0]["term"] if tests else ""
    return f"{text[text.index('(') + 1 : -1]} {unit}".rstrip() if "(" in text else ""


def _lines(rows: pd.DataFrame) -> list[dict]:
    """One line per group."""
    lines = []
    for group, mine in rows[rows["group"] != ""].groupby("group", sort=False):
        found = rows_by(mine, "measure")
        first = next(iter(found.values()))
        lines.append({
            "group": group, "n": first["n"], "n_events": first["n_events"],
            "at": to_records(mine[mine["measure"] == "survival"]),
            "followup": found.get("median follow-up"), "median": found.get("median survival"), "mean": found.get(RMST),
            "difference": found.get(f"difference of {RMST}"), "ratio": found.get(f"ratio of {RMST}"),
            "remark": _remark(found.get("median survival")),
        })  # fmt: skip
    return lines


def _reference(lines: list[dict]) -> str:
    """The group from which the differences of restricted means are taken."""
    contrasts = (line["difference"]["reference"] for line in lines if line["difference"])
    return next(contrasts, lines[0]["group"] if lines else "")


def _remark(row: dict | None) -> str:
    if row is None or row["status"] == NOT_ESTIMATED:
        return ""
    return in_words(encode(one for one in decode(row["reason"]) if one.code != "not_reached"))


def _incidence_lines(rows: pd.DataFrame, causes: list[str]) -> list[dict]:
    """One line per group and cause."""
    lines = []
    for group, mine in rows[rows["group"] != ""].groupby("group", sort=False):
        for cause in causes:
            found = to_records(mine[mine["cause"] == cause])
            if found:
                counts = {name: found[0][name] for name in ("n", "n_events")}
                lines.append({"group": group, "cause": cause, "at": found} | counts)
    return lines


def time_title(settings: Survival) -> str:
    """Title of the axis of time."""
    zero = "the photo" if settings.time_zero == "photo" else settings.time_zero.replace("_", " ")
    landmark = settings.landmark_years
    return (
        f"Years after {zero}"
        if landmark is None
        else f"Years after the landmark ({landmark:g} years after {zero})"
    )


def _test(name: str, row: dict) -> str:
    return f"{name} p {p_equals(row['p_value'])}" if pd.notna(row["p_value"]) else ""


def _figure(
    curves: pd.DataFrame,
    at_risk: pd.DataFrame,
    part: dict,
    panels: Sequence[Panel],
    what: str,
    config: Config,
    medians: Mapping[str, float] | None = None,
    width: float = WIDTH,
) -> Picture:
    """The curves of a grouping, of those of its groups that have one."""
    mine = curves[curves["grouping"] == part["grouping"]]
    order = [group for group in part["groups"] if (mine["group"] == group).any()]
    if not order:
        return Picture()
    numbers = at_risk[at_risk["grouping"] == part["grouping"]]
    numbers = numbers.assign(shown=[count(n) for n in numbers["at_risk"]])[["group", "years", "shown"]]
    label = f"{what} {part['title']} with 95% confidence bands, censoring ticks and numbers at risk"
    time, drawn = time_title(config.survival), mine.reindex(columns=CURVE)
    return step_curves(drawn, numbers, order, panels, time, label, medians=medians, width=width)


def _risk_rows(at_risk: pd.DataFrame, grouping: str, order: list[str]) -> dict:
    """The numbers at risk, deaths and censorings until each time, as a table."""
    mine = at_risk[at_risk["grouping"] == grouping]
    if not len(mine):
        return {"years": [], "rows": []}
    years = sorted(mine["years"].unique())
    by_group = dict(iter(mine.sort_values("years", kind="stable").groupby("group")))
    rows = [(group, to_records(by_group[group])) for group in order if group in by_group]
    return {"years": [f"{year:g}" for year in years], "rows": rows}
