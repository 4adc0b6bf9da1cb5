"""Hazard ratios of each definition of age acceleration, and the appendix of the survival page that shows it."""

import numpy as np
import pandas as pd
import pytest

from faceage_bio.analyses.acceleration.definitions import definition_hazards
from faceage_bio.analyses.age_residual import age_acceleration
from faceage_bio.analyses.fairness.error import assess_fairness
from faceage_bio.core.config import check_config
from faceage_bio.core.errors import CohortError, TableError
from faceage_bio.core.tables import read_table, write_table
from faceage_bio.report.pages import association_page, survival_page
from faceage_bio.report.sections_acceleration import definition_section
from tests import pages
from tests.association_participants import people, tables_of
from tests.commands import output_of
from tests.definition_participants import people as drawn
from tests.rows import collected, worded
from tests.survival_studies import COHORT

YEARS = ("face_age", "age_gap", "acceleration_linear")


def followed(n=400, hazard=0.05, seed=4) -> pd.DataFrame:
    """People whose hazard grows by a factor exp(``hazard``) with every year that they look older than others of their age."""
    random = np.random.default_rng(seed)
    table = drawn(n, seed=seed, cohort="c").assign(group="reference")
    older = table.face_age - 12 - 0.8 * table.chronological_age
    death = random.exponential(6 / np.exp(0.03 * (table.chronological_age - 62) + hazard * older))
    leave = random.uniform(1, 8, n)
    return table.assign(followup_years=np.minimum(death, leave), event=(death <= leave).astype(float))


@pytest.fixture(scope="module")
def accelerated(tmp_path_factory):
    """The table that a user of the commands has."""
    folder = tmp_path_factory.mktemp("accelerated")
    write_table(followed(), folder / "people.tsv")
    files = "--table people.tsv --definitions definitions.tsv --participants accelerated.tsv"
    output_of(f"define-acceleration {files} --set acceleration.adjust_for=sex", folder=folder)
    return folder


def ratios(rows: pd.DataFrame, adjustment: str) -> pd.Series:
    return rows[rows.adjustment == adjustment].set_index("term").estimate


def test_the_residual_alone_equals_r():
    # R 4.2.2, survival 3.5-3: coxph(Surv(followup_years, event) ~ resid(lm(face_age ~ chronological_age)))
    excess = age_acceleration(COHORT.face_age, COHORT.chronological_age)
    table = COHORT.assign(acceleration_linear=excess)
    found = ratios(definition_hazards(table, 1.0), "unadjusted")
    assert found["acceleration_linear"] == pytest.approx(1.6230363678, rel=1e-6)


def test_every_definition_has_both_rows_and_with_age_three_of_them_agree(accelerated):
    rows = definition_hazards(read_table(accelerated / "accelerated.tsv"), 10)
    assert rows.groupby("term").adjustment.agg(list).map(lambda two: two == ["unadjusted", "age"]).all()
    assert len(rows) == 2 * 15  # face age and fourteen definitions
    with_age, alone = ratios(rows, "age"), ratios(rows, "unadjusted")
    for term in YEARS[1:]:
        assert with_age[term] == pytest.approx(with_age["face_age"], rel=1e-8)
        assert abs(alone[term] - alone["face_age"]) > 0.05
    assert with_age["acceleration_spline"] != pytest.approx(with_age["face_age"], rel=1e-4)
    per = rows.drop_duplicates("term").set_index("term").per
    assert (per["age_gap"], per["age_z"], per["age_centile"]) == ("10 years", "1 SD", "10 centiles")


def test_a_planted_hazard_is_found_by_every_definition_and_a_permuted_one_by_none(accelerated):
    table = read_table(accelerated / "accelerated.tsv")
    found = definition_hazards(table, 10)
    assert (found[found.adjustment == "age"].p_value < 0.01).all()
    random = np.random.default_rng(7)
    order = random.permutation(len(table))
    table[["followup_years", "event"]] = table[["followup_years", "event"]].to_numpy()[order]
    assert (definition_hazards(table, 10).p_value > 0.001).all()


def test_those_whom_the_survival_stage_leaves_out_are_left_out(accelerated):
    table = read_table(accelerated / "accelerated.tsv")
    table["follow_up_reason"] = np.where(np.arange(len(table)) < 50, "no_follow_up", "")
    assert definition_hazards(table, 10).n.max() == len(table) - 50
    late = definition_hazards(table.assign(entry_years=0.5 * table.followup_years), 10)
    assert ratios(late, "age")["face_age"] != pytest.approx(
        ratios(definition_hazards(table, 10), "age")["face_age"]
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"event": 0.0}, "0 deaths are too few"),
        ({"followup_years": np.nan}, "no participant with age acceleration has follow-up"),
        ({"face_age": 60.0, "age_gap": np.nan}, "face age does not vary"),
    ],
)
def test_what_cannot_be_estimated_says_why(accelerated, change, why):
    rows = worded(definition_hazards(read_table(accelerated / "accelerated.tsv").assign(**change), 10))
    first = rows[rows.term == "face_age"]
    assert first.estimate.isna().all()
    assert first.note.str.startswith("not estimated, because").all()
    assert first.note.str.contains(why).all()


def test_a_table_without_follow_up_is_refused(accelerated):
    message = r"no column 'event'; it has .* Expected both ages, followup_years and event"
    with pytest.raises(CohortError, match=message):
        definition_hazards(read_table(accelerated / "accelerated.tsv").drop(columns="event"), 10)


def test_the_command_runs_on_a_plain_table(accelerated):
    files = "--table people.tsv --definitions out/definitions.tsv --hazards out/definition_hazards.tsv"
    output_of(f"define-acceleration {files} --set survival.per_years=5", folder=accelerated)
    hazards = accelerated / "out" / "definition_hazards.tsv"
    assert set(read_table(hazards).per) == {"5 years", "1 SD", "10 centiles"}
    subjects = set(read_table(accelerated / "accelerated.tsv").subject_id)
    assert not subjects & set(hazards.read_text().split())


def test_one_hazard_ratio_is_not_shown_without_the_other(accelerated, tmp_path):
    rows = definition_hazards(read_table(accelerated / "accelerated.tsv"), 10)
    tables = collected(tmp_path, {"c/acceleration/definition_hazards": rows.drop(index=rows.index[1])})
    with pytest.raises(TableError, match="need one row alone and one with age"):
        definition_section(tables, "c", check_config({"cohorts": {"c": {"face_ages": "f"}}}))


# the appendix


@pytest.fixture(scope="module")
def both_pages(accelerated, tmp_path_factory):
    """Both pages of a study with every table of this stage, and none of survival or genes."""
    table = people(n=200, smoking=4, seed=2)
    placed = {f"pooled/phenotype/{name}": rows for name, rows in tables_of(table).items()}
    definitions = read_table(accelerated / "definitions.tsv")
    hazards = definition_hazards(read_table(accelerated / "accelerated.tsv"), 10)
    for cohort, own in table.groupby("cohort"):
        placed[f"{cohort}/acceleration/definitions"] = definitions.assign(cohort=cohort)
        placed[f"{cohort}/acceleration/definition_hazards"] = hazards.assign(cohort=cohort)
        placed[f"{cohort}/fairness/fairness"] = assess_fairness(own, ["sex"], [60.0], 10)
    config = {"cohorts": {name: {"face_ages": "f"} for name in ("east", "west")}}
    settings = check_config(config)
    tables = collected(tmp_path_factory.mktemp("pages"), placed)
    return association_page(tables, settings, []), survival_page(tables, settings, [])


def test_pages_have_each_id_once_and_headings_in_order(both_pages):
    for page in both_pages:
        pages.check_structure(page)


def test_hazard_ratios_of_definitions_are_on_the_survival_page(both_pages):
    association, page = both_pages
    assert page.count("hazard ratio for death by definition</caption>") == 2
    assert "Adjusted for age: hazard ratio" in page
    assert "residual of a line, from controls" in page
    assert "z-score against participants of the same age and sex" in page
    assert "hazard ratio for death by definition" not in association
    assert len(pages.section(association, "definitions")) > 2000
    assert not pages.section(page, "definitions")
