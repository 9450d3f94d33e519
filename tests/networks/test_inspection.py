"""Weight layers, observed layers, logits and penultimate features."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gengap import names
from gengap.errors import GengapError
from gengap.networks import (
    ARCHITECTURES,
    build,
    convolutional,
    logits,
    observed_layers,
    penultimate,
    weight_layers,
)

IMAGE = [8, 8, 2]
SPECS: dict[str, dict[str, Any]] = {
    name: {"architecture": name, "input_shape": IMAGE, "classes": 3} for name in ARCHITECTURES
}
for name, keywords in names.ARCHITECTURES.items():
    if name.startswith(("resnet", "vgg")):
        SPECS[name]["width"] = 4
    if "growth" in keywords:
        SPECS[name]["growth"] = 4
SPECS["lenet_10_20_50"]["input_shape"] = [16, 16, 2]
SPECS["masked_dense"] |= {"width": 6, "depth": 2}
SPECS["convolutional"] = convolutional(IMAGE, 3, width=4, depth=2, batch_normalisation=True)


@pytest.fixture
def inputs(request: pytest.FixtureRequest) -> Tensor:
    """Images of the shape that the test's network takes."""
    of_test = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    shape = SPECS[of_test["name"]]["input_shape"] if "name" in of_test else IMAGE
    return torch.rand(5, *shape, generator=torch.Generator().manual_seed(0))


def calls(network: nn.Module, modules: list[tuple[str, nn.Module]], inputs: Tensor) -> list[str]:
    """Names of the modules in the order in which a forward pass calls them."""
    seen: list[str] = []
    for name, module in modules:
        module.register_forward_hook(lambda *_, name=name: seen.append(name))
    with torch.no_grad():
        network(inputs)
    return seen


@pytest.mark.parametrize("name", SPECS)
def test_layers_come_in_forward_order_each_once(name: str, inputs: Tensor) -> None:
    for of in (weight_layers, observed_layers):
        network = build(SPECS[name])
        modules: list[tuple[str, nn.Module]] = list(of(network))
        assert calls(network, modules, inputs) == [given for given, _ in modules]


@pytest.mark.parametrize("name", SPECS)
def test_observed_layers_are_named_after_weight_layers(name: str) -> None:
    network = build(SPECS[name])
    assert {given for given, _ in observed_layers(network)} <= {
        given for given, _ in weight_layers(network)
    }


def test_observed_output_is_that_of_the_keras_layer(inputs: Tensor) -> None:
    """After the layer's own activation keyword, before a BatchNormalization layer."""
    network = build(
        {
            "model_config": [
                {"layer_name": "Conv2D", "filters": 2, "kernel_size": 3, "activation": "relu"},
                {"layer_name": "BatchNormalization"},
                {"layer_name": "Dense", "units": 4},
                {"layer_name": "ReLU"},
                {"layer_name": "Flatten"},
                {"layer_name": "Dense", "units": 3, "activation": "softmax"},
            ],
            "input_shape": IMAGE,
        }
    )
    seen: dict[str, Tensor] = {}
    for name, module in observed_layers(network):
        module.register_forward_hook(lambda *given, name=name: seen.update({name: given[-1]}))
    outputs = network(inputs)
    convolution = dict(weight_layers(network))["conv2d_0"]
    by_hand = convolution(inputs.permute(0, 3, 1, 2)).relu()
    torch.testing.assert_close(seen["conv2d_0"], by_hand)
    assert seen["dense_2"].shape == (5, 4, 6, 6)
    assert (seen["dense_2"] < 0).any()
    torch.testing.assert_close(seen["dense_5"], outputs)


def test_resnet_observes_each_convolution_of_the_main_path_and_the_output() -> None:
    names = [name for name, _ in observed_layers(build(SPECS["resnet18"]))]
    assert len(names) == 18
    assert names[0] == "stem"
    assert names[-1] == "dense"
    assert len(weight_layers(build(SPECS["resnet18"]))) == 21


@pytest.mark.parametrize(
    "ending",
    [
        [{"layer_name": "Dense", "units": 3, "activation": "softmax"}],
        [{"layer_name": "Dense", "units": 3}, {"layer_name": "Softmax"}],
        [
            {"layer_name": "Dense", "units": 3},
            {"layer_name": "Activation", "activation": "softmax"},
        ],
    ],
)
def test_logits_are_what_the_softmax_is_taken_of(
    ending: list[dict[str, Any]], inputs: Tensor
) -> None:
    network = build({"model_config": [{"layer_name": "Flatten"}, *ending], "input_shape": IMAGE})
    before = logits(network, inputs)
    torch.testing.assert_close(before.softmax(1), network(inputs))
    _, linear = weight_layers(network)[-1]
    torch.testing.assert_close(before, linear(penultimate(network, inputs)))


@pytest.mark.parametrize("name", SPECS)
def test_logits_without_softmax_are_the_outputs(name: str, inputs: Tensor) -> None:
    network = build(SPECS[name])
    torch.testing.assert_close(logits(network, inputs), network(inputs), rtol=0, atol=0)
    _, linear = weight_layers(network)[-1]
    torch.testing.assert_close(linear(penultimate(network, inputs)), network(inputs))


def test_penultimate_of_a_convolution_is_in_the_order_of_the_image(inputs: Tensor) -> None:
    network = build(
        {
            "model_config": [
                {"layer_name": "Conv2D", "filters": 3, "kernel_size": 3, "padding": "same"},
                {"layer_name": "GlobalAveragePooling2D"},
            ],
            "input_shape": IMAGE,
        }
    )
    torch.testing.assert_close(penultimate(network, inputs), inputs.flatten(1))
    assert not weight_layers(network)[-1][1]._forward_hooks


def test_flatten_keeps_the_order_of_keras(inputs: Tensor) -> None:
    network = build(
        {
            "model_config": [{"layer_name": "Flatten"}, {"layer_name": "Dense", "units": 1}],
            "input_shape": IMAGE,
        }
    )
    torch.testing.assert_close(penultimate(network, inputs), inputs.reshape(5, -1))


def test_a_foreign_module_has_no_known_layers_to_observe() -> None:
    with pytest.raises(GengapError, match=r"Linear.*gengap\.networks\.adopt"):
        observed_layers(nn.Linear(2, 2))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow)
        if name.startswith(
            ("densenet", "inception", "resnet101", "resnet152", "resnet50", "vgg", "preact")
        )
        else name
        for name in SPECS
    ],
)
def test_per_sample_gradients_equal_a_loop(name: str, inputs: Tensor) -> None:
    """torch.func's vmap goes through every architecture (float64: rounding decides nothing)."""
    network = build(SPECS[name]).double()
    inputs = inputs.double()
    parameters = {key: value.detach() for key, value in network.named_parameters()}

    def first_output(weights: dict[str, Tensor], one: Tensor) -> Tensor:
        outputs: Tensor = torch.func.functional_call(network, weights, (one[None],))
        return outputs[0, 0]

    batched = torch.func.vmap(torch.func.grad(first_output), (None, 0))(parameters, inputs)
    for index in range(len(inputs)):
        network.zero_grad()
        network(inputs[index : index + 1])[0, 0].backward()
        for key, parameter in network.named_parameters():
            assert parameter.grad is not None
            torch.testing.assert_close(batched[key][index], parameter.grad)
