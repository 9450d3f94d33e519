"""Betti curves, life and midlife while a network trains, with true or corrupted labels."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import nn

from gengap.activations import node_activations
from gengap.errors import GengapError
from gengap.networks import set_weights
from gengap.studies import Context, Outcome, Run
from gengap.studies.corneanu2020 import figures
from gengap.studies.corneanu2020.early_stopping import lowest_checkpoint, stopping_checkpoint
from gengap.studies.corneanu2020.functional_graphs import (
    accuracies,
    check_checkpoints,
    graph_inputs,
    load_data,
    sampled_nodes,
    train_network,
    untrained_network,
)
from gengap.topology import (
    Budget,
    affordable_diagrams,
    betti_curve,
    correlation_dissimilarity,
    dipha_bars,
    in_density,
    summarise_bars,
)
from gengap.topology.betti import SUMMARIES
from gengap.topology.budget import check_matrix
from gengap.topology.dipha import EPS_MAX

GRID_POINTS = 121
GRID = np.linspace(0, EPS_MAX, GRID_POINTS)
LOWEST_DENSITY = 1e-3
DENSITY_GRID = np.geomspace(LOWEST_DENSITY, 1, GRID_POINTS)
DENSITY_CAP = 0.1
"""Cavities are looked at up to this share of edges, since beyond it they cost too much."""
SCALES = ("epsilon", "density")
RULES = {"stop": stopping_checkpoint, "lowest": lowest_checkpoint}
CAVITY = 2
"""The lowest dimension whose bars count as cavities."""


def run(
    context: Context,
    *,
    dataset: Mapping[str, Any],
    network: Mapping[str, Any],
    training: Mapping[str, Any],
    checkpoints: Sequence[int],
    label_corruption: float = 0.0,
    inputs: int = 400,
    nodes: str = "channels",
    nodes_at_most: int | None = None,
    split: str = "train",
    max_dim: int = 2,
    seconds: float = 300.0,
    memory_gib: float = 4.0,
) -> Outcome:
    """Train one network and look at its functional graph at checkpoints.

    On two scales: epsilon as published (``gengap.topology.dipha``), and density, the share of all
    edges. There no bar is dropped for its length, H0 and H1 are those of the whole filtration, and
    higher dimensions end at the density 0.1, at every checkpoint.

    Args:
        context: seed, data and device.
        dataset: ``name`` and keywords of ``gengap.datasets.load``.
        network: a template or an architecture.
        training: entries of the recipe.
        checkpoints: epochs, ascending, from 0.
        label_corruption: part of the training labels that are replaced.
        inputs: on which correlations are computed.
        nodes: ``channels`` or ``neurons``.
        nodes_at_most: where there are more, so many are drawn uniformly.
        split: of these inputs; ``test`` only to compare with the published code.
        max_dim: highest dimension of homology, 1 to 3.
        seconds: of CPU that the diagrams of one checkpoint may take.
        memory_gib: that they may take.

    Raises:
        OverBudgetError: the graph of a checkpoint costs more; that of epoch 0 is checked before
            training. With a larger budget a refused run need not be trained again.
        GengapError: ``max_dim`` is 0, or a value that training, data or topology refuse.
    """
    if max_dim < 1:
        raise GengapError(f"The setting 'max_dim' is {max_dim}: give 1 to 3, to look at beta_1.")
    data = load_data(context, dataset)
    points = graph_inputs(context, data, split, inputs)
    budget = Budget(seconds, memory_gib)

    def graph_of(module: nn.Module) -> dict[str, Any]:
        found = node_activations(module, points, nodes).activations
        return _graph(sampled_nodes(context, found, nodes_at_most), max_dim, budget)

    recipe = {**training, "label_corruption": label_corruption}
    check_checkpoints(training, checkpoints)
    # Before training, since a graph over the budget would make its hours useless.
    first = graph_of(untrained_network(context, data, network, recipe))
    trained = train_network(context, data, network, recipe, checkpoints)
    rows = []
    for epoch in checkpoints:
        set_weights(trained.network, trained.result.checkpoints[epoch], source="the checkpoint")
        train_accuracy, test_accuracy = accuracies(trained)
        row = first if epoch == 0 else graph_of(trained.network)
        rows.append({"train_accuracy": train_accuracy, "test_accuracy": test_accuracy, **row})
    arrays = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    arrays["epochs"] = np.asarray(checkpoints)
    arrays["grid"] = GRID
    arrays["density_grid"] = DENSITY_GRID
    return Outcome(_stopping(arrays), arrays)


def _graph(activations: NDArray[np.float32], max_dim: int, budget: Budget) -> dict[str, Any]:
    check_matrix(len(activations), activations.shape[-1], budget)
    graph = correlation_dissimilarity(activations)
    count = len(graph)
    bars = dipha_bars(graph, max_dim, budget=budget)
    dense = density_bars(graph, max_dim, budget)
    curves = np.array([betti_curve(some, DENSITY_GRID, count) for some in dense])
    curves[CAVITY:, DENSITY_GRID > DENSITY_CAP] = np.nan
    loops = summarise_bars(dense[1])
    return {
        "nodes": count,
        "curves": [betti_curve(some, GRID, count) for some in bars],
        "density_curves": curves,
        "summaries": [[summarise_bars(some, count)[name] for name in SUMMARIES] for some in bars],
        "density_mode": loops["argmax"] if loops["count"] else np.nan,
        "density_cavities": sum(len(some) for some in dense[CAVITY:]) / count,
    }


def density_bars(
    graph: NDArray[np.floating], max_dim: int, budget: Budget | None = None
) -> list[NDArray[np.float64]]:
    """Diagrams of the filtration by the share of edges: whole in H0 and H1, to 0.1 above.

    Args:
        graph: (n, n) 1 - |r|, of at least two nodes.
        max_dim: highest dimension of homology, at least 1.
        budget: see ``gengap.topology.budget``.

    Returns:
        Per dimension, (bars, 2) births and deaths as shares of edges. Above H1 bars born up to 0.1;
        deaths beyond are infinite, but where ties hold the edge at 0.1.
    """
    found = affordable_diagrams(graph, 1, budget=budget)
    if max_dim >= CAVITY:
        edges = np.sort(graph[np.triu_indices(len(graph), 1)])
        limit = float(edges[int(np.ceil(DENSITY_CAP * len(edges))) - 1])
        found += affordable_diagrams(graph, max_dim, limit, budget)[CAVITY:]
    whole, capped = in_density(found[:CAVITY], graph), in_density(found[CAVITY:], graph)
    # Equal edges enter together, and may so exceed the cap.
    return whole + [some[some[:, 0] <= DENSITY_CAP] for some in capped]


def _stopping(arrays: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    """Where each rule stops on each scale, and the test accuracy there, at best and at the end."""
    epochs, accuracy = arrays["epochs"], arrays["test_accuracy"]
    best = int(np.argmax(accuracy))
    values = {
        "best_epoch": float(epochs[best]),
        "best_accuracy": float(accuracy[best]),
        "last_accuracy": float(accuracy[-1]),
    }
    for scale, (name, rule) in itertools.product(SCALES, RULES.items()):
        chosen = rule(modes(arrays, scale), cavities(arrays, scale))
        values[f"{name}_epoch.{scale}"] = float(epochs[chosen])
        values[f"{name}_accuracy.{scale}"] = float(accuracy[chosen])
    return values


def modes(arrays: Mapping[str, NDArray[Any]], scale: str) -> NDArray[np.float64]:
    """Where beta_1 is largest at each checkpoint, in epsilon or density; NaN without loops."""
    if scale == "density":
        return np.asarray(arrays["density_mode"])
    loops = arrays["summaries"][:, 1]
    counts, places = loops[:, SUMMARIES.index("count")], loops[:, SUMMARIES.index("argmax")]
    return np.where(counts > 0, places, np.nan)


def cavities(arrays: Mapping[str, NDArray[Any]], scale: str) -> NDArray[np.float64]:
    """Bars of dimension 2 and above at each checkpoint, per node, on a scale."""
    if scale == "density":
        return np.asarray(arrays["density_cavities"])
    return np.asarray(arrays["summaries"][:, CAVITY:, SUMMARIES.index("count")].sum(axis=1))


def summary(run_: Run, name: str, dimension: int) -> NDArray[np.float64]:
    """A summary of ``gengap.topology.betti.SUMMARIES`` at each checkpoint of a run."""
    values: NDArray[np.float64] = run_.outcome.arrays["summaries"][
        :, dimension, SUMMARIES.index(name)
    ]
    return values


def draw(runs: Sequence[Run], *, smoothing: float | None = None) -> dict[str, Figure]:
    """One figure of Betti curves per dimension, of the summaries, and of accuracies and stops.

    Args:
        runs: that are done.
        smoothing: of the drawn Betti curves, see ``figures.betti_curves``.
    """
    dimensions = runs[0].outcome.arrays["curves"].shape[1]
    drawn = {
        f"betti_{dimension}": figures.betti_curves(runs, dimension, smoothing)
        for dimension in range(dimensions)
    }
    drawn["life_and_midlife"] = figures.life_and_midlife(runs, summary)
    drawn["early_stopping"] = figures.early_stopping(runs, modes, cavities)
    return drawn
