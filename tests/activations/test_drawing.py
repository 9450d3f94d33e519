"""Probabilities by hand, and draws against NumPy's sequential sampling and closed forms."""

from __future__ import annotations

import logging
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import chisquare

from gengap.activations.drawing import choose_inputs, draw_neurons, importance_probabilities
from gengap.datasets import Split
from gengap.errors import GengapError


def test_probabilities_by_hand() -> None:
    """4 inputs: neuron 2 leads for three, neuron 0 for one; 1, 3, 4 share the fifth part."""
    found = importance_probabilities(np.array([2, 0, 2, 2]), 5)
    np.testing.assert_allclose(found, [1 / 5, 1 / 15, 3 / 5, 1 / 15, 1 / 15])


def test_probabilities_are_renormalised_when_every_neuron_leads_somewhere() -> None:
    found = importance_probabilities(np.array([0, 1, 1]), 2)
    np.testing.assert_allclose(found, [1 / 3, 2 / 3])


def pairs_in_sequence(probabilities: np.ndarray) -> dict[tuple[int, int], float]:
    """P({i, j}) when two are drawn one after the other: p_i p_j / (1 - p_i) + the reverse."""
    p = probabilities
    return {
        (i, j): p[i] * p[j] * (1 / (1 - p[i]) + 1 / (1 - p[j]))
        for i, j in combinations(range(len(p)), 2)
    }


def test_draws_follow_the_law_of_sequential_sampling() -> None:
    p = np.array([0.5, 0.25, 0.15, 0.07, 0.03])
    draws = draw_neurons(p, 2, 20_000, np.random.default_rng(0))
    expected = pairs_in_sequence(p)
    counts = [np.count_nonzero((draws == pair).all(axis=1)) for pair in expected]
    assert sum(counts) == 20_000
    assert chisquare(counts, 20_000 * np.array(list(expected.values()))).pvalue > 1e-3


def test_draws_agree_with_numpys_choice() -> None:
    p = np.random.default_rng(1).dirichlet(np.full(8, 0.7))
    ours = draw_neurons(p, 3, 8000, np.random.default_rng(2))
    rng = np.random.default_rng(3)
    numpys = np.array([rng.choice(8, 3, replace=False, p=p) for _ in range(8000)])
    one, other = (np.bincount(d.ravel(), minlength=8) / 8000 for d in (ours, numpys))
    # Five standard deviations of the difference of two frequencies.
    np.testing.assert_allclose(one, other, atol=5 * np.sqrt(2 * 0.25 / 8000))


@pytest.mark.parametrize("size", [1, 7, 20])
def test_a_draw_is_ascending_and_without_repeats(size: int) -> None:
    draws = draw_neurons(np.full(20, 1 / 20), size, 50, np.random.default_rng(4))
    assert draws.shape == (50, size)
    assert (np.diff(draws, axis=1) > 0).all()
    assert draws.min() >= 0
    assert draws.max() < 20


def test_the_same_seed_gives_the_same_draws() -> None:
    p = np.full(1000, 1e-3)
    one, other, third = (draw_neurons(p, 10, 3, np.random.default_rng(s)) for s in (0, 0, 1))
    np.testing.assert_array_equal(one, other)
    assert not np.array_equal(one, third)


def split_of_twenty() -> Split:
    return Split(np.arange(40, dtype=np.float32).reshape(20, 2), np.arange(20) % 3, 3)


def test_inputs_are_chosen_without_repeats_in_the_splits_order() -> None:
    split = split_of_twenty()
    chosen = choose_inputs(split, 8, np.random.default_rng(0))
    assert chosen.shape == (8, 2)
    assert (np.diff(chosen[:, 0]) > 0).all()
    assert set(chosen[:, 0]) <= set(split.inputs[:, 0])
    assert not np.array_equal(chosen, choose_inputs(split, 8, np.random.default_rng(1)))


def test_fewer_inputs_than_asked_for_are_all_used_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    split = split_of_twenty()
    caplog.set_level(logging.INFO, "gengap")
    chosen = choose_inputs(split, 100, np.random.default_rng(0))
    np.testing.assert_array_equal(chosen, split.inputs)
    assert [r.message for r in caplog.records] == [
        "The split has 20 inputs, not the 100 asked for."
    ]


def test_refuses_no_inputs() -> None:
    with pytest.raises(GengapError, match="inputs is 0"):
        choose_inputs(split_of_twenty(), 0, np.random.default_rng(0))
