rule predict_face_age:
    input:
        checked=ancient("<results>/{cohort}/cohort/covariates.tsv"),  # errors are reported before hours of inference
        photos="<results>/{cohort}/cohort/manifest.parquet",
        models=study.models,
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
        config=CONFIG,
        mem_mb=inference_memory,
        gpu=GPUS,
    params:
        settings=study.uses("predict_face_age"),
        folder=study.file("photos"),
        models=option("--model", study.models),
        store=study.photo_store,
        version=VERSION,
    shell:
        "faceage-bio predict-face-age --config {resources.config:q} --photos {input.photos:q} --photo-folder {params.folder:q}"
        " --shard {wildcards.shard} {params.models:q} --workers {threads} --store {params.store:q}"
        " --output {output.table:q} --speed {output.speed:q} > {log:q} 2>&1"


# a cohort by itself, so that a shard that fails stops no other cohort; only where photos that stand in two of them are excluded do
# all shards have to be there
rule gather_face_ages:
    input:
        shards=study.shards_to_gather,
        models=study.models,
        manifests=study.manifests_to_gather,
        review=REVIEW or [],
    output:
        face_age="<results>/{cohort}/faceage/face_age.parquet",
        card="<results>/{cohort}/faceage/model_card.json",
    log:
        "<logs>/faceage/gather_face_ages_{cohort}.log",
    benchmark:
        "<results>/benchmarks/gather_face_ages_{cohort}.tsv"
    wildcard_constraints:
        cohort=any_of(WITH_PHOTOS),
    resources:
        config=CONFIG,
        mem_mb=memory_of("gather_face_ages"),
    params:
        shards=each("--shard", "shards"),
        models=option("--model", study.models),
        settings=study.uses("gather_face_ages"),
        review=option("--review", [REVIEW] if REVIEW else []),
        manifests=each("--manifest", "manifests"),
        results=study.results,
        version=VERSION,
    shell:
        "faceage-bio gather-face-ages --config {resources.config:q} --cohort {wildcards.cohort} {params.shards:q} {params.manifests:q}"
        " {params.models:q} {params.review:q} --results {params.results:q} > {log:q} 2>&1"


# photos that stand in two cohorts are flagged here, so that a cohort's face ages wait for no other cohort
rule summarise_photos:
    input:
        face_ages=collect("<results>/{cohort}/faceage/face_age.parquet", cohort=WITH_PHOTOS),
        participants=collect("<results>/{cohort}/cohort/subjects.parquet", cohort=WITH_PHOTOS),
        speed=[shard.replace(".parquet", ".json") for shard in study.shards(*WITH_PHOTOS)],
    output:
        collect(
            "<results>/{cohort}/faceage/{table}.tsv",
            cohort=WITH_PHOTOS,
            table=["ledger", "summary", "photo_counts", "photo_measures", "photo_speed"],
        ),
        collect("<results>/{cohort}/faceage/shared_photos.parquet", cohort=WITH_PHOTOS),
    log:
        "<logs>/faceage/summarise_photos.log",
    benchmark:
        "<results>/benchmarks/summarise_photos.tsv"
    resources:
        config=CONFIG,
        mem_mb=memory_of("summarise_photos"),
    params:
        settings=study.uses("summarise_photos"),
        face_ages=each("--face-ages", "face_ages"),
        participants=each("--participants", "participants"),
        speed=each("--speed", "speed"),
        results=study.results,
        version=VERSION,
    shell:
        "faceage-bio summarise-photos --config {resources.config:q} {params.face_ages:q} {params.participants:q} {params.speed:q}"
        " --results {params.results:q} > {log:q} 2>&1"


rule compare_models:
    input:
        face_age="<results>/{cohort}/faceage/face_age.parquet",
        subjects="<results>/{cohort}/cohort/subjects.parquet",
        photos="<results>/{cohort}/cohort/photos.parquet",
        models=study.models,
    output:
        agreement=report(
            "<results>/{cohort}/faceage/agreement.tsv",
            caption="../report/agreement.rst",
            category="Face age",
            labels={"cohort": "{cohort}", "table": "agreement of face-age models"},
        ),
        bands="<results>/{cohort}/faceage/agreement_bands.tsv",
        comparison="<results>/{cohort}/faceage/model_comparison.tsv",
    log:
        "<logs>/faceage/compare_models_{cohort}.log",
    benchmark:
        "<results>/benchmarks/compare_models_{cohort}.tsv"
    wildcard_constraints:
        cohort=any_of(WITH_PHOTOS),
    resources:
        config=CONFIG,
        mem_mb=memory_of("compare_models"),
    params:
        models=option("--model", study.models),
        settings=study.uses("compare_models"),
        version=VERSION,
    shell:
        "faceage-bio compare-models --config {resources.config:q} --face-age {input.face_age:q} {params.models:q}"
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
        cohort=any_of(study.having("face_ages")),
    resources:
        mem_mb=memory_of("read_face_ages"),
    params:
        version=VERSION,
    shell:
        "faceage-bio read-face-ages --cohort {wildcards.cohort} --face-ages {input.face_ages:q}"
        " --output {output.face_age:q} --ledger {output.ledger:q} > {log:q} 2>&1"
