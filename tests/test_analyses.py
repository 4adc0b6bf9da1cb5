"""What an analysis would do without is told before it starts: one tissue per participant, and covariates that a cohort has."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from faceage_bio.analyses.expression.counts import choose_samples
from faceage_bio.analyses.expression.levels import levels_table
from faceage_bio.cli.main import app
from faceage_bio.core.config import analysis_settings, check_config
from faceage_bio.core.errors import CohortError, Problems
from faceage_bio.intake.cohort.config_checks import check_analyses
from faceage_bio.intake.cohort.samples import check_one_tissue
from tests.expression_study import study

N = 40
FILES = {"clinical": "clinical.tsv", "counts": "counts.tsv", "samples": "samples.tsv"}
CONFIG = {"cohorts": {"lusc": {"face_ages": "face_ages.tsv", **FILES}}}


def people(**changes):
    table = pd.DataFrame({
        "cohort": "lusc", "subject_id": [f"p{k}" for k in range(N)], "chronological_age": 60.0, "sex": ["female", "male"] * (N // 2),
        "smoking": "never", "bmi": 25.0, "followup_years": 2.0, "event": 1.0,
    })  # fmt: skip
    return table.assign(**changes)


def sampled(tissues=("tumour",), dates=None, **more):
    """One sample of each tissue of each participant."""
    rows = [
        {"cohort": "lusc", "sample_id": f"p{k}-{tissue}", "subject_id": f"p{k}", "tissue": tissue, "batch": None,
         "sample_date": None if dates is None else dates[place]}
        for k in range(N) for place, tissue in enumerate(tissues)
    ]  # fmt: skip
    return pd.DataFrame(rows).assign(**more)


def told(subjects, samples, files=FILES, variant_people=None, **settings):
    problems = Problems()
    config = check_config(CONFIG | settings).model_dump()
    check_analyses(
        "lusc", files, subjects, samples, variant_people, analysis_settings(config), problems
    )  # fmt: skip
    return "\n".join(problems.others)


def test_a_study_that_has_what_it_needs_passes_and_its_numbers_are_written():
    problems, settings = Problems(), analysis_settings(check_config(CONFIG).model_dump())
    found = check_analyses("lusc", FILES, people(), sampled(), None, settings, problems)
    assert problems.others == []
    assert found.set_index(["setting", "column"]).n_complete.to_dict() == {
        ("expression.covariates", "sex"): N, ("expression.covariates", "smoking"): N, ("expression.covariates", "bmi"): N,
        ("survival.gene_covariates", "sex"): N,
    }  # fmt: skip


def test_several_tissues_of_a_participant_need_a_setting():
    samples = sampled(("tumour", "normal"))
    samples = samples.drop(index=[1, 3, 5])  # three participants have tumours alone
    assert (
        "samples.tsv: 37 of 40 participants have RNA samples of several tissues, and no sample_date says which of them counts "
        "(p3: p3-tumour (tumour), p3-normal (normal); p4: " in told(people(), samples)
    )
    assert (
        "The 77 samples are of: tumour (40), normal (37). Expected one tissue in the models of genes. Set it in the config, such as "
        "expression: {tissue: tumour}." in told(people(), samples)
    )
    assert told(people(), samples, expression={"tissue": "tumour"}) == ""
    assert "samples.tsv: expression.tissue is 'tumor', but the samples are of: normal, tumour" in told(
        people(), samples, expression={"tissue": "tumor"}
    )


@pytest.mark.parametrize(
    ("dates", "repeated", "refused"),
    [
        (("2020-01-01", "2020-05-01"), "first", False), (("2020-01-01", "2020-05-01"), "last", False),
        (("2020-01-01", "2020-01-01"), "first", True), (("2020-01-01", None), "first", True), (None, "last", True),
        (("2020-01-01", "2020-05-01"), "sum", True), (("2020-01-01", "2020-05-01"), "block", True),
    ],
)  # fmt: skip
def test_dates_decide_only_where_one_sample_is_taken(dates, repeated, refused):
    expression = {"repeated_samples": repeated}
    assert bool(told(people(), sampled(("tumour", "normal"), dates), expression=expression)) is refused


def test_a_model_with_tissue_among_its_covariates_may_hold_them_all():
    paired, expression = (
        sampled(("tumour", "normal")),
        {"repeated_samples": "block", "covariates": ["sex", "tissue"]},
    )
    assert told(people(), paired, files=FILES | {"clinical": None}, expression=expression) == ""
    # but Cox models of genes take one sample per participant
    assert "several tissues" in told(people(), paired, expression=expression)


def test_one_tissue_per_participant_is_no_problem():
    mixed = sampled().assign(tissue=["blood", "tumour"] * (N // 2))
    assert told(people(), mixed) == ""
    assert told(people(), sampled(("tumour", "tumour"))) == ""
    problems = Problems()
    check_one_tissue(sampled().drop(columns="tissue"), "first", (), "samples.tsv", problems)
    assert problems.others == []


def test_no_command_mixes_tissues_by_chance():
    table, counts, samples = study()
    samples["tissue"] = "tumour"
    samples.loc[5, ["subject_id", "tissue"]] = ["s4", "normal"]
    for mixed in (
        lambda: choose_samples(table, counts, samples, ["sex"]),
        lambda: levels_table({"expression": (counts, samples)}, 10, 2),
    ):
        with pytest.raises(
            CohortError, match=r"the samples table: 1 of 59 participants have RNA samples of several tissues"
        ):
            mixed()
    assert len(choose_samples(table, counts, samples, ["sex"], tissue="tumour").people) == 59


def test_a_default_covariate_that_a_cohort_lacks_is_told_with_what_to_write():
    assert told(people(bmi=np.nan), sampled()) == (
        "clinical.tsv: cohort 'lusc': expression.covariates names 'bmi' (known of 0), so that 0 of 40 samples would be left in models "
        "of genes. Expected values for most of them. Write expression: {covariates: [chronological_age, sex, smoking]} in the config, "
        "or add the column to the clinical table; if it has another name there, declare it, such as columns: {bmi: YOUR_NAME}."
    )
    assert (
        told(
            people(bmi=np.nan), sampled(), expression={"covariates": ["chronological_age", "sex", "smoking"]}
        )
        == ""
    )


def test_all_settings_that_would_leave_nobody_are_told_together():
    found = told(
        people(sex=None), sampled(), variant_people=pd.DataFrame({"subject_id": ["p1", "p2"]}),
        acceleration={"definition": "adjusted"}, survival={"strata": ["site"]},
        expression={"covariates": ["sex", "batch", "sex:bmi"]},
    )  # fmt: skip
    assert (
        "acceleration.adjust_for names 'sex' (known of 0), so that 0 of 40 participants would be left in age acc"
        in found
    )
    assert "Write acceleration: {adjust_for: [smoking, bmi]}" in found
    assert "variants.covariates names 'sex' (known of 0), so that 0 of 2 participants" in found
    assert (
        "expression.covariates names 'sex' (known of 0), 'batch' (known of 0), so that 0 of 40 samples"
        in found
    )
    assert "Write expression: {covariates: []}" in found
    assert (
        "survival.gene_covariates names 'sex' (known of 0), so that 0 of 40 samples would be left in Cox models"
        in found
    )
    assert "survival.strata names 'site' (known of 0)" in found  # no table has that column


def test_covariates_that_nearly_nobody_or_never_the_same_have():
    one = people().smoking.where(np.arange(N) == 0)
    assert "'smoking' (known of 1), so that 1 of 40 samples" in told(people(smoking=one), sampled())
    half = np.arange(N) % 4 < 2
    split = people(sex=people().sex.where(half), bmi=people().bmi.where(~half))
    assert "names 'sex' (known of 20), so that 0 of 40 samples" in told(split, sampled())
    assert told(people(smoking=people().smoking.where(half)), sampled()) == ""


def test_what_leaves_a_column_out_by_itself_is_not_refused():
    bare = people(sex=None, smoking=None, bmi=np.nan)
    none = sampled().head(0)
    assert told(bare, none) == ""  # survival and phenotypes say so on the page
    assert told(people(followup_years=np.nan, sex=None), sampled(), expression={"covariates": ["bmi"]}) == ""
    later = {"covariates": ["chronological_age", "n_photos", "age_acceleration:bmi"]}
    assert told(people(), sampled(), expression=later) == ""


def write_study(folder, clinical="subject_id,chronological_age,sex,smoking\n"):
    """A study without BMI, whose tumours and normals have no date."""
    (folder / "face_ages.tsv").write_text(
        "subject_id\tface_age\n" + "".join(f"p{k}\t{60 + k}\n" for k in range(4))
    )
    (folder / "clinical.tsv").write_text(clinical + "".join(f"p{k},{58 + k},f,never\n" for k in range(4)))
    names = [f"p{k}-{tissue}" for k in range(4) for tissue in ("normal", "tumour")]
    rows = [f"{name}\t{name[:2]}\t{name[3:]}\n" for name in names]
    (folder / "samples.tsv").write_text("sample_id\tsubject_id\ttissue\n" + "".join(rows))
    numbers = "\t".join(str(5 + k) for k in range(8))
    (folder / "counts.tsv").write_text("\t".join(["gene", *names]) + f"\nCDK6\t{numbers}\nTP53\t{numbers}\n")
    cohort = {name: f"{folder}/{name}.tsv" for name in ("face_ages", "clinical", "samples", "counts")}
    (folder / "config.yaml").write_text(
        json.dumps({"cohorts": {"lusc": cohort}, "results_dir": f"{folder}/results"})
    )
    return cohort


def test_check_and_the_workflow_refuse_the_same_study_with_the_same_words(tmp_path):
    cohort = write_study(tmp_path)
    checked = CliRunner().invoke(app, ["check", "--configfile", str(tmp_path / "config.yaml")])
    assert isinstance(checked.exception, CohortError)
    words = str(checked.exception)
    assert "4 of 4 participants have RNA samples of several tissues" in words
    assert "expression.covariates names 'bmi' (known of 0), so that 0 of 8 samples" in words
    fitting = tmp_path / "fitting.yaml"  # with settings that the tables hold
    expression = {"tissue": "tumour", "covariates": ["sex", "smoking"]}
    fitting.write_text(json.dumps({"cohorts": {"lusc": cohort}, "expression": expression}))

    def call(command, config, *options):
        return CliRunner().invoke(
            app, [command, "--config", str(config), "--results", str(tmp_path / "results"), *options]
        )

    made = call("check-cohort", tmp_path / "config.yaml", "--cohort", "lusc")
    assert made.exit_code == 0, made.output
    refused = call("check-analyses", tmp_path / "config.yaml")
    assert str(refused.exception).endswith(words)
    table = tmp_path / "results" / "lusc" / "cohort" / "covariates.tsv"
    assert not table.exists()
    passed = call("check-analyses", fitting)
    assert passed.exit_code == 0, passed.output
    assert pd.read_csv(table, sep="\t").n_complete.tolist() == [4, 4]
