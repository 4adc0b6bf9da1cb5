"""Simulated studies for a plan beside a loop over R's coxph: the same design, one core, CPU seconds.

python -m benchmarks.planning              # needs Rscript with the package survival
"""

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import json
import statistics
import subprocess
import time
from pathlib import Path

from faceage_bio.analyses.planning.simulation import simulated_power
from faceage_bio.stats.sample_size import PiecewiseSurvival

PARTICIPANTS, STUDIES, ROUNDS = 500, 1000, 3


def main() -> None:
    """Print one line for each round, and the median ratio."""
    ratios = []
    for seed in range(ROUNDS):
        begin = time.process_time()
        power, error = simulated_power(
            0.15,
            PiecewiseSurvival((0,), (0.2,)),
            PARTICIPANTS,
            accrual=3,
            follow_up=2,
            repeats=STUDIES,
            seed=seed,
        )
        ours = time.process_time() - begin
        done = subprocess.run(
            ["Rscript", Path(__file__).with_suffix(".R"), str(PARTICIPANTS), str(STUDIES)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        peer = json.loads(done.stdout)
        ratios.append(peer["seconds"] / ours)
        print(
            f"{STUDIES:,} studies of {PARTICIPANTS}: ours {ours:.2f} CPU s (power {power:.3f}, Monte Carlo SE {error:.3f}), R {peer['seconds']:.2f} CPU s "
            f"(power {peer['power']:.3f}), ratio {ratios[-1]:.1f}"
        )
    print(f"median ratio {statistics.median(ratios):.1f}")


if __name__ == "__main__":
    main()
