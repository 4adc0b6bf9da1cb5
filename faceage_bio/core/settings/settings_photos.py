"""From photo to face age, which photos are used, and a look at them by persons."""

from typing import Any, Literal

from pydantic import Field, model_validator

from faceage_bio.core.settings.closed import Closed, FilePath


class Rule(Closed):
    """What happens to photos or samples that a rule catches, and from where on it catches them."""

    action: Literal["exclude", "flag", "ignore"]
    threshold: float


def rule_of(action: Literal["exclude", "flag", "ignore"], threshold: float) -> Any:
    """A field whose default is this rule."""
    return Field(default=Rule(action=action, threshold=threshold))


class Quality(Closed):
    """Which photos are excluded, flagged or used as they are (ignore), after the study's own criteria."""

    small_photo: Rule = rule_of("exclude", 160)
    """The photo's shorter side is below this many pixels."""
    small_face: Rule = rule_of("exclude", 60)
    """The shorter side of the face box is below this many pixels."""
    multiple_faces: Rule = rule_of("exclude", 1)
    """More faces than this. The study used no such photo; with flag, face_choice says which face counts."""
    face_outside_frame: Rule = rule_of("exclude", 0.05)
    """More than this share of the face box lies outside the photo."""
    small_face_area: Rule = rule_of("flag", 0.02)
    """The face fills less than this share of the photo. The study asked 0.8 of pictures that were already cut to the face."""
    large_yaw: Rule = rule_of("flag", 35)
    """Turned left or right by more than this many degrees (estimated from eyes and nose)."""
    large_roll: Rule = rule_of("flag", 30)
    """Tilted towards a shoulder by more than this many degrees."""
    dark: Rule = rule_of("flag", 45)
    """The face's mean grey is below this (0 black, 255 white)."""
    bright: Rule = rule_of("flag", 215)
    """The face's mean grey is above this."""
    low_contrast: Rule = rule_of("flag", 15)
    """The face's grey levels have a standard deviation below this."""
    blurred: Rule = rule_of("flag", 25)
    """Sharpness of the 160-pixel face (variance of the Laplacian) below this; sharp portraits have 60 to 700."""
    greyscale: Rule = rule_of("ignore", 0)
    """The photo has no colour."""
    low_confidence: Rule = rule_of("flag", 0.99)
    """The detector's probability of a face is below this."""
    high_sharpness: Rule = rule_of("flag", 1500)
    """Sharpness above this: a fax, a pencil drawing, a print. Photos stay below 700."""
    uniform_area: Rule = rule_of("flag", 0.01)
    """More than this share of the face has no shading: a bar over the eyes, a grey block, a lower half that was lost."""
    pixelated: Rule = rule_of("flag", 0.35)
    """Differences between pixels gather at the edges of blocks by more than this (0 evenly, 1 wholly)."""
    swapped_channels: Rule = rule_of("flag", -10)
    """Red of the cheeks minus blue, in grey levels, is below this: red and blue are swapped."""
    dark_eyes: Rule = rule_of("flag", 0.35)
    """Grey around the eyes over that of the cheeks is below this: dark sunglasses. Portraits have 0.4 and more."""
    upside_down: Rule = rule_of("flag", 3)
    """Log odds of a face are higher by more than this with the face turned by 180 degrees."""
    corrupt_data: Rule = rule_of("flag", 0)
    """The decoder warns of damage in a JPEG, or its data hold a run of zero bytes."""
    colour_mode: Rule = rule_of("flag", 0)
    """The file is 1-bit, in palette colours or CMYK, or says that white is zero: a scan, a fax or a print."""


class FaceAge(Closed):
    """From photo to face age."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto takes a CUDA GPU where there is one. cuda also asks a cluster for one GPU per shard."""
    store: FilePath | None = None
    """Folder that keeps the result of each photo, so that none is computed twice; studies may share one. Empty: faceage_store in results_dir."""
    shard_size: int = Field(default=2000, ge=1)
    """Photos per job; a cluster works on several shards at once."""
    batch_size: int = Field(default=32, ge=1, le=4096)
    """Faces per pass through the age network; on a GPU up to 8 times as many from several processes, and fewer where its memory does not hold them."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """float32 is the study's. bfloat16 is faster and off by up to a year; the log states by how much on your photos."""
    detection: Literal["exact", "fast"] = "exact"
    """exact: as the study. fast: skips faces below quality.small_face; for large photos, about twice as fast."""
    face_choice: Literal["highest_confidence", "largest", "only"] = "highest_confidence"
    """Of several faces, where quality.multiple_faces does not exclude: the most certain (the study's), the largest, or none (only)."""
    min_probability: float = Field(default=0.9, ge=0, le=1)
    """A detection below this probability is no face."""
    box_mode: Literal["clip", "abs_shift"] = "clip"
    """clip: detector 0.1.1, as in the released ages; abs_shift: 0.1.0 and older, as in the clinical runs."""
    resize: Literal["bicubic", "nearest"] = "bicubic"
    """bicubic: Pillow >= 7, as in the released ages; nearest: Pillow < 7, probably the clinical runs."""
    jitters: int = Field(default=0, ge=0, le=64)
    """Uncertainty of each age from this many shifted, scaled and mirrored crops; each costs one more pass. 0: none."""
    duplicates: Literal["exclude", "flag"] = "flag"
    """What happens to photos that occur again under another photo_id, exactly or nearly."""
    quality: Quality = Field(default_factory=Quality)

    @model_validator(mode="after")
    def _misses_no_face_that_counts(self) -> "FaceAge":
        if self.detection == "fast" and self.quality.small_face.action != "exclude":
            raise ValueError(
                "detection: fast skips faces below quality.small_face, which therefore must have `action: exclude`; or use `detection: exact`"
            )
        return self


class Review(Closed):
    """A look at the photos by persons who know nothing else of them (`faceage-bio make-review-sheet`, LOCAL ONLY)."""

    decisions: FilePath | None = None
    """Table written by `faceage-bio read-review`: photo_id, decision, reason, reviewer. null: none looked."""
    disagreement: Literal["exclude", "flag", "majority"] = "exclude"
    """Where reviewers differ. exclude: one who excludes a photo is enough; flag: it is used and flagged; majority: more than half
    exclude it, and it is flagged where they do not."""
    sheet: bool = False
    """Whether every run makes the sheet; otherwise ask for it: faceage-bio run --configfile CONFIG make_review_sheet."""
    photos: int = Field(default=200, ge=1)
    """Photos on the sheet: all flagged ones, and others by chance until there are so many (a quarter of it at least)."""
    seed: int = Field(default=1, ge=0)
    """The same seed draws the same photos in the same order."""
