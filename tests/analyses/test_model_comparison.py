"""Several age models in the same participants: the planted better one is found, and each number is that of its method."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from faceage_bio.core.errors import FitError
from faceage_bio.core.tables import read_table
from faceage_bio.faces.faceage.model_comparison import compare_models, compare_predictions
from faceage_bio.stats.concordance import concordance
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_fit import likelihood_ratio_test
from faceage_bio.stats.measurement_error import bland_altman
from tests.commands import output_of
from tests.conftest import add_mean_model
from tests.golden.model_comparison.data import people as lung
from tests.rows import golden, told

CARDS = [{"name": "exact", "sha256": "a" * 64}, {"name": "noisy", "sha256": "b" * 64}]


def people(n=500, seed=5):
    """Death follows true ageing; the first model sees it with an error of 2 years, the second with one of 9."""
    random = np.random.default_rng(seed)
    age, truth = random.uniform(45, 85, n), random.normal(0, 6, n)
    death = random.exponential(6, n) / np.exp(0.05 * (age - 65) + 0.12 * truth)
    return pd.DataFrame({
        "subject_id": [f"s{k}" for k in range(n)], "chronological_age": age, "sex": random.choice(["female", "male"], n),
        "face_age": age + truth + random.normal(0, 2, n), "face_age_2": age + truth + random.normal(3, 9, n),
        "followup_years": np.minimum(death, 5), "event": (death < 5).astype(float), "entry_years": np.nan,
    })  # fmt: skip


def one(table, **keys):
    chosen = table[np.logical_and.reduce([table[key] == value for key, value in keys.items()])]
    assert len(chosen) == 1, chosen
    return chosen.iloc[0]


def test_the_better_model_is_found():
    table = compare_predictions(people(), CARDS, "c")
    apart = one(table, measure="difference in mean absolute error")
    assert (apart.term, apart.reference) == ("noisy", "exact")
    assert apart.ci_lower > 1
    lost = one(table, measure="difference of Harrell's C", adjustment="minimal")
    assert lost.ci_upper < 0
    assert one(table, measure="hazard ratio", term="exact").ci_lower > one(table, measure="hazard ratio", term="noisy").estimate  # fmt: skip
    adds = {row.term: row.p_value for row in table[(table.measure == "likelihood-ratio chi-square") & (table.reference != "")].itertuples()}  # fmt: skip
    assert adds["exact"] < 1e-6
    assert adds["noisy"] > 1e-3
    assert dict(zip(table.term, table.model_id, strict=True)) == {"exact": "a" * 64, "noisy": "b" * 64}


def test_numbers_are_those_of_their_methods():
    known = people(300)
    table = compare_predictions(known, CARDS, "c")
    error = known.face_age_2 - known.chronological_age
    size = one(table, measure="mean absolute error", term="noisy")
    assert (size.estimate, size.n) == (pytest.approx(error.abs().mean()), 300)
    assert np.isnan(size.p_value)
    paired = stats.ttest_rel(error.abs(), (known.face_age - known.chronological_age).abs())
    assert one(table, measure="difference in mean absolute error").p_value == pytest.approx(paired.pvalue)
    expected = np.sqrt((error**2).mean())
    assert one(table, measure="root mean squared error", term="noisy").estimate == pytest.approx(expected)
    line = stats.linregress(known.chronological_age, error)
    assert one(table, measure="slope", term="noisy").estimate == pytest.approx(line.slope)

    follow_up = (known.followup_years, known.event)
    held = pd.DataFrame({"age": known.chronological_age, "male": 1.0 * (known.sex == "male")})
    residual = known.face_age_2 - np.polyval(
        np.polyfit(known.chronological_age, known.face_age_2, 1), known.chronological_age
    )
    sd = np.sqrt((residual**2).sum() / (300 - 2))
    fit = fit_cox(*follow_up, held.assign(acceleration=residual / sd))
    hazard = one(table, measure="hazard ratio", term="noisy")
    assert hazard.estimate == pytest.approx(fit.terms.hazard_ratio["acceleration"])
    assert hazard.per == "1 SD"
    ratio = one(table, measure="likelihood-ratio chi-square", term="noisy", reference="")
    assert ratio.p_value == pytest.approx(likelihood_ratio_test(fit_cox(*follow_up, held), fit)[2])
    alone = concordance(
        *(np.array(values) for values in follow_up), known[["face_age", "face_age_2"]].to_numpy()
    )
    found = one(table, measure="difference of Harrell's C", adjustment="unadjusted")
    assert found.estimate == pytest.approx(alone.difference(1, 0).estimate)
    assert found.p_value == pytest.approx(alone.difference(1, 0).p_value)
    adjusted = one(table, measure="Harrell's C", term="noisy", adjustment="minimal")
    assert adjusted.estimate == pytest.approx(fit.concordance)


r = golden("model_comparison")
NAMES = {"exact": "first", "noisy": "second"}  # in golden.R
INTERVAL = ["estimate", "ci_lower", "ci_upper", "p_value"]
TEST = ["estimate", "p_value"]


def is_as_in_r(row, quantity, columns=INTERVAL):
    expected = r(quantity)
    found = row[columns[: len(expected)]].to_numpy(dtype=float)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9, err_msg=quantity)


def test_the_comparison_equals_r():
    table = compare_predictions(lung(), CARDS, "lung")
    chi = "likelihood-ratio chi-square"
    for name, theirs in NAMES.items():
        for quantity, measure in {
            "absolute": "mean absolute error", "error": "mean error", "rmse": "root mean squared error", "correlation": "correlation", "slope": "slope",
            "hazard": "hazard ratio",
        }.items():  # fmt: skip
            is_as_in_r(one(table, term=name, measure=measure), f"{quantity} {theirs}")
        is_as_in_r(one(table, term=name, measure=chi, reference=""), f"likelihood {theirs}", TEST)
        other = next(key for key in NAMES if key != name)
        is_as_in_r(one(table, term=name, measure=chi, reference=other), f"adds {theirs}", TEST)
        for adjustment, way in {"unadjusted": "alone", "minimal": "adjusted"}.items():
            is_as_in_r(one(table, term=name, measure="Harrell's C", adjustment=adjustment), f"{way} {theirs}")
    is_as_in_r(one(table, measure="difference in mean absolute error"), "absolute difference")
    for adjustment, way in {"unadjusted": "alone", "minimal": "adjusted"}.items():
        apart = one(table, measure="difference of Harrell's C", adjustment=adjustment)
        is_as_in_r(apart, f"{way} difference")


def test_the_agreement_equals_r():
    rows, _ = compare_models(lung().assign(model_id="m"), CARDS, lambda table, column: table[column])
    for measure, quantity in {
        "bias": "bias", "lower limit of agreement": "limit -1", "upper limit of agreement": "limit 1", "slope": "agreement slope",
        "standard deviation": "agreement sd", "correlation": "agreement correlation",
    }.items():  # fmt: skip
        is_as_in_r(one(rows, measure=measure), quantity)


def test_each_model_is_judged_on_the_same_participants():
    known = people(200)
    known.loc[:49, "face_age_2"] = np.nan
    known.loc[50:59, "chronological_age"] = np.nan
    table = compare_predictions(known, CARDS, "c")
    assert table.n.eq(140).all()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda known: known.assign(event=0.0), "0 deaths are too few"),
        (lambda known: known.drop(columns=["event", "followup_years"]), "0 deaths"),
        (lambda known: known.head(12), ""),
        (lambda known: known.head(0), ""),
        (lambda known: known.assign(face_age_2=known.face_age), ""),
        (lambda known: known.assign(face_age=known.chronological_age), ""),
        (lambda known: known.assign(sex=None), ""),
    ],
)
def test_what_cannot_be_compared_keeps_its_rows(change, why):
    table = compare_predictions(change(people(60)), CARDS, "c")
    assert {"accuracy of age models", "prognosis of age models"} == set(table.question)
    lost = table[table.status == "not_estimated"]
    assert told(lost).str.contains(why).any() or not why
    assert table.loc[table.status != "not_estimated", "estimate"].notna().all()


def test_the_command_takes_the_photo_that_counts(tmp_path):
    known = people(80)
    first = known[["subject_id", "face_age", "face_age_2"]].assign(
        cohort="c", photo_id=known.subject_id + "a", status="ok"
    )
    later = first.assign(
        photo_id=known.subject_id + "b", face_age=first.face_age + 30, face_age_2=first.face_age_2 + 10
    )
    pd.concat([first, later]).to_parquet(tmp_path / "face_age.parquet")
    photos = pd.concat([
        first[["photo_id", "subject_id"]].assign(photo_date="2020-01-01", chronological_age=np.nan),
        later[["photo_id", "subject_id"]].assign(photo_date="2020-06-01", chronological_age=np.nan),
    ])  # fmt: skip
    photos.to_parquet(tmp_path / "photos.parquet")
    known.drop(columns=["face_age", "face_age_2"]).to_parquet(tmp_path / "subjects.parquet")
    add_mean_model(tmp_path / "model")
    files = (
        "--face-age face_age.parquet --model model --model model --subjects subjects.parquet --photos photos.parquet"
        " --agreement agreement.tsv --bands bands.tsv --comparison comparison.tsv"
    )
    for rule, of_first, of_second in (("first", 0, 0), ("last", 30, 10), ("mean", 15, 5)):
        output_of(f"compare-models {files} --set acceleration.repeat_photos={rule}", folder=tmp_path)
        found = one(read_table(tmp_path / "agreement.tsv"), measure="bias").estimate
        assert found == pytest.approx((known.face_age_2 - known.face_age).mean() + of_second - of_first)
        table = read_table(tmp_path / "comparison.tsv")
        errors = table[table.measure == "mean error"].set_index("term").estimate
        # since the first photo, of which the age is known: to the last, or on average
        later = {"first": 0, "last": 152, "mean": 76}[rule] / 365.25
        error = (known.face_age_2 - known.chronological_age).mean() + of_second - later
        assert errors["Mean of the crop, model 2"] == pytest.approx(error)


# A second opinion: planted disagreement is found, none is found where there is none.


BOTH = [{"name": "FaceAge"}, {"name": "Other"}]


def ages(n=400, bias=3.0, spread=4.0, seed=1):
    random = np.random.default_rng(seed)
    first = random.normal(60, 12, n)
    return pd.DataFrame({
        "cohort": "c", "subject_id": [f"s{i}" for i in range(n)], "face_age": first,
        "face_age_2": first + bias + random.normal(0, spread, n),
    })  # fmt: skip


def first_photo(table, column):
    return table.drop_duplicates("subject_id").set_index("subject_id")[column]


def estimate(rows, measure):
    return rows[rows.measure == measure].iloc[0]


def test_planted_bias_and_spread_are_found():
    rows, bands = compare_models(ages(), BOTH, first_photo)
    bias = estimate(rows, "bias")
    assert bias.ci_lower > 0
    for measure, planted in (("bias", 3), ("lower limit of agreement", 3 - 1.96 * 4), ("upper limit of agreement", 3 + 1.96 * 4)):  # fmt: skip
        assert estimate(rows, measure).ci_lower < planted < estimate(rows, measure).ci_upper
    assert (set(rows.term), set(rows.reference)) == ({"Other"}, {"FaceAge"})
    assert bands.n.sum() == 400
    assert np.average(bands.mean_difference, weights=bands.n) == pytest.approx(bias.estimate)


@pytest.mark.slow
def test_the_interval_covers_no_bias_as_often_as_it_says():
    found = [estimate(compare_models(ages(60, bias=0, seed=seed), BOTH, first_photo)[0], "bias") for seed in range(200)]  # fmt: skip
    assert 0.90 < np.mean([bias.ci_lower * bias.ci_upper < 0 for bias in found]) < 0.99


def test_one_pair_per_participant_and_only_photos_with_both_ages():
    table = pd.concat([ages(30), ages(30, bias=50)], ignore_index=True)
    table.loc[0, ["face_age", "face_age_2"]] = np.nan
    table.loc[1, "face_age_2"] = np.nan
    rows, _ = compare_models(table, BOTH, first_photo)
    assert set(rows.n) == {30}
    differences = (table.face_age_2 - table.face_age).iloc[[*range(2, 30), 30, 31]]
    assert estimate(rows, "bias").estimate == pytest.approx(differences.mean())


def test_too_few_participants_are_told():
    rows, _ = compare_models(ages(3), BOTH, first_photo)
    assert rows.estimate.isna().all()
    assert told(rows).str.contains("not estimated, because agreement needs 4 pairs").all()
    assert len(compare_models(ages(0), BOTH, first_photo)[1]) == 0


def test_values_that_do_not_vary_are_refused():
    ages = np.linspace(40, 70, 30)
    for second in (np.ones(30), ages + 0.1, ages * (1 + 3e-16), 100 - ages):
        with pytest.raises(FitError, match="agreement needs 4 pairs whose differences and means vary"):
            bland_altman(ages if second[0] != 1 else second, second)
    slope = bland_altman(ages, 1.1 * ages).slope
    assert slope.estimate == pytest.approx(0.1 / 1.05)
    assert np.isnan([slope.ci_lower, slope.ci_upper, slope.p_value]).all()  # and not 0


@given(st.lists(st.tuples(st.integers(20, 90), st.integers(20, 90)), min_size=5, max_size=30))
def test_turned_round_the_signs_turn(pairs):
    first, second = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    try:
        there, back = bland_altman(first, second), bland_altman(second, first)
    except FitError:
        return
    assert there.bias.estimate == pytest.approx(-back.bias.estimate)
    assert there.lower_limit.ci_lower == pytest.approx(-back.upper_limit.ci_upper)
    assert there.lower_limit.estimate < there.bias.estimate < there.upper_limit.estimate
    assert there.lower_limit.ci_upper >= there.lower_limit.estimate >= there.lower_limit.ci_lower


def test_models_of_one_name_are_told_apart():
    table = ages(30).assign(face_age_3=lambda known: known.face_age_2 + 1)
    rows, bands = compare_models(table, [{"name": "A"}] * 3, first_photo)
    assert set(rows.term) == set(bands.term) == {"A, model 2", "A, model 3"}
