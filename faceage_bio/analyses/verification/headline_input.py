"""The headline models as other software takes them: rows, columns, factors with their reference, and the rows
of our tables.
"""

import keyword
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.analyses.expression.counts import Expression, choose_samples
from faceage_bio.analyses.expression.formula import design_of
from faceage_bio.analyses.expression.gene_models import TOGETHER, size_factors_of, tested_genes
from faceage_bio.analyses.expression.inputs import read_inputs
from faceage_bio.analyses.expression.quality import verdicts_of
from faceage_bio.analyses.phenotype.comparison_frame import gather, make_frame
from faceage_bio.analyses.phenotype.contrasts import RAW
from faceage_bio.analyses.pooling.headlines import on_scale
from faceage_bio.analyses.pooling.pooling_stage import method_words
from faceage_bio.analyses.survival.cox_models import Choices, ModelFrame, grouped, model_frame
from faceage_bio.analyses.survival.curves import ALL, Grouping, each_group, part
from faceage_bio.analyses.survival.follow_up import prepare
from faceage_bio.analyses.survival.sequential_models import adjustment_steps
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, EVENT, FACE_AGE, FOLLOWUP, POOLED, SUBJECT, UNITS
from faceage_bio.core.config import Config
from faceage_bio.core.errors import RunError, examples
from faceage_bio.core.settings.settings_genes import Expression as ExpressionSettings
from faceage_bio.core.tables import read_table
from faceage_bio.intake.observation import entry_of
from faceage_bio.stats.meta_analysis import METHODS, TESTS

GROUP, STRATUM, CLUSTER, ENTERED = "group", "stratum", "cluster", "entered"
OWN = {FOLLOWUP, EVENT, STRATUM, CLUSTER, ENTERED}
# those that Python has not too
R_WORDS = {"function", "next", "repeat", "TRUE", "FALSE", "NULL", "Inf", "NaN", "NA"}


@dataclass(frozen=True)
class Coefficient:
    """A coefficient of a model, times ``unit``, and the row of our table that reports it; ``level``: of a
    factor.
    """

    column: str
    level: str
    unit: float
    row: Mapping

    @property
    def term(self) -> str:
        """As formulas in Python call it."""
        return f"{self.column}[T.{self.level}]" if self.level else self.column


@dataclass(frozen=True)
class Model:
    """A regression on complete rows: Cox of death, or least squares of face age.

    ``people``: its columns, renamed where a formula could not hold them; factors are categorical, the
    reference first. A Cox model also has followup_years, event, entered (where anybody enters late), stratum
    and cluster (where the study has them).
    """

    cohort: str
    name: str
    source: str
    people: pd.DataFrame
    columns: tuple[str, ...]
    coefficients: tuple[Coefficient, ...]

    @property
    def formula(self) -> str:
        """Right side, as R, statsmodels and lifelines read it."""
        return " + ".join(self.columns)

    def has(self, column: str) -> bool:
        return column in self.people


@dataclass(frozen=True)
class Curves:
    """Kaplan-Meier curves of the groups of a column, and the test between them: rows of
    ``survival/kaplan_meier`` and ``survival/summary``.
    """

    cohort: str
    column: str
    people: pd.DataFrame
    curve: pd.DataFrame
    summary: pd.DataFrame


def cox_models(usable: pd.DataFrame, cox: pd.DataFrame, choices: Choices, cohort: str) -> Iterator[Model]:
    """Face age in each of the sequentially adjusted models that was estimated."""
    people = grouped(usable, choices.groups)
    own = cox[(cox["exposure"] == FACE_AGE) & (cox["term"] == FACE_AGE) & cox["estimate"].notna()]
    rows = {row["step"]: row for row in own.to_dict("records")}
    for step, held in adjustment_steps(choices):
        if step in rows:
            frame = model_frame(people, [FACE_AGE, *held], choices)
            yield _cox(frame, rows[step], choices, cohort)


def _cox(frame: ModelFrame, row: Mapping, choices: Choices, cohort: str) -> Model:
    factors = _factors(frame.people, frame.design, frame.columns)
    people, names = _ready(frame.people, frame.columns, factors)
    people[FOLLOWUP] = frame.people[FOLLOWUP].round(8)  # R takes nearly equal times for ties
    people[EVENT] = frame.people[EVENT].astype(int)
    for column, values in ((ENTERED, frame.entry), (STRATUM, frame.strata), (CLUSTER, frame.cluster)):
        if values is not None:
            people[column] = values.round(8) if column == ENTERED else values.astype(str)
    first = Coefficient(names[FACE_AGE], "", choices.per_years, row)
    return Model(cohort, str(row["step"]), "survival/cox", people, tuple(names.values()), (first,))


def _factors(
    people: pd.DataFrame, design: pd.DataFrame, columns: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """The levels of each column of words, the reference, which has no column of the design, first."""
    factors = {}
    for name in columns:
        if levels := [column.partition(": ")[2] for column in design if column.startswith(f"{name}: ")]:
            (reference,) = set(people[name].astype(str)) - set(levels)
            factors[name] = (reference, *levels)
    return factors


def contrasts(
    table: pd.DataFrame, rows: pd.DataFrame, adjust_for: Sequence[str], cohort: str, source: str
) -> Iterator[Model]:
    """Face age by each exposure, adjusted for age and the minimal set: one model for all levels of an
    exposure.

    Parameters
    ----------
    table : of `comparison_frame.gather`
    rows : result rows of ``source``, phenotype/phenotypes or phenotype/groups
    """
    adjusted = rows[(rows["adjustment"] != RAW) & rows["estimate"].notna()]
    for exposure, own in adjusted.groupby("exposure", sort=False):
        frame = make_frame(table, str(exposure), adjust_for)
        factors = _factors(frame.people, frame.design, (frame.exposure, *frame.covariates[1:]))
        columns = [frame.exposure, AGE, *frame.covariates[1:]]
        people, names = _ready(frame.people, columns, factors)
        people[FACE_AGE] = frame.people[FACE_AGE]
        unit = 1.0 if exposure in factors else UNITS.get(str(exposure), (1.0, ""))[0]
        found = tuple(
            Coefficient(names[exposure], row["level"] if exposure in factors else "", unit, row)
            for row in own.to_dict("records")
        )
        yield Model(cohort, str(exposure), source, people, tuple(names.values()), found)


def curves(
    usable: pd.DataFrame,
    groupings: Sequence[Grouping],
    strata: Sequence[str],
    curve: pd.DataFrame,
    summary: pd.DataFrame,
    cohort: str,
) -> Iterator[Curves]:
    """All participants, and the groups of each grouping that could be made.

    Raises
    ------
    RunError
        A curve of a group that these groupings do not make.
    """
    entry = entry_of(usable)
    base = pd.DataFrame({FOLLOWUP: usable[FOLLOWUP].round(8), EVENT: usable[EVENT].astype(int)})
    if entry is not None:
        base[ENTERED] = entry.round(8)
    if strata:
        labels = usable[list(strata)].astype(str).agg(" ".join, axis=1)
        base[STRATUM] = labels.where(usable[list(strata)].notna().all(axis=1))
    members: dict[str, pd.Series] = {}
    for group in each_group(usable, groupings):
        own = members.setdefault(group.grouping, pd.Series(None, index=usable.index, dtype=object))
        own[group.people.index] = group.name
    for column, groups in members.items():
        people = base.assign(**{GROUP: groups})
        if column == ALL:
            people = people.drop(columns=STRATUM, errors="ignore")
        rows = [table[table["grouping"] == column] for table in (curve, summary)]
        if strangers := sorted(set(rows[0]["group"].astype(str)) - set(groups.dropna())):
            raise RunError(
                f"{cohort}/survival/kaplan_meier: group {examples(strangers)} of {column} is not one that survival.curves makes. Expected the "
                "settings by which the curves were made. Give the same --config and --set."
            )
        if groups.notna().any():
            yield Curves(cohort, column, people[groups.notna()], *rows)


@dataclass(frozen=True)
class Pool:
    """A pooled estimate, a row of ``meta_analysis/estimates``, and the rows of its cohorts; ``y``, ``se``:
    theirs, on the pooling scale; ``method`` and ``test`` as metafor's ``rma`` calls them.
    """

    row: Mapping
    cohorts: Sequence[Mapping]
    y: np.ndarray
    se: np.ndarray
    method: str
    test: str


def pools(estimates: pd.DataFrame) -> Iterator[Pool]:
    """The pooled headline: hazard ratios of face age, added value, adjusted contrasts, prespecified genes."""
    of = estimates["source"]
    wanted = (of == "survival/cox") & (estimates["exposure"] == FACE_AGE)
    wanted |= (of == "survival/added_value") & (estimates["measure"] == "difference of Harrell's C")
    wanted |= (of == "phenotype/phenotypes") & (estimates["adjustment"] != RAW)
    wanted |= (of == "expression/panel") & (estimates["exposure"] == AGE_ACCELERATION)
    known = {method_words(method, test): (method, test) for method in METHODS for test in TESTS}
    heads = estimates["cohort"].eq(POOLED)
    for _, group in estimates[wanted].groupby(heads.cumsum()[wanted], sort=False):
        row, cohorts = group.iloc[0], group.iloc[1:]
        if pd.isna(row["estimate"]):
            continue
        cohorts = cohorts[cohorts["estimate"].notna() & (cohorts["standard_error"] > 0)]
        y, se = on_scale(cohorts["estimate"], row["scale"]), cohorts["standard_error"].to_numpy(dtype=float)
        yield Pool(row.to_dict(), cohorts.to_dict("records"), y, se, *known[row["method"]])


def _ready(
    people: pd.DataFrame, columns: Sequence[str], factors: Mapping[str, tuple[str, ...]]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """The columns under names that a formula can hold, factors as categories in their order; and what each is
    called.
    """
    names = formula_names(columns)
    made = {}
    for name in columns:
        values = people[name]
        if name in factors:
            values = pd.Series(pd.Categorical(values.astype(str), factors[name]), index=people.index)
        made[names[name]] = values
    return pd.DataFrame(made, index=people.index), names


def formula_names(columns: Sequence[str]) -> dict[str, str]:
    """Names of columns for the formulas of R and Python: letters, digits and _, no word of theirs, and no
    column of `Model` itself.
    """
    found: dict[str, str] = {}
    for name in columns:
        plain = re.sub(r"\W", "_", name, flags=re.ASCII)
        plain = plain if plain[:1].isalpha() else f"x{plain}"
        while plain in found.values() or plain in OWN or keyword.iskeyword(plain) or plain in R_WORDS:
            plain += "_"
        found[name] = plain
    return found


@dataclass(frozen=True)
class Genes:
    """The genes tested in one analysis and the joint design: counts (samples x genes), design matrix with the
    intercept first, size factors (``sparse``: of positive counts), and the panel's rows for age acceleration
    in it.
    """

    cohort: str
    question: str
    counts: pd.DataFrame
    design: pd.DataFrame
    size_factors: np.ndarray
    sparse: bool
    panel: pd.DataFrame

    def take(self, genes: Sequence[str]) -> np.ndarray:
        """Counts of these genes, shape (n_samples, len(genes))."""
        return np.ascontiguousarray(self.counts[list(genes)].to_numpy())


def gene_models(
    data: Expression, panel: pd.DataFrame, settings: ExpressionSettings, cohort: str, question: str
) -> Iterator[Genes]:
    """The joint model of age acceleration and age, where it was estimated and participants have one sample
    each.

    Parameters
    ----------
    data : chosen samples of the analysis
    panel : result rows of expression/panel
    settings : of the section ``expression``
    """
    asked = panel["question"].eq(question) & panel["model"].eq(TOGETHER)
    own = panel[asked & panel["exposure"].eq(AGE_ACCELERATION) & panel["estimate"].notna()]
    if not len(own) or data.people[SUBJECT].duplicated().any():
        return
    design = design_of(data.people, (AGE_ACCELERATION, AGE), settings.covariates, settings.per_years)
    counts = data.counts.loc[:, tested_genes(data.counts, settings.min_count, settings.min_samples)]
    yield Genes(cohort, question, counts, design, *size_factors_of(counts.to_numpy()), own)


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
    paths : tables by their place {cohort}/{folder}/{table}: acceleration/acceleration, phenotype/phenotypes
        and groups, survival/follow_up, cox, kaplan_meier and summary, expression/panel, sample_quality and
        pseudobulk, cohort/samples and counts, pooled/meta_analysis/estimates
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
    place = "acceleration/acceleration"
    people = {cohort: read_table(own[place]) for cohort, own in found.items() if place in own}
    for cohort, own in found.items():
        pooled = cohort == POOLED
        cohorts, source = (
            (people, "phenotype/groups") if pooled else ({cohort: people[cohort]}, "phenotype/phenotypes")
        )
        if source in own:
            table, rows = gather(list(cohorts.values()), list(cohorts)), read_table(own[source])
            headline.contrasts.extend(contrasts(table, rows, settings.phenotype.adjust_for, cohort, source))
        if pooled and "meta_analysis/estimates" in own:
            headline.pools.extend(pools(read_table(own["meta_analysis/estimates"])))
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
        chosen = (settings.covariates, settings.repeated_samples, settings.tissue)
        data = choose_samples(people, counts, samples, *chosen, verdicts_of(judged, question))
        yield from gene_models(data, panel, settings, cohort, question)
