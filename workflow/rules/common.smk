import hashlib
import json
import shlex
import sys
from pathlib import Path

import faceage_bio
from faceage_bio.cli.main import STEPS
from faceage_bio.config import check_config, read_yaml
from faceage_bio.demo.plans import PLANS
from faceage_bio.errors import ConfigError
from faceage_bio.faceage.shards import count_photos, shard_names
from faceage_bio.pooling.sources import SOURCES
from faceage_bio.report.sections import runs
from faceage_bio.tables import write_json

STUDY = Path(workflow.configfiles[0]).parent  # paths in the config start there
try:
    for file in workflow.configfiles:
        read_yaml(file)  # snakemake itself silently takes the last of two keys of one name
    settings = check_config(config, folder=STUDY)
    placed = check_config(config, folder=STUDY, start=None)
except ConfigError as error:
    raise WorkflowError(str(error))
validate(config, "../schemas/config.schema.json", set_default=False)
config.update(settings.model_dump(mode="json"))


pathvars:
    results=config["results_dir"],
    logs=f"{config['results_dir']}/logs",


# the environment that runs snakemake also runs the steps, whether or not it is activated; what a step writes, its log
# included, is for its owner, or for the group too
ACCESS = config["results"]["access"]
shell.prefix(
    f"umask {'027' if ACCESS == 'group' else '077'}; export FACEAGE_BIO_ACCESS={ACCESS};"
    f" export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; "
)
if ACCESS == "group":
    results_folder = Path(config["results_dir"])
    results_folder.mkdir(parents=True, exist_ok=True)
    results_folder.chmod(0o2750)  # what is made in it has its group

# snakemake keeps what failed steps printed, on this machine and on a cluster
own_folder = Path(".snakemake")
own_folder.mkdir(exist_ok=True)
own_folder.chmod(0o700)

# the config with all defaults, which the steps read; named by its content, so that another edit is no one else's
CONFIG = own_folder / f"config_{hashlib.sha256(json.dumps(config).encode()).hexdigest()[:12]}.json"
if not CONFIG.exists():
    write_json(placed.model_dump(mode="json"), CONFIG)


def uses(rule):
    """The settings that a step declares: only where one of them changes does it run again."""
    return STEPS[rule.replace("_", "-")].settings(settings)


VERSION = faceage_bio.__version__  # in the params of every rule: a new version runs it again

COHORTS = list(config["cohorts"])
WITH_PHOTOS = [name for name in COHORTS if config["cohorts"][name]["photos"]]
WITH_FACE_AGES = [name for name in COHORTS if config["cohorts"][name]["face_ages"]]
WITH_CLINICAL = [name for name in COHORTS if config["cohorts"][name]["clinical"]]
WITH_COUNTS = [name for name in COHORTS if config["cohorts"][name]["counts"]]
WITH_CELLS = [name for name in COHORTS if config["cohorts"][name]["single_cell"]]
WITH_RNA = [*WITH_COUNTS, *WITH_CELLS]
WITH_VARIANTS = [name for name in COHORTS if config["cohorts"][name]["variants"]]
WITH_GENE_SURVIVAL = [name for name in WITH_RNA if name in WITH_CLINICAL]
MODELS = [f"{config['results_dir']}/model/demo" if name == "demo" else name for name in config["models"]]
WITH_OPINIONS = WITH_PHOTOS if len(MODELS) > 1 else []  # cohorts aged by several models
ASSESSED = [*COHORTS, *(["pooled"] if len(COHORTS) > 1 else [])]  # cohorts, and all together
POOLED_COHORTS = [name for name in COHORTS if name not in config["pooling"]["reference_cohorts"]]
WITH_POOLED_CLINICAL = [name for name in POOLED_COHORTS if name in WITH_CLINICAL]
WITH_POOLED_GENES = [name for name in POOLED_COHORTS if name in WITH_COUNTS]
REVIEW = config["review"]["decisions"] if WITH_PHOTOS else None  # what people decided on photos
STRESSED = WITH_PHOTOS if config["fairness"]["stress_photos"] else []  # cohorts whose photos are aged again
MODEL_CARDS = [f"{folder}/card.json" for folder in MODELS] if WITH_PHOTOS else []
FROZEN_PLAN = [path for path in [config["study"]["frozen"]] if Path(path).exists()]
PHOTO_STORE = config["faceage"]["store"] or f"{config['results_dir']}/faceage_store"
GPUS = 1 if config["faceage"]["device"] == "cuda" else 0
DEMO_PHOTOS = {plan.name: plan.n for plan in PLANS}  # the demo's manifests are not there when this is read


def tables_of(rule):
    """The result tables that a step writes."""
    return [
        file.removesuffix(".tsv") for file in STEPS[rule.replace("_", "-")].writes if file.endswith(".tsv")
    ]


def shown(analysis, *tables):
    """Those of a folder's tables that `report.sections` asks for."""
    return [name for name in tables if runs(f"{analysis}/{name}", config["report"]["sections"])]


def is_pooled(path):
    """Whether a result table (<results>/{cohort}/{analysis}/{table}.tsv) has headline estimates of a cohort that is pooled."""
    cohort, _, table = path.removeprefix("<results>/").removesuffix(".tsv").partition("/")
    return table in SOURCES and cohort in [*POOLED_COHORTS, "pooled"]


def shards_of(name):
    """The names of a cohort's shards, from the number of rows in its manifest."""
    drawn = DEMO_PHOTOS.get(name, 0) if config["demo"] else 0
    n_photos = drawn or count_photos(config["cohorts"][name]["manifest"])
    return shard_names(n_photos, config["faceage"]["shard_size"])


ALL_SHARDS = [
    f"<results>/{name}/faceage/shards/{shard}.parquet" for name in WITH_PHOTOS for shard in shards_of(name)
]


def memory(base, per_mb):
    """MB that a step needs: `base` and `per_mb` for each MB of its inputs; more at each attempt."""
    return lambda wildcards, input, attempt: int((base + per_mb * input.size_mb) * attempt)


def inference_memory(wildcards, threads):
    """Each worker process holds the networks and a few photos."""
    return 2000 + 1200 * threads


def results_dir(wildcards):
    return config["results_dir"]


def demo_dir(wildcards):
    return f"{config['results_dir']}/demo"


def any_of(names):
    """A wildcard constraint that matches these names, or nothing."""
    return "|".join(names) if names else "(?!)"


def option(flag, values):
    """--flag a --flag b, as a list whose parts the shell line quotes."""
    return [part for value in values for part in (flag, str(value))]


def cohort_file(key):
    """An input function: the file that the config names for a cohort."""

    def named(wildcards):
        return config["cohorts"][wildcards.cohort][key] or []

    return named


def cohort_files():
    """All files that the config names, so that a change of any of them is seen."""
    keys = ("photos", "manifest", "face_ages", "clinical", "counts", "samples", "gene_ids", "single_cell")
    keys += ("variants", "variant_genes", "variant_samples", "ancestry")
    return [cohort[key] for cohort in config["cohorts"].values() for key in keys if cohort[key]]


def each(flag, key):
    """A params function: the option once for each of the named input files."""
    return lambda wildcards, input: option(flag, input[key])


def stage_ledgers(wildcards):
    """The ledgers of the stages that a cohort goes through, in their order."""
    name = wildcards.cohort
    stages = ["cohort", "faceage", "acceleration"]
    stages += ["expression"] if name in WITH_RNA else []
    stages += ["survival"] if name in WITH_CLINICAL else []
    return [f"<results>/{name}/{stage}/ledger.tsv" for stage in stages]


def expression_inputs(wildcards):
    """Bulk counts and their samples, or the pseudobulk made of single cells."""
    name = wildcards.cohort
    samples = f"<results>/{name}/cohort/samples.parquet"
    if name in WITH_CELLS:
        return {"pseudobulk": f"<results>/{name}/expression/pseudobulk.parquet", "samples": samples}
    return {"counts": f"<results>/{name}/cohort/counts.parquet", "samples": samples}


def expression_options(wildcards, input):
    given = ("counts", "pseudobulk", "samples")
    return [part for key in given if key in input.keys() for part in (f"--{key}", input[key])]


def variant_options(wildcards, input):
    """Genes of the variants, and ancestry components, if the cohort has them."""
    components = [input.samples] if config["cohorts"][wildcards.cohort]["ancestry"] else []
    return [
        *option("--variant-genes", [input.genes] if input.genes else []),
        *option("--ancestry", components),
    ]


wildcard_constraints:
    cohort=any_of(COHORTS),
