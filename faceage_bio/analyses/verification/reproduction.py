"""Scripts in R and Python that compute the headline from the study's own tables, written from what ran
(templates/reproduce.*).
"""

import gzip
import json
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.analyses.expression.gene_models import DESEQ2, VOOM
from faceage_bio.analyses.survival.curves import ALL
from faceage_bio.analyses.verification.compared import HALF, has_empty_group
from faceage_bio.analyses.verification.headline_input import (
    CLUSTER,
    ENTERED,
    STRATUM,
    Curves,
    Genes,
    Headline,
    Model,
    Pool,
    formula_names,
)
from faceage_bio.core.columns import FACE_AGE
from faceage_bio.core.records import version
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.tables import write_bytes, write_table, write_text
from faceage_bio.stats.negative_binomial import trimmed_mean_of_m

TEMPLATES = Path(__file__).parent / "templates"
SHOWN = ("+ age", "full")  # steps of the Cox models
METHODS = {DESEQ2: "deseq2", VOOM: "voom"}  # how the columns of a method begin


def write_scripts(headline: Headline, folder: Path) -> pd.DataFrame:
    """``reproduce.R``, ``reproduce.py``, the rows that they read, and the study's own numbers
    (``headline.tsv``); no script for none.

    Returns
    -------
    DataFrame
        headline.tsv: id, estimate, standard_error (log scale for hazard ratios), p_value.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder.mkdir(parents=True, exist_ok=True)
    own: list[dict] = []
    context = {
        "version": version(),
        "cox": [_cox(model, folder, own) for model in headline.cox if model.name in SHOWN],
        "curves": [_curves(one, folder, own) for one in headline.curves],
        "contrasts": [_contrast(model, folder, own) for model in headline.contrasts],
        "genes": [_genes(one, folder, own) for one in headline.genes],
    }
    known = {row["id"] for row in own}
    context["pools"] = [made for pool in headline.pools if (made := _pool(pool, known, own))]
    numbers = pd.DataFrame(own, columns=["id", "estimate", "standard_error", "p_value"])
    write_table(numbers, folder / "headline.tsv")
    if not own:
        return numbers  # nothing to compute again
    kept = {"trim_blocks": True, "lstrip_blocks": True, "keep_trailing_newline": True}
    environment = Environment(loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, **kept)
    environment.filters["quoted"] = lambda text: json.dumps(str(text), ensure_ascii=False)
    for name in ("reproduce.R", "reproduce.py"):
        write_text(environment.get_template(f"{name}.j2").render(context), folder / name)
    return numbers


def _model(model: Model, folder: Path, file: str) -> dict:
    write_table(model.people, folder / file)
    factors = {
        name: list(values.cat.categories)
        for name, values in model.people.items()
        if isinstance(values.dtype, pd.CategoricalDtype)
    }
    labels = [name for name in (STRATUM, CLUSTER) if model.has(name)]
    first = model.coefficients[0]
    held = {name: model.has(name) for name in (ENTERED, STRATUM, CLUSTER)}
    terms = {"text": [*factors, *labels], "factors": factors, "formula": model.formula}
    about = {"cohort": model.cohort, "about": model.name, "file": file, "unit": f"{first.unit:g}"}
    return about | terms | held


def _cox(model: Model, folder: Path, own: list[dict]) -> dict:
    row = model.coefficients[0].row
    told = _model(model, folder, f"{model.cohort}_cox_{'age' if model.name == '+ age' else model.name}.tsv")
    name = _cox_id({**row, "cohort": model.cohort})
    _note(own, name, row)
    known = reason("lifelines_robust_errors") if model.has(CLUSTER) else ""
    about = f"{row['model']}; hazard ratio per {row['per']}"
    return told | {"about": about, "id": name, "term": FACE_AGE, "known": str(known)}


def _contrast(model: Model, folder: Path, own: list[dict]) -> dict:
    ids = []
    for one in model.coefficients:
        name = _contrast_id({**one.row, "cohort": model.cohort})
        _note(own, name, one.row)
        ids.append((name, one.level))
    told = _model(model, folder, f"{model.cohort}_{model.columns[0]}.tsv")
    return told | {"exposure": model.columns[0], "ids": ids}


def _curves(curves: Curves, folder: Path, own: list[dict]) -> dict:
    file = f"{curves.cohort}_curves_{formula_names([curves.column])[curves.column]}.tsv"
    write_table(curves.people, folder / file)
    told = {"cohort": curves.cohort, "about": f"survival by {curves.column}", "file": file}
    told |= {name: name in curves.people for name in (ENTERED, STRATUM)}
    told |= dict.fromkeys(("median", "test", "known"), "")
    known = curves.summary[np.isfinite(curves.summary["estimate"])]
    if curves.column == ALL:
        for row in known[known["measure"] == "median survival"].to_dict("records"):
            told["median"] = f"{curves.cohort}: median survival, years"
            _note(own, told["median"], row)
            above_half = curves.curve["survival"] - 0.5
            if (np.abs(above_half) < HALF).any() and (above_half < -HALF).any():
                told["known"] = str(reason("lifelines_median"))
    for row in known[known["measure"] == "log-rank chi-square"].to_dict("records"):
        if not told["entered"]:
            told["test"] = f"{curves.cohort}: log-rank chi-square, {row['term']}"
            _note(own, told["test"], row)
            if has_empty_group(curves, row):
                software = "statsmodels" if told[STRATUM] else "lifelines"
                told["known"] = str(reason("log_rank_groups", software=software))
    return told


def _genes(genes: Genes, folder: Path, own: list[dict]) -> dict:
    name = formula_names([f"{genes.cohort}_{genes.question}"])[f"{genes.cohort}_{genes.question}"]
    counts = genes.counts.to_numpy()
    design = genes.design.iloc[:, 1:].rename(columns=formula_names(list(genes.design)))
    samples = design.assign(library_size=counts.sum(axis=1) * trimmed_mean_of_m(counts))
    table = genes.counts.T.set_axis([f"S{k}" for k in range(1, len(samples) + 1)], axis=1).rename_axis("gene")
    packed = gzip.compress(table.to_csv(sep="\t", lineterminator="\n").encode(), mtime=0)
    write_bytes(packed, folder / f"{name}_counts.tsv.gz")
    write_table(samples, folder / f"{name}_samples.tsv")
    first = _genes_id({"cohort": genes.cohort, "question": genes.question, "per": genes.panel["per"].iloc[0]})
    for row in genes.panel.to_dict("records"):
        for label, method in METHODS.items():
            numbers = {key: row.get(f"{method}_{key}") for key in ("estimate", "p_value")}
            _note(own, f"{first}{row['term']}, {label}", numbers)
    about = {"cohort": genes.cohort, "about": genes.question, "id": first, "sparse": genes.sparse}
    files = {"counts": f"{name}_counts.tsv.gz", "samples": f"{name}_samples.tsv"}
    terms = {"columns": list(design), "panel": list(genes.panel["term"])}
    return about | files | terms | {"known": str(reason("pydeseq2_dispersions"))}


def _pool(pool: Pool, known: Collection[str], own: list[dict]) -> dict | None:
    """A pooled estimate of which the scripts compute those of all cohorts."""
    label = {
        "survival/cox": _cox_id,
        "phenotype/phenotypes": _contrast_id,
        "expression/panel": lambda row: (
            f"{_genes_id(row)}{row['term']}, {VOOM if row['method'].startswith(VOOM) else DESEQ2}"
        ),
    }.get(pool.row["source"])
    ids = [label(row) for row in pool.cohorts] if label else []
    if not ids or not known.issuperset(ids):
        return None
    name = f"meta-analysis: {ids[0].partition(': ')[2].removesuffix(f', {VOOM}').removesuffix(f', {DESEQ2}')}"
    _note(own, name, pool.row)
    about = {"about": f"{pool.row['term']}: {pool.row['method']}", "id": name, "ids": ids}
    return about | {"ratio": pool.row["scale"] == "log", "method": pool.method, "test": pool.test}


def _cox_id(row: Mapping) -> str:
    return f"{row['cohort']}: hazard ratio of face age per {row['per']} ({row['model']})"


def _contrast_id(row: Mapping) -> str:
    return f"{row['cohort']}: face age, {row['term']}"


def _genes_id(row: Mapping) -> str:
    return f"{row['cohort']}: log2 fold change in {row['question']} per {row['per']} of age acceleration, "


def _note(own: list[dict], name: str, row: Mapping) -> None:
    own.append({"id": name, **{key: row.get(key) for key in ("estimate", "standard_error", "p_value")}})
