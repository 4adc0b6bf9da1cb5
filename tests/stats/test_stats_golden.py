"""Our statistics equal R's: script, data and versions in tests/golden/r."""

import numpy as np
import pytest

from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.kaplan_meier import kaplan_meier, log_rank, median, median_followup
from faceage_bio.stats.linear import correlation, least_squares, welch
from faceage_bio.stats.measurement_error import bland_altman
from faceage_bio.stats.multiplicity import benjamini_hochberg
from tests.golden.r import data
from tests.rows import golden

r = golden("r")
COX = {
    "lung": (data.lung, "time", "status", ["age", "sex", "ecog"], None),
    "rossi": (data.rossi, "week", "arrest", ["fin", "age", "prio", "mar"], None),
    "heart": (data.heart, "stop", "event", ["age", "year", "surgery"], "start"),  # delayed entry
}


@pytest.mark.parametrize("name", COX)
def test_cox_equals_coxph(name):
    load, time, event, terms, entry = COX[name]
    table = load()
    fit = fit_cox(table[time], table[event], table[terms], None if entry is None else table[entry])
    for term in terms:
        for column in ("log_hazard_ratio", "standard_error", "p_value", "ci_lower", "ci_upper"):
            assert fit.terms.loc[term, column] == pytest.approx(r(f"{name} {term} {column}")[0], rel=1e-6), (
                term,
                column,
            )
    assert fit.log_likelihood == pytest.approx(r(f"{name} log_likelihood")[0], rel=1e-9)
    assert fit.log_likelihood_null == pytest.approx(r(f"{name} log_likelihood_null")[0], rel=1e-9)
    if entry is None:
        assert fit.concordance == pytest.approx(r(f"{name} concordance")[0], rel=1e-9)


def test_kaplan_meier_equals_survfit():
    lung = data.lung()
    curve = kaplan_meier(lung.time, lung.status)
    for days in (100, 365, 700):
        row = curve[curve.years <= days].iloc[-1]
        np.testing.assert_allclose(
            row[["survival", "ci_lower", "ci_upper"]].to_numpy(float), r(f"km {days}"), rtol=1e-8
        )
    found = median(curve)
    np.testing.assert_allclose([found.estimate, found.ci_lower, found.ci_upper], r("km median"))
    followup = median_followup(lung.time, lung.status)
    np.testing.assert_allclose(
        [followup.estimate, followup.ci_lower, followup.ci_upper], r("km median followup")
    )


@pytest.mark.parametrize("group", ["ecog", "sex"])
def test_log_rank_equals_survdiff(group):
    lung = data.lung()
    np.testing.assert_allclose(
        log_rank(lung.time, lung.status, lung[group]), r(f"logrank {group}"), rtol=1e-8
    )


def test_hc3_equals_sandwich():
    crime = data.crime()
    table = least_squares(crime.murder, crime[["hs_grad", "poverty", "urban"]])
    for term, row in table.iterrows():
        np.testing.assert_allclose(
            row[["estimate", "standard_error", "ci_lower", "ci_upper", "p_value"]].to_numpy(float),
            r(f"hc3 {term}"),
            rtol=1e-6,
        )


def test_welch_equals_t_test():
    crime = data.crime()
    found = welch(crime.murder[crime.urban > 60], crime.murder[crime.urban <= 60])
    np.testing.assert_allclose(
        [found.estimate, found.ci_lower, found.ci_upper, found.p_value], r("welch"), rtol=1e-9
    )


def test_correlation_equals_cor_test():
    crime = data.crime()
    found = correlation(crime.murder, crime.poverty)
    np.testing.assert_allclose(
        [found.estimate, found.ci_lower, found.ci_upper, found.p_value], r("pearson"), rtol=1e-9
    )


def test_benjamini_hochberg_leaves_missing_out_as_p_adjust_does():
    p_values = np.array([0.01, np.nan, 0.02, 0.03, 0.5, 0.01, 0.04])
    np.testing.assert_allclose(benjamini_hochberg(p_values), r("bh"), rtol=1e-12)


def test_limits_of_agreement_equal_base_r():
    crime = data.crime()
    found = bland_altman(crime.urban.to_numpy(), crime.hs_grad.to_numpy())
    for ours, quantity in (
        (found.lower_limit, "limit -1"),
        (found.upper_limit, "limit 1"),
        (found.bias, "bias"),
        (found.slope, "slope"),
    ):
        expected = r(f"agreement {quantity}")
        numbers = [ours.estimate, ours.ci_lower, ours.ci_upper, ours.p_value][: len(expected)]
        np.testing.assert_allclose(numbers, expected, rtol=1e-9)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_medians_of_flat_curves_equal_survfit(number):
    flat = data.flat()
    mine = flat[flat.curve == number]
    found = median(kaplan_meier(mine.time, mine.event))
    np.testing.assert_allclose(
        [found.estimate, found.ci_lower, found.ci_upper],
        r(f"flat median {number}"),
        rtol=1e-12,
        equal_nan=True,
    )
