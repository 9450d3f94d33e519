# Tasks in PGDL's format: theirs are downloaded and imported, ours are exported.


# snakemake results/<task>/pgdl/exported.txt: every file of the task in PGDL's format, beside the
# receipt, which lists them as `sha256sum -c` reads it.
rule export:
    input:
        task="results/{task}/task.json",
        weights=each_network("results/{task}/networks/{network}/weights.safetensors"),
    output:
        receipt="results/{task}/pgdl/exported.txt",
    log:
        "results/{task}/logs/export.log",
    benchmark:
        "results/{task}/benchmarks/export.tsv"
    conda:
        "../../envs/pgdl.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(4000),
        runtime=60,
    params:
        code=code("export"),
    message:
        "{wildcards.task}: exporting in PGDL's format"
    script:
        "../../scripts/export.py"


# Bound to the network, and on clusters computing nodes often have none: hence a local rule.
rule download:
    input:
        exported_task,
    output:
        receipt="results/{task}/download/receipt.json",
    log:
        "results/{task}/logs/download.log",
    benchmark:
        "results/{task}/benchmarks/download.tsv"
    wildcard_constraints:
        task=one_of(IMPORTED),
    localrule: True
    conda:
        "../../envs/pgdl.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=720,
    params:
        task=pgdl_name,
        source=pgdl_source,
        checksum=lambda wildcards: task_named(wildcards.task)["pgdl"]["checksum"],
        networks=lambda wildcards: len(positions_of(wildcards.task)),
        roles=lambda wildcards: {
            role: task_named(wildcards.task)[role] for role in ROLES
        },
        code=code("download"),
    message:
        "{wildcards.task}: fetching PGDL's files"
    script:
        "../../scripts/download.py"


rule import_dataset:
    input:
        receipt="results/{task}/download/receipt.json",
    output:
        train="results/{task}/dataset/train.safetensors",
        test="results/{task}/dataset/test.safetensors",
    log:
        "results/{task}/logs/import_dataset.log",
    benchmark:
        "results/{task}/benchmarks/import_dataset.tsv"
    wildcard_constraints:
        task=one_of(IMPORTED),
    conda:
        "../../envs/pgdl.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(6000),
        runtime=60,
    params:
        code=code("import_dataset"),
    message:
        "{wildcards.task}: importing the dataset"
    script:
        "../../scripts/import_dataset.py"


rule import_network:
    input:
        receipt="results/{task}/download/receipt.json",
        train="results/{task}/dataset/train.safetensors",
        test="results/{task}/dataset/test.safetensors",
    output:
        config="results/{task}/networks/{network}/config.json",
        weights="results/{task}/networks/{network}/weights.safetensors",
        initial="results/{task}/networks/{network}/weights_init.safetensors",
        labels="results/{task}/networks/{network}/labels.npy",
        metrics="results/{task}/networks/{network}/metrics.json",
        recomputed="results/{task}/networks/{network}/recomputed.json",
    log:
        "results/{task}/logs/import_network/{network}.log",
    benchmark:
        "results/{task}/benchmarks/import_network/{network}.tsv"
    wildcard_constraints:
        task=one_of(IMPORTED),
    group:
        "training"
    conda:
        "../../envs/pgdl.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(with_libraries_of_gpu(4000)),
        runtime=60,
        gpu=gpus,
    params:
        position=position_of,
        recompute=lambda wildcards: task_named(wildcards.task)["pgdl"]["recompute"],
        device=config["device"],
        failures=setting("failures"),
        code=code("import_network"),
    message:
        "{wildcards.task}: importing network {wildcards.network}"
    script:
        "../../scripts/import_network.py"


# disagreements.txt names every network whose recomputed training accuracy is not the stated one.
rule import_task:
    input:
        receipt="results/{task}/download/receipt.json",
        metrics=each_network("results/{task}/networks/{network}/metrics.json"),
    output:
        task="results/{task}/task.json",
        disagreements="results/{task}/disagreements.txt",
    log:
        "results/{task}/logs/import_task.log",
    benchmark:
        "results/{task}/benchmarks/import_task.tsv"
    wildcard_constraints:
        task=one_of(IMPORTED),
    localrule: True
    conda:
        "../../envs/pgdl.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=10,
    params:
        code=code("import_task"),
    message:
        "{wildcards.task}: gathering the task"
    script:
        "../../scripts/import_task.py"
