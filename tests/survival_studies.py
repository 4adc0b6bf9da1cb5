"""Participants with follow-up, and the tables that the survival steps write of them."""

import numpy as np
import pandas as pd

from faceage_bio.analyses.survival.causes_of_death import (
    competing_rows,
    incidence_curves,
    with_codes,
)
from faceage_bio.analyses.survival.curves import curves_by_group, part, risk_by_group, summarise
from faceage_bio.core.settings.settings_survival import Survival
from faceage_bio.core.tables import write_table
from tests.report_studies import EVIL, survival_tables

CURVES = {"face_age": [65.0, 75.0], "site": "levels"}
COHORT = pd.DataFrame({
    "chronological_age": [41, 45, 50, 52, 55, 58, 60, 63, 66, 70, 74, 79],
    "face_age": [43.5, 44, 53, 50.5, 59, 57, 66, 62, 64, 75.5, 73, 84],
    "followup_years": [9.1, 8.7, 7.9, 8.2, 6.5, 7.7, 5.1, 6.9, 7.2, 3.3, 4.8, 2.0],
    "event": [0, 0, 1, 0, 1, 0, 1, 1, 0, 1, 0, 1],
}).astype("float64")  # fmt: skip


def people(n=300, seed=1, hazard=0.06):
    random = np.random.default_rng(seed)
    age = random.normal(64, 9, n)
    excess = random.normal(0, 8, n)
    death = random.exponential(1, n) / (0.25 * np.exp(hazard * (age + excess - 64)))
    leave = random.uniform(1, 6, n)
    return pd.DataFrame({
        "cohort": "c", "subject_id": [f"s{k}" for k in range(n)], "chronological_age": age, "face_age": age + excess,
        "age_acceleration": excess, "sex": random.choice(["female", "male"], n), "ecog": random.integers(0, 3, n).astype(float),
        "entry_years": np.nan, "followup_years": np.minimum(death, leave), "event": (death <= leave).astype(float),
    })  # fmt: skip


def died(data, log_hazard, seed=3, base=0.25):
    """The participants with another time of death, of this hazard."""
    random = np.random.default_rng(seed)
    death = random.exponential(1, len(data)) / (base * np.exp(log_hazard))
    leave = random.uniform(2, 7, len(data))
    return data.assign(followup_years=np.minimum(death, leave), event=(death <= leave).astype(float))


def late(data, share=0.5):
    entry = np.minimum(data.followup_years * share, 1.0)
    return data.assign(entry_years=np.where(data.index < 120, entry, np.nan))


def with_causes(n=500, seed=3):
    """Face age raises the hazard of cancer deaths and leaves the others alone."""
    random = np.random.default_rng(seed)
    data = people(n, seed)
    death = random.exponential(1, n) / (0.2 * np.exp(0.06 * (data.face_age - 64)))
    other = random.exponential(1, n) / 0.15
    leave = random.uniform(1, 6, n)
    end = np.minimum.reduce([death, other, leave])
    cause = np.select([end == death, end == other], ["cancer", "cardiovascular"], "")
    known = pd.Series(cause, dtype=object).where(cause != "", None)
    return data.assign(followup_years=end, event=(end < leave).astype(float), cause=known)


def write_study(folder, data, curves=CURVES):
    """The tables of one cohort as the commands write them."""
    groups = [part(data, column, rule) for column, rule in curves.items()]
    cox = next(table for name, table in survival_tables("c") if name.endswith("cox.tsv"))
    tables = {
        "cox": cox,
        "kaplan_meier": curves_by_group(data, groups, "log-log", "c"),
        "at_risk": risk_by_group(data, groups, "c"),
        "summary": summarise(data, groups, Survival(), "c"),
        "competing_risks": competing_rows(data, groups, "cancer", [0.5, 1, 2, 5], "log-log", 10.0, "c"),
    }
    if "cause" in data:
        coded, _ = with_codes(data, "cancer")
        tables["cumulative_incidence"] = incidence_curves(coded, groups, "cancer", "log-log", "c")
        tables["incidence_at_risk"] = risk_by_group(coded, groups, "c", "survival/incidence_at_risk")
    paths = [folder / "c" / "survival" / f"{name}.tsv" for name in tables]
    for path, table in zip(paths, tables.values(), strict=True):
        write_table(table, path)
    return paths


def data_of():
    """400 participants; three of a site are few, and one site has a hostile name."""
    data = with_causes(400)
    site = np.where(data.index < 200, "lung", np.where(data.index < 397, EVIL, "rare"))
    return data.assign(site=site)
