"""The points of a grid of hyper-parameters, and the role that each hyper-parameter plays."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gengap.errors import GengapError
from gengap.names import FLOAT_KEYS, INTEGER_KEYS


def grid_points(grid: Mapping[str, Sequence[Any]], replicates: int = 1) -> list[dict[str, Any]]:
    """Return every combination of a grid's values, in the order of its keys, the last key fastest.

    Args:
        grid: the values of each hyper-parameter.
        replicates: how many networks each combination gets; they differ by seed alone.

    Returns:
        One mapping a network, ``{hyper-parameter: value, ..., "replicate": r}``. Its place in the
        list is the network's position.

    Raises:
        GengapError: a hyper-parameter has no value, or one value is given twice.
    """
    for name, values in grid.items():
        if not values or any(values[i] in values[:i] for i in range(len(values))):
            raise GengapError(
                f"The grid's '{name}' is {list(values)}: give each value once, and at least one."
            )
    return [
        dict(zip(grid, point, strict=True)) | {"replicate": replicate}
        for point in itertools.product(*grid.values())
        for replicate in range(replicates)
    ]


def split_grid_point(
    point: Mapping[str, Any],
    network: Mapping[str, Any],
    training: Mapping[str, Any],
    network_keys: Collection[str],
    training_keys: Collection[str],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the keywords of the network and of the training at one grid point.

    Args:
        point: hyper-parameters of one network; ``replicate`` is left out.
        network: keywords that all networks share.
        training: recipe entries that all networks share.
        network_keys: names that may vary in the network.
        training_keys: names that may vary in the recipe.

    Returns:
        The shared keywords with the grid point's values laid over them: (network, training).

    Raises:
        GengapError: a hyper-parameter belongs neither to the network nor to the recipe.
    """
    unknown = sorted(set(point) - {"replicate", *network_keys, *training_keys})
    if unknown:
        raise GengapError(
            f"The grid names '{unknown[0]}', which is neither a network's keyword "
            f"({', '.join(network_keys)}) nor a training recipe's ({', '.join(training_keys)})."
        )
    of_network = {name: value for name, value in point.items() if name in network_keys}
    of_training = {name: value for name, value in point.items() if name in training_keys}
    return {**network, **of_network}, {**training, **of_training}


def identity(entry: Mapping[str, Any], seed: int) -> str:
    """Return a digest of what makes a zoo's network the one that it is.

    Args:
        entry: the network's ``point``, ``network`` keywords and ``training`` recipe.
        seed: the seed of the run.

    Returns:
        64 hexadecimal digits, equal for values that are written differently, such as 0 and 0.0.
    """
    parts = [canonical_point(entry[part]) for part in ("point", "network", "training")]
    text = json.dumps([seed, *parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def canonical_point(point: Mapping[str, Any]) -> dict[str, Any]:
    """Return hyper-parameters in the type of their keys, so that 0 and 0.0 are the same value.

    Args:
        point: values by the names of hyper-parameters.

    Returns:
        A copy. Values of :data:`gengap.names.FLOAT_KEYS` are floats, and integral values of
        :data:`gengap.names.INTEGER_KEYS` are integers; others are as given.
    """
    return {key: _canonical(key, value) for key, value in point.items()}


def _canonical(key: str, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if key in FLOAT_KEYS:
        return float(value)
    return int(value) if key in INTEGER_KEYS and float(value).is_integer() else value


def check_roles(task: str, roles: Mapping[str, str | None], grid: Collection[str]) -> None:
    """Refuse a hyper-parameter that a task gives a role to, but does not have.

    Args:
        task: the task's name.
        roles: for each role (``correlate_within``, ``rank_within``, ``colour``) a
            hyper-parameter or None.
        grid: the hyper-parameters that the task has.

    Raises:
        GengapError: a role names a hyper-parameter outside the grid.
    """
    for role, name in roles.items():
        if name is not None and name not in grid:
            choice = f"choose one of {', '.join(grid)}, or null" if grid else "set it to null"
            raise GengapError(
                f"'{role}' of task '{task}' is '{name}', which is not in its grid: {choice}."
            )
