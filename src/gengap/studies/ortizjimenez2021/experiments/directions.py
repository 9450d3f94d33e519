"""Anisotropy directions, and training on data separable along one of them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.datasets import Dataset, Split
from gengap.errors import GengapError
from gengap.limits import GIB
from gengap.networks import Network
from gengap.studies.context import Context
from gengap.studies.ortizjimenez2021.models_compared import (
    LENET,
    TRAINING,
    NetworkSettings,
    TrainingSettings,
    both_trained,
    initial_network,
)
from gengap.studies.ortizjimenez2021.reuse import read_saved_directions, write_saved_directions
from gengap.studies.outcomes import ExperimentResult, Floats, Floats32, Run
from gengap.tangent import anisotropy_directions, separable_along
from gengap.tangent.storage import weight_arrays


@dataclass(frozen=True)
class AveragingSettings:
    """The Gaussian inputs over which the mixed derivative is averaged, and how many.

    The published configurations have ``sigma`` 0 and one input, the origin, and networks with
    GeLU. A ReLU network with zero biases has no derivative there.
    """

    sigma: float
    inputs: int


@dataclass(frozen=True)
class PointsSettings:
    """The data of a task.

    Attributes:
        epsilon, sigma: distance of the two classes along the direction, and standard deviation
            across it.
    """

    train_size: int
    test_size: int
    epsilon: float = 1.0
    sigma: float = 1.0


@dataclass(frozen=True)
class Settings:
    """One network, its directions, and a task for each chosen one.

    Attributes:
        indices: of the directions that separate the data of a task, from 0, by falling singular
            value.
        averaging: of the mixed derivative.
        points: of each task.
        count: how many directions are computed; all of them if None.
        reuse: a folder of runs that saved ``directions``, which are read instead.
    """

    input_shape: Sequence[int]
    indices: Sequence[int]
    averaging: AveragingSettings
    points: PointsSettings
    network: NetworkSettings = LENET
    count: int | None = None
    training: TrainingSettings = TRAINING
    memory_gib: float = 2.0
    reuse: str | None = None


@dataclass(frozen=True)
class Result(ExperimentResult):
    """The directions, and what both models learnt.

    Attributes:
        singular_values: (k,), descending.
        directions: (k, *input_shape), of unit length.
        weights: the initial ones, by name.
        curves: (tasks, 2 models, epochs, 4).
        norms: of the network along training, (tasks, epochs, 3).
    """

    singular_values: Floats
    directions: Floats32
    weights: Mapping[str, Floats32]
    curves: Floats
    norms: Floats


DirectionsRun = Run[Settings, Result]


def run(context: Context, settings: Settings) -> Result:
    """Train one network and its linearisation on all tasks.

    Returns:
        The directions and the curves.

    Raises:
        GengapError: an index that no direction has, or a budget that is too small.
    """
    network = _initial_network(context, settings)
    weights = weight_arrays(network, "")
    words = (settings.averaging, settings.count)
    anisotropy = read_saved_directions(network, settings.reuse, *words) or anisotropy_directions(
        network,
        sigma=settings.averaging.sigma,
        samples=settings.averaging.inputs,
        rng=context.generator("directions"),
        count=settings.count,
        memory_budget=_budget(settings),
    )
    write_saved_directions(context, anisotropy, network, *words)
    outside = [index for index in settings.indices if not 0 <= index < len(anisotropy.values)]
    if outside:
        raise GengapError(
            f"indices name the direction {outside[0]}, but {len(anisotropy.values)} were computed: "
            f"choose from 0 to {len(anisotropy.values) - 1}."
        )

    def learn(index: int) -> dict[str, NDArray[Any]]:
        with both_trained(
            context,
            _initial_network(context, settings),
            _task(context, settings.points, anisotropy.directions[index], index),
            settings.training,
            f"direction {index}",
            memory_budget=_budget(settings),
        ) as (learnt, linear, _):
            return {"curves": np.array([learnt.curve, linear]), "norms": learnt.norms}

    tasks = [
        context.kept(f"direction_{index}", functools.partial(learn, index))
        for index in settings.indices
    ]
    return Result(
        anisotropy.values,
        anisotropy.directions.astype(np.float32),
        weights,
        np.array([task["curves"] for task in tasks]),
        np.array([task["norms"] for task in tasks]),
    )


def _initial_network(context: Context, settings: Settings) -> Network:
    return initial_network(
        context, settings.network, tuple(settings.input_shape), settings.training.initialisation
    )


def _budget(settings: Settings) -> int:
    return int(settings.memory_gib * GIB)


def _task(
    context: Context, settings: PointsSettings, direction: NDArray[np.floating], index: int
) -> Dataset:
    """Points of two classes that differ along one direction alone."""
    size = settings.train_size
    points = separable_along(
        direction,
        size + settings.test_size,
        epsilon=settings.epsilon,
        sigma=settings.sigma,
        rng=context.generator("points", index),
    )
    return Dataset(
        f"direction {index}",
        Split(points.inputs[:size], points.labels[:size], 2),
        Split(points.inputs[size:], points.labels[size:], 2),
    )
