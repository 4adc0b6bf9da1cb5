CURVES = [
    *option("--by", curve_groups()),
    *option("--time-years", config["survival"]["times_years"]),
    *option("--interval", [config["survival"]["interval"]]),
]


rule estimate_curves:
    input:
        FOLLOWED,
    output:
        kaplan_meier="<results>/{cohort}/survival/kaplan_meier.tsv",
        at_risk="<results>/{cohort}/survival/at_risk.tsv",
        summary=report(
            "<results>/{cohort}/survival/summary.tsv",
            caption="../report/survival.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "follow-up, medians, restricted means, log-rank"},
        ),
    log:
        "<logs>/survival/estimate_curves_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_CLINICAL),
    params:
        curves=CURVES,
        rmst_years=config["survival"]["rmst_years"],
        strata=option("--log-rank-stratum", config["survival"]["log_rank_strata"]),
        weights=fleming_harrington(),
        version=VERSION,
    shell:
        "faceage-bio estimate-curves --acceleration {input:q} {params.curves:q} --rmst-years {params.rmst_years}"
        " {params.strata:q} {params.weights:q} --kaplan-meier {output.kaplan_meier:q}"
        " --at-risk {output.at_risk:q} --summary {output.summary:q} > {log:q} 2>&1"


rule fit_competing_risks:
    input:
        FOLLOWED,
    output:
        competing_risks=report(
            "<results>/{cohort}/survival/competing_risks.tsv",
            caption="../report/competing_risks.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "competing risks"},
        ),
        incidence="<results>/{cohort}/survival/cumulative_incidence.tsv",
        at_risk="<results>/{cohort}/survival/incidence_at_risk.tsv",
    log:
        "<logs>/survival/fit_competing_risks_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_CLINICAL),
    params:
        curves=CURVES,
        cause=config["survival"]["cause_of_interest"],
        per_years=config["survival"]["per_years"],
        version=VERSION,
    shell:
        "faceage-bio fit-competing-risks --acceleration {input:q} {params.curves:q}"
        " --cause-of-interest {params.cause} --per-years {params.per_years}"
        " --competing-risks {output.competing_risks:q} --cumulative-incidence {output.incidence:q}"
        " --at-risk {output.at_risk:q} > {log:q} 2>&1"
