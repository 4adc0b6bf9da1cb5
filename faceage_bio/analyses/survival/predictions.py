"""What Cox models predict for participants, and how good it is: C, AUC(t), Brier scores and slope at the
times that can be told.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from faceage_bio.analyses.survival.cox_models import (
    WORDS,
    Choices,
    ModelFrame,
    adjusted_for,
    model_frame,
    name_of,
)
from faceage_bio.core.columns import AGE, AGES_COMPARED, EVENT, FACE_AGE, FOLLOWUP
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import Reason, reason
from faceage_bio.stats.calibration import (
    Optimism,
    calibration_curve,
    calibration_groups,
    calibration_in_the_large,
    calibration_slope,
    draws,
    net_benefit,
    observed_risk,
    optimism,
)
from faceage_bio.stats.concordance import concordance, uno_concordance
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_fit import CoxFit, likelihood_ratio_test, linear_predictor, survival_at
from faceage_bio.stats.linear import Estimate
from faceage_bio.stats.minimum_sizes import EVENTS_OF_PREDICTION, PER_RISK_GROUP, why_not_by
from faceage_bio.stats.prediction_accuracy import Measured, against, brier, censored_auc, integrated

GRID = 20  # times of the integrated Brier score
HARRELL, UNO, AUC, BRIER, SCALED, INTEGRATED, SLOPE = (
    "Harrell's C", "Uno's C", "AUC", "Brier score", "scaled Brier score", "integrated Brier score", "calibration slope",
)  # fmt: skip
CURVE_POINTS = 41
INNER = (0.025, 0.975)  # share of the people whose predictions the curve spans
THRESHOLD_STEP = 0.01
MOST_ERROR = 0.1  # Monte Carlo standard error of an optimism that is told
SPAN = (0.05, 0.95)  # of the predicted risks, between which thresholds lie
RATIO, OBSERVED = "observed/expected ratio", "observed risk"
SMOOTHED, DISTANCE = "smoothed observed risk", "integrated calibration index"
DIFFERENCES = {name: f"difference of {name}" for name in (HARRELL, UNO, AUC, BRIER, SCALED, INTEGRATED)}


@dataclass(frozen=True, eq=False)
class Outcome:
    """Whom predictions are held against; arrays of shape (n,), None where there is nothing of the kind."""

    years: np.ndarray
    event: np.ndarray
    entry: np.ndarray | None
    strata: np.ndarray | None
    cluster: np.ndarray | None

    def __len__(self) -> int:
        return len(self.years)

    def of(self, rows: np.ndarray) -> "Outcome":
        """Some rows, such as a bootstrap sample."""
        parts = (self.years, self.event, self.entry, self.strata, self.cluster)
        return Outcome(*(None if part is None else part[rows] for part in parts))

    @property
    def seen(self) -> tuple[np.ndarray, np.ndarray]:
        """Years and event."""
        return self.years, self.event

    def why_not(self, time: float) -> Reason | None:
        """Why nothing can be said of a time, if nothing can."""
        return why_not_by(time, *self.seen)


def outcome_of(frame: ModelFrame) -> Outcome:
    """The participants of a model."""

    def array(part: pd.Series | None) -> np.ndarray | None:
        return None if part is None else part.to_numpy()

    years, event = (frame.people[name].to_numpy(dtype=np.float64) for name in (FOLLOWUP, EVENT))
    return Outcome(years, event, array(frame.entry), array(frame.strata), array(frame.cluster))


@dataclass(frozen=True, eq=False)
class Predictions:
    """``line``: log hazard ratios, shape (n, k) for k models; ``risk``: of having died by each time, shape
    (n, k, t).
    """

    line: np.ndarray
    risk: np.ndarray


def predict(
    fits: Sequence[CoxFit], designs: Sequence[pd.DataFrame], times: Sequence[float], outcome: Outcome
) -> Predictions:
    """What the models say of the rows of their designs."""
    line = np.column_stack([linear_predictor(fit, design) for fit, design in zip(fits, designs, strict=True)])
    strata = None if outcome.strata is None else pd.Series(outcome.strata)
    risk = [
        1 - survival_at(fit, design, np.asarray(times, dtype=np.float64), strata)
        for fit, design in zip(fits, designs, strict=True)
    ]
    return Predictions(line, np.stack(risk, axis=1))


def fit_all(designs: Sequence[pd.DataFrame], outcome: Outcome) -> list[CoxFit]:
    """A Cox model of each design."""
    return [fit_cox(*outcome.seen, design, outcome.entry, strata=outcome.strata) for design in designs]


def marks(predictions: Predictions, number: int, outcome: Outcome) -> np.ndarray:
    """What orders participants at a time: the hazard, or with strata, whose hazards cannot be compared, the
    risk.
    """
    return predictions.line if outcome.strata is None else np.round(predictions.risk[:, :, number], 10)


def measure(
    predictions: Predictions,
    outcome: Outcome,
    times: Sequence[float],
    fits: Sequence[CoxFit],
    designs: Sequence[pd.DataFrame],
) -> dict[tuple[str, float], Measured | Reason]:
    """All measures that come with an error, by name and time (NaN: no single one), or why they cannot be
    told.

    The scaled Brier score is against the Kaplan-Meier risk that is the same for all participants; Uno's C and
    the integrated score run up to the last time that can be told.

    Parameters
    ----------
    predictions : of the fits, at ``times``
    """
    found: dict[tuple[str, float], Measured | Reason] = {}

    def keep(name: str, time: float, value: Measured) -> None:
        found[name, time] = value if outcome.cluster is None else value.clustered(outcome.cluster)

    keep(HARRELL, np.nan, concordance(*outcome.seen, predictions.line, outcome.entry, strata=outcome.strata))
    late = None
    if outcome.entry is not None:
        late = reason("late_entry", method="inverse probability of censoring weighting")
    for number, time in enumerate(times):
        why = late or outcome.why_not(time)
        if why:
            found |= dict.fromkeys([(AUC, time), (BRIER, time), (SCALED, time)], why)
            continue
        keep(AUC, time, censored_auc(marks(predictions, number, outcome), *outcome.seen, time))
        scores = brier(_with_nobody(predictions.risk[:, :, number], outcome, time), *outcome.seen, time)
        own = Measured(scores.value[:-1], scores.influence[:, :-1])
        keep(BRIER, time, own)
        scaled = against(scores, -1)
        keep(SCALED, time, Measured(scaled.value[:-1], scaled.influence[:, :-1], low=scaled.low, null=0.0))
    told = evaluable_times(outcome, times)
    if late or not told:
        why = late or reason("few_at_all_times")
        return found | dict.fromkeys([(UNO, np.nan), (INTEGRATED, np.nan)], why)
    weighted = uno_concordance(*outcome.seen, predictions.line, strata=outcome.strata, until=told[-1])
    keep(UNO, np.nan, weighted)
    grid = np.linspace(0, told[-1], GRID + 1)[1:]
    risk = predict(fits, designs, grid, outcome).risk
    scores = [brier(risk[:, :, number], *outcome.seen, time) for number, time in enumerate(grid)]
    keep(INTEGRATED, np.nan, integrated(scores, grid))
    return found


def evaluable_times(outcome: Outcome, times: Sequence[float]) -> list[float]:
    """The times of which something can be said, in order."""
    return sorted(time for time in times if not outcome.why_not(time))


def _with_nobody(risk: np.ndarray, outcome: Outcome, time: float) -> np.ndarray:
    """Predicted risks, and as a last column the one of Kaplan-Meier."""
    return np.column_stack([risk, np.full(len(risk), observed_risk(*outcome.seen, time).estimate)])


def estimate_optimism(
    designs: Sequence[pd.DataFrame],
    outcome: Outcome,
    times: Sequence[float],
    *,
    repeats: int,
    seed: int,
    done,
) -> tuple[dict[tuple[str, float], np.ndarray], Optimism]:
    """By how much each measure flatters each model: shape (k,) by name and time, and how many samples failed.

    NaN where its Monte Carlo standard error is above 0.1.

    Parameters
    ----------
    times : those that can be told
    repeats, seed : of the bootstrap, whole clusters where there are any
    """
    times = [] if outcome.entry is not None else list(times)
    keys = [(HARRELL, np.nan), (SLOPE, np.nan), *((name, time) for time in times for name in (AUC, BRIER))]

    def at(score: Callable[..., Measured], marks_at: np.ndarray, seen: Outcome, time: float) -> np.ndarray:
        """A measure, or NaN where a sample reaches no such time."""
        try:
            return score(marks_at, *seen.seen, time).value
        except FitError:
            return np.full(marks_at.shape[1], np.nan)

    def values(
        fits: Sequence[CoxFit], rows: Sequence[pd.DataFrame], seen: Outcome, apparent: bool
    ) -> np.ndarray:
        predictions = predict(fits, rows, times or [0.0], seen)
        found = [concordance(*seen.seen, predictions.line, seen.entry, strata=seen.strata).value]
        slopes = [1.0 if apparent else _slope_of(line, seen).estimate for line in predictions.line.T]
        found.append(np.array(slopes))
        for number, time in enumerate(times):
            found.append(at(censored_auc, marks(predictions, number, seen), seen, time))
            found.append(at(brier, predictions.risk[:, :, number], seen, time))
        return np.array(found)

    def of_sample(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sample = outcome.of(rows)
        own = [design.iloc[rows].reset_index(drop=True) for design in designs]
        fits = fit_all(own, sample)
        return values(fits, own, sample, True), values(fits, designs, outcome, False)

    found = optimism(draws(len(outcome), repeats, seed, outcome.cluster), of_sample, done)
    # a slope is a ratio, which leaps where the model of a sample tells nothing
    told = np.where(found.error <= MOST_ERROR, found.mean, np.nan)
    return dict(zip(keys, told, strict=True)), found


def _slope_of(line: np.ndarray, outcome: Outcome, **options) -> Estimate:
    return calibration_slope(line, *outcome.seen, outcome.entry, strata=outcome.strata, **options)


# The questions that two models of the same participants answer: what face age tells beyond what is known
# without it.


@dataclass(frozen=True, eq=False)
class Asked:
    """Two models fitted to identical rows, the second with face age.

    ``names``, ``designs``, ``fits``: of either model; ``tests``: (words, (chi-square, degrees of freedom,
    p-value)); ``predictions``: at ``times``; ``held``: what both models are adjusted for, as fields of a
    result row.
    """

    question: str
    frame: ModelFrame
    names: list[str]
    designs: list[pd.DataFrame]
    fits: list[CoxFit]
    tests: list[tuple[str, tuple[float, int, float]]]
    outcome: Outcome
    times: list[float]
    predictions: Predictions
    held: dict


def questions(usable: pd.DataFrame, choices: Choices) -> list[tuple[str, list[str]]]:
    """What is known without face age, by the question's name; in the last, face age takes the place of age."""
    known = [AGE, "sex"] if "sex" in usable and "sex" not in choices.strata else [AGE]
    asked = [(f"beyond {' and '.join(WORDS.get(name, name) for name in known)}", known)]
    clinical = list(dict.fromkeys([*known, *(name for name in choices.full if name not in choices.strata)]))
    if len(clinical) > len(known):
        asked.append(("beyond age and the clinical covariates", clinical))
    return [*asked, (AGES_COMPARED, [AGE])]


def ask(
    usable: pd.DataFrame, choices: Choices, question: str, known: list[str], times: Sequence[float]
) -> Asked:
    """Fit both models to the participants who have everything that either needs.

    Raises
    ------
    FitError
        Too few deaths, or a model that cannot be fitted.
    """
    frame = model_frame(usable, [FACE_AGE, *known], choices)
    if frame.people[EVENT].sum() < EVENTS_OF_PREDICTION:
        raise FitError("fewer_events", needed=EVENTS_OF_PREDICTION)
    if AGE not in frame.design:
        raise FitError("constant", column=AGE)
    held = [name for name in frame.columns if name != FACE_AGE]
    both, outcome = frame.design, outcome_of(frame)
    if question == AGES_COMPARED:
        designs, names = [both[[AGE]], both[[FACE_AGE]]], [WORDS[AGE], WORDS[FACE_AGE]]
    else:
        designs, names = [both.drop(columns=FACE_AGE), both], [name_of(held), name_of([*held, FACE_AGE])]
    both_held = adjusted_for([] if question == AGES_COMPARED else held, choices)
    if question != AGES_COMPARED and set(held) == {AGE, "sex"}:
        both_held["adjustment"] = "minimal"
    designs = [design.reset_index(drop=True) for design in designs]
    fits = fit_all(designs, outcome)
    tests = _tests(question, fits, both, outcome)
    predicted = predict(fits, designs, times, outcome)
    models = (question, frame, names, designs, fits, tests)
    return Asked(*models, outcome, list(times), predicted, both_held)


def _tests(
    question: str, fits: list[CoxFit], both: pd.DataFrame, outcome: Outcome
) -> list[tuple[str, tuple[float, int, float]]]:
    if question != AGES_COMPARED:
        return [("face age added", likelihood_ratio_test(*fits))]
    whole = fit_all([both.reset_index(drop=True)], outcome)[0]
    return [
        ("face age added to age", likelihood_ratio_test(fits[0], whole)),
        ("age added to face age", likelihood_ratio_test(fits[1], whole)),
    ]


# Rows of two models' predictions: calibration, and net benefit of acting on them.


def calibration_rows(asked: Asked, flattery: dict[tuple[str, float], np.ndarray], groups: int) -> list[dict]:
    """Slope, and at each time the risk observed against the risk predicted: on the whole, by groups, and as a
    curve.

    Parameters
    ----------
    flattery : optimism of the slope by (measure, time), from the bootstrap
    groups : of equal size by predicted risk, fewer where they would hold too few participants
    """
    outcome, rows = asked.outcome, []
    for number, name in enumerate(asked.names):
        base = asked.held | {"term": name, "model": name}
        rows.append(base | _slope(asked, number, flattery))
        for place, time in enumerate(asked.times):
            at = base | {"horizon": time}
            if why := outcome.why_not(time):
                rows.append(at | {"kind": "in the large", "measure": RATIO, "reason": [why]})
                continue
            rows += [at | row for row in _at(asked.predictions.risk[:, number, place], outcome, time, groups)]
    return rows


def _slope(asked: Asked, number: int, flattery: dict[tuple[str, float], np.ndarray]) -> dict:
    about = {"kind": "slope", "measure": SLOPE, "method": "Cox model of the linear predictor"}
    line, cluster = asked.predictions.line[:, number], asked.outcome.cluster
    try:
        found = _slope_of(line, asked.outcome, cluster=cluster)
    except FitError as error:  # one cluster, of which no error is known
        return about | {"reason": [error.reason]}
    excess = flattery[SLOPE, np.nan][number] if flattery else np.nan
    unknown = [reason("no_optimism_of_slope")] if flattery and np.isnan(excess) else []
    return (
        about
        | _interval(found)
        | {"optimism": excess, "corrected": found.estimate - excess, "reason": unknown}
    )


def _interval(found: Estimate) -> dict:
    return {name: getattr(found, name) for name in ("estimate", "ci_lower", "ci_upper")}


def _at(risk: np.ndarray, outcome: Outcome, time: float, groups: int) -> list[dict]:
    seen = (risk, *outcome.seen, time, outcome.entry)
    large = calibration_in_the_large(*seen)
    kaplan_meier = {"method": "Kaplan-Meier, log-log interval"}
    about = {"kind": "in the large", "measure": RATIO, "predicted": risk.mean()}
    rows = [about | _interval(large) | kaplan_meier]
    n_groups = max(1, min(groups, len(risk) // PER_RISK_GROUP))
    for row in calibration_groups(*seen, n_groups=n_groups).to_dict("records"):
        if row["observed"] == 0:  # limits of 0 and 0 would claim that no participant ever dies
            row |= {"ci_lower": np.nan, "ci_upper": np.nan}
        about = {"kind": "group", "measure": OBSERVED, "estimate": row.pop("observed")}
        rows.append(about | kaplan_meier | row)
    method = "Cox model of the predicted risk (complementary log-log, natural spline)"
    grid = np.linspace(*np.quantile(risk, INNER), CURVE_POINTS)
    try:
        smooth = calibration_curve(*seen, grid=grid)
    except FitError as error:
        return [*rows, {"kind": "distance", "measure": DISTANCE, "reason": [error.reason]}]
    about = {"kind": "curve", "measure": SMOOTHED, "method": method}
    rows += [about | row for row in smooth.curve.rename(columns={"observed": "estimate"}).to_dict("records")]
    distances = {
        DISTANCE: smooth.mean_distance,
        "median calibration error": smooth.median_distance,
        "90th percentile of the calibration error": smooth.distance_90,
    }
    return rows + [
        {"kind": "distance", "measure": measure, "estimate": value, "method": method}
        for measure, value in distances.items()
    ]


def decision_rows(asked: Asked) -> list[dict]:
    """Net benefit over thresholds of the predicted risk, of each model, of treating all and of treating none."""
    outcome, rows = asked.outcome, []
    for place, time in enumerate(asked.times):
        base = asked.held | {"measure": "net benefit", "horizon": time}
        if why := outcome.why_not(time):
            rows.append(base | {"term": "all models", "reason": [why]})
            continue
        risk = asked.predictions.risk[:, :, place]
        # where neither nearly everybody nor hardly anybody would be treated
        ends = np.quantile(risk, SPAN) / THRESHOLD_STEP
        first, last = (int(end) for end in ends.clip(1, 1 / THRESHOLD_STEP - 1))  # of 0 and 1 no odds
        steps = range(first, last + 1)
        thresholds = [round(THRESHOLD_STEP * step, 10) for step in steps]
        for number, name in enumerate(asked.names):
            found = net_benefit(risk[:, number], *outcome.seen, time, thresholds, outcome.entry)
            lines = {name: found[["threshold", "net_benefit", "n_high"]]}
            if not number:
                all_treated = found[["threshold"]].assign(net_benefit=found["everybody"])
                lines = {"treat all": all_treated, "treat none": all_treated.assign(net_benefit=0.0)} | lines
            for term, line in lines.items():
                of_line = base | {"term": term} | ({"model": name} if term == name else {})
                points = line.rename(columns={"net_benefit": "estimate"}).to_dict("records")
                rows += [of_line | point for point in points]
    return rows
