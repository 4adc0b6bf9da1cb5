"""Photos of one width for the benchmarks: drawn people, or a folder of one's own."""

from pathlib import Path

import pandas as pd
from PIL import Image

from faceage_bio.demo.portraits import draw, imagine

MOST = 24  # photos
ENDINGS = {".jpg", ".jpeg", ".png"}


def make_photos(width: int, output: Path, folder: Path | None = None) -> list[Path]:
    """Some JPEGs of this width (quality 90) in ``output``; scaled from those of ``folder``, or from people drawn by code."""
    output.mkdir(parents=True, exist_ok=True)
    if folder is None:
        pictures = [(f"{n}", Image.fromarray(draw(imagine(20 + 3 * n, bool(n % 2), n)))) for n in range(MOST)]
    else:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)
        if not files:
            raise SystemExit(
                f"{folder}: no photo. Expected files that end in {', '.join(sorted(ENDINGS))}; name their folder."
            )
        some = files[:: max(1, len(files) // MOST)][:MOST]
        pictures = [(path.stem, Image.open(path).convert("RGB")) for path in some]
    paths = []
    for name, picture in pictures:
        path = output / f"{name}.jpg"
        height = round(picture.height * width / picture.width)
        picture.resize((width, height), Image.Resampling.LANCZOS).save(path, quality=90)
        paths.append(path)
    return paths


def table_of(paths: list[Path], n: int) -> pd.DataFrame:
    """A photo table with ``n`` rows, the photos over and over."""
    return pd.DataFrame({
        "cohort": "benchmark", "photo_id": [f"p{k}" for k in range(n)], "subject_id": [f"s{k}" for k in range(n)],
        "path": [paths[k % len(paths)].name for k in range(n)], "photo_date": None, "chronological_age": float("nan"),
    })  # fmt: skip


def random_faceage(folder: Path) -> Path:
    """A model folder with a network of FaceAge's shape and random weights: its speed, not its ages, is real."""
    from faceage_bio.faces.vision.weights import import_weights
    from tests.golden.keras import recipe

    import_weights(recipe.write_h5(folder.with_suffix(".h5")), folder)
    return folder
