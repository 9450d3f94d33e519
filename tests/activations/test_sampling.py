"""Streamed activations against all layers' outputs computed at once."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn

from gengap.activations import Sample, sample
from gengap.activations.sampling import _most_active
from gengap.activations.streaming import LayerStream
from gengap.errors import GengapError
from gengap.names import SAMPLINGS
from gengap.networks import build, convolutional, dense, observed_layers

IMAGE = (6, 5, 2)
INPUTS = 17


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return build(convolutional(IMAGE, 3, width=4, depth=2, dropout=0.5))


@pytest.fixture
def inputs() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((INPUTS, *IMAGE)).astype(np.float32)


def everything(network: nn.Module, inputs: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """(neurons, inputs) of all observed layers in Keras's order, and the layers' sizes."""
    outputs: list[Tensor] = []
    hooks = [
        module.register_forward_hook(lambda _m, _i, output: outputs.append(output))
        for _, module in observed_layers(network)
    ]
    with torch.no_grad():
        network.eval()(torch.from_numpy(inputs))
    for hook in hooks:
        hook.remove()
    rows = [
        (o.permute(2, 3, 1, 0).reshape(-1, len(inputs)) if o.ndim == 4 else o.T).numpy()
        for o in outputs
    ]
    return np.concatenate(rows), [len(part) for part in rows]


def take(network: nn.Module, inputs: np.ndarray, **changes: Any) -> Sample:
    arguments: dict[str, Any] = {
        "neurons": 20,
        "draws": 3,
        "rng": np.random.default_rng(5),
    } | changes
    return sample(network, inputs, **arguments)


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_rows_are_the_activations_of_their_neurons(
    network: nn.Module, inputs: np.ndarray, sampling: str
) -> None:
    found = take(network, inputs, sampling=sampling)
    expected, sizes = everything(network, inputs)
    assert found.population == len(expected)
    assert [size for _, size in found.layers] == sizes
    assert [name for name, _ in found.layers] == [n for n, _ in observed_layers(network)]
    assert found.activations.dtype == np.float32
    assert (np.diff(found.neurons) > 0).all()
    np.testing.assert_allclose(found.activations, expected[found.neurons], atol=1e-6)
    assert found.draws.shape == (3, 20)
    assert set(found.draws.ravel()) == set(range(len(found.neurons)))


def test_most_active_neuron_of_each_input(network: nn.Module, inputs: np.ndarray) -> None:
    expected, _ = everything(network, inputs)
    for batch_size in (1, 4, INPUTS):
        found = _most_active(LayerStream(network, inputs, batch_size=batch_size), INPUTS)
        np.testing.assert_array_equal(found, np.abs(expected).argmax(axis=0))


def test_of_equally_active_neurons_the_first_counts() -> None:
    network = build(
        {
            "model_config": [
                {"layer_name": "Dense", "units": 3},
                {"layer_name": "Dense", "units": 2},
            ],
            "input_shape": [1],
        }
    )
    first, second = (module for _, module in observed_layers(network))
    linears = [m for m in network.modules() if isinstance(m, nn.Linear)]
    assert first is not second
    with torch.no_grad():
        for linear in linears:
            linear.bias.zero_()
        linears[0].weight.copy_(torch.tensor([[1.0], [-2.0], [2.0]]))
        linears[1].weight.copy_(torch.tensor([[2.0, 0, 0], [0, 0, 0.25]]))
    inputs = np.array([[1.0], [-1.0], [0.0]], dtype=np.float32)
    found = _most_active(LayerStream(network, inputs), 3)
    np.testing.assert_array_equal(found, [1, 1, 0])


def test_a_neuron_that_always_leads_is_in_every_draw(
    network: nn.Module, inputs: np.ndarray
) -> None:
    leader = [m for m in network.modules() if isinstance(m, nn.Linear)][-1]
    with torch.no_grad():
        leader.bias[1] = 1e6
    found = take(network, inputs, neurons=5, draws=20)
    strongest = found.population - 2
    drawn = found.neurons[found.draws]
    assert drawn.shape == (20, 5)
    assert (drawn == strongest).any(axis=1).all()


@pytest.mark.parametrize("batch_size", [1, 5, 16, 100])
def test_does_not_depend_on_the_batch_size(
    network: nn.Module, inputs: np.ndarray, batch_size: int
) -> None:
    one, other = take(network, inputs), take(network, inputs, batch_size=batch_size)
    np.testing.assert_array_equal(one.neurons, other.neurons)
    np.testing.assert_array_equal(one.draws, other.draws)
    np.testing.assert_allclose(one.activations, other.activations, atol=1e-6)


def test_never_sees_more_inputs_at_once_than_the_batch(
    network: nn.Module, inputs: np.ndarray
) -> None:
    seen: list[int] = []
    network.register_forward_pre_hook(lambda _m, arguments: seen.append(len(arguments[0])))
    take(network, inputs, batch_size=4)
    assert max(seen) == 4
    # One input to measure the layers, then two passes.
    assert sum(seen) == 1 + 2 * INPUTS


def test_default_batch_keeps_the_largest_layer_below_the_budget(
    network: nn.Module, inputs: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, sizes = everything(network, inputs)
    monkeypatch.setattr("gengap.activations.streaming.SAMPLED_LAYER_BYTES", 3 * 4 * max(sizes) + 1)
    seen: list[int] = []
    network.register_forward_pre_hook(lambda _m, arguments: seen.append(len(arguments[0])))
    take(network, inputs)
    assert max(seen) == 3


def test_skipping_layers_leaves_out_the_first_ones(network: nn.Module, inputs: np.ndarray) -> None:
    expected, sizes = everything(network, inputs)
    found = take(network, inputs, skip_layers=1)
    assert found.population == sum(sizes[1:])
    np.testing.assert_allclose(found.activations, expected[sizes[0] :][found.neurons], atol=1e-6)


def test_fewer_neurons_than_asked_for_are_all_used_and_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    network = build(dense([4], 3, width=5, depth=1))
    inputs = np.random.default_rng(1).standard_normal((9, 4)).astype(np.float32)
    with caplog.at_level(logging.WARNING):
        found = take(network, inputs, neurons=100, draws=4)
    assert [record.message for record in caplog.records] == [
        f"The network has {found.population} neurons, not the 100 asked for."
    ]
    np.testing.assert_array_equal(found.draws, [range(found.population)] * 4)
    assert found.metadata()["requested"] == 100
    assert found.metadata()["used"] == found.metadata()["population"] == found.population
    assert found.metadata()["inputs"] == 9


def test_leaves_the_network_as_it_was(network: nn.Module, inputs: np.ndarray) -> None:
    for training in (True, False):
        network.train(training)
        before = {name: value.clone() for name, value in network.state_dict().items()}
        one, other = take(network, inputs), take(network, inputs)
        # With dropout left on, two samples would differ.
        np.testing.assert_array_equal(one.activations, other.activations)
        assert network.training is training
        assert all(torch.equal(before[n], v) for n, v in network.state_dict().items())
        assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_refuses_activations_that_are_not_finite_naming_the_layer(
    network: nn.Module, inputs: np.ndarray, bad: float, sampling: str
) -> None:
    name, _ = observed_layers(network)[1]
    convolution = [m for m in network.modules() if isinstance(m, nn.Conv2d)][1]
    assert convolution.bias is not None
    with torch.no_grad():
        convolution.bias[0] = bad
    with pytest.raises(GengapError, match=f"Layer {name} gives NaN or infinite activations"):
        take(network, inputs, sampling=sampling)
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"sampling": "importence"}, "Unknown sampling 'importence'"),
        ({"neurons": 0}, "neurons is 0"),
        ({"draws": 0}, "draws is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"skip_layers": -1}, "skip_layers is -1"),
        ({"skip_layers": 50}, "skip_layers is 50"),
    ],
)
def test_refuses_bad_arguments(
    network: nn.Module, inputs: np.ndarray, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(GengapError, match=sentence):
        take(network, inputs, **changes)


def test_refuses_no_inputs(network: nn.Module, inputs: np.ndarray) -> None:
    with pytest.raises(GengapError, match="no inputs"):
        take(network, inputs[:0])


def test_the_schema_names_the_same_samplings(root: Path) -> None:
    schema = yaml.safe_load((root / "workflow" / "schemas" / "config.schema.yaml").read_text())
    stated = schema["properties"]["activations"]["properties"]["sampling"]["enum"]
    assert tuple(stated) == SAMPLINGS
