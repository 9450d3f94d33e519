"""Perturbation response and disagreement: hand-worked curves, direct loops, what is left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gengap.datasets import Split
from gengap.measures import Subject, attempt, compute
from gengap.measures import response as measures
from gengap.measures.response import (
    augmented,
    disagreement,
    gini_share,
    paired,
    palma_ratio,
    response_curve,
)
from gengap.networks import Network, build, convolutional, dense, observed_layers


def blobs(count: int = 40, size: int = 4, classes: int = 3, seed: int = 0) -> Split:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    centres = 3 * rng.standard_normal((classes, size))
    inputs = centres[labels] + rng.standard_normal((count, size))
    return Split(inputs.astype(np.float32), labels, classes)


def subject(network: nn.Module, train: Split, siblings: tuple[nn.Module, ...] = ()) -> Subject:
    return Subject(network, None, train, np.random.default_rng(0), siblings=siblings)


def test_scores_of_hand_worked_curves() -> None:
    assert gini_share(np.ones(11)) == pytest.approx(0)
    assert gini_share(np.zeros(11)) == 1
    assert gini_share(np.full(11, 0.25)) == pytest.approx(0.75)
    # Three magnitudes, accuracies 1, 1, 0: the cumulative curve is 0, 1/2, 3/4, with the area
    # (0 + 1/2)/4 + (1/2 + 3/4)/4 = 7/16 of 8/16.
    assert gini_share([1, 1, 0]) == pytest.approx(1 / 8)
    # The cumulative curve of equal accuracies is t: (1 - 0.16) / 2 over 0.01 / 2.
    assert palma_ratio(np.ones(11)) == pytest.approx(84)
    assert palma_ratio(np.full(11, 0.5)) == pytest.approx(84)
    # Right up to 0.1 only: the curve is t up to 0.1, 0.15 from 0.2 on.
    first = np.r_[1, 1, np.zeros(9)]
    assert palma_ratio(first) == pytest.approx(0.6 * 0.15 / 0.005)
    assert palma_ratio(np.r_[0, 0, np.ones(9)]) == float("inf")


def test_a_lower_curve_has_the_larger_scores() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        high = np.sort(rng.random(11))[::-1]
        high[0] = 1
        low = high * np.linspace(1, 0.5, 11)
        assert gini_share(low) > gini_share(high)
        assert -palma_ratio(low) > -palma_ratio(high)


def test_partners_are_of_the_same_class_or_of_another() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2])
    rows, partners = paired(labels, np.random.default_rng(0), same_class=True)
    assert rows.tolist() == [0, 1, 2, 3, 4]
    assert (labels[rows] == labels[partners]).all()
    assert (rows != partners).all()
    rows, partners = paired(labels, np.random.default_rng(0), same_class=False)
    assert rows.tolist() == list(range(6))
    assert (labels[rows] != labels[partners]).all()
    drawn = {
        int(paired(labels, np.random.default_rng(seed), same_class=False)[1][5])
        for seed in range(60)
    }
    assert drawn == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("place", ["input", "hidden"])
def test_a_curve_agrees_with_a_loop(place: str, seeded: Any) -> None:
    train = blobs()
    network = seeded(dense((4,), 3, width=6, depth=2))
    layer = observed_layers(network)[0][1] if place == "hidden" else None
    rows, partners = paired(train.labels, np.random.default_rng(0), same_class=False)
    found = response_curve(network, train, rows, partners, layer)
    values = [p.detach().double() for p in network.parameters()]

    def first(x: np.ndarray) -> torch.Tensor:
        return torch.relu(torch.from_numpy(x).double() @ values[0].T + values[1])

    for index, accuracy in enumerate(found):
        share, right = index / 20, 0
        for row, partner in zip(rows, partners, strict=True):
            one, other = train.inputs[row], train.inputs[partner]
            if place == "input":
                hidden = first((1 - share) * one + share * other)
            else:
                hidden = (1 - share) * first(one) + share * first(other)
            scores = torch.relu(hidden @ values[2].T + values[3]) @ values[4].T + values[5]
            right += int(scores.argmax()) == train.labels[row]
        assert accuracy == pytest.approx(right / len(rows), abs=1.5 / len(rows))
    assert len(set(found)) > 1


def test_curves_do_not_depend_on_the_batch_size(
    seeded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, network = blobs(), seeded(dense((4,), 3, width=6, depth=2))
    found = compute("response", subject(network, train))
    monkeypatch.setattr(measures, "BATCH", 7)
    assert dict(compute("response", subject(network, train))) == pytest.approx(dict(found))


def test_rescaling_of_relu_layers_changes_nothing(seeded: Any) -> None:
    train, network = blobs(), seeded(dense((4,), 3, width=6, depth=2))
    found = compute("response", subject(network, train))
    with torch.no_grad():
        weight, bias, second, *_ = network.parameters()
        weight.mul_(4)
        bias.mul_(4)
        second.div_(4)
    assert dict(compute("response", subject(network, train))) == dict(found)


def test_what_has_no_partner_or_no_hidden_layer_is_left_out(seeded: Any) -> None:
    network = seeded(dense((4,), 3, width=6, depth=1))
    train = blobs(3)  # one input of each class
    found = attempt("response", subject(network, train))
    assert "has a partner to be mixed with" in found.left_out["gi_score_intra_class_input"]
    assert "gi_score_inter_class_input" in found
    plain: Network = build(
        {"model_config": [{"layer_name": "Dense", "units": 3}], "input_shape": [4]}
    )
    found = attempt("response", subject(plain.eval(), blobs()))
    assert {name for name in found.left_out if "hidden" in name} == {
        f"{score}_{partner}_hidden"
        for score in ("gi_score", "negative_pal_score")
        for partner in ("intra_class", "inter_class")
    }


def test_disagreement_is_a_mean_over_siblings(seeded: Any) -> None:
    networks = [seeded(dense((4,), 3, width=6, depth=1), seed) for seed in range(3)]
    inputs = blobs().inputs
    expected = []
    for sibling in networks[1:]:
        with torch.no_grad():
            both = [one(torch.from_numpy(inputs)).argmax(1) for one in (networks[0], sibling)]
        expected.append(sum(int(a) != int(b) for a, b in zip(*both, strict=True)) / len(inputs))
    assert disagreement(networks[0], networks[1:], inputs) == pytest.approx(np.mean(expected))
    assert disagreement(networks[0], networks[:1], inputs) == 0
    name = "response:disagreement_of_replicates"
    found = compute(name, subject(networks[0], blobs(), tuple(networks[1:])))
    assert 0 < found["disagreement_of_replicates"] <= 1  # type: ignore[operator]
    assert compute(name, subject(networks[0], blobs(), (networks[0],))) == {
        "disagreement_of_replicates": 0.0
    }


def test_augmented_images_are_windows_of_padded_ones() -> None:
    rng = np.random.default_rng(0)
    images = rng.random((10, 8, 8, 1), dtype=np.float32)
    train = Split(images, np.arange(10) % 2, 2)
    moved = augmented(images, train, rng)
    padded = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)])
    corners = set()
    for image, frame in zip(moved, padded, strict=True):
        matches = [
            (top, left)
            for top in range(3)
            for left in range(3)
            if np.array_equal(image, frame[top : top + 8, left : left + 8])
        ]
        assert len(matches) == 1
        corners.add(matches[0])
    assert len(corners) > 3


def test_augmented_vectors_have_noise_of_a_tenth_of_each_feature() -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.standard_normal((4000, 3)) * [1, 10, 0]).astype(np.float32)
    train = Split(vectors, np.arange(4000) % 2, 2)
    noise = augmented(vectors, train, rng) - vectors
    np.testing.assert_allclose(noise.std(axis=0), [0.1, 1, 0], rtol=0.05)
    assert noise.dtype == np.float32


def test_images_have_every_score(seeded: Any) -> None:
    network = seeded(convolutional((6, 6, 1), 3, width=3, depth=2, batch_normalisation=True))
    rng = np.random.default_rng(0)
    train = Split(rng.random((30, 6, 6, 1), dtype=np.float32), np.arange(30) % 3, 3)
    found = attempt("response", subject(network, train))
    assert set(found.left_out) == {"disagreement_of_replicates"}
    assert found.unmet == {"disagreement_of_replicates": "siblings"}
