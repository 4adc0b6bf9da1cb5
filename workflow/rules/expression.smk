rule aggregate_cells:
    input:
        single_cell=cohort_file("single_cell"),
        samples="<results>/{cohort}/cohort/samples.parquet",  # written once the file has passed its checks
    output:
        pseudobulk="<results>/{cohort}/expression/pseudobulk.parquet",
        ledger="<results>/{cohort}/expression/cells_ledger.tsv",
    log:
        "<logs>/expression/aggregate_cells_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_CELLS),
    resources:
        mem_mb=16000,
    params:
        min_cells=config["expression"]["min_cells"],
        version=VERSION,
    shell:
        "faceage-bio aggregate-cells --cohort {wildcards.cohort} --single-cell {input.single_cell:q}"
        " --min-cells {params.min_cells} --output {output.pseudobulk:q} --ledger {output.ledger:q} > {log:q} 2>&1"


rule normalise_expression:
    input:
        unpack(expression_inputs),
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
        version=VERSION,
    shell:
        "faceage-bio normalise-expression {params.inputs:q} --min-count {params.min_count}"
        " --min-samples {params.min_samples} --output {output:q} > {log:q} 2>&1"


rule fit_expression:
    input:
        unpack(expression_inputs),
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
        choice=option("--repeated-samples", [config["expression"]["repeated_samples"]])
        + option("--tissue", [config["expression"]["tissue"]] if config["expression"]["tissue"] else []),
        version=VERSION,
    shell:
        "faceage-bio fit-expression --acceleration {input.acceleration:q} {params.inputs:q}"
        " {params.covariates:q} {params.panel:q} --per-years {params.per_years} --min-count {params.min_count}"
        " --min-samples {params.min_samples} {params.choice:q} --workers {threads} --genes {output.genes:q}"
        " --panel-table {output.panel:q} --ledger {output.ledger:q} > {log:q} 2>&1"
