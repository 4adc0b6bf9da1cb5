"""`faceage-bio check` on a study as large as TCGA-LUSC, against pandas that reads the same files: seconds, CPU seconds, peak memory.

    python -m benchmarks.intake                    # 551 files of 60,483 genes (2.5 GB) in a temporary folder
    python -m benchmarks.intake --folder gdc       # keep the files there, and take those of an earlier call
    python -m benchmarks.intake --files 20         # a quick look
    python -m benchmarks.intake --without-peer

The files are simulated in the format of the Genomic Data Commons. Both sides use one process.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

ONE_CORE = {name: "1" for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}
COLUMNS = [
    "gene_id",
    "gene_name",
    "gene_type",
    "unstranded",
    "stranded_first",
    "stranded_second",
    "tpm_unstranded",
    "fpkm_unstranded",
    "fpkm_uq_unstranded",
]
SUMMARIES = ("N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous")
CONFIG = """results_dir: results
cohorts:
  lusc:
    face_ages: face_ages.tsv
    clinical: clinical.tsv
    counts: gdc
    samples: gdc/gdc_sample_sheet.2026-01-01.tsv
    columns: {subject_id: Case ID, sample_id: Sample ID, tissue: Sample Type}
expression: {tissue: Primary Tumor, covariates: [chronological_age, sex]}
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=551)
    parser.add_argument("--genes", type=int, default=60_483)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--without-peer", action="store_true")
    parser.add_argument("--peer", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.peer:
        peer(asked.peer)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = (asked.folder or Path(temporary)).resolve()
        if not (folder / "config.yaml").exists():
            draw(folder, asked.files, asked.genes)
        check = [sys.executable, "-m", "faceage_bio", "check", "--configfile", "config.yaml"]
        for round_ in range(asked.rounds):
            if not asked.without_peer:
                peer_command = [sys.executable, "-m", "benchmarks.intake", "--peer", folder / "gdc"]
                show(round_, "pandas", measure(peer_command, folder))
            subprocess.run(["rm", "-rf", folder / "results"], check=True)
            show(round_, "check", measure(check, folder))
            show(round_, "check again", measure(check, folder))


def peer(folder: Path) -> None:
    """As a tutorial would read them: a column of each file, joined, and the sums of the samples."""
    files = sorted(folder.glob("*/*.tsv"))
    counts = pd.concat(
        {file.name: pd.read_csv(file, sep="\t", comment="#", index_col=0)["unstranded"] for file in files},
        axis=1,
    )
    print(counts.iloc[len(SUMMARIES) :].sum().median())


def measure(command: list, folder: Path) -> dict[str, float]:
    """Seconds to the first line and in all, CPU seconds and peak memory in MB of a process."""
    start = time.monotonic()
    environment = os.environ | ONE_CORE | {"PYTHONPATH": os.getcwd(), "PYTHONUNBUFFERED": "1"}
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            list(map(str, command)), cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=output
        )
        first = process.stdout.readline()
        seconds = {"first line": time.monotonic() - start, "CPU till then": _cpu_of(process.pid)}
        output.write(first + process.stdout.read())
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds |= {"all": time.monotonic() - start, "CPU": usage.ru_utime + usage.ru_stime}
    return seconds | {"peak MB": usage.ru_maxrss / 1e3, "status": process.returncode}


def _cpu_of(process: int) -> float:
    """CPU seconds that a running process has taken: machines are shared, and the clock goes on for all."""
    user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def show(round_: int, name: str, measured: dict[str, float]) -> None:
    told = ", ".join(f"{what} {value:,.1f}" for what, value in measured.items())
    print(f"round {round_ + 1}, {name:12} {told}", flush=True)


def draw(folder: Path, n_files: int, n_genes: int) -> None:
    """Negative-binomial counts of human genes with Ensembl names, a sample sheet, and tables of the patients."""
    random = np.random.default_rng(551)
    n_patients = max(n_files - n_files // 11, 1)  # one in eleven samples is of normal tissue
    cases = [f"TCGA-{18 + k // 100}-{1000 + k}" for k in range(n_patients)]
    samples = [(case, f"{case}-01A", "Primary Tumor") for case in cases]
    samples += [(case, f"{case}-11A", "Solid Tissue Normal") for case in cases[: n_files - n_patients]]
    genes = _genes(n_genes)
    level = random.normal(2.0, 3.5, n_genes)
    size = 1 / (0.1 + 2 / np.exp(np.clip(level, 0, None)))
    sheet = []
    for number, (case, sample, kind) in enumerate(samples):
        mean = np.exp(level + random.normal(0, 0.5) + random.normal(0, 0.3, n_genes))
        counts = random.negative_binomial(size, size / (size + mean))
        name = f"{number:08x}-0000-4000-8000-000000000000"
        file = f"{name}.rna_seq.augmented_star_gene_counts.tsv"
        (folder / "gdc" / name).mkdir(parents=True, exist_ok=True)
        _write(folder / "gdc" / name / file, genes, counts)
        sheet.append((name, file, "Transcriptome Profiling", "Gene Expression Quantification", "TCGA-LUSC", case, sample, kind))  # fmt: skip
    names = ["File ID", "File Name", "Data Category", "Data Type", "Project ID", "Case ID", "Sample ID", "Sample Type"]  # fmt: skip
    table = pd.DataFrame(sheet, columns=names)
    table.to_csv(folder / "gdc" / "gdc_sample_sheet.2026-01-01.tsv", sep="\t", index=False)
    age = random.normal(67, 8, n_patients).clip(40, 90).round(1)
    people = pd.DataFrame({"Case ID": cases, "chronological_age": age, "sex": random.choice(["male", "female"], n_patients)})  # fmt: skip
    people["followup_years"] = random.exponential(4, n_patients).clip(0.01, 15).round(2)
    people["event"] = random.integers(0, 2, n_patients)
    people.to_csv(folder / "clinical.tsv", sep="\t", index=False)
    faces = pd.DataFrame({"Case ID": cases, "face_age": (age + random.normal(0, 6, n_patients)).round(1)})
    faces.to_csv(folder / "face_ages.tsv", sep="\t", index=False)
    (folder / "config.yaml").write_text(CONFIG, encoding="utf-8")


def _genes(n: int) -> pd.DataFrame:
    """Names of n genes as GENCODE writes them: known ones, and some that have no symbol of their own."""
    from faceage_bio.intake.rna.gene_ids import human_genes

    known = human_genes()
    known = known[known.ensembl_ids.str.fullmatch(r"ENSG\d{11}")].drop_duplicates("ensembl_ids").head(n)
    ids, symbols = known.ensembl_ids.tolist(), known.symbol.tolist()
    more = [f"ENSG{990_000_000 + k:011d}" for k in range(n - len(ids))]
    return pd.DataFrame({"gene_id": [f"{name}.{1 + k % 20}" for k, name in enumerate([*ids, *more])], "gene_name": [*symbols, *(f"AC{k:06d}.1" for k in range(len(more)))], "gene_type": "lncRNA"})  # fmt: skip


def _write(path: Path, genes: pd.DataFrame, counts: np.ndarray) -> None:
    forward, rate = counts // 2, counts / max(counts.sum(), 1)
    lines = [f"{name}\t\t\t{1_000_000 + k}\t{1_000_000 + k}\t{1_000_000 + k}\t\t\t" for k, name in enumerate(SUMMARIES)]  # fmt: skip
    lines += [
        f"{gene}\t{name}\t{kind}\t{count}\t{half}\t{count - half}\t{1e6 * share:.4f}\t{4e5 * share:.4f}\t{5e5 * share:.4f}"
        for (gene, name, kind), count, half, share in zip(
            genes.itertuples(index=False), counts.tolist(), forward.tolist(), rate.tolist(), strict=True
        )
    ]
    path.write_text("# gene-model: GENCODE v36\n" + "\t".join(COLUMNS) + "\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
