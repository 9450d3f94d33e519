# The Hessian of any one network: snakemake results/<task>/curvature/<network>.npz


def memory_of_eigenvalues(wildcards, input, attempt):
    """Megabytes: libraries, 1 GiB of graphs and as much to multiply by them, and the 100 largest
    eigenvectors from 260 vectors as long as the weights, with as many beside them as a restart takes.

    Weights that are yet to be trained count from the second attempt on.
    """
    weights = Path(input.weights)
    size = weights.stat().st_size if weights.exists() else 0
    return (3500 + 450 * size // 1_000_000) * attempt


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
