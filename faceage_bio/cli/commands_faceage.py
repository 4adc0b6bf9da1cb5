"""Commands from photo to face age, the review of photos, and the store of results of single photos."""

from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.cli.terminal import Commands, check_of_each_cohort, counted
from faceage_bio.core.columns import COHORT, FACE_AGE, PHOTO, SUBJECT
from faceage_bio.core.config import Config
from faceage_bio.core.errors import RunError
from faceage_bio.core.steps import PHOTO_THAT_COUNTS, Tables, in_section, section_of, step

app = Commands()
store_app = Commands(no_args_is_help=True)

FEW_PHOTOS = 32  # one process computes them
FACES = in_section(
    "faceage",
    "device batch_size precision detection face_choice min_probability box_mode resize jitters quality",
)
Folder = Annotated[
    Path, typer.Argument(help="The config's faceage.store, or faceage_store in the results folder.")
]


@step(uses=FACES)
def predict_face_age(
    photos: Annotated[Path, "Photo table written by read-manifest."],
    photo_folder: Annotated[Path, "Folder that the paths in it start from."],
    model: Annotated[list[Path], "Folder written by `weights import`; repeat for further models."],
    output: Annotated[Path, "Table of face ages, one row per photo (private)."],
    settings: Config,
    shard: Annotated[str, "Which part of the photos, such as 2-of-5."] = "1-of-1",
    workers: Annotated[int, typer.Option(help="Processes side by side; 0: one per core.", min=0)] = 0,
    store: Annotated[
        Path | None,
        "Folder with the results of photos computed before; default: faceage_store next to the output.",
    ] = None,
    speed: Annotated[Path | None, "Where to write photos, seconds and device (.json)."] = None,
) -> None:
    """Find the face in each photo and predict its age; a photo that fails becomes a row with a reason.

    Example: faceage-bio predict-face-age --photos photos.parquet --photo-folder photos --model my-study/model
    --output face_age.parquet
    """
    from functools import partial

    from faceage_bio.core.machine import start_worker_server
    from faceage_bio.core.tables import read_table, write_json, write_table
    from faceage_bio.faces.faceage.shards import photos_of

    table = photos_of(read_table(photos), shard)
    if workers != 1 and len(table) > FEW_PHOTOS:
        start_worker_server()  # it loads its libraries while this process does
    from faceage_bio.faces.faceage.photo import load_tools
    from faceage_bio.faces.faceage.photo_quality import precision_sentence
    from faceage_bio.faces.faceage.predict import choose_device, count_workers, device_name, predict_face_ages
    from faceage_bio.faces.faceage.store import PhotoStore, engine_of
    from faceage_bio.faces.vision.decode import MEANINGS
    from faceage_bio.faces.vision.models import read_card

    faces = section_of(settings.faceage)
    chosen = choose_device(settings.faceage.device)
    cards = [read_card(folder) for folder in model]
    processes = count_workers(workers or None, chosen, len(table))
    names = ", ".join(card["name"] for card in cards)
    where = f"{len(table)} photos on {chosen}, {processes} worker(s)"
    print(f"{where}, {faces.detection} detection, model {names}", flush=True)
    known = PhotoStore(store or output.with_name("faceage_store"), engine_of(cards, faces))
    seconds: list[float] = []
    with counted("photos", len(table)) as progress:
        ages = predict_face_ages(
            table, photo_folder, partial(load_tools, model, chosen, faces), cards, faces,
            workers=processes, one_owner=chosen == "cuda", store=known, seconds=seconds, progress=progress,
        )  # fmt: skip
    write_table(ages, output)
    print(f"{known.found} of {len(table)} photos were computed before, {len(table) - known.found} now")
    if speed:
        run = {"device": device_name(chosen), "workers": processes, "photos": len(table)}
        write_json(run | {"seconds": round(sum(seconds) / processes, 3)}, speed)
    for reason, n in ages["reason"].value_counts().items():
        print(f"{reason or 'ok'}: {n}" + (f" ({MEANINGS[reason]})" if reason in MEANINGS else ""))
    if faces.precision != "float32":
        print(precision_sentence(ages))


@step(
    uses=["faceage", "review.disagreement"],
    files={
        "results/{cohort}/faceage/face_age.parquet": "face ages, one row per photo (private)",
        "results/{cohort}/faceage/model_card.json": "models and settings that gave the ages",
    },
)
def gather_face_ages(
    shard: Annotated[list[Path], "Written by predict-face-age; repeat for all of a cohort."],
    manifest: Annotated[
        list[Path], "manifest.parquet of each cohort with shards, with --review of all with photos; repeat."
    ],
    results: Annotated[Path, "Results folder."],
    model: Annotated[list[Path], "The models' folders, the first gave the ages; repeat."],
    settings: Config,
    cohort: Annotated[str, "Write the tables of this cohort alone."] = "",
    review: Annotated[Path | None, "What reviewers decided on photos, written by read-review."] = None,
) -> None:
    """Join the shards of a cohort in the order of its manifest, look for photos that occur twice, and write the model card.

    Photos that occur in two cohorts are excluded where the shards of both are given; `summarise-photos` flags them.

    Example: faceage-bio gather-face-ages --shard 1-of-2.parquet --shard 2-of-2.parquet --manifest manifest.parquet
    --model my-study/model --results results
    """
    import pandas as pd

    from faceage_bio.core.tables import read_table, write_json, write_table
    from faceage_bio.faces.faceage.review import mark_reviewed, read_review, settle
    from faceage_bio.faces.faceage.shards import gather_shards
    from faceage_bio.faces.vision.models import read_card

    inference = settings.faceage.model_dump(mode="json")
    card = {"models": [read_card(folder) for folder in model], "inference": inference}
    listed = pd.concat([read_table(path) for path in manifest])
    gathered = gather_shards([read_table(path) for path in shard], listed, settings.faceage.duplicates)
    if review:
        verdicts = settle(read_review(review, listed), settings.review.disagreement)
        gathered = {name: mark_reviewed(table, verdicts) for name, table in gathered.items()}
    for name, table in gathered.items():
        if cohort not in ("", name):
            continue
        folder = results / name / "faceage"
        write_table(table, folder / "face_age.parquet")
        write_json(card, folder / "model_card.json")
        aged, same = table["face_age"].notna().sum(), table["flags"].str.contains("same_photo").sum()
        print(f"{name}: {len(table)} photos, {aged} face ages, {same} photos that occur twice")


@step(
    uses=["fairness.by", "fairness.age_cut_points"],
    files={
        "results/{cohort}/faceage/shared_photos.parquet": "photos that another cohort has too (private)",
        "results/{cohort}/faceage/ledger.tsv": "photos that were excluded, and why (private)",
        "results/{cohort}/faceage/summary.tsv": "photos by status and reason",
        "results/{cohort}/faceage/photo_counts.tsv": "photos by status, reason and group",
        "results/{cohort}/faceage/photo_measures.tsv": "distributions of image quality",
        "results/{cohort}/faceage/photo_speed.tsv": "photos per second",
    },
)
def summarise_photos(
    face_ages: Annotated[
        list[Path], "Face ages of a cohort, written by gather-face-ages; repeat for each cohort."
    ],
    participants: Annotated[list[Path], "Table with subject_id and the groups; repeat in the same order."],
    results: Annotated[Path, "Results folder."],
    settings: Config,
    speed: Annotated[list[Path], "Written by predict-face-age --speed; repeat."] = [],
) -> None:
    """Flag photos that stand in two cohorts, write each cohort's ledger of photos, and count photos for the page on photo quality.

    A step of all cohorts: a cohort's face ages wait for no other cohort, its analyses without flagged photos do.

    Example: faceage-bio summarise-photos --face-ages face_age.parquet --participants subjects.parquet --set fairness.by=sex
    --results results
    """
    import numpy as np
    import pandas as pd

    from faceage_bio.analyses.fairness.differences import age_bands, known_age
    from faceage_bio.core.tables import read_json, read_table, write_table
    from faceage_bio.faces.faceage.duplicates import mark_same_photos
    from faceage_bio.faces.faceage.photo_quality import (
        SKIN_TYPE,
        bin_measures,
        count_photos,
        ledger_of,
        summarise_face_ages,
        summarise_speed,
    )

    if len(face_ages) != len(participants):
        raise RunError(
            f"--participants: expected once for each --face-ages ({len(face_ages)}), in the same order; found {len(participants)}. Give as many."
        )
    tables = [read_table(path) for path in face_ages]
    whole = pd.concat(tables, ignore_index=True)
    if len(tables) > 1:  # photos that stand in two cohorts; of one, gather-face-ages has marked them
        whole = mark_same_photos(whole, "flag")
    ends = np.cumsum([len(table) for table in tables])
    for end, first, people in zip(ends, tables, participants, strict=True):
        table, known = whole.iloc[end - len(first) : end], read_table(people)
        bands = age_bands(known_age(known), settings.fairness.age_cut_points)
        known[bands.name] = pd.Categorical(bands.groups, bands.levels)
        groups = dict.fromkeys(["group", "sex", bands.name, SKIN_TYPE, *settings.fairness.by])
        counted = count_photos(table, known, list(groups))
        name = counted["cohort"].iloc[0]
        own = [read_json(path) for path in speed if path.parts[-4:-3] == (name,) or len(face_ages) == 1]
        folder = results / name / "faceage"
        changed = (table["flags"] != first["flags"].to_numpy()) & (table["status"] != "excluded")
        write_table(table.loc[changed, [COHORT, SUBJECT, PHOTO, "flags"]], folder / "shared_photos.parquet")
        write_table(ledger_of(table), folder / "ledger.tsv")
        write_table(summarise_face_ages(table), folder / "summary.tsv")
        write_table(counted, folder / "photo_counts.tsv")
        write_table(bin_measures(table), folder / "photo_measures.tsv")
        write_table(summarise_speed(own, name), folder / "photo_speed.tsv")
        print(f"{name}: {len(table)} photos")


@step(uses=PHOTO_THAT_COUNTS)
def compare_models(
    face_age: Annotated[Path, "Face ages of a cohort, written by gather-face-ages."],
    model: Annotated[list[Path], "The models' folders, in their order; repeat."],
    agreement: Annotated[Path, "Result table (.tsv)."],
    bands: Annotated[Path, "Differences by band of age, for the figure (.tsv)."],
    subjects: Annotated[Path, "The cohort's subjects.parquet."],
    photos: Annotated[Path, "Its photos.parquet, with the dates."],
    comparison: Annotated[Path, "Result table of accuracy and prognosis (.tsv)."],
    settings: Config,
) -> None:
    """How far further age models agree with the first (Bland-Altman), which is more accurate, and which predicts death better.

    Each participant has the age of the photo that counts, as acceleration.repeat_photos says. Accuracy and prognosis are those of
    the same participants: errors with paired differences; hazard ratios per SD, likelihood-ratio tests and paired differences of
    Harrell's C.

    Example: faceage-bio compare-models --face-age face_age.parquet --model my-study/model --model my-study/second
    --subjects subjects.parquet --photos photos.parquet --agreement agreement.tsv --bands agreement_bands.tsv --comparison comparison.tsv
    """
    from faceage_bio.analyses.acceleration.photo_that_counts import one_per_subject
    from faceage_bio.core.tables import cohort_of, read_table, write_table
    from faceage_bio.faces.faceage.model_comparison import age_columns, compare_predictions
    from faceage_bio.faces.faceage.model_comparison import compare_models as compare
    from faceage_bio.faces.vision.models import read_card

    ages, cards = read_table(face_age), [read_card(folder) for folder in model]
    known, pictures = read_table(subjects), read_table(photos)

    def counting(table, column=FACE_AGE):
        """One row per participant, whose face age is that of a model by the photos of this table that count."""
        own = table.assign(**{FACE_AGE: table[column]})
        return one_per_subject(own, pictures, known, settings.acceleration).set_index(SUBJECT)

    rows, by_band = compare(ages, cards, lambda table, column: counting(table, column)[FACE_AGE])
    write_table(by_band, bands)
    write_table(rows, agreement)
    print(f"{len(rows)} rows on {len(model) - 1} further model(s)")
    people = counting(ages)
    for column in age_columns(len(model))[1:]:
        people[column] = counting(ages, column)[FACE_AGE]
    cohort = cohort_of(ages)
    write_table(compare_predictions(people.reset_index(), cards, cohort), comparison)


@app.command()
def read_face_ages(
    cohort: Annotated[str, "Name of the cohort."],
    face_ages: Annotated[Path, "TSV or CSV with subject_id and face_age."],
    output: Annotated[Path, "Table of face ages, one row per photo."],
    ledger: Annotated[Path, "Ledger of this stage."],
) -> None:
    """Take face ages that were computed elsewhere.

    Example: faceage-bio read-face-ages --cohort mine --face-ages ages.csv
    --output face_age.parquet --ledger ledger.tsv
    """
    from faceage_bio.core.tables import write_table
    from faceage_bio.faces.faceage.photo_quality import ledger_of
    from faceage_bio.intake.cohort.photos import read_face_ages as read

    table = read(face_ages, cohort)
    write_table(ledger_of(table), ledger)
    write_table(table, output)
    print(f"{len(table)} face ages read")


@step(uses=["review.photos", "review.seed"])
def make_review_sheet(
    photo_folder: Annotated[list[Path], "Folder with photos; repeat for each cohort."],
    photos: Annotated[list[Path], "Photo table of each folder, in order."],
    face_ages: Annotated[list[Path], "The run's face ages, in order."],
    output: Annotated[Path, "The sheet (.html). It holds faces and stays on this computer."],
    key: Annotated[Path, "Private table (.tsv) of number and photo_id; keeps those of earlier sheets."],
    settings: Config,
    every: Annotated[bool, typer.Option("--all", help="All photos that have a face age.")] = False,
) -> None:
    """Make a sheet of faces for a review by persons who know nothing else of them. LOCAL ONLY.

    The cohorts are mixed. The sheet shows the face and a running number: no name, age, face age, group or outcome, and none of our
    flags. It works without a network, by keyboard, and saves the decisions as a table for `faceage-bio read-review`.

    Example: faceage-bio make-review-sheet --photo-folder photos --photos photos.parquet --face-ages face_age.parquet
    --output results/local/LOCAL_ONLY_review_sheet.html --key results/local/review_key.tsv
    """
    import pandas as pd

    from faceage_bio.core.tables import OWNER_ONLY, read_table, write_table, write_text
    from faceage_bio.faces.faceage.review import Shown, add_to_keys, choose_photos, cut_face
    from faceage_bio.report.single_pages import review_sheet

    check_of_each_cohort(photo_folder=photo_folder, photos=photos, face_ages=face_ages)
    ages = pd.concat([read_table(path) for path in face_ages], ignore_index=True)
    places = pd.concat(
        read_table(path)[[COHORT, PHOTO, "path"]].assign(folder=str(folder))
        for path, folder in zip(photos, photo_folder, strict=True)
    )
    chosen = choose_photos(ages, None if every else settings.review.photos, settings.review.seed)
    known = chosen.merge(ages, on=[COHORT, PHOTO], how="left").merge(places, on=[COHORT, PHOTO], how="left")
    shown = []
    with counted("photos", len(known)) as progress:
        for row in known.to_dict("records"):
            box = [row[f"box_{part}"] for part in ("x", "y", "width", "height")]
            shown.append(Shown(row["photo"], cut_face(Path(row["folder"]), row["path"], box)))
            progress(1)
    output.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_table(add_to_keys(read_table(key) if key.exists() else None, chosen), key, mode=OWNER_ONLY)
    sheet = str(chosen["sheet"].iloc[0])
    write_text(review_sheet(shown, sheet), output, mode=OWNER_ONLY)
    held = f"sheet {sheet} with {len(chosen)} of {len(ages)} photos"
    print(f"{output}: {held}. It holds faces: keep it on this computer.")
    command = f"faceage-bio read-review --config CONFIG --key {key} --decisions FILE"
    print(f"Next: open it in a browser, save the decisions, then {command}")


@step(uses=["review.disagreement"])
def read_review(
    decisions: Annotated[list[Path], "Table that the sheet saved; repeat for each reviewer."],
    key: Annotated[Path, "Written with the sheet."],
    output: Annotated[Path, "The review by photo_id (.tsv, private), for the config."],
    settings: Config,
    partial: Annotated[
        bool, typer.Option("--partial", help="Photos may be left undecided; they stay as they are.")
    ] = False,
) -> None:
    """Check what the reviewers decided and translate their numbers into photos.

    Example: faceage-bio read-review --config my-study/config.yaml --key results/local/review_key.tsv --decisions anna.tsv
    --decisions ben.tsv --output my-study/review.tsv

    Then name the table in the config, `review: {decisions: review.tsv}`, and run again.
    """
    from faceage_bio.core.results.reasons import in_words
    from faceage_bio.core.tables import OWNER_ONLY, read_table, write_table
    from faceage_bio.faces.faceage.review import read_decisions, settle, summarise_review
    from faceage_bio.report.words import with_ci

    review = read_decisions(decisions, read_table(key), str(key), partial)
    write_table(review, output, mode=OWNER_ONLY)
    verdicts = settle(review, settings.review.disagreement)
    for (status, reason), n in verdicts.groupby(["status", "reason"]).size().items():
        print(f"{status}{f', {reason}' if reason else ''}: {n} photo(s)")
    for row in summarise_review(review, settings.review.disagreement).itertuples():
        if row.measure != "photos":
            told = in_words(row.reason) or with_ci(row.estimate, row.ci_lower, row.ci_upper)
            print(f"{row.term}, {row.n} photos, {row.measure}, {row.outcome}: {told}")
    print(f"Next: write into the config  review: {{decisions: {output}}}  and run again.")


@step(
    uses=["review.disagreement"],
    writes={"review.tsv": "photos that reviewers looked at, and their agreement; numbers only"},
)
def summarise_review(
    review: Annotated[Path, "Written by read-review."],
    photos: Annotated[list[Path], "Face ages or photo tables of the study; repeat."],
    settings: Config,
) -> Tables:
    """How many photos reviewers looked at, and how far they agree (Cohen's kappa).

    Example: faceage-bio summarise-review --review my-study/review.tsv --photos face_age.parquet --output results/pooled/faceage
    """
    import pandas as pd

    from faceage_bio.core.tables import read_table
    from faceage_bio.faces.faceage.review import read_review as read
    from faceage_bio.faces.faceage.review import summarise_review as summarise

    known = pd.concat([read_table(path)[[COHORT, PHOTO]] for path in photos], ignore_index=True)
    return {"review": summarise(read(review, known), settings.review.disagreement)}


@store_app.command()
def verify(folder: Folder) -> None:
    """Read every part and every photo again; one line for each engine (model, settings, versions).

    Example: faceage-bio store verify my-study/results/faceage_store
    """
    from faceage_bio.faces.faceage.store import open_stores, verify_store

    bad = 0
    for store in open_stores(folder):
        found = verify_store(store)
        bad += found["damaged_parts"] + found["changed"]
        print(
            f"{found['engine']}: {found['photos']} photos, {found['damaged_parts']} part(s) that cannot be read, {found['gone']} photo(s) no longer "
            f"where they were, {found['changed']} photo(s) changed with an unchanged time"
        )
    if bad:
        raise RunError(
            f"{folder}: {bad} fault(s). Expected parts and photos as they were written. Run `faceage-bio store prune`, which removes damaged "
            "parts, and copy photos whose bytes were changed anew: they are computed again."
        )


@store_app.command()
def prune(
    folder: Folder,
    unused_days: Annotated[
        float | None,
        typer.Option(help="Also remove engines to which no photo was added for so many days.", min=0),
    ] = None,
    gone: Annotated[
        bool, typer.Option("--gone", help="Also forget photos that are no longer on the disk.")
    ] = False,
) -> None:
    """Remove damaged parts and doubled rows.

    Example: faceage-bio store prune my-study/results/faceage_store --gone --unused-days 365
    """
    from faceage_bio.faces.faceage.store import open_stores, prune_store

    for store in open_stores(folder):
        done = prune_store(store, unused_days=unused_days, gone=gone)
        print(f"{done['engine']}: {done['kept']} photo(s) kept, {done['removed']} row(s) removed")
