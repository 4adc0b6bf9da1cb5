rule fit_variants:
    input:
        participants="<results>/{cohort}/acceleration/acceleration.parquet",
        samples="<results>/{cohort}/cohort/variant_participants.parquet",  # written once the variants have passed their checks
        variants=study.file("variants"),
        genes=study.file("variant_genes"),
    output:
        genes=report(
            "<results>/{cohort}/variants/genes.tsv",
            caption="../report/variants.rst",
            category="DNA variants",
            labels={"cohort": "{cohort}", "table": "rare variants per gene"},
        ),
        common=report(
            "<results>/{cohort}/variants/common.tsv",
            caption="../report/variants.rst",
            category="DNA variants",
            labels={"cohort": "{cohort}", "table": "common variants"},
        ),
        quality="<results>/{cohort}/variants/quality.tsv",
        variants="<results>/{cohort}/variants/variants.parquet",
    log:
        "<logs>/variants/fit_variants_{cohort}.log",
    benchmark:
        "<results>/benchmarks/fit_variants_{cohort}.tsv"
    wildcard_constraints:
        cohort=any_of(WITH_VARIANTS),
    resources:
        config=CONFIG,
        mem_mb=memory_of("fit_variants"),
    params:
        inputs=study.variant_options,
        settings=study.uses("fit_variants"),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio fit-variants --config {resources.config:q} --cohort {wildcards.cohort}"
        " --participants {input.participants:q} --variants {input.variants:q} --samples {input.samples:q} {params.inputs:q}"
        " --output {params.folder:q} > {log:q} 2>&1"
