# all cohorts in one job: half of its time is the import of the packages
rule verify_results:
    input:
        collect("<results>/{cohort}/acceleration/acceleration.parquet", cohort=COHORTS),
        collect("<results>/{cohort}/phenotype/phenotypes.tsv", cohort=WITH_CLINICAL),
        "<results>/pooled/phenotype/groups.tsv",
        "<results>/pooled/meta_analysis/estimates.tsv" if POOLABLE else [],
        collect("<results>/{cohort}/survival/follow_up.parquet", cohort=WITH_CLINICAL),
        collect(
            "<results>/{cohort}/survival/{table}.tsv",
            cohort=WITH_CLINICAL,
            table=["cox", "kaplan_meier", "summary"],
        ),
        collect("<results>/{cohort}/cohort/samples.parquet", cohort=WITH_RNA),
        collect("<results>/{cohort}/cohort/counts.parquet", cohort=WITH_COUNTS),
        collect("<results>/{cohort}/expression/pseudobulk.parquet", cohort=WITH_CELLS),
        collect("<results>/{cohort}/expression/sample_quality.parquet", cohort=WITH_RNA),
        collect("<results>/{cohort}/expression/panel.tsv", cohort=WITH_RNA),
    output:
        agreement=report(
            "<results>/pooled/verification/agreement.tsv",
            caption="../report/verification.rst",
            category="Verification",
            labels={"table": "independent software"},
        ),
        numbers="<results>/pooled/verification/numbers.tsv",
        scripts=directory("<results>/reports/reproduce"),
    log:
        "<logs>/verification/verify_results.log",
    benchmark:
        "<results>/benchmarks/verify_results.tsv"
    resources:
        config=CONFIG,
        mem_mb=memory_of("verify_results"),
    params:
        settings=study.uses("verify_results"),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio verify-results --config {resources.config:q} --output {params.folder:q} --scripts {output.scripts:q} {input:q}"
        " > {log:q} 2>&1"
