"""Training in dual form against training in the weights, closed forms and finite differences."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from tests.tangent.conftest import layers, loop_jacobian, points, seeded

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.networks import Network
from gengap.seeding import torch_generator
from gengap.tangent import (
    HeldOut,
    empirical_ntk,
    gradient_flow,
    linearised_outputs,
    ridge_regression,
    scalar_outputs,
    signs,
    train_linearised,
)
from gengap.training import Recipe, train

RECIPE = Recipe(
    loss="cross_entropy", learning_rate=0.02, momentum=0.9, batch_size=7, epochs=4, seed=5,
    initialisation="torch",
)  # fmt: skip


def linear_network() -> Network:
    return seeded(layers({"layer_name": "Dense", "units": 1}, input_shape=(6,)))


def labelled(network: Network, count: int = 30, seed: int = 0) -> Split:
    inputs = points(network, count, seed)
    return Split(inputs, (inputs.reshape(count, -1)[:, 0] > 0).astype(np.int64), 2)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"loss": "mse", "learning_rate": 0.005},
        {"loss": "hinge", "nesterov": True},
        {"schedule": {"name": "cosine"}, "momentum": 0.0},
        {"schedule": {"name": "step", "every": 2}},
    ],
)
def test_a_model_linear_in_its_weights_is_trained_alike(changes: dict[str, Any]) -> None:
    recipe = replace(RECIPE, **changes)
    network = linear_network()
    data, held = labelled(network), labelled(network, 11, seed=1)
    start = {name: value.clone() for name, value in network.state_dict().items()}
    result = train_linearised(
        empirical_ntk(network, data.inputs, double=True),
        scalar_outputs(network, data.inputs),
        data.labels,
        recipe,
        held=HeldOut(
            empirical_ntk(network, held.inputs, data.inputs),
            scalar_outputs(network, held.inputs),
            held.labels,
        ),
    )
    expected = train(network, data, recipe, start=start)
    np.testing.assert_allclose(result.outputs, scalar_outputs(network, data.inputs), atol=1e-4)
    for mine, theirs in zip(result.history, expected.history, strict=True):
        for key in ("epoch", "train_loss", "train_accuracy", "learning_rate"):
            assert mine[key] == pytest.approx(theirs[key], abs=1e-5), key
    found = (scalar_outputs(network, held.inputs) > 0) == held.labels
    assert result.history[-1]["test_accuracy"] == pytest.approx(found.mean())


def test_a_network_is_linearised_as_its_explicit_tangent_model_is(small: Network) -> None:
    """Momentum on theta, with the gradients of each input in memory, against the dual form."""
    data = labelled(small, 20)
    jacobian = loop_jacobian(small, data.inputs, [0])[:, 0]
    start = scalar_outputs(small, data.inputs)
    result = train_linearised(empirical_ntk(small, data.inputs), start, data.labels, RECIPE)
    weights = torch.zeros(jacobian.shape[1], dtype=torch.float64, requires_grad=True)
    steps = torch.optim.SGD([weights], lr=RECIPE.learning_rate, momentum=RECIPE.momentum)
    order = torch_generator(RECIPE.seed, "order")
    for _ in range(RECIPE.epochs):
        for batch in torch.split(torch.randperm(20, generator=order), RECIPE.inputs_per_step(20)):
            outputs = torch.from_numpy(start + jacobian @ weights.detach().numpy())[batch]
            targets = torch.from_numpy(data.labels[batch]).double()
            slope = (torch.sigmoid(outputs) - targets) / len(batch)
            weights.grad = torch.from_numpy(jacobian[batch].T @ slope.numpy())
            steps.step()
    displacement = weights.detach().numpy()
    np.testing.assert_allclose(result.outputs, start + jacobian @ displacement, rtol=1e-4)
    np.testing.assert_allclose(jacobian.T @ result.coefficients, displacement, atol=1e-5)


def test_training_stops_at_the_target(small: Network) -> None:
    data = labelled(small, 20)
    kernel, start = empirical_ntk(small, data.inputs), scalar_outputs(small, data.inputs)
    full = train_linearised(kernel, start, data.labels, RECIPE).history
    target = replace(RECIPE, stop_at_loss=full[1]["train_loss"])
    assert train_linearised(kernel, start, data.labels, target).history == full[:2]


def test_finite_differences_approach_the_linearisation(small: Network) -> None:
    inputs = points(small, 6)
    network = small.double()
    rng = torch.Generator().manual_seed(0)
    direction = {
        name: torch.randn(value.shape, generator=rng, dtype=torch.float64)
        for name, value in network.named_parameters()
    }
    start = linearised_outputs(network, inputs, {k: 0 * v for k, v in direction.items()})[:, 0]
    np.testing.assert_allclose(start, scalar_outputs(network, inputs))
    errors = []
    for step in (1e-3, 1e-4):
        moved = linearised_outputs(network, inputs, {k: step * v for k, v in direction.items()})
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                parameter.add_(step * direction[name])
        errors.append(np.abs(scalar_outputs(network, inputs) - moved[:, 0]).max())
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                parameter.sub_(step * direction[name])
    assert errors[1] < errors[0] / 50  # second order: a hundredth
    # The last step, of 1e-4, moves the outputs by far more than its error.
    assert errors[1] < 1e-2 * np.abs(moved[:, 0] - start).max()


def test_gradient_descent_follows_the_flow_and_ends_at_ridge_regression() -> None:
    network = seeded(
        layers(
            {"layer_name": "Dense", "units": 200, "activation": "tanh"},
            {"layer_name": "Dense", "units": 1},
            input_shape=(6,),
        )
    )
    data = labelled(network, 12)
    kernel = empirical_ntk(network, data.inputs, double=True)
    start = scalar_outputs(network, data.inputs)
    rate = 0.02 * 12 / float(scipy.linalg.eigvalsh(kernel)[-1])
    recipe = Recipe(loss="mse", learning_rate=rate, momentum=0.0, batch_size=12, epochs=40, seed=0)
    result = train_linearised(kernel, start, data.labels, recipe)
    residuals = signs(data.labels) - start
    flow = gradient_flow(kernel, residuals, time=40 * rate)
    np.testing.assert_allclose(result.coefficients, flow, atol=0.05 * np.abs(flow).max())
    np.testing.assert_allclose(gradient_flow(kernel, residuals, 0.0), 0.0)
    end = gradient_flow(kernel, residuals, 1e12)
    np.testing.assert_allclose(ridge_regression(kernel, residuals, 1e-9), end, rtol=1e-4)
    np.testing.assert_allclose(kernel @ end, residuals, atol=1e-6)
    ridge = 3.0
    values, vectors = np.linalg.eigh(kernel)
    expected = vectors @ ((vectors.T @ residuals) / (values + ridge))
    np.testing.assert_allclose(ridge_regression(kernel, residuals, ridge), expected, rtol=1e-8)


def test_the_flow_along_a_dead_direction_goes_on_at_its_first_speed() -> None:
    kernel = np.diag([2.0, 0.0])
    flow = gradient_flow(kernel, np.array([1.0, 3.0]), time=0.7)
    np.testing.assert_allclose(flow, [(1 - np.exp(-1.4)) / 2, 0.7 * 3])


KERNEL, START, LABELS = np.eye(4), np.zeros(4), np.array([0, 1, 0, 1])


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: train_linearised(KERNEL, START, LABELS, Recipe(optimiser="adam")),
         "optimiser is 'adam', which training in dual form cannot do"),
        (lambda: train_linearised(KERNEL, START, LABELS, Recipe(weight_decay=0.1)),
         "weight_decay is 0.1"),
        (lambda: train_linearised(KERNEL, START, LABELS, Recipe(augmentation=("flip",))),
         "augmentation"),
        (lambda: train_linearised(KERNEL, START, LABELS, Recipe(label_corruption=0.1)),
         "label_corruption"),
        (lambda: train_linearised(KERNEL, START[:3], LABELS, Recipe()), "do not belong together"),
        (lambda: train_linearised(KERNEL[:3], START, LABELS, Recipe()), "do not belong together"),
        (lambda: train_linearised(KERNEL, START, LABELS + 1, Recipe()), "labels 0 and 1 alone"),
        (lambda: train_linearised(1e9 * KERNEL, START, LABELS,
                                  Recipe(loss="mse", momentum=0.0, epochs=60)),
         "linearised network diverged after epoch .* lower the recipe's learning_rate"),
        (lambda: ridge_regression(KERNEL, START, 0.0), "The ridge is 0.0"),
        (lambda: ridge_regression(-KERNEL, START, 0.1), "plus the ridge 0.1 is not positive"),
        (lambda: gradient_flow(-KERNEL, START, 1.0), "not positive semi-definite"),
        (lambda: gradient_flow(KERNEL, START, -1.0), "The time is -1.0"),
    ],
)  # fmt: skip
def test_what_cannot_be_trained_is_refused(call: Any, sentence: str) -> None:
    with pytest.raises(GengapError, match=sentence):
        call()
