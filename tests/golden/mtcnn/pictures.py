"""The pictures of the detector's golden values: drawn portraits in awkward framings, and the real ones where they are."""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from faceage_bio.demo.portraits import draw, imagine
from faceage_bio.faces.vision.decode import decode_photo

PORTRAITS = Path(__file__).parents[4] / "shared" / "data" / "portraits" / "photos"


def drawn() -> dict[str, np.ndarray]:
    """Whole, cut at each border, two in one picture, small, large and blank."""
    people = [draw(imagine(25 + 12 * number, number % 2 == 0, 9000 + number)) for number in range(6)]
    one = people[0]
    large = np.asarray(Image.fromarray(people[1]).resize((960, 1200), Image.Resampling.BICUBIC))
    return {
        **{f"drawn {number}": picture for number, picture in enumerate(people)},
        "cut left": people[2][:, 130:], "cut right": people[3][:, :190], "cut above": people[4][150:], "cut below": people[5][:240],
        "two": np.concatenate([people[0], people[3]], axis=1), "half size": np.ascontiguousarray(one[::2, ::2]),
        "large": large, "blank": np.full((120, 90, 3), 128, np.uint8), "tiny": one[:10, :10],
    }  # fmt: skip


def real() -> dict[str, np.ndarray]:
    """The portraits beside the repository, or none."""
    return {path.stem: decode_photo(path).image for path in sorted(PORTRAITS.glob("*.jpg"))}


if __name__ == "__main__":
    np.savez(sys.argv[1], **drawn(), **real())
