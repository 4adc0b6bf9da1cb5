"""Table 1, distributions and squares: equal to R (tests/golden/table_one), and nobody is told alone."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceage_bio.analyses.phenotype.comparison_frame import gather
from faceage_bio.analyses.phenotype.table_one import (
    AVERAGE,
    LARGEST,
    THIRDS,
    age_histogram,
    distributions,
    part_by_acceleration,
    table_one,
)
from faceage_bio.core.config import check_config
from faceage_bio.core.errors import ConfigError
from faceage_bio.core.results.reasons import in_words
from faceage_bio.stats.matching import all_pairs, difference_of_numbers, difference_of_shares
from tests.commands import output_of
from tests.golden.associations.data import PARTIES
from tests.golden.table_one import data
from tests.rows import golden, told

r = golden("table_one")
LEVELS = {"vote": ["clinton", "dole"], "news": ["few", "some", "daily"]}


@pytest.fixture(scope="module")
def voters_table():
    """The voters, with an age acceleration whose classes are the three parties."""
    people = data.voters()
    people["age_acceleration"] = people["party"].map(dict(zip(PARTIES, (-10.0, 0.0, 10.0), strict=True)))
    people = people.assign(chronological_age=people["age"], face_age=people["age"], cohort="c")
    return table_one(gather([people], ["c"]), ["age", "income", "vote", "news"], [], [-5.0, 5.0], "c")


def cell(table, column, measure, group, level=None):
    rows = table[(table.variable == column) & (table.measure == measure) & (table.group == group)]
    rows = rows if level is None else rows[rows.level == level]
    assert len(rows) == 1
    return rows.iloc[0]


GROUPS = dict(zip(PARTIES, ("up to -5 years", "-5 to +5 years", "above +5 years"), strict=True))
PAIRS = [f"{GROUPS[a]} vs {GROUPS[b]}" for a, b in ((PARTIES[0], PARTIES[1]), (PARTIES[0], PARTIES[2]), (PARTIES[1], PARTIES[2]))]  # fmt: skip


@pytest.mark.parametrize("column", ["age", "income"])
def test_numbers_equal_r(voters_table, column):
    for party, group in GROUPS.items():
        mean, median = (cell(voters_table, column, name, group) for name in ("mean", "median"))
        ours = [
            mean.n,
            mean.estimate,
            mean.standard_deviation,
            median.lower_quartile,
            median.estimate,
            median.upper_quartile,
        ]
        np.testing.assert_allclose(ours, r(f"{column} {party}"), rtol=1e-12)


@pytest.mark.parametrize("column", ["vote", "news"])
def test_shares_equal_r(voters_table, column):
    for party, group in GROUPS.items():
        rows = [cell(voters_table, column, "share", group, level) for level in LEVELS[column]]
        np.testing.assert_allclose(
            [*(row.n for row in rows), *(row.estimate for row in rows)], r(f"{column} {party}"), rtol=1e-12
        )


@pytest.mark.parametrize("column", ["age", "income", "vote", "news"])
def test_standardised_differences_and_missing_equal_r(voters_table, column):
    smd = r(f"{column} smd")
    measure = "standardised difference" + (" of shares" if column in ("vote", "news") else "")
    ours = [cell(voters_table, column, measure, pair).estimate for pair in PAIRS]
    np.testing.assert_allclose(ours, smd, rtol=1e-9)
    summary = [cell(voters_table, column, measure, name).estimate for name in (AVERAGE, LARGEST)]
    np.testing.assert_allclose(summary, [smd.mean(), smd.max()], rtol=1e-9)
    missing = cell(voters_table, column, "missing", "all")
    assert missing.n == r(f"{column} missing").item()
    assert missing.estimate == missing.n / 400
    sizes = voters_table[voters_table.measure == "participants"].set_index("group").n
    told = voters_table[(voters_table.variable == column) & voters_table.measure.isin(["mean", "share"])]
    for group in GROUPS.values():
        unknown, known = cell(voters_table, column, "missing", group), told[told.group == group].n.sum()
        assert unknown.n + known == sizes[group]
        assert unknown.estimate == unknown.n / sizes[group]


def test_table_one_has_no_p(voters_table):
    assert voters_table.p_value.isna().all()


@given(st.lists(st.integers(0, 30), min_size=2, max_size=6), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_a_factor_of_two_levels_is_a_number_of_zeros_and_ones(counts, more):
    a, b = np.array([counts[0] + 1, counts[1] + 1]), np.array([more + 1, 7])
    p, q = a[1] / a.sum(), b[1] / b.sum()
    expected = abs(p - q) / np.sqrt((p * (1 - p) + q * (1 - q)) / 2)
    assert difference_of_shares(a, b) == pytest.approx(expected, abs=1e-12)
    same = np.array(counts) + 1
    assert difference_of_shares(same, same) == pytest.approx(0, abs=1e-9)
    # a level that nobody has, and the order of levels, change nothing
    assert difference_of_shares(np.append(a, 0), np.append(b, 0)) == pytest.approx(expected, abs=1e-9)
    assert difference_of_shares(a[::-1], b[::-1]) == pytest.approx(expected, abs=1e-9)


def test_what_has_no_difference_is_none():
    assert np.isnan(difference_of_numbers(np.array([1.0]), np.array([1.0, 2.0])))
    assert np.isnan(difference_of_numbers(np.array([1.0, 1.0]), np.array([1.0, 1.0])))
    assert np.isnan(
        difference_of_numbers(np.full(14, 25.3), np.full(26, 25.3))
    )  # their means differ by rounding
    assert np.isnan(difference_of_shares(np.array([4, 0]), np.array([3, 0])))
    assert np.isnan(difference_of_shares(np.array([0, 0]), np.array([3, 1])))
    assert all_pairs([np.array([1.0, 3.0])], difference_of_numbers).shape == (0,)


def drawn(n=300, seed=1):
    random = np.random.default_rng(seed)
    age = random.uniform(40, 85, n)
    return pd.DataFrame({
        "chronological_age": age, "face_age": age + random.normal(0, 6, n), "age_acceleration": random.normal(0, 6, n),
        "sex": random.choice(["female", "male"], n), "ecog": random.choice([0.0, 1.0, 2.0], n), "bmi": random.normal(26, 4, n),
    })  # fmt: skip


def test_a_planted_difference_is_found_and_a_permuted_one_is_not():
    people = drawn()
    people["bmi"] += people["age_acceleration"] / 2
    shuffled = people.assign(
        age_acceleration=np.random.default_rng(2).permutation(people["age_acceleration"])
    )
    found, none = (
        cell(table_one(gather([p], ["c"]), ["bmi"], [], "tertiles", "c"), "bmi", "standardised difference", AVERAGE).estimate
        for p in (people, shuffled)
    )  # fmt: skip
    assert found > 0.5
    assert none < 0.25


def test_thirds_hold_a_third_each_and_cut_points_are_as_declared():
    values = pd.Series(np.arange(9.0))
    parted = part_by_acceleration(values, "tertiles")
    assert parted.levels == THIRDS
    assert parted.groups.value_counts().tolist() == [3, 3, 3]
    parted = part_by_acceleration(pd.Series([-6.0, -5.0, 5.0, 5.1, np.nan]), [-5.0, 5.0])
    expected = [GROUPS["democrat"]] * 2 + [GROUPS["independent"], GROUPS["republican"], None]
    assert parted.groups.tolist() == expected


def test_participants_who_cannot_be_parted_are_told_all_together():
    people = drawn(20).assign(age_acceleration=1.0)
    table = table_one(gather([people], ["c"]), ["bmi", "race"], [], "tertiles", "c")
    assert set(table.group) == {"all"}
    assert told(table).iloc[0] == "too many participants share an age acceleration for three groups"
    assert told(cell(table, "race", "missing", "all")) == in_words("no_value")
    nobody = table_one(gather([people.assign(age_acceleration=np.nan)], ["c"]), ["bmi"], [], "tertiles", "c")
    assert told(nobody).iloc[0] == "no participant has an age acceleration"


@pytest.mark.parametrize("groups", ["thirds", [5.0, 5.0], [float("inf")], []])
def test_groups_that_are_none_are_told(groups):
    with pytest.raises(ConfigError, match=r"phenotype.table_one.groups"):
        check_config({"phenotype": {"table_one": {"groups": groups}}}, study=False)


@pytest.mark.slow
@given(st.lists(st.integers(1, 60), min_size=1, max_size=6), st.integers(0, 8))
@settings(max_examples=60, deadline=None)
def test_every_group_has_its_number_and_all_quantiles(sizes, without):
    words = [f"g{k}" for k, size in enumerate(sizes) for _ in range(size)] + [None] * without
    n = len(words)
    people = pd.DataFrame({"age_acceleration": np.random.default_rng(0).normal(size=n), "site": words})
    people = people.assign(chronological_age=50.0, face_age=50.0)
    table = distributions(gather([people], ["c"]), ["site"], "c").set_index("term")
    assert table.n["all"] == n
    groups = table[table.factor == "site"]
    assert dict(groups.n) == {f"site: g{k}": size for k, size in enumerate(sizes)}
    for group, row in groups.iterrows():
        mine = people.loc[people.site == group.removeprefix("site: "), "age_acceleration"]
        expected = np.quantile(mine, [0.1, 0.25, 0.5, 0.75, 0.9])
        np.testing.assert_allclose(row[["q10", "q25", "q50", "q75", "q90"]].astype(float), expected)
        assert row.estimate == pytest.approx(mine.mean())
    assert (told(groups).fillna("") == "").all()


@given(st.integers(0, 400), st.integers(0, 50))
@settings(max_examples=40, deadline=None)
def test_squares_hold_every_participant(n, seed):
    people = gather([drawn(max(n, 1), seed).head(n)], ["c"])
    table = age_histogram(people, "c")
    assert table.n.sum() == n
    assert table.width.nunique() == min(n, 1)
    for row in table.itertuples():
        inside = people.chronological_age.between(row.age_lower, row.age_lower + row.width, inclusive="left")
        inside &= people.face_age.between(
            row.face_age_lower, row.face_age_lower + row.width, inclusive="left"
        )
        assert inside.sum() == row.n


def test_the_step_writes_three_tables_from_a_plain_table(tmp_path):
    drawn().to_csv(tmp_path / "people.tsv", sep="\t", index=False)
    names = ("table_one", "distributions", "age_histogram")
    chosen = (
        "phenotype.table_one.columns=sex,ecog",
        "phenotype.factors=ecog,bmi_class",
        "phenotype.table_one.groups=-4,4",
    )
    output_of(
        f"test-phenotypes --participants {tmp_path / 'people.tsv'} --output {tmp_path}",
        *(part for word in chosen for part in ("--set", word)),
    )
    found = {name: pd.read_csv(tmp_path / f"{name}.tsv", sep="\t") for name in names}
    assert set(found["table_one"].level.dropna()) == {"female", "male", "0", "1", "2"}
    assert "bmi_class: 25 to 30" in set(found["distributions"].term)
    assert found["age_histogram"].n.sum() > 200
