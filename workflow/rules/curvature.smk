# The Hessian of any one network: snakemake results/<task>/curvature/<network>.npz


rule eigenvalues:
    input:
        train="results/{task}/dataset/train.safetensors",
        config="results/{task}/networks/{network}/config.json",
        weights="results/{task}/networks/{network}/weights.safetensors",
        labels="results/{task}/networks/{network}/labels.npy",
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
        mem_mb=memory_of_eigenvalues,
        runtime=60,
        gpu=gpus,
    params:
        loss=loss_of,
        device=config["device"],
        seed=setting("seed"),
        code=code("eigenvalues"),
    message:
        "{wildcards.task}: eigenvalues of the Hessian of network {wildcards.network}"
    script:
        "../../scripts/eigenvalues.py"
