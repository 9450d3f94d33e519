# The families of measures that need no files of their own, and the table of all of them.


rule measure:
    input:
        train="results/{task}/dataset/train.safetensors",
        config="results/{task}/networks/{network}/config.json",
        weights="results/{task}/networks/{network}/weights.safetensors",
        initial="results/{task}/networks/{network}/weights_init.safetensors",
        labels="results/{task}/networks/{network}/labels.npy",
    output:
        table="results/{task}/measures/{family}/{network}.csv",
    log:
        "results/{task}/logs/measure/{family}/{network}.log",
    benchmark:
        "results/{task}/benchmarks/measure/{family}/{network}.tsv"
    group:
        "measuring"
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=memory_of_measures,
        runtime=60,
        gpu=gpus,
    params:
        family=family_entry,
        device=config["device"],
        seed=setting("seed"),
        failures=setting("failures"),
        code=lambda wildcards: code(
            "measure", planning.family_source(family_entry(wildcards))
        ),
    message:
        "{wildcards.task}: measures of family {wildcards.family}, network {wildcards.network}"
    script:
        "../../scripts/measure.py"


rule measures:
    input:
        tables=measure_tables,
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
