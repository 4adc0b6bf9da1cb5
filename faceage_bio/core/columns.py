"""Names of the columns that pass between stages, so that each is spelt in one place."""

import re
from typing import Literal, get_args

# keys
COHORT = "cohort"
POOLED = "pooled"  # the cohort of results of all cohorts together
SUBJECT = "subject_id"
PHOTO = "photo_id"
SAMPLE = "sample_id"
SPECIMEN = "specimen_id"  # several libraries of one specimen are one sample

# ages, all in years
AGE = "chronological_age"  # at the photo
FACE_AGE = "face_age"  # predicted from the photo
FACE_AGE_SD = "face_age_sd"  # standard deviation over shifted, scaled and mirrored crops of the same photo
PRECISION_ERROR = "precision_error"  # bfloat16 minus float32, for the photos where both were computed
AGE_GAP = "age_gap"  # face_age - chronological_age
AGE_ACCELERATION = "age_acceleration"  # residual of face_age on chronological_age
MODEL_ID = "model_id"  # of the face ages: the SHA-256 of the weights; of given ones the declared name
DEFINITION = "definition"  # of age acceleration: linear, spline_reference ...

# follow-up
ENTRY = "entry_years"  # start of observation, years after the photo (0 = the photo)
FOLLOWUP = "followup_years"  # end of observation, years after the photo
EVENT = "event"  # 1 = died, 0 = censored
CAUSE = "cause"  # of death
# what became of participants after the photo
OUTCOMES = (ENTRY, FOLLOWUP, EVENT, CAUSE, "ended_before_photo")

FOLLOW_UP_REASON = "follow_up_reason"  # why a participant is not followed, "" for those who are

# words of result rows, by which pages find them
ALL_PARTICIPANTS = "all participants"
AGES_COMPARED = "face age against age"
MAIN_MODEL, SAMPLE_LEFT_OUT = "main model", "leave-one-out"
OTHER_SEX = "sex by RNA differs from the record"

THIRDS = ("lowest tertile", "middle tertile", "highest tertile")  # groups of equal size

# declared words of the categorical columns; the first is the reference level
SEX_LEVELS = ("female", "male")
SMOKING_LEVELS = ("never", "former", "current")
GROUP_LEVELS = ("reference", "cancer")
Cause = Literal["cancer", "cardiovascular", "other"]
CAUSE_LEVELS = get_args(Cause)

LEVELS = {"sex": SEX_LEVELS, "smoking": SMOKING_LEVELS, "group": GROUP_LEVELS}

# names in words, of those that are not made by replacing underscores
SPOKEN = {"bmi": "BMI", "bmi_class": "BMI class", "ecog": "ECOG", "pack_years": "pack-years"}
_NAMED = re.compile(rf"\b({'|'.join(SPOKEN)})\b")

# what an estimate of a numeric covariate is given for
PER_SD = "1 SD"  # of the exposure
# units of columns
AMOUNTS = {"bmi": "kg/m²", "pack_years": "pack-years", "chronological_age": "years", "face_age": "years"}
UNITS = {"bmi": (5.0, "5 kg/m²"), "pack_years": (10.0, "10 pack-years"), "ecog": (1.0, "1 ECOG step")}

# tables between stages, one row per photo, subject or sample
PHOTO_COLUMNS = (COHORT, PHOTO, SUBJECT, "path", "photo_date", AGE)
SUBJECT_COLUMNS = (
    COHORT, SUBJECT, AGE, "sex", "smoking", "pack_years", "bmi", "ecog", "site", "race", "group", "intent",
    ENTRY, FOLLOWUP, EVENT, CAUSE,
)  # fmt: skip
# of those, what models may adjust for
COVARIATES = ("sex", "smoking", "pack_years", "bmi", "ecog", "site", "race")
# columns of the analysis table that later steps make, by how their names begin; ages may come from the photos
LATER = (
    AGE, FACE_AGE, "age_", "acceleration_", "face_", "photo_", "n_photos", "valid_age", "low_resolution", "flags",
    "ended_before_photo", MODEL_ID, DEFINITION,
)  # fmt: skip
SAMPLE_COLUMNS = (COHORT, SAMPLE, SUBJECT, "batch", "sample_date")
LANDMARK_COLUMNS = (
    "left_eye_x", "left_eye_y", "right_eye_x", "right_eye_y", "nose_x", "nose_y",
    "mouth_left_x", "mouth_left_y", "mouth_right_x", "mouth_right_y",
)  # fmt: skip
FACE_AGE_COLUMNS = (
    COHORT, PHOTO, SUBJECT, "status", "reason", "flags", "width", "height", "orientation", "colour_mode", "corrupt_data", "n_faces",
    "box_x", "box_y", "box_width", "box_height", "probability",
    *LANDMARK_COLUMNS, "face_short_side", "face_share", "inside_frame", "outside_share", "roll", "yaw",
    "sharpness", "brightness", "contrast", "greyscale", "uniform_area", "blockiness", "red_minus_blue", "eye_brightness", "upside_down", FACE_AGE, FACE_AGE_SD,
    "model", MODEL_ID, "detection", "face_choice", "box_mode", "resize", "precision", "pixel_hash", "perceptual_hash",
)  # fmt: skip
# the ledger: what became of each photo, subject and sample at each stage
LEDGER_COLUMNS = (COHORT, SUBJECT, PHOTO, SAMPLE, "stage", "status", "reason", "detail")
LEDGER_STATUSES = ("included", "flagged", "excluded")  # flagged = used, but look at it
LEDGER_STAGES = ("intake", "face_age", "acceleration", "expression", "survival")


def column_words(text: str) -> str:
    """Columns in words: ``bmi_class: under 18.5`` becomes ``BMI class: under 18.5``, ``age + ecog`` ``age + ECOG``."""
    return _NAMED.sub(lambda name: SPOKEN[name[0]], text).replace("_", " ")


def other_age(number: int) -> str:
    """The column of the ages of a further model: ``face_age_2`` for the second."""
    return f"{FACE_AGE}_{number}"


def holds_age(column: str) -> bool:
    """Whether a column of a table of face ages holds an age, its spread or its error: an excluded photo has none of them."""
    return column.startswith(FACE_AGE) or column == PRECISION_ERROR
