rule test_phenotypes:
    input:
        participants="<results>/{cohort}/acceleration/acceleration.parquet",
    output:
        table_one=report(
            "<results>/{cohort}/phenotype/table_one.tsv",
            caption="../report/table_one.rst",
            category="Participants",
            labels={"cohort": "{cohort}", "table": "Table 1 by age acceleration"},
        ),
        distributions="<results>/{cohort}/phenotype/distributions.tsv",
        age_histogram="<results>/{cohort}/phenotype/age_histogram.tsv",
        phenotypes=report(
            "<results>/{cohort}/phenotype/phenotypes.tsv",
            caption="../report/phenotypes.rst",
            category="Smoking, BMI, disease",
            labels={"cohort": "{cohort}", "table": "differences in face age, unadjusted and age-adjusted"},
        ),
    log:
        "<logs>/phenotype/test_phenotypes_{cohort}.log",
    benchmark:
        "<results>/benchmarks/test_phenotypes_{cohort}.tsv"
    resources:
        config=CONFIG,
        mem_mb=memory_of("test_phenotypes"),
    params:
        settings=study.uses("test_phenotypes"),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio test-phenotypes --config {resources.config:q} --cohort {wildcards.cohort} --participants {input.participants:q}"
        " --output {params.folder:q} > {log:q} 2>&1"


# every cohort within itself, and disease over all of them (cohort: pooled)
rule compare_groups:
    input:
        participants=collect(
            "<results>/{cohort}/acceleration/acceleration.parquet", cohort=WITH_CLINICAL or COHORTS
        ),
    output:
        groups=report(
            "<results>/pooled/phenotype/groups.tsv",
            caption="../report/groups.rst",
            category="Smoking, BMI, disease",
            labels={"cohort": "all", "table": "cancer vs controls"},
        ),
        means="<results>/pooled/phenotype/means.tsv",
        pairs=report(
            "<results>/pooled/phenotype/pairs.tsv",
            caption="../report/pairs.rst",
            category="Smoking, BMI, disease",
            labels={"cohort": "all", "table": "all pairs of groups"},
        ),
        tests="<results>/pooled/phenotype/tests.tsv",
    log:
        "<logs>/phenotype/compare_groups.log",
    benchmark:
        "<results>/benchmarks/compare_groups.tsv"
    resources:
        config=CONFIG,
        mem_mb=memory_of("compare_groups"),
    params:
        participants=each("--participants", "participants"),
        settings=study.uses("compare_groups"),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio compare-groups --config {resources.config:q} {params.participants:q}"
        " --output {params.folder:q} > {log:q} 2>&1"


rule fit_association_sensitivity:
    input:
        participants=collect(
            "<results>/{cohort}/acceleration/definitions.parquet", cohort=WITH_CLINICAL or COHORTS
        ),
        shared_photos=study.shared_photos,
    output:
        dose_response=report(
            "<results>/pooled/phenotype/dose_response.tsv",
            caption="../report/dose_response.rst",
            category="Smoking, BMI, disease",
            labels={"cohort": "all", "table": "dose-response"},
        ),
        dose_curves="<results>/pooled/phenotype/dose_curves.tsv",
        interactions=report(
            "<results>/pooled/phenotype/interactions.tsv",
            caption="../report/interactions.rst",
            category="Smoking, BMI, disease",
            labels={"cohort": "all", "table": "interactions"},
        ),
        subgroups="<results>/pooled/phenotype/subgroups.tsv",
        matched=report(
            "<results>/pooled/phenotype/matched.tsv",
            caption="../report/matched.rst",
            category="Smoking, BMI, disease",
            labels={"cohort": "all", "table": "cancer vs controls, matched"},
        ),
        balance="<results>/pooled/phenotype/balance.tsv",
        adjustments=report(
            "<results>/pooled/phenotype/adjustments.tsv",
            caption="../report/adjustments.rst",
            category="Smoking, BMI, disease",
            labels={"cohort": "all", "table": "adjustment sets and multiple imputation"},
        ),
        roles="<results>/pooled/phenotype/roles.tsv",
        specifications="<results>/pooled/phenotype/specifications.tsv",
        specification_summary=report(
            "<results>/pooled/phenotype/specification_summary.tsv",
            caption="../report/specifications.rst",
            category="Smoking, BMI, disease",
            labels={"cohort": "all", "table": "specification curve"},
        ),
    log:
        "<logs>/phenotype/fit_association_sensitivity.log",
    benchmark:
        "<results>/benchmarks/fit_association_sensitivity.tsv"
    resources:
        config=CONFIG,
        mem_mb=memory_of("fit_association_sensitivity"),
    params:
        participants=each("--participants", "participants"),
        shared_photos=each("--shared-photos", "shared_photos"),
        settings=study.uses("fit_association_sensitivity"),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio fit-association-sensitivity --config {resources.config:q} {params.participants:q}"
        " {params.shared_photos:q} --output {params.folder:q} > {log:q} 2>&1"
