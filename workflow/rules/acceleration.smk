rule compute_acceleration:
    input:
        subjects=collect("<results>/{cohort}/cohort/subjects.parquet", cohort=COHORTS),
        photos=collect("<results>/{cohort}/cohort/photos.parquet", cohort=COHORTS),
        face_ages=collect("<results>/{cohort}/faceage/face_age.parquet", cohort=COHORTS),
    output:
        tables=collect("<results>/{cohort}/acceleration/acceleration.parquet", cohort=COHORTS),
        ledgers=collect("<results>/{cohort}/acceleration/ledger.tsv", cohort=COHORTS),
        age_bands=collect("<results>/{cohort}/acceleration/age_bands.tsv", cohort=COHORTS),
        bands=collect("<results>/{cohort}/acceleration/definition_bands.tsv", cohort=COHORTS),
        definitions=report(
            collect("<results>/{cohort}/acceleration/definitions.tsv", cohort=COHORTS),
            caption="../report/definitions.rst",
            category="Age acceleration",
            labels={"table": "all definitions side by side"},
        ),
        sensitivity=report(
            collect("<results>/{cohort}/acceleration/sensitivity.tsv", cohort=COHORTS),
            caption="../report/sensitivity.rst",
            category="Age acceleration",
            labels={"table": "without ages and faces outside of the test"},
        ),
        summaries=report(
            collect("<results>/{cohort}/acceleration/summary.tsv", cohort=COHORTS),
            caption="../report/acceleration.rst",
            category="Age acceleration",
            labels={"table": "age gap and age acceleration"},
        ),
    log:
        "<logs>/acceleration/compute_acceleration.log",
    benchmark:
        "<results>/benchmarks/compute_acceleration.tsv"
    params:
        settings=uses("compute_acceleration"),
        subjects=each("--subjects", "subjects"),
        photos=each("--photos", "photos"),
        face_ages=each("--face-ages", "face_ages"),
        results=results_dir,
        version=VERSION,
    shell:
        "faceage-bio compute-acceleration --config {CONFIG:q} {params.subjects:q} {params.photos:q} {params.face_ages:q}"
        " --results {params.results:q} > {log:q} 2>&1"


# hazards on the time of the survival stage, so that both pages speak of the same people
rule measure_repeats:
    input:
        subjects="<results>/{cohort}/cohort/subjects.parquet",
        photos="<results>/{cohort}/cohort/photos.parquet",
        face_ages="<results>/{cohort}/faceage/face_age.parquet",
        participants="<results>/{cohort}/acceleration/acceleration.parquet",
        followed=branch(
            lambda wildcards: wildcards.cohort in WITH_CLINICAL,
            then="<results>/{cohort}/survival/follow_up.parquet",
            otherwise="<results>/{cohort}/acceleration/acceleration.parquet",
        ),
    output:
        reliability=report(
            "<results>/{cohort}/acceleration/reliability.tsv",
            caption="../report/reliability.rst",
            category="Age acceleration",
            labels={"cohort": "{cohort}", "table": "reliability of one photo"},
        ),
        attenuation=report(
            "<results>/{cohort}/acceleration/attenuation.tsv",
            caption="../report/attenuation.rst",
            category="Age acceleration",
            labels={"cohort": "{cohort}", "table": "slopes corrected for the error of a photo"},
        ),
        ageing_rate=report(
            "<results>/{cohort}/acceleration/ageing_rate.tsv",
            caption="../report/ageing_rate.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "face ageing rate"},
        ),
        definition_hazards=report(
            "<results>/{cohort}/acceleration/definition_hazards.tsv",
            caption="../report/definition_hazards.rst",
            category="Age acceleration",
            labels={"cohort": "{cohort}", "table": "hazard ratio of each definition"},
        ),
    log:
        "<logs>/acceleration/measure_repeats_{cohort}.log",
    benchmark:
        "<results>/benchmarks/measure_repeats_{cohort}.tsv"
    params:
        settings=uses("measure_repeats"),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio measure-repeats --config {CONFIG:q} --cohort {wildcards.cohort} --face-ages {input.face_ages:q}"
        " --photos {input.photos:q} --subjects {input.subjects:q} --participants {input.participants:q}"
        " --followed {input.followed:q} --output {params.folder:q} > {log:q} 2>&1"
