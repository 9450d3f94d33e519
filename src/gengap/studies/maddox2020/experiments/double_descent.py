"""Double descent: networks of growing width, their losses and their effective dimensionality.

Maddox et al. 2020, figure 1: ResNet18(k) on CIFAR-100. One run trains the networks of one seed, or
those of some of its widths; runs of one seed belong together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gengap.studies.context import Context, load_dataset
from gengap.studies.maddox2020.measurements import HessianOf, Measurements, join, measure
from gengap.studies.outcomes import ExperimentResult, Integers, Run
from gengap.studies.solving import solve


@dataclass(frozen=True)
class Settings:
    """A sweep of widths or depths of a ``network``, and how many eigenvalues to compute.

    Attributes:
        widths: the values of the sweep.
        eigenvalues: how many of the largest ones.
        along: what the values are: the network's ``width``, or its ``depth``.
        hessian: ``all`` parameters in eval mode, or as ``published``: without biases and batch
            normalisation, with batch statistics.
    """

    dataset: Mapping[str, Any]
    network: Mapping[str, Any]
    training: Mapping[str, Any]
    widths: Sequence[int]
    eigenvalues: int = 100
    along: Literal["width", "depth"] = "width"
    hessian: HessianOf = "all"


@dataclass(frozen=True)
class Result(ExperimentResult):
    """The networks of the run: measurements along the widths (m,)."""

    networks: Measurements
    widths: Integers


DoubleDescentRun = Run[Settings, Result]


def run(context: Context, settings: Settings) -> Result:
    """Train a network of each width on the same data and labels."""
    data = load_dataset(context, settings.dataset)
    networks = []
    for width in settings.widths:
        network = {**settings.network, settings.along: width}
        solution = solve(
            context, data, network, settings.training, name=f"{settings.along}_{width}"
        )
        networks.append(measure(context, solution, settings.eigenvalues, settings.hessian))
    return Result(join(networks, np.stack), np.array(settings.widths))
