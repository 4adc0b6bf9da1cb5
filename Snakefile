# Plain `snakemake` here runs the study in config/config.yaml, which is the demo until you write your own:
#     faceage-bio init my-study
#     snakemake --cores all --configfile my-study/config.yaml
include: "workflow/Snakefile"


# an included file never sets the default target, so it is named again here
rule default:
    default_target: True
    input:
        rules.all.input,
    localrule: True
