# The experiments of the studies that make their own networks and data: one job per run.


rule experiment:
    output:
        outcome="results/{study}/runs/{experiment}/{run}.npz",
    log:
        "results/{study}/logs/experiment/{experiment}/{run}.log",
    benchmark:
        "results/{study}/benchmarks/experiment/{experiment}/{run}.tsv"
    wildcard_constraints:
        study=one_of(EXPERIMENT_STUDIES),
    group:
        "training"
    conda:
        "../../envs/studies.yaml"
    threads: 1
    resources:
        mem_mb=memory_of_run,
        runtime=240,
        gpu=gpus,
    params:
        module=module_of_experiment,
        settings=settings_of_run,
        seed=lambda wildcards: settings_of_study(wildcards.study)["seed"],
        place=place_of_run,
        data_dir=config["data_dir"],
        device=config["device"],
        code=code_of_experiment("experiment"),
    message:
        "{wildcards.study}: {wildcards.experiment}, run {wildcards.run}"
    script:
        "../../scripts/experiment.py"


rule experiment_figures:
    input:
        runs=runs_of_experiment,
    output:
        figures=report(
            directory("results/{study}/figures/{experiment}"),
            patterns=["{figure}.png"],
            caption="../report/experiment.rst",
            category="{study}",
            subcategory="{experiment}",
            labels={"figure": "{figure}"},
        ),
    log:
        "results/{study}/logs/experiment_figures/{experiment}.log",
    benchmark:
        "results/{study}/benchmarks/experiment_figures/{experiment}.tsv"
    wildcard_constraints:
        study=one_of(EXPERIMENT_STUDIES),
    group:
        "statistics"
    conda:
        "../../envs/studies.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=30,
    params:
        module=module_of_experiment,
        settings=settings_of_runs,
        plotting=lambda wildcards: experiment_entry(wildcards)["plotting"],
        format=config["figures"]["format"],
        code=code_of_study("experiment_figures", "figures"),
    message:
        "{wildcards.study}: figures of {wildcards.experiment}"
    script:
        "../../scripts/experiment_figures.py"


rule claims:
    input:
        unpack(runs_of_all_experiments),
    output:
        table=report(
            "results/{study}/claims.csv",
            caption="../report/claims.rst",
            category="{study}",
            subcategory="Claims",
            labels={"table": "claims"},
        ),
        page="results/{study}/claims.md",
    log:
        "results/{study}/logs/claims.log",
    benchmark:
        "results/{study}/benchmarks/claims.tsv"
    wildcard_constraints:
        study=one_of(EXPERIMENT_STUDIES),
    group:
        "statistics"
    conda:
        "../../envs/studies.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=30,
    params:
        setting=config["setting"],
        modules=lambda wildcards: {
            name: entry["experiment"]
            for name, entry in experiments_of(wildcards.study).items()
        },
        settings=lambda wildcards: {
            name: settings_of_experiment(wildcards.study, name)
            for name in experiments_of(wildcards.study)
        },
        code=code_of_study("claims", "claims"),
    message:
        "{wildcards.study}: the paper's claims"
    script:
        "../../scripts/claims.py"
