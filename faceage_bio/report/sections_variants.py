"""The section on DNA variants of the declared genes: burden and SKAT, age as negative control, what was left out."""

import pandas as pd

from faceage_bio.core.columns import AGE, AGE_ACCELERATION
from faceage_bio.core.config import Config
from faceage_bio.core.tables import to_records
from faceage_bio.report.plot import VERMILLION, VIOLET
from faceage_bio.report.sections_all_genes import FOUND
from faceage_bio.report.sections_genes import forest_by_exposure, with_age
from faceage_bio.report.tables_by_place import ReportTables, rows_by
from faceage_bio.report.words import covariates, interval, p_equals, p_scientific, signed

KINDS = {
    AGE_ACCELERATION: ("age acceleration", VERMILLION),
    AGE: ("chronological age (negative control)", VIOLET),
}
# said wherever a result of variants is told
PUBLISHED = (
    "The published gene analysis (146 patients, according to a secondary source) was probably of DNA variants (not verified). "
    "This is not a replication."
)


def variant_section(tables: ReportTables, name: str, config: Config) -> dict | None:
    """What the template shows of one cohort, or None if it has no variants."""
    genes, common, quality = tables.several("variants", name, "genes", "common", "quality")
    if not len(genes):
        return None
    burden = genes[genes.test == "burden"]
    per, title = burden["per"].iloc[0], "Difference in face age, years per {per}"
    shown = burden.assign(exposure=burden["outcome"])
    figure = forest_by_exposure(shown, KINDS, title, p=p_scientific, italic=True)
    own = genes[genes.outcome == AGE_ACCELERATION]
    return {
        "sentences": sentences(own, per, config.expression.panel[0]),
        "figure": figure,
        "rows": side_by_side(genes),
        "common": with_age(common, "outcome"),
        "quality": to_records(quality),
        "per": per,
        "n_tests": int(own["n_tests"].max()) if own["n_tests"].notna().any() else 0,
        "adjustment": held(own.iloc[0]),
        "control": held(genes[genes.outcome == AGE].iloc[0]),
        "ancestry": own["components"].iloc[0] > 0,
    }


def held(row: pd.Series) -> str:
    """What a model is adjusted for; ancestry components, which stand last, are counted."""
    n, names = int(row["components"]), row["covariates"].split(", ")
    told = [covariates(", ".join(names[: len(names) - n]))] if len(names) > n else []
    return ", ".join([*told, *([f"{n} ancestry component{'s' if n > 1 else ''}"] if n else [])])


def side_by_side(genes: pd.DataFrame) -> list[dict]:
    """One line per gene: both tests of age acceleration, and those of chronological age."""
    rows = []
    for gene, part in genes.groupby("term", sort=False):
        by = rows_by(part, "outcome", "test")
        own = {"burden": by[AGE_ACCELERATION, "burden"], "skat": by[AGE_ACCELERATION, "SKAT"]}
        rows.append({"term": gene, **own, "age_burden": by[AGE, "burden"], "age_skat": by[AGE, "SKAT"]})
    return rows


def sentences(own: pd.DataFrame, per: str, headline: str) -> list[str]:
    """The headline gene whatever its p, every gene that stands out of the panel, and how many were tested."""
    tested = own[(own.test == "burden") & own["p_value"].notna()]
    found = own[(own["q_value"] < FOUND).groupby(own["term"]).transform("any")]
    genes = dict.fromkeys([headline, *found["term"]])
    lines = [sentence(own[own.term == gene], per) for gene in genes if gene in set(own.term)]
    n = found["term"].nunique()
    others = f"{n} of {len(tested)} genes {'has' if n == 1 else 'have'} q < {FOUND:g} in either test"
    lack = own["term"].nunique() - len(tested)
    return [*lines, f"{others}; {lack} not estimated." if lack else f"{others}."]


def sentence(rows: pd.DataFrame, per: str) -> str:
    """What rare variants of one gene say, or why nothing."""
    by = rows.set_index("test")
    burden, skat = by.loc["burden"], by.loc["SKAT"]
    if pd.isna(burden.estimate):
        return f"Rare variants of {burden.term}: {burden.note}."
    text = (
        f"Rare variants of {burden.term}: {signed(burden.estimate)} years of age acceleration per {per} "
        f"({interval(burden.ci_lower, burden.ci_upper, 1)}; p {p_equals(burden.p_value)}, q in the panel {p_equals(burden.q_value)})"
    )
    return f"{text}; SKAT p {p_equals(skat.p_value)}, q {p_equals(skat.q_value)}."
