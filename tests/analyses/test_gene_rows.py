"""Tables of genes and variants have the same columns whether their step runs or not, and every missing number has its reason."""

import numpy as np
import pandas as pd
import pytest

from faceage_bio.analyses.expression.counts import choose_samples
from faceage_bio.analyses.expression.expression_stage import result_tables
from faceage_bio.analyses.expression.quality import check_samples, quality_tables
from faceage_bio.analyses.expression.sensitivity import partial_residuals, sensitivity_table
from faceage_bio.analyses.expression.sets import set_tables
from faceage_bio.analyses.expression.single_cells import (
    aggregate_cells,
    cells_ledger,
    composition_table,
    quality_table,
)
from faceage_bio.analyses.survival.gene_hazards import gene_survival
from faceage_bio.analyses.variants.variants_stage import variant_tables
from faceage_bio.core.results.measures import MEASURES
from faceage_bio.core.results.reasons import decode
from faceage_bio.core.results.row import ADJUSTMENTS, ROLES, columns_of
from faceage_bio.core.settings.settings_genes import Expression, SampleQuality, Variants
from faceage_bio.core.settings.settings_survival import Survival
from faceage_bio.core.tables import read_table, write_table
from faceage_bio.intake.rna.cells import open_cells
from faceage_bio.intake.rna.gene_sets import GeneSet
from tests.cells_study import cells_of, limits, people_of
from tests.gene_studies import expression_study, gene_survival_study, variant_study
from tests.rows import collected

PANEL = ["CDK6", "TP53", "ABSENT"]


def expression(runs: bool) -> dict[str, pd.DataFrame]:
    table, counts, samples = expression_study()
    data = choose_samples(table if runs else table.head(5), counts, samples, ["sex"])
    settings = Expression(panel=PANEL, covariates=["sex"], bootstraps=100, mediator="bmi")
    genes, panel = result_tables(data, "c", "expression", settings)
    shared = {"cohort": "c", "question": "expression"}
    return {
        "expression/genes": genes,
        "expression/panel": panel,
        "expression/sensitivity": sensitivity_table(data, settings, **shared),
        "expression/partial_residuals": partial_residuals(data, settings, **shared),
    }


def samples(runs: bool) -> dict[str, pd.DataFrame]:
    table, counts, samples = expression_study()
    samples["batch"] = [f"p{k % 2}" for k in range(len(samples))] if runs else None
    used = samples if runs else samples.head(3)
    checked = check_samples(counts, used, table, SampleQuality(), 10, 10)
    found = quality_tables(checked, used, table, ["sex"], "c", "expression")
    return {f"expression/{name}": one for name, one in found.items()}


def sets(runs: bool) -> dict[str, pd.DataFrame]:
    table, counts, samples = expression_study()
    data = choose_samples(table if runs else table.assign(age_acceleration=1.0), counts, samples, ["sex"])
    settings = Expression(panel=PANEL, covariates=["sex"], min_coverage=0.5)
    genes, _ = result_tables(data, "c", "expression", settings)
    given = {"MINE": GeneSet("MINE", {"CDK6": 1, "BOTH": 1, "TP53": -1}), "THIN": GeneSet("THIN", {"X": 1})}
    found = set_tables(data, genes, given, settings, cohort="c", question="expression")
    names = {"coverage": "set_coverage", "associations": "set_associations", "gsea": "gsea", "ora": "ora"}
    return {f"expression/{file}": found[name] for name, file in names.items()}


def single_cells(runs: bool, folder) -> dict[str, pd.DataFrame]:
    people = people_of()
    cells_of(people).write_h5ad(folder / "cells.h5ad")
    result = aggregate_cells(
        open_cells(folder / "cells.h5ad"), limits(20, 0.2, 10, 2000) if runs else limits(20, 0.2, 10**6, 2000)
    )
    settings = Expression(covariates=["sex"], min_donors=10 if runs else 1000)
    return {
        "expression/cell_quality": quality_table(cells_ledger(result, "c"), "c"),
        "expression/composition": composition_table(result.profiles, people, "c", settings),
    }


def deaths(runs: bool) -> dict[str, pd.DataFrame]:
    people, levels = gene_survival_study(genes=5)
    followed = people if runs else people.assign(event=0.0)
    genes, panel = gene_survival(
        followed, levels, Survival(gene_covariates=["sex"], strata=["batch"]), PANEL, "c"
    )
    return {"survival/genes": genes, "survival/gene_panel": panel}


def dna(runs: bool) -> dict[str, pd.DataFrame]:
    people, genotypes = variant_study()
    people = people if runs else people.assign(age_acceleration=np.nan)
    found = variant_tables(
        people, genotypes, ["PC1"], Variants(), cohort="c", panel=["CDK6", "CDKN2A", "ABSENT"]
    )
    return {f"variants/{name}": found[name] for name in ("genes", "common", "quality")}


@pytest.mark.parametrize("step", [expression, samples, sets, single_cells, deaths, dna])
def test_a_step_that_does_not_run_writes_the_same_columns(step, tmp_path):
    given = (tmp_path,) if step is single_cells else ()
    ran, failed = step(True, *given), step(False, *given)
    assert ran.keys() == failed.keys()
    for place, table in ran.items():
        assert list(table) == list(failed[place]) == columns_of(place), place
        assert table["estimate"].notna().any(), place
        for one in (table, failed[place]):
            check_rows(one, place)
            path = tmp_path / "c" / f"{place}.tsv"
            write_table(one, path)
            assert list(read_table(path)) == columns_of(place), place


def check_rows(table: pd.DataFrame, place: str) -> None:
    assert set(table["measure"]) <= set(MEASURES), place
    assert set(table["role"]) <= set(ROLES), place
    assert set(table["adjustment"].dropna()) <= {"", *ADJUSTMENTS}, place
    for row in table.itertuples():
        reasons = decode(row.reason)
        assert "unspecified" not in {one.code for one in reasons}, (place, str(reasons[0]))
        missing = pd.isna(row.estimate)
        assert not missing or reasons, (place, row.term, row.measure)
        assert missing == (row.status == "not_estimated") or "unbounded_ratio" in row.reason, (
            place,
            row.term,
            row.reason,
        )
    known = table[table["q_value"].notna()]
    assert (known["family"].fillna("") != "").all(), place


def test_a_table_of_20000_genes_is_made_and_read_in_seconds(tmp_path):
    from time import process_time

    from faceage_bio.core.results.row import result_rows

    n = 20_000
    rows = pd.DataFrame({
        "cohort": "c", "question": "expression", "term": [f"G{k}" for k in range(n)], "measure": "log2 fold change",
        "estimate": np.linspace(-1, 1, n), "p_value": 0.5, "reason": "dispersion_trend kind=local",
    })  # fmt: skip
    start = process_time()
    tables = collected(tmp_path, {"c/expression/genes": result_rows(rows, "expression/genes")})
    table = tables.get("expression", "genes")
    assert process_time() - start < 3
    assert set(table["note"]) == {"dispersions by a local trend, because the parametric one did not fit"}
