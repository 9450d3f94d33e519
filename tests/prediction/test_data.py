"""The same data, data of the same distribution, and others."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import energy_distance
from sklearn.datasets import load_digits

from gengap.datasets import Split
from gengap.prediction.data import (
    PERMUTATIONS,
    ReferenceData,
    digest_of_rows,
    energy_test,
    row_digests,
)


@pytest.fixture(scope="module")
def digits() -> Split:
    bunch = load_digits()
    inputs = (bunch.images[..., None] / 16).astype(np.float32)
    # The file is ordered by writers.
    rows = np.random.default_rng(0).permutation(len(inputs))
    return Split(inputs[rows], bunch.target[rows].astype(np.int64), 10)


@pytest.fixture(scope="module")
def known(digits: Split) -> ReferenceData:
    return ReferenceData.of_split(digits.take(slice(0, 800)))


def test_rows_of_the_pool_in_any_order_are_the_same_data(
    digits: Split, known: ReferenceData
) -> None:
    rows = np.random.default_rng(0).permutation(800)
    assert known.difference(digits.take(rows[:10])) is None
    # Ones alone have another distribution than digits, but they are the reference's own.
    ones = digits.take(np.flatnonzero(digits.labels[:800] == 1))
    assert known.difference(ones) is None


def test_draws_of_the_same_distribution_are_rarely_refused(
    digits: Split, known: ReferenceData
) -> None:
    rng = np.random.default_rng(1)
    draws = (digits.take(800 + rng.permutation(997)[:100]) for _ in range(25))
    assert sum(known.difference(draw) is not None for draw in draws) <= 2


def test_other_digits_and_other_pixels_are_refused(digits: Split, known: ReferenceData) -> None:
    later = digits.take(slice(800, 1797))
    ones = later.take(np.flatnonzero(later.labels == 1))
    assert "another distribution" in str(known.difference(ones))
    inverted = Split(1 - later.inputs[:100], later.labels[:100], 10)
    assert "another distribution" in str(known.difference(inverted))
    # A pixel that is constant in the reference tells too.
    marked = later.inputs[:100].copy()
    marked[:, 0, 0] = 3.0
    assert "another distribution" in str(known.difference(Split(marked, later.labels[:100], 10)))


def test_other_shapes_and_classes_are_named(digits: Split, known: ReferenceData) -> None:
    flat = Split(digits.inputs.reshape(-1, 64), digits.labels, 10)
    assert "its inputs (vector, [64])" in str(known.difference(flat))
    halves = digits.take(np.flatnonzero(digits.labels < 5))
    fewer = Split(halves.inputs, halves.labels, 5)
    assert known.difference(fewer) == "its data have 5 classes, and the reference's 10"


def test_the_digest_is_of_the_set(digits: Split, known: ReferenceData) -> None:
    shuffled = digits.take(np.random.default_rng(2).permutation(800))
    assert ReferenceData.of_split(shuffled).digest == known.digest
    assert digest_of_rows(row_digests(shuffled.inputs)) == known.digest
    part = ReferenceData.of_split(digits.take(slice(0, 500)))
    assert part.digest != known.digest
    assert part.within(known)
    assert not known.within(part)


def test_the_energy_test_has_its_level_and_its_statistic() -> None:
    rng = np.random.default_rng(3)
    p = [energy_test(rng.normal(size=(15, 2)), rng.normal(size=(20, 2)), rng) for _ in range(100)]
    assert np.mean(np.array(p) <= 0.2) == pytest.approx(0.2, abs=0.16)
    # With one column SciPy knows the statistic: its own permutations give the same p.
    first, second = rng.normal(size=12), rng.normal(0.7, 1, size=14)
    own = energy_test(first[:, None], second[:, None], np.random.default_rng(4))
    both, observed = np.concatenate([first, second]), energy_distance(first, second)
    larger = sum(
        energy_distance(mixed[:12], mixed[12:]) >= observed
        for mixed in (rng.permutation(both) for _ in range(PERMUTATIONS))
    )
    assert own == pytest.approx(larger / PERMUTATIONS, abs=0.06)
