"""Does the level of a gene predict death? One Cox model per gene, for the panel declared beforehand and for
all genes.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.core.columns import COHORT, ENTRY, EVENT, FOLLOWUP, LEVELS, SAMPLE, SUBJECT
from faceage_bio.core.errors import CohortError, FitError, examples
from faceage_bio.core.parse import dates_of
from faceage_bio.core.results.reasons import Reason, encode, reason
from faceage_bio.core.results.row import adjusted_for, counted, result_rows
from faceage_bio.core.settings.settings_survival import Survival
from faceage_bio.core.tables import read_table
from faceage_bio.intake.observation import entry_of, has_no_time
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_batch import fit_cox_per_column
from faceage_bio.stats.cox_ph import proportional_hazards_test
from faceage_bio.stats.design import build_design
from faceage_bio.stats.minimum_sizes import EVENTS_PER_TERM, check_events
from faceage_bio.stats.multiplicity import benjamini_hochberg, bonferroni

ANALYSIS = "analysis"
SAMPLE_DATE = "sample_date"
ROW = "\0row"  # of the table of levels; no table that somebody brings has such a column
ABOUT = (ANALYSIS, SAMPLE, SUBJECT, SAMPLE_DATE, "batch")  # columns of a table of levels before its genes
METHOD = "Cox per gene, Efron ties, Wald interval"
HIGHEST_LEVEL = 40  # a log2 level above it is a count


def read_levels(path: Path | str) -> pd.DataFrame:
    """Levels written by ``check-expression``, or a plain table with subject_id and one column per gene.

    Raises
    ------
    TableError
        The file cannot be read.
    CohortError
        No subject_id, a participant stands twice, or values that are no log2 levels.
    """
    table = read_table(path)
    if SUBJECT not in table:
        raise CohortError(
            f"{path}: line 1 lacks the column '{SUBJECT}', which tells whose levels a row holds; it has {examples(list(table))}. "
            "Expected it in each. Give the table that check-expression writes."
        )
    table[SUBJECT] = table[SUBJECT].astype(str)
    missing = {ANALYSIS: "expression", SAMPLE: table[SUBJECT], SAMPLE_DATE: None, "batch": None}
    for name in missing.keys() - set(table):
        table[name] = missing[name]
    doubled = table[table.duplicated([ANALYSIS, SUBJECT], keep=False)]
    if len(doubled):
        found = [f"row {row + 1}: {subject}" for row, subject in doubled[SUBJECT].items()]
        raise CohortError(
            f"{path}: {len(doubled)} rows are of participants who stand twice: {examples(found)}. Expected one of each. Keep one sample per person."
        )
    genes = [name for name in table if name not in ABOUT]
    words = [name for name in genes if not pd.api.types.is_numeric_dtype(table[name])]
    if words:
        raise CohortError(
            f"{path}: {len(words)} gene column(s) hold words: {examples(words)}. Expected log2 levels. Write numbers; leave further columns out."
        )
    large = [name for name in genes if (table[name] > HIGHEST_LEVEL).any()]
    if large:
        raise CohortError(
            f"{path}: {len(large)} gene column(s) hold values above {HIGHEST_LEVEL}: {examples(large)}, which no log2 level "
            "reaches. Expected log2 levels. Give log2 levels, such as those that check-expression writes, and not counts."
        )
    return table


def gene_survival(
    followed: pd.DataFrame,
    levels: pd.DataFrame,
    settings: Survival,
    panel: Sequence[str],
    cohort: str,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Hazard ratio of death per doubling of each gene.

    Participants are at risk from their sample on: whoever was sampled later than time zero had to live until
    then.

    Parameters
    ----------
    followed : DataFrame, one row per participant
        With usable follow-up: subject_id, entry_years, followup_years, event, covariates.
    levels : DataFrame, one row per sample, at most one per participant and analysis
        analysis, sample_id, subject_id, sample_date, batch, then log2 levels, one column per gene.
    settings : Survival
        gene_covariates (columns of ``followed``, or ``batch``), strata, time_zero, landmark_years, year_days.
    panel : genes declared beforehand

    Returns
    -------
    genes, panel : DataFrame, result rows
        ``q_value`` (Benjamini and Hochberg) and ``p_bonferroni`` hold within each of the two tables and
        analysis by itself; ``mean_level`` is the mean log2 level. For the panel ``hazards_p_value`` tells
        whether the hazard ratio changes over time. What was not estimated keeps its row and says why.

    Raises
    ------
    CohortError
        A covariate or stratum is in neither table.
    """
    # the levels are too large to be joined with others
    about = levels[list(ABOUT)].assign(**{ROW: np.arange(len(levels))})
    levels, followed = levels.drop(columns=list(ABOUT)), followed.drop(columns="batch", errors="ignore")
    parts: list[list[pd.DataFrame]] = [[], []]
    for analysis, mine in about.groupby(ANALYSIS, sort=False):
        rows = mine[ROW].to_numpy()
        names = [name for name in levels if levels[name].iloc[rows].notna().any()]
        measured = levels if len(names) == levels.shape[1] else levels[names]
        people = followed.merge(mine, on=SUBJECT, suffixes=("", "_of_sample"))
        people, remarks = _at_risk_from_sample(people, settings)
        for part, found in zip(parts, _analysis(people, remarks, measured, settings, panel), strict=True):
            part.append(found.assign(question=question_of(analysis)))
    label = {COHORT: cohort, "outcome": "death", "exposure": "expression"}
    label |= {"measure": "hazard ratio", "per": "doubling", "model": METHOD}
    genes, declared = (pd.concat(part, ignore_index=True) if part else pd.DataFrame() for part in parts)
    return (
        result_rows(genes.assign(**label, family="all genes"), "survival/genes"),
        result_rows(declared.assign(**label, family="prespecified panel"), "survival/gene_panel"),
    )


def _analysis(
    people: pd.DataFrame,
    remarks: list[Reason],
    levels: pd.DataFrame,
    settings: Survival,
    panel: Sequence[str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """All genes and the panel; the column `ROW` of ``people`` is the row of ``levels``."""
    covariates, strata = settings.gene_covariates, settings.strata
    _check_columns(people, [*covariates, *strata])
    design = build_design(people, [*covariates, *strata], LEVELS)
    people = people.drop(index=design.missing.index)
    held = [name for name in covariates if name not in strata]
    base = counted(people) | {"strata": ", ".join(strata)}
    base |= adjusted_for([*held, *strata]) | {"covariates": adjusted_for(held)["covariates"]}
    matrix = build_design(people, [name for name in held if name not in design.constant], LEVELS).matrix
    if dropped := [name for name in held if name in design.constant]:
        remarks.append(reason("without_constant", columns=dropped))
    labels = people[strata].astype(str).agg(" / ".join, axis=1) if strata else None
    entry = entry_of(people)
    rows = people[ROW].to_numpy()
    try:
        if not len(people):
            raise FitError("no_follow_up_with_sample")
        check_events(people[EVENT])
        found = fit_cox_per_column(
            people[FOLLOWUP], people[EVENT], levels, matrix, entry, strata=labels, rows=rows
        )
    except FitError as error:
        why = pd.DataFrame({"term": list(panel), "reason": error.reason.encoded})
        return pd.DataFrame(), why.assign(**base)
    terms = 1 + matrix.shape[1]
    if base["n_events"] < EVENTS_PER_TERM * terms:
        remarks.append(
            reason("few_events_per_variable", n_events=base["n_events"], terms=terms, needed=EVENTS_PER_TERM)
        )
    table = found.drop(columns="log_hazard_ratio").assign(
        statistic=found["log_hazard_ratio"] / found["standard_error"],
        mean_level=[levels[name].iloc[rows].mean() for name in levels],
        reason=found["reason"].where(found["reason"] != "", encode(remarks)),
        **base,
    )
    table = table.rename(columns={"hazard_ratio": "estimate"}).rename_axis("term")
    declared = table.reindex(list(panel)).assign(**base)
    declared["reason"] = declared["reason"].fillna("gene_absent_or_low")

    def hazards_p_value(gene: str) -> float:
        """P-value of the test whether the gene's hazard ratio changes; NaN where the deaths cannot tell."""
        level = levels[[gene]].iloc[rows].set_axis(people.index)
        try:
            design = pd.concat([level, matrix], axis=1)
            fit = fit_cox(people[FOLLOWUP], people[EVENT], design, entry, strata=labels)
            return float(proportional_hazards_test(fit).p_value[0])
        except FitError:
            return np.nan

    fitted = declared["estimate"].notna()
    declared["hazards_p_value"] = [
        hazards_p_value(gene) if known else np.nan for gene, known in fitted.items()
    ]
    return _corrected(table), _corrected(declared)


def _at_risk_from_sample(people: pd.DataFrame, settings: Survival) -> tuple[pd.DataFrame, list[Reason]]:
    """Entry moved to the sample where it came later, and remarks on samples without a date or after the end."""
    zero = "photo_date" if settings.time_zero == "photo" else settings.time_zero
    if zero not in people or people[SAMPLE_DATE].isna().all():
        return people, [reason("sampling_time_unknown")]
    waited = dates_of(people, SAMPLE_DATE, "samples") - dates_of(people, zero, "survival.time_zero")
    later = waited.dt.days / settings.year_days - (settings.landmark_years or 0.0)
    entry = np.fmax(people[ENTRY].fillna(0.0), later.clip(lower=0.0))
    remarks = []
    if undated := int(later.isna().sum()):
        remarks.append(reason("sampling_time_unknown_of", n=undated))
    people = people.assign(**{ENTRY: entry})
    sampled_after = has_no_time(people)
    if sampled_after.any():
        remarks.append(reason("sampled_after_end", n=int(sampled_after.sum())))
    return people[~sampled_after], remarks


def _corrected(table: pd.DataFrame) -> pd.DataFrame:
    p_values = table["p_value"].to_numpy(dtype=np.float64)
    corrected = table.assign(q_value=benjamini_hochberg(p_values), p_bonferroni=bonferroni(p_values))
    return corrected.reset_index()


def _check_columns(people: pd.DataFrame, names: Sequence[str]) -> None:
    if unknown := [name for name in names if name not in people]:
        raise CohortError(
            f"survival.gene_covariates or strata name {', '.join(map(repr, unknown))}, but neither the participants nor the samples have "
            "it. Expected columns of these. Correct the config, or add the column to the clinical table."
        )


def question_of(analysis: str) -> str:
    """Of a table of levels: "gene survival" of bulk RNA, "gene survival in ..." of a cell type."""
    return analysis.replace("expression", "gene survival", 1)
