# Which measures predict the gap.


rule evaluate:
    input:
        task="results/{task}/task.json",
        measures="results/{task}/measures.csv",
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
        runtime=60,
    params:
        **look.section("evaluation"),
        correlate_within=look.own("correlate_within"),
        rank_within=look.own("rank_within"),
        seed=look.setting("seed"),
        code=look.code("evaluate"),
    message:
        "{wildcards.task}: evaluating the measures"
    script:
        "../../scripts/evaluate.py"
