"""One score, two ages, the same people: everything that is said about the swap, as one result table."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pandas as pd

from faceage_bio.analyses.scores.calculate import (
    BY_AGE,
    CONTINUOUS_AGE,
    CONTINUOUS_FACE,
    FIXED,
    MATCHED,
    Swap,
    Version,
    absent_columns,
    lacking,
    read_answers,
    swap_ages,
)
from faceage_bio.analyses.scores.definition import Score
from faceage_bio.core.columns import AGE, COHORT, ENTRY, EVENT, FACE_AGE, FOLLOWUP
from faceage_bio.core.errors import ConfigError, FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.core.results.row import counted, result_rows, tested
from faceage_bio.core.settings.settings_survival import Scores
from faceage_bio.intake.observation import entry_of
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_fit import CoxFit, likelihood_ratio_test, numbers
from faceage_bio.stats.kaplan_meier import kaplan_meier, median
from faceage_bio.stats.minimum_sizes import check_events, why_not_by
from faceage_bio.stats.resampling import areas, concordances, draw_counts, percentile_interval

MONTHS = 12  # in a year
MEDIAN, PARTICIPANTS, CHI_SQUARE = "median survival", "participants", "likelihood-ratio chi-square"
INTERVAL = "Kaplan-Meier, log-log interval"
COX = "Cox, Efron ties, Wald interval"
EMPTY, CANNOT = reason("empty_group"), reason("impossible_move")
KEPT, NEVER, GAINED, LOST = "points both ways", "points neither way", "gained points", "lost points"
HARRELL, AUC = "Harrell's C", "AUC"
MOST_LOST = 0.05  # share of resamples without a number from which on the row says so
TABLE, DEATH = "scores/comparison", "death"
OTHERS = "other items"  # the term of their points in models without cuts


def median_months(people: pd.DataFrame) -> dict:
    """Counts and median survival of some participants as fields of a result row."""
    row = counted(people) | {"measure": MEDIAN, "unit": "months", "method": INTERVAL}
    if not len(people):
        return row | {"reason": EMPTY}
    found = median(kaplan_meier(people[FOLLOWUP], people[EVENT], people[ENTRY]))
    months = {name: getattr(found, name) * MONTHS for name in ("estimate", "ci_lower", "ci_upper")}
    return row | months | {"reason": None if np.isfinite(found.estimate) else reason("not_reached")}


def group_rows(people: pd.DataFrame, version: Version, score: Score) -> list[dict]:
    """Median survival per group."""
    base = {"question": "groups", "version": version.name}
    return [
        base | {"term": name} | median_months(people[version.groups == name]) for name in score.group_names
    ]


def _of_cox(version: str) -> dict:
    return {"question": "cox", "version": version, "measure": "hazard ratio", "method": COX}


def hazard_rows(people: pd.DataFrame, version: Version, score: Score, reference: str) -> list[dict]:
    """Hazard ratios of the groups against the declared one."""
    base = _of_cox(version.name) | counted(people) | {"reference": reference}
    sizes = version.groups.value_counts()
    others = [name for name in score.group_names if name != reference]
    present = [name for name in others if sizes.get(name, 0)]
    empty = [base | {"term": name, "level": name, "reason": EMPTY} for name in others if name not in present]
    try:
        if not sizes.get(reference, 0):
            raise FitError("empty_reference", group=reference)
        if not present:
            raise FitError("one_group")
        check_events(people[EVENT])
        # a group without a death changes no other ratio, and its own would be 0
        dead = people[EVENT].groupby(version.groups).sum()
        fitted = [name for name in present if dead.get(name, 0)]
        if not fitted:
            raise FitError("no_events")
        mine = people[version.groups.isin([reference, *fitted])]
        design = pd.DataFrame(
            {name: (version.groups[mine.index] == name).astype("float64") for name in fitted}
        )
        fit = fit_cox(mine[FOLLOWUP], mine[EVENT], design, entry_of(mine))
    except FitError as error:
        return [base | {"term": name, "level": name, "reason": error.reason} for name in present] + empty
    rows = []
    for name in present:
        row = base | {"term": name, "level": name}
        try:
            check_events(people.loc[version.groups == name, EVENT])
            rows.append(row | {"reason": fit.reasons} | numbers(fit.terms.loc[name]))
        except FitError as error:
            rows.append(row | {"reason": error.reason})
    return rows + empty


def move_rows(people: pd.DataFrame, before: Version, after: Version, score: Score) -> list[dict]:
    """Who goes from which group to which, and who gains or loses points for age; survival of each."""
    rows, possible = [], score.moves_between(AGE)
    for one, other in product(score.group_names, repeat=2):
        row = {"question": "movers", "term": f"{one} to {other}", "from_group": one, "to_group": other}
        row |= median_months(people[(before.groups == one) & (after.groups == other)])
        rows.append(row if (one, other) in possible else row | {"reason": CANNOT})
    change = after.age_points - before.age_points
    kinds = {
        KEPT: (change == 0) & (before.age_points != 0),
        NEVER: (change == 0) & (before.age_points == 0),
        GAINED: change > 0,
        LOST: change < 0,
    }
    for kind, chosen in kinds.items():
        rows.append({"question": "points", "term": kind} | median_months(people[chosen]))
    return [row | {"version": after.name} for row in rows]


def cut_rows(swap: Swap, n: int) -> list[dict]:
    """The cuts, how many are beyond them, and by how many more than by age."""
    rows, first = [], swap.versions[0]
    by_age = int(first.age_points.ne(0).sum())
    for version in swap.versions:
        base = {"question": "cut", "version": version.name, "n": n, "reason": version.reason}
        cut_point = base | {"measure": "cut-point"}
        rows += [cut_point | {"term": label, "estimate": cut} for label, cut in version.cuts.items()]
        count = int(version.age_points.ne(0).sum())
        base["term"] = "points for age"
        rows.append(base | {"measure": PARTICIPANTS, "estimate": count})
        if version is not first:
            rows.append(base | {"measure": f"difference in {PARTICIPANTS}", "estimate": count - by_age})
    return rows


def continuous_fits(people: pd.DataFrame, swap: Swap, per_years: float) -> dict[str, CoxFit]:
    """Cox models without cuts: points of the other items, and age, face age or both, as numbers.

    Raises
    ------
    FitError
        One of them cannot be fitted.
    """
    check_events(people[EVENT])
    values = _without_cuts(people, swap.other_points, per_years)
    others = [OTHERS] if swap.other_points.nunique() > 1 else []

    def fit(*names: str) -> CoxFit:
        design = values[[*others, *names]]
        return fit_cox(people[FOLLOWUP], people[EVENT], design, entry_of(people))

    return {CONTINUOUS_AGE: fit(AGE), CONTINUOUS_FACE: fit(FACE_AGE), "both": fit(AGE, FACE_AGE)}


def _without_cuts(people: pd.DataFrame, other_points: pd.Series, per_years: float) -> pd.DataFrame:
    """The columns of the models without cuts."""
    return (people[[AGE, FACE_AGE]] / per_years).assign(**{OTHERS: other_points})


def continuous_rows(fits: dict[str, CoxFit], per_years: float) -> list[dict]:
    """Hazard ratios of the models without cuts, and the one likelihood-ratio test that is one."""
    rows = []
    for name in (CONTINUOUS_AGE, CONTINUOUS_FACE):
        fit = fits[name]
        base = _of_cox(name) | {"n": fit.n, "n_events": fit.n_events, "reason": fit.reasons}
        for term, row in fit.terms.iterrows():
            per = "point" if term == OTHERS else f"{per_years:g} years"
            rows.append(base | {"term": term, "per": per} | numbers(row))
    both = fits["both"]
    base = {"question": "likelihood ratio", "n": both.n, "n_events": both.n_events}
    for name, added in ((CONTINUOUS_AGE, "face age"), (CONTINUOUS_FACE, "age")):
        known = "age" if name == CONTINUOUS_AGE else "face age"
        row = base | {"term": f"{added}, added to the other items and {known}"}
        rows.append(row | tested(CHI_SQUARE, likelihood_ratio_test(fits[name], both)))
    not_nested = {"measure": CHI_SQUARE, "reason": reason("models_not_nested")}
    return [*rows, base | not_nested | {"term": "age against face age, with or without cuts"}]


def discrimination_rows(
    people: pd.DataFrame,
    risks: dict[str, pd.Series],
    pairs: Sequence[tuple[str, str]],
    *,
    horizons_months: Sequence[float],
    resamples: int,
    seed: int,
) -> list[dict]:
    """Harrell's C and areas under ROC curves at horizons of each risk, and their differences.

    Participants are resampled, and in each resample all risks are judged on the same participants, so that
    differences are paired. Cuts and coefficients stay those of the whole cohort.

    Parameters
    ----------
    people : DataFrame with follow-up
    risks : name -> float Series by the index of ``people``; higher means sooner
    pairs : (other, first): differences of other minus first
    """
    years, event = people[FOLLOWUP].to_numpy(), people[EVENT].to_numpy()
    method = f"{resamples} paired bootstrap resamples of participants, percentile interval, seed {seed}"
    base = {"question": "discrimination", "n": len(people), "method": method}
    counts = np.vstack([np.ones(len(people)), draw_counts(len(people), resamples, seed)])
    entry = entry_of(people)
    rows = []
    measures = {(HARRELL, None): lambda risk: concordances(years, event, risk, counts, entry)}
    for horizon in (months / MONTHS for months in horizons_months):
        late = None if entry is None else reason("late_entry", method="an area under the ROC curve at a time")
        if not (why := late or why_not_by(horizon, years, event)):
            measures[AUC, horizon] = lambda risk, horizon=horizon: areas(years, event, risk, horizon, counts)
        else:
            at = base | {"measure": AUC, "horizon": horizon, "n_events": _deaths_by(years, event, horizon)}
            rows += [at | {"term": name, "reason": why} for name in risks]
    for (measure, horizon), compute in measures.items():
        told = base | {"horizon": horizon, "n_events": _deaths_by(years, event, horizon)}
        found = {name: compute(risk.to_numpy(dtype=np.float64)) for name, risk in risks.items()}
        for name, values in found.items():
            rows.append(told | {"term": name, "measure": measure} | _estimate(values))
        for other, first in pairs:
            if other in found and first in found:
                difference = {"term": f"{other} minus {first}", "measure": f"difference of {measure}"}
                rows.append(told | difference | _estimate(found[other] - found[first]))
    return rows


def _deaths_by(years: np.ndarray, event: np.ndarray, horizon: float | None) -> int:
    return int((event[years <= horizon] if horizon is not None else event).sum())


def _estimate(values: np.ndarray) -> dict:
    """The first value is that of the participants themselves, the others those of resamples."""
    if not np.isfinite(values[0]):
        return {"reason": reason("no_cases_or_controls_then")}
    low, high = percentile_interval(values[1:])
    lost = int((~np.isfinite(values[1:])).sum())
    remark = reason("lost_resamples", lost=lost) if lost > MOST_LOST * (len(values) - 1) else None
    return {"estimate": values[0], "ci_lower": low, "ci_upper": high, "reason": remark}


def compare_score(
    followed: pd.DataFrame,
    score: Score,
    name: str,
    settings: Scores,
    per_years: float,
    cohort: str,
    source: str,
    lines: Sequence[int],
) -> pd.DataFrame:
    """Groups, hazard ratios, discrimination, movers and cuts of a score with age and with face age.

    Parameters
    ----------
    followed : DataFrame
        Participants with follow-up: the score's columns, chronological_age, face_age, entry_years,
        followup_years, event.
    name : how the config names the score
    per_years : years that hazard ratios of ages are given for
    source, lines : file, and the line of each row in it, for errors

    Returns
    -------
    DataFrame, result rows
        Questions "groups", "cox", "discrimination", "movers", "points", "cut" and "likelihood ratio"; columns
        ``score``, ``version`` (which age, which cut), ``from_group``, ``to_group``, ``method``. What cannot
        be had keeps a row.

    Raises
    ------
    CohortError
        Cells that are not what their item needs.
    ConfigError
        The reference group is none of the score's.
    """
    reference = _reference(score, settings)
    base = {COHORT: cohort, "outcome": DEATH, "score": name, "model": score.title}
    base["adjustment"] = "unadjusted"
    if why := _impossible(followed, score):
        return result_rows([base | _nothing(why)], TABLE)
    answers = read_answers(followed, score, source, lines).of(followed[FACE_AGE].notna())
    people = followed.loc[answers.values.index]
    if not len(people):
        return result_rows([base | _nothing(reason("no_complete_score", n=len(followed)))], TABLE)
    swap = swap_ages(people, answers, score)
    rows = cut_rows(swap, len(people))
    for version in swap.versions:
        rows += group_rows(people, version, score)
        rows += hazard_rows(people, version, score, reference)
        if version.name != BY_AGE:
            rows += move_rows(people, swap.versions[0], version, score)
    rows += [_nothing(why, version) | {"n": np.nan} for version, why in swap.failed.items()]
    sign = 1 if score.more_points == "worse" else -1
    risks = {version.name: sign * version.totals for version in swap.versions}
    try:
        fits = continuous_fits(people, swap, per_years)
        rows += continuous_rows(fits, per_years)
        for version in (CONTINUOUS_AGE, CONTINUOUS_FACE):
            terms = fits[version].terms["log_hazard_ratio"]
            values = _without_cuts(people, swap.other_points, per_years)[terms.index]
            risks[version] = values.mul(terms).sum(axis=1, skipna=False)
    except FitError as error:
        row = {"question": "cox", "version": CONTINUOUS_FACE, "term": FACE_AGE, "measure": "hazard ratio"}
        rows.append(row | counted(people) | {"reason": error.reason})
    rows += discrimination_rows(
        people,
        risks,
        [(FIXED, BY_AGE), (MATCHED, BY_AGE), (CONTINUOUS_FACE, CONTINUOUS_AGE)],
        horizons_months=settings.horizons_months,
        resamples=settings.bootstraps,
        seed=settings.seed,
    )
    exposures = dict.fromkeys((BY_AGE, CONTINUOUS_AGE), AGE)
    return result_rows(
        [base | {"exposure": exposures.get(row.get("version"), FACE_AGE)} | row for row in rows], TABLE
    )


def _impossible(followed: pd.DataFrame, score: Score) -> Reason | None:
    """Why no age of the score can be swapped, whoever the participants are."""
    if followed.empty:
        return reason("no_usable_follow_up")
    if missing := absent_columns(followed, score):
        return lacking(missing)
    if AGE not in score.columns:
        return reason("no_item_on_age", score=score.title, column=AGE)
    return None


def _nothing(why: Reason, version: str = BY_AGE) -> dict:
    """The only row of a score that cannot be compared, or of a version of it."""
    return {"question": "groups", "version": version, "term": "all", "measure": MEDIAN, "n": 0, "reason": why}


def _reference(score: Score, settings: Scores) -> str:
    reference = settings.reference_group or score.reference_group
    if reference not in score.group_names:
        raise ConfigError(
            f"scores.reference_group: {reference!r} is no group of {score.title}. Expected one of {', '.join(score.group_names)}. Name one of "
            "them, or leave it empty (null) for the one that the score's own file declares."
        )
    return reference
