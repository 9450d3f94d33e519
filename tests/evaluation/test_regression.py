"""Held-out predictions against a direct loop with scikit-learn, and transforms inside the folds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from gengap.evaluation.designs import Design
from gengap.evaluation.folds import Folds, repeated_folds
from gengap.evaluation.regression import (
    IDENTITY,
    LOG,
    PENALTIES,
    RANK,
    extended,
    fold_scores,
    mean_basis,
    pooled_r2,
    predict,
    predict_scalars,
    predict_vector,
    principal_components,
    ridge_extended,
    span,
    transformed,
)

NETWORKS = 40


def design(values: np.ndarray, *, reduced: bool = False) -> Design:
    names = tuple(map(str, range(values.shape[1])))
    return Design("made", "made", names, values, reduced)


@pytest.fixture(params=[False, True], ids=["one draw", "two draws"])
def folds(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Folds:
    monkeypatch.setattr("gengap.evaluation.folds.REPEATS", 3)
    grid = pd.DataFrame({"width": np.repeat(np.arange(20), 2), "kind": [0, 0, 1, 1] * 10})
    draws = np.tile(["a", "b"], 20) if request.param else None
    return repeated_folds(grid, draws, np.random.default_rng(5))


def looped(
    folds: Folds, gaps: np.ndarray, fit: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """(repeats, networks): what ``fit(train, test)`` predicts, near the training gaps."""
    predictions = np.full((folds.repeats, len(gaps)), np.nan)
    for repeat, train, test in folds.cells():
        inside = gaps[train]
        low, high = inside.min() - inside.std(), inside.max() + inside.std()
        predictions[repeat, test] = np.clip(fit(train, test), low, high)
    return predictions


def least_squares(
    values: np.ndarray, gaps: np.ndarray
) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    model = make_pipeline(StandardScaler(), LinearRegression())

    def fit(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        predictions: np.ndarray = model.fit(values[train], gaps[train]).predict(values[test])
        return predictions

    return fit


def alone(made: Design, gaps: np.ndarray, folds: Folds) -> np.ndarray:
    return np.asarray(predict_vector(made, gaps, folds, [mean_basis(folds)])[0])


@pytest.mark.parametrize("columns", [2, 7])
def test_predictions_are_those_of_scikit_learn(folds: Folds, columns: int) -> None:
    rng = np.random.default_rng(columns)
    values = rng.normal(5.0, 3.0, size=(NETWORKS, columns)) * 10.0 ** rng.integers(-1, 2, columns)
    gaps = 0.1 + values @ (rng.normal(size=columns) / values.std(axis=0)) + rng.normal(size=40)
    expected = looped(folds, gaps, least_squares(values, gaps))
    np.testing.assert_allclose(alone(design(values), gaps, folds), expected, atol=1e-9)
    # Columns that depend on each other, and one that does not vary.
    values = np.column_stack([values, values @ rng.normal(size=columns), np.full(NETWORKS, 1e6)])
    np.testing.assert_allclose(alone(design(values), gaps, folds), expected, atol=1e-6)


def test_each_draw_has_a_level_and_a_new_one_their_mean() -> None:
    rng = np.random.default_rng(3)
    grid = pd.DataFrame({"width": np.repeat(np.arange(12), 3)})
    draws = np.tile(["a", "b", "c"], 12)
    folds = repeated_folds(grid, draws, np.random.default_rng(5))
    values = rng.normal(size=(36, 2)) + (draws == "b")[:, None]
    gaps = values[:, 0] + 2.0 * (draws == "c") + 0.3 * rng.normal(size=36)

    def mean(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        levels = [gaps[train & (draws == draw)].mean() for draw in set(draws[train])]
        return np.full(int(test.sum()), np.mean(levels))

    def dummies(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        levels = (draws[train][:, None] == np.unique(draws[train])).astype(float)
        columns = np.column_stack([values[train], levels])
        slopes = np.linalg.lstsq(columns, gaps[train], rcond=None)[0]
        predictions: np.ndarray = values[test] @ slopes[:2] + slopes[2:].mean()
        return predictions

    constant = predict(mean_basis(folds), gaps, folds)
    np.testing.assert_allclose(constant, looped(folds, gaps, mean), atol=1e-12)
    np.testing.assert_allclose(
        alone(design(values), gaps, folds), looped(folds, gaps, dummies), atol=1e-9
    )


def test_r2_of_several_draws_takes_their_levels_as_known() -> None:
    rng = np.random.default_rng(4)
    gaps, draws = rng.normal(size=9), np.repeat(["a", "b", "c"], 3)
    predictions = gaps + 0.1 * rng.normal(size=(2, 9)) + 5.0 * (draws == "b")
    centred = [
        np.concatenate([row[draws == draw] - row[draws == draw].mean() for draw in "abc"])
        for row in (gaps, *predictions)
    ]
    expected = [r2_score(centred[0], row) for row in centred[1:]]
    np.testing.assert_allclose(pooled_r2(predictions, gaps, draws), expected)
    assert (pooled_r2(predictions, gaps) < -1).all()
    one_draw = pooled_r2(predictions, gaps, np.zeros(9))
    np.testing.assert_array_equal(one_draw, pooled_r2(predictions, gaps))


def test_beside_others_is_the_regression_on_both(folds: Folds) -> None:
    rng = np.random.default_rng(1)
    known, values = rng.normal(size=(NETWORKS, 3)), rng.normal(size=(NETWORKS, 2))
    gaps = known[:, 0] + 0.3 * values[:, 1] + rng.normal(size=NETWORKS)
    base = extended(mean_basis(folds), design(known), folds)
    both = least_squares(np.hstack([known, values]), gaps)
    together = predict_vector(design(values), gaps, folds, [mean_basis(folds), base])
    np.testing.assert_allclose(together[1], looped(folds, gaps, both), atol=1e-9)
    np.testing.assert_allclose(
        predict(base, gaps, folds), looped(folds, gaps, least_squares(known, gaps)), atol=1e-9
    )
    # What is known already adds nothing.
    again = predict_vector(design(known[:, :2] @ rng.normal(size=(2, 2))), gaps, folds, [base])
    np.testing.assert_allclose(again[0], predict(base, gaps, folds), atol=1e-6)


def test_all_scalars_at_once_are_each_scalar_by_itself(folds: Folds) -> None:
    rng = np.random.default_rng(2)
    values = np.exp(np.array([0.1, 1.5, 3.0, 0.0]) * rng.normal(size=(NETWORKS, 4)))
    gaps = np.log(values[:, 1]) + rng.normal(size=NETWORKS)
    beside = extended(mean_basis(folds), design(values[:, :1]), folds)
    bases = [mean_basis(folds), beside.first(2)]
    predictions, used = predict_scalars(values, gaps, folds, bases)
    assert [own.shape for own in predictions] == [(4, 3, NETWORKS), (4, 2, NETWORKS)]
    for scalar in range(4):
        vector = predict_vector(design(values[:, [scalar]]), gaps, folds, bases)
        for own, expected in zip(predictions, vector, strict=True):
            np.testing.assert_allclose(own[scalar], expected, atol=1e-9)
    everywhere = predict_scalars(values, gaps, folds, [beside])[0][0]
    np.testing.assert_allclose(predictions[1], everywhere[:, :2], rtol=1e-12)
    cells = sum(1 for _ in folds.cells())
    assert (used.sum(axis=1) == cells).all()
    # The last one does not vary: its prediction is the training mean.
    expected = looped(folds, gaps, lambda train, test: np.full(test.sum(), gaps[train].mean()))
    np.testing.assert_allclose(predictions[0][3], expected, atol=1e-12)


def test_more_columns_than_networks_give_the_solution_of_minimum_norm(folds: Folds) -> None:
    rng = np.random.default_rng(3)
    values, gaps = (
        rng.normal(size=(NETWORKS, 90)) * 10.0 ** rng.integers(-2, 3, 90),
        rng.normal(size=NETWORKS),
    )

    def pseudo_inverse(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        scaler = StandardScaler().fit(values[train])
        level = gaps[train].mean()
        solution = np.linalg.pinv(scaler.transform(values[train])) @ (gaps[train] - level)
        return np.asarray(level + scaler.transform(values[test]) @ solution)

    expected = looped(folds, gaps, pseudo_inverse)
    np.testing.assert_allclose(alone(design(values), gaps, folds), expected, atol=1e-8)


def test_reduced_designs_are_regressed_on_principal_components(folds: Folds) -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(NETWORKS, 6)) @ rng.normal(size=(6, 100)) * 3
    values += 0.4 * rng.normal(size=(NETWORKS, 100))
    gaps = values[:, 0] + rng.normal(size=NETWORKS)

    def fit(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        full = PCA().fit(values[train])
        enough = int(np.sum(np.cumsum(full.explained_variance_ratio_) < 0.95)) + 1
        components = PCA(min(enough, max(1, train.sum() // 4)), svd_solver="full")
        model = make_pipeline(components, LinearRegression())
        return np.asarray(model.fit(values[train], gaps[train]).predict(values[test]))

    expected = looped(folds, gaps, fit)
    np.testing.assert_allclose(
        alone(design(values, reduced=True), gaps, folds), expected, atol=1e-8
    )


def test_ridge_takes_the_penalty_of_least_generalised_cross_validation_error(
    folds: Folds,
) -> None:
    rng = np.random.default_rng(6)
    values = rng.normal(size=(NETWORKS, 12)) * 10.0 ** rng.integers(-1, 2, 12)
    gaps = values[:, 0] / values[:, 0].std() + 2 * rng.normal(size=NETWORKS)
    penalties = []

    def fit(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        scaler = StandardScaler().fit(values[train])
        inside = scaler.transform(values[train])
        scores = []
        for penalty in PENALTIES * len(inside):
            hat = inside @ np.linalg.solve(inside.T @ inside + penalty * np.eye(12), inside.T)
            hat += 1 / len(inside)
            residual = gaps[train] - hat @ gaps[train]
            scores.append(np.sum(residual**2) / (len(inside) - np.trace(hat)) ** 2)
        penalties.append(PENALTIES[int(np.argmin(scores))] * len(inside))
        model = Ridge(alpha=penalties[-1]).fit(inside, gaps[train])
        return np.asarray(model.predict(scaler.transform(values[test])))

    expected = looped(folds, gaps, fit)
    actual = predict(ridge_extended(mean_basis(folds), design(values), gaps, folds), gaps, folds)
    np.testing.assert_allclose(actual, expected, atol=1e-9)
    assert len({round(penalty, 6) for penalty in penalties}) > 3


def test_ridge_leaves_what_is_beside_it_free_and_counts_replicates_once() -> None:
    rng = np.random.default_rng(13)
    grid = pd.DataFrame({"a": np.repeat(np.arange(12), 3)})
    folds = repeated_folds(grid, None, rng)
    folds = replace(folds, labels=folds.labels[:2])
    points = grid["a"].to_numpy()
    known, products = rng.normal(size=(12, 2))[points], rng.normal(size=(12, 6))[points]
    gaps = known[:, 0] + products[:, 0] + rng.normal(size=12)[points] + 0.1 * rng.normal(size=36)

    def fit(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        # The replicates are averaged, so that each grid point is one observation.
        distinct = np.unique(points[train])
        rows = [np.flatnonzero(points == point)[0] for point in distinct]
        means = np.array([gaps[points == point].mean() for point in distinct])
        scaler = StandardScaler().fit(products[rows])
        free = np.column_stack([np.ones(len(rows)), known[rows]])
        columns = np.hstack([free, scaler.transform(products[rows])])
        best: tuple[float, np.ndarray] = (np.inf, np.zeros(9))
        for penalty in PENALTIES * len(rows):
            shrunk = columns.T @ columns + penalty * np.diag([0.0] * 3 + [1.0] * 6)
            solution = np.linalg.solve(shrunk, columns.T)
            residual = means - columns @ solution @ means
            freedom = len(rows) - np.trace(columns @ solution)
            best = min(
                best, (np.sum(residual**2) / freedom**2, solution @ means), key=lambda b: b[0]
            )
        outside = [np.ones(test.sum()), known[test], scaler.transform(products[test])]
        return np.asarray(np.column_stack(outside) @ best[1])

    base = extended(mean_basis(folds), design(known), folds)
    actual = predict(ridge_extended(base, design(products), gaps, folds), gaps, folds)
    np.testing.assert_allclose(actual, looped(folds, gaps, fit), atol=1e-8)


def test_held_out_gaps_have_no_part_in_their_prediction(folds: Folds) -> None:
    rng = np.random.default_rng(7)
    values, gaps = rng.normal(size=(NETWORKS, 3)), rng.normal(size=NETWORKS)
    repeat, train, test = next(folds.cells())
    changed = np.where(train, gaps, 1e3)

    def all_of(known: np.ndarray) -> list[np.ndarray]:
        bases = [
            mean_basis(folds),
            ridge_extended(mean_basis(folds), design(values), known, folds),
        ]
        scalars, _ = predict_scalars(values, known, folds, bases)
        return [
            *(own[:, repeat, test] for own in scalars),
            predict(bases[1], known, folds)[repeat, test],
        ]

    for first, second in zip(all_of(gaps), all_of(changed), strict=True):
        np.testing.assert_allclose(first, second, atol=1e-12)


def test_skewed_scalars_are_transformed_by_their_training_values() -> None:
    rng = np.random.default_rng(8)
    train = np.ones((1, 200), dtype=bool)
    train[0, ::7] = False
    values = np.column_stack(
        [
            rng.normal(size=200),
            np.exp(2 * rng.normal(size=200)),
            -np.exp(2 * rng.normal(size=200)),
            np.sinh(3 * np.abs(rng.normal(size=200))) - 1,
            np.exp(np.exp(1.2 * rng.normal(size=200))),
        ]
    )
    columns, kinds = transformed(values, train)
    inside = train[0]
    assert kinds[0].tolist() == [IDENTITY, LOG, LOG, RANK, RANK]
    skews = np.abs(stats.skew(values[inside]))
    assert skews[0] <= 1
    assert (skews[1:] > 1).all()
    for scalar, function in ((0, lambda x: x), (1, np.log), (2, lambda x: -np.log(-x))):
        assert np.corrcoef(columns[0, inside, scalar], function(values[inside, scalar]))[
            0, 1
        ] == pytest.approx(1)
    ranks = stats.rankdata(values[inside, 3])
    expected = stats.norm.ppf((ranks - 0.375) / (inside.sum() + 0.25))
    np.testing.assert_allclose(columns[0, inside, 3], expected)
    # All of them keep the order of the networks, held out or not.
    for scalar in range(5):
        assert stats.spearmanr(columns[0, :, scalar], values[:, scalar]).statistic > 0.999


def test_ties_share_their_normal_score() -> None:
    values = np.array([1.0, 1, 1, 1, 1, 1, 1, 1, -3, 90])[:, None]
    columns, kinds = transformed(values, np.ones((1, 10), dtype=bool))
    assert kinds[0, 0] == RANK
    assert len(set(columns[0, :8, 0])) == 1
    np.testing.assert_allclose(columns[0, 0, 0], stats.norm.ppf((5.5 - 0.375) / 10.25))


def test_a_wild_held_out_value_does_not_decide_the_score() -> None:
    rng = np.random.default_rng(9)
    folds = repeated_folds(pd.DataFrame(index=range(NETWORKS)), None, np.random.default_rng(10))
    values = rng.normal(size=(NETWORKS, 1))
    gaps = values[:, 0] + 0.3 * rng.normal(size=NETWORKS)
    plain = pooled_r2(alone(design(values), gaps, folds), gaps).mean()
    values[3] = 1e9
    assert pooled_r2(alone(design(values), gaps, folds), gaps).mean() > plain - 0.25


def test_scaling_and_reversing_a_scalar_changes_nothing(folds: Folds) -> None:
    rng = np.random.default_rng(10)
    values = np.exp(1.5 * rng.normal(size=(NETWORKS, 1)))
    gaps = np.log(values[:, 0]) + rng.normal(size=NETWORKS)
    expected = alone(design(values), gaps, folds)
    for factor in (1e-200, -3.0, 1e250):
        np.testing.assert_allclose(alone(design(factor * values), gaps, folds), expected)


def test_pooled_r2_is_that_of_scikit_learn_and_the_mean_of_the_fold_scores(folds: Folds) -> None:
    rng = np.random.default_rng(11)
    gaps = rng.normal(size=NETWORKS)
    predictions = gaps + rng.normal(size=(folds.repeats, NETWORKS))
    plain = pooled_r2(predictions, gaps)
    np.testing.assert_allclose(plain, [r2_score(gaps, own) for own in predictions])
    r2 = pooled_r2(predictions, gaps, folds.draws)
    scores = fold_scores(predictions, gaps, folds)
    assert scores.shape == (folds.repeats, folds.count)
    np.testing.assert_allclose(scores.mean(axis=1), r2)


def test_principal_components_are_those_of_scikit_learn_up_to_sign() -> None:
    rng = np.random.default_rng(6)
    train, test = rng.normal(size=(40, 6)) * [9, 5, 2, 1, 0.1, 0.01], rng.normal(size=(12, 6))
    inside, outside = principal_components(train, test)
    expected = PCA(n_components=0.95, svd_solver="full").fit(train)
    np.testing.assert_allclose(np.abs(inside), np.abs(expected.transform(train)), atol=1e-9)
    np.testing.assert_allclose(np.abs(outside), np.abs(expected.transform(test)), atol=1e-9)


def test_rotating_long_vectors_first_changes_nothing(folds: Folds) -> None:
    rng = np.random.default_rng(12)
    values, gaps = rng.normal(size=(NETWORKS, 300)), rng.normal(size=NETWORKS)
    rotated = span(values)
    assert rotated.shape == (NETWORKS, NETWORKS)
    np.testing.assert_allclose(
        alone(design(values, reduced=True), gaps, folds),
        alone(design(rotated, reduced=True), gaps, folds),
        atol=1e-9,
    )
