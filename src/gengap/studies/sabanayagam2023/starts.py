"""Solutions of one problem that differ by where training started."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gengap.datasets import Dataset, Split
from gengap.errors import GengapError
from gengap.networks import (
    Network,
    build,
    device_of,
    initialise,
    logits,
    read_weights,
    tensor_of,
    weight_layers,
    weights_of,
)
from gengap.seeding import derive, generator, torch_generator
from gengap.studies import Context
from gengap.tasks.zoo import network_spec
from gengap.training import Recipe, TrainingResult, loss_and_accuracy, sample_losses, train

SETUPS = ("normal", "random_labels", "adversarial", "large_norm", "noisy_init", "file")
SMALLEST, LARGEST = 1e-4, 1e4
"""Factors of the logits between which the one that gives a loss is sought."""

REACHABLE = 1.01
"""Networks are compared at no less than this times the least cross-entropy that all reach."""

BISECTIONS = 80

SMALL_CNN = {
    "model_config": [
        {"layer_name": "Conv2D", "filters": 16, "kernel_size": 3, "activation": "relu"},
        {"layer_name": "MaxPooling2D", "pool_size": 2},
        {"layer_name": "Conv2D", "filters": 32, "kernel_size": 3, "activation": "relu"},
        {"layer_name": "MaxPooling2D", "pool_size": 2},
        {"layer_name": "Flatten"},
    ]
}
"""The paper's CNN, without its last layer; for images of 10x10 cells or more."""


@dataclass(frozen=True)
class Solution:
    """A trained network and what it was trained on.

    Attributes:
        network: in eval mode.
        train: training split, with the labels trained on.
        result: what training left.
        test_accuracy: on the true labels.
    """

    network: Network
    train: Split
    result: TrainingResult
    test_accuracy: float

    @property
    def accuracy(self) -> float:
        """On the training split, at the end."""
        return float(self.result.history[-1]["train_accuracy"])


def network_of(context: Context, network: Mapping[str, Any], data: Dataset) -> Network:
    """A network for the data.

    Args:
        context: its device is used.
        network: as a zoo's (``template``, ``architecture`` or ``model_config``), or
            ``{"template": "small_cnn"}``, :data:`SMALL_CNN` and a dense layer; with ``nll`` as its
            loss, ``softmax: true`` adds a softmax.
        data: its input shape and number of classes are the network's.
    """
    keywords = dict(network)
    softmax = keywords.pop("softmax", False)
    if keywords == {"template": "small_cnn"}:
        layers = [*SMALL_CNN["model_config"], {"layer_name": "Dense", "units": data.classes}]
        keywords = {"model_config": layers}
    spec = network_spec(keywords, data.input_shape, data.classes)
    if softmax:
        spec["model_config"] = [
            *spec["model_config"],
            {"layer_name": "Activation", "activation": "softmax"},
        ]
    return build(spec).to(context.device)


def solve(
    context: Context,
    data: Dataset,
    network: Mapping[str, Any],
    training: Mapping[str, Any],
    setup: str,
    *,
    first: Mapping[str, Tensor] | str | Path | None = None,
    checkpoints: Sequence[int] = (),
) -> Solution:
    """Train a network from one of the paper's starts.

    ======================= ===================================================================
    setup                   start
    ======================= ===================================================================
    normal                  fresh weights
    random_labels           fresh weights; trained on the labels, permuted at random
    adversarial, noisy_init the weights ``first``: of a network trained on permuted labels, or
                            on the noisy variant of the data
    large_norm              fresh weights, the parameters scaled to the norm of those of ``first``
    file                    the safetensors file ``first``, e.g. of a pretrained network
    ======================= ===================================================================

    Args:
        context: seed and device. Initial weights, order of inputs and permutation depend on the
            seed alone, so that setups of one seed differ in their start only.
        data: training and test split.
        network: see :func:`network_of`.
        training: keywords of a :class:`gengap.training.Recipe`, without its seed.
        setup: one of :data:`SETUPS`.
        first: weights by name, or a file.
        checkpoints: epochs after which to keep the weights.

    Raises:
        GengapError: an unknown setup, or ``first`` is missing or given in vain.
    """
    if setup not in SETUPS:
        raise GengapError(f"Unknown setup {setup!r}: choose one of {', '.join(SETUPS)}.")
    if (first is None) != (setup in ("normal", "random_labels")):
        remedy = "leave them out" if first is not None else "give them"
        raise GengapError(f"The setup {setup} and its first weights do not fit: {remedy}.")
    recipe = Recipe.from_mapping({**training, "seed": derive(context.seed, "training")})
    module = network_of(context, network, data)
    split = data.train
    if setup == "random_labels":
        shuffled = generator(context.seed, "permuted labels").permutation(split.labels)
        split = Split(split.inputs, shuffled, split.classes)
    start: Mapping[str, Tensor] | str | Path | None = first
    if setup == "large_norm" and first is not None:
        length = norm(module, first if isinstance(first, Mapping) else _read(module, first))
        start = scaled_to(module, _fresh(module, recipe), length)
    result = train(module, split, recipe, start=start, checkpoints=checkpoints)
    return Solution(module, split, result, loss_and_accuracy(module, data.test, recipe.loss)[1])


def memorised(random: Solution) -> dict[str, float]:
    """How far random labels were fitted: accuracy, loss, and whether the target was reached."""
    return {
        "random_labels_accuracy": random.accuracy,
        "random_labels_loss": float(random.result.history[-1]["train_loss"]),
        "random_labels_reached": float(random.result.reached_target),
    }


def norm(network: nn.Module, weights: Mapping[str, Tensor]) -> float:
    """Euclidean norm of a network's parameters in ``weights``, batch statistics left aside."""
    return math.sqrt(
        sum(float(weights[name].double().square().sum()) for name, _ in network.named_parameters())
    )


def scaled_to(
    network: nn.Module, weights: Mapping[str, Tensor], length: float
) -> dict[str, Tensor]:
    """The weights, the parameters times one factor, so that their norm is ``length``."""
    factor = length / norm(network, weights)
    return {**weights, **{name: weights[name] * factor for name, _ in network.named_parameters()}}


def _read(network: nn.Module, path: str | Path) -> dict[str, Tensor]:
    copied = copy.deepcopy(network)
    read_weights(copied, path)
    return weights_of(copied)


def _fresh(network: nn.Module, recipe: Recipe) -> dict[str, Tensor]:
    fresh = copy.deepcopy(network)
    initialise(fresh, recipe.initialisation, torch_generator(recipe.seed, "initialisation"))
    return weights_of(fresh)


def matched(
    networks: Mapping[str, Network], data: Split, loss: float
) -> tuple[dict[str, Network], float]:
    """Copies of networks, all of one mean cross-entropy: their last layers are scaled.

    Multiplying all logits by a positive factor changes no prediction, so the decision boundary
    stays where it is, and solutions can be compared at one cross-entropy: ``loss``, or, where a
    network errs on training inputs and cannot come down to it, the least that all of them reach.

    Returns:
        The copies, and their cross-entropy.
    """
    curves = {name: _Scaling(network, data) for name, network in networks.items()}
    reachable = max(curve.least for curve in curves.values())
    level = max(loss, REACHABLE * reachable)
    return {name: curve.at(level) for name, curve in curves.items()}, level


class _Scaling:
    """Cross-entropy of a network as a function of the factor of its logits, which is convex."""

    def __init__(self, network: Network, data: Split) -> None:
        self._network = network
        with torch.no_grad():
            inputs = tensor_of(data.inputs, device_of(network))
            self._logits = logits(network, inputs).double()
        self._labels = tensor_of(data.labels, self._logits.device)
        self._low, self._best = math.log(SMALLEST), self._lowest()
        self.least = self._loss(self._best)

    def at(self, level: float) -> Network:
        """A copy with that cross-entropy, by the smaller of the two factors that give it."""
        low, high = self._low, self._best
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            low, high = (middle, high) if self._loss(middle) > level else (low, middle)
        copied = copy.deepcopy(self._network)
        _, last = weight_layers(copied)[-1]
        with torch.no_grad():
            for parameter in last.parameters():
                parameter.mul_(math.exp(high))
        return copied

    def _loss(self, log_factor: float) -> float:
        scaled = self._logits * math.exp(log_factor)
        return float(sample_losses(scaled, self._labels, "cross_entropy").mean())

    def _lowest(self) -> float:
        """Golden-section search."""
        low, high = math.log(SMALLEST), math.log(LARGEST)
        ratio = (math.sqrt(5) - 1) / 2
        for _ in range(BISECTIONS):
            left, right = high - ratio * (high - low), low + ratio * (high - low)
            low, high = (low, right) if self._loss(left) <= self._loss(right) else (left, high)
        return high


def rescaled(network: Network, factor: float) -> Network:
    """A copy that computes the same: the first layer times ``factor``, the second divided by it.

    The reparameterisation of Dinh et al. (2017, "Sharp minima can generalize for deep nets").

    Raises:
        GengapError: fewer than two weight layers, or no ReLU after the first.
    """
    copied = copy.deepcopy(network)
    layers = weight_layers(copied)
    modules = [module for module in copied.modules() if not list(module.children())]
    if len(layers) < 2 or not isinstance(modules[modules.index(layers[0][1]) + 1], nn.ReLU):
        raise GengapError(
            "Only a network with a ReLU right after its first layer can be reparameterised by "
            "scaling layers: use one of those."
        )
    with torch.no_grad():
        for parameter in layers[0][1].parameters():
            parameter.mul_(factor)
        layers[1][1].weight.div_(factor)
    return copied


def training_curve(solution: Solution) -> np.ndarray:
    """Training loss by epoch, (epochs,)."""
    return np.array([row["train_loss"] for row in solution.result.history])
