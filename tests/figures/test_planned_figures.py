"""The table of figures agrees with the functions that draw them and with the report."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from tests.figures import synthetic

from gengap.failures import Failure, write_failures
from gengap.figures import from_diagrams, from_tables
from gengap.planned_figures import FIGURES, PlannedFigure

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


@pytest.mark.parametrize(
    "plot", [from_diagrams.plot_barcodes, from_diagrams.plot_persistence_diagrams]
)
def test_a_failed_network_is_drawn_as_its_reason(
    plot: Callable[..., Figure], tmp_path: Path
) -> None:
    failed = tmp_path / "0.failed.json"
    write_failures(failed, [Failure("diagrams", "3", "no neuron fires")])
    figure = plot(diagrams=str(tmp_path / "0.npz"), failed=str(failed), network=3)
    assert "no neuron fires" in figure.axes[0].texts[0].get_text().replace("\n", " ")


def test_the_leaderboard_shows_as_many_measures_as_asked_for(tmp_path: Path) -> None:
    table = synthetic.leaderboard({"output_margin": "margins", "brain": "smoothness"})
    table.to_csv(tmp_path / "leaderboard.csv", index=False)
    figure = from_tables.plot_leaderboard(leaderboard=str(tmp_path / "leaderboard.csv"), top=1)
    assert figure.get_suptitle() == "The 1 best of 2 measures"
