"""Width against depth: which quantity tells, among networks that fit, how well they generalise.

Maddox et al. 2020, figure 2: ConvNet(width, depth) on CIFAR-100. One run trains the networks of one
seed, or those of a part of the grid, such as one network; runs of one seed belong together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gengap.studies.context import Context, load_dataset
from gengap.studies.maddox2020.measurements import HessianOf, Measurements, join, measure
from gengap.studies.outcomes import ExperimentResult, Integers, Run
from gengap.studies.solving import solve


@dataclass(frozen=True)
class Settings:
    """A grid of widths and depths of a ``network``, and how many eigenvalues to compute.

    Attributes:
        hessian: see :class:`.double_descent.Settings`.
    """

    dataset: Mapping[str, Any]
    network: Mapping[str, Any]
    training: Mapping[str, Any]
    widths: Sequence[int]
    depths: Sequence[int]
    eigenvalues: int = 100
    hessian: HessianOf = "all"


@dataclass(frozen=True)
class Result(ExperimentResult):
    """The networks of the run: measurements along depths and widths (d, w)."""

    networks: Measurements
    widths: Integers
    depths: Integers


WidthDepthRun = Run[Settings, Result]


def run(context: Context, settings: Settings) -> Result:
    """Train a network of each width and depth on the same data and labels."""
    data = load_dataset(context, settings.dataset)
    rows = []
    for depth in settings.depths:
        row = []
        for width in settings.widths:
            network = {**settings.network, "width": width, "depth": depth}
            name = f"width_{width}_depth_{depth}"
            solution = solve(context, data, network, settings.training, name=name)
            row.append(measure(context, solution, settings.eigenvalues, settings.hessian))
        rows.append(join(row, np.stack))
    return Result(join(rows, np.stack), np.array(settings.widths), np.array(settings.depths))
