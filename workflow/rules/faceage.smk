rule predict_face_age:
    input:
        photos="<results>/{cohort}/cohort/photos.parquet",
        folder=cohort_file("photos"),
        model=MODEL,
    output:
        face_age="<results>/{cohort}/faceage/face_age.parquet",
        ledger="<results>/{cohort}/faceage/ledger.tsv",
    log:
        "<logs>/faceage/predict_face_age_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_PHOTOS),
    threads: 8
    resources:
        mem_mb=4000,
        gpu=GPUS,
    params:
        device=config["faceage"]["device"],
        batch_size=config["faceage"]["batch_size"],
        min_probability=config["faceage"]["min_probability"],
        min_face_pixels=config["faceage"]["min_face_pixels"],
        box_mode=config["faceage"]["box_mode"],
        resize=config["faceage"]["resize"],
        version=VERSION,
    shell:
        "faceage-bio predict-face-age --photos {input.photos:q} --photo-folder {input.folder:q}"
        " --model {input.model:q} --device {params.device} --batch-size {params.batch_size}"
        " --min-probability {params.min_probability} --min-face-pixels {params.min_face_pixels}"
        " --box-mode {params.box_mode} --resize {params.resize}"
        " --output {output.face_age:q} --ledger {output.ledger:q} > {log:q} 2>&1"


rule read_face_ages:
    input:
        face_ages=cohort_file("face_ages"),
        checked="<results>/{cohort}/cohort/photos.parquet",  # written once the study has passed its checks
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
