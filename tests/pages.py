"""What must hold for any page of ours, whatever it tells: one id each, headings that leave no level out."""

import base64
import gzip
import itertools
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from faceage_bio.core.config import check_config
from faceage_bio.core.results.row import columns_of, result_rows
from faceage_bio.core.tables import read_json
from faceage_bio.report.pages import association_page
from faceage_bio.report.tables_by_place import ANALYSES, ReportTables, collect
from faceage_bio.stats.multiplicity import benjamini_hochberg
from tests.conftest import DEMO_CONFIG
from tests.report_studies import CARD, config_of

GENE_TABLES = ("cohort", "question", "exposure", "model")  # one row per gene in each


def body_of(page: str) -> str:
    """The page without its scripts, which hold other people's code."""
    return re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def check_structure(page: str) -> None:
    """Ids stand once, everything that names one finds it, and no heading is more than one level below the last."""
    body = body_of(page)
    ids = Counter(re.findall(r'\sid="([^"]+)"', body))
    assert not [name for name, times in ids.items() if times > 1]
    named = re.findall(r'aria-labelledby="([^"]+)"', body) + re.findall(r'href="#([^"]+)"', body)
    named += re.findall(r"url\(#([^)]+)\)", body)
    assert not set(named) - set(ids)
    levels = [int(level) for level in re.findall(r"<h([1-6])[ >]", body)]
    assert levels.count(1) == 1
    assert not [pair for pair in itertools.pairwise(levels) if pair[1] > pair[0] + 1]
    assert body.count("<details") == body.count("</details>")
    assert body.count("<section") == body.count("</section>")


def section(page: str, name: str) -> str:
    """A section without what a renderer numbers through (clip paths of its figures)."""
    found = re.search(rf'<section aria-labelledby="{name}">.*?</section>', body_of(page), flags=re.DOTALL)
    return re.sub(r"clip\d+", "clip", found[0]) if found else ""


def study_of(folder: Path) -> tuple[ReportTables, dict, list[dict]]:
    """Tables, config and model cards of a finished run of the demo, as the commands that make its pages get them."""
    tables = sorted(path for path in folder.glob("results/*/*/*.tsv") if path.parent.name in ANALYSES)
    flows = sorted(folder.glob("results/*/flow.tsv"))
    content = yaml.safe_load(DEMO_CONFIG.read_text())
    config = check_config(content | {"report": content["report"] | {"sections": "full"}})
    cards = [read_json(path) for path in sorted(folder.glob("results/model/*/card.json"))]
    return collect([path for path in [*tables, *flows] if path.stem != "ledger"]), config, cards


def with_genes(tables: ReportTables, n_genes: int) -> ReportTables:
    """The same study with more genes, whose numbers compress no better than measured ones."""
    random = np.random.default_rng(1)
    grown = {}
    for key in (("expression", "genes"), ("survival", "genes")):
        table = tables.by_name[key]
        parts = [
            part for _, part in table.groupby([name for name in GENE_TABLES if name in table], sort=False)
        ]
        grown[key] = pd.concat([_more(part, n_genes, random) for part in parts], ignore_index=True)
    return replace(tables, by_name=tables.by_name | grown)


def _more(genes: pd.DataFrame, n_genes: int, random: np.random.Generator) -> pd.DataFrame:
    """The genes and more of them, drawn with a tenth of noise on each number; q-values are those of all p-values."""
    n = n_genes - len(genes)
    drawn = genes.sample(n, replace=True, random_state=1).assign(term=[f"ENSG{k:011d}" for k in range(n)])
    for name in drawn.select_dtypes("float"):
        values = drawn[name] * random.normal(1, 0.1, n)
        drawn[name] = (
            values.clip(0, 1) if name.startswith(("p_", "q_")) or name.endswith("p_value") else values
        )
    whole = pd.concat([genes, drawn], ignore_index=True)
    q = benjamini_hochberg(whole["p_value"].to_numpy())
    return whole.assign(**{name: q for name in ("q_value", "q_filtered") if name in whole})


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
