"""The functions for notebooks: the page's example runs, and they give what the steps give."""

import doctest

import numpy as np
import pandas as pd
import pytest

import faceage_bio as fa
from faceage_bio.cli.main import STEPS
from faceage_bio.core.errors import CohortError, CountsError
from faceage_bio.core.tables import read_table
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def cohort():
    return fa.simulate_cohort(n=60, seed=2)


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


def test_released_tables_have_rounded_counts(cohort):
    cox = fa.cox_models(cohort[0])
    shared = fa.release_tables({"mine/survival/cox": cox})["mine/survival/cox"]
    assert set(shared["n"]) == {57.0}  # midpoint of 55 to 60
    exact = fa.release_tables({"mine/survival/cox": cox}, rounding=1)["mine/survival/cox"]
    assert set(exact["n"]) == {60}


def test_what_is_wrong_with_a_table_is_said_with_what_to_do(cohort):
    participants, counts = cohort
    with pytest.raises(
        CohortError,
        match=r"participants: no column face_age; it has .* Name the columns so; ages are in years",
    ):
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
