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
        **named(
            unfit=look.setting("evaluation", "unfit"),
            code=look.code("clusters"),
        ),
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
        **named(
            unfit=look.setting("evaluation", "unfit"),
            code=look.code("mutual_information"),
        ),
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
        **named(
            **look.section("evaluation"),
            correlate_within=look.own("correlate_within"),
            seed=look.setting("seed"),
            code=look.code("summary_correlations"),
        ),
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
        **named(
            seed=look.setting("seed"),
            code=look.code("five_by_two"),
        ),
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
        **named(
            feature_sets=look.setting("feature_sets"),
            code=look.code("feature_sets"),
        ),
    message:
        "{wildcards.task}: testing the feature sets against each other"
    script:
        "../../scripts/feature_sets.py"


rule study_table:
    input:
        tables=lambda wildcards: targets.tables_of_study(
            plan, wildcards.study, wildcards.table
        ),
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
    wildcard_constraints:
        study=one_of(plan.task_studies),
        table=one_of(targets.TABLES_OF_STUDIES),
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


# The claims of the paper whose study compares tasks.
rule task_claims:
    input:
        tasks=look.study(
            lambda plan, study: targets.study_tasks(plan, study, "task.json")
        ),
        measures=look.study(
            lambda plan, study: targets.study_tasks(plan, study, "measures.csv")
        ),
        scores=look.study(
            lambda plan, study: targets.study_tasks(
                plan, study, "evaluation/five_by_two.csv"
            )
        ),
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
        "results/{study}/logs/task_claims.log",
    benchmark:
        "results/{study}/benchmarks/task_claims.tsv"
    wildcard_constraints:
        study="ballester2023",
    group:
        "statistics"
    conda:
        "../../envs/studies.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(3000),
        runtime=look.minutes(30),
    params:
        **named(
            setting=plan.config["setting"],
            judging=look.study(Plan.judging_setting),
            tasks=look.study(targets.claimed_tasks),
            code=look.code("task_claims"),
        ),
    message:
        "{wildcards.study}: the paper's claims"
    script:
        "../../scripts/task_claims.py"


# How well the gaps of networks are predicted that a reference has not seen.


rule left_out_predictions:
    input:
        task="results/{task}/task.json",
        measures="results/{task}/measures.csv",
        recipe="results/{task}/recipe.json",
    output:
        predictions="results/{task}/prediction/left_out.csv",
    log:
        "results/{task}/logs/left_out_predictions.log",
    benchmark:
        "results/{task}/benchmarks/left_out_predictions.tsv"
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(2000),
        runtime=look.minutes(60),
    params:
        code=look.code("left_out_predictions"),
    message:
        "{wildcards.task}: predicting networks that are left out"
    script:
        "../../scripts/left_out_predictions.py"


rule carried_over_predictions:
    input:
        tasks=lambda wildcards: targets.study_tasks(
            plan, targets.PREDICTION, "task.json"
        ),
        measures=lambda wildcards: targets.study_tasks(
            plan, targets.PREDICTION, "measures.csv"
        ),
    output:
        predictions="results/{task}/prediction/carried_over.csv",
    log:
        "results/{task}/logs/carried_over_predictions.log",
    benchmark:
        "results/{task}/benchmarks/carried_over_predictions.tsv"
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(2000),
        runtime=look.minutes(60),
    params:
        code=look.code("carried_over_predictions"),
    message:
        "{wildcards.task}: predicting the networks of the other tasks"
    script:
        "../../scripts/carried_over_predictions.py"


rule cross_validated_recipes:
    input:
        task="results/{task}/task.json",
        plan="results/{task}/plan.json",
    output:
        recipes="results/{task}/prediction/recipes.csv",
    log:
        "results/{task}/logs/cross_validated_recipes.log",
    benchmark:
        "results/{task}/benchmarks/cross_validated_recipes.tsv"
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(2000),
        runtime=look.minutes(60),
    params:
        **named(
            entries=look.task(lambda task: task.entries),
            code=look.code("cross_validated_recipes"),
        ),
    message:
        "{wildcards.task}: cross-validating training recipes"
    script:
        "../../scripts/cross_validated_recipes.py"


rule prediction_report:
    input:
        tasks=lambda wildcards: targets.study_tasks(
            plan, targets.PREDICTION, "task.json"
        ),
        left_out=lambda wildcards: targets.study_tasks(
            plan, targets.PREDICTION, "prediction/left_out.csv"
        ),
        carried_over=lambda wildcards: targets.study_tasks(
            plan, targets.PREDICTION, "prediction/carried_over.csv"
        ),
        recipes=lambda wildcards: targets.study_tasks(
            plan, targets.PREDICTION, "prediction/recipes.csv"
        ),
    output:
        report="results/prediction/prediction.md",
        image=report(
            "results/prediction/prediction.png",
            caption="../report/prediction_study.rst",
            category="prediction",
            labels={"figure": "coverage"},
        ),
        vector="results/prediction/prediction.svg",
        zoos="results/prediction/tables/zoos.csv",
        coverage="results/prediction/tables/coverage.csv",
        scores="results/prediction/tables/scores.csv",
        r2="results/prediction/tables/r2.csv",
        pairs="results/prediction/tables/pairs.csv",
        recipes="results/prediction/tables/recipes.csv",
    log:
        "results/prediction/logs/prediction_report.log",
    benchmark:
        "results/prediction/benchmarks/prediction_report.tsv"
    conda:
        "../../envs/studies.yaml"
    threads: 1
    resources:
        mem_mb=look.memory(2000),
        runtime=look.minutes(30),
    params:
        **named(
            setting=plan.config["setting"],
            code=look.code("prediction_report"),
        ),
    message:
        "prediction: writing the report"
    script:
        "../../scripts/prediction_report.py"
