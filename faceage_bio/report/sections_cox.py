"""Hazard ratios on the survival page: both ages in sequentially adjusted models, and whether they hold over time, in a line and everywhere."""

import pandas as pd

from faceage_bio.core.columns import AGES_COMPARED
from faceage_bio.core.config import Config
from faceage_bio.core.tables import to_records
from faceage_bio.report import figures, words
from faceage_bio.report.figure_files import Picture
from faceage_bio.report.figures import INNER, coloured, forest, reference_line, to_svg
from faceage_bio.report.plot import BROWN, INK, VERMILLION
from faceage_bio.report.sections_acceleration import ageing_rate_section
from faceage_bio.report.sections_added_value import added_value_section
from faceage_bio.report.sections_curves import competing_section, curves_section
from faceage_bio.report.sections_genes import gene_survival_section
from faceage_bio.report.sections_scores import scores_section
from faceage_bio.report.tables_by_place import ReportTables, rows_by
from faceage_bio.report.words import (
    count,
    counted,
    first_upper,
    interval,
    number,
    p_equals,
    p_value,
    percent,
    percents,
    term,
)
from faceage_bio.stats.sample_size import size_for_fitted_model

CELLS = {"face_age": "face", "age_acceleration": "acceleration", "chronological_age": "age"}
OF_OTHER_AGES = [exposure for exposure in CELLS if exposure != "face_age"]
WAYS = {"two models": "in separate models", "one model with both": "both in one model"}
STEPS = [("adjusted for age", VERMILLION), ("adjusted for all covariates", BROWN)]
WIDEST = (0.05, 20.0)  # hazard ratios beyond are cut off


def sequential_models_section(tables: ReportTables, name: str, config: Config) -> dict:
    """The headline, the sequentially adjusted models and the comparison of both ages."""
    found = tables.several("survival", name, "cox", "age_comparison", "type_one_error")
    cox, comparison, errors = map(words.with_models, found)
    own = cox[(cox.term == "face_age") & (cox.exposure == "face_age")]
    models, notes = own[own.estimate.notna()], step_notes(cox)
    if not len(models) and len(own):  # one sentence in place of tables without a number
        first = own.iloc[0]
        notes = [f"{first_upper(first.note)} (n = {count(first.n)}, {counted(first.n_events, 'event')})"]
    return {
        "sentence": words.hazard_sentence(cox) if len(models) else "",
        "ran": len(cox) > 0,
        "cox": to_records(cox[~cox.exposure.isin(OF_OTHER_AGES)]),
        "tests": model_tests(cox),
        "sequential": sequential_rows(cox) if len(models) else [],
        "step_notes": notes,
        "size_sentence": size_sentence(cox),
        "sequential_figure": _figure(models) if len(models) else "",
        "ages": age_rows(comparison) if len(models) else [],
        "ages_sentence": ages_sentence(comparison),
        "calibration_sentence": calibration_sentence(errors),
    }


def calibration_sentence(rows: pd.DataFrame) -> str:
    """Wald's test of face age on permuted face ages, and the permutation p-value."""
    by = rows_by(rows, "measure")
    error, inflated, ratio = (by.get(name) for name in ("type I error", "inflation factor", "hazard ratio"))
    if error is None or pd.isna(error["estimate"]):
        return f"Type I error on permuted face ages: {error['note']}." if error else ""
    told = (
        f"On {count(error['permutations'])} permuted face ages (times, events and age as observed), the Wald test had p < 0.05 in {percent(error['estimate'], 1)} "
        f"(Monte Carlo 95% CI {percents(error['ci_lower'], error['ci_upper'], 1)}), inflation factor {number(inflated['estimate'])}"
    )
    return f"{told}; permutation p of the hazard ratio adjusted for age: {p_value(ratio['permutation_p_value'])}."


def step_words(step: str) -> str:
    """A step of the sequentially adjusted models, as a table's row is headed."""
    step, comma, firth = step.partition(", ")
    return f"{'+ ' + words.term(step[2:]) if step.startswith('+ ') else step}{comma}{firth}"


def sequential_rows(cox: pd.DataFrame) -> list[dict]:
    """One row per step: the models' own terms side by side; age stands alone in its first step only."""
    rows = []
    own = cox[(cox.term == cox.exposure) & cox.exposure.isin(CELLS)]
    for step, mine in own.groupby("step", sort=False):
        cells: dict = {"step": step_words(step)}
        for exposure, key in CELLS.items():
            first, second, *_ = [*to_records(mine[mine.exposure == exposure]), None, None]
            cells |= {key: first} | ({"sd": second} if exposure == "age_acceleration" else {})
        rows.append(cells | {"first": cells["face"] or mine.iloc[0].to_dict()})
    return rows


def model_tests(cox: pd.DataFrame) -> list[dict]:
    """One row per model: the tests of all its terms together."""
    tested = cox[cox.likelihood_ratio.notna() & ~cox.exposure.isin(OF_OTHER_AGES)]
    return to_records(tested.drop_duplicates(["model", "step"]))


def size_sentence(cox: pd.DataFrame) -> str:
    """Riley's criteria for the largest model with face age, and its events per variable."""
    own = cox[(cox.term == "face_age") & (cox.exposure == "face_age") & ~cox.step.str.endswith("Firth")]
    own = own[own[["likelihood_ratio", "log_likelihood", "model_df", "n"]].notna().all(axis=1)]
    if not len(own):
        return ""
    row = own.iloc[-1]
    parameters = int(row.model_df)
    told = f"Size of the model {step_words(row.step)}: {parameters} parameters, {number(row.events_per_term, 1)} events per variable"
    found = size_for_fitted_model(row.likelihood_ratio, row.log_likelihood, parameters, int(row.n))
    if found is None:
        return f"{told}; as its chi-square does not exceed the number of parameters, Riley's criteria cannot be met by any sample size."
    return (
        f"{told}; Cox-Snell R² {number(found['r_squared'])}, expected shrinkage factor {number(found['shrinkage'])}. By Riley's criteria "
        f"(shrinkage of 10% and optimism in R² of 0.05 at most) a prediction model with this R² needs {count(found['participants'])} participants; n = {count(row.n)}."
    )


def step_notes(cox: pd.DataFrame) -> list[str]:
    """What is to be said of single steps, each once."""
    own = cox[(cox.term == cox.exposure) & (cox.exposure == "face_age")]
    noted = own[own.estimate.notna() & (own.note != "")]
    return [f"{step_words(row.step)}: {row.note}" for row in noted.itertuples()]


def age_rows(comparison: pd.DataFrame) -> list[dict]:
    """One row per step and way: both hazard ratios and their ratio."""
    rows = []
    for (step, model), mine in comparison.groupby(["step", "model"], sort=False):
        found = rows_by(mine, "term")
        both = {"face": found.get("face_age"), "age": found.get("chronological_age")}
        rows.append({"step": step_words(step), "way": model, **both, "ratio": found[AGES_COMPARED]})
    return rows


def ages_sentence(comparison: pd.DataFrame) -> str:
    """Whether face age tells more than age does, unadjusted, both ways."""
    parts, analysed = [], ""
    for model, way in WAYS.items():
        mine = comparison[(comparison.step == "unadjusted") & (comparison.model == model)].set_index("term")
        if AGES_COMPARED not in mine.index or pd.isna(mine.estimate[AGES_COMPARED]):
            continue
        ratio = mine.loc[AGES_COMPARED]
        analysed = f"n = {count(ratio.n)}, {counted(ratio.n_events, 'event')}"
        parts.append(
            f"{way}, {number(mine.estimate['face_age'])} vs {number(mine.estimate['chronological_age'])}, "
            f"ratio {number(ratio.estimate)} (95% CI {interval(ratio.ci_lower, ratio.ci_upper)}), p {p_equals(ratio.p_value)}"
        )
    if not parts:
        return ""
    per = comparison["per"].iloc[0]
    return f"HR per {per}, face age vs chronological age ({analysed}): {'; '.join(parts)}."


def _figure(rows: pd.DataFrame) -> str:
    shown = rows.assign(label=rows["step"].str.replace("_", " "), kind="face age")
    title = "Hazard ratio for death per {increase} in face age (log scale)"
    return figures.forest(shown, "label", [("face age", VERMILLION)], 1, title, logarithmic=True)


def _ratio_scale(alt, low: float, high: float):
    return alt.Scale(type="log", domain=[max(WIDEST[0], low), min(WIDEST[1], high)], nice=False, clamp=False)


def draw_over_time(curve: pd.DataFrame) -> Picture:
    """Hazard ratios over the follow-up: the smooth with its band, and the mean of each tenth of the deaths."""
    import altair as alt

    charts = []
    for (step, name), mine in curve.groupby(["step", "term"], sort=False):
        smooth, bins = mine[mine["kind"] == "smooth"], mine[mine["kind"] == "binned"]
        ends = [*smooth["ci_lower"], *smooth["ci_upper"]]
        scale = _ratio_scale(alt, min(ends), max(ends))
        title = "Hazard ratio (log scale)"
        y = alt.Y("hazard_ratio:Q", title=title, scale=scale)
        whole = alt.Scale(domain=[0, 1.03 * mine["years"].max()], nice=False)
        x = alt.X("years:Q", title="Years", scale=whole)
        base = alt.Chart(smooth).encode(x=x)
        layers = [
            reference_line(1, dash=(3, 3)),
            base.mark_area(opacity=0.18, color=VERMILLION, clip=True).encode(
                y=alt.Y("ci_lower:Q", scale=scale, title=title), y2="ci_upper:Q"
            ),
            base.mark_line(color=VERMILLION, strokeWidth=2.2, clip=True).encode(y=y),
            alt.Chart(bins)
            .mark_point(filled=True, size=45, color=INK, opacity=0.8, clip=True)
            .encode(x=x, y=y),
        ]
        title = alt.Title(f"{term(name)}, {STEPS[step != '+ age'][0]}", anchor="start", fontSize=13)
        charts.append(alt.layer(*layers).properties(width=INNER, height=220, title=title))
    return to_svg(alt.vconcat(*charts, spacing=12), "Hazard ratios over the follow-up, with 95% bands")


def draw_curve(table: pd.DataFrame, histogram: pd.DataFrame) -> Picture:
    """Hazard ratio by age acceleration, and below it the numbers of participants."""
    import altair as alt

    table = table.assign(kind=[STEPS[step != "+ age"][0] for step in table["step"]])
    ends = pd.concat([table["years"], histogram["lower"], histogram["upper"]])
    x_scale = alt.Scale(domain=[ends.min(), ends.max()], nice=False)
    colours = dict(zip(dict.fromkeys(table["kind"]), (VERMILLION, BROWN), strict=False))
    colour = coloured("kind", colours, symbolType="square", symbolOpacity=1, columnPadding=24)
    scale = _ratio_scale(alt, table["ci_lower"].min(), table["ci_upper"].max())
    base = alt.Chart(table).encode(
        x=alt.X("years:Q", title=None, scale=x_scale, axis=alt.Axis(labels=False)), color=colour
    )
    top = alt.layer(
        reference_line(1, dash=(3, 3)),
        base.mark_area(opacity=0.15, clip=True).encode(
            y=alt.Y("ci_lower:Q", scale=scale, title="Hazard ratio (log scale)"), y2="ci_upper:Q"
        ),
        base.mark_line(strokeWidth=2.2, clip=True).encode(y=alt.Y("hazard_ratio:Q", scale=scale)),
    ).properties(width=INNER, height=300)
    x = alt.X("lower:Q", title="Age acceleration, years", scale=x_scale)
    y = alt.Y("n:Q", title="n", axis=alt.Axis(tickCount=3))
    bars = alt.Chart(histogram).mark_rect(color=INK, opacity=0.35)
    bars = bars.encode(x=x, x2="upper:Q", y=y, y2=alt.datum(0))
    both = alt.vconcat(top, bars.properties(width=INNER, height=70), spacing=4)
    return to_svg(both, "Hazard ratio by age acceleration, with numbers of participants")


def draw_subgroups(rows: pd.DataFrame) -> Picture:
    """Hazard ratios in subgroups, with p and q for interaction at the first of each modifier."""
    shown = rows.assign(kind=[STEPS[step != "+ age"][0] for step in rows["step"]])
    shown["test"] = shown["test"].mask(shown.duplicated(["modifier", "kind"]), "")
    title = "Hazard ratio for death per {increase} in age acceleration (log scale)"
    further = ("test", "p (q) for interaction")
    return forest(shown, "label", STEPS, 1, title, logarithmic=True, further=further)


def held(adjustment: str) -> str:
    """What a model of face age is adjusted for, in short."""
    return STEPS[adjustment != "age"][0]


def draw_choices(rows: pd.DataFrame) -> Picture:
    """The main result under other choices of participants."""
    shown = rows.assign(kind=rows["adjustment"].map(held))
    title = "Hazard ratio for death per {increase} in face age (log scale)"
    return forest(shown, "people", STEPS, 1, title, logarithmic=True)


def hazard_sections(tables: ReportTables, name: str, config: Config) -> dict:
    """Proportional hazards, hazard curve, sites and sensitivity of one cohort."""

    def get(*names: str) -> list[pd.DataFrame]:
        return list(map(words.with_models, tables.several("survival", name, *names)))

    over_time = get("proportional_hazards", "proportional_hazards_curve", "remedies")
    return {
        **_proportional(*over_time, config.survival.alpha),
        **_curve(*get("hazard_curve_tests", "hazard_curve", "hazard_curve_histogram")),
        **_sites(*get("sites")),
        **_sensitivity(*get("sensitivity", "imputed")),
    }


def _proportional(tests: pd.DataFrame, curve: pd.DataFrame, remedies: pd.DataFrame, alpha: float) -> dict:
    known = tests[tests["p_value"].notna()]
    offending = known[known["p_value"] < alpha]
    if not len(known):
        sentence = ""
    elif len(offending):
        rows = offending.itertuples()
        named = "; ".join(f"{term(row.term)} in {row.model} (p {p_equals(row.p_value)})" for row in rows)
        sentence = f"Evidence against proportional hazards: {named}. The hazard ratios above are averages over follow-up; models for non-proportional hazards, as far as any can be fitted, are below."
    else:
        low = known.loc[known["p_value"].idxmin()]
        sentence = f"No evidence against proportional hazards at p < {alpha:g} (smallest: {term(low.term)}, p {p_equals(low.p_value)}); no models for non-proportional hazards were fitted."
    wanted = (curve["step"] + curve["term"]).isin(offending["step"] + offending["term"])
    shown = curve[(curve["term"] == "face_age") | wanted]
    return {
        "ph": to_records(tests),
        "ph_sentence": sentence,
        "ph_figure": draw_over_time(shown) if len(shown) else "",
        "remedies": _remedies(remedies),
    }


def _remedies(remedies: pd.DataFrame) -> list[dict]:
    """Rows whose measure tells the stretch of follow-up, or the groups that are compared."""
    rows = to_records(remedies)
    for row in rows:
        groups = (
            f"{row['level']} vs {row['reference']}" if row["remedy"] == "years lived" and row["level"] else ""
        )
        row["measured"] = ", ".join(filter(None, (row["measured"], row["period"], groups)))
    return rows


def _curve(tests: pd.DataFrame, curve: pd.DataFrame, histogram: pd.DataFrame) -> dict:
    histogram = histogram[histogram["n"].notna()]
    figure = draw_curve(curve, histogram) if len(curve) and len(histogram) else ""
    return {"curvature": to_records(tests), "curvature_figure": figure}


def _sites(sites: pd.DataFrame) -> dict:
    shown = sites[(sites["step"] == "+ age") & (sites["subgroup"] != "")].assign(kind="face age")
    title = "Hazard ratio for death per {increase} in face age, adjusted for age (log scale)"
    figure = figures.forest(shown, "subgroup", [("face age", VERMILLION)], 1, title, logarithmic=True)
    return {
        "sites": to_records(sites),
        "sites_figure": figure,
        "sites_by": next(map(str, sites["by"]), ""),
    }


def _sensitivity(rows: pd.DataFrame, imputed: pd.DataFrame) -> dict:
    classes = rows["exposure"] == "gap_class"
    choices = []
    for choice, mine in rows[~classes].groupby("people", sort=False):
        cells = [{"held": held(row["adjustment"]), "row": row} for row in to_records(mine)]
        choices.append({"people": choice, "cells": cells})
    return {
        "choices": choices,
        "choices_figure": draw_choices(rows[~classes]),
        "gap_classes": to_records(rows[classes]),
        "imputed": _complete_and_imputed(imputed),
    }


def _complete_and_imputed(imputed: pd.DataFrame) -> list[dict]:
    """One row per term: complete cases and multiple imputation side by side."""
    rows = []
    for name, mine in imputed.groupby("term", sort=False):
        found = rows_by(mine, "missing")
        complete, filled = found.get("complete cases"), found.get("multiple imputation")
        rows.append({"term": name, "per": mine["per"].iloc[0], "complete": complete, "filled": filled})
    return rows


def subgroup_section(tables: ReportTables, name: str, config: Config) -> dict:
    """Hazard ratios of age acceleration in each subgroup, and the tests that they differ: forest and table of one cohort."""
    table = tables.get("survival", "subgroups", name)
    table = table.assign(shown=[_shown(row) for row in table.itertuples()])
    groups = (table["subgroup"] != "") | (table["modifier"] == "")
    drawn = table[groups & table["estimate"].notna()]
    drawn = drawn.assign(label=drawn["shown"], test=[_test(row) for row in drawn.itertuples()])
    shown = to_records(table.assign(is_test=~groups))
    return {"subgroups": shown, "subgroup_figure": draw_subgroups(drawn)}


def _shown(row) -> str:
    if not row.modifier:
        return "all participants"
    if row.measure == "ratio of hazard ratios" and row.level:
        return f"{words.term(row.modifier)}: {row.level} vs {row.reference}"
    number = "continuous" if row.measure == "ratio of hazard ratios" else "test for interaction"
    return f"{words.term(row.modifier)}: {row.subgroup or number}"


def _test(row) -> str:
    if pd.isna(row.p_interaction):
        return ""
    return f"{p_value(row.p_interaction)} ({p_value(row.q_interaction)})"


def survival_cohort(tables: ReportTables, name: str, config: Config) -> dict:
    """What the templates of one cohort's sections show; a section's keys are its own."""
    return {
        "name": name,
        **curves_section(tables, name, config),
        **sequential_models_section(tables, name, config),
        **hazard_sections(tables, name, config),
        **subgroup_section(tables, name, config),
        **added_value_section(tables, name, config),
        **competing_section(tables, name, config),
        **scores_section(tables, name, config),
        **ageing_rate_section(tables, name),
        **gene_survival_section(tables, name, config),
    }
