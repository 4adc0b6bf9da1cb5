# the report knows a table by its path: {cohort}/{room}/{table}.tsv
REPORTED = [
    *collect("<results>/{cohort}/flow.tsv", cohort=COHORTS),
    # a point per participant, on internal pages alone
    *collect("<results>/{cohort}/acceleration/acceleration.parquet", cohort=COHORTS),
    *collect(
        "<results>/{cohort}/acceleration/{table}.tsv",
        cohort=COHORTS,
        table=shown(
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
        table=shown("acceleration", "definition_hazards", "ageing_rate"),
    ),
    *collect("<results>/{cohort}/phenotype/phenotypes.tsv", cohort=WITH_CLINICAL),
    *collect(
        "<results>/{cohort}/phenotype/{table}.tsv",
        cohort=COHORTS,
        table=["table_one", "distributions", "age_histogram"],
    ),
    "<results>/pooled/phenotype/groups.tsv",
    *collect(
        "<results>/pooled/phenotype/{table}.tsv",
        table=(
            shown("phenotype", *tables_of("compare_groups"), *tables_of("fit_association_sensitivity"))
            if WITH_CLINICAL
            else []
        ),
    ),
    *collect("<results>/{cohort}/fairness/fairness.tsv", cohort=ASSESSED),
    *collect(
        "<results>/pooled/fairness/{table}.tsv",
        table=shown("fairness", "stress") if STRESSED else [],
    ),
    *collect(
        "<results>/{cohort}/survival/{table}.tsv",
        cohort=WITH_CLINICAL,
        table=shown(
            "survival",
            "cox",
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
        table=shown(
            "expression",
            "genes",
            "panel",
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
        table=shown("expression", "cell_quality", "composition"),
    ),
    *collect(
        "<results>/{cohort}/variants/{table}.tsv",
        cohort=WITH_VARIANTS,
        table=shown("variants", "genes", "common", "quality"),
    ),
    *(["<results>/pooled/readers/readers.tsv"] if config["readers"]["readings"] else []),
    *collect("<results>/{cohort}/scores/{table}.tsv", cohort=WITH_CLINICAL, table=["scored", "comparison"]),
    *collect("<results>/{cohort}/faceage/summary.tsv", cohort=WITH_PHOTOS),
    *collect(
        "<results>/{cohort}/faceage/{table}.tsv",
        cohort=WITH_OPINIONS,
        table=["agreement", "agreement_bands"],
    ),
    *collect(
        "<results>/{cohort}/faceage/{table}.tsv",
        cohort=WITH_PHOTOS,
        table=["photo_counts", "photo_measures", "photo_speed"],
    ),
    *(["<results>/pooled/faceage/review.tsv"] if REVIEW else []),
    *collect("<results>/pooled/verification/{table}.tsv", table=["agreement", "numbers"]),
]


# the records of earlier runs are no output, because Snakemake would remove them
rule record_run:
    input:
        REPORTED,
    output:
        "<results>/reports/run.json",
    log:
        "<logs>/report/record_run.log",
    params:
        config=json.dumps(config),
        history=f"{config['results_dir']}/reports/history",
        version=VERSION,
    shell:
        "faceage-bio record-run --config {params.config:q} --history {params.history:q} --output {output:q}"
        " {input:q} > {log:q} 2>&1"


rule render_summary:
    input:
        tables=REPORTED,
        run="<results>/reports/run.json",
        models=MODELS if WITH_PHOTOS else [],
    output:
        report(
            "<results>/reports/index.html",
            caption="../report/summary.rst",
            category="Reports",
            labels={"report": "Summary"},
        ),
    log:
        "<logs>/report/render_summary.log",
    params:
        config=json.dumps(config),
        cards=option("--model-card", MODEL_CARDS),
        version=VERSION,
    shell:
        "faceage-bio render-summary --config {params.config:q} {params.cards:q}"
        " --run {input.run:q} --output {output:q} {input.tables:q} > {log:q} 2>&1"


rule render_association_report:
    input:
        tables=REPORTED,
        models=MODELS if WITH_PHOTOS else [],
    output:
        report(
            "<results>/reports/association.html",
            caption="../report/association.rst",
            category="Reports",
            labels={"report": "Associations with facial age acceleration"},
        ),
    log:
        "<logs>/report/render_association_report.log",
    params:
        config=json.dumps(config),
        cards=option("--model-card", MODEL_CARDS),
        version=VERSION,
    shell:
        "faceage-bio render-association-report --config {params.config:q} {params.cards:q}"
        " --output {output:q} {input.tables:q} > {log:q} 2>&1"


rule render_survival_report:
    input:
        tables=REPORTED,
        models=MODELS if WITH_PHOTOS else [],
    output:
        report(
            "<results>/reports/survival.html",
            caption="../report/survival_report.rst",
            category="Reports",
            labels={"report": "Overall survival"},
        ),
    log:
        "<logs>/report/render_survival_report.log",
    params:
        config=json.dumps(config),
        cards=option("--model-card", MODEL_CARDS),
        version=VERSION,
    shell:
        "faceage-bio render-survival-report --config {params.config:q} {params.cards:q}"
        " --output {output:q} {input.tables:q} > {log:q} 2>&1"


rule render_photo_report:
    input:
        tables=REPORTED,
        models=MODELS if WITH_PHOTOS else [],
    output:
        report(
            "<results>/reports/photos.html",
            caption="../report/photos.rst",
            category="Reports",
            labels={"report": "Photo quality"},
        ),
    log:
        "<logs>/report/render_photo_report.log",
    params:
        config=json.dumps(config),
        cards=option("--model-card", MODEL_CARDS),
        version=VERSION,
    shell:
        "faceage-bio render-photo-report --config {params.config:q} {params.cards:q}"
        " --output {output:q} {input.tables:q} > {log:q} 2>&1"


# the figures of the pages as files, each with its labels, for papers, slides and `snakemake --report report.zip`
rule draw_figures:
    input:
        "<results>/reports/index.html",
        "<results>/reports/association.html",
        "<results>/reports/survival.html",
        "<results>/reports/photos.html",
    output:
        report(
            directory("<results>/reports/figures"),
            patterns=["{page}/{room}/{table}/{cohort}-{number}.svg"],
            caption="../report/figure.rst",
            category="Figures",
            subcategory="{room}",
            labels={
                "page": "{page}",
                "result table": "{table}",
                "cohort": "{cohort}",
                "figure": "{number}",
            },
        ),
    log:
        "<logs>/report/draw_figures.log",
    params:
        version=VERSION,
    shell:
        "faceage-bio draw-figures --output {output:q} {input:q} > {log:q} 2>&1"


# no part of Snakemake's report: exact numbers, and lists of photos and samples
rule write_tables:
    input:
        tables=[
            *collect("<results>/{cohort}/phenotype/table_one.tsv", cohort=COHORTS),
            *collect("<results>/{cohort}/phenotype/phenotypes.tsv", cohort=WITH_CLINICAL),
            "<results>/pooled/phenotype/groups.tsv",
            *collect(
                "<results>/{cohort}/survival/{table}.tsv", cohort=WITH_CLINICAL, table=["cox", "added_value"]
            ),
            *collect("<results>/{cohort}/expression/panel.tsv", cohort=WITH_RNA),
        ],
        ledgers=collect("<results>/{cohort}/ledger.tsv", cohort=COHORTS),
    output:
        directory("<results>/reports/tables"),
    log:
        "<logs>/report/write_tables.log",
    params:
        config=json.dumps(config),
        ledgers=ledger_of_each_cohort,
        version=VERSION,
    shell:
        "faceage-bio write-tables --config {params.config:q} {params.ledgers:q} --output {output:q}"
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
    params:
        people=option(
            "--table", [*cohort_files(), *filter(None, map(config["readers"].get, ("readings", "cases")))]
        ),
        config=json.dumps(config),
        results=results_dir,
        version=VERSION,
    shell:
        "faceage-bio publish --results {params.results:q} --output {params.results:q}/share {params.people:q}"
        " --config {params.config:q} > {log:q} 2>&1"
