"""Plans made on pilot rows: gain from adjustment, selection, precision, genes, and the page of plans."""

import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from faceage_bio.analyses.planning.cohort_study import (
    RESULT,
    CohortPlan,
    Photos,
    group_difference,
    value_of,
)
from faceage_bio.analyses.planning.gene_samples import (
    means_and_dispersions,
    one_gene,
    samples_for_power,
    simulated_discovery,
)
from faceage_bio.analyses.planning.pilot_precision import (
    design_matrix,
    interval_widths,
    participants_for_width,
    prognostic_gain,
    usable_rows,
    width_above,
)
from faceage_bio.analyses.planning.two_arm_trial import TrialPlan, selected_by
from faceage_bio.core.errors import RunError, TableError
from faceage_bio.core.tables import write_table
from faceage_bio.report.single_pages import plan_page, read_plan
from faceage_bio.stats.concordance import concordance
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_fit import nelson_aalen
from faceage_bio.stats.sample_size import LogRankTrial, PiecewiseSurvival
from tests.commands import output_of


def cohort(n, log_hazard_ratio, seed=1):
    """Participants whose face age, in decades of acceleration with SD 0.8, and age have these effects; about 60 % die."""
    random = np.random.default_rng(seed)
    acceleration, age = random.normal(0, 8, n), random.normal(65, 8, n)
    time = random.exponential(np.exp(-log_hazard_ratio * acceleration / 10 - 0.03 * (age - 65)))
    end = random.uniform(0.3, 2, n)
    return pd.DataFrame({
        "followup_years": np.minimum(time, end), "event": (time <= end).astype(int), "chronological_age": age,
        "face_age": age + acceleration, "age_acceleration": acceleration, "sex": random.choice(["female", "male"], n),
    })  # fmt: skip


def saving(rows, repeats=2):
    found = prognostic_gain(rows, {"base": [], "face": ["age_acceleration"]}, repeats=repeats)
    return found.set_index("score")


def test_a_weak_marker_shrinks_no_trial():
    # the hazard ratio of 1.15 per decade saves below 1 % of the events, one of 3 per quartile step far more
    assert 0.001 < saving(cohort(20_000, np.log(1.15))).loc["face", "saving"] < 0.012
    assert saving(cohort(20_000, np.log(4))).loc["face", "saving"] > 0.2
    assert saving(cohort(5_000, 0)).loc["face", "saving"] < 0.002
    assert saving(cohort(500, 0)).loc["base", "saving"] == 0


def test_the_saving_is_that_of_the_variance_of_the_adjusted_log_rank_score():
    """Arms drawn 4,000 times for the same patients: the score of the adjusted test varies less by the saving."""
    rows = cohort(600, 1.0)
    found = saving(rows).loc["face", "saving"]
    residual = rows["event"] - nelson_aalen(rows["followup_years"].to_numpy(), rows["event"].to_numpy())
    x = rows["age_acceleration"] - rows["age_acceleration"].mean()
    left = residual - x * (x @ residual) / (x @ x)
    arms = np.random.default_rng(2).choice([-0.5, 0.5], (4000, len(rows)))
    assert 1 - (arms @ left).var() / (arms @ residual).var() == pytest.approx(found, abs=0.06)


def test_the_interval_holds_the_saving_and_that_of_the_increment_nothing():
    rows = cohort(400, np.log(1.15))
    found = prognostic_gain(
        rows, {"base": ["chronological_age"], "both": ["chronological_age", "face_age"]}, repeats=200
    )
    base, both = found.to_dict("records")
    assert base["ci_lower"] <= base["saving"] <= base["ci_upper"]
    assert both["increment"] == pytest.approx(both["saving"] - base["saving"])
    assert both["increment_lower"] < 0 < both["increment_upper"]
    assert base["increment"] == base["increment_lower"] == base["increment_upper"] == 0


def test_selection_counts_patients_to_screen_and_what_they_cost():
    trial = TrialPlan(LogRankTrial(PiecewiseSurvival.with_median(1.5), 0.7, 2, 1), 0.8)
    told = {name: value for name, value, _ in trial.enriched(0.25, 2.0, cost_ratio=0.05)}
    assert told["randomised after selection"] < value_of(trial.table(), "participants")
    assert told["screened for selection"] == pytest.approx(4 * told["randomised after selection"], abs=4)
    everyone = trial.trial.participants(0.8)
    assert told["cost after selection"] == pytest.approx(
        told["randomised after selection"] * 1.2 / everyone, rel=0.01
    )
    rows = cohort(4000, 1.0)
    share, ratio = selected_by(rows, "age_acceleration", 8)
    assert share == pytest.approx(0.159, abs=0.02)  # of a normal distribution above one SD
    assert ratio > 1.5
    with pytest.raises(RunError, match="--threshold 90: 0 of 4000 pilot rows are above it"):
        selected_by(rows, "age_acceleration", 90)
    with pytest.raises(RunError, match="--screening-cost -1: expected 0 or more"):
        trial.enriched(0.25, 2.0, cost_ratio=-1)


def test_simulated_widths_are_those_of_the_pilots_own_interval():
    rows = usable_rows(cohort(300, 0.5), ["face_age", "chronological_age"], "pilot")
    widths = interval_widths(rows, "c-index", ["chronological_age"], repeats=300).set_index("n")["width"]
    design = pd.concat([rows["face_age"] / 10, rows[["chronological_age"]]], axis=1)
    score = design.to_numpy() @ fit_cox(rows["followup_years"], rows["event"], design).terms["log_hazard_ratio"].to_numpy()  # fmt: skip
    measured = concordance(rows["followup_years"].to_numpy(), rows["event"].to_numpy(), score[:, None])
    assert widths[300] == pytest.approx(2 * 1.96 * np.sqrt((measured.influence**2).sum()), rel=0.15)
    assert widths[1200] == pytest.approx(widths[300] / 2, rel=0.15)
    wald = fit_cox(rows["followup_years"], rows["event"], design).terms.iloc[0]
    ratios = interval_widths(rows, "hazard-ratio", ["chronological_age"], repeats=100)
    assert np.log(ratios["width"].iloc[0]) == pytest.approx(2 * 1.96 * wald["standard_error"], rel=0.2)
    n = participants_for_width(ratios, float(ratios["width"].iloc[0]), "hazard-ratio")
    assert n == pytest.approx(300, rel=0.2)


def test_genes_over_a_pilots_dispersions():
    random = np.random.default_rng(5)
    mean, dispersion = random.uniform(50, 500, 400), np.full(400, 0.09)
    drawn = random.negative_binomial(1 / dispersion[:, None], 1 / (1 + dispersion * mean)[:, None], (400, 60))
    genes = means_and_dispersions(pd.DataFrame(drawn, index=[f"G{k}" for k in range(400)]))
    assert genes["dispersion"].median() == pytest.approx(0.09, rel=0.1)
    found = simulated_discovery(genes, 1.5, sizes=(10, 40, 80), repeats=10)
    assert found["power"].is_monotonic_increasing
    assert found["false_discoveries"].max() < 0.12  # 5 % planned, of about 20 genes
    n = samples_for_power(found, 0.8)
    # one gene at the p-value at which 16 of 400 tests have a false discovery rate of 5 %
    expected = value_of(one_gene(1.5, 250, 0.3, None, power=0.8, alpha=0.05 * 16 / 400), "samples")
    assert n == pytest.approx(expected, rel=0.25)
    assert samples_for_power(found.assign(power=0.1), 0.8) == np.inf


@pytest.mark.parametrize(
    ("change", "columns", "message"),
    [
        ({"event": 0}, ["face_age"], "pilot: 0 events in 60 complete rows of 60. Expected 10 or more"),
        ({}, ["ecog"], "pilot: no value in ecog. Expected the columns of the score; it has followup_years"),
        ({"entry_years": 0.5}, ["face_age"], "entry_years is above 0 in 60 rows. Expected follow-up from the photo"),
        ({"face_age": 61.3}, ["sex", "face_age"], "pilot: one value of face_age in all 60 complete rows. Expected those of a model"),
    ],
)  # fmt: skip
def test_pilots_that_tell_nothing(change, columns, message):
    with pytest.raises(RunError, match=message):
        usable_rows(cohort(60, 0).assign(**change), columns, "pilot")


def test_words_become_indicators_and_constants_go():
    rows = cohort(40, 0).assign(stage="II", bmi=25.3)  # whose standard deviation is not 0 but rounding
    assert design_matrix(rows, ["chronological_age", "sex", "stage", "bmi"]).shape == (40, 2)


@pytest.mark.parametrize(("width", "measure"), [(0, "c-index"), (1.2, "difference"), (0.9, "hazard-ratio")])
def test_widths_that_no_interval_has(width, measure):
    ratio = measure == "hazard-ratio"
    what = "expected above 1, the upper end over the lower one" if ratio else "expected above 0 and below 1"
    with pytest.raises(RunError, match=f"--width {width:g}: {what}"):
        participants_for_width(pd.DataFrame({"n": [100], "width": [0.2]}), width, measure)


def test_an_interval_above_a_value():
    widths = pd.DataFrame({"n": [100, 400], "estimate": [0.7, 0.7], "width": [0.2, 0.1]})
    width = width_above(widths, 0.6, "c-index")
    assert participants_for_width(widths, width, "c-index") == pytest.approx(100, abs=1)
    assert width_above(widths.assign(estimate=2.0), 1.0, "hazard-ratio") == 4.0  # 1 to 4 around 2
    with pytest.raises(RunError, match=r"--above 0\.7: the pilot's estimate is 0\.700\. Expected less"):
        width_above(widths, 0.7, "c-index")


def test_commands_on_a_pilot_and_the_page_of_their_plans(tmp_path):
    pilot = tmp_path / "pilot.tsv"
    cohort(150, 0.3).assign(subject_id=[f"s{k}" for k in range(150)]).to_csv(pilot, sep="\t", index=False)
    curve = pd.DataFrame(
        {"grouping": ["all", "all", "all", "sex"], "years": [0, 1, 2, 1], "survival": [1, 0.7, 0.5, 0.1]}
    )
    curve.to_csv(tmp_path / "kaplan_meier.tsv", sep="\t", index=False)
    trial, precision = tmp_path / "trial.tsv", tmp_path / "precision.tsv"
    line = f"trial --hazard-ratio 0.7 --output {trial}"
    said = output_of(
        f"plan {line} --survival-table {tmp_path}/kaplan_meier.tsv --follow-up 1 --accrual 1 --pilot {pilot} --repeats 100 --threshold 5"
    )
    assert "increment by face age, 95% CI from" in said
    assert "events with adjustment for chronological age, face age: " in said
    assert "of the patients. Choose the threshold by reason, never by outcome" in said
    assert "run" not in said
    interval = f"precision --pilot {pilot} --repeats 50"
    said = output_of(f"plan {interval} --width 0.2 --output {precision}")
    assert re.match(
        r"\d+ participants with about \d+ events give a 95% CI of width 0\.2 for the C-index", said
    )
    said = output_of(f"plan {interval} --measure hazard-ratio --width 1.5")
    assert "a 95% CI whose upper end is 1.5 times its lower end for the hazard ratio per 10 years" in said
    said = output_of(f"plan {interval} --above 0.5")
    assert "lower end of the 95% CI is 0.5: in about half of such studies it is below" in said
    page = plan_page([read_plan(trial), read_plan(precision)], "Plan <1>")
    assert "Choose the threshold by reason, never by outcome" in page
    assert "Plan &lt;1&gt;" in page
    assert "rpact::getSampleSizeSurvival(" in page
    assert page.count("<svg") == 2
    assert "Schoenfeld 1981" in page
    assert not re.search(r"https?://(?!doi\.org)", page)  # needs no network
    events = value_of(read_plan(trial), "events")
    assert f"<strong>{events:,.0f}</strong>" in page
    with pytest.raises(TableError, match="no plan; it has the columns grouping, years, survival"):
        read_plan(tmp_path / "kaplan_meier.tsv")
    with pytest.raises(RunError, match="--threshold needs --pilot, and no --selected-share"):
        output_of(f"plan {line} --median-survival 1 --threshold 5")
    costly = output_of(
        f"plan {line} --median-survival 1 --selected-share 0.2 --selected-hazard-ratio 1.1 --screening-cost 0.1"
    )
    assert "Selection is not worth it: the trial costs 1." in costly
    with pytest.raises(RunError, match="--simulate 10 needs survival"):
        output_of(f"plan study --hazard-ratio 1.2 --sd 8 --simulate 10 --output {trial}")


def test_r_code_gives_the_same_numbers():
    if not shutil.which("Rscript"):
        pytest.skip("R is not installed")
    plans = [
        CohortPlan(1.15, 10, 8, 0.4, r_squared=0.2, photos=Photos(0.8, 2, 0.7)).table(),
        CohortPlan(1.5, 10, 8, sides=1, modifier_share=0.3).table(),
        group_difference(3, 8, allocation=2, power=0.9),
        group_difference(100, 8),
        group_difference(20, 8, allocation=0.5),
        one_gene(1.5, 20, 0.4, 0.8, power=0.8, alpha=0.01),
    ]
    code = "; ".join(
        f"cat({line}, '\\n')" if line.startswith("ceiling") else line
        for plan in plans
        for line in plan.loc[plan["part"] == "R code", "text"].iloc[0].split("; ")
    )
    done = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=True)
    ours = [value for plan in plans for value in plan.loc[plan["part"] == RESULT, "value"]]
    assert list(map(float, done.stdout.split())) == ours


def test_a_plan_reads_back_as_it_was_written(tmp_path):
    table = CohortPlan(1.15, 10, 8, 0.4).table()
    write_table(table, tmp_path / "plan.tsv")
    assert value_of(read_plan(tmp_path / "plan.tsv"), "participants") == value_of(table, "participants")


def test_counts_of_three_samples_are_no_pilot():
    with pytest.raises(RunError, match=r"the pilot's counts: 3 samples\. Expected 4 or more"):
        means_and_dispersions(pd.DataFrame(np.full((5, 3), 20)))
