# Statistics beside the leaderboard of a task, and what a study says of all its tasks together.


rule clusters:
    input:
        task="results/{task}/task.json",
        measures="results/{task}/measures.csv",
    output:
        clusters="results/{task}/evaluation/clusters.csv",
    log:
        "results/{task}/logs/clusters.log",
    benchmark:
        "results/{task}/benchmarks/clusters.tsv"
    group:
        "statistics"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(1000),
        runtime=look.minutes(10),
    params:
        unfit=look.setting("evaluation", "unfit"),
        code=look.code("clusters"),
    message:
        "{wildcards.task}: clusters of networks by each summary and the gap"
    script:
        "../../scripts/clusters.py"


rule mutual_information:
    input:
        task="results/{task}/task.json",
        measures="results/{task}/measures.csv",
    output:
        scores="results/{task}/evaluation/mutual_information.csv",
    log:
        "results/{task}/logs/mutual_information.log",
    benchmark:
        "results/{task}/benchmarks/mutual_information.tsv"
    group:
        "statistics"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(1000),
        runtime=look.minutes(30),
    params:
        unfit=look.setting("evaluation", "unfit"),
        code=look.code("mutual_information"),
    message:
        "{wildcards.task}: the competition's score of each measure"
    script:
        "../../scripts/mutual_information.py"


rule summary_correlations:
    input:
        task="results/{task}/task.json",
        measures="results/{task}/measures.csv",
    output:
        correlations="results/{task}/evaluation/summary_correlations.csv",
        strongest="results/{task}/evaluation/strongest.csv",
    log:
        "results/{task}/logs/summary_correlations.log",
    benchmark:
        "results/{task}/benchmarks/summary_correlations.tsv"
    group:
        "statistics"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(1000),
        runtime=look.minutes(30),
    params:
        **look.section("evaluation"),
        correlate_within=look.own("correlate_within"),
        seed=look.setting("seed"),
        code=look.code("summary_correlations"),
    message:
        "{wildcards.task}: rank correlations of each summary with the gap"
    script:
        "../../scripts/summary_correlations.py"


rule five_by_two:
    input:
        task="results/{task}/task.json",
        measures="results/{task}/measures.csv",
    output:
        scores="results/{task}/evaluation/five_by_two.csv",
        folds="results/{task}/evaluation/five_by_two_folds.csv",
    log:
        "results/{task}/logs/five_by_two.log",
    benchmark:
        "results/{task}/benchmarks/five_by_two.tsv"
    group:
        "statistics"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(1000),
        runtime=look.minutes(30),
    params:
        seed=look.setting("seed"),
        code=look.code("five_by_two"),
    message:
        "{wildcards.task}: 5x2 cross-validation of each measure, as in the paper"
    script:
        "../../scripts/five_by_two.py"


rule feature_sets:
    input:
        scores="results/{task}/evaluation/five_by_two.csv",
        folds="results/{task}/evaluation/five_by_two_folds.csv",
    output:
        feature_sets="results/{task}/evaluation/feature_sets.csv",
        tests="results/{task}/evaluation/feature_set_tests.csv",
    log:
        "results/{task}/logs/feature_sets.log",
    benchmark:
        "results/{task}/benchmarks/feature_sets.tsv"
    group:
        "statistics"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(1000),
        runtime=look.minutes(10),
    params:
        feature_sets=look.setting("feature_sets"),
        code=look.code("feature_sets"),
    message:
        "{wildcards.task}: testing the feature sets against each other"
    script:
        "../../scripts/feature_sets.py"


rule study_table:
    input:
        tables=lambda wildcards: [
            f"results/{task}/evaluation/{wildcards.table}.csv"
            for task in plan.tasks_of_study(wildcards.study)
        ],
    output:
        table=report(
            "results/{study}/tables/{table}.csv",
            caption="../report/study_table.rst",
            category="{study}",
            subcategory="Tables",
            labels={"table": "{table}"},
        ),
    log:
        "results/{study}/logs/tables/{table}.log",
    benchmark:
        "results/{study}/benchmarks/tables/{table}.tsv"
    localrule: True
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(1000),
        runtime=look.minutes(10),
    params:
        code=look.code("study_table"),
    message:
        "{wildcards.study}: table {wildcards.table}"
    script:
        "../../scripts/study_table.py"
