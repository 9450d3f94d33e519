"""The family ``weights`` against weightwatcher, known laws, and statistics of the tensors."""

from __future__ import annotations

import copy
import math

import networkx as nx
import numpy as np
import pytest
import torch
from torch import nn

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.measures import Subject, attempt, compute
from gengap.measures.weights import fit_power_law, layer_spectrum
from gengap.networks import adopt, build, convolutional, dense, kernels


def linear(module: nn.Sequential, position: int) -> nn.Linear:
    layer = module[position]
    assert isinstance(layer, nn.Linear)
    return layer


@pytest.fixture
def train() -> Split:
    rng = np.random.default_rng(0)
    return Split(rng.random((30, 6, 6, 2), dtype=np.float32), rng.integers(0, 3, 30), 3)


@pytest.fixture
def module() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 24, 3, padding=1), nn.ReLU(),
        nn.Conv2d(24, 30, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(30 * 16, 40), nn.ReLU(), nn.Linear(40, 25), nn.ReLU(), nn.Linear(25, 3),
    )  # fmt: skip


def values(module: nn.Module, train: Split, name: str = "weights") -> dict[str, object]:
    network = adopt(module, train.inputs, layout="channels_first")
    return dict(compute(name, Subject(network, None, train, np.random.default_rng(0))))


@pytest.mark.filterwarnings("ignore")
def test_exponents_are_those_of_weightwatcher(module: nn.Sequential, train: Split) -> None:
    weightwatcher = pytest.importorskip("weightwatcher", reason="weightwatcher is not installed")
    watcher = weightwatcher.WeightWatcher(model=module)
    details = watcher.analyze(min_evals=20, plot=False)
    assert len(details) == 3
    summary = watcher.get_summary(details)
    own = values(module, train)
    assert own["alpha"] == pytest.approx(summary["alpha"], rel=1e-6)
    assert own["alpha_hat"] == pytest.approx(summary["alpha_weighted"], rel=1e-6)
    assert own["log_alpha_norm"] == pytest.approx(summary["log_alpha_norm"], rel=1e-6)


def test_exponents_by_the_definition(module: nn.Sequential, train: Split) -> None:
    own = values(module, train)
    expected = []
    for layer in (module[2], module[5], module[7]):
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        weight = layer.weight.detach().double().numpy()
        if weight.ndim == 4:
            places = [weight[:, :, i, j] for i in range(3) for j in range(3)]
            singular = np.concatenate([np.linalg.svd(w, compute_uv=False) for w in places])
            spectrum = singular**2 / 2
        else:
            spectrum = np.linalg.svd(weight, compute_uv=False) ** 2
        exponent = fit_power_law(np.sort(spectrum))
        top = math.log10(spectrum.max())
        expected.append([exponent, exponent * top, math.log10((spectrum**exponent).sum())])
    names = ("alpha", "alpha_hat", "log_alpha_norm")
    assert [own[name] for name in names] == pytest.approx(np.mean(expected, axis=0), rel=1e-9)


@pytest.mark.parametrize("exponent", [pytest.param(1.8, marks=pytest.mark.slow), 2.5, 4.0])
def test_the_exponent_of_a_known_power_law_is_found(exponent: float) -> None:
    rng = np.random.default_rng(0)
    samples = 2.0 * (1 - rng.random(4000)) ** (-1 / (exponent - 1))
    assert fit_power_law(np.sort(samples)) == pytest.approx(exponent, rel=0.05)
    below = rng.uniform(0, 2, 1000)
    mixed = np.sort(np.concatenate([below, samples]))
    assert fit_power_law(mixed) == pytest.approx(exponent, rel=0.1)
    assert fit_power_law(1e6 * mixed) == pytest.approx(fit_power_law(mixed), rel=1e-6)


def test_a_power_law_by_hand() -> None:
    # From 1 on: 3 / log 8; from 2 on: 2 / log 2, which is further from the empirical steps 0, 1/2.
    first = 1 + 3 / math.log(8)
    distances = []
    for tail in ([1, 2, 4], [2, 4]):
        slope = len(tail) / sum(math.log(x / tail[0]) for x in tail)
        fitted = [1 - (x / tail[0]) ** -slope for x in tail]
        distances.append(max(abs(f - i / len(tail)) for i, f in enumerate(fitted)))
    assert distances[0] < distances[1]
    assert fit_power_law(np.array([1.0, 2.0, 4.0])) == pytest.approx(first)
    with pytest.raises(GengapError, match="All values are equal"):
        fit_power_law(np.ones(5))


def test_directions_without_weight_are_in_no_spectrum() -> None:
    layer = nn.Linear(30, 40, bias=False)
    with torch.no_grad():
        layer.weight[:, 25:] = 0
    (kernel,) = kernels(layer)
    spectrum = layer_spectrum(kernel)
    singular = np.linalg.svd(layer.weight.detach().double().numpy(), compute_uv=False)
    np.testing.assert_allclose(spectrum, np.sort(singular[:25] ** 2), rtol=1e-9)


def test_networks_without_a_wide_layer_have_no_exponent_but_the_other_measures() -> None:
    network = build(dense((3,), 2, width=8, depth=1)).eval()
    train = Split(np.eye(3, dtype=np.float32), np.array([0, 1, 1]), 2)
    results = attempt("weights", Subject(network, None, train, np.random.default_rng(0)))
    assert set(results) == {
        "layer_statistics", "neural_persistence", "neural_persistence_by_layer",
    }  # fmt: skip
    assert "kernel of 20 singular values" in results.left_out["alpha"]


def test_statistics_are_those_of_the_tensors(module: nn.Sequential, train: Split) -> None:
    statistics = values(module, train)["layer_statistics"]
    assert isinstance(statistics, dict)
    layers = [layer for layer in module if isinstance(layer, nn.Conv2d | nn.Linear)]
    assert len(statistics) == len(layers) * 2 * 7
    for position, layer in enumerate(layers):
        assert layer.bias is not None
        for part, tensor in (("weight", layer.weight), ("bias", layer.bias)):
            numbers = tensor.detach().double().flatten()
            expected = {
                "mean": numbers.mean(),
                "variance": numbers.var(correction=0),
                **{f"quantile_{q}": numbers.quantile(q / 100) for q in (0, 25, 50, 75, 100)},
            }
            for name, value in expected.items():
                assert statistics[f"{position}.{part}.{name}"] == pytest.approx(float(value)), name


def test_layers_without_biases_have_no_statistics_of_them() -> None:
    module = nn.Sequential(nn.Linear(3, 5, bias=False), nn.ReLU(), nn.Linear(5, 2))
    inputs = np.random.default_rng(0).standard_normal((12, 3)).astype(np.float32)
    train = Split(inputs, np.arange(12) % 2, 2)
    statistics = compute(
        "weights:layer_statistics",
        Subject(adopt(module, inputs), None, train, np.random.default_rng(0)),
    )["layer_statistics"]
    assert isinstance(statistics, dict)
    parts = {name.rpartition(".")[0] for name in statistics}
    assert parts == {"0.weight", "1.weight", "1.bias"}


def test_neural_persistence_of_layers_is_that_of_spanning_trees(
    module: nn.Sequential, train: Split
) -> None:
    own = values(module, train)
    weights = [
        parameter.detach().flatten(1) for parameter in module.parameters() if parameter.ndim > 1
    ]
    largest = max(float(weight.abs().max()) for weight in weights)
    expected = []
    for weight in weights[-2:]:
        graph = nx.Graph()
        for (i, j), value in np.ndenumerate(weight.numpy()):
            graph.add_edge(("output", i), ("input", j), weight=abs(float(value)) / largest)
        lives = [1 - edge["weight"] for *_, edge in nx.maximum_spanning_edges(graph)]
        expected.append(math.sqrt(sum(life**2 for life in lives) / (len(graph) - 1)))
    layers = np.asarray(own["neural_persistence_by_layer"])
    assert layers.shape == (len(weights),)
    np.testing.assert_allclose(layers[-2:], expected, rtol=1e-6)
    assert own["neural_persistence"] == pytest.approx(layers.mean())


def test_permuted_neurons_change_nothing(module: nn.Sequential, train: Split) -> None:
    permuted = copy.deepcopy(module)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        linear(permuted, 5).weight.copy_(linear(module, 5).weight[order])
        linear(permuted, 5).bias.copy_(linear(module, 5).bias[order])
        linear(permuted, 7).weight.copy_(linear(module, 7).weight[:, order])
    before, after = values(module, train), values(permuted, train)
    for name, value in before.items():
        assert after[name] == pytest.approx(value, rel=1e-6), name


def test_rescaled_layers_have_the_same_exponent(module: nn.Sequential, train: Split) -> None:
    rescaled = copy.deepcopy(module)
    with torch.no_grad():
        for parameter in rescaled[5].parameters():
            parameter.mul_(8)
        linear(rescaled, 7).weight.div_(8)
    before, after = values(module, train), values(rescaled, train)
    assert after["alpha"] == pytest.approx(before["alpha"], rel=1e-6)
    assert after["alpha_hat"] != pytest.approx(before["alpha_hat"], rel=1e-3)


def test_the_whole_network_rescaled_has_the_same_neural_persistence(
    module: nn.Sequential, train: Split
) -> None:
    rescaled = copy.deepcopy(module)
    with torch.no_grad():
        for parameter in rescaled.parameters():
            parameter.mul_(4)
    before, after = (
        values(network, train, "weights:neural_persistence") for network in (module, rescaled)
    )
    assert after["neural_persistence"] == pytest.approx(before["neural_persistence"])


def test_batch_normalisation_is_folded(train: Split) -> None:
    spec = convolutional((6, 6, 2), 3, width=24, depth=2, batch_normalisation=True)
    network = build(spec).train()
    with torch.no_grad():
        for _ in range(5):
            network(torch.from_numpy(train.inputs))
    network.eval()
    halved = copy.deepcopy(network)
    scales = [part for part in halved.modules() if isinstance(part, nn.BatchNorm2d)]
    kernel = next(part for part in halved.modules() if isinstance(part, nn.Conv2d))
    with torch.no_grad():
        # The same function: half the kernel, and a batch normalisation that doubles.
        for tensor in (kernel.weight, kernel.bias):
            if tensor is not None:
                tensor.div_(2)
        assert scales[0].running_mean is not None
        assert scales[0].running_var is not None
        scales[0].running_mean.div_(2)
        scales[0].running_var.div_(4)
        scales[0].eps /= 4
    before, after = (
        compute("weights", Subject(one, None, train, np.random.default_rng(0)))
        for one in (network, halved)
    )
    for name, value in before.items():
        assert after[name] == pytest.approx(value, rel=1e-4, abs=1e-6), name
