OWN_SCORES = [name for name in settings.scores.definitions if name.endswith((".yaml", ".yml"))]


rule compute_scores:
    input:
        clinical="<results>/{cohort}/acceleration/acceleration.parquet",
        participants=FOLLOWED,
        definitions=OWN_SCORES,
    output:
        scores="<results>/{cohort}/scores/scores.parquet",
        scored=report(
            "<results>/{cohort}/scores/scored.tsv",
            caption="../report/scored.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "clinical scores: distribution"},
        ),
        comparison=report(
            "<results>/{cohort}/scores/comparison.tsv",
            caption="../report/scores.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "clinical scores with age and with face age"},
        ),
    log:
        "<logs>/scores/compute_scores_{cohort}.log",
    benchmark:
        "<results>/benchmarks/compute_scores_{cohort}.tsv"
    wildcard_constraints:
        cohort=any_of(WITH_CLINICAL),
    resources:
        config=CONFIG,
        mem_mb=memory_of("compute_scores"),
    params:
        settings=study.uses("compute_scores"),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio compute-scores --config {resources.config:q} --cohort {wildcards.cohort} --clinical {input.clinical:q}"
        " --participants {input.participants:q} --when-absent tell"
        " --output {params.folder:q} > {log:q} 2>&1"
