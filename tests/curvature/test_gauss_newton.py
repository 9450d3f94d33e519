"""G_theta from the Gram matrix against the dense Gauss-Newton matrix."""

from __future__ import annotations

import numpy as np
import pytest

from gengap.curvature import ggn
from gengap.curvature.alignment import g_theta
from gengap.curvature.gauss_newton import gauss_newton_g_theta
from gengap.datasets import load
from gengap.networks import build, convolutional, dense
from gengap.training import Recipe, train


@pytest.mark.parametrize(("name", "outputs"), [("moons", 1), ("moons", 2), ("gauss_mixture", 3)])
def test_it_is_that_of_the_dense_matrix(name: str, outputs: int) -> None:
    data = load(name, train_size=25, test_size=10).train
    network = build(dense((2,), outputs, width=7, depth=2))
    train(network, data, Recipe(optimiser="adam", learning_rate=0.01, epochs=30))
    found = gauss_newton_g_theta(network, data.inputs, np.random.default_rng(0))
    network.double()
    matrix = ggn(network, "cross_entropy", data, dtype="float64").dense()
    values, vectors = np.linalg.eigh(matrix)
    kept = values > 1e-7 * values[-1]
    top = vectors[:, kept][:, ::-1]
    expected = g_theta(network, data.inputs, top, np.random.default_rng(0))
    assert found.threshold == pytest.approx(expected.threshold, rel=1e-4)
    assert np.allclose(found.largest[: kept.sum()], expected.largest, atol=5e-3)
    others = g_theta(network, data.inputs, vectors[:, ~kept], np.random.default_rng(0))
    assert abs(found.count - expected.count - others.count) <= 2


def test_an_image_network_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    data = load("digits", train_size=12, balanced=True).train
    network = build(convolutional((8, 8, 1), 10, width=4, depth=2, batch_normalisation=True))
    found = gauss_newton_g_theta(network, data.inputs, np.random.default_rng(0))
    assert 0 < found.count <= 12 * 9
    assert found.fraction == found.count / sum(p.numel() for p in network.parameters())
    monkeypatch.setattr("gengap.curvature.per_sample.GRADIENT_BATCH_BYTES", 1 << 15)
    again = gauss_newton_g_theta(network, data.inputs, np.random.default_rng(0))
    assert np.allclose(found.largest[:50], again.largest[:50], atol=1e-3)


def test_equal_inputs_count_once() -> None:
    network = build(dense((2,), 2, width=5, depth=1))
    inputs = np.ones((6, 2), np.float32)
    found = gauss_newton_g_theta(network, inputs, np.random.default_rng(0))
    assert found.count == 1
    assert found.largest[0] == pytest.approx(1, abs=1e-4)
