"""What a measure may use: one network, and what is known about its training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from gengap.datasets import Split
from gengap.errors import GengapError

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

Result = TypeVar("Result")

CountedParameters = Literal["trainable", "all"]
"""Which parameters of a network count: see :class:`Subject`."""


@dataclass(frozen=True, eq=False)
class Subject:
    """A network to measure, its training data, and whatever else a task knows about it.

    Test data have no place here, so no measure can see them. Whatever a task does not have is None
    or empty; a measure that cannot do without it declares so, see :func:`gengap.measures.measure`.

    Attributes:
        network: the trained network. A measure leaves its weights as they are, and sees it in eval
            mode, whatever its mode is.
        initial: the same network with its initial weights; None where they are not known.
        train: the training inputs (n, *input_shape), float32 or tokens, and the labels or numbers
            (n,) trained on.
        rng: source of all randomness of a measure. Networks that are to be compared are given
            generators of one seed, so that all are measured on the same drawn inputs; the workflow
            seeds by task and family, not by network. :func:`~gengap.measures.compute` gives each
            function a stream of its own, and each of its draws another. A function draws inputs
            first, before anything whose number depends on the network.
        loss: the loss that the network was trained on, one of :data:`gengap.names.LOSSES`; by
            default the cross-entropy, or the squared error where the targets are numbers.
        parameters: which parameters count, in sizes, norms, distances, curvature and tangent
            kernels: ``trainable`` (the default) leaves out frozen ones (``requires_grad`` is
            False), unless all are frozen; ``all`` takes them in.
        history: one row per epoch 1, 2, ..., with the columns ``epoch``, ``train_loss``,
            ``train_accuracy`` and ``learning_rate``; None where training was not recorded.
        snapshots: the network after some epochs of its training, by epoch (0 is the
            start); None where none was kept.
        siblings: networks that differ from this one in their random seed alone; empty
            where there are none.
        unlabelled: further inputs (m, *input_shape) float32 of the same distribution, without
            labels; None where there are none.
        diagrams: persistence diagrams of the network's activations as
            :func:`gengap.topology.draw_diagrams` returns them: per draw and per dimension births
            and deaths (bars, 2); None where they were not computed.
        shared: results that the functions of a family share while it is computed, by name; None
            where a function is called by itself.

    Raises:
        GengapError: ``parameters`` is neither word, or ``rng`` is no generator.
    """

    network: nn.Module
    initial: nn.Module | None
    train: Split
    rng: np.random.Generator
    _: KW_ONLY
    loss: str = ""
    parameters: CountedParameters = "trainable"
    history: pd.DataFrame | None = None
    snapshots: Mapping[int, nn.Module] | None = None
    siblings: tuple[nn.Module, ...] = ()
    unlabelled: NDArray[np.float32] | None = None
    diagrams: Sequence[Sequence[NDArray[np.floating]]] | None = None
    shared: dict[str, Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.rng, np.random.Generator):
            raise GengapError(
                f"'rng' is {self.rng!r}: give a generator, as numpy.random.default_rng(0) makes it."
            )
        if self.parameters not in get_args(CountedParameters):
            raise GengapError(f"'parameters' is {self.parameters!r}: choose 'trainable' or 'all'.")
        if not self.loss:
            object.__setattr__(self, "loss", "mse" if self.train.has_numbers else "cross_entropy")

    def once(self, name: str, compute: Callable[[], Result]) -> Result:
        """Compute a result that several functions of a family need, once for all of them.

        Args:
            name: the result's name, the same in all functions.
            compute: computes it, of the subject without its ``rng``, so that a measure has the same
                value alone and within its family.

        Returns:
            The result, which nobody changes.
        """
        if self.shared is None:
            return compute()
        if name not in self.shared:
            self.shared[name] = compute()
        result: Result = self.shared[name]
        return result

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        """Every network that is known: the trained one, its earlier states, and its siblings."""
        first = () if self.initial is None else (self.initial,)
        return self.network, *first, *(self.snapshots or {}).values(), *self.siblings
