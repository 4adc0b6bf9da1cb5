"""What several test files use of weights import."""

import json
from pathlib import Path

GOLDEN = json.loads((Path(__file__).parent / "golden" / "keras" / "golden.json").read_text())
