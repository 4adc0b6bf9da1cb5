rule check_cohorts:
    input:
        cohort_files(),
    output:
        photos=collect("<results>/{cohort}/cohort/photos.parquet", cohort=COHORTS),
        subjects=collect("<results>/{cohort}/cohort/subjects.parquet", cohort=COHORTS),
        samples=collect("<results>/{cohort}/cohort/samples.parquet", cohort=COHORTS),
        ledger=collect("<results>/{cohort}/cohort/ledger.tsv", cohort=COHORTS),
    log:
        "<logs>/cohort/check_cohorts.log",
    resources:
        mem_mb=4000,
    params:
        command=FACEAGE_BIO,
        cohorts=json.dumps(config["cohorts"]),
        year_days=config["survival"]["year_days"],
        results=config["results_dir"],
        version=VERSION,
    shell:
        "{params.command} check-cohorts --cohorts {params.cohorts:q} --year-days {params.year_days}"
        " --results {params.results:q} > {log:q} 2>&1"


def stage_ledgers(wildcards):
    """The ledgers of the stages that a cohort goes through, in their order."""
    name = wildcards.cohort
    stages = ["cohort", "faceage", "acceleration"]
    stages += ["expression"] if name in WITH_RNA else []
    stages += ["survival"] if name in WITH_CLINIC else []
    return [f"<results>/{name}/{stage}/ledger.tsv" for stage in stages]


def each_ledger(wildcards, input):
    return option("--ledger", input)


rule gather_ledger:
    input:
        stage_ledgers,
    output:
        ledger="<results>/{cohort}/ledger.tsv",
        flow=report(
            "<results>/{cohort}/flow.tsv",
            caption="../report/flow.rst",
            category="Who was analysed",
            labels={"cohort": "{cohort}", "table": "exclusions"},
        ),
    log:
        "<logs>/cohort/gather_ledger_{cohort}.log",
    params:
        command=FACEAGE_BIO,
        ledgers=each_ledger,
        version=VERSION,
    shell:
        "{params.command} gather-ledger {params.ledgers:q} --output {output.ledger:q} --flow {output.flow:q}"
        " > {log:q} 2>&1"
