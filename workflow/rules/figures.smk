# Figures: each a PNG and a vector file, drawn from tables alone.


# Figures that need the same of a task are drawn by one job, since drawing takes less than loading
# what draws. A new figure is one entry of FIGURES.
for of in FIGURES:
    for needs, drawn in figures_by_need(of).items():

        rule:
            name:
                "_".join(
                    ["figures", *["study"] * (of == "study"), *[needs] * bool(needs)]
                )
            input:
                **{
                    f"{figure}__{keyword}": look.figure_input(of, pattern)
                    for figure, planned in drawn.items()
                    for keyword, pattern in planned.inputs.items()
                },
            output:
                **{
                    figure: picture(figure, planned.category, of=of)
                    for figure, planned in drawn.items()
                },
            log:
                f"results/{{{of}}}/logs/figures_{needs or 'all'}.log",
            benchmark:
                f"results/{{{of}}}/benchmarks/figures_{needs or 'all'}.tsv"
            wildcard_constraints:
                task=one_of(plan.names("zoo") if needs == "zoo" else plan.kinds),
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
                    **{
                        name: look.figure_param(of, name)
                        for planned in drawn.values()
                        for name in planned.params
                    },
                    of=of,
                    figures=list(drawn),
                    code=look.code(
                        "figure",
                        *(
                            planned.plot.partition(":")[0]
                            for planned in drawn.values()
                        ),
                    ),
                ),
            message:
                f"{{wildcards.{of}}}: figures {', '.join(drawn).replace('_', ' ')}"
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
