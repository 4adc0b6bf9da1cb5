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
    benchmark:
        "<results>/benchmarks/predict_face_age_{cohort}_{shard}.tsv"
    wildcard_constraints:
        cohort=any_of(WITH_PHOTOS),
        shard=r"\d+-of-\d+",
    threads: 8
    resources:
        mem_mb=inference_memory,
        gpu=GPUS,
    params:
        settings=uses("predict_face_age"),
        models=option("--model", MODELS),
        store=PHOTO_STORE,
        version=VERSION,
    shell:
        "faceage-bio predict-face-age --config {CONFIG:q} --photos {input.photos:q} --photo-folder {input.folder:q}"
        " --shard {wildcards.shard} {params.models:q} --workers {threads} --store {params.store:q}"
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
    benchmark:
        "<results>/benchmarks/gather_face_ages.tsv"
    resources:
        mem_mb=memory(1500, 20),
    params:
        shards=each("--shard", "shards"),
        models=option("--model", MODELS),
        settings=uses("gather_face_ages"),
        review=option("--review", [REVIEW] if REVIEW else []),
        results=results_dir,
        version=VERSION,
    shell:
        "faceage-bio gather-face-ages --config {CONFIG:q} {params.shards:q} {params.models:q} {params.review:q}"
        " --results {params.results:q} > {log:q} 2>&1"


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
        subjects="<results>/{cohort}/cohort/subjects.parquet",
        photos="<results>/{cohort}/cohort/photos.parquet",
        models=MODELS,
    output:
        agreement=report(
            "<results>/{cohort}/faceage/agreement.tsv",
            caption="../report/agreement.rst",
            category="Face age",
            labels={"cohort": "{cohort}", "table": "agreement of the models"},
        ),
        bands="<results>/{cohort}/faceage/agreement_bands.tsv",
        comparison="<results>/{cohort}/faceage/model_comparison.tsv",
    log:
        "<logs>/faceage/compare_models_{cohort}.log",
    benchmark:
        "<results>/benchmarks/compare_models_{cohort}.tsv"
    wildcard_constraints:
        cohort=any_of(WITH_PHOTOS),
    params:
        models=option("--model", MODELS),
        settings=uses("compare_models"),
        version=VERSION,
    shell:
        "faceage-bio compare-models --config {CONFIG:q} --face-age {input.face_age:q} {params.models:q}"
        " --subjects {input.subjects:q} --photos {input.photos:q} --agreement {output.agreement:q}"
        " --bands {output.bands:q} --comparison {output.comparison:q} > {log:q} 2>&1"


rule read_face_ages:
    input:
        face_ages="<results>/{cohort}/cohort/face_ages.parquet",
    output:
        face_age="<results>/{cohort}/faceage/face_age.parquet",
        ledger="<results>/{cohort}/faceage/ledger.tsv",
    log:
        "<logs>/faceage/read_face_ages_{cohort}.log",
    benchmark:
        "<results>/benchmarks/read_face_ages_{cohort}.tsv"
    wildcard_constraints:
        cohort=any_of(WITH_FACE_AGES),
    params:
        version=VERSION,
    shell:
        "faceage-bio read-face-ages --cohort {wildcards.cohort} --face-ages {input.face_ages:q}"
        " --output {output.face_age:q} --ledger {output.ledger:q} > {log:q} 2>&1"
