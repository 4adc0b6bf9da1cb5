"""The scores section: sentences, figure, and the exact numbers of those who change group."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from faceage_bio.analyses.scores.calculate import not_scored, score_people, summarise_scores
from faceage_bio.analyses.scores.compare import Choices, compare_score
from faceage_bio.analyses.scores.definition import load_score
from faceage_bio.core.config import check_config
from faceage_bio.core.tables import write_table
from faceage_bio.report.pages import survival_page
from faceage_bio.report.sections_scores import scores_section
from faceage_bio.report.tables_by_place import collect
from tests.browser import emulate
from tests.golden.scores import data
from tests.report_studies import CARD, survival_tables

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


def section(tables):
    return scores_section(tables, "one", CONFIG)["scores"]


def test_the_fixed_cut_is_told_in_a_plain_sentence(tables):
    said = " ".join(section(tables)[0]["sentences"])
    assert (
        "The fixed 60-year cut gave the age point to 16 more participants than chronological age did (108 instead of 92 of 160; 27 gained "
        "it and 11 lost it). A face age of 60 is not an age of 60, so the swap as such adds points."
    ) in said
    assert re.search(
        r"At a face age of 63.[12] years as many participants are beyond the cut as are at an age of 60", said
    )
    assert re.search(
        r"0.61 with age, 0.62 with face age at the fixed cut \(difference [+−]0.0\d\d, 95% CI", said
    )


def test_groups_hazards_and_publication_are_on_the_page(tables):
    page = survival_page(tables, CONFIG, [CARD])
    assert "Hazard ratio against group B" in page
    assert "<strong>Published values, for comparison</strong>" in page
    assert "862 patients" in page
    assert "group C: the value is not in the text" in page
    assert "neither model is part of the other" in page
    assert "100 paired bootstrap resamples of participants, percentile interval, seed 1" in page
    assert ">nan<" not in page.lower()
    assert page.count("<summary>TEACHH (FaceAge repository)") >= 1


def test_changes_of_group_are_the_table_s_own_numbers(tables):
    moves = section(tables)[0]["moves"]
    fixed = next(move for move in moves if move["version"] == "face age, fixed cut")
    assert fixed["matrix"] == [
        ("A", [15, 8, 0, 23]), ("B", [3, 120, 2, 125]), ("C", [0, 0, 12, 12]), ("All", [18, 128, 14, 160]),
    ]  # fmt: skip
    movers = {row["term"]: row["n"] for row in fixed["movers"]}
    assert movers == {"A to B": 8, "B to A": 3, "B to C": 2}


def test_a_score_whose_many_participants_change_group_is_shown(tmp_path):
    # five and more gain the points, and as many change group: each with its own number of deaths
    many = data.people().assign(face_age=lambda d: d.face_age + 8)
    tables = write_tables(tmp_path, many, NAMES[:1])
    page = survival_page(tables, CONFIG, [CARD])
    for move in section(tables)[0]["moves"]:
        for row in [*move["kinds"], *move["movers"]]:
            line = f"<td>{row['n']:,.0f}</td><td>{row['n_events']:,.0f}</td>"
            assert line in page


def test_small_groups_are_on_the_page(tmp_path):
    # two people in group C by age, and nobody leaves it
    people = data.people()
    few = load_score("teachh_publication")
    groups = score_people(people, few, "x", "p", range(len(people))).group
    people = people[(groups != "C") | (groups == "C").cumsum().le(2)]
    tables = write_tables(tmp_path, people.reset_index(drop=True), NAMES[:1])
    by_age = {line["group"]: line for line in section(tables)[0]["groups"] if line["version"] == "age"}
    assert by_age["C"]["median"]["n"] == 2
    page = survival_page(tables, CONFIG, [CARD])
    part = page[page.index('<h2 id="scores">') :]
    assert f">{by_age['C']['median']['estimate']:.1f} " in part


def test_missing_numbers_are_dashes(tables):
    few = {"n": 5, "n_events": 5, "estimate": 5}
    hollow = tables.get("scores", "comparison").copy()
    for column, below in few.items():
        counts = column != "estimate" or hollow["measure"].isin(
            ["participants", "difference in participants"]
        )
        hollow[column] = hollow[column].mask((hollow[column].abs() < below) & counts)
    hollow.loc[hollow["measure"].isin(["participants", "difference in participants"]), "estimate"] = np.nan
    released = replace(tables, by_name=tables.by_name | {("scores", "comparison"): hollow})
    page = survival_page(released, CONFIG, [CARD])
    assert "gave the age point to – instead of – of 160 participants (27 gained it and 11 lost it)" in page
    assert ">nan<" not in page.lower()


def test_a_cohort_without_the_columns_says_which(tmp_path):
    tables = write_tables(tmp_path, data.people().drop(columns="ecog"))
    page = survival_page(tables, CONFIG, [CARD])
    assert "TEACHH (publication): not run, because the clinical table has no ecog." in page
    assert scores_section(collect([]), "one", CONFIG) == {"scores": []}


def test_the_number_who_have_a_point_is_exact(tmp_path):
    people = data.people().assign(liver_metastases=lambda d: (np.arange(len(d)) > 2).astype(int))
    questions = {
        row["term"]: row["estimate"]
        for row in section(write_tables(tmp_path, people, NAMES[:1]))[0]["questions"]
    }
    assert questions["Hepatic metastases"] == 157
    assert questions["Older than 60"] == 92


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
def test_the_section_fits_and_its_figure_is_labelled(tables, tmp_path, width, browser):
    (tmp_path / "page.html").write_text(survival_page(tables, CONFIG, [CARD]))
    emulate(browser, width)
    browser.get((tmp_path / "page.html").as_uri())
    browser.execute_script("document.querySelectorAll('details').forEach(d => d.open = true)")
    inside = browser.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert inside[0] <= inside[1]
    figure = browser.find_element("css selector", "svg[aria-label^='Median survival of each group']")
    assert figure.is_displayed()


def test_moves_of_many_participants_are_on_the_page(tmp_path):
    people = pd.concat(
        [data.people().assign(subject_id=lambda d, k=k: d.subject_id + f"_{k}") for k in range(4)]
    )
    page = survival_page(write_tables(tmp_path, people.reset_index(drop=True), NAMES[:1]), CONFIG, [CARD])
    assert re.search(r"from B to A</th><td>12</td>", page)
