"""Commands that make what the demo runs on: simulated participants and an age model for them."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()
Seed = Annotated[int, typer.Option(help="Other seeds simulate other participants.", min=0)]


@app.command()
def make_demo_cohorts(
    output: Annotated[Path, typer.Option(help="Folder for the cohorts north, south and healthy.")],
    seed: Seed = 2025,
) -> None:
    """Draw three cohorts (photos, manifest, clinical data, samples and counts, or single cells) and the readings of a reader study.

    Example: faceage-bio make-demo-cohorts --output my-demo
    """
    from faceage_bio.cli.progress import counted
    from faceage_bio.demo.plans import PLANS
    from faceage_bio.demo.simulated_cohorts import make_cohort, make_readings

    with counted("photos simulated", sum(plan.n for plan in PLANS)) as progress:
        for plan in PLANS:
            make_cohort(plan, seed, output / plan.name, progress)
    make_readings(PLANS[0], seed, output / "readings.tsv")


@app.command()
def fit_demo_model(
    output: Annotated[Path, typer.Option(help="Folder for model.safetensors and card.json.")],
    seed: Seed = 2025,
) -> None:
    """Fit the demo's age model on other simulated participants. It is not FaceAge.

    Example: faceage-bio fit-demo-model --output my-demo/model
    """
    from faceage_bio.cli.progress import counted
    from faceage_bio.demo.model import N_PEOPLE
    from faceage_bio.demo.model import fit_demo_model as fit

    with counted("faces simulated and detected", N_PEOPLE) as progress:
        card = fit(seed, output, progress=progress)
    print(f"{card['name']}: leave-one-out error {card['leave_one_out_rmse_years']} years")


@app.command()
def make_demo_photos(
    output: Annotated[Path, typer.Option(help="Folder for photos, labels.tsv, followed.tsv and train.yaml.")],
    persons: Annotated[int, typer.Option(help="With two photos each, to train on.", min=10)] = 200,
    followed: Annotated[int, typer.Option(help="Others, with follow-up.", min=10)] = 100,
    seed: Seed = 2025,
) -> None:
    """Draw labelled portraits of simulated participants, and the settings to train an age model on them.

    Example: faceage-bio make-demo-photos --output my-demo/training
    """
    from faceage_bio.cli.progress import counted
    from faceage_bio.demo.labelled import make_labelled_photos

    with counted("photos simulated", 2 * persons + followed) as progress:
        make_labelled_photos(output, persons, followed, seed, progress)
