"""Genes against age acceleration: held to DESeq2, planted effects found, nothing lost. Golden: tests/golden/deseq2."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from faceage_bio.errors import CohortError
from faceage_bio.expression.cells import aggregate_cells, samples_of
from faceage_bio.expression.counts import choose_samples
from faceage_bio.expression.deseq import result_tables, wald_tests
from tests.golden.deseq2 import data

GOLDEN = pd.read_csv(Path(__file__).parent / "golden" / "deseq2" / "golden.tsv", sep="\t", index_col="gene")
PANEL = ["CDK6", "TP53", "LOW", "ABSENT"]


def test_wald_tests_equal_deseq2():
    counts, people = data.simulated()
    matrix = people.copy()
    matrix.insert(0, "intercept", 1.0)
    table = wald_tests(counts.T, matrix, ["exposure"], workers=1)["exposure"].loc[GOLDEN.index]
    np.testing.assert_allclose(table.baseMean, GOLDEN.base_mean, rtol=1e-9)
    # pydeseq2 fits dispersions a little differently (statistics with the same dispersions would agree to 1e-6)
    shift = (table.log2FoldChange - GOLDEN.estimate).abs() / GOLDEN.standard_error
    assert shift.median() < 1e-3
    assert shift.quantile(0.99) < 1e-2
    assert (table.lfcSE / GOLDEN.standard_error - 1).abs().quantile(0.99) < 0.03
    strength = -np.log10(GOLDEN.p_value)
    apart = (-np.log10(table.pvalue) - strength).abs() / strength.clip(lower=1)
    assert apart.quantile(0.99) < 0.03
    assert table.pvalue.corr(GOLDEN.p_value, method="spearman") > 0.9999


def study(n=60, seed=1, effect=0.8, genes=60):
    random = np.random.default_rng(seed)
    ids = [f"s{k}" for k in range(n)]
    excess = random.normal(0, 8, n)
    table = pd.DataFrame({
        "cohort": "c", "subject_id": ids, "age_acceleration": excess, "chronological_age": random.normal(64, 9, n),
        "sex": random.choice(["female", "male"], n), "bmi": random.normal(27, 4, n),
    })  # fmt: skip
    names = ["CDK6", "TP53", "LOW", *(f"G{k}" for k in range(genes - 3))]
    mean = np.full((genes, n), 300.0)
    mean[0] *= 2 ** (effect * excess / 10)
    mean[2] = 0.05
    counts = pd.DataFrame(
        random.negative_binomial(8, 8 / (8 + mean)), index=names, columns=[f"r{k}" for k in range(n)]
    )
    samples = pd.DataFrame(
        {"cohort": "c", "sample_id": counts.columns, "subject_id": ids, "batch": None, "sample_date": None}
    )
    return table, counts, samples


def fit(table, counts, samples, covariates=("chronological_age", "sex")):
    chosen = choose_samples(table, counts, samples, covariates)
    return result_tables(chosen, "c", "expression", covariates, PANEL, 10, 10, 10, 1)


def test_planted_gene_is_found_beside_its_twin():
    genes, panel = fit(*study())
    rows = panel[panel.term == "CDK6"].set_index("exposure")
    assert rows.ci_lower["age_acceleration"] < 0.8 < rows.ci_upper["age_acceleration"]
    assert rows.q_value["age_acceleration"] < 1e-4
    assert rows.p_value["chronological_age"] > 0.001
    assert rows.adjustment["age_acceleration"] == "age, sex"
    assert rows.adjustment["chronological_age"] == "age acceleration, sex"
    assert set(genes.per) == {"10 years"}
    assert "LOW" not in set(genes.term)


def test_every_panel_gene_is_there_with_a_reason_if_it_was_not_tested():
    _, panel = fit(*study())
    notes = panel[panel.exposure == "age_acceleration"].set_index("term").note
    assert list(notes.index) == PANEL
    assert notes["LOW"] == "not tested, because its counts are too low"
    assert notes["ABSENT"] == "not tested, because the counts do not have it"


def test_permuted_acceleration_gives_uniform_p():
    table, counts, samples = study(genes=300)
    table["age_acceleration"] = np.random.default_rng(9).permutation(table.age_acceleration)
    genes, _ = fit(table, counts, samples)
    p_values = genes[(genes.exposure == "age_acceleration")].p_value.dropna()
    assert (p_values < 0.05).mean() < 0.11
    assert 0.4 < p_values.mean() < 0.6


def test_samples_left_out_are_in_the_ledger():
    table, counts, samples = study()
    table.loc[0, "age_acceleration"] = np.nan
    table.loc[1, "sex"] = None
    samples.loc[5, "subject_id"] = "s4"  # sequenced twice, later
    samples["sample_date"] = "2020-01-01"
    samples.loc[5, "sample_date"] = "2020-02-01"
    chosen = choose_samples(table, counts, samples, ["chronological_age", "sex"])
    reasons = chosen.ledger.set_index("sample_id").reason
    assert reasons[["r0", "r1", "r4", "r5", "r6"]].tolist() == [
        "no_acceleration",
        "missing_sex",
        "",
        "repeated_sample",
        "",
    ]
    assert len(chosen.ledger) == 60
    assert list(chosen.counts.index) == list(chosen.people.index)


@pytest.mark.parametrize(
    ("change", "covariates", "message"),
    [
        (lambda t: t.head(6), ["chronological_age", "sex"], "samples are too few"),
        (lambda t: t.assign(age_acceleration=1.0), ["sex"], "does not vary"),
        (lambda t: t.assign(twin=t.bmi * 2), ["bmi", "twin"], "twin follows from the other covariates"),
    ],
)
def test_what_cannot_be_fitted_is_said_in_the_panel(change, covariates, message):
    table, counts, samples = study()
    genes, panel = fit(change(table), counts, samples, covariates)
    assert len(genes) == 0
    assert panel.note.str.contains(message).all()
    assert panel.estimate.isna().all()


def test_an_unknown_covariate_is_told():
    with pytest.raises(CohortError, match="names 'plate'"):
        choose_samples(*study(), ["plate"])


def test_libraries_of_a_specimen_are_added_and_tissues_chosen():
    table, counts, samples = study()
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
def test_several_samples_of_a_person_by_the_declared_rule(repeated, kept, reasons):
    table, counts, samples = study()
    samples.loc[[5, 6], "subject_id"] = "s4"
    samples["sample_date"] = "2020-01-01"
    chosen = choose_samples(table, counts, samples, ["sex"], repeated)
    assert chosen.people.index[chosen.people.subject_id == "s4"].tolist() == kept
    assert chosen.ledger.set_index("sample_id").reason[["r4", "r5", "r6"]].tolist() == reasons
    if repeated == "sum":
        np.testing.assert_array_equal(chosen.counts.loc["r4"], counts[["r4", "r5", "r6"]].sum(axis=1))


def test_cells_are_summed_per_person_and_type(tmp_path):
    import anndata

    random = np.random.default_rng(1)
    x = random.poisson(3, (200, 5)).astype("float32")
    obs = pd.DataFrame(
        {
            "subject_id": [f"s{k % 4}" for k in range(200)],
            "cell_type": np.where(np.arange(200) < 190, "T", "B"),
        },
        index=[f"c{k}" for k in range(200)],
    )
    cells = anndata.AnnData(x, obs=obs, var=pd.DataFrame(index=list("ABCDE")))
    cells.write_h5ad(tmp_path / "cells.h5ad")
    profiles, dropped = aggregate_cells(tmp_path / "cells.h5ad", min_cells=10)
    assert len(profiles) == 4
    assert set(dropped.cell_type) == {"B"}
    counts, samples = samples_of(profiles, "T", "c")
    expected = x[(obs.subject_id == "s1") & (obs.cell_type == "T")].sum(axis=0)
    np.testing.assert_array_equal(counts["s1"], expected)
    assert samples.subject_id.tolist() == ["s0", "s1", "s2", "s3"]


def test_the_command_runs_on_plain_tables(tmp_path):
    import subprocess
    import sys

    table, counts, samples = study()
    table.to_csv(tmp_path / "people.tsv", sep="\t", index=False)
    counts.rename_axis("gene").to_csv(tmp_path / "counts.tsv", sep="\t")
    samples[["sample_id", "subject_id"]].to_csv(tmp_path / "samples.tsv", sep="\t", index=False)
    command = [sys.executable, "-m", "faceage_bio", "fit-expression"]
    options = {
        "acceleration": "people",
        "counts": "counts",
        "samples": "samples",
        "genes": "genes",
        "panel-table": "panel",
        "ledger": "ledger",
    }
    for option, name in options.items():
        command += [f"--{option}", str(tmp_path / f"{name}.tsv")]
    done = subprocess.run([*command, "--panel", "CDK6", "--workers", "1"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    panel = pd.read_csv(tmp_path / "panel.tsv", sep="\t")
    assert panel[panel.exposure == "age_acceleration"].q_value[0] < 1e-4
