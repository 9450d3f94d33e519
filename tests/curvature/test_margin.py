"""Distances to the boundary against the closed form of linear classifiers and a fine grid."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gengap.curvature.alignment import alignments, unit_gradients
from gengap.curvature.margin import aligned_points, boundary_search, estimate_margin
from gengap.datasets import load
from gengap.errors import GengapError
from gengap.networks import Network, build, dense, logits
from gengap.training import Recipe, train

RNG = np.random.default_rng


def linear(kernel: np.ndarray, bias: np.ndarray) -> Network:
    network = build(
        {
            "model_config": [{"layer_name": "Dense", "units": len(bias)}],
            "input_shape": [kernel.shape[1]],
        }
    )
    weight, offset = network.parameters()
    with torch.no_grad():
        weight.copy_(torch.from_numpy(kernel))
        offset.copy_(torch.from_numpy(bias))
    return network


@pytest.mark.parametrize(("classes", "dimension"), [(2, 2), (3, 2), (4, 10)])
def test_a_linear_classifier_has_the_distances_of_its_closed_form(
    classes: int, dimension: int
) -> None:
    rng = RNG(0)
    kernel, bias = rng.standard_normal((classes, dimension)), 0.1 * rng.standard_normal(classes)
    inputs = rng.standard_normal((25, dimension)).astype(np.float32)
    outputs = inputs @ kernel.T + bias
    own = outputs.argmax(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        gaps = outputs[np.arange(25), own][:, None] - outputs
        planes = gaps / np.linalg.norm(kernel[own][:, None] - kernel, axis=2)
    planes[np.arange(25), own] = np.inf
    found = boundary_search(linear(kernel, bias), inputs, rng)
    assert np.allclose(found.distances, planes.min(axis=1), rtol=1e-3, atol=1e-4)
    assert np.allclose(np.linalg.norm(found.points - inputs, axis=1), found.distances, atol=1e-6)


def test_one_output_has_its_boundary_at_zero() -> None:
    network = linear(np.array([[3.0, 4.0]]), np.array([1.0]))
    inputs = RNG(1).standard_normal((20, 2)).astype(np.float32)
    expected = np.abs(inputs @ [3.0, 4.0] + 1) / 5
    assert np.allclose(boundary_search(network, inputs, RNG(0)).distances, expected, atol=1e-3)


def moons_network() -> tuple[Network, np.ndarray]:
    data = load("moons", train_size=80, test_size=10).train
    network = build(dense((2,), 2, width=12, depth=2))
    train(network, data, Recipe(optimiser="adam", learning_rate=0.01, epochs=200, batch_size=40))
    return network, data.inputs


@pytest.mark.slow
def test_a_winding_boundary_is_found_as_near_as_on_a_fine_grid() -> None:
    network, inputs = moons_network()
    side = np.linspace(-2.5, 3.5, 601, dtype=np.float32)
    grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    with torch.no_grad():
        on_grid = logits(network, torch.from_numpy(grid)).argmax(1).numpy()
        own = logits(network, torch.from_numpy(inputs)).argmax(1).numpy()
    nearest = np.array(
        [
            np.linalg.norm(grid[on_grid != label] - point, axis=1).min()
            for point, label in zip(inputs, own, strict=True)
        ]
    )
    found = boundary_search(network, inputs, RNG(0)).distances
    spacing = side[1] - side[0]
    assert np.all(found < nearest + 0.02 * nearest + 1e-3)
    assert np.all(found > nearest - 1.5 * spacing)


def test_points_come_to_alignment_one_with_the_gradient_of_a_known_point() -> None:
    network, inputs = moons_network()
    vector = next(iter(unit_gradients(network, inputs[:1])))[1].numpy()[0]
    starts = inputs[:8] + np.float32(0.2)
    found = aligned_points(network, vector, starts, steps=200)
    assert np.abs(found.alignments).max() > 0.99
    again = alignments(network, found.points.astype(np.float32), vector[:, np.newaxis])[:, 0]
    assert np.allclose(again, found.alignments, atol=1e-4)
    before = np.abs(alignments(network, starts, vector[:, np.newaxis])[:, 0])
    assert np.all(np.abs(found.alignments) >= before - 1e-5)


def test_the_estimate_is_the_distance_to_the_extreme_inputs() -> None:
    network, inputs = moons_network()
    vector = next(iter(unit_gradients(network, inputs[:1])))[1].numpy()[0]
    found = estimate_margin(network, vector, inputs, inputs[:6], steps=100)
    aligned = alignments(network, inputs, vector[:, np.newaxis])[:, 0]
    assert found.extremes == (int(aligned.argmax()), int(aligned.argmin()))
    size = np.abs(found.aligned.alignments)
    reached = found.aligned.points[size >= size.max() - 0.01]
    expected = [
        min(np.linalg.norm(point - inputs[row]) for row in found.extremes) for point in reached
    ]
    assert np.allclose(found.margins, expected)
    assert found.margin == pytest.approx(np.median(expected))


def test_an_estimate_says_whether_a_point_reached_alignment_1() -> None:
    network, inputs = moons_network()
    gradient = next(iter(unit_gradients(network, inputs[:1])))[1].numpy()[0]
    assert estimate_margin(network, gradient, inputs, inputs[:1], steps=1).reached
    vector = RNG(0).standard_normal(len(gradient))
    vector /= np.linalg.norm(vector)
    assert not estimate_margin(network, vector, inputs, inputs[:1], steps=1).reached


def test_what_has_no_boundary_and_what_does_not_fit_is_refused() -> None:
    network = linear(np.zeros((2, 2)), np.array([1.0, 0.0]))
    inputs = RNG(0).standard_normal((5, 2)).astype(np.float32)
    with pytest.raises(GengapError, match="predicts one class for all inputs"):
        boundary_search(network, inputs, RNG(0))
    with pytest.raises(GengapError, match="give one number for each"):
        aligned_points(network, np.ones(5), inputs)
