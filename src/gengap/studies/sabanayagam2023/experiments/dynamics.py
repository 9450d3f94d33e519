"""Checkpoints over time: spectrum, G_theta and neural collapse while a network trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gengap.curvature.collapse import collapse_of
from gengap.limits import DENSE_LIMIT
from gengap.studies.context import Context, load_dataset
from gengap.studies.outcomes import ExperimentResult, Floats, Integers, Run
from gengap.studies.sabanayagam2023.quantities import measure
from gengap.studies.sabanayagam2023.starts import RandomLabels, train_from
from gengap.studies.solving import Solution


@dataclass(frozen=True)
class Settings:
    """One dataset, the starts, and when networks are measured.

    Attributes:
        checkpoints: epochs, ascending from 0.
        setups: the starts.
        dense_limit: most parameters for which the whole Hessian is formed and all eigenpairs are
            computed, in 24 bytes for each pair of parameters (10,703 parameters: 2.75 GB).
    """

    dataset: Mapping[str, Any]
    network: Mapping[str, Any]
    training: Mapping[str, Any]
    random_training: Mapping[str, Any]
    checkpoints: Sequence[int]
    setups: Sequence[Literal["normal", "adversarial", "large_norm"]] = ("normal", "adversarial")
    dense_limit: int = DENSE_LIMIT


@dataclass(frozen=True)
class Result(ExperimentResult):
    """What is measured at each checkpoint, by start and quantity, (checkpoints,)."""

    random_labels: RandomLabels
    checkpoints: Integers
    curves: Mapping[str, Mapping[str, Floats]]


DynamicsRun = Run[Settings, Result]


def run(context: Context, settings: Settings) -> Result:
    """Train from each start, and measure the network at each checkpoint."""
    data = load_dataset(context, settings.dataset)
    recipe = {**settings.training, **settings.random_training}
    random = train_from(context, data, settings.network, recipe, "random_labels")
    curves: dict[str, dict[str, Floats]] = {}
    for setup in settings.setups:
        solution = train_from(
            context,
            data,
            settings.network,
            settings.training,
            setup,
            first=None if setup == "normal" else random.result.weights,
            checkpoints=settings.checkpoints,
        )
        rows = [
            _measured(context, solution, epoch, settings.dense_limit, f"{setup}_epoch_{epoch}")
            for epoch in settings.checkpoints
        ]
        curves[setup] = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return Result(RandomLabels.of(random), np.array(settings.checkpoints), curves)


def _measured(
    context: Context, solution: Solution, epoch: int, dense_limit: int, name: str
) -> dict[str, float]:
    solution.set_checkpoint(epoch)
    network, train = solution.network, solution.train
    _, measures = measure(context, network, train, dense_limit=dense_limit, name=name)
    return {
        "train_loss": solution.on_train()[0],
        "test_accuracy": solution.on_test()[1],
        "lambda_1": measures.lambda_1,
        "trace": measures.trace,
        "outliers": float(measures.outliers),
        "g_theta_count": float(measures.g_theta_count),
        **collapse_of(solution.network, solution.train),
    }
