"""What a trained model is worth: errors by group with intervals by person, and prognosis alongside them, against the incumbent."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from faceage_bio.core.columns import AGE, COHORT, PHOTO, SUBJECT
from faceage_bio.core.errors import TableError, examples
from faceage_bio.core.results.reasons import reason
from faceage_bio.core.results.row import result_rows
from faceage_bio.core.settings.settings_photos import FaceAge
from faceage_bio.core.tables import READABLE, read_json, read_table, write_json
from faceage_bio.faces.faceage.model_comparison import (
    ACCURACY,
    age_columns,
    compare_predictions,
    distinct_names,
)
from faceage_bio.faces.faceage.photo import load_tools
from faceage_bio.faces.faceage.predict import count_workers, predict_face_ages
from faceage_bio.faces.faceage.store import content_of
from faceage_bio.faces.training.curation import TEST, VALIDATION, keyed_hashes
from faceage_bio.faces.training.labelled_photos import read_side
from faceage_bio.faces.training.prepare import PHOTOS, SPLIT
from faceage_bio.faces.vision.models import CARD_FILE, read_card
from faceage_bio.stats.minimum_sizes import RESAMPLED

TABLE = "training/accuracy"
BAND = 10  # years
MEASURES = ("mean absolute error", "mean error", "root mean squared error", "correlation", "slope")
RESAMPLES = 1000


def accuracies(face_age: np.ndarray, age: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Each measure for each row of weights.

    Parameters
    ----------
    face_age, age : float arrays, shape (n,), years
    weights : float array, shape (k, n)
        How often each photo counts.

    Returns
    -------
    measure -> float array, shape (k,)
        ``slope``: of the age gap on age, years per year. NaN where nothing varies.
    """
    error, total = face_age - age, weights.sum(axis=1)

    def mean(values: np.ndarray) -> np.ndarray:
        return weights @ values / total

    def covariance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return mean(a * b) - mean(a) * mean(b)

    a, f = age - age.mean(), face_age - face_age.mean()
    with np.errstate(divide="ignore", invalid="ignore"):
        of_age, of_face_age = (
            np.where(covariance(one, one) > 1e-9, covariance(one, one), np.nan) for one in (a, f)
        )
        values = (
            mean(np.abs(error)),
            mean(error),
            np.sqrt(mean(error**2)),
            covariance(a, f) / np.sqrt(of_age * of_face_age),
            covariance(a, f) / of_age - 1,
        )
    return dict(zip(MEASURES, values, strict=True))


def person_weights(person: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """A row of ones, then resamples of persons with replacement: how often each of their photos counts, shape
    (1 + resamples, n).
    """
    _, place = np.unique(person, return_inverse=True)
    n = place.max() + 1
    drawn = np.random.default_rng([seed, 41]).multinomial(n, np.full(n, 1 / n), size=resamples)
    return np.vstack([np.ones(len(place)), drawn[:, place]]).astype(np.float64)


def accuracy_table(
    tested: pd.DataFrame, names: Sequence[str], columns: Sequence[str], seed: int
) -> pd.DataFrame:
    """Errors of each model on the same photos, of all and by band of age, sex and race, with the further
    ones' differences from the first.

    Parameters
    ----------
    tested : DataFrame, one row per photo
        age, person, sex, race and a column of years for each model, nothing missing.

    Returns
    -------
    DataFrame, result rows, question "accuracy of age models"
        Percentile intervals of a bootstrap of persons, so that photos of one person are no further evidence.
        ``persons`` counts them.
    """
    groups = {("", "all"): np.ones(len(tested), bool)}
    bands = (tested["age"] // BAND * BAND).astype(int)
    for start in sorted(bands.unique()):
        groups["age", f"{start}-{start + BAND - 1}"] = (bands == start).to_numpy()
    for factor in ("sex", "race"):
        for level in sorted(set(tested[factor]) - {""}):
            groups[factor, level] = (tested[factor] == level).to_numpy()
    model = f"{RESAMPLES} bootstrap resamples of persons, percentile interval, seed {seed}"
    shared = {
        COHORT: "test photos",
        "question": ACCURACY,
        "role": "secondary",
        "outcome": "error of face age",
    }
    rows = []
    for (factor, group), inside in groups.items():
        photos = tested[inside]
        persons = photos["person"].nunique()
        base = shared | {
            "subgroup": group,
            "factor": factor,
            "n": len(photos),
            "persons": persons,
            "model": model,
        }
        if persons < RESAMPLED:
            failed = base | {"measure": MEASURES[0], "reason": reason("too_few_values", needed=RESAMPLED)}
            rows += [failed | {"term": name} for name in names]
            continue
        weights = person_weights(photos["person"].to_numpy(), RESAMPLES, seed)
        ages = photos[["age", *columns]].to_numpy(float).T
        found = [accuracies(face_ages, ages[0], weights) for face_ages in ages[1:]]
        for name, measured in zip(names, found, strict=True):
            rows += [
                base | {"term": name, "measure": measure} | _interval(values)
                for measure, values in measured.items()
            ]
        compared = base | {"reference": names[0], "measure": "difference in mean absolute error"}
        for name, measured in zip(names[1:], found[1:], strict=True):
            rows.append(compared | {"term": name} | _interval(measured[MEASURES[0]] - found[0][MEASURES[0]]))
    return result_rows([row | {"level": row["term"]} for row in rows], TABLE)


def _interval(values: np.ndarray) -> dict:
    if not np.isfinite(values[0]):
        return {"reason": reason("values_constant")}
    low, high = np.nanpercentile(values[1:], [2.5, 97.5])
    return {"estimate": float(values[0]), "ci_lower": float(low), "ci_upper": float(high)}


def evaluate(
    run: Path,
    prepared: Path,
    incumbent: Path | None,
    *,
    seed: int,
    device: str = "cpu",
    workers: int = 1,
    progress: Callable[[int, int], None] = lambda n, total: None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Errors of a run's model, and of the incumbent, on the test photos (on those of validation where there are none).

    The photos take the whole way of the inference engine, each model with its own crop.

    Returns
    -------
    result rows of `accuracy_table`; and the photos with both ages, person, sex and race
    """
    photos, split = read_table(prepared / PHOTOS), read_table(prepared / SPLIT)
    side = TEST if (split["side"] == TEST).any() else VALIDATION
    held = read_side(photos, split, side).drop_duplicates("path").reset_index(drop=True)
    folders = [*([incumbent] if incumbent else []), run / "model"]
    aged, names, columns = predict(held["path"], folders, device, workers, lambda n: progress(n, len(held)))
    tested = held[["path", "age", "person", "sex", "race"]].join(aged[columns]).dropna(subset=columns)
    if tested.empty:
        raise TableError(
            f"{prepared}: none of {len(held)} {side} photos has an age by {' and '.join(names)}. Expected most of them. Look at the models' inputs."
        )
    return accuracy_table(tested, names, columns, seed), tested


def predict(
    paths: Sequence[str],
    folders: Sequence[Path],
    device: str,
    workers: int,
    progress: Callable[[int], None] = lambda n: None,
) -> tuple[pd.DataFrame, list[str], list[str]]:
    """Ages of photos by each model, the models' names, and the columns of their ages."""
    cards = [read_card(folder) for folder in folders]
    paths = [str(Path(path).absolute()) for path in paths]
    table = pd.DataFrame(
        {COHORT: "photos", PHOTO: [str(n) for n in range(len(paths))], SUBJECT: paths, "path": paths}
    )
    settings = FaceAge()
    make_tools = partial(load_tools, folders, device, settings)
    processes = count_workers(workers or None, device, len(table))
    aged = predict_face_ages(
        table,
        Path("/"),
        make_tools,
        cards,
        settings,
        workers=processes,
        one_owner=device == "cuda",
        progress=progress,
    )
    return aged, distinct_names(cards), age_columns(len(cards))


def prognosis(
    followed: pd.DataFrame, run: Path, incumbent: Path, cohort: str, device: str = "cpu", workers: int = 1
) -> pd.DataFrame:
    """Whether the new model predicts death better than the incumbent, in the same participants, paired.

    Parameters
    ----------
    followed : DataFrame, one row per participant: path, chronological_age, followup_years, event; sex and
        entry_years if known

    Raises
    ------
    TableError
        No column path, or files that are not there.
    """
    gone = [path for path in followed["path"] if not Path(path).is_file()]
    if gone:
        raise TableError(
            f"--followed: {len(gone)} of {len(followed)} photos are not there ({examples(gone)}). Expected files. Correct the paths."
        )
    folders = [incumbent, run / "model"]
    aged, _, columns = predict(followed["path"], folders, device, workers)
    participants = followed.reset_index(drop=True).astype({AGE: float}).assign(**aged[columns])
    return compare_predictions(participants, [read_card(folder) for folder in folders], cohort)


def note_evaluation(run: Path, accuracy: pd.DataFrame, followed: pd.DataFrame | None, cohort: str) -> dict:
    """Put what was measured into the card of the model, and the cohort on which it was, which no longer validates it."""
    path = run / "model" / CARD_FILE
    card = read_json(path)
    term = accuracy["term"]
    shown = (term == card["name"]) | term.str.startswith(f"{card['name']}, model")
    numbers = ["subgroup", "measure", "n", "persons", "estimate", "ci_lower", "ci_upper"]
    measured = accuracy.loc[shown & accuracy["estimate"].notna(), numbers]
    card["metrics"] = measured.round(4).to_dict("records")
    if followed is not None:
        used = card["used"]
        more = keyed_hashes([content_of(path) or "" for path in followed["path"]], used["photos"]["key"])
        used["photos"]["hashes"] = sorted({*used["photos"]["hashes"], *more["hashes"]})
        used["cohorts"] = list(dict.fromkeys([*used["cohorts"], cohort]))
    write_json(card, path, mode=READABLE)
    return card
