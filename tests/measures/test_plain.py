"""One function, one value: batch normalisation as a layer, and folded by hand into the kernel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gengap.datasets import Split
from gengap.measures import Subject, compute
from gengap.networks import build, kernel_norms, weight_layers

CONVOLUTION = {"layer_name": "Conv2D", "filters": 4, "kernel_size": 3, "padding": "same"}
HEAD: list[dict[str, object]] = [
    {"layer_name": "ReLU"},
    {"layer_name": "Flatten"},
    {"layer_name": "Dense", "units": 6},
    {"layer_name": "BatchNormalization"},
    {"layer_name": "Activation", "activation": "tanh"},
    {"layer_name": "Dense", "units": 3},
]
NORMALISED = {
    "model_config": [
        {**CONVOLUTION, "use_bias": False},
        {"layer_name": "BatchNormalization"},
        *HEAD,
    ],
    "input_shape": [5, 5, 2],
}
BATCH_NORMALISATION = {"layer_name": "BatchNormalization"}
PLAIN = {
    "model_config": [CONVOLUTION, *(layer for layer in HEAD if layer != BATCH_NORMALISATION)],
    "input_shape": [5, 5, 2],
}
EXACT = (
    "baseline:sum_of_squared_weights",
    "baseline:distance_from_initialisation",
    "baseline:log_spectral_norm_product",
    "competition:jacobian_norm",
    "curvature:lambda_max",
    "curvature:hessian_trace",
    "curvature:effective_dimensionality_one",
    "curvature:hessian_outliers",
    "curvature:g_theta",
)
BISECTED = ("competition:sharpness", "curvature:loss_sharpness")


def normalised(seed: int) -> nn.Module:
    network = build(NORMALISED)
    draws = torch.Generator().manual_seed(seed)
    for name, values in network.state_dict().items():
        if values.is_floating_point():
            noise = torch.rand(values.shape, generator=draws) + 0.5
            values.copy_(noise if "batch" in name else values + 0.1 * noise)
    return network


def plain(network: nn.Module) -> nn.Module:
    """Write the same function without batch normalisation, by the textbook's formula."""
    written = build(PLAIN)
    norms = [
        module
        for module in network.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
    ]
    pairs = zip(weight_layers(network), weight_layers(written), [*norms, None], strict=True)
    with torch.no_grad():
        for (_, old), (_, new), norm in pairs:
            bias = torch.zeros(len(old.weight)) if old.bias is None else old.bias
            scale, shift = torch.ones(len(old.weight)), torch.zeros(len(old.weight))
            if norm is not None:
                assert norm.running_mean is not None
                assert norm.running_var is not None
                scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
                shift = norm.bias - norm.running_mean * scale
            new.weight.copy_(old.weight * scale.reshape(-1, *[1] * (old.weight.ndim - 1)))
            assert new.bias is not None
            new.bias.copy_(bias * scale + shift)
    return written


@pytest.mark.parametrize("name", [*EXACT, *BISECTED])
def test_norms_distances_and_sharpness_depend_on_the_function_alone(name: str) -> None:
    rng = np.random.default_rng(0)
    train = Split(rng.standard_normal((50, 5, 5, 2)).astype(np.float32), np.arange(50) % 3, 3)
    networks = normalised(1), normalised(2)
    written = plain(networks[0]), plain(networks[1])
    with torch.no_grad():
        inputs = torch.from_numpy(train.inputs)
        torch.testing.assert_close(written[0](inputs), networks[0](inputs), rtol=1e-5, atol=1e-5)
    (first,), (second,) = (
        compute(name, Subject(*pair, train, np.random.default_rng(0))).values()
        for pair in (networks, written)
    )
    assert first == pytest.approx(second, rel=1e-5 if name in EXACT else 1e-2)


def test_norms_are_computed_once_for_a_family_and_anew_for_changed_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[nn.Module] = []

    def counted(network: nn.Module, *arguments: Any) -> dict[str, float]:
        calls.append(network)
        return kernel_norms(network, *arguments)

    monkeypatch.setattr("gengap.measures.plain.kernel_norms", counted)
    inputs = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
    network = nn.Sequential(nn.Linear(4, 3))
    train = Split(inputs, np.arange(20) % 3, 3)
    with torch.no_grad():  # all inputs are right
        train = train.with_labels(network(torch.from_numpy(inputs)).argmax(1).numpy())
    subject = Subject(network, None, train, np.random.default_rng(0))
    before = compute("norms", subject)
    assert len(calls) == 1
    alone = compute("norms:log_prod_of_spec_over_margin", subject)
    assert alone["log_prod_of_spec_over_margin"] == before["log_prod_of_spec_over_margin"]
    with torch.no_grad():
        next(network.parameters()).mul_(2.0)
    after = compute("norms:log_sum_of_spec", subject)["log_sum_of_spec"]
    assert after == pytest.approx(float(before["log_sum_of_spec"]) + 2 * math.log(2))  # type: ignore[arg-type]
