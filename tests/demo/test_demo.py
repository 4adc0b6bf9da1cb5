"""The demo: simulated participants whose planted effects are there, and an age model that means something on them."""

import numpy as np
import pandas as pd
import pytest

from faceage_bio.core.errors import RunError
from faceage_bio.core.tables import read_json
from faceage_bio.demo.model import fit_ridge, training_participants
from faceage_bio.demo.portraits import draw, imagine
from faceage_bio.demo.simulated_cohorts import DAMAGES, skin_type
from faceage_bio.demo.simulated_participants import (
    LOG2_PER_DECADE,
    NULL_PANEL,
    simulate_composition,
    simulate_counts,
    simulate_participants,
)
from faceage_bio.faces.vision.detect import Detector
from faceage_bio.faces.vision.models import load_model
from faceage_bio.stats.cox import fit_cox


def test_a_seed_draws_the_same_portrait_and_another_a_different_one():
    one, same, other = (draw(imagine(50, True, seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one.astype(int) - other).mean() > 5
    assert one.shape == (400, 320, 3)


def test_a_demo_model_is_not_fitted_on_faces_that_are_not_found(monkeypatch):
    monkeypatch.setattr(Detector, "detect", lambda _, images: [[] for _ in images])
    message = "only 0 of 3 simulated faces were detected; the demo model would mean nothing"
    with pytest.raises(RunError, match=message):
        training_participants(3, seed=1)


def test_drawn_faces_are_found(detector):
    for seed in range(12):
        faces = detector.detect([draw(imagine(20 + 6 * seed, seed % 2 == 0, 40 + seed))])[0]
        assert faces[0].probability >= 0.9
        assert len([face for face in faces if face.probability >= 0.9]) == 1


def test_signs_of_age_grow_with_age_but_none_is_the_label():
    ages = np.linspace(20, 90, 300)
    people = [imagine(age, False, 3000 + k) for k, age in enumerate(ages)]
    for sign in ("grey", "forehead", "lids"):
        r = np.corrcoef(ages, [person.signs[sign] for person in people])[0, 1]
        assert 0.8 < r < 0.97


def test_planted_effects_are_in_the_simulation():
    people = simulate_participants(1500, cancer=True, seed=3)
    decades = people[["biological_age"]] / 10
    hazard = fit_cox(people.followup_years, people.event, decades).terms
    assert hazard.loc["biological_age", "ci_lower"] < 2.0 < hazard.loc["biological_age", "ci_upper"] + 0.1
    composition = simulate_composition(len(people), seed=3)
    counts = simulate_counts(people, np.repeat("one", len(people)), composition, seed=3)
    log_counts = np.log2(counts / counts.sum() * 1e6 + 1)
    slopes = pd.Series(
        {gene: np.polyfit(people.acceleration / 10, row, 1)[0] for gene, row in log_counts.iterrows()}
    )
    for gene, planted in LOG2_PER_DECADE.items():
        assert slopes[gene] == pytest.approx(planted, abs=0.08)
    for gene in NULL_PANEL:
        assert abs(slopes[gene]) < 0.08
    marker = log_counts.loc[counts.index[-1]]
    assert np.corrcoef(marker, composition.lymphocytes)[0, 1] > 0.2
    sex = people.sex.to_numpy()
    assert counts.loc["XIST", sex == "female"].median() > 10 * counts.loc["XIST", sex == "male"].median()


def test_ridge_finds_the_line_and_its_leave_one_out_error_is_honest():
    random = np.random.default_rng(1)
    x = random.normal(5, 2, (80, 200))
    y = 50 + x[:, :5].sum(axis=1) + random.normal(0, 1, 80)
    coefficients, intercept, rmse = fit_ridge(x, y)
    new = random.normal(5, 2, (2000, 200))
    true = np.sqrt(
        np.mean(
            (new @ coefficients + intercept - (50 + new[:, :5].sum(axis=1) + random.normal(0, 1, 2000))) ** 2
        )
    )
    assert rmse == pytest.approx(true, rel=0.25)


def test_demo_model_is_right_within_years_on_participants_it_has_not_seen(drawn):
    model = drawn / "results/model/demo"
    assert read_json(model / "card.json")["synthetic"] is True
    crops, ages = training_participants(60, seed=8)
    predicted = load_model(model).predict(crops)
    assert np.abs(predicted - ages).mean() < 8
    assert np.corrcoef(predicted, ages)[0, 1] > 0.88


def test_damaged_photos_are_damaged():
    picture = draw(imagine(50, True, 1))
    contents = {name: damage(picture, 1) for name, damage in DAMAGES.items()}
    assert contents["text"].startswith(b"This is not")
    assert len(contents["truncated"]) == 4000


def test_skin_types_are_of_the_faces_and_none_is_rare():
    seeds = range(300)
    types = pd.Series([skin_type(seed) for seed in seeds])
    assert types.value_counts().min() > 60
    brightness = [float(imagine(40, False, seed).skin.mean()) for seed in seeds]
    means = pd.Series(brightness).groupby(types).mean()
    assert means["light"] > means["medium"] > means["dark"]
