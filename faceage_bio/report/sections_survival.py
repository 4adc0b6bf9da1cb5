"""What is shown of survival: for each cohort the sections, each a function of the tables it shows."""

from faceage_bio.report.sections_acceleration import ageing_rate_section
from faceage_bio.report.sections_added_value import added_value_section
from faceage_bio.report.sections_curves import competing_section, curves_section
from faceage_bio.report.sections_gene_survival import gene_survival_section
from faceage_bio.report.sections_hazards import hazard_sections
from faceage_bio.report.sections_scores import scores_section
from faceage_bio.report.sections_sequential_models import sequential_models_section
from faceage_bio.report.sections_subgroup_hazards import subgroup_section
from faceage_bio.report.tables_by_place import ReportTables


def survival_cohort(tables: ReportTables, name: str, config: dict) -> dict:
    """What the templates of one cohort's sections show; a section's keys are its own."""
    return {
        "name": name,
        **curves_section(tables, name, config),
        **sequential_models_section(tables, name, config),
        **hazard_sections(tables, name, config),
        **subgroup_section(tables, name, config),
        **added_value_section(tables, name, config),
        **competing_section(tables, name, config),
        **scores_section(tables, name, config),
        **ageing_rate_section(tables, name),
        **gene_survival_section(tables, name, config),
    }
