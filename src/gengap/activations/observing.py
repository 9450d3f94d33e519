"""Observing a task's network: the neurons of every draw on some of its training inputs."""

from __future__ import annotations

from torch import nn

from gengap.activations.drawing import choose_inputs
from gengap.activations.sampling import sample
from gengap.activations.storage import Sample
from gengap.datasets import Split
from gengap.seeding import generator


def observed(
    network: nn.Module,
    train: Split,
    seed: int,
    task: str,
    *,
    inputs: int,
    neurons: int,
    draws: int,
    sampling: str,
    skip_layers: int,
) -> Sample:
    """Observe a network's neurons by the random streams that all networks of its task share.

    Networks of the same training data are observed on the same inputs, and equal populations of
    neurons have equal draws.

    Args:
        network: in eval mode.
        train: what it was trained on.
        seed: the config's seed.
        task: the task's name.
        inputs: how many training inputs; all if there are fewer.
        neurons: how many in each draw.
        draws: how many draws of neurons.
        sampling: how neurons are drawn, one of :data:`gengap.names.SAMPLINGS`.
        skip_layers: how many of the first layers are left out.

    Returns:
        The neurons of every draw.
    """
    return sample(
        network,
        choose_inputs(train, inputs, generator(seed, task, "inputs")),
        neurons=neurons,
        draws=draws,
        sampling=sampling,
        skip_layers=skip_layers,
        rng=generator(seed, task, "activations"),
    )
