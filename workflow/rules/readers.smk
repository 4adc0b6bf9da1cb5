rule compare_readers:
    input:
        unpack(reader_tables),
    output:
        report(
            "<results>/pooled/readers/readers.tsv",
            caption="../report/readers.rst",
            category="Reader study",
            labels={"cohort": "cases of all", "table": "areas, contrasts, decisions, ages"},
        ),
    log:
        "<logs>/readers/compare_readers.log",
    params:
        inputs=reader_inputs,
        options=reader_options,
        version=VERSION,
    shell:
        "faceage-bio compare-readers {params.inputs:q} {params.options:q} --output {output:q} > {log:q} 2>&1"
