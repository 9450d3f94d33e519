"""Colouring of networks by a hyper-parameter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PathCollection
from matplotlib.colors import Normalize, to_rgba
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from gengap.errors import GengapError
from gengap.figures.labels import value_label, words
from gengap.figures.style import MARKERS, ORDERED, PALETTE, legend_below
from gengap.figures.tables import by_network

MOST_CLASSES = len(MARKERS)
MOST_DRAWN = 2000
"""Most networks of a scatter; more would hide each other, and make an SVG that no reader opens."""
POINT_AREA = 18.0  # square points
# The top of viridis is a yellow too pale for points on white paper.
_BRIGHTEST = 0.88

Colour = tuple[float, float, float, float]


def drawn_networks(networks: Iterable[str]) -> frozenset[str]:
    """Choose the networks that are drawn: all, or ``MOST_DRAWN`` of them at random.

    They are the same in all panels and in every run. A random choice has no part in the order of
    the grid, unlike every n-th network.

    Args:
        networks: their ids, in any order.

    Returns:
        The chosen ones.
    """
    names = np.array(sorted(networks), dtype=object)
    if len(names) > MOST_DRAWN:
        names = np.random.default_rng(0).choice(names, MOST_DRAWN, replace=False)
    return frozenset(names)


@dataclass(frozen=True)
class Group:
    """The networks that share one value of a hyper-parameter."""

    label: str
    colour: Colour
    marker: str
    networks: frozenset[str]


@dataclass(frozen=True)
class Colouring:
    """A colour for each network: a few groups, or a continuous scale when ``groups`` is empty."""

    name: str
    colours: dict[str, Colour]
    groups: tuple[Group, ...]
    scale: ScalarMappable | None

    @cached_property
    def drawn(self) -> frozenset[str]:
        """The networks that are drawn (:func:`drawn_networks`)."""
        return drawn_networks(self.colours)

    def scatter(
        self, axes: Axes, x: pd.Series, y: pd.Series, *, hollow: bool = False
    ) -> list[PathCollection]:
        """Draw the points (x, y), indexed by network, of :attr:`drawn`; a collection per group."""
        groups = self.groups or (Group("", (0, 0, 0, 1), MARKERS[0], frozenset(self.colours)),)
        drawn = []
        for group in groups:
            members = group.networks & self.drawn
            networks = [network for network in x.index if network in members]
            if not networks:
                continue
            colours = [self.colours[network] for network in networks]
            drawn.append(
                axes.scatter(
                    x.loc[networks].to_numpy(),
                    y.loc[networks].to_numpy(),
                    s=POINT_AREA,
                    marker=group.marker,
                    facecolors="none" if hollow else colours,
                    edgecolors=colours if hollow else "white",
                    linewidths=0.9 if hollow else 0.3,
                )
            )
        return drawn

    def explain(self, figure: Figure | SubFigure) -> None:
        """Add the legend (or the colour bar) below all axes of the figure."""
        title = words(self.name)
        if len(self.drawn) < len(self.colours):
            title += f" ({len(self.drawn)} of {len(self.colours)} networks drawn, at random)"
        if self.scale is not None:
            bar = figure.colorbar(
                self.scale,
                ax=figure.axes,
                location="bottom",
                fraction=0.04,
                aspect=40,
                shrink=0.6,
            )
            bar.set_label(title)
            return
        handles = [
            Line2D(
                [], [], linestyle="", marker=group.marker, markersize=5, color=group.colour,
                markeredgecolor="white", markeredgewidth=0.3, label=group.label,
            )
            for group in self.groups
        ]  # fmt: skip
        legend_below(figure, handles, title)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def distinct(values: pd.Series) -> list[Any]:
    """Return the values in a reader's order: numbers by size, then everything else by label."""
    by_label = {value_label(value): value for value in values}
    return sorted(
        by_label.values(),
        key=lambda value: (
            (0, float(value), "")
            if _is_number(value) and np.isfinite(value)
            else (1, 0.0, value_label(value))
        ),
    )


def can_colour(values: pd.Series) -> bool:
    """Whether networks can be coloured by a hyper-parameter: a number, or one of few values."""
    levels = distinct(values)
    return len(levels) <= MOST_CLASSES or all(
        _is_number(level) and np.isfinite(level) for level in levels
    )


def colour_by(values: pd.Series) -> Colouring:
    """Choose colours by the values of a hyper-parameter, ``values.name``, indexed by network.

    Up to eight distinct values are groups, each with its own mark: numbers in viridis's order,
    other values in the palette of Okabe and Ito. More numbers are a continuous scale.

    Returns:
        A colour for each network, and the explanation of the colours.

    Raises:
        GengapError: there are no values, or too many that are not numbers.
    """
    if values.empty:
        raise GengapError(f"Hyper-parameter {values.name!r} has no values: nothing to colour by.")
    values = by_network(values)
    name = str(values.name)
    levels = distinct(values)
    ordered = all(_is_number(level) and np.isfinite(level) for level in levels)
    if len(levels) > MOST_CLASSES:
        if not ordered:
            raise GengapError(
                f"Hyper-parameter {name!r} has {len(levels)} distinct values that are not all "
                f"numbers: colour by one with at most {MOST_CLASSES}."
            )
        scale = ScalarMappable(Normalize(float(levels[0]), float(levels[-1])), ORDERED)
        rows = scale.to_rgba(values.to_numpy(dtype=float))
        colours = {network: _rgba(row) for network, row in zip(values.index, rows, strict=True)}
        return Colouring(name, colours, (), scale)
    palette = _ordered_palette(len(levels)) if ordered else _plain_palette(len(levels))
    labels = values.map(value_label)
    groups = tuple(
        Group(
            value_label(level),
            palette[i],
            MARKERS[i],
            frozenset(labels.index[labels == value_label(level)]),
        )
        for i, level in enumerate(levels)
    )
    colours = {network: group.colour for group in groups for network in group.networks}
    return Colouring(name, colours, groups, None)


def _rgba(colour: Any) -> Colour:
    red, green, blue, alpha = to_rgba(colour)
    return (red, green, blue, alpha)


def _ordered_palette(count: int) -> list[Colour]:
    colormap = matplotlib.colormaps[ORDERED]
    return [_rgba(colormap(position)) for position in np.linspace(0, _BRIGHTEST, count)]


def _plain_palette(count: int) -> list[Colour]:
    return [_rgba(PALETTE[i % len(PALETTE)]) for i in range(count)]
