# The Hessian of any one network: snakemake results/<task>/curvature/<network>.npz


rule eigenvalues:
    input:
        train="results/{task}/dataset/train.safetensors",
        receipt=look.receipt,
    output:
        eigenvalues="results/{task}/curvature/{network}.npz",
    log:
        "results/{task}/logs/eigenvalues/{network}.log",
    benchmark:
        "results/{task}/benchmarks/eigenvalues/{network}.tsv"
    group:
        "measuring"
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=look.memory_of(resources.memory_of_eigenvalues, targets.weights_of),
        runtime=look.minutes(60),
        gpu=look.gpus,
    params:
        **named(
            loss=look.loss,
            device=look.device,
            seed=look.setting("seed"),
            code=look.code("eigenvalues"),
        ),
    message:
        "{wildcards.task}: eigenvalues of the Hessian of network {wildcards.network}"
    script:
        "../../scripts/eigenvalues.py"
