"""CPU seconds and memory of every step as a study grows, as the workflow runs them, from its own benchmark files.

    python -m benchmarks.growth --participants 12500 25000 50000      # two dated face ages each, in 3 cohorts
    python -m benchmarks.growth --samples 1000 5000 --genes 20000     # counts of one cohort: every step on them
    python -m benchmarks.growth --photos 1000000                      # a dry run: how long the plan takes
    python -m benchmarks.growth --pairs 20000 200000                  # matching, and photos that stand twice: two functions alone
    python -m benchmarks.growth --participants 50000 --targets results/north/survival/cox.tsv

Participants, ages, follow-up and counts are simulated. A table in Markdown is printed. ``--folder`` keeps what was made.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from faceage_bio.faces.faceage.duplicates import find_same_photos
from faceage_bio.stats.matching import match_nearest

ROOT = Path(__file__).parent.parent
COHORTS = ("north", "south", "east")
PANEL = 16  # genes
# of all steps on counts
OF_COUNTS = [
    f"results/{COHORTS[0]}/{table}.tsv"
    for table in ("expression/sensitivity", "expression/set_associations", "survival/genes")
]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--participants", type=int, nargs="*", default=[])
    parser.add_argument("--samples", type=int, nargs="*", default=[])
    parser.add_argument("--genes", type=int, default=20_000)
    parser.add_argument("--photos", type=int, nargs="*", default=[])
    parser.add_argument("--pairs", type=int, nargs="*", default=[])
    parser.add_argument("--targets", nargs="*", default=[])
    parser.add_argument("--cores", default="2")
    parser.add_argument("--folder", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        for n in asked.photos:
            seconds, cpu, memory = plan(folder / f"photos_{n}", n)
            print(f"{n:,} photos planned in {seconds:.0f} s ({cpu:.0f} CPU s, {memory:.0f} MB)", flush=True)
        found = {
            n: run(draw_participants(folder / f"participants_{n}", n), asked.targets, asked.cores)
            for n in asked.participants
        }
        if found:
            print(as_table("face ages", {2 * n: steps for n, steps in found.items()}))
        for n in asked.pairs:
            matched, looked = pair(n)
            print(
                f"{n:,} participants matched in {matched:.1f} CPU s, {n:,} photos compared in {looked:.1f} CPU s",
                flush=True,
            )
        found = {
            n: run(
                draw_counts(folder / f"samples_{n}", n, asked.genes), asked.targets or OF_COUNTS, asked.cores
            )
            for n in asked.samples
        }
        if found:
            print(as_table(f"samples of {asked.genes:,} genes", found))


def draw_participants(folder: Path, n: int) -> Path:
    """A study of ``n`` participants with two dated face ages each, in three cohorts."""
    cohorts = {}
    for seed, name in enumerate(COHORTS):
        own = n // len(COHORTS) + (seed < n % len(COHORTS))
        cohorts[name] = draw_people(folder / name, name, own, np.random.default_rng(seed))
    return configured(folder, cohorts)


def draw_people(folder: Path, name: str, n: int, random: np.random.Generator) -> dict[str, str]:
    """Clinical table and face ages of a cohort; their paths from the study's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    ids, age = [f"{name}{k}" for k in range(n)], random.uniform(45, 85, n)
    face = age + random.normal(0, 5, n)
    time_to_death = random.exponential(8 * np.exp(-0.05 * (face - 65)))
    end = random.uniform(1, 8, n)
    pd.DataFrame({
        "subject_id": ids, "chronological_age": age.round(2), "sex": random.choice(["female", "male"], n),
        "smoking": random.choice(["never", "former", "current"], n), "bmi": random.normal(26, 4, n).clip(16, 50).round(1),
        "ecog": random.integers(0, 4, n), "group": random.choice(["cancer", "reference"], n, p=[0.9, 0.1]),
        "followup_years": np.minimum(time_to_death, end).round(4), "event": (time_to_death <= end).astype(int),
    }).to_csv(folder / "clinical.tsv", sep="\t", index=False)  # fmt: skip
    day = pd.Timestamp("2015-01-01") + pd.to_timedelta(random.integers(0, 1000, n), unit="D")
    visits = [
        pd.DataFrame({
            "subject_id": ids, "photo_id": [f"{one}_{visit}" for one in ids], "face_age": (face + visit + random.normal(0, 2, n)).round(2),
            "photo_date": (day + pd.to_timedelta(400 * visit, unit="D")).strftime("%Y-%m-%d"),
        })
        for visit in (0, 1)
    ]  # fmt: skip
    pd.concat(visits).to_csv(folder / "face_ages.tsv", sep="\t", index=False)
    return {table: f"{name}/{table}.tsv" for table in ("clinical", "face_ages")}


def draw_counts(folder: Path, n: int, genes: int) -> Path:
    """A cohort of ``n`` participants with bulk RNA; the counts are written in blocks of genes."""
    random, name = np.random.default_rng(n), COHORTS[0]
    cohort = draw_people(folder / name, name, n, random)
    with (folder / name / "counts.tsv").open("w") as file:
        file.write("gene\t" + "\t".join(f"{name}{k}" for k in range(n)) + "\n")
        for gene in range(genes):
            values = random.negative_binomial(5, 5 / (5 + random.lognormal(5, 1.5)), n)
            file.write(f"GENE{gene}\t" + "\t".join(map(str, values.tolist())) + "\n")
    panel = {"panel": [f"GENE{gene}" for gene in range(PANEL)]}
    return configured(folder, {name: cohort | {"counts": f"{name}/counts.tsv"}}, expression=panel)


def configured(folder: Path, cohorts: dict[str, dict[str, str]], **sections: dict) -> Path:
    content = {"cohorts": cohorts, "report": {"sections": "full"}} | sections
    (folder / "config.yaml").write_text(yaml.safe_dump(content))
    return folder


def pair(n: int) -> tuple[float, float]:
    """CPU seconds of matching n participants by age within sex, and of comparing n photos of which 1 in 100 is a copy of another."""
    random = np.random.default_rng(n)
    age = pd.Series(random.normal(62, 10, n))
    sex = pd.DataFrame({"sex": random.choice(["female", "male"], n)})
    start = time.process_time()
    match_nearest(pd.Series(random.random(n) < 0.5), age, sex, caliper=1.0)
    matched = time.process_time() - start
    hashes = random.integers(0, 256, (n, 32), dtype=np.uint8)
    hashes[: n // 100] = hashes[n // 100 : 2 * (n // 100)]
    hashes[: n // 100, 0] ^= 1
    photos = pd.DataFrame({
        "cohort": "one", "subject_id": [f"s{k}" for k in range(n)], "pixel_hash": [f"{k}" for k in range(n)],
        "perceptual_hash": [one.tobytes().hex() for one in hashes],
    })  # fmt: skip
    start = time.process_time()
    found = find_same_photos(photos)
    assert (found != "").sum() == 2 * (n // 100)
    return matched, time.process_time() - start


def plan(folder: Path, n: int) -> tuple[float, float, float]:
    """Seconds, CPU seconds and MB of a dry run of a study with so many photos, of which none is there."""
    (folder / "mine" / "photos").mkdir(parents=True, exist_ok=True)
    with (folder / "mine" / "manifest.tsv").open("w") as file:
        file.write("photo_id\tsubject_id\tpath\n")
        file.writelines(f"p{k}\ts{k // 2}\t{k}.jpg\n" for k in range(n))
    (folder / "model").mkdir(exist_ok=True)
    content = {
        "cohorts": {"mine": {"photos": "mine/photos", "manifest": "mine/manifest.tsv"}},
        "models": ["model"],
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(content))
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    snakemake(folder, "--dry-run", "--quiet", "all")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - start, cpu, after.ru_maxrss / 1024


def run(folder: Path, targets: Sequence[str], cores: str) -> pd.DataFrame:
    """What `measured` says once these targets, or all, are made."""
    snakemake(folder, "--keep-going", *targets, "--cores", cores)
    return measured(folder)


def measured(folder: Path) -> pd.DataFrame:
    """CPU seconds and MB of each step, of several cohorts the largest."""
    rows = []
    for path in (folder / "results" / "benchmarks").glob("*.tsv"):
        row = pd.read_csv(path, sep="\t").iloc[-1]
        name = path.stem
        for cohort in COHORTS:
            name = name.removesuffix(f"_{cohort}")
        rows.append({"step": name, "cpu": float(row["cpu_time"]), "mb": float(row["max_rss"])})
    return pd.DataFrame(rows).groupby("step").max()


def snakemake(folder: Path, *arguments: str) -> None:
    command = [
        sys.executable,
        "-m",
        "snakemake",
        "--snakefile",
        str(ROOT / "Snakefile"),
        "--configfile",
        "config.yaml",
        *arguments,
    ]
    if "--cores" not in arguments:
        command += ["--cores", "1"]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr[-3000:], file=sys.stderr)


def as_table(unit: str, found: dict[int, pd.DataFrame]) -> str:
    """A row for each step and, for each size, its CPU seconds and MB, those that need most memory first."""
    sizes = list(found)
    whole = pd.concat(found, axis=1)
    cpu, mb = whole.xs("cpu", axis=1, level=1), whole.xs("mb", axis=1, level=1)
    lines = [
        f"| step | {' | '.join(f'{n:,} {unit}: CPU s, MB' for n in sizes)} |",
        "|---|" + "---|" * len(sizes),
    ]
    for step in mb.max(axis=1).sort_values(ascending=False).index:
        cells = [
            f"{cpu.loc[step, n]:.0f}, {mb.loc[step, n]:,.0f}" if pd.notna(mb.loc[step, n]) else ""
            for n in sizes
        ]
        lines.append(f"| {step} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
