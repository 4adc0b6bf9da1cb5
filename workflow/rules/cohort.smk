# face ages depend on this alone: an edited clinical table asks for none again
rule read_manifest:
    input:
        manifest=study.file("manifest"),
        folder=study.file("photos"),
    output:
        manifest="<results>/{cohort}/cohort/manifest.parquet",
        unlisted="<results>/{cohort}/cohort/unlisted.parquet",
    log:
        "<logs>/cohort/read_manifest_{cohort}.log",
    benchmark:
        "<results>/benchmarks/read_manifest_{cohort}.tsv"
    wildcard_constraints:
        cohort=any_of(WITH_PHOTOS),
    priority: 100
    resources:
        config=CONFIG,
        mem_mb=memory_of("read_manifest"),
    params:
        settings=study.uses("read_manifest"),
        version=VERSION,
    shell:
        "faceage-bio read-manifest --config {resources.config:q} --cohort {wildcards.cohort} --output {output.manifest:q}"
        " --unlisted {output.unlisted:q} > {log:q} 2>&1"


rule check_cohort:
    input:
        files=study.files,
        photos=branch(
            lambda wildcards: wildcards.cohort in WITH_PHOTOS,
            then=[f"<results>/{{cohort}}/cohort/{table}.parquet" for table in ("manifest", "unlisted")],
        ),
    output:
        tables=[f"<results>/{{cohort}}/cohort/{table}.parquet" for table in COHORT_TABLES],
        ledger="<results>/{cohort}/cohort/ledger.tsv",
    log:
        "<logs>/cohort/check_cohort_{cohort}.log",
    benchmark:
        "<results>/benchmarks/check_cohort_{cohort}.tsv"
    priority: 100
    resources:
        config=CONFIG,
        mem_mb=memory_of("check_cohort"),
    params:
        settings=study.uses("check_cohort"),
        photos=lambda wildcards, input: (
            ["--manifest", input.photos[0], "--unlisted", input.photos[1]] if input.photos else []
        ),
        results=study.results,
        version=VERSION,
    shell:
        "faceage-bio check-cohort --config {resources.config:q} --cohort {wildcards.cohort} {params.photos:q} --results {params.results:q}"
        " > {log:q} 2>&1"


# of all cohorts together, before anything is computed from their tables
rule check_analyses:
    input:
        tables=collect("<results>/{cohort}/cohort/{table}.parquet", cohort=COHORTS, table=COHORT_TABLES),
        ledgers=collect("<results>/{cohort}/cohort/ledger.tsv", cohort=COHORTS),
    output:
        covariates=collect("<results>/{cohort}/cohort/covariates.tsv", cohort=COHORTS),
    log:
        "<logs>/cohort/check_analyses.log",
    benchmark:
        "<results>/benchmarks/check_analyses.tsv"
    priority: 100
    resources:
        config=CONFIG,
        mem_mb=memory_of("check_analyses"),
    params:
        settings=study.uses("check_analyses"),
        results=study.results,
        version=VERSION,
    shell:
        "faceage-bio check-analyses --config {resources.config:q} --results {params.results:q} > {log:q} 2>&1"


rule gather_ledger:
    input:
        ledgers=study.ledgers,
    output:
        ledger="<results>/{cohort}/ledger.tsv",
        flow=report(
            "<results>/{cohort}/flow.tsv",
            caption="../report/flow.rst",
            category="Participants",
            labels={"cohort": "{cohort}", "table": "exclusions"},
        ),
    log:
        "<logs>/cohort/gather_ledger_{cohort}.log",
    benchmark:
        "<results>/benchmarks/gather_ledger_{cohort}.tsv"
    resources:
        mem_mb=memory_of("gather_ledger"),
    params:
        ledgers=each("--ledger", "ledgers"),
        version=VERSION,
    shell:
        "faceage-bio gather-ledger {params.ledgers:q} --output {output.ledger:q} --flow {output.flow:q}"
        " > {log:q} 2>&1"
