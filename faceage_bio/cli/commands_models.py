"""faceage-bio weights: import, verify, fetch and show the published weights, add another model; faceage-bio train: an own one."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from faceage_bio.cli.terminal import Commands, counted_of
from faceage_bio.core.columns import AGE, EVENT, FOLLOWUP
from faceage_bio.core.errors import RunError

weights_app = Commands(no_args_is_help=True)
train_app = Commands(no_args_is_help=True)
ConfigFile = Annotated[
    Path, typer.Option("--config", help="train.yaml: sources, rules, split and fit (docs/training.md).")
]
Device = Annotated[str, "For finding faces: auto, cpu or cuda."]
Workers = Annotated[int, typer.Option(help="Processes side by side; 0: one per core.", min=0)]
Alignment = Literal["box", "five_points"]
Standardisation = Literal["per_photo", "imagenet", "zero_to_one", "minus_one_to_one"]


@weights_app.command("import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            help="faceage_model.h5, the Keras file of the authors' release; or with --card a checkpoint of PyTorch."
        ),
    ],
    output: Annotated[Path, "Folder for model.safetensors and card.json."],
    card: Annotated[
        Path | None, "Declaration of another model (.yaml): its architecture and its input."
    ] = None,
) -> None:
    """Convert the published Keras file, or a state dict of a declared architecture; no code in either is ever run.

    With --card: a vision transformer or another network of timm, such as FAHR-FaceAge. The declaration names the architecture, how
    faces are aligned, cut and standardised, and what an output of 1 means in years. Every tensor must be used and every parameter
    filled; an optimiser's state in the file is not read.

    Example: faceage-bio weights import faceage_model.h5 --output my-study/model

    Example: faceage-bio weights import fahr_faceage.pth --card fahr.yaml --output my-study/fahr
    """
    if card:
        from faceage_bio.faces.vision.transformer import import_transformer

        made = import_transformer(file, card, output)
        used = f"{made['parameters']:,} parameters, all used"
        print(f"{output}: {made['name']}, {used}; plausible ages for three trial faces.")
        unknown = "The card holds no notice: look at the licence of the weights before you use them."
        print(made["notice"] or unknown)
        return
    from faceage_bio.faces.vision.weights import import_weights

    made = import_weights(file, output)
    used = f"{made['parameters']:,} parameters, all used"
    print(f"{output}: {used}. SHA-256 of the source: {made['source_sha256']}")
    print(made["notice"])


@weights_app.command()
def add(
    file: Annotated[Path, typer.Argument(help="A TorchScript (.pt, .ts) or ONNX (.onnx) file.")],
    output: Annotated[Path, "Folder for the model and its card.json."],
    name: Annotated[str, "What the reports call it."],
    size: Annotated[
        int, typer.Option(help="Width and height of its input, in pixels.", min=16, max=1024)
    ] = 160,
    alignment: Annotated[
        Alignment, "How the face is cut: the detected box, or five landmarks moved to ArcFace's template."
    ] = "box",
    standardisation: Annotated[Standardisation, "How 0 to 255 becomes its input."] = "per_photo",
    source: Annotated[str, "Where it comes from: paper, version, licence."] = "",
    trust: Annotated[
        bool, typer.Option("--trust", help="You know who made a TorchScript file, which is a program.")
    ] = False,
) -> None:
    """Add an age model of another kind, as a second opinion alongside FaceAge.

    It must take faces as float32 of shape (n, 3, size, size), RGB, and give one age in years for each. Its card says how the face is
    cut and standardised for it; each model gets its own crop of one detection. Name its folder in the config after FaceAge's:
    `models: [model, second]`.

    A TorchScript file is a program that runs with your rights, here and in every run: without --trust it is not opened. An ONNX
    file holds arithmetic alone.

    Example: faceage-bio weights add other.onnx --output my-study/second --name OtherAge --size 224 --standardisation imagenet
    """
    from faceage_bio.faces.vision.face_input import FaceInput
    from faceage_bio.faces.vision.other_models import add_model

    how = FaceInput(alignment, size, standardisation)
    card = add_model(file, output, name=name, face_input=how, source=source, trust=trust)
    print(f"{output}: {card['name']}, {card['kind']}, gave plausible ages for three trial faces.")
    print(f"Next: models: [FACEAGE_FOLDER, {output}] in the config.")


@weights_app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="Folder written by `weights import`.")],
    reference: Annotated[Path, ".npz with inputs (n, 160, 160, 3) and ages (n,)."],
    tolerance: Annotated[float, typer.Option(help="Largest difference allowed, in years.", min=0)] = 1e-3,
) -> None:
    """Measure the largest difference from reference ages; exit status 1 above the tolerance. A match is noted in the model's card.

    Example: faceage-bio weights verify my-study/model --reference reference.npz --tolerance 0.001
    """
    from faceage_bio.faces.vision.weights import note_match, verify_weights

    agreement = verify_weights(folder, reference)
    passed = agreement.largest <= tolerance
    note_match(folder, reference, agreement if passed else None)
    print(
        f"{agreement.n} crops: largest difference {agreement.largest:.2e} years, mean {agreement.mean:.2e}; "
        f"{'within' if passed else 'ABOVE'} the tolerance of {tolerance:g}"
    )
    raise typer.Exit(0 if passed else 1)


@weights_app.command()
def fetch(
    url: Annotated[str, "Address of the file."] = "",
    folder: Annotated[Path | None, "Where to keep it; a cache by default."] = None,
    sha256: Annotated[str, "Hash that the file must have, if its source publishes one."] = "",
) -> None:
    """Download the weights from the authors' release, going on where an earlier try broke off.

    The release must have its known size of 92 MB; from another address come at most 1 GiB.

    Example: faceage-bio weights fetch
    """
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    from faceage_bio.faces.vision.fetch import RELEASE, cache_folder
    from faceage_bio.faces.vision.fetch import fetch as download
    from faceage_bio.faces.vision.weights import NOTICE

    print(NOTICE)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task("weights", total=None)

        def told(done: int, total: int | None) -> None:
            bar.update(task, completed=done, total=total)

        path, digest = download(url or RELEASE, folder or cache_folder(), progress=told, sha256=sha256)
    print(f"{path}\nSHA-256 {digest}")
    print(f"Next: faceage-bio weights import {path} --output my-study/model")


@weights_app.command()
def show(folder: Annotated[Path, typer.Argument(help="A model folder.")]) -> None:
    """Print the card of a model, after checking that its weights are those the card describes.

    Example: faceage-bio weights show my-study/model
    """
    import json

    from faceage_bio.faces.vision.models import read_card

    print(json.dumps(read_card(folder), indent=2, ensure_ascii=False))


@train_app.command()
def prepare(
    config: ConfigFile,
    output: Annotated[Path, "Folder for the faces, the split and the flow; private."],
    device: Device = "auto",
    workers: Workers = 0,
) -> None:
    """Read labelled photos, exclude by declared rules, cut each face once and split by person.

    UTKFace, IMDB-WIKI (.mat) and any table with path, age and identity. Each rule is counted (flow.tsv). A call that was interrupted
    is given again: faces that were cut are kept, damaged parts are made anew.

    Example: faceage-bio train prepare --config train.yaml --output prepared
    """
    from faceage_bio.core.settings.settings_training import read_training
    from faceage_bio.core.tables import read_json
    from faceage_bio.faces.faceage.predict import choose_device, count_workers
    from faceage_bio.faces.training.prepare import DESCRIPTION
    from faceage_bio.faces.training.prepare import prepare as prepare_photos

    settings, chosen = read_training(config), choose_device(device)
    processes = count_workers(workers or None, chosen, 10**9)
    with counted_of("photos") as told:
        flow = prepare_photos(settings, output, device=chosen, workers=processes, progress=told)
    for row in flow.itertuples():
        print(f"{row.step}: {f'{row.n_excluded} excluded, ' if row.n_excluded else ''}{row.n_left} left")
    made = read_json(output / DESCRIPTION)
    sides = ", ".join(f"{side} {n}" for side, n in made["sides"].items())
    print(f"{made['n_persons']} persons; faces by side: {sides}")
    if settings.split.kind == "study":
        copies, known = (f"{made['leak'][one]:.0%}" for one in ("place", "person"))
        what = f"{copies} of the faces outside training are copies of a photo in it"
        print(f"Leak of this split: {what}, {known} are of a person in it.")
    print(f"Next: faceage-bio train fit --config {config} --prepared {output} --output run")


@train_app.command()
def fit(
    config: ConfigFile,
    prepared: Annotated[Path, "Folder written by `train prepare`."],
    output: Annotated[Path, "Folder of the run: checkpoints, logs, history.tsv and model/."],
) -> None:
    """Fit an age model; the weights of the least validation error become a model folder that `models:` takes.

    A run that was killed is given again and goes on after its last whole epoch, with the losses that it would have had. Logs of CSV and
    TensorBoard are in logs/.

    Example: faceage-bio train fit --config train.yaml --prepared prepared --output run
    """
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
    best = f"epoch {told['best_epoch']} of {told['epochs']}"
    error = f"validation error {told['validation_error_years']} years"
    print(f"{output / 'model'}: {card['name']}, {best}, {error}")
    print(f"Next: faceage-bio train evaluate --run {output} --prepared {prepared}")


@train_app.command()
def evaluate(
    run: Annotated[Path, "Folder written by `train fit`."],
    prepared: Annotated[Path, "Folder written by `train prepare`."],
    incumbent: Annotated[Path | None, "Model folder to compare with, such as FaceAge's."] = None,
    followed: Annotated[
        Path | None,
        "Participants with follow-up: path, chronological_age, followup_years, event; needs --incumbent.",
    ] = None,
    cohort: Annotated[str, "What the card calls them."] = "follow-up",
    device: Device = "auto",
    workers: Workers = 0,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.", min=0)] = 1,
) -> None:
    """Errors on the test photos by age, sex and race, with CIs by person; prognosis alongside them on a cohort with follow-up.

    A lower error does not make a better prognosis: with --followed both models are compared in the same participants. This cohort
    then chose the model: its photos' keyed hashes go into the card, and `faceage-bio check` refuses it as a validation.

    Example: faceage-bio train evaluate --run run --prepared prepared --incumbent my-study/model --followed followed.tsv
    """
    from faceage_bio.core.tables import read_table, write_table, write_text
    from faceage_bio.faces.faceage.predict import choose_device
    from faceage_bio.faces.training import evaluation
    from faceage_bio.faces.training.prepare import FLOW
    from faceage_bio.intake.plain import read_plain
    from faceage_bio.report.single_pages import training_page
    from faceage_bio.report.words import interval, number

    if followed and not incumbent:
        raise RunError(
            "--followed needs --incumbent. Expected the model folder to compare with. Give it, or leave --followed out."
        )
    chosen, people = choose_device(device), None
    if followed:
        people = read_plain(followed, ("path", AGE, FOLLOWUP, EVENT))
        people["path"] = [str(followed.parent / path) for path in people["path"]]
    how = {"seed": seed, "device": chosen, "workers": workers}
    with counted_of("test photos") as told:
        accuracy, _ = evaluation.evaluate(run, prepared, incumbent, **how, progress=told)
    write_table(accuracy, run / "accuracy.tsv")
    prognosis = None
    if people is not None:
        prognosis = evaluation.prognosis(people, run, incumbent, cohort, chosen, workers)
        write_table(prognosis, run / "prognosis.tsv")
    card = evaluation.note_evaluation(run, accuracy, people, cohort)
    flow, history = read_table(prepared / FLOW), read_table(run / "history.tsv")
    write_text(training_page(card, flow, history, accuracy, prognosis), run / "report.html")
    for row in accuracy[(accuracy["subgroup"] == "all") & accuracy["estimate"].notna()].itertuples():
        found = f"{number(row.estimate)} (95% CI {interval(row.ci_lower, row.ci_upper)})"
        print(f"{row.term}, {row.measure}: {found}, {row.n} photos of {row.persons} persons")
    print(f"{run / 'report.html'}\nNext: models: [{run / 'model'}] in a study's config")
