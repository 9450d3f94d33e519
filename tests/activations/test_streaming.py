"""Activations of layers of every shape and type against the layers' outputs taken by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gengap.activations import node_activations
from gengap.activations.streaming import LayerStream
from gengap.errors import GengapError
from gengap.networks import Network, adopt

BATCH = 5
Arranged = Callable[[Tensor], Tensor]


class Own(Network):
    """A network of the user's own, whose layer gives whatever ``make`` makes of its input."""

    def __init__(self, make: Callable[[Tensor], Any], calls: int = 1) -> None:
        super().__init__((4,))
        self.first = nn.Linear(4, 6)
        self.layer = Made(make)
        self.calls = calls
        self.outputs = 6
        self.observed = {"first": "first", "made": "layer"}

    def logits(self, inputs: Tensor) -> Tensor:
        values: Tensor = self.first(inputs)
        for _ in range(self.calls):
            self.layer(values)
        return values


class Made(nn.Module):
    def __init__(self, make: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.make = make

    def forward(self, values: Tensor) -> Any:
        return self.make(values)


def vectors(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((BATCH, *shape)).astype(np.float32)


def neurons_of(network: Network, inputs: np.ndarray, **keywords: Any) -> np.ndarray:
    """All neurons of all layers, (neurons, inputs), in their order."""
    stream = LayerStream(network, inputs, **keywords)
    rows = [np.empty((size, len(inputs)), np.float32) for _, size in stream.layers]

    def visit(layer: int, batch: slice, activations: np.ndarray) -> None:
        assert activations.dtype == np.float32
        rows[layer][:, batch] = activations.T

    stream.visit(visit)
    return np.concatenate(rows)


def last_layer(make: Callable[[Tensor], Any]) -> np.ndarray:
    torch.manual_seed(0)
    return neurons_of(Own(make), vectors(4), skip_layers=1, batch_size=2)


def outputs_of_first() -> Tensor:
    torch.manual_seed(0)
    with torch.no_grad():
        values: Tensor = nn.Linear(4, 6)(torch.from_numpy(vectors(4)))
    return values


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda v: v.double(), lambda v: v),
        (lambda v: v.half(), lambda v: v.half()),
        (lambda v: v.bfloat16(), lambda v: v.bfloat16()),
        (lambda v: (10 * v).to(torch.int64), lambda v: (10 * v).trunc()),
        (lambda v: (10 * v).to(torch.int8), lambda v: (10 * v).trunc()),
        (lambda v: v > 0, lambda v: v > 0),
        (lambda v: (v, v[:2]), lambda v: v),
        (lambda v: [None, (2 * v,)], lambda v: 2 * v),
        (lambda v: v[:, 0], lambda v: v[:, :1]),
        # Channels first: a place's channels are together.
        (lambda v: v.reshape(-1, 2, 3, 1), lambda v: v[:, [0, 3, 1, 4, 2, 5]]),
    ],
)
def test_outputs_of_any_type_and_rank_are_neurons(make: Arranged, expected: Arranged) -> None:
    np.testing.assert_allclose(
        last_layer(make), expected(outputs_of_first()).float().T.numpy(), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda v: v[:1], r"Layer made gives outputs of shape \(1, 6\) for 2 inputs: observe"),
        (lambda v: v.repeat(3, 1, 1), r"shape \(3, 1, 6\) for 1 inputs: .*batch_first"),
        (lambda v: v[:, :0], r"shape \(1, 0\) for 1 inputs"),
        (lambda v: v.sum(), r"shape \(\) for 1 inputs"),
        (lambda v: v + 1j, "gives a tensor of torch.complex64: observe modules that give real"),
        (lambda v: {"hidden": v}, "gives a dict: observe modules"),
        (lambda _: None, "gives a NoneType"),
        (lambda v: v.double() * 1e300, "Layer made gives NaN or infinite activations"),
    ],
)
def test_refuses_outputs_that_are_no_neurons(make: Arranged, sentence: str) -> None:
    with pytest.raises(GengapError, match=sentence):
        last_layer(make)


@pytest.mark.parametrize(
    ("calls", "sentence"), [(0, "does not run when the network does"), (2, "runs more than once")]
)
def test_refuses_a_layer_that_does_not_run_once(calls: int, sentence: str) -> None:
    with pytest.raises(GengapError, match=f"Layer made {sentence}"):
        neurons_of(Own(nn.Identity(), calls), vectors(4))


def by_hand(module: nn.Module, inputs: Tensor, path: str) -> Tensor:
    """The first tensor that a part of a module gives."""
    outputs: list[Any] = []
    part = module.get_submodule(path)
    handle = part.register_forward_hook(lambda _m, _i, output: outputs.append(output))
    with torch.no_grad():
        module.eval()(inputs)
    handle.remove()
    tensor: Tensor = outputs[-1][0] if isinstance(outputs[-1], tuple) else outputs[-1]
    return tensor


class Text(nn.Module):
    """An LSTM over a sequence, whose last step is classified."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.batch_first = batch_first
        self.embedding = nn.Embedding(11, 7)
        self.lstm = nn.LSTM(7, 5, batch_first=batch_first)
        self.head = nn.Linear(5, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        values = self.embedding(tokens)
        if self.batch_first:
            head: Tensor = self.head(self.lstm(values)[0][:, -1])
        else:
            head = self.head(self.lstm(values.transpose(0, 1))[0][-1])
        return head


@pytest.mark.parametrize("batch_first", [True, False])
def test_an_lstm_gives_its_first_tensor_step_by_step(batch_first: bool) -> None:
    tokens = np.random.default_rng(1).integers(0, 11, (BATCH, 6))
    module = Text(batch_first).eval()
    steps = by_hand(module, torch.from_numpy(tokens), "lstm")
    steps = steps if batch_first else steps.transpose(0, 1)
    found = node_activations(adopt(module, tokens[:3]), tokens)
    assert found.layers == (("embedding", 7), ("lstm", 5), ("head", 3))
    np.testing.assert_allclose(found.activations[7:12], steps.mean(1).T, atol=1e-6)
    neurons = neurons_of(adopt(module, tokens[:3]), tokens, skip_layers=1, batch_size=2)
    np.testing.assert_allclose(neurons[:30], steps.flatten(1).T, atol=1e-6)


@pytest.mark.parametrize(
    ("convolution", "shape"), [(nn.Conv1d, (9,)), (nn.Conv2d, (5, 4)), (nn.Conv3d, (3, 4, 5))]
)
def test_channels_of_convolutions_are_together_at_each_place(
    convolution: Callable[..., nn.Module], shape: tuple[int, ...]
) -> None:
    module = nn.Sequential(
        convolution(2, 4, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.LazyLinear(3)
    )
    inputs = vectors(*shape, 2)
    first = torch.from_numpy(inputs).movedim(-1, 1)
    module(first)
    tanh = by_hand(module, first, "1")
    network = adopt(module, inputs[:3], layout="channels_first")
    np.testing.assert_allclose(
        node_activations(network, inputs).activations[:4], tanh.flatten(2).mean(2).T, atol=1e-6
    )
    by_place = tanh.movedim(1, -1).flatten(1)
    np.testing.assert_allclose(
        neurons_of(network, inputs)[: by_place.shape[1]], by_place.T, atol=1e-6
    )


def test_a_transformer_gives_places_and_their_features() -> None:
    encoder = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)
    module = nn.Sequential(nn.Linear(3, 8), encoder, nn.Flatten(), nn.Linear(48, 2))
    inputs = vectors(6, 3)
    embedded = by_hand(module, torch.from_numpy(inputs), "0")
    network = adopt(module, inputs[:3], layout="channels_last")
    assert "0" in network.observed
    neurons = neurons_of(network, inputs)
    np.testing.assert_allclose(neurons[:48], embedded.flatten(1).T, atol=1e-6)
    channels = node_activations(network, inputs).activations
    np.testing.assert_allclose(channels[:8], embedded.mean(1).T, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_networks_of_every_floating_point_type_are_observed(dtype: torch.dtype) -> None:
    module = nn.Sequential(nn.Linear(4, 20), nn.ReLU(), nn.Linear(20, 3)).to(dtype)
    inputs = vectors(4)
    network = adopt(module, inputs[:3])
    with torch.no_grad():
        expected = module[:2](torch.from_numpy(inputs).to(dtype)).float()
    neurons = neurons_of(network, inputs)
    np.testing.assert_allclose(neurons[:20], expected.T, atol=1e-2)
