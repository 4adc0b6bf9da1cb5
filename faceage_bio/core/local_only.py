"""The file in the results that says that they stay where they are."""

from pathlib import Path

from faceage_bio.core.tables import write_text

MARKER = "LOCAL_ONLY.txt"
LOCAL = """This folder holds data on single participants, exact tables and pages, and logs that may name participants.
It stays on this machine. What may be handed to others is what `faceage-bio publish` writes, and nothing else.
"""


def mark_local(results: Path) -> None:
    """Say in the folder of a run that it stays where it is."""
    write_text(LOCAL, Path(results) / MARKER)
