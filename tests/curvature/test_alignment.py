"""Alignment of gradients with vectors, against dense computations and exact cases."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from gengap.curvature.alignment import (
    alignments,
    g_theta,
    gradient_direction,
    output_direction,
    unit_gradients,
)
from gengap.datasets import load
from gengap.errors import GengapError
from gengap.networks import Network, build, dense, initialise, logits
from gengap.training import Recipe, train

RNG = np.random.default_rng


def network_of(outputs: int = 3, *, seed: int = 0, width: int = 6) -> Network:
    network = build(dense((2,), outputs, width=width, depth=2))
    initialise(network, "torch", torch.Generator().manual_seed(seed))
    return network


def points(count: int = 20) -> np.ndarray:
    return RNG(1).standard_normal((count, 2)).astype(np.float32)


def size_of(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def units(size: int, count: int) -> np.ndarray:
    return np.linalg.qr(RNG(2).standard_normal((size, count)))[0]


def dense_direction(network: Network, point: np.ndarray) -> np.ndarray:
    """The gradient of the predicted class's cross-entropy by autograd, in float64."""
    double = build(network.spec).double()
    double.load_state_dict({k: v.double() for k, v in network.state_dict().items()})
    outputs = logits(double, torch.from_numpy(point[None]).double())
    if outputs.shape[1] == 1:
        outputs = torch.cat([torch.zeros_like(outputs), outputs], 1)
    loss = nn.functional.cross_entropy(outputs, outputs.argmax(1))
    parts = torch.autograd.grad(loss, list(double.parameters()))
    return torch.cat([part.flatten() for part in parts]).numpy()


@pytest.mark.parametrize("outputs", [1, 2, 3, 5])
def test_alignment_is_the_cosine_with_the_gradient_of_the_predicted_class(outputs: int) -> None:
    network = network_of(outputs)
    vectors = units(size_of(network), 4)
    gradients = np.stack([dense_direction(network, point) for point in points()])
    expected = gradients @ vectors / np.linalg.norm(gradients, axis=1, keepdims=True)
    found = alignments(network, points(), vectors)
    assert np.allclose(found, expected, atol=1e-5)
    assert np.abs(found).max() <= 1


@pytest.mark.parametrize("outputs", [1, 2, 4])
def test_gradients_of_given_classes_are_those_of_autograd(outputs: int) -> None:
    network, classes = network_of(outputs), np.arange(20) % max(outputs, 2)
    vectors = units(size_of(network), 4)
    double = build(network.spec).double()
    double.load_state_dict({k: v.double() for k, v in network.state_dict().items()})
    expected = []
    for point, label in zip(points(), classes, strict=True):
        scores = logits(double, torch.from_numpy(point[None]).double())
        if outputs == 1:
            scores = torch.cat([torch.zeros_like(scores), scores], 1)
        loss = nn.functional.cross_entropy(scores, torch.tensor([label]))
        parts = torch.autograd.grad(loss, list(double.parameters()))
        gradient = torch.cat([part.flatten() for part in parts]).numpy()
        expected.append(gradient @ vectors / np.linalg.norm(gradient))
    assert np.allclose(alignments(network, points(), vectors, classes=classes), expected, atol=1e-5)


@pytest.mark.parametrize("outputs", [2, 4])
def test_alignment_is_exact_where_the_loss_has_saturated(outputs: int) -> None:
    """Where softmax rounds to one-hot, the gradient by autograd is 0, the direction is not.

    Scaling the last layer multiplies all logits, so that the softmax over the other classes of two
    of them does not change: the direction is that of the network before.
    """
    network = network_of(outputs)
    before = logits(network, torch.from_numpy(points())).detach().double()
    last = list(network.parameters())[-2:]
    with torch.no_grad():
        for parameter in last:
            parameter.mul_(1e4)
    inputs = torch.from_numpy(points())
    saturated = torch.softmax(logits(network, inputs), 1).max(1).values == 1
    assert bool(saturated.any())
    direction = output_direction(logits(network, inputs))
    q = torch.softmax((1e4 * before).scatter(1, before.argmax(1, keepdim=True), -torch.inf), 1)
    expected = q.scatter(1, before.argmax(1, keepdim=True), -1.0)
    assert torch.allclose(direction.double(), expected, atol=1e-2)
    lengths = torch.cat([part.norm(dim=1) for _, part in unit_gradients(network, points())])
    assert torch.allclose(lengths, torch.ones_like(lengths))


def test_the_predicted_class_pushes_up_and_the_others_share_by_softmax() -> None:
    outputs = torch.tensor([[3.0, 1.0, 1.0], [0.0, 50.0, 200.0]])
    expected = torch.tensor([[-1.0, 0.5, 0.5], [0.0, 1.0, -1.0]])
    assert torch.allclose(output_direction(outputs), expected)
    assert output_direction(torch.tensor([[2.0], [-1.0]]))[:, 0].tolist() == [-1.0, 1.0]


def test_the_gradient_itself_has_alignment_one_and_what_is_orthogonal_none() -> None:
    network = network_of()
    own = next(iter(unit_gradients(network, points(1))))[1].numpy().T
    other = units(size_of(network), 3)
    orthogonal = other - own @ (own.T @ other)
    orthogonal /= np.linalg.norm(orthogonal, axis=0)
    found = alignments(network, points(1), np.concatenate([own, -own, orthogonal], axis=1))
    assert np.allclose(found, [[1, -1, 0, 0, 0]], atol=1e-6)


def test_two_classes_flip_the_sign_at_the_boundary() -> None:
    network = network_of(2)
    line = np.linspace(-4, 4, 4000, dtype=np.float32)[:, None] * np.array([0.6, 0.8], np.float32)
    with torch.no_grad():
        first, second = logits(network, torch.from_numpy(line)).T
        list(network.parameters())[-1][0] += (second - first).median()
        predicted = logits(network, torch.from_numpy(line)).argmax(1).numpy()
    change = np.flatnonzero(np.diff(predicted))[0]
    pair = alignments(network, line[change : change + 2], units(size_of(network), 5))
    assert np.allclose(pair[0], -pair[1], atol=0.05)
    assert np.all(np.sign(pair[0]) == -np.sign(pair[1]))


def test_permuting_hidden_units_permutes_the_gradients() -> None:
    """A symmetry of the network that keeps lengths keeps the alignments of moved vectors."""
    network, moved = network_of(), network_of()
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    first, second = [m for m in moved.modules() if isinstance(m, nn.Linear)][:2]
    with torch.no_grad():
        first.weight.copy_(first.weight[order])
        first.bias.copy_(first.bias[order])
        second.weight.copy_(second.weight[:, order])
    names = np.arange(size_of(network))
    layout = {}
    start = 0
    for name, parameter in network.named_parameters():
        layout[name] = names[start : start + parameter.numel()].reshape(parameter.shape)
        start += parameter.numel()
    keys = list(layout)
    layout[keys[0]], layout[keys[1]] = layout[keys[0]][order], layout[keys[1]][order]
    layout[keys[2]] = layout[keys[2]][:, order]
    where = np.concatenate([part.ravel() for part in layout.values()])
    vectors = units(size_of(network), 4)
    assert np.allclose(
        alignments(network, points(), vectors),
        alignments(moved, points(), vectors[where]),
        atol=1e-5,
    )


def dense_hessian(network: Network, inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """torch.func.hessian over the flat parameters, in float64: an oracle for small networks."""
    shapes = [(n, p.shape) for n, p in network.named_parameters()]
    flat = torch.cat([p.detach().flatten() for p in network.parameters()]).double()
    x, y = torch.from_numpy(inputs).double(), torch.from_numpy(labels)

    def loss(theta: torch.Tensor) -> torch.Tensor:
        parts = torch.split(theta, [shape.numel() for _, shape in shapes])
        values = {n: part.view(s) for (n, s), part in zip(shapes, parts, strict=True)}
        outputs = torch.func.functional_call(network, values, (x,))
        return nn.functional.cross_entropy(outputs, y)

    found: torch.Tensor = torch.func.hessian(loss)(flat)
    return found.numpy()


def test_top_eigenvectors_align_and_the_null_space_does_not() -> None:
    """At a minimum, gradients of the training data lie in the span of the leading eigenvectors."""
    data = load("gauss_mixture", train_size=60, test_size=10)
    network = build(dense((2,), 3, width=6, depth=1))
    train(network, data.train, Recipe(optimiser="adam", learning_rate=0.02, epochs=300))
    values, vectors = np.linalg.eigh(dense_hessian(network, data.train.inputs, data.train.labels))
    order = np.argsort(-np.abs(values))
    found = g_theta(network, data.train.inputs, vectors[:, order], RNG(0))
    assert found.largest[:3].min() > 0.5
    assert found.largest[-5:].max() < found.threshold
    assert 0 < found.count < len(values)
    assert found.fraction == found.count / len(values)
    gradients = np.stack([dense_direction(network, x) for x in data.train.inputs])
    cosines = gradients @ vectors[:, order] / np.linalg.norm(gradients, axis=1, keepdims=True)
    assert np.allclose(found.largest, np.abs(cosines).max(axis=0), atol=1e-3)
    top = g_theta(network, data.train.inputs, vectors[:, order[:10]], RNG(0))
    assert top.threshold == pytest.approx(found.threshold)
    assert top.count == int((found.largest[:10] > found.threshold).sum())


def test_thresholds_are_ordered_and_a_number_is_taken_as_it_is() -> None:
    network = network_of()
    vectors = np.eye(size_of(network))
    least, mean, most = (
        g_theta(network, points(), vectors, RNG(3), threshold=name)
        for name in ("min", "mean", "max")
    )
    assert least.threshold < mean.threshold < most.threshold
    assert least.count >= mean.count >= most.count
    fixed = g_theta(network, points(), vectors, RNG(3), threshold=1e-6)
    assert fixed.threshold == 1e-6
    assert fixed.count >= least.count


def test_random_directions_exceed_their_own_threshold_about_half_of_the_time() -> None:
    network = network_of(width=20)
    random = RNG(5).standard_normal((size_of(network), 400))
    random /= np.linalg.norm(random, axis=0)
    found = g_theta(network, points(), random, RNG(6), random_vectors=200)
    assert 0.3 < found.count / 400 < 0.7


def test_scaling_layers_keeps_the_function_and_changes_the_gradients_only_by_layer() -> None:
    """The reparameterisation control: a ReLU network's layers times a, 1/a compute the same."""
    network, scaled = network_of(), network_of()
    layers = [m for m in scaled.modules() if isinstance(m, nn.Linear)]
    with torch.no_grad():
        layers[0].weight.mul_(5)
        layers[0].bias.mul_(5)
        layers[1].weight.mul_(1 / 5)
    inputs = torch.from_numpy(points())
    assert torch.allclose(logits(network, inputs), logits(scaled, inputs), atol=1e-5)
    one, other = (gradient_direction(each, inputs) for each in (network, scaled))
    first = sum(p.numel() for p in layers[0].parameters())
    assert torch.allclose(one[:, :first], 5 * other[:, :first], atol=1e-5)
    second = first + layers[1].weight.numel()
    assert torch.allclose(5 * one[:, first:second], other[:, first:second], atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "value", "sentence"),
    [
        ((7, 2), 1.0, "one column of 81 numbers"),
        ((81,), 1.0, "one column of 81 numbers"),
        ((81, 0), 1.0, "one column of 81 numbers"),
        ((81, 2), 1.0, "divide each by its norm"),
        ((81, 1), np.nan, "divide each by its norm"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(
    shape: tuple[int, ...], value: float, sentence: str
) -> None:
    with pytest.raises(GengapError, match=sentence):
        alignments(network_of(), points(), np.full(shape, value))


def test_an_unknown_threshold_and_wrong_inputs_are_refused() -> None:
    network = network_of()
    vectors = units(size_of(network), 1)
    with pytest.raises(GengapError, match="give mean, min, max or a number"):
        g_theta(network, points(), vectors, RNG(0), threshold="median")  # type: ignore[arg-type]
    with pytest.raises(GengapError, match="takes inputs of shape"):
        alignments(network, np.ones((3, 5), np.float32), vectors)
    with torch.no_grad():
        next(network.parameters()).fill_(float("inf"))
    with pytest.raises(GengapError, match="not finite"):
        alignments(network, points(), vectors)
