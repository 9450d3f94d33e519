"""What is in the axes after each of the shared plots."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex
from matplotlib.container import ErrorbarContainer
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from gengap.figures.style import MARKERS, PALETTE, new_figure
from gengap.studies.estimates import interval
from gengap.studies.plotting import (
    plot_band,
    plot_boundary,
    plot_dots,
    plot_interval,
    plot_points,
    plot_regions,
    plot_seeds,
)


@pytest.fixture
def axes() -> Axes:
    return new_figure(3, 2).subplots()


def heights(line: Line2D) -> NDArray[np.float64]:
    return np.asarray(line.get_ydata(), dtype=float)


def ends_of_band(axes: Axes) -> dict[float, tuple[float, float]]:
    """The lower and the upper end of the only band, by its place."""
    (band,) = axes.collections
    corners = np.concatenate(
        [np.asarray(path.vertices) for path in cast("PolyCollection", band).get_paths()]
    )
    ends: dict[float, tuple[float, float]] = {}
    for x in np.unique(corners[:, 0]):
        column = corners[corners[:, 0] == x, 1]
        ends[float(x)] = (float(column.min()), float(column.max()))
    return ends


def test_a_band_on_a_logarithmic_axis_ends_where_the_data_end(axes: Axes) -> None:
    values = np.array([[0.01, 0.2], [0.02, 0.21], [1.0, 0.22]])
    low, high = interval(values[:, 0].tolist())[1:]
    assert low < 0
    axes.set_yscale("log")
    plot_band(axes, [1, 2], values, PALETTE[1])
    ends = ends_of_band(axes)
    assert ends[1.0] == pytest.approx((0.01, high))
    assert ends[2.0] == pytest.approx(interval(values[:, 1].tolist())[1:])


def test_a_band_is_the_interval_and_not_the_range(axes: Axes) -> None:
    values = np.random.default_rng(0).random((5, 3))
    line = plot_band(axes, [1, 2, 4], values, PALETTE[1], label="loss", marker="o")
    np.testing.assert_allclose(heights(line), values.mean(axis=0))
    assert (line.get_label(), line.get_color(), line.get_marker()) == ("loss", PALETTE[1], "o")
    ends = ends_of_band(axes)
    for x, column in zip([1.0, 2.0, 4.0], values.T, strict=True):
        assert ends[x] == pytest.approx(interval(column.tolist())[1:])
        assert ends[x] != pytest.approx((column.min(), column.max()))


def test_a_band_ends_at_the_highest_value_there_can_be(axes: Axes) -> None:
    plot_band(axes, [0, 1], np.array([[0.2, 0.8], [0.9, 0.9], [0.9, 1.0]]), PALETTE[0], highest=1)
    assert max(high for _, high in ends_of_band(axes).values()) == 1


def test_two_seeds_have_no_band(axes: Axes) -> None:
    line = plot_band(axes, [0, 1], np.ones((2, 2)), PALETTE[0])
    assert not axes.collections
    assert heights(line).tolist() == [1, 1]


def test_missing_values_leave_gaps(axes: Axes) -> None:
    values = np.ma.masked_invalid(np.arange(16.0).reshape(4, 4))
    values[:, 1] = np.ma.masked
    values[:2, 2] = np.ma.masked
    values[0, 3] = np.nan
    line = plot_band(axes, [0, 1, 2, 3], values, PALETTE[0])
    np.testing.assert_allclose(heights(line), [6.0, np.nan, 12.0, 11.0])
    ends = ends_of_band(axes)
    assert ends[0.0] == pytest.approx(interval([0.0, 4.0, 8.0, 12.0])[1:])
    assert ends[3.0] == pytest.approx(interval([7.0, 11.0, 15.0])[1:])
    assert 1.0 not in ends
    assert 2.0 not in ends


def test_every_seed_is_faint(axes: Axes) -> None:
    plot_seeds(axes, [0, 1], np.array([[1.0, 2.0], [3.0, 4.0]]), PALETTE[2])
    plot_seeds(axes, [0, 1], np.array([[5.0, 6.0]]), PALETTE[2], marker="s")
    assert [heights(line).tolist() for line in axes.lines] == [[1, 2], [3, 4], [5, 6]]
    assert [line.get_linestyle() for line in axes.lines] == ["-", "-", "None"]
    assert all((line.get_alpha() or 1) < 0.5 for line in axes.lines)


def test_dots_of_a_run_are_joined(axes: Axes) -> None:
    table = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    plot_dots(axes, table, PALETTE[:2], filled=np.array([True, False, True]))
    lines = [line for line in axes.lines if line.get_linestyle() != "None"]
    joined = {
        tuple(heights(line).tolist()): line.get_linestyle()
        for line in lines
        if len(heights(line)) == 2
    }
    dashed = [ends for ends, style in joined.items() if style == "--"]
    assert dashed == [(3.0, 4.0)]
    opened = [line for line in axes.lines if line.get_markerfacecolor() == "white"]
    assert [
        (list(cast("NDArray[Any]", line.get_xdata())), heights(line).tolist()) for line in opened
    ] == [
        ([0], [3.0]),
        ([1], [4.0]),
    ]
    assert [str(line.get_color()) for line in opened] == list(PALETTE[:2])


def test_an_interval_is_a_bar_where_it_is_finite(axes: Axes) -> None:
    plot_interval(axes, 2.0, [1.0])
    assert not axes.containers
    plot_interval(axes, 2.0, [1.0, 2.0, 3.0])
    (bar,) = axes.containers
    mean, _, (ends,) = cast("ErrorbarContainer", bar).lines
    assert mean is not None
    assert heights(mean).tolist() == [2.0]
    (segments,) = ends.get_segments()
    np.testing.assert_allclose(segments[:, 1], interval([1.0, 2.0, 3.0])[1:])


def test_regions_have_the_colours_of_their_classes(axes: Axes) -> None:
    x = y = np.linspace(0, 1, 4)
    predicted = np.zeros((4, 4), np.int64)
    predicted[:, 2:] = 1
    points, labels = np.array([[0.1, 0.2], [0.8, 0.9]]), np.array([0, 2])
    plot_regions(axes, x, y, predicted, points, labels)
    mesh, boundary, first, second = axes.collections
    colours = [to_hex(colour[:3]) for colour in mesh.to_rgba(np.arange(3))]
    assert colours == [to_hex(colour) for colour in PALETTE[:3]]
    crossing = np.concatenate([path.vertices for path in boundary.get_paths()])
    np.testing.assert_allclose(crossing[:, 0], 0.5)
    for collection, point, label in ((first, points[0], 0), (second, points[1], 2)):
        np.testing.assert_allclose(np.asarray(collection.get_offsets()), [point])
        assert to_hex(np.asarray(collection.get_facecolor())[0]) == to_hex(PALETTE[label])
    assert axes.get_xlim() == (0, 1)
    assert len(axes.get_xticks()) == 0


def test_one_region_has_no_boundary(axes: Axes) -> None:
    plot_boundary(axes, np.arange(3.0), np.arange(3.0), np.ones((3, 3), int))
    assert not axes.collections


def test_classes_beyond_the_palette_begin_it_again(axes: Axes) -> None:
    plot_points(axes, np.zeros((2, 2)), np.array([0, len(PALETTE)]))
    assert len(axes.collections) == 2
    assert len(MARKERS) >= 1
