# A task that was evaluated, frozen, and the tasks that are predicted from it.


rule freeze:
    input:
        task="results/{task}/task.json",
        train="results/{task}/dataset/train.safetensors",
        measures="results/{task}/measures.csv",
        recipe="results/{task}/recipe.json",
    output:
        reference="results/{task}/reference.safetensors",
    log:
        "results/{task}/logs/freeze.log",
    benchmark:
        "results/{task}/benchmarks/freeze.tsv"
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(2000),
        runtime=look.minutes(60),
    params:
        code=look.code("freeze"),
    message:
        "{wildcards.task}: freezing the task into a reference"
    script:
        "../../scripts/freeze.py"


rule predict:
    input:
        task="results/{task}/task.json",
        train="results/{task}/dataset/train.safetensors",
        measures="results/{task}/measures.csv",
        recipe="results/{task}/recipe.json",
        reference=look.task(lambda task: task.reference_file),
    output:
        table="results/{task}/predictions.csv",
    log:
        "results/{task}/logs/predict.log",
    benchmark:
        "results/{task}/benchmarks/predict.tsv"
    wildcard_constraints:
        task=one_of(plan.predicted),
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(2000),
        runtime=look.minutes(60),
    params:
        code=look.code("predict"),
    message:
        "{wildcards.task}: predicting from {input.reference}"
    script:
        "../../scripts/predict.py"


# snakemake results/<task>/<task>.predict: the predictions as the PGDL competition takes them, for
# gengap score. PGDL's name of the task is the one to give it.
rule export_predictions:
    input:
        task="results/{task}/task.json",
        predictions="results/{task}/predictions.csv",
    output:
        file="results/{task}/{task}.predict",
    log:
        "results/{task}/logs/export_predictions.log",
    benchmark:
        "results/{task}/benchmarks/export_predictions.tsv"
    wildcard_constraints:
        task=one_of(plan.predicted),
    localrule: True
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(1000),
        runtime=look.minutes(10),
    params:
        code=look.code("export_predictions"),
    message:
        "{wildcards.task}: exporting the predictions"
    script:
        "../../scripts/export_predictions.py"
