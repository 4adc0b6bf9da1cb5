"""The methods are written from what ran: tables and records decide on the words, the config does not."""

import html
import re
import shutil

import pandas as pd
import pytest

from faceage_bio.core.config import load_config
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.core.steps import STEPS
from faceage_bio.core.tables import write_text
from faceage_bio.report.checklists import LISTS, PLACES, checklists, items_of
from faceage_bio.report.checks import all_checks
from faceage_bio.report.pages import association_page, index_page, photo_page, survival_page
from faceage_bio.report.provenance import (
    NOT_SHOWN,
    Citations,
    Ran,
    known,
    limits,
    read_provenance,
    settings_of_run,
    settings_that_ran,
)
from faceage_bio.report.tables_by_place import ReportTables, collect
from faceage_bio.report.words import without_folders
from tests.commands import output_of
from tests.conftest import DEMO_CONFIG
from tests.pages import check_structure
from tests.report_studies import CARD, config_of, study, tables_of  # noqa: F401
from tests.rows import worded

pytestmark = pytest.mark.slow


def page_of(tables, provenance=None, cards=(CARD,)):
    return survival_page(tables, config_of(["one"]), list(cards), provenance)


@pytest.fixture(scope="module")
def tables(study):  # noqa: F811
    return collect(tables_of(study))


@pytest.fixture(scope="module")
def whole(tables):
    """The page of all tables, without records."""
    return page_of(tables)


def methods_of(page):
    start = page.index('<h2 id="methods">')
    return re.sub(r"<[^>]+>", "", page[start : page.index('<section aria-labelledby="provenance-title">')])


def without(tables, analysis, name):
    return ReportTables({key: table for key, table in tables.by_name.items() if key != (analysis, name)})


def test_a_stage_that_did_not_run_has_no_paragraph_no_source_and_no_limit(tables, whole):
    less = page_of(without(tables, "survival", "cox"))
    assert "Cox models (Cox 1972; Efron 1977)" in methods_of(whole)
    assert "@article{efron1977" in whole
    assert "Efron" not in methods_of(less)
    assert "efron1977" not in less
    limit = "<strong>Survival.</strong> Hazard ratios are averages over follow-up"
    assert limit in index_page(tables, config_of(["one"]), [CARD])
    assert limit not in index_page(without(tables, "survival", "cox"), config_of(["one"]), [CARD])
    stages = "Curves|Competing risks|Clinical scores|Reader study|Genes in|DNA variants|Robustness to image"
    assert not re.search(stages, methods_of(whole))
    assert "Missing covariates: complete cases, without imputation." in methods_of(whole)


def test_other_tables_have_other_words(tables, whole):
    cox = tables.get("survival", "cox")
    method = "Cox, Firth's penalised likelihood, profile interval"
    row = cox.head(1).assign(method=method, covariates="age, tumour stage")
    firth = pd.concat([cox, row])
    changed = ReportTables(tables.by_name | {("survival", "cox"): firth})
    assert "Firth" not in methods_of(whole)
    told = methods_of(page_of(changed))
    assert "Firth's penalised likelihood (profile intervals) (Firth 1993; Heinze and Schemper 2001)" in told
    assert "age, tumour stage" in told


def test_strata_are_said_once_and_so_is_what_has_neither_strata_nor_clusters(tables):
    method = "Cox, Efron ties, strata of ward, errors robust by hospital, Wald interval"
    changed = {("survival", "cox"): tables.get("survival", "cox").assign(method=method)}
    config = config_of(["one"], survival={"strata": ["ward"], "cluster": "hospital"})
    told = methods_of(survival_page(ReportTables(tables.by_name | changed), config, [CARD], None))
    assert told.count("strata of ward") == told.count("errors robust by hospital") == 1
    assert (
        "competing risks, definitions of age acceleration, face ageing rate and scores have neither" in told
    )
    assert (
        "Curves, their tests, likelihood-ratio tests and models of genes take participants as independent."
        in told
    )
    assert "neither strata nor clusters" not in methods_of(page_of(tables))


def test_scores_that_were_not_calculated_have_no_paragraph(tables):
    row = {
        "cohort": "one",
        "term": "TEACHH",
        "measure": "items",
        "estimate": 6.0,
        "model": "TEACHH (publication)",
    }
    scored = worded(result_rows([row | {"question": "definition"}], "scores/scored"))
    lacking = row | {
        "question": "groups",
        "estimate": None,
        "reason": reason("lacks_columns", columns="ecog"),
    }
    compared = worded(result_rows([lacking | {"measure": "median survival"}], "scores/comparison"))
    more = {("scores", "scored"): scored, ("scores", "comparison"): compared}
    assert "Clinical scores:" not in methods_of(page_of(ReportTables(tables.by_name | more)))


@pytest.mark.parametrize(
    ("model", "fitted_in", "said"),
    [
        ("residual of a line", "cohort", "Age acceleration is the residual of a line of face age on age, fitted in each cohort"),
        ("residual of loess (span 0.75)", "reference", "the residual of loess (span 0.75) of face age on age, fitted in controls"),
    ],
)  # fmt: skip
def test_the_definition_is_that_of_the_tables(tables, whole, model, fitted_in, said):
    row = {"cohort": "one", "term": "age_acceleration", "estimate": 0.1, "model": model, "fitted_in": fitted_in,
           "cross_fitted": False, "chosen": True, "n": 90, "ci_lower": 0.0, "ci_upper": 0.2}  # fmt: skip
    rows = [row | {"measure": measure} for measure in ("mean", "standard deviation", "correlation")]
    table = worded(result_rows(rows, "acceleration/definitions"))
    told = methods_of(page_of(ReportTables(tables.by_name | {("acceleration", "definitions"): table})))
    assert said in told
    assert "Age acceleration: not run." in methods_of(whole)
    assert "Age acceleration" not in methods_of(photo_page(tables, config_of(["one"]), [CARD]))


def test_settings_are_those_of_the_record_and_not_of_the_config(study, tables, whole):  # noqa: F811
    told = methods_of(page_of(tables, read_provenance(tables_of(study))))
    assert "after 4 years at most" in told
    assert "survival.horizon_years: the config says None, prepare-follow-up ran with 4.0" in told
    without_record = methods_of(whole)
    assert "years at most" not in without_record
    assert "the steps left no record" in without_record


def test_a_page_of_older_tables_tells_the_settings_that_these_were_made_with(study, tables):  # noqa: F811
    found = read_provenance(tables_of(study))
    older = {
        "survival.alpha": 0.013,
        "survival.cause_of_interest": "other",
        "survival.curves": "a choice of another version",
    }
    for record in found.records():
        record["settings"].update(older if record["command"] == "fit-survival" else {})
    page = page_of(tables, found)
    assert "proportional hazards at p &lt; 0.013 (smallest" in page
    assert "Competing risks: death from other" in page
    assert "fit-survival ran with a choice of another version" in page
    config = config_of(["one"], survival={"alpha": 0.013, "cause_of_interest": "other"})
    (now,) = [one for one in all_checks(tables, config) if one.name == "Proportional hazards"]
    assert now.words in html.unescape(index_page(tables, config_of(["one"]), [CARD], found))


def test_what_leaves_tells_the_settings_that_the_tables_were_made_with(study, tmp_path):  # noqa: F811
    config = config_of(["one"])
    assert settings_of_run(config, study).survival.horizon_years == 4
    assert settings_of_run(config, tmp_path) == settings_that_ran(config, [])[0]
    results = shutil.copytree(study, tmp_path / "results")
    write_text("", results / "reports" / "index.html")
    (tmp_path / "config.yaml").write_text("cohorts: {one: {face_ages: ages.tsv, clinical: clinical.tsv}}")
    output_of(
        f"publish --results {results} --configfile {tmp_path}/config.yaml --output {tmp_path}/share --key {tmp_path}/key"
    )
    assert "after 4 years at most" in (tmp_path / "share" / "survival.html").read_text()


def test_software_and_inputs_are_those_of_the_records(study):  # noqa: F811
    tables = collect(tables_of(study))
    page = index_page(tables, config_of(["one"]), [CARD], read_provenance(tables_of(study)))
    software = page[page.index('id="software">') : page.index('id="provenance">')]
    assert "Input: participants" in software
    assert '<tr><th scope="row">scipy</th>' in software
    assert CARD["sha256"] in software
    check_structure(page)


def test_the_workflow_gives_its_steps_what_the_config_says():
    """What the steps of a run use, read as their records hold it, is what the config says: nothing differs."""
    config = load_config(DEMO_CONFIG)
    records = [{"command": step.name, "settings": step.settings(config)} for step in STEPS.values()]
    ran, differ = settings_that_ran(config, records)
    assert differ == []
    given = {key: value for key, value in ran.model_dump(mode="json").items() if key not in NOT_SHOWN}
    assert given == without_folders(config.model_dump(mode="json", exclude=NOT_SHOWN))
    records[0]["settings"] = {"survival.per_years": 7.0}
    ran, differ = settings_that_ran(config, records[:1])
    assert ran.survival.per_years == 7.0
    assert differ == [f"survival.per_years: the config says 10.0, {records[0]['command']} ran with 7.0"]


def test_rows_that_were_not_estimated_did_not_run():
    row = {"measure": "mean difference", "model": "SIMEX"}
    table = result_rows([row | {"reason": reason("simex_variance")}], "acceleration/attenuation")
    ran = Ran(ReportTables({("acceleration", "attenuation"): table}))
    assert not ran.has("acceleration/attenuation", model="SIMEX")
    assert ran.has("acceleration/none") is False


def test_every_source_has_a_doi_or_a_place_and_every_citation_is_known():
    for key, entry in known().items():
        assert entry.persons["author"], key
        assert entry.fields["title"], key
        assert {"doi", "url", "pages"} & set(entry.fields), key
    templates = (DEMO_CONFIG.parent.parent / "faceage_bio" / "report" / "templates").glob("*.j2")
    text = "".join(path.read_text() for path in templates)
    cited = {key for call in re.findall(r"cite\(([^)]*)\)", text) for key in re.findall(r'"(\w+)"', call)}
    assert cited <= set(known())
    assert set(known()) == cited
    citations = Citations()
    assert str(citations.cite("lin1989")) == '(<a href="#ref-lin1989">Lin and Wei 1989</a>)'
    assert str(citations.cite("wu2011")) == '(<a href="#ref-wu2011">Wu et al. 2011</a>)'
    assert [row["key"] for row in citations.listed()] == ["lin1989", "wu2011"]


@pytest.mark.parametrize(("name", "numbers"), [("strobe", 22), ("remark", 20), ("tripod_ai", 27)])
def test_checklists_have_every_published_item_and_places_that_exist(name, numbers):
    items = items_of(name)
    main = [re.match(r"\d+", number)[0] for number in items.number]
    assert list(dict.fromkeys(main)) == [str(one) for one in range(1, numbers + 1)]
    assert items.number.is_unique
    for row in items.itertuples():
        assert row.words
        assert set(row.places.split()) <= set(PLACES)
        assert row.places or row.author, row.number


def test_an_item_links_to_what_the_pages_have_and_to_nothing_else(tables, whole):
    config = config_of(["one"])
    pages = {
        "index.html": index_page(tables, config, [CARD]),
        "association.html": association_page(tables, config, [CARD]),
        "survival.html": whole,
        "photos.html": photo_page(tables, config, [CARD]),
    }
    for name, page in pages.items():
        for file, place in re.findall(r'href="([\w.]*)#([^"]+)"', page):
            assert f' id="{place}"' in pages[file or name], (name, file, place)
    lists = checklists(tables, governance=False)
    assert [one["title"] for one in lists] == [title for title, _ in LISTS.values()]
    remark = {item.number: item for item in lists[1]["rows"]}
    assert "survival.html#cox" in [place for place, _ in remark["16"].places]
    assert "survival.html#sensitivity" not in [place for item in lists[1]["rows"] for place, _ in item.places]
    assert remark["3"].author


def test_limits_follow_the_model_and_the_stages():
    settings = load_config(DEMO_CONFIG)
    none = dict(limits(Ran(ReportTables({})), [CARD], settings))
    assert "Training of the model" in none
    assert "Gene expression" not in none
    assert "Association, not cause" in none
    assert "Another model" in dict(limits(Ran(ReportTables({})), [CARD | {"kind": "other"}], settings))
    genes = result_rows([{"measure": "log2 fold change", "estimate": 1.0}], "expression/genes")
    ran = Ran(ReportTables({("expression", "genes"): genes}))
    assert "not a replication" in dict(limits(ran, [CARD], settings))["Gene expression"]
