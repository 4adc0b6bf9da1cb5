"""Several age models in the same participants: how far they agree, which is more accurate, and which predicts death better."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from faceage_bio.core.columns import (
    AGE,
    COHORT,
    EVENT,
    FACE_AGE,
    FOLLOWUP,
    LEVELS,
    MODEL_ID,
    PER_SD,
    other_age,
)
from faceage_bio.core.errors import FitError
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.row import adjusted_for, columns_of, result_rows, tested
from faceage_bio.faces.faceage.photo_quality import model_of
from faceage_bio.intake.observation import entry_of, is_followed
from faceage_bio.stats.concordance import concordance
from faceage_bio.stats.cox import fit_cox
from faceage_bio.stats.cox_fit import likelihood_ratio_test, numbers
from faceage_bio.stats.design import build_design
from faceage_bio.stats.linear import Estimate, correlation, fit_linear, mean_interval
from faceage_bio.stats.measurement_error import bland_altman
from faceage_bio.stats.minimum_sizes import check_events

BAND = 10  # years of mean face age
METHOD = "Bland-Altman, one pair of ages per participant"
TABLE = "faceage/model_comparison"
ACCURACY, PROGNOSIS = "accuracy of age models", "prognosis of age models"
C, CHI_SQUARE = "Harrell's C", "likelihood-ratio chi-square"


def compare_models(
    face_ages: pd.DataFrame, cards: Sequence[dict], counting: Callable[[pd.DataFrame, str], pd.Series]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Bias and limits of agreement of each further model against the first, in one cohort.

    Parameters
    ----------
    face_ages : DataFrame, one row per photo, ``columns.FACE_AGE_COLUMNS`` and ``face_age_2`` ...
    cards : list of dict
        The models' cards, in order.
    counting : callable
        Of such a table and a column of ages: the age of each participant by the photos that count, since
        pairs must not depend on each other. It is given the photos of which both models have an age.

    Returns
    -------
    result rows, question "agreement"
        Term: the further model's name, ``reference`` the first's; measures bias, lower and upper limit of
        agreement, slope, standard deviation, correlation. A model that cannot be compared keeps one row with
        the reason.
    DataFrame
        By model and band of the mean of both ages: n, mean of both, mean difference: aggregates for the figure.
    """
    cohort = str(face_ages[COHORT].iloc[0]) if len(face_ages) else ""
    rows: list[dict] = []
    bands: list[dict] = []
    names = distinct_names(cards)
    for number, name in enumerate(names[1:], start=2):
        columns = [FACE_AGE, other_age(number)]
        both = face_ages[face_ages[columns].notna().all(axis=1)]
        first, second = (
            pd.concat([counting(both, column) for column in columns], axis=1).dropna().to_numpy().T
        )
        rows += _rows(first, second, name, names[0])
        bands += _bands(first, second, name)
    shared = {COHORT: cohort, "question": "agreement", "outcome": "face age", "model": METHOD}
    shared[MODEL_ID] = model_of(face_ages)
    table = result_rows([shared | row for row in rows], "faceage/agreement")
    columns = columns_of("faceage/agreement_bands")
    return table, pd.DataFrame([{COHORT: cohort} | band for band in bands], columns=columns)


def distinct_names(cards: Sequence[dict]) -> list[str]:
    """Names of the models; two that are called the same get their place in the list."""
    names = [card["name"] for card in cards]
    return [
        name if names.count(name) == 1 else f"{name}, model {place}"
        for place, name in enumerate(names, start=1)
    ]


def _rows(first: np.ndarray, second: np.ndarray, name: str, against: str) -> list[dict]:
    base = {"term": name, "level": name, "reference": against, "n": len(first)}
    try:
        found = bland_altman(first, second)
        measured = {
            "bias": vars(found.bias),
            "lower limit of agreement": vars(found.lower_limit),
            "upper limit of agreement": vars(found.upper_limit),
            "slope": vars(found.slope) | {"per": "1 year"},
            "correlation": vars(correlation(first, second)),
            "standard deviation": {"estimate": found.standard_deviation},
        }
    except FitError as error:
        measured = {"bias": {"reason": error.reason}}
    return [base | {"measure": measure} | value for measure, value in measured.items()]


def _bands(first: np.ndarray, second: np.ndarray, name: str) -> list[dict]:
    both = pd.DataFrame({"mean_age": (first + second) / 2, "mean_difference": second - first})
    grouped = both.groupby((both["mean_age"] // BAND * BAND).astype("int64").rename("band_lower"))
    bands = grouped.mean().assign(term=name, n=grouped.size()).reset_index()
    return bands.to_dict("records")


def age_columns(n: int) -> list[str]:
    """The columns of the ages of ``n`` models."""
    return [FACE_AGE, *(other_age(number) for number in range(2, n + 1))]


def compare_predictions(people: pd.DataFrame, cards: Sequence[dict], cohort: str) -> pd.DataFrame:
    """Accuracy and prognosis of each model, and the differences of each further model from the first.

    Parameters
    ----------
    people : DataFrame, one row per participant
        face_age, face_age_2 ..., chronological_age in years; followup_years, event, entry_years, sex if
        known. Those with all ages are compared, so that every model is judged on the same participants.
    cards : the models', in order

    Returns
    -------
    DataFrame, result rows
        Question "accuracy of age models": mean absolute error, mean error, root mean squared error,
        correlation with age, slope of the gap on age; differences of the mean absolute error (paired t).
        "prognosis of age models": hazard ratio per 1 SD of face age at a given age (the SD of the residual on
        age), adjusted for age and sex; its likelihood-ratio test; whether a further model adds to the first,
        and the first to it; Harrell's C of face age alone and with its covariates, and their paired
        differences (infinitesimal jackknife; coefficients of the same participants).
    """
    names, columns = distinct_names(cards), age_columns(len(cards))
    weights = dict(zip(names, (card["sha256"] for card in cards), strict=True))
    known = people[people[[*columns, AGE]].notna().all(axis=1)]
    base = {
        COHORT: cohort,
        "reference": "",
        "n": len(known),
        "model": "participants with an age by each model",
    }
    accuracy = base | {"question": ACCURACY, "outcome": "error of face age"}
    prognosis = base | {"question": PROGNOSIS, "outcome": "death", "exposure": FACE_AGE}
    rows = [accuracy | row for row in _accuracy(known, columns, names)]
    rows += [prognosis | row for row in _prognosis(known, columns, names)]
    return result_rows([row | {"level": row["term"], MODEL_ID: weights[row["term"]]} for row in rows], TABLE)


def _accuracy(known: pd.DataFrame, columns: Sequence[str], names: Sequence[str]) -> list[dict]:
    age = known[AGE]
    errors = {name: known[column] - age for name, column in zip(names, columns, strict=True)}
    rows = []
    for name, error in errors.items():
        absolute = _made(mean_interval, error.abs().to_numpy())
        squared = (
            {"estimate": float(np.sqrt((error**2).mean()))} if len(error) else {"reason": reason("no_ages")}
        )
        measured = {
            "mean absolute error": absolute | dict.fromkeys(("p_value", "statistic"), np.nan),
            "mean error": _made(mean_interval, error.to_numpy()),
            "root mean squared error": squared,
            "correlation": _made(correlation, (age + error).to_numpy(), age.to_numpy()),
            "slope": _made(_slope, error, age) | {"outcome": "age gap", "per": "1 year"},
        }
        rows += [{"term": name, "measure": measure} | value for measure, value in measured.items()]
    first, *others = names
    for name in others:
        apart = _made(mean_interval, (errors[name].abs() - errors[first].abs()).to_numpy())
        rows.append(
            {"term": name, "reference": first, "measure": "difference in mean absolute error"} | apart
        )
    return rows


def _slope(error: pd.Series, age: pd.Series) -> Estimate:
    return Estimate.of(fit_linear(error, age.to_frame()).terms.loc[AGE])


def _made(compute: Callable, *values: object) -> dict:
    try:
        return vars(compute(*values))
    except FitError as error:
        return {"reason": error.reason}


def _prognosis(known: pd.DataFrame, columns: Sequence[str], names: Sequence[str]) -> list[dict]:
    usable = known.assign(**{name: known.get(name, np.nan) for name in (FOLLOWUP, EVENT)})
    usable = usable[is_followed(usable)]
    held = [AGE, *(name for name in ("sex",) if name in usable and usable[name].notna().any())]
    design = build_design(usable, held, LEVELS)
    usable = usable.drop(index=design.missing.index)
    base = {"n": len(usable), "n_events": int(usable[EVENT].sum())} | adjusted_for(held)
    try:
        check_events(usable[EVENT])
        others = design.matrix / [10.0 if name == AGE else 1.0 for name in design.matrix]
        time, event, entry = usable[FOLLOWUP], usable[EVENT], entry_of(usable)
        without = fit_cox(time, event, others, entry)
        ages = pd.DataFrame(
            {
                name: usable[column] / _residual_sd(usable[column], usable[AGE])
                for name, column in zip(names, columns, strict=True)
            }
        )
        fits = {
            name: fit_cox(time, event, pd.concat([ages[[name]], others], axis=1), entry) for name in names
        }
    except FitError as error:
        failed = base | {"measure": "hazard ratio", "per": PER_SD, "reason": error.reason}
        return [failed | {"term": name} for name in names]
    rows = []
    for name, fit in fits.items():
        ratio = {"measure": "hazard ratio", "per": PER_SD, "reason": fit.reasons} | numbers(
            fit.terms.loc[name]
        )
        compared = tested(CHI_SQUARE, likelihood_ratio_test(without, fit))
        rows += [base | {"term": name} | found for found in (ratio, compared)]
    first, *further = names
    for name in further:
        try:
            both = fit_cox(time, event, pd.concat([ages[[first, name]], others], axis=1), entry)
        except FitError as error:
            failed = {"measure": CHI_SQUARE, "reason": error.reason}
            rows.append(base | {"term": name, "reference": first} | failed)
            continue
        for added, given in ((name, first), (first, name)):
            compared = tested(CHI_SQUARE, likelihood_ratio_test(fits[given], both))
            covariates = {"covariates": f"{base['covariates']}, {given}"}
            rows.append(base | {"term": added, "reference": given} | covariates | compared)
    alone = base | {"adjustment": "unadjusted", "covariates": ""}
    entries = None if entry is None else entry.to_numpy()
    rows += _concordances(alone, time.to_numpy(), event.to_numpy(), ages.to_numpy(), entries, names)
    hazards = np.column_stack([fit.rows.beta @ fit.rows.x for fit in fits.values()])
    sets = fits[first].rows.sets
    return rows + _concordances(base, sets.times, sets.event, hazards, sets.entry, names)


def _residual_sd(face_age: pd.Series, age: pd.Series) -> float:
    """Spread of face age at a given age: the SD of age acceleration."""
    sd = fit_linear(face_age, age.to_frame()).sigma
    if not sd > 1e-9:
        raise FitError("same_ages")
    return sd


def _concordances(base: dict, years, died, scores, entry, names: Sequence[str]) -> list[dict]:
    try:
        found = concordance(years, died, np.round(scores, 10), entry)
    except FitError as error:
        return [base | {"term": name, "measure": C, "reason": error.reason} for name in names]
    rows = [base | {"term": name, "measure": C} | vars(found.of(place)) for place, name in enumerate(names)]
    apart = base | {"reference": names[0], "measure": f"difference of {C}"}
    further = enumerate(names[1:], start=1)
    return rows + [apart | {"term": name} | vars(found.difference(place, 0)) for place, name in further]
