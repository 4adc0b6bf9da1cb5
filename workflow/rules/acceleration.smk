rule compute_acceleration:
    input:
        subjects=collect("<results>/{cohort}/cohort/subjects.parquet", cohort=COHORTS),
        photos=collect("<results>/{cohort}/cohort/photos.parquet", cohort=COHORTS),
        face_ages=collect("<results>/{cohort}/faceage/face_age.parquet", cohort=COHORTS),
    output:
        tables=collect("<results>/{cohort}/acceleration/acceleration.parquet", cohort=COHORTS),
        ledgers=collect("<results>/{cohort}/acceleration/ledger.tsv", cohort=COHORTS),
        age_bands=collect("<results>/{cohort}/acceleration/age_bands.tsv", cohort=COHORTS),
        summaries=report(
            collect("<results>/{cohort}/acceleration/summary.tsv", cohort=COHORTS),
            caption="../report/acceleration.rst",
            category="Age acceleration",
            labels={"table": "age gap and age acceleration"},
        ),
    log:
        "<logs>/acceleration/compute_acceleration.log",
    params:
        inputs=acceleration_inputs,
        repeat_photos=config["acceleration"]["repeat_photos"],
        fit_in=config["acceleration"]["fit_in"],
        results=results_dir,
        version=VERSION,
    shell:
        "faceage-bio compute-acceleration {params.inputs:q} --repeat-photos {params.repeat_photos}"
        " --fit-in {params.fit_in} --results {params.results:q} > {log:q} 2>&1"
