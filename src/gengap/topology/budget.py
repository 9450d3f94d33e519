"""Estimates of what the persistent homology of a graph will cost, before it is computed.

A Vietoris-Rips complex grows with a power of the number of its points, and a machine that swaps is
of no use. So the complex's simplices are counted first, and what exceeds a budget is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from gengap.arguments import whole_number
from gengap.errors import GengapError
from gengap.topology.arrays import square_matrix
from gengap.topology.diagrams import Bars, checked_threshold, persistence_diagrams

HIGHEST_DIMENSION = 3

# Upper ends of what was measured on graphs of trained networks with 100 to 3000 nodes (one core),
# for H0, H1, ...: nearly all took less, those without a threshold down to a fiftieth. H3 was
# measured on correlations of 40 to 135 neurons: independent ones over 100 and 1000 inputs took up
# to 2.1e-6 seconds, those of trained networks a fiftieth of that.
SECONDS_PER_SIMPLEX = (2.5e-6, 2.5e-6, 2e-7, 2.5e-6)
BYTES_PER_SIMPLEX = (64.0, 64.0, 0.2, 8.0)
BYTES_PER_PAIR = (8, 8, 16, 16)
# What H3 takes of any graph.
SECONDS_OF_H3 = 0.1
BYTES_OF_H3 = 2**24
BYTES_PER_CORRELATION = 8
# Of correlations: per pair of nodes and input, in blocks of float64.
SECONDS_PER_PRODUCT = 1e-10
BYTES_PER_ACTIVATION = 8
GIBIBYTE = 2**30

# Number of edges whose cliques are counted; the others are assumed to be like them.
SAMPLED_EDGES = 256


class OverBudgetError(GengapError):
    """Diagrams or correlations would cost more than their budget; nothing was computed."""


@dataclass(frozen=True)
class Budget:
    """The most that one graph's diagrams may take: CPU seconds of one core, and memory in GiB."""

    seconds: float = 300.0
    gibibytes: float = 4.0

    def __post_init__(self) -> None:
        if not (self.seconds > 0 and self.gibibytes > 0):
            raise GengapError(
                f"The budget is {self.seconds} seconds and {self.gibibytes} GiB: "
                "give two numbers above 0."
            )


@dataclass(frozen=True)
class Cost:
    """The estimated cost of diagrams.

    Attributes:
        simplices: number of simplices of the highest dimension of homology, at the threshold.
        seconds: CPU seconds of one core.
        gibibytes: memory.
    """

    simplices: int
    seconds: float
    gibibytes: float


def estimate(dissimilarity: npt.ArrayLike, max_dim: int, threshold: float | None = None) -> Cost:
    """Estimate the cost of ``persistence_diagrams`` from above.

    Simplices of dimension ``max_dim`` are what the engine reduces. Edges are counted; triangles and
    tetrahedra are extrapolated from the common neighbours of evenly chosen edges.

    Args:
        dissimilarity: (n, n); infinite entries are no edges.
        max_dim: the highest dimension of homology, 0 to 3.
        threshold: edges longer than this do not enter; None for no limit.

    Returns:
        The cost; nearly all diagrams take less, without a threshold down to a fiftieth of it.

    Raises:
        GengapError: ``max_dim`` or ``threshold`` is out of range, or the matrix is not square.
    """
    max_dim = whole_number(max_dim, "max_dim", 0)
    if max_dim > HIGHEST_DIMENSION:
        raise GengapError(
            f"max_dim is {max_dim}, but no estimate is known beyond H{HIGHEST_DIMENSION}: "
            f"give 0 to {HIGHEST_DIMENSION}."
        )
    limit = None if threshold is None else checked_threshold(threshold)
    matrix = square_matrix(dissimilarity)
    simplices = _simplices(matrix, max_dim, limit)
    of_pairs = BYTES_PER_PAIR[max_dim] * len(matrix) ** 2
    highest = max_dim == HIGHEST_DIMENSION
    at_least = BYTES_OF_H3 * highest + of_pairs
    return Cost(
        simplices=simplices,
        seconds=SECONDS_OF_H3 * highest + SECONDS_PER_SIMPLEX[max_dim] * simplices,
        gibibytes=(BYTES_PER_SIMPLEX[max_dim] * simplices + at_least) / GIBIBYTE,
    )


def check_matrix(nodes: int, inputs: int, budget: Budget | None = None) -> None:
    """Refuse the matrix of all pairs of nodes before it is made, if it exceeds the budget.

    Args:
        nodes: n of the (n, n) correlations.
        inputs: number of inputs on which they are computed.
        budget: 300 CPU seconds and 4 GiB by default.

    Raises:
        OverBudgetError: the correlations cost more than the budget.
    """
    budget = budget or Budget()
    seconds = SECONDS_PER_PRODUCT * nodes**2 * inputs
    gibibytes = (
        BYTES_PER_CORRELATION * nodes**2 + BYTES_PER_ACTIVATION * nodes * inputs
    ) / GIBIBYTE
    if seconds > budget.seconds or gibibytes > budget.gibibytes:
        raise OverBudgetError(
            f"The correlations of {nodes} nodes on {inputs} inputs would take about {seconds:.0f} "
            f"CPU seconds and {gibibytes:.1f} GiB, more than the budget of {budget.seconds:g} "
            f"seconds and {budget.gibibytes:g} GiB: sample fewer nodes, or raise the budget."
        )


def affordable_diagrams(
    dissimilarity: npt.ArrayLike,
    max_dim: int,
    threshold: float | None = None,
    budget: Budget | None = None,
) -> list[Bars]:
    """Compute ``persistence_diagrams``, unless they cost too much.

    Args:
        dissimilarity: (n, n), as for ``persistence_diagrams``.
        max_dim: the highest dimension of homology, 0 to 3.
        threshold: edges longer than this never enter; None for no limit.
        budget: 300 CPU seconds and 4 GiB by default.

    Returns:
        Per dimension, (bars, 2) births and deaths.

    Raises:
        OverBudgetError: the estimated cost exceeds the budget.
        GengapError: bad arguments.
    """
    matrix = square_matrix(dissimilarity)
    check_diagrams(matrix, max_dim, threshold, budget)
    return persistence_diagrams(matrix, max_dim, threshold)


def check_diagrams(
    dissimilarity: npt.ArrayLike,
    max_dim: int,
    threshold: float | None = None,
    budget: Budget | None = None,
) -> None:
    """Refuse diagrams before they are computed, if they exceed the budget.

    It costs little, so it can stand before work that would be lost if they were refused later.

    Args:
        dissimilarity: (n, n), whose simplices are counted.
        max_dim: the highest dimension of homology, 0 to 3.
        threshold: edges longer than this are not counted; None for no limit.
        budget: what the diagrams may take; 300 CPU seconds and 4 GiB by default.

    Raises:
        OverBudgetError: the estimated cost exceeds the budget.
        GengapError: ``max_dim`` or ``threshold`` is out of range, or the matrix is not square.
    """
    budget = budget or Budget()
    matrix = square_matrix(dissimilarity)
    cost = estimate(matrix, max_dim, threshold)
    if cost.seconds > budget.seconds or cost.gibibytes > budget.gibibytes:
        raise OverBudgetError(
            f"H0 to H{max_dim} of {len(matrix)} nodes would take about {cost.seconds:.0f} "
            f"CPU seconds and {cost.gibibytes:.1f} GiB ({cost.simplices:.2g} simplices), more than "
            f"the budget of {budget.seconds:g} seconds and {budget.gibibytes:g} GiB: sample fewer "
            "nodes, lower max_dim or the threshold, or raise the budget."
        )


def _simplices(dissimilarity: NDArray[np.floating], max_dim: int, threshold: float | None) -> int:
    """Return the number of simplices of the highest dimension that matters, at least the points."""
    nodes = len(dissimilarity)
    if nodes < 2:
        return nodes
    # From the enclosing radius on the complex is a cone, and engines stop there.
    limit = float(dissimilarity.max(axis=1).min())
    joined = dissimilarity <= (limit if threshold is None else min(limit, threshold))
    joined &= np.isfinite(dissimilarity)
    np.fill_diagonal(joined, False)
    first, second = np.nonzero(np.triu(joined))
    edges = len(first)
    if max_dim < 2 or edges == 0:
        return max(edges, nodes)
    sampled = np.unique(np.linspace(0, edges - 1, SAMPLED_EDGES).astype(np.int64))
    lunes = joined[first[sampled]] & joined[second[sampled]]
    cliques = [_pairs(joined, lune) if max_dim > 2 else float(lune.sum()) for lune in lunes]
    return max(edges, round(edges * float(np.mean(cliques)) / comb(max_dim + 1, 2)))


def _pairs(joined: NDArray[np.bool_], lune: NDArray[np.bool_]) -> float:
    """Return the number of edges between the points of a lune."""
    points = np.flatnonzero(lune)
    return float(joined[np.ix_(points, points)].sum()) / 2
