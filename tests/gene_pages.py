"""What several test files use of all genes."""

import base64
import gzip
import json
import re

import numpy as np
import pandas as pd

from faceage_bio.core.results.row import columns_of, result_rows
from faceage_bio.report.pages import association_page
from faceage_bio.report.tables_by_place import ReportTables
from tests.report_studies import CARD, config_of

PANEL = ["CDK6", "TP53", "CDKN2A"]


def real_looking(name: str, n_genes: int, seed: int = 1) -> pd.DataFrame:
    """Gene rows whose numbers compress no better than those of a study: nothing repeats."""
    random = np.random.default_rng(seed)
    genes = [*PANEL, *(f"ENSG{k:011d}" for k in random.permutation(300_000)[:n_genes])][:n_genes]
    error = random.gamma(4, 0.03, n_genes)
    z = random.normal(0, 1.4, n_genes)
    p_values = np.exp(-(z**2) / 2 - 0.2 * np.abs(z))
    voom = z * error + random.normal(0, 0.02, n_genes)
    columns = {
        "cohort": name, "question": "expression", "term": genes, "measure": "log2 fold change", "per": "10 years",
        "estimate": z * error, "ci_lower": (z - 1.96) * error, "ci_upper": (z + 1.96) * error, "p_value": p_values,
        "q_value": np.minimum(1, p_values * 9), "q_filtered": np.minimum(1, p_values * 8), "n": 88, "model": "together",
        "adjustment": "without age", "covariates": "smoking, sex", "method": "DESeq2's method, Wald test", "exposure": "age_acceleration",
        "base_mean": np.exp(random.normal(5, 2, n_genes)), "voom_estimate": voom, "voom_ci_lower": voom - 1.96 * error,
        "voom_ci_upper": voom + 1.96 * error, "voom_p_value": p_values,
    }  # fmt: skip
    return result_rows(pd.DataFrame(columns), "expression/genes").assign(note="")


def panel_of(genes: pd.DataFrame) -> pd.DataFrame:
    return genes[genes.term.isin(PANEL)].reindex(columns=[*columns_of("expression/panel"), "note"])


def tables(names: list[str], n_genes: int) -> ReportTables:
    genes = pd.concat([real_looking(name, n_genes, seed) for seed, name in enumerate(names)])
    return ReportTables({
        ("expression", "genes"): genes,
        ("expression", "panel"): panel_of(genes),
    })  # fmt: skip


def page_of(names: list[str], n_genes: int, page=association_page) -> str:
    return page(tables(names, n_genes), config_of(names, expression={"panel": [*PANEL, "ABSENT"]}), [CARD])


def unpacked(page: str) -> list[dict]:
    """The columns of each table of all genes, as the page's script sees them."""
    found = re.findall(r'<script type="application/json" class="genes">(.*?)</script>', page, flags=re.DOTALL)
    told = [json.loads(one) for one in found]
    return [one | {"columns": json.loads(gzip.decompress(base64.b64decode(one["data"])))} for one in told]
