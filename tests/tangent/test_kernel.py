"""The kernel against a loop over single inputs, closed forms, and its own two paths."""

from __future__ import annotations

import copy
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tests.tangent.conftest import layers, loop_jacobian, points, seeded
from torch import nn

from gengap.errors import GengapError
from gengap.limits import GIB, KERNEL_BYTES
from gengap.networks import ARCHITECTURES, Network, build
from gengap.tangent import (
    anisotropy_directions,
    empirical_ntk,
    kernel_operator,
    linearised_outputs,
    nystrom,
    scalar_outputs,
)
from gengap.tangent import features as features_module
from gengap.tangent.features import jacobian as jacobian_features
from gengap.tangent.features import structured, supports
from gengap.tangent.kernel import _planned, times
from gengap.tangent.outputs import OutputSelection

CONV = {"layer_name": "Conv2D", "filters": 4, "kernel_size": 3}
FLAT = {"layer_name": "Flatten"}
SCALAR = {"layer_name": "Dense", "units": 1}

SPECS: dict[str, dict[str, Any]] = {
    "dense": layers({"layer_name": "Dense", "units": 5, "activation": "relu"}, SCALAR,
                    input_shape=(7,)),
    "dense without bias": layers({"layer_name": "Dense", "units": 5, "use_bias": False}, SCALAR,
                                 input_shape=(7,)),
    "wide dense": layers({"layer_name": "Dense", "units": 40, "activation": "gelu"},
                         {"layer_name": "Dense", "units": 40, "activation": "selu"}, SCALAR,
                         input_shape=(30,)),
    "dense on images": layers({"layer_name": "Dense", "units": 3, "activation": "tanh"}, FLAT,
                              SCALAR),
    "convolution": layers({**CONV, "activation": "relu"}, FLAT, SCALAR),
    "convolution without bias": layers({**CONV, "use_bias": False}, FLAT, SCALAR),
    "same": layers({**CONV, "padding": "same", "activation": "elu"}, FLAT, SCALAR),
    "uneven same": layers({**CONV, "kernel_size": 4, "padding": "same", "strides": 2}, FLAT,
                          SCALAR),
    "dilated": layers({**CONV, "dilation_rate": 2, "activation": "softplus"}, FLAT, SCALAR),
    "grouped": layers({**CONV, "groups": 2, "activation": "swish"}, FLAT, SCALAR),
    "few positions": layers({**CONV, "filters": 30, "kernel_size": 5, "activation": "relu"},
                            {"layer_name": "GlobalAveragePooling2D"}, SCALAR,
                            input_shape=(6, 6, 8)),
    "pooling": layers({**CONV, "activation": "leaky_relu"}, {"layer_name": "MaxPooling2D"},
                      {"layer_name": "ZeroPadding2D"}, {"layer_name": "AveragePooling2D"}, FLAT,
                      SCALAR),
    "same average": layers(CONV, {"layer_name": "AveragePooling2D", "padding": "same",
                                  "pool_size": 3}, {"layer_name": "GlobalMaxPooling2D"}, SCALAR),
    "normalised convolution": layers(CONV, {"layer_name": "BatchNormalization"},
                                     {"layer_name": "ReLU"}, FLAT, SCALAR),
    "normalised dense": layers({"layer_name": "Dense", "units": 6},
                               {"layer_name": "BatchNormalization"},
                               {"layer_name": "LeakyReLU"}, SCALAR, input_shape=(5,)),
    "shift alone": layers(CONV, {"layer_name": "BatchNormalization", "scale": False},
                          {"layer_name": "ReLU"}, FLAT, SCALAR),
    "scale alone": layers(CONV, {"layer_name": "BatchNormalization", "center": False},
                          {"layer_name": "Activation", "activation": "sigmoid"}, FLAT, SCALAR),
    "dropout": layers(CONV, {"layer_name": "Dropout", "rate": 0.5}, FLAT, SCALAR),
    "lenet": {"architecture": "lenet", "input_shape": [8, 8, 1], "classes": 1},
    "mlp": layers(FLAT, {"layer_name": "Dense", "units": 100, "activation": "relu"},
                  {"layer_name": "Dense", "units": 100, "activation": "relu"}, SCALAR,
                  input_shape=(8, 8, 1)),
    "resnet18": {"architecture": "resnet18", "input_shape": [8, 8, 3], "classes": 1, "width": 2},
}  # fmt: skip


@pytest.mark.parametrize("name", SPECS)
def test_both_paths_and_the_products_equal_the_loop(name: str) -> None:
    network = seeded(SPECS[name])
    inputs = points(network)
    jacobian = loop_jacobian(network, inputs, [0])[:, 0]
    expected = jacobian @ jacobian.T
    tolerance = 1e-5 * np.abs(expected).max()
    assert supports(network, torch.from_numpy(inputs[:1]))
    for method in ("structured", "jacobian"):
        found = empirical_ntk(network, inputs, method=method)
        np.testing.assert_allclose(found, expected, atol=tolerance)
        assert np.array_equal(found, found.T)
    vector = np.random.default_rng(1).standard_normal(len(inputs))
    product = kernel_operator(network, inputs) @ vector
    np.testing.assert_allclose(product, expected @ vector, atol=10 * tolerance)


NAMED: list[dict[str, Any]] = [
    {"architecture": "masked_dense", "input_shape": [7], "width": 6, "depth": 2},
    {"architecture": "lenet_300_100", "input_shape": [4, 4, 1]},
    {"architecture": "convnet", "input_shape": [16, 16, 1], "width": 2},
    {"architecture": "lenet", "input_shape": [8, 8, 1]},
    {"architecture": "conv_2", "input_shape": [8, 8, 1], "width": 2},
    {"architecture": "conv_4", "input_shape": [8, 8, 1], "width": 2},
    {"architecture": "conv_6", "input_shape": [8, 8, 1], "width": 2},
    {"architecture": "resnet18", "input_shape": [8, 8, 1], "width": 2},
    {"architecture": "densenet121", "input_shape": [8, 8, 1], "growth": 2},
    {"architecture": "preact_resnet18", "input_shape": [8, 8, 1], "width": 2},
    {"architecture": "preresnet", "input_shape": [8, 8, 1], "width": 2, "depth": 8},
    {"architecture": "inception", "input_shape": [16, 16, 1], "width": 8},
    {"architecture": "alexnet", "input_shape": [32, 32, 1], "width": 2},
    {"architecture": "vgg16", "input_shape": [32, 32, 1], "width": 2},
    {"architecture": "vit", "input_shape": [8, 8, 1], "width": 8, "depth": 1},
    {"architecture": "mlp_mixer", "input_shape": [8, 8, 1], "width": 8, "depth": 1},
    {"architecture": "lenet_10_20_50", "input_shape": [16, 16, 1]},
    *(
        {"architecture": name, "input_shape": [8, 8, 1], "width": 2}
        for name in ("resnet34", "resnet50", "resnet101", "resnet152")
    ),
    *(
        {"architecture": name, "input_shape": [32, 32, 1], "width": 2}
        for name in ("vgg11", "vgg13", "vgg19")
    ),
    *(
        {"architecture": name, "input_shape": [8, 8, 1], "growth": 2}
        for name in ("densenet161", "densenet169", "densenet201")
    ),
]
DEEP = ("densenet161", "densenet169", "densenet201", "resnet101", "resnet152")
BY_JACOBIAN = ("masked_dense", "vit", "mlp_mixer")
"""Those with parts whose gradients are no products: masks, class tokens, maps over positions."""


def test_every_architecture_is_named() -> None:
    assert {spec["architecture"] for spec in NAMED} == set(ARCHITECTURES)


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(
            spec,
            id=spec["architecture"],
            marks=[pytest.mark.slow] if spec["architecture"] in DEEP else [],
        )
        for spec in NAMED
    ],
)
def test_the_named_architectures(spec: dict[str, Any]) -> None:
    network = seeded({**spec, "classes": 1}).double()
    inputs = points(network, 4)
    jacobian = loop_jacobian(network, inputs, [0])[:, 0]
    expected = jacobian @ jacobian.T
    known = supports(network, torch.from_numpy(inputs).double())
    assert known == (spec["architecture"] not in BY_JACOBIAN)
    found = empirical_ntk(network, inputs)
    np.testing.assert_allclose(found, expected, atol=1e-9 * np.abs(expected).max())


class Scaled(nn.Linear):
    """A layer whose output is not W a + b."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return 2 * torch.tanh(super().forward(inputs))


@pytest.mark.parametrize("kind", ["subclass", "parametrised", "weight norm"])
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_layers_that_only_look_like_dense_ones_take_the_path_of_gradients(kind: str) -> None:
    torch.manual_seed(0)
    layer = Scaled(4, 3) if kind == "subclass" else nn.Linear(4, 3)
    if kind == "parametrised":
        layer = nn.utils.parametrizations.weight_norm(layer)
    elif kind == "weight norm":
        layer = nn.utils.weight_norm(layer)
    network = nn.Sequential(layer, nn.Linear(3, 1)).eval()
    inputs = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    assert not supports(network, torch.from_numpy(inputs[:1]))
    jacobian = loop_jacobian(network, inputs, [0])[:, 0]
    np.testing.assert_allclose(empirical_ntk(network, inputs), jacobian @ jacobian.T, rtol=1e-4)


def test_a_layer_with_few_positions_is_not_expanded_to_its_gradients() -> None:
    """The cheaper of the two forms is held, so the test above has tried both on convolutions."""
    network = seeded(SPECS["few positions"])
    convolution, dense = structured(network, "scalar")(torch.from_numpy(points(network)))
    assert convolution.right is not None
    assert convolution.right.shape == (5, 4, 30)
    assert dense.right is None or dense.right.shape[1] == 1
    network = seeded(SPECS["convolution"])
    convolution, _ = structured(network, "scalar")(torch.from_numpy(points(network)))
    assert convolution.right is None


@pytest.mark.parametrize("method", ["structured", "jacobian"])
@pytest.mark.parametrize("name", ["dense", "convolution", "few positions", "grouped", "resnet18"])
def test_logits_their_sum_and_their_trace(name: str, method: Any) -> None:
    spec = dict(SPECS[name])
    if "architecture" in spec:
        spec["classes"] = 3
    else:
        spec["model_config"] = [
            *spec["model_config"][:-1],
            {"layer_name": "Dense", "units": 3, "activation": "softmax"},
        ]
    network = seeded(spec)
    inputs = points(network, 4)
    jacobian = loop_jacobian(network, inputs, [0, 1, 2])
    summed = jacobian.sum(1)
    expected: dict[OutputSelection, np.ndarray] = {
        1: jacobian[:, 1] @ jacobian[:, 1].T,
        "sum": summed @ summed.T,
        "trace": np.einsum("ikp,jkp->ij", jacobian, jacobian),
    }
    vector = np.arange(4.0)
    for of, kernel in expected.items():
        tolerance = 1e-5 * np.abs(kernel).max()
        found = empirical_ntk(network, inputs, of=of, method=method)
        np.testing.assert_allclose(found, kernel, atol=tolerance)
        product = kernel_operator(network, inputs, of=of) @ vector
        np.testing.assert_allclose(product, kernel @ vector, atol=20 * tolerance)


def test_a_linear_model_has_the_kernel_of_its_inputs() -> None:
    network = seeded(layers({"layer_name": "Dense", "units": 1, "use_bias": False},
                            input_shape=(6,)))  # fmt: skip
    inputs = points(network, 9)
    np.testing.assert_allclose(empirical_ntk(network, inputs), inputs @ inputs.T, atol=1e-5)
    biased = seeded(layers({"layer_name": "Dense", "units": 1}, input_shape=(6,)))
    expected = inputs @ inputs.T + 1
    np.testing.assert_allclose(empirical_ntk(biased, inputs), expected, atol=1e-5)


@pytest.mark.parametrize(
    "name",
    [pytest.param("lenet", marks=pytest.mark.slow), "few positions", "normalised convolution"],
)
def test_blocks_give_the_kernel_whatever_the_budget(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = seeded(SPECS[name])
    first, second = points(network, 23), points(network, 17, seed=1)
    whole, cross = empirical_ntk(network, first), empirical_ntk(network, first, second)
    monkeypatch.setattr(features_module, "LARGEST_PRODUCT", 64)
    monkeypatch.setattr("gengap.tangent.kernel.LARGEST_PRODUCT", 64)
    least = needed(network, first)
    for budget in (least, 2 * least, 6 * least):
        blocked = empirical_ntk(network, first, memory_budget=budget)
        np.testing.assert_allclose(blocked, whole, rtol=1e-4, atol=1e-5 * np.abs(whole).max())
        assert np.array_equal(blocked, blocked.T)
        found = empirical_ntk(network, first, second, memory_budget=budget)
        np.testing.assert_allclose(found, cross, rtol=1e-4, atol=1e-5 * np.abs(cross).max())


@pytest.mark.slow
def test_the_trace_is_summed_over_single_logits_where_all_at_once_do_not_fit() -> None:
    network = seeded({**SPECS["resnet18"], "classes": 6}).double()
    inputs = points(network, 9)
    jacobian = loop_jacobian(network, inputs, list(range(6)))
    expected = np.einsum("ikp,jkp->ij", jacobian, jacobian)
    tensor = torch.from_numpy(inputs).double()
    many = []
    for budget in (GIB, 700 << 10):
        extractors, _ = _planned(
            network, "trace", "auto", tensor, 9, torch.float64, budget, 8 * 9 * 9
        )
        many.append(len(extractors))
        found = empirical_ntk(network, inputs, of="trace", memory_budget=budget)
        np.testing.assert_allclose(found, expected, atol=1e-9 * np.abs(expected).max())
        cross = empirical_ntk(network, inputs[:4], inputs, of="trace", memory_budget=budget)
        np.testing.assert_allclose(cross, expected[:4], atol=1e-9 * np.abs(expected).max())
    assert many == [1, 6]


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["densenet121", "inception", "resnet18"])
def test_colour_images_of_ten_classes_fit_the_default_budget(architecture: str) -> None:
    """Few of 200 inputs pass more often than four times, though one budget does not hold all."""
    network = seeded({"architecture": architecture, "input_shape": [32, 32, 3], "classes": 10})
    inputs = torch.from_numpy(points(network, 200))
    _, plan = _planned(
        network, "trace", "auto", inputs, 200, torch.float64, KERNEL_BYTES, 8 * 200 * 200
    )
    assert 4 * plan.tile * plan.held >= 200


def needed(network: Network, inputs: np.ndarray) -> int:
    """The budget that the refusal of a budget of one byte names, in bytes."""
    with pytest.raises(GengapError, match="needs a memory_budget of at least") as refusal:
        empirical_ntk(network, inputs, memory_budget=1)
    words = str(refusal.value).split()
    return int(float(words[words.index("least") + 1]) * 1.01 * 2**30)


def test_each_gradient_is_computed_once_where_the_budget_allows(small: Network) -> None:
    passes: list[int] = []
    handle = next(m for m in small.modules() if isinstance(m, nn.Conv2d)).register_forward_hook(
        lambda module, inputs, output: passes.append(len(output))
    )
    empirical_ntk(small, points(small, 300))
    handle.remove()
    # Each once, two probes of one input, and the check of the form on two inputs: by itself and by
    # the gradients of each.
    assert sum(passes) == 300 + 2 + 2 + 2


@pytest.mark.parametrize(("name", "method"), [("mlp", "jacobian"), ("few positions", "structured")])
def test_float64_sums_are_exact_where_float32_rounds(name: str, method: Any) -> None:
    """Against the same features, in the weights' type, multiplied in float64 by NumPy."""
    network = seeded(SPECS[name])
    inputs = 30 * points(network, 40)
    form = {"jacobian": jacobian_features, "structured": structured}[method]
    expected = np.zeros((40, 40))
    for factor in form(network, "scalar")(torch.from_numpy(inputs)):
        left = factor.left.detach().double().numpy()
        if factor.right is None:
            expected += left @ left.T
        else:
            right = factor.right.detach().double().numpy()
            expected += np.einsum("itd,jsd,ito,jso->ij", left, left, right, right, optimize=True)
    single = empirical_ntk(network, inputs, method=method)
    double = empirical_ntk(network, inputs, method=method, double=True)
    assert (single.dtype, double.dtype) == (np.dtype(np.float32), np.dtype(np.float64))
    np.testing.assert_allclose(double, expected, rtol=0, atol=1e-14 * expected.max())
    assert np.abs(single - expected).max() > 1e-9 * expected.max()


@pytest.mark.parametrize("block", [1 << 22, 100])
def test_products_with_a_float32_kernel_are_summed_in_float64(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gengap.tangent.kernel.LARGEST_PRODUCT", block)
    rng = np.random.default_rng(0)
    kernel = (1 + rng.random((37, 37))).astype(np.float32)
    vectors = rng.standard_normal((37, 3))
    expected = np.einsum("ij,jk->ik", kernel.astype(np.float64), vectors)
    np.testing.assert_allclose(times(kernel, vectors), expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(times(kernel, vectors[:, 0]), expected[:, 0], rtol=1e-12, atol=1e-12)


class Shared(nn.Module):
    """A layer that the input passes twice, and a parameter of no layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.scale = nn.Parameter(torch.tensor(1.5))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.layer(torch.tanh(self.layer(inputs)))
        return self.scale * outputs[:, :1]


def test_any_other_network_takes_the_path_of_gradients() -> None:
    network = Shared().eval()
    inputs = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    jacobian = loop_jacobian(network, inputs, [0])[:, 0]
    np.testing.assert_allclose(empirical_ntk(network, inputs), jacobian @ jacobian.T, rtol=1e-4)
    with pytest.raises(GengapError, match=r"no structured kernel.*'auto' or 'jacobian'"):
        empirical_ntk(network, inputs, method="structured")


class Foreign(nn.Module):
    """Two dense layers, with something in between that their outputs do not show."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.kind = kind
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 1)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.kind == "positions in the batch":
            patches = inputs.reshape(-1, 2, 1).expand(-1, 2, 4).reshape(-1, 4)
            hidden = torch.tanh(self.first(patches)).reshape(len(inputs), -1, 4).sum(1)
            return torch.as_tensor(self.last(hidden))
        hidden = self.first(inputs)
        if self.kind == "relu_":
            hidden = nn.functional.relu_(hidden)
        elif self.kind == "tanh_":
            hidden = torch.tanh_(hidden)
        elif self.kind == "mul_":
            hidden = hidden.mul_(2.0)
        elif self.kind == "weight outside of its layer":
            hidden = torch.tanh(nn.functional.linear(torch.tanh(hidden), self.first.weight))
        elif self.kind == "unused output":
            hidden = torch.tanh(inputs)
        return torch.as_tensor(self.last(hidden))


@pytest.mark.parametrize(
    "kind",
    ["relu_", "tanh_", "mul_", "weight outside of its layer", "unused output",
     "positions in the batch"],
)  # fmt: skip
def test_what_a_forward_pass_hides_takes_the_path_of_gradients(kind: str) -> None:
    network = Foreign(kind).eval()
    inputs = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    rows = []
    for single in torch.from_numpy(inputs):
        output = network(single[None]).sum()
        gradients = torch.autograd.grad(output, list(network.parameters()), materialize_grads=True)
        rows.append(torch.cat([gradient.flatten() for gradient in gradients]).double().numpy())
    expected = np.stack(rows) @ np.stack(rows).T
    np.testing.assert_allclose(empirical_ntk(network, inputs), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(GengapError, match="no structured kernel"):
        empirical_ntk(network, inputs, method="structured")


def test_a_foreign_network_of_plain_layers_has_the_structured_form() -> None:
    network = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1)).eval()
    assert supports(network, torch.randn(2, 4, generator=torch.Generator().manual_seed(0)))


def test_frozen_parameters_do_not_count() -> None:
    network = seeded(SPECS["dense"])
    first, last = (m for m in network.modules() if isinstance(m, nn.Linear))
    first.requires_grad_(False)
    inputs = points(network)
    with torch.no_grad():
        hidden = torch.relu(first(torch.from_numpy(inputs))).numpy()
    for method in ("structured", "jacobian"):
        found = empirical_ntk(network, inputs, method=method)
        np.testing.assert_allclose(found, hidden @ hidden.T + 1, rtol=1e-5)
    whole = empirical_ntk(seeded(SPECS["dense"]), inputs)
    methods: tuple[Any, ...] = ("structured", "jacobian")
    for method in methods:
        found = empirical_ntk(network, inputs, method=method, parameters="all")
        np.testing.assert_allclose(found, whole, rtol=1e-5)
    assert [p.requires_grad for p in network.parameters()] == [False, False, True, True]
    expected = (hidden @ hidden.T + 1).sum(1)
    np.testing.assert_allclose(
        kernel_operator(network, inputs) @ np.ones(len(inputs)), expected, rtol=1e-5
    )
    last.requires_grad_(False)  # nothing is left to train, so all parameters count
    np.testing.assert_allclose(empirical_ntk(network, inputs), whole, rtol=1e-5)
    assert not any(p.requires_grad for p in network.parameters())
    every = kernel_operator(network, inputs, parameters="all") @ np.ones(len(inputs))
    np.testing.assert_allclose(every, whole.sum(1), rtol=1e-5)


def test_the_scalar_outputs_are_the_networks() -> None:
    network = seeded({**SPECS["resnet18"], "classes": 3})
    inputs = points(network)
    with torch.no_grad():
        outputs = network(torch.from_numpy(inputs)).numpy()
    np.testing.assert_allclose(scalar_outputs(network, inputs, of=2), outputs[:, 2], rtol=1e-6)
    np.testing.assert_allclose(scalar_outputs(network, inputs, of="sum"), outputs.sum(1), rtol=1e-5)
    with pytest.raises(GengapError, match="'trace', which keeps every logit"):
        scalar_outputs(network, inputs, of="trace")


@pytest.mark.parametrize(
    ("of", "sentence"),
    [
        ("scalar", "3 outputs where a scalar is needed"),
        (3, "logit 3 is asked for, but the network has 3"),
        (-1, "choose an index from 0 to 2"),
        ("mean", "'of' is 'mean'"),
    ],
)
def test_outputs_that_are_not_there_are_refused(of: Any, sentence: str) -> None:
    network = seeded({**SPECS["lenet"], "classes": 3})
    with pytest.raises(GengapError, match=sentence):
        empirical_ntk(network, points(network), of=of)


@pytest.mark.parametrize("name", ["dropout", "normalised convolution"])
def test_train_mode_is_refused(name: str) -> None:
    network = seeded(SPECS[name]).train()
    kind = "dropout" if name == "dropout" else "batch normalisation"
    for call in (empirical_ntk, kernel_operator, scalar_outputs):
        with pytest.raises(GengapError, match=rf"\({kind}\) is in train mode.*eval\(\)"):
            call(network, points(network))
    rng = np.random.default_rng(0)
    inputs = points(network)
    others: list[Any] = [
        lambda: anisotropy_directions(network, sigma=1.0, rng=rng),
        lambda: linearised_outputs(network, inputs, dict(network.named_parameters())),
        lambda: nystrom(network, inputs, 2, landmarks=3, rng=rng),
    ]
    for other in others:
        with pytest.raises(GengapError, match=rf"\({kind}\) is in train mode.*eval\(\)"):
            other()
    assert empirical_ntk(seeded(SPECS["convolution"]).train(), points(network)).shape == (5, 5)


def test_inputs_that_do_not_fit_are_refused(small: Network) -> None:
    with pytest.raises(GengapError, match=r"takes inputs of shape \[5, 5, 1\]"):
        empirical_ntk(small, np.zeros((3, 4, 4, 1), np.float32))
    with pytest.raises(GengapError, match="empty or hold NaN"):
        empirical_ntk(small, np.full((3, 5, 5, 1), np.nan, np.float32))
    with pytest.raises(GengapError, match="empty or hold NaN"):
        empirical_ntk(small, np.zeros((0, 5, 5, 1), np.float32))


def test_outputs_that_are_no_rows_are_refused() -> None:
    network = nn.Conv2d(1, 1, 1).eval()
    with pytest.raises(
        GengapError, match=r"of shape \[1, 1, 3, 3\] instead of numbers \(n, outputs\), one row"
    ):
        empirical_ntk(network, np.zeros((2, 1, 3, 3), np.float32))


def test_too_many_inputs_name_the_budget_that_they_need(small: Network) -> None:
    inputs = np.zeros((40_000, 5, 5, 1), np.float32)
    with pytest.raises(GengapError) as refusal:
        empirical_ntk(small, inputs)
    assert "40000 x 40000 inputs needs a memory_budget of at least 5.9" in str(refusal.value)
    assert "GiB, but it is 2 GiB" in str(refusal.value)


PEAK = """
import re, sys, numpy as np, torch
from gengap.networks import build
from gengap.tangent import empirical_ntk
torch.set_num_threads(1)
network = build({"architecture": "resnet18", "input_shape": [8, 8, 1], "classes": 1, "width": 16})
inputs = np.random.default_rng(0).standard_normal((150, 8, 8, 1)).astype(np.float32)
def memory(key):
    text = open("/proc/self/status").read()
    return int(re.search(rf"{key}:\\s+(\\d+)", text)[1]) << 10
empirical_ntk(network, inputs[:2], method=sys.argv[2])
before = memory("VmRSS")
empirical_ntk(network, inputs, memory_budget=int(sys.argv[1]) << 20, method=sys.argv[2])
print(max(memory("VmHWM") - before, 0) >> 20)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("method", "budget"), [("structured", 60), ("jacobian", 400)])
def test_memory_stays_under_the_budget(method: str, budget: int) -> None:
    run = subprocess.run(
        [sys.executable, "-c", PEAK, str(budget), method],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(run.stdout) <= budget


def test_building_does_not_change_the_network(small: Network) -> None:
    inputs = points(small)
    before = {name: value.clone() for name, value in small.state_dict().items()}
    empirical_ntk(small, inputs)
    kernel_operator(small, inputs) @ np.ones(len(inputs))
    assert all(torch.equal(before[name], value) for name, value in small.state_dict().items())
    assert all(parameter.grad is None for parameter in small.parameters())
    assert build(small.spec).outputs == 1


class Recurrent(nn.Module):
    """A classifier of tokens, or of series where there is no embedding."""

    def __init__(self, kind: type[nn.LSTM | nn.GRU], *, tokens: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4) if tokens else nn.Identity()
        self.recurrent, self.head = kind(4, 3, batch_first=True), nn.Linear(3, 2)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        hidden = self.embedding(inputs) if inputs.ndim == 2 else inputs
        outputs: torch.Tensor = self.head(self.recurrent(hidden)[0][:, -1])
        return outputs


@pytest.mark.filterwarnings("error:There is a performance drop")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("tokens", [False, True])
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_recurrent_networks(kind: type[nn.LSTM | nn.GRU], tokens: bool, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    network = Recurrent(kind, tokens=tokens).to(dtype).eval()
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 7, (6, 5)) if tokens else rng.standard_normal((6, 5, 4), np.float32)
    exact = copy.deepcopy(network).double()
    rows = []
    for one in torch.from_numpy(inputs):
        outputs = exact(one[None] if tokens else one[None].double())[0]
        rows.append(
            [
                torch.cat(
                    [
                        part.flatten()
                        for part in torch.autograd.grad(
                            output, list(exact.parameters()), retain_graph=True
                        )
                    ]
                )
                for output in outputs
            ]
        )
    jacobian = torch.stack([torch.stack(row) for row in rows])
    expected = torch.einsum("icp,jcp->ij", jacobian, jacobian).numpy()
    found = empirical_ntk(network, inputs, of="trace")
    assert found.dtype == (np.float64 if dtype == torch.float64 else np.float32)
    scale = 1e-10 if dtype == torch.float64 else 1e-5
    np.testing.assert_allclose(found, expected, rtol=0, atol=scale * expected.max())
    product = kernel_operator(network, inputs, of="trace") @ np.arange(6.0)
    np.testing.assert_allclose(
        product, expected @ np.arange(6.0), rtol=0, atol=30 * scale * expected.max()
    )


def test_attention_has_a_kernel_operator_and_keeps_its_fast_path() -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(4, 2, 6, batch_first=True)
    network = nn.Sequential(layer, nn.Flatten(), nn.Linear(12, 1)).eval()
    inputs = np.random.default_rng(0).standard_normal((5, 3, 4), np.float32)
    kernel = empirical_ntk(network, inputs)
    product = kernel_operator(network, inputs) @ np.ones(5)
    np.testing.assert_allclose(product, kernel.sum(1), rtol=1e-4)
    assert torch.backends.mha.get_fastpath_enabled()


class Named(nn.Module):
    """Give the outputs under a name that says nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.map = nn.Linear(4, 1)

    def forward(self, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"scores": self.map(inputs)}


@pytest.mark.parametrize(
    ("network", "inputs", "sentence"),
    [
        (Named(), np.ones((2, 4)), "the keys scores and none called logits: adopt it with logits="),
        (nn.Linear(4, 1), [["a", "b"]], "give numbers of shape"),
        (nn.Linear(4, 1), [[1.0], [1.0, 2.0]], "The inputs are no array"),
        (nn.ReLU(), np.ones((2, 4)), "has no parameter"),
    ],
)
def test_what_has_no_kernel_is_one_sentence(network: nn.Module, inputs: Any, sentence: str) -> None:
    with pytest.raises(GengapError, match=sentence):
        empirical_ntk(network.eval(), inputs)


def test_lists_tables_and_integers_are_inputs() -> None:
    network = nn.Linear(2, 1).eval()
    rows = [[1, 2], [3, 4]]
    ways: list[Any] = [rows, pd.DataFrame(rows), np.array(rows, np.uint8), torch.tensor(rows)]
    for inputs in ways:
        found = empirical_ntk(network, inputs)
        np.testing.assert_array_equal(found, [[6, 12], [12, 26]])


def test_a_bag_of_embeddings_has_a_kernel_but_no_products() -> None:
    torch.manual_seed(0)
    bag, last = nn.EmbeddingBag(7, 3), nn.Linear(3, 1)
    network = nn.Sequential(bag, last).eval()
    tokens = np.array([[0, 1, 2], [2, 2, 3]])
    means = torch.stack([bag.weight[row].mean(0) for row in torch.from_numpy(tokens)])
    shares = np.stack([np.bincount(row, minlength=7) / 3 for row in tokens])
    head = float(last.weight.square().sum())
    expected = (means @ means.T).detach().numpy() + 1 + head * shares @ shares.T
    np.testing.assert_allclose(empirical_ntk(network, tokens), expected, rtol=1e-5)
    with pytest.raises(
        GengapError, match=r"compute the kernel with gengap\.tangent\.empirical_ntk"
    ):
        kernel_operator(network, tokens) @ np.ones(2)
