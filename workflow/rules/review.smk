# LOCAL ONLY: it holds faces. Made when asked for (`faceage-bio run --configfile CONFIG make_review_sheet`). The key is no output,
# since snakemake would delete it before the step: it keeps the numbers of earlier sheets.
rule make_review_sheet:
    input:
        folders=[settings.cohorts[name].photos for name in WITH_PHOTOS],
        photos=collect("<results>/{cohort}/cohort/photos.parquet", cohort=WITH_PHOTOS),
        face_ages=collect("<results>/{cohort}/faceage/face_age.parquet", cohort=WITH_PHOTOS),
    output:
        "<results>/local/LOCAL_ONLY_review_sheet.html",
    log:
        "<logs>/faceage/make_review_sheet.log",
    benchmark:
        "<results>/benchmarks/make_review_sheet.tsv"
    resources:
        config=CONFIG,
        mem_mb=memory_of("make_review_sheet"),
    params:
        settings=study.uses("make_review_sheet"),
        folders=each("--photo-folder", "folders"),
        photos=each("--photos", "photos"),
        face_ages=each("--face-ages", "face_ages"),
        key=f"{settings.results_dir}/local/review_key.tsv",
        version=VERSION,
    shell:
        "faceage-bio make-review-sheet --config {resources.config:q} {params.folders:q} {params.photos:q} {params.face_ages:q}"
        " --key {params.key:q} --output {output:q} > {log:q} 2>&1"


rule summarise_review:
    input:
        review=REVIEW or [],
        photos=collect("<results>/{cohort}/cohort/photos.parquet", cohort=WITH_PHOTOS),
    output:
        report(
            "<results>/pooled/faceage/review.tsv",
            caption="../report/review.rst",
            category="Face age",
            labels={"cohort": "all", "table": "agreement of reviewers of photos"},
        ),
    log:
        "<logs>/faceage/summarise_review.log",
    benchmark:
        "<results>/benchmarks/summarise_review.tsv"
    resources:
        config=CONFIG,
        mem_mb=memory_of("summarise_review"),
    params:
        settings=study.uses("summarise_review"),
        photos=each("--photos", "photos"),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio summarise-review --config {resources.config:q} --review {input.review:q} {params.photos:q}"
        " --output {params.folder:q} > {log:q} 2>&1"
