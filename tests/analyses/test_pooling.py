"""Meta-analysis of plain tables and of result tables: what is pooled, on which scale, and what is refused or listed with its reason."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from faceage_bio.analyses.pooling.headlines import headline_rows
from faceage_bio.analyses.pooling.pooling_stage import pool_genes, pool_rows
from faceage_bio.core.errors import CohortError, FaceAgeBioError
from faceage_bio.core.results.reasons import in_words, reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.core.settings.settings_study import Pooling
from faceage_bio.core.tables import read_table
from faceage_bio.stats import meta_analysis as meta
from tests.commands import output_of
from tests.pooled_cohorts import cox

FACEAGE = """cohort,estimate,ci_lower,ci_upper,p_value,n
curative,1.151,1.056,1.254,0.0013,4906
thoracic,1.148,1.032,1.277,0.011,573
palliative,1.117,1.017,1.227,0.021,717
"""


@pytest.fixture
def pool(tmp_path):
    """Run pool-cohorts on a plain table; its pooled row, the cohorts' rows and the sensitivity rows."""

    def run(text: str, *options: str, measure: str = "hazard ratio") -> tuple:
        (tmp_path / "cohorts.csv").write_text(text)
        files = "--table cohorts.csv --output pooled.tsv --sensitivity sensitivity.tsv"
        output_of(f"pool-cohorts {files} --measure", measure, *options, folder=tmp_path)
        rows = read_table(tmp_path / "pooled.tsv")
        return rows.iloc[0], rows.iloc[1:], read_table(tmp_path / "sensitivity.tsv")

    return run


INTERVAL = ["estimate", "ci_lower", "ci_upper"]
FOUR = np.array([0.1, 0.5, 0.9, 0.3]), np.array([0.1, 0.12, 0.2, 0.15])  # estimates and standard errors
TEXT_OF_FOUR = "cohort,estimate,standard_error\n" + "".join(
    f"c{k},{a},{b}\n" for k, (a, b) in enumerate(zip(*FOUR, strict=True))
)


def growing(column, first):
    """20 cohorts whose estimates grow by 0.02 from one to the next, as does the column by 1."""
    rng = np.random.default_rng(1)
    lines = [f"c{k:02d},{0.1 + 0.02 * k + rng.normal() * 0.05:.4f},0.05,{first + k}" for k in range(20)]
    return "\n".join([f"cohort,estimate,standard_error,{column}", *lines])


def test_published_cohorts_of_faceage(pool):
    pooled, cohorts, further = pool(FACEAGE)
    expected = [1.139, 1.010, 1.283]
    assert pooled[INTERVAL].tolist() == pytest.approx(expected, abs=0.0006)
    assert pooled["method"] == "random effects, REML, ad hoc Hartung-Knapp"
    assert (pooled["cohort"], pooled["cohorts"], pooled["n"], pooled["tau2"]) == ("pooled", 3, 6196, 0)
    assert pooled["reason"] == "no_between_variance"
    assert cohorts["cohort"].tolist() == ["curative", "thoracic", "palliative"]
    assert cohorts["weight"].sum() == pytest.approx(100)
    assert set(further["variant"]) >= {"without thoracic", "first 3: up to palliative", "other model"}


def test_other_methods_on_request(pool):
    for method, test in (("DL", "z"), ("PM", "knha"), ("ML", "adhoc"), ("EE", "z")):
        want = meta.pool(*FOUR, method, test)
        options = ("--set", f"pooling.method={method}", "--set", f"pooling.test={test}")
        row, _, _ = pool(TEXT_OF_FOUR, *options, measure="mean difference")
        assert row[INTERVAL].tolist() == pytest.approx([getattr(want, name)[0] for name in INTERVAL])
    wide = pool(TEXT_OF_FOUR, "--set", "pooling.prediction_df=k-2", measure="mean difference")[0]
    assert wide["pi_upper"] > pool(TEXT_OF_FOUR, measure="mean difference")[0]["pi_upper"]


def test_two_cohorts_have_a_common_effect(pool):
    pooled, cohorts, further = pool("\n".join(FACEAGE.splitlines()[:3]) + "\n")
    assert pooled["method"] == "common effect, inverse variance, z"
    assert pooled["reason"] == "two_cohorts"
    assert pd.isna(pooled["tau2"])
    assert pd.isna(pooled["pi_lower"])
    assert len(cohorts) == 2
    assert further.empty


def test_logarithms_with_standard_errors(pool):
    pooled, cohorts, _ = pool("cohort,estimate,standard_error\na,0.2,0.1\nb,-0.1,0.1\n")
    assert pooled["estimate"] == pytest.approx(np.exp(0.05))
    assert cohorts["estimate"].tolist() == pytest.approx(np.exp([0.2, -0.1]))


def test_areas_are_pooled_as_logits(pool):
    text = "cohort,estimate,ci_lower,ci_upper\na,0.71,0.66,0.76\nb,0.68,0.60,0.75\n"
    pooled, _, _ = pool(text, measure="AUC")
    ends = logit([[0.66, 0.76], [0.60, 0.75]])
    want = meta.pool(logit([0.71, 0.68]), (ends[:, 1] - ends[:, 0]) / (2 * 1.959964), "EE", "z")
    assert pooled["estimate"] == pytest.approx(expit(want.estimate[0]), rel=1e-6)
    assert pooled["scale"] == "logit"


def test_moderators_and_influence_need_ten_cohorts(pool):
    text = growing("year", 2000)
    nine = "\n".join(text.split("\n")[:10])
    few, many = (pool(one, "--moderator", "year", measure="mean difference")[2] for one in (nine, text))
    assert not few["variant"].str.contains("meta-regression").any()
    assert "hat" not in few
    slope = many[many["variant"] == "meta-regression on year"].iloc[0]
    assert slope["estimate"] == pytest.approx(0.02, abs=0.006)
    assert slope["permutation_p"] < 0.01
    assert many[many["variant"].str.startswith("without")]["cook_distance"].notna().all()
    assert many["measure"].eq("Egger's test").sum() == 1


def test_participants_can_be_a_moderator(pool):
    text = growing("n", 100)
    row, _, further = pool(text, "--moderator", "n", "--moderator", "n", measure="mean difference")
    slope = further[further["variant"] == "meta-regression on n"]
    assert slope["estimate"].tolist() == [pytest.approx(0.02, abs=0.006)]
    assert row["n"] == sum(range(100, 120))
    with pytest.raises(CohortError, match=r"'100\.5'. Expected a whole number of participants"):
        pool(text.replace(",100\n", ",100.5\n"), "--moderator", "n", measure="mean difference")


def test_further_analyses_have_the_prediction_interval_of_the_main_one(pool):
    row, _, further = pool(TEXT_OF_FOUR, "--set", "pooling.prediction_df=k-2", measure="mean difference")
    further = further.set_index(["variant", "method"])["pi_upper"]
    assert further.loc["first 4: up to c3", row["method"]] == pytest.approx(row["pi_upper"])
    want = meta.pool(*(values[1:] for values in FOUR), "REML", "adhoc").prediction_interval("k-2")[1][0]
    assert further.loc["without c0", row["method"]] == pytest.approx(want)
    other = meta.pool(*FOUR, "REML", "z").prediction_interval("k-2")[1][0]
    assert further.loc["other model"].loc["random effects, REML, z"] == pytest.approx(other)


@pytest.mark.parametrize(
    ("measure", "null"),
    [("integrated Brier score", None), ("mean absolute error", None), ("mean difference", 0), ("calibration slope", 1)],
)  # fmt: skip
def test_only_what_has_a_null_value_is_tested(pool, measure, null):
    text = "cohort,estimate,ci_lower,ci_upper\na,0.9,0.8,1.0125\nb,1.1,0.99,1.2222\nc,1.2,1.05,1.3714\n"
    if measure != "mean absolute error":
        text = "cohort,estimate,standard_error\na,0.9,0.05\nb,1.1,0.05\nc,1.2,0.06\n"
    row, cohorts, further = pool(text, measure=measure)
    for rows in (row.to_frame().T, cohorts, further):
        if null is None:
            assert rows[[name for name in ("statistic", "p_value") if name in rows]].isna().all(axis=None)
        else:
            z = (rows["estimate"] - null) / rows["standard_error"]
            assert rows["statistic"].astype(float).tolist() == pytest.approx(z.tolist(), abs=1e-9)
            assert rows["p_value"].notna().all()
    if null is not None:
        assert (cohorts["p_value"] < 1e-6).all() == (null == 0)


def test_a_p_value_is_that_of_the_measures_null_value(pool):
    text = "cohort,estimate,standard_error,p_value\na,1.1,0.1,0.317\nb,0.9,0.1,0.317\n"
    assert pool(text, measure="calibration slope")[0]["p_value"] == pytest.approx(1)
    with pytest.raises(CohortError, match=r"Its CI or standard error gives p = 3\.8e-28"):
        pool(text, measure="mean difference")


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (FACEAGE.replace("0.0013", "0.013"), [], r"column 'p_value'.*line 2: '0.013'.*gives p = 0.0013"),
        ("cohort,estimate,standard_error\na,0.1,0\nb,0.2,-0.1\nc,0.1,0.1\n", [], r"column 'standard_error': 2 row\(s\), line 2: '0'; line 3: '-0.1'. Expected a positive number"),
        ("cohort,estimate,ci_lower,ci_upper\na,,1.1,1.3\nb,1.2,1.1,1.3\n", [], r"column 'estimate': 1 row\(s\), line 2. Expected the estimate of this CI"),
        ("cohort,estimate,ci_lower,ci_upper\na,1.2,1.3,1.1\nb,1.2,1.1,1.3\n", [], r"line 2: '1.2'. Expected an estimate within its CI.*swapped"),
        ("cohort,estimate,ci_lower,ci_upper\na,1.2,1.1,\nb,1.2,1.1,1.3\n", [], "Expected both ends of the CI"),
        ("cohort,estimate,ci_lower,ci_upper\na,1.12,1.1,1.9\nb,1.2,1.1,1.3\n", [], "middle of its CI on the log scale"),
        ("cohort,estimate,ci_lower,ci_upper\na,-0.1,-0.3,0.1\nb,1.2,1.1,1.3\n", [], "Expected a CI within 0 and inf"),
        ("cohort,estimate,ci_lower,ci_upper\na,1.2,1.1,1.3\n", [], r"of each estimate one cohort only \(a\). Expected two cohorts"),
        ("cohort,estimate,ci_lower,ci_upper\na,1.2,1.1,1.3\na,1.3,1.1,1.5\n", [], r"column 'cohort': 1 row\(s\), line 3: 'a'. It stands more than once"),
        ("cohort,estimate,ci_lower,ci_upper\na,1.2,1.1,1.3\nb,1.2,1.1,1.3\n", [], "a; b have the same estimate and CI in all digits.*pooling.overlapping=\\[\\[a, b\\]\\]"),
        ("cohort,estimate,ci_lower,ci_upper,per\na,1.2,1.1,1.3,10 years\nb,1.3,1.1,1.5,1 SD\n", [], "differ in per .*line 2: '10 years'; line 3: '1 SD'"),
        ("cohort,estimate,ci_lower,ci_upper,definition\na,1.2,1.1,1.3,linear\nb,1.3,1.1,1.5,spline\n", [], "the cohorts differ in definition .*Expected one, since only estimates of the same quantity can be pooled"),
        ("cohort,estimate,ci_lower,ci_upper,model_id\na,1.2,1.1,1.3,f00\nb,1.3,1.1,1.5,\n", [], "differ in model_id"),
        ("cohort,estimate,ci_lower,ci_upper,participants\na,1.2,1.1,1.3,UKB\nb,1.3,1.1,1.5,UKB\n", [], "a; b have participants of 'UKB'. Expected cohorts that share none. Keep one, or declare it"),
        ("cohort,estimate\na,1.2\nb,1.3\n", [], r"Expected its CI \(ci_lower, ci_upper\) or its standard_error"),
        ("cohort,HR\na,1.2\nb,1.3\n", [], "no column 'estimate'; it has cohort, HR"),
        (FACEAGE, ["--measure", "HR"], "--measure is 'HR'; expected what estimates are called.*hazard ratio"),
        (FACEAGE.replace("thoracic", ""), [], r"column 'cohort': 1 row\(s\), line 3. Expected the cohort's name. Write it, or leave the row out"),
        (FACEAGE, ["--set", "pooling.reference_cohorts=curative,thoracic,palliative"], "no cohort is left. Expected two or more besides the reference cohorts"),
        (FACEAGE, ["--moderator", "year"], "no column 'year'"),
        (FACEAGE.replace("4906", "49.5").replace("573", "-3"), [], r"column 'n': 2 row\(s\), line 2: '49.5'; line 3: '-3'. Expected a whole number of participants"),
        (FACEAGE.replace("thoracic", "pooled"), [], r"line 3: 'pooled'. The pooled row is called so. Expected a cohort"),
        (FACEAGE.replace("thoracic", "Curative"), [], r"line 3: 'Curative'. It stands more than once"),
        ("cohort,estimate,ci_lower,ci_upper\na,1e300,1e299,1e301\nb,1.2,1.1,1.3\n", [], r"line 2: '1e300'. Expected an estimate up to 25 and .* on the log scale"),
        ("cohort,estimate,standard_error\na,0.2,1e-300\nb,0.3,1e300\n", [], r"'estimate': 2 row\(s\), .*Expected an estimate up to 25"),
        ("cohort,estimate,ci_lower,ci_upper\na,inf,1.0,1.4\nb,1.2,1.1,1.3\n", [], r"1 problem .*line 2: 'inf'. Expected a number"),
        (FACEAGE, ["--moderator", "per"], "--moderator per: a column of result tables. Expected a column of numbers with a name of its own, or n"),
        ("cohort,estimate,ci_lower,ci_upper,standard_error\na,1.151,1.056,1.254,0.9\nb,1.2,1.1,1.3,0.043\n", [], r"'standard_error': 1 row\(s\), line 2: '0.9'. Its CI gives a standard error of 0.0438 on the log scale. Expected both"),
        (FACEAGE, ["--table", "other.csv"], "--measure is of one plain table, but 2 were given. Expected one --table"),
        (FACEAGE, ["--set", "pooling.reference_cohorts=curative,thoracic"], r"one cohort only \(palliative\)"),
    ],
)  # fmt: skip
def test_what_cannot_be_pooled_is_refused(pool, text, options, message):
    with pytest.raises(FaceAgeBioError, match=f"(?s){message}"):
        pool(text, *options)


def test_result_tables_are_known_by_their_place(tmp_path):
    (tmp_path / "survival.tsv").write_text("cohort\testimate\n")
    message = r"no result table whose estimates are pooled\. Expected one of survival/cox"
    with pytest.raises(FaceAgeBioError, match=message):
        output_of("pool-cohorts --table survival.tsv --output x.tsv", folder=tmp_path)


def test_decimal_commas_are_read_and_their_digits_counted(pool):
    german = FACEAGE.replace(",", ";").replace(".", ",")
    assert pool(german)[0]["estimate"] == pool(FACEAGE)[0]["estimate"]
    with pytest.raises(CohortError, match=r"'0\.013'. Its CI or standard error gives p = 0\.0013"):
        pool(german.replace("0,0013", "0,013"))


def test_overlapping_cohorts_are_pooled_when_declared(pool):
    text = "cohort,estimate,ci_lower,ci_upper,participants\na,1.2,1.1,1.3,UKB\nb,1.3,1.1,1.5,UKB\n"
    pooled, _, _ = pool(text, "--set", "pooling.overlapping=[[a, b]]")
    assert pooled["reason"].startswith("two_cohorts; overlapping_cohorts")


def test_a_p_value_is_compared_as_far_as_it_was_printed(pool):
    assert pool(FACEAGE.replace("0.0013", "0.001"))[0]["cohorts"] == 3
    assert pool(FACEAGE.replace("0.011", "<0.05"))[0]["cohorts"] == 3
    with pytest.raises(CohortError, match=r"'<0\.001'"):
        pool(FACEAGE.replace("0.011", "<0.001"))


# ------------------------------------------------------------------------------ result tables


def pooled(
    tables: list[pd.DataFrame], reference: tuple = (), *, shared_controls=False, **settings
) -> pd.Series:
    rows = headline_rows({"survival/cox": tables}, reference)
    found = pool_rows(rows, Pooling(**settings), shared_controls=shared_controls).estimates
    return found[found["cohort"] == "pooled"].iloc[0]


def test_pooled_row_is_metafors_of_full_precision_errors():
    y, se = [0.2, 0.5, 0.3], [0.1, 0.12, 0.15]
    row = pooled([cox(name, *one) for name, one in zip("abc", zip(y, se, strict=True), strict=True)])
    want = meta.pool(y, se, "REML", "adhoc")
    assert row["estimate"] == pytest.approx(np.exp(want.estimate[0]), rel=1e-12)
    assert row["p_value"] == pytest.approx(want.p_value[0], rel=1e-12)
    assert (row["role"], row["n"], row["n_events"], row["covariates"]) == ("primary", 300, 180, "age")


def test_order_of_cohorts_does_not_matter():
    tables = [cox(name, 0.1 * k, 0.1 + 0.02 * k) for k, name in enumerate("abcde")]
    numbers = ["estimate", "ci_lower", "ci_upper", "tau2", "pi_upper", "n"]
    one, other = (pooled(ordered)[numbers].astype(float) for ordered in (tables, tables[::-1]))
    np.testing.assert_allclose(one, other, rtol=1e-9)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"per": "5 years"}, "cohorts_differ columns=per"),
        ({"model_id": "weights 2"}, "cohorts_differ columns=model_id"),
        ({"definition": "spline"}, "cohorts_differ columns=definition"),
        ({"covariates": "age, sex"}, "cohorts_differ columns=adjustment"),
        ({"reason": reason("without_missing", columns="age")}, "cohorts_differ columns=adjustment"),
        ({"reason": reason("no_events")}, "one_cohort cohorts=a"),
        ({"step": "+ sex"}, "one_cohort cohorts=a"),
    ],
)
def test_what_is_not_pooled_keeps_its_row_with_the_reason(other, why):
    row = pooled([cox("a", 0.2, 0.1), cox("b", 0.3, 0.1, **other)])
    assert row["status"] == "not_estimated"
    assert row["reason"].startswith(why)
    assert pd.isna(row["estimate"])


def test_the_most_cohorts_that_are_alike_are_pooled():
    other = cox("c", 0.9, 0.1, reason=reason("without_missing", columns="age"))
    none = cox("d", 0.3, 0.1, reason=reason("no_events"), estimate=np.nan)
    tables = [other, cox("a", 0.2, 0.1), cox("b", 0.3, 0.1), none]
    found = pool_rows(headline_rows({"survival/cox": tables}), Pooling()).estimates
    row, cohorts = found.iloc[0], found.iloc[1:].set_index("cohort")
    assert row["estimate"] == pytest.approx(np.exp(0.25))
    assert (row["cohorts"], row["n"], row["covariates"]) == (2, 200, "age")
    assert cohorts["weight"].fillna(0).to_dict() == {"c": 0, "a": 50, "b": 50, "d": 0}
    said = in_words(row["reason"])
    assert "without c, since cohorts differ in adjustment" in said
    assert "without d, where it was not estimated" in said


def test_columns_in_which_cohorts_differ_are_in_words_and_their_names_stay():
    told = reason(
        "cohorts_differ", columns=["adjustment"], values="north_bmi: age_acceleration, bmi_class | south: sex"
    )
    said = in_words(told.encoded)
    assert said.endswith("cohorts differ in adjustment: north_bmi: age acceleration, BMI class | south: sex")


def test_of_as_many_alike_cohorts_the_first_are_pooled():
    steps = [("a", "10 years"), ("b", "5 years"), ("c", "5 years"), ("d", "10 years")]
    row = pooled([cox(name, 0.2, 0.1 + 0.1 * (name == "a"), per=per) for name, per in steps])
    assert (row["per"], row["cohorts"]) == ("10 years", 2)
    assert "without_differing cohorts=b,%20c columns=per" in row["reason"]


def test_an_estimate_that_no_cohort_has_says_so():
    rows = [cox(name, 0.2, 0.1, reason=reason("no_events")) for name in "ab"]
    assert pooled(rows)["reason"] == "no_cohort"


def test_reference_cohorts_are_in_no_pooled_estimate():
    tables = [cox("a", 0.2, 0.1), cox("b", 0.3, 0.1), cox("controls", 2.0, 0.1)]
    assert pooled(tables, reference=("controls",))["estimate"] == pytest.approx(np.exp(0.25))


def test_shared_controls_are_refused_unless_declared():
    tables = [cox(name, 0.2, 0.1, exposure="age_acceleration", term="age_acceleration") for name in "ab"]
    assert pooled(tables, shared_controls=True)["reason"] == "shared_controls"
    declared = pooled(tables, shared_controls=True, overlapping=[["a", "b"]])
    assert "overlapping_cohorts" in declared["reason"]


def test_a_table_given_twice_is_refused():
    with pytest.raises(CohortError, match="has an estimate twice"):
        headline_rows({"survival/cox": [cox("a", 0.2, 0.1), cox("a", 0.3, 0.1)]})


GENE = {
    "question": "expression", "role": "exploratory", "outcome": "expression", "exposure": "age_acceleration", "measure": "log2 fold change",
    "per": "10 years", "adjustment": "full", "covariates": "age, sex", "model": "together", "n": 50, "reason": "",
}  # fmt: skip


def genes(cohort: str, effects: np.ndarray, error: float = 0.1, **other) -> pd.DataFrame:
    rows = [
        GENE | {"cohort": cohort, "term": f"G{k}", "estimate": one, "standard_error": error} | other
        for k, one in enumerate(effects)
    ]
    return result_rows(rows, "expression/genes")


def test_planted_gene_is_found_and_permuted_genes_are_not():
    rng = np.random.default_rng(2)
    planted = np.zeros(400)
    planted[7] = 0.5
    tables = [genes(name, planted + rng.normal(size=400) * 0.1) for name in "abcde"]
    made = pool_genes(tables)
    assert made.iloc[0]["term"] == "G7"
    assert made["q_value"].lt(0.05).sum() <= 3
    assert made["hartung_knapp_p"].notna().all()
    shuffled = [genes(name, rng.permutation(planted) + rng.normal(size=400) * 0.1) for name in "abcde"]
    alone = pool_genes(shuffled)
    assert alone["heterogeneity_p"].min() < 1e-3  # an effect in one cohort alone is heterogeneity
    null = pool_genes([genes(name, rng.normal(size=400) * 0.1) for name in "ab"])
    assert null["q_value"].min() > 0.05
    assert null["random_p"].isna().all()


def test_gene_columns_equal_the_estimates_of_single_genes():
    tables = [genes(name, np.array([0.1 * k, 0.3]), 0.1 + 0.05 * k) for k, name in enumerate("abc")]
    row = pool_genes(tables).set_index("term").loc["G0"]
    y, se = [0.0, 0.1, 0.2], [0.1, 0.15, 0.2]
    common, random = meta.pool(y, se, "EE", "z"), meta.pool(y, se, "REML", "z")
    assert row["p_value"] == pytest.approx(common.p_value[0])
    assert row["random_p"] == pytest.approx(random.p_value[0])
    assert row["n"] == 150


def test_genes_of_other_models_are_not_pooled():
    row = pool_genes([genes("a", np.ones(3)), genes("b", np.ones(3), per="5 years")]).iloc[0]
    assert row["reason"].startswith("cohorts_differ columns=per")


def test_genes_of_cohorts_that_share_controls_are_pooled_where_that_is_declared():
    tables = [genes(name, np.array([0.1, 0.3])) for name in "ab"] + [
        genes(name, np.ones(2), exposure="chronological_age") for name in "ab"
    ]
    made = pool_genes(tables, shared_controls=True).set_index("exposure")
    own = made.loc["age_acceleration"]
    assert np.isnan(own.estimate)
    assert own.reason == "shared_controls"
    assert made.loc["chronological_age"].estimate.notna().all()
    declared = pool_genes(tables, Pooling(overlapping=[["a", "b"]]), shared_controls=True).set_index(
        "exposure"
    )
    assert declared.loc["age_acceleration"].estimate.notna().all()
    assert declared.loc["age_acceleration"].reason.str.contains("overlapping_cohorts").all()
    with pytest.raises(
        CohortError,
        match=r"a cohort has a table of genes twice: a\. Expected one table for a cohort. Give each",
    ):
        pool_genes([tables[0], tables[0]])


def test_genes_of_the_most_cohorts_that_are_alike_are_pooled():
    tables = [genes("a", np.ones(3), per="5 years"), *(genes(name, np.zeros(3)) for name in "bcd")]
    made = pool_genes(tables)
    assert made["cohorts"].eq(3).all()
    assert made["estimate"].abs().max() < 1e-12
    assert made["per"].eq("10 years").all()
    assert made["reason"].str.startswith("without_differing cohorts=a columns=per").all()


def test_q_values_are_over_the_pooled_p():
    def panel(cohort: str, effects: list[float]) -> pd.DataFrame:
        rows = genes(cohort, np.array(effects))[["cohort", *GENE, "term", "estimate", "standard_error"]]
        return result_rows(rows.assign(q_value=0.5, family="prespecified panel"), "expression/panel")

    tables = {"expression/panel": [panel("a", [0.0, 0.3, 0.05]), panel("b", [0.0, 0.3, 0.05])]}
    found = pool_rows(headline_rows(tables), Pooling()).estimates
    whole = found[found["cohort"] == "pooled"].set_index("term")
    expected = [1.0, whole["p_value"]["G1"] * 3, whole["p_value"]["G2"] * 1.5]
    assert whole["q_value"].tolist() == pytest.approx(expected)


def test_scales_of_areas_errors_and_reliability():
    rows = pd.DataFrame({
        "measure": ["Harrell's C", "mean absolute error", "ICC(A,1)", "correlation", "hazard ratio"],
        "estimate": [0.7, 5.0, 0.8, 0.5, 1.5], "standard_error": [0.02, 0.4, np.nan, 0.1, 0.1],
        "ci_lower": [0.66, 4.2, 0.6, 0.3, 1.2], "ci_upper": [0.74, 5.8, 0.9, 0.7, 1.8],
    })  # fmt: skip
    from faceage_bio.analyses.pooling.headlines import with_scale

    found = with_scale(rows)
    width = (np.arctanh(0.9) - np.arctanh(0.6)) / (2 * 1.959964)
    assert found["se"].tolist() == pytest.approx([0.02 / (0.7 * 0.3), 0.4 / 5, width, 0.1, 0.1], rel=1e-6)
    expected = [logit(0.7), np.log(5), np.arctanh(0.8), np.arctanh(0.5), np.log(1.5)]
    assert found["y"].tolist() == pytest.approx(expected)
