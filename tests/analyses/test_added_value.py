"""What face age adds: the stage, its command, and the report's section."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from faceage_bio.analyses.survival.added_value import AddedValue
from faceage_bio.analyses.survival.added_value import added_value as measured
from faceage_bio.analyses.survival.cox_models import Choices
from faceage_bio.analyses.survival.predictions import Outcome
from faceage_bio.analyses.survival.predictions import _at as calibration_at
from faceage_bio.core.columns import AGES_COMPARED
from faceage_bio.core.errors import CohortError
from faceage_bio.core.results.reasons import in_words, reason
from faceage_bio.core.settings.settings_survival import AddedValue as Settings
from faceage_bio.report import sections_added_value as section
from faceage_bio.report.pages import survival_page
from faceage_bio.report.tables_by_place import collect
from faceage_bio.stats.concordance import concordance
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_fit import likelihood_ratio_test
from tests.browser import check_width
from tests.commands import output_of
from tests.report_studies import config_of, survival_tables
from tests.rows import collected, worded

CHOICES = Choices(steps=("sex",), covariates=("sex", "ecog"))
FIRST, CLINICAL = "beyond age and sex", "beyond age and the clinical covariates"


AGE_AND_SEX = Choices(steps=("sex",), covariates=())


def people(n=300, seed=0, effect=0.08, longest=6.0) -> pd.DataFrame:
    """Simulated participants whose hazard rises with age, and with age acceleration by ``effect`` per year."""
    generator = np.random.default_rng(seed)
    age, acceleration = generator.uniform(50, 85, n), generator.normal(0, 6, n)
    sex, ecog = generator.choice(["female", "male"], n), generator.integers(0, 4, n).astype(float)
    hazard = np.exp(0.05 * (age - 65) + effect * acceleration + 0.3 * ecog - 1)
    death, lost = generator.exponential(size=n) / hazard, generator.uniform(0.3, longest, n)
    ecog[:12] = np.nan
    return pd.DataFrame({
        "subject_id": [str(i) for i in range(n)], "chronological_age": age, "face_age": age + acceleration,
        "age_acceleration": acceleration, "sex": sex, "ecog": ecog, "site": generator.choice(["lung", "breast"], n),
        "followup_years": np.minimum(death, lost), "event": (death <= lost).astype(float), "entry_years": np.nan,
    })  # fmt: skip


def added_value(table, choices, cohort, **settings):
    found = measured(table, choices, cohort, Settings(**settings))
    return AddedValue(worded(found.rows), worded(found.calibration), worded(found.decisions))


@pytest.fixture(scope="module")
def found():
    return added_value(people(), CHOICES, "c", bootstraps=8)


def of(table, **wanted):
    for column, value in wanted.items():
        table = table[table[column] == value]
    return table


def measures_of(table, measure, **wanted):
    """A measure of both models and its difference."""
    return of(table[table.measure.isin([measure, f"difference of {measure}"])], **wanted)


def test_both_models_stand_on_identical_rows(found):
    table = people()
    rows = found.rows
    assert list(dict.fromkeys(rows.comparison)) == [FIRST, CLINICAL, AGES_COMPARED]
    assert rows.groupby("comparison").n.nunique().eq(1).all()
    assert of(rows, comparison=CLINICAL).n.iloc[0] == table.ecog.notna().sum()
    assert of(rows, comparison=FIRST).n.iloc[0] == len(table)
    complete = table[table.ecog.notna()]
    design = complete[["chronological_age", "ecog", "face_age"]].assign(male=complete.sex == "male")
    design = design.astype(float)
    seen = (complete.followup_years, complete.event)
    small, large = fit_cox(*seen, design.drop(columns="face_age")), fit_cox(*seen, design)
    test = of(rows, comparison=CLINICAL, kind="test").iloc[0]
    assert (test.measure, test.df) == ("likelihood-ratio chi-square", 1)
    chi_square, _, p = likelihood_ratio_test(small, large)
    np.testing.assert_allclose([test.estimate, test.p_value], [chi_square, p], rtol=1e-8)
    c = measures_of(rows, "Harrell's C", comparison=CLINICAL)
    scores = np.column_stack(
        [
            part.to_numpy() @ fit.terms.log_hazard_ratio.to_numpy()
            for part, fit in ((design.drop(columns="face_age"), small), (design, large))
        ]
    )
    expected = concordance(*seen, scores)
    np.testing.assert_allclose(of(c, kind="model").estimate, expected.value, rtol=1e-9)
    difference = of(c, kind="difference").iloc[0]
    paired = expected.difference(1, 0)
    for name in ("estimate", "ci_lower", "p_value"):
        assert difference[name] == pytest.approx(getattr(paired, name), rel=1e-6)


def test_every_measure_has_both_models_and_their_difference(found):
    for question in (FIRST, CLINICAL, AGES_COMPARED):
        rows = of(found.rows, comparison=question)
        for measure in ("Harrell's C", "Uno's C", "integrated Brier score"):
            assert list(measures_of(rows, measure).kind) == ["model", "model", "difference"]
        for measure in ("AUC", "Brier score", "scaled Brier score"):
            for time in (0.5, 1.0, 2.0):
                mine = measures_of(rows, measure, horizon=time)
                assert list(mine.kind) == ["model", "model", "difference"]
                assert mine.corrected.notna().all()
                for column, rtol in (("estimate", 1e-12), ("corrected", 1e-9)):
                    old, new, difference = mine[column]
                    np.testing.assert_allclose(difference, new - old, rtol=rtol)
    expected = ["face age added to age", "age added to face age"]
    assert list(of(found.rows, comparison=AGES_COMPARED, kind="test").term) == expected


def test_calibration_and_decisions_of_every_time(found):
    for question in (FIRST, CLINICAL, AGES_COMPARED):
        mine = of(found.calibration, comparison=question)
        slopes = of(mine, kind="slope")
        np.testing.assert_allclose(slopes.estimate, 1, rtol=1e-6)
        assert slopes.corrected.notna().all()
        large = of(mine, kind="in the large")
        assert list(large.horizon) == [0.5, 1, 2] * 2
        assert ((large.ci_lower < 1) & (large.ci_upper > 1)).all()
        assert of(mine, kind="group").groupby(["model", "horizon"]).size().eq(5).all()
        assert len(of(mine, kind="distance")) == 3 * 3 * 2
        curves = of(found.decisions, comparison=question)
        assert set(curves.horizon) == {0.5, 1, 2}
        assert (of(curves, term="treat none").estimate == 0).all()


def test_an_effect_that_was_planted_is_found_and_a_permuted_one_is_not():
    table = people(400, effect=0.09)
    planted = of(added_value(table, CHOICES, "c", bootstraps=0).rows, comparison=FIRST)
    assert of(planted, kind="test").p_value.iloc[0] < 1e-4
    assert of(planted, measure="difference of Harrell's C").ci_lower.iloc[0] > 0
    shuffled = np.random.default_rng(4).permutation(table.age_acceleration)
    shuffled = table.assign(face_age=table.chronological_age + shuffled)
    idle = of(added_value(shuffled, CHOICES, "c", bootstraps=0).rows, comparison=FIRST)
    assert of(idle, kind="test").p_value.iloc[0] > 0.05
    for measure in ("Harrell's C", "AUC", "Brier score"):
        difference = of(idle, measure=f"difference of {measure}")
        assert ((difference.ci_lower < 0) & (difference.ci_upper > 0)).all()
    assert idle.optimism.isna().all()


def test_terms_that_tell_nothing_make_a_model_look_better_than_it_is():
    table = people(120)
    idle = [f"idle_{number}" for number in range(12)]
    table[idle] = np.random.default_rng(8).normal(size=(len(table), len(idle)))
    found = added_value(
        table, Choices(steps=("sex",), covariates=idle), "c", times_years=[1.0], bootstraps=12
    )
    for measure, better in (("Harrell's C", 1), ("AUC", 1), ("Brier score", -1)):
        many = of(found.rows, comparison=CLINICAL, kind="model", measure=measure)
        few = of(found.rows, comparison=FIRST, kind="model", measure=measure)
        assert (many.optimism * better > 0.01).all()
        assert (many.optimism * better > few.optimism.to_numpy() * better).all()
    slopes = of(found.calibration, comparison=CLINICAL, kind="slope").corrected
    assert (slopes < 0.9).all()


def test_a_slope_that_leaps_between_samples_is_not_corrected_and_says_so():
    table = people(40)
    rng = np.random.default_rng(5)
    age = rng.normal(60, 5, 40)  # tells nothing of survival
    table = table.assign(chronological_age=age, face_age=age + rng.normal(0, 3, 40))
    found = added_value(table, CHOICES, "c", times_years=[1.0], bootstraps=20).calibration
    slopes = of(found, kind="slope")
    lost = slopes[slopes.corrected.isna()]
    assert 0 < len(lost) < len(slopes)
    assert lost.estimate.notna().all()
    assert lost.note.str.contains("slope not corrected for optimism").all()
    assert not slopes[slopes.corrected.notna()].note.str.contains("not corrected").any()


def test_the_seed_fixes_the_bootstrap():
    table = people(120)
    one, same, other = (
        added_value(table, AGE_AND_SEX, "c", times_years=[1.0], bootstraps=4, seed=seed).rows.optimism
        for seed in (1, 1, 2)
    )
    pd.testing.assert_series_equal(one, same)
    assert not np.allclose(one.dropna(), other.dropna())


def test_a_time_that_few_reach_says_so():
    table = people(60, longest=1.5)
    found = added_value(table, CHOICES, "c", times_years=[0.01, 0.5, 4.0], bootstraps=0)
    areas = measures_of(found.rows, "AUC", comparison=FIRST).set_index("horizon")
    assert areas.note[0.01] == "not estimated, because fewer than 10 had died by then"
    assert areas.note[4.0] == "not estimated, because fewer than 10 were still followed then"
    assert areas.estimate[0.5].notna().all()
    assert found.calibration.note.str.contains("fewer than 10 had died by then").any()
    assert found.decisions.note.str.contains("still followed then").any()
    deathless = added_value(table.assign(event=0.0), CHOICES, "c")
    assert set(deathless.rows.note) == {"not estimated, because fewer than 10 participants died"}
    assert not len(deathless.calibration)
    never = added_value(table, CHOICES, "c", times_years=[9.0], bootstraps=2).rows
    assert measures_of(never, "Uno's C").note.str.contains("at each of the times").all()


def test_delayed_entry_tells_what_it_can():
    table = people(250)
    late = table.assign(entry_years=table.followup_years * 0.3)
    found = added_value(late, CHOICES, "c", times_years=[1.0], bootstraps=3)
    assert measures_of(found.rows, "AUC").note.str.contains("a participant enters late").all()
    assert measures_of(found.rows, "Uno's C").estimate.isna().all()
    assert of(found.rows, measure="Harrell's C").estimate.notna().all()
    assert of(found.rows, measure="Harrell's C").corrected.notna().all()
    assert of(found.calibration, kind="in the large").estimate.notna().all()


def test_strata_and_clusters():
    table = people(250)
    table["hospital"] = np.arange(len(table)) // 5
    found = added_value(table, replace(AGE_AND_SEX, strata=("site",)), "c", bootstraps=4).rows
    assert list(dict.fromkeys(found.comparison)) == [FIRST, AGES_COMPARED]
    assert of(found, measure="AUC").corrected.notna().all()
    plain, clustered = (
        of(added_value(table, replace(AGE_AND_SEX, cluster=cluster), "c", bootstraps=2).rows, measure="Harrell's C")
        for cluster in (None, "hospital")
    )  # fmt: skip
    np.testing.assert_allclose(plain.estimate, clustered.estimate)
    assert not np.allclose(plain.ci_lower, clustered.ci_lower)


def test_one_cluster_tells_no_error_of_a_slope():
    table = people(250).assign(hospital="one")
    found = added_value(table, replace(AGE_AND_SEX, cluster="hospital"), "c", bootstraps=0).calibration
    slopes = of(found, kind="slope")
    assert slopes.estimate.isna().all()
    assert set(slopes.note) == {"not estimated, because 1 cluster is too few for robust errors of 1 term"}


def test_no_threshold_is_certain_death():
    table = people(250)
    late = table.assign(event=1.0, entry_years=table.followup_years * 0.9)
    decisions = added_value(late, CHOICES, "c", bootstraps=0).decisions
    known = decisions[decisions.threshold.notna()]
    assert known.threshold.between(0.01, 0.99).all()
    assert np.isfinite(known.estimate).all()


def test_a_column_that_is_not_there_is_told():
    with pytest.raises(CohortError, match="no column 'stage'"):
        added_value(people(60), Choices(steps=("stage",), covariates=()), "c", bootstraps=0)


def test_the_command_runs_on_a_plain_table(tmp_path):
    table = people(120).drop(columns=["age_acceleration", "entry_years"])
    table.to_csv(tmp_path / "people.tsv", sep="\t", index=False)
    models = "--set survival.sequential_adjustment=[] --set survival.covariates=sex,ecog"
    gain = "--set survival.added_value.bootstraps=5 --set survival.added_value.times_years=0.5,1"
    output = output_of(f"fit-survival --participants people.tsv {models} {gain} --output .", folder=tmp_path)
    assert "15 of 15 bootstrap samples" in output
    assert "people: beyond age and sex, face age added: p" in output
    assert set(pd.read_csv(tmp_path / "added_value.tsv", sep="\t").horizon.dropna()) == {0.5, 1.0}


# the report


def write_page(folder, found):
    cox = next(part for name, part in survival_tables("c") if name.endswith("cox.tsv"))
    tables = {"cox": cox, "added_value": found.rows, "calibration": found.calibration}
    tables["decision_curve"] = found.decisions
    placed = {
        f"c/survival/{name}": part.drop(columns="note", errors="ignore") for name, part in tables.items()
    }
    return survival_page(collected(folder, placed), config_of(["c"]), [])


@pytest.fixture(scope="module")
def page(tmp_path_factory, found):
    return write_page(tmp_path_factory.mktemp("page"), found)


def test_the_page_says_it_in_a_sentence(page, found):
    c = of(found.rows, comparison=FIRST, measure="Harrell's C")
    low, high = of(c, kind="model").estimate
    text = " ".join(page.split())
    for words in (
        f"In the same 300 participants ({c.n_events.iloc[0]:.0f} deaths), adding face age to age and sex increased Harrell&#39;s C-index from {low:.3f} to {high:.3f} "
        f"(difference +{high - low:.3f}",
        "Face age adds prognostic information to this model (likelihood-ratio test, p &lt; 0.001)", "face age adds prognostic information to age", "AUC at 6 months", "AUC at 24 months",
        "calibration slope and observed/expected ratio at each time",
    ):  # fmt: skip
        assert words in text
    assert text.count("<figcaption><b>Decision curves") == 3


def test_sentences_for_nothing_added_and_for_nothing_known(found):
    sparse = reason("few_events_per_variable", n_events=32, terms=10, needed=10).encoded
    rows = of(found.rows, comparison=FIRST).assign(reason=sparse)
    idle = rows.assign(p_value=rows.p_value.mask(rows.kind == "test", 0.4))
    told = section.sentence(idle)
    words = "No evidence that face age adds prognostic information to this model (likelihood-ratio test, p = 0.400); this is not evidence of no added value"
    assert words in told
    caution = (
        "Interpret with caution: sparse data: 32 events for 10 variables, fewer than 10 events per variable."
    )
    assert told.endswith(caution)
    hidden = worded(rows.assign(reason=reason("redacted", k=6).encoded)).assign(reason=rows.reason)
    told = section.sentence(hidden.assign(estimate=rows.estimate.where(rows.kind == "test")))
    assert "deaths): Harrell's C-index redacted: a count of 6 or fewer" in told
    assert "Face age adds prognostic information to age and sex (likelihood-ratio test, p < 0.001)" in told
    assert "–" not in told
    none = added_value(people(60).assign(event=0.0), CHOICES, "c", bootstraps=0).rows
    told = section.sentence(of(none, comparison=FIRST))
    assert told == "Beyond age and sex: not estimated, because fewer than 10 participants died."


def test_the_page_without_deaths_times_or_tables_says_why(tmp_path):
    def told(folder, table, **settings):
        found = added_value(table, AGE_AND_SEX, "c", bootstraps=0, **settings)
        return write_page(tmp_path / folder, found)

    assert "fewer than 10 participants died" in told("a", people(60).assign(event=0.0))
    assert "fewer than 10 were still followed then" in told("b", people(80), times_years=[9.0])
    late = people(150)
    text = told("c", late.assign(entry_years=late.followup_years / 3), times_years=[1.0])
    assert "a participant enters late" in text
    bare = survival_page(collect([tmp_path / "c" / "c" / "survival" / "cox.tsv"]), config_of(["c"]), [])
    assert "<strong>Added prognostic value</strong>: no follow-up, or too few events" in bare


def test_every_calibration_point_and_every_threshold_is_drawn(found, monkeypatch):
    drawn = {}
    for name in ("draw_calibration", "draw_decisions"):
        monkeypatch.setattr(section, name, lambda rows, *_, name=name: drawn.update({name: rows}) or "")
    parts = [of(table, comparison=FIRST) for table in (found.rows, found.calibration, found.decisions)]
    section._question(*parts)
    assert (drawn["draw_calibration"].kind == "group").sum() == 30
    assert len(drawn["draw_decisions"]) == parts[2].estimate.notna().sum()
    few = drawn["draw_decisions"].n_high.dropna()
    assert few.between(1, 4).any()


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 360])
def test_the_section_fits_the_screen(tmp_path, page, width, browser):
    check_width(browser, page, tmp_path, width)
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def test_a_group_of_risk_without_deaths_has_no_interval():
    years, event = np.append(np.arange(31.0, 61), np.arange(1.0, 31)), np.repeat([0.0, 1.0], 30)
    outcome = Outcome(years, event, None, None, None)
    rows = pd.DataFrame(calibration_at(np.repeat([0.1, 0.6], 30), outcome, 20.0, 2))
    groups = rows[rows.kind == "group"]
    assert groups.estimate.iloc[0] == 0
    assert groups[["ci_lower", "ci_upper"]].isna().all(axis=1).tolist() == [True, False]


def test_differences_between_nested_models_are_marked_as_conservative(found):
    apart = found.rows[(found.rows.kind == "difference") & found.rows.estimate.notna()]
    marked = apart.reason.fillna("").str.contains("nested_models")
    assert (marked == (apart.comparison != AGES_COMPARED)).all()
    assert "conservative; the likelihood-ratio test is the test" in in_words(apart.reason[marked].iloc[0])
    assert not of(found.rows, kind="test").reason.fillna("").str.contains("nested_models").any()
