# what is asked of the Cox models: do they hold over time, is the hazard a line, is it the same everywhere, does it hang on a choice
SURVIVAL_SENSITIVITY = [
    *option("--early-death-years", [config["survival"]["early_death_years"]]),
    *["--gap-classes", *map(str, config["survival"]["gap_classes"])],
    *option("--imputations", [config["survival"]["imputation"]["m"]]),
    *option("--iterations", [config["survival"]["imputation"]["iterations"]]),
    *option("--seed", [config["survival"]["imputation"]["seed"]]),
]


rule test_proportional_hazards:
    input:
        FOLLOWED,
    output:
        table=report(
            "<results>/{cohort}/survival/proportional_hazards.tsv",
            caption="../report/proportional_hazards.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "proportional hazards"},
        ),
        curve="<results>/{cohort}/survival/proportional_hazards_curve.tsv",
        remedies="<results>/{cohort}/survival/remedies.tsv",
    log:
        "<logs>/survival/test_proportional_hazards_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_CLINICAL),
    params:
        models=SURVIVAL_MODELS,
        alpha=option("--alpha", [config["survival"]["alpha"]]),
        split_years=option("--split-years", config["survival"]["split_years"]),
        rmst_years=config["survival"]["rmst_years"],
        version=VERSION,
    shell:
        "faceage-bio test-proportional-hazards --acceleration {input:q} {params.models:q} {params.alpha:q} {params.split_years:q}"
        " --rmst-years {params.rmst_years}"
        " --output {output.table:q} --curve {output.curve:q} --remedies {output.remedies:q} > {log:q} 2>&1"


rule fit_hazard_curve:
    input:
        FOLLOWED,
    output:
        table=report(
            "<results>/{cohort}/survival/hazard_curve_tests.tsv",
            caption="../report/hazard_curve.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "curvature"},
        ),
        curve="<results>/{cohort}/survival/hazard_curve.tsv",
        histogram="<results>/{cohort}/survival/hazard_curve_histogram.tsv",
    log:
        "<logs>/survival/fit_hazard_curve_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_CLINICAL),
    params:
        models=SURVIVAL_MODELS,
        version=VERSION,
    shell:
        "faceage-bio fit-hazard-curve --acceleration {input:q} {params.models:q}"
        " --output {output.table:q} --curve {output.curve:q} --histogram {output.histogram:q} > {log:q} 2>&1"


rule compare_sites:
    input:
        FOLLOWED,
    output:
        table=report(
            "<results>/{cohort}/survival/sites.tsv",
            caption="../report/sites.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "within each site"},
        ),
    log:
        "<logs>/survival/compare_sites_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_CLINICAL),
    params:
        models=SURVIVAL_STEPS,
        by=option("--by", [config["survival"]["heterogeneity_by"]]),
        version=VERSION,
    shell:
        "faceage-bio compare-sites --acceleration {input:q} {params.models:q} {params.by:q}"
        " --output {output.table:q} > {log:q} 2>&1"


rule fit_subgroup_hazards:
    input:
        FOLLOWED,
    output:
        table=report(
            "<results>/{cohort}/survival/subgroups.tsv",
            caption="../report/subgroup_hazards.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "subgroups"},
        ),
    log:
        "<logs>/survival/fit_subgroup_hazards_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_CLINICAL),
    params:
        models=SURVIVAL_MODELS,
        modifiers=option("--modifier", config["survival"]["modifiers"]),
        split_age=config["survival"]["split_age"],
        version=VERSION,
    shell:
        "faceage-bio fit-subgroup-hazards --acceleration {input:q} {params.models:q} {params.modifiers:q}"
        " --split-age {params.split_age} --output {output.table:q} > {log:q} 2>&1"


rule fit_survival_sensitivity:
    input:
        FOLLOWED,
    output:
        table=report(
            "<results>/{cohort}/survival/sensitivity.tsv",
            caption="../report/survival_sensitivity.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "other choices"},
        ),
        imputed=report(
            "<results>/{cohort}/survival/imputed.tsv",
            caption="../report/imputed.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "missing covariates filled in"},
        ),
    log:
        "<logs>/survival/fit_survival_sensitivity_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_CLINICAL),
    params:
        models=SURVIVAL_MODELS,
        choices=SURVIVAL_SENSITIVITY,
        version=VERSION,
    shell:
        "faceage-bio fit-survival-sensitivity --acceleration {input:q} {params.models:q} {params.choices:q}"
        " --output {output.table:q} --imputed {output.imputed:q} > {log:q} 2>&1"
