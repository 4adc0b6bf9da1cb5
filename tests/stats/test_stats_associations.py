"""Group comparisons, splines, pooling and matching: equal to R (tests/golden/associations), and sane on any data."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from faceage_bio.core.errors import FitError
from faceage_bio.stats.design import build_design
from faceage_bio.stats.group_differences import adjusted_difference, hedges_g, variance_share
from faceage_bio.stats.imputation import _augment, _multinomial, impute, pool
from faceage_bio.stats.linear import Estimate, correlation, fit_linear, marginal_means, mean_interval, welch
from faceage_bio.stats.matching import common_spread, match_nearest, standardised_difference
from faceage_bio.stats.multiplicity import benjamini_hochberg, holm
from faceage_bio.stats.robustness import e_value_of_difference
from faceage_bio.stats.smoothing import natural_spline, place_knots
from tests.golden.associations import data
from tests.rows import golden

r = golden("associations")
FIVE = ["estimate", "standard_error", "ci_lower", "ci_upper", "p_value"]


def close(ours, quantity, rtol=1e-6):
    np.testing.assert_allclose(np.asarray(ours, dtype=float), r(quantity), rtol=rtol)


@pytest.fixture(scope="module")
def voters():
    table = data.voters()
    table["news_group"] = pd.cut(table.news, [-1, 2, 5, 7], labels=["few", "some", "daily"]).astype(str)
    return table


LEVELS = {"party": data.PARTIES, "vote": ["clinton", "dole"]}


def adjusted(voters):
    design = build_design(voters, ["party", "age", "schooling", "news_group"], LEVELS).matrix
    return fit_linear(voters.income, design), design


def party_margins(voters):
    fit, design = adjusted(voters)
    return marginal_means(
        fit, design, {p: f"party: {p}" if f"party: {p}" in design else None for p in data.PARTIES}
    )


def test_marginal_means_equal_emmeans(voters):
    margins = party_margins(voters)
    for party, row in margins.means.iterrows():
        close(row[FIVE[:4]], f"mean {party}")
    for row in margins.pairs.itertuples():
        close([getattr(row, name) for name in FIVE], f"pair {row.second} - {row.first}")
    p_values = margins.pairs.sort_values(["first", "second"]).p_value
    assert len(p_values) == 3
    close(holm(p_values), "pair holm")
    close(benjamini_hochberg(p_values), "pair bh")


def test_a_p_value_beyond_one_by_rounding_is_one_and_any_other_is_refused():
    np.testing.assert_array_equal(benjamini_hochberg([np.nan, np.nextafter(1, 2), 0.01]), [np.nan, 1.0, 0.02])
    with pytest.raises(ValueError, match="between 0 and 1"):
        benjamini_hochberg([1.1, 0.01])


def test_adjusted_effect_sizes_equal_eff_size(voters):
    fit, _ = adjusted(voters)
    for row in party_margins(voters).pairs.itertuples():
        found = adjusted_difference(row.estimate, row.standard_error, fit.sigma, fit.df)
        close([found.estimate, found.ci_lower, found.ci_upper], f"effect {row.second} - {row.first}")


def test_wald_test_equals_linear_hypothesis(voters):
    fit, _ = adjusted(voters)
    test = fit.wald(["party: independent", "party: republican"])
    close([test.f_statistic, test.df_terms, test.df_residual, test.p_value], "wald party")


def test_variance_shares_equal_those_of_anova(voters):
    fit, design = adjusted(voters)
    without = fit_linear(voters.income, design[[name for name in design if not name.startswith("party")]])
    share = variance_share(without, fit)
    close([share.eta_squared, share.omega_squared], "variance share")


@pytest.mark.parametrize(("modifier", "others"), [("vote", ["age"]), ("age", ["schooling"])])
def test_interactions_equal_linear_hypothesis(voters, modifier, others):
    design = build_design(voters, ["party", modifier, *others], LEVELS).matrix
    main = [name for name in design if name.startswith("party")]
    column = next(name for name in design if name.startswith(modifier))
    products = pd.DataFrame({f"{name} x {modifier}": design[name] * design[column] for name in main})
    fit = fit_linear(voters.income, design.join(products))
    test = fit.wald(list(products))
    close([test.f_statistic, test.df_terms, test.df_residual, test.p_value], f"interaction {modifier}")
    terms = fit.terms.loc[list(products), ["estimate", "ci_lower", "ci_upper", "standard_error"]]
    close(terms.to_numpy().ravel(), f"interaction terms {modifier}")


def test_hedges_g_equals_escalc_and_welch_t_test(voters):
    one, other = voters.income[voters.party == "democrat"], voters.income[voters.party == "republican"]
    found = hedges_g(one, other)
    close([found.estimate, found.ci_lower, found.ci_upper], "hedges g")
    found = welch(one, other)
    close([found.estimate, found.ci_lower, found.ci_upper, found.p_value], "welch")


def test_natural_spline_equals_ns(voters):
    knots = place_knots(voters.age)
    basis = natural_spline(voters.age, knots, "age")
    x = basis.assign(schooling=voters.schooling)
    curved = fit_linear(voters.income, x)
    straight = fit_linear(voters.income, voters[["age", "schooling"]])
    fitted = curved.terms.estimate["intercept"] + x.to_numpy() @ curved.terms.estimate[list(x)].to_numpy()
    close(fitted[:20], "spline fitted")
    close([curved.rss], "spline rss")
    ratio = curved.n * np.log(straight.rss / curved.rss)
    close([ratio, chi2.sf(ratio, 2)], "spline lrt")
    test = curved.wald(list(basis)[1:])
    close([test.f_statistic, test.df_terms, test.df_residual, test.p_value], "spline wald")
    low, high = natural_spline([30.0, 60.0], knots, "age").to_numpy()
    found = curved.combine(pd.DataFrame([high - low], columns=list(basis)))
    close(found[["estimate", "standard_error"]].iloc[0], "spline difference")


def test_pooling_equals_mice(voters):
    def numbers(found):
        return [found.estimate, found.standard_error, found.ci_lower, found.ci_upper, found.p_value, found.df]

    found = pool(data.ESTIMATES, data.ERRORS, df_complete=96)
    close([*numbers(found), found.missing_information], "pool")
    fits = []
    for j in range(1, 6):
        table = voters.copy()
        table.loc[:29, "schooling"] = (np.arange(1, 31) * j) % 7 + 1.0
        # mice pools the usual standard errors of lm
        x = np.column_stack([np.ones(len(table)), table.schooling, table.age])
        fit = fit_linear(table.income, table[["schooling", "age"]])
        error = fit.sigma * np.sqrt(np.linalg.inv(x.T @ x)[1, 1])
        fits.append((fit.terms.estimate["schooling"], error))
    close(numbers(pool(*zip(*fits, strict=True), df_complete=397)), "pool fits")


def test_standardised_differences_equal_their_formula(voters):
    exposed = voters.vote == "dole"
    close(standardised_difference(voters.age, exposed, common_spread(voters.age, exposed)), "smd age")
    democrat = (voters.party == "democrat").astype(float)
    close(standardised_difference(democrat, exposed, common_spread(democrat, exposed)), "smd democrat")


@pytest.mark.parametrize(
    ("given_numbers", "quantity"), [((4.79, 0.35, 8.2), "e value"), ((-0.05, 0.2, 1.0), "e value across")]
)
def test_e_values_equal_their_formula(given_numbers, quantity):
    found = e_value_of_difference(*given_numbers)
    close([found.estimate, found.interval, found.risk_ratio], quantity)


# properties


@given(st.lists(st.one_of(st.floats(0, 1), st.just(np.nan)), min_size=1, max_size=20))
def test_holm_lies_between_the_p_value_and_bonferroni_and_keeps_the_order(p_values):
    p_values = np.array(p_values)
    adjusted = holm(p_values)
    known = ~np.isnan(p_values)
    assert (np.isnan(adjusted) == ~known).all()
    assert (adjusted[known] >= p_values[known]).all()
    assert (adjusted[known] <= np.minimum(1, p_values[known] * known.sum()) + 1e-12).all()
    assert (benjamini_hochberg(p_values)[known] <= adjusted[known] + 1e-12).all()
    order = np.argsort(p_values[known], kind="stable")
    assert (np.diff(adjusted[known][order]) >= 0).all()


@given(
    st.lists(
        st.tuples(st.floats(30, 90), st.booleans(), st.sampled_from(["f", "m"])), min_size=2, max_size=40
    ),
    st.floats(0.1, 10),
)
def test_pairs_are_alike_near_unique_and_as_many_as_can_be_added(people, caliper):
    table = pd.DataFrame(people, columns=["age", "exposed", "sex"])
    pairs = match_nearest(table.exposed, table.age, table[["sex"]], caliper)
    one, other = table.loc[pairs.exposed], table.loc[pairs.unexposed]
    assert one.exposed.all()
    assert not other.exposed.any()
    assert (one.sex.to_numpy() == other.sex.to_numpy()).all()
    assert (np.abs(one.age.to_numpy() - other.age.to_numpy()) <= caliper).all()
    used = [*pairs.exposed, *pairs.unexposed]
    assert len(set(used)) == len(used)
    left = table.drop(index=used)
    for sex in ("f", "m"):
        ours = left[left.exposed & (left.sex == sex)].age.to_numpy()
        theirs = left[~left.exposed & (left.sex == sex)].age.to_numpy()
        assert not len(ours) or not len(theirs) or np.abs(ours[:, None] - theirs).min() > caliper


@given(
    st.lists(st.tuples(st.integers(0, 30), st.booleans()), min_size=1, max_size=25), st.integers(0, 8)
)  # many ties
def test_pairs_are_those_of_trying_all_in_the_order_of_their_gaps(people, caliper):
    table = pd.DataFrame(people, columns=["age", "exposed"])
    exposed = table.exposed.astype(bool)
    ours, theirs = (table[one].sort_values("age", kind="stable").age for one in (exposed, ~exposed))
    gaps = sorted(
        (abs(a - b), i, j) for i, a in enumerate(ours) for j, b in enumerate(theirs) if abs(a - b) <= caliper
    )
    expected, used = [], set()
    for _, i, j in gaps:
        if not {("ours", i), ("theirs", j)} & used:
            used |= {("ours", i), ("theirs", j)}
            expected.append((ours.index[i], theirs.index[j]))
    found = match_nearest(exposed, table.age, table[[]], caliper)
    assert list(found.itertuples(index=False, name=None)) == expected


@given(st.permutations(range(24)))
@settings(max_examples=25)
def test_pairs_do_not_depend_on_the_order_of_the_table(order):
    random = np.random.default_rng(1)
    table = pd.DataFrame({"age": random.uniform(50, 60, 24), "exposed": random.random(24) < 0.5})
    table.index = [f"s{number}" for number in range(24)]
    none = table[[]]
    found = match_nearest(table.exposed, table.age, none, 2.0)
    mixed = table.iloc[list(order)]
    again = match_nearest(mixed.exposed, mixed.age, mixed[[]], 2.0)
    assert set(map(tuple, found.to_numpy())) == set(map(tuple, again.to_numpy()))


@given(
    st.lists(st.floats(0, 100), min_size=12, max_size=60, unique_by=lambda x: round(x, 2)),
    st.floats(-5, 5),
    st.floats(-50, 50),
)
def test_a_straight_line_needs_no_curvature(x, slope, intercept):
    x = np.array(x)
    basis = natural_spline(x, place_knots(x), "x")
    y = pd.Series(intercept + slope * x)
    weights, *_ = np.linalg.lstsq(np.column_stack([np.ones(len(x)), basis]), y, rcond=None)
    np.testing.assert_allclose(np.column_stack([np.ones(len(x)), basis]) @ weights, y, atol=1e-6)


def test_a_spline_of_two_values_is_refused():
    with pytest.raises(FitError, match="more than 2 distinct values"):
        place_knots(np.array([1.0, 1, 2, 2]))


def test_knots_of_a_variable_that_most_have_none_of_lie_among_the_others():
    knots = place_knots(np.array([0.0] * 60 + list(range(1, 31))))
    assert 0 < knots.inner[0] < knots.inner[1] < 30


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=12), st.floats(0.1, 5), st.integers(5, 1000))
def test_pooling_widens_and_never_has_more_freedom_than_complete_data(estimates, error, df):
    found = pool(estimates, [error] * len(estimates), df)
    assert found.standard_error >= error - 1e-12
    assert 0 < found.df <= df
    assert found.ci_lower <= found.estimate <= found.ci_upper


def incomplete(n=300, seed=1):
    random = np.random.default_rng(seed)
    smoking = random.choice(["current", "former", "never"], n)
    bmi = random.normal(27, 4, n).round(1)
    face = 60 + 4 * (smoking == "current") + 0.5 * (bmi - 27) + random.normal(0, 3, n)
    table = pd.DataFrame(
        {"face": face, "bmi": bmi, "smoking": smoking, "sex": random.choice(["f", "m"], n)}
    ).astype({"smoking": object, "sex": object})
    full = table.copy()
    table.loc[(random.random(n) < 0.7) & (face > 62), "bmi"] = np.nan  # missing more often in older faces
    table.loc[random.random(n) < 0.1, "smoking"] = None
    table.loc[random.random(n) < 0.05, "sex"] = None
    return full, table


def test_imputation_fills_gaps_alone_with_values_that_occur_and_repeats_itself():
    _, table = incomplete()
    first, again = impute(table, 3, 3, seed=5), impute(table, 3, 3, seed=5)
    assert len(first) == 3
    for one, other in zip(first, again, strict=True):
        pd.testing.assert_frame_equal(one, other)
        assert not one.isna().any().any()
        for name in table:
            known = table[name].notna()
            assert (one.loc[known, name] == table.loc[known, name]).all()
            assert set(one[name]) <= set(table[name].dropna())
    assert not first[0].equals(first[1])


def test_imputation_recovers_an_effect_that_complete_cases_get_wrong():
    full, table = incomplete(n=3000)

    def current(rows):
        design = pd.DataFrame(
            {"current": (rows.smoking == "current").astype(float), "former": (rows.smoking == "former").astype(float), "bmi": rows.bmi.astype(float)}
        )  # fmt: skip
        return fit_linear(rows.face, design).terms.loc["current"]

    truth = current(full).estimate
    complete = current(table.dropna()).estimate
    found = [current(filled) for filled in impute(table, 8, 5, seed=2)]
    pooled = pool([row.estimate for row in found], [row.standard_error for row in found], 2990)
    assert abs(pooled.estimate - truth) < abs(complete - truth) / 2
    assert abs(pooled.estimate - truth) < 3 * pooled.standard_error
    assert pooled.missing_information > 0.1


def test_added_participants_weigh_together_as_much_as_there_are_coefficients():
    # White, Daniel and Royston 2010: each predictor moved up and down one SD, once with each word
    x = np.column_stack([np.ones(30), np.arange(30.0), np.arange(30.0) % 4])
    rows, codes, weights = _augment(x, np.arange(30) % 3, 3)
    assert len(rows) == 30 + 2 * 2 * 3
    assert weights[:30].tolist() == [1.0] * 30
    assert weights[30:].sum() == pytest.approx(3)
    np.testing.assert_allclose(np.average(rows[30:], axis=0), x.mean(axis=0))
    assert np.bincount(codes[30:]).tolist() == [4, 4, 4]


def test_a_cohort_that_lacks_a_column_gets_the_values_of_the_others():
    """The level of a predictor that only those with gaps have has no coefficient; mice drops it (remove.lindep)."""
    random, n = np.random.default_rng(1), 400
    cohort = np.repeat(["a", "b"], n // 2)
    smoking = random.choice(["never", "former", "current"], n, p=[0.5, 0.3, 0.2])
    table = pd.DataFrame({"cohort": cohort, "age": random.normal(60, 9, n), "bmi": random.normal(26, 4, n)})
    table["smoking"] = np.where(cohort == "a", smoking, None)
    table.loc[cohort == "b", "bmi"] = np.nan
    for filled in impute(table, 3, 3, seed=1):
        mine, theirs = filled[cohort == "b"], filled[cohort == "a"]
        shares = [group["smoking"].value_counts(normalize=True) for group in (mine, theirs)]
        assert (shares[0] - shares[1]).abs().max() < 0.2
        assert mine["bmi"].isin(theirs["bmi"]).all()
        assert abs(mine["bmi"].mean() - theirs["bmi"].mean()) < 1.5


def test_perfect_prediction_does_not_break_the_imputation():
    random = np.random.default_rng(3)
    score = random.normal(0, 1, 60)
    table = pd.DataFrame({"score": score, "word": np.where(score > 0, "yes", "no").astype(object)})
    table.loc[:9, "word"] = None
    for filled in impute(table, 3, 2, seed=1):
        assert set(filled.word) == {"yes", "no"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bmi": np.nan}, "no participant has a value of bmi"),
        ({"smoking": [f"s{number % 40}" for number in range(300)]}, "40 levels, more than 20"),
    ],
)
def test_what_cannot_be_imputed_is_said(change, message):
    _, table = incomplete()
    with pytest.raises(FitError, match=message):
        impute(table.assign(**change), 2, 2, seed=1)


def test_a_regression_of_the_imputation_that_does_not_settle_is_told():
    with pytest.raises(FitError, match="a regression of the imputation did not converge"):
        _multinomial(np.full((6, 1), np.nan), np.array([0, 1, 2, 0, 1, 2]), np.ones(6), 3)


SAME, EXPOSED = np.ones(4), pd.Series([True, True, False, False])
LAST_TWO = pd.DataFrame({"group: c": [1.0], "group: d": [-1.0]})
ROUNDED = np.array([0.3, 0.1 + 0.2, 0.3, 0.3])
GROUPS = pd.DataFrame(
    {f"group: {name}": np.repeat([0.0, *np.eye(3)[place]], 3) for place, name in enumerate("bcd")}
)
CONSTANT = np.array([0.3, 0.3, 0.1 + 0.2, 7.1, 7.1, 7.1, 2, 2, 2, 5, 6, 8])  # but for the last group
NOISE = np.random.default_rng(1)
TWO_VALUES = pd.Series([0.7] * 5 + [25.3] * 14)
REFUSED = {
    "hedges": (lambda: hedges_g(SAME, SAME), "the values do not vary"),
    "welch": (lambda: welch(SAME, SAME), "the values do not vary"),
    "rounded": (lambda: welch(ROUNDED, SAME * 0.3), "the values do not vary"),
    "rounded g": (lambda: hedges_g(ROUNDED, SAME * 0.3), "the values do not vary"),
    "rounded correlation": (lambda: correlation(ROUNDED, np.arange(4.0)), "a correlation needs 4 pairs that vary"),
    "constant groups": (lambda: Estimate.of(fit_linear(pd.Series(CONSTANT), GROUPS).terms.loc["group: b"]), "the values do not vary"),
    "constant later groups": (lambda: Estimate.of(fit_linear(pd.Series(CONSTANT[::-1]), GROUPS).combine(LAST_TWO).loc[0]), "the values do not vary"),
    "mean": (lambda: mean_interval(SAME), "the values do not vary"),
    "spread": (lambda: standardised_difference(EXPOSED.astype(float), EXPOSED, 0.0), "the values do not vary within the groups"),
    "rounded groups": (lambda: standardised_difference(TWO_VALUES, TWO_VALUES > 1, common_spread(TWO_VALUES, TWO_VALUES > 1)), "the values do not vary within the groups"),
    "linear": (lambda: fit_linear(pd.Series(np.ones(6)), pd.DataFrame({"x": np.arange(6.0)})), "the outcome follows exactly from the terms, or does not vary"),
    "no errors": (lambda: pool([1.0, 2.0], [0.0, 0.0], 10), "the standard errors are zero"),
    "one table": (lambda: pool([1.0], [0.5], 10), "pooling needs 2 completed tables or more"),
    "empty group": (lambda: standardised_difference(pd.Series([1.0, 2.0, np.nan]), EXPOSED[:3], 1.0), "no participant of one of the groups has a value"),
    "correlation": (lambda: correlation(np.arange(3.0), np.arange(3.0)), "a correlation needs 4 pairs that vary"),
    "no terms": (lambda: fit_linear(pd.Series(NOISE.normal(size=9)), pd.DataFrame({"x": NOISE.normal(size=9)})).wald([]), "too few participants carry the terms that are tested together"),
}  # fmt: skip


def test_the_same_value_in_both_groups_is_balanced():
    # whose means 25.3 differ in the last digit, as their standard deviations do from 0
    values, exposed = pd.Series(np.full(40, 25.3)), pd.Series(np.arange(40) % 3 == 0)
    assert standardised_difference(values, exposed, common_spread(values, exposed)) == 0


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_estimated_is_said(name):
    estimate, message = REFUSED[name]
    with pytest.raises(FitError, match=message):
        estimate()
