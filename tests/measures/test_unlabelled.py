"""Estimates from unlabelled inputs against direct loops, and their bounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gengap.datasets import Split
from gengap.measures import Subject, attempt, compute
from gengap.measures.registry import declaration, members
from gengap.measures.unlabelled import threshold
from gengap.networks import dense


def data(count: int, seed: int) -> Split:
    rng = np.random.default_rng(seed)
    inputs = rng.standard_normal((count, 4)).astype(np.float32)
    labels = (inputs[:, 0] > 0).astype(np.int64) + (inputs[:, 1] > 0.5)
    return Split(inputs, labels, 3)


def probabilities(network: nn.Module, inputs: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        values: np.ndarray = network(torch.from_numpy(inputs)).double().softmax(1).numpy()
    return values


@pytest.fixture
def measured(seeded: Any) -> Subject:
    networks = [seeded(dense((4,), 3, width=6, depth=1), seed) for seed in range(3)]
    return Subject(
        networks[0],
        None,
        data(50, 0),
        np.random.default_rng(0),
        siblings=tuple(networks[1:]),
        unlabelled=data(70, 1).inputs,
    )


def test_confidences_against_a_direct_loop(measured: Subject) -> None:
    assert measured.unlabelled is not None
    known = probabilities(measured.network, measured.train.inputs)
    other = probabilities(measured.network, measured.unlabelled)
    wrong = sum(
        int(np.argmax(row)) != label
        for row, label in zip(known, measured.train.labels, strict=True)
    )
    error = wrong / 50
    assert 0 < wrong < 50

    def score(row: np.ndarray) -> float:
        return float(sum(p * np.log(p) for p in row))

    scores = [score(row) for row in known]
    # The published search: the threshold whose share of training inputs below it is the error.
    candidates = [t for t in sorted(scores) if sum(s < t for s in scores) == wrong]
    assert len(candidates) == 1
    below = sum(score(row) < candidates[0] for row in other) / 70
    found = compute("unlabelled", measured)
    assert found["average_thresholded_confidence"] == pytest.approx(below - error)
    mean = sum(max(row) for row in other) / 70
    assert found["average_confidence"] == pytest.approx(1 - error - mean, rel=1e-6)
    difference = sum(max(row) for row in known) / 50 - mean
    assert found["difference_of_confidences"] == pytest.approx(difference, rel=1e-6)


def test_disagreement_against_a_direct_loop(measured: Subject) -> None:
    assert measured.unlabelled is not None
    own, *others = (
        probabilities(network, measured.unlabelled).argmax(1)
        for network in (measured.network, *measured.siblings)
    )
    known = probabilities(measured.network, measured.train.inputs).argmax(1)
    error = (known != measured.train.labels).mean()
    expected = np.mean([np.mean(own != other) for other in others]) - error
    found = compute("unlabelled:disagreement_on_unlabelled", measured)
    assert found["disagreement_on_unlabelled"] == pytest.approx(expected)


def test_the_training_inputs_themselves_have_no_gap(measured: Subject) -> None:
    same = Subject(
        measured.network, None, measured.train, measured.rng, unlabelled=measured.train.inputs
    )
    found = attempt("unlabelled", same)
    assert found["average_thresholded_confidence"] == 0
    assert found["difference_of_confidences"] == 0
    assert found.unmet == {"disagreement_on_unlabelled": "siblings"}


def test_thresholds() -> None:
    scores = np.array([0.3, 0.1, 0.2])
    assert threshold(scores, np.array([True, False, False])) == 0.2
    assert threshold(scores, np.zeros(3, bool)) == 0.1
    assert threshold(scores, np.ones(3, bool)) == float("inf")


def test_certain_predictions_are_finite(measured: Subject) -> None:
    with torch.no_grad():
        for value in measured.network.parameters():
            value.mul_(1e4)
    found = attempt("unlabelled", measured)
    assert not found.left_out


def test_all_estimate_the_gap_and_need_unlabelled_inputs(measured: Subject) -> None:
    for function in members("unlabelled").values():
        declared = declaration(function)
        assert declared.estimates_gap
        assert "unlabelled" in declared.needs
    without = Subject(measured.network, None, measured.train, measured.rng)
    found = attempt("unlabelled", without)
    assert not found
    assert set(found.unmet.values()) == {"siblings", "unlabelled"}
