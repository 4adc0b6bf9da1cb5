"""Face age compared with chronological age in the same samples and the same unit: together, alone, and their difference.

That one of two coefficients is significant and the other is not, is no difference between them: it is tested here.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from faceage_bio.analyses.expression.formula import design_of, interactions_of, plain
from faceage_bio.analyses.expression.gene_models import CountModels, contrast_of
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, AGE_GAP, FACE_AGE
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.row import adjusted_for

TOGETHER, FACE_AND_AGE, ALONE, RAW = "together", "face age and age", "alone", "raw gap"
DIFFERENCE = "difference"


@dataclass(frozen=True)
class Test:
    """What is tested in which model: one age, or (with two) the first minus the second."""

    model: str
    ages: tuple[str, ...]  # in the design; of two designs, if alone
    tested: tuple[str, ...]

    @property
    def exposure(self) -> str:
        return self.tested[0] if len(self.tested) == 1 else DIFFERENCE


TESTS = (
    # acceleration at equal age, age at equal acceleration
    *(Test(TOGETHER, (AGE_ACCELERATION, AGE), held) for held in ((AGE_ACCELERATION,), (AGE,), (AGE_ACCELERATION, AGE))),
    # the same fit said otherwise: face age at equal age, age at equal face age
    *(Test(FACE_AND_AGE, (FACE_AGE, AGE), held) for held in ((FACE_AGE,), (AGE,), (FACE_AGE, AGE))),
    # each in a model without the other
    *(Test(ALONE, (age,), (age,)) for age in (FACE_AGE, AGE, AGE_ACCELERATION)),
    Test(ALONE, (FACE_AGE, AGE), (FACE_AGE, AGE)),
    # face age minus age, not adjusted for age
    Test(RAW, (AGE_GAP,), (AGE_GAP,)),
)  # fmt: skip


def panel_tests(
    models: CountModels, people: pd.DataFrame, covariates: Sequence[str], per_years: float, genes: pd.Index
) -> Iterator[tuple[Test, pd.DataFrame]]:
    """Every test of `TESTS` for these genes; one that cannot be made has rows without estimates that say why."""
    designs: dict[tuple[str, ...], pd.DataFrame] = {(AGE_ACCELERATION, AGE): models.joint}

    def design(*ages: str) -> pd.DataFrame:
        if ages not in designs:
            designs[ages] = design_of(people, ages, covariates, per_years)
        return designs[ages]

    for test in TESTS:
        if not len(genes):
            yield test, pd.DataFrame({"reason": ""}, index=genes)
            continue
        try:
            if test.model == ALONE and len(test.tested) == 2:
                one, other = (design(age) for age in test.ages)
                # the exposure stands behind the intercept in both
                table = models.between_models(one, other, 1, genes)
            else:
                matrix = design(*test.ages)
                table = models.test(matrix, contrast_of(matrix, test.tested), genes)
        except FitError as error:
            table = pd.DataFrame({"reason": error.reason.encoded}, index=genes)
        yield test, table


def adjustment_of(test: Test, covariates: Sequence[str], matrix: Iterable[str]) -> dict[str, str]:
    """``adjustment`` and ``covariates`` of a test; covariates that do not vary are not among the columns of the design's ``matrix``."""
    ages = () if test.model == ALONE else test.ages
    held = [age for age in ages if age not in test.tested]
    found = {column.split(": ")[0] for column in matrix}
    crossed = [" x ".join(pair) for pair in interactions_of(covariates, test.ages)]
    told = adjusted_for(
        [*held, *(name for name in plain(covariates) if name in found), *crossed], test.exposure
    )
    # of two ages in one model each is adjusted for the other
    return told | {"adjustment": "full"} if len(test.tested) == 2 and test.model != ALONE else told
