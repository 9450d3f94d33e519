"""Norms against dense matrices, direct formulas and loops, and what leaves them as they are."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gengap.datasets import Split
from gengap.measures import MeasureResults, Subject, attempt
from gengap.measures.registry import members
from gengap.networks import adopt, build, convolutional, dense, folded, weight_layers
from gengap.training import sample_losses

Builder = Callable[..., nn.Module]
PAPERS = {
    "params": "baseline:parameter_count",
    "inverse_margin": "norms:inverse_margin",
    "log_spec_init_main": "norms:log_spec_init_main",
    "log_spec_orig_main": "norms:log_spec_orig_main",
    "log_prod_of_spec_over_margin": "norms:log_prod_of_spec_over_margin",
    "log_prod_of_spec": "baseline:log_spectral_norm_product",
    "fro_over_spec": "norms:fro_over_spec",
    "log_sum_of_spec_over_margin": "norms:log_sum_of_spec_over_margin",
    "log_sum_of_spec": "norms:log_sum_of_spec",
    "log_prod_of_fro_over_margin": "norms:log_prod_of_fro_over_margin",
    "log_prod_of_fro": "norms:log_prod_of_fro",
    "log_sum_of_fro_over_margin": "norms:log_sum_of_fro_over_margin",
    "log_sum_of_fro": "norms:log_sum_of_fro",
    "dist_spec_init": "norms:dist_spec_init",
    "fro_dist": "baseline:distance_from_initialisation",
    "param_norm": "baseline:sum_of_squared_weights",
    "path_norm": "norms:path_norm",
    "path_norm_over_margin": "norms:log_path_norm_over_margin",
    "pacbayes_init": "pac_bayes:pac_bayes_init",
    "pacbayes_orig": "pac_bayes:pac_bayes_orig",
    "pacbayes_flatness": "pac_bayes:pac_bayes_flatness",
    "pacbayes_mag_init": "pac_bayes:pac_bayes_mag_init",
    "pacbayes_mag_orig": "pac_bayes:pac_bayes_mag_orig",
    "pacbayes_mag_flatness": "pac_bayes:pac_bayes_mag_flatness",
}
"""The 24 measures of Jiang et al. 2020 and Dziugaite et al. 2020, and ours."""


@pytest.fixture
def train() -> Split:
    rng = np.random.default_rng(0)
    return Split(rng.standard_normal((40, 6, 6, 1)).astype(np.float32), rng.integers(0, 3, 40), 3)


def fitting(network: nn.Module, train: Split) -> Split:
    """Give the inputs the labels that the network predicts, so that all margins are positive."""
    with torch.no_grad():
        labels = network(torch.from_numpy(train.inputs)).argmax(1).numpy()
    return train.with_labels(labels)


def values(network: nn.Module, initial: nn.Module | None, train: Split) -> MeasureResults:
    return attempt("norms", Subject(network, initial, train, np.random.default_rng(0)))


def numbers(network: nn.Module, initial: nn.Module | None, train: Split) -> Mapping[str, float]:
    results = values(network, initial, train)
    assert not results.left_out
    return {name: float(value) for name, value in results.items()}  # type: ignore[arg-type]


def matrices(network: nn.Module, example: Tensor) -> list[np.ndarray]:
    """Return the matrix of each layer on the input that reaches it."""
    seen: dict[nn.Module, torch.Size] = {}
    layers = [layer for _, layer in weight_layers(network)]
    handles = [
        layer.register_forward_pre_hook(
            lambda module, inputs: seen.update({module: inputs[0].shape})
        )
        for layer in layers
    ]
    network(example)
    for handle in handles:
        handle.remove()
    unrolled = []
    for layer in layers:
        exact = copy.deepcopy(layer).double()
        basis = torch.eye(seen[layer][1:].numel(), dtype=torch.float64).reshape(
            -1, *seen[layer][1:]
        )
        with torch.no_grad():
            columns = exact(basis) - exact(torch.zeros_like(basis))
        unrolled.append(columns.flatten(1).T.numpy())
    return unrolled


def trained_like(network: nn.Module) -> nn.Module:
    """Move every parameter a little, as training would, and give biases values."""
    moved = copy.deepcopy(network)
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in moved.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return moved


def test_the_24_measures_of_the_two_studies_are_ours() -> None:
    assert len(PAPERS) == 24
    for name, ours in PAPERS.items():
        family, _, own = ours.partition(":")
        function = members(family)[own]
        described = f"{function.__doc__} {__import__(function.__module__, fromlist=['']).__doc__}"
        documented = f"{described} {__import__('gengap.measures.norms', fromlist=['']).__doc__}"
        assert name in (own, own.replace("pac_bayes", "pacbayes")) or f"``{name}``" in documented


def test_spectral_and_frobenius_norms_are_those_of_dense_matrices(
    seeded: Builder, train: Split
) -> None:
    initial = seeded(convolutional((6, 6, 1), 3, width=4, depth=2))
    network = trained_like(initial)
    train = fitting(network, train)
    found = numbers(network, initial, train)
    example = torch.from_numpy(train.inputs[:1])
    last, first = matrices(network, example), matrices(initial, example)
    moved = [a - b for a, b in zip(last, first, strict=True)]
    weights = [layer.weight.detach().double() for _, layer in weight_layers(network)]
    starts = [layer.weight.detach().double() for _, layer in weight_layers(initial)]
    spectral = [np.linalg.svd(matrix, compute_uv=False)[0] for matrix in last]
    frobenius = [float(weight.norm()) for weight in weights]
    depth = len(last)
    outputs = network(torch.from_numpy(train.inputs)).detach().double().numpy()
    ordered = np.sort(outputs, axis=1)
    margin = np.percentile(ordered[:, -1] - ordered[:, -2], 10)

    def close(name: str, expected: float) -> None:
        assert found[name] == pytest.approx(expected, rel=1e-5), name

    product = math.prod(float(norm) ** 2 for norm in spectral)
    fro = math.prod(norm**2 for norm in frobenius)
    ratio = sum((f / s) ** 2 for f, s in zip(frobenius, spectral, strict=True))
    change = sum(
        (float((weight - start).norm()) / s) ** 2
        for weight, start, s in zip(weights, starts, spectral, strict=True)
    )
    close("inverse_margin", 1 / margin**2)
    close("log_sum_of_spec", math.log(depth * product ** (1 / depth)))
    close("log_prod_of_fro", math.log(fro))
    close("log_sum_of_fro", math.log(depth * fro ** (1 / depth)))
    close("fro_over_spec", ratio)
    close("log_prod_of_spec_over_margin", math.log(product / margin**2))
    close("log_sum_of_spec_over_margin", math.log(depth * (product / margin**2) ** (1 / depth)))
    close("log_prod_of_fro_over_margin", math.log(fro / margin**2))
    close("log_sum_of_fro_over_margin", math.log(depth * (fro / margin**2) ** (1 / depth)))
    close("log_spec_orig_main", math.log(product / margin**2 * ratio))
    close("log_spec_init_main", math.log(product / margin**2 * change))
    close("dist_spec_init", sum(float(np.linalg.norm(matrix, 2)) ** 2 for matrix in moved))
    stable = [np.linalg.norm(m) ** 2 / s**2 for m, s in zip(last, spectral, strict=True)]
    close("mean_stable_rank", float(np.mean(stable)))
    powers = [
        (np.linalg.norm(matrix, axis=1).sum() / s) ** (2 / 3)
        for matrix, s in zip(moved, spectral, strict=True)
    ]
    complexity = math.sqrt(product) * sum(powers) ** 1.5
    bound = np.linalg.norm(train.inputs) * complexity / (margin * len(train.labels))
    close("log_spectrally_normalised_margin_bound", math.log(bound))
    close("log_path_norm", math.log(found["path_norm"]))
    close("log_path_norm_over_margin", math.log(found["path_norm"] / margin))


def test_a_linear_network_worked_by_hand() -> None:
    """W = diag(3, 4), b = (0, 1), started at (0, 4) and b = 0; margins 2, 5 and 1."""
    network, initial = (build(dense((2,), 2, width=2, depth=0)) for _ in range(2))
    for module, diagonal, bias in ((network, (3, 4), (0, 1)), (initial, (0, 4), (0, 0))):
        ((_, layer),) = weight_layers(module)
        with torch.no_grad():
            layer.weight.copy_(torch.diag(torch.tensor(diagonal)))
            layer.bias.copy_(torch.tensor(bias))  # type: ignore[union-attr]
    train = Split(np.array([[1, 0], [0, 1], [2, 1]], np.float32), np.array([0, 1, 0]), 2)
    found = numbers(network.eval(), initial.eval(), train)
    margin = np.percentile([2, 5, 1], 10)
    assert found["path_norm"] == pytest.approx(math.sqrt(9 + 16 + 1))
    assert found["inverse_margin"] == pytest.approx(1 / margin**2)
    assert found["fro_over_spec"] == found["mean_stable_rank"] == pytest.approx(25 / 16)
    assert found["dist_spec_init"] == pytest.approx(9)
    assert found["log_prod_of_fro"] == pytest.approx(math.log(25))
    assert found["log_spec_init_main"] == pytest.approx(math.log(16 / margin**2 * 9 / 16))
    bound = math.sqrt(7) * 4 * (3 / 4) / (margin * 3)
    assert found["log_spectrally_normalised_margin_bound"] == pytest.approx(math.log(bound))


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
def test_the_fisher_rao_norm_is_that_of_a_loop_over_inputs(
    loss: str, seeded: Builder, train: Split
) -> None:
    network = trained_like(seeded(convolutional((6, 6, 1), 3, width=4, depth=1)))
    subject = Subject(network, None, train, np.random.default_rng(0), loss=loss)
    found = attempt("norms:fisher_rao", subject)["fisher_rao"]
    weights = list(network.parameters())
    squares = []
    for row, label in zip(train.inputs, train.labels, strict=True):
        outputs = network(torch.from_numpy(row[None]))
        one = sample_losses(outputs, torch.tensor([label]), loss).sum()
        slopes = torch.autograd.grad(one, weights)
        inner = sum(float((w.detach() * g).sum()) for w, g in zip(weights, slopes, strict=True))
        squares.append(inner**2)
    assert found == pytest.approx(math.sqrt(np.mean(squares)), rel=1e-4)


def test_without_biases_fisher_rao_is_the_depth_times_the_slope_in_the_outputs(
    seeded: Builder, train: Split
) -> None:
    """Liang et al. 2019, theorem 3.1: <w, df/dw> is the number of layers times f."""
    layers: list[dict[str, Any]] = [
        {"layer_name": "Flatten"},
        *[{"layer_name": "Dense", "units": 5, "activation": "relu", "use_bias": False}] * 2,
        {"layer_name": "Dense", "units": 3, "use_bias": False},
    ]
    network = seeded({"model_config": layers, "input_shape": [6, 6, 1]})
    outputs = network(torch.from_numpy(train.inputs)).double().detach()
    slopes = outputs.softmax(1) - nn.functional.one_hot(torch.from_numpy(train.labels), 3)
    expected = 3 * float((slopes * outputs).sum(1).square().mean().sqrt())
    assert numbers_of(network, train, "fisher_rao") == pytest.approx(expected, rel=1e-4)


def numbers_of(network: nn.Module, train: Split, name: str) -> float:
    subject = Subject(network, None, train, np.random.default_rng(0))
    return float(attempt(f"norms:{name}", subject)[name])  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["path_norm", "log_path_norm_over_margin", "fisher_rao"])
def test_rescaling_relu_units_changes_nothing(name: str, seeded: Builder, train: Split) -> None:
    network = trained_like(seeded(convolutional((6, 6, 1), 3, width=4, depth=2)))
    train = fitting(network, train)
    rescaled = copy.deepcopy(network)
    (_, first), (_, second), _ = weight_layers(rescaled)
    factors = torch.tensor([0.1, 2.0, 5.0, 30.0])
    with torch.no_grad():
        first.weight.mul_(factors[:, None, None, None])
        first.bias.mul_(factors)  # type: ignore[union-attr]
        second.weight.div_(factors[:, None, None])
    before, after = (numbers_of(module, train, name) for module in (network, rescaled))
    assert after == pytest.approx(before, rel=1e-4)
    assert numbers_of(rescaled, train, "log_prod_of_fro") != pytest.approx(
        numbers_of(network, train, "log_prod_of_fro"), rel=1e-2
    )


def test_the_order_of_neurons_and_batch_normalisation_change_nothing(
    seeded: Builder, train: Split
) -> None:
    spec = convolutional((6, 6, 1), 3, width=4, depth=2, batch_normalisation=True)
    initial = seeded(spec)
    network = trained_like(initial)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2.0)
    train = fitting(network, train)
    example = torch.from_numpy(train.inputs[:1])
    found = numbers(network, initial, train)
    plain = [folded(module, example) for module in (network, initial)]
    assert numbers(plain[0], plain[1], train) == pytest.approx(found, rel=1e-4)
    for module in plain:
        (_, first), (_, second), _ = weight_layers(module)
        with torch.no_grad():
            first.weight.copy_(first.weight.flip(0))
            first.bias.copy_(first.bias.flip(0))  # type: ignore[union-attr]
            second.weight.copy_(second.weight.flip(1))
    assert numbers(plain[0], plain[1], train) == pytest.approx(found, rel=1e-4)


def test_scaling_the_last_layer_scales_norms_and_margin_alike(
    seeded: Builder, train: Split
) -> None:
    initial = seeded(dense((6, 6, 1), 3, width=5, depth=1))
    network = trained_like(initial)
    train = fitting(network, train)
    before = numbers(network, initial, train)
    _, (_, last) = weight_layers(network)
    with torch.no_grad():
        last.weight.mul_(10)
        last.bias.mul_(10)  # type: ignore[union-attr]
    after = numbers(network, initial, train)
    for name in ("log_path_norm_over_margin", "log_prod_of_spec_over_margin"):
        assert after[name] == pytest.approx(before[name], rel=1e-4)
    for name in (
        "log_sum_of_spec_over_margin",
        "log_prod_of_fro_over_margin",
        "log_spec_orig_main",
    ):
        assert after[name] == pytest.approx(before[name], rel=1e-4)
    assert after["path_norm"] == pytest.approx(10 * before["path_norm"], rel=1e-5)
    assert after["inverse_margin"] == pytest.approx(before["inverse_margin"] / 100, rel=1e-4)


def test_a_network_that_does_not_fit_has_no_value_over_its_margin(
    seeded: Builder, train: Split
) -> None:
    network = seeded(dense((6, 6, 1), 3, width=5, depth=1))
    results = values(network, network, train)
    assert all("10th percentile" in reason for reason in results.left_out.values())
    assert set(results.left_out) == {
        "log_path_norm_over_margin", "inverse_margin", "log_prod_of_spec_over_margin",
        "log_sum_of_spec_over_margin", "log_prod_of_fro_over_margin", "log_sum_of_fro_over_margin",
        "log_spec_orig_main", "log_spec_init_main", "log_spectrally_normalised_margin_bound",
    }  # fmt: skip
    assert results["dist_spec_init"] == 0.0


def test_what_is_not_known_leaves_out_what_needs_it(seeded: Builder, train: Split) -> None:
    network = seeded(dense((6, 6, 1), 1, width=5, depth=1))
    regression = Split(train.inputs, np.zeros(40, np.float32), 0)
    results = values(network, None, regression)
    assert set(results) == {
        "path_norm", "log_path_norm", "log_sum_of_spec", "log_prod_of_fro", "log_sum_of_fro",
        "fro_over_spec", "mean_stable_rank", "fisher_rao",
    }  # fmt: skip
    assert set(results.unmet.values()) == {"classes", "initial"}


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        attended = self.attention(inputs, inputs, inputs, need_weights=False)[0]
        outputs: Tensor = self.head(attended.mean(1))
        return outputs


def test_attention_has_kernels_and_no_paths(train: Split) -> None:
    torch.manual_seed(0)
    series = Split(train.inputs[..., 0], train.labels, 3)
    network = adopt(Attending(), series, layout="channels_last")
    results = values(network, network, fitting(network, series))
    assert set(results.left_out) == {"path_norm", "log_path_norm", "log_path_norm_over_margin"}
    assert all("MultiheadAttention" in reason for reason in results.left_out.values())


def test_padding_without_rows_costs_no_other_measure(train: Split) -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 3, 3, padding=1, padding_mode="reflect"), nn.Flatten()]
    network = adopt(nn.Sequential(*layers, nn.Linear(108, 3)), train, layout="channels_first")
    results = values(network, trained_like(network), fitting(network, train))
    assert set(results.left_out) == {"mean_stable_rank", "log_spectrally_normalised_margin_bound"}
    assert all("pad with zeros" in reason for reason in results.left_out.values())
    squares = [layer.weight.detach().double().numpy() ** 2 for _, layer in weight_layers(network)]
    assert results["log_prod_of_fro"] == pytest.approx(sum(math.log(w.sum()) for w in squares))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["preresnet", "resnet18"])
def test_named_architectures_have_every_norm(name: str) -> None:
    keywords = {"preresnet": {"depth": 8}}.get(name, {})
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((6, 16, 16, 3)).astype(np.float32)
    train = Split(inputs, np.arange(6) % 3, 3)
    network = build(
        {"architecture": name, "input_shape": [16, 16, 3], "classes": 3, "width": 4, **keywords}
    ).eval()
    results = values(network, trained_like(network), fitting(network, train))
    assert not results.left_out
