import hashlib
import json
import os
import shlex
import sys
from pathlib import Path

import faceage_bio
from faceage_bio.cli.workflow_study import (
    COHORT_TABLES,
    Study,
    any_of,
    each,
    each_given,
    inference_memory,
    memory_of,
    option,
    tables_of,
)
from faceage_bio.core.config import check_config, read_yaml
from faceage_bio.core.errors import ConfigError
from faceage_bio.core.tables import write_json

FOLDER = Path(workflow.configfiles[0]).parent if workflow.configfiles else Path()  # where its paths start
try:
    for file in workflow.configfiles:
        read_yaml(file)  # snakemake itself silently takes the last of two keys of one name
    settings = check_config(config, folder=FOLDER)
    placed = check_config(config, folder=FOLDER, start=None).model_dump(mode="json")
except ConfigError as error:
    raise WorkflowError(str(error))
validate(config, "../schemas/config.schema.json", set_default=False)
config.update(settings.model_dump(mode="json"))  # for captions
study = Study(settings)


pathvars:
    results=settings.results_dir,
    logs=f"{settings.results_dir}/logs",


# the interpreter of snakemake also runs the steps; what a step writes, its log included, is for its owner, or for the group too
ACCESS = settings.results.access
UMASK = 0o027 if ACCESS == "group" else 0o077
os.umask(UMASK)  # of folders and benchmarks, which snakemake makes
shell.prefix(
    f"umask {UMASK:03o}; export FACEAGE_BIO_ACCESS={ACCESS};"
    f" export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; "
)
if ACCESS == "group":
    Path(settings.results_dir).mkdir(parents=True, exist_ok=True)
    Path(settings.results_dir).chmod(0o2750)  # what is made in it has its group

# snakemake keeps what failed steps printed, on this machine and on a cluster
Path(".snakemake").mkdir(exist_ok=True)
Path(".snakemake").chmod(0o700)

# the config with all defaults, which the steps read; named by its content, so that another edit is no one else's. Rules have it as a
# resource, whose change alone makes none of them run again
CONFIG = f".snakemake/config_{hashlib.sha256(json.dumps(placed).encode()).hexdigest()[:12]}.json"
if not Path(CONFIG).exists():
    write_json(placed, CONFIG)

VERSION = faceage_bio.__version__  # in the params of every rule: a new version runs it again
COHORTS = list(settings.cohorts)
WITH_PHOTOS = study.having("photos")
WITH_CLINICAL = study.having("clinical")
WITH_COUNTS = study.having("counts")
WITH_CELLS = study.having("single_cell")
WITH_RNA = [*WITH_COUNTS, *WITH_CELLS]
WITH_VARIANTS = study.having("variants")
WITH_GENE_SURVIVAL = study.having("clinical", among=WITH_RNA)
REVIEW = settings.review.decisions if WITH_PHOTOS else None  # what reviewers decided on photos
STRESSED = WITH_PHOTOS if settings.fairness.stress_photos else []  # cohorts whose photos are aged again
GPUS = 1 if settings.faceage.device == "cuda" else 0


wildcard_constraints:
    cohort=any_of(COHORTS),
