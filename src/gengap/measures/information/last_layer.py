"""The last layer as a generalised linear model of its features, and the leverage of each input."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.linalg
import torch
from torch import Tensor, nn

from gengap.curvature.gauss_newton import FACTORS
from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.measures.information.evidence import best_precision
from gengap.networks import batched_outputs, captured, device_of, tensor_of
from gengap.networks.differentiation import CountedParameters, counted_parameters
from gengap.training import loss_inputs, sample_losses

SIZE = 1200
"""Most rows of the matrix of second derivatives in the last layer's parameters."""
LEAST_SHARE = 0.99
"""Share of the features' squares that the directions within :data:`SIZE` must hold."""
RANK = 1e-12
"""Eigenvalues below this, relative to the largest, are rounding errors."""


@dataclass(frozen=True, eq=False)
class LastLayer:
    """A linear layer that ends a network, seen from m inputs, in float64.

    Attributes:
        features: (m, r), the layer's inputs and, if it has a bias, ones, rotated to their
            principal directions.
        outputs: f, (m, k).
        slopes: derivatives of each input's loss in its outputs, (m, k).
        curvatures: second derivatives likewise, (m, k, k).
        squared_norm: that of the layer's parameters.
        weight: the number of training inputs that each of the m stands for.
        loss: the loss.
        labels: (m,) classes, or numbers.
    """

    features: np.ndarray
    outputs: Tensor
    slopes: np.ndarray
    curvatures: np.ndarray
    squared_norm: float
    weight: float
    loss: str
    labels: Tensor

    @cached_property
    def directions(self) -> np.ndarray:
        """Directions (k, k') in the outputs that the losses see; softmax does not see a shift."""
        seen = self.curvatures.sum(axis=0) + self.slopes.T @ self.slopes
        return _range(seen)

    @cached_property
    def matrix(self) -> np.ndarray:
        """The Hessian (k' r, k' r) of the loss summed over all training inputs."""
        seen = np.einsum("ca,ncd,db->nab", self.directions, self.curvatures, self.directions)
        units, count = seen.shape[1], self.features.shape[1]
        blocks = np.empty((units, count, units, count))
        for first in range(units):
            for second in range(first + 1):
                weighted = seen[:, first, second, np.newaxis] * self.features
                block = self.features.T @ weighted
                blocks[first, :, second] = blocks[second, :, first] = block
        return self.weight * blocks.reshape(units * count, units * count)

    @cached_property
    def precision(self) -> float:
        """The prior precision of the largest evidence."""
        spectrum = np.maximum(scipy.linalg.eigvalsh(self.matrix), 0.0)
        return best_precision(
            self.squared_norm, lambda precision: float(np.log1p(spectrum / precision).sum())
        )

    def leverages(self, precision: float) -> np.ndarray:
        """Compute K_i = J_i (H + delta I)^-1 J_i^T of each input, in the outputs' directions.

        Args:
            precision: delta, above 0.

        Returns:
            (m, k', k'); J_i is the derivative of the outputs in the layer's parameters.
        """
        units, count = self.directions.shape[1], self.features.shape[1]
        damped = self.matrix + precision * np.eye(units * count)
        inverse = scipy.linalg.inv(damped).reshape(units, count, units, count)
        leverages = np.empty((len(self.features), units, units))
        for first in range(units):
            for second in range(first + 1):
                values = np.einsum(
                    "nr,nr->n", self.features @ inverse[first, :, second], self.features
                )
                leverages[:, first, second] = leverages[:, second, first] = values
        return leverages

    def losses(self, outputs: Tensor) -> Tensor:
        """Return the loss (m,) of each input at outputs (m, k)."""
        return sample_losses(outputs, self.labels, self.loss)


def last_layer(
    network: nn.Module, data: Split, total: int, loss: str, parameters: CountedParameters
) -> LastLayer:
    """Describe the layer that ends a network.

    Args:
        network: a network in eval mode whose last layer is linear and gives what the loss takes.
        data: m inputs, and labels or numbers.
        total: the number of training inputs that these m stand for.
        loss: one of :data:`gengap.curvature.gauss_newton.FACTORS`.
        parameters: which ones count.

    Returns:
        The layer. Where its matrix would have more than :data:`SIZE` rows, its features are those
        principal directions that fit.

    Raises:
        GengapError: the network does not end in such a layer, the layer is frozen, or it is too
            large.
    """
    layers: set[nn.Linear] = set()

    def run(network: nn.Module, inputs: Tensor) -> Tensor:
        linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
        with captured(linear) as passages:
            outputs = loss_inputs(network, inputs, loss)
        last = next(reversed(passages), None)
        if last is None or not _is_output(passages[last].output, outputs):
            raise GengapError(
                f"The measure needs a network that ends in a linear layer, whose outputs the loss "
                f"{loss} takes: end in one, or do without measures of the last layer."
            )
        assert isinstance(last, nn.Linear)
        layers.add(last)
        return torch.cat([passages[last].input, outputs], dim=1).double()

    joined = batched_outputs(network, data, run)
    (layer,) = layers
    counted = {id(value) for value in counted_parameters(network, parameters).values()}
    if id(layer.weight) not in counted:
        raise GengapError(
            "The measure needs a last layer that was trained, and it is frozen: let 'parameters' "
            "be 'all', or do without measures of the last layer."
        )
    features, outputs = joined[:, : layer.in_features], joined[:, layer.in_features :]
    squared_norm = float(layer.weight.detach().double().square().sum())
    if layer.bias is not None and id(layer.bias) in counted:
        features = torch.cat([features, torch.ones_like(features[:, :1])], dim=1)
        squared_norm += float(layer.bias.detach().double().square().sum())
    labels = tensor_of(data.labels, device_of(network))
    free = outputs.clone().requires_grad_()
    (slopes,) = torch.autograd.grad(sample_losses(free, labels, loss).sum(), free)
    factors = FACTORS[loss](outputs)
    curvatures = (factors @ factors.transpose(1, 2)).numpy(force=True)
    described = LastLayer(
        _principal(features.numpy(force=True)),
        outputs,
        slopes.numpy(force=True),
        curvatures,
        squared_norm,
        total / len(data.labels),
        loss,
        labels,
    )
    return _within_size(described)


def _is_output(values: Tensor, outputs: Tensor) -> bool:
    """Whether what a layer returned is what the network returns."""
    return values.shape == outputs.shape and torch.allclose(values, outputs)


def _principal(features: np.ndarray) -> np.ndarray:
    """Rotate features (m, d) to their principal directions (m, r), r <= min(m, d)."""
    values, vectors = np.linalg.eigh(features @ features.T)
    significant = values > RANK * values[-1]
    return np.asarray((vectors[:, significant] * np.sqrt(values[significant]))[:, ::-1])


def _range(matrix: np.ndarray) -> np.ndarray:
    """Return orthonormal columns that span the range of a positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors[:, values > RANK * values[-1]])


def _within_size(layer: LastLayer) -> LastLayer:
    """Keep as many principal directions of the features as fit.

    Args:
        layer: with all directions.

    Returns:
        The layer itself if they fit.

    Raises:
        GengapError: those that fit hold too little of the features, or no loss has a curvature.
    """
    units = layer.directions.shape[1]
    if not units or not layer.features.shape[1]:
        raise GengapError(
            f"The measure needs a curvature in the last layer's parameters, and the loss "
            f"{layer.loss} has none: look at the network's weights, or use those of an earlier "
            "epoch."
        )
    limit = SIZE // units
    if layer.features.shape[1] <= limit:
        return layer
    squares = np.square(layer.features).sum(axis=0)
    share = squares[:limit].sum() / squares.sum()
    if share < LEAST_SHARE:
        raise GengapError(
            f"The measure needs a smaller last layer: of {layer.features.shape[1]} directions of "
            f"features with {units} outputs, {limit} fit into a matrix, and they hold {share:.0%} "
            "of the squares; do without measures of the last layer."
        )
    return replace(layer, features=layer.features[:, :limit])
