"""Training on two groups of classes, such as CIFAR-2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from gengap.datasets import load
from gengap.errors import GengapError
from gengap.networks import weights_of
from gengap.studies import Context, Outcome, Run
from gengap.studies.ortizjimenez2021 import figures
from gengap.studies.ortizjimenez2021.models_compared import (
    Training,
    initial_network,
    train_linear,
    train_network,
)
from gengap.tangent import empirical_ntk, normalised_alignment, scalar_outputs, signs
from gengap.tangent.kernel import GIB

GROUPS = {
    "halves": [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]],
    "parity": [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]],
}
"""Tasks by name: ``halves`` of CIFAR-10 is the paper's CIFAR-2."""


def run(
    context: Context,
    *,
    dataset: Mapping[str, Any],
    task: str = "halves",
    architecture: str,
    width: int | None = None,
    epochs: int = 100,
    learning_rate: float = 0.05,
    batch_size: int = 128,
    initialisation: str = "lecun",
    memory_gib: float = 2.0,
) -> Outcome:
    """One network and one task.

    Args:
        context: seed, data and device.
        dataset: keywords of :func:`gengap.datasets.load` of a dataset with ten classes.
        task: a name in :data:`GROUPS`.
        architecture, width: of the network, see :func:`.arms.initial_network`.
        epochs, learning_rate, batch_size, initialisation: of the training of both arms.
        memory_gib: budget for the kernel.

    Returns:
        Values ``alignment_before`` and ``alignment_after`` (normalised, training labels) and
        ``majority``, the larger share of a class among test labels; array ``curves``
        (1, 2 arms, epochs, 4).

    Raises:
        GengapError: an unknown task.
    """
    if task not in GROUPS:
        raise GengapError(f"The task is '{task}': choose one of {', '.join(GROUPS)}.")
    data = load(**dataset, groups=GROUPS[task], data_dir=context.data_dir, seed=context.seed)
    network = initial_network(context, architecture, width, data.input_shape, initialisation)
    budget = int(memory_gib * GIB)
    inputs = np.concatenate([data.train.inputs, data.test.inputs])
    kernel = empirical_ntk(network, inputs, data.train.inputs, memory_budget=budget)
    outputs = scalar_outputs(network, inputs)
    training = Training(epochs, learning_rate, batch_size, initialisation)
    recipe = training.recipe(context.seed, "classes")
    linear = train_linear(kernel, outputs, data.train.labels, data.test.labels, recipe)
    mine = train_network(network, data.train, data.test, recipe, weights_of(network))
    last = empirical_ntk(network, data.train.inputs, memory_budget=budget)
    target = signs(data.train.labels)
    share = float(data.test.labels.mean())
    return Outcome(
        {
            "alignment_before": normalised_alignment(kernel[: len(target)], target),
            "alignment_after": normalised_alignment(last, target),
            "majority": max(share, 1 - share),
        },
        {"curves": np.array([[mine, linear]])},
    )


def draw(runs: Sequence[Run]) -> dict[str, Figure]:
    """Accuracy of both arms by task and architecture."""
    return {"accuracy": figures.accuracy_by_task(runs)}
