"""Commands that make what the demo runs on: simulated participants and an age model for them."""

from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.core.config import Config
from faceage_bio.core.steps import step


@step(uses=["demo.seed"])
def make_demo_cohorts(
    output: Annotated[Path, typer.Option(help="Folder for the cohorts north, south and healthy.")],
    settings: Config,
) -> None:
    """Draw three cohorts (photos, manifest, clinical data, samples and counts, or single cells) and the readings of a reader study.

    Example: faceage-bio make-demo-cohorts --output my-demo
    """
    from faceage_bio.cli.progress import counted
    from faceage_bio.demo.plans import PLANS
    from faceage_bio.demo.simulated_cohorts import make_cohort, make_readings

    seed = settings.demo.seed
    with counted("photos simulated", sum(plan.n for plan in PLANS)) as progress:
        for plan in PLANS:
            make_cohort(plan, seed, output / plan.name, progress)
    make_readings(PLANS[0], seed, output / "readings.tsv")


@step(uses=["demo.seed"])
def fit_demo_model(
    output: Annotated[Path, typer.Option(help="Folder for model.safetensors and card.json.")],
    settings: Config,
) -> None:
    """Fit the demo's age model on other simulated participants. It is not FaceAge.

    Example: faceage-bio fit-demo-model --output my-demo/model
    """
    from faceage_bio.cli.progress import counted
    from faceage_bio.demo.model import N_PEOPLE
    from faceage_bio.demo.model import fit_demo_model as fit

    with counted("faces simulated and detected", N_PEOPLE) as progress:
        card = fit(settings.demo.seed, output, progress=progress)
    print(f"{card['name']}: leave-one-out error {card['leave_one_out_rmse_years']} years")


@step(uses=["demo.seed"])
def make_demo_photos(
    output: Annotated[Path, typer.Option(help="Folder for photos, labels.tsv, followed.tsv and train.yaml.")],
    settings: Config,
    persons: Annotated[int, typer.Option(help="With two photos each, to train on.", min=10)] = 200,
    followed: Annotated[int, typer.Option(help="Others, with follow-up.", min=10)] = 100,
) -> None:
    """Draw labelled portraits of simulated participants, and the settings to train an age model on them.

    Example: faceage-bio make-demo-photos --output my-demo/training
    """
    from faceage_bio.cli.progress import counted
    from faceage_bio.demo.labelled import make_labelled_photos

    with counted("photos simulated", 2 * persons + followed) as progress:
        make_labelled_photos(output, persons, followed, settings.demo.seed, progress)
