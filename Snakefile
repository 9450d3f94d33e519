# gengap: which measures of a trained network predict its generalisation gap?
#
#   snakemake --cores all            the run of config.yaml
#   snakemake -n                     what would be done, and whether the config is valid
#   snakemake ballester2023 --config setting=paper
#                                    a study of studies/, at the paper's settings or at small ones
#   snakemake --rulegraph | dot -Tsvg > rules.svg


from snakemake.utils import min_version

min_version("9.14")


configfile: f"{workflow.basedir}/config.yaml"


include: "workflow/rules/settings.smk"
include: "workflow/rules/common.smk"
include: "workflow/rules/zoo.smk"
include: "workflow/rules/pgdl.smk"
include: "workflow/rules/topology.smk"
include: "workflow/rules/measures.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/study.smk"


rule all:
    default_target: True
    input:
        [target for task in config["tasks"] for target in final_files(task["name"])],


# Predicting the generalization gap from the persistence diagrams of the neurons' activations.
rule ballester2023:
    input:
        lambda wildcards: study_files("ballester2023"),


onstart:
    require_writable_results()


onsuccess:
    print(summary())
