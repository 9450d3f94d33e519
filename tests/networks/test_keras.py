"""Every layer against Keras' own, with the same weights."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gengap.networks import LAYERS, Network, build
from gengap.networks.activation_functions import ACTIVATIONS
from gengap.networks.attention import SelfAttention
from gengap.networks.sequential import SequentialNetwork
from gengap.planning.layer_graph import default_name

tensorflow = pytest.importorskip("tensorflow")
keras = tensorflow.keras

IMAGE = [7, 8, 3]
VECTOR = [6]
SERIES = [9, 4]
VOLUME = [5, 4, 6, 2]
TOKENS = [7]
KNOWN_TOKENS = 11
CHANNELS_OF_DEPTHWISE = IMAGE[-1]
"""Depthwise convolutions come first here."""
TOLERANCE = 1e-5

FLATTEN = {"layer_name": "Flatten"}
DENSE = {"layer_name": "Dense", "units": 4}


def conv(**keywords: Any) -> dict[str, Any]:
    return {"layer_name": "Conv2D", "filters": 4, "kernel_size": [3, 3], **keywords}


def layer(kind: str, /, **keywords: Any) -> dict[str, Any]:
    return {"layer_name": kind, **keywords}


IMAGE_LAYERS = [
    [conv()],
    [conv(padding="same")],
    [conv(padding="same", strides=2)],
    [conv(padding="same", strides=[2, 3], kernel_size=[2, 5])],
    [conv(padding="valid", strides=[3, 2], kernel_size=2.0, filters=5.0)],
    [conv(padding="same", dilation_rate=2)],
    [conv(dilation_rate=[2, 3])],
    [conv(padding="same", groups=3, filters=6)],
    [conv(use_bias=False, activation="relu", kernel_initializer="he_normal", name="first")],
    [conv(activation="softmax", padding="same", data_format="channels_last", dtype="float32")],
    [layer("Dense", units=5, activation="tanh")],
    [layer("Dense", units=5, activation="softmax", use_bias=False)],
    [layer("BatchNormalization")],
    [layer("BatchNormalization", axis=3, momentum=0.9, epsilon=0.01)],
    [layer("BatchNormalization", center=False)],
    [layer("BatchNormalization", scale=False)],
    [layer("BatchNormalization", scale=False, center=False)],
    [layer("Dropout", rate=0.4, seed=3)],
    *[
        [layer(f"{kind}Pooling2D", **keywords)]
        for kind in ("Max", "Average")
        for keywords in (
            {"pool_size": 2},
            {"pool_size": 3},
            {"pool_size": [2, 3], "strides": [1, 2]},
            {"pool_size": 2, "padding": "same"},
            {"pool_size": 3, "strides": 2, "padding": "same"},
            {"pool_size": [3, 2], "strides": [1, 3], "padding": "same"},
        )
    ],
    [layer("GlobalAveragePooling2D")],
    [layer("GlobalMaxPooling2D")],
    [layer("GlobalAveragePooling2D", keepdims=True)],
    [layer("GlobalMaxPooling2D", keepdims=True, data_format="channels_last")],
    [FLATTEN],
    [layer("ReLU")],
    [layer("ReLU", max_value=1.0)],
    [layer("ReLU", max_value=6, negative_slope=0.1, threshold=0.5)],
    [layer("LeakyReLU")],
    [layer("LeakyReLU", negative_slope=0.07)],
    [layer("ZeroPadding2D")],
    [layer("ZeroPadding2D", padding=[1, 2])],
    [layer("ZeroPadding2D", padding=[[1, 0], [2, 3]])],
    [layer("Softmax")],
    [layer("Softmax", axis=3)],
    *[[layer("Activation", activation=name)] for name in ACTIVATIONS],
    [
        conv(padding="same", strides=2, activation="relu"),
        layer("BatchNormalization"),
        layer("MaxPooling2D", padding="same"),
        conv(kernel_size=2, padding="same", activation="elu"),
        layer("Dropout", rate=0.5),
        layer("GlobalAveragePooling2D"),
        layer("Dense", units=8, activation="relu"),
    ],
]

NEW_IMAGE_LAYERS = [
    [layer("LayerNormalization")],
    [layer("LayerNormalization", axis=3, epsilon=0.01, scale=False)],
    [layer("LayerNormalization", axis=[-1], center=False)],
    [layer("GroupNormalization", groups=3)],
    [layer("GroupNormalization", groups=1, epsilon=0.1, center=False)],
    [layer("GroupNormalization", groups=-1, scale=False)],
    [layer("DepthwiseConv2D", kernel_size=3)],
    [layer("DepthwiseConv2D", kernel_size=[2, 3], depth_multiplier=2, padding="same", strides=2)],
    [layer("DepthwiseConv2D", kernel_size=2, dilation_rate=2, activation="relu", use_bias=False)],
    [layer("SeparableConv2D", filters=4, kernel_size=3)],
    [
        layer(
            "SeparableConv2D",
            filters=5,
            kernel_size=[2, 3],
            depth_multiplier=2,
            strides=2,
            padding="same",
            activation="relu",
            use_bias=False,
        )
    ],
    *[
        [layer("Conv2DTranspose", filters=4, kernel_size=size, strides=step, padding=padding)]
        for padding in ("valid", "same")
        for size, step in (
            (3, 1),
            (2, 1),
            (3, 2),
            ([2, 4], [3, 2]),
            ([5, 2], [2, 2]),
            (1, 3),
            ([4, 2], [1, 3]),
        )
    ],
    [layer("Conv2DTranspose", filters=2, kernel_size=3, activation="tanh", use_bias=False)],
    [layer("Reshape", target_shape=[56, 3])],
    [layer("Reshape", target_shape=[8, -1])],
    [layer("Reshape", target_shape=[-1])],
    [layer("Permute", dims=[3, 1, 2])],
    [layer("ELU", alpha=0.7)],
    [layer("PReLU", shared_axes=[1, 2])],
    [layer("GaussianNoise", stddev=0.3)],
    [layer("SpatialDropout2D", rate=0.3)],
    [
        conv(padding="same", activation="relu", name="first"),
        conv(padding="same"),
        layer("Add", inbound_nodes=["first", "conv2d_1"], name="sum"),
        layer("GlobalAveragePooling2D", keepdims=True),
        layer("Dense", units=4, activation="sigmoid", name="gate"),
        layer("Multiply", inbound_nodes=["sum", "gate"]),
        layer("Concatenate", inbound_nodes=["multiply_5", "sum", "input"]),
        layer("BatchNormalization", trainable=False),
    ],
]

VECTOR_LAYERS = [
    [layer("Dense", units=7.0, activation="relu")],
    [layer("BatchNormalization", axis=1)],
    [layer("BatchNormalization", axis=-1, scale=False)],
    [layer("Softmax")],
    [layer("LeakyReLU", negative_slope=0.5)],
    [FLATTEN],
    [layer("LayerNormalization")],
    [layer("GroupNormalization", groups=2)],
    [layer("PReLU")],
    [layer("Reshape", target_shape=[3, 2]), layer("LSTM", units=2)],
    [layer("Dense", units=6, name="a"), layer("Add", inbound_nodes=["a", "input"])],
]

SERIES_LAYERS = [
    *[
        [layer("Conv1D", filters=6, kernel_size=size, **keywords)]
        for size, keywords in (
            (3, {}),
            ([2], {"strides": 2}),
            (4, {"padding": "same", "strides": [2]}),
            (3, {"padding": "same", "dilation_rate": 2, "activation": "relu"}),
            (3, {"padding": "causal"}),
            (2, {"padding": "causal", "dilation_rate": 3, "use_bias": False}),
            (3, {"groups": 2}),
        )
    ],
    *[
        [layer(f"{kind}Pooling1D", **keywords)]
        for kind in ("Max", "Average")
        for keywords in (
            {"pool_size": 2},
            {"pool_size": [3], "strides": 2, "padding": "same"},
            {"pool_size": 4, "strides": 1, "padding": "same"},
        )
    ],
    [layer("GlobalAveragePooling1D")],
    [layer("GlobalMaxPooling1D", keepdims=True)],
    [layer("ZeroPadding1D")],
    [layer("ZeroPadding1D", padding=[2, 1])],
    [layer("Dense", units=5, activation="softmax")],
    [layer("BatchNormalization")],
    [layer("LayerNormalization")],
    [layer("GroupNormalization", groups=2)],
    [layer("SpatialDropout1D", rate=0.5)],
    [layer("PReLU", shared_axes=[1])],
    [layer("Softmax")],
    [layer("Permute", dims=[2, 1])],
    [layer("Reshape", target_shape=[3, 3, 4]), conv()],
    [layer("LSTM", units=5)],
    [layer("LSTM", units=5, return_sequences=True)],
    [layer("LSTM", units=3, use_bias=False)],
    [layer("GRU", units=5)],
    [layer("GRU", units=5, return_sequences=True)],
    [layer("GRU", units=3, use_bias=False)],
    [layer("MultiHeadAttention", num_heads=2, key_dim=2)],
    [layer("MultiHeadAttention", num_heads=3, key_dim=5, value_dim=2, use_bias=False)],
    [
        layer("MultiHeadAttention", num_heads=2, key_dim=3, dropout=0.2),
        layer("Add", inbound_nodes=["input", "multi_head_attention_0"]),
        layer("LayerNormalization", name="normal"),
        layer("Dense", units=6, activation="gelu"),
        layer("Dense", units=4),
        layer("Add", inbound_nodes=["dense_4", "normal"]),
        layer("GlobalAveragePooling1D"),
    ],
]

VOLUME_LAYERS = [
    [layer("Conv3D", filters=3, kernel_size=2)],
    [layer("Conv3D", filters=3, kernel_size=[3, 2, 3], strides=[1, 2, 2], padding="same")],
    [layer("Conv3D", filters=4, kernel_size=3, padding="same", groups=2, activation="relu")],
    [layer("MaxPooling3D")],
    [layer("MaxPooling3D", pool_size=3, strides=2, padding="same")],
    [layer("AveragePooling3D", pool_size=[2, 3, 2], padding="same")],
    [layer("GlobalAveragePooling3D")],
    [layer("GlobalMaxPooling3D", keepdims=True)],
    [layer("ZeroPadding3D", padding=[[1, 0], [2, 1], [0, 3]])],
    [layer("ZeroPadding3D", padding=[1, 0, 2])],
    [layer("BatchNormalization")],
    [layer("Dense", units=3)],
]

EMBEDDING = layer("Embedding", input_dim=KNOWN_TOKENS, output_dim=4)
TOKEN_LAYERS = [
    [EMBEDDING],
    [EMBEDDING, layer("LSTM", units=3)],
    [EMBEDDING, layer("Conv1D", filters=3, kernel_size=2), layer("GlobalMaxPooling1D")],
]

CASES = [
    (layers, shape)
    for group, shape in (
        (IMAGE_LAYERS, IMAGE),
        (NEW_IMAGE_LAYERS, IMAGE),
        (VECTOR_LAYERS, VECTOR),
        (SERIES_LAYERS, SERIES),
        (VOLUME_LAYERS, VOLUME),
        (TOKEN_LAYERS, TOKENS),
    )
    for layers in group
]


def id_of(layers: list[dict[str, Any]]) -> str:
    return "+".join(
        "-".join(
            [given["layer_name"], *(f"{key}={value}" for key, value in list(given.items())[1:])]
        )
        for given in layers
    )


def has_tokens(spec: dict[str, Any]) -> bool:
    return any(given["layer_name"] == "Embedding" for given in spec["model_config"])


def keras_model(spec: dict[str, Any]) -> tuple[Any, list[Any]]:
    """The network by Keras itself, as a functional model, and its layers in order."""
    dtype = "int32" if has_tokens(spec) else "float32"
    entry = keras.Input(tuple(spec["input_shape"]), dtype=dtype)
    values, made, last = {"input": entry}, [], entry
    for position, given in enumerate(spec["model_config"]):
        keywords = {
            key: int(value) if isinstance(value, float) and value.is_integer() else value
            for key, value in given.items()
            if key not in ("layer_name", "inbound_nodes", "name")
        }
        made.append(getattr(keras.layers, given["layer_name"])(**keywords))
        taken = [values[name] for name in given.get("inbound_nodes", [])] or [last]
        if given["layer_name"] == "MultiHeadAttention":
            taken *= 2  # query and value
            last = made[-1](*taken)
        else:
            last = made[-1](taken if len(taken) > 1 else taken[0])
        values[given.get("name", default_name(given["layer_name"], position))] = last
    return keras.Model(entry, last), made


def randomise(network: Network) -> None:
    """Weights and batch statistics away from their defaults."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                tensor.normal_(generator=generator)
                if name.endswith("running_var"):
                    tensor.abs_().add_(0.1)


def gates_of_keras(rows: np.ndarray) -> np.ndarray:
    """Rows of a GRU's gates reset, update, new in the order update, reset, new."""
    reset, update, new = np.split(rows, 3)
    return np.concatenate([update, reset, new])


def recurrent_weights(module: nn.LSTM | nn.GRU) -> list[np.ndarray]:
    arrays = [tensor.detach().numpy() for tensor in module.parameters()]
    if isinstance(module, nn.GRU):
        arrays = [gates_of_keras(array) for array in arrays]
    biases = arrays[2:]
    if biases:
        biases = [np.stack(biases) if isinstance(module, nn.GRU) else np.sum(biases, axis=0)]
    return [arrays[0].T, arrays[1].T, *biases]


def attention_weights(module: SelfAttention) -> list[np.ndarray]:
    arrays = []
    for part in (module.query, module.key, module.value, module.output):
        kernel = part.weight.detach().numpy().T
        inward = part is not module.output
        heads = (len(kernel), module.heads, -1) if inward else (module.heads, -1, kernel.shape[1])
        arrays.append(kernel.reshape(heads))
        if part.bias is not None:
            bias = part.bias.detach().numpy()
            arrays.append(bias.reshape(module.heads, -1) if inward else bias)
    return arrays


def kernel_of_keras(name: str, weight: np.ndarray) -> np.ndarray:
    """A kernel in Keras' layout; ``name`` is the module's."""
    if "depthwise" in name:
        rows, _, height, width = weight.shape
        channels = CHANNELS_OF_DEPTHWISE
        return weight.reshape(channels, rows // channels, height, width).transpose(2, 3, 0, 1)
    if "embedding" in name or weight.ndim == 1:
        return weight
    return weight.transpose(*range(2, weight.ndim), 1, 0)


def weights_of(name: str, module: nn.Module) -> list[np.ndarray]:
    """One module's weights in the order and layout of Keras' ``set_weights``."""
    if isinstance(module, nn.LSTM | nn.GRU):
        return recurrent_weights(module)
    if isinstance(module, SelfAttention):
        return attention_weights(module)
    state = {key: tensor.numpy() for key, tensor in module.state_dict().items()}
    state.pop("num_batches_tracked", None)
    if "weight" in state:
        state["weight"] = kernel_of_keras(name, state["weight"])
    return list(state.values())


def copy_weights(network: SequentialNetwork, made: list[Any]) -> None:
    """Give Keras' layers the weights of the network's."""
    for step, keras_layer in zip(network.steps, made, strict=True):
        arrays = [
            array
            for name in step.modules
            for array in weights_of(name, network.get_submodule(name))
        ]
        shapes = [weight.shape for weight in keras_layer.get_weights()]
        for index, (array, shape) in enumerate(zip(arrays, shapes, strict=True)):
            if array.ndim == 1:  # a slope for each channel is (1, 1, C) in Keras
                arrays[index] = array.reshape(shape)
        keras_layer.set_weights(arrays)


def written_by_keras(spec: dict[str, Any], made: list[Any]) -> dict[str, Any]:
    """The same spec with all keywords that Keras writes for its layers."""
    entries = []
    for given, keras_layer in zip(spec["model_config"], made, strict=True):
        written = json.loads(json.dumps(keras_layer.get_config()))
        written.pop("name")
        own = {key: given[key] for key in ("layer_name", "inbound_nodes", "name") if key in given}
        entries.append({**written, **own})
    return {**spec, "model_config": entries}


@pytest.mark.parametrize(
    ("layers", "shape"), CASES, ids=[f"{len(shape)}-{id_of(layers)}" for layers, shape in CASES]
)
def test_layer_computes_what_keras_computes(layers: list[dict[str, Any]], shape: list[int]) -> None:
    spec = {"model_config": [*layers, FLATTEN, DENSE], "input_shape": shape}
    network = build(spec)
    assert isinstance(network, SequentialNetwork)
    randomise(network)
    model, made = keras_model(spec)
    copy_weights(network, made)
    rng = np.random.default_rng(2)
    inputs = (
        rng.integers(KNOWN_TOKENS, size=(5, *shape))
        if has_tokens(spec)
        else rng.normal(size=(5, *shape)).astype(np.float32)
    )
    with torch.no_grad():
        outputs = network(torch.from_numpy(inputs)).numpy()
    wanted = np.asarray(model(inputs, training=False))
    np.testing.assert_allclose(outputs, wanted, atol=TOLERANCE * max(1.0, np.abs(wanted).max()))
    again = build(written_by_keras(spec, made))
    again.load_state_dict(network.state_dict())
    with torch.no_grad():
        np.testing.assert_array_equal(again(torch.from_numpy(inputs)).numpy(), outputs)


def test_every_layer_is_compared() -> None:
    compared = {given["layer_name"] for layers, _ in CASES for given in layers}
    assert compared == set(LAYERS)


def test_alpha_is_the_slope_of_keras_2() -> None:
    specs = [
        {"model_config": [layer("LeakyReLU", **{key: 0.2}), DENSE], "input_shape": VECTOR}
        for key in ("alpha", "negative_slope")
    ]
    inputs = torch.randn(3, *VECTOR, generator=torch.Generator().manual_seed(0))
    first, second = (build(spec)(inputs) for spec in specs)
    torch.testing.assert_close(first, second, rtol=0, atol=0)
