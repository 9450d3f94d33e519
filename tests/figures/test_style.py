"""Saving: the same bytes always, nothing half-written, no global state."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from tests.figures import synthetic

from gengap import figures
from gengap.errors import GengapError
from gengap.figures import style

SUFFIXES = ("png", "svg", "pdf")
DRAW = """
import sys, numpy as np
from gengap import figures
bars = np.array([[0.0, 0.5], [0.0, np.inf]])
for suffix in ("png", "svg", "pdf"):
    figure = figures.persistence_diagrams({"τ and R²": [[bars, bars[:1] + 0.1]]})
    figures.save(figure, f"{sys.argv[1]}/figure.{suffix}")
print("matplotlib.pyplot" in sys.modules, "torch" in sys.modules)
"""


@pytest.mark.slow
def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    # Hash seeds, a reader's own matplotlibrc and the clock must not reach the files.
    for name, seed, lines in (("a", "1", ""), ("b", "2", "font.size: 20\nsvg.hashsalt: other")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "matplotlibrc").write_text(lines)
        done = subprocess.run(
            [sys.executable, "-c", DRAW, str(tmp_path / name)],
            env={**os.environ, "PYTHONHASHSEED": seed, "SOURCE_DATE_EPOCH": seed + "000000000"},
            cwd=tmp_path / name,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == ["False", "False"]
    for suffix in SUFFIXES:
        first, second = (tmp_path / name / f"figure.{suffix}" for name in "ab")
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    "suffix",
    [SUFFIXES[0], *(pytest.param(suffix, marks=pytest.mark.slow) for suffix in SUFFIXES[1:])],
)
def test_one_figure_saved_twice_has_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    figure = figures.leaderboard(synthetic.leaderboard(synthetic.OTHERS))
    for name in ("first", "second"):
        figures.save(figure, tmp_path / f"{name}.{suffix}")
    first, second = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in ("first", "second"))
    assert first == second
    start = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix]
    assert first.startswith(start)
    assert b"CreationDate" not in first
    assert b"<dc:date>" not in first


def test_png_has_144_dots_per_inch_of_the_printed_width(tmp_path: Path) -> None:
    figure = figures.leaderboard(synthetic.leaderboard(synthetic.OTHERS))
    figures.save(figure, tmp_path / "figure.png")
    header = (tmp_path / "figure.png").read_bytes()[16:20]
    assert int.from_bytes(header, "big") == int(style.DOUBLE_COLUMN * 144)


@pytest.mark.slow
def test_png_has_the_smallest_palette_that_keeps_its_colours(tmp_path: Path) -> None:
    """Few colours on paper need few; a scale of many, whose pixels are counted here, needs all."""
    few, scale = Figure(), Figure()
    few.add_subplot().plot([0, 1], [0, 1], color=style.PALETTE[0])
    scale.add_subplot().imshow(np.random.default_rng(0).random((40, 40)), cmap="viridis")
    for figure, half in ((few, 16), (scale, 128)):
        figures.save(figure, tmp_path / "palette.png")
        with Image.open(tmp_path / "palette.png") as opened:
            assert len(opened.getpalette() or []) / 3 <= 2 * half
            drawn = np.asarray(opened.convert("RGB"), dtype=float)
        with style._style():
            figure.savefig(tmp_path / "plain.png")
        with Image.open(tmp_path / "plain.png") as opened:
            plain = np.asarray(opened.convert("RGB"), dtype=float)
        distances = np.sqrt(((drawn - plain) ** 2).sum(axis=2))
        assert distances.mean() <= (style.PNG_ERROR if half == 16 else 3)
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 2 * 48


@pytest.mark.slow
def test_a_small_mark_in_a_png_keeps_its_colour(tmp_path: Path) -> None:
    """Pale intervals of families are a thousandth of the page, and tell families apart."""
    figure = figures.leaderboard(synthetic.leaderboard(synthetic.OTHERS))
    figures.save(figure, tmp_path / "drawn.png")
    with style._style():
        figure.savefig(tmp_path / "plain.png")
    drawn, plain = (
        np.asarray(Image.open(tmp_path / name).convert("RGB"), dtype=float).reshape(-1, 3)
        for name in ("drawn.png", "plain.png")
    )
    _, places, counts = np.unique(plain, axis=0, return_inverse=True, return_counts=True)
    marks = counts >= 100
    assert marks.sum() > 16
    distances = np.sqrt(((drawn - plain) ** 2).sum(axis=1))
    assert distances[marks[places.ravel()]].max() <= 8


def test_an_unknown_suffix_is_refused_and_nothing_written(tmp_path: Path) -> None:
    figure = style.new_figure(1, 1)
    with pytest.raises(GengapError, match=r"figure\.jpg: end its name in \.png, \.svg, \.pdf"):
        figures.save(figure, tmp_path / "figure.jpg")
    assert list(tmp_path.iterdir()) == []


def test_drawing_leaves_the_readers_settings_alone() -> None:
    before = dict(matplotlib.rcParams)
    figures.r2_heatmap({"digits": synthetic.leaderboard(synthetic.topological())})
    assert dict(matplotlib.rcParams) == before


@pytest.mark.slow
def test_no_text_leaves_the_figure_or_is_too_small_for_print() -> None:
    names = {**synthetic.topological(), **synthetic.OTHERS}
    table = synthetic.leaderboard(names)
    table.loc[4, ["r2_mean", "r2_min"]] = [-30.2, -210.0]
    strata = {"all": 32, "label_corruption=0.0": 8, "label_corruption=0.3": 1}
    drawn = (
        figures.leaderboard(table, top=45),
        figures.r2_heatmap({"task 1": table, "task 2": synthetic.leaderboard(names, 1)}),
        figures.r2_heatmap({"x": synthetic.leaderboard({"persistent_entropy.H0": "topology"})}),
        figures.kendall_by_stratum(synthetic.correlations(list(names), strata)),
        figures.kendall_by_stratum(synthetic.correlations(["output_margin"], strata)),
        figures.gap_by_hyper_parameter(synthetic.gaps(96), synthetic.grid(96), colour="depth"),
    )
    for figure in drawn:
        drawn_box = figure.get_tightbbox()
        assert min(drawn_box.x0, drawn_box.y0) >= 0
        assert drawn_box.x1 <= figure.get_figwidth()
        assert drawn_box.y1 <= figure.get_figheight()
        texts = [text for text in figure.findobj() if isinstance(text, matplotlib.text.Text)]
        sizes = [float(text.get_fontsize()) for text in texts]
        assert min(sizes) >= style.SMALL_SIZE


def test_row_labels_do_not_touch_each_other() -> None:
    names = {f"{'a_very_long_name_' * 5}{i}.H0H1": "topology" for i in range(6)}
    for figure in (
        figures.leaderboard(synthetic.leaderboard(names)),
        figures.r2_heatmap({"digits": synthetic.leaderboard(names)}),
    ):
        figure.draw_without_rendering()
        boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
        boxes.sort(key=lambda box: box.y0)
        assert len(boxes) >= 6
        for lower, upper in itertools.pairwise(boxes):
            assert lower.y1 <= upper.y0


def test_notes_and_a_legend_below_a_figure_do_not_cover_each_other() -> None:
    """In either order; every word of both is there once, and stands below the axes."""
    handle = matplotlib.lines.Line2D([], [], label="a line")

    def notes_last(figure: Figure) -> None:
        style.legend_below(figure, [handle], "title")
        style.notes_below(figure, ["first note", "second note"])

    def notes_first(figure: Figure) -> None:
        style.notes_below(figure, ["first note", "second note"])
        style.legend_below(figure, [handle], "title")

    for write in (notes_last, notes_first):
        figure = style.new_figure(4, 3)
        axes = figure.subplots()
        axes.set_xlabel("x")
        write(figure)
        figure.draw_without_rendering()
        (legend,) = figure.legends
        assert legend.get_title().get_text() == "title\nfirst note\nsecond note"
        assert figure.get_supxlabel() == ""
        assert legend.get_window_extent().y1 <= axes.xaxis.label.get_window_extent().y0
    alone = style.new_figure(4, 3)
    style.notes_below(alone, ["first note"])
    assert alone.get_supxlabel() == "first note"
