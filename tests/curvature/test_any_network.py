"""Networks that were not built here, frozen parts, and numbers as targets, by dense oracles."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import parametrizations, prune

from gengap.curvature import (
    CurvatureOperator,
    alignments,
    boundary_search,
    collapse_of,
    g_theta,
    gauss_newton_g_theta,
    ggn,
    gradient_second_moment,
    hessian,
    is_twice_differentiable,
    per_sample_gradients,
)
from gengap.curvature.report import report
from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.networks import build, dense
from gengap.training import sample_losses

Losses = Callable[[Tensor], Tensor]
SERIES, WIDTH = 3, 8


class Sequences(nn.Module):
    """A part that maps (n, length, width) to (n, length, units); then a mean and a dense head."""

    def __init__(self, part: nn.Module, units: int = WIDTH, call: Any = None) -> None:
        super().__init__()
        self.part, self.head = part, nn.Linear(units, 3)
        self.call = call or (lambda inner, inputs: inner(inputs))

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.call(self.part, inputs.reshape(-1, SERIES, WIDTH))
        hidden = hidden[0] if isinstance(hidden, tuple) else hidden
        outputs: Tensor = self.head(hidden.mean(1))
        return outputs


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(WIDTH, 3 * WIDTH)

    def forward(self, inputs: Tensor) -> Tensor:
        query, key, value = self.project(inputs)[:, None].chunk(3, -1)
        return functional.scaled_dot_product_attention(query, key, value)[:, 0]


class Unused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused = nn.Linear(24, 3), nn.Linear(2, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.used(inputs)
        return outputs


class Text(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.Embedding(7, 4), nn.Linear(4, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        outputs: Tensor = self.head(torch.tanh(self.embedding(tokens)).mean(1))
        return outputs


MODULES: dict[str, Callable[[], nn.Module]] = {
    "attention": lambda: Sequences(Attention()),
    "multi-head attention": lambda: Sequences(
        nn.MultiheadAttention(WIDTH, 2, batch_first=True),
        call=lambda part, inputs: part(inputs, inputs, inputs, need_weights=False),
    ),
    "transformer": lambda: Sequences(nn.TransformerEncoderLayer(WIDTH, 2, 6, batch_first=True)),
    "lstm": lambda: Sequences(nn.LSTM(WIDTH, 4, batch_first=True), 4),
    "gru": lambda: Sequences(nn.GRU(WIDTH, 4, batch_first=True), 4),
    "unused part": Unused,
    "tokens": Text,
}


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    return MODULES[name]().eval()


def data_for(name: str, count: int = 9) -> Split:
    rng = np.random.default_rng(3)
    vectors = rng.standard_normal((count, SERIES * WIDTH), np.float32)
    inputs: Any = rng.integers(0, 7, (count, 5)) if name == "tokens" else vectors
    return Split(inputs, rng.integers(0, 3, count), 3)


def dense_hessian(network: nn.Module, loss: Losses, inputs: np.ndarray) -> np.ndarray:
    """The Hessian of a loss of the outputs in all trainable parameters, row by row, in float64."""
    double = copy.deepcopy(network).double().eval()
    points = torch.from_numpy(inputs)
    points = points.double() if points.is_floating_point() else points
    parameters = [value for value in double.parameters() if value.requires_grad]
    with sdpa_kernel(SDPBackend.MATH):
        value = loss(double(points))
    options: Any = {"materialize_grads": True}
    slopes = torch.autograd.grad(value, parameters, create_graph=True, **options)
    flat = torch.cat([slope.reshape(-1) for slope in slopes])
    rows = []
    for slope in flat:
        if not slope.requires_grad:
            rows.append(torch.zeros_like(flat))
            continue
        parts = torch.autograd.grad(slope, parameters, retain_graph=True, **options)
        rows.append(torch.cat([part.reshape(-1) for part in parts]))
    return torch.stack(rows).detach().numpy()


def cross_entropy(data: Split) -> Losses:
    return lambda outputs: functional.cross_entropy(outputs, torch.from_numpy(data.labels))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name == "transformer" else name
        for name in MODULES
    ],
)
def test_hessians_of_any_module_equal_those_by_rows(name: str) -> None:
    network, data = made(name), data_for(name)
    expected = dense_hessian(network, cross_entropy(data), data.inputs)
    assert is_twice_differentiable(network, data)
    found = hessian(network, "cross_entropy", data, dtype="float64").dense()
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert torch.backends.mha.get_fastpath_enabled()


@pytest.mark.parametrize("name", MODULES)
def test_gradients_of_single_inputs_of_any_module(name: str) -> None:
    network, data = made(name).double(), data_for(name)
    (found,) = (part for _, part in per_sample_gradients(network, data))
    for row, one, label in zip(found, data.inputs, data.labels, strict=True):
        point = torch.from_numpy(one[None])
        outputs = network(point.double() if point.is_floating_point() else point)
        value = functional.cross_entropy(outputs, torch.tensor([label]))
        options: Any = {"materialize_grads": True}
        parts = torch.autograd.grad(value, list(network.parameters()), **options)
        expected = torch.cat([part.flatten() for part in parts])
        torch.testing.assert_close(row, expected, rtol=1e-9, atol=1e-12)


NUMBERS = Split(
    np.random.default_rng(4).standard_normal((15, 4), np.float32),
    np.random.default_rng(5).standard_normal(15, np.float32),
    0,
)


def regressor() -> nn.Module:
    torch.manual_seed(1)
    return build(dense((4,), 1, width=5, depth=1, activation="tanh")).eval()


def test_the_curvature_of_a_regression_equals_dense_matrices() -> None:
    network, targets = regressor(), torch.from_numpy(NUMBERS.labels).double()
    expected = dense_hessian(
        network, lambda outputs: functional.mse_loss(outputs[:, 0], targets), NUMBERS.inputs
    )
    found = hessian(network, "mse", NUMBERS, dtype="float64").dense()
    np.testing.assert_allclose(found, expected, atol=1e-12)
    double = copy.deepcopy(network).double()
    outputs = double(torch.from_numpy(NUMBERS.inputs).double())[:, 0]
    rows = [
        torch.autograd.grad(output, list(double.parameters()), retain_graph=True)
        for output in outputs
    ]
    jacobian = torch.stack([torch.cat([part.flatten() for part in row]) for row in rows]).numpy()
    gauss_newton = ggn(network, "mse", NUMBERS, dtype="float64").dense()
    np.testing.assert_allclose(gauss_newton, 2 * jacobian.T @ jacobian / 15, atol=1e-12)
    errors = outputs.detach().numpy() - NUMBERS.labels
    gradients = 2 * errors[:, None] * jacobian
    moment = gradient_second_moment(network, "mse", NUMBERS, dtype="float64").dense()
    np.testing.assert_allclose(moment, gradients.T @ gradients / 15, atol=1e-12)
    (joined,) = (part for _, part in per_sample_gradients(double, NUMBERS, "mse"))
    np.testing.assert_allclose(joined, gradients, atol=1e-12)
    assert is_twice_differentiable(network, NUMBERS, "mse")
    summary = report(network, "mse", NUMBERS, top=None)
    assert summary.eigenvalues == pytest.approx(np.linalg.eigvalsh(expected)[::-1], abs=1e-5)


def test_a_fitted_regression_has_the_curvature_of_its_inputs() -> None:
    """Of z = w x with w x = t exactly: the loss is 0, the Hessian 2 X'X/n."""
    network = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[2.0, -1.0]]))
    inputs = np.array([[1, 0], [0, 1], [2, 2]], np.float32)
    data = Split(inputs, inputs @ np.array([2, -1], np.float32), 0)
    operator = hessian(network, "mse", data)
    assert operator.loss == 0
    np.testing.assert_allclose(operator.dense(), 2 * inputs.T @ inputs / 3, rtol=1e-6)


@pytest.mark.parametrize("loss", ["cross_entropy", "hinge", "nll"])
def test_losses_of_classes_refuse_numbers(loss: str) -> None:
    with pytest.raises(GengapError, match=f"loss {loss} takes classes.*use the loss mse"):
        hessian(regressor(), loss, NUMBERS)


def test_what_is_of_classes_refuses_numbers() -> None:
    with pytest.raises(GengapError, match="collapse is of classes"):
        collapse_of(regressor(), NUMBERS)
    with pytest.raises(GengapError, match="3 outputs, but the targets are numbers"):
        hessian(nn.Linear(4, 3), "mse", NUMBERS)


def half_frozen() -> nn.Module:
    network = build(dense((4,), 3, width=5, depth=1, activation="tanh")).eval()
    for value in list(network.parameters())[:2]:
        value.requires_grad_(False)
    return network


CLASSES = Split(NUMBERS.inputs, np.arange(15) % 3, 3)


def test_frozen_parameters_count_only_where_all_are_asked_for() -> None:
    network = half_frozen()
    everything = copy.deepcopy(network).requires_grad_(True)
    whole = dense_hessian(everything, cross_entropy(CLASSES), CLASSES.inputs)
    part = dense_hessian(network, cross_entropy(CLASSES), CLASSES.inputs)
    assert (part.shape, whole.shape) == ((18, 18), (43, 43))
    make = [hessian(network, "cross_entropy", CLASSES, dtype="float64")]
    np.testing.assert_allclose(make[0].dense(), part, atol=1e-12)
    for options in ({"parameters": "all"}, {}):
        if not options:
            network = copy.deepcopy(network).requires_grad_(False)  # none left: all count
        operator = hessian(network, "cross_entropy", CLASSES, dtype="float64", **options)  # type: ignore[arg-type]
        np.testing.assert_allclose(operator.dense(), whole, atol=1e-12)
    (gradients,) = (rows for _, rows in per_sample_gradients(half_frozen(), CLASSES))
    assert gradients.shape == (15, 18)


def test_every_front_door_takes_the_parameters_that_count() -> None:
    network, rng = half_frozen(), np.random.default_rng
    flags = [value.requires_grad for value in network.parameters()]
    (part,) = (rows for _, rows in per_sample_gradients(network, CLASSES))
    (whole,) = (rows for _, rows in per_sample_gradients(network, CLASSES, parameters="all"))
    torch.testing.assert_close(whole[:, 25:], part)
    for word, size in (("trainable", 18), ("all", 43)):
        options: Any = {"parameters": word}
        vectors = np.eye(size)
        aligned = alignments(network, CLASSES.inputs, vectors, **options)
        np.testing.assert_allclose((aligned**2).sum(1), 1.0, rtol=1e-5)
        reached = g_theta(network, CLASSES.inputs, vectors, rng(0), **options)
        assert reached.fraction == reached.count / size
        exact = gauss_newton_g_theta(network, CLASSES.inputs, rng(0), **options)
        assert exact.fraction == exact.count / size
        assert report(network, "cross_entropy", CLASSES, top=None, **options).parameters == size
    assert flags == [value.requires_grad for value in network.parameters()]
    with pytest.raises(GengapError, match=r"'parameters' is 'some': choose"):
        hessian(network, "cross_entropy", CLASSES, parameters="some")  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("make", [hessian])
def test_second_derivatives_that_are_not_symmetric_are_refused(
    dtype: Any, make: Callable[..., CurvatureOperator]
) -> None:
    """Torch's own double backward of weight_norm is wrong by a fifth of the largest entry."""
    network = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    assert make(network, "cross_entropy", CLASSES, dtype=dtype).size == 43
    parametrizations.weight_norm(network[0])
    with pytest.raises(GengapError, match=r"not symmetric.*parametrisation of 0 wrongly"):
        make(network, "cross_entropy", CLASSES, dtype=dtype)
    nn.utils.parametrize.remove_parametrizations(network[0], "weight")
    assert make(network, "cross_entropy", CLASSES, dtype=dtype).size == 43


def test_the_check_of_symmetry_leaves_sound_parametrisations_alone() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    parametrizations.spectral_norm(network[0])
    prune.l1_unstructured(network[2], "weight", amount=0.5)  # type: ignore[no-untyped-call]
    network.eval()
    expected = dense_hessian(_passed(network), cross_entropy(CLASSES), CLASSES.inputs)
    found = hessian(network, "cross_entropy", CLASSES, dtype="float64").dense()
    np.testing.assert_allclose(found, expected, atol=1e-10)


def _passed(network: nn.Module) -> nn.Module:
    with torch.no_grad():  # a pruned weight has no graph afterwards, so that it can be copied
        network(torch.zeros(1, 4))
    return network


def test_a_gauss_newton_matrix_of_weight_norm_is_right() -> None:
    """It needs no second derivative of the network: only the Hessian is refused."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1)).double()
    parametrizations.weight_norm(network[0])
    rows = []
    for point in torch.from_numpy(NUMBERS.inputs).double():
        parts = torch.autograd.grad(network(point[None])[0, 0], list(network.parameters()))
        rows.append(torch.cat([part.flatten() for part in parts]).numpy())
    jacobian = np.stack(rows)
    found = ggn(network, "mse", NUMBERS, dtype="float64").dense()
    np.testing.assert_allclose(found, 2 * jacobian.T @ jacobian / 15, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_any_precision(dtype: torch.dtype) -> None:
    network = regressor().to(dtype)
    same = copy.deepcopy(network).double()
    operator = hessian(network, "mse", NUMBERS)
    assert operator.dtype == (np.float64 if dtype == torch.float64 else np.float32)
    expected = hessian(same, "mse", NUMBERS).dense()
    np.testing.assert_allclose(operator.dense(), expected, atol=1e-5 * np.abs(expected).max())
    (rows,) = (part for _, part in per_sample_gradients(network, NUMBERS, "mse"))
    (exact,) = (part for _, part in per_sample_gradients(same, NUMBERS, "mse"))
    assert rows.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    torch.testing.assert_close(rows.double(), exact, rtol=1e-4, atol=1e-5)
    assert next(network.parameters()).dtype == dtype


@pytest.mark.parametrize(
    ("network", "data", "sentence"),
    [
        (nn.Linear(4, 2), CLASSES, "2 outputs but the data have 3 classes"),
        (nn.LSTM(4, 3), CLASSES, r"returns a tuple.*adopt it with gengap\.networks\.adopt"),
        (nn.Flatten(0), CLASSES, "has no parameter"),
        (nn.Sequential(nn.Linear(4, 3), nn.Flatten(0)), CLASSES, r"shape \[3\].*adopt"),
        (nn.Conv2d(3, 3, 3), CLASSES, r"does not take inputs of shape \[4\].*adopt"),
        (nn.Linear(4, 3), (CLASSES.inputs, CLASSES.labels), r"are a tuple: give a .*Split"),
    ],
)
def test_what_does_not_fit_is_one_sentence(network: nn.Module, data: Any, sentence: str) -> None:
    with pytest.raises(GengapError, match=sentence):
        hessian(network, "cross_entropy", data)


def test_a_compiled_network_is_refused() -> None:
    compiled = torch.compile(nn.Linear(4, 3), backend="eager")
    with pytest.raises(GengapError, match="give the module that was compiled"):
        hessian(compiled, "cross_entropy", CLASSES)  # type: ignore[arg-type]


def test_tokens_have_no_boundary_between_them() -> None:
    data = data_for("tokens")
    with pytest.raises(GengapError, match="takes tokens, which have no distances"):
        boundary_search(made("tokens"), data.inputs, np.random.default_rng(0))


def test_a_loss_of_0_says_what_helps() -> None:
    """Logits of +-100: the cross-entropy is 0 in float64 too, so float64 is no remedy."""
    network = nn.Linear(2, 2, bias=False).eval()
    data = Split(np.eye(2, dtype=np.float32), np.arange(2), 2)
    with torch.no_grad():
        network.weight.copy_(200 * torch.eye(2))
    with pytest.raises(GengapError, match="ask for float64, or use weights from an earlier"):
        hessian(network, "cross_entropy", data)
    with pytest.raises(GengapError, match="in all directions: use weights from an earlier"):
        hessian(network, "cross_entropy", data, dtype="float64")
    with pytest.raises(GengapError, match="in all directions: use weights from an earlier"):
        hessian(network, "hinge", data)
    with torch.no_grad():
        network.weight.copy_(1000 * torch.eye(2))
    with pytest.raises(GengapError, match=r"Gauss-Newton matrix .* is 0"):
        gauss_newton_g_theta(network, data.inputs, np.random.default_rng(0))


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("loss", ["mse", "hinge"])
def test_alignment_with_the_gradient_of_another_loss(loss: str, outputs: int) -> None:
    torch.manual_seed(2)
    network = build(dense((4,), outputs, width=5, depth=1, activation="tanh")).double().eval()
    vectors = np.eye(sum(value.numel() for value in network.parameters()))
    found = alignments(network, CLASSES.inputs, vectors, loss=loss)
    for row, point in zip(found, torch.from_numpy(CLASSES.inputs).double(), strict=True):
        values = network(point[None])
        predicted = values.argmax(1) if outputs > 1 else (values[:, 0] > 0).long()
        value = sample_losses(values, predicted, loss).sum()
        parts = torch.autograd.grad(value, list(network.parameters()))
        gradient = torch.cat([part.flatten() for part in parts]).numpy()
        length = np.linalg.norm(gradient)
        np.testing.assert_allclose(row, gradient / length if length else gradient, atol=1e-9)


@pytest.mark.parametrize("outputs", [1, 3])
def test_g_theta_of_the_squared_error_is_that_of_the_dense_matrix(outputs: int) -> None:
    torch.manual_seed(2)
    network = build(dense((4,), outputs, width=5, depth=1, activation="tanh")).double().eval()
    data = CLASSES if outputs == 3 else Split(CLASSES.inputs, CLASSES.labels % 2, 2)
    found = gauss_newton_g_theta(network, data.inputs, np.random.default_rng(0), loss="mse")
    values, vectors = np.linalg.eigh(ggn(network, "mse", data, dtype="float64").dense())
    top = vectors[:, values > 1e-8 * values[-1]][:, ::-1]
    expected = g_theta(network, data.inputs, top, np.random.default_rng(0), loss="mse")
    assert found.threshold == pytest.approx(expected.threshold, rel=1e-6)
    assert found.largest[: top.shape[1]] == pytest.approx(expected.largest, abs=1e-5)
    with pytest.raises(GengapError, match="'hinge' has no Gauss-Newton matrix"):
        gauss_newton_g_theta(network, data.inputs, np.random.default_rng(0), loss="hinge")
