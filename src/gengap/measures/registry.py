"""The registry of measures: families are modules, measures are decorated functions in them.

To add a measure, write a function in a module of your own and name the module in the config::

    # my_measures.py, beside your config
    from gengap.measures import measure

    @measure()
    def largest_weight(network, initial, train, rng):
        return max(float(p.abs().max()) for p in network.parameters())

    # config.yaml
    families: [topology, baseline, my_measures.py]

Families are imported when they are first asked for, so this module depends on none of them.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.names import FAMILIES
from gengap.planning.families import family_source

if TYPE_CHECKING:
    from torch import nn

__all__ = ["COLUMNS", "FAMILIES", "compute", "measure", "tidy", "to_frame"]

COLUMNS = ["task", "network", "family", "measure", "component", "value"]

Value = float | np.ndarray | Mapping[str, float]
MeasureFunction = Callable[
    ["nn.Module", "nn.Module | None", Split, np.random.Generator], Value | dict[str, Value]
]

_MARK = "gengap_measures"


def measure(*names: str) -> Callable[[MeasureFunction], MeasureFunction]:
    """Mark a function as a measure.

    The function takes (network in eval mode, the network with its initial weights or None,
    training split with the labels that it was trained on, random generator) and returns a number,
    a vector, or a mapping from component names to numbers. Larger predicts a larger gap.

    Args:
        names: where one computation gives several measures, their names: the function then returns
            a mapping from exactly these names to values. Without names it is one measure, named
            after the function.
    """

    def mark(function: MeasureFunction) -> MeasureFunction:
        setattr(function, _MARK, names or (function.__name__,))
        return function

    return mark


def members(family: str) -> dict[str, MeasureFunction]:
    """The measures of a family, by name, in the order of their module.

    Args:
        family: a name in :data:`FAMILIES`, or the path of a Python file with measures.

    Raises:
        GengapError: an unknown family, or a module without measures.
    """
    module = _load(family_source(family))
    found = {
        name: function
        for function in vars(module).values()
        if callable(function) and _is_of(module, function)
        for name in getattr(function, _MARK, ())
    }
    if not found:
        raise GengapError(
            f"The family '{family}' ({module.__name__}) has no measure: "
            "decorate its functions with @gengap.measures.measure()."
        )
    return found


def compute(
    name: str,
    network: nn.Module,
    initial: nn.Module | None,
    train: Split,
    rng: np.random.Generator,
) -> dict[str, Value]:
    """Compute a family, or one measure.

    Args:
        name: a family ("baseline", or the path of a Python file with measures), or one measure of
            it ("baseline:parameter_count").
        network: the trained network, eval mode.
        initial: the same network with its initial weights, or None where they are unknown.
        train: training inputs (n, *input_shape) and the labels trained on.
        rng: the source of all randomness.

    Returns:
        Named values: numbers, vectors, or mappings from component names to numbers.

    Raises:
        GengapError: unknown family or measure, or a value that is not finite.
    """
    family, _, only = name.partition(":")
    functions = members(family)
    if only and only not in functions:
        raise GengapError(
            f"Unknown measure '{only}' of family '{family}': choose one of {', '.join(functions)}."
        )
    # Each function has its own stream, so that asking for one measure gives the family's value.
    streams = dict(zip(dict.fromkeys(functions.values()), _spawn(rng, functions), strict=True))
    wanted = [functions[only]] if only else list(streams)
    values: dict[str, Value] = {}
    for function in wanted:
        values |= _named(function, function(network, initial, train, streams[function]))
    for key, value in values.items():
        _check_finite(key, value)
    return {only: values[only]} if only else values


def to_frame(values: Mapping[str, Value]) -> pd.DataFrame:
    """Named values as rows (measure, component, value); a number has the one component 0."""
    rows: list[tuple[str, Any, float]] = []
    for name, value in values.items():
        components = value.items() if isinstance(value, Mapping) else enumerate(np.ravel(value))
        rows += [(name, component, float(number)) for component, number in components]
    return pd.DataFrame(rows, columns=["measure", "component", "value"])


def tidy(frame: pd.DataFrame, task: str, network: str, family: str) -> pd.DataFrame:
    """Rows (measure, component, value, ...) as rows of the table that all families share."""
    named = frame.assign(task=task, network=network, family=family)
    return named[COLUMNS + [column for column in frame if column not in COLUMNS]]


def _load(source: str) -> ModuleType:
    if not source.endswith(".py"):
        return importlib.import_module(source)
    spec = importlib.util.spec_from_file_location(Path(source).stem, source)
    if spec is None or spec.loader is None:
        raise GengapError(f"{source} cannot be imported: give the path of a Python file.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _is_of(module: ModuleType, function: Callable[..., Any]) -> bool:
    """Whether a function is defined in a module, or in a module of the package that it is."""
    home = getattr(function, "__module__", None)
    inside = isinstance(home, str) and home.startswith(f"{module.__name__}.")
    return home == module.__name__ or (hasattr(module, "__path__") and inside)


def _spawn(
    rng: np.random.Generator, functions: Mapping[str, MeasureFunction]
) -> list[np.random.Generator]:
    return rng.spawn(len(dict.fromkeys(functions.values())))


def _named(function: MeasureFunction, result: Any) -> dict[str, Value]:
    names = getattr(function, _MARK)
    if names == (function.__name__,):
        return {names[0]: result}
    if set(result) != set(names):
        raise GengapError(
            f"{function.__name__} declares the measures {', '.join(names)} "
            f"but returned {', '.join(result)}: make the two agree."
        )
    return {name: result[name] for name in names}


def _check_finite(name: str, value: Value) -> None:
    numbers = list(value.values()) if isinstance(value, Mapping) else value
    if not np.all(np.isfinite(np.asarray(numbers, dtype=float))):
        raise GengapError(
            f"The measure '{name}' is not finite for this network: look at its weights and its "
            "training loss."
        )
