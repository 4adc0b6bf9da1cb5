"""Single cells: quality, pseudobulk, the same models for each cell type, composition, and what is wrong told by name."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from faceage_bio.cohort.samples import read_samples
from faceage_bio.errors import CountsError
from faceage_bio.expression import cells as cells_module
from faceage_bio.expression.cells import (
    Limits,
    aggregate_cells,
    cells_ledger,
    donors_left_out,
    measure_cells,
    quality_table,
    samples_of,
)
from faceage_bio.problems import Problems
from faceage_bio.rna import cells as cell_files
from faceage_bio.rna.cells import open_cells
from tests.cells_study import GENES

LOOSE = Limits(min_genes=5, max_mitochondrial=0.2, min_cells=10, min_counts=1000)


def drawn(n=300, genes=GENES, seed=1, **obs):
    """AnnData of small counts with donors d0 ... d3 and types T, B."""
    import anndata

    random = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "subject_id": [f"d{k % 4}" for k in range(n)],
            "cell_type": np.where(np.arange(n) % 3 == 0, "B", "T"),
        }
        | obs,
        index=[f"c{k}" for k in range(n)],
    )
    counts = sparse.csr_matrix(random.poisson(2.0, (n, len(genes))).astype("float32"))
    return anndata.AnnData(counts, obs=table, var=pd.DataFrame(index=genes))


def written(data, folder):
    data.write_h5ad(folder / "cells.h5ad")
    return folder / "cells.h5ad"


@pytest.mark.parametrize("how", ["csr", "csc", "dense", "layer", "raw"])
def test_measures_equal_scanpys_and_sums_the_plain_ones_in_blocks(how, tmp_path, monkeypatch):
    import scanpy as sc

    monkeypatch.setattr(cell_files, "BLOCK_VALUES", 700)  # many blocks
    data = drawn()
    counts = data.X.toarray()
    expected = sc.pp.calculate_qc_metrics(
        _with_mitochondrial(data), qc_vars=["mt"], percent_top=None, log1p=False
    )[0]
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
    result = aggregate_cells(file, Limits(0, 1.0, 1, 0))
    for row in result.profiles.itertuples():
        mine = (data.obs.subject_id == row.subject_id) & (data.obs.cell_type == row.cell_type)
        np.testing.assert_array_equal(
            result.profiles.loc[row.Index, GENES].to_numpy(dtype=float), counts[mine].sum(axis=0)
        )
        assert row.n_cells == mine.sum()


def _with_mitochondrial(data):
    data = data.copy()
    data.var["mt"] = data.var_names.str.startswith("MT-")
    return data


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
    wide = shared.pivot(index="term", columns="measure", values="estimate")
    assert wide.loc["T", "cells"] + wide.loc["B", "cells"] + wide.loc["cell type not told", "cells"] == 300
    assert wide.loc["T", "profiles kept"] == 3
    assert wide.loc["T", "profiles dropped: no_cells_left"] == 1
    assert (wide["cells kept"] + wide.filter(like="cells dropped").sum(axis=1) == wide["cells"]).all()


def test_profiles_of_few_cells_or_few_counts_are_dropped_and_kept_in_view(tmp_path):
    data = drawn(130)
    path = written(data, tmp_path)
    few = aggregate_cells(open_cells(path), Limits(0, 1.0, 12, 0)).profiles
    assert set(few.reason[few.cell_type == "B"]) == {"too_few_cells"}
    assert set(few.reason[few.cell_type == "T"]) == {""}
    poor = aggregate_cells(open_cells(path), Limits(0, 1.0, 1, 1500)).profiles
    assert ((poor.n_counts < 1500) == (poor.reason == "too_few_counts")).all()
    assert set(poor.reason) == {"", "too_few_counts"}
    counts, samples = samples_of(few, "B", "c")
    assert counts.shape == (len(GENES), 0)
    assert len(samples) == 0
    assert few.n_cells.sum() == 130


def test_names_go_through_the_same_door_as_those_of_bulk(tmp_path):
    names = ["ENSG00000105810.12", "ENSG00000147889", "ENSG00000198888", "ENSG00000000001", "ENSG00000000002"]
    data = drawn(genes=names)
    data.var["feature_name"] = ["CDK6", "CDKN2A", "MT-ND1", "TWIN", "TWIN"]
    file = open_cells(written(data, tmp_path))
    assert file.genes.tolist() == ["CDK6", "CDKN2A", "MT-ND1", "TWIN", "TWIN"]
    profiles = aggregate_cells(file, Limits(0, 1.0, 1, 0)).profiles
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
    data.var_names = [name.capitalize() for name in GENES]
    return "written as those of mouse"


def bad_mouse_ids(data):
    data.var_names = [f"ENSMUSG{k:011d}" for k in range(len(GENES))]
    return "identifiers are of mouse"


@pytest.mark.parametrize("spoil", [bad_logged, bad_layer, bad_columns, bad_species, bad_mouse_ids])
def test_what_is_wrong_is_told_by_name_here_and_at_intake(spoil, tmp_path):
    data = drawn()
    told = spoil(data)
    path = written(data, tmp_path)
    with pytest.raises(CountsError, match=told):
        open_cells(path)
    problems = Problems()
    read_samples("c", {"single_cell": str(path)}, {"d0", "d1", "d2", "d3"}, problems)
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

    with pytest.raises(CountsError, match="no such file"):
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
    problems = Problems()
    samples, _ = read_samples(
        "c", {"single_cell": str(written(data, tmp_path))}, {"d0", "d1", "d2"}, problems
    )
    assert samples.sample_id.tolist() == ["d0", "d1", "d2", "d3"]
    with pytest.raises(Exception, match=r"1 donor\(s\) that the cohort does not have: d3"):
        problems.stop_if_any()


def test_without_mitochondrial_genes_the_rule_is_said_to_rest(tmp_path):
    data = drawn(genes=[name.replace("MT-", "X") for name in GENES])
    result = aggregate_cells(open_cells(written(data, tmp_path)), LOOSE)
    assert "mitochondrial share of the cells is not known" in result.said[0]
    assert len(result.dropped) == 0


def call(*arguments):
    command = [sys.executable, "-m", "faceage_bio", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)
