# Tasks in PGDL's format: theirs are downloaded and imported, ours are exported.


# snakemake results/<task>/pgdl/exported.txt: every file of the task in PGDL's format, beside the
# receipt, which lists them as `sha256sum -c` reads it.
rule export:
    input:
        task="results/{task}/task.json",
        receipts=look.task(targets.receipts),
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
        mem_mb=look.memory(4000),
        runtime=look.minutes(60),
    params:
        code=look.code("export"),
    message:
        "{wildcards.task}: exporting in PGDL's format"
    script:
        "../../scripts/export.py"


# A local rule, since compute nodes of clusters often have no internet access.
rule download:
    input:
        look.task(targets.export_receipt),
    output:
        receipt="results/{task}/download/receipt.json",
    log:
        "results/{task}/logs/download.log",
    benchmark:
        "results/{task}/benchmarks/download.tsv"
    wildcard_constraints:
        task=one_of(plan.names("pgdl")),
    localrule: True
    conda:
        "../../envs/pgdl.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(1000),
        runtime=look.minutes(720),
    params:
        **named(
            task=look.task(lambda task: task.pgdl_name),
            source=look.task(lambda task: task.pgdl_source),
            checksum=look.own("pgdl", "checksum"),
            networks=look.task(lambda task: task.fetched),
            roles=look.task(lambda task: task.roles),
            code=look.code("download"),
        ),
    message:
        "{wildcards.task}: fetching PGDL's files"
    script:
        "../../scripts/download.py"


rule import_dataset:
    input:
        receipt=look.task(targets.download_receipt),
        data=look.task(targets.exported_data),
    output:
        train="results/{task}/dataset/train.safetensors",
        test="results/{task}/dataset/test.safetensors",
    log:
        "results/{task}/logs/import_dataset.log",
    benchmark:
        "results/{task}/benchmarks/import_dataset.tsv"
    wildcard_constraints:
        task=one_of(plan.names("pgdl")),
    conda:
        "../../envs/pgdl.yaml"
    threads: 1
    resources:
        mem_mb=look.memory_of(resources.memory_of_records, look.record_files),
        runtime=look.minutes(60),
    params:
        code=look.code("import_dataset"),
    message:
        "{wildcards.task}: importing the dataset"
    script:
        "../../scripts/import_dataset.py"


rule import_networks:
    input:
        receipt="results/{task}/download/receipt.json",
        train="results/{task}/dataset/train.safetensors",
        test="results/{task}/dataset/test.safetensors",
    output:
        receipt="results/{task}/shards/{shard}.json",
        failed="results/{task}/shards/{shard}.failed.json",
    log:
        "results/{task}/logs/import_networks/{shard}.log",
    benchmark:
        "results/{task}/benchmarks/import_networks/{shard}.tsv"
    wildcard_constraints:
        task=one_of(plan.names("pgdl")),
    group:
        "training"
    conda:
        "../../envs/pgdl.yaml"
    threads: 1
    resources:
        mem_mb=look.memory_of(resources.memory_of_import, look.files),
        runtime=look.minutes_of(resources.minutes_of_import, look.files),
        gpu=look.gpus,
    params:
        **named(
            networks=look.networks,
            exported=look.task(lambda task: task.exported_from is not None),
            recompute=look.own("pgdl", "recompute"),
            device=look.device,
            failures=look.setting("failures"),
            code=look.code("import_networks"),
        ),
    message:
        "{wildcards.task}: importing shard {wildcards.shard}"
    script:
        "../../scripts/import_networks.py"


# disagreements.txt names every network whose recomputed training accuracy is not the stated one.
rule import_task:
    input:
        receipt=look.task(targets.download_receipt),
        receipts=look.task(targets.receipts),
        kept=look.task(targets.kept_networks),
        train="results/{task}/dataset/train.safetensors",
    output:
        task="results/{task}/task.json",
        disagreements="results/{task}/disagreements.txt",
    log:
        "results/{task}/logs/import_task.log",
    benchmark:
        "results/{task}/benchmarks/import_task.tsv"
    wildcard_constraints:
        task=one_of(plan.names("pgdl")),
    localrule: True
    conda:
        "../../envs/pgdl.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(1000),
        runtime=look.minutes(10),
    params:
        **named(
            grid=look.task(lambda task: task.grid),
            kept=look.kept,
            code=look.code("import_task"),
        ),
    message:
        "{wildcards.task}: gathering the task"
    script:
        "../../scripts/import_task.py"
