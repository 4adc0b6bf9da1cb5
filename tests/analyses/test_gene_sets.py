"""Sets of senescence genes: shipped tables, GMT files, scores, enrichment. Golden: tests/golden/gene_sets (R)."""

import re
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kstest

from faceage_bio.analyses.expression.counts import Expression as Data
from faceage_bio.analyses.expression.counts import choose_samples
from faceage_bio.analyses.expression.sets import associate, enrichment_tables, score_people, set_tables
from faceage_bio.core.config import check_config
from faceage_bio.core.errors import TableError
from faceage_bio.core.settings.settings_genes import Expression
from faceage_bio.intake.rna.gene_sets import (
    NO_REASON,
    GeneSet,
    choose_sets,
    digest,
    panel_reasons,
    read_gmt,
    shipped_reasons,
    shipped_sets,
    sources,
)
from faceage_bio.report.sections_genes import set_sentence, why_these
from faceage_bio.stats import enrichment
from faceage_bio.stats.enrichment import METHODS, SMALLEST_P, mean_z, over_representation, preranked, score
from tests.commands import output_of
from tests.gene_studies import write_plain
from tests.rows import worded

GOLDEN = Path(__file__).parents[1] / "golden" / "gene_sets"


def test_shipped_sets_are_what_their_hashes_say_and_none_is_of_mouse():
    sets, origin = shipped_sets(), sources().set_index("gene_set")
    assert {name: len(one.directions) for name, one in sets.items()} == {
        "SenMayo": 125, "GO_CELLULAR_SENESCENCE": 83, "FRIDMAN_SENESCENCE": 90, "CELLAGE": 279, "REACTOME_CELLULAR_SENESCENCE": 195,
    }  # fmt: skip
    for name, one in sets.items():
        assert digest(one) == origin.sha256[name]
        assert (origin.loc[name, ["publication", "licence", "version", "listed", "doi"]] != "").all()
        assert not {"CST10", "SERPINB3A", "ICAM5"} & set(one.directions)  # mouse, in lists that circulate
    inside = {name for name, one in sets.items() if "CDK6" in one.directions}
    assert inside == {"CELLAGE", "GO_CELLULAR_SENESCENCE", "REACTOME_CELLULAR_SENESCENCE"}
    assert sets["CELLAGE"].directions["CDK6"] == -1


def test_over_representation_equals_fishers_test():
    for case in pd.read_csv(GOLDEN / "golden.tsv", sep="\t").itertuples():
        background = [f"g{k}" for k in range(case.background)]
        own = background[: case.own]
        chosen = own[: case.both] + background[case.own : case.own + case.found - case.both]
        found = over_representation(chosen, background, {"set": own}).loc["set"]
        assert found.p_value == pytest.approx(case.p_value, rel=1e-9)
        if np.isfinite(case.odds_ratio):
            assert found.odds_ratio == pytest.approx(case.odds_ratio, rel=1e-12)
        else:
            assert np.isnan(found.odds_ratio)


def test_enrichment_equals_its_definition():
    k = np.arange(1, 41)
    ranking = pd.Series(np.sin(k) * np.linspace(3, 1, 40), index=[f"G{n}" for n in k])
    found = preranked(ranking, {"set": ["G1", "G5", "G7", "G11", "G14", "G22", "ABSENT"]}, seed=1).loc["set"]
    assert found.enrichment == pytest.approx(float((GOLDEN / "enrichment.txt").read_text()), rel=1e-9)
    assert found.n == 6


def test_enrichment_has_no_p_of_zero_and_is_uniform_without_effect():
    random = np.random.default_rng(3)
    ranking = pd.Series(random.normal(size=3000), index=[f"G{k}" for k in range(3000)])
    top = ranking.sort_values(ascending=False).index[:60].tolist()
    sets = {"top": top} | {f"null{k}": random.choice(ranking.index, 40, replace=False) for k in range(60)}
    found = preranked(ranking, sets, seed=1)
    assert SMALLEST_P <= found.p_value["top"] < 1e-8
    assert kstest(found.p_value.drop("top"), "uniform").pvalue > 0.01


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.1, 9), st.floats(-50, 50))
def test_mean_z_ignores_units_and_turns_with_the_directions(seed, scale, shift):
    random = np.random.default_rng(seed)
    levels = pd.DataFrame(random.normal(5, 2, (12, 6)), columns=list("ABCDEF"))
    ways = {"A": 1, "B": -1, "C": 1, "ABSENT": 1}
    one = mean_z(levels, ways)
    np.testing.assert_allclose(mean_z(levels * scale + shift, ways), one, atol=1e-7)
    np.testing.assert_allclose(mean_z(levels, {gene: -way for gene, way in ways.items()}), -one, atol=1e-12)
    assert one.mean() == pytest.approx(0, abs=1e-9)
    rounded = levels.assign(A=25.3 + random.integers(-2, 3, 12) * np.spacing(25.3))
    np.testing.assert_allclose(mean_z(rounded, ways), mean_z(levels.drop(columns="A"), ways), atol=1e-12)


def study(effect=0.6, n=70, seed=1, genes=400):
    random = np.random.default_rng(seed)
    up, down = [f"UP{k}" for k in range(20)], [f"DOWN{k}" for k in range(10)]
    names = [*up, *down, "CDK6", *(f"G{k}" for k in range(genes - 31))]
    excess = random.normal(0, 8, n)
    mean = np.exp(random.normal(5, 0.6, genes))[:, None] * np.ones(n)
    mean[:20] *= 2 ** (effect * excess / 10)
    mean[20:30] *= 2 ** (-effect * excess / 10)
    counts = pd.DataFrame(random.negative_binomial(8, 8 / (8 + mean)), names, [f"r{k}" for k in range(n)])
    age = random.normal(64, 9, n)
    table = pd.DataFrame({
        "cohort": "c", "subject_id": [f"s{k}" for k in range(n)], "age_acceleration": excess, "chronological_age": age,
        "age_gap": excess - 0.2 * (age - 64), "sex": random.choice(["female", "male"], n),
    })  # fmt: skip
    samples = table[["cohort", "subject_id"]].assign(sample_id=counts.columns, batch=None, sample_date=None)
    planted = np.r_[np.full(20, 3.0), np.full(10, -3.0), np.zeros(genes - 30)]
    statistic = random.normal(0, 1, genes) + planted * (effect > 0)
    found = pd.DataFrame({
        "term": names, "exposure": "age_acceleration", "question": "expression", "estimate": statistic, "standard_error": 1.0,
        "p_value": 2 * (1 - np.minimum(np.abs(statistic) / 6, 0.999)), "q_value": np.where(np.abs(statistic) > 2.5, 0.01, 0.5),
    })  # fmt: skip
    sets = {
        "SIGNED": GeneSet("SIGNED", dict.fromkeys(up, 1) | dict.fromkeys(down, -1)),
        "NULL": GeneSet("NULL", {f"G{k}": 0 for k in range(40)} | {"CDK6": 0}),
        "THIN": GeneSet("THIN", {"UP0": 1} | {f"X{k}": 1 for k in range(30)}),
    }
    return table, counts, samples, found, sets


def run(table, counts, samples, found, sets):
    settings = Expression(covariates=["chronological_age", "sex"], min_coverage=0.5)
    data = choose_samples(table, counts, samples, settings.covariates)
    tables = set_tables(data, found, sets, settings, cohort="c", question="expression")
    return {name: worded(table) if "reason" in table else table for name, table in tables.items()}


@pytest.fixture(scope="module")
def tables():
    return run(*study())


@pytest.mark.parametrize("method", METHODS)
def test_a_planted_set_is_found_by_every_score_and_another_is_not(tables, method):
    rows = tables["associations"]
    rows = rows[(rows.method == method) & (rows.exposure == "age_acceleration")].set_index("term")
    assert rows.estimate["SIGNED"] > 0.5
    assert rows.q_value["SIGNED"] < 1e-4
    assert rows.p_value["NULL"] > 0.001
    assert (rows.adjustment["SIGNED"], rows.covariates["SIGNED"]) == ("minimal", "age, sex")


def test_every_set_has_raw_gap_acceleration_and_age(tables):
    rows = tables["associations"]
    assert len(rows) == 3 * 3 * 3
    assert set(rows[rows.exposure == "age_gap"].adjustment) == {"unadjusted"}
    age = rows[(rows.exposure == "chronological_age") & (rows.term == "SIGNED")]
    assert (age.covariates == "age_acceleration, sex").all()
    assert (age.p_value > 0.001).all()


def test_a_panel_of_the_genes_of_a_set_alone_has_one_score():
    genes = list(shipped_sets()["SenMayo"].directions)[:100]
    random = np.random.default_rng(0)
    counts = pd.DataFrame(
        random.negative_binomial(5, 0.02, (30, 100)), columns=genes, index=[f"x{k}" for k in range(30)]
    )
    people = pd.DataFrame(
        {
            "subject_id": counts.index,
            "age_acceleration": random.normal(size=30),
            "chronological_age": random.uniform(50, 80, 30),
        },
        index=counts.index,
    )
    data, sets = Data(counts, people, pd.DataFrame()), {"SenMayo": shipped_sets()["SenMayo"]}
    scores = score_people(data, sets, Expression())
    table = worded(associate(data, scores, sets, ["chronological_age"], 10.0, {})).set_index("method")
    assert table.loc["mean z"].estimate.notna().all()
    assert set(table.drop(index="mean z").note) == {
        "not estimated, because the RNA has no genes outside of the set, with which it is compared"
    }


def test_a_set_below_the_floor_says_so_and_the_headline_gene_is_told(tables):
    coverage = tables["coverage"].set_index("term")
    assert coverage.estimate["THIN"] == pytest.approx(1 / 31)
    assert coverage.headline.to_dict() == {"SIGNED": "no", "NULL": "yes", "THIN": "no"}
    thin = tables["associations"].query("term == 'THIN'")
    assert thin.estimate.isna().all()
    assert set(thin.note) == {"not estimated, because 3% of its genes have enough counts, and 50% are needed"}
    assert set_sentence(thin[thin.method == "mean z"]).startswith("THIN: not estimated")


def test_the_rank_score_of_a_sample_does_not_depend_on_the_others(monkeypatch):
    random = np.random.default_rng(4)
    levels = pd.DataFrame(random.normal(5, 2, (20, 60)), columns=[f"g{k}" for k in range(60)])
    directions = {f"g{k}": (1, -1, 0)[k % 3] for k in range(12)}
    together = enrichment.rank_score(levels, directions)
    monkeypatch.setattr(enrichment, "SAMPLES", 7)
    pd.testing.assert_series_equal(enrichment.rank_score(levels, directions), together, rtol=1e-12)


def test_signed_sets_are_ranked_with_their_directions(tables):
    gsea, ora = tables["gsea"].set_index("term"), tables["ora"].set_index("term")
    assert gsea.estimate["SIGNED"] > 2
    assert gsea.p_value["SIGNED"] < 1e-4
    assert ora.n_chosen["SIGNED"] > 15
    assert ora.p_value["SIGNED"] < 1e-6


def test_a_set_found_whole_among_others_has_no_ratio_and_no_wrong_reason():
    *_, found, sets = study(genes=80)
    found["q_value"] = np.where(found.term.isin([*sets["SIGNED"].directions, "CDK6"]), 0.01, 0.5)
    ora = worded(enrichment_tables(found, sets, seed=1)[1]).set_index("term")
    assert np.isnan(ora.estimate["SIGNED"])
    assert (ora.n_chosen["SIGNED"], ora.n_found["SIGNED"]) == (30, 31)
    assert ora.note["SIGNED"].startswith("all genes of the set were found, or all found genes are of it")
    assert 0 < ora.p_value["SIGNED"] < 1e-10


def test_permuted_acceleration_gives_uniform_p():
    random, p_values = np.random.default_rng(7), []
    table, counts, samples, found, sets = study(effect=0.0, genes=120)
    nothing = pd.DataFrame(columns=list(found))
    data = choose_samples(table, counts, samples, ["chronological_age", "sex"])
    own = {"NULL": sets["NULL"]}
    scores = score_people(data, own, Expression(min_coverage=0.5))
    for _ in range(150):
        data.people["age_acceleration"] = random.permutation(data.people["age_acceleration"])
        rows = associate(data, scores, own, ["chronological_age", "sex"], 10, {})
        own_rows = rows[(rows.exposure == "age_acceleration") & (rows.method == "mean z")]
        p_values.append(own_rows.p_value.iloc[0])
    assert kstest(p_values, "uniform").pvalue > 0.01
    assert run(table, counts, samples, nothing, own)["gsea"].empty


def test_too_few_participants_are_told_in_every_row():
    table, counts, samples, found, sets = study()
    rows = run(table.head(4), counts, samples, found, sets)["associations"]
    assert rows.estimate.isna().all()
    assert rows.note.str.startswith("not estimated, because").all()


def test_gmt_files_join_up_and_down(tmp_path):
    path = tmp_path / "mine.gmt"
    path.write_text("A_UP\tx\tCDK6\tTP53\nA_DN\tx\tRB1\nB\tx\tIL6\n\n")
    sets = read_gmt(path)
    assert sets["A"].directions == {"CDK6": 1, "TP53": 1, "RB1": -1}
    assert sets["B"].directions == {"IL6": 0}
    assert set(choose_sets(["SenMayo"], [path])) == {"SenMayo", "A", "B"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A\tx\tCDK6\nB\tx\nA\tx\tRB1\n", r"expected one set a line, with a name of its own, .*found line 2: 2 cell.s.; line 3: 'A' stands a second time. Write each set so"),
        ("", "found no set"),
        ("A_UP\tx\tCDK6\nA_DOWN\tx\tCDK6\n", "1 gene.s. both rise and fall in 'A': CDK6. Expected each in one direction. Keep one"),
    ],
)  # fmt: skip
def test_wrong_gmt_files_are_told(tmp_path, text, message):
    (tmp_path / "mine.gmt").write_text(text)
    with pytest.raises(TableError, match=message):
        read_gmt(tmp_path / "mine.gmt")


def test_unknown_and_doubled_sets_are_told(tmp_path):
    message = r"no such gene set: SenMayor. Expected one of SenMayo, .*Correct the name"
    with pytest.raises(TableError, match=message):
        choose_sets(["SenMayor"])
    (tmp_path / "mine.gmt").write_text("SenMayo\tx\tCDK6\n")
    message = r"the name.s. SenMayo are taken by another set. Expected a name of its own for each. Give"
    with pytest.raises(TableError, match=message):
        choose_sets(["SenMayo"], [tmp_path / "mine.gmt"])
    with pytest.raises(TableError, match=r"no such file. Expected gene sets. Give a GMT file"):
        choose_sets([], [tmp_path / "absent.gmt"])
    (tmp_path / "latin.gmt").write_bytes(b"S\tx\tCDK\xe9\n")
    with pytest.raises(
        TableError, match=r"latin.gmt: not UTF-8 text .line 1 holds the byte 0xe9, 'é' in text of Windows"
    ):
        choose_sets([], [tmp_path / "latin.gmt"])


def test_scores_of_participants_do_not_depend_on_their_order():
    _, counts, _, _, sets = study(n=20, genes=200)
    levels = np.log2(counts.T + 1.0)
    for method in METHODS:
        one = score(levels, sets["SIGNED"].directions, method)
        turned = score(levels.iloc[::-1], sets["SIGNED"].directions, method)
        np.testing.assert_allclose(turned[levels.index], one, rtol=1e-6, atol=1e-9)


def test_the_command_runs_on_plain_tables(tmp_path):
    table, counts, samples, found, _ = study(n=40, genes=150)
    files = write_plain(tmp_path, table, counts, samples)
    found.to_csv(tmp_path / "genes.tsv", sep="\t", index=False)
    up = "\t".join(f"UP{k}" for k in range(20))
    (tmp_path / "mine.gmt").write_text(f"MINE_UP\tx\t{up}\nMINE_DOWN\tx\tDOWN0\tDOWN1\n")
    choices = "--set expression.gmt=mine.gmt --set expression.gene_sets=SenMayo --set expression.covariates=chronological_age"
    output_of(f"score-gene-sets {files} --genes genes.tsv {choices}", folder=tmp_path)
    rows = pd.read_csv(tmp_path / "set_associations.tsv", sep="\t")
    mine = rows[(rows.term == "MINE") & (rows.exposure == "age_acceleration")]
    assert (mine.p_value < 0.01).all()
    assert worded(rows)[rows.term == "SenMayo"].note.str.contains("of its genes have enough counts").all()
    private = tmp_path / "set_scores.parquet"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert not {"sample_id", "subject_id"} & set(rows)


# The panel of genes: each with why, direction and source; genes of one's own too.


def test_every_gene_of_the_default_panel_has_a_reason_and_a_source():
    told = panel_reasons(Expression().panel)
    assert told.symbol.tolist() == Expression().panel
    assert told.symbol[0] == "CDK6"
    assert (told.why.str.len() > 10).all()
    assert not (told.why == NO_REASON).any()
    assert told.source.map(lambda source: bool(re.fullmatch(r"doi:10\.\d{4,}/\S+", source))).all()
    assert set(told.expected) <= {"up", "down", "either"}
    assert shipped_reasons().symbol.is_unique


def test_a_gene_of_ones_own_has_the_reason_given_or_none():
    reasons = {"MYC": {"why": "amplified in this tumour", "source": "doi:10.1000/mine", "expected": "up"}}
    config = check_config(
        {
            "cohorts": {"mine": {"face_ages": "ages.tsv"}},
            "expression": {"panel": ["MYC", "CDK6", "ABCB1"], "panel_reasons": reasons},
        }
    )
    mine, shipped, bare = why_these(config)
    expected = ("amplified in this tumour", "doi:10.1000/mine", "up")
    assert (mine["why"], mine["source"], mine["expected"]) == expected
    assert shipped["source"].startswith("doi:")
    assert (bare["why"], bare["source"]) == (NO_REASON, "")
