"""reproduce.R and reproduce.py compute the headline from the study's tables alone: the study's numbers, to 1e-6."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from io import StringIO

import pandas as pd
import pytest

from faceage_bio.analyses.pooling.headlines import headline_rows
from faceage_bio.analyses.pooling.pooling_stage import pool_rows
from faceage_bio.analyses.verification.headline_input import Headline, pools
from faceage_bio.analyses.verification.reproduction import write_scripts
from faceage_bio.core.settings.settings_study import Pooling
from tests.headline_study import contrasts, cox, curves, genes, late, people

pytestmark = pytest.mark.slow

PACKAGES = ("survival", "sandwich", "emmeans", "DESeq2", "limma", "metafor")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reproduce")
    models = [*cox(people(), strata=["smoking"])[1](), *late_models()]
    own = [*curves(people(), strata=("sex",)), *ending_at_one_half()]
    rows, pooled = meta_analysis()
    contrasted = [*contrasts(people())[1](), *rows["phenotype/phenotypes"]]
    write_scripts(
        Headline([*models, *rows["survival/cox"]], own, contrasted, list(genes(150)), pooled), folder
    )
    return folder


def meta_analysis():
    """Models of further cohorts, and their pooled estimates: hazard ratios of three by REML, contrasts of two by a common effect."""
    models, tables = {"survival/cox": [], "phenotype/phenotypes": []}, {}
    for source, make, cohorts in (("survival/cox", cox, "abc"), ("phenotype/phenotypes", contrasts, "ab")):
        for seed, name in enumerate(cohorts, start=11):
            rows, of = make(people(seed=seed))
            models[source] += [replace(model, cohort=name) for model in of()]
            tables.setdefault(source, []).append(rows.assign(cohort=name))
    estimates = pool_rows(headline_rows(tables), Pooling(method="REML", test="knha")).estimates
    return models, list(pools(estimates))


def late_models():
    """The same study as another cohort: delayed entry, robust errors."""
    return [replace(model, cohort="south") for model in cox(late(people()), cluster="ward")[1]()]


def ending_at_one_half():
    """The same as another cohort, whose survival curve ends at its median."""
    table = people().assign(followup_years=lambda d: d["followup_years"].rank(method="first") / 10)
    table["event"] = (table["followup_years"] <= table["followup_years"].median()).astype(float)
    return [replace(one, cohort="south") for one in curves(table)]


def run(command, folder):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, env=clean)
    assert done.returncode == 0, done.stderr[-2000:]
    table = pd.read_csv(StringIO(done.stdout), sep="\t", skipinitialspace=True, na_values=["NA"])
    table["id"] = table["id"].str.strip()
    return table.set_index("id")


def test_r_gives_the_numbers_of_the_study(folder):
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not installed")
    asked = "; ".join(f"stopifnot(requireNamespace('{name}', quietly = TRUE))" for name in PACKAGES)
    if subprocess.run(["Rscript", "-e", asked], capture_output=True).returncode:
        pytest.skip(f"R lacks one of {', '.join(PACKAGES)}")
    found = run(["Rscript", str(folder / "reproduce.R")], folder)
    assert set(found.index) == set(pd.read_csv(folder / "headline.tsv", sep="\t")["id"])
    assert found["difference"].max() < 1e-6
    assert found["p_difference"].max() < 1e-6
    known = found["standard_error_study"].notna()
    apart = (found["standard_error"] / found["standard_error_study"] - 1).abs()
    assert apart[known].max() < 1e-6
    # Cox models of two cohorts, contrasts; of three and two cohorts, and pooled (that of wards has other references)
    assert known.sum() == 2 + 2 + 5 + 3 * 2 + 2 * 5 + 2 + 3
    assert found.index.str.startswith("meta-analysis: hazard ratio").sum() == 2


def test_python_gives_the_numbers_of_the_study(folder):
    found = run([sys.executable, str(folder / "reproduce.py")], folder)
    limma = found.index.str.endswith("limma-voom")
    assert set(found["note"][limma]) == {"limma-voom: see reproduce.R"}
    assert found["estimate"][limma].isna().all()
    assert set(found.index) == set(pd.read_csv(folder / "headline.tsv", sep="\t")["id"])
    found = found[~limma]
    genes = found.index.str.contains("fold change")
    robust = found.index.str.startswith("south: hazard")  # lifelines' robust errors are not R's
    assert (found["difference"][~genes & ~robust] < 1e-6).all()
    assert (found["p_difference"][~genes & ~robust].dropna() < 1e-6).all()
    assert (found["difference"][robust] < 1e-4).all()
    assert (found["difference"][genes] < 0.01).all()
    assert genes.sum() == 1
    assert robust.sum() == 2
    assert found["note"][genes].str.startswith("known difference: dispersions of pydeseq2").all()
    assert found["note"][robust].str.startswith("known difference: robust standard errors of lifelines").all()
    assert found["note"][~genes & ~robust].isna().all()
    known = found["standard_error_study"].notna() & ~robust & ~genes
    assert (found["standard_error"] / found["standard_error_study"] - 1)[known].abs().max() < 1e-6


def spoiled(tmp_path):
    """A folder of scripts of which the first model cannot be fitted."""
    (curve,) = (one for one in curves(people()) if one.column == "all")
    models = list(cox(people())[1]())
    constant = replace(models[1], people=models[1].people.assign(face_age=1.0))
    write_scripts(Headline([constant, models[-1]], [curve]), tmp_path)
    return tmp_path


def test_a_model_that_a_package_fails_at_leaves_the_others(tmp_path):
    found = run([sys.executable, str(spoiled(tmp_path) / "reproduce.py")], tmp_path)
    assert found["note"].iloc[0].startswith("no result: ")
    assert (found["difference"].iloc[1:] < 1e-6).all()


def test_a_model_that_r_fails_at_leaves_the_others(tmp_path):
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not installed")
    (spoiled(tmp_path) / "north_cox_age.tsv").write_text("face_age\nmany\n")
    found = run(["Rscript", str(tmp_path / "reproduce.R")], tmp_path)
    failed = found["difference"].isna()
    assert failed.sum() == 1
    assert (found["difference"][~failed] < 1e-6).all()


def test_a_study_whose_only_model_r_fails_at_is_still_told(tmp_path):
    if shutil.which("Rscript") is None:
        pytest.skip("Rscript is not installed")
    write_scripts(Headline(list(cox(people())[1]())[1:2]), tmp_path)
    (tmp_path / "north_cox_age.tsv").write_text("face_age\nmany\n")
    found = run(["Rscript", str(tmp_path / "reproduce.R")], tmp_path)
    assert found["estimate"].isna().all()
    assert found["estimate_study"].notna().all()


def test_the_rows_hold_no_identifier(folder):
    for path in folder.glob("*.tsv"):
        assert "subject_id" not in path.read_text().splitlines()[0]
        assert path.stat().st_mode & 0o077 == 0


def test_without_a_headline_there_is_no_script(tmp_path):
    assert len(write_scripts(Headline(), tmp_path)) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["headline.tsv"]
