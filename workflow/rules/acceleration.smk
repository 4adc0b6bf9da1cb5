# with fit_in: reference, the controls of all cohorts are needed; otherwise no cohort waits for another
rule compute_acceleration:
    input:
        checked=ancient("<results>/{cohort}/cohort/covariates.tsv"),  # stops what cannot be analysed; does not say what is
        subjects=study.fitted("cohort/subjects.parquet"),
        photos=study.fitted("cohort/photos.parquet"),
        face_ages=study.fitted("faceage/face_age.parquet"),
    output:
        table="<results>/{cohort}/acceleration/acceleration.parquet",
        ledger="<results>/{cohort}/acceleration/ledger.tsv",
        age_bands="<results>/{cohort}/acceleration/age_bands.tsv",
        sensitivity=report(
            "<results>/{cohort}/acceleration/sensitivity.tsv",
            caption="../report/sensitivity.rst",
            category="Age acceleration",
            labels={"cohort": "{cohort}", "table": "sensitivity analysis: validity range"},
        ),
        summary=report(
            "<results>/{cohort}/acceleration/summary.tsv",
            caption="../report/acceleration.rst",
            category="Age acceleration",
            labels={"cohort": "{cohort}", "table": "age gap and age acceleration"},
        ),
    log:
        "<logs>/acceleration/compute_acceleration_{cohort}.log",
    benchmark:
        "<results>/benchmarks/compute_acceleration_{cohort}.tsv"
    resources:
        config=CONFIG,
        mem_mb=memory_of("compute_acceleration"),
    params:
        settings=study.uses("compute_acceleration"),
        subjects=each("--subjects", "subjects"),
        photos=each("--photos", "photos"),
        face_ages=each("--face-ages", "face_ages"),
        results=study.results,
        version=VERSION,
    shell:
        "faceage-bio compute-acceleration --config {resources.config:q} --cohort {wildcards.cohort} {params.subjects:q} {params.photos:q}"
        " {params.face_ages:q} --results {params.results:q} > {log:q} 2>&1"


# hazards on the time of the survival stage, so that both pages speak of the same participants
rule tabulate_definitions:
    input:
        participants=collect("<results>/{cohort}/acceleration/acceleration.parquet", cohort=COHORTS),
        followed=collect("<results>/{cohort}/survival/follow_up.parquet", cohort=WITH_CLINICAL),
    output:
        tables=collect("<results>/{cohort}/acceleration/definitions.parquet", cohort=COHORTS),
        bands=collect("<results>/{cohort}/acceleration/definition_bands.tsv", cohort=COHORTS),
        definitions=report(
            collect("<results>/{cohort}/acceleration/definitions.tsv", cohort=COHORTS),
            caption="../report/definitions.rst",
            category="Age acceleration",
            labels={"table": "definitions of age acceleration"},
        ),
        hazards=report(
            collect("<results>/{cohort}/acceleration/definition_hazards.tsv", cohort=WITH_CLINICAL),
            caption="../report/definition_hazards.rst",
            category="Age acceleration",
            labels={"table": "hazard ratio of each definition"},
        ),
    log:
        "<logs>/acceleration/tabulate_definitions.log",
    benchmark:
        "<results>/benchmarks/tabulate_definitions.tsv"
    resources:
        config=CONFIG,
        mem_mb=memory_of("tabulate_definitions"),
    params:
        settings=study.uses("tabulate_definitions"),
        participants=each("--participants", "participants"),
        followed=each("--followed", "followed"),
        results=study.results,
        version=VERSION,
    shell:
        "faceage-bio tabulate-definitions --config {resources.config:q} {params.participants:q} {params.followed:q}"
        " --results {params.results:q} > {log:q} 2>&1"


rule measure_repeats:
    input:
        subjects="<results>/{cohort}/cohort/subjects.parquet",
        photos="<results>/{cohort}/cohort/photos.parquet",
        face_ages="<results>/{cohort}/faceage/face_age.parquet",
        participants="<results>/{cohort}/acceleration/acceleration.parquet",
    output:
        reliability=report(
            "<results>/{cohort}/acceleration/reliability.tsv",
            caption="../report/reliability.rst",
            category="Age acceleration",
            labels={"cohort": "{cohort}", "table": "reliability of a single photo"},
        ),
        attenuation=report(
            "<results>/{cohort}/acceleration/attenuation.tsv",
            caption="../report/attenuation.rst",
            category="Age acceleration",
            labels={"cohort": "{cohort}", "table": "correction for measurement error"},
        ),
        ageing_rate=report(
            "<results>/{cohort}/acceleration/ageing_rate.tsv",
            caption="../report/ageing_rate.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "face ageing rate"},
        ),
    log:
        "<logs>/acceleration/measure_repeats_{cohort}.log",
    benchmark:
        "<results>/benchmarks/measure_repeats_{cohort}.tsv"
    resources:
        config=CONFIG,
        mem_mb=memory_of("measure_repeats"),
    params:
        settings=study.uses("measure_repeats"),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio measure-repeats --config {resources.config:q} --cohort {wildcards.cohort} --face-ages {input.face_ages:q}"
        " --photos {input.photos:q} --subjects {input.subjects:q} --participants {input.participants:q}"
        " --output {params.folder:q} > {log:q} 2>&1"
