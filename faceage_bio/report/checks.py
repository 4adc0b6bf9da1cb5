"""The row of checks on the first screen: each has a colour, a word and a place on the page; what did not run is grey, and stays.

Each check is a function of the tables. The limits stand here and are printed on the page (checks.html.j2).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from faceage_bio.report import words
from faceage_bio.report.expression_quality import INSEPARABLE
from faceage_bio.report.fairness import complete
from faceage_bio.report.formats import count, number, p_value, signed
from faceage_bio.report.tables import ReportTables
from faceage_bio.results.reasons import decode

OK, LOOK, PROBLEM, NOT_RUN = "ok", "look", "problem", "not run"

SIGNS = {OK: "✓", LOOK: "!", PROBLEM: "✕", NOT_RUN: "–"}

CORRELATION = (0.1, 0.3)  # of acceleration with age: from here on look, problem
DEATHS = (10.0, 5.0)  # per term: below, look, problem
MISSING = (0.05, 0.20)  # share of a column
OUTSIDE = (0.05, 0.50)  # share of people
FAIR_YEARS = 5.0  # a difference of mean error at the same age that is a problem
FALSE_ALARM = 0.05
CAMERAS = ("camera", "device", "scanner", "hospital", "centre", "center", "clinic")


@dataclass(frozen=True)
class Check:
    """A name, how it stands, one sentence, and the id of the place that tells more."""

    name: str
    state: str
    words: str
    link: str

    @property
    def sign(self) -> str:
        """A mark that needs no colour."""
        return SIGNS[self.state]


def all_checks(tables: ReportTables, config: dict) -> list[Check]:
    """Every check, in the order of the page, whether it ran or not."""
    return [
        check(tables, config)
        for check in (
            age_dependence, proportional_hazards, events_per_parameter, missing_data, site_and_camera, fairness, validity_range,
        )
    ]  # fmt: skip


def _graded(value: float, limits: tuple[float, float]) -> str:
    """How a value stands that had better be small."""
    return PROBLEM if value >= limits[1] else LOOK if value >= limits[0] else OK


def _rows(tables: ReportTables, room: str, name: str, config: dict) -> Iterator[tuple[str, pd.DataFrame]]:
    for cohort in config["cohorts"]:
        rows = tables.get(room, name, cohort)
        if len(rows):
            yield cohort, rows


def age_dependence(tables: ReportTables, config: dict) -> Check:
    """Whether what is called age acceleration still goes with age."""
    name, link = "Age dependence", "definitions"
    found, gaps = [], []
    for cohort, rows in _rows(tables, "acceleration", "summary", config):
        known = rows[(rows["measure"] == "correlation with age") & rows["estimate"].notna()].set_index("term")
        if "age_acceleration" in known.index:
            found.append(
                (abs(known.estimate["age_acceleration"]), known.estimate["age_acceleration"], cohort)
            )
        if "age_gap" in known.index:
            gaps.append(known.estimate["age_gap"])
    if not found:
        return Check(name, NOT_RUN, "no correlation with age could be computed", link)
    worst, r, cohort = max(found)
    said = (
        f"age acceleration: r with age {number(r)} ({cohort})"
        if len(found) > 1
        else f"age acceleration: r with age {number(r)}"
    )
    if gaps:
        raw = max(gaps, key=abs)
        said += f"; the raw gap: {number(raw)}"
    return Check(name, _graded(worst, CORRELATION), said, link)


def proportional_hazards(tables: ReportTables, config: dict) -> Check:
    """Whether hazard ratios of face age hold over the follow-up."""
    name, alpha = "Proportional hazards", config["survival"]["alpha"]
    least, bad, link = [], [], ""
    for cohort, rows in _rows(tables, "survival", "proportional_hazards", config):
        rows = rows[rows["term"].isin(["face_age", "GLOBAL"]) & rows["p_value"].notna()]
        if not len(rows):
            continue
        least.append(rows["p_value"].min())
        link = link or f"hazards-{cohort}"
        if least[-1] < alpha:
            helped = tables.get("survival", "remedies", cohort)
            bad.append((cohort, least[-1], len(helped) and helped["estimate"].notna().any()))
    if not least:
        return Check(name, NOT_RUN, "no Cox model could be tested", "survival")
    if not bad:
        return Check(name, OK, f"no test with p below {alpha:g} (smallest {p_value(min(least))})", link)
    told = ", ".join(f"{cohort} (p {_p(p)})" for cohort, p, _ in bad)
    helped = all(remedy for *_, remedy in bad)
    after = "remedies are shown" if helped else "and no remedy could be fitted"
    return Check(
        name, LOOK if helped else PROBLEM, f"not proportional in {told}; {after}", f"hazards-{bad[0][0]}"
    )


def events_per_parameter(tables: ReportTables, config: dict) -> Check:
    """Whether there are enough deaths for the terms of the Cox models."""
    name = "Deaths per parameter"
    found = []
    for cohort, rows in _rows(tables, "survival", "cox", config):
        mine = rows[(rows["term"] == "face_age") & (rows["adjustment"] != "unadjusted")]
        known = mine[mine["events_per_term"].notna()]
        found += [(row.events_per_term, row.step, cohort) for row in known.itertuples()]
    if not found:
        return Check(name, NOT_RUN, "no Cox model was fitted", "survival")
    fewest, step, cohort = min(found)
    which = "face age + age" if step == "+ age" else "the largest model"
    said = f"fewest: {number(fewest, 1)} deaths per term in {which}, {cohort}"
    headline = min((one[0] for one in found if one[1] == "+ age"), default=fewest)
    state = PROBLEM if headline < DEATHS[1] else LOOK if fewest < DEATHS[0] else OK
    return Check(name, state, said, f"ladder-{cohort}")


def missing_data(tables: ReportTables, config: dict) -> Check:
    """How much is missing of what Table 1 tells."""
    name, link = "Missing data", "table-one"
    found, nowhere = [], set()
    for cohort, rows in _rows(tables, "phenotype", "table_one", config):
        for row in rows[rows["measure"] == "missing"].itertuples():
            if pd.isna(row.estimate):
                nowhere.add(words.term(row.term))
            else:
                found.append((row.estimate, row.n, words.term(row.term), cohort))
    if not found:
        return Check(name, NOT_RUN, "Table 1 was not made", link)
    share, n, term, cohort = max(found, key=lambda one: one[0])
    said = (
        f"at most {100 * share:.0f}% ({term}, {cohort}: {count(n)} missing)"
        if share
        else "nothing is missing"
    )
    nowhere -= {one[2] for one in found}
    if nowhere:
        said += f"; not recorded: {', '.join(sorted(nowhere))}"
    return Check(name, _graded(share, MISSING), said, link)


def site_and_camera(tables: ReportTables, config: dict) -> Check:
    """Whether sites (and cameras, where a column tells them) differ in age acceleration, in the hazard ratio or in their batches."""
    name = "Site and camera"
    columns = [column for column in ("site", *CAMERAS) if column in config["phenotype"]["factors"]]
    said, found, link = [], [], "comparisons"
    tests = tables.get("phenotype", "tests")
    if len(tests):
        mine = tests[
            tests["term"].isin(columns) & tests["adjustment"].str.startswith("age") & tests["p_value"].notna()
        ]
        found += [
            (row.p_value, f"age acceleration by {row.term} in {row.cohort}", "comparisons")
            for row in mine.itertuples()
        ]
    for cohort, rows in _rows(tables, "survival", "sites", config):
        mine = rows[
            (rows["measure"] == "interaction chi-square")
            & rows["p_value"].notna()
            & (rows["step"] == "+ age")
        ]
        found += [
            (p, f"hazard ratio by {config['survival']['panel_by']} in {cohort}", f"sites-{cohort}")
            for p in mine["p_value"]
        ]
    stuck = [
        cohort
        for cohort, rows in _rows(tables, "expression", "confounding", config)
        if any(one.code == INSEPARABLE for cell in rows["reason"] for one in decode(cell))
    ]
    if not found and not stuck:
        return Check(name, NOT_RUN, "no column of sites or cameras could be tested", link)
    differ = [one for one in found if one[0] < FALSE_ALARM]
    if differ:
        said.append("differs: " + ", ".join(f"{what} (p {_p(p)})" for p, what, _ in sorted(differ)[:2]))
        link = min(differ)[2]
    elif found:
        said.append(f"no difference seen (smallest p {p_value(min(found)[0])})")
        link = min(found)[2]
    if stuck:
        said.append(f"RNA batch and age acceleration cannot be told apart in {', '.join(stuck)}")
    if not set(columns) & set(CAMERAS):
        said.append("camera: not recorded")
    return Check(name, PROBLEM if stuck else LOOK if differ else OK, "; ".join(said), link)


def fairness(tables: ReportTables, config: dict) -> Check:
    """Whether the error of face age differs between groups of people of the same age."""
    name, link = "Fairness", "fairness"
    rows = tables.get("fairness", "fairness")
    if not len(rows):
        return Check(name, NOT_RUN, "no groups were compared", link)
    rows = complete(rows)
    rows = rows[
        (rows["analysis"] == "differences") & (rows["measure"] == "difference of mean error, years")
        & (rows["within"] == "") & (rows["factor"] != "age band") & rows["p_value"].notna()
        & ~rows["note"].str.startswith("do not")
    ]  # fmt: skip
    if not len(rows):
        return Check(name, NOT_RUN, "no groups were large enough to compare", link)
    differ = rows[rows["p_value"] < FALSE_ALARM]
    most = (
        (differ if len(differ) else rows)
        .assign(size=lambda t: t["estimate"].abs())
        .sort_values("size")
        .iloc[-1]
    )
    what = f"{most['factor']}, {most['group']} ({most['cohort']}): {signed(most['estimate'])} years at the same age"
    if not len(differ):
        return Check(name, OK, f"no difference beyond chance; largest: {what}", link)
    return Check(
        name,
        PROBLEM if most["size"] >= FAIR_YEARS else LOOK,
        f"faces judged unequally: {what}, p {_p(most['p_value'])}",
        link,
    )


def validity_range(tables: ReportTables, config: dict) -> Check:
    """How many people are of ages in which the model was tested."""
    name, link = "Validity range", "definitions"
    low, high = config["acceleration"]["valid_ages"]
    label = f"ages {low:g} to {high:g}"
    inside = everybody = 0.0
    least: tuple[float, str] | None = None
    for cohort, rows in _rows(tables, "acceleration", "sensitivity", config):
        n = rows.groupby("adjustment", sort=False)["n"].max()
        if (
            "everybody" not in n.index
            or label not in n.index
            or n.isna()[["everybody", label]].any()
            or not n["everybody"]
        ):
            continue
        inside, everybody = inside + n[label], everybody + n["everybody"]
        share = n[label] / n["everybody"]
        least = min(least, (share, cohort)) if least else (share, cohort)
    if least is None or not everybody:
        return Check(
            name,
            NOT_RUN,
            "ages were not compared with those of the model's test",
            link,
        )
    said = f"{100 * inside / everybody:.0f} % of people are of the ages tested ({low:g} to {high:g})"
    if len(config["cohorts"]) > 1:
        said += f"; fewest in {least[1]} ({100 * least[0]:.0f} %)"
    return Check(name, _graded(1 - least[0], OUTSIDE), said, link)


def _p(value: float) -> str:
    text = p_value(value)
    return text if text.startswith("<") else f"= {text}"


LIMITS: tuple[tuple[str, str], ...] = (
    ("Age dependence", f"look from a correlation with age of {CORRELATION[0]:g}, problem from {CORRELATION[1]:g}"),
    ("Proportional hazards", "look where a test of face age or of the whole model has p below the setting survival.alpha, problem where no remedy could be fitted"),
    ("Deaths per parameter", f"look below {DEATHS[0]:g} in any model, problem below {DEATHS[1]:g} in that of face age and age"),
    ("Missing data", f"look from {100 * MISSING[0]:g} % of any column of Table 1, problem from {100 * MISSING[1]:g} %"),
    ("Site and camera", f"look at p below {FALSE_ALARM:g} of any test between sites, problem where RNA batch and age acceleration cannot be told apart"),
    ("Fairness", f"look at p below {FALSE_ALARM:g} of a difference of mean error at the same age, problem from {FAIR_YEARS:g} years on"),
    ("Validity range", f"look from {100 * OUTSIDE[0]:g} % of a cohort outside of the ages tested, problem from {100 * OUTSIDE[1]:g} %"),
)  # fmt: skip
