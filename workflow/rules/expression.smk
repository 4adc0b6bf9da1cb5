rule aggregate_cells:
    input:
        single_cell=study.file("single_cell"),
        gene_ids=study.file("gene_ids"),
        checked=ancient("<results>/{cohort}/cohort/covariates.tsv"),  # no cell is read of a study that is refused
    output:
        pseudobulk="<results>/{cohort}/expression/pseudobulk.parquet",
        ledger="<results>/{cohort}/expression/cells_ledger.tsv",
        quality=report(
            "<results>/{cohort}/expression/cell_quality.tsv",
            caption="../report/cell_quality.rst",
            category="Gene expression",
            labels={"cohort": "{cohort}", "table": "quality control of cells"},
        ),
    log:
        "<logs>/expression/aggregate_cells_{cohort}.log",
    benchmark:
        "<results>/benchmarks/aggregate_cells_{cohort}.tsv"
    wildcard_constraints:
        cohort=any_of(WITH_CELLS),
    resources:
        config=CONFIG,
        mem_mb=memory_of("aggregate_cells"),
    params:
        gene_ids=each("--gene-ids", "gene_ids"),
        settings=study.uses("aggregate_cells"),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio aggregate-cells --config {resources.config:q} --cohort {wildcards.cohort}"
        " --single-cell {input.single_cell:q} {params.gene_ids:q}"
        " --output {params.folder:q} > {log:q} 2>&1"


rule compare_composition:
    input:
        participants="<results>/{cohort}/acceleration/acceleration.parquet",
        pseudobulk="<results>/{cohort}/expression/pseudobulk.parquet",
    output:
        composition=report(
            "<results>/{cohort}/expression/composition.tsv",
            caption="../report/composition.rst",
            category="Gene expression",
            labels={"cohort": "{cohort}", "table": "cell composition"},
        ),
    log:
        "<logs>/expression/compare_composition_{cohort}.log",
    benchmark:
        "<results>/benchmarks/compare_composition_{cohort}.tsv"
    wildcard_constraints:
        cohort=any_of(WITH_CELLS),
    resources:
        config=CONFIG,
        mem_mb=memory_of("compare_composition"),
    params:
        settings=study.uses("compare_composition"),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio compare-composition --config {resources.config:q} --cohort {wildcards.cohort}"
        " --participants {input.participants:q} --pseudobulk {input.pseudobulk:q}"
        " --output {params.folder:q} > {log:q} 2>&1"


rule check_expression:
    input:
        unpack(study.rna),
        participants="<results>/{cohort}/acceleration/acceleration.parquet",
    output:
        quality=report(
            "<results>/{cohort}/expression/quality.tsv",
            caption="../report/expression_quality.rst",
            category="Gene expression",
            labels={"cohort": "{cohort}", "table": "quality control of samples"},
        ),
        type_one_error=report(
            "<results>/{cohort}/expression/type_one_error.tsv",
            caption="../report/type_one_error.rst",
            category="Gene expression",
            labels={"cohort": "{cohort}", "table": "type I error of the tests"},
        ),
        components="<results>/{cohort}/expression/components.tsv",
        confounding="<results>/{cohort}/expression/confounding.tsv",
        samples="<results>/{cohort}/expression/sample_quality.parquet",
        levels="<results>/{cohort}/expression/log_cpm.parquet",
    log:
        "<logs>/expression/check_expression_{cohort}.log",
    benchmark:
        "<results>/benchmarks/check_expression_{cohort}.tsv"
    wildcard_constraints:
        cohort=any_of(WITH_RNA),
    resources:
        config=CONFIG,
        mem_mb=memory_of("check_expression"),
    params:
        rna=each_given("counts", "pseudobulk", "samples"),
        settings=study.uses("check_expression"),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio check-expression --config {resources.config:q} --cohort {wildcards.cohort}"
        " --participants {input.participants:q} {params.rna:q}"
        " --output {params.folder:q} > {log:q} 2>&1"


rule fit_expression:
    input:
        unpack(study.rna),
        quality="<results>/{cohort}/expression/sample_quality.parquet",
        type_one_error="<results>/{cohort}/expression/type_one_error.tsv",
        participants="<results>/{cohort}/acceleration/acceleration.parquet",
    output:
        genes=report(
            "<results>/{cohort}/expression/genes.tsv",
            caption="../report/genes.rst",
            category="Gene expression",
            labels={"cohort": "{cohort}", "table": "all genes"},
        ),
        panel=report(
            "<results>/{cohort}/expression/panel.tsv",
            caption="../report/panel.rst",
            category="Gene expression",
            labels={"cohort": "{cohort}", "table": "prespecified genes"},
        ),
        ledger="<results>/{cohort}/expression/ledger.tsv",
    log:
        "<logs>/expression/fit_expression_{cohort}.log",
    benchmark:
        "<results>/benchmarks/fit_expression_{cohort}.tsv"
    wildcard_constraints:
        cohort=any_of(WITH_RNA),
    threads: settings.expression.workers
    resources:
        config=CONFIG,
        mem_mb=memory_of("fit_expression"),
    params:
        rna=each_given("counts", "pseudobulk", "samples"),
        settings=study.uses("fit_expression"),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio fit-expression --config {resources.config:q} --cohort {wildcards.cohort}"
        " --participants {input.participants:q} {params.rna:q} --quality {input.quality:q}"
        " --type-one-error {input.type_one_error:q} --workers {threads}"
        " --output {params.folder:q} > {log:q} 2>&1"


rule fit_expression_sensitivity:
    input:
        unpack(study.rna),
        quality="<results>/{cohort}/expression/sample_quality.parquet",
        participants="<results>/{cohort}/acceleration/acceleration.parquet",
    output:
        sensitivity=report(
            "<results>/{cohort}/expression/sensitivity.tsv",
            caption="../report/expression_sensitivity.rst",
            category="Gene expression",
            labels={"cohort": "{cohort}", "table": "prespecified genes, sensitivity analyses"},
        ),
        residuals="<results>/{cohort}/expression/partial_residuals.tsv",
    log:
        "<logs>/expression/fit_expression_sensitivity_{cohort}.log",
    benchmark:
        "<results>/benchmarks/fit_expression_sensitivity_{cohort}.tsv"
    wildcard_constraints:
        cohort=any_of(WITH_RNA),
    resources:
        config=CONFIG,
        mem_mb=memory_of("fit_expression_sensitivity"),
    params:
        rna=each_given("counts", "pseudobulk", "samples"),
        settings=study.uses("fit_expression_sensitivity"),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio fit-expression-sensitivity --config {resources.config:q} --cohort {wildcards.cohort}"
        " --participants {input.participants:q} {params.rna:q} --quality {input.quality:q}"
        " --output {params.folder:q} > {log:q} 2>&1"


rule score_gene_sets:
    input:
        unpack(study.rna),
        quality="<results>/{cohort}/expression/sample_quality.parquet",
        participants="<results>/{cohort}/acceleration/acceleration.parquet",
        genes="<results>/{cohort}/expression/genes.tsv",
        gmt=settings.expression.gmt,
    output:
        associations=report(
            "<results>/{cohort}/expression/set_associations.tsv",
            caption="../report/gene_sets.rst",
            category="Gene expression",
            labels={"cohort": "{cohort}", "table": "scores of gene sets"},
        ),
        coverage="<results>/{cohort}/expression/set_coverage.tsv",
        gsea=report(
            "<results>/{cohort}/expression/gsea.tsv",
            caption="../report/gene_sets.rst",
            category="Gene expression",
            labels={"cohort": "{cohort}", "table": "gene set enrichment"},
        ),
        ora="<results>/{cohort}/expression/ora.tsv",
        scores="<results>/{cohort}/expression/set_scores.parquet",
    log:
        "<logs>/expression/score_gene_sets_{cohort}.log",
    benchmark:
        "<results>/benchmarks/score_gene_sets_{cohort}.tsv"
    wildcard_constraints:
        cohort=any_of(WITH_RNA),
    resources:
        config=CONFIG,
        mem_mb=memory_of("score_gene_sets"),
    params:
        rna=each_given("counts", "pseudobulk", "samples"),
        settings=study.uses("score_gene_sets"),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio score-gene-sets --config {resources.config:q} --cohort {wildcards.cohort}"
        " --participants {input.participants:q} {params.rna:q} --quality {input.quality:q}"
        " --genes {input.genes:q}"
        " --output {params.folder:q} > {log:q} 2>&1"
