"""Which layers take which, against graphs written by hand."""

from __future__ import annotations

from typing import Any

import pytest

from gengap.errors import GengapError
from gengap.planning.layer_graph import default_name, inbound_positions


def dense(**entry: Any) -> dict[str, Any]:
    return {"layer_name": "Dense", "units": 3, **entry}


def add(*inbound: Any) -> dict[str, Any]:
    return {"layer_name": "Add", "inbound_nodes": list(inbound)}


def test_a_plain_list_is_a_chain() -> None:
    assert inbound_positions([dense(), dense(), dense()]) == [(-1,), (0,), (1,)]


def test_names_are_given_or_follow_kind_and_position() -> None:
    layers = [
        dense(name="first"),
        dense(),
        add("first", "dense_1"),
        dense(inbound_nodes=["input"]),
        add("dense_3", "add_2", "first"),
    ]
    assert inbound_positions(layers) == [(-1,), (0,), (0, 1), (-1,), (3, 2, 0)]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Conv2D", "conv2d_4"),
        ("MaxPooling2D", "max_pooling2d_4"),
        ("BatchNormalization", "batch_normalization_4"),
        ("Conv2DTranspose", "conv2d_transpose_4"),
        ("LeakyReLU", "leaky_re_lu_4"),
        ("MultiHeadAttention", "multi_head_attention_4"),
        ("LSTM", "lstm_4"),
    ],
)
def test_default_names_are_those_of_keras(kind: str, name: str) -> None:
    assert default_name(kind, 4) == name


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([dense(), add("dense_0", "dense_7")], ["Layer 1 (Add)", "'dense_7'", "input, dense_0"]),
        ([dense(), add("input", "add_1")], ["Layer 1", "'add_1'", "not before it", "no cycle"]),
        ([dense(inbound_nodes=["dense_1"]), dense()], ["Layer 0 (Dense)", "not before it"]),
        (
            [dense(), dense(), dense(inbound_nodes=["dense_0"])],
            ["Layer 1 (Dense)", "no layer takes"],
        ),
        (
            [dense(name="a"), dense(name="a"), add("a", "input")],
            ["Layer 2", "'a', as two layers are called", "rename"],
        ),
        ([dense(name="input"), add("input", "input")], ["two layers"]),
        ([dense(), {"layer_name": "Add"}], ["Layer 1", "name at least two"]),
        ([dense(), add("dense_0")], ["name at least two"]),
        ([dense(), dense(inbound_nodes=["input", "dense_0"])], ["takes one layer", "Concatenate"]),
        ([dense(inbound_nodes="input")], ["inbound_nodes is 'input'", "list of the names"]),
        ([dense(inbound_nodes=[])], ["inbound_nodes is []"]),
        ([dense(inbound_nodes=[3])], ["names 3, which no layer is called"]),
    ],
)
def test_graphs_that_do_not_fit(layers: list[dict[str, Any]], words: list[str]) -> None:
    with pytest.raises(GengapError) as caught:
        inbound_positions(layers)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)
