rule compare_readers:
    input:
        readings=settings.readers.readings or [],
        # a table of its own, or the participants of all cohorts with a clinical table
        cases=settings.readers.cases
        or collect("<results>/{cohort}/acceleration/acceleration.parquet", cohort=WITH_CLINICAL),
    output:
        report(
            "<results>/pooled/readers/readers.tsv",
            caption="../report/readers.rst",
            category="Reader study",
            labels={"cohort": "cases of all", "table": "AUC, contrasts, decisions, ages"},
        ),
    log:
        "<logs>/readers/compare_readers.log",
    benchmark:
        "<results>/benchmarks/compare_readers.tsv"
    resources:
        config=CONFIG,
        mem_mb=memory_of("compare_readers"),
    params:
        settings=study.uses("compare_readers"),
        cases=each("--cases", "cases"),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio compare-readers --config {resources.config:q} --readings {input.readings:q} {params.cases:q}"
        " --output {params.folder:q} > {log:q} 2>&1"
