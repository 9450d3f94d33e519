"""Betti curves, life and midlife while a network trains, with true or corrupted labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from gengap.studies.context import Context, load_dataset
from gengap.studies.corneanu2020.early_stopping import lowest_checkpoint, stopping_checkpoint
from gengap.studies.corneanu2020.functional_graphs import functional_graph, graph_inputs
from gengap.studies.outcomes import ExperimentResult, Floats, Integers, Run
from gengap.studies.solving import TRAINING, check_checkpoints, solve, untrained_network
from gengap.topology import (
    Budget,
    affordable_diagrams,
    betti_curve,
    dipha_bars,
    in_density,
    summarise_bars,
)
from gengap.topology.betti import SUMMARIES
from gengap.topology.dipha import EPS_MAX, SHORTEST

Bars = Sequence[Floats]
"""A persistence diagram per dimension, (bars, 2) births and deaths."""

GRID_POINTS = 121
LOWEST_DENSITY = 1e-3
DENSITY_CAP = 0.1
"""Share of edges up to which cavities are computed, unless a setting says otherwise."""

SCALES = ("epsilon", "density")

RULES = {"first_regression": stopping_checkpoint, "lowest_mode": lowest_checkpoint}
CAVITY = 2
"""The lowest dimension whose bars count as cavities."""


@dataclass(frozen=True)
class Settings:
    """One network whose functional graph is computed while it trains.

    Attributes:
        checkpoints: epochs, ascending, from 0.
        label_corruption: fraction of the training labels that are replaced.
        inputs: number of inputs over which correlations are computed.
        nodes, nodes_at_most: of the graph; where there are more, so many are drawn uniformly.
        split: of the inputs; ``test`` only to compare with the published code.
        max_dim: highest dimension of homology.
        largest_epsilon, shortest_bar: on the scale of epsilon, the end of the filtration, and the
            length below which a bar counts as noise.
        largest_density: share of edges up to which cavities are computed on the scale of density;
            beyond it they cost much, which the budget alone bounds.
    """

    dataset: Mapping[str, Any]
    network: Mapping[str, Any]
    training: Mapping[str, Any]
    checkpoints: Sequence[int]
    label_corruption: float = 0.0
    inputs: int = 400
    nodes: Literal["channels", "neurons"] = "channels"
    nodes_at_most: int | None = None
    split: Literal["train", "test"] = "train"
    max_dim: Literal[1, 2, 3] = 2
    largest_epsilon: float = EPS_MAX
    shortest_bar: float = SHORTEST
    largest_density: float = DENSITY_CAP
    seconds: float = 300.0
    memory_gib: float = 4.0


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that a rule chooses: its epoch, and its test accuracy in [0, 1]."""

    epoch: int
    accuracy: float


@dataclass(frozen=True)
class Scale:
    """The filtration at every checkpoint, on one scale.

    Attributes:
        grid: filtration values (points,), epsilon or the share of edges.
        curves: Betti curves per node, (checkpoints, dimensions, points).
        modes: filtration value at which beta_1 is largest, (checkpoints,); NaN without loops.
        cavities: bars of dimension 2 and above per node, (checkpoints,).
        stops: the checkpoint that each of :data:`RULES` chooses.
    """

    grid: Floats
    curves: Floats
    modes: Floats
    cavities: Floats
    stops: Mapping[str, Checkpoint]


@dataclass(frozen=True)
class Result(ExperimentResult):
    """The functional graph at every checkpoint.

    Attributes:
        epochs: (checkpoints,).
        train_accuracy, test_accuracy: (checkpoints,), the former on the labels trained on.
        nodes: of the graph.
        summaries: each of :data:`gengap.topology.betti.SUMMARIES`, in epsilon, (checkpoints,
            dimensions).
        scales: by the names of :data:`SCALES`.
        best, last: the checkpoint with the highest test accuracy, and that at the end of training.
    """

    epochs: Integers
    train_accuracy: Floats
    test_accuracy: Floats
    nodes: int
    summaries: Mapping[str, Floats]
    scales: Mapping[str, Scale]
    best: Checkpoint
    last: Checkpoint

    @property
    def dimensions(self) -> int:
        """The number of dimensions of homology, from 0 on."""
        return len(self.summaries["life"][0])


CurvesRun = Run[Settings, Result]


@dataclass(frozen=True)
class _Graph:
    """The number of a graph's nodes, and its bars by scale."""

    nodes: int
    bars: Mapping[str, Bars]


def run(context: Context, settings: Settings) -> Result:
    """Train one network and compute its functional graph at checkpoints, on two scales.

    The scales are epsilon, as published (``gengap.topology.dipha``), and density, the share of all
    edges (:func:`density_bars`).

    Returns:
        Curves, summaries and where two rules would have stopped.

    Raises:
        OverBudgetError: the graph of a checkpoint costs more than the budget; that of epoch 0 is
            checked before training. With a larger budget a refused run need not train again.
        GengapError: a value that data, training or topology refuse.
    """
    data = load_dataset(context, settings.dataset, seed=context.seed)
    source = data.test if settings.split == "test" else data.train
    inputs = graph_inputs(context, source, settings.inputs, settings.split)
    budget = Budget(settings.seconds, settings.memory_gib)

    def graph_of(network: nn.Module, epoch: int) -> _Graph:
        graph = functional_graph(
            context, network, inputs, settings.nodes, settings.nodes_at_most, budget
        )
        bars = {
            "epsilon": dipha_bars(
                graph, settings.max_dim, settings.largest_epsilon, settings.shortest_bar, budget
            ),
            "density": density_bars(graph, settings.max_dim, budget, settings.largest_density),
        }
        if context.files is not None:
            context.files.write_graph(TRAINING, epoch, graph, bars)
        return _Graph(len(graph), bars)

    recipe = {**settings.training, "label_corruption": settings.label_corruption}
    check_checkpoints(recipe, settings.checkpoints)
    # Before training, since a graph over the budget would make its hours useless.
    first = graph_of(untrained_network(context, data, settings.network, recipe), 0)
    solution = solve(context, data, settings.network, recipe, checkpoints=settings.checkpoints)
    graphs, accuracies = [], []
    for epoch in settings.checkpoints:
        solution.set_checkpoint(epoch)
        graphs.append(first if epoch == 0 else graph_of(solution.network, epoch))
        accuracies.append((solution.on_train()[1], solution.on_test()[1]))
    epochs, (train_accuracy, test_accuracy) = np.array(settings.checkpoints), np.array(accuracies).T

    def checkpoint(position: int) -> Checkpoint:
        return Checkpoint(int(epochs[position]), float(test_accuracy[position]))

    summaries = _summaries(graphs)
    if context.files is not None:
        context.files.write_summaries(
            TRAINING, _rows(epochs, summaries, train_accuracy, test_accuracy)
        )
    grids = {
        "epsilon": np.linspace(0, settings.largest_epsilon, GRID_POINTS),
        "density": np.geomspace(LOWEST_DENSITY, 1, GRID_POINTS),
    }
    return Result(
        epochs=epochs,
        train_accuracy=train_accuracy,
        test_accuracy=test_accuracy,
        nodes=first.nodes,
        summaries=summaries,
        scales={
            name: _scale(name, grids[name], graphs, checkpoint, settings.largest_density)
            for name in SCALES
        },
        best=checkpoint(int(np.argmax(test_accuracy))),
        last=checkpoint(-1),
    )


def density_bars(
    graph: NDArray[np.floating],
    max_dim: int,
    budget: Budget | None = None,
    largest: float = DENSITY_CAP,
) -> list[Floats]:
    """Return the diagrams of the filtration of a graph (n, n) 1 - |r| by the share of edges.

    H0 and H1 are those of the whole filtration, and no bar is dropped for its length. Higher
    dimensions end at the density ``largest``.

    Returns:
        Per dimension, (bars, 2) births and deaths as shares of edges. Above H1 these are the bars
        born up to ``largest``; deaths beyond are infinite, except where ties hold the edge there.
    """
    diagrams = affordable_diagrams(graph, 1, budget=budget)
    if max_dim >= CAVITY:
        edges = np.sort(graph[np.triu_indices(len(graph), 1)])
        limit = float(edges[int(np.ceil(largest * len(edges))) - 1])
        diagrams += affordable_diagrams(graph, max_dim, limit, budget)[CAVITY:]
    whole, capped = in_density(diagrams[:CAVITY], graph), in_density(diagrams[CAVITY:], graph)
    # Equal edges enter together, and may so exceed the cap.
    return whole + [bars[bars[:, 0] <= largest] for bars in capped]


def _summaries(graphs: Sequence[_Graph]) -> dict[str, Floats]:
    rows = [
        [summarise_bars(bars, graph.nodes) for bars in graph.bars["epsilon"]] for graph in graphs
    ]
    return {name: np.array([[row[name] for row in dims] for dims in rows]) for name in SUMMARIES}


def _rows(
    epochs: Integers,
    summaries: Mapping[str, Floats],
    train_accuracy: Floats,
    test_accuracy: Floats,
) -> list[dict[str, float]]:
    """The summaries as rows, one of each epoch and dimension."""
    return [
        {
            "epoch": int(epoch),
            "dimension": dimension,
            **{name: float(values[place, dimension]) for name, values in summaries.items()},
            "train_accuracy": float(train_accuracy[place]),
            "test_accuracy": float(test_accuracy[place]),
        }
        for place, epoch in enumerate(epochs)
        for dimension in range(summaries["life"].shape[1])
    ]


def _scale(
    name: str,
    grid: Floats,
    graphs: Sequence[_Graph],
    checkpoint: Callable[[int], Checkpoint],
    largest_density: float,
) -> Scale:
    """The bars of all checkpoints on one scale; ``checkpoint`` is that at a position."""
    curves = np.array(
        [[betti_curve(bars, grid, graph.nodes) for bars in graph.bars[name]] for graph in graphs]
    )
    if name == "density":
        curves[:, CAVITY:, grid > largest_density] = np.nan
    modes = np.array([mode(graph.bars[name][1]) for graph in graphs])
    counts = [sum(len(bars) for bars in graph.bars[name][CAVITY:]) for graph in graphs]
    cavities = np.array(counts) / graphs[0].nodes
    stops = {key: checkpoint(rule(modes, cavities)) for key, rule in RULES.items()}
    return Scale(grid, curves, modes, cavities, stops)


def mode(loops: Floats) -> float:
    """Return the filtration value at which beta_1 is largest; NaN without finite bars (bars, 2)."""
    summary = summarise_bars(loops)
    return summary["argmax"] if summary["count"] else math.nan
