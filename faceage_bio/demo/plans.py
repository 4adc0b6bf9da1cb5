"""What the demo consists of; read by the workflow each time it starts, so nothing heavy is imported."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """One cohort of the demo."""

    name: str
    n: int
    cancer: bool
    prefix: str
    dates: bool  # birth and follow-up as dates, or as years
    rna: bool
    dna: bool = False
    cells: bool = False  # RNA of single cells


PLANS = (
    Plan("north", 120, True, "N", dates=True, rna=True, dna=True),
    Plan("south", 120, True, "S", dates=False, rna=True),
    Plan("healthy", 60, False, "H", dates=False, rna=False, cells=True),
)
