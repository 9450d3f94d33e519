"""Networks of one size that are trained differently: does N_eff follow their test loss?

In the paper's sweeps (figures 1 and 2) the effective dimensionality moves with the number of
parameters, so that either may explain the test loss. Here width and depth are fixed, and the number
of parameters with them. Regularisation, batch size and initial weights vary.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gengap.networks import weights_of
from gengap.studies.context import Context, load_dataset
from gengap.studies.maddox2020.measurements import HessianOf, Measurements, join, measure
from gengap.studies.outcomes import ExperimentResult, Floats, Integers, Run
from gengap.studies.solving import solve, untrained_network


@dataclass(frozen=True)
class Settings:
    """One network, and how its training varies; every combination is trained.

    Attributes:
        weight_decays: of the recipe. The Hessian is that of the loss without the penalty.
        batch_sizes: of the recipe.
        starts: number of initial weights. Data, wrong labels and the order of the inputs are the
            same for all of them.
        hessian: see :class:`.double_descent.Settings`.
    """

    dataset: Mapping[str, Any]
    network: Mapping[str, Any]
    training: Mapping[str, Any]
    weight_decays: Sequence[float]
    batch_sizes: Sequence[int]
    starts: int = 2
    eigenvalues: int = 100
    hessian: HessianOf = "all"


@dataclass(frozen=True)
class Result(ExperimentResult):
    """The networks of the run: measurements, and how each was trained, (m,)."""

    networks: Measurements
    weight_decay: Floats
    batch_size: Integers
    start: Integers


FixedSizeRun = Run[Settings, Result]


def run(context: Context, settings: Settings) -> Result:
    """Train a network of one size with each weight decay and batch size from each start."""
    data = load_dataset(context, settings.dataset)
    networks = []
    recipes = list(
        itertools.product(range(settings.starts), settings.weight_decays, settings.batch_sizes)
    )
    for start, decay, size in recipes:
        own = context.derived("start", start)
        initial = untrained_network(own, data, settings.network, settings.training)
        solution = solve(
            context,
            data,
            settings.network,
            {**settings.training, "weight_decay": decay, "batch_size": size},
            start=weights_of(initial),
            name=f"start_{start}_decay_{decay:g}_batch_{size}",
        )
        networks.append(measure(context, solution, settings.eigenvalues, settings.hessian))
    starts, decays, sizes = zip(*recipes, strict=True)
    return Result(join(networks, np.stack), np.array(decays), np.array(sizes), np.array(starts))
