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


rule describe_groups:
    input:
        "<results>/{cohort}/acceleration/acceleration.parquet",
    output:
        table_one=report(
            "<results>/{cohort}/phenotype/table_one.tsv",
            caption="../report/table_one.rst",
            category="Who was analysed",
            labels={"cohort": "{cohort}", "table": "Table 1 by age acceleration"},
        ),
        distributions="<results>/{cohort}/phenotype/distributions.tsv",
        squares="<results>/{cohort}/phenotype/age_histogram.tsv",
    log:
        "<logs>/phenotype/describe_groups_{cohort}.log",
    params:
        columns=option("--column", config["phenotype"]["table_one"]["columns"]),
        factors=option("--factor", [*config["phenotype"]["factors"], "group"]),
        groups=table_one_groups(),
        version=VERSION,
    shell:
        "faceage-bio describe-groups --cohort {wildcards.cohort} --acceleration {input:q} {params.columns:q}"
        " {params.factors:q} --groups={params.groups} --table-one {output.table_one:q}"
        " --distributions {output.distributions:q} --histogram {output.squares:q} > {log:q} 2>&1"
