"""What a reviewer may answer. The sheet shows these, and the table that comes back must hold them."""

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
