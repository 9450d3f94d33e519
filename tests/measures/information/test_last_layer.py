"""The last layer against dense derivatives by autograd, and its leave-one-out against refits."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from gengap.curvature import ggn
from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.measures import Subject, attempt
from gengap.measures.information import last_layer as last_layers
from gengap.measures.information import last_layer_criteria
from gengap.measures.information.last_layer import LastLayer, last_layer
from gengap.measures.information.leave_one_out import estimates
from gengap.measures.registry import declaration
from gengap.networks import Network, adopt, build, convolutional, dense
from gengap.training import loss_inputs, sample_losses

Builder = Callable[..., Network]
DataMaker = Callable[..., Split]

SPECS: dict[str, dict[str, Any]] = {
    "dense": dense((4,), 3, width=5, depth=2, activation="tanh"),
    "convolutional": convolutional((6, 6, 2), 3, width=3, depth=2),
    "wide": dense((4,), 3, width=40, depth=1),
    "one output": dense((4,), 1, width=5, depth=1),
    "softmax": {
        "model_config": [
            {"layer_name": "Dense", "units": 4, "activation": "relu"},
            {"layer_name": "Dense", "units": 3, "activation": "softmax"},
        ],
        "input_shape": [4],
    },
}


def described(
    network: nn.Module, data: Split, loss: str = "cross_entropy", total: int = 0
) -> LastLayer:
    return last_layer(network, data, total or len(data.labels), loss, "trainable")


def head_only(network: nn.Module) -> nn.Module:
    """A copy in which the last layer's parameters alone are trainable."""
    copied = copy.deepcopy(network)
    for parameter in list(copied.parameters())[:-2]:
        parameter.requires_grad_(False)
    return copied


def head_gradients(network: nn.Module, data: Split, loss: str) -> np.ndarray:
    """The gradient of each input's loss in the last layer's parameters, (n, p)."""
    rows = []
    head = list(network.parameters())[-2:]
    for one, label in zip(data.inputs, data.labels, strict=True):
        outputs = loss_inputs(network, torch.from_numpy(one[None]).double(), loss)
        value = sample_losses(outputs, torch.tensor([label]), loss).sum()
        parts = torch.autograd.grad(value, head)
        rows.append(torch.cat([part.flatten() for part in parts]).numpy())
    return np.array(rows)


CASES = [
    ("dense", "cross_entropy"), ("dense", "mse"), ("convolutional", "cross_entropy"),
    ("wide", "cross_entropy"), ("one output", "cross_entropy"), ("one output", "mse"),
    ("softmax", "nll"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "loss"), CASES)
def test_matrix_and_takeuchi_are_those_of_dense_derivatives(
    kind: str, loss: str, seeded: Builder, random_split: DataMaker
) -> None:
    network = seeded(SPECS[kind]).double()
    data = random_split(15, network.input_shape, max(2, network.outputs))
    layer = described(network, data, loss, total=45)
    hessian = 3 * ggn(head_only(network), loss, data, reduction="sum").dense()
    expected, found = np.linalg.eigvalsh(hessian), np.linalg.eigvalsh(layer.matrix)
    count = min(len(expected), len(found))
    scale = expected[-1]
    np.testing.assert_allclose(found[-count:], expected[-count:], atol=1e-9 * scale)
    np.testing.assert_allclose(expected[:-count], 0, atol=1e-9 * scale)
    rows = head_gradients(network, data, loss)
    inverse = np.linalg.inv(hessian + 0.3 * np.eye(len(hessian)))
    takeuchi = np.mean([row @ inverse @ row for row in rows])
    assert estimates(layer, 0.3)["takeuchi_last_layer"] == pytest.approx(takeuchi, rel=1e-8)
    head = list(network.parameters())[-2:]
    assert layer.squared_norm == pytest.approx(sum(float(p.square().sum()) for p in head))


def test_the_precision_is_mackays_fixed_point(seeded: Builder, random_split: DataMaker) -> None:
    layer = described(seeded(SPECS["dense"]).double(), random_split(15))
    spectrum = np.linalg.eigvalsh(layer.matrix)
    determined = float((spectrum / (spectrum + layer.precision)).sum())
    assert layer.precision == pytest.approx(determined / layer.squared_norm, rel=1e-4)


def linear(weights: np.ndarray) -> Network:
    """A network of one dense layer without bias, (classes, features)."""
    layers = [{"layer_name": "Dense", "units": len(weights), "use_bias": False}]
    network = build({"model_config": layers, "input_shape": [weights.shape[1]]}).double()
    (parameter,) = network.parameters()
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(weights))
    return network.eval()


def test_leave_one_out_is_close_to_refits_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((60, 8)).astype(np.float32)
    labels = np.argmax(inputs[:, :3] + 1.5 * rng.gumbel(size=(60, 3)), axis=1)
    data, precision = Split(inputs, labels, 3), 0.5

    def fitted(rows: np.ndarray) -> LogisticRegression:
        model = LogisticRegression(C=1 / precision, fit_intercept=False, tol=1e-10, max_iter=5000)
        return model.fit(inputs[rows].astype(float), labels[rows])

    whole = fitted(np.arange(60))
    refits = [fitted(np.delete(np.arange(60), row)) for row in range(60)]

    def loss(model: LogisticRegression, row: int) -> float:
        return -float(model.predict_log_proba(inputs[[row]].astype(float))[0, labels[row]])

    def right(model: LogisticRegression, row: int) -> float:
        return float(model.predict(inputs[[row]].astype(float))[0] == labels[row])

    losses = [loss(refit, row) - loss(whole, row) for row, refit in enumerate(refits)]
    rights = [right(whole, row) - right(refit, row) for row, refit in enumerate(refits)]
    computed = estimates(described(linear(whole.coef_), data), precision)
    gap = float(np.mean(losses))
    assert gap > 0.1
    assert computed["approximate_leave_one_out_loss"] == pytest.approx(gap, rel=0.03)
    accuracy = computed["approximate_leave_one_out_accuracy"]
    assert accuracy == pytest.approx(np.mean(rights), abs=1.01 / 60)
    assert np.mean(rights) > 1.5 / 60
    # Without the input's leverage the change is too small.
    influence, takeuchi = computed["influence_leave_one_out"], computed["takeuchi_last_layer"]
    assert isinstance(influence, float)
    assert isinstance(takeuchi, float)
    assert 0.5 * gap < takeuchi < influence < gap


def test_influence_is_close_to_refits_of_many_inputs() -> None:
    """The weights are no minimum; a centre of the prior makes them one, and is kept in refits."""
    rng = np.random.default_rng(1)
    inputs = rng.standard_normal((200, 3)).astype(np.float32)
    labels = np.argmax(inputs[:, :2] + rng.gumbel(size=(200, 2)), axis=1)
    weights, precision = np.array([[1.0, 0, 0.3], [0, 0.8, 0]]), 2.0
    layer = described(linear(weights), Split(inputs, labels, 2))
    x, targets = torch.from_numpy(inputs).double(), torch.from_numpy(labels)
    theta = torch.from_numpy(weights)

    def summed(candidate: Tensor, rows: Tensor) -> Tensor:
        return nn.functional.cross_entropy(x[rows] @ candidate.T, targets[rows], reduction="sum")

    def gradient(candidate: Tensor, rows: Tensor) -> Tensor:
        leaf = candidate.clone().requires_grad_()
        return torch.autograd.grad(summed(leaf, rows), leaf)[0]

    everyone = torch.arange(200)
    centre = theta + gradient(theta, everyone) / precision
    changes = []
    for left in range(0, 200, 10):
        rows, one = everyone[everyone != left], everyone[left : left + 1]
        candidate = theta.clone()
        for _ in range(8):
            slope = gradient(candidate, rows) + precision * (candidate - centre)
            matrix = torch.func.hessian(summed)(candidate, rows).reshape(6, 6)
            step = torch.linalg.solve(matrix + precision * torch.eye(6).double(), slope.flatten())
            candidate = candidate - step.reshape(2, 3)
        changes.append(float(summed(candidate, one) - summed(theta, one)))
    leverages = layer.leverages(precision)
    slopes = layer.slopes @ layer.directions
    moved = np.einsum("nab,nb->na", leverages, slopes) @ layer.directions.T
    outputs = layer.outputs + torch.from_numpy(moved)
    influences = (layer.losses(outputs) - layer.losses(layer.outputs)).numpy()
    np.testing.assert_allclose(influences[::10], changes, rtol=0.1, atol=1e-5)
    computed = estimates(layer, precision)["influence_leave_one_out"]
    assert computed == pytest.approx(influences.mean(), rel=1e-9)


def test_leave_one_out_of_squared_errors_is_exact() -> None:
    """The residual of a ridge regression without an input is r_i / (1 - h_i)."""
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((12, 3)).astype(np.float32)
    targets = rng.standard_normal(12).astype(np.float32)
    x, precision = inputs.astype(float), 0.7
    hessian = 2 * x.T @ x + precision * np.eye(3)
    weights = np.linalg.solve(hessian, 2 * x.T @ targets)
    refits = []
    for row in range(12):
        some, rest = np.delete(x, row, 0), np.delete(targets, row)
        own = np.linalg.solve(2 * some.T @ some + precision * np.eye(3), 2 * some.T @ rest)
        refits.append((x[row] @ own - targets[row]) ** 2)
    expected = np.mean(refits) - np.mean((x @ weights - targets) ** 2)
    network = linear(weights[np.newaxis])
    computed = estimates(described(network, Split(inputs, targets, 0), "mse"), precision)
    assert computed["approximate_leave_one_out_loss"] == pytest.approx(expected, rel=1e-6)
    assert not isinstance(computed["approximate_leave_one_out_accuracy"], float)


def test_features_beyond_the_limit_are_dropped_or_refused(
    seeded: Builder, random_split: DataMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, data = seeded(SPECS["wide"]).double(), random_split(40)
    whole = estimates(described(network, data), 1.0)
    monkeypatch.setattr(last_layers, "SIZE", 24)
    layer = described(network, data)
    assert layer.matrix.shape == (24, 24)
    some = estimates(layer, 1.0)
    assert some["takeuchi_last_layer"] == pytest.approx(whole["takeuchi_last_layer"], rel=0.3)
    monkeypatch.setattr(last_layers, "SIZE", 2)
    with pytest.raises(GengapError, match="needs a smaller last layer"):
        described(network, data)


class Summed(nn.Module):
    """Its outputs are those of two linear layers together."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(4, 3), nn.Linear(4, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.one(inputs) + self.other(inputs)
        return outputs


def test_a_network_without_such_a_layer_is_refused(
    seeded: Builder, random_split: DataMaker
) -> None:
    data = random_split(20)
    with pytest.raises(GengapError, match="ends in a linear layer"):
        described(adopt(Summed(), data.inputs).eval(), data)
    with pytest.raises(GengapError, match="ends in a linear layer"):
        described(seeded(SPECS["softmax"]), data, "mse")  # of probabilities
    network = seeded(SPECS["dense"])
    for parameter in list(network.parameters())[-2:]:
        parameter.requires_grad_(False)
    with pytest.raises(GengapError, match="it is frozen"):
        described(network, data)
    subject = Subject(network, None, data, np.random.default_rng(0), parameters="all")
    assert not attempt(last_layer_criteria, subject).left_out
    hinge = Subject(network, None, data, np.random.default_rng(0), loss="hinge")
    assert all("hinge" in text for text in attempt(last_layer_criteria, hinge).left_out.values())


def test_the_measures_are_the_estimates_at_the_best_precision(
    seeded: Builder, random_split: DataMaker
) -> None:
    network, data = seeded(SPECS["dense"]), random_split(30)
    computed = last_layer_criteria(Subject(network, None, data, np.random.default_rng(0)))
    layer = described(network, data)
    assert computed == pytest.approx(estimates(layer, layer.precision))
    assert list(declaration(last_layer_criteria).names) == list(computed)
    assert declaration(last_layer_criteria).estimates_gap


def test_the_order_of_features_does_not_matter(seeded: Builder, random_split: DataMaker) -> None:
    network, data = seeded(SPECS["dense"]).double(), random_split(30)
    changed = copy.deepcopy(network)
    order = torch.tensor([3, 0, 1, 4, 2])
    *_, kernel, bias, last, _ = changed.parameters()
    with torch.no_grad():
        kernel.copy_(kernel[order])
        bias.copy_(bias[order])
        last.copy_(last[:, order])
    first, second = (estimates(described(one, data), 0.4) for one in (network, changed))
    assert first == pytest.approx(second, rel=1e-8)
