"""Baselines that every measure has to beat: size, norms, margin, training loss and accuracy."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from gengap.measures.registry import measure
from gengap.measures.subject import Subject
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
def parameter_count(subject: Subject) -> float:
    """Count the trainable parameters."""
    return float(inference.parameter_count(subject.network))


@measure()
def sum_of_squared_weights(subject: Subject) -> float:
    """Compute the squared Euclidean norm of all trainable parameters."""
    squares = (p.detach().double().square().sum() for p in subject.network.parameters())
    return float(sum(squares))


@measure(needs={"initial"})
def distance_from_initialisation(subject: Subject) -> float:
    """Compute the Euclidean distance of all trainable parameters from their initial values.

    Nagarajan and Kolter 2019, "Generalization in deep networks: the role of distance from
    initialization".

    Returns:
        The distance, at least 0.
    """
    assert subject.initial is not None
    pairs = zip(subject.network.parameters(), subject.initial.parameters(), strict=True)
    squares = [
        (last.detach().double() - first.detach().double()).square().sum() for last, first in pairs
    ]
    return math.sqrt(float(sum(squares)))


@measure()
def log_spectral_norm_product(subject: Subject) -> float:
    """Compute the logarithm of the product of the operator norms of all conv and dense layers.

    The product bounds the Lipschitz constant of a network without normalisation layers (Bartlett
    et al. 2017, "Spectrally-normalized margin bounds for neural networks"). The norm of a
    convolution is that of its linear map on the input that reaches it (as padded, where Keras pads
    unevenly), not of its reshaped kernel.

    Returns:
        The natural logarithm of the product.
    """
    example = tensor_of(subject.train.inputs[:1], device_of(subject.network))
    norms = layer_norms(subject.network, example, subject.rng)
    return float(sum(math.log(max(norm, np.finfo(float).tiny)) for norm in norms))


@measure(needs={"classes"})
def negative_normalised_margin(subject: Subject) -> float:
    """Compute minus the 10th percentile of the output margins, over the spread of the outputs.

    The margin of an input is its label's logit minus the largest other one; the spread is the
    square root of the logits' total variance over the training set (the normalisation of Jiang et
    al. 2019, "Predicting the generalization gap in deep networks with margin distributions"), so
    scaling the last layer changes nothing. Negative, because a wide margin predicts a small gap.

    Returns:
        The value, without units; 0 where all outputs are equal.
    """
    labels = subject.train.labels
    logits = class_logits(batched_outputs(subject.network, subject.train))
    outputs = logits.numpy(force=True).astype(np.float64)
    rows = np.arange(len(outputs))
    correct = outputs[rows, labels]
    others = outputs.copy()
    others[rows, labels] = -np.inf
    margins = correct - others.max(axis=1)
    spread = math.sqrt(float(outputs.var(axis=0).sum()))
    if spread == 0:
        # A network whose outputs are all equal separates nothing: its margin is 0 by convention.
        return 0.0
    return float(-np.percentile(margins, MARGIN_PERCENTILE) / spread)


@measure("training_accuracy", "negative_training_loss", needs={"classes"})
def fit(subject: Subject) -> dict[str, float]:
    """Compute the accuracy and minus the mean cross-entropy on the training set.

    A network that fits the labels it was trained on more closely may be expected to have the larger
    gap.

    Returns:
        ``training_accuracy`` in [0, 1] and ``negative_training_loss``, at most 0.
    """
    loss, accuracy = loss_and_accuracy(subject.network, subject.train)
    return {"training_accuracy": accuracy, "negative_training_loss": -loss}


def layer_norms(network: nn.Module, example: Tensor, rng: np.random.Generator) -> list[float]:
    """Compute the operator norm of each conv and dense layer's linear map.

    Args:
        network: any network of the spec.
        example: one input, (1, *input_shape), which fixes the size of each layer's input.
        rng: draws the starting vectors of the power iterations.

    Returns:
        The norms in forward order.
    """
    layers = [layer for _, layer in weight_layers(network)]
    with torch.inference_mode(), captured(layers) as passages:
        network(example)
    return [_operator_norm(layer, passages[layer].input.shape, rng) for layer in layers]


def _operator_norm(layer: nn.Module, shape: torch.Size, rng: np.random.Generator) -> float:
    """Compute the largest singular value of ``x -> layer(x) - layer(0)``."""
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
