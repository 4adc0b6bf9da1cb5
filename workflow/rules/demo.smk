rule make_demo_cohorts:
    output:
        photos=[directory(f"<results>/demo/{name}/photos") for name in ("north", "south", "healthy")],
        tables=[
            f"<results>/demo/{name}/{table}.tsv"
            for name in ("north", "south", "healthy")
            for table in ("manifest", "clinical")
        ],
        readings="<results>/demo/readings.tsv",
        rna=[
            f"<results>/demo/{name}/{table}.tsv"
            for name in ("north", "south")
            for table in ("counts", "samples")
        ],
        variants=[
            f"<results>/demo/north/{file}"
            for file in ("variants.vcf.gz", "variant_genes.bed", "variant_samples.tsv", "ancestry.tsv")
        ],
        cells="<results>/demo/healthy/cells.h5ad",
    log:
        "<logs>/demo/make_demo_cohorts.log",
    benchmark:
        "<results>/benchmarks/make_demo_cohorts.tsv"
    resources:
        config=CONFIG,
        mem_mb=memory_of("make_demo_cohorts"),
    params:
        settings=study.uses("make_demo_cohorts"),
        folder=study.demo,
        version=VERSION,
    shell:
        "faceage-bio make-demo-cohorts --config {resources.config:q} --output {params.folder:q} > {log:q} 2>&1"


rule fit_demo_model:
    output:
        directory("<results>/model/demo"),
    log:
        "<logs>/demo/fit_demo_model.log",
    benchmark:
        "<results>/benchmarks/fit_demo_model.tsv"
    resources:
        config=CONFIG,
        mem_mb=memory_of("fit_demo_model"),
    params:
        settings=study.uses("fit_demo_model"),
        version=VERSION,
    shell:
        "faceage-bio fit-demo-model --config {resources.config:q} --output {output:q} > {log:q} 2>&1"
