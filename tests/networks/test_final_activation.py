"""Networks of one output: what its last function means for class, loss and curvature."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gengap.curvature import hessian
from gengap.datasets import Split
from gengap.networks import Network, build, predicted_classes
from gengap.training import loss_and_accuracy

SLOPE = 4.0
ONE: dict[str, Any] = {"layer_name": "Dense", "units": 1}
SIGMOID: dict[str, list[dict[str, Any]]] = {
    "own activation": [{**ONE, "activation": "sigmoid"}],
    "a layer": [ONE, {"layer_name": "Activation", "activation": "sigmoid"}],
    "a logit": [ONE],
}


@pytest.fixture(scope="module")
def data() -> Split:
    inputs = np.random.default_rng([27, 0]).standard_normal((200, 2)).astype(np.float32)
    return Split(inputs, (inputs[:, 0] > 0).astype(np.int64), 2)


def network_of(layers: list[dict[str, Any]], kernel: list[list[float]]) -> Network:
    network = build({"model_config": layers, "input_shape": [2]})
    (linear,) = (module for module in network.modules() if isinstance(module, nn.Linear))
    assert linear.bias is not None
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(kernel))
        linear.bias.zero_()
    return network


def largest_eigenvalue(network: Network, data: Split) -> float:
    operator = hessian(network, "cross_entropy", data, dtype="float64")
    return float(np.linalg.eigvalsh(operator.dense()).max())


@pytest.mark.parametrize("layers", SIGMOID.values(), ids=SIGMOID)
def test_a_sigmoid_of_one_output_is_the_logistic_model(
    layers: list[dict[str, Any]], data: Split
) -> None:
    network = network_of(layers, [[SLOPE, 0.0]])
    loss, accuracy = loss_and_accuracy(network, data)
    inputs = data.inputs.astype(np.float64)
    margins = SLOPE * np.abs(inputs[:, 0])
    assert accuracy == 1.0
    assert loss == pytest.approx(np.log1p(np.exp(-margins)).mean(), rel=1e-6)
    np.testing.assert_array_equal(predicted_classes(network, data), data.labels)
    # The Hessian is the mean of p (1 - p) times the outer product of (x, 1) with itself.
    design = np.column_stack([inputs, np.ones(len(inputs))])
    variance = 1 / (2 + np.exp(margins) + np.exp(-margins))
    dense = design.T @ (variance[:, None] * design) / len(inputs)
    largest = np.linalg.eigvalsh(dense).max()
    assert largest_eigenvalue(network, data) == pytest.approx(largest, rel=1e-6)


def test_two_outputs_give_the_same_loss_and_twice_the_curvature(data: Split) -> None:
    """Logits (-z/2, z/2): their Hessian is [[H, -H], [-H, H]], with eigenvalues 2 and 0 of H."""
    one = network_of(SIGMOID["own activation"], [[SLOPE, 0.0]])
    layers = [{"layer_name": "Dense", "units": 2, "activation": "softmax"}]
    two = network_of(layers, [[-SLOPE / 2, 0.0], [SLOPE / 2, 0.0]])
    assert loss_and_accuracy(one, data) == pytest.approx(loss_and_accuracy(two, data), rel=1e-6)
    assert largest_eigenvalue(two, data) == pytest.approx(
        2 * largest_eigenvalue(one, data), rel=1e-6
    )


def test_a_tanh_of_one_output_is_the_logit(data: Split) -> None:
    network = network_of([{**ONE, "activation": "tanh"}], [[SLOPE, 0.0]])
    assert network.final_activation is None
    logit = np.tanh(SLOPE * data.inputs[:, 0].astype(np.float64))
    signs = 2 * data.labels - 1
    loss, accuracy = loss_and_accuracy(network, data)
    assert accuracy == 1.0
    assert loss == pytest.approx(np.log1p(np.exp(-signs * logit)).mean(), rel=1e-6)
    squared, _ = loss_and_accuracy(network, data, "mse")
    assert squared == pytest.approx(((logit - signs) ** 2).mean(), rel=1e-5)


def test_several_sigmoids_are_divided_by_their_sum(data: Split) -> None:
    """So does Keras in its cross-entropy of classes."""
    layers = [{"layer_name": "Dense", "units": 2, "activation": "sigmoid"}]
    network = network_of(layers, [[-SLOPE, 0.5], [SLOPE, 0.0]])
    with torch.no_grad():
        probabilities = network(torch.from_numpy(data.inputs)).double().numpy()
    shares = probabilities / probabilities.sum(axis=1, keepdims=True)
    loss, accuracy = loss_and_accuracy(network, data)
    rows = np.arange(len(data.labels))
    assert loss == pytest.approx(-np.log(shares[rows, data.labels]).mean(), rel=1e-5)
    assert accuracy == np.mean(shares.argmax(axis=1) == data.labels)
