"""Meta-analysis beside a loop over R's rma: the same estimates, one core, CPU seconds, in one run.

    python -m benchmarks.meta_analysis         # needs Rscript with the package metafor

300 estimates of 200 cohorts (REML, ad hoc Hartung-Knapp, Q-profile intervals) and 20,000 genes of 30 cohorts (common effect, and
random effects as sensitivity analysis), also as a whole command with its memory. R fits some of the rows and is scaled up.
"""

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.core.results.row import result_rows
from faceage_bio.core.tables import write_table
from faceage_bio.stats import meta_analysis as meta

OF_R = 200  # rows that R fits
ROUNDS = 3


def draw(estimates: int, cohorts: int) -> tuple[np.ndarray, np.ndarray]:
    """Estimates around 0.2 with a between-cohort variance of 0.02."""
    rng = np.random.default_rng(1)
    se = rng.uniform(0.05, 0.4, (estimates, cohorts))
    return 0.2 + rng.normal(size=se.shape) * np.sqrt(se**2 + 0.02), se


def seconds_of_r(y: np.ndarray, se: np.ndarray) -> tuple[float, float]:
    """CPU seconds for one fit, and the mean of the pooled estimates."""
    with tempfile.TemporaryDirectory() as folder:
        np.savetxt(Path(folder) / "y.tsv", y)
        np.savetxt(Path(folder) / "se.tsv", se)
        script = Path(__file__).with_suffix(".R")
        done = subprocess.run(["Rscript", str(script), folder], capture_output=True, text=True, check=True)
    spent, mean = map(float, done.stdout.split())
    return spent, mean


def headline(y: np.ndarray, se: np.ndarray) -> meta.Pooled:
    """What a headline has: estimate, CI, prediction interval, CIs of tau2 and I2."""
    pooled = meta.pool(y, se)
    meta.heterogeneity(y, se, pooled.tau2)
    return pooled


def write_gene_tables(y: np.ndarray, se: np.ndarray, folder: Path) -> list[str]:
    """The gene table of each cohort, as the step writes it; --table and its path for each."""
    about = {
        "question": "expression", "exposure": "age_acceleration", "outcome": "expression", "measure": "log2 fold change", "per": "10 years",
        "adjustment": "full", "covariates": "age, sex", "model": "together", "n": 100, "reason": "",
    }  # fmt: skip
    options = []
    for c in range(y.shape[1]):
        path = folder / f"c{c}" / "expression" / "genes.tsv"
        rows = pd.DataFrame(
            {"term": [f"G{k}" for k in range(len(y))], "estimate": y[:, c], "standard_error": se[:, c]}
        )
        more = {
            name: y[:, c]
            for name in (
                "ci_lower",
                "ci_upper",
                "statistic",
                "p_value",
                "q_value",
                "base_mean",
                "p_lrt",
                "voom_estimate",
                "hc3_p_value",
            )
        }
        write_table(result_rows(rows.assign(cohort=f"c{c}", **about, **more), "expression/genes"), path)
        options += ["--table", str(path)]
    return options


def main() -> None:
    y, se = draw(300, 200)
    for _ in range(ROUNDS):
        start = time.process_time()
        pooled = headline(y, se)
        ours = time.process_time() - start
        each, mean = seconds_of_r(y[:OF_R], se[:OF_R])
        off = abs(pooled.estimate[:OF_R].mean() - mean)
        print(
            f"300 x 200: ours {ours:.3f} s, R's rma {each * 300:.2f} s, ratio {each * 300 / ours:.0f}; means differ by {off:.1e}"
        )
    y, se = draw(20_000, 30)
    for _ in range(ROUNDS):
        start = time.process_time()
        meta.pool(y, se, "EE", "z")
        meta.pool(y, se, "REML", "z")
        ours = time.process_time() - start
        each, _ = seconds_of_r(y[:OF_R], se[:OF_R])
        print(
            f"20,000 x 30: ours {ours:.2f} s, R's rma {each * 20_000:.0f} s, ratio {each * 20_000 / ours:.0f}"
        )
    with tempfile.TemporaryDirectory() as folder:
        options = write_gene_tables(y, se, Path(folder))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "faceage_bio", "pool-genes", *options, "--output", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"pool-genes, 20,000 genes of 30 tables, whole command: {used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime:.1f} s, {used.ru_maxrss / 1024:.0f} MB at most"
    )


if __name__ == "__main__":
    main()
