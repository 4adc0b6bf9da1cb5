rule fit_survival:
    input:
        "<results>/{cohort}/acceleration/acceleration.parquet",
    output:
        cox=report(
            "<results>/{cohort}/survival/cox.tsv",
            caption="../report/cox.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "Cox models"},
        ),
        kaplan_meier="<results>/{cohort}/survival/kaplan_meier.tsv",
        summary=report(
            "<results>/{cohort}/survival/summary.tsv",
            caption="../report/survival.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "follow-up, medians, log-rank"},
        ),
        ledger="<results>/{cohort}/survival/ledger.tsv",
    log:
        "<logs>/survival/fit_survival_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_CLINIC),
    params:
        covariates=option("--covariate", config["survival"]["covariates"]),
        cut_points=option("--cut-point", config["survival"]["cut_points"]),
        horizon=option(
            "--horizon-years",
            [config["survival"]["horizon_years"]] if config["survival"]["horizon_years"] else [],
        ),
        per_years=config["survival"]["per_years"],
        version=VERSION,
    shell:
        "faceage-bio fit-survival --acceleration {input:q} {params.covariates:q} {params.cut_points:q}"
        " {params.horizon:q} --per-years {params.per_years} --cox {output.cox:q}"
        " --kaplan-meier {output.kaplan_meier:q} --summary {output.summary:q} --ledger {output.ledger:q}"
        " > {log:q} 2>&1"
