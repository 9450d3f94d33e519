"""Wasserstein distances against GUDHI and persim, and the sliced one against GUDHI."""

from __future__ import annotations

import itertools

import gudhi.hera
import numpy as np
import persim
import pytest
from gudhi.representations import SlicedWassersteinDistance

from gengap.topology import summarise, transport_between_draws
from gengap.topology.transport import (
    DIRECTIONS,
    LONGEST_BARS,
    sliced_wasserstein_distance,
    wasserstein_distance,
)


def random_bars(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    births = rng.uniform(0, 0.6, count)
    return np.stack([births, births + rng.exponential(0.2, count)], axis=1)


SIZES = [(0, 3), (1, 1), (5, 5), (4, 17), (40, 30)]


@pytest.mark.parametrize(("first", "second"), SIZES)
def test_against_gudhi_and_persim(first: int, second: int) -> None:
    one, other = random_bars(1, first), random_bars(2, second)
    expected = gudhi.hera.wasserstein_distance(one, other, order=1, internal_p=2, delta=1e-9)
    assert wasserstein_distance(one, other) == pytest.approx(expected, rel=1e-8)
    assert wasserstein_distance(other, one) == pytest.approx(expected, rel=1e-8)
    if first:
        assert wasserstein_distance(one, other) == pytest.approx(persim.wasserstein(one, other))
    value = sliced_wasserstein_distance(one, other)
    assert value == pytest.approx(persim.sliced_wasserstein(one, other, M=DIRECTIONS))
    # GUDHI leaves out the last of its lines.
    assert value == pytest.approx(
        SlicedWassersteinDistance(num_directions=2000)(one, other), rel=0.01
    )


@pytest.mark.parametrize(("shortest", "matched"), [(0.2, True), (0.01, False)])
@pytest.mark.parametrize("seed", range(4))
def test_bars_born_together_against_gudhi(seed: int, shortest: float, matched: bool) -> None:
    """Alike, they are matched in order; of very different lengths, some are better left alone."""
    rng = np.random.default_rng(seed)
    one, other = (
        np.stack([np.full(30, 0.1), 0.1 + rng.choice([shortest, 1], 30) * rng.uniform(0.9, 1, 30)])
        for _ in range(2)
    )
    in_order = np.abs(np.sort(one[1]) - np.sort(other[1])).sum()
    expected = gudhi.hera.wasserstein_distance(one.T, other.T, order=1, internal_p=2, delta=1e-9)
    assert (expected == pytest.approx(in_order, rel=1e-8)) == matched
    assert wasserstein_distance(one.T, other.T) == pytest.approx(expected, rel=1e-8)
    fewer = gudhi.hera.wasserstein_distance(one.T[:20], other.T, order=1, internal_p=2, delta=1e-9)
    assert wasserstein_distance(one.T[:20], other.T) == pytest.approx(fewer, rel=1e-8)


def test_by_hand() -> None:
    one, other = np.array([[0.0, 1.0], [0.0, 0.1]]), np.array([[0.0, 0.8]])
    # The long bars are matched, and the short one goes to the diagonal.
    assert wasserstein_distance(one, other) == pytest.approx(0.2 + 0.1 / np.sqrt(2))
    apart = np.array([[0.0, 0.1]]), np.array([[0.5, 0.6]])
    assert wasserstein_distance(*apart) == pytest.approx(0.2 / np.sqrt(2))


def test_a_distance_is_zero_to_itself_and_satisfies_the_triangle_inequality() -> None:
    diagrams = [random_bars(seed, 12) for seed in range(3)]
    for distance in (wasserstein_distance, sliced_wasserstein_distance):
        assert distance(diagrams[0], diagrams[0][::-1]) == pytest.approx(0, abs=1e-12)
        for a, b, c in itertools.permutations(diagrams):
            assert distance(a, c) <= distance(a, b) + distance(b, c) + 1e-12


def test_of_large_diagrams_the_longest_bars_count() -> None:
    one, other = random_bars(3, LONGEST_BARS), random_bars(4, 20)
    short = np.stack([np.full(50, 0.3), np.full(50, 0.3 + 1e-9)], axis=1)
    with_short = np.concatenate([short, one])
    assert wasserstein_distance(with_short, other) == wasserstein_distance(one, other)


def test_distances_between_draws_are_in_the_table() -> None:
    draws = [[random_bars(seed, 9), random_bars(seed + 10, 4)] for seed in range(3)]
    table = summarise(draws, grid_end=5.0)
    values = table.set_index("measure")["value"]
    assert len(transport_between_draws(draws)) == 4
    for name, distances in transport_between_draws(draws).items():
        assert distances.shape == (2,)
        assert values[name] == pytest.approx(distances.mean())
    expected = wasserstein_distance(draws[0][1], draws[1][1])
    assert transport_between_draws(draws)["wasserstein_between_draws.H1"][0] == expected
