"""Limitations: general ones, and those of the stages that ran."""

from collections.abc import Sequence

from faceage_bio.core.results.reasons import NOT_ESTIMATED
from faceage_bio.report.ran import Ran


def limits(ran: Ran, cards: Sequence[dict], settings: dict) -> list[tuple[str, str]]:
    """Pairs of title and sentence, in the order of reading; those of a stage only if it ran."""
    faceage = any(card.get("kind") == "faceage" for card in cards)
    drawn = any(card.get("synthetic") for card in cards)
    low = settings["acceleration"]["valid_ages"][0]
    has_acceleration = ran.has("acceleration/summary") or ran.has("acceleration/definitions")
    repeats = ran.has("acceleration/reliability")
    told = [
        (drawn, "Simulated participants", "participants are simulated and the model is not FaceAge; no number describes real persons."),
        (True, "Association, not cause", "residual confounding by unmeasured factors is possible; no estimate is a causal effect."),
        (True, "Groups, not individuals", "estimates are means over participants; the error of a single face age is several years."),
        (has_acceleration, "What face age measures", "light, camera, make-up, weight, treatment and surgery change a photo as well as ageing does; age acceleration includes the error of the model."),
        (has_acceleration and not repeats, "One photo per participant", "reliability of a single photo is not known here; slopes are attenuated by measurement error."),
        (repeats, "Reliability", "estimated in participants with two photos, who may differ from the others; only estimates named so are corrected for it."),
        (faceage, "Training of the model", "FaceAge was trained mainly on photographs of public figures, with partly wrong ages and unknown health; validity across ancestries and skin types was not established."),
        (faceage, "Ages", f"the authors tested the model at 60 years and older; below {low:.0f} years it is outside its validity range."),
        (not faceage and not drawn and bool(cards), "Another model", "this age model is not FaceAge; published results on FaceAge do not apply to it."),
        (True, "Selection", "participants without a usable photo, clinical data or sample are not in the estimates; the participant flow gives their number."),
        (ran.has("phenotype/groups"), "Cancer and controls", "where each cohort holds only one of them, cohort, camera and disease are confounded."),
        (ran.has("phenotype/adjustments") or ran.has("phenotype/phenotypes"), "Adjustment", "covariates follow declared roles; smoking, weight and performance status are partly mediators."),
        (ran.has("expression/genes") or ran.has("expression/panel"), "Gene expression", "not a replication of the gene analysis of the FaceAge study, which was probably of DNA variants; cell composition varies with age and disease."),
        (ran.has("expression/composition"), "Cell types", "shares of cells are relative; cell types were taken as given."),
        (ran.has("variants/genes"), "DNA variants", "rare variants give wide intervals; ancestry is adjusted for only as far as the given components capture it."),
        (ran.has("survival/cox"), "Survival", "hazard ratios are averages over follow-up under proportional hazards; deaths before the photo are not observed."),
        (ran.has("survival/cox") and _few_deaths(ran), "Sparse data", "at least one model has fewer than 10 events per variable; its estimates are unstable."),
        (ran.has("survival/added_value"), "Prediction", "added value was measured in the participants to whom the models were fitted, optimism-corrected where stated; external validation is needed."),
        (ran.has("survival/competing_risks"), "Causes of death", "as recorded; deaths of unknown cause are excluded."),
        (ran.has("scores/scored"), "Scores", "cut-offs were validated for chronological age, not for face age."),
        (ran.has("readers/readers"), "Readers", "few readers; order and information shown were not randomised here."),
        (ran.has("fairness/fairness"), "Fairness", "error against chronological age is not error against biological age."),
        (True, "Multiple testing", "q-values hold within the named families; other p-values are not adjusted."),
    ]  # fmt: skip
    return [(title, words) for applies, title, words in told if applies]


def _few_deaths(ran: Ran) -> bool:
    cox = ran.rows("survival/cox")
    return bool((cox.loc[cox["status"] != NOT_ESTIMATED, "events_per_term"] < 10).any())
