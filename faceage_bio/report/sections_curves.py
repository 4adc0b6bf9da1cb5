"""Kaplan-Meier curves by group and competing risks on the survival page."""

import pandas as pd

from faceage_bio.core.results.reasons import NOT_ESTIMATED, decode, encode, in_words
from faceage_bio.report import figures_survival
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.formats import p_equals, people
from faceage_bio.report.plot import WIDTH
from faceage_bio.report.tables_by_place import ReportTables
from faceage_bio.report.words import term, why_not

ALL = "all"
RMST = "restricted mean survival time"
HAZARD_RATIOS = ("cause-specific hazard ratio", "subdistribution hazard ratio")
CURVE = ["group", "panel", "years", "height", "ci_lower", "ci_upper", "censored"]  # of `step_curves`


def curves_section(tables: ReportTables, name: str, config: dict, width: float = WIDTH) -> dict:
    """Kaplan-Meier curves and what is read off them, one part for each declared grouping."""
    settings = config["survival"]
    summary = tables.get("survival", "summary", name)
    if not len(summary):
        return {"curves": [], "curves_overall": {}, "curves_why": ""}
    curves, at_risk = tables.get("survival", "kaplan_meier", name), tables.get("survival", "at_risk", name)
    everybody = _by_measure(summary[summary["grouping"] == ALL])
    why = next((why_not(row["reason"]) for row in everybody.values() if row["status"] == NOT_ESTIMATED), "")
    parts = []
    for grouping in settings["curves"]:
        rows = summary[summary["grouping"] == grouping]
        if not len(rows):
            continue
        lines = _lines(rows)
        order = [line["group"] for line in lines]
        tests = rows[rows["group"] == ""].to_dict("records")
        parts.append({
            "title": term(grouping).replace("_", " "), "detail": _detail(tests), "lines": lines, "tests": tests,
            "tests_remark": _remark(tests[0]) if tests else "", "reference": _reference(lines),
            "figure": _km_figure(curves, at_risk, grouping, lines, tests, config, width), "at_risk": _risk_rows(at_risk, grouping, order),
        })  # fmt: skip
    return {"curves": parts, "curves_overall": everybody, "curves_why": why if not len(curves) else ""}


def competing_section(tables: ReportTables, name: str, config: dict) -> dict:
    """Cumulative incidence by group, Gray's tests and both kinds of hazard ratio."""
    rows = tables.get("survival", "competing_risks", name)
    none = {"competing": [], "competing_models": [], "competing_why": "", "competing_note": ""}
    if not len(rows):
        return none | {"competing_why": "no table came in"}
    if not rows["estimate"].notna().any():
        return none | {"competing_why": why_not(rows["reason"].iloc[0])}
    # the same in every row, shown once
    shared = [one for one in decode(rows["reason"].iloc[0]) if one.code == "without_unknown_cause"]
    own = [[one for one in decode(cell) if one not in shared] for cell in rows["reason"]]
    rows = rows.assign(note=[in_words(encode(reasons)) for reasons in own])
    curves, at_risk = (
        tables.get("survival", "cumulative_incidence", name),
        tables.get("survival", "incidence_at_risk", name),
    )
    causes = list(dict.fromkeys(rows["cause"]))
    parts = []
    for grouping in config["survival"]["curves"]:
        mine = rows[rows["grouping"] == grouping]
        if not len(mine):
            continue
        shown = _incidence_lines(mine, causes)
        order = list(dict.fromkeys(line["group"] for line in shown))
        tests = mine[mine["group"] == ""].to_dict("records")
        parts.append({
            "title": term(grouping).replace("_", " "), "detail": _detail(tests), "lines": shown, "tests": tests,
            "figure": _incidence_figure(curves, at_risk, grouping, order, tests, causes, config),
            "at_risk": _risk_rows(at_risk, grouping, order),
        })  # fmt: skip
    models = rows[rows["measure"].isin(HAZARD_RATIOS)]
    return {
        "competing": parts, "competing_models": models.to_dict("records"), "competing_why": "", "competing_note": in_words(encode(shared)),
    }  # fmt: skip


def _detail(tests: list[dict]) -> str:
    """Where a grouping cuts, as its tests tell: "cut at 65, 75, 85"."""
    text = tests[0]["term"] if tests else ""
    return text[text.index("(") + 1 : -1].replace("-", "−") if "(" in text else ""


def _by_measure(rows: pd.DataFrame) -> dict:
    return {row["measure"]: row for row in rows.to_dict("records")}


def _lines(rows: pd.DataFrame) -> list[dict]:
    """One line per group."""
    lines = []
    for group in dict.fromkeys(rows.loc[rows["group"] != "", "group"]):
        mine = rows[rows["group"] == group]
        found = _by_measure(mine)
        first = next(iter(found.values()))
        lines.append({
            "group": group, "n": first["n"], "n_events": first["n_events"],
            "at": mine[mine["measure"] == "survival"].to_dict("records"),
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
    for group in dict.fromkeys(rows.loc[rows["group"] != "", "group"]):
        mine = rows[rows["group"] == group]
        for cause in causes:
            found = mine[mine["cause"] == cause].to_dict("records")
            if found:
                counts = {name: found[0][name] for name in ("n", "n_events")}
                lines.append({"group": group, "cause": cause, "at": found} | counts)
    return lines


def time_title(settings: dict) -> str:
    """Title of the axis of time."""
    zero = "the photo" if settings["time_zero"] == "photo" else settings["time_zero"].replace("_", " ")
    landmark = settings["landmark_years"]
    return (
        f"Years after {zero}"
        if landmark is None
        else f"Years after the landmark ({landmark:g} years after {zero})"
    )


def _numbers(at_risk: pd.DataFrame, grouping: str) -> pd.DataFrame:
    mine = at_risk[at_risk["grouping"] == grouping]
    return mine.assign(shown=[people(n) for n in mine["at_risk"]])[["group", "years", "shown"]]


def _km_figure(
    curves: pd.DataFrame,
    at_risk: pd.DataFrame,
    grouping: str,
    lines: list[dict],
    tests: list[dict],
    config: dict,
    width: float = WIDTH,
) -> Picture:
    """Kaplan-Meier curves of a grouping, with the log-rank p and the medians of its table."""
    mine = curves[curves["grouping"] == grouping] if len(curves) else curves
    order = [line["group"] for line in lines if len(mine) and (mine["group"] == line["group"]).any()]
    if not order:
        return Picture()
    medians = {line["group"]: line["median"]["estimate"] for line in lines if line["median"]}
    test = next((_test("Log-rank", row) for row in tests if row["measure"] == "log-rank chi-square"), "")
    shown = mine.rename(columns={"survival": "height"}).assign(panel="survival")
    figure = figures_survival.step_curves(
        shown.reindex(columns=CURVE), _numbers(at_risk, grouping), order,
        [figures_survival.Panel("survival", "Overall survival", test)], time_title(config["survival"]),
        f"Kaplan-Meier curves by {term(grouping).replace('_', ' ')} with 95% confidence bands, censoring ticks and numbers at risk",
        medians=medians, width=width,
    )  # fmt: skip
    return figure


def _test(name: str, row: dict) -> str:
    return f"{name} p {p_equals(row['p_value'])}" if pd.notna(row["p_value"]) else ""


def _incidence_figure(
    curves: pd.DataFrame,
    at_risk: pd.DataFrame,
    grouping: str,
    order: list[str],
    tests: list[dict],
    causes: list[str],
    config: dict,
) -> Picture:
    """Cumulative incidence of each cause, with the p of Gray's test."""
    mine = curves[curves["grouping"] == grouping] if len(curves) else curves
    order = [group for group in order if len(mine) and (mine["group"] == group).any()]
    if not order:
        return Picture()
    gray = {row["cause"]: _test("Gray's test", row) for row in tests if row["measure"] == "Gray chi-square"}
    shown = mine.rename(columns={"incidence": "height", "cause": "panel"})
    figure = figures_survival.step_curves(
        shown.reindex(columns=CURVE), _numbers(at_risk, grouping), order,
        [figures_survival.Panel(cause, f"Death from {cause}", gray.get(cause, "")) for cause in causes],
        time_title(config["survival"]),
        f"Cumulative incidence of death by cause and {term(grouping).replace('_', ' ')} with 95% confidence bands, censoring ticks and numbers at risk",
    )  # fmt: skip
    return figure


def _risk_rows(at_risk: pd.DataFrame, grouping: str, order: list[str]) -> dict:
    """The numbers at risk, deaths and censorings until each time, as a table."""
    mine = at_risk[at_risk["grouping"] == grouping] if len(at_risk) else at_risk
    if not len(mine):
        return {"years": [], "rows": []}
    years = sorted(mine["years"].unique())
    rows = [(group, mine[mine["group"] == group].sort_values("years").to_dict("records")) for group in order]
    return {"years": [f"{year:g}" for year in years], "rows": rows}
