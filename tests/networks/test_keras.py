"""Every layer against Keras' own, with the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gengap.networks import LAYERS, Network, build
from gengap.networks.activation_functions import ACTIVATIONS

tensorflow = pytest.importorskip("tensorflow")
keras = tensorflow.keras

IMAGE = [7, 8, 3]
VECTOR = [6]
TOLERANCE = 1e-5

FLATTEN = {"layer_name": "Flatten"}
DENSE = {"layer_name": "Dense", "units": 4}


def conv(**keywords: Any) -> dict[str, Any]:
    return {"layer_name": "Conv2D", "filters": 4, "kernel_size": [3, 3], **keywords}


def layer(name: str, **keywords: Any) -> dict[str, Any]:
    return {"layer_name": name, **keywords}


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

VECTOR_LAYERS = [
    [layer("Dense", units=7.0, activation="relu")],
    [layer("BatchNormalization", axis=1)],
    [layer("BatchNormalization", axis=-1, scale=False)],
    [layer("Softmax")],
    [layer("LeakyReLU", negative_slope=0.5)],
    [FLATTEN],
]


def id_of(layers: list[dict[str, Any]]) -> str:
    return "+".join(
        "-".join(
            [given["layer_name"], *(f"{key}={value}" for key, value in list(given.items())[1:])]
        )
        for given in layers
    )


def keras_model(spec: dict[str, Any]) -> Any:
    """The network by Keras itself, made as PGDL's own loader does."""
    model = keras.Sequential([keras.Input(tuple(spec["input_shape"]))])
    for given in spec["model_config"]:
        keywords = {
            key: int(value) if isinstance(value, float) and value.is_integer() else value
            for key, value in given.items()
            if key != "layer_name"
        }
        model.add(getattr(keras.layers, given["layer_name"])(**keywords))
    return model


def randomise(network: Network) -> None:
    """Weights and batch statistics away from their defaults."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                tensor.normal_(generator=generator)
                if name.endswith("running_var"):
                    tensor.abs_().add_(0.1)


def keras_weights(network: Network) -> list[np.ndarray]:
    """The network's weights in the order and layout of Keras' ``set_weights``."""
    arrays = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            arrays.append(module.weight.permute(2, 3, 1, 0))
        elif isinstance(module, nn.Linear):
            arrays.append(module.weight.T)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.weight is not None:
            arrays.append(module.weight)
        bias = getattr(module, "bias", None)
        if bias is not None:
            arrays.append(bias)
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            arrays += [module.running_mean, module.running_var]
    return [array.detach().numpy() for array in arrays]


def check(layers: list[dict[str, Any]], input_shape: list[int]) -> None:
    ends = [] if len(input_shape) == 1 else [FLATTEN]
    spec = {"model_config": [*layers, *ends, DENSE], "input_shape": input_shape}
    network = build(spec)
    randomise(network)
    model = keras_model(spec)
    model.set_weights(keras_weights(network))
    inputs = np.random.default_rng(2).normal(size=(5, *input_shape)).astype(np.float32)
    with torch.no_grad():
        found = network(torch.from_numpy(inputs)).numpy()
    wanted = np.asarray(model(inputs, training=False))
    np.testing.assert_allclose(found, wanted, atol=TOLERANCE * max(1.0, np.abs(wanted).max()))


@pytest.mark.parametrize("layers", IMAGE_LAYERS, ids=id_of)
def test_layer_on_images_computes_what_keras_computes(layers: list[dict[str, Any]]) -> None:
    check(layers, IMAGE)


@pytest.mark.parametrize("layers", VECTOR_LAYERS, ids=id_of)
def test_layer_on_vectors_computes_what_keras_computes(layers: list[dict[str, Any]]) -> None:
    check(layers, VECTOR)


def test_every_layer_is_compared() -> None:
    compared = {given["layer_name"] for layers in IMAGE_LAYERS for given in layers}
    assert compared == set(LAYERS)


def test_alpha_is_the_slope_of_keras_2() -> None:
    specs = [
        {"model_config": [layer("LeakyReLU", **{key: 0.2}), DENSE], "input_shape": VECTOR}
        for key in ("alpha", "negative_slope")
    ]
    inputs = torch.randn(3, *VECTOR, generator=torch.Generator().manual_seed(0))
    first, second = (build(spec)(inputs) for spec in specs)
    torch.testing.assert_close(first, second, rtol=0, atol=0)
