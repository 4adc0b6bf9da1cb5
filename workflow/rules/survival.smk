# the participants and times that all steps of this stage use: all with a usable follow-up, cut and shifted as configured
FOLLOWED = "<results>/{cohort}/survival/follow_up.parquet"


rule prepare_follow_up:
    input:
        participants="<results>/{cohort}/acceleration/acceleration.parquet",
    output:
        follow_up="<results>/{cohort}/survival/follow_up.parquet",
        ledger="<results>/{cohort}/survival/ledger.tsv",
    log:
        "<logs>/survival/prepare_follow_up_{cohort}.log",
    benchmark:
        "<results>/benchmarks/prepare_follow_up_{cohort}.tsv"
    wildcard_constraints:
        cohort=any_of(WITH_CLINICAL),
    resources:
        config=CONFIG,
        mem_mb=memory_of("prepare_follow_up"),
    params:
        settings=study.uses("prepare_follow_up"),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio prepare-follow-up --config {resources.config:q} --cohort {wildcards.cohort} --participants {input.participants:q}"
        " --output {params.folder:q} > {log:q} 2>&1"


rule fit_survival:
    input:
        participants=FOLLOWED,
    output:
        type_one_error="<results>/{cohort}/survival/type_one_error.tsv",
        cox=report(
            "<results>/{cohort}/survival/cox.tsv",
            caption="../report/cox.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "Cox models"},
        ),
        age_comparison=report(
            "<results>/{cohort}/survival/age_comparison.tsv",
            caption="../report/age_comparison.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "face age vs chronological age"},
        ),
        proportional_hazards=report(
            "<results>/{cohort}/survival/proportional_hazards.tsv",
            caption="../report/proportional_hazards.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "proportional hazards"},
        ),
        proportional_hazards_curve="<results>/{cohort}/survival/proportional_hazards_curve.tsv",
        remedies="<results>/{cohort}/survival/remedies.tsv",
        sites=report(
            "<results>/{cohort}/survival/sites.tsv",
            caption="../report/sites.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "hazard ratio by site"},
        ),
        added_value=report(
            "<results>/{cohort}/survival/added_value.tsv",
            caption="../report/added_value.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "added value of face age"},
        ),
        calibration=report(
            "<results>/{cohort}/survival/calibration.tsv",
            caption="../report/calibration.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "calibration"},
        ),
        decision_curve=report(
            "<results>/{cohort}/survival/decision_curve.tsv",
            caption="../report/decision_curve.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "decision curves"},
        ),
    log:
        "<logs>/survival/fit_survival_{cohort}.log",
    benchmark:
        "<results>/benchmarks/fit_survival_{cohort}.tsv"
    wildcard_constraints:
        cohort=any_of(WITH_CLINICAL),
    resources:
        config=CONFIG,
        mem_mb=memory_of("fit_survival"),
    params:
        settings=study.uses("fit_survival"),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio fit-survival --config {resources.config:q} --cohort {wildcards.cohort} --participants {input.participants:q}"
        " --output {params.folder:q} > {log:q} 2>&1"


rule fit_survival_sensitivity:
    input:
        participants=FOLLOWED,
        shared_photos=study.shared_photos,
    output:
        hazard_curve_tests=report(
            "<results>/{cohort}/survival/hazard_curve_tests.tsv",
            caption="../report/hazard_curve.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "non-linearity"},
        ),
        hazard_curve="<results>/{cohort}/survival/hazard_curve.tsv",
        hazard_curve_participants="<results>/{cohort}/survival/hazard_curve_histogram.tsv",
        subgroups=report(
            "<results>/{cohort}/survival/subgroups.tsv",
            caption="../report/subgroup_hazards.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "subgroups"},
        ),
        sensitivity=report(
            "<results>/{cohort}/survival/sensitivity.tsv",
            caption="../report/survival_sensitivity.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "sensitivity analyses"},
        ),
        imputed=report(
            "<results>/{cohort}/survival/imputed.tsv",
            caption="../report/imputed.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "multiple imputation"},
        ),
    log:
        "<logs>/survival/fit_survival_sensitivity_{cohort}.log",
    benchmark:
        "<results>/benchmarks/fit_survival_sensitivity_{cohort}.tsv"
    wildcard_constraints:
        cohort=any_of(WITH_CLINICAL),
    resources:
        config=CONFIG,
        mem_mb=memory_of("fit_survival_sensitivity"),
    params:
        shared_photos=each("--shared-photos", "shared_photos"),
        settings=study.uses("fit_survival_sensitivity"),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio fit-survival-sensitivity --config {resources.config:q} --cohort {wildcards.cohort} --participants {input.participants:q}"
        " {params.shared_photos:q} --output {params.folder:q} > {log:q} 2>&1"


rule estimate_curves:
    input:
        participants=FOLLOWED,
    output:
        kaplan_meier="<results>/{cohort}/survival/kaplan_meier.tsv",
        at_risk="<results>/{cohort}/survival/at_risk.tsv",
        summary=report(
            "<results>/{cohort}/survival/summary.tsv",
            caption="../report/survival.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "follow-up, medians, restricted means, log-rank"},
        ),
        competing_risks=report(
            "<results>/{cohort}/survival/competing_risks.tsv",
            caption="../report/competing_risks.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "competing risks"},
        ),
        cumulative_incidence="<results>/{cohort}/survival/cumulative_incidence.tsv",
        incidence_at_risk="<results>/{cohort}/survival/incidence_at_risk.tsv",
    log:
        "<logs>/survival/estimate_curves_{cohort}.log",
    benchmark:
        "<results>/benchmarks/estimate_curves_{cohort}.tsv"
    wildcard_constraints:
        cohort=any_of(WITH_CLINICAL),
    resources:
        config=CONFIG,
        mem_mb=memory_of("estimate_curves"),
    params:
        settings=study.uses("estimate_curves"),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio estimate-curves --config {resources.config:q} --cohort {wildcards.cohort} --participants {input.participants:q}"
        " --output {params.folder:q} > {log:q} 2>&1"


rule fit_gene_survival:
    input:
        participants=FOLLOWED,
        levels="<results>/{cohort}/expression/log_cpm.parquet",
    output:
        genes=report(
            "<results>/{cohort}/survival/genes.tsv",
            caption="../report/gene_survival.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "all genes"},
        ),
        panel=report(
            "<results>/{cohort}/survival/gene_panel.tsv",
            caption="../report/gene_survival.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "prespecified genes"},
        ),
    log:
        "<logs>/survival/fit_gene_survival_{cohort}.log",
    benchmark:
        "<results>/benchmarks/fit_gene_survival_{cohort}.tsv"
    wildcard_constraints:
        cohort=any_of(WITH_GENE_SURVIVAL),
    resources:
        config=CONFIG,
        mem_mb=memory_of("fit_gene_survival"),
    params:
        settings=study.uses("fit_gene_survival"),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio fit-gene-survival --config {resources.config:q} --cohort {wildcards.cohort}"
        " --participants {input.participants:q} --levels {input.levels:q}"
        " --output {params.folder:q} > {log:q} 2>&1"
