# Figures: each a PNG and a vector file, drawn from tables alone.


# One rule per figure, since a caption belongs to a rule. A new figure is one entry of FIGURES.
for of in FIGURES:
    for figure, planned in FIGURES[of].items():

        rule:
            name:
                f"figure_study_{figure}" if of == "study" else f"figure_{figure}"
            input:
                **{
                    keyword: look.figure_input(of, pattern)
                    for keyword, pattern in planned.inputs.items()
                },
            output:
                picture(figure, planned.category, of=of),
            log:
                f"results/{{{of}}}/logs/figure_{figure}.log",
            benchmark:
                f"results/{{{of}}}/benchmarks/figure_{figure}.tsv"
            wildcard_constraints:
                task=one_of(plan.names("zoo") if planned.needs == "zoo" else plan.kinds),
            group:
                "statistics"
            conda:
                "../../envs/evaluation.yaml"
            threads: 1
            resources:
                mem_mb=look.memory(1000),
                runtime=look.minutes(10),
            params:
                **{name: look.figure_param(of, name) for name in planned.params},
                of=of,
                figure=figure,
                code=look.code("figure", planned.plot.partition(":")[0]),
            message:
                f"{{wildcards.{of}}}: figure {figure.replace('_', ' ')}"
            script:
                "../../scripts/figure.py"


# The measures, the networks and their diagrams in one page that needs no server. The tables are
# newer than the diagrams, which are no inputs of their own: there are as many as shards.
rule dashboard:
    input:
        task="results/{task}/task.json",
        tables=look.task(targets.table_files),
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
        mem_mb=look.memory(2000),
        runtime=look.minutes(30),
    params:
        code=look.code("dashboard", *targets.page_files(ROOT)),
    message:
        "{wildcards.task}: dashboard"
    script:
        "../../scripts/dashboard.py"
