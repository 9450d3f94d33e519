# The Hessian of any one network: snakemake results/<task>/curvature/<network>.npz


rule eigenvalues:
    input:
        train="results/{task}/dataset/train.safetensors",
        receipt=lambda wildcards: targets.receipt_of(
            task_of(wildcards), int(wildcards.network)
        ),
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
        mem_mb=lambda wildcards, attempt: attempt
        * resources.memory_of_eigenvalues(
            wildcards.task, wildcards.network, plan.config["device"]
        ),
        runtime=60,
        gpu=resources.gpus(plan.config["device"]),
    params:
        loss=lambda wildcards: task_of(wildcards).loss(int(wildcards.network)),
        device=plan.config["device"],
        seed=setting("seed"),
        code=code("eigenvalues"),
    message:
        "{wildcards.task}: eigenvalues of the Hessian of network {wildcards.network}"
    script:
        "../../scripts/eigenvalues.py"
