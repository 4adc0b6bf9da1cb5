"""A hazard ratio from fewer than 5 deaths is not estimated, in whichever table it would stand; from 5 it is."""

import numpy as np
import pandas as pd
import pytest

from faceage_bio.analyses.acceleration.definitions import definition_hazards
from faceage_bio.analyses.survival.cox_models import Choices
from faceage_bio.analyses.survival.sequential_models import compare_ages, sequential_cox_models
from faceage_bio.analyses.survival.subgroups import compare_sites, subgroup_hazards
from faceage_bio.analyses.survival.survival_sensitivity import sensitivity
from faceage_bio.core.errors import FitError
from faceage_bio.stats.minimum_sizes import check_events
from tests.rows import worded
from tests.survival_studies import people

CHOICES = Choices(10, [], [])
TABLES = {
    "sequential models": lambda data: sequential_cox_models(data, CHOICES, "c"),
    "Firth": lambda data: sequential_cox_models(data, Choices(10, [], [], firth=True), "c"),
    "ages": lambda data: compare_ages(data, CHOICES, "c"),
    "sites": lambda data: compare_sites(data, "sex", CHOICES, "c"),
    "subgroups": lambda data: subgroup_hazards(data, ["sex"], CHOICES, "c", split_age=65.0),
    "definitions": lambda data: definition_hazards(data, 10),
    "choices": lambda data: sensitivity(data, CHOICES, "c", early_death_years=0.1, gap_classes=(-5.0, 5.0)),
}


def with_deaths(n_events: int) -> pd.DataFrame:
    """People of whom the first ``n_events`` died, late enough to be at risk from any start on."""
    data = people(n=60)
    data["followup_years"] = data.followup_years.clip(lower=1.0)
    return data.assign(
        event=(np.arange(60) < n_events).astype(float), age_gap=data.face_age - data.chronological_age
    )


def hazard_ratios(table: pd.DataFrame) -> pd.DataFrame:
    return table[table.measure.str.contains("hazard ratio")]


@pytest.mark.parametrize("name", TABLES)
def test_fewer_than_five_deaths_give_no_hazard_ratio(name):
    rows = worded(TABLES[name](with_deaths(4)))
    assert rows[["estimate", "ci_lower", "ci_upper", "p_value"]].isna().all(axis=None)
    assert rows.note.str.startswith("not estimated, because ").all()
    assert rows.n_events.max() == 4  # the number itself is exact
    assert rows.note.str.contains(r"[0-4] deaths are too few; a hazard ratio needs at least 5").any()


@pytest.mark.parametrize("name", sorted(TABLES.keys() - {"sites", "subgroups"}))
def test_five_deaths_give_one(name):
    rows = hazard_ratios(TABLES[name](with_deaths(5)))
    univariable = rows[~rows.term.str.startswith("gap_class")]
    assert univariable.estimate.notna().any()


def test_a_gap_class_of_few_deaths_has_no_hazard_ratio_and_the_other_has_one():
    data = with_deaths(40).assign(age_gap=np.tile([-5.0, 5.0, 20.0], 20))
    data.loc[data[data.age_gap == 20].index[2:], "event"] = 0.0
    rows = worded(sensitivity(data, CHOICES, "c", early_death_years=0.1, gap_classes=(0.0, 10.0)))
    classes = rows[rows.term.str.startswith("gap_class")].set_index(["term", "model"])
    high, low = (
        classes.loc[(f"gap_class: {words}", "gap class")]
        for words in ("10 years and above", "0 years and below")
    )
    assert high.n_events_level == 2
    assert np.isnan(high.estimate)
    assert high.note == "not estimated, because 2 deaths are too few; a hazard ratio needs at least 5"
    assert np.isfinite(low.estimate)


def test_the_least_number_is_named():
    with pytest.raises(FitError, match="3 deaths are too few; a hazard ratio needs at least 5"):
        check_events(pd.Series([1.0, 1.0, 0.0, 1.0]))
    check_events(pd.Series([1.0] * 5))
