# Which measures predict the gap.


rule evaluate:
    input:
        task="results/{task}/task.json",
        measures="results/{task}/measures.csv",
        errors="results/{task}/standard_errors.csv",
    output:
        *[
            f"results/{{task}}/evaluation/{name}.csv"
            for name in targets.EVALUATION_FILES
        ],
        ols="results/{task}/evaluation/best_ols.txt",
        summary="results/{task}/evaluation/summary.txt",
    log:
        "results/{task}/logs/evaluate.log",
    benchmark:
        "results/{task}/benchmarks/evaluate.tsv"
    group:
        "statistics"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(2000),
        runtime=look.minutes(60),
    params:
        **named(
            **look.section("evaluation"),
            correlate_within=look.own("correlate_within"),
            rank_within=look.own("rank_within"),
            seed=look.setting("seed"),
            code=look.code("evaluate"),
        ),
    message:
        "{wildcards.task}: evaluating the measures"
    script:
        "../../scripts/evaluate.py"


# Planned where the config has several tasks.
rule across_tasks:
    input:
        tasks=[f"results/{name}/task.json" for name in targets.evaluated(plan)],
        measures=[f"results/{name}/measures.csv" for name in targets.evaluated(plan)],
    output:
        table="results/across_tasks.csv",
    log:
        "results/logs/across_tasks.log",
    benchmark:
        "results/benchmarks/across_tasks.tsv"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(2000),
        runtime=look.minutes(30),
    params:
        **named(
            bootstrap_resamples=plan.config["evaluation"]["bootstrap_resamples"],
            unfit=plan.config["evaluation"]["unfit"],
            seed=plan.config["seed"],
            code=look.code("across_tasks"),
        ),
    message:
        "what carries over from task to task"
    script:
        "../../scripts/across_tasks.py"
