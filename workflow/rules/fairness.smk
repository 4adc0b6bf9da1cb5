# each cohort, and all together
rule assess_fairness:
    input:
        participants=collect("<results>/{cohort}/acceleration/acceleration.parquet", cohort=COHORTS),
        photos=collect("<results>/{cohort}/faceage/face_age.parquet", cohort=COHORTS),
    output:
        report(
            collect(
                "<results>/{cohort}/fairness/fairness.tsv",
                cohort=[*COHORTS, *(["pooled"] if len(COHORTS) > 1 else [])],
            ),
            caption="../report/fairness.rst",
            category="Fairness",
            labels={"table": "error and photos without a face age, by group"},
        ),
    log:
        "<logs>/fairness/assess_fairness.log",
    benchmark:
        "<results>/benchmarks/assess_fairness.tsv"
    resources:
        config=CONFIG,
        mem_mb=memory_of("assess_fairness"),
    params:
        settings=study.uses("assess_fairness"),
        participants=each("--participants", "participants"),
        photos=each("--photos", "photos"),
        results=study.results,
        version=VERSION,
    shell:
        "faceage-bio assess-fairness --config {resources.config:q} {params.participants:q} {params.photos:q}"
        " --output {params.results:q} > {log:q} 2>&1"


# all cohorts in one job, since only numbers on groups may be written and those of all together are among them
rule stress_photos:
    input:
        folders=[settings.cohorts[name].photos for name in STRESSED],
        photos=collect("<results>/{cohort}/cohort/photos.parquet", cohort=STRESSED),
        face_ages=collect("<results>/{cohort}/faceage/face_age.parquet", cohort=STRESSED),
        participants=collect("<results>/{cohort}/acceleration/acceleration.parquet", cohort=STRESSED),
        model=study.models[0],
    output:
        report(
            "<results>/pooled/fairness/stress.tsv",
            caption="../report/stress.rst",
            category="Fairness",
            labels={"cohort": "each and all", "table": "robustness to image degradation"},
        ),
    log:
        "<logs>/fairness/stress_photos.log",
    benchmark:
        "<results>/benchmarks/stress_photos.tsv"
    threads: 8
    resources:
        config=CONFIG,
        mem_mb=inference_memory,
        gpu=GPUS,
    params:
        settings=study.uses("stress_photos"),
        folders=each("--photo-folder", "folders"),
        photos=each("--photos", "photos"),
        face_ages=each("--face-ages", "face_ages"),
        participants=each("--participants", "participants"),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio stress-photos --config {resources.config:q} --model {input.model:q} {params.folders:q} {params.photos:q}"
        " {params.face_ages:q} {params.participants:q} --workers {threads} --output {params.folder:q} > {log:q} 2>&1"
