"""One Cox model of a cohort: its rows, its design, its fit, and the result rows that tell of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.stats import norm

from faceage_bio.analyses.survival.follow_up import IN_YEARS, why_none
from faceage_bio.core.columns import AGE, AGE_ACCELERATION, COHORT, EVENT, FACE_AGE, FOLLOWUP, LEVELS, UNITS
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import columns_of, counted
from faceage_bio.core.settings.settings_survival import Survival
from faceage_bio.intake.observation import entry_of
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_fit import CoxFit, numbers
from faceage_bio.stats.design import build_design, require_columns
from faceage_bio.stats.linear import NORMAL_975
from faceage_bio.stats.minimum_sizes import CLUSTERS, check_events

WORDS = {FACE_AGE: "face age", AGE: "age", AGE_ACCELERATION: "age acceleration"}
DEATH = "death"
FIRTH_HELPS = {"separated", "not_converged", "few_events_for_terms"}
DEFAULTS = Survival()
SAME = 1e-6  # share of its parts' error below which a difference has none but rounding


@dataclass(frozen=True)
class Choices:
    """How a cohort's models are made: the settings of the same names under ``survival``, and levels of made
    columns.
    """

    per_years: float = DEFAULTS.per_years
    steps: Sequence[str] = tuple(DEFAULTS.sequential_adjustment)
    covariates: Sequence[str] = tuple(DEFAULTS.covariates)
    groups: Mapping[str, Sequence[float]] = field(default_factory=dict)
    strata: Sequence[str] = ()
    cluster: str | None = None
    firth: bool = False
    further_levels: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, survival: Survival) -> "Choices":
        """Those of the settings under ``survival``."""
        same = ("per_years", "covariates", "groups", "strata", "cluster")
        return cls(steps=survival.sequential_adjustment, **{name: getattr(survival, name) for name in same})

    @property
    def full(self) -> list[str]:
        """Covariates of the full model beside age: those of the steps, then the others."""
        return [name for name in dict.fromkeys([*self.steps, *self.covariates]) if name not in IN_YEARS]

    @property
    def levels(self) -> dict[str, Sequence[str]]:
        """Declared levels, the reference first; of others the most frequent is the reference."""
        grouped = {name: group_names(cuts) for name, cuts in self.groups.items()}
        return {**LEVELS, **grouped, **self.further_levels}

    @property
    def method(self) -> str:
        """How models are fitted, for result rows."""
        strata = f", strata of {' and '.join(self.strata)}" if self.strata else ""
        errors = f", errors robust by {self.cluster}" if self.cluster else ""
        return f"Cox, Efron ties{strata}{errors}, Wald interval"

    def unit(self, term: str) -> tuple[float, str]:
        """What a term's hazard ratio is given for: size and words."""
        if term in IN_YEARS:
            return self.per_years, f"{self.per_years:g} years"
        return UNITS.get(term, (1.0, "1 unit" if ": " not in term else ""))

    def per(self, term: str) -> str:
        """The words of `unit`."""
        return self.unit(term)[1]


def group_names(cuts: Sequence[float]) -> list[str]:
    """Labels of groups: "below 1", "1 to 2", "2 and over"; a value at a cut-point belongs to the group above."""
    edges = sorted(cuts)
    middle = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    return [f"below {edges[0]:g}", *middle, f"{edges[-1]:g} and over"]


def grouped(people: pd.DataFrame, groups: Mapping[str, Sequence[float]]) -> pd.DataFrame:
    """Numbers as the declared groups, which cover every value, so that none falls into the reference by
    omission.
    """
    people = people.copy()
    for name, cuts in groups.items():
        if name in people and cuts:
            bins = [-np.inf, *sorted(cuts), np.inf]
            labels = pd.cut(people[name].astype("float64"), bins, right=False, labels=group_names(cuts))
            people[name] = labels.astype(object).where(labels.notna(), None)
    return people


def name_of(columns: Sequence[str]) -> str:
    """A model's name: "face age + age + sex"."""
    return " + ".join(WORDS.get(column, column) for column in columns)


@dataclass(frozen=True)
class ModelFrame:
    """What one model is fitted to.

    ``people``: its complete rows; ``design``: their terms, ages per ``per_years`` and others per their unit;
    ``strata`` and ``cluster``: labels or None; ``reasons``: what was left out; ``columns``: covariates that
    are in it.
    """

    people: pd.DataFrame
    design: pd.DataFrame
    strata: pd.Series | None
    cluster: pd.Series | None
    reasons: list[Reason]
    columns: list[str]

    @property
    def entry(self) -> pd.Series | None:
        """Start of observation, where anybody enters late."""
        return entry_of(self.people)

    def contrast(self, term: str) -> dict:
        """Level and reference of a term that is one level of a column against another."""
        name, colon, level = term.partition(": ")
        if not colon or term in self.people:
            return {}
        shown = {column for column in self.design if column.startswith(f"{name}: ")}
        found = self.people[name].astype(str).unique()
        reference = next(word for word in found if f"{name}: {word}" not in shown)
        return {"level": level, "reference": reference}

    def fit(self, design: pd.DataFrame | None = None, **options) -> CoxFit:
        """Fit this design, or another on the same rows; errors are robust if the choices name clusters.

        Raises
        ------
        FitError
            Fewer deaths than a hazard ratio needs (`check_events`), or what ``fit_cox`` refuses.
        """
        check_events(self.people[EVENT])
        design = self.design if design is None else design
        labels = {"strata": self.strata, "cluster": self.cluster} | options
        return fit_cox(self.people[FOLLOWUP], self.people[EVENT], design, self.entry, **labels)


def model_frame(usable: pd.DataFrame, columns: Sequence[str], choices: Choices) -> ModelFrame:
    """Complete rows and design of a model.

    Covariates that no participant has, that do not vary or that make the strata are left out; the first
    column is what the model is about and stays.

    Raises
    ------
    FitError
        No participant is left, or the first column does not vary.
    CohortError
        A column is not there.
    """
    if columns[0] in choices.strata:
        raise FitError("makes_strata", column=columns[0])

    def is_empty(name: str) -> bool:
        return name in usable and usable[name].isna().all()

    terms = [name for name in columns if name not in choices.strata]
    empty = [name for name in terms[1:] if is_empty(name)]
    kept = [name for name in terms if name not in empty]
    held = [name for name in (*choices.strata, choices.cluster) if name]
    absent = [name for name in held if is_empty(name)]
    held = [name for name in held if name not in absent]
    require_columns(usable, held)
    rows = usable[usable[held].notna().all(axis=1)]
    design = build_design(rows, kept, choices.levels)
    people = rows.loc[design.matrix.index]
    if not len(usable):
        why = why_none(usable)
        raise FitError(why.code, **why.parameters)
    if is_empty(kept[0]):
        raise FitError("no_value_of", column=kept[0])
    if not len(people):
        raise FitError("no_complete_cases")
    if kept[0] in design.constant:
        raise FitError("constant", column=kept[0])
    strata = [name for name in choices.strata if name not in absent]
    reasons = [reason("without_missing", columns=empty + absent)] if empty or absent else []
    if design.constant:
        reasons.append(reason("without_constant", columns=design.constant))
    if len(people) < len(usable):
        reasons.append(reason("complete_cases"))
    cluster = people[choices.cluster] if choices.cluster and choices.cluster not in absent else None
    if cluster is not None and cluster.nunique() < CLUSTERS:
        reasons.append(reason("few_clusters", n_clusters=cluster.nunique(), needed=CLUSTERS))
    matrix = design.matrix.copy()
    for column in matrix:
        matrix[column] = matrix[column] / choices.unit(column)[0]
    labels = people[strata].astype(str).agg(" / ".join, axis=1) if strata else None
    columns = [name for name in kept if name not in design.constant]
    return ModelFrame(people, matrix, labels, cluster, reasons, columns)


def model_rows(
    usable: pd.DataFrame, columns: Sequence[str], choices: Choices, *, global_tests: bool = False, **about
) -> list[dict]:
    """Result rows of a model, one per term; one that cannot be fitted keeps a row with the reason.

    Columns beside the common ones: ``method``, ``events_per_term``, ``robust_lower``, ``robust_upper`` and
    ``robust_p`` (Lin and Wei 1989: by person, or by the declared clusters), ``concordance``,
    ``log_likelihood``.

    Parameters
    ----------
    columns : names of columns, the first is what the model is about
    global_tests : also ``model_df`` and, of all terms together, the chi-square and p-value of the
        likelihood-ratio, Wald and score
        tests (``likelihood_ratio``, ``likelihood_ratio_p``, ``wald``, ``wald_p``, ``score``, ``score_p``)
    about : further fields of every row; ``model`` is made of the columns if not given
    """
    base = of_model(usable, columns, choices) | {"measure": "hazard ratio", "method": choices.method} | about
    try:
        frame = model_frame(usable, columns, choices)
        base |= counts(frame)
        fit = frame.fit()
        robust = fit if frame.cluster is not None else frame.fit(robust=True)
    except FitError as error:
        help_of_firth = [reason("firth_helps")] if error.reason.code in FIRTH_HELPS else []
        words = columns[0] in usable and not pd.api.types.is_numeric_dtype(usable[columns[0]])
        per = "" if words else choices.per(columns[0])
        return [base | {"per": per, "reason": [error.reason, *help_of_firth]}]
    base |= {
        "reason": [*fit.reasons, *frame.reasons],
        "concordance": fit.concordance,
        "log_likelihood": fit.log_likelihood,
    }
    if global_tests:
        for name, (chi_square, degrees, p_value) in fit.global_tests.items():
            base |= {"model_df": degrees, name: chi_square, f"{name}_p": p_value}
    errors = {"ci_lower": "robust_lower", "ci_upper": "robust_upper", "p_value": "robust_p"}
    robust_errors = robust.terms[list(errors)].rename(columns=errors).to_dict("records")
    rows = term_rows(frame, fit.terms, choices)
    return [base | row | errors for row, errors in zip(rows, robust_errors, strict=True)]


def term_rows(frame: ModelFrame, terms: pd.DataFrame, choices: Choices) -> list[dict]:
    """The fields of each term of a fitted model that are its own."""
    return [
        {"term": term, "per": choices.per(str(term))} | numbers(row) | frame.contrast(str(term))
        for term, row in terms.iterrows()
    ]


def ratio_of_terms(fit: CoxFit, term: str, reference: str) -> dict:
    """The ratio of two terms' hazard ratios, with Wald's test of their difference.

    Raises
    ------
    FitError
        The two are the same, such as the ages of participants whose face age is their age.
    """
    value, covariance = fit.terms["log_hazard_ratio"], fit.covariance
    difference = value[term] - value[reference]
    variance = covariance.at[term, term] + covariance.at[reference, reference]
    # rounding makes it negative where both are the same
    error = np.sqrt(max(variance - 2 * covariance.at[term, reference], 0.0))
    if error < SAME * np.sqrt(variance):
        raise FitError("same_ages")
    return {
        "estimate": np.exp(difference),
        "ci_lower": np.exp(difference - NORMAL_975 * error),
        "ci_upper": np.exp(difference + NORMAL_975 * error),
        "standard_error": error,
        "statistic": difference / error,
        "p_value": 2 * norm.sf(abs(difference / error)),
    }


def of_model(people: pd.DataFrame, columns: Sequence[str], choices: Choices) -> dict:
    """What the rows of a model share before it is fitted; the first column is what it is about."""
    about = {"term": columns[0], "exposure": columns[0], "model": name_of(columns)}
    known = people[people[columns[0]].notna()] if columns[0] in people else people
    return about | counted(known) | adjusted_for(columns[1:], choices)


def counts(frame: ModelFrame) -> dict:
    """Who is in a model, and how many deaths there are for each of its terms."""
    found, terms = counted(frame.people), frame.design.shape[1]
    return found | {"events_per_term": found["n_events"] / terms if terms else np.nan}


def of_question(cohort: str, question: str) -> dict:
    """What all rows of a table share."""
    return {COHORT: cohort, "question": question, "outcome": DEATH}


def adjusted_for(covariates: Sequence[str], choices: Choices) -> dict:
    """What a model is adjusted for, as a closed word and as columns."""
    others = {name for name in covariates if name != AGE}
    if not covariates:
        word = "unadjusted"
    elif not others:
        word = "age"
    else:
        word = "full" if others >= set(choices.full) - set(choices.strata) else "stepwise"
    return {"adjustment": word, "covariates": ", ".join(WORDS.get(name, name) for name in covariates)}


def declared(rows: Iterable[dict], table: str) -> list[dict]:
    """Rows of a model without the fields that a table does not have."""
    columns = columns_of(table)
    return [{name: value for name, value in row.items() if name in columns} for row in rows]
