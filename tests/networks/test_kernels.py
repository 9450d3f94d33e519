"""Kernels of every kind of layer, their operator norms, the share that norms know, what counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from gengap.errors import GengapError
from gengap.networks import (
    build,
    coverage,
    kernel_norms,
    kernels,
    row_norms,
    unknown_layers,
    weight_layers,
)
from gengap.networks.masks import MaskedLinear


class Attending(nn.Module):
    """A class token, positions, embedding, attention, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.embedding = nn.Embedding(11, 8)
        self.norm = nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        tokens = self.embedding(inputs)
        values = torch.cat([self.token.expand(len(inputs), -1, -1), tokens], 1)
        normed = self.norm(values)
        outputs: Tensor = self.head((values + self.attention(normed, normed, normed)[0])[:, 0])
        return outputs


class Recurrent(nn.Module):
    """Two layers in both directions, and a head on the last state."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(8, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.head(self.lstm(inputs)[0][:, -1])
        return outputs


def dense_matrix(layer: nn.Module, shape: tuple[int, ...]) -> Tensor:
    """Return the matrix (outputs, inputs) of ``x -> layer(x) - layer(0)``."""
    exact = layer.double()
    basis = torch.eye(int(np.prod(shape)), dtype=torch.float64).reshape(-1, *shape)
    with torch.no_grad():
        matrix: Tensor = (exact(basis) - exact(torch.zeros_like(basis[:1]))).flatten(1).T
    layer.float()
    return matrix


def dense_norm(layer: nn.Module, shape: tuple[int, ...]) -> float:
    """Compute the largest singular value of the matrix of ``x -> layer(x) - layer(0)``."""
    return float(torch.linalg.matrix_norm(dense_matrix(layer, shape), ord=2))


def norms(network: nn.Module, example: Tensor, seed: int = 0) -> dict[str, float]:
    return kernel_norms(network.eval(), example, np.random.default_rng(seed))


CONVOLUTIONS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "plain": (lambda: nn.Conv2d(4, 6, 3), (4, 7, 7)),
    "same": (lambda: nn.Conv2d(4, 6, 3, padding=1), (4, 7, 7)),
    "strides": (lambda: nn.Conv2d(4, 6, 3, stride=3), (4, 7, 7)),
    "uneven strides": (lambda: nn.Conv2d(4, 6, (2, 5), stride=(1, 2), padding=(1, 2)), (4, 7, 7)),
    "dilated": (lambda: nn.Conv2d(4, 6, 3, dilation=2, padding=2), (4, 7, 7)),
    "grouped": (lambda: nn.Conv2d(4, 6, 3, groups=2), (4, 7, 7)),
    "depthwise": (lambda: nn.Conv2d(4, 8, 3, groups=4, padding=1), (4, 7, 7)),
    "one by one": (lambda: nn.Conv2d(4, 6, 1), (4, 7, 7)),
    "circular": (lambda: nn.Conv2d(4, 6, 3, padding=1, padding_mode="circular"), (4, 7, 7)),
    "reflecting": (lambda: nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect"), (4, 7, 7)),
    "one dimension": (lambda: nn.Conv1d(3, 5, 5, padding=2), (3, 40)),
    "three dimensions": (lambda: nn.Conv3d(2, 3, 2), (2, 4, 5, 6)),
    "transposed": (lambda: nn.ConvTranspose2d(4, 3, 3, stride=2, output_padding=1), (4, 5, 5)),
    "transposed series": (lambda: nn.ConvTranspose1d(4, 6, 3, stride=2, groups=2), (4, 9)),
    "transposed volumes": (lambda: nn.ConvTranspose3d(2, 3, 2, stride=2), (2, 3, 3, 3)),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_norms_of_convolutions_are_those_of_their_matrices(name: str) -> None:
    torch.manual_seed(0)
    make, shape = CONVOLUTIONS[name]
    layer = make()
    (norm,) = norms(layer, torch.zeros(1, *shape)).values()
    assert abs(np.log(norm) - np.log(dense_norm(layer, shape))) < 1e-6


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_rows_of_convolutions_are_those_of_their_matrices(name: str) -> None:
    torch.manual_seed(0)
    make, shape = CONVOLUTIONS[name]
    layer = make()
    if name in ("circular", "reflecting"):
        with pytest.raises(GengapError, match="pad with zeros"):
            row_norms(layer, torch.zeros(1, *shape))
        return
    (rows,) = row_norms(layer, torch.zeros(1, *shape)).values()
    torch.testing.assert_close(rows, torch.linalg.vector_norm(dense_matrix(layer, shape), dim=1))


def test_rows_of_other_kernels_are_those_of_their_weights() -> None:
    torch.manual_seed(0)
    network = Attending()
    rows = row_norms(network.eval(), torch.zeros(1, 5, dtype=torch.int64))
    expected = {kernel.name: kernel.weight.double().norm(dim=1) for kernel in kernels(network)}
    assert list(rows) == list(expected)
    for name, norms_of_rows in expected.items():
        torch.testing.assert_close(rows[name], norms_of_rows.detach())


@pytest.mark.parametrize(
    "keywords",
    [
        {"kernel_size": 2, "padding": "same"},
        {"kernel_size": 4, "padding": "same", "strides": 2},
        {"kernel_size": [1, 5], "padding": "same"},
    ],
)
def test_a_convolution_sees_its_input_before_keras_pads_it(keywords: dict[str, Any]) -> None:
    network = build(
        {
            "model_config": [
                {"layer_name": "Conv2D", "filters": 6, **keywords},
                {"layer_name": "GlobalAveragePooling2D"},
                {"layer_name": "Dense", "units": 2},
            ],
            "input_shape": [7, 7, 4],
        }
    )
    (_, layer), (_, head) = weight_layers(network)
    parts = list(network.children())
    with_padding = nn.Sequential(*parts[: parts.index(layer) + 1])
    first, last = norms(network, torch.zeros(1, 7, 7, 4)).values()
    assert abs(np.log(first) - np.log(dense_norm(with_padding, (4, 7, 7)))) < 1e-6
    assert last == pytest.approx(np.linalg.svd(head.weight.detach())[1][0])


def test_padding_of_a_module_s_own_counts_once() -> None:
    torch.manual_seed(0)
    layer, shape = nn.Conv2d(4, 6, 3, stride=2), (4, 8, 8)
    network = nn.Sequential(nn.ConstantPad2d((0, 1, 0, 1), 2.0), layer, nn.Flatten())
    (norm,) = norms(network, torch.zeros(1, *shape)).values()
    assert abs(np.log(norm) - np.log(dense_norm(network, shape))) < 1e-6
    between = nn.Sequential(nn.ZeroPad2d(1), nn.ReLU(), layer)
    (norm,) = norms(between, torch.zeros(1, *shape)).values()
    assert abs(np.log(norm) - np.log(dense_norm(layer, (4, 10, 10)))) < 1e-6


def test_weights_behind_a_mask_have_no_part_in_norms() -> None:
    torch.manual_seed(0)
    spec = {"architecture": "masked_dense", "width": 9, "depth": 1, "kept": 0.5}
    network = build({**spec, "input_shape": [6], "classes": 3})
    maps = [module for module in network.modules() if isinstance(module, MaskedLinear)]
    expected = [np.linalg.svd((m.weight * m.mask).detach().numpy())[1][0] for m in maps]
    assert len(maps) == 2
    assert list(norms(network, torch.zeros(1, 6)).values()) == pytest.approx(expected)
    with torch.no_grad():
        for m in maps:
            m.weight[m.mask == 0] = 1e3
    assert list(norms(network, torch.zeros(1, 6)).values()) == pytest.approx(expected)


def test_a_norm_depends_on_the_start_in_its_last_digits_only() -> None:
    torch.manual_seed(1)
    layer, example = nn.Conv2d(16, 16, 3, padding=1), torch.zeros(1, 16, 12, 12)
    first, second = (norms(layer, example, seed)[""] for seed in (0, 1))
    assert abs(np.log(first / second)) < 1e-6


def test_a_kernel_of_zeros_has_the_norm_0_and_one_that_is_not_finite_has_none() -> None:
    layer = nn.Conv2d(2, 2, 3)
    with torch.no_grad():
        layer.weight.zero_()
    assert norms(layer, torch.zeros(1, 2, 5, 5)) == {"": 0.0}
    with torch.no_grad():
        layer.weight.fill_(torch.inf)
    assert np.isnan(norms(layer, torch.zeros(1, 2, 5, 5))[""])


def test_kernels_of_attention_and_embedding() -> None:
    torch.manual_seed(0)
    network = Attending()
    listed = {kernel.name: kernel.weight for kernel in kernels(network)}
    joined = network.attention.in_proj_weight
    expected = {
        "embedding": network.embedding.weight.T,
        "attention.q_proj": joined[:8],
        "attention.k_proj": joined[8:16],
        "attention.v_proj": joined[16:],
        "attention.out_proj": network.attention.out_proj.weight,
        "head": network.head.weight,
    }
    assert list(listed) == list(expected)
    for name, weight in expected.items():
        torch.testing.assert_close(listed[name], weight)
    computed = norms(network, torch.zeros(1, 5, dtype=torch.int64))
    assert list(computed) == list(expected)
    for name, weight in expected.items():
        largest = np.linalg.svd(weight.detach().double().numpy())[1][0]
        assert computed[name] == pytest.approx(largest, rel=1e-12)
    assert [name for name, _ in weight_layers(network)] == ["head"]


def test_attention_with_inputs_of_other_widths_has_the_same_four_kernels() -> None:
    network = nn.MultiheadAttention(8, 2, kdim=5, vdim=6)
    shapes = {kernel.name: tuple(kernel.weight.shape) for kernel in kernels(network)}
    assert shapes == {
        ".q_proj": (8, 8), ".k_proj": (8, 5), ".v_proj": (8, 6), ".out_proj": (8, 8),
    }  # fmt: skip


def test_a_recurrent_layer_has_two_kernels_for_each_layer_and_direction() -> None:
    network = Recurrent()
    shapes = {kernel.name: tuple(kernel.weight.shape) for kernel in kernels(network)}
    assert shapes == {
        "lstm.weight_ih_l0": (16, 3), "lstm.weight_hh_l0": (16, 4),
        "lstm.weight_ih_l0_reverse": (16, 3), "lstm.weight_hh_l0_reverse": (16, 4),
        "lstm.weight_ih_l1": (16, 8), "lstm.weight_hh_l1": (16, 4),
        "lstm.weight_ih_l1_reverse": (16, 8), "lstm.weight_hh_l1_reverse": (16, 4),
        "head": (2, 8),
    }  # fmt: skip
    assert set(norms(network, torch.zeros(1, 7, 3))) == set(shapes)


def test_a_transposed_kernel_is_outputs_by_inputs() -> None:
    layer = nn.ConvTranspose2d(4, 6, 3, groups=2)
    (kernel,) = kernels(layer)
    assert kernel.weight.shape == (6, 2, 3, 3)
    # Output 3 is the first one of the second group, whose inputs are 2 and 3.
    torch.testing.assert_close(kernel.weight[3], layer.weight[2:4, 0])


@pytest.mark.parametrize("wrap", [parametrizations.weight_norm, parametrizations.spectral_norm])
def test_a_parametrised_weight_counts_as_it_is_used(wrap: Callable[..., nn.Module]) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(wrap(nn.Conv2d(2, 3, 3)), nn.Flatten(), wrap(nn.Linear(27, 3))).eval()
    first, last = norms(network, torch.zeros(1, 2, 5, 5)).values()
    used: list[Tensor] = [network[place].weight.detach() for place in (0, 2)]  # type: ignore[operator]
    bare = nn.Conv2d(2, 3, 3)
    with torch.no_grad():
        bare.weight.copy_(used[0])
    assert first == pytest.approx(dense_norm(bare, (2, 5, 5)), rel=1e-6)
    assert last == pytest.approx(np.linalg.svd(used[1])[1][0])
    assert coverage(network) == 1.0


def test_a_layer_that_no_input_passes_has_no_norm() -> None:
    class Unused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused = nn.Linear(3, 2), nn.Conv2d(1, 1, 3)

        def forward(self, inputs: Tensor) -> Tensor:
            outputs: Tensor = self.used(input=inputs)
            return outputs

    assert list(norms(Unused(), torch.zeros(1, 3))) == ["used"]


def test_coverage_is_the_share_of_the_parameters_of_known_layers() -> None:
    network = Attending()
    count = sum(parameter.numel() for parameter in network.parameters())
    assert coverage(network) == pytest.approx(1 - 8 / count)
    assert unknown_layers(network) == ["token"]
    assert coverage(Recurrent()) == 1.0
    assert coverage(nn.ReLU()) == 1.0
    mixed = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Bilinear(4, 4, 1), nn.PReLU())
    assert coverage(mixed) == pytest.approx((16 + 8) / (16 + 8 + 17 + 1))
    assert unknown_layers(mixed) == ["2 (Bilinear)", "3 (PReLU)"]


def test_a_parameter_that_a_known_layer_does_not_have_by_itself_is_not_known() -> None:
    class LowRank(nn.Linear):
        def __init__(self) -> None:
            super().__init__(4, 4)
            self.left = nn.Parameter(torch.zeros(4, 1))

    assert coverage(LowRank()) == pytest.approx(20 / 24)
    assert unknown_layers(LowRank()) == ["left"]
