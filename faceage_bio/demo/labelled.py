"""Simulated portraits with ages and persons, to train an age model on, and others with follow-up, to judge it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from faceage_bio.core.tables import write_table, write_text
from faceage_bio.demo.portraits import another_day, draw, imagine
from faceage_bio.demo.simulated_people import simulate_people

FIRST_SEED = 700_000_000  # neither the cohorts' participants nor those of the demo's model
AGES = (20.0, 96.0)
SETTINGS = """# Trains a small network on simulated portraits: quick, and of no use on real photos.
name: trained on simulated portraits (not FaceAge)
seed: {seed}
sources:
  - {{name: portraits, kind: table, path: labels.tsv}}
input: {{size: 96}}
split: {{validation: 0.15, test: 0.15}}
fit:
  network: {{timm: test_resnet}}
  balance_years: 5
  learning_rate: 0.003
  batch_size: 32
  max_epochs: 24
  plateau_patience: 2
  accelerator: cpu
  augmentation: {{rotation: 8, shift: 0.05, zoom: 0.1}}
notice: A model for the demo, trained on simulated faces. It is not FaceAge and means nothing on a real photo.
"""


def make_labelled_photos(
    output: Path, persons: int, followed: int, seed: int, progress: Callable[[int], None] = lambda n: None
) -> None:
    """Write photos/, labels.tsv (two photos of each person), followed.tsv (others, with follow-up) and train.yaml."""
    random = np.random.default_rng([seed, 71])
    (output / "photos").mkdir(parents=True, exist_ok=True)
    ages, males = random.permutation(np.linspace(*AGES, persons)), random.random(persons) < 0.5
    labels = []
    for number, (age, male) in enumerate(zip(ages, males, strict=True)):
        portrait = imagine(float(age), bool(male), FIRST_SEED + seed * 10_000 + number)
        for visit in range(2):
            name = f"photos/p{number:04d}_{visit}.jpg"
            picture = draw(portrait if visit == 0 else another_day(portrait, visit))
            Image.fromarray(picture).save(output / name, quality=95)
            labels.append(
                {
                    "path": name,
                    "age": round(float(age), 1),
                    "identity": f"p{number:04d}",
                    "sex": "male" if male else "female",
                }
            )
            progress(1)
    write_table(pd.DataFrame(labels), output / "labels.tsv")
    people = simulate_people(followed, cancer=True, seed=seed + 1)
    rows = []
    for number, one in enumerate(people.itertuples()):
        name = f"photos/f{number:04d}.jpg"
        face = imagine(
            float(one.biological_age), one.sex == "male", FIRST_SEED + seed * 10_000 + 5_000 + number
        )
        Image.fromarray(draw(face)).save(output / name, quality=95)
        rows.append({
            "subject_id": f"f{number:04d}", "path": name, "chronological_age": round(one.age, 1), "sex": one.sex,
            "followup_years": round(one.followup_years, 3), "event": int(one.event),
        })  # fmt: skip
        progress(1)
    write_table(pd.DataFrame(rows), output / "followed.tsv")
    write_text(SETTINGS.format(seed=seed), output / "train.yaml")
