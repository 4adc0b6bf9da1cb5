"""Allocation lists are balanced in every block and cannot be foretold; minimisation and blocks balance better than chance."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceage_bio.analyses.planning.randomisation import (
    GROUP,
    NUMBER,
    allocation_list,
    read_or_make_seed,
    simulate_balance,
)
from faceage_bio.core.errors import RunError
from tests.commands import output_of
from tests.rows import cases

ARMS, STRATA = {"treatment": 1, "control": 1}, {"sex": ["female", "male"], "site": ["A", "B", "C"]}


@given(st.integers(0, 2**32), st.integers(1, 2), st.integers(1, 30))
def test_every_block_holds_the_shares(seed, share, n):
    arms = {"treatment": share, "control": 1}
    size = share + 1
    table = allocation_list(arms, STRATA, n_per_stratum=n, blocks=[size], seed=seed)
    assert table.groupby(["sex", "site"]).ngroups == 6
    for _, stratum in table.groupby(["sex", "site"]):
        assert n <= len(stratum) < n + size
        for start in range(0, len(stratum), size):
            assert (stratum[GROUP].iloc[start : start + size] == "treatment").sum() == share
    assert table[NUMBER].is_unique


def test_a_seed_gives_its_list_and_another_seed_another_one():
    lists = [
        allocation_list(ARMS, STRATA, n_per_stratum=40, blocks=[4, 6], seed=seed)[GROUP].tolist()
        for seed in (1, 1, 2)
    ]
    assert lists[0] == lists[1] != lists[2]


def test_all_orders_of_a_block_occur_alike():
    table = allocation_list(ARMS, {}, n_per_stratum=4 * 6000, blocks=[4], seed=7)
    orders = table[GROUP].str[0].to_numpy().reshape(-1, 4)
    counts = pd.Series(["".join(order) for order in orders]).value_counts()
    assert len(counts) == 6
    assert ((counts - 1000) ** 2 / 1000).sum() < 20.5  # chi-square, 5 df, p 0.001


def test_seed_file_is_the_owners(tmp_path):
    seed = read_or_make_seed(tmp_path / "seed")
    assert (tmp_path / "seed").stat().st_mode & 0o777 == 0o600
    assert read_or_make_seed(tmp_path / "seed") == seed > 2**64
    for text in ("abc", "-5", ""):
        (tmp_path / "seed").write_text(text)
        with pytest.raises(RunError, match="expected one whole number"):
            read_or_make_seed(tmp_path / "seed")
    (tmp_path / "seed").chmod(0o644)
    with pytest.raises(RunError, match=r"others may read it \(mode 644\).*Expected mode 600"):
        read_or_make_seed(tmp_path / "seed")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arms": {"one": 1}}, "expected two or more arms"),
        ({"blocks": [5]}, r"multiples of the sum of their shares \(2\)"),
        ({"blocks": []}, "Give for example --block 4"),
        ({"strata": {"sex": []}}, "for each --stratum its levels"),
        ({"n_per_stratum": 0}, "--per-stratum 0"),
        ({"arms": {"one": 1, '=HYPERLINK("//x")': 1}}, r'=HYPERLINK\("//x"\) would be run as a formula by a'),
        ({"strata": {"@sex": ["f"], "site": ["-1", "+A1", "<5"]}}, r"@sex; \+A1 would be run as a formula"),
    ],
)
def test_what_no_list_can_be_made_of(change, message):
    options = {"arms": ARMS, "strata": STRATA, "n_per_stratum": 10, "blocks": [4], "seed": 1} | change
    with pytest.raises(RunError, match=message):
        allocation_list(options.pop("arms"), options.pop("strata"), **options)


def test_a_longer_list_begins_with_the_shorter_one():
    kept = [
        allocation_list(ARMS, STRATA, n_per_stratum=n, blocks=[4, 6], seed=5).set_index(NUMBER)
        for n in (10, 60, 61, 80)
    ]
    for shorter, longer in itertools.pairwise(kept):
        pd.testing.assert_frame_equal(longer.loc[shorter.index], shorter)
    orders = kept[0].groupby(["sex", "site"])[GROUP].agg("".join)
    assert orders.nunique() > 1  # each stratum has an order of its own


def test_blocks_and_minimisation_balance_better_than_chance():
    found = simulate_balance({"sex": [0.5, 0.5], "ecog": [0.3, 0.5, 0.2]}, 100, repeats=300)
    found = found.set_index("method")
    chance = found.loc["simple randomisation"]
    # a sum of 100 signs has the mean absolute value sqrt(200 / pi) = 7.98: an arm deviates by half of it
    assert chance.overall_mean == pytest.approx(np.sqrt(200 / np.pi) / 2, abs=0.6)
    for method in ("permuted blocks", "minimisation"):
        assert (found.loc[method] < chance / 2)[["overall_mean", "level_mean"]].all()


@pytest.mark.parametrize(("shares", "blocks"), [((2, 1), (3, 6)), ((1, 1, 1), (3,)), ((1, 1), (2, 4))])
def test_without_strata_full_blocks_are_in_the_planned_ratio(shares, blocks):
    found = simulate_balance({}, 90, shares=shares, blocks=blocks, repeats=200).set_index("method")
    # of the last block a part may be missing, which holds half of it at most beyond the ratio
    assert found.loc["permuted blocks", "overall_p95"] <= max(blocks) / 2
    assert found.loc["minimisation", "overall_mean"] < found.loc["simple randomisation", "overall_mean"] / 2
    if blocks == (3,):
        assert found.loc["permuted blocks", "overall_mean"] == pytest.approx(0, abs=1e-9)


def run(folder, line, *more):
    """What the command printed that makes a list in this folder."""
    return output_of(f"randomise {line} --seed-file seed --output list.csv", *more, folder=folder)


TWO = "--arm treatment --arm control"


def test_command(tmp_path):
    line = f"{TWO} --stratum sex=female,male --stratum site=A,B,C --per-stratum 8 --balance balance.tsv"
    said = run(tmp_path, f"{line} --participants 20")
    assert "20 participants in 6 strata are 3.3 in the smallest stratum, fewer than a block of 6" in said
    table = pd.read_csv(tmp_path / "list.csv")
    assert set(table) == {NUMBER, GROUP, "sex", "site"}
    assert (tmp_path / "list.csv").stat().st_mode & 0o777 == 0o600
    assert len(pd.read_csv(tmp_path / "balance.tsv", sep="\t")) == 3
    # a record would hold the hashes of seed and list, which can be tried out
    assert {path.name for path in tmp_path.iterdir()} == {"seed", "list.csv", "balance.tsv"}
    with pytest.raises(RunError, match="more strata than participants"):
        run(tmp_path, f"{line} --participants 5")


def test_a_list_is_lengthened_and_never_changed(tmp_path):
    assert "12 allocations in 1 stratum." in run(tmp_path, f"{TWO} --per-stratum 12 --block 4")
    (tmp_path / "list.csv").unlink()
    line = f"{TWO} --stratum sex=f,m"
    run(tmp_path, f"{line} --per-stratum 60")
    first = (tmp_path / "list.csv").read_text()
    said = run(tmp_path, f"{line} --per-stratum 80")
    assert f"{len(first.splitlines()) - 1} of them stood there before and are the same" in said
    longer = (tmp_path / "list.csv").read_text()
    assert set(first.splitlines()) < set(longer.splitlines())
    for change in (
        "--per-stratum 40",
        "--per-stratum 80 --block 4",
        "--arm third --block 6 --per-stratum 90",
    ):
        with pytest.raises(RunError, match=r"the new list does not begin with its \d+ allocations"):
            run(tmp_path, f"{line} {change}")
    (tmp_path / "seed").unlink()
    with pytest.raises(RunError, match="for another list name another --output"):
        run(tmp_path, f"{line} --per-stratum 80")
    assert (tmp_path / "list.csv").read_text() == longer


def test_balance_of_unequal_arms_is_that_of_their_ratio(tmp_path):
    blocks = "--arm treatment:2 --arm control --block 3 --block 6"
    said = run(tmp_path, f"{blocks} --participants 100 --per-stratum 100 --balance balance.tsv")
    found = pd.read_csv(tmp_path / "balance.tsv", sep="\t").set_index("method")
    assert "permuted blocks: an arm deviates from the ratio 2:1 by" in said
    assert found.loc["permuted blocks", "overall_p95"] < 3
    # a binomial with 100 participants and p 2/3 deviates by sqrt(2 npq / pi) = 3.8 on average
    assert found.loc["simple randomisation", "overall_mean"] == pytest.approx(3.76, abs=0.3)


@pytest.mark.parametrize(
    ("strata", "message"),
    cases("""
        --stratum a=1,2,3 --stratum b=1,2,3,4 | 2 allocations per stratum are fewer than a block of 6
        --stratum site=big:0.9,small:0.1 --participants 50 --per-stratum 50 | 5.0 in the smallest stratum
    """),
)
def test_strata_that_are_smaller_than_a_block(strata, message, tmp_path):
    assert message in run(tmp_path, f"{TWO} --per-stratum 2 {strata}")


@pytest.mark.parametrize(
    ("options", "message"),
    cases(f"""
        --stratum sex=f,m --stratum sex=x | --stratum sex=x: sex is given twice
        --stratum sex= | --stratum sex=: expected a factor and its levels
        --stratum sex=f,f | none of them empty or twice
        --stratum sex=f,,m | none of them empty or twice
        --stratum =f,m | --stratum =f,m: expected a factor
        --stratum sex=f:0.5,m | a share above 0 for all levels or for none
        --stratum sex=f:x,m:1 | a share above 0
        --stratum sex=f:nan,m:1 | a share above 0
        --stratum '{GROUP}=f,m' | is a column of the list
        --arm control | --arm control: expected a name.*each arm once
        --arm :2 | --arm :2: expected a name
    """),
)
def test_strata_and_arms_that_are_none(options, message, tmp_path):
    with pytest.raises(RunError, match=message):
        run(tmp_path, f"{TWO} --per-stratum 8 {options}")
    assert not (tmp_path / "list.csv").exists()
