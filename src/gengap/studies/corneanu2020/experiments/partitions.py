"""Graphs of parts of a network beside the graph of the whole, before and after training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from gengap.activations import NodeActivations, node_activations
from gengap.studies.context import Context, load_dataset
from gengap.studies.corneanu2020.functional_graphs import graph_inputs
from gengap.studies.outcomes import ExperimentResult, Floats32, Run
from gengap.studies.solving import recipe_for, solve
from gengap.topology import correlation_dissimilarity, graph_summaries, sampled_summaries
from gengap.topology.budget import Budget, OverBudgetError, check_matrix
from gengap.topology.functional_graph import summarise_graph
from gengap.topology.partitions import (
    DIVERGENCES,
    Parts,
    by_structure,
    communities,
    equal_chunks,
    partition_divergences,
    partition_means,
)

Summaries = Mapping[str, float]
"""Numbers of a graph by :data:`KEYS`, in epsilon."""

PARTITIONS = ("equal", "communities", "structure")
GRAPHS = ("parts", "means", *DIVERGENCES)
MAX_DIM = 1
KEYS = [f"{name}.H{dim}" for dim in range(MAX_DIM + 1) for name in ("life", "midlife")]


@dataclass(frozen=True)
class Settings:
    """One network whose parts have graphs.

    Attributes:
        inputs: number of inputs over which correlations are computed.
        nodes: of the graphs.
        chunk: number of nodes in an equal chunk.
        together: number of consecutive layers in a block of ``structure``.
        sampled, draws: number of nodes in a sample, and number of samples.
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
            of correlations.
    """

    count: int
    graphs: Mapping[str, Summaries]


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
    """The graphs at the start and at the end of training, those that parts and budget allow."""

    start: Moment
    end: Moment


PartitionsRun = Run[Settings, Result]


def run(context: Context, settings: Settings) -> Result:
    """Compute life and midlife in H0 and H1 of each graph at the start and the end of training."""
    data = load_dataset(context, settings.dataset, seed=context.seed)
    last = recipe_for(context, settings.training).epochs
    solution = solve(context, data, settings.network, settings.training, checkpoints=(0, last))
    inputs = graph_inputs(context, data, settings.inputs)
    moments = {}
    for name, epoch in (("start", 0), ("end", last)):
        solution.set_checkpoint(epoch)
        nodes = node_activations(solution.network, inputs, settings.nodes)
        moments[name] = _moment(context, settings, nodes, name)
    return Result(**moments)


def _moment(context: Context, settings: Settings, nodes: NodeActivations, name: str) -> Moment:
    budget = Budget(settings.seconds, settings.memory_gib)
    activations = nodes.activations
    whole = _if_affordable(partial(graph_summaries, activations, MAX_DIM, budget=budget))
    samples = sampled_summaries(
        activations,
        min(settings.sampled, len(activations)),
        settings.draws,
        context.generator("nodes", name),
        MAX_DIM,
        budget=budget,
    ).set_index("measure")
    sizes = [size for _, size in nodes.layers]
    partitions = {
        "equal": equal_chunks(sizes, settings.chunk),
        "structure": by_structure(sizes, settings.together),
    }
    if whole is not None:
        graph = correlation_dissimilarity(activations)
        partitions["communities"] = communities(graph, context.generator("communities", name))

    def of_samples(column: str) -> Summaries:
        return {key: float(samples[column][key]) for key in KEYS}

    return Moment(
        whole=whole,
        sampled=of_samples("value"),
        low=of_samples("low"),
        high=of_samples("high"),
        partitions={
            partition: Partition(len(parts), _graphs(activations, parts, budget))
            for partition, parts in partitions.items()
        },
    )


def _graphs(activations: Floats32, parts: Parts, budget: Budget) -> dict[str, Summaries]:
    """The summaries of each of the graphs that a partition and the budget allow."""
    paired = [part for part in parts if len(part) > 1]

    def of_parts() -> Summaries:
        for part in paired:
            check_matrix(len(part), activations.shape[1], budget)
        rows = [graph_summaries(activations[part], MAX_DIM, budget=budget) for part in paired]
        return {key: float(np.mean([row[key] for row in rows])) for key in KEYS}

    def of_means() -> Summaries:
        means = partition_means(activations, parts, budget)
        return summarise_graph(means, MAX_DIM, budget=budget)

    def of_divergences(kind: str) -> Summaries:
        divergences = partition_divergences(activations, parts, kind, budget)
        return summarise_graph(divergences, MAX_DIM, budget=budget)

    graphs: dict[str, Callable[[], Summaries]] = {"parts": of_parts, "means": of_means}
    if len(paired) > 1:
        graphs |= {kind: partial(of_divergences, kind) for kind in DIVERGENCES}
    summaries = {kind: _if_affordable(summarise) for kind, summarise in graphs.items()}
    return {kind: values for kind, values in summaries.items() if values is not None}


def _if_affordable(summarise: Callable[[], Summaries]) -> Summaries | None:
    """What is computed, by :data:`KEYS`; None where the budget refuses it."""
    try:
        summaries = summarise()
    except OverBudgetError:
        return None
    return {key: summaries[key] for key in KEYS}
