"""The summary page: participant flow, key results, four figures, checks, what changed since the last run (index.html.j2)."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from faceage_bio.core.columns import POOLED
from faceage_bio.core.config import Config
from faceage_bio.core.tables import to_records
from faceage_bio.report import figures, flow
from faceage_bio.report.checks import (
    CHECKS,
    FOLLOWS_AGE,
    PROBLEM,
    all_checks,
    cohorts_off_age,
    tally,
    verification_section,
    weakest_point,
)
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.key_results import KeyRow, counts_of, key_results, not_answered
from faceage_bio.report.places import place
from faceage_bio.report.plot import VERMILLION, of_cohorts
from faceage_bio.report.sections_cox import step_words
from faceage_bio.report.sections_curves import curves_section
from faceage_bio.report.sections_participants import ALL, face_age_figure
from faceage_bio.report.table_rows import adjusted_for
from faceage_bio.report.tables_by_place import ReportTables, collect
from faceage_bio.report.words import (
    count,
    counted,
    equals,
    first_upper,
    increase,
    number,
    p_scientific,
    percent,
    term,
    with_ci,
)

GROUPS = {"cancer": "patients with cancer", "reference": "controls"}
MOST_SITES = 3
# columns of the table of cohorts, numbers with a # in front
OF_COHORTS = {
    "who": "Participants",
    "n": "#n",
    "age": "#Age, years (SD)",
    "women": "#Female",
    "face_age": "#Face age, years (SD)",
    "follow_up": "#Median follow-up, years (95% CI)",
    "deaths": "#Deaths",
}
PREVIEW = 560.0  # width of a figure
MOST_COHORTS = 6  # of more the figure of hazard ratios shows those adjusted for age alone
AGE_ADJUSTED, FULL = "+ age", "full"  # steps of the models
PAGES = ("index", "association", "survival", "photos")
TABLES = ("survival/cox", "expression/panel")  # overall survival and the first prespecified gene
# part of what changed: one, several
CHANGES = {
    "estimates": ("key estimate changed", "key estimates changed"),
    "counts": ("count changed", "counts changed"),
    "settings": ("setting changed", "settings changed"),
}


def describe_cohorts(tables: ReportTables, config: Config) -> list[dict]:
    """A row for each cohort with a Table 1: name, who, n, age, share of women, face age, follow-up, deaths, and the link to Table 1."""
    found = []
    for name in config.cohorts:
        table = tables.get("phenotype", "table_one", name)
        rows = table[table["group"] == ALL]
        sizes = rows[rows["measure"] == "participants"]["n"]
        if not len(sizes):
            continue
        n = sizes.iloc[0]
        follow_up, deaths = _follow_up(tables.get("survival", "summary", name))
        sexes = rows[(rows["variable"] == "sex") & (rows["measure"] == "share")]
        # of a redacted share nothing is known; a level that nobody has may have no row
        women = sexes.loc[sexes["level"] == "female", "estimate"]
        women = women.iloc[0] if len(women) else 0.0 if sexes["estimate"].notna().any() else math.nan
        described = config.report.cohorts.get(name)
        found.append(
            {
                "name": name,
                "link": place("table-one", name),
                "n": count(n),
                "who": "; ".join(filter(None, (_participants(rows), described))),
                "age": _mean(rows, "chronological_age"),
                "face_age": _mean(rows, "face_age"),
                "women": "–" if pd.isna(women) else percent(women),
                "follow_up": follow_up,
                "deaths": deaths,
            }
        )
    return found


def _participants(rows: pd.DataFrame) -> str:
    """Patients or controls, and the most frequent sites."""
    groups = [GROUPS.get(str(level), str(level)) for level in _levels(rows, "group")["level"]]
    sites = _levels(rows, "site").nlargest(MOST_SITES, "estimate")
    named = [f"{row.level} {percent(row.estimate)}" for row in sites.itertuples() if row.estimate < 1]
    told = ": ".join(filter(None, (" and ".join(groups) or "participants", ", ".join(named))))
    return first_upper(told)


def _levels(rows: pd.DataFrame, variable: str) -> pd.DataFrame:
    return rows[(rows["variable"] == variable) & (rows["measure"] == "share") & (rows["estimate"] > 0)]


def _mean(rows: pd.DataFrame, variable: str) -> str:
    mine = rows[(rows["variable"] == variable) & (rows["measure"] == "mean")]
    if not len(mine):
        return "–"
    return f"{number(mine['estimate'].iloc[0], 1)} ({number(mine['standard_deviation'].iloc[0], 1)})"


def _follow_up(rows: pd.DataFrame) -> tuple[str, str]:
    """Median follow-up with its 95% CI, and deaths."""
    mine = rows[(rows["grouping"] == ALL) & (rows["measure"] == "median follow-up")]
    if not len(mine):
        return "–", "–"
    one = mine.iloc[0]
    told = with_ci(one["estimate"], one["ci_lower"], one["ci_upper"], 1)
    if pd.notna(one["ci_lower"]) and pd.isna(one["ci_upper"]):  # not reached
        told += f" ({number(one['ci_lower'], 1)}–NR)"
    return told, count(one["n_events"])


def summary(tables: ReportTables, config: Config, cards: Sequence[dict], run: dict | None) -> dict:
    """What index.html.j2 shows.

    Parameters
    ----------
    run : of `history.keep`; None where a page is rendered on its own
    """
    checks = all_checks(tables, config, cards)
    questions = key_results(tables, config, cohorts_off_age(tables, config))
    return {
        "strip": strip(tables, config),
        "questions": questions,
        "not_answered": not_answered(tables, config),
        "plan": run.get("plan") if run else None,
        "counts_of": counts_of,
        "any_sparse": any(row.sparse for one in questions for row in one.rows),
        "cox_steps": _cox_steps(tables),
        "any_received": any(pd.notna(row.n_of) for one in questions for row in one.rows),
        "off_age": any(check.name == FOLLOWS_AGE and check.state == PROBLEM for check in checks),
        "figures": summary_figures(tables, config),
        "checks": checks,
        "tally": tally(checks),
        "weakest": weakest_point(checks),
        "cohorts": describe_cohorts(tables, config),
        "check_limits": [(name, limit) for name, (limit, _) in CHECKS.items()],
        "of_cohorts": OF_COHORTS,
        "verification": verification_section(tables),
        "changes": run["changes"] if run else None,
        "changed": change_sentence(run["changes"]) if run else "",
    }


def change_sentence(changes: dict) -> str:
    """What changed since the last run, in one line."""
    if changes["first"]:
        return "First run: nothing to compare with."
    numbers = {part: len(changes[part]) for part in CHANGES}
    parts = [f"{n} {CHANGES[part][n > 1]}" for part, n in numbers.items() if n]
    if changes["version"]:
        parts.append("another version of faceage_bio")
    if not parts:
        parts = ["other numbers changed, no key result" if changes["data"] else "no change"]
    return f"Since the last run ({changes['since']}): {', '.join(parts)}."


def strip(tables: ReportTables, config: Config) -> list[tuple[str, str, str]]:
    """From photos to follow-up, all cohorts together: (number, what, link); stages that did not run are not named.

    Rounded counts of several cohorts have no total.
    """
    rounded = tables.rounded(config)
    if rounded and len(config.cohorts) > 1:
        return []
    flows = [flow.cohort_flow(tables, name) for name in config.cohorts]

    def total(unit: str, stage: str) -> float | None:
        boxes = [box for boxes in flows if (box := flow.box_of(boxes, unit, stage))]
        return sum(box.n for box in boxes) if boxes else None

    came, usable, events = total("photo", "intake"), total("photo", "face_age"), _deaths(tables)
    given = all(cohort.face_ages for cohort in config.cohorts.values())
    unlike = not (rounded or usable is None or came is None or usable == came)
    lost = f" ({count(came - usable)} excluded)" if unlike else ""
    died = "" if events is None else f", {counted(events, 'death')}"
    here = place("participant-flow")
    photos = place("reasons") if len(tables.get("faceage", "photo_counts")) else here
    cells = [
        (came, "face ages given" if given else "photos received", photos),
        (usable, f"with a face age{lost}", photos),
        (total("subject", "intake"), "participants", here),
        (total("subject", "acceleration"), "participants with age acceleration", here),
        (total("sample", "expression"), "RNA samples analysed", here),
        (total("subject", "survival"), f"participants with follow-up{died}", here),
    ]
    return [(count(n), what, link) for n, what, link in cells if n is not None]


def _deaths(tables: ReportTables) -> float | None:
    """Deaths in all cohorts."""
    rows = tables.get("survival", "summary")
    everyone = rows[rows["grouping"] == "all"].drop_duplicates("cohort")
    return everyone["n_events"].sum(skipna=False) if len(everyone) else None


def summary_figures(tables: ReportTables, config: Config) -> list[dict]:
    """Up to four figures with title, caption, what they were made of and the place that tells more."""
    drawn = (_ages(tables, config), _curves(tables, config), _hazards(tables, config), _genes(tables, config))
    return [figure for figure in drawn if figure]


def _ages(tables: ReportTables, config: Config) -> dict | None:
    svg = face_age_figure(tables, list(config.cohorts), list(config.cohorts), PREVIEW)
    if not svg:
        return None
    points, source = "Squares: numbers of participants", "phenotype/age_histogram"
    if len(tables.get("acceleration", "acceleration")):
        points, source = "Points: participants", "acceleration/acceleration"
    caption = f"{points}; dashed: identity; solid: least-squares lines."
    return _figure(svg, "Face age and chronological age.", caption, place("ages"), source)


def _curves(tables: ReportTables, config: Config) -> dict | None:
    """Tertiles of age acceleration (or the last declared grouping) in the cohort with most deaths."""
    summaries = tables.get("survival", "summary")
    if not len(summaries):
        return None
    deaths = summaries.groupby("cohort", sort=False)["n_events"].max().fillna(0)
    for name in deaths.sort_values(ascending=False, kind="stable").index:
        parts = [part for part in curves_section(tables, name, config, PREVIEW)["curves"] if part["figure"]]
        if parts:
            part = next((one for one in parts if one["title"] == "age acceleration"), parts[-1])
            most = " (most events)" if (deaths >= deaths[name]).sum() == 1 else ""
            most = f", {name}{most}" if len(config.cohorts) > 1 else ""
            title = f"Overall survival by {part['title']}{most}."
            caption = "Kaplan-Meier estimates with 95% CI; ticks: censoring; below: numbers at risk."
            sources = ("survival/kaplan_meier", "survival/at_risk")
            return _figure(part["figure"], title, caption, place("curves", name), *sources, cohort=name)
    return None


def _figure(svg: str, title: str, caption: str, link: str, *tables: str, cohort: str = "") -> dict:
    return {
        "svg": svg,
        "title": title,
        "caption": caption,
        "link": link,
        "tables": [*tables],
        "cohort": cohort,
    }


def _cox_steps(tables: ReportTables) -> list[str]:
    """What the models of face age that were estimated add, step by step, in any cohort."""
    cox = tables.get("survival", "cox")
    rows = cox[(cox["term"] == "face_age") & (cox["exposure"] == "face_age") & cox["estimate"].notna()]
    steps: dict[str, None] = {}
    for _, own in rows.groupby("cohort", sort=False):
        held = ""
        for row in to_records(own):
            if (now := adjusted_for(row)) != held:
                steps[row["step"]] = None
            held = now
    return [
        "all covariates" if step == FULL else term(step.removeprefix("+ "))
        for step in sorted(steps, key=list(dict.fromkeys(cox["step"])).index)
    ]


def _hazards(tables: ReportTables, config: Config) -> dict | None:
    cox = tables.get("survival", "cox")
    if not len(cox) or "step" not in cox:
        return None
    rows = cox[(cox["term"] == "face_age") & (cox["exposure"] == "face_age") & cox["estimate"].notna()]
    if rows["cohort"].nunique() > MOST_COHORTS:
        rows = rows[rows["step"] == AGE_ADJUSTED]
        rows, how = rows.assign(label=rows["cohort"], kind=AGE_ADJUSTED), "adjusted for age"
    else:
        rows = rows.assign(label=[step_words(str(step)) for step in rows["step"]], kind=rows["cohort"])
        full = dict.fromkeys(map(adjusted_for, to_records(rows[rows["step"] == FULL])))
        how = "sequentially adjusted" + (f" (full: {' or '.join(full)})" if full else "")
    if not len(rows):
        return None
    svg = _forest(
        rows, config, 1, f"Hazard ratio for death per {increase(_per(rows))} in face age (log scale)"
    )
    caption = f"Hazard ratio by cohort, {how}; error bars: 95% CI."
    return _figure(svg, "Face age and overall survival.", caption, place("cox"), "survival/cox")


def _genes(tables: ReportTables, config: Config) -> dict | None:
    """The prespecified genes in the cohort (or cell type) with most samples."""
    panel = tables.get("expression", "panel")
    known = panel[panel["estimate"].notna() & (panel["exposure"] == "age_acceleration")]
    rows = known[known["model"] == "together"]
    if not len(rows):
        return None
    cohort, question = rows.loc[rows["n"].fillna(0).idxmax(), ["cohort", "question"]]
    rows = rows[(rows["cohort"] == cohort) & (rows["question"] == question)]
    where = ""
    if len(panel[["cohort", "question"]].drop_duplicates()) > 1:
        cells = "" if question == "expression" else f", {question}"
        sizes = known.groupby(["cohort", "question"])["n"].max()
        where = f", {cohort}{cells}{' (largest sample)' if (sizes == sizes.max()).sum() == 1 else ''}"
    shown, axis = rows.assign(label=rows["term"], kind=cohort), increase(_per(rows))
    svg = _forest(
        shown, config, 0, f"Log2 fold change per {axis} in age acceleration", italic=True, p=p_scientific
    )
    caption = "Log2 fold change adjusted for age and covariates; error bars: 95% CI."
    link = place("genes", cohort)
    return _figure(svg, f"Prespecified genes{where}.", caption, link, "expression/panel", cohort=cohort)


def _per(rows: pd.DataFrame) -> str:
    return next((per for per in rows["per"] if per), "10 years")


def _forest(rows: pd.DataFrame, config: Config, null: float, axis: str, **style: Any) -> Picture:
    """Estimates by label, one colour per kind."""
    colours = [*of_cohorts(list(config.cohorts)).items(), (AGE_ADJUSTED, VERMILLION)]
    return figures.forest(rows, "label", colours, null, axis, logarithmic=null == 1, width=PREVIEW, **style)


def key_result_lines(results: Path, config: Config) -> list[str]:
    """The key results for the end of `faceage-bio run`: a heading for each question, and a line per cohort; none where no table is there."""
    places = [results / name / f"{table}.tsv" for name in config.cohorts for table in TABLES]
    places.append(results / POOLED / "meta_analysis" / "estimates.tsv")
    tables = collect([path for path in places if path.is_file()])
    questions = key_results(tables, config)
    shown = [(one, [row for row in one.rows if not row.comparison]) for one in questions]
    width = max((len(row.label) for _, rows in shown for row in rows), default=0)
    lines = []
    for question, rows in shown:
        lines.append(f"{question.title}: {question.measure}; estimate (95% CI)")
        lines += [f"  {row.label:{width}}  {question.text(row)}{_p(row)}{_counts(row)}" for row in rows]
    return lines


def pages(results: Path) -> list[Path]:
    """The pages that are there, in the order of reading."""
    found = [results / "reports" / f"{name}.html" for name in PAGES]
    return [path.resolve() for path in found if path.is_file()]


def _p(row: KeyRow) -> str:
    if not row.estimated:
        return ""
    name, value = ("q", row.p.removeprefix("q ")) if row.p.startswith("q ") else ("p", row.p)
    return f", {name} {equals(value)}"


def _counts(row: KeyRow) -> str:
    events = row.row.get("n_events")
    told = f", {counted(events, 'event')}" if pd.notna(events) else ""
    return f", n = {count(row.row['n'])}{told}"
