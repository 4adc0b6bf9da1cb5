"""Plans: worked values of the field, and bad input."""

import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceage_bio.analyses.planning.cohort_study import (
    CohortPlan,
    Photos,
    group_difference,
    lines_of,
    prediction_model,
    value_of,
)
from faceage_bio.analyses.planning.gene_samples import one_gene
from faceage_bio.analyses.planning.simulation import score_statistics, simulated_power, survival_times
from faceage_bio.analyses.planning.two_arm_trial import TrialPlan
from faceage_bio.core.errors import CohortError, FaceAgeBioError, RunError
from faceage_bio.report.single_pages import plan_page, read_plan
from faceage_bio.stats.sample_size import CoxDesign, LogRankTrial, PiecewiseSurvival, drop_out_hazard
from tests.commands import invoked, output_of
from tests.rows import cases

PLAN = {"hazard_ratio": 1.15, "per": 10, "sd": 8}


def events(**changes):
    return value_of(CohortPlan(**PLAN | changes).table(), "events")


@pytest.mark.parametrize(
    ("photos", "expected"),
    [
        (Photos(), 628),
        (Photos(0.8), 628),  # a published hazard ratio is attenuated once, by the photos that it comes from
        (Photos(0.8, hr_scale="true"), 982),  # 627.8412 / 0.8^2 = 981.002
        (Photos(0.8, hr_scale="true", sd_scale="true"), 785),  # 627.84 / 0.8
        (Photos(0.9, published_reliability=0.8), 559),  # 627.84 * 0.8 / 0.9
        (Photos(0.8, photos=4, published_reliability=0.8), 534),  # the mean of 4 has 3.2 / 3.4
    ],
)
def test_events_of_the_published_hazard_ratio(photos, expected):
    assert events(photos=photos) == expected


def test_participants_are_events_by_the_share_that_has_one():
    assert value_of(CohortPlan(**PLAN, event_share=0.5).table(), "participants") == 1256


@given(st.floats(1.05, 3), st.floats(0.5, 0.95))
def test_curves_go_through_the_plan(hazard_ratio, power):
    plan = CohortPlan(hazard_ratio, 1, 1, power=power)
    assert plan.design.power(hazard_ratio, plan.events()) == pytest.approx(power)
    assert plan.design.detectable(plan.events(), power) == pytest.approx(hazard_ratio)
    table = plan.table()
    table = table[table.part == "curve"]
    assert table[table.quantity == "power"].value.is_monotonic_increasing
    assert table[table.quantity == "detectable hazard ratio"].value.is_monotonic_decreasing


def test_interaction_of_even_subgroups_takes_four_times_the_events():
    plan = CohortPlan(**PLAN)
    assert replace(plan, modifier_share=0.5).events() == pytest.approx(4 * plan.events())


def test_two_groups():
    # Cohen 1988, table 2.4.1: d 0.5, two-sided 0.05, power 0.80: 64 per group
    names = ("participants, first group", "participants, second group")
    assert [value_of(group_difference(4, 8), name) for name in names] == [64, 64]
    first, second = (value_of(group_difference(4, 8, allocation=2), name) for name in names)
    assert second == pytest.approx(2 * first, abs=2)
    assert first < 64 < second


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hazard_ratio": 1.0}, "--hazard-ratio 1: expected more than 0 and not 1"),
        ({"hazard_ratio": -2.0}, "--hazard-ratio -2"),
        ({"event_share": 0.0}, "--event-share 0: expected more than 0 and less than 1"),
        ({"event_share": 1.0}, "--event-share 1"),
        ({"sd": 0.0}, "--sd 0 --per 10: expected both above 0"),
        ({"power": 1.2}, "--power 1.2"),
        ({"alpha": 0.0}, r"--alpha 0: expected more than 0 and less than 1\. Give for example 0\.05"),
        (
            {"power": 0.02},
            "--power 0.02 --alpha 0.05: expected a power above the type I error. Give for example --power 0.8",
        ),
        ({"r_squared": 1.0}, "--r-squared 1.0: expected at least 0 and below 1"),
    ],
)
def test_what_no_plan_can_be_made_of(change, message):
    with pytest.raises(RunError, match=message):
        CohortPlan(**PLAN | change)


@pytest.mark.parametrize(
    ("photos", "message"),
    [
        *(({"reliability": value}, "--reliability") for value in (0.0, -0.1, 1.01, np.nan)),
        ({"photos": 4}, "--photos without --reliability. Expected the reliability of one photo"),
        ({"published_reliability": 0.6}, "--published-reliability without --reliability"),
        ({"hr_scale": "true", "sd_scale": "true"}, "--hr-scale, --sd-scale without --reliability"),
        (
            {"reliability": 0.8, "photos": 0},
            r"--photos 0: expected 1 or more\. Give the photos per participant",
        ),
    ],
)
def test_measurement_error_needs_a_reliability_and_photos(photos, message):
    with pytest.raises(RunError, match=message):
        Photos(**photos)


def test_no_difference():
    message = "expected a difference other than 0, and an SD and an allocation above 0"
    with pytest.raises(RunError, match=message):
        group_difference(0, 8)


@pytest.mark.parametrize(
    "plan",
    [
        lambda: group_difference(1e-9, 8),
        CohortPlan(1.0001, 10, 8).table,
        lambda: one_gene(1.00001, 20, 0.4, None, power=0.8, alpha=0.05),
    ],
    ids=["two groups", "cohort study", "one gene"],
)
def test_an_effect_that_no_study_can_show_is_refused(plan):
    message = "more than 10,000,000 events, participants or samples would be needed. Expected an effect that a study can show. Give the smallest that matters."
    with pytest.raises(RunError, match=re.escape(message)):
        plan()


def test_fewer_than_ten_events_are_remarked_on():
    few, many = (lines_of(CohortPlan(ratio, 10, 8, 0.5).table()) for ratio in (1e9, 1.5))
    assert few[0].startswith("1 event among 1 participant give")
    told = "The formula is for small effects and many events; with fewer than 10 it is no guide."
    assert told in few
    assert told not in many
    small = prediction_model(0.1, 1, event_rate=0.01, mean_follow_up=1, horizon=1)
    assert value_of(small, "events") < 10
    assert told not in lines_of(small)  # which has another formula


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time\tprobability\n1\t0.9\n", r"line 1 lacks the column\(s\) survival; found time, probability"),
        ("time\tsurvival\n1\thalf\n", "'survival': 1 row.*line 2: 'half'. Expected a number"),
        ("time\tsurvival\n1\t90\n", "line 2: '90'. Expected a share from 0 to 1. Divide percentages by 100"),
        ("time;survival\n365;0,9\n", "'time': 1 row.*line 2: '365'. Expected years from 0 to 120"),
        ("time\tsurvival\n1\t\n2\t0.8\n", "'survival': 1 row.*line 2. Expected a number. Write it, or leave the row out"),
        ("time\tsurvival\n1\t0.8\n2\t0.9\n", "survival that falls from 1"),
    ],
)  # fmt: skip
def test_tables_that_are_no_curve(text, message, tmp_path):
    (tmp_path / "curve.tsv").write_text(text)
    with pytest.raises(FaceAgeBioError, match=message):
        output_of(
            f"plan trial --hazard-ratio 0.7 --survival-table {tmp_path}/curve.tsv --output {tmp_path}/plan.tsv",
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    cases("""
        --arm treatment:two | --arm treatment:two: expected a name, or a name and its share as a whole number
        --arm treatment --balance balance.tsv | --balance needs --participants. Give the number expected
    """),
)
def test_lists_that_cannot_be_made(arguments, message, tmp_path):
    common = f"--arm control --per-stratum 8 --seed-file {tmp_path}/seed --output {tmp_path}/list.csv"
    with pytest.raises(RunError, match=message):
        output_of(f"randomise {common} {arguments}")


@pytest.mark.parametrize("accrual", [1.5, 0])
def test_r_code_of_a_trial_gives_the_same_numbers(accrual):
    """The printed call, run in R where rpact is installed."""
    rpact = ["Rscript", "-e", "library(rpact)"]
    if not shutil.which("Rscript") or subprocess.run(rpact, capture_output=True).returncode:
        pytest.skip("R's rpact is not installed")
    survival, lost = PiecewiseSurvival((0, 0.5, 1), (0.6, 0.4, 0.2)), (drop_out_hazard(0.1, 1),) * 2
    plan = TrialPlan(LogRankTrial(survival, 0.75, accrual, 2, 2, lost), 0.9)
    code = f"r <- {plan.rpact_call()}; cat(format(c(r$eventsFixed, r$nFixed), digits = 15))"
    done = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=True)
    events, n = map(float, done.stdout.split())
    tolerance = 1e-8 if accrual else 1e-6  # rpact takes no accrual of 0, and is given a very short one
    assert plan.trial.events(0.9) == pytest.approx(events, rel=tolerance)
    assert plan.trial.participants(0.9) == pytest.approx(n, rel=tolerance)


def test_example_of_plan_study(tmp_path):
    said = output_of(
        f"plan study --hazard-ratio 1.15 --per 10 --sd 8 --power 0.8 --output {tmp_path}/plan.tsv"
    )
    assert "Give --event-share, --median-survival or --survival-table for the number of participants." in said
    answer = "628 events give 80% power for a hazard ratio of 1.15 per 10 years at an SD of 8 years (type I error 0.05, two-sided)."
    assert said.startswith(answer)
    assert f"<strong>{answer}</strong>" in plan_page([read_plan(tmp_path / "plan.tsv")], "Plan")
    table = pd.read_csv(tmp_path / "plan.tsv", sep="\t")
    expected = {"power": 13, "detectable hazard ratio": 13}
    assert table[table.part == "curve"].quantity.value_counts().to_dict() == expected
    assert table[table.part == "result"].quantity.tolist() == ["events"]


def test_participants_from_the_curve_of_a_finished_study(tmp_path):
    (tmp_path / "curve.tsv").write_text("time\tsurvival\n0\t1\n1\t0.8\n2\t0.8\n3\t0.5\n")
    files = f"--survival-table {tmp_path}/curve.tsv --output {tmp_path}/plan.tsv"
    said = output_of(f"plan study --hazard-ratio 1.15 --sd 8 --follow-up 3 {files}")
    assert "628 events among 1,256 participants give 80% power" in said
    assert "Survival was observed" not in said


def test_rows_of_a_curve_that_rises_are_told_by_line(tmp_path):
    (tmp_path / "curve.tsv").write_text("time\tsurvival\n1\t0.8\n2\t0.85\n2\t0.5\n")
    command = (
        f"plan trial --hazard-ratio 0.7 --survival-table {tmp_path}/curve.tsv --output {tmp_path}/plan.tsv"
    )
    with pytest.raises(CohortError) as told:
        output_of(command)
    assert "curve.tsv: column 'survival': 1 row(s), line 3: '0.85'. Expected times that rise and" in str(
        told.value
    )
    assert "curve.tsv: column 'time': 1 row(s), line 4: '2'. Expected times" in str(told.value)


@pytest.mark.parametrize("command", ["study --sd 8", "trial"])
def test_how_far_a_plan_goes_beyond_its_curve(command, tmp_path):
    (tmp_path / "curve.tsv").write_text("time\tsurvival\n1\t0.8\n2\t0.8\n")
    files = f"--survival-table {tmp_path}/curve.tsv --output {tmp_path}/plan.tsv"
    said = output_of(f"plan {command} --hazard-ratio 0.7 --accrual 3 --follow-up 1 {files}")
    # follow-up of 1 to 4 years, 2.5 on average; beyond 2 years (0 to 2 in two thirds) 2/3 of a year: 26.7 %
    told = "Survival was observed to 2 years; 26.7% of the planned follow-up lies beyond"
    assert told in said
    assert told in plan_page([read_plan(tmp_path / "plan.tsv")], "Plan")


def test_genes_and_prediction_models():
    assert "42 samples, 21 in each of two groups, give 80% power" in output_of("plan genes --fold-change 1.5")
    assert "14 samples give 80% power for a fold change of 2 per unit at an SD of 0.5" in output_of(
        "plan genes --fold-change 2 --sd 0.5"
    )
    model = "model --parameters 30 --event-rate 0.065 --mean-follow-up 2.07 --horizon 2"
    assert "5,143 participants with 692 deaths, 23.1 for each" in output_of(f"plan {model} --r-squared 0.051")
    with pytest.raises(RunError, match="--r-squared: R squared"):
        output_of(f"plan {model} --r-squared 0.9")
    many = "model --parameters 8 --event-rate 0.2 --mean-follow-up 3 --horizon 2 --r-squared"
    with pytest.raises(
        RunError, match=r"--r-squared: R squared 0\.95: expected more than 0 and less than 0\.9 at"
    ):
        output_of(f"plan {many} 0.95")
    message = r"--event-rate 3: expected less than 2\.718 deaths per participant and year, from which on R squared has no bound\. Give the deaths over the years"
    with pytest.raises(RunError, match=message):
        output_of(f"plan {model.replace('0.065', '3')} --r-squared 0.1")
    with pytest.raises(RunError, match="--fold-change 1: expected"):
        output_of("plan genes --fold-change 1")


@pytest.mark.parametrize("ratio", [0.76, 0.77, 0.78, 0.79, 0.8])
def test_the_participants_of_a_trial_are_those_of_its_arms(ratio):
    survival = PiecewiseSurvival.with_median(1.5)
    table = TrialPlan(LogRankTrial(survival, ratio, 2, 1), 0.8).table()
    n, treatment, control = (
        value_of(table, f"participants{arm}") for arm in ("", ", treatment", ", control")
    )
    assert n == treatment + control


def test_trial_tells_that_a_weak_marker_saves_nothing(tmp_path):
    trial = f"trial --hazard-ratio 0.7 --median-survival 1.5 --output {tmp_path}/trial.tsv"
    said = output_of(f"plan {trial} --r-squared 0.009")
    for words in ("events: 247", "participants: 468", "not worth its photos"):
        assert words in said
    assert "not worth its photos" in plan_page([read_plan(tmp_path / "trial.tsv")], "Plan")
    assert "not worth" not in output_of(f"plan {trial} --r-squared 0.13")
    chosen = output_of(f"plan {trial} --selected-share 0.33 --selected-hazard-ratio 1.5")
    assert "randomised after selection: 3" in chosen  # more events in those selected, so fewer than 468


@pytest.mark.parametrize(
    ("arguments", "message"),
    cases("""
        study --hazard-ratio 1 --sd 8 | not 1, which no number of participants
        trial --hazard-ratio 0.7 | --median-survival and --survival-table: expected one of them
        trial --hazard-ratio 0.7 --median-survival 1 --selected-share 0.3 | expected both or none
        study --hazard-ratio 1.2 --sd 8 --event-share 0 | --event-share 0: expected
        study --hazard-ratio 1.2 --sd 8 --median-survival 4 --follow-up 0 | --accrual 0 --follow-up 0: no participant is followed
        study --hazard-ratio 1.2 --sd 8 --event-share 0.4 --median-survival 4 | --event-share 0.4 and survival: expected one of them
    """),
)
def test_commands_that_no_plan_can_be_made_of(arguments, message, tmp_path):
    with pytest.raises(RunError, match=message):
        output_of(f"plan {arguments} --output {tmp_path}/plan.tsv")


@pytest.mark.parametrize(
    ("command", "option", "value"),
    cases("""
        study --hazard-ratio 1.2 --output x | --sd | inf
        study --sd 8 --output x | --hazard-ratio | inf
        study --hazard-ratio 1.2 --sd 8 --reliability 0.8 --output x | --photos | nan
        groups --sd 8 | --difference | nan
        genes | --fold-change | inf
        model --parameters 3 --event-rate 0.1 --mean-follow-up 2 --horizon 2 | --r-squared | nan
        precision --pilot x | --width | nan
        trial --hazard-ratio 0.7 --output x | --median-survival | inf
    """),
)
def test_numbers_are_finite(command, option, value):
    done = invoked(f"plan {command} {option} {value}")
    assert done.exit_code == 2
    words = f"{option} {value}: expected a finite number. Write it in digits"
    assert words in " ".join(done.output.replace("│", " ").split())


# Planned power is the power of simulated studies; without an effect the test errs as often as it says.


SURVIVAL = PiecewiseSurvival((0, 1, 3), (0.3, 0.15, 0.1))
STUDY = {"accrual": 2, "follow_up": 3, "drop_out": drop_out_hazard(0.03, 1)}


def test_score_test_is_that_of_lifelines():
    from lifelines import CoxPHFitter

    random = np.random.default_rng(4)
    x, time = random.normal(size=(3, 80)), random.exponential(size=(3, 80))
    event = random.random((3, 80)) < 0.6
    found = score_statistics(x, time, event)
    for row in range(3):
        # the score and information at 0 by finite differences of the partial likelihood of lifelines
        table = pd.DataFrame({"x": x[row], "time": time[row], "event": event[row]})
        fitter = CoxPHFitter().fit(table, "time", "event")
        wald = fitter.params_["x"] / fitter.standard_errors_["x"]
        assert found[row] == pytest.approx(wald, abs=0.15)


@pytest.mark.parametrize(("log_hazard_ratio", "n"), [(0.25, 250), (0.15, 600)])
def test_planned_power_is_that_of_simulated_studies(log_hazard_ratio, n):
    events = n * SURVIVAL.event_share(**STUDY)
    planned = CoxDesign(1).power(np.exp(log_hazard_ratio), events)
    power, error = simulated_power(log_hazard_ratio, SURVIVAL, n, repeats=2000, **STUDY)
    assert 0.5 < planned < 0.98
    assert power == pytest.approx(planned, abs=4 * error + 0.01)  # the formula is that of small effects


@pytest.mark.parametrize(("ratio", "expected"), [(1.8, 0.8), (1.0, 0.05)])
def test_power_of_an_interaction_is_that_of_its_product_term(ratio, expected):
    plan = CohortPlan(1.8, 10, 8, SURVIVAL.event_share(**STUDY), modifier_share=0.4)
    n = int(value_of(plan.table(), "participants"))
    effect = plan.log_hazard_ratio_per_sd if ratio != 1 else 0.0
    power, error = simulated_power(effect, SURVIVAL, n, modifier_share=0.4, repeats=300, **STUDY)
    assert power == pytest.approx(expected, abs=4 * error + 0.02)


@pytest.mark.parametrize("sides", [1, 2])
def test_type_i_error_is_nominal(sides):
    power, error = simulated_power(0, SURVIVAL, 300, repeats=4000, sides=sides, **STUDY)
    assert power == pytest.approx(0.05, abs=4 * error)


@pytest.mark.parametrize(("hazard_ratio", "expected"), [(0.7, 0.8), (1.0, 0.05)])
def test_planned_trials_have_their_power_and_their_type_i_error(hazard_ratio, expected):
    """The log-rank test is the score test of the arm; 2,000 trials of the planned size, with drop-out and unequal arms."""
    lost = STUDY["drop_out"]
    plan = LogRankTrial(SURVIVAL, 0.7, STUDY["accrual"], STUDY["follow_up"], 2.0, (lost, lost))
    n, repeats, random = round(plan.participants(0.8)), 2000, np.random.default_rng(7)
    treated = np.tile(np.arange(n) % 3 < 2, (repeats, 1)).astype(float)
    risk = random.exponential(size=(repeats, n)) / np.where(treated, hazard_ratio, 1)
    times = survival_times(SURVIVAL, risk)
    end = np.minimum(3 + 2 * random.random((repeats, n)), random.exponential(1 / lost, (repeats, n)))
    z = score_statistics(treated, np.minimum(times, end), times <= end)
    found = (np.abs(z) > 1.959964).mean()
    assert found == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / repeats))


def test_times_follow_the_curve():
    times = survival_times(SURVIVAL, np.random.default_rng(2).exponential(size=200_000))
    at = np.array([0.5, 1.0, 2.0, 4.0])
    assert (times[:, None] <= at).mean(axis=0) == pytest.approx(SURVIVAL.observed_events(at), abs=0.004)
    expected = [0.8, np.inf]
    assert survival_times(PiecewiseSurvival((0, 1), (0.5, 0.0)), np.array([0.4, 0.6])).tolist() == expected
