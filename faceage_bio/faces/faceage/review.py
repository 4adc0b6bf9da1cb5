"""Manual review of photos: which ones reviewers look at, in which order, what they see of each (the face alone, cut in memory),
the tables that they send back, exclusions with reasons, and their agreement.
"""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa
from PIL import Image, ImageDraw

from faceage_bio.core import parse
from faceage_bio.core.columns import COHORT, PHOTO, POOLED
from faceage_bio.core.errors import FitError, Problems, RunError, examples
from faceage_bio.core.results.reasons import reason as code
from faceage_bio.core.results.row import result_rows
from faceage_bio.faces.faceage.duplicates import mark_photos
from faceage_bio.faces.vision.decode import DecodeError, decode_photo, inside
from faceage_bio.intake.schemas import REVIEW, REVIEW_SHEET, read_user_table
from faceage_bio.stats.group_differences import wilson
from faceage_bio.stats.measurement_error import cohens_kappa

LEAST_OTHERS = 0.25  # of the sheet: photos without a flag, since a rule may also miss what people see
MARGIN = 0.35  # of the box's sides, so that a second person or a cut face can be seen
SIDE = 240  # pixels of the longer side of a picture on the sheet
KEY_COLUMNS = ("sheet", "photo", COHORT, PHOTO)
REVIEWED = "review_"  # begins the reasons that a review gives in the ledger
DECISIONS = {
    "use": "can be used",
    "unsure": "not sure (it is used, and flagged)",
    "exclude": "cannot be used",
}
REASONS = {  # in the order of the keys 1 to 9 and 0; of several reasons named as often, the first counts
    "not_a_face": "not a face",
    "wrong_person": "wrong person (one behind, a picture on the wall)",
    "occluded": "covered (hand, tube, mask, glasses, hair)",
    "make_up_or_mask": "make-up, paint or costume",
    "turned": "turned too far",
    "blurred": "blurred",
    "cropped": "cut off",
    "several_people": "several persons in the frame",
    "artefact": "artefact (print, screen, glare, editing)",
    "other": "other",
}


@dataclass(frozen=True)
class Shown:
    """A photo on the sheet: its number, and the face as a JPEG without any metadata (None: it can no longer be read)."""

    number: int
    jpeg: bytes | None


def choose_photos(face_ages: pd.DataFrame, n: int | None, seed: int) -> pd.DataFrame:
    """The key of a sheet: which photo has which number.

    All flagged photos with an age, and others by chance until there are ``n`` in all (None: every photo), in
    an order by chance. What a review said before is not looked at, so the same photos give the same sheet
    after it.

    Parameters
    ----------
    face_ages : DataFrame of all cohorts, ``columns.FACE_AGE_COLUMNS``

    Returns
    -------
    DataFrame with ``KEY_COLUMNS`` in the order of the numbers; ``sheet`` tells one sheet from another

    Raises
    ------
    RunError
        No photo has an age.
    """
    by_review = face_ages["reason"].str.startswith(REVIEWED)
    photos = face_ages[(face_ages["status"] != "excluded") | by_review].sort_values([COHORT, PHOTO])
    if photos.empty:
        raise RunError(
            "no photo of these tables has a face age, so there is nothing to look at. Expected at least one with a face. Run predict-face-age on photos first."
        )
    flagged = photos["flags"].map(_flagged_by_a_rule).to_numpy(dtype=bool)
    rng = np.random.default_rng(seed)
    others = rng.permutation(np.flatnonzero(~flagged))
    if n is not None:
        others = others[: max(n - int(flagged.sum()), round(LEAST_OTHERS * n))]
    chosen = photos.iloc[rng.permutation(np.concatenate([np.flatnonzero(flagged), others]))]
    key = chosen[[COHORT, PHOTO]].reset_index(drop=True)
    names = "\n".join(f"{row[0]}\t{row[1]}" for row in key.itertuples(index=False))
    name = f"s{hashlib.sha256(names.encode()).hexdigest()[:8]}"
    return key.assign(sheet=name, photo=np.arange(1, len(key) + 1))[list(KEY_COLUMNS)]


def _flagged_by_a_rule(flags: str) -> bool:
    return any(flag and not flag.startswith(REVIEWED) for flag in flags.split(";"))


def add_to_keys(keys: pd.DataFrame | None, key: pd.DataFrame) -> pd.DataFrame:
    """The keys of all sheets made so far; decisions of an earlier sheet stay readable."""
    if keys is None or keys.empty:
        return key
    return pd.concat([keys[keys["sheet"] != key["sheet"].iloc[0]], key], ignore_index=True)


def cut_face(folder: Path, path: str, box: Sequence[int]) -> bytes | None:
    """The face with some of what is around it; a thin frame shows what the network saw. Nothing is written.

    Parameters
    ----------
    box : x, y, width, height in the upright photo, pixels

    Returns
    -------
    bytes or None
        A JPEG made from pixels alone; None if the photo cannot be read.
    """
    place = inside(folder, path)
    try:
        photo = decode_photo(place) if place is not None else None
    except DecodeError:
        photo = None
    if photo is None:
        return None
    x, y, width, height = map(int, box)
    left, top = max(0, round(x - MARGIN * width)), max(0, round(y - MARGIN * height))
    right, bottom = round(x + (1 + MARGIN) * width), round(y + (1 + MARGIN) * height)
    part = photo.image[top:bottom, left:right]
    if part.size == 0:
        return None
    picture = Image.fromarray(part)
    scale = SIDE / max(picture.size)
    picture = picture.resize([max(1, round(side * scale)) for side in picture.size], Image.Resampling.LANCZOS)
    edges = ((x, left), (y, top), (x + width, left), (y + height, top))
    frame = [round((edge - start) * scale) for edge, start in edges]
    for grow, colour in ((0, "white"), (1, "black")):
        ImageDraw.Draw(picture).rectangle(
            [frame[0] - grow, frame[1] - grow, frame[2] + grow, frame[3] + grow], outline=colour
        )
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=85)
    return stream.getvalue()


REVIEW_COLUMNS = (COHORT, PHOTO, "reviewer", "decision", "reason")
UNSURE, DISAGREEMENT = f"{REVIEWED}unsure", f"{REVIEWED}disagreement"
RULES = {
    "exclude": "a photo that one reviewer excludes is excluded",
    "flag": "a photo on which they differ is used and flagged",
    "majority": "a photo that more than half exclude is excluded; others on which they differ are used and flagged",
}


def settle(review: pd.DataFrame, disagreement: str) -> pd.DataFrame:
    """One verdict for each photo.

    Parameters
    ----------
    review : DataFrame with cohort, photo_id, reviewer, decision, reason
    disagreement : a key of ``RULES``

    Returns
    -------
    DataFrame with cohort, photo_id, status ("ok", "flagged", "excluded") and reason ("" or one that begins
    with "review_")
    """
    rows = [
        dict(zip((COHORT, PHOTO), key, strict=True)) | _verdict(votes, disagreement)
        for key, votes in review.groupby([COHORT, PHOTO], sort=False)
    ]
    return pd.DataFrame(rows, columns=[COHORT, PHOTO, "status", "reason"])


def _verdict(votes: pd.DataFrame, disagreement: str) -> dict[str, str]:
    against = votes[votes["decision"] == "exclude"]
    n, out = len(votes), len(against)
    if out == n or (out and (disagreement == "exclude" or (disagreement == "majority" and 2 * out > n))):
        named = against["reason"].value_counts()
        reason = min(named[named == named.max()].index, key=list(REASONS).index)
        return {"status": "excluded", "reason": REVIEWED + reason}
    if out:
        return {"status": "flagged", "reason": DISAGREEMENT}
    if (votes["decision"] == "unsure").any():
        return {"status": "flagged", "reason": UNSURE}
    return {"status": "ok", "reason": ""}


def mark_reviewed(photos: pd.DataFrame, verdicts: pd.DataFrame) -> pd.DataFrame:
    """The table of face ages with the verdicts in status, reason and flags; an excluded photo loses its ages.

    A photo that a rule excluded already stays so, with that reason: a reviewer cannot give it an age.
    """
    found = photos[[COHORT, PHOTO]].merge(verdicts, on=[COHORT, PHOTO], how="left").set_axis(photos.index)
    reason = found["reason"].fillna("").where(photos["status"] != "excluded", "")
    return mark_photos(photos, reason, found["status"] == "excluded")


def summarise_review(review: pd.DataFrame, disagreement: str) -> pd.DataFrame:
    """Result rows, question "review": photos reviewed, and for each two reviewers how far they agree on excluding.

    Reviewers are numbered, not named.
    """
    seen = review.groupby([COHORT, PHOTO])["reviewer"].nunique()
    base = {COHORT: POOLED, "question": "review", "model": RULES[disagreement]}
    counts = {"photos reviewed": len(seen), "photos reviewed by several": int((seen > 1).sum())}
    rows = [
        base | {"term": term, "measure": "photos", "estimate": count, "n": len(seen)}
        for term, count in counts.items()
    ]
    names = sorted(review["reviewer"].unique())
    answers = review.assign(out=review["decision"] == "exclude").pivot_table(
        index=[COHORT, PHOTO], columns="reviewer", values="out", aggfunc="first"
    )
    for one, other in combinations(range(len(names)), 2):
        both = answers[[names[one], names[other]]].dropna().astype(bool)
        term = f"reviewers {one + 1} and {other + 1}"
        rows += [base | {"term": term, "n": len(both)} | row for row in _agreement(both)]
    return result_rows(rows, "faceage/review")


def _agreement(both: pd.DataFrame) -> list[dict]:
    first, second = both.iloc[:, 0], both.iloc[:, 1]
    if both.empty:
        kappa = equal = {"reason": code("no_photo_in_common")}
    else:
        answers = [True, False]
        counts = pd.crosstab(first, second).reindex(index=answers, columns=answers, fill_value=0).to_numpy()
        equal = vars(wilson(int((first == second).sum()), len(both)))
        try:
            kappa = vars(cohens_kappa(counts))
        except FitError as error:
            kappa = {"reason": error.reason}
    measured = {"Cohen's kappa": kappa, "observed agreement": equal}
    return [{"measure": name, "outcome": "excluded or not"} | found for name, found in measured.items()]


def read_decisions(
    files: Sequence[Path], keys: pd.DataFrame, key_file: str, partial: bool = False
) -> pd.DataFrame:
    """What the reviewers decided, by photo_id.

    Parameters
    ----------
    files : paths of tables that the sheet saved, as `REVIEW_SHEET`; one or more for each reviewer
    keys : DataFrame with sheet, photo, cohort, photo_id; the keys of all sheets made
    key_file : its name, for messages
    partial : whether a reviewer may have left photos without a decision

    Returns
    -------
    DataFrame with ``REVIEW_COLUMNS``, ordered by cohort and photo_id

    Raises
    ------
    CohortError
        All that is wrong in any of the files: columns, a sheet that the key does not have, a number that the
        sheet does not have, words for decision and reason, a photo decided twice by a reviewer, photos left
        out.
    """
    problems = Problems()
    tables = [table for file in files if (table := _read(file, REVIEW_SHEET, problems)) is not None]
    if not tables:
        problems.stop_if_any()
        return pd.DataFrame(columns=REVIEW_COLUMNS)
    for table in tables:
        _check_numbers(table, keys, key_file, problems)
        _check_words(table, problems, empty_is_missing=partial)
    whole = pd.concat(tables, ignore_index=True)
    whole = whole[whole["decision"] != ""]
    _check_doubled(whole, ["sheet", "photo", "reviewer"], "photo", problems)
    problems.stop_if_any()
    if not partial:
        _check_complete(whole, keys, problems)
    problems.stop_if_any()
    review = whole.merge(keys.astype({"photo": str}), on=["sheet", "photo"])
    # of a photo on two sheets, a reviewer's decision on the last one counts
    review = review.drop_duplicates([COHORT, PHOTO, "reviewer"], keep="last")
    return review.sort_values([COHORT, PHOTO, "reviewer"], ignore_index=True)[list(REVIEW_COLUMNS)]


def read_review(file: Path | str, photos: pd.DataFrame) -> pd.DataFrame:
    """A table of decisions by photo_id, written by `read_decisions` or by hand.

    Parameters
    ----------
    file : path; ``photo_id`` and ``decision``, ``reason`` for those that are excluded; optional cohort and
        reviewer
    photos : DataFrame with cohort and photo_id of the study

    Returns
    -------
    DataFrame with ``REVIEW_COLUMNS``

    Raises
    ------
    CohortError
        A column lacks, a photo that the study does not have, words for decision and reason, a photo decided
        twice by a reviewer.
    """
    problems = Problems()
    table = _read(file, REVIEW, problems)
    problems.stop_if_any()
    for name, otherwise in (("reason", ""), ("reviewer", "1")):
        if name not in table:
            table[name] = otherwise
    _check_words(table, problems)
    cohorts = photos.groupby(PHOTO)[COHORT].agg(list).to_dict()
    if COHORT not in table:
        table[COHORT] = [(cohorts.get(photo) or [""])[0] for photo in table[PHOTO]]
        for line in table.index[[len(cohorts.get(photo, [])) > 1 for photo in table[PHOTO]]]:
            advice = "Several cohorts have a photo of that name. Expected a column cohort that tells which is meant. Add it."
            problems.cell(str(file), line, PHOTO, table.at[line, PHOTO], advice)
    for line, row in table.iterrows():
        if row[COHORT] not in cohorts.get(row[PHOTO], []):
            advice = "Expected a photo_id of the study's manifests (and its cohort, if that is a column). Correct it, or leave the row out."
            problems.cell(str(file), line, PHOTO, row[PHOTO], advice)
    _check_doubled(table, [COHORT, PHOTO, "reviewer"], PHOTO, problems)
    problems.stop_if_any()
    return table[list(REVIEW_COLUMNS)].reset_index(drop=True)


def _read(file: Path | str, schema: pa.DataFrameSchema, problems: Problems) -> pd.DataFrame | None:
    read = read_user_table(file, schema, problems)
    if read is None:
        return None
    table = read.values
    for name in ("decision", "reason"):
        if name in table:
            table[name] = table[name].str.lower()
    return table.rename_axis(None).assign(file=str(file), line=table.index)


def _check_numbers(table: pd.DataFrame, keys: pd.DataFrame, key_file: str, problems: Problems) -> None:
    """Sheets that the key has, their photos by number, and a reviewer."""
    numbers = keys["photo"].astype(str).groupby(keys["sheet"], sort=False).agg(set).to_dict()
    for file, line, sheet, photo, reviewer in table[
        ["file", "line", "sheet", "photo", "reviewer"]
    ].itertuples(index=False):
        if sheet not in numbers:
            advice = f"Expected a sheet of {key_file} ({examples(list(numbers))}). Give the key that was written with this sheet."
            problems.cell(file, line, "sheet", sheet, advice)
        elif photo not in numbers[sheet]:
            advice = f"Expected a number from 1 to {len(numbers[sheet])}, as the sheet shows it. Correct it, or leave the row out."
            problems.cell(file, line, "photo", photo, advice)
        if reviewer == "":
            advice = "Expected who decided, such as initials. Fill it in, the same in all rows."
            problems.cell(file, line, "reviewer", "", advice)


def _check_words(table: pd.DataFrame, problems: Problems, empty_is_missing: bool = False) -> None:
    for file, line, decision, reason in table[["file", "line", "decision", "reason"]].itertuples(index=False):
        if decision == "" and empty_is_missing:
            continue
        if decision not in DECISIONS:
            advice = f"Expected {', '.join(DECISIONS)}. Decide on this photo, or correct the word."
            problems.cell(file, line, "decision", decision, advice)
        elif decision == "exclude" and reason not in REASONS:
            advice = f"Expected one of {', '.join(REASONS)}, because the photo is excluded. Write the code that fits best."
            problems.cell(file, line, "reason", reason, advice)
        elif decision != "exclude" and not parse.is_missing(pd.Series([reason]))[0]:
            advice = f"Expected nothing, because the decision is {decision}. Clear the reason, or write exclude as the decision."
            problems.cell(file, line, "reason", reason, advice)


def _check_doubled(whole: pd.DataFrame, by: list[str], column: str, problems: Problems) -> None:
    """No reviewer decides twice on a photo, be it in two files."""
    for (file, line), row in whole[whole.duplicated(by, keep=False)].groupby(["file", "line"]):
        advice = "Expected one decision of a reviewer on a photo, but it stands more than once. Keep the right row only."
        problems.cell(file, line, column, row[column].iloc[0], advice)


def _check_complete(whole: pd.DataFrame, keys: pd.DataFrame, problems: Problems) -> None:
    for (sheet, reviewer), rows in whole.groupby(["sheet", "reviewer"]):
        numbers = keys.loc[keys["sheet"] == sheet, "photo"].astype(str)
        if lacking := [number for number in numbers if number not in set(rows["photo"])]:
            problems.other(
                f"{rows['file'].iloc[-1]}: column 'photo': reviewer {reviewer!r} decided on {len(rows)} of {len(numbers)} photos; no row for "
                f"photo {examples(lacking)}. Expected a decision on each. Finish the sheet, or accept it as it is with --partial."
            )
