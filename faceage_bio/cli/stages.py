"""The commands by stage, in the order of `faceage-bio --help`, and what `faceage-bio run` calls each step."""

START = "Start here"
# stage: command: title of the step while it runs; "" where it is no step of the workflow
STAGES: dict[str, dict[str, str]] = {
    START: {
        "init": "", "check": "", "run": "", "publish": "Release", "weights": "",
    },
    "Planning": {
        "plan": "", "freeze": "", "randomise": "",
    },
    "Input tables": {
        "read-manifest": "Photos of the manifest", "check-cohort": "Input tables", "check-analyses": "Covariates and samples", "gather-ledger": "Participant flow",
        "pseudonymise": "", "check-privacy": "",
    },
    "Photos and face age": {
        "predict-face-age": "Face ages", "gather-face-ages": "Duplicate photos and exclusions", "read-face-ages": "Face ages given",
        "summarise-photos": "Photo quality", "compare-models": "Agreement of age models", "make-review-sheet": "Review sheet of photos",
        "read-review": "", "store": "", "summarise-review": "Manual review of photos",
    },
    "Age models of one's own": {
        "train": "",
    },
    "Age acceleration": {
        "compute-acceleration": "Age acceleration", "tabulate-definitions": "Definitions of age acceleration", "define-acceleration": "", "measure-repeats": "Reliability of one photo, face ageing rate",
    },
    "Associations and fairness": {
        "test-phenotypes": "Table 1, smoking, BMI, ECOG", "compare-groups": "Group comparisons",
        "fit-association-sensitivity": "Dose-response, subgroups, matched pairs, adjustment sets",
        "assess-fairness": "Fairness", "stress-photos": "Robustness to image degradation",
    },
    "Genes": {
        "aggregate-cells": "Pseudobulk of single cells", "compare-composition": "Cell composition",
        "check-expression": "Quality of RNA samples, normalised expression",
        "fit-expression": "Differential expression", "fit-expression-sensitivity": "Sensitivity of prespecified genes",
        "score-gene-sets": "Gene sets", "list-gene-sets": "", "fit-gene-survival": "Genes and survival", "fit-variants": "DNA variants",
    },
    "Survival": {
        "prepare-follow-up": "Follow-up", "fit-survival": "Cox models", "fit-survival-sensitivity": "Sensitivity of the hazard ratio",
        "estimate-curves": "Kaplan-Meier curves and competing risks",
    },
    "Clinical scores and readers": {
        "compute-scores": "Clinical scores", "show-score": "",
        "compare-readers": "Reader study",
    },
    "Meta-analysis": {
        "pool-cohorts": "Meta-analysis over cohorts", "pool-genes": "Meta-analysis of genes", "fit-one-stage": "One-stage Cox models",
    },
    "Verification": {
        "verify-results": "Independent software",
    },
    "Reports": {
        "render-report": "Pages, figures and tables for a paper", "draw-figures": "",
    },
    "Several hospitals": {
        "site": "",
    },
    "Demo": {
        "make-demo-cohorts": "Simulated participants", "fit-demo-model": "Demo model", "make-demo-photos": "",
    },
}  # fmt: skip
_TITLES = {command: title for commands in STAGES.values() for command, title in commands.items()}


def title_of(rule: str) -> str:
    """What a rule of the workflow is called while it runs; rules are named as their commands."""
    return _TITLES.get(rule.replace("_", "-"), "") or rule.replace("_", " ")
