"""What several test files use of report curves."""

import numpy as np

from faceage_bio.analyses.survival.causes_of_death import (
    competing_rows,
    incidence_at_risk,
    incidence_curves,
    with_codes,
)
from faceage_bio.analyses.survival.curves import Reading, curves_by_group, part, risk_by_group, summarise
from faceage_bio.core.tables import write_table
from tests.curve_people import with_causes
from tests.report_studies import survival_tables

EVIL = "<script>alert('x')</script>"
CURVES = {"face_age": [65.0, 75.0], "site": "levels"}


def write_study(folder, data, curves=CURVES):
    """The tables of one cohort as the commands write them."""
    groups = [part(data, column, rule) for column, rule in curves.items()]
    cox = next(table for name, table in survival_tables("c") if name.endswith("cox.tsv"))
    tables = {
        "cox": cox,
        "kaplan_meier": curves_by_group(data, groups, "log-log", "c"),
        "at_risk": risk_by_group(data, groups, "c"),
        "summary": summarise(data, groups, Reading(), "c"),
        "competing_risks": competing_rows(data, groups, "cancer", [0.5, 1, 2, 5], "log-log", 10.0, "c"),
    }
    if "cause" in data:
        coded, _ = with_codes(data, "cancer")
        tables["cumulative_incidence"] = incidence_curves(coded, groups, "cancer", "log-log", "c")
        tables["incidence_at_risk"] = incidence_at_risk(coded, groups, "c")
    paths = [folder / "c" / "survival" / f"{name}.tsv" for name in tables]
    for path, table in zip(paths, tables.values(), strict=True):
        write_table(table, path)
    return paths


def data_of():
    """400 participants; three of a site are few, and one site has a hostile name."""
    data = with_causes(400)
    site = np.where(data.index < 200, "lung", np.where(data.index < 397, EVIL, "rare"))
    return data.assign(site=site)
