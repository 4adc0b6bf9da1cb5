"""Commands for reviewers who look at the photos: a sheet of faces that stays on this computer, and what they decided."""

from pathlib import Path
from typing import Annotated

import typer

from faceage_bio.core.config import Config
from faceage_bio.core.steps import Tables, step


@step(uses=["review.photos", "review.seed"])
def make_review_sheet(
    photo_folder: Annotated[list[Path], typer.Option(help="Folder with photos; repeat for each cohort.")],
    photos: Annotated[list[Path], typer.Option(help="Photo table of each folder, in order.")],
    face_ages: Annotated[list[Path], typer.Option(help="The run's face ages, in order.")],
    output: Annotated[
        Path, typer.Option(help="The sheet (.html). It holds faces and stays on this computer.")
    ],
    key: Annotated[
        Path, typer.Option(help="Private table (.tsv) of number and photo_id; keeps those of earlier sheets.")
    ],
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

    from faceage_bio.cli.progress import counted
    from faceage_bio.core.columns import COHORT, PHOTO
    from faceage_bio.core.errors import RunError
    from faceage_bio.core.tables import OWNER_ONLY, read_table, write_table, write_text
    from faceage_bio.faces.faceage.review_sheet import Shown, add_to_keys, choose_photos, cut_face
    from faceage_bio.report.review_page import review_sheet

    if not len(photo_folder) == len(photos) == len(face_ages):
        raise RunError(
            f"--photo-folder, --photos and --face-ages: expected once for each cohort, in the same order; found "
            f"{len(photo_folder)}, {len(photos)} and {len(face_ages)}. Give as many of each."
        )
    ages = pd.concat([read_table(path) for path in face_ages], ignore_index=True)
    places = pd.concat(
        [read_table(path)[[COHORT, PHOTO, "path"]].assign(folder=str(folder)) for path, folder in zip(photos, photo_folder, strict=True)]
    )  # fmt: skip
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
    print(
        f"{output}: sheet {sheet} with {len(chosen)} of {len(ages)} photos. It holds faces: keep it on this computer."
    )
    print(
        f"Next: open it in a browser, save the decisions, then faceage-bio read-review --config CONFIG --key {key} --decisions FILE"
    )


@step(uses=["review.disagreement"])
def read_review(
    decisions: Annotated[
        list[Path], typer.Option(help="Table that the sheet saved; repeat for each reviewer.")
    ],
    key: Annotated[Path, typer.Option(help="Written with the sheet.")],
    output: Annotated[Path, typer.Option(help="The review by photo_id (.tsv, private), for the config.")],
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
    from faceage_bio.faces.faceage.review import settle, summarise_review
    from faceage_bio.faces.faceage.review_tables import read_decisions

    review = read_decisions(decisions, read_table(key), str(key), partial)
    write_table(review, output, mode=OWNER_ONLY)
    verdicts = settle(review, settings.review.disagreement)
    for (status, reason), n in verdicts.groupby(["status", "reason"]).size().items():
        print(f"{status}{f', {reason}' if reason else ''}: {n} photo(s)")
    for row in summarise_review(review, settings.review.disagreement).itertuples():
        if row.measure != "photos":
            told = in_words(row.reason) or f"{row.estimate:.2f} ({row.ci_lower:.2f} to {row.ci_upper:.2f})"
            print(f"{row.term}, {row.n} photos, {row.measure}, {row.outcome}: {told}")
    print(f"Next: write into the config  review: {{decisions: {output}}}  and run again.")


@step(
    uses=["review.disagreement"],
    writes={"review.tsv": "photos that reviewers looked at, and their agreement; numbers only"},
)
def summarise_review(
    review: Annotated[Path, typer.Option(help="Written by read-review.")],
    photos: Annotated[list[Path], typer.Option(help="Face ages or photo tables of the study; repeat.")],
    settings: Config,
) -> Tables:
    """How many photos reviewers looked at, and how far they agree (Cohen's kappa).

    Example: faceage-bio summarise-review --review my-study/review.tsv --photos face_age.parquet --output results/pooled/faceage
    """
    import pandas as pd

    from faceage_bio.core.columns import COHORT, PHOTO
    from faceage_bio.core.tables import read_table
    from faceage_bio.faces.faceage.review import summarise_review as summarise
    from faceage_bio.faces.faceage.review_tables import read_review as read

    known = pd.concat([read_table(path)[[COHORT, PHOTO]] for path in photos], ignore_index=True)
    return {"review": summarise(read(review, known), settings.review.disagreement)}
