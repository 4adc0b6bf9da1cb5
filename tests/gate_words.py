"""What the owner of a study knows of its participants, and a picture, for the gate of a release."""

import io
from datetime import date

import numpy as np
from PIL import Image

from faceage_bio.release.known import Known

KNOWN = Known(
    identifiers={"N0912", "H912", "ward-b", "1", "7734521", "S1", "anna", "Zoë/12"},
    files={"IMG_2201.jpg"},
    births={date(1950, 4, 3)},
    dates={date(1950, 4, 3), date(2019, 8, 7)},
)


def picture(kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(stream, format=kind)
    return stream.getvalue()
