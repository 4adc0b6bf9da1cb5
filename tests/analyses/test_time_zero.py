"""Deaths and censorings on the day on which observation starts count everywhere, as in R: script and versions in tests/golden/time_zero."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from faceage_bio.analyses.acceleration.definitions import definition_hazards
from faceage_bio.analyses.acceleration.photo_that_counts import one_per_subject
from faceage_bio.analyses.acceleration.repeats import ageing_rates
from faceage_bio.analyses.readers.readings import followed
from faceage_bio.analyses.survival.follow_up import mark, prepare, read_people
from faceage_bio.analyses.survival.gene_hazards import gene_survival
from faceage_bio.core.errors import CohortError, FitError
from faceage_bio.core.settings.settings_acceleration import Acceleration
from faceage_bio.core.settings.settings_survival import Survival
from faceage_bio.intake.observation import entry_of
from faceage_bio.stats.competing_risks import cumulative_incidence, fit_fine_gray, gray_test
from faceage_bio.stats.concordance import concordance
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_batch import fit_cox_per_column
from faceage_bio.stats.cox_fit import linear_predictor
from faceage_bio.stats.cox_fit import survival_at as predicted
from faceage_bio.stats.cox_likelihood import split_follow_up
from faceage_bio.stats.cox_ph import proportional_hazards_test
from faceage_bio.stats.kaplan_meier import height_at, kaplan_meier, log_rank, restricted_mean, risk_table
from faceage_bio.stats.prediction_accuracy import brier, censored_auc
from tests.commands import output_of
from tests.rows import golden

HERE = Path(__file__).parents[1] / "golden" / "time_zero"
TABLE = pd.read_csv(HERE / "transplant.tsv", sep="\t", comment="#").astype("float64")
r = golden("time_zero")
X = TABLE[["age", "female"]]
TIMES = (TABLE.time, TABLE.event)


def close(found, quantity, rtol=1e-7):
    np.testing.assert_allclose(np.ravel(found), r(quantity), rtol=rtol, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "options"),
    [("cox", {}), ("cox strata", {"strata": TABLE.group_o}), ("cox late", {"entry": TABLE.entry})],
)
def test_cox_keeps_time_zero(name, options):
    fit = fit_cox(*TIMES, X, **options)
    close(fit.terms.log_hazard_ratio, f"{name} coef")
    close(fit.terms.standard_error, f"{name} error")
    close([fit.n, fit.n_events], f"{name} n")
    close([fit.log_likelihood_null, fit.log_likelihood], f"{name} loglik", 1e-10)


def test_what_follows_a_fit_keeps_time_zero():
    fit = fit_cox(*TIMES, X)
    found = proportional_hazards_test(fit)
    close(found[["chi_square", "df", "p_value"]].to_numpy().T, "zph", 1e-6)
    with pytest.raises(FitError, match="ends at time 0, which has no logarithm"):
        proportional_hazards_test(fit, "log")
    close(predicted(fit, X.iloc[[0, 4]], np.array([0.0, 100, 1000])).T.reshape(3, 2), "predicted")
    measured = concordance(*TIMES, linear_predictor(fit, X))
    close(measured.value, "concordance")
    close(np.sqrt(np.diag(measured.covariance)), "concordance error")
    risk = 1 - predicted(fit, X, np.array([99.5, 500]))
    for place, time in enumerate((99.5, 500.0)):
        area = censored_auc(linear_predictor(fit, X), *TIMES, time)
        score = brier(risk[:, place], *TIMES, time)
        for found, name in ((area, "auc"), (score, "brier")):
            value, error = r(name).reshape(2, 2)[place]
            assert found.value[0] == pytest.approx(value, rel=1e-6)
            assert np.sqrt(found.covariance[0, 0]) == pytest.approx(error, rel=2e-3)


def test_genes_are_fitted_as_one_by_one():
    found = fit_cox_per_column(*TIMES, X[["age"]], X[["female"]]).loc["age"]
    close([found.log_hazard_ratio, found.standard_error], "cox gene")


@pytest.mark.parametrize(("name", "entry"), [("km", None), ("km late", TABLE.entry)])
def test_kaplan_meier_falls_at_time_zero(name, entry):
    curve = kaplan_meier(*TIMES, entry)
    found = height_at(curve, np.array([0, 10, 100, 1000]))
    for ours, theirs in (("survival", "survival"), ("standard_error", "error"), ("ci_lower", "lower")):
        close(found[ours], f"{name} {theirs}")
    close(found.ci_upper, f"{name} upper")


def test_areas_ranks_and_numbers_at_risk_keep_time_zero():
    mean = restricted_mean(kaplan_meier(*TIMES), 1000)
    close([mean.estimate, mean.standard_error], "rmst")
    close(log_rank(*TIMES, TABLE.female).chi_square, "logrank")
    first = risk_table(np.array([0.0]), *TIMES).iloc[0]
    at_zero = TABLE[TABLE.time == 0]
    assert (first.at_risk, first.events, first.censored) == (797, 1, len(at_zero) - 1)


def test_competing_risks_keep_time_zero():
    for cause in (1, 2, 3):
        curve = cumulative_incidence(TABLE.time, TABLE.cause, cause)
        found = height_at(curve, np.array([0.0, 10, 100]), "incidence")
        close(found.incidence, f"incidence {cause}")
        close(found.standard_error, f"incidence error {cause}")
    close(list(gray_test(TABLE.time, TABLE.cause, 1, TABLE.female)), "gray")
    fit = fit_fine_gray(TABLE.time, TABLE.cause, 1, X).terms
    close([*fit.log_hazard_ratio, *fit.standard_error], "crr", 1e-6)


def test_start_stop_rows_of_time_zero_give_the_same_model():
    spells = split_follow_up(*TIMES, None, [0.0, 50.0, 400.0])
    again = fit_cox(spells.stop, spells.event, X.iloc[spells.row].reset_index(drop=True), spells.start)
    close(again.terms.log_hazard_ratio, "cox coef")
    assert spells.event.sum() == TABLE.event.sum()


def test_the_command_says_what_r_says(tmp_path):
    output_of(
        f"fit-survival --participants {HERE}/people.tsv --set survival.added_value.bootstraps=0 --output {tmp_path}"
    )
    table = pd.read_csv(tmp_path / "cox.tsv", sep="\t")
    found = table[(table.model == "face age + age") & (table.term == "face_age")].iloc[0]
    numbers = ["n", "n_events", "estimate", "ci_lower", "ci_upper", "p_value"]
    close(found[numbers].astype(float), "people", 1e-6)
    alone = table[(table.model == "univariable") & (table.term == "face_age")].iloc[0]
    close(alone.estimate, "people alone")


def test_every_reader_of_follow_up_keeps_time_zero():
    people = read_people(HERE / "people.tsv")
    assert (people.followup_years == 0).sum() == 5
    usable, reasons = prepare(people)
    assert (len(usable), len(reasons)) == (80, 0)
    hazards = definition_hazards(people, 10).set_index(["term", "adjustment"]).loc[("face_age", "age")]
    assert (hazards.n, hazards.n_events) == (80, 46)
    assert hazards.estimate == pytest.approx(r("people")[2], rel=1e-6)
    outcome = followed(people.set_index("subject_id"), 1.0)
    assert outcome.status[["p0", "p3"]].tolist()[0] == 1.0
    assert outcome.years.notna().all()
    levels = pd.DataFrame({
        "analysis": "expression", "sample_id": people.subject_id, "subject_id": people.subject_id, "batch": None,
        "sample_date": "2020-01-01", "CDK6": people.face_age / 10,
    })  # fmt: skip
    dated = people.assign(photo_date="2020-01-01")
    genes, _ = gene_survival(dated, levels, Survival(gene_covariates=["chronological_age"]), ["CDK6"], "c")
    assert (genes.n[0], genes.n_events[0]) == (80, 46)
    assert genes.estimate[0] == pytest.approx(r("people")[2], rel=1e-6)


def test_a_later_photo_on_the_day_of_death_keeps_the_death():
    subjects = pd.DataFrame({
        "subject_id": ["a", "b"], "chronological_age": [60.0, 61.0], "followup_years": [1.0, 0.5], "entry_years": [np.nan, np.nan],
        "event": [1.0, 1.0],
    })  # fmt: skip
    photos = pd.DataFrame({
        "photo_id": ["a1", "a2", "b1", "b2"], "subject_id": ["a", "a", "b", "b"], "chronological_age": np.nan,
        "photo_date": ["2020-01-01", "2020-12-31", "2020-01-01", "2020-12-31"], "face_age": [60.0, 61.0, 62.0, 63.0],
    })  # fmt: skip
    subjects.loc[0, "followup_years"] = 365 / 365.25
    last = one_per_subject(photos, photos, subjects, Acceleration(repeat_photos="last")).set_index(
        "subject_id"
    )
    assert last.ended_before_photo.to_dict() == {"a": False, "b": True}
    _, reasons = prepare(last.reset_index().assign(age_acceleration=[1.0, 2.0]))
    assert reasons.tolist() == ["ended_before_the_photo"]
    dated = photos.assign(photo_date=pd.to_datetime(photos.photo_date), years=[0, 365 / 365.25] * 2)
    rates = ageing_rates(dated, subjects, (1, 1000))
    assert rates.followup_years.iloc[0] == 0


def test_time_from_a_date_keeps_who_ends_on_it_and_names_who_is_never_at_risk():
    people = pd.DataFrame({
        "cohort": "c", "subject_id": ["same", "late", "kept"], "photo_date": "2020-01-01", "followup_years": [30 / 365.25, 0.0, 0.0],
        "diagnosis_date": ["2020-01-31", "2019-01-01", "2020-01-01"], "event": 1.0, "age_acceleration": 0.0,
    })  # fmt: skip
    usable, reasons = prepare(people, Survival(time_zero="diagnosis_date", horizon_years=2.0))
    # dead on the day of the diagnosis, which is time 0; dead on the day of the photo, at which observation starts
    assert reasons.to_dict() == {1: "followed_not_beyond_the_photo"}
    assert usable.followup_years.tolist() == pytest.approx([0, 0], abs=1e-12)
    again, _ = prepare(mark(people, Survival(time_zero="diagnosis_date", horizon_years=2.0)))
    assert len(again) == 2
    cut, reasons = prepare(people, Survival(end_date="2020-01-01"))
    assert (len(cut), len(reasons)) == (3, 0)


def test_who_is_observed_from_time_zero_is_at_risk_on_that_day():
    people = pd.DataFrame({"entry_years": [np.nan, 0.0, -2.0, 0.5]})
    assert entry_of(people).tolist() == [-1.0, -1.0, -1.0, 0.5]
    assert entry_of(people.head(3)) is None


def test_an_entry_that_is_not_before_the_exit_is_rejected_by_row(tmp_path):
    path = tmp_path / "people.tsv"
    path.write_text(
        "subject_id\tchronological_age\tface_age\tentry_years\tfollowup_years\tevent\n"
        "a\t60\t61\t0.5\t0.5\t1\nb\t60\t61\t0\t0\t1\nc\t60\t61\t\t0\t1\nd\t60\t61\t2\t1.5\t0\ne\t60\t61\t0.5\t1\t1\n"
    )
    with pytest.raises(CohortError) as error:
        read_people(path)
    assert (
        "column 'entry_years': 3 row(s), line 2: '0.5, exit 0.5'; line 3: '0, exit 0'; line 5: '2, exit 1.5'. Observation starts at or "
        "after its end. Expected entry before exit. Correct one of them, or leave the entry empty if observation started at the photo."
    ) in str(error.value)
