"""Predictors against scikit-learn, and distances against their definition."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import Ridge

from gengap.evaluation.learners import (
    GAUSSIAN_PROCESS,
    Training,
    fit_gaussian_process,
    prepared,
)
from gengap.prediction.distance import MOST_BEYOND, beyond, distance_p, squared_distances
from gengap.prediction.predictors import CANDIDATES, cross_validate, predictions_from


def networks(count: int = 24, columns: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(count)
    values = rng.normal(size=(count, columns))
    return values, 0.1 + 0.02 * values[:, 0] + 0.01 * rng.normal(size=count)


def test_ridge_is_that_of_scikit_learn_under_every_penalty() -> None:
    values, gaps = networks()
    train = np.arange(24) < 16
    predictions = predictions_from(values, gaps, train)
    columns = prepared(values, train[None])[0]
    unit = np.mean(np.sum(columns[train] ** 2, axis=1))
    for row, (learner, penalty) in enumerate(CANDIDATES):
        if learner == "ridge":
            model = Ridge(alpha=penalty * unit).fit(columns[train], gaps[train])
            expected = model.predict(columns)
            low, high = gaps[train].min(), gaps[train].max()
            spread = gaps[train].std()
            expected = np.clip(expected, low - spread, high + spread)
            np.testing.assert_allclose(predictions[row], expected, rtol=1e-7)
    np.testing.assert_allclose(predictions[0], gaps[train].mean())


def test_the_gaussian_process_is_that_of_the_evaluation() -> None:
    values, gaps = networks()
    train = np.arange(24) < 16
    columns = prepared(values, train[None])[0]
    (fitted,) = fit_gaussian_process(Training.of(columns[None], gaps, train[None]))
    row = CANDIDATES.index((GAUSSIAN_PROCESS, fitted.penalty))
    predictions = predictions_from(values, gaps, train, [GAUSSIAN_PROCESS])[row]
    np.testing.assert_allclose(predictions[train], fitted.predict(columns[train]), rtol=1e-7)


def test_predictions_do_not_depend_on_units_or_order() -> None:
    values, gaps = networks()
    folds = np.arange(24) % 4
    before = cross_validate(values, gaps, folds)
    order = np.random.default_rng(0).permutation(24)
    after = cross_validate(1e3 * values[order] + 5, gaps[order], folds[order])
    np.testing.assert_allclose(after.nested(), before.nested()[order], rtol=1e-6)
    np.testing.assert_allclose(after.p(), before.p()[order])


def test_gaps_of_a_fold_have_no_part_in_its_predictions() -> None:
    values, gaps = networks()
    folds = np.arange(24) % 4
    changed = np.where(folds == 1, gaps + 9, gaps)
    before, after = (cross_validate(values, y, folds).nested() for y in (gaps, changed))
    np.testing.assert_allclose(after[folds == 1], before[folds == 1])
    assert not np.allclose(after[folds == 0], before[folds == 0])


def test_networks_that_are_not_known_have_no_part() -> None:
    values, gaps = networks()
    folds, known = np.arange(24) % 4, np.arange(24) < 18
    changed = np.where(known, gaps, 5.0)
    before, after = (cross_validate(values, y, folds, known) for y in (gaps, changed))
    np.testing.assert_allclose(after.predictions, before.predictions)
    assert after.best() == before.best()


def test_distances_are_those_of_mahalanobis_within_the_range() -> None:
    values, _ = networks(40, 4)
    train = np.arange(40) < 30
    values[30:] = np.clip(values[30:], values[:30].min(axis=0), values[:30].max(axis=0))
    columns = prepared(values, train[None])[0]
    model = LedoitWolf().fit(columns[:30])
    inverse = np.linalg.inv(model.covariance_)
    centre = columns[:30].mean(axis=0)
    expected = np.array([mahalanobis(row, centre, inverse) for row in columns]) ** 2
    np.testing.assert_allclose(squared_distances(values, train), expected, rtol=1e-8)


def test_beyond_counts_ranges() -> None:
    values = np.array([[0.0, 2.0], [1.0, 2.0], [3.0, 2.0], [-0.5, 2.5], [90.0, 1.0]])
    known = np.array([True, True, False, False, False])
    far = MOST_BEYOND
    expected = np.array([[0, 0], [0, 0], [2, 0], [-0.5, far], [far, -far]])
    np.testing.assert_allclose(beyond(values, known), expected)


def test_p_values_of_exchangeable_networks_are_uniform() -> None:
    rng = np.random.default_rng(0)
    p = np.concatenate(
        [
            cross_validate(rng.normal(size=(60, 4)), rng.normal(size=60), np.arange(60) % 3).p()
            for _ in range(12)
        ]
    )
    for level in (0.05, 0.2, 0.5):
        assert np.mean(p <= level) == pytest.approx(level, abs=4 * np.sqrt(level / len(p)) + 0.02)
    np.testing.assert_allclose(distance_p(np.array([3.0]), np.array([1.0, 3.0, 4.0])), 3 / 4)


def test_networks_of_another_kind_are_far() -> None:
    values, gaps = networks(60, 6)
    folds = np.arange(60) % 3
    known = np.arange(60) < 45
    values[~known, 0] += 8
    p = cross_validate(values, gaps, folds, known).p()
    assert np.all(p[~known] < 0.05)
    assert np.mean(p[known] < 0.05) < 0.2
