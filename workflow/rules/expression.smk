rule aggregate_cells:
    input:
        single_cell=cohort_file("single_cell"),
        gene_ids=cohort_file("gene_ids"),
        samples="<results>/{cohort}/cohort/samples.parquet",  # written once the file has passed its checks
    output:
        pseudobulk="<results>/{cohort}/expression/pseudobulk.parquet",
        ledger="<results>/{cohort}/expression/cells_ledger.tsv",
        quality=report(
            "<results>/{cohort}/expression/cell_quality.tsv",
            caption="../report/cell_quality.rst",
            category="Gene expression",
            labels={"cohort": "{cohort}", "table": "quality of cells"},
        ),
    log:
        "<logs>/expression/aggregate_cells_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_CELLS),
    resources:
        mem_mb=4000,
    params:
        gene_ids=gene_ids_option,
        limits=CELL_LIMITS,
        version=VERSION,
    shell:
        "faceage-bio aggregate-cells --cohort {wildcards.cohort} --single-cell {input.single_cell:q} {params.gene_ids:q}"
        " {params.limits:q} --output {output.pseudobulk:q} --ledger {output.ledger:q} --quality {output.quality:q}"
        " > {log:q} 2>&1"


rule compare_composition:
    input:
        acceleration="<results>/{cohort}/acceleration/acceleration.parquet",
        pseudobulk="<results>/{cohort}/expression/pseudobulk.parquet",
    output:
        report(
            "<results>/{cohort}/expression/composition.tsv",
            caption="../report/composition.rst",
            category="Gene expression",
            labels={"cohort": "{cohort}", "table": "composition of cells"},
        ),
    log:
        "<logs>/expression/compare_composition_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_CELLS),
    resources:
        mem_mb=4000,
    params:
        covariates=option("--covariate", config["expression"]["covariates"]),
        per_years=config["expression"]["per_years"],
        min_cells=config["expression"]["min_cells"],
        min_donors=config["expression"]["min_donors"],
        version=VERSION,
    shell:
        "faceage-bio compare-composition --acceleration {input.acceleration:q} --pseudobulk {input.pseudobulk:q}"
        " {params.covariates:q} --per-years {params.per_years} --min-cells {params.min_cells}"
        " --min-donors {params.min_donors} --output {output:q} > {log:q} 2>&1"


rule check_expression:
    input:
        unpack(expression_inputs),
        acceleration="<results>/{cohort}/acceleration/acceleration.parquet",
    output:
        quality=report(
            "<results>/{cohort}/expression/quality.tsv",
            caption="../report/expression_quality.rst",
            category="Gene expression",
            labels={"cohort": "{cohort}", "table": "quality of samples"},
        ),
        components="<results>/{cohort}/expression/components.tsv",
        confounding="<results>/{cohort}/expression/confounding.tsv",
        samples="<results>/{cohort}/expression/sample_quality.parquet",
    log:
        "<logs>/expression/check_expression_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_RNA),
    resources:
        mem_mb=4000,
    params:
        inputs=expression_options,
        covariates=option("--covariate", config["expression"]["covariates"]),
        limits=QUALITY_LIMITS,
        min_count=config["expression"]["min_count"],
        min_samples=config["expression"]["min_samples"],
        tissue=TISSUE,
        version=VERSION,
    shell:
        "faceage-bio check-expression --acceleration {input.acceleration:q} {params.inputs:q} {params.covariates:q}"
        " {params.limits:q} {params.tissue:q} --min-count {params.min_count} --min-samples {params.min_samples}"
        ' --output "$(dirname {output.quality:q})" --quality {output.samples:q}'
        " > {log:q} 2>&1"


rule normalise_expression:
    input:
        unpack(expression_inputs),
        quality="<results>/{cohort}/expression/sample_quality.parquet",
    output:
        "<results>/{cohort}/expression/log_cpm.parquet",
    log:
        "<logs>/expression/normalise_expression_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_RNA),
    resources:
        mem_mb=4000,
    params:
        inputs=expression_options,
        min_count=config["expression"]["min_count"],
        min_samples=config["expression"]["min_samples"],
        choice=SAMPLE_CHOICE,
        version=VERSION,
    shell:
        "faceage-bio normalise-expression {params.inputs:q} --quality {input.quality:q} --min-count {params.min_count}"
        " --min-samples {params.min_samples} {params.choice:q} --output {output:q} > {log:q} 2>&1"


rule fit_expression:
    input:
        unpack(expression_inputs),
        quality="<results>/{cohort}/expression/sample_quality.parquet",
        acceleration="<results>/{cohort}/acceleration/acceleration.parquet",
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
            labels={"cohort": "{cohort}", "table": "panel declared beforehand"},
        ),
        ledger="<results>/{cohort}/expression/ledger.tsv",
    log:
        "<logs>/expression/fit_expression_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_RNA),
    threads: config["expression"]["workers"]
    resources:
        mem_mb=8000,
    params:
        inputs=expression_options,
        covariates=option("--covariate", config["expression"]["covariates"]),
        panel=option("--panel", config["expression"]["panel"]),
        per_years=config["expression"]["per_years"],
        min_count=config["expression"]["min_count"],
        min_samples=config["expression"]["min_samples"],
        choice=SAMPLE_CHOICE,
        version=VERSION,
    shell:
        "faceage-bio fit-expression --acceleration {input.acceleration:q} {params.inputs:q} --quality {input.quality:q}"
        " {params.covariates:q} {params.panel:q} --per-years {params.per_years} --min-count {params.min_count}"
        " --min-samples {params.min_samples} {params.choice:q} --workers {threads} --genes {output.genes:q}"
        " --panel-table {output.panel:q} --ledger {output.ledger:q} > {log:q} 2>&1"


rule fit_expression_sensitivity:
    input:
        unpack(expression_inputs),
        quality="<results>/{cohort}/expression/sample_quality.parquet",
        acceleration="<results>/{cohort}/acceleration/acceleration.parquet",
    output:
        sensitivity=report(
            "<results>/{cohort}/expression/sensitivity.tsv",
            caption="../report/expression_sensitivity.rst",
            category="Gene expression",
            labels={"cohort": "{cohort}", "table": "sensitivity of the panel"},
        ),
        residuals="<results>/{cohort}/expression/partial_residuals.tsv",
    log:
        "<logs>/expression/fit_expression_sensitivity_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_RNA),
    resources:
        mem_mb=4000,
    params:
        inputs=expression_options,
        covariates=option("--covariate", config["expression"]["covariates"]),
        panel=option("--panel", config["expression"]["panel"]),
        varied=SENSITIVITY_CHOICES,
        choice=SAMPLE_CHOICE,
        per_years=config["expression"]["per_years"],
        min_count=config["expression"]["min_count"],
        min_samples=config["expression"]["min_samples"],
        version=VERSION,
    shell:
        "faceage-bio fit-expression-sensitivity --acceleration {input.acceleration:q} {params.inputs:q}"
        " --quality {input.quality:q} {params.covariates:q} {params.panel:q} {params.varied:q} {params.choice:q}"
        " --per-years {params.per_years} --min-count {params.min_count} --min-samples {params.min_samples}"
        " --output {output.sensitivity:q} --residuals {output.residuals:q} > {log:q} 2>&1"


rule score_gene_sets:
    input:
        unpack(expression_inputs),
        quality="<results>/{cohort}/expression/sample_quality.parquet",
        acceleration="<results>/{cohort}/acceleration/acceleration.parquet",
        genes="<results>/{cohort}/expression/genes.tsv",
        gmt=config["expression"]["gmt"],
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
    wildcard_constraints:
        cohort=any_of(WITH_RNA),
    resources:
        mem_mb=8000,
    params:
        inputs=expression_options,
        covariates=option("--covariate", config["expression"]["covariates"]),
        sets=option("--gene-set", config["expression"]["gene_sets"])
        + option("--gmt", config["expression"]["gmt"]),
        choice=SAMPLE_CHOICE,
        headline=config["expression"]["panel"][0],
        per_years=config["expression"]["per_years"],
        min_coverage=config["expression"]["min_coverage"],
        min_count=config["expression"]["min_count"],
        min_samples=config["expression"]["min_samples"],
        seed=config["expression"]["seed"],
        version=VERSION,
    shell:
        "faceage-bio score-gene-sets --acceleration {input.acceleration:q} --genes {input.genes:q} {params.inputs:q}"
        " --quality {input.quality:q}"
        " {params.covariates:q} {params.sets:q} {params.choice:q} --headline {params.headline:q}"
        " --per-years {params.per_years} --min-coverage {params.min_coverage} --min-count {params.min_count}"
        ' --min-samples {params.min_samples} --seed {params.seed} --output "$(dirname {output.gsea:q})"'
        " --scores {output.scores:q} > {log:q} 2>&1"
