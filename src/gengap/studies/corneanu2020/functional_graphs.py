"""The data and the trained network of a run, from its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from gengap.activations import choose_inputs
from gengap.datasets import Dataset, Split, load
from gengap.errors import GengapError
from gengap.networks import build
from gengap.seeding import derive, generator
from gengap.studies import Context
from gengap.tasks.zoo import network_spec
from gengap.training import Recipe, TrainingResult, loss_and_accuracy, set_initial_weights, train

SPLITS = ("train", "test")


@dataclass(frozen=True)
class Trained:
    """A network that was trained, and on what.

    Attributes:
        network: with its final weights, eval mode.
        result: the weights at checkpoints and the history.
        train: the training inputs with the labels trained on.
        test: the test split.
    """

    network: nn.Module
    result: TrainingResult
    train: Split
    test: Split


def load_data(context: Context, dataset: Mapping[str, Any]) -> Dataset:
    """The dataset of a run: keywords of ``gengap.datasets.load`` with its ``name``.

    Raises:
        GengapError: no name, or a keyword that ``load`` does not know.
    """
    keywords = dict(dataset)
    if "name" not in keywords:
        raise GengapError("The setting 'dataset' has no 'name': name the dataset.")
    try:
        return load(data_dir=context.data_dir, seed=context.seed, **keywords)
    except TypeError as error:
        raise GengapError(f"The setting 'dataset' does not fit: {error}.") from error


def train_network(
    context: Context,
    data: Dataset,
    network: Mapping[str, Any],
    training: Mapping[str, Any],
    checkpoints: Sequence[int] = (),
) -> Trained:
    """Train a network of a run; equal seeds start from equal weights and batches.

    A run that was interrupted goes on from the last of its checkpoints (``context.resume_from``).

    Args:
        context: of the run.
        data: see :func:`load_data`.
        network: a template or an architecture, see ``gengap.tasks.zoo.network_spec``.
        training: entries of a ``gengap.training.Recipe`` but the seed.
        checkpoints: epochs after which weights are kept; ascending, at least two, from 0, if any.

    Raises:
        GengapError: the checkpoints are not so, or training may end before the last of them.
    """
    if checkpoints:
        check_checkpoints(training, checkpoints)
    module, recipe = _planned(context, data, network, training)
    result = train(module, data.train, recipe, checkpoints=checkpoints, resume=context.resume_from)
    trained_on = Split(data.train.inputs, result.labels, data.classes)
    return Trained(module, result, trained_on, data.test)


def check_checkpoints(training: Mapping[str, Any], checkpoints: Sequence[int]) -> None:
    """Refuse checkpoints that are not ascending from 0, or that training may not reach.

    Raises:
        GengapError: they are so.
    """
    if len(checkpoints) < 2 or list(checkpoints) != sorted({0, *checkpoints}):
        raise GengapError(
            f"The setting 'checkpoints' is {list(checkpoints)}: give ascending epochs, 0 first."
        )
    if training.get("stop_at_loss") is not None:
        raise GengapError(
            "The setting 'training' has stop_at_loss, which may end it before the last checkpoint: "
            "leave it out."
        )


def untrained_network(
    context: Context, data: Dataset, network: Mapping[str, Any], training: Mapping[str, Any]
) -> nn.Module:
    """The network of :func:`train_network` as it is before training, in eval mode."""
    module, recipe = _planned(context, data, network, training)
    set_initial_weights(module, recipe)
    return module.eval()


def _planned(
    context: Context, data: Dataset, network: Mapping[str, Any], training: Mapping[str, Any]
) -> tuple[nn.Module, Recipe]:
    module = build(network_spec(network, data.input_shape, data.classes)).to(context.device)
    return module, Recipe.from_mapping({**training, "seed": derive(context.seed, "training")})


def accuracies(trained: Trained) -> tuple[float, float]:
    """Training accuracy, on the labels trained on, and test accuracy, in [0, 1]."""
    return loss_and_accuracy(trained.network, trained.train)[1], loss_and_accuracy(
        trained.network, trained.test
    )[1]


def graph_inputs(context: Context, data: Dataset, split: str, count: int) -> NDArray[np.float32]:
    """Inputs (count, *input_shape) on which graphs are computed.

    Args:
        context: of the run.
        data: see :func:`load_data`.
        split: ``train``; or ``test``, as the published code does, to compare with.
        count: how many; all, if there are fewer.

    Raises:
        GengapError: another split.
    """
    if split not in SPLITS:
        raise GengapError(f"The setting 'split' is {split!r}: choose {' or '.join(SPLITS)}.")
    source = data.train if split == "train" else data.test
    rng = generator(context.seed, "graph inputs", split)
    return choose_inputs(source, min(count, len(source.labels)), rng)


def sampled_nodes(
    context: Context, activations: NDArray[np.float32], most: int | None
) -> NDArray[np.float32]:
    """At most so many nodes, drawn uniformly: the same ones at every checkpoint of a run.

    Args:
        context: of the run.
        activations: (k, m), one row per node.
        most: nodes to keep, or None for all.
    """
    if most is None or len(activations) <= most:
        return activations
    rng = generator(context.seed, "nodes")
    return activations[np.sort(rng.choice(len(activations), most, replace=False))]
