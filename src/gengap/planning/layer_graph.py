"""Which layers of a ``model_config`` take the outputs of which others.

Each entry of the list takes the output of the one before it, unless it names others, as Keras'
functional config does::

    - {layer_name: Dense, units: 16, activation: relu, name: first}
    - {layer_name: Dense, units: 16}
    - {layer_name: Add, inbound_nodes: [first, dense_1]}

An entry is called by its ``name``; without one, by its kind and position as Keras writes them
(``dense_1``). The input of the network is called ``input``. An entry takes only entries before it,
so there are no cycles. The last entry gives the network's outputs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gengap.errors import GengapError
from gengap.names import MERGING_LAYERS

INPUT = "input"
"""What the input of a network is called in ``inbound_nodes``."""

INPUT_POSITION = -1
"""The position that stands for the input of the network."""

_WORD_START = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[0-9][A-Z])(?=[A-Z])")


def default_name(kind: str, position: int) -> str:
    """Return the name of a layer without one: ``max_pooling2d_3`` for the fourth entry."""
    return f"{_WORD_START.sub('_', kind).lower()}_{position}"


def inbound_positions(layers: Sequence[Mapping[str, Any]]) -> list[tuple[int, ...]]:
    """Return which entries each entry of a ``model_config`` takes.

    Args:
        layers: the entries; each has a ``layer_name`` that the library knows.

    Returns:
        For each entry the positions of those that it takes; :data:`INPUT_POSITION` stands for the
        input of the network.

    Raises:
        GengapError: a name is unknown, belongs to two layers or to a later one, a layer takes too
            many or too few others, or nothing takes its output. The sentence names the layer by its
            position.
    """
    names = [_name(layer, position) for position, layer in enumerate(layers)]
    taken = []
    for position, layer in enumerate(layers):
        try:
            taken.append(_taken(layer, position, names))
        except GengapError as error:
            raise GengapError(_named(layer, position, str(error))) from None
    used = {before for positions in taken for before in positions}
    for position, layer in enumerate(layers[:-1]):
        if position not in used:
            fault = f"no layer takes its output: name '{names[position]}' in inbound_nodes"
            raise GengapError(_named(layer, position, f"{fault}, or leave it out."))
    return taken


def _name(layer: Mapping[str, Any], position: int) -> str:
    name = layer.get("name")
    return name if isinstance(name, str) else default_name(layer["layer_name"], position)


def _named(layer: Mapping[str, Any], position: int, fault: str) -> str:
    return f"Layer {position} ({layer['layer_name']}) of model_config: {fault}"


def _taken(layer: Mapping[str, Any], position: int, names: Sequence[str]) -> tuple[int, ...]:
    """Return the positions of the entries that one entry takes."""
    inbound = layer.get("inbound_nodes")
    if inbound is None:
        positions = [position - 1]  # of the first layer: the input
    elif isinstance(inbound, list | tuple) and inbound:
        positions = [_position(name, position, names) for name in inbound]
    else:
        raise GengapError(
            f"inbound_nodes is {inbound!r}: give a list of the names of layers, such as "
            f"[{INPUT}, {names[0]}]."
        )
    merges = layer["layer_name"] in MERGING_LAYERS
    if merges and len(positions) < 2:
        raise GengapError("it joins layers: name at least two in inbound_nodes.")
    if not merges and len(positions) > 1:
        raise GengapError(
            f"it takes one layer, but inbound_nodes names {len(positions)}: join them first, with "
            f"{', '.join(MERGING_LAYERS)}."
        )
    return tuple(positions)


def _position(name: Any, position: int, names: Sequence[str]) -> int:
    """Return the position of the one earlier entry with this name."""
    positions = [INPUT_POSITION] if name == INPUT else []
    positions += [other for other, known in enumerate(names) if known == name]
    if not positions:
        raise GengapError(
            f"inbound_nodes names {name!r}, which no layer is called: choose one of "
            f"{', '.join((INPUT, *names[:position]))}."
        )
    if len(positions) > 1:
        raise GengapError(f"inbound_nodes names {name!r}, as two layers are called: rename one.")
    if positions[0] >= position:
        raise GengapError(
            f"inbound_nodes names {name!r}, which is not before it in the list: a layer takes only "
            "those before it, so that there is no cycle."
        )
    return positions[0]
