"""What is said where a hazard ratio changes over time: strata, a ratio for each time, and years lived, which assume nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from faceage_bio.analyses.survival.cox_models import Choices, ModelFrame, counts, model_frame, unit_of
from faceage_bio.analyses.survival.groupings import TERTILES, part
from faceage_bio.core.columns import AGE_ACCELERATION, EVENT, FACE_AGE, FOLLOWUP
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.row import tested
from faceage_bio.intake.observation import entry_of
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_fit import CoxFit, likelihood_ratio_test, numbers
from faceage_bio.stats.cox_likelihood import split_follow_up
from faceage_bio.stats.cox_ph import GLOBAL, proportional_hazards_test
from faceage_bio.stats.fewest_events import FEWEST_EVENTS
from faceage_bio.stats.kaplan_meier import difference, kaplan_meier, restricted_mean

YEARS_LIVED = "years lived"
MOST_ROWS = 1_000_000  # of start-stop rows; beyond, time goes in steps
STEPS = 100
STRATA, LOG_TIME, STRETCHES = "strata", "changing with log time", "stretches of follow-up"


def remedies(
    usable: pd.DataFrame,
    columns: Sequence[str],
    frame: ModelFrame,
    terms: Mapping[str, Sequence[str]],
    offending: Sequence[str],
    choices: Choices,
    split_years: Sequence[float],
    rmst_years: float,
) -> list[dict]:
    """Rows with ``remedy``: the model again with strata of the offending factors, each offending number let free, and years
    lived, which assume nothing (and hold nothing constant)."""
    factors = [name for name in offending if len(terms[name]) > 1 or terms[name][0] != name]
    numeric = [name for name in offending if name not in factors]
    rows = []
    if factors:
        rows += _attempt(STRATA, FACE_AGE, lambda: _stratified(usable, columns, factors, choices))
    for term in numeric:
        rows += _attempt(LOG_TIME, term, lambda term=term: _log_time(frame, term, choices))
        rows += _attempt(STRETCHES, term, lambda term=term: _stretches(frame, term, choices, split_years))
    return rows + _attempt(YEARS_LIVED, AGE_ACCELERATION, lambda: _years_lived(frame.people, rmst_years))


def _attempt(remedy: str, term: str, compute) -> Iterator[dict]:
    try:
        return [{"remedy": remedy} | row for row in compute()]
    except FitError as error:
        return [{"remedy": remedy, "term": term, "measure": "hazard ratio", "reason": error.reason}]


def _stratified(
    usable: pd.DataFrame, columns: Sequence[str], factors: list[str], choices: Choices
) -> list[dict]:
    """The same model with a baseline hazard for each level of the factors that are not proportional."""
    within = replace(choices, strata=list(dict.fromkeys([*choices.strata, *factors])))
    frame = model_frame(usable, columns, within)
    fit = frame.fit()
    left = proportional_hazards_test(frame.fit(cluster=None), terms=None).set_index("term")
    p = f"{left.loc[GLOBAL, 'p_value']:.3f}"
    within = reason("within_strata", columns=factors, p=p)
    return [
        counts(frame) | numbers(row) | frame.contrast(term) | {
            "term": term, "measure": "hazard ratio", "per": unit_of(term, choices.per_years)[1], "reason": within,
        }
        for term, row in fit.terms.iterrows()
    ]  # fmt: skip


def _years_lived(people: pd.DataFrame, rmst_years: float) -> list[dict]:
    """Restricted means of the thirds by age acceleration: the older-looking and the middle against the younger-looking."""
    grouping = part(people, AGE_ACCELERATION, TERTILES)
    if grouping.reason is not None:
        raise FitError(grouping.reason.code, **grouping.reason.parameters)
    means = {}
    for level in grouping.levels:
        third = people[grouping.groups == level]
        curve = kaplan_meier(third[FOLLOWUP], third[EVENT], entry_of(third))
        means[level] = restricted_mean(curve, rmst_years)
    first, *others = grouping.levels
    rows = []
    for level in others:
        both = people[grouping.groups.isin([first, level])]
        rows.append(
            difference(means[level], means[first]).__dict__ | {
                "term": AGE_ACCELERATION, "exposure": AGE_ACCELERATION, "level": level, "reference": first, "horizon": rmst_years,
                "measure": "difference of restricted mean survival time", "n": len(both), "n_events": int(both[EVENT].sum()),
                "adjustment": "unadjusted", "covariates": "", "reason": reason("unadjusted"),
            }
        )  # fmt: skip
    return rows


def _split(
    frame: ModelFrame, cuts: np.ndarray
) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series | None, pd.Series | None]:
    """Start-stop rows of a model: spells, design, strata, clusters."""
    spells = split_follow_up(frame.people[FOLLOWUP], frame.people[EVENT], frame.entry, cuts)

    def again(values):
        return None if values is None else values.iloc[spells["row"]].reset_index(drop=True)

    return spells, again(frame.design), again(frame.strata), again(frame.cluster)


def _fit(spells: pd.DataFrame, design: pd.DataFrame, strata, cluster) -> CoxFit:
    return fit_cox(spells["stop"], spells["event"], design, spells["start"], strata=strata, cluster=cluster)


def _log_time(frame: ModelFrame, term: str, choices: Choices) -> list[dict]:
    """Term times log(years), as R's ``tt()``: the ratio at one year, and by how much each doubling of time changes it."""
    people = frame.people
    cuts = np.unique(people.loc[people[EVENT] == 1, FOLLOWUP].to_numpy())
    if len(cuts) and cuts[0] <= 0:
        raise FitError("no_logarithm_of_zero")
    entry = 0.0 if frame.entry is None else frame.entry.to_numpy()
    n_rows = int((np.searchsorted(cuts, people[FOLLOWUP]) - np.searchsorted(cuts, entry)).sum())
    reasons = []
    if n_rows > MOST_ROWS:
        cuts = np.unique(np.quantile(cuts, np.linspace(0, 1, STEPS + 1), method="nearest"))
        reasons = [reason("time_in_steps", steps=len(cuts))]
    spells, design, strata, cluster = _split(frame, cuts)
    ends = np.concatenate([cuts, cuts[-1:]])[np.minimum(spells["spell"], len(cuts))]
    product = f"{term} x log2(years)"
    design = design.assign(**{product: design[term] * np.log2(ends)})
    fit = _fit(spells, design, strata, cluster)
    base = counts(frame) | {"term": term, "per": unit_of(term, choices.per_years)[1], "reason": reasons}
    return [
        base | numbers(fit.terms.loc[term]) | {"measure": "hazard ratio", "horizon": 1.0},
        base | numbers(fit.terms.loc[product]) | {"measure": "ratio of hazard ratios", "per": f"{base['per']}, for each doubling of time"},
    ]  # fmt: skip


def _stretches(frame: ModelFrame, term: str, choices: Choices, split_years: Sequence[float]) -> list[dict]:
    """A hazard ratio for each stretch of follow-up, and the test that they differ."""
    cuts = np.array(sorted(split_years), dtype=np.float64)
    spells, design, strata, cluster = _split(frame, cuts)
    number = spells["spell"].to_numpy()
    deaths = np.bincount(number, weights=spells["event"], minlength=len(cuts) + 1)
    if (deaths < FEWEST_EVENTS).any():
        raise FitError("few_events_in_period", n_events=int(deaths.min()))
    edges = [0.0, *cuts]
    names = [
        f"{low:g} to {high:g} years" if high else f"after {low:g} years"
        for low, high in zip(edges, [*cuts, None], strict=True)
    ]
    own = pd.DataFrame({name: design[term] * (number == place) for place, name in enumerate(names)})
    others = design.drop(columns=term)
    fit = _fit(spells, pd.concat([own, others], axis=1), strata, cluster)
    change = likelihood_ratio_test(
        _fit(spells, design, strata, None), _fit(spells, pd.concat([own, others], axis=1), strata, None)
    )
    base = counts(frame) | {"per": unit_of(term, choices.per_years)[1]}
    rows = [
        base | numbers(fit.terms.loc[name]) | {
            "term": term, "measure": "hazard ratio", "period": name, "n": int((number == place).sum()),
            "n_events": int(deaths[place]), "reason": fit.reasons,
        }
        for place, name in enumerate(names)
    ]  # fmt: skip
    return [*rows, base | tested("interaction chi-square", change) | {"term": term, "per": ""}]
