"""The family against a loop over single inputs, and what its measures are free of."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tests.tangent.conftest import layers, loop_jacobian, points, seeded

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.measures import LeftOut, Subject
from gengap.measures import compute as compute_measures
from gengap.measures import tangent as measures
from gengap.measures.registry import declaration
from gengap.networks import Network

SPEC = layers(
    {"layer_name": "Conv2D", "filters": 3, "kernel_size": 3, "activation": "relu"},
    {"layer_name": "Flatten"},
    {"layer_name": "Dense", "units": 3},
    input_shape=(4, 4, 1),
)

SIZES = ("kernel_effective_rank", "log_largest_kernel_eigenvalue", "kernel_drift")


@pytest.fixture
def pair() -> tuple[Network, Network]:
    return seeded(SPEC, seed=1), seeded(SPEC, seed=2)


def split(network: Network, count: int = 12) -> Split:
    return Split(points(network, count), np.arange(count) % 3, 3)


def tangent(network: Network, initial: Network, train: Split) -> dict[str, float | LeftOut]:
    return measures.tangent(Subject(network, initial, train, np.random.default_rng(0)))


def compute(network: Network, initial: Network, train: Split) -> dict[str, float]:
    values = tangent(network, initial, train)
    assert not any(isinstance(value, LeftOut) for value in values.values())
    return values  # type: ignore[return-value]


def test_the_values_by_hand(pair: tuple[Network, Network]) -> None:
    network, initial = pair
    train = split(network)
    first, last = (
        np.einsum("ikp,jkp->ij", jacobian, jacobian)
        for jacobian in (
            loop_jacobian(each, train.inputs, [0, 1, 2]) for each in (initial, network)
        )
    )
    targets = np.eye(3)[train.labels] - 1 / 3
    before, after = (
        np.trace(targets.T @ kernel @ targets) / np.trace(kernel) / (targets**2).sum()
        for kernel in (first, last)
    )
    values = np.linalg.eigvalsh(last)
    shares = values / values.sum()
    regular = first + 1e-6 * np.trace(first) / 12 * np.eye(12)
    complexity = np.trace(targets.T @ np.linalg.inv(regular) @ targets) / 12
    expected = {
        "negative_initial_alignment": -before,
        "negative_final_alignment": -after,
        "alignment_growth": math.log(after / before),
        "kernel_effective_rank": np.exp(-(shares * np.log(shares)).sum()),
        "log_largest_kernel_eigenvalue": math.log(values[-1]),
        "log_label_complexity": math.log(complexity),
        "kernel_drift": np.linalg.norm(last - first) / np.linalg.norm(first),
    }
    assert compute(network, initial, train) == pytest.approx(expected, rel=1e-4)
    assert declaration(measures.tangent).names == tuple(expected)
    assert {*measures.FITS, *SIZES} == set(expected)


def test_a_network_that_did_not_move(pair: tuple[Network, Network]) -> None:
    found = compute(pair[0], pair[0], split(pair[0]))
    assert (found["kernel_drift"], found["alignment_growth"]) == (0, 0)


def test_alignment_and_rank_are_free_of_the_scale_of_the_last_layer_alone() -> None:
    """Where the kernel is that of the last layer's inputs, its scale changes nothing."""
    network, initial = (
        seeded(layers({"layer_name": "Dense", "units": 3}, input_shape=(6,)), seed)
        for seed in (1, 2)
    )
    train = split(network)
    before = compute(network, initial, train)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(10)
    assert compute(network, initial, train) == before


def test_effective_rank_counts_equal_eigenvalues() -> None:
    assert measures.effective_rank(np.array([0.0, 0, 3, 3, 3])) == pytest.approx(3)
    assert measures.effective_rank(np.array([0.0, 5])) == pytest.approx(1)


def test_only_so_many_inputs_are_used(
    pair: tuple[Network, Network], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measures, "INPUTS", 5)
    train = split(pair[0], 40)
    chosen = np.sort(np.random.default_rng(0).permutation(40)[:5])
    few = Split(train.inputs[chosen], train.labels[chosen], 3)
    expected = compute(*pair, few)
    assert compute(*pair, train) == pytest.approx(expected)
    assert compute(*pair, train) != pytest.approx(compute(*pair, split(pair[0], 10)))


def test_without_initial_weights_the_family_is_refused(pair: tuple[Network, Network]) -> None:
    subject = Subject(pair[0], None, split(pair[0]), np.random.default_rng(0))
    with pytest.raises(GengapError, match=r"needs the initial weights .* add them to the task"):
        compute_measures("tangent", subject)


def test_equal_labels_cost_what_compares_with_them_alone(pair: tuple[Network, Network]) -> None:
    inputs = points(pair[0], 4)
    equal = Split(inputs, np.zeros(4, np.int64), 3)
    values = compute_measures("tangent", Subject(*pair, equal, np.random.default_rng(0)))
    reason = "All labels are equal, so no kernel aligns with them: give points of two classes."
    assert values.left_out == dict.fromkeys(measures.FITS, reason)
    whole = compute(*pair, Split(inputs, np.arange(4) % 3, 3))
    assert values == {name: whole[name] for name in SIZES}


def test_a_class_without_labels_changes_nothing_of_the_others(
    pair: tuple[Network, Network],
) -> None:
    inputs = points(pair[0], 6)
    values = compute(*pair, Split(inputs, np.arange(6) % 2 * 2, 3))
    assert values == pytest.approx(compute(*pair, Split(inputs, np.arange(6) % 2, 2)))


@pytest.mark.parametrize("dead", ["initial", "trained"])
def test_a_dead_network_fits_nothing(pair: tuple[Network, Network], dead: str) -> None:
    """Without any hidden activity the kernel is that of the last bias, the same everywhere."""
    network, initial = pair
    with torch.no_grad():
        weights, biases, *_ = (network if dead == "trained" else initial).parameters()
        weights.zero_()
        biases.fill_(-1.0)
    values = tangent(network, initial, split(network))
    for name in measures.FITS:
        value = values[name]
        assert isinstance(value, LeftOut)
        assert "no share along the labels (the network may be dead)" in value.reason
    assert all(isinstance(values[name], float) for name in SIZES)


def test_a_kernel_that_vanishes_has_no_size() -> None:
    """Without biases and with weights of 0 no parameter changes the outputs."""
    spec = layers(
        {"layer_name": "Dense", "units": 4, "activation": "relu", "use_bias": False},
        {"layer_name": "Dense", "units": 3, "use_bias": False},
        input_shape=(6,),
    )
    network = seeded(spec, 1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    values = tangent(network, network, split(network))
    assert all(isinstance(value, LeftOut) for value in values.values())


def test_frozen_parameters_count_where_they_are_asked_for(pair: tuple[Network, Network]) -> None:
    train, rng = split(pair[0]), np.random.default_rng
    every = compute(*pair, train)
    for network in pair:
        next(network.parameters()).requires_grad_(False)
    subject = Subject(*pair, train, rng(0), parameters="all")
    assert measures.tangent(subject) == every
    assert not next(pair[0].parameters()).requires_grad
    fewer = compute(*pair, train)
    assert fewer["log_largest_kernel_eigenvalue"] < every["log_largest_kernel_eigenvalue"]
    for network in pair:
        network.requires_grad_(False)
    assert compute(*pair, train) == every
