"""Who may read the results."""

from typing import Literal

from faceage_bio.core.settings.closed import Closed


class Results(Closed):
    """Everything under results_dir: exact numbers and rows about participants."""

    access: Literal["owner", "group"] = "owner"
    """owner: files are readable by you alone (0600). group: by your group too (0640), in a folder that hands its group on."""
