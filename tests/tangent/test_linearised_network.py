"""A linearised network trained by its weights, against training in dual form."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gengap.datasets import Split
from gengap.networks import build, weights_of
from gengap.tangent import (
    LinearisedNetwork,
    empirical_ntk,
    linearised_outputs,
    scalar_outputs,
    train_linearised,
)
from gengap.training import Recipe, train

RNG = np.random.default_rng(0)
INPUTS = RNG.standard_normal((12, 5)).astype(np.float32)
LABELS = RNG.integers(0, 2, 12)
DATA = Split(INPUTS, LABELS, 2)
HIDDEN = {"layer_name": "Dense", "units": 6, "activation": "tanh"}
LAST = {"layer_name": "Dense", "units": 1}


@pytest.mark.parametrize("from_zero", [False, True])
def test_sgd_on_the_weights_is_training_in_dual_form(from_zero: bool) -> None:
    network = build({"model_config": [HIDDEN, LAST], "input_shape": [5]})
    recipe = Recipe(epochs=4, batch_size=5, learning_rate=0.1, schedule={"name": "linear"})
    start = np.zeros(12) if from_zero else scalar_outputs(network, INPUTS)
    dual = train_linearised(4 * empirical_ntk(network, INPUTS), start, LABELS, recipe)
    linear = LinearisedNetwork(network, scale=2.0, from_zero=from_zero)
    result = train(linear, DATA, recipe, start=weights_of(linear))
    for row, other in zip(result.history, dual.history, strict=True):
        assert row["train_loss"] == pytest.approx(other["train_loss"], rel=1e-4)
    outputs = linear(torch.from_numpy(INPUTS))[:, 0].numpy(force=True)
    np.testing.assert_allclose(outputs, dual.outputs, rtol=1e-3, atol=1e-5)


def test_adam_on_a_network_that_is_linear_is_adam_on_its_linearisation() -> None:
    network = build({"model_config": [LAST], "input_shape": [5]})
    recipe = Recipe(optimiser="adam", learning_rate=0.05, epochs=5, batch_size=4)
    linear = LinearisedNetwork(network)
    train(linear, DATA, recipe, start=weights_of(linear))
    train(network, DATA, recipe, start=weights_of(network))
    expected, got = (one(torch.from_numpy(INPUTS)) for one in (network, linear))
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


def test_its_outputs_are_those_to_first_order() -> None:
    network = build({"model_config": [HIDDEN, LAST], "input_shape": [5]})
    linear = LinearisedNetwork(network)
    moved = {}
    with torch.no_grad():
        for name, value in network.named_parameters():
            moved[name] = torch.randn(value.shape, generator=torch.Generator().manual_seed(1))
            linear.weights[name.replace(".", "/")] += moved[name]
    expected = linearised_outputs(network, INPUTS, moved)
    got = linear(torch.from_numpy(INPUTS)).numpy(force=True)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
