"""Fit the demo's age model on simulated participants of its own, whom no cohort contains."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch

from faceage_bio.core.errors import RunError
from faceage_bio.demo.portraits import draw, imagine
from faceage_bio.faces.vision.detect import Detector
from faceage_bio.faces.vision.face_input import INPUT, crop_face
from faceage_bio.faces.vision.models import write_model_folder
from faceage_bio.faces.vision.other_models import features, random_filters

N_PEOPLE = 240
AGES = (18.0, 98.0)
FIRST_SEED = 500_000_000  # cohorts draw people from seeds far below
PENALTIES = np.logspace(-2, 5, 29)
NOTICE = (
    "A model for the demo, fitted on simulated faces. It is not FaceAge and means nothing on a real photo."
)


def training_participants(
    n: int, seed: int, progress: Callable[[int], None] = lambda n: None
) -> tuple[np.ndarray, np.ndarray]:
    """Crops (n, 160, 160, 3) uint8 of simulated participants and their ages (n,), spread evenly over adult life."""
    random = np.random.default_rng([seed, 5])
    ages = random.permutation(np.linspace(*AGES, n))
    jobs = [
        (age, bool(random.random() < 0.5), FIRST_SEED + seed * 10_000 + person)
        for person, age in enumerate(ages)
    ]
    torch.set_num_threads(1)
    detector = Detector()
    crops, kept = [], []
    with ProcessPoolExecutor(max_workers=1) as pool:  # draws while this process detects
        for (age, _, _), picture in zip(jobs, pool.map(_picture, jobs, chunksize=4), strict=True):
            faces = detector.detect([picture])[0]
            if faces and faces[0].probability >= 0.9:
                crops.append(crop_face(picture, faces[0].box))
                kept.append(age)
            progress(1)
    if len(kept) < 0.9 * n:
        raise RunError(
            f"only {len(kept)} of {n} simulated faces were detected; the demo model would mean nothing. Expected nearly all. Run again with another "
            "seed, and report it as a bug if that fails too."
        )
    return np.stack(crops), np.array(kept)


def _picture(job: tuple[float, bool, int]) -> np.ndarray:
    return draw(imagine(*job))


def fit_ridge(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Ridge regression with the penalty of the least leave-one-out error.

    Parameters
    ----------
    x : float array, shape (n, p)
    y : float array, shape (n,)

    Returns
    -------
    coefficients (p,), intercept, leave-one-out root mean squared error
        Columns are standardised inside; the returned numbers are for x as given.
    """
    centre, spread = x.mean(axis=0), x.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    z = (x - centre) / spread
    u, d, vt = np.linalg.svd(z, full_matrices=False)
    residual_y = y - y.mean()
    projected = u.T @ residual_y
    best = (np.inf, np.empty(0))
    for penalty in PENALTIES:
        shrink = d**2 / (d**2 + penalty)
        leverage = 1 / len(y) + (u**2) @ shrink  # the mean takes its share of leverage too
        errors = (residual_y - u @ (shrink * projected)) / (1 - leverage)
        rmse = float(np.sqrt(np.mean(errors**2)))
        if rmse < best[0]:
            best = (rmse, vt.T @ (d / (d**2 + penalty) * projected))
    rmse, coefficients = best
    coefficients = coefficients / spread
    return coefficients, float(y.mean() - centre @ coefficients), rmse


def fit_demo_model(
    seed: int, output: Path, n: int = N_PEOPLE, progress: Callable[[int], None] = lambda n: None
) -> dict:
    """Fit and write ``model.safetensors`` and ``card.json``; returns the card."""
    crops, ages = training_participants(n, seed, progress)
    filters = random_filters(seed)
    coefficients, intercept, rmse = fit_ridge(features(crops, filters), ages)
    tensors = filters | {
        "coefficients": torch.from_numpy(coefficients),
        "intercept": torch.tensor(intercept).double(),
    }
    card = {
        "name": "demo model (not FaceAge)",
        "kind": "demo",
        "synthetic": True,
        "source": f"fitted on {len(ages)} simulated participants, seed {seed}",
        "leave_one_out_rmse_years": round(rmse, 2),
        **INPUT,
        "notice": NOTICE,
    }
    return write_model_folder(tensors, card, output)
