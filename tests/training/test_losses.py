"""Losses against torch's own and by hand; evaluation by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.networks import build, predictions, set_weights
from gengap.training import (
    loss_and_accuracy,
    loss_inputs,
    mean_loss,
    root_mean_square_error,
    sample_losses,
)


def outputs_and_labels(classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    outputs = 3 * torch.randn(50, classes, generator=generator, dtype=torch.float64)
    return outputs, torch.randint(0, classes, (50,), generator=generator)


def test_losses_equal_torchs() -> None:
    outputs, labels = outputs_and_labels()
    one_hot = functional.one_hot(labels, 4).double()
    for name, wanted in (
        ("cross_entropy", functional.cross_entropy(outputs, labels)),
        ("mse", functional.mse_loss(outputs, one_hot)),
        ("hinge", functional.multi_margin_loss(outputs, labels)),
        ("nll", functional.nll_loss(outputs.softmax(1).log(), labels)),
    ):
        torch.testing.assert_close(sample_losses(outputs, labels, name).mean(), wanted)


def test_scalar_losses_equal_torchs() -> None:
    outputs, labels = outputs_and_labels(2)
    scalar = outputs[:, :1]
    logistic = functional.binary_cross_entropy_with_logits(scalar[:, 0], labels.double())
    torch.testing.assert_close(sample_losses(scalar, labels, "cross_entropy").mean(), logistic)
    signs = 2.0 * labels - 1.0
    squared = functional.mse_loss(scalar[:, 0], signs)
    torch.testing.assert_close(sample_losses(scalar, labels, "mse").mean(), squared)
    by_hand = torch.tensor(
        [max(0.0, 1.0 - s * f) for s, f in zip(signs.tolist(), scalar[:, 0].tolist(), strict=True)],
        dtype=torch.float64,
    )
    torch.testing.assert_close(sample_losses(scalar, labels, "hinge"), by_hand)


def test_scalar_cross_entropy_is_that_of_two_outputs_that_differ_by_it() -> None:
    outputs, labels = outputs_and_labels(2)
    difference = outputs[:, 1:] - outputs[:, :1]
    torch.testing.assert_close(
        sample_losses(difference, labels, "cross_entropy"),
        sample_losses(outputs, labels, "cross_entropy"),
    )
    assert torch.equal(predictions(difference), predictions(outputs))


@pytest.mark.parametrize("loss", ["cross_entropy", "mse", "hinge"])
@pytest.mark.parametrize("classes", [1, 3])
def test_losses_are_twice_differentiable(loss: str, classes: int) -> None:
    outputs, labels = outputs_and_labels(max(classes, 2))
    outputs = outputs[:3, :classes].clone().requires_grad_()

    def mean(values: torch.Tensor) -> torch.Tensor:
        return sample_losses(values, labels[:3], loss).mean()

    assert torch.autograd.gradcheck(mean, (outputs,))
    assert torch.autograd.gradgradcheck(mean, (outputs,))


def linear(classes: int, softmax: bool = False) -> torch.nn.Module:
    layer = {"layer_name": "Dense", "units": classes, "activation": "softmax" if softmax else None}
    return build({"model_config": [layer], "input_shape": [2]})


def split(classes: int = 2, n: int = 7) -> Split:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(n, 2)).astype(np.float32)
    return Split(inputs, rng.integers(0, classes, n), classes)


def test_evaluation_by_hand() -> None:
    network = linear(2)
    weights = {"dense_0.weight": torch.eye(2), "dense_0.bias": torch.zeros(2)}
    set_weights(network, weights, source="test")
    data = Split(np.array([[1, 0], [0, 2], [3, 0]], np.float32), np.array([0, 1, 1]), 2)
    losses = [math.log(1 + math.exp(-1)), math.log(1 + math.exp(-2)), math.log(1 + math.exp(3))]
    loss, accuracy = loss_and_accuracy(network, data)
    assert loss == pytest.approx(sum(losses) / 3, rel=1e-6)
    assert accuracy == pytest.approx(2 / 3)
    assert loss_and_accuracy(network, data, "mse")[0] == pytest.approx((0 + 0.5 + (9 + 1) / 2) / 3)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 100])
def test_evaluation_does_not_depend_on_batches(batch_size: int) -> None:
    network = linear(2)
    whole = loss_and_accuracy(network, split())
    assert loss_and_accuracy(network, split(), batch_size=batch_size) == pytest.approx(
        whole, rel=1e-6
    )


def test_evaluation_is_in_eval_mode_and_restores_the_mode() -> None:
    layers = [
        {"layer_name": "BatchNormalization"},
        {"layer_name": "Dropout", "rate": 0.9},
        {"layer_name": "Dense", "units": 2},
    ]
    network = build({"model_config": layers, "input_shape": [2]})
    network.train()
    assert loss_and_accuracy(network, split()) == loss_and_accuracy(network, split())
    assert network.training
    assert not network.get_buffer("batch_normalization_0.running_mean").any()


def test_arrays_of_any_layout_are_taken() -> None:
    network = linear(2)
    data = split()
    strided = np.zeros((2, 14), np.float32).T[::-2]
    strided[:] = data.inputs
    strided.setflags(write=False)
    assert loss_and_accuracy(network, Split(strided, data.labels, 2)) == loss_and_accuracy(
        network, data
    )


def test_cross_entropy_of_a_softmax_network_is_that_of_its_logits() -> None:
    plain, probabilistic = linear(3), linear(3, softmax=True)
    probabilistic.load_state_dict(plain.state_dict())
    wanted = loss_and_accuracy(plain, split(3))
    assert loss_and_accuracy(probabilistic, split(3)) == wanted
    assert loss_and_accuracy(probabilistic, split(3), "nll") == wanted
    inputs = torch.from_numpy(split(3).inputs)
    torch.testing.assert_close(loss_inputs(probabilistic, inputs, "mse").sum(1), torch.ones(7))


def test_nll_of_a_network_without_softmax_is_refused() -> None:
    with pytest.raises(GengapError, match=r"nll.*softmax"):
        loss_and_accuracy(linear(2), split(), "nll")


@pytest.mark.parametrize(("outputs", "classes"), [(2, 3), (1, 3)])
def test_too_few_outputs_are_refused(outputs: int, classes: int) -> None:
    with pytest.raises(GengapError, match=f"{outputs} outputs.*{classes} classes"):
        loss_and_accuracy(linear(outputs), split(classes))


def numbers() -> Split:
    inputs = np.array([[1, 0], [0, 2], [3, 0], [1, 1]], np.float32)
    return Split(inputs, np.array([0.5, 1.0, -1.0, 2.5], np.float32), 0)


def summing() -> torch.nn.Module:
    network = linear(1)
    weights = {"dense_0.weight": torch.ones(1, 2), "dense_0.bias": torch.zeros(1)}
    set_weights(network, weights, source="test")
    return network


def test_the_loss_and_the_error_of_numbers_by_hand() -> None:
    """Outputs 1, 2, 3, 2 for 0.5, 1, -1, 2.5: errors 0.5, 1, 4, -0.5."""
    assert mean_loss(summing(), numbers(), "mse") == pytest.approx(17.5 / 4)
    assert root_mean_square_error(summing(), numbers()) == pytest.approx(math.sqrt(17.5 / 4))
    assert root_mean_square_error(summing().double(), numbers(), batch_size=3) == pytest.approx(
        math.sqrt(17.5 / 4)
    )


def test_the_mean_loss_of_classes_is_that_beside_the_accuracy() -> None:
    for loss in ("cross_entropy", "mse", "hinge"):
        assert mean_loss(linear(2), split(), loss) == loss_and_accuracy(linear(2), split(), loss)[0]


def test_numbers_have_no_accuracy_and_classes_no_error() -> None:
    with pytest.raises(GengapError, match=r"numbers.*no accuracy: use gengap\.training\.mean_loss"):
        loss_and_accuracy(summing(), numbers())
    with pytest.raises(GengapError, match=r"classes.*use gengap\.training\.loss_and_accuracy"):
        root_mean_square_error(linear(2), split())
    for loss in ("cross_entropy", "hinge", "nll"):
        with pytest.raises(GengapError, match=f"loss {loss} takes classes.*use the loss mse"):
            mean_loss(summing(), numbers(), loss)
        with pytest.raises(GengapError, match=f"loss {loss} takes classes"):
            sample_losses(torch.zeros(2, 1), torch.zeros(2), loss)
    with pytest.raises(GengapError, match="3 outputs, but the targets are numbers"):
        mean_loss(linear(3), numbers(), "mse")


def test_a_final_sigmoid() -> None:
    """Of p = sigmoid(z): squared errors from 0 and 1 as in Keras, and the logistic loss."""
    layer = {"layer_name": "Dense", "units": 1, "activation": "sigmoid"}
    network = build({"model_config": [layer], "input_shape": [1]})
    weights = {"dense_0.weight": torch.tensor([[4.0]]), "dense_0.bias": torch.zeros(1)}
    set_weights(network, weights, source="test")
    inputs = np.array([[-1.0], [0.5], [0.25], [-0.1]], np.float32)
    data = Split(inputs, np.array([0, 1, 1, 1]), 2)
    logits = 4.0 * inputs[:, 0].astype(float)
    probabilities = 1 / (1 + np.exp(-logits))
    squares = np.square(probabilities - data.labels).mean()
    assert loss_and_accuracy(network, data, "mse") == pytest.approx((squares, 0.75))
    logistic = np.log1p(np.exp(-(2 * data.labels - 1) * logits)).mean()
    for loss in ("nll", "cross_entropy"):
        assert loss_and_accuracy(network, data, loss) == pytest.approx((logistic, 0.75))


def test_a_foreign_module_is_run_to_see_its_outputs() -> None:
    class Branches(torch.nn.Linear):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            outputs = super().forward(inputs)
            return outputs, outputs  # type: ignore[return-value]

    with pytest.raises(GengapError, match=r"returns a tuple.*gengap\.networks\.adopt"):
        loss_and_accuracy(Branches(2, 2), split())
    with pytest.raises(GengapError, match="2 outputs but the data have 3 classes"):
        loss_and_accuracy(torch.nn.Linear(2, 2), split(3))
