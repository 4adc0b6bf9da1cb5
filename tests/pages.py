"""What must hold for any page of ours, whatever it tells: one id each, headings that leave no level out."""

import itertools
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from faceage_bio.core.config import check_config
from faceage_bio.core.tables import read_json
from faceage_bio.report.tables_by_place import ANALYSES, ReportTables, collect
from faceage_bio.stats.multiplicity import benjamini_hochberg
from tests.conftest import DEMO_CONFIG

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
    config = check_config(content | {"report": content["report"] | {"sections": "full"}}).model_dump(
        mode="json"
    )
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
