"""The family as a whole: every kind of network and data, seeds, invariances, refusals."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.measures.pgdl.conftest import Builder, Data, value
from torch import Tensor, nn

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.measures import MeasureResults, Subject, compute
from gengap.measures.registry import members
from gengap.networks import build, convolutional, dense, forward_hooks, weight_layers

NAMES = [
    "always_generalize",
    "negative_augmented_margin",
    "vc_dimension",
    "interpex",
    "davies_bouldin_index",
    "mixup_error",
    "manifold_mixup_error",
    "jacobian_norm",
    "sharpness",
    "brain",
    "brain_80_neighbours",
    "label_variation",
]
BOUNDS = {
    "always_generalize": (0, 27),
    "davies_bouldin_index": (0, math.inf),
    "interpex": (0, math.inf),
    "mixup_error": (0, 1),
    "manifold_mixup_error": (0, 1),
    "jacobian_norm": (0, math.inf),
    "sharpness": (-math.log(2) - 1e-9, math.log(1e4) + 1e-9),
    "brain": (0, 0.25),
    "brain_80_neighbours": (0, 0.25),
    "label_variation": (0, 0.25),
    "vc_dimension": (0, math.inf),
}

SOFTMAX_ON_FOUR_CHANNELS = {
    "model_config": [
        {"layer_name": "Conv2D", "filters": 4, "kernel_size": [3, 3], "strides": 2},
        {"layer_name": "BatchNormalization"},
        {"layer_name": "ReLU"},
        {"layer_name": "Conv2D", "filters": 5, "kernel_size": 3, "padding": "same"},
        {"layer_name": "GlobalAveragePooling2D"},
        {"layer_name": "Softmax"},
    ],
    "input_shape": [9, 7, 4],
}
ONE_LAYER = {"model_config": [{"layer_name": "Dense", "units": 3}], "input_shape": [5]}
ONE_OUTPUT = {
    "model_config": [
        {"layer_name": "Dense", "units": 4, "activation": "tanh"},
        {"layer_name": "Dense", "units": 1},
    ],
    "input_shape": [3],
}
RESNET = {"architecture": "resnet18", "input_shape": [8, 8, 3], "classes": 3, "width": 2}
SPECS = {
    "grey": (convolutional((8, 8, 1), 3, width=4, depth=2), 3),
    "colour": (convolutional((8, 8, 3), 3, width=4, depth=1, batch_normalisation=True), 3),
    "line": (convolutional((1, 12, 2), 3, width=4, depth=1), 3),
    "dense on images": (dense((5, 5, 3), 3, width=6, depth=2), 3),
    "dense on vectors": (dense((3,), 3, width=6, depth=3), 3),
    "one layer": (ONE_LAYER, 3),
    "one output": (ONE_OUTPUT, 2),
    "softmax": (SOFTMAX_ON_FOUR_CHANNELS, 5),
    "resnet": (RESNET, 3),
}


def family(network: nn.Module, train: Split, seed: int = 0) -> MeasureResults:
    return compute("competition", Subject(network, None, train, np.random.default_rng(seed)))


def numbers(results: MeasureResults) -> dict[str, float]:
    return {name: value for name, value in results.items() if isinstance(value, float)}


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=pytest.mark.slow) if kind == "resnet" else kind for kind in SPECS],
)
def test_every_network_of_the_spec_has_every_measure(
    kind: str, seeded: Builder, images: Data
) -> None:
    spec, classes = SPECS[kind]
    network = seeded(spec)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    train = images(40, tuple(spec["input_shape"]), classes)
    inputs = train.inputs.copy()
    values = numbers(family(network, train))
    assert list(values) == NAMES
    for name, (low, high) in BOUNDS.items():
        assert low <= values[name] <= high, name
    assert math.isfinite(values["negative_augmented_margin"])
    assert values["interpex"] == pytest.approx(
        values["davies_bouldin_index"] * values["mixup_error"]
    )
    for name, weight in network.state_dict().items():
        assert torch.equal(before[name], weight)
    assert not network.training
    np.testing.assert_array_equal(train.inputs, inputs)


@pytest.mark.slow
def test_the_seed_decides(seeded: Builder, images: Data) -> None:
    network = seeded(convolutional((8, 8, 3), 3, width=4, depth=2))
    train = images(300)
    values = family(network, train, seed=1)
    assert family(network, train, seed=1) == values
    others = family(network, train, seed=2)
    assert {name for name in NAMES if others[name] != values[name]} >= {
        "always_generalize",
        "negative_augmented_margin",
        "mixup_error",
        "manifold_mixup_error",
        "davies_bouldin_index",
        "brain",
    }
    assert others["vc_dimension"] == values["vc_dimension"]


def test_one_measure_alone_is_that_of_the_family(seeded: Builder, images: Data) -> None:
    network, train = seeded(dense((4,), 3, width=6, depth=1)), images(50, (4,))
    values = family(network, train)
    for name in NAMES:
        subject = Subject(network, None, train, np.random.default_rng(0))
        alone = compute(f"competition:{name}", subject)
        assert alone == {name: values[name]}


@pytest.mark.slow
def test_the_order_of_the_training_data_does_not_matter(seeded: Builder, images: Data) -> None:
    network, train = seeded(convolutional((8, 8, 3), 3, width=4, depth=2)), images(90)
    order = np.random.default_rng(5).permutation(90)
    shuffled = Split(train.inputs[order], train.labels[order], 3)
    values, again = family(network, train), family(network, shuffled)
    # These use all of so few inputs, and draw nothing else.
    for name in ("davies_bouldin_index", "jacobian_norm", "label_variation", "vc_dimension"):
        assert again[name] == pytest.approx(values[name], rel=1e-5), name


def test_a_network_with_constant_outputs(seeded: Builder, images: Data) -> None:
    network, train = seeded(convolutional((8, 8, 3), 3, width=4, depth=1)), images(60)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    values = family(network, train)
    for name in ("always_generalize", "negative_augmented_margin", "davies_bouldin_index"):
        assert values[name] == 0.0
    # All inputs are taken for class 0, so the two other classes are wrong throughout.
    assert values["mixup_error"] == values["manifold_mixup_error"] == pytest.approx(2 / 3)
    assert values["jacobian_norm"] == 0.0
    assert values["sharpness"] == pytest.approx(-math.log(2))
    # All features tie, so every input is every other's neighbour.
    counts = np.bincount(train.labels)
    pairs = (counts**2).sum() - counts.sum()
    assert values["label_variation"] == pytest.approx((60 - pairs / 59) / (4 * 60))


@pytest.mark.parametrize(
    ("inputs", "labels", "left_out", "sentence"),
    [
        (
            10,
            [1] * 10,
            {"interpex", "davies_bouldin_index"},
            "The Davies-Bouldin index needs training inputs of two classes: give such data.",
        ),
        (
            3,
            [0, 1, 2],
            {"interpex", "mixup_error", "manifold_mixup_error"},
            "No class has two training inputs, so none can be mixed: give more training data.",
        ),
    ],
)
def test_data_without_two_classes_or_two_inputs_of_one_cost_the_measures_that_need_them(
    inputs: int, labels: list[int], left_out: set[str], sentence: str, seeded: Builder
) -> None:
    network = seeded(dense((3,), 3, width=4, depth=1))
    data = np.random.default_rng(0).random((inputs, 3), dtype=np.float32)
    results = family(network, Split(data, np.array(labels), 3))
    assert results.left_out == dict.fromkeys(left_out, sentence)
    assert set(results) == set(NAMES) - left_out


@pytest.mark.parametrize("name", ["brain", "label_variation", "mixup_error"])
def test_a_single_input_is_refused(name: str, seeded: Builder) -> None:
    network = seeded(dense((3,), 2, width=4, depth=1))
    train = Split(np.ones((1, 3), np.float32), np.array([0]), 2)
    with pytest.raises(GengapError):
        compute(f"competition:{name}", Subject(network, None, train, np.random.default_rng(0)))


def test_a_package_is_a_family_of_its_own_modules_measures(tmp_path: Path) -> None:
    assert list(members("competition")) == NAMES
    homes = {function.__module__ for function in members("competition").values()}
    assert all(home.startswith("gengap.measures.pgdl.") for home in homes)
    assert set(members("baseline")).isdisjoint(NAMES)
    borrowed = tmp_path / "mine.py"
    borrowed.write_text(
        "from gengap.measures import measure\n"
        "from gengap.measures.pgdl import brain\n"
        "@measure()\n"
        "def own(subject):\n"
        "    return 0.0\n"
    )
    assert list(members(str(borrowed))) == ["own"]


@pytest.mark.parametrize(
    "name", ["jacobian_norm", "mixup_error", "manifold_mixup_error", "negative_augmented_margin"]
)
def test_batches_adapt_to_the_largest_layer(
    name: str, images: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = [
        {"layer_name": "Conv2D", "filters": 8, "kernel_size": 3, "activation": "relu"},
        {"layer_name": "Flatten"},
        {"layer_name": "Dense", "units": 3},
    ]
    network = build({"model_config": layers, "input_shape": [8, 8, 3]}).eval()
    expected = value(name, network, images())
    largest = 4 * 8 * 6 * 6  # bytes of the convolution's output for one input
    monkeypatch.setattr("gengap.networks.inference.LAYER_BYTES", 5 * largest)
    sizes: list[int] = []

    def remember(_module: nn.Module, _arguments: object, output: Tensor) -> None:
        sizes.append(len(output))

    with forward_hooks([weight_layers(network)[0][1]], remember):
        assert value(name, network, images()) == pytest.approx(expected, rel=1e-5)
    assert max(sizes) == 5


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("jacobian_norm", "gengap.networks.inference.GRAPH_BYTES"),
        ("negative_augmented_margin", "gengap.networks.inference.GRAPH_BYTES"),
        pytest.param("sharpness", "gengap.networks.inference.GRAPH_BYTES", marks=pytest.mark.slow),
        ("brain", "gengap.measures.pgdl.smoothness.FEATURE_BYTES"),
        ("label_variation", "gengap.measures.pgdl.smoothness.FEATURE_BYTES"),
        ("interpex", "gengap.networks.inference.LAYER_BYTES"),
    ],
)
def test_less_memory_changes_nothing_but_rounding(
    name: str, limit: str, images: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = [
        {"layer_name": "Conv2D", "filters": 8, "kernel_size": 3, "activation": "relu"},
        {"layer_name": "Flatten"},
        {"layer_name": "Dense", "units": 3},
    ]
    torch.manual_seed(0)
    network = build({"model_config": layers, "input_shape": [8, 8, 3]}).eval()
    expected = value(name, network, images())
    monkeypatch.setattr(limit, 40_000)
    monkeypatch.setattr("gengap.measures.pgdl.smoothness.BLOCK", 16)
    assert value(name, network, images()) == pytest.approx(expected, rel=1e-5)
