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
        mem_mb=memory_of("make_review_sheet"),
    params:
        folders=each("--photo-folder", "folders"),
        photos=each("--photos", "photos"),
        face_ages=each("--face-ages", "face_ages"),
        key=f"{settings.results_dir}/local/review_key.tsv",
        n_photos=settings.review.photos,
        seed=settings.review.seed,
        version=VERSION,
    shell:
        "faceage-bio make-review-sheet {params.folders:q} {params.photos:q} {params.face_ages:q} --n-photos {params.n_photos} --seed {params.seed}"
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
            labels={"cohort": "all", "table": "agreement of the reviewers of photos"},
        ),
    log:
        "<logs>/faceage/summarise_review.log",
    benchmark:
        "<results>/benchmarks/summarise_review.tsv"
    resources:
        mem_mb=memory_of("summarise_review"),
    params:
        photos=each("--photos", "photos"),
        disagreement=settings.review.disagreement,
        version=VERSION,
    shell:
        "faceage-bio summarise-review --review {input.review:q} {params.photos:q} --disagreement {params.disagreement}"
        " --output {output:q} > {log:q} 2>&1"
