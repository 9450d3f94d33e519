"""The family ``representations``: geometry and topology of what the layers make of the inputs.

A representation is the activations of a layer on at most 200 training inputs: 200 points with
Euclidean distances. The last hidden one is the input of the layer that is called last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gengap import topology
from gengap.activations import choose_inputs
from gengap.activations.streaming import LayerStream
from gengap.errors import GengapError
from gengap.measures.registry import measure
from gengap.measures.results import LeftOut, Value
from gengap.measures.subject import Subject
from gengap.networks import batched_outputs, penultimate
from gengap.topology.betti import summarise_bars

INPUTS = 200
NEURONS = 4096
"""Neurons of a layer whose activations are kept; of larger layers, so many are drawn."""
CORRELATED_NEURONS = 128
"""Neurons of a layer whose correlations have diagrams; of larger layers, so many are drawn."""

POWERS = {"half": 0.5, "one": 1.0, "two": 2.0}
"""Powers of lifetime sums by the names of the components."""

_NAMES = (
    "persistent_homology_dimension", "persistent_homology_dimension_by_layer",
    "total_persistence", "total_persistence_by_layer", "lifetime_sums",
    "magnitude", "magnitude_by_layer",
)  # fmt: skip

Distances = NDArray[np.float64]
Points = NDArray[np.float32]


class Representations(NamedTuple):
    """The representations of a network.

    Attributes:
        layers: the activations (inputs, neurons) of each observed layer, in forward order.
        last: those of the last hidden layer; the reason where there is none.
    """

    layers: Sequence[Points]
    last: Points | LeftOut


@measure(
    "two_nn", "two_nn_maximum", "two_nn_by_layer",
    sign={"two_nn_maximum": "?", "two_nn_by_layer": "?"},
    draws=2,
)  # fmt: skip
def intrinsic_dimension(subject: Subject) -> dict[str, Value | LeftOut]:
    """Estimate the intrinsic dimension of the last hidden layer, of each layer, and the maximum.

    Rescaled layers and permuted neurons have the same dimension. The paper finds that networks with
    a smaller dimension in the last hidden layer generalise better, and gives no sign for the
    maximum.

    Equation:
        With the distances r_1 and r_2 of a point's two nearest neighbours and mu = r_2 / r_1,
        F(mu) = 1 - mu^-d; d is the slope through the origin of -log(1 - F) against log mu, without
        the largest tenth:
        - ``two_nn``: d of the last hidden layer.
        - ``two_nn_maximum``: the largest d of a layer.
        - ``two_nn_by_layer``: d of each layer.

    Source:
        Ansuini, Laio, Macke and Zoccolan 2019, "Intrinsic dimension of data representations in deep
        neural networks"; the estimator is that of Facco, d'Errico, Rodriguez and Laio 2017,
        "Estimating the intrinsic dimension of datasets by a minimal neighborhood information".

    Returns:
        ``two_nn`` of the last hidden layer, ``two_nn_maximum`` over the observed layers, and
        ``two_nn_by_layer`` (layers,).
    """
    points = representations(subject)
    layers = [_of_points(topology.two_nn, layer) for layer in points.layers]
    numbers = [value for value in layers if not isinstance(value, LeftOut)]
    return {
        "two_nn": _of_points(topology.two_nn, points.last),
        "two_nn_maximum": max(numbers) if numbers else layers[0],
        "two_nn_by_layer": _by_layer(layers),
    }


@measure(*_NAMES, sign=dict.fromkeys(_NAMES[1:], "?"), draws=2)
def persistence_and_magnitude(subject: Subject) -> dict[str, Value | LeftOut]:
    """Compute dimension, lifetime sums and magnitude of the last hidden and of each layer.

    Distances are divided by their mean, so that a rescaled layer has the same values. The papers
    are about the iterates of training; the family ``history`` has them where snapshots are kept.
    For representations only the sign of the dimension is known.

    Equation:
        With the distances d_ij over their mean, and E_alpha the sum of the powers alpha of the
        edges of a minimum spanning tree, which are the lifetimes in H0:
        - ``persistent_homology_dimension``: 1 / (1 - m) of the last hidden layer, with the slope m
          of log E_1 against log n over subsamples of n points.
        - ``persistent_homology_dimension_by_layer``: 1 / (1 - m) of each layer, with the slope m of
          log E_1 against log n over subsamples of n points.
        - ``total_persistence``: E_1 of the last hidden layer.
        - ``total_persistence_by_layer``: E_1 of each layer.
        - ``lifetime_sums``: E_alpha of the last hidden layer for alpha = 1/2, 1 and 2.
        - ``magnitude``: sum_i w_i of the last hidden layer, where sum_j exp(-d_ij) w_j = 1 for each
          i.
        - ``magnitude_by_layer``: sum_i w_i of each layer, where sum_j exp(-d_ij) w_j = 1 for each
          i.

    Source:
        - ``persistent_homology_dimension``, ``persistent_homology_dimension_by_layer``: Birdal,
          Lou, Guibas and Simsekli 2021, "Intrinsic dimension, persistent homology and
          generalization in neural networks"; Dupuis, Deligiannidis and Simsekli 2023,
          "Generalization bounds using data-dependent fractal dimensions".
        - ``total_persistence``, ``total_persistence_by_layer``, ``lifetime_sums``: Birdal, Lou,
          Guibas and Simsekli 2021, "Intrinsic dimension, persistent homology and generalization in
          neural networks"; Andreeva, Dupuis, Sarkar, Birdal and Simsekli 2024, "Topological
          generalization bounds for discrete-time stochastic optimization algorithms".
        - ``magnitude``, ``magnitude_by_layer``: Leinster 2013, "The magnitude of metric spaces";
          Andreeva, Dupuis, Sarkar, Birdal and Simsekli 2024, "Topological generalization bounds for
          discrete-time stochastic optimization algorithms".

    Returns:
        Numbers of the last hidden layer, ``lifetime_sums`` by the power, and vectors (layers,) of
        the observed layers.
    """
    rng = subject.rng.spawn(1)[0]

    def dimension(distances: Distances) -> float:
        return topology.persistent_homology_dimension(distances, rng)

    functions = {
        "persistent_homology_dimension": dimension,
        "total_persistence": topology.lifetime_sum,
        "magnitude": topology.magnitude,
    }
    points = representations(subject)
    last = _scaled(points.last)
    layers = [_scaled(layer) for layer in points.layers]
    values: dict[str, Value | LeftOut] = {}
    for name, function in functions.items():
        values[name] = _of_distances(function, last)
        values[f"{name}_by_layer"] = _by_layer([_of_distances(function, one) for one in layers])
    values["lifetime_sums"] = (
        last
        if isinstance(last, LeftOut)
        else {name: topology.lifetime_sum(last, power) for name, power in POWERS.items()}
    )
    return values


@measure(sign="?", draws=2)
def layer_diagrams(subject: Subject) -> dict[str, float]:
    """Summarise the persistence diagrams of each layer's own neurons.

    The dissimilarity of two neurons of a layer is 1 - |r|, with their correlation r over the
    inputs, as in the family ``topology``, whose diagrams are of all layers together. Of a layer of
    more than 128 neurons, 128 are drawn.

    Equation:
        For each layer and H0 and H1, over the bars (b, d): means of d - b, (b + d) / 2 and d / b,
        largest Betti number and where it is, integral of the Betti curve, number of bars, and
        -sum p log p of the lives' shares p; numbers of bars are divided by that of the neurons.

    Source:
        Corneanu, Madadi, Escalera and Martinez 2020, "Computing the testing error without a testing
        set" (the summaries); Ballester et al. 2023, "Predicting the generalization gap in neural
        networks using topological data analysis" (the dissimilarity).

    Returns:
        The summaries by ``<layer>.H<dimension>.<summary>``, layers numbered in forward order.
    """
    values: dict[str, float] = {}
    for layer, points in enumerate(representations(subject).layers):
        neurons = _draw(points.shape[1], CORRELATED_NEURONS, subject.rng)
        dissimilarity = topology.correlation_dissimilarity(points[:, neurons].T)
        for dimension, bars in enumerate(topology.persistence_diagrams(dissimilarity)):
            summaries = summarise_bars(bars, len(neurons))
            values |= {f"{layer}.H{dimension}.{name}": value for name, value in summaries.items()}
    return values


def representations(subject: Subject) -> Representations:
    """Compute the activations of the observed layers on training inputs.

    Args:
        subject: the network and its training data. Its generator draws at most 200 inputs, and
            4096 neurons of each larger layer.

    Returns:
        Points (inputs, neurons) of each layer and of the last hidden one.

    Raises:
        GengapError: the network has no layers to observe, or activations that are not finite.
    """
    inputs_rng, neurons_rng = subject.rng.spawn(2)
    inputs = choose_inputs(subject.train, INPUTS, inputs_rng)
    stream = LayerStream(subject.network, inputs)
    kept = [_draw(size, NEURONS, neurons_rng) for _, size in stream.layers]
    layers = [np.empty((len(inputs), len(neurons)), np.float32) for neurons in kept]

    def visit(layer: int, batch: slice, activations: Points) -> None:
        layers[layer][batch] = activations[:, kept[layer]]

    stream.visit(visit)
    return Representations(layers, _last_hidden(subject, inputs, neurons_rng))


def _last_hidden(
    subject: Subject, inputs: NDArray[Any], rng: np.random.Generator
) -> Points | LeftOut:
    try:
        features = batched_outputs(subject.network, inputs, penultimate)
    except GengapError as error:
        return LeftOut(str(error))
    points: Points = features.float().numpy(force=True)
    return points[:, _draw(points.shape[1], NEURONS, rng)]


def _draw(available: int, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the numbers of all neurons, or of as many as allowed, in ascending order."""
    if available <= most:
        return np.arange(available)
    return np.sort(rng.choice(available, most, replace=False))


def _distances(points: Points) -> Distances:
    """Return the Euclidean distances (n, n) of the rows, exactly 0 for equal ones."""
    from scipy.spatial.distance import pdist, squareform

    return squareform(pdist(points.astype(np.float64)))


def _scaled(points: Points | LeftOut) -> Distances | LeftOut:
    """Return the distances over their mean; a reason where all points are one."""
    if isinstance(points, LeftOut):
        return points
    distances = _distances(points)
    mean = float(distances.mean()) * len(points) / max(1, len(points) - 1)
    if mean == 0:
        return LeftOut(
            "A layer gives the same activations for all inputs: look at the network's weights, or "
            "do without this measure."
        )
    return distances / mean


def _of_points(function: Callable[[Distances], float], points: Points | LeftOut) -> float | LeftOut:
    return _of_distances(function, points if isinstance(points, LeftOut) else _distances(points))


def _of_distances(
    function: Callable[[Distances], float], distances: Distances | LeftOut
) -> float | LeftOut:
    """Apply a function; the reason where it has no value for these points."""
    if isinstance(distances, LeftOut):
        return distances
    try:
        return function(distances)
    except GengapError as error:
        return LeftOut(str(error))


def _by_layer(values: Sequence[float | LeftOut]) -> NDArray[np.float64] | LeftOut:
    """Return a vector of all layers; the first reason where one of them has no value."""
    reasons = [value for value in values if isinstance(value, LeftOut)]
    return reasons[0] if reasons else np.array(values, dtype=np.float64)
