"""What may leave the study: how counts in a release are rounded."""

from pydantic import Field

from faceage_bio.core.settings.closed import Closed


class Release(Closed):
    """What `publish` writes to be passed on. Tables and pages under results_dir are exact, whatever stands here."""

    rounding: int = Field(default=6, ge=1)
    """Counts in what `publish` writes are rounded by midpoint rounding to this number. Presets: 5, 7, 10; 1: no rounding,
    for public data."""
