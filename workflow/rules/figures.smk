# Figures: each a PNG and a vector file, drawn from tables alone.


# Of each param that a figure may have, its value from the settings.
FIGURE_PARAMS = {
    "colour": colour_of,
    "colours": colours_of_compared_tasks,
    "network": of_task("example"),
    "task_name": lambda wildcards: wildcards.task,
    "top": setting("figures", "measures"),
}


def files_of_figure(of, pattern):
    """An input of a figure, from its pattern in the table of figures."""
    if of == "study":
        return of_compared_tasks(pattern)
    if "{network}" in pattern:
        return each_network(f"results/{{task}}/{pattern}")
    return example_diagrams if "{example}" in pattern else f"results/{{task}}/{pattern}"


# One rule per figure, since a caption belongs to a rule. A new figure is one entry of FIGURES.
for of in FIGURES:
    for figure, planned in FIGURES[of].items():

        rule:
            name:
                f"figure_study_{figure}" if of == "study" else f"figure_{figure}"
            input:
                **{
                    keyword: files_of_figure(of, pattern)
                    for keyword, pattern in planned.inputs.items()
                },
            output:
                picture(figure, planned.category, of=of),
            log:
                f"results/{{{of}}}/logs/figure_{figure}.log",
            benchmark:
                f"results/{{{of}}}/benchmarks/figure_{figure}.tsv"
            wildcard_constraints:
                task=one_of(ZOOS if planned.needs == "zoo" else KINDS),
            group:
                "statistics"
            conda:
                "../../envs/evaluation.yaml"
            threads: 1
            resources:
                mem_mb=megabytes(1000),
                runtime=10,
            params:
                **{name: FIGURE_PARAMS[name] for name in planned.params},
                of=of,
                figure=figure,
                code=code("figure", planned.draw.partition(":")[0]),
            message:
                f"{{wildcards.{of}}}: figure {figure.replace('_', ' ')}"
            script:
                "../../scripts/figure.py"


# The measures, the networks and their diagrams in one page that needs no server.
rule dashboard:
    input:
        task="results/{task}/task.json",
        tables=lambda wildcards: [
            f"results/{wildcards.task}/{name}" for name in table_files(wildcards.task)
        ],
        diagrams=all_diagrams,
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
        code=code("dashboard", *files_of_the_page()),
    message:
        "{wildcards.task}: dashboard"
    script:
        "../../scripts/dashboard.py"
