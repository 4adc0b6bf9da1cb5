"""The sheet on which reviewers look at photos: one private HTML file with faces in it, and nothing else about anybody."""

import base64
from collections.abc import Sequence

from markupsafe import Markup

from faceage_bio.faces.faceage.review_codes import DECISIONS, REASONS
from faceage_bio.faces.faceage.review_sheet import Shown
from faceage_bio.report.pages import TEMPLATES, templates


def review_sheet(shown: Sequence[Shown], sheet: str) -> str:
    """The page. It holds faces: it is for the computer on which it was made.

    Parameters
    ----------
    shown : photos in the order of their numbers
    sheet : what tells this sheet from others; stands in the decisions that it saves
    """
    photos = [
        {"number": one.number, "data": base64.b64encode(one.jpeg).decode() if one.jpeg else ""}
        for one in shown
    ]
    keys = dict(zip(REASONS, "1234567890", strict=True))
    return templates().get_template("review_sheet.html.j2").render(
        photos=photos, sheet=sheet, decisions=DECISIONS, reasons=REASONS, keys=keys,
        style=Markup((TEMPLATES / "review_sheet.css").read_text()), script=Markup((TEMPLATES / "review_sheet.js").read_text()),
    )  # fmt: skip
