# The experiments of the studies that make their own networks and data: one job per run.


# A local rule, since compute nodes of clusters often have no internet access: official data are
# fetched, or found in data_dir, before the runs that read them.
rule official_data:
    output:
        receipt="results/{study}/data/{dataset}.json",
    log:
        "results/{study}/logs/data/{dataset}.log",
    benchmark:
        "results/{study}/benchmarks/data/{dataset}.tsv"
    wildcard_constraints:
        study=one_of(plan.experiment_studies),
        dataset=one_of(OFFICIAL_DATASETS),
    localrule: True
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(2000),
        runtime=look.minutes(720),
    params:
        **named(
            data_dir=plan.config["data_dir"],
            code=look.code("official_data"),
        ),
    message:
        "{wildcards.study}: the files of {wildcards.dataset}"
    script:
        "../../scripts/official_data.py"


rule experiment:
    input:
        look.official_data,
    output:
        outcome="results/{study}/runs/{experiment}/{run}.npz",
    log:
        "results/{study}/logs/experiment/{experiment}/{run}.log",
    benchmark:
        "results/{study}/benchmarks/experiment/{experiment}/{run}.tsv"
    wildcard_constraints:
        study=one_of(plan.experiment_studies),
    group:
        "experiments"
    conda:
        "../../envs/studies.yaml"
    threads: look.experiment(lambda plan: plan.entry["threads"])
    resources:
        mem_mb=look.memory_of_run,
        runtime=look.minutes_of_run,
        gpu=look.gpus,
    params:
        **named(
            module=look.experiment(lambda plan: plan.module),
            settings=look.settings_of_run,
            save=look.experiment(lambda plan: plan.entry["save"]),
            seed=look.study(lambda plan, study: plan.settings(study)["seed"]),
            place=look.place_of_run,
            data_dir=plan.config["data_dir"],
            device=look.device,
            code=look.code(
                "experiment", look.experiment(lambda plan: plan.module_path)
            ),
        ),
    message:
        "{wildcards.study}: {wildcards.experiment}, run {wildcards.run}"
    script:
        "../../scripts/experiment.py"


rule experiment_figures:
    input:
        runs=look.experiment(lambda plan: plan.files),
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
        mem_mb=look.memory(2000),
        runtime=look.minutes(30),
    params:
        **named(
            module=look.experiment(lambda plan: plan.module),
            settings=look.experiment(lambda plan: plan.runs),
            plotting=look.experiment(lambda plan: plan.entry["plotting"]),
            format=plan.config["figures"]["format"],
            code=look.code(
                "experiment_figures",
                lambda wildcards: f"gengap.studies.{wildcards.study}.figures",
                look.experiment(lambda plan: plan.module_path),
            ),
        ),
    message:
        "{wildcards.study}: figures of {wildcards.experiment}"
    script:
        "../../scripts/experiment_figures.py"


rule claims:
    input:
        unpack(look.study(targets.run_files)),
    output:
        table=report(
            "results/{study}/claims.csv",
            caption="../report/claims.rst",
            category="{study}",
            subcategory="Claims",
            labels={"table": "claims"},
        ),
        page="results/{study}/claims.md",
        strips=directory("results/{study}/claims"),
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
        mem_mb=look.memory(2000),
        runtime=look.minutes(30),
    params:
        **named(
            setting=plan.config["setting"],
            judging=look.study(Plan.judging_setting),
            modules=look.study(targets.experiment_modules),
            settings=look.study(targets.run_settings),
            code=look.code(
                "claims", lambda wildcards: f"gengap.studies.{wildcards.study}.claims"
            ),
        ),
    message:
        "{wildcards.study}: the paper's claims"
    script:
        "../../scripts/claims.py"
