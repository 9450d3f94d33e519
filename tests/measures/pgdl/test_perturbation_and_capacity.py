"""Sharpness, Jacobian norm and VC-dimension against closed forms and dense Jacobians."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from tests.measures.pgdl.conftest import Builder, Data, value
from torch import Tensor, nn

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.networks import adopt, convolutional, dense, weight_layers


def test_the_jacobian_of_a_linear_network_is_its_kernel(layered: Builder, images: Data) -> None:
    kernel = [[1.0, 2.0, 0.0], [0.0, -3.0, 4.0]]
    found = value("jacobian_norm", layered(kernel), images(20, (3,), 2))
    assert found == pytest.approx(30 / 6)


def test_the_jacobian_against_dense_ones(seeded: Builder, images: Data) -> None:
    network, train = seeded(convolutional((6, 6, 2), 3, width=3, depth=2)), images(70, (6, 6, 2))
    inputs = torch.from_numpy(train.inputs)
    modules = list(network.children())
    names = [name for name, _ in network.named_children()]
    # The parts of the network after the input and after each activated convolution.
    starts = [0] + [1 + i for i, name in enumerate(names) if name.endswith("_relu")]
    expected = []
    with torch.no_grad():
        values = inputs.permute(0, 3, 1, 2)
        for start, end in zip(starts, [*starts[1:], None], strict=True):
            rest = nn.Sequential(*modules[start:])
            slopes = torch.func.vmap(torch.func.jacrev(lambda x, f=rest: f(x[None])[0]))(values)
            expected.append(float(slopes.square().mean()))
            values = nn.Sequential(*modules[start:end])(values)
    assert len(expected) == 3
    assert value("jacobian_norm", network, train) == pytest.approx(np.mean(expected), rel=1e-4)


class LastState(nn.Module):
    """Read the state that an LSTM ends in, which its outputs have no part in."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 40, batch_first=True)
        self.head = nn.Linear(40, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        scores: Tensor = self.head(self.lstm(inputs)[1][0][-1])
        return scores


@pytest.mark.parametrize("name", ["jacobian_norm", "negative_augmented_margin"])
def test_a_layer_whose_output_nobody_reads_has_no_slopes(name: str, images: Data) -> None:
    train = images(12, (5, 3), 2)
    network = adopt(LastState(), train)
    with pytest.raises(GengapError, match="do not depend on what the layer lstm gives first: obs"):
        value(name, network, train)


def test_sharpness_worked_by_hand(layered: Builder) -> None:
    # Inputs (1, t) of class 0 and weights diag(1, 1): climbing the loss brings the weights to
    # 1 - a and 1 + a, so those with t > (1 - a) / (1 + a) are lost.
    shares = (np.arange(640) + 0.5) / 640
    inputs = np.stack([np.ones(640), shares], axis=1).astype(np.float32)
    train = Split(inputs, np.zeros(640, np.int64), 2)
    found = math.exp(-value("sharpness", layered([[1.0, 0.0], [0.0, 1.0]]), train))
    kept = (1 - found) / (1 + found)
    assert kept == pytest.approx(0.9, abs=0.0125)


def test_sharpness_does_not_see_how_layers_share_their_scale(seeded: Builder, images: Data) -> None:
    network, train = seeded(dense((5,), 3, width=16, depth=1)), images(200, (5,))
    with torch.no_grad():
        labels = network(torch.from_numpy(train.inputs)).argmax(1).numpy()
    fitted = Split(train.inputs, labels, 3)
    before = value("sharpness", network, fitted)
    (_, first), (_, last) = weight_layers(network)
    with torch.no_grad():
        first.weight.mul_(4)
        first.bias.mul_(4)  # type: ignore[union-attr]
        last.weight.div_(4)
    assert value("sharpness", network, fitted) == pytest.approx(before)
    assert 0 < before < math.log(1e4)


def test_a_narrow_margin_is_sharper_than_a_wide_one(layered: Builder) -> None:
    network = layered([[1.0, 0.0], [0.0, 1.0]])

    def split(largest: float) -> Split:
        inputs = np.stack([np.ones(300), np.linspace(0, largest, 300)], axis=1)
        return Split(inputs.astype(np.float32), np.zeros(300, np.int64), 2)

    assert value("sharpness", network, split(0.99)) > value("sharpness", network, split(0.5)) + 1
    # Within its bounds no weight falls below 0, and nothing is lost.
    assert value("sharpness", network, split(0.0)) < 0.01


def test_the_vc_dimension_worked_by_hand(seeded: Builder, images: Data) -> None:
    network = seeded(convolutional((8, 8, 3), 3, width=4, depth=1))
    kernels = 3 * 3 * 3 * 4 + 4 * 4 * 4 * 3
    expected = 2 + 2 * 2 * math.log(22 * 2 * 64) * kernels
    assert value("vc_dimension", network, images(5)) == pytest.approx(expected)
    vectors = seeded(dense((3,), 2, width=5, depth=1))
    expected = 2 + 2 * 2 * math.log(22 * 2 * 3) * (15 + 10)
    assert value("vc_dimension", vectors, images(5, (3,), 2)) == pytest.approx(expected)
