"""Which analyses run under `report.sections: core`, and which only under `full`."""

from faceage_bio.report.places import ASSOCIATION, SECTIONS

# heading on the pages: tables of the steps that nothing else needs
FULL_ONLY: dict[str, tuple[str, ...]] = {
    "Reliability of one photo": ("acceleration/reliability", "acceleration/attenuation"),
    "Face ageing rate": ("acceleration/ageing_rate",),
    "Hazard ratio of each definition": ("acceleration/definition_hazards",),
    "Dose-response": ("phenotype/dose_response", "phenotype/dose_curves"),
    "Subgroups of age acceleration": ("phenotype/interactions", "phenotype/subgroups"),
    "Matched pairs": ("phenotype/matched", "phenotype/balance"),
    "Adjustment sets": ("phenotype/adjustments", "phenotype/roles"),
    "Specification curve": ("phenotype/specifications", "phenotype/specification_summary"),
    "Robustness to image degradation": ("fairness/stress",),
    "Sensitivity of prespecified genes": ("expression/sensitivity", "expression/partial_residuals"),
    "Cell composition": ("expression/composition",),
    "DNA variants": ("variants/genes", "variants/common", "variants/quality"),
    "Hazard curve": (
        "survival/hazard_curve_tests",
        "survival/hazard_curve",
        "survival/hazard_curve_histogram",
    ),
    "Subgroups of the hazard ratio": ("survival/subgroups",),
    "Sensitivity of the hazard ratio": ("survival/sensitivity", "survival/imputed"),
}
_TABLES = {table for tables in FULL_ONLY.values() for table in tables}


def runs(table: str, sections: str) -> bool:
    """Whether a result table (``survival/cox``) is made under this setting."""
    return sections == "full" or table not in _TABLES


def not_in_core(page: str, config: dict) -> list[str]:
    """Headings of what this config's `report.sections` leaves out of a page."""
    return [
        heading for heading, tables in FULL_ONLY.items()
        if config["report"]["sections"] != "full" and _page_of(tables) == page
    ]  # fmt: skip


def _page_of(tables: tuple[str, ...]) -> str:
    """The page with a section for one of these tables; that of associations where they stand in a section of others."""
    found = (page for page, sections in SECTIONS.items() for one in sections if one.table in tables)
    return next(found, ASSOCIATION)
