"""What the rules of the workflow ask of a study: which cohorts have what, their files, shards and ledgers, and the memory of steps.

The workflow reads this module each time it starts, so it imports nothing heavy.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from faceage_bio.analyses.pooling.sources import SOURCES
from faceage_bio.cli.main import STEPS
from faceage_bio.core.config import Config
from faceage_bio.faces.faceage.shards import count_photos, shard_names
from faceage_bio.report.places import runs

FILES = (
    "manifest", "face_ages", "clinical", "counts", "samples", "gene_ids", "single_cell", "variants", "variant_genes",
    "variant_samples", "ancestry",
)  # fmt: skip
# of check-cohort
COHORT_TABLES = ("photos", "subjects", "samples", "counts", "variant_participants", "face_ages")
# MB of a step: as it stands, and for each MB of its inputs. Measured in the demo: 130 to 390 as they stand, 1,320 to fit its model; with 4,170
# participants a cohort Cox models took 300 more for each MB; what `python -m benchmarks.growth` prints is in benchmarks/results.md.
MEMORY = {
    "aggregate_cells": (1000, 3), "assess_fairness": (700, 100), "check_cohort": (1000, 10), "check_expression": (1000, 40),
    "compare_composition": (1000, 20), "fit_demo_model": (2500, 0), "fit_expression": (1000, 60), "fit_expression_sensitivity": (1000, 60),
    "fit_gene_survival": (1000, 8), "fit_survival": (700, 350), "fit_survival_sensitivity": (700, 350), "fit_variants": (1500, 10),
    "make_demo_cohorts": (1000, 0), "render_report": (1500, 50), "score_gene_sets": (1000, 60), "verify_results": (2000, 100),
}  # fmt: skip
USUAL_MEMORY = (700, 50)


@dataclass(frozen=True)
class Study:
    """A study as its rules see it; ``settings`` are its config with all defaults."""

    settings: Config

    def having(self, *keys: str, among: Iterable[str] | None = None) -> list[str]:
        """Cohorts with one of these files."""
        cohorts = self.settings.cohorts
        asked = cohorts if among is None else among
        return [name for name in asked if any(getattr(cohorts[name], key) for key in keys)]

    def results(self, wildcards: Any) -> str:
        """A params function: the results folder."""
        return self.settings.results_dir

    def demo(self, wildcards: Any) -> str:
        """A params function: where the demo's participants are simulated."""
        return f"{self.settings.results_dir}/demo"

    @cached_property
    def pooled(self) -> list[str]:
        """Cohorts whose estimates are pooled."""
        return [name for name in self.settings.cohorts if name not in self.settings.pooling.reference_cohorts]

    @property
    def models(self) -> list[str]:
        return [str(folder) for folder in self.settings.model_folders(self.settings.results_dir)]

    @property
    def photo_store(self) -> str:
        return self.settings.faceage.store or f"{self.settings.results_dir}/faceage_store"

    def file(self, key: str) -> Callable[[Any], str | list]:
        """An input function: the file that the config names for a cohort."""
        return lambda wildcards: getattr(self.settings.cohorts[wildcards.cohort], key) or []

    def files(self, wildcards: Any) -> list[str]:
        """An input function: the tables and counts that the config names for a cohort."""
        cohort = self.settings.cohorts[wildcards.cohort]
        return [path for key in FILES if (path := getattr(cohort, key))]

    @property
    def every_file(self) -> list[str]:
        """All that the config names for all cohorts, folders of photos included."""
        cohorts = self.settings.cohorts.values()
        return [path for cohort in cohorts for key in ("photos", *FILES) if (path := getattr(cohort, key))]

    def uses(self, rule: str) -> Callable[[Any], dict]:
        """A params function: the settings that a step declares, of the cohorts its own; where one changes, it runs again."""
        values = STEPS[rule.replace("_", "-")].settings(self.settings)

        def own(wildcards: Any) -> dict:
            if "cohorts" not in values or not hasattr(wildcards, "cohort"):
                return values
            return values | {"cohorts": values["cohorts"][wildcards.cohort]}

        return own

    def shards(self, *cohorts: str) -> list[str]:
        """The tables that inference writes for these cohorts, from the number of rows in their manifests."""
        simulated = {}
        if self.settings.demo:
            from faceage_bio.demo.plans import PLANS

            simulated = {plan.name: plan.n for plan in PLANS}
        found = []
        for name in cohorts:
            n = simulated.get(name) or count_photos(self.settings.cohorts[name].manifest)
            shards = shard_names(n, self.settings.faceage.shard_size)
            found += [f"<results>/{name}/faceage/shards/{shard}.parquet" for shard in shards]
        return found

    def shards_to_gather(self, wildcards: Any) -> list[str]:
        """Of a cohort; of all, where photos that stand in two cohorts are excluded."""
        every = self.settings.faceage.duplicates == "exclude"
        return self.shards(*(self.having("photos") if every else [wildcards.cohort]))

    def manifests_to_gather(self, wildcards: Any) -> list[str]:
        """Of the same cohorts; of all, where a review may name photos of any."""
        every = self.settings.faceage.duplicates == "exclude" or self.settings.review.decisions
        names = self.having("photos") if every else [wildcards.cohort]
        return [f"<results>/{name}/cohort/manifest.parquet" for name in names]

    def shared_photos(self, wildcards: Any) -> list[str]:
        """Of a cohort, or of all: photos that stand in another cohort too."""
        names = self.having("photos", among=[wildcards.cohort] if hasattr(wildcards, "cohort") else None)
        return [f"<results>/{name}/faceage/shared_photos.parquet" for name in names]

    def fitted(self, table: str) -> Callable[[Any], list[str]]:
        """An input function: this table of a cohort; of all, where age acceleration is fitted in the controls of all."""
        every = self.settings.acceleration.fit_in == "reference"

        def tables(wildcards: Any) -> list[str]:
            names = self.settings.cohorts if every else [wildcards.cohort]
            return [f"<results>/{name}/{table}" for name in names]

        return tables

    def ledgers(self, wildcards: Any) -> list[str]:
        """The ledgers of the stages that a cohort goes through, in their order."""
        cohort = self.settings.cohorts[wildcards.cohort]
        stages = {"cohort": True, "faceage": True, "acceleration": True}
        stages |= {"expression": cohort.counts or cohort.single_cell, "survival": cohort.clinical}
        ran = [stage for stage, there in stages.items() if there]
        return [f"<results>/{wildcards.cohort}/{stage}/ledger.tsv" for stage in ran]

    def rna(self, wildcards: Any) -> dict[str, str]:
        """Bulk counts and their samples, or the pseudobulk made of single cells."""
        folder, cells = f"<results>/{wildcards.cohort}", self.settings.cohorts[wildcards.cohort].single_cell
        counts = {"counts": f"{folder}/cohort/counts.parquet"}
        if cells:
            counts = {"pseudobulk": f"{folder}/expression/pseudobulk.parquet"}
        return counts | {"samples": f"{folder}/cohort/samples.parquet"}

    def variant_options(self, wildcards: Any, input: Any) -> list[str]:
        """Genes of the variants, and ancestry components, if the cohort has them."""
        components = [input.samples] if self.settings.cohorts[wildcards.cohort].ancestry else []
        genes = option("--variant-genes", [input.genes] if input.genes else [])
        return [*genes, *option("--ancestry", components)]

    def shown(self, analysis: str, *tables: str) -> list[str]:
        """Those of a folder's tables that `report.sections` asks for."""
        return [name for name in tables if runs(f"{analysis}/{name}", self.settings.report.sections)]

    def is_pooled(self, path: str) -> bool:
        """Whether a result table (<results>/{cohort}/{analysis}/{table}.tsv) has headline estimates of a cohort that is pooled."""
        cohort, _, table = path.removeprefix("<results>/").removesuffix(".tsv").partition("/")
        return table in SOURCES and cohort in [*self.pooled, "pooled"]


def tables_of(rule: str) -> list[str]:
    """The result tables that a step writes."""
    written = STEPS[rule.replace("_", "-")].writes
    return [file.removesuffix(".tsv") for file in written if file.endswith(".tsv")]


def memory_of(rule: str) -> Callable[..., int]:
    """A resources function: MB that a step asks for, by the size of its inputs; twice as much at the second attempt."""
    base, per_mb = MEMORY.get(rule, USUAL_MEMORY)

    def mem_mb(wildcards: Any, input: Any, attempt: int) -> int:
        return int((base + per_mb * input.size_mb) * attempt)

    return mem_mb


def inference_memory(wildcards: Any, threads: int, attempt: int) -> int:
    """Each worker process holds the networks and a few photos."""
    return int((2000 + 1200 * threads) * attempt)


def any_of(names: Iterable[str]) -> str:
    """A wildcard constraint that matches these names, or nothing."""
    return "|".join(names) or "(?!)"


def option(flag: str, values: Iterable[object]) -> list[str]:
    """--flag a --flag b, as a list whose parts the shell line quotes."""
    return [part for value in values for part in (flag, str(value))]


def each(flag: str, key: str) -> Callable[..., list[str]]:
    """A params function: the option once for each of the named input files."""
    return lambda wildcards, input: option(flag, input[key])


def each_given(*keys: str) -> Callable[..., list[str]]:
    """A params function: an option for each of these inputs that a cohort has."""

    def options(wildcards: Any, input: Any) -> list[str]:
        named = dict(input.items())
        return [part for key in keys if key in named for part in (f"--{key}", named[key])]

    return options
