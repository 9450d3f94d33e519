"""Anisotropy directions, and training on data separable along one of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.networks import weights_of
from gengap.seeding import generator
from gengap.studies import Context, Outcome, Run
from gengap.studies.ortizjimenez2021 import figures
from gengap.studies.ortizjimenez2021.models_compared import (
    Training,
    initial_network,
    train_linear,
    train_network,
)
from gengap.tangent import (
    anisotropy_directions,
    empirical_ntk,
    scalar_outputs,
    separable_along,
)
from gengap.tangent.kernel import GIB
from gengap.tangent.storage import weight_arrays


def run(
    context: Context,
    *,
    input_shape: Sequence[int],
    architecture: str = "lenet",
    width: int | None = None,
    indices: Sequence[int],
    count: int | None = None,
    batch_sigma: float,
    batch: int,
    epsilon: float = 1.0,
    sigma: float = 1.0,
    train_size: int,
    test_size: int,
    epochs: int = 100,
    learning_rate: float = 0.05,
    batch_size: int = 128,
    initialisation: str = "lecun",
    memory_gib: float = 2.0,
) -> Outcome:
    """One network, its directions, and a task for each chosen one.

    Args:
        context: seed and device.
        input_shape: of the inputs.
        architecture, width: of the network, see :func:`.arms.initial_network`.
        indices: of the directions that separate the data of a task, from 0, by falling singular
            value.
        count: how many directions are computed; all of them if None.
        batch_sigma, batch: standard deviation and number of the Gaussian inputs over which the
            mixed derivative is averaged. The published code has 0 and one input, the origin, where
            a ReLU network with zero biases has no derivative.
        epsilon, sigma: distance of the two classes, and standard deviation across it.
        train_size, test_size: points of each task.
        epochs, learning_rate, batch_size, initialisation: of the training of both arms.
        memory_gib: budget for the mixed derivative, and for each kernel.

    Returns:
        Arrays ``singular_values`` (k,), ``directions`` (k, *input_shape), ``weights.<name>``, and
        ``curves`` (tasks, 2 arms, epochs, 4).

    Raises:
        GengapError: an index that no direction has.
    """
    shape = tuple(input_shape)
    network = initial_network(context, architecture, width, shape, initialisation)
    start, weights = weights_of(network), weight_arrays(network)
    budget = int(memory_gib * GIB)
    found = anisotropy_directions(
        network,
        sigma=batch_sigma,
        samples=batch,
        rng=generator(context.seed, "directions"),
        count=count,
        memory_budget=budget,
    )
    outside = [index for index in indices if not 0 <= index < len(found.values)]
    if outside:
        raise GengapError(
            f"indices name the direction {outside[0]}, but {len(found.values)} were computed: "
            f"choose from 0 to {len(found.values) - 1}."
        )
    training = Training(epochs, learning_rate, batch_size, initialisation)
    curves = []
    for index in indices:
        points = separable_along(
            found.directions[index],
            train_size + test_size,
            epsilon=epsilon,
            sigma=sigma,
            rng=generator(context.seed, "points", index),
        )
        train_split = Split(points.inputs[:train_size], points.labels[:train_size], 2)
        test_split = Split(points.inputs[train_size:], points.labels[train_size:], 2)
        recipe = training.recipe(context.seed, f"direction {index}")
        initial = initial_network(context, architecture, width, shape, initialisation)
        kernel = empirical_ntk(initial, points.inputs, train_split.inputs, memory_budget=budget)
        linear = train_linear(
            kernel,
            scalar_outputs(initial, points.inputs),
            train_split.labels,
            test_split.labels,
            recipe,
        )
        mine = train_network(network, train_split, test_split, recipe, start)
        curves.append([mine, linear])
    return Outcome(
        arrays={
            "singular_values": found.values,
            "directions": found.directions.astype(np.float32),
            **weights,
            "curves": np.array(curves),
        }
    )


def draw(runs: Sequence[Run]) -> dict[str, Figure]:
    """The directions as images, their singular values, and accuracy by index."""
    return {
        "images": figures.direction_images(runs),
        "accuracy": figures.accuracy_by_index(runs, "index of the direction"),
    }
