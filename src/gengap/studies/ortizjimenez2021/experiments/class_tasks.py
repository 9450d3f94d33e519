"""Training on two groups of classes, such as CIFAR-2."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gengap.limits import GIB
from gengap.studies.context import Context, load_dataset
from gengap.studies.ortizjimenez2021.models_compared import (
    TRAINING,
    NetworkSettings,
    TrainingSettings,
    both_trained,
    initial_network,
)
from gengap.studies.ortizjimenez2021.reuse import passing_kernel
from gengap.studies.outcomes import ExperimentResult, Floats, Run
from gengap.tangent import normalised_alignment, signs

GROUPS = {
    "halves": [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]],
    "parity": [[0, 2, 4, 6, 8], [1, 3, 5, 7, 9]],
}
"""Tasks by name: ``halves`` of CIFAR-10 is the paper's CIFAR-2."""

PURPOSE = "classes"


@dataclass(frozen=True)
class Settings:
    """One network and one task.

    Attributes:
        dataset: one with ten classes.
        task: ``halves`` (classes 0 to 4 against 5 to 9) or ``parity`` (even against odd).
    """

    dataset: Mapping[str, Any]
    network: NetworkSettings
    task: Literal["halves", "parity"] = "halves"
    training: TrainingSettings = TRAINING
    memory_gib: float = 2.0


@dataclass(frozen=True)
class Result(ExperimentResult):
    """What both models learnt, and how the kernel changed.

    Attributes:
        alignment_before, alignment_after: normalised, of the kernel with the training labels.
        majority: the larger fraction of a class among test labels.
        curves: (1, 2 models, epochs, 4).
        test_alignment_before, test_alignment_after: the same with the test labels.
        norms: of the network along training, (1, epochs, 3).
    """

    alignment_before: float
    alignment_after: float
    majority: float
    curves: Floats
    test_alignment_before: float
    test_alignment_after: float
    norms: Floats


ClassTasksRun = Run[Settings, Result]


def run(context: Context, settings: Settings) -> Result:
    """Train one network and its linearisation on one task."""
    training = settings.training
    data = load_dataset(
        context, {**settings.dataset, "groups": GROUPS[settings.task]}, seed=context.seed
    )
    network = initial_network(context, settings.network, data.input_shape, training.initialisation)
    budget = int(settings.memory_gib * GIB)
    tested = data.test.inputs
    kernel_of_part = functools.partial(passing_kernel, context, network, memory_budget=budget)
    target, test_target = signs(data.train.labels), signs(data.test.labels)
    with kernel_of_part(tested) as test_kernel:
        test_alignment_before = normalised_alignment(test_kernel, test_target)
    with both_trained(context, network, data, training, PURPOSE, memory_budget=budget) as (
        learnt,
        linear,
        kernel,
    ):
        alignment_before = normalised_alignment(kernel[: len(target)], target)
    with kernel_of_part(data.train.inputs) as trained:
        alignment_after = normalised_alignment(trained, target)
    with kernel_of_part(tested) as test_trained:
        test_alignment_after = normalised_alignment(test_trained, test_target)
    fraction = float(data.test.labels.mean())
    return Result(
        alignment_before=alignment_before,
        alignment_after=alignment_after,
        majority=max(fraction, 1 - fraction),
        curves=np.array([[learnt.curve, linear]]),
        test_alignment_before=test_alignment_before,
        test_alignment_after=test_alignment_after,
        norms=learnt.norms[None],
    )
