"""A look at the photos by persons who know nothing else of them."""

from typing import Literal

from pydantic import Field

from faceage_bio.core.settings.closed import Closed, FilePath


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
