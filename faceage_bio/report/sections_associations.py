"""The report's comparisons: every association as a pair of rows, unadjusted and adjusted for age, never one alone."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from faceage_bio.core.columns import COHORT, POOLED
from faceage_bio.core.config import Config
from faceage_bio.report import table_rows as select
from faceage_bio.report import words
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.figures import (
    INNER,
    RAW_AND_ADJUSTED,
    adjusted,
    coloured,
    forest,
    reference_line,
    to_svg,
)
from faceage_bio.report.plot import BROWN, GREY, VERMILLION
from faceage_bio.report.table_rows import paired
from faceage_bio.report.tables_by_place import ReportTables
from faceage_bio.report.words import first_upper, interval, label, number, p_value, signed, term

# in each figure grey is the unadjusted age gap and vermillion the same adjusted for age
NAMES = [name for name, _ in RAW_AND_ADJUSTED]
INTERACTION = "interaction F"
BALANCED = 0.1  # the largest standardised difference of groups that are called balanced (Austin 2009)
NUMBERS = (
    "estimate", "ci_lower", "ci_upper", "p_value", "q_value", "p_holm", "effect_size", "effect_lower", "effect_upper",
    "eta_squared", "e_value", "e_value_interval", "exposed_mean", "reference_mean",
)  # fmt: skip
WANTED = ("level", "subgroup", "p_holm", "q_interaction", "p_interaction", *NUMBERS)
CHOICES = {"definition": "definition", "adjustment_set": "adjusted for", "excluded": "excluded"}
PAIRED = ("means", "pairs", "tests", "dose_response", "interactions", "adjustments")
OTHERS = ("subgroups", "matched", "specifications", "specification_summary")


def draw_contrasts(table: pd.DataFrame, title: str) -> Picture:
    """Means of groups or differences between them, unadjusted and adjusted for age."""
    return forest(table.assign(kind=adjusted(table)), "shown", RAW_AND_ADJUSTED, 0, title, digits=1)


def draw_dose(curves: pd.DataFrame) -> Picture:
    """Years against the reference value, by amount, with a band."""
    import altair as alt

    shown = curves.assign(kind=adjusted(curves))
    charts = []
    for name, part in shown.groupby("term", sort=False):
        x = alt.X("value:Q", title=first_upper(term(str(name))), scale=alt.Scale(zero=False, nice=False))
        colour = coloured("kind", dict(RAW_AND_ADJUSTED), symbolOpacity=1)
        base = alt.Chart(part).encode(x=x, color=colour)
        title = f"Difference in years, reference {part.reference.iloc[0]:.3g}"
        charts.append(
            alt.layer(
                reference_line(0, dash=(2, 3)),
                base.mark_area(opacity=0.16).encode(y=alt.Y("ci_lower:Q", title=title), y2="ci_upper:Q"),
                base.mark_line(strokeWidth=2.2).encode(y="estimate:Q"),
            ).properties(width=370, height=260)
        )
    what = "Difference in face age by exposure, unadjusted and adjusted for age, with 95% bands"
    return to_svg(alt.hconcat(*charts), what)


def draw_subgroups(table: pd.DataFrame) -> Picture:
    """The first contrast of each exposure in each subgroup, with p and q for interaction."""
    shown = table.assign(kind=adjusted(table), subgroup=table["subgroup"].map(_subgroup))
    shown = shown[shown["estimate"].notna()]
    first = ~shown[shown["kind"] == NAMES[1]].duplicated(["shown", "modifier"])
    tested = first.reindex(shown.index, fill_value=False) & shown["p_interaction"].notna()
    shown["test"] = [
        f"{p_value(row.p_interaction)} ({p_value(row.q_interaction)})" if told else ""
        for row, told in zip(shown.itertuples(), tested, strict=True)
    ]
    further, title = ("test", "p (q) for interaction"), "Difference in face age, years"
    return forest(shown, "subgroup", RAW_AND_ADJUSTED, 0, title, section="shown", further=further, digits=1)


def _subgroup(name: str) -> str:
    modifier, _, level = str(name).partition(": ")
    return f"{term(modifier)}: {level}"


def draw_adjustments(table: pd.DataFrame) -> Picture:
    """Each contrast under each adjustment set, complete cases and multiple imputation, and unadjusted."""
    shown = table[table["estimate"].notna()]
    raw = adjusted(shown) == NAMES[0]
    # the unadjusted gap of the participants of the minimal set stands for all of them; the table has each
    shown = shown[~raw | ((shown.adjustment_set == "minimal") & (shown.missing == "complete cases"))].copy()
    raw = adjusted(shown) == NAMES[0]
    shown["set"] = np.where(raw, NAMES[0], shown.adjustment_set + " adjustment")
    shown["kind"] = np.where(raw, NAMES[0], shown.missing)
    kinds = [(NAMES[0], GREY), ("complete cases", VERMILLION), ("multiple imputation", BROWN)]
    title = "Difference in face age, years"
    return forest(shown, "set", kinds, 0, title, section="shown", digits=1)


def draw_specifications(table: pd.DataFrame) -> Picture:
    """Estimates in order of size, and below each the choices that gave it."""
    import altair as alt

    shown = table[table.estimate.notna()].sort_values("estimate", kind="stable").reset_index(drop=True)
    if not len(shown):
        return Picture()
    shown["place"] = shown.index + 1
    raw = adjusted(shown) == NAMES[0]
    kinds = [NAMES[0], "p < 0.05", "p ≥ 0.05"]
    shown["kind"] = np.where(raw, kinds[0], np.where(shown.p_value < 0.05, kinds[1], kinds[2]))
    colour = coloured("kind", dict(zip(kinds, (GREY, VERMILLION, BROWN), strict=True)))
    # whole places only, with room at both ends
    x = alt.X("place:Q", title=None, axis=None, scale=alt.Scale(domain=[0, len(shown) + 1], nice=False))
    base = alt.Chart(shown).encode(x=x, color=colour)
    lower = alt.Y("ci_lower:Q", title="Difference in face age, years")
    layers = [
        reference_line(0, opacity=0.6),
        base.mark_rule(strokeWidth=2, opacity=0.7).encode(y=lower, y2="ci_upper:Q"),
        base.mark_point(filled=True, size=34, opacity=1).encode(y="estimate:Q"),
    ]
    title = alt.Title(shown["shown"].iloc[0], anchor="start", fontSize=13)
    charts = [alt.layer(*layers).properties(width=INNER - 120, height=220, title=title)]
    axis = alt.Axis(labelLimit=250, titleAnchor="middle", titlePadding=34)
    for column, name in CHOICES.items():
        order = [_choice(option) for option in dict.fromkeys(table[column])]
        if len(order) > 1:
            ticks = alt.Chart(shown.assign(choice=shown[column].map(_choice))).mark_tick(
                thickness=2.4, size=9, opacity=1
            )
            marked = ticks.encode(x=x, color=colour, y=alt.Y("choice:N", sort=order, title=name, axis=axis))
            charts.append(marked.properties(width=INNER - 120, height=17 * len(order)))
    return to_svg(alt.vconcat(*charts, spacing=6), "Estimates under all specifications, in order of size")


def _choice(option: str) -> str:
    """A choice of a specification as it is written."""
    return term(option).replace("_", " ")


def draw_balance(table: pd.DataFrame) -> Picture:
    """Standardised differences before and after matching."""
    import altair as alt

    shown = table[table.estimate.notna()]
    kind = (shown.adjustment == "unadjusted").map({True: "before", False: "after"})
    shown = shown.assign(label=shown.term.map(label), kind=kind)[["label", "kind", "estimate"]]
    order = list(dict.fromkeys(shown["label"]))
    limits = reference_line(-BALANCED, BALANCED, axis="x", dash=(3, 3))
    points = alt.Chart(shown).mark_point(filled=True, size=60, opacity=1)
    points = points.encode(
        x=alt.X("estimate:Q", title="Standardised difference, exposed minus reference"),
        y=alt.Y("label:N", sort=order, title=None, axis=alt.Axis(labelLimit=260, grid=True)),
        color=coloured("kind", {"before": GREY, "after": VERMILLION}),
    )
    chart = alt.layer(reference_line(0, axis="x", opacity=0.6), limits, points)
    chart = chart.properties(width=INNER - 140, height=max(70, 22 * len(order)))
    return to_svg(chart, "Standardised differences before and after matching")


def association_sections(tables: ReportTables, config: Config) -> dict:
    """What the template of the comparisons shows, for each cohort and for all together."""

    def get(name: str) -> pd.DataFrame:
        table = tables.get("phenotype", name)
        table = table.reindex(columns=list(dict.fromkeys([*table, *WANTED])))
        return table.assign(shown=[words.label(str(row.term), row.per) for row in table.itertuples()])

    found = {name: get(name) for name in (*PAIRED, *OTHERS)}
    curves, balance, roles = (tables.get("phenotype", name) for name in ("dose_curves", "balance", "roles"))
    return {
        "scopes": [_scope(name, found, curves) for name in select.names_of(config)],
        "matched": paired(found["matched"]),
        "balance": _before_and_after(balance),
        "balance_figure": _figure(draw_balance, balance),
        "imbalance": imbalance_sentence(balance),
        "roles": _roles(roles),
        "ran": any(len(table) for table in found.values()),
    }


def _scope(name: str, found: dict[str, pd.DataFrame], curves: pd.DataFrame) -> dict:
    def part(table: str) -> pd.DataFrame:
        return found[table][found[table][COHORT] == name]

    pairs = {table: paired(part(table)) for table in PAIRED}
    specifications = part("specifications").groupby("exposure", sort=False)
    # the terms of a test are for meta-analysis
    pairs["interactions"] = [one for one in pairs["interactions"] if one["raw"]["measure"] == INTERACTION]
    return pairs | {
        "name": "All cohorts together" if name == POOLED else name,
        "any": any(pairs.values()),
        "means_figure": _figure(
            draw_contrasts, part("means"), "Mean, years of face age above chronological age"
        ),
        "pairs_figure": _figure(
            draw_contrasts, part("pairs"), "Difference in face age between groups, years"
        ),
        "dose_figure": _figure(draw_dose, curves[curves[COHORT] == name]),
        "subgroup_figure": _figure(draw_subgroups, part("subgroups")),
        "has_subgroups": bool(paired(part("subgroups"))),
        "adjustment_figure": _figure(draw_adjustments, part("adjustments")),
        "e_value_sentence": e_value_sentence(pairs["adjustments"]),
        "summary": paired(part("specification_summary")),
        "specification_figures": [_figure(draw_specifications, rows) for _, rows in specifications],
    }


def _before_and_after(balance: pd.DataFrame) -> list[dict]:
    """A covariate's standardised difference among all participants, and in the pairs."""
    return [
        {"shown": words.label(str(term)), "before": rows.iloc[0].to_dict(), "after": rows.iloc[-1].to_dict()}
        for term, rows in balance.groupby("term", sort=False)
    ]


def imbalance_sentence(balance: pd.DataFrame) -> str:
    """In which covariates the matched groups still differ, for which the difference in pairs is not adjusted."""
    after = balance[(balance.adjustment != "unadjusted") & (balance.estimate.abs() > BALANCED)]
    named = ", ".join(f"{words.label(str(row.term))} {signed(row.estimate, 2)}" for row in after.itertuples())
    return (
        named
        and f"After matching, standardised differences beyond ±{BALANCED}: {named}. The difference within pairs is not adjusted for them."
    )


def _figure(draw: Callable[..., Picture], table: pd.DataFrame, *title: str) -> Picture:
    return draw(table, *title) if len(table) and table["estimate"].notna().any() else Picture()


def _roles(roles: pd.DataFrame) -> list[dict]:
    """A covariate's role and reason once, with the exposures to which it has another role."""
    rows: list[dict] = []
    for name, own in roles.groupby("covariate", sort=False):
        for role, part in own.groupby("role", sort=False):
            exposures = ", ".join(
                words.term(exposure).replace("group", "disease") for exposure in part.exposure
            )
            row = {"covariate": words.term(str(name)), "role": role, "reason": part.reason.iloc[0]}
            rows.append(row | {"exposures": exposures})
    return rows


def e_value_sentence(pairs: Sequence[dict]) -> str:
    """What it would take to explain the first claim away: minimal set, complete cases."""
    both = [(pair["raw"], pair["adjusted"]) for pair in pairs]
    claims = [
        (raw, row)
        for raw, row in both
        if (row["adjustment_set"], row["missing"]) == ("minimal", "complete cases")
    ]
    if not claims:
        return ""
    first = claims[0][1]["exposure"]
    # of several groups the last against the reference is the headline
    raw, row = [one for one in claims if one[1]["exposure"] == first][-1]
    if pd.isna(row["estimate"]) or pd.isna(row["e_value"]):
        return ""
    years = f"{signed(row['estimate'])} years ({interval(row['ci_lower'], row['ci_upper'], 1)}; unadjusted age gap {signed(raw['estimate'])})"
    limit = f"; {number(row['e_value_interval'])} for the confidence limit nearer to no association"
    also = "; the 95% CI includes no association" if row["e_value_interval"] == 1 else limit
    return (
        f"{row['shown']}: {years}. E-value {number(row['e_value'])}: the smallest risk ratio of an unmeasured confounder with both exposure and "
        f"face age that could explain the estimate{also}."
    )


def group_section(tables: ReportTables, config: Config) -> dict:
    """Cancer against controls over all cohorts: rows, and the sentence of the first screen."""
    groups = tables.get("phenotype", "groups")
    if groups["n"].eq(0).all():
        return {"groups": [], "group_sentence": ""}
    return {
        "groups": [row | {"said": select.exposure(row["term"])} for row in _both(groups)],
        "group_sentence": words.group_sentence(groups),
    }


def phenotype_section(tables: ReportTables, name: str, config: Config) -> dict:
    """A cohort's exposures, one at a time."""
    table = tables.get("phenotype", "phenotypes", name)
    return {"phenotypes": _both(table), "phenotype_figure": _figure(_forest, table)}


def _both(table: pd.DataFrame) -> list[dict]:
    """Rows of associations, each raw row followed by its adjusted one."""
    return [row for pair in paired(table) for row in (pair["raw"], pair["adjusted"])]


def _forest(table: pd.DataFrame) -> str:
    labels = [f"{term(row.term)}{f', per {row.per}' if row.per else ''}" for row in table.itertuples()]
    shown = table.assign(label=labels, kind=adjusted(table))
    return forest(shown, "label", RAW_AND_ADJUSTED, 0, "Difference in face age, years", digits=1)
