"""Counts, samples and cells of the expression stage; its models are in test_expression_models.py."""

import numpy as np
import pandas as pd
import pytest

from faceage_bio.analyses.expression.counts import choose_samples
from faceage_bio.analyses.expression.expression_stage import result_tables
from faceage_bio.analyses.expression.inputs import read_inputs
from faceage_bio.core.errors import CohortError, TableError
from faceage_bio.core.settings.settings_genes import Expression
from faceage_bio.core.tables import write_table
from faceage_bio.intake.rna.count_files import CountTable
from tests.commands import faceage_bio
from tests.gene_studies import expression_study, write_plain
from tests.rows import worded


def test_samples_left_out_are_in_the_ledger():
    table, counts, samples = expression_study()
    table.loc[0, "age_acceleration"] = np.nan
    table.loc[1, "sex"] = None
    samples.loc[5, "subject_id"] = "s4"  # sequenced twice, later
    samples["sample_date"] = "2020-01-01"
    samples.loc[5, "sample_date"] = "2020-02-01"
    chosen = choose_samples(table, counts, samples, ["chronological_age", "sex"])
    reasons = chosen.ledger.set_index("sample_id").reason
    expected = ["no_acceleration", "missing_sex", "", "repeated_sample", ""]
    assert reasons[["r0", "r1", "r4", "r5", "r6"]].tolist() == expected
    assert len(chosen.ledger) == 60
    assert list(chosen.counts.index) == list(chosen.people.index)


def test_what_a_sheet_of_samples_says_of_participants_does_not_count():
    table, counts, samples = expression_study()
    alone = choose_samples(table, counts, samples, ["chronological_age", "sex"]).people
    sheet = samples.assign(chronological_age=99.0, sex=[None, "M"] * 30, purity=0.5, batch=None)
    people = choose_samples(
        table.assign(batch="b1"), counts, sheet, ["chronological_age", "sex", "batch"]
    ).people
    assert len(people) == len(alone)
    assert people.sex.tolist() == alone.sex.tolist()
    assert people.chronological_age.tolist() == alone.chronological_age.tolist()
    assert set(people.purity) == {0.5}
    assert set(people.batch) == {"b1"}  # the sheet's is empty


def test_of_several_samples_the_last_has_a_date():
    table, counts, samples = expression_study()
    samples.loc[[4, 5, 6], "subject_id"] = "s4"
    samples["sample_date"] = "2020-01-01"
    samples.loc[[4, 5, 6], "sample_date"] = ["2020-01-01", "2021-01-01", None]
    chosen = choose_samples(table, counts, samples, ["sex"], repeated="last")
    assert chosen.people.index[chosen.people.subject_id == "s4"].tolist() == ["r5"]


def test_an_unknown_covariate_is_told():
    with pytest.raises(CohortError, match="names 'plate'"):
        choose_samples(*expression_study(), ["plate"])


def test_libraries_of_a_specimen_are_added_and_tissues_chosen():
    table, counts, samples = expression_study()
    samples["specimen_id"] = None
    samples.loc[[2, 3], ["specimen_id", "subject_id"]] = ["spec", "s2"]
    samples["tissue"] = "tumour"
    samples.loc[7, "tissue"] = "normal"
    chosen = choose_samples(table, counts, samples, ["sex"], tissue="tumour")
    rows = chosen.ledger.set_index("sample_id")
    assert rows.loc[["r2", "r3", "r7"], "reason"].tolist() == ["", "added_library", "other_tissue"]
    assert rows.loc["r3", "status"] == "flagged"
    np.testing.assert_array_equal(chosen.counts.loc["r2"], counts.r2 + counts.r3)
    assert len(chosen.people) == 58
    with pytest.raises(CohortError, match="tissue is 'liver', but the samples are of: normal, tumour"):
        choose_samples(table, counts, samples, ["sex"], tissue="liver")
    with pytest.raises(CohortError, match="no column 'tissue'"):
        choose_samples(table, counts, samples.drop(columns="tissue"), ["sex"], tissue="liver")


@pytest.mark.parametrize(
    ("repeated", "kept", "reasons"),
    [
        ("first", ["r4"], ["", "repeated_sample", "repeated_sample"]),
        ("last", ["r6"], ["repeated_sample", "repeated_sample", ""]),
        ("sum", ["r4"], ["", "added_sample", "added_sample"]),
        ("block", ["r4", "r5", "r6"], ["", "", ""]),
    ],
)
def test_several_samples_of_a_participant_by_the_declared_rule(repeated, kept, reasons):
    table, counts, samples = expression_study()
    samples.loc[[5, 6], "subject_id"] = "s4"
    samples["sample_date"] = "2020-01-01"
    chosen = choose_samples(table, counts, samples, ["sex"], repeated)
    assert chosen.people.index[chosen.people.subject_id == "s4"].tolist() == kept
    assert chosen.ledger.set_index("sample_id").reason[["r4", "r5", "r6"]].tolist() == reasons
    if repeated == "sum":
        np.testing.assert_array_equal(chosen.counts.loc["r4"], counts[["r4", "r5", "r6"]].sum(axis=1))


def test_the_command_runs_on_plain_tables(tmp_path):
    table, counts, samples = expression_study()
    table = table.drop(columns="cohort").astype({"age_acceleration": object})
    table.loc[3, "age_acceleration"] = "NA"
    files = write_plain(tmp_path, table, counts.rename(index={"G7": "ENSG00000000007.2"}), samples)
    (tmp_path / "ids.tsv").write_text("gene_id\tsymbol\nENSG00000000007\tG7\n")
    command = f"fit-expression {files} --gene-ids ids.tsv --workers 1".split()
    command += ["--set", "expression.panel=CDK6", "--set", "expression.covariates=sex,bmi,sex:bmi"]
    done = faceage_bio(tmp_path, *command)
    assert done.status == 2
    assert "no row of expression, and expression.headline is auto with 59 participants" in done.output
    command += ["--set", "expression.headline=DESeq2"]
    excluding = ["--set", "expression.quality.outlier={action: exclude, threshold: 5}"]
    done = faceage_bio(tmp_path, *command, *excluding)
    assert done.status == 2
    assert "--quality: not given, but expression.quality.outlier excludes samples" in done.output
    done = faceage_bio(tmp_path, *command)
    assert done.status == 0, done.output
    assert "59 of 60 samples" in done.output
    assert "58 genes, and 1 of the 1 declared" in done.output
    genes = pd.read_csv(tmp_path / "genes.tsv", sep="\t").set_index("term")
    assert genes.gene_id.dropna().to_dict() == {"G7": "ENSG00000000007"}
    panel = pd.read_csv(tmp_path / "panel.tsv", sep="\t")
    together = panel[panel.model == "together"].set_index("exposure")
    assert together.q_value["age_acceleration"] < 1e-4
    assert together.adjustment["age_acceleration"] == "full"
    assert together.covariates["age_acceleration"] == "age, sex, bmi, sex x bmi"
    table.loc[4, "age_acceleration"] = "older"
    table.to_csv(tmp_path / "people.tsv", sep="\t", index=False)
    done = faceage_bio(tmp_path, *command)
    assert done.status == 2
    assert "older" in done.output
    assert "line 6" in done.output


@pytest.fixture
def plain(tmp_path):
    """A samples table, and a function that reads the study's files with another one."""
    _, counts, samples = expression_study(n=20, genes=20)
    counts.rename_axis("gene").to_csv(tmp_path / "counts.tsv", sep="\t")

    def attempt(samples):
        samples.to_csv(tmp_path / "samples.tsv", sep="\t", index=False)
        return read_inputs("c", tmp_path / "samples.tsv", tmp_path / "counts.tsv")

    return samples.drop(columns="cohort"), attempt


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (
            lambda s: s.drop(columns="subject_id"),
            TableError,
            r"lacks the column\(s\) subject_id; it has sample_id",
        ),
        (lambda s: s.rename(columns={"sample_id": "id"}), TableError, r"lacks the column\(s\) sample_id"),
        (
            lambda s: s.assign(subject_id=["", *s.subject_id[1:]]),
            CohortError,
            "column 'subject_id': 1 row.*line 2. Expected a sample and its subject in every row. Write whose sample",
        ),
        (
            lambda s: pd.concat([s, s.head(1)]),
            CohortError,
            "line 2: 'r0'; line 22: 'r0'. It stands more than once",
        ),
        (
            lambda s: s.assign(sample_id="x" + s.sample_id),
            CohortError,
            r"20 sample\(s\) have no column in .*counts.tsv: xr0",
        ),
    ],
)
def test_a_samples_table_that_does_not_tell_whose_each_sample_is_is_refused(plain, change, error, match):
    samples, attempt = plain
    with pytest.raises(error, match=match):
        attempt(change(samples))


def test_samples_without_a_row_are_left_out_and_said(plain, capsys):
    samples, attempt = plain
    inputs, *_ = attempt(samples.head(15))
    assert inputs["expression"][0].shape == (20, 15)
    assert "5 sample(s) have no row in" in capsys.readouterr().out


def test_a_table_checked_at_intake_keeps_the_identifiers(tmp_path):
    _, counts, samples = expression_study(n=20, genes=20)
    ids = pd.Series({"G7": "ENSG00000000007"}).rename_axis("gene")
    checked = CountTable(counts.rename_axis("gene"), identifiers=ids)
    write_table(checked.to_table(), tmp_path / "counts.parquet")
    write_table(samples, tmp_path / "samples.parquet")
    inputs, _, found = read_inputs("c", tmp_path / "samples.parquet", tmp_path / "counts.parquet")
    assert found.to_dict() == ids.to_dict()
    pd.testing.assert_frame_equal(inputs["expression"][0], counts.rename_axis("gene"), check_dtype=False)


def test_samples_of_other_participants_are_refused():
    table, counts, samples = expression_study(n=20)
    with pytest.raises(CohortError, match="none of the 20 samples is of a person of the analysis table"):
        choose_samples(table, counts, samples.assign(subject_id="p" + samples.subject_id), ["sex"])


@pytest.mark.parametrize("repeated", ["first", "block"])
def test_a_panel_of_which_nothing_can_be_tested_keeps_its_rows_and_the_genes_theirs(repeated):
    table, counts, samples = expression_study()
    if repeated == "block":
        samples.loc[1, "subject_id"] = "s0"
    data = choose_samples(table, counts, samples, ["sex"], repeated)
    genes, panel = result_tables(
        data, "c", "expression", Expression(covariates=["sex"], panel=["ABSENT", "ZERO", "LOW"])
    )
    assert genes.p_value.notna().sum() > 50
    assert panel.estimate.isna().all()
    assert worded(panel).groupby("term").note.unique().map(list).to_dict() == {
        "ABSENT": ["not estimated, because the counts do not have it"],
        "ZERO": ["not estimated, because no sample has a count of it"],
        "LOW": ["not estimated, because its counts are too low"],
    }
