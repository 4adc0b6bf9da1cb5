"""The page on photo quality: which photos could be used, why others were not, and how they measure; aggregates only."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup

from faceage_bio.report import figures_photos as figures
from faceage_bio.report import words
from faceage_bio.report.formats import interval, number
from faceage_bio.report.tables import ReportTables
from faceage_bio.stats.small_cells import hidden_counts, hidden_in_line

EVERYBODY = "all"
TOGETHER = "all others together"
STATUSES = {"ok": "used", "flagged": "used, but flagged", "excluded": "not used"}
AGAIN = "photos that occur again"
WORDS = ("factor", "group", "status", "reason")
SOME_FLAGGED = "a few of them flagged"
FEWEST_BINS = (
    3  # with fewer there is nothing to see, and their numbers might tell those of photos without a face
)
# measure: name, unit, the rule that looks at it and from which side
MEASURES = {
    "photo_short_side": ("Shorter side of the photo", "pixels", [("small_photo", "below")]),
    "face_short_side": ("Shorter side of the face", "pixels", [("small_face", "below")]),
    "face_share": ("Share of the photo that the face fills", "", [("little_of_frame", "below")]),
    "outside_share": ("Share of the face outside of the photo", "", [("face_leaves_frame", "above")]),
    "probability": ("Certainty that it is a face", "", []),
    "sharpness": ("Sharpness (variance of the Laplacian)", "", [("blurred", "below")]),
    "brightness": ("Brightness (mean grey, 0 to 255)", "", [("dark", "below"), ("bright", "above")]),
    "contrast": ("Contrast (standard deviation of grey)", "", [("low_contrast", "below")]),
    "abs_yaw": ("Head turned left or right", "degrees", [("turned_head", "above")]),
    "abs_roll": ("Head tilted", "degrees", [("tilted_head", "above")]),
}


@dataclass(frozen=True)
class Line:
    """What became of some photos: ``n`` is None where the number is not told."""

    status: str
    reason: str
    n: int | None

    @property
    def words(self) -> str:
        if self.reason == TOGETHER:
            return TOGETHER
        return words.reason(self.reason) or "nothing found"


def section(tables: ReportTables, config: dict) -> dict:
    """What the template needs."""
    min_cell = config["report"]["min_cell"]
    names = [name for name, cohort in config["cohorts"].items() if cohort.get("photos")]
    cohorts = [cohort_photos(tables.get("faceage", "photo_counts", name), name, min_cell) for name in names]
    bins = tables.get("faceage", "photo_measures")
    shown = [
        {"title": title, "unit": unit, "limits": limits_of(rules, config["faceage"]["quality"])}
        | measure_section(bins[bins["measure"] == name] if len(bins) else bins, title, unit, names, min_cell)
        for name, (title, unit, rules) in MEASURES.items()
    ]
    return {
        "cohorts": cohorts,
        "figure": Markup(_figure(cohorts, names)),
        "measures": [one for one in shown if one["bins"]],
        "speeds": _speeds(tables.get("faceage", "photo_speed")),
        "review": review_sentences(tables.get("faceage", "review"), config["review"], min_cell),
        "uncertainty": _uncertainty(tables, names),
        "rules": rule_table(config["faceage"]["quality"]),
    }


def cohort_photos(counts: pd.DataFrame, name: str, min_cell: int) -> dict:
    """What became of a cohort's photos, and for each group, without small numbers and what gives them away.

    If only a few photos have no age, neither all photos nor those with an age are told here: other pages tell one of the two.
    """
    if counts.empty:
        return {"name": name, "ran": False}
    counts = counts.assign(**{name: counts[name].fillna("") for name in WORDS})
    again = counts[counts["measure"] == AGAIN]
    counts = _few_flagged_joined(counts[counts["measure"] != AGAIN], min_cell)
    everybody = counts[counts["factor"] == EVERYBODY]
    n = everybody["estimate"].to_numpy(dtype=int)
    hidden = not_told(everybody, min_cell)
    lines = [
        Line(row.status, row.reason, int(row.estimate))
        for row, out in zip(everybody.itertuples(), hidden, strict=True) if not out
    ]  # fmt: skip
    came, lost = int(n.sum()), int(n[everybody["status"].to_numpy() == "excluded"].sum())
    few_lost = 0 < lost < min_cell
    small = came < 2 * min_cell
    together = int(n[hidden].sum()) if not few_lost else 0
    if together >= min_cell:
        lines.append(Line("", TOGETHER, together))
    rarer = everybody[hidden]
    return {
        "name": name, "ran": True, "small": small, "few_lost": few_lost,
        "came": None if few_lost or small else came, "aged": None if few_lost or small else came - lost,
        "lines": [] if small else _ordered(lines),
        "rarer": [] if small else [f"{words.reason(row.reason) or 'nothing found'} ({STATUSES[row.status]})" for row in rarer.itertuples() if row.estimate > 0],
        "again": _again(again, everybody[hidden], came, min_cell),
        "factors": [] if small or few_lost else _factors(counts, everybody[hidden], min_cell),
    }  # fmt: skip


def _few_flagged_joined(counts: pd.DataFrame, min_cell: int) -> pd.DataFrame:
    """Where only a few photos are flagged, one line of all that are used: other places tell their sum."""
    everybody = counts[counts["factor"] == EVERYBODY]
    flagged = everybody.loc[everybody["status"] == "flagged", "estimate"].sum()
    if not 0 < flagged < min_cell:
        return counts
    used = counts["status"].isin(["ok", "flagged"])
    joined = (
        counts[used].groupby(["factor", "group"], dropna=False, sort=False, as_index=False)["estimate"].sum()
    )
    return pd.concat([counts[~used], joined.assign(status="ok", reason=SOME_FLAGGED)], ignore_index=True)


def not_told(everybody: pd.DataFrame, min_cell: int) -> np.ndarray:
    """Which outcomes of a cohort are told together only: the rare ones, and those from which they could be computed.

    Other places tell the same outcomes: as parts of all photos, and the excluded ones as parts of those. Whatever either would
    leave out is left out here, so that two places do not tell together what each keeps.
    """
    n = everybody["estimate"].to_numpy(dtype=int)
    none = np.zeros(len(n), dtype=bool)
    hidden = hidden_in_line(n, min_cell, none)
    for status in STATUSES:
        part = (everybody["status"] == status).to_numpy()
        if part.any():
            hidden[part] |= hidden_in_line(n[part], min_cell, none[part])
    return hidden_in_line(n, min_cell, hidden)


def _ordered(lines: list[Line]) -> list[Line]:
    order = [*STATUSES, ""]
    return sorted(lines, key=lambda line: (order.index(line.status), -(line.n or 0)))


def _again(rows: pd.DataFrame, hidden: pd.DataFrame, came: int, min_cell: int) -> str:
    """How many photos occur again under another name."""
    if rows.empty:
        return ""
    n = int(rows["estimate"].iloc[0])
    if n == 0:
        return "No photo occurs again under another name."
    if 0 < n < min_cell or 0 < came - n < min_cell or hidden["reason"].str.contains("same_photo").any():
        return "Some photos occur again under another name; how many is not told."
    return f"{n:,} photos occur again under another name, exactly or nearly."


def _factors(counts: pd.DataFrame, rarer: pd.DataFrame, min_cell: int) -> list[dict]:
    """For each column with groups a table of outcomes by group; a table that would tell small numbers is left out."""
    told = []
    pooled = set(zip(rarer["status"], rarer["reason"], strict=True))
    for factor, rows in counts[counts["factor"] != EVERYBODY].groupby("factor", sort=False):
        keys = [
            ("", TOGETHER) if key in pooled else key
            for key in zip(rows["status"], rows["reason"], strict=True)
        ]
        table = rows.assign(outcome=keys).pivot_table(
            index="outcome", columns="group", values="estimate", aggfunc="sum", fill_value=0, observed=True
        )
        if table.shape[1] < 2:
            continue
        values = table.to_numpy(dtype=int)
        hidden, row_sums, column_sums = hidden_counts(values, min_cell)
        if row_sums.any() or column_sums.any():
            told.append({"factor": words.term(factor), "ran": False})
            continue
        lines = [
            (Line(*key, None), [None if out else int(n) for n, out in zip(row, mask, strict=True)])
            for key, row, mask in zip(table.index, values, hidden, strict=True)
        ]
        order = [*STATUSES, ""]
        lines.sort(key=lambda line: (order.index(line[0].status), line[0].words))
        told.append({
            "factor": words.term(factor), "ran": True, "groups": list(map(str, table.columns)), "lines": lines,
            "sums": [int(n) for n in values.sum(axis=0)],
        })  # fmt: skip
    return told


def _figure(cohorts: list[dict], names: list[str]) -> str:
    """Shares of each cohort's photos by what became of them, where these are told."""
    rows = [
        {"cohort": cohort["name"], "outcome": line.words, "share": 100 * line.n / cohort["came"], "status": STATUSES[line.status]}
        for cohort in cohorts if cohort["ran"] and cohort["came"]
        for line in cohort["lines"] if line.status in ("flagged", "excluded")
    ]  # fmt: skip
    return figures.outcomes(pd.DataFrame(rows), names) if rows else ""


def measure_section(bins: pd.DataFrame, title: str, unit: str, names: list[str], min_cell: int) -> dict:
    """A measure's bins as shares of each cohort's photos, from numbers rounded to multiples of ``min_cell``."""
    shares = {}
    for name in names:
        mine = bins[bins["cohort"] == name] if len(bins) else bins
        if mine.empty:
            continue
        rounded = (mine["n"] / min_cell).round() * min_cell
        if (rounded > 0).sum() >= FEWEST_BINS:
            shares[name] = (100 * rounded / rounded.sum()).round().astype(int).tolist()
    if not shares:
        return {"bins": [], "figure": ""}
    first = bins[bins["cohort"] == next(iter(shares))]
    labels = [bin_label(row.lower, row.upper) for row in first.itertuples()]
    used = [k for k in range(len(labels)) if any(one[k] for one in shares.values())]
    start, end = used[0], used[-1] + 1
    table = [{"label": labels[k], "shares": [one[k] for one in shares.values()]} for k in range(start, end)]
    rows = pd.DataFrame(
        [
            {"bin": labels[k], "cohort": name, "share": one[k]}
            for name, one in shares.items()
            for k in range(start, end)
        ]
    )
    name = f"{title}{f', {unit}' if unit else ''}"
    figure = figures.measure(rows, labels[start:end], name, names)
    return {"bins": table, "names": list(shares), "figure": Markup(figure)}


def bin_label(lower: float, upper: float) -> str:
    """ "25 to 50", "below 25" for the first bin, "1,600 and more" for the last."""
    if pd.isna(upper):
        return f"{lower:,g} and more"
    return f"below {upper:,g}" if lower == 0 else f"{lower:,g} to {upper:,g}"


def limits_of(rules: list[tuple[str, str]], quality: dict) -> str:
    """The rules that look at a measure: "excluded below 60"."""
    did = {"exclude": "excluded", "flag": "flagged"}
    return ", ".join(
        f"{did[quality[name]['action']]} {side} {quality[name]['threshold']:g}"
        for name, side in rules
        if quality[name]["action"] in did
    )


def rule_table(quality: dict) -> list[dict]:
    """Each rule with what it does."""
    return [
        {"rule": words.reason(name), "action": rule["action"], "threshold": f"{rule['threshold']:g}{words.UNITS_OF_RULES.get(name, '')}"}
        for name, rule in quality.items()
    ]  # fmt: skip


def made(settings: dict) -> list[tuple[str, str]]:
    """What an age depends on beside photo and model, in words."""
    choice = {
        "highest_confidence": "the most certain face",
        "largest": "the largest face",
        "only": "only a face that is alone",
    }
    detection = {"exact": "exact (as the study)", "fast": "fast (faces below the limit are not looked for)"}
    box = {
        "clip": "clip (detector 0.1.1, as in the released ages)",
        "abs_shift": "abs_shift (detector 0.1.0 and older, as in the clinical runs)",
    }
    twice = {"flag": "used and flagged", "exclude": "not used, but for the first of a person"}
    jitters = (
        f"from {settings['jitters']} shifted and mirrored crops" if settings["jitters"] else "not asked for"
    )
    return [
        ("Face found", f"{detection[settings['detection']]}, probability {settings['min_probability']:g} and more; {choice[settings['face_choice']]}"),
        ("Box that leaves the photo", box[settings["box_mode"]]), ("Scaled", f"to 160 × 160 pixels, {settings['resize']}"),
        ("Precision", settings["precision"]), ("Device asked for", settings["device"]), ("Uncertainty of one age", jitters),
        ("Photos that occur again", twice[settings["same_photo"]]),
    ]  # fmt: skip


def _speeds(rows: pd.DataFrame) -> list[dict]:
    """Photos per second of each cohort and device."""
    return [
        {"cohort": row.cohort, "device": row.device, "workers": int(row.workers), "speed": row.photos / row.seconds}
        for row in rows.itertuples() if row.seconds > 0
    ]  # fmt: skip


def _uncertainty(tables: ReportTables, names: list[str]) -> list[dict]:
    """How certain a single face age is, where it was asked for."""
    found = []
    for name in names:
        rows = tables.get("faceage", "summary", name)
        if len(rows):
            found += rows[(rows["term"] != "photos") & rows["estimate"].notna()].to_dict("records")
    return found


def review_sentences(rows: pd.DataFrame, settings: dict, min_cell: int) -> list[str]:
    """What people who looked at the photos did, and how far they agree."""
    if rows.empty:
        return []
    looked = rows[rows["measure"] == "photos"].set_index("term")["estimate"]
    n = looked["photos looked at"]
    said = [f"People looked at {'fewer than ' + str(min_cell) if n < min_cell else f'{int(n):,}'} photos without knowing whose they are."]  # fmt: skip
    if "photos looked at by several" in looked.index:
        rule = rows["model"].iloc[0]
        said[0] = (
            f"{said[0].removesuffix('.')}; {int(looked['photos looked at by several']):,} were seen by more than one, and {rule}."
        )
    for term, pair in rows[rows["measure"] != "photos"].groupby("term", sort=False):
        found = {row["measure"]: row for row in pair.to_dict("records")}
        kappa, share = found["Cohen's kappa, excluded or not"], found["share of equal answers"]
        parts = [
            f"Cohen's kappa {_told(kappa)}",
            f"the same answer on {number(100 * share['estimate'], 0)} % ({interval(100 * share['ci_lower'], 100 * share['ci_upper'], 0)})" if share["estimate"] == share["estimate"] else f"share of equal answers {share['note']}",
        ]  # fmt: skip
        said.append(f"{term.capitalize()} on excluding a photo or not: {'; '.join(parts)}.")
    return said


def _told(row: dict) -> str:
    if row["estimate"] != row["estimate"]:
        return row["note"]
    return f"{number(row['estimate'])} ({interval(row['ci_lower'], row['ci_upper'])})"
