# A zoo: its data, the check of its plan, the training of its networks, the task that they make.


rule dataset:
    output:
        train="results/{task}/dataset/train.safetensors",
        test="results/{task}/dataset/test.safetensors",
    log:
        "results/{task}/logs/dataset.log",
    benchmark:
        "results/{task}/benchmarks/dataset.tsv"
    wildcard_constraints:
        task=one_of(ZOOS),
    localrule: True
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=60,
    params:
        dataset=lambda wildcards: task_named(wildcards.task)["zoo"]["dataset"],
        data_dir=setting("data_dir"),
        seed=setting("seed"),
        code=code("dataset"),
    message:
        "{wildcards.task}: reading the dataset"
    script:
        "../../scripts/dataset.py"


# Every network is built once without memory, so that a fault in the grid shows at once. No input of
# the training jobs: a grid that grows must not retrain the networks that it had.
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
        task=one_of(ZOOS),
    priority: 100
    localrule: True
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=10,
    params:
        plan=lambda wildcards: plan_of(wildcards.task),
        code=code("check_zoo"),
    message:
        "{wildcards.task}: checking the plan of the zoo"
    script:
        "../../scripts/check_zoo.py"


rule train_network:
    input:
        train="results/{task}/dataset/train.safetensors",
        test="results/{task}/dataset/test.safetensors",
    output:
        config="results/{task}/networks/{network}/config.json",
        weights="results/{task}/networks/{network}/weights.safetensors",
        initial="results/{task}/networks/{network}/weights_init.safetensors",
        labels="results/{task}/networks/{network}/labels.npy",
        history="results/{task}/networks/{network}/history.csv",
        metrics="results/{task}/networks/{network}/metrics.json",
    log:
        "results/{task}/logs/train_network/{network}.log",
    benchmark:
        "results/{task}/benchmarks/train_network/{network}.tsv"
    wildcard_constraints:
        task=one_of(ZOOS),
    group:
        "training"
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(with_libraries_of_gpu(2000)),
        runtime=240,
        gpu=gpus,
    params:
        entry=entry_of,
        device=config["device"],
        seed=setting("seed"),
        failures=setting("failures"),
        code=code("train_network"),
    message:
        "{wildcards.task}: training network {wildcards.network}"
    script:
        "../../scripts/train_network.py"


rule task:
    input:
        plan="results/{task}/plan.json",
        metrics=each_network("results/{task}/networks/{network}/metrics.json"),
    output:
        task="results/{task}/task.json",
    log:
        "results/{task}/logs/task.log",
    benchmark:
        "results/{task}/benchmarks/task.tsv"
    wildcard_constraints:
        task=one_of(ZOOS),
    localrule: True
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=10,
    params:
        grid=lambda wildcards: task_named(wildcards.task)["zoo"]["grid"],
        code=code("task"),
    message:
        "{wildcards.task}: gathering the task"
    script:
        "../../scripts/task.py"
