"""Do hazard ratios hold over the whole follow-up? The test, the picture, and where they do not, what else can
be said.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from faceage_bio.analyses.survival.cox_models import (
    Choices,
    ModelFrame,
    counts,
    model_frame,
    of_model,
    of_question,
    term_rows,
)
from faceage_bio.analyses.survival.curves import TERTILES, curve_of, each_group, part, stacked
from faceage_bio.analyses.survival.sequential_models import adjustment_steps
from faceage_bio.core.columns import AGE_ACCELERATION, COHORT, EVENT, FACE_AGE, FOLLOWUP
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.row import counted, result_rows, tested
from faceage_bio.core.settings.settings_survival import Survival
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_fit import CoxFit, likelihood_ratio_test, numbers
from faceage_bio.stats.cox_likelihood import split_follow_up
from faceage_bio.stats.cox_ph import GLOBAL, hazard_over_time, proportional_hazards_test, smooth_over_time
from faceage_bio.stats.kaplan_meier import difference, restricted_mean
from faceage_bio.stats.linear import NORMAL_975
from faceage_bio.stats.minimum_sizes import EVENTS_OF_BIN, EVENTS_PER_TERM_OF_CURVE, FEWEST_EVENTS
from faceage_bio.stats.smoothing import natural_spline, place_knots

TRANSFORM = "km"
CHI_SQUARE = "proportional hazards chi-square"
BINS = 10
YEARS_LIVED, MEAN_DIFFERENCE = "years lived", "difference of restricted mean survival time"
MOST_ROWS = 1_000_000  # of start-stop rows; beyond, time goes in steps
STEPS = 100
STRATA, LOG_TIME, STRETCHES = "strata", "changing with log time", "stretches of follow-up"
CURVATURE, ANY = "non-linearity chi-square", "association chi-square"
DF = 3
PLACES = 61
SHOWN = (0.025, 0.975)  # quantiles of age acceleration between which the curve is drawn
BIN_YEARS = 5


@dataclass(frozen=True)
class ProportionalHazards:
    """``tests``: one row per term and GLOBAL; ``curve``: hazard ratios over time, smooth and binned;
    ``remedies``.
    """

    tests: pd.DataFrame
    curve: pd.DataFrame
    remedies: pd.DataFrame


def proportional_hazards(
    usable: pd.DataFrame,
    choices: Choices,
    cohort: str,
    settings: Survival,
) -> ProportionalHazards:
    """R's ``cox.zph`` of the model with age and of the last of the sequentially adjusted models; a factor's
    columns are one term.

    Parameters
    ----------
    settings : Survival
        A term with a p-value below alpha gets its remedy: strata of a factor, a number's hazard ratio that
        changes with the logarithm of time and one for each stretch of follow-up (split_years, declared
        beforehand); besides both, years lived within rmst_years, which assume nothing.

    Returns
    -------
    ProportionalHazards
        ``curve``: step, term, kind ("smooth" or "binned"), years, hazard_ratio, ci_lower, ci_upper, n_events
        (of a bin).
    """
    tests, curves, remedied = [], [], []
    for step, held in main_steps(choices):
        columns = [FACE_AGE, *held]
        base = of_question(cohort, "proportional hazards") | of_model(usable, columns, choices)
        base |= {"step": step, "method": f"score test, transform {TRANSFORM}"}
        try:
            frame = model_frame(usable, columns, choices)
            base |= counts(frame)
            fit = frame.fit(cluster=None)
            terms = terms_of(frame)
            found = proportional_hazards_test(fit, TRANSFORM, terms)
        except (FitError, np.linalg.LinAlgError) as error:
            why = error.reason if isinstance(error, FitError) else reason("singular_information")
            tests.append(base | {"measure": CHI_SQUARE, "reason": why})
            continue
        reasons = {"reason": [*fit.reasons, *frame.reasons]}
        for row in found.itertuples():
            test = tested(CHI_SQUARE, (row.chi_square, row.df, row.p_value))
            tests.append(base | reasons | test | {"term": row.term})
        if len(curve := _curves(fit, terms)):
            curves.append(curve.assign(step=step))
        offending = [
            row.term for row in found.itertuples() if row.p_value < settings.alpha and row.term != GLOBAL
        ]
        if offending or found["p_value"].iloc[-1] < settings.alpha:
            base["question"] = "not proportional"
            made = remedies(usable, columns, frame, terms, offending, choices, settings)
            remedied += [base | row for row in made]
    return ProportionalHazards(
        result_rows(tests, "survival/proportional_hazards"),
        stacked(curves, cohort, "survival/proportional_hazards_curve"),
        result_rows(remedied, "survival/remedies"),
    )


def terms_of(frame: ModelFrame) -> dict[str, list[str]]:
    """The columns of each covariate in the design."""
    terms = {
        name: [column for column in frame.design if column == name or column.startswith(f"{name}: ")]
        for name in frame.columns
    }
    return {name: columns for name, columns in terms.items() if columns}


def _curves(fit: CoxFit, terms: dict[str, list[str]]) -> pd.DataFrame:
    """Smooth and binned hazard ratios of each term of one column, over all event times."""
    parts = []
    over_time = hazard_over_time(fit, TRANSFORM)
    for term in (columns[0] for columns in terms.values() if len(columns) == 1):
        try:
            smooth = smooth_over_time(fit, over_time, term)
        except FitError:
            continue
        points = over_time.points[over_time.points[term].notna()].sort_values("years")
        n_bins = min(BINS, len(points) // EVENTS_OF_BIN)
        if n_bins < 2:
            continue
        number = np.arange(len(points)) * n_bins // len(points)
        binned = points.groupby(number).agg(
            years=("years", "mean"), value=(term, "mean"), n_events=(term, "size")
        )
        parts += [
            np.exp(smooth[["log_hazard_ratio", "ci_lower", "ci_upper"]])
            .rename(columns={"log_hazard_ratio": "hazard_ratio"})
            .assign(term=term, kind="smooth", years=smooth["years"], n_events=np.nan),
            binned.assign(
                hazard_ratio=np.exp(binned["value"]),
                term=term,
                kind="binned",
                ci_lower=np.nan,
                ci_upper=np.nan,
            ),
        ]
    names = ["term", "kind", "years", "hazard_ratio", "ci_lower", "ci_upper", "n_events"]
    return pd.concat(parts, ignore_index=True)[names] if parts else pd.DataFrame(columns=names)


# What is said where a hazard ratio changes over time: strata, a ratio for each time, and years lived, which
# assume nothing.


def remedies(
    usable: pd.DataFrame,
    columns: Sequence[str],
    frame: ModelFrame,
    terms: Mapping[str, Sequence[str]],
    offending: Sequence[str],
    choices: Choices,
    settings: Survival,
) -> list[dict]:
    """Rows with ``remedy``: the model again with strata of the offending factors, each offending number let
    free, and years lived, which assume nothing (and hold nothing constant).
    """
    factors = [name for name in offending if len(terms[name]) > 1 or terms[name][0] != name]
    numeric = [name for name in offending if name not in factors]
    rows = []
    if factors:
        rows += _attempt(STRATA, FACE_AGE, lambda: _stratified(usable, columns, factors, choices))
    for term in numeric:
        rows += _attempt(LOG_TIME, term, lambda term=term: _log_time(frame, term, choices))
        rows += _attempt(
            STRETCHES, term, lambda term=term: _stretches(frame, term, choices, settings.split_years)
        )
    return rows + _attempt(
        YEARS_LIVED, AGE_ACCELERATION, lambda: _years_lived(frame.people, settings.rmst_years)
    )


def _attempt(remedy: str, term: str, compute: Callable[[], list[dict]]) -> list[dict]:
    try:
        return [{"remedy": remedy} | row for row in compute()]
    except FitError as error:
        measure = MEAN_DIFFERENCE if remedy == YEARS_LIVED else "hazard ratio"
        return [{"remedy": remedy, "term": term, "measure": measure, "reason": error.reason}]


def _stratified(
    usable: pd.DataFrame, columns: Sequence[str], factors: list[str], choices: Choices
) -> list[dict]:
    """The same model with a baseline hazard for each level of the factors that are not proportional."""
    within = replace(choices, strata=list(dict.fromkeys([*choices.strata, *factors])))
    frame = model_frame(usable, columns, within)
    fit = frame.fit()
    left = proportional_hazards_test(frame.fit(cluster=None), terms=None).set_index("term")
    p = f"{left.loc[GLOBAL, 'p_value']:.3f}"
    base = {"measure": "hazard ratio", "reason": reason("within_strata", columns=factors, p=p)}
    return [counts(frame) | base | row for row in term_rows(frame, fit.terms, choices)]


def _years_lived(people: pd.DataFrame, rmst_years: float) -> list[dict]:
    """Restricted means of the thirds by age acceleration: the older-looking and the middle against the
    younger-looking.
    """
    grouping = part(people, AGE_ACCELERATION, TERTILES)
    if grouping.reason is not None:
        raise FitError(grouping.reason.code, **grouping.reason.parameters)
    means, remarks = {}, [reason("unadjusted")]
    _, *thirds = each_group(people, [grouping])
    for third in thirds:
        curve, told = curve_of(third, Survival().interval)
        means[third.name] = restricted_mean(curve, rmst_years)
        remarks += told
    first, *others = grouping.levels
    rows = []
    for level in others:
        both = people[grouping.groups.isin([first, level])]
        about = {"term": AGE_ACCELERATION, "exposure": AGE_ACCELERATION, "level": level, "reference": first}
        about |= {"measure": MEAN_DIFFERENCE, "horizon": rmst_years}
        about |= {"adjustment": "unadjusted", "covariates": "", "reason": remarks}
        rows.append(about | vars(difference(means[level], means[first])) | counted(both))
    return rows


def _split(frame: ModelFrame, cuts: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame, Callable[..., CoxFit]]:
    """Start-stop rows of a model: spells, their design, and the function that fits a design to them."""
    spells = split_follow_up(frame.people[FOLLOWUP], frame.people[EVENT], frame.entry, cuts)

    def again(values):
        return None if values is None else values.iloc[spells["row"]].reset_index(drop=True)

    def fit(design: pd.DataFrame, **options) -> CoxFit:
        labels = {"strata": again(frame.strata), "cluster": again(frame.cluster)} | options
        return fit_cox(spells["stop"], spells["event"], design, spells["start"], **labels)

    return spells, again(frame.design), fit


def _log_time(frame: ModelFrame, term: str, choices: Choices) -> list[dict]:
    """Term times log(years), as R's ``tt()``: the ratio at one year, and by how much each doubling of time
    changes it.
    """
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
    spells, design, fit_to = _split(frame, cuts)
    ends = np.concatenate([cuts, cuts[-1:]])[np.minimum(spells["spell"], len(cuts))]
    product = f"{term} x log2(years)"
    terms = fit_to(design.assign(**{product: design[term] * np.log2(ends)})).terms
    per = choices.per(term)
    base = counts(frame) | {"term": term, "reason": reasons}
    at_one_year = {"measure": "hazard ratio", "per": per, "horizon": 1.0}
    change = {"measure": "ratio of hazard ratios", "per": f"{per}, for each doubling of time"}
    return [
        base | at_one_year | numbers(terms.loc[term]),
        base | change | numbers(terms.loc[product]),
    ]


def _stretches(frame: ModelFrame, term: str, choices: Choices, split_years: Sequence[float]) -> list[dict]:
    """A hazard ratio for each stretch of follow-up, and the test that they differ."""
    cuts = np.array(sorted(split_years), dtype=np.float64)
    spells, design, fit_to = _split(frame, cuts)
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
    by_period = pd.concat([own, design.drop(columns=term)], axis=1)
    fit = fit_to(by_period)
    change = likelihood_ratio_test(fit_to(design, cluster=None), fit_to(by_period, cluster=None))
    base = counts(frame) | {"term": term}
    ratio = {"measure": "hazard ratio", "per": choices.per(term), "reason": fit.reasons}
    rows = []
    for place, name in enumerate(names):
        spell = {"period": name, "n": int((number == place).sum()), "n_events": int(deaths[place])}
        rows.append(base | ratio | numbers(fit.terms.loc[name]) | spell)
    return [*rows, base | tested("interaction chi-square", change)]


# Is the hazard a straight line in age acceleration? A natural spline, the test of its curvature, and the
# curve as data.


@dataclass(frozen=True)
class HazardCurve:
    """``rows``: tests; ``curve``: hazard ratio by years of acceleration; ``histogram``: how many participants
    carry it.
    """

    rows: pd.DataFrame
    curve: pd.DataFrame
    histogram: pd.DataFrame


def main_steps(choices: Choices) -> list[tuple[str, list[str]]]:
    """The two models that further questions are asked of: with age alone, and the last of the sequentially
    adjusted models.
    """
    steps = adjustment_steps(choices)
    return [steps[1], *steps[-1:]] if len(steps) > 2 else [steps[1]]


def hazard_curve(usable: pd.DataFrame, choices: Choices, cohort: str) -> HazardCurve:
    """Cox models with a natural cubic spline of age acceleration (3 degrees of freedom), age and covariates
    adjusted for.

    Knots are R's ``ns``: ends at the range, inner ones at the tertiles of the model's complete rows.
    Likelihood-ratio tests: of curvature (against the straight line) and of any association.

    Returns
    -------
    HazardCurve
        ``curve``: of models with 5 deaths per term and more: step, years, hazard_ratio against acceleration 0
        (or the median, where no participant is so), ci_lower, ci_upper. ``histogram``: lower, upper, n,
        n_events in steps of 5 years.
    """
    rows, curves = [], []
    for step, held in main_steps(choices):
        columns = [AGE_ACCELERATION, *held]
        base = of_question(cohort, "hazard curve") | of_model(usable, columns, choices) | {"step": step}
        base["model"] += ", natural spline"
        try:
            found, curve = _one_model(usable, columns, choices)
            rows += [base | row for row in found]
            if found[0]["events_per_term"] < EVENTS_PER_TERM_OF_CURVE:
                no_curve = reason("no_curve", needed=EVENTS_PER_TERM_OF_CURVE)
                rows[-1]["reason"] = [*rows[-1]["reason"], no_curve]
            else:
                curves.append(curve.assign(step=step))
        except FitError as error:
            rows.append(base | {"measure": CURVATURE, "df": DF - 1, "reason": error.reason})
    return HazardCurve(
        result_rows(rows, "survival/hazard_curve_tests"),
        stacked(curves, cohort, "survival/hazard_curve"),
        result_rows(_histogram(usable).assign(**{COHORT: cohort}), "survival/hazard_curve_histogram"),
    )


def _one_model(usable: pd.DataFrame, columns: list[str], choices: Choices) -> tuple[list[dict], pd.DataFrame]:
    frame = model_frame(usable, columns, choices)
    x = frame.people[AGE_ACCELERATION].to_numpy()
    knots = place_knots(x, DF)
    others = frame.design.drop(columns=AGE_ACCELERATION)
    basis = natural_spline(x, knots, AGE_ACCELERATION).set_axis(others.index)
    # likelihoods do not know of clusters, so tests are of the models without
    curved = frame.fit(pd.concat([basis, others], axis=1), cluster=None)
    straight = frame.fit(pd.concat([basis.iloc[:, :1], others], axis=1), cluster=None)
    without = frame.fit(others, cluster=None)
    inner = ", ".join(f"{knot:.1f}" for knot in knots.inner)
    shared = counts(frame) | {
        "reason": [*curved.reasons, *frame.reasons],
        "method": f"Cox, Efron ties, natural spline with inner knots at {inner}",
    }
    rows = [
        shared | tested(measure, likelihood_ratio_test(smaller, curved))
        for measure, smaller in ((CURVATURE, straight), (ANY, without))
    ]
    low, high = np.quantile(x, SHOWN)
    zero = 0.0 if low <= 0 <= high else float(np.median(x))
    at = np.linspace(low, high, PLACES)
    own = list(basis)
    away, reference = (
        natural_spline(years, knots, AGE_ACCELERATION).to_numpy() for years in (at, np.array([zero]))
    )
    away = away - reference
    fit = curved if frame.cluster is None else frame.fit(pd.concat([basis, others], axis=1))
    value = away @ fit.terms.loc[own, "log_hazard_ratio"].to_numpy()
    error = np.sqrt(np.einsum("ij,jk,ik->i", away, fit.covariance.loc[own, own].to_numpy(), away))
    log_ratios = {"hazard_ratio": value, "ci_lower": value - NORMAL_975 * error}
    log_ratios["ci_upper"] = value + NORMAL_975 * error
    return rows, np.exp(pd.DataFrame(log_ratios)).assign(years=at)


def _histogram(usable: pd.DataFrame) -> pd.DataFrame:
    lower = (usable[AGE_ACCELERATION] // BIN_YEARS * BIN_YEARS).rename("lower")
    counted = usable.groupby(lower)[EVENT].agg(n="size", n_events="sum").reset_index()
    counted.insert(1, "upper", counted["lower"] + BIN_YEARS)
    return counted
