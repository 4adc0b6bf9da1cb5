"""The page on photo quality: which photos could be used, why others were not, and how they measure; numbers of photos only."""

import math
from dataclasses import dataclass

import pandas as pd

from faceage_bio.core.config import Config
from faceage_bio.core.settings.settings_photos import FaceAge, Quality
from faceage_bio.core.tables import to_records
from faceage_bio.report import words
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.figures import coloured, to_svg
from faceage_bio.report.flow import Box, box_of, cohort_flow
from faceage_bio.report.plot import of_cohorts
from faceage_bio.report.tables_by_place import ReportTables, rows_by
from faceage_bio.report.words import count, first_upper, percent, percents, with_ci

ALL = "all"
STATUSES = {"ok": "used", "flagged": "used, flagged", "excluded": "excluded"}
AGAIN = "duplicate photos"
WORDS = ("factor", "group", "photo_status", "photo_reason")
EXPECTED = ("sex", "age band", "skin_type")  # by which the share of flagged photos is to be seen
DID = {"exclude": "excluded", "flag": "flagged"}
# measure: name, unit, the rule that looks at it and from which side
MEASURES = {
    "photo_short_side": ("Shorter side of the photo", "pixels", {"small_photo": "below"}),
    "face_short_side": ("Shorter side of the face", "pixels", {"small_face": "below"}),
    "face_share": ("Face area fraction", "", {"small_face_area": "below"}),
    "outside_share": ("Share of the face box outside the photo", "", {"face_outside_frame": "above"}),
    "probability": ("Detection probability", "", {"low_confidence": "below"}),
    "sharpness": (
        "Sharpness (variance of the Laplacian)",
        "",
        {"blurred": "below", "high_sharpness": "above"},
    ),
    "brightness": ("Brightness (mean grey, 0 to 255)", "", {"dark": "below", "bright": "above"}),
    "contrast": ("Contrast (standard deviation of grey)", "", {"low_contrast": "below"}),
    "abs_yaw": ("Yaw (head turned left or right)", "degrees", {"large_yaw": "above"}),
    "abs_roll": ("Roll (head tilted)", "degrees", {"large_roll": "above"}),
}
# values of settings in words
FACE_CHOICE = {
    "highest_confidence": "the face with the highest probability",
    "largest": "the largest face",
    "only": "only if there is one face",
}
DETECTION = {"exact": "exact (as the study)", "fast": "fast (skips faces below the size limit)"}
BOX_MODE = {
    "clip": "clip (detector 0.1.1, as in the released ages)",
    "abs_shift": "abs_shift (detector 0.1.0 and older, as in the clinical runs)",
}
DUPLICATES = {"flag": "used, flagged", "exclude": "excluded, except the first of a participant"}


def draw_outcomes(rows: pd.DataFrame, names: list[str]) -> Picture:
    """Share of each cohort's photos that were excluded or flagged, by reason; ``names`` are those of all cohorts of the page."""
    import altair as alt

    order = rows.groupby("outcome")["share"].max().sort_values(ascending=False).index.tolist()
    cohorts = list(dict.fromkeys(rows["cohort"]))
    header = alt.Header(labelFontWeight=600, labelOrient="top", labelAnchor="start")
    bars = (
        alt.Chart(rows)
        .mark_bar()
        .encode(
            y=alt.Y("outcome:N", sort=order, title=None, axis=alt.Axis(labelLimit=300)),
            x=alt.X("share:Q", title="% of the cohort's photos", scale=alt.Scale(zero=True)),
            yOffset=alt.YOffset("cohort:N", sort=cohorts),
            color=_colour(cohorts, names),
            row=alt.Row("status:N", title=None, sort=["used, flagged", "excluded"], header=header),
        )
    )
    chart = bars.properties(width=600, height=alt.Step(max(10, 26 // len(cohorts))))
    label = "Share of each cohort's photos that were excluded or flagged, by reason; the table below says the same"
    return to_svg(chart.resolve_scale(y="independent"), label)


def draw_measure(rows: pd.DataFrame, labels: list[str], title: str, names: list[str]) -> Picture:
    """Shares of each cohort's photos by bin of a measure; ``names`` are those of all cohorts of the page."""
    import altair as alt

    cohorts = list(dict.fromkeys(rows["cohort"]))
    bars = (
        alt.Chart(rows)
        .mark_bar()
        .encode(
            x=alt.X("bin:N", sort=labels, title=None, axis=alt.Axis(labelAngle=-40, labelLimit=120)),
            y=alt.Y("share:Q", title="% of photos", scale=alt.Scale(zero=True)),
            xOffset=alt.XOffset("cohort:N", sort=cohorts),
            color=_colour(cohorts, names),
        )
    )
    chart = bars.properties(width=300, height=150)
    return to_svg(chart, f"{title}: share of each cohort's photos by bin; the table below says the same")


def _colour(cohorts: list[str], names: list[str]):
    """A cohort has one colour in all figures, also where others are not shown."""
    colours = of_cohorts(names)
    return coloured("cohort", {name: colours[name] for name in cohorts}, columns=4)


@dataclass(frozen=True)
class Line:
    """What became of some photos."""

    status: str
    reason: str
    n: float

    @property
    def words(self) -> str:
        return words.reason(self.reason) or "none"


def section(tables: ReportTables, config: Config) -> dict:
    """What the template needs."""
    names = [name for name, cohort in config.cohorts.items() if cohort.photos]
    bins, quality, cohorts, shown = (
        tables.get("faceage", "photo_measures"),
        config.faceage.quality,
        [],
        [],
    )
    for name in names:
        boxes = cohort_flow(tables, name) if tables.rounded(config) else None
        cohorts.append(cohort_photos(tables.get("faceage", "photo_counts", name), name, boxes))
    for measure, (title, unit, rules) in MEASURES.items():
        found = measure_section(bins[bins["measure"] == measure], title, unit, names)
        shown.append({"title": title, "unit": unit, "limits": limits_of(rules, quality)} | found)
    return {
        "cohorts": cohorts,
        "figure": _figure(cohorts, names),
        "measures": [one for one in shown if one["bins"]],
        "speeds": _speeds(tables.get("faceage", "photo_speed")),
        "review": review_sentences(tables.get("faceage", "review")),
        "uncertainty": _uncertainty(tables, names),
        "rules": rule_table(quality),
    }


def cohort_photos(counts: pd.DataFrame, name: str, boxes: dict[str, list[Box]] | None = None) -> dict:
    """What became of a cohort's photos, in all and for each group; ``boxes`` of the flow have the totals of rounded counts."""
    if counts.empty:
        return {"name": name, "ran": False}
    counts = counts.assign(**{name: counts[name].fillna("") for name in WORDS})
    again = counts[counts["measure"] == AGAIN]
    counts = counts[counts["measure"] != AGAIN]
    everybody = counts[counts["factor"] == ALL]
    n = everybody["estimate"].astype("float64")
    if boxes is None:
        came, aged = n.sum(skipna=False), n[everybody["photo_status"] != "excluded"].sum(skipna=False)
    else:
        found = (box_of(boxes, "photo", stage) for stage in ("intake", "face_age"))
        came, aged = (box.n if box else math.nan for box in found)
    order, factors = list(STATUSES), _factors(counts, totals=boxes is None)
    lines = [Line(row.photo_status, row.photo_reason, row.estimate) for row in everybody.itertuples()]
    expected = dict.fromkeys(map(words.term, EXPECTED))
    return {
        "name": name,
        "ran": True,
        "came": came,
        "aged": aged,
        "lines": sorted(
            lines, key=lambda line: (order.index(line.status), -line.n if line.n == line.n else 0)
        ),
        "again": _again(again),
        "factors": factors,
        "not_compared": [one for one in expected if one not in {factor["factor"] for factor in factors}],
    }


def _again(rows: pd.DataFrame) -> str:
    """How many photos occur again under another name."""
    if rows.empty:
        return ""
    n = rows["estimate"].iloc[0]
    if n == 0:
        return "No duplicate photos."
    return f"{count(n)} exact or near duplicate{'' if n == 1 else 's'} under another name."


def _factors(counts: pd.DataFrame, totals: bool) -> list[dict]:
    """For each column with groups a table of outcomes by group, with totals where counts are not rounded."""
    found = []
    for factor, rows in counts[counts["factor"] != ALL].groupby("factor", sort=False):
        groups = list(dict.fromkeys(rows["group"]))
        if len(groups) < 2:
            continue
        known = rows.set_index(["photo_status", "photo_reason", "group"])["estimate"].astype("float64")
        keys = sorted(
            dict.fromkeys(zip(rows["photo_status"], rows["photo_reason"], strict=True)),
            key=lambda key: (list(STATUSES).index(key[0]), Line(*key, 0).words),
        )
        lines = [(Line(*key, 0), [known.get((*key, group), 0.0) for group in groups]) for key in keys]
        sums = [known.xs(group, level="group").sum(skipna=False) for group in groups] if totals else []
        shares = []
        for k, (group, n) in enumerate(zip(groups, sums, strict=False)):
            of_status = (
                sum(numbers[k] for line, numbers in lines if line.status == status)
                for status in ("excluded", "flagged")
            )
            shares.append((str(group), n, *(_with_share(one, n) for one in of_status)))
        title = {"factor": words.term(str(factor)), "groups": list(map(str, groups))}
        found.append(title | {"shares": shares, "lines": lines, "sums": sums})
    return found


def _figure(cohorts: list[dict], names: list[str]) -> str:
    """Shares of each cohort's photos by what became of them."""
    rows = [
        {
            "cohort": one["name"],
            "outcome": line.words,
            "share": 100 * line.n / one["came"],
            "status": STATUSES[line.status],
        }
        for one in cohorts
        if one["ran"] and one["came"] > 0
        for line in one["lines"]
        if line.status != "ok" and line.n > 0
    ]
    return draw_outcomes(pd.DataFrame(rows), names) if rows else ""


def measure_section(bins: pd.DataFrame, title: str, unit: str, names: list[str]) -> dict:
    """A measure's bins: photos of each cohort, and their shares in the figure."""
    by_cohort = {name: bins[bins["cohort"] == name] for name in names}
    counts = {
        name: mine["n"].astype("float64").tolist()
        for name, mine in by_cohort.items()
        if (mine["n"] > 0).any()
    }
    if not counts:
        return {"bins": [], "figure": ""}
    labels = [bin_label(row.lower, row.upper) for row in by_cohort[next(iter(counts))].itertuples()]
    used = [k for k in range(len(labels)) if any(one[k] != 0 for one in counts.values())]
    shown = range(used[0], used[-1] + 1)
    sums = {name: sum(n for n in one if n == n) for name, one in counts.items()}
    table = [
        {"label": labels[k], "cells": [_with_share(one[k], sums[name]) for name, one in counts.items()]}
        for k in shown
    ]
    rows = pd.DataFrame([
        {"bin": labels[k], "cohort": name, "share": 100 * one[k] / sums[name]}
        for name, one in counts.items() for k in shown if one[k] == one[k]
    ])  # fmt: skip
    name = f"{title}{f', {unit}' if unit else ''}"
    figure = draw_measure(rows, [labels[k] for k in shown], name, names)
    return {"bins": table, "names": list(counts), "figure": figure}


def _with_share(n: float, of: float) -> str:
    return f"{count(n)} ({percent(n / of, 1)})" if n == n else count(n)


def bin_label(lower: float, upper: float) -> str:
    """ "25 to 50", "below 25" for the first bin, "1,600 and more" for the last."""
    if pd.isna(upper):
        return f"{words.plain(lower)} and more"
    return f"below {words.plain(upper)}" if lower == 0 else f"{words.plain(lower)} to {words.plain(upper)}"


def limits_of(rules: dict[str, str], quality: Quality) -> str:
    """The rules that look at a measure: "excluded below 60"."""
    own = ((side, getattr(quality, name)) for name, side in rules.items())
    return ", ".join(
        f"{DID[rule.action]} {side} {words.plain(rule.threshold)}" for side, rule in own if rule.action in DID
    )


def rule_table(quality: Quality) -> list[dict]:
    """Each rule with what it does."""
    return [
        {"rule": words.reason(name), "threshold": words.threshold(name, rule), "action": rule.action}
        for name, rule in quality
    ]


def made(settings: FaceAge) -> list[tuple[str, str]]:
    """What an age depends on besides photo and model, in words."""
    jitters = f"from {settings.jitters} shifted and mirrored crops" if settings.jitters else "not requested"
    found = f"{DETECTION[settings.detection]}, probability at least {settings.min_probability:g}"
    return [
        ("Face detection", f"{found}; {FACE_CHOICE[settings.face_choice]}"),
        ("Face box beyond the photo", BOX_MODE[settings.box_mode]),
        ("Resizing", f"to 160 × 160 pixels, {settings.resize}"),
        ("Precision", settings.precision),
        ("Device requested", settings.device),
        ("Uncertainty of one age", jitters),
        ("Duplicate photos", DUPLICATES[settings.duplicates]),
    ]


def _speeds(rows: pd.DataFrame) -> list[dict]:
    """Photos per second of each cohort and device."""
    known = rows[rows["seconds"] > 0]
    speeds = known.assign(workers=known["workers"].astype(int), speed=known["photos"] / known["seconds"])
    return to_records(speeds)


def _uncertainty(tables: ReportTables, names: list[str]) -> list[dict]:
    """How certain a single face age is, where it was asked for."""
    found = []
    for name in names:
        rows = tables.get("faceage", "summary", name)
        if len(rows):
            found += to_records(rows[(rows["measure"] != "photos") & rows["estimate"].notna()])
    return found


def review_sentences(rows: pd.DataFrame) -> list[str]:
    """What reviewers of the photos did, and how far they agree."""
    if rows.empty:
        return []
    looked = rows[rows["measure"] == "photos"].set_index("term")["estimate"]
    n = looked["photos reviewed"]
    said = [f"{count(n)} photos were reviewed by reviewers blinded to identity."]
    if "photos reviewed by several" in looked.index:
        rule = rows["model"].iloc[0]
        several = f"{count(looked['photos reviewed by several'])} by more than one reviewer"
        said[0] = f"{said[0].removesuffix('.')}; {several}, and {rule}."
    for term, pair in rows[rows["measure"] != "photos"].groupby("term", sort=False):
        found = rows_by(pair, "measure")
        kappa, share = found["Cohen's kappa"], found["observed agreement"]
        agreed, lower, upper = (share[name] for name in ("estimate", "ci_lower", "ci_upper"))
        found = share["note"] if agreed != agreed else f"{percent(agreed)} ({percents(lower, upper)})"
        same = f"observed agreement {found}"
        said.append(f"{first_upper(term)} on exclusion: Cohen's kappa {_told(kappa)}; {same}.")
    return said


def _told(row: dict) -> str:
    if row["estimate"] != row["estimate"]:
        return row["note"]
    return with_ci(row["estimate"], row["ci_lower"], row["ci_upper"])
