"""Pooling over cohorts equals R's metafor; script, data and versions in tests/golden/meta_analysis."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from faceage_bio.analyses.survival.cox_models import Choices
from faceage_bio.analyses.survival.subgroups import fit_one_stage
from faceage_bio.core.errors import FitError
from faceage_bio.core.settings.settings_study import Pooling
from faceage_bio.stats import meta_analysis as ma

FOLDER = Path(__file__).parents[1] / "golden" / "meta_analysis"
DATA = pd.read_csv(FOLDER / "data.tsv", sep="\t")
GOLDEN = pd.read_csv(FOLDER / "golden.tsv", sep="\t").set_index(["data", "method", "test", "quantity"])["value"].sort_index(kind="stable")  # fmt: skip
BCG = DATA[DATA["data"] == "bcg"]
NAMES = ["bcg", "schools", "faceage"]
TESTS = ["z", "knha", "adhoc"]


def of(name: str) -> tuple[np.ndarray, np.ndarray]:
    rows = DATA[DATA["data"] == name]
    return rows["yi"].to_numpy(), np.sqrt(rows["vi"].to_numpy())


def h2_of(pooled: ma.Pooled, method: ma.Method) -> np.ndarray:
    return pooled.q / (pooled.k - 1) if method == "EE" else 1 / (1 - pooled.i2 / 100)


def equal(ours: object, *key: str) -> None:
    np.testing.assert_allclose(np.ravel(ours), GOLDEN.loc[[key]].to_numpy(), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", list(ma.METHODS))
@pytest.mark.parametrize("test", TESTS)
def test_pooled_estimate_equals_rma(name, method, test):
    got = ma.pool(*of(name), method, test)
    ours = [got.estimate, got.standard_error, got.statistic, got.p_value, got.ci_lower, got.ci_upper, got.tau2, got.i2, h2_of(got, method), got.q, got.q_p_value]  # fmt: skip
    equal(ours, name, method, test, "fit")
    if method != "EE":
        equal(got.prediction_interval("k-1"), name, method, test, "prediction t")
        equal(got.prediction_interval("k-2"), name, method, test, "prediction riley")


def test_default_prediction_interval_of_t_tests_is_metafors_default():
    for name in NAMES:
        got = ma.pool(*of(name), Pooling().method, Pooling().test)
        equal(got.prediction_interval(Pooling().prediction_df), name, "REML", "adhoc", "prediction default")


def test_pooled_faceage_cohorts():
    # Zalay et al. 2025 (doi:10.1016/j.landig.2025.03.002): HR 1.151, 1.148 and 1.117 per decade
    got = ma.pool(*of("faceage"), Pooling().method, Pooling().test)
    expected = [1.139, 1.010, 1.283]
    assert np.exp([got.estimate[0], got.ci_lower[0], got.ci_upper[0]]) == pytest.approx(expected, abs=0.0005)
    assert (got.q[0], got.q_p_value[0], got.tau2[0]) == pytest.approx((0.2436, 0.885, 0), abs=5e-4)
    narrow, z = ma.pool(*of("faceage"), "REML", "knha"), ma.pool(*of("faceage"), "REML", "z")
    assert narrow.standard_error < z.standard_error  # why the factor is at least 1 by default
    assert np.exp(got.prediction_interval("k-2")).ravel() == pytest.approx([0.80, 1.62], abs=5e-3)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", ["REML", "DL"])
def test_intervals_of_heterogeneity_equal_confint(name, method):
    y, se = of(name)
    got = ma.heterogeneity(y, se, ma.pool(y, se, method, "z").tau2)
    tau2 = np.array([got.tau2, got.tau2_lower, got.tau2_upper])
    equal([tau2, np.sqrt(tau2), [got.i2, got.i2_lower, got.i2_upper], [1 / (1 - one / 100) for one in (got.i2, got.i2_lower, got.i2_upper)]], name, method, "z", "heterogeneity")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("test", ["z", "adhoc"])
def test_leave_one_out_and_cumulative_equal_metafor(name, test):
    y, se = of(name)
    got = ma.leave_one_out(y, se, "REML", test)
    for quantity, ours in (
        ("estimate", got.estimate), ("se", got.standard_error), ("ci.lb", got.ci_lower), ("ci.ub", got.ci_upper), ("pval", got.p_value),
        ("Q", got.q), ("tau2", got.tau2), ("I2", got.i2),
    ):  # fmt: skip
        equal(ours, name, "REML", test, f"leave1out {quantity}")
    order = np.argsort(BCG["year"], kind="stable") if name == "bcg" else np.arange(len(y))
    got = ma.cumulative(y, se, order, "REML", test)
    for quantity, ours in (
        ("estimate", got.estimate), ("se", got.standard_error), ("ci.lb", got.ci_lower), ("ci.ub", got.ci_upper), ("tau2", got.tau2),
    ):  # fmt: skip
        equal(ours, name, "REML", test, f"cumul {quantity}")


def test_influence_equals_metafor():
    got, left = (make(*of("bcg"), "REML", "knha") for make in (ma.influence, ma.leave_one_out))
    for quantity, ours in (
        ("rstudent", got.rstudent), ("dffits", got.dffits), ("dfbs", got.dfbetas), ("cook.d", got.cook), ("cov.r", got.covariance_ratio),
        ("tau2.del", left.tau2), ("QE.del", left.q), ("hat", got.hat), ("inf", got.marked),
    ):  # fmt: skip
        equal(ours, "bcg", "REML", "knha", f"influence {quantity}")


@pytest.mark.parametrize("method", ["REML", "DL", "ML"])
@pytest.mark.parametrize("test", TESTS)
def test_meta_regression_equals_rma(method, test):
    got = ma.meta_regression(*of("bcg"), BCG[["ablat", "year"]].to_numpy(), method, test)
    p_value = stats.chi2.sf(got.omnibus, 2) if test == "z" else stats.f.sf(got.omnibus, 2, got.df)
    without = ma.pool(*of("bcg"), method, test).tau2
    r2 = 100 * np.maximum(0, (without - got.tau2) / without)
    for quantity, ours in (
        ("coefficients", got.estimate), ("errors", got.standard_error), ("p", got.p_value), ("lower", got.ci_lower),
        ("test", [got.omnibus, p_value, got.q, got.q_p_value, got.tau2, r2]),
    ):  # fmt: skip
        theirs = GOLDEN.loc[[("bcg", method, test, f"mods {quantity}")]]
        np.testing.assert_allclose(np.ravel(ours), theirs, rtol=1e-7)


def test_meta_regression_on_groups_equals_rma():
    groups = pd.get_dummies(BCG["alloc"], drop_first=True).to_numpy(float)
    got = ma.meta_regression(*of("bcg"), groups, "REML", "knha")
    p_value = stats.f.sf(got.omnibus, groups.shape[1], got.df)
    ours = np.concatenate([got.estimate[0], got.standard_error[0], got.omnibus, p_value])
    equal(ours, "bcg", "REML", "knha", "factor")


def test_permutation_p_equals_permutest():
    six = [0, 3, 5, 6, 7, 8]
    y, se = of("bcg")
    latitude = BCG["ablat"].to_numpy()[six, None]
    single, together = ma.permutation_p(y[six], se[six], latitude, "REML", "knha", permutations="all")
    equal([*single, together], "bcg six", "REML", "knha", "permutest")


@pytest.mark.parametrize("name", ["bcg", "schools"])
def test_egger_equals_regtest(name):
    for key, got in (
        (("REML", "z", "regtest rma"), ma.egger(*of(name), "REML", "z")),
        (("lm", "t", "regtest lm"), ma.egger(*of(name), "EE", "knha")),
    ):
        slope, intercept = (got.statistic, got.p_value), (got.estimate, got.ci_lower, got.ci_upper)
        equal([*(one[0, 1] for one in slope), *(one[0, 0] for one in intercept)], name, *key)


def test_estimates_together_equal_each_alone():
    rng = np.random.default_rng(1)
    se = rng.uniform(0.05, 0.5, (40, 7))
    y = rng.normal(size=se.shape) * np.sqrt(se**2 + 0.05)
    missing = rng.random(se.shape) < 0.3
    y[missing] = se[missing] = np.nan
    together = ma.pool(y, se, "REML", "adhoc")
    for i in range(len(y)):
        kept = ~missing[i]
        alone = ma.pool(y[i, kept], se[i, kept], "REML", "adhoc")
        for name in vars(alone):
            ours, own = getattr(together, name)[i], getattr(alone, name)[0]
            np.testing.assert_allclose(ours, own, rtol=1e-9, atol=1e-12, err_msg=name)
        ours = np.transpose(together.prediction_interval("k-1"))[i]
        own = np.ravel(alone.prediction_interval("k-1"))
        np.testing.assert_allclose(ours, own, rtol=1e-9, atol=1e-12)


COHORTS = st.lists(st.tuples(st.floats(-3, 3), st.floats(0.05, 2)), min_size=3, max_size=8)


@given(COHORTS, st.floats(-5, 5), st.floats(0.1, 10), st.randoms())
def test_shift_scale_and_order_of_cohorts(cohorts, shift, scale, random):
    y, se = np.array(cohorts).T
    order = list(range(len(y)))
    random.shuffle(order)
    got, moved, turned = (
        ma.pool(*one, "REML", "adhoc")
        for one in ((y, se), (scale * y + shift, scale * se), (y[order], se[order]))
    )
    located, of_moved, of_turned = (
        np.array([one.estimate, one.ci_lower, one.ci_upper, *one.prediction_interval("k-1")])
        for one in (got, moved, turned)
    )
    np.testing.assert_allclose(of_moved, scale * located + shift, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(of_turned, located, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(moved.tau2, scale**2 * got.tau2, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(moved.q_p_value, got.q_p_value, atol=1e-8)
    assert got.tau2 >= 0
    assert y.min() - 1e-9 <= got.estimate <= y.max() + 1e-9


def test_planted_and_permuted_moderator():
    rng = np.random.default_rng(3)
    moderator, se = np.linspace(-1, 1, 24), np.full(24, 0.1)
    y = 0.5 * moderator + rng.normal(size=24) * 0.15
    assert ma.permutation_p(y, se, moderator[:, None], "REML", "knha", permutations=2000)[1] < 0.005
    mixed = [rng.permutation(y) for _ in range(100)]
    found = [
        ma.permutation_p(one, se, moderator[:, None], "REML", "knha", permutations=200)[1] for one in mixed
    ]
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_ad_hoc_interval_covers_where_z_does_not():
    # 5 cohorts, tau2 as large as the sampling variance: simulated coverage of 95% CIs
    rng = np.random.default_rng(4)
    se = np.tile([0.1, 0.15, 0.2, 0.25, 0.3], (4000, 1))
    y = rng.normal(size=se.shape) * np.sqrt(se**2 + 0.04)

    def covered(test: ma.Test) -> float:
        got = ma.pool(y, se, "REML", test)
        return float(((got.ci_lower < 0) & (got.ci_upper > 0)).mean())

    assert covered("z") < 0.93 < 0.94 < covered("adhoc")


def test_one_cohort_keeps_its_own_interval():
    got = ma.pool([0.4], [0.1], "REML", "adhoc")
    assert (got.estimate[0], got.ci_lower[0], got.tau2[0]) == pytest.approx((0.4, 0.4 - 1.959964 * 0.1, 0))
    assert np.isnan(got.i2[0])
    assert np.isnan(got.prediction_interval("k-1")).all()


def test_equal_cohorts_have_no_heterogeneity():
    got = ma.pool([0.25, 0.25], [0.5, 0.5], "EE", "z")
    assert (got.q[0], got.q_p_value[0], got.i2[0]) == (0, 1, 0)


@pytest.mark.parametrize("se", [[0.1, 0.0], [0.1, -0.2], [0.1, np.nan]])
def test_errors_must_be_positive(se):
    with pytest.raises(FitError, match="standard errors"):
        ma.pool([0.1, 0.2], se, "REML", "adhoc")


def test_meta_regression_refuses_few_cohorts_and_collinear_moderators():
    y, se = of("bcg")
    with pytest.raises(FitError, match="4 cohorts are too few for 2 terms"):
        ma.meta_regression(y[:4], se[:4], np.arange(4.0)[:, None], "REML", "knha")
    collinear = np.column_stack([np.arange(13.0), 2 * np.arange(13.0)])
    with pytest.raises(FitError, match="moderators"):
        ma.meta_regression(y, se, collinear, "REML", "knha")


def test_one_stage_model_equals_coxph():
    women = pd.read_csv(FOLDER.parent / "cox" / "rotterdam.tsv", sep="\t", comment="#")
    women = pd.DataFrame({
        "cohort": np.where(women["hormon"] == 1, "treated", np.where(women["meno"] == 1, "after", "before")),
        "followup_years": women["time"] / 365.25, "event": women["event"], "face_age": women["age"].astype(float),
        "chronological_age": women["nodes"].astype(float), "age_acceleration": women["er"] + 0.0,
    })  # fmt: skip
    cohorts = [rows for _, rows in women.groupby("cohort")]
    made = fit_one_stage(cohorts, Choices(per_years=10, steps=(), covariates=()))
    made = made[(made["step"] == "+ age") & (made["exposure"] == "face_age")].set_index("measure")
    ratio, test = made.loc["hazard ratio"], made.loc["cohort interaction chi-square"]
    ours = [np.log(ratio["estimate"]), ratio["standard_error"], test["estimate"], test["df"]]
    equal(ours, "rotterdam", "Cox", "LRT", "one stage")
    shifted = [rows.assign(face_age=rows["face_age"] + 5 * k) for k, rows in enumerate(cohorts)]
    again = fit_one_stage(shifted, Choices(per_years=10, steps=(), covariates=()))
    alike = again[(again["step"] == "+ age") & (again["exposure"] == "face_age")]
    # differences between cohorts do not enter
    np.testing.assert_allclose(alike["estimate"], made["estimate"], rtol=1e-6)


def test_one_stage_leaves_out_cohorts_without_deaths_enough():
    rng = np.random.default_rng(1)
    n = 60
    people = pd.DataFrame({
        "cohort": np.repeat(["a", "b", "c"], n), "followup_years": rng.exponential(3, 3 * n), "event": np.tile([1, 0, 0], n),
        "face_age": rng.normal(60, 9, 3 * n), "chronological_age": rng.normal(60, 9, 3 * n), "age_acceleration": rng.normal(0, 5, 3 * n),
    })  # fmt: skip
    people.loc[people["cohort"] == "c", "event"] = [1] * 3 + [0] * (n - 3)
    made = fit_one_stage([rows for _, rows in people.groupby("cohort")], Choices(steps=(), covariates=()))
    assert set(made["cohorts"]) == {2}
    assert made["reason"].str.contains("without_cohorts cohorts=c").all()
    alone = fit_one_stage([people[people["cohort"] == "a"]], Choices(steps=(), covariates=()))
    assert alone["reason"].str.startswith("few_levels").all()
