ADDED_VALUE = [
    *option("--times-years", config["survival"]["added_value"]["times_years"]),
    *[
        part
        for name in ("bootstraps", "seed", "risk_groups")
        for part in option(f"--{name.replace('_', '-')}", [config["survival"]["added_value"][name]])
    ],
]


rule measure_added_value:
    input:
        FOLLOWED,
    output:
        table=report(
            "<results>/{cohort}/survival/added_value.tsv",
            caption="../report/added_value.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "does it add anything"},
        ),
        calibration=report(
            "<results>/{cohort}/survival/calibration.tsv",
            caption="../report/calibration.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "calibration"},
        ),
        decisions=report(
            "<results>/{cohort}/survival/decision_curve.tsv",
            caption="../report/decision_curve.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "decision curves"},
        ),
    log:
        "<logs>/survival/measure_added_value_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_CLINICAL),
    params:
        models=SURVIVAL_MODELS,
        settings=ADDED_VALUE,
        version=VERSION,
    shell:
        "faceage-bio measure-added-value --acceleration {input:q} {params.models:q} {params.settings:q}"
        " --output {output.table:q} --calibration {output.calibration:q} --decision-curve {output.decisions:q}"
        " > {log:q} 2>&1"
