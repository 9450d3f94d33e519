"""Sharpness: closed forms on a quadratic loss, dense Hessians, invariances, regular models."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.measures import Subject, compute
from gengap.measures import sharpness as measures
from gengap.measures.sharpness import MovableLoss, average_rise, learning_coefficient, worst_rise
from gengap.networks import build, convolutional, dense
from gengap.training import mean_loss


def regression(count: int = 40, size: int = 3, seed: int = 0) -> tuple[Subject, np.ndarray]:
    """Return least squares near its minimum, and the extended inputs (n, size + 1)."""
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((count, size)).astype(np.float32)
    targets = (inputs @ np.arange(1.0, size + 1) + 0.3 * rng.standard_normal(count)).astype("f4")
    train = Split(inputs, targets, 0)
    network = build(
        {"model_config": [{"layer_name": "Dense", "units": 1}], "input_shape": [size]}
    ).eval()
    extended = np.c_[inputs, np.ones(count)].astype(float)
    best = np.linalg.lstsq(extended, targets.astype(float), rcond=None)[0]
    with torch.no_grad():
        for value in network.parameters():
            part = best[None, :-1] if value.ndim == 2 else best[-1:]
            value.copy_(torch.from_numpy(part) + 0.1)
    return Subject(network, None, train, np.random.default_rng(0)), extended


def quadratic(subject: Subject, extended: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return weights, gradient and Hessian of the mean squared error, in float64."""
    weights = np.concatenate(
        [p.detach().double().numpy().ravel() for p in subject.network.parameters()]
    )
    residuals = extended @ weights - subject.train.labels
    count = len(extended)
    return weights, 2 * extended.T @ residuals / count, 2 * extended.T @ extended / count


def rise(step: np.ndarray, gradient: np.ndarray, hessian: np.ndarray) -> float:
    return float(gradient @ step + step @ hessian @ step / 2)


def test_sharpness_of_least_squares_in_closed_form() -> None:
    subject, extended = regression()
    weights, gradient, hessian = quadratic(subject, extended)
    found = compute("sharpness", subject)
    step = 0.05 * gradient / np.linalg.norm(gradient)
    assert found["one_step_sharpness"] == pytest.approx(rise(step, gradient, hessian), rel=1e-3)
    scales = np.abs(weights)
    adaptive = 0.5 * scales**2 * gradient / np.linalg.norm(scales * gradient)
    expected = rise(adaptive, gradient, hessian)
    assert found["adaptive_sharpness"] == pytest.approx(expected, rel=1e-3)
    kernel = weights[:-1]
    squares = (extended[:, :-1] ** 2).sum(1).mean()
    expected = float(kernel @ kernel) * 2 * squares
    assert found["relative_flatness"] == pytest.approx(expected, rel=1e-4)


def test_the_worst_and_the_average_case_of_least_squares() -> None:
    subject, extended = regression()
    _, gradient, hessian = quadratic(subject, extended)
    loss = MovableLoss(subject)
    # The maximum over the sphere solves (mu I - H) step = gradient, with mu above the spectrum.
    values, vectors = np.linalg.eigh(hessian)
    projected = vectors.T @ gradient
    low, high = values[-1], values[-1] + np.linalg.norm(gradient) / 0.5 + 1
    for _ in range(200):
        middle = (low + high) / 2
        too_long = np.linalg.norm(projected / (middle - values)) > 0.5
        low, high = (middle, high) if too_long else (low, middle)
    step = vectors @ (projected / (high - values))
    assert np.linalg.norm(step) == pytest.approx(0.5, rel=1e-6)
    expected = rise(step, gradient, hessian)
    _, slope = loss.with_gradient()
    assert worst_rise(loss, slope, 0.5, 30) == pytest.approx(expected, rel=1e-3)
    assert worst_rise(loss, slope, 0.5, 5) <= expected * (1 + 1e-4)
    # On a sphere the mean of a quadratic form is its trace over the dimension.
    exact = 0.5**2 / 2 * np.trace(hessian) / len(hessian)
    means = [average_rise(loss, 0.5, 20, np.random.default_rng(seed)) for seed in range(20)]
    mean, error = np.mean(means), np.std(means, ddof=1) / math.sqrt(20)
    assert abs(mean - exact) < 4 * error
    assert error < 0.1 * exact
    assert mean < expected


@pytest.mark.slow
def test_the_learning_coefficient_of_a_regular_model_is_half_its_parameters() -> None:
    subject, extended = regression(count=200)
    with torch.no_grad():  # at the minimum
        for value in subject.network.parameters():
            value.sub_(0.1)
    estimates = [
        learning_coefficient(
            MovableLoss(subject),
            np.random.default_rng(seed),
            step=2e-3,
            localisation=0.0,
            burn_in=200,
            samples=3000,
            batch=200,
        )
        for seed in range(3)
    ]
    values = [float(np.asarray(estimate.value)) for estimate in estimates]
    assert np.mean(values) == pytest.approx(extended.shape[1] / 2, rel=0.1)
    errors = [float(np.asarray(estimate.standard_error)) for estimate in estimates]
    assert 0.3 < np.mean(errors) / np.std(values, ddof=1) < 3


@pytest.mark.slow
def test_the_learning_coefficient_of_a_degenerate_model_is_smaller() -> None:
    """Of two inputs that are one and the same, only the sum of the weights matters."""
    subject, _ = regression(count=200, size=2)
    with torch.no_grad():
        for value in subject.network.parameters():
            value.sub_(0.1)
    inputs = subject.train.inputs.copy()
    inputs[:, 1] = inputs[:, 0]
    degenerate = Subject(
        subject.network, None, Split(inputs, inputs @ np.array([1, 2], np.float32), 0), subject.rng
    )
    with torch.no_grad():
        weight, bias = subject.network.parameters()
        weight.copy_(torch.tensor([[1.0, 2.0]]))
        bias.zero_()
    estimate = learning_coefficient(
        MovableLoss(degenerate), np.random.default_rng(0), step=2e-3, localisation=0.1,
        burn_in=200, samples=4000, batch=200,
    )  # fmt: skip
    assert estimate.value == pytest.approx(1.0, rel=0.15)


def classifier(seeded: Any, spec: dict[str, Any], count: int = 30) -> Subject:
    rng = np.random.default_rng(0)
    shape = spec["input_shape"]
    assert isinstance(shape, list | tuple)
    inputs = rng.standard_normal((count, *shape)).astype(np.float32)
    train = Split(inputs, rng.integers(0, 3, count), 3)
    return Subject(seeded(spec), None, train, np.random.default_rng(0))


@pytest.mark.parametrize("loss", ["cross_entropy", "mse", "hinge"])
def test_relative_flatness_against_the_dense_hessian(loss: str, seeded: Any) -> None:
    subject = classifier(seeded, dense((4,), 3, width=5, depth=1))
    subject = Subject(subject.network, None, subject.train, subject.rng, loss=loss)
    found = compute("sharpness:relative_flatness", subject)["relative_flatness"]
    first, shift, weight, bias = (p.detach().double() for p in subject.network.parameters())
    hidden = torch.relu(torch.from_numpy(subject.train.inputs).double() @ first.T + shift)
    labels = torch.from_numpy(subject.train.labels)

    def mean(kernel: torch.Tensor) -> torch.Tensor:
        outputs = hidden @ kernel.T + bias
        if loss == "cross_entropy":
            return nn.functional.cross_entropy(outputs, labels)
        if loss == "mse":
            return nn.functional.mse_loss(outputs, nn.functional.one_hot(labels, 3).double())
        margins = (1 - outputs.gather(1, labels[:, None]) + outputs).relu()
        return (margins.sum(1) - 1).mean() / 3

    hessian = torch.func.hessian(mean)(weight)
    expected = sum(
        float(weight[s] @ weight[t]) * float(hessian[s, :, t].trace())
        for s in range(3)
        for t in range(3)
    )
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-9)


@pytest.mark.parametrize(
    "spec",
    [dense((4,), 3, width=6, depth=2), convolutional((4, 4, 1), 3, width=3, depth=2)],
    ids=["dense", "convolutional"],
)
def test_what_rescaling_of_relu_layers_changes(spec: dict[str, Any], seeded: Any) -> None:
    subject = classifier(seeded, spec)
    found = compute("sharpness", subject)
    with torch.no_grad():
        weight, bias, second, *_ = subject.network.parameters()
        weight.mul_(5)
        bias.mul_(5)
        second.div_(5)
    other = compute("sharpness", subject_again(subject))
    for name in ("adaptive_sharpness", "relative_flatness"):
        assert other[name] == pytest.approx(found[name], rel=1e-3), name
    for name in ("one_step_sharpness", "worst_case_sharpness"):
        assert other[name] != pytest.approx(found[name], rel=1e-2), name


def subject_again(subject: Subject) -> Subject:
    return Subject(subject.network, None, subject.train, np.random.default_rng(0))


def test_folding_of_batch_normalisation_changes_nothing(seeded: Any) -> None:
    from gengap.networks import folded

    spec = convolutional((4, 4, 1), 3, width=3, depth=2, batch_normalisation=True)
    subject = classifier(seeded, spec)
    network = subject.network
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    plain = folded(network, torch.from_numpy(subject.train.inputs[:1]))
    found = compute("sharpness", subject)
    other = compute("sharpness", Subject(plain, None, subject.train, np.random.default_rng(0)))
    for name in found:
        assert found[name] == pytest.approx(other[name], rel=1e-5), name


def test_values_do_not_depend_on_the_batch_size(
    seeded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = classifier(seeded, dense((4,), 3, width=6, depth=1))
    names = ("one_step_sharpness", "adaptive_sharpness", "worst_case_sharpness")
    found = compute("sharpness", subject)
    monkeypatch.setattr(measures, "BATCH", 7)
    other = compute("sharpness", subject_again(subject))
    for name in (*names, "average_sharpness", "relative_flatness"):
        assert found[name] == pytest.approx(other[name], rel=1e-3), name


def test_the_network_is_as_it_was(seeded: Any) -> None:
    subject = classifier(seeded, dense((4,), 3, width=6, depth=1))
    before = mean_loss(subject.network, subject.train, "cross_entropy")
    loss = MovableLoss(subject)
    assert loss.start == pytest.approx(before, rel=1e-6)
    compute("sharpness", subject_again(subject))
    assert mean_loss(subject.network, subject.train, "cross_entropy") == before


def test_refusals(seeded: Any) -> None:
    spec = {
        "model_config": [
            {"layer_name": "Conv2D", "filters": 3, "kernel_size": [2, 2]},
            {"layer_name": "GlobalAveragePooling2D"},
        ],
        "input_shape": [4, 4, 1],
    }
    with pytest.raises(GengapError, match="ends in a Conv2d instead of a linear layer"):
        compute("sharpness:relative_flatness", classifier(seeded, spec))
    with pytest.raises(GengapError, match="a single input, so there is no temperature"):
        compute(
            "sharpness:local_learning_coefficient",
            classifier(seeded, dense((4,), 3, width=4, depth=1), count=1),
        )
    network = seeded(dense((4,), 3, width=4, depth=1))
    with torch.no_grad():
        next(network.parameters()).fill_(math.inf)
    train = Split(np.ones((4, 4), np.float32), np.array([0, 1, 2, 0]), 3)
    with pytest.raises(GengapError, match="loss or its gradient is not finite"):
        compute(
            "sharpness:one_step_sharpness",
            Subject(network, None, train, np.random.default_rng(0)),
        )
