"""Measures of single inputs' gradients: loops of autograd, numbers by hand, invariances."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gengap.curvature import per_sample
from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.measures import Subject, attempt, gradients
from gengap.measures.gradients import gradient_agreement, moments_of, stiffness
from gengap.measures.registry import declaration
from gengap.measures.results import LeftOut
from gengap.networks import Network, convolutional, dense, folded
from gengap.training import loss_inputs, sample_losses

Builder = Callable[..., Network]
DataMaker = Callable[..., Split]

SPECS: dict[str, dict[str, Any]] = {
    "dense": dense((4,), 3, width=6, depth=2, activation="tanh"),
    "normalised": convolutional((6, 6, 2), 3, width=3, depth=2, batch_normalisation=True),
    "one output": dense((4,), 1, width=5, depth=1),
}


def values(network: nn.Module, data: Split, **options: Any) -> dict[str, float | LeftOut]:
    return gradient_agreement(Subject(network, None, data, np.random.default_rng(0), **options))


def numbers(network: nn.Module, data: Split, **options: Any) -> dict[str, float]:
    return {
        name: value
        for name, value in values(network, data, **options).items()
        if isinstance(value, float)
    }


def looped(network: nn.Module, data: Split, loss: str = "cross_entropy") -> np.ndarray:
    """The gradient of each input by itself, with batch normalisation folded, (n, p)."""
    inputs = torch.from_numpy(data.inputs).double()
    plain = folded(network, inputs[:1])
    rows = []
    for one, label in zip(inputs, data.labels, strict=True):
        value = sample_losses(loss_inputs(plain, one[None], loss), torch.tensor([label]), loss)
        parts = torch.autograd.grad(value.sum(), list(plain.parameters()))
        rows.append(torch.cat([part.flatten() for part in parts]).numpy())
    return np.array(rows)


def by_pairs(rows: np.ndarray, labels: np.ndarray, sign: bool) -> tuple[float, float]:
    """Stiffness within and between classes, from loops over all pairs."""
    pairs: dict[tuple[int, int], list[float]] = {}
    for first in range(len(rows)):
        for second in range(len(rows)):
            if first != second:
                product = rows[first] @ rows[second]
                lengths = np.linalg.norm(rows[first]) * np.linalg.norm(rows[second])
                value = np.sign(product) if sign else product / lengths
                pairs.setdefault((int(labels[first]), int(labels[second])), []).append(value)
    within = [np.mean(group) for (one, other), group in pairs.items() if one == other]
    between = [np.mean(group) for (one, other), group in pairs.items() if one != other]
    return float(np.mean(within)), float(np.mean(between))


@pytest.mark.parametrize("loss", ["cross_entropy", "mse"])
@pytest.mark.parametrize("kind", SPECS)
def test_values_are_those_of_loops(
    kind: str, loss: str, seeded: Builder, random_split: DataMaker
) -> None:
    network = seeded(SPECS[kind]).double()
    data = random_split(13, network.input_shape, max(2, network.outputs))
    rows = looped(network, data, loss)
    computed = numbers(network, data, loss=loss)
    mean = rows.mean(axis=0)
    noise = sum(float(np.sum((row - mean) ** 2)) for row in rows) / len(rows)
    assert computed["log_gradient_noise"] == pytest.approx(math.log(noise), rel=1e-9)
    coherence = np.mean([[one @ other for one in rows] for other in rows]) / np.mean(
        [row @ row for row in rows]
    )
    assert computed["negative_gradient_coherence"] == pytest.approx(-coherence, rel=1e-9)
    varying = rows[:, rows.std(axis=0) > 0]
    ratio = np.mean(varying.mean(axis=0) ** 2 / varying.var(axis=0))
    assert computed["negative_gradient_signal_to_noise"] == pytest.approx(-ratio, rel=1e-9)
    for name, sign in (("cosine", False), ("sign", True)):
        within, between = by_pairs(rows, data.labels, sign)
        assert computed[f"negative_stiffness_{name}_within"] == pytest.approx(-within, rel=1e-9)
        assert computed[f"stiffness_{name}_between"] == pytest.approx(between, rel=1e-9)


def test_moments_of_four_gradients_by_hand() -> None:
    """Mean (1, 0.5): squared length 1.25; mean squared length 15/4; parameter 3 never varies."""
    rows = torch.tensor([[1.0, 2, 0], [1, 0, 0], [3, 0, 0], [-1, 0, 0]])
    moments = moments_of(rows)
    mean = np.array([1.0, 0.5])
    squares = np.mean([5, 1, 9, 1])
    assert moments.noise == pytest.approx(squares - mean @ mean)
    assert moments.coherence == pytest.approx((mean @ mean) / squares)
    assert moments.ratio == pytest.approx((1 / 2 + 0.25 / 0.75) / 2)
    np.testing.assert_array_equal(moments.products, (rows @ rows.T).numpy())
    labels = np.array([0, 0, 1, 1])
    within, between = stiffness(np.sign(moments.products), labels)
    assert within == 0.0  # 1 in one class, -1 in the other
    assert between == 0.0


def test_coherence_lies_between_that_of_orthogonal_and_that_of_equal_gradients() -> None:
    assert moments_of(torch.eye(5)).coherence == pytest.approx(1 / 5)
    equal = moments_of(torch.ones(5, 3))
    assert equal.coherence == 1
    assert equal.noise is None
    assert equal.ratio is None


def test_columns_are_taken_in_any_number_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = torch.from_numpy(np.random.default_rng(0).standard_normal((6, 11)))
    whole = moments_of(rows)
    monkeypatch.setattr(gradients, "COLUMNS", 4)
    parts = moments_of(rows)
    np.testing.assert_allclose(parts.products, whole.products)
    assert (parts.noise, parts.coherence, parts.ratio) == pytest.approx(
        (whole.noise, whole.coherence, whole.ratio)
    )


def permuted(network: Network, data: Split) -> Network:
    """The same function, with the neurons of the first hidden layer in another order."""
    changed = copy.deepcopy(network)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    first, bias, second, *_ = changed.parameters()
    with torch.no_grad():
        for parameter, axis in ((first, 0), (bias, 0), (second, 1)):
            parameter.copy_(parameter.index_select(axis, order))
    inputs = torch.from_numpy(data.inputs).double()
    torch.testing.assert_close(changed(inputs), network(inputs))
    return changed


def test_neither_the_order_of_neurons_nor_the_batch_size_matters(
    seeded: Builder, random_split: DataMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, data = seeded(SPECS["dense"]).double(), random_split(17)
    expected = numbers(network, data)
    assert len(expected) == 7
    assert numbers(permuted(network, data), data) == pytest.approx(expected, rel=1e-9)
    monkeypatch.setattr(per_sample, "GRADIENT_BATCH_BYTES", 3 * 8 * 100)
    assert numbers(network, data) == pytest.approx(expected, rel=1e-9)


def test_folding_batch_normalisation_by_hand_changes_nothing(
    seeded: Builder, random_split: DataMaker
) -> None:
    network, data = seeded(SPECS["normalised"]).double(), random_split(9, (6, 6, 2))
    example = torch.from_numpy(data.inputs[:1]).double()
    plain = folded(network, example)
    assert plain is not network
    assert numbers(network, data) == pytest.approx(numbers(plain, data), rel=1e-9)


def test_only_the_noise_knows_the_size_of_the_gradients() -> None:
    rows = torch.from_numpy(np.random.default_rng(0).standard_normal((6, 11)))
    one, other = moments_of(rows), moments_of(3 * rows)
    assert one.noise is not None
    assert other.noise == pytest.approx(9 * one.noise)
    assert (other.coherence, other.ratio) == pytest.approx((one.coherence, one.ratio))


def test_inputs_are_drawn_and_fewer_where_their_gradients_are_large(
    seeded: Builder, random_split: DataMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, data = seeded(SPECS["dense"]), random_split(40)
    taken: list[int] = []
    original = gradients.moments_of

    def counted(rows: Tensor) -> gradients.Moments:
        taken.append(len(rows))
        return original(rows)

    monkeypatch.setattr(gradients, "moments_of", counted)
    values(network, data)
    monkeypatch.setattr(gradients, "INPUTS", 30)
    values(network, data)
    size = 4 * sum(parameter.numel() for parameter in network.parameters())
    monkeypatch.setattr(gradients, "SAMPLE_GRADIENT_BYTES", 7 * size)
    values(network, data)
    assert taken == [40, 30, 7]


def test_numbers_have_no_stiffness(seeded: Builder) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((12, 4)).astype(np.float32)
    data = Split(inputs, inputs[:, 0] * 2, 0)
    computed = values(seeded(SPECS["one output"]), data)
    left_out = {name for name, value in computed.items() if isinstance(value, LeftOut)}
    assert left_out == {*gradients.WITHIN, *gradients.BETWEEN}


def test_what_has_no_value_is_left_out(seeded: Builder, random_split: DataMaker) -> None:
    network = seeded(SPECS["dense"])
    one = attempt(gradient_agreement, Subject(network, None, random_split(1), rng()))
    assert dict(one) == {"negative_gradient_coherence": -1.0}
    apart = Split(random_split(3).inputs, np.arange(3), 3)
    none_within = attempt(gradient_agreement, Subject(network, None, apart, rng()))
    assert set(none_within.left_out) == set(gradients.WITHIN)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        list(network.parameters())[-1][0] = 200.0  # certain of class 0
    sure = Split(random_split(3).inputs, np.zeros(3, np.int64), 3)
    with pytest.raises(GengapError, match="use weights from an earlier epoch"):
        values(network, sure)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_the_sign_of_stiffness_between_classes_is_not_known() -> None:
    signs = declaration(gradient_agreement).signs
    assert {name for name, sign in signs.items() if sign == "?"} == set(gradients.BETWEEN)
