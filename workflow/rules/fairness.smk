rule assess_fairness:
    input:
        unpack(fairness_tables),
    output:
        report(
            "<results>/{cohort}/fairness/fairness.tsv",
            caption="../report/fairness.rst",
            category="Fairness",
            labels={"cohort": "{cohort}", "table": "error and failures by group"},
        ),
    log:
        "<logs>/fairness/assess_fairness_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(ASSESSED),
    params:
        inputs=fairness_inputs,
        by=option("--by", config["fairness"]["by"]),
        age_cut_points=option("--age-cut-point", config["fairness"]["age_cut_points"]),
        min_n=config["fairness"]["min_n"],
        version=VERSION,
    shell:
        "faceage-bio assess-fairness {params.inputs:q} {params.by:q} {params.age_cut_points:q}"
        " --min-n {params.min_n} --output {output:q} > {log:q} 2>&1"


# all cohorts in one job, since only numbers on groups may be written and those of all together are among them
rule stress_photos:
    input:
        folders=[config["cohorts"][name]["photos"] for name in STRESSED],
        photos=collect("<results>/{cohort}/cohort/photos.parquet", cohort=STRESSED),
        face_ages=collect("<results>/{cohort}/faceage/face_age.parquet", cohort=STRESSED),
        people=collect("<results>/{cohort}/acceleration/acceleration.parquet", cohort=STRESSED),
        model=MODELS[0],
    output:
        report(
            "<results>/pooled/fairness/stress.tsv",
            caption="../report/stress.rst",
            category="Fairness",
            labels={"cohort": "each and all", "table": "worse photos, changed ages"},
        ),
    log:
        "<logs>/fairness/stress_photos.log",
    threads: 8
    resources:
        mem_mb=inference_memory,
        gpu=GPUS,
    params:
        inputs=stress_inputs,
        n_photos=config["fairness"]["stress_photos"],
        by=option("--by", config["fairness"]["by"]),
        age_cut_points=option("--age-cut-point", config["fairness"]["age_cut_points"]),
        min_n=config["fairness"]["min_n"],
        rules=option("--rule", QUALITY_RULES),
        device=config["faceage"]["device"],
        batch_size=config["faceage"]["batch_size"],
        precision=config["faceage"]["precision"],
        detection=config["faceage"]["detection"],
        face_choice=config["faceage"]["face_choice"],
        min_probability=config["faceage"]["min_probability"],
        box_mode=config["faceage"]["box_mode"],
        resize=config["faceage"]["resize"],
        version=VERSION,
    shell:
        "faceage-bio stress-photos {params.inputs:q} --model {input.model:q} --n-photos {params.n_photos}"
        " {params.by:q} {params.age_cut_points:q} --min-n {params.min_n} --device {params.device}"
        " --workers {threads} --batch-size {params.batch_size} --precision {params.precision}"
        " --detection {params.detection} --face-choice {params.face_choice}"
        " --min-probability {params.min_probability} --box-mode {params.box_mode} --resize {params.resize}"
        " {params.rules:q} --output {output:q} > {log:q} 2>&1"
