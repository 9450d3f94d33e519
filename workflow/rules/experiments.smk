# The experiments of the studies that make their own networks and data: one job per run.


rule experiment:
    output:
        outcome="results/{study}/runs/{experiment}/{run}.npz",
    log:
        "results/{study}/logs/experiment/{experiment}/{run}.log",
    benchmark:
        "results/{study}/benchmarks/experiment/{experiment}/{run}.tsv"
    wildcard_constraints:
        study=one_of(plan.experiment_studies),
    group:
        "training"
    conda:
        "../../envs/studies.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: attempt
        * resources.memory_of_run(
            experiment_of(wildcards).run(int(wildcards.run))[1], plan.config["device"]
        ),
        runtime=240,
        gpu=resources.gpus(plan.config["device"]),
    params:
        module=lambda wildcards: experiment_of(wildcards).module,
        settings=lambda wildcards: experiment_of(wildcards).run(int(wildcards.run))[1],
        seed=lambda wildcards: plan.settings(wildcards.study)["seed"],
        place=lambda wildcards: experiment_of(wildcards).run(int(wildcards.run))[0],
        data_dir=plan.config["data_dir"],
        device=plan.config["device"],
        code=code(
            "experiment", lambda wildcards: experiment_of(wildcards).module_path
        ),
    message:
        "{wildcards.study}: {wildcards.experiment}, run {wildcards.run}"
    script:
        "../../scripts/experiment.py"


rule experiment_figures:
    input:
        runs=lambda wildcards: experiment_of(wildcards).files,
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
        study=one_of(plan.experiment_studies),
    group:
        "statistics"
    conda:
        "../../envs/studies.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=30,
    params:
        module=lambda wildcards: experiment_of(wildcards).module,
        settings=lambda wildcards: experiment_of(wildcards).runs,
        drawing=lambda wildcards: experiment_of(wildcards).entry["drawing"],
        format=plan.config["figures"]["format"],
        code=code(
            "experiment_figures",
            lambda wildcards: experiment_of(wildcards).module_path,
        ),
    message:
        "{wildcards.study}: figures of {wildcards.experiment}"
    script:
        "../../scripts/experiment_figures.py"


rule claims:
    input:
        unpack(ask_of_study(targets.run_files)),
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
        study=one_of(plan.experiment_studies),
    group:
        "statistics"
    conda:
        "../../envs/studies.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=30,
    params:
        setting=plan.config["setting"],
        settings=lambda wildcards: {
            name: experiment.runs
            for name, experiment in plan.experiments(wildcards.study).items()
        },
        code=code(
            "claims", lambda wildcards: f"gengap.studies.{wildcards.study}.claims"
        ),
    message:
        "{wildcards.study}: the paper's claims"
    script:
        "../../scripts/claims.py"
