"""Both models on the same task with more and more training inputs.

The paper's abstract: which of the two does better depends on the size of the training set. The test
inputs are the same for all sizes, and a larger training set holds the smaller ones.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.limits import GIB
from gengap.studies.context import Context, load_dataset
from gengap.studies.ortizjimenez2021.experiments.class_tasks import GROUPS
from gengap.studies.ortizjimenez2021.models_compared import (
    TRAINING,
    NetworkSettings,
    TrainingSettings,
    both_trained,
    initial_network,
)
from gengap.studies.outcomes import ExperimentResult, Floats, Run


@dataclass(frozen=True)
class Settings:
    """One network, one task and several sizes.

    Attributes:
        dataset: one with ten classes.
        sizes: numbers of training inputs, up to the dataset's, ascending.
        task: ``halves`` (classes 0 to 4 against 5 to 9) or ``parity`` (even against odd).
    """

    dataset: Mapping[str, Any]
    network: NetworkSettings
    sizes: Sequence[int]
    task: Literal["halves", "parity"] = "halves"
    training: TrainingSettings = TRAINING
    memory_gib: float = 2.0


@dataclass(frozen=True)
class Result(ExperimentResult):
    """What both models learnt from each size.

    Attributes:
        curves: (sizes, 2 models, epochs, 4).
    """

    curves: Floats


TrainingSizesRun = Run[Settings, Result]


def run(context: Context, settings: Settings) -> Result:
    """Train one network and its linearisation on each number of training inputs.

    Returns:
        The curves.

    Raises:
        GengapError: the sizes are not ascending, or the dataset has fewer training inputs.
    """
    sizes = list(settings.sizes)
    data = load_dataset(
        context, {**settings.dataset, "groups": GROUPS[settings.task]}, seed=context.seed
    )
    count = len(data.train.labels)
    if not sizes or sizes != sorted(set(sizes)) or not 0 < sizes[0] <= sizes[-1] <= count:
        raise GengapError(
            f"The setting 'sizes' is {sizes}: give ascending numbers from 1 to the {count} "
            "training inputs of the dataset."
        )
    order = context.generator("sizes").permutation(count)
    budget, training = int(settings.memory_gib * GIB), settings.training

    def learn(size: int) -> dict[str, NDArray[Any]]:
        part = dataclasses.replace(data, train=data.train.take(order[:size]))
        network = initial_network(
            context, settings.network, data.input_shape, training.initialisation
        )
        with both_trained(
            context, network, part, training, f"size {size}", memory_budget=budget
        ) as (learnt, linear, _):
            return {"curves": np.array([learnt.curve, linear])}

    curves = [
        context.kept(f"size_{size}", functools.partial(learn, size))["curves"] for size in sizes
    ]
    return Result(np.array(curves))
