"""What the pages say besides the results."""

from faceage_bio.settings.closed import Closed


class Report(Closed):
    """What the pages say besides the results."""

    title: str = "FaceAge study"
    """Heads both reports."""
    governance: str = ""
    """Ethics approval and consent, printed as given."""
