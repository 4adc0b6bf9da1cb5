"""The picture of a report that README and docs show: the top of a page as a small WebP.

Only for the demo's pages, whose participants are simulated. `make picture` calls

    python docs/picture.py results/reports/index.html docs/report.webp
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

WIDTH, HEIGHT = 1180, 960  # pixels of the window
LIMIT = 200_000  # bytes


def photograph(page: Path, picture: Path) -> int:
    """Write the top of ``page`` as Chromium draws it; returns the bytes of the picture."""
    if "Simulated participants" not in page.read_text(encoding="utf-8"):
        raise SystemExit(f"{page}: not a page of the demo; a picture of real results does not belong here.")
    if not shutil.which("chromium"):
        raise SystemExit("Chromium is not installed (Debian: apt-get install chromium).")
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "page.png"
        subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={folder}/profile",
             f"--window-size={WIDTH},{HEIGHT}", f"--screenshot={shot}", page.resolve().as_uri()],
            check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        with Image.open(shot) as image:
            image.convert("RGB").save(picture, "WEBP", quality=80, method=6)
    size = picture.stat().st_size
    if size > LIMIT:
        raise SystemExit(f"{picture}: {size:,} bytes, more than {LIMIT:,}.")
    return size


if __name__ == "__main__":
    print(f"{sys.argv[2]}: {photograph(Path(sys.argv[1]), Path(sys.argv[2])):,} bytes")
