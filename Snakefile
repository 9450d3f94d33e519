# gengap: which measures of a trained network predict its generalisation gap?
#
#   snakemake --cores all            the run of config.yaml
#   snakemake -n                     what would be done, and whether the config is valid
#   snakemake ballester2023 --config setting=paper
#                                    a study of studies/, at the paper's settings or at small ones
#   snakemake reference --configfile mine.yaml
#                                    networks around your own, from which it is predicted
#   snakemake --rulegraph | dot -Tsvg > rules.svg


from snakemake.utils import min_version

min_version("9.14")


configfile: workflow.current_basedir.join("config.yaml").get_path_or_uri(secret_free=True)


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/zoo.smk"
include: "workflow/rules/pgdl.smk"
include: "workflow/rules/checkpoints.smk"
include: "workflow/rules/topology.smk"
include: "workflow/rules/measures.smk"
include: "workflow/rules/curvature.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/prediction.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/study.smk"
include: "workflow/rules/experiments.smk"


rule all:
    default_target: True
    input:
        lambda wildcards: targets.files_of_the_run(plan),


# A zoo around the user's own network, frozen into a reference, and what is predicted from it.
rule reference:
    input:
        lambda wildcards: targets.reference_files(plan),
    params:
        size=lambda wildcards: size_of_reference(plan),
    message:
        "{params.size}"


# Predicting the generalization gap from the persistence diagrams of the neurons' activations.
rule ballester2023:
    input:
        lambda wildcards: targets.study_files(plan, "ballester2023"),


# The functional graph while a network trains; early stopping; a law for the gap.
rule corneanu2020:
    input:
        lambda wildcards: targets.study_files(plan, "corneanu2020"),


# Tangent kernels, their eigenfunctions, and linearised training.
rule ortizjimenez2021:
    input:
        lambda wildcards: targets.study_files(plan, "ortizjimenez2021"),


# The Hessian's eigenvectors and the decision boundary.
rule sabanayagam2023:
    input:
        lambda wildcards: targets.study_files(plan, "sabanayagam2023"),


# Effective dimensionality of the Hessian.
rule maddox2020:
    input:
        lambda wildcards: targets.study_files(plan, "maddox2020"),


# Intervals of gaps: coverage and width for networks, draws, architectures and data sets left out.
rule prediction:
    input:
        lambda wildcards: targets.study_files(plan, "prediction"),


onstart:
    prepare()


onsuccess:
    print(summary(*targets.asked_for(plan, workflow.dag_settings.targets)))
