"""The study that `faceage-bio init` writes: a commented config and tables with a few example rows."""

from pathlib import Path

from faceage_bio.core.config import Config, commented_yaml
from faceage_bio.core.errors import RunError
from faceage_bio.core.settings.settings_cohort import Cohort
from faceage_bio.core.settings.settings_study import Report
from faceage_bio.core.settings.settings_survival import Readers
from faceage_bio.core.tables import write_text

MANIFEST = """photo_id\tsubject_id\tpath\tphoto_date
p1\tA001\tA001_first.jpg\t2021-03-04
p2\tA001\tA001_second.jpg\t2022-05-11
p3\tA002\tA002.jpg\t2021-06-30
"""
CLINIC = """subject_id\tbirth_date\tsex\tsmoking\tpack_years\tbmi\tecog\tsite\tgroup\tintent\tfollowup_date\tevent\tcause
A001\t1957-11-20\tfemale\tformer\t22\t27.1\t1\tlung\tcancer\tcurative\t2023-08-14\t1\tcancer
A002\t1949-02-03\tmale\tnever\t0\t24.8\t0\tbreast\tcancer\tpalliative\t2024-01-09\t0\t
"""
SAMPLES = """sample_id\tsubject_id\tbatch\tsample_date
S1\tA001\tplate1\t2021-03-10
S2\tA002\tplate1\t2021-07-02
"""
COUNTS = """gene\tS1\tS2
CDK6\t523\t611
CDKN2A\t88\t41
GAPDH\t9120\t8742
"""
READINGS = """reader_id\treader_type\tcase_id\tcondition\tpredicted_alive\tpredicted_age_decade
first\tstaff\tA001\tphoto\tyes\t6
first\tstaff\tA001\tchart\tno\t
first\tstaff\tA002\tphoto\tyes\t70-79
first\tstaff\tA002\tchart\tyes\t
second\tresident\tA001\tphoto\tno\t6
second\tresident\tA001\tchart\tno\t
second\tresident\tA002\tphoto\tno\t7
second\tresident\tA002\tchart\tyes\t
"""
EXPLAINED = """# The tables of this study

Replace the example rows by yours. Tables are UTF-8 text, tab, comma or semicolon between the columns; an empty cell means
"not known". Columns that you do not have may be left out; others may be added and named in config.yaml.

- photos/         your photos; nothing leaves this computer
- manifest.tsv    one row per photo: photo_id, subject_id, path (inside photos/), photo_date (YYYY-MM-DD)
- clinical.tsv      one row per participant: birth_date, or chronological_age in years at the photo; sex (female, male); smoking (never,
                  former, current); pack_years; bmi in kg/m2; ecog 0-4; site; group (cancer, reference); intent;
                  followup_date, or followup_years after the photo; event (1 = died, 0 = alive when last seen); cause of death
                  (cancer, cardiovascular, other), for competing risks; for the TEACHH score primary_cancer (breast, prostate, lung ...),
                  chemotherapy_courses, hospitalisations_3_months, liver_metastases
- counts.tsv      raw RNA counts (not TPM, not logarithms): one row per gene, one column per sample
- samples.tsv     one row per RNA sample: sample_id, subject_id, batch, sample_date
- readings.tsv    a reader study, one row per reader, person and condition: reader_id, reader_type (staff, resident, lay), case_id (a
                  subject_id of clinical.tsv), condition (photo, chart, face_age), predicted_alive (yes = alive at the horizon,
                  no = dead by then); a rating from 0 to 1 instead (then say in config.yaml what 1 means: rating_of);
                  predicted_age_decade (6 or 60-69) or predicted_age
- model/          made by: faceage-bio weights import faceage_model.h5 --output model

No RNA? Delete the lines counts and samples in config.yaml. No reader study? Write readings: null. Face ages from elsewhere? Replace photos and manifest by
face_ages: a table with subject_id and face_age.
"""


def write_example(folder: Path) -> list[Path]:
    """Write the study; returns the paths written.

    Raises
    ------
    RunError
        A file of that name exists already; nothing is overwritten.
    """
    cohort = Cohort(
        photos="photos", manifest="manifest.tsv", clinical="clinical.tsv", counts="counts.tsv", samples="samples.tsv",
    )  # fmt: skip
    config = Config(
        cohorts={"mine": cohort},
        models=["model"],
        readers=Readers(readings="readings.tsv"),
        report=Report(title="My study"),
    )
    files = {
        "config.yaml": commented_yaml(config), "manifest.tsv": MANIFEST, "clinical.tsv": CLINIC, "samples.tsv": SAMPLES,
        "counts.tsv": COUNTS, "readings.tsv": READINGS, "TABLES.md": EXPLAINED,
    }  # fmt: skip
    there = [name for name in files if (folder / name).exists()]
    if there:
        raise RunError(
            f"{folder}: {', '.join(there)} already there; nothing was written. Expected a folder without them. Choose another one, or move them."
        )
    (folder / "photos").mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, text in files.items():
        write_text(text, folder / name)
    return [folder / name for name in files]
