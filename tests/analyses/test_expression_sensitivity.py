"""The declared genes under other models, and their cards. Golden: tests/golden/expression_checks (R)."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from faceage_bio.analyses.expression.counts import choose_samples
from faceage_bio.analyses.expression.formula import design_of
from faceage_bio.analyses.expression.gene_models import contrast_of, fit_models
from faceage_bio.analyses.expression.sensitivity import bins_of, partial_residuals, sensitivity_table
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.row import result_rows
from faceage_bio.core.settings.settings_genes import Expression
from faceage_bio.report.gene_cards import partial_residual_figure
from faceage_bio.report.pages import association_page
from faceage_bio.stats.linear import hc3
from faceage_bio.stats.resampling import draw_counts
from faceage_bio.stats.robustness import by_way_of, coefficients, hidden_components, leave_one_out
from tests.commands import output_of
from tests.gene_studies import expression_study, write_plain
from tests.golden.expression_checks.data import OUTCOMES, voters
from tests.report_studies import CARD, config_of
from tests.rows import collected, worded

GOLDEN = pd.read_csv(Path(__file__).parents[1] / "golden" / "expression_checks" / "golden.tsv", sep="\t")
GOLDEN = GOLDEN.set_index("what")["value"]
SHARED = {"cohort": "c", "question": "expression"}
PANEL = ["CDK6", "TP53", "LOW", "ABSENT", "G1"]


def expression(panel=PANEL, covariates=("sex",), **choices) -> Expression:
    return Expression(panel=list(panel), covariates=list(covariates), **{"bootstraps": 100} | choices)


def designs():
    """Intercept, age, schooling and party; the same without age, and without party."""
    data = voters()
    party = pd.get_dummies(data.party).drop(columns="democrat").astype(float).to_numpy()
    full = np.column_stack([np.ones(len(data)), data.age, data.schooling, party])
    return data, full, np.delete(full, 1, axis=1), full[:, :3]


def chosen(table, counts, samples, covariates=("sex",), **more):
    return choose_samples(table, counts, samples, list(covariates), **more)


def varied(data, covariates=("sex",), panel=PANEL, **choices):
    table = sensitivity_table(data, expression(panel, covariates, **choices), **SHARED)
    effects = table.measure.isin(["log2 fold change", "mediated log2 fold change"])
    return table, worded(table)[effects].set_index(["term", "variant"])


def test_hidden_components_and_the_model_with_them_equal_r():
    data, full, reduced, _ = designs()
    y = data[OUTCOMES].to_numpy()
    for name, design in (("full", full), ("reduced", reduced)):
        found = hidden_components(y, design, 2)
        for k in (1, 2):
            for i in (1, 2, 3):
                assert abs(found[i - 1, k - 1]) == pytest.approx(GOLDEN[f"u {name} {k} {i}"], rel=1e-6)
        estimate, error, *_ = hc3(y[:, :1], np.column_stack([full, found]), np.eye(7)[[1]])[:, 0, 0]
        assert estimate == pytest.approx(GOLDEN[f"hidden {name}"], rel=1e-6)
        assert error == pytest.approx(GOLDEN[f"hidden se {name}"], rel=1e-6)
    with pytest.raises(FitError, match="fewer than 6 directions"):
        hidden_components(y, full, 6)


def test_leaving_one_out_equals_r():
    data, full, *_ = designs()
    found = leave_one_out(data[OUTCOMES].to_numpy(), full, 1)
    main, error, *_ = hc3(data[["income"]].to_numpy(), full, np.eye(5)[[1]])[:, 0, 0]
    assert found.estimates[:, 0].min() == pytest.approx(GOLDEN["loo lowest"], rel=1e-8)
    assert found.estimates[:, 0].max() == pytest.approx(GOLDEN["loo highest"], rel=1e-8)
    assert np.abs(found.estimates[:, 0] - main).max() / error == pytest.approx(GOLDEN["loo shift"], rel=1e-8)
    assert found.cook[:, 0].max() == pytest.approx(GOLDEN["loo cook"], rel=1e-8)
    assert found.leverage.max() == pytest.approx(GOLDEN["loo leverage"], rel=1e-8)
    alone = np.column_stack([np.ones(4), [1.0, 0, 0, 0]])
    with pytest.raises(FitError, match="one sample alone determines a term"):
        leave_one_out(np.arange(4.0)[:, None], alone, 1)


def test_what_goes_by_way_of_a_mediator_equals_r_and_the_product_of_coefficients():
    data, full, _, without = designs()
    y, once = data[["income"]].to_numpy(), np.ones((1, len(data)))
    assert coefficients(y, without, 1, once)[0, 0] == pytest.approx(GOLDEN["total"], rel=1e-8)
    assert coefficients(y, full, 1, once)[0, 0] == pytest.approx(GOLDEN["direct"], rel=1e-8)
    assert by_way_of(y, without, full, 1, once)[0, 0] == pytest.approx(GOLDEN["product"], rel=1e-6)


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_each_resample_and_each_left_out_row_is_a_fit_of_its_own(seed):
    random = np.random.default_rng(seed)
    x = np.column_stack([np.ones(20), random.normal(size=(20, 2))])
    y = random.normal(size=(20, 3))
    counts = draw_counts(20, 2, seed)
    rows = np.repeat(np.arange(20), counts[1].astype(int))
    direct = np.linalg.lstsq(x[rows], y[rows], rcond=None)[0][1]
    np.testing.assert_allclose(coefficients(y, x, 1, counts)[1], direct, rtol=1e-6, atol=1e-9)
    left = np.linalg.lstsq(x[1:], y[1:], rcond=None)[0][1]
    np.testing.assert_allclose(leave_one_out(y, x, 1).estimates[0], left, rtol=1e-8)


def test_the_main_row_is_the_rooms_own_least_squares_and_a_planted_effect_is_found():
    data = chosen(*expression_study(effect=0.8))
    _, rows = varied(data)
    kept = data.counts.loc[:, (data.counts >= 10).sum() >= 10]
    joint = design_of(data.people, ("age_acceleration", "chronological_age"), ["sex"], 10)
    own = fit_models(kept, data.people, joint, 1).test(joint, contrast_of(joint, ["age_acceleration"]))
    assert rows.p_value["CDK6", "main model"] == pytest.approx(own.hc3_p_value["CDK6"], rel=1e-9)
    assert rows.estimate["CDK6", "main model"] > 0.5
    assert rows.q_value["CDK6", "main model"] < 1e-6
    assert rows.p_value["TP53", "main model"] > 0.001


def test_components_alongside_acceleration_move_errors_only():
    _, rows = varied(chosen(*expression_study()))
    one = rows.xs("CDK6").loc[lambda table: table.index.str.endswith("orthogonal to age acceleration")]
    np.testing.assert_allclose(one.estimate, rows.estimate["CDK6", "main model"], rtol=1e-9)
    assert one.standard_error.nunique() == 2


def test_a_hidden_batch_that_inflates_an_effect_is_removed():
    table, counts, samples = expression_study(effect=0.0, genes=150, n=80)
    random = np.random.default_rng(2)
    batch = table.age_acceleration + random.normal(0, 4, 80) > 0
    pull = random.normal(0, 0.8, len(counts))
    pull[0] = 1.5  # CDK6
    counts = (counts * 2.0 ** np.outer(pull, batch)).round().astype(int)
    _, rows = varied(chosen(table, counts, samples))
    assert rows.p_value["CDK6", "main model"] < 1e-4
    held = rows.loc["CDK6", "1 hidden component whatever their cause"]
    assert held.p_value > 0.01
    assert abs(held.estimate) < rows.estimate["CDK6", "main model"] / 4


def test_permuted_acceleration_gives_uniform_p_in_every_variant():
    table, counts, samples = expression_study(effect=0.0, genes=40)
    random, found = np.random.default_rng(4), []
    for _ in range(20):
        table["age_acceleration"] = random.permutation(table["age_acceleration"])
        names = ["CDK6", "TP53", "G1", "G2", "G3", "G4", "G5", "G6"]
        _, rows = varied(
            chosen(table, counts, samples),
            panel=names,
            hidden_components=1,
            bootstraps=100,
            mediator=None,
        )
        found.append(rows.p_value.unstack().dropna(axis=1))
    for variant, p in pd.concat(found).items():
        assert kstest(p, "uniform").pvalue > 0.001, variant


def test_genes_that_are_not_tested_and_choices_that_are_not_given_say_so():
    _, rows = varied(chosen(*expression_study()), mediator="smoking")
    assert rows.note["LOW", "main model"] == "not estimated, because its counts are too low"
    assert rows.note["ABSENT", "main model"] == "not estimated, because the counts do not have it"
    for variant in ("with cell composition", "with tumour purity"):
        assert rows.note["CDK6", variant] == "not estimated, because not given"
    assert "no table has a column smoking" in rows.note["CDK6", "by way of smoking"]
    assert rows.note["CDK6", "without flagged samples"] == "no sample is flagged, so this is the main model"
    _, rows = varied(chosen(*expression_study()), purity="tumour_share", mediator=None)
    expected = "not estimated, because no table has a column tumour_share"
    assert rows.note["CDK6", "with tumour purity"] == expected
    assert rows.note["CDK6", "mediation"] == "not estimated, because not given"


def test_composition_and_purity_are_held_and_the_same_samples_shown_without():
    table, counts, samples = expression_study(effect=0.0)
    random = np.random.default_rng(6)
    samples["t_cells"] = np.clip(0.4 + table.age_acceleration / 40 + random.normal(0, 0.05, 60), 0, 1)
    samples["purity"] = random.uniform(0.2, 0.9, 60)
    samples.loc[:4, "purity"] = np.nan
    counts.loc["CDK6"] = random.poisson(300 * 2 ** (4 * (samples.t_cells - 0.4)))
    _, rows = varied(
        chosen(table, counts, samples),
        composition=["t_cells"],
        purity="purity",
        mediator=None,
    )
    assert rows.p_value["CDK6", "main model"] < 1e-6
    assert rows.p_value["CDK6", "with cell composition"] > 0.001
    assert rows.covariates["CDK6", "with cell composition"] == "age, sex, t_cells"
    assert rows.n["CDK6", "with tumour purity"] == 55
    assert rows.n["CDK6", "main model, samples of the one with tumour purity"] == 55
    samples["other_cells"] = 1 - samples.t_cells
    _, rows = varied(chosen(table, counts, samples), composition=["t_cells", "other_cells"], mediator=None)
    assert "follows from" in rows.note["CDK6", "with cell composition"]


def test_flagged_samples_are_left_out_and_no_sample_is_named():
    table, counts, samples = expression_study()
    verdicts = pd.DataFrame({"status": "flagged", "reason": "rna_outlier", "detail": "x"}, index=["r3", "r5"])
    found, rows = varied(chosen(table, counts, samples, verdicts=verdicts))
    assert rows.n["CDK6", "without flagged samples"] == 58
    assert rows.n["CDK6", "main model"] == 60
    assert not {"r3", "r5", "s3", "s5"} & set(found.astype(str).to_numpy().ravel())


def test_leaving_out_and_mediation_of_the_stage():
    table, counts, samples = expression_study(effect=0.8)
    random = np.random.default_rng(8)
    table["smoking"] = np.where(table.age_acceleration + random.normal(0, 6, 60) > 0, "current", "never")
    counts.loc["TP53"] = random.poisson(np.where(table.smoking == "current", 600, 300))
    found, rows = varied(
        chosen(table, counts, samples, ["sex", "smoking"]),
        ["sex", "smoking"],
        bootstraps=300,
    )
    out = found[(found.term == "CDK6") & (found.variant == "leave-one-out")].set_index("measure").estimate
    assert (
        out["lowest log2 fold change"] < rows.estimate["CDK6", "main model"] < out["highest log2 fold change"]
    )
    assert 0 < out["largest leverage"] < 1
    way = rows.loc["TP53", "by way of smoking"]
    assert way.ci_lower > 0
    expected = rows.estimate["TP53", "without smoking"] - rows.estimate["TP53", "with smoking"]
    assert way.estimate == pytest.approx(expected)
    assert rows.p_value["TP53", "with smoking"] > 0.01
    assert rows.loc["G1", "by way of smoking"].ci_lower < 0 < rows.loc["G1", "by way of smoking"].ci_upper
    assert way.note == "if smoking is a mediator; percentile bootstrap, 300 resamples"
    again, _ = varied(
        chosen(table, counts, samples, ["sex", "smoking"]),
        ["sex", "smoking"],
        bootstraps=300,
    )
    pd.testing.assert_frame_equal(found, again)


def test_fewer_samples_than_parameters_are_told_in_every_row():
    table, counts, samples = expression_study()
    data = chosen(table.head(6), counts, samples)
    rows, _ = varied(data)
    assert worded(rows).note.str.startswith("not estimated, because 6 samples are too few").all()
    binned = partial_residuals(data, expression(), **SHARED)
    assert worded(binned).note.str.startswith("not estimated, because 6 samples are too few").all()
    empty = chosen(table, counts * 0, samples)
    assert worded(varied(empty)[0]).note.str.contains("no gene has 10 counts").all()


@settings(max_examples=30)
@given(st.integers(0, 300))
def test_each_bin_has_enough_participants_for_a_mean(n):
    bins = bins_of(np.random.default_rng(n).normal(size=n))
    assert all(len(mine) >= 5 for mine in bins)
    assert not bins or sorted(np.concatenate(bins)) == list(range(n))
    assert len(bins) != 1


def test_partial_residuals_average_to_zero_and_follow_the_slope():
    data = chosen(*expression_study(effect=0.8))
    binned = partial_residuals(data, expression(["CDK6", "ABSENT"]), **SHARED)
    own = binned[(binned.term == "CDK6") & (binned.exposure == "age_acceleration")]
    assert own.n.sum() == 60
    assert (own.n >= 5).all()
    assert (own.estimate * own.n).sum() == pytest.approx(0, abs=1e-9)
    slope = np.polyfit(own.bin_centre, own.estimate, 1, w=np.sqrt(own.n.astype(float)))[0]
    assert slope * 10 == pytest.approx(0.8, abs=0.25)
    assert worded(binned)[binned.term == "ABSENT"].note.iloc[0] == "not estimated, because it was not tested"
    assert len(partial_residual_figure(binned[binned.estimate.notna()], "CDK6")) < 6000


def test_the_page_shows_variants_and_a_card_for_each_gene(tmp_path):
    table, counts, samples = expression_study(effect=0.8)
    data = chosen(table, counts, samples)
    binned = partial_residuals(data, expression(), **SHARED)
    death = {"cohort": "one", "question": "gene survival", "term": "CDK6", "measure": "hazard ratio", "estimate": 1.53, "ci_lower": 1.2,
             "ci_upper": 1.9, "p_value": 0.001, "adjustment": "age", "covariates": "age", "per": "doubling", "n": 60, "n_events": 30}  # fmt: skip
    tables = {
        "one/expression/sensitivity": varied(data)[0].assign(cohort="one"),
        "one/expression/partial_residuals": binned.assign(cohort="one"),
        "one/survival/gene_panel": result_rows([death], "survival/gene_panel"),
    }
    config = config_of(["one"], expression={"panel": PANEL})
    page = association_page(collected(tmp_path, tables), config, [CARD])
    for text in ("Leaving out any one sample, the estimate is between", "hidden component whatever their cause",
                 "not estimated, because not given", "Prespecified genes, one by one</h2>", "CELLAGE (decreases)", "Points are means of equal groups of samples",
                 "In none of the included sets", "Not estimated, because it was not tested"):  # fmt: skip
        assert text in page or text.replace("&#39;", "'") in page, text
    assert page.count('<details class="card">') == len(PANEL)


def test_the_command_runs_on_plain_tables(tmp_path):
    files = write_plain(tmp_path, *expression_study(n=40))
    choices = ("covariates=sex", "mediator=bmi", "bootstraps=100", "panel=CDK6")
    sets = " ".join(f"--set expression.{choice}" for choice in choices)
    output_of(f"fit-expression-sensitivity {files} {sets}", folder=tmp_path)
    rows = pd.read_csv(tmp_path / "sensitivity.tsv", sep="\t")
    assert rows[rows.variant == "by way of bmi"].ci_lower.notna().all()
    assert (pd.read_csv(tmp_path / "partial_residuals.tsv", sep="\t").n >= 5).all()
