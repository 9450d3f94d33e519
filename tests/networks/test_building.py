"""Specs: what is accepted, what is refused and how it is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gengap.errors import GengapError, MachineError
from gengap.networks import build, weights_of
from gengap.networks.layers import LAYERS, ignored_keywords

IMAGE = [8, 8, 1]
CONV = {"layer_name": "Conv2D", "filters": 2, "kernel_size": 3}
FLATTEN = {"layer_name": "Flatten"}
DENSE = {"layer_name": "Dense", "units": 3}


def sequential(*layers: Any, input_shape: Any = IMAGE) -> dict[str, Any]:
    return {"model_config": list(layers), "input_shape": input_shape}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (sequential({"layer_name": "Conv4D"}, DENSE), ["Layer 0", "'Conv4D'", "Conv2D", "Softmax"]),
        (sequential({"layer_name": ["Dense"]}), ["Layer 0", "['Dense']"]),
        (sequential(CONV, "Dense"), ["Layer 1", "layer_name"]),
        (
            sequential(CONV, {**DENSE, "neurons": 2}),
            ["Layer 1 (Dense)", "'neurons'", "units", "kernel_initializer"],
        ),
        (sequential({"layer_name": "Dense"}), ["Layer 0 (Dense)", "'units' is missing"]),
        (sequential({**CONV, "filters": 2.5}), ["filters is 2.5", "integer"]),
        (sequential({**CONV, "filters": True}), ["filters is True"]),
        (sequential({**CONV, "filters": 0}), ["filters is 0", "at least 1"]),
        (sequential({**CONV, "kernel_size": [3, 3, 3]}), ["kernel_size", "two of them"]),
        (sequential({**CONV, "padding": "full"}), ["padding is 'full'", "same, valid"]),
        (sequential({**CONV, "activation": "mish"}), ["activation is 'mish'", "relu"]),
        (sequential({**CONV, "use_bias": "no"}), ["use_bias is 'no'", "true or false"]),
        (sequential({**CONV, "data_format": "channels_first"}), ["channels_first"]),
        (sequential({**CONV, "dtype": "float16"}), ["dtype is 'float16'"]),
        (
            sequential(
                {**CONV, "dtype": {"class_name": "DTypePolicy", "config": {"name": "bf16"}}}
            ),
            ["dtype is 'bf16'"],
        ),
        (sequential({**DENSE, "quantization_config": {}}), ["quantization_config is set"]),
        (
            sequential({"layer_name": "BatchNormalization", "renorm": True}),
            ["renorm is True", "only false"],
        ),
        (sequential({**CONV, "groups": 2}), ["groups is 2", "1 channels"]),
        (sequential({**CONV, "strides": 2, "dilation_rate": 2}), ["strides and dilation_rate"]),
        (sequential({**CONV, "kernel_size": 9}), ["Layer 0", "9x9", "8x8"]),
        (sequential({**CONV, "dilation_rate": 4}), ["9x9", "8x8"]),
        (
            sequential(*[{"layer_name": "MaxPooling2D"}] * 4, FLATTEN, DENSE),
            ["Layer 3 (MaxPooling2D)", "2x2", "1x1", "fewer poolings"],
        ),
        (sequential(FLATTEN, CONV), ["Layer 1 (Conv2D)", "[64]", "before Flatten"]),
        (sequential(CONV), ["last layer of model_config (0)", "[6, 6, 2]", "Flatten"]),
        (sequential(FLATTEN), ["no layer with a kernel", "Conv2D or Dense"]),
        (sequential(), ["no layers"]),
        (sequential({"layer_name": "BatchNormalization", "axis": 1}), ["axis is 1", "last axis"]),
        (sequential({"layer_name": "Dropout", "rate": 1.5}), ["rate is 1.5"]),
        (sequential({"layer_name": "Dropout", "rate": float("nan")}), ["rate is nan"]),
        (sequential({"layer_name": "Dropout", "rate": 0.5, "noise_shape": [1]}), ["noise_shape"]),
        (sequential({"layer_name": "LeakyReLU", "alpha": 0.1, "negative_slope": 0.1}), ["alpha"]),
        (sequential({"layer_name": "ZeroPadding2D", "padding": [1, 2, 3]}), ["[rows, columns]"]),
        (sequential(DENSE, input_shape=[8, 8]), ["outputs of shape [8, 3]", "global pooling"]),
        (sequential(DENSE, input_shape=[8] * 5), ["input_shape is [8, 8, 8, 8, 8]", "[length"]),
        (sequential(DENSE, input_shape=[0]), ["input_shape is 0"]),
        ({"model_config": [DENSE]}, ["input_shape is missing"]),
        ({"model_config": {}, "input_shape": IMAGE}, ["model_config", "list"]),
        ({**sequential(FLATTEN, DENSE), "classes": 3}, ["Unknown key 'classes'"]),
        ({"input_shape": IMAGE}, ["model_config", "architecture"]),
        ({"architecture": "alexnet9", "input_shape": IMAGE}, ["'alexnet9'", "lenet", "resnet18"]),
        ({"architecture": ["lenet"], "input_shape": IMAGE}, ["['lenet']"]),
        ({"architecture": "lenet", "input_shape": IMAGE}, ["lenet", "'classes' is missing"]),
        (
            {"architecture": "lenet", "input_shape": IMAGE, "classes": 3, "width": 2},
            ["lenet", "'width'", "activation"],
        ),
        (
            {"architecture": "lenet", "input_shape": [2, 2, 1], "classes": 3},
            ["lenet", "Layer 3 (AveragePooling2D)", "1x1"],
        ),
        (
            {"architecture": "resnet18", "input_shape": IMAGE, "classes": 3, "wide": 2},
            ["resnet18", "'wide'", "width"],
        ),
        (
            {"architecture": "resnet18", "input_shape": [64], "classes": 3},
            ["resnet18", "[height, width, channels]"],
        ),
    ],
)
def test_bad_specs_are_refused_by_name(spec: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(GengapError) as caught:
        build(spec)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_integral_floats_stand_for_integers() -> None:
    floats = sequential(
        {"layer_name": "Conv2D", "filters": 2.0, "kernel_size": [3.0, 3.0], "strides": 1.0},
        FLATTEN,
        {"layer_name": "Dense", "units": 3.0},
        input_shape=[8.0, 8.0, 1.0],
    )
    integers = sequential(CONV, FLATTEN, DENSE)
    shapes = [{k: v.shape for k, v in build(s).state_dict().items()} for s in (floats, integers)]
    assert shapes[0] == shapes[1]


def test_axis_may_be_the_list_that_keras_2_writes() -> None:
    for axis in (3, [3], -1, [-1]):
        given = {"layer_name": "BatchNormalization", "axis": axis}
        assert build(sequential(CONV, given, FLATTEN, DENSE)).outputs == 3


def with_ignored_keywords(layer: dict[str, Any]) -> dict[str, Any]:
    ignored = dict.fromkeys(ignored_keywords(layer["layer_name"]), "x")
    fixed = {"dtype": "float32", "quantization_config": None}
    return {**layer, **ignored, **{key: fixed[key] for key in fixed if key in ignored}}


def test_ignored_keywords_change_nothing() -> None:
    inputs = torch.rand(2, *IMAGE, generator=torch.Generator().manual_seed(0))
    bare: list[dict[str, Any]] = [CONV, {"layer_name": "BatchNormalization"}, FLATTEN, DENSE]
    full = [with_ignored_keywords(layer) for layer in bare]
    outputs = [build(sequential(*layers))(inputs) for layers in (bare, full)]
    torch.testing.assert_close(outputs[0], outputs[1], rtol=0, atol=0)


def test_a_config_of_keras_3_builds() -> None:
    """The keys that Keras 3.15 writes for a layer, as it writes them."""
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}}
    common = {"trainable": True, "dtype": policy}
    written = {
        "layer_name": "BatchNormalization",
        **common,
        "axis": -1,
        "synchronized": False,
        "renorm": False,
        "renorm_clipping": None,
        "renorm_momentum": 0.99,
    }
    last = {**DENSE, **common, "quantization_config": None, "kernel_regularizer": None}
    assert build(sequential(written, FLATTEN, last)).outputs == 3


def test_no_ignored_keyword_is_one_that_a_layer_reads() -> None:
    for name, function in LAYERS.items():
        assert not ignored_keywords(name) & set(function.__kwdefaults__ or {})


def test_names_of_weights_are_readable_and_follow_the_spec() -> None:
    network = build(
        sequential(
            {**CONV, "activation": "relu", "strides": 2, "padding": "same"},
            {"layer_name": "BatchNormalization"},
            FLATTEN,
            {**DENSE, "use_bias": False},
        )
    )
    assert list(network.state_dict()) == [
        "conv2d_0.weight",
        "conv2d_0.bias",
        "batch_normalization_1.weight",
        "batch_normalization_1.bias",
        "batch_normalization_1.running_mean",
        "batch_normalization_1.running_var",
        "batch_normalization_1.num_batches_tracked",
        "dense_3.weight",
    ]


def test_spec_is_kept_and_independent_of_the_caller() -> None:
    spec = sequential(CONV, FLATTEN, DENSE)
    network = build(spec)
    spec["model_config"][0] = {**CONV, "filters": 99}
    assert network.spec["model_config"][0] == CONV
    assert json.loads(json.dumps(network.spec)) == network.spec


def test_built_networks_are_alike_and_leave_the_random_state_alone() -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = build(sequential(CONV, FLATTEN, DENSE))
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(1)
    second = build(sequential(CONV, FLATTEN, DENSE))
    assert not first.training
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name])


def test_a_spec_can_be_checked_on_the_meta_device() -> None:
    spec = {"architecture": "resnet18", "input_shape": [32, 32, 3], "classes": 10, "width": 512}
    with torch.device("meta"):
        network = build(spec)
        with pytest.raises(GengapError, match="Layer 0"):
            build(sequential({**CONV, "kernel_size": 99}))
    assert {parameter.device.type for parameter in network.parameters()} == {"meta"}
    assert network(torch.empty(2, 32, 32, 3, device="meta")).shape == (2, 10)


def test_inputs_of_another_shape_are_refused() -> None:
    network = build(sequential(CONV, FLATTEN, DENSE))
    with pytest.raises(GengapError, match=r"\[8, 8, 1\], not \[1, 8, 8\].*resize"):
        network(torch.zeros(2, 1, 8, 8))


def test_pgdl_configs_build(shared: Callable[[str], Path]) -> None:
    configs = sorted(shared("pgdl/toy_data").glob("model_*/config.json"))
    assert len(configs) == 18
    for path in configs:
        network = build(json.loads(path.read_text()))
        assert network(torch.zeros(4, 3)).shape == (4, 2)


def test_a_network_larger_than_memory_is_one_sentence() -> None:
    layers = [{"layer_name": "Dense", "units": 10**9}]
    with pytest.raises(MachineError, match="does not fit into the memory"):
        build({"model_config": layers, "input_shape": [10**6]})


@pytest.mark.parametrize("spec", [{}, [], None, "x", {"model_config": [], "keras": "m.keras"}])
def test_what_is_no_spec_is_refused(spec: Any) -> None:
    with pytest.raises(GengapError, match="with one of the keys model_config"):
        build(spec)


def test_weights_follow_from_the_seed() -> None:
    spec = {"model_config": [FLATTEN, DENSE], "input_shape": IMAGE}
    networks = [build(spec, seed=seed) for seed in (1, 1, 2)]
    first, again, other = (next(iter(weights_of(network).values())) for network in networks)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
