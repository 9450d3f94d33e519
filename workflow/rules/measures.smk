# The families of measures that need no files of their own, and the table of all of them.


rule measure:
    input:
        train="results/{task}/dataset/train.safetensors",
        receipt="results/{task}/shards/{shard}.json",
        failed="results/{task}/shards/{shard}.failed.json",
    output:
        table="results/{task}/measures/{family}/{shard}.csv",
        failed="results/{task}/measures/{family}/{shard}.failed.json",
    log:
        "results/{task}/logs/measure/{family}/{shard}.log",
    benchmark:
        "results/{task}/benchmarks/measure/{family}/{shard}.tsv"
    group:
        "measuring"
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: attempt
        * resources.memory_of_measures(wildcards.family, plan.config["device"]),
        runtime=minutes(60, 15),
        gpu=resources.gpus(plan.config["device"]),
    params:
        networks=networks_of,
        family=lambda wildcards: task_of(wildcards).family_entry(wildcards.family),
        device=plan.config["device"],
        seed=setting("seed"),
        failures=setting("failures"),
        code=code(
            "measure",
            lambda wildcards: family_source(
                task_of(wildcards).family_entry(wildcards.family)
            ),
        ),
    message:
        "{wildcards.task}: measures of family {wildcards.family}, shard {wildcards.shard}"
    script:
        "../../scripts/measure.py"


rule measures:
    input:
        tables=ask(targets.measure_tables),
        failed=ask(targets.failure_lists),
        task="results/{task}/task.json",
    output:
        measures="results/{task}/measures.csv",
        errors="results/{task}/standard_errors.csv",
        failed="results/{task}/failed.csv",
        left_out="results/{task}/left_out_measures.csv",
    log:
        "results/{task}/logs/measures.log",
    benchmark:
        "results/{task}/benchmarks/measures.tsv"
    group:
        "statistics"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=30,
    params:
        code=code("measures"),
    message:
        "{wildcards.task}: gathering the measures"
    script:
        "../../scripts/measures.py"
