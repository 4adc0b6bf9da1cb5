"""The survival page's first answer: hazard ratios of both ages in sequentially adjusted Cox models, and face age against age."""

import pandas as pd

from faceage_bio.report import figures, words
from faceage_bio.report.colours import VERMILLION
from faceage_bio.report.formats import count, increase, interval, number, p_equals, p_value, people
from faceage_bio.report.tables_by_place import ReportTables
from faceage_bio.stats.prediction_size import size_for_fitted_model

AGES = "face age against age"
CELLS = (("face_age", "face"), ("age_acceleration", "acceleration"), ("chronological_age", "age"))


def sequential_models_section(tables: ReportTables, name: str, config: dict) -> dict:
    """The headline, the sequentially adjusted models and the comparison of both ages."""
    cox = tables.get("survival", "cox", name)
    comparison = tables.get("survival", "age_comparison", name)
    if not len(cox):
        nothing = dict.fromkeys(
            (
                "cox",
                "sequential",
                "step_notes",
                "size_sentence",
                "sequential_figure",
                "ages",
                "calibration_sentence",
            ),
            "",
        )
        return nothing | {
            "sentence": "Not run, because the cohort has no clinical table.",
            "ran": False,
            "ages_sentence": "",
        }
    own = cox[(cox.term == "face_age") & (cox.exposure == "face_age")]
    models = own[own.estimate.notna()]
    if not len(models) and len(own):  # one sentence in place of tables without a number
        first = own.iloc[0]
        notes = [
            f"{first.note[:1].upper()}{first.note[1:]} (n = {count(first.n)}, {count(first.n_events)} events)"
        ]
    else:
        notes = step_notes(cox)
    return {
        "sentence": words.hazard_sentence(cox),
        "ran": True,
        "cox": cox[~cox.exposure.isin(["age_acceleration", "chronological_age"])].to_dict("records"),
        "tests": model_tests(cox),
        "sequential": sequential_rows(cox) if len(models) else [],
        "step_notes": notes,
        "size_sentence": size_sentence(cox),
        "sequential_figure": _figure(models) if len(models) else "",
        "ages": age_rows(comparison) if len(models) else [],
        "ages_sentence": ages_sentence(comparison),
        "calibration_sentence": calibration_sentence(tables.get("survival", "type_one_error", name)),
    }


def calibration_sentence(rows: pd.DataFrame) -> str:
    """Wald's test of face age on permuted face ages, and the permutation p-value."""
    by = {row["measure"]: row for row in rows.to_dict("records")}
    error, inflated, ratio = (by.get(name) for name in ("type I error", "inflation factor", "hazard ratio"))
    if error is None or pd.isna(error["estimate"]):
        return f"Type I error on permuted face ages: {error['note']}." if error else ""
    low, high = (100 * error[end] for end in ("ci_lower", "ci_upper"))
    told = (
        f"On {count(error['permutations'])} permuted face ages (times, events and age as observed) Wald's test gave p < 0.05 in {100 * error['estimate']:.1f}% "
        f"(Monte Carlo 95% CI {low:.1f}–{high:.1f}%), inflation factor {number(inflated['estimate'])}"
    )
    return f"{told}; permutation p of the hazard ratio adjusted for age: {p_value(ratio['permutation_p_value'])}."


def step_words(step: str) -> str:
    """A step of the sequentially adjusted models, as a table's row is headed."""
    step, comma, firth = step.partition(", ")
    return f"{'+ ' + words.term(step[2:]) if step.startswith('+ ') else step}{comma}{firth}"


def sequential_rows(cox: pd.DataFrame) -> list[dict]:
    """One row per step: the models' own terms side by side; age stands alone in its first step only."""
    rows = []
    own = cox[(cox.term == cox.exposure) & cox.exposure.isin([one for one, _ in CELLS])]
    for step in dict.fromkeys(own["step"]):
        mine = own[own["step"] == step]
        cells: dict = {"step": step_words(step)}
        for exposure, key in CELLS:
            found = mine[mine.exposure == exposure].to_dict("records")
            cells[key] = found[0] if found else None
            if exposure == "age_acceleration":
                cells["sd"] = found[1] if len(found) > 1 else None
        rows.append(cells | {"first": cells["face"] or mine.iloc[0].to_dict()})
    return rows


def model_tests(cox: pd.DataFrame) -> list[dict]:
    """One row per model: the tests of all its terms together."""
    tested = cox[cox.likelihood_ratio.notna() & ~cox.exposure.isin(["age_acceleration", "chronological_age"])]
    return tested.drop_duplicates(["model", "step"]).to_dict("records")


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
        return f"{told}; its chi-square is not above the number of parameters, so that by Riley's criteria no number of participants is enough."
    return (
        f"{told}; Cox-Snell R² {number(found['r_squared'])}, expected shrinkage factor {number(found['shrinkage'])}. By Riley's criteria "
        f"(shrinkage of 10% and optimism in R² of 0.05 at most) a prediction model of this strength needs {count(found['participants'])} participants; this one has {count(row.n)}."
    )


def step_notes(cox: pd.DataFrame) -> list[str]:
    """What is to be said of single steps, each once."""
    own = cox[
        (cox.term == cox.exposure) & (cox.exposure == "face_age") & cox.estimate.notna() & (cox.note != "")
    ]
    return [f"{step_words(row.step)}: {row.note}" for row in own.itertuples()]


def age_rows(comparison: pd.DataFrame) -> list[dict]:
    """One row per step and way: both hazard ratios and their ratio."""
    rows = []
    if not len(comparison):
        return rows
    for (step, model), mine in comparison.groupby(["step", "model"], sort=False):
        found = {row["term"]: row for row in mine.to_dict("records")}
        ratio = found[AGES]
        rows.append({
            "step": step_words(step), "way": model, "face": found.get("face_age"), "age": found.get("chronological_age"), "ratio": ratio,
        })  # fmt: skip
    return rows


def ages_sentence(comparison: pd.DataFrame) -> str:
    """Whether face age tells more than age does, unadjusted, both ways."""
    if not len(comparison):
        return ""
    parts = []
    analysed = ""
    for model, way in (
        ("two models", "each in a model of its own"),
        ("one model with both", "both in one model"),
    ):
        mine = comparison[(comparison.step == "unadjusted") & (comparison.model == model)].set_index("term")
        if AGES not in mine.index or pd.isna(mine.estimate[AGES]):
            continue
        ratio = mine.loc[AGES]
        analysed = f"n = {people(ratio.n)}, {people(ratio.n_events)} events"
        parts.append(
            f"{way}: {number(mine.estimate['face_age'])} against {number(mine.estimate['chronological_age'])}, "
            f"ratio {number(ratio.estimate)} ({interval(ratio.ci_lower, ratio.ci_upper)}), p {p_equals(ratio.p_value)}"
        )
    per = comparison["per"].iloc[0]
    return (
        f"Hazard ratio per {per} of face age against that of chronological age ({analysed}); {'; '.join(parts)}."
        if parts
        else ""
    )


def _figure(rows: pd.DataFrame) -> str:
    shown = rows.assign(label=rows["step"].str.replace("_", " "), kind="face age")
    title = f"Hazard ratio for death per {increase(rows['per'].iloc[0])} in face age (log scale)"
    return figures.forest(shown, "label", "kind", [("face age", VERMILLION)], 1, title, logarithmic=True)
