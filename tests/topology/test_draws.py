"""All draws of a sample at once against one draw at a time."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from gengap.activations import Sample
from gengap.topology import correlation_dissimilarity, draw_diagrams, persistence_diagrams
from gengap.topology.diagrams import Bars


def random_sample(draws: NDArray[np.int64]) -> Sample:
    activations = np.random.default_rng(0).random((30, 50)).astype(np.float32)
    return Sample(activations, np.arange(30), draws, 30, draws.shape[1], (("dense_0", 30),))


def test_each_draw_has_the_diagrams_of_its_own_neurons() -> None:
    rng = np.random.default_rng(1)
    draws = np.array([np.sort(rng.choice(30, 12, replace=False)) for _ in range(4)])
    sample = random_sample(draws)
    of_draws = draw_diagrams(sample, max_dim=2, threshold=0.9, threads=2)
    assert len(of_draws) == 4
    for rows, diagrams in zip(draws, of_draws, strict=True):
        dissimilarity = correlation_dissimilarity(sample.activations[rows])
        expected = persistence_diagrams(dissimilarity, 2, 0.9, "gudhi")
        for one, other in zip(diagrams, expected, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_the_number_of_threads_changes_nothing(threads: int) -> None:
    rng = np.random.default_rng(2)
    sample = random_sample(np.array([np.sort(rng.choice(30, 20, replace=False)) for _ in range(6)]))
    for one, other in zip(
        draw_diagrams(sample), draw_diagrams(sample, threads=threads), strict=True
    ):
        for expected, bars in zip(one, other, strict=True):
            assert bars.tobytes() == expected.tobytes()


@pytest.mark.parametrize(("engine", "most"), [("fast", 3), ("ripser", 1), ("gudhi", 1)])
def test_no_more_matrices_are_held_than_threads(
    monkeypatch: pytest.MonkeyPatch, engine: str, most: int
) -> None:
    held, largest = 0, 0
    changing = threading.Lock()
    together = threading.Barrier(most)

    def matrix(*_: object) -> None:
        nonlocal held, largest
        with changing:
            held += 1
            largest = max(largest, held)

    def diagrams(*_: object) -> list[Bars]:
        nonlocal held
        # Passes once as many draws are under way as there may be.
        together.wait(timeout=600)
        with changing:
            held -= 1
        return []

    monkeypatch.setattr("gengap.topology.draws.correlation_dissimilarity", matrix)
    monkeypatch.setattr("gengap.topology.draws.persistence_diagrams", diagrams)
    rows = np.array([np.arange(start, start + 4) for start in range(12)])
    draw_diagrams(random_sample(rows), engine=engine, threads=3)
    assert largest == most


def test_equal_draws_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def diagrams(*_: object) -> list[Bars]:
        nonlocal calls
        calls += 1
        return []

    monkeypatch.setattr("gengap.topology.draws.persistence_diagrams", diagrams)
    of_draws = draw_diagrams(random_sample(np.tile(np.arange(30), (5, 1))))
    assert of_draws == [[]] * 5
    assert calls == 1
