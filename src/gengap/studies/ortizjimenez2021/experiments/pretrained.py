"""The kernel at initialisation against the kernel of the trained network.

A network learns an eigenfunction of its initial kernel. Then its linearisations at the initial and
at the trained weights learn the same task, both from zero output, so that the second inherits
nothing of the trained network but its kernel. Training makes the kernel larger, and a larger kernel
learns faster at the same learning rate: so the second learns once more with its kernel brought to
the trace of the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from gengap.limits import GIB
from gengap.networks import Network, set_weights, weights_of
from gengap.studies.context import Context, load_dataset
from gengap.studies.ortizjimenez2021.models_compared import (
    TRAINING,
    NetworkSettings,
    TrainingSettings,
    binary_task,
    initial_network,
    train_linearisation,
    train_network,
)
from gengap.studies.ortizjimenez2021.reuse import (
    kernel_of,
    leading_eigenfunctions,
    passing_kernel,
    read_saved_eigenfunctions,
    write_saved_eigenfunctions,
)
from gengap.studies.outcomes import ExperimentResult, Floats, Floats32, Run
from gengap.tangent import normalised_alignment, signs
from gengap.tangent.storage import weight_arrays

JOINT = "joint"
"""How :mod:`.eigenfunction_tasks` calls the decomposition of all inputs together."""

LEARNERS = ("network", "initial", "trained", "rescaled")
"""Of the curves: the network; and its linearisations with the initial kernel, with that of the
trained network, and with the latter divided by the growth of the trace."""


@dataclass(frozen=True)
class Settings:
    """One network and one task, learnt four times.

    Attributes:
        dataset: its labels are not used.
        network: that learns first.
        index: of the eigenfunction that is learnt, from 0, by falling eigenvalue.
        reuse: a folder of runs that saved ``kernels`` and ``eigenfunctions``, which are read
            instead; those of ``eigenfunction_tasks`` will do.
    """

    dataset: Mapping[str, Any]
    network: NetworkSettings
    index: int = 10
    training: TrainingSettings = TRAINING
    memory_gib: float = 2.0
    reuse: str | None = None


@dataclass(frozen=True)
class Result(ExperimentResult):
    """What the four learnt, and how the kernel changed.

    Attributes:
        alignment_initial, alignment_pretrained: normalised, of each kernel with the labels.
        trace_growth: the trace of the trained network's kernel over that of the initial one.
        curves: (4 learners, epochs, 4), see :data:`LEARNERS`. Batch statistics are the initial ones
            in all three linearisations, as in the published code.
        eigenvalues: of the initial kernel, (index + 1,), descending.
        eigenfunction: the one that is learnt, (n,).
        weights, trained_weights: those that the two kernels belong to, by name.
        norms: of the network along training, (epochs, 3).
    """

    alignment_initial: float
    alignment_pretrained: float
    trace_growth: float
    curves: Floats
    eigenvalues: Floats
    eigenfunction: Floats32
    weights: Mapping[str, Floats32]
    trained_weights: Mapping[str, Floats32]
    norms: Floats


PretrainedRun = Run[Settings, Result]


def run(context: Context, settings: Settings) -> Result:
    """Train one network and three linearisations on one task.

    Returns:
        The curves, alignments and weights.

    Raises:
        GengapError: an index that no eigenfunction has, or a budget that is too small.
    """
    training, index = settings.training, settings.index
    data = load_dataset(context, settings.dataset, seed=context.seed)
    inputs = np.concatenate([data.train.inputs, data.test.inputs])
    network = initial_network(context, settings.network, data.input_shape, training.initialisation)
    start, weights = weights_of(network), weight_arrays(network, "")
    budget = int(settings.memory_gib * GIB)
    kernel = kernel_of(context, network, inputs, memory_budget=budget, reuse=settings.reuse)
    words = (JOINT, None)
    spectrum = read_saved_eigenfunctions(network, inputs, settings.reuse, *words)
    if spectrum is None:
        rng = context.generator("eigenfunctions")
        spectrum = leading_eigenfunctions(context, kernel, index + 1, rng)
    write_saved_eigenfunctions(context, spectrum, network, inputs, *words)
    labels = spectrum.labels(index)
    task, purpose = binary_task(data, labels), f"eigenfunction {index}"
    first = initial_network(context, settings.network, data.input_shape, training.initialisation)

    def learn() -> dict[str, NDArray[Any]]:
        learnt = train_network(context, network, task, training, purpose, start)
        weights = {f"weights.{name}": value for name, value in weight_arrays(network, "").items()}
        return {"curve": learnt.curve, "norms": learnt.norms, **weights}

    learnt = context.kept("network", learn)
    ends = dict(network.named_parameters())
    # The trained parameters with the initial batch statistics.
    moved = {
        name: torch.from_numpy(learnt[f"weights.{name}"]) if name in ends else start[name]
        for name in start
    }
    set_weights(network.eval(), moved, source="the trained network")
    zeros, target = np.zeros(len(inputs)), signs(labels)

    def learn_linearly(
        kernel: NDArray[np.floating], network: Network, scale: float = 1.0
    ) -> Floats:
        return train_linearisation(
            context, kernel, zeros, task, training, purpose, network=network, scale=scale
        )

    def learn_from_start() -> dict[str, NDArray[Any]]:
        return {"curve": learn_linearly(kernel, first)}

    initial = context.kept("initial", learn_from_start)["curve"]
    with passing_kernel(context, network, inputs, memory_budget=budget) as trained:
        growth = float(np.trace(trained, dtype=np.float64) / np.trace(kernel, dtype=np.float64))
        curves = [
            learnt["curve"],
            initial,
            learn_linearly(trained, network),
            learn_linearly(trained, network, growth**-0.5),
        ]
        alignment = normalised_alignment(trained, target)
    return Result(
        alignment_initial=normalised_alignment(kernel, target),
        alignment_pretrained=alignment,
        trace_growth=growth,
        curves=np.array(curves),
        eigenvalues=spectrum.values[: index + 1],
        eigenfunction=spectrum.functions[:, index].astype(np.float32),
        weights=weights,
        trained_weights=weight_arrays(network, ""),
        norms=learnt["norms"],
    )
