"""What a measure may use: one network, and what is known about its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gengap.datasets import Split

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn


@dataclass(frozen=True, eq=False)
class Subject:
    """A network to measure, its training data, and whatever else a task knows about it.

    Test data have no place here, so no measure can see them. Whatever a task does not have is None
    or empty; a measure that cannot do without it declares so, see :func:`gengap.measures.measure`.

    Attributes:
        network: the trained network, in eval mode. A measure leaves its weights as they are.
        initial: the same network with its initial weights, in eval mode; None where they are not
            known.
        train: the training inputs (n, *input_shape) float32, and the labels (n,) trained on.
        rng: source of all randomness of a measure. :func:`~gengap.measures.compute` gives each
            measure a stream of its own.
        loss: the loss that the network was trained on, one of :data:`gengap.names.LOSSES`; by
            default the cross-entropy, or the squared error where the targets are numbers.
        history: one row per epoch 1, 2, ..., with the columns ``epoch``, ``train_loss``,
            ``train_accuracy`` and ``learning_rate``; None where training was not recorded.
        snapshots: the network in eval mode after some epochs of its training, by epoch (0 is the
            start); None where none was kept.
        siblings: networks in eval mode that differ from this one in their random seed alone; empty
            where there are none.
        unlabelled: further inputs (m, *input_shape) float32 of the same distribution, without
            labels; None where there are none.
        diagrams: persistence diagrams of the network's activations as
            :func:`gengap.topology.draw_diagrams` returns them: per draw and per dimension births
            and deaths (bars, 2); None where they were not computed.
    """

    network: nn.Module
    initial: nn.Module | None
    train: Split
    rng: np.random.Generator
    _: KW_ONLY
    loss: str = ""
    history: pd.DataFrame | None = None
    snapshots: Mapping[int, nn.Module] | None = None
    siblings: tuple[nn.Module, ...] = ()
    unlabelled: NDArray[np.float32] | None = None
    diagrams: Sequence[Sequence[NDArray[np.floating]]] | None = None

    def __post_init__(self) -> None:
        if not self.loss:
            object.__setattr__(self, "loss", "mse" if self.train.has_numbers else "cross_entropy")
