"""faceage-bio train: prepare labelled photos, fit an age model on them, evaluate it."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)
ConfigFile = Annotated[
    Path, typer.Option("--config", help="train.yaml: sources, rules, split and fit (docs/training.md).")
]
Device = Annotated[str, typer.Option(help="For finding faces: auto, cpu or cuda.")]
Workers = Annotated[int, typer.Option(help="Processes side by side; 0: one per core.", min=0)]


@app.command()
def prepare(
    config: ConfigFile,
    output: Annotated[Path, typer.Option(help="Folder for the faces, the split and the flow; private.")],
    device: Device = "auto",
    workers: Workers = 0,
) -> None:
    """Read labelled photos, exclude by declared rules, cut each face once and split by person.

    UTKFace, IMDB-WIKI (.mat) and any table with path, age and identity. Each rule is counted (flow.tsv). A call that was interrupted
    is given again: faces that were cut are kept, damaged parts are made anew.

    Example: faceage-bio train prepare --config train.yaml --output prepared
    """
    from faceage_bio.cli.progress import counted_of
    from faceage_bio.core.settings.settings_training import read_training
    from faceage_bio.core.tables import read_json
    from faceage_bio.faces.faceage.predict import choose_device, count_workers
    from faceage_bio.faces.training.prepare import DESCRIPTION
    from faceage_bio.faces.training.prepare import prepare as prepare_photos

    settings, chosen = read_training(config), choose_device(device)
    with counted_of("photos") as told:
        flow = prepare_photos(
            settings,
            output,
            device=chosen,
            workers=count_workers(workers or None, chosen, 10**9),
            progress=told,
        )
    for row in flow.itertuples():
        print(f"{row.step}: {f'{row.n_excluded} excluded, ' if row.n_excluded else ''}{row.n_left} left")
    made = read_json(output / DESCRIPTION)
    print(
        f"{made['n_persons']} persons; faces by side: {', '.join(f'{side} {n}' for side, n in made['sides'].items())}"
    )
    if settings.split.kind == "study":
        print(
            f"Leak of this split: {made['leak']['place']:.0%} of the faces outside training are copies of a photo in it, {made['leak']['person']:.0%} are of a person in it."
        )
    print(f"Next: faceage-bio train fit --config {config} --prepared {output} --output run")


@app.command()
def fit(
    config: ConfigFile,
    prepared: Annotated[Path, typer.Option(help="Folder written by `train prepare`.")],
    output: Annotated[
        Path, typer.Option(help="Folder of the run: checkpoints, logs, history.tsv and model/.")
    ],
) -> None:
    """Fit an age model; the weights of the least validation error become a model folder that `models:` takes.

    A run that was killed is given again and goes on after its last whole epoch, with the losses that it would have had. Logs of CSV and
    TensorBoard are in logs/.

    Example: faceage-bio train fit --config train.yaml --prepared prepared --output run
    """
    from faceage_bio.core.errors import RunError
    from faceage_bio.core.settings.settings_training import read_training

    try:
        from faceage_bio.faces.training.fitting import fit_model
    except ImportError as error:
        if error.name and error.name.startswith("faceage_bio"):
            raise
        raise RunError(
            f"training needs {error.name}, which is not installed. Install it: pip install 'faceage-bio[train]'."
        ) from None
    card = fit_model(read_training(config), prepared, output)
    told = card["training"]
    print(
        f"{output / 'model'}: {card['name']}, epoch {told['best_epoch']} of {told['epochs']}, validation error {told['validation_error_years']} years"
    )
    print(f"Next: faceage-bio train evaluate --run {output} --prepared {prepared}")


@app.command()
def evaluate(
    run: Annotated[Path, typer.Option(help="Folder written by `train fit`.")],
    prepared: Annotated[Path, typer.Option(help="Folder written by `train prepare`.")],
    incumbent: Annotated[
        Path | None, typer.Option(help="Model folder to compare with, such as FaceAge's.")
    ] = None,
    followed: Annotated[
        Path | None,
        typer.Option(
            help="Participants with follow-up: path, chronological_age, followup_years, event; needs --incumbent."
        ),
    ] = None,
    cohort: Annotated[str, typer.Option(help="What the card calls them.")] = "follow-up",
    device: Device = "auto",
    workers: Workers = 0,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.", min=0)] = 1,
) -> None:
    """Errors on the test photos by age, sex and race, with CIs by person; prognosis alongside them on a cohort with follow-up.

    A lower error does not make a better prognosis: with --followed both models are compared in the same participants. This cohort
    then chose the model: its photos' keyed hashes go into the card, and `faceage-bio check` refuses it as a validation.

    Example: faceage-bio train evaluate --run run --prepared prepared --incumbent my-study/model --followed followed.tsv
    """
    from faceage_bio.cli.progress import counted_of
    from faceage_bio.core.columns import AGE, EVENT, FOLLOWUP
    from faceage_bio.core.errors import RunError
    from faceage_bio.core.tables import read_table, write_table, write_text
    from faceage_bio.faces.faceage.predict import choose_device
    from faceage_bio.faces.training import evaluation
    from faceage_bio.faces.training.prepare import FLOW
    from faceage_bio.intake.plain import read_plain
    from faceage_bio.report.sections_training import training_page

    if followed and not incumbent:
        raise RunError(
            "--followed needs --incumbent. Expected the model folder to compare with. Give it, or leave --followed out."
        )
    chosen, people = choose_device(device), None
    if followed:
        people = read_plain(followed, ("path", AGE, FOLLOWUP, EVENT))
        people["path"] = [str(followed.parent / path) for path in people["path"]]
    with counted_of("test photos") as told:
        accuracy, _ = evaluation.evaluate(
            run, prepared, incumbent, seed=seed, device=chosen, workers=workers, progress=told
        )
    write_table(accuracy, run / "accuracy.tsv")
    prognosis = None
    if people is not None:
        prognosis = evaluation.prognosis(people, run, incumbent, cohort, chosen, workers)
        write_table(prognosis, run / "prognosis.tsv")
    card = evaluation.note_evaluation(run, accuracy, people, cohort)
    page = training_page(
        card, read_table(prepared / FLOW), read_table(run / "history.tsv"), accuracy, prognosis
    )
    write_text(page, run / "report.html")
    for row in accuracy[(accuracy["subgroup"] == "all") & accuracy["estimate"].notna()].itertuples():
        print(
            f"{row.term}, {row.measure}: {row.estimate:.2f} (95% CI {row.ci_lower:.2f} to {row.ci_upper:.2f}), {row.n} photos of {row.persons} persons"
        )
    print(f"{run / 'report.html'}\nNext: models: [{run / 'model'}] in a study's config")
