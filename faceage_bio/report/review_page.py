"""The sheet on which reviewers look at photos: one private HTML file with faces in it, and nothing else about anybody."""

import base64
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from faceage_bio.faces.faceage.review_codes import DECISIONS, REASONS
from faceage_bio.faces.faceage.review_sheet import Shown

TEMPLATES = Path(__file__).parent / "templates"


def review_sheet(shown: Sequence[Shown], sheet: str) -> str:
    """The page. It holds faces: it is for the computer on which it was made.

    Parameters
    ----------
    shown : photos in the order of their numbers
    sheet : what tells this sheet from others; stands in the decisions that it saves
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )  # fmt: skip
    photos = [
        {"number": one.number, "data": base64.b64encode(one.jpeg).decode() if one.jpeg else ""}
        for one in shown
    ]
    keys = dict(zip(REASONS, "1234567890", strict=True))
    return environment.get_template("review_sheet.html.j2").render(
        photos=photos, sheet=sheet, decisions=DECISIONS, reasons=REASONS, keys=keys,
        style=Markup((TEMPLATES / "review_sheet.css").read_text()), script=Markup((TEMPLATES / "review_sheet.js").read_text()),
    )  # fmt: skip
