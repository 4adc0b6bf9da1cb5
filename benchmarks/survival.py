"""The Cox core beside lifelines and R's survival: the same data, one core, CPU seconds of each task.

    python -m benchmarks.survival              # needs Rscript with the package survival; --without-r leaves it out

Tasks: Cox on 100,000 people x 8 covariates, test of proportional hazards on that fit, concordance with its standard error,
and a Cox model for each of 20,000 genes in 500 people. Loops over genes are timed on some of the genes and scaled up. CPU
seconds of one thread are taken because machines are shared; ratios are medians over rounds.
"""

import argparse
import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import importlib.util
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_batch import fit_cox_per_column
from faceage_bio.stats.cox_ph import proportional_hazards_test

PEOPLE, COVARIATES, GENES, SAMPLES = 100_000, 8, 20_000, 500
GENES_OF_R, GENES_OF_LIFELINES = 500, 20
TASKS = {
    "cox": f"Cox, {PEOPLE:,} x {COVARIATES}, hardly a tie",
    "days": f"Cox, {PEOPLE:,} x {COVARIATES}, times in whole days",
    "ph": "test of proportional hazards",
    "concordance": "concordance with standard error",
    "genes": f"a Cox model for each of {GENES:,} genes, {SAMPLES} people",
}


def r_is_there() -> str:
    """Why R cannot take part, or nothing."""
    if shutil.which("Rscript") is None:
        return "Rscript is not on the PATH. Install r-base-core and r-cran-survival (Debian, Ubuntu), or give --without-r."
    done = subprocess.run(["Rscript", "-e", "library(survival)"], capture_output=True, text=True)
    if done.returncode:
        return "R has no package survival. Install r-cran-survival (Debian, Ubuntu) or the CRAN package, or give --without-r."
    return ""


def cohort(n: int, n_covariates: int, seed: int) -> tuple[pd.Series, pd.Series, pd.DataFrame]:
    """Times, deaths and normal covariates that raise or lower the hazard; about half die."""
    random = np.random.default_rng(seed)
    design = pd.DataFrame(random.normal(size=(n, n_covariates)))
    death = random.exponential(1, n) / np.exp(design.to_numpy() @ np.linspace(-0.3, 0.3, n_covariates))
    leave = random.uniform(0, 2, n)
    return pd.Series(np.minimum(death, leave)), pd.Series((death <= leave).astype(float)), design


def in_days(years: pd.Series) -> pd.Series:
    return np.ceil(years * 365.25) / 365.25


def cpu_seconds(task) -> tuple[float, object]:
    start = time.process_time()
    result = task()
    return time.process_time() - start, result


def ours(data: dict) -> dict:
    years, event, design = data["people"]
    seconds, results = {}, {}
    seconds["cox"], fit = cpu_seconds(lambda: fit_cox(years, event, design))
    seconds["days"], _ = cpu_seconds(lambda: fit_cox(in_days(years), event, design))
    seconds["ph"], test = cpu_seconds(lambda: proportional_hazards_test(fit))
    results["coef"], results["chisq"] = fit.terms.log_hazard_ratio.tolist(), test.chi_square.tolist()
    if importlib.util.find_spec("faceage_bio.stats.concordance"):
        seconds["concordance"], results["c"] = cpu_seconds(lambda: concordance(fit, data))
    years, event, common = data["samples"]
    seconds["genes"], genes = cpu_seconds(lambda: fit_cox_per_column(years, event, data["genes"], common))
    results["beta"] = genes.log_hazard_ratio.tolist()
    return seconds | results


def concordance(fit, data: dict) -> list[float]:
    """C and its standard error by our own module."""
    from faceage_bio.stats.concordance import concordance as of

    years, event, design = data["people"]
    found = of(years, event, design.to_numpy() @ fit.terms.log_hazard_ratio.to_numpy())
    return [float(found.value[0]), found.error(0)]


def lifelines(data: dict) -> dict:
    from lifelines import CoxPHFitter
    from lifelines.statistics import proportional_hazard_test
    from lifelines.utils import concordance_index

    def table(part: str) -> pd.DataFrame:
        years, event, design = data[part]
        return design.add_prefix("x").assign(years=years, event=event)

    def fit(rows: pd.DataFrame):
        return CoxPHFitter().fit(rows, "years", "event")

    people, samples = table("people"), table("samples")
    seconds = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seconds["cox"], fitted = cpu_seconds(lambda: fit(people))
        days = people.assign(years=in_days(people.years))
        seconds["days"], _ = cpu_seconds(lambda: fit(days))
        seconds["ph"], _ = cpu_seconds(lambda: proportional_hazard_test(fitted, people, time_transform="km"))
        risk = fitted.predict_partial_hazard(people)
        # lifelines has no standard error
        seconds["concordance"], _ = cpu_seconds(lambda: concordance_index(people.years, -risk, people.event))
        some = data["genes"].iloc[:, :GENES_OF_LIFELINES]
        looped, _ = cpu_seconds(lambda: [fit(samples.assign(gene=some[name])) for name in some])
    return seconds | {"genes": looped * GENES / GENES_OF_LIFELINES}


def r_rounds(data: dict, rounds: int) -> list[dict]:
    with tempfile.TemporaryDirectory() as folder:
        for name, part in (("people", "people"), ("common", "samples")):
            years, event, design = data[part]
            np.column_stack([years, event, design]).T.tofile(Path(folder) / f"{name}.bin")
        data["genes"].iloc[:, :GENES_OF_R].to_numpy().T.tofile(Path(folder) / "genes.bin")
        script = Path(__file__).with_suffix(".R")
        done = subprocess.run(["Rscript", script, folder, str(rounds)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [one | {"genes": one["genes"] * GENES / GENES_OF_R} for one in found]


def table_of(runs: dict[str, list[dict]]) -> str:
    """Seconds of each contender and its ratio to ours, as Markdown."""
    lines = [
        "| task | ours, CPU s | "
        + " | ".join(f"{name}, ratio to ours" for name in runs if name != "ours")
        + " |"
    ]
    lines.append("|---" * (1 + len(runs)) + "|")
    for task, words in TASKS.items():
        mine = [run[task] for run in runs["ours"] if task in run]
        if not mine:
            lines.append(f"| {words} | not built" + " | –" * (len(runs) - 1) + " |")
            continue
        cells = [words, f"{statistics.median(mine):.3f}"]
        for name, rows in runs.items():
            if name == "ours":
                continue
            ratios = [row[task] / own for row, own in zip(rows, mine, strict=True)]
            middle = statistics.median(row[task] for row in rows)
            cells.append(
                f"{middle:.3f} s, **{statistics.median(ratios):.2f}** ({', '.join(f'{r:.2f}' for r in ratios)})"
            )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def furthest(mine: list[float], theirs: list[float]) -> float:
    """Largest relative difference."""
    ours, other = np.array(mine[: len(theirs)]), np.array(theirs)
    return float(np.max(np.abs(ours - other) / np.maximum(np.abs(other), 1e-12)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-r", action="store_true")
    options = parser.parse_args()
    if not options.without_r and (why := r_is_there()):
        raise SystemExit(f"error: {why}")
    random = np.random.default_rng(3)
    data = {
        "people": cohort(PEOPLE, COVARIATES, 1), "samples": cohort(SAMPLES, 4, 2),
        "genes": pd.DataFrame(random.normal(size=(SAMPLES, GENES))).add_prefix("g"),
    }  # fmt: skip
    ours({name: part if name == "genes" else cohort(200, 2, 1) for name, part in data.items()} | {
        "genes": data["genes"].iloc[:200, :100]})  # first calls load code  # fmt: skip
    runs: dict[str, list[dict]] = {"ours": [], "lifelines": []}
    if not options.without_r:
        runs["R"] = r_rounds(data, options.rounds)
    for _ in range(options.rounds):
        runs["ours"].append(ours(data))
        runs["lifelines"].append(lifelines(data))
    from importlib.metadata import version

    print(
        f"{date.today().isoformat()}, Python {sys.version.split()[0]}, "
        + ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "lifelines"))
    )
    print(table_of(runs))
    if "R" in runs:
        own, other = runs["ours"][0], runs["R"][0]
        print(
            subprocess.run(
                ["Rscript", "-e", 'cat(R.version.string, "survival", format(packageVersion("survival")))'],
                capture_output=True,
                text=True,
            ).stdout
        )
        bare = statistics.median(run["bare"] for run in runs["R"])
        print(
            f"R's fitting routine alone (coxph.fit, without formula, residuals and concordance): {bare:.3f} s"
        )
        parts = {
            "coefficients": "coef",
            "test of proportional hazards": "chisq",
            "genes": "beta",
            "concordance and its error": "c",
        }
        print(
            "largest relative difference from R: "
            + ", ".join(
                f"{words} {furthest(own[key], other[key]):.0e}" for words, key in parts.items() if key in own
            )
        )


if __name__ == "__main__":
    main()
