# From networks to the summaries of their persistence diagrams; one job a network and stage.


rule activations:
    input:
        train="results/{task}/dataset/train.safetensors",
        config="results/{task}/networks/{network}/config.json",
        weights="results/{task}/networks/{network}/weights.safetensors",
    output:
        sample=temp("results/{task}/topology/activations/{network}.safetensors"),
    log:
        "results/{task}/logs/activations/{network}.log",
    benchmark:
        "results/{task}/benchmarks/activations/{network}.tsv"
    group:
        "topology"
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=memory_of_activations,
        runtime=15,
        gpu=gpus,
    params:
        **section("activations"),
        device=config["device"],
        seed=setting("seed"),
        failures=setting("failures"),
        code=code("activations"),
    message:
        "{wildcards.task}: activations of network {wildcards.network}"
    script:
        "../../scripts/activations.py"


rule diagrams:
    input:
        sample="results/{task}/topology/activations/{network}.safetensors",
    output:
        diagrams="results/{task}/topology/diagrams/{network}.npz",
    log:
        "results/{task}/logs/diagrams/{network}.log",
    benchmark:
        "results/{task}/benchmarks/diagrams/{network}.tsv"
    group:
        "topology"
    conda:
        "../../envs/networks.yaml"
    threads: diagram_threads
    resources:
        mem_mb=memory_of_diagrams,
        runtime=minutes_of_diagrams,
        gpu=gpus,
    params:
        device=config["device"],
        max_dim=setting("topology", "max_dim"),
        threshold=setting("topology", "threshold"),
        engine=setting("topology", "engine"),
        failures=setting("failures"),
        code=code("diagrams"),
    message:
        "{wildcards.task}: persistence diagrams of network {wildcards.network}"
    script:
        "../../scripts/diagrams.py"


rule summaries:
    input:
        diagrams="results/{task}/topology/diagrams/{network}.npz",
    output:
        summaries="results/{task}/topology/summaries/{network}.csv",
    log:
        "results/{task}/logs/summaries/{network}.log",
    benchmark:
        "results/{task}/benchmarks/summaries/{network}.tsv"
    group:
        "topology"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=30,
    params:
        resamples=setting("topology", "bootstrap_resamples"),
        seed=setting("seed"),
        failures=setting("failures"),
        code=code("summaries"),
    message:
        "{wildcards.task}: summaries of network {wildcards.network}'s diagrams"
    script:
        "../../scripts/summaries.py"
