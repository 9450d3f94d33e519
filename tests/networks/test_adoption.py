"""Torch modules of one's own as networks: outputs, layouts, observed layers, wrappers, refusals."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import prune

from gengap.activations import node_activations, sample
from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.networks import (
    AdoptedNetwork,
    Network,
    adopt,
    batched_outputs,
    captured,
    forward_hooks,
    logits,
    observed_layers,
)

RNG = np.random.default_rng(1)
IMAGES = RNG.standard_normal((5, 8, 8, 3)).astype(np.float32)
SERIES = RNG.standard_normal((5, 12, 3)).astype(np.float32)
VECTORS = RNG.standard_normal((5, 6)).astype(np.float32)
TOKENS = RNG.integers(1, 20, (5, 7))


class Block(nn.Module):
    """A residual block as torchvision writes it: one ReLU module is called twice, in place."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.downsample = nn.Sequential()
        if channels != filters:
            self.downsample.append(nn.Conv2d(channels, filters, 1, stride, bias=False))
            self.downsample.append(nn.BatchNorm2d(filters))

    def forward(self, inputs: Tensor) -> Tensor:
        values = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(inputs)))))
        outputs: Tensor = self.relu(values + self.downsample(inputs))
        return outputs


class SmallResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU()
        self.layer1 = Block(8, 8, 1)
        self.layer2 = Block(8, 16, 2)
        self.fc = nn.Linear(16, 10)

    def forward(self, inputs: Tensor) -> Tensor:
        values = self.layer2(self.layer1(self.relu(self.bn1(self.conv1(inputs)))))
        outputs: Tensor = self.fc(values.mean((2, 3)))
        return outputs


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(6, 16), nn.LayerNorm(16), nn.GELU(), nn.Dropout(0.5))
        self.outer = nn.Linear(16, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.outer(self.inner(inputs))
        return outputs


@dataclass
class ModelOutput:
    logits: Tensor
    loss: Tensor | None = None


class VisionTransformer(nn.Module):
    """Patches, positions, torch's encoder and a class token; the tokens may be the first axis."""

    def __init__(self, batch_first: bool = True) -> None:
        super().__init__()
        self.batch_first = batch_first
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.token = nn.Parameter(torch.full((1, 1, 16), 0.1))
        self.positions = nn.Embedding(5, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, activation=nn.GELU(), batch_first=batch_first)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 5)

    def forward(self, inputs: Tensor) -> ModelOutput:
        values = self.patches(inputs).flatten(2).transpose(1, 2)
        values = torch.cat([self.token.expand(len(values), -1, -1), values], 1)
        values = values + self.positions(torch.arange(5, device=values.device))
        if self.batch_first:
            return ModelOutput(self.head(self.encoder(values)[:, 0]))
        return ModelOutput(self.head(self.encoder(values.transpose(0, 1))[0]))


class BagOfTokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(20, 12)
        self.hidden = nn.Linear(12, 14)
        self.tanh = nn.Tanh()
        self.head = nn.Linear(14, 2)

    def forward(self, tokens: Tensor) -> dict[str, Tensor]:
        return {"logits": self.head(self.tanh(self.hidden(self.bag(tokens))))}


class Recurrent(nn.Module):
    """An LSTM with torch's default order of axes: (length, n, d)."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.lstm = nn.LSTM(8, 12)
        self.head = nn.Linear(12, 3)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        states, (last, _) = self.lstm(self.embedding(tokens).transpose(0, 1))
        return self.head(last[0]), states


class Regressor(nn.Module):
    """One number for each row, as (n,)."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(6, 9)
        self.out = nn.Linear(9, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.out(functional.silu(self.hidden(inputs))).squeeze(-1)
        return outputs


def series_network() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(3, 6, 3), nn.BatchNorm1d(6), nn.SiLU(), nn.AdaptiveAvgPool1d(2), nn.Flatten(),
        nn.Linear(12, 4),
    )  # fmt: skip


def rows_of(result: Any) -> Tensor:
    """The outputs of a module, by hand."""
    if isinstance(result, tuple):
        result = result[0]
    result = result["logits"] if isinstance(result, dict) else getattr(result, "logits", result)
    assert isinstance(result, Tensor)
    return result[:, None] if result.ndim == 1 else result


ENCODER = {
    f"encoder.layers.{layer}.{name}": f"encoder.layers.{layer}.{at}"
    for layer in (0, 1)
    for name, at in (
        ("self_attn", "self_attn"),
        ("linear1", "activation"),
        ("linear2", "linear2"),
    )
}
TRANSFORMER = {"patches": "patches", **ENCODER, "head": "head"}
TRANSFORMER_SIZES = [64, *2 * [80, 160, 80], 5]

Case = tuple[Callable[[], nn.Module], np.ndarray, dict[str, str], list[int]]
CASES: dict[str, Case] = {
    "resnet": (
        SmallResNet,
        IMAGES,
        {
            "conv1": "relu",
            "layer1.conv1": "layer1.relu",
            "layer1.conv2": "layer1.conv2",
            "layer2.conv1": "layer2.relu",
            "layer2.conv2": "layer2.conv2",
            "layer2.downsample.0": "layer2.downsample.0",
            "fc": "fc",
        },
        [512, 512, 512, 256, 256, 256, 10],
    ),
    "mlp": (Mlp, VECTORS, {"inner.0": "inner.2", "outer": "outer"}, [16, 3]),
    "transformer": (VisionTransformer, IMAGES, TRANSFORMER, TRANSFORMER_SIZES),
    "transformer, tokens first": (
        lambda: VisionTransformer(batch_first=False), IMAGES, TRANSFORMER, TRANSFORMER_SIZES,
    ),
    "series": (series_network, SERIES, {"0": "2", "5": "5"}, [60, 4]),
    "bag of tokens": (
        BagOfTokens, TOKENS, {"bag": "bag", "hidden": "tanh", "head": "head"}, [12, 14, 2],
    ),
    "recurrent": (
        Recurrent, TOKENS, {"embedding": "embedding", "lstm": "lstm", "head": "head"}, [56, 84, 3],
    ),
    "regressor": (Regressor, VECTORS, {"hidden": "hidden", "out": "out"}, [9, 1]),
}  # fmt: skip


def made(name: str) -> tuple[nn.Module, np.ndarray]:
    """A module with batch statistics of its own, in eval mode, and its inputs channels last."""
    make, inputs, _, _ = CASES[name]
    torch.manual_seed(0)
    module = make()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.running_mean = torch.rand(part.num_features) - 0.5
            part.running_var = torch.rand(part.num_features) + 0.1
    return module.eval(), inputs


def as_trained(inputs: np.ndarray) -> Tensor:
    """Inputs as torch's modules take them: channels first."""
    tensor = torch.from_numpy(inputs)
    return tensor.movedim(-1, 1) if tensor.ndim > 2 else tensor


@pytest.mark.parametrize("name", CASES)
def test_outputs_are_the_modules_own(name: str) -> None:
    module, inputs = made(name)
    with torch.no_grad():
        expected = rows_of(module(as_trained(inputs)))
    network = adopt(module, inputs)
    assert isinstance(network, Network)
    assert network.outputs == expected.shape[1]
    assert network.input_shape == inputs.shape[1:]
    assert network.input_type == ("int64" if inputs.dtype == np.int64 else "float32")
    for adopted in (network, copy.deepcopy(network)):
        torch.testing.assert_close(batched_outputs(adopted, inputs), expected)
    assert list(network.state_dict()) == list(module.state_dict())
    assert [key for key, _ in network.named_parameters()] == [
        key for key, _ in module.named_parameters()
    ]


@pytest.mark.parametrize("name", CASES)
def test_observed_layers_are_those_that_a_person_would_list(name: str) -> None:
    module, inputs = made(name)
    _, _, expected, sizes = CASES[name]
    network = adopt(module, inputs)
    assert network.observed == expected
    assert list(network.observed) == list(expected)
    assert [layer for layer, _ in observed_layers(network)] == list(expected)
    if sum(sizes) >= 50:
        taken = sample(network, inputs, neurons=20, draws=2, rng=np.random.default_rng(0))
        assert taken.layers == tuple(zip(expected, sizes, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_a_copy_follows_its_own_weights(name: str) -> None:
    module, inputs = made(name)
    network = adopt(module, inputs)
    before = batched_outputs(network, inputs)
    other = copy.deepcopy(network)
    with torch.no_grad():
        for weight in other.parameters():
            weight.zero_()
    assert batched_outputs(other, inputs).abs().max() == 0
    torch.testing.assert_close(batched_outputs(network, inputs), before, rtol=0, atol=0)


@pytest.mark.parametrize("name", [name for name in CASES if name != "recurrent"])
def test_weights_can_be_put_in_for_one_call(name: str) -> None:
    """torch.func, which curvature and tangent kernels use, sees one set of parameters."""
    module, inputs = made(name)
    network = adopt(module, inputs)
    batch = torch.from_numpy(inputs)
    weights = {key: 1.1 * value.detach() for key, value in network.named_parameters()}
    outputs = torch.func.functional_call(network, weights, (batch,))
    with torch.no_grad():
        for key, value in module.named_parameters():
            value.copy_(weights[key])
    torch.testing.assert_close(outputs, network(batch))


@pytest.mark.parametrize("name", ["transformer, tokens first", "recurrent"])
def test_activations_have_the_inputs_first(name: str) -> None:
    """Activations of two inputs are those of each alone."""
    module, inputs = made(name)
    network = adopt(module, inputs)
    nodes = [node_activations(network, part, "neurons") for part in (inputs, inputs[1:2])]
    np.testing.assert_allclose(
        nodes[0].activations[:, 1:2], nodes[1].activations, rtol=1e-4, atol=1e-6
    )
    channels = node_activations(network, inputs, "channels").layers
    assert dict(channels)["head"] == network.outputs


def test_a_shared_activation_is_read_at_the_call_that_follows_the_layer() -> None:
    module, inputs = made("resnet")
    network = adopt(module, inputs)
    probe = dict(observed_layers(network))["layer1.conv1"]
    with captured([probe]) as passages:
        outputs = logits(network, torch.from_numpy(inputs))
    block = module.get_submodule("layer1")
    assert isinstance(block, Block)
    with torch.no_grad():
        stem = module.get_submodule("bn1")(module.get_submodule("conv1")(as_trained(inputs)))
        expected = block.bn1(block.conv1(stem.relu())).relu()
    torch.testing.assert_close(passages[probe].output, expected)
    # It lies on the way to the outputs, and what replaces it goes on.
    (slope,) = torch.autograd.grad(outputs[:, 0].sum(), passages[probe].output)
    assert slope.abs().max() > 0
    with forward_hooks([probe], lambda _module, _arguments, output: output + 1.0):
        assert (logits(network, torch.from_numpy(inputs)) - outputs).abs().max() > 1e-3
    torch.testing.assert_close(logits(network, torch.from_numpy(inputs)), outputs)
    assert not any(part._forward_hooks for part in module.modules())


def test_a_sum_written_in_place_is_a_sum() -> None:
    class InPlace(Block):
        def forward(self, inputs: Tensor) -> Tensor:
            values = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(inputs)))))
            values += self.downsample(inputs)
            outputs: Tensor = self.relu(values)
            return outputs

    def pooled(block: nn.Module) -> nn.Module:
        return nn.Sequential(block, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))

    places = [adopt(pooled(block(3, 4, 1)), IMAGES).observed for block in (Block, InPlace)]
    assert places[0] == places[1]
    assert places[0]["0.conv2"] == "0.conv2"


def test_training_mode_reaches_the_module_and_comes_back() -> None:
    class Moody(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(6, 2)

        def forward(self, inputs: Tensor) -> Tensor:
            outputs: Tensor = self.layer(inputs)
            return outputs + 100.0 if self.training else outputs

    module = Moody()
    network = adopt(module, VECTORS)
    expected = batched_outputs(network, VECTORS)
    assert expected.abs().max() < 50
    network.train()
    assert network(torch.from_numpy(VECTORS)).min() > 50
    torch.testing.assert_close(batched_outputs(network, VECTORS), expected)
    assert network.training


@pytest.mark.parametrize(
    ("observe", "layers"),
    [
        (["layer2.*"], ["layer2.conv1", "layer2.conv2", "layer2.downsample.0"]),
        (["fc", "conv?"], ["conv1", "fc"]),
        (["layer1"], ["layer1"]),
        (["layer?", "fc"], ["layer1", "layer2", "fc"]),
    ],
)
def test_patterns_choose_layers(observe: list[str], layers: list[str]) -> None:
    module, inputs = made("resnet")
    network = adopt(module, inputs, observe=observe)
    assert list(network.observed) == layers


def test_a_module_that_is_no_layer_is_read_at_its_own_output() -> None:
    module, inputs = made("resnet")
    network = adopt(module, inputs, observe=["layer2", "layer1.bn1"])
    assert network.observed == {"layer1.bn1": "layer1.bn1", "layer2": "layer2"}
    assert node_activations(network, inputs, "channels").layers == (
        ("layer1.bn1", 8),
        ("layer2", 16),
    )


def test_of_several_calls_the_last_counts() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(6, 6)

        def forward(self, inputs: Tensor) -> Tensor:
            outputs: Tensor = self.layer(self.layer(inputs).tanh())
            return outputs

    network = adopt(Tied().eval(), VECTORS)
    (probe,) = (module for _, module in observed_layers(network))
    with captured([probe]) as passages:
        outputs = network(torch.from_numpy(VECTORS))
    torch.testing.assert_close(passages[probe].output, outputs)


def test_layouts_are_stated_or_recognised(caplog: pytest.LogCaptureFixture) -> None:
    module, inputs = made("resnet")
    with caplog.at_level(logging.INFO):
        network = adopt(module, inputs)
    assert "takes its inputs channels first" in caplog.text
    assert isinstance(network, AdoptedNetwork)
    assert network.layout == "channels_first"
    pixels = nn.Sequential(nn.Linear(3, 4), nn.Flatten(), nn.Linear(256, 2))
    assert adopt(pixels, inputs).spec["layout"] == "channels_last"
    flat = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    with pytest.raises(GengapError, match="in both layouts: state the one"):
        adopt(flat, inputs)
    both = {
        layout: batched_outputs(adopt(flat, inputs, layout=layout), inputs)
        for layout in ("channels_first", "channels_last")
    }
    torch.testing.assert_close(both["channels_first"], flat(as_trained(inputs)).detach())
    torch.testing.assert_close(both["channels_last"], flat(torch.from_numpy(inputs)).detach())
    with pytest.raises(GengapError, match=r"shape \[8, 8, 3\], channels last .*RuntimeError"):
        adopt(module, inputs, layout="channels_last")
    with pytest.raises(GengapError, match="layout is 'NCHW'"):
        adopt(module, inputs, layout="NCHW")
    with pytest.raises(GengapError, match="number of channels from its first inputs"):
        adopt(nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(2)), inputs)


def ending_in(*modules: nn.Module, outputs: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, outputs), *modules)


@pytest.mark.parametrize(
    ("module", "activation"),
    [
        (ending_in(nn.Softmax(1), outputs=3), "softmax"),
        (ending_in(nn.Sigmoid(), nn.Flatten(0), outputs=1), "sigmoid"),
        (ending_in(nn.Softmax(1), outputs=3).requires_grad_(False), "softmax"),
        (ending_in(nn.Sigmoid(), outputs=3), None),
        (ending_in(nn.LogSoftmax(1), outputs=3), None),
    ],
)
def test_logits_are_those_before_a_final_softmax_or_sigmoid(
    module: nn.Module, activation: str | None
) -> None:
    network = adopt(module, VECTORS)
    assert network.final_activation == activation
    batch = torch.from_numpy(VECTORS)
    torch.testing.assert_close(network(batch), rows_of(module(batch)))
    assert isinstance(module, nn.Sequential)
    expected = module[:3](batch) if activation else rows_of(module(batch))
    torch.testing.assert_close(logits(network, batch), expected)


class FunctionalEnd(nn.Module):
    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.layer = nn.Linear(6, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        values: Tensor = self.layer(inputs)
        return values.softmax(1) if values.shape[1] > 1 else values.sigmoid().squeeze(1)


@pytest.mark.parametrize("outputs", [1, 3])
def test_probabilities_of_a_function_are_not_taken_for_logits(outputs: int) -> None:
    with pytest.raises(GengapError, match="probabilities: return the logits, or make the function"):
        adopt(FunctionalEnd(outputs), VECTORS)
    network = adopt(FunctionalEnd(outputs), VECTORS, logits=lambda values: values.logit())
    assert network.outputs == outputs


def test_logits_are_made_of_any_result() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(6, 3)

        def forward(self, inputs: Tensor) -> dict[str, list[Tensor]]:
            return {"scores": [self.layer(inputs)]}

    module = Odd()
    with pytest.raises(GengapError, match="mapping with the keys scores and none called logits"):
        adopt(module, VECTORS)
    network = adopt(module, VECTORS, logits=lambda result: result["scores"][0])
    torch.testing.assert_close(
        network(torch.from_numpy(VECTORS)), module.layer(torch.from_numpy(VECTORS))
    )


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (nn.Sequential(nn.Linear(6, 6), nn.Unflatten(1, (6, 1))), r"shape \[3, 6, 1\]"),
        (nn.Sequential(nn.Linear(6, 4), nn.Unflatten(1, (2, 2))), r"shape \[3, 2, 2\]"),
        (nn.Sequential(nn.Flatten()), "no parameters of a floating type"),
        (nn.BatchNorm1d(6, affine=False), "no parameters of a floating type"),
        (
            nn.Linear(5, 2),
            r"cannot run inputs of shape \[6\] \(RuntimeError: .*give data of the size",
        ),
        (nn.LayerNorm(6), "no layer whose outputs depend on its inputs"),
        (object(), "object is no torch.nn.Module"),
    ],
)
def test_modules_that_are_no_networks_are_refused(module: Any, reason: str) -> None:
    with pytest.raises(GengapError, match=reason):
        adopt(module, VECTORS)


@pytest.mark.parametrize(
    ("example", "reason"),
    [
        (VECTORS.tolist(), "example is a list: give an array"),
        (VECTORS[0], "give floating inputs"),
        (VECTORS[:0], "give floating inputs"),
        (VECTORS > 0, "type bool: give floating inputs"),
    ],
)
def test_examples_that_are_no_inputs_are_refused(example: Any, reason: str) -> None:
    with pytest.raises(GengapError, match=reason):
        adopt(nn.Linear(6, 2), example)


def test_an_example_is_an_array_a_tensor_or_a_split() -> None:
    module = nn.Sequential(nn.Linear(6, 2))
    split = Split(VECTORS, np.zeros(5, np.int64), 2)
    for example in (VECTORS, VECTORS.astype(np.float64), torch.from_numpy(VECTORS[:1]), split):
        assert adopt(module, example).spec["input_shape"] == [6]


@pytest.mark.parametrize("outputs", [2, 3])
def test_the_number_of_outputs_is_checked(outputs: int) -> None:
    module = nn.Linear(6, 2)
    if outputs == 2:
        assert adopt(module, VECTORS, outputs=outputs).outputs == 2
    else:
        with pytest.raises(GengapError, match="gives 2 outputs, not the 3 that are stated"):
            adopt(module, VECTORS, outputs=outputs)


@pytest.mark.parametrize(
    ("observe", "reason"),
    [
        (["nothing*"], r"observe names 'nothing\*', .*those that were are .*conv1"),
        ("conv1", "observe is 'conv1': give auto or a list"),
        ([3], "give auto or a list"),
    ],
)
def test_unknown_layers_are_refused(observe: Any, reason: str) -> None:
    module, inputs = made("resnet")
    with pytest.raises(GengapError, match=reason):
        adopt(module, inputs, observe=observe)


def test_too_few_neurons_for_topology_are_refused_with_the_layers() -> None:
    network = adopt(nn.Sequential(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 2)), VECTORS)
    with pytest.raises(GengapError, match=r"has 42 neurons .*0 \(40\), 2 \(2\).* needs 50"):
        sample(network, VECTORS, neurons=10, draws=1, rng=np.random.default_rng(0))


def test_the_sentence_of_a_foreign_module_names_adopt() -> None:
    with pytest.raises(GengapError, match=r"gengap\.networks\.adopt\(module, example, layout="):
        sample(nn.Linear(6, 60), VECTORS, neurons=10, draws=1, rng=np.random.default_rng(0))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_precisions(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 60), nn.GELU(), nn.Linear(60, 3)).to(dtype)
    network = adopt(module, VECTORS)
    outputs = batched_outputs(network, VECTORS)
    # Half precision is measured in float32, on the same numbers.
    assert outputs.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    for own, weight in zip(network.parameters(), module.parameters(), strict=True):
        assert torch.equal(own.double(), weight.double())
    exact = copy.deepcopy(module).double()(torch.from_numpy(VECTORS).double())
    torch.testing.assert_close(outputs.double(), exact, rtol=1e-5, atol=1e-6)
    assert next(module.parameters()).dtype == dtype
    sample(network, VECTORS, neurons=10, draws=1, rng=np.random.default_rng(0))


def integer_layer() -> nn.Module:
    class Binarised(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(60, 6))

        def forward(self, inputs: Tensor) -> Tensor:
            return inputs @ self.weight.T > 0

    class Cast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(60, 2)

        def forward(self, inputs: Tensor) -> Tensor:
            outputs: Tensor = self.head(inputs.float())
            return outputs

    return nn.Sequential(Binarised(), Cast())


def test_boolean_activations_are_zeros_and_ones() -> None:
    network = adopt(integer_layer(), VECTORS)
    assert list(network.observed) == ["0", "1.head"]
    taken = sample(network, VECTORS, neurons=62, draws=1, rng=np.random.default_rng(0))
    assert set(np.unique(taken.activations[:60])) <= {0.0, 1.0}


def plain() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))


@pytest.mark.parametrize(
    ("wrap", "kind"),
    [
        (lambda module: nn.DataParallel(module), "DataParallel"),
        (lambda module: torch.compile(module, backend="eager"), "OptimizedModule"),
        (torch.optim.swa_utils.AveragedModel, "AveragedModel"),
        (
            lambda module: torch.compile(nn.DataParallel(module), backend="eager"),
            "DataParallel is taken off Sequential",
        ),
    ],
)
def test_wrappers_are_taken_off(
    wrap: Callable[[nn.Module], nn.Module], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    module = plain()
    with caplog.at_level(logging.INFO):
        network = adopt(wrap(module), VECTORS)
    assert kind in caplog.text
    assert list(network.observed.items()) == [("0", "1"), ("2", "2")]
    torch.testing.assert_close(
        batched_outputs(network, VECTORS), module(torch.from_numpy(VECTORS)).detach()
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(
    "wrap",
    [torch.jit.script, partial(torch.jit.trace, example_inputs=torch.zeros(2, 6))],
    ids=["script", "trace"],
)
def test_torchscript_is_refused(wrap: Callable[[nn.Module], nn.Module]) -> None:
    with pytest.raises(GengapError, match=r"TorchScript.*give the Python module .* state_dict"):
        adopt(wrap(plain()), VECTORS)
    with pytest.raises(GengapError, match="TorchScript"):
        adopt(nn.Sequential(wrap(plain()), nn.Linear(3, 2)), VECTORS)


def pruned(module: nn.Module) -> nn.Module:
    prune.l1_unstructured(module.get_submodule("0"), "weight", 0.5)  # type: ignore[no-untyped-call]
    return module


def weight_normalised(module: nn.Module) -> nn.Module:
    torch.nn.utils.parametrizations.weight_norm(module.get_submodule("0"))
    return module


@pytest.mark.parametrize("wrap", [pruned, weight_normalised])
def test_reparametrised_layers_stay_layers(wrap: Callable[[nn.Module], nn.Module]) -> None:
    module = wrap(plain()).eval()
    network = copy.deepcopy(adopt(module, VECTORS))
    assert list(network.observed.items()) == [("0", "1"), ("2", "2")]
    torch.testing.assert_close(
        batched_outputs(network, VECTORS), module(torch.from_numpy(VECTORS)).detach()
    )


class Clashing(nn.Module):
    """Its parts are called as attributes of networks are, and one is not used."""

    def __init__(self) -> None:
        super().__init__()
        self.outputs = nn.Linear(6, 60)
        self.logits = nn.Linear(60, 3)
        self.unused = nn.Linear(2, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.logits(self.outputs(inputs).relu())
        return outputs


@pytest.mark.parametrize("make", [Clashing, lambda: nn.Linear(6, 60)])
def test_a_module_that_cannot_share_its_parts_is_one_part(make: Callable[[], nn.Module]) -> None:
    module = make()
    network = adopt(module, VECTORS)
    torch.testing.assert_close(
        batched_outputs(network, VECTORS), module(torch.from_numpy(VECTORS)).detach()
    )
    assert all(name.startswith("whole") for name in network.observed)
    taken = sample(network, VECTORS, neurons=10, draws=1, rng=np.random.default_rng(0))
    assert taken.population == sum(size for _, size in taken.layers)
    if isinstance(module, Clashing):
        assert list(network.observed) == ["whole.outputs", "whole.logits"]
        assert list(adopt(module, VECTORS, observe=["logits"]).observed) == ["whole.logits"]


@pytest.mark.parametrize(
    ("name", "inputs", "reason"),
    [
        ("resnet", IMAGES[:, :4], r"adopted for inputs of shape \[8, 8, 3\], channels last"),
        ("bag of tokens", TOKENS.astype(np.float32), "adopted for int64 inputs, not torch.float32"),
        ("mlp", VECTORS.astype(np.int64), "adopted for float32 inputs, not torch.int64"),
    ],
)
def test_other_inputs_are_refused(name: str, inputs: np.ndarray, reason: str) -> None:
    module, example = made(name)
    network = adopt(module, example)
    with pytest.raises(GengapError, match=reason):
        batched_outputs(network, inputs)
