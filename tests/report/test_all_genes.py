"""Every gene of a cohort on the page: the numbers travel small and unchanged, the picture stays small, a browser finds and sorts."""

import base64
import gzip
import itertools
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceage_bio.analyses.expression.counts import choose_samples
from faceage_bio.analyses.expression.expression_stage import result_tables
from faceage_bio.analyses.expression.gene_models import VOOM
from faceage_bio.analyses.expression.permuted_acceleration import calibrate_tests
from faceage_bio.core.settings.settings_genes import Expression
from faceage_bio.report import sections_all_genes as module
from faceage_bio.report import words
from faceage_bio.report.key_results import key_results
from faceage_bio.report.pages import association_page, survival_page
from faceage_bio.report.plot import ticks
from faceage_bio.report.sections_all_genes import brief, volcano
from faceage_bio.report.sections_genes import gene_section
from faceage_bio.report.table_rows import together
from faceage_bio.report.tables_by_place import ReportTables
from tests import pages
from tests.gene_studies import expression_study
from tests.pages import PANEL, page_of, panel_of, real_looking, tables, unpacked
from tests.report_studies import CARD, config_of
from tests.rows import collected


@given(st.floats(-1e6, 1e6), st.integers(0, 3))
def test_a_number_in_few_digits_is_printed_as_the_whole_number_is(value, digits):
    def say(number):
        return words.number(number, digits)

    assert say(float(brief(value, say))) == say(value)


@given(st.floats(1e-12, 1))
def test_a_p_value_in_few_digits_is_printed_as_the_whole_one_is(value):
    say = words.p_scientific
    assert say(float(brief(value, say))) == say(value)
    assert brief(value, say) == pytest.approx(value, rel=0.05)  # its dot moves by 0.02 of −log10 p


def test_ties_are_decided_before_a_browser_rounds_them():
    assert brief(0.125, lambda value: words.number(value, 2)) == 0.12  # Python's, to the even digit


@pytest.mark.parametrize(("low", "high"), [(-0.3, 0.3), (0, 310), (0, 0), (60, 60), (-1e-9, 1e-9), (-7, 7)])
def test_ticks_are_round_and_reach_both_ends(low, high):
    found = ticks(low, high)
    assert found[0] <= low
    assert found[-1] >= high
    assert 2 <= len(found) <= 9
    assert len({round(b - a, 9) for a, b in itertools.pairwise(found)}) == 1


@pytest.mark.slow
def test_three_cohorts_of_20000_genes_are_whole_and_below_3_mb():
    page = page_of(["one", "two", "three"], 20_000)
    assert sum(len(one["data"]) for one in unpacked(page)) <= module.BUDGET
    assert len(page.encode()) < 3_000_000
    assert "with the largest p are not in" not in page
    shown = unpacked(page)
    assert [len(one["columns"][0]) for one in shown] == [20_000] * 3
    assert page.count('class="volcano"') == 3
    genes = tables(["one"], 20_000).get("expression", "genes").sort_values("p_value", kind="stable")
    assert shown[0]["columns"][0] == genes.term.tolist()
    at = next(cell["at"] for cell in shown[0]["cells"] if cell["kind"] == "estimate")
    estimate, lower, beyond = (np.array(shown[0]["columns"][at + place], dtype=float) for place in range(3))
    upper = 2 * estimate - lower + beyond / 100
    for name, mine in (("estimate", estimate), ("ci_lower", lower), ("ci_upper", upper)):
        assert np.abs(mine - genes[name].to_numpy()).max() <= 0.005 + 1e-9


def test_more_genes_than_fit_are_said_and_the_panel_stays(monkeypatch):
    monkeypatch.setattr(module, "BUDGET", 60_000)
    page = page_of(["one", "two"], 6_000)
    for one in unpacked(page):
        names = one["columns"][0]
        assert set(PANEL) <= set(names)
        assert 500 < len(names) < 3_000
        assert f"the {6_000 - len(names):,} genes with the largest p are not in the table" in page
        assert len(one["data"]) <= 30_000


def test_a_picture_of_60000_genes_is_small_and_names_its_panel():
    genes = real_looking("one", 60_000)
    genes.loc[genes.term.isin(PANEL), ["p_value", "q_value"]] = [1e-9, 1e-4]
    for raster in (True, False):
        svg = volcano(genes, PANEL, "Log2", "All genes", raster=raster)
        assert len(svg) < 150_000
        assert svg.count("<image") == raster
        assert [name for name in PANEL if f">{name}</text>" in svg] == PANEL


def test_a_released_page_has_no_raster_picture_and_an_internal_one_keeps_its_words_as_text():
    found = tables(["one"], 6_000)
    internal, released = (
        association_page(replace(found, released=one), config_of(["one"], expression={"panel": PANEL}), [CARD], internal=not one)
        for one in (False, True)
    )  # fmt: skip
    assert internal.count("<image") == 1
    assert "<image" not in released
    for page in (internal, released):
        figure = re.search(r'<figure class="volcano".*?</figure>', page, flags=re.DOTALL)[0]
        assert "−log10 p</text>" in figure
        assert "Not significant (n = " in figure


def test_a_volcano_counts_colours_and_names_genes_by_direction():
    n = 400
    genes = pd.DataFrame({
        "term": [f"G{k}" for k in range(n)], "estimate": np.linspace(-1, 1, n),
        "p_value": 0.5, "q_value": 0.9,
    })  # fmt: skip
    genes.loc[:4, ["p_value", "q_value"]] = [1e-5, 0.01]  # down
    genes.loc[n - 15 :, "p_value"] = np.logspace(-20, -6, 15)  # up
    genes.loc[n - 15 :, "q_value"] = 1e-4
    svg = volcano(genes, ["G2", "G200"], "Log2", "All genes")
    for shown in ("Up, q &lt; 0.05 (n = 15)", "Down, q &lt; 0.05 (n = 5)", "Not significant (n = 380)", "Prespecified (n = 2)", "q = 0.05"):  # fmt: skip
        assert f">{shown}</text>" in svg, shown
    named = re.findall(r'font-style="italic"[^>]*>(G\d+)</text>', svg)
    # the ten strongest, and of the panel the gene that is significant
    assert set(named) == {f"G{k}" for k in range(n - 15, n - 5)} | {"G2"}
    height = float(re.search(r'd="M58 ([\d.]+)H940" fill="none"[^>]*stroke-dasharray="6 4"', svg)[1])
    low, high, start, end = map(float, re.search(r'data-up="([^"]+)"', svg)[1].split())
    at = low + (height - start) / (end - start) * (high - low)
    assert -np.log10(0.5) < at < 5  # between the last gene below the threshold and the first above it
    assert "q = 0.05" not in volcano(genes.assign(q_value=1.0), [], "Log2", "All genes")


def named(n_genes: int, cohorts: list[str]) -> ReportTables:
    """Genes by symbols, with the identifiers that a mapping at intake leaves, the same in all cohorts."""
    parts = [real_looking(name, n_genes, seed) for seed, name in enumerate(cohorts)]
    for part in parts:
        number = part.index.to_numpy()
        part["gene_id"] = [f"ENSG{k * 7919 % 300_007:011d}" for k in number]
        part["term"] = [part.term[k] if k < len(PANEL) else f"S{k * 7907 % 99_991:05d}" for k in number]
    genes = pd.concat(parts)
    return ReportTables({("expression", "genes"): genes, ("expression", "panel"): panel_of(genes)})


def page_of_named(found: ReportTables, *cohorts: str) -> str:
    return association_page(found, config_of(list(cohorts), expression={"panel": PANEL}), [CARD])


def packed_ids(page: str) -> str:
    return re.search(r'<script type="application/json" class="gene-ids">(.*?)</script>', page)[1]


def ids_on(page: str) -> dict[str, str]:
    unzipped = gzip.decompress(base64.b64decode(json.loads(packed_ids(page))))
    return dict(zip(*json.loads(unzipped), strict=True))


@pytest.mark.slow
def test_identifiers_of_a_mapping_stand_on_the_page_once_and_within_the_room():
    cohorts = ["one", "two", "three"]
    found = named(20_000, cohorts)
    page = page_of_named(found, *cohorts)
    genes = found.get("expression", "genes")
    assert ids_on(page) == dict(zip(genes.term, genes.gene_id, strict=True))
    assert page.count('class="gene-ids"') == 1
    assert sum(len(one["data"]) for one in unpacked(page)) + len(packed_ids(page)) <= module.BUDGET
    assert "with the largest p are not in" not in page
    assert "Find a gene, by symbol or Ensembl identifier" in page
    assert [cell["kind"] for cell in unpacked(page)[0]["cells"]][:3] == ["name", "id", "estimate"]


def test_identifiers_take_their_space_from_the_tables(monkeypatch):
    monkeypatch.setattr(module, "BUDGET", 140_000)
    page = page_of_named(named(6_000, ["one", "two"]), "one", "two")
    size = len(packed_ids(page))
    assert 20_000 < size < 100_000
    assert sum(len(one["data"]) for one in unpacked(page)) + size <= 140_000
    assert "with the largest p are not in" in page


TWO_IDS = "ENSG00000105810 ENSG00000999999"


@pytest.mark.parametrize(
    ("given", "title", "expected"),
    [
        ([1021, 7157.0, np.nan], "Identifier", {"CDK6": "1021", "TP53": "7157", "CDKN2A": "ENSG00000147889"}),
        ([TWO_IDS, None, None], "Ensembl", {"CDK6": TWO_IDS}),
    ],
)
def test_identifiers_of_another_kind_several_or_none(given, title, expected):
    genes = real_looking("one", 3).assign(gene_id=given)
    page = module.PageGenes.of(ReportTables({("expression", "genes"): genes}))
    assert page.title == title
    assert expected.items() <= page.ids.items()
    assert page.ids.keys() == set(PANEL)  # the declared table knows those that have none
    bare = module.PageGenes.of(ReportTables({}))
    assert (bare.ids, bare.packed, bare.room) == ({}, "", module.BUDGET)


def test_one_gene_is_a_table_and_a_picture():
    page = page_of(["one"], 1)
    assert "1 genes were tested" in page
    assert unpacked(page)[0]["columns"][0] == ["CDK6"]


def test_names_of_one_place_do_not_stand_on_each_other():
    names = [f"GENE{k}" for k in range(12)]
    table = pd.DataFrame({"term": names, "estimate": 0.5, "p_value": 1e-6, "q_value": 0.01})
    svg = volcano(table, names, "Log2", "All genes")
    found = re.findall(r'<text x="([\d.]+)" y="([\d.]+)"[^>]*font-style="italic"', svg)
    places = [(float(x), float(y)) for x, y in found]
    assert len(places) >= 8
    for k, (x, y) in enumerate(places):
        assert not [1 for other in places[:k] if abs(other[0] - x) < 36 and abs(other[1] - y) < 12]


def opened(browser, page, folder):
    """The explorer of genes on a page, ready, and the texts of its rows before its script ran."""
    (folder / "page.html").write_text(page)
    browser.get((folder / "page.html").as_uri())
    static = rows_of(browser)
    browser.execute_script("document.querySelector('.explorer').scrollIntoView()")
    browser.implicitly_wait(10)
    return browser.find_element("css selector", ".explorer[data-ready]"), static


def rows_of(browser) -> list[list[str]]:
    rows = "[...document.querySelectorAll('.explorer tbody tr')]"
    return browser.execute_script(
        f"return {rows}.map((row) => [...row.cells].map((cell) => cell.textContent))"
    )


@pytest.mark.browser
def test_a_browser_finds_sorts_and_names_genes(tmp_path, browser):
    place, static = opened(browser, page_of(["one"], 20_000), tmp_path)
    genes = real_looking("one", 20_000, 0)
    script = browser.execute_script

    def rows():
        return rows_of(browser)

    assert len(static) == 10
    assert rows() == static  # the script writes numbers as Python does
    place.find_element("css selector", ".more").click()
    assert len(rows()) == 60
    field = place.find_element("css selector", "input[type=search]")
    field.send_keys("cdk6")
    assert [row[0] for row in rows()] == ["CDK6"]
    assert place.find_element("css selector", ".found").text == "1 of 20,000 genes"
    assert "CDK6" in place.find_element("css selector", ".tip").text
    script("document.querySelector('.explorer tbody button').blur()")
    script("document.querySelector('.explorer tbody button').focus()")  # as a keyboard does
    assert place.find_element("css selector", ".tip strong").text == "CDK6"
    assert place.find_element("css selector", ".tip").is_displayed()
    field.clear()
    field.send_keys("ensg00000105810")  # the same gene by its identifier
    assert [row[0] for row in rows()] == ["CDK6"]
    field.clear()
    field.send_keys("x")
    field.send_keys("\b")
    heads = place.find_elements("css selector", "thead button")
    heads[2].click()  # log2, from small to large
    assert rows()[0][0] == genes.loc[genes.estimate.idxmin(), "term"]
    heads[2].click()
    assert rows()[0][0] == genes.loc[genes.estimate.idxmax(), "term"]
    assert script("return document.querySelectorAll('[aria-sort]').length") == 1
    heads[-1].click()  # the panel first
    assert {row[0] for row in rows()[:3]} == set(PANEL)
    # the dot of the gene with the largest estimate, under the pointer
    told = script(
        """const svg = document.querySelector('.explorer svg'); svg.scrollIntoView();
        const ends = svg.dataset.across.split(' ').map(Number), up = svg.dataset.up.split(' ').map(Number);
        const at = (value, e) => e[2] + (value - e[0]) / (e[1] - e[0]) * (e[3] - e[2]);
        const point = new DOMPoint(at(arguments[0], ends), at(arguments[1], up)).matrixTransform(svg.getScreenCTM());
        svg.dispatchEvent(new PointerEvent('pointermove', { clientX: point.x, clientY: point.y, bubbles: true }));
        return document.querySelector('.explorer .tip').textContent""",
        float(genes.estimate.max()),
        float(-np.log10(genes.p_value[genes.estimate.idxmax()])),
    )
    assert told.startswith(genes.loc[genes.estimate.idxmax(), "term"])
    assert [line for line in browser.get_log("browser") if line["level"] in {"SEVERE", "WARNING"}] == []


@pytest.mark.browser
def test_a_browser_finds_genes_by_the_identifiers_of_a_mapping(tmp_path, browser):
    found = named(2_000, ["one"])
    genes = found.get("expression", "genes").reset_index(drop=True)
    place, _ = opened(browser, page_of_named(found, "one"), tmp_path)
    assert len(rows_of(browser)) == 10
    field = place.find_element("css selector", "input[type=search]")
    field.send_keys(genes.gene_id[1234].lower())
    assert [row[:2] for row in rows_of(browser)] == [[genes.term[1234], genes.gene_id[1234]]]
    field.clear()
    field.send_keys(genes.term[77])
    assert rows_of(browser)[0][0] == genes.term[77]
    place.find_elements("css selector", "thead button")[1].click()  # by identifier
    field.clear()
    field.send_keys("e")
    assert rows_of(browser)[0][1] == min(genes.gene_id)
    assert [line for line in browser.get_log("browser") if line["level"] in {"SEVERE", "WARNING"}] == []


def test_genes_without_an_estimate_have_no_volcano():
    genes = real_looking("one", 50).assign(estimate=np.nan)
    page = module.PageGenes.of(ReportTables({}))
    assert module.all_genes(genes, PANEL, [], "Log2", "All genes", "all", page) == {}


# The gene section of the association page: both ages, their difference, the second opinion, numbers of tests.


GENES_OF_PANEL = ["CDK6", "AGES", "ABSENT"]


@pytest.fixture(scope="module")
def gene_tables(tmp_path_factory):
    placed = {}
    for name, covariates in (("one", ["sex"]), ("few", ["sex", "bmi"])):
        table, counts, samples = expression_study(effect=0.8)
        table = table.head(7) if name == "few" else table
        chosen = choose_samples(table, counts, samples, covariates)
        settings = Expression(covariates=covariates, panel=GENES_OF_PANEL)
        genes, panel = result_tables(chosen, name, "expression", settings)
        placed |= {f"{name}/expression/genes": genes, f"{name}/expression/panel": panel}
    return collected(tmp_path_factory.mktemp("study"), placed)


def config(*names):
    return config_of(list(names), expression={"panel": GENES_OF_PANEL})


def test_the_difference_stands_alongside_both_ages(gene_tables):
    section = gene_section(gene_tables, "one", config("one"))
    (panel,) = section["panels"]
    row = panel["rows"][0]
    assert row["term"] == "CDK6"
    assert row["estimate"] - row["age"]["estimate"] == pytest.approx(row["difference"]["estimate"], abs=1e-4)
    assert panel["n_tests"] == 2
    assert "difference of both" in panel["figure"]
    assert len(panel["tests"]) == 33
    assert [test["term"] for test in panel["tests"][::11]] == GENES_OF_PANEL
    sentence = section["gene_sentences"][0][1]
    assert "per 10-year increase in age acceleration" in sentence
    assert "; difference 0." in sentence


def test_the_page_shows_every_model_and_the_second_opinion(gene_tables):
    page = association_page(gene_tables, config("one"), [CARD])
    for text in (
        "families of 2 tests each", "limma-voom on age acceleration", "age gap alone, not adjusted for age", "face age − age",
        "p × 2 (Bonferroni)", "validated against DESeq2 1.38.3; no shrinkage", "after independent filtering",
        "not estimated, because the counts do not have it",
    ):  # fmt: skip
        assert text in page, text
    assert "pydeseq2" not in page
    method = "limma-voom, moderated t, alongside DESeq2's method by pydeseq2 0.5.4"
    names = (("expression", "genes"), ("expression", "panel"))
    engine = {name: gene_tables.get(*name).assign(method=method) for name in names}
    page = association_page(ReportTables(gene_tables.by_name | engine), config("one"), [CARD])
    assert "Shown alongside: DESeq2's method by pydeseq2 " in page


def test_genes_and_age_acceleration_are_on_the_association_page_alone(gene_tables):
    both = config("one", "few")
    association, survival = (page(gene_tables, both, [CARD]) for page in (association_page, survival_page))
    pages.check_structure(survival)
    assert pages.section(association, "genes")
    for text in ("<i>CDK6</i>: log2 fold change", "validated against DESeq2 1.38.3"):
        assert text in association, text
        assert text not in survival, text


def test_a_cohort_of_too_few_samples_says_so(gene_tables):
    page = association_page(gene_tables, config("few"), [CARD])
    assert "<i>CDK6</i>: not estimated, because 7 samples are too few for 5 parameters" in page
    assert "in chronological age, in the same model" not in page


def test_without_counts_nothing_is_said_of_genes():
    section = gene_section(ReportTables({}), "one", config("one"))
    assert section["panels"] == section["all_genes"] == []
    assert section["gene_sentences"][0][1] == "CDK6: not run, because the cohort has no RNA counts."


def test_the_sentence_of_a_panel_without_a_comparison_model():
    row = {"term": "CDK6", "model": "together", "exposure": "age_acceleration", "estimate": 0.5, "ci_lower": 0.1, "ci_upper": 0.9,
           "p_value": 0.01, "q_value": 0.02, "n": 50, "per": "10 years", "note": ""}  # fmt: skip
    assert words.gene_sentence(pd.DataFrame([row]), "CDK6").endswith("q in the panel = 0.020; n = 50).")


def test_the_leading_method_and_disagreements_are_said(tmp_path):
    table, counts, samples = expression_study(n=60, effect=0.8)
    chosen = choose_samples(table, counts, samples, ["sex"])
    settings = Expression(covariates=["sex"], panel=GENES_OF_PANEL, permutations=3, headline=VOOM)
    genes, panel = result_tables(chosen, "one", "expression", settings, headline=VOOM)
    for rows in (genes, panel):
        rows.loc[rows["term"].isin(["CDK6", "G1"]), "reason"] = "methods_disagree"
    tried = calibrate_tests(chosen, "one", "expression", settings)
    placed = {"genes": genes, "panel": panel, "type_one_error": tried}
    gene_tables = collected(tmp_path, {f"one/expression/{name}": rows for name, rows in placed.items()})
    section = gene_section(gene_tables, "one", config("one"))
    declared = "estimates and p-values are from limma-voom (declared)."
    assert section["type_one_error"][0]["sentence"].endswith(declared)
    sentence = section["gene_sentences"][0][1]
    assert "n = 60; limma-voom)" in sentence
    assert "; DESeq2 disagrees: +0." in sentence
    (everything,) = section["all_genes"]
    assert everything["n_disagree"] == 2
    assert "Methods disagree (n = 2)" in everything["svg"]
    assert [column.title for column in everything["columns"]][-3:-1] == ["DESeq2: q", "Mean count"]
    page = association_page(gene_tables, config("one"), [CARD])
    disagree = 'title="DESeq2 and limma-voom disagree">†'
    for text in ("DESeq2 on age acceleration", disagree, "p (permutation)", "least squares, HC3"):
        assert text in page, text
    (question,) = key_results(gene_tables, config("one"))
    assert question.measure.endswith("; limma-voom")


def test_rows_without_an_estimate_for_one_reason_stand_together():
    rows = [
        {"term": "A", "estimate": 1.0, "note": ""},
        *({"term": name, "estimate": np.nan, "note": "too few"} for name in "BCB"),
        {"term": "D", "estimate": np.nan, "note": "other"},
        {"term": "E", "estimate": 2.0, "note": ""},
        {"term": "F", "estimate": 3.0, "note": ""},
    ]
    assert [row["term"] for row in together(rows, "term")] == ["A", "B, C", "D", "E", "F"]
    assert [row["term"] for row in rows] == [*"ABCBDEF"]
    side = [
        {"set": row["term"], "own": row, "age": rows[0] if row["note"] == "other" else None} for row in rows
    ]
    assert [row["set"] for row in together(side, "set", of=("own", "age"))] == ["A", "B, C", "D", "E", "F"]
    apart = [{"set": name, "own": rows[1], "age": age} for name, age in (("X", None), ("Y", rows[0]))]
    assert [row["set"] for row in together(apart, "set", of=("own", "age"))] == ["X", "Y"]
