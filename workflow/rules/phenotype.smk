rule test_phenotypes:
    input:
        "<results>/{cohort}/acceleration/acceleration.parquet",
    output:
        report(
            "<results>/{cohort}/phenotype/phenotypes.tsv",
            caption="../report/phenotypes.rst",
            category="Smoking, BMI, disease",
            labels={"cohort": "{cohort}", "table": "years, raw and age-adjusted"},
        ),
    log:
        "<logs>/phenotype/test_phenotypes_{cohort}.log",
    params:
        exposures=option("--exposure", config["phenotype"]["exposures"]),
        adjust_for=option("--adjust-for", config["phenotype"]["adjust_for"]),
        version=VERSION,
    shell:
        "faceage-bio test-phenotypes --acceleration {input:q} {params.exposures:q} {params.adjust_for:q}"
        " --output {output:q} > {log:q} 2>&1"


rule compare_groups:
    input:
        collect("<results>/{cohort}/acceleration/acceleration.parquet", cohort=COHORTS),
    output:
        report(
            "<results>/pooled/phenotype/groups.tsv",
            caption="../report/groups.rst",
            category="Smoking, BMI, disease",
            labels={"cohort": "all", "table": "cancer against reference"},
        ),
    log:
        "<logs>/phenotype/compare_groups.log",
    params:
        accelerations=each_acceleration,
        adjust_for=option("--adjust-for", config["phenotype"]["adjust_for"]),
        version=VERSION,
    shell:
        "faceage-bio compare-groups {params.accelerations:q} {params.adjust_for:q} --output {output:q}"
        " > {log:q} 2>&1"
