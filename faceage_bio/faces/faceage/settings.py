"""How photos become ages: everything that a result depends on beside photo and model."""

from dataclasses import dataclass

from faceage_bio.core.errors import ConfigError
from faceage_bio.core.settings.settings_photos import FaceAge
from faceage_bio.faces.faceage.rules import Rule
from faceage_bio.faces.vision.detect import first_level_for


@dataclass(frozen=True)
class Settings:
    """See the section ``faceage`` of the config for what each means; part of the key of stored results.

    Raises
    ------
    ConfigError
        Fast detection without a rule that excludes small faces: it would miss faces that are to be used.
    """

    detection: str
    min_probability: float
    face_choice: str
    box_mode: str
    resize: str
    precision: str
    jitters: int
    batch_size: int
    rules: tuple[Rule, ...]

    def __post_init__(self) -> None:
        if self.detection == "fast" and not self._smallest_face():
            raise ConfigError(
                "faceage.detection: fast skips faces below quality.small_face. Expected `action: exclude` there. "
                "Set it so, or use `detection: exact`."
            )

    @property
    def first_level(self) -> int:
        """Where the detector's pyramid starts."""
        return first_level_for(self._smallest_face()) if self.detection == "fast" else 0

    def _smallest_face(self) -> float:
        return next(
            (rule.threshold for rule in self.rules if rule.name == "small_face" and rule.action == "exclude"),
            0,
        )

    def stored(self) -> dict[str, str]:
        """What stands in every row of the result."""
        return {
            name: getattr(self, name)
            for name in ("detection", "face_choice", "box_mode", "resize", "precision")
        }


def settings_of(config: FaceAge) -> Settings:
    """The settings that a config's section asks for."""
    shared = {name: getattr(config, name) for name in Settings.__dataclass_fields__ if name != "rules"}
    return Settings(
        **shared, rules=tuple(Rule(name, rule.action, rule.threshold) for name, rule in config.quality)
    )
