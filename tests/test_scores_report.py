"""The scores section: sentences, figure, and that no small number of people can be read or computed from it."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from faceage_bio.config import check_config
from faceage_bio.report.pages import survival_page
from faceage_bio.report.scores import scores_section
from faceage_bio.report.tables import collect
from faceage_bio.scores.calculate import not_scored, score_people, summarise_scores
from faceage_bio.scores.compare import Choices, compare_score
from faceage_bio.scores.definition import load_score
from faceage_bio.stats.small_cells import hidden_counts, hidden_in_line
from faceage_bio.tables import write_table
from tests.browser import chromium
from tests.golden.scores import data
from tests.test_report import CARD, survival_tables

NAMES = ("teachh_publication", "teachh_faceage_repository")
CONFIG = check_config(
    {"cohorts": {"one": {"face_ages": "f.tsv"}}, "scores": {"definitions": list(NAMES)}}
).model_dump(mode="json")


def write_tables(folder, people, names=NAMES):
    """The room's tables of a cohort and the least that a survival page needs."""
    people = people.assign(entry_years=np.nan)
    scored, compared = [], []
    for name in names:
        score = load_score(name)
        compared.append(
            compare_score(people, score, name, Choices(bootstraps=100), "one", "p", range(len(people)))
        )
        if "ecog" in people:
            mine = score_people(people, score, name, "p", range(len(people)))
            scored.append(summarise_scores(mine, score, name, "one"))
        else:
            scored.append(not_scored(score, name, "one", ["ecog"]))
    tables = {"scored": pd.concat(scored), "comparison": pd.concat(compared)}
    for name, table in tables.items():
        write_table(table, folder / "one" / "scores" / f"{name}.tsv")
    for place, table in survival_tables("one"):
        write_table(table, folder / "one" / place)
    return collect(sorted((folder / "one").rglob("*.tsv")))


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return write_tables(tmp_path_factory.mktemp("scores"), data.people())


def section(tables, **report):
    return scores_section(tables, "one", CONFIG | {"report": CONFIG["report"] | report})["scores"]


def test_the_fixed_cut_is_told_in_a_plain_sentence(tables):
    said = " ".join(section(tables)[0]["sentences"])
    assert (
        "The fixed 60-year cut gave the age point to 16 more people than chronological age did (108 instead of 92 of 160; 27 gained "
        "it and 11 lost it). A face age of 60 is not an age of 60, so the swap as such adds points."
    ) in said
    assert re.search(
        r"At a face age of 63.[12] years as many people are beyond the cut as are at an age of 60", said
    )
    assert re.search(
        r"0.61 with age, 0.62 with face age at the fixed cut \(difference [+−]0.0\d\d, 95 % interval", said
    )


def test_groups_hazards_and_publication_are_on_the_page(tables):
    page = survival_page(tables, CONFIG, [CARD])
    assert "Hazard ratio against group B" in page
    assert "from the publication and not from these people" in page
    assert "862 people" in page
    assert "group C: the value is not in the text" in page
    assert "neither model is part of the other" in page
    assert "100 paired bootstrap resamples of people, percentile interval, seed 1" in page
    assert ">nan<" not in page.lower()
    assert page.count("<summary>TEACHH (FaceAge repository)") >= 1


def test_small_cells_and_what_gives_them_away_are_dots(tables):
    moves = section(tables)[0]["moves"]
    fixed = next(move for move in moves if move["version"] == "face age, fixed cut")
    # 15 8 0 / 3 120 2 / 0 0 12: 3 and 2 are small; 15, 12 and the possible zero from C to B would give them away
    cells, by_age, by_face = fixed["hidden"]
    counts = np.array([[15, 8, 0], [3, 120, 2], [0, 0, 12]])
    assert cells[1, 0]
    assert cells[1, 2]
    assert not by_age.any()
    assert not by_face.any()
    for line, mask in [*zip(counts, cells, strict=True), *zip(counts.T, cells.T, strict=True)]:
        assert not mask.any() or (mask.sum() > 1 and line[mask].sum() >= 5)
    hidden = [row for row in fixed["movers"] if row["hidden"]]
    assert {row["term"] for row in hidden} >= {"B to A", "B to C"}
    told = section(tables, min_cell=1)[0]["moves"][0]["matrix"]
    assert told[0] == ("A", ["15", "8", "0", "23"])
    assert told[-1] == ("All", ["18", "128", "14", "160"])


@pytest.mark.parametrize("min_cell", [1, 5])
def test_moves_of_many_participants_are_on_the_page(tmp_path, min_cell):
    people = pd.concat(
        [data.people().assign(subject_id=lambda d, k=k: d.subject_id + f"_{k}") for k in range(4)]
    )
    tables = write_tables(tmp_path, people.reset_index(drop=True), NAMES[:1])
    config = CONFIG | {"report": CONFIG["report"] | {"min_cell": min_cell}}
    page = survival_page(tables, config, [CARD])
    moves = section(tables, min_cell=min_cell)[0]["moves"]
    assert any(not row["hidden"] and row["n"] >= 5 for move in moves for row in move["movers"])
    assert re.search(r"from B to A</th><td class=\"num\">12</td>", page)


def test_numbers_of_small_groups_are_not_on_the_page(tmp_path):
    # two people in group C by age, and nobody leaves it
    people = data.people()
    few = load_score("teachh_publication")
    groups = score_people(people, few, "x", "p", range(len(people))).group
    people = people[(groups != "C") | (groups == "C").cumsum().le(2)]
    tables = write_tables(tmp_path, people.reset_index(drop=True), NAMES[:1])
    block = section(tables)[0]
    hidden = {(line["group"], line["version"]) for line in block["groups"] if line["hidden"]}
    assert ("C", "age") in hidden
    by_age = [line for line in block["groups"] if line["version"] == "age"]
    assert sum(line["hidden"] for line in by_age) > 1  # the sum of all is told
    page = survival_page(tables, CONFIG, [CARD])
    median = next(line["median"]["estimate"] for line in by_age if line["group"] == "C")
    part = page[page.index("A clinical score") :]
    assert f">{median:.1f} " not in part


def test_a_cohort_without_the_columns_says_which(tmp_path):
    tables = write_tables(tmp_path, data.people().drop(columns="ecog"))
    page = survival_page(tables, CONFIG, [CARD])
    assert "TEACHH (publication): not run</strong>, because the clinic table has no ecog." in page
    assert scores_section(collect([]), "one", CONFIG) == {"scores": []}


def test_few_people_who_have_or_lack_a_point_are_not_told(tmp_path):
    people = data.people().assign(liver_metastases=lambda d: (np.arange(len(d)) > 2).astype(int))
    questions = {
        row["term"]: row["have"] for row in section(write_tables(tmp_path, people, NAMES[:1]))[0]["questions"]
    }
    assert questions["Hepatic metastases"] == "> 155"
    assert questions["Older than 60"] == "92"


# -- small cells --------------------------------------------------------------------------------------------------------


def ranges(counts, masks):
    """For each count left out the least and the most that the numbers told allow, by linear programming."""
    cells, rows, columns = masks
    hidden = np.argwhere(cells)
    equations, values = [], []
    for axis, sums in ((0, rows), (1, columns)):
        for line in range(counts.shape[axis]):
            if sums[line]:
                continue
            mine = counts[line] if axis == 0 else counts[:, line]
            mask = cells[line] if axis == 0 else cells[:, line]
            equations.append([float(place[axis] == line) for place in hidden])
            values.append(mine[mask].sum())
    equations.append([1.0] * len(hidden))  # the sum of all is told
    values.append(counts[cells].sum())
    for k, place in enumerate(hidden):
        ends = []
        for sign in (1, -1):
            aim = np.zeros(len(hidden))
            aim[k] = sign
            found = linprog(aim, A_eq=np.array(equations), b_eq=values, bounds=(0, None), method="highs")
            ends.append(sign * found.fun)
        yield tuple(place), *ends


@settings(deadline=None, max_examples=150)
@given(
    st.integers(2, 4).flatmap(lambda r: st.integers(2, 4).flatmap(lambda c: st.lists(
        st.sampled_from([0, 0, 1, 2, 3, 4, 5, 6, 9, 20, 120]), min_size=r * c, max_size=r * c).map(lambda v: np.array(v).reshape(r, c))))
)  # fmt: skip
def test_no_small_number_follows_from_the_others(counts):
    masks = hidden_counts(counts, 5)
    cells, rows, _ = masks
    small = (counts > 0) & (counts < 5)
    assert (cells | ~small).all()
    assert not ((counts.sum(axis=1) < 5) & (counts.sum(axis=1) > 0) & ~rows).any()
    if counts.sum() < 10:
        return  # with so few people all is left out, and the sum of all says the rest
    for place, least, most in ranges(counts, masks):
        if small[place]:
            assert most - least > 0.5, (counts, masks, place)


def test_lines_leave_out_a_second_number_if_one_is_small():
    nothing = np.zeros(3, dtype=bool)
    assert hidden_in_line([9, 60, 7], 5, nothing).tolist() == [False, False, False]
    assert hidden_in_line([3, 60, 20], 5, nothing).tolist() == [True, False, True]
    assert hidden_in_line([3, 60, 20], 5, np.array([False, True, False])).tolist() == [True, True, False]
    assert hidden_in_line([2, 1, 20], 5, nothing).all()


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
def test_the_section_fits_and_its_figure_is_labelled(tables, tmp_path, width):
    (tmp_path / "page.html").write_text(survival_page(tables, CONFIG, [CARD]))
    with chromium(tmp_path / "profile", width=width) as browser:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get((tmp_path / "page.html").as_uri())
        browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
        inside = browser.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert inside[0] <= inside[1]
        figure = browser.find_element("css selector", "svg[aria-label^='Median survival of each group']")
        assert figure.is_displayed()
