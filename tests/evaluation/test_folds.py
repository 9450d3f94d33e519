"""Balanced folds of grid points, how often pairs share one, and what each cell predicts."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from gengap.evaluation.folds import FOLDS, repeated_folds

REPEATS = 20


@pytest.fixture(autouse=True)
def few_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gengap.evaluation.folds.REPEATS", REPEATS)


def factorial(replicates: int = 1) -> pd.DataFrame:
    """2 x 3 x 2 x 2 x 2 values, each point as often as there are replicates."""
    values: list[list[object]] = [
        ["dense", "convolutional"],
        [1, 2, 3],
        [16, 64],
        [0.001, 0.005],
        [5, 50],
    ]
    rows = list(itertools.product(*values)) * replicates
    return pd.DataFrame(rows, columns=["template", "depth", "width", "rate", "batch"])


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_within_a_repeat_each_network_is_predicted_once_and_never_trained_on_its_point() -> None:
    grid = factorial(replicates=2)
    folds = repeated_folds(grid, None, rng())
    assert folds.repeats == REPEATS
    times = np.zeros((REPEATS, len(grid)))
    rows = [tuple(row) for row in grid.itertuples(index=False)]
    for repeat, train, test in folds.cells():
        times[repeat] += test
        np.testing.assert_array_equal(train, ~test)
        seen = {row for row, chosen in zip(rows, train, strict=True) if chosen}
        assert not seen & {row for row, chosen in zip(rows, test, strict=True) if chosen}
    assert (times == 1).all()


def test_a_cell_trains_on_other_draws_and_other_points() -> None:
    grid = factorial(replicates=3)
    draws = np.repeat(["first", "second", "third"], len(grid) // 3)
    folds = repeated_folds(grid, draws, rng())
    times = np.zeros((REPEATS, len(grid)))
    for repeat, train, test in folds.cells():
        times[repeat] += test
        assert len(set(draws[test])) == 1
        assert set(draws[test]).isdisjoint(draws[train])
        held_out = folds.labels[repeat][test]
        assert len(set(held_out)) == 1
        np.testing.assert_array_equal(
            train, (draws != draws[test][0]) & (folds.labels[repeat] != held_out[0])
        )
    assert (times == 1).all()


@pytest.mark.parametrize(("draws", "expected"), [(1, 1 / 7), (3, 3 / (7 * 2))])
def test_the_ratio_held_out_counts_what_a_cell_trains_on(draws: int, expected: float) -> None:
    grid = factorial(draws)  # 48 points, 6 in a fold
    labels = np.repeat(np.arange(draws), len(grid) // draws)
    folds = repeated_folds(grid, labels if draws > 1 else None, rng())
    assert folds.held_out_ratio == pytest.approx(expected)


@pytest.mark.parametrize("levels", [(2, 2, 2, 2, 2), (2, 3, 4), (4, 8)])
def test_every_level_occurs_equally_often_in_every_fold_where_it_can(
    levels: tuple[int, ...],
) -> None:
    grid = pd.DataFrame(
        list(itertools.product(*map(range, levels))), columns=[f"h{i}" for i in range(len(levels))]
    )
    folds = repeated_folds(grid, None, rng())
    worst = []
    for labels in folds.labels:
        for name in grid:
            counts = pd.crosstab(labels, grid[name]).to_numpy()
            worst.append(np.ptp(counts, axis=0).max())
    assert max(worst) <= 1
    if all((len(grid) // FOLDS) % count == 0 for count in levels):
        assert max(worst) == 0
    # Not one partition, written down many times.
    together = (folds.labels[:, :, None] == folds.labels[:, None, :]).mean(axis=0)
    assert together[np.triu_indices(len(grid), 1)].max() < 0.8


def shared(labels: np.ndarray) -> np.ndarray:
    """(points, points): in how many repeats two points share a fold."""
    return np.asarray((labels[:, :, None] == labels[:, None, :]).sum(axis=0))


def test_without_hyper_parameters_all_pairs_share_a_fold_equally_often() -> None:
    labels = repeated_folds(pd.DataFrame(index=range(32)), None, rng()).labels
    pairs = np.triu_indices(32, 1)
    # Each point meets three of 31 others in each repeat.
    mean = REPEATS * 3 / 31
    counts = shared(labels)[pairs]
    assert counts.mean() == pytest.approx(mean)
    chance = mean * (1 - 3 / 31)
    assert counts.var() < 0.25 * chance
    independent = np.array([np.random.default_rng(seed).permutation(32) for seed in range(REPEATS)])
    assert shared(independent % FOLDS)[pairs].var() > 0.7 * chance


def test_pairs_that_levels_treat_alike_share_a_fold_equally_often() -> None:
    cells = np.array(list(itertools.product(range(2), repeat=5)))
    labels = repeated_folds(pd.DataFrame(cells), None, rng()).labels
    differing = (cells[:, None] != cells[None]).sum(axis=2)
    ratios = []
    for distance in range(1, 6):
        own = shared(labels)[np.triu(differing == distance)]
        share = own.mean() / REPEATS
        ratios.append(own.var() / (REPEATS * share * (1 - share)))
    # One would be that of repeats that do not know of each other.
    assert max(ratios) < 0.9
    assert np.mean(ratios) < 0.6


def test_the_first_repeats_are_those_of_all() -> None:
    folds = repeated_folds(factorial(), None, rng())
    first = folds.first(3)
    assert first.repeats == 3
    np.testing.assert_array_equal(first.labels, folds.labels[:3])
    assert len(first.masks) == 3
    for one, other in zip(first.masks, folds.masks, strict=False):
        np.testing.assert_array_equal(one, other)


def test_folds_are_of_one_size_up_to_a_point() -> None:
    grid = factorial().iloc[:43]
    sizes = [
        np.bincount(labels, minlength=FOLDS) for labels in repeated_folds(grid, None, rng()).labels
    ]
    assert {int(size) for row in sizes for size in row} == {5, 6}


def test_the_order_and_the_names_of_networks_do_not_matter() -> None:
    grid = factorial(replicates=2)
    order = np.random.default_rng(1).permutation(len(grid))
    shuffled = grid.iloc[order].set_axis([f"n{index}" for index in range(len(grid))])
    expected = repeated_folds(grid, None, rng()).labels
    np.testing.assert_array_equal(repeated_folds(shuffled, None, rng()).labels, expected[:, order])


@pytest.mark.parametrize(("points", "expected"), [(40, 8), (16, 8), (9, 4), (8, 4), (3, 2), (2, 2)])
def test_few_points_have_fewer_folds(points: int, expected: int) -> None:
    grid = pd.DataFrame({"width": list(range(points)) * 2})
    folds = repeated_folds(grid, None, rng())
    assert folds.count == expected
    assert set(folds.labels.ravel()) == set(range(expected))


@pytest.mark.parametrize("columns", [{}, {"width": [8] * 20}])
def test_without_hyper_parameters_every_network_is_its_own_point(
    columns: dict[str, list[int]],
) -> None:
    folds = repeated_folds(pd.DataFrame(columns, index=range(20)), None, rng())
    assert folds.count == FOLDS
    assert len({tuple(labels) for labels in folds.labels}) == REPEATS
