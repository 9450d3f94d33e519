"""What changes with the number of networks: repeats, pairs, learners, blocks, splits."""

from __future__ import annotations

import itertools
import re
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans

from gengap.evaluation import clusters, environments, folds, learners, permutations, references
from gengap.evaluation.clusters import two_means
from gengap.evaluation.designs import Design, Designs
from gengap.evaluation.environments import differing_pairs
from gengap.evaluation.folds import repeated_folds, repeats_of
from gengap.evaluation.learners import RIDGE, Training, fit
from gengap.evaluation.references import excess_of_products, pairwise_design
from gengap.evaluation.regression import (
    mean_basis,
    predict,
    predict_scalars,
    predict_vector,
    principal_component_scores,
    ridge_extended,
)


def test_repeats_fall_with_the_number_of_networks() -> None:
    assert [repeats_of(n, 100) for n in (10, 500, 1000, 5000, 30_000)] == [100, 100, 50, 10, 2]
    assert [repeats_of(n, 20) for n in (10, 500, 1000, 5000, 30_000)] == [20, 20, 10, 2, 2]


def test_many_grid_points_are_partitioned_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folds, "MOST_BALANCED", 30)
    grid = pd.DataFrame({"a": np.repeat(np.arange(33), 2)})
    made = repeated_folds(grid, None, np.random.default_rng(0))
    assert made.repeats == folds.REPEATS
    for labels in made.labels:
        np.testing.assert_array_equal(labels[::2], labels[1::2])
        counts = np.bincount(labels[::2], minlength=made.count)
        assert counts.max() - counts.min() <= 1


def brute_pairs(cell: np.ndarray, level: np.ndarray) -> list[tuple[int, int]]:
    return [
        (i, j)
        for i, j in itertools.combinations(range(len(cell)), 2)
        if cell[i] == cell[j] and level[i] != level[j]
    ]


def test_pairs_are_those_of_one_cell_and_different_levels() -> None:
    rng = np.random.default_rng(0)
    cell, level = rng.integers(0, 9, 120), rng.integers(0, 3, 120)
    pairs = list(zip(*differing_pairs(cell, level), strict=True))
    assert pairs == brute_pairs(cell, level)


def test_large_cells_are_thinned_out_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "MOST_PAIRS", 500)
    level = np.tile(np.arange(4), 100)
    cell = (np.arange(400) >= 380).astype(np.int64)
    pairs = list(zip(*differing_pairs(cell, level), strict=True))
    assert 250 < len(pairs) <= 500
    assert set(pairs) <= set(brute_pairs(cell, level))
    used = np.unique(np.array(pairs)[cell[[first for first, _ in pairs]] == 0])
    # Every level is as frequent as before.
    counts = np.bincount(level[used], minlength=4)
    assert counts.max() - counts.min() <= 1


def test_scores_do_not_depend_on_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folds, "REPEATS", 3)
    rng = np.random.default_rng(0)
    made = repeated_folds(pd.DataFrame({"a": np.arange(40)}), None, rng)
    values, gaps = np.exp(rng.normal(size=(40, 6))), rng.normal(size=40)
    designs = [
        Design("vector", "f", tuple("abcdef"), values),
        Design("reduced", "f", tuple("abcdef"), values, reduced=True),
    ]
    found = []
    for held in (permutations.ENTRIES_HELD, 1):
        monkeypatch.setattr(permutations, "ENTRIES_HELD", held)
        bases = [mean_basis(made)]
        vectors = [predict_vector(design, gaps, made, bases)[0] for design in designs]
        vectors.append(predict(ridge_extended(bases[0], designs[0], gaps, made), gaps, made))
        found.append(np.array([*predict_scalars(values, gaps, made, bases)[0][0], *vectors]))
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-13)


def test_memory_of_products_is_told_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    networks = 1000
    grid = pd.DataFrame({name: rng.integers(0, 5, networks) for name in "abcdef"}).astype(str)
    nothing = pd.DataFrame(columns=["kind", "name", "reason"])
    gaps = rng.normal(size=networks)
    ids = tuple(map(str, range(networks)))
    designs = Designs(ids, gaps, grid, gaps, "accuracy", (), nothing)
    assert excess_of_products(designs) == ""
    monkeypatch.setattr(references, "MOST_OF_PRODUCTS", 0)
    monkeypatch.setattr(references, "NESTED_REPEATS", 8)
    monkeypatch.setattr(folds, "NESTED_REPEATS", 8)
    monkeypatch.setattr(folds, "MOST_BALANCED", 0)
    told = re.match(r"(\d+) products .* would take ([\d.]+) GB", excess_of_products(designs))
    products = pairwise_design(grid)
    assert told
    assert products
    assert int(told[1]) == len(products.components) == 240
    made = repeated_folds(grid, None, rng).nested
    monkeypatch.setattr(permutations, "ENTRIES_HELD", 1)
    tracemalloc.start()
    ridge_extended(mean_basis(made), products, gaps, made)
    measured = tracemalloc.get_traced_memory()[1] / 1e9
    tracemalloc.stop()
    assert 0.9 * measured < float(told[2]) < 1.3 * measured


def test_principal_components_by_columns_are_those_by_networks() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(30, 5)) @ np.diag([5, 3, 2, 1, 0.01])
    train = rng.random((4, 30)) < 0.7
    by_columns = principal_component_scores(values, train)
    # Zeros change no distance, but there are more columns than networks.
    by_networks = principal_component_scores(np.hstack([values, np.zeros((30, 40))]), train)
    assert by_columns.shape == by_networks.shape
    np.testing.assert_allclose(np.abs(by_columns), np.abs(by_networks), atol=1e-10)


def test_with_many_networks_no_gaussian_process_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(1, 60, 1))
    training = Training.of(values, np.abs(values[0, :, 0]))
    assert fit(training)[0].learner != RIDGE
    monkeypatch.setattr(learners, "MOST_IN_PROCESS", 59)
    assert fit(training)[0].learner == RIDGE


@pytest.mark.parametrize("seed", range(3))
def test_many_points_are_split_as_by_k_means(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "MOST_TRIED", 40)
    rng = np.random.default_rng(seed)
    centre = np.repeat([0.0, 3.0], [150, 250])
    values, gaps = centre + rng.normal(size=400), centre + rng.normal(size=400)
    labels = two_means(values, gaps)
    points = np.column_stack([(x - x.mean()) / x.std() for x in (values, gaps)])
    inertia = sum(points[labels == k].var(axis=0).sum() * np.sum(labels == k) for k in (0, 1))
    expected = KMeans(2, n_init=20, random_state=0).fit(points)
    # A local optimum, which may differ from the best by a few points.
    assert inertia == pytest.approx(expected.inertia_, rel=1e-4)
