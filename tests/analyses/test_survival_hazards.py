"""What is asked of the Cox models: planted departures are found, none where none are, and the page tells them."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceage_bio.analyses.survival.cox_models import Choices
from faceage_bio.analyses.survival.proportional import hazard_curve, proportional_hazards
from faceage_bio.analyses.survival.sequential_models import compare_ages, sequential_cox_models
from faceage_bio.analyses.survival.subgroups import compare_sites, subgroup_hazards
from faceage_bio.analyses.survival.survival_sensitivity import impute_full_model, sensitivity
from faceage_bio.core.errors import CohortError
from faceage_bio.core.settings.settings_acceleration import Imputation
from faceage_bio.core.settings.settings_survival import Survival
from faceage_bio.core.steps import STEPS
from faceage_bio.core.tables import write_table
from faceage_bio.report.pages import survival_page
from faceage_bio.report.tables_by_place import collect
from faceage_bio.report.words import p_value
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_likelihood import split_follow_up
from tests.commands import output_of
from tests.report_studies import CARD, ages_tables, config_of
from tests.rows import worded
from tests.survival_studies import died, people

CHOICES = Choices(10, ["sex"], ["ecog"])


def fading(n=900, seed=4):
    """Face age matters in the first year only."""
    data = people(n=n, seed=seed)
    random = np.random.default_rng(seed)
    effect = np.exp(0.09 * (data.face_age - 64))
    early = random.exponential(1, n) / (0.3 * effect)
    late = 1 + random.exponential(1, n) / 0.3
    death = np.where(early < 1, early, late)
    leave = random.uniform(2, 7, n)
    return data.assign(followup_years=np.minimum(death, leave), event=(death <= leave).astype(float))


def test_a_hazard_ratio_that_fades_is_found_and_its_remedies_tell_how():
    found = proportional_hazards(fading(), Choices(10, [], []), "c", Survival(alpha=0.05, split_years=[1.0]))
    tests = found.tests.set_index("term")
    assert tests.p_value["face_age"] < 1e-4
    assert tests.p_value["GLOBAL"] < 1e-4
    rows = found.remedies[found.remedies.term == "face_age"]
    periods, rows = rows[rows.period.notna()].set_index("period"), rows.set_index("measure")
    first, second = periods.loc["0 to 1 years"], periods.loc["after 1 years"]
    assert first.ci_lower > 1.5
    assert second.ci_lower < 1.1 < first.ci_lower
    change = rows.loc["interaction chi-square"]
    assert change.df == 1
    assert change.p_value < 1e-4
    assert rows.ci_upper["ratio of hazard ratios"] < 1
    assert rows.per["ratio of hazard ratios"] == "10 years, for each doubling of time"
    assert rows.horizon["hazard ratio"].max() == 1
    lived = found.remedies[found.remedies.remedy == "years lived"]
    last = lived.iloc[-1]
    assert (last.measure, last.horizon, last.level, last.reference) == (
        "difference of restricted mean survival time", 3, "highest tertile", "lowest tertile",
    )  # fmt: skip
    assert lived.ci_upper.iloc[-1] < 0
    # the smooth curve reaches from the first death to the last, also where no bin has its mean
    own = found.curve[found.curve.term == "face_age"]
    ends = own.groupby("kind")["years"].agg(["min", "max"])
    assert ends.loc["smooth", "min"] < ends.loc["binned", "min"]
    assert ends.loc["smooth", "max"] > ends.loc["binned", "max"]
    smooth = found.curve[(found.curve.kind == "smooth") & (found.curve.term == "face_age")]
    assert smooth.hazard_ratio.iloc[0] > 1.5 > smooth.hazard_ratio.iloc[-1]
    binned = found.curve[found.curve.kind == "binned"]
    assert (binned.n_events >= 5).all()


def test_years_lived_are_not_told_where_all_at_risk_died_before_others_entered():
    data = fading()
    youngest = data.age_acceleration.nsmallest(len(data) // 2).index
    late = data.loc[youngest[1:]]
    data = data.drop(late.index[late.followup_years <= 0.5])
    data["entry_years"] = np.where(data.index.isin(late.index), 0.5, np.nan)
    data.loc[youngest[0], ["entry_years", "followup_years", "event"]] = [np.nan, 0.3, 1.0]
    found = proportional_hazards(data, Choices(10, [], []), "c", Survival(alpha=0.999, split_years=[1.0]))
    lived = worded(found.remedies[found.remedies.remedy == "years lived"])
    assert lived.estimate.isna().all()
    assert lived.note.str.contains("all who were at risk died before others entered").all()


def test_a_stretch_without_deaths_has_no_hazard_ratio():
    found = proportional_hazards(fading(), Choices(10, [], []), "c", Survival(alpha=0.05, split_years=[50.0]))
    why = "not estimated, because a period of follow-up has 0 deaths; declare other survival.split_years"
    assert (worded(found.remedies).note == why).any()


def test_a_group_that_one_completed_table_lacks_is_not_pooled(monkeypatch):
    def uneven(table, m, iterations, seed):
        whole = table.assign(sex=table.sex.ffill().bfill())
        return [whole, whole.assign(sex="female")]

    monkeypatch.setattr("faceage_bio.analyses.survival.survival_sensitivity.impute", uneven)
    gappy = people(n=200)
    gappy.loc[:20, "sex"] = None
    rows = worded(impute_full_model(gappy, CHOICES, "c", Imputation(m=2, iterations=1, seed=1)))
    assert rows.note.iloc[-1] == "not estimated, because a group is empty in one of the completed tables"


def test_a_factor_that_is_not_proportional_becomes_strata():
    data = fading()
    swapped = data.assign(sex=np.where(data.face_age > data.face_age.median(), "male", "female"))
    found = proportional_hazards(
        swapped, Choices(10, ["sex"], []), "c", Survival(alpha=0.9, split_years=[1.0])
    )
    strata = found.remedies[found.remedies.remedy == "strata"]
    assert set(strata.term) >= {"face_age"}
    assert not strata.term.str.startswith("sex").any()
    assert worded(strata).note.str.contains("strata of sex; p of the whole model's test").all()


def test_proportional_hazards_are_let_be():
    found = []
    for seed in range(40):
        data = people(n=250, seed=seed)
        died_of = died(data, 0.05 * (data.face_age - 64), seed)
        tests = proportional_hazards(died_of, Choices(10, [], []), "c", Survival(alpha=1e-9)).tests
        found.append(tests.set_index("term").p_value["GLOBAL"])
    assert np.mean(np.array(found) < 0.05) < 0.17
    assert 0.35 < np.mean(found) < 0.65


def test_few_deaths_make_no_curve_and_no_invented_test():
    data = people(n=60)
    data["event"] = (np.arange(60) < 3).astype(float)
    found = proportional_hazards(data, CHOICES, "c", Survival())
    assert found.curve.empty
    curves = hazard_curve(data, CHOICES, "c")
    assert curves.curve.empty
    notes = worded(curves.rows).note.str.cat(sep=" ")
    assert "too few" in notes or "no curve below 5 events per variable" in notes


def test_a_model_without_a_curve_leaves_those_of_the_others():
    # 14 deaths; 8 among those whose sex is known, too few for two bins
    data = people(n=80)
    data["event"] = (np.arange(80) < 14).astype(float)
    data["sex"] = data["sex"].where(np.arange(80) >= 6)
    found = proportional_hazards(data, Choices(10, ["sex"], []), "c", Survival())
    assert set(found.curve.step) == {"+ age"}
    assert found.tests.groupby("step").estimate.count().min() > 0
    assert set(found.tests.step) == {"+ age", "+ sex"}


def test_a_bent_hazard_is_found_and_a_straight_one_is_not():
    data = people(n=700)
    bent = died(data, 0.008 * data.age_acceleration**2 - 0.5)
    found = hazard_curve(bent, Choices(10, [], []), "c")
    assert found.rows.p_value.iloc[0] < 1e-4
    curve = found.curve
    lowest = curve.years[curve.hazard_ratio.idxmin()]
    assert abs(lowest) < 4
    assert found.histogram.n.sum() == len(bent)
    straight = hazard_curve(died(data, 0.06 * data.age_acceleration), Choices(10, [], []), "c")
    assert straight.rows.p_value.iloc[0] > 0.01
    assert straight.rows.p_value.iloc[1] < 1e-6
    at_zero = np.interp(0, straight.curve.years, straight.curve.hazard_ratio)
    assert at_zero == pytest.approx(1, rel=0.02)


def with_sites(n=700, seed=1):
    data = people(n=n, seed=seed)
    return data.assign(site=np.random.default_rng(seed).choice(["lung", "breast", "throat"], n))


def test_a_hazard_that_differs_between_sites_is_found():
    data = with_sites()
    effect = data.site.map({"lung": 0.12, "breast": 0.0, "throat": -0.05})
    rows = compare_sites(died(data, effect * (data.face_age - 64)), "site", CHOICES, "c")
    tests = rows[rows.subgroup.isna()]
    assert (tests.p_value < 1e-6).all()
    assert (tests.measure.iloc[0], tests.df.iloc[0]) == ("interaction chi-square", 2)
    alone = rows[(rows.step == "unadjusted") & rows.subgroup.notna()].set_index("subgroup")
    assert alone.ci_lower["lung"] > 1 > alone.ci_upper["throat"]
    assert (alone.q_value >= alone.p_value).all()
    same = compare_sites(died(data, 0.06 * (data.face_age - 64)), "site", CHOICES, "c")
    assert (same[same.subgroup.isna()].p_value > 0.01).all()


def test_sites_without_deaths_or_without_sites_say_so():
    data = with_sites(n=200)
    data.loc[data.site == "throat", "event"] = 0.0
    rows = worded(compare_sites(data, "site", CHOICES, "c"))
    assert "without throat, with fewer than 5 deaths" in rows[rows.subgroup.isna()].note.iloc[0]
    assert "too few" in rows[rows.subgroup == "throat"].note.iloc[0]
    rows = worded(compare_sites(data.assign(site=None), "site", CHOICES, "c"))
    assert rows.note.tolist()[0] == "not estimated, because no participant has a value of site"
    rows = worded(compare_sites(data.assign(site="lung"), "site", CHOICES, "c"))
    assert rows.note.tolist()[0] == "not estimated, because site does not vary"
    data["event"] = (data.site == "lung") * data.event
    rows = worded(compare_sites(data, "site", CHOICES, "c"))
    assert "fewer than 2 groups have 5 deaths" in rows[rows.subgroup.isna()].note.iloc[0]
    with pytest.raises(CohortError, match="no column 'clinic'"):
        compare_sites(data, "clinic", CHOICES, "c")


def test_participants_of_photos_in_two_cohorts_count_as_flagged(tmp_path):
    path = tmp_path / "follow_up.parquet"
    people(n=200).assign(flags=["blurred"] + [""] * 199, site=["a", "b"] * 100).to_parquet(path)
    other = {"cohort": "d", "subject_id": "s9", "photo_id": "x", "flags": "same_photo_of_another_subject"}
    shared = pd.DataFrame([other | {"cohort": "c", "subject_id": f"s{k}"} for k in (0, 1, 1, 2)] + [other])
    shared.to_parquet(tmp_path / "shared.parquet")
    counted = {}
    models = "--set survival.covariates=ecog --set survival.sequential_adjustment=sex"
    command = f"fit-survival-sensitivity --participants {path} --set survival.imputation.m=2 {models}"
    for name, extra in (("own", ""), ("both", "--shared-photos shared.parquet")):
        output_of(f"{command} --output {name} {extra}", folder=tmp_path)
        rows = pd.read_csv(tmp_path / name / "sensitivity.tsv", sep="\t")
        without = rows[rows.people == "without photos flagged for their quality"]
        counted[name] = without.left_out.unique().tolist()
    assert counted == {"own": [1], "both": [3]}


def choices_of(data, **more):
    options = {"early_death_years": 0.5, "gap_classes": (-5.0, 10.0)} | more
    return worded(sensitivity(data, CHOICES, "c", **options))


def test_sensitivity_leaves_out_whom_it_says():
    data = people(n=400).assign(
        age_gap=lambda d: d.face_age - d.chronological_age,
        flags=["dark", ""] * 200,
        low_resolution=pd.array([True, False, False, None] * 100, dtype="boolean"),
        valid_age=lambda d: d.chronological_age >= 60,
    )
    rows = choices_of(data)
    own = rows[(rows.model == "face age + age")].set_index("people")
    assert own.n["without photos flagged for their quality"] == 200
    assert own.n["without faces of low resolution"] == 200  # of unknown size is not known to be large
    assert own.n["without ages outside the valid band"] == (data.chronological_age >= 60).sum()
    late = own.loc["at risk from 0.5 years on, without early deaths"]
    assert late.n == (data.followup_years > 0.5).sum()
    assert (own.left_out + own.n == 400).all()
    classes = rows[rows.exposure == "gap_class"]
    assert classes.level.tolist()[:2] == ["-5 years and below", "10 years and above"]
    assert (classes.reference == "between").all()
    assert classes.n_level.tolist()[:2] == [(data.age_gap <= -5).sum(), (data.age_gap >= 10).sum()]
    assert classes.estimate.iloc[0] < 1 < classes.estimate.iloc[1]
    unknown = choices_of(data.drop(columns=["flags", "low_resolution", "valid_age"]))
    note = unknown[unknown.people == "without faces of low resolution"].note.iloc[0]
    assert note.startswith("not estimated")


def test_imputation_brings_back_what_complete_cases_lose():
    data = people(n=1500, seed=7)
    noise = np.random.default_rng(1).normal(0, 0.7, 1500)
    data["ecog"] = np.clip((data.face_age - 60) / 8 + noise, 0, 4).round()
    data = died(data, 0.05 * (data.face_age - 64) + 0.3 * (data.ecog - 1))
    truth = sequential_cox_models(data, CHOICES, "c")
    truth = truth[(truth.step == "full") & (truth.term == "ecog") & (truth.exposure == "face_age")].iloc[0]
    gappy = data.copy()
    # those who died early and are ill lack it more often
    early = (data.event == 1) & (data.followup_years < 1.5)
    lost = np.random.default_rng(2).random(1500) < np.where(early, 0.7, 0.1)
    gappy.loc[lost, "ecog"] = np.nan
    rows = impute_full_model(gappy, CHOICES, "c", Imputation(m=8, iterations=3, seed=1))
    rows = rows[rows.term == "ecog"].set_index("missing")
    off = (np.log(rows.estimate) - np.log(truth.estimate)).abs()
    assert off["multiple imputation"] < 0.1
    assert rows.n.to_dict() == {"complete cases": int((~lost).sum()), "multiple imputation": 1500}
    assert rows.missing_information["multiple imputation"] > 0.05
    again = impute_full_model(gappy, CHOICES, "c", Imputation(m=2, iterations=1, seed=1))
    pd.testing.assert_frame_equal(
        again, impute_full_model(gappy, CHOICES, "c", Imputation(m=2, iterations=1, seed=1))
    )
    whole = worded(impute_full_model(data, CHOICES, "c", Imputation(m=2, iterations=1, seed=1)))
    assert "no participant lacks a covariate" in whole.note.iloc[-1]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 12), st.booleans()), min_size=1, max_size=30),
    st.lists(st.floats(0.1, 25), max_size=6),
)
def test_cut_follow_up_is_the_same_follow_up(rows, cuts):
    entry = np.array([row[0] for row in rows], dtype=float)
    years = entry + np.array([row[1] for row in rows], dtype=float)
    event = np.array([row[2] for row in rows], dtype=float)
    spells = split_follow_up(years, event, entry, cuts)
    assert (spells.stop > spells.start).all()
    np.testing.assert_allclose((spells.stop - spells.start).groupby(spells.row).sum(), years - entry)
    np.testing.assert_array_equal(spells.event.groupby(spells.row).sum(), event)
    assert set(spells.row) == set(range(len(rows)))


def test_cutting_follow_up_leaves_the_hazard_ratio_alone():
    data = people(n=150)
    spells = split_follow_up(data.followup_years, data.event, None, [0.5, 1, 2.5])
    design = data[["face_age"]].iloc[spells.row].reset_index(drop=True)
    cut = fit_cox(spells.stop, spells.event, design, spells.start).terms
    whole = fit_cox(data.followup_years, data.event, data[["face_age"]]).terms
    np.testing.assert_allclose(cut.log_hazard_ratio, whole.log_hazard_ratio, rtol=1e-9)


def page_of(tmp_path, data, name="mine", **survival):
    ph = proportional_hazards(data, CHOICES, name, Survival())
    curve = hazard_curve(data, CHOICES, name)
    tables = {
        "cox": sequential_cox_models(data, CHOICES, name), "age_comparison": compare_ages(data, CHOICES, name),
        "proportional_hazards": ph.tests, "proportional_hazards_curve": ph.curve, "remedies": ph.remedies,
        "hazard_curve_tests": curve.rows, "hazard_curve": curve.curve, "hazard_curve_histogram": curve.histogram,
        "sites": compare_sites(data, "site", CHOICES, name), "sensitivity": choices_of(data).drop(columns="note"),
        "subgroups": subgroup_hazards(data, ["sex", "chronological_age", "site"], CHOICES, name, split_age=65.0),
        "imputed": impute_full_model(data, CHOICES, name, Imputation(m=2, iterations=1, seed=1)),
    }  # fmt: skip
    placed = dict(ages_tables(name)) | {f"survival/{key}.tsv": table for key, table in tables.items()}
    for place, table in placed.items():
        write_table(table.assign(cohort=name), tmp_path / name / place)
    paths = [tmp_path / name / place for place in placed]
    return survival_page(collect(paths), config_of([name], **survival), [CARD])


def subgroup_forest(page):
    """The figure of subgroups on a page."""
    figures = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    return next(svg for svg in figures if "p (q) for interaction" in svg)


@pytest.mark.slow
def test_the_page_tells_all_of_it(tmp_path):
    data = with_sites(n=400).assign(age_gap=lambda d: d.face_age - d.chronological_age)
    data.loc[:20, "ecog"] = np.nan
    page = page_of(tmp_path, data)
    for words in (
        "Proportional hazards assumption</h2>", "Non-linearity of the hazard</h2>", "Heterogeneity between sites</h2>", "Subgroup analyses</h2>",
        "chronological age: under 65", "Sensitivity analyses</h2>", "Face age compared with chronological age</h4>",
        "interaction chi-square, 2 df", "non-linearity chi-square, 2 df", "whole model", "without ages outside the valid band",
        "−5 years and below", "complete cases and multiple imputation", "deaths, 21 with imputed values", "cox.zph",
    ):  # fmt: skip
        assert words in page, words
    assert page.count("<svg") >= 6
    forest = subgroup_forest(page)
    for words in ("all participants", "sex: male", "site: throat", "Events", "p (q) for interaction"):
        assert f">{words}</text>" in forest, words
    tests = pd.read_csv(tmp_path / "mine" / "survival" / "subgroups.tsv", sep="\t")
    first = tests[(tests.modifier == "sex") & tests.p_interaction.notna()].iloc[0]
    assert f">{p_value(first.p_interaction)} ({p_value(first.q_interaction)})</text>" in forest
    assert "<strong>Proportional hazards assumption</strong>" not in page  # not listed as not run
    assert not re.search(r"[>( ]nan\b", page)


def test_a_site_of_few_participants_is_not_shown(tmp_path):
    data = with_sites(n=300).assign(age_gap=lambda d: d.face_age - d.chronological_age)
    data.loc[:3, "site"] = "secret place"
    page = page_of(tmp_path, data)
    rows = [row for row in page.split("<tr") if "secret place" in row]
    assert rows
    shown = [row for row in rows if 'class="ci"' in row]
    assert not shown, shown


def test_few_deaths_stand_beside_a_subgroup(tmp_path):
    data = with_sites(n=300).assign(age_gap=lambda d: d.face_age - d.chronological_age)
    died_of = data.index[data.sex == "male"]
    data.loc[died_of, "event"] = (np.arange(len(died_of)) < 7).astype(float)
    page = page_of(tmp_path, data)
    forest = subgroup_forest(page)
    row = forest.partition(">sex: male</text>")[2].partition(">sex: female<")[0]
    assert f">{len(died_of)}</text>" in row
    assert ">7</text>" in row


@pytest.mark.slow
def test_every_command_runs_on_a_plain_table(tmp_path):
    data = with_sites(n=150).assign(ecog=lambda d: d.ecog.where(np.arange(150) > 10))
    columns = ["face_age", "chronological_age", "sex", "ecog", "site", "followup_years", "event"]
    data[columns].to_csv(tmp_path / "people.csv", index=False)
    few = "added_value.bootstraps=2 imputation.m=2 imputation.iterations=1 landmark_years=0.2 firth=true alpha=0.9"
    chosen = f"{few} split_age=60 sequential_adjustment=sex covariates=ecog".split()
    for name in ("prepare-follow-up", "fit-survival", "fit-survival-sensitivity"):
        used = tuple(STEPS[name].uses)
        options = [f"--set survival.{word}" for word in chosen if f"survival.{word}".startswith(used)]
        output_of(f"{name} --participants people.csv --output . {' '.join(options)}", folder=tmp_path)
    ledger = pd.read_csv(tmp_path / "ledger.tsv", sep="\t", dtype=str)
    assert ledger.reason.value_counts().to_dict()["missing_ecog"] >= 5
    assert (pd.read_csv(tmp_path / "sites.tsv", sep="\t").subgroup.dropna().unique()).tolist() != []
    assert "under 60" in pd.read_csv(tmp_path / "subgroups.tsv", sep="\t").subgroup.tolist()
    assert pd.read_csv(tmp_path / "cox.tsv", sep="\t").step.str.contains("Firth").any()
