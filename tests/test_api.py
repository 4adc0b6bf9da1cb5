"""The functions for notebooks: the page's example runs, and they give what the steps give."""

import doctest
import inspect
import re

import numpy as np
import pandas as pd
import pytest

import faceage_bio as fa
from faceage_bio.cli.main import STEPS
from faceage_bio.core.config import Config
from faceage_bio.core.errors import CohortError, ConfigError, CountsError, FaceAgeBioError
from faceage_bio.core.results.row import without_empty
from faceage_bio.core.tables import read_table
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def cohort():
    return fa.simulate_cohort(n=60, seed=2)


@pytest.mark.slow
def test_the_example_of_the_page_runs():
    page = ROOT / "docs" / "notebook.md"
    found = doctest.testfile(str(page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted >= 12
    assert found.failed == 0


def test_every_function_has_a_docstring_and_is_listed():
    assert set(dir(fa)) == set(fa.__all__)
    for name in set(fa.__all__) - {"__version__"}:
        assert getattr(fa, name).__doc__, name
    with pytest.raises(AttributeError, match="has no attribute 'cox'; it has GeneTables"):
        _ = fa.cox


def test_every_default_is_that_of_the_setting():
    config = Config()
    for function, section in (
        (fa.cox_models, config.survival),
        (fa.gene_panel, config.expression),
        (fa.release_tables, config.release),
    ):
        given = {name: one.default for name, one in inspect.signature(function).parameters.items()}
        shared = given.keys() & type(section).model_fields.keys()
        assert shared >= {"per_years", "covariates"} or shared == {"rounding"}
        for name in shared:
            setting = getattr(section, name)
            assert given[name] == (tuple(setting) if isinstance(setting, list) else setting), name


def test_of_covariates_that_lack_cox_models_go_without_defaults_and_all_others_are_told(cohort):
    participants, counts = cohort
    few = participants.drop(columns=["site", "ecog", "bmi"])
    cox = fa.cox_models(few)
    full = cox[(cox.step == "full") & (cox.term == "face_age")].iloc[0]
    assert full.estimate > 0
    assert re.search("site.*ecog|ecog.*site", full.reason)
    with pytest.raises(
        CohortError,
        match=r"expression\.covariates names 'bmi', but neither the clinical nor the samples table has a value of it",
    ):
        fa.gene_panel(few, counts)
    with pytest.raises(CohortError, match="'waist'"):
        fa.cox_models(few, covariates=["waist"])


def test_cox_models_are_those_of_the_step(cohort, tmp_path):
    participants, _ = cohort
    path = tmp_path / "participants.tsv"
    participants.to_csv(path, sep="\t", index=False)
    sets = [
        "survival.sequential_adjustment=sex",
        "survival.covariates=bmi",
        "survival.permutations=100",
        "survival.added_value.bootstraps=0",
    ]
    STEPS["fit-survival"].command()(participants=path, output=tmp_path / "out", set=sets)
    theirs = read_table(tmp_path / "out" / "cox.tsv")
    ours = fa.cox_models(fa.read_participants(path), ["sex"], ["bmi"])
    assert len(ours) == len(theirs)
    np.testing.assert_allclose(ours["estimate"], theirs["estimate"])
    plain = fa.cox_models(participants, ["sex"], ["bmi"])
    np.testing.assert_allclose(plain["estimate"], ours["estimate"])


def test_genes_take_samples_of_other_names(cohort):
    participants, counts = cohort
    renamed = counts.add_prefix("RNA_")
    samples = pd.DataFrame({"sample_id": renamed.columns, "subject_id": counts.columns})
    choice = {"panel": ["CDK6"], "headline": "DESeq2", "permutations": 2}
    ours, theirs = (
        fa.gene_panel(participants, counts, **choice),
        fa.gene_panel(participants, renamed, samples=samples, **choice),
    )
    pd.testing.assert_frame_equal(ours.panel, theirs.panel)
    assert set(ours.type_one_error["rule"]) == {"declared"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"per_years": 0}, "survival.per_years: found 0 (int), expected greater than 0"),
        ({"per_years": -10.0}, "survival.per_years: found -10.0 (float), expected greater than 0"),
        ({"sequential_adjustment": "sex"}, 'survival.sequential_adjustment: found "sex" (str), expected a valid list'),
        ({"covariates": "bmi"}, 'survival.covariates: found "bmi" (str), expected a valid list'),
        ({"groups": {"bmi": "25"}}, 'survival.groups.bmi: found "25" (str), expected a valid list'),
        ({"headline": "edgeR"}, "expression.headline: found \"edgeR\" (str), expected 'auto', 'DESeq2' or 'limma-voom'"),
        ({"permutations": 1}, "expression.permutations: found 1 (int), expected greater than or equal to 2"),
        ({"panel": "CDK6"}, 'expression.panel: found "CDK6" (str), expected a valid list'),
    ],
)  # fmt: skip
def test_arguments_are_checked_as_the_settings_of_their_names(cohort, arguments, told):
    participants, counts = cohort
    genetic = arguments.keys() & {"headline", "permutations", "panel"}
    with pytest.raises(ConfigError) as error:
        fa.gene_panel(participants, counts, **arguments) if genetic else fa.cox_models(
            participants, **arguments
        )
    assert f"fa.{'gene_panel' if genetic else 'cox_models'}: 1 problem:\n  - {told}" in str(error.value)


def test_any_sequence_is_a_list(cohort):
    ours = fa.cox_models(cohort[0], ("sex",), pd.Index(["bmi"]), groups={"bmi": (25, 30)}, per_years=5)
    theirs = fa.cox_models(cohort[0], ["sex"], ["bmi"], groups={"bmi": [25.0, 30.0]}, per_years=5.0)
    pd.testing.assert_frame_equal(ours, theirs)


def test_only_result_tables_are_released(cohort):
    cox = fa.cox_models(cohort[0])
    for tables, told in (
        ({"x": cox}, "x: no place of a result table"),
        ({"a/survival/cox": cohort[0]}, "a/survival/cox: no column cohort; question; term"),
        ({"a/survival/cox": 5}, "a/survival/cox: found a int. Expected a DataFrame"),
        ([cox], "tables: found a list. Expected tables by their place"),
    ):
        with pytest.raises(FaceAgeBioError, match=re.escape(told)):
            fa.release_tables(tables)
    message = r"release.rounding: found 0 \(int\), expected greater than or equal to 1"
    with pytest.raises(ConfigError, match=message):
        fa.release_tables({"a/survival/cox": cox}, rounding=0)
    place = "a/survival/cox"
    written = {place: without_empty(cox)}  # as its file has it
    theirs, ours = (
        fa.release_tables(tables)[place].fillna("").astype(str) for tables in (written, {place: cox})
    )
    pd.testing.assert_frame_equal(theirs, ours)


def test_ages_are_columns_of_a_table(cohort):
    participants, _ = cohort
    with pytest.raises(CohortError, match=r"ages: found a ndarray\. Expected two columns of one table"):
        fa.age_acceleration(participants.face_age.to_numpy(), participants.chronological_age.to_numpy())
    with pytest.raises(CohortError, match=r"participants: found a dict\. Expected a DataFrame"):
        fa.cox_models({"face_age": [50.0]})
    with pytest.raises(CohortError, match="participants: no column waist"):
        fa.cox_models(participants, groups={"waist": [90]})


def test_released_tables_have_rounded_counts(cohort):
    cox = fa.cox_models(cohort[0])
    shared = fa.release_tables({"mine/survival/cox": cox})["mine/survival/cox"]
    assert set(shared["n"]) == {57.0}  # midpoint of 55 to 60
    exact = fa.release_tables({"mine/survival/cox": cox}, rounding=1)["mine/survival/cox"]
    assert set(exact["n"]) == {60}


def test_what_is_wrong_with_a_table_is_said_with_what_to_do(cohort):
    participants, counts = cohort
    message = r"participants: no column face_age; it has .* Name the columns so; ages are in years"
    with pytest.raises(CohortError, match=message):
        fa.cox_models(participants.drop(columns="face_age"))
    with pytest.raises(CohortError, match=r"Expected 1 \(died\) or 0"):
        fa.cox_models(participants.assign(event=2))
    with pytest.raises(CohortError, match="samples: no column subject_id"):
        fa.gene_panel(participants, counts, samples=pd.DataFrame({"sample_id": counts.columns}))
    samples = pd.DataFrame({"sample_id": ["R1"], "subject_id": ["P001"]})
    with pytest.raises(CohortError, match="have no column of counts, such as R1"):
        fa.gene_panel(participants, counts, samples=samples)
    with pytest.raises(CohortError, match="subject_id P001 stands more than once"):
        fa.cox_models(pd.concat([participants, participants.head(1)]))
    with pytest.raises(CountsError, match="gene 'CDK6' in sample 'P001'"):
        fa.gene_panel(participants, counts / 3)
