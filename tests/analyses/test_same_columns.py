"""A step that estimates nothing writes the columns of one that does: age acceleration, phenotypes, fairness, photos, readers."""

import numpy as np
import pandas as pd
import pytest

from faceage_bio.analyses.acceleration.acceleration_stage import describe
from faceage_bio.analyses.acceleration.repeats import (
    ageing_rate_table,
    ageing_rates,
    attenuation_table,
    dated_photos,
    reliability_table,
)
from faceage_bio.analyses.fairness.error import assess_fairness
from faceage_bio.analyses.fairness.image_degradation import summarise_stress
from faceage_bio.analyses.phenotype.adjustment import Plan, compare_adjustments, vary_specifications
from faceage_bio.analyses.phenotype.comparison_frame import gather
from faceage_bio.analyses.phenotype.contrasts import compare_groups, contrast_exposures
from faceage_bio.analyses.phenotype.dose import fit_dose_response
from faceage_bio.analyses.phenotype.group_means import compare_levels
from faceage_bio.analyses.phenotype.matched import match_groups
from faceage_bio.analyses.phenotype.phenotype_subgroups import compare_subgroups
from faceage_bio.analyses.phenotype.table_one import age_histogram, distributions, table_one
from faceage_bio.analyses.readers.readers_stage import compare_readers
from faceage_bio.core.results.row import columns_of, is_result
from faceage_bio.core.settings.settings_acceleration import Acceleration, Imputation
from faceage_bio.core.tables import read_table, write_table
from faceage_bio.faces.faceage.model_comparison import compare_models, compare_predictions
from faceage_bio.faces.faceage.photo_quality import bin_measures, count_photos, summarise_face_ages
from faceage_bio.faces.faceage.review import summarise_review

N = 80
PLAN = Plan({}, ["sex"], ["sex", "bmi"])


def people(known: bool) -> pd.DataFrame:
    """Participants; ``known``: with face ages and groups."""
    random = np.random.default_rng(1)
    age = random.uniform(45, 85, N)
    face = age + random.normal(0, 4, N) if known else np.nan
    return pd.DataFrame({
        "cohort": "c", "subject_id": [f"s{k}" for k in range(N)], "chronological_age": age, "face_age": face,
        "age_acceleration": face - age, "sex": random.choice(["female", "male"], N), "bmi": random.normal(27, 4, N),
        "smoking": random.choice(["never", "current"], N), "group": random.choice(["reference", "cancer"], N) if known else None,
        "followup_years": random.exponential(4, N) + 1, "event": random.choice([0.0, 1.0], N), "entry_years": np.nan,
    })  # fmt: skip


def photos(known: bool) -> pd.DataFrame:
    """Two photos of each participant; ``known``: with face ages."""
    one = people(True)
    parts = [
        one.assign(photo_id=one.subject_id + date, photo_date=date, face_age=one.face_age + year if known else np.nan)
        for year, date in ((0, "2018-01-01"), (1, "2019-01-01"))
    ]  # fmt: skip
    table = pd.concat(parts, ignore_index=True).drop(columns="chronological_age")
    shapes = dict.fromkeys(
        ("width", "height", "yaw", "roll", "face_short_side", "face_share", "outside_share"), 100.0
    )
    shapes |= dict.fromkeys(
        ("probability", "sharpness", "brightness", "contrast", "face_age_sd"), 0.5 if known else np.nan
    )
    return table.assign(
        status="ok" if known else "excluded", reason="" if known else "no_face", flags="", model="m", **shapes,
        face_age_2=table.face_age + np.arange(len(table)) % 5,
    )  # fmt: skip


def readings(known: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Three readers of 20 cases; ``known``: with follow-up."""
    random = np.random.default_rng(2)
    cases = people(True).head(20).set_index("subject_id")
    cases = cases.assign(model=cases.face_age, followup_years=cases.followup_years if known else np.nan)
    keys = pd.MultiIndex.from_product(
        [("staff 1", "staff 2", "staff 3"), cases.index], names=["reader", "case_id"]
    )
    rows = [keys.to_frame(index=False).assign(condition=condition) for condition in ("photo", "face_age")]
    read = pd.concat(rows, ignore_index=True).assign(reader_type="staff", years=np.nan, decade=np.nan)
    read["rating"] = random.random(len(read))
    return read.assign(dead=(read.rating > 0.5).astype(float)), cases


def phenotype(known: bool) -> dict[str, pd.DataFrame]:
    table = gather([people(known)], ["c"])
    levels, dose = compare_levels(table, ["smoking"], ["sex"]), fit_dose_response(table, ["bmi"], ["sex"])
    subgroups = compare_subgroups(table, ["smoking"], ["sex", "chronological_age"], [], 65)
    matched = match_groups(table, "group", ["sex"], 2.0, ["bmi"])
    adjustments = compare_adjustments(table, ["smoking"], PLAN, Imputation(m=2, iterations=1, seed=1))
    specifications = vary_specifications(table, ["smoking"], PLAN)
    return {
        "phenotypes": contrast_exposures(table, ["smoking", "bmi"], ["sex"]), "groups": compare_groups(table, ["sex"]),
        "means": levels.means, "pairs": levels.pairs, "tests": levels.tests, "dose_response": dose.rows, "dose_curves": dose.curves,
        "interactions": subgroups.interactions, "subgroups": subgroups.forest, "matched": matched.rows, "balance": matched.balance,
        "adjustments": adjustments.rows, "roles": adjustments.roles, "specifications": specifications.rows,
        "specification_summary": specifications.summary, "table_one": table_one(table, ["sex", "bmi"], [], "tertiles", "c"),
        "distributions": distributions(table, ["sex"], "c"), "age_histogram": age_histogram(table, "c"),
    }  # fmt: skip


def acceleration(known: bool) -> dict[str, pd.DataFrame]:
    table = people(known)
    found = describe({"c": table.drop(columns="age_acceleration")}, Acceleration(adjust_for=[]))["c"]
    dated = dated_photos(photos(known), pd.DataFrame(), people(True))
    rates = ageing_rates(dated, people(True), (10, 1460))
    return {
        "summary": found.summary, "definitions": found.definitions, "definition_bands": found.definition_bands,
        "age_bands": found.age_bands, "sensitivity": found.sensitivity, "reliability": reliability_table(dated, 730, "c"),
        "attenuation": attenuation_table(table, 2.0, 20, ["bmi"], ["sex"], 10, False),
        "ageing_rate": ageing_rate_table(rates, ["sex"], 10, "c"),
    }  # fmt: skip


def fairness(known: bool) -> dict[str, pd.DataFrame]:
    changes = people(True).assign(
        photo=range(N), condition="light" if known else np.nan, unit="stops", step=-1.0,
        change=np.arange(N) / 10 if known else np.nan, lost="" if known else "no_face",
    )  # fmt: skip
    return {
        "fairness": assess_fairness(people(known), ["sex", "skin"], [60.0], 5),
        "stress": summarise_stress(changes, ["sex"], [60.0], 5),
    }


def faceage(known: bool) -> dict[str, pd.DataFrame]:
    table = photos(known)
    agreement, bands = compare_models(
        table, [{"name": "FaceAge"}, {"name": "Other"}], lambda photos, column: photos[column]
    )
    both = people(True).assign(
        face_age_2=people(True).face_age + np.arange(len(people(True))) % 7 if known else np.nan
    )
    compared = compare_predictions(
        both, [{"name": "FaceAge", "sha256": "a"}, {"name": "Other", "sha256": "b"}], "c"
    )
    votes = pd.DataFrame({
        "cohort": "c", "photo_id": [f"p{k % 20}" if known else f"p{k}" for k in range(40)], "reviewer": ["ann"] * 20 + ["ben"] * 20,
        "decision": (["exclude"] * 5 + ["include"] * 15) * 2, "reason": "blurred",
    })  # fmt: skip
    return {
        "summary": summarise_face_ages(table), "photo_counts": count_photos(table, people(True), ["sex"]),
        "photo_measures": bin_measures(table), "agreement": agreement, "agreement_bands": bands, "model_comparison": compared,
        "review": summarise_review(votes, "flag"),
    }  # fmt: skip


def readers(known: bool) -> dict[str, pd.DataFrame]:
    read, cases = readings(known)
    return {"readers": compare_readers(read, cases, ["photo", "face_age"], {}, 2.0)}


@pytest.mark.parametrize("analysis", [acceleration, phenotype, fairness, faceage, readers])
def test_tables_with_and_without_estimates_have_the_declared_columns(analysis, tmp_path):
    runs, does_not = analysis(True), analysis(False)
    for name in runs:
        key = f"{analysis.__name__}/{name}"
        assert list(runs[name]) == list(does_not[name]) == columns_of(key), key
        if not is_result(runs[name]):
            continue
        assert runs[name]["estimate"].notna().any(), key
        for table in (runs[name], does_not[name]):
            silent = table[
                table["estimate"].isna()
                & (table["reason"] == "")
                & table.get("raw_estimate", table["estimate"]).isna()
            ]
            assert not len(silent), (key, silent[["term", "measure"]])
            path = tmp_path / "c" / f"{key}.tsv"
            write_table(table, path)
            assert list(read_table(path)) == columns_of(key), key
