"""Quality of RNA samples: depth, sex by RNA, components, outliers, batches. Golden: tests/golden/expression_checks (R)."""

import re
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from faceage_bio.analyses.expression.counts import choose_samples, one_row_per_sample
from faceage_bio.analyses.expression.quality import (
    NO_COUNTS,
    OUTLIER,
    SEX,
    component_table,
    confounding_table,
    deviations,
    infer_sex,
    quality_tables,
    verdicts_of,
    without_excluded,
)
from faceage_bio.core.errors import FitError
from faceage_bio.report.pages import association_page
from faceage_bio.report.sections_genes import quality_sentence
from faceage_bio.stats.linear import association_of_words, explained
from tests.commands import output_of
from tests.gene_studies import Y, check_quality, quality_study, tables_of_quality, write_plain
from tests.golden.expression_checks.data import OUTCOMES, voters
from tests.report_studies import CARD, config_of
from tests.rows import collected, worded

R = (
    pd.read_csv(Path(__file__).parents[1] / "golden/expression_checks/golden.tsv", sep="\t")
    .set_index("what")
    .value
)


def test_shares_explained_equal_r():
    data = voters()
    party = pd.get_dummies(data.party).drop(columns="democrat").astype(float)
    for term, design in (("age", data[["age"]]), ("party", party)):
        share, p = explained(data[OUTCOMES[:3]].to_numpy(), design.to_numpy())
        np.testing.assert_allclose(share, [R[f"r2 {name} {term}"] for name in OUTCOMES[:3]], rtol=1e-8)
        np.testing.assert_allclose(p, [R[f"p {name} {term}"] for name in OUTCOMES[:3]], rtol=1e-8)
    v, p = association_of_words(data.party, data.vote)
    assert v == pytest.approx(R["v party vote"], rel=1e-9)
    assert p == pytest.approx(R["p party vote"], rel=1e-8)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.1, 50), st.floats(-100, 100))
def test_shares_explained_know_no_unit(seed, scale, shift):
    random = np.random.default_rng(seed)
    y, x = random.normal(size=(20, 2)), random.normal(size=(20, 2))
    share, p = explained(y, x)
    np.testing.assert_allclose(explained(y * scale + shift, x), (share, p), rtol=1e-6)
    np.testing.assert_allclose(explained(y, x * scale + shift), (share, p), rtol=1e-6)
    assert ((share >= 0) & (share <= 1)).all()


SIX = np.arange(6.0)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.empty((6, 0)), "does not vary"),
        (np.random.default_rng(1).normal(size=(6, 5)), "6 samples are too few for 5 terms"),
        (np.column_stack([SIX, SIX]), "follow from each other"),
    ],
)
def test_what_cannot_be_explained_is_told(x, message):
    with pytest.raises(FitError, match=message):
        explained(SIX, x)


def test_what_does_not_vary_explains_nothing():
    assert np.isnan(explained(np.ones(6), SIX)).all()
    with pytest.raises(FitError, match="does not vary"):
        association_of_words(["a", "a"], ["x", "y"])


def test_components_are_those_of_a_singular_value_decomposition():
    table, counts, samples = quality_study()
    checked = check_quality(table, counts, samples)
    levels = np.log2((counts + 0.5) / (counts.sum() + 1) * 1e6).T
    levels = levels.loc[:, (counts >= 10).sum(axis=1) >= 10].drop(columns=["XIST", *Y])
    u, s, _ = np.linalg.svd(levels - levels.mean(), full_matrices=False)
    np.testing.assert_allclose(checked.components.abs(), np.abs(u[:, :5] * s[:5]), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(checked.shares, s[:5] ** 2 / (s**2).sum(), rtol=1e-8)


def test_components_equal_those_of_r(monkeypatch):
    from faceage_bio.analyses.expression import quality

    data = voters()[OUTCOMES]
    monkeypatch.setattr(quality, "levels_of", lambda counts, genes: data)
    scores, shares, _ = quality.principal_components(pd.DataFrame(1, OUTCOMES, data.index), 5, 2, 0, 0)
    for k in (1, 2):
        assert shares[f"PC{k}"] == pytest.approx(R[f"pc share {k}"], rel=1e-9)
        for i in (1, 2, 3):
            assert abs(scores.iloc[i - 1, k - 1]) == pytest.approx(R[f"pc {k} {i}"], rel=1e-8)


def test_a_planted_batch_is_found_on_a_component_and_in_the_confounding_table():
    tables = tables_of_quality(*quality_study(batch=0.5, linked=True))
    components = tables["components"].set_index(["term", "component"])
    assert components.estimate["batch", "PC1"] > 0.9
    assert components.q_value["batch", "PC1"] < 1e-10
    assert components.q_value["smoking", "PC1"] > 0.05
    rows = tables["confounding"]
    batches = rows[rows.level.notna()].set_index("level")
    confounding = rows[rows.level.isna()].set_index("term")
    assert confounding.estimate["age_acceleration"] > 0.4
    assert confounding.p_value["age_acceleration"] < 1e-6
    assert batches.estimate["p1"] > 3 > -3 > batches.estimate["p2"]
    assert confounding.measure["sex"] == "Cramer's V"


def test_without_effect_the_p_values_of_components_are_uniform():
    table, counts, samples = quality_study(batch=0.0)
    checked, random, found = check_quality(table, counts, samples), np.random.default_rng(3), []
    for _ in range(40):
        found.append(explained(checked.components.to_numpy(), random.permutation(table.age_acceleration))[1])
    assert kstest(np.concatenate(found), "uniform").pvalue > 0.01
    components = tables_of_quality(*quality_study(batch=0.0))["components"].set_index("term")
    assert (components.q_value["age_acceleration"] > 0.01).all()


def test_a_swapped_sex_is_found_and_flagged_or_excluded():
    table, counts, samples = quality_study()
    table.loc[7, "sex"] = {"female": "male", "male": "female"}[table.sex[7]]
    found = check_quality(table, counts, samples).samples.set_index("sample_id")
    assert found.index[found.reason == SEX].tolist() == ["r7"]
    assert found.status["r7"] == "flagged"
    assert found.detail["r7"] == f"recorded {table.sex[7]}, by RNA {found.rna_sex['r7']}"
    summary = tables_of_quality(table, counts, samples)["quality"].set_index("term")
    assert summary.estimate["sex by RNA differs from the record"] == 1
    assert not {"r7", "s7"} & set(summary.astype(str).to_numpy().ravel())

    out = check_quality(table, counts, samples, sex_mismatches="exclude").samples.assign(
        analysis="expression"
    )
    verdicts = verdicts_of(out, "expression")
    data = choose_samples(table, counts, samples, ["sex"], verdicts=verdicts)
    assert "r7" not in data.counts.index
    row = data.ledger.set_index("sample_id").loc["r7"]
    assert (row.status, row.reason) == ("excluded", SEX)
    assert row.detail.startswith("recorded ")
    left = without_excluded({"expression": (counts, samples)}, out)["expression"][1]
    assert "r7" not in left.sample_id.tolist()
    flagged = verdicts_of(
        check_quality(table, counts, samples).samples.assign(analysis="expression"), "expression"
    )
    data = choose_samples(table, counts, samples, ["sex"], verdicts=flagged)
    assert "r7" in data.counts.index
    assert data.ledger.status.value_counts().to_dict() == {"included": 59, "flagged": 1}
    assert len(one_row_per_sample(samples, [data.ledger])) == 60


def test_an_outlier_is_found_and_two_batches_are_none():
    table, counts, samples = quality_study(n=80, batch=1.0)
    assert (check_quality(table, counts, samples).samples.status == "included").all()
    random = np.random.default_rng(5)
    counts["r3"] = random.permutation(counts["r3"].to_numpy())
    counts["r9"] //= 60
    found = check_quality(table, counts, samples, sex_mismatches="ignore").samples.set_index("sample_id")
    assert set(found.index[found.reason == OUTLIER]) == {"r3", "r9"}
    assert found.detail["r9"].endswith("robust standard deviations from the median")
    ignored = check_quality(table, counts, samples, sex_mismatches="ignore", outliers="ignore").samples
    assert (ignored.status == "included").all()


def test_a_sample_without_counts_is_excluded_and_the_others_are_checked():
    table, counts, samples = quality_study()
    counts["r0"] = 0
    checked = check_quality(table, counts, samples)
    row = checked.samples.set_index("sample_id").loc["r0"]
    assert (row.status, row.reason, row.detail) == ("excluded", NO_COUNTS, "no counts at all")
    assert len(checked.components) == 59
    tables = tables_of_quality(table, counts, samples)
    assert tables["quality"].set_index("term").estimate[["without counts", "excluded"]].tolist() == [1, 1]
    verdicts = verdicts_of(checked.samples.assign(analysis="a"), "a")
    data = choose_samples(table, counts, samples, [], verdicts=verdicts)
    assert len(data.counts) == 59


@pytest.mark.parametrize(
    ("gone", "why"), [(["XIST"], "the counts have no XIST"), (Y, "the counts have no Y genes"), (["XIST", *Y], "no XIST and no Y")]
)  # fmt: skip
def test_without_sex_genes_the_sex_check_says_so(gone, why):
    table, counts, samples = quality_study()
    tables = tables_of_quality(table, counts.drop(index=gone), samples)
    row = worded(tables["quality"]).set_index("term").loc["sex by RNA differs from the record"]
    assert np.isnan(row.estimate)
    assert row.note.startswith("not estimated, because")
    assert why in row.note
    assert "Sex was not inferred from RNA, because" in quality_sentence(tables["quality"])


def test_sex_between_both_is_not_told():
    counts = pd.DataFrame(
        {"f": [900, 0, 99100], "m": [0, 900, 99100], "mixed": [500, 400, 99100]}, index=["XIST", "DDX3Y", "G"]
    )
    expected = {"f": "female", "m": "male", "mixed": "not determined"}
    assert infer_sex(counts, 2.0)[0].rna_sex.to_dict() == expected


def test_few_samples_have_no_components():
    table, counts, samples = quality_study()
    three = samples.head(3)
    checked = check_quality(table, counts, three)
    assert str(checked.reasons["components"]) == "3 samples are too few; there must be at least 4"
    rows = quality_tables(checked, three, table, ["sex"], "c", "expression")["components"]
    assert worded(rows).note.str.contains("3 samples are too few").all()


@pytest.mark.parametrize(
    ("batches", "note"),
    [
        ("p1", "not estimated, because all samples are of one batch"),
        ([f"p{k}" for k in range(60)], "age acceleration cannot be separated"),
        (None, "not estimated, because the samples table names no batch"),
    ],
)
def test_batches_that_compare_nothing_are_told(batches, note):
    rows = confounding_table(quality_study()[0].assign(batch=batches), ["age_acceleration", "sex"])
    rows = worded(rows.drop_duplicates("term", keep="last")).set_index("term")
    assert note in rows.note["age_acceleration"]


def test_covariates_that_a_batch_cannot_explain_are_told():
    table, counts, samples = quality_study()
    bmi = [25.0 + k / 9 for k in range(30)] + [np.nan] * 30
    people = table.assign(batch=["p1"] * 30 + ["p2"] * 30, bmi=bmi, flat=1.0)
    rows = worded(confounding_table(people, ["bmi", "flat"])).set_index("term")
    assert rows.note["bmi"] == "not estimated, because those with a value are of one batch"
    assert rows.note["flat"] == "not estimated, because it does not vary"
    own = people.assign(batch=[f"p{k}" for k in range(60)])
    rows = worded(confounding_table(own, ["sex"])).set_index("term")
    assert rows.note["sex"].startswith("not estimated, because nearly every sample is a batch of its own")
    checked = check_quality(table, counts, samples)
    people = table.set_index(checked.components.index).assign(unknown=None, word=[f"w{k}" for k in range(60)])
    rows = worded(component_table(checked, people, ["unknown", "word"])).set_index("term")
    assert rows.note["unknown"] == "not estimated, because no participant has a value"
    assert rows.note["word"] == "not estimated, because nearly every participant has a value of their own"


def test_one_batch_per_group_cannot_be_told_apart():
    table, _, _ = quality_study()
    rows = confounding_table(table.assign(batch="of " + table.sex), ["age_acceleration", "sex"])
    rows = worded(rows).set_index("term")
    assert rows.note["sex"] == "batch and sex cannot be separated"
    assert rows.estimate["sex"] == pytest.approx(1)
    assert rows.note["age_acceleration"] == ""
    two = table.assign(batch="p" + (table.age_acceleration > 0).astype(str))
    two["age_acceleration"] = two.batch.map({"pTrue": 5.0, "pFalse": -5.0})
    rows = worded(confounding_table(two, ["age_acceleration"])).set_index("term")
    assert rows.note["age_acceleration"] == "batch and age acceleration cannot be separated"


def test_a_batch_of_one_participant_has_a_mean_and_no_interval():
    table, _, _ = quality_study()
    people = table.assign(batch=["rare"] * 4 + ["single"] + ["p1"] * 55)
    rows = worded(confounding_table(people, [])).set_index("level")
    assert rows.estimate["rare"] == pytest.approx(people.age_acceleration.head(4).mean())
    assert rows.estimate["single"] == pytest.approx(people.age_acceleration.iloc[4])
    assert np.isnan(rows.ci_lower["single"])
    expected = "interval not estimated, because there are fewer than 2 values or they do not vary"
    assert rows.note["single"] == expected


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.1, 9), st.floats(-50, 50))
def test_deviations_know_no_unit(seed, scale, shift):
    random = np.random.default_rng(seed)
    table, alike = pd.DataFrame(random.normal(size=(30, 2))), pd.Series(random.choice(list("ab"), 30))
    np.testing.assert_allclose(deviations(table * scale + shift, alike), deviations(table, alike), rtol=1e-6)


def page_of(found, folder):
    """The association page of a cohort with these tables of samples."""
    placed = {f"one/expression/{name}": one.assign(cohort="one") for name, one in found.items()}
    return association_page(collected(folder, placed), config_of(["one"]), [CARD])


def test_the_page_shows_samples_heat_map_and_batches(tmp_path):
    page = page_of(tables_of_quality(*quality_study(batch=0.5, linked=True)), tmp_path)
    for text in (
        "60 samples were checked; none was excluded or flagged.", "variance of each principal component explained by a covariate",
        "age acceleration of each batch", "Outlying by RNA: flagged, sex by RNA differs from the record: flagged", "<strong>1.00</strong>",
    ):  # fmt: skip
        assert text in page, text


def test_redacted_quartiles_are_dashes_on_the_page(tmp_path):
    quality = tables_of_quality(*quality_study())["quality"].assign(
        lower_quartile=np.nan, upper_quartile=np.nan
    )
    page = page_of({"quality": quality}, tmp_path)
    measured = re.findall(r'<th scope="row">[^<]*</th><td>[^–<]+</td><td>([^<]*)</td></tr>', page)
    assert measured.count("–") >= 2
    assert "– to –" not in page
    assert ">nan" not in page


def test_samples_that_differ_are_counted_on_the_page(tmp_path):
    table, counts, samples = quality_study(n=40, genes=60)
    counts["r0"] = 0
    found = tables_of_quality(table, counts, samples)
    assert quality_sentence(found["quality"]).startswith("40 samples were checked: 1 excluded")
    one = quality_sentence(found["quality"].assign(n=1, estimate=0))
    assert one.startswith("1 sample was checked; none was excluded or flagged")
    page = page_of(found, tmp_path)
    assert '<th scope="row">Without counts</th><td>1</td><td>40</td>' in page


def test_the_command_runs_on_plain_tables_and_the_fit_leaves_out_what_it_excludes(tmp_path):
    table, counts, samples = quality_study(n=40, genes=120)
    table.loc[7, "sex"] = {"female": "male", "male": "female"}[table.sex[7]]
    common = f"{write_plain(tmp_path, table, counts, samples)} --set expression.covariates=sex"
    rule = "expression.quality.sex_mismatch={action: exclude, threshold: 2}"
    output_of(f"check-expression {common} --set", rule, folder=tmp_path)
    private = tmp_path / "sample_quality.parquet"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert pd.read_parquet(private).set_index("sample_id").status["r7"] == "excluded"
    for name in ("quality", "components", "confounding"):
        text = (tmp_path / f"{name}.tsv").read_text()
        assert "r7" not in text
        assert "s7" not in text
    chosen = "--quality sample_quality.parquet --set expression.panel=G1 --workers 1"
    output_of(f"fit-expression {common} {chosen}", folder=tmp_path)
    assert (pd.read_csv(tmp_path / "panel.tsv", sep="\t").n == 39).all()
    ledger = pd.read_csv(tmp_path / "ledger.tsv", sep="\t").set_index("sample_id")
    assert (ledger.status["r7"], ledger.reason["r7"]) == ("excluded", SEX)
