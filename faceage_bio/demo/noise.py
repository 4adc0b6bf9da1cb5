"""Photos of noise, on which a computer's speed can be measured where there are no photos yet."""

from pathlib import Path

import numpy as np
from PIL import Image


def draw_noise(folder: Path, n: int, megapixels: float) -> list[Path]:
    """Photos of noise, 4 by 3; the detector spends about as long on one as on a portrait of the same size."""
    from faceage_bio.faces.vision.crop import CROP_SIZE

    height = max(CROP_SIZE, round((megapixels * 1e6 * 3 / 4) ** 0.5))
    random = np.random.default_rng(1)
    paths = [folder / f"{number}.jpg" for number in range(n)]
    for path in paths:
        Image.fromarray(random.integers(0, 256, (height, height * 4 // 3, 3), dtype=np.uint8)).save(path)
    return paths
