"""The panel of genes: each with why, direction and source; genes of one's own too."""

import re

from faceage_bio.core.config import check_config
from faceage_bio.core.settings.settings_genes import Expression
from faceage_bio.intake.rna.gene_sets import NO_REASON, panel_reasons, shipped_reasons
from faceage_bio.report.sections_genes import why_these


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
    config = check_config({
        "cohorts": {"mine": {"face_ages": "ages.tsv"}},
        "expression": {"panel": ["MYC", "CDK6", "ABCB1"], "panel_reasons": reasons},
    }).model_dump(mode="json")  # fmt: skip
    mine, shipped, bare = why_these(config)
    assert (mine["why"], mine["source"], mine["expected"]) == (
        "amplified in this tumour",
        "doi:10.1000/mine",
        "up",
    )
    assert shipped["source"].startswith("doi:")
    assert (bare["why"], bare["source"]) == (NO_REASON, "")
