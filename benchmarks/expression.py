"""The models of genes against R's DESeq2, limma and sandwich: seconds of one core, peak memory, agreement.

    python -m benchmarks.expression                    # 20,000 genes, 100 and 500 samples, 5 covariates (needs R's packages)
    python -m benchmarks.expression --genes 2000       # a quick look

Both sides read the same drawn counts. CPU seconds are compared, because machines are shared.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

ONE_CORE = {name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}
SCRIPT = Path(__file__).with_name("expression.R")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--samples", type=int, nargs="+", default=[100, 500])
    parser.add_argument("--ours", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.ours:
        ours(asked.ours)
        return
    for n in asked.samples:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            draw(asked.genes, n, folder)
            memory = {
                "R": run(["Rscript", SCRIPT, folder]),
                "ours": run([sys.executable, "-m", "benchmarks.expression", "--ours", folder]),
            }
            compare(folder, asked.genes, n, memory)


def draw(n_genes: int, n: int, folder: Path) -> None:
    """Counts with effects of age acceleration, batch, sex, smoking and BMI; some genes vary far more than the trend."""
    random = np.random.default_rng(20256)
    batch = random.integers(0, 3, n)
    people = pd.DataFrame({
        "acceleration": random.normal(size=n), "batch2": (batch == 1) * 1.0, "batch3": (batch == 2) * 1.0,
        "male": random.integers(0, 2, n) * 1.0, "smoker": random.integers(0, 2, n) * 1.0, "bmi": random.normal(size=n),
    }, index=[f"s{k}" for k in range(n)]).round(6)  # fmt: skip
    effects = random.normal(0, 0.15, (n_genes, 6))
    effects[:, 0] = np.where(random.random(n_genes) < 0.1, random.normal(0, 0.3, n_genes), 0)
    level = random.normal(4.5, 2.0, n_genes)
    log_mean = level[:, None] + effects @ people.to_numpy().T + random.normal(0, 0.3, n)
    dispersion = (0.05 + 2 / np.exp(level)) * np.exp(random.normal(0, 0.7, n_genes))
    size = 1 / dispersion[:, None]
    counts = random.negative_binomial(size, size / (size + np.exp(log_mean)))
    counts[counts.sum(axis=1) == 0, 0] = 1
    pd.DataFrame(counts, [f"g{k}" for k in range(n_genes)], people.index).to_csv(folder / "counts.csv")
    people.to_csv(folder / "people.csv")


def run(command: list) -> float:
    """Peak memory of a process in MB."""
    process = subprocess.Popen(list(map(str, command)), env=os.environ | ONE_CORE, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return usage.ru_maxrss / 1e3


def ours(folder: Path) -> None:
    """Our side: each step's CPU seconds, and what R's numbers are held against."""
    from faceage_bio.stats.deseq import fit_deseq
    from faceage_bio.stats.limma import fit_moderated, voom
    from faceage_bio.stats.linear import hc3
    from faceage_bio.stats.multiplicity import filtered_discovery_rate
    from faceage_bio.stats.negative_binomial import fit_means, median_of_ratios, trimmed_mean_of_m

    counts = np.ascontiguousarray(pd.read_csv(folder / "counts.csv", index_col=0).to_numpy().T)
    people = pd.read_csv(folder / "people.csv", index_col=0)
    design = np.column_stack([np.ones(len(people)), people.to_numpy()])
    first = np.eye(design.shape[1])[1]
    seconds, begin = {}, time.process_time()

    def lap(name: str) -> None:
        nonlocal begin
        seconds[name] = time.process_time() - begin
        begin = time.process_time()

    fit = fit_deseq(counts, design, median_of_ratios(counts))
    estimate, error, _, p = fit.wald(first)
    filtered_discovery_rate(p, fit.base_mean)
    lap("DESeq2, whole")
    full = fit_means(counts, design, fit.size_factors, fit.dispersion)
    full.wald(first)
    lap("Wald")
    reduced = fit_means(counts, np.delete(design, 1, axis=1), fit.size_factors, fit.dispersion)
    _, p_lrt = full.likelihood_ratio(reduced)
    lap("LRT")
    log_cpm, weights = voom(counts, design, counts.sum(axis=1) * trimmed_mean_of_m(counts))
    _, _, _, p_voom = fit_moderated(log_cpm, design, weights).test(first)
    lap("limma-voom")
    hc3(log_cpm, design, first[None])
    lap("HC3, all genes")
    columns = {"estimate": estimate, "error": error, "p": p, "p_lrt": p_lrt, "p_voom": p_voom}
    pd.DataFrame(columns).to_csv(folder / "ours.csv", index=False)
    (folder / "ours.json").write_text(json.dumps(seconds))


def compare(folder: Path, n_genes: int, n: int, memory: dict[str, float]) -> None:
    theirs = pd.read_csv(folder / "r_seconds.csv", index_col=0)["seconds"]
    mine = json.loads((folder / "ours.json").read_text())
    print(
        f"\n== {n_genes:,} genes x {n} samples, 5 covariates ({(folder / 'versions.txt').read_text().strip()}) =="
    )
    print(f"{'CPU seconds':24} {'R':>8} {'ours':>8} {'ours/R':>8}")
    # R's test of nested models fits both of them; ours has the larger one from the Wald test
    both = {"Wald and LRT": mine["Wald"] + mine["LRT"]}
    for name, seconds in (mine | both).items():
        r = theirs[name] if name in theirs else theirs["Wald"] + theirs["LRT"] if name in both else np.nan
        print(f"{name:24} {r:8.2f} {seconds:8.2f} {seconds / r:8.3f}")
    print(f"{'peak memory, MB':24} {memory['R']:8.0f} {memory['ours']:8.0f}")
    a, b = pd.read_csv(folder / "ours.csv"), pd.read_csv(folder / "r.csv")
    for name in ("p", "p_lrt", "p_voom"):
        away = np.abs(np.log10(a[name].clip(lower=1e-300)) - np.log10(b[name].clip(lower=1e-300)))
        print(
            f"{name:6} |dlog10 p|: median {away.median():.1e}, 99 % {away.quantile(0.99):.1e}, largest {away.max():.1e}; "
            f"rank correlation {a[name].corr(b[name], method='spearman'):.8f}"
        )
    shift = np.abs(a.estimate - b.estimate) / b.error
    print(
        f"fold change, in standard errors: 99 % {shift.quantile(0.99):.1e}, largest {shift.max():.1e}",
        flush=True,
    )


if __name__ == "__main__":
    main()
