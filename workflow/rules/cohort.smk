# what the analyses ask of the tables is checked here too and is no param: face ages and the rest of the intake do not depend on it
rule check_cohorts:
    input:
        cohort_files(),
    output:
        photos=collect("<results>/{cohort}/cohort/photos.parquet", cohort=COHORTS),
        subjects=collect("<results>/{cohort}/cohort/subjects.parquet", cohort=COHORTS),
        samples=collect("<results>/{cohort}/cohort/samples.parquet", cohort=COHORTS),
        face_ages=collect("<results>/{cohort}/cohort/face_ages.parquet", cohort=WITH_FACE_AGES),
        counts=collect("<results>/{cohort}/cohort/counts.parquet", cohort=WITH_COUNTS),
        variants=collect("<results>/{cohort}/cohort/variant_participants.parquet", cohort=WITH_VARIANTS),
        ledger=collect("<results>/{cohort}/cohort/ledger.tsv", cohort=COHORTS),
    log:
        "<logs>/cohort/check_cohorts.log",
    benchmark:
        "<results>/benchmarks/check_cohorts.tsv"
    resources:
        mem_mb=memory(3000, 5),
    params:
        settings=uses("check_cohorts"),
        results=results_dir,
        version=VERSION,
    shell:
        "faceage-bio check-cohorts --config {CONFIG:q} --results {params.results:q} > {log:q} 2>&1"


# the same check where a setting was edited later
rule check_analyses:
    input:
        subjects=collect("<results>/{cohort}/cohort/subjects.parquet", cohort=COHORTS),
        samples=collect("<results>/{cohort}/cohort/samples.parquet", cohort=COHORTS),
        variants=collect("<results>/{cohort}/cohort/variant_participants.parquet", cohort=WITH_VARIANTS),
    output:
        covariates=collect("<results>/{cohort}/cohort/covariates.tsv", cohort=COHORTS),
    log:
        "<logs>/cohort/check_analyses.log",
    benchmark:
        "<results>/benchmarks/check_analyses.tsv"
    priority: 100
    params:
        settings=uses("check_analyses"),
        results=results_dir,
        version=VERSION,
    shell:
        "faceage-bio check-analyses --config {CONFIG:q} --results {params.results:q} > {log:q} 2>&1"


rule gather_ledger:
    input:
        ledgers=stage_ledgers,
    output:
        ledger="<results>/{cohort}/ledger.tsv",
        flow=report(
            "<results>/{cohort}/flow.tsv",
            caption="../report/flow.rst",
            category="Who was analysed",
            labels={"cohort": "{cohort}", "table": "exclusions"},
        ),
    log:
        "<logs>/cohort/gather_ledger_{cohort}.log",
    benchmark:
        "<results>/benchmarks/gather_ledger_{cohort}.tsv"
    params:
        ledgers=each("--ledger", "ledgers"),
        version=VERSION,
    shell:
        "faceage-bio gather-ledger {params.ledgers:q} --output {output.ledger:q} --flow {output.flow:q}"
        " > {log:q} 2>&1"
