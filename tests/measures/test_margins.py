"""Margins: distances in a linear network, direct loops, transport by enumeration, invariances."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gengap.datasets import Split
from gengap.measures import Subject, attempt, compute
from gengap.measures import margins as measures
from gengap.measures.margins import LayerMargins, log_statistics, margins_at, wasserstein
from gengap.networks import Network, build, convolutional, dense, observed_layers


def subject(network: nn.Module, train: Split, seed: int = 0) -> Subject:
    return Subject(network, None, train, np.random.default_rng(seed))


def blobs(count: int = 60, size: int = 4, classes: int = 3, seed: int = 0) -> Split:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    centres = 3 * rng.standard_normal((classes, size))
    inputs = centres[labels] + 0.5 * rng.standard_normal((count, size))
    return Split(inputs.astype(np.float32), labels, classes)


def linear(weights: np.ndarray, bias: np.ndarray) -> Network:
    classes, size = weights.shape
    network: Network = build(
        {"model_config": [{"layer_name": "Dense", "units": classes}], "input_shape": [size]}
    )
    with torch.no_grad():
        parameters = dict(network.named_parameters())
        for value in parameters.values():
            value.copy_(torch.from_numpy(weights if value.ndim == 2 else bias))
    return network.eval()


def centroid_network(train: Split) -> Network:
    """Return the linear classifier by the nearest mean of a class."""
    means = np.stack([train.inputs[train.labels == c].mean(0) for c in range(train.classes)])
    return linear(means, -(means**2).sum(1) / 2)


def test_margins_of_a_linear_network_are_distances_to_the_hyperplane() -> None:
    train = blobs()
    network = centroid_network(train)
    weights, bias = (p.detach().numpy().astype(float) for p in network.parameters())
    (at_input,) = margins_at(network, [], train.inputs, train.labels)
    for x, y, distance in zip(train.inputs, train.labels, at_input.margins, strict=True):
        scores = weights @ x + bias
        rival = max((c for c in range(3) if c != y), key=lambda c: scores[c])
        normal = weights[y] - weights[rival]
        offset = bias[y] - bias[rival]
        expected = (normal @ x + offset) / np.linalg.norm(normal)
        assert distance == pytest.approx(expected, rel=1e-4, abs=1e-5)
        onto = x - expected * normal / np.linalg.norm(normal)
        assert normal @ onto + offset == pytest.approx(0, abs=1e-4)


def test_margins_at_a_hidden_layer_agree_with_a_loop(seeded: Any) -> None:
    train = blobs(20)
    network = seeded(dense((4,), 3, width=6, depth=2))
    layers = [layer for _, layer in observed_layers(network)][:-1]
    measured = margins_at(network, layers, train.inputs, train.labels)
    values = list(network.parameters())
    assert len(measured) == 3
    for row, (x, y) in enumerate(zip(train.inputs, train.labels, strict=True)):
        first = torch.relu(torch.from_numpy(x) @ values[0].T + values[1]).detach()
        first.requires_grad_()
        scores = torch.relu(first @ values[2].T + values[3]) @ values[4].T + values[5]
        rival = max((c for c in range(3) if c != y), key=lambda c: float(scores[c].detach()))
        difference = scores[y] - scores[rival]
        (slope,) = torch.autograd.grad(difference, first)
        length = float(slope.norm())
        expected = float(difference.detach()) / length if length else 0.0
        assert measured[1].margins[row] == pytest.approx(expected, rel=1e-4, abs=1e-6)
        np.testing.assert_allclose(measured[1].features[row], first.detach(), rtol=1e-5)


def test_statistics_of_a_hand_worked_distribution() -> None:
    # Features of total variance 4, slopes of 2, positive margins 1, 2, 3, 4, 5 and 50.
    differences = np.array([-8.0, 2, 4, 6, 8, 10, 100])
    features = np.zeros((7, 2))
    features[:, 0] = [2, -2, 2, -2, 2, -2, 0]
    variation = math.sqrt(24 / 7)
    found = log_statistics(LayerMargins(features, differences, np.full(7, 2.0)))
    # Quartiles of 1, 2, 3, 4, 5, 50 by linear interpolation: 2.25, 3.5, 4.75; 50 is an outlier.
    expected = [1, 2.25, 3.5, 4.75, 5]
    assert list(found) == [
        "lower_fence", "lower_quartile", "median", "upper_quartile", "upper_fence",
    ]  # fmt: skip
    np.testing.assert_allclose(np.exp(list(found.values())), np.array(expected) / variation)


def test_transport_is_that_of_the_best_of_all_matchings() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((2, 6, 3))
    best = min(
        np.mean([np.linalg.norm(first[i] - second[j]) for i, j in enumerate(order)])
        for order in itertools.permutations(range(6))
    )
    assert wasserstein(first, second) == pytest.approx(best)


def test_k_variance_margins_against_direct_formulas(seeded: Any) -> None:
    train = blobs(24)
    network = seeded(dense((4,), 3, width=5, depth=1))
    # One draw, from a stream that is known; ``compute`` takes the mean of several.
    found = measures.margins(subject(network, train))
    rng = np.random.default_rng(0)
    data = train.sample(measures.INPUTS, rng)
    values = [p.detach().double().numpy() for p in network.parameters()]
    hidden = np.maximum(data.inputs @ values[0].T + values[1], 0)
    scores = hidden @ values[2].T + values[3]
    differences, slopes = [], []
    for score, label in zip(scores, data.labels, strict=True):
        rival = max((c for c in range(3) if c != label), key=lambda c: score[c])
        differences.append(score[label] - score[rival])
        slopes.append(np.linalg.norm(values[2][label] - values[2][rival]))
    spread = lipschitz = 0.0
    for label in range(3):
        rows = rng.permutation(np.flatnonzero(data.labels == label))
        half = len(rows) // 2
        distance = wasserstein(hidden[rows[:half]], hidden[rows[half : 2 * half]])
        spread += len(rows) / 24 * distance
        lipschitz += len(rows) / 24 * distance * max(slopes[row] for row in rows)
    relative = np.array(differences) / slopes
    assert found["kv_margin"] == pytest.approx(-np.median(differences) / lipschitz, rel=1e-4)
    assert found["kv_gn_margin"] == pytest.approx(-np.median(relative) / spread, rel=1e-4)


def rescaled(spec: dict[str, object], network: Network, factor: float) -> Network:
    """Multiply the first layer by a factor, and divide the second one's kernel by it."""
    other: Network = build(spec)
    with torch.no_grad():
        for own, value in zip(other.parameters(), network.parameters(), strict=True):
            own.copy_(value)
        weight, bias, second, *_ = other.parameters()
        weight.mul_(factor)
        bias.mul_(factor)
        second.div_(factor)
    return other.eval()


@pytest.mark.parametrize(
    "spec",
    [dense((4,), 3, width=6, depth=2), convolutional((4, 4, 1), 3, width=3, depth=2)],
    ids=["dense", "convolutional"],
)
def test_rescaling_of_relu_layers_changes_nothing(spec: dict[str, Any], seeded: Any) -> None:
    network = seeded(spec)
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((40, *spec["input_shape"])).astype(np.float32)
    train = Split(inputs, np.arange(40) % 3, 3)
    found = compute("margins", subject(network, train))
    other = compute("margins", subject(rescaled(spec, network, 7.0), train))
    for name in found:
        assert found[name] == pytest.approx(other[name], rel=1e-4), name


def test_values_do_not_depend_on_the_batch_size(
    seeded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, network = blobs(30), seeded(dense((4,), 3, width=6, depth=2))
    found = compute("margins", subject(network, train))
    monkeypatch.setattr(measures, "BATCH", 7)
    other = compute("margins", subject(network, train))
    for name in found:
        assert found[name] == pytest.approx(other[name], rel=1e-5), name


def test_a_wider_gap_between_classes_has_smaller_values() -> None:
    values = []
    for distance in (1.0, 3.0):
        rng = np.random.default_rng(0)
        labels = np.arange(40) % 2
        inputs = 0.1 * rng.standard_normal((40, 2)) + distance * np.stack([labels, labels], 1)
        train = Split(inputs.astype(np.float32), labels, 2)
        network = linear(np.array([[0.0, 0], [1, 1]]), np.array([0.0, -distance]))
        values.append(compute("margins:kv_margin", subject(network, train))["kv_margin"])
    assert values[1] < values[0] < 0  # type: ignore[operator]


def test_a_network_that_is_never_right_has_no_distribution() -> None:
    train = blobs()
    network = centroid_network(train)
    wrong = train.with_labels((train.labels + 1) % 3)
    found = attempt("margins", subject(network, wrong))
    assert set(found.left_out) == {"negative_log_margins", "negative_log_input_margin"}
    assert "no distribution of margins" in found.left_out["negative_log_margins"]
    assert found["kv_margin"] > 0  # type: ignore[operator]
