"""The flow and Table 1 leave without small numbers, and nobody can compute one."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from faceage_bio.privacy.suppressed import MARK
from tests.leaving import SMALL, as_text, bounds


def table_one_of(levels: np.ndarray, numbers: list[int], sizes: np.ndarray) -> pd.DataFrame:
    groups = [f"g{k}" for k in range(len(sizes))]
    heads = [("", "", "people", "all", sizes.sum())] + [
        ("", "", "people", g, k) for g, k in zip(groups, sizes, strict=True)
    ]
    shares = [
        ("smoking", f"l{place}", "share", name, count)
        for place, line in enumerate(levels)
        for name, count in zip(["all", *groups], [line.sum(), *line], strict=True)
    ]
    gone = sizes - levels.sum(axis=0)
    shares.append(("smoking", "", "missing", "all", gone.sum()))
    means = [
        ("bmi", "", "mean", name, n)
        for name, n in zip(["all", *groups], [sum(numbers), *numbers], strict=True)
    ]
    means.append(("bmi", "", "missing", "all", sizes.sum() - sum(numbers)))
    table = pd.DataFrame([*heads, *shares, *means], columns=["variable", "level", "measure", "group", "n"])
    return table.assign(cohort="north", analysis="table one", estimate=0.5, note="")


@given(
    st.lists(st.lists(st.integers(0, 20), min_size=2, max_size=2), min_size=2, max_size=3),
    st.lists(st.integers(0, 6), min_size=2, max_size=2),
)
@settings(max_examples=40, deadline=None)
def test_no_small_number_of_table_one_can_be_computed(levels, gone):
    levels = np.array(levels)
    sizes = levels.sum(axis=0) + np.array(gone)
    if (sizes < SMALL).any():
        return
    table = table_one_of(levels, [int(size) for size in sizes], sizes)
    told = as_text("phenotype/table_one", table)
    shares = told[told["measure"] == "share"]
    wide = shares.pivot(index="level", columns="group", values="n")
    full = np.vstack([levels, gone])
    parts = (wide[["g0", "g1"]] == MARK).to_numpy()
    hidden = np.vstack([parts, [True, True]])  # who has no value stands nowhere by group
    sums = np.append(
        (wide["all"] == MARK).to_numpy(),
        told.loc[(told["measure"] == "missing") & (told["variable"] == "smoking"), "n"].iloc[0] == MARK,
    )
    assert hidden[(full > 0) & (full < SMALL)].all()
    places = [tuple(place) for place in np.argwhere(hidden)]
    equations, right = [], []
    for line in range(len(full)):
        if not sums[line]:
            equations.append([float(place[0] == line) for place in places])
            right.append(full[line][hidden[line]].sum())
    for column in range(2):
        equations.append([float(place[1] == column) for place in places])
        right.append(full[:, column][hidden[:, column]].sum())
    for k, place in enumerate(places):
        if 0 < full[place] < SMALL and place[0] < len(levels):
            low, high = bounds(np.array(equations), np.array(right), [(0, None)] * len(places), k)
            assert high - low >= 1, (full, told)


def test_table_one_of_few():
    sizes = np.array([20, 30])
    told = as_text("phenotype/table_one", table_one_of(np.array([[10, 15], [10, 15]]), [18, 30], sizes))
    means = told[told["measure"] == "mean"].set_index("group")["n"]
    assert means.tolist() == [MARK] * 3  # 20 - 18 have no value, so 30 of 30 would tell how many in all
    few = as_text(
        "phenotype/table_one", table_one_of(np.array([[2, 15], [1, 15]]), [3, 30], np.array([3, 30]))
    )
    assert (few.loc[few["group"].isin(["g0", "g1"]), "n"] == MARK).all()
    assert few.loc[(few["measure"] == "people") & (few["group"] == "all"), "n"].tolist() == [33]


def flow_table(photos: list[int], flagged: int, missing: int, passed: int) -> pd.DataFrame:
    lines = [("photo", "intake", "included", "", sum(photos) + flagged)]
    lines += [("photo", "face_age", "excluded", f"r{k}", n) for k, n in enumerate(photos[1:])]
    lines += [
        ("photo", "face_age", "flagged", "dark", flagged),
        ("photo", "face_age", "included", "", photos[0]),
    ]
    lines += [("subject", "intake", "included", "", 120), ("subject", "acceleration", "included", "", passed)]
    lines += [("subject", "acceleration", "excluded", "no_face_age", 120 - passed)]
    lines += [
        ("subject", "survival", "excluded", "no_acceleration", 120 - passed),
        ("subject", "survival", "excluded", "missing", missing),
    ]
    lines += [("subject", "survival", "included", "", passed - missing)]
    table = pd.DataFrame(lines, columns=["unit", "stage", "status", "reason", "n"])
    return table[table["n"] > 0].assign(cohort="north").reset_index(drop=True)


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=4),
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(0, 12),
)
@settings(max_examples=60, deadline=None)
def test_no_exclusion_of_few_can_be_computed_from_the_flow(reasons, flagged, missing, lost):
    table = flow_table([137, *reasons], flagged, missing, 120 - lost)
    told = as_text("flow", table)
    hidden = (told["n"] == MARK).to_numpy()
    numbers = table["n"].to_numpy()
    assert hidden[(numbers > 0) & (numbers < SMALL)].all()
    places = np.flatnonzero(hidden)
    equations, sums = [], []

    def tell(rows: np.ndarray) -> None:
        equations.append(np.isin(places, rows).astype(float))
        sums.append(numbers[rows][hidden[rows]].sum())

    unit, stage, out = (
        table["unit"].to_numpy(),
        table["stage"].to_numpy(),
        (table["status"] == "excluded").to_numpy(),
    )
    for one, step in {*zip(unit, stage, strict=True)}:
        rows = np.flatnonzero((unit == one) & (stage == step))
        if step == "intake":
            continue
        tell(rows)  # who came in is who goes on and who does not
        new = rows[out[rows] & (table["reason"].to_numpy()[rows] != "no_acceleration")]
        lost_at = [numbers[part].sum() for part in (new, rows[out[rows]])]
        if all(n == 0 or n >= SMALL for n in lost_at):
            tell(rows[~out[rows]])  # a page may tell how many are used
    same = [np.flatnonzero(table["reason"] == name) for name in ("no_face_age", "no_acceleration")]
    if all(map(len, same)):  # people without a face age are those without acceleration
        equation, total = np.zeros(len(places)), 0.0
        for (place,), sign in zip(same, (1.0, -1.0), strict=True):
            equation[places == place] = sign
            total += 0.0 if hidden[place] else -sign * numbers[place]
        equations.append(equation)
        sums.append(total)
    for k, place in enumerate(places):
        if numbers[place] < SMALL:
            low, high = bounds(np.array(equations), np.array(sums), [(0, None)] * len(places), k)
            assert high - low >= 1, (table.assign(told=told["n"]), place)


def test_shares_do_not_tell_who_has_no_value():
    told = as_text(
        "phenotype/table_one", table_one_of(np.array([[10, 15], [10, 13]]), [20, 30], np.array([20, 30]))
    )
    shares = told[told["measure"] == "share"]
    assert (shares["estimate"] == MARK).all()  # 13 of 28, where the group has 30
