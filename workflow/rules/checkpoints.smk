# Networks that are there already: a table names the weights of each, and what is known of it.


# The weights are inputs, so that a network is adopted again when its file changes. As in a zoo, a
# network's folder is no output.
rule adopt_networks:
    input:
        train="results/{task}/dataset/train.safetensors",
        test="results/{task}/dataset/test.safetensors",
        files=look.checkpoint_files,
    output:
        receipt="results/{task}/shards/{shard}.json",
        failed="results/{task}/shards/{shard}.failed.json",
    log:
        "results/{task}/logs/adopt_networks/{shard}.log",
    benchmark:
        "results/{task}/benchmarks/adopt_networks/{shard}.tsv"
    wildcard_constraints:
        task=one_of(plan.names("checkpoints")),
    group:
        "training"
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=look.memory_of(resources.memory_of_checkpoints, look.checkpoint_files),
        runtime=look.minutes(60, 20),
        gpu=look.gpus,
    params:
        **named(
            networks=look.networks,
            entries=look.entries,
            losses=look.losses,
            gap=look.task(lambda task: task.gap),
            factory=look.task(lambda task: task.checkpoints.code),
            device=look.device,
            failures=look.setting("failures"),
            code=look.code("adopt_networks"),
        ),
    message:
        "{wildcards.task}: adopting shard {wildcards.shard}"
    script:
        "../../scripts/adopt_networks.py"


# disagreements.txt names every network whose recomputed accuracy, loss or error is not the stated
# one.
rule adopt_task:
    input:
        receipts=look.task(targets.receipts),
        failed=look.task(targets.receipt_failures),
    output:
        task="results/{task}/task.json",
        disagreements="results/{task}/disagreements.txt",
    log:
        "results/{task}/logs/adopt_task.log",
    benchmark:
        "results/{task}/benchmarks/adopt_task.tsv"
    wildcard_constraints:
        task=one_of(plan.names("checkpoints")),
    localrule: True
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(1000),
        runtime=look.minutes(10),
    params:
        **named(
            grid=look.task(lambda task: task.grid),
            gap=look.task(lambda task: task.gap),
            code=look.code("adopt_task"),
        ),
    message:
        "{wildcards.task}: gathering the task"
    script:
        "../../scripts/adopt_task.py"
