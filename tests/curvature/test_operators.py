"""Operators against dense matrices by another route, closed forms and curvlinops."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from gengap.curvature import (
    ggn,
    gradient_second_moment,
    hessian,
    is_twice_differentiable,
    operators,
)
from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.networks import Network, build, convolutional, dense, weight_layers

Builder = Callable[..., nn.Module]
DataMaker = Callable[..., Split]
Oracle = Callable[..., np.ndarray]

SMOOTH = dense((4,), 3, width=5, depth=2, activation="tanh")
CONVOLUTIONAL = convolutional((4, 4, 2), 3, width=2, depth=1, batch_normalisation=True)
RESNET = {"architecture": "resnet18", "input_shape": [4, 4, 1], "classes": 3, "width": 1}
SOFTMAX = {
    "model_config": [
        {"layer_name": "Dense", "units": 4, "activation": "tanh"},
        {"layer_name": "Dense", "units": 3},
        {"layer_name": "Softmax"},
    ],
    "input_shape": [4],
}
ONE_OUTPUT = {
    "model_config": [
        {"layer_name": "Dense", "units": 4, "activation": "tanh"},
        {"layer_name": "Dense", "units": 1},
    ],
    "input_shape": [4],
}
CASES = [
    (SMOOTH, "cross_entropy"),
    (SMOOTH, "mse"),
    (SMOOTH, "hinge"),
    (SOFTMAX, "nll"),
    (SOFTMAX, "mse"),
    (ONE_OUTPUT, "cross_entropy"),
    (CONVOLUTIONAL, "cross_entropy"),
]


def linear(inputs: int, outputs: int) -> dict[str, Any]:
    return {"model_config": [{"layer_name": "Dense", "units": outputs}], "input_shape": [inputs]}


def shifted(network: nn.Module) -> nn.Module:
    """Batch statistics away from the identity, so that eval mode can be told from training."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.fill_(0.3)  # type: ignore[union-attr]
            module.running_var.fill_(2.0)  # type: ignore[union-attr]
    return network


@pytest.mark.parametrize(("spec", "loss"), CASES)
def test_hessians_equal_those_of_torch_func(
    spec: dict[str, Any],
    loss: str,
    seeded: Builder,
    random_split: DataMaker,
    dense_hessian: Oracle,
) -> None:
    network = shifted(seeded(spec))
    shape = tuple(spec["input_shape"])
    data = random_split(11, shape, 2 if spec is ONE_OUTPUT else 3)
    expected = dense_hessian(network, loss, data)
    exact = hessian(network, loss, data, reduction="sum", dtype="float64").dense()
    np.testing.assert_allclose(exact, expected, rtol=1e-9, atol=1e-10)
    single = hessian(network, loss, data, reduction="sum").dense()
    np.testing.assert_allclose(single, expected, atol=2e-5 * np.abs(expected).max())


@pytest.mark.slow
def test_a_residual_network_in_float32(
    seeded: Builder, random_split: DataMaker, dense_hessian: Oracle
) -> None:
    network = shifted(seeded(RESNET))
    data = random_split(6, (4, 4, 1))
    operator = hessian(network, "cross_entropy", data)
    vector = np.random.default_rng(1).standard_normal(operator.size)
    expected = dense_hessian(network, "cross_entropy", data) / 6 @ vector
    assert np.linalg.norm(operator @ vector - expected) < 1e-4 * np.linalg.norm(expected)


@pytest.mark.parametrize("make", [hessian, ggn, gradient_second_moment])
def test_mean_and_sum_differ_by_the_number_of_inputs(
    make: Callable[..., Any], seeded: Builder, random_split: DataMaker
) -> None:
    network, data = seeded(SMOOTH), random_split(23)
    mean = make(network, "cross_entropy", data, dtype="float64")
    total = make(network, "cross_entropy", data, dtype="float64", reduction="sum")
    np.testing.assert_allclose(total.dense(), 23 * mean.dense(), rtol=1e-9, atol=1e-12)
    assert total.loss == pytest.approx(23 * mean.loss)


@pytest.mark.parametrize("make", [hessian, ggn, gradient_second_moment])
@pytest.mark.parametrize("graph_bytes", [0, 1 << 30])
def test_batches_and_retained_graphs_change_nothing(
    make: Callable[..., Any],
    graph_bytes: int,
    seeded: Builder,
    random_split: DataMaker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network, data = seeded(SMOOTH), random_split(23)
    whole = make(network, "cross_entropy", data, dtype="float64")
    monkeypatch.setattr(operators, "CURVATURE_GRAPH_BYTES", graph_bytes)
    parts = make(network, "cross_entropy", data, dtype="float64", batch_size=7)
    assert whole.retained
    assert parts.retained == (graph_bytes > 0)
    np.testing.assert_allclose(parts.dense(), whole.dense(), rtol=1e-9, atol=1e-14)


def test_retained_memory_is_judged_by_all_batches(
    seeded: Builder, random_split: DataMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, data = seeded(CONVOLUTIONAL), random_split(64, (4, 4, 2))
    monkeypatch.setattr(operators, "CURVATURE_GRAPH_BYTES", 10_000)
    assert not hessian(network, "cross_entropy", data, batch_size=2).retained
    few = Split(data.inputs[:2], data.labels[:2], 3)
    assert hessian(network, "cross_entropy", few, batch_size=2).retained


class Saved:
    """A tensor that a graph keeps, counted as long as it does."""

    live: ClassVar[Counter[tuple[int, int]]] = Counter()
    peak = 0

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor.detach()
        storage = tensor.untyped_storage()
        self.key = storage.data_ptr(), storage.nbytes()
        Saved.live[self.key] += 1
        Saved.peak = max(Saved.peak, sum(nbytes for _, nbytes in Saved.live))

    def __del__(self) -> None:
        Saved.live[self.key] -= 1
        if not Saved.live[self.key]:
            del Saved.live[self.key]


@pytest.mark.parametrize("make", [hessian, ggn, gradient_second_moment])
def test_mini_batches_are_as_large_as_a_graph_may_be(
    make: Callable[..., operators.CurvatureOperator],
    seeded: Builder,
    random_split: DataMaker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Weights and inputs, which graphs keep but do not own, take 0.17 MB beside this."""
    spec = {"architecture": "resnet18", "input_shape": [16, 16, 1], "classes": 3, "width": 2}
    network, data = shifted(seeded(spec)), random_split(40, (16, 16, 1))
    whole = make(network, "cross_entropy", data, dtype="float64")
    assert (whole.batch_size, whole.retained) == (40, True)
    limit = 2 << 20
    monkeypatch.setattr(operators, "CURVATURE_GRAPH_BYTES", limit)
    parts = make(network, "cross_entropy", data, dtype="float64")
    assert not parts.retained
    assert 1 < parts.batch_size < 20
    vector = np.random.default_rng(0).standard_normal(parts.size)
    Saved.live.clear()
    monkeypatch.setattr(Saved, "peak", 0)
    with torch.autograd.graph.saved_tensors_hooks(Saved, lambda saved: saved.tensor):
        found = parts @ vector
    assert 0.7 * limit < Saved.peak < limit + 180_000
    expected = whole @ vector
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * np.abs(expected).max())
    assert parts.loss == pytest.approx(whole.loss, rel=1e-12)
    monkeypatch.setattr(operators, "CURVATURE_GRAPH_BYTES", 1)
    assert make(network, "cross_entropy", data).batch_size == 1


def test_the_gauss_newton_matrix_and_the_second_moment_from_jacobians(
    seeded: Builder, random_split: DataMaker, sample_gradients: Oracle
) -> None:
    network, data = seeded(SMOOTH), random_split(13)
    gradients = sample_gradients(network, "cross_entropy", data)
    moment = gradient_second_moment(network, "cross_entropy", data, dtype="float64").dense()
    np.testing.assert_allclose(moment, gradients.T @ gradients / 13, atol=1e-12)

    logits, jacobians = [], []
    double = copy.deepcopy(network).double()
    for row in torch.tensor(data.inputs).double():
        outputs = double(row[None])[0]
        logits.append(outputs.detach().numpy())
        slopes = [
            torch.autograd.grad(output, list(double.parameters()), retain_graph=True)
            for output in outputs
        ]
        jacobians.append([torch.cat([s.reshape(-1) for s in rows]).numpy() for rows in slopes])
    expected = np.zeros_like(moment)
    for outputs, jacobian in zip(np.array(logits), np.array(jacobians), strict=True):
        shares = np.exp(outputs - outputs.max())
        shares /= shares.sum()
        expected += jacobian.T @ (np.diag(shares) - np.outer(shares, shares)) @ jacobian / 13
    found = ggn(network, "cross_entropy", data, dtype="float64").dense()
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_linear_regression_in_closed_form(seeded: Builder, random_split: DataMaker) -> None:
    network, data = seeded(linear(4, 1)), random_split(20, classes=2)
    design = np.hstack([data.inputs.astype(float), np.ones((20, 1))])
    found = hessian(network, "mse", data, dtype="float64").dense()
    np.testing.assert_allclose(found, 2 * design.T @ design / 20, atol=1e-12)
    gauss_newton = ggn(network, "mse", data, dtype="float64").dense()
    np.testing.assert_allclose(gauss_newton, found, atol=1e-12)


def test_logistic_regression_in_closed_form(seeded: Builder, random_split: DataMaker) -> None:
    network, data = seeded(linear(4, 1)), random_split(20, classes=2)
    design = np.hstack([data.inputs.astype(float), np.ones((20, 1))])
    ((_, layer),) = weight_layers(network)
    assert layer.bias is not None
    weights = np.append(layer.weight.detach().numpy().ravel(), layer.bias.detach().numpy())
    shares = 1 / (1 + np.exp(-design @ weights))
    expected = design.T @ (design * (shares * (1 - shares))[:, None]) / 20
    found = hessian(network, "cross_entropy", data, dtype="float64").dense()
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_the_hinge_loss_of_a_linear_map_has_no_curvature(
    seeded: Builder, random_split: DataMaker
) -> None:
    operator = hessian(seeded(linear(4, 3)), "hinge", random_split())
    assert not operator.dense().any()
    assert operator.trace(12).value == 0.0
    assert operator.eigsh(3).values == pytest.approx([0, 0, 0])


@pytest.mark.parametrize("kind", ["hessian", "ggn", "gradient_second_moment"])
def test_products_equal_those_of_curvlinops(
    kind: str, seeded: Builder, random_split: DataMaker
) -> None:
    curvlinops = pytest.importorskip("curvlinops")
    network, data = seeded(CONVOLUTIONAL), random_split(12, (4, 4, 2))
    ours = getattr(operators, kind)(network, "cross_entropy", data, batch_size=5)
    name = {"hessian": "Hessian", "ggn": "GGN", "gradient_second_moment": "EF"}[kind]
    theirs = getattr(curvlinops, f"{name}LinearOperator")(
        network,
        nn.CrossEntropyLoss(),
        list(network.parameters()),
        [(torch.tensor(data.inputs), torch.tensor(data.labels))],
    ).to_scipy()
    vector = np.random.default_rng(2).standard_normal(ours.size).astype(np.float32)
    expected = theirs @ vector
    assert np.linalg.norm(ours @ vector - expected) < 1e-5 * np.linalg.norm(expected)


def test_the_network_is_left_as_it_was_and_the_operator_stays(
    seeded: Builder, random_split: DataMaker
) -> None:
    network, data = seeded(CONVOLUTIONAL), random_split(8, (4, 4, 2))
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    operator = hessian(network, "cross_entropy", data)
    vector = np.ones(operator.size, np.float32)
    product = operator @ vector
    assert network.training
    for name, value in network.state_dict().items():
        assert torch.equal(before[name], value)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    np.testing.assert_array_equal(operator @ vector, product)


class Step(Network):
    """A part without a second derivative in the middle, or without any gradient."""

    def __init__(self, middle: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__((4,))
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 3)
        self.middle = middle
        self.outputs = 3

    def logits(self, inputs: torch.Tensor) -> torch.Tensor:
        outputs: torch.Tensor = self.last(self.middle(self.first(inputs)))
        return outputs


class OnceDifferentiable(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor) -> torch.Tensor:
        return inputs * 2

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slope: torch.Tensor) -> torch.Tensor:
        return slope * 2


def test_what_cannot_be_differentiated_is_named(random_split: DataMaker) -> None:
    rounded = Step(lambda values: torch.argsort(values, dim=1).float())
    with pytest.raises(GengapError, match=r"reaches the parameter first\.weight"):
        hessian(rounded, "cross_entropy", random_split())
    once = Step(OnceDifferentiable.apply)
    with pytest.raises(GengapError, match="cannot be differentiated twice"):
        hessian(once, "cross_entropy", random_split()).trace(6)
    assert not is_twice_differentiable(once, random_split())
    with pytest.raises(GengapError, match=r"reaches the parameter first\.weight"):
        is_twice_differentiable(rounded, random_split())


@pytest.mark.parametrize("loss", ["cross_entropy", "mse", "hinge"])
def test_smooth_networks_can_be_differentiated_twice_by_any_loss(
    loss: str, seeded: Builder, random_split: DataMaker
) -> None:
    assert is_twice_differentiable(seeded(SMOOTH), random_split(), loss)
    assert is_twice_differentiable(Step(torch.relu), random_split(), loss)


def test_losses_without_curvature_are_refused(seeded: Builder, random_split: DataMaker) -> None:
    network, data = seeded(linear(4, 3)), random_split(5)
    ((_, layer),) = weight_layers(network)
    with torch.no_grad():
        layer.weight.fill_(float("nan"))
    with pytest.raises(GengapError, match=r"cross_entropy .* is nan.*look at its weights"):
        hessian(network, "cross_entropy", data)
    sure = Split(data.inputs, np.zeros(5, np.int64), 3)
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(torch.tensor([30.0, 0.0, 0.0]))  # type: ignore[union-attr]
    with pytest.raises(GengapError, match=r"exactly 0 in float32.*ask for float64"):
        hessian(network, "cross_entropy", sure)
    assert hessian(network, "cross_entropy", sure, dtype="float64").loss > 0


@pytest.mark.parametrize(
    ("keywords", "sentence"),
    [
        ({"reduction": "max"}, "reduction is 'max': choose mean or sum"),
        ({"dtype": "float16"}, "dtype is 'float16': choose float32 or float64"),
        ({"batch_size": 0}, "batch_size is 0: give an integer of at least 1"),
        ({"loss": "focal"}, "loss is 'focal': choose"),
        ({"loss": "nll"}, "nll needs a network that ends in softmax"),
    ],
)
def test_keywords_are_checked(
    keywords: dict[str, Any], sentence: str, seeded: Builder, random_split: DataMaker
) -> None:
    loss = keywords.pop("loss", "cross_entropy")
    with pytest.raises(GengapError, match=sentence):
        hessian(seeded(SMOOTH), loss, random_split(), **keywords)


def test_another_datasets_inputs_are_refused(seeded: Builder, random_split: DataMaker) -> None:
    with pytest.raises(GengapError, match="takes inputs of shape"):
        hessian(build(SMOOTH), "cross_entropy", random_split(5, (7,)))


@pytest.mark.parametrize("make", [hessian, ggn, gradient_second_moment])
@pytest.mark.parametrize("spec", [SMOOTH, CONVOLUTIONAL])
def test_many_vectors_at_once_are_multiplied_as_one_by_one(
    make: Callable[..., operators.CurvatureOperator],
    spec: dict[str, Any],
    seeded: Builder,
    random_split: DataMaker,
) -> None:
    network = shifted(seeded(spec))
    data = random_split(23, tuple(spec["input_shape"]), 3)
    operator = make(network, "cross_entropy", data, dtype="float64", batch_size=10)
    vectors = np.random.default_rng(0).standard_normal((operator.size, operators.TOGETHER + 3))
    one_by_one = np.stack([operator.matvec(vector) for vector in vectors.T], axis=1)
    np.testing.assert_allclose(operator.matmat(vectors), one_by_one, rtol=1e-9, atol=1e-12)
