"""Commands from photo to face age."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


class Device(StrEnum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class BoxMode(StrEnum):
    clip = "clip"
    abs_shift = "abs_shift"


class Resize(StrEnum):
    bicubic = "bicubic"
    nearest = "nearest"


@app.command()
def predict_face_age(
    photos: Annotated[Path, typer.Option(help="Photo table written by check-cohorts.")],
    photo_folder: Annotated[Path, typer.Option(help="Folder that the paths in it start from.")],
    model: Annotated[Path, typer.Option(help="Folder written by `weights import`.")],
    output: Annotated[Path, typer.Option(help="Table of face ages, one row per photo.")],
    ledger: Annotated[Path, typer.Option(help="Ledger of this stage.")],
    device: Annotated[Device, typer.Option(help="auto takes a CUDA GPU where there is one.")] = Device.auto,
    batch_size: Annotated[int, typer.Option(help="Faces per pass.", min=1)] = 32,
    min_probability: Annotated[
        float, typer.Option(help="Below it a detection is no face.", min=0, max=1)
    ] = 0.9,
    min_face_pixels: Annotated[int, typer.Option(help="Shortest side of a face box.", min=1)] = 60,
    box_mode: Annotated[
        BoxMode, typer.Option(help="What becomes of a box that leaves the photo.")
    ] = BoxMode.clip,
    resize: Annotated[Resize, typer.Option(help="Filter that scales the crop.")] = Resize.bicubic,
) -> None:
    """Find the face in each photo and predict its age; a photo that fails becomes a row with a reason.

    Example: faceage-bio predict-face-age --photos photos.parquet --photo-folder photos --model my-study/model
    --output face_age.parquet --ledger ledger.tsv
    """
    from faceage_bio.cli.progress import counted
    from faceage_bio.faceage.ledger import ledger_of
    from faceage_bio.faceage.predict import (
        Settings,
        choose_device,
        predict_face_ages,
        remove_parts,
    )
    from faceage_bio.tables import read_table, write_table
    from faceage_bio.vision.detect import Detector
    from faceage_bio.vision.models import load_model

    table = read_table(photos)
    chosen = choose_device(device.value)
    network = load_model(model, chosen)
    settings = Settings(min_probability, min_face_pixels, box_mode.value, resize.value, batch_size)
    parts = output.with_name(f".{output.stem}_parts")
    print(f"{len(table)} photos on {chosen}, model {network.card['name']}")
    with counted("photos", len(table)) as progress:
        ages = predict_face_ages(table, photo_folder, network, Detector(chosen), settings, parts, progress)
    write_table(ledger_of(ages), ledger, private=True)
    write_table(ages, output, private=True)
    remove_parts(parts)
    print("\n".join(f"{status or 'ok'}: {n}" for status, n in ages["reason"].value_counts().items()))


@app.command()
def read_face_ages(
    cohort: Annotated[str, typer.Option(help="Name of the cohort.")],
    face_ages: Annotated[Path, typer.Option(help="TSV or CSV with subject_id and face_age.")],
    output: Annotated[Path, typer.Option(help="Table of face ages, one row per photo.")],
    ledger: Annotated[Path, typer.Option(help="Ledger of this stage.")],
) -> None:
    """Take face ages that were computed elsewhere.

    Example: faceage-bio read-face-ages --cohort mine --face-ages ages.csv
    --output face_age.parquet --ledger ledger.tsv
    """
    from faceage_bio.faceage.given import read_face_ages as read
    from faceage_bio.faceage.ledger import ledger_of
    from faceage_bio.tables import write_table

    table = read(face_ages, cohort)
    write_table(ledger_of(table), ledger, private=True)
    write_table(table, output, private=True)
    print(f"{len(table)} face ages read")
