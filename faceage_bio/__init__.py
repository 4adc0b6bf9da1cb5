"""FaceAge from photos, and facial age acceleration against gene expression, phenotype and survival.

In a notebook: ``import faceage_bio as fa``; the functions are those of `faceage_bio.api`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faceage_bio.api import (
        GeneTables,
        age_acceleration,
        cox_models,
        gene_panel,
        read_participants,
        release_tables,
        simulate_cohort,
    )

__version__ = "0.2.0"
__all__ = [
    "GeneTables",
    "__version__",
    "age_acceleration",
    "cox_models",
    "gene_panel",
    "read_participants",
    "release_tables",
    "simulate_cohort",
]


def __getattr__(name: str) -> Any:
    """A function of the API; pandas and the methods are imported with the first one."""
    if name not in __all__:
        raise AttributeError(f"module 'faceage_bio' has no attribute {name!r}; it has {', '.join(__all__)}")
    from faceage_bio import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return __all__
