"""Follow-up in days or months is refused where years are expected; long cohorts and those of the oldest pass."""

import numpy as np
import pandas as pd
import pytest

from faceage_bio.core.errors import CohortError, Problems
from faceage_bio.intake.observation import check_years
from faceage_bio.intake.plain import read_plain

PEOPLE = 60


def cohort(youngest, oldest, longest):
    """Ages and follow-up spread evenly and against each other."""
    place = np.arange(PEOPLE)
    return pd.DataFrame({
        "chronological_age": np.linspace(youngest, oldest, PEOPLE),
        "followup_years": longest * (place * 7 % PEOPLE + 1) / PEOPLE,
    })  # fmt: skip


def told(table):
    problems = Problems()
    check_years(table, "clinical.tsv", problems)
    return "\n".join(problems.others)


@pytest.mark.parametrize(
    ("youngest", "oldest", "years", "unit", "looks"),
    [
        (45, 85, 5.5, 365.25, "this looks like days"), (45, 85, 5.5, 12, "this looks like months or days"),
        (20, 40, 12.0, 365.25, "this looks like days"), (20, 70, 12.0, 12, "this looks like months or days"), (60, 63, 4.5, 12, "months"),
    ],
)  # fmt: skip
def test_days_and_months_taken_for_years_are_told(youngest, oldest, years, unit, looks):
    table = cohort(youngest, oldest, years)
    assert told(table) == ""
    assert looks in told(table.assign(followup_years=table.followup_years * unit))


@pytest.mark.parametrize(
    ("youngest", "oldest", "years"),
    [(20, 20, 45), (18, 25, 75), (30, 62, 35), (65, 85, 12), (97, 106, 9), (99, 99.9, 20), (0, 5, 90)],
)
def test_long_cohorts_and_the_oldest_pass(youngest, oldest, years):
    table = cohort(youngest, oldest, years)
    if youngest == 99:  # centenarians of whom two reach 110 and more, as in registers of the oldest
        table["followup_years"] = np.where(np.arange(PEOPLE) < 2, 10.5, table.followup_years / 3)
    assert told(table) == ""


def test_a_few_errors_of_a_register_stop_nothing_but_what_cannot_be_does():
    table = pd.concat([cohort(40, 70, 20)] * 20, ignore_index=True)
    assert told(table.assign(followup_years=table.followup_years.mask(table.index < 2, 60))) == ""
    impossible = told(table.assign(followup_years=table.followup_years.mask(table.index == 7, 81)))
    assert (
        "1 of 1200 participants would be older than 120 years at the end of follow-up (line 7" in impossible
    )
    assert "looks like" not in impossible


def test_time_before_observation_started_was_not_lived_after_the_photo():
    # time runs from a diagnosis long before the photo, at which the ages are
    table = cohort(60, 80, 10).assign(entry_years=40.0)
    table["followup_years"] += table["entry_years"]
    assert told(table) == ""
    assert "older than" in told(table.drop(columns="entry_years"))


def test_without_ages_follow_up_alone_tells():
    table = cohort(60, 80, 2000)
    assert "line 1: followed for" in told(table[["followup_years"]])
    assert told(table[["chronological_age"]]) == ""


def test_a_plain_table_in_days_is_refused_with_line_value_and_advice(tmp_path):
    table = cohort(45, 85, 5.5).assign(face_age=60.0)
    table["followup_years"] = (table["followup_years"] * 365.25).round()
    table.to_csv(tmp_path / "people.tsv", sep="\t", index=False)
    with pytest.raises(
        CohortError,
        match=r"people.tsv: column 'followup_years': \d+ of 60 participants would be older than 100 years at the end of follow-up "
        r"\(line 3: age 45.678, followed for 268; .*its median is 1[\d.e+]+, its maximum 2009. Expected years after the photo, and "
        r"this looks like days. Write years \(months divided by 12, days by 365.25\), give followup_date in the clinical table, or name the unit",
    ):
        read_plain(tmp_path / "people.tsv")
