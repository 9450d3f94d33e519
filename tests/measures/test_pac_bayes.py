"""PAC-Bayesian bounds against direct formulas, and noise on networks whose losses are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import nn

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.measures import MeasureResults, Subject, attempt
from gengap.measures.pac_bayes import EPSILON, noise_scale
from gengap.networks import build, convolutional, folded, weight_layers

Builder = Callable[..., nn.Module]
TOLERANCE = 0.03


def threshold(size: float, inputs: int = 1000) -> tuple[nn.Module, Split]:
    """Return a linear threshold, and unit vectors that each of its weights classifies alone.

    With noise of standard deviation sigma on the weights, each input is right with probability
    Phi(size / sigma), independently of the others.
    """
    spec = {
        "model_config": [{"layer_name": "Dense", "units": 1, "use_bias": False}],
        "input_shape": [inputs],
    }
    network = build(spec)
    labels = np.arange(inputs) % 2
    ((_, layer),) = weight_layers(network)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(size * (2.0 * labels - 1.0))[None])
    return network.eval(), Split(np.eye(inputs, dtype=np.float32), labels, 2)


@pytest.mark.parametrize("size", [0.02, 0.7, 5.0])
def test_noise_on_a_threshold_loses_a_tenth_where_the_normal_distribution_says(
    size: float,
) -> None:
    network, data = threshold(size)
    found = noise_scale(network, data, "cross_entropy", np.random.default_rng(0))
    expected = size / norm.ppf(0.9)
    assert abs(math.log(found.value / expected)) < TOLERANCE + 3 * found.standard_error / expected


@pytest.mark.parametrize("size", [0.02, 0.7])
def test_noise_that_grows_with_the_weights(size: float) -> None:
    network, data = threshold(size)
    found = noise_scale(
        network, data, "cross_entropy", np.random.default_rng(0), magnitude_aware=True
    )
    expected = math.sqrt(norm.ppf(0.9) ** -2 - (EPSILON / size) ** 2)
    assert abs(math.log(found.value / expected)) < TOLERANCE + 3 * found.standard_error / expected


def test_noise_raises_a_squared_error_by_its_variance() -> None:
    """The outputs are the targets +1 and -1, so the mean loss is the variance of a weight."""
    network, data = threshold(1.0)
    rng = np.random.default_rng(0)
    found = noise_scale(network, data, "mse", rng, criterion="loss")
    assert found.value == pytest.approx(math.sqrt(0.1), rel=0.04)


def test_the_standard_error_is_the_spread_between_draws() -> None:
    network, data = threshold(1.0, inputs=100)
    scales = [
        noise_scale(network, data, "cross_entropy", np.random.default_rng(seed))
        for seed in range(12)
    ]
    spread = float(np.std([scale.value for scale in scales], ddof=1))
    errors = float(np.median([scale.standard_error for scale in scales]))
    assert 0.4 < errors / spread < 2.5


def test_a_network_that_noise_cannot_change_has_the_largest_size() -> None:
    network = build({"model_config": [{"layer_name": "Dense", "units": 2}], "input_shape": [3]})
    data = Split(np.zeros((4, 3), np.float32), np.zeros(4, np.int64), 2)
    for parameter in network.parameters():
        parameter.requires_grad_(parameter.ndim == 2)  # the weight alone, which meets zeros
    with torch.no_grad():
        network.get_parameter("dense_0.bias").copy_(torch.tensor([1.0, 0.0]))
    found = noise_scale(network, data, "cross_entropy", np.random.default_rng(0))
    assert found.value == pytest.approx(10.0, rel=1e-2)
    assert math.isnan(found.standard_error)


def test_a_loss_that_is_not_finite_is_refused() -> None:
    network, data = threshold(1e30)
    with pytest.raises(GengapError, match="look at the network's weights"):
        noise_scale(network, data, "mse", np.random.default_rng(0), criterion="loss")


def computed(
    network: nn.Module, initial: nn.Module | None, train: Split, **options: Any
) -> MeasureResults:
    subject = Subject(network, initial, train, np.random.default_rng(0), **options)
    return attempt("pac_bayes", subject)


@pytest.fixture
def train() -> Split:
    rng = np.random.default_rng(0)
    return Split(rng.standard_normal((40, 6, 6, 1)).astype(np.float32), rng.integers(0, 3, 40), 3)


def test_bounds_are_those_of_the_formulas(seeded: Builder, train: Split) -> None:
    initial = seeded(convolutional((6, 6, 1), 3, width=4, depth=1))
    network = seeded(convolutional((6, 6, 1), 3, width=4, depth=1), seed=1)
    found = {name: float(value) for name, value in computed(network, initial, train).items()}  # type: ignore[arg-type]
    last, first = (
        [float(x) for p in module.parameters() for x in p.detach().flatten()]
        for module in (network, initial)
    )
    count, size = 40, len(last)
    sigma = 1 / (found["pac_bayes_flatness"] * math.sqrt(count))
    relative = 1 / (found["pac_bayes_mag_flatness"] * math.sqrt(count))
    assert 1e-5 < sigma < 10
    assert 1e-5 < relative < 10
    moved = [a - b for a, b in zip(last, first, strict=True)]
    for name, vector in (("init", moved), ("orig", last)):
        squared = sum(x**2 for x in vector)
        isotropic = squared / (4 * sigma**2) + math.log(count / sigma) + 10
        assert found[f"pac_bayes_{name}"] == pytest.approx(math.sqrt(isotropic / count), rel=1e-6)
        divergence = sum(
            math.log((1e-6 + (relative**2 + 1) * squared / size) / (1e-6 + relative**2 * change**2))
            for change in moved
        )
        aware = divergence / 4 + math.log(count / relative) + 10
        assert found[f"pac_bayes_mag_{name}"] == pytest.approx(math.sqrt(aware / count), rel=1e-6)
    squares = {"init": sum(x**2 for x in moved), "orig": sum(x**2 for x in last)}
    # Both bounds by the loss have one sigma: their squares differ by the norms over 4 sigma^2.
    bounds = {name: found[f"pac_bayes_loss_{name}"] ** 2 * count for name in squares}
    quarter = (bounds["init"] - bounds["orig"]) / (squares["init"] - squares["orig"])
    noise = math.sqrt(1 / (4 * quarter))
    expected = squares["orig"] * quarter + math.log(count / noise) + 10
    assert bounds["orig"] == pytest.approx(expected, rel=1e-4)


def test_batch_normalisation_changes_nothing(seeded: Builder, train: Split) -> None:
    spec = convolutional((6, 6, 1), 3, width=4, depth=1, batch_normalisation=True)
    networks = [seeded(spec, seed=1), seeded(spec)]
    example = torch.from_numpy(train.inputs[:1])
    plain = [folded(network, example) for network in networks]
    (network, initial), (last, first) = networks, plain
    assert dict(computed(network, initial, train)) == dict(computed(last, first, train))


def test_without_initial_weights_the_origin_and_the_flatness_stay(
    seeded: Builder, train: Split
) -> None:
    network = seeded(convolutional((6, 6, 1), 3, width=4, depth=1))
    results = computed(network, None, train)
    whole = computed(network, network, train)
    left = {"pac_bayes_init", "pac_bayes_mag_init", "pac_bayes_mag_orig", "pac_bayes_loss_init"}
    assert dict(results.unmet) == dict.fromkeys(left, "initial")
    assert set(results.left_out) == left
    assert dict(results) == {name: value for name, value in whole.items() if name not in left}


def test_numbers_have_bounds_by_the_loss_alone(seeded: Builder, train: Split) -> None:
    network = seeded(convolutional((6, 6, 1), 1, width=4, depth=1))
    numbers = Split(train.inputs, np.ones(40, np.float32), 0)
    results = computed(network, network, numbers)
    assert set(results) == {"pac_bayes_loss_init", "pac_bayes_loss_orig"}


def test_another_start_is_refused(seeded: Builder, train: Split) -> None:
    network = seeded(convolutional((6, 6, 1), 3, width=4, depth=1))
    other = seeded(convolutional((6, 6, 1), 3, width=5, depth=1))
    reasons = computed(network, other, train).left_out
    assert "give those of the same network" in reasons["pac_bayes_init"]
