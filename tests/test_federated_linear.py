"""Sums of sites give the linear model of all rows, as R fits it with an intercept for each site."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceage_bio.core.errors import FitError, PrivacyError
from faceage_bio.stats.federated import linear_estimate, linear_sums, linear_table, pooled_linear
from tests.golden.federated.data import hospitals

GOLDEN = Path(__file__).parent / "golden"


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
