"""Lists of layers: graphs, tokens, layers that are not trained, and what is observed."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gengap.activations import node_activations, sample
from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.networks import build, initialise, logits, observed_layers
from gengap.training import Recipe, loss_and_accuracy, train

CLASSES = 3


def layer(kind: str, /, **keywords: Any) -> dict[str, Any]:
    return {"layer_name": kind, **keywords}


def spec_of(*layers: dict[str, Any], shape: list[int]) -> dict[str, Any]:
    return {"model_config": list(layers), "input_shape": shape}


DENSE = layer("Dense", units=CLASSES)
SERIES = [10, 2]
VOLUME = [4, 3, 5, 2]
TOKENS = [6]
EMBEDDING = layer("Embedding", input_dim=9, output_dim=4)
CONV1D = layer("Conv1D", filters=5, kernel_size=3, activation="relu")

SPECS = {
    "series": spec_of(CONV1D, layer("MaxPooling1D"), layer("Flatten"), DENSE, shape=SERIES),
    "recurrent": spec_of(layer("GRU", units=4, return_sequences=True), layer("LSTM", units=3),
                         DENSE, shape=SERIES),
    "volume": spec_of(layer("Conv3D", filters=3, kernel_size=2), layer("BatchNormalization"),
                      layer("GlobalAveragePooling3D"), DENSE, shape=VOLUME),
    "tokens": spec_of(EMBEDDING, layer("LSTM", units=5), DENSE, shape=TOKENS),
    "attention": spec_of(
        EMBEDDING,
        layer("MultiHeadAttention", num_heads=2, key_dim=3),
        layer("Add", inbound_nodes=["embedding_0", "multi_head_attention_1"]),
        layer("LayerNormalization"),
        layer("GlobalAveragePooling1D"),
        DENSE,
        shape=TOKENS,
    ),
}  # fmt: skip


def data_for(spec: dict[str, Any], count: int = 60) -> Split:
    """Inputs that tell their class: by the mean of a channel, or by the range of most tokens."""
    rng = np.random.default_rng(5)
    shape = (count, *spec["input_shape"])
    labels = rng.integers(CLASSES, size=count)
    by_class = labels.reshape(-1, *[1] * (len(shape) - 1))
    if any(given["layer_name"] == "Embedding" for given in spec["model_config"]):
        likely = by_class * 3 + rng.integers(3, size=shape)
        return Split(
            np.where(rng.random(shape) < 0.8, likely, rng.integers(9, size=shape)), labels, CLASSES
        )
    inputs = rng.normal(size=shape).astype(np.float32)
    inputs[..., :1] += 2 * (by_class - 1)
    return Split(inputs, labels, CLASSES)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_every_kind_of_input_is_learned(spec: dict[str, Any]) -> None:
    network, data = build(spec), data_for(spec)
    recipe = Recipe(optimiser="adam", learning_rate=0.03, batch_size=20, epochs=25)
    result = train(network, data, recipe)
    loss, accuracy = loss_and_accuracy(network, data)
    assert loss == pytest.approx(result.history[-1]["train_loss"])
    assert loss < 0.6 * result.history[0]["train_loss"]
    assert accuracy > 0.7
    with torch.no_grad():
        outputs = network(torch.from_numpy(data.inputs))
    assert accuracy == pytest.approx((outputs.argmax(1).numpy() == data.labels).mean())


def test_a_residual_block_is_the_sum_written_by_hand() -> None:
    spec = spec_of(
        layer("Dense", units=4, activation="relu", name="stem"),
        layer("Dense", units=4, activation="tanh"),
        layer("Dense", units=4),
        layer("Add", inbound_nodes=["stem", "dense_2", "input"]),
        layer("Concatenate", inbound_nodes=["add_3", "stem"]),
        layer("Multiply", inbound_nodes=["concatenate_4", "concatenate_4"]),
        layer("Dense", units=2, activation="softmax"),
        shape=[4],
    )
    network = build(spec)
    generator = torch.Generator().manual_seed(0)
    initialise(network, "he", generator)
    weights = network.state_dict()
    inputs = torch.randn(5, 4, generator=generator)

    def dense(position: int, values: torch.Tensor) -> torch.Tensor:
        kernel, bias = (weights[f"dense_{position}.{part}"] for part in ("weight", "bias"))
        outputs: torch.Tensor = values @ kernel.T + bias
        return outputs

    stem = dense(0, inputs).relu()
    total = stem + dense(2, dense(1, stem).tanh()) + inputs
    wanted = dense(6, torch.cat([total, stem], 1) ** 2)
    torch.testing.assert_close(logits(network, inputs), wanted)
    torch.testing.assert_close(network(inputs), wanted.softmax(1))
    torch.testing.assert_close(copy.deepcopy(network)(inputs), wanted.softmax(1))


@pytest.mark.parametrize(
    ("layers", "shape", "words"),
    [
        (
            [layer("Dense", units=3), layer("Add", inbound_nodes=["input", "dense_0"])],
            [4],
            ["Layer 1 (Add)", "[4] and [3]", "same shape"],
        ),
        (
            [CONV1D, layer("Concatenate", inbound_nodes=["input", "conv1d_0"])],
            SERIES,
            ["Layer 1 (Concatenate)", "[10, 2] and [8, 5]", "all but the last"],
        ),
        ([DENSE, layer("Add", inbound_nodes=["dense_0", "nobody"])], [4], ["'nobody'"]),
        ([DENSE, EMBEDDING], [4], ["Layer 1 (Embedding)", "only the input", "put it first"]),
        ([EMBEDDING], SERIES, ["it takes tokens", "[10, 2]", "input_shape [length]"]),
        (
            [EMBEDDING, layer("Dense", units=4, inbound_nodes=["input"]),
             layer("Add", inbound_nodes=["embedding_0", "dense_1"])],
            TOKENS,
            ["Layer 1 (Dense)", "holds tokens"],
        ),
        ([layer("Embedding", input_dim=3, output_dim=2, mask_zero=True)], TOKENS, ["mask_zero"]),
        ([layer("GRU", units=2, reset_after=False)], SERIES, ["reset_after is False", "only true"]),
        ([layer("LSTM", units=2, activation="relu")], SERIES, ["activation is 'relu'", '"tanh"']),
        ([layer("LSTM", units=2, dropout=0.5)], SERIES, ["dropout is 0.5", "SpatialDropout1D"]),
        ([layer("LSTM", units=2)], [4], ["it takes series", "[4]"]),
        ([layer("Conv1D", filters=2, kernel_size=3)], [8, 8, 1], ["it takes series"]),
        ([layer("GroupNormalization", groups=3)], SERIES, ["groups is 3", "2 channels"]),
        ([layer("PReLU")], SERIES, ["shared_axes is None", "give [1]"]),
        ([layer("Reshape", target_shape=[3, -1])], SERIES, ["target_shape is [3, -1]", "20 num"]),
        ([layer("Permute", dims=[0, 1])], SERIES, ["dims is [0, 1]", "[1, 2]"]),
        ([layer("LayerNormalization", axis=1)], SERIES, ["axis is 1"]),
        ([layer("MultiHeadAttention", num_heads=2, key_dim=2, use_gate=True)], SERIES,
         ["use_gate is True", "only false"]),
        ([layer("Conv2DTranspose", filters=1, kernel_size=2, dilation_rate=2)], [4, 4, 1],
         ["dilation_rate is 2"]),
        ([layer("Dense", units=2, trainable="no")], [4], ["trainable is 'no'", "true or false"]),
        ([layer("Dense", units=1, activation="softmax")], [4], ["always 1", "sigmoid"]),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_in_a_sentence(
    layers: list[dict[str, Any]], shape: list[int], words: list[str]
) -> None:
    with pytest.raises(GengapError) as caught:
        build(spec_of(*layers, shape=shape))
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tokens_that_are_no_tokens_are_refused() -> None:
    network = build(SPECS["tokens"])
    assert network.input_type == "int64"
    with pytest.raises(GengapError, match="the tokens 0 to 8, but the inputs hold others"):
        network(torch.full((2, 6), 9))
    with pytest.raises(GengapError, match=r"takes tokens, int64, but got torch\.float32"):
        network(torch.zeros(2, 6))
    with pytest.raises(GengapError, match=r"takes float32 inputs but got torch\.int64"):
        build(spec_of(DENSE, shape=[6]))(torch.zeros(2, 6, dtype=torch.int64))


def test_layers_that_are_not_trainable_keep_their_weights() -> None:
    layers = [
        layer("Dense", units=4, trainable=False),
        layer("BatchNormalization", trainable=False),
        layer("Dense", units=4, trainable=True),
        layer("BatchNormalization"),
        DENSE,
    ]
    network = build(spec_of(*layers, shape=[6]))
    trainable = [name for name, values in network.named_parameters() if values.requires_grad]
    assert trainable == [
        "dense_2.weight", "dense_2.bias", "batch_normalization_3.weight",
        "batch_normalization_3.bias", "dense_4.weight", "dense_4.bias",
    ]  # fmt: skip
    data = data_for(spec_of(DENSE, shape=[6]))
    result = train(network, data, Recipe(batch_size=20, epochs=2, weight_decay=0.1))
    fixed = ("dense_0.", "batch_normalization_1.")
    for name, before in result.initial.items():
        changed = not torch.equal(before, result.weights[name])
        assert changed != name.startswith(fixed), name


def test_batch_normalisation_that_is_not_trainable_infers_in_training() -> None:
    fixed, moving = (
        build(spec_of(layer("BatchNormalization", trainable=trainable), DENSE, shape=[6]))
        for trainable in (False, True)
    )
    inputs = torch.randn(8, 6, generator=torch.Generator().manual_seed(0))
    inferred = fixed(inputs)
    torch.testing.assert_close(moving(inputs), inferred, rtol=0, atol=0)
    for network in (fixed, moving):
        network.train()
    torch.testing.assert_close(fixed(inputs), inferred, rtol=0, atol=0)
    assert (moving(inputs) - inferred).abs().max() > 0.01
    assert not fixed.get_submodule("batch_normalization_0").training
    assert fixed.get_submodule("dense_1").training


@pytest.mark.parametrize(
    ("name", "neurons", "channels"),
    [
        ("series", [8 * 5, 3], [5, 3]),
        ("recurrent", [10 * 4, 3, 3], [4, 3, 3]),
        ("volume", [3 * 2 * 4 * 3, 3], [3, 3]),
        ("tokens", [6 * 4, 5, 3], [4, 5, 3]),
        ("attention", [6 * 4, 6 * 4, 3], [4, 4, 3]),
    ],
)
def test_every_layer_with_a_kernel_is_observed(
    name: str, neurons: list[int], channels: list[int]
) -> None:
    spec = SPECS[name]
    network, inputs = build(spec), data_for(spec, 7).inputs
    everything = sample(
        network, inputs, neurons=sum(neurons), draws=1, rng=np.random.default_rng(0)
    )
    assert [size for _, size in everything.layers] == neurons
    nodes = node_activations(network, inputs)
    assert [size for _, size in nodes.layers] == channels
    assert list(dict(nodes.layers)) == [name for name, _ in observed_layers(network)]
    # The mean over places of the neurons, which are numbered with the channel the fastest.
    first = everything.activations[: neurons[0]].reshape(-1, channels[0], len(inputs))
    np.testing.assert_allclose(nodes.activations[: channels[0]], first.mean(0), atol=1e-6)


def test_neurons_of_a_series_are_its_channels_at_every_place() -> None:
    network, inputs = build(SPECS["series"]), data_for(SPECS["series"], 7).inputs
    everything = sample(network, inputs, neurons=43, draws=1, rng=np.random.default_rng(0))
    convolution = network.get_submodule("conv1d_0")
    assert isinstance(convolution, nn.Conv1d)
    with torch.no_grad():
        wanted = convolution(torch.from_numpy(inputs).transpose(1, 2)).relu().transpose(1, 2)
    np.testing.assert_allclose(everything.activations[:40].T, wanted.flatten(1), atol=1e-6)


@pytest.mark.parametrize("hooked", [False, True])
def test_pooling_before_a_relu_computes_the_same(hooked: bool) -> None:
    torch.manual_seed(0)
    spec = spec_of(
        layer("Conv2D", filters=4, kernel_size=3, activation="relu"), layer("MaxPooling2D"),
        layer("Conv2D", filters=5, kernel_size=2), layer("ReLU"), layer("MaxPooling2D"),
        layer("Flatten"), DENSE, shape=[12, 12, 2],
    )  # fmt: skip
    network = build(spec).eval()
    # Rounded weights and inputs meet ties and windows without positive values.
    with torch.no_grad():
        for value in network.parameters():
            value.copy_((4 * value).round() / 4)
    inputs = torch.randn(7, 12, 12, 2).round()
    values, sizes = inputs.permute(0, 3, 1, 2), []
    for module in network.children():
        values = module(values)
        sizes.append(values.numel())
    plain = torch.autograd.grad(values.square().sum(), list(network.parameters()))
    seen: list[int] = []
    relus = [module for module in network.modules() if isinstance(module, nn.ReLU)]
    if hooked:
        for module in relus:
            module.register_forward_hook(lambda *passage: seen.append(passage[2].numel()))
    outputs = network(inputs)
    assert torch.equal(outputs, values)
    slopes = torch.autograd.grad(outputs.square().sum(), list(network.parameters()))
    for slope, expected in zip(slopes, plain, strict=True):
        assert torch.equal(slope, expected)
    # Whoever observes the nonlinearity sees what it gives before pooling.
    assert seen == ([size for module, size in zip(network.children(), sizes, strict=True)
                     if isinstance(module, nn.ReLU)] if hooked else [])  # fmt: skip
