"""Commands that ask whether face ages are as good for one group of participants as for another."""

from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.core.columns import COVARIATES, OUTCOMES
from faceage_bio.core.config import Config
from faceage_bio.core.steps import Tables, Units, step

GROUPS = ("fairness.by", "fairness.age_cut_points", "fairness.min_n")
FACES = tuple(
    f"faceage.{name}"
    for name in (
        "device",
        "batch_size",
        "precision",
        "detection",
        "face_choice",
        "min_probability",
        "box_mode",
        "resize",
        "quality",
    )
)


@step(
    uses=GROUPS,
    files={
        "output/{cohort}/fairness/fairness.tsv": "errors and failures by group; of several cohorts also in pooled/"
    },
)
def assess_fairness(
    participants: Annotated[
        list[Path],
        typer.Option(
            help="A cohort's table with chronological_age, face_age and groups, one row per person; repeat for each cohort."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(help="Folder of the result tables; a plain table is called by its file's name."),
    ],
    settings: Config,
    photos: Annotated[
        list[Path],
        typer.Option(
            help="Their photos' face ages (subject_id, status, reason), for failures; repeat in the same order."
        ),
    ] = [],
    unit: Units = [],
) -> None:
    """Error against chronological age, its spread, and failures, by sex, race, age band and their crossings.

    Example: faceage-bio assess-fairness --participants acceleration.parquet --photos face_age.parquet --set fairness.by=sex,race
    --output results

    A plain table does: faceage-bio assess-fairness --participants ages.csv --set fairness.by=sex --output results
    """
    import pandas as pd

    from faceage_bio.analyses.fairness.error import assess_fairness as assess
    from faceage_bio.core.columns import COHORT, POOLED
    from faceage_bio.core.errors import RunError
    from faceage_bio.core.results.row import identified
    from faceage_bio.core.tables import read_table, write_table
    from faceage_bio.intake.age_reached import parse_units
    from faceage_bio.intake.plain import read_plain

    if photos and len(photos) != len(participants):
        raise RunError(
            f"--photos: expected once for each --participants ({len(participants)}), in the same order, or not at all; found {len(photos)}. Give as many, or none."
        )
    chosen = settings.fairness
    people = [read_plain(path, units=parse_units(unit)) for path in participants]
    judged = [read_table(path) for path in photos]
    parts = {
        str(table[COHORT].iloc[0]) if COHORT in table and len(table) else path.stem: (
            table,
            judged[k] if judged else None,
            None,
        )
        for k, (table, path) in enumerate(zip(people, participants, strict=True))
    }
    if len(people) > 1:
        together = pd.concat([table.astype(object) for table in people], ignore_index=True).infer_objects()
        parts[POOLED] = (together, pd.concat(judged, ignore_index=True) if judged else None, POOLED)
    for name, (table, of_photos, cohort) in parts.items():
        rows = assess(table, chosen.by, chosen.age_cut_points, chosen.min_n, of_photos, cohort)
        write_table(identified(rows, table), output / name / "fairness" / "fairness.tsv")
        print(f"{name}: {len(rows)} rows on {len(table)} participants")


@step(
    uses=["fairness", *FACES],
    writes={"stress.tsv": "changes of face ages; no row is about one photo"},
    hides=(*OUTCOMES, *COVARIATES, "group", "age_*", "acceleration_*", "flags"),
)
def stress_photos(
    photo_folder: Annotated[list[Path], typer.Option(help="Folder with photos; repeat for each cohort.")],
    model: Annotated[Path, typer.Option(help="Folder written by `weights import`.")],
    settings: Config,
    photos: Annotated[
        list[Path],
        typer.Option(
            help="Photo table (path, subject_id) of each folder, in order; without it all pictures of the folder."
        ),
    ] = [],
    face_ages: Annotated[
        list[Path], typer.Option(help="The run's face ages, in order: only photos with one are drawn.")
    ] = [],
    participants: Annotated[
        list[Path], typer.Option(help="Table with the groups (subject_id, sex, chronological_age), in order.")
    ] = [],
    workers: Annotated[int, typer.Option(help="Processes side by side; 0: one per core.", min=0)] = 0,
) -> Tables:
    """Age a sample of photos again in worse light, blurred, compressed, shrunk, grey, noisy, turned: how far do ages move?

    All steps from photo to age are repeated in memory for each degree; only numbers on groups are written.

    Example: faceage-bio stress-photos --photo-folder photos --model my-study/model --output fairness

    With groups: add --photos photos.parquet --participants acceleration.parquet
    """
    from functools import partial

    from faceage_bio.analyses.fairness.image_degradation import summarise_cohorts
    from faceage_bio.cli.progress import counted
    from faceage_bio.core.errors import RunError
    from faceage_bio.core.settings.settings_photos import FaceAge
    from faceage_bio.core.tables import read_table
    from faceage_bio.faces.faceage.photo import load_tools
    from faceage_bio.faces.faceage.predict import choose_device, count_workers
    from faceage_bio.faces.faceage.settings import settings_of
    from faceage_bio.faces.faceage.stress import gather_samples
    from faceage_bio.faces.faceage.stress import stress_photos as stress
    from faceage_bio.faces.vision.conditions import N_STEPS

    for name, given in (("photos", photos), ("face-ages", face_ages), ("participants", participants)):
        if given and len(given) != len(photo_folder):
            raise RunError(
                f"--{name}: expected once for each --photo-folder ({len(photo_folder)}), in the same order, or not at all; found {len(given)}. Give as many, or none."
            )
    fairness = settings.fairness
    faces = settings_of(
        FaceAge(
            **{name.partition(".")[2]: getattr(settings.faceage, name.partition(".")[2]) for name in FACES}
        )
    )
    sample = gather_samples(
        photo_folder,
        *([read_table(path) for path in paths] for paths in (photos, face_ages, participants)),
        fairness.stress_photos,
        fairness.by,
    )
    chosen = choose_device(settings.faceage.device)
    processes = count_workers(workers or None, chosen, N_STEPS * len(sample))
    print(f"{len(sample)} photos on {chosen}, {processes} worker(s)", flush=True)
    with counted("photos", len(sample)) as progress:
        changes = stress(
            sample,
            partial(load_tools, [model], chosen, faces),
            workers=processes,
            one_owner=chosen == "cuda",
            progress=progress,
        )
    table = summarise_cohorts(changes, fairness.by, fairness.age_cut_points, fairness.min_n)
    print(
        f"{len(table)} rows; {changes['condition'].isna().sum()} of {len(sample)} photos had no age as they are"
    )
    return {"stress": table}
