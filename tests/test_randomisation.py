"""Allocation lists are balanced in every block and cannot be foretold; minimisation and blocks balance better than chance."""

import numpy as np
import pandas as pd
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from faceage_bio.analyses.planning.randomisation import (
    GROUP,
    NUMBER,
    allocation_list,
    read_or_make_seed,
    simulate_balance,
)
from faceage_bio.cli.commands_randomise import app
from faceage_bio.core.errors import RunError

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
    (tmp_path / "seed").write_text("abc")
    with pytest.raises(RunError, match="expected one whole number"):
        read_or_make_seed(tmp_path / "seed")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"arms": {"one": 1}}, "expected two or more arms"),
        ({"blocks": [5]}, r"multiples of the sum of their shares \(2\)"),
        ({"blocks": []}, "Give for example --block 4"),
        ({"strata": {"sex": []}}, "for each --stratum its levels"),
        ({"n_per_stratum": 0}, "--per-stratum 0"),
    ],
)
def test_what_no_list_can_be_made_of(change, message):
    options = {"arms": ARMS, "strata": STRATA, "n_per_stratum": 10, "blocks": [4], "seed": 1} | change
    with pytest.raises(RunError, match=message):
        allocation_list(options.pop("arms"), options.pop("strata"), **options)


def test_blocks_and_minimisation_balance_better_than_chance():
    found = simulate_balance({"sex": [0.5, 0.5], "ecog": [0.3, 0.5, 0.2]}, 100, repeats=300).set_index(
        "method"
    )
    chance = found.loc["simple randomisation"]
    # a sum of 100 signs has the mean absolute value sqrt(200 / pi) = 7.98
    assert chance.overall_mean == pytest.approx(np.sqrt(200 / np.pi), abs=1.2)
    for method in ("permuted blocks", "minimisation"):
        assert (found.loc[method] < chance / 2)[["overall_mean", "level_mean"]].all()


def test_command(tmp_path, capsys):
    arguments = [
        "--arm", "treatment", "--arm", "control", "--stratum", "sex=female,male", "--stratum", "site=A,B,C",
        "--per-stratum", "8", "--participants", "20", "--seed-file", f"{tmp_path}/seed", "--output", f"{tmp_path}/list.csv", "--balance", f"{tmp_path}/balance.tsv",
    ]  # fmt: skip
    typer.main.get_command(app)(arguments, standalone_mode=False)
    said = capsys.readouterr().out
    assert "20 participants in 6 strata are 3.3 per stratum, fewer than a block of 6" in said
    table = pd.read_csv(tmp_path / "list.csv")
    assert set(table) == {NUMBER, GROUP, "sex", "site"}
    assert (tmp_path / "list.csv").stat().st_mode & 0o777 == 0o600
    assert len(pd.read_csv(tmp_path / "balance.tsv", sep="\t")) == 3
    with pytest.raises(RunError, match="more strata than participants"):
        typer.main.get_command(app)([*arguments, "--participants", "5"], standalone_mode=False)
