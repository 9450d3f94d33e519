"""Graphs of parts of a network beside the graph of the whole, before and after training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gengap.activations import node_activations
from gengap.networks import set_weights
from gengap.seeding import generator
from gengap.studies import Context, Outcome, Run
from gengap.studies.corneanu2020 import figures
from gengap.studies.corneanu2020.functional_graphs import graph_inputs, load_data, train_network
from gengap.topology import (
    correlation_dissimilarity,
    dipha_bars,
    graph_summaries,
    sampled_summaries,
    summarise_bars,
)
from gengap.topology.budget import Budget, OverBudgetError, check_matrix
from gengap.topology.partitions import (
    DIVERGENCES,
    Parts,
    by_structure,
    communities,
    equal_chunks,
    partition_divergences,
    partition_means,
)
from gengap.training import Recipe

PARTITIONS = ("equal", "communities", "structure")
GRAPHS = ("parts", "means", *DIVERGENCES)
SUMMARIES = ("life", "midlife")
MAX_DIMENSION = 1


def run(
    context: Context,
    *,
    dataset: Mapping[str, Any],
    network: Mapping[str, Any],
    training: Mapping[str, Any],
    inputs: int = 300,
    nodes: str = "neurons",
    chunk: int = 32,
    together: int = 1,
    sampled: int = 200,
    draws: int = 5,
    seconds: float = 300.0,
    memory_gib: float = 4.0,
) -> Outcome:
    """Life and midlife in H0 and H1 of each graph at the start and the end of training.

    Graphs: of all nodes (``whole``); of uniform samples of them (``sampled``, with Student t
    intervals over the samples); and for each partition (``equal`` chunks of layers,
    ``communities`` of |r| > 0.5, ``structure``: layers or blocks of them) the mean over the graphs
    of its parts (``parts``), the graph of the parts' mean activations (``means``), and of the
    divergences between the parts'
    distributions of correlations (``kl``, ``js``). A graph that cannot be made, since there are too
    few parts or it would cost more than the budget, has no value; without the graph of all nodes
    there are no communities either.

    Args:
        context: seed, data and device.
        dataset: ``name`` and keywords of ``gengap.datasets.load``.
        network: a template or an architecture.
        training: entries of the recipe.
        inputs: on which correlations are computed.
        nodes: ``neurons`` or ``channels``.
        chunk: nodes in an equal chunk.
        together: consecutive layers in a block of ``structure``.
        sampled: nodes in a sample.
        draws: samples.
        seconds: of CPU that one graph may take.
        memory_gib: of memory that one graph may take.
    """
    budget = Budget(seconds, memory_gib)
    data = load_data(context, dataset)
    last = Recipe.from_mapping(training).epochs
    trained = train_network(context, data, network, training, (0, last))
    points = graph_inputs(context, data, "train", inputs)
    values: dict[str, float] = {}
    for moment, epoch in (("start", 0), ("end", last)):
        set_weights(trained.network, trained.result.checkpoints[epoch], source="the checkpoint")
        found = node_activations(trained.network, points, nodes)
        whole = _if_affordable(
            partial(graph_summaries, found.activations, MAX_DIMENSION, budget=budget)
        )
        if whole is not None:
            values |= {f"whole.{moment}.{key}": whole[key] for key in _keys()}
        table = sampled_summaries(
            found.activations,
            min(sampled, len(found.activations)),
            draws,
            generator(context.seed, "nodes", moment),
            MAX_DIMENSION,
            budget=budget,
        ).set_index("measure")
        for column, name in (("value", "sampled"), ("low", "low"), ("high", "high")):
            values |= {f"{name}.{moment}.{key}": float(table[column][key]) for key in _keys()}
        sizes = [size for _, size in found.layers]
        partitions = {
            "equal": equal_chunks(sizes, chunk),
            "structure": by_structure(sizes, together),
        }
        if whole is not None:
            graph = correlation_dissimilarity(found.activations)
            rng = generator(context.seed, "communities", moment)
            partitions["communities"] = communities(graph, rng)
        for partition, parts in partitions.items():
            values[f"{partition}.{moment}.count"] = float(len(parts))
            for kind, some in _graphs(found.activations, parts, budget).items():
                values |= {f"{partition}.{kind}.{moment}.{key}": some[key] for key in _keys()}
    return Outcome(values)


def _keys() -> list[str]:
    return [f"{name}.H{dim}" for dim in range(MAX_DIMENSION + 1) for name in SUMMARIES]


def _graphs(
    activations: NDArray[np.float32], parts: Parts, budget: Budget
) -> dict[str, dict[str, float]]:
    """The summaries of each of the graphs that a partition and the budget allow."""
    large = [part for part in parts if len(part) > 1]

    def of_parts() -> dict[str, float]:
        for part in large:
            check_matrix(len(part), activations.shape[1], budget)
        return _mean(
            [graph_summaries(activations[part], MAX_DIMENSION, budget=budget) for part in large]
        )

    def of_divergences(kind: str) -> Callable[[], dict[str, float]]:
        return lambda: _summaries(partition_divergences(activations, parts, kind, budget), budget)

    ways: dict[str, Callable[[], dict[str, float]]] = {
        "parts": of_parts,
        "means": lambda: _summaries(partition_means(activations, parts, budget), budget),
    }
    if len(large) > 1:
        ways |= {kind: of_divergences(kind) for kind in DIVERGENCES}
    found = {kind: _if_affordable(way) for kind, way in ways.items()}
    return {kind: some for kind, some in found.items() if some is not None}


def _if_affordable(way: Callable[[], dict[str, float]]) -> dict[str, float] | None:
    """What a graph gives, or None where its budget refuses it."""
    try:
        return way()
    except OverBudgetError:
        return None


def _summaries(graph: NDArray[np.floating], budget: Budget) -> dict[str, float]:
    return {
        f"{name}.H{dimension}": value
        for dimension, bars in enumerate(dipha_bars(graph, MAX_DIMENSION, budget=budget))
        for name, value in summarise_bars(bars, len(graph)).items()
    }


def _mean(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([row[key] for row in rows])) for key in _keys()}


def draw(runs: Sequence[Run]) -> dict[str, Figure]:
    """Life in H0 of every graph at the start and the end."""
    return {"partitions": figures.partitions(runs, PARTITIONS, GRAPHS)}
