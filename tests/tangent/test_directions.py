"""Anisotropy directions against closed forms, and data that are separable along one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.tangent.conftest import layers, seeded
from torch import nn

from gengap.errors import GengapError
from gengap.networks import Network, build, initialise, logits, weights_of
from gengap.seeding import torch_generator
from gengap.tangent import (
    anisotropy_directions,
    read_directions,
    separable_along,
    write_directions,
)
from gengap.tangent.directions import _MixedDerivative


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def two_layers() -> Network:
    """f = a' W x + c, without a nonlinearity."""
    return seeded(
        layers(
            {"layer_name": "Dense", "units": 3, "use_bias": False},
            {"layer_name": "Dense", "units": 1},
            input_shape=(4,),
        )
    )


def test_a_linear_map_prefers_no_direction() -> None:
    network = seeded(layers({"layer_name": "Dense", "units": 1}, input_shape=(5,)))
    found = anisotropy_directions(network, sigma=1.0, samples=3, rng=rng())
    np.testing.assert_allclose(found.values, 1, rtol=1e-6)
    np.testing.assert_allclose(found.directions @ found.directions.T, np.eye(5), atol=1e-10)


@pytest.mark.parametrize("budget", [1 << 30, 1])
def test_two_linear_layers_by_hand(budget: int) -> None:
    """d/da of the gradient W'a is W, d/dW_jk is a_j e_k: D'D = W'W + |a|^2 I."""
    network = two_layers()
    first, last = (m.weight.detach().double().numpy() for m in network.modules()
                   if isinstance(m, nn.Linear))  # fmt: skip
    expected = first.T @ first + (last**2).sum() * np.eye(4)
    values, vectors = np.linalg.eigh(expected)
    count = 4 if budget > 1 else 3
    found = anisotropy_directions(network, sigma=0.0, rng=rng(), count=count, memory_budget=budget)
    np.testing.assert_allclose(found.values, np.sqrt(values[::-1][:count]), rtol=1e-4)
    overlaps = np.abs(found.directions[:2] @ vectors[:, ::-1][:, :2])
    np.testing.assert_allclose(overlaps, np.eye(2), atol=1e-3)


CONVOLUTIONS = layers(
    {"layer_name": "Conv2D", "filters": 3, "kernel_size": 3, "activation": "relu"},
    {"layer_name": "AveragePooling2D"},
    {"layer_name": "BatchNormalization"},
    {"layer_name": "Flatten"},
    {"layer_name": "Dense", "units": 5, "activation": "tanh"},
    {"layer_name": "Dense", "units": 2},
    input_shape=(5, 4, 1),
)


def test_a_hidden_layer_with_gelu_has_all_directions_at_the_origin() -> None:
    """For f = a' g(W x + b) + c at b = 0 and x = 0, where g' is 1/2 and g'' is 2 / sqrt(2 pi).

    The derivatives of the gradient W'(a g') are W'/2 by a, a_j e_k / 2 by W_jk, a_j g'' W_j by b_j.
    """
    hidden = {"layer_name": "Dense", "units": 3, "activation": "gelu"}
    network = build(layers(hidden, {"layer_name": "Dense", "units": 1}, input_shape=(4,)))
    initialise(network, "lecun", torch_generator(0))
    first, last = (m.weight.detach().double().numpy() for m in network.modules()
                   if isinstance(m, nn.Linear))  # fmt: skip
    bent = 2 / np.sqrt(2 * np.pi) * last[0][:, None] * first
    expected = (first.T @ first + (last**2).sum() * np.eye(4)) / 4 + bent.T @ bent
    found = anisotropy_directions(network, sigma=0.0, rng=rng())
    np.testing.assert_allclose(found.values, np.sqrt(np.linalg.eigvalsh(expected)[::-1]), rtol=1e-5)


def test_both_paths_agree_with_finite_differences_of_the_gradient() -> None:
    network = seeded(CONVOLUTIONS)
    dense = anisotropy_directions(network, sigma=0.7, samples=6, rng=rng(), of=1)
    free = anisotropy_directions(
        network, sigma=0.7, samples=6, rng=rng(), of=1, count=4, memory_budget=1
    )
    np.testing.assert_allclose(free.values, dense.values[:4], rtol=1e-3)
    np.testing.assert_allclose(free.directions[0], dense.directions[0], atol=1e-2)
    # The derivative along the first direction, of the mean gradient in the weights.
    network = network.double()
    batch = torch.from_numpy(
        (0.7 * rng().standard_normal((6, 5, 4, 1))).astype(np.float32)
    ).double()
    for place in (0, 3):
        direction = torch.from_numpy(dense.directions[place])

        def gradient(step: float, direction: torch.Tensor = direction) -> np.ndarray:
            outputs = logits(network, batch + step * direction)[:, 1].mean()
            parts = torch.autograd.grad(outputs, list(network.parameters()))
            return torch.cat([part.flatten() for part in parts]).numpy()

        slope = (gradient(1e-6) - gradient(-1e-6)) / 2e-6
        assert np.linalg.norm(slope) == pytest.approx(dense.values[place], rel=1e-3)


def test_rows_in_chunks_give_the_directions_whatever_the_budget() -> None:
    network = seeded(CONVOLUTIONS)
    derivative = _MixedDerivative(network, rng().standard_normal((6, 5, 4, 1), np.float32), 1)
    whole = anisotropy_directions(network, sigma=1.0, samples=6, rng=rng(), of=1)
    for rows in (2, 4, 8):  # one row, three and seven at once, of 20
        budget = derivative.size + rows * derivative.row
        found = anisotropy_directions(
            network, sigma=1.0, samples=6, rng=rng(), of=1, memory_budget=budget
        )
        np.testing.assert_allclose(found.values, whole.values, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found.directions[:4], whole.directions[:4], atol=1e-3)
    with pytest.raises(GengapError, match="does not fit the memory_budget"):
        anisotropy_directions(
            network, sigma=1.0, samples=6, rng=rng(), of=1,
            memory_budget=derivative.size + derivative.row,
        )  # fmt: skip


PEAK = """
import re, sys, numpy as np, torch
from gengap.networks import build
from gengap.tangent import anisotropy_directions
torch.set_num_threads(1)
network = build({"architecture": "lenet", "input_shape": [16, 16, 1], "classes": 1})
def memory(key):
    text = open("/proc/self/status").read()
    return int(re.search(rf"{key}:\\s+(\\d+)", text)[1]) << 10
def directions(samples, count, budget):
    rng = np.random.default_rng(0)
    anisotropy_directions(
        network, sigma=1.0, samples=samples, rng=rng, count=count, memory_budget=budget
    )
directions(1, 2, 1)
before = memory("VmRSS")
directions(64, None, int(sys.argv[1]) << 20)
print(max(memory("VmHWM") - before, 0) >> 20)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_stays_under_the_budget() -> None:
    """The derivative has 43 MiB; all of its rows at once would take some 450 in the making."""
    run = subprocess.run(
        [sys.executable, "-c", PEAK, "150"], capture_output=True, text=True, check=True
    )
    assert int(run.stdout) <= 150


def test_a_relu_network_without_biases_has_none_at_the_origin() -> None:
    network = seeded({"architecture": "lenet", "input_shape": [4, 4, 1], "classes": 1})
    assert anisotropy_directions(network, sigma=0.0, rng=rng()).values[0] > 0
    initialise(network, "lecun", torch_generator(0, "test"))
    for budget, count in ((1 << 30, None), (1, 3)):
        with pytest.raises(GengapError, match=r"vanishes for sigma=0.0.*zero biases"):
            anisotropy_directions(network, sigma=0.0, rng=rng(), memory_budget=budget, count=count)
    assert anisotropy_directions(network, sigma=1.0, samples=4, rng=rng()).values[0] > 0


@pytest.mark.parametrize(
    ("keywords", "sentence"),
    [
        ({"sigma": -1.0}, "sigma=-1.0, samples=1"),
        ({"sigma": 1.0, "samples": 0}, "samples=0"),
        ({"sigma": 1.0, "count": 17}, "1 <= count <= 16"),
        ({"sigma": 1.0, "memory_budget": 1}, "fewer than all 16 directions"),
        ({"sigma": 1.0, "of": "trace"}, "'of' is 'trace'"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(keywords: dict[str, Any], sentence: str) -> None:
    network = seeded({"architecture": "lenet", "input_shape": [4, 4, 1], "classes": 1})
    with pytest.raises(GengapError, match=sentence):
        anisotropy_directions(network, rng=rng(), **keywords)


def test_files_hold_directions_and_weights(tmp_path: Path) -> None:
    network = seeded({"architecture": "lenet", "input_shape": [4, 4, 1], "classes": 1})
    found = anisotropy_directions(network, sigma=1.0, samples=3, rng=rng(), count=5)
    write_directions(found, tmp_path / "a.safetensors", network=network)
    write_directions(found, tmp_path / "b.safetensors", network=network)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    again, weights = read_directions(tmp_path / "a.safetensors")
    assert again.directions.shape == (5, 4, 4, 1)
    assert np.array_equal(again.values, found.values)
    assert np.array_equal(again.directions, found.directions)
    assert {k: v.tolist() for k, v in weights.items()} == {
        k: v.tolist() for k, v in weights_of(network).items()
    }
    (tmp_path / "bad.safetensors").write_bytes(b"no")
    for name in ("bad", "missing"):
        with pytest.raises(GengapError, match="holds no directions"):
            read_directions(tmp_path / f"{name}.safetensors")


def test_data_differ_along_the_direction_alone() -> None:
    direction = rng(1).standard_normal((3, 3, 1))
    unit = direction / np.linalg.norm(direction)
    data = separable_along(direction, 4000, epsilon=0.5, sigma=2.0, rng=rng())
    assert data.inputs.shape == (4000, 3, 3, 1)
    along = (data.inputs * unit).sum((1, 2, 3))
    np.testing.assert_allclose(along, 0.25 * (2 * data.labels - 1), atol=1e-5)
    across = (data.inputs - along[:, None, None, None] * unit).reshape(4000, -1)
    covariance = np.cov(across.T)
    flat = unit.reshape(-1, 1)
    np.testing.assert_allclose(covariance, 4 * (np.eye(9) - flat @ flat.T), atol=0.5)
    assert abs(data.labels.mean() - 0.5) < 0.05
    assert np.abs(across[data.labels == 1].mean(0) - across[data.labels == 0].mean(0)).max() < 0.3
    with pytest.raises(GengapError, match="The direction is zero"):
        separable_along(np.zeros((3, 3, 1)), 5, epsilon=1, sigma=1, rng=rng())
