rule fit_variants:
    input:
        acceleration="<results>/{cohort}/acceleration/acceleration.parquet",
        people="<results>/{cohort}/cohort/variant_participants.parquet",  # written once the variants have passed their checks
        variants=cohort_file("variants"),
        genes=cohort_file("variant_genes"),
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
    wildcard_constraints:
        cohort=any_of(WITH_VARIANTS),
    resources:
        mem_mb=4000,
    params:
        inputs=variant_options,
        panel=option("--gene", config["expression"]["panel"]),
        covariates=option("--covariate", config["variants"]["covariates"]),
        maf=config["variants"]["maf"],
        call_rate=config["variants"]["call_rate"],
        weights=config["variants"]["weights"],
        min_carriers=config["variants"]["min_carriers"],
        common="--common" if config["variants"]["common"] else "--no-common",
        version=VERSION,
    shell:
        "faceage-bio fit-variants --acceleration {input.acceleration:q} --variants {input.variants:q}"
        " --samples {input.people:q} {params.inputs:q} {params.panel:q} {params.covariates:q} --max-maf {params.maf}"
        " --min-call-rate {params.call_rate} --burden {params.weights} --min-carriers {params.min_carriers}"
        ' {params.common} --output "$(dirname {output.genes:q})" --variants-table {output.variants:q} > {log:q} 2>&1'
