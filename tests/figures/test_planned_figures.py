"""The table of figures agrees with the functions that draw them and with the report."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure
from tests.figures import synthetic

from gengap import tasks
from gengap.failures import Failure, write_failures
from gengap.figures import from_diagrams, from_tables
from gengap.planned_figures import FIGURES, PlannedFigure
from gengap.tasks.folder import Metrics
from gengap.topology import write_diagrams

PLANNED = [
    pytest.param(figure, id=f"{of}-{name}")
    for of, figures in FIGURES.items()
    for name, figure in figures.items()
]


@pytest.mark.parametrize("figure", PLANNED)
def test_a_planned_figure_names_the_keywords_of_its_function(figure: PlannedFigure) -> None:
    module, _, function = figure.plot.partition(":")
    keywords = inspect.signature(getattr(import_module(module), function)).parameters
    assert list(keywords) == [*figure.inputs, *figure.params]
    assert {parameter.kind for parameter in keywords.values()} == {inspect.Parameter.KEYWORD_ONLY}


def test_every_figure_has_a_caption(root: Path) -> None:
    captions = {path.stem for path in (root / "workflow" / "report").glob("*.rst")}
    assert {name for figures in FIGURES.values() for name in figures} <= captions


@pytest.mark.slow
def test_figures_load_no_torch() -> None:
    # The environment of their rule has none.
    modules = {figure.plot.partition(":")[0] for of in FIGURES.values() for figure in of.values()}
    lines = [*(f"import {module}" for module in sorted(modules)), "import sys"]
    lines.append("assert 'torch' not in sys.modules")
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)


def test_planning_a_figure_loads_no_library_that_draws() -> None:
    lines = ["import gengap.planned_figures, sys"]
    lines.append("assert not {'matplotlib', 'pandas', 'numpy'} & set(sys.modules)")
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True)


def test_tasks_of_a_study_stand_side_by_side_under_their_own_names(tmp_path: Path) -> None:
    paths = []
    for seed, task in enumerate(("first", "second")):
        path = tmp_path / task / "evaluation" / "five_by_two.csv"
        path.parent.mkdir(parents=True)
        synthetic.leaderboard(synthetic.topological(), seed).to_csv(path, index=False)
        paths.append(str(path))
    figure = from_tables.plot_r2_heatmaps(scores=paths)
    assert [axes.get_title() for axes in figure.axes[:2]] == ["first", "second"]


@pytest.fixture
def task(tmp_path: Path) -> dict[str, Any]:
    """The inputs of a figure of diagrams: six networks in two shards, of which 5 has failed."""
    gaps = {"0": 0.3, "1": 0.1, "2": 0.2, "3": 0.4, "4": 0.05, "5": 0.01}
    metrics = {name: Metrics({"width": 8}, 1.0, 1.0 - gap) for name, gap in gaps.items()}
    tasks.write_task(tmp_path / "task.json", "six", {"width": [8]}, metrics)
    left_out = pd.DataFrame([("network", "3", "x"), ("measure", "4", "y")])
    left_out.set_axis(["kind", "name", "reason"], axis=1).to_csv(tmp_path / "out.csv", index=False)
    paths = [str(tmp_path / f"{shard}.npz") for shard in range(2)]
    write_diagrams({name: ([synthetic.draw(8, int(name))], {}) for name in "012"}, paths[0])
    write_diagrams({name: ([synthetic.draw(8, int(name))], {}) for name in "34"}, paths[1])
    failed = [str(tmp_path / f"{shard}.failed.json") for shard in range(2)]
    write_failures(failed[0], [])
    write_failures(failed[1], [Failure("diagrams", "5", "no neuron fires")])
    return {
        "task": str(tmp_path / "task.json"),
        "left_out": str(tmp_path / "out.csv"),
        "diagrams": paths,
        "failed": failed,
    }


DIAGRAMS = [from_diagrams.plot_barcodes, from_diagrams.plot_persistence_diagrams]


@pytest.mark.parametrize("plot", DIAGRAMS)
def test_the_smallest_and_the_largest_gap_of_compared_networks_are_drawn(
    plot: Callable[..., Figure], task: dict[str, Any]
) -> None:
    titles = [axes.get_title(loc=loc) for axes in plot(**task).axes for loc in ("left", "center")]
    shown = [title.partition("\n")[0] for title in titles if title]
    # Network 3 has the largest gap but is left out, and network 5 the smallest but no diagrams.
    assert shown == ["smallest gap: 0.050 (network 4)", "largest gap: 0.300 (network 0)"]


@pytest.mark.parametrize("plot", DIAGRAMS)
def test_a_task_without_diagrams_is_drawn_as_the_reason(
    plot: Callable[..., Figure], task: dict[str, Any]
) -> None:
    figure = plot(**{**task, "diagrams": []})
    assert "Network 5: no neuron fires" in figure.axes[0].texts[0].get_text().replace("\n", " ")


def test_empty_tables_are_drawn_as_the_reason(tmp_path: Path) -> None:
    tables = {
        "environments": synthetic.environments(["a"]),
        "learning_curve": synthetic.learning_curve(),
        "importance": synthetic.importance(),
        "combination": synthetic.combination(),
    }
    for name, table in tables.items():
        table[:0].to_csv(tmp_path / f"{name}.csv", index=False)
    paths = {name: str(tmp_path / f"{name}.csv") for name in tables}
    both = {name: paths[name] for name in ("combination", "importance")}
    for figure, words in (
        (from_tables.plot_environments(environments=paths["environments"], top=3), "No two"),
        (from_tables.plot_learning_curve(learning_curve=paths["learning_curve"]), "Too few"),
        (from_tables.plot_families(**both), "Too few"),
    ):
        assert figure.axes[0].texts[0].get_text().startswith(words)


def test_the_leaderboard_shows_as_many_measures_as_asked_for(tmp_path: Path) -> None:
    table = synthetic.leaderboard({"output_margin": "margins", "brain": "smoothness"})
    table.to_csv(tmp_path / "leaderboard.csv", index=False)
    figure = from_tables.plot_leaderboard(leaderboard=str(tmp_path / "leaderboard.csv"), top=1)
    assert figure.get_suptitle() == "1 of 2 ranked measures"
    assert "group 1" in [text.get_text() for text in figure.axes[1].texts]
