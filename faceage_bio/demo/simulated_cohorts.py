"""The demo's files as a hospital would hand them over: photos and tables of three cohorts, labelled portraits, photos of noise."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from faceage_bio.core.parse import DAYS_PER_YEAR
from faceage_bio.core.tables import atomic_path, write_table, write_text
from faceage_bio.demo.plans import PLANS, Plan
from faceage_bio.demo.portraits import another_day, draw, imagine
from faceage_bio.demo.simulated_participants import (
    simulate_composition,
    simulate_counts,
    simulate_history,
    simulate_participants,
    simulate_readings,
    write_cells,
    write_variants,
)

JPEG_QUALITY = 90
SHRUNK = 8  # photos of each cohort that are used, but of few pixels
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


def make_cohort(plan: Plan, seed: int, folder: Path, progress: Callable[[int], None]) -> None:
    """Draw the photos of a cohort and write its tables to ``folder``."""
    cohort_seed, random, people = _people(plan, seed)
    days = pd.to_timedelta(random.integers(0, 1400, plan.n), unit="D")
    people["photo_date"] = pd.Timestamp("2016-01-04") + days
    people["skin_type"] = [skin_type(_seed(cohort_seed, person)) for person in range(plan.n)]
    manifest = _photos(people, random)
    jobs = []
    for row in manifest.itertuples():
        face = row.biological_age, row.sex == "male", _seed(cohort_seed, row.person)
        jobs.append((*face, folder / "photos" / row.path, row.damage, row.visit))
    (folder / "photos").mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(max_workers=2) as pool:
        for _ in pool.map(_draw_photo, jobs, chunksize=8):
            progress(1)
    columns = ["photo_id", "subject_id", "path", "photo_date"]
    write_table(manifest[columns].sample(frac=1, random_state=cohort_seed), folder / "manifest.tsv")
    clinical = _clinical(people, plan, random)
    if plan.cancer:
        clinical = clinical.join(simulate_history(people, cohort_seed))
    write_table(clinical, folder / "clinical.tsv")
    if plan.rna:
        samples, counts = _rna(people, plan, random, cohort_seed)
        write_table(samples, folder / "samples.tsv")
        write_table(counts.reset_index(), folder / "counts.tsv")
    if plan.dna:
        write_variants(people, cohort_seed, folder)
    if plan.cells:
        write_cells(people, cohort_seed, folder / "cells.h5ad")


def make_readings(plan: Plan, seed: int, path: Path) -> None:
    """Write what readers said of cases of a cohort; the cohort itself need not be drawn."""
    cohort_seed, _, people = _people(plan, seed)
    write_table(simulate_readings(people, cohort_seed), path)


def _people(plan: Plan, seed: int) -> tuple[int, np.random.Generator, pd.DataFrame]:
    """The cohort's seed, its random numbers from here on, and its participants with their identifiers."""
    cohort_seed = seed * 10 + PLANS.index(plan)
    random = np.random.default_rng([cohort_seed, 3])
    people = simulate_participants(plan.n, plan.cancer, cohort_seed)
    numbers = random.permutation(plan.n) + 1
    people.insert(0, "subject_id", [f"{plan.prefix}{number:03d}" for number in numbers])
    return cohort_seed, random, people


def _seed(cohort_seed: int, person: int) -> int:
    """What a person's face is drawn from."""
    return cohort_seed * 1000 + person


def skin_type(seed: int) -> str:
    """Light, medium or dark, as the face of this seed is drawn."""
    tone = imagine(50, True, seed).tone  # of age and sex it does not depend
    return "light" if tone < 0.35 else "medium" if tone < 0.55 else "dark"


def _photos(people: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """One row per photo; one person in five comes back after a year or two, a handful of photos are bad."""
    first = people[["subject_id", "sex", "biological_age", "photo_date"]].assign(
        person=range(len(people)), visit=0
    )
    years = random.uniform(0.8, 2.5, len(people))
    alive = np.flatnonzero(people.followup_years > years + 0.1)
    back = random.choice(alive, min(len(alive), max(4, len(people) // 5)), replace=False)
    years, again = years[back], first.iloc[back]
    date = again.photo_date + pd.to_timedelta((years * 365).astype(int), unit="D")
    again = again.assign(photo_date=date, biological_age=again.biological_age + years, visit=1)
    photos = pd.concat([first, again], ignore_index=True)
    photos["photo_id"] = [f"P{number:04d}" for number in random.permutation(9000)[: len(photos)] + 1000]
    photos["path"] = photos.photo_id + ".jpg"
    photos["photo_date"] = photos.photo_date.dt.strftime("%Y-%m-%d")
    photos["damage"] = ""
    kinds = [*DAMAGES, *["shrunk"] * (SHRUNK - 1)]
    places = random.choice(np.setdiff1d(np.arange(len(first)), back), len(kinds), replace=False)
    photos.loc[places, "damage"] = kinds
    return photos


def _clinical(people: pd.DataFrame, plan: Plan, random: np.random.Generator) -> pd.DataFrame:
    columns = ["subject_id", "sex", "smoking", "pack_years", "bmi", "ecog", "site", "intent", "skin_type"]
    clinical = people[columns].copy()
    clinical["group"] = "cancer" if plan.cancer else "reference"
    if plan.dates:
        lived = pd.to_timedelta((people.age * DAYS_PER_YEAR).round(), unit="D")
        followed = pd.to_timedelta(np.ceil(people.followup_years * DAYS_PER_YEAR), unit="D")
        clinical["birth_date"] = (people.photo_date - lived).dt.strftime("%Y-%m-%d")
        clinical["followup_date"] = (people.photo_date + followed).dt.strftime("%Y-%m-%d")
    else:
        clinical["chronological_age"] = people.age.round(1)
        clinical["followup_years"] = people.followup_years.round(3)
    clinical["event"] = people.event
    clinical["cause"] = people.cause
    for column, share in (("bmi", 0.02), ("smoking", 0.01), ("ecog", 0.01)):
        clinical[column] = clinical[column].astype(object).mask(random.random(len(clinical)) < share, "")
    return clinical.sort_values("subject_id")


def _rna(
    people: pd.DataFrame, plan: Plan, random: np.random.Generator, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Samples of nine participants in ten; a few were sequenced twice."""
    sampled = people[random.random(len(people)) < 0.92]
    twice = sampled.sample(n=3, random_state=seed)
    sampled = pd.concat([sampled, twice], ignore_index=True)
    batch = random.choice(["plate1", "plate2"], len(sampled))
    composition = simulate_composition(len(sampled), seed)
    counts = simulate_counts(sampled, batch, composition, seed)
    names = [f"R{plan.prefix}{number:03d}" for number in random.permutation(len(sampled)) + 1]
    counts.columns = names
    days = pd.to_timedelta(random.integers(0, 30, len(sampled)), unit="D")
    samples = pd.DataFrame({
        "sample_id": names,
        "subject_id": sampled.subject_id.to_numpy(),
        "batch": batch,
        "sample_date": (sampled.photo_date + days).dt.strftime("%Y-%m-%d"),
    })  # fmt: skip
    return samples.join(composition), counts


def _draw_photo(job: tuple[float, bool, int, Path, str, int]) -> None:
    age, male, seed, path, damage, visit = job
    person = imagine(age, male, seed)
    picture = draw(another_day(person, visit) if visit else person)
    content = DAMAGES[damage](picture, seed) if damage else _jpeg(picture)
    with atomic_path(path, mode=0o600) as temporary:
        temporary.write_bytes(content)


def _jpeg(pixels: np.ndarray, **options) -> bytes:
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=JPEG_QUALITY, **options)
    return stream.getvalue()


def _two_people(picture: np.ndarray, seed: int) -> bytes:
    return _jpeg(np.concatenate([picture, draw(imagine(45, True, seed + 501))], axis=1))


def _turned(picture: np.ndarray, seed: int) -> bytes:
    """A phone's photo: lying on its side, with the orientation in its EXIF."""
    exif = Image.Exif()
    exif[274] = 6
    return _jpeg(np.rot90(picture, 1).copy(), exif=exif.tobytes())


def _small(picture: np.ndarray, seed: int) -> bytes:
    return _jpeg(np.asarray(Image.fromarray(picture).resize((64, 80))))


def _shrunk(picture: np.ndarray, seed: int) -> bytes:
    """Scanned small: large enough to be used, but enlarged for the network."""
    return _jpeg(np.asarray(Image.fromarray(picture).resize((224, 280))))


# what real folders hold besides good photos; the last three are good and must be read
DAMAGES: dict[str, Callable[[np.ndarray, int], bytes]] = {
    "no_face": lambda picture, seed: _jpeg(np.full_like(picture, 150)),
    "dark": lambda picture, seed: _jpeg((picture * 0.05).astype(np.uint8)),
    "two_people": _two_people,
    "small": _small,
    "truncated": lambda picture, seed: _jpeg(picture)[:4000],
    "text": lambda picture, seed: b"This is not a photo.\n",
    "grey": lambda picture, seed: _jpeg(picture.mean(axis=2).astype(np.uint8)),
    "turned": _turned,
    "shrunk": _shrunk,
}


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
            years, sex = round(float(age), 1), "male" if male else "female"
            labels.append({"path": name, "age": years, "identity": f"p{number:04d}", "sex": sex})
            progress(1)
    write_table(pd.DataFrame(labels), output / "labels.tsv")
    people = simulate_participants(followed, cancer=True, seed=seed + 1)
    rows = []
    for number, one in enumerate(people.itertuples()):
        name = f"photos/f{number:04d}.jpg"
        face_seed = FIRST_SEED + seed * 10_000 + 5_000 + number
        face = imagine(float(one.biological_age), one.sex == "male", face_seed)
        Image.fromarray(draw(face)).save(output / name, quality=95)
        rows.append({
            "subject_id": f"f{number:04d}", "path": name, "chronological_age": round(one.age, 1), "sex": one.sex,
            "followup_years": round(one.followup_years, 3), "event": int(one.event),
        })  # fmt: skip
        progress(1)
    write_table(pd.DataFrame(rows), output / "followed.tsv")
    write_text(SETTINGS.format(seed=seed), output / "train.yaml")


def draw_noise(folder: Path, n: int, megapixels: float) -> list[Path]:
    """Photos of noise, 4 by 3; the detector spends about as long on one as on a portrait of the same size."""
    from faceage_bio.faces.vision.face_input import CROP_SIZE

    height = max(CROP_SIZE, round((megapixels * 1e6 * 3 / 4) ** 0.5))
    random = np.random.default_rng(1)
    paths = [folder / f"{number}.jpg" for number in range(n)]
    for path in paths:
        Image.fromarray(random.integers(0, 256, (height, height * 4 // 3, 3), dtype=np.uint8)).save(path)
    return paths
