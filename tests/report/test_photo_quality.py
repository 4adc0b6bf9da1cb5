"""The page on photo quality: photos by what became of them, bins of measures, speed."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceage_bio.core.settings.settings_cohort import Cohort
from faceage_bio.core.tables import read_table, write_table
from faceage_bio.faces.faceage.photo_quality import (
    EDGES,
    bin_measures,
    count_photos,
    summarise_face_ages,
    summarise_speed,
)
from faceage_bio.report import sections_photos
from faceage_bio.report.pages import photo_page
from faceage_bio.report.plot import COHORTS
from faceage_bio.report.tables_by_place import ReportTables, collect
from tests.commands import output_of
from tests.pages import check_structure
from tests.photo_rows import OUTCOMES, face_ages, people
from tests.report_studies import CARD, config_of


def test_every_photo_is_counted_once_in_all_and_once_in_each_column():
    table = count_photos(face_ages([60, 10, 8, 1, 2], again=6), people(), ["sex", "site", "not there"])
    counted = table[table.measure == "photos"]
    assert counted.groupby("factor").estimate.sum().to_dict() == {"all": 81, "sex": 81, "site": 81}
    assert counted[(counted.factor == "all") & (counted.photo_reason == "no_face")].estimate.item() == 8
    assert set(counted[counted.factor == "site"].group) == {"lung", "not known"}
    assert table[table.measure == "duplicate photos"].estimate.item() == 6


def test_groups_of_a_categorical_column_keep_its_order():
    bands = ["under 50", "50-59", "60 and over"]
    people_ = people().assign(**{"age band": pd.Categorical(["60 and over", "under 50"] * 20, bands)})
    counted = count_photos(face_ages([60, 10, 8, 1, 2]), people_, ["age band"])
    assert list(dict.fromkeys(counted[counted.factor == "age band"].group)) == ["under 50", "60 and over"]


def test_shares_of_flagged_and_excluded_photos_by_subgroup():
    """Of 30 photos of women 3 are flagged, of 30 photos of men 6 excluded."""
    ages = face_ages([60, 0, 0, 0, 0]).assign(subject_id=[f"s{k}" for k in range(30)] * 2)
    ages.loc[[0, 2, 4], ["status", "reason"]] = ["flagged", "blurred"]
    ages.loc[[1, 3, 5, 7, 9, 11], ["status", "reason"]] = ["excluded", "no_face"]
    shown = sections_photos.cohort_photos(count_photos(ages, people(), ["sex"]), "one")
    expected = [("female", 30, "0 (0.0%)", "3 (10.0%)"), ("male", 30, "6 (20.0%)", "0 (0.0%)")]
    assert shown["factors"][0]["shares"] == expected
    assert shown["not_compared"] == ["age band", "skin type"]


def test_the_command_counts_by_sex_age_and_skin_type(tmp_path):
    ages = face_ages([60, 10, 8, 1, 2])
    clinic = people().assign(chronological_age=np.linspace(40, 90, 40), skin_type=["I", "IV"] * 20)
    ages.to_parquet(tmp_path / "ages.parquet")
    clinic.to_parquet(tmp_path / "people.parquet")
    output_of(
        f"summarise-photos --face-ages {tmp_path / 'ages.parquet'} "
        f"--participants {tmp_path / 'people.parquet'} --results {tmp_path} "
        "--set fairness.age_cut_points=60"
    )
    counts = read_table(tmp_path / "one" / "faceage" / "photo_counts.tsv")
    assert set(counts.factor) == {"all", "sex", "age band", "skin_type"}
    assert list(dict.fromkeys(counts[counts.factor == "age band"].group)) == ["under 60", "60 and over"]


def test_a_photo_that_stands_in_two_cohorts_is_flagged_in_the_ledger_of_each(tmp_path):
    """Each cohort was gathered by itself and saw nothing of it; excluded photos flag no participant."""
    options = []
    for name in ("one", "two"):
        ages = face_ages([3, 0, 1, 0, 0]).assign(
            cohort=name, photo_id=[f"{name}{k}" for k in range(4)], face_age=50.0, face_age_sd=np.nan
        )
        ages["pixel_hash"] = [f"{name}0", "shared", f"{name}2", "shared too"]
        ages["perceptual_hash"] = [
            f"{k}{name == 'two':d}" * 32 if k in (0, 2) else f"{k}f" * 32 for k in range(4)
        ]
        ages.to_parquet(tmp_path / f"{name}.parquet")
        people().to_parquet(tmp_path / "people.parquet")
        options += [
            "--face-ages",
            str(tmp_path / f"{name}.parquet"),
            "--participants",
            str(tmp_path / "people.parquet"),
        ]
    output_of(f"summarise-photos --results {tmp_path}", *options)
    for name in ("one", "two"):
        folder = tmp_path / name / "faceage"
        ledger = read_table(folder / "ledger.tsv").set_index("photo_id")
        flag = "same_photo_of_another_subject"
        assert ledger.loc[f"{name}1", ["status", "reason"]].tolist() == ["flagged", flag]
        assert list(ledger["status"]) == ["included", "flagged", "included", "excluded"]
        summary = read_table(folder / "summary.tsv")
        assert summary.set_index("level").estimate[["ok", "flagged", "excluded"]].tolist() == [2, 1, 1]
        shared = pd.read_parquet(folder / "shared_photos.parquet")
        assert shared.to_dict("list") == {"cohort": [name], "subject_id": ["s1"], "photo_id": [f"{name}1"], "flags": [flag]}  # fmt: skip


def test_bins_hold_every_photo_with_a_measure():
    ages = face_ages([60, 10, 8, 1, 2])
    ages.loc[:8, "sharpness"] = np.nan
    bins = bin_measures(ages)
    sums = bins.groupby("measure").n.sum()
    assert sums["sharpness"] == 81 - 9
    assert sums["abs_yaw"] == 81
    small = bins[(bins.measure == "photo_short_side") & (bins.lower == 0)].n.item()
    assert small == (ages.width < 160).sum()
    assert set(bins.measure) == set(EDGES)


def test_speed_leaves_out_what_was_partly_done_before():
    runs = [
        {"device": "cpu", "workers": 2, "photos": 100, "seconds": 50.0},
        {"device": "cpu", "workers": 2, "photos": 100, "seconds": 30.0},
        {"device": "cpu", "workers": 2, "photos": 900, "seconds": None},
    ]
    row = summarise_speed(runs, "one").iloc[0]
    assert (row.photos, row.seconds) == (200, 80.0)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=5, max_size=5).filter(any))
def test_every_outcome_has_its_number(numbers):
    shown = sections_photos.cohort_photos(count_photos(face_ages(numbers), people(), ["sex"]), "one")
    lines = {(line.status, line.reason): line.n for line in shown["lines"]}
    assert lines == {key: n for key, n in zip(OUTCOMES, numbers, strict=True) if n}
    assert shown["came"] == sum(numbers)
    assert shown["aged"] == numbers[0] + numbers[1]
    for factor in shown["factors"]:
        assert sum(factor["sums"]) == sum(numbers)
        for line, by_group in factor["lines"]:
            assert sum(by_group) == lines[line.status, line.reason]


def test_photos_whose_number_is_missing_have_dashes():
    counts = count_photos(face_ages([40, 0, 3, 0, 1], again=2), people(), ["sex"])
    counts["estimate"] = counts["estimate"].where(counts["estimate"] > 5)
    tables = ReportTables({("faceage", "photo_counts"): counts.assign(note="")})
    config = config_of(["one"])
    config.cohorts["one"] = Cohort(photos="photos", manifest="manifest.tsv")
    page = photo_page(tables, config, [CARD])
    assert "40 of – photos (–%) with a face age" in page
    assert re.search(r"no face found</th><td>–<", page)
    assert "– exact or near duplicates under another name" in page


def page_of(numbers: list[int], name: str = "one") -> str:
    ages = face_ages(numbers).assign(cohort=name)
    tables = ReportTables({
        ("faceage", "photo_counts"): count_photos(ages, people(), ["sex"]).assign(note=""),
        ("faceage", "photo_measures"): bin_measures(ages), ("faceage", "photo_speed"): summarise_speed([], name),
    })  # fmt: skip
    config = config_of([name])
    config.cohorts[name] = Cohort(photos="photos", manifest="manifest.tsv")
    return photo_page(tables, config, [CARD])


def test_the_page_tells_reasons_measures_and_rules():
    page = page_of([160, 20, 18, 6, 12])
    check_structure(page)
    assert "180 of 216 photos (83%) with a face age" in page
    assert re.search(r"no face found</t[dh]>\s*<td>(<[^>]*>)?18<", page), re.findall(
        r".*no face found.*", page
    )
    assert "Sharpness (variance of the Laplacian)" in page
    assert 'data-from="one/faceage/photo_counts"' in page
    assert "Quality rules: criterion, threshold, action" in page


def test_few_photos_are_shown():
    words = "<strong>Exclusions and flags</strong>: no photos: face ages were given"
    assert words in photo_page(ReportTables({}), config_of(["one"]), [CARD])
    assert "3 of 3 photos (100%) with a face age" in page_of([3, 0, 0, 0, 0])
    page = page_of([30, 1, 1, 0, 0])
    assert "31 of 32 photos (97%) with a face age" in page
    assert re.search(r"no face found</th><td>1<", page)
    assert re.search(r"face blurred</th><td>1<", page)
    assert not re.search(r"not told|fewer than|&lt; 5", page)


def test_photos_of_which_there_is_nothing_to_say(tmp_path):
    path = tmp_path / "one" / "faceage" / "photo_counts.tsv"
    path.parent.mkdir(parents=True)
    write_table(count_photos(face_ages([40, 0, 0, 0, 0]), people(), ["sex"]), path)
    counts = collect([path]).get("faceage", "photo_counts")
    told = sections_photos.cohort_photos(counts, "one")
    assert (told["came"], told["aged"]) == (40, 40)
    assert [(line.status, line.n) for line in told["lines"]] == [("ok", 40)]


def test_a_cohort_keeps_its_colour_where_others_are_not_shown():
    rows = pd.DataFrame({"bin": "below 5", "cohort": ["south"], "share": [60]})
    svg = sections_photos.draw_measure(rows, ["below 5"], "Roll (head tilted)", ["north", "south"])
    assert COHORTS[1] in svg
    assert COHORTS[0] not in svg


# What is said of a cohort's face ages as a whole.


def ages(**more):
    return pd.DataFrame({
        "cohort": "c", "status": ["ok", "ok", "flagged", "excluded"], "face_age": [50.0, 60, 70, np.nan],
        "face_age_sd": [1.0, 3, 8, np.nan],
    }).assign(**more)  # fmt: skip


def value(rows, term, measure):
    found = rows[(rows.term == term) & (rows.measure == measure)]
    assert len(found) == 1
    return found.iloc[0]


def test_every_photo_is_counted_once_and_uncertainty_is_over_those_aged():
    rows = summarise_face_ages(ages())
    assert list(rows[rows.term == "photos"].estimate) == [2, 1, 1]
    assert set(rows[rows.term == "photos"].n) == {4}
    median = value(rows, "standard deviation of a face age", "median")
    assert (median.estimate, median.n) == (3, 3)
    assert value(rows, "standard deviation of a face age", "95th percentile").estimate == pytest.approx(7.5)
    assert not rows.term.str.contains("bfloat16").any()


def test_what_was_not_asked_for_is_not_reported():
    rows = summarise_face_ages(ages(face_age_sd=np.nan))
    assert set(rows.term) == {"photos"}


def test_the_error_of_half_precision_has_no_sign():
    rows = summarise_face_ages(ages(precision_error=[-0.5, 0.25, np.nan, np.nan]))
    assert value(rows, "bfloat16 against float32", "largest absolute difference").estimate == 0.5
    assert value(rows, "bfloat16 against float32", "mean absolute difference").estimate == 0.375
    assert value(rows, "bfloat16 against float32", "mean absolute difference").n == 2
