"""The work that is planned for networks, against what PyTorch counts and what measures do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from gengap import limits
from gengap.activations import sample
from gengap.datasets import Split
from gengap.measures import Subject, compute
from gengap.networks import Network, build, forward_hooks, weight_layers
from gengap.planning import resources, work

CONVOLUTIONAL: list[dict[str, Any]] = [
    {"layer_name": "Conv2D", "filters": 6, "kernel_size": [3, 3], "padding": "same"},
    {"layer_name": "MaxPooling2D", "pool_size": 2},
    {"layer_name": "Conv2D", "filters": 8, "kernel_size": 3, "strides": 2, "activation": "relu"},
    {"layer_name": "DepthwiseConv2D", "kernel_size": 2, "padding": "same"},
    {"layer_name": "SeparableConv2D", "kernel_size": 3, "filters": 5, "padding": "same"},
    {"layer_name": "Conv2DTranspose", "kernel_size": 3, "filters": 4, "strides": 2},
    {"layer_name": "Flatten"},
    {"layer_name": "Dense", "units": 7, "activation": "relu"},
    {"layer_name": "Dense", "units": 3},
]
BRANCHES: list[dict[str, Any]] = [
    {"layer_name": "Dense", "units": 6, "activation": "relu", "name": "first"},
    {"layer_name": "Dense", "units": 5, "inbound_nodes": ["first"], "name": "second"},
    {"layer_name": "Concatenate", "inbound_nodes": ["first", "second"]},
    {"layer_name": "Dense", "units": 4},
]


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        (CONVOLUTIONAL, (16, 15, 3)),
        (CONVOLUTIONAL[6:], (4, 4, 2)),
        (BRANCHES, (9,)),
        (
            [
                {"layer_name": "Conv1D", "filters": 5, "kernel_size": 3, "padding": "causal"},
                {"layer_name": "GlobalAveragePooling1D"},
                {"layer_name": "Dense", "units": 3},
            ],
            (12, 4),
        ),
    ],
)
def test_multiplications_are_those_that_pytorch_counts(
    layers: list[dict[str, Any]], shape: tuple[int, ...]
) -> None:
    spec = {"model_config": layers, "input_shape": list(shape)}
    network = build(spec)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, *shape))
    # PyTorch counts a multiplication and an addition.
    assert work.multiplications(spec) == (counter.get_total_flops() // 2, layers[-1]["units"])


@pytest.mark.parametrize(
    ("layers", "shape", "expected"),
    [
        # Each of 7 steps: 4 gates, whose 5 units have 3 inputs and 5 states. Then 5 to 2.
        (
            [
                {"layer_name": "Embedding", "input_dim": 11, "output_dim": 3},
                {"layer_name": "LSTM", "units": 5},
                {"layer_name": "Dense", "units": 2},
            ],
            (7,),
            7 * 4 * 5 * (3 + 5) + 5 * 2,
        ),
        # All steps go on: 7 times 3 gates, 7 times one gate of the last layer's 4 units.
        (
            [
                {"layer_name": "GRU", "units": 5, "return_sequences": True},
                {"layer_name": "SimpleRNN", "units": 4},
                {"layer_name": "Dense", "units": 2},
            ],
            (7, 3),
            7 * 3 * 5 * (3 + 5) + 7 * 1 * 4 * (5 + 4) + 4 * 2,
        ),
        # 6x5 pixels become 10x9 at most; a window of 3 has 8x7 places.
        (
            [
                {"layer_name": "ZeroPadding2D", "padding": [[1, 2], [2, 0]]},
                {"layer_name": "Conv2D", "filters": 4, "kernel_size": 3},
            ],
            (6, 5, 2),
            8 * 7 * 3 * 3 * 2 * 4,
        ),
        (
            [
                {"layer_name": "ZeroPadding1D", "padding": 1},
                {"layer_name": "Conv1D", "filters": 4, "kernel_size": 3},
            ],
            (6, 2),
            6 * 3 * 2 * 4,
        ),
    ],
)
def test_multiplications_of_sequences_and_padded_images_by_hand(
    layers: list[dict[str, Any]], shape: tuple[int, ...], expected: int
) -> None:
    counted = work.multiplications({"input_shape": shape, "model_config": layers})

    assert counted is not None
    assert counted[0] == expected


def test_other_networks_have_no_counted_work() -> None:
    assert work.multiplications({"architecture": "resnet20"}) is None
    attention = [{"layer_name": "MultiHeadAttention", "num_heads": 1, "key_dim": 2}]
    assert work.multiplications({"model_config": attention, "input_shape": [3, 4]}) is None


def passes_through(network: nn.Module, run: Any) -> int:
    """Count the inputs that go through a network's first layer."""
    passes = 0

    def count(_module: nn.Module, _arguments: object, output: Tensor) -> None:
        nonlocal passes
        passes += len(output)

    with forward_hooks([weight_layers(network)[0][1]], count):
        run()
    return passes


@pytest.fixture
def dense() -> Network:
    torch.manual_seed(0)
    layers: list[dict[str, Any]] = [
        {"layer_name": "Flatten"},
        {"layer_name": "Dense", "units": 60, "activation": "relu"},
        {"layer_name": "Dense", "units": 10},
    ]
    return build({"model_config": layers, "input_shape": [2, 2, 3]})


@pytest.fixture
def images() -> Split:
    rng = np.random.default_rng(0)
    labels = np.arange(2500) % 10
    return Split(rng.random((2500, 2, 2, 3), dtype=np.float32), labels, 10)


@pytest.mark.parametrize("family", work.COUNTED_FAMILIES)
def test_the_planned_passes_are_those_that_measures_make(
    family: str, dense: Network, images: Split
) -> None:
    subject = Subject(dense, None, images, np.random.default_rng(0))
    passes = passes_through(dense, lambda: compute(family, subject, slow=False))
    planned = work.passes_of_family(family, len(images.labels), 10, slow=False)
    assert planned is not None
    # A planned gradient is several passes, of which one goes through the layers.
    assert passes <= 1.01 * planned
    assert passes > 0.5 * planned


def test_other_families_are_not_counted() -> None:
    assert work.passes_of_family("curvature", 1000, 10, slow=True) is None


@pytest.mark.parametrize("sampling", ["uniform", "importance"])
def test_the_planned_passes_of_activations_are_made(
    sampling: str, dense: Network, images: Split
) -> None:
    def run() -> None:
        rng = np.random.default_rng(0)
        sample(dense, images.inputs[:50], neurons=20, draws=2, sampling=sampling, rng=rng)

    planned = work.passes_of_activations({"inputs": 50, "sampling": sampling})
    # One more input, at most twice, measures the layers.
    assert planned <= passes_through(dense, run) <= planned + 2


def shard(folder: Path, width: int, networks: int = 1) -> resources.Files:
    """Write the files of a shard of convolutional networks on 300 images."""
    layers = [{"layer_name": "Conv2D", "filters": width, "kernel_size": 3, "padding": "same"}]
    specs = []
    for network in range(networks):
        specs.append(folder / f"{network}.json")
        spec = {"model_config": layers, "input_shape": [32, 32, 3]}
        specs[-1].write_text(json.dumps(spec))
    train = folder / "train.safetensors"
    labels = np.zeros(50_000, np.int64)
    save_file({"inputs": np.zeros((50_000, 1), np.float32), "labels": labels}, train)
    return resources.Files(train, folder / "test.safetensors", tuple(specs), (), networks)


def test_time_follows_the_networks_and_the_data(tmp_path: Path) -> None:
    narrow = resources.minutes_of_measures(["competition"], shard(tmp_path, 16), slow=False)
    wide = resources.minutes_of_measures(["competition"], shard(tmp_path, 16_000), slow=False)
    slow = resources.minutes_of_measures(["competition"], shard(tmp_path, 16_000), slow=True)
    assert narrow < wide < slow
    several = resources.minutes_of_measures(["competition"], shard(tmp_path, 16_000, 3), slow=False)
    assert several - 90 == pytest.approx(3 * (wide - 60), abs=6)
    files = shard(tmp_path, 16_000)
    assert resources.samples_of(files.train) == 50_000
    # 3 x 3 x 3 x 16,000 multiplications at 1024 places, on a core that does 20 billion a second.
    seconds = 27 * 16_000 * 1024 * 50_000 / 2e10
    assert resources.minutes_of_import(files) == pytest.approx(30 + seconds / 60, abs=1)


def test_networks_of_unknown_work_get_a_default(tmp_path: Path) -> None:
    files = shard(tmp_path, 16)
    files.specs[0].write_text("{}")
    known = resources.minutes_of_import(shard(tmp_path, 1))
    files.specs[0].write_text('{"architecture": "resnet20"}')
    assert resources.minutes_of_import(files) == known - 1 + 60
    files.specs[0].write_text("no JSON")
    assert resources.minutes_of_import(files) == known - 1 + 60


def test_memory_follows_the_data_and_the_weights(tmp_path: Path) -> None:
    train, weights = tmp_path / "train.safetensors", tmp_path / "weights.safetensors"
    files = resources.Files(train, tmp_path / "test.safetensors", (), (weights,), 1)
    assumed = resources.memory_of_measures(["competition"], files, "cpu")
    train.write_bytes(bytes(5_000_000))
    known = resources.memory_of_measures(["competition"], files, "cpu")
    assert assumed - known == resources.ASSUMED_DATA - 5
    weights.write_bytes(bytes(2_000_000))
    more = resources.memory_of_measures(["competition"], files, "cpu")
    assert more == known + 2 * resources.COPIES
    curvature = resources.memory_of_measures(["curvature"], files, "cpu")
    graphs = 2 * limits.CURVATURE_GRAPH_BYTES / 1e6
    assert curvature - more == pytest.approx(resources.NETWORK - resources.WORKING + graphs, abs=1)
