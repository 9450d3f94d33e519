"""The figures that the workflow draws: what each takes, and the function that plots it.

To add a figure, write a function that draws it from its files (as in
:mod:`gengap.figures.from_tables`), name it here, and write its caption,
``workflow/report/<figure>.rst``.

Planning reads this table, so this module imports nothing of gengap. It is separate from
:mod:`gengap.names`, which every job reaches, so that a new figure makes no other job stale.
"""

from __future__ import annotations

from typing import NamedTuple


class PlannedFigure(NamedTuple):
    """A figure as the workflow knows it before it is drawn.

    Attributes:
        plot: ``module:function`` that returns the figure. The keywords of the function are those
            of ``inputs`` (paths, or lists of paths) and ``params``.
        category: heading of the figure in the report.
        inputs: by keyword, a file of a task, as a path below ``results/<task>``. ``{shard}``
            stands for every shard of the task, and makes a list of files. A study's figure takes
            the file of each task that it compares.
        params: keywords that come from the settings.
        needs: what a task must have for the figure to be drawn: ``zoo`` (networks trained here),
            ``hyper_parameters``, ``topology`` (the family of measures), ``diagrams`` (of all of
            its networks) or ``prediction`` (from a reference). None where every evaluated task has
            it.
    """

    plot: str
    category: str
    inputs: dict[str, str]
    params: tuple[str, ...] = ()
    needs: str | None = None


FIGURES = {
    "task": {
        "leaderboard": PlannedFigure(
            "gengap.figures.from_tables:plot_leaderboard",
            "Measures",
            {"leaderboard": "evaluation/leaderboard.csv"},
            ("top",),
        ),
        "scatter": PlannedFigure(
            "gengap.figures.from_task:plot_scatter",
            "Measures",
            {
                "task": "task.json",
                "measures": "measures.csv",
                "leaderboard": "evaluation/leaderboard.csv",
            },
            ("colour",),
        ),
        "correlations": PlannedFigure(
            "gengap.figures.from_tables:plot_correlations",
            "Measures",
            {"correlations": "evaluation/correlations.csv"},
            ("top",),
        ),
        "environments": PlannedFigure(
            "gengap.figures.from_tables:plot_environments",
            "Measures",
            {"environments": "evaluation/environments.csv"},
            ("top",),
            needs="hyper_parameters",
        ),
        "held_out": PlannedFigure(
            "gengap.figures.from_task:plot_held_out",
            "All measures together",
            {
                "task": "task.json",
                "held_out": "evaluation/held_out.csv",
                "leaderboard": "evaluation/leaderboard.csv",
            },
            ("colour",),
        ),
        "learning_curve": PlannedFigure(
            "gengap.figures.from_tables:plot_learning_curve",
            "All measures together",
            {"learning_curve": "evaluation/learning_curve.csv"},
        ),
        "families": PlannedFigure(
            "gengap.figures.from_tables:plot_families",
            "All measures together",
            {
                "combination": "evaluation/combination.csv",
                "importance": "evaluation/importance.csv",
            },
        ),
        "r2_heatmap": PlannedFigure(
            "gengap.figures.from_tables:plot_r2_heatmap",
            "Topology",
            {"leaderboard": "evaluation/leaderboard.csv"},
            ("task_name",),
            needs="topology",
        ),
        "persistence_diagrams": PlannedFigure(
            "gengap.figures.from_diagrams:plot_persistence_diagrams",
            "Topology",
            {
                "task": "task.json",
                "left_out": "evaluation/left_out.csv",
                "diagrams": "topology/diagrams/{shard}.npz",
                "failed": "topology/diagrams/{shard}.failed.json",
            },
            needs="diagrams",
        ),
        "barcodes": PlannedFigure(
            "gengap.figures.from_diagrams:plot_barcodes",
            "Topology",
            {
                "task": "task.json",
                "left_out": "evaluation/left_out.csv",
                "diagrams": "topology/diagrams/{shard}.npz",
                "failed": "topology/diagrams/{shard}.failed.json",
            },
            needs="diagrams",
        ),
        "training": PlannedFigure(
            "gengap.figures.from_task:plot_training",
            "Networks",
            {"task": "task.json"},
            ("colour",),
            needs="zoo",
        ),
        "gaps": PlannedFigure(
            "gengap.figures.from_task:plot_gaps",
            "Networks",
            {"task": "task.json"},
            ("colour",),
            needs="hyper_parameters",
        ),
        "predictions": PlannedFigure(
            "gengap.figures.from_task:plot_predictions",
            "Predictions",
            {"task": "task.json", "predictions": "predictions.csv"},
            needs="prediction",
        ),
    },
    "study": {
        "r2_heatmap": PlannedFigure(
            "gengap.figures.from_tables:plot_r2_heatmaps",
            "Figures",
            {"scores": "evaluation/five_by_two.csv"},
        ),
        "moments": PlannedFigure(
            "gengap.figures.from_study:plot_moments",
            "Figures",
            {"tasks": "task.json", "measures": "measures.csv"},
            ("colours",),
        ),
    },
}
"""The figures of a task and those of a study that compares tasks, by name."""


def figures_by_need(of: str) -> dict[str | None, dict[str, PlannedFigure]]:
    """Divide figures by what a task must have for them; those of one part are drawn together.

    Args:
        of: ``task`` or ``study``.

    Returns:
        By need, the figures by name.
    """
    parts: dict[str | None, dict[str, PlannedFigure]] = {}
    for name, planned in FIGURES[of].items():
        parts.setdefault(planned.needs, {})[name] = planned
    return parts
