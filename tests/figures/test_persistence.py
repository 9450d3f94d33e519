"""Diagrams and barcodes draw every bar, the infinite ones marked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.figures import drawn, synthetic

from gengap import figures
from gengap.errors import GengapError

H0 = np.array([[0.0, 0.6], [0.0, np.inf], [0.0, 0.2]], dtype=np.float32)
H1 = np.array([[0.4, 0.8], [0.3, 0.5]], dtype=np.float32)


def test_every_bar_of_every_draw_is_a_point_above_the_diagonal() -> None:
    figure = figures.persistence_diagrams({"network 3": [[H0, H1], [H0[:1], H1[:1]]]})
    axes = figure.axes[0]
    zero, one = axes.collections
    assert len(drawn.offsets(zero)) == 4
    assert sorted(drawn.offsets(one).tolist()) == sorted(
        np.concatenate([H1, H1[:1]]).astype(float).tolist()
    )
    for collection in (zero, one):
        births, deaths = drawn.offsets(collection).T
        assert (deaths > births).all()
        assert deaths.max() <= axes.get_ylim()[1]
        assert axes.get_xlim()[0] <= births.min() <= births.max() <= axes.get_xlim()[1]
    infinity = drawn.y_of(axes.lines[1])[0]
    assert infinity > H1[0, 1]
    assert drawn.offsets(zero)[1, 1] == infinity
    assert [text.get_text() for text in axes.texts] == ["∞"]
    assert axes.get_title() == "network 3\n2 draws of neurons"
    assert drawn.edge_colours(zero)[0, :3].tolist() != drawn.edge_colours(one)[0, :3].tolist()
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["H0 (4 bars)", "H1 (3 bars)"]


def test_without_infinite_bars_there_is_no_line_at_infinity() -> None:
    axes = figures.persistence_diagrams({"3": [[H0[[0, 2]], H1]]}).axes[0]
    assert len(axes.lines) == 1
    assert not axes.texts


def test_bars_are_sorted_by_birth_then_death() -> None:
    zero, one = figures.barcodes({"network 3": [H0, H1]}).axes
    segments = drawn.segments(zero.collections[0])
    assert segments[:, 0, 0].tolist() == [0, 0, 0]
    assert segments[:2, 1, 0] == pytest.approx([0.2, 0.6])
    edge = segments[2, 1, 0]
    assert H1[:, 1].max() < edge <= zero.get_xlim()[1]
    (arrow,) = zero.lines
    assert (drawn.x_of(arrow)[0], drawn.y_of(arrow)[0]) == (edge, 2)
    segments = drawn.segments(one.collections[0])
    assert segments[:, :, 0] == pytest.approx(H1[::-1])
    assert segments[:, 0, 1].tolist() == segments[:, 1, 1].tolist() == [0, 1]
    low, high = sorted(one.get_ylim())
    assert low < 0 < 1 < high
    assert one.get_title(loc="right") == "2 bars"
    assert zero.get_title(loc="left") == "network 3"


def test_an_empty_dimension_keeps_its_panel() -> None:
    figure = figures.barcodes({"3": [H0, np.zeros((0, 2))]})
    assert len(figure.axes) == 2
    assert [text.get_text() for text in figure.axes[1].texts] == ["no bars"]


def test_only_infinite_bars_can_be_drawn() -> None:
    axes = figures.persistence_diagrams({"3": [[H0[1:2]]]}).axes[0]
    assert len(drawn.offsets(axes.collections[0])) == 1
    assert len(figures.barcodes({"3": [H0[1:2]]}).axes[0].lines) == 1


def test_many_marks_are_not_written_one_by_one(tmp_path: Path) -> None:
    figure = figures.persistence_diagrams({"3": [synthetic.draw(3000, i) for i in range(4)]})
    figures.save(figure, tmp_path / "diagram.pdf")
    assert (tmp_path / "diagram.pdf").stat().st_size < 300_000


def test_bad_diagrams_are_refused() -> None:
    with pytest.raises(GengapError, match="no bars"):
        figures.persistence_diagrams({"3": []})
    with pytest.raises(GengapError, match="no bars"):
        figures.barcodes({"3": [np.zeros((0, 2))]})
    with pytest.raises(GengapError, match=r"draw 1, H0 has shape \(2, 3\)"):
        figures.persistence_diagrams({"3": [[H0], [np.zeros((2, 3))]]})


def test_networks_side_by_side_have_equal_axes() -> None:
    small, large = figures.persistence_diagrams({"small": [[H0, H1]], "large": [[H0 * 3, H1]]}).axes
    assert [axes.get_title() for axes in (small, large)] == ["small", "large"]
    assert small.get_xlim() == large.get_xlim()
    assert small.get_ylim() == large.get_ylim()
    assert drawn.offsets(large.collections[0])[:, 1].max() <= large.get_ylim()[1]
    panels = figures.barcodes({"small": [H0], "large": [H0 * 3, H1]}).axes
    assert len(panels) == 4
    assert len({axes.get_xlim() for axes in panels}) == 1
    assert [text.get_text() for text in panels[2].texts] == ["no bars"]
