# The families of measures that need no files of their own, and the table of all of them.


# One job computes all families of a shard, which share the start of its process. Their files are no
# outputs: a family that is there already is not computed again, so that an edit of one, or a
# further one, recomputes no other. The next stage checks the tables against the shard's receipt.
rule measure:
    input:
        train="results/{task}/dataset/train.safetensors",
        receipt="results/{task}/shards/{shard}.json",
        failed="results/{task}/shards/{shard}.failed.json",
        siblings=look.sibling_receipts,
        unlabelled=look.unlabelled_file,
    output:
        receipt="results/{task}/measures/{shard}.json",
    log:
        "results/{task}/logs/measure/{shard}.log",
    benchmark:
        "results/{task}/benchmarks/measure/{shard}.tsv"
    # The longest jobs go first; those of the topology are short, and fill in.
    priority: 10
    group:
        "measuring"
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=look.memory_of(
            resources.memory_of_measures,
            look.task(lambda task: task.measured),
            look.files,
        ),
        runtime=look.minutes_of_measures,
        gpu=look.gpus,
    params:
        **named(
            networks=look.networks,
            stream=look.task(lambda task: task.stream),
            families=look.families,
            slow=look.task(lambda task: task.slow),
            losses=look.losses,
            siblings=look.siblings,
            unlabelled=look.unlabelled,
            device=look.device,
            seed=look.setting("seed"),
            failures=look.setting("failures"),
            code=look.code("measure"),
        ),
    message:
        "{wildcards.task}: measures of shard {wildcards.shard}"
    script:
        "../../scripts/measure.py"


# This rule is in no group: Snakemake checks all inputs of a group's job each time that one of them
# is made, and there are as many as shards.
rule measures:
    input:
        summaries=look.task(targets.summary_tables),
        failed=look.task(targets.summary_failures),
        receipts=look.task(targets.measure_receipts),
        kept=look.task(targets.kept_networks),
        task="results/{task}/task.json",
    output:
        measures="results/{task}/measures.csv",
        errors="results/{task}/standard_errors.csv",
        failed="results/{task}/failed.csv",
        left_out="results/{task}/left_out_measures.csv",
        coverage="results/{task}/coverage.csv",
        recipe="results/{task}/recipe.json",
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
        **named(
            families=look.task(lambda task: list(task.measured)),
            recipe=look.task(lambda task: task.recipe),
            kept=look.kept,
            code=look.code("measures"),
        ),
    message:
        "{wildcards.task}: gathering the measures"
    script:
        "../../scripts/measures.py"


# A file for each network that was measured now, for the folder that 'kept' names.
rule keep_networks:
    input:
        summaries=look.task(targets.summary_tables),
        failed=look.task(targets.summary_failures),
        measures=look.task(targets.measure_receipts),
        networks=look.task(targets.receipts),
    output:
        kept=directory("results/{task}/kept"),
    log:
        "results/{task}/logs/keep_networks.log",
    benchmark:
        "results/{task}/benchmarks/keep_networks.tsv"
    wildcard_constraints:
        task=one_of(plan.names("pgdl")),
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(1000),
        runtime=look.minutes(30),
    params:
        **named(
            families=look.task(lambda task: list(task.measured)),
            made=look.made,
            code=look.code("keep_networks"),
        ),
    message:
        "{wildcards.task}: keeping the networks that were measured"
    script:
        "../../scripts/keep_networks.py"


# On request: snakemake results/<task>/measures.parquet.
rule measures_parquet:
    input:
        measures="results/{task}/measures.csv",
    output:
        parquet="results/{task}/measures.parquet",
    log:
        "results/{task}/logs/measures_parquet.log",
    benchmark:
        "results/{task}/benchmarks/measures_parquet.tsv"
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(2000),
        runtime=look.minutes(30),
    params:
        code=look.code("measures_parquet"),
    message:
        "{wildcards.task}: the measures as Parquet"
    script:
        "../../scripts/measures_parquet.py"
