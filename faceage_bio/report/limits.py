"""What the results cannot say: general limits, and those of the stages that ran."""

from collections.abc import Sequence

from faceage_bio.report.ran import Ran


def limits(ran: Ran, cards: Sequence[dict], settings: dict) -> list[tuple[str, str]]:
    """Pairs of title and sentence, in the order of reading; those of a stage only if it ran."""
    faceage = any(card.get("kind") == "faceage" for card in cards)
    drawn = any(card.get("synthetic") for card in cards)
    low = settings["acceleration"]["valid_ages"][0]
    has_acceleration = ran.has("acceleration/summary") or ran.has("acceleration/definitions")
    repeats = ran.has("acceleration/reliability")
    told = [
        (drawn, "Drawn people", "the people were drawn by code and the model is not FaceAge; no number tells anything of real people."),
        (True, "Association, not cause", "people differ in much that was not measured; that a face looks older goes with an outcome does not say that either brings the other, nor that changing the face or its age would change anything."),
        (True, "Groups, not people", "estimates are means over people. The error of a single face age is of the size of years; no sentence here is made for a decision about one person."),
        (has_acceleration, "What face age measures", "light, camera, make-up, weight, treatment and surgery change a photo as well as ageing does; age acceleration is what chronological age does not explain of the model's answer, its error included."),
        (has_acceleration and not repeats, "One photo per person", "no person had two usable photos, so how far one photo can be relied on is not known here; slopes on age acceleration are then too small rather than too large."),
        (repeats, "Reliability", "a single photo is an uncertain measurement; its reliability was estimated from people with two photos, who may differ from the others, and no estimate but those named so is corrected for it."),
        (faceage, "The model's training", "FaceAge learned from photos of public figures whose ages are partly wrong and whose health is not known; how far it holds for other origins and kinds of skin was not established by its authors."),
        (faceage, "Ages", f"the authors tested the model at 60 and older; face ages of people younger than {low:.0f} are outside of what was checked, and results without them stand under the definitions."),
        (not faceage and not drawn and bool(cards), "Another model", "this age model is not FaceAge; nothing that was published of FaceAge holds for it without proof."),
        (True, "Who was photographed", "people without a usable photo, clinic row or sample are not in the estimates; if they differ, so would the results. The flow tells how many they are."),
        (ran.has("phenotype/groups"), "Cancer against reference people", "both come from different cohorts, so cohort, camera and disease cannot be told apart where each cohort holds one of them."),
        (ran.has("phenotype/adjustments") or ran.has("phenotype/phenotypes"), "Adjustment", "which covariates are held constant follows from declared roles; smoking, weight and performance are partly on the way from disease to face, and holding them constant asks another question."),
        (ran.has("expression/genes") or ran.has("expression/panel"), "Genes", "expression in these samples is not the gene analysis of the FaceAge study, which probably was of DNA variants; agreement or disagreement with it is no replication. A sample's mix of cells moves with age and disease."),
        (ran.has("expression/composition"), "Cell types", "shares of cells are relative, and cell types were taken as given."),
        (ran.has("variants/genes"), "DNA variants", "rare variants of few people give wide intervals, and ancestry is held constant only as far as the given components tell it."),
        (ran.has("survival/cox"), "Survival", "hazard ratios are means over the follow-up and hold where hazards are proportional; people were observed from their photo on, so those who died before one are not in."),
        (ran.has("survival/cox") and _few_deaths(ran), "Few deaths", "at least one model has fewer than 10 deaths per term; its estimates are unstable and its intervals rather too narrow."),
        (ran.has("survival/added_value"), "Prediction", "added value was judged in the people that the models were fitted to, corrected for optimism where said, and not in others; a model for use needs validation elsewhere."),
        (ran.has("survival/competing_risks"), "Causes of death", "are those of the clinic table, and those of unknown cause were left out."),
        (ran.has("scores/scored"), "Scores", "replacing age by face age in a score made for age is an experiment; the cut was not validated for face age."),
        (ran.has("readers/readers"), "Readers", "few readers stand for all; what they were shown and in what order is not randomised here."),
        (ran.has("fairness/fairness"), "Fairness", "error against chronological age is not error against biology; groups of few people are marked and must not be interpreted."),
        (True, "Many looks", "many tests stand on one page; q-values hold within the families that the methods name, and p-values elsewhere are not adjusted."),
    ]  # fmt: skip
    return [(title, words) for applies, title, words in told if applies]


def _few_deaths(ran: Ran) -> bool:
    return bool((ran.rows("survival/cox")["events_per_term"] < 10).any())
