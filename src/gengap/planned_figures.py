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
        inputs: by keyword, a file of a task, as a path below ``results/<task>``. ``{example}``
            stands for the shard of the network whose diagrams the task shows. A study's figure
            takes the file of each task that it compares.
        params: keywords that come from the settings.
        needs: what a task must have for the figure to be drawn: ``zoo`` (networks trained here),
            ``hyper_parameters``, ``rank_within`` (one of them) or ``topology`` (the family of
            measures). None where every task has it.
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
        "strata": PlannedFigure(
            "gengap.figures.from_tables:plot_strata",
            "Measures",
            {"leaderboard": "evaluation/leaderboard.csv", "strata": "evaluation/strata.csv"},
            ("top",),
            needs="rank_within",
        ),
        "correlations": PlannedFigure(
            "gengap.figures.from_tables:plot_correlations",
            "Measures",
            {"correlations": "evaluation/correlations.csv"},
            ("top",),
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
                "diagrams": "topology/diagrams/{example}.npz",
                "failed": "topology/diagrams/{example}.failed.json",
            },
            ("network",),
            needs="topology",
        ),
        "barcodes": PlannedFigure(
            "gengap.figures.from_diagrams:plot_barcodes",
            "Topology",
            {
                "diagrams": "topology/diagrams/{example}.npz",
                "failed": "topology/diagrams/{example}.failed.json",
            },
            ("network",),
            needs="topology",
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
