"""The headline models of a study, from its tables and settings."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from faceage_bio.analyses.expression.counts import choose_samples
from faceage_bio.analyses.expression.inputs import read_inputs
from faceage_bio.analyses.expression.quality import verdicts_of
from faceage_bio.analyses.phenotype.people import gather
from faceage_bio.analyses.survival.cox_models import Choices
from faceage_bio.analyses.survival.follow_up import prepare
from faceage_bio.analyses.survival.groupings import part
from faceage_bio.analyses.verification.headline_input import (
    Curves,
    Genes,
    Model,
    Pool,
    contrasts,
    cox_models,
    curves,
    gene_models,
    pools,
)
from faceage_bio.core.columns import POOLED
from faceage_bio.core.config import Config
from faceage_bio.core.errors import RunError, examples
from faceage_bio.core.tables import read_table


@dataclass(frozen=True)
class Headline:
    """What a study's headline rests on."""

    cox: list[Model] = field(default_factory=list)
    curves: list[Curves] = field(default_factory=list)
    contrasts: list[Model] = field(default_factory=list)
    genes: list[Genes] = field(default_factory=list)
    pools: list[Pool] = field(default_factory=list)


def headline_of(paths: Iterable[Path], settings: Config) -> Headline:
    """The models of each cohort whose tables are there.

    Parameters
    ----------
    paths : tables by their place {cohort}/{folder}/{table}: acceleration/acceleration, phenotype/phenotypes and groups,
        survival/follow_up, cox, kaplan_meier and summary, expression/panel, sample_quality and pseudobulk, cohort/samples and counts, pooled/meta_analysis/estimates
    settings : sections survival, phenotype and expression of the config

    Raises
    ------
    RunError
        A result without the table that it was made of.
    """
    found: dict[str, dict[str, Path]] = {}
    for path in paths:
        found.setdefault(path.parent.parent.name, {})[f"{path.parent.name}/{path.stem}"] = path
    _check_complete(found)
    headline = Headline()
    people = {
        cohort: read_table(own["acceleration/acceleration"])
        for cohort, own in found.items()
        if "acceleration/acceleration" in own
    }
    for cohort, own in found.items():
        if cohort == POOLED:
            everybody = gather(list(people.values()), list(people))
            headline.contrasts.extend(_contrasts(everybody, own, settings, cohort, "phenotype/groups"))
            if "meta_analysis/estimates" in own:
                headline.pools.extend(pools(read_table(own["meta_analysis/estimates"])))
            continue
        headline.contrasts.extend(
            _contrasts(gather([people[cohort]], [cohort]), own, settings, cohort, "phenotype/phenotypes")
        )
        if "survival/follow_up" in own:
            _survival(headline, own, settings.survival, cohort)
        if "expression/panel" in own:
            headline.genes.extend(_genes(people[cohort], own, settings.expression, cohort))
    return headline


def _check_complete(found: Mapping[str, Mapping[str, Path]]) -> None:
    """Each result stands with the table of participants, or of samples, that it was made of.

    Raises
    ------
    RunError
        One lacks; all that lack are told.
    """
    lacking = []
    for cohort, own in found.items():
        needed = [] if cohort == POOLED else ["acceleration/acceleration"]
        if {"survival/cox", "survival/kaplan_meier", "survival/summary"} & own.keys():
            needed.append("survival/follow_up")
        if "expression/panel" in own:
            needed += ["cohort/samples", "expression/sample_quality"]
            needed += [] if "expression/pseudobulk" in own else ["cohort/counts"]
        lacking += [f"{cohort}/{name}" for name in needed if name not in own]
    if lacking:
        raise RunError(
            f"{len(lacking)} table(s) lack: {examples(lacking, 8)}. Expected with each result what it was made of. Give these tables too."
        )


def _contrasts(
    table: pd.DataFrame, own: Mapping[str, Path], settings: Config, cohort: str, source: str
) -> Iterator[Model]:
    if source in own:
        yield from contrasts(table, read_table(own[source]), settings.phenotype.adjust_for, cohort, source)


def _survival(headline: Headline, own: Mapping[str, Path], settings: Config, cohort: str) -> None:
    usable, _ = prepare(read_table(own["survival/follow_up"]))
    if "survival/cox" in own:
        headline.cox.extend(cox_models(usable, read_table(own["survival/cox"]), Choices.of(settings), cohort))
    if {"survival/kaplan_meier", "survival/summary"} <= own.keys() and len(usable):
        groupings = [part(usable, column, rule) for column, rule in settings.curves.items()]
        tables = (read_table(own[f"survival/{name}"]) for name in ("kaplan_meier", "summary"))
        headline.curves.extend(curves(usable, groupings, settings.log_rank_strata, *tables, cohort))


def _genes(people: pd.DataFrame, own: Mapping[str, Path], settings: Config, cohort: str) -> Iterator[Genes]:
    inputs, *_ = read_inputs(
        cohort, own["cohort/samples"], own.get("cohort/counts"), own.get("expression/pseudobulk")
    )
    judged = read_table(own["expression/sample_quality"])
    panel = read_table(own["expression/panel"])
    for question, (counts, samples) in inputs.items():
        data = choose_samples(
            people, counts, samples, settings.covariates, settings.repeated_samples, settings.tissue,
            verdicts_of(judged, question),
        )  # fmt: skip
        yield from gene_models(data, panel, settings, cohort, question)
