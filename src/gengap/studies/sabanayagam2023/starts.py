"""The starts that the paper compares, and the networks that are trained from them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch import Tensor

from gengap.datasets import Dataset
from gengap.errors import GengapError
from gengap.networks import Network, weights_of
from gengap.studies.context import Context
from gengap.studies.outcomes import Integers
from gengap.studies.solving import Solution, build_network, recipe_for, solve, untrained_network
from gengap.tasks.zoo import network_spec
from gengap.training import set_initial_weights

Setup = Literal["normal", "random_labels", "adversarial", "large_norm", "noisy_start", "file"]

SMALL_CNN = (
    {"layer_name": "Conv2D", "filters": 16, "kernel_size": 3, "activation": "relu"},
    {"layer_name": "MaxPooling2D", "pool_size": 2},
    {"layer_name": "Conv2D", "filters": 32, "kernel_size": 3, "activation": "relu"},
    {"layer_name": "MaxPooling2D", "pool_size": 2},
    {"layer_name": "Flatten"},
)
"""The paper's CNN without its last layer, for images of 10x10 pixels or more."""

SOFTMAX = {"layer_name": "Activation", "activation": "softmax"}


@dataclass(frozen=True)
class Fit:
    """How well a network fits the labels it was trained on, after the last epoch, and test data."""

    train_accuracy: float
    test_accuracy: float
    train_loss: float

    @classmethod
    def of(cls, solution: Solution) -> Fit:
        """Return the fit of a network that still has its final weights."""
        return cls(solution.final_accuracy, solution.on_test()[1], solution.final_loss)


@dataclass(frozen=True)
class RandomLabels:
    """How well permuted labels were fitted; whether the recipe's ``stop_at_loss`` was reached."""

    accuracy: float
    loss: float
    reached: bool

    @classmethod
    def of(cls, solution: Solution) -> RandomLabels:
        """Return the fit of a network that was trained on permuted labels."""
        reached = solution.result.reached_target
        return cls(solution.final_accuracy, solution.final_loss, reached)


def train_from(
    context: Context,
    data: Dataset,
    network: Mapping[str, Any],
    training: Mapping[str, Any],
    setup: Setup,
    *,
    first: Mapping[str, Tensor] | str | Path | None = None,
    checkpoints: Sequence[int] = (),
    within: Sequence[Sequence[int]] | None = None,
    name: str | None = None,
) -> Solution:
    """Train a network from one of the paper's starts.

    ========================= =================================================================
    setup                     start
    ========================= =================================================================
    normal                    fresh weights
    random_labels             fresh weights; trained on randomly permuted labels
    adversarial, noisy_start  the weights ``first`` of a network that was trained on permuted
                              labels, or on the noisy variant of the data
    large_norm                fresh weights, scaled to the norm of ``first``
    file                      the safetensors file ``first``, for instance of a pretrained network
    ========================= =================================================================

    Initial weights, order of inputs and permutation depend on the seed alone, so that the setups of
    one seed differ in their start only. The network is given as to :func:`network_keywords`.

    Args:
        context: seed, device and the files that were asked for.
        data: training and test split.
        network: its keywords.
        training: entries of the recipe.
        setup: the start.
        first: the weights that some setups start from.
        checkpoints: epochs whose weights are kept.
        within: groups of classes, a hierarchy, whose labels are permuted among the inputs of the
            group alone; None permutes all. For random labels.
        name: of the network among those of the run; None takes the setup.

    Returns:
        The trained network.

    Raises:
        GengapError: ``first`` is missing or superfluous, or what :func:`solve` refuses.
    """
    if (first is None) != (setup in ("normal", "random_labels")):
        remedy = "leave them out" if first is not None else "give them"
        raise GengapError(f"The setup {setup} and its first weights do not fit: {remedy}.")
    keywords = network_keywords(network, data, training.get("loss"))
    if setup == "random_labels":
        labels = permuted_labels(context, data.train.labels, data.classes, within)
        data = dataclasses.replace(data, train=data.train.with_labels(labels))
    module = build_network(context, data, keywords)
    if setup == "large_norm":
        set_initial_weights(module, recipe_for(context, training), first)
        fresh = untrained_network(context, data, keywords, training)
        first = scaled_weights(fresh, parameter_norm(module))
    return solve(
        context,
        data,
        module,
        training,
        start=first,
        checkpoints=checkpoints,
        name=name or setup,
    )


def permuted_labels(
    context: Context, labels: Integers, classes: int, within: Sequence[Sequence[int]] | None
) -> Integers:
    """Permute labels (n,) at random: all of them, or those within each group of classes.

    Returns:
        The labels; within groups, each input keeps the group of its class.

    Raises:
        GengapError: a group names a class that there is not, or that another group has.
    """
    rng = context.generator("permuted labels")
    if within is None:
        return rng.permutation(labels)
    listed = [label for group in within for label in group]
    if len(set(listed)) < len(listed) or not set(listed) <= set(range(classes)):
        raise GengapError(
            f"The setting 'permuted_within' is {[list(group) for group in within]}: give groups of "
            f"classes from 0 to {classes - 1}, each class in at most one."
        )
    permuted = labels.copy()
    for group in within:
        rows = np.flatnonzero(np.isin(labels, group))
        permuted[rows] = rng.permutation(labels[rows])
    return permuted


def network_keywords(
    network: Mapping[str, Any], data: Dataset, loss: str | None
) -> Mapping[str, Any]:
    """Return the keywords of a network, with the layers that only this study adds.

    These are :data:`SMALL_CNN` and a dense layer for ``{"template": "small_cnn"}``, and a softmax
    for the loss ``nll`` of training.

    Returns:
        Keywords for :func:`gengap.studies.solving.build_network`.

    Raises:
        GengapError: an architecture has the loss ``nll``, or the keywords are unknown.
    """
    if network == {"template": "small_cnn"}:
        last = {"layer_name": "Dense", "units": data.classes}
        network = {"model_config": [*SMALL_CNN, last]}
    if loss != "nll":
        return network
    if "architecture" in network:
        raise GengapError(
            f"The setting 'network' names the architecture '{network['architecture']}', to which "
            "no softmax can be added, but the setting 'loss' is nll, which needs one: give "
            "'network' a 'template' or a 'model_config', or choose another 'loss'."
        )
    if not {"template", "model_config"} & set(network):
        raise GengapError(
            "The setting 'network' is made elsewhere and takes no softmax, but the "
            "setting 'loss' is nll, which needs one: choose another 'loss'."
        )
    spec = network_spec(network, data.input_shape, data.classes)
    return {**spec, "model_config": [*spec["model_config"], SOFTMAX]}


def network_name(setup: str, level: float | None) -> str:
    """Return the name of a measured network: its setup, and whether it has a matched loss."""
    return setup if level is None else f"{setup}_matched"


def parameter_norm(network: Network) -> float:
    """Return the Euclidean norm of all parameters, without batch statistics."""
    weights = weights_of(network)
    return math.sqrt(
        sum(float(weights[name].double().square().sum()) for name, _ in network.named_parameters())
    )


def scaled_weights(network: Network, norm: float) -> dict[str, Tensor]:
    """Return a network's weights, its parameters times the factor that gives them a norm."""
    weights, factor = weights_of(network), norm / parameter_norm(network)
    return {**weights, **{name: weights[name] * factor for name, _ in network.named_parameters()}}
