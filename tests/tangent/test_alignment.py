"""Alignments against closed forms and their invariances."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.tangent.conftest import points

from gengap.errors import GengapError
from gengap.networks import Network
from gengap.tangent import (
    centred_alignment,
    empirical_ntk,
    kernel_operator,
    normalised_alignment,
    one_hot,
    raw_alignment,
    raw_alignments,
    signs,
)

RNG = np.random.default_rng(0)
LABELS = np.array([0, 1, 1, 0, 1, 0, 0, 1])
ROOT = RNG.standard_normal((8, 5))
KERNEL = ROOT @ ROOT.T


def test_the_raw_alignment_is_a_rayleigh_quotient() -> None:
    target = signs(LABELS)
    assert target.tolist() == [-1, 1, 1, -1, 1, -1, -1, 1]
    by_hand = sum(target[i] * KERNEL[i, j] * target[j] for i in range(8) for j in range(8)) / 8
    assert raw_alignment(KERNEL, target) == pytest.approx(by_hand)
    values, vectors = np.linalg.eigh(KERNEL)
    np.testing.assert_allclose(raw_alignments(KERNEL, vectors), values, atol=1e-12)


def test_several_targets_weigh_by_their_size() -> None:
    targets = RNG.standard_normal((8, 3))
    each = raw_alignments(KERNEL, targets)
    sizes = (targets**2).sum(0)
    assert raw_alignment(KERNEL, targets) == pytest.approx((each * sizes).sum() / sizes.sum())


def test_scale_counts_for_the_raw_alignment_alone() -> None:
    target = signs(LABELS)
    assert raw_alignment(400 * KERNEL, target) == pytest.approx(400 * raw_alignment(KERNEL, target))
    for alignment in (normalised_alignment, centred_alignment):
        assert alignment(400 * KERNEL, target) == pytest.approx(alignment(KERNEL, target))


def test_a_kernel_of_the_target_alone_is_aligned_perfectly() -> None:
    target = signs(LABELS)
    kernel = np.outer(target, target)
    assert normalised_alignment(kernel, target) == pytest.approx(1)
    assert centred_alignment(kernel, target) == pytest.approx(1)
    assert centred_alignment(kernel + 100, target) == pytest.approx(1)
    assert normalised_alignment(np.eye(8), target) == pytest.approx(1 / 8)


def test_the_centred_alignment_by_its_definition() -> None:
    centring = np.eye(8) - 1 / 8
    for targets in (signs(LABELS), RNG.standard_normal((8, 3)), one_hot(LABELS, 2)):
        columns = targets.reshape(8, -1)
        mine = centring @ KERNEL @ centring
        other = centring @ columns @ columns.T @ centring
        expected = (mine * other).sum() / np.linalg.norm(mine) / np.linalg.norm(other)
        assert centred_alignment(KERNEL, targets) == pytest.approx(expected)


def test_one_hot_targets_are_centred() -> None:
    targets = one_hot(np.array([0, 2, 2, 0]), 3)
    assert targets.tolist() == [[0.5, 0, -0.5], [-0.5, 0, 0.5], [-0.5, 0, 0.5], [0.5, 0, -0.5]]


def test_an_operator_has_the_raw_alignment_of_its_kernel(small: Network) -> None:
    inputs = points(small, 8)
    expected = raw_alignment(empirical_ntk(small, inputs), signs(LABELS))
    found = raw_alignment(kernel_operator(small, inputs), signs(LABELS))
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: raw_alignment(KERNEL, np.ones(7)), r"Targets for 7 points .* shape \[8, 8\]"),
        (lambda: raw_alignment(KERNEL, np.zeros(8)), "Target 0 of 1 is zero at every point"),
        (lambda: centred_alignment(KERNEL, np.ones(8)), "Target 0 of 1 is zero at every point"),
        (lambda: normalised_alignment(0 * KERNEL, signs(LABELS)), "The kernel vanishes"),
        (lambda: one_hot(np.ones(4, dtype=int), 3), "All labels are equal"),
    ],
)
def test_what_has_no_alignment_is_refused(call: Any, sentence: str) -> None:
    with pytest.raises(GengapError, match=sentence):
        call()
