# estimates of several cohorts as one, and one model of all their participants
rule pool_cohorts:
    input:
        tables=POOLABLE,
    output:
        estimates=report(
            "<results>/pooled/meta_analysis/estimates.tsv",
            caption="../report/meta_analysis.rst",
            category="Meta-analysis",
            labels={"cohort": "all", "table": "pooled estimates"},
        ),
        sensitivity="<results>/pooled/meta_analysis/sensitivity.tsv",
    log:
        "<logs>/pooling/pool_cohorts.log",
    benchmark:
        "<results>/benchmarks/pool_cohorts.tsv"
    resources:
        config=CONFIG,
        mem_mb=memory_of("pool_cohorts"),
    params:
        tables=each("--table", "tables"),
        settings=study.uses("pool_cohorts"),
        version=VERSION,
    shell:
        "faceage-bio pool-cohorts --config {resources.config:q} {params.tables:q} --output {output.estimates:q}"
        " --sensitivity {output.sensitivity:q} > {log:q} 2>&1"


rule pool_genes:
    input:
        tables=collect(
            "<results>/{cohort}/expression/genes.tsv", cohort=study.having("counts", among=study.pooled)
        ),
    output:
        genes=report(
            "<results>/pooled/meta_analysis/genes.tsv",
            caption="../report/meta_analysis_genes.rst",
            category="Meta-analysis",
            labels={"cohort": "all", "table": "genes"},
        ),
    log:
        "<logs>/pooling/pool_genes.log",
    benchmark:
        "<results>/benchmarks/pool_genes.tsv"
    resources:
        config=CONFIG,
        mem_mb=memory_of("pool_genes"),
    params:
        tables=each("--table", "tables"),
        settings=study.uses("pool_genes"),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio pool-genes --config {resources.config:q} {params.tables:q} --output {params.folder:q} > {log:q} 2>&1"


rule fit_one_stage:
    input:
        participants=collect(
            "<results>/{cohort}/survival/follow_up.parquet",
            cohort=study.having("clinical", among=study.pooled),
        ),
    output:
        one_stage=report(
            "<results>/pooled/survival/one_stage.tsv",
            caption="../report/one_stage.rst",
            category="Meta-analysis",
            labels={"cohort": "all", "table": "one-stage Cox models"},
        ),
    log:
        "<logs>/pooling/fit_one_stage.log",
    benchmark:
        "<results>/benchmarks/fit_one_stage.tsv"
    resources:
        config=CONFIG,
        mem_mb=memory_of("fit_one_stage"),
    params:
        participants=each("--participants", "participants"),
        settings=study.uses("fit_one_stage"),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio fit-one-stage --config {resources.config:q} {params.participants:q} --output {params.folder:q} > {log:q} 2>&1"
