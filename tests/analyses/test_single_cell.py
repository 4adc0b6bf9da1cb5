"""Single cells: quality, pseudobulk, the same models for each cell type, composition, and what is wrong told by name."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from faceage_bio.analyses.expression import single_cells as cells_module
from faceage_bio.analyses.expression.single_cells import (
    aggregate_cells,
    cells_ledger,
    centred_log_ratio,
    composition_table,
    donors_left_out,
    measure_cells,
    quality_table,
    samples_of,
)
from faceage_bio.core.errors import CohortError, CountsError, Problems
from faceage_bio.core.settings.settings_cohort import Cohort
from faceage_bio.core.settings.settings_genes import Expression
from faceage_bio.intake.cohort.samples import read_samples
from faceage_bio.intake.rna import cells as cell_files
from faceage_bio.intake.rna.cells import open_cells
from faceage_bio.report.pages import association_page
from faceage_bio.report.tables_by_place import collect
from faceage_bio.stats.sample_size import smallest_detectable
from tests.browser import check_width
from tests.cells_study import GENES, cells_of, limits, people_of
from tests.commands import output_of
from tests.report_studies import CARD, config_of
from tests.rows import worded

LOOSE = limits(min_genes=5, max_mitochondrial=0.2, min_cells=10, min_counts=1000)


def drawn(n=300, genes=GENES, seed=1, **obs):
    """AnnData of small counts with donors d0 ... d3 and types T, B."""
    import anndata

    random = np.random.default_rng(seed)
    kinds = np.where(np.arange(n) % 3 == 0, "B", "T")
    columns = {"subject_id": [f"d{k % 4}" for k in range(n)], "cell_type": kinds} | obs
    table = pd.DataFrame(columns, index=[f"c{k}" for k in range(n)])
    counts = sparse.csr_matrix(random.poisson(2.0, (n, len(genes))).astype("float32"))
    return anndata.AnnData(counts, obs=table, var=pd.DataFrame(index=genes))


def read_donors(path, donors="d0 d1 d2 d3", covariates=()):
    """Samples of the donors, as the intake reads them, and what is wrong."""
    problems = Problems()
    samples, _, _ = read_samples(
        "c",
        Cohort(face_ages="ages.tsv", single_cell=str(path)),
        set(donors.split()),
        problems,
        list(covariates),
    )
    return samples, problems


def written(data, folder):
    data.write_h5ad(folder / "cells.h5ad")
    return folder / "cells.h5ad"


@pytest.mark.parametrize("how", ["csr", "csc", "dense", "layer", "raw"])
def test_measures_equal_scanpys_and_sums_the_plain_ones_in_blocks(how, tmp_path, monkeypatch):
    import scanpy as sc

    monkeypatch.setattr(cell_files, "BLOCK_VALUES", 700)  # many blocks
    data = drawn()
    counts = data.X.toarray()
    marked = data.copy()
    marked.var["mt"] = marked.var_names.str.startswith("MT-")
    expected, _ = sc.pp.calculate_qc_metrics(marked, qc_vars=["mt"], percent_top=None, log1p=False)
    logged = data.copy()
    sc.pp.normalize_total(logged, target_sum=1e4)
    sc.pp.log1p(logged)
    if how == "csc":
        data.X = data.X.tocsc()
    elif how == "dense":
        data.X = counts
    elif how == "layer":
        logged.layers["counts"], data = data.X, logged
    elif how == "raw":
        logged.raw, data = data, logged
    file = open_cells(written(data, tmp_path))
    assert file.place == {"layer": "layers/counts", "raw": "raw/X"}.get(how, "X")
    measured = measure_cells(file)
    np.testing.assert_array_equal(measured.total, expected.total_counts)
    np.testing.assert_array_equal(measured.genes, expected.n_genes_by_counts)
    np.testing.assert_allclose(100 * measured.mitochondrial, expected.pct_counts_mt, rtol=1e-5)
    result = aggregate_cells(file, limits(0, 1.0, 1, 0))
    for row in result.profiles.itertuples():
        mine = (data.obs.subject_id == row.subject_id) & (data.obs.cell_type == row.cell_type)
        found = result.profiles.loc[row.Index, GENES].to_numpy(dtype=float)
        np.testing.assert_array_equal(found, counts[mine].sum(axis=0))
        assert row.n_cells == mine.sum()


def test_every_cell_is_kept_or_told_why_not(tmp_path):
    data = drawn()
    counts = data.X.toarray()
    counts[0] = 0
    counts[0, 5] = 9  # a single gene
    counts[1, 2:4] = 500
    counts[5, 2:4] = 500  # with the doublet's name too
    data.X = sparse.csr_matrix(counts)
    data.obs["predicted_doublet"] = [k in (4, 5) for k in range(300)]
    data.obs["subject_id"] = [None if k == 6 else d for k, d in enumerate(data.obs.subject_id)]
    data.obs["cell_type"] = pd.Categorical([None if k == 7 else t for k, t in enumerate(data.obs.cell_type)])
    data.obs.loc[data.obs.subject_id == "d3", "predicted_doublet"] = True
    result = aggregate_cells(open_cells(written(data, tmp_path)), LOOSE)
    ledger = cells_ledger(result, "c")
    assert ledger.cells.sum() == 300
    assert ledger.n_cells.sum() == result.profiles.n_cells.sum()
    totals = ledger[list(cells_module.REASONS)].sum().to_dict()
    assert totals == {
        "cell_without_donor": 1, "cell_without_type": 1, "doublet": 76, "few_genes": 1, "many_mitochondrial": 1,
    }  # fmt: skip
    assert (ledger[ledger.subject_id == "d3"].query("cell_type != ''").reason == "no_cells_left").all()
    left = donors_left_out(result.profiles)
    assert left.to_dict() == {"d3": "no_cells_left"}
    shared = quality_table(ledger, "c")
    assert "subject_id" not in shared
    wide = shared.set_index(["measure", "term", "fate"]).estimate.unstack()
    cells, profiles = wide.loc["cells"], wide.loc["profiles"]
    assert cells["all"]["T"] + cells["all"]["B"] + cells["all"]["cell type not reported"] == 300
    assert profiles["kept"]["T"] == 3
    assert profiles["no_cells_left"]["T"] == 1
    assert (cells.drop(columns="all").sum(axis=1) == cells["all"]).all()


def test_profiles_of_few_cells_or_few_counts_are_dropped_and_kept_in_view(tmp_path):
    data = drawn(130)
    path = written(data, tmp_path)
    few = aggregate_cells(open_cells(path), limits(0, 1.0, 12, 0)).profiles
    assert set(few.reason[few.cell_type == "B"]) == {"too_few_cells"}
    assert set(few.reason[few.cell_type == "T"]) == {""}
    poor = aggregate_cells(open_cells(path), limits(0, 1.0, 1, 1500)).profiles
    assert ((poor.n_counts < 1500) == (poor.reason == "too_few_counts")).all()
    assert set(poor.reason) == {"", "too_few_counts"}
    ids = ["d0", "d1"]
    donors = pd.DataFrame({"cohort": "c", "sample_id": ids, "subject_id": ids, "batch": ["one", "two"]})
    counts, samples = samples_of(few, "B", "c", donors)
    assert counts.shape == (len(GENES), 0)
    assert len(samples) == 0
    assert few.n_cells.sum() == 130
    _, samples = samples_of(few, "T", "c", donors)
    assert samples.batch.head(2).tolist() == ["one", "two"]
    assert samples.batch.tail(-2).isna().all()


def test_what_obs_tells_of_donors_may_be_a_covariate_and_never_stands_for_the_clinical_table(tmp_path):
    data = drawn()
    number = data.obs.subject_id.str.slice(1).astype(int)
    data.obs["batch"] = pd.Categorical(np.where(number % 2, "one", "two"))
    data.obs["yield"] = 10.0 * number
    data.obs["sample_date"] = "2020-03-04"
    data.obs["sex"], data.obs["race"] = "male", "unknown"
    data.obs["lane"] = [f"lane{k % 3}" for k in range(data.n_obs)]
    data.obs["n_genes"] = range(data.n_obs)
    path = written(data, tmp_path)
    said = open_cells(path).said
    assert "of donors obs also tells batch, yield, sample_date, sex, race" in said
    assert "not of donors, because cells of one donor differ in it: lane" in said
    samples, problems = read_donors(path, covariates=["sex", "yields"])
    problems.stop_if_any()
    assert list(samples) == ["cohort", "sample_id", "subject_id", "batch", "sample_date", "yield"]
    assert samples["batch"].tolist() == ["two", "one", "two", "one"]
    assert samples["yield"].tolist() == [0, 10, 20, 30]
    assert str(samples["sample_date"].iloc[0].date()) == "2020-03-04"


def test_names_go_through_the_same_door_as_those_of_bulk(tmp_path):
    names = ["ENSG00000105810.12", "ENSG00000147889", "ENSG00000198888", "ENSG00000000001", "ENSG00000000002"]
    data = drawn(genes=names)
    data.var["feature_name"] = ["CDK6", "CDKN2A", "MT-ND1", "TWIN", "TWIN"]
    file = open_cells(written(data, tmp_path))
    assert file.genes.tolist() == ["CDK6", "CDKN2A", "MT-ND1", "TWIN", "TWIN"]
    profiles = aggregate_cells(file, limits(0, 1.0, 1, 0)).profiles
    np.testing.assert_array_equal(profiles[["TWIN"]].sum(), data.X[:, 3:].sum())
    (tmp_path / "ids.tsv").write_text("gene_id\tsymbol\nENSG00000000001\tOTHER\n")
    assert "OTHER" in open_cells(tmp_path / "cells.h5ad", tmp_path / "ids.tsv").genes


def bad_logged(data):
    data.X = data.X.log1p()
    return r"X holds values such as 1\.09861 \(the largest is .*, as of logarithms\), and there is no layers\['counts'\]"


def bad_layer(data):
    data.layers["counts"] = data.X * 0.5
    return r"layers/counts holds values such as 1\.5 .*Pseudobulk needs raw counts"


def bad_columns(data):
    data.obs = data.obs.rename(columns={"subject_id": "donor", "cell_type": "annotation"})
    return r"obs lacks 'subject_id', 'cell_type'; it has donor, annotation"


def bad_species(data):
    data.var_names = ["Cdk6", "Trp53", "mt-Nd1", "mt-Co1", *(f"Gene{k}" for k in range(46))]
    return "written as those of mouse"


def bad_mouse_ids(data):
    data.var_names = [f"ENSMUSG{k:011d}" for k in range(len(GENES))]
    return "identifiers are of mouse"


def bad_spelling(data):
    types = data.obs["cell_type"].astype(str)
    data.obs["cell_type"] = [types.iloc[0].swapcase(), *types.iloc[1:]]
    return r"cells\.h5ad: column 'cell_type': .* differ in capitals or blanks alone, and would be groups of their own"


@pytest.mark.parametrize(
    "spoil", [bad_logged, bad_layer, bad_columns, bad_species, bad_mouse_ids, bad_spelling]
)
def test_what_is_wrong_is_told_by_name_here_and_at_intake(spoil, tmp_path):
    data = drawn()
    told = spoil(data)
    path = written(data, tmp_path)
    with pytest.raises(CountsError, match=told):
        open_cells(path)
    problems = read_donors(path)[1]
    with pytest.raises(Exception, match=told):
        problems.stop_if_any()


def test_everything_wrong_at_once_is_told_at_once(tmp_path):
    data = drawn()
    bad_columns(data), bad_species(data), bad_logged(data)
    with pytest.raises(CountsError) as caught:
        open_cells(written(data, tmp_path))
    assert len(caught.value.problems) == 3


def test_a_value_that_is_no_count_is_found_late_in_the_file_too(tmp_path, monkeypatch):
    monkeypatch.setattr(cell_files, "BLOCK_VALUES", 700)
    data = drawn(1000)
    data.X[990, 3] = 2.5
    file = open_cells(written(data, tmp_path))
    with pytest.raises(CountsError, match=r"values such as 2\.5"):
        aggregate_cells(file, LOOSE)


def test_no_file_no_h5ad_and_no_values(tmp_path):
    import anndata

    with pytest.raises(CountsError, match=r"no such file. Expected one of single cells. Give the h5ad under"):
        open_cells(tmp_path / "none.h5ad")
    (tmp_path / "text.h5ad").write_text("subject_id\tcell_type\n")
    with pytest.raises(CountsError, match="cannot be read as h5ad"):
        open_cells(tmp_path / "text.h5ad")
    anndata.AnnData(obs=drawn().obs).write_h5ad(tmp_path / "empty.h5ad")
    with pytest.raises(CountsError, match="holds no values"):
        open_cells(tmp_path / "empty.h5ad")


def test_strangers_among_the_donors_are_told_and_cells_without_a_donor_are_none(tmp_path):
    data = drawn()
    data.obs["subject_id"] = [None if k == 6 else d for k, d in enumerate(data.obs.subject_id)]
    samples, problems = read_donors(written(data, tmp_path), "d0 d1 d2")
    assert samples.sample_id.tolist() == ["d0", "d1", "d2", "d3"]
    message = r"1 donor\(s\) that the cohort does not have: obs column 'subject_id', 'd3'. Expected"
    with pytest.raises(Exception, match=message):
        problems.stop_if_any()


def test_without_mitochondrial_genes_the_rule_is_said_to_rest(tmp_path):
    data = drawn(genes=[name.replace("MT-", "X") for name in GENES])
    result = aggregate_cells(open_cells(written(data, tmp_path)), LOOSE)
    assert "mitochondrial share of the cells is not known" in result.said[0]
    assert len(result.dropped) == 0


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """All commands on plain files: three cell types, mast cells of 7 donors, platelets of 2; d39 has dying cells alone."""
    import anndata

    folder = tmp_path_factory.mktemp("cells")
    people = people_of()
    data = cells_of(people)
    rare = []
    for kind, donors in (("Mast cell", 7), ("Platelet", 2)):
        of_donors = data.obs.subject_id.isin([f"d{k}" for k in range(donors)])
        some = data[of_donors & (data.obs.cell_type == "B cell")].copy()
        some = some[: 4 if kind == "Platelet" else None].copy()
        some.obs["cell_type"] = kind
        some.obs_names = [f"{kind} {k}" for k in range(some.n_obs)]
        rare.append(some)
    data = anndata.concat([data, *rare])
    counts = data.X.tolil()
    for row in np.flatnonzero(data.obs.subject_id == "d39"):
        counts[row, 2] = 5000
    data.X = counts.tocsr()
    data.write_h5ad(folder / "cells.h5ad")
    people.to_csv(folder / "people.tsv", sep="\t", index=False)
    limits = "--set expression.min_genes_per_cell=20 --set expression.min_profile_counts=2000"
    output = "--output c/expression"
    output_of(f"aggregate-cells --cohort c --single-cell cells.h5ad {limits} {output}", folder=folder)
    files = f"--participants people.tsv --pseudobulk c/expression/pseudobulk.parquet {output}"
    given = f"{files} --set expression.covariates=sex"
    output_of(f"fit-expression {given} --set expression.panel=CDK6,TP53 --workers 1", folder=folder)
    output_of(f"compare-composition {given}", folder=folder)
    return folder / "c" / "expression"


def read(study, name):
    return pd.read_csv(study / f"{name}.tsv", sep="\t", keep_default_na=False, na_values=[""])


def test_a_gene_planted_in_one_cell_type_is_found_there_and_nowhere_else(study):
    panel = read(study, "panel")
    own = panel[(panel.exposure == "age_acceleration") & (panel.model == "together")]
    own = own.set_index(["question", "term"])
    t, b = own.loc[("expression in T cell", "CDK6")], own.loc[("expression in B cell", "CDK6")]
    assert t.q_value < 1e-6
    assert t.ci_lower < 0.8 < t.ci_upper
    assert b.q_value > 0.05
    assert t.n_tests == b.n_tests == 2  # families of their own
    assert (own.detectable / own.standard_error).dropna().to_numpy() == pytest.approx(2.8015851, rel=1e-6)
    genes = read(study, "genes")
    mine = genes[genes.exposure == "age_acceleration"]
    found = mine[mine.q_value < 0.05]
    assert ("expression in T cell", "CDK6") in set(zip(found.question, found.term, strict=True))
    assert mine.groupby("question").n_tests.first().eq(len(GENES)).all()


def test_a_cell_type_of_few_or_no_donors_keeps_its_rows(study):
    panel = worded(read(study, "panel")).groupby("question").note.first()
    words = "not estimated, because 7 samples are too few for 4 parameters"
    assert panel["expression in Mast cell"].startswith(words)
    assert panel["expression in Platelet"] == "not estimated, because no sample is left"


def test_a_donor_whose_cells_are_all_dropped_is_in_the_ledger(study):
    ledger = read(study, "ledger").set_index("sample_id")
    assert len(ledger) == 40
    expected = ["expression", "excluded", "no_cells_left"]
    assert ledger.loc["d39", ["stage", "status", "reason"]].tolist() == expected
    assert (ledger.status == "excluded").sum() == 1
    mine = read(study, "cells_ledger").query("subject_id == 'd39'")
    assert (mine.many_mitochondrial == mine.cells).all()
    assert (study / "cells_ledger.tsv").stat().st_mode & 0o077 == 0
    assert (study / "pseudobulk.parquet").stat().st_mode & 0o077 == 0
    shared = ("cell_quality", "composition", "panel")
    assert not any("d39" in (study / f"{name}.tsv").read_text() for name in shared)


def test_a_planted_change_of_composition_is_found_beside_age_and_the_raw_gap(study):
    table = worded(read(study, "composition")).set_index(["term", "exposure"])
    nk = table.loc[("NK cell", "age_acceleration")]
    assert nk.q_value < 0.05
    # log2 growth of 0.5 of one of three cell types is 0.5 minus its third
    assert nk.ci_lower < 0.5 * 2 / 3 < nk.ci_upper
    assert (nk.adjustment, nk.covariates) == ("minimal", "age, sex")
    assert table.loc[("NK cell", "age_gap"), "adjustment"] == "unadjusted"
    assert table.loc[("NK cell", "chronological_age"), "q_value"] > 0.05
    assert table.loc[("B cell", "age_acceleration"), "q_value"] > 0.05
    expected = "not estimated, because 7 of 39 donors have cells of it, and 10 are needed"
    assert table.loc[("Mast cell", "age_acceleration"), "note"] == expected


def composition_of(people, numbers, **more):
    profiles = numbers.rename_axis("subject_id").reset_index()
    profiles = profiles.melt("subject_id", var_name="cell_type", value_name="n_cells")
    settings = Expression(**{"covariates": ["sex"], "min_cells": 10, "min_donors": 10} | more)
    return worded(composition_table(profiles, people, "c", settings)).set_index(["term", "exposure"])


def drawn_numbers(people, seed=3):
    random = np.random.default_rng(seed)
    numbers = random.poisson(200 * random.dirichlet([6, 4, 2, 1], len(people)))
    return pd.DataFrame(numbers, index=people.subject_id, columns=["T", "B", "NK", "Mono"])


def test_permuted_acceleration_finds_no_composition():
    people = people_of()
    numbers, random, p = drawn_numbers(people), np.random.default_rng(4), []
    for _ in range(60):
        people["age_acceleration"] = random.permutation(people.age_acceleration)
        table = composition_of(people.drop(columns=["face_age", "age_gap"]), numbers)
        p += table.xs("age_acceleration", level="exposure").p_value.tolist()
    assert 0.01 < np.mean(np.array(p) < 0.05) < 0.11  # 5 % of 240 that hang together
    assert 0.4 < np.mean(p) < 0.6


def test_composition_equals_r():
    from tests.golden.composition import data

    found = composition_of(data.people(), data.numbers(), covariates=["bmi"], per_years=1)
    expected = pd.read_csv(data.FOLDER / "golden.tsv", sep="\t", float_precision="round_trip")
    for row in expected.itertuples():
        mine = found.loc[(row.term, row.exposure)]
        for column in ("estimate", "standard_error", "p_value", "q_value"):
            assert mine[column] == pytest.approx(getattr(row, column), rel=1e-6)


def test_ratios_add_to_zero_and_do_not_ask_how_many_cells_were_caught():
    numbers = pd.DataFrame({"a": [100, 0], "b": [400, 7], "c": [1600, 3]})
    ratios = centred_log_ratio(numbers)
    np.testing.assert_allclose(ratios.sum(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(ratios.iloc[0], [-2, 0, 2], atol=0.01)
    assert np.isfinite(ratios).all(axis=None)


def test_one_cell_type_alone_and_few_donors_have_no_composition():
    people = people_of()
    alone = composition_of(people, drawn_numbers(people)[["T"]])
    why = "not estimated, because shares need at least two cell types that enough donors have"
    assert (alone.note == why).all()
    rows = composition_of(people.head(6), drawn_numbers(people).head(6), min_donors=3)
    assert rows.estimate.notna().any() or rows.note.str.contains("(rows|participants) are too few for").all()
    two = composition_of(people.head(4), drawn_numbers(people).head(4), min_donors=2)
    assert two.note.str.contains("4 [a-z]+ are too few for .* terms").any()
    message = r"expression\.covariates names 'shoe', which the analysis table does not have"
    with pytest.raises(CohortError, match=message):
        composition_of(people, drawn_numbers(people), covariates=["shoe"])


def test_power_is_that_of_the_wald_test():
    from scipy.stats import norm

    effect = smallest_detectable(0.3)
    power = norm.sf(1.959964 - effect / 0.3) + norm.cdf(-1.959964 - effect / 0.3)
    assert power == pytest.approx(0.8, abs=1e-5)


def page_of(study, **report):
    names = ("cell_quality", "composition", "panel", "genes")
    config = config_of(["c"], expression={"panel": ["CDK6", "TP53"]}, **report)
    return association_page(collect([study / f"{name}.tsv" for name in names]), config, [CARD])


def test_the_page_tells_found_and_not_found_alike(study):
    page = page_of(study)
    for text in (
        "<h4>expression in T cell</h4>", "<h4>expression in Mast cell</h4>", "T cell: 1 of 2 prespecified genes has q below 0.05 (CDK6)",
        "B cell: none of the 2 prespecified genes has q below 0.05.", "Detectable with 80% power: ",
        "absence of a finding is not evidence of no association", "Mast cell: not estimated, because 7 samples are too few for 4 parameters",
        "Platelet: not estimated, because no sample is left", "after adding 0.5 to each number of cells",
        "Platelet: not estimated, because ", "expression in B cell: genes against age acceleration (q over the 50 genes tested)",
    ):  # fmt: skip
        assert text in page, text
    assert "<strong>expression in B cell</strong>: 50 genes were tested" in page
    assert '<tr><th scope="row">Platelet</th><td>0.' in page


def test_a_study_without_single_cells_says_so_in_a_line():
    page = association_page(collect([]), config_of(["c"]), [CARD])
    assert "<strong>Single-cell expression</strong>: no single-cell data" in page
    assert "after adding 0.5 to each number of cells" not in page


def test_the_section_fits_into_the_browser(study, tmp_path, browser):
    check_width(browser, page_of(study), tmp_path, 1000)
    section = browser.find_element("css selector", "section[aria-labelledby='single-cell']")
    assert len(section.find_elements("css selector", "figure svg")) == 1
    assert not [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]


@pytest.mark.parametrize("values", ["variable genes", "binary", "zeros"])
def test_counts_of_all_genes_are_taken_rather_than_what_was_made_of_them(values, tmp_path):
    data = drawn()
    made = data.copy() if values != "variable genes" else data[:, :4].copy()
    if values != "variable genes":
        made.X = (data.X > 0).astype("float32") * (values == "binary")
    made.raw = data
    file = open_cells(written(made, tmp_path))
    assert (file.place, file.shape) == ("raw/X", (300, len(GENES)))


@pytest.mark.parametrize(("values", "what"), [(1.0, "only 0 and 1"), (0.0, "only zeros")])
def test_values_that_are_whole_and_no_counts_are_refused(values, what, tmp_path):
    data = drawn()
    data.X = (data.X > 0).astype("float32") * values
    with pytest.raises(CountsError, match=rf"X holds {what}.*Pseudobulk needs raw counts"):
        open_cells(written(data, tmp_path))


def test_symbols_are_found_where_names_are_numbers_of_rows(tmp_path):
    data = drawn()
    data.var = pd.DataFrame({"feature_name": GENES}, index=[str(k) for k in range(len(GENES))])
    assert list(open_cells(written(data, tmp_path)).genes) == list(GENES)


def test_words_for_doublets(tmp_path):
    words = np.where(np.arange(300) < 7, "doublet", "singlet")
    assert open_cells(written(drawn(predicted_doublet=words), tmp_path)).obs.doublet.sum() == 7
    message = r"obs\['predicted_doublet'\] holds 'perhaps'. Expected True and False, or doublet"
    with pytest.raises(CountsError, match=message):
        open_cells(written(drawn(predicted_doublet=["perhaps"] * 300), tmp_path))


def test_a_file_of_anndata_0_6_is_read(tmp_path):
    import h5py

    data = drawn()
    path = tmp_path / "old.h5ad"
    with h5py.File(path, "w") as file:  # tables as one array of records, words as numbers with a list beside
        for name, table in {"obs": data.obs.iloc[:, :2], "var": data.var}.items():
            codes = {column: pd.Categorical(table[column]) for column in table}
            kinds = [("index", h5py.string_dtype()), *((column, "i1") for column in codes)]
            rows = np.zeros(len(table), dtype=kinds)
            rows["index"] = table.index
            for column, words in codes.items():
                rows[column] = words.codes
                file[f"uns/{column}_categories"] = np.array(words.categories, dtype=h5py.string_dtype())
            file[name] = rows
        group = file.create_group("X")
        group.attrs["h5sparse_format"], group.attrs["h5sparse_shape"] = "csr", data.shape
        for part in ("data", "indices", "indptr"):
            group[part] = getattr(data.X, part)
    found = open_cells(path)
    assert list(found.genes) == list(GENES)
    assert found.obs["subject_id"].tolist() == data.obs["subject_id"].tolist()
    assert found.obs["cell_type"].tolist() == data.obs["cell_type"].tolist()
