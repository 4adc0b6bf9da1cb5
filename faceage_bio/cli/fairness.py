"""Commands that ask whether face ages are as good for one group of participants as for another."""

from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.cli.faceage import BoxMode, Detection, Device, FaceChoice, Precision, Resize

app = typer.Typer()
By = Annotated[
    list[str], typer.Option(help="A column with groups of participants, such as sex or race; repeat.")
]
AgeCutPoints = Annotated[
    list[float], typer.Option("--age-cut-point", help="Age at which a new band starts; repeat.")
]
MinN = Annotated[int, typer.Option(help="Smaller groups are marked as sparse data.", min=2)]
BANDS = [50.0, 60.0, 70.0, 80.0]


@app.command()
def assess_fairness(
    participants: Annotated[
        list[Path],
        typer.Option(
            help="Table with chronological_age, face_age and groups, one row per person; repeat to pool cohorts."
        ),
    ],
    output: Annotated[Path, typer.Option(help="Result table.")],
    photos: Annotated[
        list[Path],
        typer.Option(
            help="Their photos' face ages (subject_id, status, reason), for failures; repeat in the same order."
        ),
    ] = [],
    by: By = [],
    age_cut_points: AgeCutPoints = BANDS,
    min_n: MinN = 30,
) -> None:
    """Error against chronological age, its spread, and failures, by sex, race, age band and their crossings.

    Example: faceage-bio assess-fairness --participants acceleration.parquet --photos face_age.parquet --by sex --by race
    --output fairness.tsv

    A plain table does: faceage-bio assess-fairness --participants ages.csv --by sex --output fairness.tsv
    """
    import pandas as pd

    from faceage_bio.errors import RunError
    from faceage_bio.fairness.error import assess_fairness as assess
    from faceage_bio.plain import read_plain
    from faceage_bio.tables import read_table, write_table

    if photos and len(photos) != len(participants):
        raise RunError(
            f"--photos: expected once for each --participants ({len(participants)}), in the same order, or not at all; found {len(photos)}. Give as many, or none."
        )
    tables = [read_plain(path) for path in participants]
    judged = pd.concat([read_table(path) for path in photos], ignore_index=True) if photos else None
    together = pd.concat([table.astype(object) for table in tables], ignore_index=True).infer_objects()
    cohort = "pooled" if len(tables) > 1 else None
    table = assess(together, by, age_cut_points, min_n, judged, cohort)
    write_table(table, output)
    print(f"{len(table)} rows on {len(together)} participants")


@app.command()
def stress_photos(
    photo_folder: Annotated[list[Path], typer.Option(help="Folder with photos; repeat for each cohort.")],
    model: Annotated[Path, typer.Option(help="Folder written by `weights import`.")],
    output: Annotated[Path, typer.Option(help="Result table; no row of it is about one photo.")],
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
    n_photos: Annotated[int, typer.Option(help="Photos drawn of each cohort, by a fixed seed.", min=1)] = 50,
    by: By = [],
    age_cut_points: AgeCutPoints = BANDS,
    min_n: MinN = 30,
    device: Annotated[Device, typer.Option(help="auto takes a CUDA GPU where there is one.")] = Device.auto,
    workers: Annotated[int, typer.Option(help="Processes side by side; 0: one per core.", min=0)] = 0,
    batch_size: Annotated[int, typer.Option(help="Faces per pass, at most.", min=1)] = 32,
    precision: Annotated[Precision, typer.Option(help="As in predict-face-age.")] = Precision.float32,
    detection: Annotated[Detection, typer.Option(help="As in predict-face-age.")] = Detection.exact,
    face_choice: Annotated[
        FaceChoice, typer.Option(help="As in predict-face-age.")
    ] = FaceChoice.highest_confidence,
    min_probability: Annotated[float, typer.Option(help="As in predict-face-age.", min=0, max=1)] = 0.9,
    box_mode: Annotated[BoxMode, typer.Option(help="As in predict-face-age.")] = BoxMode.clip,
    resize: Annotated[Resize, typer.Option(help="As in predict-face-age.")] = Resize.bicubic,
    rule: Annotated[list[str], typer.Option(help="As in predict-face-age; repeat.")] = [],
) -> None:
    """Age a sample of photos again in worse light, blurred, compressed, shrunk, grey, noisy, turned: how far do ages move?

    The whole way is gone again for each step, in memory; only numbers on groups are written.

    Example: faceage-bio stress-photos --photo-folder photos --model my-study/model --output stress.tsv

    With groups: add --photos photos.parquet --participants acceleration.parquet --by sex
    """
    from functools import partial

    from faceage_bio.cli.progress import counted
    from faceage_bio.errors import RunError
    from faceage_bio.faceage.photo import load_tools
    from faceage_bio.faceage.predict import choose_device, count_workers
    from faceage_bio.faceage.rules import parse_rule
    from faceage_bio.faceage.settings import settings_of
    from faceage_bio.faceage.stress import gather_samples
    from faceage_bio.faceage.stress import stress_photos as stress
    from faceage_bio.fairness.stress import summarise_cohorts
    from faceage_bio.settings.photos import FaceAge
    from faceage_bio.tables import read_table, write_table
    from faceage_bio.vision.conditions import N_STEPS

    for name, given in (("photos", photos), ("face-ages", face_ages), ("participants", participants)):
        if given and len(given) != len(photo_folder):
            raise RunError(
                f"--{name}: expected once for each --photo-folder ({len(photo_folder)}), in the same order, or not at all; found {len(given)}. Give as many, or none."
            )
    rules = {one.name: {"action": one.action, "threshold": one.threshold} for one in map(parse_rule, rule)}
    settings = settings_of(
        FaceAge(
            batch_size=batch_size, precision=precision.value, detection=detection.value, face_choice=face_choice.value,
            min_probability=min_probability, box_mode=box_mode.value, resize=resize.value, quality=rules,
        )
    )  # fmt: skip
    sample = gather_samples(
        photo_folder,
        *([read_table(path) for path in paths] for paths in (photos, face_ages, participants)),
        n_photos,
        by,
    )
    chosen = choose_device(device.value)
    processes = count_workers(workers or None, chosen, N_STEPS * len(sample))
    print(f"{len(sample)} photos on {chosen}, {processes} worker(s)", flush=True)
    with counted("photos", len(sample)) as progress:
        changes = stress(
            sample, partial(load_tools, [model], chosen, settings), workers=processes, progress=progress
        )
    table = summarise_cohorts(changes, by, age_cut_points, min_n)
    write_table(table, output)
    print(
        f"{len(table)} rows; {changes['condition'].isna().sum()} of {len(sample)} photos had no age as they are"
    )
