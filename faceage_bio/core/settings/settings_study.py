"""The analysis plan: the primary question and the secondary ones, declared before outcomes are read."""

import difflib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from pydantic import Field, model_validator

from faceage_bio.core.settings.closed import Closed, FilePath

if TYPE_CHECKING:
    from faceage_bio.core.config import Config

SURVIVAL, ADDED, GENES, FACES = "overall survival", "added prognostic value", "gene expression", "face age"
DISEASE, BMI = "group", "bmi"  # exposures of cancer against controls, and of weight
PRIMARY, SECONDARY, EXPLORATORY = "primary", "secondary", "exploratory"


class Answers(NamedTuple):
    """What a question may be asked of; no exposures: those of `phenotype.exposures`, and group."""

    exposures: tuple[str, ...]
    adjustments: tuple[str, ...]


QUESTIONS = {
    SURVIVAL: Answers(("face_age", "age_acceleration"), ("unadjusted", "age", "full")),
    ADDED: Answers(("face_age",), ("minimal", "full")),
    GENES: Answers(("age_acceleration",), ("full",)),
    FACES: Answers((), ("unadjusted", "minimal")),
}


def nearest(name: str, known: Mapping | tuple | list) -> str:
    """What to say of a word that is not among those known."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"expected one of {', '.join(known)}" + (f"; did you mean {near[0]!r}?" if near else "")


class PlannedQuestion(Closed):
    """A question with its exposure and adjustment, which one row per cohort answers."""

    question: str
    """overall survival, added prognostic value, gene expression (the prespecified panel, of which the first gene is the headline), or
    face age (differences between groups)."""
    exposure: str
    """face_age or age_acceleration for survival, face_age for added value, age_acceleration for genes; for face age one of
    phenotype.exposures, or group (cancer against controls)."""
    adjustment: str
    """unadjusted, age, minimal or full, as far as the question has them: survival unadjusted, age or full; added value minimal
    or full; genes full; face age unadjusted or minimal."""

    @model_validator(mode="after")
    def _answerable(self) -> "PlannedQuestion":
        if self.question not in QUESTIONS:
            raise ValueError(f"question {self.question!r}: {nearest(self.question, QUESTIONS)}")
        for key, known in QUESTIONS[self.question]._asdict().items():
            given = getattr(self, key.removesuffix("s"))
            if known and given not in known:
                raise ValueError(
                    f"{key.removesuffix('s')} {given!r} of {self.question}: {nearest(given, known)}"
                )
        return self


class Study(Closed):
    """The analysis plan. `faceage-bio freeze` records it before outcomes are read; every other result is exploratory."""

    primary: PlannedQuestion = Field(
        default_factory=lambda: PlannedQuestion(question=SURVIVAL, exposure="face_age", adjustment="age")
    )
    """The one question that the study is for."""
    secondary: list[PlannedQuestion] | None = None
    """Further questions, in their order: [{question: gene expression, exposure: age_acceleration, adjustment: full}]. null: gene expression,
    face age by the first of phenotype.exposures, by BMI and in cancer against controls, and the added prognostic value of face age."""
    frozen: FilePath = Field(default="analysis_plan.json", validate_default=True)
    """Written by `faceage-bio freeze`: the plan and all settings of the analyses, with date and SHA-256."""

    @model_validator(mode="after")
    def _asked_once(self) -> "Study":
        asked = [self.primary, *(self.secondary or [])]
        for one in asked:
            if asked.count(one) > 1:
                raise ValueError(
                    f"{one.question} by {one.exposure}, {one.adjustment}, is planned twice; name each question once"
                )
        return self


class Planned(NamedTuple):
    """A question of the plan and its role."""

    role: str
    question: str
    exposure: str
    adjustment: str


def usual(exposures: list[str]) -> list[tuple[str, str, str]]:
    """The secondary questions of a study that names none."""
    wanted = [DISEASE, *exposures[:1], *({BMI} & set(exposures) - set(exposures[:1]))]
    return [
        (GENES, "age_acceleration", "full"), *((FACES, one, "minimal") for one in wanted), (ADDED, "face_age", "minimal"),
    ]  # fmt: skip


def planned(config: "Config") -> list[Planned]:
    """The plan of a config: the primary question first; usual questions that it does not name are exploratory."""
    study, others = config.study, usual(config.phenotype.exposures)

    def asked() -> Iterator[Planned]:
        yield Planned(PRIMARY, **study.primary.model_dump())
        if study.secondary is None:
            yield from (Planned(SECONDARY, *one) for one in others)
        else:
            yield from (Planned(SECONDARY, **one.model_dump()) for one in study.secondary)
        yield from (Planned(EXPLORATORY, *one) for one in [(SURVIVAL, "face_age", "age"), *others])

    first: dict[tuple, Planned] = {}
    for one in asked():
        first.setdefault(one[1:], one)
    return list(first.values())
