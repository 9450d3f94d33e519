"""Running networks over data: batches, predicted classes, captured activations."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.networks import (
    Network,
    adopt,
    batch_size_for,
    batched_outputs,
    build,
    captured,
    class_logits,
    convolutional,
    evaluating,
    forward_hooks,
    input_batches,
    leaf_modules,
    logits,
    output_sizes,
    parameter_count,
    penultimate,
    predicted_classes,
    predictions,
)

SPEC = convolutional([4, 4, 1], 3, width=5, depth=1, dropout=0.5, batch_normalisation=True)
RNG = np.random.default_rng


@pytest.fixture
def network() -> Network:
    return build(SPEC)


@pytest.fixture
def images() -> np.ndarray:
    return RNG(0).standard_normal((11, 4, 4, 1)).astype(np.float32)


def linear(kernel: list[list[float]], bias: list[float]) -> nn.Linear:
    """A linear map of one input with a row of the kernel for each output."""
    module = nn.Linear(1, len(bias))
    with torch.no_grad():
        module.weight.copy_(torch.tensor(kernel))
        module.bias.copy_(torch.tensor(bias))
    return module


def widths(network: nn.Module) -> list[int]:
    """The sizes of the batches that go through a network from now on."""
    seen: list[int] = []

    def record(_module: nn.Module, arguments: tuple[Any, ...]) -> None:
        seen.append(len(arguments[0]))

    leaf_modules(network)[0].register_forward_pre_hook(record)
    return seen


@pytest.mark.parametrize("kind", ["split", "array", "tensor"])
@pytest.mark.parametrize("function", [logits, penultimate])
def test_batched_outputs_are_those_of_one_pass(
    kind: str,
    function: Callable[[nn.Module, Tensor], Tensor],
    network: Network,
    images: np.ndarray,
) -> None:
    tensor = torch.from_numpy(images)
    data: dict[str, Split | np.ndarray | Tensor] = {
        "split": Split(images, np.zeros(11, np.int64), 3),
        "array": images,
        "tensor": tensor,
    }
    seen = widths(network)
    found = batched_outputs(network, data[kind], function, batch_size=4)
    assert seen == [1, 4, 4, 3]  # the first measures the layers
    torch.testing.assert_close(found, function(network, tensor).detach())
    assert not found.requires_grad


def test_a_network_that_trains_runs_in_eval_mode_and_trains_on(
    network: Network, images: np.ndarray
) -> None:
    expected = batched_outputs(network, images)
    frozen = leaf_modules(network)[1]
    assert isinstance(frozen, nn.BatchNorm2d)
    network.train()
    frozen.eval()
    statistics = frozen.get_buffer("running_mean").clone()
    torch.testing.assert_close(batched_outputs(network, images), expected, rtol=0, atol=0)
    assert network.training
    assert not frozen.training
    torch.testing.assert_close(frozen.get_buffer("running_mean"), statistics, rtol=0, atol=0)


def test_modes_come_back_after_an_error(network: Network) -> None:
    network.train()

    def stop() -> None:
        with evaluating(network):
            assert not any(module.training for module in network.modules())
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        stop()
    assert all(module.training for module in network.modules())


def test_inputs_come_in_the_type_of_the_weights(network: Network, images: np.ndarray) -> None:
    expected = batched_outputs(network, images)
    assert expected.dtype == torch.float32
    found = batched_outputs(network.double(), images)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found.float(), expected)
    embedding = nn.Sequential(nn.Embedding(4, 3), nn.Flatten(), nn.Linear(6, 2))
    tokens = np.array([[0, 1], [2, 3]])
    assert batched_outputs(embedding, tokens).shape == (2, 2)


def test_batches_of_a_tensor_are_views(network: Network, images: np.ndarray) -> None:
    tensor = torch.from_numpy(images)
    batches = list(input_batches(network, tensor, 4))
    assert [rows for rows, _ in batches] == [slice(0, 4), slice(4, 8), slice(8, 11)]
    assert all(batch.data_ptr() == tensor[rows].data_ptr() for rows, batch in batches)


def test_no_inputs_are_refused(network: Network, images: np.ndarray) -> None:
    with pytest.raises(GengapError, match="no inputs to run the network on"):
        batched_outputs(network, images[:0])


@pytest.mark.parametrize("function", [output_sizes, penultimate])
def test_a_network_that_trains_is_not_changed(
    network: Network, images: np.ndarray, function: Callable[..., Any]
) -> None:
    network.train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    function(network, torch.from_numpy(images))
    assert network.training
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])


@pytest.mark.parametrize("kind", [list, pd.DataFrame])
def test_other_data_are_refused(kind: Callable[[Any], Any]) -> None:
    data = kind([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(GengapError, match=rf"are a {kind.__name__}: give an array"):
        batched_outputs(nn.Linear(2, 2), data)


def test_a_module_without_weights_is_refused(images: np.ndarray) -> None:
    with pytest.raises(GengapError, match="a Flatten, has no parameters of a floating type"):
        batched_outputs(nn.Flatten(), images)


class Odd(nn.Module):
    """Outputs are the first of two tensors; the layer that is registered last is not used."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(3, 2)
        self.states = nn.LSTM(4, 3, batch_first=True)
        self.spare = nn.Linear(2, 2)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        states, _ = self.states(inputs[..., 0])
        return self.last(states[:, -1]), states


def test_modules_that_are_no_networks_run_too(images: np.ndarray) -> None:
    module = Odd()
    inputs = torch.from_numpy(images)
    outputs, states = module(inputs)
    torch.testing.assert_close(batched_outputs(module, images, batch_size=4), outputs.detach())
    torch.testing.assert_close(batched_outputs(module, images, penultimate), states[:, -1].detach())
    assert predicted_classes(module, images).tolist() == outputs.argmax(1).tolist()
    # The states of 4 rows by 3, and the 2 outputs.
    assert output_sizes(module, inputs) == [11 * 4 * 3, 11 * 2]
    with captured([module.states]) as passages:
        module(inputs)
    torch.testing.assert_close(passages[module.states].output, states)


def test_features_that_are_no_rows_are_refused(images: np.ndarray) -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 2)

        def forward(self, inputs: Tensor) -> Tensor:
            outputs: Tensor = self.layer(inputs[..., 0].transpose(0, 1)).mean(0)
            return outputs

    with pytest.raises(GengapError, match="a Linear, does not take one row of features"):
        batched_outputs(Tokens(), images, penultimate)


def test_the_batch_shrinks_so_that_the_largest_layer_fits(
    network: Network, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The convolution: 5 channels of 4x4, in float32.
    largest = 5 * 4 * 4 * 4
    for budget, expected in [(largest - 1, 1), (3 * largest, 3), (100 * largest, 8)]:
        monkeypatch.setattr("gengap.networks.inference.LAYER_BYTES", budget)
        assert batch_size_for(network, images, 8) == expected
    monkeypatch.setattr("gengap.networks.inference.LAYER_BYTES", 6 * largest)
    assert batch_size_for(network.double(), images, 8) == 3
    # Of a network with small layers the inputs themselves count.
    wide = nn.Linear(100, 2)
    monkeypatch.setattr("gengap.networks.inference.LAYER_BYTES", 5 * 100 * 4)
    assert batch_size_for(wide, np.zeros((9, 100), np.float32)) == 5


def test_the_batch_shrinks_so_that_a_graph_fits(
    network: Network, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    with torch.no_grad():
        example = torch.from_numpy(images[:1])
        together = 4 * (example.numel() + sum(output_sizes(network, example)))
    monkeypatch.setattr("gengap.networks.inference.GRAPH_BYTES", 3 * together + 1)
    assert batch_size_for(network, images, 8, keeps_graph=True) == 3
    assert batch_size_for(network, images, 8) == 8
    monkeypatch.setattr("gengap.networks.inference.GRAPH_BYTES", 1)
    assert batch_size_for(network, images, 8, keeps_graph=True) == 1


def test_layers_are_measured_once_for_each_shape(images: np.ndarray) -> None:
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    seen = widths(pooled)
    for _ in range(3):
        batch_size_for(pooled, images)
    assert seen == [1]
    batch_size_for(pooled, np.zeros((2, 4, 8, 8), np.float32))
    assert seen == [1, 1]


def test_sizes_are_those_of_the_modules_outputs(network: Network, images: np.ndarray) -> None:
    inputs = torch.from_numpy(images)
    # Convolution, normalisation and ReLU of 5x4x4, pooling and dropout of 5x2x2, flat, 3 logits.
    assert output_sizes(network, inputs) == [11 * n for n in (80, 80, 80, 20, 20, 20, 3)]


@pytest.mark.parametrize(("outputs", "expected"), [(1, [0, 0, 1, 1]), (3, [0, 0, 1, 2])])
def test_predicted_classes_are_the_largest_output_or_the_sign(
    outputs: int, expected: list[int]
) -> None:
    network = linear([[1.0], [2.0], [3.0]][:outputs], [0.0, 0.0, -0.5][:outputs])
    inputs = np.array([[-2.0], [-1.0], [0.25], [2.0]], np.float32)
    assert predicted_classes(network, inputs, batch_size=3).tolist() == expected


def test_one_output_stands_for_the_logits_of_two_classes() -> None:
    single = torch.tensor([[-1.5], [0.0], [2.0]], requires_grad=True)
    both = class_logits(single)
    assert both.tolist() == [[0.0, -1.5], [0.0, 0.0], [0.0, 2.0]]
    torch.testing.assert_close(both.softmax(1)[:, 1:], torch.sigmoid(single))
    assert predictions(single).tolist() == predictions(both).tolist() == [0, 0, 1]
    assert class_logits(both) is both


def test_captured_passages_are_inputs_and_outputs_with_their_graph(images: np.ndarray) -> None:
    network = build(convolutional([4, 4, 1], 3, width=5, depth=1))
    layers = leaf_modules(network)
    inputs = torch.from_numpy(images)
    with captured(layers) as passages:
        outputs = logits(network, inputs)
    assert list(passages) == layers
    first, *_, last = layers
    torch.testing.assert_close(passages[first].input.permute(0, 2, 3, 1), inputs)
    assert passages[last].output is outputs
    for before, after in itertools.pairwise(layers):
        assert passages[before].output is passages[after].input
    (slope,) = torch.autograd.grad(outputs[:, 1].sum(), passages[last].input)
    assert isinstance(last, nn.Linear)
    torch.testing.assert_close(slope, last.weight[1].expand(11, -1))
    assert not any(layer._forward_hooks for layer in layers)


def test_a_hook_may_replace_an_output_and_goes_even_after_an_error(images: np.ndarray) -> None:
    network = build(convolutional([4, 4, 1], 3, width=5, depth=1))
    first = leaf_modules(network)[0]
    inputs = torch.from_numpy(images)
    expected = logits(network, inputs)

    def vanish(_module: nn.Module, _arguments: tuple[Any, ...], output: Tensor) -> Tensor:
        return torch.zeros_like(output)

    with forward_hooks([first], vanish):
        outputs = logits(network, inputs)
        torch.testing.assert_close(outputs, outputs[:1].expand(11, -1), rtol=0, atol=0)
    with pytest.raises(GengapError, match="takes inputs of shape"), forward_hooks([first], vanish):
        logits(network, inputs[:, :2])
    torch.testing.assert_close(logits(network, inputs), expected, rtol=0, atol=0)


def test_parameters_are_counted_with_biases_and_normalisation(network: Network) -> None:
    convolution, normalisation, last = 5 * 9 + 5, 5 + 5, 3 * 5 * 4 + 3
    assert parameter_count(network) == convolution + normalisation + last


@pytest.mark.parametrize(("last", "units"), [(nn.Softmax(1), 3), (nn.Sigmoid(), 1)])
def test_probabilities_are_not_taken_for_logits(last: nn.Module, units: int) -> None:
    inputs = torch.ones(2, 4)
    inside = nn.Sequential(nn.Linear(4, 3), last, nn.Linear(3, 2))
    assert torch.equal(logits(inside, inputs), inside(inputs))
    before = nn.Linear(4, units)
    with pytest.raises(GengapError, match=f"ends in a {type(last).__name__}, so it returns no log"):
        logits(nn.Sequential(before, last), inputs)
    adopted = adopt(nn.Sequential(before, last), inputs.numpy())
    torch.testing.assert_close(logits(adopted, inputs), before(inputs))
