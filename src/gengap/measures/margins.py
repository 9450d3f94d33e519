"""The family ``margins``: distances of training inputs to the decision boundary, at several layers.

All are to first order: the difference of two logits over the norm of its gradient. They see classes
only, and no tokens, between which there is nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from torch import Tensor, nn

from gengap.errors import GengapError
from gengap.measures.pgdl.outputs import observe
from gengap.measures.registry import measure
from gengap.measures.results import LeftOut
from gengap.measures.subject import Subject
from gengap.networks import (
    batch_size_for,
    device_of,
    input_batches,
    observed_layers,
    tensor_of,
)

INPUTS = 500
"""Most training inputs of a distribution of margins."""
BATCH = 256

INPUT = "input"
HIDDEN = {"first_hidden": 0.0, "middle_hidden": 0.5, "last_hidden": 1.0}
"""Hidden places where margins are measured: how far each is from the first hidden layer to the
last."""

QUARTILES = {"lower_quartile": 25, "median": 50, "upper_quartile": 75}
WHISKER = 1.5
"""Interquartile ranges from a quartile within which a margin is no outlier (Tukey's fences)."""


@dataclass(frozen=True, eq=False)
class LayerMargins:
    """Margins of inputs at one place in a network.

    Attributes:
        features: the values there, (n, features) float64.
        differences: logit of the label minus the largest other one, (n,).
        slopes: Euclidean norms of the differences' gradients in the features, (n,).
    """

    features: NDArray[np.float64]
    differences: NDArray[np.float64]
    slopes: NDArray[np.float64]

    @property
    def margins(self) -> NDArray[np.float64]:
        """Distances to the boundary to first order, (n,); 0 where the difference has no slope."""
        moved = self.slopes > 0
        return np.divide(self.differences, self.slopes, out=np.zeros(len(moved)), where=moved)

    @property
    def total_variation(self) -> float:
        """The square root of the summed variances of the features."""
        return math.sqrt(float(self.features.var(axis=0).sum()))


@measure(
    "negative_log_margins",
    "negative_log_input_margin",
    "kv_margin",
    "kv_gn_margin",
    needs={"classes", "float_inputs"},
    draws=2,
)
def margins(subject: Subject) -> dict[str, dict[str, float] | float | LeftOut]:
    """Compute the distribution of margins at four places, and the k-variance normalised margins.

    At most 500 training inputs are used. The margin of an input x of label y at a place h is the
    distance of h(x) to the boundary with the class j of the largest other logit, to first order.
    The places are the input, and the outputs of the first, the middle and the last hidden layer.
    They coincide where there are fewer hidden layers; without any, all four are the input.

    Equation: d_h(x) = (f_y(x) - f_j(x)) / ||grad_h (f_y(x) - f_j(x))||_2. ``negative_log_margins``
    is -log of the quartiles and of the fences of d_h / sqrt(sum_i Var(h_i)), over the inputs with a
    positive margin; a fence is the outermost value within 1.5 interquartile ranges of its quartile.
    ``negative_log_input_margin`` is that of the median at the input. At the first hidden layer,
    ``kv_gn_margin`` = -median d_h / sum_c p_c W_c and ``kv_margin`` = -median (f_y - f_j) / sum_c
    p_c W_c L_c, with p_c the share of class c, W_c the Wasserstein-1 distance between two random
    halves of the features of c, and L_c the largest slope of c.

    Source: Jiang et al. 2019, "Predicting the generalization gap in deep networks with margin
    distributions"; Sokolic et al. 2017, "Robust large margin deep neural networks" (margins at the
    input); Chuang et al. 2021, "Measuring generalization with optimal transport", with the
    sign of their published code, by which larger predicts a larger gap.

    Scale: logarithm for the first two; linear for the other two.

    Returns:
        ``negative_log_margins`` with a component for each place and statistic, and three numbers
        without units. The former two are left out where no input has a positive margin, the latter
        two where no class has two inputs or all of their features are equal.
    """
    network = subject.network
    data = subject.train.sample(INPUTS, subject.rng)
    places = _places(network)
    layers = list(dict.fromkeys(layer for layer in places.values() if layer is not None))
    at_input, *hidden = margins_at(network, layers, data.inputs, data.labels)
    by_layer = dict(zip(layers, hidden, strict=True))
    measured = {
        place: at_input if layer is None else by_layer[layer] for place, layer in places.items()
    }
    transported = _transported(measured[next(iter(HIDDEN))], data.labels, subject.rng)
    try:
        signature = {
            f"{place}_{name}": -value
            for place, at_place in measured.items()
            for name, value in log_statistics(at_place).items()
        }
    except GengapError as error:
        lacking = LeftOut(str(error))
        return {
            "negative_log_margins": lacking,
            "negative_log_input_margin": lacking,
            **transported,
        }
    return {
        "negative_log_margins": signature,
        "negative_log_input_margin": signature[f"{INPUT}_median"],
        **transported,
    }


def _places(network: nn.Module) -> dict[str, nn.Module | None]:
    """Return the module whose output is each place; None for the input."""
    hidden = [layer for _, layer in observed_layers(network)][:-1]
    last = len(hidden) - 1
    return {INPUT: None} | {
        name: hidden[round(share * last)] if hidden else None for name, share in HIDDEN.items()
    }


def margins_at(
    network: nn.Module, layers: Sequence[nn.Module], inputs: np.ndarray, labels: np.ndarray
) -> list[LayerMargins]:
    """Compute the margins of inputs at the input and at the outputs of layers.

    Args:
        network: a classifier in eval mode.
        layers: modules that a forward pass calls.
        inputs: (n, *input_shape) float32.
        labels: (n,) int64.

    Returns:
        The margins at the input, and then at each layer.
    """
    targets = tensor_of(labels, device_of(network))
    size = batch_size_for(network, inputs, BATCH)
    batches = [
        _margins_of_batch(network, layers, batch, targets[rows])
        for rows, batch in input_batches(network, inputs, size)
    ]
    return [
        LayerMargins(
            np.concatenate([part.features for part in parts]),
            np.concatenate([part.differences for part in parts]),
            np.concatenate([part.slopes for part in parts]),
        )
        for parts in zip(*batches, strict=True)
    ]


def _margins_of_batch(
    network: nn.Module, layers: Sequence[nn.Module], inputs: Tensor, labels: Tensor
) -> list[LayerMargins]:
    with torch.enable_grad():
        inputs = inputs.detach().requires_grad_()
        scores, outputs = observe(network, layers, inputs)
        own = scores.gather(1, labels[:, None])
        others = scores.scatter(1, labels[:, None], -math.inf)
        differences = (own - others.amax(1, keepdim=True))[:, 0]
        places = [inputs, *outputs]
        gradients = torch.autograd.grad(differences.sum(), places, materialize_grads=True)
    return [
        LayerMargins(
            values.detach().flatten(1).double().numpy(force=True),
            differences.detach().double().numpy(force=True),
            gradient.flatten(1).double().norm(dim=1).numpy(force=True),
        )
        for values, gradient in zip(places, gradients, strict=True)
    ]


def log_statistics(at_place: LayerMargins) -> dict[str, float]:
    """Compute the logarithms of the quartiles and fences of the normalised positive margins.

    Args:
        at_place: margins at one place.

    Returns:
        ``lower_fence``, the three quartiles, and ``upper_fence``.

    Raises:
        GengapError: no margin is positive, or the features are constant.
    """
    distances, variation = at_place.margins, at_place.total_variation
    positive = distances[distances > 0]
    if len(positive) == 0 or variation == 0:
        raise GengapError(
            "At some layer no training input has a positive margin, or all have the same features, "
            "so there is no distribution of margins: train the network further, or do without it."
        )
    normalised = positive / variation
    quartiles = {name: float(np.percentile(normalised, share)) for name, share in QUARTILES.items()}
    low, _, high = quartiles.values()
    reach = WHISKER * (high - low)
    fences = {
        "lower_fence": float(normalised[normalised >= low - reach].min()),
        **quartiles,
        "upper_fence": float(normalised[normalised <= high + reach].max()),
    }
    return {name: math.log(value) for name, value in fences.items()}


def _transported(
    at_layer: LayerMargins, labels: NDArray[np.int64], rng: np.random.Generator
) -> dict[str, float | LeftOut]:
    """Compute the margins over the k-variance of each class's features."""
    spread = spread_times_slope = 0.0
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        half = len(rows) // 2
        if half == 0:
            continue
        features = at_layer.features[rows]
        distance = wasserstein(features[:half], features[half : 2 * half])
        share = len(rows) / len(labels)
        spread += share * distance
        spread_times_slope += share * distance * float(at_layer.slopes[rows].max())
    if spread_times_slope == 0:
        lacking = LeftOut(
            "The features of no class vary at the first hidden layer, so margins cannot be "
            "compared with their spread: give at least two training inputs of a class, or do "
            "without kv_margin and kv_gn_margin."
        )
        return {"kv_margin": lacking, "kv_gn_margin": lacking}
    return {
        "kv_margin": float(-np.median(at_layer.differences) / spread_times_slope),
        "kv_gn_margin": float(-np.median(at_layer.margins) / spread),
    }


def wasserstein(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Compute the Wasserstein-1 distance of two samples of one size, exactly.

    Args:
        first: (k, features), each point of weight 1/k.
        second: (k, features), likewise.

    Returns:
        The mean Euclidean distance of the best matching.
    """
    costs = cdist(first, second)
    return float(costs[linear_sum_assignment(costs)].mean())
