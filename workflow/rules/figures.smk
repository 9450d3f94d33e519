# Figures: each a PNG and a vector file, drawn from tables alone.


rule figure_leaderboard:
    input:
        leaderboard="results/{task}/evaluation/leaderboard.csv",
    output:
        picture("leaderboard", "Measures"),
    log:
        "results/{task}/logs/figure_leaderboard.log",
    benchmark:
        "results/{task}/benchmarks/figure_leaderboard.tsv"
    group:
        "statistics"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=10,
    params:
        top=setting("figures", "measures"),
        code=code("figure_leaderboard"),
    message:
        "{wildcards.task}: figure leaderboard"
    script:
        "../../scripts/figure_leaderboard.py"


rule figure_scatter:
    input:
        task="results/{task}/task.json",
        measures="results/{task}/measures.csv",
        leaderboard="results/{task}/evaluation/leaderboard.csv",
    output:
        picture("scatter", "Measures"),
    log:
        "results/{task}/logs/figure_scatter.log",
    benchmark:
        "results/{task}/benchmarks/figure_scatter.tsv"
    group:
        "statistics"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=10,
    params:
        colour=ask(lambda task: task.colour),
        code=code("figure_scatter"),
    message:
        "{wildcards.task}: figure scatter"
    script:
        "../../scripts/figure_scatter.py"


rule figure_strata:
    input:
        leaderboard="results/{task}/evaluation/leaderboard.csv",
        strata="results/{task}/evaluation/strata.csv",
    output:
        picture("strata", "Measures"),
    log:
        "results/{task}/logs/figure_strata.log",
    benchmark:
        "results/{task}/benchmarks/figure_strata.tsv"
    group:
        "statistics"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=10,
    params:
        top=setting("figures", "measures"),
        code=code("figure_strata"),
    message:
        "{wildcards.task}: figure strata"
    script:
        "../../scripts/figure_strata.py"


rule figure_correlations:
    input:
        correlations="results/{task}/evaluation/correlations.csv",
    output:
        picture("correlations", "Measures"),
    log:
        "results/{task}/logs/figure_correlations.log",
    benchmark:
        "results/{task}/benchmarks/figure_correlations.tsv"
    group:
        "statistics"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=10,
    params:
        top=setting("figures", "measures"),
        code=code("figure_correlations"),
    message:
        "{wildcards.task}: figure correlations"
    script:
        "../../scripts/figure_correlations.py"


rule figure_r2_heatmap:
    input:
        leaderboard="results/{task}/evaluation/leaderboard.csv",
    output:
        picture("r2_heatmap", "Topology"),
    log:
        "results/{task}/logs/figure_r2_heatmap.log",
    benchmark:
        "results/{task}/benchmarks/figure_r2_heatmap.tsv"
    group:
        "statistics"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=10,
    params:
        code=code("figure_r2_heatmap"),
    message:
        "{wildcards.task}: figure r2 heatmap"
    script:
        "../../scripts/figure_r2_heatmap.py"


rule figure_persistence_diagrams:
    input:
        diagrams=ask(targets.example_diagrams),
        failed=ask(targets.example_failures),
    output:
        picture("persistence_diagrams", "Topology"),
    log:
        "results/{task}/logs/figure_persistence_diagrams.log",
    benchmark:
        "results/{task}/benchmarks/figure_persistence_diagrams.tsv"
    group:
        "statistics"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=10,
    params:
        network=of_task("example"),
        code=code("figure_persistence_diagrams"),
    message:
        "{wildcards.task}: figure persistence diagrams"
    script:
        "../../scripts/figure_persistence_diagrams.py"


rule figure_barcodes:
    input:
        diagrams=ask(targets.example_diagrams),
        failed=ask(targets.example_failures),
    output:
        picture("barcodes", "Topology"),
    log:
        "results/{task}/logs/figure_barcodes.log",
    benchmark:
        "results/{task}/benchmarks/figure_barcodes.tsv"
    group:
        "statistics"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=10,
    params:
        network=of_task("example"),
        code=code("figure_barcodes"),
    message:
        "{wildcards.task}: figure barcodes"
    script:
        "../../scripts/figure_barcodes.py"


rule figure_training:
    input:
        task="results/{task}/task.json",
        receipts=ask(targets.receipts),
    output:
        picture("training", "Networks"),
    log:
        "results/{task}/logs/figure_training.log",
    benchmark:
        "results/{task}/benchmarks/figure_training.tsv"
    wildcard_constraints:
        task=one_of(plan.names("zoo")),
    group:
        "statistics"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=10,
    params:
        colour=ask(lambda task: task.colour),
        code=code("figure_training"),
    message:
        "{wildcards.task}: figure training"
    script:
        "../../scripts/figure_training.py"


rule figure_gaps:
    input:
        task="results/{task}/task.json",
    output:
        picture("gaps", "Networks"),
    log:
        "results/{task}/logs/figure_gaps.log",
    benchmark:
        "results/{task}/benchmarks/figure_gaps.tsv"
    group:
        "statistics"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(1000),
        runtime=10,
    params:
        colour=ask(lambda task: task.colour),
        code=code("figure_gaps"),
    message:
        "{wildcards.task}: figure gaps"
    script:
        "../../scripts/figure_gaps.py"


# The measures, the networks and their diagrams in one page that needs no server.
rule dashboard:
    input:
        task="results/{task}/task.json",
        tables=ask(targets.table_files),
        diagrams=ask(targets.all_diagrams),
    output:
        page=report(
            "results/{task}/dashboard.html",
            caption="../report/dashboard.rst",
            category="{task}",
            subcategory="Dashboard",
        ),
    log:
        "results/{task}/logs/dashboard.log",
    benchmark:
        "results/{task}/benchmarks/dashboard.tsv"
    group:
        "statistics"
    conda:
        "../../envs/evaluation.yaml"
    threads: 1
    resources:
        mem_mb=megabytes(2000),
        runtime=30,
    params:
        code=code("dashboard", lambda wildcards: targets.page_files(ROOT)),
    message:
        "{wildcards.task}: dashboard"
    script:
        "../../scripts/dashboard.py"
