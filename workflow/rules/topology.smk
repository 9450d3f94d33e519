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
        mem_mb=look.memory_of(
            resources.memory_of_activations, look.setting(), look.files
        ),
        runtime=look.minutes_of(
            resources.minutes_of_activations, look.setting(), look.files
        ),
        gpu=look.gpus,
    params:
        **named(
            **look.section("activations"),
            stream=look.task(lambda task: task.stream),
            networks=look.networks,
            device=look.device,
            seed=look.setting("seed"),
            failures=look.setting("failures"),
            code=look.code("activations"),
        ),
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
    threads: look.task(lambda task: resources.diagram_threads(task.run))
    resources:
        mem_mb=look.memory_of_diagrams,
        runtime=look.minutes_of_diagrams,
        gpu=look.gpus,
    params:
        **named(
            networks=look.networks,
            device=look.device,
            max_dim=look.setting("topology", "max_dim"),
            threshold=look.setting("topology", "threshold"),
            engine=look.setting("topology", "engine"),
            failures=look.setting("failures"),
            code=look.code("diagrams"),
        ),
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
        mem_mb=look.memory(1000),
        runtime=look.minutes(30, 5),
    params:
        **named(
            networks=look.networks,
            failures=look.setting("failures"),
            code=look.code("summaries"),
        ),
    message:
        "{wildcards.task}: summaries of shard {wildcards.shard}'s diagrams"
    script:
        "../../scripts/summaries.py"
