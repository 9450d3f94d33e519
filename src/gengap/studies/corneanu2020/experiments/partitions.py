"""Graphs of parts of a network beside the graph of the whole, while it trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

import numpy as np

from gengap.activations import NodeActivations, node_activations
from gengap.studies.context import Context, load_dataset
from gengap.studies.corneanu2020.functional_graphs import graph_inputs
from gengap.studies.outcomes import ExperimentResult, Floats, Floats32, Integers, Run
from gengap.studies.solving import recipe_for, solve
from gengap.topology import (
    betti_curve,
    correlation_dissimilarity,
    dipha_bars,
    graph_summaries,
    sampled_summaries,
)
from gengap.topology.budget import Budget, OverBudgetError, check_matrix
from gengap.topology.dipha import EPS_MAX, SHORTEST
from gengap.topology.functional_graph import summarise_diagrams, summarise_graph
from gengap.topology.partitions import (
    DIVERGENCES,
    Parts,
    by_structure,
    communities,
    cut,
    equal_chunks,
    partition_divergences,
    partition_means,
)

T = TypeVar("T")

Summaries = Mapping[str, float]
"""Numbers of a graph by :func:`keys`, in epsilon."""

PARTITIONS = ("equal", "communities", "structure")
GRAPHS = ("parts", "means", *DIVERGENCES)
SUBPARTS = "subparts"
"""The graphs of the means of the parts of each part, where the setting of that name asks."""

GRID_POINTS = 61


@dataclass(frozen=True)
class Settings:
    """One network whose parts have graphs.

    Attributes:
        inputs: number of inputs over which correlations are computed.
        nodes: of the graphs.
        chunk: number of nodes in an equal chunk.
        together: number of consecutive layers in a block of ``structure``.
        sampled, draws: number of nodes in a sample, and number of samples.
        checkpoints: epochs whose graphs are computed, ascending from 0; None takes the start and
            the end of training.
        parts: number of parts into which the graph of |r| > 0.5 is cut, instead of communities that
            choose their number.
        subparts: number of parts of each part, of whose means there is a graph; None for none.
        kept: whether the communities (or parts) of the last checkpoint are kept at all
            checkpoints, as in the published code; otherwise each has its own.
        max_dim: highest dimension of homology.
        largest_epsilon, shortest_bar: end of the filtration, and the length below which a bar
            counts as noise.
    """

    dataset: Mapping[str, Any]
    network: Mapping[str, Any]
    training: Mapping[str, Any]
    inputs: int = 300
    nodes: Literal["channels", "neurons"] = "neurons"
    chunk: int = 32
    together: int = 1
    sampled: int = 200
    draws: int = 5
    checkpoints: Sequence[int] | None = None
    parts: int | None = None
    subparts: int | None = None
    kept: bool = False
    max_dim: Literal[1, 2, 3] = 1
    largest_epsilon: float = EPS_MAX
    shortest_bar: float = SHORTEST
    seconds: float = 300.0
    memory_gib: float = 4.0


@dataclass(frozen=True)
class Partition:
    """A partition of the nodes.

    Attributes:
        count: number of parts.
        graphs: summaries by :data:`GRAPHS`, without the graphs that could not be made. ``parts`` is
            the mean over the graphs of the parts, ``means`` the graph of the parts' mean
            activations, ``kl`` and ``js`` those of the divergences between the parts' distributions
            of correlations. ``subparts`` is the mean over the parts' graphs of :data:`SUBPARTS`.
        curves: Betti curves of each part of two nodes or more, per node, (parts, dimensions,
            points) over epsilon from 0 to the largest; None where they could not be made.
    """

    count: int
    graphs: Mapping[str, Summaries]
    curves: Floats | None


@dataclass(frozen=True)
class Moment:
    """All graphs at one moment of training.

    Attributes:
        whole: of all nodes; None where that graph costs more than the budget.
        sampled: of uniform samples of the nodes, the mean over the samples.
        low, high: ends of the 95% Student t interval over the samples.
        partitions: ``equal`` chunks of layers, ``structure`` (layers or blocks of them) and, if
            there is a graph of all nodes, ``communities`` of |r| > 0.5.
    """

    whole: Summaries | None
    sampled: Summaries
    low: Summaries
    high: Summaries
    partitions: Mapping[str, Partition]

    def graph(self, partition: str, kind: str) -> Summaries | None:
        """Return the summaries of a partition's graph; None where it could not be made."""
        return self.partitions[partition].graphs.get(kind) if partition in self.partitions else None


@dataclass(frozen=True)
class Result(ExperimentResult):
    """The graphs that parts and budget allow, by epoch, ascending."""

    moments: Mapping[str, Moment]

    @property
    def start(self) -> Moment:
        """The graphs before training."""
        return next(iter(self.moments.values()))

    @property
    def end(self) -> Moment:
        """The graphs at the end of training, or at the last checkpoint."""
        return list(self.moments.values())[-1]


PartitionsRun = Run[Settings, Result]


def keys(max_dim: int) -> list[str]:
    """Return the names of a graph's numbers: life and midlife in each dimension."""
    return [f"{name}.H{dim}" for dim in range(max_dim + 1) for name in ("life", "midlife")]


def run(context: Context, settings: Settings) -> Result:
    """Compute life and midlife of each graph at checkpoints of training."""
    data = load_dataset(context, settings.dataset, seed=context.seed)
    last = recipe_for(context, settings.training).epochs
    epochs = settings.checkpoints or (0, last)
    solution = solve(context, data, settings.network, settings.training, checkpoints=epochs)
    inputs = graph_inputs(context, data.train, settings.inputs)
    budget = Budget(settings.seconds, settings.memory_gib)

    def nodes_at(epoch: int) -> NodeActivations:
        solution.set_checkpoint(epoch)
        return node_activations(solution.network, inputs, settings.nodes)

    def parts_at(nodes: NodeActivations, name: str) -> Parts | None:
        """The parts of the whole graph; None where the budget refuses it."""
        try:
            check_matrix(len(nodes.activations), len(inputs), budget)
        except OverBudgetError:
            return None
        graph = correlation_dissimilarity(nodes.activations)
        if settings.parts is not None:
            return cut(graph, settings.parts)
        return communities(graph, context.generator("communities", name))

    names = {0: "start", last: "end"}
    kept = parts_at(nodes_at(epochs[-1]), "end") if settings.kept else None
    moments = {}
    for epoch in epochs:
        name, nodes = names.get(epoch, str(epoch)), nodes_at(epoch)
        graphs = _Graphs(settings, budget, nodes.activations)
        parts = kept if settings.kept else parts_at(nodes, name)
        moments[str(epoch)] = _moment(context, graphs, nodes, name, parts)
    return Result(moments)


def _moment(
    context: Context, graphs: _Graphs, nodes: NodeActivations, name: str, parts: Parts | None
) -> Moment:
    """All graphs at a moment; ``parts`` are those of the whole graph, if it can be made."""
    settings = graphs.settings
    whole = graphs.if_affordable(graphs.of_all)
    samples = sampled_summaries(
        nodes.activations,
        min(settings.sampled, len(nodes.activations)),
        settings.draws,
        context.generator("nodes", name),
        *graphs.scale,
    ).set_index("measure")
    sizes = [size for _, size in nodes.layers]
    partitions = {
        "equal": equal_chunks(sizes, settings.chunk),
        "structure": by_structure(sizes, settings.together),
    }
    if whole is not None and parts is not None:
        partitions["communities"] = parts

    def of_samples(column: str) -> Summaries:
        return {key: float(samples[column][key]) for key in keys(settings.max_dim)}

    return Moment(
        whole=whole,
        sampled=of_samples("value"),
        low=of_samples("low"),
        high=of_samples("high"),
        partitions={name: graphs.of_partition(parts) for name, parts in partitions.items()},
    )


@dataclass(frozen=True)
class _Graphs:
    """The graphs of a network's nodes at one moment, and of their parts."""

    settings: Settings
    budget: Budget
    activations: Floats32

    @property
    def scale(self) -> tuple[int, float, float, Budget]:
        """What functions of :mod:`gengap.topology` take after a graph or its activations."""
        settings = self.settings
        return settings.max_dim, settings.largest_epsilon, settings.shortest_bar, self.budget

    def selected(self, summaries: Summaries) -> Summaries:
        return {key: summaries[key] for key in keys(self.settings.max_dim)}

    def bars_of(self, nodes: Integers) -> list[Floats]:
        check_matrix(len(nodes), self.activations.shape[1], self.budget)
        return dipha_bars(correlation_dissimilarity(self.activations[nodes]), *self.scale)

    def of_all(self) -> Summaries:
        return self.selected(graph_summaries(self.activations, *self.scale))

    def of_means(self, parts: Parts) -> Summaries:
        means = partition_means(self.activations, parts, self.budget)
        return self.selected(summarise_graph(means, *self.scale))

    def of_divergences(self, parts: Parts, kind: str) -> Summaries:
        graph = partition_divergences(self.activations, parts, kind, self.budget)
        return self.selected(summarise_graph(graph, *self.scale))

    def of_subparts(self, parts: Parts, count: int) -> Summaries:
        """The mean over parts of the graphs of the means of their own parts."""
        rows = []
        for part in parts:
            check_matrix(len(part), self.activations.shape[1], self.budget)
            within = correlation_dissimilarity(self.activations[part])
            subparts = [part[own] for own in cut(within, min(count, len(part)))]
            rows.append(self.of_means(subparts))
        return _mean(rows)

    def of_partition(self, parts: Parts) -> Partition:
        """The summaries of each of the graphs that a partition and the budget allow."""
        paired = [part for part in parts if len(part) > 1]
        bars = self.if_affordable(lambda: [self.bars_of(part) for part in paired])
        makers: dict[str, Callable[[], Summaries]] = {"means": partial(self.of_means, parts)}
        if len(paired) > 1:
            makers |= {kind: partial(self.of_divergences, paired, kind) for kind in DIVERGENCES}
        if self.settings.subparts is not None:
            makers[SUBPARTS] = partial(self.of_subparts, paired, self.settings.subparts)
        graphs = {kind: self.if_affordable(summarise) for kind, summarise in makers.items()}
        if not bars:
            return Partition(len(parts), _made(graphs), None)
        own = [
            self.selected(summarise_diagrams(dimensions, len(part)))
            for part, dimensions in zip(paired, bars, strict=True)
        ]
        grid = np.linspace(0, self.settings.largest_epsilon, GRID_POINTS)
        curves = [
            [betti_curve(of_dimension, grid, len(part)) for of_dimension in dimensions]
            for part, dimensions in zip(paired, bars, strict=True)
        ]
        return Partition(len(parts), _made({"parts": _mean(own), **graphs}), np.array(curves))

    @staticmethod
    def if_affordable(compute: Callable[[], T]) -> T | None:
        """Return what is computed; None where the budget refuses it."""
        try:
            return compute()
        except OverBudgetError:
            return None


def _made(graphs: Mapping[str, Summaries | None]) -> dict[str, Summaries]:
    return {kind: summaries for kind, summaries in graphs.items() if summaries is not None}


def _mean(rows: Sequence[Summaries]) -> Summaries:
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
