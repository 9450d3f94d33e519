"""Learners against scikit-learn and kriging, and their leave-one-out errors against refits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.preprocessing import KernelCenterer

from gengap.evaluation.learners import (
    LEARNERS,
    PENALTIES,
    Fitted,
    Training,
    covariances,
    fit,
    fit_best_single,
    fit_gaussian_process,
    fit_ridge,
    prepared,
)


def fitted_by(
    learn: Callable[[Training], Sequence[Fitted]],
    values: np.ndarray,
    gaps: np.ndarray,
    draws: np.ndarray | None = None,
) -> Any:
    """What is fitted to a single cell, of which all networks are for training."""
    [learner] = learn(Training.of(values[None], gaps, draws=draws))
    return learner


def networks(seed: int, count: int = 30, columns: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Standardised columns, and gaps that depend on the first two of them."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, columns))
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    gaps = 0.1 + 0.03 * values[:, 0] + 0.02 * np.abs(values[:, 1]) + 0.01 * rng.normal(size=count)
    return values, gaps


@pytest.mark.parametrize(("count", "columns"), [(30, 6), (20, 50), (12, 12)])
def test_ridge_is_that_of_scikit_learn(count: int, columns: int) -> None:
    values, gaps = networks(count, count, columns)
    penalties = PENALTIES * np.sum(values**2) / count
    expected = RidgeCV(penalties, store_cv_results=True).fit(values, gaps)
    learner = fitted_by(fit_ridge, values, gaps)
    assert learner.penalty * np.sum(values**2) / count == pytest.approx(expected.alpha_)
    new = np.random.default_rng(1).normal(size=(5, columns))
    np.testing.assert_allclose(learner.predict(new), expected.predict(new), rtol=1e-9)
    errors = expected.cv_results_[:, list(penalties).index(expected.alpha_)]
    np.testing.assert_allclose((gaps - learner.left_out) ** 2, errors, rtol=1e-7)


def test_the_gaussian_process_is_kernel_ridge_with_a_free_constant() -> None:
    values, gaps = networks(2)
    new = np.random.default_rng(3).normal(size=(5, 6))
    # Line plus Brownian motion on each side of the first network's value: a proper covariance.
    origin = values[:1]

    def brownian(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        a, b = (first - origin)[:, None], (second - origin)[None]
        smaller = np.where(a * b > 0, np.minimum(np.abs(a), np.abs(b)), 0.0)
        return np.asarray(np.sum(a * b + 2 * smaller, axis=2))

    centerer = KernelCenterer().fit(brownian(values, values))
    centred = centerer.transform(brownian(values, values))
    learner = fitted_by(fit_gaussian_process, values, gaps)
    model = KernelRidge(alpha=learner.penalty * np.trace(centred) / 30, kernel="precomputed")
    model.fit(centred, gaps - gaps.mean())
    expected = gaps.mean() + model.predict(centerer.transform(brownian(new, values)))
    np.testing.assert_allclose(learner.predict(new), expected, rtol=1e-8)


def test_leaving_one_out_is_kriging_from_the_others_under_every_penalty() -> None:
    values, gaps = networks(4, 14)
    prior = covariances(values, values)
    centring = np.eye(14) - 1 / 14
    unit = np.trace(centring @ prior @ centring) / 14

    def kriged(inside: np.ndarray, out: int, noise: float) -> float:
        size = len(inside)
        system = np.zeros((size + 1, size + 1))
        system[:size, :size] = prior[np.ix_(inside, inside)] + noise * np.eye(size)
        system[:size, size] = system[size, :size] = 1.0
        weights = np.linalg.solve(system, [*prior[inside, out], 1.0])[:size]
        return float(weights @ gaps[inside])

    left_out = np.array(
        [
            [kriged(np.delete(np.arange(14), out), out, penalty * unit) for out in range(14)]
            for penalty in PENALTIES
        ]
    )
    best = int(np.argmin(np.sum((left_out - gaps) ** 2, axis=1)))
    learner = fitted_by(fit_gaussian_process, values, gaps)
    assert learner.penalty == PENALTIES[best]
    np.testing.assert_allclose(learner.left_out, left_out[best], rtol=1e-7)


@pytest.mark.parametrize("kind", ["ridge", "gaussian_process"])
def test_draws_have_free_levels_and_new_ones_the_mean_of_these(kind: str) -> None:
    """Against mixed-model equations in which one indicator for each draw is not penalised."""
    values, gaps = networks(9, 15)
    draws = np.array(["a"] * 4 + ["b"] * 6 + ["c"] * 5)
    gaps = gaps + 0.2 * (draws == "b")
    levels = (draws[:, None] == np.array(["a", "b", "c"])).astype(float)
    prior = values @ values.T if kind == "ridge" else covariances(values, values)
    projection = np.eye(15) - levels @ np.linalg.pinv(levels)
    unit = np.trace(projection @ prior @ projection) / 15
    new = np.random.default_rng(1).normal(size=(3, 6))
    across = new @ values.T if kind == "ridge" else covariances(new, values)

    def predicted(inside: np.ndarray, rows: np.ndarray, own: np.ndarray, noise: float) -> Any:
        size, known = len(inside), levels[inside]
        system = np.zeros((size + 3, size + 3))
        system[:size, :size] = prior[np.ix_(inside, inside)] + noise * np.eye(size)
        system[:size, size:], system[size:, :size] = known, known.T
        solution = np.linalg.solve(system, [*gaps[inside], 0.0, 0.0, 0.0])
        return rows[:, inside] @ solution[:size] + own @ solution[size:]

    everyone = np.arange(15)
    left_out = np.array(
        [
            [
                predicted(np.delete(everyone, out), prior[[out]], levels[[out]], penalty * unit)[0]
                for out in everyone
            ]
            for penalty in PENALTIES
        ]
    )
    best = int(np.argmin(np.sum((left_out - gaps) ** 2, axis=1)))
    learner = fitted_by(LEARNERS[kind], values, gaps, draws)
    assert learner.penalty == PENALTIES[best]
    np.testing.assert_allclose(learner.left_out, left_out[best], rtol=1e-6)
    expected = predicted(everyone, across, np.full((3, 3), 1 / 3), PENALTIES[best] * unit)
    np.testing.assert_allclose(learner.predict(new), expected, rtol=1e-6)


def test_the_best_single_column_is_judged_within_draws() -> None:
    rng = np.random.default_rng(2)
    draws = np.repeat([0, 1], 12)
    useful, shift = rng.normal(size=24), 3.0 * draws + 0.1 * rng.normal(size=24)
    gaps = 0.1 + 0.02 * useful + 0.05 * draws + 0.005 * rng.normal(size=24)
    learner = fitted_by(fit_best_single, np.column_stack([shift, useful]), gaps, draws)
    assert list(np.flatnonzero(learner.coefficients)) == [1]
    indicators = np.column_stack([useful, draws == 0, draws == 1]).astype(float)
    slope, *levels = np.linalg.lstsq(indicators, gaps, rcond=None)[0]
    assert learner.predict(np.array([[9.0, 1.0]])) == pytest.approx(slope + np.mean(levels))


def test_the_gaussian_process_bends_and_goes_on_as_a_line() -> None:
    values = np.linspace(-2, 2, 41)[:, None]
    gaps = np.abs(values[:, 0])
    learner = fitted_by(fit, values, gaps)
    assert learner.learner == "gaussian_process"
    np.testing.assert_allclose(learner.predict(np.array([[-1.5], [0.05]])), [1.5, 0.05], atol=0.02)
    beyond = learner.predict(np.array([[3.0], [4.0], [5.0]]))
    assert np.diff(beyond, 2) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_the_learner_with_the_least_leave_one_out_error_is_fitted(seed: int) -> None:
    values, gaps = networks(seed, 24, 10)
    errors = {
        name: np.sum((gaps - fitted_by(learn, values, gaps).left_out) ** 2)
        for name, learn in LEARNERS.items()
    }
    assert fitted_by(fit, values, gaps).learner == min(errors, key=lambda name: errors[name])


def test_the_best_single_column_is_that_of_scikit_learn() -> None:
    values, gaps = networks(5)
    gaps = gaps + 0.05 * values[:, 3]
    left_out = np.array(
        [
            cross_val_predict(LinearRegression(), column[:, None], gaps, cv=LeaveOneOut())
            for column in values.T
        ]
    )
    best = int(np.argmin(np.sum((left_out - gaps) ** 2, axis=1)))
    learner = fitted_by(fit_best_single, values, gaps)
    assert list(np.flatnonzero(learner.coefficients)) == [best]
    np.testing.assert_allclose(learner.left_out, left_out[best], rtol=1e-9)
    line = LinearRegression().fit(values[:, [best]], gaps)
    np.testing.assert_allclose(learner.predict(values), line.predict(values[:, [best]]), rtol=1e-9)


@pytest.mark.parametrize("learn", [fit_ridge, fit_gaussian_process, fit_best_single])
@pytest.mark.parametrize("level", [0.0, 2.0])
def test_columns_that_do_not_vary_predict_the_mean(
    learn: Callable[[Training], Sequence[Fitted]], level: float
) -> None:
    _, gaps = networks(6, 12)
    learner = fitted_by(learn, np.full((12, 3), level), gaps)
    assert learner.penalty == np.inf
    np.testing.assert_allclose(learner.left_out, [np.delete(gaps, out).mean() for out in range(12)])
    np.testing.assert_allclose(learner.predict(np.full((2, 3), 7.0)), gaps.mean())


@pytest.mark.parametrize("learn", [fit_ridge, fit_gaussian_process])
def test_noise_is_shrunk_to_the_mean(
    learn: Callable[[Training], Sequence[Fitted]],
) -> None:
    rng = np.random.default_rng(7)
    excess = []
    for _ in range(50):
        values, gaps, new = rng.normal(size=(24, 8)), rng.normal(size=24), rng.normal(size=(24, 8))
        excess.append(np.mean((fitted_by(learn, values, gaps).predict(new) - gaps.mean()) ** 2))
    # Least squares would add 8 / (24 - 9), more than half of the variance.
    assert np.mean(excess) < 0.15


def test_a_new_network_is_predicted_from_its_raw_measures() -> None:
    rng = np.random.default_rng(8)
    values = np.exp(rng.normal(scale=1.5, size=(41, 3)))
    gaps = 0.1 * np.log(values[:40, 0]) + 0.01 * rng.normal(size=40)
    columns = prepared(values, np.arange(41)[None] < 40)[0]
    logarithms = np.log(values)
    expected = (logarithms - logarithms[:40].mean(axis=0)) / logarithms[:40].std(axis=0)
    np.testing.assert_allclose(columns, expected, rtol=1e-9)
    prediction = fitted_by(fit, columns[:40], gaps).predict(columns[40:])
    assert prediction == pytest.approx(0.1 * logarithms[40:, 0], abs=0.02)


@pytest.mark.parametrize("learn", [fit_ridge, fit_gaussian_process, fit_best_single, fit])
def test_cells_of_unequal_size_are_fitted_as_each_by_itself(
    learn: Callable[[Training], Sequence[Fitted]],
) -> None:
    rng = np.random.default_rng(11)
    _, gaps = networks(11, 30, 8)
    values = rng.normal(size=(5, 30, 8)) + gaps[:, None] * 20
    draws = np.repeat(["a", "b", "c"], 10)
    train = rng.random((5, 30)) < np.array([0.3, 0.5, 0.7, 0.9, 0.6])[:, None]
    train[4, 10:20] = False
    for learner, columns, inside in zip(
        learn(Training.of(values, gaps, train, draws)), values, train, strict=True
    ):
        alone = fitted_by(learn, columns[inside], gaps[inside], draws[inside])
        assert learner.penalty == alone.penalty
        np.testing.assert_allclose(learner.left_out, alone.left_out, rtol=1e-8)
        np.testing.assert_allclose(learner.predict(columns), alone.predict(columns), rtol=1e-8)


@pytest.mark.parametrize("learn", [fit_ridge, fit_gaussian_process])
def test_contributions_of_blocks_add_up_to_the_prediction(
    learn: Callable[[Training], Sequence[Fitted]],
) -> None:
    values, gaps = networks(12)
    learner = fitted_by(learn, values, gaps)
    new = np.random.default_rng(13).normal(size=(5, 6))
    parts = learner.contributions(new, [np.array([0, 3]), np.array([1, 2, 4, 5])])
    np.testing.assert_allclose(learner.intercept + parts.sum(axis=0), learner.predict(new))
    # A block alone: what the prediction changes by where only its columns change.
    other = new.copy()
    other[:, [0, 3]] = values[:5, [0, 3]]
    moved = learner.contributions(other, [np.array([0, 3])])[0] - parts[0]
    np.testing.assert_allclose(learner.predict(other), learner.predict(new) + moved)
