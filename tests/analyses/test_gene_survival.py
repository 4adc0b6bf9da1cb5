"""Genes and survival: planted genes found, samples in time, families apart, and what the report says of it."""

import re

import numpy as np
import pandas as pd
import pytest

from faceage_bio.analyses.expression.counts import levels_table, log_counts_per_million
from faceage_bio.analyses.survival.gene_hazards import gene_survival, read_levels
from faceage_bio.core.errors import CohortError
from faceage_bio.core.settings.settings_survival import Survival
from faceage_bio.core.tables import write_table
from faceage_bio.report.sections_genes import gene_survival_section
from faceage_bio.report.tables_by_place import ReportTables
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_ph import proportional_hazards_test
from faceage_bio.stats.multiplicity import bonferroni
from tests.commands import output_of
from tests.gene_studies import gene_survival_study
from tests.report_studies import config_of
from tests.rows import collected, worded

PANEL = ["CDK6", "TP53", "ABSENT"]


def fit(people, levels, covariates=("chronological_age", "sex"), **more):
    settings = Survival(gene_covariates=list(covariates), **more)
    return tuple(map(worded, gene_survival(people, levels, settings, PANEL, "c")))


def design_of(people, levels):
    return pd.DataFrame(
        {"CDK6": levels.CDK6, "age": people.chronological_age, "male": (people.sex == "male") * 1.0}
    )


def test_planted_gene_is_found_with_the_numbers_of_its_own_model():
    people, levels = gene_survival_study()
    genes, panel = fit(people, levels)
    found = panel.set_index("term").loc["CDK6"]
    assert found.ci_lower < np.exp(0.6) < found.ci_upper
    said = (found.measure, found.per, found.covariates, found.n)
    assert said == ("hazard ratio", "doubling", "age, sex", 150)
    own = fit_cox(people.followup_years, people.event, design_of(people, levels))
    np.testing.assert_allclose(
        found[["estimate", "ci_lower", "ci_upper", "p_value"]].astype(float),
        own.terms.loc["CDK6", ["hazard_ratio", "ci_lower", "ci_upper", "p_value"]],
        rtol=1e-6,
    )
    assert found.hazards_p_value == pytest.approx(proportional_hazards_test(own).p_value[0], rel=1e-6)
    assert genes.p_value.idxmin() == 0
    assert len(genes) == 40


def test_a_column_of_participants_of_any_name_takes_no_other_levels():
    people, levels = gene_survival_study()
    rows = np.random.default_rng(0).permutation(len(people))
    for one, other in zip(fit(people, levels), fit(people.assign(row=rows), levels), strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_panel_and_all_genes_are_families_of_their_own():
    genes, panel = fit(*gene_survival_study())
    row, same = panel[panel.term == "CDK6"].iloc[0], genes[genes.term == "CDK6"].iloc[0]
    assert row.p_value == same.p_value
    assert row.p_bonferroni == pytest.approx(2 * row.p_value)  # ABSENT was not tested
    assert same.p_bonferroni == pytest.approx(40 * same.p_value)
    assert row.q_value < same.q_value
    absent = panel.set_index("term").loc["ABSENT"]
    assert np.isnan(absent.estimate)
    assert absent.note == "not estimated, because the counts do not have it, or too few of it"


def test_bonferroni_leaves_missing_out():
    np.testing.assert_array_equal(bonferroni([0.01, np.nan, 0.9]), [0.02, np.nan, 1.0])


def test_permuted_levels_give_uniform_p():
    people, levels = gene_survival_study(genes=300)
    genes, _ = fit(people, levels.assign(subject_id=np.random.default_rng(3).permutation(levels.subject_id)))
    assert (genes.p_value < 0.05).mean() < 0.09
    assert 0.44 < genes.p_value.mean() < 0.56


def test_participants_are_at_risk_from_their_sample_on():
    people, levels = gene_survival_study()
    late = people.followup_years.to_numpy() * np.where(np.arange(150) % 2, 0.5, 0.0)
    days = np.floor(late * 365.25)
    dates = pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D")
    levels["sample_date"] = dates.strftime("%Y-%m-%d")
    _, panel = fit(people, levels)
    own = fit_cox(people.followup_years, people.event, design_of(people, levels), pd.Series(days / 365.25))
    assert panel.estimate[0] == pytest.approx(own.terms.hazard_ratio["CDK6"], rel=1e-7)
    # whoever is sampled after the end of follow-up tells nothing of it; who has no date counts from time zero
    levels.loc[0, "sample_date"], levels.loc[1, "sample_date"] = "2026-01-01", None
    _, panel = fit(people, levels)
    assert panel.n[0] == 149
    assert "without 1 participant sampled at or after the end" in panel.note[0]
    assert "time of sampling not known of 1 participant," in panel.note[0]
    # time from a diagnosis a year before the photo, at risk from the photo on
    older = people.assign(diagnosis="2019-01-01", entry_years=1.0, followup_years=people.followup_years + 1.0)
    levels = levels.assign(sample_date="2020-01-01")
    shifted = fit(older, levels, time_zero="diagnosis")[1].estimate[0]
    # 365 days are no year of 365.25
    assert shifted == pytest.approx(fit(people, levels)[1].estimate[0], rel=1e-3)


def test_immortal_time_of_late_samples_makes_no_gene():
    # a level that only grows with the time of sampling, and samples of those who lived until their appointment
    random = np.random.default_rng(7)
    people, levels = gene_survival_study(n=900, effect=0.0, genes=3)
    days = random.integers(0, 700, 900)
    dates = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D"))
    levels = levels.assign(
        sample_date=dates.dt.strftime("%Y-%m-%d"), CDK6=days / 365.25 + random.normal(0, 0.3, 900)
    )
    levels = levels[days / 365.25 < people.followup_years]
    naive = fit(people, levels.assign(sample_date=None))[1].set_index("term").loc["CDK6"]
    right = fit(people, levels)[1].set_index("term").loc["CDK6"]
    assert naive.ci_upper < 0.9  # a protective gene out of nothing
    assert right.ci_lower < 1 < right.ci_upper


def test_strata_batches_and_constant_covariates():
    people, levels = gene_survival_study()
    _, panel = fit(people, levels, ["chronological_age", "batch"], strata=["sex"])
    assert (panel.covariates[0], panel.strata[0], panel.adjustment[0]) == ("age, batch", "sex", "full")
    assert panel.estimate[0] == pytest.approx(fit(people, levels)[1].estimate[0], rel=0.1)
    _, panel = fit(people.assign(sex="female"), levels)
    assert "without sex, which does not vary" in panel.note[0]


def test_each_cell_type_is_an_analysis_of_its_own():
    people, levels = gene_survival_study()
    fewer = levels.drop(columns="TP53").assign(analysis="expression in B cells")
    both = pd.concat([levels.assign(analysis="expression in T cells"), fewer])
    genes, panel = fit(people, both)
    assert list(dict.fromkeys(panel.question)) == ["gene survival in T cells", "gene survival in B cells"]
    assert genes.groupby("question", sort=False).size().tolist() == [40, 39]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.assign(event=0.0), "0 deaths are too few"),
        (lambda p: p.assign(event=p.event.where(p.event.cumsum() <= 3, 0.0)), "3 deaths are too few; a hazard ratio needs at least 5"),
        (lambda p: p.head(0), "no participant has follow-up"),
        (lambda p: p.assign(sex=None), "no participant has follow-up, a sample and all covariates"),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted_is_said_in_the_panel(change, message):
    people, levels = gene_survival_study()
    genes, panel = fit(change(people), levels, ["chronological_age", "sex", "batch"])
    assert len(genes) == 0
    assert list(panel.term) == PANEL
    assert panel.note.str.contains(message).all()


def test_few_deaths_and_genes_without_variation_are_told():
    people, levels = gene_survival_study()
    people["event"] = people.event.where(people.event.cumsum() <= 15, 0.0)
    genes, _ = fit(people, levels.assign(TP53=5.0))
    assert "sparse data: 15 events for 3 variables, fewer than 10 events per variable" in genes.note[0]
    assert genes.set_index("term").note["TP53"] == "not estimated, because it does not vary"


def test_an_unknown_covariate_is_an_error():
    message = r"name 'plate', but neither the participants nor the samples have it. Expected columns of these. Correct"
    with pytest.raises(CohortError, match=message):
        fit(*gene_survival_study(), ["plate"])


# -- levels


def test_levels_are_log_counts_per_million_of_the_first_sample():
    counts = pd.DataFrame({"r1": [30, 70, 0], "r2": [50, 50, 1], "r3": [10, 90, 0]}, index=["A", "B", "C"])
    dates = ["2021-01-01", "2020-01-01", None]
    samples = pd.DataFrame({"sample_id": list(counts), "subject_id": ["x", "x", "y"], "sample_date": dates})
    table = levels_table({"expression": (counts, samples)}, 10, 2)
    assert list(table.sample_id) == ["r2", "r3"]
    assert list(table.columns[5:]) == ["A", "B"]
    assert table.A.tolist() == pytest.approx([np.log2(50 / 101 * 1e6 + 1), np.log2(10 / 100 * 1e6 + 1)])
    summed = levels_table({"expression": (counts, samples)}, 10, 2, repeated="sum")
    assert summed.A[0] == pytest.approx(np.log2(80 / 201 * 1e6 + 1))
    assert summed.sample_date[0] == "2021-01-01"  # known to be alive at the last of them
    both = levels_table({"expression": (counts, samples)}, 10, 2, repeated="block")
    pd.testing.assert_frame_equal(both, table)
    tumour = samples.assign(tissue=["tumour", "blood", "tumour"])
    expected = ["r1", "r3"]
    assert list(levels_table({"expression": (counts, tumour)}, 10, 2, tissue="tumour").sample_id) == expected
    specimens = samples.assign(specimen_id=["one", "one", None])
    added = levels_table({"expression": (counts, specimens)}, 10, 2, repeated="last")
    assert added.A[0] == pytest.approx(np.log2(80 / 201 * 1e6 + 1))
    with pytest.raises(CohortError, match="no counts at all: r9"):
        log_counts_per_million(counts.assign(r9=0), 10, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="subject_id"), "lacks the column 'subject_id'"),
        (lambda t: t.assign(subject_id="s1"), "150 rows are of participants who stand twice: row 1: s1"),
        (lambda t: t.assign(TP53="high"), "1 gene column.* hold words: TP53. Expected log2 levels. Write numbers; leave further"),
        (lambda t: t.assign(TP53=900.0), "above 40: TP53.* Give log2 levels"),
    ],
)  # fmt: skip
def test_wrong_levels_are_told(tmp_path, change, message):
    write_table(change(gene_survival_study()[1]), tmp_path / "levels.tsv")
    with pytest.raises(CohortError, match=message):
        read_levels(tmp_path / "levels.tsv")


# -- the commands and the report


def test_commands_run_on_plain_tables(tmp_path):
    people, levels = gene_survival_study()
    excess = np.arange(150) % 7
    people = people.drop(columns=["cohort", "entry_years", "photo_date"])
    ages = {"face_age": people.chronological_age + excess, "age_acceleration": excess - excess.mean()}
    write_table(people.assign(**ages), tmp_path / "people.tsv")
    logs = levels.drop(columns=["analysis", "subject_id", "sample_date", "batch"]).set_index("sample_id")
    np.exp2(logs).round().T.astype(int).rename_axis("gene").to_csv(tmp_path / "counts.tsv", sep="\t")
    write_table(levels[["sample_id", "subject_id"]], tmp_path / "samples.tsv")
    for command in (
        "check-expression --participants people.tsv --counts counts.tsv --samples samples.tsv --set expression.covariates=chronological_age --output .",
        "fit-gene-survival --participants people.tsv --levels log_cpm.parquet --set expression.panel=CDK6 --output .",
    ):
        output_of(command, folder=tmp_path)
    assert (tmp_path / "log_cpm.parquet").stat().st_mode & 0o777 == 0o600
    panel = pd.read_csv(tmp_path / "gene_panel.tsv", sep="\t")
    assert panel.ci_lower[0] > 1
    assert panel.cohort[0] == "people"
    assert "time of sampling not known" in worded(panel).note[0]


def test_report_section_tells_the_headline_gene_and_shows_both_families(tmp_path):
    config = config_of(["c"], expression={"panel": PANEL})

    def section(cohort, **tables):
        placed = {f"{cohort}/survival/{name}": table.drop(columns="note") for name, table in tables.items()}
        return gene_survival_section(collected(tmp_path, placed), "c", config)["gene_survival"][0]

    genes, panel = fit(*gene_survival_study())
    part = section("c", genes=genes, gene_panel=panel)
    assert part["sentence"].startswith("HR for death per doubling of CDK6 expression, adjusted for ")
    assert float(re.search(r": ([\d.]+) \(95% CI ", part["sentence"])[1]) > 1
    assert "<svg" in part["forest"]
    assert "<svg" in part["all_genes"]["svg"]
    assert (part["n_tested"], part["all_genes"]["n"], len(part["panel"])) == (40, 40, 3)
    assert gene_survival_section(ReportTables({}), "c", config) == {"gene_survival": []}
    people, levels = gene_survival_study()
    _, panel = fit(people.assign(event=0.0), levels)
    part = section("d", gene_panel=panel)
    expected = "CDK6: not estimated, because 0 deaths are too few; a hazard ratio needs at least 5."
    assert part["sentence"] == expected
    assert (part["forest"], part["n_tested"]) == ("", 0)


def test_a_cell_type_without_profiles_keeps_its_row_and_says_why():
    counts = pd.DataFrame({f"s{k}": [50 + k, 80, 90 + 3 * k] for k in range(30)}, index=["CDK6", "A", "B"])
    samples = pd.DataFrame(
        {"sample_id": list(counts), "subject_id": list(counts), "sample_date": None, "batch": None}
    )
    levels = levels_table({"expression in T": (counts, samples), "expression in B": (counts.iloc[:, :0], samples.iloc[:0])}, 1, 1)  # fmt: skip
    random = np.random.default_rng(1)
    people = pd.DataFrame({
        "subject_id": list(counts), "entry_years": 0.0, "followup_years": random.exponential(2, 30) + 0.1,
        "event": 1, "sex": ["female", "male"] * 15, "photo_date": pd.Timestamp("2020-01-01"),
    })  # fmt: skip
    _, panel = gene_survival(people, levels, Survival(gene_covariates=["sex"]), ["CDK6"], "c")
    rows = worded(panel).set_index("question")
    assert rows.estimate["gene survival in T"] > 0
    assert rows.note["gene survival in B"].startswith("not estimated, because no participant has follow-up")
