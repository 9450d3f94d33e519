# A zoo: its data, the check of its plan, the training of its networks, the task that they make.
# Tasks of checkpoints get their data by the same rule.


rule dataset:
    output:
        train="results/{task}/dataset/train.safetensors",
        test="results/{task}/dataset/test.safetensors",
    log:
        "results/{task}/logs/dataset.log",
    benchmark:
        "results/{task}/benchmarks/dataset.tsv"
    wildcard_constraints:
        task=one_of(plan.names("zoo", "checkpoints")),
    localrule: True
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(2000),
        runtime=look.minutes(60),
    params:
        **named(
            dataset=look.task(lambda task: task.dataset),
            files=look.task(lambda task: data_version(task.dataset)),
            draw=look.task(lambda task: task.draw),
            data_dir=look.setting("data_dir"),
            seed=look.setting("seed"),
            code=look.code("dataset"),
        ),
    message:
        "{wildcards.task}: reading the dataset"
    script:
        "../../scripts/dataset.py"


# Every network is built once without memory, so that a fault in the grid shows at once. The
# training jobs do not take this as input: a grid that grows must not retrain the networks it had.
rule check_zoo:
    input:
        train="results/{task}/dataset/train.safetensors",
    output:
        plan="results/{task}/plan.json",
    log:
        "results/{task}/logs/check_zoo.log",
    benchmark:
        "results/{task}/benchmarks/check_zoo.tsv"
    wildcard_constraints:
        task=one_of(plan.names("zoo")),
    priority: 100
    localrule: True
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(2000),
        runtime=look.minutes(10),
    params:
        **named(
            networks=look.task(lambda task: task.entries),
            gap=look.task(lambda task: task.gap),
            code=look.code("check_zoo"),
        ),
    message:
        "{wildcards.task}: checking the plan of the zoo"
    script:
        "../../scripts/check_zoo.py"


# A network's folder is no output: a network that is there already is not trained again, so a grid
# that grows trains only what is new. Later stages check its files against the shard's receipt.
rule train:
    input:
        train="results/{task}/dataset/train.safetensors",
        test="results/{task}/dataset/test.safetensors",
    output:
        receipt="results/{task}/shards/{shard}.json",
        failed="results/{task}/shards/{shard}.failed.json",
    log:
        "results/{task}/logs/train/{shard}.log",
    benchmark:
        "results/{task}/benchmarks/train/{shard}.tsv"
    wildcard_constraints:
        task=one_of(plan.names("zoo")),
    group:
        "training"
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=look.memory_with_device(2000),
        runtime=look.minutes(240, 30),
        gpu=look.gpus,
    params:
        **named(
            networks=look.networks,
            entries=look.entries,
            draw=look.task(lambda task: task.draw),
            test_labels=look.own("zoo", "test_labels"),
            factory=look.task(lambda task: task.factory),
            together=look.task(lambda task: task.together),
            device=look.device,
            seed=look.setting("seed"),
            failures=look.setting("failures"),
            code=look.code("train"),
        ),
    message:
        "{wildcards.task}: training shard {wildcards.shard}"
    script:
        "../../scripts/train.py"


rule task:
    input:
        plan="results/{task}/plan.json",
        receipts=look.task(targets.receipts),
    output:
        task="results/{task}/task.json",
    log:
        "results/{task}/logs/task.log",
    benchmark:
        "results/{task}/benchmarks/task.tsv"
    wildcard_constraints:
        task=one_of(plan.names("zoo")),
    localrule: True
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(1000),
        runtime=look.minutes(10),
    params:
        **named(
            grid=look.own("zoo", "grid"),
            gap=look.task(lambda task: task.gap),
            code=look.code("task"),
        ),
    message:
        "{wildcards.task}: gathering the task"
    script:
        "../../scripts/task.py"
