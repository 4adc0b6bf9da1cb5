"""A study as the Genomic Data Commons gives it runs from its download folders to both reports, with a short config and no table edited."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from faceage_bio.core.tables import read_table
from faceage_bio.intake.rna.gene_ids import human_genes
from tests.commands import output_of
from tests.conftest import FEW_DRAWS, ROOT
from tests.started_steps import forked

CONFIG = """\
cohorts:
  LUSC:
    face_ages: faces/face_ages.csv
    clinical: clinical.project-tcga-lusc/clinical.tsv
    counts: gdc_download
    samples: gdc_download/gdc_sample_sheet.2026-01-15.tsv
    tables:
      face_ages: {columns: {subject_id: Patient, face_age: FaceAge}}
      samples: {columns: {sample_id: Sample ID, subject_id: Case ID, tissue: Sample Type}}
      clinical:
        columns:
          subject_id: case_submitter_id
          chronological_age: age_at_index
          sex: gender
          event: vital_status
          followup_years: [days_to_death, days_to_last_follow_up]
          smoking: tobacco_smoking_status
          site: tissue_or_organ_of_origin
        units: {followup: days}
expression: {tissue: Primary Tumor, covariates: [sex, smoking]}
report: {title: TCGA-LUSC}
"""
N = 40
SMOKING = ["Lifelong Non-smoker", "Current Smoker", "Current Reformed Smoker for > 15 yrs", "Not Reported"]
STAR = "rna_seq.augmented_star_gene_counts.tsv"


def write_download(folder: Path) -> None:
    """Cases with two rows each (treatments), tumour and normal tissue of some, files by UUID, words for missing, follow-up in days."""
    random = np.random.default_rng(6)
    cases = [f"TCGA-{k // 9 + 18}-{3400 + 7 * k}" for k in range(N)]
    age, dead = random.integers(45, 80, N), random.random(N) < 0.5
    days = random.integers(60, 3000, N)
    clinical = pd.DataFrame({
        "case_id": [str(uuid.UUID(int=k)) for k in range(N)], "case_submitter_id": cases, "project_id": "TCGA-LUSC", "age_at_index": age,
        "gender": random.choice(["MALE", "FEMALE"], N), "race": random.choice(["white", "not reported", "[Not Available]"], N),
        "vital_status": np.where(dead, "Dead", "Alive"), "days_to_death": np.where(dead, days, "'--"),
        "days_to_last_follow_up": np.where(dead, "'--", days), "tobacco_smoking_status": random.choice(SMOKING, N),
        "pack_years_smoked": np.where(random.random(N) < 0.3, "'--", random.integers(1, 90, N)),
        "tissue_or_organ_of_origin": random.choice(["Upper lobe, lung", "Lower lobe, lung"], N),
    }).astype(str)  # fmt: skip
    clinical.loc[0, ["age_at_index", "gender"]] = "'--"
    treatments = ("Radiation Therapy, NOS", "Pharmaceutical Therapy, NOS")
    treated = pd.concat([clinical.assign(treatment_type=kind) for kind in treatments])
    path = folder / "clinical.project-tcga-lusc" / "clinical.tsv"
    path.parent.mkdir()
    treated.sort_values("case_id").to_csv(path, sep="\t", index=False)
    faces = pd.DataFrame({"Patient": cases, "FaceAge": (age + random.normal(0, 6, N)).round(1)})
    (folder / "faces").mkdir()
    faces.to_csv(folder / "faces" / "face_ages.csv", index=False)

    known = human_genes()
    known = known[known.ensembl_ids.str.fullmatch("ENSG[0-9]{11}")]
    panel = known[known.symbol.isin(["CDK6", "CDKN1A", "CDKN2A", "LMNB1", "XIST", "RPS4Y1", "DDX3Y"])]
    genes = pd.concat([panel, known[~known.symbol.isin(panel.symbol)].sample(250, random_state=1)])
    level = random.lognormal(5, 1.5, len(genes))
    sheet = ["File ID\tFile Name\tData Category\tData Type\tProject ID\tCase ID\tSample ID\tSample Type"]
    tissues = [(case, "Primary Tumor", "01A") for case in cases]
    tissues += [(case, "Solid Tissue Normal", "11A") for case in cases[::4]]
    for k, (case, tissue, code) in enumerate(tissues):
        name = f"{uuid.UUID(int=1000 + k)}.{STAR}"
        file = folder / "gdc_download" / str(uuid.UUID(int=2000 + k)) / name
        (file.parent / "logs").mkdir(parents=True)
        (file.parent / "logs" / f"{name}.parcel").write_text("")
        counts = random.poisson(level * random.lognormal(0, 0.4, len(genes)))
        lines = [
            "# gene-model: GENCODE v36",
            "gene_id\tgene_name\tgene_type\tunstranded\tstranded_first\tstranded_second\ttpm_unstranded\tfpkm_unstranded\tfpkm_uq_unstranded",
        ]
        lines += [
            f"{name}\t\t\t900\t900\t900\t\t\t"
            for name in ("N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous")
        ]
        lines += [
            f"{row.ensembl_ids}.{k % 3 + 5}\t{row.symbol}\tprotein_coding\t{n}\t{n // 2}\t{n - n // 2}\t1.5\t1.2\t1.3"
            for k, (row, n) in enumerate(zip(genes.itertuples(), counts, strict=True))
        ]
        file.write_text("\n".join(lines) + "\n")
        described = ["Transcriptome Profiling", "Gene Expression Quantification", "TCGA-LUSC"]
        sheet.append("\t".join([file.parent.name, name, *described, case, f"{case}-{code}", tissue]))
    (folder / "gdc_download" / "MANIFEST.txt").write_text("id\tfilename\tmd5\tsize\tstate\n")
    (folder / "gdc_download" / "gdc_sample_sheet.2026-01-15.tsv").write_text("\n".join(sheet) + "\n")
    (folder / "config.yaml").write_text(CONFIG)


def test_the_download_is_understood(tmp_path, monkeypatch):
    write_download(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert len(CONFIG.splitlines()) < 25
    said = " ".join(output_of("check --configfile config.yaml").split())
    for told in (
        "40 of 80 rows repeat a participant with the same values; one of each is kept; not used, because they differ between them: treatment_type",
        "clinical.tsv: not used: case_id, project_id, pack_years_smoked (if it is pack_years, declare columns: {pack_years: pack_years_smoked}), treatment_type",
        "50 files of the Genomic Data Commons, column unstranded, named by the sample sheet", "257 of 257 gene names (100%) are symbols of human genes",
        "LUSC: cannot be answered: associations with pack_years, bmi, ecog, because they are known for 0 of 40 participants", "column 'race': all 12 participants have 'white'", "Everything else fits; 1 caution above",
    ):  # fmt: skip
        assert told in said


@pytest.mark.workflow
def test_the_download_runs_to_both_reports(tmp_path):
    write_download(tmp_path)
    with (tmp_path / "config.yaml").open("a") as config:  # the one of the test above, with few draws
        yaml.safe_dump({"survival": FEW_DRAWS["survival"]}, config)
    done = subprocess.run(
        [sys.executable, "-m", "faceage_bio", "run", "--configfile", "config.yaml"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)} | forked(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    results = tmp_path / "results"
    for page in ("index", "association", "survival"):
        assert "TCGA-LUSC" in (results / "reports" / f"{page}.html").read_text()
    people = read_table(results / "LUSC/acceleration/acceleration.parquet").set_index("subject_id")
    typed = pd.read_csv(tmp_path / "clinical.project-tcga-lusc/clinical.tsv", sep="\t", dtype=str).drop_duplicates("case_id").set_index("case_submitter_id")  # fmt: skip
    assert people.chronological_age.isna().sum() == 1
    dead = typed.vital_status == "Dead"
    assert people.event.sum() == dead.sum()
    days = typed.days_to_death.where(dead, typed.days_to_last_follow_up).astype(float)
    np.testing.assert_allclose(people.followup_years, days[people.index] / 365.25)
    meaning = dict(zip(SMOKING, ["never", "current", "former", None], strict=True))
    assert people.smoking.tolist() == [meaning[word] for word in typed.tobacco_smoking_status[people.index]]
    hazard = read_table(results / "LUSC/survival/cox.tsv").query("exposure == 'face_age' and term == 'face_age' and adjustment == 'age'").iloc[0]  # fmt: skip
    assert (hazard.n, hazard.n_events) == (39, dead.drop(typed.index[0]).sum())
    cdk6 = read_table(results / "LUSC/expression/genes.tsv").query(
        "term == 'CDK6' and exposure == 'age_acceleration'"
    )
    assert len(cdk6)
    assert (cdk6.n <= 39).all()  # one tumour sample of each, none of normal tissue
