"""The two pages: what they say and what they never say."""

import base64
import gzip
import itertools
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from faceage_bio.core.columns import column_words
from faceage_bio.core.config import Config, check_config
from faceage_bio.core.results.reasons import encode, in_words, reason
from faceage_bio.core.results.result_tables import TABLES
from faceage_bio.core.results.row import result_rows
from faceage_bio.core.settings.settings_cohort import Cohort
from faceage_bio.core.settings.settings_photos import Rule
from faceage_bio.core.tables import write_table
from faceage_bio.release.bundle import result_tables
from faceage_bio.report import figures, sections_photos, words
from faceage_bio.report.pages import association_page, index_page, photo_page, survival_page
from faceage_bio.report.places import ASSOCIATION, FULL_ONLY, PHOTOS, SURVIVAL, not_in_core, runs
from faceage_bio.report.sections_cox import ages_sentence
from faceage_bio.report.tables_by_place import ReportTables, collect
from tests.conftest import DEMO_CONFIG, ROOT, jobs_planned, snakemake
from tests.report_studies import CARD, EVIL, HAZARD, config_of, write_study
from tests.rows import cases

pytestmark = pytest.mark.slow

DRAWN = CARD | {"name": "demo model (not FaceAge)", "synthetic": True}


def test_the_survival_page_prints_the_tests_of_all_terms_of_a_model(study):
    _, page = study()
    (row,) = re.findall(r'<tr><th scope="row">face age \+ age</th>((?:<td>[^<]*</td>)+)</tr>', page)
    expected = "2 | 31.26 | &lt; 0.001 | 29.74 | 0.034 | 33.52 | 0.022 | 90 | 40"
    assert " | ".join(re.findall(r">([^<]*)</td>", row)) == expected


@pytest.fixture
def study(tmp_path):
    def build(names=("one",), cards=(CARD,), config=None, **options):
        tables = collect(write_study(tmp_path, names, **options))
        settings = config or config_of(names)
        return association_page(tables, settings, list(cards)), survival_page(tables, settings, list(cards))

    return build


@pytest.fixture
def summary(tmp_path):
    def build(names=("one",), **options):
        return index_page(collect(write_study(tmp_path, names, **options)), config_of(names), [CARD])

    return build


def cells(page, label):
    """The cells of the key results' rows of a cohort, as text."""
    rows = re.findall(rf'<th scope="row"><a href="[^"]*">{label}</a>.*?</th>(.*?)</tr>', page)
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]
    return [[re.sub(r"<[^>]+>", "", cell) for cell in row] for row in rows]


def test_key_results_have_estimate_interval_p_counts_and_the_unadjusted_value(summary):
    page = summary()
    found = cells(page, "one")
    expected = [found[0][0].split("(")[1][:-1], found[0][3], found[0][4]]
    assert [words.interval(1.1, 2.05), "90", "40"] == expected
    assert found[0][0].startswith("1.50 (")
    assert found[0][5].startswith("1.50 (")
    assert found[0][2] == words.p_value(0.01)
    assert "HR for death per 10-year increase in face age, adjusted for age" in page
    assert "<i>CDK6</i> expression" in page
    assert "log2 fold change per 10-year increase in age acceleration, adjusted for smoking and sex" in page
    assert [row[3] for row in cells(page, "chronological age, same model")] == ["88"]
    assert "not for decisions about individual patients" in page


def test_key_results_say_what_was_not_run(summary):
    assert "<i>CDK6</i> expression" not in summary(rna=False)
    assert "Overall survival" not in summary(survival=False).split('<h2 id="figures"')[0]


def test_every_key_result_leads_to_its_place_on_another_page(summary, study):
    pages = dict(zip(("association.html", "survival.html"), study(("one", "two")), strict=True))
    links = re.findall(r'<th scope="row"><a href="([^"#]+)#([^"]+)"', summary(("one", "two")))
    assert len(links) >= 6
    for page, place in links:
        assert f' id="{place}"' in pages[page], (page, place)


def test_an_answer_from_few_deaths_says_so():
    few = reason("few_events_per_variable", n_events=5, terms=2, needed=10)
    row = HAZARD | {
        "estimate": 2.6,
        "ci_lower": 0.9,
        "ci_upper": 7.9,
        "p_value": 0.09,
        "n": 55,
        "n_events": 5,
    }
    cox = result_rows([row | {"per": "10 years", "reason": few}], "survival/cox")
    caution = (
        "Interpret with caution: sparse data: 5 events for 2 variables, fewer than 10 events per variable."
    )
    assert caution in words.hazard_sentence(cox)


def test_numbers_on_an_axis_stay_as_they_are_where_places_are_rounded():
    import altair as alt

    table = pd.DataFrame({"x": [0.02, 0.043], "y": [1.123456, 2.345678]})
    scale = alt.Scale(domain=[0.0, 0.06])
    chart = alt.Chart(table).mark_point(filled=True).encode(
        x=alt.X("x:Q", scale=scale, axis=alt.Axis(values=[0.025, 0.0375], format=".4f")), y="y:Q"
    )  # fmt: skip
    svg = figures.to_svg(chart, "two points")
    assert ">0.0250<" in svg
    assert ">0.0375<" in svg
    assert svg.count("<circle ") == 2
    assert not re.search(r'="[^"]*\d\.\d{3}', svg.split(">", 1)[1])


def test_no_table_or_figure_is_on_two_pages(tmp_path):
    tables, config = collect(write_study(tmp_path, ["one", "two"], opinion=True)), config_of(["one", "two"])
    association, survival, photos = (
        set(" ".join(re.findall(r'data-from="([^"]*)"', make(tables, config, [CARD]))).split())
        for make in (association_page, survival_page, photo_page)
    )
    assert min(len(association), len(survival)) > 1
    assert not association & survival
    assert not photos & (association | survival)


def not_run(page):
    """What the page lists as not run."""
    return re.search(r'<section aria-labelledby="not-run">.*?</section>', page, flags=re.DOTALL)[0]


def test_without_clinical_data_each_section_of_survival_is_one_line(study):
    association, survival = study(survival=False)
    assert "<li><strong>Cox models, sequentially adjusted</strong>: no follow-up</li>" in not_run(survival)
    assert '<h2 id="cox">' not in survival
    assert "Face ageing rate" not in association


def test_the_answers_show_a_few_deaths():
    base = {"estimate": 1.2, "ci_lower": 0.5, "ci_upper": 2.9, "p_value": 0.6, "n": 55, "n_events": 4}
    base["per"] = "10 years"
    cox = result_rows([base | HAZARD], "survival/cox")
    assert "n = 55, 4 events" in words.hazard_sentence(cox)
    rows = [
        base | {"term": term, "model": model, "step": "unadjusted"}
        for term in ("face_age", "chronological_age", "face age against age")
        for model in ("two models", "one model with both")
    ]
    assert "n = 55, 4 events" in ages_sentence(result_rows(rows, "survival/age_comparison"))


def test_words_of_a_user_are_escaped(study):
    for page in study(config=config_of(["one"], report={"title": EVIL, "governance": EVIL})):
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"repeat_photos": "nearest", "nearest_to": "diagnosis_date"}, "the one nearest to diagnosis_date was used"),
        ({"repeat_photos": "mean"}, "the mean was used"),
        ({"repeat_photos": "median"}, "the median of the first session (photos of one day) was used"),
        ({"repeat_photos": "median", "session_minutes": 30}, "the median of the first session (photos within 30 minutes) was used"),
    ],
)  # fmt: skip
def test_the_methods_tell_which_photo_counts(study, settings, said):
    for page in study(config=config_of(["one"], acceleration=settings)):
        assert said in page


def test_only_synthetic_models_are_called_drawn(study):
    for page in study():
        assert "Simulated participants" not in page
    for page in study(cards=[DRAWN]):
        assert page.count("the model is not FaceAge") >= 2
        assert '@top-center { content: "Demo: simulated participants' in page  # on each sheet of paper


def test_stages_that_did_not_run_are_shown(study):
    association, survival = study(rna=False, survival=False)
    assert "<strong>Gene expression</strong>: no RNA counts" in not_run(association)
    assert "<strong>Proportional hazards assumption</strong>: no Cox model to test" in not_run(survival)
    assert '<h2 id="genes">' not in association


def test_what_was_not_estimated_says_why_instead_of_a_number(study):
    association, survival = study()
    assert "not estimated, because all 90 participants have the same value" in association
    assert "not estimated, because ECOG does not vary" in survival
    assert ">nan<" not in (association + survival).lower()


def test_small_groups_are_shown(study):
    association, _ = study()
    assert "99.25" in "".join(data_of(association))  # mean of a band of three people
    assert ">3 no face found<" in association


def data_of(page):
    """The rows of each figure, as its download has them."""
    for text in re.findall(r'<script type="application/gzip" class="data">([^<]*)</script>', page):
        yield gzip.decompress(base64.b64decode(text)).decode()


def test_internal_pages_are_marked_and_others_are_not(tmp_path):
    tables = collect(write_study(tmp_path, ["one"]))
    config = config_of(["one"])
    for make in (index_page, association_page, survival_page, photo_page):
        page = make(tables, config, [CARD])
        assert "<title>INTERNAL: not for release – " in page
        assert '<p class="internal" role="note"><strong>INTERNAL: not for release.' in page
        assert '@top-right { content: "INTERNAL: not for release"' in page  # on each printed sheet
        assert "INTERNAL" not in make(tables, config, [CARD], internal=False)


def test_pages_of_tables_with_missing_numbers_are_made(tmp_path):
    tables = collect(write_study(tmp_path, ["one"], rna=False, opinion=True))
    bare = {
        place: table.assign(**{name: np.nan for name in ("n", "n_events", "estimate") if name in table})
        for place, table in tables.by_name.items()
    }
    config = config_of(["one"])
    for make in (index_page, association_page, survival_page, photo_page):
        assert ">nan<" not in make(ReportTables(bare), config, [CARD]).lower()


def test_a_second_opinion_is_told_with_its_limits(study, tmp_path):
    page, _ = study(opinion=True)
    assert "Other compared with FaceAge: bias +2.5 years" in page
    table = page[page.index("accuracy and prognosis of the age models") :]
    table = table[: table.index("</table>")]
    assert re.search(r"difference of Harrell&#39;s C.*?−0.03.*?0.004.*?88.*?41", table, re.DOTALL)
    assert "limits of agreement −6.5 to +11.5 years (n = 90)" in page
    config = config_of(["one"])
    config.cohorts["one"] = Cohort(photos="photos", manifest="manifest.tsv")
    photos = photo_page(collect(write_study(tmp_path, ["one"], opinion=True)), config, [CARD])
    assert "median, years" in photos
    assert "2.34" in photos
    assert any("7.875" in data for data in data_of(page))  # a band of three people
    without, _ = study()
    assert "Agreement with a second age model</strong>: one age model only" in without


def test_both_definitions_stand_together(study):
    association, _ = study()
    for covariates in ("none", "age, sex"):
        assert association.count(f'<td class="w">{covariates}</td>') == 2


# 20 cohorts, with hostile names: test_bad_input.py
@pytest.mark.parametrize("names", [["one"], ["one", "two", "three"]], ids=["1_cohort", "3_cohorts"])
def test_any_number_of_cohorts(study, names):
    association, survival = study(names=names, n_genes=1)
    for name in names:
        assert f"<h3>{name}</h3>" in association
        assert f'<div class="cohort" data-cohort="{name}" id="cox-{name}">' in survival


@pytest.mark.parametrize(
    ("value", "text"),
    cases("""
        0.0 | < 0.001
        0.00034 | < 0.001
        0.001 | 0.001
        0.0123 | 0.012
        0.9996 | > 0.999
        nan | –
    """),
)
def test_p_values_have_three_decimals_and_are_never_zero_or_one(value, text):
    assert words.p_value(float(value)) == text
    assert words.p_equals(float(value)) == (text if text[0] in "<>" else f"= {text}")


@pytest.mark.parametrize(
    ("value", "text"),
    cases("""
        0.0 | < 1e-300
        3.456e-45 | 3.5e-45
        9.99e-4 | 1.0e-3
        0.00012 | 1.2e-4
        0.0123 | 0.012
        nan | –
    """),
)
def test_p_values_of_genes_are_scientific(value, text):
    assert words.p_scientific(float(value)) == text


def test_a_confidence_interval_has_an_en_dash_unless_an_end_is_negative():
    assert words.interval(1.3, 2.084) == "1.30–2.08"
    assert words.interval(-0.04, 0.1) == "−0.04 to 0.10"
    assert words.with_ci(1.65, 1.3, 2.08) == "1.65 (1.30–2.08)"
    assert words.with_ci(1.65, float("nan"), float("nan")) == "1.65"


def test_brackets_of_a_sentence_hold_what_is_known():
    row = {"ci_lower": -0.3, "ci_upper": 1.2, "p_value": 0.2104}
    assert [words.percent(share) for share in (0.345, 1, math.nan, None)] == ["34%", "100%", "–", "–"]
    assert words.percents(0.0488, 0.0591, 1) == "4.9–5.9%"
    assert words.in_brackets(row, 1) == " (95% CI −0.3 to 1.2, p = 0.210)"
    assert words.in_brackets(row | {"ci_lower": float("nan"), "p_value": 1e-9}) == " (p < 0.001)"
    assert words.in_brackets(dict.fromkeys(row, float("nan"))) == ""


def test_the_unit_of_an_estimate_is_an_adjective():
    assert [words.increase(per) for per in ("10 years", "1 SD", "doubling")] == ["10-year increase", "1-SD increase", "doubling"]  # fmt: skip


def test_numbers_have_true_minus_signs():
    assert words.number(-1.234) == "−1.23"
    assert words.number(-0.001) == "0.00"
    assert words.signed(2) == "+2.0"
    assert words.count(3) == "3"
    assert words.count(1234) == "1,234"
    assert words.count(float("nan")) == "–"
    counted = [words.counted(n, "death") for n in (0, 1, 2, float("nan"))]
    assert counted == ["0 deaths", "1 death", "2 deaths", "– deaths"]


def test_columns_and_unknown_reasons_are_said_in_words():
    assert words.spoken("sex × skin_type: female, dark") == "sex × skin type: female, dark"
    assert words.spoken("ecog_like") == "ecog_like"  # a column of the user's own
    assert words.reason("missing_bmi") == "BMI not known"
    assert words.reason("some_new_code") == "some new code"


def test_columns_are_in_words_in_reasons_and_models():
    assert words.why_not(encode([reason("constant", column="ecog")])) == "ECOG does not vary"
    apart = encode([reason("not_nested", smaller="face_age", larger="face_age in equal")])
    assert in_words(apart).startswith(
        "not estimated, because the model with face age is not part of the model with face age in equal"
    )
    both = encode([reason("too_few_of_sex", sex=sex, n=4) for sex in ("female", "male")])
    few = "female: 4 participants are too few, or do not vary, and male: 4 participants are too few, or do not vary"
    assert (words.why_not(both), in_words(both)) == (few, f"not estimated, because {few}")
    without = encode([reason("without_constant", columns=["ecog", "tumour_purity", "bmi_class: under 18.5"])])
    assert in_words(without) == "without ECOG, tumour purity, BMI class: under 18.5, which does not vary"
    assert in_words(encode([reason("no_column", column="ecog_2")])).endswith("no column 'ecog_2'")
    assert column_words("age + ecog, natural spline") == "age + ECOG, natural spline"


@pytest.mark.parametrize(
    ("text", "printed"),
    cases("""
        50-59 | 50–59
        face age 65-75 vs <= 65 | face age 65–75 vs ≤65
        > 85 | >85
        >= 2 courses | ≥2 courses
        cut at -3.94, 4.2 | cut at −3.94, 4.2
        -5 to 5 | −5 to 5
        p < 0.05 | p < 0.05
        2025-01-02 | 2025-01-02
        HLA-A | HLA-A
        NKX2-5 | NKX2-5
        MIR-1-2 | MIR-1-2
        7-92462000-A-G | 7-92462000-A-G
        site-1 | site-1
    """),
)
def test_groups_of_numbers_have_en_dashes_and_names_keep_their_hyphens(text, printed):
    assert words.ranges(text) == printed


def test_tables_that_pages_read_have_en_dashes_in_their_groups(tmp_path):
    tables = collect(write_study(tmp_path, ["one"]))
    assert list(tables.get("acceleration", "age_bands")["age_band"]) == ["50–59", "60–69", "80–89"]
    assert list(tables.get("survival", "kaplan_meier")["group"].unique()) == ["all", "≤65", ">65"]


def test_names_keep_their_capitals_at_the_head_of_a_line():
    # Jinja's filter makes "ECOG" to "Ecog"
    templates = (ROOT / "faceage_bio" / "report" / "templates").glob("*.j2")
    assert [path.name for path in templates if re.search(r"\|\s*capitalize", path.read_text())] == []


def test_limits_of_quality_rules_have_true_minus_signs_and_thousands():
    rules = [
        ("swapped_channels", Rule(action="flag", threshold=-10)),
        ("high_sharpness", Rule(action="flag", threshold=1500)),
    ]
    assert words.quality_rules(rules, "flag") == "red and blue swapped (−10), too sharp for a photo (1,500)"


def test_headers_of_panels_are_drawn_in_the_colour_of_the_page():
    rows = pd.DataFrame(
        {"cohort": "one", "outcome": ["dark", "blurred"], "share": [1.0, 2.0], "status": ["excluded", "used, flagged"]}
    )  # fmt: skip
    drawn = sections_photos.draw_outcomes(rows, ["one"])
    texts = re.findall(r"<text[^>]*>[^<]*</text>", drawn)
    assert len(texts) > 4
    assert [text for text in texts if 'fill="currentColor"' not in text] == []


def test_what_is_written_in_a_figure_is_not_rounded():
    import altair as alt

    kinds = ["p below 0.05", 'said "x="0" 0.7512', "span 0.75"]
    table = pd.DataFrame({"x": [0.85, 0.875, 0.9], "kind": kinds})
    chart = alt.Chart(table).mark_point(opacity=0.16).encode(
        x=alt.X("x:Q", scale=alt.Scale(domain=[0.84, 0.91], nice=False), axis=alt.Axis(values=[0.85, 0.875], format=".3f")),
        color=alt.Color("kind:N", legend=alt.Legend(labelLimit=500)),
    )  # fmt: skip
    svg = figures.to_svg(chart, "A figure")
    for text in ("0.850", "0.875", "p below 0.05", "0.7512", "span 0.75", 'opacity="0.16"'):
        assert text in svg, text
    assert not re.search(r'transform="translate\(\d+\.\d{2}', svg)
    assert svg.count("aria-label") == 1


# `report.sections`: core runs and shows what a paper's main text needs, full everything; both by snakemake's own plan.


CORE = {  # of the issue: each analysis and the step that makes it
    "age acceleration": "compute_acceleration", "smoking, BMI, ECOG": "test_phenotypes", "site": "compare_groups",
    "site, hazard ratio": "fit_survival", "cancer against controls": "compare_groups", "CDK6 and the panel": "fit_expression",
    "CDK6, survival": "fit_gene_survival", "gene sets": "score_gene_sets", "Cox models": "fit_survival",
    "proportional hazards": "fit_survival", "Kaplan-Meier": "estimate_curves", "competing risks": "estimate_curves",
    "added value": "fit_survival", "scores": "compute_scores", "readers": "compare_readers",
}  # fmt: skip
LEFT_OUT = {
    "measure_repeats", "fit_association_sensitivity", "stress_photos", "fit_expression_sensitivity", "compare_composition", "fit_variants",
    "fit_survival_sensitivity",
}  # fmt: skip


def sections_config(sections: str) -> Config:
    content = {"cohorts": {"a": {"face_ages": "f.tsv"}}, "report": {"sections": sections}}
    return check_config(content)


def test_the_default_is_core_in_a_study_and_in_the_demo():
    assert yaml.safe_load(DEMO_CONFIG.read_text())["report"]["sections"] == "core"
    assert check_config({"cohorts": {"a": {"face_ages": "f.tsv"}}}).report.sections == "core"


@pytest.mark.workflow
def test_steps_that_only_full_needs_do_not_run_in_core(tmp_path):
    core, full = (
        jobs_planned(snakemake(tmp_path, "--dry-run", "--quiet", "rules", sections=sections).output)
        for sections in ("core", "full")
    )
    assert set(full) - set(core) == LEFT_OUT
    assert set(CORE.values()) <= set(core)
    left = sum(full.pop(name) for name in LEFT_OUT)
    assert core == full | {"total": full["total"] - left}


def test_each_table_of_full_is_a_result_that_a_rule_makes():
    rules = "\n".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    for table in (table for tables in FULL_ONLY.values() for table in tables):
        assert table in TABLES
        assert f"/{table}.tsv" in rules, table
        assert runs(table, "full")
        assert not runs(table, "core")
    assert runs("survival/cox", "core")


NOT_OF_CORE = {
    association_page: (
        "DNA variants of the prespecified genes",
        "Cancer and matched controls",
        "Adjustment sets",
    ),
    survival_page: ("Subgroup analyses", "Non-linearity of the hazard", "Sensitivity analyses"),
}


@pytest.mark.parametrize("page", NOT_OF_CORE)
def test_a_page_names_once_what_the_setting_left_out(page):
    tables = ReportTables({})
    shown = {sections: page(tables, sections_config(sections), []) for sections in ("core", "full")}
    line = "Only with <code>report.sections: full</code>: "
    assert shown["core"].count(line) == 1
    assert line not in shown["full"]
    named = re.search(re.escape(line) + r"(.*?)\.</p>", shown["core"])[1]
    pages = {association_page: ASSOCIATION, survival_page: SURVIVAL}
    assert named.split("; ") == not_in_core(pages[page], sections_config("core"))
    assert "All sections of this page were run" not in shown["core"]
    # and gives no other reason for it
    for heading in NOT_OF_CORE[page]:
        assert f"<li><strong>{heading}</strong>: no " in shown["full"]
        assert f"<strong>{heading}</strong>" not in shown["core"]


def test_each_heading_that_the_setting_leaves_out_is_on_one_page():
    left_out = {page: not_in_core(page, sections_config("core")) for page in (ASSOCIATION, SURVIVAL, PHOTOS)}
    assert sorted(itertools.chain(*left_out.values())) == sorted(FULL_ONLY)
    assert left_out[PHOTOS] == ["Robustness to image degradation"]
    assert {"Face ageing rate", "Non-linearity of the hazard"} <= set(left_out[SURVIVAL])
    assert not_in_core(SURVIVAL, sections_config("full")) == []


def test_publishing_leaves_the_tables_of_an_earlier_full_run_where_they_are(tmp_path):
    for place in ("a/survival/cox", "a/survival/subgroups"):
        path = Path(tmp_path / f"{place}.tsv")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_table(pd.DataFrame({"cohort": ["a"], "n": [12]}), path)
    assert set(result_tables(tmp_path, ["a"], "core")) == {"a/survival/cox"}
    assert set(result_tables(tmp_path, ["a"], "full")) == {"a/survival/cox", "a/survival/subgroups"}
