"""The kernel at initialisation against the kernel of the trained network.

A network learns an eigenfunction of its initial kernel. Then its linearisations at the initial and
at the trained weights learn the same task, both from zero output, so that the second inherits
nothing of the trained network but its kernel. Training makes the kernel larger, and a larger kernel
learns faster at the same learning rate: so the second learns once more with its kernel brought to
the trace of the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from gengap.datasets import Split, load
from gengap.networks import set_weights, weights_of
from gengap.seeding import generator
from gengap.studies import Context, Outcome, Run
from gengap.studies.ortizjimenez2021 import figures
from gengap.studies.ortizjimenez2021.models_compared import (
    Training,
    initial_network,
    train_linear,
    train_network,
)
from gengap.tangent import eigenfunctions, empirical_ntk, normalised_alignment, signs
from gengap.tangent.kernel import GIB
from gengap.tangent.storage import weight_arrays


def run(
    context: Context,
    *,
    dataset: Mapping[str, Any],
    architecture: str,
    width: int | None = None,
    index: int = 10,
    epochs: int = 100,
    learning_rate: float = 0.05,
    batch_size: int = 128,
    initialisation: str = "lecun",
    memory_gib: float = 2.0,
) -> Outcome:
    """One network and one task, learnt four times.

    Args:
        context: seed, data and device.
        dataset: keywords of :func:`gengap.datasets.load`; the labels are not used.
        architecture, width: of the network, see :func:`.arms.initial_network`.
        index: of the eigenfunction that is learnt.
        epochs, learning_rate, batch_size, initialisation: of the training of all arms.
        memory_gib: budget for each kernel.

    Returns:
        Values ``alignment_initial`` and ``alignment_pretrained`` (normalised) and
        ``trace_growth`` (the trace of the trained network's kernel over that of the initial one);
        array ``curves`` (4 arms, epochs, 4): the network, the linearisation at its initial weights,
        that at its trained ones, and that with its kernel divided by ``trace_growth``. Batch
        statistics are the initial ones in all three, as in the published code. Arrays
        ``eigenvalues`` (index + 1,) of the initial kernel and ``eigenfunction`` (n,), the one that
        is learnt; ``weights.<name>`` and ``trained_weights.<name>``, those that the two kernels
        belong to.
    """
    data = load(**dataset, data_dir=context.data_dir, seed=context.seed)
    count = len(data.train.labels)
    inputs = np.concatenate([data.train.inputs, data.test.inputs])
    network = initial_network(context, architecture, width, data.input_shape, initialisation)
    start, weights = weights_of(network), weight_arrays(network)
    budget = int(memory_gib * GIB)
    kernel = empirical_ntk(network, inputs, memory_budget=budget)
    rng = generator(context.seed, "eigenfunctions")
    found = eigenfunctions(kernel, index + 1, rng=rng)
    labels = found.labels(index)
    recipe = Training(epochs, learning_rate, batch_size, initialisation).recipe(
        context.seed, f"eigenfunction {index}"
    )
    train_split = Split(data.train.inputs, labels[:count], 2)
    test_split = Split(data.test.inputs, labels[count:], 2)
    mine = train_network(network, train_split, test_split, recipe, start)
    learnt = dict(network.named_parameters())
    moved = {name: learnt[name].detach() if name in learnt else start[name] for name in start}
    set_weights(network, moved, source="the trained network")
    turned = empirical_ntk(network, inputs, memory_budget=budget)
    growth = float(np.trace(turned, dtype=np.float64) / np.trace(kernel, dtype=np.float64))
    zeros = np.zeros(len(inputs))
    linear = [
        train_linear(each, zeros, labels[:count], labels[count:], recipe)
        for each in (kernel, turned, turned / np.float32(growth))
    ]
    target = signs(labels)
    return Outcome(
        {
            "alignment_initial": normalised_alignment(kernel, target),
            "alignment_pretrained": normalised_alignment(turned, target),
            "trace_growth": growth,
        },
        {
            "curves": np.array([mine, *linear]),
            "eigenvalues": found.values,
            "eigenfunction": found.functions[:, index].astype(np.float32),
            **weights,
            **weight_arrays(network, "trained_weights."),
        },
    )


def draw(runs: Sequence[Run]) -> dict[str, Figure]:
    """Loss and accuracy of the four while they train."""
    return {"curves": figures.pretrained_curves(runs)}
