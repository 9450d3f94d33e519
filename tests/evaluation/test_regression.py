"""Held-out R2 against scikit-learn, minimum norm against the pseudo-inverse, and the halvings."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gengap.evaluation.designs import Design
from gengap.evaluation.regression import (
    cross_validate,
    halves,
    held_out_r2,
    principal_components,
    span,
)


def design(values: np.ndarray, *, reduced: bool = False) -> Design:
    names = tuple(map(str, range(values.shape[1])))
    return Design("made", "made", names, values, reduced)


def folds(first: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """The halvings as scikit-learn takes them: indices to train and to test on."""
    return [
        (np.flatnonzero(~test), np.flatnonzero(test)) for half in first for test in (half, ~half)
    ]


NOTHING = design(np.zeros((40, 0)))


@pytest.mark.parametrize("networks", [8, 23, 40])
def test_halves_are_fair_and_differ(networks: int) -> None:
    first = halves(networks, np.random.default_rng(0))
    assert first.shape == (5, networks)
    assert (first.sum(axis=1) == networks // 2).all()
    assert len({row.tobytes() for row in first}) == 5
    often = np.mean([halves(8, np.random.default_rng(s)) for s in range(400)], axis=(0, 1))
    # 2000 halvings: the standard error of each network's share is 0.011.
    np.testing.assert_allclose(often, 0.5, atol=0.06)


@pytest.mark.parametrize("columns", [1, 2, 7])
def test_r2_is_that_of_scikit_learn_on_the_same_splits(columns: int) -> None:
    rng = np.random.default_rng(columns)
    values = rng.normal(5.0, 3.0, size=(40, columns)) * 10.0 ** rng.integers(-1, 2, columns)
    gaps = 0.1 + values @ (rng.normal(size=columns) / values.std(axis=0)) + rng.normal(size=40)
    first = halves(40, rng)
    splits = folds(first)
    expected = cross_val_score(LinearRegression(), values, gaps, cv=splits, scoring="r2")
    alone, together = cross_validate([design(values)], NOTHING, gaps, first)
    np.testing.assert_allclose(alone.ravel(), expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(alone, together)


def test_r2_is_that_of_scikit_learn_where_columns_depend_on_each_other() -> None:
    rng = np.random.default_rng(9)
    values = rng.normal(size=(40, 4)) * 10.0 ** np.array([-6, 0, 3, 8])
    twin = 3 * values[:, :1] + 1e-14 * rng.normal(size=(40, 1))
    values = np.hstack([values, twin, np.ones((40, 1)), rng.normal(size=(40, 20))])
    gaps, first = rng.normal(size=40), halves(40, rng)
    model = make_pipeline(StandardScaler(), LinearRegression())
    expected = cross_val_score(model, values, gaps, cv=folds(first), scoring="r2")
    alone, _ = cross_validate([design(values)], NOTHING, gaps, first)
    np.testing.assert_allclose(alone.ravel(), expected, rtol=1e-6)


def test_together_is_the_regression_on_both() -> None:
    rng = np.random.default_rng(5)
    base, values = rng.normal(size=(40, 2)), rng.normal(size=(40, 3))
    gaps = rng.normal(size=40)
    first = halves(40, rng)
    _, together = cross_validate([design(values)], design(base), gaps, first)
    whole, _ = cross_validate([design(np.hstack([base, values]))], NOTHING, gaps, first)
    np.testing.assert_allclose(together, whole, rtol=1e-10)


def test_more_columns_than_networks_give_the_solution_of_minimum_norm() -> None:
    rng = np.random.default_rng(1)
    train, test = rng.normal(2.0, 4.0, size=(10, 30)), rng.normal(2.0, 4.0, size=(9, 30))
    gaps, held = rng.normal(size=10), rng.normal(size=9)
    mean, spread = train.mean(axis=0), train.std(axis=0)
    solution = np.linalg.pinv((train - mean) / spread) @ (gaps - gaps.mean())
    prediction = gaps.mean() + (test - mean) / spread @ solution
    assert held_out_r2(train, gaps, test, held) == pytest.approx(r2_score(held, prediction))


def test_r2_does_not_depend_on_units_or_repeated_or_constant_columns() -> None:
    rng = np.random.default_rng(2)
    train, test = rng.normal(size=(12, 3)), rng.normal(size=(11, 3))
    gaps, held = rng.normal(size=12), rng.normal(size=11)
    plain = held_out_r2(train, gaps, test, held)
    scale, shift = np.array([1e-6, -3.0, 1e5]), np.array([4.0, -1.0, 1e6])
    moved = held_out_r2(train * scale + shift, gaps, test * scale + shift, held)
    assert moved == pytest.approx(plain, rel=1e-7)

    def widen(values: np.ndarray) -> np.ndarray:
        return np.column_stack([values, 2 * values[:, 0] + 1, np.full(len(values), 0.1)])

    # The second constant takes another value on held-out networks: nothing was learnt about it.
    strange = np.column_stack([widen(test), np.ones(len(test))])
    usual = np.column_stack([widen(train), np.zeros(len(train))])
    assert held_out_r2(usual, gaps, strange, held) == pytest.approx(plain, rel=1e-9)


def test_without_columns_the_training_mean_is_predicted() -> None:
    gaps, held = np.array([1.0, 2.0, 6.0]), np.array([0.0, 1.0])
    # Hand-worked: prediction 3, errors 9 + 4; about the held-out mean 0.5: 0.25 + 0.25.
    assert held_out_r2(np.zeros((3, 0)), gaps, np.zeros((2, 0)), held) == pytest.approx(1 - 26.0)


def test_equal_held_out_gaps_follow_scikit_learn() -> None:
    train, test = np.array([[0.0], [1.0], [2.0]]), np.array([[5.0], [6.0]])
    constant = np.array([2.0, 2.0])
    for gaps, prediction in ((np.full(3, 2.0), constant), (np.arange(3.0), np.array([5.0, 6.0]))):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = held_out_r2(train, gaps, test, constant)
        assert found == r2_score(constant, prediction)


def test_principal_components_are_those_of_scikit_learn_up_to_sign() -> None:
    rng = np.random.default_rng(3)
    train = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 60)) + 0.05 * rng.normal(size=(40, 60))
    test = rng.normal(size=(7, 60))
    inside, outside = principal_components(train, test)
    oracle = PCA(n_components=0.95, svd_solver="full").fit(train)
    assert inside.shape[1] == oracle.n_components_ <= 3
    np.testing.assert_allclose(np.abs(inside), np.abs(oracle.transform(train)), atol=1e-9)
    np.testing.assert_allclose(np.abs(outside), np.abs(oracle.transform(test)), atol=1e-9)


def test_principal_components_are_at_most_a_quarter_of_the_networks() -> None:
    noise = np.random.default_rng(4).normal(size=(21, 200))
    assert principal_components(noise, noise)[0].shape == (21, 5)
    assert principal_components(noise[:3], noise)[0].shape == (3, 1)
    flat = np.ones((8, 5))
    np.testing.assert_array_equal(principal_components(flat, flat)[0], np.zeros((8, 1)))


def test_rotating_long_vectors_first_changes_nothing() -> None:
    rng = np.random.default_rng(6)
    values, gaps = rng.normal(size=(20, 300)), rng.normal(size=20)
    short = span(values)
    assert short.shape == (20, 20)
    distances = [np.linalg.norm(v[:, None] - v[None], axis=2) for v in (values, short)]
    np.testing.assert_allclose(distances[0], distances[1], atol=1e-10)
    train, test = np.arange(20) % 2 == 0, np.arange(20) % 2 == 1
    for_fold = [principal_components(v[train], v[test]) for v in (values, short)]
    scores = [held_out_r2(a, gaps[train], b, gaps[test]) for a, b in for_fold]
    assert scores[0] == pytest.approx(scores[1], rel=1e-9)


def test_reduction_sees_the_training_half_only() -> None:
    rng = np.random.default_rng(7)
    values, gaps = rng.normal(size=(20, 12)), rng.normal(size=20)
    first = halves(20, rng)
    alone, _ = cross_validate([design(values, reduced=True)], design(values[:, :0]), gaps, first)
    test = first[2]
    inside, outside = principal_components(values[~test], values[test])
    fitted = LinearRegression().fit(inside, gaps[~test])
    assert alone[0, 2, 0] == pytest.approx(fitted.score(outside, gaps[test]), rel=1e-9)
