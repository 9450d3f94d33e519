"""The family of measures: every kind of network, values against dense spectra, refusals."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gengap.curvature import CurvatureOperator, effective_dimensionality, hessian, outliers
from gengap.curvature.gauss_newton import gauss_newton_g_theta
from gengap.datasets import Split, load
from gengap.errors import GengapError
from gengap.measures import Subject
from gengap.measures import curvature as measures
from gengap.measures.registry import declaration
from gengap.networks import build, convolutional, dense
from gengap.seeding import salted
from gengap.training import loss_and_accuracy

Builder = Callable[..., nn.Module]
DataMaker = Callable[..., Split]

OWN = [
    "lambda_max",
    "hessian_trace",
    "effective_dimensionality_tenth",
    "effective_dimensionality_one",
    "effective_dimensionality_ten",
    "hessian_negatives",
    "hessian_negative_mass",
    "hessian_outliers",
]
ONE_OUTPUT = {
    "model_config": [
        {"layer_name": "Dense", "units": 4, "activation": "tanh"},
        {"layer_name": "Dense", "units": 1},
    ],
    "input_shape": [3],
}
SPECS = {
    "convolutional": (convolutional((6, 6, 2), 3, width=3, depth=2, batch_normalisation=True), 3),
    "dense": (dense((4,), 3, width=6, depth=2), 3),
    "few parameters": (dense((1,), 2, width=2, depth=1), 2),
    "one output": (ONE_OUTPUT, 2),
    "masked": (
        {
            "architecture": "masked_dense",
            "input_shape": [4],
            "classes": 3,
            "width": 5,
            "depth": 1,
        },
        3,
    ),
}


def family(network: nn.Module, data: Split, seed: int = 0) -> dict[str, Any]:
    """The family but for G_theta, each function with the same seed."""
    spectrum, sharpness = (
        Subject(network, None, data, np.random.default_rng(seed)) for _ in range(2)
    )
    estimates = measures.hessian_spectrum(spectrum) | {
        "loss_sharpness": measures.loss_sharpness(sharpness)
    }
    return {name: estimate.value for name, estimate in estimates.items()}


def test_the_family_marks_its_measures() -> None:
    marked = [
        name
        for function in (measures.hessian_spectrum, measures.loss_sharpness)
        for name in declaration(function).names
    ]
    assert marked == [*OWN, "loss_sharpness"]


@pytest.mark.parametrize("kind", SPECS)
def test_every_kind_of_network(kind: str, seeded: Builder, random_split: DataMaker) -> None:
    spec, classes = SPECS[kind]
    network, data = seeded(spec), random_split(20, tuple(spec["input_shape"]), classes)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    values = family(network, data)
    assert all(math.isfinite(value) for value in values.values())
    assert family(network, data) == values
    for name, value in network.state_dict().items():
        assert torch.equal(before[name], value)


def test_values_of_a_small_network_are_those_of_its_spectrum(
    seeded: Builder, random_split: DataMaker
) -> None:
    network, data = (
        seeded(dense((3,), 2, width=2, depth=1, activation="tanh")),
        random_split(40, (3,), 2),
    )
    spectrum = hessian(network, "cross_entropy", data, dtype="float64").spectrum()
    assert len(spectrum) <= measures.TOP
    values = family(network, data)
    assert values["lambda_max"] == pytest.approx(spectrum[0], rel=1e-5)
    assert values["hessian_trace"] == pytest.approx(spectrum.sum(), rel=1e-4)
    assert values["hessian_outliers"] == outliers(spectrum)
    below = spectrum[spectrum < 0]
    assert (below < -1e-2 * spectrum[0]).sum() > 0
    assert values["hessian_negatives"] == (below < -1e-2 * spectrum[0]).sum()
    assert values["hessian_negative_mass"] == pytest.approx(-below.sum(), rel=1e-4)
    for name, alpha in measures.ALPHAS.items():
        expected = effective_dimensionality(spectrum, alpha)
        assert values[f"effective_dimensionality_{name}"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_estimates_of_a_larger_network_are_close(seeded: Builder, random_split: DataMaker) -> None:
    network, data = seeded(dense((8,), 4, width=20, depth=2)), random_split(60, (8,), 4)
    spectrum = hessian(network, "cross_entropy", data).spectrum()
    values = [family(network, data, seed) for seed in range(6)]
    below = spectrum[spectrum < 0]
    number = np.mean([value["hessian_negatives"] for value in values])
    assert number == pytest.approx((below < -1e-2 * spectrum[0]).sum(), rel=0.4)
    for name, expected in {
        "hessian_trace": spectrum.sum(),
        "hessian_negative_mass": -below.sum(),
        "effective_dimensionality_tenth": effective_dimensionality(spectrum, 0.1),
        "effective_dimensionality_one": effective_dimensionality(spectrum, 1.0),
    }.items():
        found = np.array([value[name] for value in values])
        assert found.mean() == pytest.approx(expected, rel=0.1), name


def test_the_sharpness_is_where_the_loss_has_risen_by_a_tenth(
    seeded: Builder, random_split: DataMaker
) -> None:
    network, data = seeded(dense((4,), 3, width=6, depth=1)), random_split(30)
    subject = Subject(network, None, data, np.random.default_rng(0))
    found = float(np.asarray(measures.loss_sharpness(subject).value))
    sigma = math.exp(-found)
    generator = torch.Generator().manual_seed(1)
    start = [weight.detach().clone() for weight in network.parameters()]
    before = loss_and_accuracy(network, data)[0]
    rises = []
    for _ in range(300):
        with torch.no_grad():
            for weight, centre in zip(network.parameters(), start, strict=True):
                weight.copy_(centre + sigma * torch.randn(centre.shape, generator=generator))
        rises.append(loss_and_accuracy(network, data)[0] - before)
    assert np.mean(rises) == pytest.approx(0.1, rel=0.5)


def test_the_sharpness_grows_with_the_logarithm_of_the_inputs(random_split: DataMaker) -> None:
    """At weights of 0 the loss of a linear map hangs on the products of noise and inputs alone."""
    spec = {
        "model_config": [{"layer_name": "Dense", "units": 3, "use_bias": False}],
        "input_shape": [4],
    }
    network, data = build(spec), random_split(30)
    with torch.no_grad():
        next(network.parameters()).zero_()
    larger = Split(5 * data.inputs, data.labels, 3)
    first, second = (
        float(
            np.asarray(
                measures.loss_sharpness(
                    Subject(network, None, some, np.random.default_rng(0))
                ).value
            )
        )
        for some in (data, larger)
    )
    step = math.log(measures.LARGEST / measures.SMALLEST) / 2**measures.BISECTIONS
    assert second - first == pytest.approx(math.log(5), abs=2 * step)


def test_large_data_are_drawn_from(
    seeded: Builder, random_split: DataMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = random_split(50)
    monkeypatch.setattr(measures, "INPUTS", 20)
    first = measures.some_inputs(data, np.random.default_rng(0))
    assert first.inputs.shape == (20, 4)
    rows = [np.flatnonzero((data.inputs == row).all(axis=1)).item() for row in first.inputs]
    assert rows == sorted(set(rows))
    np.testing.assert_array_equal(first.labels, data.labels[rows])
    assert measures.some_inputs(first, np.random.default_rng(0)) is first


def test_weights_that_are_not_numbers_are_refused(seeded: Builder, random_split: DataMaker) -> None:
    network, data = seeded(dense((4,), 3, width=6, depth=1)), random_split(30)
    with torch.no_grad():
        next(network.parameters()).fill_(math.nan)
    for function in (measures.hessian_spectrum, measures.loss_sharpness):
        with pytest.raises(GengapError, match="look at"):
            function(Subject(network, None, data, np.random.default_rng(0)))


def test_g_theta_is_a_count_of_fifty_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    data = load("digits", train_size=80, balanced=True).train
    network = build(dense((8, 8, 1), 10, width=16, depth=1))

    def value() -> float:
        return measures.g_theta(Subject(network, None, data, np.random.default_rng(0)))

    count = value()
    assert count == value()
    assert 0 < count <= 50 * 9
    monkeypatch.setattr(measures, "G_THETA_BYTES", 1)
    assert value() <= 2 * 9


def test_g_theta_is_of_the_loss_that_the_network_was_trained_on() -> None:
    data = load("digits", train_size=20, balanced=True).train
    network = build(dense((8, 8, 1), 10, width=16, depth=1))

    def value(loss: str) -> float:
        return measures.g_theta(Subject(network, None, data, np.random.default_rng(0), loss=loss))

    drawn = np.random.default_rng(0)
    inputs = data.sample(20, drawn).inputs
    exact = gauss_newton_g_theta(network, inputs, drawn, loss="mse")
    assert value("mse") == exact.count != value("cross_entropy")
    with pytest.raises(GengapError, match="'hinge' has no Gauss-Newton matrix"):
        value("hinge")


def test_random_vectors_are_those_of_the_subjects_stream(
    seeded: Builder, random_split: DataMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come from two integers of the stream as ``default_rng`` takes them, unsalted."""
    seeds: list[Any] = []

    class Recording(CurvatureOperator):
        def eigsh(self, *arguments: Any, **options: Any) -> Any:
            seeds.append(options["seed"])
            return super().eigsh(*arguments, **options)

        def spectral_density(self, *arguments: Any, **options: Any) -> Any:
            seeds.append(options["seed"])
            return super().spectral_density(*arguments, **options)

    monkeypatch.setattr(measures, "hessian", partial(Recording, "hessian"))
    subject = Subject(seeded(SPECS["dense"][0]), None, random_split(), np.random.default_rng(5))
    measures.hessian_spectrum(subject)
    again = np.random.default_rng(5)
    for seed in seeds:
        expected = np.random.default_rng(int(again.integers(2**32))).standard_normal(3)
        np.testing.assert_array_equal(salted(seed, "purpose").standard_normal(3), expected)
    assert len(seeds) == 2
