rule predict_face_age:
    input:
        photos="<results>/{cohort}/cohort/photos.parquet",
        folder=cohort_file("photos"),
        models=MODELS,
    output:
        table="<results>/{cohort}/faceage/shards/{shard}.parquet",
        speed="<results>/{cohort}/faceage/shards/{shard}.json",
    log:
        "<logs>/faceage/predict_face_age_{cohort}_{shard}.log",
    wildcard_constraints:
        cohort=any_of(WITH_PHOTOS),
        shard=r"\d+-of-\d+",
    threads: 8
    resources:
        mem_mb=inference_memory,
        gpu=GPUS,
    params:
        models=option("--model", MODELS),
        rules=option("--rule", QUALITY_RULES),
        device=config["faceage"]["device"],
        batch_size=config["faceage"]["batch_size"],
        precision=config["faceage"]["precision"],
        detection=config["faceage"]["detection"],
        face_choice=config["faceage"]["face_choice"],
        min_probability=config["faceage"]["min_probability"],
        box_mode=config["faceage"]["box_mode"],
        resize=config["faceage"]["resize"],
        jitters=config["faceage"]["jitters"],
        store=PHOTO_STORE,
        version=VERSION,
    shell:
        "faceage-bio predict-face-age --photos {input.photos:q} --photo-folder {input.folder:q}"
        " --shard {wildcards.shard} {params.models:q} --device {params.device} --workers {threads}"
        " --batch-size {params.batch_size} --precision {params.precision} --detection {params.detection}"
        " --face-choice {params.face_choice} --min-probability {params.min_probability}"
        " --box-mode {params.box_mode} --resize {params.resize} --jitters {params.jitters} {params.rules:q}"
        " --store {params.store:q}"
        " --output {output.table:q} --speed {output.speed:q} > {log:q} 2>&1"


# all cohorts together, since only so a photo that stands in two of them is seen
rule gather_face_ages:
    input:
        shards=ALL_SHARDS,
        models=MODELS,
        review=REVIEW or [],
    output:
        face_age=collect("<results>/{cohort}/faceage/face_age.parquet", cohort=WITH_PHOTOS),
        summary=collect("<results>/{cohort}/faceage/summary.tsv", cohort=WITH_PHOTOS),
        ledger=collect("<results>/{cohort}/faceage/ledger.tsv", cohort=WITH_PHOTOS),
        card=collect("<results>/{cohort}/faceage/model_card.json", cohort=WITH_PHOTOS),
    log:
        "<logs>/faceage/gather_face_ages.log",
    resources:
        mem_mb=4000,
    params:
        shards=each("--shard", "shards"),
        models=option("--model", MODELS),
        settings=json.dumps(config["faceage"]),
        duplicates=config["faceage"]["duplicates"],
        review=option("--review", [REVIEW] if REVIEW else []),
        disagreement=config["review"]["disagreement"],
        results=results_dir,
        version=VERSION,
    shell:
        "faceage-bio gather-face-ages {params.shards:q} {params.models:q} --settings {params.settings:q}"
        " --duplicates {params.duplicates} {params.review:q} --disagreement {params.disagreement} --results {params.results:q} > {log:q} 2>&1"


rule summarise_photos:
    input:
        face_ages=collect("<results>/{cohort}/faceage/face_age.parquet", cohort=WITH_PHOTOS),
        participants=collect("<results>/{cohort}/cohort/subjects.parquet", cohort=WITH_PHOTOS),
        speed=[shard.replace(".parquet", ".json") for shard in ALL_SHARDS],
    output:
        collect(
            "<results>/{cohort}/faceage/{table}.tsv",
            cohort=WITH_PHOTOS,
            table=["photo_counts", "photo_measures", "photo_speed"],
        ),
    log:
        "<logs>/faceage/summarise_photos.log",
    benchmark:
        "<results>/benchmarks/summarise_photos.tsv"
    params:
        settings=uses("summarise_photos"),
        face_ages=each("--face-ages", "face_ages"),
        participants=each("--participants", "participants"),
        speed=each("--speed", "speed"),
        results=results_dir,
        version=VERSION,
    shell:
        "faceage-bio summarise-photos --config {CONFIG:q} {params.face_ages:q} {params.participants:q} {params.speed:q}"
        " --results {params.results:q} > {log:q} 2>&1"


rule compare_models:
    input:
        face_age="<results>/{cohort}/faceage/face_age.parquet",
        models=MODELS,
    output:
        agreement=report(
            "<results>/{cohort}/faceage/agreement.tsv",
            caption="../report/agreement.rst",
            category="Face age",
            labels={"cohort": "{cohort}", "table": "agreement of the models"},
        ),
        bands="<results>/{cohort}/faceage/agreement_bands.tsv",
    log:
        "<logs>/faceage/compare_models_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_PHOTOS),
    params:
        models=option("--model", MODELS),
        version=VERSION,
    shell:
        "faceage-bio compare-models --face-age {input.face_age:q} {params.models:q}"
        " --agreement {output.agreement:q} --bands {output.bands:q} > {log:q} 2>&1"


rule read_face_ages:
    input:
        face_ages="<results>/{cohort}/cohort/face_ages.parquet",
    output:
        face_age="<results>/{cohort}/faceage/face_age.parquet",
        ledger="<results>/{cohort}/faceage/ledger.tsv",
    log:
        "<logs>/faceage/read_face_ages_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_FACE_AGES),
    params:
        version=VERSION,
    shell:
        "faceage-bio read-face-ages --cohort {wildcards.cohort} --face-ages {input.face_ages:q}"
        " --output {output.face_age:q} --ledger {output.ledger:q} > {log:q} 2>&1"
