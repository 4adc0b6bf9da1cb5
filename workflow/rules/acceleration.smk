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
    params:
        inputs=acceleration_inputs,
        options=acceleration_options,
        results=results_dir,
        version=VERSION,
    shell:
        "faceage-bio compute-acceleration {params.inputs:q} {params.options:q} --results {params.results:q}"
        " > {log:q} 2>&1"


rule measure_reliability:
    input:
        subjects="<results>/{cohort}/cohort/subjects.parquet",
        photos="<results>/{cohort}/cohort/photos.parquet",
        face_ages="<results>/{cohort}/faceage/face_age.parquet",
        acceleration="<results>/{cohort}/acceleration/acceleration.parquet",
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
    log:
        "<logs>/acceleration/measure_reliability_{cohort}.log",
    params:
        options=reliability_options,
        version=VERSION,
    shell:
        "faceage-bio measure-reliability --cohort {wildcards.cohort} --subjects {input.subjects:q}"
        " --photos {input.photos:q} --face-ages {input.face_ages:q} --acceleration {input.acceleration:q}"
        " {params.options:q} --reliability {output.reliability:q} --attenuation {output.attenuation:q}"
        " > {log:q} 2>&1"


rule fit_ageing_rate:
    input:
        subjects="<results>/{cohort}/cohort/subjects.parquet",
        photos="<results>/{cohort}/cohort/photos.parquet",
        face_ages="<results>/{cohort}/faceage/face_age.parquet",
    output:
        report(
            "<results>/{cohort}/acceleration/ageing_rate.tsv",
            caption="../report/ageing_rate.rst",
            category="Survival",
            labels={"cohort": "{cohort}", "table": "face ageing rate"},
        ),
    log:
        "<logs>/acceleration/fit_ageing_rate_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_CLINICAL),
    params:
        days=config["acceleration"]["ageing_rate_days"],
        per_years=config["survival"]["per_years"],
        covariates=option("--covariate", [name for name in config["survival"]["covariates"] if name == "sex"]),
        version=VERSION,
    shell:
        "faceage-bio fit-ageing-rate --cohort {wildcards.cohort} --subjects {input.subjects:q}"
        " --photos {input.photos:q} --face-ages {input.face_ages:q} --days {params.days}"
        " --per-years {params.per_years} {params.covariates:q} --output {output:q} > {log:q} 2>&1"


# hazards on the time of the survival stage, so that both pages speak of the same people
rule compare_definitions:
    input:
        "<results>/{cohort}/survival/follow_up.parquet",
    output:
        report(
            "<results>/{cohort}/acceleration/definition_hazards.tsv",
            caption="../report/definition_hazards.rst",
            category="Age acceleration",
            labels={"cohort": "{cohort}", "table": "hazard ratio of each definition"},
        ),
    log:
        "<logs>/acceleration/compare_definitions_{cohort}.log",
    wildcard_constraints:
        cohort=any_of(WITH_CLINICAL),
    params:
        per_years=config["survival"]["per_years"],
        version=VERSION,
    shell:
        "faceage-bio compare-definitions --acceleration {input:q} --per-years {params.per_years} --output {output:q}"
        " > {log:q} 2>&1"
