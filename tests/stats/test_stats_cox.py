"""The Cox core equals R's survival package (tests/golden/cox), and what holds of any right answer."""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import in_words, reason
from faceage_bio.stats import cox_batch
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_batch import fit_cox_per_column
from faceage_bio.stats.cox_fit import (
    baseline_hazard,
    likelihood_ratio_test,
    martingale_residuals,
    survival_at,
)
from faceage_bio.stats.cox_likelihood import merge_near_ties, schoenfeld_residuals, score_residuals
from faceage_bio.stats.cox_ph import hazard_over_time, proportional_hazards_test
from faceage_bio.stats.smoothing import natural_spline, place_knots
from tests.golden.cox.data import CASES, read
from tests.rows import golden

r = golden("cox")


@cache
def fitted(name, n_terms=None, clustered=True):
    case = CASES[name]
    table = read(case.data)

    def column(key):
        return None if key is None else table[key]

    return fit_cox(
        table.time, table.event, table[case.terms[:n_terms]], column(case.entry), strata=column(case.strata),
        cluster=column(case.cluster) if clustered else None, weights=column(case.weights),
    )  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_fit_equals_coxph(name):
    fit = fitted(name)
    columns = ["log_hazard_ratio", "standard_error", "ci_lower", "ci_upper", "p_value"]
    for term in CASES[name].terms:
        expected = [r(name, term, column)[0] for column in columns]
        found = fit.terms.loc[term, columns].to_numpy(float)
        np.testing.assert_allclose(found, expected, rtol=1e-8, err_msg=term)
        if CASES[name].cluster:
            assert fit.terms.naive_error[term] == pytest.approx(r(name, term, "naive_error")[0], rel=1e-9)
    assert fit.log_likelihood == pytest.approx(r(name, "log_likelihood")[0], rel=1e-12)
    assert fit.log_likelihood_null == pytest.approx(r(name, "log_likelihood_null")[0], rel=1e-12)
    if not CASES[name].cluster:
        covariance = r(name, "covariance").reshape(fit.covariance.shape)
        nothing = 1e-12 * np.abs(covariance).max()
        np.testing.assert_allclose(fit.covariance, covariance, rtol=1e-7, atol=nothing)


@pytest.mark.parametrize("name", CASES)
def test_likelihood_ratio_test_equals_anova(name):
    found = likelihood_ratio_test(fitted(name, -1), fitted(name))
    np.testing.assert_allclose(found, r(name, "lrt"), rtol=1e-8)


@pytest.mark.parametrize("transform", ["km", "identity", "log", "rank"])
@pytest.mark.parametrize("name", CASES)
def test_proportional_hazards_test_equals_cox_zph(name, transform):
    if (name, transform) == ("attained", "km"):
        # the one person at risk at first dies, so the curve is 0 ever after; R divides rounding by rounding
        with pytest.raises(FitError, match=r"to test whether .* changes over time"):
            proportional_hazards_test(fitted(name), transform)
        return
    table = proportional_hazards_test(fitted(name), transform).set_index("term")
    for term in [*CASES[name].terms, "GLOBAL"]:
        found, expected = table.loc[term].to_numpy(float), r(name, "zph", transform, term)
        np.testing.assert_allclose(found, expected, rtol=1e-8, err_msg=term)
    points = hazard_over_time(fitted(name), transform).points
    # R sorts tied deaths in its own way, so values are compared in their order
    expected = r(name, "zph points", transform, "g")
    np.testing.assert_allclose(np.sort(points.g)[:6], expected, rtol=1e-9, atol=1e-12)
    for term in CASES[name].terms:
        expected = r(name, "zph points", transform, term)
        nothing = 1e-9 * np.abs(expected).max()
        np.testing.assert_allclose(np.sort(points[term])[:6], expected, rtol=1e-8, atol=nothing)


def test_terms_of_several_columns_are_tested_together_as_cox_zph_does():
    groups = CASES["veteran"].groups
    table = proportional_hazards_test(fitted("veteran"), "km", groups).set_index("term")
    points = hazard_over_time(fitted("veteran"), "km", groups).points
    for term in groups:
        np.testing.assert_allclose(table.loc[term].to_numpy(float), r("veteran zph groups", term), rtol=1e-8)
        np.testing.assert_allclose(np.sort(points[term])[:6], r("veteran zph group points", term), rtol=1e-7)
    assert list(table.index) == [*groups, "GLOBAL"]


@pytest.mark.parametrize("name", CASES)
def test_predicted_survival_equals_survfit(name):
    case, fit = CASES[name], fitted(name)
    table, times = read(case.data), r(name, "times")
    rows = table.iloc[[0, 4, 16]]
    strata = None if case.strata is None else rows[case.strata]
    found = survival_at(fit, rows, times, strata)
    for number, row in enumerate((0, 4, 16)):
        np.testing.assert_allclose(found[number], r(name, "survival", row), rtol=1e-9, err_msg=str(row))
    assert np.isnan(survival_at(fit, rows, [table.time.max() + 1], strata)).all()


def test_baseline_is_the_hazard_of_a_participant_whose_terms_are_all_0():
    fit = fitted("lung")
    baseline = baseline_hazard(fit)
    nobody = pd.DataFrame(0.0, index=[0], columns=CASES["lung"].terms)
    found = survival_at(fit, nobody, baseline.years.to_numpy())[0]
    np.testing.assert_allclose(found, np.exp(-baseline.cumulative_hazard), rtol=1e-10)


# -- what holds of any right answer


def simulated(n=150, seed=3, effect=0.7, ties=False):
    random = np.random.default_rng(seed)
    x, z = random.normal(size=n), random.integers(0, 2, n).astype(float)
    death = random.exponential(1, n) / np.exp(effect * x + 0.3 * z)
    leave = random.uniform(0.2, 3, n)
    years = np.minimum(death, leave)
    years = np.ceil(years * 8) / 8 if ties else years
    return pd.DataFrame({"years": years, "event": (death <= leave).astype(float), "x": x, "z": z})


def fit_of(table, **more):
    return fit_cox(table.years, table.event, table[["x", "z"]], **more)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1000), st.floats(0.1, 50), st.floats(-1000, 1000), st.booleans())
def test_units_and_order_do_not_matter(seed, factor, shift, ties):
    table = simulated(seed=seed, ties=ties)
    fit, zph = fit_of(table), proportional_hazards_test(fit_of(table))
    other = table.assign(x=table.x * factor + shift, years=table.years * 2)
    other = other.sample(frac=1, random_state=seed)
    again = fit_of(other)
    expected = fit.terms.log_hazard_ratio["x"]
    assert again.terms.log_hazard_ratio["x"] * factor == pytest.approx(expected, rel=1e-8)
    assert again.terms.p_value["z"] == pytest.approx(fit.terms.p_value["z"], rel=1e-7)
    assert again.log_likelihood == pytest.approx(fit.log_likelihood, rel=1e-11)
    chi_square = proportional_hazards_test(again).chi_square
    np.testing.assert_allclose(chi_square, zph.chi_square, rtol=1e-6, atol=1e-9)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1000), st.booleans())
def test_one_stratum_weights_of_one_and_entry_at_zero_change_nothing(seed, ties):
    table = simulated(seed=seed, ties=ties)
    plain = fit_of(table).terms
    ones, zeros = pd.Series(1.0, index=table.index), pd.Series(0.0, index=table.index)
    for more in ({"strata": ones}, {"weights": ones}, {"entry": zeros}):
        pd.testing.assert_frame_equal(fit_of(table, **more).terms, plain, rtol=1e-9)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1000), st.floats(0.05, 0.95))
def test_a_row_split_in_two_is_one_participant(seed, place):
    table = simulated(seed=seed, ties=True)
    early = table.assign(entry=0.0, years=table.years * place, event=0.0)
    late = table.assign(entry=table.years * place)
    both = pd.concat([early, late], ignore_index=True)
    split = fit_of(both, entry=both.entry).terms
    pd.testing.assert_frame_equal(split, fit_of(table).terms, rtol=1e-7)


def test_strata_share_a_coefficient_but_no_baseline():
    # the second stratum lives at a tenth of the pace: with strata nothing changes
    table = simulated(n=300)
    group = pd.Series(np.arange(300) % 2)
    slower = table.assign(years=table.years * np.where(group, 10.0, 1.0))
    one, other = (fit_of(each, strata=group).terms for each in (table, slower))
    pd.testing.assert_frame_equal(one, other, rtol=1e-9)


def test_integer_weights_without_ties_repeat_participants_under_breslow_only_but_scale_the_likelihood():
    table = simulated()
    doubled = fit_of(table, weights=pd.Series(2.0, index=table.index))
    expected = fit_of(table).terms.log_hazard_ratio["x"]
    assert doubled.terms.log_hazard_ratio["x"] == pytest.approx(expected, rel=1e-9)
    expected = fit_of(table).terms.standard_error["x"] / 2**0.5
    assert doubled.terms.standard_error["x"] == pytest.approx(expected, rel=1e-9)


def test_permuted_exposure_has_uniform_p_values_and_proportional_hazards():
    table, random = simulated(n=120), np.random.default_rng(2)
    wald, zph = [], []
    for _ in range(150):
        fit = fit_of(table.assign(x=random.permutation(table.x)))
        wald.append(fit.terms.p_value["x"])
        zph.append(proportional_hazards_test(fit).p_value[0])
    for found in (wald, zph):
        assert np.mean(np.array(found) < 0.05) < 0.12
        assert 0.4 < np.mean(found) < 0.6


def test_a_hazard_that_fades_is_found_out():
    random = np.random.default_rng(4)
    x = random.integers(0, 2, 600).astype(float)
    # hazard ratio 4 in the first half year, then 1
    early = random.exponential(1, 600) / (0.5 * np.where(x == 1, 4.0, 1.0))
    years = np.where(early < 0.5, early, 0.5 + random.exponential(2, 600))
    table = pd.DataFrame({"years": years, "event": 1.0, "x": x, "z": random.normal(size=600)})
    p_values = proportional_hazards_test(fit_of(table)).set_index("term").p_value
    assert p_values["x"] < 1e-4
    assert p_values["z"] > 0.01


# -- what cannot be estimated


TABLE = simulated()
LABELS = pd.Series("a", index=TABLE.index).mask(TABLE.index == 3)


@pytest.mark.parametrize(
    ("change", "more", "message"),
    [
        ({"x": 1.0}, {}, "^x does not vary"),
        ({"x": 0.1}, {}, "^x does not vary$"),
        ({"x": TABLE.x.mask(TABLE.index == 3, np.inf)}, {}, "x has missing or infinite values"),
        ({"z": 2 * TABLE.x}, {}, "^z follows from x$"),
        ({"x": TABLE.x.where(TABLE.index > 3)}, {}, "x has missing or infinite values"),
        ({"event": TABLE.event.where(TABLE.index > 3)}, {}, "an event is missing or neither 0 nor 1"),
        ({"event": 2.0}, {}, "neither 0 nor 1"),
        ({"z": TABLE.event}, {}, "^z separates those who died from those who did not, so its hazard ratio has no end"),
        ({"z": TABLE.event - TABLE.x}, {}, r"^x, z separates"),
        ({"event": (TABLE.index == 5) * 1.0}, {}, "1 death is too few for 2"),
        ({}, {"penalty": "lasso"}, "penalty 'lasso' is unknown; use one of none, firth"),
        ({}, {"strata": LABELS}, "stratum of a participant is missing"),
        ({}, {"cluster": LABELS}, "cluster of a participant is missing"),
        ({}, {"cluster": TABLE.z}, "2 clusters are too few"),
        ({}, {"weights": TABLE.z}, "a weight is missing or not positive"),
    ],
)  # fmt: skip
def test_what_cannot_be_estimated_is_an_error_that_names_the_term(change, more, message):
    with pytest.raises(FitError, match=message):
        fit_of(TABLE.assign(**change), **more)


def test_wrong_lengths_are_errors():
    with pytest.raises(FitError, match="rows of event are not those of the design"):
        fit_cox(TABLE.years, TABLE.event[::-1], TABLE[["x"]])
    with pytest.raises(FitError, match="years has 149 rows and the design 150"):
        fit_cox(TABLE.years[1:], TABLE.event, TABLE[["x"]])


def test_a_term_constant_within_strata_is_named():
    table = simulated()
    with pytest.raises(FitError, match=r"^z does not vary among those at risk at the deaths$"):
        fit_of(table, strata=table.z)


def test_a_term_that_follows_from_others_within_strata_is_named():
    table = simulated().assign(z=lambda t: t.z + (t.index % 2))
    with pytest.raises(FitError, match=r"^z follows from the other terms among those at risk at the deaths$"):
        fit_cox(table.years, table.event, table[["x", "z"]].assign(z=table.x + table.z), strata=table.z)


def test_models_on_other_rows_or_not_nested_are_not_compared():
    table = simulated()
    full = fit_of(table)
    one = fit_cox(table.years, table.event, table[["x"]])
    none = fit_cox(table.years, table.event, table[[]])
    assert likelihood_ratio_test(none, full)[1] == 2
    assert none.log_likelihood == none.log_likelihood_null == full.log_likelihood_null
    shorter = table.iloc[:-1]
    with pytest.raises(FitError, match="two models can only be compared on identical rows"):
        likelihood_ratio_test(fit_cox(shorter.years, shorter.event, shorter[["x"]]), full)
    with pytest.raises(FitError, match="identical rows"):
        likelihood_ratio_test(fit_cox(table.years, table.event, table[["x"]], strata=table.z), full)
    other = fit_cox(table.years, table.event, table[["x"]].assign(x=table.x**3))
    for smaller, larger in ((other, full), (full, one), (one, one)):
        with pytest.raises(FitError, match="not part of the model"):
            likelihood_ratio_test(smaller, larger)


@pytest.mark.parametrize(
    ("message", "ask"),
    [
        ("no column z of the model", lambda fit: survival_at(fit, TABLE[["x"]], [1.0])),
        ("the stratum of each participant is needed", lambda fit: survival_at(fit, TABLE, [1.0])),
        ("the model has no stratum 7", lambda fit: survival_at(fit, TABLE, [1.0], pd.Series(7, index=TABLE.index))),
        ("transform 'sqrt' is unknown; use one of km", lambda fit: proportional_hazards_test(fit, "sqrt")),
        ("the model has no term q; it has x, z", lambda fit: proportional_hazards_test(fit, terms={"q": ["q"]})),
        ("a model without terms has no hazard ratio to test", lambda fit: proportional_hazards_test(fit_cox(TABLE.years, TABLE.event, TABLE[[]]))),
    ],
)  # fmt: skip
def test_predictions_need_the_terms_and_the_strata_of_the_model(message, ask):
    fit = fit_of(TABLE, strata=pd.Series(TABLE.index % 2))
    with pytest.raises(FitError, match=message):
        ask(fit)


def test_lifelines_agrees_where_it_agrees_with_r():
    from lifelines import CoxPHFitter

    table = simulated(ties=True)
    theirs = CoxPHFitter().fit(table, "years", "event", fit_options={"precision": 1e-12}).summary
    np.testing.assert_allclose(fit_of(table).terms.log_hazard_ratio, theirs["coef"], rtol=1e-7)
    np.testing.assert_allclose(fit_of(table).terms.standard_error, theirs["se(coef)"], rtol=1e-7)


# -- residuals


@pytest.mark.parametrize("name", CASES)
def test_martingale_residuals_equal_rs(name):
    found = martingale_residuals(fitted(name))
    np.testing.assert_allclose((found**2).sum(), r(name, "martingale", "squares"), rtol=1e-8)
    first = r(name, "martingale", "first")
    np.testing.assert_allclose(found[:4], first, rtol=1e-7, atol=1e-9 * np.abs(found).max())


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1000), st.booleans())
def test_residuals_sum_to_zero(seed, ties):
    fit = fit_of(simulated(n=120, seed=seed, ties=ties))
    assert martingale_residuals(fit).sum() == pytest.approx(0, abs=1e-9)
    rows = fit.rows
    for residuals in (score_residuals, schoenfeld_residuals):
        np.testing.assert_allclose(residuals(rows.sets, rows.x, rows.at).sum(axis=1), 0, atol=1e-8)


def test_robust_error_counts_copies_of_a_participant_once():
    table = simulated()
    thrice = pd.concat([table] * 3, ignore_index=True)
    people = pd.Series(list(range(len(table))) * 3)
    once = fit_of(table, robust=True).terms
    clustered = fit_of(thrice, cluster=people).terms
    # copies die at one time, so Efron's ties differ a little from single deaths
    assert clustered.standard_error["x"] == pytest.approx(once.standard_error["x"], rel=0.05)
    assert clustered.naive_error["x"] < 0.65 * once.naive_error["x"]


# -- Firth's penalty


@pytest.mark.parametrize(
    ("name", "data", "terms", "entry", "strata"),
    [
        ("firth_separated", "separated", ["group", "x"], None, None),
        ("firth_entry", "separated", ["group", "x"], "start", None),
        ("firth_few", "few", ["karno", "adeno"], None, "trt"),
    ],
)
def test_firth_is_the_top_of_the_penalised_likelihood(name, data, terms, entry, strata):
    table = read(data)
    entry, strata = entry and table[entry], strata and table[strata]
    fit = fit_cox(table.time, table.event, table[terms], entry, strata=strata, penalty="firth")
    for term in terms:
        # the derivatives of R's side are numerical
        np.testing.assert_allclose(fit.terms.loc[term].to_numpy(), r(name, term), rtol=1e-7, err_msg=term)
    assert fit.log_likelihood == pytest.approx(r(name, "log_likelihood")[0], rel=1e-10)
    assert fit.log_likelihood_null == pytest.approx(r(name, "log_likelihood_null")[0], rel=1e-10)


def test_firth_is_the_way_out_of_separation_and_fades_with_many_deaths():
    table = read("separated")
    with pytest.raises(FitError, match=r"^group separates"):
        fit_cox(table.time, table.event, table[["group", "x"]])
    many = simulated(n=4000)
    plain, penalised = fit_of(many), fit_of(many, penalty="firth")
    np.testing.assert_allclose(plain.terms, penalised.terms, rtol=0.01, atol=1e-4)
    with pytest.raises(FitError, match="no robust errors"):
        fit_of(many, penalty="firth", robust=True)
    with pytest.raises(FitError, match="penalised models"):
        likelihood_ratio_test(fit_cox(many.years, many.event, many[["x"]]), penalised)


def test_firth_does_not_depend_on_units():
    table = read("separated")
    one = fit_cox(table.time, table.event, table[["group", "x"]], penalty="firth").terms
    other = fit_cox(table.time, table.event, table[["group", "x"]] * [1, 100] + 5, penalty="firth").terms
    np.testing.assert_allclose(other.loc["group"], one.loc["group"], rtol=1e-6)
    np.testing.assert_allclose(other.log_hazard_ratio["x"] * 100, one.log_hazard_ratio["x"], rtol=1e-6)
    assert other.p_value["x"] == pytest.approx(one.p_value["x"], rel=1e-6)


def test_deaths_at_one_time_cannot_tell_a_change_over_time():
    table = simulated()
    same = table.assign(years=table.years.where(table.event == 0, 0.05) + 0.01)
    with pytest.raises(FitError, match="too few times, to test whether x, z changes"):
        proportional_hazards_test(fit_of(same))


def test_near_ties_of_attained_age_are_merged_as_timefix_does():
    table = read("attained")
    exits = table.time[table.event == 1]
    assert len(np.unique(merge_near_ties(exits.to_numpy()))) < len(np.unique(exits))
    # broken in the order of the last digits, R's numbers would be missed
    ranks = np.unique(np.concatenate([table.time, table.age_in]), return_inverse=True)[1] + 1.0
    times, entry = pd.Series(ranks[: len(table)]), pd.Series(ranks[len(table) :])
    broken = fit_cox(times, table.event, table[CASES["attained"].terms], entry)
    expected = r("attained", "ecog", "log_hazard_ratio")[0]
    assert broken.terms.log_hazard_ratio["ecog"] != pytest.approx(expected, rel=1e-5)
    assert fitted("attained").terms.log_hazard_ratio["ecog"] == pytest.approx(expected, rel=1e-8)


def test_robust_without_clusters_takes_each_row_by_itself():
    table, case = read("colon"), CASES["colon_robust"]
    fit = fit_cox(table.time, table.event, table[case.terms], robust=True)
    pd.testing.assert_frame_equal(fit.terms, fitted("colon_robust").terms, rtol=1e-10)


# -- terms that are nearly combinations of others

COLLINEAR = Path(__file__).parents[1] / "golden" / "collinear"
PBC = pd.read_csv(COLLINEAR / "pbc.tsv", sep="\t", comment="#").astype("float64")
nearly = golden("collinear")


def truncated_powers(x, knots):
    """The other basis of the same curves, whose columns are nearly one; condition number 1e6 and more."""
    places = np.array([knots.lower, *knots.inner, knots.upper])
    last, before = places[-1], places[-2]

    def cube(place):
        return np.clip(x - place, 0, None) ** 3

    bends = [
        cube(p) - cube(before) * (last - p) / (last - before) + cube(last) * (before - p) / (last - before)
        for p in places[:-2]
    ]
    return pd.DataFrame({"x": x, **{f"bend {k}": bend for k, bend in enumerate(bends)}})


@pytest.mark.parametrize("basis", [natural_spline, truncated_powers])
@pytest.mark.parametrize("df", [2, 3, 4, 5])
def test_curves_of_a_skewed_variable_equal_ns(df, basis):
    times = (PBC.time, PBC.event)
    curve = basis(PBC.bili.to_numpy(), place_knots(PBC.bili.to_numpy(), df))
    straight, curved = fit_cox(*times, PBC[["bili"]]), fit_cox(*times, curve)
    chi_square, degrees, _ = likelihood_ratio_test(straight, curved)
    assert degrees == df - 1
    found = [straight.log_likelihood, curved.log_likelihood]
    np.testing.assert_allclose(found, nearly(f"spline {df}")[:2], rtol=1e-10)
    assert chi_square == pytest.approx(nearly(f"spline {df}")[2], rel=1e-8)
    if basis is natural_spline:  # equal rows of the other are not equal to ten digits
        assert curved.concordance == pytest.approx(nearly(f"spline {df}")[3], rel=1e-8)
    whole = proportional_hazards_test(curved).iloc[-1]
    np.testing.assert_allclose(list(whole[1:].astype(float)), nearly(f"spline zph {df}"), rtol=1e-5)


@pytest.mark.parametrize("right", ["age + twin", "twin + age + albumin", "bili + age + albumin + twin"])
@pytest.mark.parametrize("k", np.arange(2, 9.5, 0.5))
def test_nearly_collinear_terms_are_taken_as_r_takes_them(right, k):
    noise = np.sin(np.arange(1, len(PBC) + 1) * 12.9898)
    design = PBC.assign(twin=PBC.age + 10**-k * noise)[right.split(" + ")]
    without, log_likelihood, coefficient, error = nearly(f"twin {right} {k:g}")
    if without:  # R leaves out what follows from the terms before it
        last = "age" if right.startswith("twin") else "twin"
        with pytest.raises(FitError, match=f"^{last} follows from "):
            fit_cox(PBC.time, PBC.event, design)
        return
    fit = fit_cox(PBC.time, PBC.event, design)
    assert fit.log_likelihood == pytest.approx(log_likelihood, rel=1e-10)
    # R's own errors lose digits as its information does
    np.testing.assert_allclose(fit.terms.iloc[0, :2].to_numpy(float), [coefficient, error], rtol=2e-4)


@pytest.mark.parametrize("seed", range(300))
def test_a_handful_of_participants_has_an_answer_or_a_reason(seed):
    random = np.random.default_rng(seed)
    n, p = random.integers(2, 9), random.integers(1, 6)
    kinds = [random.normal(size=(n, p)), random.integers(0, 2, (n, p)), random.integers(0, 3, (n, p))]
    design = pd.DataFrame(kinds[seed % 3], columns=[f"x{k}" for k in range(p)]).astype(float)
    years, event = (pd.Series(random.integers(0, high, n)).astype(float) for high in (5, 2))
    entry = None if seed % 2 else years - random.integers(1, 3, n)
    try:
        fit = fit_cox(years, event, design, entry, robust=bool(seed % 5 == 0))
        found = "" if np.isfinite(fit.terms.standard_error).all() else "an estimate without error"
    except FitError as error:
        found = str(error)
    reasons = "too few|separates|follows from|does not vary|did not converge|no pair can be compared"
    assert not found or re.search(reasons, found), found


@pytest.mark.parametrize("penalty", ["none", "firth"])
def test_deaths_at_one_time_without_survivors_tell_nothing(penalty):
    # R 4.2.2, survival 3.5-3, coxph(Surv(rep(3, 20), rep(1, 20)) ~ x, ties = "exact"): log-likelihood 0 at each coefficient, se NaN;
    # Efron's approximation gives HR 1.000, se 0.251, p = 1
    x = pd.DataFrame({"x": np.sin(np.arange(20.0))})
    died = pd.Series(np.ones(20))
    why = "no participant died while another was under observation, so no pair can be compared"
    with pytest.raises(FitError, match=f"^{why}"):
        fit_cox(pd.Series(np.full(20, 3.0)), died, x, penalty=penalty)
    two = pd.Series(np.repeat(["a", "b"], 10))
    times = pd.Series(np.repeat([3.0, 5.0], 10))
    with pytest.raises(FitError, match=f"^{why}"):
        fit_cox(times, died, x, strata=two)
    assert fit_cox(times, died, x).terms.standard_error["x"] > 0


@pytest.mark.parametrize("clustered", [False, True])
def test_global_tests_equal_rs_summary(clustered):
    cluster = pd.Series(np.arange(1, len(PBC) + 1) % 60) if clustered else None
    found = fit_cox(PBC.time, PBC.event, PBC[["bili", "age", "albumin"]], cluster=cluster).global_tests
    expected = nearly("global clustered" if clustered else "global")
    values = [found[name][0] for name in ("likelihood_ratio", "wald", "score")]
    np.testing.assert_allclose(values, expected, rtol=1e-7)
    assert all(degrees == 3 for _, degrees, _ in found.values())


# A Cox model per gene equals R's coxph, and a gene without an answer says why.


GENES = [f"g{k}" for k in range(40)]


@pytest.mark.parametrize("late", [False, True])
def test_each_gene_equals_coxph(late, monkeypatch):
    monkeypatch.setattr(cox_batch, "BATCH", 16)  # several batches
    table = read("genes")
    covariates = table[["age"] if late else ["age", "sex"]]
    more = {"entry": table.start, "strata": table.stratum} if late else {}
    found = fit_cox_per_column(table.time, table.event, table[GENES], covariates, **more)
    expected = np.array([r(f"genes late {k}" if late else f"genes {k}") for k in range(40)])
    np.testing.assert_allclose(
        found[["log_hazard_ratio", "standard_error", "p_value"]], expected, rtol=1e-7, atol=1e-12
    )
    assert (found.reason == "").all()


def test_a_gene_equals_the_single_fit_and_its_interval():
    table = read("genes")
    one = fit_cox(table.time, table.event, table[["g3", "age"]]).terms.loc["g3"]
    found = fit_cox_per_column(table.time, table.event, table[["g3"]], table[["age"]]).loc["g3"]
    np.testing.assert_allclose(found[one.index].astype(float), one, rtol=1e-7)
    alone = fit_cox(table.time, table.event, table[["g3"]]).terms.loc["g3"]
    found = fit_cox_per_column(table.time, table.event, table[["g3"]], table[[]]).loc["g3"]
    np.testing.assert_allclose(found[alone.index].astype(float), alone, rtol=1e-7)


def test_a_gene_without_an_answer_has_its_reason_and_the_others_stay():
    table = read("genes")
    genes = table[["g1", "g2"]].assign(
        flat=3.0, hole=table.g4.where(table.index > 2), old=2 * table.age + 1, dead=table.event, almost=table.age + 1e-9 * table.g5,
    )  # fmt: skip
    found = fit_cox_per_column(table.time, table.event, genes, table[["age", "sex"]])
    assert {gene: in_words(why) for gene, why in found.reason.items()} == {
        "g1": "",
        "g2": "",
        "flat": "not estimated, because it does not vary",
        "hole": "not estimated, because it has missing values",
        "old": "not estimated, because it does not vary among those at risk, or follows from the covariates",
        "dead": "not estimated, because it separates those who died from those who did not",
        "almost": "not estimated, because it does not vary among those at risk, or follows from the covariates",
    }
    assert (found.log_hazard_ratio.isna() == (found.reason != "")).all()
    np.testing.assert_allclose(found.log_hazard_ratio["g2"], r("genes 2")[0], rtol=1e-7)


def test_covariates_that_fail_or_other_rows_are_errors():
    table = read("genes")
    with pytest.raises(FitError, match="age does not vary"):
        fit_cox_per_column(table.time, table.event, table[GENES], table[["age"]].assign(age=1.0))
    with pytest.raises(FitError, match="rows of the exposures"):
        fit_cox_per_column(table.time, table.event, table[GENES][::-1], table[["age"]])
    few = table.event.where(table.event.cumsum() <= 2, 0.0)
    with pytest.raises(FitError, match="2 deaths are too few for 3"):
        fit_cox_per_column(table.time, few, table[GENES], table[["age", "sex"]])


def test_planted_gene_is_first_and_permuted_genes_are_uniform():
    random = np.random.default_rng(8)
    genes = pd.DataFrame(random.normal(size=(200, 400))).add_prefix("g")
    age = pd.DataFrame({"age": random.normal(size=200)})
    death = random.exponential(1, 200) / np.exp(0.9 * genes.g7 + 0.5 * age.age)
    years, event = death.clip(upper=2), (death < 2).astype(float)
    found = fit_cox_per_column(years, event, genes, age)
    assert found.p_value.idxmin() == "g7"
    assert found.loc["g7", "ci_lower"] < np.exp(0.9) < found.loc["g7", "ci_upper"]
    others = found.drop(index="g7").p_value
    assert 0.02 < (others < 0.05).mean() < 0.09
    assert 0.45 < others.mean() < 0.55


@pytest.mark.parametrize("seed", [0, 4])
def test_rare_and_heavy_tailed_genes_are_as_their_single_fits(seed):
    # steps that go too far at first are not separation, and real separation is told by both
    random, n = np.random.default_rng(seed), 25
    draw = [
        lambda: random.standard_t(1, n), lambda: np.exp(3 * random.normal(size=n)), lambda: (random.random(n) < 0.07) * 1.0,
        lambda: random.normal(size=n), lambda: np.where(random.random(n) < 0.85, 0.0, random.normal(5, 1, n)),
    ]  # fmt: skip
    genes = pd.DataFrame({f"g{k}": draw[k % 5]() for k in range(80)})
    covariates = pd.DataFrame({"z": random.integers(0, 3, n) * 1.0, "a": random.normal(size=n)})
    years = pd.Series(np.ceil(random.exponential(1, n) / np.exp(0.4 * covariates.a) * 20))
    event = pd.Series((random.random(n) < 0.5) * 1.0)
    found = fit_cox_per_column(years, event, genes, covariates)
    assert 0 < (found.reason != "").sum() < 20
    for gene, row in found.iterrows():
        design = pd.concat([genes[[gene]], covariates], axis=1)
        if row.reason:
            words = str(reason(row.reason)).removeprefix("it ")
            with pytest.raises(FitError, match=rf"^{gene}.*{words[:14]}"):
                fit_cox(years, event, design)
        else:
            single = fit_cox(years, event, design).terms.loc[gene]
            np.testing.assert_allclose(row[single.index].astype(float), single, rtol=1e-6, err_msg=gene)
