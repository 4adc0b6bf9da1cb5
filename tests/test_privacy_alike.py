"""Numbers of the same people in different tables: nobody can subtract two of them and learn of a few."""

import re
import zipfile
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from faceage_bio.privacy.gate import check_folder
from faceage_bio.privacy.known import Known
from faceage_bio.privacy.suppress import suppress
from faceage_bio.report.formats import beside, count
from faceage_bio.report.words import hazard_sentence
from faceage_bio.tables import write_table
from tests.leaving import SMALL


def models(*numbers: tuple[int, int], **more: object) -> pd.DataFrame:
    """Rows of Cox models with these numbers of people and deaths."""
    n, deaths = zip(*numbers, strict=True)
    base = {
        "cohort": "north", "analysis": "cox", "term": "face_age", "measure": "hazard ratio", "estimate": 1.5, "per": "10 years",
        "ci_lower": 1.1, "ci_upper": 2.0, "p_value": 0.01, "q_value": np.nan, "n": n, "n_events": deaths, "model": "face age + age",
        "adjustment": "age", "note": "",
    }  # fmt: skip
    return pd.DataFrame(base | more)


def sizes(told: pd.DataFrame, column: str = "n") -> list[int]:
    """Numbers that are told as they are."""
    return [int(float(word)) for word in told[column].astype(str) if re.fullmatch(r"\d+(\.0)?", word)]


def apart(numbers: list[int]) -> bool:
    return all(second - first >= SMALL for first, second in pairwise(sorted(set(numbers))))


numbers_of_models = st.lists(
    st.tuples(st.integers(60, 130), st.integers(10, 50)), min_size=1, max_size=6
)  # fmt: skip


@given(st.lists(numbers_of_models, min_size=2, max_size=4))
@settings(max_examples=60, deadline=None)
def test_no_two_numbers_of_the_same_people_differ_by_few(tables):
    keys = ("survival/cox", "survival/age_comparison", "survival/added_value", "phenotype/phenotypes")
    raw = {key: models(*numbers) for key, numbers in zip(keys, tables, strict=False)}
    told = {key: one.as_text() for key, one in suppress(raw, SMALL).items()}
    for column in ("n", "n_events"):
        assert apart([n for table in told.values() for n in sizes(table, column)])
        for key, table in told.items():
            for word, true in zip(table[column].astype(str), raw[key][column], strict=True):
                assert abs(float(word.lstrip("~")) - true) < SMALL  # whoever reads it is not misled


def test_a_person_without_a_value_is_no_difference_of_two_models():
    """114 people of whom 79 died; one of them, who died, has no smoking status."""
    told = suppress(
        {
            "survival/cox": models((114, 79), (114, 79), (113, 78), events_per_term=[79.0, 39.5, 7.8],
                                   note=["", "", "only 7.8 deaths per term; complete cases only"]),
            "survival/imputed": models((113, 78), (114, 79)),
            "phenotype/phenotypes": models((113, 0), (114, 0)),
        },
        SMALL,
    )  # fmt: skip
    cox = told["survival/cox"].as_text()
    assert cox["n"].astype(str).tolist() == ["114", "114", "~114"]
    assert cox["n_events"].astype(str).tolist() == ["79", "79", "~79"]
    assert cox["events_per_term"].tolist() == pytest.approx([79.0, 39.5, 7.9])
    assert cox["note"].tolist()[2] == "few deaths per term; complete cases only"
    assert told["phenotype/phenotypes"].as_text()["n"].astype(str).tolist() == ["~114", "114"]
    page = told["survival/cox"].as_numbers(SMALL)
    assert [count(n, SMALL) for n in page["n"]] == ["114", "114", "≈ 114"]
    assert beside(page["n"][2], "people") == " (≈ 114 people)"
    assert "≈ 114 people, ≈ 79 deaths" in hazard_sentence(page.iloc[2:], SMALL)
    everything = suppress({"survival/cox": models((114, 79), (113, 78))}, 1)["survival/cox"].as_text()
    assert everything["n"].tolist() == [114, 113]


def test_levels_are_not_all_told_where_their_sum_is_few_fewer_than_everybody():
    levels = {"never": 36, "former": 45, "current": 32}  # of 114
    means = models(
        *((n, 0) for n in levels.values()), factor="smoking", level=list(levels), measure="mean years"
    )
    pairs = models((113, 0), factor="smoking", n_exposed=45, n_reference=36, term="smoking: former vs never")
    told = suppress(
        {"phenotype/means": means, "phenotype/pairs": pairs, "survival/cox": models((114, 79))}, SMALL
    )
    assert told["phenotype/means"].as_text()["n"].astype(str).tolist() == ["36", "~45", "32"]
    told_pairs = told["phenotype/pairs"].as_text()
    assert told_pairs[["n", "n_exposed", "n_reference"]].iloc[0].astype(str).tolist() == ["~114", "~45", "36"]
    whole = means.assign(n=[36, 45, 33])
    told = suppress({"phenotype/means": whole, "survival/cox": models((114, 79))}, SMALL)
    assert sizes(told["phenotype/means"].as_text()) == [36, 45, 33]  # adds up to everybody: nothing to keep


def test_a_group_that_one_table_leaves_out_is_not_told_by_another():
    levels = {"never": 36, "former": 45, "current": 32}
    means = models(
        *((n, 0) for n in levels.values()), factor="smoking", level=list(levels), measure="mean years"
    )
    spread = means.rename(columns={"level": "group"}).assign(n=[36, 45, np.nan])
    told = suppress(
        {"phenotype/means": means, "phenotype/distributions": spread, "survival/cox": models((114, 79))},
        SMALL,
    )
    assert told["phenotype/means"].as_text()["n"].astype(str).tolist() == ["36", "45", "~30"]


def test_no_interval_tells_the_degrees_of_freedom():
    """A reader who solves the interval, the p-value and every digit for the degrees of freedom finds more than one that fits."""
    true, estimate, error = 18, 1.2345678, 0.4567891
    wide = stats.t.ppf(0.975, true) * error
    row = models(
        (20, 0), (21, 0), (21, 0), estimate=estimate, ci_lower=estimate - wide, ci_upper=estimate + wide, standard_error=error,
        p_value=2 * stats.t.sf(estimate / error, true), df_residual=true,
    )  # fmt: skip
    told = suppress({"phenotype/phenotypes": row}, SMALL)["phenotype/phenotypes"].as_text().iloc[0]
    assert told[["n", "df_residual", "standard_error"]].tolist() == ["~21", "[c]", "[c]"]

    def fits(df: int) -> bool:
        """Whether some estimate and error, within what rounding hides, give all that is told with so many degrees of freedom."""
        low, middle, high, p = (float(told[name]) for name in ("ci_lower", "estimate", "ci_upper", "p_value"))
        half = 10.0 ** (np.floor(np.log10(np.abs([low, middle, high, p]))) - 2) / 2
        widths = np.linspace((high - half[2] - low - half[0]) / 2, (high + half[2] - low + half[0]) / 2, 60)
        middles = np.linspace(middle - half[1], middle + half[1], 60)
        found = 2 * stats.t.sf(middles[:, None] / (widths / stats.t.ppf(0.975, df)), df)
        return bool((np.abs(found - p) <= half[3]).any())

    assert fits(true)
    assert sum(fits(df) for df in range(true - SMALL + 1, true + SMALL)) >= 3


def test_numbers_at_risk_whose_cause_is_known_are_not_the_difference_from_all():
    curve = pd.DataFrame(
        {"cohort": "north", "grouping": "all", "group": "all", "years": [0.0, 1.0, 2.0], "at_risk": [114, 90, 60], "entered": [114] * 3,
         "events": [0, 20, 45], "censored": [0, 4, 9]}
    )  # fmt: skip
    known = curve.assign(at_risk=[111, 88, 59], entered=111, events=[0, 19, 43])
    causes = models(
        (111, 76), grouping="all", group="all", cause="cancer", measure="died of cancer within 1 year"
    )
    told = suppress(
        {"survival/at_risk": curve, "survival/incidence_at_risk": known, "survival/competing_risks": causes, "survival/cox": models((114, 79))},
        SMALL,
    )  # fmt: skip
    table = told["survival/incidence_at_risk"].as_text()
    both = zip(sizes(told["survival/at_risk"].as_text(), "at_risk"), sizes(table, "at_risk"), strict=False)
    assert all(abs(first - second) >= SMALL for first, second in both)
    assert not sizes(table, "events")
    assert not sizes(table, "entered")


def flow_of(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["unit", "stage", "status", "reason", "n"]).assign(cohort="north")


def test_the_gate_refuses_tables_that_tell_two(tmp_path):
    write_table(models((114, 79)), tmp_path / "north" / "survival" / "cox.tsv")
    write_table(models((113, 79)), tmp_path / "pooled" / "phenotype" / "phenotypes.tsv")
    found = check_folder(tmp_path, Known(), SMALL)
    assert [(one.file, one.kind) for one in found] == [
        ("pooled/phenotype/phenotypes.tsv", "small difference")
    ]
    assert "113 people beside 114" in str(found[0])
    assert "publish" in str(found[0])
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as bundle:
        for path in tmp_path.rglob("*.tsv"):
            bundle.write(path, path.relative_to(tmp_path))
    assert any(one.kind == "small difference" for one in check_folder(tmp_path / "all.zip", Known(), SMALL))
    write_table(models((108, 79)), tmp_path / "pooled" / "phenotype" / "phenotypes.tsv")
    (tmp_path / "all.zip").unlink()
    assert check_folder(tmp_path, Known(), SMALL) == []


def test_a_group_left_out_in_one_table_is_told_by_none_and_no_band_inside_of_another():
    """9 people of 40 to 49 beside one person of 30 to 39, and 10 "under 50"."""
    bands = pd.DataFrame(
        {"cohort": "north", "age_lower": [30, 40, 50, 60], "n": [1, 9, 40, 64], "face_age_mean": 50.0}
    )
    defined = pd.DataFrame(
        {"cohort": "north", "definition": "loess", "age_lower": [40, 50, 60], "n": [9, 40, 64], "mean": 0.1}
    )
    fair = models((10, 0), (40, 0), (64, 0), population="everybody", within="", factor="age band",
                  group=["under 50", "50-59", "60 and over"], measure="mean error, years")  # fmt: skip
    told = suppress(
        {
            "acceleration/age_bands": bands,
            "acceleration/definition_bands": defined,
            "fairness/fairness": fair,
        },
        SMALL,
    )
    assert told["acceleration/age_bands"].as_text()["n"].astype(str).tolist() == ["[c]", "[c]", "40", "64"]
    assert told["acceleration/definition_bands"].as_text()["n"].astype(str).tolist()[0] == "[c]"
    assert 9 not in sizes(told["fairness/fairness"].as_text())
    assert 10 not in sizes(told["fairness/fairness"].as_text())


def test_a_cohort_is_not_what_all_cohorts_together_have_more():
    one = models(
        (4, 0), (30, 0), (40, 0), factor="sex", group=["other", "female", "male"], measure="mean error, years"
    )
    cohorts = [
        one.assign(cohort=name, n=n)
        for name, n in (("north", [4, 30, 40]), ("south", [20, 31, 44]), ("pooled", [24, 61, 84]))
    ]
    told = suppress({"fairness/fairness": pd.concat(cohorts, ignore_index=True)}, SMALL)[
        "fairness/fairness"
    ].as_text()
    pooled = told[told["cohort"] == "pooled"]["n"].astype(str).tolist()
    assert not pooled[0].isdigit()
    assert (
        sum(word.isdigit() for word in pooled) != len(pooled) - 1
    )  # nor is it what the sum of the others leaves


def test_people_of_one_level_in_all_subgroups_are_not_told_where_the_level_is_not():
    levels = {"never": 36, "former": 45, "current": 32}
    means = models(
        *((n, 0) for n in levels.values()), factor="smoking", level=list(levels), measure="mean years"
    )
    spread = means.rename(columns={"level": "group"}).assign(n=[36, 45, np.nan])
    parts = models((33, 0), (35, 0), exposure="smoking", modifier="sex", subgroup=["sex: female", "sex: male"],
                   n_exposed=[19, 13], n_reference=[14, 22], term="smoking: current vs never")  # fmt: skip
    raw = {
        "phenotype/means": means,
        "phenotype/distributions": spread,
        "phenotype/subgroups": parts,
        "survival/cox": models((114, 79)),
    }
    told = suppress(raw, SMALL)["phenotype/subgroups"].as_text()
    assert len(sizes(told, "n_exposed")) < 2
    assert sizes(told, "n_reference") == [14, 22]


def test_squares_that_are_left_empty_hold_nobody_or_many():
    bands = pd.DataFrame({"cohort": "north", "age_lower": [50, 60], "n": [31, 42], "face_age_mean": 50.0})
    squares = pd.DataFrame(
        {"cohort": "north", "age_lower": [50.0, 50.0, 50.0, 60.0, 60.0], "face_age_lower": [40.0, 50.0, 60.0, 60.0, 70.0],
         "width": 10.0, "n": [11, 10, 6, 20, 22]}
    )  # fmt: skip
    told = suppress({"acceleration/age_bands": bands, "phenotype/age_squares": squares}, SMALL)[
        "phenotype/age_squares"
    ].as_text()
    assert told["n"].astype(str).tolist() == ["11", "10", "[c]", "20", "22"]
