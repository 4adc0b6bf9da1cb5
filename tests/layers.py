"""The layers of the package, and its modules."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "faceage_bio"
LAYERS = {
    "core": 0, "stats": 1, "intake": 1, "faces": 2, "analyses": 3, "demo": 3, "report": 4, "release": 5, "cli": 6, "api": 6, "__main__": 7,
}  # fmt: skip
MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py" and "_workflow" not in path.parts
)
