# the report knows a table by its path: {cohort}/{analysis}/{table}.tsv
OF_COHORTS = [
    *collect("<results>/{cohort}/flow.tsv", cohort=COHORTS),
    # a point per participant, on internal pages alone
    *collect("<results>/{cohort}/acceleration/acceleration.parquet", cohort=COHORTS),
    *collect(
        "<results>/{cohort}/acceleration/{table}.tsv",
        cohort=COHORTS,
        table=study.shown(
            "acceleration",
            "summary",
            "definitions",
            "definition_bands",
            "sensitivity",
            "reliability",
            "attenuation",
            "age_bands",
        ),
    ),
    *collect(
        "<results>/{cohort}/acceleration/{table}.tsv",
        cohort=WITH_CLINICAL,
        table=study.shown("acceleration", "definition_hazards", "ageing_rate"),
    ),
    *collect("<results>/{cohort}/phenotype/phenotypes.tsv", cohort=WITH_CLINICAL),
    *collect(
        "<results>/{cohort}/phenotype/{table}.tsv",
        cohort=COHORTS,
        table=["table_one", "distributions", "age_histogram"],
    ),
    *collect(
        "<results>/pooled/phenotype/{table}.tsv",
        table=(
            study.shown("phenotype", *tables_of("compare_groups"), *tables_of("fit_association_sensitivity"))
            if WITH_CLINICAL
            else ["groups"]
        ),
    ),
    *collect(
        "<results>/{cohort}/fairness/fairness.tsv",
        cohort=[*COHORTS, *(["pooled"] if len(COHORTS) > 1 else [])],
    ),
    *collect(
        "<results>/pooled/fairness/{table}.tsv",
        table=study.shown("fairness", "stress") if STRESSED else [],
    ),
    *collect(
        "<results>/{cohort}/survival/{table}.tsv",
        cohort=WITH_CLINICAL,
        table=study.shown(
            "survival",
            "cox",
            "type_one_error",
            "age_comparison",
            "proportional_hazards",
            "proportional_hazards_curve",
            "remedies",
            "hazard_curve_tests",
            "hazard_curve",
            "hazard_curve_histogram",
            "sites",
            "subgroups",
            "sensitivity",
            "imputed",
            "added_value",
            "calibration",
            "decision_curve",
            "kaplan_meier",
            "at_risk",
            "summary",
            "competing_risks",
            "cumulative_incidence",
            "incidence_at_risk",
        ),
    ),
    *collect(
        "<results>/{cohort}/survival/{table}.tsv",
        cohort=WITH_GENE_SURVIVAL,
        table=["genes", "gene_panel"],
    ),
    *collect(
        "<results>/{cohort}/expression/{table}.tsv",
        cohort=WITH_RNA,
        table=study.shown(
            "expression",
            "genes",
            "panel",
            "type_one_error",
            "set_associations",
            "set_coverage",
            "gsea",
            "ora",
            "quality",
            "components",
            "confounding",
            "sensitivity",
            "partial_residuals",
        ),
    ),
    *collect(
        "<results>/{cohort}/expression/{table}.tsv",
        cohort=WITH_CELLS,
        table=study.shown("expression", "cell_quality", "composition"),
    ),
    *collect(
        "<results>/{cohort}/variants/{table}.tsv",
        cohort=WITH_VARIANTS,
        table=study.shown("variants", "genes", "common", "quality"),
    ),
    *(["<results>/pooled/readers/readers.tsv"] if settings.readers.readings else []),
    *collect("<results>/{cohort}/scores/{table}.tsv", cohort=WITH_CLINICAL, table=["scored", "comparison"]),
    *collect("<results>/{cohort}/faceage/summary.tsv", cohort=WITH_PHOTOS),
    *collect(
        "<results>/{cohort}/faceage/{table}.tsv",
        cohort=WITH_PHOTOS if len(study.models) > 1 else [],
        table=["agreement", "agreement_bands", "model_comparison"],
    ),
    *collect(
        "<results>/{cohort}/faceage/{table}.tsv",
        cohort=WITH_PHOTOS,
        table=["photo_counts", "photo_measures", "photo_speed"],
    ),
    *(["<results>/pooled/faceage/review.tsv"] if REVIEW else []),
    *collect("<results>/pooled/verification/{table}.tsv", table=["agreement", "numbers"]),
]
# of cohorts whose estimates are pooled: their headline tables
POOLABLE = [path for path in OF_COHORTS if study.is_pooled(path)] if len(study.pooled) > 1 else []
META_ANALYSIS = [
    *collect(
        "<results>/pooled/meta_analysis/{table}.tsv", table=["estimates", "sensitivity"] if POOLABLE else []
    ),
    *(
        ["<results>/pooled/meta_analysis/genes.tsv"]
        if len(study.having("counts", among=study.pooled)) > 1
        else []
    ),
    *(
        ["<results>/pooled/survival/one_stage.tsv"]
        if len(study.having("clinical", among=study.pooled)) > 1
        else []
    ),
]
REPORTED = [*OF_COHORTS, *META_ANALYSIS]


# one job, which reads the tables once; the records of earlier runs are no output, because Snakemake would remove them
rule render_report:
    input:
        tables=REPORTED,
        ledgers=collect("<results>/{cohort}/ledger.tsv", cohort=COHORTS),
        models=study.models if WITH_PHOTOS else [],
        plan=[path for path in [settings.study.frozen] if Path(path).exists()],
    output:
        index=report(
            "<results>/reports/index.html",
            caption="../report/summary.rst",
            category="Reports",
            labels={"report": "Summary"},
        ),
        association=report(
            "<results>/reports/association.html",
            caption="../report/association.rst",
            category="Reports",
            labels={"report": "Associations with facial age acceleration"},
        ),
        survival=report(
            "<results>/reports/survival.html",
            caption="../report/survival_report.rst",
            category="Reports",
            labels={"report": "Overall survival"},
        ),
        photos=report(
            "<results>/reports/photos.html",
            caption="../report/photos.rst",
            category="Reports",
            labels={"report": "Photo quality"},
        ),
        run="<results>/reports/run.json",
        # as files, each with its labels, for papers, slides and `snakemake --report report.zip`
        figures=report(
            directory("<results>/reports/figures"),
            patterns=["{page}/{analysis}/{table}/{cohort}-{number}.svg"],
            caption="../report/figure.rst",
            category="Figures",
            subcategory="{analysis}",
            labels={
                "page": "{page}",
                "result table": "{table}",
                "cohort": "{cohort}",
                "figure": "{number}",
            },
        ),
        # no part of Snakemake's report: exact numbers, and lists of photos and samples
        tables=directory("<results>/reports/tables"),
    log:
        "<logs>/report/render_report.log",
    benchmark:
        "<results>/benchmarks/render_report.tsv"
    resources:
        config=CONFIG,
        mem_mb=memory_of("render_report"),
    params:
        settings=study.uses("render_report"),
        ledgers=each("--ledger", "ledgers"),
        cards=option(
            "--model-card", [f"{folder}/card.json" for folder in study.models] if WITH_PHOTOS else []
        ),
        folder=subpath(output[0], parent=True),
        version=VERSION,
    shell:
        "faceage-bio render-report --config {resources.config:q} {params.ledgers:q} {params.cards:q} --output {params.folder:q}"
        " {input.tables:q} > {log:q} 2>&1"


# what may be handed to others; a deliberate act, so no part of `all`: snakemake publish
rule publish:
    input:
        "<results>/reports/index.html",
        "<results>/reports/association.html",
        "<results>/reports/survival.html",
        "<results>/reports/photos.html",
        "<results>/reports/figures",
        ledgers=collect("<results>/{cohort}/ledger.tsv", cohort=COHORTS),
    output:
        "<results>/share/manifest.json",
    log:
        "<logs>/report/publish.log",
    benchmark:
        "<results>/benchmarks/publish.tsv"
    resources:
        config=CONFIG,
        mem_mb=memory_of("publish"),
    params:
        settings=study.uses("render_report"),  # the pages are rendered again
        people=option(
            "--table",
            [*study.every_file, *filter(None, (settings.readers.readings, settings.readers.cases))],
        ),
        results=study.results,
        version=VERSION,
    shell:
        "faceage-bio publish --results {params.results:q} --output {params.results:q}/share {params.people:q}"
        " --configfile {resources.config:q} > {log:q} 2>&1"
