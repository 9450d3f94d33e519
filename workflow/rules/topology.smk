# From networks to the summaries of their persistence diagrams; one job a shard and stage.


rule activations:
    input:
        train="results/{task}/dataset/train.safetensors",
        receipt="results/{task}/shards/{shard}.json",
        failed="results/{task}/shards/{shard}.failed.json",
    output:
        samples=temp(directory("results/{task}/topology/activations/{shard}")),
        failed="results/{task}/topology/activations/{shard}.failed.json",
    log:
        "results/{task}/logs/activations/{shard}.log",
    benchmark:
        "results/{task}/benchmarks/activations/{shard}.tsv"
    group:
        "topology"
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: attempt
        * resources.memory_of_activations(task_of(wildcards).run, plan.config["device"]),
        runtime=minutes(15, 5),
        gpu=resources.gpus(plan.config["device"]),
    params:
        **section("activations"),
        networks=networks_of,
        device=plan.config["device"],
        seed=setting("seed"),
        failures=setting("failures"),
        code=code("activations"),
    message:
        "{wildcards.task}: activations of shard {wildcards.shard}"
    script:
        "../../scripts/activations.py"


rule diagrams:
    input:
        samples="results/{task}/topology/activations/{shard}",
        failed="results/{task}/topology/activations/{shard}.failed.json",
    output:
        diagrams="results/{task}/topology/diagrams/{shard}.npz",
        failed="results/{task}/topology/diagrams/{shard}.failed.json",
    log:
        "results/{task}/logs/diagrams/{shard}.log",
    benchmark:
        "results/{task}/benchmarks/diagrams/{shard}.tsv"
    group:
        "topology"
    conda:
        "../../envs/networks.yaml"
    threads: ask(lambda task: resources.diagram_threads(task.run))
    resources:
        mem_mb=lambda wildcards, threads, attempt: attempt
        * resources.memory_of_diagrams(
            task_of(wildcards).run, threads, plan.config["device"]
        ),
        runtime=lambda wildcards: resources.minutes_of_diagrams(
            task_of(wildcards).run, len(networks_of(wildcards))
        ),
        gpu=resources.gpus(plan.config["device"]),
    params:
        networks=networks_of,
        device=plan.config["device"],
        max_dim=setting("topology", "max_dim"),
        threshold=setting("topology", "threshold"),
        engine=setting("topology", "engine"),
        failures=setting("failures"),
        code=code("diagrams"),
    message:
        "{wildcards.task}: persistence diagrams of shard {wildcards.shard}"
    script:
        "../../scripts/diagrams.py"


rule summaries:
    input:
        diagrams="results/{task}/topology/diagrams/{shard}.npz",
        failed="results/{task}/topology/diagrams/{shard}.failed.json",
    output:
        table="results/{task}/topology/summaries/{shard}.csv",
        failed="results/{task}/topology/summaries/{shard}.failed.json",
    log:
        "results/{task}/logs/summaries/{shard}.log",
    benchmark:
        "results/{task}/benchmarks/summaries/{shard}.tsv"
    group:
        "topology"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=minutes(30, 5),
    params:
        networks=networks_of,
        resamples=setting("topology", "bootstrap_resamples"),
        seed=setting("seed"),
        failures=setting("failures"),
        code=code("summaries"),
    message:
        "{wildcards.task}: summaries of shard {wildcards.shard}'s diagrams"
    script:
        "../../scripts/summaries.py"
