"""Several draws of a stochastic measure: their mean, and its standard error."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.measures.results import Estimate, Value

DIFFERENT_COMPONENTS = (
    "The draws of the measure have different components, so they have no mean: return the same "
    "ones in each draw, or declare draws=1."
)


class WatchedGenerator(np.random.Generator):
    """A generator that knows whether anything was drawn from it, or from a child of it."""

    def __init__(self, bit_generator: np.random.BitGenerator) -> None:
        """Draw from the stream of a bit generator."""
        super().__init__(bit_generator)
        self._start = self._state()
        self._children: list[np.random.Generator] = []

    def spawn(self, n_children: int) -> list[np.random.Generator]:
        """Make children, which are watched too, as NumPy makes them of their parent's class."""
        children = super().spawn(n_children)
        self._children += children
        return children

    @property
    def is_used(self) -> bool:
        """Whether the generator or one of its children has drawn."""
        return self._state() != self._start or any(
            child.is_used for child in self._children if isinstance(child, WatchedGenerator)
        )

    def _state(self) -> str:
        # States of some bit generators hold arrays, which have no single truth of being equal.
        return json.dumps(self.bit_generator.state, default=lambda part: part.tolist())


def mean_of_draws(values: Sequence[Value]) -> Estimate:
    """Average what a measure returned in independent draws.

    Args:
        values: of each of k >= 2 draws a number, a vector, or numbers by the same names.

    Returns:
        The mean, and the standard deviation of the draws over sqrt(k), of the form of a value,
        with the draws. Equal draws have themselves as their mean, without rounding, and error 0.

    Raises:
        GengapError: the draws have different components.
    """
    first = values[0]
    names = list(first) if isinstance(first, Mapping) else None
    arrays = [_array(value, names) for value in values]
    if len({array.shape for array in arrays}) != 1:
        raise GengapError(DIFFERENT_COMPONENTS)
    draws = np.stack([np.ravel(array) for array in arrays])
    differences = np.stack(arrays) - arrays[0]
    mean = arrays[0] + differences.mean(axis=0)
    error = differences.std(axis=0, ddof=1) / math.sqrt(len(values))
    if names is not None:
        return Estimate(
            dict(zip(names, mean.tolist(), strict=True)),
            dict(zip(names, error.tolist(), strict=True)),
            draws,
        )
    if mean.ndim:
        return Estimate(mean, error, draws)
    return Estimate(float(mean), float(error), draws)


def exact(value: Value) -> Estimate:
    """Give a value that rests on no random draw the standard error 0."""
    if isinstance(value, Mapping):
        return Estimate(value, dict.fromkeys(value, 0.0))
    error = np.zeros(np.shape(value))
    return Estimate(value, error if error.ndim else 0.0)


def _array(value: Value, names: list[str] | None) -> NDArray[np.float64]:
    """Return a value as an array; numbers by name in the order of the first draw's names."""
    numbers: Any = value
    if names is not None:
        if not isinstance(value, Mapping) or value.keys() != set(names):
            raise GengapError(DIFFERENT_COMPONENTS)
        numbers = [value[name] for name in names]
    return np.asarray(numbers, dtype=np.float64)
