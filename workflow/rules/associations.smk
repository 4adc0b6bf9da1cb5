# one table for each question: every cohort within itself, and disease over all of them (cohort: pooled)
WITH_COMPARISONS = [
    "means",
    "pairs",
    "tests",
    "dose_response",
    "dose_curves",
    "interactions",
    "subgroups",
    "matched",
    "balance",
    "adjustments",
    "roles",
    "specifications",
    "specification_summary",
]
COMPARED = collect("<results>/{cohort}/acceleration/acceleration.parquet", cohort=WITH_CLINICAL)
COMPARED_EXPOSURES = option("--exposure", [*config["phenotype"]["exposures"], "group"])
MINIMAL_SET = option("--adjust-for", config["phenotype"]["adjust_for"])
FULL_ADJUSTMENT = option("--full-adjustment", config["phenotype"]["full_adjustment"])
ROLES = option(
    "--covariate",
    [
        ",".join([f"{name}={item['role']}", *(f"{e}:{role}" for e, role in item["exceptions"].items())])
        for name, item in config["phenotype"]["covariates"].items()
    ],
)


rule compare_levels:
    input:
        COMPARED,
    output:
        means="<results>/pooled/phenotype/means.tsv",
        pairs=report(
            "<results>/pooled/phenotype/pairs.tsv",
            caption="../report/pairs.rst",
            category="Smoking, BMI, disease",
            labels={"cohort": "all", "table": "all pairs of groups"},
        ),
        tests="<results>/pooled/phenotype/tests.tsv",
    log:
        "<logs>/phenotype/compare_levels.log",
    params:
        tables=each_acceleration,
        factors=option("--factor", [*config["phenotype"]["factors"], "group"]),
        adjust_for=MINIMAL_SET,
        version=VERSION,
    shell:
        "faceage-bio compare-levels {params.tables:q} {params.factors:q} {params.adjust_for:q} --means {output.means:q}"
        " --pairs {output.pairs:q} --tests {output.tests:q} > {log:q} 2>&1"


rule fit_dose_response:
    input:
        COMPARED,
    output:
        rows=report(
            "<results>/pooled/phenotype/dose_response.tsv",
            caption="../report/dose_response.rst",
            category="Smoking, BMI, disease",
            labels={"cohort": "all", "table": "dose-response"},
        ),
        curves="<results>/pooled/phenotype/dose_curves.tsv",
    log:
        "<logs>/phenotype/fit_dose_response.log",
    params:
        tables=each_acceleration,
        amounts=option("--amount", config["phenotype"]["dose_response"]),
        adjust_for=MINIMAL_SET,
        version=VERSION,
    shell:
        "faceage-bio fit-dose-response {params.tables:q} {params.amounts:q} {params.adjust_for:q} --output {output.rows:q}"
        " --curves {output.curves:q} > {log:q} 2>&1"


rule compare_subgroups:
    input:
        COMPARED,
    output:
        interactions=report(
            "<results>/pooled/phenotype/interactions.tsv",
            caption="../report/interactions.rst",
            category="Smoking, BMI, disease",
            labels={"cohort": "all", "table": "interactions"},
        ),
        forest="<results>/pooled/phenotype/subgroups.tsv",
    log:
        "<logs>/phenotype/compare_subgroups.log",
    params:
        tables=each_acceleration,
        exposures=COMPARED_EXPOSURES,
        modifiers=option("--modifier", config["phenotype"]["modifiers"]),
        adjust_for=MINIMAL_SET,
        split_age=config["phenotype"]["split_age"],
        version=VERSION,
    shell:
        "faceage-bio compare-subgroups {params.tables:q} {params.exposures:q} {params.modifiers:q} {params.adjust_for:q}"
        " --split-age {params.split_age} --interactions {output.interactions:q} --forest {output.forest:q} > {log:q} 2>&1"


rule match_groups:
    input:
        COMPARED,
    output:
        rows=report(
            "<results>/pooled/phenotype/matched.tsv",
            caption="../report/matched.rst",
            category="Smoking, BMI, disease",
            labels={"cohort": "all", "table": "cancer against matched reference people"},
        ),
        balance="<results>/pooled/phenotype/balance.tsv",
    log:
        "<logs>/phenotype/match_groups.log",
    params:
        tables=each_acceleration,
        exact=option("--exact", config["phenotype"]["matching"]["exact"]),
        caliper=config["phenotype"]["matching"]["caliper_years"],
        balance_covariates=option(
            "--balance-covariate", config["phenotype"]["matching"]["balance_covariates"]
        ),
        version=VERSION,
    shell:
        "faceage-bio match-groups {params.tables:q} {params.exact:q} --caliper-years {params.caliper} {params.balance_covariates:q}"
        " --output {output.rows:q} --balance {output.balance:q} > {log:q} 2>&1"


rule compare_adjustments:
    input:
        COMPARED,
    output:
        rows=report(
            "<results>/pooled/phenotype/adjustments.tsv",
            caption="../report/adjustments.rst",
            category="Smoking, BMI, disease",
            labels={"cohort": "all", "table": "adjustment sets and missing values"},
        ),
        roles="<results>/pooled/phenotype/roles.tsv",
    log:
        "<logs>/phenotype/compare_adjustments.log",
    params:
        tables=each_acceleration,
        exposures=COMPARED_EXPOSURES,
        minimal=MINIMAL_SET,
        full=FULL_ADJUSTMENT,
        covariates=ROLES,
        reasons=option(
            "--reason",
            [f"{name}={item['reason']}" for name, item in config["phenotype"]["covariates"].items()],
        ),
        imputations=config["phenotype"]["imputation"]["m"],
        iterations=config["phenotype"]["imputation"]["iterations"],
        seed=config["phenotype"]["imputation"]["seed"],
        version=VERSION,
    shell:
        "faceage-bio compare-adjustments {params.tables:q} {params.exposures:q} {params.minimal:q} {params.full:q}"
        " {params.covariates:q} {params.reasons:q} --imputations {params.imputations} --iterations {params.iterations}"
        " --seed {params.seed} --output {output.rows:q} --roles {output.roles:q} > {log:q} 2>&1"


rule vary_specifications:
    input:
        COMPARED,
    output:
        rows="<results>/pooled/phenotype/specifications.tsv",
        summary=report(
            "<results>/pooled/phenotype/specification_summary.tsv",
            caption="../report/specifications.rst",
            category="Smoking, BMI, disease",
            labels={"cohort": "all", "table": "specification curve"},
        ),
    log:
        "<logs>/phenotype/vary_specifications.log",
    params:
        tables=each_acceleration,
        exposures=COMPARED_EXPOSURES,
        minimal=MINIMAL_SET,
        full=FULL_ADJUSTMENT,
        covariates=ROLES,
        adjusted_for=option("--adjusted-for", config["acceleration"]["adjust_for"]),
        version=VERSION,
    shell:
        "faceage-bio vary-specifications {params.tables:q} {params.exposures:q} {params.minimal:q} {params.full:q}"
        " {params.covariates:q} {params.adjusted_for:q} --output {output.rows:q} --summary {output.summary:q} > {log:q} 2>&1"
