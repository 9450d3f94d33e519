"""Criteria of all parameters against dense matrices, laplace-torch and a closed form."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gengap.curvature import SpectralDensity, ggn, gradient_second_moment
from gengap.curvature.per_sample import per_sample_gradients
from gengap.datasets import Split
from gengap.measures import Subject, attempt
from gengap.measures.information import takeuchi_trace_ratio, whole_network_criteria
from gengap.measures.information.evidence import best_precision, occam_factor
from gengap.measures.information.whole_network import (
    combined_gradient,
    gauss_newton_trace,
    inverse_form,
    log_determinant,
)
from gengap.measures.registry import declaration
from gengap.networks import Network, batched_outputs, dense
from gengap.training import mean_loss

Builder = Callable[..., Network]
DataMaker = Callable[..., Split]

SMALL: dict[str, Any] = dense((3,), 3, width=4, depth=1)
ONE_OUTPUT: dict[str, Any] = dense((3,), 1, width=4, depth=1)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def squared_norm(network: nn.Module) -> float:
    return sum(float(value.detach().square().sum()) for value in network.parameters())


def gradients(network: nn.Module, data: Split, loss: str = "cross_entropy") -> np.ndarray:
    parts = [rows for _, rows in per_sample_gradients(network, data, loss)]
    return np.asarray(torch.cat(parts).numpy(force=True), dtype=np.float64)


def takeuchi(network: nn.Module, data: Split, damping: float = 0.0) -> float:
    """The full criterion, input by input: the mean of g_i' (n H)^-1 g_i."""
    operator = ggn(network, "cross_entropy", data)
    forms = [
        inverse_form(operator, row, damping, rng(), operator.size)
        for row in gradients(network, data)
    ]
    return float(np.mean(forms)) / len(data.labels)


def rescaled(network: Network, factor: float) -> Network:
    """The same function of ReLU layers, with other weights."""
    changed = copy.deepcopy(network)
    first, bias, second, _ = changed.parameters()
    with torch.no_grad():
        first.mul_(factor)
        bias.mul_(factor)
        second.div_(factor)
    return changed


# ---- Takeuchi's criterion in full ----------------------------------------------------------------


@pytest.mark.parametrize("damping", [0.01, 1.0])
def test_the_damped_criterion_is_that_of_dense_matrices(
    damping: float, seeded: Builder, random_split: DataMaker
) -> None:
    network, data = seeded(SMALL).double(), random_split(20, (3,), 3)
    hessian = ggn(network, "cross_entropy", data).dense()
    moment = gradient_second_moment(network, "cross_entropy", data).dense()
    inverse = np.linalg.inv(hessian + damping * np.eye(len(hessian)))
    expected = float(np.trace(moment @ inverse)) / len(data.labels)
    assert takeuchi(network, data, damping) == pytest.approx(expected, rel=1e-9)


@pytest.mark.slow
def test_without_damping_it_is_that_of_the_pseudo_inverse_and_of_the_function_alone(
    seeded: Builder, random_split: DataMaker
) -> None:
    network, data = seeded(SMALL).double(), random_split(24, (3,), 3)
    hessian = ggn(network, "cross_entropy", data).dense()
    moment = gradient_second_moment(network, "cross_entropy", data).dense()
    inverse = np.linalg.pinv(hessian, rcond=1e-12, hermitian=True)
    expected = float(np.trace(moment @ inverse)) / len(data.labels)
    assert takeuchi(network, data) == pytest.approx(expected, rel=1e-6)
    other = rescaled(network, 3.0)
    assert takeuchi(other, data) == pytest.approx(expected, rel=1e-6)
    assert takeuchi(other, data, 0.1) != pytest.approx(takeuchi(network, data, 0.1), rel=1e-2)


def test_with_more_parameters_than_outputs_it_depends_on_the_probabilities_alone(
    seeded: Builder, random_split: DataMaker
) -> None:
    """It is the mean of (1 - p) / p for the probabilities p of the labels, in closed form."""
    network, data = seeded(dense((6,), 3, width=30, depth=1)).double(), random_split(4, (6,), 3)
    logits = batched_outputs(network, data)
    own = torch.softmax(logits, 1)[torch.arange(4), torch.from_numpy(data.labels)]
    expected = float(((1 - own) / own).mean())
    assert takeuchi(network, data) == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
def test_both_are_right_on_average(
    seeded: Builder, random_split: DataMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gengap.measures.information.whole_network.RUNS", 100)
    network, data = seeded(SMALL), random_split(50, (3,), 3)
    found = whole_network_criteria(Subject(network, None, data, rng()))
    spectrum = ggn(network, "cross_entropy", data, dtype="float64").spectrum()
    squares = squared_norm(network)

    def determinant(precision: float) -> float:
        return float(np.log1p(50 * np.maximum(spectrum, 0) / precision).sum())

    precision = best_precision(squares, determinant)
    factor = occam_factor(precision, squares, determinant) / 50
    assert found["laplace_marginal_likelihood"].value == pytest.approx(factor, rel=0.05)
    expected = takeuchi(copy.deepcopy(network).double(), data, precision / 50)
    assert found["takeuchi_full"].value == pytest.approx(expected, rel=0.1)


def test_a_combined_gradient_is_the_sum_of_those_of_single_inputs(
    seeded: Builder, random_split: DataMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, data = seeded(SMALL).double(), random_split(11, (3,), 3)
    first = next(network.parameters())
    first.requires_grad_(False)
    weights = rng().standard_normal(11)
    expected = weights @ gradients(network, data)
    np.testing.assert_allclose(
        combined_gradient(network, data, "cross_entropy", weights), expected, rtol=1e-9
    )
    monkeypatch.setattr("gengap.measures.information.whole_network.batch_size_for", lambda *_: 4)
    np.testing.assert_allclose(
        combined_gradient(network, data, "cross_entropy", weights), expected, rtol=1e-9
    )
    assert not first.requires_grad


# ---- the evidence --------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", [0.1, 1.0, 10.0])
def test_the_evidence_is_that_of_laplace_torch(
    precision: float, seeded: Builder, random_split: DataMaker
) -> None:
    laplace = pytest.importorskip("laplace", reason="laplace-torch is not installed")
    from torch.utils.data import DataLoader, TensorDataset

    network, data = seeded(SMALL), random_split(40, (3,), 3)
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3))
    state = dict(zip(module.state_dict(), network.state_dict().values(), strict=True))
    module.load_state_dict(state)
    loader = DataLoader(
        TensorDataset(torch.from_numpy(data.inputs), torch.from_numpy(data.labels)), batch_size=40
    )
    other = laplace.Laplace(
        module, "classification", subset_of_weights="all", hessian_structure="full"
    )
    other.fit(loader)
    expected = float(other.log_marginal_likelihood(torch.tensor(precision)))
    spectrum = ggn(network, "cross_entropy", data).spectrum()
    density = SpectralDensity(np.zeros((1, 1)), np.zeros((1, 1)), spectrum)
    factor = occam_factor(
        precision, squared_norm(network), lambda value: log_determinant(density, value / 40).value
    )
    loss = 40 * mean_loss(network, data, "cross_entropy")
    assert -(loss + factor) == pytest.approx(expected, rel=1e-4)


def test_lanczos_quadrature_gives_the_determinant(seeded: Builder, random_split: DataMaker) -> None:
    network, data = seeded(dense((6,), 4, width=20, depth=2)), random_split(60, (6,), 4)
    operator = ggn(network, "cross_entropy", data)
    expected = float(np.linalg.slogdet(np.eye(operator.size) + operator.dense() / 1e-2)[1])
    estimate = log_determinant(operator.spectral_density(40, 25, seed=1), 1e-2)
    assert estimate.value == pytest.approx(expected, rel=0.05)
    assert 0 < estimate.standard_error < 0.05 * expected


# ---- the ratio of traces -------------------------------------------------------------------------


def test_the_trace_of_one_output_is_exact(seeded: Builder, random_split: DataMaker) -> None:
    network, data = seeded(ONE_OUTPUT).double(), random_split(20, (3,), 2)
    expected = float(np.trace(ggn(network, "cross_entropy", data).dense()))
    assert gauss_newton_trace(network, data, "cross_entropy", rng()) == pytest.approx(expected)


def test_the_trace_of_several_outputs_is_right_on_average(
    seeded: Builder, random_split: DataMaker
) -> None:
    network, data = seeded(SMALL).double(), random_split(20, (3,), 3)
    expected = float(np.trace(ggn(network, "cross_entropy", data).dense()))
    found = gauss_newton_trace(network, data, "cross_entropy", rng(), draws=400)
    assert found == pytest.approx(expected, rel=0.03)


def test_the_ratio_of_squared_errors_by_hand(seeded: Builder) -> None:
    """With J_i the output's gradient: g_i = 2 e_i J_i, and the curvature of an input 2 J_i J_i'."""
    network = seeded(ONE_OUTPUT).double()
    inputs = rng().standard_normal((20, 3)).astype(np.float32)
    targets = inputs[:, 0] - 1
    data = Split(inputs, targets, 0)
    rows = gradients(network, data, "mse")
    errors = batched_outputs(network, data)[:, 0].numpy() - targets
    lengths = np.square(rows / (2 * errors[:, np.newaxis])).sum(axis=1)
    expected = np.square(rows).sum() / (2 * lengths).sum() / 20
    assert takeuchi_trace_ratio(Subject(network, None, data, rng())) == pytest.approx(expected)


# ---- declarations and refusals -------------------------------------------------------------------


def test_all_estimate_the_gap_and_only_the_dear_ones_are_slow() -> None:
    ratio, whole = declaration(takeuchi_trace_ratio), declaration(whole_network_criteria)
    assert ratio.estimates_gap
    assert whole.estimates_gap
    assert (ratio.slow, whole.slow) == (False, True)


@pytest.mark.parametrize("measure", [takeuchi_trace_ratio, whole_network_criteria])
def test_what_has_no_curvature_is_refused(
    measure: Callable[[Subject], Any], seeded: Builder, random_split: DataMaker
) -> None:
    network, data = seeded(SMALL), random_split(20, (3,), 3)
    hinge = attempt(measure, Subject(network, None, data, rng(), loss="hinge"))
    assert all("piecewise linear" in text for text in hinge.left_out.values())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        list(network.parameters())[-1][0] = 500.0  # certain of class 0
    sure = Split(data.inputs, np.zeros(20, np.int64), 3)
    results = attempt(measure, Subject(network, None, sure, rng()))
    assert not results
    assert all("earlier epoch" in text for text in results.left_out.values())


def test_a_part_of_the_inputs_stands_for_all(
    seeded: Builder, random_split: DataMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, data = seeded(SMALL), random_split(400, (3,), 3)
    module = "gengap.measures.information.whole_network"
    for measure, constant in (
        (takeuchi_trace_ratio, "RATIO_INPUTS"),
        (whole_network_criteria, "INPUTS"),
    ):
        monkeypatch.setattr(f"{module}.{constant}", 400)
        whole = attempt(measure, Subject(network, None, data, rng()))
        monkeypatch.setattr(f"{module}.{constant}", 200)
        half = attempt(measure, Subject(network, None, data, rng()))
        for name, value in whole.items():
            assert isinstance(value, float)
            assert math.isclose(float(half[name]), value, rel_tol=0.5), name  # type: ignore[arg-type]
