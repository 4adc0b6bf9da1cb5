SCORES = option("--definition", config["scores"]["definitions"])
OWN_SCORES = [name for name in config["scores"]["definitions"] if name.endswith((".yaml", ".yml"))]


rule compute_scores:
    input:
        people="<results>/{cohort}/acceleration/acceleration.parquet",
        definitions=OWN_SCORES,
    output:
        scores="<results>/{cohort}/scores/scores.parquet",
        summary=report(
            "<results>/{cohort}/scores/scored.tsv",
            caption="../report/scored.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "clinical scores: who has one"},
        ),
    log:
        "<logs>/scores/score_clinic_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_CLINICAL),
    params:
        definitions=SCORES,
        version=VERSION,
    shell:
        "faceage-bio compute-scores --clinical {input.people:q} {params.definitions:q} --when-absent tell"
        " --output {output.scores:q} --summary {output.summary:q} > {log:q} 2>&1"


rule compare_scores:
    input:
        people=FOLLOWED,
        definitions=OWN_SCORES,
    output:
        report(
            "<results>/{cohort}/scores/comparison.tsv",
            caption="../report/scores.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "clinical scores with age and with face age"},
        ),
    log:
        "<logs>/scores/compare_scores_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_CLINICAL),
    params:
        definitions=SCORES,
        reference=option("--reference-group", filter(None, [config["scores"]["reference_group"]])),
        horizons=option("--horizon-months", config["scores"]["horizons_months"]),
        bootstraps=config["scores"]["bootstraps"],
        seed=config["scores"]["seed"],
        per_years=config["survival"]["per_years"],
        version=VERSION,
    shell:
        "faceage-bio compare-scores --participants {input.people:q} {params.definitions:q} {params.reference:q}"
        " {params.horizons:q} --bootstraps {params.bootstraps} --seed {params.seed}"
        " --per-years {params.per_years} --output {output:q} > {log:q} 2>&1"
