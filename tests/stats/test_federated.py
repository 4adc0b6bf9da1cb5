"""Sites that keep their rows reach the model of all rows; small sites give no sums, since their rows can be recovered."""

from math import gcd
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceage_bio.core.errors import FitError, PrivacyError
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.federated import (
    coordinator_step,
    linear_estimate,
    linear_sums,
    linear_table,
    pool_estimates,
    pooled_linear,
    site_estimate,
    site_step,
)
from tests.golden.federated.data import hospitals

GOLDEN = Path(__file__).parents[1] / "golden"
TERMS = ["age", "meno", "nodes", "er", "hormon"]


@pytest.fixture(scope="module")
def sites():
    return [(one.time, one.event, one[TERMS]) for one in hospitals()]


@pytest.fixture(scope="module")
def golden():
    return pd.read_csv(GOLDEN / "federated/golden.tsv", sep="\t", index_col="term").loc[TERMS]


def distance(beta, golden):
    """Largest distance from R's fit of all rows, in standard errors."""
    return np.abs((beta - golden.coef) / golden.se).max()


def test_three_answers_equal_r_on_all_rows(sites, golden):
    beta, _ = pool_estimates([site_estimate(*site) for site in sites])
    far = [distance(beta, golden)]
    for _ in range(3):
        beta, _ = coordinator_step(beta, [site_step(beta, *site, minimum=False) for site in sites])
        far.append(distance(beta, golden))
    assert far[0] < 0.5  # two-stage
    assert far[1] < 0.01
    assert far[2] < 1e-5
    np.testing.assert_allclose(beta, golden.coef, rtol=1e-6)
    sums = [site_step(beta, *site, minimum=False) for site in sites]
    np.testing.assert_allclose(np.sqrt(np.diag(coordinator_step(beta, sums)[1])), golden.se, rtol=1e-6)


def test_small_sites_take_part_with_their_own_estimates(sites, golden):
    estimates = [site_estimate(*site) for site in sites]
    large, small = [], []
    for site, estimate in zip(sites, estimates, strict=True):
        try:
            site_step(np.zeros(5), *site)
            large.append(site)
        except PrivacyError:
            small.append(estimate)
    assert [one.n for one in small] == [185, 93, 58]  # fewer than 100 events
    beta, _ = pool_estimates(estimates)
    start = distance(beta, golden)
    for _ in range(4):
        beta, _ = coordinator_step(beta, [site_step(beta, *site) for site in large], small)
    assert distance(beta, golden) <= start + 0.05
    assert distance(beta, golden) < 0.3


def test_sites_in_any_order_and_split_further_into_no_strata_change_nothing(sites):
    sums = [site_step(np.full(5, 0.1), *site, minimum=False) for site in sites]
    one, other = (coordinator_step(np.full(5, 0.1), part)[0] for part in (sums, sums[::-1]))
    np.testing.assert_allclose(one, other, rtol=1e-12)


def test_answer_holds_no_likelihood_and_no_time(sites):
    sums = site_step(np.zeros(5), *sites[0])
    assert set(vars(sums)) == {"score", "information", "n", "n_events"}
    assert sums.score.size + sums.information.size <= 5 + 25


def small_site(random, n, n_events):
    event = np.zeros(n, dtype=int)
    event[random.choice(n, n_events, replace=False)] = 1
    return event, random.integers(0, 2, n)


def marks(at_risk: int) -> np.ndarray:
    """Random numbers, shape (at_risk + 1, 2): for a death with m of ``at_risk`` exposed, by m and exposure; its sum over deaths tells sets of deaths apart."""
    shares = [(m // gcd(m, at_risk), at_risk // gcd(m, at_risk)) for m in range(at_risk + 1)]
    found = map(np.random.default_rng, shares)
    drawn = np.array([random.integers(1, 2**63, 2, dtype=np.uint64) for random in found])
    drawn[[0, at_risk]] = 0  # nothing is told where all at risk are alike
    return drawn


def halves(length, at_risk, exposed, hazard_ratio, ends=None) -> dict[str, np.ndarray]:
    """What ``length`` participants add to the sums, in every order of event and exposure that tells other deaths.

    ``at_risk`` participants, ``exposed`` of them, stay longer; ``ends`` is the number exposed of all, if only those that reach it are looked for.
    """
    states = {
        "m": np.array([exposed], dtype=np.int16), "events": np.zeros(1, dtype=np.int16), "told": np.zeros(1, dtype=np.uint64),
        "slope": np.zeros(1), "curvature": np.zeros(1),
    }  # fmt: skip
    for place in range(length):
        n, number = at_risk + place + 1, marks(at_risk + place + 1)
        parts = []
        for x in (0, 1):
            m = states["m"] + np.int16(x)
            share = hazard_ratio * m / (hazard_ratio * m + n - m)
            parts.append(states | {"m": m})
            parts.append({
                "m": m, "events": states["events"] + np.int16(1), "told": states["told"] + number[m, x],
                "slope": states["slope"] + x - share, "curvature": states["curvature"] + share * (1 - share),
            })  # fmt: skip
        states = {name: np.concatenate([part[name] for part in parts]) for name in states}
        if ends is not None:
            left = ends - states["m"]
            states = {name: part[(left >= 0) & (left < length - place)] for name, part in states.items()}
        alike = states["told"] * np.uint64(1009) + states["events"].astype(np.uint64)
        alike += states["m"].astype(np.uint64) * np.uint64(31)
        first = np.unique(alike, return_index=True)[1]
        states = {name: part[first] for name, part in states.items()}
    return states


def candidates(n, n_events, n_exposed, beta, slope, curvature) -> set[int]:
    """The deaths of every study of n participants with one binary covariate that would give this answer, as an attacker enumerates them.

    The number exposed stands in Table 1. Later and earlier half are enumerated alone, and met at the sums that are left.
    """
    half, found = n // 2, set()
    late = halves(half, 0, 0, np.exp(beta))
    for exposed in range(half + 1):
        kept = {name: part[late["m"] == exposed] for name, part in late.items()}
        mixed = kept["slope"] + np.pi * kept["curvature"] + 100 * kept["events"]
        order = np.argsort(mixed)
        early = halves(n - half, half, exposed, np.exp(beta), ends=n_exposed)
        wanted = slope - early["slope"] + np.pi * (curvature - early["curvature"])
        wanted += 100 * (n_events - early["events"])
        rows = np.argsort(wanted)  # sorted, they are found several times faster
        low, high = (np.searchsorted(mixed[order], wanted[rows] + within) for within in (-1e-8, 1e-8))
        for row in np.flatnonzero(high > low):
            other = rows[row]
            for place in order[low[row] : high[row]]:
                if abs(kept["slope"][place] + early["slope"][other] - slope) < 1e-8:
                    found.add((int(kept["told"][place]) + int(early["told"][other])) % 2**64)
    return found


def told_by(event, x) -> int:
    """What the deaths of a study tell, as `halves` adds it up."""
    n = len(event)
    deaths = np.flatnonzero(event)
    return sum(int(marks(n - place)[x[place:].sum(), x[place]]) for place in deaths) % 2**64


@pytest.mark.slow
def test_rows_of_a_small_site_are_recovered_when_the_minimum_is_off():
    """The attacker is real: of more than 10^13 studies a few dozen fit one answer, the true one among them."""
    sizes = []
    for seed in range(3):
        n, n_events = 24, 10
        event, x = small_site(np.random.default_rng(seed), n, n_events)
        years, design = pd.Series(np.arange(1.0, n + 1)), pd.DataFrame({"x": x.astype(float)})
        answer = site_step([0.4], years, pd.Series(event), design, minimum=False)
        possible = candidates(n, n_events, x.sum(), 0.4, answer.score[0], answer.information[0, 0])
        assert told_by(event, x) in possible
        sizes.append(len(possible))
        with pytest.raises(PrivacyError, match="10 events, where 50 are needed for 1 terms"):
            site_step([0.0], years, pd.Series(event), design)
    print(f"studies that fit one answer of a site with 24 participants and 10 events: {sizes}")
    assert np.median(sizes) <= 30


def test_the_likelihood_alone_gives_the_times_of_events_away():
    """Why it is not in an answer: at coefficient 0 it is the logarithm of a product of the sizes of the risk sets."""
    event, x = small_site(np.random.default_rng(1), 16, 6)
    at = 16 - np.flatnonzero(event)
    fit = fit_cox(pd.Series(np.arange(1.0, 17)), pd.Series(event), pd.DataFrame({"x": x.astype(float)}))
    assert round(np.exp(-fit.log_likelihood_null)) == np.prod(at)


@pytest.mark.parametrize(
    ("event", "x", "message"),
    [
        ([1] * 49 + [0] * 60, [0, 1] * 54 + [0], "49 events, where 50 are needed"),
        ([1] * 60 + [0] * 49, [1] * 9 + [0] * 100, "x has a level with 9 participants, where 10 are needed"),
    ],
)
def test_what_a_site_does_not_answer(event, x, message):
    years = pd.Series(np.arange(1.0, len(event) + 1))
    with pytest.raises(PrivacyError, match=message):
        site_step([0.0], years, pd.Series(event), pd.DataFrame({"x": np.array(x, dtype=float)}))


@pytest.mark.parametrize("beta", [[0.0, 0.0], [np.nan], []])
def test_a_request_that_does_not_fit_the_model(beta):
    years, event = pd.Series(np.arange(1.0, 121)), pd.Series([1, 0] * 60)
    with pytest.raises(PrivacyError, match=r"for 1 terms \(x\). Expected a finite number for each"):
        site_step(beta, years, event, pd.DataFrame({"x": np.arange(120.0)}))


# Sums of sites give the linear model of all rows, as R fits it with an intercept for each site.


def test_sums_of_all_sites_equal_r(monkeypatch):
    monkeypatch.setattr("faceage_bio.stats.federated.FEWEST_EVENTS", 0)
    monkeypatch.setattr("faceage_bio.stats.federated.EVENTS_PER_TERM", 0)  # the smallest site too
    golden = pd.read_csv(GOLDEN / "federated/linear.tsv", sep="\t").set_index("term")
    terms = list(golden.index)
    found = linear_table(terms, *pooled_linear([linear_sums(one["er"], one[terms]) for one in hospitals()]))
    names = {"estimate": "coef", "standard_error": "se", "ci_lower": "lower", "ci_upper": "upper", "p_value": "p"}  # fmt: skip
    for ours, theirs in names.items():
        np.testing.assert_allclose(found[ours], golden[theirs], rtol=1e-9)


@given(st.integers(0, 1000), st.lists(st.integers(60, 120), min_size=1, max_size=4))
@settings(max_examples=20)
def test_sums_are_those_of_all_rows_with_an_intercept_for_each_site(seed, sizes):
    random = np.random.default_rng(seed)
    site = np.repeat(np.arange(len(sizes)), sizes)
    age, smoker = random.normal(60, 10, len(site)), random.permutation(np.arange(len(site)) % 2)
    x = pd.DataFrame({"age": age, "smoker": smoker.astype(float)})
    y = pd.Series(x.to_numpy() @ [0.5, 2] + 3 * site + random.normal(0, 3, len(site)))
    sums = [linear_sums(y[site == one], x[site == one]) for one in range(len(sizes))]
    beta, covariance, df = pooled_linear(sums)
    whole = np.column_stack([x, np.eye(len(sizes))[site]])
    together, residual, *_ = np.linalg.lstsq(whole, y.to_numpy(), rcond=None)
    np.testing.assert_allclose(beta, together[:2], rtol=1e-7)
    assert df == len(site) - whole.shape[1]
    expected = residual[0] / df * np.linalg.inv(whole.T @ whole)
    np.testing.assert_allclose(covariance, expected[:2, :2], rtol=1e-6)


def test_a_planted_difference_is_found_and_a_permuted_one_is_not():
    random = np.random.default_rng(1)
    x = pd.DataFrame({"smoker": random.permutation(np.arange(400) % 2).astype(float)})
    y = pd.Series(2 * x["smoker"] + random.normal(0, 3, 400))
    for values, shown in ((y, True), (y.sample(frac=1, random_state=2).reset_index(drop=True), False)):
        halves = [linear_sums(values[part], x.loc[part]) for part in (range(200), range(200, 400))]
        assert (linear_table(["smoker"], *pooled_linear(halves))["p_value"].iloc[0] < 0.001) == shown


def test_few_participants_are_refused():
    x = pd.DataFrame({"age": np.arange(12.0)})
    with pytest.raises(PrivacyError, match="12 participants, where 50 are needed for 1 terms"):
        linear_sums(pd.Series(np.arange(12.0)), x)
    x = pd.DataFrame({"sex": np.repeat([0.0, 1.0], [57, 3])})
    with pytest.raises(PrivacyError, match="sex has a level with 3 participants"):
        linear_sums(pd.Series(np.arange(60.0)), x)
    with pytest.raises(FitError, match="11 rows are too few for 2 terms"):
        linear_estimate(pd.Series(np.arange(11.0)), pd.DataFrame({"age": np.arange(11.0)}))
    double = pd.DataFrame({"age": np.arange(60.0), "again": np.arange(60.0)})
    with pytest.raises(FitError, match="singular"):
        pooled_linear([linear_sums(pd.Series(np.arange(60.0)), double)])
    with pytest.raises(FitError, match="the outcome follows exactly from the terms"):
        pooled_linear([linear_sums(0.1 * double["age"] + 3, double[["age"]])])
