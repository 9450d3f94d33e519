"""Neural collapse on features whose collapse is known."""

from __future__ import annotations

import numpy as np
import pytest
from torch import Tensor, nn

from gengap.curvature.collapse import collapse_of, neural_collapse
from gengap.datasets import load
from gengap.errors import GengapError
from gengap.networks import build, dense
from gengap.training import Recipe, train

CLASSES, DIMENSION, EACH = 4, 6, 10


def simplex() -> np.ndarray:
    """A simplex equiangular tight frame, (C, d), moved off the origin."""
    frame = np.eye(CLASSES) - 1 / CLASSES
    basis = np.linalg.qr(np.random.default_rng(0).standard_normal((DIMENSION, CLASSES)))[0]
    return np.asarray(frame @ basis.T)


def collapsed(noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    labels = np.repeat(np.arange(CLASSES), EACH)
    features = (simplex() + 3.0)[labels]
    rng = np.random.default_rng(1)
    return features + noise * rng.standard_normal(features.shape), labels


def test_complete_collapse_is_zero() -> None:
    features, labels = collapsed()
    found = neural_collapse(features, labels, 2 * simplex(), labels)
    assert list(found) == ["nc1", "nc2_norms", "nc2_angles", "nc3", "nc4"]
    assert np.allclose(list(found.values()), 0, atol=1e-9)


def test_each_quantity_answers_to_its_own_fault() -> None:
    features, labels = collapsed()
    kernel = simplex()
    assert neural_collapse(*collapsed(0.1), kernel, labels)["nc1"] > 0.01
    longer = features.copy()
    longer[labels == 0] += simplex()[0]
    assert neural_collapse(longer, labels, kernel, labels)["nc2_norms"] > 0.1
    assert neural_collapse(features, labels, -kernel, labels)["nc3"] == pytest.approx(4)
    other = np.where(np.arange(len(labels)) < 5, (labels + 1) % CLASSES, labels)
    assert neural_collapse(features, labels, kernel, other)["nc4"] == 5 / len(labels)


def test_variability_is_the_trace_by_definition() -> None:
    features, labels = collapsed(0.3)
    means = np.stack([features[labels == c].mean(axis=0) for c in range(CLASSES)])
    within = np.zeros((DIMENSION, DIMENSION))
    for feature, label in zip(features, labels, strict=True):
        within += np.outer(feature - means[label], feature - means[label]) / len(labels)
    between = np.cov(means.T, ddof=0)
    expected = np.trace(within @ np.linalg.pinv(between, rcond=1e-10)) / CLASSES
    found = neural_collapse(features, labels, simplex(), labels)["nc1"]
    assert found == pytest.approx(expected, rel=1e-6)


def test_angles_of_orthogonal_means() -> None:
    labels = np.repeat([0, 1], 3)
    features = np.array([[1.0, 0.0], [-1.0, 0.0]])[labels]
    assert neural_collapse(features, labels, np.eye(2), labels)["nc2_angles"] < 1e-12


def test_a_trained_network_collapses_further() -> None:
    data = load("gauss_mixture", train_size=90, test_size=10).train
    network = build(dense((2,), 3, width=20, depth=2))
    recipe = Recipe(optimiser="adam", learning_rate=0.01, epochs=150)
    before = collapse_of(network, data)
    train(network, data, recipe)
    after = collapse_of(network, data)
    assert after["nc1"] < before["nc1"]
    assert after["nc4"] < before["nc4"]


class LastRegisteredUnused(nn.Module):
    """A network whose last layer is registered before a layer that it does not call."""

    def __init__(self, plain: nn.Module) -> None:
        super().__init__()
        self.plain = plain
        self.auxiliary = nn.Linear(7, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.plain(inputs)
        return outputs


def test_the_last_layer_is_the_one_that_is_called_last() -> None:
    data = load("gauss_mixture", train_size=90, test_size=10).train
    network = build(dense((2,), 3, width=20, depth=2))
    expected = collapse_of(network, data)
    assert collapse_of(LastRegisteredUnused(network), data) == expected
    recurrent = nn.Sequential(nn.Unflatten(1, (2, 1)), nn.LSTM(1, 3), First())
    with pytest.raises(GengapError, match="a LSTM, has 2 of them: end in a linear layer"):
        collapse_of(recurrent, data)


class First(nn.Module):
    """Take the last of the outputs of a recurrent layer."""

    def forward(self, given: tuple[Tensor, Tensor]) -> Tensor:
        return given[0][:, -1]


def test_what_has_no_collapse_is_refused() -> None:
    features, labels = collapsed()
    with pytest.raises(GengapError, match="inputs of each of two or more classes"):
        neural_collapse(features, labels, np.ones((5, DIMENSION)), labels)
    with pytest.raises(GengapError, match="angles between them are not defined"):
        neural_collapse(np.ones_like(features), labels, simplex(), labels)
    data = load("moons", train_size=20, test_size=10).train
    with pytest.raises(GengapError, match="a last layer of 2 units"):
        collapse_of(build(dense((2,), 1, width=4, depth=1)), data)
