"""The demo's cohorts as three hospitals that share no rows: bundles, the multi-site report, and rounds of one Cox model.

    make demo-sites

Each command is printed as it would be typed. At the end the hazard ratio of face age stands beside that of all rows together, which
hospitals cannot compute, and which the rounds reach.
"""

import json
import subprocess
import sys
from pathlib import Path

RESULTS, CONFIG = Path("results"), Path("config/config.yaml")
SITES = RESULTS / "sites"
TERMS = {"face_age": "face_age/10", "chronological_age": "chronological_age/10"}
ROUNDS = 4


def run(*arguments: object) -> None:
    """A command, printed; its own words are shown in the end alone."""
    words = [str(one) for one in arguments]
    print(f"$ faceage-bio {' '.join(words)}", flush=True)
    done = subprocess.run([sys.executable, "-m", "faceage_bio", *words], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    print("  " + done.stdout.strip().splitlines()[-1])


def bundles(cohorts: list[str]) -> None:
    """Each hospital writes its bundle, the coordinator pools them."""
    for site in cohorts:
        run(
            "site", "export", "--configfile", CONFIG, "--site", site, "--cohort", site, "--output", SITES / f"{site}.zip",
            "--key", RESULTS.parent / f".site-{site}.key", "--yes",
        )  # fmt: skip
    run("site", "pool", *(SITES / f"{site}.zip" for site in cohorts), "--output", SITES / "report")


def rounds(cohorts: list[str], model_id: str) -> None:
    """One Cox model, stratified by hospital, until it moves no more."""
    terms = [part for term in TERMS.values() for part in ("--term", term)]
    run("site", "request", *terms, "--model-id", model_id, "--output", SITES / "request-0.json")
    for number in range(ROUNDS):
        answers = []
        for site in cohorts:
            answers.append(SITES / f"{site}-{number}.json")
            run(
                "site", "answer", SITES / f"request-{number}.json", "--follow-up", RESULTS / site / "survival/follow_up.parquet", "--site", site,
                "--model-id", model_id, "--key", RESULTS.parent / f".site-{site}.key", "--log", SITES / f"{site}-answers.jsonl", "--output", answers[-1],
                "--yes",
            )  # fmt: skip
        run(
            "site", "combine", SITES / f"request-{number}.json", *answers, "--estimate", SITES / f"round-{number}.tsv",
            "--output", SITES / f"request-{number + 1}.json",
        )  # fmt: skip


def compare(cohorts: list[str]) -> None:
    """The answers so far beside that of all rows."""
    import numpy as np
    import pandas as pd

    from faceage_bio.core.tables import read_table
    from faceage_bio.stats.cox import fit_cox

    people = pd.concat(
        [read_table(RESULTS / site / "survival/follow_up.parquet") for site in cohorts], ignore_index=True
    )
    people = people[people["follow_up_reason"] == ""]
    design = people[list(TERMS)] / 10
    whole = fit_cox(
        people["followup_years"], people["event"].astype(int), design, strata=people["cohort"]
    ).terms.loc["face_age"]
    print("\nHazard ratio of face age per 10 years, adjusted for chronological age, stratified by hospital")
    for number in range(ROUNDS):
        row = read_table(SITES / f"round-{number}.tsv").set_index("term").loc["face_age"]
        away = abs(np.log(row["estimate"]) - np.log(whole["hazard_ratio"])) / whole["standard_error"]
        what = "two-stage" if number == 0 else f"round {number}"
        print(
            f"{what:>10}: {row['estimate']:.6f} ({row['ci_lower']:.3f} to {row['ci_upper']:.3f}), {away:.0e} standard errors from all rows"
        )
    print(
        f"{'all rows':>10}: {whole['hazard_ratio']:.6f} ({whole['ci_lower']:.3f} to {whole['ci_upper']:.3f})"
    )
    print(f"\nMulti-site report: {SITES / 'report' / 'index.html'}")


if __name__ == "__main__":
    SITES.mkdir(parents=True, exist_ok=True)
    bundles(["north", "south", "healthy"])
    with_events = ["north", "south"]  # the healthy hospital has no deaths to answer with
    rounds(with_events, json.loads((RESULTS / "model/demo/card.json").read_text())["sha256"])
    compare(with_events)
