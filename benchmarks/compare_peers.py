"""From photo to face age beside the study's way and a plain PyTorch port: the same photos, the same cores, turn and turn about.

    make bench-peers                                   # sets up the peers' environment, then runs this
    python -m benchmarks.compare_peers --peers-python .venv-peers/bin/python --folder portraits

Peers are timed without start-up; ours includes the start of its worker processes, but for libraries that load beside its own. The networks have FaceAge's shape and random
weights. Rounds go round all contenders, so that a busy machine slows all of them; ratios are medians over the rounds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.photos import make_photos, random_faceage
from faceage_bio.cli.terminal import counted

WIDTHS = (640, 2000)
CORES = 2  # what the study's way was measured on


def contenders(peers: Path, photos: Path, model: Path) -> dict[str, list]:
    ours, study = (
        [sys.executable, "-m", "benchmarks.peer_ours"],
        [peers, "-m", "benchmarks.peer_study"],
    )
    return {
        "study's script": [*study, "published", photos],
        "mtcnn built once": [*study, "once", photos],
        "plain PyTorch port": [sys.executable, "-m", "benchmarks.peer_facenet", photos],
        "ours, exact": [*ours, "exact", photos, model],
        "ours, fast": [*ours, "fast", photos, model],
    }


def networks(peers: Path, model: Path) -> dict[str, list]:
    return {
        "Keras, batches of 32": [peers, "-m", "benchmarks.peer_study", "network", "."],
        "ours, batches of 32": [sys.executable, "-m", "benchmarks.peer_ours", "network", ".", model],
    }


def speed(command: list, cores: set[int]) -> float:
    """Photos per second as the command reports them."""
    done = subprocess.run(
        command, capture_output=True, text=True, preexec_fn=lambda: os.sched_setaffinity(0, cores),
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": str(len(cores)), "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stderr[-3000:]}")
    result = json.loads(done.stdout.splitlines()[-1])
    return result["photos"] / result["seconds"]


def compare(title: str, commands: dict[str, list], rounds: int, cores: set[int], base: str) -> None:
    speeds: dict[str, list[float]] = {name: [] for name in commands}
    with counted(f"runs, {title}", rounds * len(commands)) as progress:
        for _ in range(rounds):
            for name, command in commands.items():
                speeds[name].append(speed(command, cores))
                progress(1)
    print(f"\n{title}, {len(cores)} cores, {rounds} rounds")
    for name, values in speeds.items():
        ratios = [value / other for value, other in zip(values, speeds[base], strict=True)]
        print(
            f"  {name:22} {statistics.median(values):8.2f} per s   {statistics.median(ratios):7.2f} x {base}"
            f"   (rounds: {', '.join(f'{ratio:.2f}' for ratio in ratios)})",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers-python", type=Path, required=True)
    parser.add_argument("--folder", type=Path, help="photos of your own; default: drawn people")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, default=CORES, help="1: CPU time counts, on a busy machine")
    parser.add_argument("--width", type=int, nargs="+", default=WIDTHS, help="pixels")
    asked = parser.parse_args()
    cores = set(sorted(os.sched_getaffinity(0))[: asked.cores])
    peers = Path(os.path.abspath(asked.peers_python))  # not resolved: it would leave its environment
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        model = random_faceage(work / "model")
        compare("age network", networks(peers, model), asked.rounds, cores, "Keras, batches of 32")
        for width in asked.width:
            photos = work / str(width)
            n = len(make_photos(width, photos, asked.folder))
            title = f"photo to face age, {n} photos {width} pixels wide"
            compare(title, contenders(peers, photos, model), asked.rounds, cores, "mtcnn built once")


if __name__ == "__main__":
    main()
