"""The tables that reviewers send back, checked cell by cell: decisions by number on a sheet, and the review by photo_id."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pandera.pandas as pa

from faceage_bio.core import parse
from faceage_bio.core.columns import COHORT, PHOTO
from faceage_bio.core.errors import Problems, examples
from faceage_bio.faces.faceage.review_codes import DECISIONS, REASONS
from faceage_bio.intake.schemas import REVIEW, REVIEW_SHEET, read_user_table

DECISION_COLUMNS = tuple(REVIEW_SHEET.columns)
REVIEW_COLUMNS = (COHORT, PHOTO, "reviewer", "decision", "reason")


def read_decisions(
    files: Sequence[Path], keys: pd.DataFrame, key_file: str, partial: bool = False
) -> pd.DataFrame:
    """What the reviewers decided, by photo_id.

    Parameters
    ----------
    files : paths of tables that the sheet saved, with ``DECISION_COLUMNS``; one or more for each reviewer
    keys : DataFrame with sheet, photo, cohort, photo_id; the keys of all sheets made
    key_file : its name, for messages
    partial : whether a reviewer may have left photos without a decision

    Returns
    -------
    DataFrame with ``REVIEW_COLUMNS``, ordered by cohort and photo_id

    Raises
    ------
    CohortError
        All that is wrong in any of the files: columns, a sheet that the key does not have, a number that the sheet does not have,
        words for decision and reason, a photo decided twice by a reviewer, photos left out.
    """
    problems = Problems()
    tables = [table for file in files if (table := _read(file, REVIEW_SHEET, problems)) is not None]
    known = {(row.sheet, str(row.photo)): (getattr(row, COHORT), row.photo_id) for row in keys.itertuples()}
    rows = []
    for table in tables:
        file = table.attrs["file"]
        _check_sheets(table, file, keys, key_file, problems)
        _check_numbers(table, file, keys, problems)
        _check_words(table, file, problems, empty_is_missing=partial)
        rows.append(table.assign(file=file, line=table.index))
    whole = (
        pd.concat(rows, ignore_index=True)
        if rows
        else pd.DataFrame(columns=[*DECISION_COLUMNS, "file", "line"])
    )
    whole = whole[whole["decision"] != ""]
    _check_doubled(whole, ["sheet", "photo", "reviewer"], "photo", problems)
    problems.stop_if_any()
    if not partial:
        _check_complete(whole, keys, problems)
    problems.stop_if_any()
    photos = pd.DataFrame(
        [known[key] for key in zip(whole["sheet"], whole["photo"], strict=True)], columns=[COHORT, PHOTO], index=whole.index
    )  # fmt: skip
    review = whole.assign(**photos)
    # of a photo on two sheets, a reviewer's decision on the last one counts
    review = review.drop_duplicates([COHORT, PHOTO, "reviewer"], keep="last")
    return review.sort_values([COHORT, PHOTO, "reviewer"], ignore_index=True)[list(REVIEW_COLUMNS)]


def read_review(file: Path | str, photos: pd.DataFrame) -> pd.DataFrame:
    """A table of decisions by photo_id, written by `read_decisions` or by hand.

    Parameters
    ----------
    file : path; ``photo_id`` and ``decision``, ``reason`` for those that are excluded; optional cohort and reviewer
    photos : DataFrame with cohort and photo_id of the study

    Returns
    -------
    DataFrame with ``REVIEW_COLUMNS``

    Raises
    ------
    CohortError
        A column lacks, a photo that the study does not have, words for decision and reason, a photo decided twice by a reviewer.
    """
    problems = Problems()
    table = _read(file, REVIEW, problems)
    problems.stop_if_any()
    for name, otherwise in (("reason", ""), ("reviewer", "1")):
        if name not in table:
            table[name] = otherwise
    _check_words(table, str(file), problems)
    cohorts = photos.groupby(PHOTO)[COHORT].agg(list).to_dict()
    if COHORT not in table:
        table[COHORT] = [(cohorts.get(photo) or [""])[0] for photo in table[PHOTO]]
        for line in table.index[[len(cohorts.get(photo, [])) > 1 for photo in table[PHOTO]]]:
            advice = "Several cohorts have a photo of that name. Expected a column cohort that tells which is meant. Add it."
            problems.cell(str(file), line, PHOTO, table.at[line, PHOTO], advice)
    for line, row in table.iterrows():
        if row[COHORT] not in cohorts.get(row[PHOTO], []):
            problems.cell(
                str(file), line, PHOTO, row[PHOTO],
                "Expected a photo_id of the study's manifests (and its cohort, if that is a column). Correct it, or leave the row out.",
            )  # fmt: skip
    table = table.rename_axis(None).assign(file=str(file), line=table.index)
    _check_doubled(table, [COHORT, PHOTO, "reviewer"], PHOTO, problems)  # fmt: skip
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
    table.attrs["file"] = str(file)
    return table


def _check_sheets(
    table: pd.DataFrame, file: str, keys: pd.DataFrame, key_file: str, problems: Problems
) -> None:
    strange = ~table["sheet"].isin(keys["sheet"])
    for line in table.index[strange]:
        problems.cell(
            file, line, "sheet", table.at[line, "sheet"],
            f"Expected a sheet of {key_file} ({examples(list(dict.fromkeys(keys['sheet'])))}). Give the key that was written with this sheet.",
        )  # fmt: skip


def _check_numbers(table: pd.DataFrame, file: str, keys: pd.DataFrame, problems: Problems) -> None:
    most = keys.groupby("sheet")["photo"].max().to_dict()
    for line, row in table.iterrows():
        last = most.get(row["sheet"])
        if last is not None and not (row["photo"].isdecimal() and str(int(row["photo"])) == row["photo"] and 1 <= int(row["photo"]) <= last):  # fmt: skip
            problems.cell(file, line, "photo", row["photo"], f"Expected a number from 1 to {last}, as the sheet shows it. Correct it, or leave the row out.")  # fmt: skip
    for line in table.index[table["reviewer"] == ""]:
        problems.cell(file, line, "reviewer", "", "Expected who decided, such as initials. Fill it in, the same in all rows.")  # fmt: skip


def _check_words(table: pd.DataFrame, file: str, problems: Problems, empty_is_missing: bool = False) -> None:
    for line, row in table.iterrows():
        decision, reason = row["decision"], row["reason"]
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
    """No participant decides twice on a photo, be it in two files."""
    for (file, line), row in whole[whole.duplicated(by, keep=False)].groupby(["file", "line"]):
        problems.cell(
            file, line, column, row[column].iloc[0],
            "Expected one decision of a reviewer on a photo, but it stands more than once. Keep the right row only.",
        )  # fmt: skip


def _check_complete(whole: pd.DataFrame, keys: pd.DataFrame, problems: Problems) -> None:
    for (sheet, reviewer), rows in whole.groupby(["sheet", "reviewer"]):
        numbers = keys.loc[keys["sheet"] == sheet, "photo"].astype(str)
        lacking = [number for number in numbers if number not in set(rows["photo"])]
        if lacking:
            problems.other(
                f"{rows['file'].iloc[-1]}: column 'photo': reviewer {reviewer!r} decided on {len(rows)} of {len(numbers)} photos; no row for "
                f"photo {examples(lacking)}. Expected a decision on each. Finish the sheet, or accept it as it is with --partial."
            )
