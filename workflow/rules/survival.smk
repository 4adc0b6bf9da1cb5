# the people and times that all steps of this stage use: everybody with a usable follow-up, cut and shifted as configured
FOLLOWED = "<results>/{cohort}/survival/follow_up.parquet"
SURVIVAL_STEPS = [
    *option("--step", config["survival"]["sequential_adjustment"]),
    *option(
        "--group",
        [f"{name}={','.join(map(str, cuts))}" for name, cuts in config["survival"]["groups"].items()],
    ),
    *option("--stratum", config["survival"]["strata"]),
    *option("--cluster", filter(None, [config["survival"]["cluster"]])),
    *option("--per-years", [config["survival"]["per_years"]]),
]
SURVIVAL_MODELS = [*SURVIVAL_STEPS, *option("--covariate", config["survival"]["covariates"])]

SURVIVAL_TIME = [
    part
    for name in ("time_zero", "landmark_years", "horizon_years", "end_date", "year_days")
    for part in option(f"--{name.replace('_', '-')}", [config["survival"][name]])
    if config["survival"][name] is not None
]
GENE_TIME = [
    part
    for name in ("time_zero", "landmark_years", "year_days")
    for part in option(f"--{name.replace('_', '-')}", [config["survival"][name]])
    if config["survival"][name] is not None
]


rule prepare_follow_up:
    input:
        "<results>/{cohort}/acceleration/acceleration.parquet",
    output:
        table=FOLLOWED,
        ledger="<results>/{cohort}/survival/ledger.tsv",
    log:
        "<logs>/survival/prepare_follow_up_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_CLINICAL),
    params:
        covariates=option(
            "--covariate",
            [*config["survival"]["sequential_adjustment"], *config["survival"]["covariates"]],
        ),
        time=SURVIVAL_TIME,
        version=VERSION,
    shell:
        "faceage-bio prepare-follow-up --acceleration {input:q} {params.covariates:q} {params.time:q}"
        " --output {output.table:q} --ledger {output.ledger:q} > {log:q} 2>&1"


rule fit_survival:
    input:
        FOLLOWED,
    output:
        cox=report(
            "<results>/{cohort}/survival/cox.tsv",
            caption="../report/cox.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "Cox models"},
        ),
        comparison=report(
            "<results>/{cohort}/survival/age_comparison.tsv",
            caption="../report/age_comparison.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "face age against age"},
        ),
    log:
        "<logs>/survival/fit_survival_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_CLINICAL),
    params:
        models=SURVIVAL_MODELS,
        firth=["--firth"] if config["survival"]["firth"] else [],
        version=VERSION,
    shell:
        "faceage-bio fit-survival --acceleration {input:q} {params.models:q} {params.firth:q}"
        " --cox {output.cox:q} --comparison {output.comparison:q} > {log:q} 2>&1"


rule fit_gene_survival:
    input:
        followed=FOLLOWED,
        levels="<results>/{cohort}/expression/log_cpm.parquet",
    output:
        genes=report(
            "<results>/{cohort}/survival/genes.tsv",
            caption="../report/gene_survival.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "all genes"},
        ),
        panel=report(
            "<results>/{cohort}/survival/gene_panel.tsv",
            caption="../report/gene_survival.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "genes declared beforehand"},
        ),
    log:
        "<logs>/survival/fit_gene_survival_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_GENE_SURVIVAL),
    resources:
        mem_mb=4000,
    params:
        covariates=option("--covariate", config["survival"]["gene_covariates"]),
        strata=option("--stratum", config["survival"]["strata"]),
        panel=option("--panel", config["expression"]["panel"]),
        time=GENE_TIME,
        version=VERSION,
    shell:
        "faceage-bio fit-gene-survival --followed {input.followed:q} --levels {input.levels:q} {params.covariates:q}"
        " {params.strata:q} {params.panel:q} {params.time:q} --genes {output.genes:q}"
        " --panel-table {output.panel:q} > {log:q} 2>&1"
