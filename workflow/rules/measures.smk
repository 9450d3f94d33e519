# The families of measures that need no files of their own, and the table of all of them.


rule measure:
    input:
        train="results/{task}/dataset/train.safetensors",
        receipt="results/{task}/shards/{shard}.json",
        failed="results/{task}/shards/{shard}.failed.json",
        siblings=look.sibling_receipts,
        unlabelled=look.unlabelled_file,
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
        mem_mb=look.memory_of(
            resources.memory_of_measures,
            lambda wildcards: wildcards.family,
            look.files,
        ),
        runtime=look.minutes_of_measures,
        gpu=look.gpus,
    params:
        networks=look.networks,
        family=look.family,
        slow=look.task(lambda task: task.slow),
        losses=look.losses,
        siblings=look.siblings,
        unlabelled=look.unlabelled,
        device=look.device,
        seed=look.setting("seed"),
        failures=look.setting("failures"),
        code=look.code(
            "measure", lambda wildcards: family_source(look.family(wildcards))
        ),
    message:
        "{wildcards.task}: measures of family {wildcards.family}, shard {wildcards.shard}"
    script:
        "../../scripts/measure.py"


# This rule is in no group: Snakemake checks all inputs of a group's job each time that one of them
# is made, and there are as many as shards.
rule measures:
    input:
        tables=look.task(targets.measure_tables),
        failed=look.task(targets.failure_lists),
        task="results/{task}/task.json",
    output:
        measures="results/{task}/measures.csv",
        errors="results/{task}/standard_errors.csv",
        failed="results/{task}/failed.csv",
        left_out="results/{task}/left_out_measures.csv",
        coverage="results/{task}/coverage.csv",
    log:
        "results/{task}/logs/measures.log",
    benchmark:
        "results/{task}/benchmarks/measures.tsv"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(2000),
        runtime=look.minutes(30),
    params:
        code=look.code("measures"),
    message:
        "{wildcards.task}: gathering the measures"
    script:
        "../../scripts/measures.py"
