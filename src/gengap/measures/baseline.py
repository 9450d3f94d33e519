"""Baselines that every measure has to beat: size, norms, margin, training loss and accuracy."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.measures.registry import measure
from gengap.networks import (
    batched_outputs,
    captured,
    class_logits,
    device_of,
    inference,
    tensor_of,
    weight_layers,
)
from gengap.training import loss_and_accuracy

MARGIN_PERCENTILE = 10.0
POWER_ITERATIONS = 200
POWER_TOLERANCE = 1e-6


@measure()
def parameter_count(
    network: nn.Module, initial: nn.Module | None, train: Split, rng: np.random.Generator
) -> float:
    """Number of trainable parameters."""
    return float(inference.parameter_count(network))


@measure()
def sum_of_squared_weights(
    network: nn.Module, initial: nn.Module | None, train: Split, rng: np.random.Generator
) -> float:
    """Squared Euclidean norm of all trainable parameters."""
    return float(sum(p.detach().double().square().sum() for p in network.parameters()))


@measure()
def distance_from_initialisation(
    network: nn.Module, initial: nn.Module | None, train: Split, rng: np.random.Generator
) -> float:
    """Euclidean distance of all trainable parameters from their initial values.

    Nagarajan and Kolter 2019, "Generalization in deep networks: the role of distance from
    initialization".

    Raises:
        GengapError: the initial weights are unknown.
    """
    if initial is None:
        raise GengapError(
            "The distance from initialisation needs the initial weights: add them to the task, "
            "or leave the family 'baseline' out."
        )
    squares = [
        (last.detach().double() - first.detach().double()).square().sum()
        for last, first in zip(network.parameters(), initial.parameters(), strict=True)
    ]
    return math.sqrt(float(sum(squares)))


@measure()
def log_spectral_norm_product(
    network: nn.Module, initial: nn.Module | None, train: Split, rng: np.random.Generator
) -> float:
    """Natural logarithm of the product of the operator norms of all conv and dense layers.

    The product bounds the Lipschitz constant of a network without normalisation layers (Bartlett
    et al. 2017, "Spectrally-normalized margin bounds for neural networks"). The norm of a
    convolution is that of its linear map on the input that reaches it (as padded, where Keras pads
    unevenly), not of its reshaped kernel.
    """
    norms = layer_norms(network, tensor_of(train.inputs[:1], device_of(network)), rng)
    return float(sum(math.log(max(norm, np.finfo(float).tiny)) for norm in norms))


@measure()
def negative_normalised_margin(
    network: nn.Module, initial: nn.Module | None, train: Split, rng: np.random.Generator
) -> float:
    """Minus the 10th percentile of the output margins, over the spread of the outputs.

    The margin of an input is its label's logit minus the largest other one; the spread is the
    square root of the logits' total variance over the training set (the normalisation of Jiang et
    al. 2019, "Predicting the generalization gap in deep networks with margin distributions"), so
    scaling the last layer changes nothing. Negative, because a wide margin predicts a small gap.
    """
    outputs = all_logits(network, train).astype(np.float64)
    rows = np.arange(len(outputs))
    correct = outputs[rows, train.labels]
    others = outputs.copy()
    others[rows, train.labels] = -np.inf
    margins = correct - others.max(axis=1)
    spread = math.sqrt(float(outputs.var(axis=0).sum()))
    if spread == 0:
        # A network whose outputs are all equal separates nothing: margins are 0 by convention.
        return 0.0
    return float(-np.percentile(margins, MARGIN_PERCENTILE) / spread)


@measure("training_accuracy", "negative_training_loss")
def fit(
    network: nn.Module, initial: nn.Module | None, train: Split, rng: np.random.Generator
) -> dict[str, float]:
    """Accuracy and minus the mean cross-entropy on the training set, labels as trained on.

    A network that fits its training labels more closely may be expected to have the larger gap.
    """
    loss, accuracy = loss_and_accuracy(network, train)
    return {"training_accuracy": accuracy, "negative_training_loss": -loss}


def all_logits(network: nn.Module, train: Split) -> np.ndarray:
    """Return one logit per class for every training input, (n, classes) float32."""
    return class_logits(batched_outputs(network, train)).numpy(force=True)


def layer_norms(network: nn.Module, example: Tensor, rng: np.random.Generator) -> list[float]:
    """Operator norm of each conv and dense layer's linear map, in forward order.

    Args:
        network: any network of the spec.
        example: one input, (1, *input_shape): it fixes the size of each layer's input.
        rng: draws the starting vectors of the power iterations.
    """
    layers = [layer for _, layer in weight_layers(network)]
    with torch.inference_mode(), captured(layers) as passages:
        network(example)
    return [_operator_norm(layer, passages[layer].input.shape, rng) for layer in layers]


def _operator_norm(layer: nn.Module, shape: torch.Size, rng: np.random.Generator) -> float:
    """Largest singular value of ``x -> layer(x) - layer(0)``."""
    if isinstance(layer, nn.Linear):
        return float(torch.linalg.matrix_norm(layer.weight.detach().double(), ord=2))
    start = rng.standard_normal(shape).astype(np.float32)
    vector = tensor_of(start, device_of(layer))
    norm = 0.0
    for _ in range(POWER_ITERATIONS):
        vector = vector / vector.norm().clamp_min(torch.finfo(torch.float32).tiny)
        image = layer(vector.requires_grad_())
        change = (image - layer(torch.zeros_like(vector))).detach()
        previous, norm = norm, float(change.norm())
        (vector,) = torch.autograd.grad(image, vector, change)
        if abs(norm - previous) <= POWER_TOLERANCE * norm:
            break
    return norm
