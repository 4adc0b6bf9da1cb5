"""Names of the columns that pass between stages, so that each is spelt in one place."""

# keys
COHORT = "cohort"
SUBJECT = "subject_id"
PHOTO = "photo_id"
SAMPLE = "sample_id"

# ages, all in years
AGE = "chronological_age"  # at the photo
FACE_AGE = "face_age"  # predicted from the photo
AGE_GAP = "age_gap"  # face_age - chronological_age
AGE_ACCELERATION = "age_acceleration"  # residual of face_age on chronological_age

# follow-up
ENTRY = "entry_years"  # start of observation, years after the photo (0 = the photo)
FOLLOWUP = "followup_years"  # end of observation, years after the photo
EVENT = "event"  # 1 = died, 0 = censored

# declared words of the categorical columns; the first is the reference level
SEX_LEVELS = ("female", "male")
SMOKING_LEVELS = ("never", "former", "current")
GROUP_LEVELS = ("reference", "cancer")

LEVELS = {"sex": SEX_LEVELS, "smoking": SMOKING_LEVELS, "group": GROUP_LEVELS}

# what an estimate of a numeric covariate is given for
UNITS = {"bmi": (5.0, "5 kg/m2"), "pack_years": (10.0, "10 pack-years"), "ecog": (1.0, "1 ECOG step")}

# tables between stages, one row per photo, subject or sample
PHOTO_COLUMNS = (COHORT, PHOTO, SUBJECT, "path", "photo_date", AGE)
SUBJECT_COLUMNS = (
    COHORT, SUBJECT, AGE, "sex", "smoking", "pack_years", "bmi", "ecog", "site", "group", "intent",
    ENTRY, FOLLOWUP, EVENT,
)  # fmt: skip
SAMPLE_COLUMNS = (COHORT, SAMPLE, SUBJECT, "batch", "sample_date")
FACE_AGE_COLUMNS = (
    COHORT, PHOTO, SUBJECT, "status", "reason", "width", "height", "orientation", "n_faces",
    "box_x", "box_y", "box_width", "box_height", "probability", FACE_AGE, "model",
)  # fmt: skip

# the ledger: what became of each photo, subject and sample at each stage
LEDGER_COLUMNS = (COHORT, SUBJECT, PHOTO, SAMPLE, "stage", "status", "reason", "detail")
LEDGER_STATUSES = ("included", "flagged", "excluded")  # flagged = used, but look at it
LEDGER_STAGES = ("intake", "face_age", "acceleration", "expression", "survival")

# every result table; `note` says why a row was not estimated
RESULT_COLUMNS = (
    COHORT, "analysis", "term", "measure", "estimate", "per", "ci_lower", "ci_upper", "p_value", "q_value",
    "n", "n_events", "model", "adjustment", "note",
)  # fmt: skip
