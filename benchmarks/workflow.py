"""CPU seconds of the demo by step, of the workflow's own benchmark files; and what snakemake and the start of each job add.

    python -m benchmarks.workflow                        # the demo with report.sections: core, in a new folder
    python -m benchmarks.workflow --sections full
    python -m benchmarks.workflow --results results      # of a run that is there: without snakemake's own share

The limits are 4 CPU minutes for core and 8 for full, everything included. No peer runs the same steps; see the other benchmarks for
peers of single steps.
"""

import argparse
import resource
import sys
import tempfile
from pathlib import Path

import pandas as pd

from tests.conftest import snakemake

LIMIT = {"core": 4.0, "full": 8.0}  # CPU minutes


def by_step(folder: Path, cohorts: list[str]) -> pd.DataFrame:
    """Jobs, CPU and wall seconds and the largest memory of each rule, from ``results/benchmarks``."""
    rows = []
    for path in sorted(folder.glob("*.tsv")):
        name = path.stem
        for cohort in cohorts:
            name = name.partition(f"_{cohort}")[0]
        rows.append({"step": name, **pd.read_csv(path, sep="\t").iloc[0]})
    if not rows:
        sys.exit(
            f"{folder}: no tables of a run. Expected those that snakemake writes there. Give --results of a finished run."
        )
    table = pd.DataFrame(rows)
    spent = table.groupby("step").agg(
        jobs=("s", "size"), cpu=("cpu_time", "sum"), wall=("s", "sum"), rss=("max_rss", "max")
    )
    return spent.sort_values("cpu", ascending=False)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sections", choices=LIMIT, default="core")
    parser.add_argument("--results", type=Path)
    parser.add_argument("--cohorts", default="north,south,healthy")
    given = parser.parse_args()
    whole = None
    with tempfile.TemporaryDirectory() as place:
        results = given.results
        if results is None:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            run = snakemake(Path(place), sections=given.sections)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if run.status:
                sys.exit(run.output[-4000:])
            whole = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            results = Path(place) / "results"
        table = by_step(results / "benchmarks", given.cohorts.split(","))
    print(f"{'step':32}{'jobs':>5}{'CPU s':>8}{'wall s':>8}{'MB':>7}")
    for step, row in table.iterrows():
        print(f"{step:32}{row.jobs:5.0f}{row.cpu:8.1f}{row.wall:8.1f}{row.rss:7.0f}")
    print(
        f"{'all steps':32}{table.jobs.sum():5.0f}{table.cpu.sum():8.1f}{table.wall.sum():8.1f}{table.rss.max():7.0f}"
    )
    if whole is not None:
        print(
            f"with snakemake and the start of each job: {whole / 60:.1f} CPU minutes, {whole / 60 / LIMIT[given.sections]:.0%} of the limit"
        )


if __name__ == "__main__":
    main()
