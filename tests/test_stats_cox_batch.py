"""A Cox model per gene equals R's coxph, and a gene without an answer says why."""

import numpy as np
import pandas as pd
import pytest

from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import in_words, reason
from faceage_bio.stats import cox_batch
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_batch import fit_cox_per_column
from tests.golden.cox.data import read
from tests.rows import golden

r = golden("cox")
GENES = [f"g{k}" for k in range(40)]


@pytest.mark.parametrize("late", [False, True])
def test_each_gene_equals_coxph(late, monkeypatch):
    monkeypatch.setattr(cox_batch, "BATCH", 16)  # several batches
    table = read("genes")
    covariates = table[["age"] if late else ["age", "sex"]]
    more = {"entry": table.start, "strata": table.stratum} if late else {}
    found = fit_cox_per_column(table.time, table.event, table[GENES], covariates, **more)
    expected = np.array([r(f"genes late {k}" if late else f"genes {k}") for k in range(40)])
    np.testing.assert_allclose(
        found[["log_hazard_ratio", "standard_error", "p_value"]], expected, rtol=1e-7, atol=1e-12
    )
    assert (found.reason == "").all()


def test_a_gene_equals_the_single_fit_and_its_interval():
    table = read("genes")
    one = fit_cox(table.time, table.event, table[["g3", "age"]]).terms.loc["g3"]
    found = fit_cox_per_column(table.time, table.event, table[["g3"]], table[["age"]]).loc["g3"]
    np.testing.assert_allclose(found[one.index].astype(float), one, rtol=1e-7)
    alone = fit_cox(table.time, table.event, table[["g3"]]).terms.loc["g3"]
    found = fit_cox_per_column(table.time, table.event, table[["g3"]], table[[]]).loc["g3"]
    np.testing.assert_allclose(found[alone.index].astype(float), alone, rtol=1e-7)


def test_a_gene_without_an_answer_has_its_reason_and_the_others_stay():
    table = read("genes")
    genes = table[["g1", "g2"]].assign(
        flat=3.0, hole=table.g4.where(table.index > 2), old=2 * table.age + 1, dead=table.event, almost=table.age + 1e-9 * table.g5,
    )  # fmt: skip
    found = fit_cox_per_column(table.time, table.event, genes, table[["age", "sex"]])
    assert {gene: in_words(why) for gene, why in found.reason.items()} == {
        "g1": "",
        "g2": "",
        "flat": "not estimated, because it does not vary",
        "hole": "not estimated, because it has missing values",
        "old": "not estimated, because it does not vary among those at risk, or follows from the covariates",
        "dead": "not estimated, because it separates those who died from those who did not",
        "almost": "not estimated, because it does not vary among those at risk, or follows from the covariates",
    }
    assert (found.log_hazard_ratio.isna() == (found.reason != "")).all()
    np.testing.assert_allclose(found.log_hazard_ratio["g2"], r("genes 2")[0], rtol=1e-7)


def test_covariates_that_fail_or_other_rows_are_errors():
    table = read("genes")
    with pytest.raises(FitError, match="age does not vary"):
        fit_cox_per_column(table.time, table.event, table[GENES], table[["age"]].assign(age=1.0))
    with pytest.raises(FitError, match="rows of the exposures"):
        fit_cox_per_column(table.time, table.event, table[GENES][::-1], table[["age"]])
    few = table.event.where(table.event.cumsum() <= 2, 0.0)
    with pytest.raises(FitError, match="2 deaths are too few for 3"):
        fit_cox_per_column(table.time, few, table[GENES], table[["age", "sex"]])


def test_planted_gene_is_first_and_permuted_genes_are_uniform():
    random = np.random.default_rng(8)
    genes = pd.DataFrame(random.normal(size=(200, 400))).add_prefix("g")
    age = pd.DataFrame({"age": random.normal(size=200)})
    death = random.exponential(1, 200) / np.exp(0.9 * genes.g7 + 0.5 * age.age)
    years, event = death.clip(upper=2), (death < 2).astype(float)
    found = fit_cox_per_column(years, event, genes, age)
    assert found.p_value.idxmin() == "g7"
    assert found.loc["g7", "ci_lower"] < np.exp(0.9) < found.loc["g7", "ci_upper"]
    others = found.drop(index="g7").p_value
    assert 0.02 < (others < 0.05).mean() < 0.09
    assert 0.45 < others.mean() < 0.55


@pytest.mark.parametrize("seed", [0, 4])
def test_rare_and_heavy_tailed_genes_are_as_their_single_fits(seed):
    # steps that go too far at first are not separation, and real separation is told by both
    random, n = np.random.default_rng(seed), 25
    draw = [
        lambda: random.standard_t(1, n), lambda: np.exp(3 * random.normal(size=n)), lambda: (random.random(n) < 0.07) * 1.0,
        lambda: random.normal(size=n), lambda: np.where(random.random(n) < 0.85, 0.0, random.normal(5, 1, n)),
    ]  # fmt: skip
    genes = pd.DataFrame({f"g{k}": draw[k % 5]() for k in range(80)})
    covariates = pd.DataFrame({"z": random.integers(0, 3, n) * 1.0, "a": random.normal(size=n)})
    years = pd.Series(np.ceil(random.exponential(1, n) / np.exp(0.4 * covariates.a) * 20))
    event = pd.Series((random.random(n) < 0.5) * 1.0)
    found = fit_cox_per_column(years, event, genes, covariates)
    assert 0 < (found.reason != "").sum() < 20
    for gene, row in found.iterrows():
        design = pd.concat([genes[[gene]], covariates], axis=1)
        if row.reason:
            words = str(reason(row.reason)).removeprefix("it ")
            with pytest.raises(FitError, match=rf"^{gene}.*{words[:14]}"):
                fit_cox(years, event, design)
        else:
            single = fit_cox(years, event, design).terms.loc[gene]
            np.testing.assert_allclose(row[single.index].astype(float), single, rtol=1e-6, err_msg=gene)
